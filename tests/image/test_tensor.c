/* SPDX-License-Identifier: Apache-2.0 */
/* Network input against the direct definition: planes, order, normalisation, the three fits. */
#include "image/reference.h"

static vt_pixel_spec spec_make(int width, int height, vt_fit fit, vt_kernel kernel)
{
    return (vt_pixel_spec){.width = width,
                           .height = height,
                           .fit = fit,
                           .kernel = kernel,
                           .crop_ratio = 1.0f,
                           .scale = 1.0f / 255.0f,
                           .mean = {0.485f, 0.456f, 0.406f},
                           .std = {0.229f, 0.224f, 0.225f},
                           .fill_rgb = {10, 200, 30}};
}

static double spec_value(const vt_pixel_spec *spec, int channel, double pixel)
{
    return (pixel * (double)spec->scale - (double)spec->mean[channel]) / (double)spec->std[channel];
}

/* `view` gives the resampled part, left and top where it lies; the rest must be the fill. */
static void check(const vt_image *image, const vt_pixel_spec *spec, const reference_view *view,
                  int left, int top)
{
    size_t plane = (size_t)spec->width * (size_t)spec->height;
    float *tensor = vt_alloc(3 * plane * sizeof *tensor);
    double *expected = reference_resample(image, view);
    assert_ok(vt_image_to_tensor(image, spec, tensor, error));
    for (int y = 0; y < spec->height; y++) {
        for (int x = 0; x < spec->width; x++) {
            int vx = x - left, vy = y - top;
            bool inside = vx >= 0 && vy >= 0 && vx < view->out_width && vy < view->out_height;
            for (int channel = 0; channel < 3; channel++) {
                int colour = spec->order == VT_ORDER_BGR ? 2 - channel : channel;
                double pixel = inside ? expected[(vy * view->out_width + vx) * 3 + colour]
                                      : spec->fill_rgb[colour];
                double got =
                    (double)tensor[(size_t)channel * plane + (size_t)(y * spec->width + x)];
                if (fabs(got - spec_value(spec, channel, pixel)) > 2e-4)
                    fail_msg("at %d,%d channel %d: %f, expected %f", x, y, channel, got,
                             spec_value(spec, channel, pixel));
            }
        }
    }
    vt_free(expected);
    vt_free(tensor);
}

static void every_fit_and_kernel(void **state)
{
    (void)state;
    vt_image wide = picture_noise(60, 40, 6);
    for (int kernel = VT_KERNEL_AREA; kernel <= VT_KERNEL_LANCZOS; kernel++) {
        vt_pixel_spec spec = spec_make(24, 20, VT_FIT_SQUASH, (vt_kernel)kernel);
        reference_view view = {.width = 60,
                               .height = 40,
                               .out_width = 24,
                               .out_height = 20,
                               .kernel = (vt_kernel)kernel};
        check(&wide, &spec, &view, 0, 0);
        spec.order = VT_ORDER_BGR;
        check(&wide, &spec, &view, 0, 0);
        spec.fit = VT_FIT_COVER; /* 40 to 20: 48 of 60 columns */
        view.x = 6;
        view.width = 48;
        check(&wide, &spec, &view, 0, 0);
        spec.crop_ratio = 0.8f; /* 40 to 25, of which 20: 32 of 40 rows */
        view = (reference_view){.x = 10.8,
                                .y = 4,
                                .width = 38.4,
                                .height = 32,
                                .out_width = 24,
                                .out_height = 20,
                                .kernel = (vt_kernel)kernel};
        check(&wide, &spec, &view, 0, 0);
        spec.fit = VT_FIT_CONTAIN; /* 60 to 24: 16 rows, 2 above and below; crop_ratio is not its */
        view = (reference_view){.width = 60,
                                .height = 40,
                                .out_width = 24,
                                .out_height = 16,
                                .kernel = (vt_kernel)kernel};
        check(&wide, &spec, &view, 0, 2);
    }
    vt_image_deinit(&wide);
}

static void enlarges_and_single_pixels(void **state)
{
    (void)state;
    vt_image dot = picture_noise(1, 1, 6), small = picture_noise(5, 7, 7);
    vt_pixel_spec spec = spec_make(32, 32, VT_FIT_SQUASH, VT_KERNEL_BICUBIC);
    reference_view view = {
        .width = 1, .height = 1, .out_width = 32, .out_height = 32, .kernel = VT_KERNEL_BICUBIC};
    check(&dot, &spec, &view, 0, 0);
    view.width = 5;
    view.height = 7;
    check(&small, &spec, &view, 0, 0);
    vt_image_deinit(&dot);
    vt_image_deinit(&small);
}

static void refuses_unusable_contracts(void **state)
{
    (void)state;
    vt_image image = picture_noise(8, 8, 1), empty = {0};
    float tensor[3 * 16];
    vt_pixel_spec good = spec_make(4, 4, VT_FIT_COVER, VT_KERNEL_AREA), spec;
    assert_ok(vt_image_to_tensor(&image, &good, tensor, error));
    assert_int_equal(vt_image_to_tensor(&empty, &good, tensor, NULL), VT_ERR_USAGE);
    for (int wrong = 0; wrong < 7; wrong++) {
        vt_error error = {0};
        spec = good;
        if (wrong == 0)
            spec.width = 0;
        else if (wrong == 1)
            spec.height = -4;
        else if (wrong == 2)
            spec.crop_ratio = 0.0f;
        else if (wrong == 3)
            spec.crop_ratio = NAN;
        else if (wrong == 4)
            spec.std[1] = 0.0f;
        else if (wrong == 5)
            spec.scale = INFINITY;
        else
            spec.mean[2] = NAN;
        assert_int_equal(vt_image_to_tensor(&image, &spec, tensor, &error), VT_ERR_USAGE);
        assert_true(error.message[0] != '\0');
    }
    vt_image_deinit(&image);
}

static void fit_size_follows_the_contract(void **state)
{
    (void)state;
    int width, height;
    vt_pixel_spec spec = spec_make(224, 112, VT_FIT_COVER, VT_KERNEL_AREA);
    vt_pixel_spec_fit(&spec, &width, &height);
    assert_int_equal(width, 224);
    assert_int_equal(height, 112);
    spec.crop_ratio = 0.875f;
    vt_pixel_spec_fit(&spec, &width, &height);
    assert_int_equal(width, 256);
    assert_int_equal(height, 128);
    spec.fit = VT_FIT_SQUASH;
    vt_pixel_spec_fit(&spec, &width, &height);
    assert_int_equal(width, 224);
}

static void every_allocation_may_fail(void **state)
{
    (void)state;
    vt_image image = picture_noise(30, 30, 1);
    float tensor[3 * 64];
    vt_pixel_spec spec = spec_make(8, 8, VT_FIT_COVER, VT_KERNEL_BICUBIC);
    int allowed = 0;
    for (;; allowed++) {
        vt_mem_fail_after(allowed);
        vt_status status = vt_image_to_tensor(&image, &spec, tensor, NULL);
        vt_mem_fail_after(-1);
        if (status == VT_OK)
            break;
        assert_int_equal(status, VT_ERR_NO_MEMORY);
        assert_true(allowed < 20);
    }
    assert_true(allowed >= 4);
    vt_image_deinit(&image);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_fit_and_kernel),
        cmocka_unit_test(enlarges_and_single_pixels),
        cmocka_unit_test(refuses_unusable_contracts),
        cmocka_unit_test(fit_size_follows_the_contract),
        cmocka_unit_test(every_allocation_may_fail),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
