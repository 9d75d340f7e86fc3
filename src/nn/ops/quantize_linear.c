/* SPDX-License-Identifier: Apache-2.0 */
/*
 * QuantizeLinear: y = saturate(round(x / scale) + zero point), rounding half to even.
 *
 * The quotient is rounded to the type that the specification names before it is rounded to a whole
 * number: that of the scale, or attribute precision (opset 23). x and scale are converted to it
 * first. Dividing in f64 and narrowing gives the correctly rounded quotient of all three types,
 * because f64 has more than twice their digits. A scale of i32 divides in f64: a quotient of whole
 * numbers would leave nothing to round. NaN becomes the zero point, which the specification leaves
 * open. Saturation is unconditional; the attribute saturate is about float8 types, which are not
 * supported, as 4-bit integers.
 */
#include "nn/ops/quant.h"
#include "nn/ops/table.h"

static vt_status quantize_precision(const vt_op_args *args, vt_dtype *out, vt_error *error)
{
    vt_dtype scale = args->inputs[1].dtype;
    return vt_quant_type(args, "precision", scale == VT_I32 ? VT_F64 : scale, VT_TYPES_FLOAT, out,
                         error);
}

static vt_status quantize_infer(vt_op_args *args, vt_error *error)
{
    const vt_tensor *zero_point = vt_op_input(args, 2);
    vt_quant_grid grid;
    vt_dtype precision, dtype = VT_U8;
    vt_status status = vt_op_check_type(args, 0, (unsigned)VT_TYPES_SCALE | VT_TYPE(VT_I32), error);
    if (status == VT_OK)
        status = vt_op_check_type(args, 1, (unsigned)VT_TYPES_SCALE | VT_TYPE(VT_I32), error);
    if (status == VT_OK)
        status = vt_op_check_type(args, 2, VT_TYPES_QUANTISED, error);
    if (status == VT_OK)
        status = vt_quant_type(args, "output_dtype", zero_point == NULL ? VT_U8 : zero_point->dtype,
                               VT_TYPES_QUANTISED, &dtype, error);
    if (status == VT_OK && zero_point != NULL && zero_point->dtype != dtype)
        status = vt_fail(error, VT_ERR_FORMAT,
                         "attribute \"output_dtype\" says %s, the zero point has type %s",
                         vt_dtype_name(dtype), vt_dtype_name(zero_point->dtype));
    if (status == VT_OK)
        status = quantize_precision(args, &precision, error);
    if (status == VT_OK)
        status = vt_quant_grid_init(&grid, args, error);
    if (status == VT_OK)
        status = vt_quant_check_divisor(args, 1, error);
    if (status == VT_OK)
        vt_op_set_output(args, 0, dtype, &args->inputs[0].shape);
    return status;
}

/* Values through memory of a narrower type and back. */
static void round_to(vt_dtype dtype, size_t count, double *values)
{
    uint64_t narrow[VT_RUN];
    vt_store_f64(dtype, narrow, 0, count, values);
    vt_load_f64(dtype, narrow, 0, count, values);
}

static vt_status quantize_reference(vt_op_args *args, vt_error *error)
{
    const vt_tensor *x = &args->inputs[0];
    vt_tensor *y = &args->outputs[0];
    vt_quant_grid grid;
    vt_dtype precision = VT_F32;
    vt_status status = quantize_precision(args, &precision, error);
    if (status == VT_OK)
        status = vt_quant_grid_init(&grid, args, error);
    if (status != VT_OK)
        return status;
    for (size_t start = 0, total = vt_tensor_count(x); start < total; start += VT_RUN) {
        double values[VT_RUN], scales[VT_RUN], offsets[VT_RUN];
        size_t count = total - start < VT_RUN ? total - start : VT_RUN;
        vt_load_f64(x->dtype, x->data, start, count, values);
        vt_quant_grid_load(&grid, args, start, count, scales, offsets);
        round_to(precision, count, values);
        round_to(precision, count, scales);
        for (size_t i = 0; i < count; i++)
            values[i] /= scales[i];
        round_to(precision, count, values);
        for (size_t i = 0; i < count; i++)
            values[i] = vt_quant_round(values[i], offsets[i]);
        vt_store_f64(y->dtype, y->data, start, count, values);
    }
    return VT_OK;
}

const vt_op vt_ops_quantize_linear[] = {
    {"QuantizeLinear", "", 10, 12, 2, 3, 1, 1, .infer = quantize_infer,
     .reference = quantize_reference},
    {"QuantizeLinear", "", 13, 18, 2, 3, 1, 1, "axis:i", .infer = quantize_infer,
     .reference = quantize_reference},
    {"QuantizeLinear", "", 19, 20, 2, 3, 1, 1, "axis:i saturate:i", .infer = quantize_infer,
     .reference = quantize_reference},
    {"QuantizeLinear", "", 21, 22, 2, 3, 1, 1, "axis:i block_size:i output_dtype:i saturate:i",
     .infer = quantize_infer, .reference = quantize_reference},
    {"QuantizeLinear", "", 23, 0, 2, 3, 1, 1,
     "axis:i block_size:i output_dtype:i precision:i saturate:i", .infer = quantize_infer,
     .reference = quantize_reference},
    {0},
};
