/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Nearest products over a graph, held to the exact scan: recall in every cell of selectivity and
 * correlation, by the planner and by each strategy; pages that fit each other; changes that are
 * seen; questions that are no good.
 */
#include "../index/clustered.h"
#include "cells.h"
#include "fixture.h"

#include <time.h>

/* Sanitizers get the fewest rows that are worth a graph. */
enum { FEW = SCRATCH_STRIDE > 1 };
enum { DIM = FEW ? 1024 : 256, PRODUCTS = FEW ? 4200 : 20000, QUERIES = 12, K = 10 };

typedef struct world {
    fixture f;
    vt_store *store;
    uint32_t model;
    clustered mixture;
    float *vectors; /* (PRODUCTS, DIM) by key less one */
} world;

static void product_put(world *w, uint32_t number, uint64_t vector)
{
    float made[DIM];
    clustered_make_unit(&w->mixture, vector, made);
    fixture_put_vector(w->store, w->model, number, vector, made);
    memcpy(w->vectors + (size_t)number * DIM, made, sizeof made);
}

static int world_make(void **state)
{
    world *w = vt_calloc(1, sizeof *w);
    if (w == NULL)
        return -1;
    *state = w;
    fixture_init(&w->f);
    vt_hash fingerprint = fixture_hash(77);
    assert_ok(vt_store_open(w->f.shop, VT_STORE_CREATE, &w->store, error));
    assert_ok(vt_store_model_put(w->store, &fingerprint, "test", DIM, &w->model, error));
    assert_true(clustered_init(&w->mixture, DIM, 30, 5));
    w->vectors = vt_alloc_array(PRODUCTS * 2, DIM * sizeof(float));
    for (uint32_t i = 0; i < PRODUCTS; i++)
        product_put(w, i, i);
    vt_store_index_info info;
    assert_ok(vt_store_index_info_of(w->store, w->model, &info, error));
    assert_true(info.wanted == VT_INDEX_GRAPH && info.kind == VT_INDEX_EXACT);
    assert_string_equal(info.snapshot_fault, ""); /* all of it came since: nothing is missing */
    assert_ok(vt_store_index_build(w->store, w->model, NULL, error));
    assert_ok(vt_store_index_info_of(w->store, w->model, &info, error));
    assert_true(info.kind == VT_INDEX_GRAPH && info.rows == PRODUCTS && info.products == PRODUCTS);
    return 0;
}

static int world_end(void **state)
{
    world *w = *state;
    vt_store_close(w->store);
    clustered_deinit(&w->mixture);
    vt_free(w->vectors);
    fixture_deinit(&w->f);
    vt_free(w);
    return 0;
}

static size_t ask(world *w, const float *query, vt_nearest_options *options, vt_hit *hits,
                  vt_nearest_answer *answer)
{
    size_t count = 0;
    assert_ok(vt_store_nearest(w->store, w->model, query, 1, options, hits, &count, answer, error));
    return count;
}

static double shared(const vt_hit *a, size_t a_count, const vt_hit *b, size_t b_count)
{
    size_t both = hits_shared(a, a_count, b, b_count);
    return b_count == 0 ? 1 : (double)both / (double)b_count;
}

/* ---- cells ---- */

static vt_idset *set_make(world *w, const float *query, size_t count, correlation how,
                          uint64_t seed)
{
    vt_hit *all = vt_alloc_array(PRODUCTS, sizeof *all);
    vt_nearest_options options = {.k = PRODUCTS, .min_similarity = -INFINITY, .exact = true};
    size_t there = ask(w, query, &options, all, NULL);
    vt_idset *set = set_draw(all, there, count, how, seed);
    vt_free(all);
    return set;
}

