/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Models measured on labelled photos: `classic` on drawn goods, and a network that is right by
 * construction (its scores are the means of red, green and blue) on plain colours.
 */
#include "shop/journey.h"

#include "base/file.h"
#include "nn/builder.h"
#include "nn/model.h"

#include <math.h>

enum { SIDE = 24, CLASSES = 3, VIEWS = 4, FILE_BYTES = 1 << 24 };

/* ---- pictures and data ---- */

static void make_folder(journey *j, const char *name)
{
    vt_error error = {0};
    expect_ok(vt_dir_make(at(j, name), &error), &error);
}

static void write_good(journey *j, const char *folder, int index, int view)
{
    char path[128];
    snprintf(path, sizeof(path), "%s/v%d.png", folder, view);
    make_folder(j, folder);
    assert_true(goods_write(at(j, path), index, view));
}

/* name/good<i>/v<view>.png of CLASSES goods, views from `first` on. */
static void write_goods(journey *j, const char *name, int first)
{
    for (int i = 0; i < CLASSES; i++)
        for (int view = first; view < first + VIEWS; view++) {
            char folder[96];
            snprintf(folder, sizeof(folder), "%s/good%d", name, i);
            write_good(j, folder, i, view);
        }
}

static void write_colour(journey *j, const char *name, int red, int green, int blue)
{
    vt_image image = {0};
    assert_int_equal(vt_image_init(&image, SIDE, SIDE, NULL), VT_OK);
    for (size_t i = 0; i < (size_t)SIDE * SIDE; i++) {
        image.rgb[3 * i] = (uint8_t)red;
        image.rgb[3 * i + 1] = (uint8_t)green;
        image.rgb[3 * i + 2] = (uint8_t)blue;
    }
    assert_true(goods_write_image(at(j, name), &image));
    vt_image_deinit(&image);
}

/* ---- a network that knows colours ---- */

static void write_network(journey *j, const char *name, const char *labels)
{
    static const float identity[9] = {1, 0, 0, 0, 1, 0, 0, 0, 1};
    const vt_shape picture = vt_shape_of(4, (int64_t[]){-1, 3, SIDE, SIDE});
    const vt_shape square = vt_shape_of(2, (int64_t[]){3, 3});
    vt_builder *builder = NULL;
    vt_model *model = NULL;
    vt_error error = {0};
    vt_buf file;
    expect_ok(vt_builder_new(NULL, &builder, &error), &error);
    vt_value_id x = vt_builder_input(builder, "image", VT_F32, &picture);
    x = vt_builder_node(builder, "GlobalAveragePool", NULL, &x, 1);
    x = vt_builder_node(builder, "Flatten", "axis=1", &x, 1);
    const vt_value_id inputs[2] = {x, vt_builder_floats(builder, "head", &square, identity)};
    vt_value_id scores = vt_builder_node(builder, "Gemm", NULL, inputs, 2);
    vt_builder_output(builder, "logits", scores);
    vt_builder_output(builder, "embedding", x);
    expect_ok(vt_builder_finish(builder, &model, &error), &error);
    vt_buf_init(&file, FILE_BYTES);
    expect_ok(vt_model_write(model, &file, &error), &error);
    if (labels != NULL)
        expect_ok(vt_onnx_set_metadata(&file, "vitrine.labels", labels, &error), &error);
    scratch_write(j->scratch, name, file.data, file.length);
    vt_buf_deinit(&file);
    vt_model_free(model);
}

/* ---- measuring ---- */

static vt_status measure(journey *j, const vt_init_options *encoder, const char *data,
                         const vt_model_eval_options *how, vt_model_eval_report **out,
                         vt_error *error)
{
    char path[SCRATCH_PATH_BYTES];
    snprintf(path, sizeof(path), "%s", at(j, data));
    return vt_model_eval(encoder, path, how, out, error);
}

static vt_model_eval_report *measured(journey *j, const char *data,
                                      const vt_model_eval_options *how)
{
    const vt_init_options classic = {.model = "classic"};
    vt_model_eval_report *report = NULL;
    vt_error error = {0};
    expect_ok(measure(j, &classic, data, how, &report, &error), &error);
    return report;
}

