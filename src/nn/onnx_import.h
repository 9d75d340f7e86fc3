/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the files of the import share: onnx_import.c (the model, its values), onnx_nodes.c (nodes
 * and attributes), onnx_functions.c (functions local to the model, put in place of their calls).
 *
 * Threads: an importer belongs to one thread.
 */
#ifndef VT_NN_ONNX_IMPORT_H
#define VT_NN_ONNX_IMPORT_H

#include "nn/onnx_file.h"

enum { VT_ONNX_LABEL_BYTES = 200 };

typedef struct vt_onnx_function vt_onnx_function;

/* The functions of a model, found by domain, name and overload. */
typedef struct vt_onnx_functions {
    vt_arena arena;           /* lives as long as the import */
    vt_onnx_function **table; /* (count), sorted */
    size_t count;
    uint64_t work_left; /* units that may still be put in place of calls */
    size_t name_number; /* makes names unique */
} vt_onnx_functions;

typedef struct vt_onnx_importer {
    vt_graph *graph;
    struct vt_model *model;
    const Onnx__ModelProto *proto;
    vt_onnx_budget *budget; /* of everything unpacked */
    vt_onnx_source *source;
    vt_onnx_external external;
    vt_arena scratch; /* arrays of one node of the main graph while it is read */
    vt_onnx_functions functions;
} vt_onnx_importer;

/* Where a node stands: in the main graph or in the body of a function that is being called. */
typedef struct vt_onnx_scope {
    const struct vt_onnx_scope *caller; /* NULL: the main graph; then only opsets are set */
    Onnx__OperatorSetIdProto **opsets;
    size_t opset_count;
    vt_onnx_function *function;
    const char *label;    /* in front of the names of its values and nodes */
    vt_value_id *ids;     /* by number of the function's name */
    const vt_attr *attrs; /* of the call, with defaults */
    size_t attr_count;
    int depth;
} vt_onnx_scope;

/* "" instead of NULL. */
const char *vt_onnx_text(const char *text);
/* "" for the two names that ai.onnx has. */
const char *vt_onnx_domain(const char *domain);
/* Version of `domain` that the scope imports; -1: none. */
int64_t vt_onnx_opset_of(const vt_onnx_scope *scope, const char *domain);
/* The value of that name in the main graph, added when it is new. */
vt_status vt_onnx_value_named(vt_onnx_importer *in, const char *name, vt_value_id *out,
                              vt_error *error);

/* ---- onnx_nodes.c ---- */
/* Adds the node, or the body of the function that it calls. */
vt_status vt_onnx_import_node(vt_onnx_importer *in, const vt_onnx_scope *scope,
                              const Onnx__NodeProto *proto, vt_error *error);
/* *given false: it refers to an attribute that the call does not have. */
vt_status vt_onnx_import_attr(vt_onnx_importer *in, const vt_onnx_scope *scope,
                              Onnx__AttributeProto *proto, vt_attr *attr, bool *given,
                              vt_error *error);
/* A tensor of the file, or of one beside it. `aligned`: also where it is borrowed. */
vt_status vt_onnx_read_tensor(vt_onnx_importer *in, const Onnx__TensorProto *proto, bool aligned,
                              vt_tensor *out, vt_error *error);
/* The same, aligned and kept by the graph, for attributes. */
vt_status vt_onnx_import_tensor(vt_onnx_importer *in, const Onnx__TensorProto *proto,
                                const vt_tensor **out, vt_error *error);

/* ---- onnx_functions.c ---- */
/* Reads the table and reserves the names of the main graph; work within the graph's limits. */
vt_status vt_onnx_functions_init(vt_onnx_importer *in, vt_error *error);
void vt_onnx_functions_deinit(vt_onnx_importer *in);
/* Of the finished graph: calls may name values that no body reads or computes; VT_ERR_FORMAT. */
vt_status vt_onnx_functions_check(const vt_onnx_importer *in, vt_error *error);
/* NULL: the node calls no function of the model. */
vt_status vt_onnx_function_find(vt_onnx_importer *in, const vt_onnx_scope *scope,
                                const Onnx__NodeProto *node, vt_onnx_function **out,
                                vt_error *error);
/* The body in place of a call with these operands and attributes. */
vt_status vt_onnx_function_call(vt_onnx_importer *in, const vt_onnx_scope *scope,
                                vt_onnx_function *function, const vt_node *call, vt_error *error);
/* The value that a name means in the body; VT_NO_VALUE: an input that the call leaves out. */
vt_status vt_onnx_function_value(vt_onnx_importer *in, const vt_onnx_scope *scope, const char *name,
                                 vt_value_id *out, vt_error *error);
/* The tensor of an attribute in a body: one for all calls. */
vt_status vt_onnx_function_tensor(vt_onnx_importer *in, vt_onnx_function *function,
                                  Onnx__TensorProto *proto, const vt_tensor **out, vt_error *error);
/* VT_ERR_LIMIT when calls have grown to more than the model's limits allow. */
vt_status vt_onnx_functions_charge(vt_onnx_importer *in, uint64_t units, vt_error *error);

#endif
