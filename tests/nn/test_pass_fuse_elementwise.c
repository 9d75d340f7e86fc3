/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Groups of elementwise steps as one: what is taken in and what is not, each time with the results
 * before and after in the reference executor and in the oneDNN executor. Then graphs at random.
 */
#include "nn/plan_builder.h"

#include "nn/elementwise.h"

#include <math.h>

static bool is_fused(const vt_step *step)
{
    return strcmp(step->node.op->name, VT_ELEMENTWISE_NAME) == 0;
}

/* After this pass alone: all steps, and those of them that are programs. */
static size_t count_steps(builder *b, size_t *fused)
{
    vt_plan *plan = builder_plan(b);
    assert_int_equal(vt_pass_fuse_elementwise(plan, NULL), VT_OK);
    size_t steps = plan->step_count;
    *fused = 0;
    for (size_t i = 0; i < steps; i++) {
        *fused += is_fused(&plan->steps[i]);
    }
    vt_plan_free(plan);
    return steps;
}

static void compare_reference(builder *b, double tolerance)
{
    vt_tensor inputs[BUILDER_MAXIMUM], before[BUILDER_MAXIMUM], after[BUILDER_MAXIMUM];
    vt_runner *plain = builder_reference(b, false), *fused = builder_reference(b, true);
    builder_random_inputs(b, inputs);
    run_or_fail(plain, inputs, before);
    run_or_fail(fused, inputs, after);
    for (size_t i = 0; i < b->output_count; i++) {
        compare_tensors(&after[i], &before[i], tolerance);
    }
    tensors_deinit(inputs, b->input_count);
    plain->free(plain);
    fused->free(fused);
}

/* Expects this many steps and programs after the pass; ends the builder. */
static void expect(builder *b, vt_value_id output, size_t steps, size_t programs)
{
    size_t fused;
    builder_output(b, output);
    assert_int_equal(count_steps(b, &fused), steps);
    assert_int_equal(fused, programs);
    compare_reference(b, 1e-6);
    assert_int_equal(builder_compare(b, true, 1e-5), 0);
    builder_deinit(b);
}

static vt_value_id begin(builder *b)
{
    builder_init(b, 3);
    return builder_input(b, VT_F32, 4, (const int64_t[]){2, 3, 5, 7});
}

static vt_value_id unary(builder *b, const char *op, vt_value_id x)
{
    return builder_node(b, op, 24, &x, 1, NULL, 0);
}

static vt_value_id where(builder *b, vt_value_id condition, vt_value_id x, vt_value_id y)
{
    return builder_node(b, "Where", 13, (const vt_value_id[]){condition, x, y}, 3, NULL, 0);
}

/* ---- chains ---- */

static void test_chain(void **state)
{
    (void)state;
    builder b;
    vt_value_id x = begin(&b), channels = builder_input(&b, VT_F32, 3, (const int64_t[]){3, 1, 1});
    vt_value_id y = builder_binary(&b, "Mul", x, channels);
    y = builder_binary(&b, "Sub", builder_scalar(&b, 0.5F), y);
    y = unary(&b, "Tanh", y);
    expect(&b, builder_binary(&b, "Div", y, builder_scalar(&b, 3)), 1, 1);
}

/* A value with two readers inside. */
static void test_diamond(void **state)
{
    (void)state;
    builder b;
    vt_value_id x = begin(&b);
    vt_value_id y = builder_binary(&b, "Add", x, builder_scalar(&b, 0.25F));
    vt_value_id gate = unary(&b, "Sigmoid", y);
    expect(&b, builder_binary(&b, "Mul", y, gate), 1, 1);
}

static void test_comparison_into_where(void **state)
{
    (void)state;
    builder b;
    vt_value_id x = begin(&b), row = builder_input(&b, VT_F32, 1, (const int64_t[]){7});
    vt_value_id less = builder_binary(&b, "Less", x, row);
    expect(&b, where(&b, less, x, unary(&b, "Erf", x)), 1, 1);

    x = begin(&b); /* a mask from outside, and truth values out */
    vt_value_id mask = builder_input(&b, VT_BOOL, 2, (const int64_t[]){5, 1});
    vt_value_id y = where(&b, mask, x, builder_scalar(&b, -1));
    vt_value_id test = builder_binary(&b, "Greater", y, builder_scalar(&b, 0));
    expect(&b, builder_binary(&b, "Or", mask, unary(&b, "Not", test)), 1, 1);
}

/* ---- steps alone ---- */

