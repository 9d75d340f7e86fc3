/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What an architecture ends with: scores of classes, an embedding, several of them at once.
 *
 * Generalised mean pooling: Radenovic et al., "Fine-tuning CNN Image Retrieval with No Human
 * Annotation" (2018), equation 3, ((1/n) sum x^p)^(1/p), p trained, from 3 on; as exp and log, of x
 * not below 1e-6. Fusion: Lin et al., "Feature Pyramid Networks" (2016), section 3: 1x1
 * convolutions bring the maps to one channel count, coarser maps are enlarged (nearest) and added,
 * 3x3 convolutions smooth the sums. Departures: 128 channels instead of 256, all levels are pooled
 * and joined for one linear layer.
 */
#include "encoder/architecture_net.h"

#include "base/buf.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

enum { PYRAMID_CHANNELS = 128, MAXIMUM_HEADS = 32, NAME_BYTES = 64, MAXIMUM_CLASSES = 1000000 };

/* ---- pooling ---- */

static vt_value_id binary(vt_net *net, const char *op, vt_value_id a, vt_value_id b)
{
    return vt_builder_node(net->builder, op, NULL, (vt_value_id[]){a, b}, 2);
}

static vt_value_id unary(vt_net *net, const char *op, vt_value_id a)
{
    return vt_builder_node(net->builder, op, NULL, &a, 1);
}

/* x^p of positive numbers. */
static vt_value_id power(vt_net *net, vt_value_id x, vt_value_id p)
{
    return unary(net, "Exp", binary(net, "Mul", unary(net, "Log", x), p));
}

static vt_vector generalised_mean(vt_net *net, vt_map x)
{
    vt_value_id p = vt_builder_scalar(net->builder, "exponent", 3);
    vt_value_id floor_value = vt_builder_scalar(net->builder, "fixed_floor", 1e-6F);
    x.value = binary(net, "Clip", x.value, floor_value);
    x.value = power(net, x.value, p);
    vt_vector v = vt_net_global_average(net, x);
    v.value = power(net, v.value, unary(net, "Reciprocal", p));
    return v;
}

static vt_vector pool(vt_net *net, vt_map x)
{
    return net->options->pooling == VT_POOLING_GEM ? generalised_mean(net, x)
                                                   : vt_net_global_average(net, x);
}

/* ---- a pyramid of the last maps ---- */

static vt_map enlarge(vt_net *net, vt_map x, int side)
{
    /* The operator takes floor(side * scale), in whatever precision: the smallest float whose exact
     * product is enough. */
    float scale = (float)side / (float)x.side;
    while ((double)x.side * (double)scale < (double)side)
        scale = nextafterf(scale, INFINITY);
    const float scales[4] = {1, 1, scale, scale};
    const vt_shape four = {.rank = 1, .dims = {4}};
    const vt_value_id inputs[3] = {x.value, VT_NO_VALUE,
                                   vt_builder_floats(net->builder, "fixed_scales", &four, scales)};
    const char *attrs = "mode=nearest coordinate_transformation_mode=asymmetric nearest_mode=floor";
    x.value = vt_builder_node(net->builder, "Resize", attrs, inputs, 3);
    x.side = side;
    return x;
}

static vt_vector pyramid(vt_net *net, int levels)
{
    const vt_conv lateral = {.out = PYRAMID_CHANNELS, .kernel = 1, .bias = true};
    const vt_conv smooth = {.out = PYRAMID_CHANNELS, .kernel = 3, .bias = true};
    vt_value_id pooled[VT_MAXIMUM_TAPS] = {0};
    vt_map above = {0};
    /* The coarsest first, which those below it are added to. */
    for (int i = 0; i < levels; i++) {
        vt_map x = net->taps[net->tap_count - 1 - i];
        vt_net_enter(net, "level%d", levels - i);
        x = vt_net_conv(net, "lateral", x, &lateral);
        if (i > 0 && !vt_builder_failed(net->builder))
            x = vt_net_add(net, x, enlarge(net, above, x.side));
        above = x;
        x = vt_net_activate(net, vt_net_conv(net, "smooth", x, &smooth), VT_RELU);
        pooled[i] = pool(net, x).value;
        vt_net_leave(net);
    }
    return (vt_vector){
        .value = vt_builder_node(net->builder, "Concat", "axis=1", pooled, (size_t)levels),
        .width = levels * PYRAMID_CHANNELS};
}

/* ---- embedding ---- */

/* x / |x|, finite for zeros. */
static vt_value_id unit_length(vt_net *net, vt_value_id x)
{
    vt_value_id squares = binary(net, "Mul", x, x);
    const vt_value_id axis[2] = {squares,
                                 vt_builder_ints(net->builder, "fixed_axis", &(int64_t){1}, 1)};
    vt_value_id sum = vt_builder_node(net->builder, "ReduceSum", "keepdims=1", axis, 2);
    sum = binary(net, "Add", sum, vt_builder_scalar(net->builder, "fixed_floor", 1e-12F));
    return binary(net, "Div", x, unary(net, "Sqrt", sum));
}

