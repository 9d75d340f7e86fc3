/* SPDX-License-Identifier: Apache-2.0 */
/* Calibration: thresholds from pictures, quantised encoders, their files. */
#include "models.h"

#include "encoder/calibrate.h"

#include <math.h>

enum { PICTURES = 4 };

static void add_picture(vt_calibration *calibration, int index)
{
    vt_image image = {0};
    vt_error error = {0};
    assert_int_equal(goods_draw(index, 0, &image, &error), VT_OK);
    if (vt_calibration_add(calibration, &image, &error) != VT_OK)
        fail_msg("%s", error.message);
    vt_image_deinit(&image);
}

/* step 1 or -1: the same pictures in either order. */
static vt_calibration *calibrated(const vt_encoder *encoder, int step,
                                  const vt_calibration_options *options)
{
    vt_error error = {0};
    vt_calibration *calibration = NULL;
    if (vt_calibration_new(encoder, &calibration, &error) != VT_OK)
        fail_msg("%s", error.message);
    for (int i = 0; i < PICTURES; i++)
        add_picture(calibration, step > 0 ? i : PICTURES - 1 - i);
    if (vt_calibration_finish(calibration, options, &error) != VT_OK)
        fail_msg("%s", error.message);
    return calibration;
}

static vt_encoder *open_tiny(scratch *s)
{
    tiny_options options = tiny_defaults();
    model_save_tiny(s, "tiny.onnx", &options);
    return model_open(s, "tiny.onnx", "imagenet", NULL);
}

static void the_order_of_pictures_does_not_matter(void **state)
{
    vt_encoder *encoder = open_tiny(*state);
    for (int method = VT_CALIBRATION_PERCENTILE; method <= VT_CALIBRATION_MAXIMUM; method++) {
        vt_calibration_options options = vt_calibration_options_defaults();
        options.method = (vt_calibration_method)method;
        vt_calibration *a = calibrated(encoder, 1, &options);
        vt_calibration *b = calibrated(encoder, -1, &options);
        assert_int_equal(vt_calibration_node_count(a), 4); /* Conv, average, Flatten, Gemm */
        for (size_t i = 0; i < vt_calibration_node_count(a); i++) {
            vt_quantizer_node one = vt_calibration_node_of(a, i);
            vt_quantizer_node other = vt_calibration_node_of(b, i);
            assert_true(one.threshold > 0 && one.threshold == other.threshold);
            assert_string_equal(one.input, other.input);
            assert_float_equal(one.scale, one.threshold / (one.is_unsigned ? 255 : 127), 1e-6);
            assert_int_equal(one.is_unsigned, i > 0); /* behind Relu */
        }
        vt_calibration_free(a);
        vt_calibration_free(b);
    }
    vt_encoder_free(encoder);
}

static void a_lower_percentile_keeps_less(void **state)
{
    vt_encoder *encoder = open_tiny(*state);
    double before = INFINITY;
    const double percentiles[] = {100, 99, 60};
    for (size_t i = 0; i < sizeof(percentiles) / sizeof(percentiles[0]); i++) {
        vt_calibration_options options = vt_calibration_options_defaults();
        options.percentile = percentiles[i];
        vt_calibration *calibration = calibrated(encoder, 1, &options);
        double threshold = (double)vt_calibration_node_of(calibration, 1).threshold;
        assert_true(threshold < before);
        before = threshold;
        vt_calibration_free(calibration);
    }
    vt_encoder_free(encoder);
}

static void vectors_stay_close(void **state)
{
    vt_encoder *encoder = open_tiny(*state), *quantized = NULL;
    vt_calibration_options options = vt_calibration_options_defaults();
    vt_calibration *calibration = calibrated(encoder, 1, &options);
    float want[TINY_FEATURES], have[TINY_FEATURES];
    model_embed(encoder, PICTURES, want);
    const size_t only[] = {VT_QUANTIZER_ALL, 0, 1};
    for (size_t i = 0; i < sizeof(only) / sizeof(only[0]); i++) {
        assert_int_equal(vt_calibration_encoder(calibration, only[i], &quantized, NULL), VT_OK);
        model_embed(quantized, PICTURES, have);
        assert_true(model_cosine(want, have, TINY_FEATURES) > 0.99f);
        assert_memory_not_equal(want, have, sizeof(want));
        vt_encoder_free(quantized);
    }
    vt_calibration_free(calibration);
    vt_encoder_free(encoder);
}

