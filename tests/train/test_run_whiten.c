/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A first convolution that whitens: its outputs on the photos trained on are uncorrelated and of
 * deviation 1, it stays as it began, and a run that is resumed makes the same.
 */
#include "train/runs.h"

#include "nn/weights.h"

enum { FILTERS = 8, NUMBERS = 27 };

static const char *const settings[] = {"width", "0.125", "epochs", "2", "whiten",
                                       "true",  "lr",    "0.01",   NULL};

static bool note_first(void *context, const vt_weight_info *weight)
{
    char *name = context;
    snprintf(name, 64, "%s", weight->name);
    return weight->role != VT_WEIGHT_KERNEL;
}

static void read_filters(scratch *s, const char *file, vt_tensor *out)
{
    vt_model *model;
    char name[64];
    assert_int_equal(vt_model_open(scratch_path(s, file), NULL, &model, NULL), VT_OK);
    assert_int_equal(vt_model_each_weight(model, note_first, name, NULL), VT_OK);
    assert_int_equal(vt_model_weight_read(model, name, out, NULL), VT_OK);
    vt_model_free(model);
    assert_int_equal(vt_tensor_count(out), FILTERS * NUMBERS);
}

/* Sums of products of all filters on all patches of a photo, and of the outputs alone. */
static void add_photo(const vt_tensor *weight, const char *path, double *sums, size_t *patches)
{
    static float pixels[3 * SIDE * SIDE];
    const float *filters = weight->data;
    read_pixels(path, pixels);
    for (int y = 0; y + 3 <= SIDE; y++)
        for (int x = 0; x + 3 <= SIDE; x++, ++*patches) {
            double outputs[FILTERS] = {0};
            for (int f = 0; f < FILTERS; f++)
                for (int i = 0; i < NUMBERS; i++)
                    outputs[f] += (double)filters[f * NUMBERS + i] *
                                  (double)pixels[(i / 9 * SIDE + y + i % 9 / 3) * SIDE + x + i % 3];
            for (int f = 0; f < FILTERS; f++) {
                sums[FILTERS * FILTERS + f] += outputs[f];
                for (int g = 0; g < FILTERS; g++)
                    sums[f * FILTERS + g] += outputs[f] * outputs[g];
            }
        }
}

static void outputs_are_white(void **state)
{
    attempt a = {.scratch = *state, .out = "a.onnx", .arch = "resnet9", .settings = settings};
    double sums[FILTERS * FILTERS + FILTERS] = {0};
    size_t patches = 0;
    vt_tensor weight = {0};
    run_good(&a);
    read_filters(*state, "a.onnx", &weight);
    /* All photos: the few of validation are of the same kind. */
    for (int l = 0; l < LABELS; l++)
        for (int i = 0; i < PHOTOS; i++) {
            char name[64];
            snprintf(name, sizeof(name), "data/l%d/%02d.png", l, i);
            add_photo(&weight, scratch_path(*state, name), sums, &patches);
        }
    for (int f = 0; f < FILTERS; f++)
        for (int g = 0; g < FILTERS; g++) {
            const double *means = sums + FILTERS * FILTERS;
            double count = (double)patches;
            double covariance = sums[f * FILTERS + g] / count - means[f] * means[g] / count / count;
            double wanted = f == g ? 1 : f % 4 == g % 4 ? -1 : 0;
            if (fabs(covariance - wanted) > 0.1)
                fail_msg("filters %d and %d: %g instead of %g", f, g, covariance, wanted);
        }
    vt_tensor_deinit(&weight);
}

static void resumed_runs_end_the_same(void **state)
{
    attempt whole = {
        .scratch = *state, .out = "whole.onnx", .arch = "resnet9", .settings = settings};
    run_good(&whole);
    assert_resumes_the_same(&whole, 3);
}

static void networks_that_do_not_begin_so_are_refused(void **state)
{
    static const char *const large[] = {"size", "32", "whiten", "true", NULL};
    attempt a = {.scratch = *state, .out = "a.onnx", .arch = "vit-ti", .settings = large};
    assert_int_equal(run(&a), VT_ERR_USAGE);
    assert_non_null(strstr(a.error.message, "whiten"));
    assert_non_null(strstr(a.error.message, "vit-ti"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(outputs_are_white, setup, scratch_teardown),
        cmocka_unit_test_setup_teardown(resumed_runs_end_the_same, setup, scratch_teardown),
        cmocka_unit_test_setup_teardown(networks_that_do_not_begin_so_are_refused, setup,
                                        scratch_teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
