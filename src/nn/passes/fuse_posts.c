/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What is done to each element of a result, into the step that makes the result.
 *
 * Method: a step of a kind whose executor can finish with posts, whose one output has one reader,
 * takes over that reader's output and remembers what it did among its posts; again for the new
 * output, until the step is full. Taken are activations; a Mul, Div, Add or Sub with a constant of
 * one element; and into products and convolutions also
 * - an Add or Sum of a value of exactly the output's shape that is computed earlier (so of the two
 *   producers of a residual sum the later one takes it),
 * - a Mul with such a value, with one factor per channel (a layer scale) or per channel and image
 *   (a gate), and an Add of one constant per channel (the bias behind a MatMul).
 * Steps are visited in order, so a value's producer has taken all it can before a later step reads
 * the value as operand. Two linear posts in a row become one.
 * Departures: a normalisation takes a ReLU alone, which is all that its executor can; only floats,
 * all of one type, and results of one shape. A Clip whose lower bound is above its upper one stays
 * a step of its own, as does one whose bounds, or a Mul or Add whose constant, is not exact as f32
 * (possible for f64 tensors), and what would be the second post of one kind.
 */
#include "nn/passes/match.h"

#include <float.h>
#include <math.h>
#include <string.h>

typedef struct fuse {
    vt_plan *plan;
    vt_pass_uses *uses;
} fuse;

/* ---- which steps ---- */

/* Convolutions and products: they take operands too. */
static bool takes_operands(const vt_step *step)
{
    static const char *const ops[] = {"Conv", "ConvTranspose", "Gemm", "MatMul"};
    return VT_PASS_IS_ANY(step, ops);
}

static bool takes_functions(const vt_step *step)
{
    static const char *const ops[] = {"Add", "Sum", "BatchNormalization"};
    return takes_operands(step) || VT_PASS_IS_ANY(step, ops);
}

/* ---- functions ---- */

static bool fits_f32(double value, float *out)
{
    *out = (float)value;
    return (double)*out == value;
}

