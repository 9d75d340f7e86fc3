/* SPDX-License-Identifier: Apache-2.0 */
/*
 * From a graph and input shapes to something an executor can run, inside src/nn.
 *
 * specialize.c walks the graph once in order for concrete input shapes: infers every shape, folds
 * every node whose inputs are all constant (by its reference function), and drops what the chosen
 * outputs do not need. The result is a flat list of steps over concrete tensors. Passes (passes/)
 * rewrite that list; memory_plan.c gives each computed value its place in one arena; an executor
 * turns the list into a runnable.
 *
 * Threads: a plan belongs to one session.
 */
#ifndef VT_NN_PLAN_H
#define VT_NN_PLAN_H

#include "nn/graph.h"

typedef struct vt_plan vt_plan;

/* What passes append to a step: functions of each element of its first output, in order (post.c).
 */
typedef enum vt_post_kind {
    VT_POST_LINEAR, /* alpha x + beta */
    VT_POST_CLIP,   /* min(max(x, alpha), beta) */
    VT_POST_RELU,
    VT_POST_LEAKY_RELU, /* x < 0: alpha x */
    VT_POST_ELU,        /* x < 0: alpha (exp(x) - 1) */
    VT_POST_SIGMOID,
    VT_POST_TANH,
    VT_POST_GELU,         /* with erf */
    VT_POST_GELU_TANH,    /* its approximation */
    VT_POST_SWISH,        /* x sigmoid(alpha x) */
    VT_POST_HARD_SIGMOID, /* min(max(alpha x + beta, 0), 1) */
    VT_POST_HARD_SWISH,   /* x min(max(x / 6 + 1 / 2, 0), 1) */
    VT_POST_MISH,
    VT_POST_ADD, /* + operand, broadcast to the output */
    VT_POST_MUL, /* * operand, broadcast to the output */
} vt_post_kind;

typedef struct vt_step_post {
    vt_post_kind kind;
    float alpha, beta;
    vt_value_id operand; /* of ADD and MUL, else VT_NO_VALUE */
} vt_step_post;

enum { VT_STEP_POSTS = 4 };

/* A value kept as whole numbers: real = scale (stored - zero). */
typedef struct vt_scale {
    float scale;
    int32_t zero;
} vt_scale;

/* What a step that multiplies whole numbers knows beyond its node (passes/fuse_quantized.c). Its
 * first input is u8 or i8, its weights (input 1) are i8 without a zero point, its bias (input 2,
 * may be left out) is real. Its result may be u8 or i8, and so may the operand of one sum among its
 * posts, when the others are ReLU and clips. */
typedef struct vt_step_quant {
    vt_scale source, residual, result;
    int residual_post;          /* number of the post whose operand is integers, -1: none */
    const float *weight_scales; /* (weight_scale_count), by output channel, or one */
    size_t weight_scale_count;
} vt_step_quant;

typedef struct vt_step {
    vt_node node; /* copy of the graph's node; passes may change op, inputs, attrs */
    vt_step_post posts[VT_STEP_POSTS];
    int post_count;
    /* What the executor reads and multiplies in, and what it keeps the result in: F32, or where a
     * pass says so BF16 or U8 or I8. They differ for convolutions and products only. */
    vt_dtype compute, result;
    const vt_step_quant *quant; /* NULL: on floats; in the plan's arena */
} vt_step;

/* All values a step reads: the node's inputs (left-out ones too), then the posts' operands. */
size_t vt_step_read_count(const vt_step *step);
vt_value_id vt_step_read(const vt_step *step, size_t index); /* may be VT_NO_VALUE */

/* Everything of a description but the executor's name; posts: memory for its text. The operands are
 * the caller's arrays as in vt_plan_args. */
enum { VT_STEP_POSTS_TEXT = 128 };
void vt_step_describe(const vt_plan *plan, const vt_step *step, vt_op_args *args,
                      char posts[VT_STEP_POSTS_TEXT], vt_step_info *out);

