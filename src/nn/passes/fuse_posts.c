/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Relu and Clip into the step that makes their input.
 *
 * Method: a step of a kind whose executor can finish with a clamp, whose one output is read only by
 * a Relu or a Clip with constant bounds, takes over that output and remembers the clamp among its
 * posts. Departures: a Clip whose lower bound is above its upper one, or whose bounds are not exact
 * as f32 (possible for f64 tensors), stays a step of its own, as does one on integers.
 */
#include "nn/passes/uses.h"

#include <float.h>
#include <math.h>

static bool step_can_post(const vt_step *step)
{
    static const char *const ops[] = {"Conv", "Gemm", "MatMul", "Add", "Sum", "BatchNormalization"};
    for (size_t i = 0; i < sizeof ops / sizeof ops[0]; i++) {
        if (vt_pass_is(step, ops[i])) {
            return true;
        }
    }
    return false;
}

/* One bound of a Clip of opset 11 and later: an input that may be left out. */
static bool read_bound_input(const vt_plan *plan, const vt_step *step, size_t input, float *bound)
{
    if (input >= step->node.input_count || step->node.inputs[input] == VT_NO_VALUE) {
        return true;
    }
    const vt_tensor *tensor = vt_pass_constant(plan, step, input);
    if (!tensor || vt_tensor_count(tensor) != 1) {
        return false;
    }
    double value = vt_tensor_get(tensor, 0);
    *bound = (float)value;
    return (double)*bound == value;
}

static bool read_bounds(const vt_plan *plan, const vt_step *step, float *low, float *high)
{
    *low = -INFINITY;
    *high = INFINITY;
    if (step->node.opset < 11) {
        *low = vt_node_float(&step->node, "min", -FLT_MAX);
        *high = vt_node_float(&step->node, "max", FLT_MAX);
    } else if (!read_bound_input(plan, step, 1, low) || !read_bound_input(plan, step, 2, high)) {
        return false;
    }
    return *low <= *high; /* false for NaN too */
}

static void try_fuse(vt_plan *plan, const vt_pass_uses *uses, size_t index)
{
    vt_step *step = &plan->steps[index];
    if (!step->node.op || !step_can_post(step)) {
        return;
    }
    vt_value_id value = step->node.outputs[0];
    size_t reader = vt_pass_only_reader(uses, value);
    if (reader == SIZE_MAX || !vt_dtype_is_float(plan->values[value].tensor.dtype)) {
        return;
    }
    vt_step *activation = &plan->steps[reader];
    vt_step_post post = {0};
    if (activation->post_count > 0 || activation->node.inputs[0] != value) {
        return;
    }
    if (vt_pass_is(activation, "Relu")) {
        post.kind = VT_POST_RELU;
    } else if (vt_pass_is(activation, "Clip") &&
               read_bounds(plan, activation, &post.alpha, &post.beta)) {
        post.kind = VT_POST_CLIP;
    } else {
        return;
    }
    if (!vt_step_post_add(step, &post)) {
        return;
    }
    step->node.outputs = activation->node.outputs;
    vt_pass_step_drop(activation);
}

vt_status vt_pass_fuse_posts(vt_plan *plan, vt_error *error)
{
    vt_pass_uses uses;
    vt_status status = vt_pass_uses_init(&uses, plan, error);
    if (status != VT_OK) {
        return status;
    }
    for (size_t i = 0; i < plan->step_count; i++) {
        try_fuse(plan, &uses, i);
    }
    vt_pass_steps_compact(plan);
    vt_pass_uses_deinit(&uses);
    return VT_OK;
}