static void refused(journey *j, const char *data, const vt_model_eval_options *how, vt_status want,
                    const char *text)
{
    const vt_init_options classic = {.model = "classic"};
    vt_model_eval_report *report = NULL;
    vt_error error = {0};
    expect_failure(measure(j, &classic, data, how, &report, &error), want, &error, text);
    assert_null(report);
}

static void photos_find_their_kind(void **state)
{
    journey *j = *state;
    vt_model_eval_options how = vt_model_eval_options_defaults();
    write_goods(j, "data", 0);
    vt_model_eval_report *report = measured(j, "data", &how);
    assert_int_equal(report->photos, CLASSES * VIEWS);
    assert_int_equal(report->gallery, 0);
    assert_int_equal(report->depth, CLASSES * VIEWS - 1);
    assert_int_equal(report->label_count, 1);
    const struct vt_eval_label *label = &report->labels[0];
    assert_string_equal(label->name, "label");
    assert_int_equal(label->values, CLASSES);
    assert_int_equal(label->queries, CLASSES * VIEWS);
    assert_int_equal(label->alone, 0);
    assert_true(label->recall[0] == 1.0 && label->recall[2] == 1.0);
    assert_true(label->accuracy == 1.0 && label->mrr == 1.0);
    assert_true(label->map > 0.9 && label->map <= 1.0);
    assert_int_equal(label->category_count, CLASSES);
    assert_string_equal(label->categories[1].category, "good1");
    assert_int_equal(label->categories[1].queries, VIEWS);
    assert_non_null(report->unclassified);
    assert_null(report->computed_in);
    assert_int_equal(report->failed_count, 0);
    vt_model_eval_report_free(report);
}

static void splits_are_held_against_each_other(void **state)
{
    journey *j = *state;
    vt_model_eval_options how = vt_model_eval_options_defaults();
    write_goods(j, "data/train", 0);
    write_goods(j, "data/val", 10);
    make_folder(j, "data/val/stranger");
    assert_true(goods_write(at(j, "data/val/stranger/s.png"), 5, 0));
    vt_model_eval_report *report = measured(j, "data", &how); /* val, for itself */
    assert_int_equal(report->photos, CLASSES * VIEWS + 1);
    assert_int_equal(report->labels[0].alone, 1);
    vt_model_eval_report_free(report);
    how.against_split = "train";
    report = measured(j, "data", &how);
    assert_int_equal(report->photos, CLASSES * VIEWS + 1);
    assert_int_equal(report->gallery, CLASSES * VIEWS);
    assert_int_equal(report->labels[0].queries, CLASSES * VIEWS);
    assert_int_equal(report->labels[0].alone, 1); /* the stranger is in val only */
    assert_int_equal(report->labels[0].values, CLASSES);
    assert_true(report->labels[0].recall[0] == 1.0);
    vt_model_eval_report_free(report);
    how.split = "train";
    refused(j, "data", &how, VT_ERR_USAGE, "would find itself");
    how.against_split = "val";
    report = measured(j, "data", &how);
    assert_int_equal(report->gallery, CLASSES * VIEWS + 1);
    assert_int_equal(report->labels[0].alone, 0);
    vt_model_eval_report_free(report);
    how.split = "test";
    refused(j, "data", &how, VT_ERR_NOT_FOUND, "test split");
    how.split = "most";
    refused(j, "data", &how, VT_ERR_USAGE, "\"most\"");
}

