/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Networks to train, by name: published architectures with heads for classes and embeddings.
 *
 *     vt_architecture_options options = vt_architecture_options_defaults();
 *     options.size = 128;
 *     options.heads = "category:81,color:12";
 *     options.dim = 256;
 *     vt_architecture_build("resnet18", &options, &model, error);
 *
 * The input is "image", (N, 3, size, size) f32. Outputs, in this order: per head of classes the raw
 * scores (N, classes), named "logits" when there is one head without a name and otherwise
 * "logits.<head>"; then "embedding" (N, dim). What the architecture ends with before its last
 * linear layers is the value "features", (N, channels, side, side).
 *
 * Weights are named by their place: "stem.conv1.weight", "stage2.block1.norm1.bias",
 * "head.category.weight"; stages count from 1, the input's side first. Values named "fixed_..." are
 * constants of the arithmetic that no training changes. Weights are random as the source says,
 * equal for equal seeds.
 *
 * Threads: no shared state.
 */
#ifndef VT_ENCODER_ARCHITECTURE_H
#define VT_ENCODER_ARCHITECTURE_H

#include "nn/model.h"

typedef enum vt_pooling {
    VT_POOLING_AVERAGE,
    VT_POOLING_GEM, /* generalised mean with a trained exponent */
} vt_pooling;

typedef enum vt_activation {
    VT_LINEAR,
    VT_RELU,
    VT_RELU6,
    VT_HARD_SWISH,
    VT_GELU,
    VT_CELU
} vt_activation;

typedef struct vt_architecture_options {
    int size;         /* pixels of a side; 0: the published one */
    double width;     /* factor of all channel counts, where the architecture has one; default 1 */
    bool small_input; /* the stem keeps the resolution, for pictures of 32 to 64 px */
    bool identity;    /* convolutions over all channels begin by passing on what comes in */
    vt_activation activation; /* where the source has a ReLU; default VT_RELU */
    int patch; /* of vision transformers and ConvNeXt stems, pixels; 0: the published one */
    uint64_t seed;
    double dropout;          /* before the last layer, [0, 1); negative: the published rate */
    double stochastic_depth; /* of the last block, [0, 1); negative: the published rate */
    int classes;             /* one head without a name; 0: none. Not together with heads */
    const char *heads;       /* "name:classes,name:classes"; NULL: none */
    int dim;                 /* of the embedding; 0: none */
    vt_pooling pooling;      /* of the embedding */
    int fuse; /* 2 to 4: the embedding sees that many last resolutions, fused as a feature pyramid;
                 0: the last alone */
    bool normalize;    /* the embedding has length 1; default true */
    bool unit_classes; /* so has what heads of classes read: scores are cosines times the lengths
                          of weights */
    bool blank;        /* weights are zero, not random: for whoever asks for sizes alone */
} vt_architecture_options;
/* The published network without heads: set classes, heads or dim. */
vt_architecture_options vt_architecture_options_defaults(void);
/* relu, gelu, celu: what may stand in place of a ReLU. */
bool vt_activation_from_name(const char *name, vt_activation *out);

/* VT_ERR_NOT_FOUND: no such architecture; VT_ERR_USAGE: options that it cannot have, with the
 * reason. The model is the caller's. */
vt_status vt_architecture_build(const char *name, const vt_architecture_options *options,
                                vt_model **out, vt_error *error);

/* Where new heads go on a network that is there already. */
typedef struct vt_extension {
    const char *feature;     /* the value they read */
    vt_shape shape;          /* of it: (N, channels, side, side) or (N, channels) */
    const char *const *keep; /* (keep_count, at most 33) further values that stay outputs */
    size_t keep_count;
    const char *scored; /* (N, scored_width), one of `keep`, that heads of classes read; NULL: the
                           feature, pooled */
    int scored_width;
} vt_extension;
/* The network with heads by classes, heads, dim, pooling, normalize, dropout and seed of the
 * options, which have names as above; what it ended with before, but what is kept, is gone.
 * VT_ERR_USAGE: options that need a network by name, a value of another rank. */
vt_status vt_architecture_extend(const vt_model *model, const vt_extension *from,
                                 const vt_architecture_options *options, vt_model **out,
                                 vt_error *error);

typedef struct vt_architecture_info {
    const char *name, *source; /* the paper */
    int size;                  /* published input, pixels of a side */
    size_t parameters;         /* trained numbers with its published head */
    double gmacs;              /* 10^9 multiply-accumulates of it at that size */
    bool has_width, has_small_input, has_patch;
} vt_architecture_info;
/* The index-th of all, for help texts; NULL behind the last. */
const vt_architecture_info *vt_architecture_list(size_t index);

#endif
