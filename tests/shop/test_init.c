/* SPDX-License-Identifier: Apache-2.0 */
/* Shops whose encoder is an ONNX file: made, opened again, damaged, and those that cannot be made.
 */
#include "shop/journey.h"

#include "support/onnx_builder.h"

#include "base/file.h"
#include "encoder/encoder.h"

#include <sys/stat.h>

static void save(journey *j, const char *name, vt_buf *file)
{
    assert_false(file->failed);
    scratch_write(j->scratch, name, file->data, file->length);
    vt_buf_deinit(file);
}

static void save_tiny(journey *j, const char *name, const tiny_options *options)
{
    vt_buf file = tiny_build(options);
    save(j, name, &file);
}

/* Options for the tiny network, which is written to tiny.onnx; `path` holds its name. */
static vt_init_options tiny_shop(journey *j, char path[SCRATCH_PATH_BYTES])
{
    tiny_options tiny = tiny_defaults();
    vt_init_options options = vt_init_options_defaults();
    save_tiny(j, "tiny.onnx", &tiny);
    snprintf(path, SCRATCH_PATH_BYTES, "%s", at(j, "tiny.onnx"));
    options.model = path;
    options.preset = "imagenet";
    return options;
}

static void a_shop_with_a_network_finds_its_products(void **state)
{
    journey *j = *state;
    vt_error error = {0};
    vt_shop_info info;
    char path[SCRATCH_PATH_BYTES];
    vt_init_options options = tiny_shop(j, path);
    make_shop_with(j, &options);
    unlink(path); /* the shop has a copy of its own */
    for (int opened = 0; opened < 2; opened++) {
        vt_shop *shop = open_shop(j);
        expect_ok(vt_shop_info_of(shop, &info, &error), &error);
        assert_string_equal(info.model, "tiny.onnx");
        assert_int_equal(info.dimension, TINY_FEATURES);
        assert_int_equal(info.vectors, PRODUCTS);
        for (int i = 0; i < PRODUCTS; i++) {
            char name[16], want[16];
            snprintf(name, sizeof(name), "p%d.jpg", i);
            snprintf(want, sizeof(want), "P-%d", i);
            vt_answer *answer = ask(shop, at(j, name), 1);
            assert_string_equal(answer->results[0].product->id, want);
            assert_true(answer->results[0].similarity > 0.99);
            vt_answer_free(answer);
        }
        vt_shop_close(shop);
    }
}

/* Without any word of a model: the network that the library brings, which the shop keeps. */
static void the_default_encoder_finds_its_products(void **state)
{
    journey *j = *state;
    vt_error error = {0};
    vt_shop_info info;
    vt_init_options options = vt_init_options_defaults();
    make_shop_with(j, &options);
    vt_shop *shop = open_shop(j);
    expect_ok(vt_shop_info_of(shop, &info, &error), &error);
    assert_string_equal(info.model, "vitrine-s.onnx");
    assert_int_equal(info.dimension, 256);
    vt_answer *answer = ask(shop, at(j, "p1.jpg"), 1);
    assert_string_equal(answer->results[0].product->id, "P-1");
    assert_true(answer->results[0].similarity > 0.9);
    vt_answer_free(answer);
    vt_shop_close(shop);
    assert_int_equal(access(at(j, "shop/models/vitrine-s.onnx"), F_OK), 0);
}

/* Searches and expects this failure: the encoder is loaded when it is first needed. */
static void expect_search_fails(journey *j, vt_status status, const char *text)
{
    vt_error error = {0};
    vt_answer *answer = NULL;
    vt_photo photo = {.path = at(j, "p0.jpg")};
    vt_query query = vt_query_defaults();
    query.photos = &photo;
    query.photo_count = 1;
    vt_shop *shop = open_shop(j);
    expect_failure(vt_shop_search(shop, &query, &answer, &error), status, &error, text);
    assert_null(answer);
    vt_shop_close(shop);
}

/* models/tiny.onnx of another shop, in place of this one's. */
static void swap_model(journey *j, uint64_t seed)
{
    vt_error error = {0};
    vt_buf file;
    char other[SCRATCH_PATH_BYTES];
    tiny_options tiny = tiny_defaults();
    vt_init_options options = vt_init_options_defaults();
    tiny.seed = seed;
    save_tiny(j, "tiny.onnx", &tiny);
    snprintf(other, sizeof(other), "%s", at(j, "other"));
    char path[SCRATCH_PATH_BYTES];
    snprintf(path, sizeof(path), "%s", at(j, "tiny.onnx"));
    options.model = path;
    options.preset = "imagenet";
    expect_ok(vt_shop_init(other, &options, &error), &error);
    vt_buf_init(&file, 1 << 20);
    expect_ok(vt_file_read(at(j, "other/models/tiny.onnx"), 1 << 20, &file, &error), &error);
    save(j, "shop/models/tiny.onnx", &file);
}

