/* SPDX-License-Identifier: Apache-2.0 */
/*
 * keys.json in a shop's directory: names, scopes, expiry and rate of its keys, and Argon2id of
 * each.
 *
 * A key is "vt_<id>_<secret>": the id (12 letters, no secret) finds the entry, the secret is 256
 * random bits. The whole text is what is hashed. 64 bits of a fast hash stand beside it, by which a
 * wrong key is refused without Argon2id; they leave 192 bits to guess. The file is replaced
 * atomically and readable by its owner alone; a running server notices. Who changes it holds a lock
 * on the directory meanwhile: of two changes at once none is lost.
 */
#include "server/server.h"

#include "base/clock.h"
#include "base/file.h"
#include "base/hash.h"
#include "base/json.h"
#include "base/mem.h"
#include "base/secret.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

enum { KEYS_FILE_BYTES = 16 << 20, KEYS_MAXIMUM = 10000, SECRET_BYTES = 32, KEYS_DEPTH = 8 };

static const struct {
    const char *name;
    unsigned bit;
} scopes[] = {{"search", VT_SCOPE_SEARCH},
              {"write", VT_SCOPE_WRITE},
              {"embed", VT_SCOPE_EMBED},
              {"admin", VT_SCOPE_ADMIN}};
enum { SCOPE_COUNT = sizeof(scopes) / sizeof(scopes[0]) };

vt_status vt_scopes_parse(const char *text, unsigned *out, vt_error *error)
{
    unsigned bits = 0;
    for (const char *at = text; *at != '\0';) {
        size_t length = strcspn(at, ","), i = 0;
        while (i < SCOPE_COUNT &&
               (strlen(scopes[i].name) != length || memcmp(scopes[i].name, at, length) != 0))
            i++;
        if (i == SCOPE_COUNT)
            return vt_fail(error, VT_ERR_USAGE,
                           "read scopes \"%.64s\": \"%.*s\" is none of search, write, embed, admin",
                           text, (int)(length < 32 ? length : 32), at);
        bits |= scopes[i].bit;
        at += length + (at[length] == ',');
    }
    if (bits == 0)
        return vt_fail(error, VT_ERR_USAGE, "read scopes: none is given");
    *out = bits;
    return VT_OK;
}

void vt_scopes_print(unsigned bits, char out[64])
{
    size_t length = 0;
    out[0] = '\0';
    for (size_t i = 0; i < SCOPE_COUNT; i++)
        if (bits & scopes[i].bit)
            length += (size_t)snprintf(out + length, 64 - length, "%s%s", length > 0 ? "," : "",
                                       scopes[i].name);
}

/* ---- reading ---- */

static vt_status read_text(const vt_json *entry, const char *member, char *out, size_t capacity,
                           vt_error *error)
{
    const char *text = vt_json_text(vt_json_get(entry, member), NULL);
    if (text == NULL || strlen(text) >= capacity)
        return vt_fail(error, VT_ERR_CORRUPT, "a key's \"%s\" is missing or too long", member);
    snprintf(out, capacity, "%s", text);
    return VT_OK;
}

static int64_t read_time(const vt_json *entry, const char *member)
{
    double value = vt_json_number(vt_json_get(entry, member), 0.0);
    return value > 0.0 && value < 1e15 ? (int64_t)value : 0;
}

static vt_status read_key(const vt_json *entry, vt_key *out, vt_error *error)
{
    char text[64];
    vt_key key = {0};
    vt_status status = read_text(entry, "id", key.id, sizeof(key.id), error);
    if (status == VT_OK)
        status = read_text(entry, "name", key.name, sizeof(key.name), error);
    if (status == VT_OK)
        status = read_text(entry, "argon2id", key.stored, sizeof(key.stored), error);
    if (status == VT_OK)
        status = read_text(entry, "check", key.check, sizeof(key.check), error);
    if (status == VT_OK)
        status = read_text(entry, "scopes", text, sizeof(text), error);
    if (status == VT_OK)
        status = vt_scopes_parse(text, &key.scopes, error);
    if (status != VT_OK)
        return status;
    double rate = vt_json_number(vt_json_get(entry, "rate"), 0.0);
    key.created_s = read_time(entry, "created");
    key.expires_s = read_time(entry, "expires");
    key.rate = rate > 0.0 ? rate : 0.0;
    *out = key;
    return VT_OK;
}

