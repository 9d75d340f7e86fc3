/* SPDX-License-Identifier: Apache-2.0 */
/*
 * QLinearMatMul: product of matrices of 8-bit integers, rescaled into 8-bit integers.
 *
 * y = saturate(round(sum * (a_scale * b_scale / y_scale)) + y_zero_point), with the exact sums of
 * matmul_integer.c and the factor in f64, whatever the type of the scales. Scales and zero points
 * are single numbers, one per row of a, or one per column of b.
 */
#include "nn/ops/matmul.h"
#include "nn/ops/quant.h"
#include "nn/ops/table.h"

enum { A_SCALE = 1, A_ZERO = 2, B = 3, B_SCALE = 4, B_ZERO = 5, Y_SCALE = 6, Y_ZERO = 7 };

static const vt_quant_matmul qlinear_inputs = {B, A_ZERO, B_ZERO};

static vt_status qlinear_check_scales(const vt_op_args *args, vt_error *error)
{
    static const size_t scales[] = {A_SCALE, B_SCALE, Y_SCALE};
    unsigned types = args->node->opset < 21 ? VT_TYPE(VT_F32) : VT_TYPES_SCALE;
    vt_status status = VT_OK;
    for (size_t i = 0; i < 3 && status == VT_OK; i++) {
        status = vt_op_check_type(args, scales[i], types, error);
        if (status == VT_OK && args->inputs[scales[i]].dtype != args->inputs[A_SCALE].dtype)
            status = vt_fail(error, VT_ERR_FORMAT, "scales of different types");
    }
    if (status == VT_OK)
        status = vt_quant_check_lines(args, A_SCALE, 0, false, error);
    if (status == VT_OK)
        status = vt_quant_check_lines(args, B_SCALE, B, true, error);
    if (status == VT_OK)
        status = vt_quant_check_single(args, Y_SCALE, types, error);
    return status == VT_OK ? vt_quant_check_divisor(args, Y_SCALE, error) : status;
}

static vt_status qlinear_infer(vt_op_args *args, vt_error *error)
{
    vt_status status = vt_quant_check_single(args, Y_ZERO, VT_TYPES_BYTE, error);
    if (status == VT_OK)
        status = qlinear_check_scales(args, error);
    if (status == VT_OK)
        status = vt_quant_matmul_infer(args, &qlinear_inputs, args->inputs[Y_ZERO].dtype, error);
    return status;
}

static void qlinear_emit(const vt_op_args *args, size_t a_row, size_t b_column, size_t start,
                         size_t count, double *sums)
{
    vt_tensor *y = &args->outputs[0];
    double zero_point = vt_quant_number(args, Y_ZERO, 0);
    double a_scale = vt_quant_number(args, A_SCALE, a_row);
    double y_scale = vt_quant_number(args, Y_SCALE, 0);
    for (size_t i = 0; i < count; i++) {
        double factor = a_scale * vt_quant_number(args, B_SCALE, b_column + i) / y_scale;
        sums[i] = vt_quant_round(sums[i] * factor, zero_point);
    }
    vt_store_f64(y->dtype, y->data, start, count, sums);
}

static vt_status qlinear_reference(vt_op_args *args, vt_error *error)
{
    return vt_quant_matmul_run(args, &qlinear_inputs, qlinear_emit, error);
}

static uint64_t qlinear_macs(const vt_op_args *args)
{
    return vt_matmul_macs(vt_tensor_count(&args->outputs[0]), &args->inputs[0].shape);
}

const vt_op vt_ops_qlinear_matmul[] = {
    {"QLinearMatMul", "", 10, 0, 8, 8, 1, 1, .infer = qlinear_infer, .reference = qlinear_reference,
     .macs = qlinear_macs},
    {0},
};
