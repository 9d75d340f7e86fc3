/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Per-channel scales and shifts into the weights of what comes before them.
 *
 * Method: starting from a Conv, ConvTranspose or Gemm (constant weights and bias) or a
 * BatchNormalization (constant statistics), follow the chain of BatchNormalization, Mul, Add and
 * Sub steps with per-channel constants as long as each intermediate has that one reader and is no
 * output. The chain is one affine map per channel, y = s x + t, gathered in f64; it becomes W' = s
 * W, b' = s b + t in a product, and scale' = s scale, B' = s B + t in a BatchNormalization. Source:
 * the usual inference-time folding, e.g. Jacob et al. (CVPR 2018), section 3.2. Weights of f16 and
 * bf16 come out as f32, so that they are not rounded a second time: such a step mixes types, which
 * is no valid ONNX node but what both executors compute.
 */
#include "nn/passes/uses.h"

#include <math.h>
#include <string.h>

typedef struct affine {
    double *scale, *shift; /* (channels) */
    size_t channels;
    vt_dtype dtype; /* of weights that are made with it */
} affine;

static bool is_vector(const vt_tensor *tensor, size_t length)
{
    return tensor && tensor->data && vt_dtype_is_float(tensor->dtype) && tensor->shape.rank == 1 &&
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
    for (size_t i = 1; i < 5; i++) {
        if (!is_vector(vt_pass_constant(plan, step, i), channels)) {
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

/* out[c] = scale[c] * vector[c] + (with_shift ? shift[c] : 0); vector NULL counts as zeros, one
 * element as that many. */
static vt_status map_vector(vt_plan *plan, const affine *map, const vt_tensor *vector,
                            bool with_shift, vt_value_id *out, vt_error *error)
{
    vt_tensor mapped = {0};
    vt_shape shape = vt_shape_of(1, (int64_t[]){(int64_t)map->channels});
    vt_status status = vt_tensor_init(&mapped, map->dtype, &shape, 0, error);
    if (status != VT_OK) {
        return status;
    }
    bool one = vector && vt_tensor_count(vector) == 1;
    for (size_t c = 0; c < map->channels; c++) {
        double value = vector ? vt_tensor_get(vector, one ? 0 : c) * map->scale[c] : 0;
        value += with_shift ? map->shift[c] : 0;
        vt_store_f64(map->dtype, mapped.data, c, 1, &value);
    }
    return vt_plan_add_constant(plan, &mapped, out, error);
}

/* Runs of `run` weights belong to one channel; `width` runs to each of `rows` rows of a group. */
typedef struct weight_layout {
    size_t run, width, rows;
} weight_layout;

static weight_layout layout_of(const vt_step *step, const vt_shape *weights)
{
    const int64_t *dims = weights->dims;
    size_t run = 1;
    if (vt_pass_is(step, "Gemm")) {
        bool turned = vt_node_int(&step->node, "transB", 0) != 0;
        return turned ? (weight_layout){(size_t)dims[1], (size_t)dims[0], 1}
                      : (weight_layout){1, (size_t)dims[1], (size_t)dims[0]};
    }
    bool transposed = vt_pass_is(step, "ConvTranspose"); /* (in, out, kernel...) */
    for (int i = transposed ? 2 : 1; i < weights->rank; i++) {
        run *= (size_t)dims[i];
    }
    return transposed ? (weight_layout){run, (size_t)dims[1],
                                        (size_t)(dims[0] / vt_node_int(&step->node, "group", 1))}
                      : (weight_layout){run, (size_t)dims[0], 1};
}

static void scale_run(const vt_tensor *from, vt_tensor *to, const size_t range[2], double scale)
{
    if (from->dtype == VT_F32 && to->dtype == VT_F32) { /* in line: most of a cold start's bytes */
        for (size_t i = range[0]; i < range[1]; i++) {
            ((float *)to->data)[i] = (float)((double)((const float *)from->data)[i] * scale);
        }
        return;
    }
    double values[256];
    for (size_t start = range[0]; start < range[1]; start += 256) {
        size_t part = range[1] - start < 256 ? range[1] - start : 256;
        vt_load_f64(from->dtype, from->data, start, part, values);
        for (size_t i = 0; i < part; i++) {
            values[i] *= scale;
        }
        vt_store_f64(to->dtype, to->data, start, part, values);
    }
}

static vt_status map_weights(vt_plan *plan, const affine *map, const vt_tensor *weights,
                             const weight_layout *layout, vt_value_id *out, vt_error *error)
{
    vt_tensor mapped = {0};
    vt_status status = vt_tensor_init(&mapped, map->dtype, &weights->shape, 0, error);
    if (status != VT_OK) {
        return status;
    }
    size_t runs = layout->run == 0 ? 0 : vt_tensor_count(&mapped) / layout->run;
    for (size_t r = 0; r < runs; r++) {
        size_t channel = r / layout->width / layout->rows * layout->width + r % layout->width;
        const size_t range[2] = {r * layout->run, (r + 1) * layout->run};
        scale_run(weights, &mapped, range, map->scale[channel]);
    }
    return vt_plan_add_constant(plan, &mapped, out, error);
}

/* What a step multiplies its bias with. */
static double bias_factor(const vt_step *step)
{
    return vt_pass_is(step, "Gemm") ? (double)vt_node_float(&step->node, "beta", 1) : 1;
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

static vt_status apply_to_product(vt_plan *plan, vt_step *step, affine *map, vt_error *error)
{
    vt_value_id inputs[3] = {step->node.inputs[0], 0, 0};
    vt_tensor weights = *vt_pass_constant(plan, step, 1); /* the head: plan->values will move */
    const vt_tensor *bias = vt_pass_constant(plan, step, 2);
    weight_layout layout = layout_of(step, &weights.shape);
    double beta = bias_factor(step);
    for (size_t c = 0; c < map->channels; c++) {
        map->shift[c] /= beta;
    }
    vt_status status = map_vector(plan, map, bias, true, &inputs[2], error);
    if (status == VT_OK) {
        status = map_weights(plan, map, &weights, &layout, &inputs[1], error);
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
    vt_status status = map_vector(plan, map, &scale, false, &inputs[1], error);
    if (status == VT_OK) {
        status = map_vector(plan, map, &shift, true, &inputs[2], error);
    }
    return status == VT_OK ? set_inputs(plan, step, inputs, 5, error) : status;
}

static bool conv_can_absorb(const vt_step *step, const vt_shape *weights, size_t channels)
{
    int64_t group = vt_node_int(&step->node, "group", 1);
    if (weights->rank < 2 || group < 1) {
        return false;
    }
    if (vt_pass_is(step, "Conv")) {
        return weights->dims[0] == (int64_t)channels;
    }
    return vt_pass_is(step, "ConvTranspose") && group <= weights->dims[0] &&
           weights->dims[0] % group == 0 && weights->dims[1] == (int64_t)channels / group &&
           (int64_t)channels % group == 0;
}

static bool gemm_can_absorb(const vt_step *step, const vt_shape *weights, size_t channels)
{
    bool turned = vt_node_int(&step->node, "transB", 0) != 0;
    return vt_pass_is(step, "Gemm") && step->node.opset >= 7 && weights->rank == 2 &&
           weights->dims[!turned] == (int64_t)channels && bias_factor(step) != 0;
}

/* A product whose weights and bias take a scale and a shift per channel of `result`. */
static bool product_can_absorb(const vt_plan *plan, const vt_step *step, const vt_shape *result)
{
    size_t channels = (size_t)result->dims[1];
    const vt_tensor *weights = vt_pass_constant(plan, step, 1);
    if (!weights || !weights->data || !vt_dtype_is_float(weights->dtype)) {
        return false;
    }
    bool conv = conv_can_absorb(step, &weights->shape, channels);
    bool has_bias = step->node.input_count > 2 && step->node.inputs[2] != VT_NO_VALUE;
    if (!conv && !gemm_can_absorb(step, &weights->shape, channels)) {
        return false;
    }
    const vt_tensor *bias = vt_pass_constant(plan, step, 2);
    if (!has_bias || conv) {
        return !has_bias || is_vector(bias, channels);
    }
    return bias && bias->data && is_per_channel(bias, result);
}

/* Merges the chain behind step `index` into it. */
static vt_status fold_chain(vt_plan *plan, const vt_pass_uses *uses, size_t index, affine *map,
                            vt_error *error)
{
    vt_step *step = &plan->steps[index];
    bool normalisation = vt_pass_is(step, "BatchNormalization");
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
    vt_status status = normalisation ? apply_to_batchnorm(plan, step, map, error)
                                     : apply_to_product(plan, step, map, error);
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
    if (!vt_dtype_is_float(result->dtype) || result->shape.rank < 2 || result->shape.dims[1] < 1) {
        return VT_OK;
    }
    vt_shape shape = result->shape;
    affine map = {.channels = (size_t)shape.dims[1],
                  .dtype = result->dtype == VT_F64 ? VT_F64 : VT_F32};
    if (!product_can_absorb(plan, step, &shape) &&
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
    vt_status status = vt_pass_each_step(plan, try_fold, error);
    vt_pass_steps_compact(plan);
    return status;
}
