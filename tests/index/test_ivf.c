/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Inverted lists held to the exact index: recall of each code and metric, by build and by adding,
 * after every row was replaced; sets of ids, few and far; equal vectors; what is refused; threads;
 * memory that runs out.
 */
#include "base/mem.h"
#include "base/random.h"
#include "clustered.h"
#include "index/flat.h"
#include "index/ivf.h"
#include "support/sanitized.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

enum { DIM = 96, ROWS = 6000, QUERIES = 100, K = 10, PROBES = 24 };

typedef struct world {
    float *vectors; /* (2 ROWS, DIM) */
    float *queries; /* (QUERIES, DIM) */
    vt_flat *flat;
    vt_ivf *ivf;
} world;

/* Rows and queries of every world, made once. */
static float drawn[(2 * ROWS + QUERIES) * DIM];

static int vectors_draw(void **state)
{
    (void)state;
    clustered c;
    if (!clustered_init(&c, DIM, 20, 3))
        return -1;
    for (size_t i = 0; i < 2 * ROWS + QUERIES; i++)
        clustered_make(&c, i, drawn + i * DIM);
    clustered_deinit(&c);
    return 0;
}

static void world_init(world *w, const vt_ivf_options *options)
{
    *w = (world){0};
    w->vectors = vt_alloc_array(2 * ROWS, DIM * sizeof(float));
    w->queries = vt_alloc_array(QUERIES, DIM * sizeof(float));
    memcpy(w->vectors, drawn, 2 * ROWS * DIM * sizeof(float));
    memcpy(w->queries, drawn + 2 * ROWS * DIM, QUERIES * DIM * sizeof(float));
    assert_int_equal(vt_ivf_new(DIM, options, &w->ivf, NULL), VT_OK);
    assert_int_equal(vt_flat_new(DIM, VT_CODEC_F32, options->metric, &w->flat, NULL), VT_OK);
}

static void world_deinit(world *w)
{
    vt_flat_free(w->flat);
    vt_ivf_free(w->ivf);
    vt_free(w->vectors);
    vt_free(w->queries);
}

static uint32_t id_of(size_t row)
{
    return (uint32_t)row * 2654435761u;
}

static uint32_t group_of(size_t row)
{
    return (uint32_t)row / 2;
}

static void build(const world *w, vt_ivf *ivf, size_t first, size_t count, vt_pool *pool)
{
    uint32_t *ids = vt_alloc_array(count, sizeof *ids);
    uint32_t *groups = vt_alloc_array(count, sizeof *groups);
    vt_error error;
    for (size_t i = 0; i < count; i++) {
        ids[i] = id_of(first + i);
        groups[i] = group_of(first + i);
    }
    vt_ivf_rows rows = {w->vectors + first * DIM, ids, groups, count};
    if (vt_ivf_build(ivf, &rows, pool, &error) != VT_OK)
        fail_msg("%s", error.message);
    vt_free(ids);
    vt_free(groups);
}

static void flat_add(const world *w, size_t first, size_t count)
{
    for (size_t i = first; i < first + count; i++)
        assert_int_equal(vt_flat_add(w->flat, id_of(i), group_of(i), w->vectors + i * DIM, NULL),
                         VT_OK);
}

static void check(const vt_ivf *ivf)
{
    vt_ivf_shape shape;
    vt_error error;
    if (vt_ivf_check(ivf, &shape, &error) != VT_OK)
        fail_msg("%s", error.message);
    assert_int_equal(shape.rows, vt_ivf_count(ivf));
}

static vt_ivf_search_options plain(void)
{
    vt_ivf_search_options options = vt_ivf_search_defaults();
    options.k = K;
    options.grouped = false;
    options.probes = PROBES;
    return options;
}

typedef struct found {
    vt_hit hits[QUERIES * K];
    size_t counts[QUERIES];
    vt_ivf_walked walked[QUERIES];
} found;

