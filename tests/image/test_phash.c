/* SPDX-License-Identifier: Apache-2.0 */
/* The perceptual hash against its definition, and what it is for: near copies near, others far. */
#include <stdio.h>

#include "image/reference.h"

static int bits(uint64_t a, uint64_t b)
{
    return __builtin_popcountll(a ^ b);
}

static uint64_t hash_of(const vt_image *image)
{
    uint64_t hash = 0;
    assert_ok(vt_image_phash(image, &hash, error));
    return hash;
}

static int compare_doubles(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

/* Straight from the definition, with the two-dimensional sum written out. */
static uint64_t defined_hash(const vt_image *image, double *closest)
{
    reference_view view = {.width = image->width,
                           .height = image->height,
                           .out_width = 32,
                           .out_height = 32,
                           .kernel = VT_KERNEL_AREA};
    double *small = reference_resample(image, &view), band[64], sorted[64];
    for (int v = 1; v <= 8; v++) {
        for (int u = 1; u <= 8; u++) {
            double sum = 0;
            for (int y = 0; y < 32; y++) {
                for (int x = 0; x < 32; x++) {
                    const double *p = small + (y * 32 + x) * 3;
                    sum += (0.299 * p[0] + 0.587 * p[1] + 0.114 * p[2]) *
                           cos((2 * x + 1) * u * M_PI / 64) * cos((2 * y + 1) * v * M_PI / 64);
                }
            }
            band[(v - 1) * 8 + u - 1] = sum;
        }
    }
    memcpy(sorted, band, sizeof sorted);
    qsort(sorted, 64, sizeof *sorted, compare_doubles);
    double median = (sorted[31] + sorted[32]) / 2;
    uint64_t hash = 0;
    *closest = INFINITY;
    for (int i = 0; i < 64; i++) {
        hash |= (uint64_t)(band[i] > median) << i;
        *closest = fmin(*closest, fabs(band[i] - median));
    }
    vt_free(small);
    return hash;
}

static void is_its_definition(void **state)
{
    (void)state;
    int compared = 0;
    for (unsigned seed = 0; seed < 12; seed++) {
        double closest;
        vt_image image = seed % 2 ? picture_make(61 + (int)seed, 47, seed)
                                  : picture_noise(33 + (int)seed, 70, seed);
        uint64_t expected = defined_hash(&image, &closest);
        if (closest > 0.05) { /* otherwise float error may decide a bit */
            assert_true(hash_of(&image) == expected);
            compared++;
        } else {
            assert_true(bits(hash_of(&image), expected) <= 2);
        }
        assert_int_equal(__builtin_popcountll(expected), 32); /* a median halves */
        vt_image_deinit(&image);
    }
    assert_true(compared >= 6);
}

/* Not smooth all over, or most frequencies are zero and the hash is rounding error. */
static vt_image scene(unsigned seed)
{
    vt_image small = picture_noise(12, 12, seed + 100), image;
    assert_ok(
        vt_image_resize(&small, 320, 240, VT_FIT_SQUASH, VT_KERNEL_BICUBIC, NULL, &image, error));
    vt_image_deinit(&small);
    return image;
}

static void near_copies_are_near(void **state)
{
    (void)state;
    for (unsigned seed = 0; seed < 10; seed++) {
        vt_image image = scene(seed), changed;
        uint64_t hash = hash_of(&image);
        vt_buf jpeg = picture_jpeg(&image, 30);
        changed = picture_decode(&jpeg, NULL);
        assert_true(bits(hash, hash_of(&changed)) <= 4);
        vt_image_deinit(&changed);
        vt_buf_deinit(&jpeg);
        assert_ok(vt_image_resize(&image, 97, 131, VT_FIT_SQUASH, VT_KERNEL_LANCZOS, NULL, &changed,
                                  error));
        assert_true(bits(hash, hash_of(&changed)) <= 4);
        vt_image_deinit(&changed);
        for (size_t i = 0; i < 320 * 240 * 3; i++)
            image.rgb[i] = (uint8_t)(40 + image.rgb[i] * 0.6);
        assert_true(bits(hash, hash_of(&image)) <= 4);
        vt_image_deinit(&image);
    }
}

static void other_pictures_are_far(void **state)
{
    (void)state;
    uint64_t hashes[16];
    for (unsigned seed = 0; seed < 16; seed++) {
        vt_image image = scene(seed);
        hashes[seed] = hash_of(&image);
        vt_image_deinit(&image);
    }
    for (int i = 0; i < 16; i++) {
        for (int j = 0; j < i; j++)
            assert_true(bits(hashes[i], hashes[j]) >= 14);
    }
}

static void plain_and_empty_pictures(void **state)
{
    (void)state;
    vt_image plain, empty = {0};
    uint64_t hash = 5;
    assert_ok(vt_image_init(&plain, 20, 20, error));
    memset(plain.rgb, 77, 1200);
    assert_ok(vt_image_phash(&plain, &hash, error));
    assert_true(hash == 0);
    hash = 5;
    assert_int_equal(vt_image_phash(&empty, &hash, NULL), VT_ERR_USAGE);
    vt_mem_fail_after(2);
    assert_int_equal(vt_image_phash(&plain, &hash, NULL), VT_ERR_NO_MEMORY);
    vt_mem_fail_after(-1);
    assert_true(hash == 5);
    vt_image_deinit(&plain);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(is_its_definition),
        cmocka_unit_test(near_copies_are_near),
        cmocka_unit_test(other_pictures_are_far),
        cmocka_unit_test(plain_and_empty_pictures),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
