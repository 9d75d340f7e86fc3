/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Expand: a tensor repeated to the shape that it and input 1 broadcast to.
 */
#include "nn/ops/op.h"
#include "nn/ops/table.h"

static vt_status expand_infer(vt_op_args *args, vt_error *error)
{
    vt_shape shape = {0};
    vt_status status = vt_op_input_ints(args, 1, shape.dims, VT_MAX_RANK, &shape.rank, error);
    for (int i = 0; i < shape.rank && status == VT_OK; i++)
        if (shape.dims[i] < 0)
            status = vt_fail(error, VT_ERR_FORMAT, "dimension %d would be %lld", i,
                             (long long)shape.dims[i]);
    if (status == VT_OK)
        status = vt_broadcast_shape(&shape, &args->inputs[0].shape, error);
    if (status == VT_OK)
        vt_op_set_output(args, 0, args->inputs[0].dtype, &shape);
    return status;
}

static vt_status expand_reference(vt_op_args *args, vt_error *error)
{
    (void)error;
    vt_tensor *y = &args->outputs[0];
    vt_broadcast broadcast;
    vt_copy copy = {.rank = y->shape.rank, .bytes = vt_dtype_bytes(y->dtype)};
    size_t to[VT_MAX_RANK];
    vt_broadcast_init(&broadcast, &args->inputs[0].shape, &y->shape);
    vt_shape_strides(&y->shape, to);
    for (int i = 0; i < copy.rank; i++) {
        copy.dims[i] = y->shape.dims[i];
        copy.from[i] = (int64_t)broadcast.strides[i];
        copy.to[i] = (int64_t)to[i];
    }
    vt_copy_run(&copy, args->inputs[0].data, y->data);
    return VT_OK;
}

const vt_op vt_ops_expand[] = {
    {"Expand", "", 8, 0, 2, 2, 1, 1, .shape_inputs = 1u << 1, .infer = expand_infer,
     .reference = expand_reference},
    {0},
};
