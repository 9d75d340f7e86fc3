/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Whole runs with several heads, on pictures of stripes: their direction, their colour, which of
 * two marks are on them, each missing from some. What they learn, what they write, and that
 * resuming, adopting, freezing, adapters and teachers do with heads what they do with one.
 */
#include "train/runs.h"

#include "base/json.h"
#include "base/log.h"
#include "encoder/heads.h"
#include "nn/weights.h"

enum { KINDS = 2, COLORS = 3, MARKS = 4, REPEATS = 5, COUNT = KINDS * COLORS * MARKS * REPEATS };
enum { FILE_BYTES = 1 << 24 };

/* What picture i shows. */
typedef struct content {
    int kind, color, marks, repeat;
} content;

static content content_of(int i)
{
    return (content){i % KINDS, i / KINDS % COLORS, i / (KINDS * COLORS) % MARKS,
                     i / (KINDS * COLORS * MARKS)};
}

static void write_stripes(scratch *s, int i)
{
    content what = content_of(i);
    vt_image image;
    vt_buf png;
    vt_random random;
    char name[32];
    vt_random_init(&random, (uint64_t)i);
    vt_buf_init(&png, 1 << 20);
    assert_int_equal(vt_image_init(&image, SIDE, SIDE, NULL), VT_OK);
    int phase = vt_random_int(&random, 0, 4);
    for (int y = 0; y < SIDE; y++)
        for (int x = 0; x < SIDE; x++)
            for (int c = 0; c < 3; c++) {
                bool stripe = ((what.kind == 0 ? x : y) + phase) / 2 % 2 == 0;
                bool mark = ((what.marks & 1) != 0 && x < 8 && y < 8) ||
                            ((what.marks & 2) != 0 && x >= 8 && y >= 8);
                int value = mark ? (what.marks & 2 && x >= 8 ? 0 : 250)
                                 : 60 + (stripe ? 60 : 0) + (c == what.color ? 90 : 0);
                image.rgb[(y * SIDE + x) * 3 + c] =
                    (uint8_t)(value > 235 ? value : value + vt_random_int(&random, 0, 20));
            }
    assert_int_equal(vt_image_encode_png(&image, &png, NULL), VT_OK);
    snprintf(name, sizeof(name), "s%03d.png", i);
    scratch_write(s, name, png.data, png.length);
    vt_buf_deinit(&png);
    vt_image_deinit(&image);
}

static int setup_stripes(void **state)
{
    if (scratch_setup(state) != 0)
        return -1;
    for (int i = 0; i < COUNT; i++)
        write_stripes(*state, i);
    write_network(*state, true);
    return 0;
}

/* The values of a picture under a name; some lack them. */
static vt_label_texts labels_of(int i, const char *name, const char **items)
{
    static const char *const kinds[KINDS] = {"upright", "lying"};
    static const char *const colors[COLORS] = {"red", "green", "blue"};
    content what = content_of(i);
    size_t count = 0;
    if (strcmp(name, "kind") == 0 && i % 7 != 3)
        items[count++] = kinds[what.kind];
    if ((strcmp(name, "color") == 0 && i % 5 != 1) || strcmp(name, "tint") == 0)
        items[count++] = colors[what.color];
    if (strcmp(name, "marks") == 0 && (what.marks & 1) != 0)
        items[count++] = "light";
    if (strcmp(name, "marks") == 0 && (what.marks & 2) != 0)
        items[count++] = "dark";
    if (strcmp(name, "same") == 0)
        items[count++] = "always";
    if (strcmp(name, "trained") == 0 && what.repeat != 0)
        items[count++] = colors[what.color];
    return (vt_label_texts){items, count};
}

static vt_dataset *stripes(scratch *s, const vt_heads *heads)
{
    vt_dataset *data;
    assert_int_equal(vt_dataset_new("stripes", &data, NULL), VT_OK);
    assert_int_equal(vt_heads_set_columns(heads, data, NULL), VT_OK);
    for (int i = 0; i < COUNT; i++) {
        const char *items[VT_HEADS_MAX][2];
        vt_label_texts labels[VT_HEADS_MAX];
        char path[SCRATCH_PATH_BYTES];
        snprintf(path, sizeof(path), "%s/s%03d.png", s->root, i);
        for (size_t h = 0; h < heads->count; h++)
            labels[h] = labels_of(i, heads->items[h].name, items[h]);
        const vt_example_text row = {path, NULL, NULL,
                                     content_of(i).repeat == 0 ? VT_SPLIT_VAL : VT_SPLIT_TRAIN};
        assert_int_equal(vt_dataset_add_labelled(data, &row, labels, NULL), VT_OK);
    }
    assert_int_equal(vt_dataset_finish(data, NULL), VT_OK);
    return data;
}

