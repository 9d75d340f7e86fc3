/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Inverted lists: searching.
 *
 * Method: lists from the nearest centroid on. In each, blocks of 32 rows are estimated by table
 * (vector/fastscan.h); rows whose estimate and what it may be too low by reach the k-th best so far
 * are looked at by their precise code, or by the vector itself, at once: the k-th best soon is near
 * its final value, and of a list only some rows in a hundred pass (RaBitQ, section 4). Where
 * there is neither, estimates are the answer.
 *
 * How many lists: `probes`, and beyond them as many as it takes to have k hits; with a set of ids
 * as it takes to have met `matches` of its rows, for where few rows are in the set the nearest of
 * them lie farther apart, in lists that a search without it would leave out. Where the set avoids
 * the query its nearest rows may be in any list, and all are looked into. A budget ends that.
 *
 * Queries are taken in tiles, whose products with all centroids are one product of matrices: the
 * centroids are read once for a tile. Each is answered on its own from there on. A query that comes
 * alone ranks lists by centroids of half precision: reading them is most of its time where lists
 * are many. What it is compared with in a list is exact again.
 */
#include "index/ivf_rows.h"

#include "base/mem.h"

#include <math.h>
#include <stdatomic.h>
#include <string.h>

enum {
    BLOCK = VT_FASTSCAN_BLOCK,
    TILE_QUERIES = 16,
    MATCHES_PER_HIT = 40,
    /* Bits of groups cost a step for each id of the set, asking the set some steps for each row of
     * the lists: they are for small sets, and for many queries. A sparse set has its ids in lists
     * (roaring's containers of 2^16 ids, of which at most a sixteenth are there), which takes a
     * binary search for each row: for it, too. */
    BITS_PER_QUERY = 16384,
    BITS_SPARSE = 16,
};

typedef struct search {
    const vt_ivf *ivf;
    const vt_ivf_search_options *options;
    const vt_ivf_answers *answers;
    const float *queries; /* (count, dim) */
    size_t count, k, rows, matches, tile;
    vt_idset_bits groups; /* where there is a set */
    atomic_size_t next;
    vt_first_error failure; /* of the workers */
} search;

typedef struct candidate {
    float value; /* |c|^2 - 2 <q, c>: less is nearer */
    uint32_t list;
} candidate;

/* One worker's memory, and the query it is at. */
typedef struct worker {
    const search *s;
    float *x;    /* (tile, width) prepared */
    float *dots; /* (tile, lists) with centroids */
    bool rough;  /* with centroids of half precision */
    candidate *heap;
    float *entries;  /* (groups, 16) */
    uint8_t *tables; /* (groups, 16) */
    float *fetched;  /* (32, dim); with fetch */
    vt_coder_query *precise;
    vt_topk top;
    const float *query; /* (dim), as given */
    float norm2;        /* of the prepared query */
    vt_fastscan_line line;
    vt_ivf_walked walked;
    bool everywhere; /* all lists are to be looked into */
    vt_error *error;
} worker;

vt_ivf_search_options vt_ivf_search_defaults(void)
{
    return (vt_ivf_search_options){
        .k = 10, .grouped = true, .min_similarity = -INFINITY, .probes = 16, .epsilon = 1.9f};
}

/* ---- the nearest lists ---- */

static void heap_sift(candidate *heap, size_t count, size_t at)
{
    candidate moved = heap[at];
    for (;;) {
        size_t child = 2 * at + 1;
        if (child >= count)
            break;
        if (child + 1 < count && heap[child + 1].value < heap[child].value)
            child++;
        if (heap[child].value >= moved.value)
            break;
        heap[at] = heap[child];
        at = child;
    }
    heap[at] = moved;
}

