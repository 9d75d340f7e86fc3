/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Separable resampling of 8-bit pictures in float: where the pixels come from, filter tables, and
 * the inner loops per processor level. resize.c, tensor.c and phash.c stand on it.
 *
 *     vt_placement place = vt_placement_make(width, height, 224, 224, VT_FIT_COVER, 1.0);
 *     vt_resampler r;
 *     vt_resampler_init(&r, image, &place, VT_KERNEL_BICUBIC, error);
 *     for (int y = 0; y < place.out_height; y++)
 *         ... vt_resampler_row(&r, y) ...       // (out_width, 4) floats: red green blue and a
 * spare vt_resampler_deinit(&r);
 *
 * Threads: a resampler belongs to one thread at a time.
 */
#ifndef VT_IMAGE_RESAMPLE_H
#define VT_IMAGE_RESAMPLE_H

#include "image/image.h"

/* What part of the source is shown, and where. */
typedef struct vt_placement {
    double x, y, width, height;           /* of the source, in source pixels */
    int left, top, out_width, out_height; /* of the output, in output pixels */
} vt_placement;

/* `show` is the share of the covered size that the output shows; cover only, 1: all of it. */
vt_placement vt_placement_make(int source_width, int source_height, int width, int height,
                               vt_fit fit, double show);

/* One axis: output i is the sum of weights[i][t] * source[start[i] + t]. */
typedef struct vt_filter {
    int count, taps; /* taps the same for all outputs, so that inner loops are simple */
    int *start;      /* (count), owned; start + taps never leaves the source */
    float *weights;  /* (count, taps), owned; each row sums to 1 */
} vt_filter;

/* `count` outputs over the source interval [begin, begin + length). */
vt_status vt_filter_init(vt_filter *filter, int source, double begin, double length, int count,
                         vt_kernel kernel, vt_error *error);
void vt_filter_deinit(vt_filter *filter);

/* ---- resample_kernels.c, compiled once per level ---- */

typedef struct vt_planar {
    float *plane[3];          /* where the row goes, borrowed; red green blue */
    float gain[3], offset[3]; /* value, clamped to 0..255, * gain + offset */
} vt_planar;

typedef struct vt_resample_kernels {
    /* out[i] = sum over t of weights[t] * source[t * stride + i], i < count */
    void (*vertical)(const uint8_t *source, size_t stride, const float *weights, int taps,
                     size_t count, float *out);
    /* out (count, 4) from row (pixels, 3), which is readable one float past its last pixel */
    void (*horizontal)(const float *row, const vt_filter *filter, float *out);
    void (*planar)(const float *row, int count, const vt_planar *out); /* row: (count, 4) */
    void (*pack)(const float *row, int count, uint8_t *rgb);           /* rounds and clamps */
} vt_resample_kernels;

extern const vt_resample_kernels vt_resample_kernels_scalar;
#ifdef VT_IMAGE_LEVELS /* set by the build for x86-64 */
extern const vt_resample_kernels vt_resample_kernels_avx2;
extern const vt_resample_kernels vt_resample_kernels_avx512;
#endif
const vt_resample_kernels *vt_resample_kernels_get(void); /* for vt_cpu() */

/* ---- one picture ---- */

typedef struct vt_resampler {
    const vt_resample_kernels *kernels;
    vt_filter horizontal, vertical; /* horizontal starts count from first_column */
    const uint8_t *source;          /* first used column of row 0, borrowed */
    size_t stride, columns;         /* bytes per row; used columns */
    float *row;                     /* (columns, 3) and a spare float, owned */
    float *out;                     /* (out_width, 4), owned */
} vt_resampler;

vt_status vt_resampler_init(vt_resampler *resampler, const vt_image *image,
                            const vt_placement *place, vt_kernel kernel, vt_error *error);
void vt_resampler_deinit(vt_resampler *resampler);
const float *vt_resampler_row(vt_resampler *resampler, int y); /* valid until the next call */

#endif
