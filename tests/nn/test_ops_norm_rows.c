/* SPDX-License-Identifier: Apache-2.0 */
/* Normalisations over rows (Layer, RMS, Group, Instance), by norm, over axes; training statistics
 * of BatchNormalization. */
#include "operators.h"

/* (1, 3): mean 2, deviation 1; (5, 9): mean 7, deviation 2. */
static float pairs[] = {1, 3, 5, 9};

#define NO_EPSILON ATTR_FLOAT("epsilon", 0.0f)

static void layer_normalizes_rows(void **state)
{
    (void)state;
    float scale[] = {10, 100}, bias[] = {1, 2};
    vt_tensor x = TENSOR(VT_F32, pairs, 2, 2), s = TENSOR(VT_F32, scale, 2);
    vt_tensor b = TENSOR(VT_F32, bias, 2);
    const vt_attr attrs[] = {NO_EPSILON};
    op_call call = {"LayerNormalization", 17,
                    ATTRS(attrs),         .inputs = {&x, &s, &b},
                    .input_count = 3,     .output_count = 3};
    op_run(&call);
    ASSERT_OUTPUT(call, DIMS(2, 2), -9, 102, -9, 102);
    assert_shape(&call.outputs[1], 2, (const int64_t[]){2, 1});
    assert_numbers(&call.outputs[1], 2, (const double[]){2, 7});
    assert_numbers(&call.outputs[2], 2, (const double[]){1, 0.5});
    op_done(&call);
    call.input_count = 2;
    call.output_count = 1;
    op_run(&call);
    ASSERT_OUTPUT(call, DIMS(2, 2), -10, 100, -10, 100);
    op_done(&call);
}

/* Nothing to normalise, but every row has statistics: 0 / 0. */
static void layer_takes_empty_rows(void **state)
{
    (void)state;
    vt_tensor x = {.dtype = VT_F32, .shape = {2, {3, 0}}};
    vt_tensor s = {.dtype = VT_F32, .shape = {1, {0}}};
    op_call call = {"LayerNormalization", 17, .inputs = {&x, &s}, .input_count = 2,
                    .output_count = 3};
    op_run(&call);
    assert_shape(&call.outputs[0], 2, (const int64_t[]){3, 0});
    assert_shape(&call.outputs[1], 2, (const int64_t[]){3, 1});
    assert_true(isnan(((const float *)call.outputs[1].data)[2]));
    op_done(&call);
}

static void layer_takes_axis_and_broadcasts_scale(void **state)
{
    (void)state;
    float scale[] = {1, 10};
    vt_tensor x = TENSOR(VT_F32, pairs, 2, 2), s = TENSOR(VT_F32, scale, 2, 1);
    const vt_attr rows[] = {NO_EPSILON, ATTR_INT("axis", 1)};
    const vt_attr whole[] = {ATTR_FLOAT("epsilon", 0.25f), ATTR_INT("axis", -2)};
    op_call call = {"LayerNormalization", 17, ATTRS(rows), .inputs = {&x, &s}, .input_count = 2,
                    .output_count = 2};
    op_run(&call); /* one scale per row */
    ASSERT_OUTPUT(call, DIMS(2, 2), -1, 1, -10, 10);
    op_done(&call);
    call.attrs = whole; /* mean 4.5, variance 8.75 */
    op_run(&call);
    ASSERT_OUTPUT(call, DIMS(2, 2), -3.5 / 3, -1.5 / 3, 5 / 3.0, 45 / 3.0);
    assert_shape(&call.outputs[1], 2, (const int64_t[]){1, 1});
    op_done(&call);
}

static void layer_keeps_digits_and_stash_type(void **state)
{
    (void)state;
    /* Squares of these fill an f32: subtracting them would leave nothing. */
    float far[] = {100000, 100002}, one[] = {1};
    uint16_t half[] = {0x3c00, 0x4200}; /* 1, 3 */
    uint16_t half_one[] = {0x3c00};
    vt_tensor x = TENSOR(VT_F32, far, 1, 2), s = TENSOR(VT_F32, one, 1);
    vt_tensor h = TENSOR(VT_F16, half, 1, 2), hs = TENSOR(VT_F16, half_one, 1);
    const vt_attr attrs[] = {NO_EPSILON}, bf16[] = {NO_EPSILON, ATTR_INT("stash_type", VT_BF16)};
    op_call call = {"LayerNormalization", 17, ATTRS(attrs), .inputs = {&x, &s}, .input_count = 2};
    op_run(&call);
    ASSERT_OUTPUT(call, DIMS(1, 2), -1, 1);
    op_done(&call);
    call = (op_call){"LayerNormalization", 17, ATTRS(bf16), .inputs = {&h, &hs}, .input_count = 2,
                     .output_count = 3};
    op_run(&call);
    assert_int_equal(call.outputs[0].dtype, VT_F16);
    assert_int_equal(call.outputs[1].dtype, VT_BF16);
    assert_numbers(&call.outputs[1], 1, (const double[]){2});
    op_done(&call);
}

