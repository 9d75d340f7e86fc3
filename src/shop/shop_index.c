/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The index, as the public API has it: building, what it is, how well and how fast it answers.
 *
 * Queries for measuring are vectors of the shop, chosen at random, each moved by a random vector of
 * half its length: their cosine with where they came from is about 0.9, as a customer's photo of
 * the thing would have it. The same seed each time, so that figures can be compared.
 */
#include "shop/shop.h"

#include "base/clock.h"
#include "base/file.h"
#include "base/random.h"
#include "shop/index_report.h"
#include "vector/distance.h"

#include <limits.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MEASURED_K = 10, MAXIMUM_SAMPLE = 1000000, TRUTH_BLOCK = 256 };
_Static_assert((int)VT_INDEX_WHY == (int)VT_INDEX_WHY_BYTES, "one reason, two headers");

/* ---- building, telling ---- */

vt_status vt_shop_index_build(vt_shop *shop, const vt_index_options *options, vt_error *error)
{
    vt_searcher searcher;
    vt_status status = vt_shop_enter(shop, NULL, error);
    if (status != VT_OK)
        return status;
    status = vt_shop_need_scanner(shop, &searcher, error);
    const vt_index_options none = {0};
    const vt_index_options *how = options != NULL ? options : &none;
    vt_store_index_options build = {.memory_bytes = (size_t)how->memory_bytes,
                                    .pool = searcher.pool,
                                    .on_progress = how->on_progress,
                                    .context = how->context,
                                    .why = how->why};
    if (status == VT_OK && how->kind != NULL && !vt_index_kind_find(how->kind, &build.kind))
        status = vt_index_kind_check(how->kind, error);
    if (status == VT_OK)
        status = vt_store_index_build(shop->store, shop->model, &build, error);
    vt_shop_leave(shop);
    return status;
}

/* Takes the way to the shop's directory out: its users know it, and others need not. */
static void directory_hide(const vt_shop *shop, char *text)
{
    char real[PATH_MAX];
    if (realpath(shop->directory, real) != NULL)
        vt_path_hide(text, real);
}

vt_status vt_shop_index_info(vt_shop *shop, vt_index_info *out, vt_error *error)
{
    vt_store_index_info info;
    vt_status status = vt_shop_enter(shop, NULL, error);
    if (status != VT_OK)
        return status;
    status = vt_store_index_info_of(shop->store, shop->model, &info, error);
    vt_shop_leave(shop);
    if (status != VT_OK)
        return status;
    *out = (vt_index_info){.kind = vt_index_kind_name(info.kind),
                           .codec = info.codec,
                           .wanted_kind = vt_index_kind_name(info.wanted),
                           .wanted_codec = info.wanted_codec,
                           .vectors = info.rows,
                           .products = info.products,
                           .dimension = info.dim,
                           .degree = info.degree,
                           .lists = info.lists,
                           .graph_bytes = info.lists == 0 ? info.index_bytes : 0,
                           .list_bytes = info.lists > 0 ? info.index_bytes : 0,
                           .vector_bytes = info.vector_bytes,
                           .resident = info.resident,
                           .change = info.change,
                           .newest = info.newest,
                           .snapshot = info.snapshot,
                           .snapshot_bytes = info.snapshot_bytes,
                           .snapshot_change = info.snapshot_change};
    snprintf(out->why, sizeof out->why, "%s", info.why);
    snprintf(out->snapshot_fault, sizeof out->snapshot_fault, "%s", info.snapshot_fault);
    directory_hide(shop, out->snapshot_fault);
    return VT_OK;
}

/* ---- queries to measure with ---- */

typedef struct sample {
    vt_random random;
    uint32_t *pictures; /* (count) */
    size_t wanted, count, seen;
    vt_idset *products; /* all that have pictures */
} sample;