static vt_status train(attempt *a)
{
    const char *const usual[] = {
        "size",    "16",   "epochs",  "32", "batch", "16", "lr",        "0.02",
        "augment", "none", "threads", "1",  "dim",   "12", "optimizer", "adamw:decay=0.01",
        NULL};
    char out[SCRATCH_PATH_BYTES], net[SCRATCH_PATH_BYTES], page[SCRATCH_PATH_BYTES];
    char logs[SCRATCH_PATH_BYTES];
    vt_recipe recipe;
    vt_heads heads;
    snprintf(net, sizeof(net), "%s/net.onnx", a->scratch->root);
    snprintf(out, sizeof(out), "%s/%s", a->scratch->root, a->out);
    snprintf(page, sizeof(page), "%s/report.html", a->scratch->root);
    snprintf(logs, sizeof(logs), "%s/logs", a->scratch->root);
    assert_int_equal(vt_recipe_init(&recipe, NULL), VT_OK);
    assert_int_equal(vt_recipe_set(&recipe, "from", net, NULL), VT_OK);
    for (const char *const *s = usual; *s != NULL; s += 2)
        assert_int_equal(vt_recipe_set(&recipe, s[0], s[1], NULL), VT_OK);
    for (const char *const *s = a->settings; s != NULL && *s != NULL; s += 2)
        assert_int_equal(vt_recipe_set(&recipe, s[0], s[1], NULL), VT_OK);
    assert_int_equal(vt_recipe_check(&recipe, NULL), VT_OK);
    a->first_loss = (double)NAN;
    vt_status status = vt_heads_parse(&recipe, &heads, &a->error);
    if (status == VT_OK) {
        vt_dataset *data = stripes(a->scratch, &heads);
        const vt_run_options options = {.recipe = &recipe,
                                        .data = data,
                                        .validation = VT_SPLIT_VAL,
                                        .out = out,
                                        .report = a->report ? page : NULL,
                                        .logdir = a->report ? logs : NULL,
                                        .resume = a->resume,
                                        .on_progress = watch,
                                        .context = a};
        status = vt_run(&options, &a->result, &a->error);
        vt_dataset_free(data);
    }
    vt_recipe_deinit(&recipe);
    return status;
}

static void train_good(attempt *a)
{
    if (train(a) != VT_OK)
        fail_msg("%s", a->error.message);
}

static const char three[] = "ce:kind,ce:color=0.5,bce:marks";

static double measure(const attempt *a, size_t head, vt_measure which)
{
    return a->result.best.heads[head][which];
}

static void at_least(double value, double low, const char *what)
{
    if (!(value >= low))
        fail_msg("%s is %g, wanted %g", what, value, low);
}

static char *text_of(scratch *s, const char *name)
{
    vt_buf text;
    vt_buf_init(&text, FILE_BYTES);
    assert_int_equal(vt_file_read(scratch_path(s, name), FILE_BYTES, &text, NULL), VT_OK);
    return vt_buf_take(&text, NULL);
}

static void expect_text(scratch *s, const char *file, const char *const *parts)
{
    char *text = text_of(s, file);
    for (; *parts != NULL; parts++)
        if (strstr(text, *parts) == NULL)
            fail_msg("%s does not have %s", file, *parts);
    vt_free(text);
}

/* Every line of a log is a JSON document by itself, with no name twice. */
static void check_lines(scratch *s, const char *file)
{
    char *text = text_of(s, file), *rest = NULL;
    size_t count = 0;
    for (char *line = strtok_r(text, "\n", &rest); line != NULL;
         line = strtok_r(NULL, "\n", &rest), count++) {
        vt_json *json = NULL;
        vt_error error;
        if (vt_json_parse(line, strlen(line), 5, &json, &error) != VT_OK)
            fail_msg("%s: %s", line, error.message);
        bool epoch = strcmp(vt_json_text(vt_json_get(json, "event"), ""), "epoch") == 0;
        for (int i = 0; epoch && i < 2; i++)
            assert_true(vt_json_number(vt_json_get(json, i ? "loss" : "train_loss"), -1) > 0);
        vt_json_free(json);
    }
    assert_true(count > 32); /* epochs */
    vt_free(text);
}

