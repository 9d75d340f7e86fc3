/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Static post-training quantisation of a graph: f32 in, an ordinary ONNX graph with QuantizeLinear
 * and DequantizeLinear around what computes in 8 bits out.
 *
 *     vt_quantize_options options = {input_shapes, kept, kept_count};
 *     vt_quantize_prepare(graph, &options, &prepared, error);        // f32, constants folded
 *     vt_quantize_plan_new(&prepared, &options, &plan, error);
 *     // run `prepared` with every plan->observed value as an output, fill plan->thresholds
 *     plan->excluded[node] = true; vt_quantize_choose(plan, false);  // as often as wanted
 *     vt_quantize_graph(&prepared, plan, &quantized, error);
 *
 * A graph that a function makes borrows tensors of the one it was made from, which must outlive it.
 * quantize_prepare.c, quantize_opset.c, quantize.c (the choice), quantize_graph.c (the rewriting),
 * quantize_weights.c (the numbers), quantize_model.c (the same for a vt_model: what other folders
 * use).
 *
 * Threads: no shared state.
 */
#ifndef VT_NN_QUANTIZE_H
#define VT_NN_QUANTIZE_H

#include "nn/graph.h"

typedef struct vt_quantize_options {
    const vt_shape *input_shapes; /* one per graph input, complete */
    const char *const *kept;      /* values that must stay under their names, besides the outputs */
    size_t kept_count;
} vt_quantize_options;

/* A graph that computes the same in f32: f16 and bf16 widened (inputs and outputs keep their types,
 * by casts), constant nodes folded, dropout and per-channel normalisation behind convolutions gone,
 * operator set at least 13. VT_ERR_USAGE: quantised already; VT_ERR_UNSUPPORTED: an operator that
 * means something else in operator set 13. *out is the caller's on success only. */
vt_status vt_quantize_prepare(const vt_graph *in, const vt_quantize_options *options, vt_graph *out,
                              vt_error *error);

/* What a node is to quantisation. */
typedef enum vt_quantize_role {
    VT_QUANTIZE_NONE,    /* stays in floats */
    VT_QUANTIZE_PRODUCT, /* convolution or product with constant weights */
    VT_QUANTIZE_JOIN,    /* sums, averages, concatenation: in 8 bits when both sides are */
    VT_QUANTIZE_CARRY,   /* moves or picks values: its output has the scale of its input */
    VT_QUANTIZE_FUSED,   /* clips the result of the node before, without a pair between them */
} vt_quantize_role;

typedef struct vt_quantize_plan {
    const vt_graph *graph; /* borrowed */
    /* By node. */
    vt_quantize_role *roles;
    bool *excluded;  /* the caller's to set: stays in floats */
    bool *quantized; /* chosen */
    /* By value. */
    bool *observed; /* read by a node that is quantised: gets a pair */
    bool *non_negative;
    float *thresholds; /* the caller's to set where observed: largest magnitude that is kept */
    vt_dtype *dtypes;  /* NONE: not needed */
    vt_shape *shapes;  /* for the options' input shapes */
    uint32_t *reads;   /* how often nodes read it */
    bool *kept;        /* outputs and the options' kept ones */
} vt_quantize_plan;

/* Every node that can be quantised is chosen. */
vt_status vt_quantize_plan_new(const vt_graph *graph, const vt_quantize_options *options,
                               vt_quantize_plan **out, vt_error *error);
void vt_quantize_plan_free(vt_quantize_plan *plan); /* NULL is fine */
/* Fills `quantized` and `observed` from `excluded`. Nodes of roles JOIN and CARRY are quantised
 * only where 8-bit values come in and go out, unless `alone`: to see what one node does. */
void vt_quantize_choose(vt_quantize_plan *plan, bool alone);
/* How many inputs of a node, from the first, are activations that a quantised node reads in 8 bits.
 */
size_t vt_quantize_activations(const vt_node *node, vt_quantize_role role);

/* thresholds are set where observed (VT_ERR_USAGE otherwise). *out is the caller's on success only.
 */
vt_status vt_quantize_graph(const vt_graph *in, const vt_quantize_plan *plan, vt_graph *out,
                            vt_error *error);

/* quantize_weights.c */
float vt_quantize_scale(float threshold, bool non_negative); /* of u8 or i8, never 0 */
/* w in steps of scales (channels), one per index of `axis`; with bias (may be NULL) as i32 in steps
 * of input_scale times that. Raises the scale of channels whose bias would not fit. All outputs are
 * the caller's on success only; bias outputs are untouched without a bias. */
typedef struct vt_quantize_weights {
    vt_tensor values, scales, bias, bias_scales; /* i8, f32, i32, f32 */
} vt_quantize_weights;
vt_status vt_quantize_weights_of(const vt_tensor *w, int axis, const vt_tensor *bias,
                                 float input_scale, vt_quantize_weights *out, vt_error *error);
void vt_quantize_weights_deinit(vt_quantize_weights *weights);

/* ---- inside: a plan for the outputs and the kept values, marked in kept (by value; may be NULL)
 */
struct vt_plan;
vt_status vt_quantize_wanted_plan(const vt_graph *graph, const vt_quantize_options *options,
                                  struct vt_plan **out, bool *kept, vt_error *error);
void vt_quantize_wanted_plan_free(struct vt_plan *plan); /* NULL is fine */

/* quantize_fold.c: *out takes the constants that `in` owns. */
vt_status vt_quantize_fold(vt_graph *in, const vt_quantize_options *options, vt_graph *out,
                           vt_error *error);

/* ---- inside: graphs made from graphs (quantize_copy.c) ---- */
typedef struct vt_graph_copy {
    const vt_graph *in;
    vt_graph *out;
    vt_value_id *map; /* (in->value_count), VT_NO_VALUE: not there yet */
} vt_graph_copy;
vt_status vt_graph_copy_init(vt_graph_copy *copy, const vt_graph *in, vt_graph *out,
                             vt_error *error); /* out is initialised, inputs are copied */
void vt_graph_copy_deinit(vt_graph_copy *copy);
/* The numbers of a constant: borrowed, or copied where they lie in a file at an address that is no
 * multiple of their size (see constants.c). vt_tensor_deinit. */
vt_status vt_graph_copy_borrow(const vt_graph *in, vt_value_id id, vt_tensor *out, vt_error *error);
/* The value in `out` for `id`, made when it is not there yet; constants come by copy_borrow. */
vt_status vt_graph_copy_value(vt_graph_copy *copy, vt_value_id id, vt_value_id *out,
                              vt_error *error);
/* A new value with a name made of both texts that neither graph has. */
vt_status vt_graph_copy_name(vt_graph_copy *copy, const char *base, const char *suffix,
                             vt_value_id *out, vt_error *error);
/* The same with a constant; takes the tensor, also on failure. */
vt_status vt_graph_copy_constant(vt_graph_copy *copy, const char *base, const char *suffix,
                                 vt_tensor *tensor, vt_value_id *out, vt_error *error);
/* Copies outputs and finishes `out`. */
vt_status vt_graph_copy_finish(vt_graph_copy *copy, vt_error *error);

/* quantize_opset.c */
enum { VT_QUANTIZE_OPSET = 13 }; /* the first with scales per channel */
/* A node (its operands already in copy->out) as operator set 13 writes it; attributes and operands
 * may be replaced by ones that live in copy->out. shape: of its first input, rank -1: unknown. */
vt_status vt_quantize_raise(vt_graph_copy *copy, vt_node *node, const vt_shape *shape,
                            vt_error *error);

#endif
