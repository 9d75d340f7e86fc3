/* SPDX-License-Identifier: Apache-2.0 */
/*
 * CausalConvWithState: a depthwise convolution over time that looks only back, with what it needs
 * of the past as input and output.
 *
 * Each channel is the state of k - 1 earlier numbers (zeros where it is left out) with the new ones
 * behind it; the kernel slides over that, and its last k - 1 numbers are the next state.
 */
#include "nn/ops/op.h"
#include "nn/ops/table.h"

#include <math.h>
#include <string.h>

enum { IN_X, IN_WEIGHT, IN_BIAS, IN_PAST };

static vt_status causal_activation(const vt_op_args *args, bool *swish, vt_error *error)
{
    const char *text = vt_node_text(args->node, "activation", "none");
    *swish = strcmp(text, "silu") == 0 || strcmp(text, "swish") == 0;
    if (!*swish && strcmp(text, "none") != 0)
        return vt_fail(error, VT_ERR_FORMAT, "attribute \"activation\" is \"%.40s\"", text);
    return VT_OK;
}

static vt_status causal_infer(vt_op_args *args, vt_error *error)
{
    const vt_shape *x = &args->inputs[IN_X].shape, *w = &args->inputs[IN_WEIGHT].shape;
    const vt_tensor *bias = vt_op_input(args, IN_BIAS), *past = vt_op_input(args, IN_PAST);
    bool swish;
    vt_status status = vt_op_check_same(args, VT_TYPES_FLOAT, error);
    for (size_t i = IN_X; i <= IN_WEIGHT && status == VT_OK; i++)
        status = vt_op_check_rank(args, i, 3, 3, error);
    if (status == VT_OK)
        status = causal_activation(args, &swish, error);
    if (status != VT_OK)
        return status;
    if (w->dims[0] != x->dims[1] || w->dims[1] != 1 || w->dims[2] < 1)
        return vt_fail(error, VT_ERR_FORMAT, "weights are not one kernel per channel");
    if (bias != NULL && (bias->shape.rank != 1 || bias->shape.dims[0] != x->dims[1]))
        return vt_fail(error, VT_ERR_FORMAT, "bias does not have one number per channel");
    vt_shape state = vt_shape_of(3, (const int64_t[]){x->dims[0], x->dims[1], w->dims[2] - 1});
    if (past != NULL && !vt_shape_equal(&past->shape, &state))
        return vt_fail(error, VT_ERR_FORMAT, "past_state does not fit input and kernel");
    vt_op_set_output(args, 0, args->inputs[IN_X].dtype, x);
    vt_op_set_output(args, 1, args->inputs[IN_X].dtype, &state);
    return VT_OK;
}

/* One channel of one sequence; line: state and new numbers. */
static void channel_run(vt_op_args *args, size_t row, double *line, const double *kernel,
                        double *out)
{
    const vt_tensor *x = &args->inputs[IN_X], *past = vt_op_input(args, IN_PAST);
    const vt_tensor *bias = vt_op_input(args, IN_BIAS);
    size_t length = (size_t)x->shape.dims[2], width = (size_t)args->inputs[IN_WEIGHT].shape.dims[2];
    size_t channel = row % (size_t)x->shape.dims[1], state = width - 1;
    bool swish = strcmp(vt_node_text(args->node, "activation", "none"), "none") != 0;
    memset(line, 0, state * sizeof(*line));
    if (past != NULL)
        vt_load_f64(past->dtype, past->data, row * state, state, line);
    vt_load_f64(x->dtype, x->data, row * length, length, line + state);
    for (size_t i = 0; i < length; i++) {
        double sum = bias == NULL ? 0.0 : vt_tensor_get(bias, channel);
        for (size_t k = 0; k < width; k++)
            sum += kernel[k] * line[i + k];
        out[i] = swish ? sum / (1.0 + exp(-sum)) : sum;
    }
    if (vt_op_wants(args, 0))
        vt_store_f64(x->dtype, args->outputs[0].data, row * length, length, out);
    if (vt_op_wants(args, 1))
        vt_store_f64(x->dtype, args->outputs[1].data, row * state, state, line + length);
}

static vt_status causal_reference(vt_op_args *args, vt_error *error)
{
    const vt_shape *x = &args->inputs[IN_X].shape, *w = &args->inputs[IN_WEIGHT].shape;
    size_t rows = (size_t)(x->dims[0] * x->dims[1]), width = (size_t)w->dims[2];
    size_t length = (size_t)x->dims[2];
    double *kernels = NULL;
    double *line = vt_alloc_array(length + width, sizeof(*line));
    double *out = vt_alloc_array(length, sizeof(*out));
    vt_status status = vt_op_widen(&args->inputs[IN_WEIGHT], &kernels, error);
    if (status == VT_OK && (line == NULL || out == NULL))
        status = vt_fail_memory(error, "a channel");
    for (size_t row = 0; row < rows && status == VT_OK; row++)
        channel_run(args, row, line, kernels + row % (size_t)x->dims[1] * width, out);
    vt_free(line);
    vt_free(out);
    vt_free(kernels);
    return status;
}

static uint64_t causal_macs(const vt_op_args *args)
{
    uint64_t macs;
    if (__builtin_mul_overflow((uint64_t)vt_tensor_count(&args->inputs[IN_X]),
                               (uint64_t)args->inputs[IN_WEIGHT].shape.dims[2], &macs))
        return UINT64_MAX;
    return macs;
}

const vt_op vt_ops_causal_conv[] = {
    {"CausalConvWithState", "", 27, 0, 2, 4, 1, 2, "activation:s", .infer = causal_infer,
     .reference = causal_reference, .macs = causal_macs},
    {0},
};
