/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Inside src/train: the heads of a run, one for each label that photos have.
 *
 *     vt_heads heads;
 *     vt_heads_parse(&recipe, &heads, error);    // label "category,color", loss "ce:category,..."
 *     for (size_t h = 0; h < heads.count; h++) ... heads.items[h].name, .loss, .output
 *
 * A run has *named* heads where its recipe's "label" names several or its "loss" says of which head
 * a term is. Then a term without a head is of every head that no other term names, but for those
 * that look at the embedding alone (kd-cosine, kd-mse, nt-xent), which belong to none. Without
 * named heads there is one, whose name is "" and which has all terms.
 *
 * Threads: no shared state.
 */
#ifndef VT_TRAIN_HEADS_H
#define VT_TRAIN_HEADS_H

#include "encoder/heads.h"
#include "train/dataset.h"
#include "train/loss.h"
#include "train/recipe.h"

enum { VT_HEADS_MAX = VT_DATASET_MAX_COLUMNS };

typedef struct vt_head_plan {
    char name[VT_LOSS_HEAD_BYTES];       /* of the label; "": the only one */
    char id[VT_LOSS_HEAD_BYTES];         /* the same for names of values and weights */
    char output[VT_LOSS_HEAD_BYTES + 8]; /* value with its scores: "logits", "logits.<id>" */
    vt_loss loss;
    bool scores;  /* it names classes; else it shapes the embedding alone */
    bool several; /* a photo has any number of the classes (bce of a named head) */
} vt_head_plan;

typedef struct vt_heads {
    vt_head_plan items[VT_HEADS_MAX];
    size_t count;
    bool named;
    vt_loss common; /* of no head */
    unsigned needs; /* of all */
} vt_heads;

/* VT_ERR_USAGE: what is wrong with "label", "loss" or what they say together with the rest of the
 * recipe (a teacher, mixed pictures). */
vt_status vt_heads_parse(const vt_recipe *recipe, vt_heads *out, vt_error *error);
/* The columns that data of named heads has. */
vt_status vt_heads_set_columns(const vt_heads *heads, vt_dataset *data, vt_error *error);
/* VT_HEADS_MAX: there is none of this name. */
size_t vt_heads_find(const vt_heads *heads, const char *name, size_t length);

#endif
