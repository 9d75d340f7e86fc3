/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The exact index: scanning.
 *
 * Method: workers take runs of rows from a shared counter until there are none; in each run they
 * score one chunk of rows at a time, small enough for the second-level cache, against a block of
 * queries and keep the best of each query. The workers' best are merged at the end. A single query
 * is bound by memory, a block by arithmetic: the chunk is read from memory once for all its
 * queries.
 *
 * Why the answer does not depend on any of that: the kernels give a pair of vectors the same bits
 * in every shape (vector/distance_template.h), and the order of hits is strict (vector/topk.h), so
 * there is exactly one right answer.
 *
 * Codes other than f32 and f16 are scored a hundred rows at a time for each query of the block in
 * turn (index/codec.h): the chunk is in the cache, and the codes' own kernels share the query.
 *
 * With a screen (flat_screen.h) rows are compared as above until k of them are held, and from then
 * on only those that it lets pass.
 *
 * Filters. When the set is small against the index, the rows in it are picked out first, by a bit
 * per group, and copied together for the kernels. When it is large, everything is scored and the
 * set is only asked about rows that would enter the best.
 */
#include "index/flat_estimate.h"
#include "index/flat_screen.h"

#include "base/mem.h"

#include <math.h>
#include <stdatomic.h>
#include <string.h>

enum {
    CHUNK_BYTES = 256 << 10,
    CHUNK_MAX_ROWS = 1024,
    RUN_BYTES = 2 << 20, /* what a worker takes at once */
    QUERY_BLOCK = 64,
    SCREENED_BLOCK = 1024, /* more, since the rows that pass are read for each block of queries */
    HITS_PER_WORKER = 1 << 20, /* smaller query blocks where k is huge */
    FIRST_STEP = 64,           /* rows that are compared before a screen is asked */
    FILTER_FIRST_SHARE = 8,    /* set below this part of the rows: filter before scoring, */
    SCREENED_FIRST_SHARE = 32  /* where rows are screened, below this: that costs so little */
};

typedef enum filter_mode { FILTER_NONE, FILTER_FIRST, FILTER_LATE } filter_mode;

typedef struct scan_worker {
    vt_topk *tops;             /* (queries) */
    float *similarities;       /* (queries, chunk) */
    uint32_t *picked;          /* (chunk) places in the chunk; FILTER_FIRST only */
    char *gathered;            /* (chunk, dim) their vectors; FILTER_FIRST only */
    vt_flat_screener screener; /* with a screen only */
    size_t unscreened;         /* rows to come for which it is not asked */
    size_t compared;
} scan_worker;

typedef struct scan {
    const vt_flat *flat;
    const vt_scan_options *options;
    size_t k;             /* hits that there can be */
    const float *queries; /* (block, dim) in work */
    size_t block, block_maximum;
    float *normalized;      /* (block_maximum, dim), cosine of f32 and f16 only */
    vt_coder_query **coded; /* (block_maximum), owned; codes only */
    bool screens;           /* rows are screened; then: */
    vt_flat_screened screened;
    filter_mode filter;
    vt_idset_bits groups; /* FILTER_FIRST, and where rows are screened */
    size_t chunk_rows, run_rows;
    atomic_size_t next_row;
    scan_worker *workers;
    size_t worker_count;
} scan;

vt_scan_options vt_scan_options_defaults(void)
{
    return (vt_scan_options){.k = 10, .grouped = true, .min_similarity = -INFINITY};
}

/* ---- scoring one chunk ---- */

static void codes_score(const scan *s, const void *rows, size_t count, float *out)
{
    const void *codes[VT_CODER_MANY];
    for (size_t first = 0; first < count; first += VT_CODER_MANY) {
        size_t some = count - first < VT_CODER_MANY ? count - first : VT_CODER_MANY;
        for (size_t i = 0; i < some; i++)
            codes[i] = (const char *)rows + (first + i) * s->flat->row_bytes;
        for (size_t q = 0; q < s->block; q++)
            vt_coder_score_many(s->flat->coder, s->coded[q], codes, some, out + q * count + first);
    }
}

