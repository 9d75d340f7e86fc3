/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The Reduce family: Sum, Mean, Max, Min, Prod, L1, L2, SumSquare, LogSum, LogSumExp.
 *
 * Axes come from an attribute, or from input 1 (ReduceSum from opset 13, the others from 18). An
 * empty set gives the neutral element. With noop_with_empty_axes and no axes the reduction is over
 * no axis at all, so each element is reduced alone. The reference runs once over the input and adds
 * each element to its result; whole-number results of integers are exact (64 bits, wrapping).
 */
#include "nn/ops/op.h"
#include "nn/ops/table.h"

#include <math.h>

typedef enum reduce_kind {
    REDUCE_SUM,
    REDUCE_MEAN,
    REDUCE_MAX,
    REDUCE_MIN,
    REDUCE_PROD,
    REDUCE_L1,
    REDUCE_L2,
    REDUCE_SUM_SQUARE,
    REDUCE_LOG_SUM,
    REDUCE_LOG_SUM_EXP,
} reduce_kind;

/* The result's shape with reduced axes kept as 1. */
static vt_status reduce_shape(const vt_op_args *args, vt_shape *kept, bool marks[VT_MAX_RANK],
                              vt_error *error)
{
    int64_t axes[VT_MAX_RANK];
    int count;
    const vt_shape *shape = &args->inputs[0].shape;
    vt_status status = vt_op_ints(args, 1, "axes", axes, VT_MAX_RANK, &count, error);
    if (status == VT_OK)
        status = vt_op_axes(axes, count, shape->rank, marks, error);
    if (status != VT_OK)
        return status;
    *kept = *shape;
    bool all = count <= 0 && vt_node_int(args->node, "noop_with_empty_axes", 0) == 0;
    for (int i = 0; i < shape->rank; i++) {
        marks[i] = marks[i] || all;
        if (marks[i])
            kept->dims[i] = 1;
    }
    return VT_OK;
}

static vt_status reduce_infer(vt_op_args *args, unsigned types, vt_error *error)
{
    bool marks[VT_MAX_RANK];
    vt_shape kept, result = {0};
    vt_status status = vt_op_check_type(args, 0, types, error);
    if (status == VT_OK)
        status = reduce_shape(args, &kept, marks, error);
    if (status != VT_OK)
        return status;
    bool keep = vt_node_int(args->node, "keepdims", 1) != 0;
    for (int i = 0; i < kept.rank; i++)
        if (keep || !marks[i])
            result.dims[result.rank++] = kept.dims[i];
    vt_op_set_output(args, 0, args->inputs[0].dtype, &result);
    return VT_OK;
}

static vt_status infer_number(vt_op_args *args, vt_error *error)
{
    return reduce_infer(args, VT_TYPES_NUMBER, error);
}

/* Max and Min take bool from opset 20 on. */
static vt_status infer_order(vt_op_args *args, vt_error *error)
{
    return reduce_infer(args, args->node->opset < 20 ? VT_TYPES_NUMBER : VT_TYPES_ALL, error);
}

/* Each input element's place among the results: the results repeated along the reduced axes. */
static void reduce_places(const vt_op_args *args, const vt_shape *kept, vt_broadcast *places)
{
    vt_broadcast_init(places, kept, &args->inputs[0].shape);
}

/* ---- floating point ---- */

static double start_f64(reduce_kind kind)
{
    if (kind == REDUCE_PROD)
        return 1.0;
    if (kind == REDUCE_MAX)
        return -INFINITY;
    return kind == REDUCE_MIN ? INFINITY : 0.0;
}

static void add_f64(reduce_kind kind, double *sum, double x)
{
    switch (kind) {
    case REDUCE_SUM:
    case REDUCE_MEAN:
    case REDUCE_LOG_SUM:
        *sum += x;
        break;
    case REDUCE_MAX:
        *sum = x > *sum || isnan(x) ? x : *sum;
        break;
    case REDUCE_MIN:
        *sum = x < *sum || isnan(x) ? x : *sum;
        break;
    case REDUCE_PROD:
        *sum *= x;
        break;
    case REDUCE_L1:
        *sum += fabs(x);
        break;
    case REDUCE_L2:
    case REDUCE_SUM_SQUARE:
        *sum += x * x;
        break;
    case REDUCE_LOG_SUM_EXP:
        *sum += exp(x);
        break;
    }
}