static void other_data_and_several_labels(void **state)
{
    journey *j = *state;
    char studio[SCRATCH_PATH_BYTES], rows[4096] = "photo,product,family\n";
    vt_model_eval_options how = vt_model_eval_options_defaults();
    write_goods(j, "data", 0);
    for (int i = 0; i < CLASSES * VIEWS; i++) {
        char line[96];
        snprintf(line, sizeof(line), "data/good%d/v%d.png,good%d,%s\n", i / VIEWS, i % VIEWS,
                 i / VIEWS, i / VIEWS == 1 ? "flat" : "tall");
        strncat(rows, line, sizeof(rows) - strlen(rows) - 1);
    }
    write_text(j, "photos.csv", rows);
    for (int i = 0; i < CLASSES; i++) {
        char name[32];
        snprintf(name, sizeof(name), "studio/s%d.png", i);
        make_folder(j, "studio");
        assert_true(goods_write(at(j, name), i, 12));
    }
    write_text(j, "studio/studio.csv",
               "photo;product;family\ns0.png;good0;tall\ns1.png;good1;flat\ns2.png;good2;tall\n");
    snprintf(studio, sizeof(studio), "%s", at(j, "studio/studio.csv"));
    how.against = studio;
    how.labels[0] = "product";
    how.labels[1] = "family";
    how.label_count = 2;
    vt_model_eval_report *report = measured(j, "photos.csv", &how);
    assert_int_equal(report->gallery, CLASSES);
    assert_int_equal(report->depth, CLASSES);
    assert_int_equal(report->label_count, 2);
    assert_string_equal(report->labels[1].name, "family");
    assert_int_equal(report->labels[0].values, CLASSES);
    assert_int_equal(report->labels[1].values, 2);
    assert_true(report->labels[0].recall[0] == 1.0);
    assert_true(report->labels[0].precision[1] < 0.21); /* one of five */
    assert_true(report->labels[1].recall[0] == 1.0);
    assert_non_null(strstr(report->json, "\"label\": \"family\""));
    vt_model_eval_report_free(report);
    how.labels[1] = "colour";
    refused(j, "photos.csv", &how, VT_ERR_FORMAT, "colour");
    write_text(j, "studio/studio.csv", "photo,product,family\ns0.png,x,y\ns1.png,z,w\n");
    how.label_count = 1;
    refused(j, "photos.csv", &how, VT_ERR_MISMATCH, "no product of its photos, like \"good0\"");
    write_text(j, "studio/studio.csv", "photo,product\ns0.png,good0\ns1.png,good0\n");
    refused(j, "photos.csv", &how, VT_ERR_FORMAT, "1 different values");
}

static void what_cannot_be_decoded_is_named(void **state)
{
    journey *j = *state;
    vt_model_eval_options how = vt_model_eval_options_defaults();
    write_goods(j, "data", 0);
    write_text(j, "data/good0/broken.jpg", "this is no picture");
    write_text(j, "data/good2/empty.png", "");
    vt_model_eval_report *report = measured(j, "data", &how);
    assert_int_equal(report->photos, CLASSES * VIEWS);
    assert_int_equal(report->failed_count, 2);
    assert_non_null(strstr(report->failed[0].photo, "broken.jpg"));
    assert_true(strlen(report->failed[0].reason) > 0);
    assert_non_null(strstr(report->json, "empty.png"));
    assert_true(report->labels[0].recall[0] == 1.0); /* rows did not slip */
    vt_model_eval_report_free(report);
    make_folder(j, "bad/a");
    make_folder(j, "bad/b");
    for (int i = 0; i < 4; i++) {
        char name[32];
        snprintf(name, sizeof(name), "bad/%c/%d.jpg", i % 2 ? 'a' : 'b', i);
        write_text(j, name, "no picture either");
    }
    refused(j, "bad", &how, VT_ERR_FORMAT, "none of 4 photos");
}

static void data_that_measures_nothing_is_refused(void **state)
{
    journey *j = *state;
    vt_model_eval_options how = vt_model_eval_options_defaults();
    make_folder(j, "empty");
    refused(j, "empty", &how, VT_ERR_FORMAT, "no photo");
    refused(j, "absent.csv", &how, VT_ERR_NOT_FOUND, "absent.csv");
    for (int view = 0; view < VIEWS; view++)
        write_good(j, "one/only", 1, view);
    refused(j, "one", &how, VT_ERR_FORMAT, "1 different values of label");
    write_good(j, "lonely/a", 1, 0);
    write_good(j, "lonely/b", 2, 0);
    refused(j, "lonely", &how, VT_ERR_FORMAT, "no two photos have the same label");
    write_goods(j, "data", 0);
    how.k_count = 0;
    refused(j, "data", &how, VT_ERR_USAGE, "values of k");
    how = vt_model_eval_options_defaults();
    how.k[1] = how.k[0];
    refused(j, "data", &how, VT_ERR_USAGE, "ascend");
    how = vt_model_eval_options_defaults();
    how.label_count = VT_EVAL_MAX_LABELS + 1;
    refused(j, "data", &how, VT_ERR_USAGE, "labels");
    how = vt_model_eval_options_defaults();
    char page[SCRATCH_PATH_BYTES];
    snprintf(page, sizeof(page), "%s", at(j, "nowhere/report.html"));
    how.report = page;
    refused(j, "data", &how, VT_ERR_NOT_FOUND, "nowhere");
}

