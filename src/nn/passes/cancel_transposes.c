/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Steps that only move numbers: those that undo each other or change nothing go, chains of them
 * become one.
 *
 * Method: one walk in order.
 * - A step whose result is its input (Identity, Dropout, Cast to the same type, a Reshape or
 *   Transpose to the same shape in the same order ...) is left out: its readers read the input.
 * - A Transpose that moves only axes of one element is a Reshape.
 * - A Reshape (Flatten, Squeeze, Unsqueeze) of a Reshape is one Reshape.
 * - A Transpose of a Transpose is one Transpose. Elementwise steps of one input between the two,
 *   each the only reader of the one before, are computed on the untransposed value: their results
 *   change shape, and only what is left of the two Transposes stays, behind them.
 * Outputs of the plan keep their producer. What nobody reads any more is dropped at the end.
 * Departures: elementwise steps of two inputs are passed only where one is a constant of one
 * element.
 */
#include "nn/passes/match.h"

#include <string.h>

enum { MAXIMUM_CHAIN = 16 };

typedef struct cancel {
    vt_plan *plan;
    vt_pass_uses *uses;   /* kept true where readers are added; those taken away stay counted */
    vt_value_id *renamed; /* (value_count of uses): what readers shall read instead */
} cancel;

/* ---- what steps do ---- */

static const vt_tensor *tensor_of(const cancel *c, vt_value_id value)
{
    return &c->plan->values[value].tensor;
}

/* Keeps the order of numbers, whatever the shape. */
static bool is_reshape(const vt_step *step)
{
    static const char *const ops[] = {"Reshape", "Flatten", "Squeeze", "Unsqueeze"};
    return step->post_count == 0 && VT_PASS_IS_ANY(step, ops);
}

static bool is_transpose(const vt_step *step)
{
    return step->post_count == 0 && vt_pass_is(step, "Transpose");
}

static bool is_inference_dropout(const cancel *c, const vt_step *step)
{
    double training;
    if (!vt_pass_is(step, "Dropout")) {
        return false;
    }
    return step->node.input_count < 3 || step->node.inputs[2] == VT_NO_VALUE ||
           (vt_match_scalar(c->plan, step->node.inputs[2], &training) && training == 0);
}

/* Does not move an axis of more than one element past another. */
static bool keeps_order(const int64_t *perm, const vt_shape *shape)
{
    int64_t last = -1;
    for (int i = 0; i < shape->rank; i++) {
        if (shape->dims[perm[i]] == 1) {
            continue;
        }
        if (perm[i] < last) {
            return false;
        }
        last = perm[i];
    }
    return true;
}

static bool is_identity(const cancel *c, const vt_step *step)
{
    int64_t perm[VT_MAX_RANK];
    if (step->post_count > 0 || step->node.output_count != 1 || step->node.input_count < 1) {
        return false;
    }
    const vt_tensor *input = tensor_of(c, step->node.inputs[0]);
    const vt_tensor *output = tensor_of(c, step->node.outputs[0]);
    if (input->dtype != output->dtype || !vt_shape_equal(&input->shape, &output->shape)) {
        return false;
    }
    if (is_transpose(step)) {
        vt_match_perm(step, input->shape.rank, perm);
        return keeps_order(perm, &input->shape);
    }
    return is_reshape(step) || vt_pass_is(step, "Identity") || vt_pass_is(step, "Cast") ||
           vt_pass_is(step, "Expand") || is_inference_dropout(c, step);
}

/* Each element of the only computed input by itself; which input that is, else -1. */
static int elementwise_input(const cancel *c, const vt_step *step)
{
    static const char *const unary[] = {
        "Abs",      "Cast",  "Ceil",     "Celu",      "Clip",        "Elu",       "Erf",
        "Exp",      "Floor", "Gelu",     "HardSwish", "HardSigmoid", "LeakyRelu", "Log",
        "Mish",     "Neg",   "Round",    "Relu",      "Selu",        "Sigmoid",   "Reciprocal",
        "Softplus", "Sign",  "Softsign", "Sqrt",      "Tanh",        "Swish",
    };
    static const char *const binary[] = {"Add", "Sub", "Mul", "Div", "Pow", "Min", "Max"};
    double scalar;
    for (int i = 0; i < step->post_count; i++) {
        if (vt_post_has_operand(&step->posts[i])) {
            return -1;
        }
    }
    if (VT_PASS_IS_ANY(step, binary)) {
        if (step->node.input_count != 2 || step->node.opset < 7) {
            return -1;
        }
        int side = vt_match_scalar_side(c->plan, step, &scalar);
        return side < 0 ? -1 : 1 - side;
    }
    if (!VT_PASS_IS_ANY(step, unary)) {
        return -1;
    }
    for (size_t i = 1; i < step->node.input_count; i++) { /* bounds of a Clip */
        if (step->node.inputs[i] != VT_NO_VALUE &&
            !vt_match_scalar(c->plan, step->node.inputs[i], &scalar)) {
            return -1;
        }
    }
    return 0;
}

