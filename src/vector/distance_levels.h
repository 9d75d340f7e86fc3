/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the files distance_<level>.c give to distance.c: one table each, and the few lines that all
 * levels must do alike. Internal to this folder.
 *
 * Threads: constants only.
 */
#ifndef VT_VECTOR_DISTANCE_LEVELS_H
#define VT_VECTOR_DISTANCE_LEVELS_H

#include "vector/distance.h"

#include <math.h>

extern const vt_distance_table vt_distance_table_scalar;
#if defined(__x86_64__)
extern const vt_distance_table vt_distance_table_avx2;
extern const vt_distance_table vt_distance_table_avx512;
#elif defined(__aarch64__)
extern const vt_distance_table vt_distance_table_neon;
#endif

/* The product of the squared lengths is taken in double: in float it would leave the range for
 * vectors that are themselves harmless. Rounding may pass 1 by an ulp; NaN passes through. */
static inline float vt_cosine_from_sums(float dot, float aa, float bb)
{
    if (aa == 0.0f || bb == 0.0f)
        return 0.0f;
    double cosine = (double)dot / sqrt((double)aa * (double)bb);
    if (cosine > 1.0)
        return 1.0f;
    if (cosine < -1.0)
        return -1.0f;
    return (float)cosine;
}

#endif
