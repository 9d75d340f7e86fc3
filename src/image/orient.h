/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Turning stored pixels upright, and cutting in the same pass. Orientations are EXIF's 1 to 8; the
 * stored picture is what the file holds, the upright one is what people see.
 *
 * Threads: no shared state.
 */
#ifndef VT_IMAGE_ORIENT_H
#define VT_IMAGE_ORIENT_H

#include "image/image.h"

typedef struct vt_stored {
    const uint8_t *pixels; /* (height, width, channels) without padding, borrowed */
    int width, height, channels;
    int orientation;
} vt_stored;

bool vt_orient_swaps(int orientation); /* upright width is the stored height */

/* The stored rectangle that shows up at `upright` (not empty, inside the upright picture). */
vt_rect vt_orient_to_stored(vt_rect upright, int orientation, int stored_width, int stored_height);

/* Writes the stored rectangle `area`, turned upright, to `out` (its upright height, width,
 * channels). */
void vt_orient_copy(const vt_stored *stored, vt_rect area, uint8_t *out);

#endif
