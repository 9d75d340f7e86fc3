/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Static post-training quantisation of an encoder.
 *
 * Method: calibrate; quantise everything that can be; measure against f32. While the loss is over
 * the bound: every node's own harm is measured once (1 - mean cosine of the vectors when it alone
 * is quantised, which costs one pass in nearly f32 speed), and nodes are left in floats in the
 * order of harm. How many is found by doubling and then halving the interval, since each
 * measurement costs a pass over all pictures. Source: the sensitivity analysis of Wu et al.,
 * "Integer quantization for deep learning inference" (2020), section 5.1. Departure: there each
 * step is measured.
 */
#include "shop/quantize.h"

#include "base/clock.h"
#include "base/file.h"
#include "encoder/calibrate.h"

#include <math.h>
#include <string.h>

enum { HARM_PICTURES = 24, FILE_BYTES = 1 << 30 };

typedef struct report_block {
    vt_onnx_quantize_report report; /* first */
    vt_arena arena;
} report_block;

typedef struct quantization {
    const vt_onnx_quantize_options *options;
    vt_onnx_quantize_report *report;
    vt_quantize_set set;
    vt_encoder *encoder; /* f32 */
    vt_calibration *calibration;
    size_t dim;
    float *baseline, *vectors; /* (set.measure.count, dim) */
    vt_quantize_quality before, after;
    size_t *order; /* (node count) measurable nodes, worst first */
    double *harm;  /* (node count) */
    size_t order_count;
    size_t without; /* how many of them `after` was measured without */
} quantization;

vt_onnx_quantize_options vt_onnx_quantize_options_defaults(void)
{
    return (vt_onnx_quantize_options){.method = VT_ONNX_PERCENTILE,
                                      .percentile = 99.99,
                                      .pictures = 256,
                                      .maximum_drop = 0.01,
                                      .minimum_cosine = 0.99};
}

void vt_onnx_quantize_report_free(vt_onnx_quantize_report *report)
{
    if (report == NULL)
        return;
    report_block *block = (report_block *)report;
    vt_arena_deinit(&block->arena);
    vt_free(block);
}

static vt_status check_options(const vt_onnx_quantize_options *options, vt_error *error)
{
    enum { MAXIMUM_PICTURES = 100000 };
    if (options->pictures < 1 || options->pictures > MAXIMUM_PICTURES)
        return vt_fail(error, VT_ERR_USAGE, "quantise with %zu pictures: 1 to %d are possible",
                       options->pictures, MAXIMUM_PICTURES);
    if (!(options->maximum_drop >= 0 && options->maximum_drop <= 1) ||
        !(options->minimum_cosine >= 0 && options->minimum_cosine <= 1))
        return vt_fail(error, VT_ERR_USAGE,
                       "quantise: the bounds of recall and cosine go from 0 to 1");
    return VT_OK;
}

/* ---- phases ---- */

static void phase(const quantization *work, const char *name, const char *unit)
{
    if (work->options->on_phase != NULL)
        work->options->on_phase(work->options->context, name, unit);
}

static vt_status progress(const quantization *work, size_t done, size_t total, vt_error *error)
{
    return work->options->on_progress != NULL &&
                   !work->options->on_progress(work->options->context, done, total)
               ? vt_fail(error, VT_ERR_CANCELLED, "quantise: stopped")
               : VT_OK;
}