static void heads_learn_together(void **state)
{
    static const char *const settings[] = {"loss", three, NULL};
    attempt a = {.scratch = *state, .out = "a.onnx", .settings = settings, .report = true};
    train_good(&a);
    at_least(measure(&a, 0, VT_MEASURE_ACCURACY), 0.9, "accuracy of kind");  /* chance: 1/2 */
    at_least(measure(&a, 1, VT_MEASURE_ACCURACY), 0.9, "accuracy of color"); /* 1/3 */
    at_least(measure(&a, 2, VT_MEASURE_ACCURACY), 0.8, "accuracy of marks"); /* 1/3 */
    at_least(measure(&a, 2, VT_MEASURE_F1), 0.85, "f1 of marks");
    assert_true(measure(&a, 1, VT_MEASURE_RECALL_1) >= 0);
    assert_true(isnan(measure(&a, 2, VT_MEASURE_RECALL_1)));
    const vt_run_epoch *best = &a.result.best;
    double mean = (measure(&a, 0, VT_MEASURE_ACCURACY) + measure(&a, 1, VT_MEASURE_ACCURACY) +
                   measure(&a, 2, VT_MEASURE_ACCURACY)) /
                  3;
    assert_true(fabs(best->measures[VT_MEASURE_ACCURACY] - mean) < 1e-12);
    assert_string_equal(a.result.goal.name, "accuracy");
    /* Photos that lack a label are in the run all the same. */
    assert_int_equal(a.result.trained, COUNT / REPEATS * (REPEATS - 1));
    size_t kinds = 0, marks = 0;
    for (int i = COUNT / REPEATS; i < COUNT; i++) {
        kinds += i % 7 != 3;
        marks += content_of(i).marks != 0;
    }
    assert_int_equal(a.result.head_trained[0], kinds);
    assert_int_equal(a.result.head_trained[2], marks);
    assert_true(kinds < a.result.trained && marks < a.result.trained);
    static const char *const lines[] = {"\"heads\":{\"kind\":{\"accuracy\"", "\"marks\":{", NULL};
    static const char *const page[] = {"<h2>Head kind",
                                       "<h2>Head marks",
                                       "<h2>Attributes",
                                       "several a photo",
                                       "Confusion matrix",
                                       "Hard examples",
                                       NULL};
    expect_text(*state, "logs/log.jsonl", lines);
    check_lines(*state, "logs/log.jsonl");
    expect_text(*state, "report.html", page);
}

/* The file says what its outputs are, and gives for every picture what it was taught. */
static void what_is_written_reads_back(void **state)
{
    static const char *const settings[] = {"loss", three, NULL};
    attempt a = {.scratch = *state, .out = "a.onnx", .settings = settings};
    vt_encoder *encoder;
    vt_encoder_options options = vt_encoder_options_defaults();
    vt_batcher_options batching = vt_batcher_options_defaults();
    vt_batcher *batcher;
    vt_error error;
    train_good(&a);
    options.scores = true;
    options.precision = VT_PRECISION_F32;
    if (vt_encoder_open(scratch_path(*state, "a.onnx"), &options, &encoder, &error) != VT_OK)
        fail_msg("%s", error.message);
    vt_encoder_info info = vt_encoder_info_of(encoder);
    assert_true(info.golden_checked);
    assert_int_equal(info.dim, 12);
    assert_int_equal(info.score_count, KINDS + COLORS + 2);
    assert_int_equal(info.heads->count, 3);
    const vt_model_head *marks = vt_model_heads_find(info.heads, "marks");
    assert_true(marks->several);
    assert_string_equal(marks->output, "logits.marks");
    assert_string_equal(vt_json_text(vt_json_at(marks->labels, 0), ""), "dark");
    const vt_model_head *color = vt_model_heads_find(info.heads, "color");
    assert_false(color->several);
    assert_int_equal(color->label_count, COLORS);
    assert_null(vt_model_heads_find(info.heads, "colour"));
    assert_int_equal(vt_batcher_new(encoder, &batching, &batcher, NULL), VT_OK);
    int right = 0;
    for (int i = 0; i < COUNT; i++) {
        static const int by_name[COLORS] = {2, 1, 0}; /* blue green red */
        float row[12 + KINDS + COLORS + 2];
        char name[32];
        vt_image image;
        vt_decode_options decoding = vt_decode_options_defaults();
        snprintf(name, sizeof(name), "s%03d.png", i);
        assert_int_equal(vt_image_decode_file(scratch_path(*state, name), &decoding, &image, NULL),
                         VT_OK);
        assert_int_equal(vt_batcher_embed(batcher, &image, 1, row, NULL), VT_OK);
        const float *scores = row + 12 + KINDS;
        int named = 0;
        for (int c = 1; c < COLORS; c++)
            named = scores[c] > scores[named] ? c : named;
        right += named == by_name[content_of(i).color];
        vt_image_deinit(&image);
    }
    assert_true(right > COUNT * 9 / 10);
    vt_batcher_free(batcher);
    vt_encoder_free(encoder);
    vt_model *model;
    assert_int_equal(vt_model_open(scratch_path(*state, "a.onnx"), NULL, &model, NULL), VT_OK);
    assert_int_equal(vt_model_output_count(model), 4);
    assert_false(vt_model_has_value(model, "loss"));
    vt_model_free(model);
}

