/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the architectures' files share: layers with their random weights, on a builder.
 *
 *     vt_net_enter(net, "stage%d", 1);
 *     x = vt_net_conv(net, "conv1", x, &(vt_conv){.out = 64, .kernel = 3, .stride = 2});
 *     x = vt_net_activate(net, vt_net_norm(net, "norm1", x), VT_RELU);
 *     vt_net_leave(net);
 *
 * As with the builder, the first failure stays and calls need no check.
 *
 * Threads: a net belongs to one thread.
 */
#ifndef VT_ENCODER_ARCHITECTURE_NET_H
#define VT_ENCODER_ARCHITECTURE_NET_H

#include "base/random.h"
#include "encoder/architecture.h"
#include "nn/builder.h"

enum { VT_MAXIMUM_TAPS = 16, VT_MAXIMUM_CHANNELS = 1 << 16 };

/* How weights start; fan_in: numbers that make one output, fan_out: outputs that one input goes
 * to. */
typedef enum vt_start {
    VT_START_TORCH,      /* uniform, +-1 / sqrt(fan_in), biases too: torch.nn's own */
    VT_START_HE_IN,      /* normal, sqrt(2 / fan_in); He et al. 2015, equation 10 */
    VT_START_HE_OUT,     /* normal, sqrt(2 / fan_out); equation 14 */
    VT_START_NORMAL,     /* normal, 0.01 */
    VT_START_TRUNCATED,  /* normal, 0.02, within +-2 */
    VT_START_TRUNCATED5, /* normal, 0.1, within +-2 */
    VT_START_ZERO,       /* what reads learned features should not push them about before it has
                            learned something (Kolesnikov et al., "Big Transfer", 2020, 3.3) */
} vt_start;

typedef struct vt_map {
    vt_value_id value; /* (N, channels, side, side) */
    int channels, side;
} vt_map;

typedef struct vt_vector {
    vt_value_id value; /* (N, width) */
    int width;
} vt_vector;

typedef struct vt_net vt_net;

/* How one architecture is made: a row of the registry. */
typedef struct vt_architecture {
    vt_architecture_info info;
    /* From the image to the features; calls vt_net_tap after each stage. table: the rows of the
     * architecture's own stages. */
    vt_map (*body)(vt_net *net, vt_map image, const void *table);
    /* What the last layer of classes reads, inside scope "head"; NULL: the features, pooled as the
     * options say. */
    vt_vector (*neck)(vt_net *net, vt_map features, const void *table);
    const void *table;
    vt_start conv, linear;
    float epsilon, momentum; /* of batch normalisation; momentum: of the old mean */
    double dropout, depth;   /* published rates */
    float scale;             /* of the scores; 0: none */
    int minimum_size;
    bool zero_classes; /* layers of classes start at zero, not as others that are linear */
    bool one_scale;    /* all stages have the same side: nothing to fuse */
} vt_architecture;

struct vt_net {
    vt_builder *builder;
    const vt_architecture_options *options;
    const vt_architecture *architecture;
    vt_random random; /* parent of each weight's own */
    uint64_t drawn;   /* weights so far */
    unsigned named;   /* constants so far that have a number for a name */
    vt_start linear;  /* of linear layers from here on */
    vt_value_id image;
    vt_value_id ones;             /* (N, 1, 1, 1), for stochastic depth; VT_NO_VALUE until wanted */
    vt_value_id fixed[8];         /* constants of activations, VT_NO_VALUE until wanted */
    int block, blocks;            /* for the rate of stochastic depth, which grows linearly */
    vt_value_id token;            /* the class token's vector, of vision transformers */
    vt_vector scored;             /* what heads of classes read; width 0: the features, pooled */
    vt_map taps[VT_MAXIMUM_TAPS]; /* the last map of each side */
    int tap_count;
};

typedef struct vt_conv {
    int out, kernel;
    int kernel_w; /* 0: as kernel */
    int stride;   /* 0: 1 */
    int groups;   /* 0: 1 */
    bool valid;   /* no padding; else kernel / 2 on all sides */
    bool bias;
} vt_conv;

