/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What recognising passes share, inside src/nn/passes: reading steps, checking constants, and
 * putting another operator in a step's place.
 *
 * Threads: no shared state.
 */
#ifndef VT_NN_PASSES_MATCH_H
#define VT_NN_PASSES_MATCH_H

#include "nn/passes/uses.h"

/* ---- match.c ---- */
/* The operator (with one output) in a version that broadcasts as NumPy does, `inputs` inputs that
 * are all there, and no posts. */
bool vt_match_step(const vt_step *step, const char *op, size_t inputs);
/* The step that makes `value` if it is such a one, else SIZE_MAX. */
size_t vt_match_producer(const vt_plan *plan, const vt_pass_uses *uses, vt_value_id value,
                         const char *op, size_t inputs);
/* A constant of exactly one element, as f64. */
bool vt_match_scalar(const vt_plan *plan, vt_value_id value, double *out);
/* Of an operation of two inputs: which one (0 or 1) is such a constant while the other is not;
 * -1: neither or both. */
int vt_match_scalar_side(const vt_plan *plan, const vt_step *step, double *out);
/* Equal as constants in an exported model are: to 1e-4, or to the rounding of a narrower type. */
bool vt_match_close(double have, double want, vt_dtype dtype);
/* Where a Transpose takes the axes of its output from. */
void vt_match_perm(const vt_step *transpose, int rank, int64_t perm[VT_MAX_RANK]);

/* Steps that would go, the first being the one that stays under another operator. */
enum { VT_CLUSTER_STEPS = 24 };
typedef struct vt_cluster {
    size_t steps[VT_CLUSTER_STEPS];
    size_t count;
} vt_cluster;
bool vt_cluster_add(vt_cluster *cluster, size_t step); /* again is fine; false: full */
/* Whether what its steps make, the first one's result apart, is read inside the cluster only. */
bool vt_cluster_is_closed(const vt_plan *plan, const vt_pass_uses *uses, const vt_cluster *cluster);

/* ---- edit.c ---- */
/* Gives `node` the operator, version, inputs and attributes of `what` (copied into the plan);
 * name and outputs stay. */
vt_status vt_edit_become(vt_plan *plan, vt_node *node, const vt_node *what, vt_error *error);
/* The same with a Reshape to `shape` or a Transpose by `perm` of `input`. */
vt_status vt_edit_become_reshape(vt_plan *plan, vt_node *node, vt_value_id input,
                                 const vt_shape *shape, vt_error *error);
vt_status vt_edit_become_transpose(vt_plan *plan, vt_node *node, vt_value_id input,
                                   const int64_t *perm, vt_error *error);
vt_status vt_edit_set_input(vt_plan *plan, vt_step *step, size_t index, vt_value_id value,
                            vt_error *error);
/* A constant (count) of whole numbers. */
vt_status vt_edit_ints(vt_plan *plan, const int64_t *values, int count, vt_value_id *out,
                       vt_error *error);

/* Steps to be put in front of others once a walk is over, so that indices hold until then. */
typedef struct vt_edit_inserts {
    vt_plan *plan; /* the only member to set at the start */
    struct vt_edit_insert *items;
    size_t count, capacity;
} vt_edit_inserts;
/* A step `what` (copied, without outputs) with one new result of `dtype` and `shape`, to run before
 * step `before`; not before that of an earlier call. */
vt_status vt_edit_insert(vt_edit_inserts *inserts, size_t before, const vt_node *what,
                         const vt_tensor *result, vt_value_id *out, vt_error *error);
/* Steps before `before` that give *value (which becomes theirs) another shape, or take axis i of
 * their result from its axis perm[i]. */
vt_status vt_edit_reshape(vt_edit_inserts *inserts, size_t before, const vt_shape *shape,
                          vt_value_id *value, vt_error *error);
vt_status vt_edit_transpose(vt_edit_inserts *inserts, size_t before, const int64_t *perm,
                            vt_value_id *value, vt_error *error);
/* Puts them in, drops marked steps, and empties the list (also on failure). */
vt_status vt_edit_apply(vt_edit_inserts *inserts, vt_error *error);

#endif