static double finish_f64(reduce_kind kind, double sum, double shift, double count)
{
    switch (kind) {
    case REDUCE_MEAN:
        return sum / count;
    case REDUCE_L2:
        return sqrt(sum);
    case REDUCE_LOG_SUM:
        return log(sum);
    case REDUCE_LOG_SUM_EXP:
        return log(sum) + shift;
    default:
        return sum;
    }
}

/* One pass over the input; shift NULL: none, else what is subtracted from each element first. */
static void pass_f64(const vt_op_args *args, const vt_broadcast *places, reduce_kind kind,
                     const double *shift, double *sums)
{
    const vt_tensor *x = &args->inputs[0];
    size_t count = vt_tensor_count(x);
    for (size_t start = 0; start < count; start += VT_RUN) {
        double run[VT_RUN];
        size_t place[VT_RUN], part = count - start < VT_RUN ? count - start : VT_RUN;
        vt_load_f64(x->dtype, x->data, start, part, run);
        vt_broadcast_indices(places, start, part, place);
        for (size_t i = 0; i < part; i++)
            add_f64(kind, &sums[place[i]], run[i] - (shift == NULL ? 0.0 : shift[place[i]]));
    }
}

static vt_status run_f64(vt_op_args *args, const vt_broadcast *places, reduce_kind kind,
                         vt_error *error)
{
    vt_tensor *y = &args->outputs[0];
    size_t count = vt_tensor_count(y);
    double *sums = vt_alloc_array(count, sizeof(*sums)), *shift = NULL;
    if (kind == REDUCE_LOG_SUM_EXP)
        shift = vt_alloc_array(count, sizeof(*shift));
    if (sums == NULL || (kind == REDUCE_LOG_SUM_EXP && shift == NULL)) {
        vt_free(sums);
        vt_free(shift);
        return vt_fail_memory(error, "sums");
    }
    /* The maximum comes out of the exponentials, so that they stay in range. */
    for (size_t i = 0; i < count && shift != NULL; i++)
        shift[i] = -INFINITY;
    if (shift != NULL)
        pass_f64(args, places, REDUCE_MAX, NULL, shift);
    for (size_t i = 0; i < count; i++) {
        sums[i] = start_f64(kind);
        if (shift != NULL && !isfinite(shift[i]))
            shift[i] = 0.0;
    }
    pass_f64(args, places, kind, shift, sums);
    double each = (double)vt_tensor_count(&args->inputs[0]) / (double)count;
    for (size_t i = 0; i < count; i++)
        sums[i] = finish_f64(kind, sums[i], shift == NULL ? 0.0 : shift[i], each);
    vt_store_f64(y->dtype, y->data, 0, count, sums);
    vt_free(sums);
    vt_free(shift);
    return VT_OK;
}

/* ---- integers ---- */

/* Smallest and largest number of an integer type, in the 64-bit lane. */
static void range_of(vt_dtype dtype, int64_t range[2])
{
    size_t bits = vt_dtype_bytes(dtype) * 8;
    if (dtype == VT_BOOL) {
        range[0] = 0;
        range[1] = 1;
    } else if ((VT_TYPE(dtype) & VT_TYPES_SIGNED) != 0) {
        range[1] = (int64_t)(UINT64_MAX >> (65 - bits));
        range[0] = -range[1] - 1;
    } else {
        range[0] = 0;
        range[1] = (int64_t)(UINT64_MAX >> (64 - bits));
    }
}

static void add_i64(reduce_kind kind, bool is_signed, int64_t *sum, int64_t x)
{
    bool less = is_signed ? x < *sum : (uint64_t)x < (uint64_t)*sum;
    uint64_t wide = (uint64_t)x;
    switch (kind) {
    case REDUCE_MAX:
        *sum = less ? *sum : x;
        return;
    case REDUCE_MIN:
        *sum = less ? x : *sum;
        return;
    case REDUCE_PROD:
        *sum = (int64_t)((uint64_t)*sum * wide);
        return;
    case REDUCE_L1:
        wide = is_signed && x < 0 ? 0 - wide : wide;
        break;
    case REDUCE_SUM_SQUARE:
        wide *= wide;
        break;
    default:
        break;
    }
    *sum = (int64_t)((uint64_t)*sum + wide);
}

