/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One fused loop: a program of elementwise operations over whole tensors.
 *
 *     vt_loop_space space = {.rank = 2, .sizes = {n, m}, .strides = {{m, 1}, {0, 1}}};
 *     vt_loop *loop;
 *     vt_loop_new(&program, &space, &loop, error);
 *     vt_loop_run(loop, (const void *[]){matrix, row}, result);
 *     vt_loop_free(loop);
 *
 * The result is written in order, first to last; the space says where each operand has the element
 * that belongs to it. That covers broadcasting and blocked layouts alike.
 *
 * Threads: a loop is constant once made; vt_loop_run uses up to space.threads threads.
 */
#ifndef VT_NN_KERNELS_LOOP_H
#define VT_NN_KERNELS_LOOP_H

#include "nn/kernels/elementwise.h"

enum { VT_LOOP_RANK = 24 }; /* 8 axes, and the blocks of some of them */

typedef struct vt_loop_space {
    int rank;
    size_t sizes[VT_LOOP_RANK]; /* of the result, as it lies in memory, outermost first; none 0 */
    size_t strides[VT_ELEMENTWISE_INPUTS][VT_LOOP_RANK]; /* of each operand, in elements */
    bool booleans[VT_ELEMENTWISE_INPUTS]; /* the operand is of bytes, not of floats */
    bool boolean_result;
    int threads;
} vt_loop_space;

typedef struct vt_loop vt_loop;
/* Copies both. VT_ERR_LIMIT: more than 2^40 elements. */
vt_status vt_loop_new(const vt_elementwise *program, const vt_loop_space *space, vt_loop **out,
                      vt_error *error);
void vt_loop_free(vt_loop *loop); /* NULL is fine */
/* inputs: one per operand; output overlaps none of them. */
void vt_loop_run(const vt_loop *loop, const void *const *inputs, void *output);

#endif
