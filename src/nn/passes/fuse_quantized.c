/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Quantised networks (QuantizeLinear and DequantizeLinear pairs around float operators) to steps
 * that multiply whole numbers.
 *
 * Method: a Conv, MatMul or Gemm whose data comes from DequantizeLinear of u8 or i8 (one scale) and
 * whose weights come from DequantizeLinear of constant i8 (one scale, or one per output channel, no
 * zero point) reads the integers themselves; so does a residual operand that was folded into it. If
 * a QuantizeLinear is the only reader of its result, the step takes that over too. A MaxPool
 * between a pair with equal scales compares integers. What does not fit stays as it is and computes
 * on floats. Source: Jacob et al., "Quantization and Training of Neural Networks for Efficient
 * Integer-Arithmetic-Only Inference" (CVPR 2018); departure: sums are scaled in f32.
 *
 * Between a convolution and a sum the pair is dropped first (drop_requantization) but for its
 * range: the sum then folds into the convolution, with one rounding less.
 */
#include "nn/passes/uses.h"

#include <math.h>
#include <string.h>

typedef struct fuse_work {
    vt_plan *plan;
    vt_pass_uses uses;
    size_t *makers; /* by value: the step that makes it, SIZE_MAX: none */
} fuse_work;

static void work_deinit(fuse_work *work)
{
    vt_pass_uses_deinit(&work->uses);
    vt_free(work->makers);
}

static vt_status work_init(fuse_work *work, vt_plan *plan, vt_error *error)
{
    *work = (fuse_work){.plan = plan};
    vt_status status = vt_pass_uses_init(&work->uses, plan, error);
    if (status != VT_OK) {
        return status;
    }
    work->makers = vt_alloc_array(plan->value_count, sizeof *work->makers);
    if (!work->makers) {
        vt_pass_uses_deinit(&work->uses);
        return vt_fail_memory(error, "the fusion of quantised steps");
    }
    for (size_t i = 0; i < plan->value_count; i++) {
        work->makers[i] = SIZE_MAX;
    }
    for (size_t s = 0; s < plan->step_count; s++) {
        const vt_node *node = &plan->steps[s].node;
        for (size_t i = 0; i < node->output_count; i++) {
            if (node->outputs[i] != VT_NO_VALUE) {
                work->makers[node->outputs[i]] = s;
            }
        }
    }
    return VT_OK;
}

/* ---- reading pairs ---- */

static bool is_byte(vt_dtype dtype)
{
    return dtype == VT_U8 || dtype == VT_I8;
}

/* One constant scale and zero point of a QuantizeLinear or DequantizeLinear. */
static bool read_scale(const vt_plan *plan, const vt_step *step, vt_scale *out)
{
    const vt_tensor *scale = vt_pass_constant(plan, step, 1);
    const vt_tensor *zero = vt_pass_constant(plan, step, 2);
    bool has_zero = step->node.input_count > 2 && step->node.inputs[2] != VT_NO_VALUE;
    if (!scale || vt_tensor_count(scale) != 1 ||
        (has_zero && (!zero || vt_tensor_count(zero) != 1)) || step->post_count > 0) {
        return false;
    }
    out->scale = (float)vt_tensor_get(scale, 0);
    out->zero = zero ? (int32_t)vt_tensor_get(zero, 0) : 0;
    return isfinite(out->scale) && out->scale > 0;
}

/* The DequantizeLinear of bytes that makes the value; NULL: something else. */
static const vt_step *dequantizer(const fuse_work *work, vt_value_id value, vt_scale *out)
{
    if (value == VT_NO_VALUE || work->makers[value] == SIZE_MAX) {
        return NULL;
    }
    const vt_step *step = &work->plan->steps[work->makers[value]];
    if (!vt_pass_is(step, "DequantizeLinear") ||
        !is_byte(work->plan->values[step->node.inputs[0]].tensor.dtype) ||
        work->plan->values[step->node.inputs[0]].constant || !read_scale(work->plan, step, out)) {
        return NULL;
    }
    return step;
}

