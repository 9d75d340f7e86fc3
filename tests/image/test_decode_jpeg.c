/* SPDX-License-Identifier: Apache-2.0 */
/* JPEG: scaled and cropped decoding against the full one, orientation, colour spaces, damage. */
#include "image/jpeg_markers.h"
#include "image/pictures.h"

static vt_buf cmyk_jpeg(int c, int m, int y, int k, bool inverted)
{
    uint8_t pixels[32 * 32 * 4];
    for (size_t i = 0; i < 32 * 32; i++) {
        int ink[4] = {c, m, y, k};
        for (size_t j = 0; j < 4; j++)
            pixels[4 * i + j] = (uint8_t)(inverted ? 255 - ink[j] : ink[j]);
    }
    return picture_jpeg_of(pixels, 32, 32, TJPF_CMYK, TJSAMP_444, 0);
}

static void full_decode_is_the_picture(void **state)
{
    (void)state;
    vt_image source = picture_make(97, 61, 2);
    vt_buf jpeg = picture_jpeg(&source, 97);
    vt_image got = picture_decode(&jpeg, NULL);
    assert_int_equal(got.full_width, 97);
    assert_int_equal(got.full_height, 61);
    assert_true(picture_mean_difference(&source, &got) < 2.0);
    vt_image_deinit(&got);
    vt_image_deinit(&source);
    vt_buf_deinit(&jpeg);
}

/* The scaled decode must cover the fit size, be as small as a power of two allows, and look like
 * the full decode shrunk by area. */
static void scaled_decode_is_the_full_one_smaller(void **state)
{
    (void)state;
    vt_image source = picture_make(801, 603, 4);
    vt_buf jpeg = picture_jpeg(&source, 95);
    static const struct {
        int fit_width, fit_height, width, height;
    } cases[] = {{224, 224, 401, 302}, {100, 75, 100, 75},   {101, 75, 200, 151},
                 {100, 76, 200, 151},  {50, 50, 100, 75},    {401, 302, 401, 302},
                 {402, 1, 801, 603},   {900, 900, 801, 603}, {0, 0, 801, 603},
                 {0, 70, 100, 75},     {150, 0, 200, 151}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        vt_decode_options options = vt_decode_options_defaults();
        options.fit_width = cases[i].fit_width;
        options.fit_height = cases[i].fit_height;
        vt_image got = picture_decode(&jpeg, &options), expected;
        assert_int_equal(got.width, cases[i].width);
        assert_int_equal(got.height, cases[i].height);
        assert_int_equal(got.full_width, 801);
        assert_int_equal(got.full_height, 603);
        assert_ok(vt_image_resize(&source, got.width, got.height, VT_FIT_SQUASH, VT_KERNEL_AREA,
                                  NULL, &expected, error));
        double difference = picture_mean_difference(&got, &expected);
        if (difference >= 2.0)
            fail_msg("%dx%d differs by %.2f", got.width, got.height, difference);
        vt_image_deinit(&got);
        vt_image_deinit(&expected);
    }
    vt_image_deinit(&source);
    vt_buf_deinit(&jpeg);
}

static void tensor_from_scaled_is_tensor_from_full(void **state)
{
    (void)state;
    vt_image source = picture_make(1200, 900, 6);
    vt_buf jpeg = picture_jpeg(&source, 95);
    vt_pixel_spec spec = {.width = 112,
                          .height = 112,
                          .fit = VT_FIT_COVER,
                          .kernel = VT_KERNEL_BICUBIC,
                          .crop_ratio = 0.875f,
                          .scale = 1.0f,
                          .std = {1.0f, 1.0f, 1.0f}};
    vt_decode_options options = vt_decode_options_defaults();
    vt_pixel_spec_fit(&spec, &options.fit_width, &options.fit_height);
    vt_image full = picture_decode(&jpeg, NULL), scaled = picture_decode(&jpeg, &options);
    assert_int_equal(scaled.width, 300);
    size_t count = 3 * 112 * 112;
    float *a = vt_alloc(count * sizeof *a), *b = vt_alloc(count * sizeof *b);
    assert_ok(vt_image_to_tensor(&full, &spec, a, error));
    assert_ok(vt_image_to_tensor(&scaled, &spec, b, error));
    double sum = 0;
    for (size_t i = 0; i < count; i++)
        sum += fabs((double)a[i] - (double)b[i]);
    assert_true(sum / (double)count < 1.0);
    vt_free(a);
    vt_free(b);
    vt_image_deinit(&full);
    vt_image_deinit(&scaled);
    vt_image_deinit(&source);
    vt_buf_deinit(&jpeg);
}

