/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The memory planner against a validator: no two live buffers overlap, and the block is no larger
 * than all buffers side by side and no smaller than what is live at once.
 */
#include "base/mem.h"
#include "base/random.h"
#include "nn/memory_plan.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

static size_t rounded(size_t bytes)
{
    return (bytes + 63) / 64 * 64;
}

static void check_plan(const vt_interval *intervals, size_t count, size_t total, int last_step)
{
    size_t sum = 0;
    for (size_t i = 0; i < count; i++) {
        sum += rounded(intervals[i].bytes);
        assert_int_equal(intervals[i].offset % VT_MEMORY_PLAN_ALIGNMENT, 0);
        assert_true(intervals[i].offset + intervals[i].bytes <= total);
        for (size_t k = 0; k < i; k++) {
            const vt_interval *a = &intervals[i], *b = &intervals[k];
            if (a->bytes == 0 || b->bytes == 0 || a->first > b->last || b->first > a->last) {
                continue;
            }
            assert_true(a->offset + a->bytes <= b->offset || b->offset + b->bytes <= a->offset);
        }
    }
    assert_true(total <= sum);
    for (int step = 0; step <= last_step; step++) {
        size_t live = 0;
        for (size_t i = 0; i < count; i++) {
            if (intervals[i].first <= step && step <= intervals[i].last) {
                live += rounded(intervals[i].bytes);
            }
        }
        assert_true(live <= total);
    }
}

static void test_random_intervals(void **state)
{
    (void)state;
    enum { COUNT_MAXIMUM = 120 };
    vt_random random;
    vt_random_init(&random, 7);
    for (int round = 0; round < 400; round++) {
        vt_interval intervals[COUNT_MAXIMUM];
        size_t count = (size_t)vt_random_int(&random, 0, COUNT_MAXIMUM), total = 0;
        int steps = vt_random_int(&random, 1, 60), reach = vt_random_int(&random, 0, steps);
        for (size_t i = 0; i < count; i++) {
            int first = vt_random_int(&random, 0, steps);
            intervals[i] = (vt_interval){
                .bytes = vt_random_below(&random, 10) == 0 ? 0 : vt_random_below(&random, 5000),
                .first = first,
                .last = first + vt_random_int(&random, 0, reach),
                .offset = SIZE_MAX,
            };
        }
        assert_int_equal(vt_memory_plan_intervals(intervals, count, &total, NULL), VT_OK);
        check_plan(intervals, count, total, steps + reach);
    }
}

/* More buffers than are compared pairwise: the other order of placing, and no quadratic time. */
static void check_many(int life)
{
    enum { COUNT = 20000 };
    vt_interval *intervals = vt_calloc(COUNT, sizeof *intervals);
    vt_random random;
    size_t total = 0;
    assert_non_null(intervals);
    vt_random_init(&random, 11);
    for (int i = 0; i < COUNT; i++) {
        intervals[i] = (vt_interval){1 + vt_random_below(&random, 999), i, i + life, 0};
    }
    assert_int_equal(vt_memory_plan_intervals(intervals, COUNT, &total, NULL), VT_OK);
    /* Neighbours in time only: the full check is for small cases. */
    for (int i = 0; i < COUNT; i += 37) {
        for (int k = i + 1; k < COUNT && k <= i + life; k++) {
            const vt_interval *a = &intervals[i], *b = &intervals[k];
            assert_true(a->offset + a->bytes <= b->offset || b->offset + b->bytes <= a->offset);
        }
    }
    if (life < 100) { /* each life holds at most life + 1 buffers: sharing must show */
        assert_true(total < (size_t)(life + 1) * 1024 * 2);
    }
    vt_free(intervals);
}

static void test_many_intervals(void **state)
{
    (void)state;
    check_many(3);
    check_many(40);
    check_many(20000);
}

static void test_chain_shares(void **state)
{
    (void)state;
    /* A chain needs room for two neighbours, whatever its length. */
    vt_interval chain[50];
    size_t total = 0;
    for (int i = 0; i < 50; i++) {
        chain[i] = (vt_interval){1024, i, i + 1, 0};
    }
    assert_int_equal(vt_memory_plan_intervals(chain, 50, &total, NULL), VT_OK);
    assert_int_equal(total, 2048);
    check_plan(chain, 50, total, 50);
}

static void test_best_gap(void **state)
{
    (void)state;
    /* Beside a long-lived block the two short ones take turns. */
    vt_interval intervals[] = {{4096, 0, 9, 0}, {512, 0, 3, 0}, {512, 4, 9, 0}, {64, 0, 9, 0}};
    size_t total = 0;
    assert_int_equal(vt_memory_plan_intervals(intervals, 4, &total, NULL), VT_OK);
    assert_int_equal(total, 4096 + 512 + 64);
    assert_int_equal(intervals[1].offset, intervals[2].offset);
}

static void test_too_large(void **state)
{
    (void)state;
    vt_interval intervals[] = {{SIZE_MAX / 2, 0, 1, 0}, {SIZE_MAX / 2, 0, 1, 0}, {640, 0, 1, 0}};
    size_t total = 12345;
    vt_error error = {0};
    assert_int_equal(vt_memory_plan_intervals(intervals, 3, &total, &error), VT_ERR_LIMIT);
    assert_int_equal(total, 12345);
    assert_true(error.message[0] != '\0');
    vt_interval one = {SIZE_MAX - 3, 0, 0, 0};
    assert_int_equal(vt_memory_plan_intervals(&one, 1, &total, NULL), VT_ERR_LIMIT);
}

static void test_no_memory(void **state)
{
    (void)state;
    vt_interval intervals[] = {{100, 0, 1, 0}, {200, 1, 2, 0}};
    size_t total = 0;
    vt_status status = VT_ERR_NO_MEMORY;
    int64_t tries = 0;
    for (; status != VT_OK; tries++) {
        vt_error error = {0};
        assert_true(tries < 10);
        vt_mem_fail_after(tries);
        status = vt_memory_plan_intervals(intervals, 2, &total, &error);
        vt_mem_fail_after(-1);
        assert_true(status == VT_OK || status == VT_ERR_NO_MEMORY);
        assert_int_equal(error.status, status);
    }
    assert_true(tries > 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_random_intervals), cmocka_unit_test(test_many_intervals),
        cmocka_unit_test(test_chain_shares),     cmocka_unit_test(test_best_gap),
        cmocka_unit_test(test_too_large),        cmocka_unit_test(test_no_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
