/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Constants and computed values that passes make.
 *
 * They live behind the graph's own values in plan->values, which is moved to make room: nobody may
 * hold a pointer into it across this call.
 */
#include "nn/plan.h"

static vt_status add(vt_plan *plan, const vt_plan_value *value, vt_value_id *out, vt_error *error)
{
    vt_plan_value *values = NULL;
    if (plan->value_count < VT_NO_VALUE - 1) {
        values = vt_realloc_array(plan->values, plan->value_count + 1, sizeof *values);
    }
    if (!values) {
        return vt_fail_memory(error, "a value of a plan");
    }
    plan->values = values;
    values[plan->value_count] = *value;
    *out = (vt_value_id)plan->value_count++;
    return VT_OK;
}

vt_status vt_plan_add_constant(vt_plan *plan, vt_tensor *tensor, vt_value_id *out, vt_error *error)
{
    const vt_plan_value value = {
        .tensor = *tensor, .constant = true, .folded = true, .first_step = -1, .last_step = -1};
    vt_status status = add(plan, &value, out, error);
    if (status != VT_OK) {
        vt_tensor_deinit(tensor);
    }
    *tensor = (vt_tensor){0};
    return status;
}

vt_status vt_plan_add_value(vt_plan *plan, vt_dtype dtype, const vt_shape *shape, vt_value_id *out,
                            vt_error *error)
{
    vt_plan_value value = {
        .tensor = {.dtype = dtype, .shape = *shape}, .first_step = -1, .last_step = -1};
    size_t count;
    if (!vt_shape_count(shape, &count) ||
        !vt_size_mul(count, vt_dtype_bytes(dtype), &value.tensor.bytes)) {
        return vt_fail(error, VT_ERR_LIMIT, "a value of a plan is too large");
    }
    return add(plan, &value, out, error);
}

const char *vt_plan_value_name(const vt_plan *plan, vt_value_id value)
{
    return value < plan->graph->value_count ? plan->graph->values[value].name : "made by a pass";
}
