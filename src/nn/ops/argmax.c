/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ArgMax and ArgMin: where along one axis the largest or smallest number is.
 *
 * Of equal numbers the first counts, or with select_last_index (opset 12) the last. The operator
 * leaves NaN open; as in NumPy, which its reference implementation calls, a NaN beats every number.
 */
#include "nn/ops/op.h"
#include "nn/ops/table.h"

#include <math.h>

static vt_status arg_infer(vt_op_args *args, vt_error *error)
{
    vt_shape shape = args->inputs[0].shape, kept = {0};
    int axis;
    vt_status status = vt_op_check_type(args, 0, VT_TYPES_NUMBER, error);
    if (status == VT_OK)
        status = vt_op_axis(vt_node_int(args->node, "axis", 0), shape.rank, &axis, error);
    if (status == VT_OK && shape.dims[axis] == 0)
        status = vt_fail(error, VT_ERR_FORMAT, "axis %d is empty, it has no largest number", axis);
    if (status != VT_OK)
        return status;
    bool keep = vt_node_int(args->node, "keepdims", 1) != 0;
    for (int i = 0; i < shape.rank; i++)
        if (keep || i != axis)
            kept.dims[kept.rank++] = i == axis ? 1 : shape.dims[i];
    vt_op_set_output(args, 0, VT_I64, &kept);
    return VT_OK;
}

/* a before b in the order that is asked for: 1 yes, 0 equal, -1 no. */
static int arg_compare(vt_number a, vt_number b, bool largest)
{
    int order = vt_number_compare(a, b);
    return largest || isnan(a.f64) || isnan(b.f64) ? order : -order;
}

static vt_status arg_run(vt_op_args *args, bool largest, vt_error *error)
{
    const vt_tensor *x = &args->inputs[0];
    int64_t *out = args->outputs[0].data;
    int axis;
    bool last = vt_node_int(args->node, "select_last_index", 0) != 0;
    vt_status status = vt_op_axis(vt_node_int(args->node, "axis", 0), x->shape.rank, &axis, error);
    if (status != VT_OK)
        return status;
    size_t outer = vt_shape_product(&x->shape, 0, axis), length = (size_t)x->shape.dims[axis];
    size_t inner = vt_shape_product(&x->shape, axis + 1, x->shape.rank);
    for (size_t row = 0; row < outer * inner; row++) {
        size_t base = row / inner * length * inner + row % inner, best = 0;
        vt_number most = vt_number_load(x, base);
        for (size_t k = 1; k < length; k++) {
            vt_number number = vt_number_load(x, base + k * inner);
            if (arg_compare(number, most, largest) < (last ? 0 : 1))
                continue;
            most = number;
            best = k;
        }
        out[row] = (int64_t)best;
    }
    return VT_OK;
}

static vt_status argmax_reference(vt_op_args *args, vt_error *error)
{
    return arg_run(args, true, error);
}

static vt_status argmin_reference(vt_op_args *args, vt_error *error)
{
    return arg_run(args, false, error);
}

#define ROW(name, since, until, attrs, reference_function)                                         \
    {                                                                                              \
        name, "", since, until, 1, 1, 1, 1, attrs, .infer = arg_infer,                             \
                                                   .reference = reference_function                 \
    }
#define LAST "axis:i keepdims:i select_last_index:i"

const vt_op vt_ops_argmax[] = {
    ROW("ArgMax", 1, 11, "axis:i keepdims:i", argmax_reference),
    ROW("ArgMax", 12, 0, LAST, argmax_reference),
    ROW("ArgMin", 1, 11, "axis:i keepdims:i", argmin_reference),
    ROW("ArgMin", 12, 0, LAST, argmin_reference),
    {0},
};