/* Similarities of `count` consecutive rows with the queries of the block: (block, count). */
static void rows_score(const scan *s, const void *rows, size_t count, float *out)
{
    const vt_distance_table *kernels = s->flat->kernels;
    const size_t dim = s->flat->dim;
    const bool half = s->flat->codec == VT_CODEC_F16;
    if (s->flat->coder) {
        codes_score(s, rows, count, out);
    } else if (s->flat->metric == VT_METRIC_L2) {
        /* Row by row for each query, the chunk in the cache. The square of a sum would need one
         * product only, but loses all digits where vectors are near. */
        for (size_t q = 0; q < s->block; q++) {
            if (half)
                kernels->l2_rows_f16(s->queries + q * dim, rows, count, dim, out + q * count);
            else
                kernels->l2_rows_f32(s->queries + q * dim, rows, count, dim, out + q * count);
        }
        for (size_t i = 0; i < s->block * count; i++)
            out[i] = -out[i];
    } else if (s->block > 1) {
        if (half)
            kernels->dot_block_f16(s->queries, s->block, rows, count, dim, out);
        else
            kernels->dot_block_f32(s->queries, s->block, rows, count, dim, out);
    } else if (half) {
        kernels->dot_rows_f16(s->queries, rows, count, dim, out);
    } else {
        kernels->dot_rows_f32(s->queries, rows, count, dim, out);
    }
}

/* Dot products with queries of length 1 into cosines. `picked` NULL: the rows from `begin` on. */
static void cosines_finish(const scan_worker *w, const flat_segment *segment, size_t begin,
                           const uint32_t *picked, size_t count, size_t block)
{
    for (size_t q = 0; q < block; q++) {
        float *out = w->similarities + q * count;
        for (size_t i = 0; i < count; i++) {
            float scale =
                segment->scales ? segment->scales[begin + (picked ? picked[i] : i)] : 1.0f;
            out[i] = vt_flat_cosine(out[i], scale);
        }
    }
}

/* Offers the similarities of one query. Nearly all fall short of what is held already: they are
 * looked at sixteen at a time, which the compiler turns into a few compares without a branch. */
static void hits_offer(const scan *s, vt_topk *top, const float *similarities, size_t count,
                       const flat_segment *segment, const uint32_t *places)
{
    enum { STRIDE = 16 };
    for (size_t i = 0; i < count; i += STRIDE) {
        float threshold = vt_flat_wanted(top, s->options->min_similarity);
        size_t end = i + STRIDE < count ? i + STRIDE : count;
        if (end - i == STRIDE) {
            int any = 0;
            for (size_t j = 0; j < STRIDE; j++)
                any |= similarities[i + j] >= threshold;
            if (!any)
                continue;
        }
        for (size_t j = i; j < end; j++) {
            size_t row = places ? places[j] : j;
            if (similarities[j] >= threshold &&
                (s->filter != FILTER_LATE ||
                 vt_idset_has(s->options->groups, segment->groups[row])))
                vt_topk_push(top, similarities[j], segment->ids[row], segment->groups[row]);
        }
    }
}

/* FILTER_FIRST: the places of the chunk's rows that are in the set; copies their vectors together.
 */
static size_t rows_pick(const scan *s, scan_worker *w, const flat_segment *segment, size_t begin,
                        size_t count)
{
    const size_t row_bytes = s->flat->row_bytes;
    const char *vectors = (const char *)segment->vectors + begin * row_bytes;
    size_t picked = 0;
    for (size_t i = 0; i < count; i++)
        if (vt_idset_bits_has(&s->groups, segment->groups[begin + i]))
            w->picked[picked++] = (uint32_t)i;
    for (size_t i = 0; i < picked; i++)
        memcpy(w->gathered + i * row_bytes, vectors + w->picked[i] * row_bytes, row_bytes);
    return picked;
}

