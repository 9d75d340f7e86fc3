/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ConstantOfShape: one number, f32 zero by default, in a shape that the input gives.
 */
#include "nn/ops/op.h"
#include "nn/ops/table.h"

#include <string.h>

static vt_status constant_of_shape_infer(vt_op_args *args, vt_error *error)
{
    vt_shape shape = {0};
    const vt_attr *value = vt_node_attr(args->node, "value");
    vt_status status = vt_op_input_ints(args, 0, shape.dims, VT_MAX_RANK, &shape.rank, error);
    if (status == VT_OK && value != NULL && vt_tensor_count(value->tensor) != 1)
        status = vt_fail(error, VT_ERR_FORMAT, "attribute \"value\" is not a single number");
    for (int i = 0; i < shape.rank && status == VT_OK; i++)
        if (shape.dims[i] < 0)
            status = vt_fail(error, VT_ERR_FORMAT, "dimension %d would be %lld", i,
                             (long long)shape.dims[i]);
    if (status == VT_OK)
        vt_op_set_output(args, 0, value == NULL ? VT_F32 : value->tensor->dtype, &shape);
    return status;
}

static vt_status constant_of_shape_reference(vt_op_args *args, vt_error *error)
{
    (void)error;
    const vt_attr *value = vt_node_attr(args->node, "value");
    vt_tensor *y = &args->outputs[0];
    size_t count = vt_tensor_count(y), bytes = vt_dtype_bytes(y->dtype);
    if (value == NULL)
        memset(y->data, 0, y->bytes);
    for (size_t i = 0; i < count && value != NULL; i++)
        memcpy((char *)y->data + i * bytes, value->tensor->data, bytes);
    return VT_OK;
}

const vt_op vt_ops_constant_of_shape[] = {
    {"ConstantOfShape", "", 9, 0, 1, 1, 1, 1, "value:t", .shape_inputs = 1u << 0,
     .infer = constant_of_shape_infer, .reference = constant_of_shape_reference},
    {0},
};