static void test_alone(void **state)
{
    (void)state;
    static const char *const ours[] = {
        "Erf",      "Log",   "HardSigmoid", "Reciprocal", "Sin",    "Cos",
        "Floor",    "Sign",  "Neg",         "Selu",       "Celu",   "Swish",
        "Softsign", "IsNaN", "Round",       "Tan",        "Shrink", "ThresholdedRelu",
        "IsInf",    "Acosh"};
    static const char *const onednns[] = {"Relu", "Gelu", "Tanh", "Exp", "Mish", "Abs"};
    builder b;
    for (size_t i = 0; i < sizeof ours / sizeof ours[0]; i++) {
        vt_value_id x = begin(&b);
        expect(&b, unary(&b, ours[i], x), 1, 1);
    }
    for (size_t i = 0; i < sizeof onednns / sizeof onednns[0]; i++) {
        vt_value_id x = begin(&b);
        expect(&b, unary(&b, onednns[i], x), 1, 0);
    }
    vt_value_id x = begin(&b);
    expect(&b, builder_binary(&b, "Add", x, builder_scalar(&b, 1)), 1, 0);
    x = begin(&b);
    expect(&b, builder_binary(&b, "Sub", builder_scalar(&b, 1), x), 1, 1);
    x = begin(&b);
    vt_value_id other = builder_input(&b, VT_F32, 4, (const int64_t[]){1, 3, 5, 7});
    expect(&b, builder_node(&b, "Mean", 13, (const vt_value_id[]){other, x, x}, 3, NULL, 0), 1, 1);
}

static void test_powers(void **state)
{
    (void)state;
    static const float exponents[] = {-1.0F, 0.5F, 1.0F, 2.0F, 3.0F, 2.5F, 0.0F};
    builder b;
    for (size_t i = 0; i < sizeof exponents / sizeof exponents[0]; i++) {
        vt_value_id x = begin(&b);
        expect(&b, builder_binary(&b, "Pow", x, builder_scalar(&b, exponents[i])), 1, 1);
    }
    vt_value_id x = begin(&b); /* an exponent of integers */
    const int64_t two = 2;
    expect(&b, builder_binary(&b, "Pow", x, builder_ints(&b, 1, &two)), 1, 1);
}

/* ---- what stays ---- */

static void test_outside(void **state)
{
    (void)state;
    builder b;
    vt_value_id x = begin(&b), y = unary(&b, "Erf", x); /* an output in between */
    builder_output(&b, y);
    expect(&b, unary(&b, "Neg", y), 2, 2);

    x = begin(&b); /* read by another kind of step too */
    y = unary(&b, "Erf", x);
    builder_output(&b, unary(&b, "GlobalAveragePool", y));
    expect(&b, unary(&b, "Neg", y), 3, 2);

    builder_init(&b, 1); /* a smaller shape stays small */
    vt_value_id small = builder_input(&b, VT_F32, 2, (const int64_t[]){1, 8});
    vt_value_id large = builder_input(&b, VT_F32, 2, (const int64_t[]){9, 8});
    expect(&b, builder_binary(&b, "Mul", unary(&b, "Erf", small), large), 2, 1);

    builder_init(&b, 1); /* the constant alone gives the result its rank */
    vt_value_id vector = builder_input(&b, VT_F32, 1, (const int64_t[]){6});
    vt_value_id one = builder_constant(&b, 2, (const int64_t[]){1, 1}, 2, 3);
    builder_output(&b, builder_binary(&b, "Sub", one, vector));
    size_t fused;
    assert_int_equal(count_steps(&b, &fused), 1);
    assert_int_equal(fused, 0);
    builder_compare(&b, true, 1e-5);
    builder_deinit(&b);
}

static void test_types(void **state)
{
    (void)state;
    static const vt_dtype others[] = {VT_F64, VT_I32, VT_I64};
    for (size_t i = 0; i < sizeof others / sizeof others[0]; i++) {
        builder b;
        size_t fused;
        builder_init(&b, 1);
        vt_value_id x = builder_input(&b, others[i], 1, (const int64_t[]){9});
        builder_output(&b, unary(&b, "Neg", unary(&b, "Abs", builder_binary(&b, "Mul", x, x))));
        assert_int_equal(count_steps(&b, &fused), 3);
        assert_int_equal(fused, 0);
        builder_deinit(&b);
    }
    static const vt_dtype halves[] = {VT_F16, VT_BF16};
    for (size_t i = 0; i < 2; i++) {
        builder b;
        size_t fused;
        builder_init(&b, 1);
        vt_value_id x = builder_input(&b, halves[i], 2, (const int64_t[]){9, 70});
        builder_output(&b, unary(&b, "Neg", unary(&b, "Erf", builder_binary(&b, "Mul", x, x))));
        assert_int_equal(count_steps(&b, &fused), 1);
        assert_int_equal(fused, 1);
        compare_reference(&b, 0.01);
        assert_int_equal(builder_compare(&b, true, 0.01), 0);
        builder_deinit(&b);
    }
}

