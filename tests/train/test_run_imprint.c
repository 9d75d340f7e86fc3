/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Classifiers that begin as the mean of each class's photos: right before anything was learned,
 * kept where they fit, the same again in a run that is resumed.
 */
#include "train/runs.h"

/* So slow that weights stay as they began. */
static const char *const still[] = {"imprint", "7", "epochs", "1", "lr", "1e-12", "ema", "0", NULL};

static void read_weight(scratch *s, const char *file, float *out)
{
    vt_tensor weight = {0};
    read_value(s, file, "head.classes.linear.weight", &weight);
    assert_int_equal(vt_tensor_count(&weight), LABELS * CHANNELS);
    memcpy(out, weight.data, LABELS * CHANNELS * sizeof(float));
    vt_tensor_deinit(&weight);
}

/* What net.onnx says of one photo. */
static void embed(vt_session *session, const char *path, float *out)
{
    static float pixels[3 * SIDE * SIDE];
    vt_tensor output;
    vt_tensor input = {.dtype = VT_F32, .data = pixels, .bytes = sizeof(pixels)};
    input.shape = vt_shape_of(4, (int64_t[]){1, 3, SIDE, SIDE});
    read_pixels(path, pixels);
    assert_int_equal(vt_session_run(session, &input, 1, &output, NULL), VT_OK);
    memcpy(out, output.data, CHANNELS * sizeof(float));
}

static float length_of(const float *vector)
{
    float sum = 0;
    for (int d = 0; d < CHANNELS; d++)
        sum += vector[d] * vector[d];
    return sqrtf(sum);
}

/* From 7 times the mean direction of a label's photos, without the one that is for validation:
 * which one that is, is not known, so the least of all. */
static float distance_from_mean(const float *weights, float (*vectors)[CHANNELS])
{
    float best = INFINITY;
    for (int left = 0; left < PHOTOS; left++) {
        float mean[CHANNELS] = {0}, off = 0;
        for (int i = 0; i < PHOTOS; i++)
            for (int d = 0; d < CHANNELS && i != left; d++)
                mean[d] += vectors[i][d] / length_of(vectors[i]);
        for (int d = 0; d < CHANNELS; d++)
            off = fmaxf(off, fabsf(7 * mean[d] / length_of(mean) - weights[d]));
        best = fminf(best, off);
    }
    return best;
}

static void weights_are_mean_directions(void **state)
{
    attempt a = {.scratch = *state, .out = "a.onnx", .settings = still};
    float weights[LABELS * CHANNELS];
    vt_model *model;
    vt_session *session;
    run_good(&a);
    read_weight(*state, "a.onnx", weights);
    assert_int_equal(vt_model_open(scratch_path(*state, "net.onnx"), NULL, &model, NULL), VT_OK);
    assert_int_equal(vt_session_new(model, NULL, &session, NULL), VT_OK);
    for (int l = 0; l < LABELS; l++) {
        float vectors[PHOTOS][CHANNELS];
        for (int i = 0; i < PHOTOS; i++) {
            char name[64];
            snprintf(name, sizeof(name), "data/l%d/%02d.png", l, i);
            embed(session, scratch_path(*state, name), vectors[i]);
        }
        float off = distance_from_mean(weights + l * CHANNELS, vectors);
        if (off > 1e-3f)
            fail_msg("label %d: off by %g", l, (double)off);
    }
    vt_session_free(session);
    vt_model_free(model);
}

static void it_is_right_from_the_start(void **state)
{
    static const char *const plain[] = {"epochs", "1", "lr", "1e-12", "ema", "0", NULL};
    attempt with = {.scratch = *state, .out = "with.onnx", .settings = still, .val_share = 0.3};
    attempt without = {
        .scratch = *state, .out = "without.onnx", .settings = plain, .val_share = 0.3};
    run_good(&with);
    run_good(&without);
    assert_true(with.result.last.measures[VT_MEASURE_ACCURACY] > 0.9);
    assert_true(without.result.last.measures[VT_MEASURE_ACCURACY] < 0.5);
    assert_true(with.first_loss < without.first_loss);
}

static void heads_that_fit_are_kept(void **state)
{
    attempt first = {.scratch = *state, .out = "first.onnx", .settings = still};
    float before[LABELS * CHANNELS], after[LABELS * CHANNELS];
    char path[SCRATCH_PATH_BYTES];
    run_good(&first);
    snprintf(path, sizeof(path), "%s", scratch_path(*state, "first.onnx"));
    const char *const again[] = {"from", path,    "imprint", "3", "epochs", "1",
                                 "lr",   "1e-12", "ema",     "0", NULL};
    attempt second = {.scratch = *state, .out = "second.onnx", .settings = again};
    read_weight(*state, "first.onnx", before);
    run_good(&second);
    read_weight(*state, "second.onnx", after);
    for (int i = 0; i < LABELS * CHANNELS; i++)
        assert_float_equal(before[i], after[i], 1e-6);
}

static void resumed_runs_end_the_same(void **state)
{
    static const char *const settings[] = {"imprint", "7", NULL};
    attempt whole = {.scratch = *state, .out = "whole.onnx", .settings = settings};
    run_good(&whole);
    assert_resumes_the_same(&whole, 5);
}

static void it_can_be_interrupted(void **state)
{
    attempt a = {.scratch = *state, .out = "never.onnx", .settings = still, .imprint_ends = true};
    assert_int_equal(run(&a), VT_ERR_CANCELLED);
    assert_false(vt_file_exists(scratch_path(*state, "never.onnx")));
    a.imprint_ends = false;
    run_good(&a);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(weights_are_mean_directions, setup, scratch_teardown),
        cmocka_unit_test_setup_teardown(it_is_right_from_the_start, setup, scratch_teardown),
        cmocka_unit_test_setup_teardown(heads_that_fit_are_kept, setup, scratch_teardown),
        cmocka_unit_test_setup_teardown(resumed_runs_end_the_same, setup, scratch_teardown),
        cmocka_unit_test_setup_teardown(it_can_be_interrupted, setup, scratch_teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
