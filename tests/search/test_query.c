/* SPDX-License-Identifier: Apache-2.0 */
/* From photos to a query vector. */
#include "search/stock.h"

#include "vector/distance.h"

static void expect_usage_error(stock *s, const vt_query *query, const char *text)
{
    vt_error error = {0};
    float *vector = vt_calloc(s->dim, sizeof(float));
    vt_status status = vt_search_query_vector(&s->searcher, query, NULL, vector, NULL, &error);
    if (status != VT_ERR_USAGE || strstr(error.message, text) == NULL)
        fail_msg("status %d, \"%s\"; wanted \"%s\"", (int)status, error.message, text);
    vt_free(vector);
}

static void queries_that_ask_for_nothing_sensible_are_refused(void **state)
{
    stock *s = *state;
    vt_photo photo = {.path = stock_path(s, "p.jpg")};
    const vt_query good = {.photos = &photo, .photo_count = 1, .top = 3, .min_similarity = -1.0};
    vt_query query = good;
    query.photo_count = 0;
    expect_usage_error(s, &query, "0 photos");
    query.photo_count = VT_SEARCH_MAX_PHOTOS + 1;
    expect_usage_error(s, &query, "65 photos");
    query = good;
    query.photos = NULL;
    expect_usage_error(s, &query, "photos");
    query = good;
    query.top = 0;
    expect_usage_error(s, &query, "top 0");
    query.top = VT_SEARCH_MAX_TOP + 1;
    expect_usage_error(s, &query, "top 10001");
    query = good;
    query.min_similarity = NAN;
    expect_usage_error(s, &query, "not a number");
    query = good;
    query.crop_width = 10;
    expect_usage_error(s, &query, "crop 0,0,10,0");
    query.crop_height = 10;
    query.crop_x = -1;
    expect_usage_error(s, &query, "crop -1,0,10,10");
}

static float *query_vector(stock *s, const vt_query *query)
{
    vt_error error = {0};
    float *vector = vt_calloc(s->dim, sizeof(float));
    if (vt_search_query_vector(&s->searcher, query, NULL, vector, NULL, &error) != VT_OK)
        fail_msg("%s", error.message);
    assert_float_equal(vt_distance()->dot_f32(vector, vector, s->dim), 1.0f, 1e-5f);
    return vector;
}

static void several_photos_are_averaged(void **state)
{
    stock *s = *state;
    char paths[2][SCRATCH_PATH_BYTES];
    snprintf(paths[0], sizeof(paths[0]), "%s", stock_path(s, "a.png"));
    snprintf(paths[1], sizeof(paths[1]), "%s", stock_path(s, "b.png"));
    assert_true(goods_write(paths[0], 1, 0) && goods_write(paths[1], 5, 0));
    vt_photo photos[2] = {{.path = paths[0]}, {.path = paths[1]}};
    vt_query query = {.photos = photos, .photo_count = 2, .top = 1, .min_similarity = -1.0};
    float *both = query_vector(s, &query);
    query.photo_count = 1;
    float *first = query_vector(s, &query);
    query.photos = &photos[1];
    float *second = query_vector(s, &query);
    float to_first = vt_distance()->dot_f32(both, first, s->dim);
    float to_second = vt_distance()->dot_f32(both, second, s->dim);
    assert_float_equal(to_first, to_second, 1e-4f);
    assert_true(to_first > vt_distance()->dot_f32(first, second, s->dim));
    vt_free(both);
    vt_free(first);
    vt_free(second);
}

static void bytes_do_what_a_path_does(void **state)
{
    stock *s = *state;
    vt_image image = {0};
    vt_buf png;
    vt_buf_init(&png, 1 << 20);
    assert_int_equal(goods_draw(4, 0, &image, NULL), VT_OK);
    assert_int_equal(vt_image_encode_png(&image, &png, NULL), VT_OK);
    assert_true(goods_write_bytes(stock_path(s, "p.png"), png.data, png.length));
    vt_photo by_path = {.path = stock_path(s, "p.png")};
    vt_photo by_bytes = {.bytes = png.data, .length = png.length};
    vt_query query = {.photos = &by_path, .photo_count = 1, .top = 1, .min_similarity = -1.0};
    float *one = query_vector(s, &query);
    query.photos = &by_bytes;
    float *other = query_vector(s, &query);
    assert_memory_equal(one, other, s->dim * sizeof(float));
    vt_free(one);
    vt_free(other);
    vt_buf_deinit(&png);
    vt_image_deinit(&image);
}

