/* SPDX-License-Identifier: Apache-2.0 */
/* Resizing against the direct definition, libvips, and properties that must hold exactly. */
#include "image/reference.h"

static const vt_kernel kernels[] = {VT_KERNEL_AREA, VT_KERNEL_BILINEAR, VT_KERNEL_BICUBIC,
                                    VT_KERNEL_LANCZOS};

/* Rounding may fall the other way where the reference is within float error of a half. */
static void assert_is_reference(const vt_image *got, int left, int top, const vt_image *source,
                                const reference_view *view)
{
    double *expected = reference_resample(source, view);
    for (int y = 0; y < view->out_height; y++) {
        for (int x = 0; x < view->out_width; x++) {
            for (int c = 0; c < 3; c++) {
                double value =
                    expected[((size_t)y * (size_t)view->out_width + (size_t)x) * 3 + (size_t)c];
                if (fabs(picture_at(got, left + x, top + y)[c] - value) > 0.5 + 1e-3)
                    fail_msg("%s at %d,%d,%d: %d, expected %.4f", vt_kernel_name(view->kernel), x,
                             y, c, picture_at(got, left + x, top + y)[c], value);
            }
        }
    }
    vt_free(expected);
}

static void squash_is_the_definition(void **state)
{
    (void)state;
    static const int sizes[][4] = {{40, 30, 17, 11}, {40, 30, 40, 30}, {9, 13, 31, 20},
                                   {1, 1, 5, 4},     {3, 50, 7, 2},    {64, 2, 1, 1},
                                   {50, 50, 49, 51}, {2, 3, 1, 9}};
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        vt_image source = picture_noise(sizes[i][0], sizes[i][1], i + 1);
        for (size_t k = 0; k < 4; k++) {
            vt_image got;
            reference_view view = {.width = sizes[i][0],
                                   .height = sizes[i][1],
                                   .out_width = sizes[i][2],
                                   .out_height = sizes[i][3],
                                   .kernel = kernels[k]};
            assert_ok(vt_image_resize(&source, sizes[i][2], sizes[i][3], VT_FIT_SQUASH, kernels[k],
                                      NULL, &got, error));
            assert_is_reference(&got, 0, 0, &source, &view);
            vt_image_deinit(&got);
        }
        vt_image_deinit(&source);
    }
}

static void cover_shows_the_middle(void **state)
{
    (void)state;
    vt_image wide = picture_noise(60, 31, 3), tall = picture_noise(31, 60, 4), got;
    for (size_t k = 0; k < 4; k++) {
        /* The short side decides: 31 to 20, so 31 of the 60 columns are seen, those in the middle.
         */
        reference_view across = {.x = 14.5,
                                 .width = 31,
                                 .height = 31,
                                 .out_width = 20,
                                 .out_height = 20,
                                 .kernel = kernels[k]};
        assert_ok(vt_image_resize(&wide, 20, 20, VT_FIT_COVER, kernels[k], NULL, &got, error));
        assert_is_reference(&got, 0, 0, &wide, &across);
        vt_image_deinit(&got);
        reference_view down = across;
        down.x = 0;
        down.y = 14.5;
        assert_ok(vt_image_resize(&tall, 20, 20, VT_FIT_COVER, kernels[k], NULL, &got, error));
        assert_is_reference(&got, 0, 0, &tall, &down);
        vt_image_deinit(&got);
    }
    vt_image_deinit(&wide);
    vt_image_deinit(&tall);
}

static void contain_fills_the_rest(void **state)
{
    (void)state;
    static const uint8_t fill[3] = {9, 8, 7};
    static const uint8_t white[3] = {255, 255, 255};
    vt_image wide = picture_noise(60, 30, 3), got;
    reference_view view = {
        .width = 60, .height = 30, .out_width = 20, .out_height = 10, .kernel = VT_KERNEL_BICUBIC};
    for (int pass = 0; pass < 2; pass++) {
        const uint8_t *rest = pass ? white : fill;
        assert_ok(vt_image_resize(&wide, 20, 21, VT_FIT_CONTAIN, VT_KERNEL_BICUBIC,
                                  pass ? NULL : fill, &got, error));
        assert_is_reference(&got, 0, 5, &wide, &view);
        for (int y = 0; y < 21; y++) {
            for (int x = 0; x < 20 && (y < 5 || y >= 15); x++)
                assert_memory_equal(picture_at(&got, x, y), rest, 3);
        }
        vt_image_deinit(&got);
    }
    /* So thin that its scaled width rounds to nothing: one column stays. */
    vt_image thin = picture_noise(1, 1000, 3);
    assert_ok(vt_image_resize(&thin, 10, 10, VT_FIT_CONTAIN, VT_KERNEL_AREA, fill, &got, error));
    assert_memory_equal(picture_at(&got, 3, 5), fill, 3);
    assert_memory_not_equal(picture_at(&got, 4, 5), fill, 3);
    assert_memory_equal(picture_at(&got, 5, 5), fill, 3);
    vt_image_deinit(&got);
    vt_image_deinit(&thin);
    vt_image_deinit(&wide);
}

static void same_size_changes_nothing(void **state)
{
    (void)state;
    vt_image source = picture_noise(33, 21, 8), got;
    source.full_width = 330;
    for (int fit = VT_FIT_SQUASH; fit <= VT_FIT_CONTAIN; fit++) {
        for (size_t k = 0; k < 4; k++) {
            assert_ok(vt_image_resize(&source, 33, 21, (vt_fit)fit, kernels[k], NULL, &got, error));
            assert_int_equal(picture_largest_difference(&source, &got), 0);
            assert_int_equal(got.full_width, 330);
            vt_image_deinit(&got);
        }
    }
    vt_image_deinit(&source);
}

