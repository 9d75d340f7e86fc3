/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ONNX files for tests, written field by field: no schema code is in the way of making files that
 * are wrong on purpose.
 *
 *     onnx_builder b;
 *     onnx_begin(&b);
 *     onnx_input(&b, "x", VT_F32, 4, (int64_t[]){-1, 3, 16, 16});
 *     onnx_weight(&b, "w", 4, (int64_t[]){8, 3, 3, 3}, values);
 *     onnx_node(&b, "Conv", "x,w", "y");
 *     onnx_node_ints(&b, "pads", 4, (int64_t[]){1, 1, 1, 1});   // of the newest node
 *     onnx_output(&b, "y", VT_F32, 4, (int64_t[]){-1, 8, 16, 16});
 *     vt_buf file = onnx_finish(&b);
 */
#ifndef VT_TESTS_SUPPORT_ONNX_BUILDER_H
#define VT_TESTS_SUPPORT_ONNX_BUILDER_H

#include "base/buf.h"
#include "base/random.h"
#include "nn/tensor.h"

#include <stdio.h>
#include <string.h>

enum { PB_VARINT = 0, PB_BYTES = 2, PB_FIXED32 = 5, PB_MAXIMUM = 64 << 20 };

static inline void pb_varint(vt_buf *out, uint64_t value)
{
    for (; value > 127; value >>= 7)
        vt_buf_append_char(out, (char)(unsigned char)(128 | (value & 127)));
    vt_buf_append_char(out, (char)value);
}

static inline void pb_int(vt_buf *out, unsigned field, int64_t value)
{
    pb_varint(out, field << 3 | PB_VARINT);
    pb_varint(out, (uint64_t)value);
}

static inline void pb_bytes(vt_buf *out, unsigned field, const void *bytes, size_t length)
{
    pb_varint(out, field << 3 | PB_BYTES);
    pb_varint(out, length);
    vt_buf_append(out, bytes, length);
}

static inline void pb_text(vt_buf *out, unsigned field, const char *text)
{
    pb_bytes(out, field, text, strlen(text));
}

static inline void pb_float(vt_buf *out, unsigned field, float value)
{
    pb_varint(out, field << 3 | PB_FIXED32);
    vt_buf_append(out, &value, sizeof(value));
}

/* Appends `message` as a field and empties it. */
static inline void pb_message(vt_buf *out, unsigned field, vt_buf *message)
{
    pb_bytes(out, field, vt_buf_text(message), message->length);
    vt_buf_deinit(message);
}

typedef struct onnx_builder {
    vt_buf graph; /* GraphProto so far, without the newest node */
    vt_buf node;  /* NodeProto so far; empty: none */
    vt_buf tail;  /* fields of ModelProto behind the graph: metadata_props */
    int64_t opset;
} onnx_builder;

static inline void onnx_begin(onnx_builder *b)
{
    *b = (onnx_builder){.opset = 13};
    vt_buf_init(&b->graph, PB_MAXIMUM);
    vt_buf_init(&b->node, PB_MAXIMUM);
    vt_buf_init(&b->tail, PB_MAXIMUM);
    pb_text(&b->graph, 2, "built");
}

static inline void onnx_flush_node(onnx_builder *b)
{
    if (b->node.length == 0)
        return;
    pb_message(&b->graph, 1, &b->node);
    vt_buf_init(&b->node, PB_MAXIMUM);
}

/* ValueInfoProto; a dimension of -1 is free ("N"). */
static inline void onnx_value(onnx_builder *b, unsigned field, const char *name, int64_t type,
                              int rank, const int64_t *dims)
{
    vt_buf shape, tensor, kind, value;
    vt_buf_init(&shape, PB_MAXIMUM);
    vt_buf_init(&tensor, PB_MAXIMUM);
    vt_buf_init(&kind, PB_MAXIMUM);
    vt_buf_init(&value, PB_MAXIMUM);
    for (int i = 0; i < rank; i++) {
        vt_buf dim;
        vt_buf_init(&dim, 64);
        if (dims[i] >= 0)
            pb_int(&dim, 1, dims[i]);
        else
            pb_text(&dim, 2, "N");
        pb_message(&shape, 1, &dim);
    }
    pb_int(&tensor, 1, type);
    pb_message(&tensor, 2, &shape);
    pb_message(&kind, 1, &tensor);
    pb_text(&value, 1, name);
    pb_message(&value, 2, &kind);
    pb_message(&b->graph, field, &value);
}

