/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Sharpness-aware steps: they learn, they go where the paper says, weights and statistics come
 * back, they begin when they should, and a run that is resumed makes the same.
 */
#include "train/runs.h"

/* The widest difference between two files' values. */
static double difference(scratch *s, const char *a, const char *b, const char *name)
{
    vt_tensor values[2] = {0};
    double widest = 0;
    read_value(s, a, name, &values[0]);
    read_value(s, b, name, &values[1]);
    const float *x = values[0].data, *y = values[1].data;
    for (size_t i = 0; i < vt_tensor_count(&values[0]); i++)
        widest = fmax(widest, fabs((double)x[i] - (double)y[i]));
    vt_tensor_deinit(&values[0]);
    vt_tensor_deinit(&values[1]);
    return widest;
}

static void it_learns(void **state)
{
    static const char *const settings[] = {"sam", "0.05", "epochs", "6", NULL};
    attempt a = {.scratch = *state, .out = "a.onnx", .settings = settings};
    run_good(&a);
    assert_true(a.result.last.loss < 0.95 * a.first_loss);
}

/* A way of no length is none: steps and statistics are those of a run without. */
static void weights_and_statistics_come_back(void **state)
{
    static const char *const names[] = {"conv.weight", "norm.weight", "norm.mean", "norm.variance"};
    static const char *const small[] = {"sam", "1e-9", "optimizer", "sgd", NULL};
    static const char *const wide[] = {"sam", "0.5", "optimizer", "sgd", NULL};
    static const char *const none[] = {"optimizer", "sgd", NULL};
    attempt without = {.scratch = *state, .out = "without.onnx", .settings = none};
    attempt near = {.scratch = *state, .out = "near.onnx", .settings = small};
    attempt away = {.scratch = *state, .out = "away.onnx", .settings = wide};
    run_good(&without);
    run_good(&near);
    run_good(&away);
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        double off = difference(*state, "without.onnx", "near.onnx", names[i]);
        double far = difference(*state, "without.onnx", "away.onnx", names[i]);
        if (off > 1e-5 || far < 1e-4)
            fail_msg("%s: %g near, %g away", names[i], off, far);
    }
}

/* One step: what the way adds to the gradient is, to first order, its length times the change of
 * the gradient along itself, so that twice the way adds twice as much. */
static void twice_the_way_adds_twice_as_much(void **state)
{
    static const char *const ways[] = {"0", "0.001", "0.002"};
    static const char *const outs[] = {"zero.onnx", "one.onnx", "two.onnx"};
    for (int i = 0; i < 3; i++) {
        const char *const settings[] = {"sam",     ways[i], "optimizer", "sgd:momentum=0,decay=0",
                                        "batch",   "32",    "epochs",    "1",
                                        "ema",     "0",     "lr",        "10",
                                        "augment", "none",  "schedule",  "constant",
                                        NULL};
        attempt a = {.scratch = *state, .out = outs[i], .settings = settings};
        run_good(&a);
    }
    double one = difference(*state, "zero.onnx", "one.onnx", "norm.weight");
    double two = difference(*state, "zero.onnx", "two.onnx", "norm.weight");
    if (!(one > 0) || fabs(two / one - 2) > 0.2)
        fail_msg("%g and %g", one, two);
}

static void it_begins_when_it_should(void **state)
{
    static const char *const none[] = {"epochs", "3", NULL};
    static const char *const last[] = {"epochs", "3", "sam", "0.5", "sam_epochs", "1", NULL};
    static const char *const all[] = {"epochs", "3", "sam", "0.5", NULL};
    attempt plain = {.scratch = *state, .out = "plain.onnx", .settings = none};
    attempt late = {.scratch = *state, .out = "late.onnx", .settings = last};
    attempt always = {.scratch = *state, .out = "always.onnx", .settings = all};
    run_good(&plain);
    run_good(&late);
    run_good(&always);
    assert_true(plain.first_loss == late.first_loss);
    assert_true(plain.first_loss != always.first_loss);
    assert_true(plain.result.last.loss != late.result.last.loss);
}

static void resumed_runs_end_the_same(void **state)
{
    static const char *const settings[] = {"sam", "0.1", "sam_epochs", "2", NULL};
    attempt whole = {.scratch = *state, .out = "whole.onnx", .settings = settings};
    run_good(&whole);
    assert_resumes_the_same(&whole, 5); /* of 16 steps, the last 8 are such */
    assert_resumes_the_same(&whole, 11);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(it_learns, setup, scratch_teardown),
        cmocka_unit_test_setup_teardown(weights_and_statistics_come_back, setup, scratch_teardown),
        cmocka_unit_test_setup_teardown(twice_the_way_adds_twice_as_much, setup, scratch_teardown),
        cmocka_unit_test_setup_teardown(it_begins_when_it_should, setup, scratch_teardown),
        cmocka_unit_test_setup_teardown(resumed_runs_end_the_same, setup, scratch_teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
