/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The graph index against its exact twin, by build path and by codec: recall floors, the validator
 * after every kind of change, equal vectors, filters and budgets, refusals, memory that is not
 * there, and searches beside a writer.
 */
#include "support/scratch.h"

#include "index/graph.h"

#include "clustered.h"
#include "index/flat.h"
#include "vector/distance.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

/* Fewer rows under the thread sanitizer, for which recall is not what counts. */
enum { LESS = SCRATCH_STRIDE < 16 ? 1 : 2 };
enum { DIM = 64, ROWS = 3600 / LESS, QUERIES = 100, K = 10 };

/* ---- a world to compare with ---- */

typedef struct world {
    size_t dim, rows;
    float *vectors;   /* (rows, dim) */
    float *queries;   /* (QUERIES, dim) */
    uint32_t *ids;    /* (rows) scattered */
    uint32_t *groups; /* (rows) three rows a group */
    vt_graph *graph;
    vt_flat *flat;
} world;

static void world_init(world *w, size_t dim, size_t rows, const vt_graph_options *options)
{
    clustered c;
    *w = (world){.dim = dim, .rows = rows};
    assert_true(clustered_init(&c, dim, 1 + rows / 200, 3));
    w->vectors = vt_alloc_array(rows, dim * sizeof(float));
    w->queries = vt_alloc_array(QUERIES, dim * sizeof(float));
    w->ids = vt_alloc_array(rows, sizeof *w->ids);
    w->groups = vt_alloc_array(rows, sizeof *w->groups);
    for (size_t i = 0; i < rows; i++) {
        clustered_make(&c, i, w->vectors + i * dim);
        w->ids[i] = (uint32_t)i * 2654435761u;
        w->groups[i] = (uint32_t)(i / 3);
    }
    for (size_t i = 0; i < QUERIES; i++)
        clustered_make(&c, rows + i, w->queries + i * dim);
    clustered_deinit(&c);
    assert_int_equal(vt_graph_new(dim, options, &w->graph, NULL), VT_OK);
    assert_int_equal(vt_flat_new(dim, VT_CODEC_F32, options->metric, &w->flat, NULL), VT_OK);
}

static void world_deinit(world *w)
{
    vt_graph_free(w->graph);
    vt_flat_free(w->flat);
    vt_free(w->vectors);
    vt_free(w->queries);
    vt_free(w->ids);
    vt_free(w->groups);
}

static void flat_add(world *w, size_t row)
{
    assert_int_equal(
        vt_flat_add(w->flat, w->ids[row], w->groups[row], w->vectors + row * w->dim, NULL), VT_OK);
}

static void rows_build(world *w, size_t begin, size_t end, vt_pool *pool)
{
    vt_graph_rows rows = {w->vectors + begin * w->dim, w->ids + begin, w->groups + begin,
                          end - begin};
    assert_int_equal(vt_graph_build(w->graph, &rows, pool, NULL), VT_OK);
    for (size_t row = begin; row < end; row++)
        flat_add(w, row);
}

static void row_add(world *w, size_t row)
{
    assert_int_equal(
        vt_graph_add(w->graph, w->ids[row], w->groups[row], w->vectors + row * w->dim, NULL),
        VT_OK);
    flat_add(w, row);
}

static void row_remove(world *w, size_t row)
{
    assert_true(vt_graph_remove(w->graph, w->ids[row]));
    assert_true(vt_flat_remove(w->flat, w->ids[row]));
}

static vt_graph_shape shape_of(const world *w)
{
    vt_graph_shape shape;
    vt_error error;
    if (vt_graph_check(w->graph, &shape, &error) != VT_OK)
        fail_msg("%s", error.message);
    assert_int_equal(shape.rows, vt_flat_count(w->flat));
    assert_int_equal(vt_graph_count(w->graph), vt_flat_count(w->flat));
    return shape;
}

/* The share of the exact hits that the graph finds, and every hit must be one of the exact index.
 */
