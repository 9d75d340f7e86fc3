/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Reading ONNX protobuf messages from strangers, inside src/nn.
 *
 *     vt_onnx_budget budget;
 *     vt_onnx_scan(bytes, length, &onnx__model_proto__descriptor, error);
 *     vt_onnx_budget_init(&budget, length);
 *     proto = onnx__model_proto__unpack(&budget.allocator, length, bytes);
 *
 * Threads: no shared state.
 */
#ifndef VT_NN_ONNX_FILE_H
#define VT_NN_ONNX_FILE_H

#include "base/file.h"
#include "nn/graph.h"

#include "onnx.pb-c.h"

/* Walks the message's bytes by its schema: every length fits, nesting stays within bounds.
 * protobuf-c itself recurses as deep as the bytes tell it to. */
vt_status vt_onnx_scan(const void *bytes, size_t length,
                       const ProtobufCMessageDescriptor *descriptor, vt_error *error);

/* Unpacked messages are larger than their bytes; this allocator bounds by how much. What it hands
 * out is vt_free's, larger pieces 64-byte aligned. */
typedef struct vt_onnx_budget {
    ProtobufCAllocator allocator;
    size_t left;
    bool exceeded, out_of_memory;
} vt_onnx_budget;
void vt_onnx_budget_init(vt_onnx_budget *budget, size_t message_bytes);
/* Why an unpack with this budget gave nothing. */
vt_status vt_onnx_unpack_failed(const vt_onnx_budget *budget, const char *what, vt_error *error);

/* tensor_pb.c: takes raw_data out of `proto` where it can, so proto must come from such an
 * allocator. Data that lies in another file is refused. maximum_bytes 0: the largest tensor there
 * is. */
vt_status vt_tensor_from_proto(Onnx__TensorProto *proto, size_t maximum_bytes, vt_tensor *out,
                               vt_error *error);
vt_status vt_tensor_proto_head(const Onnx__TensorProto *proto, vt_dtype *dtype, vt_shape *shape,
                               vt_error *error);
/* Makes little-endian file data of `tensor` what this machine computes with; bool to 0 and 1. */
void vt_tensor_settle(vt_tensor *tensor);

/* onnx_external.c: weights in files beside the model. Keeps the newest file mapped. */
typedef struct vt_onnx_external {
    const char *directory; /* borrowed; NULL refuses everything */
    size_t file_bytes;     /* limit of one file */
    char *location;        /* of what is mapped; owned */
    vt_mapping mapping;
} vt_onnx_external;
void vt_onnx_external_close(vt_onnx_external *external);
bool vt_onnx_is_external(const Onnx__TensorProto *proto);
vt_status vt_onnx_external_read(vt_onnx_external *external, const Onnx__TensorProto *proto,
                                size_t maximum_bytes, vt_tensor *out, vt_error *error);

/* What a model is made of: filled by onnx_import.c, read by model.c and session.c. */
struct vt_model {
    vt_graph graph;
    const char *producer, *name; /* in the graph's arena, like the metadata */
    int64_t ir_version, opset;
    const char **keys, **texts; /* (metadata_count) */
    size_t metadata_count;
};

#endif
