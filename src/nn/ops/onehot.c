/* SPDX-License-Identifier: Apache-2.0 */
/*
 * OneHot: a new axis as long as input 1 says, on which the place that each index names has the "on"
 * value and all others the "off" value. Negative indices count from the end from opset 11 on; an
 * index outside the axis gives "off" everywhere.
 */
#include "nn/ops/op.h"
#include "nn/ops/table.h"

#include <string.h>

static vt_status onehot_depth(const vt_op_args *args, int64_t *depth, vt_error *error)
{
    const vt_tensor *input = &args->inputs[1];
    vt_status status = vt_op_check_type(args, 1, VT_TYPES_NUMBER, error);
    if (status == VT_OK)
        status = vt_op_check_rank(args, 1, 0, 1, error);
    if (status == VT_OK && vt_tensor_count(input) != 1)
        status = vt_fail(error, VT_ERR_FORMAT, "the depth is not a single number");
    if (status == VT_OK)
        status = vt_op_check_known(args, 1, error);
    if (status != VT_OK)
        return status;
    vt_load_i64(input->dtype, input->data, 0, 1, depth);
    if (*depth < 0)
        return vt_fail(error, VT_ERR_FORMAT, "the depth is %lld", (long long)*depth);
    return VT_OK;
}

static vt_status onehot_axis(const vt_op_args *args, int *axis, vt_error *error)
{
    return vt_op_axis(vt_node_int(args->node, "axis", -1), args->inputs[0].shape.rank + 1, axis,
                      error);
}

static vt_status onehot_infer(vt_op_args *args, vt_error *error)
{
    const vt_shape *indices = &args->inputs[0].shape;
    vt_shape shape = {0};
    int64_t depth = 0;
    int axis = 0;
    vt_status status = vt_op_check_type(args, 0, VT_TYPES_NUMBER, error);
    if (status == VT_OK)
        status = onehot_depth(args, &depth, error);
    if (status == VT_OK)
        status = onehot_axis(args, &axis, error);
    if (status == VT_OK &&
        (args->inputs[2].shape.rank != 1 || vt_tensor_count(&args->inputs[2]) != 2))
        status = vt_fail(error, VT_ERR_FORMAT, "input 2 is not a list of two values");
    if (status == VT_OK && indices->rank + 1 > VT_MAX_RANK)
        status =
            vt_fail(error, VT_ERR_UNSUPPORTED, "the result would have %d dimensions, at most %d",
                    indices->rank + 1, VT_MAX_RANK);
    if (status != VT_OK)
        return status;
    for (int i = 0; i <= indices->rank; i++)
        shape.dims[shape.rank++] = i == axis ? depth : indices->dims[i < axis ? i : i - 1];
    vt_op_set_output(args, 0, args->inputs[2].dtype, &shape);
    return VT_OK;
}

static vt_status onehot_reference(vt_op_args *args, vt_error *error)
{
    const vt_tensor *indices = &args->inputs[0], *values = &args->inputs[2];
    vt_tensor *y = &args->outputs[0];
    size_t bytes = vt_dtype_bytes(y->dtype), count = vt_tensor_count(y);
    int axis = 0;
    vt_status status = onehot_axis(args, &axis, error);
    if (status != VT_OK)
        return status;
    int64_t depth = y->shape.dims[axis];
    for (size_t i = 0; i < count; i++)
        memcpy((char *)y->data + i * bytes, values->data, bytes);
    size_t inner = vt_shape_product(&y->shape, axis + 1, y->shape.rank);
    for (size_t i = 0; i < vt_tensor_count(indices); i++) {
        int64_t index;
        vt_load_i64(indices->dtype, indices->data, i, 1, &index);
        if (indices->dtype == VT_U64 && index < 0)
            continue; /* 2^63 and more */
        index += index < 0 && args->node->opset >= 11 ? depth : 0;
        if (index < 0 || index >= depth)
            continue;
        size_t place = (i / inner * (size_t)depth + (size_t)index) * inner + i % inner;
        memcpy((char *)y->data + place * bytes, (const char *)values->data + bytes, bytes);
    }
    return VT_OK;
}

const vt_op vt_ops_onehot[] = {
    {"OneHot", "", 9, 0, 3, 3, 1, 1, "axis:i", .shape_inputs = 1u << 1, .infer = onehot_infer,
     .reference = onehot_reference},
    {0},
};
