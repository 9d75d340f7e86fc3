/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What passes share, inside src/nn: who reads a value, and how steps are recognised and removed.
 *
 *     vt_pass_uses uses;
 *     vt_pass_uses_init(&uses, plan, error);
 *     size_t reader = vt_pass_only_reader(&uses, value);   // SIZE_MAX: none, several, or an output
 *     vt_pass_uses_deinit(&uses);
 *
 * Threads: no shared state.
 */
#ifndef VT_NN_PASSES_USES_H
#define VT_NN_PASSES_USES_H

#include "nn/plan.h"

typedef struct vt_pass_uses {
    uint32_t *counts;  /* (value_count): how often steps read the value, outputs count as two */
    size_t *readers;   /* (value_count): the last step that reads it */
    size_t *producers; /* (value_count): the step that makes it, SIZE_MAX: an input or a constant */
    size_t value_count;
} vt_pass_uses;

vt_status vt_pass_uses_init(vt_pass_uses *uses, const vt_plan *plan, vt_error *error);
void vt_pass_uses_deinit(vt_pass_uses *uses); /* safe on a zeroed one */
size_t vt_pass_only_reader(const vt_pass_uses *uses, vt_value_id value);
/* The step that makes a value; SIZE_MAX: none, or the value is younger than `uses`. */
size_t vt_pass_producer(const vt_pass_uses *uses, vt_value_id value);
/* Tries every step in order, with the uses as they were before the first; ends at a failure. */
typedef vt_status vt_pass_try(vt_plan *plan, const vt_pass_uses *uses, size_t index,
                              vt_error *error);
vt_status vt_pass_each_step(vt_plan *plan, vt_pass_try *try_step, vt_error *error);

/* Whether the step is this ai.onnx operator, or any of these; without _op: and has one output. */
bool vt_pass_is_op(const vt_step *step, const char *op);
bool vt_pass_is(const vt_step *step, const char *op);
bool vt_pass_is_any_op(const vt_step *step, const char *const *ops, size_t count);
bool vt_pass_is_any(const vt_step *step, const char *const *ops, size_t count);
/* The same for an array of names. */
#define VT_PASS_IS_ANY_OP(step, ops) vt_pass_is_any_op(step, ops, sizeof(ops) / sizeof((ops)[0]))
#define VT_PASS_IS_ANY(step, ops)    vt_pass_is_any(step, ops, sizeof(ops) / sizeof((ops)[0]))
/* The constant tensor behind an input of a step, NULL when left out or computed. */
const vt_tensor *vt_pass_constant(const vt_plan *plan, const vt_step *step, size_t input);
/* Marks a step as gone, and closes the gaps. */
void vt_pass_step_drop(vt_step *step);
void vt_pass_steps_compact(vt_plan *plan);

#endif
