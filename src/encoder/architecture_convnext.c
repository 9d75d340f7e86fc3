/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ConvNeXt in its small sizes.
 *
 * Liu et al., "A ConvNet for the 2020s" (2022), figure 4 and section 3.1: tiny; atto, femto and
 * pico are the sizes that timm published (Wightman 2022, convnext_atto and so on). Layer scale
 * starts at 1e-6 (timm, torchvision), stochastic depth is the paper's 0.1 for tiny and 0 below.
 * Departure: small inputs take a stem of stride 2 instead of 4, or what `patch` says.
 */
#include "encoder/architecture_net.h"

enum { STAGES = 4, RATIO = 4, STEM_PATCH = 4, SMALL_PATCH = 2 };

typedef struct convnext_table {
    int blocks[STAGES], channels[STAGES];
} convnext_table;

static const convnext_table atto = {{2, 2, 6, 2}, {40, 80, 160, 320}};
static const convnext_table femto = {{2, 2, 6, 2}, {48, 96, 192, 384}};
static const convnext_table pico = {{2, 2, 6, 2}, {64, 128, 256, 512}};
static const convnext_table tiny = {{3, 3, 9, 3}, {96, 192, 384, 768}};

/* Channels last, what layer normalisation and linear layers want. */
static vt_value_id to_rows(vt_net *net, vt_value_id x)
{
    return vt_builder_node(net->builder, "Transpose", "perm=0,2,3,1", &x, 1);
}

static vt_value_id to_map(vt_net *net, vt_value_id x)
{
    return vt_builder_node(net->builder, "Transpose", "perm=0,3,1,2", &x, 1);
}

static vt_map norm(vt_net *net, const char *name, vt_map x)
{
    vt_value_id rows = vt_net_layer_norm(net, name, to_rows(net, x.value), x.channels);
    x.value = to_map(net, rows);
    return x;
}

static vt_map convnext_block(vt_net *net, vt_map x)
{
    int c = x.channels;
    const vt_conv depthwise = {.out = c, .kernel = 7, .groups = c, .bias = true};
    const vt_shape row = {.rank = 1, .dims = {c}};
    vt_map y = vt_net_conv(net, "conv1", x, &depthwise);
    vt_value_id v = vt_net_layer_norm(net, "norm1", to_rows(net, y.value), c);
    v = vt_net_dense(net, "linear1", v, c, RATIO * c);
    v = vt_net_activate_value(net, v, VT_GELU);
    v = vt_net_dense(net, "linear2", v, RATIO * c, c);
    const vt_value_id scaled[2] = {v, vt_net_filled(net, "scale", &row, 1e-6F)};
    v = vt_builder_node(net->builder, "Mul", NULL, scaled, 2);
    y.value = vt_net_drop_path(net, to_map(net, v), 4);
    return vt_net_add(net, x, y);
}

/* A convolution without overlap, and a normalisation before or (first) behind it. */
static vt_map downsample(vt_net *net, vt_map x, int channels, int patch, bool first)
{
    const vt_conv conv = {
        .out = channels, .kernel = patch, .stride = patch, .valid = true, .bias = true};
    if (!first)
        x = norm(net, "norm1", x);
    x = vt_net_conv(net, "conv1", x, &conv);
    return first ? norm(net, "norm1", x) : x;
}

static vt_map convnext_body(vt_net *net, vt_map x, const void *rows)
{
    const convnext_table *table = rows;
    int patch = net->options->small_input ? SMALL_PATCH : STEM_PATCH;
    if (net->options->patch > 0)
        patch = net->options->patch;
    for (int s = 0; s < STAGES; s++)
        net->blocks += table->blocks[s];
    for (int s = 0; s < STAGES; s++) {
        if (s == 0)
            vt_net_enter(net, "stem");
        else
            vt_net_enter(net, "stage%d.down", s + 1);
        x = downsample(net, x, vt_net_width(net, table->channels[s]), s == 0 ? patch : 2, s == 0);
        vt_net_leave(net);
        for (int b = 0; b < table->blocks[s]; b++) {
            vt_net_enter(net, "stage%d.block%d", s + 1, b + 1);
            x = convnext_block(net, x);
            vt_net_leave(net);
        }
        vt_net_tap(net, x);
    }
    return x;
}

static vt_vector convnext_neck(vt_net *net, vt_map x, const void *table)
{
    (void)table;
    vt_vector v = vt_net_global_average(net, x);
    v.value = vt_net_layer_norm(net, "norm1", v.value, v.width);
    return v;
}

#define CONVNEXT(size_name, paper, parameters, gmacs, drop)                                        \
    {                                                                                              \
        .info = {"convnext-" #size_name, paper, 224, parameters, gmacs, true, true, true},         \
        .body = convnext_body, .neck = convnext_neck, .table = &size_name,                         \
        .conv = VT_START_TRUNCATED, .linear = VT_START_TRUNCATED, .depth = drop,                   \
        .minimum_size = 16                                                                         \
    }

const vt_architecture vt_architectures_convnext[4] = {
    CONVNEXT(atto, "Wightman 2022 (timm)", 3695520, 0.547, 0.0),
    CONVNEXT(femto, "Wightman 2022 (timm)", 5217784, 0.79, 0.0),
    CONVNEXT(pico, "Wightman 2022 (timm)", 9045672, 1.37, 0.0),
    CONVNEXT(tiny, "Liu et al. 2022", 28589128, 4.456, 0.1),
};
