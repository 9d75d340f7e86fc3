/* SPDX-License-Identifier: Apache-2.0 */
/*
 * GatherElements and GatherND: elements picked one by one along an axis, and slices picked by
 * coordinates. Negative indices count from the end; one outside its axis is an error.
 */
#include "nn/ops/op.h"
#include "nn/ops/table.h"

#include <string.h>

/* ---- GatherElements ---- */

static vt_status elements_infer(vt_op_args *args, vt_error *error)
{
    const vt_shape *data = &args->inputs[0].shape, *indices = &args->inputs[1].shape;
    int axis = 0;
    vt_status status = vt_op_check_type(args, 1, VT_TYPES_INDEX, error);
    if (status == VT_OK)
        status = vt_op_axis(vt_node_int(args->node, "axis", 0), data->rank, &axis, error);
    if (status == VT_OK && indices->rank != data->rank)
        status = vt_fail(error, VT_ERR_FORMAT, "indices of %d dimensions for %d", indices->rank,
                         data->rank);
    for (int i = 0; i < data->rank && status == VT_OK; i++)
        if (i != axis && indices->dims[i] > data->dims[i])
            status = vt_fail(error, VT_ERR_FORMAT, "axis %d has %lld indices for %lld elements", i,
                             (long long)indices->dims[i], (long long)data->dims[i]);
    if (status == VT_OK)
        vt_op_set_output(args, 0, args->inputs[0].dtype, indices);
    return status;
}

static vt_status elements_reference(vt_op_args *args, vt_error *error)
{
    const vt_tensor *data = &args->inputs[0], *indices = &args->inputs[1];
    int axis = 0;
    size_t strides[VT_MAX_RANK], bytes = vt_dtype_bytes(data->dtype);
    int64_t position[VT_MAX_RANK] = {0};
    vt_status status =
        vt_op_axis(vt_node_int(args->node, "axis", 0), data->shape.rank, &axis, error);
    if (status != VT_OK)
        return status;
    vt_shape_strides(&data->shape, strides);
    for (size_t k = 0; k < vt_tensor_count(indices); k++) {
        size_t index = 0, from = 0;
        status = vt_op_index(indices, k, data->shape.dims[axis], &index, error);
        if (status != VT_OK)
            return status;
        for (int i = 0; i < data->shape.rank; i++)
            from += strides[i] * (i == axis ? index : (size_t)position[i]);
        memcpy((char *)args->outputs[0].data + k * bytes, (const char *)data->data + from * bytes,
               bytes);
        for (int i = data->shape.rank - 1; i >= 0 && ++position[i] == indices->shape.dims[i]; i--)
            position[i] = 0;
    }
    return VT_OK;
}

/* ---- GatherND ---- */

/* batch: leading axes that both inputs share; depth: of data, that one coordinate covers. */
static vt_status nd_axes(const vt_op_args *args, int *batch, int *depth, vt_error *error)
{
    const vt_shape *data = &args->inputs[0].shape, *indices = &args->inputs[1].shape;
    int64_t shared = vt_node_int(args->node, "batch_dims", 0);
    if (data->rank < 1 || indices->rank < 1)
        return vt_fail(error, VT_ERR_FORMAT, "data or indices are a scalar");
    if (shared < 0 || shared >= data->rank || shared >= indices->rank)
        return vt_fail(error, VT_ERR_FORMAT, "attribute \"batch_dims\" is %lld", (long long)shared);
    for (int i = 0; i < (int)shared; i++)
        if (data->dims[i] != indices->dims[i])
            return vt_fail(error, VT_ERR_FORMAT, "batch axis %d has %lld and %lld", i,
                           (long long)data->dims[i], (long long)indices->dims[i]);
    int64_t length = indices->dims[indices->rank - 1];
    if (length < 1 || length > data->rank - shared)
        return vt_fail(error, VT_ERR_FORMAT, "coordinates of %lld numbers for %d axes",
                       (long long)length, data->rank - (int)shared);
    *batch = (int)shared;
    *depth = (int)length;
    return VT_OK;
}

static vt_status nd_infer(vt_op_args *args, vt_error *error)
{
    const vt_shape *data = &args->inputs[0].shape, *indices = &args->inputs[1].shape;
    vt_shape shape = {0};
    int batch = 0, depth = 0;
    vt_status status = vt_op_check_type(args, 1, VT_TYPE(VT_I64), error);
    if (status == VT_OK)
        status = nd_axes(args, &batch, &depth, error);
    if (status != VT_OK)
        return status;
    int rank = indices->rank - 1 + data->rank - batch - depth;
    if (rank > VT_MAX_RANK)
        return vt_fail(error, VT_ERR_UNSUPPORTED, "the result would have %d dimensions, at most %d",
                       rank, VT_MAX_RANK);
    for (int i = 0; i < indices->rank - 1; i++)
        shape.dims[shape.rank++] = indices->dims[i];
    for (int i = batch + depth; i < data->rank; i++)
        shape.dims[shape.rank++] = data->dims[i];
    vt_op_set_output(args, 0, args->inputs[0].dtype, &shape);
    return VT_OK;
}

static vt_status nd_reference(vt_op_args *args, vt_error *error)
{
    const vt_tensor *data = &args->inputs[0], *indices = &args->inputs[1];
    int batch = 0, depth = 0;
    vt_status status = nd_axes(args, &batch, &depth, error);
    if (status != VT_OK)
        return status;
    size_t strides[VT_MAX_RANK], bytes = vt_dtype_bytes(data->dtype);
    size_t batches = vt_shape_product(&data->shape, 0, batch);
    size_t whole = vt_shape_product(&data->shape, batch, data->shape.rank);
    size_t part = vt_shape_product(&data->shape, batch + depth, data->shape.rank) * bytes;
    size_t picks = vt_shape_product(&indices->shape, batch, indices->shape.rank - 1);
    vt_shape_strides(&data->shape, strides);
    for (size_t k = 0; k < batches * picks; k++) {
        size_t from = k / picks * whole;
        for (int i = 0; i < depth && status == VT_OK; i++) {
            size_t index = 0;
            status = vt_op_index(indices, k * (size_t)depth + (size_t)i,
                                 data->shape.dims[batch + i], &index, error);
            from += index * strides[batch + i];
        }
        if (status != VT_OK)
            return status;
        memcpy((char *)args->outputs[0].data + k * part, (const char *)data->data + from * bytes,
               part);
    }
    return VT_OK;
}

const vt_op vt_ops_gather_nd[] = {
    {"GatherElements", "", 11, 0, 2, 2, 1, 1, "axis:i", .infer = elements_infer,
     .reference = elements_reference},
    {"GatherND", "", 11, 11, 2, 2, 1, 1, .infer = nd_infer, .reference = nd_reference},
    {"GatherND", "", 12, 0, 2, 2, 1, 1, "batch_dims:i", .infer = nd_infer,
     .reference = nd_reference},
    {0},
};
