/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Vision transformers: ViT-Ti and ViT-S.
 *
 * Dosovitskiy et al., "An Image is Worth 16x16 Words" (2020), equations 1 to 4; the sizes of
 * Touvron et al., "Training data-efficient image transformers" (2021), table 1, as timm's
 * vit_tiny_patch16_224 and vit_small_patch16_224: class token, learned positions, normalisation
 * before each part. Scaled dot product attention after Vaswani et al. 2017, equation 1. Query, key
 * and value have a weight each instead of one common matrix: as many numbers, and adapters can take
 * them apart.
 *
 * The features are the patches' tokens as a map; classes read the class token, embeddings the map.
 */
#include "encoder/architecture_net.h"

#include <math.h>

typedef struct vit_table {
    int width, depth, heads;
} vit_table;

static const vit_table vit_ti = {192, 12, 3}, vit_s = {384, 12, 6};

enum { PATCH = 16, MLP_RATIO = 4 };

typedef struct vit_sizes {
    int width, heads, tokens;
} vit_sizes;

/* (N, tokens, width) to (N, heads, tokens, width / heads). */
static vt_value_id project(vt_net *net, const char *name, vt_value_id x, const vit_sizes *sizes)
{
    const int64_t apart[4] = {0, sizes->tokens, sizes->heads, sizes->width / sizes->heads};
    x = vt_net_dense(net, name, x, sizes->width, sizes->width);
    x = vt_net_reshape(net, x, apart, 4);
    return vt_builder_node(net->builder, "Transpose", "perm=0,2,1,3", &x, 1);
}

static vt_value_id attention(vt_net *net, vt_value_id x, const vit_sizes *sizes)
{
    vt_builder *builder = net->builder;
    const int64_t together[3] = {0, sizes->tokens, sizes->width};
    float scale = (float)(1.0 / sqrt((double)sizes->width / sizes->heads));
    vt_value_id q = project(net, "query", x, sizes);
    vt_value_id k = project(net, "key", x, sizes);
    vt_value_id v = project(net, "value", x, sizes);
    k = vt_builder_node(builder, "Transpose", "perm=0,1,3,2", &k, 1);
    vt_value_id s = vt_builder_node(builder, "MatMul", NULL, (vt_value_id[]){q, k}, 2);
    const vt_value_id scaled[2] = {s, vt_builder_scalar(builder, "fixed_scale", scale)};
    s = vt_builder_node(builder, "Mul", NULL, scaled, 2);
    s = vt_builder_node(builder, "Softmax", "axis=-1", &s, 1);
    s = vt_builder_node(builder, "MatMul", NULL, (vt_value_id[]){s, v}, 2);
    s = vt_builder_node(builder, "Transpose", "perm=0,2,1,3", &s, 1);
    s = vt_net_reshape(net, s, together, 3);
    return vt_net_dense(net, "out", s, sizes->width, sizes->width);
}

static vt_value_id add(vt_net *net, vt_value_id a, vt_value_id b)
{
    return vt_builder_node(net->builder, "Add", NULL, (vt_value_id[]){a, b}, 2);
}

static vt_value_id vit_block(vt_net *net, vt_value_id x, const vit_sizes *sizes)
{
    int width = sizes->width;
    vt_value_id y = vt_net_layer_norm(net, "norm1", x, width);
    vt_builder_enter(net->builder, "attention");
    y = attention(net, y, sizes);
    vt_net_leave(net);
    x = add(net, x, vt_net_drop_path(net, y, 3));
    y = vt_net_layer_norm(net, "norm2", x, width);
    y = vt_net_dense(net, "linear1", y, width, MLP_RATIO * width);
    y = vt_net_activate_value(net, y, VT_GELU);
    y = vt_net_dense(net, "linear2", y, MLP_RATIO * width, width);
    net->block--; /* both branches of a block have one rate */
    return add(net, x, vt_net_drop_path(net, y, 3));
}

