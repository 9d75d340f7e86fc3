/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The screen of the exact index: answers are the same bits with it and without, whatever the
 * vectors, however many rows it covers, and while rows come and go.
 */
#include "index/flat_screen.h"

#include "base/mem.h"
#include "base/random.h"
#include "clustered.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

/* How vectors lie. */
typedef enum lie { CLUSTERED, EVERYWHERE, FLAT, LENGTHS, EQUAL, KINDS } lie;

/* Two indexes of the same rows, one with a screen. */
typedef struct pair {
    vt_flat *plain, *screened;
    size_t dim;
    lie kind;
    clustered mixture;
    vt_random random;
    uint32_t next; /* id */
} pair;

static void vector_make(pair *p, float *out)
{
    uint64_t number = vt_random_below(&p->random, 1000000000);
    if (p->kind == CLUSTERED)
        clustered_make_unit(&p->mixture, number, out);
    for (size_t i = 0; p->kind != CLUSTERED && i < p->dim; i++)
        out[i] = (float)vt_random_normal(&p->random);
    if (p->kind == FLAT) /* along three directions and little else */
        for (size_t i = 0; i < p->dim; i++)
            out[i] = out[i] * 1e-3f + (i % 3 == 0 ? out[0] : i % 3 == 1 ? out[1] : out[2]);
    if (p->kind == LENGTHS) {
        float length = powf(10, vt_random_float(&p->random, -6, 3));
        for (size_t i = 0; i < p->dim; i++)
            out[i] *= length;
    }
    if (p->kind == EQUAL) /* few different ones: ties everywhere */
        for (size_t i = 0; i < p->dim; i++)
            out[i] = (float)((number + i) % 5);
    if (vt_random_below(&p->random, 50) == 0)
        memset(out, 0, p->dim * sizeof *out);
}

static void rows_add(pair *p, size_t count)
{
    float *vector = vt_alloc_array(p->dim, sizeof *vector);
    assert_non_null(vector);
    for (size_t i = 0; i < count; i++, p->next++) {
        uint32_t group = (uint32_t)vt_random_below(&p->random, p->next / 2 + 1);
        vector_make(p, vector);
        assert_int_equal(vt_flat_add(p->plain, p->next, group, vector, NULL), VT_OK);
        assert_int_equal(vt_flat_add(p->screened, p->next, group, vector, NULL), VT_OK);
    }
    vt_free(vector);
}

static void pair_make(pair *p, lie kind, size_t dim, size_t rows, vt_codec codec, vt_metric metric)
{
    *p = (pair){.dim = dim, .kind = kind};
    vt_random_init(&p->random, 31 * dim + rows);
    assert_true(clustered_init(&p->mixture, dim, 7, dim));
    assert_int_equal(vt_flat_new(dim, codec, metric, &p->plain, NULL), VT_OK);
    assert_int_equal(vt_flat_new(dim, codec, metric, &p->screened, NULL), VT_OK);
    rows_add(p, rows);
}

static void pair_free(pair *p)
{
    clustered_deinit(&p->mixture);
    vt_flat_free(p->plain);
    vt_flat_free(p->screened);
}

/* covered: rows, SIZE_MAX: all. */
static void screen_set(pair *p, size_t covered, vt_pool *pool)
{
    vt_flat_screen *screen;
    assert_int_equal(vt_flat_screen_begin(p->screened, &screen, NULL), VT_OK);
    assert_int_equal(vt_flat_screen_train(&screen, NULL), VT_OK);
    assert_non_null(screen);
    vt_flat_screen_take(p->screened, screen);
    assert_int_equal(vt_flat_screen_covers(p->screened), 0);
    assert_int_equal(vt_flat_screen_extend(p->screened, covered, pool, NULL), VT_OK);
    size_t rows = vt_flat_count(p->screened);
    assert_int_equal(vt_flat_screen_covers(p->screened), covered < rows ? covered : rows);
}

