/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Inverted lists: training. Centroids of lists by k-means over a sample, then, for product
 * quantisers, 16 centroids of each group of elements by k-means over what the sample leaves.
 *
 * Sizes: 2 sqrt(n) lists let the choice of lists and the scan of a few of them cost about alike; 64
 * rows of the sample for each list, and 4096 for each codebook, are what more of which changed no
 * recall that tests see. K-means stops after a dozen rounds: later ones move centroids by little.
 *
 * Departure: k-means is the Euclidean one for every metric, for codes are of what is left, and it
 * leaves the least.
 */
#include "index/ivf_rows.h"

#include "base/mem.h"
#include "vector/kmeans.h"

#include <math.h>
#include <stdatomic.h>
#include <string.h>

enum {
    ROWS_PER_LIST = 64,
    ROUNDS = 12,
    BOOK_ROWS = 4096,
    BOOK_ROUNDS = 20,
    MEAN_ROWS = 1 << 16,
    CHUNK = 64,
};

typedef struct training {
    vt_ivf *ivf;
    const float *sample; /* (count, dim) */
    size_t count;
    float *x; /* (taken, width) prepared, later what is left */
    size_t taken;
    vt_kmeans *lists;
    uint64_t seed;
    _Atomic vt_status status;
} training;

static void chunk_prepare(void *context, size_t chunk)
{
    training *t = context;
    for (size_t i = chunk * CHUNK; i < (chunk + 1) * CHUNK && i < t->taken; i++) {
        /* Evenly spread, whatever order the rows are in. */
        size_t row = (size_t)((double)i * (double)t->count / (double)t->taken);
        ivf_prepare(t->ivf, t->sample + row * t->ivf->dim, t->x + i * t->ivf->width);
    }
}

static void chunk_subtract(void *context, size_t chunk)
{
    training *t = context;
    for (size_t i = chunk * CHUNK; i < (chunk + 1) * CHUNK && i < t->taken; i++) {
        const float *c = t->lists->centroids + t->lists->labels[i] * t->ivf->width;
        for (size_t j = 0; j < t->ivf->width; j++)
            t->x[i * t->ivf->width + j] -= c[j];
    }
}

/* One codebook. Where fewer than 16 sub-vectors differ, the first stands in for the rest, and is
 * found before them. */
static void book_train(void *context, size_t group)
{
    training *t = context;
    const vt_ivf *ivf = t->ivf;
    const size_t sub = ivf->sub, rows = t->taken < BOOK_ROWS ? t->taken : BOOK_ROWS;
    vt_kmeans_options options = vt_kmeans_options_defaults();
    vt_kmeans *found = NULL;
    options.k = VT_FASTSCAN_ENTRIES;
    options.iterations = BOOK_ROUNDS;
    options.seed = t->seed + group;
    float *parts = vt_alloc_array(rows, sub * sizeof *parts);
    vt_status status = parts ? VT_OK : VT_ERR_NO_MEMORY;
    for (size_t i = 0; status == VT_OK && i < rows; i++) {
        size_t row = (size_t)((double)i * (double)t->taken / (double)rows);
        memcpy(parts + i * sub, t->x + row * ivf->width + group * sub, sub * sizeof *parts);
    }
    if (status == VT_OK)
        status = vt_kmeans_new(parts, rows, sub, &options, &found, NULL);
    if (status == VT_OK) {
        float *book = ivf->books + group * sub * VT_FASTSCAN_ENTRIES;
        for (size_t i = 0; i < sub; i++)
            for (size_t e = 0; e < VT_FASTSCAN_ENTRIES; e++)
                book[i * VT_FASTSCAN_ENTRIES + e] =
                    found->centroids[(e < found->k ? e : 0) * sub + i];
    } else {
        atomic_store(&t->status, status);
    }
    vt_kmeans_free(found);
    vt_free(parts);
}

static size_t lists_wanted(const training *t, size_t expected)
{
    size_t lists = t->ivf->options.lists;
    if (lists == 0)
        lists = (size_t)(2.0 * sqrt((double)expected)) + 1;
    lists = lists < VT_IVF_MAX_LISTS ? lists : VT_IVF_MAX_LISTS;
    return lists < t->count ? lists : t->count;
}

static vt_status lists_train(training *t, size_t expected, vt_pool *pool, vt_error *error)
{
    vt_ivf *ivf = t->ivf;
    vt_kmeans_options options = vt_kmeans_options_defaults();
    options.k = lists_wanted(t, expected);
    options.iterations = ROUNDS;
    options.seed = t->seed;
    options.pool = pool;
    t->taken = t->count / ROWS_PER_LIST < options.k ? t->count : options.k * ROWS_PER_LIST;
    t->x = vt_alloc_array(t->taken, ivf->width * sizeof *t->x);
    if (!t->x)
        return vt_fail_memory(error, "training of inverted lists");
    vt_pool_for(pool, (t->taken + CHUNK - 1) / CHUNK, chunk_prepare, t);
    vt_status status = vt_kmeans_new(t->x, t->taken, ivf->width, &options, &t->lists, error);
    if (status == VT_OK)
        status = ivf_lists_make(ivf, t->lists->k, error);
    if (status != VT_OK)
        return status;
    memcpy(ivf->centroids, t->lists->centroids,
           ivf->list_count * ivf->width * sizeof *ivf->centroids);
    ivf_centroids_note(ivf);
    return VT_OK;
}

static vt_status books_train(training *t, vt_pool *pool, vt_error *error)
{
    vt_pool_for(pool, (t->taken + CHUNK - 1) / CHUNK, chunk_subtract, t);
    atomic_store(&t->status, VT_OK);
    vt_pool_for(pool, t->ivf->groups, book_train, t);
    return atomic_load(&t->status) == VT_OK ? VT_OK
                                            : vt_fail_memory(error, "training of inverted lists");
}

vt_status vt_ivf_train(vt_ivf *ivf, const float *sample, size_t count, size_t expected,
                       vt_pool *pool, vt_error *error)
{
    training t = {.ivf = ivf, .sample = sample, .count = count, .seed = ivf->options.seed};
    if (ivf->list_count > 0)
        return vt_fail(error, VT_ERR_USAGE, "train inverted lists: they are trained already");
    if (count < 1)
        return vt_fail(error, VT_ERR_USAGE, "train inverted lists: there is no row to train with");
    for (size_t i = 0; i < count; i++) {
        vt_status status =
            vt_coder_check(ivf->coder, sample + i * ivf->dim, "train inverted lists", error);
        if (status != VT_OK)
            return vt_fail_context(error, status, "row %zu of %zu", i + 1, count);
    }
    vt_status status = lists_train(&t, expected, pool, error);
    if (status == VT_OK && ivf->options.code == VT_IVF_PQ)
        status = books_train(&t, pool, error);
    if (status == VT_OK)
        vt_coder_train(ivf->coder, sample, count < MEAN_ROWS ? count : MEAN_ROWS);
    else
        ivf_lists_drop(ivf);
    vt_kmeans_free(t.lists);
    vt_free(t.x);
    return status;
}
