/* SPDX-License-Identifier: Apache-2.0 */
/*
 * CenterCropPad: axes brought to the lengths that input 1 gives, by cutting or adding zeros equally
 * at both ends; of an odd difference the larger half is at the end.
 */
#include "nn/ops/op.h"
#include "nn/ops/table.h"

static vt_status crop_infer(vt_op_args *args, vt_error *error)
{
    vt_shape shape = args->inputs[0].shape;
    int64_t axes[VT_MAX_RANK], lengths[VT_MAX_RANK];
    bool marks[VT_MAX_RANK];
    int count = 0, named = vt_node_ints(args->node, "axes", axes, VT_MAX_RANK);
    vt_status status = vt_op_input_ints(args, 1, lengths, VT_MAX_RANK, &count, error);
    for (int i = 0; i < shape.rank && named < 0; i++)
        axes[i] = i;
    named = named < 0 ? shape.rank : named;
    if (status == VT_OK && (count != named || named > VT_MAX_RANK))
        status = vt_fail(error, VT_ERR_FORMAT, "%d lengths for %d axes", count, named);
    if (status == VT_OK)
        status = vt_op_axes(axes, named, shape.rank, marks, error);
    for (int i = 0; i < named && status == VT_OK; i++) {
        int axis = 0;
        status = vt_op_axis(axes[i], shape.rank, &axis, error);
        if (status == VT_OK && lengths[i] < 0)
            status = vt_fail(error, VT_ERR_FORMAT, "axis %d would have length %lld", axis,
                             (long long)lengths[i]);
        shape.dims[axis] = lengths[i];
    }
    if (status == VT_OK)
        vt_op_set_output(args, 0, args->inputs[0].dtype, &shape);
    return status;
}

static vt_status crop_reference(vt_op_args *args, vt_error *error)
{
    const vt_tensor *x = &args->inputs[0];
    const uint8_t zero[8] = {0};
    vt_picks picks;
    vt_status status = vt_picks_init(&picks, &args->outputs[0].shape, error);
    if (status != VT_OK)
        return status;
    for (int i = 0; i < picks.rank; i++) {
        int64_t have = x->shape.dims[i], want = picks.dims[i];
        int64_t shift = have > want ? (have - want) / 2 : -((want - have) / 2);
        for (int64_t k = 0; k < want; k++)
            picks.lists[i][k] = k + shift >= 0 && k + shift < have ? k + shift : -1;
    }
    vt_pick_run(&picks, x, zero, args->outputs[0].data);
    vt_picks_deinit(&picks);
    return VT_OK;
}

const vt_op vt_ops_center_crop_pad[] = {
    {"CenterCropPad", "", 18, 0, 2, 2, 1, 1, "axes:I", .shape_inputs = 1u << 1, .infer = crop_infer,
     .reference = crop_reference},
    {0},
};