/* The QuantizeLinear to bytes that alone reads the value; SIZE_MAX: none. */
static size_t quantizer(const fuse_work *work, vt_value_id value, vt_scale *out)
{
    size_t reader = vt_pass_only_reader(&work->uses, value);
    if (reader == SIZE_MAX) {
        return SIZE_MAX;
    }
    const vt_step *step = &work->plan->steps[reader];
    if (!vt_pass_is(step, "QuantizeLinear") || step->node.inputs[0] != value ||
        !is_byte(work->plan->values[step->node.outputs[0]].tensor.dtype) ||
        !read_scale(work->plan, step, out)) {
        return SIZE_MAX;
    }
    return reader;
}

static bool all_zero(const vt_tensor *tensor)
{
    for (size_t i = 0; tensor && i < vt_tensor_count(tensor); i++) {
        if (vt_tensor_get(tensor, i) != 0) {
            return false;
        }
    }
    return true;
}

/* Which axis of the weights is the output's channels. */
static int channel_axis(const vt_step *step)
{
    if (vt_pass_is(step, "Conv")) {
        return 0;
    }
    return vt_pass_is(step, "Gemm") && vt_node_int(&step->node, "transB", 0) != 0 ? 0 : 1;
}

/* The i8 weights behind input 1, with scales by output channel; VT_NO_VALUE: not such weights. */
static vt_status read_weights(const fuse_work *work, const vt_step *step, vt_step_quant *quant,
                              vt_value_id *weights, vt_error *error)
{
    vt_plan *plan = work->plan;
    vt_value_id value = step->node.inputs[1];
    *weights = VT_NO_VALUE;
    if (work->makers[value] == SIZE_MAX) {
        return VT_OK;
    }
    const vt_step *maker = &plan->steps[work->makers[value]];
    if (!vt_pass_is(maker, "DequantizeLinear")) {
        return VT_OK;
    }
    const vt_tensor *stored = vt_pass_constant(plan, maker, 0);
    const vt_tensor *scales = vt_pass_constant(plan, maker, 1);
    int axis = channel_axis(step);
    if (!stored || !scales || stored->dtype != VT_I8 ||
        !all_zero(vt_pass_constant(plan, maker, 2)) || stored->shape.rank < 2 ||
        (!vt_pass_is(step, "Conv") && stored->shape.rank != 2) ||
        vt_node_int(&maker->node, "block_size", 0) != 0) {
        return VT_OK;
    }
    size_t count = vt_tensor_count(scales);
    int64_t given = vt_node_int(&maker->node, "axis", 1);
    given += given < 0 ? stored->shape.rank : 0;
    if (count != 1 && (count != (size_t)stored->shape.dims[axis] || given != axis)) {
        return VT_OK;
    }
    float *copy = vt_arena_array(&plan->arena, count, sizeof *copy);
    if (!copy) {
        return vt_fail_memory(error, "the scales of a step");
    }
    for (size_t i = 0; i < count; i++) {
        copy[i] = (float)vt_tensor_get(scales, i);
    }
    quant->weight_scales = copy;
    quant->weight_scale_count = count;
    *weights = maker->node.inputs[0];
    return VT_OK;
}

/* ---- products ---- */

/* Whether the executor has an integer form of the step, and its posts. */
static bool can_quantize(const vt_plan *plan, const vt_step *step)
{
    const vt_shape *shape = &plan->values[step->node.inputs[0]].tensor.shape;
    const vt_node *node = &step->node;
    if (vt_pass_is(step, "Conv")) {
        return shape->rank >= 3 && shape->rank <= 5;
    }
    if (vt_pass_is(step, "Gemm")) {
        return vt_node_float(node, "alpha", 1) == 1.0F && vt_node_float(node, "beta", 1) == 1.0F &&
               vt_node_int(node, "transA", 0) == 0;
    }
    return vt_pass_is(step, "MatMul") && shape->rank >= 2;
}

/* How many output channels the step has, and which axis of its result they are. */
static int64_t channels_of(const vt_plan *plan, const vt_step *step, int *axis)
{
    const vt_shape *result = &plan->values[step->node.outputs[0]].tensor.shape;
    *axis = vt_pass_is(step, "Conv") ? 1 : result->rank - 1;
    return result->dims[*axis];
}

/* A bias must be a constant row of the output's channels. */
static bool bias_fits(const fuse_work *work, const vt_step *step)
{
    int axis;
    if (step->node.input_count < 3 || step->node.inputs[2] == VT_NO_VALUE) {
        return true;
    }
    const vt_plan_value *bias = &work->plan->values[step->node.inputs[2]];
    return bias->constant && bias->tensor.shape.rank == 1 &&
           bias->tensor.shape.dims[0] == channels_of(work->plan, step, &axis);
}

