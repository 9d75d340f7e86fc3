/* SPDX-License-Identifier: Apache-2.0 */
/*
 * DynamicQuantizeLinear: f32 to u8 with scale and zero point from the data's own range.
 *
 * The steps of the specification's function body, each rounded to f32: range of the data and 0,
 * scale = range / 255, zero point = round(saturate(-min / scale)). Without any range the scale is 0
 * by that formula and the zero point, there 0 / 0, is 0. A NaN in the data becomes the scale's;
 * then everything else is 0.
 */
#include "nn/ops/quant.h"
#include "nn/ops/table.h"

#include <math.h>

static vt_status dynamic_infer(vt_op_args *args, vt_error *error)
{
    vt_status status = vt_op_check_type(args, 0, VT_TYPE(VT_F32), error);
    if (status != VT_OK)
        return status;
    const vt_shape scalar = {0};
    vt_op_set_output(args, 0, VT_U8, &args->inputs[0].shape);
    vt_op_set_output(args, 1, VT_F32, &scalar);
    vt_op_set_output(args, 2, VT_U8, &scalar);
    return VT_OK;
}

static float scale_of(const float *x, size_t count, float *zero_point)
{
    float low = 0.0f, high = 0.0f;
    for (size_t i = 0; i < count; i++) {
        low = x[i] < low || isnan(x[i]) ? x[i] : low;
        high = x[i] > high || isnan(x[i]) ? x[i] : high;
    }
    float scale = (high - low) / 255.0f, offset = 0.0f - low / scale;
    offset = offset > 255.0f ? 255.0f : offset;
    *zero_point = offset > 0.0f ? rintf(offset) : 0.0f; /* NaN too */
    return scale;
}

static vt_status dynamic_reference(vt_op_args *args, vt_error *error)
{
    (void)error;
    const float *x = args->inputs[0].data;
    size_t total = vt_tensor_count(&args->inputs[0]);
    float offset, scale = scale_of(x, total, &offset);
    for (size_t start = 0; start < total && vt_op_wants(args, 0); start += VT_RUN) {
        double values[VT_RUN];
        size_t count = total - start < VT_RUN ? total - start : VT_RUN;
        for (size_t i = 0; i < count; i++)
            values[i] = vt_quant_round((double)(x[start + i] / scale), (double)offset);
        vt_store_f64(VT_U8, args->outputs[0].data, start, count, values);
    }
    if (vt_op_wants(args, 1))
        *(float *)args->outputs[1].data = scale;
    if (vt_op_wants(args, 2))
        *(uint8_t *)args->outputs[2].data = (uint8_t)offset;
    return VT_OK;
}

const vt_op vt_ops_dynamic_quantize_linear[] = {
    {"DynamicQuantizeLinear", "", 11, 0, 1, 1, 1, 3, .infer = dynamic_infer,
     .reference = dynamic_reference},
    {0},
};
