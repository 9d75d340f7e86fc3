/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Residual networks.
 *
 * ResNet-18/34/50: He et al., "Deep Residual Learning for Image Recognition" (2015), table 1, as
 * torchvision has them: the stride of a bottleneck is in its 3x3 convolution ("v1.5"), shortcuts
 * that change the size are 1x1 convolutions (option B). For small inputs the stem is one 3x3
 * convolution without pooling, as in section 4.2 of the paper.
 *
 * ResNet-9: the network that David Page's "How to Train Your ResNet" (2018/19) won DAWNBench's
 * CIFAR-10 with: every stage is a convolution and a pooling, two of them with a residual pair, then
 * the maximum over space and scores scaled by 0.125. As in its last form (part 8) maps are pooled
 * before they are normalised: what follows has a quarter of the pixels to read.
 */
#include "encoder/architecture_net.h"

enum { EXPANSION = 4 }; /* of a bottleneck */

typedef struct resnet_stage {
    int blocks, channels, stride;
    bool bottleneck;
} resnet_stage;

static const resnet_stage resnet18[] = {
    {2, 64, 1, 0}, {2, 128, 2, 0}, {2, 256, 2, 0}, {2, 512, 2, 0}, {0}};
static const resnet_stage resnet34[] = {
    {3, 64, 1, 0}, {4, 128, 2, 0}, {6, 256, 2, 0}, {3, 512, 2, 0}, {0}};
static const resnet_stage resnet50[] = {
    {3, 64, 1, 1}, {4, 128, 2, 1}, {6, 256, 2, 1}, {3, 512, 2, 1}, {0}};

/* 3x3 and 3x3, or 1x1, 3x3, 1x1, without the last activation. */
static vt_map residual(vt_net *net, vt_map x, const resnet_stage *stage, int stride)
{
    int channels = vt_net_width(net, stage->channels);
    vt_conv wide = {.out = channels, .kernel = 3, .stride = stride};
    if (!stage->bottleneck) {
        x = vt_net_unit(net, 1, x, &wide, VT_RELU);
        return vt_net_unit(net, 2, x, &(vt_conv){.out = channels, .kernel = 3}, VT_LINEAR);
    }
    x = vt_net_unit(net, 1, x, &(vt_conv){.out = channels, .kernel = 1}, VT_RELU);
    x = vt_net_unit(net, 2, x, &wide, VT_RELU);
    return vt_net_unit(net, 3, x, &(vt_conv){.out = EXPANSION * channels, .kernel = 1}, VT_LINEAR);
}

static vt_map resnet_block(vt_net *net, vt_map x, const resnet_stage *stage, int stride)
{
    vt_map y = residual(net, x, stage, stride);
    y.value = vt_net_drop_path(net, y.value, 4);
    if (stride != 1 || x.channels != y.channels) {
        vt_builder_enter(net->builder, "shortcut");
        vt_conv conv = {.out = y.channels, .kernel = 1, .stride = stride};
        x = vt_net_unit(net, 1, x, &conv, VT_LINEAR);
        vt_net_leave(net);
    }
    return vt_net_activate(net, vt_net_add(net, y, x), VT_RELU);
}

static vt_map resnet_stem(vt_net *net, vt_map x)
{
    bool small = net->options->small_input;
    vt_conv conv = {.out = vt_net_width(net, 64), .kernel = small ? 3 : 7, .stride = small ? 1 : 2};
    vt_net_enter(net, "stem");
    x = vt_net_unit(net, 1, x, &conv, VT_RELU);
    if (!small)
        x = vt_net_max_pool(net, x, 3, 2, 1);
    vt_net_leave(net);
    return x;
}

static vt_map resnet_body(vt_net *net, vt_map x, const void *table)
{
    const resnet_stage *stages = table;
    for (int s = 0; stages[s].blocks != 0; s++)
        net->blocks += stages[s].blocks;
    x = resnet_stem(net, x);
    for (int s = 0; stages[s].blocks != 0; s++) {
        for (int b = 0; b < stages[s].blocks; b++) {
            vt_net_enter(net, "stage%d.block%d", s + 1, b + 1);
            x = resnet_block(net, x, &stages[s], b == 0 ? stages[s].stride : 1);
            vt_net_leave(net);
        }
        vt_net_tap(net, x);
    }
    return x;
}

/* ---- ResNet-9 ---- */

typedef struct resnet9_stage {
    int channels;
    bool pool, residual;
} resnet9_stage;

static const resnet9_stage resnet9[] = {{64, 0, 0}, {128, 1, 1}, {256, 1, 0}, {512, 1, 1}, {0}};

static vt_map resnet9_body(vt_net *net, vt_map x, const void *table)
{
    const resnet9_stage *stages = table;
    for (int s = 0; stages[s].channels != 0; s++)
        net->blocks += stages[s].residual;
    for (int s = 0; stages[s].channels != 0; s++) {
        const vt_conv conv = {.out = vt_net_width(net, stages[s].channels), .kernel = 3};
        if (s == 0)
            vt_net_enter(net, "stem");
        else
            vt_net_enter(net, "stage%d", s);
        x = vt_net_conv(net, "conv1", x, &conv);
        if (stages[s].pool)
            x = vt_net_max_pool(net, x, 2, 2, 0);
        x = vt_net_activate(net, vt_net_norm(net, "norm1", x), VT_RELU);
        if (stages[s].residual) {
            vt_map y = vt_net_unit(net, 2, x, &conv, VT_RELU);
            y = vt_net_unit(net, 3, y, &conv, VT_RELU);
            y.value = vt_net_drop_path(net, y.value, 4);
            x = vt_net_add(net, y, x);
        }
        vt_net_leave(net);
        vt_net_tap(net, x);
    }
    return x;
}

static vt_vector resnet9_neck(vt_net *net, vt_map x, const void *table)
{
    (void)table;
    vt_value_id y = vt_builder_node(net->builder, "GlobalMaxPool", NULL, &x.value, 1);
    return (vt_vector){.value = vt_builder_node(net->builder, "Flatten", "axis=1", &y, 1),
                       .width = x.channels};
}

#define RESNET(layers, parameters, gmacs)                                                          \
    {                                                                                              \
        .info = {"resnet" #layers, "He et al. 2015", 224, parameters, gmacs, true, true, false},   \
        .body = resnet_body, .table = resnet##layers, .conv = VT_START_HE_OUT,                     \
        .linear = VT_START_TORCH, .epsilon = 1e-5F, .momentum = 0.9F, .minimum_size = 16           \
    }

const vt_architecture vt_architectures_resnet[4] = {
    {.info = {"resnet9", "Page 2018 (DAWNBench)", 32, 6573130, 0.379, true, false, false},
     .body = resnet9_body,
     .neck = resnet9_neck,
     .table = resnet9,
     .conv = VT_START_TORCH,
     .linear = VT_START_TORCH,
     .epsilon = 1e-5F,
     .momentum = 0.9F,
     .scale = 0.125F,
     .minimum_size = 8},
    RESNET(18, 11689512, 1.814),
    RESNET(34, 21797672, 3.664),
    RESNET(50, 25557032, 4.089),
};
