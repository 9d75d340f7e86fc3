/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Which of a model's weights are trained, and how fast each stage is.
 *
 *     vt_selection selection;
 *     vt_selection_init(&selection, model, "stages=2", 0.8, error);
 *     for (size_t i = 0; i < selection.count; i++)
 *         if (selection.items[i].trained) ... selection.items[i].name, .rate
 *     vt_selection_deinit(&selection);
 *
 * freeze is one of
 *     none              everything is trained
 *     all-but-classes   heads of classes are, and the embedding is not, so that vectors stay good
 *     all-but-head      heads alone are, the embedding's too
 *     all-but-norms     scales and biases of normalisations are, and the head
 *     all-but-biases    biases, also of normalisations (Ben Zaken et al., "BitFit", 2021), and the
 *                       head
 *     all-but-adapters  what train/adapter.h has added, and the head
 *     stages=N          all but the stem and the first N stages
 * What a loss has brought with it (below "loss.") is trained always, fixed constants and running
 * statistics never.
 *
 * Threads: no shared state.
 */
#ifndef VT_TRAIN_FREEZE_H
#define VT_TRAIN_FREEZE_H

#include "nn/weights.h"

typedef struct vt_selected {
    const char *name; /* borrowed from the model */
    vt_weight_role role;
    vt_shape shape;
    size_t count;
    int stage;    /* 0: the stem; of the head: the number of stages plus 1 */
    bool head;    /* of the network's head, or of a loss */
    bool adapter; /* "<weight>.lora_a" or "<weight>.lora_b" */
    bool trained;
    double rate; /* factor of the learning rate: decay^(stages + 1 - stage), 1 for the head */
} vt_selected;

typedef struct vt_selection {
    vt_selected *items; /* owned; in the order of the graph; everything that can be trained */
    size_t count, capacity;
    int stages;             /* without stem and head */
    size_t trained_numbers; /* in all trained weights */
    size_t trained_count;   /* weights */
    bool out_of_memory;     /* during the walk */
} vt_selection;

/* decay: 1, the same rate everywhere, down to 0 excluded. freeze NULL: "none". VT_ERR_USAGE:
 * unknown text, more stages than there are, nothing left to train; VT_ERR_UNSUPPORTED: a weight to
 * train is not f32. The model must outlive the selection. */
vt_status vt_selection_init(vt_selection *selection, const vt_model *model, const char *freeze,
                            double decay, vt_error *error);
void vt_selection_deinit(vt_selection *selection); /* safe on a zeroed one */

#endif
