/* SPDX-License-Identifier: Apache-2.0 */
/* The whole journey through the public API, on pictures drawn here, with the encoder `classic`. */
#include "shop/journey.h"

#include <math.h>

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
        assert_true(goods_write(at(j, "query.jpg"), i, 3));
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
        assert_true(answer->results[0].product->price == i + 0.5);
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
    query.crop_width = GOODS_SIDE + 1;
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
    assert_true(fabs(report->recall[0] - 2.0 / 3.0) < 1e-9);
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
    char first[SCRATCH_PATH_BYTES], second[SCRATCH_PATH_BYTES];
    snprintf(first, sizeof(first), "%s", at(j, "p0.jpg"));
    snprintf(second, sizeof(second), "%s", at(j, "missing.jpg"));
    vt_photo photos[] = {{.path = first}, {.path = second}, {.path = first}};
    assert_int_equal(
        vt_embed_photos(&(vt_init_options){.model = "classic"}, photos, 3, &result, &error), VT_OK);
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

static void several_photos_are_views_of_one_thing(void **state)
{
    journey *j = *state;
    vt_error error = {0};
    vt_answer *answer = NULL;
    char paths[3][SCRATCH_PATH_BYTES];
    vt_photo photos[3];
    make_shop(j);
    vt_shop *shop = open_shop(j);
    for (int i = 0; i < 3; i++) {
        char name[16];
        snprintf(name, sizeof(name), "view%d.jpg", i);
        snprintf(paths[i], sizeof(paths[i]), "%s", at(j, name));
        assert_true(goods_write(paths[i], 5, 3 * i - 3));
        photos[i] = (vt_photo){.path = paths[i]};
    }
    vt_query query = vt_query_defaults();
    query.photos = photos;
    query.photo_count = 3;
    expect_ok(vt_shop_search(shop, &query, &answer, &error), &error);
    assert_string_equal(answer->results[0].product->id, "P-5");
    vt_answer_free(answer);
    answer = NULL;
    photos[1].path = "no/such/view.jpg";
    expect_failure(vt_shop_search(shop, &query, &answer, &error), VT_ERR_NOT_FOUND, &error,
                   "view.jpg");
    assert_null(answer);
    vt_shop_close(shop);
}

static void a_crop_is_what_a_cropped_photo_is(void **state)
{
    journey *j = *state;
    vt_error error = {0};
    vt_image scene = {0}, good = {0};
    vt_answer *cropped = NULL;
    make_shop(j);
    vt_shop *shop = open_shop(j);
    /* Good 4 in the right half of a scene whose left half is something else. */
    assert_int_equal(vt_image_init(&scene, 2 * GOODS_SIDE, GOODS_SIDE, NULL), VT_OK);
    assert_int_equal(goods_draw(4, 0, &good, NULL), VT_OK);
    for (int y = 0; y < GOODS_SIDE; y++) {
        memset(goods_pixel(&scene, 0, y), y % 7 * 30, 3 * GOODS_SIDE);
        memcpy(goods_pixel(&scene, GOODS_SIDE, y), goods_pixel(&good, 0, y), 3 * GOODS_SIDE);
    }
    assert_true(goods_write_image(at(j, "good.png"), &good));
    vt_answer *before = ask(shop, at(j, "good.png"), 3);
    assert_true(goods_write_image(at(j, "scene.png"), &scene));
    vt_photo photo = {.path = at(j, "scene.png")};
    vt_query query = vt_query_defaults();
    query.photos = &photo;
    query.photo_count = 1;
    query.top = 3;
    query.crop_x = GOODS_SIDE;
    query.crop_width = query.crop_height = GOODS_SIDE;
    expect_ok(vt_shop_search(shop, &query, &cropped, &error), &error);
    assert_string_equal(cropped->results[0].product->id, "P-4");
    for (size_t i = 0; i < 3; i++) {
        assert_string_equal(cropped->results[i].product->id, before->results[i].product->id);
        assert_true(cropped->results[i].similarity == before->results[i].similarity);
    }
    vt_answer_free(before);
    vt_answer_free(cropped);
    vt_image_deinit(&scene);
    vt_image_deinit(&good);
    vt_shop_close(shop);
}

