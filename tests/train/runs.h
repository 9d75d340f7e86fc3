/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Whole runs of a small network on pictures of three colours, for the tests of src/train.
 */
#ifndef VT_TESTS_TRAIN_RUNS_H
#define VT_TESTS_TRAIN_RUNS_H

#include "support/scratch.h"

#include "base/file.h"
#include "base/random.h"
#include "nn/builder.h"
#include "nn/weights.h"
#include "train/run.h"

#include <math.h>
#include <signal.h>

enum { SIDE = 16, PHOTOS = 12, LABELS = 3, CHANNELS = 8, STEPS = 4 * 4 };

static inline void write_photo(scratch *s, int label, int index)
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

static inline vt_value_id weight(vt_builder *builder, const char *name, const vt_shape *shape)
{
    float values[CHANNELS * CHANNELS * 9];
    vt_random random;
    vt_random_init(&random, 5);
    for (size_t i = 0; i < sizeof(values) / sizeof(values[0]); i++)
        values[i] = (float)vt_random_normal(&random) * 0.2f;
    return vt_builder_floats(builder, name, shape, values);
}

/* Convolution, batch normalisation, ReLU, mean; deep: behind the ReLU a 1x1 convolution that
 * adapters can change, and another convolution (a 1x1 one at the end would pass for a classifier).
 */