static void ask(const world *w, const vt_ivf *ivf, const vt_ivf_search_options *options, found *f)
{
    vt_ivf_answers answers = {f->hits, f->counts, f->walked};
    vt_error error;
    memset(f, 0, sizeof *f);
    if (vt_ivf_search(ivf, w->queries, QUERIES, options, &answers, &error) != VT_OK)
        fail_msg("%s", error.message);
}

static double recall(const world *w, const vt_ivf *ivf, const vt_ivf_search_options *options)
{
    static found have, want;
    vt_scan_options scan = vt_scan_options_defaults();
    scan.k = options->k;
    scan.grouped = options->grouped;
    scan.groups = options->groups;
    scan.min_similarity = options->min_similarity;
    ask(w, ivf, options, &have);
    assert_int_equal(
        vt_flat_search(w->flat, w->queries, QUERIES, &scan, want.hits, want.counts, NULL, NULL),
        VT_OK);
    size_t same = 0, all = 0;
    for (size_t q = 0; q < QUERIES; q++) {
        all += want.counts[q];
        for (size_t i = 0; i < want.counts[q]; i++)
            for (size_t j = 0; j < have.counts[q]; j++)
                same += want.hits[q * K + i].id == have.hits[q * K + j].id;
    }
    return all > 0 ? (double)same / (double)all : 1.0;
}

static vt_ivf_options options_of(vt_ivf_code code, vt_metric metric)
{
    vt_ivf_options options = vt_ivf_options_defaults();
    options.code = code;
    options.metric = metric;
    options.sub_dim = 4;
    return options;
}

/* ---- recall ---- */

typedef struct fetching {
    const world *w;
    size_t calls;
    uint32_t gone; /* this row is no longer there */
} fetching;

static vt_status fetch(void *context, const uint32_t *ids, size_t count, float *vectors,
                       vt_error *error)
{
    (void)error;
    fetching *f = context;
    f->calls++;
    for (size_t i = 0; i < count; i++) {
        size_t row = ids[i] * 244002641u; /* the inverse of id_of's factor */
        assert_int_equal(id_of(row), ids[i]);
        row = (uint32_t)row;
        memcpy(vectors + i * DIM, f->w->vectors + row * DIM, DIM * sizeof(float));
        if (ids[i] == f->gone)
            vectors[i * DIM] = NAN;
    }
    return VT_OK;
}

static void every_code_finds(void **state)
{
    (void)state;
    for (int code = 0; code <= VT_IVF_PQ; code++)
        /* Under a sanitizer one metric for each. */
        for (int metric = SCRATCH_STRIDE == 1 ? 0 : code; metric <= VT_METRIC_L2;
             metric += SCRATCH_STRIDE) {
            vt_ivf_options options = options_of((vt_ivf_code)code, (vt_metric)metric);
            vt_ivf_search_options search = plain();
            world w;
            world_init(&w, &options);
            build(&w, w.ivf, 0, ROWS, NULL);
            flat_add(&w, 0, ROWS);
            check(w.ivf);
            double precise = recall(&w, w.ivf, &search);
            fetching f = {.w = &w, .gone = 1};
            search.fetch = fetch;
            search.context = &f;
            double fetched = recall(&w, w.ivf, &search);
            search.probes = SIZE_MAX;
            double all = recall(&w, w.ivf, &search);
            if (!(precise >= 0.96) || !(fetched >= 0.96) || !(all >= 0.985) || f.calls == 0)
                fail_msg("code %d metric %d: recall %.3f, by vectors %.3f, of all lists %.3f", code,
                         metric, precise, fetched, all);
            world_deinit(&w);
        }
}

/* Without precise codes the estimates are the answer: coarse, but by far not chance, and a finer
 * quantiser is better. */
