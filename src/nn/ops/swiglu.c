/* SPDX-License-Identifier: Apache-2.0 */
/*
 * SwiGLU: a * sigmoid(alpha * a) * b.
 */
#include "nn/ops/op.h"
#include "nn/ops/table.h"

#include <math.h>

static vt_status swiglu_infer(vt_op_args *args, vt_error *error)
{
    vt_status status = vt_op_check_same(args, VT_TYPES_FLOAT, error);
    if (status != VT_OK)
        return status;
    if (!vt_shape_equal(&args->inputs[0].shape, &args->inputs[1].shape))
        return vt_fail(error, VT_ERR_FORMAT, "gate and value differ in shape");
    vt_op_set_output(args, 0, args->inputs[0].dtype, &args->inputs[0].shape);
    return VT_OK;
}

static vt_status swiglu_reference(vt_op_args *args, vt_error *error)
{
    (void)error;
    const vt_tensor *gate = &args->inputs[0], *value = &args->inputs[1];
    double alpha = (double)vt_node_float(args->node, "alpha", 1.0f);
    size_t count = vt_tensor_count(gate);
    for (size_t start = 0; start < count; start += VT_RUN) {
        double a[VT_RUN], b[VT_RUN];
        size_t part = count - start < VT_RUN ? count - start : VT_RUN;
        vt_load_f64(gate->dtype, gate->data, start, part, a);
        vt_load_f64(value->dtype, value->data, start, part, b);
        for (size_t i = 0; i < part; i++)
            a[i] = a[i] / (1.0 + exp(-alpha * a[i])) * b[i];
        vt_store_f64(gate->dtype, args->outputs[0].data, start, part, a);
    }
    return VT_OK;
}

const vt_op vt_ops_swiglu[] = {
    {"SwiGLU", "", 28, 0, 2, 2, 1, 1, "alpha:f", .infer = swiglu_infer,
     .reference = swiglu_reference},
    {0},
};
