/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Per-channel scales and shifts into the weights of what comes before them.
 *
 * Method: starting from a Conv (constant weights and bias) or a BatchNormalization (constant
 * statistics), follow the chain of BatchNormalization, Mul, Add and Sub steps with per-channel
 * constants as long as each intermediate has that one reader and is no output. The chain is one
 * affine map per channel, y = s x + t, gathered in f64; it becomes W' = s W, b' = s b + t in a
 * convolution, and scale' = s scale, B' = s B + t in a BatchNormalization. Source: the usual
 * inference-time folding, e.g. Jacob et al. (CVPR 2018), section 3.2. Departures: f32 and f64 only.
 * Rounding the product back to f16 would cost the weights a second rounding, and a network that
 * mixes f16 values with f32 weights is no valid ONNX graph.
 */
#include "nn/passes/uses.h"

#include <math.h>
#include <string.h>

typedef struct affine {
    double *scale, *shift; /* (channels) */
    size_t channels;
} affine;

static bool is_vector(const vt_tensor *tensor, vt_dtype dtype, size_t length)
{
    return tensor && tensor->dtype == dtype && tensor->shape.rank == 1 &&
           vt_tensor_count(tensor) == length;
}

/* One value for each channel (axis 1) of `shape`, or one for all; everything else broadcast. */
static bool is_per_channel(const vt_tensor *tensor, const vt_shape *shape)
{
    int lead = shape->rank - tensor->shape.rank;
    if (lead < 0 || vt_tensor_count(tensor) == 0) {
        return false;
    }
    for (int axis = 0; axis < tensor->shape.rank; axis++) {
        int64_t size = tensor->shape.dims[axis];
        if (size != 1 && (axis + lead != 1 || size != shape->dims[1])) {
            return false;
        }
    }
    return true;
}

static bool is_inference_batchnorm(const vt_plan *plan, const vt_step *step, size_t channels)
{
    if (!vt_pass_is(step, "BatchNormalization") || step->node.input_count != 5 ||
        step->node.opset < 7 || vt_node_int(&step->node, "training_mode", 0) != 0 ||
        vt_node_int(&step->node, "spatial", 1) != 1) {
        return false;
    }
    vt_dtype dtype = plan->values[step->node.inputs[0]].tensor.dtype;
    for (size_t i = 1; i < 5; i++) {
        if (!is_vector(vt_pass_constant(plan, step, i), dtype, channels)) {
            return false;
        }
    }
    return true;
}

static void absorb_batchnorm(const vt_plan *plan, const vt_step *step, affine *map)
{
    const vt_tensor *scale = vt_pass_constant(plan, step, 1);
    const vt_tensor *shift = vt_pass_constant(plan, step, 2);
    const vt_tensor *mean = vt_pass_constant(plan, step, 3);
    const vt_tensor *variance = vt_pass_constant(plan, step, 4);
    double epsilon = (double)vt_node_float(&step->node, "epsilon", 1e-5F);
    for (size_t c = 0; c < map->channels; c++) {
        double factor = vt_tensor_get(scale, c) / sqrt(vt_tensor_get(variance, c) + epsilon);
        map->scale[c] *= factor;
        map->shift[c] = (map->shift[c] - vt_tensor_get(mean, c)) * factor + vt_tensor_get(shift, c);
    }
}

/* Takes a step into the map if it is affine per channel in `value`. */
static bool absorb_step(const vt_plan *plan, const vt_step *step, vt_value_id value, affine *map)
{
    const vt_tensor *result = &plan->values[step->node.outputs[0]].tensor;
    const vt_tensor *input = &plan->values[value].tensor;
    if (step->node.inputs[0] == value && is_inference_batchnorm(plan, step, map->channels)) {
        absorb_batchnorm(plan, step, map);
        return true;
    }
    bool mul = vt_pass_is(step, "Mul"), add = vt_pass_is(step, "Add"),
         sub = vt_pass_is(step, "Sub");
    if (!(mul || add || sub) || step->node.input_count != 2 || step->node.opset < 7) {
        return false;
    }
    size_t other = step->node.inputs[0] == value ? 1 : 0;
    const vt_tensor *constant = vt_pass_constant(plan, step, other);
    if (!constant || (sub && other == 0) || constant->dtype != input->dtype ||
        !vt_shape_equal(&result->shape, &input->shape) ||
        !is_per_channel(constant, &input->shape)) {
        return false;
    }
    bool one = vt_tensor_count(constant) == 1;
    for (size_t c = 0; c < map->channels; c++) {
        double operand = vt_tensor_get(constant, one ? 0 : c);
        if (mul) {
            map->scale[c] *= operand;
            map->shift[c] *= operand;
        } else {
            map->shift[c] += sub ? -operand : operand;
        }
    }
    return true;
}

