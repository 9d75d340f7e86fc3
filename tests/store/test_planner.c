/* SPDX-License-Identifier: Apache-2.0 */
/* The planner: what is small or falls apart is scanned, what is large is walked, and pages of one
 * question have one plan. */
#include "store/planner.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

static vt_plan_question question_of(size_t rows, uint64_t passing)
{
    return (vt_plan_question){.rows = rows,
                              .products = rows,
                              .passing = passing,
                              .dim = 256,
                              .degree = 42,
                              .page = 10,
                              .filtered = passing < rows,
                              .graph = true,
                              .resident = true};
}

static vt_strategy strategy_of(size_t rows, uint64_t passing)
{
    vt_plan_question question = question_of(rows, passing);
    return vt_plan_search(&question).strategy;
}

static void test_choice_by_size(void **state)
{
    (void)state;
    assert_int_equal(strategy_of(0, 0), VT_STRATEGY_EXACT);
    assert_int_equal(strategy_of(100, 100), VT_STRATEGY_EXACT);
    assert_int_equal(strategy_of(1000000, 1000000), VT_STRATEGY_WALK);
    assert_int_equal(strategy_of(1000000, 990000), VT_STRATEGY_CHECKED);
    assert_int_equal(strategy_of(1000000, 500000), VT_STRATEGY_FILTERED);
    assert_int_equal(strategy_of(1000000, 100000), VT_STRATEGY_FILTERED);
    assert_int_equal(strategy_of(1000000, 1000), VT_STRATEGY_EXACT);
    assert_int_equal(strategy_of(1000000, 0), VT_STRATEGY_EXACT);
    /* The narrower, the less a scan costs; a walk's budget is what the scan would have been. */
    vt_plan_question wide = question_of(1000000, 300000), narrow = question_of(1000000, 30000);
    vt_plan_question none = question_of(1000000, 1000000);
    none.graph = false;
    assert_true(vt_plan_search(&wide).budget > vt_plan_search(&narrow).budget ||
                vt_plan_search(&narrow).strategy == VT_STRATEGY_EXACT);
    assert_true(vt_plan_search(&wide).budget > 0 && vt_plan_search(&wide).strays > 0);
    assert_int_equal(vt_plan_search(&none).strategy, VT_STRATEGY_EXACT);
    none.graph = true;
    none.exact = true;
    assert_int_equal(vt_plan_search(&none).strategy, VT_STRATEGY_EXACT);
}

/* Where vectors are read from the database, walking is worth it much earlier. */
static void test_not_resident(void **state)
{
    (void)state;
    vt_plan_question question = question_of(1000000, 20000);
    vt_plan near = vt_plan_search(&question);
    question.resident = false;
    vt_plan far = vt_plan_search(&question);
    assert_int_equal(far.strategy, VT_STRATEGY_FILTERED);
    assert_true(far.budget >= near.budget);
}

static void test_force(void **state)
{
    (void)state;
    vt_plan plan = {0};
    vt_plan_question question = question_of(100000, 50);
    assert_true(vt_plan_force(&question, VT_STRATEGY_FILTERED, &plan));
    assert_int_equal(plan.strategy, VT_STRATEGY_FILTERED);
    assert_false(vt_plan_force(&question, VT_STRATEGY_WALK, &plan));
    question.graph = false;
    assert_false(vt_plan_force(&question, VT_STRATEGY_CHECKED, &plan));
    assert_true(vt_plan_force(&question, VT_STRATEGY_EXACT, &plan));
    assert_int_equal(plan.strategy, VT_STRATEGY_EXACT);
    for (int i = 0; i < VT_STRATEGY_COUNT; i++)
        assert_string_not_equal(vt_strategy_name((vt_strategy)i), "unknown");
}

static void test_index_choice(void **state)
{
    (void)state;
    vt_index_choice choice;
    vt_index_choose(0, 256, 1 << 30, &choice);
    assert_false(choice.graph);
    vt_index_choose(5000, 64, 1 << 30, &choice);
    assert_false(choice.graph);
    assert_non_null(strstr(choice.why, "exactly"));
    vt_index_choose(1000000, 256, (size_t)8 << 30, &choice);
    assert_true(choice.graph && choice.resident);
    assert_int_equal(choice.codec, VT_CODEC_INT4X2);
    vt_index_choose(1000000, 256, (size_t)600 << 20, &choice);
    assert_true(choice.graph && !choice.resident);
    assert_true(choice.bytes <= (size_t)600 << 20);
    vt_index_choose(1000000, 256, (size_t)400 << 20, &choice);
    assert_int_equal(choice.codec, VT_CODEC_INT4);
    vt_index_choose(1000000, 256, (size_t)40 << 20, &choice);
    assert_false(choice.graph || choice.resident);
    assert_non_null(strstr(choice.why, "limit"));
    vt_index_choose(100000, 8192, (size_t)8 << 30, &choice);
    assert_false(choice.graph);
    vt_index_choose(100000, 256, 0, &choice);
    assert_true(choice.memory_bytes > 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_choice_by_size),
        cmocka_unit_test(test_not_resident),
        cmocka_unit_test(test_force),
        cmocka_unit_test(test_index_choice),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
