/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Training a network: forward, loss and gradients in one run of one graph.
 *
 *     vt_training_options options = vt_training_options_defaults();
 *     options.loss = "loss";                             // a scalar f32 value of the model
 *     vt_training_new(model, &options, &training, error);
 *     for (...) {
 *         vt_training_step(training, inputs, input_count, &loss, outputs, error);
 *         for (size_t i = 0; i < vt_training_parameter_count(training); i++) {
 *             vt_parameter p = vt_training_parameter(training, i);
 *             ...                                        // p.value[j] -= rate * p.gradient[j]
 *         }
 *     }
 *     vt_training_model(training, NULL, &trained, error);   // the network with these weights
 *
 * The model's nodes are differentiated into nodes of the same graph (gradient.c: reverse mode, one
 * rule per operator beside its reference), which the executor runs like any others: what is trained
 * (*parameters*) and what training updates by itself (*states*: running means and variances of
 * batch normalisation) are inputs of that graph. Labels are inputs of the model, the loss is nodes
 * of it (train/loss.c adds them). BatchNormalization and Dropout behave as in training.
 *
 * Threads: a training belongs to one thread at a time; it uses `threads` cores.
 */
#ifndef VT_NN_TRAINING_H
#define VT_NN_TRAINING_H

#include "nn/model.h"

typedef struct vt_training vt_training;

typedef struct vt_training_options {
    const char *loss;
    /* Names of f32 weights to train; NULL: all that the loss depends on through differentiable
     * operators, in the order of the graph. */
    const char *const *parameters;
    size_t parameter_count;
    const char *const
        *outputs; /* values that every step gives beside the loss (logits, embedding) */
    size_t output_count;
    vt_precision precision; /* F32, or BF16: what multiplies in bulk, forward and backward, over
                               f32 parameters and f32 gradients of them */
    int threads;            /* 0: all cores */
    uint64_t seed;  /* of dropout: a step's masks depend on it and the step's number alone */
    bool recompute; /* less memory for more time: activations are made again (the same bits); the
                       reference executor does not */
    bool winograd;  /* 3x3 convolutions in f32 by Winograd's algorithm, where there is one: faster,
                       gradients good to about 1e-5 of the largest one; default false */
    bool frozen_statistics; /* batch normalisation uses and keeps its running statistics */
} vt_training_options;
vt_training_options vt_training_options_defaults(void);

/* VT_ERR_UNSUPPORTED names the first node on the way from a parameter to the loss that has no
 * gradient. The model must outlive the training and is not changed. */
vt_status vt_training_new(const vt_model *model, const vt_training_options *options,
                          vt_training **out, vt_error *error);
void vt_training_free(vt_training *training);

typedef struct vt_parameter {
    const char *name; /* of the model's weight; borrowed */
    vt_shape shape;
    size_t count;
    float *value;    /* (count), the training's: write it between steps */
    float *gradient; /* (count) of the newest step; NULL for states */
} vt_parameter;
size_t vt_training_parameter_count(const vt_training *training);
vt_parameter vt_training_parameter(const vt_training *training, size_t index);
size_t vt_training_state_count(const vt_training *training);
vt_parameter vt_training_state(const vt_training *training, size_t index);

/* inputs: one per input of the model, in order. *loss and the gradients are of this batch; states
 * are updated. outputs: (output_count) tensors that borrow memory until the next step. The first
 * step of a set of input shapes plans, later ones allocate nothing. A loss that is not finite is
 * VT_OK: the caller sees it. */
vt_status vt_training_step(vt_training *training, const vt_tensor *inputs, size_t input_count,
                           float *loss, vt_tensor *outputs, vt_error *error);
/* Number of the next step, which dropout's masks depend on: for going on where a run stopped. */
void vt_training_set_step(vt_training *training, uint64_t step);

/* A copy of the model with the parameters' values (values[i]: (count) instead of the training's
 * own, NULL: those) and states; outputs and nodes are the model's. The caller's. */
vt_status vt_training_model(const vt_training *training, const float *const *values, vt_model **out,
                            vt_error *error);

typedef struct vt_training_memory {
    size_t parameters_bytes, gradients_bytes, activations_bytes; /* of the newest plan */
} vt_training_memory;
vt_training_memory vt_training_memory_of(const vt_training *training);

#endif