/* Expected is what orientation and crop mean, worked out from the unturned picture. */
static vt_image turn(const vt_image *stored, int orientation)
{
    bool swaps = orientation >= 5;
    vt_image out;
    int w = stored->width, h = stored->height;
    assert_ok(vt_image_init(&out, swaps ? h : w, swaps ? w : h, error));
    for (int y = 0; y < out.height; y++) {
        for (int x = 0; x < out.width; x++) {
            int sx = swaps ? y : x, sy = swaps ? x : y;
            if (orientation == 2 || orientation == 3 || orientation == 7 || orientation == 8)
                sx = w - 1 - sx;
            if (orientation == 3 || orientation == 4 || orientation == 6 || orientation == 7)
                sy = h - 1 - sy;
            memcpy(out.rgb + (y * out.width + x) * 3, picture_at(stored, sx, sy), 3);
        }
    }
    return out;
}

static void all_orientations_with_and_without_crop(void **state)
{
    (void)state;
    vt_image source = picture_make(200, 120, 3);
    vt_buf jpeg = picture_jpeg(&source, 95);
    vt_image plain = picture_decode(&jpeg, NULL);
    for (int orientation = 1; orientation <= 8; orientation++) {
        vt_buf turned = picture_with_orientation(&jpeg, orientation);
        vt_image got = picture_decode(&turned, NULL), expected = turn(&plain, orientation), cut;
        assert_int_equal(got.full_width, orientation >= 5 ? 120 : 200);
        assert_int_equal(picture_largest_difference(&got, &expected), 0);
        vt_image_deinit(&got);
        vt_decode_options options = vt_decode_options_defaults();
        options.crop = (vt_rect){.x = 13, .y = 40, .width = 90, .height = 71};
        got = picture_decode(&turned, &options);
        assert_int_equal(got.full_width, expected.width);
        assert_ok(vt_image_crop(&expected, options.crop, &cut, error));
        assert_int_equal(picture_largest_difference(&got, &cut), 0);
        vt_image_deinit(&got);
        vt_image_deinit(&cut);
        vt_image_deinit(&expected);
        vt_buf_deinit(&turned);
    }
    vt_image_deinit(&plain);
    vt_image_deinit(&source);
    vt_buf_deinit(&jpeg);
}

