/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Gemm: alpha * A' * B' + beta * C, with optional transposes and C broadcast to the result.
 *
 * The reference sums in f64; integers, as the specification allows 32 and 64 bits, in wrapping
 * 64-bit arithmetic unless alpha or beta are not whole.
 */
#include "nn/ops/op.h"
#include "nn/ops/table.h"

#include <math.h>

typedef struct gemm_sizes {
    size_t m, k, n;
    size_t a_row, a_column, b_row, b_column; /* strides of A' (m, k) and B' (k, n) */
} gemm_sizes;

static vt_status gemm_resolve(const vt_op_args *args, gemm_sizes *sizes, vt_error *error)
{
    const vt_shape *a = &args->inputs[0].shape, *b = &args->inputs[1].shape;
    bool turn_a = vt_node_int(args->node, "transA", 0) != 0;
    bool turn_b = vt_node_int(args->node, "transB", 0) != 0;
    vt_status status = vt_op_check_rank(args, 0, 2, 2, error);
    if (status == VT_OK)
        status = vt_op_check_rank(args, 1, 2, 2, error);
    if (status != VT_OK)
        return status;
    if (a->dims[turn_a ? 0 : 1] != b->dims[turn_b ? 1 : 0])
        return vt_fail(error, VT_ERR_FORMAT, "inner dimensions %lld and %lld differ",
                       (long long)a->dims[turn_a ? 0 : 1], (long long)b->dims[turn_b ? 1 : 0]);
    *sizes = (gemm_sizes){.m = (size_t)a->dims[turn_a ? 1 : 0],
                          .k = (size_t)a->dims[turn_a ? 0 : 1],
                          .n = (size_t)b->dims[turn_b ? 0 : 1],
                          .a_row = turn_a ? 1 : (size_t)a->dims[1],
                          .a_column = turn_a ? (size_t)a->dims[1] : 1,
                          .b_row = turn_b ? 1 : (size_t)b->dims[1],
                          .b_column = turn_b ? (size_t)b->dims[1] : 1};
    return VT_OK;
}

static vt_status gemm_infer(vt_op_args *args, vt_error *error)
{
    gemm_sizes sizes;
    const unsigned types =
        VT_TYPES_FLOAT | VT_TYPE(VT_I32) | VT_TYPE(VT_I64) | VT_TYPE(VT_U32) | VT_TYPE(VT_U64);
    const vt_tensor *c = vt_op_input(args, 2);
    vt_status status = vt_op_check_same(args, types, error);
    if (status == VT_OK)
        status = gemm_resolve(args, &sizes, error);
    if (status != VT_OK)
        return status;
    vt_shape shape = vt_shape_of(2, (const int64_t[]){(int64_t)sizes.m, (int64_t)sizes.n});
    vt_shape common = shape;
    if (c != NULL)
        status = vt_broadcast_shape(&common, &c->shape, error);
    if (status == VT_OK && !vt_shape_equal(&common, &shape))
        status = vt_fail(error, VT_ERR_FORMAT, "input 2 does not broadcast to the product");
    if (status == VT_OK)
        vt_op_set_output(args, 0, args->inputs[0].dtype, &shape);
    return status;
}

static double dot_f64(const double *a, const double *b, const gemm_sizes *sizes)
{
    double sum = 0.0;
    for (size_t i = 0; i < sizes->k; i++)
        sum += a[i * sizes->a_column] * b[i * sizes->b_row];
    return sum;
}

