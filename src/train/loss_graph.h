/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the losses' files share: arithmetic on a builder, masks of a batch's pairs.
 *
 * Nodes are chosen so that they are the same in all operator sets from 11 on, since a loss may be
 * added to any imported network.
 *
 * Threads: a loss_graph belongs to one thread.
 */
#ifndef VT_TRAIN_LOSS_GRAPH_H
#define VT_TRAIN_LOSS_GRAPH_H

#include "train/loss.h"

typedef struct vt_loss_graph {
    vt_builder *builder;
    const vt_loss_inputs *inputs;
    const double *parameters; /* of the term */
    unsigned *named;          /* constants so far, for names */
} vt_loss_graph;

struct vt_loss_kind {
    vt_loss_info info;
    unsigned needs;
    double minimum[VT_LOSS_PARAMETERS], maximum[VT_LOSS_PARAMETERS];
    vt_value_id (*add)(vt_loss_graph *graph); /* gives the scalar */
};

vt_value_id vt_loss_number(vt_loss_graph *graph, double value);
vt_value_id vt_loss_unary(vt_loss_graph *graph, const char *op, vt_value_id x);
vt_value_id vt_loss_binary(vt_loss_graph *graph, const char *op, vt_value_id a, vt_value_id b);
/* With a number as the second operand. */
vt_value_id vt_loss_with(vt_loss_graph *graph, const char *op, vt_value_id a, double b);
vt_value_id vt_loss_where(vt_loss_graph *graph, vt_value_id condition, vt_value_id yes,
                          vt_value_id no);
vt_value_id vt_loss_float(vt_loss_graph *graph, vt_value_id x); /* f32 of bool and integers */
/* op: ReduceSum, ReduceMax, ReduceMin; the axis stays, with length 1. */
vt_value_id vt_loss_reduce(vt_loss_graph *graph, const char *op, vt_value_id x, int axis);
vt_value_id vt_loss_sum(vt_loss_graph *graph, vt_value_id x); /* of all numbers: a scalar */
vt_value_id vt_loss_reshape(vt_loss_graph *graph, vt_value_id x, const int64_t *dims, int rank);
/* sum(x mask) / max(sum(mask), 1): 0 when nothing counts. */
vt_value_id vt_loss_mean(vt_loss_graph *graph, vt_value_id x, vt_value_id mask);
/* Rows of length 1, finite for zeros. */
vt_value_id vt_loss_unit(vt_loss_graph *graph, vt_value_id x);
vt_value_id vt_loss_log_softmax(vt_loss_graph *graph, vt_value_id x); /* of rows */
vt_value_id vt_loss_turn(vt_loss_graph *graph, vt_value_id x);        /* (a, b) to (b, a) */

/* 1 where a row's label is known: (N, 1). */
vt_value_id vt_loss_known(vt_loss_graph *graph);
/* (N, classes), rows of unknown labels are 0. */
vt_value_id vt_loss_one_hot(vt_loss_graph *graph);
/* Mean cross-entropy of scores with one-hot labels over the rows with known ones. */
vt_value_id vt_loss_hard_cross_entropy(vt_loss_graph *graph, vt_value_id scores,
                                       vt_value_id one_hot);

/* A trained weight, (rows, columns), normal with this deviation. */
vt_value_id vt_loss_weight(vt_loss_graph *graph, const char *name, int rows, int columns,
                           double deviation);

typedef struct vt_loss_pairs {
    vt_value_id similarity;         /* (N, N) cosines of all pairs */
    vt_value_id positive, negative; /* (N, N) 1 or 0: other rows of the same, of another label */
    vt_value_id eye;                /* (N, N) */
} vt_loss_pairs;
vt_loss_pairs vt_loss_pairs_of(vt_loss_graph *graph);

/* ---- the losses ---- */
vt_value_id vt_loss_cross_entropy(vt_loss_graph *graph);
vt_value_id vt_loss_binary_cross_entropy(vt_loss_graph *graph);
vt_value_id vt_loss_squares(vt_loss_graph *graph);
vt_value_id vt_loss_arcface(vt_loss_graph *graph);
vt_value_id vt_loss_cosface(vt_loss_graph *graph);
vt_value_id vt_loss_contrastive(vt_loss_graph *graph);
vt_value_id vt_loss_triplet_hard(vt_loss_graph *graph);
vt_value_id vt_loss_triplet_semi(vt_loss_graph *graph);
vt_value_id vt_loss_multi_similarity(vt_loss_graph *graph);
vt_value_id vt_loss_contrast(vt_loss_graph *graph); /* supervised contrastive and NT-Xent */
vt_value_id vt_loss_distill(vt_loss_graph *graph);
vt_value_id vt_loss_distill_cosine(vt_loss_graph *graph);
vt_value_id vt_loss_distill_squares(vt_loss_graph *graph);

#endif