static void estimates_alone(void **state)
{
    (void)state;
    double got[3];
    static const size_t subs[] = {8, 4, 2};
    for (size_t i = 0; i < 3; i++) {
        vt_ivf_options options = options_of(VT_IVF_PQ, VT_METRIC_COSINE);
        vt_ivf_search_options search = plain();
        world w;
        options.precise = false;
        options.sub_dim = subs[i];
        world_init(&w, &options);
        build(&w, w.ivf, 0, ROWS, NULL);
        flat_add(&w, 0, ROWS);
        assert_int_equal(vt_ivf_code_bytes(w.ivf), 128 / subs[i] / 2 + 12);
        got[i] = recall(&w, w.ivf, &search);
        assert_in_range(vt_ivf_bytes_of(w.ivf, ROWS), vt_ivf_bytes(w.ivf) * 3 / 4,
                        vt_ivf_bytes(w.ivf) * 4 / 3);
        world_deinit(&w);
    }
    if (!(got[0] >= 0.35 && got[1] > got[0] + 0.05 && got[2] > got[1] + 0.05))
        fail_msg("recall by estimates: %.3f %.3f %.3f", got[0], got[1], got[2]);
}

/* The bound keeps nearly all that precise codes would have found, and spares most of the looking.
 */
static void bound_spares(void **state)
{
    (void)state;
    static found all, some;
    vt_ivf_options options = options_of(VT_IVF_RABITQ, VT_METRIC_L2);
    vt_ivf_search_options search = plain();
    world w;
    world_init(&w, &options);
    build(&w, w.ivf, 0, ROWS, NULL);
    ask(&w, w.ivf, &search, &some);
    search.epsilon = 1e6F;
    ask(&w, w.ivf, &search, &all);
    size_t same = 0, looked = 0, visited = 0;
    for (size_t q = 0; q < QUERIES; q++) {
        assert_int_equal(all.walked[q].reranked, all.walked[q].visited);
        looked += some.walked[q].reranked;
        visited += some.walked[q].visited;
        for (size_t i = 0; i < K; i++)
            for (size_t j = 0; j < K; j++)
                same += all.hits[q * K + i].id == some.hits[q * K + j].id;
    }
    if (same < QUERIES * K * 98 / 100 || looked > visited / 4)
        fail_msg("%zu of %d are the same, %zu of %zu were looked at", same, QUERIES * K, looked,
                 visited);
    world_deinit(&w);
}

/* ---- changes ---- */

/* Every row is replaced, by adding and removing in turn: recall within half a point of a fresh
 * index, and no more memory. */
static void replaced_like_fresh(void **state)
{
    (void)state;
    for (int code = 0; code <= VT_IVF_PQ; code++) {
        vt_ivf_options options = options_of((vt_ivf_code)code, VT_METRIC_COSINE);
        vt_ivf_search_options search = plain();
        vt_ivf *fresh;
        world w;
        world_init(&w, &options);
        build(&w, w.ivf, 0, ROWS, NULL);
        size_t bytes = vt_ivf_bytes(w.ivf);
        for (size_t i = 0; i < ROWS; i++) {
            assert_int_equal(vt_ivf_add(w.ivf, id_of(ROWS + i), group_of(ROWS + i),
                                        w.vectors + (ROWS + i) * DIM, NULL),
                             VT_OK);
            assert_true(vt_ivf_remove(w.ivf, id_of(i)));
            assert_false(vt_ivf_remove(w.ivf, id_of(i)));
            if (i % 1000 == 0)
                check(w.ivf);
        }
        check(w.ivf);
        assert_int_equal(vt_ivf_count(w.ivf), ROWS);
        assert_true(vt_ivf_bytes(w.ivf) <= bytes + bytes / 2); /* 39 rows a list, 32 a block */
        assert_false(vt_ivf_has(w.ivf, id_of(5)));
        assert_true(vt_ivf_has(w.ivf, id_of(ROWS + 5)));
        flat_add(&w, ROWS, ROWS);
        assert_int_equal(vt_ivf_new(DIM, &options, &fresh, NULL), VT_OK);
        build(&w, fresh, ROWS, ROWS, NULL);
        double have = recall(&w, w.ivf, &search), want = recall(&w, fresh, &search);
        if (have < want - 0.005)
            fail_msg("code %d: recall %.4f, and %.4f of a fresh index", code, have, want);
        vt_ivf_free(fresh);
        for (size_t i = 0; i < ROWS; i++)
            assert_true(vt_ivf_remove(w.ivf, id_of(ROWS + i)));
        check(w.ivf);
        assert_int_equal(vt_ivf_count(w.ivf), 0);
        assert_true(vt_ivf_bytes(w.ivf) < bytes / 3);
        static found f;
        ask(&w, w.ivf, &search, &f);
        assert_int_equal(f.counts[0], 0);
        world_deinit(&w);
    }
}

