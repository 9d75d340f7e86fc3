/* SPDX-License-Identifier: Apache-2.0 */
/* PNG, GIF, WebP, TIFF, HEIC and AVIF: pixels, depth, alpha, palette, profiles, orientation, first
 * frames, scaled decoding, limits and damage. */
#include "image/pictures.h"
#include "support/sanitized.h"

static void lossless_formats_give_the_pixels(void **state)
{
    (void)state;
    static const char *const suffixes[] = {
        ".png",       ".png[interlace]", ".tif[compression=lzw]",
        ".tif[tile]", ".webp[lossless]", ".tif[bigtiff,compression=deflate]"};
    vt_image source = picture_make(150, 97, 4);
    for (size_t i = 0; i < sizeof suffixes / sizeof *suffixes; i++) {
        vt_buf file;
        assert_true(picture_save(picture_to_vips(&source), suffixes[i], &file));
        vt_image got = picture_decode(&file, NULL);
        assert_int_equal(got.full_width, 150);
        assert_int_equal(got.full_height, 97);
        assert_int_equal(picture_largest_difference(&source, &got), 0);
        vt_image_deinit(&got);
        vt_decode_options options = vt_decode_options_defaults();
        options.crop = (vt_rect){.x = 100, .y = 20, .width = 50, .height = 70};
        got = picture_decode(&file, &options);
        vt_image cut;
        assert_ok(vt_image_crop(&source, options.crop, &cut, error));
        assert_int_equal(picture_largest_difference(&cut, &got), 0);
        assert_int_equal(got.full_width, 150);
        vt_image_deinit(&cut);
        vt_image_deinit(&got);
        vt_buf_deinit(&file);
    }
    vt_image_deinit(&source);
}

static void lossy_formats_look_like_it(void **state)
{
    (void)state;
    static const char *const suffixes[] = {".webp[Q=95]", ".gif", ".heic[Q=95]", ".avif[Q=95]"};
    vt_image source = picture_make(160, 96, 4);
    for (size_t i = 0; i < sizeof suffixes / sizeof *suffixes; i++) {
        vt_buf file;
        if (!picture_save(picture_to_vips(&source), suffixes[i], &file)) {
            print_message("this libvips writes no %s: left out\n", suffixes[i]);
            continue;
        }
        vt_image got = picture_decode(&file, NULL);
        double difference = picture_mean_difference(&source, &got);
        if (difference > 8.0)
            fail_msg("%s differs by %.2f", suffixes[i], difference);
        vt_image_deinit(&got);
        vt_buf_deinit(&file);
    }
    vt_image_deinit(&source);
}

/* Bands of constant value in a given format. */
static VipsImage *constant(const double *values, int bands, VipsBandFormat format,
                           VipsInterpretation space)
{
    VipsImage *black = NULL, *filled = NULL, *cast = NULL, *out = NULL;
    static const double ones[5] = {1, 1, 1, 1, 1};
    assert_int_equal(vips_black(&black, 20, 10, "bands", bands, NULL), 0);
    assert_int_equal(vips_linear(black, &filled, ones, values, bands, NULL), 0);
    assert_int_equal(vips_cast(filled, &cast, format, NULL), 0);
    assert_int_equal(vips_copy(cast, &out, "interpretation", space, NULL), 0);
    g_object_unref(black);
    g_object_unref(filled);
    g_object_unref(cast);
    return out;
}

static void assert_colour(const vt_buf *file, int r, int g, int b)
{
    vt_image got = picture_decode(file, NULL);
    for (size_t i = 0; i < (size_t)got.width * (size_t)got.height; i++) {
        const uint8_t *at = got.rgb + 3 * i;
        if (abs(at[0] - r) > 1 || abs(at[1] - g) > 1 || abs(at[2] - b) > 1)
            fail_msg("pixel %zu: %d,%d,%d, expected %d,%d,%d", i, at[0], at[1], at[2], r, g, b);
    }
    vt_image_deinit(&got);
}