static bool stop(void *context, const char *phase, uint64_t done, uint64_t total)
{
    (void)done;
    (void)total;
    return strcmp(phase, context) != 0;
}

static void it_can_be_stopped(void **state)
{
    journey *j = *state;
    vt_model_eval_options how = vt_model_eval_options_defaults();
    static char phases[2][8] = {"embed", "compare"};
    write_goods(j, "data", 0);
    how.on_progress = stop;
    for (int i = 0; i < 2; i++) {
        how.context = phases[i];
        refused(j, "data", &how, VT_ERR_CANCELLED, "stopped");
    }
}

/* Three photos of each colour, one of them a wrong one, and one of a colour nobody knows. */
static void write_colours(journey *j)
{
    static const char *const names[] = {"red", "green", "blue"};
    for (int c = 0; c < CLASSES; c++)
        for (int i = 0; i < 3; i++) {
            char path[64];
            int shown = c == 2 && i == 2 ? 0 : c; /* the last blue one is red */
            snprintf(path, sizeof(path), "colours/%s", names[c]);
            make_folder(j, path);
            snprintf(path, sizeof(path), "colours/%s/%d.png", names[c], i);
            write_colour(j, path, shown == 0 ? 200 + i : 40, shown == 1 ? 200 + i : 40,
                         shown == 2 ? 200 + i : 40);
        }
    make_folder(j, "colours/yellow");
    write_colour(j, "colours/yellow/0.png", 200, 200, 40);
    write_colour(j, "colours/yellow/1.png", 210, 205, 40);
}

static void named_classes_are_counted(void **state)
{
    journey *j = *state;
    char model[SCRATCH_PATH_BYTES], page[SCRATCH_PATH_BYTES];
    vt_model_eval_options how = vt_model_eval_options_defaults();
    vt_model_eval_report *report = NULL;
    vt_error error = {0};
    vt_buf text;
    write_colours(j);
    write_network(j, "net.onnx", "[\"red\",\"green\",\"blue\"]");
    snprintf(model, sizeof(model), "%s", at(j, "net.onnx"));
    snprintf(page, sizeof(page), "%s", at(j, "page.html"));
    const vt_init_options encoder = {
        .model = model, .preset = "none", .output = "embedding", .precision = "f32"};
    how.report = page;
    expect_ok(measure(j, &encoder, "colours", &how, &report, &error), &error);
    assert_int_equal(report->dimension, 3);
    assert_string_equal(report->computed_in, "f32");
    assert_null(report->unclassified);
    assert_string_equal(report->classes_of, "label");
    assert_int_equal(report->classified, 9);
    assert_int_equal(report->unknown, 2);
    assert_true(fabs(report->accuracy - 8.0 / 9) < 1e-9);
    assert_true(report->top5 == 1.0);
    assert_int_equal(report->class_count, CLASSES);
    assert_string_equal(report->classes[0].name, "red"); /* as the model orders them */
    assert_int_equal(report->classes[0].photos, 3);
    assert_int_equal(report->classes[0].named, 4);
    assert_true(fabs(report->classes[0].precision - 0.75) < 1e-9);
    assert_true(fabs(report->classes[2].recall - 2.0 / 3) < 1e-9);
    assert_true(report->classes[1].f1 == 1.0);
    assert_int_equal(report->labels[0].queries, 11);
    vt_model_eval_report_free(report);
    vt_buf_init(&text, FILE_BYTES);
    expect_ok(vt_file_read(page, FILE_BYTES, &text, &error), &error);
    static const char *const parts[] = {
        "Confusion matrix", "Nearest neighbours: label",   "yellow",
        "Hard examples",    "data:image/jpeg;base64,/9j/", "</html>"};
    for (size_t i = 0; i < sizeof(parts) / sizeof(parts[0]); i++)
        assert_non_null(strstr(vt_buf_text(&text), parts[i]));
    vt_buf_deinit(&text);
}