static void crop_with_scaled_decode_still_covers(void **state)
{
    (void)state;
    vt_image source = picture_make(1600, 1000, 5);
    vt_buf jpeg = picture_jpeg(&source, 95), turned = picture_with_orientation(&jpeg, 6);
    vt_image upright = turn(&source, 6), cut, expected;
    vt_decode_options options = vt_decode_options_defaults();
    options.crop = (vt_rect){.x = 201, .y = 301, .width = 500, .height = 800};
    options.fit_width = options.fit_height = 100;
    vt_image got = picture_decode(&turned, &options);
    assert_int_equal(got.full_width, 1000);
    assert_int_equal(got.full_height, 1600);
    assert_int_equal(got.width, 125); /* 500 / 4; a further half would be too small */
    assert_int_equal(got.height, 200);
    assert_ok(vt_image_crop(&upright, options.crop, &cut, error));
    assert_ok(vt_image_resize(&cut, got.width, got.height, VT_FIT_SQUASH, VT_KERNEL_AREA, NULL,
                              &expected, error));
    assert_true(picture_mean_difference(&got, &expected) < 2.5);
    vt_image_deinit(&got);
    /* A crop of one pixel and one thinner than a scaled pixel still give something. */
    options.fit_width = options.fit_height = 0;
    options.crop = (vt_rect){.x = 999, .y = 1599, .width = 1, .height = 1};
    got = picture_decode(&turned, &options);
    assert_int_equal(got.width * got.height, 1);
    vt_image_deinit(&got);
    options.fit_height = 10;
    options.crop = (vt_rect){.x = 999, .y = 0, .width = 1, .height = 1600};
    got = picture_decode(&turned, &options);
    assert_int_equal(got.width, 1);
    assert_true(got.height >= 10);
    vt_image_deinit(&got);
    vt_image_deinit(&cut);
    vt_image_deinit(&expected);
    vt_image_deinit(&upright);
    vt_image_deinit(&source);
    vt_buf_deinit(&jpeg);
    vt_buf_deinit(&turned);
}

static void grey_and_every_sampling(void **state)
{
    (void)state;
    vt_image source = picture_make(256, 192, 2);
    for (int sampling = 0; sampling < TJ_NUMSAMP; sampling++) {
        for (int progressive = 0; progressive < 2; progressive++) {
            vt_buf jpeg = picture_jpeg_of(source.rgb, 256, 192, TJPF_RGB, sampling,
                                          progressive ? TJFLAG_PROGRESSIVE : 0);
            vt_image got = picture_decode(&jpeg, NULL);
            if (sampling == TJSAMP_GRAY) {
                for (size_t i = 0; i < 256 * 192; i++) {
                    double luma = 0.299 * source.rgb[3 * i] + 0.587 * source.rgb[3 * i + 1] +
                                  0.114 * source.rgb[3 * i + 2];
                    assert_true(fabs(luma - got.rgb[3 * i]) < 8);
                    assert_true(got.rgb[3 * i] == got.rgb[3 * i + 1] &&
                                got.rgb[3 * i] == got.rgb[3 * i + 2]);
                }
            } else {
                double difference = picture_mean_difference(&source, &got);
                if (difference >= 4.0)
                    fail_msg("sampling %d differs by %.2f", sampling, difference);
            }
            vt_image_deinit(&got);
            vt_buf_deinit(&jpeg);
        }
    }
    vt_image_deinit(&source);
}

static void assert_near(const vt_image *image, int r, int g, int b, int tolerance)
{
    const uint8_t *at = picture_at(image, image->width / 2, image->height / 2);
    if (abs(at[0] - r) > tolerance || abs(at[1] - g) > tolerance || abs(at[2] - b) > tolerance)
        fail_msg("colour %d,%d,%d, expected about %d,%d,%d", at[0], at[1], at[2], r, g, b);
}

/* TurboJPEG writes CMYK as YCCK with Adobe's marker, so the file is in Adobe's inverted sense. */
static void cmyk_becomes_the_colour_of_its_inks(void **state)
{
    (void)state;
    static const struct {
        int ink[4], rgb[3], tolerance;
    } cases[] = {{{0, 0, 0, 0}, {255, 255, 255}, 2},    {{0, 0, 0, 255}, {30, 28, 28}, 45},
                 {{255, 255, 255, 255}, {0, 0, 0}, 20}, {{255, 0, 0, 0}, {0, 160, 230}, 45},
                 {{0, 255, 0, 0}, {225, 0, 130}, 50},   {{0, 0, 255, 0}, {255, 240, 0}, 45}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        const int *ink = cases[i].ink;
        vt_buf jpeg = cmyk_jpeg(ink[0], ink[1], ink[2], ink[3], true);
        vt_image got = picture_decode(&jpeg, NULL);
        assert_int_equal(got.width, 32);
        assert_near(&got, cases[i].rgb[0], cases[i].rgb[1], cases[i].rgb[2], cases[i].tolerance);
        vt_image_deinit(&got);
        vt_buf_deinit(&jpeg);
    }
}

