/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The forms that a training can take, each as a whole run of a few steps: that it learns, that what
 * was to be kept was kept, and that the file it writes opens as an encoder, whose golden picture is
 * checked on the way.
 */
#include "train/runs.h"

#include "nn/weights.h"

enum { FILE_BYTES = 1 << 24 };

static int setup_deep(void **state)
{
    if (setup(state) != 0)
        return -1;
    write_network(*state, true);
    return 0;
}

/* Of the file that a run wrote. */
static vt_model *open_model(scratch *s, const char *name)
{
    vt_model *model = NULL;
    vt_error error;
    if (vt_model_open(scratch_path(s, name), NULL, &model, &error) != VT_OK)
        fail_msg("%s", error.message);
    return model;
}

static size_t dim_of(scratch *s, const char *name)
{
    vt_encoder *encoder = NULL;
    vt_encoder_options options = vt_encoder_options_defaults();
    vt_error error;
    if (vt_encoder_open(scratch_path(s, name), &options, &encoder, &error) != VT_OK)
        fail_msg("%s", error.message);
    assert_true(vt_encoder_info_of(encoder).golden_checked);
    size_t dim = vt_encoder_info_of(encoder).dim;
    vt_encoder_free(encoder);
    return dim;
}

/* A run with these settings learns: its loss falls to the given share of the first epoch's. */
static void run_learning(attempt *a, double share)
{
    run_good(a);
    if (!(a->first_loss > 0))
        fail_msg("the first loss is %g, the last %g", a->first_loss, a->result.last.loss);
    if (!(a->result.last.loss < share * a->first_loss))
        fail_msg("the loss went from %g to %g", a->first_loss, a->result.last.loss);
    assert_int_equal(dim_of(a->scratch, a->out), CHANNELS);
}

/* Whether two files have the same numbers in the weight of this name. */
static bool same_weight(scratch *s, const char *a, const char *b, const char *name)
{
    const char *const files[2] = {a, b};
    vt_tensor found[2] = {{0}};
    for (int i = 0; i < 2; i++) {
        read_value(s, files[i], name, &found[i]);
        assert_true(found[i].bytes > 0);
    }
    bool same = found[0].bytes == found[1].bytes &&
                memcmp(found[0].data, found[1].data, found[0].bytes) == 0;
    vt_tensor_deinit(&found[0]);
    vt_tensor_deinit(&found[1]);
    return same;
}

static void adapters_are_trained_and_merged(void **state)
{
    static const char *const settings[] = {"lora", "4", "epochs", "6", NULL};
    attempt a = {.scratch = *state, .out = "lora.onnx", .settings = settings};
    run_learning(&a, 0.95);
    vt_model *model = open_model(*state, "lora.onnx");
    assert_false(vt_model_has_value(model, "point.weight.lora_a"));
    assert_false(vt_model_has_value(model, "point.weight.lora_b"));
    vt_model_free(model);
    assert_true(same_weight(*state, "net.onnx", "lora.onnx", "conv.weight"));
    assert_false(same_weight(*state, "net.onnx", "lora.onnx", "point.weight"));
}

static void what_is_frozen_stays(void **state)
{
    static const char *const forms[][2] = {
        {"all-but-head", ""}, {"all-but-norms", "norm.weight"}, {"all-but-biases", "norm.bias"}};
    for (size_t i = 0; i < sizeof(forms) / sizeof(forms[0]); i++) {
        const char *const settings[] = {"freeze", forms[i][0], "epochs", "6", NULL};
        attempt a = {.scratch = *state, .out = "frozen.onnx", .settings = settings};
        run_learning(&a, 0.95);
        assert_true(same_weight(*state, "net.onnx", "frozen.onnx", "conv.weight"));
        assert_true(same_weight(*state, "net.onnx", "frozen.onnx", "point.weight"));
        assert_int_equal(same_weight(*state, "net.onnx", "frozen.onnx", "norm.mean"), true);
        if (forms[i][1][0] != '\0')
            assert_false(same_weight(*state, "net.onnx", "frozen.onnx", forms[i][1]));
        else
            assert_true(same_weight(*state, "net.onnx", "frozen.onnx", "norm.weight"));
        unlink(scratch_path(*state, "frozen.onnx"));
        unlink(scratch_path(*state, "frozen.onnx.checkpoint"));
    }
    static const char *const stages[] = {"freeze", "stages=9", NULL};
    attempt a = {.scratch = *state, .out = "stages.onnx", .settings = stages};
    assert_int_equal(run(&a), VT_ERR_USAGE);
    assert_non_null(strstr(a.error.message, "stages"));
}