static void another_model_in_the_shop_is_a_mismatch(void **state)
{
    journey *j = *state;
    char path[SCRATCH_PATH_BYTES];
    vt_init_options options = tiny_shop(j, path);
    make_shop_with(j, &options);
    swap_model(j, 99);
    expect_search_fails(j, VT_ERR_MISMATCH, "not the one that made");
    vt_error error = {0};
    vt_shop *shop = NULL;
    vt_import_report report = {0};
    vt_import_options importing = vt_import_options_defaults();
    expect_ok(vt_shop_open(j->shop, VT_OPEN_WRITE, &shop, &error), &error);
    assert_int_equal(vt_shop_import(shop, j->feed, &importing, &report, &error), VT_ERR_MISMATCH);
    vt_shop_close(shop);
}

static void a_damaged_or_missing_model_is_named(void **state)
{
    journey *j = *state;
    vt_buf file;
    char path[SCRATCH_PATH_BYTES];
    vt_init_options options = tiny_shop(j, path);
    make_shop_with(j, &options);
    vt_buf_init(&file, 1 << 20);
    assert_int_equal(vt_file_read(at(j, "shop/models/tiny.onnx"), 1 << 20, &file, NULL), VT_OK);
    size_t length = file.length;
    scratch_write(j->scratch, "shop/models/tiny.onnx", file.data, length / 2);
    expect_search_fails(j, VT_ERR_FORMAT, "tiny.onnx");
    vt_random random;
    vt_random_init(&random, tiny_defaults().seed);
    float first = vt_random_float(&random, -0.5f, 0.5f);
    unsigned char *weight = memmem(file.data, length, &first, sizeof(first));
    assert_non_null(weight);
    weight[3] = (unsigned char)((weight[3] & 0x80) | 0x43);
    save(j, "shop/models/tiny.onnx", &file);
    expect_search_fails(j, VT_ERR_MISMATCH, "golden");
    assert_int_equal(unlink(at(j, "shop/models/tiny.onnx")), 0);
    expect_search_fails(j, VT_ERR_NOT_FOUND, "tiny.onnx");
    /* What needs no encoder goes on. */
    vt_error error = {0};
    vt_product *product = NULL;
    vt_shop *shop = open_shop(j);
    expect_ok(vt_shop_get(shop, "P-1", &product, &error), &error);
    vt_product_free(product);
    vt_shop_close(shop);
}

/* vitrine.json with one text replaced by another of any length. */
static void change_settings(journey *j, const char *from, const char *to)
{
    vt_buf file, changed;
    vt_buf_init(&file, 1 << 16);
    vt_buf_init(&changed, 1 << 16);
    assert_int_equal(vt_file_read(at(j, "shop/vitrine.json"), 1 << 16, &file, NULL), VT_OK);
    const char *found = strstr(file.data, from);
    assert_non_null(found);
    vt_buf_append(&changed, file.data, (size_t)(found - file.data));
    vt_buf_append_text(&changed, to);
    vt_buf_append_text(&changed, found + strlen(from));
    scratch_write(j->scratch, "shop/vitrine.json", changed.data, changed.length);
    vt_buf_deinit(&file);
    vt_buf_deinit(&changed);
}

static void settings_that_do_not_fit_are_refused(void **state)
{
    journey *j = *state;
    vt_error error = {0};
    vt_shop *shop = NULL;
    char path[SCRATCH_PATH_BYTES];
    vt_init_options options = tiny_shop(j, path);
    make_shop_with(j, &options);
    change_settings(j, "\"dimension\": 8", "\"dimension\": 4");
    expect_search_fails(j, VT_ERR_CORRUPT, "vitrine.json");
    change_settings(j, "\"dimension\": 4", "\"dimension\": 8");
    change_settings(j, "models/tiny.onnx", "../tiny.onnx");
    expect_search_fails(j, VT_ERR_DENIED, "../tiny.onnx");
    change_settings(j, "../tiny.onnx", path);
    expect_search_fails(j, VT_ERR_DENIED, "tiny.onnx");
    change_settings(j, "\"dimension\": 8", "\"dimension\": 1e12");
    expect_failure(vt_shop_open(j->shop, VT_OPEN_READ, &shop, &error), VT_ERR_CORRUPT, &error,
                   "dimension");
    assert_null(shop);
}

static void expect_init_fails(journey *j, const vt_init_options *options, vt_status status,
                              const char *text)
{
    vt_error error = {0};
    expect_failure(vt_shop_init(j->shop, options, &error), status, &error, text);
}

