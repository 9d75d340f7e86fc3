/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The kernels for blocks of 4-bit codes in plain C: what they mean, without any speed.
 */
#include "vector/fastscan_levels.h"

static void sums(const uint8_t *tables, const uint8_t *codes, size_t groups, uint16_t *out)
{
    for (size_t i = 0; i < VT_FASTSCAN_BLOCK; i++) {
        unsigned sum = 0;
        for (size_t g = 0; g < groups; g++) {
            unsigned both = codes[g * VT_FASTSCAN_GROUP_BYTES + i % 16];
            sum += tables[g * VT_FASTSCAN_ENTRIES + (i < 16 ? both & 15u : both >> 4)];
        }
        out[i] = (uint16_t)sum;
    }
}

static uint32_t estimate(const uint16_t *sums, const float *factors, const vt_fastscan_line *line,
                         float *out)
{
    const float *scales = factors, *adds = scales + VT_FASTSCAN_BLOCK;
    const float *errors = adds + VT_FASTSCAN_BLOCK;
    uint32_t passing = 0;
    for (size_t i = 0; i < VT_FASTSCAN_BLOCK; i++) {
        float product = line->base + line->step * (float)sums[i];
        out[i] = (line->origin + adds[i]) + scales[i] * product;
        float high = out[i] + (scales[i] * line->slack + errors[i] * line->spread);
        passing |= (uint32_t)(high >= line->threshold) << i;
    }
    return passing;
}

const vt_fastscan_table vt_fastscan_table_scalar = {.sums = sums, .estimate = estimate};