static void tensor_put(vt_tensor *tensor, size_t index, double value)
{
    if (tensor->dtype == VT_F32) {
        ((float *)tensor->data)[index] = (float)value;
    } else {
        ((double *)tensor->data)[index] = value;
    }
}

/* out[c] = scale[c] * vector[c] + (with_shift ? shift[c] : 0); vector NULL counts as zeros. */
static vt_status map_vector(vt_plan *plan, const affine *map, const vt_tensor *vector,
                            vt_dtype dtype, bool with_shift, vt_value_id *out, vt_error *error)
{
    vt_tensor mapped = {0};
    vt_shape shape = vt_shape_of(1, (int64_t[]){(int64_t)map->channels});
    vt_status status = vt_tensor_init(&mapped, dtype, &shape, 0, error);
    if (status != VT_OK) {
        return status;
    }
    for (size_t c = 0; c < map->channels; c++) {
        double value = vector ? vt_tensor_get(vector, c) * map->scale[c] : 0;
        tensor_put(&mapped, c, value + (with_shift ? map->shift[c] : 0));
    }
    return vt_plan_add_constant(plan, &mapped, out, error);
}

static vt_status map_weights(vt_plan *plan, const affine *map, const vt_tensor *weights,
                             vt_value_id *out, vt_error *error)
{
    vt_tensor mapped = {0};
    vt_status status = vt_tensor_init(&mapped, weights->dtype, &weights->shape, 0, error);
    if (status != VT_OK) {
        return status;
    }
    size_t each = vt_tensor_count(&mapped) / map->channels; /* (out, in, kernel...) */
    for (size_t c = 0; c < map->channels; c++) {
        double scale = map->scale[c];
        if (mapped.dtype == VT_F32) { /* in line: weights are most of a cold start's bytes */
            const float *from = (const float *)weights->data + c * each;
            float *to = (float *)mapped.data + c * each;
            for (size_t i = 0; i < each; i++) {
                to[i] = (float)((double)from[i] * scale);
            }
        } else {
            for (size_t i = c * each; i < (c + 1) * each; i++) {
                ((double *)mapped.data)[i] = ((const double *)weights->data)[i] * scale;
            }
        }
    }
    return vt_plan_add_constant(plan, &mapped, out, error);
}

/* Gives the step a new input list; what it had may belong to the graph. */
static vt_status set_inputs(vt_plan *plan, vt_step *step, const vt_value_id *inputs, size_t count,
                            vt_error *error)
{
    vt_value_id *copy = vt_arena_array(&plan->arena, count, sizeof *copy);
    if (!copy) {
        return vt_fail_memory(error, "a folded step");
    }
    for (size_t i = 0; i < count; i++) {
        copy[i] = inputs[i];
    }
    step->node.inputs = copy;
    step->node.input_count = count;
    return VT_OK;
}

static vt_status apply_to_conv(vt_plan *plan, vt_step *step, const affine *map, vt_error *error)
{
    vt_value_id inputs[3] = {step->node.inputs[0], 0, 0};
    vt_tensor weights = *vt_pass_constant(plan, step, 1); /* the head: plan->values will move */
    const vt_tensor *bias = vt_pass_constant(plan, step, 2);
    vt_status status = map_vector(plan, map, bias, weights.dtype, true, &inputs[2], error);
    if (status == VT_OK) {
        status = map_weights(plan, map, &weights, &inputs[1], error);
    }
    return status == VT_OK ? set_inputs(plan, step, inputs, 3, error) : status;
}

