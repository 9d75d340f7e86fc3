/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Nearest products over inverted lists, held to the exact scan: recall in every cell of selectivity
 * and correlation, with vectors in memory and in the database; changes that are seen; the file, and
 * what is wrong with it; what its owner may ask for.
 */
#include "../index/clustered.h"
#include "cells.h"
#include "fixture.h"

#include "base/thread.h"

#include <stdatomic.h>
#include <time.h>

enum { DIM = 128, PRODUCTS = 4000, PICTURES = 2, QUERIES = 12, K = 10 };

typedef struct world {
    fixture f;
    vt_store *store;
    uint32_t model;
    clustered mixture;
    char path[160]; /* of the file */
} world;

/* Its pictures are neighbours of one another in the mixture's numbers, not in space. Others of the
 * same vectors with another salt. */
static vt_status product_put_as(world *w, uint32_t number, uint64_t vector, uint64_t salt,
                                vt_error *error)
{
    char id[32];
    float made[PICTURES][DIM];
    vt_picture pictures[PICTURES];
    snprintf(id, sizeof id, "p%u", number);
    for (uint64_t i = 0; i < PICTURES; i++) {
        clustered_make_unit(&w->mixture, vector + i, made[i]);
        pictures[i] = (vt_picture){.hash = fixture_hash(salt << 40 | (vector + i)),
                                   .width = 1,
                                   .height = 1,
                                   .vector = made[i]};
    }
    vt_product product = {
        .id = id, .price = (double)NAN, .pictures = pictures, .picture_count = PICTURES};
    return vt_store_put(w->store, w->model, &product, error);
}

static void product_put(world *w, uint32_t number, uint64_t vector)
{
    assert_ok(product_put_as(w, number, vector, 0, error));
}

static vt_status build(vt_store *store, uint32_t model, vt_index_kind kind, vt_error *error)
{
    const vt_store_index_options options = {.kind = kind};
    return vt_store_index_build(store, model, &options, error);
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
    for (uint32_t i = 0; i < PRODUCTS; i++)
        product_put(w, i, (uint64_t)i * PICTURES);
    snprintf(w->path, sizeof w->path, "%s/index/ivf-%u.vtl", w->f.shop, w->model);
    assert_ok(build(w->store, w->model, VT_INDEX_IVF, error));
    vt_store_index_info info;
    assert_ok(vt_store_index_info_of(w->store, w->model, &info, error));
    assert_int_equal(info.wanted, VT_INDEX_EXACT); /* by itself it would scan so few */
    assert_int_equal(info.kind, VT_INDEX_IVF);
    assert_string_equal(info.codec, "rabitq");
    assert_true(info.lists > 50 && info.degree == 0 && info.index_bytes > 0);
    assert_true(info.resident && info.snapshot && info.rows == PRODUCTS * PICTURES);
    return 0;
}

static int world_end(void **state)
{
    world *w = *state;
    vt_store_close(w->store);
    clustered_deinit(&w->mixture);
    fixture_deinit(&w->f);
    vt_free(w);
    return 0;
}

/* Whoever starts now has lists from the file, and the vectors in the database. */
static vt_store *reader_open(const world *w)
{
    vt_store *reader = NULL;
    vt_store_index_info info;
    assert_ok(vt_store_open(w->f.shop, VT_STORE_READ, &reader, error));
    assert_ok(vt_store_index_info_of(reader, w->model, &info, error));
    assert_string_equal(info.snapshot_fault, "");
    assert_true(info.kind == VT_INDEX_IVF && !info.resident);
    return reader;
}

static size_t ask(const world *w, vt_store *store, const float *query, vt_nearest_options *options,
                  vt_hit *hits, vt_nearest_answer *answer)
{
    size_t count = 0;
    assert_ok(vt_store_nearest(store, w->model, query, 1, options, hits, &count, answer, error));
    return count;
}

/* ---- without a set ---- */

