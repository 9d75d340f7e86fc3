/* SPDX-License-Identifier: Apache-2.0 */
/*
 * NonZero and Compress: results whose size is decided by the data. They work where the deciding
 * input is known when a plan is made (constants, folded values, inputs of the model); anything else
 * is refused with the reason.
 */
#include "nn/ops/op.h"
#include "nn/ops/table.h"

#include <string.h>

static vt_status select_known(const vt_op_args *args, size_t index, vt_error *error)
{
    if (vt_op_is_known(&args->inputs[index]))
        return VT_OK;
    return vt_fail(
        error, VT_ERR_UNSUPPORTED,
        "the size of the result is decided by input %zu, which is computed from the data", index);
}

/* Integers by their bits, floats by value: -0 is zero, NaN is not. */
static bool element_is_set(const vt_tensor *x, size_t place)
{
    int64_t whole = 0;
    if (vt_dtype_is_float(x->dtype))
        return vt_tensor_get(x, place) != 0.0;
    vt_load_i64(x->dtype, x->data, place, 1, &whole);
    return whole != 0;
}

static int64_t count_set(const vt_tensor *x)
{
    int64_t set = 0;
    size_t count = vt_tensor_count(x);
    for (size_t i = 0; i < count; i++)
        set += element_is_set(x, i);
    return set;
}

/* ---- NonZero: the coordinates, one row per axis, in row-major order ---- */

static vt_status nonzero_infer(vt_op_args *args, vt_error *error)
{
    vt_status status = vt_op_check_type(args, 0, VT_TYPES_ALL, error);
    if (status == VT_OK)
        status = select_known(args, 0, error);
    if (status != VT_OK)
        return status;
    const int64_t dims[2] = {args->inputs[0].shape.rank, count_set(&args->inputs[0])};
    vt_shape shape = vt_shape_of(2, dims);
    vt_op_set_output(args, 0, VT_I64, &shape);
    return VT_OK;
}

static vt_status nonzero_reference(vt_op_args *args, vt_error *error)
{
    (void)error;
    const vt_tensor *x = &args->inputs[0];
    int64_t *out = args->outputs[0].data;
    size_t columns = (size_t)args->outputs[0].shape.dims[1], column = 0;
    size_t count = vt_tensor_count(x);
    for (size_t i = 0; i < count; i++) {
        if (!element_is_set(x, i))
            continue;
        size_t rest = i;
        for (int axis = x->shape.rank - 1; axis >= 0; axis--) {
            out[(size_t)axis * columns + column] = (int64_t)(rest % (size_t)x->shape.dims[axis]);
            rest /= (size_t)x->shape.dims[axis];
        }
        column++;
    }
    return VT_OK;
}

/* ---- Compress: slices along one axis, or elements, where a list of bool says so ---- */

/* The input seen as outer x length x inner. */
static vt_status compress_view(const vt_op_args *args, int *axis, size_t sizes[3], vt_error *error)
{
    const vt_shape *shape = &args->inputs[0].shape;
    *axis = -1;
    sizes[0] = sizes[2] = 1;
    sizes[1] = vt_tensor_count(&args->inputs[0]);
    if (vt_node_attr(args->node, "axis") == NULL)
        return VT_OK;
    vt_status status = vt_op_axis(vt_node_int(args->node, "axis", 0), shape->rank, axis, error);
    if (status != VT_OK)
        return status;
    sizes[0] = vt_shape_product(shape, 0, *axis);
    sizes[1] = (size_t)shape->dims[*axis];
    sizes[2] = vt_shape_product(shape, *axis + 1, shape->rank);
    return VT_OK;
}

static vt_status compress_infer(vt_op_args *args, vt_error *error)
{
    int axis = -1;
    size_t sizes[3];
    vt_shape shape = {.rank = 1};
    vt_status status = vt_op_check_type(args, 1, VT_TYPE(VT_BOOL), error);
    if (status == VT_OK)
        status = vt_op_check_rank(args, 1, 1, 1, error);
    if (status == VT_OK)
        status = select_known(args, 1, error);
    if (status == VT_OK)
        status = compress_view(args, &axis, sizes, error);
    if (status == VT_OK && vt_tensor_count(&args->inputs[1]) > sizes[1])
        status = vt_fail(error, VT_ERR_FORMAT, "a condition of %zu for %zu slices",
                         vt_tensor_count(&args->inputs[1]), sizes[1]);
    if (status != VT_OK)
        return status;
    if (axis >= 0)
        shape = args->inputs[0].shape;
    shape.dims[axis < 0 ? 0 : axis] = count_set(&args->inputs[1]);
    vt_op_set_output(args, 0, args->inputs[0].dtype, &shape);
    return VT_OK;
}

static vt_status compress_reference(vt_op_args *args, vt_error *error)
{
    const vt_tensor *x = &args->inputs[0], *condition = &args->inputs[1];
    int axis = -1;
    size_t sizes[3], bytes = vt_dtype_bytes(x->dtype), count = vt_tensor_count(condition);
    char *to = args->outputs[0].data;
    vt_status status = compress_view(args, &axis, sizes, error);
    if (status != VT_OK)
        return status;
    size_t slice = sizes[2] * bytes;
    for (size_t o = 0; o < sizes[0]; o++) {
        for (size_t k = 0; k < count; k++) {
            if (((const uint8_t *)condition->data)[k] == 0)
                continue;
            memcpy(to, (const char *)x->data + (o * sizes[1] + k) * slice, slice);
            to += slice;
        }
    }
    return VT_OK;
}

const vt_op vt_ops_select[] = {
    {"NonZero", "", 9, 0, 1, 1, 1, 1, .shape_inputs = 1u << 0, .infer = nonzero_infer,
     .reference = nonzero_reference},
    {"Compress", "", 9, 0, 2, 2, 1, 1, "axis:i", .shape_inputs = 1u << 1, .infer = compress_infer,
     .reference = compress_reference},
    {0},
};
