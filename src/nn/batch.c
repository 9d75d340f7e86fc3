/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Large batches in parts.
 *
 * A convolutional network that takes 32 pictures at once writes a hundred megabytes per layer to
 * memory and reads them back; a few pictures at a time stay in the caches (SqueezeNet: three times
 * as fast), while networks with small maps and many weights profit from the whole batch. Which is
 * true depends on the network and the machine, so sizes are tried on the first real runs, halving
 * as long as that is no clear loss, and the fastest stays.
 *
 * Rows may be run apart only where no step mixes them: known operators are followed from the inputs
 * to the outputs with a mark on every value whose first axis is the batch; whatever is not known
 * ends it. A constant with as many rows as the batch (a class token, expanded) must have equal
 * rows.
 *
 * That each row of both depends on its own input alone does not make a whole batch and a part of it
 * the same function: a graph may compute with the size of its batch. What was folded from shapes is
 * therefore compared too, as a hash that leaves out the size itself.
 */
#include "nn/batch.h"

#include "base/hash.h"
#include "nn/passes/match.h"

#include <string.h>

static const double clear_loss = 1.1; /* a size this much slower than the best ends the search */

/* ---- rows apart ---- */

typedef struct follow {
    const vt_plan *plan;
    bool *marked; /* by value: its first axis is the batch */
    int64_t rows;
} follow;

static const char *const elementwise[] = {
    "Abs",         "Cast",      "Ceil",     "Celu",
    "Clip",        "Cos",       "Dropout",  "Elu",
    "Erf",         "Exp",       "Floor",    "Gelu",
    "HardSigmoid", "HardSwish", "Identity", "LeakyRelu",
    "Log",         "Mish",      "Neg",      "Reciprocal",
    "Relu",        "Round",     "Selu",     "Sigmoid",
    "Sign",        "Sin",       "Softplus", "Softsign",
    "Sqrt",        "Swish",     "Tanh",     "ThresholdedRelu",
    "Add",         "Sub",       "Mul",      "Div",
    "Pow",         "Min",       "Max",      "Sum",
    "Mean",        "Where",     "PRelu",    "Equal",
    "Less",        "Greater",
};
static const char *const by_map[] = {
    /* over all axes behind the first, weights on the side */
    "Conv",
    "ConvTranspose",
    "MaxPool",
    "AveragePool",
    "LpPool",
    "GlobalAveragePool",
    "GlobalMaxPool",
    "GlobalLpPool",
    "BatchNormalization",
    "InstanceNormalization",
    "GroupNormalization",
    "LRN",
    "DepthToSpace",
    "SpaceToDepth",
    "Gemm",
};
static const char *const along_axis[] = {
    "Softmax", "LogSoftmax", "LayerNormalization", "RMSNormalization", "LpNormalization", "Concat",
    "Split",   "Gather"};
static const char *const reshaping[] = {"Reshape", "Flatten", "Squeeze", "Unsqueeze"};

static const vt_shape *shape_of(const follow *f, vt_value_id value)
{
    return &f->plan->values[value].tensor.shape;
}

static bool is_marked(const follow *f, const vt_step *step, size_t input)
{
    return input < step->node.input_count && step->node.inputs[input] != VT_NO_VALUE &&
           f->marked[step->node.inputs[input]];
}

/* A constant whose rows are all the same, so that any number of them can stand for them. */
static bool has_equal_rows(const follow *f, vt_value_id value)
{
    const vt_tensor *tensor = &f->plan->values[value].tensor;
    if (!f->plan->values[value].constant || !tensor->data || tensor->shape.dims[0] < 1) {
        return false;
    }
    size_t row = tensor->bytes / (size_t)tensor->shape.dims[0];
    for (int64_t i = 1; i < tensor->shape.dims[0]; i++) {
        if (memcmp(tensor->data, (const char *)tensor->data + (size_t)i * row, row) != 0) {
            return false;
        }
    }
    return true;
}

/* Operands broadcast against a result of this rank: a marked one must bring its batch to the first
 * axis, any other must have nothing, or 1, or equal rows there. */
static bool operands_align(const follow *f, const vt_step *step, int rank)
{
    for (size_t i = 0; i < step->node.input_count; i++) {
        vt_value_id value = step->node.inputs[i];
        if (value == VT_NO_VALUE) {
            continue;
        }
        const vt_shape *shape = shape_of(f, value);
        if (f->marked[value] ? shape->rank != rank
                             : shape->rank == rank && rank > 0 && shape->dims[0] != 1 &&
                                   !has_equal_rows(f, value)) {
            return false;
        }
    }
    return true;
}

/* Only the first operand has rows. */
static bool only_first_marked(const follow *f, const vt_step *step)
{
    for (size_t i = 1; i < step->node.input_count; i++) {
        if (is_marked(f, step, i)) {
            return false;
        }
    }
    return is_marked(f, step, 0);
}

