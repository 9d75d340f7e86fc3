/* SPDX-License-Identifier: Apache-2.0 */
/*
 * oneDNN 2.x (2.6 and later) and 3.x behind one set of functions: these files (compat.h,
 * compat.c, compat_backward.c) alone in the house know which of the two it is built with.
 *
 * 2.x describes an operation in a struct that vt_ then turns into a primitive descriptor; 3.x makes
 * the descriptor at once. 2.x has memory descriptors as plain structs, 3.x as opaque objects: here
 * both are `vt_layout *`. The types and functions that are the same in both (engine, stream,
 * memory, primitive, primitive descriptor, post-op and query enums) are used directly by the rest
 * of src/nn/dnnl.
 *
 * The vt_pd_* functions return oneDNN's own status: DNNL_UNIMPLEMENTED-like answers are no errors
 * but "choose another way". Every primitive descriptor takes its scratchpad from the user.
 *
 * Threads: any, at once.
 */
#ifndef VT_NN_DNNL_COMPAT_H
#define VT_NN_DNNL_COMPAT_H

#include <oneapi/dnnl/dnnl.h>

#include "nn/plan.h"

/* ---- layouts: dimensions, element type, and where each element lies ---- */

#if DNNL_VERSION_MAJOR >= 3
typedef struct dnnl_memory_desc vt_layout;
#else
typedef dnnl_memory_desc_t vt_layout;
#endif

/* What a layout says, for code that follows addresses (layout.c). Borrowed from the layout. */
typedef struct vt_layout_view {
    int rank, block_count;
    bool blocked; /* addresses follow strides and inner blocks; else only rank and dims are set */
    const dnnl_dim_t *dims, *padded;
    const dnnl_dim_t *strides;             /* (rank), of the part of each axis outside its blocks */
    const dnnl_dim_t *blocks, *block_axes; /* (block_count), innermost last */
} vt_layout_view;

vt_layout_view vt_layout_view_of(const vt_layout *layout);
/* oneDNN's name of an element type, dnnl_data_type_undef when it does not compute with it. */
dnnl_data_type_t vt_layout_dtype(vt_dtype dtype);
/* strides NULL: row-major, or whatever the primitive chooses (any). The caller's; NULL: no memory.
 */
vt_layout *vt_layout_new(int rank, const int64_t *dims, const int64_t *strides, bool any,
                         vt_dtype dtype);
/* Pictures (batch, channels, height, width) with 16 channels beside each other, pixel by pixel. The
 * caller's; NULL: no memory. */
vt_layout *vt_layout_new_blocks(const int64_t dims[4], vt_dtype dtype);
vt_layout *vt_layout_dup(const vt_layout *layout);
/* The same bytes with exchanged axes (axis i was order[i]); NULL: no memory. */
vt_layout *vt_layout_permute(const vt_layout *layout, const int *order);
/* The same bytes under other dimensions. False: no memory; *out NULL: the layout cannot say it. */
bool vt_layout_reshape(const vt_layout *layout, int rank, const int64_t *dims, vt_layout **out);
/* The same arrangement of another type. False: no memory; *out NULL: there is no way to say it. */
bool vt_layout_retype(const vt_layout *layout, vt_dtype dtype, vt_layout **out);
/* Other dimensions of the same rank in the same arrangement: row-major, channels last or blocks of
 * channels. False: no memory; *out NULL: it is none of these. */
bool vt_layout_resize(const vt_layout *layout, const int64_t *dims, vt_layout **out);
vt_dtype vt_layout_type(const vt_layout *layout); /* NONE: one that src/nn does not know */
void vt_layout_free(vt_layout *layout);           /* NULL is fine */
bool vt_layout_equal(const vt_layout *a, const vt_layout *b);
size_t vt_layout_bytes(const vt_layout *layout); /* with padding */

/* ---- attributes ---- */

typedef struct vt_post {
    enum { VT_APPEND_ELTWISE, VT_APPEND_BINARY, VT_APPEND_SUM } kind;
    dnnl_alg_kind_t algorithm; /* of ELTWISE and BINARY */
    float alpha, beta;         /* of ELTWISE */
    vt_layout *operand;        /* of BINARY; owned by whoever made the list */
    vt_value_id value;         /* of BINARY and SUM: what the operand is read from */
    vt_dtype dtype;            /* of SUM: what the result's memory holds before */
    bool prepared;             /* of BINARY: it lies in this buffer, and is no value */
    size_t buffer;
} vt_post;

/* Products of whole numbers. 2.x takes the numbers when the primitive is made, 3.x as arguments of
 * each run: VT_SCALES_ARE_ARGUMENTS says which. */
