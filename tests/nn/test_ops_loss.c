/* SPDX-License-Identifier: Apache-2.0 */
/* NegativeLogLikelihoodLoss and SoftmaxCrossEntropyLoss. */
#include "operators.h"

/* (2, 2 classes, 2): picture 0: class 0: -1 -2, class 1: -3 -4; picture 1: -5 -6, -7 -8. */
static float scores[] = {-1, -2, -3, -4, -5, -6, -7, -8};
static int64_t targets[] = {0, 1, 1, 0};
static float weights[] = {1, 10};

static void likelihood_picks_targets(void **state)
{
    (void)state;
    const vt_attr none[] = {ATTR_TEXT("reduction", "none")};
    const vt_attr sum[] = {ATTR_TEXT("reduction", "sum")};
    vt_tensor x = TENSOR(VT_F32, scores, 2, 2, 2), t = TENSOR(VT_I64, targets, 2, 2);
    vt_tensor w = TENSOR(VT_F32, weights, 2);
    op_call call = {"NegativeLogLikelihoodLoss", 12, ATTRS(none), .inputs = {&x, &t, &w},
                    .input_count = 2};
    op_run(&call);
    ASSERT_OUTPUT(call, DIMS(2, 2), 1, 4, 7, 6);
    op_done(&call);
    call.input_count = 3;
    op_run(&call);
    ASSERT_OUTPUT(call, DIMS(2, 2), 1, 40, 70, 6);
    op_done(&call);
    call.attrs = sum;
    op_run(&call);
    assert_int_equal(call.outputs[0].shape.rank, 0);
    assert_numbers(&call.outputs[0], 1, (const double[]){117});
    op_done(&call);
    call.attr_count = 0; /* the mean is weighted, too: 1 + 10 + 10 + 1 */
    op_run(&call);
    assert_numbers(&call.outputs[0], 1, (const double[]){117 / 22.0});
    op_done(&call);
}

static void ignored_targets_count_nothing(void **state)
{
    (void)state;
    const vt_attr attrs[] = {ATTR_INT("ignore_index", -7)};
    const vt_attr none[] = {ATTR_INT("ignore_index", 1), ATTR_TEXT("reduction", "none")};
    int32_t some[] = {0, -7, 1, -7};
    vt_tensor x = TENSOR(VT_F32, scores, 2, 2, 2), t = TENSOR(VT_I32, some, 2, 2);
    vt_tensor known = TENSOR(VT_I64, targets, 2, 2);
    op_call call = {"NegativeLogLikelihoodLoss", 13, ATTRS(attrs), .inputs = {&x, &t},
                    .input_count = 2};
    op_run(&call);
    assert_numbers(&call.outputs[0], 1, (const double[]){4});
    op_done(&call);
    call.attr_count = 0;
    op_fails(&call, VT_ERR_FORMAT, "target -7 is not one of 2 classes");
    some[1] = 2;
    op_fails(&call, VT_ERR_FORMAT, "target 2 is not one of 2 classes");
    call.inputs[1] = &known;
    call.attrs = none;
    call.attr_count = 2;
    op_run(&call);
    ASSERT_OUTPUT(call, DIMS(2, 2), 1, 0, 0, 6);
    op_done(&call);
}

static void entropy_takes_scores_and_hands_out_logarithms(void **state)
{
    (void)state;
    /* Softmax of each pair: three quarters, one quarter; large enough to overflow exp. */
    float large[] = {1000 + (float)log(3.0), 1000, 0, (float)log(3.0)};
    double rare = log(4.0), often = log(4.0 / 3);
    int64_t classes[] = {1, 1};
    vt_tensor x = TENSOR(VT_F32, large, 2, 2), t = TENSOR(VT_I64, classes, 2);
    op_call call = {"SoftmaxCrossEntropyLoss", 13, .inputs = {&x, &t}, .input_count = 2,
                    .output_count = 2};
    op_run(&call);
    vt_tensor *logarithms = &call.outputs[1];
    assert_shape(logarithms, 2, (const int64_t[]){2, 2});
    assert_true(fabs(vt_tensor_get(logarithms, 0) + often) < 1e-4);
    assert_true(fabs(vt_tensor_get(logarithms, 1) + rare) < 1e-4);
    assert_true(fabs(vt_tensor_get(logarithms, 3) + often) < 1e-6);
    assert_true(fabs(vt_tensor_get(&call.outputs[0], 0) - (rare + often) / 2) < 1e-4);
    op_done(&call);
}

static void refuses_what_cannot_be(void **state)
{
    (void)state;
    const vt_attr mode[] = {ATTR_TEXT("reduction", "median")};
    double wide[] = {1, 1};
    vt_tensor x = TENSOR(VT_F32, scores, 2, 2, 2), t = TENSOR(VT_I64, targets, 2, 2);
    vt_tensor flat = TENSOR(VT_I64, targets, 4), row = TENSOR(VT_F32, weights, 2);
    vt_tensor f64 = TENSOR(VT_F64, wide, 2), many = TENSOR(VT_F32, scores, 8);
    op_call call = {"SoftmaxCrossEntropyLoss", 12, ATTRS(mode), .inputs = {&x, &t, &many},
                    .input_count = 2};
    op_fails(&call, VT_ERR_FORMAT, "\"reduction\" is \"median\"");
    call.attr_count = 0;
    call.input_count = 3;
    op_fails(&call, VT_ERR_FORMAT, "one number per class");
    call.inputs[2] = &f64;
    op_fails(&call, VT_ERR_FORMAT, "weights have type f64");
    call.input_count = 2;
    call.inputs[1] = &flat;
    op_fails(&call, VT_ERR_FORMAT, "targets do not fit");
    call.inputs[1] = &x;
    op_fails(&call, VT_ERR_UNSUPPORTED, "input 1 has type f32");
    call.inputs[0] = &row;
    call.inputs[1] = &t;
    op_fails(&call, VT_ERR_FORMAT, "1 dimensions");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(likelihood_picks_targets),
        cmocka_unit_test(ignored_targets_count_nothing),
        cmocka_unit_test(entropy_takes_scores_and_hands_out_logarithms),
        cmocka_unit_test(refuses_what_cannot_be),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