/* Where the second operand lines up is the axis' business there. */
static void test_old_axis(void **state)
{
    (void)state;
    builder b;
    size_t fused;
    vt_value_id x = begin(&b), c = builder_input(&b, VT_F32, 1, (const int64_t[]){3});
    const vt_attr attrs[] = {attr_int("broadcast", 1), attr_int("axis", 1)};
    vt_value_id y = builder_node(&b, "Add", 6, (const vt_value_id[]){x, c}, 2, attrs, 2);
    builder_output(&b, unary(&b, "Neg", y));
    assert_int_equal(count_steps(&b, &fused), 2);
    assert_int_equal(fused, 1);
    compare_reference(&b, 1e-6);
    builder_deinit(&b);
}

/* More than a program holds: several programs. */
static void test_long(void **state)
{
    (void)state;
    builder b;
    size_t fused;
    vt_value_id x = begin(&b), y = x;
    for (int i = 0; i < 100; i++) {
        y = unary(&b, i % 2 ? "Neg" : "Sin", y);
    }
    expect(&b, y, 4, 4); /* 32 + 32 + 32 + 4 */

    builder_init(&b, 2); /* nine operands */
    vt_value_id inputs[9], sum = VT_NO_VALUE;
    for (int i = 0; i < 9; i++) {
        inputs[i] = builder_input(&b, VT_F32, 1, (const int64_t[]){40});
        sum = i == 0 ? unary(&b, "Neg", inputs[0]) : builder_binary(&b, "Add", sum, inputs[i]);
    }
    builder_output(&b, sum);
    assert_true(count_steps(&b, &fused) == 2 && fused >= 1);
    compare_reference(&b, 1e-6);
    builder_deinit(&b);
}

/* A step with posts that oneDNN's binary cannot take comes in with them. */
static void test_posts(void **state)
{
    (void)state;
    static const vt_post_kind kinds[] = {
        VT_POST_LINEAR,       VT_POST_CLIP,       VT_POST_RELU, VT_POST_LEAKY_RELU, VT_POST_ELU,
        VT_POST_SIGMOID,      VT_POST_TANH,       VT_POST_GELU, VT_POST_GELU_TANH,  VT_POST_SWISH,
        VT_POST_HARD_SIGMOID, VT_POST_HARD_SWISH, VT_POST_MISH, VT_POST_ADD,        VT_POST_MUL};
    for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++) {
        builder b;
        vt_tensor inputs[BUILDER_MAXIMUM], outputs[2];
        vt_runner *runners[2];
        vt_value_id x = begin(&b), row = builder_input(&b, VT_F32, 1, (const int64_t[]){7});
        builder_output(&b, builder_binary(&b, "Sub", row, x));
        for (int fuse = 0; fuse < 2; fuse++) {
            vt_plan *plan = builder_plan(&b);
            const vt_step_post posts[] = {{kinds[i], 0.25F, 0.75F, row},
                                          {VT_POST_LINEAR, 2, 1, VT_NO_VALUE}};
            assert_true(vt_step_post_add(&plan->steps[0], &posts[0]));
            assert_true(vt_step_post_add(&plan->steps[0], &posts[1]));
            if (fuse) {
                assert_int_equal(vt_pass_fuse_elementwise(plan, NULL), VT_OK);
                assert_true(is_fused(&plan->steps[0]) && plan->steps[0].post_count == 0);
                assert_int_equal(vt_onednn_runner_new(plan, 1, &runners[1], NULL), VT_OK);
            } else {
                assert_int_equal(vt_reference_runner_new(plan, &runners[0], NULL), VT_OK);
            }
        }
        builder_random_inputs(&b, inputs);
        run_or_fail(runners[0], inputs, &outputs[0]);
        run_or_fail(runners[1], inputs, &outputs[1]);
        compare_tensors(&outputs[1], &outputs[0], 1e-6);
        tensors_deinit(inputs, b.input_count);
        runners[0]->free(runners[0]);
        runners[1]->free(runners[1]);
        builder_deinit(&b);
    }
}

/* Behind a convolution the values lie in blocks: the chain runs there, and no reorder comes between
 * the two convolutions. With 17 channels the blocks are padded, and the chain runs row-major. */
