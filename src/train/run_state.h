/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Inside src/train: what a run holds, and its parts: run.c (order of things), run_network.c (what
 * is trained), run_adopt.c (a network to go on from), run_whiten.c (how its first layer starts),
 * run_imprint.c (how its last ones do), run_step.c (a step), run_sam.c (its gradients),
 * run_evaluate.c, run_measure.c (what it finds, by head), run_save.c (checkpoints), run_log.c,
 * run_export.c, report*.c.
 *
 * Threads: as vt_run.
 */
#ifndef VT_TRAIN_RUN_STATE_H
#define VT_TRAIN_RUN_STATE_H

#include "eval/attributes.h"
#include "eval/classification.h"
#include "nn/training.h"
#include "train/loader.h"
#include "train/run.h"
#include "train/tensorboard.h"

#include <stdio.h>

enum {
    VT_RUN_NEIGHBOURS = 10,
    VT_RUN_NEIGHBOUR_ROWS = 50000, /* of more validation photos no neighbours are looked for */
};

/* What the newest evaluation found of one head. */
typedef struct vt_head_evaluation {
    size_t classes;                /* 0: it names none */
    uint32_t *named;               /* (count) class by the scores; NULL: several or none */
    float *confidence;             /* (count) probability of that class */
    vt_classification *confusions; /* of one class a photo; NULL: none */
    vt_attributes *attributes;     /* of several; NULL: none */
    double loss_sum;
    size_t scored; /* photos with a label that is known */
    double measures[VT_MEASURES];
} vt_head_evaluation;

/* ... and per validation example. */
typedef struct vt_evaluation {
    uint32_t *examples; /* (count) indices into the data set */
    size_t count, dim;
    vt_head_evaluation heads[VT_HEADS_MAX];
    float *vectors;       /* (count, dim) of length 1; NULL without embedding */
    uint32_t *neighbours; /* (count, VT_RUN_NEIGHBOURS) places in `examples` */
    double measures[VT_MEASURES];
} vt_evaluation;
void vt_evaluation_deinit(vt_evaluation *evaluation);

typedef struct vt_run_weights {
    size_t count;   /* parameters, then states */
    float **values; /* (count) copies */
} vt_run_weights;

typedef struct vt_run_state {
    const vt_run_options *options;
    vt_recipe *recipe;
    vt_dataset *data;
    char *checkpoint_path, *cache_path;
    vt_pool *pool;
    vt_picture_cache *cache;
    vt_contract contract;
    vt_hash data_hash;
    vt_heads heads;

    /* run_network.c */
    vt_model *network;              /* without loss: what is exported */
    vt_model *model;                /* with it */
    char *embedding;                /* value that is the embedding; NULL: none */
    char *whitened;                 /* weight that whitens and is not trained; NULL: none */
    bool pooled;                    /* it is (N, C, h, w), to be averaged */
    struct vt_objective *objective; /* objective.c */
    size_t dim;                     /* of the embedding */
    vt_training *training;
    vt_optimizer *optimizer;
    vt_ema *ema;     /* NULL: none */
    float *sam_kept; /* run_sam.c: room for all parameters, then all states; NULL: none */
    size_t parameter_count, state_count, parameter_numbers;
    const float **gradients; /* (parameter_count) */

    /* Where it is. */
    vt_sampler *sampler;
    uint32_t *order;              /* of the epoch */
    size_t per_epoch;             /* batches */
    size_t views;                 /* of each photo in a batch: 1 or 2 */
    uint64_t epoch, batch, steps; /* epochs done; batches done of this one; batches of the run */
    double loss_sum, norm_sum, rate, smooth_loss, epoch_started_ms;
    vt_plateau plateau;
    vt_run_epoch *epochs; /* (epoch) */
    size_t epoch_capacity;
    vt_run_goal goal;
    vt_run_weights best;
    uint64_t best_epoch; /* from 1; 0: none */
    bool keep_best, stopped_early, resumed;
    double saved_ms;

    /* run_log.c */
    vt_tensorboard *board;
    FILE *lines;
    char *lines_path;
    uint64_t lines_bytes; /* as far as the newest checkpoint knows */
} vt_run_state;

/* Values of the network that are used: the scores of each head that has them, then the embedding.
 * outputs: room for VT_HEADS_MAX + 1. */
static inline size_t vt_run_outputs(const vt_run_state *run, const char **outputs)
{
    size_t count = 0;
    for (size_t h = 0; h < run->heads.count; h++)
        if (run->heads.items[h].scores)
            outputs[count++] = run->heads.items[h].output;
    outputs[count++] = run->embedding;
    return count;
}

/* Pixels of the epoch: the contract's, but for the size of the first epochs. */
static inline vt_pixel_spec vt_run_pixels(const vt_run_state *run)
{
    vt_pixel_spec pixels = run->contract.pixels;
    if ((double)run->epoch < run->recipe->first_epochs)
        pixels.width = pixels.height = (int)run->recipe->first_size;
    return pixels;
}

/* Of a head: its labels' names and how many there are. */
static inline const char *const *vt_run_labels(const vt_run_state *run, size_t head)
{
    return run->heads.named ? run->data->columns[head].labels : run->data->labels;
}

static inline size_t vt_run_classes(const vt_run_state *run, size_t head)
{
    return run->heads.named ? run->data->columns[head].label_count : run->data->label_count;
}

/* ---- run_network.c ---- */
vt_status vt_run_build(vt_run_state *run, vt_error *error);
void vt_run_unbuild(vt_run_state *run);
/* weights: NULL: the newest. The network with them, the caller's. */
vt_status vt_run_network_with(vt_run_state *run, const vt_run_weights *weights, vt_model **out,
                              vt_error *error);