static double recall(const world *w, const vt_graph_search_options *options)
{
    enum { MOST = 64 };
    static vt_hit got[QUERIES * MOST], want[QUERIES * MOST];
    size_t got_counts[QUERIES], want_counts[QUERIES], found = 0, wanted = 0;
    vt_graph_answers answers = {got, got_counts, NULL};
    vt_scan_options scan = vt_scan_options_defaults();
    scan.k = options->k;
    scan.grouped = options->grouped;
    scan.groups = options->groups;
    scan.min_similarity = options->min_similarity;
    assert_true(options->k <= MOST);
    assert_int_equal(vt_graph_search(w->graph, w->queries, QUERIES, options, &answers, NULL),
                     VT_OK);
    assert_int_equal(
        vt_flat_search(w->flat, w->queries, QUERIES, &scan, want, want_counts, NULL, NULL), VT_OK);
    for (size_t q = 0; q < QUERIES; q++) {
        assert_true(got_counts[q] <= options->k);
        wanted += want_counts[q];
        for (size_t i = 0; i < got_counts[q]; i++) {
            const vt_hit *hit = &got[q * options->k + i];
            float vector[1024];
            assert_true(vt_flat_get(w->flat, hit->id, vector));
            assert_true(i == 0 || hit->similarity <= hit[-1].similarity);
            for (size_t j = 0; j < want_counts[q]; j++)
                found += options->grouped ? want[q * options->k + j].group == hit->group
                                          : want[q * options->k + j].id == hit->id;
        }
    }
    return wanted ? (double)found / (double)wanted : 1.0;
}

static vt_graph_search_options ungrouped(void)
{
    vt_graph_search_options options = vt_graph_search_defaults();
    options.grouped = false;
    return options;
}

static void assert_recall(const world *w, double floor, const char *what)
{
    vt_graph_search_options options = ungrouped();
    double got = recall(w, &options);
    print_message("%s: recall %.3f\n", what, got);
    if (got < floor)
        fail_msg("%s: recall %.3f is below %.3f", what, got, floor);
}

static void assert_sound(const world *w, double floor, const char *what)
{
    vt_graph_shape shape = shape_of(w);
    assert_int_equal(shape.unreachable, 0);
    assert_recall(w, floor, what);
}

/* ---- build paths ---- */

static void test_build(void **state)
{
    (void)state;
    vt_graph_options options = vt_graph_options_defaults();
    world w;
    vt_pool *pool;
    assert_int_equal(vt_pool_new(3, &pool, NULL), VT_OK);
    world_init(&w, DIM, ROWS, &options);
    rows_build(&w, 0, ROWS / 2, NULL);
    assert_sound(&w, 0.97, "built on one thread");
    rows_build(&w, ROWS / 2, ROWS, pool);
    assert_sound(&w, 0.97, "built further on three");
    world_deinit(&w);
    vt_pool_free(pool);
}

static void test_add(void **state)
{
    (void)state;
    one_thread();
    vt_graph_options options = vt_graph_options_defaults();
    world w;
    world_init(&w, DIM, ROWS / 2, &options);
    for (size_t row = 0; row < w.rows; row++) {
        row_add(&w, row);
        if (row < 40 || row % 500 == 0)
            assert_int_equal(shape_of(&w).unreachable, 0);
    }
    vt_graph_settle(w.graph);
    assert_sound(&w, 0.97, "added one by one");
    world_deinit(&w);
}

static void test_remove(void **state)
{
    (void)state;
    one_thread();
    vt_graph_options options = vt_graph_options_defaults();
    world w;
    world_init(&w, DIM, ROWS, &options);
    rows_build(&w, 0, ROWS, NULL);
    for (size_t row = 0; row < ROWS; row++)
        if (row % 3 != 0) {
            row_remove(&w, row);
            assert_false(vt_graph_has(w.graph, w.ids[row]));
            assert_false(vt_graph_remove(w.graph, w.ids[row]));
        }
    vt_graph_shape shape = shape_of(&w);
    print_message("%zu stale, %zu unreachable of %zu\n", shape.stale, shape.unreachable,
                  shape.nodes);
    assert_true(shape.stale * 50 <= shape.nodes && shape.unreachable * 1000 <= shape.nodes);
    assert_recall(&w, 0.97, "two thirds removed");
    vt_graph_settle(w.graph);
    assert_int_equal(shape_of(&w).stale, 0);
    assert_sound(&w, 0.97, "and settled");
    for (size_t row = 0; row < ROWS; row++)
        if (row % 3 == 0)
            row_remove(&w, row);
    shape_of(&w);
    assert_int_equal(vt_graph_count(w.graph), 0);
    assert_recall(&w, 1.0, "emptied");
    for (size_t row = 0; row < 300; row++)
        row_add(&w, row);
    vt_graph_settle(w.graph);
    assert_sound(&w, 0.98, "and filled again");
    world_deinit(&w);
}

