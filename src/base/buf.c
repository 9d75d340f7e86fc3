/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Growing byte buffers.
 *
 * Method: capacity at least doubles, so that n appends cost O(n) copies, but never exceeds the
 * maximum plus the terminating NUL. An append is whole or does not happen; the first that fails
 * leaves `failed` set, so that writers need only one check at the end.
 */
#include "base/buf.h"

#include "base/mem.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

enum { FIRST_CAPACITY = 64 };

void vt_buf_init(vt_buf *buf, size_t maximum_bytes)
{
    /* One byte more than the maximum must stay a valid size. */
    *buf = (vt_buf){.maximum = maximum_bytes < PTRDIFF_MAX ? maximum_bytes : PTRDIFF_MAX - 1};
}

void vt_buf_deinit(vt_buf *buf)
{
    vt_free(buf->data);
    buf->data = NULL;
    buf->length = buf->capacity = 0;
    buf->failed = false;
}

void vt_buf_clear(vt_buf *buf)
{
    buf->length = 0;
    buf->failed = false;
    if (buf->data)
        buf->data[0] = '\0';
}

bool vt_buf_reserve(vt_buf *buf, size_t more_bytes)
{
    if (buf->failed)
        return false;
    if (more_bytes > buf->maximum - buf->length) {
        buf->failed = true;
        return false;
    }
    size_t needed = buf->length + more_bytes + 1;
    if (needed <= buf->capacity)
        return true;
    size_t wanted = buf->capacity <= buf->maximum / 2 ? buf->capacity * 2 : buf->maximum + 1;
    if (wanted < FIRST_CAPACITY)
        wanted = FIRST_CAPACITY;
    if (wanted > buf->maximum + 1)
        wanted = buf->maximum + 1;
    if (wanted < needed)
        wanted = needed;
    char *grown = vt_realloc_array(buf->data, wanted, 1);
    if (!grown) {
        buf->failed = true;
        return false;
    }
    buf->data = grown;
    buf->capacity = wanted;
    buf->data[buf->length] = '\0';
    return true;
}

bool vt_buf_append(vt_buf *buf, const void *bytes, size_t length)
{
    if (!vt_buf_reserve(buf, length))
        return false;
    if (length)
        memcpy(buf->data + buf->length, bytes, length);
    buf->length += length;
    buf->data[buf->length] = '\0';
    return true;
}

bool vt_buf_append_text(vt_buf *buf, const char *text)
{
    return vt_buf_append(buf, text, strlen(text));
}

bool vt_buf_append_char(vt_buf *buf, char c)
{
    return vt_buf_append(buf, &c, 1);
}

bool vt_buf_printf(vt_buf *buf, const char *format, ...)
{
    if (buf->failed)
        return false;
    va_list arguments, again;
    va_start(arguments, format);
    va_copy(again, arguments);
    /* Most texts fit the room that is left, so the first pass already writes. */
    size_t room = buf->data ? buf->capacity - buf->length : 0;
    int length = vsnprintf(room ? buf->data + buf->length : NULL, room, format, arguments);
    bool done = length >= 0 && vt_buf_reserve(buf, (size_t)length);
    if (done && (size_t)length >= room)
        vsnprintf(buf->data + buf->length, (size_t)length + 1, format, again);
    if (done)
        buf->length += (size_t)length;
    else if (buf->data)
        buf->data[buf->length] = '\0';
    if (!done)
        buf->failed = true;
    va_end(again);
    va_end(arguments);
    return done;
}

const char *vt_buf_text(const vt_buf *buf)
{
    return buf->data ? buf->data : "";
}

char *vt_buf_take(vt_buf *buf, size_t *length)
{
    if (!vt_buf_reserve(buf, 0))
        return NULL;
    char *taken = buf->data;
    if (length)
        *length = buf->length;
    buf->data = NULL;
    buf->length = buf->capacity = 0;
    return taken;
}

bool vt_buf_append_html(vt_buf *buf, const char *text)
{
    while (*text) {
        size_t plain = strcspn(text, "&<>\"'");
        if (!vt_buf_append(buf, text, plain))
            return false;
        text += plain;
        const char *entity = *text == '&'    ? "&amp;"
                             : *text == '<'  ? "&lt;"
                             : *text == '>'  ? "&gt;"
                             : *text == '"'  ? "&quot;"
                             : *text == '\'' ? "&#39;"
                                             : NULL;
        if (!entity)
            break;
        if (!vt_buf_append_text(buf, entity))
            return false;
        text++;
    }
    return !buf->failed;
}
