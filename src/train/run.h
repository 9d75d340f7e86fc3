/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A training run: from a data set and a recipe to a model file.
 *
 *     vt_run_options options = {.recipe = &recipe, .data = data, .validation = VT_SPLIT_VAL,
 *                               .out = "model.onnx"};
 *     vt_run_result result;
 *     vt_run(&options, &result, error);
 *
 * What a run comes to depends on recipe, data and number of threads alone: stopped at any moment
 * and resumed, its weights are the same bit for bit. Beside the model lie `<out>.checkpoint` and
 * `<out>.pictures` (the picture cache, when no other place is named).
 *
 * Threads: a run belongs to one thread; it uses `threads` of the recipe.
 */
#ifndef VT_TRAIN_RUN_H
#define VT_TRAIN_RUN_H

#include "train/dataset.h"
#include "train/heads.h"
#include "train/recipe.h"

/* Of the validation split; NAN where it does not apply. */
typedef enum vt_measure {
    VT_MEASURE_ACCURACY,
    VT_MEASURE_TOP5,
    VT_MEASURE_F1,       /* macro */
    VT_MEASURE_RECALL_1, /* nearest neighbours among the validation photos themselves */
    VT_MEASURE_RECALL_5,
    VT_MEASURE_RECALL_10,
    VT_MEASURE_LOSS, /* cross-entropy */
    VT_MEASURES
} vt_measure;
const char *vt_measure_name(vt_measure measure); /* "accuracy" "top5" "f1" "recall@1" ... "loss" */
bool vt_measure_from_name(const char *name, vt_measure *out);
bool vt_measure_is_better_higher(vt_measure measure);

typedef struct vt_run_epoch {
    double epoch;                            /* from 1 */
    double steps, loss, rate, norm, seconds; /* of the training: mean loss, last rate, mean norm */
    double measures[VT_MEASURES];            /* with several heads the mean of those that have it */
    double heads[VT_HEADS_MAX][VT_MEASURES]; /* of named heads */
} vt_run_epoch;

/* The measure that a run goes by. */
typedef struct vt_run_goal {
    vt_measure measure;
    int head;      /* of which named head; -1: of all */
    char name[96]; /* "accuracy", "color.accuracy" */
} vt_run_goal;
double vt_run_goal_value(const vt_run_goal *goal, const vt_run_epoch *epoch);

typedef enum vt_run_phase {
    VT_RUN_DECODE,
    VT_RUN_IMPRINT,
    VT_RUN_TRAIN,
    VT_RUN_EVALUATE
} vt_run_phase;
typedef struct vt_run_progress {
    vt_run_phase phase;
    uint64_t done, total; /* photos, of the phase; training: of the whole run */
    int epoch, epochs;
    double loss, rate;          /* smoothed; learning rate */
    const vt_run_epoch *newest; /* NULL: no epoch was measured yet */
    const vt_run_goal *goal;
    const vt_heads *heads;
} vt_run_progress;

typedef struct vt_run_options {
    vt_recipe *recipe; /* checked */
    vt_dataset *data;  /* finished and split; where the recipe names heads, with their columns
                          (vt_heads_set_columns); examples that cannot be decoded become left out */
    vt_split validation;
    const char *out, *cache; /* cache NULL: beside the model */
    const char *report;      /* HTML; NULL: none */
    const char *logdir;      /* JSON Lines and TensorBoard events; NULL: none */
    bool resume;             /* go on from the checkpoint where there is one */
    double checkpoint_s;     /* between checkpoints; 0: after every step */
    /* false: saves and ends with VT_ERR_CANCELLED. */
    bool (*on_progress)(void *context, const vt_run_progress *progress);
    void *context;
} vt_run_options;

typedef struct vt_run_result {
    vt_run_epoch last, best; /* best: whose weights were written */
    vt_run_goal goal;
    size_t parameters, trained, validated, left_out;
    size_t memory_bytes, activation_bytes; /* planned: of a training step in all, of what it keeps
                                              between operators; 0: there was no step */
    size_t head_trained[VT_HEADS_MAX], head_validated[VT_HEADS_MAX]; /* that have its label */
    bool resumed, stopped_early;
} vt_run_result;

/* VT_ERR_MISMATCH: the loss became infinite or not a number, and what to do about it. Whatever the
 * failure, the last good checkpoint stays. */
vt_status vt_run(const vt_run_options *options, vt_run_result *out, vt_error *error);

#endif