static void one_colour_stays_that_colour(void **state)
{
    (void)state;
    vt_image source, got;
    assert_ok(vt_image_init(&source, 301, 57, error));
    for (size_t i = 0; i < 301 * 57; i++)
        memcpy(source.rgb + 3 * i, "\xFF\x01\x80", 3);
    for (size_t k = 0; k < 4; k++) {
        assert_ok(vt_image_resize(&source, 64, 100, VT_FIT_COVER, kernels[k], NULL, &got, error));
        for (size_t i = 0; i < 6400; i++)
            assert_memory_equal(got.rgb + 3 * i, "\xFF\x01\x80", 3);
        vt_image_deinit(&got);
    }
    vt_image_deinit(&source);
}

/* libvips resizes in fixed point and with its own edges: the same picture, not the same bits. */
static void agrees_with_libvips(void **state)
{
    (void)state;
    static const struct {
        vt_kernel ours;
        VipsKernel theirs;
    } pairs[] = {{VT_KERNEL_BILINEAR, VIPS_KERNEL_LINEAR},
                 {VT_KERNEL_BICUBIC, VIPS_KERNEL_CUBIC},
                 {VT_KERNEL_LANCZOS, VIPS_KERNEL_LANCZOS3}};
    vt_image source = picture_make(400, 400, 3), got, expected;
    assert_ok(vt_image_init(&expected, 150, 150, error));
    for (size_t i = 0; i < 3; i++) {
        VipsImage *in = picture_to_vips(&source), *out = NULL;
        size_t length;
        assert_int_equal(vips_resize(in, &out, 0.375, "kernel", pairs[i].theirs, NULL), 0);
        assert_int_equal(vips_image_get_width(out), 150);
        void *pixels = vips_image_write_to_memory(out, &length);
        assert_int_equal(length, 150 * 150 * 3);
        memcpy(expected.rgb, pixels, length);
        g_free(pixels);
        g_object_unref(in);
        g_object_unref(out);
        assert_ok(
            vt_image_resize(&source, 150, 150, VT_FIT_SQUASH, pairs[i].ours, NULL, &got, error));
        double difference = picture_mean_difference(&got, &expected);
        if (difference > 0.6)
            fail_msg("%s differs from libvips by %.3f", vt_kernel_name(pairs[i].ours), difference);
        vt_image_deinit(&got);
    }
    vt_image_deinit(&expected);
    vt_image_deinit(&source);
}

static void refuses_impossible_sizes(void **state)
{
    (void)state;
    vt_image source = picture_noise(4, 4, 1), empty = {0}, got = {.width = 3};
    vt_error error = {0};
    assert_int_equal(
        vt_image_resize(&source, 0, 5, VT_FIT_SQUASH, VT_KERNEL_AREA, NULL, &got, &error),
        VT_ERR_USAGE);
    assert_int_equal(
        vt_image_resize(&source, 5, -1, VT_FIT_SQUASH, VT_KERNEL_AREA, NULL, &got, &error),
        VT_ERR_USAGE);
    assert_int_equal(
        vt_image_resize(&empty, 5, 5, VT_FIT_SQUASH, VT_KERNEL_AREA, NULL, &got, &error),
        VT_ERR_USAGE);
    assert_int_equal(got.width, 3);
    vt_image_deinit(&source);
}

static void every_allocation_may_fail(void **state)
{
    (void)state;
    vt_image source = picture_noise(40, 40, 1);
    for (int allowed = 0;; allowed++) {
        vt_image got = {0};
        vt_error error = {0};
        vt_mem_fail_after(allowed);
        vt_status status =
            vt_image_resize(&source, 9, 9, VT_FIT_COVER, VT_KERNEL_LANCZOS, NULL, &got, &error);
        vt_mem_fail_after(-1);
        if (status == VT_OK) {
            assert_true(allowed >= 5);
            vt_image_deinit(&got);
            break;
        }
        assert_int_equal(status, VT_ERR_NO_MEMORY);
        assert_null(got.rgb);
        assert_true(allowed < 20);
    }
    vt_image_deinit(&source);
}

static void names_go_both_ways(void **state)
{
    (void)state;
    vt_kernel kernel = VT_KERNEL_AREA;
    vt_fit fit = VT_FIT_SQUASH;
    for (size_t k = 0; k < 4; k++) {
        assert_true(vt_kernel_from_name(vt_kernel_name(kernels[k]), &kernel));
        assert_int_equal(kernel, kernels[k]);
    }
    for (int f = VT_FIT_SQUASH; f <= VT_FIT_CONTAIN; f++) {
        assert_true(vt_fit_from_name(vt_fit_name((vt_fit)f), &fit));
        assert_int_equal(fit, f);
    }
    assert_false(vt_kernel_from_name("cubic", &kernel));
    assert_int_equal(kernel, VT_KERNEL_LANCZOS);
    assert_false(vt_fit_from_name(NULL, &fit));
    assert_int_equal(fit, VT_FIT_CONTAIN);
}

static int setup(void **state)
{
    (void)state;
    return VIPS_INIT("test");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(squash_is_the_definition),     cmocka_unit_test(cover_shows_the_middle),
        cmocka_unit_test(contain_fills_the_rest),       cmocka_unit_test(same_size_changes_nothing),
        cmocka_unit_test(one_colour_stays_that_colour), cmocka_unit_test(agrees_with_libvips),
        cmocka_unit_test(refuses_impossible_sizes),     cmocka_unit_test(every_allocation_may_fail),
        cmocka_unit_test(names_go_both_ways),
    };
    return cmocka_run_group_tests(tests, setup, NULL);
}
