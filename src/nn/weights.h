/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a model's constants are for, and changes to a model that nobody else uses yet: for choosing
 * what to train, for adapters, for exporting.
 *
 *     vt_model_each_weight(model, note, &context, error);     // note(context, &weight)
 *
 *     vt_model_dup(model, &copy, error);
 *     vt_model_redirect(copy, "conv1.weight", "conv1.adapted", error);
 *     vt_model_prune(copy, outputs, 1, error);
 *
 * Threads: reading is safe from any thread; a model is changed by one, without sessions.
 */
#ifndef VT_NN_WEIGHTS_H
#define VT_NN_WEIGHTS_H

#include "nn/model.h"

typedef enum vt_weight_role {
    VT_WEIGHT_FIXED,      /* of the arithmetic: shapes, factors, thresholds, pixel means */
    VT_WEIGHT_STATISTIC,  /* running mean and variance of batch normalisation */
    VT_WEIGHT_KERNEL,     /* multiplied with in bulk: Conv, ConvTranspose, MatMul, Gemm */
    VT_WEIGHT_BIAS,       /* added along one axis */
    VT_WEIGHT_NORM_SCALE, /* of batch, layer, instance, group normalisation */
    VT_WEIGHT_NORM_BIAS,
    VT_WEIGHT_OTHER, /* learned: positions, tokens, layer scales, slopes, exponents of pooling */
} vt_weight_role;

typedef struct vt_weight_info {
    const char *name; /* borrowed from the model */
    vt_dtype dtype;
    vt_shape shape;
    size_t count;
    vt_weight_role role;
    const char *op_type; /* of the reader that decides the role, behind reshapes and transposes */
    size_t node;         /* that reader's place in execution order */
    size_t node_count;   /* of all */
} vt_weight_info;

/* Every constant of a float type that a node reads, in the order of its first reader. A constant is
 * fixed when its last name component begins with "fixed_", when it is a single number (unless that
 * component is "exponent"), and when it meets the network's input before anything learned did.
 * visit returning false ends the walk. */
vt_status vt_model_each_weight(const vt_model *model,
                               bool (*visit)(void *context, const vt_weight_info *weight),
                               void *context, vt_error *error);
/* A copy of one constant's numbers as f32, the caller's. */
vt_status vt_model_weight_read(const vt_model *model, const char *name, vt_tensor *out,
                               vt_error *error);
/* Name of the first output of the first node that reads this value; NULL: nobody does. */
const char *vt_model_reader(const vt_model *model, const char *name);
/* ... of the first input of that node: what a layer's weight is multiplied with. */
const char *vt_model_read_with(const vt_model *model, const char *name);

/* A copy of all of it. */
vt_status vt_model_dup(const vt_model *model, vt_model **out, vt_error *error);
/* What reads value `from` reads `to` instead, except the nodes that `to` is computed by; outputs
 * too, which then have the name `to`. */
vt_status vt_model_redirect(vt_model *model, const char *from, const char *to, vt_error *error);
/* Replaces the numbers of a f32 constant; values: (count). */
vt_status vt_model_weight_write(vt_model *model, const char *name, const float *values,
                                size_t count, vt_error *error);
/* Constants, inputs and casts of half precision (f16, bf16) become f32, so that the weights can be
 * trained. */
vt_status vt_model_widen(vt_model *model, vt_error *error);
/* Input number `input` takes this shape (-1: open), whatever the file says of the values behind it.
 */
vt_status vt_model_reshape(vt_model *model, size_t input, const vt_shape *shape, vt_error *error);
/* How a network looks at a picture besides looking at it. */
typedef struct vt_view_options {
    bool mirror;   /* its mirror image, left to right */
    int64_t shift; /* moved by so many pixels up left, and down right; each mirrored too if
                      `mirror`; 0: not */
} vt_view_options;
/* A copy that looks at every picture in several views: the values `outputs` (each once; they have
 * a row per picture) become the means, views in place having half of the weight. For networks with
 * one input, (N, C, H, W) of a known width, and height for `shift`; others are VT_ERR_UNSUPPORTED.
 * VT_ERR_USAGE: a shift by more than the picture. *out: the caller's. */
vt_status vt_model_with_views(const vt_model *model, const vt_view_options *options,
                              const char *const *outputs, size_t count, vt_model **out,
                              vt_error *error);
/* A copy with nodes of operator set 13 where they were older (new nodes want as much), for writing:
 * its constants are the model's, which must outlive it. VT_ERR_UNSUPPORTED names a node whose
 * operator has become another one. */
vt_status vt_model_raise(const vt_model *model, vt_model **out, vt_error *error);
/* Only what these outputs need stays: nodes, weights, inputs. outputs NULL: the model's own. */
vt_status vt_model_prune(vt_model *model, const char *const *outputs, size_t count,
                         vt_error *error);

#endif
