/* SPDX-License-Identifier: Apache-2.0 */
/* Sliding windows: Conv, the pools, the global pools. */
#include "operators.h"

static float ramp[64]; /* 1, 2, 3, ... */
static float ones[64];

static int fill(void **state)
{
    (void)state;
    for (int i = 0; i < 64; i++) {
        ramp[i] = (float)(i + 1);
        ones[i] = 1.0f;
    }
    return 0;
}

static void conv_slides_over_the_plane(void **state)
{
    (void)state;
    float weights[] = {1, 0, 0, -1}, bias[] = {10};
    vt_tensor x = {.dtype = VT_F32, .shape = {4, {1, 1, 3, 3}}, .data = ramp, .bytes = 36};
    vt_tensor w = TENSOR(VT_F32, weights, 1, 1, 2, 2), b = TENSOR(VT_F32, bias, 1);
    op_call call = {"Conv", 11, .inputs = {&x, &w, &b}, .input_count = 3};
    op_run(&call);
    ASSERT_OUTPUT(call, DIMS(1, 1, 2, 2), 6, 6, 6, 6);
    op_done(&call);
}

static void conv_pads_strides_and_dilates(void **state)
{
    (void)state;
    float weights[] = {1, 2, 3};
    vt_tensor x = {.dtype = VT_F32, .shape = {3, {1, 1, 6}}, .data = ramp, .bytes = 24};
    vt_tensor w = TENSOR(VT_F32, weights, 1, 1, 3);
    const vt_attr attrs[] = {ATTR_INTS("pads", 2, 1), ATTR_INTS("strides", 2),
                             ATTR_INTS("dilations", 2)};
    op_call call = {"Conv", 11, ATTRS(attrs), .inputs = {&x, &w}, .input_count = 2};
    op_run(&call);
    /* positions -2, 0, 2; taps 2 apart */
    ASSERT_OUTPUT(call, DIMS(1, 1, 3), 2 * 1 + 3 * 3, 1 + 2 * 3 + 3 * 5, 3 + 2 * 5);
    op_done(&call);
}

static void conv_keeps_groups_apart(void **state)
{
    (void)state;
    float weights[] = {1, 10, 100, 1000};
    vt_tensor x = {.dtype = VT_F32, .shape = {3, {2, 2, 2}}, .data = ramp, .bytes = 32};
    vt_tensor w = TENSOR(VT_F32, weights, 4, 1, 1);
    const vt_attr attrs[] = {ATTR_INT("group", 2)};
    op_call call = {"Conv", 11, ATTRS(attrs), .inputs = {&x, &w}, .input_count = 2};
    op_run(&call);
    ASSERT_OUTPUT(call, DIMS(2, 4, 2), 1, 2, 10, 20, 300, 400, 3000, 4000, 5, 6, 50, 60, 700, 800,
                  7000, 8000);
    op_done(&call);
}

static void conv_pads_automatically(void **state)
{
    (void)state;
    vt_tensor x = {.dtype = VT_F32, .shape = {3, {1, 1, 4}}, .data = ramp, .bytes = 16};
    vt_tensor w = {.dtype = VT_F32, .shape = {3, {1, 1, 2}}, .data = ones, .bytes = 8};
    const vt_attr upper[] = {ATTR_TEXT("auto_pad", "SAME_UPPER")};
    const vt_attr lower[] = {ATTR_TEXT("auto_pad", "SAME_LOWER")};
    const vt_attr valid[] = {ATTR_TEXT("auto_pad", "VALID")};
    op_call call = {"Conv", 11, ATTRS(upper), .inputs = {&x, &w}, .input_count = 2};
    op_run(&call);
    ASSERT_OUTPUT(call, DIMS(1, 1, 4), 3, 5, 7, 4);
    op_done(&call);
    call.attrs = lower;
    op_run(&call);
    ASSERT_OUTPUT(call, DIMS(1, 1, 4), 1, 3, 5, 7);
    op_done(&call);
    call.attrs = valid;
    op_run(&call);
    ASSERT_OUTPUT(call, DIMS(1, 1, 3), 3, 5, 7);
    op_done(&call);
}

static void conv_in_three_dimensions(void **state)
{
    (void)state;
    vt_tensor x = {.dtype = VT_F32, .shape = {5, {1, 1, 2, 2, 3}}, .data = ramp, .bytes = 48};
    vt_tensor w = {.dtype = VT_F32, .shape = {5, {1, 1, 2, 2, 2}}, .data = ones, .bytes = 32};
    op_call call = {"Conv", 11, .inputs = {&x, &w}, .input_count = 2};
    op_run(&call);
    ASSERT_OUTPUT(call, DIMS(1, 1, 1, 1, 2), 1 + 2 + 4 + 5 + 7 + 8 + 10 + 11,
                  2 + 3 + 5 + 6 + 8 + 9 + 11 + 12);
    op_done(&call);
}

