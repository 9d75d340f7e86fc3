/* SPDX-License-Identifier: Apache-2.0 */
/*
 * libvips, set up once for the process and asked in a way that fits a server: no operation cache,
 * no worker threads, no untrusted loaders, nothing printed, errors taken as text.
 *
 *     vt_vips_call call;
 *     status = vt_vips_begin(&call, error);      // sets libvips up on first use
 *     ... vips_*() ...
 *     status = vt_vips_fail(&call, VT_ERR_FORMAT, "decode png", error);   // when one failed
 *     vt_vips_end(&call);                        // always, after a begin that succeeded
 *
 * Threads: safe from any thread; a call belongs to one thread.
 */
#ifndef VT_IMAGE_VIPS_SESSION_H
#define VT_IMAGE_VIPS_SESSION_H

#include <vips/vips.h>

#include "base/status.h"

typedef struct vt_vips_call {
    unsigned overlaps_at_begin;
    bool overlapped;
} vt_vips_call;

vt_status vt_vips_begin(vt_vips_call *call, vt_error *error);
void vt_vips_end(vt_vips_call *call);

/* Fills *error with `<action>: <what libvips said>` and clears libvips' message. A message that
 * says "unsupported" turns the status to VT_ERR_UNSUPPORTED, one about memory to VT_ERR_NO_MEMORY.
 */
vt_status vt_vips_fail(const vt_vips_call *call, vt_status status, const char *action,
                       vt_error *error);

/* Replaces *image (whose reference it consumes) by `next`, the way pipelines grow. */
void vt_vips_step(VipsImage **image, VipsImage *next);

/* Computes the picture (3 bands of uchar) into `rgb` (height, width, 3), top to bottom, in the
 * calling thread. False when libvips failed. */
bool vt_vips_read_rgb(VipsImage *image, uint8_t *rgb);

#endif
