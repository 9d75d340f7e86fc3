/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The convolution sum, shared by Conv and the integer convolutions. Inside src/nn/ops only.
 *
 *     status = vt_conv_init(&conv, &args->inputs[1].shape, bias, args, error); // shapes
 *     conv.x = ..., conv.w = ...;                                              // widened operands
 *     vt_conv_plane(&conv, n, channel, 0.0, sum);
 *
 * Sums are f64: sums of products of 8-bit integers with their zero points taken off are exact.
 *
 * Threads: no state.
 */
#ifndef VT_NN_OPS_CONV_H
#define VT_NN_OPS_CONV_H

#include "nn/ops/op.h"

typedef struct vt_conv {
    vt_window window;
    size_t batch, in_channels;                   /* of the input */
    size_t out_channels, group_ins, group_outs;  /* of all groups, and of one group */
    size_t in_plane, out_plane, kernel_elements; /* products of spatial dimensions */
    const double *x;                             /* (batch, in_channels, in...), borrowed */
    const double *w; /* (out_channels, group_ins, kernel...), borrowed */
} vt_conv;

/* Resolves everything but x and w from input 0, the shape of the weights and the attributes, and
 * checks that they fit; `bias` may be NULL. */
vt_status vt_conv_init(vt_conv *conv, const vt_shape *w, const vt_tensor *bias,
                       const vt_op_args *args, vt_error *error);
/* (batch, out_channels, out...) */
vt_shape vt_conv_output(const vt_conv *conv);
/* sum (out_plane) = start + the sum of output channel `out` of image n. Padding counts as 0. */
void vt_conv_plane(const vt_conv *conv, size_t n, size_t out, double start, double *sum);
/* Multiply-accumulates for an output of `outputs` elements, saturating. */
uint64_t vt_conv_macs(uint64_t outputs, const vt_shape *w);

/* conv_gradient.c: the convolution behind a ConvolutionGradInput (dy, w) or, `weights`, a
 * ConvolutionGradWeights (x, dy): shapes, no operands. */
vt_status vt_conv_gradient_init(vt_conv *conv, const vt_op_args *args, bool weights,
                                vt_error *error);

#endif
