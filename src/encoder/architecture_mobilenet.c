/* SPDX-License-Identifier: Apache-2.0 */
/*
 * MobileNetV2 and V3 (small, large): inverted residuals.
 *
 * Sandler et al., "MobileNetV2" (2018), table 2; Howard et al., "Searching for MobileNetV3" (2019),
 * tables 1 and 2, in the form of torchvision: squeeze-and-excitation (Hu et al. 2017) with a
 * quarter of the expanded channels, ReLU inside and hard sigmoid as the gate; batch normalisation
 * of V3 with epsilon 0.001 and momentum 0.01. Channel counts are multiples of 8 at every width.
 * Departure: a stem for small inputs of stride 1.
 */
#include "encoder/architecture_net.h"

typedef struct mobile_stage {
    int repeats, kernel, expanded, out, stride; /* expanded: channels, or times the input for V2 */
    bool excite;
    vt_activation activation;
} mobile_stage;

typedef struct mobile_table {
    const mobile_stage *stages; /* until repeats 0 */
    int stem, last, hidden;     /* last: of the last convolution, 0: 6 times its input;
                                   hidden: before the classifier, 0: none */
    vt_activation activation;   /* of stem and last */
    bool factors;               /* expanded is a factor */
} mobile_table;

static const mobile_stage v2_stages[] = {
    {1, 3, 1, 16, 1, 0, VT_RELU6},  {2, 3, 6, 24, 2, 0, VT_RELU6},
    {3, 3, 6, 32, 2, 0, VT_RELU6},  {4, 3, 6, 64, 2, 0, VT_RELU6},
    {3, 3, 6, 96, 1, 0, VT_RELU6},  {3, 3, 6, 160, 2, 0, VT_RELU6},
    {1, 3, 6, 320, 1, 0, VT_RELU6}, {0},
};
static const mobile_stage v3_large_stages[] = {
    {1, 3, 16, 16, 1, 0, VT_RELU},
    {1, 3, 64, 24, 2, 0, VT_RELU},
    {1, 3, 72, 24, 1, 0, VT_RELU},
    {1, 5, 72, 40, 2, 1, VT_RELU},
    {2, 5, 120, 40, 1, 1, VT_RELU},
    {1, 3, 240, 80, 2, 0, VT_HARD_SWISH},
    {1, 3, 200, 80, 1, 0, VT_HARD_SWISH},
    {2, 3, 184, 80, 1, 0, VT_HARD_SWISH},
    {1, 3, 480, 112, 1, 1, VT_HARD_SWISH},
    {1, 3, 672, 112, 1, 1, VT_HARD_SWISH},
    {1, 5, 672, 160, 2, 1, VT_HARD_SWISH},
    {2, 5, 960, 160, 1, 1, VT_HARD_SWISH},
    {0},
};
static const mobile_stage v3_small_stages[] = {
    {1, 3, 16, 16, 2, 1, VT_RELU},        {1, 3, 72, 24, 2, 0, VT_RELU},
    {1, 3, 88, 24, 1, 0, VT_RELU},        {1, 5, 96, 40, 2, 1, VT_HARD_SWISH},
    {2, 5, 240, 40, 1, 1, VT_HARD_SWISH}, {1, 5, 120, 48, 1, 1, VT_HARD_SWISH},
    {1, 5, 144, 48, 1, 1, VT_HARD_SWISH}, {1, 5, 288, 96, 2, 1, VT_HARD_SWISH},
    {2, 5, 576, 96, 1, 1, VT_HARD_SWISH}, {0},
};
static const mobile_table v2 = {v2_stages, 32, 1280, 0, VT_RELU6, true};
static const mobile_table v3_large = {v3_large_stages, 16, 0, 1280, VT_HARD_SWISH, false};
static const mobile_table v3_small = {v3_small_stages, 16, 0, 1024, VT_HARD_SWISH, false};

static vt_map excite(vt_net *net, vt_map x)
{
    const vt_conv squeeze = {.out = vt_net_divisible(x.channels / 4), .kernel = 1, .bias = true};
    const vt_conv expand = {.out = x.channels, .kernel = 1, .bias = true};
    vt_builder_enter(net->builder, "excite");
    vt_map gate = {.value = vt_builder_node(net->builder, "GlobalAveragePool", NULL, &x.value, 1),
                   .channels = x.channels,
                   .side = 1};
    gate = vt_net_activate(net, vt_net_conv(net, "conv1", gate, &squeeze), VT_RELU);
    gate = vt_net_conv(net, "conv2", gate, &expand);
    vt_value_id open =
        vt_builder_node(net->builder, "HardSigmoid", "alpha=0.16666667 beta=0.5", &gate.value, 1);
    x.value = vt_builder_node(net->builder, "Mul", NULL, (vt_value_id[]){x.value, open}, 2);
    vt_net_leave(net);
    return x;
}

