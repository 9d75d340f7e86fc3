/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Networks for the rest of the house: load an ONNX file, run it.
 *
 *     vt_model *model;
 *     vt_session *session;
 *     vt_model_open("resnet50.onnx", NULL, &model, error);
 *     vt_session_options options = vt_session_options_defaults();
 *     vt_session_new(model, &options, &session, error);
 *     vt_session_run(session, inputs, input_count, outputs, error);
 *
 * A model is the parsed, checked graph with its weights. A session is one ready-to-run instance:
 * chosen outputs, an executor, plans cached per input shape, and scratch memory. Prepared weights
 * are shared between the sessions of a model where the executor can.
 *
 * Threads: a model is read-only once open and may be shared by sessions in many threads (it must
 * outlive them). A session belongs to one thread at a time.
 */
#ifndef VT_NN_MODEL_H
#define VT_NN_MODEL_H

#include "nn/tensor.h"

typedef struct vt_model vt_model;
typedef struct vt_session vt_session;

typedef struct vt_model_limits {
    size_t file_bytes; /* of the model file and each external-data file */
    size_t nodes, initializers;
    int64_t dimension;   /* of any axis */
    size_t tensor_bytes; /* of any one tensor: weight, folded constant, intermediate */
    bool one_file;       /* external data is refused wherever it lies; default false */
} vt_model_limits;
vt_model_limits vt_model_limits_defaults(void); /* 2 GiB, 100000, 100000, 2^31, 4 GiB */

/* limits NULL: defaults. Checks everything that can be checked without input shapes: VT_ERR_FORMAT
 * truncated, cyclic, undefined or doubly defined values, bad attributes; VT_ERR_UNSUPPORTED unknown
 * operators, opsets, types; VT_ERR_LIMIT; VT_ERR_DENIED external data outside the model's
 * directory. Messages name the node (its name, or operator and output). f16/bf16/f64 weights of
 * float networks are kept as stored; executors convert.
 *
 * Large weights stay in the file and in external-data files, which are mapped until the model is
 * freed: these must not be changed in place meanwhile (a file that is made shorter ends the process
 * with SIGBUS, as every program that maps it). Replace them atomically, as vt_file_replace does. */
vt_status vt_model_open(const char *path, const vt_model_limits *limits, vt_model **out,
                        vt_error *error);
/* From bytes; external data is refused (there is no directory). */
vt_status vt_model_parse(const void *bytes, size_t length, const vt_model_limits *limits,
                         vt_model **out, vt_error *error);
void vt_model_free(vt_model *model);
/* Tells the kernel that what has been read of the model's files may leave memory; it is read again
 * when someone looks, so this is always safe. Done after opening; worth doing once all sessions
 * have run. */
void vt_model_release_pages(const vt_model *model);

typedef struct vt_value_info {
    const char *name; /* borrowed from the model */
    vt_dtype dtype;
    vt_shape shape; /* -1 where it depends on the input */
} vt_value_info;

size_t vt_model_input_count(const vt_model *model); /* without initializers */
vt_value_info vt_model_input(const vt_model *model, size_t index);
size_t vt_model_output_count(const vt_model *model);
vt_value_info vt_model_output(const vt_model *model, size_t index);
/* metadata_props; NULL when absent. */
const char *vt_model_metadata(const vt_model *model, const char *key);

/* onnx_metadata.c: sets metadata_props[key] = value in the bytes of an ONNX file, replacing the
 * buffer's content; everything else in the file is kept, also what this program does not know. */
vt_status vt_onnx_set_metadata(vt_buf *file, const char *key, const char *value, vt_error *error);

/* The model as an ONNX file, appended to `out` (which on failure holds what it
 * held): one file, with what vitrine knows of it and nothing else. Functions are inlined, external
 * data is inside. VT_ERR_LIMIT from 2 GiB on, which the format cannot hold. */
vt_status vt_model_write(const vt_model *model, vt_buf *out, vt_error *error);

typedef struct vt_model_summary {
    const char *producer, *graph_name;
    int64_t ir_version, opset;
    size_t nodes, parameters, parameter_bytes;
} vt_model_summary;
vt_model_summary vt_model_summary_of(const vt_model *model);

typedef struct vt_node_info {
    const char *op_type, *name, *output; /* output: name of the first output; all borrowed */
    vt_shape shape;                      /* of the first output, -1 where unknown */
    uint64_t macs;                       /* for the given input shapes; 0 where not counted */
} vt_node_info;
/* Describes every node for these input shapes (NULL: the declared ones, unknown axes taken as 1):
 * calls visit in execution order. */
