/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Texture of the classic descriptor: uniform local binary patterns, 8 neighbours at radius 1
 * (Ojala, Pietikainen and Maenpaa, PAMI 2002), 59 bins over a grid, square rooted.
 *
 * Departure: a neighbour counts as brighter only when it is so by more than the noise of an 8-bit
 * picture, so that flat studio backgrounds give one pattern instead of random ones.
 */
#include "encoder/classic.h"

#include <math.h>
#include <string.h>

enum { SIDE = VT_CLASSIC_SIDE_PX, GRID = VT_CLASSIC_LBP_GRID, BINS = VT_CLASSIC_LBP_BINS };

/* Bin of each of the 256 patterns: 58 uniform ones (at most two changes around the circle) in
 * ascending order, all others in the last. */
static void fill_bins(uint8_t bins[256])
{
    uint8_t next = 0;
    for (unsigned pattern = 0; pattern < 256; pattern++) {
        unsigned rotated = ((pattern << 1) | (pattern >> 7)) & 255u;
        bins[pattern] = __builtin_popcount(pattern ^ rotated) <= 2 ? next++ : BINS - 1;
    }
}

void vt_classic_lbp(const vt_classic_picture *picture, float *out)
{
    static const int offsets[8] = {-SIDE - 1, -SIDE, -SIDE + 1, 1, SIDE + 1, SIDE, SIDE - 1, -1};
    const float noise = 2.0f / 255.0f;
    uint8_t bins[256];
    fill_bins(bins);
    memset(out, 0, VT_CLASSIC_LBP * sizeof(float));
    for (int y = 1; y < SIDE - 1; y++)
        for (int x = 1; x < SIDE - 1; x++) {
            int at = y * SIDE + x;
            float center = picture->grey[at] + noise;
            unsigned pattern = 0;
            for (int i = 0; i < 8; i++)
                pattern |= (unsigned)(picture->grey[at + offsets[i]] > center) << i;
            int cell = (y * GRID / SIDE) * GRID + x * GRID / SIDE;
            out[cell * BINS + bins[pattern]] += picture->weight[at];
        }
    for (int i = 0; i < VT_CLASSIC_LBP; i++)
        out[i] = sqrtf(out[i]);
}
