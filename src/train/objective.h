/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Inside src/train: the loss of a run, as nodes behind its network, and the inputs that it adds.
 *
 *     vt_objective_add(run, error);               // run->model: run->network and the loss
 *     vt_objective_inputs(run, &batch, inputs, &count, error);
 *
 * Threads: as vt_run.
 */
#ifndef VT_TRAIN_OBJECTIVE_H
#define VT_TRAIN_OBJECTIVE_H

#include "train/loss.h"
#include "train/run_state.h"

#define VT_OBJECTIVE_LOSS "loss"
/* In a model's metadata: the recipe that it was trained by, a JSON object. */
#define VT_METADATA_RECIPE "vitrine.recipe"
/* Of every part labels, targets and a teacher's scores; pictures; a teacher's vector. */
enum {
    VT_OBJECTIVE_DIM = 128,
    VT_OBJECTIVE_PARTS = VT_HEADS_MAX + 1,
    VT_OBJECTIVE_INPUTS = 3 * VT_OBJECTIVE_PARTS + 2
};

/* The terms of one head, or those of none, and what the inputs of a step are filled from. */
typedef struct vt_objective_part {
    const vt_loss *loss;
    size_t head; /* VT_HEADS_MAX: none */
    size_t classes;
    bool unknown_negative; /* rows of targets that are not known are -1, not 0 */
    int64_t *labels;       /* (batch) */
    float *targets;        /* (batch, classes); NULL: labels do */
    int label_input, target_input, teacher_input; /* -1: none */
} vt_objective_part;

struct vt_objective {
    vt_objective_part parts[VT_OBJECTIVE_PARTS];
    size_t part_count;
    int teacher_vector_input; /* -1: none */
    size_t input_count;
    struct vt_teacher *teacher; /* NULL: none */
};

vt_status vt_objective_add(vt_run_state *run, vt_error *error);
void vt_objective_remove(vt_run_state *run);
/* inputs: room for VT_OBJECTIVE_INPUTS; they borrow from the run until its next call. */
vt_status vt_objective_inputs(vt_run_state *run, const vt_batch *batch, vt_tensor *inputs,
                              size_t *count, vt_error *error);

/* ---- objective_teacher.c ---- */
typedef struct vt_teacher vt_teacher;
/* Gives the scores of every head whose loss learns from them, and a vector where any loss does;
 * *dim: of the vector. */
vt_status vt_teacher_open(const vt_run_state *run, vt_teacher **out, int *dim, vt_error *error);
void vt_teacher_close(vt_teacher *teacher);
/* scores: (VT_HEADS_MAX) by head; they and the vector are filled where they are wanted and borrow
 * until the next call. */
vt_status vt_teacher_run(vt_teacher *teacher, const vt_run_state *run, const vt_batch *batch,
                         vt_tensor *scores, vt_tensor *vector, vt_error *error);

#endif
