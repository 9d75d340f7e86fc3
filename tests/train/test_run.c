/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Whole runs of a small network on pictures of three colours: that it learns, that a run which was
 * killed at any moment and resumed writes the same file, that what goes wrong is said.
 */
#include "support/scratch.h"

#include "base/file.h"
#include "base/random.h"
#include "nn/builder.h"
#include "train/run.h"

#include <math.h>
#include <signal.h>
#include <sys/wait.h>

enum { SIDE = 16, PHOTOS = 12, LABELS = 3, CHANNELS = 8, STEPS = 4 * 4 };

static void write_photo(scratch *s, int label, int index)
{
    vt_image image;
    vt_buf png;
    vt_random random;
    char path[64];
    vt_random_init(&random, (uint64_t)(label * 100 + index));
    vt_buf_init(&png, 1 << 20);
    assert_int_equal(vt_image_init(&image, SIDE, SIDE, NULL), VT_OK);
    for (int i = 0; i < SIDE * SIDE * 3; i++)
        image.rgb[i] = (uint8_t)vt_random_int(&random, i % 3 == label ? 90 : 0, 180);
    assert_int_equal(vt_image_encode_png(&image, &png, NULL), VT_OK);
    snprintf(path, sizeof(path), "data/l%d", label);
    assert_int_equal(vt_dir_make(scratch_path(s, path), NULL), VT_OK);
    snprintf(path, sizeof(path), "data/l%d/%02d.png", label, index);
    scratch_write(s, path, png.data, png.length);
    vt_buf_deinit(&png);
    vt_image_deinit(&image);
}

static vt_value_id weight(vt_builder *builder, const char *name, const vt_shape *shape)
{
    float values[CHANNELS * 3 * 9];
    vt_random random;
    vt_random_init(&random, 5);
    for (size_t i = 0; i < sizeof(values) / sizeof(values[0]); i++)
        values[i] = (float)vt_random_normal(&random) * 0.2f;
    return vt_builder_floats(builder, name, shape, values);
}

/* Convolution, batch normalisation, ReLU, mean. */
static void write_network(scratch *s)
{
    vt_builder *builder;
    vt_model *model;
    vt_buf file;
    float ones[CHANNELS];
    for (int i = 0; i < CHANNELS; i++)
        ones[i] = 1;
    const vt_shape picture = vt_shape_of(4, (int64_t[]){-1, 3, SIDE, SIDE});
    const vt_shape kernel = vt_shape_of(4, (int64_t[]){CHANNELS, 3, 3, 3});
    const vt_shape channel = vt_shape_of(1, (int64_t[]){CHANNELS});
    assert_int_equal(vt_builder_new(NULL, &builder, NULL), VT_OK);
    vt_value_id x = vt_builder_input(builder, "image", VT_F32, &picture);
    x = vt_builder_node(builder, "Conv", "strides=2,2 pads=1,1,1,1",
                        (vt_value_id[]){x, weight(builder, "conv.weight", &kernel)}, 2);
    const vt_value_id norm[5] = {x, vt_builder_floats(builder, "norm.weight", &channel, ones),
                                 vt_builder_floats(builder, "norm.bias", &channel, NULL),
                                 vt_builder_floats(builder, "norm.mean", &channel, NULL),
                                 vt_builder_floats(builder, "norm.variance", &channel, ones)};
    x = vt_builder_node(builder, "BatchNormalization", NULL, norm, 5);
    x = vt_builder_node(builder, "Relu", NULL, &x, 1);
    x = vt_builder_node(builder, "GlobalAveragePool", NULL, &x, 1);
    x = vt_builder_node(builder, "Flatten", "axis=1", &x, 1);
    vt_builder_output(builder, "vector", x);
    vt_error error;
    if (vt_builder_finish(builder, &model, &error) != VT_OK)
        fail_msg("%s", error.message);
    vt_buf_init(&file, 1 << 20);
    assert_int_equal(vt_model_write(model, &file, NULL), VT_OK);
    scratch_write(s, "net.onnx", file.data, file.length);
    vt_buf_deinit(&file);
    vt_model_free(model);
}

static int setup(void **state)
{
    if (scratch_setup(state) != 0)
        return -1;
    for (int l = 0; l < LABELS; l++)
        for (int i = 0; i < PHOTOS; i++)
            write_photo(*state, l, i);
    write_network(*state);
    return 0;
}

typedef struct attempt {
    scratch *scratch;
    const char *out;
    const char *const *settings; /* pairs, NULL behind the last; NULL: none */
    bool resume;
    int end_at;  /* steps after which it ends; 0: never */
    bool killed; /* by SIGKILL, else by on_progress saying so */
    vt_run_result result;
    vt_error error;
} attempt;

