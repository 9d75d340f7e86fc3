/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Encoders: a picture in, a vector of length 1 out. Either an ONNX network with its pixel contract,
 * one of which (`vitrine-s`) the program brings, or `classic`, a descriptor that needs no weights.
 *
 *     vt_encoder *encoder;
 *     vt_encoder_options options = vt_encoder_options_defaults();
 *     vt_encoder_open("model.onnx", &options, &encoder, error);
 *     vt_encoder_info info = vt_encoder_info_of(encoder);
 *     vt_batcher *batcher;
 *     vt_batcher_options batching = vt_batcher_options_defaults();
 *     vt_batcher_new(encoder, &batching, &batcher, error);
 *     vt_batcher_embed(batcher, &image, 1, vector, error);     // (info.dim), from any thread
 *
 * Threads: an encoder is read-only once open. vt_batcher_embed may be called from any number of
 * threads: each prepares its own pixels, and the waiting tensors are run together in batches, so
 * that decoding in some threads overlaps the network in others.
 */
#ifndef VT_ENCODER_ENCODER_H
#define VT_ENCODER_ENCODER_H

#include "base/hash.h"
#include "encoder/heads.h"
#include "image/image.h"
#include "nn/model.h"

typedef struct vt_encoder vt_encoder;

/* The pixel contract: how pictures become input and which output is the embedding. In ONNX metadata
 * as described in docs/formats/pixel-contract.md; presets fill it for models that lack it. */
typedef struct vt_contract {
    vt_pixel_spec pixels;
    char output[256]; /* value name; "" : the graph's first output */
    bool pool;        /* average over the spatial axes of a 4-D output (the mean over tokens of a
                         3-D one); otherwise such an output is flattened (token 0 is taken) */
    bool normalize;   /* L2 */
} vt_contract;

enum { VT_CONTRACT_SIDE_MOST = 4096 }; /* pixels */

/* Keys in the file's metadata_props. */
#define VT_METADATA_CONTRACT "vitrine.contract"
#define VT_METADATA_GOLDEN   "vitrine.golden"

/* Which precision an encoder computes in, and why not in a faster one. */
typedef struct vt_precision_verdict {
    vt_precision precision; /* never AUTO */
    double similarity; /* cosine of its vector of the golden picture with the reference vector; NAN:
                          nothing was compared */
    char refused[192]; /* the faster ones that AUTO tried and why it left them; "" : none */
} vt_precision_verdict;

typedef struct vt_encoder_options {
    const char *preset; /* "imagenet" "caffe" "clip" "siglip" "dinov2" "none"; NULL: the file's own
                           contract, an error when it has none */
    const char *output; /* value name; NULL: the contract's, or for a preset the features before the
                           classifier */
    bool check_golden;  /* run the golden picture that rides in the file (if it does) */
    bool unit_length;   /* normalise also where the contract does not: what a store compares */
    vt_precision precision; /* AUTO: the fastest here whose vector of the golden picture has cosine
                               0.999 or more with the reference vector (see precision.c) */
    const vt_precision_verdict *known; /* what AUTO came to for this file, kind of machine and
                                          program before: taken over unless the golden picture
                                          contradicts it; NULL: none. Borrowed during the call */
    bool scores; /* give along what the file's classifier says, where it has one */
} vt_encoder_options;
vt_encoder_options
vt_encoder_options_defaults(void); /* NULL, NULL, true, false, AUTO, NULL, false */

#define VT_ENCODER_DEFAULT "vitrine-s" /* models/vitrine-s.onnx, which lies in the program */
/* The network alone; source: "vitrine-s" or the path of an ONNX file. */
vt_status vt_encoder_model_open(const char *source, const vt_model_limits *limits, vt_model **out,
                                vt_error *error);
/* source: the word "vitrine-s" or "classic", or the path of an ONNX file. VT_ERR_MISMATCH when the
 * golden vector comes out different (cosine below 0.999). */
vt_status vt_encoder_open(const char *source, const vt_encoder_options *options, vt_encoder **out,
                          vt_error *error);
void vt_encoder_free(vt_encoder *encoder);