static void what_cannot_be_made_leaves_nothing(void **state)
{
    journey *j = *state;
    char path[SCRATCH_PATH_BYTES];
    vt_init_options options = tiny_shop(j, path);
    options.preset = NULL;
    expect_init_fails(j, &options, VT_ERR_USAGE, "preset");
    options.preset = "imagenet";
    options.output = "nothing";
    expect_init_fails(j, &options, VT_ERR_NOT_FOUND, "nothing");
    options.output = NULL;
    options.model = "no-such-file.onnx";
    expect_init_fails(j, &options, VT_ERR_NOT_FOUND, "no-such-file.onnx");
    assert_int_equal(access(j->shop, F_OK), -1);
    /* A file, or a directory with something in it, in the way. */
    options.model = path;
    write_text(j, "shop", "a file");
    expect_init_fails(j, &options, VT_ERR_EXISTS, "shop");
    assert_int_equal(unlink(j->shop), 0);
    /* An empty directory is fine. */
    assert_int_equal(mkdir(j->shop, 0700), 0);
    make_shop_with(j, &options);
    expect_init_fails(j, &options, VT_ERR_EXISTS, "not empty");
}

static bool is_empty(const char *directory)
{
    bool empty = false;
    return vt_dir_is_empty(directory, &empty, NULL) == VT_OK && empty;
}

typedef struct init_attempt {
    journey *journey;
    vt_init_options options;
} init_attempt;

/* Memory that is out at any moment leaves the directory as it was, so that the same call made again
 * succeeds. */
static vt_status try_init(void *context)
{
    init_attempt *attempt = context;
    const char *shop = attempt->journey->shop;
    vt_status status = vt_shop_init(shop, &attempt->options, NULL);
    if (status != VT_OK) {
        vt_mem_fail_after(-1);
        assert_true(is_empty(shop));
    }
    return status;
}

static void a_failure_on_the_way_is_taken_back(void **state)
{
    threads_as_in(a_shop_with_a_network_finds_its_products);
    journey *j = *state;
    char path[SCRATCH_PATH_BYTES];
    init_attempt attempt = {j, tiny_shop(j, path)};
    assert_int_equal(mkdir(j->shop, 0700), 0);
    vt_status status = VT_ERR_NO_MEMORY;
    int failures = 0;
    for (int64_t successes = 0; status != VT_OK; successes++, failures++) {
        vt_mem_fail_after(successes);
        status = try_init(&attempt);
        vt_mem_fail_after(-1);
        if (status != VT_OK)
            assert_int_equal(status, VT_ERR_NO_MEMORY);
    }
    assert_true(failures > 50);
    vt_shop_close(open_shop(j));
}

static void vectors_of_a_shop_have_length_one_whatever_the_contract_says(void **state)
{
    journey *j = *state;
    vt_contract contract;
    vt_buf json;
    char path[SCRATCH_PATH_BYTES];
    tiny_options tiny = tiny_defaults();
    vt_init_options options = vt_init_options_defaults();
    vt_buf_init(&json, 1 << 16);
    assert_int_equal(vt_contract_preset("imagenet", &contract, NULL), VT_OK);
    contract.pixels.width = contract.pixels.height = TINY_SIDE;
    contract.normalize = false;
    assert_int_equal(vt_contract_print(&contract, &json, NULL), VT_OK);
    tiny.contract = json.data;
    save_tiny(j, "long.onnx", &tiny);
    vt_buf_deinit(&json);
    snprintf(path, sizeof(path), "%s", at(j, "long.onnx"));
    options.model = path;
    make_shop_with(j, &options);
    vt_shop *shop = open_shop(j);
    vt_answer *answer = ask(shop, at(j, "p3.jpg"), PRODUCTS);
    assert_int_equal(answer->count, PRODUCTS);
    for (size_t i = 0; i < answer->count; i++)
        assert_true(answer->results[i].similarity <= 1.001);
    assert_true(answer->results[0].similarity > 0.99);
    vt_answer_free(answer);
    vt_shop_close(shop);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        IN_JOURNEY(the_default_encoder_finds_its_products),
        IN_JOURNEY(a_shop_with_a_network_finds_its_products),
        IN_JOURNEY(another_model_in_the_shop_is_a_mismatch),
        IN_JOURNEY(a_damaged_or_missing_model_is_named),
        IN_JOURNEY(settings_that_do_not_fit_are_refused),
        IN_JOURNEY(what_cannot_be_made_leaves_nothing),
        IN_JOURNEY(a_failure_on_the_way_is_taken_back),
        IN_JOURNEY(vectors_of_a_shop_have_length_one_whatever_the_contract_says),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