static void conv_in_half_precision_rounds_once(void **state)
{
    (void)state;
    /* 1 + 2048 ones: summing in f16 would stop at 2048. */
    uint16_t x_data[2049], w_data[2049];
    for (int i = 0; i < 2049; i++)
        x_data[i] = w_data[i] = 0x3c00;
    vt_tensor x = TENSOR(VT_F16, x_data, 1, 2049, 1), w = TENSOR(VT_F16, w_data, 1, 2049, 1);
    op_call call = {"Conv", 11, .inputs = {&x, &w}, .input_count = 2};
    w_data[0] = 0x4200; /* 3: the sum is 2051, between 2050 and 2052, even wins */
    op_run(&call);
    assert_int_equal(call.outputs[0].dtype, VT_F16);
    ASSERT_OUTPUT(call, DIMS(1, 1, 1), 2052);
    op_done(&call);
}

static void conv_refuses_what_cannot_be(void **state)
{
    (void)state;
    vt_tensor x = {.dtype = VT_F32, .shape = {4, {1, 2, 3, 3}}, .data = ramp, .bytes = 72};
    vt_tensor w = {.dtype = VT_F32, .shape = {4, {1, 2, 2, 2}}, .data = ones, .bytes = 32};
    vt_tensor flat = {.dtype = VT_F32, .shape = {4, {1, 2, 0, 2}}};
    vt_tensor wide = {.dtype = VT_F32, .shape = {4, {1, 2, 4, 4}}, .data = ones, .bytes = 128};
    vt_tensor bias = {.dtype = VT_F32, .shape = {1, {2}}, .data = ones, .bytes = 8};
    const vt_attr zero_stride[] = {ATTR_INTS("strides", 0, 1)};
    const vt_attr one_stride[] = {ATTR_INTS("strides", 1)};
    const vt_attr huge_stride[] = {ATTR_INTS("dilations", INT64_MAX, 1)};
    const vt_attr minus_pad[] = {ATTR_INTS("pads", -1, 0, 0, 0)};
    const vt_attr huge_pad[] = {ATTR_INTS("pads", INT64_MAX, 0, INT64_MAX, 0)};
    const vt_attr groups[] = {ATTR_INT("group", 0)};
    const vt_attr three[] = {ATTR_INT("group", 3)};
    const vt_attr other[] = {ATTR_INTS("kernel_shape", 3, 3)};
    const vt_attr mode[] = {ATTR_TEXT("auto_pad", "SOMEHOW")};
    const vt_attr far[] = {ATTR_INTS("pads", INT32_MAX, INT32_MAX, INT32_MAX, INT32_MAX)};
    op_call call = {"Conv", 11, ATTRS(zero_stride), .inputs = {&x, &w}, .input_count = 2};
    op_fails(&call, VT_ERR_FORMAT, "\"strides\"");
    call.attrs = one_stride;
    op_fails(&call, VT_ERR_FORMAT, "\"strides\" has 1 numbers");
    call.attrs = huge_stride;
    op_fails(&call, VT_ERR_FORMAT, "\"dilations\"");
    call.attrs = minus_pad;
    op_fails(&call, VT_ERR_FORMAT, "\"pads\"");
    call.attrs = huge_pad;
    op_fails(&call, VT_ERR_FORMAT, "\"pads\"");
    call.attrs = groups;
    op_fails(&call, VT_ERR_FORMAT, "\"group\"");
    call.attrs = three;
    op_fails(&call, VT_ERR_FORMAT, "groups");
    call.attrs = other;
    op_fails(&call, VT_ERR_FORMAT, "kernel_shape");
    call.attrs = mode;
    op_fails(&call, VT_ERR_FORMAT, "auto_pad");
    call.attrs = far;
    op_fails(&call, VT_ERR_LIMIT, "limit");
    call.attr_count = 0;
    call.inputs[1] = &flat;
    op_fails(&call, VT_ERR_FORMAT, "kernel of size 0");
    call.inputs[1] = &wide;
    op_fails(&call, VT_ERR_FORMAT, "wider than the padded input");
    call.inputs[1] = &w;
    call.inputs[2] = &bias;
    call.input_count = 3;
    op_fails(&call, VT_ERR_FORMAT, "bias");
}