static void answers_compare(const pair *p, const float *queries, size_t count,
                            const vt_scan_options *options)
{
    vt_hit *hits[2];
    size_t *found[2], scanned[2];
    for (int i = 0; i < 2; i++) {
        hits[i] = vt_calloc(count * options->k, sizeof *hits[i]);
        found[i] = vt_calloc(count, sizeof *found[i]);
        assert_true(hits[i] && found[i]);
        assert_int_equal(vt_flat_search(i ? p->screened : p->plain, queries, count, options,
                                        hits[i], found[i], &scanned[i], NULL),
                         VT_OK);
    }
    assert_true(scanned[0] == scanned[1] || options->groups); /* either may ask the set first */
    assert_memory_equal(found[0], found[1], count * sizeof *found[0]);
    assert_memory_equal(hits[0], hits[1], count * options->k * sizeof *hits[0]);
    for (int i = 0; i < 2; i++) {
        vt_free(hits[i]);
        vt_free(found[i]);
    }
}

static vt_idset *groups_make(pair *p, unsigned of_thousand)
{
    vt_idset *set;
    assert_int_equal(vt_idset_new(&set, NULL), VT_OK);
    for (uint32_t group = 0; group < p->next; group++)
        if (vt_random_below(&p->random, 1000) < of_thousand)
            assert_int_equal(vt_idset_add(set, group, NULL), VT_OK);
    return set;
}

static void options_vary(pair *p, const float *queries, size_t count, vt_pool *pool)
{
    vt_idset *most = groups_make(p, 800), *few = groups_make(p, 100), *fewest = groups_make(p, 10);
    vt_scan_options options = vt_scan_options_defaults();
    options.pool = pool;
    answers_compare(p, queries, count, &options);
    answers_compare(p, queries, 1, &options);
    options.grouped = false;
    answers_compare(p, queries, count, &options);
    options.groups = most;
    answers_compare(p, queries, count, &options);
    options.groups = few;
    answers_compare(p, queries, 3, &options);
    options.groups = fewest;
    answers_compare(p, queries, 3, &options);
    options = vt_scan_options_defaults();
    options.min_similarity = p->kind == CLUSTERED ? 0.5f : 1.0f;
    answers_compare(p, queries, count, &options);
    options.min_similarity = INFINITY;
    answers_compare(p, queries, 2, &options);
    options = vt_scan_options_defaults();
    options.k = vt_flat_count(p->plain) + 3;
    answers_compare(p, queries, 2, &options);
    vt_idset_free(most);
    vt_idset_free(few);
    vt_idset_free(fewest);
}

/* Queries like the rows, one of which is a row and one nothing. */
static void searches_compare(pair *p, size_t count, vt_pool *pool)
{
    float *queries = vt_alloc_array(count * p->dim, sizeof *queries);
    assert_non_null(queries);
    for (size_t q = 0; q < count; q++)
        vector_make(p, queries + q * p->dim);
    memset(queries + p->dim, 0, p->dim * sizeof *queries);
    (void)vt_flat_get(p->plain, p->next / 2, queries + 2 * p->dim);
    options_vary(p, queries, count, pool);
    vt_free(queries);
}

static void all_kinds(vt_codec codec, vt_metric metric, vt_pool *pool)
{
    static const size_t dims[] = {3, 16, 70, 256};
    for (int kind = 0; kind < KINDS; kind++)
        for (size_t d = 0; d < sizeof dims / sizeof dims[0]; d++) {
            pair p;
            pair_make(&p, (lie)kind, dims[d], 1700, codec, metric);
            screen_set(&p, SIZE_MAX, pool);
            searches_compare(&p, 6, d % 2 ? pool : NULL);
            pair_free(&p);
        }
}

static void test_answers_are_the_same(void **state)
{
    (void)state;
    vt_pool *pool;
    assert_int_equal(vt_pool_new(3, &pool, NULL), VT_OK);
    all_kinds(VT_CODEC_F32, VT_METRIC_DOT, pool);
    all_kinds(VT_CODEC_F16, VT_METRIC_DOT, pool);
    all_kinds(VT_CODEC_F32, VT_METRIC_COSINE, pool);
    all_kinds(VT_CODEC_F16, VT_METRIC_COSINE, pool);
    vt_pool_free(pool);
}

