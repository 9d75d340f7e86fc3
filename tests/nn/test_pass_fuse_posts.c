/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Relu and Clip behind each kind of step that can take them, in the reference executor before and
 * after the pass, and the cases in which they must stay.
 */
#include "nn/plan_builder.h"

#include <math.h>

static vt_value_id clip(builder *b, vt_value_id x, float low, float high)
{
    vt_value_id inputs[3] = {x, builder_scalar(b, low), builder_scalar(b, high)};
    return builder_node(b, "Clip", 13, inputs, 3, NULL, 0);
}

/* Fuses in a plan of its own; returns it. */
static vt_plan *fused_plan(builder *b)
{
    vt_plan *plan = builder_plan(b);
    assert_int_equal(vt_pass_fuse_posts(plan, NULL), VT_OK);
    return plan;
}

static size_t compare_fused(builder *b)
{
    vt_tensor inputs[BUILDER_MAXIMUM], before[BUILDER_MAXIMUM], after[BUILDER_MAXIMUM];
    vt_plan *plan = fused_plan(b);
    size_t steps = plan->step_count;
    vt_runner *plain = builder_reference(b, false), *fused = NULL;
    assert_int_equal(vt_memory_plan(plan, NULL), VT_OK);
    assert_int_equal(vt_reference_runner_new(plan, &fused, NULL), VT_OK);
    builder_random_inputs(b, inputs);
    run_or_fail(plain, inputs, before);
    run_or_fail(fused, inputs, after);
    for (size_t i = 0; i < b->output_count; i++) {
        compare_tensors(&after[i], &before[i], 1e-6);
    }
    tensors_deinit(inputs, b->input_count);
    plain->free(plain);
    fused->free(fused);
    return steps;
}

/* One value made by each kind of step in turn. */
static vt_value_id producer(builder *b, int which, vt_dtype dtype)
{
    vt_value_id x = builder_input(b, dtype, 4, (const int64_t[]){2, 3, 4, 4});
    vt_value_id matrix = builder_input(b, dtype, 2, (const int64_t[]){3, 4});
    int64_t channels = 3;
    vt_value_id inputs[5] = {x};
    switch (which) {
    case 0:
        inputs[1] = builder_constant_of(b, dtype, 4, (const int64_t[]){2, 3, 3, 3}, -1, 1);
        return builder_node(b, "Conv", 13, inputs, 2, NULL, 0);
    case 1:
        inputs[0] = matrix;
        inputs[1] = builder_constant_of(b, dtype, 2, (const int64_t[]){4, 5}, -1, 1);
        return builder_node(b, "Gemm", 13, inputs, 2, NULL, 0);
    case 2:
        return builder_binary(b, "MatMul", matrix,
                              builder_constant_of(b, dtype, 2, (const int64_t[]){4, 5}, -1, 1));
    case 3:
        return builder_binary(b, "Add", x, x);
    case 4:
        return builder_binary(b, "Sum", x, x);
    default:
        for (int i = 1; i < 5; i++) {
            inputs[i] = builder_constant_of(b, dtype, 1, &channels, 0.1F, 1);
        }
        return builder_node(b, "BatchNormalization", 9, inputs, 5, NULL, 0);
    }
}

static void test_fused(void **state)
{
    (void)state;
    static const vt_dtype dtypes[] = {VT_F32, VT_F64, VT_F16};
    for (int which = 0; which < 6; which++) {
        for (size_t type = 0; type < 3; type++) {
            for (int form = 0; form < 2; form++) {
                builder b;
                builder_init(&b, (uint64_t)which);
                vt_value_id y = producer(&b, which, dtypes[type]);
                if (form == 0) {
                    y = builder_unary(&b, "Relu", y);
                } else {
                    vt_value_id inputs[3] = {
                        y, builder_constant_of(&b, dtypes[type], 0, NULL, -0.25F, -0.25F),
                        builder_constant_of(&b, dtypes[type], 0, NULL, 0.5F, 0.5F)};
                    y = builder_node(&b, "Clip", 13, inputs, 3, NULL, 0);
                }
                builder_output(&b, y);
                assert_int_equal(compare_fused(&b), 1);
                builder_deinit(&b);
            }
        }
    }
}

