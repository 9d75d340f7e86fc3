/* SPDX-License-Identifier: Apache-2.0 */
/*
 * From ONNX operators to oneDNN primitives, one function per family, inside src/nn/dnnl.
 *
 * A function looks at the step, asks oneDNN for a primitive descriptor, and either adds the
 * primitive
 * (*done true) or leaves everything as it was (*done false): then the reference function runs. It
 * is only asked about steps whose operands all have elements and are of float types.
 *
 * Threads: no shared state.
 */
#ifndef VT_NN_DNNL_LOWER_H
#define VT_NN_DNNL_LOWER_H

#include "nn/dnnl/runner.h"
#include "nn/ops/op.h"

typedef vt_status vt_lower_function(vt_dnnl *dnnl, const vt_step *step, vt_op_args *args,
                                    bool *done, vt_error *error);

vt_lower_function vt_lower_conv;      /* lower_conv.c */
vt_lower_function vt_lower_deconv;    /* lower_deconv.c */
vt_lower_function vt_lower_layernorm; /* lower_layernorm.c */
vt_lower_function vt_lower_pool;      /* lower_pool.c: MaxPool, AveragePool, Global... */
vt_lower_function vt_lower_reduce;    /* lower_reduce.c */
vt_lower_function vt_lower_gemm;      /* lower_matmul.c */
vt_lower_function vt_lower_matmul;
vt_lower_function vt_lower_eltwise; /* lower_eltwise.c */
vt_lower_function vt_lower_binary;  /* lower_binary.c */
vt_lower_function vt_lower_sum;
vt_lower_function vt_lower_batchnorm; /* lower_norm.c */
vt_lower_function vt_lower_softmax;
vt_lower_function vt_lower_lrn;
vt_lower_function vt_lower_attention; /* lower_attention.c */
vt_lower_function vt_lower_quantize;  /* lower_quantize.c: QuantizeLinear, DequantizeLinear */
vt_lower_function vt_lower_concat;    /* lower_concat.c */
vt_lower_function vt_lower_transpose; /* lower_view.c */
vt_lower_function vt_lower_slice;
vt_lower_function vt_lower_split;
vt_lower_function vt_lower_gather;
vt_lower_function vt_lower_alias;       /* any type, no elements allowed */
vt_lower_function vt_lower_elementwise; /* lower_elementwise.c: any type */
vt_lower_function vt_lower_expand;
/* Internal operators of training. */
vt_lower_function vt_lower_conv_grad_input, vt_lower_conv_grad_weights; /* lower_conv_backward.c */
vt_lower_function vt_lower_pool_grad, vt_lower_batchnorm_training, vt_lower_batchnorm_grad,
    vt_lower_relu_grad; /* lower_backward.c */

enum { VT_LOWER_OPERANDS = 12 + 5 * VT_STEP_POSTS }; /* room for any one primitive's */

/* One operand of a primitive and where to read its layout. */
typedef struct vt_operand {
    int name; /* DNNL_ARG_... */
    vt_value_id value;
    dnnl_query_t query;
    int index; /* of the query (for exec_arg_md the name again); -1: none, it is `reading` */
    bool written;
    const vt_layout *reading; /* how to read the value's row-major bytes; NULL: in order */
    const size_t *buffer;     /* where it is, if it is no value (scales); NULL: a value */
    const vt_post *onto;      /* of a result: the residual that its memory holds before; or NULL */
} vt_operand;

/* Brings every operand into the layout that desc wants, makes the results, adds the primitive.
 * Takes desc, also on failure. */
vt_status vt_lower_primitive(vt_dnnl *dnnl, const vt_step *step, dnnl_primitive_desc_t desc,
                             const vt_operand *operands, int count, vt_error *error);
/* The same for a primitive with one source and one result. */
vt_status vt_lower_unary(vt_dnnl *dnnl, const vt_step *step, dnnl_primitive_desc_t desc,
                         vt_error *error);
/* The same for a primitive that takes all inputs of the step as a list. */
vt_status vt_lower_variadic(vt_dnnl *dnnl, const vt_step *step, dnnl_primitive_desc_t desc,
                            vt_error *error);
