/* SPDX-License-Identifier: Apache-2.0 */
/*
 * DenseNet-121.
 *
 * Huang et al., "Densely Connected Convolutional Networks" (2016), table 1: growth 32, bottlenecks
 * of 4 x growth, transitions that halve channels and side, as torchvision's densenet121 (activation
 * before convolution; one more normalisation at the end). For small inputs the stem is one 3x3
 * convolution of stride 1, as in section 3.
 */
#include "encoder/architecture_net.h"

enum { GROWTH = 32, BOTTLENECK = 4 * GROWTH, DENSENET_STEM = 64 };

typedef struct dense_stage {
    int layers;
} dense_stage;

static const dense_stage densenet121[] = {{6}, {12}, {24}, {16}, {0}};

static vt_map norm_relu(vt_net *net, const char *name, vt_map x)
{
    return vt_net_activate(net, vt_net_norm(net, name, x), VT_RELU);
}

/* All maps so far in, GROWTH more channels out. */
static vt_map dense_layer(vt_net *net, vt_map x)
{
    vt_map y = norm_relu(net, "norm1", x);
    y = vt_net_conv(net, "conv1", y, &(vt_conv){.out = BOTTLENECK, .kernel = 1});
    y = norm_relu(net, "norm2", y);
    y = vt_net_conv(net, "conv2", y, &(vt_conv){.out = GROWTH, .kernel = 3});
    return vt_net_concat(net, (const vt_map[]){x, y}, 2);
}

static vt_map transition(vt_net *net, vt_map x)
{
    vt_builder_enter(net->builder, "transition");
    x = norm_relu(net, "norm1", x);
    x = vt_net_conv(net, "conv1", x, &(vt_conv){.out = x.channels / 2, .kernel = 1});
    vt_net_leave(net);
    return vt_net_average_pool(net, x, 2, 2, 0);
}

static vt_map densenet_body(vt_net *net, vt_map x, const void *table)
{
    const dense_stage *stages = table;
    bool small = net->options->small_input;
    vt_conv conv = {.out = DENSENET_STEM, .kernel = small ? 3 : 7, .stride = small ? 1 : 2};
    vt_net_enter(net, "stem");
    x = vt_net_unit(net, 1, x, &conv, VT_RELU);
    if (!small)
        x = vt_net_max_pool(net, x, 3, 2, 1);
    vt_net_leave(net);
    for (int s = 0; stages[s].layers != 0; s++) {
        bool last = stages[s + 1].layers == 0;
        vt_net_enter(net, "stage%d", s + 1);
        for (int l = 0; l < stages[s].layers; l++) {
            vt_net_enter(net, "block%d", l + 1);
            x = dense_layer(net, x);
            vt_net_leave(net);
        }
        if (last)
            x = norm_relu(net, "norm", x);
        vt_net_tap(net, x);
        if (!last)
            x = transition(net, x);
        vt_net_leave(net);
    }
    return x;
}

const vt_architecture vt_architectures_densenet[1] = {
    {.info = {"densenet121", "Huang et al. 2016", 224, 7978856, 2.834, false, true, false},
     .body = densenet_body,
     .table = densenet121,
     .conv = VT_START_HE_IN,
     .linear = VT_START_TORCH,
     .epsilon = 1e-5F,
     .momentum = 0.9F,
     .minimum_size = 32},
};
