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
};

typedef struct vt_network vt_network;

/* threads: of one run, 0: all cores. */
vt_status vt_network_new(const vt_encoder *encoder, vt_executor executor, int threads,
                         vt_network **out, vt_error *error);
void vt_network_free(vt_network *network);
/* Where picture `index` of the next run goes: (3, height, width) f32, for index < capacity. */
vt_status vt_network_input(vt_network *network, int batch, float **out, vt_error *error);
/* Runs the first `batch` pictures of the input: out (batch, dim), pooled and of length 1 as the
 * contract says; a vector that cannot be normalised is left all zero. */
vt_status vt_network_run(vt_network *network, int batch, float *out, vt_error *error);

/* Whether the model's input fits pictures; sets the contract's size and the encoder's batch bound.
 */
vt_status vt_network_bind(vt_encoder *encoder, vt_error *error);
/* Length of the embedding, by asking the graph for the shape of the chosen output; narrows the
 * batch bound to 1 for graphs that take one picture at a time. */
vt_status vt_network_measure(vt_encoder *encoder, vt_error *error);

/* golden.c: runs the golden picture of the model's metadata, if it has one. VT_ERR_MISMATCH when
 * the vector comes out different. */
vt_status vt_golden_verify(const vt_encoder *encoder, bool *present, vt_error *error);

/* Limits of an encoder's file and of one run. */
enum { VT_ENCODER_FILE_BYTES = 1 << 30, VT_BATCH_LIMIT = 64 };

#endif