static void rms_divides_by_the_root_of_mean_squares(void **state)
{
    (void)state;
    float x_data[] = {1, 7, 3, 4}, scale[] = {5, 10};
    uint16_t half_scale[] = {0x4500, 0x4900}; /* 5, 10 */
    vt_tensor x = TENSOR(VT_F32, x_data, 2, 2), s = TENSOR(VT_F32, scale, 2);
    vt_tensor h = TENSOR(VT_F16, half_scale, 2);
    const vt_attr attrs[] = {NO_EPSILON}, more[] = {ATTR_FLOAT("epsilon", 11.0f)};
    op_call call = {"RMSNormalization", 23, ATTRS(attrs), .inputs = {&x, &s}, .input_count = 2};
    op_run(&call); /* means of squares: 25, 12.5 */
    ASSERT_OUTPUT(call, DIMS(2, 2), 1, 14, 15 / sqrt(12.5), 40 / sqrt(12.5));
    op_done(&call);
    call.attrs = more;
    op_run(&call);
    ASSERT_OUTPUT(call, DIMS(2, 2), 5 / 6.0, 70 / 6.0, 15 / sqrt(23.5), 40 / sqrt(23.5));
    op_done(&call);
    call.attrs = attrs;
    call.inputs[1] = &h; /* the result has the scale's type */
    op_run(&call);
    assert_int_equal(call.outputs[0].dtype, VT_F16);
    assert_true(vt_tensor_get(&call.outputs[0], 1) == 14);
    op_done(&call);
}

static void group_scales_by_group_then_by_channel(void **state)
{
    (void)state;
    float by_group[] = {10, 100}, group_bias[] = {1, 2};
    float by_channel[] = {1, 2, 3, 4}, channel_bias[] = {0, 0, 5, 5};
    vt_tensor x = TENSOR(VT_F32, pairs, 1, 4, 1);
    vt_tensor s = TENSOR(VT_F32, by_group, 2), b = TENSOR(VT_F32, group_bias, 2);
    vt_tensor sc = TENSOR(VT_F32, by_channel, 4), bc = TENSOR(VT_F32, channel_bias, 4);
    const vt_attr attrs[] = {ATTR_INT("num_groups", 2), NO_EPSILON};
    op_call call = {"GroupNormalization", 18, ATTRS(attrs), .inputs = {&x, &s, &b},
                    .input_count = 3};
    op_run(&call);
    ASSERT_OUTPUT(call, DIMS(1, 4, 1), -9, 11, -98, 102);
    op_done(&call);
    op_fails(&(op_call){"GroupNormalization", 21, ATTRS(attrs), .inputs = {&x, &s, &b},
                        .input_count = 3},
             VT_ERR_FORMAT, "does not have 4 numbers");
    call = (op_call){"GroupNormalization", 21, ATTRS(attrs), .inputs = {&x, &sc, &bc},
                     .input_count = 3};
    op_run(&call);
    ASSERT_OUTPUT(call, DIMS(1, 4, 1), -1, 2, 2, 9);
    op_done(&call);
}

static void instance_normalizes_each_channel(void **state)
{
    (void)state;
    float x_data[] = {1, 3, 5, 9, 9, 5, 3, 1}, scale[] = {1, 10}, bias[] = {0, 1};
    vt_tensor x = TENSOR(VT_F32, x_data, 2, 2, 2);
    vt_tensor s = TENSOR(VT_F32, scale, 2), b = TENSOR(VT_F32, bias, 2);
    const vt_attr attrs[] = {NO_EPSILON};
    op_call call = {"InstanceNormalization", 6, ATTRS(attrs), .inputs = {&x, &s, &b},
                    .input_count = 3};
    op_run(&call);
    ASSERT_OUTPUT(call, DIMS(2, 2, 2), -1, 1, -9, 11, 1, -1, 11, -9);
    op_done(&call);
    call.opset = 22;
    call.inputs[1] = &(vt_tensor)TENSOR(VT_F32, pairs, 4);
    op_fails(&call, VT_ERR_FORMAT, "input 1 does not have 2 numbers");
}