/* Functions of one kind with different parameters have no common code on integers unless they are
 * clips or linear (dnnl/lower_posts.c). */
static bool functions_fit(const vt_step *step)
{
    for (int i = 0; i < step->post_count; i++) {
        const vt_step_post *post = &step->posts[i];
        bool sloped = post->kind == VT_POST_LEAKY_RELU || post->kind == VT_POST_ELU ||
                      post->kind == VT_POST_SWISH;
        for (int k = 0; sloped && k < i; k++) {
            const vt_step_post *before = &step->posts[k];
            bool ramp = post->kind == VT_POST_LEAKY_RELU && before->kind == VT_POST_RELU;
            if (ramp || (before->kind == post->kind && before->alpha != post->alpha)) {
                return false;
            }
        }
    }
    return true;
}

/* An operand of a post can follow integers if it is one number, one by channel, or has the result's
 * shape: a step that is on integers has no other code to fall back on. */
static bool posts_fit(const vt_plan *plan, const vt_step *step)
{
    int channel_axis;
    int64_t channels = channels_of(plan, step, &channel_axis);
    const vt_shape *result = &plan->values[step->node.outputs[0]].tensor.shape;
    for (int i = 0; i < step->post_count; i++) {
        if (!vt_post_has_operand(&step->posts[i])) {
            continue;
        }
        const vt_tensor *operand = &plan->values[step->posts[i].operand].tensor;
        const vt_shape *shape = &operand->shape;
        size_t count = vt_tensor_count(operand);
        int at = channel_axis - (result->rank - shape->rank);
        bool row = at >= 0 && shape->dims[at] == channels && count == (size_t)channels;
        if (count != 1 && !row && !vt_shape_equal(shape, result)) {
            return false;
        }
    }
    return true;
}

/* The sum among posts that otherwise commute with a positive factor: it may then be made in the
 * units of its operand. -1: none. */
static int only_sum(const vt_step *step)
{
    int found = -1;
    for (int i = 0; i < step->post_count; i++) {
        vt_post_kind kind = step->posts[i].kind;
        if (kind == VT_POST_ADD && found < 0) {
            found = i;
        } else if (kind != VT_POST_RELU && kind != VT_POST_CLIP && kind != VT_POST_LEAKY_RELU) {
            return -1;
        }
    }
    return found;
}

/* Lets the residual be integers. A zero point goes into the bias, so nothing may come before. */
static void take_residual(const fuse_work *work, vt_step *step, vt_step_quant *quant)
{
    int sum = only_sum(step);
    quant->residual_post = -1;
    if (sum < 0) {
        return;
    }
    const vt_step *maker = dequantizer(work, step->posts[sum].operand, &quant->residual);
    if (maker && (sum == 0 || quant->residual.zero == 0)) {
        step->posts[sum].operand = maker->node.inputs[0];
        quant->residual_post = sum;
    }
}

static vt_status take_inputs(vt_plan *plan, vt_step *step, vt_value_id source, vt_value_id weights,
                             vt_error *error)
{
    size_t count = step->node.input_count;
    vt_value_id *inputs = vt_arena_array(&plan->arena, count, sizeof *inputs);
    if (!inputs) {
        return vt_fail_memory(error, "a quantised step");
    }
    for (size_t i = 0; i < count; i++) {
        inputs[i] = step->node.inputs[i];
    }
    inputs[0] = source;
    inputs[1] = weights;
    step->node.inputs = inputs;
    return VT_OK;
}

