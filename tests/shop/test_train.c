/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Training through the public API: a tiny network on drawn goods, from folders, manifests and
 * shops; where recipes come from, what is measured on, what is refused before the first step.
 */
#include "shop/trainings.h"

#include "base/json.h"

#include <math.h>

enum { OTHER_VIEW = 9, CLASSES = 3, VIEWS = 6, FILE_BYTES = 1 << 24 };

static void make_folder(journey *j, const char *name)
{
    vt_error error = {0};
    expect_ok(vt_dir_make(at(j, name), &error), &error);
}

/* name/good<i>/<view>.png, views from `first` on. */
static void write_goods(journey *j, const char *name, int first)
{
    for (int i = 0; i < CLASSES; i++)
        for (int view = first; view < first + VIEWS; view++) {
            char path[96];
            snprintf(path, sizeof(path), "%s/good%d", name, i);
            make_folder(j, path);
            snprintf(path, sizeof(path), "%s/good%d/%d.png", name, i, view);
            assert_true(goods_write(at(j, path), i, view));
        }
}

static double value_of(const vt_train_report *report, const char *name)
{
    for (size_t i = 0; i < VT_TRAIN_MEASURES; i++)
        if (strcmp(report->measures[i], name) == 0)
            return report->values[i];
    return (double)NAN;
}

static void folders_become_an_encoder(void **state)
{
    journey *j = *state;
    char page[SCRATCH_PATH_BYTES], logs[SCRATCH_PATH_BYTES];
    write_goods(j, "data/train", 0);
    write_goods(j, "data/val", 20);
    attempt a = prepare(j, "data", NULL);
    snprintf(page, sizeof(page), "%s", at(j, "page.html"));
    snprintf(logs, sizeof(logs), "%s", at(j, "logs"));
    a.options.report = page;
    a.options.logdir = logs;
    train_well(&a);
    const vt_train_report *report = a.report;
    assert_int_equal(report->epochs, 2);
    assert_int_equal(report->labels, CLASSES);
    assert_int_equal(report->trained, CLASSES * VIEWS);
    assert_int_equal(report->validated, CLASSES * VIEWS);
    assert_int_equal(report->left_out, 0);
    assert_string_equal(report->measures[report->measure], "accuracy");
    assert_true(value_of(report, "accuracy") >= 0 && value_of(report, "accuracy") <= 1);
    assert_true(value_of(report, "recall@1") >= 0);
    assert_true(report->loss > 0 && report->parameters > 0);
    vt_json *json = NULL;
    assert_int_equal(vt_json_parse(report->json, strlen(report->json), 4, &json, NULL), VT_OK);
    assert_true(vt_json_number(vt_json_get(json, "trained"), 0) == CLASSES * VIEWS);
    vt_json_free(json);
    assert_true(vt_file_exists(page));
    assert_true(vt_file_exists(at(j, "logs/log.jsonl")));
    vt_train_report_free(a.report);
    /* What was written is what a shop takes, and what can be measured. */
    vt_init_options init = {.model = a.paths[1]};
    make_shop_with(j, &init);
    vt_model_eval_options how = vt_model_eval_options_defaults();
    vt_model_eval_report *measures = NULL;
    vt_error error = {0};
    init.precision = "f32";
    expect_ok(vt_model_eval(&init, a.paths[0], &how, &measures, &error), &error);
    assert_int_equal(measures->photos, CLASSES * VIEWS);
    assert_null(measures->unclassified);
    assert_int_equal(measures->classified, CLASSES * VIEWS);
    vt_model_eval_report_free(measures);
}

/* On from the program's own network: new classes beside the embedding that it has, then another
 * embedding on what that wrote. */
static void the_default_encoder_is_gone_on_from(void **state)
{
    threads_as_in(folders_become_an_encoder);
    journey *j = *state;
    static const char *const first[] = {"from", "vitrine-s", "width", "1",    "size",
                                        "64",   "lr",        "0.001", "loss", "ce=1,cosface=0.5",
                                        NULL};
    const char *second[] = {"from", NULL, "width", "1",    "size",   "64", "dim",
                            "16",   "lr", "0.001", "loss", "supcon", NULL};
    char path[SCRATCH_PATH_BYTES];
    vt_error error = {0};
    write_goods(j, "data", 0);
    attempt a = prepare(j, "data", first);
    train_well(&a);
    assert_true(value_of(a.report, "accuracy") >= 0);
    vt_train_report_free(a.report);
    snprintf(path, sizeof(path), "%s", a.paths[1]);
    second[1] = path;
    attempt b = prepare(j, "data", second);
    b.out = "second.onnx";
    train_well(&b);
    vt_train_report_free(b.report);
    vt_init_options init = {.model = b.paths[1]};
    make_shop_with(j, &init);
    vt_shop_info info;
    vt_shop *shop = open_shop(j);
    expect_ok(vt_shop_info_of(shop, &info, &error), &error);
    assert_int_equal(info.dimension, 16);
    vt_shop_close(shop);
}