static void interrupted_runs_end_the_same(void **state)
{
    static const char *const settings[] = {
        "loss",       "ce:kind,cosface(scale=8):color=0.5,bce:marks,nt-xent=0.1",
        "ema",        "0.9",
        "epochs",     "4",
        "early_stop", "3",
        "measure",    "color.recall@1",
        "augment",    "light",
        NULL};
    attempt whole = {.scratch = *state, .out = "whole.onnx", .settings = settings};
    attempt cut = {.scratch = *state, .out = "cut.onnx", .settings = settings};
    train_good(&whole);
    assert_string_equal(whole.result.goal.name, "color.recall@1");
    static const int ends[] = {5, 9, 3};
    for (int i = 0; i < 3; i++) {
        cut.end_at = ends[i];
        cut.resume = i > 0;
        assert_int_equal(train(&cut), VT_ERR_CANCELLED);
    }
    cut.end_at = 0;
    cut.resume = true;
    static const char *const other[] = {"loss", "ce:kind,ce:color", NULL};
    attempt changed = cut;
    changed.settings = other;
    assert_int_equal(train(&changed), VT_ERR_MISMATCH);
    train_good(&cut);
    assert_true(cut.result.resumed);
    for (int h = 0; h < 3; h++)
        for (int m = 0; m < VT_MEASURES; m++) {
            double a = whole.result.best.heads[h][m], b = cut.result.best.heads[h][m];
            assert_true(a == b || (isnan(a) && isnan(b)));
        }
    vt_buf files[2];
    static const char *const names[] = {"whole.onnx", "cut.onnx"};
    for (int i = 0; i < 2; i++) {
        vt_buf_init(&files[i], FILE_BYTES);
        assert_int_equal(vt_file_read(scratch_path(*state, names[i]), FILE_BYTES, &files[i], NULL),
                         VT_OK);
    }
    assert_int_equal(files[0].length, files[1].length);
    assert_memory_equal(files[0].data, files[1].data, files[0].length);
    vt_buf_deinit(&files[0]);
    vt_buf_deinit(&files[1]);
}

/* Whether two files have the same numbers in the weight of this name. */
static bool same_weight(scratch *s, const char *const *files, const char *name)
{
    vt_tensor found[2] = {{0}};
    for (int i = 0; i < 2; i++) {
        vt_model *model;
        vt_error error;
        assert_int_equal(vt_model_open(scratch_path(s, files[i]), NULL, &model, NULL), VT_OK);
        if (vt_model_weight_read(model, name, &found[i], &error) != VT_OK)
            fail_msg("%s: %s", files[i], error.message);
        vt_model_free(model);
    }
    bool same = found[0].bytes == found[1].bytes &&
                memcmp(found[0].data, found[1].data, found[0].bytes) == 0;
    vt_tensor_deinit(&found[0]);
    vt_tensor_deinit(&found[1]);
    return same;
}