/* ---- rewriting ---- */

static vt_status read_renamed(const cancel *c, vt_step *step, vt_error *error)
{
    for (size_t i = 0; i < step->node.input_count; i++) {
        vt_value_id value = step->node.inputs[i];
        if (value == VT_NO_VALUE || value >= c->uses->value_count || c->renamed[value] == value) {
            continue;
        }
        vt_status status = vt_edit_set_input(c->plan, step, i, c->renamed[value], error);
        if (status != VT_OK) {
            return status;
        }
    }
    for (int i = 0; i < step->post_count; i++) {
        vt_value_id operand = step->posts[i].operand;
        if (operand < c->uses->value_count) {
            step->posts[i].operand = c->renamed[operand];
        }
    }
    return VT_OK;
}

static bool is_output(const cancel *c, vt_value_id value)
{
    for (size_t i = 0; i < c->plan->output_count; i++) {
        if (c->plan->outputs[i] == value) {
            return true;
        }
    }
    return false;
}

static void count_reader(cancel *c, vt_value_id value, size_t reader)
{
    if (value < c->uses->value_count && c->plan->steps[reader].node.inputs[0] != value) {
        c->uses->counts[value]++;
        c->uses->readers[value] = reader;
    }
}

/* Step `index` becomes a Reshape of `input` to the shape it already has. */
static vt_status become_reshape(cancel *c, size_t index, vt_value_id input, vt_error *error)
{
    vt_step *step = &c->plan->steps[index];
    vt_shape shape = tensor_of(c, step->node.outputs[0])->shape;
    count_reader(c, input, index);
    return vt_edit_become_reshape(c->plan, &step->node, input, &shape, error);
}

static vt_status become_transpose(cancel *c, size_t index, vt_value_id input, const int64_t *perm,
                                  vt_error *error)
{
    count_reader(c, input, index);
    return vt_edit_become_transpose(c->plan, &c->plan->steps[index].node, input, perm, error);
}

static vt_status merge_reshapes(cancel *c, size_t index, vt_error *error)
{
    const vt_step *step = &c->plan->steps[index];
    size_t before = vt_pass_producer(c->uses, step->node.inputs[0]);
    const vt_tensor *result = tensor_of(c, step->node.outputs[0]);
    if (before == SIZE_MAX || !is_reshape(&c->plan->steps[before]) ||
        vt_tensor_count(result) == 0) { /* a 0 in a Reshape's shape means another thing */
        return VT_OK;
    }
    return become_reshape(c, index, c->plan->steps[before].node.inputs[0], error);
}

/* Follows elementwise steps back from `value` to a Transpose; chain[0] is the nearest one. */
static size_t find_transpose(const cancel *c, vt_value_id value, size_t chain[MAXIMUM_CHAIN],
                             size_t *length)
{
    for (*length = 0;; ++*length) {
        size_t producer = vt_pass_producer(c->uses, value);
        if (producer == SIZE_MAX) {
            return SIZE_MAX;
        }
        const vt_step *step = &c->plan->steps[producer];
        if (is_transpose(step)) {
            return producer;
        }
        int input = step->node.output_count == 1 ? elementwise_input(c, step) : -1;
        if (input < 0 || *length == MAXIMUM_CHAIN ||
            vt_pass_only_reader(c->uses, value) == SIZE_MAX ||
            !vt_shape_equal(&tensor_of(c, step->node.inputs[input])->shape,
                            &tensor_of(c, value)->shape)) {
            return SIZE_MAX;
        }
        chain[*length] = producer;
        value = step->node.inputs[input];
    }
}