/* Rows that come one by one are held as those that come together. */
static void added_like_built(void **state)
{
    (void)state;
    static found a, b;
    vt_ivf_options options = options_of(VT_IVF_RABITQ, VT_METRIC_L2);
    vt_ivf_search_options search = plain();
    vt_ivf *other;
    vt_pool *pool;
    world w;
    world_init(&w, &options);
    assert_int_equal(vt_pool_new(3, &pool, NULL), VT_OK);
    assert_int_equal(vt_ivf_new(DIM, &options, &other, NULL), VT_OK);
    assert_int_equal(vt_ivf_train(other, w.vectors, ROWS, ROWS, NULL, NULL), VT_OK);
    build(&w, w.ivf, 0, ROWS, pool);
    for (size_t i = 0; i < ROWS; i++)
        assert_int_equal(vt_ivf_add(other, id_of(i), group_of(i), w.vectors + i * DIM, NULL),
                         VT_OK);
    ask(&w, w.ivf, &search, &a);
    search.pool = pool;
    ask(&w, other, &search, &b);
    assert_memory_equal(&a, &b, sizeof a);
    /* One by one gives what the batch gives. */
    for (size_t q = 0; q < QUERIES; q++) {
        vt_ivf_answers one = {b.hits, b.counts, NULL};
        assert_int_equal(vt_ivf_search(w.ivf, w.queries + q * DIM, 1, &search, &one, NULL), VT_OK);
        assert_memory_equal(b.hits, a.hits + q * K, K * sizeof *b.hits);
    }
    vt_ivf_free(other);
    vt_pool_free(pool);
    world_deinit(&w);
}

/* ---- sets ---- */

static void sets_are_kept(void **state)
{
    (void)state;
    static const size_t every[] = {2, 10, 100, 1000};
    vt_ivf_options options = options_of(VT_IVF_RABITQ, VT_METRIC_COSINE);
    world w;
    world_init(&w, &options);
    build(&w, w.ivf, 0, ROWS, NULL);
    flat_add(&w, 0, ROWS);
    for (size_t e = 0; e < 4; e++)
        for (int grouped = 0; grouped < 2; grouped++) {
            vt_ivf_search_options search = plain();
            vt_idset *set;
            static found f;
            assert_int_equal(vt_idset_new(&set, NULL), VT_OK);
            for (uint32_t g = 1; g < ROWS / 2; g += (uint32_t)every[e])
                assert_int_equal(vt_idset_add(set, g, NULL), VT_OK);
            search.groups = set;
            search.grouped = grouped;
            double got = recall(&w, w.ivf, &search);
            if (!(got >= 0.95))
                fail_msg("one of %zu, grouped %d: recall %.3f", every[e], grouped, got);
            ask(&w, w.ivf, &search, &f);
            for (size_t q = 0; q < QUERIES; q++)
                for (size_t i = 0; i < f.counts[q]; i++) {
                    assert_true(vt_idset_has(set, f.hits[q * K + i].group));
                    for (size_t j = 0; grouped && j < i; j++)
                        assert_int_not_equal(f.hits[q * K + i].group, f.hits[q * K + j].group);
                }
            vt_idset_free(set);
        }
    world_deinit(&w);
}

