/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A sliding window over a file: read(2) behind what is held, moved to the front of the buffer when
 * the back is full, grown only when one row needs it. Memory is that of the longest row, whatever
 * the length of the file. Pipes work too: nothing is ever read twice.
 */
#include "ingest/feed_window.h"

#include "base/mem.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { WINDOW_START_BYTES = 256 << 10 };

vt_status vt_window_open(vt_window *window, const char *path, size_t maximum, vt_error *error)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    struct stat info;
    if (fd < 0)
        return vt_fail_errno(error, errno, "open feed", path);
    if (fstat(fd, &info) != 0) {
        vt_status status = vt_fail_errno(error, errno, "open feed", path);
        close(fd);
        return status;
    }
    size_t capacity = maximum < WINDOW_START_BYTES ? maximum : WINDOW_START_BYTES;
    uint8_t *buffer = vt_alloc(capacity);
    if (!buffer) {
        close(fd);
        return vt_fail_memory(error, "a feed window");
    }
    *window = (vt_window){.bytes = buffer,
                          .fd = fd,
                          .buffer = buffer,
                          .capacity = capacity,
                          .maximum = maximum,
                          .total = S_ISREG(info.st_mode) ? (uint64_t)info.st_size : 0};
    return VT_OK;
}

void vt_window_open_bytes(vt_window *window, const void *bytes, size_t length)
{
    *window = (vt_window){
        .bytes = bytes, .length = length, .fd = -1, .ended = true, .total = (uint64_t)length};
}

void vt_window_close(vt_window *window)
{
    if (window->fd >= 0 && window->buffer)
        close(window->fd);
    vt_free(window->buffer);
    *window = (vt_window){.fd = -1};
}

/* Room behind what is held, by moving it to the front or by growing. */
static vt_status window_make_room(vt_window *window, vt_error *error)
{
    size_t front = (size_t)(window->bytes - window->buffer);
    if (front + window->length < window->capacity)
        return VT_OK;
    if (front > 0) {
        memmove(window->buffer, window->bytes, window->length);
        window->bytes = window->buffer;
        return VT_OK;
    }
    if (window->capacity >= window->maximum)
        return vt_fail(error, VT_ERR_LIMIT, "read feed: row is longer than %zu bytes",
                       window->maximum);
    size_t capacity =
        window->capacity > window->maximum / 2 ? window->maximum : window->capacity * 2;
    uint8_t *buffer = vt_realloc_array(window->buffer, capacity, 1);
    if (!buffer)
        return vt_fail_memory(error, "a feed window");
    window->buffer = buffer;
    window->bytes = buffer;
    window->capacity = capacity;
    return VT_OK;
}

vt_status vt_window_more(vt_window *window, bool *grew, vt_error *error)
{
    if (window->ended) {
        *grew = false;
        return VT_OK;
    }
    vt_status status = window_make_room(window, error);
    if (status != VT_OK)
        return status;
    size_t front = (size_t)(window->bytes - window->buffer);
    uint8_t *tail = window->buffer + front + window->length;
    ssize_t got;
    do
        got = read(window->fd, tail, window->capacity - front - window->length);
    while (got < 0 && errno == EINTR);
    if (got < 0)
        return vt_fail_errno(error, errno, "read", "feed");
    window->ended = got == 0;
    window->length += (size_t)got;
    *grew = got > 0;
    return VT_OK;
}

vt_status vt_window_need(vt_window *window, size_t length, vt_error *error)
{
    bool grew = true;
    while (window->length < length && grew) {
        vt_status status = vt_window_more(window, &grew, error);
        if (status != VT_OK)
            return status;
    }
    return VT_OK;
}

void vt_window_skip(vt_window *window, size_t count)
{
    window->bytes += count;
    window->length -= count;
    window->consumed += count;
}

vt_status vt_window_skip_line(vt_window *window, vt_error *error)
{
    for (;;) {
        size_t i = 0;
        while (i < window->length && window->bytes[i] != '\n' && window->bytes[i] != '\r')
            i++;
        if (i == window->length) {
            bool grew;
            vt_window_skip(window, i);
            vt_status status = vt_window_more(window, &grew, error);
            if (status != VT_OK || !grew)
                return status;
            continue;
        }
        bool carriage_return = window->bytes[i] == '\r';
        vt_window_skip(window, i + 1);
        if (carriage_return) {
            vt_status status = vt_window_need(window, 1, error);
            if (status != VT_OK)
                return status;
            if (window->length > 0 && window->bytes[0] == '\n')
                vt_window_skip(window, 1);
        }
        return VT_OK;
    }
}

double vt_window_position(const vt_window *window)
{
    if (window->total == 0)
        return 0;
    double share = (double)window->consumed / (double)window->total;
    return share > 1 ? 1 : share;
}
