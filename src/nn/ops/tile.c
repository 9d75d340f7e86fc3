/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Tile: a tensor repeated along every axis.
 */
#include "nn/ops/op.h"
#include "nn/ops/table.h"

static vt_status tile_infer(vt_op_args *args, vt_error *error)
{
    vt_shape shape = args->inputs[0].shape;
    int64_t repeats[VT_MAX_RANK];
    int count = 0;
    vt_status status = vt_op_input_ints(args, 1, repeats, VT_MAX_RANK, &count, error);
    if (status == VT_OK && count != shape.rank)
        status = vt_fail(error, VT_ERR_FORMAT, "%d repeats for %d axes", count, shape.rank);
    for (int i = 0; i < shape.rank && status == VT_OK; i++) {
        if (repeats[i] < 0)
            status = vt_fail(error, VT_ERR_FORMAT, "axis %d is repeated %lld times", i,
                             (long long)repeats[i]);
        else if (__builtin_mul_overflow(shape.dims[i], repeats[i], &shape.dims[i]))
            status = vt_fail(error, VT_ERR_LIMIT, "axis %d would be too long", i);
    }
    if (status == VT_OK)
        vt_op_set_output(args, 0, args->inputs[0].dtype, &shape);
    return status;
}

/* Every axis becomes two, the repetition (which does not move in the source) and the original. */
static vt_status tile_reference(vt_op_args *args, vt_error *error)
{
    (void)error;
    const vt_tensor *x = &args->inputs[0];
    vt_tensor *y = &args->outputs[0];
    vt_copy copy = {.bytes = vt_dtype_bytes(x->dtype)};
    size_t from[VT_MAX_RANK], to[VT_MAX_RANK];
    vt_shape_strides(&x->shape, from);
    vt_shape_strides(&y->shape, to);
    for (int i = 0; i < x->shape.rank; i++) {
        int64_t length = x->shape.dims[i];
        copy.dims[copy.rank] = y->shape.dims[i] / length;
        copy.to[copy.rank++] = (int64_t)to[i] * length;
        copy.dims[copy.rank] = length;
        copy.from[copy.rank] = (int64_t)from[i];
        copy.to[copy.rank++] = (int64_t)to[i];
    }
    vt_copy_run(&copy, x->data, y->data);
    return VT_OK;
}

const vt_op vt_ops_tile[] = {
    {"Tile", "", 6, 0, 2, 2, 1, 1, .shape_inputs = 1u << 1, .infer = tile_infer,
     .reference = tile_reference},
    {0},
};
