/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Searching inverted lists: budgets, sets that avoid the query, and searches beside changes. What
 * is found, and how much of it, is in test_ivf.c.
 */
#include "base/mem.h"
#include "clustered.h"
#include "index/flat.h"
#include "index/ivf.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>

#include <cmocka.h>

enum { DIM = 64, ROWS = 3000, STAYING = ROWS / 2, SEARCHERS = 2, ROUNDS = 400 };

typedef struct world {
    float vectors[2 * ROWS][DIM]; /* of length 1; the second half is not in the lists */
    uint32_t numbers[ROWS];       /* ids, and groups */
    vt_ivf *ivf;
    atomic_bool stop;
    atomic_size_t searches, wrong;
} world;

static int world_make(void **state)
{
    clustered mixture;
    world *w = vt_calloc(1, sizeof *w);
    if (w == NULL)
        return -1;
    *state = w;
    assert_true(clustered_init(&mixture, DIM, 20, 3));
    for (size_t i = 0; i < 2 * ROWS; i++)
        clustered_make_unit(&mixture, i, w->vectors[i]);
    clustered_deinit(&mixture);
    for (uint32_t i = 0; i < ROWS; i++)
        w->numbers[i] = i;
    const vt_ivf_options options = vt_ivf_options_defaults();
    const vt_ivf_rows rows = {w->vectors[0], w->numbers, w->numbers, ROWS};
    assert_int_equal(vt_ivf_new(DIM, &options, &w->ivf, NULL), VT_OK);
    assert_int_equal(vt_ivf_build(w->ivf, &rows, NULL, NULL), VT_OK);
    return 0;
}

static int world_end(void **state)
{
    world *w = *state;
    vt_ivf_free(w->ivf);
    vt_free(w);
    return 0;
}

/* The half of the rows that is farther from the query. */
static vt_idset *far_half(const world *w, const float *query)
{
    vt_flat *flat;
    vt_idset *set;
    size_t count = 0;
    vt_hit *hits = vt_alloc_array(ROWS, sizeof *hits);
    vt_scan_options scan = vt_scan_options_defaults();
    scan.k = ROWS;
    assert_int_equal(vt_flat_new(DIM, VT_CODEC_F32, VT_METRIC_COSINE, &flat, NULL), VT_OK);
    for (uint32_t i = 0; i < ROWS; i++)
        assert_int_equal(vt_flat_add(flat, i, i, w->vectors[i], NULL), VT_OK);
    assert_int_equal(vt_flat_search(flat, query, 1, &scan, hits, &count, NULL, NULL), VT_OK);
    assert_int_equal(count, ROWS);
    assert_int_equal(vt_idset_new(&set, NULL), VT_OK);
    for (size_t i = ROWS / 2; i < ROWS; i++)
        assert_int_equal(vt_idset_add(set, hits[i].group, NULL), VT_OK);
    vt_flat_free(flat);
    vt_free(hits);
    return set;
}

static vt_ivf_walked walk(const world *w, const vt_ivf_search_options *search)
{
    vt_hit hits[10];
    size_t count = 0;
    vt_ivf_walked walked = {0};
    const vt_ivf_answers answers = {hits, &count, &walked};
    assert_int_equal(vt_ivf_search(w->ivf, w->vectors[ROWS], 1, search, &answers, NULL), VT_OK);
    return walked;
}

/* A set that avoids the query is looked for in every list, if its share is known. */
static void test_thin_sets(void **state)
{
    const world *w = *state;
    vt_idset *set = far_half(w, w->vectors[ROWS]);
    vt_ivf_search_options search = vt_ivf_search_defaults();
    search.k = 5;
    search.probes = 2;
    search.groups = set;
    search.matches = 1;
    vt_ivf_walked walked = walk(w, &search);
    assert_true(walked.matched <= walked.seen && walked.seen < ROWS / 2);
    search.share = 0.5f;
    walked = walk(w, &search);
    assert_int_equal(walked.seen, ROWS);
    assert_int_equal(walked.matched, ROWS / 2);
    assert_false(walked.ran_out);
    search.groups = NULL; /* without a set there is none to avoid anything */
    assert_true(walk(w, &search).seen < ROWS / 2);
    vt_idset_free(set);
}

/* However a set is asked for its ids, it has the same: as bits where it is small or sparse, itself
 * where it is neither, or where its greatest is beyond what bits are worth. */
