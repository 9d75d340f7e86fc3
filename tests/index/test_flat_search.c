/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The exact index, searching: against a naive scan in double over the vectors as they are stored.
 *
 * A sum in f32 differs from one in double, so near ties may change places. What is held exactly:
 * the similarity reported for each hit is that of its row (within the rounding bound), hits are in
 * strict order, nothing that is left out is better than the last by more than the bound, and every
 * pool, block and level of filtering gives the same bits.
 */
#include "index/flat.h"

#include "base/mem.h"
#include "base/random.h"
#include "vector/distance.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

typedef struct world {
    vt_flat *flat;
    vt_codec codec;
    vt_metric metric;
    size_t dim, count;
    float *rows; /* (count, dim) as stored */
    uint32_t *groups;
    bool *present;
    vt_random random;
} world;

static void world_make(world *w, size_t dim, size_t count, vt_codec codec, vt_metric metric)
{
    memset(w, 0, sizeof *w);
    w->codec = codec;
    w->metric = metric;
    w->dim = dim;
    w->count = count;
    w->rows = vt_alloc_array(count * dim + 1, sizeof(float));
    w->groups = vt_alloc_array(count + 1, sizeof(uint32_t));
    w->present = vt_calloc(count + 1, sizeof(bool));
    assert_true(w->rows && w->groups && w->present);
    vt_random_init(&w->random, 1000 * dim + count);
    assert_int_equal(vt_flat_new(dim, codec, metric, &w->flat, NULL), VT_OK);
    for (size_t i = 0; i < count; i++) {
        float *row = w->rows + i * dim;
        size_t copied = vt_random_below(&w->random, 10) == 0 && i > 0
                            ? vt_random_below(&w->random, i)
                            : i; /* duplicates: exact ties */
        for (size_t d = 0; d < dim; d++)
            row[d] = copied < i ? w->rows[copied * dim + d] : vt_random_float(&w->random, -1, 1);
        if (i % 97 == 5)
            memset(row, 0, dim * sizeof *row);
        w->groups[i] = (uint32_t)vt_random_below(&w->random, count / 3 + 1);
        assert_int_equal(vt_flat_add(w->flat, (uint32_t)i, w->groups[i], row, NULL), VT_OK);
        assert_true(vt_flat_get(w->flat, (uint32_t)i, row));
        w->present[i] = true;
    }
}

static void world_free(world *w)
{
    vt_flat_free(w->flat);
    vt_free(w->rows);
    vt_free(w->groups);
    vt_free(w->present);
}

/* The similarity in double, and how far f32 may be from it. */
static double similarity_of(const world *w, const float *query, size_t row, double *bound)
{
    const float *r = w->rows + row * w->dim;
    double ab = 0, aa = 0, bb = 0, l2 = 0, absolute = 0;
    for (size_t d = 0; d < w->dim; d++) {
        double a = query[d], b = r[d];
        ab += a * b;
        aa += a * a;
        bb += b * b;
        absolute += fabs(a * b);
        l2 += (a - b) * (a - b);
    }
    double u = ((double)w->dim + 8) * 0x1p-23;
    if (w->metric == VT_METRIC_L2) {
        *bound = u * l2;
        return -l2;
    }
    if (w->metric == VT_METRIC_DOT) {
        *bound = u * absolute;
        return ab;
    }
    *bound = u;
    return aa == 0 || bb == 0 ? 0 : ab / sqrt(aa * bb);
}

static void assert_order(const vt_hit *a, const vt_hit *b)
{
    assert_true(a->similarity > b->similarity ||
                (a->similarity == b->similarity &&
                 (a->group < b->group || (a->group == b->group && a->id < b->id))));
}

static bool row_counts(const world *w, const vt_scan_options *options, size_t row)
{
    return w->present[row] && (!options->groups || vt_idset_has(options->groups, w->groups[row]));
}

