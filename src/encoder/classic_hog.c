/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Shape of the classic descriptor: histograms of oriented gradients (Dalal and Triggs, CVPR 2005),
 * unsigned, 9 orientations, bilinear in orientation and position.
 *
 * Departures: blocks of 2x2 cells lie side by side instead of overlapping, a quarter of the numbers
 * for nearly the same answers in retrieval, where there is no sliding window to serve.
 */
#include "encoder/classic.h"

#include <math.h>
#include <string.h>

enum {
    SIDE = VT_CLASSIC_SIDE_PX,
    CELLS = VT_CLASSIC_CELLS,
    ORIENTATIONS = VT_CLASSIC_ORIENTATIONS,
    CELL_PX = SIDE / CELLS,
};

static void vote(float *cells, int x, int y, float angle, float magnitude)
{
    float cx = ((float)x + 0.5f) / CELL_PX - 0.5f, cy = ((float)y + 0.5f) / CELL_PX - 0.5f;
    float orientation = angle * (float)(ORIENTATIONS / M_PI); /* 0..ORIENTATIONS */
    int x0 = (int)floorf(cx), y0 = (int)floorf(cy), o0 = (int)orientation;
    float fx = cx - (float)x0, fy = cy - (float)y0, fo = orientation - (float)o0;
    for (int j = 0; j < 2; j++)
        for (int i = 0; i < 2; i++) {
            int col = x0 + i, row = y0 + j;
            if (col < 0 || row < 0 || col >= CELLS || row >= CELLS)
                continue;
            float share = magnitude * (i ? fx : 1.0f - fx) * (j ? fy : 1.0f - fy);
            float *cell = cells + (row * CELLS + col) * ORIENTATIONS;
            cell[o0 % ORIENTATIONS] += share * (1.0f - fo);
            cell[(o0 + 1) % ORIENTATIONS] += share * fo;
        }
}

/* L2-Hys over one block: length 1, clipped at 0.2, length 1 again. */
static void normalize_block(float *cells, int column, int row)
{
    float *parts[4];
    for (int i = 0; i < 4; i++)
        parts[i] = cells + ((row + i / 2) * CELLS + column + i % 2) * ORIENTATIONS;
    for (int pass = 0; pass < 2; pass++) {
        float square = 1e-4f;
        for (int i = 0; i < 4; i++)
            for (int o = 0; o < ORIENTATIONS; o++)
                square += parts[i][o] * parts[i][o];
        float scale = 1.0f / sqrtf(square);
        for (int i = 0; i < 4; i++)
            for (int o = 0; o < ORIENTATIONS; o++)
                parts[i][o] = fminf(parts[i][o] * scale, pass == 0 ? 0.2f : 1.0f);
    }
}

void vt_classic_hog(const vt_classic_picture *picture, float *out)
{
    memset(out, 0, VT_CLASSIC_HOG * sizeof(float));
    const float *grey = picture->grey;
    for (int y = 1; y < SIDE - 1; y++)
        for (int x = 1; x < SIDE - 1; x++) {
            const float *p = grey + y * SIDE + x;
            float dx = p[1] - p[-1], dy = p[SIDE] - p[-SIDE];
            float magnitude = sqrtf(dx * dx + dy * dy);
            if (magnitude < 1e-6f)
                continue;
            float angle = atan2f(dy, dx);
            if (angle < 0.0f)
                angle += (float)M_PI;
            vote(out, x, y, fminf(angle, 3.1415925f), magnitude * picture->weight[y * SIDE + x]);
        }
    for (int row = 0; row < CELLS; row += 2)
        for (int column = 0; column < CELLS; column += 2)
            normalize_block(out, column, row);
}
