/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What became of each step, for people: which code runs it.
 *
 * A step without an action of its own moves nothing (a view, or an alias). A step with several is
 * described by its last one that computes; conversions belong to nobody.
 */
#include "nn/dnnl/runner.h"

#include <stdio.h>

enum { EXECUTOR_TEXT = 160 };

static void executor_of(const vt_dnnl *dnnl, const vt_step *step, char text[EXECUTOR_TEXT])
{
    snprintf(text, EXECUTOR_TEXT, "view");
    for (size_t i = 0; i < dnnl->action_count; i++) {
        const vt_action *action = &dnnl->actions[i];
        if (!action->step || action->step->node.outputs != step->node.outputs) {
            continue;
        }
        if (action->name) {
            snprintf(text, EXECUTOR_TEXT, "%s", action->name);
        } else {
            snprintf(text, EXECUTOR_TEXT, "onednn %s", vt_primitive_name(action->primitive));
        }
    }
}

vt_status vt_dnnl_describe(vt_runner *base, void (*visit)(void *context, const vt_step_info *step),
                           void *context, vt_error *error)
{
    vt_dnnl *dnnl = (vt_dnnl *)base;
    const vt_plan *plan = dnnl->plan;
    size_t widest = 1;
    for (size_t s = 0; s < plan->step_count; s++) {
        const vt_node *node = &plan->steps[s].node;
        widest = node->input_count > widest ? node->input_count : widest;
        widest = node->output_count > widest ? node->output_count : widest;
    }
    vt_tensor *operands = vt_calloc(2 * widest, sizeof *operands);
    if (!operands) {
        return vt_fail_memory(error, "the description of a network");
    }
    for (size_t s = 0; s < plan->step_count; s++) {
        const vt_step *step = &plan->steps[s];
        char posts[VT_STEP_POSTS_TEXT], executor[EXECUTOR_TEXT];
        vt_op_args args;
        vt_step_info info;
        vt_plan_args(plan, &step->node, operands, operands + widest, &args);
        vt_step_describe(plan, step, &args, posts, &info);
        executor_of(dnnl, step, executor);
        info.executor = executor;
        visit(context, &info);
    }
    vt_free(operands);
    return VT_OK;
}