/* PNG is decoded whole whatever the crop: the numbers must be the same to the bit. */
static void a_crop_is_what_a_cropped_photo_is(void **state)
{
    stock *s = *state;
    const vt_rect part = {20, 10, 60, 70};
    char whole[SCRATCH_PATH_BYTES], cut[SCRATCH_PATH_BYTES];
    vt_image image = {0}, piece = {0};
    snprintf(whole, sizeof(whole), "%s", stock_path(s, "whole.png"));
    snprintf(cut, sizeof(cut), "%s", stock_path(s, "cut.png"));
    assert_int_equal(goods_draw(2, 0, &image, NULL), VT_OK);
    assert_int_equal(vt_image_crop(&image, part, &piece, NULL), VT_OK);
    assert_true(goods_write_image(whole, &image) && goods_write_image(cut, &piece));
    vt_photo photo = {.path = whole};
    vt_query query = {.photos = &photo, .photo_count = 1, .top = 1, .min_similarity = -1.0};
    query.crop_x = part.x;
    query.crop_y = part.y;
    query.crop_width = part.width;
    query.crop_height = part.height;
    float *cropped = query_vector(s, &query);
    photo.path = cut;
    query.crop_x = query.crop_y = query.crop_width = query.crop_height = 0;
    float *before = query_vector(s, &query);
    assert_memory_equal(cropped, before, s->dim * sizeof(float));
    vt_free(cropped);
    vt_free(before);
    vt_image_deinit(&image);
    vt_image_deinit(&piece);
}

static void photos_that_cannot_be_used_are_named(void **state)
{
    stock *s = *state;
    vt_error error = {0};
    float *vector = vt_calloc(s->dim, sizeof(float));
    vt_photo photo = {.path = stock_path(s, "missing.jpg")};
    vt_query query = {.photos = &photo, .photo_count = 1, .top = 1, .min_similarity = -1.0};
    assert_int_equal(vt_search_query_vector(&s->searcher, &query, NULL, vector, NULL, &error),
                     VT_ERR_NOT_FOUND);
    assert_non_null(strstr(error.message, "missing.jpg"));
    scratch_write(s->scratch, "empty.jpg", "", 0);
    photo.path = stock_path(s, "empty.jpg");
    assert_int_equal(vt_search_query_vector(&s->searcher, &query, NULL, vector, NULL, &error),
                     VT_ERR_FORMAT);
    assert_non_null(strstr(error.message, "empty.jpg"));
    photo = (vt_photo){.bytes = NULL, .length = 0};
    assert_int_equal(vt_search_query_vector(&s->searcher, &query, NULL, vector, NULL, &error),
                     VT_ERR_FORMAT);
    assert_true(goods_write(stock_path(s, "small.png"), 0, 0));
    photo = (vt_photo){.path = stock_path(s, "small.png")};
    query.crop_x = GOODS_SIDE;
    query.crop_width = query.crop_height = 5;
    assert_int_equal(vt_search_query_vector(&s->searcher, &query, NULL, vector, NULL, &error),
                     VT_ERR_USAGE);
    assert_non_null(strstr(error.message, "small.png"));
    vt_free(vector);
}

static void times_add_up_over_photos(void **state)
{
    stock *s = *state;
    vt_search_times times = {0};
    float *vector = vt_calloc(s->dim, sizeof(float));
    assert_true(goods_write(stock_path(s, "p.jpg"), 0, 0));
    vt_photo photo = {.path = stock_path(s, "p.jpg")};
    assert_int_equal(vt_search_embed(&s->searcher, &photo, (vt_rect){0}, vector, &times, NULL),
                     VT_OK);
    vt_search_times once = times;
    assert_true(once.decode_ms > 0.0 && once.embed_ms > 0.0);
    assert_int_equal(vt_search_embed(&s->searcher, &photo, (vt_rect){0}, vector, &times, NULL),
                     VT_OK);
    assert_true(times.decode_ms > once.decode_ms && times.embed_ms > once.embed_ms);
    vt_free(vector);
}

int main(void)
{
#define WITH_STOCK(test) cmocka_unit_test_setup_teardown(test, stock_setup, stock_teardown)
    const struct CMUnitTest tests[] = {
        WITH_STOCK(queries_that_ask_for_nothing_sensible_are_refused),
        WITH_STOCK(several_photos_are_averaged),
        WITH_STOCK(bytes_do_what_a_path_does),
        WITH_STOCK(a_crop_is_what_a_cropped_photo_is),
        WITH_STOCK(photos_that_cannot_be_used_are_named),
        WITH_STOCK(times_add_up_over_photos),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
