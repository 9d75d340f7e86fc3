/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Is a colour profile sRGB? Most embedded profiles are, and then no conversion is due.
 *
 * Threads: no shared state.
 */
#ifndef VT_IMAGE_ICC_H
#define VT_IMAGE_ICC_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* True when the RGB or grey profile maps every 8-bit value to within two levels of what sRGB means
 * by it; false for anything else, damaged profiles included. */
bool vt_icc_is_srgb(const uint8_t *icc, size_t length);

#endif
