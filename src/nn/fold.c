/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What is computed while planning: nodes whose inputs are all constant.
 *
 * Method: the operator's reference, once, into constants that the plan owns. Bounded: a node whose
 * work is over VT_FOLD_WORK is left to the executor, so is what goes over VT_FOLD_WORK_TOTAL in one
 * plan, and the constants of one plan together stay within the model's limit for one tensor.
 */
#include "nn/plan.h"

static bool can_fold(vt_plan *plan, const vt_op_args *args)
{
    const vt_node *node = args->node;
    size_t bytes = plan->folded_bytes;
    for (size_t i = 0; i < node->input_count; i++)
        if (node->inputs[i] != VT_NO_VALUE && !plan->values[node->inputs[i]].constant &&
            (node->op->flags & VT_OP_SHAPE_ONLY) == 0)
            return false;
    for (size_t i = 0; i < node->output_count; i++)
        if (!vt_size_add(bytes, args->outputs[i].bytes, &bytes))
            return false;
    uint64_t steps = vt_op_work(args);
    if (bytes > plan->graph->limits.tensor_bytes || steps > VT_FOLD_WORK ||
        steps > VT_FOLD_WORK_TOTAL - plan->fold_work)
        return false;
    plan->folded_bytes = bytes;
    plan->fold_work += steps;
    return true;
}

/* Weights that nothing has computed with yet. */
static vt_status bring_inputs(vt_plan *plan, vt_op_args *args, vt_error *error)
{
    const vt_node *node = args->node;
    vt_status status = VT_OK;
    for (size_t i = 0; i < node->input_count && status == VT_OK; i++) {
        if (node->inputs[i] == VT_NO_VALUE)
            continue;
        status = vt_plan_acquire(plan, node->inputs[i], error);
        args->inputs[i] = plan->values[node->inputs[i]].tensor;
    }
    return status;
}

static vt_status run(vt_plan *plan, vt_op_args *args, vt_error *error)
{
    const vt_node *node = args->node;
    size_t limit = plan->graph->limits.tensor_bytes;
    size_t made = 0;
    vt_status status = bring_inputs(plan, args, error);
    for (; made < node->output_count && status == VT_OK; made++) {
        vt_tensor *output = &args->outputs[made];
        if (vt_op_wants(args, made))
            status = vt_tensor_init(output, output->dtype, &output->shape, limit, error);
        if (status != VT_OK)
            break;
    }
    if (status == VT_OK)
        status = vt_op_run_reference(args, error);
    for (size_t i = 0; i < made; i++) {
        if (status != VT_OK) {
            vt_tensor_deinit(&args->outputs[i]);
        } else if (vt_op_wants(args, i)) {
            vt_plan_value *value = &plan->values[node->outputs[i]];
            value->tensor = args->outputs[i];
            value->constant = value->folded = true;
        }
    }
    return status;
}

vt_status vt_plan_fold(vt_plan *plan, vt_op_args *args, bool *folded, vt_error *error)
{
    *folded = can_fold(plan, args);
    return *folded ? run(plan, args, error) : VT_OK;
}