/* The scores themselves as the embedding, names that are no labels, too few names, no names. */
static void classifiers_that_do_not_fit(void **state)
{
    journey *j = *state;
    static const struct {
        const char *labels, *output, *why;
    } forms[] = {
        {"[\"red\",\"green\",\"blue\"]", "logits", NULL},
        {"[\"cat\",\"dog\",\"cow\"]", "embedding", "none of the model's classes"},
        {"[\"red\",\"green\"]", "embedding", "names no classes"},
        {"{\"red\": 1}", "embedding", "names no classes"},
        {"[1, 2, 3]", "embedding", "names no classes"},
        {"no json", "embedding", "names no classes"},
        {NULL, "embedding", "names no classes"},
    };
    char model[SCRATCH_PATH_BYTES];
    const vt_model_eval_options how = vt_model_eval_options_defaults();
    write_colours(j);
    snprintf(model, sizeof(model), "%s", at(j, "net.onnx"));
    for (size_t i = 0; i < sizeof(forms) / sizeof(forms[0]); i++) {
        vt_model_eval_report *report = NULL;
        vt_error error = {0};
        write_network(j, "net.onnx", forms[i].labels);
        const vt_init_options encoder = {
            .model = model, .preset = "none", .output = forms[i].output, .precision = "f32"};
        expect_ok(measure(j, &encoder, "colours", &how, &report, &error), &error);
        if (forms[i].why == NULL)
            assert_true(report->unclassified == NULL && report->classified == 9);
        else
            assert_non_null(strstr(report->unclassified, forms[i].why));
        vt_model_eval_report_free(report);
    }
    const vt_init_options bare = {.model = model};
    vt_model_eval_report *report = NULL;
    vt_error error = {0};
    expect_failure(measure(j, &bare, "colours", &how, &report, &error), VT_ERR_USAGE, &error,
                   "preset");
}

static void shops_are_data_too(void **state)
{
    journey *j = *state;
    vt_model_eval_options how = vt_model_eval_options_defaults();
    char photos[SCRATCH_PATH_BYTES];
    make_shop(j);
    snprintf(photos, sizeof(photos), "%s", at(j, ""));
    how.images_dir = photos;
    vt_model_eval_report *report = measured(j, "shop", &how); /* categories odd and even */
    assert_int_equal(report->photos, PRODUCTS);
    assert_int_equal(report->labels[0].values, 2);
    vt_model_eval_report_free(report);
    write_text(j, "views.csv", "photo,product\np0.jpg,P-0\np1.jpg,P-1\np2.jpg,P-2\n");
    /* What a shop is searched by lies elsewhere: its own thumbnails are searched in. */
    char shop[SCRATCH_PATH_BYTES];
    snprintf(shop, sizeof(shop), "%s", j->shop);
    how = vt_model_eval_options_defaults();
    how.against = shop;
    how.labels[0] = "product";
    how.label_count = 1;
    report = measured(j, "views.csv", &how);
    assert_int_equal(report->gallery, PRODUCTS);
    assert_int_equal(report->labels[0].values, PRODUCTS);
    assert_true(report->labels[0].recall[0] == 1.0);
    vt_model_eval_report_free(report);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        IN_JOURNEY(photos_find_their_kind),
        IN_JOURNEY(splits_are_held_against_each_other),
        IN_JOURNEY(other_data_and_several_labels),
        IN_JOURNEY(what_cannot_be_decoded_is_named),
        IN_JOURNEY(data_that_measures_nothing_is_refused),
        IN_JOURNEY(it_can_be_stopped),
        IN_JOURNEY(named_classes_are_counted),
        IN_JOURNEY(classifiers_that_do_not_fit),
        IN_JOURNEY(shops_are_data_too),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
