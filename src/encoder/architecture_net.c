/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Layers: nodes, their weights' names and first values, and the sizes of maps as they shrink.
 *
 * Batch normalisation starts as the identity (scale 1, bias 0, mean 0, variance 1). A convolution's
 * fan_in is in / groups * kernel area and its fan_out out * kernel area: torch.nn.init takes the
 * weight's own dimensions, so that fan_out is not divided by the groups, and published networks
 * were started so.
 */
#include "encoder/architecture_net.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

enum { ATTRS_BYTES = 256 };

/* ---- names and failures ---- */

void vt_net_init(vt_net *net, const vt_architecture *architecture,
                 const vt_architecture_options *options)
{
    *net =
        (vt_net){.options = options, .architecture = architecture, .linear = architecture->linear};
    net->image = net->ones = net->token = VT_NO_VALUE;
    for (size_t i = 0; i < sizeof(net->fixed) / sizeof(net->fixed[0]); i++)
        net->fixed[i] = VT_NO_VALUE;
    vt_random_init(&net->random, options->seed);
}

void vt_net_enter(vt_net *net, const char *format, ...)
{
    char scope[64];
    va_list list;
    va_start(list, format);
    vsnprintf(scope, sizeof(scope), format, list);
    va_end(list);
    vt_builder_enter(net->builder, scope);
}

void vt_net_leave(vt_net *net)
{
    vt_builder_leave(net->builder);
}

void vt_net_fail(vt_net *net, const char *format, ...)
{
    char reason[256];
    va_list list;
    va_start(list, format);
    vsnprintf(reason, sizeof(reason), format, list);
    va_end(list);
    vt_builder_fail(net->builder, VT_ERR_USAGE, reason);
}

int vt_net_divisible(double channels)
{
    if (!(channels < VT_MAXIMUM_CHANNELS))
        return VT_MAXIMUM_CHANNELS;
    int rounded = (int)(channels + 4.0) / 8 * 8;
    if (rounded < 8)
        rounded = 8;
    return rounded < 0.9 * channels ? rounded + 8 : rounded;
}

int vt_net_width(const vt_net *net, int channels)
{
    return net->options->width == 1.0 ? channels : vt_net_divisible(channels * net->options->width);
}

double vt_net_dropout_rate(const vt_net *net)
{
    return net->options->dropout < 0.0 ? net->architecture->dropout : net->options->dropout;
}

/* ---- convolution ---- */

/* What is left of a side; fails when nothing is. */
static int shrink(vt_net *net, int side, int kernel, int stride, int pad)
{
    int inner = side + 2 * pad - kernel;
    if (side > 0 && inner >= 0)
        return inner / stride + 1;
    vt_net_fail(net, "a picture of %d px is too small for it", net->options->size);
    return 0;
}

vt_map vt_net_conv(vt_net *net, const char *name, vt_map x, const vt_conv *conv)
{
    char attrs[ATTRS_BYTES];
    int height = conv->kernel, width = conv->kernel_w == 0 ? height : conv->kernel_w;
    int stride = conv->stride == 0 ? 1 : conv->stride,
        groups = conv->groups == 0 ? 1 : conv->groups;
    int pad_h = conv->valid ? 0 : height / 2, pad_w = conv->valid ? 0 : width / 2;
    double area = (double)height * width;
    const double fans[2] = {x.channels / groups * area, conv->out * area};
    const vt_shape shape = {.rank = 4, .dims = {conv->out, x.channels / groups, height, width}};
    const vt_shape row = {.rank = 1, .dims = {conv->out}};
    vt_value_id inputs[3] = {x.value};
    vt_net_enter(net, "%s", name);
    inputs[1] = groups == 1 ? vt_net_kernel(net, "weight", &shape, fans)
                            : vt_net_weight(net, "weight", &shape, net->architecture->conv, fans);
    if (conv->bias)
        inputs[2] = net->architecture->conv == VT_START_TORCH
                        ? vt_net_weight(net, "bias", &row, VT_START_TORCH, fans)
                        : vt_net_filled(net, "bias", &row, 0);
    snprintf(attrs, sizeof(attrs), "kernel_shape=%d,%d strides=%d,%d pads=%d,%d,%d,%d group=%d",
             height, width, stride, stride, pad_h, pad_w, pad_h, pad_w, groups);
    vt_map y = {.value = vt_builder_node(net->builder, "Conv", attrs, inputs, conv->bias ? 3 : 2),
                .channels = conv->out,
                .side = shrink(net, x.side, height, stride, pad_h)};
    shrink(net, x.side, width, stride, pad_w);
    vt_net_leave(net);
    return y;
}