static vt_value_id embedding(vt_net *net, vt_map features)
{
    const vt_architecture_options *options = net->options;
    int levels = options->fuse;
    vt_net_enter(net, "head");
    vt_net_enter(net, "embedding");
    if (levels > net->tap_count)
        vt_net_fail(net, "%d resolutions cannot be fused, it has %d", levels, net->tap_count);
    vt_vector v =
        levels > 0 && !vt_builder_failed(net->builder) ? pyramid(net, levels) : pool(net, features);
    v = vt_net_linear(net, "linear", v, options->dim);
    if (options->normalize) {
        vt_net_enter(net, "unit");
        v.value = unit_length(net, v.value);
        vt_net_leave(net);
    }
    vt_net_leave(net);
    vt_net_leave(net);
    return v.value;
}

/* ---- classes ---- */

typedef struct vt_head {
    char name[NAME_BYTES];
    int classes;
} vt_head;

/* One "name:classes" of the given length. */
static bool read_head(const char *text, size_t length, vt_head *out)
{
    const char *colon = memchr(text, ':', length);
    size_t name = colon == NULL ? 0 : (size_t)(colon - text), rest = length - name;
    char digits[16];
    int64_t classes;
    if (name == 0 || name >= sizeof(out->name) || rest < 2 || rest > sizeof(digits))
        return false;
    for (size_t i = 0; i < name; i++)
        if (strchr("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-", text[i]) ==
            NULL)
            return false;
    memcpy(out->name, text, name);
    out->name[name] = '\0';
    memcpy(digits, colon + 1, rest - 1);
    digits[rest - 1] = '\0';
    if (!vt_parse_int(digits, 1, MAXIMUM_CLASSES, &classes))
        return false;
    out->classes = (int)classes;
    return true;
}

/* Returns how many; fails on text that is none, on too many and on doubles. */
static int read_heads(vt_net *net, vt_head *heads)
{
    const char *at = net->options->heads;
    int count = 0;
    if (net->options->classes > 0)
        heads[count++] = (vt_head){.classes = net->options->classes};
    while (at != NULL && !vt_builder_failed(net->builder)) {
        size_t length = strcspn(at, ",");
        if (count == MAXIMUM_HEADS || !read_head(at, length, &heads[count]))
            vt_net_fail(net, "heads are at most %d of \"name:classes\", not \"%.*s\"",
                        MAXIMUM_HEADS, (int)(length < 80 ? length : 80), at);
        for (int i = 0; i < count; i++)
            if (strcmp(heads[i].name, heads[count].name) == 0)
                vt_net_fail(net, "head \"%s\" is there twice", heads[count].name);
        count++;
        at = at[length] == ',' ? at + length + 1 : NULL;
    }
    return vt_builder_failed(net->builder) ? 0 : count;
}

static vt_value_id scaled(vt_net *net, vt_value_id x)
{
    float scale = net->architecture->scale;
    return scale == 0.0F
               ? x
               : binary(net, "Mul", x, vt_builder_scalar(net->builder, "fixed_scale", scale));
}

/* What the last layers read. */
static vt_vector class_vector(vt_net *net, vt_map features)
{
    const vt_architecture *architecture = net->architecture;
    vt_vector v = net->scored;
    if (v.width == 0)
        v = architecture->neck == NULL ? pool(net, features)
                                       : architecture->neck(net, features, architecture->table);
    if (net->options->unit_classes) {
        vt_net_enter(net, "unit");
        v.value = unit_length(net, v.value);
        vt_net_leave(net);
    }
    return v;
}

static void class_heads(vt_net *net, vt_map features, vt_value_id *outputs, const vt_head *heads,
                        int count)
{
    const vt_architecture *architecture = net->architecture;
    vt_net_enter(net, "head");
    vt_vector v = class_vector(net, features);
    v.value = vt_net_dropout(net, v.value, vt_net_dropout_rate(net));
    if (architecture->zero_classes)
        net->linear = VT_START_ZERO;
    for (int i = 0; i < count; i++) {
        vt_net_enter(net, "%s", heads[i].name[0] == '\0' ? "classes" : heads[i].name);
        vt_vector y = vt_net_linear(net, "linear", v, heads[i].classes);
        outputs[i] = scaled(net, y.value);
        vt_net_leave(net);
    }
    net->linear = architecture->linear;
    vt_net_leave(net);
}

/* ---- all of it ---- */

void vt_net_heads(vt_net *net, vt_map features)
{
    vt_head heads[MAXIMUM_HEADS + 1] = {0};
    vt_value_id scores[MAXIMUM_HEADS + 1], vector = VT_NO_VALUE;
    int count = read_heads(net, heads);
    /* As an output it gets its name, which it keeps. */
    vt_builder_output(net->builder, "features", features.value);
    vt_builder_clear_outputs(net->builder);
    features.value = vt_builder_find(net->builder, "features");
    if (count > 0)
        class_heads(net, features, scores, heads, count);
    if (net->options->dim > 0)
        vector = embedding(net, features);
    for (int i = 0; i < count; i++) {
        char name[NAME_BYTES + 16] = "logits";
        if (heads[i].name[0] != '\0')
            snprintf(name, sizeof(name), "logits.%.*s", NAME_BYTES - 1, heads[i].name);
        vt_builder_output(net->builder, name, scores[i]);
    }
    if (net->options->dim > 0)
        vt_builder_output(net->builder, "embedding", vector);
}
