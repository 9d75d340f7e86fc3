/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The gradient of Relu, an operator of its own (ReluGrad): dy where the result is above 0, else 0.
 *
 * It is by far the most frequent activation, and oneDNN's backward form reads and writes bf16 and
 * blocks of channels as they are.
 */
#include "nn/ops/gradients.h"
#include "nn/ops/op.h"
#include "nn/ops/table.h"

static vt_status relu_grad_infer(vt_op_args *args, vt_error *error)
{
    vt_status status = vt_op_check_same(args, VT_TYPES_FLOAT, error);
    if (status == VT_OK && !vt_shape_equal(&args->inputs[0].shape, &args->inputs[1].shape))
        status = vt_fail(error, VT_ERR_FORMAT, "gradient does not have the result's shape");
    if (status == VT_OK)
        vt_op_set_output(args, 0, args->inputs[0].dtype, &args->inputs[0].shape);
    return status;
}

static vt_status relu_grad_reference(vt_op_args *args, vt_error *error)
{
    const vt_tensor *dy = &args->inputs[0], *y = &args->inputs[1];
    size_t count = vt_tensor_count(dy);
    (void)error;
    for (size_t start = 0; start < count; start += VT_RUN) {
        double gradients[VT_RUN], results[VT_RUN];
        size_t part = count - start < VT_RUN ? count - start : VT_RUN;
        vt_load_f64(dy->dtype, dy->data, start, part, gradients);
        vt_load_f64(y->dtype, y->data, start, part, results);
        for (size_t i = 0; i < part; i++)
            gradients[i] = results[i] > 0.0 ? gradients[i] : 0.0;
        vt_store_f64(dy->dtype, args->outputs[0].data, start, part, gradients);
    }
    return VT_OK;
}

const vt_op vt_ops_relu_gradient[] = {
    {"ReluGrad", VT_BACK_DOMAIN, 1, 0, 2, 2, 1, 1, .flags = VT_OP_INTERNAL,
     .infer = relu_grad_infer, .reference = relu_grad_reference},
    {0},
};

void vt_gradient_relu(vt_backward *b)
{
    b->dx[0] = vt_back_op2(b, "vitrine:ReluGrad", b->dy[0], vt_back_output(b, 0));
}
