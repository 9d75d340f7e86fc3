/* SPDX-License-Identifier: Apache-2.0 */
/* Operators that sum: Gemm, MatMul, the Reduce family, Softmax and its kin, BatchNormalization,
 * LRN. */
#include "operators.h"

static void matmul_multiplies_and_broadcasts(void **state)
{
    (void)state;
    float a_data[] = {1, 2, 3, 4, 5, 6}, b_data[] = {1, 0, 0, 1, 1, 1};
    vt_tensor a = TENSOR(VT_F32, a_data, 2, 3), b = TENSOR(VT_F32, b_data, 3, 2);
    op_call call = {"MatMul", 13, .inputs = {&a, &b}, .input_count = 2};
    op_run(&call);
    ASSERT_OUTPUT(call, DIMS(2, 2), 4, 5, 10, 11);
    op_done(&call);
    vt_tensor stack = TENSOR(VT_F32, a_data, 2, 1, 3), vector = TENSOR(VT_F32, b_data, 3);
    call.inputs[0] = &stack;
    op_run(&call);
    ASSERT_OUTPUT(call, DIMS(2, 1, 2), 4, 5, 10, 11);
    op_done(&call);
    call.inputs[1] = &vector;
    op_run(&call);
    ASSERT_OUTPUT(call, DIMS(2, 1), 1, 4);
    op_done(&call);
    call.inputs[0] = &vector;
    op_run(&call);
    assert_int_equal(call.outputs[0].shape.rank, 0);
    assert_numbers(&call.outputs[0], 1, (double[]){1});
    op_done(&call);
    call.inputs[1] = &a;
    op_fails(&call, VT_ERR_FORMAT, "inner dimensions 3 and 2");
}

static void matmul_of_integers_wraps(void **state)
{
    (void)state;
    int64_t a_data[] = {INT64_MAX, 1}, b_data[] = {2, 5};
    vt_tensor a = TENSOR(VT_I64, a_data, 1, 2), b = TENSOR(VT_I64, b_data, 2, 1);
    op_call call = {"MatMul", 13, .inputs = {&a, &b}, .input_count = 2};
    op_run(&call);
    assert_int_equal(((int64_t *)call.outputs[0].data)[0], 3);
    op_done(&call);
}

static void gemm_transposes_scales_and_adds(void **state)
{
    (void)state;
    float a_data[] = {1, 2, 3, 4, 5, 6}, b_data[] = {1, 1, 0, 2, 0, 1}, c_data[] = {10, 20};
    vt_tensor a = TENSOR(VT_F32, a_data, 3, 2), b = TENSOR(VT_F32, b_data, 2, 3);
    vt_tensor c = TENSOR(VT_F32, c_data, 2, 1), wide = TENSOR(VT_F32, a_data, 3, 2, 1);
    const vt_attr attrs[] = {ATTR_INT("transA", 1), ATTR_INT("transB", 1),
                             ATTR_FLOAT("alpha", 2.0f), ATTR_FLOAT("beta", 0.5f)};
    op_call call = {"Gemm", 11, ATTRS(attrs), .inputs = {&a, &b, &c}, .input_count = 3};
    op_run(&call);
    ASSERT_OUTPUT(call, DIMS(2, 2), 2 * 4 + 5, 2 * 7 + 5, 2 * 6 + 10, 2 * 10 + 10);
    op_done(&call);
    call.inputs[2] = &wide;
    op_fails(&call, VT_ERR_FORMAT, "broadcast");
    call.input_count = 2;
    op_run(&call);
    ASSERT_OUTPUT(call, DIMS(2, 2), 8, 14, 12, 20);
    op_done(&call);
    call.opset = 9;
    op_fails(&call, VT_ERR_FORMAT, "2 inputs");
}

static void gemm_of_integers_is_exact(void **state)
{
    (void)state;
    int64_t a_data[] = {(INT64_C(1) << 53) + 1}, b_data[] = {3}, c_data[] = {1};
    vt_tensor a = TENSOR(VT_I64, a_data, 1, 1), b = TENSOR(VT_I64, b_data, 1, 1);
    vt_tensor c = SCALAR(VT_I64, c_data);
    op_call call = {"Gemm", 11, .inputs = {&a, &b, &c}, .input_count = 3};
    op_run(&call);
    assert_true(((int64_t *)call.outputs[0].data)[0] == 3 * ((INT64_C(1) << 53) + 1) + 1);
    op_done(&call);
}

static float cube[] = {1, 2, 3, 4, 5, 6, 7, 8};

