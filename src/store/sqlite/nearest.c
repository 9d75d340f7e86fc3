/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Nearest neighbours: the planner's way, the exact scan where a walk gives up. Looking into
 * inverted lists is a walk like one over the graph here.
 *
 * Method: one plan for a call. Walks answer for the first `prefix` products of a question, always
 * walking the same way however many of those are wanted, so that a page's neighbours come from the
 * same walk. What lies deeper is the exact scan's, without what the walk has found: a product is on
 * one page, whatever page is asked for and in whatever order.
 *
 * A walk that ran out of its budget, or found fewer products than there are, is not believed: the
 * exact scan answers, or estimates where there are some, and the answer says so. Estimates, too,
 * are always those of the first `prefix` products.
 *
 * Lists order what they find by the vectors themselves, from memory or from the database. That may
 * be a change ahead of the lists, so that a picture they have is not there any more, and the one in
 * its place is not in the lists yet: who meets that follows the change himself and asks again.
 */
#include "store/sqlite/vectors.h"

#include "base/status.h"

#include <assert.h>
#include <math.h>
#include <string.h>

typedef struct question {
    vt_sqlite_index *index;
    vt_ann *ann;
    const float *queries;
    size_t count;
    const vt_nearest_options *options;
    vt_plan plan;
    uint64_t passing; /* products that may answer */
    vt_hit *hits;
    size_t *hit_counts;
    uint64_t searched, visited; /* of all queries together */
    size_t fallbacks;           /* queries that either answered after a walk */
    atomic_size_t gone;         /* rows that lists asked for and the database has no more */
} question;

/* ---- exact ---- */

static vt_scan_options scan_options(const question *q, size_t k)
{
    vt_scan_options scan = vt_scan_options_defaults();
    scan.k = k;
    scan.min_similarity = q->options->min_similarity;
    scan.groups = q->options->products;
    scan.pool = q->options->pool;
    return scan;
}

static vt_status exact(question *q, size_t first, size_t count, vt_error *error)
{
    size_t k = q->options->k, scanned = 0;
    vt_scan_options scan = scan_options(q, k);
    vt_status status =
        vt_sqlite_rows_search(q->index, q->queries + first * q->index->dim, count, &scan,
                              q->hits + first * k, q->hit_counts + first, &scanned, error);
    q->searched += scanned * count;
    q->visited += scanned * count;
    return status;
}

/* ---- walking ---- */

static bool has_group(const vt_hit *hits, size_t count, uint32_t group)
{
    for (size_t i = 0; i < count; i++)
        if (hits[i].group == group)
            return true;
    return false;
}

/* What lies behind the walk's hits: the scan's, without those. */
static vt_status append_exact(question *q, size_t at, vt_error *error)
{
    size_t k = q->options->k, have = q->hit_counts[at], count = 0, scanned = 0;
    vt_hit *hits = q->hits + at * k, *all = vt_alloc_array(k, sizeof *all);
    if (all == NULL)
        return vt_fail_memory(error, "the nearest pictures");
    vt_scan_options scan = scan_options(q, k);
    vt_status status = vt_sqlite_rows_search(q->index, q->queries + at * q->index->dim, 1, &scan,
                                             all, &count, &scanned, error);
    for (size_t i = 0, prefix = have; status == VT_OK && i < count && have < k; i++)
        if (!has_group(hits, prefix, all[i].group))
            hits[have++] = all[i];
    q->hit_counts[at] = have;
    q->searched += scanned;
    q->visited += scanned;
    vt_free(all);
    return status;
}

/* From the hits for the plan's prefix to an answer. */
static vt_status answer_take(question *q, size_t at, const vt_hit *found, size_t count,
                             vt_error *error)
{
    size_t k = q->options->k, taken = count < k ? count : k;
    memcpy(q->hits + at * k, found, taken * sizeof *found);
    q->hit_counts[at] = taken;
    bool deeper = k > q->plan.prefix && count >= q->plan.prefix;
    return deeper ? append_exact(q, at, error) : VT_OK;
}

static vt_status estimate(question *q, size_t first, size_t count, vt_error *error)
{
    const size_t k = q->plan.prefix;
    vt_scan_options scan = scan_options(q, k);
    size_t scanned = 0, *counts = vt_alloc_array(count, sizeof *counts);
    vt_hit *hits = vt_alloc_array(count * k, sizeof *hits);
    scan.estimated = true;
    vt_status status =
        counts == NULL || hits == NULL ? vt_fail_memory(error, "the nearest pictures") : VT_OK;
    if (status == VT_OK)
        status = vt_sqlite_rows_search(q->index, q->queries + first * q->index->dim, count, &scan,
                                       hits, counts, &scanned, error);
    q->searched += scanned * count;
    q->visited += scanned * count;
    for (size_t i = 0; status == VT_OK && i < count; i++)
        status = answer_take(q, first + i, hits + i * k, counts[i], error);
    vt_free(counts);
    vt_free(hits);
    return status;
}