/* Parameters then states, those that are trained. */
vt_parameter vt_run_parameter(const vt_run_state *run, size_t index);
/* The same; the moving average where there is one. *out: borrowed. */
float *vt_run_value(vt_run_state *run, size_t index);
const char *vt_run_value_name(const vt_run_state *run, size_t index);
size_t vt_run_value_length(const vt_run_state *run, size_t index);
vt_status vt_run_weights_copy(vt_run_state *run, vt_run_weights *out, vt_error *error);
void vt_run_weights_deinit(vt_run_weights *weights);
/* "name:classes,...", as an architecture takes it, of the named heads of classes; kept: (heads)
 * those to pass over. *out: the caller's; NULL: there are none. */
vt_status vt_run_list_heads(const vt_run_state *run, const bool *kept, char **out, vt_error *error);

/* ---- run_adopt.c ---- */
/* The network of the recipe's file with the heads that the run wants: fills network, embedding,
 * pooled and the pixels of the contract. */
vt_status vt_run_adopt(vt_run_state *run, vt_error *error);
/* Shape of a value for one picture of size x size. */
vt_status vt_run_shape_of(const vt_model *model, const char *value, int size, vt_shape *out,
                          vt_error *error);

/* ---- run_whiten.c ---- */
/* Makes the network's first convolution a whitening of the photos' patches, and notes its name.
 * VT_ERR_USAGE where it does not begin with one. */
vt_status vt_run_whiten(vt_run_state *run, vt_error *error);

/* ---- run_step.c ---- */
vt_status vt_run_step(vt_run_state *run, const vt_batch *batch, float *loss, double *norm,
                      vt_error *error);

/* ---- run_imprint.c ---- */
/* Heads of one class a photo, but those that are kept, begin with what the network makes of the
 * photos of each class. kept: (heads). VT_ERR_CANCELLED: on_progress said so. */
vt_status vt_run_imprint(vt_run_state *run, const bool *kept, vt_error *error);

/* ---- run_sam.c ---- */
/* Room for sam_kept, where the recipe wants it, when the training is there. */
vt_status vt_sam_begin(vt_run_state *run, vt_error *error);
/* Whether this epoch's steps are such. */
bool vt_sam_is_due(const vt_run_state *run);
/* Gradients of the batch that was just stepped become those of the worst point nearby. */
vt_status vt_sam_gradients(vt_run_state *run, const vt_tensor *inputs, size_t count,
                           vt_error *error);

/* ---- run_evaluate.c ---- */
/* Photos as the pixel contract says, through a session, in batches. */
typedef struct vt_run_photo_list {
    vt_run_phase phase;       /* for who watches */
    const uint32_t *examples; /* (count) indices into the data set */
    size_t count;
    /* Outputs of a batch, of the examples from `first` on. */
    vt_status (*take)(void *context, const vt_tensor *outputs, size_t first, vt_error *error);
    void *context;
} vt_run_photo_list;
/* A session that computes as the recipe says. */
vt_status vt_run_session(const vt_run_state *run, const vt_model *model, const char *const *outputs,
                         size_t count, vt_session **out, vt_error *error);
vt_status vt_run_photos(vt_run_state *run, vt_session *session, const vt_run_photo_list *photos,
                        vt_error *error);
vt_status vt_run_evaluate(vt_run_state *run, const vt_run_weights *weights, vt_evaluation *out,
                          vt_error *error);

/* ---- run_goal.c ---- */
vt_status vt_run_choose_goal(vt_run_state *run, vt_error *error);
/* VT_ERR_FORMAT: it is asked for, or the run is to end or slow down by it, and the validation
 * photos cannot tell it. */
vt_status vt_run_check_goal(const vt_run_state *run, vt_error *error);

/* ---- run_measure.c ---- */
/* Room for what the heads' scores will say. */
vt_status vt_run_measure_begin(const vt_run_state *run, vt_evaluation *out, vt_error *error);
/* A batch of a head's scores, of the examples from `first` on. */
vt_status vt_run_measure_scores(const vt_run_state *run, size_t head, const vt_tensor *scores,
                                size_t first, vt_evaluation *out, vt_error *error);
/* All measures, when scores and vectors are there. */
vt_status vt_run_measure(const vt_run_state *run, vt_evaluation *out, vt_error *error);

/* ---- run_save.c ---- */
vt_status vt_run_save(vt_run_state *run, vt_error *error);
/* *found false: there is no checkpoint. */
vt_status vt_run_restore(vt_run_state *run, bool *found, vt_error *error);
/* Whether a checkpoint lies there whose run has not come to its end. */
bool vt_run_is_unfinished(const vt_run_state *run);

/* ---- run_log.c ---- */
vt_status vt_run_log_open(vt_run_state *run, vt_error *error);
void vt_run_log_close(vt_run_state *run);
void vt_run_log_step(vt_run_state *run, double loss, double norm);
void vt_run_log_epoch(vt_run_state *run, const vt_run_epoch *epoch);

/* ---- run_export.c ---- */
/* The value with scores of the very labels of this head, under its name, as a file's metadata says;
 * NULL: there is none. */
const char *vt_run_fitting_output(const vt_run_state *run, size_t head,
                                  const vt_model_heads *heads);
vt_status vt_run_export(vt_run_state *run, const vt_run_weights *weights, vt_error *error);

/* ---- report.c, report_examples.c ---- */
vt_status vt_run_report(vt_run_state *run, const vt_evaluation *evaluation, vt_error *error);
void vt_report_examples(vt_run_state *run, const vt_evaluation *evaluation, vt_buf *out);

#endif