static void nodes_can_be_left_out(void **state)
{
    vt_encoder *encoder = open_tiny(*state);
    vt_calibration_options options = vt_calibration_options_defaults();
    vt_calibration *calibration = calibrated(encoder, 1, &options);
    vt_calibration_exclude(calibration, 0, true);
    assert_true(vt_calibration_node_of(calibration, 0).excluded);
    assert_false(vt_calibration_node_of(calibration, 0).quantized);
    /* What came from the convolution in 8 bits does not any more; the product stays. */
    assert_false(vt_calibration_node_of(calibration, 1).quantized);
    assert_true(vt_calibration_node_of(calibration, 3).quantized);
    vt_calibration_exclude(calibration, 0, false);
    for (size_t i = 0; i < 4; i++)
        assert_true(vt_calibration_node_of(calibration, i).quantized);
    vt_calibration_free(calibration);
    vt_encoder_free(encoder);
}

/* The file needs no preset, holds to its golden picture and cannot be quantised again. */
static void the_file_is_an_encoder(void **state)
{
    scratch *s = *state;
    vt_encoder *encoder = open_tiny(s);
    vt_calibration_options options = vt_calibration_options_defaults();
    vt_calibration *calibration = calibrated(encoder, 1, &options), *again = NULL;
    vt_buf file;
    vt_error error = {0};
    vt_buf_init(&file, 1 << 24);
    assert_int_equal(vt_calibration_write(calibration, &file, &error), VT_OK);
    model_save(s, "small.onnx", &file);
    vt_encoder *small = model_open(s, "small.onnx", NULL, NULL);
    vt_encoder_info info = vt_encoder_info_of(small);
    assert_true(info.golden_checked);
    assert_int_equal(info.dim, TINY_FEATURES);
    assert_string_equal(info.contract->output, vt_encoder_info_of(encoder).contract->output);
    float want[TINY_FEATURES], have[TINY_FEATURES];
    model_embed(encoder, 0, want);
    model_embed(small, 0, have);
    assert_true(model_cosine(want, have, TINY_FEATURES) > 0.99f);
    assert_int_equal(vt_calibration_new(small, &again, &error), VT_ERR_USAGE);
    assert_non_null(strstr(error.message, "quantised already"));
    vt_encoder_free(small);
    vt_calibration_free(calibration);
    vt_encoder_free(encoder);
}

static void what_cannot_be_done_is_said(void **state)
{
    vt_encoder *encoder = open_tiny(*state), *classic = NULL;
    vt_calibration *calibration = NULL;
    vt_error error = {0};
    vt_encoder_options defaults = vt_encoder_options_defaults();
    assert_int_equal(vt_encoder_open("classic", &defaults, &classic, NULL), VT_OK);
    assert_int_equal(vt_calibration_new(classic, &calibration, &error), VT_ERR_USAGE);
    vt_encoder_free(classic);
    assert_int_equal(vt_calibration_new(encoder, &calibration, &error), VT_OK);
    vt_calibration_options options = vt_calibration_options_defaults();
    assert_int_equal(vt_calibration_finish(calibration, &options, &error), VT_ERR_USAGE);
    assert_non_null(strstr(error.message, "no picture"));
    add_picture(calibration, 0);
    options.percentile = NAN;
    assert_int_equal(vt_calibration_finish(calibration, &options, &error), VT_ERR_USAGE);
    vt_calibration_free(calibration);
    vt_encoder_free(encoder);
}

static vt_status make(void *context)
{
    vt_calibration *calibration = NULL;
    vt_status status = vt_calibration_new(context, &calibration, NULL);
    vt_calibration_free(calibration);
    return status;
}

static vt_status build(void *context)
{
    vt_encoder *quantized = NULL;
    vt_status status = vt_calibration_encoder(context, 0, &quantized, NULL);
    if (status == VT_OK) {
        vt_encoder_free(quantized);
        status = vt_calibration_encoder(context, VT_QUANTIZER_ALL, &quantized, NULL);
    }
    if (status == VT_OK)
        vt_encoder_free(quantized);
    return status;
}

static void running_out_of_memory_is_an_error(void **state)
{
    vt_encoder *encoder = open_tiny(*state);
    vt_calibration_options options = vt_calibration_options_defaults();
    assert_true(each_allocation_failing(make, encoder) > 20);
    vt_calibration *calibration = calibrated(encoder, 1, &options);
    assert_true(each_allocation_failing(build, calibration) > 20);
    vt_calibration_free(calibration);
    vt_encoder_free(encoder);
}

int main(void)
{
#define IN_SCRATCH(test) cmocka_unit_test_setup_teardown(test, scratch_setup, scratch_teardown)
    const struct CMUnitTest tests[] = {
        IN_SCRATCH(the_order_of_pictures_does_not_matter),
        IN_SCRATCH(a_lower_percentile_keeps_less),
        IN_SCRATCH(vectors_stay_close),
        IN_SCRATCH(nodes_can_be_left_out),
        IN_SCRATCH(the_file_is_an_encoder),
        IN_SCRATCH(what_cannot_be_done_is_said),
        IN_SCRATCH(running_out_of_memory_is_an_error),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