static vt_status read_list(const vt_json *document, vt_key_list *out, vt_error *error)
{
    const vt_json *entries = vt_json_get(document, "keys");
    size_t count = vt_json_count(entries);
    if (vt_json_kind_of(entries) != VT_JSON_ARRAY || count > KEYS_MAXIMUM)
        return vt_fail(error, VT_ERR_CORRUPT, "it has no list of at most %d keys", KEYS_MAXIMUM);
    vt_key_list list = {.items = vt_calloc(count, sizeof(vt_key))};
    if (list.items == NULL)
        return vt_fail_memory(error, "the keys");
    vt_status status = VT_OK;
    for (; status == VT_OK && list.count < count; list.count += status == VT_OK)
        status = read_key(vt_json_at(entries, list.count), &list.items[list.count], error);
    if (status != VT_OK) {
        vt_keys_deinit(&list);
        return status;
    }
    *out = list;
    return VT_OK;
}

vt_status vt_keys_read(const char *directory, vt_key_list *out, vt_error *error)
{
    vt_buf bytes;
    vt_json *document = NULL;
    char *path = vt_path_join(directory, "keys.json");
    if (path == NULL)
        return vt_fail_memory(error, "a path");
    vt_buf_init(&bytes, KEYS_FILE_BYTES);
    vt_status status = vt_file_read(path, KEYS_FILE_BYTES, &bytes, error);
    if (status == VT_ERR_NOT_FOUND) {
        *out = (vt_key_list){0};
        status = VT_OK;
    } else if (status == VT_OK) {
        status = vt_json_parse(bytes.data, bytes.length, KEYS_DEPTH, &document, error);
        if (status == VT_OK)
            status = read_list(document, out, error);
        if (status != VT_OK)
            vt_fail_context(error, status, "read keys from \"%s\"", path);
    }
    vt_json_free(document);
    vt_buf_deinit(&bytes);
    vt_free(path);
    return status;
}

void vt_keys_deinit(vt_key_list *list)
{
    vt_free(list->items);
    *list = (vt_key_list){0};
}

void vt_key_check_of(const char *text, char out[17])
{
    vt_hash hash = vt_hash_of(text, strlen(text));
    vt_hex(hash.bytes, 8, out);
}

/* ---- writing ---- */

static void put_key(vt_json_writer *writer, const vt_key *key)
{
    char text[64];
    vt_scopes_print(key->scopes, text);
    vt_json_open_object(writer, NULL);
    vt_json_put_text(writer, "id", key->id);
    vt_json_put_text(writer, "name", key->name);
    vt_json_put_text(writer, "scopes", text);
    vt_json_put_int(writer, "created", key->created_s);
    vt_json_put_int(writer, "expires", key->expires_s);
    vt_json_put_number(writer, "rate", key->rate, -1);
    vt_json_put_text(writer, "argon2id", key->stored);
    vt_json_put_text(writer, "check", key->check);
    vt_json_close(writer);
}

/* *fd: to be closed, which ends it. */
static vt_status lock_keys(const char *directory, int *fd, vt_error *error)
{
    int opened = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (opened < 0)
        return vt_fail_errno(error, errno, "open", directory);
    if (flock(opened, LOCK_EX) != 0) {
        vt_status status = vt_fail_errno(error, errno, "lock", directory);
        close(opened);
        return status;
    }
    *fd = opened;
    return VT_OK;
}

/* A replaced file keeps its permissions: there is none yet, so that there is no moment at which
 * others could read the first one. */
