/* SPDX-License-Identifier: Apache-2.0 */
/* Operators that look at one place at a time: unary, binary, variadic, Clip, PRelu, Where, Cast. */
#include "operators.h"

static void unary_f32(const char *name, int opset, const vt_attr *attr, const float *in,
                      const double *want, size_t count)
{
    float data[16];
    memcpy(data, in, count * sizeof *in);
    vt_tensor x = {
        .dtype = VT_F32, .shape = {1, {(int64_t)count}}, .data = data, .bytes = count * sizeof *in};
    op_call call = {name,           opset,
                    .attrs = attr,  .attr_count = attr == NULL ? 0 : 1,
                    .inputs = {&x}, .input_count = 1};
    op_run(&call);
    assert_numbers(&call.outputs[0], count, want);
    op_done(&call);
}

#define UNARY(name, opset, attr, in, ...)                                                          \
    unary_f32(name, opset, attr, in, (double[]){__VA_ARGS__}, sizeof(in) / sizeof(float))

static void functions_of_one_number(void **state)
{
    (void)state;
    const float in[] = {-2, -0.5f, 0, 0.5f, 2};
    const vt_attr tenth = ATTR_FLOAT("alpha", 0.1f), two = ATTR_FLOAT("alpha", 2.0f);
    const vt_attr tanh_mode = ATTR_TEXT("approximate", "tanh");
    UNARY("Relu", 14, NULL, in, 0, 0, 0, 0.5, 2);
    UNARY("LeakyRelu", 6, NULL, in, -0.02, -0.005, 0, 0.5, 2);
    UNARY("LeakyRelu", 16, &tenth, in, -0.2, -0.05, 0, 0.5, 2);
    UNARY("Elu", 6, &two, in, -1.7293294, -0.7869387, 0, 0.5, 2);
    UNARY("Selu", 6, NULL, in, -1.5201665, -0.6917582, 0, 0.5253505, 2.1014020);
    UNARY("Celu", 12, &two, in, 2 * (exp(-1) - 1), 2 * (exp(-0.25) - 1), 0, 0.5, 2);
    UNARY("Sigmoid", 6, NULL, in, 0.1192029, 0.3775407, 0.5, 0.6224593, 0.8807971);
    UNARY("HardSigmoid", 6, NULL, in, 0.1, 0.4, 0.5, 0.6, 0.9);
    UNARY("HardSwish", 14, NULL, in, -1.0 / 3, -0.2083333, 0, 0.2916667, 5.0 / 3);
    UNARY("Mish", 18, NULL, in, -0.2525015, -0.2207424, 0, 0.3752452, 1.9439590);
    UNARY("Gelu", 20, NULL, in, -0.0455003, -0.1542688, 0, 0.3457312, 1.9544997);
    UNARY("Gelu", 20, &tanh_mode, in, -0.0454023, -0.1542860, 0, 0.3457140, 1.9545977);
    UNARY("Tanh", 6, NULL, in, -0.9640276, -0.4621172, 0, 0.4621172, 0.9640276);
    UNARY("Softplus", 1, NULL, in, 0.1269280, 0.4740770, 0.6931472, 0.9740770, 2.1269280);
    UNARY("Erf", 13, NULL, in, -0.9953223, -0.5204999, 0, 0.5204999, 0.9953223);
    UNARY("Exp", 6, NULL, in, 0.1353353, 0.6065307, 1, 1.6487213, 7.3890561);
    UNARY("Neg", 6, NULL, in, 2, 0.5, 0, -0.5, -2);
    UNARY("Abs", 6, NULL, in, 2, 0.5, 0, 0.5, 2);
    UNARY("Sign", 9, NULL, in, -1, -1, 0, 1, 1);
    UNARY("Floor", 6, NULL, in, -2, -1, 0, 0, 2);
    UNARY("Ceil", 6, NULL, in, -2, 0, 0, 1, 2);
    UNARY("Round", 11, NULL, in, -2, 0, 0, 0, 2);
    UNARY("Reciprocal", 6, NULL, in, -0.5, -2, INFINITY, 2, 0.5);
    UNARY("Log", 6, NULL, in, NAN, NAN, -INFINITY, -0.6931472, 0.6931472);
    UNARY("Sqrt", 6, NULL, in, NAN, NAN, 0, 0.7071068, 1.4142136);
}

