/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What is left of an index when every vector of a shop was replaced while it was searched, beside
 * one that was built anew of the same vectors.
 *
 * Method: products of a clustered mixture (tests/index/clustered.h), one vector each, in a shop of
 * their own, with a graph. One thread asks, one query at a time: first with nobody beside it
 * (quiet), then while another replaces every product in random order as fast as commits go, half of
 * them by a put of the same product, half by removing it and putting another. Then two readers of
 * the shop answer in turn, a round each: one has the graph that went through all of that, the other
 * has one that it built from what is there now. The truth is the exact scan's.
 *
 *     bench/replace SHOP [--rows N] [--queries Q] [--rounds R]     SHOP: made, and left behind
 */
#include <math.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/clock.h"
#include "base/mem.h"
#include "bench/median.h"
#include "store/store.h"
#include "tests/index/clustered.h"

enum { DIM = 256, K = 10, CLUSTERS = 50, TIMES_MAXIMUM = 1 << 22, QUIET_TIMES = 20 };
#define QUERIES_FROM 1000000000000U /* numbers of the mixture that no row has */

typedef struct bench {
    size_t rows, queries, rounds;
    const char *shop;
    clustered mixture;
    float *asked;   /* (queries, DIM) */
    vt_hit *truth;  /* (queries, K) */
    size_t *truths; /* (queries) */
    float *times;   /* (TIMES_MAXIMUM) ms of single searches */
    vt_store *store;
    uint32_t model;
    atomic_bool stop;
    atomic_size_t asked_count; /* by the searching thread */
    size_t walks;              /* of them answered by a walk alone */
    vt_status searching;
    vt_error error, search_error;
} bench;

static bool ok(vt_status status)
{
    return status == VT_OK;
}

/* ---- products ---- */

static bool product_put(bench *b, const char *kind, size_t number, uint64_t vector)
{
    char id[32];
    float made[DIM];
    snprintf(id, sizeof id, "%s%zu", kind, number);
    clustered_make_unit(&b->mixture, vector, made);
    vt_picture picture = {
        .hash = vt_hash_of(&vector, sizeof vector), .width = 1, .height = 1, .vector = made};
    const vt_product product = {
        .id = id, .price = (double)NAN, .pictures = &picture, .picture_count = 1};
    return ok(vt_store_put(b->store, b->model, &product, &b->error));
}

static bool shop_make(bench *b)
{
    const uint8_t name[] = "bench";
    vt_hash fingerprint = vt_hash_of(name, sizeof name);
    if (!clustered_init(&b->mixture, DIM, CLUSTERS, 3) ||
        !ok(vt_store_open(b->shop, VT_STORE_CREATE, &b->store, &b->error)) ||
        !ok(vt_store_model_put(b->store, &fingerprint, "bench", DIM, &b->model, &b->error)))
        return false;
    for (size_t i = 0; i < b->rows; i++)
        if (!product_put(b, "a", i, i))
            return false;
    return ok(vt_store_index_build(b->store, b->model, NULL, &b->error));
}

/* All of them, once. */
static bool replace_all(bench *b)
{
    vt_random random;
    uint32_t *order = vt_alloc_array(b->rows, sizeof *order);
    bool done = order != NULL;
    vt_random_init(&random, 9);
    for (size_t i = 0; done && i < b->rows; i++) {
        size_t at = (size_t)vt_random_below(&random, i + 1);
        order[i] = order[at];
        order[at] = (uint32_t)i;
    }
    for (size_t i = 0; done && i < b->rows; i++) {
        char id[32];
        size_t number = order[i];
        snprintf(id, sizeof id, "a%zu", number);
        if (number % 2 == 1)
            done = ok(vt_store_remove(b->store, id, &b->error));
        done = done && product_put(b, number % 2 == 1 ? "b" : "a", number, b->rows + number);
    }
    vt_free(order);
    return done;
}

/* ---- searching ---- */

static vt_status ask(vt_store *store, const bench *b, size_t query, vt_hit *hits, size_t *count,
                     bool *walked, vt_error *error)
{
    vt_nearest_answer answer;
    const vt_nearest_options options = {.k = K, .min_similarity = -INFINITY};
    vt_status status = vt_store_nearest(store, b->model, b->asked + query * DIM, 1, &options, hits,
                                        count, &answer, error);
    if (status == VT_OK)
        *walked = strcmp(answer.strategy, "walk") == 0;
    return status;
}

