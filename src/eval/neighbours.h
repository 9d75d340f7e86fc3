/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Nearest neighbours of many vectors in memory, exact: what recall of a model that is being trained
 * is measured with.
 *
 *     vt_neighbours_plan plan = {.queries = v, .query_count = n, .gallery = v, .gallery_count = n,
 *                                .dim = 128, .k = 10, .leave_self = true, .pool = pool};
 *     vt_neighbours_find(&plan, ids, similarities, error);
 *
 * Threads: no shared state.
 */
#ifndef VT_EVAL_NEIGHBOURS_H
#define VT_EVAL_NEIGHBOURS_H

#include "base/thread.h"

#define VT_NO_NEIGHBOUR UINT32_MAX

typedef struct vt_neighbours_plan {
    const float *queries; /* (query_count, dim) */
    size_t query_count;
    const float *gallery; /* (gallery_count, dim) */
    size_t gallery_count, dim, k;
    bool leave_self;   /* row i of the gallery is query i and no neighbour of its own */
    vt_pool *pool;     /* NULL: the caller's thread */
    size_t self_first; /* with leave_self: row self_first + i is query i instead */
} vt_neighbours_plan;

/* By dot product, best first, equal ones by their number. ids, similarities (may be NULL):
 * (query_count, k); VT_NO_NEIGHBOUR where there are no more. */
vt_status vt_neighbours_find(const vt_neighbours_plan *plan, uint32_t *ids, float *similarities,
                             vt_error *error);

#endif