static void depth_grey_and_alpha_become_plain_pixels(void **state)
{
    (void)state;
    static const struct {
        double values[4];
        int bands;
        VipsBandFormat format;
        VipsInterpretation space;
        int rgb[3];
    } cases[] = {
        {{100, 0, 0, 0}, 1, VIPS_FORMAT_UCHAR, VIPS_INTERPRETATION_B_W, {100, 100, 100}},
        {{51400, 0, 0, 0}, 1, VIPS_FORMAT_USHORT, VIPS_INTERPRETATION_GREY16, {200, 200, 200}},
        {{25700, 51400, 257, 0}, 3, VIPS_FORMAT_USHORT, VIPS_INTERPRETATION_RGB16, {100, 200, 1}},
        {{10, 20, 30, 255}, 4, VIPS_FORMAT_UCHAR, VIPS_INTERPRETATION_sRGB, {10, 20, 30}},
        {{10, 20, 30, 0}, 4, VIPS_FORMAT_UCHAR, VIPS_INTERPRETATION_sRGB, {255, 255, 255}},
        {{100, 0, 200, 51}, 4, VIPS_FORMAT_UCHAR, VIPS_INTERPRETATION_sRGB, {224, 204, 244}},
        {{100, 102, 0, 0}, 2, VIPS_FORMAT_UCHAR, VIPS_INTERPRETATION_B_W, {193, 193, 193}},
        {{25700, 0, 51400, 13107},
         4,
         VIPS_FORMAT_USHORT,
         VIPS_INTERPRETATION_RGB16,
         {224, 204, 244}},
        {{25700, 26214, 0, 0}, 2, VIPS_FORMAT_USHORT, VIPS_INTERPRETATION_GREY16, {193, 193, 193}},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        for (int tiff = 0; tiff < 2; tiff++) {
            vt_buf file;
            VipsImage *image =
                constant(cases[i].values, cases[i].bands, cases[i].format, cases[i].space);
            assert_true(picture_save(image, tiff ? ".tif" : ".png", &file));
            assert_colour(&file, cases[i].rgb[0], cases[i].rgb[1], cases[i].rgb[2]);
            vt_buf_deinit(&file);
        }
    }
}

static void palettes_and_few_bits_are_spread(void **state)
{
    (void)state;
    vt_image source = picture_make(64, 64, 3);
    vt_buf file;
    assert_true(
        picture_save(picture_to_vips(&source), ".png[palette,colours=256,dither=0]", &file));
    vt_image got = picture_decode(&file, NULL);
    assert_true(picture_mean_difference(&source, &got) < 10.0);
    vt_image_deinit(&got);
    vt_buf_deinit(&file);
    VipsImage *grey = constant((double[]){255}, 1, VIPS_FORMAT_UCHAR, VIPS_INTERPRETATION_B_W);
    assert_true(picture_save(grey, ".png[bitdepth=1]", &file));
    assert_int_equal(file.data[24], 1); /* IHDR's depth: the file is what it is meant to be */
    assert_colour(&file, 255, 255, 255);
    vt_buf_deinit(&file);
    grey = constant((double[]){255}, 1, VIPS_FORMAT_UCHAR, VIPS_INTERPRETATION_B_W);
    assert_true(picture_save(grey, ".tif[bitdepth=1]", &file));
    assert_colour(&file, 255, 255, 255);
    vt_buf_deinit(&file);
    vt_image_deinit(&source);
}

static void profiles_are_converted(void **state)
{
    (void)state;
    static const char *const suffixes[] = {".png", ".webp[lossless]", ".tif"};
    vt_buf p3 = picture_profile("p3"), srgb = picture_profile("srgb"), file;
    for (size_t i = 0; i < 3; i++) {
        for (int which = 0; which < 2; which++) {
            VipsImage *image =
                constant((double[]){60, 200, 60}, 3, VIPS_FORMAT_UCHAR, VIPS_INTERPRETATION_sRGB);
            const vt_buf *profile = which ? &srgb : &p3;
            vips_image_set_blob_copy(image, VIPS_META_ICC_NAME, profile->data, profile->length);
            assert_true(picture_save(image, suffixes[i], &file));
            if (which)
                assert_colour(&file, 60, 200, 60);
            else
                assert_colour(&file, 0, 203, 11); /* as in test_decode_jpeg.c */
            vt_buf_deinit(&file);
        }
    }
    /* A damaged profile is as good as none; so is one for another kind of picture. */
    for (int which = 0; which < 2; which++) {
        VipsImage *image =
            constant((double[]){60, 200, 60}, 3, VIPS_FORMAT_UCHAR, VIPS_INTERPRETATION_sRGB);
        vt_buf cmyk = picture_profile("cmyk");
        if (which)
            memset(cmyk.data + 128, 0x55, 300);
        vips_image_set_blob_copy(image, VIPS_META_ICC_NAME, cmyk.data, cmyk.length);
        assert_true(picture_save(image, ".tif", &file));
        assert_colour(&file, 60, 200, 60);
        vt_buf_deinit(&cmyk);
        vt_buf_deinit(&file);
    }
    vt_buf_deinit(&p3);
    vt_buf_deinit(&srgb);
}