/* The rows of the set are those farthest from each query: all of them are found, and one set asks
 * bit by bit while a single query of many ids asks the set. */
static void far_sets_are_found(void **state)
{
    (void)state;
    vt_ivf_options options = options_of(VT_IVF_RABITQ, VT_METRIC_L2);
    vt_ivf_search_options search = plain();
    world w;
    world_init(&w, &options);
    build(&w, w.ivf, 0, ROWS, NULL);
    for (size_t q = 0; q < 5; q++) {
        static vt_hit far[ROWS];
        vt_hit hits[2 * K];
        size_t count;
        float query[DIM];
        vt_flat *turned;
        vt_scan_options scan = vt_scan_options_defaults();
        vt_idset *set;
        assert_int_equal(vt_flat_new(DIM, VT_CODEC_F32, VT_METRIC_L2, &turned, NULL), VT_OK);
        for (size_t i = 0; i < ROWS; i++)
            assert_int_equal(vt_flat_add(turned, id_of(i), group_of(i), w.vectors + i * DIM, NULL),
                             VT_OK);
        scan.k = ROWS;
        scan.grouped = false;
        assert_int_equal(
            vt_flat_search(turned, w.queries + q * DIM, 1, &scan, far, &count, NULL, NULL), VT_OK);
        assert_int_equal(count, ROWS);
        assert_int_equal(vt_idset_new(&set, NULL), VT_OK);
        for (size_t i = ROWS - 6; i < ROWS; i++)
            assert_int_equal(vt_idset_add(set, far[i].group, NULL), VT_OK);
        memcpy(query, w.queries + q * DIM, sizeof query);
        search.groups = set;
        search.k = vt_idset_count(set);
        search.grouped = true;
        search.probes = 1;
        vt_ivf_answers answers = {hits, &count, NULL};
        assert_int_equal(vt_ivf_search(w.ivf, query, 1, &search, &answers, NULL), VT_OK);
        assert_int_equal(count, vt_idset_count(set));
        vt_flat_free(turned);
        vt_idset_free(set);
    }
    world_deinit(&w);
}

/* ---- equal vectors, and few ---- */

static void equal_vectors_are_all_found(void **state)
{
    (void)state;
    enum { SAME = 700 };
    static vt_hit hits[SAME];
    size_t count;
    for (int code = 0; code <= VT_IVF_PQ; code++) {
        vt_ivf_options options = options_of((vt_ivf_code)code, VT_METRIC_COSINE);
        vt_ivf_search_options search = plain();
        vt_ivf_answers answers = {hits, &count, NULL};
        uint32_t ids[SAME];
        world w;
        world_init(&w, &options);
        for (size_t i = 0; i < SAME; i++) {
            memcpy(w.vectors + i * DIM, w.queries, DIM * sizeof(float));
            ids[i] = (uint32_t)i;
        }
        vt_ivf_rows rows = {w.vectors, ids, NULL, SAME};
        assert_int_equal(vt_ivf_build(w.ivf, &rows, NULL, NULL), VT_OK);
        check(w.ivf);
        search.k = SAME;
        assert_int_equal(vt_ivf_search(w.ivf, w.queries, 1, &search, &answers, NULL), VT_OK);
        assert_int_equal(count, SAME);
        for (size_t i = 0; i < SAME; i++) {
            assert_int_equal(hits[i].id, i);
            assert_true(hits[i].similarity > 0.99F);
        }
        world_deinit(&w);
    }
}

/* As many hits as there are, however few lists are looked into; one row is an index, too. */
static void few_rows_are_all_found(void **state)
{
    (void)state;
    vt_ivf_options options = options_of(VT_IVF_PQ, VT_METRIC_L2);
    vt_ivf_search_options search = plain();
    world w;
    world_init(&w, &options);
    build(&w, w.ivf, 0, 1, NULL);
    static found f;
    ask(&w, w.ivf, &search, &f);
    assert_int_equal(f.counts[QUERIES - 1], 1);
    build(&w, w.ivf, 1, 8, NULL);
    search.probes = 1;
    ask(&w, w.ivf, &search, &f);
    assert_int_equal(f.counts[QUERIES - 1], 9);
    search.min_similarity = 1.0F;
    ask(&w, w.ivf, &search, &f);
    assert_int_equal(f.counts[0], 0);
    world_deinit(&w);
}

