/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ScatterElements (Scatter until opset 10) and ScatterND: a copy of the data with elements or
 * slices replaced by updates, or combined with them (add, mul from opset 16; max, min from 18).
 *
 * Updates apply in their order, so with reduction "none" the last one of equal places stays; the
 * specification leaves that case open. Each combination is rounded to the type.
 */
#include "nn/ops/op.h"
#include "nn/ops/table.h"

#include <math.h>
#include <string.h>

typedef enum scatter_kind {
    SCATTER_NONE,
    SCATTER_ADD,
    SCATTER_MUL,
    SCATTER_MAX,
    SCATTER_MIN,
} scatter_kind;

static vt_status scatter_kind_of(const vt_op_args *args, scatter_kind *kind, vt_error *error)
{
    static const char *const names[] = {"none", "add", "mul", "max", "min"};
    const char *text = vt_node_text(args->node, "reduction", "none");
    for (int i = 0; i < (args->node->opset < 18 ? 3 : 5); i++) {
        if (strcmp(text, names[i]) == 0) {
            *kind = (scatter_kind)i;
            return VT_OK;
        }
    }
    return vt_fail(error, VT_ERR_FORMAT, "attribute \"reduction\" is \"%.40s\"", text);
}

static vt_status scatter_check(const vt_op_args *args, unsigned index_types, vt_error *error)
{
    scatter_kind kind;
    vt_status status = vt_op_check_type(args, 1, index_types, error);
    if (status == VT_OK)
        status = scatter_kind_of(args, &kind, error);
    if (status == VT_OK && args->inputs[2].dtype != args->inputs[0].dtype)
        status =
            vt_fail(error, VT_ERR_FORMAT, "the updates have type %s, the data %s",
                    vt_dtype_name(args->inputs[2].dtype), vt_dtype_name(args->inputs[0].dtype));
    return status;
}

/* ---- combining ---- */

static double combine_f64(scatter_kind kind, double old, double update)
{
    if (kind == SCATTER_ADD)
        return old + update;
    if (kind == SCATTER_MUL)
        return old * update;
    if (isnan(old) || isnan(update))
        return NAN;
    return (update > old) == (kind == SCATTER_MAX) ? update : old;
}

static int64_t combine_i64(scatter_kind kind, bool is_signed, int64_t old, int64_t update)
{
    if (kind == SCATTER_ADD)
        return (int64_t)((uint64_t)old + (uint64_t)update);
    if (kind == SCATTER_MUL)
        return (int64_t)((uint64_t)old * (uint64_t)update);
    bool more = is_signed ? update > old : (uint64_t)update > (uint64_t)old;
    return more == (kind == SCATTER_MAX) ? update : old;
}

/* `count` elements of y from place `to` on take updates from place `from` on. */
static void scatter_apply(scatter_kind kind, vt_tensor *y, size_t to, const vt_tensor *updates,
                          const size_t from_count[2])
{
    size_t from = from_count[0], count = from_count[1], bytes = vt_dtype_bytes(y->dtype);
    bool is_signed = (VT_TYPE(y->dtype) & VT_TYPES_SIGNED) != 0;
    if (kind == SCATTER_NONE) {
        memcpy((char *)y->data + to * bytes, (const char *)updates->data + from * bytes,
               count * bytes);
        return;
    }
    for (size_t i = 0; i < count; i++) {
        if (vt_dtype_is_float(y->dtype)) {
            double value =
                combine_f64(kind, vt_tensor_get(y, to + i), vt_tensor_get(updates, from + i));
            vt_store_f64(y->dtype, y->data, to + i, 1, &value);
        } else {
            int64_t old, update;
            vt_load_i64(y->dtype, y->data, to + i, 1, &old);
            vt_load_i64(y->dtype, updates->data, from + i, 1, &update);
            old = combine_i64(kind, is_signed, old, update);
            vt_store_i64(y->dtype, y->data, to + i, 1, &old);
        }
    }
}

/* ---- ScatterElements ---- */

static vt_status elements_infer(vt_op_args *args, vt_error *error)
{
    const vt_shape *data = &args->inputs[0].shape, *indices = &args->inputs[1].shape;
    int axis = 0;
    vt_status status = scatter_check(args, VT_TYPES_INDEX, error);
    if (status == VT_OK)
        status = vt_op_axis(vt_node_int(args->node, "axis", 0), data->rank, &axis, error);
    if (status == VT_OK &&
        (indices->rank != data->rank || !vt_shape_equal(indices, &args->inputs[2].shape)))
        status = vt_fail(error, VT_ERR_FORMAT, "data, indices and updates do not fit together");
    for (int i = 0; i < data->rank && status == VT_OK; i++)
        if (i != axis && indices->dims[i] > data->dims[i])
            status = vt_fail(error, VT_ERR_FORMAT, "axis %d has %lld indices for %lld elements", i,
                             (long long)indices->dims[i], (long long)data->dims[i]);
    if (status == VT_OK)
        vt_op_set_output(args, 0, args->inputs[0].dtype, data);
    return status;
}