static void search_on(void *context)
{
    bench *b = context;
    size_t count = 0, hit_count;
    b->walks = 0;
    while (!atomic_load(&b->stop) && count < TIMES_MAXIMUM) {
        vt_hit hits[K];
        bool walked = false;
        double started = vt_clock_ms();
        vt_status status =
            ask(b->store, b, count % b->queries, hits, &hit_count, &walked, &b->search_error);
        if (status != VT_OK)
            b->searching = status;
        b->times[count++] = (float)(vt_clock_ms() - started);
        b->walks += walked;
        atomic_store(&b->asked_count, count);
    }
}

static int times_compare(const void *a, const void *b)
{
    float x = *(const float *)a, y = *(const float *)b;
    return (x > y) - (x < y);
}

typedef struct latency {
    double median_ms, p99_ms, worst_ms, walks, took_s;
    size_t count;
} latency;

static latency latency_of(bench *b, double started)
{
    size_t count = atomic_load(&b->asked_count);
    latency l = {.count = count, .took_s = (vt_clock_ms() - started) * 1e-3};
    qsort(b->times, count, sizeof *b->times, times_compare);
    if (count > 0) {
        l.median_ms = (double)b->times[count / 2];
        l.p99_ms = (double)b->times[count - 1 - count / 100];
        l.worst_ms = (double)b->times[count - 1];
        l.walks = (double)b->walks / (double)count;
    }
    return l;
}

/* Searches in a thread while `work` goes on in this one. */
static bool search_beside(bench *b, bool (*work)(bench *), latency *out)
{
    vt_thread *searcher = NULL;
    atomic_store(&b->stop, false);
    atomic_store(&b->asked_count, 0);
    double started = vt_clock_ms();
    if (!ok(vt_thread_start("search", search_on, b, &searcher, &b->error)))
        return false;
    bool done = work(b);
    atomic_store(&b->stop, true);
    vt_thread_join(searcher);
    *out = latency_of(b, started);
    if (done && b->searching != VT_OK)
        b->error = b->search_error;
    return done && b->searching == VT_OK;
}

/* Every query a few times. */
static bool stay_quiet(bench *b)
{
    const struct timespec moment = {.tv_nsec = 1000000};
    while (atomic_load(&b->asked_count) < QUIET_TIMES * b->queries)
        nanosleep(&moment, NULL);
    return true;
}

/* ---- what is left ---- */

static bool truth_find(bench *b, vt_store *store)
{
    const vt_nearest_options options = {.k = K, .min_similarity = -INFINITY, .exact = true};
    return ok(vt_store_nearest(store, b->model, b->asked, b->queries, &options, b->truth, b->truths,
                               NULL, &b->error));
}

/* One round of all queries: its rate, and its recall. */
static bool round_ask(bench *b, vt_store *store, double *rate, double *recall)
{
    double ms = 0, found = 0;
    for (size_t q = 0; q < b->queries; q++) {
        vt_hit hits[K];
        size_t count = 0, both = 0;
        bool walked;
        double started = vt_clock_ms();
        if (!ok(ask(store, b, q, hits, &count, &walked, &b->error)))
            return false;
        ms += vt_clock_ms() - started;
        for (size_t i = 0; i < count; i++)
            for (size_t j = 0; j < b->truths[q]; j++)
                both += hits[i].group == b->truth[q * K + j].group;
        found += b->truths[q] > 0 ? (double)both / (double)b->truths[q] : 1;
    }
    *rate = (double)b->queries * 1000 / ms;
    *recall = found / (double)b->queries;
    return true;
}

typedef struct comparison {
    double old_rate, new_rate, ratio; /* medians of the rounds */
    double old_recall, new_recall;
} comparison;

static bool compare(bench *b, vt_store *old, vt_store *fresh, comparison *out)
{
    double *rates = vt_alloc_array(b->rounds, 3 * sizeof *rates);
    bool done = rates != NULL && truth_find(b, old);
    double *fresh_rates = rates + b->rounds, *ratios = rates + 2 * b->rounds;
    for (size_t i = 0; done && i < b->rounds; i++) {
        done = round_ask(b, old, &rates[i], &out->old_recall) &&
               round_ask(b, fresh, &fresh_rates[i], &out->new_recall);
        ratios[i] = done ? rates[i] / fresh_rates[i] : 0;
    }
    if (done) {
        out->old_rate = vt_bench_median(rates, b->rounds);
        out->new_rate = vt_bench_median(fresh_rates, b->rounds);
        out->ratio = vt_bench_median(ratios, b->rounds);
    }
    vt_free(rates);
    return done;
}

