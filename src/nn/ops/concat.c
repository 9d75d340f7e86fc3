/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Concat: tensors of any type joined along one axis.
 */
#include "nn/ops/op.h"
#include "nn/ops/table.h"

#include <string.h>

static vt_status concat_infer(vt_op_args *args, vt_error *error)
{
    vt_shape shape = args->inputs[0].shape;
    int axis;
    vt_status status = vt_op_check_same(args, VT_TYPES_ALL, error);
    if (status == VT_OK)
        status = vt_op_axis(vt_node_int(args->node, "axis", 0), shape.rank, &axis, error);
    for (size_t i = 1; i < args->node->input_count && status == VT_OK; i++) {
        const vt_tensor *input = vt_op_input(args, i);
        bool fits = input != NULL && input->shape.rank == shape.rank;
        for (int d = 0; fits && d < shape.rank; d++)
            fits = d == axis || input->shape.dims[d] == shape.dims[d];
        if (!fits)
            return vt_fail(error, VT_ERR_FORMAT, "input %zu does not fit input 0 beside axis %d", i,
                           axis);
        if (__builtin_add_overflow(shape.dims[axis], input->shape.dims[axis], &shape.dims[axis]))
            return vt_fail(error, VT_ERR_LIMIT, "the inputs are too long together");
    }
    if (status == VT_OK)
        vt_op_set_output(args, 0, args->inputs[0].dtype, &shape);
    return status;
}

static vt_status concat_reference(vt_op_args *args, vt_error *error)
{
    vt_tensor *y = &args->outputs[0];
    int axis;
    vt_status status = vt_op_axis(vt_node_int(args->node, "axis", 0), y->shape.rank, &axis, error);
    if (status != VT_OK)
        return status;
    size_t outer = vt_shape_product(&y->shape, 0, axis), row = y->bytes / outer, offset = 0;
    for (size_t i = 0; i < args->node->input_count; i++) {
        const vt_tensor *x = &args->inputs[i];
        size_t part = vt_shape_product(&x->shape, axis, x->shape.rank) * vt_dtype_bytes(x->dtype);
        for (size_t k = 0; k < outer && part > 0; k++)
            memcpy((char *)y->data + k * row + offset, (const char *)x->data + k * part, part);
        offset += part;
    }
    return VT_OK;
}

const vt_op vt_ops_concat[] = {
    {"Concat", "", 4, 0, 1, -1, 1, 1, "axis:i!", .infer = concat_infer,
     .reference = concat_reference},
    {0},
};
