/* SPDX-License-Identifier: Apache-2.0 */
/* The whole journey through the public API, on pictures drawn here, with the encoder `classic`. */
#include "support/scratch.h"

#include "image/image.h"
#include "vitrine.h"

#include <math.h>

enum { PRODUCTS = 12, SIDE = 96 };

typedef struct journey {
    scratch *scratch;
    char shop[160], feed[160], photo[160];
} journey;

/* Product `index`: a shape of its own colour; `view` moves it a little. */
static void draw(const char *path, int index, int view)
{
    vt_image image = {0};
    vt_buf jpeg;
    vt_buf_init(&jpeg, 1 << 20);
    assert_int_equal(vt_image_init(&image, SIDE, SIDE, NULL), VT_OK);
    for (int y = 0; y < SIDE; y++)
        for (int x = 0; x < SIDE; x++) {
            int dx = x - SIDE / 2 - view, dy = y - SIDE / 2;
            int radius = 18 + 2 * (index % 6);
            bool in = index % 3 == 0   ? dx * dx + dy * dy < radius * radius
                      : index % 3 == 1 ? abs(dx) < radius && abs(dy) < radius / 2
                                       : abs(dx) + abs(dy) < radius;
            uint8_t *p = image.rgb + 3 * (y * SIDE + x);
            p[0] = (uint8_t)(in ? (index * 67) % 256 : 250);
            p[1] = (uint8_t)(in ? (index * 29 + 60) % 256 : 250);
            p[2] = (uint8_t)(in ? (index * 151 + 30) % 256 : 250);
        }
    assert_int_equal(vt_image_encode_jpeg(&image, 92, &jpeg, NULL), VT_OK);
    FILE *file = fopen(path, "wb");
    assert_non_null(file);
    assert_int_equal(fwrite(jpeg.data, 1, jpeg.length, file), jpeg.length);
    fclose(file);
    vt_buf_deinit(&jpeg);
    vt_image_deinit(&image);
}

static const char *at(journey *j, const char *name)
{
    return scratch_path(j->scratch, name);
}

static void write_text(journey *j, const char *name, const char *text)
{
    scratch_write(j->scratch, name, text, strlen(text));
}

static int setup(void **state)
{
    journey *j = test_calloc(1, sizeof(*j));
    if (scratch_setup((void **)&j->scratch) != 0)
        return -1;
    snprintf(j->shop, sizeof(j->shop), "%s", at(j, "shop"));
    snprintf(j->feed, sizeof(j->feed), "%s", at(j, "products.csv"));
    char text[4096] = "id,title,category,price,color,image_link\n";
    for (int i = 0; i < PRODUCTS; i++) {
        char name[32], line[128];
        snprintf(name, sizeof(name), "p%d.jpg", i);
        draw(at(j, name), i, 0);
        snprintf(line, sizeof(line), "P-%d,Thing %d,%s,%d.50 EUR,red,p%d.jpg\n", i, i,
                 i % 2 ? "odd" : "even", i, i);
        strncat(text, line, sizeof(text) - strlen(text) - 1);
    }
    write_text(j, "products.csv", text);
    *state = j;
    return 0;
}

static int teardown(void **state)
{
    journey *j = *state;
    void *s = j->scratch;
    scratch_teardown(&s);
    test_free(j);
    return 0;
}

static void import_feed(journey *j, vt_import_report *report)
{
    vt_error error = {0};
    vt_shop *shop = NULL;
    vt_import_options options = vt_import_options_defaults();
    assert_int_equal(vt_shop_open(j->shop, VT_OPEN_WRITE, &shop, &error), VT_OK);
    if (vt_shop_import(shop, j->feed, &options, report, &error) != VT_OK)
        fail_msg("%s", error.message);
    vt_shop_close(shop);
}

static void make_shop(journey *j)
{
    vt_error error = {0};
    vt_init_options options = vt_init_options_defaults();
    vt_import_report report = {0};
    if (vt_shop_init(j->shop, &options, &error) != VT_OK)
        fail_msg("%s", error.message);
    import_feed(j, &report);
    assert_int_equal(report.imported, PRODUCTS);
}

