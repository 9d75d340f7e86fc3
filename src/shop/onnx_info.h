/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Inside src/shop: what a model's description is made of. onnx_info.c fills what the file says,
 * onnx_plan.c what is run.
 * Threads: no shared state.
 */
#ifndef VT_SHOP_ONNX_INFO_H
#define VT_SHOP_ONNX_INFO_H

#include "shop/shop.h"

typedef struct vt_onnx_block {
    vt_onnx_info info; /* first: the caller holds a pointer to it */
    vt_arena arena;
    size_t node_capacity, step_capacity; /* of info.nodes and info.steps, both heap */
    bool out_of_memory;                  /* a text could not be kept */
} vt_onnx_block;

/* A copy of the text, which may be NULL. */
const char *vt_onnx_keep(vt_onnx_block *block, const char *text);
/* *out: one shape per input, as asked for or as an example; the caller's, vt_free. */
vt_status vt_onnx_shapes(const vt_model *model, const vt_onnx_info_options *options, vt_shape **out,
                         vt_error *error);
/* Steps, memory and reorders in this precision. A graph that cannot be planned is no failure, it is
 * noted. */
vt_status vt_onnx_describe_plan(const vt_model *model, const vt_shape *shapes,
                                vt_precision precision, vt_onnx_block *block, vt_error *error);

#endif