static bool axis_is_inner(const follow *f, const vt_step *step)
{
    bool flattens = step->node.opset < 13 &&
                    (vt_pass_is_op(step, "Softmax") || vt_pass_is_op(step, "LogSoftmax"));
    bool first = vt_pass_is_op(step, "Split") || vt_pass_is_op(step, "Gather");
    int64_t axis = vt_node_int(&step->node, "axis", flattens ? 1 : first ? 0 : -1);
    return axis != 0 && axis != -shape_of(f, step->node.inputs[0])->rank;
}

/* The axes of a Reduce or Slice, from an attribute or constant input `input`, leave the first one
 * alone. */
static bool axes_are_inner(const follow *f, const vt_step *step, size_t input)
{
    int64_t axes[VT_MAX_RANK];
    int rank = shape_of(f, step->node.inputs[0])->rank;
    int count = vt_node_ints(&step->node, "axes", axes, VT_MAX_RANK);
    const vt_tensor *given = vt_pass_constant(f->plan, step, input);
    if (given && vt_tensor_count(given) <= VT_MAX_RANK) {
        count = (int)vt_tensor_count(given);
        vt_load_i64(given->dtype, given->data, 0, (size_t)count, axes);
    }
    for (int i = 0; i < count && i < VT_MAX_RANK; i++) {
        if (axes[i] == 0 || axes[i] == -rank) {
            return false;
        }
    }
    return count > 0 && count <= VT_MAX_RANK;
}

static bool product_keeps_rows(const follow *f, const vt_step *step)
{
    const vt_shape *a = shape_of(f, step->node.inputs[0]), *b = shape_of(f, step->node.inputs[1]);
    if (!is_marked(f, step, 1)) {
        return is_marked(f, step, 0) && a->rank >= 2 && b->rank <= 2;
    }
    return is_marked(f, step, 0) && a->rank == b->rank && a->rank >= 3;
}

static bool map_keeps_rows(const follow *f, const vt_step *step)
{
    const vt_node *node = &step->node;
    if (!only_first_marked(f, step)) {
        return false;
    }
    if (vt_pass_is_op(step, "Gemm")) {
        bool has_sum = node->input_count > 2 && node->inputs[2] != VT_NO_VALUE;
        const vt_shape *sum = has_sum ? shape_of(f, node->inputs[2]) : NULL;
        return vt_node_int(node, "transA", 0) == 0 &&
               (!sum || sum->rank < 2 || sum->dims[0] == 1 || has_equal_rows(f, node->inputs[2]));
    }
    /* A second output is the indices of a MaxPool, which count through the whole batch, or the
     * statistics of a training BatchNormalization. */
    return node->output_count == 1 && vt_node_int(node, "training_mode", 0) == 0;
}

/* Whether a step with at least one marked operand keeps rows apart. */
static bool keeps_rows(const follow *f, const vt_step *step)
{
    int rank = shape_of(f, step->node.outputs[0])->rank;
    if (VT_PASS_IS_ANY_OP(step, elementwise)) {
        return operands_align(f, step, rank);
    }
    if (VT_PASS_IS_ANY_OP(step, by_map)) {
        return map_keeps_rows(f, step);
    }
    if (vt_pass_is_op(step, "Concat")) {
        return axis_is_inner(f, step) && operands_align(f, step, rank);
    }
    if (VT_PASS_IS_ANY_OP(
            step, along_axis)) { /* scales of a normalisation may be as large as its input */
        return only_first_marked(f, step) && axis_is_inner(f, step) &&
               operands_align(f, step, rank);
    }
    if (VT_PASS_IS_ANY_OP(step, reshaping)) { /* the first axis stays what it is, so do its rows */
        return only_first_marked(f, step);
    }
    if (vt_pass_is_op(step, "Transpose")) {
        int64_t perm[VT_MAX_RANK];
        vt_match_perm(step, rank, perm);
        return perm[0] == 0;
    }
    if (vt_pass_is_op(step, "MatMul")) {
        return product_keeps_rows(f, step);
    }
    if (vt_pass_is_op(step, "Attention")) {
        return rank == 4 && step->node.output_count == 1 && step->node.input_count <= 6 &&
               operands_align(f, step, rank); /* a seventh has lengths by row */
    }
    if (vt_pass_is_op(step, "Slice")) {
        return only_first_marked(f, step) && axes_are_inner(f, step, 3);
    }
    return step->node.op->domain[0] == '\0' && strncmp(step->node.op->name, "Reduce", 6) == 0 &&
           only_first_marked(f, step) && axes_are_inner(f, step, 1);
}

