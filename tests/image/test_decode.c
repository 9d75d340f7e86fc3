/* SPDX-License-Identifier: Apache-2.0 */
/* What the bytes are, limits and options before any decoder is asked, files, and many threads. */
#include <stdatomic.h>
#include <stdio.h>
#include <unistd.h>

#include "base/file.h"
#include "base/thread.h"
#include "image/pictures.h"

static void nothing_and_next_to_nothing(void **state)
{
    (void)state;
    assert_decode_fails(NULL, 0, NULL, VT_ERR_FORMAT);
    assert_decode_fails("", 0, NULL, VT_ERR_FORMAT);
    assert_decode_fails("\xFF\xD8\xFF", 3, NULL, VT_ERR_FORMAT);
    assert_decode_fails("\x89PNG\r\n\x1A\n", 8, NULL, VT_ERR_FORMAT);
    assert_decode_fails(NULL, 5, NULL, VT_ERR_USAGE);
}

static void other_formats_are_refused_by_name(void **state)
{
    (void)state;
    static const struct {
        const char *bytes, *name;
    } cases[] = {
        {"<svg xmlns='http://www.w3.org/2000/svg'/>", "svg"},
        {"\xEF\xBB\xBF  \n<?xml version='1.0'?><svg/>", "svg"},
        {"<!DOCTYPE html><html>not found</html>", "html"},
        {"%PDF-1.7\n1 0 obj\n<<>>", "pdf"},
        {"BM6\1\1\1\1\1\1\1\66\1\1\1(\1", "bmp"},
        {"8BPS\1\1\1\1\1\1\1\1\1\1", "photoshop"},
        {"\xFF\x0A\1\1\1\1\1\1\1\1\1\1\1\1\1", "jpeg xl"},
        {"\x1A\x45\xDF\xA3 matroska and so on", "matroska"},
        {"1234ftypisom and so on", "mp4"},
        {"#define x_width 16 and so on", "unknown format"},
        {"RIFF1234WAVEfmt ", "unknown format"},
        {"1234567890abcdefgh", "31 32 33 34"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        vt_image got = {0};
        vt_error error = {0};
        assert_int_equal(
            vt_image_decode(cases[i].bytes, strlen(cases[i].bytes), NULL, &got, &error),
            VT_ERR_UNSUPPORTED);
        if (!strstr(error.message, cases[i].name))
            fail_msg("\"%s\" does not name %s", error.message, cases[i].name);
    }
}

static void options_are_checked_first(void **state)
{
    (void)state;
    vt_image source = picture_make(40, 30, 2);
    vt_buf jpeg = picture_jpeg(&source, 90);
    vt_decode_options options = vt_decode_options_defaults();
    assert_int_equal(options.maximum_bytes, 64 << 20);
    assert_int_equal(options.maximum_pixels, 200000000);
    options.maximum_bytes = jpeg.length - 1;
    assert_decode_fails(jpeg.data, jpeg.length, &options, VT_ERR_LIMIT);
    options.maximum_bytes = jpeg.length;
    options.fit_width = -1;
    assert_decode_fails(jpeg.data, jpeg.length, &options, VT_ERR_USAGE);
    options.fit_width = 0;
    static const vt_rect outside[] = {
        {0, 0, 41, 10}, {0, 0, 10, 31}, {-1, 0, 5, 5}, {36, 0, 5, 5},
        {0, 26, 5, 5},  {0, 0, 5, 0},   {0, 0, -5, 5}, {INT32_MAX, 0, INT32_MAX, 5}};
    vt_buf png;
    vt_buf_init(&png, 1 << 20);
    assert_ok(vt_image_encode_png(&source, &png, error));
    options.maximum_bytes = 1 << 20;
    for (size_t i = 0; i < sizeof outside / sizeof *outside; i++) {
        options.crop = outside[i];
        assert_decode_fails(jpeg.data, jpeg.length, &options, VT_ERR_USAGE);
        assert_decode_fails(png.data, png.length, &options, VT_ERR_USAGE);
    }
    vt_image_deinit(&source);
    vt_buf_deinit(&jpeg);
    vt_buf_deinit(&png);
}

static void single_pixels_decode(void **state)
{
    (void)state;
    vt_image dot = picture_make(1, 1, 2);
    vt_buf jpeg = picture_jpeg(&dot, 100), png;
    vt_decode_options options = vt_decode_options_defaults();
    vt_buf_init(&png, 1 << 20);
    assert_ok(vt_image_encode_png(&dot, &png, error));
    for (int fit = 0; fit < 3; fit++) {
        options.fit_width = options.fit_height = fit;
        vt_image a = picture_decode(&jpeg, &options), b = picture_decode(&png, &options);
        assert_true(picture_largest_difference(&a, &dot) <= 4);
        assert_int_equal(picture_largest_difference(&b, &dot), 0);
        vt_image_deinit(&a);
        vt_image_deinit(&b);
    }
    vt_image_deinit(&dot);
    vt_buf_deinit(&jpeg);
    vt_buf_deinit(&png);
}

static void files_by_content_not_by_name(void **state)
{
    (void)state;
    char folder[] = "/tmp/vitrine-test-XXXXXX", path[64];
    assert_non_null(mkdtemp(folder));
    snprintf(path, sizeof path, "%s/really-a-png.jpg", folder);
    vt_image source = picture_make(40, 30, 2), got = {0};
    vt_buf png;
    vt_error failure = {0};
    vt_buf_init(&png, 1 << 20);
    assert_ok(vt_image_encode_png(&source, &png, error));
    assert_ok(vt_file_replace(path, png.data, png.length, false, error));
    assert_ok(vt_image_decode_file(path, NULL, &got, error));
    assert_int_equal(picture_largest_difference(&got, &source), 0);
    vt_image_deinit(&got);
    vt_decode_options options = vt_decode_options_defaults();
    options.maximum_bytes = png.length - 1;
    assert_int_equal(vt_image_decode_file(path, &options, &got, &failure), VT_ERR_LIMIT);
    assert_ok(vt_file_replace(path, png.data, png.length / 2, false, error));
    assert_int_equal(vt_image_decode_file(path, NULL, &got, &failure), VT_ERR_FORMAT);
    assert_non_null(strstr(failure.message, "really-a-png.jpg"));
    assert_ok(vt_file_replace(path, "", 0, false, error));
    assert_int_equal(vt_image_decode_file(path, NULL, &got, &failure), VT_ERR_FORMAT);
    unlink(path);
    assert_int_equal(vt_image_decode_file(path, NULL, &got, &failure), VT_ERR_NOT_FOUND);
    rmdir(folder);
    vt_buf_deinit(&png);
    vt_image_deinit(&source);
}

static void pictures_of_no_size_are_not_made(void **state)
{
    (void)state;
    vt_image image = {.width = 9};
    assert_int_equal(vt_image_init(&image, 0, 5, NULL), VT_ERR_USAGE);
    assert_int_equal(vt_image_init(&image, 5, -5, NULL), VT_ERR_USAGE);
    vt_mem_fail_after(0);
    assert_int_equal(vt_image_init(&image, 5, 5, NULL), VT_ERR_NO_MEMORY);
    vt_mem_fail_after(-1);
    assert_int_equal(image.width, 9);
    image = (vt_image){0};
    vt_image_deinit(&image);
}

/* Good and damaged files of several formats at once: every good one must come out whole, every
 * damaged one must fail with a message of its own. */
enum { CROWD_THREADS = 4, CROWD_FILES = 6, CROWD_ROUNDS = 120 };

typedef struct crowd {
    vt_image source;
    vt_buf files[CROWD_FILES];
    atomic_int wrong;
} crowd;

static void crowd_decode(void *context, size_t index)
{
    crowd *c = context;
    const vt_buf *file = &c->files[index % CROWD_FILES];
    bool damaged = index / CROWD_FILES % 2 == 1;
    static const char *const names[] = {"jpeg", "png", "webp", "png", "tiff", "gif"};
    vt_image got = {0};
    vt_error error = {0};
    vt_status status =
        vt_image_decode(file->data, damaged ? file->length / 2 : file->length, NULL, &got, &error);
    if (damaged)
        c->wrong += status != VT_ERR_FORMAT || !strstr(error.message, names[index % CROWD_FILES]);
    else
        c->wrong += status != VT_OK || picture_mean_difference(&got, &c->source) > 12.0;
    vt_image_deinit(&got);
}

static void many_threads_decode_at_once(void **state)
{
    (void)state;
    crowd c = {.source = picture_make(80, 60, 3)};
    static const char *const suffixes[] = {
        NULL, ".png", ".webp", ".png[interlace]", ".tif[compression=lzw]", ".gif"};
    c.files[0] = picture_jpeg(&c.source, 90);
    for (size_t i = 1; i < CROWD_FILES; i++)
        assert_true(picture_save(picture_to_vips(&c.source), suffixes[i], &c.files[i]));
    vt_pool *pool;
    assert_ok(vt_pool_new(CROWD_THREADS, &pool, error));
    vt_pool_for(pool, CROWD_ROUNDS, crowd_decode, &c);
    vt_pool_free(pool);
    assert_int_equal(c.wrong, 0);
    for (size_t i = 0; i < CROWD_FILES; i++)
        vt_buf_deinit(&c.files[i]);
    vt_image_deinit(&c.source);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nothing_and_next_to_nothing),
        cmocka_unit_test(other_formats_are_refused_by_name),
        cmocka_unit_test(options_are_checked_first),
        cmocka_unit_test(single_pixels_decode),
        cmocka_unit_test(files_by_content_not_by_name),
        cmocka_unit_test(pictures_of_no_size_are_not_made),
        cmocka_unit_test(many_threads_decode_at_once),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
