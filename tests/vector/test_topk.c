/* SPDX-License-Identifier: Apache-2.0 */
/* The k best, against sorting everything, in every order of pushing. */
#include "vector/topk.h"

#include "base/mem.h"
#include "base/random.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static int compare_hits(const void *a, const void *b)
{
    const vt_hit *x = a, *y = b;
    if (x->similarity != y->similarity)
        return x->similarity > y->similarity ? -1 : 1;
    if (x->group != y->group)
        return x->group < y->group ? -1 : 1;
    return (x->id > y->id) - (x->id < y->id);
}

/* What must come out, by sorting and (grouped) keeping the first of each group. `all` is sorted. */
static size_t best_by_sorting(vt_hit *all, size_t count, size_t k, bool grouped, vt_hit *out)
{
    size_t found = 0;
    qsort(all, count, sizeof *all, compare_hits);
    for (size_t i = 0; i < count && found < k; i++) {
        bool known = false;
        for (size_t j = 0; grouped && j < found; j++)
            known = known || out[j].group == all[i].group;
        if (!known)
            out[found++] = all[i];
    }
    return found;
}

static void assert_hits_equal(const vt_hit *got, const vt_hit *want, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (got[i].similarity != want[i].similarity || got[i].id != want[i].id ||
            got[i].group != want[i].group)
            fail_msg("place %zu: %g id %u group %u instead of %g id %u group %u", i,
                     (double)got[i].similarity, got[i].id, got[i].group, (double)want[i].similarity,
                     want[i].id, want[i].group);
}

static void shuffle(vt_hit *hits, size_t count, vt_random *random)
{
    for (size_t i = count; i > 1; i--) {
        size_t j = vt_random_below(random, i);
        vt_hit kept = hits[i - 1];
        hits[i - 1] = hits[j];
        hits[j] = kept;
    }
}

/* Few different similarities and groups: ties, evictions and returns everywhere. */
static void test_random_streams(void **state)
{
    (void)state;
    enum { MOST = 300 };
    vt_hit all[MOST], sorted[MOST], want[MOST];
    vt_random random;
    vt_random_init(&random, 11);
    for (int round = 0; round < 3000; round++) {
        size_t count = vt_random_below(&random, MOST), k = 1 + vt_random_below(&random, 40);
        uint64_t groups = 1 + vt_random_below(&random, 60);
        int values = vt_random_int(&random, 1, 100);
        bool grouped = round % 3 != 0;
        for (size_t i = 0; i < count; i++) {
            all[i].similarity = (float)vt_random_int(&random, -values, values);
            all[i].id = (uint32_t)i;
            all[i].group = (uint32_t)vt_random_below(&random, groups) * 0x10000001u;
        }
        memcpy(sorted, all, count * sizeof *all);
        size_t found = best_by_sorting(sorted, count, k, grouped, want);
        shuffle(all, count, &random);
        vt_topk top;
        assert_int_equal(vt_topk_init(&top, k, grouped, NULL), VT_OK);
        for (size_t i = 0; i < count; i++) {
            /* The caller's test must never turn away what belongs. */
            if (all[i].similarity >= vt_topk_threshold(&top))
                vt_topk_push(&top, all[i].similarity, all[i].id, all[i].group);
        }
        assert_int_equal(vt_topk_sort(&top), found);
        assert_hits_equal(top.hits, want, found);
        vt_topk_deinit(&top);
    }
}

/* Split anywhere, merged in any order, sorted before or not: the same. */
static void test_merge(void **state)
{
    (void)state;
    enum { COUNT = 400, PARTS = 5 };
    vt_hit all[COUNT], sorted[COUNT], want[COUNT];
    vt_random random;
    vt_random_init(&random, 12);
    for (int round = 0; round < 500; round++) {
        bool grouped = round % 2;
        size_t k = 1 + vt_random_below(&random, 30);
        vt_topk parts[PARTS];
        for (int p = 0; p < PARTS; p++)
            assert_int_equal(vt_topk_init(&parts[p], k, grouped, NULL), VT_OK);
        for (size_t i = 0; i < COUNT; i++) {
            all[i] = (vt_hit){(float)vt_random_int(&random, 0, 50), (uint32_t)i,
                              (uint32_t)vt_random_below(&random, 45)};
            vt_topk_push(&parts[vt_random_below(&random, PARTS)], all[i].similarity, all[i].id,
                         all[i].group);
        }
        memcpy(sorted, all, sizeof all);
        size_t found = best_by_sorting(sorted, COUNT, k, grouped, want);
        for (int p = 1; p < PARTS; p++) {
            if (p % 2)
                vt_topk_sort(&parts[p]);
            vt_topk_merge(&parts[0], &parts[p]);
        }
        assert_int_equal(vt_topk_sort(&parts[0]), found);
        assert_hits_equal(parts[0].hits, want, found);
        for (int p = 0; p < PARTS; p++)
            vt_topk_deinit(&parts[p]);
    }
}