/* Without Adobe's marker four components are plain CMYK: 0 is no ink. */
static void cmyk_without_adobe_marker_is_not_inverted(void **state)
{
    (void)state;
    vt_buf jpeg = cmyk_jpeg(255, 0, 0, 0, true);
    uint8_t *bytes = (uint8_t *)jpeg.data;
    bool found = false;
    for (size_t i = 2; i + 16 < jpeg.length && !found; i++) {
        if (bytes[i] == 0xFF && bytes[i + 1] == 0xEE) {
            bytes[i + 1] =
                0xED; /* now a marker that nobody reads; libjpeg then takes it for CMYK */
            found = true;
        }
    }
    assert_true(found);
    vt_jpeg_info info;
    assert_ok(vt_jpeg_info_read(bytes, jpeg.length, &info, error));
    assert_false(info.adobe);
    assert_int_equal(info.components, 4);
    vt_image got = picture_decode(&jpeg, NULL);
    /* The YCCK of no cyan reads as C = 76ish, M = 85, Y = 255 and full black: dark. */
    assert_true(picture_at(&got, 16, 16)[0] < 60);
    vt_image_deinit(&got);
    vt_buf_deinit(&jpeg);
}

static void embedded_profile_is_honoured(void **state)
{
    (void)state;
    uint8_t pixels[16 * 16 * 3];
    for (size_t i = 0; i < 256; i++)
        memcpy(pixels + 3 * i, (const uint8_t[]){60, 200, 60}, 3);
    vt_buf jpeg = picture_jpeg_of(pixels, 16, 16, TJPF_RGB, TJSAMP_444, 0);
    vt_buf p3 = picture_profile("p3"), srgb = picture_profile("srgb");
    for (int parts = 1; parts <= 3; parts += 2) {
        vt_buf tagged = picture_with_icc(&jpeg, p3.data, p3.length, parts);
        vt_image got = picture_decode(&tagged, NULL);
        /* By the two spaces' matrices: linear (0.045, 0.578, 0.045) becomes (-0.07, 0.60, 0.003).
         */
        assert_near(&got, 0, 203, 11, 4);
        vt_image_deinit(&got);
        vt_buf_deinit(&tagged);
    }
    vt_buf tagged = picture_with_icc(&jpeg, srgb.data, srgb.length, 2);
    vt_image got = picture_decode(&tagged, NULL), plain = picture_decode(&jpeg, NULL);
    assert_int_equal(picture_largest_difference(&got, &plain), 0);
    vt_image_deinit(&got);
    vt_buf_deinit(&tagged);
    /* A profile for another kind of picture, a damaged one, and one with a part missing: ignored.
     */
    vt_buf cmyk = picture_profile("cmyk");
    tagged = picture_with_icc(&jpeg, cmyk.data, cmyk.length > 60000 ? 60000 : cmyk.length, 1);
    got = picture_decode(&tagged, NULL);
    assert_int_equal(picture_largest_difference(&got, &plain), 0);
    vt_image_deinit(&got);
    vt_buf_deinit(&tagged);
    tagged = picture_with_segment(&jpeg, 0xE2, "ICC_PROFILE\0\1\2garbage", 21);
    got = picture_decode(&tagged, NULL);
    assert_int_equal(picture_largest_difference(&got, &plain), 0);
    vt_image_deinit(&got);
    vt_image_deinit(&plain);
    vt_buf_deinit(&tagged);
    /* Grey with a colour profile, CMYK with an RGB profile: ignored as well. */
    for (int kind = 0; kind < 2; kind++) {
        vt_buf bare = kind ? cmyk_jpeg(200, 10, 90, 20, true)
                           : picture_jpeg_of(pixels, 16, 16, TJPF_RGB, TJSAMP_GRAY, 0);
        tagged = picture_with_icc(&bare, p3.data, p3.length, 1);
        got = picture_decode(&tagged, NULL);
        plain = picture_decode(&bare, NULL);
        assert_int_equal(picture_largest_difference(&got, &plain), 0);
        vt_image_deinit(&got);
        vt_image_deinit(&plain);
        vt_buf_deinit(&tagged);
        vt_buf_deinit(&bare);
    }
    vt_buf_deinit(&cmyk);
    vt_buf_deinit(&p3);
    vt_buf_deinit(&srgb);
    vt_buf_deinit(&jpeg);
}