static void heads_alone_and_adapters(void **state)
{
    static const char *const frozen[] = {"loss", three, "freeze", "all-but-head", NULL};
    static const char *const adapted[] = {"loss", three, "lora", "4", NULL};
    static const char *const first[] = {"net.onnx", "frozen.onnx"};
    static const char *const second[] = {"net.onnx", "lora.onnx"};
    attempt a = {.scratch = *state, .out = "frozen.onnx", .settings = frozen};
    train_good(&a);
    assert_true(a.result.last.loss < 0.95 * a.first_loss);
    assert_true(same_weight(*state, first, "conv.weight"));
    assert_true(same_weight(*state, first, "point.weight"));
    attempt b = {.scratch = *state, .out = "lora.onnx", .settings = adapted};
    train_good(&b);
    assert_true(b.result.last.loss < 0.95 * b.first_loss);
    assert_true(same_weight(*state, second, "conv.weight"));
    assert_false(same_weight(*state, second, "point.weight"));
}

/* Heads of the same names and labels are gone on with, others are new, with their old ones gone. */
static void networks_are_gone_on_from(void **state)
{
    char path[SCRATCH_PATH_BYTES];
    static const char *const settings[] = {"loss", three, NULL};
    attempt a = {.scratch = *state, .out = "a.onnx", .settings = settings};
    train_good(&a);
    snprintf(path, sizeof(path), "%s/a.onnx", a.scratch->root);
    const char *const same[] = {"loss", three, "from", path, "epochs", "1", "lr", "1e-6", NULL};
    attempt b = {.scratch = *state, .out = "b.onnx", .settings = same};
    train_good(&b);
    at_least(measure(&b, 0, VT_MEASURE_ACCURACY), 0.9, "kept kind");
    at_least(measure(&b, 1, VT_MEASURE_ACCURACY), 0.9, "kept color");
    at_least(measure(&b, 2, VT_MEASURE_ACCURACY), 0.8, "kept marks");
    /* One of them, and another that was of several values. */
    const char *const fewer[] = {
        "loss", "ce:color,triplet:kind=0.1", "from", path, "epochs", "1", "lr", "1e-6", NULL};
    attempt c = {.scratch = *state, .out = "c.onnx", .settings = fewer};
    train_good(&c);
    at_least(measure(&c, 0, VT_MEASURE_ACCURACY), 0.9, "kept color alone");
    assert_true(isnan(measure(&c, 1, VT_MEASURE_ACCURACY)));
    assert_true(measure(&c, 1, VT_MEASURE_RECALL_1) >= 0);
    vt_model *model;
    vt_model_heads heads;
    assert_int_equal(vt_model_open(scratch_path(*state, "c.onnx"), NULL, &model, NULL), VT_OK);
    assert_int_equal(vt_model_heads_read(model, &heads, NULL), VT_OK);
    assert_int_equal(heads.count, 2);
    assert_null(vt_model_heads_find(&heads, "kind")->output); /* it shaped the embedding */
    assert_false(vt_model_has_value(model, "logits.marks"));
    vt_model_heads_deinit(&heads);
    vt_model_free(model);
}

static void teachers_have_heads(void **state)
{
    char path[SCRATCH_PATH_BYTES];
    static const char *const settings[] = {"loss", three, NULL};
    attempt a = {.scratch = *state, .out = "teacher.onnx", .settings = settings};
    train_good(&a);
    snprintf(path, sizeof(path), "%s/teacher.onnx", a.scratch->root);
    const char *const one[] = {"loss", "kd:kind,ce:color", "teacher", path, NULL};
    const char *const two[] = {"loss", "kd:kind,kd:color,kd-cosine=0.1", "teacher", path, NULL};
    attempt b = {.scratch = *state, .out = "student.onnx", .settings = one};
    train_good(&b);
    at_least(measure(&b, 0, VT_MEASURE_ACCURACY), 0.85, "taught kind"); /* it saw no label of it */
    attempt d = {.scratch = *state, .out = "two.onnx", .settings = two};
    train_good(&d);
    at_least(measure(&d, 1, VT_MEASURE_ACCURACY), 0.85, "taught color");
    assert_true(d.result.last.loss < 0.5 * d.first_loss);
    const char *const nobody[] = {"loss", "kd:tint,kd:color", "teacher", path, NULL};
    attempt c = {.scratch = *state, .out = "none.onnx", .settings = nobody};
    assert_int_equal(train(&c), VT_ERR_MISMATCH);
    assert_non_null(strstr(c.error.message, "it has no head \"tint\""));
}

