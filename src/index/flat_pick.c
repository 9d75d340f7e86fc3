/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The exact index: the best of few rows, given by their ids.
 *
 * Method: each row is looked up in the table and compared where it lies. A scan streams memory and
 * has to look at every row's group; this costs a few misses of the cache for each row asked for and
 * nothing for the others, which below some tenth of the rows is less. The lines of the next rows
 * are asked for before this one is compared, and so are those of the table. Scores have the bits
 * that the scan's have.
 *
 * With estimates most rows are passed over by their codes alone (flat_estimate.h), and rows may
 * also be those of a set of groups, or all.
 *
 * Queries are shared out among threads; one query is one thread's.
 */
#include "index/flat_estimate.h"
#include "index/flat_screen.h"

#include "base/mem.h"

#include <math.h>
#include <stdatomic.h>
#include <string.h>

enum { AHEAD = 8 };

typedef struct pick {
    const vt_flat *flat;
    const vt_scan_options *options;
    const float *queries; /* (count, dim) */
    size_t count, k;
    vt_coder *coder; /* that codes are of: the index's own, or its estimates'; NULL: none */
    uint32_t *rows;  /* (row_count) of the ids, owned */
    size_t row_count;
    bool estimated;
    vt_idset_bits groups;
    vt_hit *hits;
    size_t *hit_counts;
    atomic_size_t next;
    atomic_bool out_of_memory;
} pick;

static void row_request(const pick *p, size_t at)
{
    if (at < p->row_count)
        vt_flat_request(vt_flat_row_vector(p->flat, p->rows[at]), p->flat->row_bytes);
}

/* coded: of the same query; NULL: rows are f32 or f16. */
static float row_score(const pick *p, const float *query, const vt_coder_query *coded, uint32_t row)
{
    const vt_flat *flat = p->flat;
    const vt_distance_table *kernels = flat->kernels;
    const void *vector = vt_flat_row_vector(flat, row);
    if (coded) {
        float score;
        vt_coder_score_many(flat->coder, coded, &vector, 1, &score);
        return flat->metric == VT_METRIC_COSINE ? vt_flat_cosine(score, 1.0f) : score;
    }
    const bool half = flat->codec == VT_CODEC_F16;
    if (flat->metric == VT_METRIC_L2)
        return -(half ? kernels->l2_f16(query, vector, flat->dim)
                      : kernels->l2_f32(query, vector, flat->dim));
    float dot = half ? kernels->dot_f16(query, vector, flat->dim)
                     : kernels->dot_f32(query, vector, flat->dim);
    if (flat->metric == VT_METRIC_DOT)
        return dot;
    const flat_segment *segment = vt_flat_segment(flat, row);
    return vt_flat_cosine(dot, segment->scales[vt_flat_place(flat, row)]);
}

static void query_estimate(const pick *p, const float *query, const vt_coder_query *coded,
                           vt_topk *top)
{
    const vt_flat_subset which = {.rows = p->options->ids ? p->rows : NULL,
                                  .count = p->row_count,
                                  .groups = p->options->groups ? &p->groups : NULL};
    vt_flat_waiting waiting = {
        .flat = p->flat, .query = query, .min_similarity = p->options->min_similarity, .top = top};
    vt_flat_estimate(&which, coded, &waiting);
}

static void query_answer(const pick *p, const float *query, const vt_coder_query *coded,
                         vt_topk *top)
{
    for (size_t i = 0; i < AHEAD; i++)
        row_request(p, i);
    for (size_t i = 0; i < p->row_count; i++) {
        row_request(p, i + AHEAD);
        uint32_t row = p->rows[i];
        float score = row_score(p, query, coded, row);
        const flat_segment *segment = vt_flat_segment(p->flat, row);
        size_t at = vt_flat_place(p->flat, row);
        if (score >= p->options->min_similarity && score >= vt_topk_threshold(top))
            vt_topk_push(top, score, segment->ids[at], segment->groups[at]);
    }
}

static void queries_answer(void *context, size_t worker)
{
    (void)worker;
    pick *p = context;
    const size_t dim = p->flat->dim;
    vt_topk top = {0};
    vt_coder_query *coded = NULL;
    float *query = vt_alloc_array(dim, sizeof *query);
    if ((p->coder && vt_coder_query_new(p->coder, &coded, NULL) != VT_OK) || !query ||
        vt_topk_init(&top, p->k, p->options->grouped, NULL) != VT_OK) {
        atomic_store(&p->out_of_memory, true);
        goto out;
    }
    for (;;) {
        size_t q = atomic_fetch_add_explicit(&p->next, 1, memory_order_relaxed);
        if (q >= p->count)
            break;
        memcpy(query, p->queries + q * dim, dim * sizeof *query);
        if (p->flat->metric == VT_METRIC_COSINE) /* a zero query stays zero: similar to nothing */
            (void)vt_vector_normalize(query, dim);
        if (coded)
            vt_coder_query_set(p->coder, coded, p->estimated ? query : p->queries + q * dim);
        vt_topk_clear(&top);
        (p->estimated ? query_estimate : query_answer)(p, query, coded, &top);
        p->hit_counts[q] = vt_topk_sort(&top);
        memcpy(p->hits + q * p->options->k, top.hits, p->hit_counts[q] * sizeof *top.hits);
    }
out:
    vt_topk_deinit(&top);
    vt_coder_query_free(coded);
    vt_free(query);
}

/* Which rows there are to choose from. False: memory is out. */
static bool rows_take(pick *p)
{
    const vt_scan_options *options = p->options;
    p->row_count = p->flat->count;
    if (options->ids) {
        p->rows = vt_alloc_array(options->id_count, sizeof *p->rows);
        if (p->rows)
            p->row_count = vt_flat_rows_of(p->flat, options->ids, options->id_count, p->rows);
        return p->rows != NULL;
    }
    return !options->groups ||
           vt_idset_bits_init(&p->groups, options->groups, vt_idset_bits_most(p->flat->count));
}

bool vt_flat_pick(const vt_flat *flat, const float *queries, size_t count,
                  const vt_scan_options *options, vt_hit *hits, size_t *hit_counts)
{
    pick p = {.flat = flat, .options = options, .queries = queries, .count = count};
    p.hits = hits;
    p.hit_counts = hit_counts;
    p.estimated = options->estimated && vt_flat_estimates(flat);
    p.coder = p.estimated ? flat->screen->coder : flat->coder;
    bool taken = rows_take(&p);
    p.k = options->k < p.row_count ? options->k : p.row_count;
    if (taken && p.k > 0) {
        size_t threads = options->pool ? (size_t)vt_pool_threads(options->pool) : 1;
        vt_pool_for(options->pool, threads < count ? threads : count, queries_answer, &p);
    } else {
        memset(hit_counts, 0, count * sizeof *hit_counts);
    }
    vt_idset_bits_deinit(&p.groups);
    vt_free(p.rows);
    return taken && !atomic_load(&p.out_of_memory);
}
