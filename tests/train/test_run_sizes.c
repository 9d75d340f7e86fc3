/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Pictures that grow: the first epochs see smaller ones, what is written takes the full size, and a
 * run that is resumed behind or before the change makes the same.
 */
#include "train/runs.h"

static size_t activations_with(scratch *s, const char *first_epochs, const char *first_size)
{
    const char *const settings[] = {"epochs",   "2", "first_epochs", first_epochs, "first_size",
                                    first_size, NULL};
    attempt a = {.scratch = s, .out = "small.onnx", .settings = settings};
    run_good(&a);
    return a.result.activation_bytes;
}

static void first_epochs_see_small_pictures(void **state)
{
    size_t whole = activations_with(*state, "0", "0");
    assert_true(whole > 0);
    assert_int_equal(activations_with(*state, "1", "8"), whole); /* of the last epoch */
    assert_true(activations_with(*state, "2", "8") < whole);
}

static void it_learns_and_writes_the_full_size(void **state)
{
    static const char *const settings[] = {"width", "0.125",      "epochs", "6", "first_epochs",
                                           "4",     "first_size", "8",      NULL};
    attempt a = {.scratch = *state, .out = "grown.onnx", .arch = "resnet9", .settings = settings};
    vt_model *model = NULL;
    run_good(&a);
    if (!(a.result.last.loss < 0.9 * a.first_loss))
        fail_msg("the loss went from %g to %g", a.first_loss, a.result.last.loss);
    assert_int_equal(vt_model_open(scratch_path(*state, "grown.onnx"), NULL, &model, NULL), VT_OK);
    assert_int_equal(vt_model_input(model, 0).shape.dims[2], SIDE);
    assert_int_equal(vt_model_input(model, 0).shape.dims[3], SIDE);
    vt_model_free(model);
}

static void resumed_runs_end_the_same(void **state)
{
    static const char *const settings[] = {"first_epochs", "2", "first_size", "8", NULL};
    attempt whole = {.scratch = *state, .out = "whole.onnx", .settings = settings};
    run_good(&whole);
    assert_resumes_the_same(&whole, 5); /* of 16 steps, the first 8 are small */
    assert_resumes_the_same(&whole, 11);
}

static void networks_of_one_size_are_refused(void **state)
{
    static const char *const settings[] = {"size",         "32", "first_size", "16",
                                           "first_epochs", "1",  NULL};
    attempt a = {.scratch = *state, .out = "a.onnx", .arch = "vit-ti", .settings = settings};
    assert_int_not_equal(run(&a), VT_OK);
    if (strstr(a.error.message, "\"first_size\"") == NULL)
        fail_msg("%s", a.error.message);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(first_epochs_see_small_pictures, setup, scratch_teardown),
        cmocka_unit_test_setup_teardown(it_learns_and_writes_the_full_size, setup,
                                        scratch_teardown),
        cmocka_unit_test_setup_teardown(resumed_runs_end_the_same, setup, scratch_teardown),
        cmocka_unit_test_setup_teardown(networks_of_one_size_are_refused, setup, scratch_teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