/* Every row is removed and another put in its place, in turn; memory does not grow. */
static void test_replace(void **state)
{
    (void)state;
    one_thread();
    vt_graph_options options = vt_graph_options_defaults();
    world w;
    world_init(&w, DIM, ROWS, &options);
    rows_build(&w, 0, ROWS / 2, NULL);
    assert_sound(&w, 0.97, "before replacing");
    size_t bytes = vt_graph_bytes(w.graph);
    for (size_t row = 0; row < ROWS / 2; row++) {
        row_remove(&w, row);
        row_add(&w, ROWS / 2 + row);
    }
    assert_int_equal(vt_graph_bytes(w.graph), bytes);
    vt_graph_shape shape = shape_of(&w);
    assert_true(shape.stale * 50 <= shape.nodes && shape.unreachable * 1000 <= shape.nodes);
    assert_recall(&w, 0.965, "all replaced");
    vt_graph_settle(w.graph);
    assert_sound(&w, 0.965, "and settled");
    world_deinit(&w);
}

static void test_codecs_and_metrics(void **state)
{
    (void)state;
    one_thread();
    for (int codec = 0; codec < VT_CODEC_COUNT; codec += SCRATCH_STRIDE)
        for (int metric = 0; metric <= VT_METRIC_L2; metric += SCRATCH_STRIDE) {
            vt_graph_options options = vt_graph_options_defaults();
            world w;
            char what[64];
            options.codec = (vt_codec)codec;
            options.metric = (vt_metric)metric;
            world_init(&w, 100, 1500, &options);
            if (metric == VT_METRIC_DOT)
                for (size_t row = 0; row < w.rows; row++)
                    vt_vector_normalize(w.vectors + row * 100, 100);
            rows_build(&w, 0, w.rows, NULL);
            snprintf(what, sizeof what, "%s, metric %d", vt_codec_name((vt_codec)codec), metric);
            double floor = codec == VT_CODEC_RABITQ ? 0.5 : codec == VT_CODEC_INT4 ? 0.88 : 0.97;
            assert_sound(&w, floor, what);
            for (size_t row = 0; row < 100; row++)
                row_remove(&w, row);
            vt_graph_settle(w.graph);
            assert_sound(&w, floor, "  after removals");
            world_deinit(&w);
        }
}

/* ---- equal vectors ---- */

static void test_equal_vectors(void **state)
{
    (void)state;
    vt_graph_options options = vt_graph_options_defaults();
    world w;
    vt_pool *pool;
    assert_int_equal(vt_pool_new(2, &pool, NULL), VT_OK);
    world_init(&w, DIM, ROWS, &options);
    for (size_t row = 0; row < ROWS; row++) /* one vector 1,200 times, others five times */
        memcpy(w.vectors + row * DIM, w.vectors + (row % 3 == 0 ? 0 : row / 5 * 5) * DIM,
               DIM * sizeof(float));
    rows_build(&w, 0, ROWS / 2, pool);
    for (size_t row = ROWS / 2; row < ROWS; row++)
        row_add(&w, row);
    vt_graph_shape shape = shape_of(&w);
    assert_true(shape.nodes < ROWS / 5 + 100);
    assert_int_equal(shape.unreachable, 0);
    /* All equal ones are found, and in order. */
    vt_hit hits[2100];
    size_t count;
    vt_graph_answers answers = {hits, &count, NULL};
    vt_graph_search_options search = ungrouped();
    search.k = 2100;
    search.min_similarity = 0.9999f;
    assert_int_equal(vt_graph_search(w.graph, w.vectors, 1, &search, &answers, NULL), VT_OK);
    assert_true(count >= ROWS / 3);
    /* The first of them goes, then all but a few: the others stay to be found. */
    for (size_t row = 0; row + 30 < ROWS; row += 3)
        row_remove(&w, row);
    assert_int_equal(vt_graph_search(w.graph, w.vectors, 1, &search, &answers, NULL), VT_OK);
    assert_true(count >= 10);
    shape_of(&w);
    for (size_t row = 0; row < ROWS; row++)
        if (row % 3 == 1)
            row_remove(&w, row);
    vt_graph_settle(w.graph);
    assert_int_equal(shape_of(&w).unreachable, 0);
    world_deinit(&w);
    vt_pool_free(pool);
}