static vt_status calibrate(quantization *work, vt_error *error)
{
    vt_quantize_set *set = &work->set;
    vt_calibration_options options = vt_calibration_options_defaults();
    options.percentile = work->options->percentile;
    options.method = work->options->method == VT_ONNX_ENTROPY   ? VT_CALIBRATION_ENTROPY
                     : work->options->method == VT_ONNX_MAXIMUM ? VT_CALIBRATION_MAXIMUM
                                                                : VT_CALIBRATION_PERCENTILE;
    vt_status status = VT_OK;
    phase(work, "calibrate", "pictures");
    for (size_t i = 0; i < set->calibrate.count && status == VT_OK; i++) {
        vt_image image = {0};
        vt_error reason = {0};
        vt_status loaded =
            vt_quantize_picture_load(set, &set->calibrate.items[i], work->encoder, &image, &reason);
        if (loaded == VT_ERR_NO_MEMORY)
            status = vt_fail(error, loaded, "%s", reason.message);
        else if (loaded != VT_OK)
            vt_quantize_set_note(set, &reason);
        if (loaded == VT_OK) {
            status = vt_calibration_add(work->calibration, &image, error);
            work->report->calibrated++;
        }
        vt_image_deinit(&image);
        if (status == VT_OK)
            status = progress(work, i + 1, set->calibrate.count, error);
    }
    if (status == VT_OK && work->report->calibrated == 0)
        return vt_fail(error, VT_ERR_FORMAT,
                       "calibrate with \"%.200s\": none of its pictures can be used, the first: %s",
                       work->options->calibrate, set->failure.message);
    return status == VT_OK ? vt_calibration_finish(work->calibration, &options, error) : status;
}

/* The f32 vectors of all pictures to measure with; those that fail are left out from here on. */
static vt_status measure_before(quantization *work, vt_error *error)
{
    vt_quantize_set *set = &work->set;
    work->dim = vt_encoder_info_of(work->encoder).dim;
    size_t row = work->dim * sizeof(float);
    work->baseline = vt_calloc(set->measure.count, row);
    work->vectors = vt_calloc(set->measure.count, row);
    bool *failed = vt_calloc(set->measure.count, sizeof(*failed));
    vt_quantize_embedding embedding = {.encoder = work->encoder,
                                       .phase = "f32",
                                       .count = set->measure.count,
                                       .vectors = work->baseline,
                                       .failed = failed};
    vt_status status = work->baseline == NULL || work->vectors == NULL || failed == NULL
                           ? vt_fail_memory(error, "the vectors")
                           : vt_quantize_set_embed(set, &embedding, error);
    if (status == VT_OK) {
        vt_quantize_set_drop(set, failed, work->baseline, work->dim);
        status =
            set->measure.count == 0
                ? vt_fail(error, VT_ERR_FORMAT,
                          "quantise with \"%.200s\": none of its pictures has a vector: %.200s",
                          work->options->calibrate, set->failure.message)
                : vt_quantize_measure(set, work->baseline, work->baseline, work->dim, &work->before,
                                      error);
    }
    vt_free(failed);
    return status;
}

/* Vectors of the first `count` pictures with these nodes quantised. */
static vt_status embed_quantized(quantization *work, size_t only, size_t count, const char *name,
                                 vt_error *error)
{
    vt_encoder *quantized = NULL;
    vt_status status = vt_calibration_encoder(work->calibration, only, &quantized, error);
    vt_quantize_embedding embedding = {
        .encoder = quantized, .phase = name, .count = count, .vectors = work->vectors};
    if (status == VT_OK)
        status = vt_quantize_set_embed(&work->set, &embedding, error);
    vt_encoder_free(quantized);
    return status;
}

static vt_status measure_after(quantization *work, vt_error *error)
{
    vt_status status =
        embed_quantized(work, VT_QUANTIZER_ALL, work->set.measure.count, "quantised", error);
    return status == VT_OK ? vt_quantize_measure(&work->set, work->vectors, work->baseline,
                                                 work->dim, &work->after, error)
                           : status;
}

static bool is_within(const quantization *work)
{
    if (work->set.query_count == 0)
        return work->after.cosine >= work->options->minimum_cosine;
    /* Shares of queries are no exact numbers: a drop of just the bound is within it. */
    const double tolerance = 1e-9;
    double bound = work->options->maximum_drop + tolerance;
    return work->before.recall[0] - work->after.recall[0] <= bound &&
           work->before.recall[1] - work->after.recall[1] <= bound;
}

/* ---- nodes that hurt ---- */

/* Inserts a node into the order; nodes that come first in the network win ties. */
static void order_insert(quantization *work, size_t node)
{
    size_t at = work->order_count++;
    for (; at > 0 && work->harm[work->order[at - 1]] < work->harm[node]; at--)
        work->order[at] = work->order[at - 1];
    work->order[at] = node;
}