/* One bound of a Clip of opset 11 and later: an input that may be left out. */
static bool read_bound_input(const vt_plan *plan, const vt_step *step, size_t input, float *bound)
{
    double value;
    if (input >= step->node.input_count || step->node.inputs[input] == VT_NO_VALUE) {
        return true;
    }
    return vt_match_scalar(plan, step->node.inputs[input], &value) && fits_f32(value, bound);
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

static bool read_activation(const vt_plan *plan, const vt_step *step, vt_step_post *post)
{
    static const struct {
        const char *op;
        vt_post_kind kind;
        float alpha, beta; /* when the attribute is left out */
    } ops[] = {
        {"Relu", VT_POST_RELU, 0, 0},
        {"LeakyRelu", VT_POST_LEAKY_RELU, 0.01F, 0},
        {"Elu", VT_POST_ELU, 1, 0},
        {"Sigmoid", VT_POST_SIGMOID, 0, 0},
        {"Tanh", VT_POST_TANH, 0, 0},
        {"Gelu", VT_POST_GELU, 0, 0},
        {"Swish", VT_POST_SWISH, 1, 0},
        {"HardSigmoid", VT_POST_HARD_SIGMOID, 0.2F, 0.5F},
        {"HardSwish", VT_POST_HARD_SWISH, 0, 0},
        {"Mish", VT_POST_MISH, 0, 0},
    };
    for (size_t i = 0; i < sizeof ops / sizeof ops[0]; i++) {
        if (!vt_pass_is(step, ops[i].op)) {
            continue;
        }
        post->kind = ops[i].kind;
        post->alpha = vt_node_float(&step->node, "alpha", ops[i].alpha);
        post->beta = vt_node_float(&step->node, "beta", ops[i].beta);
        if (post->kind == VT_POST_GELU &&
            strcmp(vt_node_text(&step->node, "approximate", "none"), "tanh") == 0) {
            post->kind = VT_POST_GELU_TANH;
        }
        return true;
    }
    post->kind = VT_POST_CLIP;
    return vt_pass_is(step, "Clip") && read_bounds(plan, step, &post->alpha, &post->beta);
}

/* alpha x + beta, by a constant of one element. */
static bool read_linear(const vt_plan *plan, const vt_step *step, vt_value_id value,
                        vt_step_post *post)
{
    double scalar = 0, alpha = 1, beta = 0;
    *post = (vt_step_post){.kind = VT_POST_LINEAR};
    if (vt_match_step(step, "Neg", 1)) {
        post->alpha = -1;
        return true;
    }
    bool mul = vt_match_step(step, "Mul", 2), div = vt_match_step(step, "Div", 2);
    bool add = vt_match_step(step, "Add", 2), sub = vt_match_step(step, "Sub", 2);
    if (!mul && !div && !add && !sub) {
        return false;
    }
    int side = vt_match_scalar_side(plan, step, &scalar);
    if (side < 0 || step->node.inputs[1 - side] != value || (div && (side == 0 || scalar == 0))) {
        return false;
    }
    if (mul || div) {
        alpha = mul ? scalar : 1 / scalar;
    } else {
        alpha = sub && side == 0 ? -1 : 1;
        beta = sub && side == 1 ? -scalar : scalar;
    }
    bool exact = fits_f32(alpha, &post->alpha);
    exact = fits_f32(beta, &post->beta) && exact;
    return (exact || plan->values[value].tensor.dtype != VT_F64) && isfinite(post->alpha) &&
           isfinite(post->beta);
}

/* Whether a step with the one post can take the other: oneDNN 2.6 gives two posts of one algorithm
 * the constants of the first. */
static bool clash(vt_post_kind one, vt_post_kind other)
{
    bool hard = one == VT_POST_HARD_SIGMOID || other == VT_POST_HARD_SIGMOID; /* linear and clip */
    bool line = one == VT_POST_LINEAR || other == VT_POST_LINEAR;
    bool bound = one == VT_POST_CLIP || other == VT_POST_CLIP;
    bool relu = one == VT_POST_RELU || other == VT_POST_RELU;
    bool leaky = one == VT_POST_LEAKY_RELU || other == VT_POST_LEAKY_RELU;
    if (one == VT_POST_ADD || one == VT_POST_MUL) {
        return false;
    }
    return one == other || (hard && (line || bound)) || (relu && leaky);
}

/* Two in a row are one. */
static bool merge_linear(vt_step *step, const vt_step_post *post)
{
    if (step->post_count == 0 || post->kind != VT_POST_LINEAR ||
        step->posts[step->post_count - 1].kind != VT_POST_LINEAR) {
        return false;
    }
    vt_step_post *last = &step->posts[step->post_count - 1];
    double alpha = (double)last->alpha * (double)post->alpha;
    double beta = (double)last->beta * (double)post->alpha + (double)post->beta;
    if (!isfinite((float)alpha) || !isfinite((float)beta)) {
        return false;
    }
    last->alpha = (float)alpha;
    last->beta = (float)beta;
    return true;
}

static bool add_post(vt_step *step, const vt_step_post *post, bool exact)
{
    if (!exact && merge_linear(step, post)) {
        return true;
    }
    for (int i = 0; i < step->post_count; i++) {
        if (clash(step->posts[i].kind, post->kind)) {
            return false;
        }
    }
    return vt_step_post_add(step, post);
}

/* ---- operands ---- */

/* One number per index of the channel axis; with `by_image` perhaps per index of axis 0 as well. */
static bool is_per_channel(const vt_tensor *operand, const vt_shape *shape, int axis, bool by_image)
{
    int lead = shape->rank - operand->shape.rank;
    for (int i = 0; i < operand->shape.rank; i++) {
        int64_t size = operand->shape.dims[i];
        if (size == 1 && i + lead != axis) {
            continue;
        }
        if ((i + lead != axis && !(by_image && i + lead == 0)) || size != shape->dims[i + lead]) {
            return false;
        }
    }
    return lead >= 0 && lead <= axis;
}

static bool is_computed_before(const fuse *f, vt_value_id value, size_t index)
{
    size_t producer = vt_pass_producer(f->uses, value);
    return value < f->uses->value_count && (producer == SIZE_MAX || producer < index);
}

static bool read_operand(const fuse *f, size_t index, const vt_step *reader, vt_value_id value,
                         vt_step_post *post)
{
    const vt_step *step = &f->plan->steps[index];
    bool mul = vt_match_step(reader, "Mul", 2);
    if (!mul && !vt_match_step(reader, "Add", 2) && !vt_match_step(reader, "Sum", 2)) {
        return false;
    }
    vt_value_id other = reader->node.inputs[reader->node.inputs[0] == value ? 1 : 0];
    const vt_plan_value *operand = &f->plan->values[other];
    const vt_tensor *result = &f->plan->values[value].tensor;
    bool conv = vt_pass_is(step, "Conv") || vt_pass_is(step, "ConvTranspose");
    int axis = conv ? 1 : result->shape.rank - 1;
    *post = (vt_step_post){.kind = mul ? VT_POST_MUL : VT_POST_ADD, .operand = other};
    if (other == value || operand->tensor.dtype != result->dtype ||
        !is_computed_before(f, other, index)) {
        return false;
    }
    if (vt_shape_equal(&operand->tensor.shape, &result->shape)) {
        return true;
    }
    return (operand->constant || mul) &&
           is_per_channel(&operand->tensor, &result->shape, axis, mul && conv);
}

/* ---- fusing ---- */

static bool read_post(const fuse *f, size_t index, const vt_step *reader, vt_value_id value,
                      vt_step_post *post)
{
    const vt_step *step = &f->plan->steps[index];
    if (reader->node.output_count != 1 || reader->post_count > 0) {
        return false;
    }
    const vt_tensor *before = &f->plan->values[value].tensor;
    const vt_tensor *after = &f->plan->values[reader->node.outputs[0]].tensor;
    if (before->dtype != after->dtype || !vt_shape_equal(&before->shape, &after->shape)) {
        return false;
    }
    bool read = (reader->node.inputs[0] == value && read_activation(f->plan, reader, post)) ||
                read_linear(f->plan, reader, value, post) ||
                (takes_operands(step) && read_operand(f, index, reader, value, post));
    return read && (post->kind == VT_POST_RELU || !vt_pass_is(step, "BatchNormalization"));
}

/* Takes the reader of the step's result in; false when there is nothing to take. */
static bool take_reader(fuse *f, size_t index)
{
    vt_step *step = &f->plan->steps[index];
    vt_value_id value = step->node.outputs[0];
    size_t at = vt_pass_only_reader(f->uses, value);
    vt_step_post post = {0};
    if (at == SIZE_MAX || !read_post(f, index, &f->plan->steps[at], value, &post) ||
        !add_post(step, &post, f->plan->values[value].tensor.dtype == VT_F64)) {
        return false;
    }
    vt_step *reader = &f->plan->steps[at];
    step->node.outputs = reader->node.outputs;
    if (step->node.outputs[0] < f->uses->value_count) {
        f->uses->producers[step->node.outputs[0]] = index;
    }
    if (vt_post_has_operand(&post) && f->uses->readers[post.operand] == at) {
        f->uses->readers[post.operand] = index;
    }
    vt_pass_step_drop(reader);
    return true;
}

vt_status vt_pass_fuse_posts(vt_plan *plan, vt_error *error)
{
    vt_pass_uses uses;
    fuse f = {.plan = plan, .uses = &uses};
    vt_status status = vt_pass_uses_init(&uses, plan, error);
    if (status != VT_OK) {
        return status;
    }
    for (size_t i = 0; i < plan->step_count; i++) {
        const vt_step *step = &plan->steps[i];
        if (!step->node.op || !takes_functions(step) ||
            !vt_dtype_is_float(plan->values[step->node.outputs[0]].tensor.dtype)) {
            continue;
        }
        while (take_reader(&f, i)) {
        }
    }
    vt_pass_steps_compact(plan);
    vt_pass_uses_deinit(&uses);
    return VT_OK;
}
