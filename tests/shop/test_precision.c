/* SPDX-License-Identifier: Apache-2.0 */
/* What a shop remembers of precisions, and how one is chosen for a while. */
#include "shop/journey.h"

#include "support/onnx_builder.h"

#include "base/file.h"
#include "nn/model.h"

#include <math.h>
#include <unistd.h>

/* The shop of a journey with the tiny network and this wish. */
static vt_status init_tiny(journey *j, const char *precision, vt_error *error)
{
    tiny_options tiny = tiny_defaults();
    vt_buf file = tiny_build(&tiny);
    char path[SCRATCH_PATH_BYTES];
    assert_false(file.failed);
    scratch_write(j->scratch, "tiny.onnx", file.data, file.length);
    vt_buf_deinit(&file);
    snprintf(path, sizeof(path), "%s", at(j, "tiny.onnx"));
    vt_init_options options = vt_init_options_defaults();
    options.model = path;
    options.preset = "imagenet";
    options.precision = precision;
    return vt_shop_init(j->shop, &options, error);
}

static char *settings_of(journey *j)
{
    static char text[1 << 16];
    vt_buf file;
    vt_buf_init(&file, sizeof(text) - 1);
    assert_int_equal(vt_file_read(at(j, "shop/vitrine.json"), sizeof(text) - 1, &file, NULL),
                     VT_OK);
    snprintf(text, sizeof(text), "%s", vt_buf_text(&file));
    vt_buf_deinit(&file);
    return text;
}

/* vitrine.json with everything between two texts, both included, replaced. */
static void change_settings(journey *j, const char *from, const char *until, const char *with)
{
    char *text = settings_of(j), changed[1 << 16];
    char *start = strstr(text, from);
    assert_non_null(start);
    char *end = strstr(start + strlen(from), until);
    assert_non_null(end);
    int length = snprintf(changed, sizeof(changed), "%.*s%s%s", (int)(start - text), text, with,
                          end + strlen(until));
    scratch_write(j->scratch, "shop/vitrine.json", changed, (size_t)length);
}

/* Embeds one photo by a search, so that the encoder is there. */
static const char *computed_in(vt_shop *shop, journey *j)
{
    vt_answer_free(ask(shop, at(j, "p0.jpg"), 1));
    return vt_shop_precision(shop);
}

static void what_is_asked_for_is_kept(void **state)
{
    journey *j = *state;
    vt_error error = {0};
    vt_shop_info info;
    expect_failure(init_tiny(j, "half", &error), VT_ERR_USAGE, &error, "\"half\"");
    assert_int_equal(access(j->shop, F_OK), -1);
    expect_ok(init_tiny(j, "f32", &error), &error);
    assert_non_null(strstr(settings_of(j), "\"precision\": \"f32\""));
    assert_null(strstr(settings_of(j), "\"auto\""));
    vt_shop *shop = open_shop(j);
    expect_ok(vt_shop_info_of(shop, &info, &error), &error);
    assert_string_equal(info.precision, "f32");
    assert_null(info.auto_precision);
    assert_null(vt_shop_precision(shop)); /* nothing was embedded */
    assert_string_equal(computed_in(shop, j), "f32");
    vt_shop_close(shop);
}

static void what_auto_came_to_is_noted(void **state)
{
    journey *j = *state;
    vt_error error = {0};
    vt_shop_info info;
    const char *want = vt_precision_is_fast(VT_PRECISION_BF16) ? "bf16" : "f32";
    expect_ok(init_tiny(j, NULL, &error), &error);
    vt_shop *shop = open_shop(j);
    expect_ok(vt_shop_info_of(shop, &info, &error), &error);
    assert_string_equal(info.precision, "auto");
    assert_string_equal(info.auto_precision, want);
    assert_true(info.auto_similarity >= 0.999);
    assert_string_equal(info.auto_refused, "");
    assert_true(strlen(info.auto_machine) > 0);
    assert_string_equal(computed_in(shop, j), want);
    vt_shop_close(shop);
}

static void one_run_may_be_in_another_precision(void **state)
{
    journey *j = *state;
    vt_error error = {0};
    expect_ok(init_tiny(j, "f32", &error), &error);
    vt_shop *shop = open_shop(j);
    expect_failure(vt_shop_use_precision(shop, "fast", &error), VT_ERR_USAGE, &error, "\"fast\"");
    assert_string_equal(computed_in(shop, j), "f32");
    expect_ok(vt_shop_use_precision(shop, "bf16", &error), &error);
    assert_null(vt_shop_precision(shop));
    assert_string_equal(computed_in(shop, j), "bf16");
    expect_ok(vt_shop_use_precision(shop, NULL, &error), &error);
    assert_string_equal(computed_in(shop, j), "f32");
    vt_shop_close(shop);
    assert_non_null(strstr(settings_of(j), "\"precision\": \"f32\""));
}