/* Expand, filter each channel alone, project without activation. */
static vt_map inverted(vt_net *net, vt_map x, const mobile_stage *stage, int expanded, int stride)
{
    vt_map y = x;
    int out = vt_net_width(net, stage->out);
    const vt_conv widen = {.out = expanded, .kernel = 1};
    const vt_conv depthwise = {
        .out = expanded, .kernel = stage->kernel, .stride = stride, .groups = expanded};
    if (expanded != x.channels)
        y = vt_net_unit(net, 1, y, &widen, stage->activation);
    y = vt_net_unit(net, 2, y, &depthwise, stage->activation);
    if (stage->excite)
        y = excite(net, y);
    y = vt_net_unit(net, 3, y, &(vt_conv){.out = out, .kernel = 1}, VT_LINEAR);
    if (stride != 1 || x.channels != y.channels) {
        net->block++; /* counts, without a branch that could be left out */
        return y;
    }
    y.value = vt_net_drop_path(net, y.value, 4);
    return vt_net_add(net, x, y);
}

static vt_map mobile_stem(vt_net *net, vt_map x, const mobile_table *table)
{
    const vt_conv conv = {.out = vt_net_width(net, table->stem),
                          .kernel = 3,
                          .stride = net->options->small_input ? 1 : 2};
    vt_net_enter(net, "stem");
    x = vt_net_unit(net, 1, x, &conv, table->activation);
    vt_net_leave(net);
    return x;
}

static vt_map mobile_stages(vt_net *net, vt_map x, const mobile_table *table)
{
    const mobile_stage *rows = table->stages;
    for (int s = 0, stage = 0, block = 0; rows[s].repeats != 0; s++) {
        for (int b = 0; b < rows[s].repeats; b++) {
            int stride = b == 0 ? rows[s].stride : 1;
            int expanded = table->factors ? x.channels * rows[s].expanded
                                          : vt_net_width(net, rows[s].expanded);
            if (stride != 1 || stage == 0) {
                stage++;
                block = 0;
            }
            vt_net_enter(net, "stage%d.block%d", stage, ++block);
            x = inverted(net, x, &rows[s], expanded, stride);
            vt_net_leave(net);
            vt_net_tap(net, x);
        }
    }
    return x;
}

static vt_map mobile_body(vt_net *net, vt_map x, const void *rows)
{
    const mobile_table *table = rows;
    double width = net->options->width < 1.0 && table->last != 0 ? 1.0 : net->options->width;
    for (int s = 0; table->stages[s].repeats != 0; s++)
        net->blocks += table->stages[s].repeats;
    x = mobile_stages(net, mobile_stem(net, x, table), table);
    int last = table->last == 0 ? 6 * x.channels : vt_net_divisible(table->last * width);
    vt_net_enter(net, "last");
    x = vt_net_unit(net, 1, x, &(vt_conv){.out = last, .kernel = 1}, table->activation);
    vt_net_leave(net);
    vt_net_tap(net, x);
    return x;
}

static vt_vector mobile_neck(vt_net *net, vt_map x, const void *rows)
{
    const mobile_table *table = rows;
    vt_vector v = vt_net_global_average(net, x);
    if (table->hidden == 0)
        return v;
    v = vt_net_linear(net, "hidden1", v, vt_net_width(net, table->hidden));
    v.value = vt_net_activate_value(net, v.value, VT_HARD_SWISH);
    return v;
}

#define MOBILE(label, paper, rows, parameters, gmacs, eps, keep)                                   \
    {                                                                                              \
        .info = {label, paper, 224, parameters, gmacs, true, true, false}, .body = mobile_body,    \
        .neck = mobile_neck, .table = &(rows), .conv = VT_START_HE_OUT, .linear = VT_START_NORMAL, \
        .epsilon = eps, .momentum = keep, .dropout = 0.2, .minimum_size = 16                       \
    }

const vt_architecture vt_architectures_mobilenet[3] = {
    MOBILE("mobilenetv2", "Sandler et al. 2018", v2, 3504872, 0.301, 1e-5F, 0.9F),
    MOBILE("mobilenetv3-small", "Howard et al. 2019", v3_small, 2542856, 0.057, 1e-3F, 0.99F),
    MOBILE("mobilenetv3-large", "Howard et al. 2019", v3_large, 5483032, 0.217, 1e-3F, 0.99F),
};
