/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Scaled dot product attention that an exporter spelled out, to one Attention step.
 *
 * Method: at MatMul(Softmax(S), V), S is followed back through a mask that is added and factors
 * (Mul or Div by one constant) to MatMul(Q, K'), and Q and K' through factors of their own, K' to
 * the Transpose that made it. The operator wants K itself: with the last two axes of the
 * permutation swapped back this is the Transpose's own input, or another Transpose of it. Three
 * dimensions, as (batch heads, length, size), become four by steps that reshape. Scores and
 * probabilities must have no other reader. Source: Vaswani et al., "Attention Is All You Need"
 * (2017), section 3.2.1; the operator's definition in ONNX opset 23. Departures: a mask that is a
 * Where, or is scaled after it was added, stays; so does a constant one with a row of -infinity,
 * for which the spelled-out form gives NaN and the operator zeros (a computed one is trusted not to
 * have such rows).
 */
#include "nn/passes/match.h"

#include <math.h>

enum { MAXIMUM_FACTORS = 8 }; /* in a row; exporters write one or two */

typedef struct attention {
    vt_plan *plan;
    const vt_pass_uses *uses;
    size_t last; /* the second product */
    vt_value_id q, k, v, mask;
    double scale;
    int64_t perm[VT_MAX_RANK]; /* of k, to be what the operator wants */
    bool turn;                 /* perm is not the identity */
} attention;

/* Follows factors back, not endlessly: many candidates may share a long chain. *value becomes what
 * they multiply. */
static void peel_scale(attention *a, vt_value_id *value)
{
    for (int i = 0; i < MAXIMUM_FACTORS; i++) {
        double factor;
        size_t at = vt_match_producer(a->plan, a->uses, *value, "Mul", 2);
        bool divided = at == SIZE_MAX;
        at = divided ? vt_match_producer(a->plan, a->uses, *value, "Div", 2) : at;
        if (at == SIZE_MAX) {
            return;
        }
        const vt_step *step = &a->plan->steps[at];
        int side = vt_match_scalar_side(a->plan, step, &factor);
        if (side < 0 || (divided && side == 0)) {
            return;
        }
        vt_value_id inner = step->node.inputs[1 - side];
        if (!vt_shape_equal(&a->plan->values[inner].tensor.shape,
                            &a->plan->values[*value].tensor.shape)) {
            return;
        }
        a->scale = divided ? a->scale / factor : a->scale * factor;
        *value = inner;
    }
}

static bool is_read_once(const attention *a, vt_value_id value)
{
    return vt_pass_only_reader(a->uses, value) != SIZE_MAX;
}

/* Some row of a constant mask forbids everything. */
static bool has_dead_row(const vt_tensor *mask)
{
    size_t width = (size_t)mask->shape.dims[mask->shape.rank - 1];
    size_t count = vt_tensor_count(mask), dead = 0;
    for (size_t i = 0; i < count; i++) {
        dead = vt_tensor_get(mask, i) == -INFINITY ? dead + 1 : 0;
        if ((i + 1) % width == 0) {
            if (dead >= width) {
                return true;
            }
            dead = 0;
        }
    }
    return false;
}

/* A mask as the operator takes it: not larger than the scores, and as wide. */
static bool is_mask(const attention *a, vt_value_id value, const vt_tensor *scores)
{
    const vt_plan_value *mask = &a->plan->values[value];
    const vt_shape *shape = &mask->tensor.shape;
    int lead = scores->shape.rank - shape->rank;
    if (shape->rank < 2 || lead < 0 || mask->tensor.dtype != scores->dtype ||
        shape->dims[shape->rank - 1] != scores->shape.dims[scores->shape.rank - 1]) {
        return false;
    }
    for (int i = 0; i < shape->rank; i++) {
        if (shape->dims[i] != 1 && shape->dims[i] != scores->shape.dims[i + lead]) {
            return false;
        }
    }
    return !mask->constant || (mask->tensor.data && !has_dead_row(&mask->tensor));
}

/* The product of Q and K' behind the scores, by way of a mask at most. */
static size_t match_product(attention *a, vt_value_id scores)
{
    vt_value_id value = scores;
    peel_scale(a, &value);
    size_t at = vt_match_producer(a->plan, a->uses, value, "MatMul", 2);
    if (at != SIZE_MAX) {
        return is_read_once(a, value) ? at : SIZE_MAX;
    }
    at = vt_match_producer(a->plan, a->uses, scores, "Add", 2);
    for (size_t side = 0; at != SIZE_MAX && side < 2; side++) {
        const vt_step *step = &a->plan->steps[at];
        const vt_tensor *result = &a->plan->values[scores].tensor;
        a->scale = 1;
        value = step->node.inputs[side];
        a->mask = step->node.inputs[1 - side];
        if (!vt_shape_equal(&a->plan->values[value].tensor.shape, &result->shape) ||
            !is_mask(a, a->mask, result) || !is_read_once(a, value)) {
            continue;
        }
        peel_scale(a, &value);
        size_t product = vt_match_producer(a->plan, a->uses, value, "MatMul", 2);
        if (product != SIZE_MAX && is_read_once(a, value)) {
            return product;
        }
    }
    return SIZE_MAX;
}

static bool match_key(attention *a, vt_value_id value)
{
    peel_scale(a, &value);
    size_t at = vt_match_producer(a->plan, a->uses, value, "Transpose", 1);
    if (at == SIZE_MAX) {
        return false;
    }
    int rank = a->plan->values[value].tensor.shape.rank;
    vt_match_perm(&a->plan->steps[at], rank, a->perm);
    int64_t swapped = a->perm[rank - 1];
    a->perm[rank - 1] = a->perm[rank - 2];
    a->perm[rank - 2] = swapped;
    for (int i = 0; i < rank; i++) {
        a->turn = a->turn || a->perm[i] != i;
    }
    a->k = a->plan->steps[at].node.inputs[0];
    if (!a->turn) {
        peel_scale(a, &a->k);
    }
    return true;
}

/* Same type, same batches and heads: products that broadcast are none of the operator's. */
static bool shapes_fit(const attention *a, const vt_step *product)
{
    const vt_tensor *q = &a->plan->values[product->node.inputs[0]].tensor;
    const vt_tensor *k = &a->plan->values[product->node.inputs[1]].tensor; /* still transposed */
    const vt_tensor *v = &a->plan->values[a->v].tensor;
    int rank = q->shape.rank;
    if ((rank != 3 && rank != 4) || k->shape.rank != rank || v->shape.rank != rank ||
        !vt_dtype_is_float(q->dtype) || k->dtype != q->dtype || v->dtype != q->dtype) {
        return false;
    }
    for (int i = 0; i < rank - 2; i++) {
        if (k->shape.dims[i] != q->shape.dims[i] || v->shape.dims[i] != q->shape.dims[i]) {
            return false;
        }
    }
    return vt_tensor_count(q) > 0 && vt_tensor_count(k) > 0 && vt_tensor_count(v) > 0;
}

static bool match(attention *a)
{
    const vt_step *last = &a->plan->steps[a->last];
    if (!vt_match_step(last, "MatMul", 2) || !is_read_once(a, last->node.inputs[0])) {
        return false;
    }
    size_t at = vt_match_producer(a->plan, a->uses, last->node.inputs[0], "Softmax", 1);
    if (at == SIZE_MAX) {
        return false;
    }
    const vt_step *softmax = &a->plan->steps[at];
    vt_value_id scores = softmax->node.inputs[0];
    int rank = a->plan->values[scores].tensor.shape.rank;
    int64_t axis = vt_node_int(&softmax->node, "axis", softmax->node.opset < 13 ? 1 : -1);
    if ((axis != -1 && axis != rank - 1) || rank < 3 || !is_read_once(a, scores)) {
        return false;
    }
    a->v = last->node.inputs[1];
    at = match_product(a, scores);
    if (at == SIZE_MAX || !shapes_fit(a, &a->plan->steps[at])) {
        return false;
    }
    a->q = a->plan->steps[at].node.inputs[0];
    peel_scale(a, &a->q);
    /* 0 would be read as left out by some; the operator's function takes roots of the scale. */
    return match_key(a, a->plan->steps[at].node.inputs[1]) && isfinite(a->scale) && a->scale > 0;
}

/* ---- rewriting ---- */

/* (batch heads, length, size) as (1, batch heads, length, size). */
static vt_status raised(attention *a, vt_edit_inserts *inserts, vt_value_id *value, vt_error *error)
{
    const vt_shape *shape = &a->plan->values[*value].tensor.shape;
    if (shape->rank != 3) {
        return VT_OK;
    }
    vt_shape four = vt_shape_of(4, (int64_t[]){1, shape->dims[0], shape->dims[1], shape->dims[2]});
    return vt_edit_reshape(inserts, a->last, &four, value, error);
}

static vt_status rewrite(attention *a, vt_edit_inserts *inserts, const vt_op *op, vt_error *error)
{
    vt_node *node = &a->plan->steps[a->last].node;
    vt_tensor result = a->plan->values[node->outputs[0]].tensor; /* the head */
    bool four = result.shape.rank == 4;
    vt_status status = a->turn ? vt_edit_transpose(inserts, a->last, a->perm, &a->k, error) : VT_OK;
    vt_value_id *const operands[] = {&a->q, &a->k, &a->v};
    for (size_t i = 0; i < 3 && status == VT_OK; i++) {
        status = raised(a, inserts, operands[i], error);
    }
    if (status != VT_OK) {
        return status;
    }
    vt_value_id inputs[4] = {a->q, a->k, a->v, a->mask}, raised_result;
    vt_attr scale = {.name = "scale", .kind = VT_ATTR_FLOAT, .f = (float)a->scale};
    const vt_node what = {.op = op,
                          .opset = 23,
                          .inputs = inputs,
                          .input_count = a->mask == VT_NO_VALUE ? 3 : 4,
                          .attrs = &scale,
                          .attr_count = 1};
    if (four) {
        return vt_edit_become(a->plan, node, &what, error);
    }
    const int64_t *dims = result.shape.dims;
    vt_tensor between = {.dtype = result.dtype,
                         .shape = vt_shape_of(4, (int64_t[]){1, dims[0], dims[1], dims[2]})};
    status = vt_edit_insert(inserts, a->last, &what, &between, &raised_result, error);
    return status == VT_OK
               ? vt_edit_become_reshape(a->plan, node, raised_result, &result.shape, error)
               : status;
}

vt_status vt_pass_recognise_attention(vt_plan *plan, vt_error *error)
{
    vt_pass_uses uses;
    vt_edit_inserts inserts = {.plan = plan};
    const vt_op *op = vt_op_find("", "Attention", 23);
    if (!op) {
        return VT_OK;
    }
    vt_status status = vt_pass_uses_init(&uses, plan, error);
    for (size_t i = 0; status == VT_OK && i < plan->step_count; i++) {
        attention a = {.plan = plan, .uses = &uses, .last = i, .mask = VT_NO_VALUE, .scale = 1};
        if (match(&a)) {
            status = rewrite(&a, &inserts, op, error);
        }
    }
    vt_status applied = vt_edit_apply(&inserts, status == VT_OK ? error : NULL);
    status = status == VT_OK ? applied : status;
    vt_pass_uses_deinit(&uses);
    return status == VT_OK ? vt_pass_dead_code(plan, error) : status;
}
