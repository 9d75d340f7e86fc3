/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Steps whose inputs other passes have made constant become constants themselves.
 *
 * Method: one walk in order, with the plan's own folding and its budget (fold.c). A step that has
 * posts stays.
 */
#include "nn/passes/uses.h"

static vt_status fold_step(vt_plan *plan, vt_step *step, vt_error *error)
{
    vt_tensor *inputs = vt_calloc(step->node.input_count + 1, sizeof *inputs);
    vt_tensor *outputs = vt_calloc(step->node.output_count + 1, sizeof *outputs);
    bool folded = false;
    vt_status status = VT_OK;
    if (!inputs || !outputs) {
        status = vt_fail_memory(error, "the constants of a plan");
    } else {
        vt_op_args args;
        vt_plan_args(plan, &step->node, inputs, outputs, &args);
        status = vt_plan_fold(plan, &args, &folded, error);
    }
    if (folded) {
        vt_pass_step_drop(step);
    }
    vt_free(inputs);
    vt_free(outputs);
    return status;
}

vt_status vt_pass_fold_constants(vt_plan *plan, vt_error *error)
{
    vt_status status = VT_OK;
    for (size_t i = 0; status == VT_OK && i < plan->step_count; i++) {
        const vt_step *step = &plan->steps[i];
        bool constant = step->post_count == 0;
        for (size_t k = 0; k < step->node.input_count && constant; k++) {
            constant =
                step->node.inputs[k] == VT_NO_VALUE || plan->values[step->node.inputs[k]].constant;
        }
        if (constant) {
            status = fold_step(plan, &plan->steps[i], error);
        }
    }
    vt_pass_steps_compact(plan);
    return status;
}
