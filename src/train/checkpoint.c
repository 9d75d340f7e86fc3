/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Checkpoints. Written in a stream, as they are several times as large as the network; read from a
 * mapping whose checksum is checked first, so that everything after that is only bounds.
 */
#include "train/checkpoint.h"

#include "base/crc32c.h"
#include "base/file.h"
#include "base/mem.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static const char magic[8] = {'V', 'T', 'C', 'K', 'P', 'T', '0', '1'};
enum { VERSION = 1, HEADER_BYTES = 24, ARRAY_BYTES = 12, ARRAYS = 10000000, NAME_BYTES = 4096 };
#define FILE_BYTES ((size_t)1 << 40)

typedef struct writer {
    FILE *file;
    const char *path;
    uint32_t crc;
} writer;

static void put_number(uint8_t *at, uint64_t value, int bytes)
{
    for (int i = 0; i < bytes; i++)
        at[i] = (uint8_t)(value >> (8 * i));
}

static uint64_t get_number(const uint8_t *at, int bytes)
{
    uint64_t value = 0;
    for (int i = bytes - 1; i >= 0; i--)
        value = value << 8 | at[i];
    return value;
}

static vt_status put(writer *out, const void *bytes, size_t length, vt_error *error)
{
    out->crc = vt_crc32c(out->crc, bytes, length);
    if (length > 0 && fwrite(bytes, 1, length, out->file) != length)
        return vt_fail_errno(error, errno, "write checkpoint", out->path);
    return VT_OK;
}

static vt_status put_array(writer *out, const vt_checkpoint_array *array, vt_error *error)
{
    uint8_t head[ARRAY_BYTES];
    size_t name = strlen(array->name);
    put_number(head, name, 4);
    put_number(head + 4, array->count, 8);
    vt_status status = put(out, head, sizeof(head), error);
    if (status == VT_OK)
        status = put(out, array->name, name, error);
    if (status == VT_OK)
        status = put(out, array->value, array->count * sizeof(float), error);
    return status;
}

static vt_status put_all(writer *out, const char *json, const vt_checkpoint_array *arrays,
                         size_t count, vt_error *error)
{
    uint8_t header[HEADER_BYTES], crc[4];
    memcpy(header, magic, sizeof(magic));
    put_number(header + 8, VERSION, 4);
    put_number(header + 12, strlen(json), 4);
    put_number(header + 16, count, 8);
    vt_status status = put(out, header, sizeof(header), error);
    if (status == VT_OK)
        status = put(out, json, strlen(json), error);
    for (size_t i = 0; status == VT_OK && i < count; i++)
        status = put_array(out, &arrays[i], error);
    put_number(crc, out->crc, 4);
    if (status == VT_OK)
        status = put(out, crc, sizeof(crc), error);
    if (status == VT_OK && (fflush(out->file) != 0 || fsync(fileno(out->file)) != 0))
        status = vt_fail_errno(error, errno, "write checkpoint", out->path);
    return status;
}

/* The rename survives a power cut only when the directory is written too. */
static void sync_directory(const char *path)
{
    char *copy = vt_strdup(path);
    char *slash = copy != NULL ? strrchr(copy, '/') : NULL;
    if (slash != NULL)
        slash[slash == copy] = '\0';
    int fd =
        copy != NULL ? open(slash != NULL ? copy : ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC) : -1;
    if (fd >= 0) {
        fsync(fd);
        close(fd);
    }
    vt_free(copy);
}

vt_status vt_checkpoint_write(const char *path, const char *json, const vt_checkpoint_array *arrays,
                              size_t count, vt_error *error)
{
    vt_buf name;
    vt_buf_init(&name, 1 << 16);
    if (!vt_buf_printf(&name, "%s.new", path)) {
        vt_buf_deinit(&name);
        return vt_fail_memory(error, "a path");
    }
    writer out = {.file = fopen(name.data, "wbe"), .path = name.data};
    vt_status status = VT_OK;
    if (out.file == NULL) {
        status = vt_fail_errno(error, errno, "write checkpoint", name.data);
    } else {
        status = put_all(&out, json, arrays, count, error);
        if (fclose(out.file) != 0 && status == VT_OK)
            status = vt_fail_errno(error, errno, "write checkpoint", name.data);
        if (status == VT_OK && rename(name.data, path) != 0)
            status = vt_fail_errno(error, errno, "write checkpoint", path);
        if (status != VT_OK)
            unlink(name.data);
        else
            sync_directory(path);
    }
    vt_buf_deinit(&name);
    return status;
}

typedef struct entry {
    const char *name; /* not terminated */
    size_t name_length, count;
    const uint8_t *values;
} entry;

struct vt_checkpoint {
    vt_mapping file;
    char *path;
    const char *json;
    size_t json_length;
    entry *entries; /* (count) */
    size_t count;
};

static vt_status damaged(const vt_checkpoint *checkpoint, const char *how, vt_error *error)
{
    return vt_fail(error, VT_ERR_CORRUPT, "read checkpoint \"%s\": %s", checkpoint->path, how);
}