static void cmyk_tiff_becomes_colour(void **state)
{
    (void)state;
    vt_buf file;
    VipsImage *image =
        constant((double[]){255, 0, 0, 0}, 4, VIPS_FORMAT_UCHAR, VIPS_INTERPRETATION_CMYK);
    assert_true(picture_save(image, ".tif", &file));
    vt_image got = picture_decode(&file, NULL);
    assert_true(got.rgb[0] < 60 && got.rgb[1] > 120 && got.rgb[2] > 190); /* cyan */
    vt_image_deinit(&got);
    vt_buf_deinit(&file);
    image = constant((double[]){0, 0, 0, 0}, 4, VIPS_FORMAT_UCHAR, VIPS_INTERPRETATION_CMYK);
    assert_true(picture_save(image, ".tif", &file));
    assert_colour(&file, 255, 255, 255);
    vt_buf_deinit(&file);
}

static uint32_t crc(const uint8_t *bytes, size_t length)
{
    uint32_t value = 0xFFFFFFFF;
    for (size_t i = 0; i < length; i++) {
        value ^= bytes[i];
        for (int bit = 0; bit < 8; bit++)
            value = value >> 1 ^ (value & 1 ? 0xEDB88320 : 0);
    }
    return ~value;
}

/* Puts an EXIF chunk behind the PNG's header; libvips need not be able to write one. */
static void png_set_orientation(vt_buf *png, int orientation)
{
    uint8_t chunk[12 + 26] = "\0\0\0\x1A"
                             "eXIfII*\0\x08\0\0\0\1\0\x12\1\3\0\1\0\0\0";
    chunk[26] = (uint8_t)orientation;
    uint32_t sum = crc(chunk + 4, 4 + 26);
    for (int i = 0; i < 4; i++)
        chunk[34 + i] = (uint8_t)(sum >> (24 - 8 * i));
    vt_buf out;
    vt_buf_init(&out, 1 << 24);
    vt_buf_append(&out, png->data, 33);
    vt_buf_append(&out, chunk, sizeof chunk);
    assert_true(vt_buf_append(&out, png->data + 33, png->length - 33));
    vt_buf_deinit(png);
    *png = out;
}

static void orientation_is_applied(void **state)
{
    (void)state;
    static const char *const suffixes[] = {".png", ".tif", ".webp[lossless]"};
    vt_image source = picture_make(40, 20, 3);
    for (size_t i = 0; i < 3; i++) {
        VipsImage *image = picture_to_vips(&source);
        vt_buf file;
        vips_image_set_int(image, VIPS_META_ORIENTATION, 6);
        assert_true(picture_save(image, suffixes[i], &file));
        if (i == 0)
            png_set_orientation(&file, 6);
        vt_image got = picture_decode(&file, NULL);
        assert_int_equal(got.width, 20);
        assert_int_equal(got.height, 40);
        assert_int_equal(got.full_width, 20);
        for (int y = 0; y < 40; y++) {
            for (int x = 0; x < 20; x++)
                assert_memory_equal(picture_at(&got, x, y), picture_at(&source, y, 19 - x), 3);
        }
        vt_image_deinit(&got);
        vt_decode_options options = vt_decode_options_defaults();
        options.crop = (vt_rect){.x = 3, .y = 9, .width = 12, .height = 30};
        got = picture_decode(&file, &options);
        assert_memory_equal(picture_at(&got, 0, 0), picture_at(&source, 9, 16), 3);
        assert_memory_equal(picture_at(&got, 11, 29), picture_at(&source, 38, 5), 3);
        vt_image_deinit(&got);
        vt_buf_deinit(&file);
    }
    vt_image_deinit(&source);
}

/* Frames of different colours, one below the other as libvips holds them. */
static VipsImage *animation(void)
{
    VipsImage *frames[3], *joined = NULL, *out = NULL;
    for (int i = 0; i < 3; i++)
        frames[i] = constant((double[]){i == 0 ? 250 : 0, i == 1 ? 250 : 0, i == 2 ? 250 : 0}, 3,
                             VIPS_FORMAT_UCHAR, VIPS_INTERPRETATION_sRGB);
    assert_int_equal(vips_arrayjoin(frames, &joined, 3, "across", 1, NULL), 0);
    assert_int_equal(vips_copy(joined, &out, NULL), 0);
    vips_image_set_int(out, VIPS_META_PAGE_HEIGHT, 10);
    for (int i = 0; i < 3; i++)
        g_object_unref(frames[i]);
    g_object_unref(joined);
    return out;
}