static bool watch(void *context, const vt_run_progress *progress)
{
    attempt *a = context;
    if (progress->phase != VT_RUN_TRAIN || a->end_at == 0 || --a->end_at > 0)
        return true;
    if (a->killed)
        raise(SIGKILL);
    return false;
}

static vt_status run(attempt *a)
{
    static const char *const usual[] = {"size",      "16",
                                        "epochs",    "4",
                                        "batch",     "8",
                                        "lr",        "0.1",
                                        "augment",   "light,noise,erase",
                                        "ema",       "0.9",
                                        "threads",   "2",
                                        "optimizer", "adamw:decay=0.01",
                                        NULL};
    char path[SCRATCH_PATH_BYTES], out[SCRATCH_PATH_BYTES], net[SCRATCH_PATH_BYTES];
    vt_recipe recipe;
    vt_dataset *data;
    snprintf(net, sizeof(net), "%s/net.onnx", a->scratch->root);
    snprintf(out, sizeof(out), "%s/%s", a->scratch->root, a->out);
    snprintf(path, sizeof(path), "%s/data", a->scratch->root);
    assert_int_equal(vt_recipe_init(&recipe, NULL), VT_OK);
    assert_int_equal(vt_recipe_set(&recipe, "from", net, NULL), VT_OK);
    for (const char *const *s = usual; *s != NULL; s += 2)
        assert_int_equal(vt_recipe_set(&recipe, s[0], s[1], NULL), VT_OK);
    for (const char *const *s = a->settings; s != NULL && *s != NULL; s += 2)
        assert_int_equal(vt_recipe_set(&recipe, s[0], s[1], NULL), VT_OK);
    assert_int_equal(vt_recipe_check(&recipe, NULL), VT_OK);
    assert_int_equal(vt_dataset_new("data", &data, NULL), VT_OK);
    assert_int_equal(vt_dataset_add_folder(data, path, VT_SPLIT_TRAIN, NULL), VT_OK);
    assert_int_equal(vt_dataset_finish(data, NULL), VT_OK);
    const vt_split_options split = {VT_SPLIT_BY_PHOTO, 0.1, 1};
    assert_int_equal(vt_split_make(data, &split, NULL), VT_OK);
    const vt_run_options options = {.recipe = &recipe,
                                    .data = data,
                                    .validation = VT_SPLIT_VAL,
                                    .out = out,
                                    .resume = a->resume,
                                    .on_progress = watch,
                                    .context = a};
    vt_status status = vt_run(&options, &a->result, &a->error);
    vt_dataset_free(data);
    vt_recipe_deinit(&recipe);
    return status;
}

static void run_good(attempt *a)
{
    if (run(a) != VT_OK)
        fail_msg("%s", a->error.message);
}

static void assert_same_files(scratch *s, const char *a, const char *b)
{
    vt_buf files[2];
    const char *const names[2] = {a, b};
    for (int i = 0; i < 2; i++) {
        vt_buf_init(&files[i], 1 << 24);
        assert_int_equal(vt_file_read(scratch_path(s, names[i]), 1 << 24, &files[i], NULL), VT_OK);
    }
    assert_int_equal(files[0].length, files[1].length);
    assert_memory_equal(files[0].data, files[1].data, files[0].length);
    vt_buf_deinit(&files[0]);
    vt_buf_deinit(&files[1]);
}

static void it_learns_and_writes_an_encoder(void **state)
{
    attempt a = {.scratch = *state, .out = "a.onnx"};
    run_good(&a);
    assert_true(a.result.last.measures[VT_MEASURE_ACCURACY] >= 0.99);
    assert_true(a.result.last.measures[VT_MEASURE_LOSS] < 1.0);
    vt_encoder *encoder;
    vt_encoder_options options = vt_encoder_options_defaults();
    vt_error error;
    if (vt_encoder_open(scratch_path(*state, "a.onnx"), &options, &encoder, &error) != VT_OK)
        fail_msg("%s", error.message);
    assert_true(vt_encoder_info_of(encoder).golden_checked);
    assert_int_equal(vt_encoder_info_of(encoder).dim, CHANNELS);
    vt_encoder_free(encoder);
    /* What it wrote can be trained on, its classes are known. */
    attempt again = {.scratch = *state, .out = "b.onnx"};
    char path[SCRATCH_PATH_BYTES];
    snprintf(path, sizeof(path), "%s/a.onnx", again.scratch->root);
    const char *const settings[] = {"from", path, "epochs", "1", "lr", "0.0001", NULL};
    again.settings = settings;
    run_good(&again);
    assert_true(again.result.last.measures[VT_MEASURE_ACCURACY] >= 0.99);
}

