/* SPDX-License-Identifier: Apache-2.0 */
/*
 * DequantizeLinear: y = (x - zero point) * scale, in the type of the scale or attribute
 * output_dtype (opset 23).
 *
 * The difference is exact and the product of f64 is rounded once into the output (with 8 and 16 bit
 * inputs it is exact before that), so that no 16-bit difference overflows on the way to f16. Scales
 * of 0 and infinite ones multiply as IEEE 754 says. float8 types and 4-bit integers are not
 * supported.
 */
#include "nn/ops/quant.h"
#include "nn/ops/table.h"

static vt_status dequantize_infer(vt_op_args *args, vt_error *error)
{
    vt_quant_grid grid;
    vt_dtype dtype = VT_F32;
    vt_status status =
        vt_op_check_type(args, 0, (unsigned)VT_TYPES_QUANTISED | VT_TYPE(VT_I32), error);
    if (status == VT_OK)
        status = vt_op_check_type(args, 1, VT_TYPES_SCALE, error);
    if (status == VT_OK)
        status = vt_quant_check_zero_point(args, 2, 0, error);
    if (status == VT_OK)
        status = vt_quant_type(args, "output_dtype", args->inputs[1].dtype, VT_TYPES_SCALE, &dtype,
                               error);
    if (status == VT_OK)
        status = vt_quant_grid_init(&grid, args, error);
    if (status == VT_OK)
        vt_op_set_output(args, 0, dtype, &args->inputs[0].shape);
    return status;
}

static vt_status dequantize_reference(vt_op_args *args, vt_error *error)
{
    const vt_tensor *x = &args->inputs[0];
    vt_tensor *y = &args->outputs[0];
    vt_quant_grid grid;
    vt_status status = vt_quant_grid_init(&grid, args, error);
    if (status != VT_OK)
        return status;
    for (size_t start = 0, total = vt_tensor_count(x); start < total; start += VT_RUN) {
        double values[VT_RUN], scales[VT_RUN], offsets[VT_RUN];
        size_t count = total - start < VT_RUN ? total - start : VT_RUN;
        vt_load_f64(x->dtype, x->data, start, count, values);
        vt_quant_grid_load(&grid, args, start, count, scales, offsets);
        for (size_t i = 0; i < count; i++)
            values[i] = (values[i] - offsets[i]) * scales[i];
        vt_store_f64(y->dtype, y->data, start, count, values);
    }
    return VT_OK;
}

const vt_op vt_ops_dequantize_linear[] = {
    {"DequantizeLinear", "", 10, 12, 2, 3, 1, 1, .flags = VT_OP_DEQUANTIZES,
     .infer = dequantize_infer, .reference = dequantize_reference},
    {"DequantizeLinear", "", 13, 20, 2, 3, 1, 1, "axis:i", .flags = VT_OP_DEQUANTIZES,
     .infer = dequantize_infer, .reference = dequantize_reference},
    {"DequantizeLinear", "", 21, 22, 2, 3, 1, 1, "axis:i block_size:i", .flags = VT_OP_DEQUANTIZES,
     .infer = dequantize_infer, .reference = dequantize_reference},
    {"DequantizeLinear", "", 23, 0, 2, 3, 1, 1, "axis:i block_size:i output_dtype:i",
     .flags = VT_OP_DEQUANTIZES, .infer = dequantize_infer, .reference = dequantize_reference},
    {0},
};
