/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The one thing of an EXIF block that changes pixels: which way is up.
 *
 * Threads: no shared state.
 */
#ifndef VT_IMAGE_EXIF_H
#define VT_IMAGE_EXIF_H

#include <stddef.h>
#include <stdint.h>

/* The orientation tag (1 to 8, as EXIF numbers them) of the TIFF structure that follows "Exif\0\0";
 * 1 when there is none or the structure is damaged: a picture is not refused for bad metadata. */
int vt_exif_orientation(const uint8_t *tiff, size_t length);

/* The same for a PNG file, whose EXIF block is a chunk of its own. `png` starts with the signature.
 */
int vt_exif_orientation_png(const uint8_t *png, size_t length);

#endif