static void manifests_name_photos_labels_and_splits(void **state)
{
    threads_as_in(folders_become_an_encoder);
    journey *j = *state;
    static const char *const kind[] = {"label", "kind", NULL};
    static const char *const test[] = {"val", "test", NULL};
    static const char *const train_split[] = {"val", "train", NULL};
    char rows[4096] = "photo,label,kind,split\n";
    write_goods(j, "data", 0);
    for (int i = 0; i < CLASSES * VIEWS; i++) {
        char line[96];
        snprintf(line, sizeof(line), "data/good%d/%d.png,good%d,%s,%s\n", i / VIEWS, i % VIEWS,
                 i / VIEWS, i / VIEWS == 0 ? "round" : "square",
                 i % VIEWS < 4   ? "train"
                 : i % VIEWS < 5 ? "validation"
                                 : "");
        strncat(rows, line, sizeof(rows) - strlen(rows) - 1);
    }
    write_text(j, "rows.csv", rows);
    attempt a = prepare(j, "rows.csv", kind);
    train_well(&a);
    assert_int_equal(a.report->labels, 2);
    assert_int_equal(a.report->trained, CLASSES * 5);
    assert_int_equal(a.report->validated, CLASSES);
    vt_train_report_free(a.report);
    attempt again = prepare(j, "rows.csv", NULL);
    again.out = "again.onnx";
    again.options.images_dir = at(j, "elsewhere"); /* nothing is there */
    char elsewhere[SCRATCH_PATH_BYTES];
    snprintf(elsewhere, sizeof(elsewhere), "%s", again.options.images_dir);
    again.options.images_dir = elsewhere;
    expect_failure(train(&again), VT_ERR_FORMAT, &again.error, "no photo to train on");
    unlink(at(j, "out.onnx"));
    unlink(at(j, "out.onnx.checkpoint"));
    refused(j, "rows.csv", test, VT_ERR_NOT_FOUND, "no test split");
    refused(j, "rows.csv", train_split, VT_ERR_USAGE, "measures nothing");
}

static void shops_are_trained_on(void **state)
{
    journey *j = *state;
    char photos[SCRATCH_PATH_BYTES];
    make_shop(j);
    attempt a = prepare(j, "shop", NULL); /* categories odd and even, of its thumbnails */
    a.options.images_dir = NULL;
    train_well(&a);
    assert_int_equal(a.report->labels, 2);
    assert_int_equal(a.report->trained + a.report->validated, PRODUCTS);
    vt_train_report_free(a.report);
    static const char *const products[] = {"label", "product", "split", "product",
                                           "loss",  "triplet", NULL};
    snprintf(photos, sizeof(photos), "%s", at(j, ""));
    attempt b = prepare(j, "shop", products);
    b.out = "products.onnx";
    b.options.images_dir = photos;
    train_well(&b);
    assert_int_equal(b.report->labels, PRODUCTS);
    assert_true(isnan(value_of(b.report, "accuracy")));
    vt_train_report_free(b.report);
    unlink(at(j, "out.onnx"));
    unlink(at(j, "out.onnx.checkpoint"));
    static const char *const missing[] = {"label", "no-such-attribute", NULL};
    refused(j, "shop", missing, VT_ERR_FORMAT, "no photo");
}