static void reductions_by_attribute_and_input(void **state)
{
    (void)state;
    vt_tensor x = TENSOR(VT_F32, cube, 2, 2, 2);
    int64_t last[] = {-1};
    vt_tensor axes = TENSOR(VT_I64, last, 1);
    const vt_attr named[] = {ATTR_INTS("axes", 0, 2), ATTR_INT("keepdims", 0)};
    op_call call = {"ReduceSum", 11, ATTRS(named), .inputs = {&x}, .input_count = 1};
    op_run(&call);
    ASSERT_OUTPUT(call, DIMS(2), 1 + 2 + 5 + 6, 3 + 4 + 7 + 8);
    op_done(&call);
    call = (op_call){"ReduceMax", 18, .inputs = {&x, &axes}, .input_count = 2};
    op_run(&call);
    ASSERT_OUTPUT(call, DIMS(2, 2, 1), 2, 4, 6, 8);
    op_done(&call);
    call.computed = 1u << 1;
    op_fails(&call, VT_ERR_UNSUPPORTED, "needed to plan");
    call = (op_call){"ReduceMean", 18, .inputs = {&x}, .input_count = 1};
    op_run(&call);
    ASSERT_OUTPUT(call, DIMS(1, 1, 1), 4.5);
    op_done(&call);
}

static void reductions_know_their_function(void **state)
{
    (void)state;
    float data[] = {3, -4};
    vt_tensor x = TENSOR(VT_F32, data, 2);
    const struct {
        const char *name;
        double want;
    } rows[] = {{"ReduceSum", -1},     {"ReduceMean", -0.5},
                {"ReduceMax", 3},      {"ReduceMin", -4},
                {"ReduceProd", -12},   {"ReduceL1", 7},
                {"ReduceL2", 5},       {"ReduceSumSquare", 25},
                {"ReduceLogSum", NAN}, {"ReduceLogSumExp", 3.00091147}};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        op_call call = {rows[i].name, 11, .inputs = {&x}, .input_count = 1};
        op_run(&call);
        ASSERT_OUTPUT(call, DIMS(1), rows[i].want);
        op_done(&call);
    }
}

static void reductions_of_nothing_are_neutral(void **state)
{
    (void)state;
    vt_tensor x = {.dtype = VT_F32, .shape = {2, {0, 2}}};
    const struct {
        const char *name;
        double want;
    } rows[] = {
        {"ReduceSum", 0},        {"ReduceProd", 1},           {"ReduceMax", -INFINITY},
        {"ReduceMin", INFINITY}, {"ReduceLogSum", -INFINITY}, {"ReduceLogSumExp", -INFINITY}};
    const vt_attr attrs[] = {ATTR_INTS("axes", 0)};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        op_call call = {rows[i].name, 11, ATTRS(attrs), .inputs = {&x}, .input_count = 1};
        op_run(&call);
        ASSERT_OUTPUT(call, DIMS(1, 2), rows[i].want, rows[i].want);
        op_done(&call);
    }
    x.dtype = VT_I8;
    op_call call = {"ReduceMin", 12, ATTRS(attrs), .inputs = {&x}, .input_count = 1};
    op_run(&call);
    ASSERT_OUTPUT(call, DIMS(1, 2), 127, 127);
    op_done(&call);
}

static void no_axes_can_mean_no_reduction(void **state)
{
    (void)state;
    float data[] = {-3, 4};
    vt_tensor x = TENSOR(VT_F32, data, 2);
    const vt_attr attrs[] = {ATTR_INT("noop_with_empty_axes", 1)};
    op_call call = {"ReduceSum", 13, ATTRS(attrs), .inputs = {&x}, .input_count = 1};
    op_run(&call);
    ASSERT_OUTPUT(call, DIMS(2), -3, 4);
    op_done(&call);
}

static void log_sum_exp_does_not_overflow(void **state)
{
    (void)state;
    double data[] = {10000, 10000};
    vt_tensor x = TENSOR(VT_F64, data, 2);
    op_call call = {"ReduceLogSumExp", 13, .inputs = {&x}, .input_count = 1};
    op_run(&call);
    ASSERT_OUTPUT(call, DIMS(1), 10000.6931472);
    op_done(&call);
}

static void reductions_refuse_bad_axes(void **state)
{
    (void)state;
    vt_tensor x = TENSOR(VT_F32, cube, 2, 2, 2);
    const vt_attr outside[] = {ATTR_INTS("axes", 3)}, below[] = {ATTR_INTS("axes", -4)};
    const vt_attr twice[] = {ATTR_INTS("axes", 1, -2)};
    const vt_attr many[] = {ATTR_INTS("axes", 0, 1, 2, 0, 1, 2, 0, 1, 2)};
    op_call call = {"ReduceSum", 11, ATTRS(outside), .inputs = {&x}, .input_count = 1};
    op_fails(&call, VT_ERR_FORMAT, "axis 3 is outside");
    call.attrs = below;
    op_fails(&call, VT_ERR_FORMAT, "axis -4 is outside");
    call.attrs = twice;
    op_fails(&call, VT_ERR_FORMAT, "given twice");
    call.attrs = many;
    op_fails(&call, VT_ERR_LIMIT, "at most 8");
}

