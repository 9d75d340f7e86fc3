/* SPDX-License-Identifier: Apache-2.0 */
/* Operators of one or two elements, and sums, on oneDNN against their reference functions: random
 * shapes and broadcasts, plain and blocked layouts, and arguments where naive formulas overflow. */
#include "nn/dnnl_cases.h"

static void test_eltwise(void **state)
{
    (void)state;
    static const struct {
        const char *op;
        int opset;
    } ops[] = {{"Relu", 13}, {"LeakyRelu", 13}, {"Elu", 13}, {"Sigmoid", 13},
               {"Tanh", 13}, {"HardSwish", 14}, {"Abs", 13}, {"Softplus", 13},
               {"Mish", 18}, {"Gelu", 20},      {"Exp", 13}, {"Sqrt", 13},
               {"Log", 13}};
    for (size_t i = 0; i < sizeof ops / sizeof ops[0]; i++) {
        if (!vt_op_find("", ops[i].op, ops[i].opset)) {
            print_message("[  SKIPPED ] %s: no such operator here yet\n", ops[i].op);
            continue;
        }
        for (uint64_t seed = 0; seed < 6; seed++) {
            builder b;
            builder_init(&b, seed);
            vt_value_id x = plain_or_blocked(&b, 2, pick_channels(&b), 5, 7);
            vt_value_id wide = builder_binary(&b, "Mul", x, builder_scalar(&b, 6));
            if (strcmp(ops[i].op, "Log") == 0 || strcmp(ops[i].op, "Sqrt") == 0) {
                wide = builder_unary(&b, "Abs", wide);
            }
            vt_attr alpha = attr_float("alpha", 0.3F);
            bool has_alpha = strcmp(ops[i].op, "LeakyRelu") == 0 || strcmp(ops[i].op, "Elu") == 0;
            vt_value_id y = builder_node(&b, ops[i].op, ops[i].opset, &wide, 1, &alpha,
                                         has_alpha && seed % 2 ? 1 : 0);
            builder_output(&b, y);
            bool loop = strcmp(ops[i].op, "Log") == 0; /* not oneDNN's: a pass makes a loop of it */
            reference_steps += builder_compare(&b, loop, 2e-5);
            builder_deinit(&b);
        }
    }
    assert_int_equal(reference_steps, 0);
}

static void run_special(const char *op, int opset)
{
    const float values[] = {0.0F,
                            -0.0F,
                            1e-30F,
                            88.0F,
                            200.0F,
                            -200.0F,
                            1e4F,
                            -1e4F,
                            1e30F,
                            __builtin_inff(),
                            -__builtin_inff(),
                            20.0F,
                            -20.0F,
                            3.0F,
                            -3.0F,
                            1e-5F};
    enum { COUNT = sizeof values / sizeof values[0] };
    builder b;
    vt_tensor outputs[2];
    builder_init(&b, 1);
    vt_value_id x = builder_input(&b, VT_F32, 2, (const int64_t[]){1, COUNT});
    builder_output(&b, builder_node(&b, op, opset, &x, 1, NULL, 0));
    vt_runner *reference = builder_reference(&b, false), *runner = builder_onednn(&b, true, 1);
    vt_tensor input;
    vt_shape shape = vt_shape_of(2, (const int64_t[]){1, COUNT});
    assert_int_equal(vt_tensor_init(&input, VT_F32, &shape, 0, NULL), VT_OK);
    memcpy(input.data, values, sizeof values);
    run_or_fail(reference, &input, &outputs[0]);
    run_or_fail(runner, &input, &outputs[1]);
    for (size_t i = 0; i < COUNT; i++) {
        float want = ((float *)outputs[0].data)[i], have = ((float *)outputs[1].data)[i];
        float gap = want > have ? want - have : have - want;
        float size = want < 0 ? -want : want;
        bool both_nan = want != want && have != have;
        if (strcmp(op, "Gelu") == 0 && size > 3.4e38F) {
            continue; /* oneDNN 3.x makes NaN of an infinite argument */
        }
        bool infinite = size > 3.4e38F || have > 3.4e38F || have < -3.4e38F;
        if (!both_nan && want != have && (infinite || !(gap <= 2e-5F * (size > 1 ? size : 1)))) {
            fail_msg("%s(%g) is %g, wanted %g", op, (double)values[i], (double)have, (double)want);
        }
    }
    vt_tensor_deinit(&input);
    runner->free(runner);
    reference->free(reference);
    builder_deinit(&b);
}

/* Infinities and values where naive formulas overflow. */
static void test_eltwise_special(void **state)
{
    (void)state;
    static const struct {
        const char *op;
        int opset;
    } ops[] = {{"Relu", 13}, {"LeakyRelu", 13}, {"Elu", 13}, {"Sigmoid", 13},
               {"Tanh", 13}, {"HardSwish", 14}, {"Abs", 13}, {"Softplus", 13},
               {"Mish", 18}, {"Gelu", 20},      {"Exp", 13}, {"Sqrt", 13},
               {"Log", 13}};
    for (size_t i = 0; i < sizeof ops / sizeof ops[0]; i++) {
        if (vt_op_find("", ops[i].op, ops[i].opset)) {
            run_special(ops[i].op, ops[i].opset);
        }
    }
}