static inline void write_network(scratch *s, bool deep)
{
    vt_builder *builder;
    vt_model *model;
    vt_buf file;
    float ones[CHANNELS];
    for (int i = 0; i < CHANNELS; i++)
        ones[i] = 1;
    const vt_shape picture = vt_shape_of(4, (int64_t[]){-1, 3, SIDE, SIDE});
    const vt_shape kernel = vt_shape_of(4, (int64_t[]){CHANNELS, 3, 3, 3});
    const vt_shape point = vt_shape_of(4, (int64_t[]){CHANNELS, CHANNELS, 1, 1});
    const vt_shape last = vt_shape_of(4, (int64_t[]){CHANNELS, CHANNELS, 3, 3});
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
    if (deep) {
        x = vt_builder_node(builder, "Conv", NULL,
                            (vt_value_id[]){x, weight(builder, "point.weight", &point)}, 2);
        x = vt_builder_node(builder, "Relu", NULL, &x, 1);
        x = vt_builder_node(builder, "Conv", "pads=1,1,1,1",
                            (vt_value_id[]){x, weight(builder, "last.weight", &last)}, 2);
        x = vt_builder_node(builder, "Relu", NULL, &x, 1);
    }
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

static inline int setup(void **state)
{
    if (scratch_setup(state) != 0)
        return -1;
    for (int l = 0; l < LABELS; l++)
        for (int i = 0; i < PHOTOS; i++)
            write_photo(*state, l, i);
    write_network(*state, false);
    return 0;
}

static const char *run_threads = "2";

typedef struct attempt {
    scratch *scratch;
    const char *out;
    const char *arch;            /* from random weights; NULL: from net.onnx */
    const char *const *settings; /* pairs, NULL behind the last; NULL: none */
    bool resume;
    int end_at;        /* steps after which it ends; 0: never */
    bool imprint_ends; /* it ends with the first photos that are imprinted */
    bool killed;       /* by SIGKILL, else by on_progress saying so */
    bool report;       /* write one beside the model */
    double val_share;  /* 0: a tenth, which is one photo of each label */
    double first_loss; /* mean of the first epoch; NAN: it did not end */
    vt_run_result result;
    vt_error error;
} attempt;

static inline bool watch(void *context, const vt_run_progress *progress)
{
    attempt *a = context;
    if (progress->newest != NULL && isnan(a->first_loss))
        a->first_loss = progress->newest->loss;
    if (progress->phase == VT_RUN_IMPRINT)
        return !a->imprint_ends;
    if (progress->phase != VT_RUN_TRAIN || a->end_at == 0 || --a->end_at > 0)
        return true;
    if (a->killed)
        raise(SIGKILL);
    return false;
}

static inline vt_status run(attempt *a)
{
    const char *const usual[] = {"size",      "16",
                                 "epochs",    "4",
                                 "batch",     "8",
                                 "lr",        "0.1",
                                 "augment",   "light,noise,erase",
                                 "ema",       "0.9",
                                 "threads",   run_threads,
                                 "optimizer", "adamw:decay=0.01",
                                 NULL};
    char path[SCRATCH_PATH_BYTES], out[SCRATCH_PATH_BYTES], net[SCRATCH_PATH_BYTES];
    char page[SCRATCH_PATH_BYTES];
    vt_recipe recipe;
    vt_dataset *data;
    snprintf(net, sizeof(net), "%s/net.onnx", a->scratch->root);
    snprintf(out, sizeof(out), "%s/%s", a->scratch->root, a->out);
    snprintf(path, sizeof(path), "%s/data", a->scratch->root);
    snprintf(page, sizeof(page), "%s/report.html", a->scratch->root);
    a->first_loss = (double)NAN;
    assert_int_equal(vt_recipe_init(&recipe, NULL), VT_OK);
    assert_int_equal(a->arch != NULL ? vt_recipe_set(&recipe, "arch", a->arch, NULL)
                                     : vt_recipe_set(&recipe, "from", net, NULL),
                     VT_OK);
    for (const char *const *s = usual; *s != NULL; s += 2)
        assert_int_equal(vt_recipe_set(&recipe, s[0], s[1], NULL), VT_OK);
    for (const char *const *s = a->settings; s != NULL && *s != NULL; s += 2)
        assert_int_equal(vt_recipe_set(&recipe, s[0], s[1], NULL), VT_OK);
    assert_int_equal(vt_recipe_check(&recipe, NULL), VT_OK);
    assert_int_equal(vt_dataset_new("data", &data, NULL), VT_OK);
    assert_int_equal(vt_dataset_add_folder(data, path, VT_SPLIT_TRAIN, NULL), VT_OK);
    assert_int_equal(vt_dataset_finish(data, NULL), VT_OK);
    const vt_split_options split = {VT_SPLIT_BY_PHOTO, a->val_share > 0 ? a->val_share : 0.1, 1};
    assert_int_equal(vt_split_make(data, &split, NULL), VT_OK);
    const vt_run_options options = {.recipe = &recipe,
                                    .data = data,
                                    .validation = VT_SPLIT_VAL,
                                    .out = out,
                                    .report = a->report ? page : NULL,
                                    .resume = a->resume,
                                    .on_progress = watch,
                                    .context = a};
    vt_status status = vt_run(&options, &a->result, &a->error);
    vt_dataset_free(data);
    vt_recipe_deinit(&recipe);
    return status;
}

static inline void run_good(attempt *a)
{
    if (run(a) != VT_OK)
        fail_msg("%s", a->error.message);
}

/* A photo's pixels as runs of these tests see them; pixels: (3, SIDE, SIDE). */
static inline void read_pixels(const char *path, float *pixels)
{
    const vt_pixel_spec spec = {.width = SIDE,
                                .height = SIDE,
                                .fit = VT_FIT_COVER,
                                .crop_ratio = 1,
                                .kernel = VT_KERNEL_BILINEAR,
                                .scale = 1 / 255.0f,
                                .mean = {0.485f, 0.456f, 0.406f},
                                .std = {0.229f, 0.224f, 0.225f}};
    vt_image image;
    vt_buf file;
    vt_buf_init(&file, 1 << 20);
    assert_int_equal(vt_file_read(path, 1 << 20, &file, NULL), VT_OK);
    assert_int_equal(vt_image_decode(file.data, file.length, NULL, &image, NULL), VT_OK);
    assert_int_equal(vt_image_to_tensor(&image, &spec, pixels, NULL), VT_OK);
    vt_image_deinit(&image);
    vt_buf_deinit(&file);
}

/* A constant of a model file; *out is the caller's. */
static inline void read_value(scratch *s, const char *file, const char *name, vt_tensor *out)
{
    vt_model *model;
    vt_error error;
    if (vt_model_open(scratch_path(s, file), NULL, &model, &error) != VT_OK ||
        vt_model_weight_read(model, name, out, &error) != VT_OK)
        fail_msg("%s: %s", file, error.message);
    vt_model_free(model);
}

static inline void assert_same_files(scratch *s, const char *a, const char *b)
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

/* The same run, stopped after so many steps and resumed, writes what `whole` has written. */
static inline void assert_resumes_the_same(const attempt *whole, int end_at)
{
    attempt parts = *whole;
    parts.out = "parts.onnx";
    parts.end_at = end_at;
    assert_int_equal(run(&parts), VT_ERR_CANCELLED);
    parts.end_at = 0;
    parts.resume = true;
    run_good(&parts);
    assert_true(parts.result.resumed);
    assert_same_files(whole->scratch, whole->out, "parts.onnx");
}

#endif