/* ---- searching ---- */

static void test_groups_filters_budgets(void **state)
{
    (void)state;
    one_thread();
    vt_graph_options options = vt_graph_options_defaults();
    world w;
    world_init(&w, DIM, ROWS, &options);
    for (size_t row = 0; row < ROWS; row++) /* a product's pictures are alike */
        for (size_t i = 0; row % 3 && i < DIM; i++)
            w.vectors[row * DIM + i] =
                w.vectors[(row - row % 3) * DIM + i] + 0.01f * w.vectors[row * DIM + i];
    rows_build(&w, 0, ROWS, NULL);
    vt_graph_search_options search = vt_graph_search_defaults();
    assert_true(recall(&w, &search) >= 0.95);
    search.k = 40;
    assert_true(recall(&w, &search) >= 0.95);
    search.k = K;
    for (int share = 2; share <= 200; share *= 10) {
        vt_idset *set;
        assert_int_equal(vt_idset_new(&set, NULL), VT_OK);
        for (uint32_t group = 0; group < ROWS / 3; group += (uint32_t)share)
            assert_int_equal(vt_idset_add(set, group, NULL), VT_OK);
        search.groups = set;
        double got = recall(&w, &search);
        print_message("one group in %d: recall %.3f\n", share, got);
        assert_true(got >= 0.95);
        vt_idset_free(set);
    }
    vt_idset *none;
    assert_int_equal(vt_idset_new(&none, NULL), VT_OK);
    vt_hit hits[K];
    size_t count = 7;
    vt_graph_walked walked;
    vt_graph_answers answers = {hits, &count, &walked};
    search.groups = none;
    search.budget = 400;
    assert_int_equal(vt_graph_search(w.graph, w.queries, 1, &search, &answers, NULL), VT_OK);
    assert_true(count == 0 && walked.ran_out && walked.visited <= 400 && walked.visited > 0);
    search.groups = NULL;
    search.budget = 150;
    assert_int_equal(vt_graph_search(w.graph, w.queries, 1, &search, &answers, NULL), VT_OK);
    assert_true(walked.ran_out && walked.visited <= 150);
    search.budget = 1000000;
    assert_int_equal(vt_graph_search(w.graph, w.queries, 1, &search, &answers, NULL), VT_OK);
    assert_true(!walked.ran_out && count == K && walked.visited < ROWS);
    /* A checked walk gives up where the set lies elsewhere, before it has been everywhere. */
    search.groups = none;
    search.checked = true;
    search.width = 64;
    assert_int_equal(vt_graph_search(w.graph, w.queries, 1, &search, &answers, NULL), VT_OK);
    assert_true(!walked.ran_out && count == 0);
    size_t everywhere = walked.visited;
    search.share = 0.5F;
    assert_int_equal(vt_graph_search(w.graph, w.queries, 1, &search, &answers, NULL), VT_OK);
    assert_true(walked.ran_out && count == 0 && walked.visited < everywhere);
    vt_idset_free(none);
    world_deinit(&w);
}

/* A set that lies around the query is walked; from one that does not a walk that asks for it turns
 * away before it has expanded anything. */