/* A walk must have found as many products as there are, unless some are not similar enough. */
static bool believable(const question *q, const vt_ann_walked *walked, size_t found)
{
    size_t wanted = q->plan.prefix < q->passing ? q->plan.prefix : (size_t)q->passing;
    return !walked->ran_out && (found >= wanted || q->options->min_similarity > -INFINITY);
}

/* From a query's walk to its answer. */
static vt_status settle(question *q, size_t at, const vt_hit *found, size_t count,
                        const vt_ann_walked *walked, vt_error *error)
{
    q->searched += walked->compared;
    q->visited += walked->visited;
    if (believable(q, walked, count))
        return answer_take(q, at, found, count, error);
    q->fallbacks++;
    return q->plan.estimates ? estimate(q, at, 1, error) : exact(q, at, 1, error);
}

/* Vectors of rows that lists ask for; a vt_ivf_fetch. */
static vt_status rows_fetch(void *context, const uint32_t *ids, size_t count, float *vectors,
                            vt_error *error)
{
    question *q = context;
    vt_sqlite_index *index = q->index;
    uint16_t halves[VT_IVF_MAX_DIM];
    vt_sqlite_source from = {.halves = halves};
    bool resident = atomic_load(&index->resident);
    vt_status status =
        resident ? VT_OK : vt_sqlite_reader_take(index->store, &from.connection, error);
    for (size_t i = 0; status == VT_OK && i < count; i++) {
        uint32_t product = 0;
        float *vector = vectors + i * index->dim;
        status = vt_sqlite_vector_fetch(index, &from, ids[i], vector, &product, error);
        if (status != VT_ERR_NOT_FOUND)
            continue;
        for (size_t d = 0; d < index->dim; d++)
            vector[d] = NAN;
        atomic_fetch_add(&q->gone, !resident);
        status = VT_OK;
    }
    if (from.connection != NULL)
        vt_sqlite_reader_give(index->store, from.connection);
    return status;
}

static vt_ann_search walk_options(question *q)
{
    return (vt_ann_search){.k = q->plan.prefix,
                           .min_similarity = q->options->min_similarity,
                           .groups = q->options->products,
                           .pool = q->options->pool,
                           .width = q->plan.width,
                           .budget = q->plan.budget,
                           .checked = q->plan.strategy == VT_STRATEGY_CHECKED,
                           .strays = q->plan.strays,
                           .around = q->plan.around,
                           .share = q->plan.share,
                           .matches = q->plan.matches,
                           .fetch = rows_fetch,
                           .context = q};
}

static vt_status catch_up(question *q, vt_error *error)
{
    vt_sqlite_index *index = q->index;
    vt_sqlite_connection *connection;
    vt_status status = vt_sqlite_reader_take(index->store, &connection, error);
    if (status != VT_OK)
        return status;
    pthread_mutex_lock(&index->follow);
    if (!atomic_load(&index->broken))
        status = vt_sqlite_index_follow(index, connection, error);
    pthread_mutex_unlock(&index->follow);
    vt_sqlite_reader_give(index->store, connection);
    return status;
}

/* Walks for a block of queries; where the database is always ahead they are not believed. */
static vt_status block_walk(question *q, const float *queries, size_t count,
                            const vt_ann_search *options, const vt_ann_answers *answers,
                            vt_error *error)
{
    enum { TRIES = 4 };
    vt_status status = VT_OK;
    for (int tries = 1; status == VT_OK; tries++) {
        atomic_store(&q->gone, 0);
        status = q->ann->driver->search(q->ann, queries, count, options, answers, error);
        if (status != VT_OK || atomic_load(&q->gone) == 0)
            return status;
        if (tries == TRIES)
            break;
        status = catch_up(q, error);
    }
    for (size_t i = 0; status == VT_OK && i < count; i++)
        answers->walked[i].ran_out = true;
    return status;
}

