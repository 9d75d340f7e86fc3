/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Constants that passes make.
 *
 * They live behind the graph's own values in plan->values, which is moved to make room: nobody may
 * hold a pointer into it across this call.
 */
#include "nn/plan.h"

vt_status vt_plan_add_constant(vt_plan *plan, vt_tensor *tensor, vt_value_id *out, vt_error *error)
{
    vt_plan_value *values = NULL;
    if (plan->value_count < VT_NO_VALUE - 1) {
        values = vt_realloc_array(plan->values, plan->value_count + 1, sizeof *values);
    }
    if (!values) {
        vt_tensor_deinit(tensor);
        return vt_fail_memory(error, "a constant of a plan");
    }
    plan->values = values;
    values[plan->value_count] = (vt_plan_value){
        .tensor = *tensor,
        .constant = true,
        .folded = true,
        .first_step = -1,
        .last_step = -1,
    };
    *tensor = (vt_tensor){0};
    *out = (vt_value_id)plan->value_count++;
    return VT_OK;
}
