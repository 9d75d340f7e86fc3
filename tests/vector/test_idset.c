/* SPDX-License-Identifier: Apache-2.0 */
/* Id sets, against one byte per id, over ranges where the bitmap changes its containers. */
#include "vector/idset.h"

#include "base/mem.h"
#include "base/random.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

/* Four containers of 65536: sparse, dense, runs and empty ones meet. */
enum { WORLD = 4 * 65536 };

/* Asked of every id there can be and of some beyond, by bits and, where there is no room for those,
 * by a search. */
static void assert_bits(const vt_idset *set, const uint8_t *naive)
{
    const uint32_t words = vt_idset_last(set) / 64 + 1;
    for (uint32_t most = words - 1; most <= words; most++) {
        vt_idset_bits bits;
        assert_true(vt_idset_bits_init(&bits, set, most));
        assert_int_equal(bits.words != NULL, most == words);
        uint32_t last = 0;
        for (uint32_t id = 0; id < WORLD + 200; id++) {
            bool there = id < WORLD && naive[id];
            assert_int_equal(vt_idset_bits_has(&bits, id), there);
            last = there ? id : last;
        }
        assert_int_equal(vt_idset_last(set), last);
        vt_idset_bits_deinit(&bits);
    }
}

static void assert_same(const vt_idset *set, const uint8_t *naive)
{
    uint64_t count = 0;
    assert_bits(set, naive);
    uint32_t *list = vt_alloc_array(vt_idset_count(set), sizeof *list);
    assert_non_null(list);
    vt_idset_list(set, list);
    vt_idset_cursor c = vt_idset_begin(set);
    for (uint32_t id = 0; id < WORLD; id++) {
        if (!naive[id])
            continue;
        assert_true(c.valid && count < vt_idset_count(set));
        assert_int_equal(c.id, id);
        assert_int_equal(list[count], id);
        count++;
        vt_idset_next(&c);
    }
    assert_false(c.valid);
    assert_int_equal(vt_idset_count(set), count);
    vt_free(list);
}

/* One of several densities per container, some of it as ranges. */
static void fill(vt_idset *set, uint8_t *naive, vt_random *random)
{
    memset(naive, 0, WORLD);
    for (uint32_t container = 0; container < 4; container++) {
        uint32_t begin = container * 65536;
        int kind = vt_random_int(random, 0, 4);
        int adds = kind == 1 ? 100 : kind == 2 ? 30000 : 0;
        for (int i = 0; i < adds; i++) {
            uint32_t id = begin + (uint32_t)vt_random_below(random, 65536);
            assert_int_equal(vt_idset_add(set, id, NULL), VT_OK);
            naive[id] = 1;
        }
        for (int i = 0; kind >= 3 && i < (kind == 3 ? 3 : 200); i++) {
            uint64_t from = begin + vt_random_below(random, 65536);
            uint64_t to = from + vt_random_below(random, kind == 3 ? 40000 : 50);
            if (to > WORLD)
                to = WORLD;
            assert_int_equal(vt_idset_add_range(set, from, to, NULL), VT_OK);
            memset(naive + from, 1, to - from);
        }
    }
}

static void test_against_bytes(void **state)
{
    (void)state;
    uint8_t *a = vt_alloc(WORLD), *b = vt_alloc(WORLD);
    assert_true(a && b);
    vt_random random;
    vt_random_init(&random, 5);
    for (int round = 0; round < 60; round++) {
        vt_idset *left, *right, *copy;
        assert_int_equal(vt_idset_new(&left, NULL), VT_OK);
        assert_int_equal(vt_idset_new(&right, NULL), VT_OK);
        fill(left, a, &random);
        fill(right, b, &random);
        for (int i = 0; i < 2000; i++) {
            uint32_t id = (uint32_t)vt_random_below(&random, WORLD);
            assert_int_equal(vt_idset_has(left, id), a[id]);
            if (i % 2) {
                vt_idset_remove(left, id);
                a[id] = 0;
            }
        }
        assert_same(left, a);
        assert_int_equal(vt_idset_dup(left, &copy, NULL), VT_OK);
        assert_same(copy, a);
        int operation = round % 3;
        vt_status status = operation == 0   ? vt_idset_and(copy, right, NULL)
                           : operation == 1 ? vt_idset_or(copy, right, NULL)
                                            : vt_idset_subtract(copy, right, NULL);
        assert_int_equal(status, VT_OK);
        assert_same(left, a); /* the copy shares nothing */
        assert_same(right, b);
        for (size_t i = 0; i < WORLD; i++)
            a[i] = operation == 0 ? a[i] & b[i] : operation == 1 ? a[i] | b[i] : a[i] & !b[i];
        assert_same(copy, a);
        vt_idset_free(left);
        vt_idset_free(right);
        vt_idset_free(copy);
    }
    vt_free(a);
    vt_free(b);
}