static void functions_survive_extremes(void **state)
{
    (void)state;
    const float in[] = {-1e4f, 1e4f, NAN};
    UNARY("Sigmoid", 6, NULL, in, 0, 1, NAN);
    UNARY("Softplus", 1, NULL, in, 0, 1e4, NAN);
    UNARY("Relu", 14, NULL, in, 0, 1e4, NAN);
    UNARY("Tanh", 6, NULL, in, -1, 1, NAN);
}

static void integers_stay_exact(void **state)
{
    (void)state;
    int64_t data[] = {INT64_MIN, -(INT64_C(1) << 53) - 1, 7};
    vt_tensor x = TENSOR(VT_I64, data, 3);
    op_call call = {"Neg", 13, .inputs = {&x}, .input_count = 1};
    op_run(&call);
    const int64_t *out = call.outputs[0].data;
    assert_true(out[0] == INT64_MIN && out[1] == (INT64_C(1) << 53) + 1 && out[2] == -7);
    op_done(&call);
    call.name = "Abs";
    op_run(&call);
    out = call.outputs[0].data;
    assert_true(out[0] == INT64_MIN && out[1] == (INT64_C(1) << 53) + 1 && out[2] == 7);
    op_done(&call);
    call.name = "Sqrt";
    op_fails(&call, VT_ERR_UNSUPPORTED, "type i64");
}

static void arithmetic_broadcasts(void **state)
{
    (void)state;
    float a_data[] = {1, 2, 3, 4, 5, 6}, b_data[] = {10, 20, 30}, c_data[] = {100, 200};
    vt_tensor a = TENSOR(VT_F32, a_data, 2, 3), b = TENSOR(VT_F32, b_data, 3);
    vt_tensor c = TENSOR(VT_F32, c_data, 2, 1);
    op_call call = {"Add", 14, .inputs = {&a, &b}, .input_count = 2};
    op_run(&call);
    ASSERT_OUTPUT(call, DIMS(2, 3), 11, 22, 33, 14, 25, 36);
    op_done(&call);
    call.inputs[0] = &b;
    call.inputs[1] = &c;
    call.name = "Sub";
    op_run(&call);
    ASSERT_OUTPUT(call, DIMS(2, 3), -90, -80, -70, -190, -180, -170);
    op_done(&call);
    call.inputs[0] = &a;
    call.inputs[1] = &(vt_tensor)TENSOR(VT_F32, c_data, 2);
    op_fails(&call, VT_ERR_FORMAT, "do not broadcast");
}

static void old_broadcasting_lines_up_at_an_axis(void **state)
{
    (void)state;
    float a_data[] = {1, 2, 3, 4, 5, 6}, b_data[] = {10, 20};
    vt_tensor a = TENSOR(VT_F32, a_data, 2, 3), b = TENSOR(VT_F32, b_data, 2);
    const vt_attr attrs[] = {ATTR_INT("broadcast", 1), ATTR_INT("axis", 0)};
    op_call call = {"Mul", 6, ATTRS(attrs), .inputs = {&a, &b}, .input_count = 2};
    op_run(&call);
    ASSERT_OUTPUT(call, DIMS(2, 3), 10, 20, 30, 80, 100, 120);
    op_done(&call);
    call.opset = 7;
    op_fails(&call, VT_ERR_UNSUPPORTED, "\"broadcast\" is not known");
}

