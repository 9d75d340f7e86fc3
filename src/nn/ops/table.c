/* SPDX-License-Identifier: Apache-2.0 */
/*
 * All operators: one list of the operator files' rows, and the lookup by domain, name and version.
 */
#include "nn/ops/table.h"

#include <string.h>

static const vt_op *const op_files[] = {
    vt_ops_affine_grid,
    vt_ops_argmax,
    vt_ops_attention,
    vt_ops_batchnorm,
    vt_ops_batchnorm_gradient,
    vt_ops_binary,
    vt_ops_cast,
    vt_ops_causal_conv,
    vt_ops_center_crop_pad,
    vt_ops_clip,
    vt_ops_col2im,
    vt_ops_concat,
    vt_ops_constant,
    vt_ops_constant_of_shape,
    vt_ops_conv,
    vt_ops_conv_gradient,
    vt_ops_conv_integer,
    vt_ops_conv_transpose,
    vt_ops_cumulate,
    vt_ops_depth_space,
    vt_ops_dequantize_linear,
    vt_ops_determinant,
    vt_ops_determinant_gradient,
    vt_ops_dropout,
    vt_ops_dropout_training,
    vt_ops_dynamic_quantize_linear,
    vt_ops_einsum,
    vt_ops_elementwise,
    vt_ops_expand,
    vt_ops_flatten,
    vt_ops_gather,
    vt_ops_gather_nd,
    vt_ops_gemm,
    vt_ops_global_pool,
    vt_ops_grid_gradient,
    vt_ops_grid_sample,
    vt_ops_identity,
    vt_ops_index_gradient,
    vt_ops_linear_attention,
    vt_ops_loss,
    vt_ops_loss_gradient,
    vt_ops_lrn,
    vt_ops_matmul,
    vt_ops_matmul_integer,
    vt_ops_norm_lp,
    vt_ops_norm_mean_variance,
    vt_ops_norm_rows,
    vt_ops_onehot,
    vt_ops_pad,
    vt_ops_pool,
    vt_ops_pool_gradient,
    vt_ops_prelu,
    vt_ops_qlinear_conv,
    vt_ops_qlinear_matmul,
    vt_ops_quantize_linear,
    vt_ops_range,
    vt_ops_reduce,
    vt_ops_relu_gradient,
    vt_ops_reshape,
    vt_ops_resize,
    vt_ops_reverse_sequence,
    vt_ops_rotary,
    vt_ops_scatter,
    vt_ops_select,
    vt_ops_shape,
    vt_ops_signal_window,
    vt_ops_slice,
    vt_ops_slice_gradient,
    vt_ops_softmax,
    vt_ops_split,
    vt_ops_squeeze,
    vt_ops_swiglu,
    vt_ops_tile,
    vt_ops_topk,
    vt_ops_transpose,
    vt_ops_triangle,
    vt_ops_unary,
    vt_ops_variadic,
    vt_ops_where,
};

const vt_op *const *vt_op_tables(size_t *count)
{
    *count = sizeof(op_files) / sizeof(op_files[0]);
    return op_files;
}

const vt_op *vt_op_find(const char *domain, const char *name, int opset)
{
    if (strcmp(domain, "ai.onnx") == 0)
        domain = "";
    for (size_t file = 0; file < sizeof(op_files) / sizeof(op_files[0]); file++)
        for (const vt_op *op = op_files[file]; op->name != NULL; op++)
            if (op->since <= opset && (op->until == 0 || opset <= op->until) &&
                strcmp(op->name, name) == 0 && strcmp(op->domain, domain) == 0)
                return op;
    return NULL;
}

bool vt_op_is_quantized(const vt_op *op)
{
    static const vt_op *const files[] = {
        vt_ops_conv_integer,   vt_ops_dequantize_linear, vt_ops_dynamic_quantize_linear,
        vt_ops_matmul_integer, vt_ops_qlinear_conv,      vt_ops_qlinear_matmul,
        vt_ops_quantize_linear};
    for (size_t file = 0; file < sizeof(files) / sizeof(files[0]); file++)
        for (const vt_op *row = files[file]; row->name != NULL; row++)
            if (row == op)
                return true;
    return false;
}