static void check_hits(const world *w, const float *query, const vt_scan_options *options,
                       const vt_hit *hits, size_t found)
{
    bool *out = vt_calloc(w->count + 1, sizeof *out); /* in the answer, by row or by group */
    double bound;
    for (size_t i = 0; i < found; i++) {
        double exact = similarity_of(w, query, hits[i].id, &bound);
        assert_true(hits[i].id < w->count && row_counts(w, options, hits[i].id));
        assert_int_equal(hits[i].group, w->groups[hits[i].id]);
        assert_true(fabs(exact - (double)hits[i].similarity) <= bound);
        assert_true(hits[i].similarity >= options->min_similarity);
        if (i > 0)
            assert_order(&hits[i - 1], &hits[i]);
        uint32_t key = options->grouped ? hits[i].group : hits[i].id;
        assert_false(out[key]);
        out[key] = true;
    }
    for (size_t row = 0; row < w->count; row++) {
        if (!row_counts(w, options, row))
            continue;
        double exact = similarity_of(w, query, row, &bound);
        uint32_t key = options->grouped ? w->groups[row] : (uint32_t)row;
        if (!out[key]) {
            if (found == options->k)
                assert_true(exact <= (double)hits[found - 1].similarity + bound);
            else
                assert_true(exact < (double)options->min_similarity + bound);
        }
        for (size_t i = 0; options->grouped && i < found; i++)
            if (hits[i].group == w->groups[row]) /* its group's best */
                assert_true(exact <= (double)hits[i].similarity + bound);
    }
    vt_free(out);
}

/* The same search in every way there is; returns what it said. */
static size_t search_all_ways(const world *w, const float *queries, size_t count,
                              const vt_scan_options *options, vt_hit *hits, size_t *found)
{
    size_t scanned = 0, scanned_alone = 0;
    vt_hit *again = vt_alloc_array(count * options->k, sizeof *again);
    size_t *found_again = vt_alloc_array(count, sizeof *found_again);
    vt_scan_options changed = *options;
    assert_int_equal(vt_flat_search(w->flat, queries, count, options, hits, found, &scanned, NULL),
                     VT_OK);
    static const int threads[] = {1, 2, 4};
    for (size_t t = 0; t < 3; t++) {
        assert_int_equal(vt_pool_new(threads[t], &changed.pool, NULL), VT_OK);
        size_t scanned_again = 0;
        assert_int_equal(vt_flat_search(w->flat, queries, count, &changed, again, found_again,
                                        &scanned_again, NULL),
                         VT_OK);
        assert_int_equal(scanned_again, scanned);
        for (size_t q = 0; q < count; q++) {
            assert_int_equal(found_again[q], found[q]);
            assert_memory_equal(again + q * options->k, hits + q * options->k,
                                found[q] * sizeof *hits);
        }
        vt_pool_free(changed.pool);
    }
    changed.pool = NULL;
    for (size_t q = 0; q < count; q++) {
        assert_int_equal(vt_flat_search(w->flat, queries + q * w->dim, 1, &changed, again,
                                        found_again, &scanned_alone, NULL),
                         VT_OK);
        assert_int_equal(scanned_alone, scanned);
        assert_int_equal(found_again[0], found[q]);
        assert_memory_equal(again, hits + q * options->k, found[q] * sizeof *hits);
    }
    vt_free(again);
    vt_free(found_again);
    return scanned;
}

static void search_and_check(const world *w, size_t count, const vt_scan_options *options)
{
    float *queries = vt_alloc_array(count * w->dim, sizeof *queries);
    vt_hit *hits = vt_alloc_array(count * options->k, sizeof *hits);
    size_t *found = vt_alloc_array(count, sizeof *found);
    vt_random random = w->random;
    for (size_t i = 0; i < count * w->dim; i++)
        queries[i] = vt_random_float(&random, -1, 1);
    if (count > 1) /* one that is a row, one that is nothing */
        memcpy(queries, w->rows, w->dim * sizeof *queries);
    if (count > 2)
        memset(queries + w->dim, 0, w->dim * sizeof *queries);
    size_t scanned = search_all_ways(w, queries, count, options, hits, found);
    assert_true(scanned <= vt_flat_count(w->flat));
    for (size_t q = 0; q < count; q++)
        check_hits(w, queries + q * w->dim, options, hits + q * options->k, found[q]);
    vt_free(queries);
    vt_free(hits);
    vt_free(found);
}

static void search_variants(const world *w)
{
    vt_scan_options options = vt_scan_options_defaults();
    search_and_check(w, 1, &options);
    search_and_check(w, 7, &options);
    options.grouped = false;
    options.k = 23;
    search_and_check(w, 5, &options);
    options.k = w->count + 5; /* more than there are */
    search_and_check(w, 3, &options);
    options.grouped = true;
    search_and_check(w, 3, &options);
    options.min_similarity = w->metric == VT_METRIC_L2 ? -0.6f * (float)w->dim : 0.05f;
    search_and_check(w, 4, &options);
    options.min_similarity = INFINITY;
    search_and_check(w, 2, &options);
}