static void test_ways_of_asking(void **state)
{
    const world *w = *state;
    enum { HITS = 10, MANY = 40000 };
    vt_ivf_search_options search = vt_ivf_search_defaults();
    vt_hit hits[3][HITS];
    vt_ivf_walked walked[3];
    for (int way = 0; way < 3; way++) {
        vt_idset *set;
        size_t count = 0;
        assert_int_equal(vt_idset_new(&set, NULL), VT_OK);
        for (uint32_t i = 0; i < ROWS; i += 3)
            assert_int_equal(vt_idset_add(set, i, NULL), VT_OK);
        if (way == 1) /* none of a row */
            assert_int_equal(vt_idset_add_range(set, ROWS, ROWS + MANY, NULL), VT_OK);
        if (way == 2)
            assert_int_equal(vt_idset_add(set, UINT32_MAX, NULL), VT_OK);
        search.groups = set;
        const vt_ivf_answers answers = {hits[way], &count, &walked[way]};
        assert_int_equal(vt_ivf_search(w->ivf, w->vectors[ROWS], 1, &search, &answers, NULL),
                         VT_OK);
        assert_int_equal(count, HITS);
        for (size_t i = 0; i < HITS; i++)
            assert_int_equal(hits[way][i].group % 3, 0);
        assert_memory_equal(hits[way], hits[0], sizeof hits[0]);
        assert_int_equal(walked[way].matched, walked[0].matched);
        assert_int_equal(walked[way].visited, walked[0].visited);
        vt_idset_free(set);
    }
}

/* What is looked at has a bound, which is told. */
static void test_budget(void **state)
{
    const world *w = *state;
    vt_ivf_search_options search = vt_ivf_search_defaults();
    search.probes = VT_IVF_MAX_LISTS;
    assert_int_equal(walk(w, &search).seen, ROWS);
    search.budget = ROWS / 2;
    vt_ivf_walked walked = walk(w, &search);
    assert_true(walked.ran_out);
    assert_true(walked.seen >= ROWS / 2 && walked.seen < ROWS);
    search.budget = ROWS; /* enough is not too little */
    walked = walk(w, &search);
    assert_true(walked.seen == ROWS && !walked.ran_out);
}

/* ---- beside changes ---- */

/* What stays is found all the time, by itself. */
static void search_on(void *context)
{
    world *w = context;
    vt_ivf_search_options search = vt_ivf_search_defaults();
    search.k = 1;
    for (size_t i = 0; !atomic_load(&w->stop); i++) {
        size_t row = i * 7919 % STAYING, count = 0;
        vt_hit hit = {0};
        const vt_ivf_answers answers = {&hit, &count, NULL};
        vt_status status = vt_ivf_search(w->ivf, w->vectors[row], 1, &search, &answers, NULL);
        if (status != VT_OK || count != 1 || hit.id != row)
            atomic_fetch_add(&w->wrong, 1);
        atomic_fetch_add(&w->searches, 1);
    }
}

static void test_beside_changes(void **state)
{
    world *w = *state;
    vt_thread *threads[SEARCHERS];
    for (size_t i = 0; i < SEARCHERS; i++)
        assert_int_equal(vt_thread_start("search", search_on, w, &threads[i], NULL), VT_OK);
    for (size_t i = 0; i < ROUNDS || atomic_load(&w->searches) < ROUNDS; i++) {
        uint32_t row = STAYING + (uint32_t)(i % STAYING);
        assert_true(vt_ivf_remove(w->ivf, row));
        assert_false(vt_ivf_has(w->ivf, row));
        assert_int_equal(vt_ivf_add(w->ivf, row, row, w->vectors[ROWS + i % ROWS], NULL), VT_OK);
        if (i % 100 == 0)
            assert_int_equal(vt_ivf_check(w->ivf, NULL, NULL), VT_OK);
    }
    atomic_store(&w->stop, true);
    for (size_t i = 0; i < SEARCHERS; i++)
        vt_thread_join(threads[i]);
    assert_int_equal(atomic_load(&w->wrong), 0);
    assert_int_equal(vt_ivf_count(w->ivf), ROWS);
    assert_int_equal(vt_ivf_check(w->ivf, NULL, NULL), VT_OK);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_thin_sets),
        cmocka_unit_test(test_ways_of_asking),
        cmocka_unit_test(test_budget),
        cmocka_unit_test(test_beside_changes),
    };
    return cmocka_run_group_tests(tests, world_make, world_end);
}