static vt_status gemm_run_float(vt_op_args *args, const gemm_sizes *sizes, vt_error *error)
{
    const vt_tensor *c = vt_op_input(args, 2);
    vt_tensor *y = &args->outputs[0];
    double alpha = (double)vt_node_float(args->node, "alpha", 1.0f);
    double beta = (double)vt_node_float(args->node, "beta", 1.0f);
    double *a = NULL, *b = NULL;
    vt_broadcast c_index;
    vt_status status = vt_op_widen(&args->inputs[0], &a, error);
    if (status == VT_OK)
        status = vt_op_widen(&args->inputs[1], &b, error);
    if (c != NULL)
        vt_broadcast_init(&c_index, &c->shape, &y->shape);
    for (size_t i = 0; i < sizes->m * sizes->n && status == VT_OK; i++) {
        double value = alpha * dot_f64(a + i / sizes->n * sizes->a_row,
                                       b + i % sizes->n * sizes->b_column, sizes);
        if (c != NULL) {
            size_t index;
            vt_broadcast_indices(&c_index, i, 1, &index);
            value += beta * vt_tensor_get(c, index);
        }
        vt_store_f64(y->dtype, y->data, i, 1, &value);
    }
    vt_free(a);
    vt_free(b);
    return status;
}

static int64_t integer_at(const vt_tensor *tensor, size_t index)
{
    int64_t value;
    vt_load_i64(tensor->dtype, tensor->data, index, 1, &value);
    return value;
}

static vt_status gemm_run_integer(vt_op_args *args, const gemm_sizes *sizes)
{
    const vt_tensor *a = &args->inputs[0], *b = &args->inputs[1], *c = vt_op_input(args, 2);
    vt_tensor *y = &args->outputs[0];
    uint64_t alpha = (uint64_t)(int64_t)vt_node_float(args->node, "alpha", 1.0f);
    uint64_t beta = (uint64_t)(int64_t)vt_node_float(args->node, "beta", 1.0f);
    vt_broadcast c_index;
    if (c != NULL)
        vt_broadcast_init(&c_index, &c->shape, &y->shape);
    for (size_t i = 0; i < sizes->m * sizes->n; i++) {
        uint64_t sum = 0;
        for (size_t j = 0; j < sizes->k; j++)
            sum += (uint64_t)integer_at(a, i / sizes->n * sizes->a_row + j * sizes->a_column) *
                   (uint64_t)integer_at(b, j * sizes->b_row + i % sizes->n * sizes->b_column);
        sum *= alpha;
        if (c != NULL) {
            size_t index;
            vt_broadcast_indices(&c_index, i, 1, &index);
            sum += beta * (uint64_t)integer_at(c, index);
        }
        int64_t value = (int64_t)sum;
        vt_store_i64(y->dtype, y->data, i, 1, &value);
    }
    return VT_OK;
}

/* Whole and small enough to be an integer factor. */
static bool is_whole(float factor)
{
    return fabsf(factor) < 0x1p62f && factor == truncf(factor);
}

static vt_status gemm_reference(vt_op_args *args, vt_error *error)
{
    gemm_sizes sizes;
    vt_status status = gemm_resolve(args, &sizes, error);
    if (status != VT_OK)
        return status;
    bool whole = is_whole(vt_node_float(args->node, "alpha", 1.0f)) &&
                 is_whole(vt_node_float(args->node, "beta", 1.0f));
    if (vt_dtype_is_float(args->inputs[0].dtype) || !whole)
        return gemm_run_float(args, &sizes, error);
    return gemm_run_integer(args, &sizes);
}

static uint64_t gemm_macs(const vt_op_args *args)
{
    uint64_t macs;
    const vt_shape *a = &args->inputs[0].shape;
    int64_t k = a->dims[vt_node_int(args->node, "transA", 0) != 0 ? 0 : 1];
    if (__builtin_mul_overflow((uint64_t)vt_tensor_count(&args->outputs[0]), (uint64_t)k, &macs))
        return UINT64_MAX;
    return macs;
}

#define GEMM "alpha:f beta:f transA:i transB:i"

const vt_op vt_ops_gemm[] = {
    {"Gemm", "", 6, 6, 3, 3, 1, 1, GEMM " broadcast:i", .infer = gemm_infer,
     .reference = gemm_reference, .macs = gemm_macs},
    {"Gemm", "", 7, 10, 3, 3, 1, 1, GEMM, .infer = gemm_infer, .reference = gemm_reference,
     .macs = gemm_macs},
    {"Gemm", "", 11, 0, 2, 3, 1, 1, GEMM, .infer = gemm_infer, .reference = gemm_reference,
     .macs = gemm_macs},
    {0},
};
