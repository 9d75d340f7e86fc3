/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Vectors as embeddings lie: a mixture of Gaussians, each in a flat of its own of 20 dimensions,
 * whose centres lie in another flat of 20 dimensions; lengths differ, and a little noise goes in
 * every direction. The intrinsic dimension, near any vector, is near 20. For tests and benches.
 *
 * Threads: a clustered is constant once made; vectors are made from (seed, number) alone.
 */
#ifndef VT_TESTS_CLUSTERED_H
#define VT_TESTS_CLUSTERED_H

#include "base/mem.h"
#include "base/random.h"
#include "vector/distance.h"

#include <math.h>
#include <stddef.h>

enum { CLUSTERED_FLAT = 20 };

typedef struct clustered {
    size_t dim, clusters;
    float *centres; /* (clusters, dim) */
    float *bases;   /* (clusters, CLUSTERED_FLAT, dim) */
    vt_random random;
} clustered;

static inline void clustered_fill(vt_random *random, float *out, size_t count, double deviation)
{
    for (size_t i = 0; i < count; i++)
        out[i] = (float)(vt_random_normal(random) * deviation);
}

/* out += sum of coordinates times basis; coordinates have unit length on the average. */
static inline void clustered_add(vt_random *random, const float *basis, size_t dim, float *out)
{
    for (size_t flat = 0; flat < CLUSTERED_FLAT; flat++) {
        float weight = (float)(vt_random_normal(random) / sqrt(CLUSTERED_FLAT));
        for (size_t i = 0; i < dim; i++)
            out[i] += weight * basis[flat * dim + i];
    }
}

/* False when memory is out. */
static inline bool clustered_init(clustered *c, size_t dim, size_t clusters, uint64_t seed)
{
    *c = (clustered){.dim = dim, .clusters = clusters};
    vt_random_init(&c->random, seed);
    c->centres = vt_calloc(clusters, dim * sizeof(float));
    c->bases = vt_calloc(clusters + 1, CLUSTERED_FLAT * dim * sizeof(float));
    if (!c->centres || !c->bases)
        return false;
    clustered_fill(&c->random, c->bases, (clusters + 1) * CLUSTERED_FLAT * dim,
                   1.0 / sqrt((double)dim));
    const float *shared = c->bases + clusters * CLUSTERED_FLAT * dim;
    for (size_t i = 0; i < clusters; i++)
        clustered_add(&c->random, shared, dim, c->centres + i * dim);
    return true;
}

static inline void clustered_deinit(clustered *c)
{
    vt_free(c->centres);
    vt_free(c->bases);
}

/* Which of the Gaussians vector `number` is of. */
static inline size_t clustered_part(const clustered *c, uint64_t number)
{
    vt_random random = vt_random_fork(&c->random, number);
    return (size_t)vt_random_below(&random, c->clusters);
}

/* Vector `number` of the mixture; out: (dim). */
static inline void clustered_make(const clustered *c, uint64_t number, float *out)
{
    vt_random random = vt_random_fork(&c->random, number);
    size_t cluster = (size_t)vt_random_below(&random, c->clusters);
    clustered_fill(&random, out, c->dim, 0.1 / sqrt((double)c->dim));
    for (size_t i = 0; i < c->dim; i++)
        out[i] += c->centres[cluster * c->dim + i];
    clustered_add(&random, c->bases + cluster * CLUSTERED_FLAT * c->dim, c->dim, out);
}

/* The same of length 1. */
static inline void clustered_make_unit(const clustered *c, uint64_t number, float *out)
{
    clustered_make(c, number, out);
    (void)vt_vector_normalize(out, c->dim); /* none is 0 */
}

#endif