static vt_status apply_to_batchnorm(vt_plan *plan, vt_step *step, const affine *map,
                                    vt_error *error)
{
    vt_value_id inputs[5];
    for (size_t i = 0; i < 5; i++) {
        inputs[i] = step->node.inputs[i];
    }
    vt_tensor scale = *vt_pass_constant(plan, step, 1), shift = *vt_pass_constant(plan, step, 2);
    vt_status status = map_vector(plan, map, &scale, scale.dtype, false, &inputs[1], error);
    if (status == VT_OK) {
        status = map_vector(plan, map, &shift, scale.dtype, true, &inputs[2], error);
    }
    return status == VT_OK ? set_inputs(plan, step, inputs, 5, error) : status;
}

static bool conv_can_absorb(const vt_plan *plan, const vt_step *step, size_t channels)
{
    const vt_tensor *weights = vt_pass_constant(plan, step, 1);
    if (!vt_pass_is(step, "Conv") || !weights || weights->shape.rank < 2 ||
        weights->shape.dims[0] != (int64_t)channels) {
        return false;
    }
    bool has_bias = step->node.input_count > 2 && step->node.inputs[2] != VT_NO_VALUE;
    return !has_bias || is_vector(vt_pass_constant(plan, step, 2), weights->dtype, channels);
}

/* Merges the chain behind step `index` into it. */
static vt_status fold_chain(vt_plan *plan, const vt_pass_uses *uses, size_t index, affine *map,
                            vt_error *error)
{
    vt_step *step = &plan->steps[index];
    bool conv = vt_pass_is(step, "Conv");
    size_t folded = 0, last = index;

    for (size_t c = 0; c < map->channels; c++) {
        map->scale[c] = 1;
        map->shift[c] = 0;
    }
    for (;;) {
        vt_value_id value = plan->steps[last].node.outputs[0];
        size_t reader = vt_pass_only_reader(uses, value);
        if (reader == SIZE_MAX || plan->steps[last].post_count > 0 ||
            !absorb_step(plan, &plan->steps[reader], value, map)) {
            break;
        }
        last = reader;
        folded++;
    }
    if (folded == 0) {
        return VT_OK;
    }
    vt_status status =
        conv ? apply_to_conv(plan, step, map, error) : apply_to_batchnorm(plan, step, map, error);
    if (status != VT_OK) {
        return status;
    }
    vt_step *end = &plan->steps[last];
    vt_value_id *outputs = end->node.outputs;
    memcpy(step->posts, end->posts, sizeof step->posts);
    step->post_count = end->post_count;
    for (size_t at = index; folded > 0; folded--) {
        at = vt_pass_only_reader(uses, plan->steps[at].node.outputs[0]);
        vt_pass_step_drop(&plan->steps[at]);
    }
    step->node.outputs = outputs;
    return VT_OK;
}

static vt_status try_fold(vt_plan *plan, const vt_pass_uses *uses, size_t index, vt_error *error)
{
    const vt_step *step = &plan->steps[index];
    if (!step->node.op || step->node.output_count != 1 || step->post_count > 0) {
        return VT_OK;
    }
    const vt_tensor *result = &plan->values[step->node.outputs[0]].tensor;
    if ((result->dtype != VT_F32 && result->dtype != VT_F64) || result->shape.rank < 2 ||
        result->shape.dims[1] < 1) {
        return VT_OK;
    }
    affine map = {.channels = (size_t)result->shape.dims[1]};
    if (!conv_can_absorb(plan, step, map.channels) &&
        !is_inference_batchnorm(plan, step, map.channels)) {
        return VT_OK;
    }
    map.scale = vt_alloc_array(map.channels, sizeof *map.scale);
    map.shift = vt_alloc_array(map.channels, sizeof *map.shift);
    vt_status status = map.scale && map.shift
                           ? fold_chain(plan, uses, index, &map, error)
                           : vt_fail_memory(error, "the folding of a normalisation");
    vt_free(map.scale);
    vt_free(map.shift);
    return status;
}

vt_status vt_pass_fold_batchnorm(vt_plan *plan, vt_error *error)
{
    vt_pass_uses uses;
    vt_status status = vt_pass_uses_init(&uses, plan, error);
    for (size_t i = 0; status == VT_OK && i < plan->step_count; i++) {
        status = try_fold(plan, &uses, i, error);
    }
    vt_pass_steps_compact(plan);
    vt_pass_uses_deinit(&uses);
    return status;
}
