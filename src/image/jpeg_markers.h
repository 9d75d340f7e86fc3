/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a JPEG file says before its pixels: size, colour components, orientation, colour profile;
 * and whether its data is all there. Reads markers only, never entropy-coded data.
 *
 *     vt_jpeg_info info;
 *     vt_jpeg_info_read(bytes, length, &info, error);    // up to the first scan
 *     ... limits on info.width, info.height ...
 *     vt_jpeg_scans_check(bytes, length, &info, error);  // from there to the end
 *
 * Threads: no shared state.
 */
#ifndef VT_IMAGE_JPEG_MARKERS_H
#define VT_IMAGE_JPEG_MARKERS_H

#include "base/status.h"

enum {
    VT_JPEG_ICC_PARTS = 255,
    VT_JPEG_ICC_BYTES = 4 << 20, /* larger profiles are ignored */
    VT_JPEG_MAXIMUM_SCANS = 100, /* encoders write about 10; each costs a pass over the picture */
};

typedef struct vt_jpeg_span {
    size_t offset, length;
} vt_jpeg_span;

typedef struct vt_jpeg_info {
    int width, height; /* as stored, both > 0 */
    int components;    /* 1 grey, 3 YCbCr or RGB, 4 CMYK or YCCK */
    bool arithmetic;   /* arithmetic coded, otherwise Huffman */
    bool adobe;        /* has Adobe's marker: CMYK is stored inverted */
    int orientation;   /* EXIF, 1 to 8 */
    uint64_t blocks;   /* 8x8 blocks of the largest component */
    size_t scan_offset;
    int icc_parts; /* 0: no profile */
    vt_jpeg_span icc[VT_JPEG_ICC_PARTS];
} vt_jpeg_info;

vt_status vt_jpeg_info_read(const uint8_t *bytes, size_t length, vt_jpeg_info *out,
                            vt_error *error);

/* VT_ERR_FORMAT when the end marker is missing or there is less data than the blocks need at the
 * very least; VT_ERR_LIMIT when it has more than VT_JPEG_MAXIMUM_SCANS scans. */
vt_status vt_jpeg_scans_check(const uint8_t *bytes, size_t length, const vt_jpeg_info *info,
                              vt_error *error);

/* Puts the colour profile's parts together: *icc is the caller's (vt_free), NULL with *icc_length 0
 * when there is none or parts are missing. Fails only for lack of memory. */
vt_status vt_jpeg_icc_take(const uint8_t *bytes, const vt_jpeg_info *info, uint8_t **icc,
                           size_t *icc_length, vt_error *error);

#endif