static void test_around(void **state)
{
    (void)state;
    enum { NEAR = ROWS / 4, BEGINNING = 256 + 5 * 24 };
    one_thread();
    vt_graph_options options = vt_graph_options_defaults();
    world w;
    world_init(&w, DIM, ROWS, &options);
    rows_build(&w, 0, ROWS, NULL);
    vt_hit *nearest = vt_alloc_array(NEAR, sizeof *nearest), hits[K];
    vt_scan_options scan = vt_scan_options_defaults();
    vt_idset *near, *scattered;
    size_t count;
    assert_non_null(nearest);
    assert_int_equal(vt_idset_new(&near, NULL), VT_OK);
    assert_int_equal(vt_idset_new(&scattered, NULL), VT_OK);
    scan.k = NEAR;
    assert_int_equal(vt_flat_search(w.flat, w.queries, 1, &scan, nearest, &count, NULL, NULL),
                     VT_OK);
    for (size_t i = 0; i < count; i++)
        assert_int_equal(vt_idset_add(near, nearest[i].group, NULL), VT_OK);
    for (size_t row = 0; row < ROWS; row += 50)
        assert_int_equal(vt_idset_add(scattered, w.groups[row], NULL), VT_OK);
    vt_graph_search_options search = vt_graph_search_defaults();
    vt_graph_walked walked;
    const vt_graph_answers answers = {hits, &count, &walked};
    search.strays = 16;
    search.share = 0.02f;
    search.around = 0.3f;
    search.groups = near;
    assert_int_equal(vt_graph_search(w.graph, w.queries, 1, &search, &answers, NULL), VT_OK);
    assert_true(!walked.ran_out && count == K && hits[0].id == nearest[0].id);
    search.groups = scattered;
    assert_int_equal(vt_graph_search(w.graph, w.queries, 1, &search, &answers, NULL), VT_OK);
    assert_true(walked.ran_out && walked.visited <= BEGINNING);
    search.around = 0;
    assert_int_equal(vt_graph_search(w.graph, w.queries, 1, &search, &answers, NULL), VT_OK);
    assert_true(walked.visited > BEGINNING);
    vt_idset_free(near);
    vt_idset_free(scattered);
    vt_free(nearest);
    world_deinit(&w);
}

/* A pool changes nothing, nor does company. */
static void test_batches(void **state)
{
    (void)state;
    vt_graph_options options = vt_graph_options_defaults();
    world w;
    vt_pool *pool;
    assert_int_equal(vt_pool_new(3, &pool, NULL), VT_OK);
    world_init(&w, DIM, 2000 / LESS, &options);
    rows_build(&w, 0, 2000 / LESS, NULL);
    static vt_hit one[QUERIES * K], all[QUERIES * K];
    size_t one_counts[QUERIES], all_counts[QUERIES];
    vt_graph_search_options search = ungrouped();
    for (size_t q = 0; q < QUERIES; q++) {
        vt_graph_answers answers = {one + q * K, one_counts + q, NULL};
        assert_int_equal(vt_graph_search(w.graph, w.queries + q * DIM, 1, &search, &answers, NULL),
                         VT_OK);
    }
    vt_graph_answers answers = {all, all_counts, NULL};
    search.pool = pool;
    assert_int_equal(vt_graph_search(w.graph, w.queries, QUERIES, &search, &answers, NULL), VT_OK);
    for (size_t q = 0; q < QUERIES; q++) {
        assert_int_equal(one_counts[q], all_counts[q]);
        for (size_t i = 0; i < one_counts[q]; i++)
            assert_true(one[q * K + i].id == all[q * K + i].id &&
                        one[q * K + i].similarity == all[q * K + i].similarity);
    }
    world_deinit(&w);
    vt_pool_free(pool);
}