static bool follow_step(follow *f, const vt_step *step)
{
    bool any = false;
    for (size_t i = 0; i < step->node.input_count; i++) {
        any = any || is_marked(f, step, i);
    }
    for (size_t i = 0; any && i < step->node.output_count; i++) {
        vt_value_id value = step->node.outputs[i];
        if (value == VT_NO_VALUE) {
            continue;
        }
        const vt_shape *shape = shape_of(f, value);
        if (shape->rank < 1 || shape->dims[0] != f->rows) {
            return false;
        }
        f->marked[value] = true;
    }
    return !any || keeps_rows(f, step);
}

vt_status vt_plan_rows_apart(const vt_plan *plan, int64_t rows, bool *apart, vt_error *error)
{
    follow f = {plan, vt_calloc(plan->value_count, sizeof *f.marked), rows};
    if (!f.marked) {
        return vt_fail_memory(error, "a plan's rows");
    }
    *apart = rows > 0;
    for (size_t i = 0; i < plan->graph->input_count; i++) {
        vt_value_id value = plan->graph->inputs[i];
        const vt_shape *shape = &plan->values[value].tensor.shape;
        f.marked[value] = !plan->values[value].constant;
        *apart =
            *apart && (plan->values[value].constant || (shape->rank > 0 && shape->dims[0] == rows));
    }
    for (size_t s = 0; s < plan->step_count && *apart; s++) {
        *apart = follow_step(&f, &plan->steps[s]);
    }
    for (size_t i = 0; i < plan->output_count && *apart; i++) {
        *apart = f.marked[plan->outputs[i]];
    }
    vt_free(f.marked);
    return VT_OK;
}

static void hash_form(const vt_shape *shape, int first_axis, vt_hasher *hasher)
{
    const int64_t rank = shape->rank;
    vt_hasher_add(hasher, &rank, sizeof rank);
    for (int i = first_axis; i < shape->rank; i++) {
        vt_hasher_add(hasher, &shape->dims[i], sizeof shape->dims[i]);
    }
}

/* Rows that are all the same, which may be as many as the batch has, count as one. */
static void hash_folded(const follow *f, vt_value_id value, vt_hasher *hasher)
{
    const vt_tensor *tensor = &f->plan->values[value].tensor;
    bool equal = tensor->shape.rank > 0 && has_equal_rows(f, value);
    size_t bytes = equal ? tensor->bytes / (size_t)tensor->shape.dims[0] : tensor->bytes;
    hash_form(&tensor->shape, equal ? 1 : 0, hasher);
    if (tensor->data && bytes > 0) {
        vt_hasher_add(hasher, tensor->data, bytes);
    }
}

/* Whether the input's value is in the result's shape and nowhere else. */
static bool only_says_shape(const vt_step *step, size_t input)
{
    return input == 1 && (vt_pass_is_op(step, "Reshape") || vt_pass_is_op(step, "Expand"));
}

vt_hash vt_plan_rows_hash(const vt_plan *plan)
{
    const follow f = {.plan = plan};
    vt_hasher hasher;
    vt_hasher_init(&hasher);
    for (size_t s = 0; s < plan->step_count; s++) {
        const vt_node *node = &plan->steps[s].node;
        vt_hasher_add_text(&hasher, node->op->name);
        for (size_t i = 0; i < node->input_count; i++) {
            vt_value_id value = node->inputs[i];
            if (value == VT_NO_VALUE || only_says_shape(&plan->steps[s], i)) {
                continue;
            }
            vt_hasher_add(&hasher, &value, sizeof value);
            if (plan->values[value].folded) {
                hash_folded(&f, value, &hasher);
            }
        }
        for (size_t i = 0; i < node->output_count; i++) {
            if (node->outputs[i] != VT_NO_VALUE) {
                hash_form(shape_of(&f, node->outputs[i]), 1, &hasher);
            }
        }
    }
    return vt_hasher_finish(&hasher);
}

/* ---- how many at a time ---- */

void vt_batch_split_start(vt_batch_split *split, int64_t rows)
{
    *split = (vt_batch_split){.rows = rows, .best = rows, .decided = rows < 2};
}

int64_t vt_batch_split_part(const vt_batch_split *split)
{
    return split->decided ? split->best : split->rows >> split->candidate;
}

void vt_batch_split_refuse(vt_batch_split *split)
{
    split->best = split->decided ? split->rows : split->best;
    split->decided = true;
}

void vt_batch_split_spent(vt_batch_split *split, double ms)
{
    if (split->decided || split->runs++ == 0) {
        return;
    }
    int64_t part = split->rows >> split->candidate;
    if (split->candidate == 0 || ms < split->best_ms) {
        split->best = part;
        split->best_ms = ms;
    }
    split->runs = 0;
    split->candidate++;
    split->decided = ms > clear_loss * split->best_ms || part % 2 != 0;
}