static void rows_refuse_what_cannot_be(void **state)
{
    (void)state;
    float scale[4] = {1, 1, 1, 1};
    double wide[] = {1, 1};
    vt_tensor x = TENSOR(VT_F32, pairs, 2, 2), s = TENSOR(VT_F32, scale, 2);
    vt_tensor three = {.dtype = VT_F32, .shape = {1, {3}}, .data = scale, .bytes = 12};
    vt_tensor big = {.dtype = VT_F32, .shape = {3, {2, 1, 2}}, .data = scale, .bytes = 16};
    vt_tensor f64 = TENSOR(VT_F64, wide, 2), point = {.dtype = VT_F32, .data = scale, .bytes = 4};
    vt_tensor channels = TENSOR(VT_F32, pairs, 1, 4, 1);
    const vt_attr axis[] = {ATTR_INT("axis", 2)}, stash[] = {ATTR_INT("stash_type", VT_I64)};
    const vt_attr none[] = {ATTR_INT("num_groups", 0)},
                  three_groups[] = {ATTR_INT("num_groups", 3)};
    op_call call = {"LayerNormalization", 17, ATTRS(axis), .inputs = {&x, &s}, .input_count = 2};
    op_fails(&call, VT_ERR_FORMAT, "axis 2");
    call.attrs = stash;
    op_fails(&call, VT_ERR_UNSUPPORTED, "stash_type");
    call.attr_count = 0;
    call.inputs[1] = &three;
    op_fails(&call, VT_ERR_FORMAT, "do not broadcast");
    call.inputs[1] = &big;
    op_fails(&call, VT_ERR_FORMAT, "does not broadcast to the input");
    call.inputs[1] = &f64;
    op_fails(&call, VT_ERR_FORMAT, "type f64");
    call.inputs[0] = call.inputs[1] = &point;
    op_fails(&call, VT_ERR_FORMAT, "axis -1");
    call = (op_call){"GroupNormalization", 21, ATTRS(none), .inputs = {&channels, &s, &s},
                     .input_count = 3};
    op_fails(&call, VT_ERR_FORMAT, "\"num_groups\" is 0");
    call.attrs = three_groups;
    op_fails(&call, VT_ERR_FORMAT, "4 channels do not divide into 3 groups");
    call.inputs[0] = &s;
    op_fails(&call, VT_ERR_FORMAT, "1 dimensions");
}

static void lp_divides_by_norms(void **state)
{
    (void)state;
    float x_data[] = {3, 0, -4, 0};
    vt_tensor x = TENSOR(VT_F32, x_data, 2, 2);
    const vt_attr first[] = {ATTR_INT("axis", 0)};
    const vt_attr l1[] = {ATTR_INT("axis", 0), ATTR_INT("p", 1)};
    const vt_attr p3[] = {ATTR_INT("axis", 0), ATTR_INT("p", 3)};
    op_call call = {"LpNormalization", 22, ATTRS(first), .inputs = {&x}, .input_count = 1};
    op_run(&call); /* a norm of 0 gives 0 */
    ASSERT_OUTPUT(call, DIMS(2, 2), 0.6, 0, -0.8, 0);
    op_done(&call);
    call = (op_call){"LpNormalization", 22, ATTRS(l1), .inputs = {&x}, .input_count = 1};
    op_run(&call);
    ASSERT_OUTPUT(call, DIMS(2, 2), 3 / 7.0, 0, -4 / 7.0, 0);
    op_done(&call);
    call.attr_count = 0;
    op_run(&call); /* the last axis, L2 */
    ASSERT_OUTPUT(call, DIMS(2, 2), 1, 0, -1, 0);
    op_done(&call);
    call = (op_call){"LpNormalization", 22, ATTRS(p3), .inputs = {&x}, .input_count = 1};
    op_fails(&call, VT_ERR_FORMAT, "\"p\" is 3");
}

