/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The first centroids of k-means.
 *
 * Method: k-means++ (Arthur and Vassilvitskii 2007): a row is drawn with a probability that is
 * proportional to its squared distance from the nearest centroid so far. Greedy, as its authors
 * suggest: of 2 + ln k draws the one is taken that leaves the smallest sum of distances.
 * Departures: large sets are represented by a random sample of rows, and beyond GREEDY_K centroids
 * one draw has to do, since seeding would otherwise take longer than the iterations that follow.
 *
 * Sums run over blocks of rows of a fixed size and then over blocks in order, so that they do not
 * depend on threads.
 */
#include "vector/kmeans.h"

#include "base/mem.h"
#include "base/random.h"
#include "vector/distance.h"

#include <math.h>
#include <string.h>

enum { BLOCK_ROWS = 1024, GREEDY_K = 512, SAMPLE_ROWS = 1 << 16, SAMPLE_PER_CENTROID = 32 };

typedef struct seeding {
    const float *rows;
    size_t dim;
    const vt_kmeans_options *options;
    uint32_t *sample; /* (count) rows that are drawn from, ascending */
    size_t count;
    float *nearest; /* (count) squared distance from the nearest centroid so far; best after it */
    float *trial;   /* (count) the same if the candidate were one */
    float *best;    /* (count) the same of the best candidate */
    double *sums;   /* (blocks) */
    const float *candidate;
} seeding;

/* Selection sampling: `wanted` of `count` rows, each subset as likely (Knuth, algorithm 3.4.2S). */
static void draw_sample(vt_random *random, size_t count, seeding *s)
{
    size_t taken = 0;
    for (size_t i = 0; taken < s->count; i++)
        if (vt_random_below(random, count - i) < s->count - taken)
            s->sample[taken++] = (uint32_t)i;
}

static void try_block(void *context, size_t block)
{
    seeding *s = context;
    const vt_distance_table *distance = vt_distance();
    size_t begin = block * BLOCK_ROWS,
           end = begin + BLOCK_ROWS < s->count ? begin + BLOCK_ROWS : s->count;
    double sum = 0;
    for (size_t i = begin; i < end; i++) {
        float from = distance->l2_f32(s->candidate, s->rows + s->sample[i] * s->dim, s->dim);
        s->trial[i] = from < s->nearest[i] ? from : s->nearest[i];
        sum += (double)s->trial[i];
    }
    s->sums[block] = sum;
}

static size_t block_count(const seeding *s)
{
    return (s->count + BLOCK_ROWS - 1) / BLOCK_ROWS;
}

/* The sum of distances if this row were a centroid; the distances are in s->trial. */
static double potential_with(seeding *s, uint32_t row)
{
    double sum = 0;
    s->candidate = s->rows + row * s->dim;
    vt_pool_for(s->options->pool, block_count(s), try_block, s);
    for (size_t block = 0; block < block_count(s); block++)
        sum += s->sums[block];
    return sum;
}

/* A row, with a probability proportional to its distance. */
static uint32_t draw(const seeding *s, vt_random *random, double potential)
{
    double left = vt_random_double(random) * potential;
    size_t last = 0;
    for (size_t i = 0; i < s->count; i++) {
        if (!(s->nearest[i] > 0))
            continue;
        last = i;
        left -= (double)s->nearest[i];
        if (left < 0)
            break;
    }
    return s->sample[last];
}

static void swap(float **a, float **b)
{
    float *kept = *a;
    *a = *b;
    *b = kept;
}

/* Chooses one more centroid; *potential: what is left then. */
static uint32_t choose(seeding *s, vt_random *random, int draws, double *potential)
{
    uint32_t chosen = 0;
    double least = INFINITY;
    for (int i = 0; i < draws; i++) {
        uint32_t row = draw(s, random, *potential);
        double sum = potential_with(s, row);
        if (i > 0 && !(sum < least))
            continue;
        least = sum;
        chosen = row;
        swap(&s->trial, &s->best);
    }
    swap(&s->nearest, &s->best);
    *potential = least;
    return chosen;
}

bool vt_kmeans_goes_on(const vt_kmeans_options *options, uint64_t done, uint64_t total)
{
    return options->on_progress == NULL || options->on_progress(options->context, done, total);
}

static vt_status run(seeding *s, vt_random *random, float *centroids, size_t *chosen)
{
    size_t k = s->options->k < s->count ? s->options->k : s->count;
    int draws = k > GREEDY_K ? 1 : 2 + (int)log((double)k);
    for (size_t i = 0; i < s->count; i++)
        s->nearest[i] = INFINITY;
    uint32_t row = s->sample[vt_random_below(random, s->count)];
    double potential = potential_with(s, row);
    swap(&s->nearest, &s->trial);
    memcpy(centroids, s->rows + row * s->dim, s->dim * sizeof *centroids);
    size_t have = 1;
    for (; have < k && potential > 0; have++) {
        if (!vt_kmeans_goes_on(s->options, 0, 0))
            return VT_ERR_CANCELLED;
        row = choose(s, random, draws, &potential);
        memcpy(centroids + have * s->dim, s->rows + row * s->dim, s->dim * sizeof *centroids);
    }
    *chosen = have;
    return VT_OK;
}

vt_status vt_kmeans_seed(const float *rows, size_t count, size_t dim,
                         const vt_kmeans_options *options, float *centroids, size_t *chosen)
{
    size_t wanted = options->k * SAMPLE_PER_CENTROID;
    wanted = wanted > SAMPLE_ROWS ? wanted : SAMPLE_ROWS;
    seeding s = {
        .rows = rows, .dim = dim, .options = options, .count = count < wanted ? count : wanted};
    vt_random random;
    vt_random_init(&random, options->seed);
    float *distances = vt_alloc_array(s.count, 3 * sizeof *distances);
    s.sample = vt_alloc_array(s.count, sizeof *s.sample);
    s.sums = vt_alloc_array(block_count(&s), sizeof *s.sums);
    vt_status status = VT_ERR_NO_MEMORY;
    if (distances != NULL && s.sample != NULL && s.sums != NULL) {
        s.nearest = distances;
        s.trial = distances + s.count;
        s.best = distances + 2 * s.count;
        draw_sample(&random, count, &s);
        status = run(&s, &random, centroids, chosen);
    }
    vt_free(distances);
    vt_free(s.sample);
    vt_free(s.sums);
    return status;
}
