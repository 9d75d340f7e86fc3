/* SPDX-License-Identifier: Apache-2.0 */
/*
 * TrivialAugment (Mueller and Hutter, ICCV 2021) with the wide space of its appendix: one of 14
 * operations, evenly, at one of 31 strengths, evenly, with an even sign where the operation has
 * one.
 */
#include "image/augment.h"

#include <math.h>

enum { STRENGTHS = 31, LEVELS = 256 };

vt_trivial vt_trivial_draw(vt_random *random)
{
    static const float most[VT_TRIVIAL_OPS] = {
        [VT_TRIVIAL_SHEAR_X] = 0.99f,   [VT_TRIVIAL_SHEAR_Y] = 0.99f,
        [VT_TRIVIAL_TRANSLATE_X] = 32,  [VT_TRIVIAL_TRANSLATE_Y] = 32,
        [VT_TRIVIAL_ROTATE] = 135,      [VT_TRIVIAL_BRIGHTNESS] = 0.99f,
        [VT_TRIVIAL_COLOUR] = 0.99f,    [VT_TRIVIAL_CONTRAST] = 0.99f,
        [VT_TRIVIAL_SHARPNESS] = 0.99f,
    };
    vt_trivial out = {(vt_trivial_op)vt_random_below(random, VT_TRIVIAL_OPS), 0};
    int strength = vt_random_int(random, 0, STRENGTHS - 1);
    bool negative = vt_random_below(random, 2) == 1;
    float share = (float)strength / (STRENGTHS - 1);
    if (out.op == VT_TRIVIAL_POSTERIZE)
        out.magnitude = 8 - roundf(share * 6); /* bits kept */
    else if (out.op == VT_TRIVIAL_SOLARIZE)
        out.magnitude = 255 * (1 - share); /* from here on inverted */
    else
        out.magnitude = (negative ? -share : share) * most[out.op];
    return out;
}

bool vt_trivial_warp(const vt_trivial *trivial, int width, int height, vt_warp *warp)
{
    double m = (double)trivial->magnitude;
    switch (trivial->op) {
    case VT_TRIVIAL_SHEAR_X:
        *warp = vt_warp_affine(1, m, 0, 0, 1, 0);
        return true;
    case VT_TRIVIAL_SHEAR_Y:
        *warp = vt_warp_affine(1, 0, 0, m, 1, 0);
        return true;
    case VT_TRIVIAL_TRANSLATE_X:
        *warp = vt_warp_affine(1, 0, 2 * m / width, 0, 1, 0);
        return true;
    case VT_TRIVIAL_TRANSLATE_Y:
        *warp = vt_warp_affine(1, 0, 0, 0, 1, 2 * m / height);
        return true;
    case VT_TRIVIAL_ROTATE: {
        double c = cos(m * M_PI / 180), s = sin(m * M_PI / 180), aspect = (double)width / height;
        *warp = vt_warp_affine(c, -s / aspect, 0, s * aspect, c, 0);
        return true;
    }
    default:
        return false;
    }
}

static void posterize(float *values, size_t count, int bits)
{
    int mask = 0xff & ~(0xff >> bits);
    for (size_t i = 0; i < count; i++)
        values[i] = (float)((int)(values[i] + 0.5f) & mask);
}

static void solarize(float *values, size_t count, float from)
{
    for (size_t i = 0; i < count; i++)
        values[i] = values[i] >= from ? 255 - values[i] : values[i];
}

/* The darkest value of a channel becomes 0, the lightest 255. */
static void autocontrast(float *plane, size_t count)
{
    float low = 255, high = 0;
    for (size_t i = 0; i < count; i++) {
        low = plane[i] < low ? plane[i] : low;
        high = plane[i] > high ? plane[i] : high;
    }
    if (high - low < 1)
        return;
    float scale = 255 / (high - low);
    for (size_t i = 0; i < count; i++)
        plane[i] = (plane[i] - low) * scale;
}

/* Pillow's equalize: a table from the histogram, in steps of (pixels - those of the last value) /
 * 255. */
static void equalize(float *plane, size_t count)
{
    size_t histogram[LEVELS] = {0}, last = 0;
    float table[LEVELS];
    for (size_t i = 0; i < count; i++)
        histogram[(int)(plane[i] + 0.5f)]++;
    for (int v = 0; v < LEVELS; v++)
        last = histogram[v] > 0 ? histogram[v] : last;
    size_t step = (count - last) / 255, sum = step / 2;
    if (step == 0)
        return;
    for (int v = 0; v < LEVELS; v++) {
        size_t level = sum / step;
        table[v] = (float)(level < 255 ? level : 255);
        sum += histogram[v];
    }
    for (size_t i = 0; i < count; i++)
        plane[i] = table[(int)(plane[i] + 0.5f)];
}

void vt_trivial_apply(const vt_trivial *trivial, float *planes, float *scratch, int width,
                      int height)
{
    size_t count = (size_t)width * (size_t)height;
    vt_colour_map map = vt_colour_identity();
    float factor = 1 + trivial->magnitude;
    switch (trivial->op) {
    case VT_TRIVIAL_BRIGHTNESS:
        vt_colour_brightness(&map, factor);
        break;
    case VT_TRIVIAL_COLOUR:
        vt_colour_saturation(&map, factor);
        break;
    case VT_TRIVIAL_CONTRAST:
        vt_colour_contrast(&map, factor, vt_colour_mean_grey(planes, count));
        break;
    case VT_TRIVIAL_SHARPNESS:
        vt_planes_sharpen(planes, scratch, width, height, factor);
        return;
    case VT_TRIVIAL_POSTERIZE:
        posterize(planes, 3 * count, (int)trivial->magnitude);
        return;
    case VT_TRIVIAL_SOLARIZE:
        solarize(planes, 3 * count, trivial->magnitude);
        return;
    case VT_TRIVIAL_AUTOCONTRAST:
    case VT_TRIVIAL_EQUALIZE:
        for (size_t c = 0; c < 3; c++)
            (trivial->op == VT_TRIVIAL_EQUALIZE ? equalize : autocontrast)(planes + c * count,
                                                                           count);
        return;
    default:
        return;
    }
    vt_colour_apply(&map, planes, count);
}
