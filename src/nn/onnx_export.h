/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A graph to an ONNX file, for vt_model_write and for networks made by code.
 *
 *     vt_onnx_export_options options = vt_onnx_export_options_defaults();
 *     vt_buf file;
 *     vt_buf_init(&file, VT_ONNX_FILE_MAXIMUM);
 *     vt_onnx_export(&graph, &options, &file, error);
 *
 * Threads: no state; the graph is only read.
 */
#ifndef VT_NN_ONNX_EXPORT_H
#define VT_NN_ONNX_EXPORT_H

#include "nn/graph.h"

/* A protobuf message is under 2 GiB. */
#define VT_ONNX_FILE_MAXIMUM ((size_t)INT32_MAX)

typedef struct vt_onnx_export_options {
    const char *producer, *graph_name;      /* borrowed */
    const char *const *keys, *const *texts; /* metadata_props (metadata_count), borrowed */
    size_t metadata_count;
    int64_t opset;      /* of ai.onnx, where no node says it */
    int64_t ir_version; /* 0: what came with the operator set; never above that is written */
    /* Where the numbers of weights go that take at least weights_from_bytes: appended to `weights`,
     * which the caller stores in the file `weights_location` beside the model; NULL: into the
     * model. */
    vt_buf *weights;
    const char *weights_location;
    size_t weights_from_bytes;
} vt_onnx_export_options;
vt_onnx_export_options vt_onnx_export_options_defaults(void);

/* Appends the file to `out`, which on failure holds what it held (`weights` may have grown). The
 * graph is finished. Values without a name get one; weights are written as raw data; outputs of
 * unknown type or shape get what planning for the declared inputs tells. VT_ERR_UNSUPPORTED when
 * nodes of one domain have different operator sets (a file has one of each); VT_ERR_LIMIT at
 * 2 GiB. */
vt_status vt_onnx_export(const vt_graph *graph, const vt_onnx_export_options *options, vt_buf *out,
                         vt_error *error);

#endif
