/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The rules of differentiation, one per operator or family, inside src/nn.
 *
 * A rule looks at b->node, b->dy and b->wanted and fills in b->dx with what it emits (gradient.h).
 * It lies beside the operator: ops/<family>_gradient.c, with the internal operators that it emits.
 *
 * Threads: no state.
 */
#ifndef VT_NN_OPS_GRADIENTS_H
#define VT_NN_OPS_GRADIENTS_H

#include "nn/gradient.h"

/* NULL: the operator has no gradient. */
vt_gradient_rule *vt_gradient_find(const vt_op *op);
/* Why an operator that has none is in the list of those without; NULL: it is not in it. */
const char *vt_gradient_missing(const vt_op *op);
/* Constant almost everywhere: no gradient, and none is missing. */
bool vt_gradient_stops(const vt_op *op);
/* Whether a gradient may pass from the operator to this input: false for indices, shapes and what
 * rounds or compares. An operator without a rule lets it pass, which is then found out. */
bool vt_gradient_passes(const vt_op *op, size_t input);

vt_gradient_rule vt_gradient_conv, vt_gradient_conv_transpose; /* conv_gradient.c */
vt_gradient_rule vt_gradient_gemm, vt_gradient_matmul;         /* product_gradient.c */
vt_gradient_rule vt_gradient_einsum;                           /* einsum_gradient.c */
vt_gradient_rule vt_gradient_max_pool, vt_gradient_average_pool, vt_gradient_global_max_pool,
    vt_gradient_global_average_pool, vt_gradient_lp_pool,
    vt_gradient_global_lp_pool;                                         /* pool_gradient.c */
vt_gradient_rule vt_gradient_batchnorm, vt_gradient_batchnorm_training; /* batchnorm_gradient.c */
vt_gradient_rule vt_gradient_dropout_training;                          /* dropout_training.c */
vt_gradient_rule vt_gradient_layernorm, vt_gradient_instancenorm, vt_gradient_groupnorm,
    vt_gradient_rmsnorm, vt_gradient_mean_variance, vt_gradient_lp_norm,
    vt_gradient_lrn;                                           /* norm_gradient.c */
vt_gradient_rule vt_gradient_softmax, vt_gradient_log_softmax; /* softmax_gradient.c */
vt_gradient_rule vt_gradient_entropy, vt_gradient_likelihood;  /* loss_gradient.c */
vt_gradient_rule vt_gradient_unary;                            /* unary_gradient.c */
vt_gradient_rule vt_gradient_relu;                             /* relu_gradient.c */
vt_gradient_rule vt_gradient_add, vt_gradient_sub, vt_gradient_mul, vt_gradient_div,
    vt_gradient_pow, vt_gradient_extreme, vt_gradient_sum, vt_gradient_where, vt_gradient_prelu,
    vt_gradient_clip, vt_gradient_mod, vt_gradient_swiglu; /* binary_gradient.c */
vt_gradient_rule vt_gradient_reduce;                       /* reduce_gradient.c */
vt_gradient_rule vt_gradient_reshape, vt_gradient_identity, vt_gradient_cast, vt_gradient_transpose,
    vt_gradient_concat, vt_gradient_split, vt_gradient_slice, vt_gradient_pad, vt_gradient_expand,
    vt_gradient_tile, vt_gradient_depth_to_space, vt_gradient_space_to_depth, vt_gradient_trilu,
    vt_gradient_cumsum, vt_gradient_cumprod, vt_gradient_center_crop_pad,
    vt_gradient_reverse_sequence, vt_gradient_col2im; /* move_gradient.c */
vt_gradient_rule vt_gradient_gather, vt_gradient_gather_elements, vt_gradient_gather_nd,
    vt_gradient_scatter_elements, vt_gradient_scatter_nd, vt_gradient_topk,
    vt_gradient_compress;                                          /* index_gradient.c */
vt_gradient_rule vt_gradient_attention;                            /* attention_gradient.c */
vt_gradient_rule vt_gradient_rotary;                               /* rotary_gradient.c */
vt_gradient_rule vt_gradient_determinant;                          /* determinant_gradient.c */
vt_gradient_rule vt_gradient_grid_sample, vt_gradient_affine_grid; /* grid_gradient.c */
vt_gradient_rule vt_gradient_resize;                               /* resize_gradient.c */

#endif
