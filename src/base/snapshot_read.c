/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Snapshot files: reading one. docs/formats/snapshot.md has the order of the checks, and why files
 * are read instead of mapped.
 *
 * Method: the head and the table at opening, sections by pread into the caller's memory, each chunk
 * summed when it has arrived and is still in the cache.
 */
#include "base/snapshot_frame.h"

#include "base/crc32c.h"
#include "base/mem.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

struct vt_snapshot {
    char *path;
    const vt_snapshot_kind *kind;
    int fd;
    uint64_t bytes;
    snapshot_head head;
    snapshot_entry *entries; /* (head.section_count), owned */
};

void vt_snapshot_close(vt_snapshot *file)
{
    if (file == NULL)
        return;
    if (file->fd >= 0)
        close(file->fd);
    vt_free(file->path);
    vt_free(file->entries);
    vt_free(file);
}

vt_status vt_snapshot_damaged(const vt_snapshot *file, vt_error *error, const char *format, ...)
{
    char reason[256];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(reason, sizeof reason, format, arguments);
    va_end(arguments);
    return vt_fail(error, VT_ERR_CORRUPT, "read %s \"%s\": %s", file->kind->what, file->path,
                   reason);
}

static vt_status bytes_get(const vt_snapshot *file, void *bytes, size_t length, uint64_t at,
                           vt_error *error)
{
    uint8_t *to = bytes;
    while (length > 0) {
        ssize_t count = pread(file->fd, to, length, (off_t)at);
        if (count < 0 && errno == EINTR)
            continue;
        if (count < 0)
            return vt_fail_errno(error, errno, "read", file->path);
        if (count == 0)
            return vt_snapshot_damaged(file, error, "its end is missing");
        to += count;
        at += (uint64_t)count;
        length -= (size_t)count;
    }
    return VT_OK;
}

/* ---- opening ---- */

