/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Optimisers: weights changed by their gradients. Also what belongs to a step of one: gradients
 * gathered over several batches, clipped, weights that decay, and a moving average of the weights.
 *
 *     vt_optimizer_options options = vt_optimizer_options_defaults();
 *     vt_optimizer_parse("adamw:decay=0.05", &options, error);
 *     vt_optimizer_new(&options, weights, count, pool, &optimizer, error);
 *     vt_optimizer_add(optimizer);                   // after each batch: gathers the gradients
 *     vt_optimizer_step(optimizer, rate, &norm);     // after the last of them
 *     vt_optimizer_free(optimizer);
 *
 * The result does not depend on the number of threads.
 *
 * Threads: an optimiser belongs to one thread at a time.
 */
#ifndef VT_TRAIN_OPTIMIZER_H
#define VT_TRAIN_OPTIMIZER_H

#include "base/buf.h"
#include "base/thread.h"

typedef enum vt_optimizer_kind {
    VT_OPTIMIZER_SGD,
    VT_OPTIMIZER_ADAM,
    VT_OPTIMIZER_ADAMW,
    VT_OPTIMIZER_RMSPROP,
    VT_OPTIMIZER_KINDS
} vt_optimizer_kind;

typedef struct vt_optimizer_options {
    vt_optimizer_kind kind;
    double momentum;     /* sgd, rmsprop */
    double nesterov;     /* sgd: not 0: yes */
    double beta1, beta2; /* adam, adamw */
    double alpha;        /* rmsprop: of the mean square */
    double epsilon;      /* adam, adamw, rmsprop */
    double decay;        /* L2; adamw: decoupled */
    double l1;
    double clip; /* global norm of the gradient; 0: no bound */
} vt_optimizer_options;
/* sgd, momentum 0.9, Nesterov, decay 5e-4 */
vt_optimizer_options vt_optimizer_options_defaults(void);
/* "adamw:beta2=0.99,decay=0.05"; keys that are not named get the kind's usual values. */
vt_status vt_optimizer_parse(const char *text, vt_optimizer_options *out, vt_error *error);
bool vt_optimizer_print(const vt_optimizer_options *options, vt_buf *out);

typedef struct vt_weights {
    float *value;          /* (count), borrowed, changed by steps */
    const float *gradient; /* (count), borrowed */
    size_t count;
    float rate; /* factor on the learning rate */
    bool decay; /* whether L1 and L2 decay apply */
} vt_weights;

typedef struct vt_optimizer vt_optimizer;
vt_status vt_optimizer_new(const vt_optimizer_options *options, const vt_weights *weights,
                           size_t count, vt_pool *pool, vt_optimizer **out, vt_error *error);
void vt_optimizer_free(vt_optimizer *optimizer);
/* Gradients may lie elsewhere after each batch: gradients (count), borrowed. */
void vt_optimizer_set_gradients(vt_optimizer *optimizer, const float *const *gradients);
/* Adds the gradients to what is gathered. With one batch per step, vt_optimizer_step alone does. */
vt_status vt_optimizer_add(vt_optimizer *optimizer, vt_error *error);
/* One step with the mean of what was gathered, or the gradients themselves. *norm: of that mean
 * before clipping; where it is not finite nothing is changed. norm may be NULL. */
void vt_optimizer_step(vt_optimizer *optimizer, double rate, double *norm);

/* What has to be kept to go on later: arrays as long as the weights, and the number of steps. */
size_t vt_optimizer_slots(const vt_optimizer *optimizer); /* 0 to 2 per weight */
float *vt_optimizer_slot(vt_optimizer *optimizer, size_t weight, size_t slot);
uint64_t vt_optimizer_steps(const vt_optimizer *optimizer);
void vt_optimizer_set_steps(vt_optimizer *optimizer, uint64_t steps);

/* ---- ema.c: the moving average of weights (and of states, with count in `arrays`) ---- */
typedef struct vt_ema vt_ema;
typedef struct vt_ema_array {
    const float *value; /* (count), borrowed */
    size_t count;
} vt_ema_array;
/* decay: of the average per step, 0.999; early steps use less, (1 + steps) / (10 + steps). Starts
 * with the arrays' values. */
vt_status vt_ema_new(double decay, const vt_ema_array *arrays, size_t count, vt_ema **out,
                     vt_error *error);
void vt_ema_free(vt_ema *ema);
void vt_ema_update(vt_ema *ema, vt_pool *pool);
float *vt_ema_value(vt_ema *ema, size_t index); /* (count), the average's */
uint64_t vt_ema_steps(const vt_ema *ema);
void vt_ema_set_steps(vt_ema *ema, uint64_t steps);

#endif
