/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Transpose: axes in another order, reversed when none is given.
 */
#include "nn/ops/op.h"
#include "nn/ops/table.h"

static vt_status transpose_order(const vt_op_args *args, int64_t order[VT_MAX_RANK],
                                 vt_error *error)
{
    int rank = args->inputs[0].shape.rank;
    bool marks[VT_MAX_RANK];
    int count = vt_node_ints(args->node, "perm", order, VT_MAX_RANK);
    for (int i = 0; i < rank && count < 0; i++)
        order[i] = rank - 1 - i;
    if (count >= 0 && count != rank)
        return vt_fail(error, VT_ERR_FORMAT, "attribute \"perm\" has %d axes, the input %d", count,
                       rank);
    for (int i = 0; i < rank; i++)
        if (order[i] < 0)
            return vt_fail(error, VT_ERR_FORMAT, "attribute \"perm\" has a negative axis");
    return vt_op_axes(order, rank, rank, marks, error);
}

static vt_status transpose_infer(vt_op_args *args, vt_error *error)
{
    int64_t order[VT_MAX_RANK];
    vt_shape shape = args->inputs[0].shape;
    vt_status status = transpose_order(args, order, error);
    if (status != VT_OK)
        return status;
    for (int i = 0; i < shape.rank; i++)
        shape.dims[i] = args->inputs[0].shape.dims[order[i]];
    vt_op_set_output(args, 0, args->inputs[0].dtype, &shape);
    return VT_OK;
}

static vt_status transpose_reference(vt_op_args *args, vt_error *error)
{
    const vt_tensor *x = &args->inputs[0];
    vt_tensor *y = &args->outputs[0];
    int64_t order[VT_MAX_RANK];
    size_t from[VT_MAX_RANK], to[VT_MAX_RANK];
    vt_copy copy = {.rank = y->shape.rank, .bytes = vt_dtype_bytes(x->dtype)};
    vt_status status = transpose_order(args, order, error);
    if (status != VT_OK)
        return status;
    vt_shape_strides(&x->shape, from);
    vt_shape_strides(&y->shape, to);
    for (int i = 0; i < copy.rank; i++) {
        copy.dims[i] = y->shape.dims[i];
        copy.from[i] = (int64_t)from[order[i]];
        copy.to[i] = (int64_t)to[i];
    }
    vt_copy_run(&copy, x->data, y->data);
    return VT_OK;
}

const vt_op vt_ops_transpose[] = {
    {"Transpose", "", 1, 0, 1, 1, 1, 1, "perm:I", .infer = transpose_infer,
     .reference = transpose_reference},
    {0},
};
