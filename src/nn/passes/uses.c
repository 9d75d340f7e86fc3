/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Readers of values, counted once per pass.
 *
 * A pass walks forward and only ever merges a step into an earlier one, so the counts of values
 * that are still ahead stay right while it works.
 */
#include "nn/passes/uses.h"

#include <string.h>

vt_status vt_pass_uses_init(vt_pass_uses *uses, const vt_plan *plan, vt_error *error)
{
    *uses = (vt_pass_uses){.value_count = plan->value_count};
    uses->counts = vt_calloc(plan->value_count, sizeof *uses->counts);
    uses->readers = vt_calloc(plan->value_count, sizeof *uses->readers);
    uses->producers = vt_alloc_array(plan->value_count, sizeof *uses->producers);
    if (!uses->counts || !uses->readers || !uses->producers) {
        vt_pass_uses_deinit(uses);
        return vt_fail_memory(error, "the uses of a plan's values");
    }
    for (size_t i = 0; i < plan->value_count; i++) {
        uses->producers[i] = SIZE_MAX;
    }
    for (size_t i = 0; i < plan->step_count; i++) {
        const vt_step *step = &plan->steps[i];
        for (size_t k = 0; k < step->node.output_count; k++) {
            if (step->node.outputs[k] != VT_NO_VALUE) {
                uses->producers[step->node.outputs[k]] = i;
            }
        }
        for (size_t k = 0; k < vt_step_read_count(step); k++) {
            vt_value_id value = vt_step_read(step, k);
            if (value != VT_NO_VALUE) {
                uses->counts[value]++;
                uses->readers[value] = i;
            }
        }
    }
    for (size_t i = 0; i < plan->output_count; i++) {
        uses->counts[plan->outputs[i]] += 2;
    }
    return VT_OK;
}

void vt_pass_uses_deinit(vt_pass_uses *uses)
{
    vt_free(uses->counts);
    vt_free(uses->readers);
    vt_free(uses->producers);
    *uses = (vt_pass_uses){0};
}

size_t vt_pass_only_reader(const vt_pass_uses *uses, vt_value_id value)
{
    return value < uses->value_count && uses->counts[value] == 1 ? uses->readers[value] : SIZE_MAX;
}

vt_status vt_pass_each_step(vt_plan *plan, vt_pass_try *try_step, vt_error *error)
{
    vt_pass_uses uses;
    vt_status status = vt_pass_uses_init(&uses, plan, error);
    for (size_t i = 0; status == VT_OK && i < plan->step_count; i++) {
        status = try_step(plan, &uses, i, error);
    }
    vt_pass_uses_deinit(&uses);
    return status;
}

bool vt_pass_is_op(const vt_step *step, const char *op)
{
    return step->node.op && step->node.op->domain[0] == '\0' &&
           strcmp(step->node.op->name, op) == 0;
}

size_t vt_pass_producer(const vt_pass_uses *uses, vt_value_id value)
{
    return value < uses->value_count ? uses->producers[value] : SIZE_MAX;
}

bool vt_pass_is(const vt_step *step, const char *op)
{
    return vt_pass_is_op(step, op) && step->node.output_count == 1;
}

bool vt_pass_is_any_op(const vt_step *step, const char *const *ops, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (vt_pass_is_op(step, ops[i])) {
            return true;
        }
    }
    return false;
}

bool vt_pass_is_any(const vt_step *step, const char *const *ops, size_t count)
{
    return step->node.output_count == 1 && vt_pass_is_any_op(step, ops, count);
}

const vt_tensor *vt_pass_constant(const vt_plan *plan, const vt_step *step, size_t input)
{
    if (input >= step->node.input_count || step->node.inputs[input] == VT_NO_VALUE) {
        return NULL;
    }
    const vt_plan_value *value = &plan->values[step->node.inputs[input]];
    return value->constant ? &value->tensor : NULL;
}

void vt_pass_step_drop(vt_step *step)
{
    step->node.op = NULL;
}

void vt_pass_steps_compact(vt_plan *plan)
{
    size_t kept = 0;
    for (size_t i = 0; i < plan->step_count; i++) {
        if (plan->steps[i].node.op) {
            plan->steps[kept++] = plan->steps[i];
        }
    }
    plan->step_count = kept;
}