static void unfiltered_check(const world *w, vt_store *store)
{
    size_t both = 0;
    for (uint64_t q = 0; q < 2 * QUERIES; q++) {
        float query[DIM];
        vt_hit found[K], truth[K];
        vt_nearest_answer answer;
        vt_nearest_options options = {.k = K, .min_similarity = -INFINITY};
        clustered_make_unit(&w->mixture, 2000000 + q, query);
        assert_int_equal(ask(w, store, query, &options, found, &answer), K);
        assert_string_equal(answer.strategy, "lists");
        assert_false(answer.complete);
        assert_true(answer.searched > 0 && answer.searched <= answer.visited);
        assert_true(answer.visited < PRODUCTS * PICTURES / 2);
        assert_true(answer.products >= PRODUCTS - 1);
        options.exact = true;
        assert_int_equal(ask(w, w->store, query, &options, truth, &answer), K);
        assert_string_equal(answer.strategy, "exact");
        assert_true(answer.complete);
        both += hits_shared(found, K, truth, K);
        for (size_t i = 0; i < K; i++) /* by the vectors themselves */
            if (found[i].group == truth[i].group)
                assert_true(fabsf(found[i].similarity - truth[i].similarity) < 1e-5f);
    }
    assert_true((double)both >= 0.95 * 2 * QUERIES * K);
}

static void test_unfiltered(void **state)
{
    const world *w = *state;
    unfiltered_check(w, w->store);
    vt_store *reader = reader_open(w);
    unfiltered_check(w, reader);
    vt_store_close(reader);
}

/* Many at once, shared out to threads, are answered like one by one. */
static void test_batch(void **state)
{
    enum { MANY = 300 };
    const world *w = *state;
    vt_store *reader = reader_open(w);
    float *queries = vt_alloc_array(MANY, DIM * sizeof *queries);
    vt_hit *hits = vt_alloc_array(MANY, K * sizeof *hits);
    size_t counts[MANY];
    vt_nearest_options options = {.k = K, .min_similarity = -INFINITY};
    for (uint64_t q = 0; q < MANY; q++)
        clustered_make_unit(&w->mixture, 2500000 + q, queries + q * DIM);
    assert_ok(vt_pool_new(2, &options.pool, error));
    assert_ok(
        vt_store_nearest(reader, w->model, queries, MANY, &options, hits, counts, NULL, error));
    vt_pool_free(options.pool);
    options.pool = NULL;
    for (size_t q = 0; q < MANY; q += 29) {
        vt_hit one[K];
        assert_int_equal(ask(w, reader, queries + q * DIM, &options, one, NULL), counts[q]);
        for (size_t i = 0; i < counts[q]; i++)
            assert_int_equal(one[i].id, hits[q * K + i].id);
    }
    vt_store_close(reader);
    vt_free(queries);
    vt_free(hits);
}

/* ---- cells ---- */

static vt_idset *set_make(const world *w, const float *query, size_t count, correlation how,
                          uint64_t seed)
{
    vt_hit *all = vt_alloc_array(PRODUCTS, sizeof *all);
    vt_nearest_options options = {.k = PRODUCTS, .min_similarity = -INFINITY, .exact = true};
    size_t there = ask(w, w->store, query, &options, all, NULL);
    vt_idset *set = set_draw(all, there, count, how, seed);
    vt_free(all);
    return set;
}

static double cell_recall(const world *w, vt_store *store, double share, correlation how,
                          vt_strategy strategy, const char **used)
{
    size_t both = 0, wanted = 0;
    for (uint64_t q = 0; q < QUERIES; q++) {
        float query[DIM];
        vt_hit found[K], truth[K];
        vt_nearest_answer answer;
        clustered_make_unit(&w->mixture, 1000000 + q, query);
        vt_idset *set = set_make(w, query, (size_t)(share * PRODUCTS), how, q);
        vt_nearest_options options = {
            .k = K, .min_similarity = -INFINITY, .products = set, .strategy = strategy};
        size_t have = ask(w, store, query, &options, found, &answer);
        *used = answer.strategy;
        options.exact = true;
        options.strategy = VT_STRATEGY_AUTO;
        size_t want = ask(w, w->store, query, &options, truth, NULL);
        assert_int_equal(have, want);
        for (size_t i = 0; i < have; i++)
            assert_true(vt_idset_has(set, found[i].group));
        both += hits_shared(found, have, truth, want);
        wanted += want;
        vt_idset_free(set);
    }
    return (double)both / (double)wanted;
}

static void cells_check(const world *w, vt_store *store, vt_strategy strategy)
{
    static const double shares[] = {1, 0.5, 0.1, 0.01, 0.001};
    static const char *const names[] = {"uncorrelated", "positive", "negative"};
    for (size_t s = 0; s < sizeof shares / sizeof shares[0]; s++)
        for (int how = 0; how < 3; how++) {
            const char *used = "";
            double recall = cell_recall(w, store, shares[s], (correlation)how, strategy, &used);
            printf("%-14s %8.2f %%  recall %.3f  %s\n", names[how], shares[s] * 100, recall, used);
            if (recall < 0.95)
                fail_msg("recall %.3f at %g %%, %s (%s)", recall, shares[s] * 100, names[how],
                         used);
        }
}

