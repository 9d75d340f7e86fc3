/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Cast and CastLike: to another type, by the rules in tensor_cast.c.
 */
#include "nn/ops/op.h"
#include "nn/ops/table.h"

static vt_status cast_infer_to(vt_op_args *args, int64_t to, vt_error *error)
{
    if (to < 0 || to > VT_BF16 || vt_dtype_bytes((vt_dtype)to) == 0)
        return vt_fail(error, VT_ERR_UNSUPPORTED, "target type %lld is not supported",
                       (long long)to);
    vt_op_set_output(args, 0, (vt_dtype)to, &args->inputs[0].shape);
    return VT_OK;
}

static vt_status cast_infer(vt_op_args *args, vt_error *error)
{
    return cast_infer_to(args, vt_node_int(args->node, "to", 0), error);
}

static vt_status cast_like_infer(vt_op_args *args, vt_error *error)
{
    return cast_infer_to(args, (int64_t)args->inputs[1].dtype, error);
}

static vt_status cast_reference(vt_op_args *args, vt_error *error)
{
    (void)error;
    vt_tensor_cast_into(&args->inputs[0], &args->outputs[0]);
    return VT_OK;
}

const vt_op vt_ops_cast[] = {
    {"Cast", "", 6, 18, 1, 1, 1, 1, "to:i!", .infer = cast_infer, .reference = cast_reference},
    {"Cast", "", 19, 23, 1, 1, 1, 1, "to:i! saturate:i", .infer = cast_infer,
     .reference = cast_reference},
    {"Cast", "", 24, 0, 1, 1, 1, 1, "to:i! saturate:i round_mode:s", .infer = cast_infer,
     .reference = cast_reference},
    {"CastLike", "", 15, 18, 2, 2, 1, 1, .infer = cast_like_infer, .reference = cast_reference},
    {"CastLike", "", 19, 0, 2, 2, 1, 1, "saturate:i round_mode:s", .infer = cast_like_infer,
     .reference = cast_reference},
    {0},
};