static void pictures_are_mixed_for_all(void **state)
{
    static const char *const settings[] = {"loss", three, "augment", "none,mixup=0.2", NULL};
    attempt a = {.scratch = *state, .out = "mixed.onnx", .settings = settings};
    train_good(&a);
    assert_true(a.result.last.loss < 0.9 * a.first_loss);
    at_least(measure(&a, 1, VT_MEASURE_ACCURACY), 0.7, "color of mixed pictures");
}

static void count_warnings(void *context, vt_log_level level, const char *line)
{
    size_t *count = context;
    *count += level == VT_LOG_WARN && strstr(line, "\"trained\" have no photo to validate") != NULL;
}

/* It is said once that a label cannot be measured; the others are what the run goes by. */
static void what_cannot_be_measured_is_said(void **state)
{
    static const char *const settings[] = {
        "loss", "ce:kind,ce:trained", "epochs", "3", "early_stop", "3", NULL};
    attempt a = {.scratch = *state, .out = "a.onnx", .settings = settings};
    size_t warnings = 0;
    vt_log_set_sink(count_warnings, &warnings, VT_LOG_WARN);
    train_good(&a);
    vt_log_set_sink(NULL, NULL, VT_LOG_ERROR);
    assert_int_equal(warnings, 1);
    assert_int_equal(a.result.head_validated[1], 0);
    assert_true(isnan(measure(&a, 1, VT_MEASURE_ACCURACY)));
    assert_true(a.result.best.measures[VT_MEASURE_ACCURACY] == measure(&a, 0, VT_MEASURE_ACCURACY));
}

static void refused(scratch *s, const char *const *settings, const char *text)
{
    attempt a = {.scratch = s, .out = "never.onnx", .settings = settings};
    vt_status status = train(&a);
    if (status == VT_OK || strstr(a.error.message, text) == NULL)
        fail_msg("status %d, \"%s\"; wanted \"%s\"", (int)status, a.error.message, text);
    assert_false(vt_file_exists(scratch_path(s, "never.onnx")));
}

static void what_cannot_be_run_is_refused(void **state)
{
    static const char *const nobody[] = {"loss", "ce:kind,ce:taste", NULL};
    static const char *const one[] = {"loss", "ce:kind,ce:same", NULL};
    static const char *const unknown[] = {"label", "kind,color", "loss", "ce:kind,ce:colour", NULL};
    static const char *const twice[] = {"label", "kind,kind", NULL};
    static const char *const measure_of[] = {"loss", three, "measure", "colour.accuracy", NULL};
    static const char *const recall[] = {"loss", three, "measure", "marks.recall@1", NULL};
    static const char *const no_classes[] = {"loss", "ce:kind,triplet:color", "measure", "color.f1",
                                             NULL};
    static const char *const no_measure[] = {"loss", three, "measure", "color.taste", NULL};
    static const char *const unvalidated[] = {"loss", "ce:kind,ce:trained", "measure",
                                              "trained.accuracy", NULL};
    static const char *const few[] = {"loss", three, "measure", "top5", "early_stop", "2", NULL};
    refused(*state, unvalidated,
            "\"measure\" trained.accuracy cannot be told: no photo to validate on has the label");
    refused(*state, few, "\"measure\" top5 cannot be told: there are no more than five classes");
    refused(*state, nobody, "no photo has a \"taste\"");
    refused(*state, one, "the same \"same\"");
    refused(*state, unknown, "names head \"colour\"");
    refused(*state, twice, "\"kind\" twice");
    refused(*state, measure_of, "there is no head \"colour\"");
    refused(*state, recall, "one value a photo");
    refused(*state, no_classes, "is of classes");
    refused(*state, no_measure, "color.taste");
}

#define RUN_TEST(name) cmocka_unit_test_setup_teardown(name, setup_stripes, scratch_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        RUN_TEST(heads_learn_together),          RUN_TEST(what_is_written_reads_back),
        RUN_TEST(interrupted_runs_end_the_same), RUN_TEST(heads_alone_and_adapters),
        RUN_TEST(networks_are_gone_on_from),     RUN_TEST(teachers_have_heads),
        RUN_TEST(pictures_are_mixed_for_all),    RUN_TEST(what_cannot_be_measured_is_said),
        RUN_TEST(what_cannot_be_run_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
