/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Snapshot files: writing one.
 *
 * Method: front to back into `<path>.new` through one buffer, which is summed and written when it
 * is full; the table at the end, then the head, then fsync, rename, fsync of the directory.
 *
 * The temporary file has one name, so that what a crash left behind is overwritten by the next
 * attempt instead of filling the disk. It is locked (flock), for two may save at once: the second
 * is told that it is busy rather than renaming the first one's half.
 */
#include "base/snapshot_frame.h"

#include "base/buf.h"
#include "base/crc32c.h"
#include "base/file.h"
#include "base/mem.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

struct vt_snapshot_writer {
    char *path, *temporary, *directory; /* owned */
    int fd;
    snapshot_head head;
    snapshot_entry *entries; /* (head.section_count), owned */
    size_t entry_room;
    uint8_t *buffer; /* (SNAPSHOT_CHUNK_BYTES), owned */
    size_t buffered;
    uint64_t at;  /* in the file, of the buffer's first byte */
    int failure;  /* errno; 0: none */
    bool no_room; /* memory is out, or there are too many sections */
};

static void writer_free(vt_snapshot_writer *writer)
{
    if (writer->fd >= 0)
        (void)close(writer->fd);
    vt_free(writer->path);
    vt_free(writer->temporary);
    vt_free(writer->directory);
    vt_free(writer->entries);
    vt_free(writer->buffer);
    vt_free(writer);
}

void vt_snapshot_abandon(vt_snapshot_writer *writer)
{
    if (writer == NULL)
        return;
    if (writer->fd >= 0)
        unlink(writer->temporary); /* while it is locked: it is ours */
    writer_free(writer);
}

/* ---- the temporary file ---- */

/* 0, or errno; EBUSY: another writer has it. */
static int temporary_lock(vt_snapshot_writer *writer)
{
    struct stat mine, named;
    for (;;) {
        int fd = open(writer->temporary, O_WRONLY | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0666);
        if (fd < 0)
            return errno;
        int code = flock(fd, LOCK_EX | LOCK_NB) == 0 ? 0 : errno == EWOULDBLOCK ? EBUSY : errno;
        if (code == 0 && fstat(fd, &mine) != 0)
            code = errno;
        if (code == 0 && stat(writer->temporary, &named) == 0 && mine.st_dev == named.st_dev &&
            mine.st_ino == named.st_ino) {
            writer->fd = fd;
            return ftruncate(fd, 0) == 0 ? 0 : errno;
        }
        close(fd); /* it was renamed or deleted by whoever had it, between open and lock */
        if (code != 0)
            return code;
    }
}

static bool writer_names(vt_snapshot_writer *writer, const char *path)
{
    vt_buf name;
    vt_buf_init(&name, (size_t)1 << 16);
    size_t length = (size_t)(vt_path_base(path) - path);
    writer->path = vt_strdup(path);
    writer->directory = length > 0 ? vt_strndup(path, length) : vt_strdup(".");
    if (vt_buf_printf(&name, "%s.new", path))
        writer->temporary = vt_strdup(name.data);
    vt_buf_deinit(&name);
    return writer->path != NULL && writer->directory != NULL && writer->temporary != NULL;
}

vt_status vt_snapshot_create(const char *path, const vt_snapshot_kind *kind,
                             const vt_snapshot_head *head, vt_snapshot_writer **out,
                             vt_error *error)
{
    vt_snapshot_writer *writer = vt_calloc(1, sizeof *writer);
    if (writer == NULL)
        return vt_fail_memory(error, "a snapshot");
    writer->fd = -1;
    writer->buffer = vt_alloc(SNAPSHOT_CHUNK_BYTES);
    if (writer->buffer == NULL || !writer_names(writer, path)) {
        writer_free(writer);
        return vt_fail_memory(error, "a snapshot");
    }
    int code = temporary_lock(writer);
    if (code != 0) {
        vt_status status =
            code == EBUSY
                ? vt_fail(error, VT_ERR_BUSY, "write \"%s\": it is being written by another", path)
                : vt_fail_errno(error, code, "write", path);
        vt_snapshot_abandon(writer);
        return status;
    }
    memcpy(writer->head.magic, kind->magic, SNAPSHOT_MAGIC_BYTES);
    writer->head.version = kind->version;
    writer->head.byte_order = SNAPSHOT_BYTE_ORDER;
    writer->head.change = head->change;
    writer->head.session = head->session;
    writer->at = SNAPSHOT_HEAD_BYTES;
    *out = writer;
    return VT_OK;
}

