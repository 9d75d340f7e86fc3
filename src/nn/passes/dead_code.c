/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Drops steps whose results nobody reads.
 *
 * Method: backwards over the steps, which are in execution order: a step stays when one of its
 * outputs is needed, and then needs all its inputs.
 */
#include "nn/passes/uses.h"

vt_status vt_pass_dead_code(vt_plan *plan, vt_error *error)
{
    bool *needed = vt_calloc(plan->value_count, sizeof *needed);
    if (!needed) {
        return vt_fail_memory(error, "the dead code pass");
    }
    for (size_t i = 0; i < plan->output_count; i++) {
        needed[plan->outputs[i]] = true;
    }
    for (size_t i = plan->step_count; i-- > 0;) {
        const vt_step *step = &plan->steps[i];
        const vt_node *node = &step->node;
        bool keep = false;
        for (size_t k = 0; k < node->output_count; k++) {
            keep = keep || (node->outputs[k] != VT_NO_VALUE && needed[node->outputs[k]]);
        }
        for (size_t k = 0; keep && k < vt_step_read_count(step); k++) {
            if (vt_step_read(step, k) != VT_NO_VALUE) {
                needed[vt_step_read(step, k)] = true;
            }
        }
        if (!keep) {
            vt_pass_step_drop(&plan->steps[i]);
        }
    }
    vt_pass_steps_compact(plan);
    vt_free(needed);
    return VT_OK;
}
