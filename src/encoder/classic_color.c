/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Colour of the classic descriptor: where colours are (mean CIE Lab over a grid, in the manner of
 * MPEG-7's colour layout, ISO/IEC 15938-3) and how much of each there is (a hue x value histogram
 * of HSV with greys apart, softly binned).
 *
 * Departures: the layout keeps the grid means instead of their DCT; histogram entries are square
 * rooted (the Hellinger kernel), which keeps one large background from drowning the rest.
 */
#include "encoder/classic.h"

#include <math.h>
#include <string.h>

enum { SIDE = VT_CLASSIC_SIDE_PX, GRID = VT_CLASSIC_GRID };

static float linear_of_srgb(uint8_t value)
{
    float v = (float)value / 255.0f;
    return v <= 0.04045f ? v / 12.92f : powf((v + 0.055f) / 1.055f, 2.4f);
}

static float lab_curve(float t)
{
    return t > 0.008856452f ? cbrtf(t) : t * 7.787037f + 0.137931034f;
}

/* CIE Lab, D65, scaled so that each axis spans about -1..1. */
static void lab_of_rgb(const float linear[3], float lab[3])
{
    float x = 0.4124564f * linear[0] + 0.3575761f * linear[1] + 0.1804375f * linear[2];
    float y = 0.2126729f * linear[0] + 0.7151522f * linear[1] + 0.0721750f * linear[2];
    float z = 0.0193339f * linear[0] + 0.1191920f * linear[1] + 0.9503041f * linear[2];
    float fx = lab_curve(x / 0.95047f), fy = lab_curve(y), fz = lab_curve(z / 1.08883f);
    lab[0] = (116.0f * fy - 16.0f - 50.0f) / 50.0f;
    lab[1] = 500.0f * (fx - fy) / 60.0f;
    lab[2] = 200.0f * (fy - fz) / 60.0f;
}

/* A cell's colour counts as much as the subject fills it. */
static void layout(const vt_classic_picture *picture, float *out)
{
    float linear[256];
    for (int i = 0; i < 256; i++)
        linear[i] = linear_of_srgb((uint8_t)i);
    float sums[GRID * GRID][5];
    memset(sums, 0, sizeof(sums));
    for (int y = 0; y < SIDE; y++)
        for (int x = 0; x < SIDE; x++) {
            float *cell = sums[(y * GRID / SIDE) * GRID + x * GRID / SIDE];
            size_t at = (size_t)y * SIDE + (size_t)x;
            const uint8_t *p = picture->subject.rgb + 3 * at;
            float weight = picture->weight[at];
            for (int c = 0; c < 3; c++)
                cell[c] += weight * linear[p[c]];
            cell[3] += weight;
            cell[4] += 1.0f;
        }
    for (int i = 0; i < GRID * GRID; i++) {
        float mean[3], *lab = out + 3 * i;
        for (int c = 0; c < 3; c++)
            mean[c] = sums[i][3] > 0.0f ? sums[i][c] / sums[i][3] : 0.0f;
        lab_of_rgb(mean, lab);
        for (int c = 0; c < 3; c++)
            lab[c] *= sums[i][3] / sums[i][4];
    }
}

static void hsv_of_rgb(const uint8_t *p, float *hue, float *saturation, float *value)
{
    float r = (float)p[0], g = (float)p[1], b = (float)p[2];
    float high = fmaxf(r, fmaxf(g, b)), low = fminf(r, fminf(g, b));
    float span = high - low;
    *value = high / 255.0f;
    *saturation = high > 0.0f ? span / high : 0.0f;
    *hue = 0.0f;
    if (span <= 0.0f)
        return;
    if (high == r)
        *hue = (g - b) / span;
    else if (high == g)
        *hue = 2.0f + (b - r) / span;
    else
        *hue = 4.0f + (r - g) / span;
    *hue = (*hue < 0.0f ? *hue + 6.0f : *hue) / 6.0f;
}

/* Shares `amount` between the two bins that `position` (0..1) lies between. */
static void spread(float *bins, int count, bool circular, float position, float amount)
{
    float at = circular ? position * (float)count : position * (float)(count - 1);
    int low = (int)at;
    float part = at - (float)low;
    int high = low + 1;
    if (circular) {
        low %= count;
        high %= count;
    } else if (high >= count) {
        high = count - 1;
    }
    bins[low] += amount * (1.0f - part);
    bins[high] += amount * part;
}

static void histogram(const vt_classic_picture *picture, float *out)
{
    enum { HUES = VT_CLASSIC_HUES, VALUES = VT_CLASSIC_VALUES, GREYS = VT_CLASSIC_GREYS };
    float *greys = out + HUES * VALUES;
    memset(out, 0, (HUES * VALUES + GREYS) * sizeof(float));
    for (int i = 0; i < SIDE * SIDE; i++) {
        float hue, saturation, value;
        hsv_of_rgb(picture->subject.rgb + 3 * i, &hue, &saturation, &value);
        float weight = picture->weight[i];
        /* Hue means nothing in dark or pale pixels: what they lack in chroma counts as grey. */
        float chroma = saturation * value;
        float colored = fminf(1.0f, 2.0f * chroma);
        float band[VALUES] = {0};
        spread(band, VALUES, false, value, weight * colored);
        for (int v = 0; v < VALUES; v++)
            if (band[v] > 0.0f)
                spread(out + v * HUES, HUES, true, hue, band[v]);
        spread(greys, GREYS, false, value, weight * (1.0f - colored));
    }
}

void vt_classic_color(const vt_classic_picture *picture, float *out)
{
    enum { LAYOUT = GRID * GRID * 3, HISTOGRAM = VT_CLASSIC_COLOR - LAYOUT };
    layout(picture, out);
    histogram(picture, out + LAYOUT);
    /* Bring both halves to the same length before the caller normalises the whole. */
    double layout_square = 0.0, histogram_sum = 0.0;
    for (int i = 0; i < LAYOUT; i++)
        layout_square += (double)out[i] * (double)out[i];
    for (int i = LAYOUT; i < VT_CLASSIC_COLOR; i++)
        histogram_sum += (double)out[i];
    float layout_scale = layout_square > 0.0 ? (float)(1.0 / sqrt(layout_square)) : 0.0f;
    for (int i = 0; i < LAYOUT; i++)
        out[i] *= layout_scale;
    for (int i = LAYOUT; i < VT_CLASSIC_COLOR; i++)
        out[i] = histogram_sum > 0.0 ? (float)sqrt((double)out[i] / histogram_sum) : 0.0f;
}