static void every_cut_is_an_error(void **state)
{
    (void)state;
    vt_image source = picture_make(120, 90, 2);
    for (int progressive = 0; progressive < 2; progressive++) {
        vt_buf jpeg = picture_jpeg_of(source.rgb, 120, 90, TJPF_RGB, TJSAMP_420,
                                      progressive ? TJFLAG_PROGRESSIVE : 0);
        for (size_t length = 0; length < jpeg.length; length += length < 700 ? 1 : 37) {
            uint8_t *copy = vt_alloc(length);
            memcpy(copy, jpeg.data, length);
            assert_decode_fails(copy, length, NULL, VT_ERR_FORMAT);
            vt_free(copy);
        }
        assert_decode_fails(jpeg.data, jpeg.length - 1, NULL, VT_ERR_FORMAT);
        /* Cut with an end marker put back is still cut (a progressive file merely loses detail). */
        for (size_t length = jpeg.length * 3 / 4; length > jpeg.length / 2 && !progressive;
             length -= 101) {
            uint8_t *copy = vt_alloc(length + 2);
            memcpy(copy, jpeg.data, length);
            memcpy(copy + length, "\xFF\xD9", 2);
            if (copy[length - 1] != 0xFF)
                assert_decode_fails(copy, length + 2, NULL, VT_ERR_FORMAT);
            vt_free(copy);
        }
        vt_buf_deinit(&jpeg);
    }
    vt_image_deinit(&source);
}

static void harmless_oddities_are_tolerated(void **state)
{
    (void)state;
    vt_image source = picture_make(50, 40, 2);
    vt_buf jpeg = picture_jpeg(&source, 95), odd;
    vt_image plain = picture_decode(&jpeg, NULL);
    vt_buf_init(&odd, 1 << 20);
    vt_buf_append(&odd, jpeg.data, 20); /* start marker and JFIF segment */
    vt_buf_append(&odd, "junk", 4);
    vt_buf_append(&odd, jpeg.data + 20, jpeg.length - 20);
    vt_buf_append(&odd, "trailing bytes \xFF\xD8\xFF", 18);
    vt_image got = picture_decode(&odd, NULL);
    assert_int_equal(picture_largest_difference(&got, &plain), 0);
    vt_image_deinit(&got);
    vt_buf_deinit(&odd);
    vt_image_deinit(&plain);
    vt_image_deinit(&source);
    vt_buf_deinit(&jpeg);
}

/* Rewrites the frame header's size. */
static void set_size(vt_buf *jpeg, int width, int height)
{
    uint8_t *bytes = (uint8_t *)jpeg->data;
    for (size_t i = 2; i + 9 < jpeg->length; i += 2 + (size_t)(bytes[i + 2] << 8 | bytes[i + 3])) {
        assert_int_equal(bytes[i], 0xFF);
        if (bytes[i + 1] != 0xC0)
            continue;
        bytes[i + 5] = (uint8_t)(height >> 8);
        bytes[i + 6] = (uint8_t)height;
        bytes[i + 7] = (uint8_t)(width >> 8);
        bytes[i + 8] = (uint8_t)width;
        return;
    }
    fail();
}

