/* SPDX-License-Identifier: Apache-2.0 */
/*
 * k-means: rows into groups around their means.
 *
 *     vt_kmeans *groups;
 *     vt_kmeans_options options = vt_kmeans_options_defaults();
 *     options.k = 20;
 *     vt_kmeans_new(rows, count, dim, &options, &groups, error);
 *     ... groups->labels[i], groups->centroids + label * dim ...
 *     vt_kmeans_free(groups);
 *
 * kmeans_seed.c chooses the first centroids, kmeans.c moves them.
 *
 * The result depends on rows and seed alone, not on the number of threads. Beside it a run holds 16
 * bytes for each row and 12 for each element of a centroid.
 *
 * Threads: a run belongs to one thread, and uses the pool's; rows are only read.
 */
#ifndef VT_VECTOR_KMEANS_H
#define VT_VECTOR_KMEANS_H

#include "base/thread.h"

#include <stddef.h>
#include <stdint.h>

enum { VT_KMEANS_MAX_K = 1 << 20, VT_KMEANS_MAX_DIM = 65536 };

typedef struct vt_kmeans_options {
    size_t k;                    /* groups wanted, 1 to VT_KMEANS_MAX_K */
    bool spherical;              /* rows have length 1 (or 0), and so have centroids: cosine */
    int iterations;              /* at most, >= 1 */
    uint64_t seed;               /* of the choice of the first centroids */
    vt_pool *pool;               /* NULL: in the caller's thread */
    vt_on_progress *on_progress; /* rows of all iterations, of which fewer may do; may be NULL */
    void *context;
} vt_kmeans_options;
vt_kmeans_options vt_kmeans_options_defaults(void); /* k 8, 100 iterations, seed 1 */

typedef struct vt_kmeans {
    size_t k; /* groups there are, none empty: fewer than wanted where there are fewer different
                 rows */
    size_t count, dim;
    float *centroids; /* (k, dim) */
    uint32_t *labels; /* (count): of the nearest centroid, up to rounding */
    uint32_t *sizes;  /* (k) rows of each */
    double inertia;   /* sum of squared distances of rows from their centroids */
    int iterations;   /* that were run */
    bool converged;   /* the last changed nothing */
} vt_kmeans;

/* rows: (count, dim), count 1 to 2^32 - 2, finite and no longer than 1e18 (VT_ERR_USAGE otherwise).
 * *out: vt_kmeans_free. VT_ERR_CANCELLED when on_progress says so. */
vt_status vt_kmeans_new(const float *rows, size_t count, size_t dim,
                        const vt_kmeans_options *options, vt_kmeans **out, vt_error *error);
void vt_kmeans_free(vt_kmeans *groups); /* NULL is fine */

/* ---- inside src/vector: kmeans_seed.c ---- */
/* centroids: (options->k, dim); *chosen: how many rows were copied there, all different. */
vt_status vt_kmeans_seed(const float *rows, size_t count, size_t dim,
                         const vt_kmeans_options *options, float *centroids, size_t *chosen);
/* False: the caller has had enough. */
bool vt_kmeans_goes_on(const vt_kmeans_options *options, uint64_t done, uint64_t total);

#endif
