/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Hierarchical clustering: rows, joined two groups at a time until one is left.
 *
 *     vt_hierarchy *tree;
 *     vt_hierarchy_options options = vt_hierarchy_options_defaults();
 *     vt_hierarchy_new(rows, count, dim, &options, &tree, error);
 *     size_t groups = vt_hierarchy_cut_count(tree, 10, labels);         // ten groups
 *     groups = vt_hierarchy_cut_height(tree, 1 - 0.8, labels);          // similarity 0.8 or more
 *     vt_hierarchy_free(tree);
 *
 * Takes 4 * count^2 bytes while it works: larger sets are made smaller by k-means first, and the
 * rows are then means, each standing for as many as `weights` says.
 *
 * Threads: a run belongs to one thread, and uses the pool's; a finished tree is constant.
 */
#ifndef VT_VECTOR_HIERARCHY_H
#define VT_VECTOR_HIERARCHY_H

#include "base/thread.h"

#include <stddef.h>
#include <stdint.h>

enum { VT_HIERARCHY_MAX_COUNT = 16384, VT_HIERARCHY_MAX_DIM = 65536 };

/* How far two groups are from one another: */
typedef enum vt_linkage {
    VT_LINKAGE_AVERAGE,  /* mean of 1 - product over pairs of a row here and a row there */
    VT_LINKAGE_COMPLETE, /* the largest of those */
    VT_LINKAGE_WARD,     /* sqrt(2ab / (a + b)) |mean - mean|, for a and b rows */
} vt_linkage;

typedef struct vt_hierarchy_options {
    vt_linkage linkage;
    const uint32_t *weights;     /* (count) how many each row stands for, >= 1; NULL: one */
    vt_pool *pool;               /* NULL: in the caller's thread */
    vt_on_progress *on_progress; /* joins; may be NULL */
    void *context;
} vt_hierarchy_options;
vt_hierarchy_options vt_hierarchy_options_defaults(void); /* average, nothing else */

/* Nodes below `count` are rows, node count + i is what join i made. */
typedef struct vt_join {
    uint32_t left, right;         /* nodes, left < right */
    uint32_t left_row, right_row; /* a row of the one part and of the other, in either order */
    float height;                 /* their distance; no smaller than that of joins before */
    uint64_t weight;              /* of both */
} vt_join;

typedef struct vt_hierarchy {
    size_t count;
    vt_join *joins; /* (count - 1) by height */
} vt_hierarchy;

/* rows: (count, dim), count 1 to VT_HIERARCHY_MAX_COUNT (VT_ERR_LIMIT beyond), finite and no longer
 * than 1e18 (VT_ERR_USAGE otherwise). With VT_LINKAGE_AVERAGE rows may be means of several vectors:
 * the product of two means is the mean of the products. *out: vt_hierarchy_free. */
vt_status vt_hierarchy_new(const float *rows, size_t count, size_t dim,
                           const vt_hierarchy_options *options, vt_hierarchy **out,
                           vt_error *error);
void vt_hierarchy_free(vt_hierarchy *tree); /* NULL is fine */

/* labels: (count), numbered in the order in which rows first have them. Both return how many there
 * are. `groups` is 1 to count, others are taken for the nearer of these. */
size_t vt_hierarchy_cut_count(const vt_hierarchy *tree, size_t groups, uint32_t *labels);
/* All joins up to this height are made. */
size_t vt_hierarchy_cut_height(const vt_hierarchy *tree, float height, uint32_t *labels);

#endif