static void max_pool_finds_values_and_places(void **state)
{
    (void)state;
    float data[] = {1, 5, 2, 8, 0, 3, 4, 7, 6};
    vt_tensor x = TENSOR(VT_F32, data, 1, 1, 3, 3);
    const vt_attr rows[] = {ATTR_INTS("kernel_shape", 2, 2), ATTR_INT("storage_order", 0)};
    const vt_attr columns[] = {ATTR_INTS("kernel_shape", 2, 2), ATTR_INT("storage_order", 1)};
    op_call call = {"MaxPool",        12, ATTRS(rows), .inputs = {&x}, .input_count = 1,
                    .output_count = 2};
    op_run(&call);
    ASSERT_OUTPUT(call, DIMS(1, 1, 2, 2), 8, 5, 8, 7);
    assert_numbers(&call.outputs[1], 4, (double[]){3, 1, 3, 7});
    assert_int_equal(call.outputs[1].dtype, VT_I64);
    op_done(&call);
    call.attrs = columns;
    op_run(&call);
    assert_numbers(&call.outputs[1], 4, (double[]){1, 3, 1, 5});
    op_done(&call);
}

static void pools_round_up_only_while_a_window_starts_inside(void **state)
{
    (void)state;
    vt_tensor x = {.dtype = VT_F32, .shape = {3, {1, 1, 5}}, .data = ramp, .bytes = 20};
    const vt_attr floor_mode[] = {ATTR_INTS("kernel_shape", 2), ATTR_INTS("strides", 2)};
    const vt_attr ceil_mode[] = {ATTR_INTS("kernel_shape", 2), ATTR_INTS("strides", 2),
                                 ATTR_INT("ceil_mode", 1)};
    const vt_attr behind[] = {ATTR_INTS("kernel_shape", 1), ATTR_INTS("strides", 5),
                              ATTR_INTS("pads", 0, 1), ATTR_INT("ceil_mode", 1)};
    op_call call = {"MaxPool", 12, ATTRS(floor_mode), .inputs = {&x}, .input_count = 1};
    op_run(&call);
    ASSERT_OUTPUT(call, DIMS(1, 1, 2), 2, 4);
    op_done(&call);
    call.attrs = ceil_mode;
    call.attr_count = 3;
    op_run(&call);
    ASSERT_OUTPUT(call, DIMS(1, 1, 3), 2, 4, 5);
    op_done(&call);
    call.attrs = behind;
    call.attr_count = 4;
    op_run(&call); /* a second window would start at 5, where only padding is */
    ASSERT_OUTPUT(call, DIMS(1, 1, 1), 1);
    op_done(&call);
}

static void average_pool_counts_what_it_is_told_to(void **state)
{
    (void)state;
    vt_tensor x = {.dtype = VT_F32, .shape = {3, {1, 1, 3}}, .data = ramp, .bytes = 12};
    const vt_attr without[] = {ATTR_INTS("kernel_shape", 3), ATTR_INTS("pads", 1, 1)};
    const vt_attr with[] = {ATTR_INTS("kernel_shape", 3), ATTR_INTS("pads", 1, 1),
                            ATTR_INT("count_include_pad", 1)};
    /* The second window reaches one element beyond input and padding: that one never counts. */
    const vt_attr beyond[] = {ATTR_INTS("kernel_shape", 3), ATTR_INTS("pads", 0, 1),
                              ATTR_INTS("strides", 2), ATTR_INT("ceil_mode", 1),
                              ATTR_INT("count_include_pad", 1)};
    op_call call = {"AveragePool", 11, ATTRS(without), .inputs = {&x}, .input_count = 1};
    op_run(&call);
    ASSERT_OUTPUT(call, DIMS(1, 1, 3), 1.5, 2, 2.5);
    op_done(&call);
    call.attrs = with;
    call.attr_count = 3;
    op_run(&call);
    ASSERT_OUTPUT(call, DIMS(1, 1, 3), 1, 2, 5.0 / 3);
    op_done(&call);
    call.attrs = beyond;
    call.attr_count = 5;
    op_run(&call);
    ASSERT_OUTPUT(call, DIMS(1, 1, 2), 2, 3.0 / 2);
    op_done(&call);
}

