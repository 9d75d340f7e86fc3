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
static size_t compare_within(builder *b, double tolerance)
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
        compare_tensors(&after[i], &before[i], tolerance);
    }
    tensors_deinit(inputs, b->input_count);
    plain->free(plain);
    folded->free(folded);
    return steps;
}

static size_t compare_passes(builder *b)
{
    return compare_within(b, 1e-5);
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

/* Weights of half precision come out as f32. */
static void test_half(void **state)
{
    (void)state;
    static const vt_dtype dtypes[] = {VT_F16, VT_BF16};
    for (int type = 0; type < 2; type++) {
        builder b;
        builder_init(&b, 5);
        int64_t channels = 4;
        vt_value_id x = builder_input(&b, dtypes[type], 4, (const int64_t[]){1, 2, 5, 5});
        vt_value_id w =
            builder_constant_of(&b, dtypes[type], 4, (const int64_t[]){4, 2, 3, 3}, -1, 1);
        vt_value_id y = builder_node(&b, "Conv", 13, (const vt_value_id[]){x, w}, 2, NULL, 0);
        vt_value_id inputs[5] = {y};
        for (int i = 1; i < 5; i++) {
            inputs[i] = builder_constant_of(&b, dtypes[type], 1, &channels, 0.5F, 1);
        }
        builder_output(&b, builder_node(&b, "BatchNormalization", 15, inputs, 5, NULL, 0));
        vt_plan *plan = builder_plan(&b);
        assert_int_equal(vt_pass_fold_batchnorm(plan, NULL), VT_OK);
        assert_int_equal(plan->step_count, 1);
        assert_int_equal(plan->values[plan->steps[0].node.inputs[1]].tensor.dtype, VT_F32);
        assert_int_equal(plan->values[plan->outputs[0]].tensor.dtype, dtypes[type]);
        vt_plan_free(plan);
        compare_within(&b, type == 0 ? 4e-3 : 3e-2); /* the plain plan rounds in between */
        builder_compare(&b, true, type == 0 ? 4e-3 : 3e-2);
        builder_deinit(&b);
    }
}

/* (m, 3) A, as it is or transposed, with B either way, and a bias of several shapes. */
static void test_gemm(void **state)
{
    (void)state;
    for (uint64_t form = 0; form < 16; form++) {
        builder b;
        builder_init(&b, form);
        bool turn = form & 1, vector = form & 2, scaled = form & 4;
        const int64_t sizes[] = {3, 5, 3};
        vt_value_id x = builder_input(&b, VT_F32, 2, (const int64_t[]){4, 3});
        vt_value_id inputs[3] = {x, builder_constant(&b, 2, sizes + turn, -1, 1)};
        inputs[2] = vector ? builder_constant(&b, 2, (const int64_t[]){1, 5}, -1, 1)
                           : builder_scalar(&b, 0.5F);
        const vt_attr attrs[] = {attr_int("transB", turn), attr_float("alpha", scaled ? 0.5F : 1),
                                 attr_float("beta", scaled ? -2 : 1)};
        vt_value_id y = builder_node(&b, "Gemm", 13, inputs, form & 8 ? 2 : 3, attrs, 3);
        builder_output(&b, batchnorm(&b, y, 5));
        assert_int_equal(compare_passes(&b), 1);
        builder_deinit(&b);
    }
}

/* A bias per row is none that a shift per column fits into; a factor of 0 hides the bias. */
static void test_gemm_refused(void **state)
{
    (void)state;
    for (int which = 0; which < 2; which++) {
        builder b;
        builder_init(&b, 3);
        vt_value_id inputs[3] = {builder_input(&b, VT_F32, 2, (const int64_t[]){4, 3}),
                                 builder_constant(&b, 2, (const int64_t[]){3, 5}, -1, 1),
                                 builder_constant(&b, 2, (const int64_t[]){4, 1}, -1, 1)};
        const vt_attr beta = attr_float("beta", which == 0 ? 1 : 0);
        vt_value_id y = builder_node(&b, "Gemm", 13, inputs, 3, &beta, 1);
        builder_output(&b, batchnorm(&b, y, 5));
        assert_int_equal(compare_passes(&b), 2);
        builder_deinit(&b);
    }
}

static void test_conv_transpose(void **state)
{
    (void)state;
    if (!vt_op_find("", "ConvTranspose", 11)) {
        print_message("no operator ConvTranspose: skipped\n");
        skip();
    }
    for (int64_t groups = 1; groups <= 2; groups++) {
        builder b;
        builder_init(&b, (uint64_t)groups);
        vt_value_id x = builder_input(&b, VT_F32, 4, (const int64_t[]){2, 4, 5, 5});
        vt_value_id w = builder_constant(&b, 4, (const int64_t[]){4, 3, 2, 3}, -1, 1);
        vt_attr group = attr_int("group", groups);
        vt_value_id y =
            builder_node(&b, "ConvTranspose", 11, (const vt_value_id[]){x, w}, 2, &group, 1);
        builder_output(&b, batchnorm(&b, y, 3 * groups));
        assert_int_equal(compare_passes(&b), 1);
        builder_deinit(&b);
    }
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
        want = 1; /* not into the weights, but as a post */
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
        cmocka_unit_test(test_chains),       cmocka_unit_test(test_f64),
        cmocka_unit_test(test_half),         cmocka_unit_test(test_gemm),
        cmocka_unit_test(test_gemm_refused), cmocka_unit_test(test_conv_transpose),
        cmocka_unit_test(test_refused),      cmocka_unit_test(test_shared_weights),
        cmocka_unit_test(test_no_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
