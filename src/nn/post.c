/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What passes append to a step, and its plain meaning.
 *
 * The reference executor and the oneDNN executor's own reference steps apply posts with the code
 * here: in f64, rounded once to the output's type, so that folding an operator into the step before
 * changes nothing but where it is computed.
 */
#include "nn/ops/op.h"
#include "nn/plan.h"

#include <math.h>
#include <stdio.h>

size_t vt_step_read_count(const vt_step *step)
{
    return step->node.input_count + (size_t)step->post_count;
}

vt_value_id vt_step_read(const vt_step *step, size_t index)
{
    if (index < step->node.input_count)
        return step->node.inputs[index];
    return step->posts[index - step->node.input_count].operand;
}

bool vt_post_has_operand(const vt_step_post *post)
{
    return post->kind == VT_POST_ADD || post->kind == VT_POST_MUL;
}

bool vt_step_post_add(vt_step *step, const vt_step_post *post)
{
    if (step->post_count == VT_STEP_POSTS)
        return false;
    step->posts[step->post_count] = *post;
    if (!vt_post_has_operand(post))
        step->posts[step->post_count].operand = VT_NO_VALUE;
    step->post_count++;
    return true;
}

static const char *const post_names[] = {
    [VT_POST_LINEAR] = "linear",
    [VT_POST_CLIP] = "clip",
    [VT_POST_RELU] = "relu",
    [VT_POST_LEAKY_RELU] = "leaky-relu",
    [VT_POST_ELU] = "elu",
    [VT_POST_SIGMOID] = "sigmoid",
    [VT_POST_TANH] = "tanh",
    [VT_POST_GELU] = "gelu",
    [VT_POST_GELU_TANH] = "gelu-tanh",
    [VT_POST_SWISH] = "swish",
    [VT_POST_HARD_SIGMOID] = "hard-sigmoid",
    [VT_POST_HARD_SWISH] = "hard-swish",
    [VT_POST_MISH] = "mish",
    [VT_POST_ADD] = "add",
    [VT_POST_MUL] = "mul",
};

void vt_step_describe(const vt_plan *plan, const vt_step *step, vt_op_args *args,
                      char posts[VT_STEP_POSTS_TEXT], vt_step_info *out)
{
    const vt_node *node = &step->node;
    vt_value_id output = node->outputs[0];
    size_t length = 0;
    posts[0] = '\0';
    for (int i = 0; i < step->post_count; i++)
        length += (size_t)snprintf(posts + length, VT_STEP_POSTS_TEXT - length, "%s%s",
                                   i == 0 ? "" : " ", post_names[step->posts[i].kind]);
    *out = (vt_step_info){.op_type = node->op->name,
                          .name = node->name,
                          .output = "",
                          .compute = step->compute,
                          .posts = posts,
                          .macs = node->op->macs == NULL ? 0 : node->op->macs(args)};
    if (output == VT_NO_VALUE)
        return;
    out->shape = plan->values[output].tensor.shape;
    out->output = vt_plan_value_name(plan, output);
}

static double sigmoid(double x)
{
    return 1.0 / (1.0 + exp(-x));
}

static double clip(double x, double low, double high)
{
    x = x < low ? low : x; /* NaN stays */
    return x > high ? high : x;
}

double vt_post_function(const vt_step_post *post, double x)
{
    double a = (double)post->alpha, b = (double)post->beta;
    switch (post->kind) {
    case VT_POST_LINEAR:
        return a * x + b;
    case VT_POST_CLIP:
        return clip(x, a, b);
    case VT_POST_RELU:
        return x < 0.0 ? 0.0 : x;
    case VT_POST_LEAKY_RELU:
        return x < 0.0 ? a * x : x;
    case VT_POST_ELU:
        return x < 0.0 ? a * expm1(x) : x;
    case VT_POST_SIGMOID:
        return sigmoid(x);
    case VT_POST_TANH:
        return tanh(x);
    case VT_POST_GELU:
        return 0.5 * x * (1.0 + erf(x * M_SQRT1_2));
    case VT_POST_GELU_TANH:
        return 0.5 * x * (1.0 + tanh(M_2_SQRTPI * M_SQRT1_2 * (x + 0.044715 * x * x * x)));
    case VT_POST_SWISH:
        return x * sigmoid(a * x);
    case VT_POST_HARD_SIGMOID:
        return clip(a * x + b, 0.0, 1.0);
    case VT_POST_HARD_SWISH:
        return x * clip(x / 6.0 + 0.5, 0.0, 1.0);
    case VT_POST_MISH:
        return x * tanh(log1p(exp(x)));
    case VT_POST_ADD:
    case VT_POST_MUL:
        break;
    }
    return x;
}

static void apply_operand(const vt_step_post *post, const double *operand, double *run,
                          size_t count)
{
    for (size_t i = 0; i < count; i++)
        run[i] = post->kind == VT_POST_ADD ? run[i] + operand[i] : run[i] * operand[i];
}

vt_status vt_posts_apply(const vt_step *step, const vt_tensor *operands, vt_tensor *output,
                         vt_error *error)
{
    vt_broadcast places[VT_STEP_POSTS] = {0};
    size_t count = vt_tensor_count(output);
    for (int p = 0; p < step->post_count; p++) {
        vt_shape common = output->shape;
        if (!vt_post_has_operand(&step->posts[p]))
            continue;
        vt_status status = vt_broadcast_shape(&common, &operands[p].shape, error);
        if (status != VT_OK)
            return status;
        if (!vt_shape_equal(&common, &output->shape))
            return vt_fail(error, VT_ERR_INTERNAL, "a fused operand is larger than the output");
        vt_broadcast_init(&places[p], &operands[p].shape, &output->shape);
    }
    for (size_t start = 0; start < count; start += VT_RUN) {
        double run[VT_RUN], operand[VT_RUN];
        size_t place[VT_RUN], part = count - start < VT_RUN ? count - start : VT_RUN;
        vt_load_f64(output->dtype, output->data, start, part, run);
        for (int p = 0; p < step->post_count; p++) {
            const vt_step_post *post = &step->posts[p];
            if (vt_post_has_operand(post)) {
                vt_broadcast_indices(&places[p], start, part, place);
                vt_gather_f64(operands[p].dtype, operands[p].data, place, part, operand);
                apply_operand(post, operand, run, part);
                continue;
            }
            for (size_t i = 0; i < part; i++)
                run[i] = vt_post_function(post, run[i]);
        }
        vt_store_f64(output->dtype, output->data, start, part, run);
    }
    return VT_OK;
}