static void mean_variance_over_any_axes(void **state)
{
    (void)state;
    float x_data[] = {1, 3, 5, 9}, constant[] = {4, 4};
    vt_tensor x = TENSOR(VT_F32, x_data, 1, 2, 1, 2), flat = TENSOR(VT_F32, x_data, 2, 2);
    vt_tensor same = TENSOR(VT_F32, constant, 1, 2);
    const vt_attr first[] = {ATTR_INTS("axes", 0)}, last[] = {ATTR_INTS("axes", -1)};
    const vt_attr twice[] = {ATTR_INTS("axes", 1, -1)};
    op_call call = {"MeanVarianceNormalization", 9, .inputs = {&x}, .input_count = 1};
    op_run(&call);
    ASSERT_OUTPUT(call, DIMS(1, 2, 1, 2), -1, 1, -1, 1);
    op_done(&call);
    call = (op_call){"MeanVarianceNormalization", 13, ATTRS(first), .inputs = {&flat},
                     .input_count = 1};
    op_run(&call);
    ASSERT_OUTPUT(call, DIMS(2, 2), -1, -1, 1, 1);
    op_done(&call);
    call.attrs = last;
    call.inputs[0] = &same;
    op_run(&call);
    ASSERT_OUTPUT(call, DIMS(1, 2), 0, 0);
    op_done(&call);
    call.attrs = twice;
    op_fails(&call, VT_ERR_FORMAT, "given twice");
    call.attr_count = 0;
    op_fails(&call, VT_ERR_FORMAT, "axis 2");
}

static void batchnorm_hands_out_statistics_of_training(void **state)
{
    (void)state;
    float one[] = {1}, zero[] = {0}, ten[] = {10}, four[] = {4};
    vt_tensor x = TENSOR(VT_F32, pairs, 2, 1, 2), s = TENSOR(VT_F32, one, 1);
    vt_tensor b = TENSOR(VT_F32, zero, 1), m = TENSOR(VT_F32, ten, 1), v = TENSOR(VT_F32, four, 1);
    const vt_attr attrs[] = {NO_EPSILON, ATTR_FLOAT("momentum", 0.5f)};
    op_call call = {"BatchNormalization", 9,
                    ATTRS(attrs),         .inputs = {&x, &s, &b, &m, &v},
                    .input_count = 5,     .output_count = 5};
    double deviation = sqrt(8.75); /* mean 4.5 */
    op_run(&call);
    ASSERT_OUTPUT(call, DIMS(2, 1, 2), -3.5 / deviation, -1.5 / deviation, 0.5 / deviation,
                  4.5 / deviation);
    assert_numbers(&call.outputs[1], 1, (const double[]){7.25});
    assert_numbers(&call.outputs[2], 1, (const double[]){6.375});
    assert_numbers(&call.outputs[3], 1, (const double[]){4.5});
    assert_numbers(&call.outputs[4], 1, (const double[]){8.75});
    op_done(&call);
    call.opset = 15;
    call.output_count = 3;
    op_fails(&call, VT_ERR_FORMAT, "without training_mode");
}

static void batchnorm_keeps_pixels_apart(void **state)
{
    (void)state;
    float scale[] = {1, 10}, zero[] = {0, 0}, mean[] = {1, 2}, variance[] = {1, 4};
    vt_tensor x = TENSOR(VT_F32, pairs, 2, 1, 2), s = TENSOR(VT_F32, scale, 1, 2);
    vt_tensor b = TENSOR(VT_F32, zero, 1, 2), m = TENSOR(VT_F32, mean, 1, 2);
    vt_tensor v = TENSOR(VT_F32, variance, 1, 2), flat = TENSOR(VT_F32, scale, 2);
    const vt_attr attrs[] = {NO_EPSILON, ATTR_INT("spatial", 0)};
    op_call call = {"BatchNormalization", 7, ATTRS(attrs), .inputs = {&x, &s, &b, &m, &v},
                    .input_count = 5};
    op_run(&call);
    ASSERT_OUTPUT(call, DIMS(2, 1, 2), 0, 5, 4, 35);
    op_done(&call);
    call.inputs[1] = &flat;
    op_fails(&call, VT_ERR_FORMAT, "input 1");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(layer_normalizes_rows),
        cmocka_unit_test(layer_takes_empty_rows),
        cmocka_unit_test(layer_takes_axis_and_broadcasts_scale),
        cmocka_unit_test(layer_keeps_digits_and_stash_type),
        cmocka_unit_test(rms_divides_by_the_root_of_mean_squares),
        cmocka_unit_test(group_scales_by_group_then_by_channel),
        cmocka_unit_test(instance_normalizes_each_channel),
        cmocka_unit_test(rows_refuse_what_cannot_be),
        cmocka_unit_test(lp_divides_by_norms),
        cmocka_unit_test(mean_variance_over_any_axes),
        cmocka_unit_test(batchnorm_hands_out_statistics_of_training),
        cmocka_unit_test(batchnorm_keeps_pixels_apart),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