static void heap_make(worker *w, const float *dots)
{
    const vt_ivf *ivf = w->s->ivf;
    for (size_t i = 0; i < ivf->list_count; i++)
        w->heap[i] = (candidate){ivf->norms[i] - 2.0f * dots[i], (uint32_t)i};
    for (size_t at = ivf->list_count / 2; at > 0; at--)
        heap_sift(w->heap, ivf->list_count, at - 1);
}

static candidate heap_take(worker *w, size_t *count)
{
    candidate nearest = w->heap[0];
    w->heap[0] = w->heap[--*count];
    if (*count > 0)
        heap_sift(w->heap, *count, 0);
    return nearest;
}

/* ---- blocks ---- */

static uint32_t block_select(const search *s, const uint32_t *groups, uint32_t rows)
{
    uint32_t selected = 0;
    for (uint32_t left = rows; left != 0; left &= left - 1) {
        unsigned i = (unsigned)__builtin_ctz(left);
        selected |= (uint32_t)vt_idset_bits_has(&s->groups, groups[i]) << i;
    }
    return selected;
}

static float vector_score(const worker *w, const float *vector)
{
    const vt_ivf *ivf = w->s->ivf;
    if (ivf->options.metric == VT_METRIC_L2)
        return -ivf->floats->l2_f32(w->query, vector, ivf->dim);
    if (ivf->options.metric == VT_METRIC_COSINE)
        return ivf->floats->cosine_f32(w->query, vector, ivf->dim);
    return ivf->floats->dot_f32(w->query, vector, ivf->dim);
}

static void hit_offer(worker *w, float score, uint32_t id, uint32_t group)
{
    if (score >= w->s->options->min_similarity && score >= vt_topk_threshold(&w->top))
        vt_topk_push(&w->top, score, id, group);
}

static vt_status rows_fetch(worker *w, unsigned char *block, uint32_t passing)
{
    const search *s = w->s;
    const uint32_t *ids = ivf_ids(s->ivf, block), *groups = ivf_groups(s->ivf, block);
    uint32_t wanted[BLOCK], wanted_groups[BLOCK];
    size_t count = 0;
    for (uint32_t left = passing; left != 0; left &= left - 1, count++) {
        unsigned i = (unsigned)__builtin_ctz(left);
        wanted[count] = ids[i];
        wanted_groups[count] = groups[i];
    }
    vt_status status = s->options->fetch(s->options->context, wanted, count, w->fetched, w->error);
    for (size_t i = 0; status == VT_OK && i < count; i++)
        hit_offer(w, vector_score(w, w->fetched + i * s->ivf->dim), wanted[i], wanted_groups[i]);
    w->walked.reranked += count;
    return status;
}

/* The rows of the block at `first` of the list whose bits are set. */
static vt_status rows_rank(worker *w, const ivf_list *list, size_t first, uint32_t passing,
                           const float *estimates)
{
    const search *s = w->s;
    const vt_ivf *ivf = s->ivf;
    unsigned char *block = ivf_block(ivf, list, first);
    const uint32_t *ids = ivf_ids(ivf, block), *groups = ivf_groups(ivf, block);
    if (s->options->fetch)
        return rows_fetch(w, block, passing);
    for (uint32_t left = passing; left != 0; left &= left - 1) {
        unsigned i = (unsigned)__builtin_ctz(left);
        float score = estimates[i];
        if (ivf->precise_bytes > 0) {
            const void *code = list->precise + (first + i) * ivf->precise_bytes;
            score = vt_coder_score_fine(ivf->coder, w->precise, code, NULL);
            w->walked.reranked++;
        }
        hit_offer(w, score, ids[i], groups[i]);
    }
    return VT_OK;
}

static void precise_request(const worker *w, const ivf_list *list, size_t first, uint32_t passing)
{
    const size_t bytes = w->s->ivf->precise_bytes;
    for (uint32_t left = passing; bytes > 0 && left != 0; left &= left - 1) {
        const unsigned char *code = list->precise + (first + (unsigned)__builtin_ctz(left)) * bytes;
        for (size_t at = 0; at < bytes; at += 64)
            __builtin_prefetch(code + at, 0, 3);
    }
}

