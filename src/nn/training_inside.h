/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A training from inside: what training.c and training_choose.c share.
 *
 * Threads: as vt_training.
 */
#ifndef VT_NN_TRAINING_INSIDE_H
#define VT_NN_TRAINING_INSIDE_H

#include "nn/plan.h"
#include "nn/training.h"

enum { VT_TRAINING_PLANS = 2 };

/* A parameter or a state. */
typedef struct vt_tracked {
    vt_value_id value;
    vt_shape shape;
    size_t count;
    float *data, *gradient; /* gradient NULL: a state */
} vt_tracked;

typedef struct vt_training_plan {
    vt_shape *inputs; /* (model's input count) */
    vt_value_id *outputs;
    size_t output_count;
    vt_tensor *results; /* (output_count) */
    size_t *targets;    /* (output_count): number of the tracked one, SIZE_MAX: loss or output */
    void **memory;      /* (output_count): of gradients, NULL: elsewhere */
    vt_runner *runner;
} vt_training_plan;

struct vt_training {
    const vt_model *model;
    vt_graph graph; /* values and inputs are owned, all else is the model's */
    vt_executor executor;
    vt_precision precision;
    int threads;
    bool frozen, recompute, winograd;
    vt_tracked *list; /* parameters, then states */
    size_t parameter_count, state_count;
    void *memory; /* behind all of them */
    size_t parameters_bytes, gradients_bytes;
    vt_value_id loss, seed;
    vt_value_id *outputs;
    size_t output_count;
    int64_t seed_data[2]; /* of the options, and the step */
    vt_tensor *inputs;    /* (graph.input_count) of the current run */
    vt_training_plan *plans[VT_TRAINING_PLANS];
};

/* training_choose.c: fills list with parameters and states (no memory yet), and refuses networks in
 * which an operator on the way has no gradient. list has room for every value of the graph. */
vt_status vt_training_choose(vt_training *training, const vt_training_options *options,
                             vt_error *error);

#endif