static vt_status walk(question *q, vt_error *error)
{
    enum { BLOCK = 256 };
    const vt_ann_search options = walk_options(q);
    size_t block = q->count < BLOCK ? q->count : BLOCK;
    vt_hit *hits = vt_alloc_array(block * options.k, sizeof *hits);
    size_t counts[BLOCK];
    vt_ann_walked walked[BLOCK];
    if (hits == NULL)
        return vt_fail_memory(error, "the nearest pictures");
    const vt_ann_answers answers = {hits, counts, walked};
    vt_status status = VT_OK;
    for (size_t first = 0; status == VT_OK && first < q->count; first += block) {
        size_t count = q->count - first < block ? q->count - first : block;
        status =
            block_walk(q, q->queries + first * q->index->dim, count, &options, &answers, error);
        for (size_t i = 0; status == VT_OK && i < count; i++)
            status = settle(q, first + i, hits + i * options.k, counts[i], &walked[i], error);
    }
    vt_free(hits);
    return status;
}

/* ---- planning ---- */

/* A query without direction is as near to everything. */
static bool directed(const question *q)
{
    for (size_t i = 0; i < q->count; i++) {
        bool any = false;
        for (size_t d = 0; !any && d < q->index->dim; d++)
            any = q->queries[i * q->index->dim + d] != 0.0f;
        if (!any)
            return false;
    }
    return true;
}

static vt_status plan(question *q, vt_error *error)
{
    const vt_nearest_options *options = q->options;
    vt_sqlite_index *index = q->index;
    vt_plan_question asked = {
        .rows = atomic_load(&index->row_count),
        .products = atomic_load(&index->product_count),
        .passing = options->products != NULL ? vt_idset_count(options->products) : 0,
        .dim = index->dim,
        .page = options->page > 0 && options->page < options->k ? options->page : options->k,
        .filtered = options->products != NULL,
        .exact = options->exact || !directed(q),
        .resident = atomic_load(&index->resident),
        .screen_bytes = atomic_load(&index->screen_bytes)};
    if (q->ann != NULL && atomic_load(&index->uneven) == 0) {
        vt_ann_facts facts;
        q->ann->driver->tell(q->ann, &facts);
        asked.graph = facts.degree > 0;
        asked.degree = facts.degree;
        asked.lists = facts.lists;
    }
    q->passing = asked.filtered && asked.passing < asked.products ? asked.passing : asked.products;
    q->plan = vt_plan_search(&asked);
    if (options->strategy == VT_STRATEGY_AUTO || vt_plan_force(&asked, options->strategy, &q->plan))
        return VT_OK;
    return vt_fail(error, VT_ERR_USAGE, "find nearest products: by \"%s\" it cannot be done here",
                   vt_strategy_name(options->strategy));
}

static void answer_fill(const question *q, vt_nearest_answer *answer)
{
    bool scanned = q->plan.strategy == VT_STRATEGY_EXACT;
    bool again = q->fallbacks == q->count && !q->plan.estimates;
    assert(q->count > 0); /* vt_store_nearest refuses none */
    *answer = (vt_nearest_answer){
        .strategy = q->fallbacks > 0
                        ? vt_strategy_fallback_name(q->plan.strategy, q->plan.estimates)
                        : vt_strategy_name(q->plan.strategy),
        .complete = scanned || again,
        .searched = q->searched / q->count,
        .visited = q->visited / q->count,
        .products = atomic_load(&q->index->product_count),
        .expected_ms = q->plan.cost_ns * 1e-6};
}

vt_status vt_sqlite_nearest(vt_store *base, uint32_t model, const float *queries, size_t count,
                            const vt_nearest_options *options, vt_hit *hits, size_t *hit_counts,
                            vt_nearest_answer *answer, vt_error *error)
{
    vt_sqlite *store = (vt_sqlite *)base;
    question q = {.queries = queries, .count = count, .options = options};
    q.hits = hits;
    q.hit_counts = hit_counts;
    vt_status status = vt_sqlite_index_share(store, model, &q.index, error);
    if (status != VT_OK)
        return status;
    unsigned turn;
    q.ann = vt_sqlite_ann_enter(q.index, &turn);
    status = plan(&q, error);
    if (status == VT_OK && q.plan.strategy == VT_STRATEGY_EXACT)
        status = exact(&q, 0, count, error);
    else if (status == VT_OK && q.plan.strategy == VT_STRATEGY_ESTIMATED)
        status = estimate(&q, 0, count, error);
    else if (status == VT_OK)
        status = walk(&q, error);
    vt_sqlite_ann_leave(q.index, turn);
    if (status == VT_OK && answer != NULL)
        answer_fill(&q, answer);
    if (status == VT_OK && !options->exact)
        vt_sqlite_ann_want(q.index);
    vt_sqlite_index_release(store);
    return status;
}
