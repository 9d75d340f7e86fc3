/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Det: determinants of a stack of square matrices, by Gaussian elimination with row exchanges
 * (partial pivoting; Golub and Van Loan, Matrix Computations, algorithm 3.4.1).
 */
#include "nn/ops/op.h"
#include "nn/ops/table.h"

#include <math.h>

static vt_status det_infer(vt_op_args *args, vt_error *error)
{
    vt_shape shape = args->inputs[0].shape;
    vt_status status = vt_op_check_type(args, 0, VT_TYPES_FLOAT, error);
    if (status == VT_OK)
        status = vt_op_check_rank(args, 0, 2, VT_MAX_RANK, error);
    if (status != VT_OK)
        return status;
    if (shape.dims[shape.rank - 1] != shape.dims[shape.rank - 2])
        return vt_fail(error, VT_ERR_FORMAT, "matrices of %lld by %lld are not square",
                       (long long)shape.dims[shape.rank - 2],
                       (long long)shape.dims[shape.rank - 1]);
    shape.rank -= 2;
    vt_op_set_output(args, 0, args->inputs[0].dtype, &shape);
    return VT_OK;
}

static void rows_swap(double *a, double *b, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        double held = a[i];
        a[i] = b[i];
        b[i] = held;
    }
}

double vt_op_determinant(double *matrix, size_t n)
{
    double result = 1.0;
    for (size_t k = 0; k < n; k++) {
        size_t pivot = k;
        for (size_t i = k + 1; i < n; i++)
            if (fabs(matrix[i * n + k]) > fabs(matrix[pivot * n + k]))
                pivot = i;
        if (pivot != k) {
            rows_swap(matrix + pivot * n, matrix + k * n, n);
            result = -result;
        }
        double diagonal = matrix[k * n + k];
        result *= diagonal;
        if (diagonal == 0.0)
            return 0.0;
        for (size_t i = k + 1; i < n; i++) {
            double factor = matrix[i * n + k] / diagonal;
            for (size_t j = k; j < n; j++)
                matrix[i * n + j] -= factor * matrix[k * n + j];
        }
    }
    return result;
}

static vt_status det_reference(vt_op_args *args, vt_error *error)
{
    const vt_tensor *x = &args->inputs[0];
    vt_tensor *y = &args->outputs[0];
    size_t n = (size_t)x->shape.dims[x->shape.rank - 1];
    double *matrix = vt_alloc_array(n * n, sizeof(*matrix));
    if (matrix == NULL)
        return vt_fail_memory(error, "a matrix");
    for (size_t i = 0; i < vt_tensor_count(y); i++) {
        vt_load_f64(x->dtype, x->data, i * n * n, n * n, matrix);
        double value = vt_op_determinant(matrix, n);
        vt_store_f64(y->dtype, y->data, i, 1, &value);
    }
    vt_free(matrix);
    return VT_OK;
}

static uint64_t det_macs(const vt_op_args *args)
{
    const vt_shape *x = &args->inputs[0].shape;
    uint64_t macs;
    if (__builtin_mul_overflow((uint64_t)vt_tensor_count(&args->inputs[0]),
                               (uint64_t)x->dims[x->rank - 1], &macs))
        return UINT64_MAX;
    return macs / 3;
}

const vt_op vt_ops_determinant[] = {
    {"Det", "", 11, 0, 1, 1, 1, 1, .infer = det_infer, .reference = det_reference,
     .macs = det_macs},
    {0},
};