/* ---- normalisation ---- */

vt_map vt_net_norm(vt_net *net, const char *name, vt_map x)
{
    char attrs[ATTRS_BYTES];
    const vt_shape row = {.rank = 1, .dims = {x.channels}};
    vt_net_enter(net, "%s", name);
    const vt_value_id inputs[5] = {
        x.value, vt_net_filled(net, "weight", &row, 1), vt_net_filled(net, "bias", &row, 0),
        vt_net_filled(net, "running_mean", &row, 0), vt_net_filled(net, "running_var", &row, 1)};
    snprintf(attrs, sizeof(attrs), "epsilon=%g momentum=%g", (double)net->architecture->epsilon,
             (double)net->architecture->momentum);
    x.value = vt_builder_node(net->builder, "BatchNormalization", attrs, inputs, 5);
    vt_net_leave(net);
    return x;
}

vt_value_id vt_net_layer_norm(vt_net *net, const char *name, vt_value_id x, int width)
{
    const vt_shape row = {.rank = 1, .dims = {width}};
    vt_net_enter(net, "%s", name);
    const vt_value_id inputs[3] = {x, vt_net_filled(net, "weight", &row, 1),
                                   vt_net_filled(net, "bias", &row, 0)};
    x = vt_builder_node(net->builder, "LayerNormalization", "axis=-1 epsilon=1e-6", inputs, 3);
    vt_net_leave(net);
    return x;
}

/* ---- activations ---- */

/* Constant `index` of the net, made when it is first wanted. */
static vt_value_id fixed(vt_net *net, int index, float value)
{
    char name[32];
    if (net->fixed[index] == VT_NO_VALUE) {
        snprintf(name, sizeof(name), "fixed_%d", index);
        net->fixed[index] = vt_builder_scalar(net->builder, name, value);
    }
    return net->fixed[index];
}

/* x / 2 (1 + erf(x / sqrt 2)); Hendrycks and Gimpel 2016. Operator set 17 has no Gelu; the passes
 * make one step of it. */
static vt_value_id gelu(vt_net *net, vt_value_id x)
{
    vt_builder *builder = net->builder;
    const vt_value_id narrow[2] = {x, fixed(net, 0, (float)M_SQRT1_2)};
    vt_value_id t = vt_builder_node(builder, "Mul", NULL, narrow, 2);
    t = vt_builder_node(builder, "Erf", NULL, &t, 1);
    t = vt_builder_node(builder, "Add", NULL, (vt_value_id[]){t, fixed(net, 1, 1)}, 2);
    t = vt_builder_node(builder, "Mul", NULL, (vt_value_id[]){x, t}, 2);
    return vt_builder_node(builder, "Mul", NULL, (vt_value_id[]){t, fixed(net, 2, 0.5F)}, 2);
}