vt_status vt_model_each_node(const vt_model *model, const vt_shape *input_shapes,
                             void (*visit)(void *context, const vt_node_info *node), void *context,
                             vt_error *error);

/* Values that can serve as an embedding: the name of the last value before the classifier, that is
 * the input of the last Gemm/MatMul/Conv whose result reaches the first output through nothing but
 * shape changes, pooling, dropout, activation and softmax. NULL: none found (use the output
 * itself). */
const char *vt_model_feature_output(const vt_model *model);
/* Whether any of its operators works on quantised numbers (QuantizeLinear, QLinearConv ...). */
bool vt_model_is_quantized(const vt_model *model);
bool vt_model_has_value(const vt_model *model, const char *name);

typedef enum vt_executor { VT_EXECUTOR_ONEDNN, VT_EXECUTOR_REFERENCE } vt_executor;

/* What a network computes in. Inputs, outputs and weights keep their types. BF16 leaves sensitive
 * operators in f32; INT8 runs what the file has quantised (QuantizeLinear and DequantizeLinear
 * around an operator) in int8 and the rest in bf16; all fall back to f32 where the hardware has
 * nothing faster. AUTO is a wish that whoever knows the right answer resolves (the encoder, by its
 * golden picture); a session takes it as F32. */
typedef enum vt_precision {
    VT_PRECISION_F32,
    VT_PRECISION_BF16,
    VT_PRECISION_INT8,
    VT_PRECISION_AUTO,
} vt_precision;
const char *vt_precision_name(vt_precision precision);        /* "f32" ... */
bool vt_precision_parse(const char *text, vt_precision *out); /* false: no such name */
/* Whether this CPU computes in it faster than in f32. */
bool vt_precision_is_fast(vt_precision precision);

typedef struct vt_session_options {
    vt_executor executor;
    vt_precision precision; /* of VT_EXECUTOR_ONEDNN; default F32 */
    int threads;            /* of one run; 0: all cores */
    bool split_batches;     /* default false: see vt_session_run */
    bool winograd;          /* 3x3 convolutions in f32 by Winograd's algorithm, where there is one:
                               up to 1.3 times as fast a network, results good to about 1e-5;
                               default false */
    const char *const *outputs; /* value names to compute, NULL: the graph's outputs */
    size_t output_count;
} vt_session_options;
vt_session_options vt_session_options_defaults(void); /* oneDNN, all cores, the graph's outputs */

vt_status vt_session_new(const vt_model *model, const vt_session_options *options, vt_session **out,
                         vt_error *error);
void vt_session_free(vt_session *session);
size_t vt_session_output_count(const vt_session *session);

/* inputs: one per model input, in order; VT_ERR_USAGE when type, rank or a fixed dimension differ.
 * outputs: (output count) tensors that on success borrow memory of the session, valid until its
 * next run or its end. The first run for a set of input shapes plans (shapes, folding, memory,
 * primitives); later ones reuse the plan. With split_batches a network that
 * treats the rows of a batch apart may run it in parts: the first runs of a batch size try the
 * whole and smaller parts (each planned once), and the fastest stays; results differ in rounding at
 * most.
 */
vt_status vt_session_run(vt_session *session, const vt_tensor *inputs, size_t input_count,
                         vt_tensor *outputs, vt_error *error);
/* Shapes of the outputs for these input shapes, without running. */
vt_status vt_session_output_shapes(vt_session *session, const vt_shape *input_shapes,
                                   size_t input_count, vt_shape *outputs, vt_error *error);

typedef struct vt_step_info {
    const char *op_type, *name, *output; /* of the step after all passes; output: of its last */
    vt_shape shape;                      /* of the output */
    vt_dtype compute;                    /* f32, bf16, i8 */
    const char *posts;                   /* what was folded into it, "add relu", or "" */
    const char *executor; /* "onednn brgconv:avx512_core", "view", "loop", "reference" */
    uint64_t macs;
} vt_step_info;
/* Plans for these input shapes as a run would, and describes every step in order; texts are valid
 * during the call. */
vt_status vt_session_each_step(vt_session *session, const vt_shape *input_shapes,
                               size_t input_count,
                               void (*visit)(void *context, const vt_step_info *step),
                               void *context, vt_error *error);

typedef struct vt_session_memory {
    size_t weights_bytes;     /* prepared for this session, beyond the model's own */
    size_t activations_bytes; /* planned arena of the newest plan */
    size_t unshared_bytes;    /* what the activations would take without reuse */
    size_t reorders;          /* layout conversions per run of the newest plan */
} vt_session_memory;
vt_session_memory vt_session_memory_of(const vt_session *session);

#endif