static void test_bounds(void **state)
{
    (void)state;
    builder b;
    builder_init(&b, 1);
    vt_value_id y = producer(&b, 3, VT_F32);
    vt_value_id high = builder_scalar(&b, 6);
    vt_value_id inputs[3] = {y, VT_NO_VALUE, high};
    builder_output(&b, builder_node(&b, "Clip", 13, inputs, 3, NULL, 0));
    vt_plan *plan = fused_plan(&b);
    assert_int_equal(plan->step_count, 1);
    assert_int_equal(plan->steps[0].post_count, 1);
    assert_int_equal(plan->steps[0].posts[0].kind, VT_POST_CLIP);
    assert_true(plan->steps[0].posts[0].alpha == -INFINITY);
    assert_true(plan->steps[0].posts[0].beta == 6.0F);
    vt_plan_free(plan);
    builder_deinit(&b);
}

static void refused_case(int which)
{
    builder b;
    builder_init(&b, (uint64_t)which);
    vt_value_id y = producer(&b, 3, which == 5 ? VT_I32 : VT_F32), z = VT_NO_VALUE;
    size_t want = 2;
    switch (which) {
    case 0: /* asked for itself */
        builder_output(&b, y);
        z = builder_unary(&b, "Relu", y);
        break;
    case 1: /* two readers */
        z = builder_binary(&b, "Mul", builder_unary(&b, "Relu", y), y);
        want = 3;
        break;
    case 2: /* bounds that cross: the upper one wins */
        z = clip(&b, y, 0.5F, 0.25F);
        break;
    case 3: { /* a computed bound */
        vt_value_id inputs[3] = {y, builder_input(&b, VT_F32, 0, NULL), builder_scalar(&b, 9)};
        z = builder_node(&b, "Clip", 13, inputs, 3, NULL, 0);
        break;
    }
    case 4: /* only one clamp fits into a step */
        z = clip(&b, builder_unary(&b, "Relu", y), -1, 0.5F);
        break;
    case 5: /* integers */
        z = builder_node(&b, "Relu", 14, &y, 1, NULL, 0);
        break;
    case 6: /* the value is the bound, not what is clipped */
    {
        vt_value_id sum =
            builder_node(&b, "ReduceMax", 11, &y, 1, (vt_attr[]){attr_int("keepdims", 0)}, 1);
        sum = builder_binary(&b, "Add", sum, sum);
        vt_value_id x = builder_input(&b, VT_F32, 1, (const int64_t[]){5});
        z = builder_node(&b, "Clip", 13, (const vt_value_id[]){x, VT_NO_VALUE, sum}, 3, NULL, 0);
        want = 4;
        break;
    }
    default:
        fail();
    }
    builder_output(&b, z);
    assert_int_equal(compare_fused(&b), want);
    builder_deinit(&b);
}

static void test_refused(void **state)
{
    (void)state;
    for (int which = 0; which < 7; which++) {
        refused_case(which);
    }
}

static void test_no_memory(void **state)
{
    (void)state;
    builder b;
    builder_init(&b, 2);
    builder_output(&b, builder_unary(&b, "Relu", producer(&b, 0, VT_F32)));
    vt_status status = VT_ERR_NO_MEMORY;
    for (int64_t tries = 0; status != VT_OK; tries++) {
        vt_error error = {0};
        vt_plan *plan = builder_plan(&b);
        assert_true(tries < 20);
        vt_mem_fail_after(tries);
        status = vt_pass_fuse_posts(plan, &error);
        vt_mem_fail_after(-1);
        assert_int_equal(error.status, status);
        assert_int_equal(plan->step_count, status == VT_OK ? 1 : 2);
        vt_plan_free(plan);
    }
    builder_deinit(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_fused),
        cmocka_unit_test(test_bounds),
        cmocka_unit_test(test_refused),
        cmocka_unit_test(test_no_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
