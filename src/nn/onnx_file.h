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

/* The wire format, one field at a time; false where it is malformed or ends too early. */
typedef struct vt_wire {
    const uint8_t *at, *end;
} vt_wire;
/* Moves past one field; a length-delimited one becomes *body. */
bool vt_wire_field(vt_wire *in, uint64_t *tag, vt_wire *body);

/* onnx_skeleton.c: a model file without the raw data of its tensors, appended to `out`. In place of
 * raw_data, tensors of the graph and of attributes have a record of where it lies in the file. */
vt_status vt_onnx_skeleton(const void *bytes, size_t length, vt_buf *out, vt_error *error);
/* What such a record says; false when it is none. */
bool vt_onnx_skeleton_record(ProtobufCBinaryData raw, size_t *offset, size_t *length);

/* The file behind a skeleton. */
typedef struct vt_onnx_source {
    const uint8_t *bytes;
    size_t length;
    bool lasting; /* the bytes outlive the graph, so that large tensors may stay in them */
    bool lent;    /* one has */
} vt_onnx_source;

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

/* tensor_pb.c: a tensor of a skeleton. Data that lies in another file is refused; maximum_bytes 0:
 * the largest tensor there is. *out may borrow from a lasting source (owned false), at
 * addresses that are no multiple of the element size unless `aligned`. */
vt_status vt_tensor_from_skeleton(const Onnx__TensorProto *proto, vt_onnx_source *source,
                                  bool aligned, size_t maximum_bytes, vt_tensor *out,
                                  vt_error *error);
/* Numbers of a file's bytes: borrowed from them where that can be (see above), else copied. *out
 * comes with its type, shape and `bytes`. */
vt_status vt_tensor_from_bytes(const uint8_t *data, bool lasting, bool aligned,
                               size_t maximum_bytes, vt_tensor *out, vt_error *error);
vt_status vt_tensor_proto_head(const Onnx__TensorProto *proto, vt_dtype *dtype, vt_shape *shape,
                               vt_error *error);
/* Makes little-endian file data of `tensor` what this machine computes with; bool to 0 and 1. */
void vt_tensor_settle(vt_tensor *tensor);

/* onnx_external.c: weights in files beside the model. The graph keeps the files mapped. */
typedef struct vt_onnx_external {
    const char *directory; /* borrowed; NULL refuses everything */
    vt_graph *graph;
    char **locations; /* (file_count, owned) of the graph's newest mappings, in order */
    size_t file_count, file_capacity, first_mapping;
} vt_onnx_external;
void vt_onnx_external_close(vt_onnx_external *external); /* the mappings stay the graph's */
bool vt_onnx_is_external(const Onnx__TensorProto *proto);
vt_status vt_onnx_external_read(vt_onnx_external *external, const Onnx__TensorProto *proto,
                                bool aligned, vt_tensor *out, vt_error *error);

/* onnx_import.c: fills graph and model. directory: where external data may lie; NULL refuses it. */
vt_status vt_onnx_import(vt_onnx_source *source, const char *directory, vt_graph *graph,
                         struct vt_model *model, vt_error *error);

/* What a model is made of: filled by onnx_import.c, read by model.c and session.c. */
struct vt_model {
    vt_graph graph;
    const char *producer, *name; /* in the graph's arena, like the metadata */
    int64_t ir_version, opset;
    const char **keys, **texts; /* (metadata_count) */
    size_t metadata_count;
};

#endif