/* Reservoir sampling (Vitter, Random sampling with a reservoir, 1985, algorithm R). */
static vt_status sample_add(void *context, const char *product_id, uint32_t product,
                            const vt_picture *picture, vt_error *error)
{
    sample *s = context;
    (void)product_id;
    size_t at = s->count < s->wanted ? s->count : (size_t)vt_random_below(&s->random, s->seen + 1);
    if (at < s->wanted)
        s->pictures[at] = picture->key;
    s->count += s->count < s->wanted;
    s->seen++;
    return vt_idset_add(s->products, product, error);
}

typedef struct measure {
    vt_shop *shop;
    sample s;
    size_t dim, count;
    float *queries; /* (count, dim) */
    vt_hit *truth;  /* (count, MEASURED_K) */
    size_t *truth_counts;
    vt_idset *set; /* NULL: all */
    const vt_index_measure *how;
    uint64_t asked, total; /* queries, each as often as it is answered */
} measure;

static void measure_deinit(measure *m)
{
    vt_free(m->s.pictures);
    vt_idset_free(m->s.products);
    vt_idset_free(m->set);
    vt_free(m->queries);
    vt_free(m->truth);
    vt_free(m->truth_counts);
}

static void query_move(measure *m, float *query)
{
    double deviation = 0.5 / sqrt((double)m->dim);
    for (size_t i = 0; i < m->dim; i++)
        query[i] += (float)(vt_random_normal(&m->s.random) * deviation);
    (void)vt_vector_normalize(query, m->dim);
}

static vt_status measure_init(measure *m, vt_shop *shop, const vt_index_measure *how,
                              vt_error *error)
{
    *m = (measure){.shop = shop, .dim = shop->settings.dimension, .how = how};
    m->s.wanted = how->queries < MAXIMUM_SAMPLE ? how->queries : MAXIMUM_SAMPLE;
    vt_random_init(&m->s.random, 20);
    m->s.pictures = vt_alloc_array(m->s.wanted, sizeof *m->s.pictures);
    m->queries = vt_alloc_array(m->s.wanted, m->dim * sizeof *m->queries);
    m->truth = vt_alloc_array(m->s.wanted, MEASURED_K * sizeof *m->truth);
    m->truth_counts = vt_calloc(m->s.wanted, sizeof *m->truth_counts);
    if (m->s.pictures == NULL || m->queries == NULL || m->truth == NULL || m->truth_counts == NULL)
        return vt_fail_memory(error, "queries to measure with");
    vt_status status = vt_idset_new(&m->s.products, error);
    if (status == VT_OK)
        status = vt_store_each_picture(shop->store, sample_add, &m->s, error);
    for (size_t i = 0; status == VT_OK && i < m->s.count; i++) {
        float *query = m->queries + m->count * m->dim;
        status = vt_store_vector(shop->store, shop->model, m->s.pictures[i], query, error);
        if (status == VT_OK) {
            query_move(m, query);
            m->count++;
        } else if (status == VT_ERR_NOT_FOUND) { /* of another model alone */
            status = VT_OK;
        }
    }
    if (status == VT_OK && m->count == 0)
        status = vt_fail(error, VT_ERR_NOT_FOUND, "measure the index: the shop has no vectors");
    return status;
}

/* `more` queries are answered. */
static vt_status go_on(measure *m, size_t more, vt_error *error)
{
    const vt_index_measure *how = m->how;
    m->asked += more;
    if (how->on_progress == NULL || how->on_progress(how->context, m->asked, m->total))
        return VT_OK;
    return vt_fail(error, VT_ERR_CANCELLED,
                   "measure the index: cancelled after %llu of %llu queries",
                   (unsigned long long)m->asked, (unsigned long long)m->total);
}

static void begin_phase(const vt_index_measure *how, const char *phase, const char *unit)
{
    if (how->on_phase != NULL)
        how->on_phase(how->context, phase, unit);
}

