/* SPDX-License-Identifier: Apache-2.0 */
/* The index of codes, against comparing with all of them. */
#include "vector/hamming.h"

#include "base/mem.h"
#include "base/random.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

/* Up to `bits` different bits changed. */
static uint64_t flip(uint64_t code, int bits, vt_random *random)
{
    for (int i = 0; i < bits; i++)
        code ^= (uint64_t)1 << vt_random_below(random, 64);
    return code;
}

static void check_query(const vt_hamming_index *index, const uint64_t *codes, size_t count,
                        uint64_t query)
{
    for (int radius = 0; radius <= VT_HAMMING_MAX_RADIUS; radius++) {
        size_t best = count;
        int best_distance = radius + 1;
        for (size_t i = 0; i < count; i++)
            if (vt_hamming(codes[i], query) < best_distance) {
                best_distance = vt_hamming(codes[i], query);
                best = i;
            }
        uint32_t id = 4711;
        int distance = -1;
        bool found = vt_hamming_index_nearest(index, query, radius, &id, &distance);
        assert_int_equal(found, best < count);
        assert_int_equal(id, found ? 1000 + best : 4711);
        assert_int_equal(distance, found ? best_distance : -1);
    }
}

static void test_against_all(void **state)
{
    (void)state;
    enum { COUNT = 3000, CENTRES = 40 };
    static uint64_t codes[COUNT];
    vt_random random;
    vt_random_init(&random, 9);
    for (int world = 0; world < 3; world++) {
        uint64_t centres[CENTRES];
        for (int i = 0; i < CENTRES; i++)
            centres[i] = vt_random_u64(&random);
        vt_hamming_index *index;
        assert_int_equal(vt_hamming_index_new(&index, NULL), VT_OK);
        for (size_t i = 0; i < COUNT; i++) {
            /* Apart; in clusters with many equals; and with half of all rows blank. */
            codes[i] = world == 0 ? vt_random_u64(&random)
                                  : flip(centres[vt_random_below(&random, CENTRES)],
                                         vt_random_int(&random, 0, 12), &random);
            if (world == 2)
                codes[i] &= 0x0000ffffff0000ff;
            assert_int_equal(vt_hamming_index_add(index, codes[i], (uint32_t)(1000 + i), NULL),
                             VT_OK);
        }
        assert_int_equal(vt_hamming_index_count(index), COUNT);
        for (int i = 0; i < 150; i++) {
            uint64_t query = codes[vt_random_below(&random, COUNT)];
            check_query(index, codes, COUNT, flip(query, vt_random_int(&random, 0, 14), &random));
        }
        vt_hamming_index_free(index);
    }
}

/* Every way to spread the bits: exactly `distance` bits, all in one place or wherever. */
static void test_every_distance_is_found(void **state)
{
    (void)state;
    vt_random random;
    vt_random_init(&random, 10);
    for (int round = 0; round < 400; round++) {
        int wanted = round % (VT_HAMMING_MAX_RADIUS + 2);
        uint64_t code = vt_random_u64(&random), query = code;
        int first = vt_random_int(&random, 0, 63), step = vt_random_int(&random, 0, 31) * 2 + 1;
        for (int i = 0; i < wanted; i++)
            query ^= (uint64_t)1 << (first + i * step) % 64;
        assert_int_equal(vt_hamming(code, query), wanted);
        vt_hamming_index *index;
        assert_int_equal(vt_hamming_index_new(&index, NULL), VT_OK);
        assert_int_equal(vt_hamming_index_add(index, code, 1, NULL), VT_OK);
        uint32_t id;
        int distance = 0;
        bool found = vt_hamming_index_nearest(index, query, VT_HAMMING_MAX_RADIUS, &id, &distance);
        assert_int_equal(found, wanted <= VT_HAMMING_MAX_RADIUS);
        if (found)
            assert_int_equal(distance, wanted);
        if (wanted > 0)
            assert_false(vt_hamming_index_nearest(index, query, wanted - 1, &id, &distance));
        vt_hamming_index_free(index);
    }
}

static void test_edges(void **state)
{
    (void)state;
    vt_hamming_index *index;
    uint32_t id = 9;
    int distance = 9;
    assert_int_equal(vt_hamming(0, UINT64_MAX), 64);
    assert_int_equal(vt_hamming(5, 5), 0);
    assert_int_equal(vt_hamming_index_new(&index, NULL), VT_OK);
    assert_false(vt_hamming_index_nearest(index, 0, 11, &id, &distance));
    assert_int_equal(vt_hamming_index_add(index, 0, 1, NULL), VT_OK);
    assert_false(vt_hamming_index_nearest(index, 0, -1, &id, &distance));
    assert_int_equal(id, 9);
    /* Beyond the largest radius it is the largest that counts. */
    assert_false(vt_hamming_index_nearest(index, 0xfff, 64, &id, &distance));
    assert_true(vt_hamming_index_nearest(index, 0x7ff, 64, &id, &distance));
    /* A flood of one code neither grows the index nor hides the first. */
    for (uint32_t i = 2; i < 200000; i++)
        assert_int_equal(vt_hamming_index_add(index, 0, i, NULL), VT_OK);
    assert_int_equal(vt_hamming_index_count(index), 199999);
    assert_true(vt_hamming_index_nearest(index, 1, 1, &id, &distance));
    assert_true(id == 1 && distance == 1);
    vt_hamming_index_free(index);
    vt_hamming_index_free(NULL);
}

static void test_memory(void **state)
{
    (void)state;
    for (int64_t successes = 0;; successes++) {
        assert_true(successes < 30);
        vt_hamming_index *index = NULL;
        size_t added = 0;
        vt_mem_fail_after(successes);
        vt_status status = vt_hamming_index_new(&index, NULL);
        for (uint32_t i = 0; status == VT_OK && i < 500; i++) {
            status = vt_hamming_index_add(index, i, i, NULL);
            added += status == VT_OK;
        }
        vt_mem_fail_after(-1);
        assert_true(status == VT_OK || status == VT_ERR_NO_MEMORY);
        for (uint32_t i = 0; index && i < added; i++) {
            uint32_t id;
            int distance;
            assert_true(vt_hamming_index_nearest(index, i, 0, &id, &distance));
            assert_int_equal(id, i);
        }
        if (index)
            assert_int_equal(vt_hamming_index_count(index), added);
        vt_hamming_index_free(index);
        if (status == VT_OK)
            return;
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_against_all),
        cmocka_unit_test(test_every_distance_is_found),
        cmocka_unit_test(test_edges),
        cmocka_unit_test(test_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