/* The steps of the chain work on the input of the first Transpose. */
static vt_status move_chain(cancel *c, const size_t *chain, size_t length, vt_value_id input,
                            vt_error *error)
{
    vt_shape shape = tensor_of(c, input)->shape;
    for (size_t i = 0; i < length; i++) {
        c->plan->values[c->plan->steps[chain[i]].node.outputs[0]].tensor.shape = shape;
    }
    vt_step *first = &c->plan->steps[chain[length - 1]];
    count_reader(c, input, chain[length - 1]);
    return vt_edit_set_input(c->plan, first, (size_t)elementwise_input(c, first), input, error);
}

static vt_status merge_transposes(cancel *c, size_t index, vt_error *error)
{
    size_t chain[MAXIMUM_CHAIN], length;
    int64_t first[VT_MAX_RANK], second[VT_MAX_RANK], both[VT_MAX_RANK];
    vt_value_id value = c->plan->steps[index].node.inputs[0];
    size_t before = find_transpose(c, value, chain, &length);
    if (before == SIZE_MAX) {
        return VT_OK;
    }
    vt_value_id input = c->plan->steps[before].node.inputs[0];
    int rank = tensor_of(c, input)->shape.rank;
    vt_match_perm(&c->plan->steps[before], rank, first);
    vt_match_perm(&c->plan->steps[index], rank, second);
    for (int i = 0; i < rank; i++) {
        both[i] = first[second[i]];
    }
    if (length > 0) {
        vt_status status = move_chain(c, chain, length, input, error);
        if (status != VT_OK) {
            return status;
        }
        input = value;
    }
    return become_transpose(c, index, input, both, error);
}

/* Its readers are its input's from now on. */
static void leave_out(cancel *c, vt_step *step)
{
    vt_value_id from = step->node.outputs[0], to = step->node.inputs[0];
    c->renamed[from] = to;
    if (to < c->uses->value_count && c->uses->counts[from] > 0) {
        c->uses->counts[to] += c->uses->counts[from] - 1;
        c->uses->readers[to] = c->uses->readers[from];
    }
    vt_pass_step_drop(step);
}

static vt_status visit(cancel *c, size_t index, vt_error *error)
{
    int64_t perm[VT_MAX_RANK];
    vt_step *step = &c->plan->steps[index];
    vt_status status = read_renamed(c, step, error);
    if (status == VT_OK && is_transpose(step)) {
        status = merge_transposes(c, index, error);
    }
    if (status == VT_OK && is_transpose(step) && !is_identity(c, step)) {
        const vt_tensor *input = tensor_of(c, step->node.inputs[0]);
        vt_match_perm(step, input->shape.rank, perm);
        if (vt_tensor_count(input) > 0 && keeps_order(perm, &input->shape)) {
            status = become_reshape(c, index, step->node.inputs[0], error);
        }
    }
    if (status == VT_OK && is_reshape(step)) {
        status = merge_reshapes(c, index, error);
    }
    if (status == VT_OK && is_identity(c, step) && !is_output(c, step->node.outputs[0])) {
        leave_out(c, step);
    }
    return status;
}

static vt_status walk(vt_plan *plan, vt_pass_uses *uses, vt_error *error)
{
    cancel c = {.plan = plan, .uses = uses};
    c.renamed = vt_alloc_array(uses->value_count, sizeof *c.renamed);
    if (!c.renamed) {
        return vt_fail_memory(error, "the renamed values of a plan");
    }
    for (size_t i = 0; i < uses->value_count; i++) {
        c.renamed[i] = (vt_value_id)i;
    }
    vt_status status = VT_OK;
    for (size_t i = 0; status == VT_OK && i < plan->step_count; i++) {
        status = visit(&c, i, error);
    }
    vt_free(c.renamed);
    vt_pass_steps_compact(plan);
    return status;
}

vt_status vt_pass_cancel_transposes(vt_plan *plan, vt_error *error)
{
    vt_pass_uses uses;
    vt_status status = vt_pass_uses_init(&uses, plan, error);
    if (status != VT_OK) {
        return status;
    }
    status = walk(plan, &uses, error);
    vt_pass_uses_deinit(&uses);
    return status == VT_OK ? vt_pass_dead_code(plan, error) : status;
}
