/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Calibration: the network runs in f32 on pictures, histograms of what its quantised nodes will
 * read give the thresholds.
 *
 * One picture at a time, so that all values of interest of one run are in memory and no more.
 * Sources: percentiles as in Wu et al., "Integer quantization for deep learning inference" (2020),
 * section 3.2; entropy as in nn/histogram.h.
 */
#include "encoder/calibrate.h"

#include "base/mem.h"
#include "encoder/network.h"
#include "nn/histogram.h"

#include <math.h>
#include <string.h>

struct vt_calibration {
    const vt_encoder *encoder;
    vt_quantizer *quantizer;
    vt_session *session;
    const char **names;        /* (value_count), borrowed from the quantizer */
    vt_histogram **histograms; /* (value_count) */
    vt_tensor *outputs;        /* (value_count) of one run */
    float *input;              /* (3, height, width) */
    size_t value_count, picture_count;
};

vt_calibration_options vt_calibration_options_defaults(void)
{
    return (vt_calibration_options){.method = VT_CALIBRATION_PERCENTILE, .percentile = 99.99};
}

static vt_shape input_shape(const vt_encoder *encoder)
{
    const vt_pixel_spec *pixels = &encoder->contract.pixels;
    return vt_shape_of(4, (int64_t[]){1, 3, pixels->height, pixels->width});
}

static vt_status allocate(vt_calibration *calibration, vt_error *error)
{
    size_t count = vt_quantizer_value_count(calibration->quantizer), pixels;
    calibration->value_count = count;
    calibration->names = vt_calloc(count, sizeof(*calibration->names));
    calibration->histograms = vt_calloc(count, sizeof(*calibration->histograms));
    calibration->outputs = vt_calloc(count, sizeof(*calibration->outputs));
    vt_shape shape = input_shape(calibration->encoder);
    bool known = vt_shape_count(&shape, &pixels);
    calibration->input = known ? vt_alloc_array(pixels, sizeof(float)) : NULL;
    if (calibration->names == NULL || calibration->histograms == NULL ||
        calibration->outputs == NULL || calibration->input == NULL)
        return vt_fail_memory(error, "a calibration");
    for (size_t i = 0; i < count; i++) {
        calibration->names[i] = vt_quantizer_value(calibration->quantizer, i);
        calibration->histograms[i] = vt_histogram_new();
        if (calibration->histograms[i] == NULL)
            return vt_fail_memory(error, "a calibration");
    }
    return VT_OK;
}

static vt_status open_session(vt_calibration *calibration, vt_error *error)
{
    vt_session_options options = vt_session_options_defaults();
    options.outputs = calibration->names;
    options.output_count = calibration->value_count;
    return vt_session_new(vt_quantizer_prepared(calibration->quantizer), &options,
                          &calibration->session, error);
}

vt_status vt_calibration_new(const vt_encoder *encoder, vt_calibration **out, vt_error *error)
{
    if (encoder->model == NULL)
        return vt_fail(error, VT_ERR_USAGE, "quantise \"%s\": it has no network", encoder->name);
    vt_calibration *calibration = vt_calloc(1, sizeof(*calibration));
    if (calibration == NULL)
        return vt_fail_memory(error, "a calibration");
    const char *kept = encoder->contract.output;
    vt_shape shape = input_shape(encoder);
    calibration->encoder = encoder;
    vt_status status = vt_quantizer_new(encoder->model, &shape, &kept, kept[0] != '\0' ? 1 : 0,
                                        &calibration->quantizer, error);
    if (status == VT_OK)
        status = allocate(calibration, error);
    if (status == VT_OK)
        status = open_session(calibration, error);
    if (status != VT_OK) {
        vt_fail_context(error, status, "quantise \"%s\"", encoder->name);
        vt_calibration_free(calibration);
        return status;
    }
    *out = calibration;
    return VT_OK;
}

void vt_calibration_free(vt_calibration *calibration)
{
    if (calibration == NULL)
        return;
    vt_session_free(calibration->session);
    for (size_t i = 0; i < calibration->value_count && calibration->histograms != NULL; i++)
        vt_histogram_free(calibration->histograms[i]);
    vt_free(calibration->histograms);
    vt_free(calibration->names);
    vt_free(calibration->outputs);
    vt_free(calibration->input);
    vt_quantizer_free(calibration->quantizer);
    vt_free(calibration);
}

vt_status vt_calibration_add(vt_calibration *calibration, const vt_image *image, vt_error *error)
{
    vt_tensor input = {
        .dtype = VT_F32, .shape = input_shape(calibration->encoder), .data = calibration->input};
    input.bytes = vt_tensor_count(&input) * sizeof(float);
    vt_status status = vt_image_to_tensor(image, &calibration->encoder->contract.pixels,
                                          calibration->input, error);
    if (status == VT_OK)
        status = vt_session_run(calibration->session, &input, 1, calibration->outputs, error);
    for (size_t i = 0; i < calibration->value_count && status == VT_OK; i++)
        status = vt_histogram_add(calibration->histograms[i], calibration->outputs[i].data,
                                  vt_tensor_count(&calibration->outputs[i]), error);
    if (status != VT_OK)
        return vt_fail_context(error, status, "calibrate \"%s\"", calibration->encoder->name);
    calibration->picture_count++;
    return VT_OK;
}

