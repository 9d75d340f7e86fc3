/* SPDX-License-Identifier: Apache-2.0 */
/*
 * PRelu: x where positive, slope * x elsewhere; the slope broadcasts to x.
 */
#include "nn/ops/op.h"
#include "nn/ops/table.h"

/* Opset 6 has one slope per channel, whatever the rank. */
static vt_shape slope_shape(const vt_op_args *args)
{
    vt_shape slope = args->inputs[1].shape;
    if (args->node->opset < 7 && slope.rank == 1)
        for (int i = 2; i < args->inputs[0].shape.rank; i++)
            slope.dims[slope.rank++] = 1;
    return slope;
}

static vt_status prelu_infer(vt_op_args *args, vt_error *error)
{
    const unsigned types =
        VT_TYPES_FLOAT | VT_TYPE(VT_I32) | VT_TYPE(VT_I64) | VT_TYPE(VT_U32) | VT_TYPE(VT_U64);
    vt_shape shape = args->inputs[0].shape, slope = slope_shape(args);
    vt_status status = vt_op_check_same(args, types, error);
    if (status == VT_OK)
        status = vt_broadcast_shape(&shape, &slope, error);
    if (status == VT_OK && !vt_shape_equal(&shape, &args->inputs[0].shape))
        status = vt_fail(error, VT_ERR_FORMAT, "the slope does not broadcast to the input");
    if (status == VT_OK)
        vt_op_set_output(args, 0, args->inputs[0].dtype, &shape);
    return status;
}

static vt_status prelu_reference(vt_op_args *args, vt_error *error)
{
    (void)error;
    const vt_tensor *x = &args->inputs[0], *slope = &args->inputs[1];
    vt_tensor *y = &args->outputs[0];
    vt_broadcast broadcast;
    size_t count = vt_tensor_count(x);
    bool is_unsigned = (VT_TYPE(x->dtype) & VT_TYPES_UNSIGNED) != 0;
    vt_shape slopes_shape = slope_shape(args);
    vt_broadcast_init(&broadcast, &slopes_shape, &x->shape);
    for (size_t start = 0; start < count; start += VT_RUN) {
        double wide[VT_RUN], slopes[VT_RUN];
        int64_t whole[VT_RUN], whole_slopes[VT_RUN];
        size_t index[VT_RUN], part = count - start < VT_RUN ? count - start : VT_RUN;
        vt_broadcast_indices(&broadcast, start, part, index);
        if (vt_dtype_is_float(x->dtype)) {
            vt_load_f64(x->dtype, x->data, start, part, wide);
            vt_gather_f64(slope->dtype, slope->data, index, part, slopes);
            for (size_t i = 0; i < part; i++)
                wide[i] = wide[i] < 0.0 ? wide[i] * slopes[i] : wide[i];
            vt_store_f64(y->dtype, y->data, start, part, wide);
        } else {
            vt_load_i64(x->dtype, x->data, start, part, whole);
            vt_gather_i64(slope->dtype, slope->data, index, part, whole_slopes);
            for (size_t i = 0; i < part; i++)
                if (whole[i] < 0 && !is_unsigned)
                    whole[i] = (int64_t)((uint64_t)whole[i] * (uint64_t)whole_slopes[i]);
            vt_store_i64(y->dtype, y->data, start, part, whole);
        }
    }
    return VT_OK;
}

const vt_op vt_ops_prelu[] = {
    {"PRelu", "", 6, 0, 2, 2, 1, 1, .infer = prelu_infer, .reference = prelu_reference},
    {0},
};
