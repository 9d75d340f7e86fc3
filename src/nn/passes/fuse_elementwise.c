/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Elementwise steps into fused loops: a group of them becomes one step, Elementwise, that reads its
 * operands and writes its result once.
 *
 * Method: the last steps first. A group begins with one step and takes in, latest first, the steps
 * that make its operands: those of elementwise operators whose result has the group's shape, is no
 * output, and is read by the group alone. A step that would make the program too large, or that has
 * an operand of another type, stays outside. A group of one step becomes a program only where
 * oneDNN has nothing for it (then its reference would run, in f64, element by element).
 *
 * Left alone: results of f64, whose precision somebody asked for; integers; and groups whose
 * operands do not span the result's shape by themselves (a constant of higher rank did).
 */
#include "nn/passes/elementwise_emit.h"
#include "nn/passes/uses.h"

#include "nn/ops/op.h"

#include <float.h>
#include <math.h>
#include <string.h>

typedef struct chain {
    size_t steps[VT_EMIT_STEPS]; /* descending */
    int step_count;
    vt_emitter emitter;
    vt_elementwise program;
} chain;

typedef struct fuser {
    vt_plan *plan;
    vt_pass_uses uses;
    const vt_op *op;
} fuser;

static const vt_tensor *result_of(const vt_plan *plan, const vt_step *step)
{
    return &plan->values[step->node.outputs[0]].tensor;
}

/* ---- building ---- */

/* The program of the group's steps as they are now. */
static bool build(const fuser *fusion, chain *group)
{
    vt_plan *plan = fusion->plan;
    vt_emit_begin(&group->emitter, plan);
    for (int i = group->step_count; i-- > 0;) {
        if (!vt_emit_step(&group->emitter, &plan->steps[group->steps[i]])) {
            return false;
        }
    }
    const vt_step *last = &plan->steps[group->steps[0]];
    return vt_emit_end(&group->emitter, last->node.outputs[0], &group->program);
}

/* How often steps of the group read the value. */
static size_t reads_inside(const vt_plan *plan, const chain *group, vt_value_id value)
{
    size_t reads = 0;
    for (int i = 0; i < group->step_count; i++) {
        const vt_step *step = &plan->steps[group->steps[i]];
        for (size_t k = 0; k < vt_step_read_count(step); k++) {
            reads += vt_step_read(step, k) == value;
        }
    }
    return reads;
}

/* Whether the step that makes this operand may come in. */
static bool may_enter(const fuser *fusion, const chain *group, vt_value_id value)
{
    const vt_plan *plan = fusion->plan;
    size_t index = vt_pass_producer(&fusion->uses, value);
    if (index == SIZE_MAX || group->step_count == VT_EMIT_STEPS) {
        return false;
    }
    const vt_step *step = &plan->steps[index];
    return step->node.op && vt_emit_knows(step) &&
           vt_shape_equal(&result_of(plan, step)->shape,
                          &result_of(plan, &plan->steps[group->steps[0]])->shape) &&
           fusion->uses.counts[value] == reads_inside(plan, group, value);
}

/* Tries the operands' producers, latest first; each is asked once, when all its readers that can be
 * inside are. Every step is earlier than those before, so the order stays descending. */
static void grow(const fuser *fusion, chain *group)
{
    size_t before = group->steps[0];
    for (;;) {
        size_t latest = SIZE_MAX;
        vt_value_id chosen = VT_NO_VALUE;
        for (int i = 0; i < group->emitter.input_count; i++) {
            vt_value_id value = group->emitter.inputs[i];
            size_t index = vt_pass_producer(&fusion->uses, value);
            if (index < before && (latest == SIZE_MAX || index > latest)) {
                latest = index;
                chosen = value;
            }
        }
        if (latest == SIZE_MAX) {
            return;
        }
        before = latest;
        if (may_enter(fusion, group, chosen)) {
            group->steps[group->step_count++] = latest;
            if (!build(fusion, group)) {
                group->step_count--;
                (void)build(fusion, group); /* what it was */
            }
        }
    }
}