static void test_edges(void **state)
{
    (void)state;
    vt_idset *set;
    vt_error error;
    assert_int_equal(vt_idset_new(&set, NULL), VT_OK);
    assert_int_equal(vt_idset_count(set), 0);
    assert_false(vt_idset_begin(set).valid);
    assert_int_equal(vt_idset_add_range(set, 5, 5, NULL), VT_OK);
    assert_int_equal(vt_idset_add_range(set, 9, 3, NULL), VT_OK);
    assert_int_equal(vt_idset_count(set), 0);
    assert_int_equal(vt_idset_add_range(set, 0, (uint64_t)UINT32_MAX + 2, &error), VT_ERR_USAGE);
    assert_int_equal(vt_idset_add_range(set, UINT32_MAX, (uint64_t)UINT32_MAX + 1, NULL), VT_OK);
    assert_int_equal(vt_idset_add(set, 0, NULL), VT_OK);
    assert_int_equal(vt_idset_add(set, 0, NULL), VT_OK);
    assert_int_equal(vt_idset_count(set), 2);
    vt_idset_cursor c = vt_idset_begin(set);
    assert_true(c.valid && c.id == 0);
    vt_idset_next(&c);
    assert_true(c.valid && c.id == UINT32_MAX);
    vt_idset_next(&c);
    assert_false(c.valid);
    vt_idset_remove(set, 12345);
    assert_int_equal(vt_idset_count(set), 2);
    /* With itself. */
    assert_int_equal(vt_idset_and(set, set, NULL), VT_OK);
    assert_int_equal(vt_idset_or(set, set, NULL), VT_OK);
    assert_int_equal(vt_idset_count(set), 2);
    assert_int_equal(vt_idset_subtract(set, set, NULL), VT_OK);
    assert_int_equal(vt_idset_count(set), 0);
    assert_int_equal(vt_idset_add_range(set, 0, (uint64_t)UINT32_MAX + 1, NULL), VT_OK);
    assert_int_equal(vt_idset_count(set), (uint64_t)UINT32_MAX + 1);
    vt_idset_free(set);
    vt_idset_free(NULL);
}

/* The functions that make new sets, against membership one by one. */
static void test_sets_from_sets(void **state)
{
    (void)state;
    enum { IDS = 300000 };
    vt_idset *a = NULL, *b = NULL, *common = NULL, *rest = NULL, *all = NULL, *none = NULL;
    assert_int_equal(vt_idset_new(&a, NULL), VT_OK);
    assert_int_equal(vt_idset_new(&b, NULL), VT_OK);
    const uint32_t many[] = {5, 70000, 3, 70000, 299999};
    for (uint32_t id = 0; id < IDS; id += 3)
        assert_int_equal(vt_idset_add(a, id, NULL), VT_OK);
    for (uint32_t id = 0; id < IDS; id += 7)
        assert_int_equal(vt_idset_add(b, id, NULL), VT_OK);
    assert_int_equal(vt_idset_add_many(b, many, 5, NULL), VT_OK);
    const vt_idset *const sets[] = {a, b, a};
    assert_int_equal(vt_idset_common(a, b, &common, NULL), VT_OK);
    assert_int_equal(vt_idset_difference(a, b, &rest, NULL), VT_OK);
    assert_int_equal(vt_idset_union(sets, 3, &all, NULL), VT_OK);
    assert_int_equal(vt_idset_union(NULL, 0, &none, NULL), VT_OK);
    for (uint32_t id = 0; id < IDS; id++) {
        bool in_a = id % 3 == 0, in_b = id % 7 == 0;
        for (size_t i = 0; i < 5; i++)
            in_b = in_b || many[i] == id;
        assert_int_equal(vt_idset_has(common, id), in_a && in_b);
        assert_int_equal(vt_idset_has(rest, id), in_a && !in_b);
        assert_int_equal(vt_idset_has(all, id), in_a || in_b);
    }
    assert_true(vt_idset_common_count(a, b) == vt_idset_count(common));
    assert_int_equal(vt_idset_count(none), 0);
    assert_false(vt_idset_equal(a, all));
    assert_int_equal(vt_idset_or(a, b, NULL), VT_OK);
    assert_true(vt_idset_equal(a, all));
    assert_true(vt_idset_bytes(a) > vt_idset_bytes(none));
    vt_idset *const made[] = {a, b, common, rest, all, none};
    for (size_t i = 0; i < 6; i++)
        vt_idset_free(made[i]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_against_bytes),
        cmocka_unit_test(test_edges),
        cmocka_unit_test(test_sets_from_sets),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