vt_value_id vt_net_activate_value(vt_net *net, vt_value_id x, vt_activation activation)
{
    switch (activation == VT_RELU ? net->options->activation : activation) {
    case VT_RELU:
        return vt_builder_node(net->builder, "Relu", NULL, &x, 1);
    case VT_RELU6:
        return vt_builder_node(net->builder, "Clip", NULL,
                               (vt_value_id[]){x, fixed(net, 3, 0), fixed(net, 4, 6)}, 3);
    case VT_HARD_SWISH:
        return vt_builder_node(net->builder, "HardSwish", NULL, &x, 1);
    case VT_GELU:
        return gelu(net, x);
    case VT_CELU: /* Barron 2017; the alpha of Page's "How to Train Your ResNet", part 8 */
        return vt_builder_node(net->builder, "Celu", "alpha=0.3", &x, 1);
    case VT_LINEAR:
        break;
    }
    return x;
}

vt_map vt_net_activate(vt_net *net, vt_map x, vt_activation activation)
{
    x.value = vt_net_activate_value(net, x.value, activation);
    return x;
}

vt_map vt_net_unit(vt_net *net, int index, vt_map x, const vt_conv *conv, vt_activation activation)
{
    char name[32];
    snprintf(name, sizeof(name), "conv%d", index);
    x = vt_net_conv(net, name, x, conv);
    snprintf(name, sizeof(name), "norm%d", index);
    return vt_net_activate(net, vt_net_norm(net, name, x), activation);
}

/* ---- joining and pooling ---- */

vt_map vt_net_add(vt_net *net, vt_map a, vt_map b)
{
    a.value = vt_builder_node(net->builder, "Add", NULL, (vt_value_id[]){a.value, b.value}, 2);
    return a;
}

vt_map vt_net_concat(vt_net *net, const vt_map *maps, int count)
{
    vt_value_id values[8];
    vt_map y = {.side = maps[0].side};
    for (int i = 0; i < count; i++) {
        values[i] = maps[i].value;
        y.channels += maps[i].channels;
    }
    y.value = vt_builder_node(net->builder, "Concat", "axis=1", values, (size_t)count);
    return y;
}

static vt_map pool(vt_net *net, const char *op, vt_map x, const int sizes[3])
{
    char attrs[ATTRS_BYTES];
    int kernel = sizes[0], stride = sizes[1], pad = sizes[2];
    snprintf(attrs, sizeof(attrs), "kernel_shape=%d,%d strides=%d,%d pads=%d,%d,%d,%d%s", kernel,
             kernel, stride, stride, pad, pad, pad, pad,
             strcmp(op, "AveragePool") == 0 && pad > 0 ? " count_include_pad=1" : "");
    x.value = vt_builder_node(net->builder, op, attrs, &x.value, 1);
    x.side = shrink(net, x.side, kernel, stride, pad);
    return x;
}

vt_map vt_net_max_pool(vt_net *net, vt_map x, int kernel, int stride, int pad)
{
    return pool(net, "MaxPool", x, (const int[]){kernel, stride, pad});
}

vt_map vt_net_average_pool(vt_net *net, vt_map x, int kernel, int stride, int pad)
{
    return pool(net, "AveragePool", x, (const int[]){kernel, stride, pad});
}

vt_value_id vt_net_reshape(vt_net *net, vt_value_id x, const int64_t *dims, int count)
{
    char name[32];
    /* Names of nodes are unique by their number; constants need one too. */
    snprintf(name, sizeof(name), "fixed_shape%u", net->named++);
    const vt_value_id inputs[2] = {x, vt_builder_ints(net->builder, name, dims, (size_t)count)};
    return vt_builder_node(net->builder, "Reshape", NULL, inputs, 2);
}

vt_vector vt_net_global_average(vt_net *net, vt_map x)
{
    vt_value_id y = vt_builder_node(net->builder, "GlobalAveragePool", NULL, &x.value, 1);
    return (vt_vector){.value = vt_builder_node(net->builder, "Flatten", "axis=1", &y, 1),
                       .width = x.channels};
}

/* ---- linear layers ---- */