static vt_status file_open(vt_snapshot *file, uint64_t maximum_bytes, vt_error *error)
{
    struct stat info;
    file->fd = open(file->path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    if (file->fd < 0 || fstat(file->fd, &info) != 0)
        return vt_fail_errno(error, errno, "read", file->path);
    if (!S_ISREG(info.st_mode))
        return vt_snapshot_damaged(file, error, "not a regular file");
    file->bytes = (uint64_t)info.st_size;
    if (file->bytes > maximum_bytes)
        return vt_fail(error, VT_ERR_LIMIT, "read %s \"%s\": larger than %llu bytes",
                       file->kind->what, file->path, (unsigned long long)maximum_bytes);
    if (file->bytes < SNAPSHOT_HEAD_BYTES)
        return vt_snapshot_damaged(file, error, "its end is missing");
    return VT_OK;
}

static vt_status head_read(vt_snapshot *file, vt_error *error)
{
    snapshot_head *head = &file->head;
    vt_status status = bytes_get(file, head, sizeof *head, 0, error);
    if (status != VT_OK)
        return status;
    if (memcmp(head->magic, file->kind->magic, SNAPSHOT_MAGIC_BYTES) != 0)
        return vt_snapshot_damaged(file, error, "it is none");
    if (head->byte_order == __builtin_bswap32(SNAPSHOT_BYTE_ORDER))
        return vt_fail(error, VT_ERR_UNSUPPORTED, "read %s \"%s\": of the other byte order",
                       file->kind->what, file->path);
    if (head->byte_order != SNAPSHOT_BYTE_ORDER ||
        head->sum != vt_crc32c(0, head, sizeof *head - sizeof head->sum))
        return vt_snapshot_damaged(file, error, "its head does not fit its checksum");
    if (head->version == 0 || head->version > file->kind->version)
        return vt_fail(error, VT_ERR_UNSUPPORTED,
                       "read %s \"%s\": of version %u, this program knows up to %u",
                       file->kind->what, file->path, head->version, file->kind->version);
    if (head->length != file->bytes)
        return vt_snapshot_damaged(file, error, "it has %llu bytes and should have %llu",
                                   (unsigned long long)file->bytes,
                                   (unsigned long long)head->length);
    return VT_OK;
}

/* Sections lie one behind the other, the table behind them ends the file. */
static vt_status table_check(const vt_snapshot *file, vt_error *error)
{
    uint64_t at = SNAPSHOT_HEAD_BYTES;
    for (size_t i = 0; i < file->head.section_count; i++) {
        const snapshot_entry *entry = &file->entries[i];
        if (entry->offset != at || entry->length > file->head.table_at - at ||
            snapshot_filled(entry->length) > file->head.table_at - at || entry->zero != 0)
            return vt_snapshot_damaged(file, error, "section %zu lies where it cannot", i);
        at += snapshot_filled(entry->length);
    }
    return at == file->head.table_at ? VT_OK
                                     : vt_snapshot_damaged(file, error, "there is a gap in it");
}

static vt_status table_read(vt_snapshot *file, vt_error *error)
{
    const snapshot_head *head = &file->head;
    if (head->section_count > VT_SNAPSHOT_MAX_SECTIONS || head->table_at < SNAPSHOT_HEAD_BYTES ||
        head->table_at > head->length ||
        head->length - head->table_at != (uint64_t)head->section_count * SNAPSHOT_ENTRY_BYTES)
        return vt_snapshot_damaged(file, error, "its table lies where it cannot");
    size_t bytes = head->section_count * sizeof *file->entries;
    file->entries = vt_alloc(bytes);
    if (file->entries == NULL)
        return vt_fail_memory(error, "a snapshot");
    vt_status status = bytes_get(file, file->entries, bytes, head->table_at, error);
    if (status == VT_OK && vt_crc32c(0, file->entries, bytes) != head->table_sum)
        status = vt_snapshot_damaged(file, error, "its table does not fit its checksum");
    return status == VT_OK ? table_check(file, error) : status;
}

vt_status vt_snapshot_open(const char *path, const vt_snapshot_kind *kind, uint64_t maximum_bytes,
                           vt_snapshot **out, vt_error *error)
{
    vt_snapshot *file = vt_calloc(1, sizeof *file);
    if (file == NULL)
        return vt_fail_memory(error, "a snapshot");
    file->kind = kind;
    file->fd = -1;
    file->path = vt_strdup(path);
    vt_status status = file->path == NULL ? vt_fail_memory(error, "a snapshot")
                                          : file_open(file, maximum_bytes, error);
    if (status == VT_OK)
        status = head_read(file, error);
    if (status == VT_OK)
        status = table_read(file, error);
    if (status != VT_OK) {
        vt_snapshot_close(file);
        return status;
    }
    *out = file;
    return VT_OK;
}

/* ---- what is in it ---- */

vt_snapshot_head vt_snapshot_head_of(const vt_snapshot *file)
{
    return (vt_snapshot_head){file->head.change, file->head.session};
}

uint32_t vt_snapshot_version(const vt_snapshot *file)
{
    return file->head.version;
}

uint64_t vt_snapshot_bytes(const vt_snapshot *file)
{
    return file->bytes;
}

size_t vt_snapshot_sections(const vt_snapshot *file)
{
    return file->head.section_count;
}

vt_snapshot_section_info vt_snapshot_section_at(const vt_snapshot *file, size_t index)
{
    return (vt_snapshot_section_info){file->entries[index].tag, file->entries[index].length};
}

static vt_status part_read(const vt_snapshot *file, const vt_snapshot_part *part, uint64_t at,
                           uint32_t *sum, vt_error *error)
{
    uint8_t *to = part->bytes;
    for (size_t done = 0; done < part->length;) {
        size_t left = part->length - done;
        size_t take = left < SNAPSHOT_CHUNK_BYTES ? left : SNAPSHOT_CHUNK_BYTES;
        vt_status status = bytes_get(file, to + done, take, at + done, error);
        if (status != VT_OK)
            return status;
        *sum = vt_crc32c(*sum, to + done, take);
        done += take;
    }
    return VT_OK;
}

vt_status vt_snapshot_read(const vt_snapshot *file, size_t index, const vt_snapshot_part *parts,
                           size_t part_count, vt_error *error)
{
    const snapshot_entry *entry = &file->entries[index];
    uint64_t total = 0;
    for (size_t i = 0; i < part_count; i++)
        if (__builtin_add_overflow(total, (uint64_t)parts[i].length, &total))
            total = UINT64_MAX;
    if (total != entry->length)
        return vt_snapshot_damaged(file, error, "section %zu has %llu bytes and should have %llu",
                                   index, (unsigned long long)entry->length,
                                   (unsigned long long)total);
    uint8_t filling[VT_SNAPSHOT_ALIGN];
    vt_snapshot_part rest = {filling, (size_t)(snapshot_filled(total) - total)};
    uint64_t at = entry->offset;
    uint32_t sum = 0;
    vt_status status = VT_OK;
    for (size_t i = 0; status == VT_OK && i <= part_count; i++) {
        const vt_snapshot_part *part = i < part_count ? &parts[i] : &rest;
        status = part_read(file, part, at, &sum, error);
        at += part->length;
    }
    if (status == VT_OK && sum != entry->sum)
        status = vt_snapshot_damaged(file, error, "section %zu does not fit its checksum", index);
    return status;
}