static vt_status try_product(fuse_work *work, size_t index, vt_error *error)
{
    vt_plan *plan = work->plan;
    vt_step *step = &plan->steps[index];
    vt_step_quant found = {0};
    vt_value_id weights = VT_NO_VALUE;
    if (!can_quantize(plan, step) || !bias_fits(work, step) || !posts_fit(plan, step) ||
        !functions_fit(step)) {
        return VT_OK;
    }
    const vt_step *source = dequantizer(work, step->node.inputs[0], &found.source);
    if (!source) {
        return VT_OK;
    }
    vt_status status = read_weights(work, step, &found, &weights, error);
    if (status != VT_OK || weights == VT_NO_VALUE) {
        return status;
    }
    vt_step_quant *quant = vt_arena_array(&plan->arena, 1, sizeof *quant);
    if (!quant) {
        return vt_fail_memory(error, "a quantised step");
    }
    take_residual(work, step, &found);
    status = take_inputs(plan, step, source->node.inputs[0], weights, error);
    if (status != VT_OK) {
        return status;
    }
    step->compute = plan->values[step->node.inputs[0]].tensor.dtype;
    size_t reader = quantizer(work, step->node.outputs[0], &found.result);
    if (reader != SIZE_MAX) {
        step->node.outputs = plan->steps[reader].node.outputs;
        step->result = plan->values[step->node.outputs[0]].tensor.dtype;
        vt_pass_step_drop(&plan->steps[reader]);
    }
    *quant = found;
    step->quant = quant;
    return VT_OK;
}

/* ---- MaxPool, which keeps order and therefore scales ---- */

static vt_status try_pool(fuse_work *work, size_t index, vt_error *error)
{
    vt_plan *plan = work->plan;
    vt_step *step = &plan->steps[index];
    vt_scale in, out;
    if (!vt_pass_is(step, "MaxPool") || step->post_count > 0) {
        return VT_OK;
    }
    const vt_step *source = dequantizer(work, step->node.inputs[0], &in);
    size_t reader = quantizer(work, step->node.outputs[0], &out);
    if (!source || reader == SIZE_MAX || in.scale != out.scale || in.zero != out.zero) {
        return VT_OK;
    }
    const vt_step *target = &plan->steps[reader];
    vt_dtype dtype = plan->values[source->node.inputs[0]].tensor.dtype;
    if (plan->values[target->node.outputs[0]].tensor.dtype != dtype) {
        return VT_OK;
    }
    vt_value_id *inputs = vt_arena_array(&plan->arena, 1, sizeof *inputs);
    if (!inputs) {
        return vt_fail_memory(error, "a quantised step");
    }
    inputs[0] = source->node.inputs[0];
    step->node.inputs = inputs;
    step->node.input_count = 1;
    step->node.outputs = target->node.outputs;
    step->compute = step->result = dtype;
    vt_pass_step_drop(&plan->steps[reader]);
    return VT_OK;
}

vt_status vt_pass_fuse_quantized(vt_plan *plan, vt_error *error)
{
    fuse_work work;
    vt_status status = work_init(&work, plan, error);
    if (status != VT_OK) {
        return status;
    }
    for (size_t i = 0; i < plan->step_count && status == VT_OK; i++) {
        if (plan->steps[i].node.op) {
            status = try_product(&work, i, error);
        }
        if (status == VT_OK && plan->steps[i].node.op) {
            status = try_pool(&work, i, error);
        }
    }
    work_deinit(&work);
    vt_pass_steps_compact(plan);
    return status == VT_OK ? vt_pass_dead_code(plan, error) : status;
}

/* ---- before sums are folded ---- */

/* The sum that alone reads what a pair behind the value gives; SIZE_MAX: none. *input: where;
 * *range: what the pair's integers reach. */
static size_t sum_behind(const fuse_work *work, vt_value_id value, size_t *input,
                         vt_step_post *range)
{
    vt_scale scale, back_scale;
    const vt_plan *plan = work->plan;
    size_t q = quantizer(work, value, &scale);
    if (q == SIZE_MAX) {
        return SIZE_MAX;
    }
    vt_value_id stored = plan->steps[q].node.outputs[0];
    size_t d = vt_pass_only_reader(&work->uses, stored);
    if (d == SIZE_MAX || !vt_pass_is(&plan->steps[d], "DequantizeLinear") ||
        plan->steps[d].node.inputs[0] != stored ||
        !read_scale(plan, &plan->steps[d], &back_scale) || back_scale.scale != scale.scale ||
        back_scale.zero != scale.zero) {
        return SIZE_MAX;
    }
    bool is_signed = plan->values[stored].tensor.dtype == VT_I8;
    *range = (vt_step_post){
        .kind = VT_POST_CLIP,
        .alpha = scale.scale * (float)((is_signed ? -128 : 0) - scale.zero),
        .beta = scale.scale * (float)((is_signed ? 127 : 255) - scale.zero),
    };
    vt_value_id back = plan->steps[d].node.outputs[0];
    size_t sum = vt_pass_only_reader(&work->uses, back);
    if (sum == SIZE_MAX || plan->steps[sum].node.input_count != 2 ||
        !(vt_pass_is(&plan->steps[sum], "Add") || vt_pass_is(&plan->steps[sum], "Sum"))) {
        return SIZE_MAX;
    }
    *input = plan->steps[sum].node.inputs[0] == back ? 0 : 1;
    return sum;
}

