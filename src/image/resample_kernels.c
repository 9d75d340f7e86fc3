/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The inner loops of resampling.
 *
 * Method: plain loops over fixed groups that the compiler turns into vector code. The build
 * compiles this file once per processor level (VT_RESAMPLE_LEVEL names the table), each with that
 * level's instruction set; the plain build is the scalar specification. All levels do the same
 * operations in the same order and so give the same bits.
 *
 * The horizontal pass loads four floats per pixel of three: the fourth belongs to the next pixel
 * and lands in the spare lane of the output. That keeps one multiply-add per tap and pixel without
 * first spreading the row to four channels.
 */
#include <string.h>

#include "image/resample.h"

#ifndef VT_RESAMPLE_LEVEL
#define VT_RESAMPLE_LEVEL vt_resample_kernels_scalar
#endif

/* GCC's and clang's vector extension: four floats side by side on any processor. */
typedef float lanes4 __attribute__((vector_size(16)));

static inline lanes4 lanes4_load(const float *from)
{
    lanes4 lanes;
    memcpy(&lanes, from, sizeof lanes);
    return lanes;
}

static void rows_start(const uint8_t *source, float weight, size_t count, float *restrict out)
{
    for (size_t i = 0; i < count; i++)
        out[i] = weight * (float)source[i];
}

static void rows_add(const uint8_t *source, float weight, size_t count, float *restrict out)
{
    for (size_t i = 0; i < count; i++)
        out[i] += weight * (float)source[i];
}

/* Four rows at once, so that `out` is read and written once for four taps. */
static void rows_add4(const uint8_t *restrict source, size_t stride, const float *weights,
                      size_t count, float *restrict out)
{
    const uint8_t *a = source, *b = a + stride, *c = b + stride, *d = c + stride;
    float wa = weights[0], wb = weights[1], wc = weights[2], wd = weights[3];
    for (size_t i = 0; i < count; i++) {
        out[i] = out[i] + wa * (float)a[i] + wb * (float)b[i] + wc * (float)c[i] + wd * (float)d[i];
    }
}

static void vertical(const uint8_t *source, size_t stride, const float *weights, int taps,
                     size_t count, float *out)
{
    rows_start(source, weights[0], count, out);
    int t = 1;
    for (; t + 4 <= taps; t += 4)
        rows_add4(source + (size_t)t * stride, stride, weights + t, count, out);
    for (; t < taps; t++)
        rows_add(source + (size_t)t * stride, weights[t], count, out);
}

static void horizontal(const float *row, const vt_filter *filter, float *out)
{
    int taps = filter->taps;
    const float *weights = filter->weights;
    for (int x = 0; x < filter->count; x++, weights += taps) {
        const float *pixel = row + (size_t)filter->start[x] * 3;
        lanes4 sum = weights[0] * lanes4_load(pixel);
        for (int t = 1; t < taps; t++)
            sum += weights[t] * lanes4_load(pixel + (size_t)t * 3);
        memcpy(out + (size_t)x * 4, &sum, sizeof sum);
    }
}

static inline float clamp(float value)
{
    value = value < 0.0f ? 0.0f : value;
    return value > 255.0f ? 255.0f : value;
}

static void planar(const float *row, int count, const vt_planar *out)
{
    float *restrict red = out->plane[0], *restrict green = out->plane[1];
    float *restrict blue = out->plane[2];
    float gain0 = out->gain[0], gain1 = out->gain[1], gain2 = out->gain[2];
    float offset0 = out->offset[0], offset1 = out->offset[1], offset2 = out->offset[2];
    for (int x = 0; x < count; x++) {
        red[x] = clamp(row[4 * x]) * gain0 + offset0;
        green[x] = clamp(row[4 * x + 1]) * gain1 + offset1;
        blue[x] = clamp(row[4 * x + 2]) * gain2 + offset2;
    }
}

static void pack(const float *row, int count, uint8_t *rgb)
{
    for (int x = 0; x < count; x++) {
        for (int c = 0; c < 3; c++)
            rgb[3 * x + c] = (uint8_t)(int)(clamp(row[4 * x + c]) + 0.5f);
    }
}

const vt_resample_kernels VT_RESAMPLE_LEVEL = {
    .vertical = vertical, .horizontal = horizontal, .planar = planar, .pack = pack};