typedef struct vt_pd_quant {
    const float *scales; /* (count), by output channel or one: sums times this are what posts see */
    size_t count;
    int32_t source_zero;
} vt_pd_quant;

#if DNNL_VERSION_MAJOR >= 3
enum { VT_SCALES_ARE_ARGUMENTS = 1, VT_POSTS_SHARE_PARAMETERS = 0 };
/* Reorders of 3.7 leave elements out where blocks of weights are padded (weights.c places them). */
enum { VT_REORDERS_LEAVE_OUT = 1 };
/* The sum of 3.7 divides by a size of cache, which a virtual machine may not tell. */
enum { VT_SUM_MAY_DIVIDE_BY_ZERO = 1 };
/* The gradient of a normalisation takes its shift as an argument, which it does not read. */
enum { VT_NORM_BACKWARD_WANTS_SHIFT = 0 };
#else
/* Functions of one kind in a list of posts get the parameters of the first (lower_posts.c). */
enum { VT_SCALES_ARE_ARGUMENTS = 0, VT_POSTS_SHARE_PARAMETERS = 1, VT_REORDERS_LEAVE_OUT = 0 };
enum { VT_SUM_MAY_DIVIDE_BY_ZERO = 0, VT_NORM_BACKWARD_WANTS_SHIFT = 1 };
#endif
/* The names of those arguments; 2.x: none. */
int vt_argument_scales(void);
int vt_argument_source_zero(void);

typedef struct vt_posts {
    const vt_pd_quant *quant; /* NULL: on floats */
    int first;                /* posts of the step before this one are taken care of already */
    bool sums;                /* a residual may be what the result's memory holds before */
    vt_post items[5 * VT_STEP_POSTS +
                  4]; /* each with changes of unit around it, in halves; Gemm's own */
    int count;
} vt_posts;

/* ---- primitive descriptors, forward inference; the caller destroys *out ---- */

typedef struct vt_pd_window {
    dnnl_dims_t kernel, strides, dilates; /* by spatial axis; dilates: oneDNN's, 0 is dense */
    dnnl_dims_t low, high;                /* padding */
    bool winograd; /* a convolution: by Winograd's algorithm where oneDNN has it */
    bool trained;  /* the weights change from run to run: none of their forms lasts */
} vt_pd_window;

#if DNNL_VERSION_MAJOR < 3
/* The second half of each, for these files alone: the descriptor of what was described, unless
 * describing it failed. hint: the forward one of a backward one, or NULL. */
dnnl_status_t vt_pd_make(dnnl_status_t described, const void *description,
                         dnnl_primitive_attr_t attr, dnnl_engine_t engine,
                         const_dnnl_primitive_desc_t hint, dnnl_primitive_desc_t *out);
#endif

dnnl_status_t
vt_pd_convolution(dnnl_engine_t engine, const vt_layout *const layouts[4],
                  const vt_pd_window *window, const vt_posts *posts,
                  dnnl_primitive_desc_t *out); /* source, weights, bias or NULL, result */
/* Whether this oneDNN has Winograd's algorithm for this CPU. */
dnnl_status_t vt_pd_has_winograd(dnnl_engine_t engine, bool *has);
dnnl_status_t vt_pd_pooling(dnnl_engine_t engine, dnnl_alg_kind_t algorithm,
                            const vt_layout *const layouts[2], const vt_pd_window *window,
                            dnnl_primitive_desc_t *out); /* source, result */
dnnl_status_t vt_pd_matmul(dnnl_engine_t engine, const vt_layout *const layouts[4],
                           const vt_posts *posts,
                           dnnl_primitive_desc_t *out); /* a, b, bias or NULL, result */
/* Source and result share the layout. alpha and beta as 2.x defines them; for hard-swish and
 * soft-relu they are ignored and the ONNX definition is what is computed. */
dnnl_status_t vt_pd_eltwise(dnnl_engine_t engine, const vt_post *operation, const vt_layout *layout,
                            dnnl_primitive_desc_t *out);
dnnl_status_t vt_pd_binary(dnnl_engine_t engine, dnnl_alg_kind_t algorithm,
                           const vt_layout *const layouts[3], const vt_posts *posts,
                           dnnl_primitive_desc_t *out); /* a, b, result */
/* Statistics, scale and shift are given. */
dnnl_status_t vt_pd_batchnorm(dnnl_engine_t engine, const vt_layout *layout, float epsilon,
                              const vt_posts *posts, dnnl_primitive_desc_t *out);
dnnl_status_t vt_pd_softmax(dnnl_engine_t engine, bool logarithm, const vt_layout *layout, int axis,
                            dnnl_primitive_desc_t *out);
/* Into another type or layout: source, result. */
dnnl_status_t vt_pd_softmax_to(dnnl_engine_t engine, const vt_layout *const layouts[2], int axis,
                               dnnl_primitive_desc_t *out);