/* What a vt_pd_ function answered: VT_OK and *possible, or a failure. */
vt_status vt_lower_answer(dnnl_status_t answer, bool *possible, vt_error *error);
/* Whether the numbers are small enough for oneDNN's own arithmetic, which is in int. */
bool vt_lower_window_fits(const vt_pd_window *window, int rank);
/* lower_conv.c: ONNX weights (M, C / g, kernel...) as oneDNN wants grouped ones: (g, M / g, C / g,
 * kernel...), in any layout. NULL: out of memory. */
vt_layout *vt_lower_conv_weights(const vt_shape *weights, int64_t groups, vt_dtype dtype);
/* A convolution's window as oneDNN takes it. False: not for oneDNN. */
bool vt_lower_conv_window(const vt_window *window, vt_pd_window *out);
/* ---- winograd.c ---- */
/* Whether a convolution, or a gradient of one, is to ask for Winograd's algorithm. maps: of the
 * result of the convolution. */
bool vt_winograd_fits(const vt_dnnl *dnnl, const vt_step *step, const vt_shape *weights,
                      const vt_shape *maps);
/* Whether this source or result of a convolution is kept in blocks for the sake of others. */
bool vt_winograd_block(const vt_dnnl *dnnl, const vt_step *step, const vt_shape *maps);

/* lower_pool.c: the window of a pool with this result. False: oneDNN has no such pooling. */
bool vt_lower_pool_window(const vt_window *window, const vt_shape *result, bool counts_padding,
                          vt_pd_window *out);
/* Appends the step's posts from number posts->first on to a primitive whose result has these
 * dimensions (the output's, or a flattened form of them). *possible false: an operand cannot be
 * said in them. The list is the caller's (vt_lower_posts_deinit), also on failure. */
vt_status vt_lower_posts(vt_dnnl *dnnl, const vt_step *step, const vt_shape *result,
                         vt_posts *posts, bool *possible, vt_error *error);
void vt_lower_posts_deinit(vt_posts *posts);
/* lower_posts.c: rewrites the list for a result of this rank so that no primitive mistakes one post
 * for another. vt_lower_posts does it for steps on floats. *possible is only ever set to false. */
vt_status vt_lower_posts_settle(vt_dnnl *dnnl, int rank, vt_posts *posts, bool *possible,
                                vt_error *error);
/* ---- lower_quant.c: steps on whole numbers (step->quant) ---- */

/* What such a step brings to its primitive beyond posts: the buffers are VT_NO_BUFFER when the
 * version of oneDNN or the step needs none. */
typedef struct vt_lower_quant {
    vt_pd_quant attributes;
    float *scales; /* owned, behind attributes */
    size_t channels;
    size_t scales_buffer, zero_buffer, bias_buffer;
    vt_layout *scales_layout, *zero_layout;
} vt_lower_quant;
/* Fills the posts (from number 0 on) and everything else. bias: the value of a bias, or
 * VT_NO_VALUE. The result is the caller's (vt_lower_quant_deinit), also on failure. */
vt_status vt_lower_quant_init(vt_dnnl *dnnl, const vt_step *step, const vt_shape *result,
                              vt_value_id bias, vt_posts *posts, vt_lower_quant *out,
                              vt_error *error);
void vt_lower_quant_deinit(vt_lower_quant *quant);
/* Whether the primitive gets a bias, which may come from elsewhere than the node. */
bool vt_lower_quant_has_bias(const vt_step *step, vt_value_id bias);
int vt_lower_quant_operands(const vt_lower_quant *quant, vt_operand *operands, int count);

/* The operands that the list needs, appended to an array with room; returns the new count. */
int vt_lower_post_operands(const vt_posts *posts, vt_operand *operands, int count);
/* The residual of a list that wants one in the result's memory; NULL: none. */
const vt_post *vt_lower_sum_of(const vt_posts *posts);
/* An input of the step if it is a constant, else NULL. */
const vt_tensor *vt_lower_constant(const vt_dnnl *dnnl, const vt_step *step, size_t input);
/* Frees an array of layouts, any of which may be NULL. */
void vt_lower_layouts_free(vt_layout **layouts, int count);

#endif