static float threshold_of(const vt_histogram *histogram, bool is_unsigned,
                          const vt_calibration_options *options)
{
    switch (options->method) {
    case VT_CALIBRATION_ENTROPY:
        return vt_histogram_entropy(histogram, is_unsigned ? VT_HISTOGRAM_UNSIGNED_LEVELS
                                                           : VT_HISTOGRAM_SIGNED_LEVELS);
    case VT_CALIBRATION_MAXIMUM:
        return vt_histogram_max(histogram);
    case VT_CALIBRATION_PERCENTILE:
        break;
    }
    return vt_histogram_percentile(histogram, options->percentile);
}

vt_status vt_calibration_finish(vt_calibration *calibration, const vt_calibration_options *options,
                                vt_error *error)
{
    const char *name = calibration->encoder->name;
    if (calibration->picture_count == 0)
        return vt_fail(error, VT_ERR_USAGE, "calibrate \"%s\": there is no picture", name);
    if (!(options->percentile > 0 && options->percentile <= 100))
        return vt_fail(error, VT_ERR_USAGE, "calibrate \"%s\": there is no percentile %g", name,
                       options->percentile);
    for (size_t i = 0; i < calibration->value_count; i++) {
        const vt_histogram *histogram = calibration->histograms[i];
        if (vt_histogram_nonfinite(histogram) > 0)
            return vt_fail(error, VT_ERR_MISMATCH,
                           "calibrate \"%s\": value \"%.200s\" is not finite for some picture",
                           name, calibration->names[i]);
        bool is_unsigned = vt_quantizer_value_is_unsigned(calibration->quantizer, i);
        float threshold = threshold_of(histogram, is_unsigned, options);
        /* Of a value that is zero nearly everywhere a percentile says nothing. */
        if (threshold <= 0)
            threshold = vt_histogram_max(histogram);
        vt_quantizer_set_threshold(calibration->quantizer, i, threshold);
    }
    return VT_OK;
}

/* ---- nodes ---- */

size_t vt_calibration_node_count(const vt_calibration *calibration)
{
    return vt_quantizer_node_count(calibration->quantizer);
}

vt_quantizer_node vt_calibration_node_of(const vt_calibration *calibration, size_t index)
{
    return vt_quantizer_node_of(calibration->quantizer, index);
}

void vt_calibration_exclude(vt_calibration *calibration, size_t index, bool excluded)
{
    vt_quantizer_exclude(calibration->quantizer, index, excluded);
}

/* ---- what comes out ---- */

vt_status vt_calibration_encoder(vt_calibration *calibration, size_t only, vt_encoder **out,
                                 vt_error *error)
{
    const vt_encoder *from = calibration->encoder;
    vt_encoder *encoder = vt_calloc(1, sizeof(*encoder));
    if (encoder == NULL)
        return vt_fail_memory(error, "an encoder");
    *encoder = *from;
    encoder->model = NULL;
    encoder->own_contract = encoder->golden_checked = false;
    encoder->verdict = (vt_precision_verdict){.precision = VT_PRECISION_F32, .similarity = NAN};
    /* One node alone is to be seen without what bf16 does to all others. */
    if (only == VT_QUANTIZER_ALL && vt_precision_is_fast(VT_PRECISION_INT8))
        encoder->verdict.precision = VT_PRECISION_INT8;
    encoder->name = vt_strdup(from->name);
    encoder->path = vt_strdup(from->path);
    vt_status status =
        encoder->name == NULL || encoder->path == NULL
            ? vt_fail_memory(error, "an encoder")
            : vt_quantizer_build(calibration->quantizer, only, &encoder->model, error);
    if (status != VT_OK) {
        vt_encoder_free(encoder);
        return vt_fail_context(error, status, "quantise \"%s\"", from->name);
    }
    *out = encoder;
    return VT_OK;
}

vt_status vt_calibration_write(vt_calibration *calibration, vt_buf *file, vt_error *error)
{
    vt_encoder *encoder = NULL;
    vt_buf contract, golden;
    vt_buf_init(&contract, VT_GOLDEN_BYTES);
    vt_buf_init(&golden, VT_GOLDEN_BYTES);
    vt_status status = vt_calibration_encoder(calibration, VT_QUANTIZER_ALL, &encoder, error);
    if (status == VT_OK)
        status = vt_contract_print(&encoder->contract, &contract, error);
    if (status == VT_OK)
        status = vt_golden_print(encoder, VT_EXECUTOR_REFERENCE, &golden, error);
    if (status == VT_OK)
        status = vt_model_write(encoder->model, file, error);
    if (status == VT_OK)
        status = vt_onnx_set_metadata(file, VT_METADATA_CONTRACT, contract.data, error);
    if (status == VT_OK)
        status = vt_onnx_set_metadata(file, VT_METADATA_GOLDEN, golden.data, error);
    vt_encoder_free(encoder);
    vt_buf_deinit(&contract);
    vt_buf_deinit(&golden);
    return status;
}