/* Mean recall of a cell; `used`: what answered. */
static double cell_recall(world *w, double share, correlation how, vt_strategy strategy,
                          const char **used)
{
    double sum = 0;
    for (uint64_t q = 0; q < QUERIES; q++) {
        float query[DIM];
        vt_hit found[K], truth[K];
        vt_nearest_answer answer;
        clustered_make_unit(&w->mixture, 1000000 + q, query);
        vt_idset *set = set_make(w, query, (size_t)(share * PRODUCTS), how, q);
        vt_nearest_options options = {
            .k = K, .min_similarity = -INFINITY, .products = set, .strategy = strategy};
        size_t have = ask(w, query, &options, found, &answer);
        *used = answer.strategy;
        options.exact = true;
        options.strategy = VT_STRATEGY_AUTO;
        size_t want = ask(w, query, &options, truth, &answer);
        assert_string_equal(answer.strategy, "exact");
        assert_true(answer.complete);
        assert_int_equal(have, want);
        for (size_t i = 0; i < have; i++)
            assert_true(vt_idset_has(set, found[i].group));
        sum += shared(found, have, truth, want);
        vt_idset_free(set);
    }
    return sum / QUERIES;
}

static void cells_check(world *w, vt_strategy strategy, double least)
{
    static const double shares[] = {1, 0.5, 0.1, 0.01, 0.001, 0.0001};
    static const char *const names[] = {"uncorrelated", "positive", "negative"};
    for (size_t s = 0; s < sizeof shares / sizeof shares[0]; s++)
        for (int how = 0; how < 3; how++) {
            const char *used = "";
            double recall = cell_recall(w, shares[s], (correlation)how, strategy, &used);
            printf("%-14s %8.2f %%  recall %.3f  %s\n", names[how], shares[s] * 100, recall, used);
            if (recall < least)
                fail_msg("recall %.3f at %g %%, %s (%s)", recall, shares[s] * 100, names[how],
                         used);
        }
}

static void test_every_cell(void **state)
{
    one_thread();
    cells_check(*state, VT_STRATEGY_AUTO, 0.95);
}

/* Also where the planner would not choose it, since budgets and disbelief lead to the scan. */
static void test_every_cell_walking(void **state)
{
    one_thread();
    cells_check(*state, VT_STRATEGY_FILTERED, 0.95);
    cells_check(*state, VT_STRATEGY_CHECKED, 0.95);
}

/* Made by a process that has scanned enough. */
static void screen_wait(world *w)
{
    vt_store_index_info info = {0};
    float query[DIM];
    vt_hit hits[K];
    vt_nearest_options options = {.k = K, .min_similarity = -INFINITY, .exact = true};
    clustered_make_unit(&w->mixture, 7, query);
    for (int i = 0; i < 20000 && info.screen_bytes == 0; i++) {
        ask(w, query, &options, hits, NULL);
        assert_ok(vt_store_index_info_of(w->store, w->model, &info, error));
    }
    assert_true(info.screen_bytes > 0);
}

static void test_every_cell_estimated(void **state)
{
    one_thread();
    world *w = *state;
    screen_wait(w);
    cells_check(w, VT_STRATEGY_ESTIMATED, 0.95);
    float query[DIM];
    vt_hit hits[K];
    vt_nearest_answer answer;
    clustered_make_unit(&w->mixture, 3000009, query);
    vt_idset *set = set_make(w, query, PRODUCTS / 2, NEGATIVE, 3);
    vt_nearest_options options = {
        .k = K, .min_similarity = -INFINITY, .products = set, .strategy = VT_STRATEGY_ESTIMATED};
    assert_int_equal(ask(w, query, &options, hits, &answer), K);
    assert_string_equal(answer.strategy, "estimated");
    assert_false(answer.complete);
    options.strategy = VT_STRATEGY_AUTO; /* all that is near is left out */
    assert_int_equal(ask(w, query, &options, hits, &answer), K);
    assert_non_null(strstr(answer.strategy, "estimated"));
    assert_true(FEW || strcmp(answer.strategy, "checked walk, then estimated") == 0);
    assert_false(answer.complete);
    vt_idset_free(set);
}

static void test_unfiltered(void **state)
{
    one_thread();
    world *w = *state;
    double sum = 0;
    for (uint64_t q = 0; q < 4 * QUERIES; q++) {
        float query[DIM];
        vt_hit found[K], truth[K];
        vt_nearest_answer answer;
        vt_nearest_options options = {.k = K, .min_similarity = -INFINITY};
        clustered_make_unit(&w->mixture, 2000000 + q, query);
        size_t have = ask(w, query, &options, found, &answer);
        assert_string_equal(answer.strategy, "walk");
        assert_false(answer.complete);
        assert_true(answer.visited > 0 && answer.visited < PRODUCTS / (FEW ? 1 : 4));
        assert_int_equal(answer.products, PRODUCTS);
        options.exact = true;
        size_t want = ask(w, query, &options, truth, &answer);
        assert_int_equal(answer.visited, PRODUCTS);
        sum += shared(found, have, truth, want);
    }
    assert_true(sum / (4 * QUERIES) >= 0.95);
}