static void students_learn_from_a_teacher(void **state)
{
    attempt first = {.scratch = *state, .out = "teacher.onnx"};
    char teacher[SCRATCH_PATH_BYTES];
    run_learning(&first, 0.95);
    snprintf(teacher, sizeof(teacher), "%s", scratch_path(*state, "teacher.onnx"));
    static const char *const losses[] = {"kd", "kd-cosine", "ce=0.5,kd-mse"};
    static const char *const outs[] = {"kd.onnx", "cosine.onnx", "mse.onnx"};
    for (int i = 0; i < 3; i++) {
        const char *const settings[] = {"loss", losses[i], "teacher", teacher, "epochs", "6", NULL};
        attempt a = {.scratch = *state, .out = outs[i], .settings = settings};
        run_learning(&a, 0.95);
    }
    static const char *const alone[] = {"loss", "kd", NULL};
    attempt a = {.scratch = *state, .out = "alone.onnx", .settings = alone};
    assert_int_equal(run(&a), VT_ERR_USAGE);
    assert_non_null(strstr(a.error.message, "teacher"));
}

static void two_views_of_a_photo_find_each_other(void **state)
{
    static const char *const settings[] = {"loss", "nt-xent", "batch", "12", "lr",
                                           "0.02", "epochs",  "12",    NULL};
    static const char *const odd[] = {"loss", "nt-xent", "batch", "7", NULL};
    attempt a = {.scratch = *state, .out = "views.onnx", .settings = settings, .val_share = 0.3};
    run_learning(&a, 0.99);
    assert_true(isnan(a.result.last.measures[VT_MEASURE_ACCURACY]));
    assert_true(a.result.last.measures[VT_MEASURE_RECALL_1] >= 0);
    attempt bad = {.scratch = *state, .out = "odd.onnx", .settings = odd};
    assert_int_equal(run(&bad), VT_ERR_USAGE);
    assert_non_null(strstr(bad.error.message, "even"));
}

static void pictures_are_mixed(void **state)
{
    static const char *const mixtures[] = {"light,mixup=0.2", "light,cutmix=1",
                                           "light,mixup=0.2,cutmix=1"};
    static const char *const outs[] = {"mixup.onnx", "cutmix.onnx", "both.onnx"};
    for (int i = 0; i < 3; i++) {
        const char *const settings[] = {"augment", mixtures[i], "epochs", "6", NULL};
        attempt a = {.scratch = *state, .out = outs[i], .settings = settings};
        run_learning(&a, 0.97);
        assert_true(a.result.last.measures[VT_MEASURE_ACCURACY] > 0.6);
    }
    static const char *const pairs[] = {"augment", "light,mixup=0.2", "loss", "triplet", NULL};
    attempt a = {.scratch = *state, .out = "pairs.onnx", .settings = pairs};
    assert_int_equal(run(&a), VT_ERR_USAGE);
    assert_non_null(strstr(a.error.message, "mixes"));
}

static void triplets_come_in_classes(void **state)
{
    static const char *const settings[] = {"loss",    "triplet(margin=1)",
                                           "sampler", "classes:3",
                                           "batch",   "9",
                                           "lr",      "0.02",
                                           "epochs",  "8",
                                           NULL};
    static const char *const never[] = {"loss",  "triplet", "sampler", "classes:2",
                                        "batch", "8",       NULL};
    attempt a = {.scratch = *state, .out = "triplet.onnx", .settings = settings, .report = true};
    run_learning(&a, 0.97);
    vt_buf page;
    vt_buf_init(&page, FILE_BYTES);
    assert_int_equal(vt_file_read(scratch_path(*state, "report.html"), FILE_BYTES, &page, NULL),
                     VT_OK);
    assert_non_null(strstr(vt_buf_text(&page), "Hard examples"));
    assert_null(strstr(vt_buf_text(&page), "Confusion matrix"));
    vt_buf_deinit(&page);
    attempt bad = {.scratch = *state, .out = "few.onnx", .settings = never};
    assert_int_equal(run(&bad), VT_ERR_USAGE); /* four labels in a batch of three */
}