static void test_every_cell(void **state)
{
    one_thread();
    const world *w = *state;
    vt_store *reader = reader_open(w);
    cells_check(w, w->store, VT_STRATEGY_AUTO);
    cells_check(w, w->store, VT_STRATEGY_FILTERED_LISTS); /* also where the planner would not */
    cells_check(w, reader, VT_STRATEGY_AUTO);
    vt_store_close(reader);
}

/* Pages far beyond what lists answer for: every product once. */
static void test_pages_fit(void **state)
{
    enum { PAGES = 12 };
    const world *w = *state;
    float query[DIM];
    vt_hit hits[PAGES * K], truth[PAGES * K];
    vt_idset *seen = NULL;
    size_t missed = 0;
    clustered_make_unit(&w->mixture, 3000007, query);
    assert_ok(vt_idset_new(&seen, error));
    for (size_t page = 0; page < PAGES; page++) {
        vt_nearest_options options = {.k = (page + 1) * K, .page = K, .min_similarity = -INFINITY};
        assert_int_equal(ask(w, w->store, query, &options, hits, NULL), options.k);
        for (size_t i = page * K; i < options.k; i++) {
            assert_false(vt_idset_has(seen, hits[i].group));
            assert_ok(vt_idset_add(seen, hits[i].group, error));
        }
    }
    vt_nearest_options options = {.k = PAGES * K, .min_similarity = -INFINITY, .exact = true};
    size_t count = ask(w, w->store, query, &options, truth, NULL);
    for (size_t i = 0; i < count; i++)
        missed += !vt_idset_has(seen, truth[i].group);
    assert_true(missed <= 1);
    vt_idset_free(seen);
}

/* ---- changes ---- */

/* What is put is found at once, by who put it and by another process; what was there before is not.
 */
static void test_changes_are_seen(void **state)
{
    world *w = *state;
    vt_store *reader = reader_open(w);
    vt_store *const both[] = {w->store, reader};
    for (uint32_t round = 0; round < 30; round++) {
        uint32_t number = PRODUCTS + round;
        char id[32];
        float query[DIM];
        vt_hit hits[K];
        vt_nearest_answer answer;
        vt_nearest_options options = {
            .k = K, .min_similarity = -INFINITY, .strategy = VT_STRATEGY_LISTS};
        snprintf(id, sizeof id, "p%u", number);
        for (uint64_t version = 0; version < 2; version++) {
            uint64_t vector = 5000000 + 10 * round + 2 * version;
            product_put(w, number, vector);
            uint32_t key = fixture_key(w->store, id);
            for (size_t s = 0; s < 2; s++) {
                clustered_make_unit(&w->mixture, vector, query);
                assert_true(ask(w, both[s], query, &options, hits, &answer) >= 1);
                assert_string_equal(answer.strategy, "lists");
                assert_int_equal(hits[0].group, key);
                assert_true(hits[0].similarity > 0.999f);
                if (version == 0)
                    continue;
                clustered_make_unit(&w->mixture, vector - 2, query);
                assert_true(ask(w, both[s], query, &options, hits, NULL) >= 1);
                assert_true(hits[0].group != key || hits[0].similarity < 0.999f);
            }
        }
        uint32_t key = fixture_key(w->store, id);
        if (round % 2 == 0)
            continue;
        assert_ok(vt_store_remove(w->store, id, error));
        for (size_t s = 0; s < 2; s++) {
            size_t count = ask(w, both[s], query, &options, hits, NULL);
            for (size_t i = 0; i < count; i++)
                assert_int_not_equal(hits[i].group, key);
        }
    }
    assert_ok(vt_store_index_check(w->store, w->model, NULL, error));
    assert_ok(vt_store_index_check(reader, w->model, NULL, error));
    vt_store_close(reader);
}

typedef struct changer {
    world *w;
    atomic_bool stop;
    atomic_size_t changes;
} changer;

enum { REPLACED = 11, REPLACED_VECTOR = 5500000 };

