/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The gradient of Det, and the internal operator DetGrad (x, dy).
 *
 * d det / d x_ij is the cofactor of x_ij: the determinant without row i and column j, with a sign
 * like a chess board. That is det(x) times the transposed inverse where there is one, and right
 * where there is none; it costs n^5 instead of n^3, for matrices that in networks have three rows.
 */
#include "nn/ops/gradients.h"
#include "nn/ops/op.h"
#include "nn/ops/table.h"

static vt_status det_grad_infer(vt_op_args *args, vt_error *error)
{
    const vt_shape *x = &args->inputs[0].shape, *dy = &args->inputs[1].shape;
    vt_status status = vt_op_check_same(args, VT_TYPES_FLOAT, error);
    if (status == VT_OK)
        status = vt_op_check_rank(args, 0, 2, VT_MAX_RANK, error);
    if (status != VT_OK)
        return status;
    bool fits = dy->rank == x->rank - 2 && x->dims[x->rank - 1] == x->dims[x->rank - 2];
    for (int i = 0; fits && i < dy->rank; i++)
        fits = dy->dims[i] == x->dims[i];
    if (!fits)
        return vt_fail(error, VT_ERR_FORMAT, "gradient does not have the result's shape");
    vt_op_set_output(args, 0, args->inputs[0].dtype, x);
    return VT_OK;
}

/* matrix without row and column, to `out`. */
static void minor_of(const double *matrix, size_t n, size_t row, size_t column, double *out)
{
    for (size_t i = 0; i < n; i++)
        for (size_t j = 0; i != row && j < n; j++)
            if (j != column)
                *out++ = matrix[i * n + j];
}

static vt_status det_grad_reference(vt_op_args *args, vt_error *error)
{
    const vt_tensor *x = &args->inputs[0];
    size_t n = (size_t)x->shape.dims[x->shape.rank - 1], size = n * n;
    double *matrix = vt_alloc_array(size + 1, sizeof(*matrix));
    double *minor = vt_alloc_array(size + 1, sizeof(*minor));
    vt_status status = matrix == NULL || minor == NULL ? vt_fail_memory(error, "a matrix") : VT_OK;
    for (size_t m = 0; status == VT_OK && m < vt_tensor_count(&args->inputs[1]); m++) {
        double dy = vt_tensor_get(&args->inputs[1], m);
        vt_load_f64(x->dtype, x->data, m * size, size, matrix);
        for (size_t i = 0; i < n; i++)
            for (size_t j = 0; j < n; j++) {
                minor_of(matrix, n, i, j, minor);
                double cofactor = vt_op_determinant(minor, n - 1);
                double gradient = (i + j) % 2 == 0 ? dy * cofactor : -dy * cofactor;
                vt_store_f64(x->dtype, args->outputs[0].data, m * size + i * n + j, 1, &gradient);
            }
    }
    vt_free(matrix);
    vt_free(minor);
    return status;
}

const vt_op vt_ops_determinant_gradient[] = {
    {"DetGrad", VT_BACK_DOMAIN, 1, 0, 2, 2, 1, 1, .flags = VT_OP_INTERNAL, .infer = det_grad_infer,
     .reference = det_grad_reference},
    {0},
};

void vt_gradient_determinant(vt_backward *b)
{
    b->dx[0] = vt_back_op2(b, "vitrine:DetGrad", vt_back_input(b, 0), b->dy[0]);
}