/* ---- writing ---- */

static bool writer_failed(const vt_snapshot_writer *writer)
{
    return writer->failure != 0 || writer->no_room;
}

static void bytes_put(vt_snapshot_writer *writer, const void *bytes, size_t length, uint64_t at)
{
    const uint8_t *from = bytes;
    while (!writer_failed(writer) && length > 0) {
        ssize_t count = pwrite(writer->fd, from, length, (off_t)at);
        if (count < 0 && errno != EINTR)
            writer->failure = errno;
        if (count < 0)
            continue;
        from += count;
        at += (uint64_t)count;
        length -= (size_t)count;
    }
}

static void buffer_flush(vt_snapshot_writer *writer)
{
    if (writer->head.section_count > 0) {
        snapshot_entry *entry = &writer->entries[writer->head.section_count - 1];
        entry->sum = vt_crc32c(entry->sum, writer->buffer, writer->buffered);
    }
    bytes_put(writer, writer->buffer, writer->buffered, writer->at);
    writer->at += writer->buffered;
    writer->buffered = 0;
}

static void buffer_put(vt_snapshot_writer *writer, const void *bytes, size_t length)
{
    const uint8_t *from = bytes;
    while (length > 0 && !writer_failed(writer)) {
        size_t room = SNAPSHOT_CHUNK_BYTES - writer->buffered;
        size_t take = length < room ? length : room;
        memcpy(writer->buffer + writer->buffered, from, take);
        writer->buffered += take;
        from += take;
        length -= take;
        if (writer->buffered == SNAPSHOT_CHUNK_BYTES)
            buffer_flush(writer);
    }
}

static void section_end(vt_snapshot_writer *writer)
{
    static const uint8_t zeros[VT_SNAPSHOT_ALIGN];
    if (writer->head.section_count == 0)
        return;
    uint64_t length = writer->entries[writer->head.section_count - 1].length;
    buffer_put(writer, zeros, (size_t)(snapshot_filled(length) - length));
    buffer_flush(writer);
}

bool vt_snapshot_section(vt_snapshot_writer *writer, uint32_t tag)
{
    section_end(writer);
    void *entries = writer->entries;
    if (!vt_grow(&entries, &writer->entry_room, (size_t)writer->head.section_count + 1,
                 sizeof *writer->entries, VT_SNAPSHOT_MAX_SECTIONS))
        writer->no_room = true;
    writer->entries = entries;
    if (writer_failed(writer))
        return false;
    writer->entries[writer->head.section_count++] =
        (snapshot_entry){.offset = writer->at, .tag = tag};
    return true;
}

bool vt_snapshot_write(vt_snapshot_writer *writer, const void *bytes, size_t length)
{
    if (writer_failed(writer) || writer->head.section_count == 0)
        return false;
    writer->entries[writer->head.section_count - 1].length += length;
    buffer_put(writer, bytes, length);
    return !writer_failed(writer);
}

static void ends_write(vt_snapshot_writer *writer)
{
    size_t bytes = writer->head.section_count * sizeof *writer->entries;
    section_end(writer);
    writer->head.table_at = writer->at;
    writer->head.length = writer->at + bytes;
    writer->head.table_sum = vt_crc32c(0, writer->entries, bytes);
    writer->head.sum = vt_crc32c(0, &writer->head, sizeof writer->head - sizeof writer->head.sum);
    bytes_put(writer, writer->entries, bytes, writer->at);
    bytes_put(writer, &writer->head, sizeof writer->head, 0);
    if (!writer_failed(writer) && fsync(writer->fd) != 0)
        writer->failure = errno;
}

vt_status vt_snapshot_commit(vt_snapshot_writer *writer, vt_error *error)
{
    ends_write(writer);
    if (!writer_failed(writer) && rename(writer->temporary, writer->path) != 0)
        writer->failure = errno;
    vt_status status = VT_OK;
    if (writer->no_room)
        status = vt_fail_memory(error, "a snapshot");
    else if (writer->failure != 0)
        status = vt_fail_errno(error, writer->failure, "write", writer->path);
    if (status != VT_OK) {
        vt_snapshot_abandon(writer);
        return status;
    }
    status = vt_dir_sync(writer->directory, error);
    writer_free(writer);
    return status;
}