static vt_status list_scan(worker *w, const ivf_list *list)
{
    const search *s = w->s;
    const vt_ivf *ivf = s->ivf;
    vt_status status = VT_OK;
    for (size_t first = 0; status == VT_OK && first < list->count; first += BLOCK) {
        unsigned char *block = ivf_block(ivf, list, first);
        size_t left = list->count - first;
        uint32_t rows = left < BLOCK ? ((uint32_t)1 << left) - 1 : UINT32_MAX;
        if (s->options->groups)
            rows = block_select(s, ivf_groups(ivf, block), rows);
        w->walked.matched += (size_t)__builtin_popcount(rows);
        if (rows == 0)
            continue;
        uint16_t sums[BLOCK];
        float estimates[BLOCK];
        w->walked.visited += left < BLOCK ? left : BLOCK;
        w->line.threshold = fmaxf(vt_topk_threshold(&w->top), s->options->min_similarity);
        ivf->fastscan->sums(w->tables, block, ivf->groups, sums);
        uint32_t passing =
            ivf->fastscan->estimate(sums, ivf_factors(ivf, block), &w->line, estimates) & rows;
        if (passing == 0)
            continue;
        if (!s->options->fetch)
            precise_request(w, list, first, passing);
        status = rows_rank(w, list, first, passing, estimates);
    }
    return status;
}

/* ---- one query ---- */

/* What is the same for all rows of the list. */
static void line_set(worker *w, const float *x, const float *dots, uint32_t list)
{
    const vt_ivf *ivf = w->s->ivf;
    float dot = dots[list];
    if (w->rough)
        dot = ivf->floats->dot_f32(x, ivf->centroids + list * ivf->width, ivf->width);
    float distance2 = fmaxf(w->norm2 + ivf->norms[list] - 2.0f * dot, 0.0f); /* |q - c|^2 */
    w->line.origin = ivf->options.metric == VT_METRIC_L2 ? -distance2 : dot;
    bool exact = ivf->precise_bytes > 0 || w->s->options->fetch;
    w->line.spread = exact ? w->s->options->epsilon * sqrtf(distance2) : 0.0f;
}

/* Whether the set is as thin in the nearest lists that its nearest rows may lie anywhere. */
static bool around_thin(const worker *w)
{
    enum { THIN = 2 };
    float expected = (float)w->walked.seen * w->s->options->share;
    return w->s->options->groups && (float)(THIN * w->walked.matched) < expected;
}

static bool more_wanted(worker *w)
{
    const search *s = w->s;
    if (w->walked.lists < s->options->probes)
        return true;
    if (w->walked.lists == s->options->probes)
        w->everywhere = around_thin(w);
    if (w->everywhere || (s->options->groups && w->walked.matched < s->matches))
        return true;
    return w->top.count < s->k && !(s->options->min_similarity > -INFINITY);
}

static vt_status query_answer(worker *w, const float *x, const float *dots)
{
    const vt_ivf *ivf = w->s->ivf;
    const vt_ivf_search_options *options = w->s->options;
    size_t left = ivf->list_count;
    vt_status status = VT_OK;
    vt_topk_clear(&w->top);
    w->walked = (vt_ivf_walked){0};
    w->everywhere = false;
    w->norm2 = ivf->floats->dot_f32(x, x, ivf->width);
    ivf_tables(ivf, x, w->entries, w->tables, &w->line);
    bool exact = ivf->precise_bytes > 0 || options->fetch;
    w->line.slack *= exact ? w->s->options->epsilon : 0.0f;
    if (w->precise)
        vt_coder_query_set(ivf->coder, w->precise, w->query);
    heap_make(w, dots);
    while (status == VT_OK && left > 0 && more_wanted(w)) {
        candidate c = heap_take(w, &left);
        if (ivf->lists[c.list].count == 0)
            continue;
        w->walked.ran_out = options->budget > 0 && w->walked.seen >= options->budget;
        if (w->walked.ran_out)
            break;
        w->walked.lists++;
        w->walked.seen += ivf->lists[c.list].count;
        line_set(w, x, dots, c.list);
        status = list_scan(w, &ivf->lists[c.list]);
    }
    return status;
}