static inline void onnx_input(onnx_builder *b, const char *name, vt_dtype type, int rank,
                              const int64_t *dims)
{
    onnx_value(b, 11, name, type, rank, dims);
}

static inline void onnx_output(onnx_builder *b, const char *name, vt_dtype type, int rank,
                               const int64_t *dims)
{
    onnx_value(b, 12, name, type, rank, dims);
}

/* TensorProto with raw data. */
static inline void onnx_raw(onnx_builder *b, const char *name, vt_dtype type, int rank,
                            const int64_t *dims, const void *data, size_t bytes)
{
    vt_buf tensor;
    vt_buf_init(&tensor, PB_MAXIMUM);
    for (int i = 0; i < rank; i++)
        pb_int(&tensor, 1, dims[i]);
    pb_int(&tensor, 2, type);
    pb_text(&tensor, 8, name);
    pb_bytes(&tensor, 9, data, bytes);
    pb_message(&b->graph, 5, &tensor);
}

static inline void onnx_weight(onnx_builder *b, const char *name, int rank, const int64_t *dims,
                               const float *values)
{
    size_t count = 1;
    for (int i = 0; i < rank; i++)
        count *= (size_t)dims[i];
    onnx_raw(b, name, VT_F32, rank, dims, values, count * sizeof(float));
}

/* A weight whose data is said to lie in another file. */
static inline void onnx_external(onnx_builder *b, const char *name, int rank, const int64_t *dims,
                                 const char *location)
{
    vt_buf tensor, entry;
    vt_buf_init(&tensor, PB_MAXIMUM);
    vt_buf_init(&entry, PB_MAXIMUM);
    for (int i = 0; i < rank; i++)
        pb_int(&tensor, 1, dims[i]);
    pb_int(&tensor, 2, VT_F32);
    pb_text(&tensor, 8, name);
    pb_text(&entry, 1, "location");
    pb_text(&entry, 2, location);
    pb_message(&tensor, 13, &entry);
    pb_int(&tensor, 14, 1);
    pb_message(&b->graph, 5, &tensor);
}

/* inputs, outputs: names with commas between. */
static inline void onnx_node(onnx_builder *b, const char *op, const char *inputs,
                             const char *outputs)
{
    const char *const lists[] = {inputs, outputs};
    onnx_flush_node(b);
    for (unsigned list = 0; list < 2; list++)
        for (const char *at = lists[list]; *at != '\0';) {
            size_t length = strcspn(at, ",");
            pb_bytes(&b->node, list + 1, at, length);
            at += length + (at[length] == ',');
        }
    pb_text(&b->node, 4, op);
}

static inline void onnx_node_ints(onnx_builder *b, const char *name, int count,
                                  const int64_t *values)
{
    vt_buf attribute;
    vt_buf_init(&attribute, PB_MAXIMUM);
    pb_text(&attribute, 1, name);
    for (int i = 0; i < count; i++)
        pb_int(&attribute, 8, values[i]);
    pb_int(&attribute, 20, 7);
    pb_message(&b->node, 5, &attribute);
}

static inline void onnx_node_int(onnx_builder *b, const char *name, int64_t value)
{
    vt_buf attribute;
    vt_buf_init(&attribute, PB_MAXIMUM);
    pb_text(&attribute, 1, name);
    pb_int(&attribute, 3, value);
    pb_int(&attribute, 20, 2);
    pb_message(&b->node, 5, &attribute);
}

static inline void onnx_metadata(onnx_builder *b, const char *key, const char *value)
{
    vt_buf entry;
    vt_buf_init(&entry, PB_MAXIMUM);
    pb_text(&entry, 1, key);
    pb_text(&entry, 2, value);
    pb_message(&b->tail, 14, &entry);
}

