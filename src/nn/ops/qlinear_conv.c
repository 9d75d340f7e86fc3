/* SPDX-License-Identifier: Apache-2.0 */
/*
 * QLinearConv: convolution of 8-bit integers, rescaled into 8-bit integers.
 *
 * y = saturate(round(sum * (x_scale * w_scale / y_scale)) + y_zero_point), with the exact sums of
 * conv_integer.c and the factor in f64. The bias (i32) is in units of x_scale * w_scale. A weight
 * scale or zero point may be one per output channel, each of the two by itself, which is more than
 * the specification asks for.
 */
#include "nn/ops/conv.h"
#include "nn/ops/quant.h"
#include "nn/ops/table.h"

enum { X_SCALE = 1, X_ZERO = 2, W = 3, W_SCALE = 4, W_ZERO = 5, Y_SCALE = 6, Y_ZERO = 7, BIAS = 8 };

static const vt_quant_conv qlinear_inputs = {W, X_ZERO, W_ZERO, BIAS};

static vt_status qlinear_infer(vt_op_args *args, vt_error *error)
{
    vt_status status = vt_quant_check_single(args, X_SCALE, VT_TYPE(VT_F32), error);
    if (status == VT_OK)
        status = vt_op_check_type(args, W_SCALE, VT_TYPE(VT_F32), error);
    if (status == VT_OK)
        status = vt_quant_check_single(args, Y_SCALE, VT_TYPE(VT_F32), error);
    if (status == VT_OK)
        status = vt_quant_check_single(args, Y_ZERO, VT_TYPES_BYTE, error);
    if (status == VT_OK)
        status = vt_quant_check_divisor(args, Y_SCALE, error);
    if (status == VT_OK)
        status = vt_quant_conv_infer(args, &qlinear_inputs, args->inputs[Y_ZERO].dtype, error);
    if (status == VT_OK)
        status = vt_quant_check_vector(args, W_SCALE, args->inputs[W].shape.dims[0], error);
    return status;
}

static void qlinear_emit(const vt_op_args *args, size_t channel, size_t start, size_t count,
                         double *sums)
{
    vt_tensor *y = &args->outputs[0];
    double zero_point = vt_quant_number(args, Y_ZERO, 0);
    double factor = vt_quant_number(args, X_SCALE, 0) * vt_quant_number(args, W_SCALE, channel) /
                    vt_quant_number(args, Y_SCALE, 0);
    for (size_t i = 0; i < count; i++)
        sums[i] = vt_quant_round(sums[i] * factor, zero_point);
    vt_store_f64(y->dtype, y->data, start, count, sums);
}

static vt_status qlinear_reference(vt_op_args *args, vt_error *error)
{
    return vt_quant_conv_run(args, &qlinear_inputs, qlinear_emit, error);
}

static uint64_t qlinear_macs(const vt_op_args *args)
{
    return vt_conv_macs(vt_tensor_count(&args->outputs[0]), &args->inputs[W].shape);
}

const vt_op vt_ops_qlinear_conv[] = {
    {"QLinearConv", "", 10, 0, 8, 9, 1, 1,
     "auto_pad:s dilations:I group:i kernel_shape:I pads:I strides:I", .infer = qlinear_infer,
     .reference = qlinear_reference, .macs = qlinear_macs},
    {0},
};
