/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The keys of a running server.
 *
 * Method: a key that was held against its Argon2id once is remembered by a tag of it (BLAKE2b under
 * a key of this process), which takes about a microsecond to compare. A wrong one fails
 * by 64 bits of a fast hash before Argon2id is run: guessing keeps neither the machine busy nor the
 * owner out. The file is read again when it changed, looked at most once a second, so that revoking
 * works on a running server.
 *
 * Who takes the last key of the file away does not open the server: it stays closed until it is
 * started anew.
 */
#include "server/http.h"

#include "base/clock.h"
#include "base/file.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/secret.h"

#include <string.h>
#include <sys/stat.h>

enum { LOOK_MS = 1000 };

typedef struct entry {
    vt_key key;
    bool known; /* tag is that of the right text */
    uint8_t tag[VT_SECRET_TAG_BYTES];
    vt_bucket requests;
} entry;

struct vt_keyring {
    char *directory, *path;
    uint8_t secret[VT_SECRET_TAG_BYTES]; /* for tags */
    pthread_mutex_t lock;                /* everything below */
    entry *entries;
    size_t count;
    bool closed; /* there have been keys */
    double looked_ms;
    struct timespec changed;
    off_t size;
    ino_t inode;
};

static entry *find(vt_keyring *keyring, const char *id)
{
    for (size_t i = 0; i < keyring->count; i++)
        if (strcmp(keyring->entries[i].key.id, id) == 0)
            return &keyring->entries[i];
    return NULL;
}

static vt_status load(vt_keyring *keyring, vt_error *error)
{
    vt_key_list list = {0};
    vt_status status = vt_keys_read(keyring->directory, &list, error);
    if (status != VT_OK)
        return status;
    entry *entries = vt_calloc(list.count, sizeof(*entries));
    if (entries == NULL) {
        vt_keys_deinit(&list);
        return vt_fail_memory(error, "the keys");
    }
    for (size_t i = 0; i < list.count; i++) {
        const entry *old = find(keyring, list.items[i].id);
        /* What was found out stays true of the same hash. */
        if (old != NULL && strcmp(old->key.stored, list.items[i].stored) == 0)
            entries[i] = *old;
        entries[i].key = list.items[i];
    }
    vt_free(keyring->entries);
    keyring->entries = entries;
    keyring->count = list.count;
    keyring->closed = keyring->closed || list.count > 0;
    vt_keys_deinit(&list);
    return VT_OK;
}

/* Called with the lock held. */
static void look(vt_keyring *keyring, double now_ms)
{
    struct stat info = {0};
    if (now_ms - keyring->looked_ms < LOOK_MS)
        return;
    keyring->looked_ms = now_ms;
    if (stat(keyring->path, &info) != 0)
        memset(&info, 0, sizeof(info));
    if (info.st_mtim.tv_sec == keyring->changed.tv_sec &&
        info.st_mtim.tv_nsec == keyring->changed.tv_nsec && info.st_size == keyring->size &&
        info.st_ino == keyring->inode)
        return;
    vt_error error;
    if (load(keyring, &error) != VT_OK) {
        vt_log(VT_LOG_ERROR, "%s; the keys stay as they were", error.message);
        return;
    }
    keyring->changed = info.st_mtim;
    keyring->size = info.st_size;
    keyring->inode = info.st_ino;
}

vt_status vt_keyring_new(const char *directory, vt_keyring **out, vt_error *error)
{
    vt_keyring *keyring = vt_calloc(1, sizeof(*keyring));
    if (keyring == NULL)
        return vt_fail_memory(error, "the keys");
    pthread_mutex_init(&keyring->lock, NULL);
    keyring->directory = vt_strdup(directory);
    keyring->path = vt_path_join(directory, "keys.json");
    vt_secret_random(keyring->secret, sizeof(keyring->secret));
    vt_status status = keyring->directory == NULL || keyring->path == NULL
                           ? vt_fail_memory(error, "the keys")
                           : load(keyring, error);
    if (status != VT_OK) {
        vt_keyring_free(keyring);
        return status;
    }
    keyring->looked_ms = -LOOK_MS;
    *out = keyring;
    return VT_OK;
}

void vt_keyring_free(vt_keyring *keyring)
{
    if (keyring == NULL)
        return;
    vt_free(keyring->entries);
    vt_free(keyring->directory);
    vt_free(keyring->path);
    pthread_mutex_destroy(&keyring->lock);
    vt_free(keyring);
}

size_t vt_keyring_count(vt_keyring *keyring)
{
    pthread_mutex_lock(&keyring->lock);
    look(keyring, vt_clock_ms());
    size_t count = keyring->count > 0 ? keyring->count : keyring->closed;
    pthread_mutex_unlock(&keyring->lock);
    return count;
}

/* Whether the text has the form of a key; id: (VT_KEY_ID_CHARS + 1). */
static bool read_id(const char *text, char *id)
{
    if (strncmp(text, "vt_", 3) != 0 || strlen(text) >= VT_KEY_TEXT ||
        strcspn(text + 3, "_") != VT_KEY_ID_CHARS)
        return false;
    memcpy(id, text + 3, VT_KEY_ID_CHARS);
    id[VT_KEY_ID_CHARS] = '\0';
    return true;
}

/* Called with the lock held. */
static bool is_right(vt_keyring *keyring, entry *one, const char *text)
{
    uint8_t tag[VT_SECRET_TAG_BYTES];
    char check[sizeof(one->key.check)];
    vt_secret_tag(keyring->secret, text, strlen(text), tag);
    if (one->known)
        return vt_secret_equal(tag, one->tag, sizeof(tag));
    vt_key_check_of(text, check);
    if (!vt_secret_equal(check, one->key.check, sizeof(check)) ||
        !vt_secret_matches(one->key.stored, text))
        return false;
    memcpy(one->tag, tag, sizeof(tag));
    one->known = true;
    return true;
}

static vt_key_verdict judge(entry *one, vt_scope scope, double now_ms, int *retry_ms)
{
    const vt_key *key = &one->key;
    if (key->expires_s > 0 && vt_clock_unix_ms() / 1000 >= key->expires_s)
        return VT_KEY_EXPIRED;
    if ((key->scopes & ((unsigned)scope | VT_SCOPE_ADMIN)) == 0)
        return VT_KEY_SCOPE;
    double burst = key->rate > 1.0 ? key->rate : 1.0;
    if (key->rate > 0.0) {
        *retry_ms = vt_bucket_take(&one->requests, key->rate, burst, now_ms);
        if (*retry_ms > 0)
            return VT_KEY_RATE;
    }
    return VT_KEY_GOOD;
}

vt_key_verdict vt_keyring_check(vt_keyring *keyring, const char *text, vt_scope scope, char *id,
                                int *retry_ms)
{
    char found[VT_KEY_ID_CHARS + 1];
    vt_key_verdict verdict = VT_KEY_MISSING;
    if (text == NULL || !read_id(text, found))
        return verdict;
    double now_ms = vt_clock_ms();
    pthread_mutex_lock(&keyring->lock);
    look(keyring, now_ms);
    entry *one = find(keyring, found);
    if (one != NULL && is_right(keyring, one, text)) {
        memcpy(id, found, sizeof(found));
        verdict = judge(one, scope, now_ms, retry_ms);
    }
    pthread_mutex_unlock(&keyring->lock);
    return verdict;
}
