/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Folding keeps what a graph computes: random chains of per-channel steps behind a convolution or a
 * normalisation, run by the reference executor before and after; and the cases that must stay as
 * they are.
 */
#include "nn/plan_builder.h"

static vt_value_id batchnorm(builder *b, vt_value_id x, int64_t channels)
{
    vt_value_id inputs[5] = {x};
    for (int i = 1; i < 5; i++) {
        inputs[i] = builder_constant(b, 1, &channels, i == 4 ? 0.2F : -1, i == 4 ? 2 : 1);
    }
    return builder_node(b, "BatchNormalization", 9, inputs, 5, NULL, 0);
}

static vt_value_id per_channel(builder *b, int64_t channels)
{
    switch (vt_random_below(&b->random, 4)) {
    case 0:
        return builder_scalar(b, vt_random_float(&b->random, 0.5F, 2));
    case 1:
        return builder_constant(b, 3, (const int64_t[]){channels, 1, 1}, 0.5F, 2);
    case 2:
        return builder_constant(b, 4, (const int64_t[]){1, channels, 1, 1}, 0.5F, 2);
    default:
        return builder_constant(b, 2, (const int64_t[]){1, 1}, 0.5F, 2);
    }
}

static vt_value_id conv(builder *b, vt_value_id x, int64_t in, int64_t out, int64_t groups)
{
    vt_value_id w = builder_constant(b, 4, (const int64_t[]){out, in / groups, 3, 3}, -1, 1);
    vt_value_id bias = builder_constant(b, 1, &out, -1, 1);
    vt_attr group = attr_int("group", groups);
    return builder_node(b, "Conv", 13, (const vt_value_id[]){x, w, bias}, groups % 2 == 1 ? 3 : 2,
                        &group, 1);
}

static vt_value_id affine_step(builder *b, vt_value_id x, int64_t channels)
{
    static const char *const ops[] = {"Mul", "Add", "Sub"};
    uint64_t kind = vt_random_below(&b->random, 4);
    if (kind == 3) {
        return batchnorm(b, x, channels);
    }
    vt_value_id constant = per_channel(b, channels);
    bool left = kind != 2 && vt_random_below(&b->random, 2);
    return left ? builder_binary(b, ops[kind], constant, x)
                : builder_binary(b, ops[kind], x, constant);
}

/* Runs the plan before and after the passes in the reference executor; returns the steps after. */
static size_t compare_passes(builder *b)
{
    vt_tensor inputs[BUILDER_MAXIMUM], before[BUILDER_MAXIMUM], after[BUILDER_MAXIMUM];
    vt_plan *plan = builder_plan(b);
    apply_passes(plan);
    size_t steps = plan->step_count;
    vt_plan_free(plan);
    vt_runner *plain = builder_reference(b, false), *folded = builder_reference(b, true);
    builder_random_inputs(b, inputs);
    run_or_fail(plain, inputs, before);
    run_or_fail(folded, inputs, after);
    for (size_t i = 0; i < b->output_count; i++) {
        compare_tensors(&after[i], &before[i], 1e-5);
    }
    tensors_deinit(inputs, b->input_count);
    plain->free(plain);
    folded->free(folded);
    return steps;
}

static void test_chains(void **state)
{
    (void)state;
    for (uint64_t seed = 0; seed < 80; seed++) {
        builder b;
        builder_init(&b, seed);
        int64_t groups = (int64_t[]){1, 2, 3}[seed % 3];
        int64_t in = 6, out = 6 * vt_random_int(&b.random, 1, 2);
        bool behind_conv = vt_random_below(&b.random, 3) > 0;
        vt_value_id x = builder_input(&b, VT_F32, 4, (const int64_t[]){2, in, 6, 5});
        vt_value_id y = behind_conv ? conv(&b, x, in, out, groups) : batchnorm(&b, x, in);
        int length = vt_random_int(&b.random, 1, 4);
        for (int i = 0; i < length; i++) {
            y = affine_step(&b, y, behind_conv ? out : in);
        }
        builder_output(&b, y);
        assert_int_equal(compare_passes(&b), 1);
        builder_deinit(&b);
    }
}