/* More queries than a block, more rows than a run, and than a segment. */
static void test_many_rows_and_queries(void **state)
{
    (void)state;
    pair p;
    vt_pool *pool;
    assert_int_equal(vt_pool_new(2, &pool, NULL), VT_OK);
    pair_make(&p, CLUSTERED, 24, 70003, VT_CODEC_F16, VT_METRIC_DOT);
    screen_set(&p, SIZE_MAX, pool);
    searches_compare(&p, 5, pool);
    float *queries = vt_alloc_array(1100 * p.dim, sizeof *queries);
    assert_non_null(queries);
    for (size_t q = 0; q < 1100; q++)
        vector_make(&p, queries + q * p.dim);
    vt_scan_options options = vt_scan_options_defaults();
    answers_compare(&p, queries, 1100, &options);
    vt_free(queries);
    pair_free(&p);
    vt_pool_free(pool);
}

static void rows_remove(pair *p, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        uint32_t id = (uint32_t)vt_random_below(&p->random, p->next);
        assert_int_equal(vt_flat_remove(p->plain, id), vt_flat_remove(p->screened, id));
    }
}

static void test_rows_come_and_go(void **state)
{
    (void)state;
    static const size_t covered[] = {1, 15, 512, 1000, SIZE_MAX};
    for (size_t i = 0; i < sizeof covered / sizeof covered[0]; i++) {
        pair p;
        pair_make(&p, i % 2 ? LENGTHS : CLUSTERED, 40, 1500, VT_CODEC_F32,
                  i % 3 ? VT_METRIC_DOT : VT_METRIC_COSINE);
        screen_set(&p, covered[i], NULL);
        for (int turn = 0; turn < 6; turn++) {
            rows_remove(&p, 300);
            searches_compare(&p, 4, NULL);
            rows_add(&p, 200);
            searches_compare(&p, 4, NULL);
            assert_int_equal(vt_flat_screen_extend(p.screened, 77, NULL, NULL), VT_OK);
        }
        assert_int_equal(vt_flat_screen_extend(p.screened, SIZE_MAX, NULL, NULL), VT_OK);
        rows_add(&p, 600); /* those are covered as they come */
        assert_int_equal(vt_flat_screen_covers(p.screened), vt_flat_count(p.screened));
        searches_compare(&p, 4, NULL);
        for (uint32_t id = 0; id < p.next; id++)
            assert_int_equal(vt_flat_remove(p.plain, id), vt_flat_remove(p.screened, id));
        assert_int_equal(vt_flat_screen_covers(p.screened), 0);
        rows_add(&p, 100);
        searches_compare(&p, 4, NULL);
        pair_free(&p);
    }
}

/* ---- bounds that are met ---- */

enum { TIGHT_DIM = 256, TIGHT_ROWS = 4000 };
typedef enum tight { ROW_ROUNDED, QUERY_ROUNDED, LEFT_OVER, TIGHTS } tight;

/* Almost half a step from the next multiple, everywhere on the side of a vector of signs. */
static void rounded_make(vt_random *random, float *rounded, float *signs)
{
    for (size_t i = 0; i < TIGHT_DIM; i++) {
        float off = i == 0 ? 127 : (float)vt_random_below(random, 126) + 0.49f;
        signs[i] = vt_random_below(random, 2) ? 1 : -1;
        rounded[i] = off * signs[i] / 100;
    }
}

/* A row and a query whose product is what the bound says it may be at most. */
static void tight_make(vt_random *random, tight what, float *row, float *query)
{
    if (what == ROW_ROUNDED)
        rounded_make(random, row, query);
    else if (what == QUERY_ROUNDED)
        rounded_make(random, query, row);
    for (size_t i = 0; what == LEFT_OVER && i < TIGHT_DIM; i++)
        row[i] = query[i] = i == 3 || i == 200 ? 20 : 0;
}