static void windows_without_any_input_are_defined(void **state)
{
    (void)state;
    vt_tensor x = {.dtype = VT_F32, .shape = {3, {1, 1, 1}}, .data = ramp, .bytes = 4};
    const vt_attr attrs[] = {ATTR_INTS("kernel_shape", 1), ATTR_INTS("pads", 1, 1)};
    op_call call = {"AveragePool", 11, ATTRS(attrs), .inputs = {&x}, .input_count = 1};
    op_run(&call);
    ASSERT_OUTPUT(call, DIMS(1, 1, 3), 0, 1, 0);
    op_done(&call);
    call.name = "MaxPool";
    op_run(&call);
    assert_true(vt_tensor_get(&call.outputs[0], 0) < -3e38);
    op_done(&call);
}

static void max_pool_of_bytes(void **state)
{
    (void)state;
    int8_t data[] = {-5, -3, -128, 127};
    vt_tensor x = TENSOR(VT_I8, data, 1, 1, 4);
    const vt_attr attrs[] = {ATTR_INTS("kernel_shape", 2), ATTR_INTS("dilations", 2)};
    op_call call = {"MaxPool", 12, ATTRS(attrs), .inputs = {&x}, .input_count = 1};
    op_run(&call);
    ASSERT_OUTPUT(call, DIMS(1, 1, 2), -5, 127);
    op_done(&call);
}

static void lp_pool_is_a_norm(void **state)
{
    (void)state;
    float data[] = {3, -4, 0, 2};
    vt_tensor x = TENSOR(VT_F32, data, 1, 1, 4);
    const vt_attr attrs[] = {ATTR_INTS("kernel_shape", 2), ATTR_INTS("strides", 2)};
    op_call call = {"LpPool", 11, ATTRS(attrs), .inputs = {&x}, .input_count = 1};
    op_run(&call);
    ASSERT_OUTPUT(call, DIMS(1, 1, 2), 5, 2);
    op_done(&call);
}

static void pools_refuse_missing_and_absurd_kernels(void **state)
{
    (void)state;
    vt_tensor x = {.dtype = VT_F32, .shape = {3, {1, 1, 4}}, .data = ramp, .bytes = 16};
    const vt_attr zero[] = {ATTR_INTS("kernel_shape", 0)};
    const vt_attr huge[] = {ATTR_INTS("kernel_shape", INT32_MAX),
                            ATTR_INTS("dilations", INT32_MAX)};
    op_call call = {"MaxPool", 12, .inputs = {&x}, .input_count = 1};
    op_fails(&call, VT_ERR_FORMAT, "\"kernel_shape\" is missing");
    call.attrs = zero;
    call.attr_count = 1;
    op_fails(&call, VT_ERR_FORMAT, "\"kernel_shape\"");
    call.attrs = huge;
    call.attr_count = 2;
    op_fails(&call, VT_ERR_FORMAT, "wider than the padded input");
}

static void global_pools_leave_one_number(void **state)
{
    (void)state;
    float data[] = {1, 2, 3, 6, -1, -2, -3, -6};
    vt_tensor x = TENSOR(VT_F32, data, 1, 2, 2, 2);
    op_call call = {"GlobalAveragePool", 11, .inputs = {&x}, .input_count = 1};
    op_run(&call);
    ASSERT_OUTPUT(call, DIMS(1, 2, 1, 1), 3, -3);
    op_done(&call);
    call.name = "GlobalMaxPool";
    op_run(&call);
    ASSERT_OUTPUT(call, DIMS(1, 2, 1, 1), 6, -1);
    op_done(&call);
    call.name = "GlobalLpPool";
    op_run(&call);
    ASSERT_OUTPUT(call, DIMS(1, 2, 1, 1), 7.0710678, 7.0710678);
    op_done(&call);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(conv_slides_over_the_plane),
        cmocka_unit_test(conv_pads_strides_and_dilates),
        cmocka_unit_test(conv_keeps_groups_apart),
        cmocka_unit_test(conv_pads_automatically),
        cmocka_unit_test(conv_in_three_dimensions),
        cmocka_unit_test(conv_in_half_precision_rounds_once),
        cmocka_unit_test(conv_refuses_what_cannot_be),
        cmocka_unit_test(max_pool_finds_values_and_places),
        cmocka_unit_test(pools_round_up_only_while_a_window_starts_inside),
        cmocka_unit_test(average_pool_counts_what_it_is_told_to),
        cmocka_unit_test(windows_without_any_input_are_defined),
        cmocka_unit_test(max_pool_of_bytes),
        cmocka_unit_test(lp_pool_is_a_norm),
        cmocka_unit_test(pools_refuse_missing_and_absurd_kernels),
        cmocka_unit_test(global_pools_leave_one_number),
    };
    return cmocka_run_group_tests(tests, fill, NULL);
}
