/* SPDX-License-Identifier: Apache-2.0 */
/* Encoding: round trips, quality, appending, limits. */
#include "image/pictures.h"

static void png_round_trip_is_exact(void **state)
{
    (void)state;
    vt_image source = picture_noise(53, 31, 2);
    vt_buf png;
    vt_buf_init(&png, 1 << 20);
    assert_ok(vt_image_encode_png(&source, &png, error));
    vt_image got = picture_decode(&png, NULL);
    assert_int_equal(picture_largest_difference(&source, &got), 0);
    vt_image_deinit(&got);
    vt_image_deinit(&source);
    vt_buf_deinit(&png);
}

static void jpeg_quality_trades_size_for_error(void **state)
{
    (void)state;
    vt_image source = picture_make(120, 80, 2);
    size_t length = 0;
    double difference = 1000;
    for (int quality = 10; quality <= 100; quality += 30) {
        vt_buf jpeg = picture_jpeg(&source, quality);
        vt_image got = picture_decode(&jpeg, NULL);
        double now = picture_mean_difference(&source, &got);
        assert_true(jpeg.length > length);
        assert_true(now < difference);
        length = jpeg.length;
        difference = now;
        vt_image_deinit(&got);
        vt_buf_deinit(&jpeg);
    }
    assert_true(difference < 1.0);
    vt_image_deinit(&source);
}

static void output_is_appended_and_bounded(void **state)
{
    (void)state;
    vt_image source = picture_noise(40, 40, 2);
    vt_buf out;
    vt_buf_init(&out, 1 << 20);
    vt_buf_append_text(&out, "head");
    assert_ok(vt_image_encode_jpeg(&source, 80, &out, error));
    assert_memory_equal(out.data, "head\xFF\xD8", 6);
    vt_buf_deinit(&out);
    vt_buf_init(&out, 100);
    assert_int_equal(vt_image_encode_jpeg(&source, 80, &out, NULL), VT_ERR_LIMIT);
    assert_int_equal(out.length, 0);
    vt_buf_deinit(&out);
    vt_buf_init(&out, 100);
    assert_int_equal(vt_image_encode_png(&source, &out, NULL), VT_ERR_LIMIT);
    vt_buf_deinit(&out);
    vt_image_deinit(&source);
}

static void impossible_requests_are_refused(void **state)
{
    (void)state;
    vt_image source = picture_noise(4, 4, 2), empty = {0};
    vt_image wide = {.rgb = source.rgb, .width = 65501, .height = 1};
    vt_buf out;
    vt_buf_init(&out, 1 << 20);
    assert_int_equal(vt_image_encode_jpeg(&source, 0, &out, NULL), VT_ERR_USAGE);
    assert_int_equal(vt_image_encode_jpeg(&source, 101, &out, NULL), VT_ERR_USAGE);
    assert_int_equal(vt_image_encode_jpeg(&empty, 50, &out, NULL), VT_ERR_USAGE);
    assert_int_equal(vt_image_encode_jpeg(&wide, 50, &out, NULL), VT_ERR_LIMIT);
    assert_int_equal(vt_image_encode_png(&empty, &out, NULL), VT_ERR_USAGE);
    for (int allowed = 0; allowed < 2; allowed++) {
        vt_mem_fail_after(allowed);
        assert_int_equal(vt_image_encode_jpeg(&source, 50, &out, NULL), VT_ERR_NO_MEMORY);
        vt_mem_fail_after(-1);
        vt_buf_deinit(&out);
        vt_buf_init(&out, 1 << 20);
    }
    vt_mem_fail_after(0);
    assert_int_equal(vt_image_encode_png(&source, &out, NULL), VT_ERR_NO_MEMORY);
    vt_mem_fail_after(-1);
    vt_buf_deinit(&out);
    vt_image_deinit(&source);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(png_round_trip_is_exact),
        cmocka_unit_test(jpeg_quality_trades_size_for_error),
        cmocka_unit_test(output_is_appended_and_bounded),
        cmocka_unit_test(impossible_requests_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
