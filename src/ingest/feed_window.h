/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A sliding window over a file or over bytes in memory: the reader looks at `bytes`, asks for more
 * when what it wants is not whole yet, and skips what it is done with. Nothing that was not skipped
 * is lost, so a reader that took a wrong turn can start again at the beginning of the window.
 *
 *     while (!found(window.bytes, window.length))
 *         if (vt_window_more(&window, &grew, error) != VT_OK || !grew) ...
 *     vt_window_skip(&window, used);
 *
 * Threads: a window belongs to one thread at a time.
 */
#ifndef VT_INGEST_FEED_WINDOW_H
#define VT_INGEST_FEED_WINDOW_H

#include "base/status.h"

typedef struct vt_window {
    const uint8_t *bytes; /* (length) not skipped yet; moves with every call */
    size_t length;
    int fd;          /* owned; -1: memory */
    uint8_t *buffer; /* owned; NULL: memory */
    size_t capacity, maximum;
    bool ended;        /* nothing follows what is in the window */
    uint64_t consumed; /* bytes skipped so far */
    uint64_t total;    /* bytes of the source, 0 when unknown (pipes) */
} vt_window;

/* The window may grow to `maximum` bytes. */
vt_status vt_window_open(vt_window *window, const char *path, size_t maximum, vt_error *error);
void vt_window_open_bytes(vt_window *window, const void *bytes, size_t length); /* borrowed */
void vt_window_close(vt_window *window);
/* Reads on. *grew: the window has more bytes than before; false at the end of the source.
 * VT_ERR_LIMIT when the window is at its maximum. */
vt_status vt_window_more(vt_window *window, bool *grew, vt_error *error);
/* Reads until the window holds `length` bytes or the source has ended. */
vt_status vt_window_need(vt_window *window, size_t length, vt_error *error);
void vt_window_skip(vt_window *window, size_t count); /* count <= length */
/* Skips through the next line end (LF, CR LF or CR), however far it is. */
vt_status vt_window_skip_line(vt_window *window, vt_error *error);
double vt_window_position(const vt_window *window); /* share skipped, 0..1; 0 when unknown */

#endif