static void integer_arithmetic_wraps_and_truncates(void **state)
{
    (void)state;
    int8_t a_data[] = {100, -7, -128}, b_data[] = {100, 2, -1};
    vt_tensor a = TENSOR(VT_I8, a_data, 3), b = TENSOR(VT_I8, b_data, 3);
    op_call call = {"Add", 14, .inputs = {&a, &b}, .input_count = 2};
    op_run(&call);
    ASSERT_OUTPUT(call, DIMS(3), -56, -5, 127);
    op_done(&call);
    call.name = "Div";
    op_run(&call);
    ASSERT_OUTPUT(call, DIMS(3), 1, -3, -128);
    op_done(&call);
    uint64_t c_data[] = {UINT64_MAX, 10}, d_data[] = {2, 3};
    vt_tensor c = TENSOR(VT_U64, c_data, 2), d = TENSOR(VT_U64, d_data, 2);
    call.inputs[0] = &c;
    call.inputs[1] = &d;
    op_run(&call);
    assert_true(((uint64_t *)call.outputs[0].data)[0] == UINT64_MAX / 2);
    op_done(&call);
}

static void dividing_integers_by_zero_is_an_error(void **state)
{
    (void)state;
    int32_t a_data[] = {1}, b_data[] = {0};
    vt_tensor a = TENSOR(VT_I32, a_data, 1), b = TENSOR(VT_I32, b_data, 1);
    op_call call = {"Div", 14, .inputs = {&a, &b}, .input_count = 2};
    op_fails(&call, VT_ERR_FORMAT, "divided by zero");
    call.name = "Mod";
    op_fails(&call, VT_ERR_FORMAT, "divided by zero");
}

static void remainders_follow_divisor_or_dividend(void **state)
{
    (void)state;
    int32_t a_data[] = {-4, 7, 5, 4, -7, 8}, b_data[] = {2, -3, 8, -2, 3, 5};
    vt_tensor a = TENSOR(VT_I32, a_data, 6), b = TENSOR(VT_I32, b_data, 6);
    const vt_attr dividend[] = {ATTR_INT("fmod", 1)};
    op_call call = {"Mod", 13, .inputs = {&a, &b}, .input_count = 2};
    op_run(&call);
    ASSERT_OUTPUT(call, DIMS(6), 0, -2, 5, 0, 2, 3);
    op_done(&call);
    call.attrs = dividend;
    call.attr_count = 1;
    op_run(&call);
    ASSERT_OUTPUT(call, DIMS(6), 0, 1, 5, 0, -1, 3);
    op_done(&call);
    float c_data[] = {5, -5, 1e20f, -1}, d_data[] = {INFINITY, 3, 7, 0};
    vt_tensor c = TENSOR(VT_F32, c_data, 4), d = TENSOR(VT_F32, d_data, 4);
    call = (op_call){"Mod", 13, .inputs = {&c, &d}, .input_count = 2};
    op_run(&call); /* 1e20 in f32 is 100000002004087734272, 3 more than a multiple of 7 */
    ASSERT_OUTPUT(call, DIMS(4), 5, 1, 3, NAN);
    op_done(&call);
}

static void powers_keep_the_type_of_the_base(void **state)
{
    (void)state;
    int32_t base[] = {-3, 2, 5};
    float exponent[] = {3, 10, -1};
    vt_tensor a = TENSOR(VT_I32, base, 3), b = TENSOR(VT_F32, exponent, 3);
    op_call call = {"Pow", 13, .inputs = {&a, &b}, .input_count = 2};
    op_run(&call);
    assert_int_equal(call.outputs[0].dtype, VT_I32);
    ASSERT_OUTPUT(call, DIMS(3), -27, 1024, 0);
    op_done(&call);
    call.opset = 7;
    op_fails(&call, VT_ERR_FORMAT, "type");
}

static void comparisons_and_logic_give_bool(void **state)
{
    (void)state;
    uint64_t a_data[] = {UINT64_MAX, 1}, b_data[] = {1, 1};
    vt_tensor a = TENSOR(VT_U64, a_data, 2), b = TENSOR(VT_U64, b_data, 2);
    op_call call = {"Greater", 13, .inputs = {&a, &b}, .input_count = 2};
    op_run(&call);
    assert_int_equal(call.outputs[0].dtype, VT_BOOL);
    ASSERT_OUTPUT(call, DIMS(2), 1, 0);
    op_done(&call);
    uint8_t c_data[] = {1, 0}, d_data[] = {1, 1};
    vt_tensor c = TENSOR(VT_BOOL, c_data, 2), d = TENSOR(VT_BOOL, d_data, 2);
    call = (op_call){"Xor", 7, .inputs = {&c, &d}, .input_count = 2};
    op_run(&call);
    ASSERT_OUTPUT(call, DIMS(2), 0, 1);
    op_done(&call);
    call = (op_call){"Not", 1, .inputs = {&c}, .input_count = 1};
    op_run(&call);
    ASSERT_OUTPUT(call, DIMS(2), 0, 1);
    op_done(&call);
}

