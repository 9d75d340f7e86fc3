/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the two decoders share: limits and crop checked on the header, and how far a picture may be
 * scaled while it is decoded.
 *
 * Order of use: read the header, vt_decode_plan_init, vt_decode_plan_shrink, decode; then
 * vt_decode_plan_area says which part of what came out is the answer.
 *
 * Threads: no shared state.
 */
#ifndef VT_IMAGE_DECODE_H
#define VT_IMAGE_DECODE_H

#include "image/image.h"

typedef enum vt_picture_format {
    VT_PICTURE_JPEG,
    VT_PICTURE_PNG,
    VT_PICTURE_GIF,
    VT_PICTURE_WEBP,
    VT_PICTURE_TIFF,
    VT_PICTURE_HEIF, /* HEIC and AVIF */
} vt_picture_format;

typedef struct vt_decode_plan {
    const char *format; /* name for messages */
    int orientation;
    int full_width, full_height;     /* upright */
    int stored_width, stored_height; /* the same, as the file holds it */
    vt_rect crop;                    /* stored, full pixels, never empty */
    int fit_width, fit_height;       /* stored */
} vt_decode_plan;

/* VT_ERR_LIMIT: too many pixels; VT_ERR_USAGE: crop outside the picture. */
vt_status vt_decode_plan_init(vt_decode_plan *plan, const char *format, int stored_width,
                              int stored_height, int orientation, const vt_decode_options *options,
                              vt_error *error);

/* 1, 2, 4 or 8: the picture may be decoded at this fraction and the crop still covers the fit size.
 */
int vt_decode_plan_shrink(const vt_decode_plan *plan);

/* The crop in the stored pixels of a picture that was decoded to this size, where a stored pixel of
 * the file measures scale_x by scale_y; at least 1x1. */
vt_rect vt_decode_plan_area(const vt_decode_plan *plan, int width, int height, double scale_x,
                            double scale_y);
bool vt_decode_plan_covers(const vt_decode_plan *plan, vt_rect area); /* the fit size */

/* `bytes` start with the format's signature and are within maximum_bytes. */
vt_status vt_decode_jpeg(const uint8_t *bytes, size_t length, const vt_decode_options *options,
                         vt_image *out, vt_error *error);
vt_status vt_decode_vips(vt_picture_format format, const uint8_t *bytes, size_t length,
                         const vt_decode_options *options, vt_image *out, vt_error *error);

#endif