/* ---- whether it pays, and may be ---- */

/* One bound of a Clip, false: computed. */
static bool read_bound(const vt_plan *plan, const vt_step *step, size_t input, double *bound)
{
    if (input >= step->node.input_count || step->node.inputs[input] == VT_NO_VALUE) {
        return true;
    }
    const vt_tensor *tensor = vt_pass_constant(plan, step, input);
    if (!tensor) {
        return false;
    }
    *bound = vt_tensor_get(tensor, 0);
    return true;
}

/* Bounds that are constants and do not cross. */
static bool clip_is_onednn(const vt_plan *plan, const vt_step *step)
{
    double low = (double)-INFINITY, high = (double)INFINITY;
    if (step->node.opset < 11) {
        low = (double)vt_node_float(&step->node, "min", -FLT_MAX);
        high = (double)vt_node_float(&step->node, "max", FLT_MAX);
    } else if (!read_bound(plan, step, 1, &low) || !read_bound(plan, step, 2, &high)) {
        return false;
    }
    return low <= high;
}

static bool is_whole(const vt_plan *plan, const vt_step *step, size_t input)
{
    const vt_tensor *tensor = &plan->values[step->node.inputs[input]].tensor;
    return vt_shape_equal(&tensor->shape, &result_of(plan, step)->shape);
}

/* Sums and products of two, the whole-shaped one first where they do not commute. */
static bool binary_is_onednn(const vt_plan *plan, const vt_step *step)
{
    static const char *const commuting[] = {"Add", "Mul", "Min", "Max", "Sum"};
    if (step->node.input_count != 2 || result_of(plan, step)->shape.rank < 1) {
        return false;
    }
    if (VT_PASS_IS_ANY(step, commuting)) {
        return is_whole(plan, step, 0) || is_whole(plan, step, 1);
    }
    return (vt_pass_is(step, "Sub") || vt_pass_is(step, "Div")) && is_whole(plan, step, 0);
}

static bool sum_is_onednn(const vt_plan *plan, const vt_step *step)
{
    bool whole = vt_pass_is(step, "Sum") && step->node.input_count != 2 && step->post_count == 0;
    for (size_t i = 0; whole && i < step->node.input_count; i++) {
        whole = is_whole(plan, step, i);
    }
    return whole;
}

/* Whether dnnl/lower.c finds something quick for the step alone. */
static bool is_onednn(const vt_plan *plan, const vt_step *step)
{
    static const char *const functions[] = {"Relu", "LeakyRelu", "Elu",      "Sigmoid",
                                            "Tanh", "HardSwish", "Softplus", "Mish",
                                            "Gelu", "Abs",       "Sqrt",     "Exp"};
    for (int i = 0; i < step->post_count; i++) {
        if (vt_post_has_operand(&step->posts[i])) {
            return false;
        }
    }
    if (VT_PASS_IS_ANY(step, functions)) {
        return step->post_count == 0;
    }
    if (vt_pass_is(step, "Clip")) {
        return step->post_count == 0 && clip_is_onednn(plan, step);
    }
    return binary_is_onednn(plan, step) || sum_is_onednn(plan, step);
}

/* Whether broadcasting the program's operands gives the result's shape. */
static bool spans_result(const vt_plan *plan, const chain *group)
{
    vt_shape shape = {0};
    for (int i = 0; i < group->emitter.input_count; i++) {
        const vt_tensor *tensor = &plan->values[group->emitter.inputs[i]].tensor;
        if (vt_broadcast_shape(&shape, &tensor->shape, NULL) != VT_OK) {
            return false;
        }
    }
    return vt_shape_equal(&shape, &result_of(plan, &plan->steps[group->steps[0]])->shape);
}

/* ---- the new step ---- */

