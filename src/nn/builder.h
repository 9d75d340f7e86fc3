/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Networks made by program, node after node, without a file; also what is added to a copy of a
 * network (a head, a loss).
 *
 *     vt_builder *builder;
 *     vt_builder_new(NULL, &builder, error);
 *     vt_value_id image = vt_builder_input(builder, "image", VT_F32, &shape);
 *     vt_builder_enter(builder, "stem");
 *     vt_value_id w = vt_builder_floats(builder, "weight", &kernel, values); // "stem.weight"
 *     vt_value_id y = vt_builder_node(builder, "Conv", "strides=2,2 pads=1,1,1,1",
 *                                     (vt_value_id[]){image, w}, 2);
 *     vt_builder_leave(builder);
 *     vt_builder_output(builder, "embedding", y);
 *     vt_builder_finish(builder, &model, error);
 *
 * The first failure sticks: later calls do nothing and return VT_NO_VALUE, and vt_builder_finish
 * tells what it was, so that calls need no check of their own. Nodes are of operator set 17.
 *
 * Threads: a builder belongs to one thread at a time.
 */
#ifndef VT_NN_BUILDER_H
#define VT_NN_BUILDER_H

#include "nn/model.h"

typedef struct vt_builder vt_builder;
typedef uint32_t vt_value_id; /* as in nn/graph.h */
#ifndef VT_NO_VALUE
#define VT_NO_VALUE UINT32_MAX /* an input that is left out */
#endif

enum { VT_BUILDER_OPSET = 17 };

/* limits NULL: defaults. */
vt_status vt_builder_new(const vt_model_limits *limits, vt_builder **out, vt_error *error);
/* Starts with a copy of the model: its nodes, weights, inputs, outputs and metadata; nothing of it
 * is borrowed. New nodes are of the model's operator set. */
vt_status vt_builder_from(const vt_model *model, vt_builder **out, vt_error *error);
void vt_builder_free(vt_builder *builder); /* without a model; NULL is fine */
/* Frees the builder, also on failure. Unused values and nodes stay. */
vt_status vt_builder_finish(vt_builder *builder, vt_model **out, vt_error *error);
bool vt_builder_failed(const vt_builder *builder);
int vt_builder_opset(const vt_builder *builder); /* of ai.onnx, that new nodes are of */
/* Nodes from here on are of VT_BUILDER_OPSET even where the copied model's are older: for a network
 * that is run and never written. */
void vt_builder_renew(vt_builder *builder);
/* Makes the builder fail for a reason of the caller's ("the size is no multiple of 16"). */
void vt_builder_fail(vt_builder *builder, vt_status status, const char *reason);

/* Names that follow begin with "scope."; scopes nest, 16 deep at most. */
void vt_builder_enter(vt_builder *builder, const char *scope);
void vt_builder_leave(vt_builder *builder);

/* dims -1: open; the first one is named "N" in the file, others by their place. The name is taken
 * as it is, without scopes. */
vt_value_id vt_builder_input(vt_builder *builder, const char *name, vt_dtype dtype,
                             const vt_shape *shape);
/* Takes the tensor's memory (also on failure; *tensor is empty afterwards). */
vt_value_id vt_builder_constant(vt_builder *builder, const char *name, vt_tensor *tensor);
/* values: (elements of shape), copied; NULL: zeros. */
vt_value_id vt_builder_floats(vt_builder *builder, const char *name, const vt_shape *shape,
                              const float *values);
vt_value_id vt_builder_scalar(vt_builder *builder, const char *name, float value);
/* A list of whole numbers, (count) i64: shapes, axes. */
vt_value_id vt_builder_ints(vt_builder *builder, const char *name, const int64_t *values,
                            size_t count);

/* One result. attrs: "name=value name=value,value", read as the kinds that the operator's table
 * says; NULL: none. op: a name of ai.onnx, or "domain:name". */
vt_value_id vt_builder_node(vt_builder *builder, const char *op, const char *attrs,
                            const vt_value_id *inputs, size_t count);
/* outputs: (output_count), filled. */
void vt_builder_nodes(vt_builder *builder, const char *op, const char *attrs,
                      const vt_value_id *inputs, size_t count, vt_value_id *outputs,
                      size_t output_count);

/* Makes the value an output of the network under this name (an Identity where it has another). */
void vt_builder_output(vt_builder *builder, const char *name, vt_value_id value);
/* Forgets all outputs, for a copied network that is to end elsewhere. */
void vt_builder_clear_outputs(vt_builder *builder);
/* VT_NO_VALUE when there is none; no failure. */
vt_value_id vt_builder_find(const vt_builder *builder, const char *name);
void vt_builder_metadata(vt_builder *builder, const char *key, const char *text);

#endif
