/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The graph inside src/nn: values and nodes by index, attributes, the operator table.
 *
 * Other folders use nn/model.h. A graph is built by onnx_import.c (or by tests), checked and sorted
 * by vt_graph_finish, then read-only. Passes rewrite plans made from it (plan.h).
 *
 * Threads: read-only once finished.
 */
#ifndef VT_NN_GRAPH_H
#define VT_NN_GRAPH_H

#include "base/file.h"
#include "base/mem.h"
#include "nn/model.h"

typedef uint32_t vt_value_id;
typedef uint32_t vt_node_id;
#define VT_NO_VALUE UINT32_MAX /* an optional input or output that is left out */

typedef struct vt_attr {
    const char *name;
    enum {
        VT_ATTR_INT,
        VT_ATTR_FLOAT,
        VT_ATTR_TEXT,
        VT_ATTR_INTS,
        VT_ATTR_FLOATS,
        VT_ATTR_TENSOR,
        VT_ATTR_TEXTS
    } kind;
    int64_t i;
    float f;
    const char *text;
    size_t count; /* of ints, floats, texts */
    const int64_t *ints;
    const float *floats;
    const char *const *texts;
    const vt_tensor *tensor;
} vt_attr;

typedef struct vt_op vt_op;

typedef struct vt_node {
    const vt_op *op;
    int opset;        /* version of the op's domain that the model imports */
    const char *name; /* may be "" */
    vt_value_id *inputs, *outputs;
    size_t input_count, output_count; /* trailing left-out ones are cut off */
    vt_attr *attrs;
    size_t attr_count;
} vt_node;

typedef struct vt_value {
    const char *name;
    vt_dtype dtype; /* NONE until known */
    vt_shape shape; /* rank -1 until known */
    /* The file's names of open dimensions (rank of the shape, NULL where there is none), for
     * writing it back; NULL: none at all. */
    const char *const *symbols;
    /* Weight; NULL for inputs and computed values. Its data may lie in the model's file, at any
     * address: what computes with it goes through vt_graph_acquire (plans do). */
    const vt_tensor *constant;
    struct vt_lent *lent; /* constants.c: of one that lies in a file, else NULL */
    vt_node_id producer;  /* UINT32_MAX: an input or a constant */
} vt_value;

typedef struct vt_graph {
    vt_arena arena;      /* names, attributes, id arrays, constants' vt_tensor heads */
    vt_tensor **tensors; /* every tensor whose data the graph owns */
    size_t tensor_count, tensor_capacity;
    vt_mapping *mappings; /* owned: files that constants lie in */
    size_t mapping_count, mapping_capacity;
    uint32_t *name_slots;   /* value ids by hash of the name, open addressing; VT_NO_VALUE: free */
    size_t name_slot_count; /* 0 or a power of two */
    vt_value *values;       /* owned */
    size_t value_count, value_capacity;
    vt_node *nodes; /* owned; in execution order once finished */
    size_t node_count, node_capacity;
    vt_value_id *inputs, *outputs; /* in the arena */
    size_t input_count, output_count;
    vt_model_limits limits;
} vt_graph;

/* ---- graph.c ---- */
void vt_graph_init(vt_graph *graph, const vt_model_limits *limits);
void vt_graph_deinit(vt_graph *graph); /* frees owned constants too */
vt_status vt_graph_add_value(vt_graph *graph, const char *name, vt_value_id *out, vt_error *error);
vt_value_id vt_graph_find_value(const vt_graph *graph, const char *name); /* VT_NO_VALUE: none */
/* The graph takes the tensor's memory (also on failure, *tensor is empty afterwards); *out is the
 * graph's own head of it, for attributes. */
vt_status vt_graph_keep_tensor(vt_graph *graph, vt_tensor *tensor, const vt_tensor **out,
                               vt_error *error);
/* The graph takes the tensor's memory (also on failure, *tensor is empty afterwards). */
vt_status vt_graph_set_constant(vt_graph *graph, vt_value_id value, vt_tensor *tensor,
                                vt_error *error);
/* Checks the node against its operator (numbers of inputs and outputs, attribute names and kinds)
 * and copies it with everything behind its pointers, except tensors of attributes: those stay
 * borrowed and must live as long as the graph (vt_graph_keep_tensor). */
vt_status vt_graph_add_node(vt_graph *graph, const vt_node *node, vt_error *error);
/* Copies the ids. */
vt_status vt_graph_set_inputs(vt_graph *graph, const vt_value_id *ids, size_t count,
                              vt_error *error);
vt_status vt_graph_set_outputs(vt_graph *graph, const vt_value_id *ids, size_t count,
                               vt_error *error);
/* Sorts nodes topologically, links producers, refuses cycles and undefined values. */
vt_status vt_graph_finish(vt_graph *graph, vt_error *error);
/* "Conv node "conv1"" or "Conv node of output "x"", for messages. */
void vt_node_label(const vt_graph *graph, const vt_node *node, char *out, size_t capacity);

