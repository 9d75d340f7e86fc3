/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The registry of architectures: finding one, checking what is asked of it, building it.
 *
 * Each family's file says where its shapes are from. Parameter and operation counts are those of
 * torchvision's and timm's models with 1000 classes, which tests/encoder/test_architecture.c
 * holds the networks to.
 */
#include "encoder/architecture_net.h"

#include <string.h>

enum { MAXIMUM_SIZE = 4096, MAXIMUM_DIM = 65536 };

typedef struct family {
    const vt_architecture *rows;
    size_t count;
} family;

#define FAMILY(name)                                                                               \
    {                                                                                              \
        vt_architectures_##name, sizeof(vt_architectures_##name) / sizeof(vt_architecture)         \
    }

static const family families[] = {
    FAMILY(resnet),    FAMILY(vgg),        FAMILY(inception), FAMILY(densenet),
    FAMILY(mobilenet), FAMILY(shufflenet), FAMILY(convnext),  FAMILY(vit),
};

/* The index-th of all, NULL behind the last. */
static const vt_architecture *architecture_at(size_t index)
{
    for (size_t f = 0; f < sizeof(families) / sizeof(families[0]); f++) {
        if (index < families[f].count)
            return &families[f].rows[index];
        index -= families[f].count;
    }
    return NULL;
}

const vt_architecture_info *vt_architecture_list(size_t index)
{
    const vt_architecture *found = architecture_at(index);
    return found == NULL ? NULL : &found->info;
}

vt_architecture_options vt_architecture_options_defaults(void)
{
    return (vt_architecture_options){.width = 1.0,
                                     .activation = VT_RELU,
                                     .dropout = -1.0,
                                     .stochastic_depth = -1.0,
                                     .normalize = true};
}

bool vt_activation_from_name(const char *name, vt_activation *out)
{
    static const char *const names[] = {[VT_RELU] = "relu", [VT_GELU] = "gelu", [VT_CELU] = "celu"};
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
        if (names[i] != NULL && strcmp(names[i], name) == 0) {
            *out = (vt_activation)i;
            return true;
        }
    return false;
}

/* ---- checks ---- */

static bool is_rate(double rate)
{
    return rate < 1.0; /* negative: the published one; not a number is refused */
}

/* NULL: fine. */
static const char *range_problem(const vt_architecture_options *options)
{
    if (options->classes < 0 || options->dim < 0 || options->dim > MAXIMUM_DIM)
        return "classes and dim are not negative, dim is at most 65536";
    if (options->classes > 0 && options->heads != NULL)
        return "classes and named heads exclude each other";
    if (options->classes == 0 && options->heads == NULL && options->dim == 0)
        return "no head is asked for: classes, heads or dim";
    if (!is_rate(options->dropout) || !is_rate(options->stochastic_depth))
        return "rates of dropout and stochastic depth are below 1";
    if (!(options->width >= 0.05 && options->width <= 8.0))
        return "the width is between 0.05 and 8";
    if (options->fuse != 0 && (options->fuse < 2 || options->fuse > 4))
        return "2 to 4 resolutions can be fused";
    if (options->patch < 0 || options->patch > 64)
        return "a patch has 1 to 64 px";
    return NULL;
}

static const char *problem(const vt_architecture *architecture,
                           const vt_architecture_options *options)
{
    const vt_architecture_info *info = &architecture->info;
    if (options->width != 1.0 && !info->has_width)
        return "it has no width to change";
    if (options->small_input && !info->has_small_input)
        return "it has no form for small inputs";
    if (options->patch != 0 && !info->has_patch)
        return "it has no patches";
    if (options->fuse != 0 && architecture->one_scale)
        return "all its stages have one resolution, there is nothing to fuse";
    if (options->fuse != 0 && options->dim == 0)
        return "fusion is for embeddings, set dim";
    return range_problem(options);
}

static const vt_architecture *find(const char *name)
{
    const vt_architecture *row;
    for (size_t i = 0; (row = architecture_at(i)) != NULL; i++)
        if (strcmp(row->info.name, name) == 0)
            return row;
    return NULL;
}

/* ---- building ---- */

static void build(vt_net *net, int size)
{
    const vt_shape shape = {.rank = 4, .dims = {-1, 3, size, size}};
    const vt_architecture *architecture = net->architecture;
    net->image = vt_builder_input(net->builder, "image", VT_F32, &shape);
    vt_map image = {.value = net->image, .channels = 3, .side = size};
    vt_map features = architecture->body(net, image, architecture->table);
    vt_net_heads(net, features);
    vt_builder_metadata(net->builder, "vitrine.architecture", architecture->info.name);
}

vt_status vt_architecture_build(const char *name, const vt_architecture_options *options,
                                vt_model **out, vt_error *error)
{
    const vt_architecture *architecture = find(name);
    if (architecture == NULL)
        return vt_fail(error, VT_ERR_NOT_FOUND, "no architecture is named \"%.80s\"", name);
    int size = options->size == 0 ? architecture->info.size : options->size;
    const char *reason = problem(architecture, options);
    if (reason != NULL)
        return vt_fail(error, VT_ERR_USAGE, "architecture \"%s\": %s", name, reason);
    if (size < architecture->minimum_size || size > MAXIMUM_SIZE)
        return vt_fail(error, VT_ERR_USAGE, "architecture \"%s\": size %d is outside %d to %d",
                       name, size, architecture->minimum_size, MAXIMUM_SIZE);
    vt_net net;
    vt_net_init(&net, architecture, options);
    vt_status status = vt_builder_new(NULL, &net.builder, error);
    if (status != VT_OK)
        return status;
    build(&net, size);
    status = vt_builder_finish(net.builder, out, error);
    return status == VT_OK ? VT_OK : vt_fail_context(error, status, "architecture \"%s\"", name);
}