static vt_status read_entries(vt_checkpoint *checkpoint, size_t at, size_t end, vt_error *error)
{
    const uint8_t *bytes = checkpoint->file.bytes;
    for (size_t i = 0; i < checkpoint->count; i++) {
        entry *one = &checkpoint->entries[i];
        size_t length;
        if (end - at < ARRAY_BYTES)
            return damaged(checkpoint, "it ends too early", error);
        one->name_length = (size_t)get_number(bytes + at, 4);
        one->count = (size_t)get_number(bytes + at + 4, 8);
        at += ARRAY_BYTES;
        if (one->name_length > NAME_BYTES || one->name_length > end - at)
            return damaged(checkpoint, "it ends too early", error);
        one->name = (const char *)bytes + at;
        at += one->name_length;
        if (!vt_size_mul(one->count, sizeof(float), &length) || length > end - at)
            return damaged(checkpoint, "it ends too early", error);
        one->values = bytes + at;
        at += length;
    }
    return at == end ? VT_OK : damaged(checkpoint, "more follows than it says", error);
}

static vt_status parse(vt_checkpoint *checkpoint, vt_error *error)
{
    const uint8_t *bytes = checkpoint->file.bytes;
    size_t length = checkpoint->file.length;
    if (length < HEADER_BYTES + 4 || memcmp(bytes, magic, sizeof(magic)) != 0)
        return damaged(checkpoint, "it is no checkpoint", error);
    if (get_number(bytes + 8, 4) != VERSION)
        return vt_fail(error, VT_ERR_UNSUPPORTED,
                       "read checkpoint \"%s\": version %u, this program knows %d",
                       checkpoint->path, (unsigned)get_number(bytes + 8, 4), VERSION);
    if (vt_crc32c(0, bytes, length - 4) != (uint32_t)get_number(bytes + length - 4, 4))
        return damaged(checkpoint, "its checksum is wrong", error);
    checkpoint->json_length = (size_t)get_number(bytes + 12, 4);
    uint64_t count = get_number(bytes + 16, 8);
    if (checkpoint->json_length > length - 4 - HEADER_BYTES || count > ARRAYS)
        return damaged(checkpoint, "it ends too early", error);
    checkpoint->json = (const char *)bytes + HEADER_BYTES;
    checkpoint->count = (size_t)count;
    checkpoint->entries = vt_calloc(checkpoint->count + 1, sizeof(entry));
    if (checkpoint->entries == NULL)
        return vt_fail_memory(error, "a checkpoint");
    return read_entries(checkpoint, HEADER_BYTES + checkpoint->json_length, length - 4, error);
}

vt_status vt_checkpoint_open(const char *path, vt_checkpoint **out, vt_error *error)
{
    vt_checkpoint *checkpoint = vt_calloc(1, sizeof(*checkpoint));
    if (checkpoint == NULL)
        return vt_fail_memory(error, "a checkpoint");
    checkpoint->path = vt_strdup(path);
    vt_status status = checkpoint->path == NULL
                           ? vt_fail_memory(error, "a checkpoint")
                           : vt_mapping_open(path, FILE_BYTES, &checkpoint->file, error);
    if (status == VT_OK)
        status = parse(checkpoint, error);
    if (status != VT_OK) {
        vt_checkpoint_close(checkpoint);
        return status;
    }
    *out = checkpoint;
    return VT_OK;
}

void vt_checkpoint_close(vt_checkpoint *checkpoint)
{
    if (checkpoint == NULL)
        return;
    vt_mapping_close(&checkpoint->file);
    vt_free(checkpoint->entries);
    vt_free(checkpoint->path);
    vt_free(checkpoint);
}

const char *vt_checkpoint_json(const vt_checkpoint *checkpoint, size_t *length)
{
    *length = checkpoint->json_length;
    return checkpoint->json;
}

static const entry *find(const vt_checkpoint *checkpoint, const char *name)
{
    size_t length = strlen(name);
    for (size_t i = 0; i < checkpoint->count; i++)
        if (checkpoint->entries[i].name_length == length &&
            memcmp(checkpoint->entries[i].name, name, length) == 0)
            return &checkpoint->entries[i];
    return NULL;
}

bool vt_checkpoint_has(const vt_checkpoint *checkpoint, const char *name)
{
    return find(checkpoint, name) != NULL;
}

vt_status vt_checkpoint_read(const vt_checkpoint *checkpoint, const vt_checkpoint_array *array,
                             vt_error *error)
{
    const entry *one = find(checkpoint, array->name);
    if (one == NULL || one->count != array->count)
        return vt_fail(error, VT_ERR_MISMATCH,
                       "read checkpoint \"%s\": it has %zu values of \"%s\", the network %zu",
                       checkpoint->path, one != NULL ? one->count : 0, array->name, array->count);
    memcpy(array->value, one->values, array->count * sizeof(float));
    return VT_OK;
}