static void bombs_are_refused_on_the_header(void **state)
{
    (void)state;
    vt_image source = picture_make(64, 64, 2);
    vt_buf jpeg = picture_jpeg(&source, 80);
    vt_mem_fail_after(-1);
    set_size(&jpeg, 30000, 30000);
    assert_decode_fails(jpeg.data, jpeg.length, NULL, VT_ERR_LIMIT);
    set_size(&jpeg, 14000, 14000); /* under the limit, but this little data cannot fill it */
    assert_decode_fails(jpeg.data, jpeg.length, NULL, VT_ERR_FORMAT);
    set_size(&jpeg, 0, 64);
    assert_decode_fails(jpeg.data, jpeg.length, NULL, VT_ERR_FORMAT);
    set_size(&jpeg, 64, 0);
    assert_decode_fails(jpeg.data, jpeg.length, NULL, VT_ERR_FORMAT);
    /* Nothing was asked of the heap while refusing. */
    assert_int_equal(vt_mem_fail_after(-1), 0);
    set_size(&jpeg, 64, 64);
    vt_decode_options options = vt_decode_options_defaults();
    options.maximum_pixels = 64 * 64 - 1;
    assert_decode_fails(jpeg.data, jpeg.length, &options, VT_ERR_LIMIT);
    options.maximum_pixels = 64 * 64;
    vt_image got = picture_decode(&jpeg, &options);
    vt_image_deinit(&got);
    vt_image_deinit(&source);
    vt_buf_deinit(&jpeg);
}

static void too_many_scans_are_refused(void **state)
{
    (void)state;
    vt_image source = picture_make(32, 32, 2);
    vt_buf jpeg = picture_jpeg_of(source.rgb, 32, 32, TJPF_RGB, TJSAMP_444, TJFLAG_PROGRESSIVE);
    vt_jpeg_info info;
    assert_ok(vt_jpeg_info_read((uint8_t *)jpeg.data, jpeg.length, &info, error));
    vt_buf many;
    vt_buf_init(&many, 16 << 20);
    vt_buf_append(&many, jpeg.data, jpeg.length - 2);
    for (int i = 0; i < VT_JPEG_MAXIMUM_SCANS; i++) /* refinement scans without data */
        vt_buf_append(&many, "\xFF\xDA\0\x08\x01\x01\x00\x01\x3F\x10", 10);
    vt_buf_append(&many, "\xFF\xD9", 2);
    assert_decode_fails(many.data, many.length, NULL, VT_ERR_LIMIT);
    vt_buf_deinit(&many);
    vt_buf_deinit(&jpeg);
    vt_image_deinit(&source);
}

static void unsupported_kinds_are_named(void **state)
{
    (void)state;
    vt_image source = picture_make(32, 32, 2);
    vt_buf jpeg = picture_jpeg(&source, 80);
    uint8_t *bytes = (uint8_t *)jpeg.data;
    size_t frame = 0;
    for (size_t i = 2; !frame; i += 2 + (size_t)(bytes[i + 2] << 8 | bytes[i + 3]))
        frame = bytes[i + 1] == 0xC0 ? i : 0;
    static const struct {
        size_t at;
        uint8_t value;
        vt_status status;
    } cases[] = {
        {1, 0xC3, VT_ERR_UNSUPPORTED}, {1, 0xC5, VT_ERR_UNSUPPORTED}, {1, 0xCB, VT_ERR_UNSUPPORTED},
        {4, 12, VT_ERR_UNSUPPORTED},   {9, 2, VT_ERR_UNSUPPORTED},    {11, 0x51, VT_ERR_FORMAT},
        {11, 0x10, VT_ERR_FORMAT},     {9, 4, VT_ERR_FORMAT},         {1, 0xFE, VT_ERR_FORMAT}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        uint8_t before = bytes[frame + cases[i].at];
        bytes[frame + cases[i].at] = cases[i].value;
        assert_decode_fails(bytes, jpeg.length, NULL, cases[i].status);
        bytes[frame + cases[i].at] = before;
    }
    vt_image_deinit(&source);
    vt_buf_deinit(&jpeg);
}

