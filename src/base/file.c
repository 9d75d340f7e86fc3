/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Whole files: bounded reading, atomic replacement, read-only mapping.
 *
 * Method: the size is asked of the open descriptor, not of the path, and is a hint only: reading
 * goes on to the true end (files of /proc report 0) and stops at the limit. Replacement follows the
 * usual order of crash-safe writers: temporary file in the same directory, write, fsync, rename,
 * fsync of the directory. A symbolic link at the path is replaced itself.
 */
#include "base/file.h"

#include "base/mem.h"

#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

/* An open regular file that is being read. */
typedef struct source {
    const char *path;
    int fd;
    size_t size;    /* as reported when it was opened */
    size_t maximum; /* bytes that may be read */
} source;

static vt_status fail_too_large(const source *from, vt_error *error)
{
    return vt_fail(error, VT_ERR_LIMIT, "read \"%s\": larger than %zu bytes", from->path,
                   from->maximum);
}

static vt_status source_open(const char *path, size_t maximum, source *out, vt_error *error)
{
    /* O_NONBLOCK: opening a FIFO must not wait for a writer that never comes. */
    source from = {.path = path, .maximum = maximum};
    from.fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    if (from.fd < 0)
        return vt_fail_errno(error, errno, "read", path);
    struct stat info;
    vt_status status = VT_OK;
    if (fstat(from.fd, &info) != 0)
        status = vt_fail_errno(error, errno, "read", path);
    else if (!S_ISREG(info.st_mode))
        status = vt_fail(error, VT_ERR_UNSUPPORTED, "read \"%s\": not a regular file", path);
    else if ((uintmax_t)info.st_size > maximum)
        status = fail_too_large(&from, error);
    if (status != VT_OK) {
        close(from.fd);
        return status;
    }
    from.size = (size_t)info.st_size;
    *out = from;
    return VT_OK;
}

static vt_status source_read(const source *from, void *bytes, size_t length, size_t *got,
                             vt_error *error)
{
    ssize_t count;
    do
        count = read(from->fd, bytes, length);
    while (count < 0 && errno == EINTR);
    if (count < 0)
        return vt_fail_errno(error, errno, "read", from->path);
    *got = (size_t)count;
    return VT_OK;
}

static vt_status fail_full(const source *from, const vt_buf *out, size_t more, vt_error *error)
{
    if (more > out->maximum - out->length)
        return vt_fail(error, VT_ERR_LIMIT, "read \"%s\": larger than the buffer's %zu bytes",
                       from->path, out->maximum);
    return vt_fail_memory(error, "a file's content");
}

static vt_status source_append(const source *from, vt_buf *out, vt_error *error)
{
    if (!vt_buf_reserve(out, from->size))
        return fail_full(from, out, from->size, error);
    size_t taken = 0, got = 1;
    vt_status status = VT_OK;
    while (taken < from->size && got > 0) {
        status = source_read(from, out->data + out->length, from->size - taken, &got, error);
        if (status != VT_OK)
            return status;
        out->length += got;
        taken += got;
    }
    out->data[out->length] = '\0';
    /* What follows the reported size: nearly always nothing, hence not read into `out`, where room
     * for it could double a large buffer. */
    char more[4096];
    while (got > 0 || from->size == 0) {
        status = source_read(from, more, sizeof more, &got, error);
        if (status != VT_OK || got == 0)
            return status;
        if (got > from->maximum - taken)
            return fail_too_large(from, error);
        if (!vt_buf_append(out, more, got))
            return fail_full(from, out, got, error);
        taken += got;
    }
    return VT_OK;
}

vt_status vt_file_read(const char *path, size_t maximum_bytes, vt_buf *out, vt_error *error)
{
    source from = {.fd = -1};
    vt_status status = source_open(path, maximum_bytes, &from, error);
    if (status != VT_OK)
        return status;
    size_t length = out->length;
    bool failed = out->failed;
    status = source_append(&from, out, error);
    if (status != VT_OK && !failed) {
        out->length = length;
        out->failed = false;
        if (out->data)
            out->data[length] = '\0';
    }
    close(from.fd);
    return status;
}

vt_status vt_mapping_open(const char *path, size_t maximum_bytes, vt_mapping *out, vt_error *error)
{
    source from = {.fd = -1};
    vt_status status = source_open(path, maximum_bytes, &from, error);
    if (status != VT_OK)
        return status;
    void *bytes = NULL;
    if (from.size) {
        bytes = mmap(NULL, from.size, PROT_READ, MAP_PRIVATE, from.fd, 0);
        if (bytes == MAP_FAILED)
            status = vt_fail_errno(error, errno, "map", path);
    }
    if (status == VT_OK)
        *out = (vt_mapping){.bytes = bytes, .length = from.size};
    close(from.fd);
    return status;
}