static void replace_on(void *context)
{
    changer *c = context;
    for (uint64_t salt = 1; !atomic_load(&c->stop); salt++)
        if (product_put_as(c->w, REPLACED, REPLACED_VECTOR, salt, NULL) == VT_OK)
            atomic_fetch_add(&c->changes, 1);
}

/* A product whose pictures are replaced again and again by others of the same vectors is there all
 * the time: also for who has its lists in memory and finds the vectors a change ahead. */
static void test_never_missed(void **state)
{
    world *w = *state;
    changer c = {.w = w};
    vt_thread *thread = NULL;
    vt_store *reader = reader_open(w);
    vt_store *const both[] = {w->store, reader};
    float query[DIM];
    product_put(w, REPLACED, REPLACED_VECTOR);
    uint32_t key = fixture_key(w->store, "p11");
    clustered_make_unit(&w->mixture, REPLACED_VECTOR, query);
    assert_ok(vt_thread_start("change", replace_on, &c, &thread, error));
    size_t missed = 0, asked = 0;
    while (atomic_load(&c.changes) < 100 || asked < 200) {
        vt_hit hit;
        vt_nearest_options options = {.k = 1, .min_similarity = -INFINITY};
        size_t count = 0;
        if (vt_store_nearest(both[asked % 2], w->model, query, 1, &options, &hit, &count, NULL,
                             NULL) != VT_OK ||
            count != 1 || hit.group != key)
            missed++;
        asked++;
    }
    atomic_store(&c.stop, true);
    vt_thread_join(thread);
    assert_int_equal(missed, 0);
    assert_ok(vt_store_index_check(w->store, w->model, NULL, error));
    assert_ok(vt_store_index_check(reader, w->model, NULL, error));
    vt_store_close(reader);
}

/* ---- the file ---- */