static vt_status measure_harm(quantization *work, vt_error *error)
{
    size_t nodes = vt_calibration_node_count(work->calibration);
    size_t count =
        work->set.measure.count < HARM_PICTURES ? work->set.measure.count : HARM_PICTURES;
    vt_status status = VT_OK;
    phase(work, "sensitivity", "nodes");
    for (size_t n = 0; n < nodes && status == VT_OK; n++) {
        if (!vt_calibration_node_of(work->calibration, n).measurable)
            continue;
        status = embed_quantized(work, n, count, NULL, error);
        if (status != VT_OK)
            break;
        work->harm[n] = 1 - vt_quantize_cosine(work->vectors, work->baseline, count, work->dim);
        order_insert(work, n);
        status = progress(work, n + 1, nodes, error);
    }
    return status;
}

/* Leaves the `count` worst nodes in floats, measures, and says whether that is enough. */
static vt_status try_without(quantization *work, size_t count, bool *enough, vt_error *error)
{
    for (size_t i = 0; i < work->order_count; i++)
        vt_calibration_exclude(work->calibration, work->order[i], i < count);
    vt_status status = measure_after(work, error);
    *enough = status == VT_OK && is_within(work);
    work->without = count;
    return status;
}

/* Too few are `low`, enough are `high`. */
static vt_status leave_out(quantization *work, vt_error *error)
{
    size_t low = 0, high = 1;
    bool enough = false;
    vt_status status = measure_harm(work, error);
    while (status == VT_OK && high < work->order_count) {
        status = try_without(work, high, &enough, error);
        if (status != VT_OK || enough)
            break;
        low = high;
        high *= 2;
    }
    if (status == VT_OK && !enough)
        high = work->order_count; /* everything: f32 itself */
    while (status == VT_OK && high - low > 1) {
        size_t middle = low + (high - low) / 2;
        status = try_without(work, middle, &enough, error);
        *(enough ? &high : &low) = middle;
    }
    if (status == VT_OK && high == work->order_count)
        return vt_fail(
            error, VT_ERR_MISMATCH,
            "quantise \"%.200s\": the bound holds only when all of its %zu nodes stay in "
            "floats; allow more loss, or calibrate with other pictures or another method",
            vt_encoder_info_of(work->encoder).name, work->order_count);
    return status == VT_OK && work->without != high ? try_without(work, high, &enough, error)
                                                    : status;
}

/* ---- the report ---- */

static vt_status fill_nodes(quantization *work, vt_error *error)
{
    vt_onnx_quantize_report *report = work->report;
    vt_arena *arena = &((report_block *)report)->arena;
    size_t count = vt_calibration_node_count(work->calibration);
    report->nodes = vt_arena_array(arena, count, sizeof(*report->nodes));
    if (report->nodes == NULL)
        return vt_fail_memory(error, "the report");
    for (size_t i = 0; i < count; i++) {
        vt_quantizer_node node = vt_calibration_node_of(work->calibration, i);
        struct vt_onnx_quantize_node *out = &report->nodes[i];
        *out = (struct vt_onnx_quantize_node){.op_type = vt_arena_strdup(arena, node.op),
                                              .name = vt_arena_strdup(arena, node.name),
                                              .output = vt_arena_strdup(arena, node.output),
                                              .input = vt_arena_strdup(arena, node.input),
                                              .threshold = (double)node.threshold,
                                              .scale = (double)node.scale,
                                              .is_unsigned = node.is_unsigned,
                                              .harm = work->harm[i],
                                              .excluded = node.excluded,
                                              .quantized = node.quantized};
        if (out->op_type == NULL || out->name == NULL || out->output == NULL || out->input == NULL)
            return vt_fail_memory(error, "the report");
    }
    report->node_count = count;
    return VT_OK;
}

static vt_status fill_report(quantization *work, vt_error *error)
{
    vt_onnx_quantize_report *report = work->report;
    report->measured = work->set.measure.count;
    report->failed = work->set.failed;
    report->thumbnails = work->set.shop != NULL;
    report->queries = work->set.query_count;
    report->gallery = work->set.query_count > 0 ? report->measured - report->queries : 0;
    memcpy(report->recall_before, work->before.recall, sizeof(report->recall_before));
    memcpy(report->recall_after, work->after.recall, sizeof(report->recall_after));
    report->cosine = work->after.cosine;
    return fill_nodes(work, error);
}