static void any_number_of_inputs(void **state)
{
    (void)state;
    float a_data[] = {1, NAN, 3}, b_data[] = {2}, c_data[] = {0, 5, 9};
    vt_tensor a = TENSOR(VT_F32, a_data, 3), b = TENSOR(VT_F32, b_data, 1);
    vt_tensor c = TENSOR(VT_F32, c_data, 3);
    op_call call = {"Max", 13, .inputs = {&a, &b, &c}, .input_count = 3};
    op_run(&call);
    ASSERT_OUTPUT(call, DIMS(3), 2, NAN, 9);
    op_done(&call);
    call.name = "Min";
    op_run(&call);
    ASSERT_OUTPUT(call, DIMS(3), 0, NAN, 2);
    op_done(&call);
    call.name = "Mean";
    op_run(&call);
    ASSERT_OUTPUT(call, DIMS(3), 1, NAN, 14.0 / 3);
    op_done(&call);
    call.inputs[1] = NULL;
    op_fails(&call, VT_ERR_FORMAT, "left out");
    uint64_t d_data[] = {UINT64_MAX, 1}, e_data[] = {2, 3};
    vt_tensor d = TENSOR(VT_U64, d_data, 2), e = TENSOR(VT_U64, e_data, 2);
    call = (op_call){"Min", 13, .inputs = {&d, &e}, .input_count = 2};
    op_run(&call);
    ASSERT_OUTPUT(call, DIMS(2), 2, 1);
    op_done(&call);
}

static void clip_takes_bounds_from_attributes_or_inputs(void **state)
{
    (void)state;
    float data[] = {-5, 0.5f, 5, NAN}, low_data[] = {-1}, high_data[] = {1};
    vt_tensor x = TENSOR(VT_F32, data, 4);
    vt_tensor low = SCALAR(VT_F32, low_data), high = SCALAR(VT_F32, high_data);
    const vt_attr attrs[] = {ATTR_FLOAT("min", 0.0f), ATTR_FLOAT("max", 6.0f)};
    op_call call = {"Clip", 6, ATTRS(attrs), .inputs = {&x}, .input_count = 1};
    op_run(&call);
    ASSERT_OUTPUT(call, DIMS(4), 0, 0.5, 5, NAN);
    op_done(&call);
    call = (op_call){"Clip", 11, .inputs = {&x, NULL, &high}, .input_count = 3};
    op_run(&call);
    ASSERT_OUTPUT(call, DIMS(4), -5, 0.5, 1, NAN);
    op_done(&call);
    call.inputs[1] = &high; /* low above high: everything becomes high */
    call.inputs[2] = &low;
    op_run(&call);
    ASSERT_OUTPUT(call, DIMS(4), -1, -1, -1, NAN);
    op_done(&call);
    uint64_t whole[] = {0, UINT64_MAX, 7}, bound[] = {5};
    vt_tensor y = TENSOR(VT_U64, whole, 3), least = SCALAR(VT_U64, bound);
    call = (op_call){"Clip", 13, .inputs = {&y, &least}, .input_count = 2};
    op_run(&call);
    assert_true(((uint64_t *)call.outputs[0].data)[0] == 5);
    assert_true(((uint64_t *)call.outputs[0].data)[1] == UINT64_MAX);
    op_done(&call);
    call.inputs[1] = &y;
    op_fails(&call, VT_ERR_FORMAT, "not a single number");
}