/* In a program of its own: OpenMP's threads do not survive a fork. */
static pid_t start_child(const attempt *a)
{
    char end_at[16];
    snprintf(end_at, sizeof(end_at), "%d", a->end_at);
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        execl("/proc/self/exe", "test_run", a->scratch->root, a->out, end_at, (char *)NULL);
        _exit(126);
    }
    return child;
}

static int run_as_child(char **arguments)
{
    scratch s = {0};
    snprintf(s.root, sizeof(s.root), "%s", arguments[1]);
    attempt a = {.scratch = &s,
                 .out = arguments[2],
                 .resume = true,
                 .killed = true,
                 .end_at = atoi(arguments[3])};
    return run(&a) == VT_OK ? 0 : 1;
}

static void killed_runs_end_the_same(void **state)
{
    vt_random random;
    attempt whole = {.scratch = *state, .out = "whole.onnx"};
    run_good(&whole);
    vt_random_init(&random, 7);
    for (int round = 0; round < 3; round++) {
        attempt a = {.scratch = *state, .out = "killed.onnx", .resume = true};
        int kills = 0;
        unlink(scratch_path(*state, "killed.onnx.checkpoint"));
        for (bool ended = false; !ended; kills++) {
            a.end_at = vt_random_int(&random, 1, STEPS / 2);
            int how;
            pid_t child = start_child(&a);
            assert_int_equal(waitpid(child, &how, 0), child);
            ended = WIFEXITED(how);
            if (ended)
                assert_int_equal(WEXITSTATUS(how), 0);
            assert_true(kills < 100);
        }
        assert_true(kills > 1);
        assert_same_files(*state, "whole.onnx", "killed.onnx");
    }
}

static void interrupted_runs_save(void **state)
{
    attempt a = {.scratch = *state, .out = "cut.onnx", .end_at = 6};
    attempt whole = {.scratch = *state, .out = "whole.onnx"};
    run_good(&whole);
    assert_int_equal(run(&a), VT_ERR_CANCELLED);
    assert_true(vt_file_exists(scratch_path(*state, "cut.onnx.checkpoint")));
    a.end_at = 0;
    assert_int_equal(run(&a), VT_ERR_EXISTS); /* it would be lost */
    static const char *const other[] = {"lr", "0.2", NULL};
    a.resume = true;
    a.settings = other;
    assert_int_equal(run(&a), VT_ERR_MISMATCH);
    a.settings = NULL;
    run_good(&a);
    assert_true(a.result.resumed);
    assert_same_files(*state, "whole.onnx", "cut.onnx");
}

static void divergence_is_said(void **state)
{
    static const char *const settings[] = {"optimizer", "sgd:momentum=0", "lr", "1000", "schedule",
                                           "constant",  "epochs",         "50", NULL};
    attempt a = {.scratch = *state, .out = "bad.onnx", .settings = settings};
    vt_status status = run(&a);
    assert_int_equal(status, VT_ERR_MISMATCH);
    assert_non_null(strstr(a.error.message, "no number"));
    assert_false(vt_file_exists(scratch_path(*state, "bad.onnx")));
}

static void early_stopping_keeps_the_best(void **state)
{
    static const char *const settings[] = {"early_stop", "2", "epochs", "40", NULL};
    attempt a = {.scratch = *state, .out = "early.onnx", .settings = settings};
    run_good(&a);
    assert_true(a.result.stopped_early);
    assert_true(a.result.best.epoch <= a.result.last.epoch - 2);
    attempt again = {.scratch = *state, .out = "early.onnx", .settings = settings, .resume = true};
    run_good(&again);
    assert_true(again.result.resumed);
    assert_true(again.result.last.epoch == a.result.last.epoch);
}

int main(int argc, char **argv)
{
    if (argc == 4)
        return run_as_child(argv);

    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(it_learns_and_writes_an_encoder, setup, scratch_teardown),
        cmocka_unit_test_setup_teardown(killed_runs_end_the_same, setup, scratch_teardown),
        cmocka_unit_test_setup_teardown(interrupted_runs_save, setup, scratch_teardown),
        cmocka_unit_test_setup_teardown(divergence_is_said, setup, scratch_teardown),
        cmocka_unit_test_setup_teardown(early_stopping_keeps_the_best, setup, scratch_teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
