/* SPDX-License-Identifier: Apache-2.0 */
/* Dead steps go, live ones stay, whatever order they were written in. */
#include "nn/plan_builder.h"

/* A plan of a random graph with every value as output, of which only some are then kept. */
static void test_random_graphs(void **state)
{
    (void)state;
    enum { NODES = 12 };
    for (uint64_t seed = 0; seed < 60; seed++) {
        builder b;
        builder_init(&b, seed);
        vt_value_id values[NODES + 1];
        bool live[NODES + 1] = {false};
        int left[NODES + 1], right[NODES + 1];
        values[0] = builder_input(&b, VT_F32, 1, (const int64_t[]){3});
        for (int i = 1; i <= NODES; i++) {
            left[i] = vt_random_int(&b.random, 0, i - 1);
            right[i] = vt_random_int(&b.random, 0, i - 1);
            values[i] = builder_binary(&b, "Add", values[left[i]], values[right[i]]);
            builder_output(&b, values[i]);
        }
        vt_plan *plan = builder_plan(&b);
        assert_int_equal(plan->step_count, NODES);
        int kept = vt_random_int(&b.random, 1, NODES);
        plan->outputs = &values[kept];
        plan->output_count = 1;
        size_t want = 0;
        live[kept] = true;
        for (int i = NODES; i > 0; i--) {
            if (live[i]) {
                live[left[i]] = live[right[i]] = true;
                want++;
            }
        }
        assert_int_equal(vt_pass_dead_code(plan, NULL), VT_OK);
        assert_int_equal(plan->step_count, want);
        for (size_t i = 0; i < plan->step_count; i++) {
            bool expected = false;
            for (int k = 1; k <= NODES; k++) {
                expected = expected || (live[k] && values[k] == plan->steps[i].node.outputs[0]);
            }
            assert_true(expected);
        }
        vt_plan_free(plan);
        builder_deinit(&b);
    }
}

static void test_no_memory(void **state)
{
    (void)state;
    builder b;
    builder_init(&b, 1);
    vt_value_id x = builder_input(&b, VT_F32, 1, (const int64_t[]){3});
    builder_output(&b, builder_unary(&b, "Abs", x));
    vt_plan *plan = builder_plan(&b);
    vt_mem_fail_after(0);
    assert_int_equal(vt_pass_dead_code(plan, NULL), VT_ERR_NO_MEMORY);
    vt_mem_fail_after(-1);
    assert_int_equal(plan->step_count, 1);
    vt_plan_free(plan);
    builder_deinit(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_random_graphs),
        cmocka_unit_test(test_no_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
