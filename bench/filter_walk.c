/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Searches under filters: recall@10 and rate in each cell of selectivity and correlation.
 *
 * Method: vectors of a clustered mixture (tests/index/clustered.h), each a product; a set for each
 * query: drawn from all products (uncorrelated), or from a quarter more than the set of those
 * nearest to the query (positive) or farthest from it (negative); or by category, which a product's
 * part of the mixture is: from those of the categories nearest to the query, or farthest from it.
 * What the planner chooses is done as the store does it, walks that run out are answered by the
 * scan within the time taken, and the truth is the scan's. Sets and truths are made beforehand;
 * then the queries of a cell are asked one after another on one thread, in some rounds, each of
 * them in turn with one without a filter; medians are reported.
 *
 * Peers, where there are any, answer the cells of 1 % and less as filter_peer.c says.
 *
 *     bench/filter --walk [--rows N] [--queries Q] [--share PERCENT]... [LIBRARY...]
 */
#include "filter_walk.h"

#include "filter_peer.h"
#include "median.h"

#include "base/clock.h"
#include "base/mem.h"
#include "index/flat.h"
#include "index/graph.h"
#include "store/planner.h"
#include "tests/index/clustered.h"

#include <stdio.h>
#include <string.h>

enum { DIM = FILTER_DIM, K = FILTER_K, CLUSTERS = 50, ROUNDS = 15 };

typedef struct walk_bench {
    size_t rows, queries;
    clustered mixture;
    vt_flat *flat;
    vt_graph *graph;
    size_t screen_bytes;
    float *vectors;      /* (rows, DIM) */
    uint32_t *ids;       /* (rows) */
    uint8_t *categories; /* (rows) */
    filter_peer peers[FILTER_PEERS];
    size_t peer_count;
    vt_hit *all;              /* (rows) */
    filter_question *without; /* (queries) without a filter */
} walk_bench;

static vt_status bench_make(walk_bench *b, vt_error *error)
{
    vt_graph_options options = vt_graph_options_defaults();
    vt_pool *pool = NULL;
    options.metric = VT_METRIC_DOT;
    b->vectors = vt_alloc_array(b->rows, DIM * sizeof *b->vectors);
    b->ids = vt_alloc_array(b->rows, sizeof *b->ids);
    b->all = vt_alloc_array(b->rows, sizeof *b->all);
    b->categories = vt_alloc_array(b->rows, sizeof *b->categories);
    if (!b->vectors || !b->ids || !b->all || !b->categories ||
        !clustered_init(&b->mixture, DIM, CLUSTERS, 3))
        return vt_fail_memory(error, "the vectors");
    vt_status status = vt_flat_new(DIM, VT_CODEC_F16, VT_METRIC_DOT, &b->flat, error);
    for (size_t i = 0; status == VT_OK && i < b->rows; i++) {
        b->ids[i] = (uint32_t)i + 1;
        b->categories[i] = (uint8_t)clustered_part(&b->mixture, i);
        clustered_make_unit(&b->mixture, i, b->vectors + i * DIM);
        status = vt_flat_add(b->flat, b->ids[i], b->ids[i], b->vectors + i * DIM, error);
    }
    vt_flat_screen *screen = NULL;
    if (status == VT_OK)
        status = vt_flat_screen_begin(b->flat, &screen, error);
    if (status == VT_OK)
        status = vt_flat_screen_train(&screen, error);
    if (status == VT_OK) {
        b->screen_bytes = screen ? vt_flat_screen_row_bytes(screen) : 0;
        vt_flat_screen_take(b->flat, screen);
        status = vt_flat_screen_extend(b->flat, b->rows, NULL, error);
    }
    if (status == VT_OK)
        status = vt_graph_new(DIM, &options, &b->graph, error);
    if (status == VT_OK)
        status = vt_pool_new(0, &pool, error);
    const vt_graph_rows rows = {b->vectors, b->ids, NULL, b->rows};
    if (status == VT_OK)
        status = vt_graph_build(b->graph, &rows, pool, error);
    vt_pool_free(pool);
    return status;
}