static void test_clip(void **state)
{
    (void)state;
    for (int mode = 0; mode < 7; mode++) {
        builder b;
        builder_init(&b, (uint64_t)mode);
        vt_value_id x = blocked_input(&b, 2, 17, 4, 5);
        x = mode % 2 ? builder_unary(&b, "Abs", x) : x;
        vt_value_id low = builder_scalar(&b, mode == 4 ? 0.5F : -0.25F);
        vt_value_id high = mode == 5 ? builder_input(&b, VT_F32, 0, NULL)
                                     : builder_scalar(&b, mode == 4 ? 0.25F : 0.75F);
        vt_attr attrs[2] = {attr_float("min", -0.25F), attr_float("max", 0.5F)};
        vt_value_id y;
        if (mode == 6) {
            y = builder_node(&b, "Clip", 7, &x, 1, attrs, 2);
        } else {
            vt_value_id inputs[3] = {x, mode == 2 ? VT_NO_VALUE : low, high};
            y = builder_node(&b, "Clip", 13, inputs, mode == 3 ? 2 : 3, NULL, 0);
        }
        builder_output(&b, y);
        reference_steps += builder_compare(&b, mode != 1, 1e-5);
        builder_deinit(&b);
    }
    assert_int_equal(reference_steps, 0); /* the computed bound, the bounds that cross: loops */
}

static void binary_case(uint64_t seed)
{
    static const char *const ops[] = {"Add", "Sub", "Mul", "Div", "Min", "Max"};
    builder b;
    builder_init(&b, seed);
    vt_random *random = &b.random;
    const char *op = ops[seed % 6];
    int64_t full[4] = {vt_random_int(random, 1, 3), pick_channels(&b), 5, 6}, other[4];
    vt_value_id left = plain_or_blocked(&b, full[0], full[1], full[2], full[3]);
    int rank = vt_random_int(random, 0, 4);
    for (int i = 0; i < rank; i++) {
        other[i] = vt_random_below(random, 3) ? full[4 - rank + i] : 1;
    }
    vt_value_id right;
    if (vt_random_below(random, 3) == 0) {
        right = plain_or_blocked(&b, full[0], full[1], full[2], full[3]);
    } else if (vt_random_below(random, 2)) {
        right = builder_constant(&b, rank, other, 0.5F, 2);
    } else {
        right = builder_input(&b, VT_F32, rank, other);
    }
    if (strcmp(op, "Div") == 0) { /* away from zero */
        right = builder_binary(&b, "Add", builder_unary(&b, "Abs", right), builder_scalar(&b, 1));
    }
    bool exchanged = strcmp(op, "Div") != 0 && vt_random_below(random, 2);
    vt_value_id y =
        exchanged ? builder_binary(&b, op, right, left) : builder_binary(&b, op, left, right);
    builder_output(&b, vt_random_below(random, 2) ? builder_unary(&b, "Relu", y) : y);
    reference_steps += builder_compare(&b, true, 1e-5);
    builder_deinit(&b);
}

static void test_binary(void **state)
{
    (void)state;
    for (uint64_t seed = 0; seed < 4 * ROUNDS; seed++) {
        binary_case(seed);
    }
    /* Sub of the larger tensor from the smaller, and outer sums, are loops. */
    assert_int_equal(reference_steps, 0);
}

static void test_sum(void **state)
{
    (void)state;
    for (uint64_t seed = 0; seed < ROUNDS; seed++) {
        builder b;
        builder_init(&b, seed);
        vt_value_id terms[4];
        size_t count = 1 + vt_random_below(&b.random, 4);
        int64_t channels = pick_channels(&b);
        for (size_t i = 0; i < count; i++) {
            bool small = i > 0 && vt_random_below(&b.random, 5) == 0;
            terms[i] = small ? builder_constant(&b, 1, (const int64_t[]){6}, -1, 1)
                             : plain_or_blocked(&b, 2, channels, 5, 6);
        }
        vt_value_id y = builder_node(&b, "Sum", 13, terms, count, NULL, 0);
        builder_output(&b, seed % 2 ? builder_unary(&b, "Relu", y) : y);
        reference_steps += builder_compare(&b, true, 1e-5);
        builder_deinit(&b);
    }
    assert_int_equal(reference_steps, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(test_eltwise, reset_count),
        cmocka_unit_test_setup(test_eltwise_special, reset_count),
        cmocka_unit_test_setup(test_clip, reset_count),
        cmocka_unit_test_setup(test_binary, reset_count),
        cmocka_unit_test_setup(test_sum, reset_count),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
