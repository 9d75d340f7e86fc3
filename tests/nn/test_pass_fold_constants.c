/* SPDX-License-Identifier: Apache-2.0 */
/* Steps that have become constant are computed once, within the plan's budget; others stay. */
#include "nn/pass_check.h"

/* A plan whose first input has been made constant, as a pass might. */
static vt_plan *bound_plan(builder *b, vt_value_id value)
{
    vt_plan *plan = builder_plan(b);
    vt_tensor *tensor = &plan->values[value].tensor;
    vt_shape shape = tensor->shape;
    assert_int_equal(vt_tensor_init(tensor, VT_F32, &shape, 0, NULL), VT_OK);
    builder_fill(b, tensor, -1, 1);
    plan->values[value].constant = plan->values[value].folded = true;
    return plan;
}

static void test_folded(void **state)
{
    (void)state;
    builder b;
    char have[256];
    builder_init(&b, 1);
    vt_value_id w = builder_input(&b, VT_F32, 2, (const int64_t[]){3, 4});
    vt_value_id x = builder_input(&b, VT_F32, 2, (const int64_t[]){2, 4});
    vt_value_id turned = builder_unary(&b, "Exp", builder_unary(&b, "Transpose", w));
    builder_output(&b, builder_binary(&b, "MatMul", x, turned));
    vt_plan *plan = bound_plan(&b, w);
    assert_int_equal(plan->step_count, 3);
    assert_int_equal(vt_pass_fold_constants(plan, NULL), VT_OK);
    plan_print(plan, have, sizeof have);
    assert_string_equal(have, "MatMul");
    assert_true(plan->values[turned].constant);
    vt_tensor inputs[2], outputs[1];
    vt_runner *runner = NULL;
    vt_tensor weights;
    assert_int_equal(vt_tensor_dup(&plan->values[w].tensor, &weights, NULL), VT_OK);
    assert_int_equal(vt_memory_plan(plan, NULL), VT_OK);
    assert_int_equal(vt_reference_runner_new(plan, &runner, NULL), VT_OK);
    vt_runner *plain = builder_reference(&b, false);
    builder_random_inputs(&b, inputs);
    vt_tensor_deinit(&inputs[0]);
    inputs[0] = weights;
    vt_tensor want[1];
    run_or_fail(runner, inputs, outputs);
    run_or_fail(plain, inputs, want);
    compare_tensors(&outputs[0], &want[0], 1e-6);
    tensors_deinit(inputs, 2);
    runner->free(runner);
    plain->free(plain);
    builder_deinit(&b);
}

static void test_refused(void **state)
{
    (void)state;
    for (int which = 0; which < 3; which++) {
        builder b;
        builder_init(&b, 2);
        vt_value_id w = builder_input(&b, VT_F32, 2, (const int64_t[]){3, 4});
        vt_value_id x = builder_input(&b, VT_F32, 2, (const int64_t[]){3, 4});
        builder_output(&b, builder_binary(&b, "Add", builder_unary(&b, "Exp", w), x));
        vt_plan *plan = bound_plan(&b, w);
        vt_step_post relu = {.kind = VT_POST_RELU};
        size_t want = 2;
        switch (which) {
        case 0: /* no memory left in the budget */
            plan->folded_bytes = plan->graph->limits.tensor_bytes;
            break;
        case 1: /* no work left */
            plan->fold_work = UINT64_C(1) << 32;
            break;
        default: /* a post */
            assert_true(vt_step_post_add(&plan->steps[0], &relu));
            break;
        }
        assert_int_equal(vt_pass_fold_constants(plan, NULL), VT_OK);
        assert_int_equal(plan->step_count, want);
        vt_plan_free(plan);
        builder_deinit(&b);
    }
}

static void test_no_memory(void **state)
{
    (void)state;
    builder b;
    builder_init(&b, 3);
    vt_value_id w = builder_input(&b, VT_F32, 2, (const int64_t[]){3, 4});
    builder_output(&b, builder_unary(&b, "Exp", builder_unary(&b, "Transpose", w)));
    vt_status status = VT_ERR_NO_MEMORY;
    for (int64_t tries = 0; status != VT_OK; tries++) {
        vt_error error = {0};
        vt_plan *plan = bound_plan(&b, w);
        assert_true(tries < 50);
        vt_mem_fail_after(tries);
        status = vt_pass_fold_constants(plan, &error);
        vt_mem_fail_after(-1);
        assert_int_equal(error.status, status);
        vt_plan_free(plan);
    }
    builder_deinit(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_folded),
        cmocka_unit_test(test_refused),
        cmocka_unit_test(test_no_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
