/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Whether a network treats the pictures of a batch apart, and how many at a time are fastest,
 * inside src/nn.
 *
 *     vt_batch_split split = {0};
 *     vt_batch_split_start(&split, 32);
 *     int64_t part = vt_batch_split_part(&split);       // run the 32 in parts of so many
 *     vt_batch_split_spent(&split, milliseconds);
 *
 * Threads: no shared state.
 */
#ifndef VT_NN_BATCH_H
#define VT_NN_BATCH_H

#include "nn/plan.h"

/* Whether each row (first axis) of every output depends on that row of the inputs alone. Inputs
 * without data must all have `rows` rows. False also where it cannot be told. Of a plan for one
 * row: whether it can be one of a batch. */
vt_status vt_plan_rows_apart(const vt_plan *plan, int64_t rows, bool *apart, vt_error *error);
/* Two plans of one graph whose rows are apart compute the same for each row if these are equal:
 * what was folded from the size of the batch is in it. */
vt_hash vt_plan_rows_hash(const vt_plan *plan);

typedef struct vt_batch_split {
    int64_t rows, best;  /* best: rows at a time, once decided */
    int candidate, runs; /* rows >> candidate is being tried, so often so far */
    double best_ms;
    bool decided;
} vt_batch_split;

void vt_batch_split_start(vt_batch_split *split, int64_t rows);
/* How many rows at a time the next run should take: a divisor of `rows`. */
int64_t vt_batch_split_part(const vt_batch_split *split);
/* What that run took. The first run of each size plans and is not counted. */
void vt_batch_split_spent(vt_batch_split *split, double ms);
/* The size that was asked for cannot be run: what was best before stays, and once that is decided,
 * the whole batch. */
void vt_batch_split_refuse(vt_batch_split *split);

#endif
