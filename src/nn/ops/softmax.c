/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Softmax, LogSoftmax, Hardmax.
 *
 * Until opset 12 the tensor is seen as a matrix, everything from `axis` on being one row; from 13
 * on one axis alone is normalised. Both are a run of numbers at some stride here. The maximum is
 * subtracted first, so large inputs do not overflow.
 */
#include "nn/ops/op.h"
#include "nn/ops/table.h"

#include <math.h>

typedef void normalise(double *x, size_t count);

static vt_status softmax_axis(const vt_op_args *args, int *axis, vt_error *error)
{
    return vt_op_axis(vt_node_int(args->node, "axis", args->node->opset < 13 ? 1 : -1),
                      args->inputs[0].shape.rank, axis, error);
}

static vt_status softmax_infer(vt_op_args *args, vt_error *error)
{
    int axis;
    vt_status status = vt_op_check_type(args, 0, VT_TYPES_FLOAT, error);
    if (status == VT_OK)
        status = softmax_axis(args, &axis, error);
    if (status == VT_OK)
        vt_op_set_output(args, 0, args->inputs[0].dtype, &args->inputs[0].shape);
    return status;
}

static double maximum_of(const double *x, size_t count)
{
    double maximum = x[0];
    for (size_t i = 1; i < count; i++)
        maximum = x[i] > maximum ? x[i] : maximum;
    return maximum;
}

static void normalise_soft(double *x, size_t count)
{
    double maximum = maximum_of(x, count), sum = 0.0;
    for (size_t i = 0; i < count; i++)
        sum += x[i] = exp(x[i] - maximum);
    for (size_t i = 0; i < count; i++)
        x[i] /= sum;
}

static void normalise_log(double *x, size_t count)
{
    double maximum = maximum_of(x, count), sum = 0.0;
    for (size_t i = 0; i < count; i++)
        sum += exp(x[i] - maximum);
    for (size_t i = 0; i < count; i++)
        x[i] = x[i] - maximum - log(sum);
}

/* The first of equal maxima gets the 1. */
static void normalise_hard(double *x, size_t count)
{
    double maximum = maximum_of(x, count);
    bool found = false;
    for (size_t i = 0; i < count; i++) {
        bool here = !found && x[i] == maximum;
        x[i] = here ? 1.0 : 0.0;
        found = found || here;
    }
}

static vt_status softmax_run(vt_op_args *args, normalise *function, vt_error *error)
{
    const vt_tensor *x = &args->inputs[0];
    vt_tensor *y = &args->outputs[0];
    int axis;
    vt_status status = softmax_axis(args, &axis, error);
    if (status != VT_OK)
        return status;
    int end = args->node->opset < 13 ? x->shape.rank : axis + 1;
    size_t length = vt_shape_product(&x->shape, axis, end);
    size_t stride = vt_shape_product(&x->shape, end, x->shape.rank);
    size_t rows = vt_tensor_count(x) / length;
    double *row = vt_alloc_array(length, sizeof(*row));
    if (row == NULL)
        return vt_fail_memory(error, "a row of a tensor");
    for (size_t r = 0; r < rows; r++) {
        size_t base = r / stride * length * stride + r % stride;
        for (size_t i = 0; i < length; i++)
            row[i] = vt_tensor_get(x, base + i * stride);
        function(row, length);
        for (size_t i = 0; i < length; i++)
            vt_store_f64(y->dtype, y->data, base + i * stride, 1, &row[i]);
    }
    vt_free(row);
    return VT_OK;
}

static vt_status soft_reference(vt_op_args *args, vt_error *error)
{
    return softmax_run(args, normalise_soft, error);
}

static vt_status log_reference(vt_op_args *args, vt_error *error)
{
    return softmax_run(args, normalise_log, error);
}

static vt_status hard_reference(vt_op_args *args, vt_error *error)
{
    return softmax_run(args, normalise_hard, error);
}

const vt_op vt_ops_softmax[] = {
    {"Softmax", "", 1, 0, 1, 1, 1, 1, "axis:i", .infer = softmax_infer,
     .reference = soft_reference},
    {"LogSoftmax", "", 1, 0, 1, 1, 1, 1, "axis:i", .infer = softmax_infer,
     .reference = log_reference},
    {"Hardmax", "", 1, 0, 1, 1, 1, 1, "axis:i", .infer = softmax_infer,
     .reference = hard_reference},
    {0},
};
