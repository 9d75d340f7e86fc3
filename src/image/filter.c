/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Filter tables for one axis of a resize.
 *
 * Method: output i looks at the source around begin + (i + 0.5) * scale. When shrinking the kernel
 * is stretched by the scale, so that every source pixel counts (antialiasing); when enlarging it
 * keeps its own width. Weights are taken at pixel centres, cut at the picture's edge, and divided
 * by their sum. `area` is exact instead: the share of each source pixel that the output pixel
 * covers. Source: Schumacher, "General filtered image rescaling", Graphics Gems III (1992);
 * bicubic: Keys, "Cubic convolution interpolation" (1981), a = -0.5; Lanczos: Duchon (1979), 3
 * lobes. Departures: all outputs get the same number of taps, missing ones with weight zero, and
 * starts are moved inwards at the edges so that no tap lies outside.
 */
#include <math.h>
#include <string.h>

#include "base/mem.h"
#include "image/resample.h"

static double filter_support(vt_kernel kernel)
{
    switch (kernel) {
    case VT_KERNEL_AREA:
        return 0.5;
    case VT_KERNEL_BILINEAR:
        return 1.0;
    case VT_KERNEL_BICUBIC:
        return 2.0;
    case VT_KERNEL_LANCZOS:
        break;
    }
    return 3.0;
}

/* sinc(x) sinc(x / 3), with the outer sine from the inner by sin(3t) = 3 sin t - 4 sin^3 t: sines
 * are most of the cost of a table. */
static double filter_lanczos(double x)
{
    if (x < 1e-8)
        return 1.0;
    double t = M_PI / 3.0 * x, s = sin(t);
    return s * s * (3.0 - 4.0 * s * s) / (3.0 * t * t);
}

static double filter_value(vt_kernel kernel, double x)
{
    x = fabs(x);
    switch (kernel) {
    case VT_KERNEL_AREA:
        break;
    case VT_KERNEL_BILINEAR:
        return x < 1.0 ? 1.0 - x : 0.0;
    case VT_KERNEL_BICUBIC:
        if (x < 1.0)
            return (1.5 * x - 2.5) * x * x + 1.0;
        return x < 2.0 ? ((-0.5 * x + 2.5) * x - 4.0) * x + 2.0 : 0.0;
    case VT_KERNEL_LANCZOS:
        return x < 3.0 ? filter_lanczos(x) : 0.0;
    }
    return 0.0;
}

static double filter_overlap(double low, double high, int pixel)
{
    double from = low > pixel ? low : pixel;
    double to = high < pixel + 1.0 ? high : pixel + 1.0;
    return to > from ? to - from : 0.0;
}

/* Unnormalised weight of source pixel `pixel` for an output centred at `centre`. */
static double filter_weight(vt_kernel kernel, double centre, double scale, int pixel)
{
    if (kernel == VT_KERNEL_AREA)
        return filter_overlap(centre - scale / 2.0, centre + scale / 2.0, pixel);
    return filter_value(kernel, (pixel + 0.5 - centre) / (scale > 1.0 ? scale : 1.0));
}

/* Half the window, in source pixels. */
static double filter_reach(vt_kernel kernel, double scale)
{
    return filter_support(kernel) * (scale > 1.0 || kernel == VT_KERNEL_AREA ? scale : 1.0);
}

static void filter_fill(vt_filter *filter, int i, int source, double centre, double scale,
                        vt_kernel kernel)
{
    double reach = filter_reach(kernel, scale);
    int taps = filter->taps;
    /* The first pixel that the window touches, or whose centre lies in it. */
    int start =
        (int)(kernel == VT_KERNEL_AREA ? floor(centre - reach) : ceil(centre - reach - 0.5));
    if (start > source - taps)
        start = source - taps;
    if (start < 0)
        start = 0;
    float *weights = filter->weights + (size_t)i * (size_t)taps;
    double sum = 0.0;
    for (int t = 0; t < taps; t++) {
        double weight = filter_weight(kernel, centre, scale, start + t);
        weights[t] = (float)weight;
        sum += weight;
    }
    for (int t = 0; t < taps; t++)
        weights[t] = (float)((double)weights[t] / sum);
    filter->start[i] = start;
}

vt_status vt_filter_init(vt_filter *filter, int source, double begin, double length, int count,
                         vt_kernel kernel, vt_error *error)
{
    double scale = length / count;
    double reach = filter_reach(kernel, scale);
    /* A window holds at most its width, rounded up, of pixel centres, and touches one pixel more.
     */
    double width = ceil(2.0 * reach) + (kernel == VT_KERNEL_AREA ? 1.0 : 0.0);
    int taps = width < source ? (int)width : source;
    vt_filter made = {.count = count, .taps = taps};
    size_t weights;
    if (!vt_size_mul((size_t)count, (size_t)taps, &weights))
        return vt_fail(error, VT_ERR_LIMIT, "resize picture: %d to %d pixels", source, count);
    made.start = vt_alloc_array((size_t)count, sizeof *made.start);
    made.weights = vt_alloc_array(weights, sizeof *made.weights);
    if (!made.start || !made.weights) {
        vt_filter_deinit(&made);
        return vt_fail_memory(error, "a resize filter");
    }
    for (int i = 0; i < count; i++)
        filter_fill(&made, i, source, begin + (i + 0.5) * scale, scale, kernel);
    *filter = made;
    return VT_OK;
}

void vt_filter_deinit(vt_filter *filter)
{
    vt_free(filter->start);
    vt_free(filter->weights);
    memset(filter, 0, sizeof *filter);
}