/* The exact answers, many at once. */
static vt_status measure_truth(measure *m, vt_error *error)
{
    const vt_nearest_options options = {.k = MEASURED_K,
                                        .min_similarity = -INFINITY,
                                        .products = m->set,
                                        .exact = true,
                                        .pool = m->shop->pool};
    vt_status status = go_on(m, 0, error);
    for (size_t first = 0; status == VT_OK && first < m->count; first += TRUTH_BLOCK) {
        size_t count = m->count - first < TRUTH_BLOCK ? m->count - first : TRUTH_BLOCK;
        status = vt_store_nearest(m->shop->store, m->shop->model, m->queries + first * m->dim,
                                  count, &options, m->truth + first * MEASURED_K,
                                  m->truth_counts + first, NULL, error);
        if (status == VT_OK)
            status = go_on(m, count, error);
    }
    return status;
}

/* Part of the truth that was found: by product. */
static double recall_of(const measure *m, size_t query, const vt_hit *hits, size_t count)
{
    size_t both = 0, wanted = m->truth_counts[query];
    for (size_t i = 0; i < wanted; i++)
        for (size_t j = 0; j < count; j++)
            both += hits[j].group == m->truth[query * MEASURED_K + i].group;
    return wanted == 0 ? 1 : (double)both / (double)wanted;
}

typedef struct measured {
    double recall, worst, visited, ms, expected_ms;
    const char *strategy;
} measured;

static vt_status measure_strategy(measure *m, vt_strategy strategy, measured *out, vt_error *error)
{
    vt_hit hits[MEASURED_K];
    const vt_nearest_options options = {
        .k = MEASURED_K, .min_similarity = -INFINITY, .products = m->set, .strategy = strategy};
    vt_status status = VT_OK;
    *out = (measured){.worst = 1};
    for (size_t q = 0; status == VT_OK && q < m->count; q++) {
        vt_nearest_answer answer;
        size_t count = 0;
        double started = vt_clock_ms();
        status = vt_store_nearest(m->shop->store, m->shop->model, m->queries + q * m->dim, 1,
                                  &options, hits, &count, &answer, error);
        out->ms += vt_clock_ms() - started;
        if (status != VT_OK)
            break;
        double recall = recall_of(m, q, hits, count);
        out->recall += recall / (double)m->count;
        out->worst = fmin(out->worst, recall);
        out->visited += (double)answer.visited / (double)m->count;
        out->expected_ms += answer.expected_ms;
        out->strategy = answer.strategy;
        status = go_on(m, 1, error);
    }
    return status;
}

/* Inside vt_shop_enter, as are the rates. */
static vt_status check_inside(vt_shop *shop, const vt_index_measure *how, vt_index_check *out,
                              vt_error *error)
{
    vt_searcher searcher;
    const vt_store_index_options rows = {.on_progress = how->on_progress, .context = how->context};
    vt_status status = vt_shop_need_scanner(shop, &searcher, error);
    begin_phase(how, "check", "vectors");
    if (status == VT_OK)
        status = vt_store_index_check(shop->store, shop->model, &rows, error);
    if (status != VT_OK)
        return status;
    measure m;
    measured found;
    begin_phase(how, "recall", "queries");
    status = measure_init(&m, shop, how, error);
    m.total = 2 * (uint64_t)m.count; /* the truth, and search as it is */
    if (status == VT_OK)
        status = measure_truth(&m, error);
    if (status == VT_OK)
        status = measure_strategy(&m, VT_STRATEGY_AUTO, &found, error);
    if (status == VT_OK)
        *out = (vt_index_check){.queries = m.count,
                                .k = m.truth_counts[0],
                                .recall = found.recall,
                                .worst = found.worst,
                                .strategy = found.strategy,
                                .mean_visited = found.visited};
    measure_deinit(&m);
    return status;
}

vt_status vt_shop_index_check(vt_shop *shop, const vt_index_measure *how, vt_index_check *out,
                              vt_error *error)
{
    vt_status status = vt_shop_enter(shop, NULL, error);
    if (status != VT_OK)
        return status;
    status = check_inside(shop, how, out, error);
    vt_shop_leave(shop);
    return status;
}

/* ---- rates ---- */