static void animations_show_their_first_frame(void **state)
{
    (void)state;
    static const char *const suffixes[] = {".gif", ".webp[lossless]", ".tif"};
    for (size_t i = 0; i < 3; i++) {
        vt_buf file;
        assert_true(picture_save(animation(), suffixes[i], &file));
        vt_image got = picture_decode(&file, NULL);
        assert_int_equal(got.width, 20);
        assert_int_equal(got.height, 10);
        vt_image_deinit(&got);
        assert_colour(&file, 250, 0, 0);
        vt_buf_deinit(&file);
    }
}

static void webp_is_scaled_while_decoding(void **state)
{
    (void)state;
    vt_image source = picture_make(803, 601, 4), expected;
    vt_buf file;
    assert_true(picture_save(picture_to_vips(&source), ".webp[Q=95]", &file));
    for (int fit = 40; fit <= 420; fit += 19) {
        vt_decode_options options = vt_decode_options_defaults();
        options.fit_width = options.fit_height = fit;
        vt_image got = picture_decode(&file, &options);
        assert_int_equal(got.full_width, 803);
        assert_true(got.width >= fit && got.height >= fit);
        if (fit == 40)
            assert_true(got.width <= 101 && got.height <= 76);
        assert_ok(vt_image_resize(&source, got.width, got.height, VT_FIT_SQUASH, VT_KERNEL_AREA,
                                  NULL, &expected, error));
        assert_true(picture_mean_difference(&got, &expected) < 4.0);
        vt_image_deinit(&got);
        vt_image_deinit(&expected);
    }
    vt_decode_options options = vt_decode_options_defaults();
    options.fit_width = options.fit_height = 100;
    options.crop = (vt_rect){.x = 303, .y = 101, .width = 440, .height = 500};
    vt_image got = picture_decode(&file, &options), cut;
    assert_int_equal(got.width, 110);
    assert_ok(vt_image_crop(&source, options.crop, &cut, error));
    assert_ok(vt_image_resize(&cut, got.width, got.height, VT_FIT_SQUASH, VT_KERNEL_AREA, NULL,
                              &expected, error));
    assert_true(picture_mean_difference(&got, &expected) < 4.0);
    vt_image_deinit(&got);
    vt_image_deinit(&cut);
    vt_image_deinit(&expected);
    vt_image_deinit(&source);
    vt_buf_deinit(&file);
}

static void bombs_are_refused_on_the_header(void **state)
{
    (void)state;
    vt_image source = picture_make(64, 64, 3);
    vt_buf file;
    assert_true(picture_save(picture_to_vips(&source), ".png", &file));
    uint8_t *ihdr = (uint8_t *)file.data + 12;
    memcpy(ihdr + 4, "\0\0\x75\x30\0\0\x75\x30", 8); /* 30,000 x 30,000 */
    uint32_t sum = crc(ihdr, 17);
    for (int i = 0; i < 4; i++)
        ihdr[17 + i] = (uint8_t)(sum >> (24 - 8 * i));
    vt_mem_fail_after(-1);
    assert_decode_fails(file.data, file.length, NULL, VT_ERR_LIMIT);
    assert_int_equal(vt_mem_fail_after(-1), 0);
    vt_buf_deinit(&file);
    static const char *const suffixes[] = {".png", ".gif", ".webp", ".tif", ".avif"};
    for (size_t i = 0; i < sizeof suffixes / sizeof *suffixes; i++) {
        vt_decode_options options = vt_decode_options_defaults();
        options.maximum_pixels = 64 * 64 - 1;
        if (!picture_save(picture_to_vips(&source), suffixes[i], &file))
            continue;
        assert_decode_fails(file.data, file.length, &options, VT_ERR_LIMIT);
        options.maximum_pixels++;
        vt_image got = picture_decode(&file, &options);
        vt_image_deinit(&got);
        vt_buf_deinit(&file);
    }
    vt_image_deinit(&source);
}

