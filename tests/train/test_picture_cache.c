/* SPDX-License-Identifier: Apache-2.0 */
#include "support/scratch.h"

#include "base/crc32c.h"
#include "base/file.h"
#include "train/picture_cache.h"

enum { PHOTOS = 5 };

typedef struct photos {
    char texts[PHOTOS][SCRATCH_PATH_BYTES];
    const char *paths[PHOTOS];
    char cache[SCRATCH_PATH_BYTES];
} photos;

static void write_photo(scratch *s, const char *name, int width, int height, int value)
{
    vt_image image;
    vt_buf png;
    vt_buf_init(&png, 1 << 20);
    assert_int_equal(vt_image_init(&image, width, height, NULL), VT_OK);
    for (int i = 0; i < width * height * 3; i++)
        image.rgb[i] = (uint8_t)(value + i % 7);
    assert_int_equal(vt_image_encode_png(&image, &png, NULL), VT_OK);
    scratch_write(s, name, png.data, png.length);
    vt_buf_deinit(&png);
    vt_image_deinit(&image);
}

static void make(scratch *s, photos *all)
{
    static const char *const names[PHOTOS] = {"a.png", "b.png", "wide.png", "broken.jpg",
                                              "missing.jpg"};
    write_photo(s, "a.png", 20, 10, 10);
    write_photo(s, "b.png", 64, 48, 50);
    write_photo(s, "wide.png", 400, 20, 90);
    scratch_write(s, "broken.jpg", "\xff\xd8\xff\xe0 no", 7);
    for (int i = 0; i < PHOTOS; i++) {
        snprintf(all->texts[i], SCRATCH_PATH_BYTES, "%s/%s", s->root, names[i]);
        all->paths[i] = all->texts[i];
    }
    snprintf(all->cache, SCRATCH_PATH_BYTES, "%s/cache", s->root);
}

static vt_picture_cache *open_cache(const photos *all, int side)
{
    vt_picture_cache_options options = vt_picture_cache_options_defaults();
    vt_picture_cache *cache;
    vt_error error = {0};
    options.path = all->cache;
    options.short_side_px = side;
    if (vt_picture_cache_open(all->paths, PHOTOS, &options, &cache, &error) != VT_OK)
        fail_msg("%s", error.message);
    return cache;
}

static void pictures_come_back(void **state)
{
    photos all;
    vt_image image;
    make(*state, &all);
    vt_picture_cache *cache = open_cache(&all, 16);
    assert_true(vt_picture_cache_was_built(cache));
    assert_int_equal(vt_picture_cache_failed(cache), 2);
    assert_true(vt_picture_cache_get(cache, 0, &image));
    assert_int_equal(image.width, 20); /* not enlarged */
    assert_int_equal(image.rgb[0], 10);
    assert_int_equal(image.rgb[3 * 20 * 10 - 1], 10 + (3 * 20 * 10 - 1) % 7);
    assert_true(vt_picture_cache_get(cache, 1, &image));
    assert_int_equal(image.height, 16);
    assert_int_equal(image.width, 21);
    assert_true(vt_picture_cache_get(cache, 2, &image));
    assert_int_equal(image.height, 16);
    assert_int_equal(image.width, 64); /* its ends are cut */
    vt_error reason;
    assert_false(vt_picture_cache_get(cache, 3, &image));
    vt_picture_cache_reason(cache, 3, &reason);
    assert_int_equal(reason.status, VT_ERR_FORMAT);
    vt_picture_cache_reason(cache, 4, &reason);
    assert_int_equal(reason.status, VT_ERR_NOT_FOUND);
    assert_non_null(strstr(reason.message, "missing.jpg"));
    vt_picture_cache_close(cache);
}

static void it_is_used_until_it_is_stale(void **state)
{
    photos all;
    make(*state, &all);
    vt_picture_cache_close(open_cache(&all, 16));
    vt_picture_cache *cache = open_cache(&all, 16);
    assert_false(vt_picture_cache_was_built(cache));
    assert_int_equal(vt_picture_cache_failed(cache), 2);
    vt_picture_cache_close(cache);
    cache = open_cache(&all, 12);
    assert_true(vt_picture_cache_was_built(cache));
    vt_picture_cache_close(cache);
    write_photo(*state, "a.png", 22, 10, 10);
    cache = open_cache(&all, 12);
    assert_true(vt_picture_cache_was_built(cache));
    vt_picture_cache_close(cache);
}

/* Whichever byte is damaged, what is read is right. */
static void damage_is_found(void **state)
{
    photos all;
    vt_buf file;
    make(*state, &all);
    vt_picture_cache_close(open_cache(&all, 8));
    vt_buf_init(&file, 1 << 20);
    assert_int_equal(vt_file_read(all.cache, 1 << 20, &file, NULL), VT_OK);
    for (size_t i = 0; i < file.length; i += 37) {
        file.data[i] ^= 0x10;
        assert_int_equal(vt_file_replace(all.cache, file.data, file.length, false, NULL), VT_OK);
        vt_picture_cache *cache = open_cache(&all, 8);
        assert_true(vt_picture_cache_was_built(cache));
        vt_picture_cache_close(cache);
        file.data[i] ^= 0x10;
    }
    for (size_t length = 0; length < file.length; length += 53) {
        assert_int_equal(vt_file_replace(all.cache, file.data, length, false, NULL), VT_OK);
        vt_picture_cache *cache = open_cache(&all, 8);
        assert_true(vt_picture_cache_was_built(cache));
        vt_picture_cache_close(cache);
    }
    vt_buf_deinit(&file);
}

static bool stop(void *context, uint64_t done, uint64_t total)
{
    (void)context;
    (void)done;
    (void)total;
    return false;
}

static void cancelling_leaves_nothing(void **state)
{
    photos all;
    vt_picture_cache *cache;
    make(*state, &all);
    vt_picture_cache_options options = vt_picture_cache_options_defaults();
    options.path = all.cache;
    options.on_progress = stop;
    assert_int_equal(vt_picture_cache_open(all.paths, PHOTOS, &options, &cache, NULL),
                     VT_ERR_CANCELLED);
    assert_false(vt_file_exists(all.cache));
    options.short_side_px = 0;
    assert_int_equal(vt_picture_cache_open(all.paths, PHOTOS, &options, &cache, NULL),
                     VT_ERR_USAGE);
}

static void checksum_is_the_standard_one(void **state)
{
    (void)state;
    uint8_t zeros[32] = {0};
    assert_int_equal(vt_crc32c(0, "123456789", 9), 0xE3069283u); /* RFC 3720, B.4 and others */
    assert_int_equal(vt_crc32c(0, zeros, 32), 0x8A9136AAu);
    assert_int_equal(vt_crc32c(vt_crc32c(0, "1234", 4), "56789", 5), 0xE3069283u);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(pictures_come_back, scratch_setup, scratch_teardown),
        cmocka_unit_test_setup_teardown(it_is_used_until_it_is_stale, scratch_setup,
                                        scratch_teardown),
        cmocka_unit_test_setup_teardown(damage_is_found, scratch_setup, scratch_teardown),
        cmocka_unit_test_setup_teardown(cancelling_leaves_nothing, scratch_setup, scratch_teardown),
        cmocka_unit_test(checksum_is_the_standard_one),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
