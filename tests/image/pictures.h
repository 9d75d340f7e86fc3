/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Pictures and files made on the spot for the tests of src/image.
 */
#ifndef VT_TESTS_IMAGE_PICTURES_H
#define VT_TESTS_IMAGE_PICTURES_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <turbojpeg.h>
#include <vips/vips.h>

#include "base/buf.h"
#include "base/mem.h"
#include "base/random.h"
#include "image/image.h"

#define PICTURE_UNUSED __attribute__((unused))

/* The call is to pass `error`, which exists only inside. */
#define assert_ok(call)                                                                            \
    do {                                                                                           \
        vt_error assert_error_ = {0};                                                              \
        vt_error *error = &assert_error_;                                                          \
        vt_status assert_status_ = (call);                                                         \
        if (assert_status_ != VT_OK)                                                               \
            fail_msg("%s: %s", #call, assert_error_.message);                                      \
    } while (0)

/* Smooth, different in every corner and channel, with some texture: survives JPEG well. */
PICTURE_UNUSED static vt_image picture_make(int width, int height, unsigned seed)
{
    vt_image image;
    assert_ok(vt_image_init(&image, width, height, error));
    double a = 3.0 + seed % 5, b = 2.0 + seed % 7, c = 0.7 * seed;
    for (int y = 0; y < height; y++) {
        for (int x = 0; x < width; x++) {
            double u = (x + 0.5) / width, v = (y + 0.5) / height;
            uint8_t *rgb = image.rgb + ((size_t)y * (size_t)width + (size_t)x) * 3;
            rgb[0] = (uint8_t)(30 + 190 * u + 30 * sin(a * 6.283 * v + c));
            rgb[1] = (uint8_t)(30 + 190 * v + 30 * sin(b * 6.283 * u - c));
            rgb[2] = (uint8_t)(128 + 90 * sin(6.283 * (u * b + v * a) / 3 + c));
        }
    }
    return image;
}

/* Hard edges and noise: what resampling is hardest on. */
PICTURE_UNUSED static vt_image picture_noise(int width, int height, uint64_t seed)
{
    vt_image image;
    vt_random random;
    assert_ok(vt_image_init(&image, width, height, error));
    vt_random_init(&random, seed);
    for (size_t i = 0; i < (size_t)width * (size_t)height * 3; i++)
        image.rgb[i] = (uint8_t)vt_random_u64(&random);
    return image;
}

PICTURE_UNUSED static const uint8_t *picture_at(const vt_image *image, int x, int y)
{
    return image->rgb + ((size_t)y * (size_t)image->width + (size_t)x) * 3;
}

PICTURE_UNUSED static double picture_mean_difference(const vt_image *a, const vt_image *b)
{
    assert_int_equal(a->width, b->width);
    assert_int_equal(a->height, b->height);
    size_t count = (size_t)a->width * (size_t)a->height * 3;
    double sum = 0.0;
    for (size_t i = 0; i < count; i++)
        sum += abs((int)a->rgb[i] - (int)b->rgb[i]);
    return sum / (double)count;
}

PICTURE_UNUSED static int picture_largest_difference(const vt_image *a, const vt_image *b)
{
    assert_int_equal(a->width, b->width);
    assert_int_equal(a->height, b->height);
    int largest = 0;
    for (size_t i = 0; i < (size_t)a->width * (size_t)a->height * 3; i++) {
        int difference = abs((int)a->rgb[i] - (int)b->rgb[i]);
        largest = difference > largest ? difference : largest;
    }
    return largest;
}

PICTURE_UNUSED static vt_buf picture_jpeg(const vt_image *image, int quality)
{
    vt_buf jpeg;
    vt_buf_init(&jpeg, 64 << 20);
    assert_ok(vt_image_encode_jpeg(image, quality, &jpeg, error));
    return jpeg;
}

/* JPEG from pixels of any TurboJPEG format. */
PICTURE_UNUSED static vt_buf picture_jpeg_of(const uint8_t *pixels, int width, int height,
                                             int pixel_format, int sampling, int flags)
{
    vt_buf out;
    unsigned char *jpeg = NULL;
    unsigned long length = 0;
    tjhandle handle = tjInitCompress();
    assert_non_null(handle);
    assert_int_equal(tjCompress2(handle, pixels, width, 0, height, pixel_format, &jpeg, &length,
                                 sampling, 95, flags),
                     0);
    vt_buf_init(&out, 64 << 20);
    assert_true(vt_buf_append(&out, jpeg, length));
    tjFree(jpeg);
    tjDestroy(handle);
    return out;
}

/* The JPEG with one more segment behind its start marker. */
PICTURE_UNUSED static vt_buf picture_with_segment(const vt_buf *jpeg, uint8_t marker,
                                                  const void *body, size_t length)
{
    vt_buf out;
    uint8_t head[4] = {0xFF, marker, (uint8_t)((length + 2) >> 8), (uint8_t)(length + 2)};
    vt_buf_init(&out, 64 << 20);
    vt_buf_append(&out, jpeg->data, 2);
    vt_buf_append(&out, head, 4);
    vt_buf_append(&out, body, length);
    assert_true(vt_buf_append(&out, jpeg->data + 2, jpeg->length - 2));
    return out;
}

PICTURE_UNUSED static vt_buf picture_with_orientation(const vt_buf *jpeg, int orientation)
{
    uint8_t exif[] = {'E',  'x',  'i', 'f', 0, 0, 'M', 'M', 0, 42, 0, 0, 0, 8, 0, 1,
                      0x01, 0x12, 0,   3,   0, 0, 0,   1,   0, 0,  0, 0, 0, 0, 0, 0};
    exif[25] = (uint8_t)orientation;
    return picture_with_segment(jpeg, 0xE1, exif, sizeof exif);
}

/* The profile in as many segments as asked for. */
PICTURE_UNUSED static vt_buf picture_with_icc(const vt_buf *jpeg, const void *icc, size_t length,
                                              int parts)
{
    vt_buf out = picture_with_segment(jpeg, 0xFE, "none", 4);
    for (int part = parts; part >= 1; part--) { /* inserted in front, so the last goes first */
        size_t from = length * (size_t)(part - 1) / (size_t)parts;
        size_t to = length * (size_t)part / (size_t)parts;
        uint8_t *body = vt_alloc(14 + to - from);
        memcpy(body, "ICC_PROFILE", 12);
        body[12] = (uint8_t)part;
        body[13] = (uint8_t)parts;
        memcpy(body + 14, (const uint8_t *)icc + from, to - from);
        vt_buf next = picture_with_segment(&out, 0xE2, body, 14 + to - from);
        vt_free(body);
        vt_buf_deinit(&out);
        out = next;
    }
    return out;
}

/* A profile that libvips carries ("srgb", "p3", "cmyk"). */
PICTURE_UNUSED static vt_buf picture_profile(const char *name)
{
    vt_buf out;
    VipsBlob *blob = NULL;
    size_t length;
    vt_buf_init(&out, 16 << 20);
    assert_int_equal(vips_profile_load(name, &blob, NULL), 0);
    const void *bytes = vips_blob_get(blob, &length);
    assert_true(vt_buf_append(&out, bytes, length));
    vips_area_unref(VIPS_AREA(blob));
    return out;
}

PICTURE_UNUSED static VipsImage *picture_to_vips(const vt_image *image)
{
    size_t bytes = (size_t)image->width * (size_t)image->height * 3;
    VipsImage *made = vips_image_new_from_memory_copy(image->rgb, bytes, image->width,
                                                      image->height, 3, VIPS_FORMAT_UCHAR);
    VipsImage *srgb = NULL;
    assert_non_null(made);
    assert_int_equal(vips_copy(made, &srgb, "interpretation", VIPS_INTERPRETATION_sRGB, NULL), 0);
    g_object_unref(made);
    return srgb;
}

/* Encodes by file name ending, with libvips' options in it: ".png", ".webp[lossless]". Consumes the
 * image. False when this libvips has no such writer. */
PICTURE_UNUSED static bool picture_save(VipsImage *image, const char *suffix, vt_buf *out)
{
    void *bytes = NULL;
    size_t length = 0;
    int failed = vips_image_write_to_buffer(image, suffix, &bytes, &length, NULL);
    g_object_unref(image);
    vt_buf_init(out, 64 << 20);
    if (failed) {
        vips_error_clear();
        return false;
    }
    assert_true(vt_buf_append(out, bytes, length));
    g_free(bytes);
    return true;
}

PICTURE_UNUSED static vt_image picture_decode(const vt_buf *file, const vt_decode_options *options)
{
    vt_image image = {0};
    assert_ok(vt_image_decode(file->data, file->length, options, &image, error));
    return image;
}

/* That decoding fails so, leaves `out` alone, and says something. */
#define assert_decode_fails(bytes, length, options, expected)                                      \
    do {                                                                                           \
        vt_image untouched_ = {.width = 77};                                                       \
        vt_error error_ = {0};                                                                     \
        vt_status status_ = vt_image_decode((bytes), (length), (options), &untouched_, &error_);   \
        if (status_ != (expected))                                                                 \
            fail_msg("status %d (%s), expected %d", (int)status_, error_.message,                  \
                     (int)(expected));                                                             \
        assert_null(untouched_.rgb);                                                               \
        assert_int_equal(untouched_.width, 77);                                                    \
        assert_int_equal(error_.status, (expected));                                               \
        assert_true(error_.message[0] != '\0');                                                    \
    } while (0)

#endif