static void cut_files_are_errors(void **state)
{
    (void)state;
    static const char *const suffixes[] = {".png",  ".png[interlace]",       ".webp[lossless]",
                                           ".webp", ".tif[compression=lzw]", ".gif",
                                           ".avif"};
    vt_image source = picture_noise(60, 50, 3);
    for (size_t i = 0; i < sizeof suffixes / sizeof *suffixes; i++) {
        vt_buf file;
        if (!picture_save(picture_to_vips(&source), suffixes[i], &file))
            continue;
        /* Up to where the last pixel's data may be complete. */
        for (size_t length = 0; length < file.length * 9 / 10; length += 1 + file.length / 61) {
            uint8_t *copy = vt_alloc(length);
            memcpy(copy, file.data, length);
            vt_image got = {0};
            vt_error error = {0};
            vt_status status = vt_image_decode(copy, length, NULL, &got, &error);
            if (status != VT_ERR_FORMAT)
                fail_msg("%s cut to %zu of %zu: status %d %s", suffixes[i], length, file.length,
                         (int)status, error.message);
            vt_free(copy);
        }
        vt_buf_deinit(&file);
    }
    vt_image_deinit(&source);
}

static void random_damage_is_survived(void **state)
{
    (void)state;
    one_thread();
    static const char *const suffixes[] = {".png", ".webp", ".tif[compression=lzw]", ".gif"};
    vt_image source = picture_make(70, 50, 2);
    vt_random random;
    vt_random_init(&random, 5);
    vt_decode_options options = vt_decode_options_defaults();
    options.maximum_pixels = 1 << 22;
    for (size_t i = 0; i < sizeof suffixes / sizeof *suffixes; i++) {
        vt_buf file;
        assert_true(picture_save(picture_to_vips(&source), suffixes[i], &file));
        for (int round = 0; round < 100; round++) {
            uint8_t *copy = vt_alloc(file.length);
            vt_image got = {0};
            memcpy(copy, file.data, file.length);
            for (int flips = vt_random_int(&random, 1, 6); flips > 0; flips--)
                copy[vt_random_below(&random, file.length)] = (uint8_t)vt_random_u64(&random);
            vt_status status = vt_image_decode(copy, file.length, &options, &got, NULL);
            assert_int_equal(got.rgb != NULL, status == VT_OK);
            vt_image_deinit(&got);
            vt_free(copy);
        }
        vt_buf_deinit(&file);
    }
    vt_image_deinit(&source);
}

static void what_libvips_says_is_reported(void **state)
{
    (void)state;
    vt_image source = picture_noise(60, 50, 3), got;
    vt_buf file;
    vt_error error = {0};
    assert_true(picture_save(picture_to_vips(&source), ".png", &file));
    assert_int_equal(vt_image_decode(file.data, file.length / 2, NULL, &got, &error),
                     VT_ERR_FORMAT);
    assert_non_null(strstr(error.message, "decode png: "));
    assert_null(strchr(error.message, '\n'));
    assert_null(strstr(error.message, "the data is damaged or cut off"));
    assert_string_equal(vips_error_buffer(), "");
    vt_buf_deinit(&file);
    vt_image_deinit(&source);
}

static void every_allocation_may_fail(void **state)
{
    (void)state;
    vt_image source = picture_make(40, 20, 3);
    vt_buf file;
    assert_true(picture_save(picture_to_vips(&source), ".png", &file));
    png_set_orientation(&file, 8);
    int allowed = 0;
    for (;; allowed++) {
        vt_image got = {0};
        vt_mem_fail_after(allowed);
        vt_status status = vt_image_decode(file.data, file.length, NULL, &got, NULL);
        vt_mem_fail_after(-1);
        if (status == VT_OK) {
            vt_image_deinit(&got);
            break;
        }
        assert_int_equal(status, VT_ERR_NO_MEMORY);
        assert_null(got.rgb);
    }
    assert_int_equal(allowed, 2); /* pixels, turned pixels */
    vt_buf_deinit(&file);
    vt_image_deinit(&source);
}

static int setup(void **state)
{
    (void)state;
    return VIPS_INIT("test");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(lossless_formats_give_the_pixels),
        cmocka_unit_test(lossy_formats_look_like_it),
        cmocka_unit_test(depth_grey_and_alpha_become_plain_pixels),
        cmocka_unit_test(palettes_and_few_bits_are_spread),
        cmocka_unit_test(profiles_are_converted),
        cmocka_unit_test(cmyk_tiff_becomes_colour),
        cmocka_unit_test(orientation_is_applied),
        cmocka_unit_test(animations_show_their_first_frame),
        cmocka_unit_test(webp_is_scaled_while_decoding),
        cmocka_unit_test(bombs_are_refused_on_the_header),
        cmocka_unit_test(cut_files_are_errors),
        cmocka_unit_test(random_damage_is_survived),
        cmocka_unit_test(what_libvips_says_is_reported),
        cmocka_unit_test(every_allocation_may_fail),
    };
    return cmocka_run_group_tests(tests, setup, NULL);
}