static void chunk_scan(const scan *s, scan_worker *w, size_t first_row, size_t count)
{
    const flat_segment *segment = vt_flat_segment(s->flat, first_row);
    const size_t begin = vt_flat_place(s->flat, first_row);
    const void *rows = (const char *)segment->vectors + begin * s->flat->row_bytes;
    const uint32_t *picked = NULL;
    if (s->filter == FILTER_FIRST) {
        count = rows_pick(s, w, segment, begin, count);
        rows = w->gathered;
        picked = w->picked;
        if (count == 0)
            return;
    }
    w->compared += count;
    rows_score(s, rows, count, w->similarities);
    if (s->flat->metric == VT_METRIC_COSINE)
        cosines_finish(w, segment, begin, picked, count, s->block);
    flat_segment from_begin = {.ids = segment->ids + begin, .groups = segment->groups + begin};
    for (size_t q = 0; q < s->block; q++)
        hits_offer(s, &w->tops[q], w->similarities + q * count, count, &from_begin, picked);
}

/* Whether no query would take whatever comes. */
static bool tops_are_full(const scan *s, const scan_worker *w)
{
    for (size_t q = 0; q < s->block; q++)
        if (vt_topk_threshold(&w->tops[q]) == -INFINITY)
            return s->options->min_similarity > -INFINITY;
    return true;
}

/* Where a screen spares little (what passes the filter lies far from the query, say), it is left
 * alone for a while. */
static void screen_scan(const scan *s, scan_worker *w, size_t first_row, size_t count)
{
    enum { LITTLE_SHARE = 4, WHILE = 8 * VT_FLAT_SCREEN_ROWS };
    size_t passed = vt_flat_screened_scan(&s->screened, &w->screener, first_row, count, w->tops);
    w->compared += count;
    if (w->compared > WHILE && passed > count * s->block / LITTLE_SHARE)
        w->unscreened = WHILE;
}

/* A block of the screen: compared until something is held, then in steps of as many rows as came
 * before, since a screen lets the more pass the less is held. */
static void block_scan(const scan *s, scan_worker *w, size_t first_row, size_t count)
{
    const size_t end = first_row + count, covered = s->flat->screen->covered;
    size_t step = FIRST_STEP;
    for (size_t at = first_row; at < end; at += step) {
        step = w->compared < FIRST_STEP ? FIRST_STEP : w->compared / FIRST_STEP * FIRST_STEP;
        step = step < end - at ? step : end - at;
        step = at < covered && covered < at + step ? covered - at : step;
        if (at < covered && w->unscreened == 0 && tops_are_full(s, w)) {
            screen_scan(s, w, at, step);
            continue;
        }
        step = step < FIRST_STEP ? step : FIRST_STEP;
        w->unscreened -= step < w->unscreened ? step : w->unscreened;
        chunk_scan(s, w, at, step);
    }
}

static void worker_run(void *context, size_t index)
{
    scan *s = context;
    const size_t rows = s->flat->count;
    for (;;) {
        size_t run = atomic_fetch_add_explicit(&s->next_row, s->run_rows, memory_order_relaxed);
        if (run >= rows)
            return;
        size_t end = rows - run < s->run_rows ? rows : run + s->run_rows;
        for (size_t at = run; at < end; at += s->chunk_rows) {
            size_t count = end - at < s->chunk_rows ? end - at : s->chunk_rows;
            (s->screens ? block_scan : chunk_scan)(s, &s->workers[index], at, count);
        }
    }
}

/* ---- preparing ---- */

static vt_status search_check(const vt_flat *flat, const float *queries, size_t count,
                              const vt_scan_options *options, vt_error *error)
{
    if (options->k < 1)
        return vt_fail(error, VT_ERR_USAGE, "search the index: 0 hits asked for");
    if (isnan(options->min_similarity))
        return vt_fail(error, VT_ERR_USAGE,
                       "search the index: the minimum similarity is not a number");
    for (size_t q = 0; q < count; q++) {
        vt_status status =
            vt_flat_row_check(flat, queries + q * flat->dim, "search the index", error);
        if (status != VT_OK && count > 1)
            return vt_fail_context(error, status, "query %zu of %zu", q + 1, count);
        if (status != VT_OK)
            return status;
    }
    return VT_OK;
}

static bool filter_prepare(scan *s)
{
    const vt_idset *groups = s->options->groups;
    if (!groups)
        return true;
    const bool covered = vt_flat_screen_covers(s->flat) > 0;
    const size_t share = covered ? SCREENED_FIRST_SHARE : FILTER_FIRST_SHARE;
    s->filter = vt_idset_count(groups) > s->flat->count / share ? FILTER_LATE : FILTER_FIRST;
    if (s->filter == FILTER_LATE && !covered)
        return true;
    return vt_idset_bits_init(&s->groups, groups, vt_idset_bits_most(s->flat->count));
}

