/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Growing byte buffers with a hard maximum from birth, and strings over them.
 *
 *     vt_buf text;
 *     vt_buf_init(&text, 1 << 20);
 *     vt_buf_printf(&text, "%zu products", count);
 *     if (text.failed) ...       // one check at the end: after a failure appends do nothing
 *     vt_buf_deinit(&text);
 *
 * The content is always followed by a NUL that `length` does not count, so text.data is a C string
 * (never NULL once something was appended; use vt_buf_text() when it may be empty).
 *
 * Threads: a buffer belongs to one thread at a time.
 */
#ifndef VT_BASE_BUF_H
#define VT_BASE_BUF_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct vt_buf {
    char *data;    /* owned */
    size_t length; /* bytes in use */
    size_t capacity;
    size_t maximum; /* length never exceeds it */
    bool failed;    /* an append ran out of memory or over the maximum */
} vt_buf;

void vt_buf_init(vt_buf *buf, size_t maximum_bytes);
void vt_buf_deinit(vt_buf *buf);
void vt_buf_clear(vt_buf *buf);                      /* length 0, failed false, memory kept */
bool vt_buf_reserve(vt_buf *buf, size_t more_bytes); /* room for so many more without moving */
bool vt_buf_append(vt_buf *buf, const void *bytes, size_t length);
bool vt_buf_append_text(vt_buf *buf, const char *text);
bool vt_buf_append_char(vt_buf *buf, char c);
bool vt_buf_printf(vt_buf *buf, const char *format, ...) __attribute__((format(printf, 2, 3)));
const char *vt_buf_text(const vt_buf *buf);     /* borrowed; "" when empty */
char *vt_buf_take(vt_buf *buf, size_t *length); /* the caller's, vt_free; the buffer is empty again;
                                                   NULL when `failed`; length may be NULL */
bool vt_buf_append_html(vt_buf *buf, const char *text); /* & < > " ' escaped */
bool vt_buf_append_base64(vt_buf *buf, const void *bytes, size_t length);
/* The bytes that strict, padded base64 stands for (base64.c); false and nothing appended when it is
 * malformed, out of memory or over the maximum. */
bool vt_buf_append_unbase64(vt_buf *buf, const char *text, size_t length);

/* Text helpers that need no buffer. */
bool vt_utf8_valid(const char *text,
                   size_t length);                /* strict: no overlong, surrogate, > U+10FFFF */
bool vt_text_equal(const char *a, const char *b); /* both may be NULL */
bool vt_text_equal_nocase(const char *a, const char *b); /* ASCII case only */
bool vt_text_ends_nocase(const char *text, const char *ending);
size_t vt_text_trim(const char **text, size_t length);    /* skips ASCII white space at both ends */
void vt_hex(const void *bytes, size_t length, char *out); /* out: 2 * length + 1 */
bool vt_unhex(const char *hex, void *bytes, size_t length); /* exactly 2 * length digits */
bool vt_parse_double(const char *text, size_t length,
                     double *value); /* whole text, finite, locale-free */
bool vt_parse_int(const char *text, int64_t minimum, int64_t maximum,
                  int64_t *value); /* whole text, decimal */

#endif