static vt_value_id bias_of(vt_net *net, int out, const double fans[2])
{
    const vt_shape row = {.rank = 1, .dims = {out}};
    return net->linear == VT_START_TORCH ? vt_net_weight(net, "bias", &row, VT_START_TORCH, fans)
                                         : vt_net_filled(net, "bias", &row, 0);
}

vt_vector vt_net_linear(vt_net *net, const char *name, vt_vector x, int out)
{
    const double fans[2] = {x.width, out};
    const vt_shape shape = {.rank = 2, .dims = {out, x.width}};
    vt_net_enter(net, "%s", name);
    const vt_value_id inputs[3] = {x.value, vt_net_weight(net, "weight", &shape, net->linear, fans),
                                   bias_of(net, out, fans)};
    vt_vector y = {.value = vt_builder_node(net->builder, "Gemm", "transB=1", inputs, 3),
                   .width = out};
    vt_net_leave(net);
    return y;
}

vt_value_id vt_net_dense(vt_net *net, const char *name, vt_value_id x, int in, int out)
{
    const double fans[2] = {in, out};
    const vt_shape shape = {.rank = 2, .dims = {in, out}};
    vt_net_enter(net, "%s", name);
    vt_value_id weight = vt_net_weight(net, "weight", &shape, net->linear, fans);
    vt_value_id y = vt_builder_node(net->builder, "MatMul", NULL, (vt_value_id[]){x, weight}, 2);
    const vt_value_id inputs[2] = {y, bias_of(net, out, fans)};
    y = vt_builder_node(net->builder, "Add", NULL, inputs, 2);
    vt_net_leave(net);
    return y;
}

/* ---- dropping ---- */

vt_value_id vt_net_dropout(vt_net *net, vt_value_id x, double rate)
{
    char name[32];
    if (rate <= 0.0)
        return x;
    snprintf(name, sizeof(name), "fixed_ratio%u", net->named++);
    const vt_value_id inputs[2] = {x, vt_builder_scalar(net->builder, name, (float)rate)};
    return vt_builder_node(net->builder, "Dropout", NULL, inputs, 2);
}

vt_value_id vt_net_batch_shape(vt_net *net, const int64_t *dims, int count)
{
    char name[32];
    snprintf(name, sizeof(name), "fixed_rest%u", net->named++);
    vt_value_id n = vt_builder_node(net->builder, "Shape", "start=0 end=1", &net->image, 1);
    const vt_value_id inputs[2] = {n, vt_builder_ints(net->builder, name, dims, (size_t)count)};
    return vt_builder_node(net->builder, "Concat", "axis=0", inputs, 2);
}

vt_value_id vt_net_drop_path(vt_net *net, vt_value_id x, int rank)
{
    const vt_architecture_options *options = net->options;
    double rate =
        options->stochastic_depth < 0.0 ? net->architecture->depth : options->stochastic_depth;
    int block = ++net->block;
    if (net->blocks > 1)
        rate *= (double)(block - 1) / (net->blocks - 1);
    if (rate <= 0.0)
        return x;
    if (net->ones == VT_NO_VALUE) {
        vt_value_id shape = vt_net_batch_shape(net, (const int64_t[]){1, 1, 1}, rank - 1);
        const vt_value_id inputs[2] = {vt_builder_scalar(net->builder, "fixed_one", 1), shape};
        net->ones = vt_builder_node(net->builder, "Expand", NULL, inputs, 2);
    }
    const vt_value_id inputs[2] = {x, vt_net_dropout(net, net->ones, rate)};
    return vt_builder_node(net->builder, "Mul", NULL, inputs, 2);
}

/* ---- stages ---- */

void vt_net_tap(vt_net *net, vt_map x)
{
    if (net->tap_count > 0 && net->taps[net->tap_count - 1].side == x.side)
        net->tap_count--;
    if (net->tap_count == VT_MAXIMUM_TAPS)
        vt_net_fail(net, "an architecture has too many stages");
    else
        net->taps[net->tap_count++] = x;
}