/* A DequantizeLinear that needs nothing but its first input. */
static bool can_hoist(const vt_plan *plan, const vt_step *step)
{
    bool has_zero = step->node.input_count > 2 && step->node.inputs[2] != VT_NO_VALUE;
    return vt_pass_is(step, "DequantizeLinear") && step->post_count == 0 &&
           vt_pass_constant(plan, step, 1) && (!has_zero || vt_pass_constant(plan, step, 2));
}

/* Moves every such DequantizeLinear right behind what makes its input, so that a residual is there
 * when the convolution that will add it runs. */
static vt_status hoist_dequantizers(fuse_work *work, vt_error *error)
{
    vt_plan *plan = work->plan;
    size_t count = plan->step_count, kept = 0;
    vt_step *sorted = vt_alloc_array(count, sizeof *sorted);
    size_t *first = vt_alloc_array(count + 1, sizeof *first); /* DequantizeLinear steps by maker */
    size_t *next = vt_alloc_array(count, sizeof *next);
    vt_status status = VT_OK;
    if (!sorted || !first || !next) {
        status = vt_fail_memory(error, "the order of quantised steps");
        goto out;
    }
    for (size_t s = 0; s <= count; s++) {
        first[s] = SIZE_MAX;
    }
    for (size_t s = count; s-- > 0;) {
        if (can_hoist(plan, &plan->steps[s])) {
            size_t maker = work->makers[plan->steps[s].node.inputs[0]];
            size_t *list = &first[maker == SIZE_MAX ? count : maker];
            next[s] = *list;
            *list = s;
        }
    }
    for (size_t d = first[count]; d != SIZE_MAX; d = next[d]) {
        sorted[kept++] = plan->steps[d];
    }
    for (size_t s = 0; s < count; s++) {
        if (can_hoist(plan, &plan->steps[s])) {
            continue;
        }
        sorted[kept++] = plan->steps[s];
        for (size_t d = first[s]; d != SIZE_MAX; d = next[d]) {
            sorted[kept++] = plan->steps[d];
        }
    }
    memcpy(plan->steps, sorted, count * sizeof *sorted);
out:
    vt_free(sorted);
    vt_free(first);
    vt_free(next);
    return status;
}

vt_status vt_pass_drop_requantization(vt_plan *plan, vt_error *error)
{
    fuse_work work;
    vt_status status = work_init(&work, plan, error);
    if (status == VT_OK) {
        status = hoist_dequantizers(&work, error);
        work_deinit(&work); /* numbers of steps have changed */
    }
    if (status == VT_OK) {
        status = work_init(&work, plan, error);
    }
    if (status != VT_OK) {
        return status;
    }
    for (size_t i = plan->step_count;
         status == VT_OK && i-- > 0;) { /* of two, the later producer */
        vt_step *step = &plan->steps[i];
        size_t input = 0;
        vt_scale scale;
        vt_step_post range;
        if (!vt_pass_is(step, "Conv") && !vt_pass_is(step, "MatMul") && !vt_pass_is(step, "Gemm")) {
            continue;
        }
        size_t sum = sum_behind(&work, step->node.outputs[0], &input, &range);
        if (sum == SIZE_MAX || step->post_count == VT_STEP_POSTS ||
            !dequantizer(&work, plan->steps[sum].node.inputs[1 - input], &scale)) {
            continue;
        }
        vt_value_id *inputs = vt_arena_array(&plan->arena, 2, sizeof *inputs);
        if (!inputs) {
            status = vt_fail_memory(error, "a quantised sum");
            break;
        }
        inputs[input] = step->node.outputs[0];
        inputs[1 - input] = plan->steps[sum].node.inputs[1 - input];
        plan->steps[sum].node.inputs = inputs;
        vt_step_post_add(step, &range); /* exporters leave a Relu out where the range does it */
    }
    work_deinit(&work);
    return status == VT_OK ? vt_pass_dead_code(plan, error) : status;
}