/* ---- what is refused ---- */

static void bad_input_is_refused(void **state)
{
    (void)state;
    vt_ivf_options options = options_of(VT_IVF_RABITQ, VT_METRIC_COSINE), bad = options;
    vt_ivf *ivf = NULL;
    vt_error error;
    bad.lists = VT_IVF_MAX_LISTS + 1;
    assert_int_equal(vt_ivf_new(DIM, &bad, &ivf, &error), VT_ERR_USAGE);
    bad = options;
    bad.code = VT_IVF_PQ;
    bad.sub_dim = 3;
    assert_int_equal(vt_ivf_new(DIM, &bad, &ivf, &error), VT_ERR_USAGE);
    bad = options;
    bad.codec = VT_CODEC_INT4X2;
    assert_int_equal(vt_ivf_new(DIM, &bad, &ivf, &error), VT_ERR_USAGE);
    assert_int_equal(vt_ivf_new(0, &options, &ivf, &error), VT_ERR_USAGE);
    assert_int_equal(vt_ivf_new(VT_IVF_MAX_DIM + 1, &options, &ivf, &error), VT_ERR_USAGE);
    assert_null(ivf);
    world w;
    world_init(&w, &options);
    assert_int_equal(vt_ivf_add(w.ivf, 1, 1, w.vectors, &error), VT_ERR_USAGE);
    build(&w, w.ivf, 0, 500, NULL);
    float kept = w.vectors[600 * DIM];
    static const float wrong[] = {NAN, INFINITY, -INFINITY, 1e30F};
    uint32_t ids[] = {1, 2, 3};
    vt_ivf_rows rows = {w.vectors + 599 * DIM, ids, NULL, 3};
    for (size_t i = 0; i < 4; i++) {
        w.vectors[600 * DIM] = wrong[i];
        assert_int_equal(vt_ivf_build(w.ivf, &rows, NULL, &error), VT_ERR_USAGE);
        assert_non_null(strstr(error.message, "row 2 of 3"));
        assert_int_equal(vt_ivf_count(w.ivf), 500);
    }
    w.vectors[600 * DIM] = kept;
    ids[2] = 1;
    assert_int_equal(vt_ivf_build(w.ivf, &rows, NULL, &error), VT_ERR_EXISTS);
    assert_int_equal(vt_ivf_count(w.ivf), 500);
    ids[2] = id_of(7);
    assert_int_equal(vt_ivf_build(w.ivf, &rows, NULL, &error), VT_ERR_EXISTS);
    assert_int_equal(vt_ivf_count(w.ivf), 500);
    assert_int_equal(vt_ivf_train(w.ivf, w.vectors, 10, 10, NULL, &error), VT_ERR_USAGE);
    float zero[DIM] = {0};
    assert_int_equal(vt_ivf_add(w.ivf, 1, 1, zero, &error), VT_ERR_USAGE);
    check(w.ivf);
    vt_hit hits[K];
    size_t count;
    vt_ivf_answers answers = {hits, &count, NULL};
    vt_ivf_search_options search = plain();
    assert_int_equal(vt_ivf_search(w.ivf, zero, 1, &search, &answers, &error), VT_ERR_USAGE);
    search.k = 0;
    assert_int_equal(vt_ivf_search(w.ivf, w.queries, 1, &search, &answers, &error), VT_ERR_USAGE);
    search = plain();
    search.epsilon = NAN;
    assert_int_equal(vt_ivf_search(w.ivf, w.queries, 1, &search, &answers, &error), VT_ERR_USAGE);
    search = plain();
    search.min_similarity = NAN;
    assert_int_equal(vt_ivf_search(w.ivf, w.queries, 1, &search, &answers, &error), VT_ERR_USAGE);
    world_deinit(&w);
}

