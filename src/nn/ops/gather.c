/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Gather: slices along one axis, picked by indices of any shape. Negative indices count from the
 * end; one outside the axis is an error.
 */
#include "nn/ops/op.h"
#include "nn/ops/table.h"

#include <string.h>

static vt_status gather_infer(vt_op_args *args, vt_error *error)
{
    const vt_shape *data = &args->inputs[0].shape, *indices = &args->inputs[1].shape;
    int axis;
    vt_shape shape = {0};
    vt_status status = vt_op_check_type(args, 1, VT_TYPES_INDEX, error);
    if (status == VT_OK)
        status = vt_op_axis(vt_node_int(args->node, "axis", 0), data->rank, &axis, error);
    if (status == VT_OK && data->rank - 1 + indices->rank > VT_MAX_RANK)
        status =
            vt_fail(error, VT_ERR_UNSUPPORTED, "the result would have %d dimensions, at most %d",
                    data->rank - 1 + indices->rank, VT_MAX_RANK);
    if (status != VT_OK)
        return status;
    for (int i = 0; i < axis; i++)
        shape.dims[shape.rank++] = data->dims[i];
    for (int i = 0; i < indices->rank; i++)
        shape.dims[shape.rank++] = indices->dims[i];
    for (int i = axis + 1; i < data->rank; i++)
        shape.dims[shape.rank++] = data->dims[i];
    vt_op_set_output(args, 0, args->inputs[0].dtype, &shape);
    return VT_OK;
}

static vt_status gather_reference(vt_op_args *args, vt_error *error)
{
    const vt_tensor *data = &args->inputs[0], *indices = &args->inputs[1];
    int axis;
    vt_status status =
        vt_op_axis(vt_node_int(args->node, "axis", 0), data->shape.rank, &axis, error);
    if (status != VT_OK)
        return status;
    size_t outer = vt_shape_product(&data->shape, 0, axis), picks = vt_tensor_count(indices);
    size_t part =
        vt_shape_product(&data->shape, axis + 1, data->shape.rank) * vt_dtype_bytes(data->dtype);
    int64_t length = data->shape.dims[axis];
    for (size_t k = 0; k < picks && status == VT_OK; k++) {
        size_t index = 0;
        status = vt_op_index(indices, k, length, &index, error);
        for (size_t o = 0; o < outer && status == VT_OK; o++)
            memcpy((char *)args->outputs[0].data + (o * picks + k) * part,
                   (const char *)data->data + (o * (size_t)length + index) * part, part);
    }
    return status;
}

const vt_op vt_ops_gather[] = {
    {"Gather", "", 1, 0, 2, 2, 1, 1, "axis:i", .infer = gather_infer,
     .reference = gather_reference},
    {0},
};