static void blocked_case(int64_t channels, bool broadcast)
{
    builder b;
    builder_init(&b, 5);
    vt_value_id x = builder_input(&b, VT_F32, 4, (const int64_t[]){2, channels, 9, 9});
    vt_value_id w =
        builder_constant(&b, 4, (const int64_t[]){channels, channels, 3, 3}, -0.1F, 0.1F);
    vt_value_id gate = builder_input(&b, VT_F32, 4, (const int64_t[]){2, channels, 1, 1});
    vt_value_id row = builder_input(&b, VT_F32, 1, (const int64_t[]){7});
    vt_value_id y = builder_binary(&b, "Conv", x, w);
    vt_value_id z = builder_binary(&b, "Mul", unary(&b, "Erf", y), broadcast ? gate : y);
    z = builder_binary(&b, "Add", z, broadcast ? row : builder_scalar(&b, 0.5F));
    builder_output(&b, builder_binary(&b, "Conv", builder_binary(&b, "Sub", z, y), w));
    vt_runner *runner = builder_onednn(&b, true, 1);
    assert_true(channels == 17 || runner->reorders <= 2); /* in and out */
    runner->free(runner);
    assert_int_equal(builder_compare(&b, true, 1e-5), 0);
    builder_deinit(&b);
}

static void test_blocked(void **state)
{
    (void)state;
    blocked_case(32, false);
    blocked_case(32, true);
    blocked_case(17, false);
    blocked_case(17, true);
}

/* ---- at random ---- */

static vt_value_id random_value(builder *b, const vt_value_id *values, size_t count)
{
    size_t recent = count < 6 ? count : 6;
    return values[count - 1 - vt_random_below(&b->random, recent)];
}

static vt_value_id random_step(builder *b, const vt_value_id *values, size_t count)
{
    static const char *const unaries[] = {"Erf",  "Tanh", "Sigmoid",   "Neg", "Abs", "HardSigmoid",
                                          "Sin",  "Relu", "Softplus",  "Elu", "Cos", "Swish",
                                          "Gelu", "Mish", "HardSwish", "Selu"};
    static const char *const binaries[] = {"Add", "Sub", "Mul", "Min", "Max", "Sum"};
    vt_random *random = &b->random;
    vt_value_id x = random_value(b, values, count), y = random_value(b, values, count);
    switch (vt_random_below(random, 6)) {
    case 0:
    case 1:
        return unary(b, unaries[vt_random_below(random, sizeof unaries / sizeof unaries[0])], x);
    case 2: {
        vt_value_id less = builder_binary(b, "LessOrEqual", x, y);
        return where(b, less, x, random_value(b, values, count));
    }
    case 3:
        return builder_binary(b, binaries[vt_random_below(random, 6)],
                              builder_scalar(b, vt_random_float(random, -2, 2)), x);
    default:
        return builder_binary(b, binaries[vt_random_below(random, 6)], x, y);
    }
}

static void test_random(void **state)
{
    (void)state;
    size_t programs = 0;
    for (uint64_t seed = 0; seed < 300; seed++) {
        builder b;
        vt_value_id values[40];
        size_t count = 0, fused;
        builder_init(&b, seed);
        int rank = vt_random_int(&b.random, 0, 6);
        int64_t full[8];
        for (int i = 0; i < rank; i++) {
            full[i] = vt_random_int(&b.random, 1, 5);
        }
        for (int i = 0; i < 4; i++) {
            int64_t dims[8];
            int own = i == 3 ? rank : vt_random_int(&b.random, 0, rank);
            for (int k = 0; k < own; k++) {
                bool repeated = i != 3 && vt_random_below(&b.random, 3) == 0;
                dims[k] = repeated ? 1 : full[rank - own + k];
            }
            values[count++] = builder_input(&b, VT_F32, own, dims);
        }
        while (count < 34) {
            values[count] = random_step(&b, values, count);
            count++;
        }
        builder_output(&b, values[count - 1]);
        if (seed % 3 == 0) {
            builder_output(&b, values[count - 5]);
        }
        count_steps(&b, &fused);
        programs += fused;
        compare_reference(&b, 2e-5);
        assert_int_equal(builder_compare(&b, true, 1e-4), 0);
        builder_deinit(&b);
    }
    assert_true(programs > 300);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_chain),
        cmocka_unit_test(test_diamond),
        cmocka_unit_test(test_comparison_into_where),
        cmocka_unit_test(test_alone),
        cmocka_unit_test(test_powers),
        cmocka_unit_test(test_outside),
        cmocka_unit_test(test_types),
        cmocka_unit_test(test_old_axis),
        cmocka_unit_test(test_long),
        cmocka_unit_test(test_posts),
        cmocka_unit_test(test_blocked),
        cmocka_unit_test(test_random),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