/* w->dots of w->x, (count, width). */
static void meet_centroids(worker *w, size_t count)
{
    const vt_ivf *ivf = w->s->ivf;
    w->rough = count == 1;
    if (!w->rough) {
        ivf->floats->dot_block_f32(w->x, count, ivf->centroids, ivf->list_count, ivf->width,
                                   w->dots);
        return;
    }
    ivf->floats->dot_rows_f16(w->x, ivf->halves, ivf->list_count, ivf->width, w->dots);
    for (size_t i = 0; i < ivf->list_count; i++)
        w->dots[i] *= ivf->unit;
}

static vt_status tile_answer(worker *w, size_t first, size_t count)
{
    const search *s = w->s;
    const vt_ivf *ivf = s->ivf;
    for (size_t q = 0; q < count; q++)
        ivf_prepare(ivf, s->queries + (first + q) * ivf->dim, w->x + q * ivf->width);
    meet_centroids(w, count);
    for (size_t q = 0; q < count; q++) {
        w->query = s->queries + (first + q) * ivf->dim;
        pthread_rwlock_rdlock(&ivf->locks->rows);
        vt_status status = query_answer(w, w->x + q * ivf->width, w->dots + q * ivf->list_count);
        pthread_rwlock_unlock(&ivf->locks->rows);
        if (status != VT_OK)
            return status;
        size_t found = vt_topk_sort(&w->top);
        s->answers->counts[first + q] = found;
        memcpy(s->answers->hits + (first + q) * s->options->k, w->top.hits,
               found * sizeof *w->top.hits);
        if (s->answers->walked)
            s->answers->walked[first + q] = w->walked;
    }
    return VT_OK;
}

/* ---- workers ---- */

static vt_status worker_init(worker *w, const search *s, vt_error *error)
{
    const vt_ivf *ivf = s->ivf;
    const bool fetching = s->options->fetch != NULL;
    *w = (worker){.s = s, .error = error};
    w->x = vt_alloc_array(s->tile, ivf->width * sizeof *w->x);
    w->dots = vt_alloc_array(s->tile, ivf->list_count * sizeof *w->dots);
    w->heap = vt_alloc_array(ivf->list_count, sizeof *w->heap);
    w->entries = vt_alloc_array(ivf->groups, VT_FASTSCAN_ENTRIES * sizeof *w->entries);
    w->tables = vt_alloc_aligned(64, ivf->groups * VT_FASTSCAN_ENTRIES);
    w->fetched = fetching ? vt_alloc_array(BLOCK, ivf->dim * sizeof *w->fetched) : NULL;
    if (!w->x || !w->dots || !w->heap || !w->entries || !w->tables || (fetching && !w->fetched))
        return vt_fail_memory(error, "search of inverted lists");
    vt_status status = vt_topk_init(&w->top, s->k, s->options->grouped, error);
    if (status == VT_OK && ivf->precise_bytes > 0 && !fetching)
        status = vt_coder_query_new(ivf->coder, &w->precise, error);
    return status;
}

static void worker_deinit(worker *w)
{
    vt_free(w->x);
    vt_free(w->dots);
    vt_free(w->heap);
    vt_free(w->entries);
    vt_free(w->tables);
    vt_free(w->fetched);
    vt_coder_query_free(w->precise);
    vt_topk_deinit(&w->top);
}

