/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Perceptual hash: near-equal pictures get near-equal 64-bit codes.
 *
 * Method: brightness of the picture squashed to 32x32, its two-dimensional DCT-II, the 8x8 lowest
 * frequencies without the constant row and column, one bit each: above their median or not. Bit
 * 8 * v + u stands for vertical frequency v + 1 and horizontal frequency u + 1.
 * Source: Zauner, "Implementation and benchmarking of perceptual image hash functions" (2010),
 * section 3.2.1.
 * Departures: the picture is shrunk by exact areas, which does what the paper's 7x7 mean filter is
 * for and does it for every size. Brightness is BT.601's, on encoded values. The picture's mean and
 * its contrast drop out, so brightening or dimming does not move bits unless values clip.
 */
#include <math.h>

#include "image/resample.h"

enum { PHASH_SIDE = 32, PHASH_BAND = 8 };

/* Far below a level of one pixel: a plain picture hashes to 0 instead of to rounding errors. */
#define PHASH_NOTHING 1e-3

static vt_status phash_brightness(const vt_image *image, double grey[PHASH_SIDE][PHASH_SIDE],
                                  vt_error *error)
{
    vt_placement place =
        vt_placement_make(image->width, image->height, PHASH_SIDE, PHASH_SIDE, VT_FIT_SQUASH, 1.0);
    vt_resampler resampler;
    vt_status status = vt_resampler_init(&resampler, image, &place, VT_KERNEL_AREA, error);
    if (status != VT_OK)
        return status;
    for (int y = 0; y < PHASH_SIDE; y++) {
        const float *row = vt_resampler_row(&resampler, y);
        for (int x = 0; x < PHASH_SIDE; x++)
            grey[y][x] = 0.299 * (double)row[4 * x] + 0.587 * (double)row[4 * x + 1] +
                         0.114 * (double)row[4 * x + 2];
    }
    vt_resampler_deinit(&resampler);
    return VT_OK;
}

/* Frequencies 1 to 8 in both directions; the transform's constant factors do not matter to signs
 * and order and are left out. */
static void phash_frequencies(double grey[PHASH_SIDE][PHASH_SIDE],
                              double band[PHASH_BAND][PHASH_BAND])
{
    double wave[PHASH_BAND][PHASH_SIDE], rows[PHASH_SIDE][PHASH_BAND];
    for (int k = 0; k < PHASH_BAND; k++) {
        for (int i = 0; i < PHASH_SIDE; i++)
            wave[k][i] = cos(M_PI * (i + 0.5) * (k + 1) / PHASH_SIDE);
    }
    for (int y = 0; y < PHASH_SIDE; y++) {
        for (int u = 0; u < PHASH_BAND; u++) {
            rows[y][u] = 0.0;
            for (int x = 0; x < PHASH_SIDE; x++)
                rows[y][u] += grey[y][x] * wave[u][x];
        }
    }
    for (int v = 0; v < PHASH_BAND; v++) {
        for (int u = 0; u < PHASH_BAND; u++) {
            band[v][u] = 0.0;
            for (int y = 0; y < PHASH_SIDE; y++)
                band[v][u] += rows[y][u] * wave[v][y];
        }
    }
}

static double phash_median(const double *values, int count)
{
    double sorted[PHASH_BAND * PHASH_BAND];
    for (int i = 0; i < count; i++) {
        int at = i;
        for (; at > 0 && sorted[at - 1] > values[i]; at--)
            sorted[at] = sorted[at - 1];
        sorted[at] = values[i];
    }
    return (sorted[count / 2 - 1] + sorted[count / 2]) / 2.0;
}

vt_status vt_image_phash(const vt_image *image, uint64_t *out, vt_error *error)
{
    double grey[PHASH_SIDE][PHASH_SIDE], band[PHASH_BAND][PHASH_BAND];
    if (image->width <= 0 || image->height <= 0)
        return vt_fail(error, VT_ERR_USAGE, "hash picture: it is empty");
    vt_status status = phash_brightness(image, grey, error);
    if (status != VT_OK)
        return status;
    phash_frequencies(grey, band);
    double median = phash_median(&band[0][0], PHASH_BAND * PHASH_BAND);
    uint64_t hash = 0;
    for (int v = 0; v < PHASH_BAND; v++) {
        for (int u = 0; u < PHASH_BAND; u++)
            hash |= (uint64_t)(band[v][u] > median + PHASH_NOTHING) << (PHASH_BAND * v + u);
    }
    *out = hash;
    return VT_OK;
}