static void the_average_is_what_is_written(void **state)
{
    static const char *const slow[] = {"ema", "0.999", "epochs", "2", NULL};
    static const char *const none[] = {"ema", "0", "epochs", "2", NULL};
    attempt average = {.scratch = *state, .out = "average.onnx", .settings = slow};
    attempt newest = {.scratch = *state, .out = "newest.onnx", .settings = none};
    run_good(&average);
    run_good(&newest);
    assert_true(average.result.last.loss == newest.result.last.loss); /* the same steps */
    assert_false(same_weight(*state, "average.onnx", "newest.onnx", "conv.weight"));
    assert_int_equal(dim_of(*state, "average.onnx"), CHANNELS);
}

static void the_rate_falls_on_a_plateau(void **state)
{
    static const char *const settings[] = {
        "schedule", "plateau:patience=1,factor=0.1", "early_stop", "6", "epochs", "60", NULL};
    attempt a = {.scratch = *state, .out = "plateau.onnx", .settings = settings};
    run_good(&a);
    assert_true(a.result.stopped_early);
    assert_true(a.result.last.epoch < 60);
    assert_true(a.result.best.epoch <= a.result.last.epoch - 6);
    assert_true(a.result.last.rate < 0.1 * 0.11); /* at least once */
    assert_int_equal(dim_of(*state, "plateau.onnx"), CHANNELS);
}

static void gathered_batches_are_one_update(void **state)
{
    static const char *const settings[] = {"accumulate", "2",        "batch", "4",
                                           "epochs",     "6",        "loss",  "ce(smoothing=0.1)",
                                           "sampler",    "balanced", NULL};
    attempt a = {.scratch = *state, .out = "gathered.onnx", .settings = settings, .report = true};
    run_learning(&a, 0.97);
    vt_buf page;
    vt_buf_init(&page, FILE_BYTES);
    assert_int_equal(vt_file_read(scratch_path(*state, "report.html"), FILE_BYTES, &page, NULL),
                     VT_OK);
    static const char *const parts[] = {"Confusion matrix", "<h2>Classes", "Hard examples",
                                        "<polyline", "</html>"};
    for (size_t i = 0; i < sizeof(parts) / sizeof(parts[0]); i++)
        assert_non_null(strstr(vt_buf_text(&page), parts[i]));
    vt_buf_deinit(&page);
}

static void made_again_is_the_same(void **state)
{
    static const char *const kept[] = {"epochs", "2", NULL};
    static const char *const again[] = {"epochs", "2", "recompute", "true", NULL};
    attempt a = {.scratch = *state, .out = "kept.onnx", .settings = kept};
    attempt b = {.scratch = *state, .out = "again.onnx", .settings = again};
    run_good(&a);
    run_good(&b);
    static const char *const names[] = {"conv.weight", "norm.weight", "norm.mean", "point.weight"};
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
        assert_true(same_weight(*state, "kept.onnx", "again.onnx", names[i]));
    assert_true(b.result.activation_bytes > 0);
    assert_true(b.result.activation_bytes <= a.result.activation_bytes);
    assert_true(a.result.memory_bytes > a.result.activation_bytes);
}

#define RUN_TEST(name) cmocka_unit_test_setup_teardown(name, setup_deep, scratch_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        RUN_TEST(adapters_are_trained_and_merged),
        RUN_TEST(what_is_frozen_stays),
        RUN_TEST(students_learn_from_a_teacher),
        RUN_TEST(two_views_of_a_photo_find_each_other),
        RUN_TEST(pictures_are_mixed),
        RUN_TEST(triplets_come_in_classes),
        RUN_TEST(the_average_is_what_is_written),
        RUN_TEST(the_rate_falls_on_a_plateau),
        RUN_TEST(made_again_is_the_same),
        RUN_TEST(gathered_batches_are_one_update),
    };
    run_threads = "1"; /* test_run.c has two */
    return cmocka_run_group_tests(tests, NULL, NULL);
}
