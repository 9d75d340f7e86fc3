/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The kernels for blocks of 4-bit codes for 64-bit ARM: TBL looks up 16 bytes, one group at a time,
 * and additions that widen spare the detour that x86 takes.
 */
#include <arm_neon.h>

#include "vector/fastscan_levels.h"

static void sums(const uint8_t *tables, const uint8_t *codes, size_t groups, uint16_t *out)
{
    uint16x8_t sum[4] = {vdupq_n_u16(0), vdupq_n_u16(0), vdupq_n_u16(0), vdupq_n_u16(0)};
    for (size_t at = 0; at < groups * VT_FASTSCAN_GROUP_BYTES; at += VT_FASTSCAN_GROUP_BYTES) {
        uint8x16_t both = vld1q_u8(codes + at), table = vld1q_u8(tables + at);
        uint8x16_t first = vqtbl1q_u8(table, vandq_u8(both, vdupq_n_u8(15)));
        uint8x16_t second = vqtbl1q_u8(table, vshrq_n_u8(both, 4));
        sum[0] = vaddw_u8(sum[0], vget_low_u8(first));
        sum[1] = vaddw_high_u8(sum[1], first);
        sum[2] = vaddw_u8(sum[2], vget_low_u8(second));
        sum[3] = vaddw_high_u8(sum[3], second);
    }
    for (size_t i = 0; i < 4; i++)
        vst1q_u16(out + 8 * i, sum[i]);
}

static uint32_t estimate(const uint16_t *sums, const float *factors, const vt_fastscan_line *line,
                         float *out)
{
    const float *scales = factors, *adds = scales + VT_FASTSCAN_BLOCK;
    const float *errors = adds + VT_FASTSCAN_BLOCK;
    const uint32x4_t bits = {1, 2, 4, 8};
    uint32_t passing = 0;
    for (size_t i = 0; i < VT_FASTSCAN_BLOCK; i += 4) {
        float32x4_t sum = vcvtq_f32_u32(vmovl_u16(vld1_u16(sums + i)));
        float32x4_t scale = vld1q_f32(scales + i);
        float32x4_t product = vfmaq_n_f32(vdupq_n_f32(line->base), sum, line->step);
        float32x4_t fixed = vaddq_f32(vdupq_n_f32(line->origin), vld1q_f32(adds + i));
        float32x4_t score = vfmaq_f32(fixed, scale, product);
        float32x4_t more =
            vfmaq_n_f32(vmulq_n_f32(scale, line->slack), vld1q_f32(errors + i), line->spread);
        uint32x4_t reach = vcgeq_f32(vaddq_f32(score, more), vdupq_n_f32(line->threshold));
        vst1q_f32(out + i, score);
        passing |= vaddvq_u32(vandq_u32(reach, bits)) << i;
    }
    return passing;
}

const vt_fastscan_table vt_fastscan_table_neon = {.sums = sums, .estimate = estimate};
