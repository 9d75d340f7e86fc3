/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ReverseSequence: of every sequence of a batch its first elements, as many as its length says,
 * backwards.
 */
#include "nn/ops/op.h"
#include "nn/ops/table.h"

#include <string.h>

/* One of the axes is 0 and the other 1. */
static vt_status reverse_axes(const vt_op_args *args, int *time, vt_error *error)
{
    int64_t batch = vt_node_int(args->node, "batch_axis", 1);
    int64_t given = vt_node_int(args->node, "time_axis", 0);
    if (!(batch == 0 && given == 1) && !(batch == 1 && given == 0))
        return vt_fail(error, VT_ERR_FORMAT, "batch axis %lld and time axis %lld are not 0 and 1",
                       (long long)batch, (long long)given);
    *time = (int)given;
    return VT_OK;
}

static vt_status reverse_infer(vt_op_args *args, vt_error *error)
{
    const vt_shape *shape = &args->inputs[0].shape, *lengths = &args->inputs[1].shape;
    int time = 0;
    vt_status status = vt_op_check_rank(args, 0, 2, VT_MAX_RANK, error);
    if (status == VT_OK)
        status = vt_op_check_type(args, 1, VT_TYPE(VT_I64), error);
    if (status == VT_OK)
        status = reverse_axes(args, &time, error);
    if (status == VT_OK && (lengths->rank != 1 || lengths->dims[0] != shape->dims[1 - time]))
        status = vt_fail(error, VT_ERR_FORMAT, "the lengths are not one per sequence");
    if (status == VT_OK)
        vt_op_set_output(args, 0, args->inputs[0].dtype, shape);
    return status;
}

static vt_status reverse_reference(vt_op_args *args, vt_error *error)
{
    const vt_tensor *x = &args->inputs[0];
    const int64_t *lengths = args->inputs[1].data;
    int time = 0;
    vt_status status = reverse_axes(args, &time, error);
    if (status != VT_OK)
        return status;
    size_t part = vt_shape_product(&x->shape, 2, x->shape.rank) * vt_dtype_bytes(x->dtype);
    int64_t steps = x->shape.dims[time], batch = x->shape.dims[1 - time];
    for (int64_t b = 0; b < batch; b++) {
        if (lengths[b] < 0 || lengths[b] > steps)
            return vt_fail(error, VT_ERR_FORMAT, "sequence %lld has length %lld of %lld",
                           (long long)b, (long long)lengths[b], (long long)steps);
        for (int64_t t = 0; t < steps; t++) {
            int64_t source = t < lengths[b] ? lengths[b] - 1 - t : t;
            int64_t from = time == 0 ? source * batch + b : b * steps + source;
            int64_t to = time == 0 ? t * batch + b : b * steps + t;
            memcpy((char *)args->outputs[0].data + (size_t)to * part,
                   (const char *)x->data + (size_t)from * part, part);
        }
    }
    return VT_OK;
}

const vt_op vt_ops_reverse_sequence[] = {
    {"ReverseSequence", "", 10, 0, 2, 2, 1, 1, "batch_axis:i time_axis:i", .infer = reverse_infer,
     .reference = reverse_reference},
    {0},
};