static void softmax_changed_its_meaning(void **state)
{
    (void)state;
    float data[] = {0, 0, 0, 0};
    vt_tensor x = TENSOR(VT_F32, data, 1, 2, 2);
    const vt_attr axis[] = {ATTR_INT("axis", 1)};
    op_call call = {"Softmax", 11, ATTRS(axis), .inputs = {&x}, .input_count = 1};
    op_run(&call); /* rows of everything from the axis on */
    ASSERT_OUTPUT(call, DIMS(1, 2, 2), 0.25, 0.25, 0.25, 0.25);
    op_done(&call);
    call.opset = 13;
    op_run(&call);
    ASSERT_OUTPUT(call, DIMS(1, 2, 2), 0.5, 0.5, 0.5, 0.5);
    op_done(&call);
    float large[] = {1000, 1001, -1000, 1000};
    vt_tensor y = TENSOR(VT_F32, large, 2, 2);
    call = (op_call){"LogSoftmax", 13, .inputs = {&y}, .input_count = 1};
    op_run(&call);
    ASSERT_OUTPUT(call, DIMS(2, 2), -1.3132617, -0.3132617, -2000, 0);
    op_done(&call);
    call.name = "Hardmax";
    op_run(&call);
    ASSERT_OUTPUT(call, DIMS(2, 2), 0, 1, 0, 1);
    op_done(&call);
    call.attrs = (const vt_attr[]){ATTR_INT("axis", 2)};
    call.attr_count = 1;
    op_fails(&call, VT_ERR_FORMAT, "axis 2");
}

static void batchnorm_normalises_channels(void **state)
{
    (void)state;
    float data[] = {1, 3, 10, 30}, scale[] = {2, 1}, bias[] = {0, 5}, mean[] = {1, 10};
    float variance[] = {4, 100};
    vt_tensor x = TENSOR(VT_F32, data, 1, 2, 2), s = TENSOR(VT_F32, scale, 2);
    vt_tensor b = TENSOR(VT_F32, bias, 2), m = TENSOR(VT_F32, mean, 2);
    vt_tensor v = TENSOR(VT_F32, variance, 2), wrong = TENSOR(VT_F32, data, 4);
    const vt_attr attrs[] = {ATTR_FLOAT("epsilon", 0.0f)};
    op_call call = {"BatchNormalization", 9, ATTRS(attrs), .inputs = {&x, &s, &b, &m, &v},
                    .input_count = 5};
    op_run(&call);
    ASSERT_OUTPUT(call, DIMS(1, 2, 2), 0, 2, 5, 7);
    op_done(&call);
    const vt_attr training[] = {ATTR_FLOAT("epsilon", 0.0f), ATTR_INT("training_mode", 1),
                                ATTR_FLOAT("momentum", 0.5f)};
    call = (op_call){"BatchNormalization", 15,
                     ATTRS(training),      .inputs = {&x, &s, &b, &m, &v},
                     .input_count = 5,     .output_count = 3};
    op_run(&call);
    ASSERT_OUTPUT(call, DIMS(1, 2, 2), -2, 2, 4, 6);
    assert_numbers(&call.outputs[1], 2, (double[]){1.5, 15});
    assert_numbers(&call.outputs[2], 2, (double[]){2.5, 100});
    op_done(&call);
    call.inputs[3] = &wrong;
    op_fails(&call, VT_ERR_FORMAT, "input 3");
}

static void lrn_looks_at_neighbours(void **state)
{
    (void)state;
    float data[] = {1, 2, 3};
    vt_tensor x = TENSOR(VT_F32, data, 1, 3, 1);
    const vt_attr attrs[] = {ATTR_INT("size", 2), ATTR_FLOAT("alpha", 2.0f),
                             ATTR_FLOAT("beta", 1.0f), ATTR_FLOAT("bias", 1.0f)};
    const vt_attr absurd[] = {ATTR_INT("size", 0)};
    op_call call = {"LRN", 13, ATTRS(attrs), .inputs = {&x}, .input_count = 1};
    op_run(&call); /* an even size looks further ahead than back */
    ASSERT_OUTPUT(call, DIMS(1, 3, 1), 1.0 / 6, 2.0 / 14, 3.0 / 10);
    op_done(&call);
    call.attrs = absurd;
    call.attr_count = 1;
    op_fails(&call, VT_ERR_FORMAT, "\"size\"");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(matmul_multiplies_and_broadcasts),
        cmocka_unit_test(matmul_of_integers_wraps),
        cmocka_unit_test(gemm_transposes_scales_and_adds),
        cmocka_unit_test(gemm_of_integers_is_exact),
        cmocka_unit_test(reductions_by_attribute_and_input),
        cmocka_unit_test(reductions_know_their_function),
        cmocka_unit_test(reductions_of_nothing_are_neutral),
        cmocka_unit_test(no_axes_can_mean_no_reduction),
        cmocka_unit_test(log_sum_exp_does_not_overflow),
        cmocka_unit_test(reductions_refuse_bad_axes),
        cmocka_unit_test(softmax_changed_its_meaning),
        cmocka_unit_test(batchnorm_normalises_channels),
        cmocka_unit_test(lrn_looks_at_neighbours),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