static void recipes_come_from_files_and_settings(void **state)
{
    threads_as_in(folders_become_an_encoder);
    journey *j = *state;
    char recipe[SCRATCH_PATH_BYTES];
    write_goods(j, "data", 0);
    write_text(j, "recipe.json",
               "{\"arch\": \"resnet9\", \"epochs\": 1, \"batch\": 6, \"loss\": \"ce\"}");
    snprintf(recipe, sizeof(recipe), "%s", at(j, "recipe.json"));
    static const char *const more[] = {"epochs", "3", NULL};
    attempt a = prepare(j, "data", more);
    a.options.recipe = recipe;
    train_well(&a);
    assert_int_equal(a.report->epochs, 3); /* what is set wins over the file */
    vt_train_report_free(a.report);
    /* A network to go on from takes the place of the file's architecture. */
    char from[SCRATCH_PATH_BYTES];
    snprintf(from, sizeof(from), "%s", a.paths[1]);
    const char *const other[] = {"from", from, "epochs", "1", NULL};
    attempt b = prepare(j, "data", other);
    b.options.recipe = recipe;
    b.out = "next.onnx";
    train_well(&b);
    vt_train_report_free(b.report);
    write_text(j, "recipe.json", "{\"epoch\": 3}");
    attempt c = prepare(j, "data", NULL);
    c.options.recipe = recipe;
    c.out = "never.onnx";
    expect_failure(train(&c), VT_ERR_USAGE, &c.error, "\"epoch\"");
    assert_non_null(strstr(c.error.message, "recipe.json"));
}

static void what_cannot_be_trained_is_refused(void **state)
{
    journey *j = *state;
    static const char *const unknown[] = {"epoch", "3", NULL};
    static const char *const wrong[] = {"epochs", "0", NULL};
    static const char *const large[] = {"batch", "64", NULL};
    static const char *const loss[] = {"loss", "anger", NULL};
    static const char *const architecture[] = {"arch", "resnet8", NULL};
    static const char *const file[] = {"from", "no-such.onnx", NULL};
    static const char *const measure[] = {"loss", "triplet", "measure", "accuracy", NULL};
    write_goods(j, "data", 0);
    refused(j, "data", unknown, VT_ERR_USAGE, "\"epoch\"");
    refused(j, "data", wrong, VT_ERR_USAGE, "\"epochs\" is 0");
    refused(j, "data", large, VT_ERR_USAGE, "batch");
    refused(j, "data", loss, VT_ERR_USAGE, "anger");
    refused(j, "data", measure, VT_ERR_USAGE, "measure");
    attempt a = prepare(j, "data", architecture);
    assert_true(train(&a) != VT_OK);
    assert_non_null(strstr(a.error.message, "resnet8"));
    attempt b = prepare(j, "data", file);
    expect_failure(train(&b), VT_ERR_NOT_FOUND, &b.error, "no-such.onnx");
    make_folder(j, "empty");
    refused(j, "empty", NULL, VT_ERR_FORMAT, "no photo");
    refused(j, "absent.csv", NULL, VT_ERR_NOT_FOUND, "absent.csv");
    make_folder(j, "one/only");
    for (int view = 0; view < VIEWS; view++) {
        char path[64];
        snprintf(path, sizeof(path), "one/only/%d.png", view);
        assert_true(goods_write(at(j, path), 1, view));
    }
    refused(j, "one", NULL, VT_ERR_FORMAT, "one label");
    attempt nameless = prepare(j, "data", NULL);
    vt_train_report *report = NULL;
    vt_error error = {0};
    expect_failure(vt_train("data", &nameless.options, &report, &error), VT_ERR_USAGE, &error,
                   "not named");
}

static void labels_on_one_side_and_products_on_both(void **state)
{
    threads_as_in(folders_become_an_encoder);
    journey *j = *state;
    char rows[4096] = "photo,label,product,split\n", other[SCRATCH_PATH_BYTES];
    static const char *const by_product[] = {"split", "product", NULL};
    write_goods(j, "data", 0);
    for (int i = 0; i < CLASSES * VIEWS; i++) {
        char line[96];
        snprintf(line, sizeof(line), "data/good%d/%d.png,good%d,p%d,%s\n", i / VIEWS, i % VIEWS,
                 i / VIEWS, i / 3, i % VIEWS < 4 ? "train" : "val");
        strncat(rows, line, sizeof(rows) - strlen(rows) - 1);
    }
    write_text(j, "rows.csv", rows);
    refused(j, "rows.csv", by_product, VT_ERR_MISMATCH, "p1");
    attempt a = prepare(j, "rows.csv", NULL);
    train_well(&a);
    vt_train_report_free(a.report);
    unlink(at(j, "out.onnx"));
    unlink(at(j, "out.onnx.checkpoint"));
    write_text(j, "other.csv", "photo,label\ndata/good0/0.png,good0\ndata/good1/0.png,nobody\n");
    snprintf(other, sizeof(other), "%s", at(j, "other.csv"));
    const char *const elsewhere[] = {"val", other, NULL};
    refused(j, "data", elsewhere, VT_ERR_FORMAT, "nobody");
    write_text(j, "other.csv", "photo,label\ndata/good0/0.png,good0\ndata/good1/0.png,good1\n");
    attempt b = prepare(j, "data", elsewhere);
    train_well(&b);
    assert_int_equal(b.report->trained, CLASSES * VIEWS);
    assert_int_equal(b.report->validated, 2);
    vt_train_report_free(b.report);
}