/* Rows in all directions are taken as they are; those of few leave what is not among them. */
static void tight_check(tight what)
{
    static float vector[TIGHT_DIM], row[TIGHT_DIM], query[TIGHT_DIM];
    pair p;
    pair_make(&p, EVERYWHERE, TIGHT_DIM, 0, VT_CODEC_F32, VT_METRIC_DOT);
    tight_make(&p.random, what, row, query);
    double product = 0, length2 = 0;
    for (size_t i = 0; i < TIGHT_DIM; i++) {
        product += (double)row[i] * (double)query[i];
        length2 += (double)query[i] * (double)query[i];
    }
    for (; p.next < TIGHT_ROWS; p.next++) {
        for (size_t i = 0; i < TIGHT_DIM; i++)
            vector[i] = what == LEFT_OVER && i >= 16 ? 0 : (float)vt_random_normal(&p.random) / 256;
        for (size_t i = 0; p.next == 5 && i < TIGHT_DIM; i++) /* almost as near, and held first */
            vector[i] = (float)((double)query[i] * product * (1 - 1e-5) / length2);
        const float *taken = p.next == TIGHT_ROWS - 1 ? row : vector;
        assert_int_equal(vt_flat_add(p.plain, p.next, p.next, taken, NULL), VT_OK);
        assert_int_equal(vt_flat_add(p.screened, p.next, p.next, taken, NULL), VT_OK);
    }
    screen_set(&p, SIZE_MAX, NULL);
    assert_int_equal(p.screened->screen->axes == NULL, what != LEFT_OVER);
    vt_scan_options options = vt_scan_options_defaults();
    vt_hit hit;
    size_t found;
    options.k = 1;
    answers_compare(&p, query, 1, &options);
    assert_int_equal(vt_flat_search(p.screened, query, 1, &options, &hit, &found, NULL, NULL),
                     VT_OK);
    assert_int_equal(hit.id, TIGHT_ROWS - 1);
    pair_free(&p);
}

static void test_bounds_are_met(void **state)
{
    (void)state;
    for (int what = 0; what < TIGHTS; what++)
        tight_check((tight)what);
}

/* What it is for: of what a scan asks, few rows pass. */
static void test_few_rows_pass(void **state)
{
    (void)state;
    enum { ROWS = 4096, QUERIES = 20, K = 10 };
    pair p;
    pair_make(&p, CLUSTERED, 256, ROWS, VT_CODEC_F32, VT_METRIC_DOT);
    screen_set(&p, SIZE_MAX, NULL);
    assert_true(p.screened->screen->width < 128);
    vt_flat_screened screened;
    vt_flat_screener screener;
    vt_scan_options options = vt_scan_options_defaults();
    options.k = K;
    options.grouped = false;
    assert_true(vt_flat_screened_init(&screened, p.screened, &options, 1, NULL));
    assert_true(vt_flat_screener_init(&screener, 1));
    size_t passed = 0;
    for (int q = 0; q < QUERIES; q++) {
        float query[256];
        vt_hit hits[K];
        size_t found;
        vt_topk top;
        vector_make(&p, query);
        if (query[0] == 0.0f)
            continue;
        assert_int_equal(vt_flat_search(p.plain, query, 1, &options, hits, &found, NULL, NULL),
                         VT_OK);
        vt_flat_screened_take(&screened, query, 1);
        assert_int_equal(vt_topk_init(&top, K, false, NULL), VT_OK);
        for (size_t i = 0; i < K; i++)
            vt_topk_push(&top, hits[i].similarity, hits[i].id, hits[i].group);
        for (size_t first = 0; first < ROWS; first += VT_FLAT_SCREEN_ROWS) {
            vt_flat_screened_scan(&screened, &screener, first, VT_FLAT_SCREEN_ROWS, &top);
            for (size_t g = 0; g < VT_FLAT_SCREEN_ROWS / VT_SCREEN_GROUP; g++)
                passed += (size_t)__builtin_popcount(screener.masks[g]);
        }
        vt_topk_deinit(&top);
    }
    assert_in_range(passed, QUERIES * K / 2, QUERIES * ROWS / 20);
    vt_flat_screened_deinit(&screened);
    vt_flat_screener_deinit(&screener);
    pair_free(&p);
}

/* ---- estimates ---- */

/* How many of the hits without estimates are among those with them, which have the same
 * similarities. */