static vt_status scan(walk_bench *b, const float *query, const vt_idset *set, size_t k,
                      bool estimated, vt_hit *hits, size_t *count, vt_error *error)
{
    const size_t pick_share = estimated ? 8 : 32;
    vt_scan_options options = vt_scan_options_defaults();
    uint32_t *ids = NULL;
    options.k = k;
    options.groups = set;
    options.estimated = estimated;
    if (set && vt_idset_count(set) < b->rows / pick_share) {
        ids = vt_alloc_array(vt_idset_count(set) + 1, sizeof *ids);
        if (!ids)
            return vt_fail_memory(error, "a list of rows");
        vt_idset_list(set, ids);
        options.id_count = vt_idset_count(set);
        options.ids = ids;
    }
    vt_status status = vt_flat_search(b->flat, query, 1, &options, hits, count, NULL, error);
    vt_free(ids);
    return status;
}

typedef enum correlation { NEGATIVE, FAR_CATEGORIES, NONE, NEAR_CATEGORIES, POSITIVE } correlation;
static const char *const correlation_names[] = {"negative", "far categories", "uncorrelated",
                                                "near categories", "positive"};

/* All rows, nearest first. */
static vt_status rows_rank(walk_bench *b, const float *query, vt_error *error)
{
    size_t there = b->rows;
    return scan(b, query, NULL, b->rows, false, b->all, &there, error);
}

typedef struct ranked {
    float similarity;
    size_t category;
} ranked;

static int ranked_order(const void *a, const void *b)
{
    float x = ((const ranked *)a)->similarity, y = ((const ranked *)b)->similarity;
    return (x < y) - (x > y);
}

/* The rows of the nearest categories, or the farthest, until there are so many: (*count) of them.
 */
static void categories_rank(walk_bench *b, const float *query, bool nearest, size_t *count)
{
    ranked order[CLUSTERS];
    size_t have = 0;
    for (size_t i = 0; i < CLUSTERS; i++)
        order[i] = (ranked){vt_distance()->dot_f32(query, b->mixture.centres + i * DIM, DIM), i};
    qsort(order, CLUSTERS, sizeof *order, ranked_order);
    for (size_t i = 0; i < CLUSTERS && have < *count; i++)
        for (size_t row = 0; row < b->rows; row++)
            if (b->categories[row] == order[nearest ? i : CLUSTERS - 1 - i].category)
                b->all[have++].group = b->ids[row];
    *count = have;
}

static vt_status set_make(walk_bench *b, const float *query, double share, correlation how,
                          uint64_t seed, vt_idset **out, vt_error *error)
{
    size_t count = (size_t)(share * (double)b->rows + 0.5);
    size_t from = count + count / 4 < b->rows ? count + count / 4 : b->rows;
    bool by_category = how == FAR_CATEGORIES || how == NEAR_CATEGORIES;
    vt_status status = vt_idset_new(out, error);
    if (status == VT_OK && by_category)
        categories_rank(b, query, how == NEAR_CATEGORIES, &from);
    else if (status == VT_OK)
        status = rows_rank(b, query, error);
    vt_hit *first = how == NEGATIVE ? b->all + (b->rows - from) : b->all;
    from = how == NONE ? b->rows : from;
    vt_random random;
    vt_random_init(&random, seed);
    for (size_t i = 0; status == VT_OK && i < count && i < from; i++) {
        size_t at = i + (size_t)vt_random_below(&random, from - i);
        status = vt_idset_add(*out, first[at].group, error);
        first[at] = first[i];
    }
    return status;
}

/* By a walk of the graph. */
static vt_status walk(walk_bench *b, const float *query, const vt_idset *set, const vt_plan *plan,
                      vt_hit *found, size_t *count, bool *ran_out, vt_error *error)
{
    vt_graph_search_options options = vt_graph_search_defaults();
    options.k = plan->prefix;
    options.width = plan->width;
    options.budget = plan->budget;
    options.strays = plan->strays;
    options.share = plan->share;
    options.around = plan->around;
    options.checked = plan->strategy == VT_STRATEGY_CHECKED;
    options.groups = set;
    vt_graph_walked walked = {0};
    const vt_graph_answers answers = {found, count, &walked};
    vt_status status = vt_graph_search(b->graph, query, 1, &options, &answers, error);
    size_t there = set ? (size_t)vt_idset_count(set) : b->rows;
    *ran_out = walked.ran_out || *count < (plan->prefix < there ? plan->prefix : there);
    return status;
}