/* ---- pages ---- */

/* Pages of 10 far beyond what a walk answers for: every product once, and none left out. */
static void pages_check(world *w, const vt_idset *set, size_t pages)
{
    enum { MOST = 400 };
    float query[DIM];
    vt_hit hits[MOST];
    vt_idset *seen = NULL;
    clustered_make_unit(&w->mixture, 3000007, query);
    assert_ok(vt_idset_new(&seen, error));
    for (size_t page = 0; page < pages; page++) {
        vt_nearest_options options = {.k = (page + 1) * K, .page = K, .min_similarity = -INFINITY};
        options.products = set;
        size_t count = ask(w, query, &options, hits, NULL);
        assert_int_equal(count, options.k);
        for (size_t i = page * K; i < count; i++) {
            assert_false(vt_idset_has(seen, hits[i].group));
            assert_ok(vt_idset_add(seen, hits[i].group, error));
        }
    }
    /* What all pages hold together is what one exact answer of that length holds, nearly. */
    vt_nearest_options options = {.k = pages * K, .min_similarity = -INFINITY, .exact = true};
    options.products = set;
    size_t count = ask(w, query, &options, hits, NULL), both = 0;
    for (size_t i = 0; i < count; i++)
        both += vt_idset_has(seen, hits[i].group);
    assert_true(both + 1 >= count);
    vt_idset_free(seen);
}

static void test_pages_fit(void **state)
{
    one_thread();
    world *w = *state;
    float query[DIM];
    clustered_make_unit(&w->mixture, 3000007, query);
    pages_check(w, NULL, 20);
    vt_idset *set = set_make(w, query, PRODUCTS / 2, UNCORRELATED, 3);
    pages_check(w, set, 20);
    vt_idset_free(set);
}

/* ---- changes ---- */

static void test_changes_are_seen(void **state)
{
    world *w = *state;
    vt_hit hits[K];
    vt_random random;
    vt_random_init(&random, 9);
    for (uint32_t round = 0; round < 60; round++) {
        uint32_t number = PRODUCTS + round;
        float query[DIM];
        vt_nearest_options options = {.k = 1, .min_similarity = -INFINITY};
        options.strategy = VT_STRATEGY_WALK;
        product_put(w, number, 5000000 + round);
        clustered_make_unit(&w->mixture, 5000000 + round, query);
        assert_int_equal(ask(w, query, &options, hits, NULL), 1);
        char id[32];
        snprintf(id, sizeof id, "p%u", number);
        assert_int_equal(hits[0].group, fixture_key(w->store, id));
        if (round % 3 == 0) { /* another vector: the old one is no longer found */
            uint32_t key = hits[0].group;
            product_put(w, number, 6000000 + round);
            assert_int_equal(ask(w, query, &options, hits, NULL), 1);
            assert_true(hits[0].group != key || hits[0].similarity < 0.999f);
        }
        if (round % 2 == 0) {
            uint32_t key = hits[0].group;
            assert_ok(vt_store_remove(w->store, id, error));
            options.k = K;
            size_t count = ask(w, query, &options, hits, NULL);
            for (size_t i = 0; i < count; i++)
                assert_true(hits[i].group != key || round % 3 == 0);
        }
    }
    assert_ok(vt_store_index_check(w->store, w->model, NULL, error));
}