static vt_status run_i64(vt_op_args *args, const vt_broadcast *places, reduce_kind kind,
                         vt_error *error)
{
    const vt_tensor *x = &args->inputs[0];
    vt_tensor *y = &args->outputs[0];
    bool is_signed = (VT_TYPE(x->dtype) & VT_TYPES_SIGNED) != 0;
    size_t results = vt_tensor_count(y), count = vt_tensor_count(x);
    int64_t *sums = vt_alloc_array(results, sizeof(*sums)), range[2];
    if (sums == NULL)
        return vt_fail_memory(error, "sums");
    range_of(x->dtype, range);
    for (size_t i = 0; i < results; i++) {
        sums[i] = kind == REDUCE_PROD ? 1 : 0;
        if (kind == REDUCE_MAX || kind == REDUCE_MIN)
            sums[i] = range[kind == REDUCE_MIN];
    }
    for (size_t start = 0; start < count; start += VT_RUN) {
        int64_t run[VT_RUN];
        size_t place[VT_RUN], part = count - start < VT_RUN ? count - start : VT_RUN;
        vt_load_i64(x->dtype, x->data, start, part, run);
        vt_broadcast_indices(places, start, part, place);
        for (size_t i = 0; i < part; i++)
            add_i64(kind, is_signed, &sums[place[i]], run[i]);
    }
    vt_store_i64(y->dtype, y->data, 0, results, sums);
    vt_free(sums);
    return VT_OK;
}

static vt_status reduce_run(vt_op_args *args, reduce_kind kind, vt_error *error)
{
    bool marks[VT_MAX_RANK];
    vt_shape kept;
    vt_broadcast places;
    vt_status status = reduce_shape(args, &kept, marks, error);
    if (status != VT_OK)
        return status;
    reduce_places(args, &kept, &places);
    bool whole = kind == REDUCE_SUM || kind == REDUCE_MAX || kind == REDUCE_MIN ||
                 kind == REDUCE_PROD || kind == REDUCE_L1 || kind == REDUCE_SUM_SQUARE;
    if (vt_dtype_is_float(args->inputs[0].dtype) || !whole)
        return run_f64(args, &places, kind, error);
    return run_i64(args, &places, kind, error);
}

#define REFERENCE(name, kind)                                                                      \
    static vt_status name##_reference(vt_op_args *args, vt_error *error)                           \
    {                                                                                              \
        return reduce_run(args, kind, error);                                                      \
    }
REFERENCE(sum, REDUCE_SUM)
REFERENCE(mean, REDUCE_MEAN)
REFERENCE(max, REDUCE_MAX)
REFERENCE(min, REDUCE_MIN)
REFERENCE(prod, REDUCE_PROD)
REFERENCE(l1, REDUCE_L1)
REFERENCE(l2, REDUCE_L2)
REFERENCE(sum_square, REDUCE_SUM_SQUARE)
REFERENCE(log_sum, REDUCE_LOG_SUM)
REFERENCE(log_sum_exp, REDUCE_LOG_SUM_EXP)

/* Two rows each: axes as attribute, axes as input. */
#define REDUCE(name, input_since, infer_function, reference_function)                              \
    {name,                                                                                         \
     "",                                                                                           \
     1,                                                                                            \
     (input_since)-1,                                                                              \
     1,                                                                                            \
     1,                                                                                            \
     1,                                                                                            \
     1,                                                                                            \
     "axes:I keepdims:i",                                                                          \
     .infer = infer_function,                                                                      \
     .reference = reference_function},                                                             \
    {                                                                                              \
        name, "", input_since, 0, 1, 2, 1, 1, "keepdims:i noop_with_empty_axes:i",                 \
            .shape_inputs = 1u << 1, .infer = infer_function, .reference = reference_function      \
    }

const vt_op vt_ops_reduce[] = {
    REDUCE("ReduceSum", 13, infer_number, sum_reference),
    REDUCE("ReduceMean", 18, infer_number, mean_reference),
    REDUCE("ReduceMax", 18, infer_order, max_reference),
    REDUCE("ReduceMin", 18, infer_order, min_reference),
    REDUCE("ReduceProd", 18, infer_number, prod_reference),
    REDUCE("ReduceL1", 18, infer_number, l1_reference),
    REDUCE("ReduceL2", 18, infer_number, l2_reference),
    REDUCE("ReduceSumSquare", 18, infer_number, sum_square_reference),
    REDUCE("ReduceLogSum", 18, infer_number, log_sum_reference),
    REDUCE("ReduceLogSumExp", 18, infer_number, log_sum_exp_reference),
    {0},
};