/* *gave_up: the walk was not believed. */
static vt_status answer(walk_bench *b, const float *query, const vt_idset *set, vt_hit *hits,
                        size_t *count, const char **strategy, bool *gave_up, vt_error *error)
{
    const vt_plan_question question = {.rows = b->rows,
                                       .products = b->rows,
                                       .passing = set ? vt_idset_count(set) : b->rows,
                                       .dim = DIM,
                                       .degree = vt_graph_degree(b->graph),
                                       .page = K,
                                       .filtered = set != NULL,
                                       .graph = true,
                                       .resident = true,
                                       .screen_bytes = b->screen_bytes};
    const vt_plan plan = vt_plan_search(&question);
    bool estimated = plan.strategy == VT_STRATEGY_ESTIMATED;
    *strategy = vt_strategy_name(plan.strategy);
    *gave_up = false;
    if (plan.strategy == VT_STRATEGY_EXACT)
        return scan(b, query, set, K, false, hits, count, error);
    vt_hit *found = vt_alloc_array(plan.prefix, sizeof *found);
    if (!found)
        return vt_fail_memory(error, "hits");
    vt_status status = VT_OK;
    if (!estimated)
        status = walk(b, query, set, &plan, found, count, gave_up, error);
    if (status == VT_OK && (estimated || *gave_up))
        status = scan(b, query, set, plan.prefix, true, found, count, error);
    *count = *count < K ? *count : K;
    memcpy(hits, found, *count * sizeof *hits);
    vt_free(found);
    return status;
}

typedef struct cell {
    double share;
    correlation how;
    filter_question *questions; /* (queries), owned */
    const char *strategy;       /* of the last */
} cell;

static vt_status question_make(walk_bench *b, filter_question *q, size_t number, double share,
                               bool filtered, correlation how, vt_error *error)
{
    vt_status status = VT_OK;
    *q = (filter_question){.set = NULL};
    clustered_make_unit(&b->mixture, 1000000000 + number, q->vector);
    if (filtered)
        status = set_make(b, q->vector, share, how, number, &q->set, error);
    return status == VT_OK ? scan(b, q->vector, q->set, K, false, q->truth, &q->wanted, error)
                           : status;
}

static double recall_of(const filter_question *q, const vt_hit *hits, size_t count)
{
    size_t both = 0;
    for (size_t i = 0; i < count; i++)
        for (size_t j = 0; j < q->wanted; j++)
            both += hits[i].id == q->truth[j].id;
    return q->wanted ? (double)both / (double)q->wanted : 1;
}

/* The questions one after another, as a server gets them. */
static vt_status round_run(walk_bench *b, filter_question *questions, double *ms,
                           const char **strategy, vt_error *error)
{
    vt_status status = VT_OK;
    double started = vt_clock_ms();
    for (size_t i = 0; status == VT_OK && i < b->queries; i++) {
        vt_hit hits[K];
        size_t count = 0;
        filter_question *q = &questions[i];
        status = answer(b, q->vector, q->set, hits, &count, strategy, &q->gave_up, error);
        q->recall = recall_of(q, hits, count);
    }
    *ms = vt_clock_ms() - started;
    return status;
}

/* Peers that are asked by callbacks, where few products may answer. */
static const double PEER_SHARE = 0.01;

static void cell_report(const walk_bench *b, const cell *c, double here, double all)
{
    double recall = 0, gave_up = 0;
    for (size_t i = 0; i < b->queries; i++) {
        recall += c->questions[i].recall / (double)b->queries;
        gave_up += (double)c->questions[i].gave_up * 100 / (double)b->queries;
    }
    printf("%8.2f %%  %-15s %9.4f %10.0f %9.2f %7.1f %%  %s\n", c->share * 100,
           correlation_names[c->how], recall, here, here / all, gave_up, c->strategy);
    (void)fflush(stdout); /* of many vectors a cell takes long */
}