static void worker_run(void *context, size_t index)
{
    (void)index;
    search *s = context;
    worker w;
    vt_error error = {0};
    vt_status status = worker_init(&w, s, &error);
    while (status == VT_OK) {
        size_t first = atomic_fetch_add_explicit(&s->next, s->tile, memory_order_relaxed);
        if (first >= s->count)
            break;
        size_t left = s->count - first;
        status = tile_answer(&w, first, left < s->tile ? left : s->tile);
    }
    worker_deinit(&w);
    vt_first_error_note(&s->failure, status, &error);
}

/* ---- the whole ---- */

static vt_status options_check(const vt_ivf_search_options *options, vt_error *error)
{
    if (options->k < 1)
        return vt_fail(error, VT_ERR_USAGE, "search inverted lists: 0 hits asked for");
    if (isnan(options->min_similarity))
        return vt_fail(error, VT_ERR_USAGE,
                       "search inverted lists: the minimum similarity is not a number");
    if (!(options->epsilon >= 0.0f && options->epsilon <= 1e6f))
        return vt_fail(error, VT_ERR_USAGE, "search inverted lists: epsilon is %g",
                       (double)options->epsilon);
    return VT_OK;
}

static vt_status queries_check(const search *s, vt_error *error)
{
    vt_status status = options_check(s->options, error);
    if (status == VT_OK && s->k > VT_IVF_MAX_HITS)
        return vt_fail(error, VT_ERR_LIMIT,
                       "search inverted lists: %zu hits asked for, %d is the most", s->options->k,
                       VT_IVF_MAX_HITS);
    for (size_t q = 0; status == VT_OK && q < s->count; q++) {
        status = vt_coder_check(s->ivf->coder, s->queries + q * s->ivf->dim,
                                "search inverted lists", error);
        if (status != VT_OK && s->count > 1)
            return vt_fail_context(error, status, "query %zu of %zu", q + 1, s->count);
    }
    return status;
}

/* False: memory is out. */
static bool filter_prepare(search *s)
{
    const vt_idset *groups = s->options->groups;
    if (!groups)
        return true;
    uint64_t ids = vt_idset_count(groups);
    bool search_set = ids > BITS_PER_QUERY * s->count && ids > vt_idset_last(groups) / BITS_SPARSE;
    return vt_idset_bits_init(&s->groups, groups, search_set ? 0 : vt_idset_bits_most(s->rows));
}

/* Small enough that all threads have some. */
static size_t tile_of(size_t count, size_t threads)
{
    size_t each = (count + threads - 1) / threads;
    return each < TILE_QUERIES ? each : TILE_QUERIES;
}

vt_status vt_ivf_search(const vt_ivf *ivf, const float *queries, size_t count,
                        const vt_ivf_search_options *options, const vt_ivf_answers *answers,
                        vt_error *error)
{
    search s = {.ivf = ivf, .options = options, .answers = answers};
    s.queries = queries;
    s.count = count;
    const size_t rows = vt_ivf_count(ivf);
    s.k = options->k < rows ? options->k : rows;
    vt_status status = queries_check(&s, error);
    if (status != VT_OK)
        return status;
    s.matches = options->matches ? options->matches : MATCHES_PER_HIT * s.k;
    s.rows = rows;
    if (count == 0 || rows == 0) {
        memset(answers->counts, 0, count * sizeof *answers->counts);
        if (answers->walked)
            memset(answers->walked, 0, count * sizeof *answers->walked);
        return VT_OK;
    }
    size_t threads = options->pool ? (size_t)vt_pool_threads(options->pool) : 1;
    s.tile = tile_of(count, threads);
    size_t tiles = (count + s.tile - 1) / s.tile;
    if (!filter_prepare(&s))
        return vt_fail_memory(error, "search of inverted lists");
    vt_first_error_init(&s.failure);
    vt_pool_for(options->pool, threads < tiles ? threads : tiles, worker_run, &s);
    vt_first_error_deinit(&s.failure);
    vt_idset_bits_deinit(&s.groups);
    return vt_first_error_give(&s.failure, error);
}