static void test_metrics_and_codecs(void **state)
{
    (void)state;
    for (int metric = VT_METRIC_DOT; metric <= VT_METRIC_L2; metric++)
        for (int codec = VT_CODEC_F32; codec <= VT_CODEC_F16; codec++) {
            static const size_t shapes[][2] = {{1, 40}, {19, 700}, {64, 2500}, {1100, 300}};
            for (size_t i = 0; i < 4; i++) {
                world w;
                world_make(&w, shapes[i][0], shapes[i][1], (vt_codec)codec, (vt_metric)metric);
                search_variants(&w);
                world_free(&w);
            }
        }
}

/* More rows than a run, more queries than a block, several segments: every boundary inside. */
static void test_many_rows_and_queries(void **state)
{
    (void)state;
    for (int metric = VT_METRIC_DOT; metric <= VT_METRIC_COSINE; metric++) {
        world w;
        world_make(&w, 2, 70003, VT_CODEC_F16, (vt_metric)metric);
        vt_scan_options options = vt_scan_options_defaults();
        options.k = 50;
        search_and_check(&w, 67, &options);
        world_free(&w);
    }
}

static void test_filters(void **state)
{
    (void)state;
    for (int metric = VT_METRIC_DOT; metric <= VT_METRIC_L2; metric++) {
        world w;
        world_make(&w, 33, 3000, VT_CODEC_F16, (vt_metric)metric);
        vt_scan_options options = vt_scan_options_defaults();
        size_t groups = w.count / 3 + 1;
        /* None, one, two far apart, 5 %, most of them, all and more. */
        for (int kind = 0; kind < 6; kind++) {
            vt_idset *set;
            assert_int_equal(vt_idset_new(&set, NULL), VT_OK);
            for (uint32_t g = 0; g < groups; g++)
                if ((kind == 1 && g == 77) || (kind == 2 && g % 800 == 3) ||
                    (kind == 3 && vt_random_below(&w.random, 20) == 0) ||
                    (kind == 4 && vt_random_below(&w.random, 5) > 0))
                    assert_int_equal(vt_idset_add(set, g, NULL), VT_OK);
            if (kind == 5)
                assert_int_equal(vt_idset_add_range(set, 0, UINT32_MAX, NULL), VT_OK);
            if (kind > 0) /* a group that no row has */
                assert_int_equal(vt_idset_add(set, UINT32_MAX - 1, NULL), VT_OK);
            options.groups = set;
            options.grouped = true;
            options.k = 10;
            search_and_check(&w, 1, &options);
            search_and_check(&w, 6, &options);
            options.grouped = false;
            options.k = w.count;
            search_and_check(&w, 3, &options);
            vt_idset_free(set);
        }
        world_free(&w);
    }
}

static void test_scanned(void **state)
{
    (void)state;
    world w;
    world_make(&w, 8, 1000, VT_CODEC_F32, VT_METRIC_DOT);
    vt_scan_options options = vt_scan_options_defaults();
    vt_hit hits[10];
    size_t found, scanned;
    assert_int_equal(vt_flat_search(w.flat, w.rows, 1, &options, hits, &found, &scanned, NULL),
                     VT_OK);
    assert_int_equal(scanned, 1000);
    vt_idset *set;
    assert_int_equal(vt_idset_new(&set, NULL), VT_OK);
    options.groups = set;
    assert_int_equal(vt_flat_search(w.flat, w.rows, 1, &options, hits, &found, &scanned, NULL),
                     VT_OK);
    assert_true(scanned == 0 && found == 0);
    size_t in_set = 0;
    assert_int_equal(vt_idset_add(set, w.groups[0], NULL), VT_OK);
    for (size_t i = 0; i < w.count; i++)
        in_set += w.groups[i] == w.groups[0];
    assert_int_equal(vt_flat_search(w.flat, w.rows, 1, &options, hits, &found, &scanned, NULL),
                     VT_OK);
    assert_int_equal(scanned, in_set); /* a narrow filter compares only what is in it */
    assert_int_equal(found, 1);
    vt_idset_free(set);
    /* The highest group there is, alone. */
    assert_int_equal(vt_flat_add(w.flat, 5000, 5000, w.rows, NULL), VT_OK);
    assert_int_equal(vt_idset_new(&set, NULL), VT_OK);
    assert_int_equal(vt_idset_add(set, 5000, NULL), VT_OK);
    options.groups = set;
    assert_int_equal(vt_flat_search(w.flat, w.rows, 1, &options, hits, &found, &scanned, NULL),
                     VT_OK);
    assert_true(scanned == 1 && found == 1 && hits[0].id == 5000);
    vt_idset_free(set);
    world_free(&w);
}

