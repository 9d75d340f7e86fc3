/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A random rotation that is quick to apply. Internal to this folder. See rotation.c.
 *
 * Threads: a rotation is constant once made.
 */
#ifndef VT_INDEX_ROTATION_H
#define VT_INDEX_ROTATION_H

#include "base/status.h"

#include <stddef.h>
#include <stdint.h>

enum { VT_ROTATION_ROUNDS = 4 };

typedef struct vt_rotation {
    size_t width;    /* elements, a multiple of 64 */
    size_t part;     /* the largest power of two within */
    uint32_t *signs; /* (rounds, width) 0 or the sign bit; owned */
} vt_rotation;

vt_status vt_rotation_init(vt_rotation *rotation, size_t width, uint64_t seed, vt_error *error);
void vt_rotation_deinit(vt_rotation *rotation);                     /* a zeroed one is fine */
void vt_rotation_apply(const vt_rotation *rotation, float *vector); /* (width), in place */

#endif
