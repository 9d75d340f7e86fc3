/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Squeeze and Unsqueeze: axes of size 1 taken out and put in; axes from an attribute until opset
 * 12, from input 1 after.
 */
#include "nn/ops/op.h"
#include "nn/ops/table.h"

#include <string.h>

static vt_status squeeze_infer(vt_op_args *args, vt_error *error)
{
    const vt_shape *from = &args->inputs[0].shape;
    vt_shape to = {0};
    int64_t axes[VT_MAX_RANK];
    bool marks[VT_MAX_RANK];
    int count;
    vt_status status = vt_op_ints(args, 1, "axes", axes, VT_MAX_RANK, &count, error);
    if (status == VT_OK)
        status = vt_op_axes(axes, count, from->rank, marks, error);
    for (int i = 0; i < from->rank && status == VT_OK; i++) {
        bool out = count < 0 ? from->dims[i] == 1 : marks[i];
        if (out && from->dims[i] != 1)
            status = vt_fail(error, VT_ERR_FORMAT, "axis %d has size %lld, not 1", i,
                             (long long)from->dims[i]);
        if (!out)
            to.dims[to.rank++] = from->dims[i];
    }
    if (status == VT_OK)
        vt_op_set_output(args, 0, args->inputs[0].dtype, &to);
    return status;
}

static vt_status unsqueeze_infer(vt_op_args *args, vt_error *error)
{
    const vt_shape *from = &args->inputs[0].shape;
    int64_t axes[VT_MAX_RANK];
    bool marks[VT_MAX_RANK];
    int count, next = 0;
    vt_status status = vt_op_ints(args, 1, "axes", axes, VT_MAX_RANK, &count, error);
    if (status != VT_OK)
        return status;
    vt_shape to = {.rank = from->rank + count};
    if (count < 0 || to.rank > VT_MAX_RANK)
        return vt_fail(error, VT_ERR_UNSUPPORTED, "the result would have %d dimensions, at most %d",
                       to.rank, VT_MAX_RANK);
    status = vt_op_axes(axes, count, to.rank, marks, error);
    if (status != VT_OK)
        return status;
    for (int i = 0; i < to.rank; i++)
        to.dims[i] = marks[i] ? 1 : from->dims[next++];
    vt_op_set_output(args, 0, args->inputs[0].dtype, &to);
    return VT_OK;
}

static vt_status copy_reference(vt_op_args *args, vt_error *error)
{
    (void)error;
    memcpy(args->outputs[0].data, args->inputs[0].data, args->outputs[0].bytes);
    return VT_OK;
}

const vt_op vt_ops_squeeze[] = {
    {"Squeeze", "", 1, 12, 1, 1, 1, 1, "axes:I", .infer = squeeze_infer,
     .reference = copy_reference},
    {"Squeeze", "", 13, 0, 1, 2, 1, 1, .shape_inputs = 1u << 1, .infer = squeeze_infer,
     .reference = copy_reference},
    {"Unsqueeze", "", 1, 12, 1, 1, 1, 1, "axes:I!", .infer = unsqueeze_infer,
     .reference = copy_reference},
    {"Unsqueeze", "", 13, 0, 2, 2, 1, 1, .shape_inputs = 1u << 1, .infer = unsqueeze_infer,
     .reference = copy_reference},
    {0},
};