/* Group numbers too scattered for a bit each. */
static void test_scattered_groups(void **state)
{
    (void)state;
    vt_flat *flat;
    vt_idset *set;
    assert_int_equal(vt_flat_new(2, VT_CODEC_F32, VT_METRIC_L2, &flat, NULL), VT_OK);
    assert_int_equal(vt_idset_new(&set, NULL), VT_OK);
    for (uint32_t i = 0; i < 1000; i++) {
        float v[2] = {(float)i, 0};
        assert_int_equal(vt_flat_add(flat, i, UINT32_MAX - i * 4000000, v, NULL), VT_OK);
        if (i % 50 == 49)
            assert_int_equal(vt_idset_add(set, UINT32_MAX - i * 4000000, NULL), VT_OK);
    }
    vt_scan_options options = vt_scan_options_defaults();
    options.groups = set;
    options.k = 3;
    vt_hit hits[3];
    size_t found, scanned;
    const float query[2] = {100, 0};
    assert_int_equal(vt_flat_search(flat, query, 1, &options, hits, &found, &scanned, NULL), VT_OK);
    assert_int_equal(scanned, 20);
    assert_int_equal(found, 3);
    assert_int_equal(hits[0].id, 99);
    assert_true(hits[0].similarity == -1.0f);
    assert_int_equal(hits[1].id, 149);
    assert_int_equal(hits[2].id, 49);
    vt_idset_free(set);
    vt_flat_free(flat);
}

static void test_after_removal(void **state)
{
    (void)state;
    world w;
    world_make(&w, 20, 2000, VT_CODEC_F16, VT_METRIC_COSINE);
    for (size_t i = 0; i < w.count; i++)
        if (vt_random_below(&w.random, 3) > 0 || i + 100 > w.count) {
            assert_true(vt_flat_remove(w.flat, (uint32_t)i));
            w.present[i] = false;
        }
    search_variants(&w);
    /* An emptied index answers with nothing. */
    for (size_t i = 0; i < w.count; i++)
        if (w.present[i])
            assert_true(vt_flat_remove(w.flat, (uint32_t)i));
    vt_scan_options options = vt_scan_options_defaults();
    vt_hit hits[20];
    size_t found[2] = {9, 9}, scanned = 9;
    assert_int_equal(vt_flat_search(w.flat, w.rows, 2, &options, hits, found, &scanned, NULL),
                     VT_OK);
    assert_true(found[0] == 0 && found[1] == 0 && scanned == 0);
    world_free(&w);
}

static void test_refusals(void **state)
{
    (void)state;
    world w;
    world_make(&w, 3, 30, VT_CODEC_F32, VT_METRIC_COSINE);
    vt_scan_options options = vt_scan_options_defaults();
    vt_hit hits[30];
    vt_error error;
    size_t found[3] = {7, 7, 7}, scanned = 7;
    float queries[9] = {1, 2, 3, 4, 5, 6, 7, 8, 9};
    const float bad[] = {NAN, INFINITY, -INFINITY, 2e18f};
    for (size_t i = 0; i < 4; i++) {
        queries[7] = bad[i];
        assert_int_equal(
            vt_flat_search(w.flat, queries, 3, &options, hits, found, &scanned, &error),
            VT_ERR_USAGE);
        assert_non_null(strstr(error.message, "query 3 of 3"));
    }
    queries[7] = 8;
    options.k = 0;
    assert_int_equal(vt_flat_search(w.flat, queries, 3, &options, hits, found, &scanned, NULL),
                     VT_ERR_USAGE);
    options.k = 10;
    options.min_similarity = NAN;
    assert_int_equal(vt_flat_search(w.flat, queries, 3, &options, hits, found, &scanned, NULL),
                     VT_ERR_USAGE);
    assert_true(found[0] == 7 && found[2] == 7 && scanned == 7);
    options.min_similarity = -INFINITY;
    assert_int_equal(vt_flat_search(w.flat, queries, 0, &options, hits, found, &scanned, NULL),
                     VT_OK);
    assert_true(found[0] == 7 && scanned == 0);
    world_free(&w);
}

