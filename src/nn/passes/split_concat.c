/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A convolution over joined channels to a sum of convolutions over the parts.
 *
 *     Conv(Concat(a, b), [Wa Wb]) = Conv(a, Wa) + Conv(b, Wb)
 *
 * Copying the parts together costs as much memory traffic as the convolution itself where that has
 * few output channels (the squeezing layers of SqueezeNet, Iandola et al., 2016): there the second
 * convolution adds to what the first has written, and nothing is copied. Between the two may be a
 * MaxPool, which then runs on each part. Not done where the result is more than half as wide as
 * what is joined, since it is then written and read once more.
 */
#include "nn/passes/match.h"

#include <string.h>

enum { PARTS = 2 };

typedef struct joined {
    size_t conv, pool, concat; /* steps; pool SIZE_MAX: none between */
    vt_value_id parts[PARTS];
    int64_t channels[PARTS];
} joined;

/* Whether the step is a Conv that can be split: constant f32 weights in one group, no posts. */
static bool is_conv(const vt_plan *plan, const vt_step *step)
{
    const vt_tensor *weights = vt_pass_constant(plan, step, 1);
    return vt_pass_is(step, "Conv") && step->post_count == 0 && weights &&
           weights->dtype == VT_F32 && vt_node_int(&step->node, "group", 1) == 1;
}

static bool is_pool(const vt_step *step)
{
    return vt_pass_is(step, "MaxPool") && step->post_count == 0;
}

static bool is_concat(const vt_plan *plan, const vt_step *step)
{
    int rank = plan->values[step->node.outputs[0]].tensor.shape.rank;
    int64_t axis = vt_pass_is(step, "Concat") ? vt_node_int(&step->node, "axis", 1) : 0;
    return axis == 1 || axis == 1 - rank;
}

static bool find_joined(const vt_plan *plan, const vt_pass_uses *uses, size_t conv, joined *out)
{
    const vt_step *step = &plan->steps[conv];
    *out = (joined){.conv = conv, .pool = SIZE_MAX, .concat = SIZE_MAX};
    if (!step->node.op || !is_conv(plan, step)) {
        return false;
    }
    vt_value_id value = step->node.inputs[0];
    size_t maker = vt_pass_producer(uses, value);
    if (maker != SIZE_MAX && is_pool(&plan->steps[maker]) &&
        vt_pass_only_reader(uses, value) == conv) {
        out->pool = maker;
        value = plan->steps[maker].node.inputs[0];
        maker = vt_pass_producer(uses, value);
    }
    if (maker == SIZE_MAX || !is_concat(plan, &plan->steps[maker]) ||
        vt_pass_only_reader(uses, value) == SIZE_MAX ||
        plan->steps[maker].node.input_count != PARTS) {
        return false;
    }
    out->concat = maker;
    int64_t width = 0;
    for (int i = 0; i < PARTS; i++) {
        out->parts[i] = plan->steps[maker].node.inputs[i];
        out->channels[i] = plan->values[out->parts[i]].tensor.shape.dims[1];
        width += out->channels[i];
        if (plan->values[out->parts[i]].constant || out->channels[i] < 1) {
            return false;
        }
    }
    return plan->values[step->node.outputs[0]].tensor.shape.dims[1] <= width / 2;
}

/* The weights of `count` input channels from `first` on. */
static vt_status cut_weights(vt_plan *plan, vt_value_id from, int64_t first, int64_t count,
                             vt_value_id *out, vt_error *error)
{
    vt_tensor whole = plan->values[from].tensor, cut = {0}; /* the head: values will move */
    vt_shape shape = whole.shape;
    shape.dims[1] = count;
    vt_status status = vt_tensor_init(&cut, whole.dtype, &shape, 0, error);
    if (status != VT_OK) {
        return status;
    }
    size_t kernel = 1;
    for (int i = 2; i < shape.rank; i++) {
        kernel *= (size_t)shape.dims[i];
    }
    size_t row = (size_t)count * kernel, stride = (size_t)whole.shape.dims[1] * kernel;
    for (size_t o = 0; o < (size_t)shape.dims[0]; o++) {
        memcpy((float *)cut.data + o * row,
               (const float *)whole.data + o * stride + (size_t)first * kernel,
               row * sizeof(float));
    }
    return vt_plan_add_constant(plan, &cut, out, error);
}

/* A part behind the pool that stood behind the join. */
static vt_status pool_part(vt_plan *plan, vt_edit_inserts *inserts, const joined *j, int part,
                           vt_value_id *value, vt_error *error)
{
    if (j->pool == SIZE_MAX) {
        *value = j->parts[part];
        return VT_OK;
    }
    const vt_node *pool = &plan->steps[j->pool].node;
    vt_value_id inputs[1] = {j->parts[part]};
    vt_tensor result = plan->values[pool->outputs[0]].tensor;
    vt_node copy = *pool;
    copy.inputs = inputs;
    result.shape.dims[1] = j->channels[part];
    return vt_edit_insert(inserts, j->conv, &copy, &result, value, error);
}

static vt_status split(vt_plan *plan, vt_edit_inserts *inserts, const joined *j, vt_error *error)
{
    vt_node node = plan->steps[j->conv].node;
    vt_value_id sources[PARTS], weights[PARTS], sum = VT_NO_VALUE;
    int64_t first = 0;
    vt_status status = VT_OK;
    for (int i = 0; i < PARTS && status == VT_OK; i++) {
        status = pool_part(plan, inserts, j, i, &sources[i], error);
        if (status == VT_OK) {
            status = cut_weights(plan, node.inputs[1], first, j->channels[i], &weights[i], error);
        }
        first += j->channels[i];
    }
    if (status != VT_OK) {
        return status;
    }
    vt_node bare = node; /* the first part has no bias */
    bare.inputs = (vt_value_id[]){sources[0], weights[0]};
    bare.input_count = 2;
    vt_tensor result = plan->values[node.outputs[0]].tensor;
    status = vt_edit_insert(inserts, j->conv, &bare, &result, &sum, error);
    vt_step *step = &plan->steps[j->conv];
    if (status == VT_OK) {
        status = vt_edit_set_input(plan, step, 0, sources[1], error);
    }
    if (status == VT_OK) {
        status = vt_edit_set_input(plan, step, 1, weights[1], error);
    }
    if (status == VT_OK) {
        vt_step_post_add(step, &(vt_step_post){.kind = VT_POST_ADD, .operand = sum});
        vt_pass_step_drop(&plan->steps[j->concat]);
        if (j->pool != SIZE_MAX) {
            vt_pass_step_drop(&plan->steps[j->pool]);
        }
    }
    return status;
}

vt_status vt_pass_split_concat(vt_plan *plan, vt_error *error)
{
    vt_pass_uses uses;
    vt_edit_inserts inserts = {.plan = plan};
    vt_status status = vt_pass_uses_init(&uses, plan, error);
    if (status != VT_OK) {
        return status;
    }
    for (size_t i = 0; i < plan->step_count && status == VT_OK; i++) {
        joined found;
        if (find_joined(plan, &uses, i, &found)) {
            status = split(plan, &inserts, &found, error);
        }
    }
    vt_pass_uses_deinit(&uses);
    vt_status applied = vt_edit_apply(&inserts, status == VT_OK ? error : NULL);
    return status == VT_OK ? applied : status;
}