/* Another process's changes, and a builder that runs beside changes. */
static void test_reader_follows(void **state)
{
    world *w = *state;
    vt_store *reader = NULL;
    vt_hit hits[K];
    size_t count = 0;
    float query[DIM];
    vt_nearest_options options = {.k = 1, .min_similarity = -INFINITY};
    assert_ok(vt_store_open(w->f.shop, VT_STORE_READ, &reader, error));
    assert_ok(vt_store_index_refresh(reader, w->model, NULL, error));
    char id[32];
    snprintf(id, sizeof id, "p%d", PRODUCTS + 900);
    product_put(w, PRODUCTS + 900, 7000001);
    clustered_make_unit(&w->mixture, 7000001, query);
    vt_nearest_answer answer;
    assert_ok(vt_store_nearest(reader, w->model, query, 1, &options, hits, &count, &answer, error));
    assert_string_equal(answer.strategy, "walk");
    assert_true(count == 1 && hits[0].similarity > 0.99f);
    assert_ok(vt_store_remove(w->store, id, error));
    assert_ok(vt_store_nearest(reader, w->model, query, 1, &options, hits, &count, NULL, error));
    assert_true(count == 1 && hits[0].similarity < 0.99f);
    assert_ok(vt_store_index_check(reader, w->model, NULL, error));
    vt_store_close(reader);
}

static void path_of_snapshot(const world *w, char *out, size_t capacity)
{
    snprintf(out, capacity, "%s/index/graph-%u.vtg", w->f.shop, w->model);
}

/* How a process that has just opened the shop answers. */
static void fresh_ask(world *w, const char *strategy, const char *fault)
{
    vt_store *reader = NULL;
    vt_hit hits[K];
    size_t count = 0;
    float query[DIM];
    vt_nearest_answer answer;
    vt_store_index_info info;
    vt_nearest_options options = {.k = K, .min_similarity = -INFINITY};
    clustered_make_unit(&w->mixture, 77, query);
    assert_ok(vt_store_open(w->f.shop, VT_STORE_READ, &reader, error));
    assert_ok(vt_store_nearest(reader, w->model, query, 1, &options, hits, &count, &answer, error));
    assert_int_equal(count, K);
    assert_true(hits[0].similarity > 0.999f);
    assert_string_equal(answer.strategy, strategy);
    assert_ok(vt_store_index_info_of(reader, w->model, &info, error));
    if (strstr(info.snapshot_fault, fault) == NULL || (!fault[0] && info.snapshot_fault[0]))
        fail_msg("the fault is \"%s\", not \"%s\"", info.snapshot_fault, fault);
    assert_int_equal(info.resident, strcmp(strategy, "exact") == 0);
    assert_ok(vt_store_index_check(reader, w->model, NULL, error));
    /* Narrow sets are read from the database, all of it comes into memory once it is scanned. */
    vt_idset *set = set_make(w, query, 30, POSITIVE, 1);
    options.products = set;
    assert_ok(vt_store_nearest(reader, w->model, query, 1, &options, hits, &count, &answer, error));
    assert_true(answer.complete && count == K && answer.visited == 30);
    options.products = NULL;
    options.exact = true;
    assert_ok(vt_store_nearest(reader, w->model, query, 1, &options, hits, &count, &answer, error));
    assert_true(answer.complete && answer.visited >= PRODUCTS && count == K);
    assert_ok(vt_store_index_check(reader, w->model, NULL, error));
    vt_store_close(reader);
    vt_idset_free(set);
}

static void byte_flip(const char *path, long at)
{
    FILE *file = fopen(path, "r+b");
    assert_non_null(file);
    assert_int_equal(fseek(file, at, SEEK_SET), 0);
    int byte = fgetc(file);
    assert_int_equal(fseek(file, at, SEEK_SET), 0);
    assert_int_not_equal(fputc(byte ^ 16, file), EOF);
    assert_int_equal(fclose(file), 0);
}

/* A file that is fine is answered from; one that is not is reported, never answered from, and made
 * again by whoever refreshes. */
static void test_snapshot(void **state)
{
    one_thread();
    world *w = *state;
    char path[160];
    path_of_snapshot(w, path, sizeof path);
    assert_ok(vt_store_index_build(w->store, w->model, NULL, error));
    fresh_ask(w, "walk", "");
    product_put(w, 5, 8700005); /* is replayed */
    fresh_ask(w, "walk", "");
    byte_flip(path, 300000);
    fresh_ask(w, "exact", "checksum");
    byte_flip(path, 300000);
    fresh_ask(w, "walk", "");
    assert_int_equal(truncate(path, 500000), 0);
    fresh_ask(w, "exact", path);
    assert_int_equal(unlink(path), 0);
    fresh_ask(w, "exact", "there is none, though "); /* ... vectors want one */
    vt_store_close(w->store);
    assert_ok(vt_store_open(w->f.shop, VT_STORE_WRITE, &w->store, error));
    assert_ok(vt_store_index_refresh(w->store, w->model, NULL, error));
    fresh_ask(w, "walk", "");
}

