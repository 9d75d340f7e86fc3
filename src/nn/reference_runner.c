/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The slow executor: every step by its operator's reference, in order.
 *
 * Each result gets memory of its own when it is made and loses it after its last reader, so the
 * peak stays that of the network; outputs stay until the next run. It honours what passes fold into
 * a step, so a plan can be compared before and after them.
 */
#include "nn/plan.h"

#include <stdlib.h>
#include <string.h>

typedef struct reference_runner {
    vt_runner base;
    vt_plan *plan;
    vt_tensor *inputs, *outputs; /* of one step; room for the widest */
    vt_value_id *dying;          /* (value_count): computed values by their last step */
    size_t dying_count;
} reference_runner;

/* Computed values own their memory here; constants stay the plan's. */
static void values_release(vt_plan *plan)
{
    for (size_t i = 0; i < plan->value_count; i++) {
        vt_plan_value *value = &plan->values[i];
        if (value->constant)
            continue;
        if (value->tensor.owned)
            vt_free(value->tensor.data);
        value->tensor.data = NULL;
        value->tensor.owned = false;
    }
}

static vt_status posts_apply(const vt_plan *plan, const vt_step *step, vt_tensor *output,
                             vt_error *error)
{
    vt_tensor operands[VT_STEP_POSTS] = {0};
    for (int i = 0; i < step->post_count; i++)
        if (vt_post_has_operand(&step->posts[i]))
            operands[i] = plan->values[step->posts[i].operand].tensor;
    return vt_posts_apply(step, operands, output, error);
}

static vt_status step_run(reference_runner *runner, const vt_step *step, vt_error *error)
{
    vt_plan *plan = runner->plan;
    const vt_node *node = &step->node;
    vt_op_args args;
    vt_status status = VT_OK;
    vt_plan_args(plan, node, runner->inputs, runner->outputs, &args);
    for (size_t i = 0; i < node->output_count && status == VT_OK; i++) {
        if (node->outputs[i] == VT_NO_VALUE)
            continue;
        vt_tensor *tensor = &plan->values[node->outputs[i]].tensor;
        status = vt_tensor_init(tensor, tensor->dtype, &tensor->shape, 0, error);
        args.outputs[i] = *tensor;
    }
    if (status == VT_OK)
        status = vt_op_run_reference(&args, error);
    if (status == VT_OK && step->post_count > 0)
        status = posts_apply(plan, step, &args.outputs[0], error);
    return status;
}

static vt_status reference_run(vt_runner *base, const vt_tensor *inputs, vt_tensor *outputs,
                               vt_error *error)
{
    reference_runner *runner = (reference_runner *)base;
    vt_plan *plan = runner->plan;
    size_t next = 0;
    vt_status status = VT_OK;
    values_release(plan);
    for (size_t i = 0; i < plan->graph->input_count; i++)
        if (!plan->values[plan->graph->inputs[i]].constant)
            plan->values[plan->graph->inputs[i]].tensor.data = inputs[i].data;
    for (size_t s = 0; s < plan->step_count && status == VT_OK; s++) {
        status = step_run(runner, &plan->steps[s], error);
        for (; next < runner->dying_count; next++) {
            vt_plan_value *value = &plan->values[runner->dying[next]];
            if (value->last_step > (int)s)
                break;
            vt_free(value->tensor.data);
            value->tensor.data = NULL;
            value->tensor.owned = false;
        }
    }
    for (size_t i = 0; i < plan->output_count && status == VT_OK; i++) {
        outputs[i] = plan->values[plan->outputs[i]].tensor;
        outputs[i].owned = false;
    }
    return status;
}

static void reference_free(vt_runner *base)
{
    reference_runner *runner = (reference_runner *)base;
    values_release(runner->plan);
    vt_plan_free(runner->plan);
    vt_free(runner->inputs);
    vt_free(runner->outputs);
    vt_free(runner->dying);
    vt_free(runner);
}

static vt_status reference_describe(vt_runner *base,
                                    void (*visit)(void *context, const vt_step_info *step),
                                    void *context, vt_error *error)
{
    reference_runner *runner = (reference_runner *)base;
    (void)error;
    for (size_t s = 0; s < runner->plan->step_count; s++) {
        const vt_step *step = &runner->plan->steps[s];
        char posts[VT_STEP_POSTS_TEXT];
        vt_op_args args;
        vt_step_info info;
        vt_plan_args(runner->plan, &step->node, runner->inputs, runner->outputs, &args);
        vt_step_describe(runner->plan, step, &args, posts, &info);
        info.executor = "reference";
        visit(context, &info);
    }
    return VT_OK;
}

static int compare_death(const void *left, const void *right, void *context)
{
    const vt_plan *plan = context;
    int a = plan->values[*(const vt_value_id *)left].last_step;
    int b = plan->values[*(const vt_value_id *)right].last_step;
    return (a > b) - (a < b);
}

static void runner_measure(reference_runner *runner)
{
    vt_plan *plan = runner->plan;
    for (size_t i = 0; i < plan->value_count; i++) {
        const vt_plan_value *value = &plan->values[i];
        if (value->folded)
            runner->base.weights_bytes += value->tensor.data == NULL ? 0 : value->tensor.bytes;
        if (value->constant || value->first_step < 0)
            continue;
        runner->base.unshared_bytes += value->tensor.bytes;
        runner->dying[runner->dying_count++] = (vt_value_id)i;
    }
    qsort_r(runner->dying, runner->dying_count, sizeof(*runner->dying), compare_death, plan);
    runner->base.activations_bytes = runner->base.unshared_bytes;
}

vt_status vt_reference_runner_new(vt_plan *plan, vt_runner **out, vt_error *error)
{
    size_t inputs = 1, outputs = 1;
    reference_runner *runner = vt_calloc(1, sizeof(*runner));
    if (runner == NULL) {
        vt_plan_free(plan);
        return vt_fail_memory(error, "an executor");
    }
    for (size_t s = 0; s < plan->step_count; s++) {
        const vt_node *node = &plan->steps[s].node;
        inputs = node->input_count > inputs ? node->input_count : inputs;
        outputs = node->output_count > outputs ? node->output_count : outputs;
    }
    vt_status status = vt_plan_acquire_all(plan, error);
    vt_plan_lifetimes(plan);
    runner->base.run = reference_run;
    runner->base.free = reference_free;
    runner->base.describe = reference_describe;
    runner->plan = plan;
    runner->inputs = vt_calloc(inputs, sizeof(*runner->inputs));
    runner->outputs = vt_calloc(outputs, sizeof(*runner->outputs));
    runner->dying = vt_calloc(plan->value_count, sizeof(*runner->dying));
    if (status == VT_OK &&
        (runner->inputs == NULL || runner->outputs == NULL || runner->dying == NULL))
        status = vt_fail_memory(error, "an executor");
    if (status != VT_OK) {
        reference_free(&runner->base);
        return status;
    }
    runner_measure(runner);
    *out = &runner->base;
    return VT_OK;
}