/* ---- post.c ---- */
/* Appends; false when the step is full. */
bool vt_step_post_add(vt_step *step, const vt_step_post *post);
bool vt_post_has_operand(const vt_step_post *post);
double vt_post_function(const vt_step_post *post, double x); /* ADD and MUL excepted */
/* Applies all posts to `output`, rounding once. operands: one tensor per post (any for those
 * without an operand), of any float type, with data. */
vt_status vt_posts_apply(const vt_step *step, const vt_tensor *operands, vt_tensor *output,
                         vt_error *error);

typedef struct vt_plan_value {
    vt_tensor tensor; /* dtype and shape always known; data: constants only, until placed */
    bool constant;
    bool folded;               /* a constant this plan owns (else borrowed from the graph) */
    bool acquired;             /* borrowed until vt_graph_release */
    int first_step, last_step; /* life of a computed value: produced, last read; -1: input */
    size_t offset;             /* in the arena, of computed values */
} vt_plan_value;

struct vt_plan {
    const vt_graph *graph;
    vt_arena arena;        /* ids and attributes made by passes */
    vt_plan_value *values; /* (value_count), heap (vt_alloc), indexed by the graph's vt_value_id;
                              passes append values of their own behind the graph's */
    size_t value_count;
    vt_step *steps;
    size_t step_count;
    vt_value_id *outputs; /* borrowed from the session */
    size_t output_count;
    /* Memory of the caller's that outputs may be written to (NULL: none, or none at all):
     * row-major, as large as they are, 64-byte aligned. An executor uses it where it can. */
    void *const *targets; /* (output_count), borrowed */
    /* The first output is a loss, and what the steps before it make may be made again by those
     * behind it rather than kept (dnnl/recompute.c). */
    bool recompute;
    bool winograd;       /* 3x3 convolutions in f32 may lose digits for speed (dnnl/winograd.c) */
    size_t folded_bytes; /* of constants that fold.c made or took over */
    uint64_t fold_work;  /* elementary steps spent on them */
    size_t arena_bytes, unshared_bytes;
};

/* input_shapes: one per graph input. *out is the caller's. */
vt_status vt_plan_new(const vt_graph *graph, const vt_shape *input_shapes, vt_value_id *outputs,
                      size_t output_count, vt_plan **out, vt_error *error);
/* The same with inputs as tensors (one per graph input, type and shape set): those with data are
 * taken as constants of the plan (copied), which is how graphs whose shapes hang on input values
 * run. */
vt_status vt_plan_new_bound(const vt_graph *graph, const vt_tensor *inputs, vt_value_id *outputs,
                            size_t output_count, vt_plan **out, vt_error *error);
void vt_plan_free(vt_plan *plan);
/* Weights that lie in the model's file are brought into memory when somebody computes with them,
 * not by planning alone: one constant, or all that steps and outputs of the plan read. Executors
 * and vt_plan_optimize begin with it. */
vt_status vt_plan_acquire(vt_plan *plan, vt_value_id value, vt_error *error);
vt_status vt_plan_acquire_all(vt_plan *plan, vt_error *error);
/* For executors that hold a constant in a form of their own: its numbers are not read through this
 * plan any more, and their memory, or the pages of the model's file, may go. Type and shape stay.
 */
void vt_plan_release_constant(vt_plan *plan, vt_value_id value);
/* Type, shape and constant data of a step's (or node's) operands as an operator wants them; arrays
 * from the caller with room for node->input_count and node->output_count. */
void vt_plan_args(const vt_plan *plan, const vt_node *node, vt_tensor *inputs, vt_tensor *outputs,
                  vt_op_args *args);
/* Fills first_step and last_step of every value anew from the steps (passes that add, drop or move
 * steps call it). Outputs live to the end. */
void vt_plan_lifetimes(vt_plan *plan);

/* Computes the lives (first_step, last_step; outputs live to the end) and the places of all
 * computed values. Greedy by size over lifetimes (Pisarchyk and Lee, MLSys 2020 workshop, algorithm
 * 3): 64-byte aligned offsets, no two live values overlap. */
vt_status vt_memory_plan(vt_plan *plan, vt_error *error);

/* passes/constant.c: appends a constant that the plan owns; it takes the tensor's memory (also on
 * failure). Moves plan->values. */