/* A process that scans on and on builds by itself, and changes meanwhile are in what it builds. */
static void test_background(void **state)
{
    world *w = *state;
    vt_hit hits[K];
    float query[DIM];
    vt_nearest_answer answer = {.strategy = "exact"};
    vt_nearest_options options = {.k = K, .min_similarity = -INFINITY};
    vt_store_close(w->store);
    char path[128];
    snprintf(path, sizeof path, "rm -rf %s/index", w->f.shop);
    assert_int_equal(system(path), 0);
    assert_ok(vt_store_open(w->f.shop, VT_STORE_WRITE, &w->store, error));
    clustered_make_unit(&w->mixture, 8000001, query);
    uint32_t changed = 0;
    for (int i = 0; strcmp(answer.strategy, "walk") != 0; i++) {
        ask(w, query, &options, hits, &answer);
        if (i >= 30 && changed < 200 && i % 3 == 0) {
            product_put(w, changed, 9000000 + changed);
            changed++;
        }
        const struct timespec moment = {.tv_nsec = 10000000};
        if (i > 20)
            nanosleep(&moment, NULL);
    }
    assert_ok(vt_store_index_check(w->store, w->model, NULL, error));
}

/* ---- what is no question ---- */

static void test_bad_input(void **state)
{
    one_thread();
    world *w = *state;
    static vt_hit hits[PRODUCTS + 2000];
    size_t count = 0;
    float query[DIM] = {0};
    vt_nearest_answer answer;
    vt_nearest_options options = {.k = K, .min_similarity = -INFINITY};
    /* Without direction: everything is as near, by key. */
    assert_int_equal(ask(w, query, &options, hits, &answer), K);
    assert_true(answer.complete && hits[0].group < hits[1].group);
    query[3] = NAN;
    assert_fails(VT_ERR_USAGE, vt_store_nearest(w->store, w->model, query, 1, &options, hits,
                                                &count, NULL, error));
    query[3] = INFINITY;
    assert_fails(VT_ERR_USAGE, vt_store_nearest(w->store, w->model, query, 1, &options, hits,
                                                &count, NULL, error));
    clustered_make_unit(&w->mixture, 1, query);
    options.k = 0;
    assert_fails(VT_ERR_USAGE, vt_store_nearest(w->store, w->model, query, 1, &options, hits,
                                                &count, NULL, error));
    vt_store_stats stats;
    assert_ok(vt_store_stats_of(w->store, w->model, &stats, error));
    vt_hit *many = vt_alloc_array(1000000, sizeof *many);
    options.k = 1000000;
    assert_int_equal(ask(w, query, &options, many, &answer), stats.products);
    assert_true(answer.complete);
    options.page = K; /* the last of many pages */
    assert_int_equal(ask(w, query, &options, many, &answer), stats.products);
    vt_free(many);
    options.k = K;
    options.strategy = VT_STRATEGY_FILTERED; /* without a set */
    assert_fails(VT_ERR_USAGE, vt_store_nearest(w->store, w->model, query, 1, &options, hits,
                                                &count, NULL, error));
    options.strategy = VT_STRATEGY_AUTO;
    assert_fails(VT_ERR_NOT_FOUND, vt_store_nearest(w->store, w->model + 5, query, 1, &options,
                                                    hits, &count, NULL, error));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_unfiltered),         cmocka_unit_test(test_every_cell),
        cmocka_unit_test(test_every_cell_walking), cmocka_unit_test(test_every_cell_estimated),
        cmocka_unit_test(test_pages_fit),          cmocka_unit_test(test_changes_are_seen),
        cmocka_unit_test(test_reader_follows),     cmocka_unit_test(test_snapshot),
        cmocka_unit_test(test_background),         cmocka_unit_test(test_bad_input),
    };
    return cmocka_run_group_tests(tests, world_make, world_end);
}