/* The longest vectors allowed give numbers, not infinities. */
static void test_longest_vectors(void **state)
{
    (void)state;
    for (int metric = VT_METRIC_DOT; metric <= VT_METRIC_L2; metric++) {
        vt_flat *flat;
        const float rows[3][2] = {{9.9e17f, 0}, {-9.9e17f, 0}, {0x1p-149f, 0}};
        assert_int_equal(vt_flat_new(2, VT_CODEC_F32, (vt_metric)metric, &flat, NULL), VT_OK);
        for (uint32_t i = 0; i < 3; i++)
            assert_int_equal(vt_flat_add(flat, i, i, rows[i], NULL), VT_OK);
        vt_scan_options options = vt_scan_options_defaults();
        vt_hit hits[10];
        size_t found;
        assert_int_equal(vt_flat_search(flat, rows[0], 1, &options, hits, &found, NULL, NULL),
                         VT_OK);
        assert_int_equal(found, 3);
        assert_true(hits[0].id == 0 && hits[1].id == 2 && hits[2].id == 1);
        for (int i = 0; i < 3; i++)
            assert_true(isfinite(hits[i].similarity));
        vt_flat_free(flat);
    }
}

static void test_memory(void **state)
{
    (void)state;
    world w;
    world_make(&w, 5, 400, VT_CODEC_F16, VT_METRIC_COSINE);
    vt_idset *set;
    assert_int_equal(vt_idset_new(&set, NULL), VT_OK);
    assert_int_equal(vt_idset_add_range(set, 3, 9, NULL), VT_OK);
    vt_scan_options options = vt_scan_options_defaults();
    options.groups = set;
    assert_int_equal(vt_pool_new(2, &options.pool, NULL), VT_OK);
    vt_status status = VT_ERR_NO_MEMORY;
    for (int64_t successes = 0; status != VT_OK; successes++) {
        assert_true(successes < 100);
        vt_hit hits[30];
        size_t found[3] = {7, 7, 7};
        vt_mem_fail_after(successes);
        status = vt_flat_search(w.flat, w.rows, 3, &options, hits, found, NULL, NULL);
        vt_mem_fail_after(-1);
        assert_true(status == VT_OK || (status == VT_ERR_NO_MEMORY && found[0] == 7));
    }
    vt_pool_free(options.pool);
    vt_idset_free(set);
    world_free(&w);
}

/* ---- codes ---- */

enum { CODED_DIM = 70, CODED_ROWS = 900, CODED_QUERIES = 70, CODED_K = 7 };

typedef struct coded {
    vt_flat *flat;
    vt_coder *coder;
    vt_metric metric;
    float rows[CODED_ROWS * CODED_DIM];
    vt_hit want[CODED_QUERIES * CODED_K];
} coded;

static uint32_t coded_group(size_t row)
{
    return (uint32_t)row * 7 % 300;
}

/* The best of the set by the coder itself, one code at a time. */
static void coded_expect(coded *c, const vt_idset *set)
{
    static _Alignas(64) unsigned char codes[CODED_ROWS][1024];
    static float scratch[1024];
    vt_coder_query *query;
    vt_topk top;
    assert_int_equal(vt_coder_query_new(c->coder, &query, NULL), VT_OK);
    assert_int_equal(vt_topk_init(&top, CODED_K, true, NULL), VT_OK);
    for (size_t i = 0; i < CODED_ROWS; i++)
        vt_coder_encode(c->coder, c->rows + i * CODED_DIM, scratch, codes[i], NULL);
    for (size_t q = 0; q < CODED_QUERIES; q++) {
        vt_coder_query_set(c->coder, query, c->rows + q * CODED_DIM);
        vt_topk_clear(&top);
        for (size_t i = 0; i < CODED_ROWS; i++) {
            const void *code = codes[i];
            float score;
            vt_coder_score_many(c->coder, query, &code, 1, &score);
            if (c->metric == VT_METRIC_COSINE)
                score = fmaxf(fminf(score, 1.0F), -1.0F);
            if (!set || vt_idset_has(set, coded_group(i)))
                vt_topk_push(&top, score, (uint32_t)i, coded_group(i));
        }
        assert_int_equal(vt_topk_sort(&top), CODED_K);
        memcpy(c->want + q * CODED_K, top.hits, CODED_K * sizeof *top.hits);
    }
    vt_topk_deinit(&top);
    vt_coder_query_free(query);
}

