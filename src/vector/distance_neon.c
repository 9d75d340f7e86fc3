/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The kernels for 64-bit ARM, 4 floats a register. Half precision is only converted, never computed
 * with: sums are kept in f32 as everywhere. The loops are in distance_template.h.
 */
#include <arm_neon.h>
#include <stddef.h>
#include <stdint.h>

typedef float32x4_t vec;

/* 16 of 32 registers hold sums, 4 the rows; more would not speed up the two multiply-adds a cycle.
 */
enum { LANES = 4, TILE_QUERIES = 4, TILE_ROWS = 4, SIDE = 4, AHEAD_BYTES = 2048 };

static inline vec vec_zero(void)
{
    return vdupq_n_f32(0.0f);
}

static inline vec vec_add(vec a, vec b)
{
    return vaddq_f32(a, b);
}

static inline vec vec_sub(vec a, vec b)
{
    return vsubq_f32(a, b);
}

static inline vec vec_fma(vec a, vec b, vec c)
{
    return vfmaq_f32(c, a, b);
}

static inline vec vec_load_f32(const float *from)
{
    return vld1q_f32(from);
}

static inline vec vec_load_f16(const uint16_t *from)
{
    return vcvt_f32_f16(vreinterpret_f16_u16(vld1_u16(from)));
}

static inline vec vec_part_f32(const float *from, size_t n)
{
    vec v = vdupq_n_f32(0.0f);
    if (n > 0)
        v = vld1q_lane_f32(from, v, 0);
    if (n > 1)
        v = vld1q_lane_f32(from + 1, v, 1);
    if (n > 2)
        v = vld1q_lane_f32(from + 2, v, 2);
    return v;
}

static inline vec vec_part_f16(const uint16_t *from, size_t n)
{
    uint16x4_t v = vdup_n_u16(0);
    if (n > 0)
        v = vld1_lane_u16(from, v, 0);
    if (n > 1)
        v = vld1_lane_u16(from + 1, v, 1);
    if (n > 2)
        v = vld1_lane_u16(from + 2, v, 2);
    return vcvt_f32_f16(vreinterpret_f16_u16(v));
}

static inline void vec_store_f32(float *to, vec v)
{
    vst1q_f32(to, v);
}

static inline void vec_store_f16(uint16_t *to, vec v)
{
    vst1_u16(to, vreinterpret_u16_f16(vcvt_f16_f32(v)));
}

static inline float vec_sum(vec v)
{
    return vaddvq_f32(v);
}

/* vaddvq_f32 adds neighbours, then the two sums: so do two rounds of pairwise additions. */
static inline void vec_sum4(vec a, vec b, vec c, vec d, float out[4])
{
    vst1q_f32(out, vpaddq_f32(vpaddq_f32(a, b), vpaddq_f32(c, d)));
}

#include "vector/distance_template.h"

VT_DISTANCE_TABLE(vt_distance_table_neon);