static void test_hostile(void **state)
{
    (void)state;
    vt_graph_options options = vt_graph_options_defaults();
    vt_graph *graph = NULL;
    vt_error error;
    assert_int_equal(vt_graph_new(0, &options, &graph, &error), VT_ERR_USAGE);
    assert_int_equal(vt_graph_new(VT_GRAPH_MAX_DIM + 1, &options, &graph, &error), VT_ERR_USAGE);
    options.degree = 65;
    assert_int_equal(vt_graph_new(4, &options, &graph, &error), VT_ERR_USAGE);
    options.degree = 16;
    options.alpha = NAN;
    assert_int_equal(vt_graph_new(4, &options, &graph, &error), VT_ERR_USAGE);
    options.alpha = 1.2f;
    options.width = 0;
    assert_int_equal(vt_graph_new(4, &options, &graph, &error), VT_ERR_USAGE);
    options.width = 40;
    assert_null(graph);
    assert_int_equal(vt_graph_new(4, &options, &graph, NULL), VT_OK);
    const float bad[][4] = {{0}, {NAN, 1}, {1, INFINITY}, {3e38f, 0}};
    const float good[4] = {1, 2, 3, 4};
    const uint32_t ids[] = {7, 8, 7};
    const float three[12] = {1, 2, 3, 4, 2, 2, 3, 4, 3, 2, 3, 4};
    vt_hit hits[8];
    size_t count = 9;
    vt_graph_answers answers = {hits, &count, NULL};
    vt_graph_search_options search = vt_graph_search_defaults();
    assert_int_equal(vt_graph_search(graph, good, 1, &search, &answers, NULL), VT_OK);
    assert_int_equal(count, 0);
    assert_false(vt_graph_remove(graph, 1));
    for (size_t i = 0; i < 4; i++) {
        assert_int_equal(vt_graph_add(graph, 1, 1, bad[i], &error), VT_ERR_USAGE);
        vt_graph_rows rows = {bad[i], ids, NULL, 1};
        assert_int_equal(vt_graph_build(graph, &rows, NULL, &error), VT_ERR_USAGE);
        assert_non_null(strstr(error.message, "row 1 of 1"));
        assert_int_equal(vt_graph_search(graph, bad[i], 1, &search, &answers, &error),
                         VT_ERR_USAGE);
    }
    vt_graph_rows twice = {three, ids, NULL, 3};
    assert_int_equal(vt_graph_build(graph, &twice, NULL, &error), VT_ERR_EXISTS);
    assert_int_equal(vt_graph_count(graph), 0);
    assert_int_equal(vt_graph_check(graph, NULL, NULL), VT_OK);
    twice.count = 2;
    assert_int_equal(vt_graph_build(graph, &twice, NULL, NULL), VT_OK);
    assert_int_equal(vt_graph_add(graph, 8, 1, good, &error), VT_ERR_EXISTS);
    search.k = 0;
    assert_int_equal(vt_graph_search(graph, good, 1, &search, &answers, &error), VT_ERR_USAGE);
    search.k = 1000000; /* no more than there are */
    assert_int_equal(vt_graph_search(graph, good, 1, &search, &answers, NULL), VT_OK);
    assert_int_equal(count, 2);
    search.min_similarity = NAN;
    assert_int_equal(vt_graph_search(graph, good, 1, &search, &answers, &error), VT_ERR_USAGE);
    vt_graph_free(graph);
    vt_graph_free(NULL);
}

static void test_million_hits(void **state)
{
    (void)state;
    one_thread();
    enum { MANY = VT_GRAPH_MAX_WIDTH + 100 };
    vt_graph_options options = vt_graph_options_defaults();
    vt_graph *graph;
    options.width = 16;
    assert_int_equal(vt_graph_new(2, &options, &graph, NULL), VT_OK);
    float *vectors = vt_alloc_array(MANY, 2 * sizeof(float));
    uint32_t *ids = vt_alloc_array(MANY, sizeof *ids);
    for (uint32_t i = 0; i < MANY; i++) {
        vectors[2 * i] = cosf((float)i * 1e-4f);
        vectors[2 * i + 1] = sinf((float)i * 1e-4f);
        ids[i] = i;
    }
    vt_graph_rows rows = {vectors, ids, NULL, MANY};
    assert_int_equal(vt_graph_build(graph, &rows, NULL, NULL), VT_OK);
    vt_hit hit;
    size_t count;
    vt_error error;
    vt_graph_answers answers = {&hit, &count, NULL};
    vt_graph_search_options search = ungrouped();
    search.k = 1000000;
    assert_int_equal(vt_graph_search(graph, vectors, 1, &search, &answers, &error), VT_ERR_LIMIT);
    vt_free(vectors);
    vt_free(ids);
    vt_graph_free(graph);
}

/* ---- memory ---- */