static void every_picture_has_a_thumbnail(void **state)
{
    journey *j = *state;
    vt_error error = {0};
    vt_product *product = NULL;
    void *jpeg = NULL;
    size_t length = 0;
    make_shop(j);
    vt_shop *shop = open_shop(j);
    expect_ok(vt_shop_get(shop, "P-2", &product, &error), &error);
    assert_int_equal(product->picture_count, 1);
    expect_ok(vt_shop_thumbnail(shop, &product->pictures[0].hash, &jpeg, &length, &error), &error);
    vt_image image = {0};
    expect_ok(vt_image_decode(jpeg, length, NULL, &image, &error), &error);
    assert_int_equal(image.width, GOODS_SIDE);
    vt_image_deinit(&image);
    vt_release(jpeg);
    vt_product_free(product);
    jpeg = NULL;
    vt_hash unknown = {{1, 2, 3}};
    assert_int_equal(vt_shop_thumbnail(shop, &unknown, &jpeg, &length, &error), VT_ERR_NOT_FOUND);
    assert_null(jpeg);
    vt_shop_close(shop);
}

static void a_photo_can_be_made_small_for_showing(void **state)
{
    journey *j = *state;
    vt_error error = {0};
    void *jpeg = NULL;
    size_t length = 0;
    vt_photo photo = {.path = at(j, "p1.jpg")};
    expect_ok(vt_photo_thumbnail(&photo, 40, &jpeg, &length, &error), &error);
    vt_image image = {0};
    expect_ok(vt_image_decode(jpeg, length, NULL, &image, &error), &error);
    assert_true(image.width <= 40 && image.height <= 40);
    vt_image_deinit(&image);
    vt_release(jpeg);
    jpeg = NULL;
    assert_int_equal(vt_photo_thumbnail(&photo, 0, &jpeg, &length, &error), VT_ERR_USAGE);
    photo.path = "missing.jpg";
    assert_int_equal(vt_photo_thumbnail(&photo, 40, &jpeg, &length, &error), VT_ERR_NOT_FOUND);
    assert_null(jpeg);
}

static bool stop_at_once(void *context, uint64_t done, uint64_t total)
{
    (void)context;
    (void)done;
    (void)total;
    return false;
}

static void measuring_refuses_what_makes_no_sense(void **state)
{
    journey *j = *state;
    vt_error error = {0};
    vt_eval_report *report = NULL;
    char list[SCRATCH_PATH_BYTES];
    make_shop(j);
    vt_shop *shop = open_shop(j);
    vt_eval_options options = vt_eval_options_defaults();
    write_text(j, "queries.csv", "photo,product\np0.jpg,P-0\n");
    snprintf(list, sizeof(list), "%s", at(j, "queries.csv"));
    static const size_t wrong[][2] = {{0, 5}, {5, 5}, {5, 1}, {1, SIZE_MAX / 8}};
    for (size_t i = 0; i < 4; i++) {
        options.k_count = 2;
        memcpy(options.k, wrong[i], sizeof(wrong[i]));
        assert_int_equal(vt_shop_eval(shop, list, &options, &report, &error), VT_ERR_USAGE);
    }
    options = vt_eval_options_defaults();
    options.images_dir = "/no/such/directory";
    expect_failure(vt_shop_eval(shop, list, &options, &report, &error), VT_ERR_NOT_FOUND, &error,
                   "/no/such/directory");
    options.images_dir = NULL;
    options.on_progress = stop_at_once;
    assert_int_equal(vt_shop_eval(shop, list, &options, &report, &error), VT_ERR_CANCELLED);
    options.on_progress = NULL;
    assert_int_equal(vt_shop_eval(shop, at(j, "none.csv"), &options, &report, &error),
                     VT_ERR_NOT_FOUND);
    write_text(j, "queries.csv", "image,id\n");
    expect_failure(vt_shop_eval(shop, list, &options, &report, &error), VT_ERR_FORMAT, &error,
                   "photo and product");
    write_text(j, "queries.csv", "photo,product\n");
    assert_int_equal(vt_shop_eval(shop, list, &options, &report, &error), VT_ERR_FORMAT);
    assert_null(report);
    vt_shop_close(shop);
}