/* ---- architecture_net.c ---- */
/* A net without a builder yet; both stay the caller's. */
void vt_net_init(vt_net *net, const vt_architecture *architecture,
                 const vt_architecture_options *options);
void vt_net_enter(vt_net *net, const char *format, ...) VT_PRINTF(2, 3);
void vt_net_leave(vt_net *net);
void vt_net_fail(vt_net *net, const char *format, ...) VT_PRINTF(2, 3);
/* channels times the width option, to a multiple of 8 and at least 90 % (as MobileNets do). */
int vt_net_width(const vt_net *net, int channels);
int vt_net_divisible(double channels);
vt_map vt_net_conv(vt_net *net, const char *name, vt_map x, const vt_conv *conv);
vt_map vt_net_norm(vt_net *net, const char *name, vt_map x); /* batch normalisation */
/* Layer normalisation over the last axis of `width` numbers. */
vt_value_id vt_net_layer_norm(vt_net *net, const char *name, vt_value_id x, int width);
vt_value_id vt_net_activate_value(vt_net *net, vt_value_id x, vt_activation activation);
vt_map vt_net_activate(vt_net *net, vt_map x, vt_activation activation);
/* conv<index>, norm<index>, activation. */
vt_map vt_net_unit(vt_net *net, int index, vt_map x, const vt_conv *conv, vt_activation activation);
vt_map vt_net_add(vt_net *net, vt_map a, vt_map b);
vt_map vt_net_concat(vt_net *net, const vt_map *maps, int count);
vt_map vt_net_max_pool(vt_net *net, vt_map x, int kernel, int stride, int pad);
vt_map vt_net_average_pool(vt_net *net, vt_map x, int kernel, int stride, int pad);
/* Batches of maps as batches of rows, and so on: 0 in dims keeps a dimension. */
vt_value_id vt_net_reshape(vt_net *net, vt_value_id x, const int64_t *dims, int count);
vt_vector vt_net_global_average(vt_net *net, vt_map x);
vt_vector vt_net_linear(vt_net *net, const char *name, vt_vector x, int out);
/* The same on the last axis of any rank. */
vt_value_id vt_net_dense(vt_net *net, const char *name, vt_value_id x, int in, int out);
vt_value_id vt_net_dropout(vt_net *net, vt_value_id x, double rate);
/* Ends a residual branch: in training it is left out for some pictures, for more in later blocks
 * (Huang et al. 2016, equation 4; survivors are scaled up, as torchvision's and timm's are). Counts
 * blocks. rank: of x, at least 3. */
vt_value_id vt_net_drop_path(vt_net *net, vt_value_id x, int rank);
/* (N, dims...): a shape value whose first number is the batch's. */
vt_value_id vt_net_batch_shape(vt_net *net, const int64_t *dims, int count);
double vt_net_dropout_rate(const vt_net *net);
/* A stage ends here: its map may be fused. */
void vt_net_tap(vt_net *net, vt_map x);

/* ---- architecture_start.c: first values ---- */
vt_value_id vt_net_weight(vt_net *net, const char *name, const vt_shape *shape, vt_start start,
                          const double fans[2]); /* fan_in, fan_out */
/* A convolution's, (out, in, height, width): as the architecture says, and with the option
 * `identity` as many channels as there are come out as they come in. */
vt_value_id vt_net_kernel(vt_net *net, const char *name, const vt_shape *shape,
                          const double fans[2]);
vt_value_id vt_net_filled(vt_net *net, const char *name, const vt_shape *shape, float value);

/* ---- architecture_heads.c ---- */
void vt_net_heads(vt_net *net, vt_map features);

/* ---- the families: architecture_<family>.c ---- */
extern const vt_architecture vt_architectures_resnet[4];
extern const vt_architecture vt_architectures_vgg[2];
extern const vt_architecture vt_architectures_inception[1];
extern const vt_architecture vt_architectures_densenet[1];
extern const vt_architecture vt_architectures_mobilenet[3];
extern const vt_architecture vt_architectures_shufflenet[2];
extern const vt_architecture vt_architectures_convnext[4];
extern const vt_architecture vt_architectures_vit[2];

#endif