static bool worker_prepare(const scan *s, scan_worker *w)
{
    const size_t rows = s->screens ? FIRST_STEP : s->chunk_rows;
    w->similarities = vt_alloc_array(s->block_maximum * rows, sizeof *w->similarities);
    w->tops = vt_calloc(s->block_maximum, sizeof *w->tops);
    if (!w->similarities || !w->tops)
        return false;
    if (s->screens && !vt_flat_screener_init(&w->screener, s->block_maximum))
        return false;
    if (s->filter == FILTER_FIRST) {
        w->picked = vt_alloc_array(s->chunk_rows, sizeof *w->picked);
        w->gathered = vt_alloc_aligned(64, s->chunk_rows * s->flat->row_bytes);
        if (!w->picked || !w->gathered)
            return false;
    }
    for (size_t q = 0; q < s->block_maximum; q++)
        if (vt_topk_init(&w->tops[q], s->k, s->options->grouped, NULL) != VT_OK)
            return false;
    return true;
}

static void worker_release(const scan *s, scan_worker *w)
{
    for (size_t q = 0; w->tops && q < s->block_maximum; q++)
        vt_topk_deinit(&w->tops[q]);
    vt_free(w->tops);
    vt_free(w->similarities);
    vt_free(w->picked);
    vt_free(w->gathered);
    vt_flat_screener_deinit(&w->screener);
}

/* Powers of two, so that chunks divide runs and runs divide segments. */
static void sizes_choose(scan *s, size_t count)
{
    const vt_flat *flat = s->flat;
    s->chunk_rows = 16;
    while (s->chunk_rows < CHUNK_MAX_ROWS && s->chunk_rows < flat->segment_rows &&
           2 * s->chunk_rows * flat->row_bytes <= CHUNK_BYTES)
        s->chunk_rows *= 2;
    if (s->screens)
        s->chunk_rows = VT_FLAT_SCREEN_ROWS;
    s->run_rows = s->chunk_rows;
    while (s->run_rows < flat->segment_rows && 2 * s->run_rows * flat->row_bytes <= RUN_BYTES)
        s->run_rows *= 2;
    s->block_maximum = s->screens ? SCREENED_BLOCK : QUERY_BLOCK;
    s->block_maximum = count < s->block_maximum ? count : s->block_maximum;
    while (s->block_maximum > 1 && s->block_maximum * s->k > HITS_PER_WORKER)
        s->block_maximum = (s->block_maximum + 1) / 2;
    size_t runs = (flat->count + s->run_rows - 1) / s->run_rows;
    size_t threads = s->options->pool ? (size_t)vt_pool_threads(s->options->pool) : 1;
    s->worker_count = threads < runs ? threads : runs;
}

static void scan_deinit(scan *s)
{
    for (size_t i = 0; s->workers && i < s->worker_count; i++)
        worker_release(s, &s->workers[i]);
    vt_free(s->workers);
    for (size_t q = 0; s->coded && q < s->block_maximum; q++)
        vt_coder_query_free(s->coded[q]);
    vt_free(s->coded);
    vt_free(s->normalized);
    vt_flat_screened_deinit(&s->screened);
    vt_idset_bits_deinit(&s->groups);
}

/* What queries become before they are compared. */
static bool queries_prepare(scan *s)
{
    const vt_flat *flat = s->flat;
    if (s->screens && !vt_flat_screened_init(&s->screened, flat, s->options, s->block_maximum,
                                             s->filter == FILTER_LATE ? &s->groups : NULL))
        return false;
    if (flat->coder) {
        s->coded = vt_calloc(s->block_maximum, sizeof *s->coded);
        for (size_t q = 0; s->coded && q < s->block_maximum; q++)
            if (vt_coder_query_new(flat->coder, &s->coded[q], NULL) != VT_OK)
                return false;
        return s->coded != NULL;
    }
    if (flat->metric == VT_METRIC_COSINE)
        s->normalized = vt_alloc_array(s->block_maximum * flat->dim, sizeof *s->normalized);
    return flat->metric != VT_METRIC_COSINE || s->normalized;
}