vt_status vt_plan_add_constant(vt_plan *plan, vt_tensor *tensor, vt_value_id *out, vt_error *error);
/* The same for a value that a step will compute. */
vt_status vt_plan_add_value(vt_plan *plan, vt_dtype dtype, const vt_shape *shape, vt_value_id *out,
                            vt_error *error);
/* For messages; values that passes made have no name of their own. */
const char *vt_plan_value_name(const vt_plan *plan, vt_value_id value);

/* fold.c: computes the node while planning, when its inputs are constant and the plan's budget of
 * memory and work allows it: its outputs are then constants. args as vt_plan_args and vt_op_infer
 * leave them. */
vt_status vt_plan_fold(vt_plan *plan, vt_op_args *args, bool *folded, vt_error *error);
#define VT_FOLD_WORK       (UINT64_C(1) << 30) /* elementary steps of one folded node, at most */
#define VT_FOLD_WORK_TOTAL (UINT64_C(1) << 32) /* of all of one plan */

/* Passes: each keeps the meaning of the plan exactly, up to rounding. */
vt_status vt_pass_cancel_transposes(vt_plan *plan, vt_error *error); /* moves that undo each other,
                                                                       steps that change nothing */
vt_status vt_pass_recognise_activation(vt_plan *plan, vt_error *error); /* spelled-out Gelu, Swish,
                                                                          Mish ... to one step */
vt_status vt_pass_recognise_einsum(vt_plan *plan, vt_error *error); /* to products of matrices */
vt_status vt_pass_recognise_layernorm(vt_plan *plan, vt_error *error);
vt_status vt_pass_recognise_attention(vt_plan *plan, vt_error *error);
vt_status vt_pass_fold_constants(vt_plan *plan, vt_error *error);
vt_status vt_pass_fold_batchnorm(vt_plan *plan, vt_error *error); /* normalisations and per-channel
                                                                    Mul/Add into the weights */
/* Convolutions over joined channels to sums of convolutions; before vt_pass_fuse_posts. */
vt_status vt_pass_split_concat(vt_plan *plan, vt_error *error);
vt_status vt_pass_fuse_posts(vt_plan *plan, vt_error *error); /* activations, residual sums and
                                                                 gates into the step before */
/* Before vt_pass_fuse_posts: sums of quantised values read what was there before. */
vt_status vt_pass_drop_requantization(vt_plan *plan, vt_error *error);
/* After it: DequantizeLinear -> Conv/MatMul/Gemm/MaxPool -> QuantizeLinear to steps on integers. */
vt_status vt_pass_fuse_quantized(vt_plan *plan, vt_error *error);
vt_status vt_pass_fuse_elementwise(vt_plan *plan, vt_error *error); /* what is left of elementwise
                                                                       steps after fuse_posts */
vt_status vt_pass_dead_code(vt_plan *plan, vt_error *error);        /* after the others */
/* Marks what may compute in bf16; after all passes that make or merge steps. */
vt_status vt_pass_choose_precision(vt_plan *plan, vt_error *error);
/* passes/optimize.c: all of them in the order that works, those of a precision where it is asked
 * for and this machine is fast in it. */
vt_status vt_plan_optimize(vt_plan *plan, vt_precision precision, vt_error *error);

/* ---- executors ---- */
typedef struct vt_runner vt_runner;
struct vt_runner {
    /* inputs bound as given; on success fills outputs with borrowed plain row-major tensors */
    vt_status (*run)(vt_runner *runner, const vt_tensor *inputs, vt_tensor *outputs,
                     vt_error *error);
    void (*free)(vt_runner *runner);
    /* Every step in order, as vt_session_each_step promises. */
    vt_status (*describe)(vt_runner *runner, void (*visit)(void *context, const vt_step_info *step),
                          void *context, vt_error *error);
    size_t weights_bytes, activations_bytes, unshared_bytes, reorders;
};
/* Both take the plan (also on failure). */
vt_status vt_reference_runner_new(vt_plan *plan, vt_runner **out, vt_error *error);
vt_status vt_onednn_runner_new(vt_plan *plan, int threads, vt_runner **out, vt_error *error);

#endif