static size_t estimates_shared(const pair *p, const float *query, vt_scan_options options,
                               size_t *wanted)
{
    vt_hit truth[10], found[10];
    size_t count, shared = 0;
    options.k = 10;
    assert_int_equal(vt_flat_search(p->plain, query, 1, &options, truth, wanted, NULL, NULL),
                     VT_OK);
    options.estimated = true;
    assert_int_equal(vt_flat_search(p->screened, query, 1, &options, found, &count, NULL, NULL),
                     VT_OK);
    assert_int_equal(count, *wanted);
    for (size_t i = 0; i < count; i++)
        for (size_t j = 0; j < *wanted; j++)
            shared += memcmp(&found[i], &truth[j], sizeof *found) == 0;
    return shared;
}

/* Sets of ids and of groups, wide and narrow, and all rows. */
static void estimates_check(pair *p)
{
    enum { QUERIES = 60, SETS = 5 };
    vt_idset *most = groups_make(p, 500), *few = groups_make(p, 20);
    uint32_t *ids = vt_alloc_array(p->next, sizeof *ids);
    float *query = vt_alloc_array(p->dim, sizeof *query);
    size_t tenth = 0, shared = 0, all = 0;
    assert_true(ids && query);
    for (uint32_t id = 0; id < p->next; id += 10) /* some are not there any more */
        ids[tenth++] = id;
    for (int q = 0; q < QUERIES; q++) {
        vector_make(p, query);
        for (int set = 0; set < SETS; set++) {
            size_t wanted;
            vt_scan_options options = vt_scan_options_defaults();
            options.groups = set == 0 ? most : set == 1 ? few : NULL;
            options.ids = set == 2 || set == 3 ? ids : NULL;
            options.id_count = set == 2 ? tenth : 7;
            shared += estimates_shared(p, query, options, &wanted);
            all += wanted;
        }
    }
    assert_true((double)shared >= 0.98 * (double)all);
    vt_free(ids);
    vt_free(query);
    vt_idset_free(most);
    vt_idset_free(few);
}

static void test_estimates(void **state)
{
    (void)state;
    static const lie kinds[] = {CLUSTERED, FLAT, EVERYWHERE};
    for (int i = 0; i < 6; i++) {
        pair p;
        pair_make(&p, kinds[i % 3], i % 3 == 2 ? 64 : 256, 3000,
                  i % 2 ? VT_CODEC_F16 : VT_CODEC_F32, i < 3 ? VT_METRIC_DOT : VT_METRIC_COSINE);
        screen_set(&p, SIZE_MAX, NULL);
        estimates_check(&p);
        rows_remove(&p, 700);
        rows_add(&p, 400);
        estimates_check(&p);
        pair_free(&p);
    }
}

/* Where some rows have no codes, all are compared. */
static void test_estimates_of_some(void **state)
{
    (void)state;
    pair p;
    float query[40];
    size_t wanted;
    pair_make(&p, EVERYWHERE, 40, 1500, VT_CODEC_F32, VT_METRIC_DOT);
    screen_set(&p, 1000, NULL);
    for (int q = 0; q < 50; q++) {
        vector_make(&p, query);
        assert_int_equal(estimates_shared(&p, query, vt_scan_options_defaults(), &wanted), 10);
    }
    pair_free(&p);
}

static void test_no_use_for_one(void **state)
{
    (void)state;
    static const struct {
        vt_codec codec;
        vt_metric metric;
        size_t dim, rows;
    } cases[] = {{VT_CODEC_F32, VT_METRIC_L2, 8, 100},
                 {VT_CODEC_INT8, VT_METRIC_DOT, 8, 100},
                 {VT_CODEC_F16, VT_METRIC_DOT, 8, 0},
                 {VT_CODEC_F16, VT_METRIC_DOT, 600, 900}, /* lies in all directions */
                 {VT_CODEC_F16, VT_METRIC_DOT, 5000, 3}};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        pair p;
        vt_flat_screen *screen = (vt_flat_screen *)&p;
        pair_make(&p, EVERYWHERE, cases[i].dim, cases[i].rows, cases[i].codec, cases[i].metric);
        assert_int_equal(vt_flat_screen_begin(p.screened, &screen, NULL), VT_OK);
        assert_int_equal(vt_flat_screen_train(&screen, NULL), VT_OK);
        assert_null(screen);
        vt_flat_screen_take(p.screened, NULL);
        assert_int_equal(vt_flat_screen_extend(p.screened, SIZE_MAX, NULL, NULL), VT_OK);
        assert_int_equal(vt_flat_screen_covers(p.screened), 0);
        pair_free(&p);
    }
}