/* The file; frees the builder. */
static inline vt_buf onnx_finish(onnx_builder *b)
{
    vt_buf file, opset;
    vt_buf_init(&file, PB_MAXIMUM);
    vt_buf_init(&opset, 64);
    onnx_flush_node(b);
    pb_int(&file, 1, 8); /* IR version */
    pb_text(&file, 2, "onnx_builder");
    pb_text(&opset, 1, "");
    pb_int(&opset, 2, b->opset);
    pb_message(&file, 7, &b->graph);
    pb_message(&file, 8, &opset);
    vt_buf_append(&file, vt_buf_text(&b->tail), b->tail.length);
    vt_buf_deinit(&b->tail);
    vt_buf_deinit(&b->node);
    return file;
}

/* ---- a small classifier of pictures ---- */

enum { TINY_SIDE = 16, TINY_FEATURES = 8, TINY_CLASSES = 5 };

typedef struct tiny_options {
    int64_t batch;      /* -1: free */
    vt_dtype type;      /* of the input; VT_F16: cast to f32 inside */
    uint64_t seed;      /* of the weights */
    bool fixed_reshape; /* the batch of 1 is written into a Reshape, as many exporters do */
    const char *contract, *golden; /* metadata; NULL: none */
} tiny_options;

static inline tiny_options tiny_defaults(void)
{
    return (tiny_options){.batch = -1, .type = VT_F32, .seed = 1};
}

static inline void tiny_weight(onnx_builder *b, const char *name, int rank, const int64_t *dims,
                               vt_random *random)
{
    float values[512];
    size_t count = 1;
    for (int i = 0; i < rank; i++)
        count *= (size_t)dims[i];
    for (size_t i = 0; i < count; i++)
        values[i] = vt_random_float(random, -0.5f, 0.5f);
    onnx_weight(b, name, rank, dims, values);
}

/* x (N,3,16,16) -> Conv, Relu "maps" (N,8,8,8) -> average "flat" (N,8) -> Gemm "classes" (N,5) */
static inline vt_buf tiny_build(const tiny_options *options)
{
    onnx_builder b;
    vt_random random;
    vt_random_init(&random, options->seed);
    onnx_begin(&b);
    onnx_input(&b, "x", options->type, 4, (int64_t[]){options->batch, 3, TINY_SIDE, TINY_SIDE});
    tiny_weight(&b, "conv_w", 4, (int64_t[]){TINY_FEATURES, 3, 3, 3}, &random);
    tiny_weight(&b, "conv_b", 1, (int64_t[]){TINY_FEATURES}, &random);
    tiny_weight(&b, "gemm_w", 2, (int64_t[]){TINY_CLASSES, TINY_FEATURES}, &random);
    tiny_weight(&b, "gemm_b", 1, (int64_t[]){TINY_CLASSES}, &random);
    if (options->type == VT_F16) {
        onnx_node(&b, "Cast", "x", "x32");
        onnx_node_int(&b, "to", VT_F32);
    }
    onnx_node(&b, "Conv", options->type == VT_F16 ? "x32,conv_w,conv_b" : "x,conv_w,conv_b",
              "before");
    onnx_node_ints(&b, "kernel_shape", 2, (int64_t[]){3, 3});
    onnx_node_ints(&b, "strides", 2, (int64_t[]){2, 2});
    onnx_node_ints(&b, "pads", 4, (int64_t[]){1, 1, 1, 1});
    onnx_node(&b, "Relu", "before", "maps");
    onnx_node(&b, "GlobalAveragePool", "maps", "average");
    if (options->fixed_reshape) {
        onnx_raw(&b, "one_row", VT_I64, 1, (int64_t[]){2}, (int64_t[]){1, TINY_FEATURES},
                 2 * sizeof(int64_t));
        onnx_node(&b, "Reshape", "average,one_row", "flat");
    } else {
        onnx_node(&b, "Flatten", "average", "flat");
    }
    onnx_node(&b, "Gemm", "flat,gemm_w,gemm_b", "classes");
    onnx_node_int(&b, "transB", 1);
    onnx_output(&b, "classes", VT_F32, 2, (int64_t[]){options->batch, TINY_CLASSES});
    if (options->contract != NULL)
        onnx_metadata(&b, "vitrine.contract", options->contract);
    if (options->golden != NULL)
        onnx_metadata(&b, "vitrine.golden", options->golden);
    return onnx_finish(&b);
}

#endif
