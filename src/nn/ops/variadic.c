/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Elementwise operators of any number of inputs with broadcasting: Min, Max, Sum, Mean.
 *
 * Opset 7 wants equal shapes, 8 and later broadcast; equal shapes are a case of that.
 */
#include "nn/ops/op.h"
#include "nn/ops/table.h"

#include <math.h>

typedef enum variadic_kind { KIND_MIN, KIND_MAX, KIND_SUM, KIND_MEAN } variadic_kind;

static vt_status variadic_infer(vt_op_args *args, unsigned types, vt_error *error)
{
    vt_status status = vt_op_check_same(args, types, error);
    vt_shape shape = args->inputs[0].shape;
    for (size_t i = 1; i < args->node->input_count && status == VT_OK; i++) {
        if (vt_op_input(args, i) == NULL)
            return vt_fail(error, VT_ERR_FORMAT, "input %zu is left out", i);
        status = vt_broadcast_shape(&shape, &args->inputs[i].shape, error);
    }
    if (status == VT_OK)
        vt_op_set_output(args, 0, args->inputs[0].dtype, &shape);
    return status;
}

static vt_status infer_float(vt_op_args *args, vt_error *error)
{
    return variadic_infer(args, VT_TYPES_FLOAT, error);
}

static vt_status infer_number(vt_op_args *args, vt_error *error)
{
    return variadic_infer(args, VT_TYPES_NUMBER, error);
}

/* NaN wins, as in NumPy. */
static void combine_f64(variadic_kind kind, double *sum, const double *x, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (kind == KIND_MIN)
            sum[i] = x[i] < sum[i] || isnan(x[i]) ? x[i] : sum[i];
        else if (kind == KIND_MAX)
            sum[i] = x[i] > sum[i] || isnan(x[i]) ? x[i] : sum[i];
        else
            sum[i] += x[i];
    }
}

static void combine_i64(variadic_kind kind, bool is_signed, int64_t *best, const int64_t *x,
                        size_t count)
{
    for (size_t i = 0; i < count; i++) {
        bool less = is_signed ? x[i] < best[i] : (uint64_t)x[i] < (uint64_t)best[i];
        if (x[i] != best[i] && less == (kind == KIND_MIN))
            best[i] = x[i];
    }
}

static void variadic_part_f64(vt_op_args *args, variadic_kind kind, size_t start, size_t count)
{
    double sum[VT_RUN], x[VT_RUN];
    size_t index[VT_RUN];
    vt_tensor *y = &args->outputs[0];
    for (size_t k = 0; k < args->node->input_count; k++) {
        vt_broadcast broadcast;
        vt_broadcast_init(&broadcast, &args->inputs[k].shape, &y->shape);
        vt_broadcast_indices(&broadcast, start, count, index);
        vt_gather_f64(y->dtype, args->inputs[k].data, index, count, k == 0 ? sum : x);
        if (k > 0)
            combine_f64(kind, sum, x, count);
    }
    for (size_t i = 0; i < count && kind == KIND_MEAN; i++)
        sum[i] /= (double)args->node->input_count;
    vt_store_f64(y->dtype, y->data, start, count, sum);
}

static void variadic_part_i64(vt_op_args *args, variadic_kind kind, size_t start, size_t count)
{
    int64_t best[VT_RUN], x[VT_RUN];
    size_t index[VT_RUN];
    vt_tensor *y = &args->outputs[0];
    bool is_signed = (VT_TYPE(y->dtype) & VT_TYPES_SIGNED) != 0;
    for (size_t k = 0; k < args->node->input_count; k++) {
        vt_broadcast broadcast;
        vt_broadcast_init(&broadcast, &args->inputs[k].shape, &y->shape);
        vt_broadcast_indices(&broadcast, start, count, index);
        vt_gather_i64(y->dtype, args->inputs[k].data, index, count, k == 0 ? best : x);
        if (k > 0)
            combine_i64(kind, is_signed, best, x, count);
    }
    vt_store_i64(y->dtype, y->data, start, count, best);
}

static vt_status variadic_run(vt_op_args *args, variadic_kind kind)
{
    size_t count = vt_tensor_count(&args->outputs[0]);
    bool is_float = vt_dtype_is_float(args->outputs[0].dtype);
    for (size_t start = 0; start < count; start += VT_RUN) {
        size_t part = count - start < VT_RUN ? count - start : VT_RUN;
        if (is_float)
            variadic_part_f64(args, kind, start, part);
        else
            variadic_part_i64(args, kind, start, part);
    }
    return VT_OK;
}

#define REFERENCE(name, kind)                                                                      \
    static vt_status name##_reference(vt_op_args *args, vt_error *error)                           \
    {                                                                                              \
        (void)error;                                                                               \
        return variadic_run(args, kind);                                                           \
    }
REFERENCE(min, KIND_MIN)
REFERENCE(max, KIND_MAX)
REFERENCE(sum, KIND_SUM)
REFERENCE(mean, KIND_MEAN)

const vt_op vt_ops_variadic[] = {
    {"Min", "", 6, 0, 1, -1, 1, 1, .infer = infer_number, .reference = min_reference},
    {"Max", "", 6, 0, 1, -1, 1, 1, .infer = infer_number, .reference = max_reference},
    {"Sum", "", 6, 0, 1, -1, 1, 1, .infer = infer_float, .reference = sum_reference},
    {"Mean", "", 6, 0, 1, -1, 1, 1, .infer = infer_float, .reference = mean_reference},
    {0},
};
