/* SPDX-License-Identifier: Apache-2.0 */
/*
 * CumSum and CumProd: along one axis the sum or product of everything up to each number, with or
 * (exclusive) without itself, from the front or (reverse) from the back.
 *
 * Floats accumulate in f64 and are rounded once per result; integers wrap.
 */
#include "nn/ops/op.h"
#include "nn/ops/table.h"

enum {
    CUMULATE_TYPES = VT_TYPES_FLOAT | VT_TYPES_INDEX | VT_TYPE(VT_U32) | VT_TYPE(VT_U64),
};

static vt_status cumulate_infer(vt_op_args *args, vt_error *error)
{
    vt_status status = vt_op_check_type(args, 0, CUMULATE_TYPES, error);
    if (status == VT_OK)
        status = vt_op_check_type(args, 1, VT_TYPES_INDEX, error);
    if (status == VT_OK)
        status = vt_op_check_rank(args, 1, 0, 1, error);
    if (status == VT_OK && vt_tensor_count(&args->inputs[1]) != 1)
        status = vt_fail(error, VT_ERR_FORMAT, "the axis is not a single number");
    if (status == VT_OK)
        vt_op_set_output(args, 0, args->inputs[0].dtype, &args->inputs[0].shape);
    return status;
}

/* One run of numbers: places base, base + step, ... */
typedef struct cumulate_row {
    size_t base, stride, length;
    bool product, exclusive, reverse;
} cumulate_row;

static void row_f64(const cumulate_row *row, const vt_tensor *x, vt_tensor *y)
{
    double sum = row->product ? 1.0 : 0.0;
    for (size_t k = 0; k < row->length; k++) {
        size_t place = row->base + (row->reverse ? row->length - 1 - k : k) * row->stride;
        double next = vt_tensor_get(x, place);
        next = row->product ? sum * next : sum + next;
        vt_store_f64(y->dtype, y->data, place, 1, row->exclusive ? &sum : &next);
        sum = next;
    }
}

static void row_i64(const cumulate_row *row, const vt_tensor *x, vt_tensor *y)
{
    int64_t sum = row->product ? 1 : 0, next;
    for (size_t k = 0; k < row->length; k++) {
        size_t place = row->base + (row->reverse ? row->length - 1 - k : k) * row->stride;
        vt_load_i64(x->dtype, x->data, place, 1, &next);
        next = (int64_t)(row->product ? (uint64_t)sum * (uint64_t)next
                                      : (uint64_t)sum + (uint64_t)next);
        vt_store_i64(y->dtype, y->data, place, 1, row->exclusive ? &sum : &next);
        sum = next;
    }
}

static vt_status cumulate_run(vt_op_args *args, bool product, vt_error *error)
{
    const vt_tensor *x = &args->inputs[0];
    int64_t given;
    int axis;
    vt_load_i64(args->inputs[1].dtype, args->inputs[1].data, 0, 1, &given);
    vt_status status = vt_op_axis(given, x->shape.rank, &axis, error);
    if (status != VT_OK)
        return status;
    cumulate_row row = {.length = (size_t)x->shape.dims[axis],
                        .stride = vt_shape_product(&x->shape, axis + 1, x->shape.rank),
                        .product = product,
                        .exclusive = vt_node_int(args->node, "exclusive", 0) != 0,
                        .reverse = vt_node_int(args->node, "reverse", 0) != 0};
    size_t rows = vt_shape_product(&x->shape, 0, axis) * row.stride;
    for (size_t r = 0; r < rows; r++) {
        row.base = r / row.stride * row.length * row.stride + r % row.stride;
        if (vt_dtype_is_float(x->dtype))
            row_f64(&row, x, &args->outputs[0]);
        else
            row_i64(&row, x, &args->outputs[0]);
    }
    return VT_OK;
}

static vt_status cumsum_reference(vt_op_args *args, vt_error *error)
{
    return cumulate_run(args, false, error);
}

static vt_status cumprod_reference(vt_op_args *args, vt_error *error)
{
    return cumulate_run(args, true, error);
}

const vt_op vt_ops_cumulate[] = {
    {"CumSum", "", 11, 0, 2, 2, 1, 1, "exclusive:i reverse:i", .infer = cumulate_infer,
     .reference = cumsum_reference},
    {"CumProd", "", 26, 0, 2, 2, 1, 1, "exclusive:i reverse:i", .infer = cumulate_infer,
     .reference = cumprod_reference},
    {0},
};