/* One by one, together, on threads, and by their ids: the same bits. */
static void coded_check(coded *c, vt_scan_options options, vt_pool *pool)
{
    static vt_hit hits[CODED_QUERIES * CODED_K];
    static uint32_t ids[CODED_ROWS];
    size_t counts[CODED_QUERIES];
    coded_expect(c, options.groups);
    for (uint32_t i = 0; i < CODED_ROWS; i++)
        ids[i] = CODED_ROWS - 1 - i;
    for (int way = 0; way < 4; way++) {
        options.pool = way > 1 ? pool : NULL;
        options.ids = way == 3 ? ids : NULL;
        options.id_count = way == 3 ? CODED_ROWS : 0;
        size_t step = way == 0 ? 1 : CODED_QUERIES;
        for (size_t q = 0; q < CODED_QUERIES; q += step)
            assert_int_equal(vt_flat_search(c->flat, c->rows + q * CODED_DIM, step, &options,
                                            hits + q * CODED_K, counts + q, NULL, NULL),
                             VT_OK);
        if (way == 3 && options.groups) /* ids are looked up whatever the set says */
            continue;
        assert_memory_equal(hits, c->want, sizeof hits);
    }
}

static void codes_of(vt_codec codec, vt_metric metric, vt_pool *pool)
{
    static coded c;
    vt_scan_options options = vt_scan_options_defaults();
    vt_random random;
    vt_idset *set;
    vt_error error;
    c.metric = metric;
    options.k = CODED_K;
    vt_random_init(&random, 11);
    for (size_t i = 0; i < CODED_ROWS * CODED_DIM; i++)
        c.rows[i] = (float)vt_random_normal(&random) + 0.5F;
    assert_int_equal(vt_flat_new(CODED_DIM, codec, metric, &c.flat, NULL), VT_OK);
    assert_int_equal(vt_coder_new(codec, metric, CODED_DIM, &c.coder, NULL), VT_OK);
    vt_coder_train(c.coder, c.rows, CODED_ROWS);
    assert_int_equal(vt_flat_train(c.flat, c.rows, CODED_ROWS, NULL), VT_OK);
    for (uint32_t i = 0; i < CODED_ROWS; i++)
        assert_int_equal(vt_flat_add(c.flat, i, coded_group(i), c.rows + i * CODED_DIM, NULL),
                         VT_OK);
    assert_int_equal(vt_flat_train(c.flat, c.rows, 1, &error), VT_ERR_USAGE);
    coded_check(&c, options, pool);
    assert_int_equal(vt_idset_new(&set, NULL), VT_OK);
    for (uint32_t g = 0; g < 300; g += 2)
        assert_int_equal(vt_idset_add(set, g, NULL), VT_OK);
    options.groups = set;
    coded_check(&c, options, pool); /* a large set: asked late */
    for (uint32_t g = 0; g < 300; g++)
        if (g % 30 != 4)
            vt_idset_remove(set, g);
    coded_check(&c, options, pool); /* a small one: rows are picked out first */
    vt_idset_free(set);
    float zero[CODED_DIM] = {0}, back[CODED_DIM];
    vt_status want = metric == VT_METRIC_COSINE ? VT_ERR_USAGE : VT_OK;
    assert_int_equal(vt_flat_add(c.flat, CODED_ROWS, 0, zero, &error), want);
    zero[3] = NAN;
    assert_int_equal(vt_flat_add(c.flat, CODED_ROWS + 1, 0, zero, &error), VT_ERR_USAGE);
    assert_int_equal(vt_flat_get(c.flat, 0, back), codec == VT_CODEC_BF16);
    assert_true(vt_flat_remove(c.flat, 0));
    vt_flat_free(c.flat);
    vt_coder_free(c.coder);
}

static void test_codes(void **state)
{
    (void)state;
    static const vt_codec codecs[] = {VT_CODEC_BF16, VT_CODEC_INT8, VT_CODEC_INT4, VT_CODEC_RABITQ};
    vt_pool *pool;
    vt_flat *flat;
    assert_int_equal(vt_pool_new(3, &pool, NULL), VT_OK);
    for (size_t i = 0; i < 4; i++)
        for (int metric = 0; metric <= VT_METRIC_L2; metric++)
            codes_of(codecs[i], (vt_metric)metric, pool);
    assert_int_equal(vt_flat_new(4, VT_CODEC_INT4X2, VT_METRIC_DOT, &flat, NULL), VT_ERR_USAGE);
    vt_pool_free(pool);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_metrics_and_codecs),
        cmocka_unit_test(test_many_rows_and_queries),
        cmocka_unit_test(test_filters),
        cmocka_unit_test(test_scanned),
        cmocka_unit_test(test_scattered_groups),
        cmocka_unit_test(test_after_removal),
        cmocka_unit_test(test_refusals),
        cmocka_unit_test(test_longest_vectors),
        cmocka_unit_test(test_codes),
        cmocka_unit_test(test_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