/* A group that is evicted, comes back better, and evicts in turn. */
static void test_group_leaves_and_returns(void **state)
{
    (void)state;
    vt_topk top;
    assert_int_equal(vt_topk_init(&top, 2, true, NULL), VT_OK);
    vt_topk_push(&top, 0.1f, 1, 7);
    vt_topk_push(&top, 0.2f, 2, 8);
    vt_topk_push(&top, 0.3f, 3, 9);  /* 7 leaves */
    vt_topk_push(&top, 0.15f, 4, 7); /* too bad to return */
    vt_topk_push(&top, 0.9f, 5, 7);  /* returns, 8 leaves */
    vt_topk_push(&top, 0.05f, 6, 7); /* its own better one is held */
    vt_topk_push(&top, 0.3f, 2, 9);  /* equal, lower id: takes the place of 3 */
    assert_int_equal(vt_topk_sort(&top), 2);
    assert_int_equal(top.hits[0].id, 5);
    assert_int_equal(top.hits[1].id, 2);
    assert_int_equal(top.hits[1].group, 9);
    vt_topk_deinit(&top);
}

static void test_ties_go_to_lower_group_then_id(void **state)
{
    (void)state;
    static const uint32_t orders[][4] = {{0, 1, 2, 3}, {3, 2, 1, 0}, {2, 0, 3, 1}};
    const vt_hit hits[4] = {{1, 9, 1}, {1, 4, 1}, {1, 1, 2}, {1, 0, 3}};
    for (size_t o = 0; o < 3; o++) {
        vt_topk top;
        assert_int_equal(vt_topk_init(&top, 3, false, NULL), VT_OK);
        for (size_t i = 0; i < 4; i++) {
            const vt_hit *hit = &hits[orders[o][i]];
            assert_true(hit->similarity >= vt_topk_threshold(&top));
            vt_topk_push(&top, hit->similarity, hit->id, hit->group);
        }
        assert_int_equal(vt_topk_sort(&top), 3);
        assert_int_equal(top.hits[0].id, 4);
        assert_int_equal(top.hits[1].id, 9);
        assert_int_equal(top.hits[2].id, 1);
        vt_topk_deinit(&top);
    }
}

static void test_threshold_and_special_values(void **state)
{
    (void)state;
    vt_topk top;
    assert_int_equal(vt_topk_init(&top, 2, true, NULL), VT_OK);
    assert_true(vt_topk_threshold(&top) == -INFINITY);
    vt_topk_push(&top, NAN, 1, 1);
    assert_int_equal(top.count, 0);
    vt_topk_push(&top, -INFINITY, 1, 1);
    vt_topk_push(&top, 0.5f, 2, 1);
    assert_true(vt_topk_threshold(&top) == -INFINITY); /* one group is not two */
    vt_topk_push(&top, INFINITY, 3, UINT32_MAX);
    assert_true(vt_topk_threshold(&top) == 0.5f);
    assert_int_equal(vt_topk_sort(&top), 2);
    assert_true(vt_topk_threshold(&top) == 0.5f);
    assert_int_equal(top.hits[0].group, UINT32_MAX);
    vt_topk_clear(&top);
    assert_int_equal(vt_topk_sort(&top), 0);
    vt_topk_clear(&top);
    vt_topk_push(&top, 1, 5, 1); /* the table forgot, too */
    vt_topk_push(&top, 2, 6, 1);
    assert_int_equal(vt_topk_sort(&top), 1);
    assert_int_equal(top.hits[0].id, 6);
    vt_topk_deinit(&top);
    vt_topk_deinit(&top);
}

static void test_limits_and_memory(void **state)
{
    (void)state;
    vt_topk top = {.k = 77};
    vt_error error;
    assert_int_equal(vt_topk_init(&top, 0, true, &error), VT_ERR_USAGE);
    assert_int_equal(vt_topk_init(&top, (size_t)VT_TOPK_MAX_K + 1, true, &error), VT_ERR_USAGE);
    assert_int_equal(vt_topk_init(&top, SIZE_MAX, false, NULL), VT_ERR_USAGE);
    for (int grouped = 0; grouped < 2; grouped++) {
        vt_status status = VT_ERR_NO_MEMORY;
        for (int64_t successes = 0; status != VT_OK; successes++) {
            assert_true(successes < 10);
            assert_int_equal(top.k, 77);
            vt_mem_fail_after(successes);
            status = vt_topk_init(&top, 5, grouped, &error);
            vt_mem_fail_after(-1);
            assert_true(status == VT_OK || status == VT_ERR_NO_MEMORY);
        }
        vt_topk_deinit(&top);
        top.k = 77;
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_random_streams),
        cmocka_unit_test(test_merge),
        cmocka_unit_test(test_group_leaves_and_returns),
        cmocka_unit_test(test_ties_go_to_lower_group_then_id),
        cmocka_unit_test(test_threshold_and_special_values),
        cmocka_unit_test(test_limits_and_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
