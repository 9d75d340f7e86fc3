/* SPDX-License-Identifier: Apache-2.0 */
/*
 * An Einsum of two operands as a product of matrices.
 *
 *     "bqhd,bkhd->bhqk"    Transpose to (b, h, q, d) and (b, h, d, k), MatMul
 *
 * Letters of both operands and the result are axes of the batch, letters of one operand and the
 * result its rows or columns, and letters of both operands alone are summed over; each of these
 * three becomes one axis. What of the moves changes nothing is left out by
 * vt_pass_cancel_transposes, which follows; an attention spelled so is then seen by
 * vt_pass_recognise_attention.
 *
 * The others stay as they are: with a letter twice in an operand, or in one operand alone and
 * summed, or over axes of one element that are repeated; and products of elements, where there are
 * no matrices.
 */
#include "nn/ops/einsum.h"
#include "nn/passes/match.h"

/* Letters in the order in which they are axes of the matrices. */
typedef struct group {
    int labels[VT_MAX_RANK];
    int count;
    int64_t size;
} group;

typedef struct product {
    vt_einsum e;
    group batch, rows, columns, inner;
} product;

/* Which axis of the term has the label, -1: none. */
static int axis_of(const vt_einsum_term *term, int label)
{
    for (int i = 0; i < term->rank; i++) {
        if (term->labels[i] == label) {
            return i;
        }
    }
    return -1;
}

static void group_add(group *g, const vt_einsum *e, int label)
{
    g->labels[g->count++] = label;
    g->size *= e->dims[label];
}

/* Each label once, and never an axis of one element for one of more. */
static bool is_plain(const vt_einsum *e, const vt_op_args *args)
{
    for (int k = 0; k < 2; k++) {
        const vt_einsum_term *term = &e->in[k];
        for (int i = 0; i < term->rank; i++) {
            if (axis_of(term, term->labels[i]) != i ||
                args->inputs[k].shape.dims[i] != e->dims[term->labels[i]]) {
                return false;
            }
        }
    }
    return true;
}

static void sort_result(product *p)
{
    for (int i = 0; i < p->e.out.rank; i++) {
        int label = p->e.out.labels[i];
        bool in_a = axis_of(&p->e.in[0], label) >= 0, in_b = axis_of(&p->e.in[1], label) >= 0;
        group_add(in_a && in_b ? &p->batch : in_a ? &p->rows : &p->columns, &p->e, label);
    }
}

/* False when a letter is summed that is in one operand alone. */
static bool sort_summed(product *p)
{
    for (int k = 0; k < 2; k++) {
        const vt_einsum_term *term = &p->e.in[k], *other = &p->e.in[1 - k];
        for (int i = 0; i < term->rank; i++) {
            if (axis_of(&p->e.out, term->labels[i]) >= 0) {
                continue;
            }
            if (axis_of(other, term->labels[i]) < 0) {
                return false;
            }
            if (k == 0) {
                group_add(&p->inner, &p->e, term->labels[i]);
            }
        }
    }
    return true;
}

static bool match(const vt_plan *plan, const vt_step *step, product *p)
{
    vt_tensor inputs[2], outputs[1];
    vt_op_args args;
    if (!vt_pass_is(step, "Einsum") || step->node.input_count != 2 || step->post_count != 0) {
        return false;
    }
    vt_plan_args(plan, &step->node, inputs, outputs, &args);
    if (!vt_dtype_is_float(inputs[0].dtype) || vt_einsum_init(&p->e, &args, NULL) != VT_OK ||
        !is_plain(&p->e, &args)) {
        return false;
    }
    p->batch.size = p->rows.size = p->columns.size = p->inner.size = 1;
    sort_result(p);
    return sort_summed(p) && p->batch.count + 2 <= VT_MAX_RANK &&
           vt_tensor_count(&outputs[0]) > 0 &&
           (p->inner.size > 1 || (p->inner.size == 1 && p->rows.size > 1 && p->columns.size > 1));
}

