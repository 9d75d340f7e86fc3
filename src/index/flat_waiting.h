/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Rows that may be among the nearest of a query, by bounds or estimates of their codes, on the way
 * to being compared by their vectors. Internal to this folder.
 *
 * Method: a row's vector is asked of memory when the row comes, and compared together with those
 * that came meanwhile, so that their lines are on the way at once.
 *
 * Threads: one at a time.
 */
#ifndef VT_INDEX_FLAT_WAITING_H
#define VT_INDEX_FLAT_WAITING_H

#include "index/flat_rows.h"

enum { VT_FLAT_TOGETHER = 8 };

/* Of one query at a time. Set flat, query, min_similarity and top; the rest is 0. When none waits
 * query and top may be another's. */
typedef struct vt_flat_waiting {
    const vt_flat *flat; /* of dot products or cosines, in f32 or f16 */
    const float *query;  /* (dim), of length 1 under the cosine */
    float min_similarity;
    vt_topk *top;
    const void *vectors[VT_FLAT_TOGETHER];
    size_t rows[VT_FLAT_TOGETHER];
    size_t count;
    size_t compared; /* so far */
} vt_flat_waiting;

void vt_flat_waiting_add(vt_flat_waiting *waiting, size_t row);
/* Compares those that still wait. */
void vt_flat_waiting_finish(vt_flat_waiting *waiting);

#endif