/* How a process that has just opened the shop answers. */
static void fresh_ask(const world *w, const char *strategy, const char *fault)
{
    vt_store *reader = NULL;
    vt_hit hits[K];
    float query[DIM];
    vt_nearest_answer answer;
    vt_store_index_info info;
    vt_nearest_options options = {.k = K, .min_similarity = -INFINITY};
    clustered_make_unit(&w->mixture, (PRODUCTS - 1) * PICTURES, query); /* it stays */
    assert_ok(vt_store_open(w->f.shop, VT_STORE_READ, &reader, error));
    assert_int_equal(ask(w, reader, query, &options, hits, &answer), K);
    assert_true(hits[0].similarity > 0.999f);
    assert_string_equal(answer.strategy, strategy);
    assert_ok(vt_store_index_info_of(reader, w->model, &info, error));
    if (strstr(info.snapshot_fault, fault) == NULL || (!fault[0] && info.snapshot_fault[0]))
        fail_msg("the fault is \"%s\", not \"%s\"", info.snapshot_fault, fault);
    assert_int_equal(info.resident, strcmp(strategy, "exact") == 0);
    assert_ok(vt_store_index_check(reader, w->model, NULL, error));
    vt_store_close(reader);
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

static void reopen(world *w)
{
    vt_store_close(w->store);
    assert_ok(vt_store_open(w->f.shop, VT_STORE_WRITE, &w->store, error));
}

/* A file that is fine is answered from; one that is not is reported, never answered from, and made
 * again as what it was by whoever refreshes. */
static void test_snapshot(void **state)
{
    world *w = *state;
    vt_store_index_info info;
    assert_ok(build(w->store, w->model, VT_INDEX_IVF, error));
    fresh_ask(w, "lists", "");
    product_put(w, 5, 8700005); /* is replayed */
    assert_ok(vt_store_remove(w->store, "p7", error));
    fresh_ask(w, "lists", "");
    byte_flip(w->path, 300000);
    fresh_ask(w, "exact", "checksum");
    byte_flip(w->path, 300000);
    fresh_ask(w, "lists", "");
    assert_int_equal(truncate(w->path, 200000), 0);
    fresh_ask(w, "exact", w->path);
    reopen(w);
    assert_ok(vt_store_index_refresh(w->store, w->model, NULL, error));
    assert_ok(vt_store_index_info_of(w->store, w->model, &info, error));
    assert_int_equal(info.kind, VT_INDEX_IVF);
    fresh_ask(w, "lists", "");
    /* Changes that the file lacks are in it after whoever writes has closed the shop. */
    for (uint32_t i = 0; i < 80; i++)
        product_put(w, i, 8800000 + 2 * i);
    reopen(w);
    uint64_t newest = info.newest + 80;
    assert_ok(vt_store_index_info_of(w->store, w->model, &info, error));
    assert_true(info.snapshot && info.snapshot_change == newest);
    fresh_ask(w, "lists", "");
    /* Without the file nothing says that it was to be lists, and so few are scanned. */
    assert_int_equal(unlink(w->path), 0);
    fresh_ask(w, "exact", "");
    reopen(w);
    assert_ok(build(w->store, w->model, VT_INDEX_IVF, error));
}

/* A process that scans on and on because the file is damaged builds lists by itself. */
static void test_background(void **state)
{
    world *w = *state;
    vt_hit hits[K];
    float query[DIM];
    vt_nearest_answer answer = {.strategy = "exact"};
    vt_nearest_options options = {.k = K, .min_similarity = -INFINITY};
    byte_flip(w->path, 200000);
    vt_store_close(w->store);
    assert_ok(vt_store_open(w->f.shop, VT_STORE_WRITE, &w->store, error));
    clustered_make_unit(&w->mixture, 8000001, query);
    for (uint32_t i = 0; strcmp(answer.strategy, "lists") != 0; i++) {
        const struct timespec moment = {.tv_nsec = 5000000};
        ask(w, w->store, query, &options, hits, &answer);
        if (i > 20)
            nanosleep(&moment, NULL);
        if (i > 20 && i < 60)
            product_put(w, i, 9000000 + 2 * i);
        assert_true(i < 20000);
    }
    assert_ok(vt_store_index_check(w->store, w->model, NULL, error));
}

/* ---- what is asked for ---- */

static void test_what_cannot_be(void **state)
{
    world *w = *state;
    vt_store_index_options options = {.kind = VT_INDEX_IVF, .memory_bytes = 100000};
    assert_fails_saying(VT_ERR_LIMIT, "the limit is",
                        vt_store_index_build(w->store, w->model, &options, error));
    options.kind = VT_INDEX_GRAPH;
    assert_fails_saying(VT_ERR_LIMIT, "the limit is",
                        vt_store_index_build(w->store, w->model, &options, error));
    fresh_ask(w, "lists", ""); /* it is as it was */
    float query[DIM];
    vt_hit hits[K];
    size_t count = 0;
    clustered_make_unit(&w->mixture, 1, query);
    vt_nearest_options nearest = {
        .k = K, .min_similarity = -INFINITY, .strategy = VT_STRATEGY_WALK};
    assert_fails(VT_ERR_USAGE, vt_store_nearest(w->store, w->model, query, 1, &nearest, hits,
                                                &count, NULL, error));
    nearest.strategy = VT_STRATEGY_AUTO;
    query[3] = NAN;
    assert_fails(VT_ERR_USAGE, vt_store_nearest(w->store, w->model, query, 1, &nearest, hits,
                                                &count, NULL, error));
    fixture none;
    uint32_t model;
    vt_store *empty = fixture_create(&none, &model);
    assert_fails_saying(VT_ERR_USAGE, "no vectors", build(empty, model, VT_INDEX_IVF, error));
    vt_store_close(empty);
    fixture_deinit(&none);
}

/* The least memory: product codes, vectors in the database. */
static void test_product_codes(void **state)
{
    world *w = *state;
    vt_store_index_info info;
    vt_store_index_options options = {.kind = VT_INDEX_IVF, .memory_bytes = 1};
    for (size_t kb = 100; kb < 4000; kb += 20) { /* the least that will do */
        options.memory_bytes = kb << 10;
        if (vt_store_index_build(w->store, w->model, &options, NULL) == VT_OK)
            break;
    }
    assert_ok(vt_store_index_info_of(w->store, w->model, &info, error));
    assert_string_equal(info.codec, "pq");
    assert_true(info.index_bytes < options.memory_bytes);
    unfiltered_check(w, w->store);
    vt_store *reader = reader_open(w);
    unfiltered_check(w, reader);
    vt_store_close(reader);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_unfiltered),       cmocka_unit_test(test_batch),
        cmocka_unit_test(test_every_cell),       cmocka_unit_test(test_pages_fit),
        cmocka_unit_test(test_changes_are_seen), cmocka_unit_test(test_never_missed),
        cmocka_unit_test(test_snapshot),         cmocka_unit_test(test_background),
        cmocka_unit_test(test_what_cannot_be),   cmocka_unit_test(test_product_codes),
    };
    return cmocka_run_group_tests(tests, world_make, world_end);
}