static void test_memory(void **state)
{
    (void)state;
    one_thread();
    vt_graph_options options = vt_graph_options_defaults();
    vt_graph_search_options search = ungrouped();
    world w;
    world_init(&w, DIM, 400, &options);
    for (int64_t n = 0; n < 200; n++) {
        vt_graph *graph = NULL;
        vt_hit hits[K];
        size_t count;
        vt_graph_rows rows = {w.vectors, w.ids, w.groups, 300};
        vt_graph_answers answers = {hits, &count, NULL};
        vt_mem_fail_after(n);
        vt_status made = vt_graph_new(DIM, &options, &graph, NULL), built = VT_OK, added = VT_OK;
        vt_status found = VT_OK;
        if (made == VT_OK) {
            built = vt_graph_build(graph, &rows, NULL, NULL);
            added = vt_graph_add(graph, w.ids[350], 1, w.vectors + 350 * DIM, NULL);
            vt_graph_remove(graph, w.ids[0]);
            found = vt_graph_search(graph, w.queries, 1, &search, &answers, NULL);
        }
        vt_mem_fail_after(-1);
        assert_true(made == VT_OK || made == VT_ERR_NO_MEMORY);
        assert_true(built == VT_OK || built == VT_ERR_NO_MEMORY);
        assert_true(added == VT_OK || added == VT_ERR_NO_MEMORY);
        assert_true(found == VT_OK || found == VT_ERR_NO_MEMORY);
        if (graph) {
            size_t want = (built == VT_OK ? 299u : 0u) + (added == VT_OK ? 1u : 0u);
            assert_int_equal(vt_graph_count(graph), want);
            assert_int_equal(vt_graph_check(graph, NULL, NULL), VT_OK);
        }
        vt_graph_free(graph);
    }
    world_deinit(&w);
}

/* ---- searches beside a writer ---- */

typedef struct company {
    const world *w;
    atomic_bool done;
    atomic_int faults, searches;
} company;

/* Rows below STAY are never touched: each must always find itself. */
enum { STAY = 500 / LESS };

static void search_on(void *context)
{
    company *c = context;
    vt_graph_search_options search = ungrouped();
    vt_hit hits[K];
    size_t count;
    vt_graph_answers answers = {hits, &count, NULL};
    vt_random random;
    vt_random_init(&random, 9);
    while (!atomic_load(&c->done)) {
        size_t row = (size_t)vt_random_below(&random, STAY);
        if (vt_graph_search(c->w->graph, c->w->vectors + row * DIM, 1, &search, &answers, NULL) !=
                VT_OK ||
            count != K || hits[0].similarity < 0.999f)
            atomic_fetch_add(&c->faults, 1);
        atomic_fetch_add(&c->searches, 1);
    }
}

static void test_searches_beside_a_writer(void **state)
{
    (void)state;
    vt_graph_options options = vt_graph_options_defaults();
    world w;
    company c = {.w = &w};
    vt_thread *threads[2];
    vt_pool *pool;
    assert_int_equal(vt_pool_new(2, &pool, NULL), VT_OK);
    world_init(&w, DIM, (size_t)8 * STAY, &options);
    for (size_t row = 4 * STAY; row < 8 * STAY; row += 4) /* twins come and go as well */
        memcpy(w.vectors + row * DIM, w.vectors + row % STAY * DIM, DIM * sizeof(float));
    rows_build(&w, 0, 3 * STAY, NULL);
    for (int i = 0; i < 2; i++)
        assert_int_equal(vt_thread_start("searcher", search_on, &c, &threads[i], NULL), VT_OK);
    rows_build(&w, 3 * STAY, 5 * STAY, pool);
    for (size_t row = 5 * STAY; row < 8 * STAY; row++) {
        row_add(&w, row);
        row_remove(&w, row - 4 * STAY + STAY * (row % 2));
    }
    atomic_store(&c.done, true);
    for (int i = 0; i < 2; i++)
        vt_thread_join(threads[i]);
    print_message("%d searches meanwhile\n", atomic_load(&c.searches));
    assert_true(atomic_load(&c.searches) > 0);
    assert_int_equal(atomic_load(&c.faults), 0);
    vt_graph_settle(w.graph);
    assert_sound(&w, 0.965, "after it all");
    world_deinit(&w);
    vt_pool_free(pool);
}

/* An argument picks tests by name, as in '*writer*'. */
int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_build),
        cmocka_unit_test(test_add),
        cmocka_unit_test(test_remove),
        cmocka_unit_test(test_replace),
        cmocka_unit_test(test_codecs_and_metrics),
        cmocka_unit_test(test_equal_vectors),
        cmocka_unit_test(test_groups_filters_budgets),
        cmocka_unit_test(test_around),
        cmocka_unit_test(test_batches),
        cmocka_unit_test(test_hostile),
        cmocka_unit_test(test_million_hits),
        cmocka_unit_test(test_memory),
        cmocka_unit_test(test_searches_beside_a_writer),
    };
    if (argc > 1)
        cmocka_set_test_filter(argv[1]);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
