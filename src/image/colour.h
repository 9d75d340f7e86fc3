/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Colour spaces to sRGB, through libvips and Little CMS.
 *
 * Threads: safe from any thread.
 */
#ifndef VT_IMAGE_COLOUR_H
#define VT_IMAGE_COLOUR_H

#include "image/image.h"
#include "image/vips_session.h"

/* Pixels as a file holds them. */
typedef struct vt_device_pixels {
    const uint8_t *pixels; /* (height, width, channels), borrowed */
    int width, height;
    int channels;       /* 1 grey, 3 RGB, 4 CMYK (0: no ink) */
    const uint8_t *icc; /* borrowed; NULL: none */
    size_t icc_length;
} vt_device_pixels;

/* Writes sRGB to `rgb` (height, width, 3). A profile that cannot be used is ignored; CMYK without
 * one is taken for ordinary offset print. */
vt_status vt_colour_to_srgb(const vt_device_pixels *device, uint8_t *rgb, vt_error *error);

/* A pipeline step for pictures that libvips has opened: whatever space they are in becomes 8-bit
 * sRGB of three bands, alpha flattened over white. Consumes and replaces *image on success. */
bool vt_colour_flatten(VipsImage **image);

#endif
