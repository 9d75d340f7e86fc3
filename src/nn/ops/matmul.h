/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Shapes and rows of NumPy's matmul, shared by MatMul and the integer products. Inside src/nn/ops
 * only.
 *
 *     status = vt_matmul_init(&matmul, args->inputs[0].shape, args->inputs[1].shape, error);
 *     vt_shape y = vt_matmul_output(&matmul);
 *
 * Threads: no state.
 */
#ifndef VT_NN_OPS_MATMUL_H
#define VT_NN_OPS_MATMUL_H

#include "nn/ops/op.h"

/* Both operands as stacks of matrices: a (..., m, k) times b (..., k, n). */
typedef struct vt_matmul {
    vt_shape a_stack, b_stack, stack; /* leading dimensions, own and common */
    size_t m, k, n;
    bool a_vector, b_vector;
} vt_matmul;

vt_status vt_matmul_init(vt_matmul *matmul, vt_shape a, vt_shape b, vt_error *error);
/* Without the dimensions that vectors were promoted by. */
vt_shape vt_matmul_output(const vt_matmul *matmul);
/* row (n) = a_row (k) times b (k, n) */
void vt_matmul_row(const double *a_row, const double *b, size_t k, size_t n, double *row);
/* Multiply-accumulates for an output of `outputs` elements, saturating; `a` has a dimension. */
uint64_t vt_matmul_macs(uint64_t outputs, const vt_shape *a);

#endif
