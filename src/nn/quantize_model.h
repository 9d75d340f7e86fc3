/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Static quantisation of a model, for other folders.
 *
 *     vt_quantizer_new(model, &input_shape, kept, 1, &quantizer, error);
 *     // run vt_quantizer_prepared(quantizer) with the values as outputs, then for each of them:
 *     vt_quantizer_set_threshold(quantizer, i, threshold);
 *     vt_quantizer_exclude(quantizer, node, true);          // stays in floats
 *     vt_quantizer_build(quantizer, VT_QUANTIZER_ALL, &quantized, error);
 *
 * A quantizer borrows the model; what it builds borrows from it, and both must outlive that.
 *
 * Threads: a quantizer belongs to one thread at a time.
 */
#ifndef VT_NN_QUANTIZE_MODEL_H
#define VT_NN_QUANTIZE_MODEL_H

#include "nn/model.h"

typedef struct vt_quantizer vt_quantizer;

/* input_shapes: one per input, complete (shapes of a typical run); kept: values that must stay
 * beside the outputs. VT_ERR_USAGE: quantised already; VT_ERR_UNSUPPORTED: nothing to quantise, or
 * an operator that has no like in operator set 13. */
vt_status vt_quantizer_new(const vt_model *model, const vt_shape *input_shapes,
                           const char *const *kept, size_t kept_count, vt_quantizer **out,
                           vt_error *error);
void vt_quantizer_free(vt_quantizer *quantizer); /* NULL is fine */
/* The same network in f32, in which all values below exist. */
const vt_model *vt_quantizer_prepared(const vt_quantizer *quantizer);

/* Values that need a threshold. */
size_t vt_quantizer_value_count(const vt_quantizer *quantizer);
const char *vt_quantizer_value(const vt_quantizer *quantizer, size_t index);
bool vt_quantizer_value_is_unsigned(const vt_quantizer *quantizer, size_t index);
void vt_quantizer_set_threshold(vt_quantizer *quantizer, size_t index, float threshold);

/* Nodes that can be quantised, in order. */
typedef struct vt_quantizer_node {
    const char *op, *name, *output; /* borrowed; name may be "" */
    const char *input;              /* name of the first value it reads in 8 bits */
    float threshold, scale;         /* of that value */
    bool is_unsigned;
    bool measurable; /* rounds on its own (what only moves values does not) */
    bool excluded;
    bool quantized; /* as things are now */
} vt_quantizer_node;
size_t vt_quantizer_node_count(const vt_quantizer *quantizer);
vt_quantizer_node vt_quantizer_node_of(const vt_quantizer *quantizer, size_t index);
void vt_quantizer_exclude(vt_quantizer *quantizer, size_t index, bool excluded);

#define VT_QUANTIZER_ALL SIZE_MAX
/* The quantised network; only: the one node to quantise, VT_QUANTIZER_ALL: all that are not
 * excluded. Thresholds are all set. */
vt_status vt_quantizer_build(vt_quantizer *quantizer, size_t only, vt_model **out, vt_error *error);

#endif