static void random_damage_is_survived(void **state)
{
    (void)state;
    vt_image source = picture_make(90, 70, 2);
    vt_buf plain = picture_jpeg_of(source.rgb, 90, 70, TJPF_RGB, TJSAMP_420, TJFLAG_PROGRESSIVE);
    vt_buf p3 = picture_profile("p3");
    vt_buf tagged = picture_with_icc(&plain, p3.data, p3.length, 2);
    vt_buf jpeg = picture_with_orientation(&tagged, 5);
    vt_random random;
    vt_random_init(&random, 99);
    vt_decode_options options = vt_decode_options_defaults();
    options.maximum_pixels = 1 << 22;
    options.fit_width = 20;
    int decoded = 0, refused = 0;
    for (int round = 0; round < 600; round++) {
        uint8_t *copy = vt_alloc(jpeg.length);
        vt_image got = {0};
        memcpy(copy, jpeg.data, jpeg.length);
        for (int flips = vt_random_int(&random, 1, 8); flips > 0; flips--)
            copy[vt_random_below(&random, jpeg.length)] = (uint8_t)vt_random_u64(&random);
        vt_status status = vt_image_decode(copy, jpeg.length, &options, &got, NULL);
        decoded += status == VT_OK;
        refused += status != VT_OK;
        assert_int_equal(got.rgb != NULL, status == VT_OK);
        vt_image_deinit(&got);
        vt_free(copy);
    }
    assert_true(decoded > 10 && refused > 10);
    vt_buf_deinit(&plain);
    vt_buf_deinit(&tagged);
    vt_buf_deinit(&p3);
    vt_buf_deinit(&jpeg);
    vt_image_deinit(&source);
}

static void every_allocation_may_fail(void **state)
{
    (void)state;
    vt_buf plain = cmyk_jpeg(10, 20, 30, 40, true);
    vt_buf p3 = picture_profile("p3");
    vt_buf tagged = picture_with_icc(&plain, p3.data, p3.length, 1);
    vt_buf jpeg = picture_with_orientation(&tagged, 6);
    int allowed = 0;
    for (;; allowed++) {
        vt_image got = {0};
        vt_mem_fail_after(allowed);
        vt_status status = vt_image_decode(jpeg.data, jpeg.length, NULL, &got, NULL);
        vt_mem_fail_after(-1);
        if (status == VT_OK) {
            vt_image_deinit(&got);
            break;
        }
        assert_int_equal(status, VT_ERR_NO_MEMORY);
        assert_null(got.rgb);
        assert_true(allowed < 20);
    }
    assert_true(allowed >= 4); /* profile, pixels, turned pixels, converted pixels */
    vt_buf_deinit(&plain);
    vt_buf_deinit(&p3);
    vt_buf_deinit(&tagged);
    vt_buf_deinit(&jpeg);
}

static int setup(void **state)
{
    (void)state;
    return VIPS_INIT("test");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(full_decode_is_the_picture),
        cmocka_unit_test(scaled_decode_is_the_full_one_smaller),
        cmocka_unit_test(tensor_from_scaled_is_tensor_from_full),
        cmocka_unit_test(all_orientations_with_and_without_crop),
        cmocka_unit_test(crop_with_scaled_decode_still_covers),
        cmocka_unit_test(grey_and_every_sampling),
        cmocka_unit_test(cmyk_becomes_the_colour_of_its_inks),
        cmocka_unit_test(cmyk_without_adobe_marker_is_not_inverted),
        cmocka_unit_test(embedded_profile_is_honoured),
        cmocka_unit_test(every_cut_is_an_error),
        cmocka_unit_test(harmless_oddities_are_tolerated),
        cmocka_unit_test(bombs_are_refused_on_the_header),
        cmocka_unit_test(too_many_scans_are_refused),
        cmocka_unit_test(unsupported_kinds_are_named),
        cmocka_unit_test(random_damage_is_survived),
        cmocka_unit_test(every_allocation_may_fail),
    };
    return cmocka_run_group_tests(tests, setup, NULL);
}