/* ---- constants.c: constants in mapped files ---- */
/* The graph takes the mapping (also on failure). */
vt_status vt_graph_keep_mapping(vt_graph *graph, vt_mapping *mapping, vt_error *error);
/* The value's constant borrows its data; if from a kept mapping, it is read through that. */
vt_status vt_graph_lend(vt_graph *graph, vt_value_id value, vt_error *error);
/* *out borrows aligned data of the constant until the matching release. */
vt_status vt_graph_acquire(const vt_graph *graph, vt_value_id value, vt_tensor *out,
                           vt_error *error);
void vt_graph_release(const vt_graph *graph, vt_value_id value);
/* The files' pages may go; they are read again when needed. */
void vt_graph_release_pages(const vt_graph *graph);
void vt_graph_lent_deinit(vt_graph *graph); /* for vt_graph_deinit */

/* ---- attr.c: attributes with defaults; type errors were refused at import ---- */
/* Against the rules in node->op->attrs: unknown, missing, doubled, of the wrong kind. */
vt_status vt_node_check_attrs(const vt_node *node, vt_error *error);
const vt_attr *vt_node_attr(const vt_node *node, const char *name);
int64_t vt_node_int(const vt_node *node, const char *name, int64_t fallback);
float vt_node_float(const vt_node *node, const char *name, float fallback);
const char *vt_node_text(const vt_node *node, const char *name, const char *fallback);
/* Count of ints copied to out (at most capacity); -1 when absent. */
int vt_node_ints(const vt_node *node, const char *name, int64_t *out, int capacity);

/* ---- operators: ops/<name>.c, collected in ops/table.c ---- */

/* What shape inference and the reference know of one node: types and shapes of all inputs, and the
 * data of those that are constant (data NULL otherwise). Absent inputs have dtype NONE. */
typedef struct vt_op_args {
    const vt_graph *graph;
    const vt_node *node;
    vt_tensor *inputs;  /* (node->input_count) */
    vt_tensor *outputs; /* (node->output_count) */
} vt_op_args;

enum {
    VT_OP_SHAPE_ONLY = 1, /* the reference reads types and shapes of its inputs, never their data */
    VT_OP_HEAVY = 2,      /* work may grow as inputs times outputs, not as their sum */
    VT_OP_INTERNAL = 4,   /* made by passes only: models cannot name it */
    VT_OP_OUTPUTS_DECIDE = 16, /* how many outputs are asked for changes what the first one is */
    VT_OP_DRAWS = 32,          /* draws random numbers in training: never computed while planning */
    VT_OP_DEQUANTIZES = 8, /* makes floats of stored bytes: left to passes, which may want those */
};

struct vt_op {
    const char *name;           /* ONNX op_type */
    const char *domain;         /* "" for ai.onnx, else as in the file */
    int since, until;           /* opset versions this entry covers, inclusive; until 0: newest */
    int min_inputs, max_inputs; /* max -1: any number */
    int min_outputs, max_outputs;
    /* Attributes this version knows: "name:kind ...", kind one of i f s t (int, float, text,
     * tensor), I F S (lists of them), followed by ! when it is required. NULL: none. */
    const char *attrs;
    unsigned flags;        /* VT_OP_... */
    uint32_t shape_inputs; /* bit i: the value of input i (not only its shape) decides the shapes of
                              the outputs, so planning needs it */
    /* Sets dtype and shape of every output from the inputs. All input shapes are known (a plan is
     * made per input shape); VT_ERR_UNSUPPORTED when a needed input is not constant. */
    vt_status (*infer)(vt_op_args *args, vt_error *error);
    /* The specification in plain C: outputs are allocated as inferred; every input has data. */
    vt_status (*reference)(vt_op_args *args, vt_error *error);
    /* Multiply-accumulates for inferred shapes; NULL: counted as 0. */
    uint64_t (*macs)(const vt_op_args *args);
};

/* NULL: no such operator in this version; domain "" and "ai.onnx" are the same. */
const vt_op *vt_op_find(const char *domain, const char *name, int opset);
/* Works on quantised numbers: QuantizeLinear, QLinearConv and the like. */
bool vt_op_is_quantized(const vt_op *op);
enum { VT_OPSET_OLDEST = 6, VT_OPSET_NEWEST = 28 }; /* of ai.onnx */
/* Runs infer and checks what came out (known, within the graph's limits); outputs get no data,
 * their `bytes` says what they will need. Messages are labelled with the node. */
vt_status vt_op_infer(vt_op_args *args, vt_error *error);
/* Runs the reference; outputs have memory. Messages are labelled with the node. */
vt_status vt_op_run_reference(vt_op_args *args, vt_error *error);
/* Whether output `index` of the node is asked for. */
bool vt_op_wants(const vt_op_args *args, size_t index);
/* An upper bound of the elementary steps the reference takes, saturating. */
uint64_t vt_op_work(const vt_op_args *args);

/* ---- passes: passes/<name>.c; a pass works on one specialised graph (see plan.h) ---- */

#endif
