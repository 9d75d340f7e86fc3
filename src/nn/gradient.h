/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Differentiation of a plan: steps that compute gradients, appended behind the steps that compute
 * the loss. Inside src/nn.
 *
 *     vt_plan_differentiate(plan, loss, wanted, count, gradients, error);
 *     // gradients[i]: the value that holds d loss / d wanted[i]; they must become outputs of the
 *     // plan before a pass drops what nobody reads
 *
 * Each operator has a rule (ops/gradients.h) that emits steps with the vt_back_ functions. What is
 * emitted are ordinary operators where the gradient is one, else internal ones of VT_BACK_DOMAIN.
 * The first failure sticks: later calls do nothing and return VT_NO_VALUE, so rules check nothing.
 *
 * Threads: as plans.
 */
#ifndef VT_NN_GRADIENT_H
#define VT_NN_GRADIENT_H

#include "nn/plan.h"

/* loss: a float of one element. wanted: f32 or f64 values of the plan, not constant.
 * gradients[i]: VT_NO_VALUE where the loss does not depend on wanted[i]. VT_ERR_UNSUPPORTED names
 * the step on the way that has no gradient. */
vt_status vt_plan_differentiate(vt_plan *plan, vt_value_id loss, const vt_value_id *wanted,
                                size_t count, vt_value_id *gradients, vt_error *error);
/* Marks in depends (graph->value_count), which the caller has set for what it varies, every value
 * that depends on one of these through operators with a gradient. */
void vt_graph_depends(const vt_graph *graph, bool *depends);

/* training_mode.c: BatchNormalization and Dropout as in training, before differentiation. seed: an
 * i64 value of two elements. Running statistics are updated where they are no constants: updates
 * (plan->value_count before the call) is filled with the value of the newest ones, VT_NO_VALUE for
 * all other values. frozen: BatchNormalization stays as it is. */
vt_status vt_plan_train(vt_plan *plan, vt_value_id seed, bool frozen, vt_value_id *updates,
                        vt_error *error);

/* training.c: a training on the chosen executor, for tests. */
struct vt_training;
struct vt_training_options;
vt_status vt_training_new_on(const vt_model *model, const struct vt_training_options *options,
                             vt_executor executor, struct vt_training **out, vt_error *error);

/* ---- for rules ---- */

#define VT_BACK_DOMAIN "vitrine"
enum { VT_BACK_OPSET = 17 }; /* of the operators that rules emit */

typedef struct vt_backward {
    vt_plan *plan;
    vt_node node;          /* the step that is differentiated */
    const vt_value_id *dy; /* (node.output_count): gradients of its outputs; VT_NO_VALUE: none */
    const bool *wanted;    /* (node.input_count) */
    vt_value_id *dx;       /* (node.input_count): what the rule fills in where it is wanted */
    size_t step_capacity;
    vt_status status;
    vt_error *error;
} vt_backward;

typedef void vt_gradient_rule(vt_backward *b);

/* One emitted step. op: a name of ai.onnx, or "vitrine:Name". */
typedef struct vt_back_call {
    const char *op;
    int opset; /* of ai.onnx; 0: VT_BACK_OPSET */
    const vt_value_id *inputs;
    size_t input_count;
    const vt_attr *attrs; /* copied, but for tensors */
    size_t attr_count;
} vt_back_call;
void vt_back_nodes(vt_backward *b, const vt_back_call *call, vt_value_id *outputs,
                   size_t output_count);
vt_value_id vt_back_node(vt_backward *b, const vt_back_call *call);
vt_value_id vt_back_op1(vt_backward *b, const char *op, vt_value_id x);
vt_value_id vt_back_op2(vt_backward *b, const char *op, vt_value_id x, vt_value_id y);
vt_value_id vt_back_op3(vt_backward *b, const char *op, vt_value_id x, vt_value_id y,
                        vt_value_id z);
void vt_back_fail(vt_backward *b, const char *reason); /* VT_ERR_UNSUPPORTED */

#define VT_BACK_INT(key, value)                                                                    \
    (vt_attr)                                                                                      \
    {                                                                                              \
        .name = (key), .kind = VT_ATTR_INT, .i = (value)                                           \
    }
#define VT_BACK_FLOAT(key, value)                                                                  \
    (vt_attr)                                                                                      \
    {                                                                                              \
        .name = (key), .kind = VT_ATTR_FLOAT, .f = (value)                                         \
    }
#define VT_BACK_INTS(key, values, length)                                                          \
    (vt_attr)                                                                                      \
    {                                                                                              \
        .name = (key), .kind = VT_ATTR_INTS, .ints = (values), .count = (size_t)(length)           \
    }
#define VT_BACK_TEXT(key, value)                                                                   \
    (vt_attr)                                                                                      \
    {                                                                                              \
        .name = (key), .kind = VT_ATTR_TEXT, .text = (value)                                       \
    }

/* The step's own input or output; VT_NO_VALUE: left out. */
vt_value_id vt_back_input(const vt_backward *b, size_t index);
vt_value_id vt_back_output(const vt_backward *b, size_t index);
bool vt_back_wants(const vt_backward *b, size_t index);
vt_shape vt_back_shape(const vt_backward *b, vt_value_id value); /* VT_NO_VALUE: a scalar */
vt_dtype vt_back_dtype(const vt_backward *b, vt_value_id value);
/* Whole numbers of a constant (i32, i64); -1: not constant, or more than capacity. */
int vt_back_constant_ints(vt_backward *b, vt_value_id value, int64_t *out, int capacity);
/* A constant of one element; false: it is none. */
bool vt_back_constant_number(vt_backward *b, vt_value_id value, double *out);
/* A number of the type of `like`. */
vt_value_id vt_back_number(vt_backward *b, double value, vt_value_id like);
vt_value_id vt_back_ints(vt_backward *b, const int64_t *values, int count);
/* Zeros or other equal numbers of this shape and the type of `like`; costs memory. */
vt_value_id vt_back_full(vt_backward *b, double value, const vt_shape *shape, vt_value_id like);
/* The same, 1 on the diagonal of a matrix of so many columns, row by row, and 0 elsewhere. */
vt_value_id vt_back_unit(vt_backward *b, const vt_shape *shape, int64_t columns, vt_value_id like);
vt_value_id vt_back_reshape(vt_backward *b, vt_value_id x, const vt_shape *shape);
vt_value_id vt_back_expand(vt_backward *b, vt_value_id x, const vt_shape *shape);
vt_value_id vt_back_transpose(vt_backward *b, vt_value_id x, const int64_t *perm);
/* Exchanges the last two axes. */
vt_value_id vt_back_transpose_last(vt_backward *b, vt_value_id x);
/* Sums over axes (marks by axis), which stay with one element. */
vt_value_id vt_back_sum_axes(vt_backward *b, vt_value_id x, const bool *marks);
/* What broadcasting repeated is summed: x becomes of this shape. */
vt_value_id vt_back_reduce_to(vt_backward *b, vt_value_id x, const vt_shape *shape);
/* value * number */
vt_value_id vt_back_scale(vt_backward *b, vt_value_id x, double factor);
/* The step itself once more, in its own version, on other inputs: attributes are copied. */
vt_value_id vt_back_same(vt_backward *b, const vt_value_id *inputs, size_t count);

#endif