/* Of a program or machine that is not this one: decided anew, written down by writers alone. */
static void a_stale_note_is_renewed_by_writers(void **state)
{
    journey *j = *state;
    vt_error error = {0};
    vt_import_report report = {0};
    expect_ok(init_tiny(j, "auto", &error), &error);
    change_settings(j, "\"machine\": \"", "\"", "\"machine\": \"another\"");
    vt_shop *shop = open_shop(j);
    assert_non_null(computed_in(shop, j));
    vt_shop_close(shop);
    assert_non_null(strstr(settings_of(j), "another"));
    import_feed(j, &report);
    assert_null(strstr(settings_of(j), "another"));
    /* A run in another precision says nothing about auto. */
    change_settings(j, "\"machine\": \"", "\"", "\"machine\": \"another\"");
    expect_ok(vt_shop_open(j->shop, VT_OPEN_WRITE, &shop, &error), &error);
    expect_ok(vt_shop_use_precision(shop, "f32", &error), &error);
    assert_string_equal(computed_in(shop, j), "f32");
    vt_shop_close(shop);
    assert_non_null(strstr(settings_of(j), "another"));
}

/* A note that says f32, which is not what auto comes to where bf16 is fast, is believed. */
static void a_note_that_holds_here_is_taken_over(void **state)
{
    journey *j = *state;
    vt_error error = {0};
    expect_ok(init_tiny(j, "auto", &error), &error);
    change_settings(j, "\"auto\": {\n      \"precision\": \"", "\"",
                    "\"auto\": {\n      \"precision\": \"f32\"");
    vt_shop *shop = open_shop(j);
    assert_string_equal(computed_in(shop, j), "f32");
    vt_shop_close(shop);
}

static void settings_without_precision_ask_for_auto(void **state)
{
    journey *j = *state;
    vt_error error = {0};
    vt_shop_info info;
    vt_shop *shop = NULL;
    expect_ok(init_tiny(j, "f32", &error), &error);
    change_settings(j, ",\n    \"precision\": \"f32\"", "", "");
    shop = open_shop(j);
    expect_ok(vt_shop_info_of(shop, &info, &error), &error);
    assert_string_equal(info.precision, "auto");
    assert_null(info.auto_precision);
    assert_non_null(computed_in(shop, j));
    vt_shop_close(shop);
    change_settings(j, "\"dimension\": 8", "", "\"dimension\": 8, \"precision\": \"fp4\"");
    shop = NULL;
    expect_failure(vt_shop_open(j->shop, VT_OPEN_READ, &shop, &error), VT_ERR_UNSUPPORTED, &error,
                   "fp4");
    assert_null(shop);
    /* A note that makes no sense is as good as none. */
    change_settings(j, "\"fp4\"", "",
                    "\"auto\", \"auto\": {\"precision\": \"auto\", \"machine\": 7}");
    shop = open_shop(j);
    expect_ok(vt_shop_info_of(shop, &info, &error), &error);
    assert_null(info.auto_precision);
    vt_shop_close(shop);
}

static void reports_name_the_precision(void **state)
{
    journey *j = *state;
    vt_error error = {0};
    vt_import_report imported = {0};
    vt_eval_report *report = NULL;
    vt_embed_result *result = NULL;
    vt_photo photo = {.path = at(j, "p1.jpg")};
    char path[SCRATCH_PATH_BYTES];
    snprintf(path, sizeof(path), "%s", photo.path);
    photo.path = path;
    expect_ok(init_tiny(j, "f32", &error), &error);
    import_feed(j, &imported);
    write_text(j, "queries.csv", "photo,product\np0.jpg,P-0\n");
    vt_eval_options options = vt_eval_options_defaults();
    vt_shop *shop = open_shop(j);
    expect_ok(vt_shop_eval(shop, at(j, "queries.csv"), &options, &report, &error), &error);
    assert_string_equal(report->computed_in, "f32");
    assert_non_null(strstr(report->json, "\"computed_in\": \"f32\""));
    vt_eval_report_free(report);
    vt_shop_close(shop);
    vt_init_options how = {.model = j->shop, .precision = "bf16"};
    expect_ok(vt_embed_photos(&how, &photo, 1, &result, &error), &error);
    assert_string_equal(result->precision, "bf16");
    vt_embed_result_free(result);
    how.model = "classic";
    result = NULL;
    expect_ok(vt_embed_photos(&how, &photo, 1, &result, &error), &error);
    assert_null(result->precision);
    vt_embed_result_free(result);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        IN_JOURNEY(what_is_asked_for_is_kept),
        IN_JOURNEY(what_auto_came_to_is_noted),
        IN_JOURNEY(one_run_may_be_in_another_precision),
        IN_JOURNEY(a_stale_note_is_renewed_by_writers),
        IN_JOURNEY(a_note_that_holds_here_is_taken_over),
        IN_JOURNEY(settings_without_precision_ask_for_auto),
        IN_JOURNEY(reports_name_the_precision),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