static void test_f64(void **state)
{
    (void)state;
    builder b;
    builder_init(&b, 4);
    int64_t channels = 4;
    vt_value_id x = builder_input(&b, VT_F64, 4, (const int64_t[]){1, 2, 5, 5});
    vt_value_id w = builder_constant_of(&b, VT_F64, 4, (const int64_t[]){4, 2, 3, 3}, -1, 1);
    vt_value_id y = builder_node(&b, "Conv", 13, (const vt_value_id[]){x, w}, 2, NULL, 0);
    vt_value_id inputs[5] = {y};
    for (int i = 1; i < 5; i++) {
        inputs[i] = builder_constant_of(&b, VT_F64, 1, &channels, 0.5F, 1);
    }
    builder_output(&b, builder_node(&b, "BatchNormalization", 9, inputs, 5, NULL, 0));
    assert_int_equal(compare_passes(&b), 1);
    builder_deinit(&b);
}

/* What must not be folded: the steps stay, and so does the result. */
static void refused_case(int which)
{
    builder b;
    builder_init(&b, (uint64_t)which);
    vt_value_id x = builder_input(&b, VT_F32, 4, (const int64_t[]){2, 3, 6, 5});
    vt_value_id y = conv(&b, x, 3, 4, 1), z = VT_NO_VALUE;
    size_t want = 2;
    switch (which) {
    case 0: /* the convolution's own result is asked for */
        builder_output(&b, y);
        z = batchnorm(&b, y, 4);
        break;
    case 1: /* two readers */
        z = builder_binary(&b, "Add", batchnorm(&b, y, 4), y);
        want = 3;
        break;
    case 2: /* a constant per column */
        z = builder_binary(&b, "Mul", y, builder_constant(&b, 1, (const int64_t[]){3}, 1, 2));
        break;
    case 3: /* a constant per picture */
        z = builder_binary(&b, "Mul", y,
                           builder_constant(&b, 4, (const int64_t[]){2, 1, 1, 1}, 1, 2));
        break;
    case 4: /* c - y */
        z = builder_binary(&b, "Sub", builder_scalar(&b, 1), y);
        break;
    case 5: /* the constant makes the result larger */
        z = builder_binary(&b, "Add", y,
                           builder_constant(&b, 5, (const int64_t[]){2, 1, 1, 1, 1}, 1, 2));
        break;
    case 6: /* y * y */
        z = builder_binary(&b, "Mul", y, y);
        break;
    case 7: /* an activation in between */
        z = batchnorm(&b, builder_unary(&b, "Relu", y), 4);
        break; /* the activation is fused, the normalisation stays */
    default:
        fail();
    }
    builder_output(&b, z);
    assert_int_equal(compare_passes(&b), want);
    builder_deinit(&b);
}

static void test_refused(void **state)
{
    (void)state;
    for (int which = 0; which < 8; which++) {
        refused_case(which);
    }
}

/* Weights that two convolutions share are changed for one of them only. */
static void test_shared_weights(void **state)
{
    (void)state;
    builder b;
    builder_init(&b, 9);
    vt_value_id x = builder_input(&b, VT_F32, 4, (const int64_t[]){1, 3, 6, 5});
    vt_value_id w = builder_constant(&b, 4, (const int64_t[]){4, 3, 3, 3}, -1, 1);
    vt_value_id inputs[2] = {x, w};
    builder_output(&b, batchnorm(&b, builder_node(&b, "Conv", 13, inputs, 2, NULL, 0), 4));
    builder_output(&b, builder_node(&b, "Conv", 13, inputs, 2, NULL, 0));
    assert_int_equal(compare_passes(&b), 2);
    builder_deinit(&b);
}

static void test_no_memory(void **state)
{
    (void)state;
    builder b;
    builder_init(&b, 2);
    vt_value_id x = builder_input(&b, VT_F32, 4, (const int64_t[]){1, 3, 6, 5});
    vt_value_id y = batchnorm(&b, conv(&b, x, 3, 4, 1), 4);
    builder_output(
        &b,
        batchnorm(
            &b, builder_unary(&b, "Relu", builder_binary(&b, "Mul", y, builder_scalar(&b, 2))), 4));
    vt_status status = VT_ERR_NO_MEMORY;
    for (int64_t tries = 0; status != VT_OK; tries++) {
        vt_error error = {0};
        vt_plan *plan = builder_plan(&b);
        assert_true(tries < 100);
        vt_mem_fail_after(tries);
        status = vt_pass_fold_batchnorm(plan, &error);
        vt_mem_fail_after(-1);
        assert_true(status == VT_OK || status == VT_ERR_NO_MEMORY);
        assert_int_equal(error.status, status);
        vt_plan_free(plan);
    }
    builder_deinit(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_chains),    cmocka_unit_test(test_f64),
        cmocka_unit_test(test_refused),   cmocka_unit_test(test_shared_weights),
        cmocka_unit_test(test_no_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