static void prelu_has_a_slope_per_channel(void **state)
{
    (void)state;
    float data[] = {-1, 2, -3, -4, 5, -6, 7, -8}, slopes[] = {0.5f, 0.25f};
    vt_tensor x = TENSOR(VT_F32, data, 1, 2, 4), s = TENSOR(VT_F32, slopes, 2, 1);
    op_call call = {"PRelu", 9, .inputs = {&x, &s}, .input_count = 2};
    op_run(&call);
    ASSERT_OUTPUT(call, DIMS(1, 2, 4), -0.5, 2, -1.5, -2, 5, -1.5, 7, -2);
    op_done(&call);
    s.shape = (vt_shape){1, {2}}; /* opset 6 counts channels, later ones align at the end */
    call.opset = 6;
    op_run(&call);
    ASSERT_OUTPUT(call, DIMS(1, 2, 4), -0.5, 2, -1.5, -2, 5, -1.5, 7, -2);
    op_done(&call);
    call.opset = 7;
    op_fails(&call, VT_ERR_FORMAT, "broadcast");
}

static void where_chooses(void **state)
{
    (void)state;
    uint8_t choice[] = {1, 0};
    int16_t a_data[] = {1, 2, 3, 4}, b_data[] = {-9};
    vt_tensor c = TENSOR(VT_BOOL, choice, 2), a = TENSOR(VT_I16, a_data, 2, 2);
    vt_tensor b = SCALAR(VT_I16, b_data), wrong = TENSOR(VT_U16, a_data, 2, 2);
    op_call call = {"Where", 16, .inputs = {&c, &a, &b}, .input_count = 3};
    op_run(&call);
    ASSERT_OUTPUT(call, DIMS(2, 2), 1, -9, 3, -9);
    op_done(&call);
    call.inputs[1] = &wrong;
    op_fails(&call, VT_ERR_FORMAT, "types u16 and i16");
    call.inputs[0] = &a;
    op_fails(&call, VT_ERR_UNSUPPORTED, "type i16");
}

static void cast_follows_the_rules(void **state)
{
    (void)state;
    float data[] = {-1.9f, 2.9f, 0, 3e10f};
    vt_tensor x = TENSOR(VT_F32, data, 4);
    const vt_attr to_int[] = {ATTR_INT("to", VT_I32)}, to_bool[] = {ATTR_INT("to", VT_BOOL)};
    const vt_attr to_text[] = {ATTR_INT("to", VT_STRING)}, to_none[] = {ATTR_INT("to", 1000)};
    op_call call = {"Cast", 13, ATTRS(to_int), .inputs = {&x}, .input_count = 1};
    op_run(&call);
    ASSERT_OUTPUT(call, DIMS(4), -1, 2, 0, 2147483647);
    op_done(&call);
    call.attrs = to_bool;
    op_run(&call);
    ASSERT_OUTPUT(call, DIMS(4), 1, 1, 0, 1);
    op_done(&call);
    call.attrs = to_text;
    op_fails(&call, VT_ERR_UNSUPPORTED, "target type 8");
    call.attrs = to_none;
    op_fails(&call, VT_ERR_UNSUPPORTED, "target type 1000");
    call.attr_count = 0;
    op_fails(&call, VT_ERR_FORMAT, "\"to\" is missing");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(functions_of_one_number),
        cmocka_unit_test(functions_survive_extremes),
        cmocka_unit_test(integers_stay_exact),
        cmocka_unit_test(arithmetic_broadcasts),
        cmocka_unit_test(old_broadcasting_lines_up_at_an_axis),
        cmocka_unit_test(integer_arithmetic_wraps_and_truncates),
        cmocka_unit_test(dividing_integers_by_zero_is_an_error),
        cmocka_unit_test(remainders_follow_divisor_or_dividend),
        cmocka_unit_test(powers_keep_the_type_of_the_base),
        cmocka_unit_test(comparisons_and_logic_give_bool),
        cmocka_unit_test(any_number_of_inputs),
        cmocka_unit_test(clip_takes_bounds_from_attributes_or_inputs),
        cmocka_unit_test(prelu_has_a_slope_per_channel),
        cmocka_unit_test(where_chooses),
        cmocka_unit_test(cast_follows_the_rules),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