static vt_status set_choose(measure *m, double share, vt_error *error)
{
    vt_idset_free(m->set);
    m->set = NULL;
    if (share >= 1)
        return VT_OK;
    vt_status status = vt_idset_new(&m->set, error);
    for (vt_idset_cursor c = vt_idset_begin(m->s.products); status == VT_OK && c.valid;
         vt_idset_next(&c))
        if (vt_random_double(&m->s.random) < share)
            status = vt_idset_add(m->set, c.id, error);
    return status;
}

static vt_status bench_row(measure *m, double share, vt_strategy strategy, vt_index_bench *out,
                           vt_error *error)
{
    measured found;
    vt_status status = measure_strategy(m, strategy, &found, error);
    if (status == VT_ERR_USAGE) /* there is no graph, or there are no lists */
        return go_on(m, m->count, error);
    if (status == VT_OK && out->count < VT_INDEX_BENCH_CAPACITY)
        out->rows[out->count++] = (struct vt_index_bench_row){
            .strategy = found.strategy,
            .share = share,
            .rate = found.ms > 0 ? (double)m->count * 1000 / found.ms : 0,
            .expected_rate =
                found.expected_ms > 0 ? (double)m->count * 1000 / found.expected_ms : 0,
            .recall = found.recall,
            .mean_visited = found.visited};
    return status;
}

static vt_status bench_inside(vt_shop *shop, const vt_index_measure *how, vt_index_bench *out,
                              vt_error *error)
{
    static const struct {
        double share;
        vt_strategy strategy;
    } rows[] = {{1, VT_STRATEGY_EXACT},
                {1, VT_STRATEGY_WALK},
                {1, VT_STRATEGY_LISTS},
                {0.95, VT_STRATEGY_CHECKED},
                {0.95, VT_STRATEGY_FILTERED_LISTS},
                {0.5, VT_STRATEGY_EXACT},
                {0.5, VT_STRATEGY_CHECKED},
                {0.5, VT_STRATEGY_ESTIMATED},
                {0.5, VT_STRATEGY_FILTERED},
                {0.5, VT_STRATEGY_FILTERED_LISTS},
                {0.1, VT_STRATEGY_EXACT},
                {0.1, VT_STRATEGY_ESTIMATED},
                {0.1, VT_STRATEGY_FILTERED},
                {0.1, VT_STRATEGY_FILTERED_LISTS},
                {0.01, VT_STRATEGY_EXACT},
                {0.01, VT_STRATEGY_ESTIMATED},
                {0.01, VT_STRATEGY_FILTERED},
                {0.01, VT_STRATEGY_FILTERED_LISTS},
                {0.001, VT_STRATEGY_EXACT}};
    _Static_assert(sizeof rows / sizeof rows[0] <= VT_INDEX_BENCH_CAPACITY, "there is room");
    vt_searcher searcher;
    vt_status status = vt_shop_need_scanner(shop, &searcher, error);
    if (status != VT_OK)
        return status;
    measure m;
    vt_index_bench bench = {0};
    double share = 0;
    begin_phase(how, "bench", "queries");
    status = measure_init(&m, shop, how, error);
    bench.queries = m.count;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) /* the truth of each share, too */
        m.total += (i == 0 || rows[i].share != rows[i - 1].share ? 2 : 1) * (uint64_t)m.count;
    for (size_t i = 0; status == VT_OK && i < sizeof rows / sizeof rows[0]; i++) {
        if (rows[i].share != share) {
            share = rows[i].share;
            status = set_choose(&m, share, error);
            if (status == VT_OK)
                status = measure_truth(&m, error);
        }
        if (status == VT_OK)
            status = bench_row(&m, share, rows[i].strategy, &bench, error);
    }
    if (status == VT_OK)
        *out = bench;
    measure_deinit(&m);
    return status;
}

vt_status vt_shop_index_bench(vt_shop *shop, const vt_index_measure *how, vt_index_bench *out,
                              vt_error *error)
{
    vt_status status = vt_shop_enter(shop, NULL, error);
    if (status != VT_OK)
        return status;
    status = bench_inside(shop, how, out, error);
    vt_shop_leave(shop);
    return status;
}
