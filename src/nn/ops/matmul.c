/* SPDX-License-Identifier: Apache-2.0 */
/*
 * MatMul: NumPy's matmul, with vectors promoted and leading dimensions broadcast.
 *
 * The reference multiplies in f64, integers in wrapping 64-bit arithmetic, row by row (i, k, j
 * order, so that the innermost loop runs along memory).
 */
#include "nn/ops/matmul.h"
#include "nn/ops/table.h"

#include <string.h>

vt_status vt_matmul_init(vt_matmul *matmul, vt_shape a, vt_shape b, vt_error *error)
{
    if (a.rank < 1 || b.rank < 1)
        return vt_fail(error, VT_ERR_FORMAT, "an operand without dimensions");
    *matmul = (vt_matmul){.a_vector = a.rank == 1, .b_vector = b.rank == 1};
    if (a.rank == 1)
        a = vt_shape_of(2, (const int64_t[]){1, a.dims[0]});
    if (b.rank == 1)
        b = vt_shape_of(2, (const int64_t[]){b.dims[0], 1});
    if (a.dims[a.rank - 1] != b.dims[b.rank - 2])
        return vt_fail(error, VT_ERR_FORMAT, "inner dimensions %lld and %lld differ",
                       (long long)a.dims[a.rank - 1], (long long)b.dims[b.rank - 2]);
    matmul->m = (size_t)a.dims[a.rank - 2];
    matmul->k = (size_t)a.dims[a.rank - 1];
    matmul->n = (size_t)b.dims[b.rank - 1];
    matmul->a_stack = vt_shape_of(a.rank - 2, a.dims);
    matmul->b_stack = vt_shape_of(b.rank - 2, b.dims);
    matmul->stack = matmul->a_stack;
    return vt_broadcast_shape(&matmul->stack, &matmul->b_stack, error);
}

vt_shape vt_matmul_output(const vt_matmul *matmul)
{
    vt_shape shape = matmul->stack;
    if (!matmul->a_vector)
        shape.dims[shape.rank++] = (int64_t)matmul->m;
    if (!matmul->b_vector)
        shape.dims[shape.rank++] = (int64_t)matmul->n;
    return shape;
}

static vt_status matmul_infer(vt_op_args *args, vt_error *error)
{
    vt_matmul shapes;
    vt_status status = vt_op_check_same(args, VT_TYPES_NUMBER, error);
    if (status == VT_OK)
        status = vt_matmul_init(&shapes, args->inputs[0].shape, args->inputs[1].shape, error);
    if (status != VT_OK)
        return status;
    vt_shape shape = vt_matmul_output(&shapes);
    vt_op_set_output(args, 0, args->inputs[0].dtype, &shape);
    return VT_OK;
}

void vt_matmul_row(const double *a_row, const double *b, size_t k, size_t n, double *row)
{
    memset(row, 0, n * sizeof(*row));
    for (size_t i = 0; i < k; i++)
        for (size_t j = 0; j < n; j++)
            row[j] += a_row[i] * b[i * n + j];
}

static void row_multiply_i64(const uint64_t *a_row, const uint64_t *b, size_t k, size_t n,
                             uint64_t *row)
{
    memset(row, 0, n * sizeof(*row));
    for (size_t i = 0; i < k; i++)
        for (size_t j = 0; j < n; j++)
            row[j] += a_row[i] * b[i * n + j];
}

/* One matrix of each operand at a time, in 8-byte lanes: f64 or wrapping integers. */
typedef struct matmul_work {
    bool is_float;
    void *a, *b, *row;
} matmul_work;

static void matrix_load(const vt_tensor *tensor, bool is_float, size_t index, size_t count,
                        void *out)
{
    if (is_float)
        vt_load_f64(tensor->dtype, tensor->data, index * count, count, out);
    else
        vt_load_i64(tensor->dtype, tensor->data, index * count, count, out);
}

static void matmul_run(vt_op_args *args, const vt_matmul *shapes, const matmul_work *work)
{
    vt_broadcast a_index, b_index;
    vt_tensor *y = &args->outputs[0];
    size_t m = shapes->m, k = shapes->k, n = shapes->n;
    size_t stacks = vt_shape_product(&shapes->stack, 0, shapes->stack.rank);
    vt_broadcast_init(&a_index, &shapes->a_stack, &shapes->stack);
    vt_broadcast_init(&b_index, &shapes->b_stack, &shapes->stack);
    for (size_t s = 0; s < stacks; s++) {
        size_t a, b;
        vt_broadcast_indices(&a_index, s, 1, &a);
        vt_broadcast_indices(&b_index, s, 1, &b);
        matrix_load(&args->inputs[0], work->is_float, a, m * k, work->a);
        matrix_load(&args->inputs[1], work->is_float, b, k * n, work->b);
        for (size_t i = 0; i < m; i++) {
            size_t start = (s * m + i) * n;
            if (work->is_float) {
                vt_matmul_row((const double *)work->a + i * k, work->b, k, n, work->row);
                vt_store_f64(y->dtype, y->data, start, n, work->row);
            } else {
                row_multiply_i64((const uint64_t *)work->a + i * k, work->b, k, n, work->row);
                vt_store_i64(y->dtype, y->data, start, n, work->row);
            }
        }
    }
}

static vt_status matmul_reference(vt_op_args *args, vt_error *error)
{
    vt_matmul shapes;
    vt_status status = vt_matmul_init(&shapes, args->inputs[0].shape, args->inputs[1].shape, error);
    if (status != VT_OK)
        return status;
    matmul_work work = {.is_float = vt_dtype_is_float(args->inputs[0].dtype),
                        .a = vt_alloc_array(shapes.m * shapes.k, 8),
                        .b = vt_alloc_array(shapes.k * shapes.n, 8),
                        .row = vt_alloc_array(shapes.n, 8)};
    if (work.a == NULL || work.b == NULL || work.row == NULL)
        status = vt_fail_memory(error, "widened matrices");
    else
        matmul_run(args, &shapes, &work);
    vt_free(work.a);
    vt_free(work.b);
    vt_free(work.row);
    return status;
}

uint64_t vt_matmul_macs(uint64_t outputs, const vt_shape *a)
{
    uint64_t macs;
    if (__builtin_mul_overflow(outputs, (uint64_t)a->dims[a->rank - 1], &macs))
        return UINT64_MAX;
    return macs;
}

static uint64_t matmul_macs(const vt_op_args *args)
{
    return vt_matmul_macs(vt_tensor_count(&args->outputs[0]), &args->inputs[0].shape);
}

const vt_op vt_ops_matmul[] = {
    {"MatMul", "", 1, 0, 2, 2, 1, 1, .infer = matmul_infer, .reference = matmul_reference,
     .macs = matmul_macs},
    {0},
};
