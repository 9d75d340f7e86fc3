/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Inside src/train: the loss of a run, as nodes behind its network, and the inputs that it adds.
 *
 *     vt_objective_parse(recipe, &loss, error);   // early: what is wrong with the text
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
/* In a model's metadata: the names of its classes, a JSON array. */
/* The recipe that it was trained by, a JSON object. */
#define VT_METADATA_RECIPE "vitrine.recipe"
enum { VT_OBJECTIVE_DIM = 128, VT_OBJECTIVE_INPUTS = 8 };

/* What the inputs of a step are filled from. */
struct vt_objective {
    vt_loss loss;
    int64_t *labels; /* (batch) */
    float *targets;  /* (batch, classes); NULL: labels do */
    int label_input, target_input, teacher_score_input, teacher_vector_input; /* -1: none */
    size_t input_count;
    struct vt_teacher *teacher; /* NULL: none */
};

/* Checks the loss against the rest of the recipe: a teacher, mixed pictures. */
vt_status vt_objective_parse(const vt_recipe *recipe, vt_loss *out, vt_error *error);
vt_status vt_objective_add(vt_run_state *run, vt_error *error);
void vt_objective_remove(vt_run_state *run);
/* inputs: room for VT_OBJECTIVE_INPUTS; they borrow from the run until its next call. */
vt_status vt_objective_inputs(vt_run_state *run, const vt_batch *batch, vt_tensor *inputs,
                              size_t *count, vt_error *error);

/* ---- objective_teacher.c ---- */
typedef struct vt_teacher vt_teacher;
/* Outputs that the loss wants: scores when needs has VT_LOSS_TEACHER_LOGITS, a vector when it has
 * VT_LOSS_TEACHER_EMBEDDING; *dim: of the vector. */
vt_status vt_teacher_open(const vt_run_state *run, unsigned needs, vt_teacher **out, int *dim,
                          vt_error *error);
void vt_teacher_close(vt_teacher *teacher);
/* scores, vector: filled where they are wanted; they borrow until the next call. */
vt_status vt_teacher_run(vt_teacher *teacher, const vt_run_state *run, const vt_batch *batch,
                         vt_tensor *scores, vt_tensor *vector, vt_error *error);

#endif