static vt_status write_attributes(vt_plan *plan, const chain *group, vt_node *node, vt_error *error)
{
    const vt_elementwise *program = &group->program;
    size_t count = (size_t)program->instruction_count * VT_ELEMENTWISE_FIELDS;
    size_t constants = (size_t)program->constant_count;
    node->attrs = vt_arena_array(&plan->arena, 3, sizeof *node->attrs);
    int64_t *code = vt_arena_array(&plan->arena, count, sizeof *code);
    float *numbers = vt_arena_array(&plan->arena, constants + 1, sizeof *numbers);
    if (!node->attrs || !code || !numbers) {
        return vt_fail_memory(error, "a fused loop");
    }
    memcpy(numbers, program->constants, constants * sizeof *numbers);
    for (int i = 0; i < program->instruction_count; i++) {
        const vt_elementwise_instruction *instruction = &program->instructions[i];
        int64_t *fields = code + i * VT_ELEMENTWISE_FIELDS;
        fields[0] = (int64_t)instruction->code;
        fields[1] = instruction->target;
        for (int k = 0; k < VT_ELEMENTWISE_READS; k++) {
            fields[2 + k] = instruction->sources[k];
        }
    }
    node->attr_count = 3;
    node->attrs[0] = (vt_attr){.name = "code", .kind = VT_ATTR_INTS, .count = count, .ints = code};
    node->attrs[1] = (vt_attr){
        .name = "constants", .kind = VT_ATTR_FLOATS, .count = constants, .floats = numbers};
    node->attrs[2] = (vt_attr){
        .name = "type",
        .kind = VT_ATTR_INT,
        .i = (int64_t)result_of(plan, &plan->steps[group->steps[0]])->dtype,
    };
    return VT_OK;
}

static vt_status replace(const fuser *fusion, const chain *group, vt_error *error)
{
    vt_plan *plan = fusion->plan;
    vt_step *last = &plan->steps[group->steps[0]];
    size_t count = (size_t)group->emitter.input_count;
    vt_node node = {
        .op = fusion->op,
        .opset = 1,
        .name = last->node.name,
        .inputs = vt_arena_array(&plan->arena, count, sizeof *node.inputs),
        .outputs = last->node.outputs,
        .input_count = count,
        .output_count = 1,
    };
    if (!node.inputs) {
        return vt_fail_memory(error, "a fused loop");
    }
    memcpy(node.inputs, group->emitter.inputs, count * sizeof *node.inputs);
    vt_status status = write_attributes(plan, group, &node, error);
    if (status != VT_OK) {
        return status;
    }
    *last = (vt_step){.node = node, .compute = last->compute};
    for (int i = 1; i < group->step_count; i++) {
        vt_pass_step_drop(&plan->steps[group->steps[i]]);
    }
    return VT_OK;
}

static vt_status try_fuse(fuser *fusion, size_t index, vt_error *error)
{
    const vt_plan *plan = fusion->plan;
    const vt_step *step = &plan->steps[index];
    if (!step->node.op || !vt_emit_knows(step)) {
        return VT_OK;
    }
    chain group = {.steps = {index}, .step_count = 1};
    if (!build(fusion, &group)) {
        return VT_OK;
    }
    grow(fusion, &group);
    if ((group.step_count == 1 && is_onednn(plan, step)) || !spans_result(plan, &group)) {
        return VT_OK;
    }
    return replace(fusion, &group, error);
}

vt_status vt_pass_fuse_elementwise(vt_plan *plan, vt_error *error)
{
    fuser fusion = {.plan = plan, .op = vt_op_find(VT_ELEMENTWISE_DOMAIN, VT_ELEMENTWISE_NAME, 1)};
    vt_status status = vt_pass_uses_init(&fusion.uses, plan, error);
    if (status != VT_OK) {
        return status;
    }
    for (size_t i = plan->step_count; status == VT_OK && i-- > 0;) {
        status = try_fuse(&fusion, i, error);
    }
    vt_pass_steps_compact(plan);
    vt_pass_uses_deinit(&fusion.uses);
    return status;
}
