/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Flatten: a matrix whose rows are everything before an axis and whose columns everything from it
 * on.
 */
#include "nn/ops/op.h"
#include "nn/ops/table.h"

#include <string.h>

static vt_status flatten_infer(vt_op_args *args, vt_error *error)
{
    const vt_shape *from = &args->inputs[0].shape;
    int64_t axis = vt_node_int(args->node, "axis", 1);
    if (axis < -from->rank || axis > from->rank)
        return vt_fail(error, VT_ERR_FORMAT, "axis %lld is outside a tensor of %d dimensions",
                       (long long)axis, from->rank);
    axis = axis < 0 ? axis + from->rank : axis;
    vt_shape to = {.rank = 2, .dims = {1, 1}};
    for (int i = 0; i < from->rank; i++)
        if (__builtin_mul_overflow(to.dims[i >= axis], from->dims[i], &to.dims[i >= axis]))
            return vt_fail(error, VT_ERR_LIMIT, "the matrix is too large");
    vt_op_set_output(args, 0, args->inputs[0].dtype, &to);
    return VT_OK;
}

static vt_status flatten_reference(vt_op_args *args, vt_error *error)
{
    (void)error;
    memcpy(args->outputs[0].data, args->inputs[0].data, args->outputs[0].bytes);
    return VT_OK;
}

const vt_op vt_ops_flatten[] = {
    {"Flatten", "", 1, 0, 1, 1, 1, 1, "axis:i", .infer = flatten_infer,
     .reference = flatten_reference},
    {0},
};