void vt_mapping_close(vt_mapping *mapping)
{
    if (mapping->bytes)
        munmap((void *)(uintptr_t)mapping->bytes, mapping->length);
    *mapping = (vt_mapping){0};
}

void vt_mapping_release(const vt_mapping *mapping, size_t offset, size_t length)
{
    size_t page = (size_t)sysconf(_SC_PAGESIZE);
    if (offset >= mapping->length)
        return;
    length = length < mapping->length - offset ? length : mapping->length - offset;
    size_t start = offset / page * page; /* the mapping starts on a page */
    madvise((void *)(uintptr_t)(mapping->bytes + start), offset + length - start, MADV_DONTNEED);
}

/* A new file beside `path` with the permissions that `path` has, or a new file would get. */
static vt_status temporary_create(const char *path, vt_buf *name, int *out, vt_error *error)
{
    enum { ATTEMPTS = 1000 }; /* names that a crashed process with our number left behind */
    static atomic_uint ordinal;
    for (int attempt = 0; attempt < ATTEMPTS; attempt++) {
        vt_buf_clear(name);
        if (!vt_buf_printf(name, "%s.%ld-%u.tmp", path, (long)getpid(),
                           atomic_fetch_add(&ordinal, 1)))
            return vt_fail_memory(error, "a path");
        int fd = open(name->data, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
        if (fd >= 0) {
            struct stat present;
            if (stat(path, &present) == 0 && fchmod(fd, present.st_mode & 0777) != 0) {
                vt_status status = vt_fail_errno(error, errno, "write", path);
                close(fd);
                unlink(name->data);
                return status;
            }
            *out = fd;
            return VT_OK;
        }
        if (errno != EEXIST)
            return vt_fail_errno(error, errno, "write", path);
    }
    return vt_fail(error, VT_ERR_IO, "write \"%s\": no free name for a temporary file", path);
}

/* 0 or an errno value; the descriptor is closed either way. */
static int descriptor_fill(int fd, const uint8_t *bytes, size_t length, bool durable)
{
    int code = 0;
    while (code == 0 && length > 0) {
        ssize_t count = write(fd, bytes, length);
        if (count >= 0) {
            bytes += count;
            length -= (size_t)count;
        } else if (errno != EINTR) {
            code = errno;
        }
    }
    if (code == 0 && durable && fsync(fd) != 0)
        code = errno;
    if (close(fd) != 0 && code == 0)
        code = errno;
    return code;
}

/* The directory that holds `path`; the caller's, NULL: no memory. */
static char *directory_of(const char *path)
{
    size_t length = (size_t)(vt_path_base(path) - path);
    return length ? vt_strndup(path, length) : vt_strdup(".");
}

vt_status vt_dir_sync(const char *directory, vt_error *error)
{
    vt_status status = VT_OK;
    int fd = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    /* Some file systems cannot sync a directory and say EINVAL: they need no such call. */
    if (fd < 0 || (fsync(fd) != 0 && errno != EINVAL))
        status = vt_fail_errno(error, errno, "write to disk", directory);
    if (fd >= 0)
        close(fd);
    return status;
}

vt_status vt_file_replace(const char *path, const void *bytes, size_t length, bool durable,
                          vt_error *error)
{
    vt_buf name;
    vt_buf_init(&name, 1 << 16);
    int fd = -1;
    /* Taken before anything is written: what can run out of memory must do so while the old content
     * still stands. */
    char *directory = directory_of(path);
    vt_status status = directory == NULL ? vt_fail_memory(error, "a path")
                                         : temporary_create(path, &name, &fd, error);
    if (status == VT_OK) {
        int code = descriptor_fill(fd, bytes, length, durable);
        if (code == 0 && rename(name.data, path) != 0)
            code = errno;
        if (code != 0) {
            status = vt_fail_errno(error, code, "write", path);
            unlink(name.data);
        } else if (durable) {
            status = vt_dir_sync(directory, error);
        }
    }
    vt_buf_deinit(&name);
    vt_free(directory);
    return status;
}

bool vt_file_exists(const char *path)
{
    struct stat info;
    return stat(path, &info) == 0 && S_ISREG(info.st_mode);
}
