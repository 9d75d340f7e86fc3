/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Resize and Upsample as plain facts, from their many forms: per axis the new length, the scale and
 * what a new coordinate is in the old tensor. Inside src/nn/ops only.
 *
 * Threads: no state.
 */
#ifndef VT_NN_OPS_RESIZE_H
#define VT_NN_OPS_RESIZE_H

#include "nn/ops/op.h"

typedef enum vt_resize_mode { VT_RESIZE_NEAREST, VT_RESIZE_LINEAR, VT_RESIZE_CUBIC } vt_resize_mode;

typedef enum vt_resize_coordinates {
    VT_RESIZE_HALF_PIXEL,
    VT_RESIZE_HALF_PIXEL_SYMMETRIC,
    VT_RESIZE_PYTORCH_HALF_PIXEL,
    VT_RESIZE_ALIGN_CORNERS,
    VT_RESIZE_ASYMMETRIC,
    VT_RESIZE_TF_HALF_PIXEL_FOR_NN,
    VT_RESIZE_TF_CROP_AND_RESIZE,
} vt_resize_coordinates;

typedef enum vt_resize_round {
    VT_RESIZE_ROUND_PREFER_FLOOR,
    VT_RESIZE_ROUND_PREFER_CEIL,
    VT_RESIZE_FLOOR,
    VT_RESIZE_CEIL,
    VT_RESIZE_OUTWARD, /* opset 10: down when the axis grows, up when it shrinks */
} vt_resize_round;

typedef struct vt_resize_axis {
    int64_t in, out;
    double scale, width; /* width: scale * in, not rounded to whole elements */
    double roi[2];
} vt_resize_axis;

typedef struct vt_resize {
    vt_resize_mode mode;
    vt_resize_coordinates coordinates;
    vt_resize_round round;
    bool antialias, exclude_outside;
    double cubic_a, extrapolation;
    int rank;
    vt_resize_axis axes[VT_MAX_RANK];
} vt_resize;

/* From attributes and the inputs' values. */
vt_status vt_resize_init(vt_resize *resize, const vt_op_args *args, vt_error *error);
/* Where new coordinate `k` lies on the old axis; false: outside, the extrapolation value. */
bool vt_resize_source(const vt_resize *resize, int axis, int64_t k, double *source);

/* resize.c: what the axis does to numbers, as a matrix (out, in); rows of coordinates outside are
 * 0. weights: (in), for its own use. False: nothing at all, and the matrix is not filled. */
bool vt_resize_matrix(const vt_resize *resize, int axis, double *matrix, double *weights);

#endif