static void a_product_is_found_by_its_photo(void **state)
{
    journey *j = *state;
    vt_error error = {0};
    vt_shop *shop = NULL;
    make_shop(j);
    assert_int_equal(vt_shop_open(j->shop, VT_OPEN_READ, &shop, &error), VT_OK);
    for (int i = 0; i < PRODUCTS; i++) {
        char want[16];
        vt_answer *answer = NULL;
        vt_query query = vt_query_defaults();
        draw(at(j, "query.jpg"), i, 3);
        vt_photo photo = {.path = at(j, "query.jpg")};
        query.photos = &photo;
        query.photo_count = 1;
        query.top = 3;
        if (vt_shop_search(shop, &query, &answer, &error) != VT_OK)
            fail_msg("%s", error.message);
        snprintf(want, sizeof(want), "P-%d", i);
        assert_int_equal(answer->count, 3);
        assert_string_equal(answer->results[0].product->id, want);
        assert_true(answer->results[0].similarity >= answer->results[1].similarity);
        assert_true(answer->results[0].similarity <= 1.001);
        assert_float_equal(answer->results[0].product->price, i + 0.5, 1e-9);
        assert_true(answer->complete);
        assert_int_equal(answer->searched, PRODUCTS);
        vt_answer_free(answer);
    }
    vt_shop_close(shop);
}

static void the_minimum_similarity_leaves_products_out(void **state)
{
    journey *j = *state;
    vt_error error = {0};
    vt_shop *shop = NULL;
    vt_answer *answer = NULL;
    make_shop(j);
    assert_int_equal(vt_shop_open(j->shop, VT_OPEN_READ, &shop, &error), VT_OK);
    vt_query query = vt_query_defaults();
    vt_photo photo = {.path = at(j, "p0.jpg")};
    query.photos = &photo;
    query.photo_count = 1;
    query.min_similarity = 0.995;
    assert_int_equal(vt_shop_search(shop, &query, &answer, &error), VT_OK);
    assert_int_equal(answer->count, 1);
    assert_string_equal(answer->results[0].product->id, "P-0");
    vt_answer_free(answer);
    vt_shop_close(shop);
}

static void queries_that_make_no_sense_are_refused(void **state)
{
    journey *j = *state;
    vt_error error = {0};
    vt_shop *shop = NULL;
    vt_answer *answer = NULL;
    make_shop(j);
    assert_int_equal(vt_shop_open(j->shop, VT_OPEN_READ, &shop, &error), VT_OK);
    vt_query query = vt_query_defaults();
    assert_int_equal(vt_shop_search(shop, &query, &answer, &error), VT_ERR_USAGE);
    vt_photo photo = {.path = at(j, "p0.jpg")};
    query.photos = &photo;
    query.photo_count = 1;
    query.top = 0;
    assert_int_equal(vt_shop_search(shop, &query, &answer, &error), VT_ERR_USAGE);
    query.top = 5;
    query.crop_width = SIDE + 1;
    query.crop_height = 10;
    assert_int_equal(vt_shop_search(shop, &query, &answer, &error), VT_ERR_USAGE);
    query.crop_width = query.crop_height = 0;
    query.min_similarity = NAN;
    assert_int_equal(vt_shop_search(shop, &query, &answer, &error), VT_ERR_USAGE);
    query.min_similarity = -1;
    write_text(j, "broken.jpg", "this is no picture");
    photo.path = at(j, "broken.jpg");
    assert_int_not_equal(vt_shop_search(shop, &query, &answer, &error), VT_OK);
    assert_non_null(strstr(error.message, "broken.jpg"));
    assert_null(answer);
    vt_shop_close(shop);
}

static void measuring_counts_hits_and_names_failures(void **state)
{
    journey *j = *state;
    vt_error error = {0};
    vt_shop *shop = NULL;
    vt_eval_report *report = NULL;
    make_shop(j);
    write_text(j, "queries.csv",
               "photo,product,category\np0.jpg,P-0,even\np1.jpg,P-1,odd\np2.jpg,P-3,odd\n"
               "missing.jpg,P-4,even\n../outside.jpg,P-4,even\np5.jpg,NOT-THERE,odd\np6.jpg\n");
    vt_eval_options options = vt_eval_options_defaults();
    assert_int_equal(vt_shop_open(j->shop, VT_OPEN_READ, &shop, &error), VT_OK);
    if (vt_shop_eval(shop, at(j, "queries.csv"), &options, &report, &error) != VT_OK)
        fail_msg("%s", error.message);
    assert_int_equal(report->queries, 3);
    assert_int_equal(report->failed_count, 4);
    assert_float_equal(report->recall[0], 2.0 / 3.0, 1e-9);
    assert_true(report->recall[2] >= report->recall[0]);
    assert_true(report->mrr >= 2.0 / 3.0 && report->mrr < 1.0);
    assert_int_equal(report->category_count, 2);
    assert_non_null(strstr(report->json, "\"failed\""));
    vt_eval_report_free(report);
    vt_shop_close(shop);
}