static vt_status questions_make(walk_bench *b, double share, bool filtered, correlation how,
                                filter_question **out, vt_error *error)
{
    vt_status status = VT_OK;
    *out = vt_calloc(b->queries, sizeof **out);
    if (!*out)
        return vt_fail_memory(error, "the queries");
    for (size_t i = 0; status == VT_OK && i < b->queries; i++)
        status = question_make(b, &(*out)[i], i, share, filtered, how, error);
    return status;
}

static void questions_free(walk_bench *b, filter_question *questions)
{
    for (size_t i = 0; questions && i < b->queries; i++)
        vt_idset_free(questions[i].set);
    vt_free(questions);
}

static double rate_of(const walk_bench *b, double *ms)
{
    return (double)b->queries * 1000 / vt_bench_median(ms, ROUNDS);
}

static vt_status cell_measure(walk_bench *b, cell *c, vt_error *error)
{
    double ms[ROUNDS], without_ms[ROUNDS];
    const char *strategy;
    vt_status status = VT_OK;
    for (size_t i = 0; status == VT_OK && i < ROUNDS; i++) {
        status = round_run(b, b->without, &without_ms[i], &strategy, error);
        if (status == VT_OK)
            status = round_run(b, c->questions, &ms[i], &c->strategy, error);
    }
    if (status != VT_OK)
        return status;
    double here = rate_of(b, ms);
    cell_report(b, c, here, rate_of(b, without_ms));
    for (size_t i = 0; c->share <= PEER_SHARE && i < b->peer_count; i++)
        if (!filter_peer_ask(&b->peers[i], c->questions, b->queries, b->rows, here))
            return vt_fail_memory(error, "a peer's sets");
    return VT_OK;
}

static vt_status cell_run(walk_bench *b, double share, correlation how, vt_error *error)
{
    cell c = {.share = share, .how = how, .strategy = ""};
    vt_status status = questions_make(b, share, true, how, &c.questions, error);
    if (status == VT_OK)
        status = cell_measure(b, &c, error);
    questions_free(b, c.questions);
    return status;
}

static vt_status cells_run(walk_bench *b, const double *shares, size_t count, vt_error *error)
{
    vt_status status = VT_OK;
    printf("%zu vectors of %d dimensions, %zu queries a cell, one thread\n\n%10s  %-15s %9s "
           "%10s %9s %9s\n",
           b->rows, DIM, b->queries, "products", "correlation", "recall@10", "q/s", "of all",
           "gave up");
    for (size_t s = 0; status == VT_OK && s < count; s++)
        for (int how = POSITIVE; status == VT_OK && how >= NEGATIVE; how--)
            if (shares[s] < 1 || how == NONE)
                status = cell_run(b, shares[s], (correlation)how, error);
    return status;
}

static void bench_deinit(walk_bench *b)
{
    for (size_t i = 0; i < b->peer_count; i++)
        filter_peer_free(&b->peers[i]);
    questions_free(b, b->without);
    vt_flat_free(b->flat);
    vt_graph_free(b->graph);
    vt_free(b->vectors);
    vt_free(b->ids);
    vt_free(b->all);
    vt_free(b->categories);
    clustered_deinit(&b->mixture);
}

bool filter_walk(const filter_walk_options *options)
{
    static const double shares[] = {1, 0.5, 0.1, 0.01, 0.001, 0.0001};
    walk_bench b = {.rows = options->rows, .queries = options->queries};
    vt_error error = {0};
    vt_status status = bench_make(&b, &error);
    if (status == VT_OK)
        status = questions_make(&b, 1, false, NONE, &b.without, &error);
    if (status == VT_OK)
        b.peer_count = filter_peers_make(options->libraries, options->library_count, b.vectors,
                                         b.rows, b.peers);
    if (status == VT_OK && options->share_count > 0)
        status = cells_run(&b, options->shares, options->share_count, &error);
    else if (status == VT_OK)
        status = cells_run(&b, shares, sizeof shares / sizeof shares[0], &error);
    if (status != VT_OK)
        fprintf(stderr, "filter: %s\n", error.message);
    bench_deinit(&b);
    return status == VT_OK;
}
