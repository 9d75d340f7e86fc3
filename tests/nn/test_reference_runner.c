/* SPDX-License-Identifier: Apache-2.0 */
/* What passes fold into a step, and the memory of intermediate values. */
#include "models.h"

#include "nn/onnx_file.h"
#include "nn/plan.h"

static vt_plan *plan_of(const vt_model *model)
{
    vt_plan *plan = NULL;
    vt_shape shape = {1, {4}};
    assert_int_equal(vt_plan_new(&model->graph, &shape, model->graph.outputs,
                                 model->graph.output_count, &plan, NULL),
                     VT_OK);
    return plan;
}

static vt_model *chain(void)
{
    maker m;
    maker_init(&m, 13);
    maker_input(&m, "x", VT_F32, 1, (int64_t[]){4});
    maker_output(&m, "d");
    maker_node(&m, "Neg", "x", "a");
    maker_node(&m, "Add", "a,x", "b");
    maker_node(&m, "Add", "b,a", "c");
    maker_node(&m, "Add", "c,x", "d");
    vt_model *model = maker_model(&m);
    maker_deinit(&m);
    return model;
}

static void run_with(vt_model *model, int post, const double *want)
{
    vt_runner *runner;
    float numbers[] = {-8, -1, 1, 8};
    vt_tensor x = {.dtype = VT_F32, .shape = {1, {4}}, .data = numbers, .bytes = 16}, y;
    vt_plan *plan = plan_of(model);
    const vt_step_post relu = {.kind = VT_POST_RELU};
    const vt_step_post clip = {.kind = VT_POST_CLIP, .alpha = -2, .beta = 4};
    if (post > 0)
        assert_true(vt_step_post_add(&plan->steps[0], post == 1 ? &relu : &clip));
    assert_int_equal(vt_reference_runner_new(plan, &runner, NULL), VT_OK);
    for (int i = 0; i < 3; i++) {
        assert_int_equal(runner->run(runner, &x, &y, NULL), VT_OK);
        for (size_t k = 0; k < 4; k++)
            assert_true(vt_tensor_get(&y, k) == want[k]);
    }
    assert_int_equal(runner->unshared_bytes, 4 * 16);
    runner->free(runner);
}

static void steps_end_with_what_was_folded_into_them(void **state)
{
    (void)state;
    vt_model *model = chain();
    /* d = 2 a + 2 x with a = post(-x) */
    run_with(model, 0, (double[]){0, 0, 0, 0});
    run_with(model, 1, (double[]){0, 0, 2, 16});
    run_with(model, 2, (double[]){-8, 0, 0, 12});
    vt_model_free(model);
}

static vt_status run_once(void *context)
{
    const vt_model *model = context;
    vt_plan *plan;
    vt_runner *runner;
    float numbers[4] = {0};
    vt_tensor x = {.dtype = VT_F32, .shape = {1, {4}}, .data = numbers, .bytes = 16}, y;
    vt_status status =
        vt_plan_new(&model->graph, &(vt_shape){1, {4}}, model->graph.outputs, 1, &plan, NULL);
    if (status == VT_OK)
        status = vt_reference_runner_new(plan, &runner, NULL);
    if (status != VT_OK)
        return status;
    status = runner->run(runner, &x, &y, NULL);
    runner->free(runner);
    return status;
}

static void allocation_failures_are_clean(void **state)
{
    (void)state;
    vt_model *model = chain();
    assert_true(each_allocation_failing(run_once, model) >= 12);
    vt_model_free(model);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(steps_end_with_what_was_folded_into_them),
        cmocka_unit_test(allocation_failures_are_clean),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