static vt_status fetch_fails(void *context, const uint32_t *ids, size_t count, float *vectors,
                             vt_error *error)
{
    (void)context;
    (void)ids;
    (void)count;
    (void)vectors;
    return vt_fail(error, VT_ERR_IO, "read vectors: no disk");
}

static void fetch_says_what_is_wrong(void **state)
{
    (void)state;
    vt_ivf_options options = options_of(VT_IVF_RABITQ, VT_METRIC_COSINE);
    vt_ivf_search_options search = plain();
    static found f, without;
    vt_ivf_answers answers = {f.hits, f.counts, NULL};
    vt_error error;
    world w;
    options.precise = false;
    world_init(&w, &options);
    build(&w, w.ivf, 0, 500, NULL);
    search.fetch = fetch_fails;
    assert_int_equal(vt_ivf_search(w.ivf, w.queries, QUERIES, &search, &answers, &error),
                     VT_ERR_IO);
    assert_string_equal(error.message, "read vectors: no disk");
    fetching at = {.w = &w, .gone = 1};
    search.fetch = fetch;
    search.context = &at;
    ask(&w, w.ivf, &search, &f);
    at.gone = f.hits[0].id;
    ask(&w, w.ivf, &search, &without);
    assert_int_equal(without.hits[0].id, f.hits[1].id);
    world_deinit(&w);
}

/* Each allocation fails once: all rows or none, and the index lives. */
static void memory_runs_out(void **state)
{
    (void)state;
    vt_ivf_options options = options_of(VT_IVF_PQ, VT_METRIC_COSINE);
    options.sub_dim = 16;
    world w;
    world_init(&w, &options);
    uint32_t ids[90];
    for (uint32_t i = 0; i < 90; i++)
        ids[i] = i;
    vt_ivf_rows rows = {w.vectors, ids, NULL, 90};
    vt_status status = VT_ERR_NO_MEMORY;
    int64_t failed = 0;
    for (; status != VT_OK && failed < 2000; failed++) {
        (void)vt_mem_fail_after(failed);
        status = vt_ivf_build(w.ivf, &rows, NULL, NULL);
        (void)vt_mem_fail_after(-1);
        assert_true(status == VT_OK || status == VT_ERR_NO_MEMORY);
        assert_int_equal(vt_ivf_count(w.ivf), status == VT_OK ? 90 : 0);
        check(w.ivf);
    }
    assert_int_equal(status, VT_OK);
    assert_true(failed > 20);
    static found f;
    vt_ivf_answers answers = {f.hits, f.counts, NULL};
    vt_ivf_search_options search = plain();
    status = VT_ERR_NO_MEMORY;
    for (failed = 0; status != VT_OK && failed < 100; failed++) {
        (void)vt_mem_fail_after(failed);
        status = vt_ivf_search(w.ivf, w.queries, QUERIES, &search, &answers, NULL);
        (void)vt_mem_fail_after(-1);
        assert_true(status == VT_OK || status == VT_ERR_NO_MEMORY);
    }
    assert_int_equal(status, VT_OK);
    assert_true(failed > 5);
    world_deinit(&w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_code_finds),
        cmocka_unit_test(estimates_alone),
        cmocka_unit_test(bound_spares),
        cmocka_unit_test(replaced_like_fresh),
        cmocka_unit_test(added_like_built),
        cmocka_unit_test(sets_are_kept),
        cmocka_unit_test(far_sets_are_found),
        cmocka_unit_test(equal_vectors_are_all_found),
        cmocka_unit_test(few_rows_are_all_found),
        cmocka_unit_test(bad_input_is_refused),
        cmocka_unit_test(fetch_says_what_is_wrong),
        cmocka_unit_test(memory_runs_out),
    };
    return cmocka_run_group_tests(tests, vectors_draw, NULL);
}