/* ---- all of it ---- */

static vt_status open_all(quantization *work, const char *path, vt_error *error)
{
    vt_encoder_options options = vt_encoder_options_defaults();
    options.preset = work->options->preset;
    options.output = work->options->output;
    options.precision = VT_PRECISION_F32;
    vt_status status = vt_encoder_open(path, &options, &work->encoder, error);
    if (status == VT_OK)
        status = vt_calibration_new(work->encoder, &work->calibration, error);
    if (status == VT_OK)
        status = vt_quantize_set_open(&work->set, work->options, error);
    if (status != VT_OK)
        return status;
    size_t nodes = vt_calibration_node_count(work->calibration);
    work->order = vt_calloc(nodes, sizeof(*work->order));
    work->harm = vt_calloc(nodes, sizeof(*work->harm));
    if (work->order == NULL || work->harm == NULL)
        return vt_fail_memory(error, "the nodes");
    for (size_t i = 0; i < nodes; i++)
        work->harm[i] = NAN;
    return VT_OK;
}

static vt_status write_file(quantization *work, const char *path, const char *out, vt_error *error)
{
    vt_buf file;
    vt_mapping before = {0};
    vt_buf_init(&file, FILE_BYTES);
    phase(work, "write", "files");
    vt_status status = vt_calibration_write(work->calibration, &file, error);
    if (status == VT_OK && vt_mapping_open(path, FILE_BYTES, &before, NULL) == VT_OK)
        work->report->bytes_before = before.length;
    vt_mapping_close(&before);
    if (status == VT_OK)
        status = vt_file_replace(out, file.data, file.length, true, error);
    work->report->bytes_after = file.length;
    vt_buf_deinit(&file);
    return status;
}

/* Before minutes of work, not after them. */
static vt_status check_place(const char *out, vt_error *error)
{
    size_t length = (size_t)(vt_path_base(out) - out);
    char *directory = length == 0 ? vt_strdup(".") : vt_strndup(out, length);
    if (directory == NULL)
        return vt_fail_memory(error, "a path");
    bool there = vt_dir_exists(directory);
    vt_free(directory);
    return there ? VT_OK
                 : vt_fail(error, VT_ERR_NOT_FOUND,
                           "write \"%.300s\": the folder it is to lie in does not exist", out);
}

static vt_status quantize(quantization *work, const char *path, const char *out, vt_error *error)
{
    vt_status status = check_options(work->options, error);
    if (status == VT_OK)
        status = check_place(out, error);
    if (status == VT_OK)
        status = open_all(work, path, error);
    if (status == VT_OK)
        status = calibrate(work, error);
    if (status == VT_OK)
        status = measure_before(work, error);
    if (status == VT_OK)
        status = measure_after(work, error);
    if (status == VT_OK && !is_within(work))
        status = leave_out(work, error);
    if (status == VT_OK)
        status = fill_report(work, error);
    return status == VT_OK ? write_file(work, path, out, error) : status;
}

vt_status vt_onnx_quantize(const char *path, const char *out,
                           const vt_onnx_quantize_options *options,
                           vt_onnx_quantize_report **report, vt_error *error)
{
    report_block *block = vt_calloc(1, sizeof(*block));
    if (block == NULL)
        return vt_fail_memory(error, "the report");
    quantization work = {.options = options, .report = &block->report};
    double started = vt_clock_ms();
    vt_arena_init(&block->arena, FILE_BYTES);
    vt_status status = quantize(&work, path, out, error);
    block->report.took_s = (vt_clock_ms() - started) / 1000.0;
    vt_quantize_set_close(&work.set);
    vt_calibration_free(work.calibration);
    vt_encoder_free(work.encoder);
    vt_free(work.baseline);
    vt_free(work.vectors);
    vt_free(work.order);
    vt_free(work.harm);
    if (status != VT_OK || report == NULL)
        vt_onnx_quantize_report_free(&block->report);
    else
        *report = &block->report;
    return status;
}