static void importing_again_changes_nothing_and_removal_is_final(void **state)
{
    journey *j = *state;
    vt_error error = {0};
    vt_shop *shop = NULL;
    vt_shop_info info;
    vt_product *product = NULL;
    vt_import_report report = {0};
    make_shop(j);
    import_feed(j, &report);
    assert_int_equal(report.unchanged, PRODUCTS);
    assert_int_equal(report.imported + report.updated, 0);
    assert_int_equal(vt_shop_open(j->shop, VT_OPEN_WRITE, &shop, &error), VT_OK);
    assert_int_equal(vt_shop_get(shop, "P-3", &product, &error), VT_OK);
    assert_string_equal(product->title, "Thing 3");
    assert_string_equal(product->currency, "EUR");
    vt_product_free(product);
    assert_int_equal(vt_shop_remove(shop, "P-3", &error), VT_OK);
    assert_int_equal(vt_shop_remove(shop, "P-3", &error), VT_ERR_NOT_FOUND);
    assert_non_null(strstr(error.message, "P-3"));
    assert_int_equal(vt_shop_info_of(shop, &info, &error), VT_OK);
    assert_int_equal(info.products, PRODUCTS - 1);
    assert_int_equal(info.vectors, PRODUCTS - 1);
    assert_int_equal(info.category_count, 2);
    assert_int_equal(vt_shop_check(shop, &error), VT_OK);
    vt_shop_close(shop);
}

static void a_directory_that_is_no_shop_is_told_so(void **state)
{
    journey *j = *state;
    vt_error error = {0};
    vt_shop *shop = NULL;
    vt_init_options options = vt_init_options_defaults();
    assert_int_equal(vt_shop_open(at(j, "nowhere"), VT_OPEN_READ, &shop, &error), VT_ERR_NOT_FOUND);
    assert_non_null(strstr(error.message, "vitrine init"));
    assert_int_equal(vt_shop_open(j->scratch->root, VT_OPEN_READ, &shop, &error), VT_ERR_NOT_FOUND);
    assert_int_equal(vt_shop_init(j->scratch->root, &options, &error), VT_ERR_EXISTS);
    options.model = "no-such-file.onnx";
    assert_int_not_equal(vt_shop_init(j->shop, &options, &error), VT_OK);
    assert_int_equal(access(j->shop, F_OK), -1);
    assert_null(shop);
}

static void a_shop_with_wrong_settings_is_refused(void **state)
{
    journey *j = *state;
    vt_error error = {0};
    vt_shop *shop = NULL;
    make_shop(j);
    write_text(j, "shop/vitrine.json", "{\"format\":2}");
    assert_int_equal(vt_shop_open(j->shop, VT_OPEN_READ, &shop, &error), VT_ERR_UNSUPPORTED);
    write_text(j, "shop/vitrine.json", "{");
    assert_int_not_equal(vt_shop_open(j->shop, VT_OPEN_READ, &shop, &error), VT_OK);
    write_text(j, "shop/vitrine.json",
               "{\"format\":1,\"encoder\":{\"source\":\"classic\",\"name\":\"classic\","
               "\"dimension\":4,\"fingerprint\":\"00\"}}");
    assert_int_equal(vt_shop_open(j->shop, VT_OPEN_READ, &shop, &error), VT_ERR_CORRUPT);
    assert_null(shop);
}

static void embedding_keeps_a_row_for_every_photo(void **state)
{
    journey *j = *state;
    vt_error error = {0};
    vt_embed_result *result = NULL;
    char first[256], second[256];
    snprintf(first, sizeof(first), "%s", at(j, "p0.jpg"));
    snprintf(second, sizeof(second), "%s", at(j, "missing.jpg"));
    vt_photo photos[] = {{.path = first}, {.path = second}, {.path = first}};
    assert_int_equal(vt_embed_photos("classic", NULL, NULL, photos, 3, &result, &error), VT_OK);
    assert_int_equal(result->failed_count, 1);
    assert_int_equal(result->failed[0].index, 1);
    assert_memory_equal(result->vectors, result->vectors + 2 * result->dimension,
                        result->dimension * sizeof(float));
    for (size_t d = 0; d < result->dimension; d++)
        assert_true(result->vectors[result->dimension + d] == 0.0f);
    assert_int_equal(vt_embed_result_save(result, at(j, "v.npy"), &error), VT_OK);
    assert_int_equal(access(at(j, "v.npy"), R_OK), 0);
    vt_embed_result_free(result);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_product_is_found_by_its_photo, setup, teardown),
        cmocka_unit_test_setup_teardown(the_minimum_similarity_leaves_products_out, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(queries_that_make_no_sense_are_refused, setup, teardown),
        cmocka_unit_test_setup_teardown(measuring_counts_hits_and_names_failures, setup, teardown),
        cmocka_unit_test_setup_teardown(importing_again_changes_nothing_and_removal_is_final, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(a_directory_that_is_no_shop_is_told_so, setup, teardown),
        cmocka_unit_test_setup_teardown(a_shop_with_wrong_settings_is_refused, setup, teardown),
        cmocka_unit_test_setup_teardown(embedding_keeps_a_row_for_every_photo, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
