/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Identity: the input, unchanged.
 */
#include "nn/ops/op.h"
#include "nn/ops/table.h"

#include <string.h>

static vt_status identity_infer(vt_op_args *args, vt_error *error)
{
    (void)error;
    vt_op_set_output(args, 0, args->inputs[0].dtype, &args->inputs[0].shape);
    return VT_OK;
}

static vt_status identity_reference(vt_op_args *args, vt_error *error)
{
    (void)error;
    memcpy(args->outputs[0].data, args->inputs[0].data, args->outputs[0].bytes);
    return VT_OK;
}

const vt_op vt_ops_identity[] = {
    {"Identity", "", 1, 0, 1, 1, 1, 1, .infer = identity_infer, .reference = identity_reference},
    {0},
};
