/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The operator files' rows, inside src/nn/ops only: each array ends with a row without a name.
 *
 * Threads: constant.
 */
#ifndef VT_NN_OPS_TABLE_H
#define VT_NN_OPS_TABLE_H

#include "nn/graph.h"

extern const vt_op vt_ops_affine_grid[];
extern const vt_op vt_ops_argmax[];
extern const vt_op vt_ops_attention[];
extern const vt_op vt_ops_batchnorm[];
extern const vt_op vt_ops_batchnorm_gradient[];
extern const vt_op vt_ops_binary[];
extern const vt_op vt_ops_cast[];
extern const vt_op vt_ops_causal_conv[];
extern const vt_op vt_ops_center_crop_pad[];
extern const vt_op vt_ops_clip[];
extern const vt_op vt_ops_col2im[];
extern const vt_op vt_ops_concat[];
extern const vt_op vt_ops_constant[];
extern const vt_op vt_ops_constant_of_shape[];
extern const vt_op vt_ops_conv[];
extern const vt_op vt_ops_conv_gradient[];
extern const vt_op vt_ops_conv_integer[];
extern const vt_op vt_ops_conv_transpose[];
extern const vt_op vt_ops_cumulate[];
extern const vt_op vt_ops_depth_space[];
extern const vt_op vt_ops_dequantize_linear[];
extern const vt_op vt_ops_determinant[];
extern const vt_op vt_ops_determinant_gradient[];
extern const vt_op vt_ops_dropout[];
extern const vt_op vt_ops_dropout_training[];
extern const vt_op vt_ops_dynamic_quantize_linear[];
extern const vt_op vt_ops_einsum[];
extern const vt_op vt_ops_elementwise[];
extern const vt_op vt_ops_expand[];
extern const vt_op vt_ops_flatten[];
extern const vt_op vt_ops_gather[];
extern const vt_op vt_ops_gather_nd[];
extern const vt_op vt_ops_gemm[];
extern const vt_op vt_ops_global_pool[];
extern const vt_op vt_ops_grid_gradient[];
extern const vt_op vt_ops_grid_sample[];
extern const vt_op vt_ops_identity[];
extern const vt_op vt_ops_index_gradient[];
extern const vt_op vt_ops_linear_attention[];
extern const vt_op vt_ops_loss[];
extern const vt_op vt_ops_loss_gradient[];
extern const vt_op vt_ops_lrn[];
extern const vt_op vt_ops_matmul[];
extern const vt_op vt_ops_matmul_integer[];
extern const vt_op vt_ops_norm_lp[];
extern const vt_op vt_ops_norm_mean_variance[];
extern const vt_op vt_ops_norm_rows[];
extern const vt_op vt_ops_onehot[];
extern const vt_op vt_ops_pad[];
extern const vt_op vt_ops_pool[];
extern const vt_op vt_ops_pool_gradient[];
extern const vt_op vt_ops_prelu[];
extern const vt_op vt_ops_qlinear_conv[];
extern const vt_op vt_ops_qlinear_matmul[];
extern const vt_op vt_ops_quantize_linear[];
extern const vt_op vt_ops_range[];
extern const vt_op vt_ops_reduce[];
extern const vt_op vt_ops_relu_gradient[];
extern const vt_op vt_ops_reshape[];
extern const vt_op vt_ops_resize[];
extern const vt_op vt_ops_reverse_sequence[];
extern const vt_op vt_ops_rotary[];
extern const vt_op vt_ops_scatter[];
extern const vt_op vt_ops_select[];
extern const vt_op vt_ops_shape[];
extern const vt_op vt_ops_signal_window[];
extern const vt_op vt_ops_slice[];
extern const vt_op vt_ops_slice_gradient[];
extern const vt_op vt_ops_softmax[];
extern const vt_op vt_ops_split[];
extern const vt_op vt_ops_squeeze[];
extern const vt_op vt_ops_swiglu[];
extern const vt_op vt_ops_tile[];
extern const vt_op vt_ops_topk[];
extern const vt_op vt_ops_transpose[];
extern const vt_op vt_ops_triangle[];
extern const vt_op vt_ops_unary[];
extern const vt_op vt_ops_variadic[];
extern const vt_op vt_ops_where[];

/* table.c: all of them. *count: how many arrays there are. */
const vt_op *const *vt_op_tables(size_t *count);

#endif