static void only_one_may_write(void **state)
{
    journey *j = *state;
    vt_error error = {0};
    vt_shop *first = NULL, *second = NULL;
    make_shop(j);
    expect_ok(vt_shop_open(j->shop, VT_OPEN_WRITE, &first, &error), &error);
    assert_int_equal(vt_shop_open(j->shop, VT_OPEN_WRITE, &second, &error), VT_ERR_BUSY);
    assert_null(second);
    vt_shop *reader = open_shop(j);
    assert_int_equal(vt_shop_remove(reader, "P-1", &error), VT_ERR_DENIED);
    vt_shop_close(reader);
    vt_shop_close(first);
}

static void when_no_photo_works_embedding_fails(void **state)
{
    journey *j = *state;
    vt_error error = {0};
    vt_embed_result *result = NULL;
    vt_photo photos[] = {{.path = "missing-1.jpg"}, {.path = "missing-2.jpg"}};
    expect_failure(
        vt_embed_photos(&(vt_init_options){.model = "classic"}, photos, 2, &result, &error),
        VT_ERR_NOT_FOUND, &error, "missing-1.jpg");
    assert_int_equal(
        vt_embed_photos(&(vt_init_options){.model = "classic"}, photos, 0, &result, &error),
        VT_ERR_USAGE);
    assert_int_equal(vt_embed_photos(&(vt_init_options){.model = at(j, "none.onnx")}, photos, 1,
                                     &result, &error),
                     VT_ERR_NOT_FOUND);
    make_shop(j);
    photos[0].path = at(j, "p0.jpg");
    assert_int_equal(vt_embed_photos(&(vt_init_options){.model = j->shop, .preset = "clip"}, photos,
                                     1, &result, &error),
                     VT_ERR_USAGE);
    assert_null(result);
    expect_ok(vt_embed_photos(&(vt_init_options){.model = j->shop}, photos, 1, &result, &error),
              &error);
    assert_int_equal(result->count, 1);
    vt_embed_result_free(result);
}

static vt_status search_once(void *context)
{
    journey *j = context;
    vt_shop *shop = NULL;
    vt_answer *answer = NULL;
    vt_photo photo = {.path = at(j, "p0.jpg")};
    vt_query query = vt_query_defaults();
    query.photos = &photo;
    query.photo_count = 1;
    vt_status status = vt_shop_open(j->shop, VT_OPEN_READ, &shop, NULL);
    if (status == VT_OK)
        status = vt_shop_search(shop, &query, &answer, NULL);
    vt_answer_free(answer);
    vt_shop_close(shop);
    return status;
}

static void running_out_of_memory_is_an_error(void **state)
{
    threads_as_in(a_product_is_found_by_its_photo);
    journey *j = *state;
    make_shop(j);
    assert_int_equal(search_once(j), VT_OK);
    int failures = 0;
    bool failed_one = true;
    for (int64_t successes = 0; failed_one; successes++) {
        vt_mem_fail_after(successes);
        vt_status status = search_once(j);
        failed_one = vt_mem_fail_after(-1) > successes;
        /* A pool with a thread less is fine. */
        if (status != VT_OK)
            assert_int_equal(status, VT_ERR_NO_MEMORY);
        failures += status != VT_OK;
    }
    assert_true(failures > 10);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        IN_JOURNEY(a_product_is_found_by_its_photo),
        IN_JOURNEY(the_minimum_similarity_leaves_products_out),
        IN_JOURNEY(queries_that_make_no_sense_are_refused),
        IN_JOURNEY(measuring_counts_hits_and_names_failures),
        IN_JOURNEY(importing_again_changes_nothing_and_removal_is_final),
        IN_JOURNEY(a_directory_that_is_no_shop_is_told_so),
        IN_JOURNEY(a_shop_with_wrong_settings_is_refused),
        IN_JOURNEY(embedding_keeps_a_row_for_every_photo),
        IN_JOURNEY(several_photos_are_views_of_one_thing),
        IN_JOURNEY(a_crop_is_what_a_cropped_photo_is),
        IN_JOURNEY(every_picture_has_a_thumbnail),
        IN_JOURNEY(a_photo_can_be_made_small_for_showing),
        IN_JOURNEY(measuring_refuses_what_makes_no_sense),
        IN_JOURNEY(only_one_may_write),
        IN_JOURNEY(when_no_photo_works_embedding_fails),
        IN_JOURNEY(running_out_of_memory_is_an_error),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