/* Equation 1: patches, the class token before them, positions. */
static vt_value_id embed(vt_net *net, vt_map x, const vit_sizes *sizes)
{
    int64_t width = sizes->width, tokens = sizes->tokens;
    const double fans[2] = {1, 1}; /* not looked at */
    const vt_shape token = {.rank = 3, .dims = {1, 1, width}};
    const vt_shape places = {.rank = 3, .dims = {1, tokens, width}};
    vt_value_id patches = vt_net_reshape(net, x.value, (const int64_t[]){0, width, tokens - 1}, 3);
    patches = vt_builder_node(net->builder, "Transpose", "perm=0,2,1", &patches, 1);
    const vt_value_id spread[2] = {vt_net_filled(net, "token", &token, 0),
                                   vt_net_batch_shape(net, (const int64_t[]){1, width}, 2)};
    const vt_value_id parts[2] = {vt_builder_node(net->builder, "Expand", NULL, spread, 2),
                                  patches};
    vt_value_id all = vt_builder_node(net->builder, "Concat", "axis=1", parts, 2);
    return add(net, all, vt_net_weight(net, "positions", &places, VT_START_TRUNCATED, fans));
}

/* Tokens from `start` to `end` of axis 1. */
static vt_value_id slice(vt_net *net, vt_value_id x, const char *name, int64_t start, int64_t end)
{
    vt_net_enter(net, "%s", name);
    const vt_value_id inputs[4] = {x, vt_builder_ints(net->builder, "fixed_start", &start, 1),
                                   vt_builder_ints(net->builder, "fixed_end", &end, 1),
                                   vt_builder_ints(net->builder, "fixed_axis", &(int64_t){1}, 1)};
    vt_value_id y = vt_builder_node(net->builder, "Slice", NULL, inputs, 4);
    vt_net_leave(net);
    return y;
}

static vt_map vit_body(vt_net *net, vt_map x, const void *rows)
{
    const vit_table *table = rows;
    int patch = net->options->patch > 0 ? net->options->patch : PATCH;
    const vt_conv conv = {
        .out = table->width, .kernel = patch, .stride = patch, .valid = true, .bias = true};
    if (x.side % patch != 0)
        vt_net_fail(net, "size %d is no multiple of the patch, %d", x.side, patch);
    vt_net_enter(net, "stem");
    x = vt_net_conv(net, "conv1", x, &conv);
    vit_sizes sizes = {table->width, table->heads, x.side * x.side + 1};
    vt_value_id tokens = embed(net, x, &sizes);
    vt_net_leave(net);
    net->blocks = table->depth;
    for (int b = 0; b < table->depth; b++) {
        vt_net_enter(net, "stage%d.block1", b + 1);
        tokens = vit_block(net, tokens, &sizes);
        vt_net_leave(net);
    }
    vt_net_enter(net, "last");
    tokens = vt_net_layer_norm(net, "norm1", tokens, sizes.width);
    net->token = slice(net, tokens, "token", 0, 1);
    vt_value_id map = slice(net, tokens, "patches", 1, sizes.tokens);
    map = vt_builder_node(net->builder, "Transpose", "perm=0,2,1", &map, 1);
    x.value = vt_net_reshape(net, map, (const int64_t[]){0, sizes.width, x.side, x.side}, 4);
    vt_net_leave(net);
    vt_net_tap(net, x);
    return x;
}

static vt_vector vit_neck(vt_net *net, vt_map features, const void *table)
{
    (void)table;
    return (vt_vector){.value = vt_builder_node(net->builder, "Flatten", "axis=1", &net->token, 1),
                       .width = features.channels};
}

#define VIT(label, rows, parameters, gmacs)                                                        \
    {                                                                                              \
        .info = {label, "Dosovitskiy et al. 2020, Touvron et al. 2021",                            \
                 224,   parameters,                                                                \
                 gmacs, false,                                                                     \
                 false, true},                                                                     \
        .body = vit_body, .neck = vit_neck, .table = &(rows), .conv = VT_START_TORCH,              \
        .linear = VT_START_TRUNCATED, .minimum_size = 4, .one_scale = true                         \
    }

const vt_architecture vt_architectures_vit[2] = {
    VIT("vit-ti", vit_ti, 5717416, 1.26),
    VIT("vit-s", vit_s, 22050664, 4.61),
};