static vt_status protect(const char *path, vt_error *error)
{
    static const char none[] = "{\"keys\":[]}\n";
    int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (fd < 0)
        return errno == EEXIST ? VT_OK : vt_fail_errno(error, errno, "write", path);
    bool written = write(fd, none, sizeof(none) - 1) == (ssize_t)sizeof(none) - 1;
    int code = errno;
    close(fd);
    return written ? VT_OK : vt_fail_errno(error, code, "write", path);
}

static vt_status write_keys(const char *directory, const vt_key_list *list, vt_error *error)
{
    vt_buf bytes;
    vt_json_writer writer;
    char *path = vt_path_join(directory, "keys.json");
    if (path == NULL)
        return vt_fail_memory(error, "a path");
    vt_buf_init(&bytes, KEYS_FILE_BYTES);
    vt_json_begin(&writer, &bytes, true);
    vt_json_open_object(&writer, NULL);
    vt_json_open_array(&writer, "keys");
    for (size_t i = 0; i < list->count; i++)
        put_key(&writer, &list->items[i]);
    vt_json_close(&writer);
    vt_json_close(&writer);
    vt_buf_append_char(&bytes, '\n');
    vt_status status = bytes.failed ? vt_fail_memory(error, "the keys") : protect(path, error);
    if (status == VT_OK)
        status = vt_file_replace(path, bytes.data, bytes.length, true, error);
    vt_buf_deinit(&bytes);
    vt_free(path);
    return status;
}

/* "vt_<id>_<secret>". */
static void make_text(vt_key *key, char text[VT_KEY_TEXT])
{
    uint8_t id[VT_KEY_ID_CHARS / 2], secret[SECRET_BYTES];
    char hex[2 * SECRET_BYTES + 1];
    vt_secret_random(id, sizeof(id));
    vt_secret_random(secret, sizeof(secret));
    vt_hex(id, sizeof(id), key->id);
    vt_hex(secret, sizeof(secret), hex);
    snprintf(text, VT_KEY_TEXT, "vt_%s_%s", key->id, hex);
}

vt_status vt_keys_add(const char *directory, const vt_key *wanted, char text[VT_KEY_TEXT],
                      vt_error *error)
{
    vt_key_list list = {0};
    vt_key key = *wanted;
    char made[VT_KEY_TEXT];
    int lock = -1;
    vt_status status = lock_keys(directory, &lock, error);
    if (status == VT_OK)
        status = vt_keys_read(directory, &list, error);
    if (status == VT_OK && list.count >= KEYS_MAXIMUM)
        status = vt_fail(error, VT_ERR_LIMIT, "add a key: there are %d already", KEYS_MAXIMUM);
    if (status == VT_OK) {
        vt_key *more = vt_realloc_array(list.items, list.count + 1, sizeof(*more));
        if (more == NULL)
            status = vt_fail_memory(error, "the keys");
        else
            list.items = more;
    }
    if (status == VT_OK) {
        make_text(&key, made);
        vt_key_check_of(made, key.check);
        key.created_s = vt_clock_unix_ms() / 1000;
        status = vt_secret_store(made, key.stored, error);
    }
    if (status == VT_OK) {
        list.items[list.count++] = key;
        status = write_keys(directory, &list, error);
    }
    if (status == VT_OK)
        memcpy(text, made, sizeof(made));
    vt_keys_deinit(&list);
    if (lock >= 0)
        close(lock);
    return status;
}

vt_status vt_keys_revoke(const char *directory, const char *id, vt_error *error)
{
    vt_key_list list = {0};
    int lock = -1;
    size_t kept = 0;
    vt_status status = lock_keys(directory, &lock, error);
    if (status != VT_OK)
        return status;
    status = vt_keys_read(directory, &list, error);
    for (size_t i = 0; i < list.count; i++)
        if (strcmp(list.items[i].id, id) != 0)
            list.items[kept++] = list.items[i];
    if (status == VT_OK && kept == list.count)
        status = vt_fail(error, VT_ERR_NOT_FOUND, "revoke key \"%.40s\": there is none", id);
    list.count = kept;
    if (status == VT_OK)
        status = write_keys(directory, &list, error);
    vt_keys_deinit(&list);
    close(lock);
    return status;
}