typedef struct vt_encoder_info {
    const char *name; /* "classic" or the file's base name; borrowed */
    size_t dim;
    vt_hash fingerprint; /* of file content and contract: vectors are comparable only within one */
    const vt_contract *contract; /* borrowed; NULL for classic */
    int fit_width, fit_height;   /* what decoding must keep, for vt_decode_options */
    bool golden_checked;
    const vt_precision_verdict *precision; /* borrowed; NULL for classic */
    size_t score_count; /* numbers that come behind each vector; 0: none were asked for, or the file
                           has no scores with as many names in its metadata */
    const vt_model_heads *heads; /* whose they are: those with an output, one after the other;
                                    borrowed; NULL: none come */
} vt_encoder_info;
vt_encoder_info vt_encoder_info_of(const vt_encoder *encoder);

/* golden.c: the model file with the contract and a golden picture with the vector that this encoder
 * gives it, in its metadata: what a shop keeps. Appends to `file`. Not for classic (VT_ERR_USAGE).
 */
vt_status vt_encoder_pack(const vt_encoder *encoder, vt_buf *file, vt_error *error);
/* The same of a model file with a contract that is going to be `path`, whatever golden vector is in
 * it: it is opened as an encoder beside that place, and `file` becomes what is to be written. */
vt_status vt_encoder_pack_file(const char *path, vt_buf *file, vt_error *error);

typedef struct vt_encoder_check {
    bool has_contract;        /* in the file, whether or not it was opened with a preset */
    bool has_golden;          /* one that holds: opened with a preset or another output none does */
    double golden_similarity; /* cosine with the stored golden vector, in the encoder's precision;
                                 NAN: none */
    double reference_similarity; /* cosine of the two executors' vectors of one picture */
} vt_encoder_check;
/* golden.c: for `model check`: runs the golden picture (or one of ours where the file has none) on
 * both executors. VT_ERR_MISMATCH when a similarity is below 0.999. */
vt_status vt_encoder_check_golden(const vt_encoder *encoder, vt_encoder_check *out,
                                  vt_error *error);

/* ---- contract.c ---- */
vt_status vt_contract_preset(const char *name, vt_contract *out, vt_error *error);
vt_status vt_contract_parse(const char *json, size_t length, vt_contract *out, vt_error *error);
vt_status vt_contract_print(const vt_contract *contract, vt_buf *out, vt_error *error); /* JSON */

/* ---- precision.c ---- */
/* Names the kind of machine that an AUTO verdict holds for: vector level and fast precisions. */
void vt_precision_machine(char *out, size_t capacity);

/* ---- batcher.c ---- */
typedef struct vt_batcher vt_batcher;
typedef struct vt_batcher_options {
    int runners;       /* threads that run the network, one per core; 0: as many as cores */
    int maximum_batch; /* pictures run together at most; up to it the size is found by measuring */
    bool bulk; /* a long queue comes: one core each from the first picture on, without planning what
                  runs over all cores */
    double (*clock_ms)(void); /* what measures; NULL: vt_clock_ms */
} vt_batcher_options;
vt_batcher_options vt_batcher_options_defaults(void); /* 0, 16, false, NULL */
vt_status vt_batcher_new(const vt_encoder *encoder, const vt_batcher_options *options,
                         vt_batcher **out, vt_error *error);
void vt_batcher_free(vt_batcher *batcher); /* nobody may be inside vt_batcher_embed */
/* images: (count); out: (count, dim), each of length 1 (when the contract normalises), or with
 * scores (count, dim + score_count): behind each vector what the classifier says. Blocks until
 * done. A vector that is zero or not finite is VT_ERR_MISMATCH: such a picture cannot be searched.
 */
vt_status vt_batcher_embed(vt_batcher *batcher, const vt_image *images, size_t count, float *out,
                           vt_error *error);
typedef struct vt_batcher_stats {
    uint64_t wide_runs, narrow_runs; /* over all cores, on one core */
    int best_batch;                  /* of a narrow run, by what was measured so far */
} vt_batcher_stats;
vt_batcher_stats vt_batcher_stats_of(vt_batcher *batcher);

/* ---- classic.c ---- */
enum { VT_CLASSIC_VERSION = 1, VT_CLASSIC_SIDE_PX = 128 };
size_t vt_classic_dim(void);
vt_status vt_classic_embed(const vt_image *image, float *out, vt_error *error);

#endif