/* Takes all memory of the search at once: after this it cannot fail. */
static bool scan_init(scan *s, size_t count)
{
    if (!filter_prepare(s))
        return false;
    s->screens = vt_flat_screen_covers(s->flat) > 0 && s->filter != FILTER_FIRST;
    sizes_choose(s, count);
    if (!queries_prepare(s))
        return false;
    s->workers = vt_calloc(s->worker_count, sizeof *s->workers);
    if (!s->workers)
        return false;
    for (size_t i = 0; i < s->worker_count; i++)
        if (!worker_prepare(s, &s->workers[i]))
            return false;
    return true;
}

/* ---- searching ---- */

static void queries_take(scan *s, const float *queries, size_t count)
{
    const size_t dim = s->flat->dim;
    s->block = count;
    s->queries = queries;
    for (size_t q = 0; s->coded && q < count; q++)
        vt_coder_query_set(s->flat->coder, s->coded[q], queries + q * dim);
    if (s->normalized) {
        s->queries = s->normalized;
        memcpy(s->normalized, queries, count * dim * sizeof *queries);
        for (size_t q = 0; q < count; q++) /* a zero query stays zero: similar to nothing */
            (void)vt_vector_normalize(s->normalized + q * dim, dim);
    }
    if (s->screens)
        vt_flat_screened_take(&s->screened, s->queries, count);
}

/* The block's hits from all workers; returns rows compared with each of its queries. */
static size_t block_finish(scan *s, vt_hit *hits, size_t *hit_counts)
{
    size_t compared = 0;
    for (size_t i = 0; i < s->worker_count; i++) {
        compared += s->workers[i].compared;
        s->workers[i].compared = 0;
        s->workers[i].unscreened = 0;
    }
    for (size_t q = 0; q < s->block; q++) {
        vt_topk *top = &s->workers[0].tops[q];
        for (size_t i = 1; i < s->worker_count; i++) {
            vt_topk_merge(top, &s->workers[i].tops[q]);
            vt_topk_clear(&s->workers[i].tops[q]);
        }
        hit_counts[q] = vt_topk_sort(top);
        memcpy(hits + q * s->options->k, top->hits, hit_counts[q] * sizeof *hits);
        vt_topk_clear(top);
    }
    return compared;
}

vt_status vt_flat_search(const vt_flat *flat, const float *queries, size_t count,
                         const vt_scan_options *options, vt_hit *hits, size_t *hit_counts,
                         size_t *scanned, vt_error *error)
{
    vt_status status = search_check(flat, queries, count, options, error);
    if (status != VT_OK)
        return status;
    scan s = {.flat = flat, .options = options};
    s.k = options->k < flat->count ? options->k : flat->count;
    if (s.k > VT_TOPK_MAX_K)
        return vt_fail(error, VT_ERR_LIMIT, "search the index: %zu hits asked for, %d is the most",
                       options->k, VT_TOPK_MAX_K);
    size_t compared = 0;
    if (options->ids || (options->estimated && vt_flat_estimates(flat))) {
        compared = options->ids ? options->id_count : flat->count;
        if (!vt_flat_pick(flat, queries, count, options, hits, hit_counts))
            status = vt_fail_memory(error, "search of the vector index");
    } else if (count > 0 && flat->count > 0) {
        if (!scan_init(&s, count)) {
            status = vt_fail_memory(error, "search of the vector index");
            goto out;
        }
        for (size_t first = 0; first < count; first += s.block) {
            size_t left = count - first;
            queries_take(&s, queries + first * flat->dim,
                         left < s.block_maximum ? left : s.block_maximum);
            atomic_store_explicit(&s.next_row, 0, memory_order_relaxed);
            vt_pool_for(options->pool, s.worker_count, worker_run, &s);
            compared = block_finish(&s, hits + first * options->k, hit_counts + first);
        }
    } else {
        memset(hit_counts, 0, count * sizeof *hit_counts);
    }
    if (scanned)
        *scanned = compared;
out:
    scan_deinit(&s);
    return status;
}
