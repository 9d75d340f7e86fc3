/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The equation of an Einsum, which its gradient reads too. Inside src/nn/ops only.
 *
 *     vt_einsum e;
 *     status = vt_einsum_init(&e, args, error);
 *     // axis i of operand k has the label e.in[k].labels[i], over e.dims[of it] elements
 *
 * A label is a number: that of a letter, or of an axis of "...". An axis of one element is repeated
 * along a label of more.
 *
 * Threads: no state.
 */
#ifndef VT_NN_OPS_EINSUM_H
#define VT_NN_OPS_EINSUM_H

#include "nn/ops/op.h"

enum {
    VT_EINSUM_OPERANDS = 16,
    VT_EINSUM_LETTERS = 52, /* A to Z, a to z: their order when there is no arrow */
    VT_EINSUM_LABELS = VT_EINSUM_LETTERS + VT_MAX_RANK, /* the axes of "...", the last one last */
};

typedef struct vt_einsum_term {
    int rank;
    int labels[VT_MAX_RANK];
} vt_einsum_term;

typedef struct vt_einsum {
    int operands;
    vt_einsum_term in[VT_EINSUM_OPERANDS], out;
    int64_t dims[VT_EINSUM_LABELS]; /* -1: no such label */
    int uses[VT_EINSUM_LABELS];     /* axes of operands that have it */
    int ellipsis_rank;              /* the widest "..."; -1: none */
} vt_einsum;

/* From the equation and the shapes of the inputs. VT_ERR_FORMAT: they do not fit; VT_ERR_LIMIT. */
vt_status vt_einsum_init(vt_einsum *e, const vt_op_args *args, vt_error *error);

#endif