/* Operand `which` as (batch ..., first, second). */
static vt_status as_matrices(vt_edit_inserts *inserts, size_t at, const product *p, int which,
                             const group *first, const group *second, vt_value_id *value,
                             vt_error *error)
{
    const group *const groups[] = {&p->batch, first, second};
    int64_t perm[VT_MAX_RANK];
    vt_shape shape = {.rank = p->batch.count + 2};
    int axis = 0;
    for (int g = 0; g < 3; g++) {
        for (int i = 0; i < groups[g]->count; i++) {
            perm[axis++] = axis_of(&p->e.in[which], groups[g]->labels[i]);
        }
    }
    for (int i = 0; i < p->batch.count; i++) {
        shape.dims[i] = p->e.dims[p->batch.labels[i]];
    }
    shape.dims[shape.rank - 2] = first->size;
    shape.dims[shape.rank - 1] = second->size;
    vt_status status = vt_edit_transpose(inserts, at, perm, value, error);
    return status == VT_OK ? vt_edit_reshape(inserts, at, &shape, value, error) : status;
}

static vt_status multiply(vt_edit_inserts *inserts, size_t at, const product *p,
                          const vt_value_id operands[2], vt_value_id *out, vt_error *error)
{
    vt_value_id inputs[2] = {operands[0], operands[1]};
    const vt_node what = {
        .op = vt_op_find("", "MatMul", 13), .opset = 13, .inputs = inputs, .input_count = 2};
    vt_tensor result = inserts->plan->values[operands[0]].tensor;
    result.shape.dims[result.shape.rank - 1] = p->columns.size;
    return vt_edit_insert(inserts, at, &what, &result, out, error);
}

/* The step becomes the last move: from batch, rows, columns to the order of the result. */
static vt_status finish(vt_edit_inserts *inserts, size_t at, const product *p, vt_value_id value,
                        vt_error *error)
{
    const group *const groups[] = {&p->batch, &p->rows, &p->columns};
    int64_t perm[VT_MAX_RANK];
    vt_shape shape = {0};
    for (int g = 0; g < 3; g++) {
        for (int i = 0; i < groups[g]->count; i++) {
            int label = groups[g]->labels[i];
            perm[axis_of(&p->e.out, label)] = shape.rank;
            shape.dims[shape.rank++] = p->e.dims[label];
        }
    }
    vt_status status = vt_edit_reshape(inserts, at, &shape, &value, error);
    vt_node *node = &inserts->plan->steps[at].node;
    return status == VT_OK ? vt_edit_become_transpose(inserts->plan, node, value, perm, error)
                           : status;
}

static vt_status rewrite(vt_edit_inserts *inserts, size_t at, const product *p, vt_error *error)
{
    const vt_node *node = &inserts->plan->steps[at].node;
    vt_value_id operands[2] = {node->inputs[0], node->inputs[1]}, result = VT_NO_VALUE;
    vt_status status = as_matrices(inserts, at, p, 0, &p->rows, &p->inner, &operands[0], error);
    if (status == VT_OK) {
        status = as_matrices(inserts, at, p, 1, &p->inner, &p->columns, &operands[1], error);
    }
    if (status == VT_OK) {
        status = multiply(inserts, at, p, operands, &result, error);
    }
    return status == VT_OK ? finish(inserts, at, p, result, error) : status;
}

vt_status vt_pass_recognise_einsum(vt_plan *plan, vt_error *error)
{
    vt_edit_inserts inserts = {.plan = plan};
    vt_status status = VT_OK;
    for (size_t i = 0; status == VT_OK && i < plan->step_count; i++) {
        product p = {0};
        if (match(plan, &plan->steps[i], &p)) {
            status = rewrite(&inserts, i, &p, error);
        }
    }
    vt_status applied = vt_edit_apply(&inserts, status == VT_OK ? error : NULL);
    return status == VT_OK ? applied : status;
}
