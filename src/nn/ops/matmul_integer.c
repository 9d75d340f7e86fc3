/* SPDX-License-Identifier: Apache-2.0 */
/*
 * MatMulInteger: product of matrices of 8-bit integers into i32; and the sums that QLinearMatMul
 * rounds.
 *
 * Zero points are taken off before the product: one for all, one per row of a, one per column of b.
 * The sums run in f64, which stays exact: a product is below 2^16, and 2^37 of them fit. Into i32
 * they wrap, as the specification lets 32-bit accumulation do.
 */
#include "nn/ops/matmul.h"
#include "nn/ops/quant.h"
#include "nn/ops/table.h"

vt_status vt_quant_check_lines(const vt_op_args *args, size_t index, size_t data, bool columns,
                               vt_error *error)
{
    const vt_tensor *input = vt_op_input(args, index);
    vt_shape want = args->inputs[data].shape;
    if (input == NULL || vt_tensor_count(input) == 1)
        return VT_OK;
    if (want.rank >= 2) {
        int64_t lines = want.dims[want.rank - (columns ? 1 : 2)];
        if (want.rank == 2 && input->shape.rank == 1 && input->shape.dims[0] == lines)
            return VT_OK;
        want.dims[want.rank - (columns ? 2 : 1)] = 1;
        if (vt_shape_equal(&input->shape, &want))
            return VT_OK;
    }
    return vt_fail(error, VT_ERR_FORMAT,
                   "input %zu is neither a single number nor one for each %s of input %zu", index,
                   columns ? "column" : "row", data);
}

vt_status vt_quant_matmul_infer(vt_op_args *args, const vt_quant_matmul *inputs, vt_dtype dtype,
                                vt_error *error)
{
    vt_matmul matmul;
    vt_status status = vt_op_check_type(args, 0, VT_TYPES_BYTE, error);
    if (status == VT_OK)
        status = vt_op_check_type(args, inputs->b, VT_TYPES_BYTE, error);
    if (status == VT_OK)
        status = vt_quant_check_zero_point(args, inputs->a_zero_point, 0, error);
    if (status == VT_OK)
        status = vt_quant_check_zero_point(args, inputs->b_zero_point, inputs->b, error);
    if (status == VT_OK)
        status =
            vt_matmul_init(&matmul, args->inputs[0].shape, args->inputs[inputs->b].shape, error);
    if (status == VT_OK)
        status = vt_quant_check_lines(args, inputs->a_zero_point, 0, false, error);
    if (status == VT_OK)
        status = vt_quant_check_lines(args, inputs->b_zero_point, inputs->b, true, error);
    if (status != VT_OK)
        return status;
    vt_shape shape = vt_matmul_output(&matmul);
    vt_op_set_output(args, 0, dtype, &shape);
    return VT_OK;
}

/* One matrix of each operand at a time, and one row of sums. */
typedef struct integer_work {
    double *a, *b, *row;
} integer_work;

/* Matrices `a` and `b` of the stacks, zero points taken off. */
static void matrices_load(const vt_op_args *args, const vt_quant_matmul *inputs,
                          const vt_matmul *matmul, const size_t index[2], const integer_work *work)
{
    const vt_tensor *a = &args->inputs[0], *b = &args->inputs[inputs->b];
    size_t m = matmul->m, k = matmul->k, n = matmul->n;
    vt_load_f64(a->dtype, a->data, index[0] * m * k, m * k, work->a);
    for (size_t i = 0; i < m; i++) {
        double offset = vt_quant_number(args, inputs->a_zero_point, index[0] * m + i);
        for (size_t p = 0; p < k; p++)
            work->a[i * k + p] -= offset;
    }
    vt_load_f64(b->dtype, b->data, index[1] * k * n, k * n, work->b);
    for (size_t j = 0; j < n; j++)
        work->row[j] = vt_quant_number(args, inputs->b_zero_point, index[1] * n + j);
    for (size_t p = 0; p < k; p++)
        for (size_t j = 0; j < n; j++)
            work->b[p * n + j] -= work->row[j];
}

static void products_run(const vt_op_args *args, const vt_quant_matmul *inputs,
                         const vt_matmul *matmul, const integer_work *work, vt_quant_emit_row *emit)
{
    vt_broadcast a_index, b_index;
    size_t m = matmul->m, k = matmul->k, n = matmul->n;
    vt_broadcast_init(&a_index, &matmul->a_stack, &matmul->stack);
    vt_broadcast_init(&b_index, &matmul->b_stack, &matmul->stack);
    size_t stacks = vt_shape_product(&matmul->stack, 0, matmul->stack.rank);
    for (size_t s = 0; s < stacks; s++) {
        size_t index[2];
        vt_broadcast_indices(&a_index, s, 1, &index[0]);
        vt_broadcast_indices(&b_index, s, 1, &index[1]);
        matrices_load(args, inputs, matmul, index, work);
        for (size_t i = 0; i < m; i++) {
            vt_matmul_row(work->a + i * k, work->b, k, n, work->row);
            emit(args, index[0] * m + i, index[1] * n, (s * m + i) * n, n, work->row);
        }
    }
}

vt_status vt_quant_matmul_run(vt_op_args *args, const vt_quant_matmul *inputs,
                              vt_quant_emit_row *emit, vt_error *error)
{
    vt_matmul matmul;
    vt_status status =
        vt_matmul_init(&matmul, args->inputs[0].shape, args->inputs[inputs->b].shape, error);
    if (status != VT_OK)
        return status;
    integer_work work = {.a = vt_alloc_array(matmul.m * matmul.k, sizeof(*work.a)),
                         .b = vt_alloc_array(matmul.k * matmul.n, sizeof(*work.b)),
                         .row = vt_alloc_array(matmul.n, sizeof(*work.row))};
    if (work.a == NULL || work.b == NULL || work.row == NULL)
        status = vt_fail_memory(error, "widened matrices");
    else
        products_run(args, inputs, &matmul, &work, emit);
    vt_free(work.a);
    vt_free(work.b);
    vt_free(work.row);
    return status;
}

static const vt_quant_matmul integer_inputs = {1, 2, 3};

static vt_status integer_infer(vt_op_args *args, vt_error *error)
{
    return vt_quant_matmul_infer(args, &integer_inputs, VT_I32, error);
}

static void integer_emit(const vt_op_args *args, size_t a_row, size_t b_column, size_t start,
                         size_t count, double *sums)
{
    (void)a_row;
    (void)b_column;
    vt_quant_store_i32(args, start, count, sums);
}

static vt_status integer_reference(vt_op_args *args, vt_error *error)
{
    return vt_quant_matmul_run(args, &integer_inputs, integer_emit, error);
}

static uint64_t integer_macs(const vt_op_args *args)
{
    return vt_matmul_macs(vt_tensor_count(&args->outputs[0]), &args->inputs[0].shape);
}

const vt_op vt_ops_matmul_integer[] = {
    {"MatMulInteger", "", 10, 0, 2, 4, 1, 1, .infer = integer_infer, .reference = integer_reference,
     .macs = integer_macs},
    {0},
};