static vt_status elements_reference(vt_op_args *args, vt_error *error)
{
    const vt_tensor *data = &args->inputs[0], *indices = &args->inputs[1];
    scatter_kind kind = SCATTER_NONE;
    int axis = 0;
    size_t strides[VT_MAX_RANK];
    int64_t position[VT_MAX_RANK] = {0};
    vt_status status = scatter_kind_of(args, &kind, error);
    if (status == VT_OK)
        status = vt_op_axis(vt_node_int(args->node, "axis", 0), data->shape.rank, &axis, error);
    if (status != VT_OK)
        return status;
    memcpy(args->outputs[0].data, data->data, args->outputs[0].bytes);
    vt_shape_strides(&data->shape, strides);
    for (size_t k = 0; k < vt_tensor_count(indices); k++) {
        size_t index = 0, to = 0;
        status = vt_op_index(indices, k, data->shape.dims[axis], &index, error);
        if (status != VT_OK)
            return status;
        for (int i = 0; i < data->shape.rank; i++)
            to += strides[i] * (i == axis ? index : (size_t)position[i]);
        scatter_apply(kind, &args->outputs[0], to, &args->inputs[2], (const size_t[]){k, 1});
        for (int i = data->shape.rank - 1; i >= 0 && ++position[i] == indices->shape.dims[i]; i--)
            position[i] = 0;
    }
    return VT_OK;
}

/* ---- ScatterND ---- */

static vt_status nd_infer(vt_op_args *args, vt_error *error)
{
    const vt_shape *data = &args->inputs[0].shape, *indices = &args->inputs[1].shape;
    const vt_shape *updates = &args->inputs[2].shape;
    vt_status status = scatter_check(args, VT_TYPE(VT_I64), error);
    if (status == VT_OK && (data->rank < 1 || indices->rank < 1))
        status = vt_fail(error, VT_ERR_FORMAT, "data or indices are a scalar");
    if (status != VT_OK)
        return status;
    int64_t depth = indices->dims[indices->rank - 1];
    if (depth < 1 || depth > data->rank)
        return vt_fail(error, VT_ERR_FORMAT, "coordinates of %lld numbers for %d axes",
                       (long long)depth, data->rank);
    int lead = indices->rank - 1;
    bool fits = updates->rank == lead + data->rank - (int)depth;
    for (int i = 0; i < updates->rank && fits; i++)
        fits =
            updates->dims[i] == (i < lead ? indices->dims[i] : data->dims[i - lead + (int)depth]);
    if (!fits)
        return vt_fail(error, VT_ERR_FORMAT, "data, indices and updates do not fit together");
    vt_op_set_output(args, 0, args->inputs[0].dtype, data);
    return VT_OK;
}

static vt_status nd_reference(vt_op_args *args, vt_error *error)
{
    const vt_tensor *data = &args->inputs[0], *indices = &args->inputs[1];
    scatter_kind kind = SCATTER_NONE;
    vt_status status = scatter_kind_of(args, &kind, error);
    if (status != VT_OK)
        return status;
    int depth = (int)indices->shape.dims[indices->shape.rank - 1];
    size_t strides[VT_MAX_RANK], picks = vt_tensor_count(indices) / (size_t)depth;
    size_t part = vt_shape_product(&data->shape, depth, data->shape.rank);
    memcpy(args->outputs[0].data, data->data, args->outputs[0].bytes);
    vt_shape_strides(&data->shape, strides);
    for (size_t k = 0; k < picks; k++) {
        size_t to = 0;
        for (int i = 0; i < depth && status == VT_OK; i++) {
            size_t index = 0;
            status = vt_op_index(indices, k * (size_t)depth + (size_t)i, data->shape.dims[i],
                                 &index, error);
            to += index * strides[i];
        }
        if (status != VT_OK)
            return status;
        scatter_apply(kind, &args->outputs[0], to, &args->inputs[2],
                      (const size_t[]){k * part, part});
    }
    return VT_OK;
}

#define ROW(name, since, until, attrs, infer_function, reference_function)                         \
    {                                                                                              \
        name, "", since, until, 3, 3, 1, 1, attrs, .infer = infer_function,                        \
                                                   .reference = reference_function                 \
    }

const vt_op vt_ops_scatter[] = {
    ROW("Scatter", 9, 10, "axis:i", elements_infer, elements_reference),
    ROW("ScatterElements", 11, 15, "axis:i", elements_infer, elements_reference),
    ROW("ScatterElements", 16, 0, "axis:i reduction:s", elements_infer, elements_reference),
    ROW("ScatterND", 11, 15, NULL, nd_infer, nd_reference),
    ROW("ScatterND", 16, 0, "reduction:s", nd_infer, nd_reference),
    {0},
};