static bool stop_late(void *context, const vt_train_progress *progress)
{
    int *steps = context;
    return strcmp(progress->phase, "train") != 0 || --*steps > 0;
}

static void broken_photos_interruption_and_resumption(void **state)
{
    journey *j = *state;
    int steps = 2;
    write_goods(j, "data", 0);
    write_text(j, "data/good1/broken.jpg", "no picture");
    attempt a = prepare(j, "data", NULL);
    a.options.on_progress = stop_late;
    a.options.context = &steps;
    expect_failure(train(&a), VT_ERR_CANCELLED, &a.error, "resume");
    attempt over = prepare(j, "data", NULL);
    expect_failure(train(&over), VT_ERR_EXISTS, &over.error, "has not ended");
    attempt b = prepare(j, "data", NULL);
    b.options.resume = true;
    train_well(&b);
    assert_true(b.report->resumed);
    assert_int_equal(b.report->left_out, 1);
    assert_int_equal(b.report->epochs, 2);
    vt_train_report_free(b.report);
}

/* A shop gets what was trained where it finds more of the photos that were held out; at a recall
 * that cannot rise it stays as it is, and the training has been one all the same. */
static void a_shop_is_promoted_after_it(void **state)
{
    journey *j = *state;
    vt_error error = {0};
    vt_shop_info info;
    make_shop(j);
    vt_shop *shop = open_shop(j);
    char text[1024] = "photo,label,product\n", absent[SCRATCH_PATH_BYTES];
    for (int i = 0; i < PRODUCTS; i++) {
        char name[32], line[64];
        snprintf(name, sizeof(name), "v%d.jpg", i);
        assert_true(goods_write(at(j, name), i, OTHER_VIEW));
        snprintf(line, sizeof(line), "%s,%s,P-%d\n", name, i % 2 ? "odd" : "even", i);
        strncat(text, line, sizeof(text) - strlen(text) - 1);
    }
    write_text(j, "photos.csv", text);
    for (int force = 0; force < 2; force++) {
        attempt a = prepare(j, "photos.csv", NULL);
        a.out = force ? "second.onnx" : "first.onnx";
        a.options.promote = j->shop;
        a.options.force = force;
        train_well(&a);
        if (a.report->promotion == NULL)
            fail_msg("%s", a.report->promotion_failure);
        assert_string_equal(a.report->promotion->measured_with, "validation photos");
        assert_int_equal(a.report->promotion->switched, force);
        assert_non_null(strstr(a.report->json, "\"promotion\""));
        assert_int_equal(a.report->promotion->refused[0] != '\0', !force);
        vt_train_report_free(a.report);
        expect_ok(vt_shop_info_of(shop, &info, &error), &error);
        assert_string_equal(info.model, force ? "second.onnx" : "classic");
        assert_int_equal(info.vectors, PRODUCTS);
    }
    vt_shop_close(shop);
    attempt nowhere = prepare(j, "photos.csv", NULL);
    snprintf(absent, sizeof(absent), "%s", at(j, "absent"));
    nowhere.options.promote = absent;
    expect_failure(train(&nowhere), VT_ERR_NOT_FOUND, &nowhere.error, "absent");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        IN_JOURNEY(folders_become_an_encoder),
        IN_JOURNEY(the_default_encoder_is_gone_on_from),
        IN_JOURNEY(manifests_name_photos_labels_and_splits),
        IN_JOURNEY(shops_are_trained_on),
        IN_JOURNEY(recipes_come_from_files_and_settings),
        IN_JOURNEY(what_cannot_be_trained_is_refused),
        IN_JOURNEY(labels_on_one_side_and_products_on_both),
        IN_JOURNEY(broken_photos_interruption_and_resumption),
        IN_JOURNEY(a_shop_is_promoted_after_it),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
