/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Resampling written straight from the definition, in double, with nothing shared with the product:
 * every output value looks at every source pixel.
 */
#ifndef VT_TESTS_IMAGE_REFERENCE_H
#define VT_TESTS_IMAGE_REFERENCE_H

#include "image/pictures.h"

typedef struct reference_view {
    double x, y, width, height; /* part of the source that is shown */
    int out_width, out_height;
    vt_kernel kernel;
} reference_view;

static double reference_kernel(vt_kernel kernel, double t)
{
    t = fabs(t);
    if (kernel == VT_KERNEL_BILINEAR)
        return t < 1 ? 1 - t : 0;
    if (kernel == VT_KERNEL_BICUBIC) {
        const double a = -0.5;
        if (t < 1)
            return (a + 2) * t * t * t - (a + 3) * t * t + 1;
        return t < 2 ? a * t * t * t - 5 * a * t * t + 8 * a * t - 4 * a : 0;
    }
    if (t == 0)
        return 1;
    return t < 3 ? 3 * sin(M_PI * t) * sin(M_PI * t / 3) / (M_PI * M_PI * t * t) : 0;
}

/* Normalised weights of all `source` pixels for one output. */
static void reference_weights(vt_kernel kernel, int source, double begin, double length, int count,
                              int i, double *weights)
{
    double scale = length / count, low = begin + i * scale, high = low + scale, sum = 0;
    for (int s = 0; s < source; s++) {
        if (kernel == VT_KERNEL_AREA)
            weights[s] = fmax(0, fmin(high, s + 1) - fmax(low, s));
        else
            weights[s] =
                reference_kernel(kernel, (s + 0.5 - (low + high) / 2) / (scale > 1 ? scale : 1));
        sum += weights[s];
    }
    for (int s = 0; s < source; s++)
        weights[s] /= sum;
}

/* One output value, not clamped. */
static double reference_value(const vt_image *image, const double *across, const double *down,
                              int channel)
{
    double value = 0;
    for (int y = 0; y < image->height; y++) {
        if (down[y] == 0)
            continue;
        double row = 0;
        for (int x = 0; x < image->width; x++)
            row += across[x] * picture_at(image, x, y)[channel];
        value += down[y] * row;
    }
    return value;
}

/* (out_height, out_width, 3), clamped to 0..255; the caller's, vt_free. */
PICTURE_UNUSED static double *reference_resample(const vt_image *image, const reference_view *view)
{
    size_t count = (size_t)view->out_width * (size_t)view->out_height * 3, at = 0;
    double *out = vt_alloc(count * sizeof *out);
    double *across = vt_alloc((size_t)image->width * sizeof *across);
    double *down = vt_alloc((size_t)image->height * sizeof *down);
    for (int y = 0; y < view->out_height; y++) {
        reference_weights(view->kernel, image->height, view->y, view->height, view->out_height, y,
                          down);
        for (int x = 0; x < view->out_width; x++) {
            reference_weights(view->kernel, image->width, view->x, view->width, view->out_width, x,
                              across);
            for (int c = 0; c < 3; c++)
                out[at++] = fmin(255, fmax(0, reference_value(image, across, down, c)));
        }
    }
    vt_free(across);
    vt_free(down);
    return out;
}

#endif