/* Two readers: the first loads what the writer has left, before the second builds its own. */
static bool readers_compare(bench *b, comparison *out)
{
    vt_store *old = NULL, *fresh = NULL;
    vt_store_index_info info = {0};
    bool done = ok(vt_store_open(b->shop, VT_STORE_READ, &old, &b->error)) &&
                ok(vt_store_index_info_of(old, b->model, &info, &b->error)) &&
                ok(vt_store_open(b->shop, VT_STORE_READ, &fresh, &b->error)) &&
                ok(vt_store_index_build(fresh, b->model, NULL, &b->error));
    if (done && (info.kind != VT_INDEX_GRAPH || info.rows != b->rows))
        done = ok(vt_fail(
            &b->error, VT_ERR_INTERNAL, "the replaced graph cannot be compared: %s, %zu vectors",
            info.kind == VT_INDEX_GRAPH ? "it has not all" : info.snapshot_fault, info.rows));
    done = done && ok(vt_store_index_check(old, b->model, NULL, &b->error)) &&
           compare(b, old, fresh, out);
    vt_store_close(old);
    vt_store_close(fresh);
    return done;
}

/* ---- all of it ---- */

static bool run(bench *b)
{
    latency quiet, busy;
    comparison c = {0};
    if (!shop_make(b))
        return false;
    for (size_t q = 0; q < b->queries; q++)
        clustered_make_unit(&b->mixture, QUERIES_FROM + q, b->asked + q * DIM);
    if (!search_beside(b, stay_quiet, &quiet) || !search_beside(b, replace_all, &busy))
        return false;
    vt_store_close(b->store);
    b->store = NULL;
    if (!readers_compare(b, &c))
        return false;
    printf("%zu vectors of %d dimensions, all replaced in %.1f s (%.0f products a second)\n\n",
           b->rows, DIM, busy.took_s, (double)b->rows / busy.took_s);
    printf("%-8s %9s %10s %10s %10s %10s\n", "searches", "count", "median ms", "p99 ms", "worst ms",
           "by walk");
    printf("%-8s %9zu %10.3f %10.3f %10.3f %9.1f%%\n", "quiet", quiet.count, quiet.median_ms,
           quiet.p99_ms, quiet.worst_ms, quiet.walks * 100);
    printf("%-8s %9zu %10.3f %10.3f %10.3f %9.1f%%\n", "busy", busy.count, busy.median_ms,
           busy.p99_ms, busy.worst_ms, busy.walks * 100);
    printf("p99 of searches meanwhile %.2f times the quiet one (at most 3 is wanted)\n\n",
           busy.p99_ms / quiet.p99_ms);
    printf("%-8s %10s %10s\n", "graph", "recall@10", "q/s");
    printf("%-8s %10.4f %10.0f\n%-8s %10.4f %10.0f\n", "replaced", c.old_recall, c.old_rate,
           "fresh", c.new_recall, c.new_rate);
    printf("recall %+.2f points (at least -0.5 is wanted), rate %.3f times (at least 0.9)\n",
           (c.old_recall - c.new_recall) * 100, c.ratio);
    return true;
}

static bool settings_read(int argc, char **argv, bench *b)
{
    *b = (bench){.rows = 20000, .queries = 500, .rounds = 9};
    if (argc < 2 || argv[1][0] == '-')
        return false;
    b->shop = argv[1];
    for (int i = 2; i < argc; i += 2) {
        int64_t value;
        if (i + 1 == argc || !vt_parse_int(argv[i + 1], 1, 50000000, &value))
            return false;
        if (strcmp(argv[i], "--rows") == 0)
            b->rows = (size_t)value;
        else if (strcmp(argv[i], "--queries") == 0)
            b->queries = (size_t)value;
        else if (strcmp(argv[i], "--rounds") == 0)
            b->rounds = (size_t)value;
        else
            return false;
    }
    return true;
}

int main(int argc, char **argv)
{
    static bench b;
    if (!settings_read(argc, argv, &b)) {
        fprintf(stderr, "usage: replace SHOP [--rows N] [--queries Q] [--rounds R]\n");
        return 2;
    }
    b.asked = vt_alloc_array(b.queries, DIM * sizeof *b.asked);
    b.truth = vt_alloc_array(b.queries, K * sizeof *b.truth);
    b.truths = vt_alloc_array(b.queries, sizeof *b.truths);
    b.times = vt_alloc_array(TIMES_MAXIMUM, sizeof *b.times);
    bool done = b.asked && b.truth && b.truths && b.times;
    if (!done)
        vt_fail_memory(&b.error, "the queries");
    done = done && run(&b);
    if (!done)
        fprintf(stderr, "replace: %s\n", b.error.message);
    vt_store_close(b.store);
    clustered_deinit(&b.mixture);
    vt_free(b.asked);
    vt_free(b.truth);
    vt_free(b.truths);
    vt_free(b.times);
    return done ? 0 : 1;
}
