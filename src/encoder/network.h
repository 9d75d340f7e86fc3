/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Inside src/encoder: what an open encoder holds, and one ready-to-run network.
 * Threads: a vt_network belongs to one thread at a time; a vt_encoder is read-only once open.
 */
#ifndef VT_ENCODER_NETWORK_H
#define VT_ENCODER_NETWORK_H

#include "encoder/encoder.h"
#include "nn/model.h"

struct vt_encoder {
    char *name, *path;
    size_t dim;
    vt_hash fingerprint;
    vt_contract contract;
    vt_model *model;   /* NULL: classic */
    int maximum_batch; /* the model's fixed batch size, or a bound of ours where it is free */
    bool own_contract; /* as the file says, without a preset or another output: its golden picture
                          holds */
    bool golden_checked;
    vt_precision_verdict verdict; /* of networks */
    vt_model_heads heads; /* of classes, where scores are asked for; those without are no output */
    size_t score_count;   /* of all of them together; 0: none */
};

typedef struct vt_network vt_network;

typedef struct vt_network_options {
    vt_executor executor;
    vt_precision precision; /* of VT_EXECUTOR_ONEDNN */
    int threads;            /* of one run, 0: all cores */
    bool scores;            /* with the encoder's score_count numbers behind each vector */
} vt_network_options;
vt_status vt_network_new(const vt_encoder *encoder, const vt_network_options *options,
                         vt_network **out, vt_error *error);
void vt_network_free(vt_network *network);
/* Where picture `index` of the next run goes: (3, height, width) f32, for index < capacity. */
vt_status vt_network_input(vt_network *network, int batch, float **out, vt_error *error);
/* Runs the first `batch` pictures of the input: out (batch, dim), or (batch, dim + score_count)
 * with scores; vectors are pooled and of length 1 as the contract says; one that cannot be
 * normalised is left all zero. */
vt_status vt_network_run(vt_network *network, int batch, float *out, vt_error *error);
/* Of the newest run. */
size_t vt_network_activations_bytes(const vt_network *network);

/* Whether the model's input fits pictures; sets the contract's size and the encoder's batch bound.
 */
vt_status vt_network_bind(vt_encoder *encoder, vt_error *error);
/* Length of the embedding, by asking the graph for the shape of the chosen output; narrows the
 * batch bound to 1 for graphs that take one picture at a time. */
vt_status vt_network_measure(vt_encoder *encoder, vt_error *error);
/* Fills heads and score_count: of those heads that have as many scores as names. */
vt_status vt_network_measure_scores(vt_encoder *encoder, vt_error *error);

/* encoder.c: appends the file's bytes. */
vt_status vt_encoder_read(const vt_encoder *encoder, vt_buf *file, vt_error *error);

/* ---- golden.c ---- */

/* A picture, and the vector it must give. */
typedef struct vt_golden {
    vt_image image; /* owned */
    float *want;    /* (dim), owned; all zero until it is known */
    float *have;    /* (dim), in the memory of `want`: room for what an executor gives */
    bool stored;    /* as it rides in the file, else a picture of ours */
} vt_golden;
/* The stored one where the file has one that holds for this contract, else the picture of ours
 * without vector. vt_golden_deinit, also after a failure. */
vt_status vt_golden_init(const vt_encoder *encoder, vt_golden *golden, vt_error *error);
void vt_golden_deinit(vt_golden *golden);
/* out: (dim), the picture's vector, on one thread: it must not depend on the number of cores. */
vt_status vt_golden_embed(const vt_encoder *encoder, const vt_golden *golden, vt_executor executor,
                          vt_precision precision, float *out, vt_error *error);
/* *similarity: cosine of golden->want with what this precision gives. */
vt_status vt_golden_compare(const vt_encoder *encoder, vt_golden *golden, vt_precision precision,
                            double *similarity, vt_error *error);
bool vt_golden_holds(double similarity); /* not below 0.999 */
/* VT_ERR_MISMATCH: the stored vector comes out different in this precision. */
vt_status vt_golden_fail(const vt_encoder *encoder, vt_precision precision, double similarity,
                         vt_error *error);

/* precision.c: fills encoder->verdict, and checks the golden picture on the way where asked to. */
vt_status vt_precision_settle(vt_encoder *encoder, const vt_encoder_options *options,
                              vt_error *error);

/* ---- tuner.c: how the next pictures are run, by the time that earlier ones took ---- */

enum { VT_TUNER_SIZES = 7 }; /* batches of 1, 2, 4 ... 64 */
typedef struct vt_tuner_timing {
    int runs;       /* timed ones */
    double best_ms; /* of a whole run; of the fastest */
} vt_tuner_timing;
typedef struct vt_tuner {
    int cores, maximum_batch;
    vt_tuner_timing narrow[VT_TUNER_SIZES], wide[VT_TUNER_SIZES]; /* by log2 of the batch */
    int best;                                                     /* index of the best narrow one */
    bool settled; /* no larger batch will be tried */
    int crowded;  /* so many more times fewer pictures than cores must meet before a wide run */
} vt_tuner;
typedef struct vt_tuner_choice {
    int count; /* pictures; 0: leave them to another */
    bool wide; /* over all cores */
} vt_tuner_choice;
/* cores: that wide runs spread over; 1: there are none. */
void vt_tuner_init(vt_tuner *tuner, int cores, int maximum_batch);
/* Pictures came: so many are there now, those that run included. */
void vt_tuner_meet(vt_tuner *tuner, int pictures);
/* waiting: pictures; idle: runners without work, the one that asks included. */
vt_tuner_choice vt_tuner_choose(const vt_tuner *tuner, int waiting, int idle);
void vt_tuner_note(vt_tuner *tuner, const vt_tuner_choice *run, double took_ms);
/* From now on nothing larger than this is tried. */
void vt_tuner_bound(vt_tuner *tuner, int maximum_batch);

/* Appends the JSON entry of a golden picture with the vector that this executor gives it. */
vt_status vt_golden_print(const vt_encoder *encoder, vt_executor executor, vt_buf *json,
                          vt_error *error);
enum { VT_GOLDEN_BYTES = 4 << 20 }; /* of such an entry, at most */

/* Limits of an encoder's file and of one run. */
enum { VT_ENCODER_FILE_BYTES = 1 << 30, VT_BATCH_LIMIT = 64 };

#endif
