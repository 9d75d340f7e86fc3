/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Shape and Size: what a tensor's dimensions are, as i64. They never read the tensor's data, so
 * plans fold them even for computed values.
 */
#include "nn/ops/op.h"
#include "nn/ops/table.h"

/* The half-open range of axes that start and end (opset 15) choose. */
static void shape_range(const vt_op_args *args, int *from, int *to)
{
    int64_t rank = args->inputs[0].shape.rank, limits[2];
    limits[0] = vt_node_int(args->node, "start", 0);
    limits[1] = vt_node_int(args->node, "end", rank);
    for (int i = 0; i < 2; i++) {
        limits[i] += limits[i] < 0 ? rank : 0;
        limits[i] = limits[i] < 0 ? 0 : (limits[i] > rank ? rank : limits[i]);
    }
    *from = (int)limits[0];
    *to = (int)(limits[1] < limits[0] ? limits[0] : limits[1]);
}

static vt_status shape_infer(vt_op_args *args, vt_error *error)
{
    (void)error;
    int from, to;
    shape_range(args, &from, &to);
    vt_shape shape = vt_shape_of(1, (const int64_t[]){to - from});
    vt_op_set_output(args, 0, VT_I64, &shape);
    return VT_OK;
}

static vt_status shape_reference(vt_op_args *args, vt_error *error)
{
    (void)error;
    int from, to;
    shape_range(args, &from, &to);
    vt_store_i64(VT_I64, args->outputs[0].data, 0, (size_t)(to - from),
                 args->inputs[0].shape.dims + from);
    return VT_OK;
}

static vt_status size_infer(vt_op_args *args, vt_error *error)
{
    (void)error;
    vt_op_set_output(args, 0, VT_I64, &(vt_shape){0});
    return VT_OK;
}

static vt_status size_reference(vt_op_args *args, vt_error *error)
{
    (void)error;
    int64_t count = (int64_t)vt_tensor_count(&args->inputs[0]);
    vt_store_i64(VT_I64, args->outputs[0].data, 0, 1, &count);
    return VT_OK;
}

#define ROW(name, since, until, attrs, infer_function, reference_function)                         \
    {                                                                                              \
        name, "", since, until, 1, 1, 1, 1, attrs,                                                 \
            .flags = VT_OP_SHAPE_ONLY, .infer = infer_function, .reference = reference_function    \
    }

const vt_op vt_ops_shape[] = {
    ROW("Shape", 1, 14, NULL, shape_infer, shape_reference),
    ROW("Shape", 15, 0, "start:i end:i", shape_infer, shape_reference),
    ROW("Size", 1, 0, NULL, size_infer, size_reference),
    {0},
};
