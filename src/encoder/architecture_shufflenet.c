/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ShuffleNetV2 at 0.5x and 1.0x.
 *
 * Ma et al., "ShuffleNet V2" (2018), table 5 and figure 3 (c, d), as torchvision's: a unit works on
 * half of the channels and passes the other half on, then both are shuffled. Departure: a stem for
 * small inputs of stride 1 without pooling.
 */
#include "encoder/architecture_net.h"

enum { STAGES = 3, SHUFFLE_STEM = 24 };

typedef struct shuffle_table {
    int repeats[STAGES], channels[STAGES], last;
} shuffle_table;

static const shuffle_table shufflenet_05 = {{4, 8, 4}, {48, 96, 192}, 1024};
static const shuffle_table shufflenet_10 = {{4, 8, 4}, {116, 232, 464}, 1024};

/* Channels (half, 2) become (2, half). */
static vt_map shuffle(vt_net *net, vt_map x)
{
    const int64_t apart[5] = {0, 2, x.channels / 2, x.side, x.side};
    const int64_t together[4] = {0, x.channels, x.side, x.side};
    vt_value_id y = vt_net_reshape(net, x.value, apart, 5);
    y = vt_builder_node(net->builder, "Transpose", "perm=0,2,1,3,4", &y, 1);
    x.value = vt_net_reshape(net, y, together, 4);
    return x;
}

/* 1x1, 3x3 for each channel, 1x1. */
static vt_map right_branch(vt_net *net, vt_map x, int half, int stride)
{
    const vt_conv point = {.out = half, .kernel = 1};
    const vt_conv depth = {.out = half, .kernel = 3, .stride = stride, .groups = half};
    vt_builder_enter(net->builder, "right");
    x = vt_net_unit(net, 1, x, &point, VT_RELU);
    x = vt_net_unit(net, 2, x, &depth, VT_LINEAR);
    x = vt_net_unit(net, 3, x, &point, VT_RELU);
    vt_net_leave(net);
    return x;
}

static vt_map left_branch(vt_net *net, vt_map x, int half)
{
    const vt_conv depth = {.out = x.channels, .kernel = 3, .stride = 2, .groups = x.channels};
    vt_builder_enter(net->builder, "left");
    x = vt_net_unit(net, 1, x, &depth, VT_LINEAR);
    x = vt_net_unit(net, 2, x, &(vt_conv){.out = half, .kernel = 1}, VT_RELU);
    vt_net_leave(net);
    return x;
}

static vt_map shuffle_block(vt_net *net, vt_map x, int channels, int stride)
{
    vt_map parts[2] = {x, x};
    if (stride == 1) {
        vt_value_id halves[2];
        vt_builder_nodes(net->builder, "Split", "axis=1", &x.value, 1, halves, 2);
        for (int i = 0; i < 2; i++)
            parts[i] = (vt_map){halves[i], x.channels / 2, x.side};
    } else {
        parts[0] = left_branch(net, x, channels / 2);
    }
    parts[1] = right_branch(net, parts[1], channels / 2, stride);
    return shuffle(net, vt_net_concat(net, parts, 2));
}

static vt_map shuffle_body(vt_net *net, vt_map x, const void *rows)
{
    const shuffle_table *table = rows;
    bool small = net->options->small_input;
    vt_net_enter(net, "stem");
    x = vt_net_unit(net, 1, x,
                    &(vt_conv){.out = SHUFFLE_STEM, .kernel = 3, .stride = small ? 1 : 2}, VT_RELU);
    if (!small)
        x = vt_net_max_pool(net, x, 3, 2, 1);
    vt_net_leave(net);
    for (int s = 0; s < STAGES; s++) {
        for (int b = 0; b < table->repeats[s]; b++) {
            vt_net_enter(net, "stage%d.block%d", s + 1, b + 1);
            x = shuffle_block(net, x, table->channels[s], b == 0 ? 2 : 1);
            vt_net_leave(net);
        }
        vt_net_tap(net, x);
    }
    vt_net_enter(net, "last");
    x = vt_net_unit(net, 1, x, &(vt_conv){.out = table->last, .kernel = 1}, VT_RELU);
    vt_net_leave(net);
    vt_net_tap(net, x);
    return x;
}

#define SHUFFLE(label, rows, parameters, gmacs)                                                    \
    {                                                                                              \
        .info = {label, "Ma et al. 2018", 224, parameters, gmacs, false, true, false},             \
        .body = shuffle_body, .table = &(rows), .conv = VT_START_TORCH, .linear = VT_START_TORCH,  \
        .epsilon = 1e-5F, .momentum = 0.9F, .minimum_size = 16                                     \
    }

const vt_architecture vt_architectures_shufflenet[2] = {
    SHUFFLE("shufflenetv2-0.5", shufflenet_05, 1366792, 0.04),
    SHUFFLE("shufflenetv2-1.0", shufflenet_10, 2278604, 0.145),
};