dnnl_status_t vt_pd_lrn(dnnl_engine_t engine, const vt_layout *layout, int64_t size,
                        const float coefficients[3],
                        dnnl_primitive_desc_t *out); /* alpha, beta, k */
dnnl_status_t vt_pd_reduction(dnnl_engine_t engine, dnnl_alg_kind_t algorithm,
                              const vt_layout *const layouts[2],
                              dnnl_primitive_desc_t *out); /* source, result */
dnnl_status_t vt_pd_concat(dnnl_engine_t engine, const vt_layout *const *sources, int count,
                           int axis,
                           dnnl_primitive_desc_t *out); /* the result's layout is chosen */
dnnl_status_t vt_pd_sum(dnnl_engine_t engine, const vt_layout *const *sources, int count,
                        const vt_layout *result, dnnl_primitive_desc_t *out);
dnnl_status_t vt_pd_reorder(dnnl_engine_t engine, const vt_layout *from, const vt_layout *to,
                            dnnl_primitive_desc_t *out);
/* to = scale * from, rounded; 3.x takes the scale as an argument (vt_argument_reorder_scale). */
dnnl_status_t vt_pd_reorder_scaled(dnnl_engine_t engine, const vt_layout *const layouts[2],
                                   const float *scale, dnnl_primitive_desc_t *out);
int vt_argument_reorder_scale(void);
/* Source, weights (output channels before input channels, in groups), bias or NULL, result. The
 * window is that of the convolution that would turn the result into the source. */
dnnl_status_t vt_pd_deconvolution(dnnl_engine_t engine, const vt_layout *const layouts[4],
                                  const vt_pd_window *window, const vt_posts *posts,
                                  dnnl_primitive_desc_t *out);
/* Along the last axis, with a scale and, if `shift`, a shift, both f32; source and result share the
 * layout. */
dnnl_status_t vt_pd_layernorm(dnnl_engine_t engine, const vt_layout *layout, float epsilon,
                              bool shift, dnnl_primitive_desc_t *out);

/* ---- compat_backward.c: training. Each backward descriptor is made from a forward one of its own,
 * which is gone again afterwards. ---- */

/* Into the source: gradient of the source, weights, gradient of the result. */
dnnl_status_t vt_pd_convolution_backward_data(dnnl_engine_t engine,
                                              const vt_layout *const layouts[3],
                                              const vt_pd_window *window,
                                              dnnl_primitive_desc_t *out);
/* Into the weights: source, gradients of weights and bias (or NULL), gradient of the result. */
dnnl_status_t vt_pd_convolution_backward_weights(dnnl_engine_t engine,
                                                 const vt_layout *const layouts[4],
                                                 const vt_pd_window *window,
                                                 dnnl_primitive_desc_t *out);
/* Source, result (any). forward: with a workspace where it is a maximum; both are the caller's. The
 * gradients have the layouts that forward chose. */
dnnl_status_t vt_pd_pooling_training(dnnl_engine_t engine, dnnl_alg_kind_t algorithm,
                                     const vt_layout *const layouts[2], const vt_pd_window *window,
                                     dnnl_primitive_desc_t *forward,
                                     dnnl_primitive_desc_t *backward);
/* With scale and shift; the statistics are results. */
dnnl_status_t vt_pd_batchnorm_training(dnnl_engine_t engine, const vt_layout *layout, float epsilon,
                                       dnnl_primitive_desc_t *out);
/* Source and both gradients share the layout. */
dnnl_status_t vt_pd_batchnorm_backward(dnnl_engine_t engine, const vt_layout *layout, float epsilon,
                                       dnnl_primitive_desc_t *out);
/* Of an operation that is differentiated by its result; all three share the layout. */
dnnl_status_t vt_pd_eltwise_backward(dnnl_engine_t engine, const vt_post *operation,
                                     const vt_layout *layout, dnnl_primitive_desc_t *out);
/* Attributes that every primitive here has, for compat_backward.c. The caller's. */
dnnl_status_t vt_attr_plain(dnnl_primitive_attr_t *out);

/* Borrowed from the descriptor. */
const vt_layout *vt_pd_layout(const_dnnl_primitive_desc_t desc, dnnl_query_t what, int index);
/* Borrowed from the memory; NULL: oneDNN does not say. */
const vt_layout *vt_memory_layout(const_dnnl_memory_t memory);
/* oneDNN's name of the code behind a primitive; never NULL. */
const char *vt_primitive_name(const_dnnl_primitive_t primitive);
/* Whether oneDNN has only its slow, general code for this. */
bool vt_pd_is_slow(const_dnnl_primitive_desc_t desc);

#endif