/* The longest vectors, the shortest, and both. */
static void test_extreme_lengths(void **state)
{
    (void)state;
    enum { DIM = 32, ROWS = 600 };
    static const double powers[] = {17.9, -44, -30, 0, 12};
    for (int metric = VT_METRIC_DOT; metric <= VT_METRIC_COSINE; metric++) {
        pair p;
        float vector[DIM], queries[5 * DIM];
        pair_make(&p, EVERYWHERE, DIM, 0, VT_CODEC_F32, (vt_metric)metric);
        for (; p.next < ROWS; p.next++) {
            for (size_t i = 0; i < DIM; i++)
                vector[i] = (float)(vt_random_normal(&p.random) / 8 * pow(10, powers[p.next % 5]));
            assert_int_equal(vt_flat_add(p.plain, p.next, p.next, vector, NULL), VT_OK);
            assert_int_equal(vt_flat_add(p.screened, p.next, p.next, vector, NULL), VT_OK);
            memcpy(queries + p.next % 5 * DIM, vector, sizeof vector);
        }
        screen_set(&p, SIZE_MAX, NULL);
        options_vary(&p, queries, 5, NULL);
        pair_free(&p);
    }
}

static void test_memory(void **state)
{
    (void)state;
    pair p;
    pair_make(&p, CLUSTERED, 48, 900, VT_CODEC_F16, VT_METRIC_COSINE);
    size_t before = vt_flat_bytes(p.screened);
    vt_flat_screen *screen = NULL;
    vt_status status = VT_ERR_NO_MEMORY;
    for (int64_t successes = 0; status != VT_OK; successes++) {
        vt_mem_fail_after(successes);
        status = vt_flat_screen_begin(p.screened, &screen, NULL);
        if (status == VT_OK)
            status = vt_flat_screen_train(&screen, NULL);
        vt_mem_fail_after(-1);
        assert_true(status == VT_OK || (status == VT_ERR_NO_MEMORY && !screen));
    }
    vt_flat_screen_take(p.screened, screen);
    status = VT_ERR_NO_MEMORY;
    for (int64_t successes = 0; status != VT_OK; successes++) {
        vt_mem_fail_after(successes);
        status = vt_flat_screen_extend(p.screened, SIZE_MAX, NULL, NULL);
        vt_mem_fail_after(-1);
        assert_true(status == VT_OK || vt_flat_screen_covers(p.screened) == 0);
        searches_compare(&p, 3, NULL);
    }
    size_t with = vt_flat_bytes(p.screened);
    assert_in_range(with, before + 900 * 24, before + 1024 * 128 + 48 * 48 * 4 + 1024);
    status = VT_ERR_NO_MEMORY;
    for (int64_t successes = 0; status != VT_OK; successes++) {
        vt_hit hits[20];
        size_t found[2] = {7, 7};
        float queries[2 * 48] = {1, 2, 3};
        vt_scan_options options = vt_scan_options_defaults();
        vt_mem_fail_after(successes);
        status = vt_flat_search(p.screened, queries, 2, &options, hits, found, NULL, NULL);
        vt_mem_fail_after(-1);
        assert_true(status == VT_OK || (status == VT_ERR_NO_MEMORY && found[0] == 7));
    }
    pair_free(&p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_answers_are_the_same), cmocka_unit_test(test_many_rows_and_queries),
        cmocka_unit_test(test_rows_come_and_go),     cmocka_unit_test(test_few_rows_pass),
        cmocka_unit_test(test_bounds_are_met),       cmocka_unit_test(test_estimates),
        cmocka_unit_test(test_estimates_of_some),    cmocka_unit_test(test_no_use_for_one),
        cmocka_unit_test(test_extreme_lengths),      cmocka_unit_test(test_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
