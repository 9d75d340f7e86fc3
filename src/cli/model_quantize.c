/* SPDX-License-Identifier: Apache-2.0 */
/* vitrine model quantize */
#include "cli/cli.h"

#include <inttypes.h>
#include <string.h>

enum { NODE_WIDTH = 40, PHASE_BYTES = 48 };

typedef struct quantize_view {
    vt_progress_bar bar;
    char title[PHASE_BYTES];
    bool open;
} quantize_view;

static void on_phase(void *context, const char *phase, const char *unit)
{
    quantize_view *view = context;
    if (view->open)
        vt_progress_bar_finish(&view->bar);
    snprintf(view->title, sizeof(view->title), "quantize: %s", phase);
    vt_progress_bar_init(&view->bar, stderr, view->title, unit);
    view->open = true;
}

static bool on_progress(void *context, uint64_t done, uint64_t total)
{
    quantize_view *view = context;
    return vt_cli_on_progress(&view->bar, done, total);
}

/* ---- reports ---- */

static void put_recall(vt_json_writer *writer, const char *key, const double recall[2])
{
    vt_json_open_object(writer, key);
    vt_json_put_number(writer, "1", recall[0], -1);
    vt_json_put_number(writer, "5", recall[1], -1);
    vt_json_close(writer);
}

static void put_node(vt_json_writer *writer, const struct vt_onnx_quantize_node *node)
{
    vt_json_open_object(writer, NULL);
    vt_json_put_text(writer, "op", node->op_type);
    vt_json_put_text(writer, "name", node->name);
    vt_json_put_text(writer, "output", node->output);
    vt_json_put_text(writer, "input", node->input);
    vt_json_put_text(writer, "type", node->is_unsigned ? "u8" : "i8");
    vt_json_put_number(writer, "low", node->is_unsigned ? 0 : -node->threshold, -1);
    vt_json_put_number(writer, "high", node->threshold, -1);
    vt_json_put_number(writer, "scale", node->scale, -1);
    vt_json_put_number(writer, "harm", node->harm, -1);
    vt_json_put_bool(writer, "excluded", node->excluded);
    vt_json_put_bool(writer, "quantized", node->quantized);
    vt_json_close(writer);
}

static int report_json(const char *out, const vt_onnx_quantize_report *report)
{
    vt_buf document;
    vt_json_writer writer;
    vt_cli_begin_json(&writer, &document);
    vt_json_put_text(&writer, "file", out);
    vt_json_put_int(&writer, "bytes_before", (int64_t)report->bytes_before);
    vt_json_put_int(&writer, "bytes_after", (int64_t)report->bytes_after);
    vt_json_put_int(&writer, "calibrated", (int64_t)report->calibrated);
    vt_json_put_int(&writer, "measured", (int64_t)report->measured);
    vt_json_put_int(&writer, "failed", (int64_t)report->failed);
    vt_json_put_bool(&writer, "thumbnails", report->thumbnails);
    vt_json_put_int(&writer, "queries", (int64_t)report->queries);
    vt_json_put_int(&writer, "gallery", (int64_t)report->gallery);
    if (report->queries > 0) {
        put_recall(&writer, "recall_before", report->recall_before);
        put_recall(&writer, "recall_after", report->recall_after);
    }
    vt_json_put_number(&writer, "cosine", report->cosine, -1);
    vt_json_put_number(&writer, "took_s", report->took_s, 3);
    vt_json_open_array(&writer, "nodes");
    for (size_t i = 0; i < report->node_count; i++)
        put_node(&writer, &report->nodes[i]);
    vt_json_close(&writer);
    vt_json_close(&writer);
    return vt_cli_print_json("model quantize", &document);
}

static void print_nodes(const vt_onnx_quantize_report *report)
{
    size_t excluded = 0, quantized = 0;
    for (size_t i = 0; i < report->node_count; i++) {
        excluded += report->nodes[i].excluded;
        quantized += report->nodes[i].quantized;
    }
    printf("\n%zu of %zu nodes are quantised", quantized, report->node_count);
    printf(excluded > 0 ? ", these hurt too much and stay in floats:\n" : "\n");
    for (size_t i = 0; i < report->node_count; i++) {
        const struct vt_onnx_quantize_node *node = &report->nodes[i];
        if (!node->excluded)
            continue;
        printf("  %-18s ", node->op_type);
        vt_cli_print_column(stdout, node->name[0] != '\0' ? node->name : node->output, NODE_WIDTH);
        printf("  1 - cosine %.2e\n", node->harm);
    }
}

static void report_text(const char *out, const vt_onnx_quantize_report *report)
{
    vt_cli_print(stdout, out);
    printf("  calibrated with %zu %s in %.1f s\n\n", report->calibrated,
           report->thumbnails ? "thumbnails" : "pictures", report->took_s);
    if (report->failed > 0)
        printf("%zu pictures could not be used\n\n", report->failed);
    printf("%-24s  %10s  %10s\n", "", "before", "quantised");
    printf("%-24s  %10" PRIu64 "  %10" PRIu64 "\n", "file, bytes", report->bytes_before,
           report->bytes_after);
    if (report->queries > 0) {
        printf("%-24s  %10.3f  %10.3f\n", "recall @1", report->recall_before[0],
               report->recall_after[0]);
        printf("%-24s  %10.3f  %10.3f\n", "recall @5", report->recall_before[1],
               report->recall_after[1]);
    }
    printf("%-24s  %10.4f  %10.4f\n", "mean cosine to f32", 1.0, report->cosine);
    if (report->queries > 0)
        printf("\n%zu queries among %zu pictures\n", report->queries, report->gallery);
    else
        printf("\nvectors of %zu pictures compared\n", report->measured);
    print_nodes(report);
}

/* ---- the command ---- */

static bool parse_method(const char *text, vt_onnx_calibration *out)
{
    static const char *const names[] = {"percentile", "entropy", "max"};
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
        if (strcmp(text, names[i]) == 0) {
            *out = (vt_onnx_calibration)i;
            return true;
        }
    return false;
}

static int run(char *const *paths, vt_onnx_quantize_options *how, bool json)
{
    vt_error error = {0};
    vt_onnx_quantize_report *report = NULL;
    quantize_view view = {0};
    how->on_phase = on_phase;
    how->on_progress = on_progress;
    how->context = &view;
    vt_cli_catch_interrupt();
    vt_status status = vt_onnx_quantize(paths[0], paths[1], how, &report, &error);
    if (view.open)
        vt_progress_bar_finish(&view.bar);
    if (status != VT_OK)
        return vt_cli_fail("model quantize", json, status, &error);
    int code = 0;
    if (json)
        code = report_json(paths[1], report);
    else
        report_text(paths[1], report);
    vt_onnx_quantize_report_free(report);
    return code;
}

int vt_cli_model_quantize(int argc, char **argv)
{
    vt_onnx_quantize_options how = vt_onnx_quantize_options_defaults();
    const char *method = "percentile";
    int64_t pictures = (int64_t)how.pictures;
    bool json = false;
    const vt_cli_option options[] = {
        VT_CLI_TEXT_OPTION("calibrate", "DIR|SHOP", &how.calibrate,
                           "a folder of pictures, or a shop (its thumbnails); needed"),
        VT_CLI_TEXT_OPTION("method", "M", &method,
                           "of choosing thresholds: percentile (default), entropy, max"),
        {"percentile", "P", VT_CLI_NUMBER, &how.percentile,
         "share of magnitudes that is kept (default 99.99)", 1, 100},
        {"pictures", "N", VT_CLI_INT, &pictures,
         "to calibrate with, and as many to measure with (default 256)", 1, 100000},
        VT_CLI_TEXT_OPTION("queries", "CSV", &how.queries,
                           "photos to measure recall with, as for eval (default: products' last "
                           "pictures)"),
        VT_CLI_TEXT_OPTION("images", "DIR", &how.images_dir,
                           "where relative photo paths of the CSV start (default: beside it)"),
        {"max-drop", "D", VT_CLI_NUMBER, &how.maximum_drop,
         "largest drop of recall @1 and @5 (default 0.01)", 0, 1},
        {"min-cosine", "C", VT_CLI_NUMBER, &how.minimum_cosine,
         "without queries: least mean cosine to the f32 vectors (default 0.99)", 0, 1},
        VT_CLI_TEXT_OPTION("preset", "P", &how.preset, "for model files without a pixel contract"),
        VT_CLI_TEXT_OPTION("output", "TENSOR", &how.output, "value that is the embedding"),
        VT_CLI_FLAG_OPTION("json", &json, "print one JSON document, with every node"),
    };
    const vt_cli_usage usage = {
        "model quantize",
        "IN.onnx OUT.onnx --calibrate DIR|SHOP",
        "Writes an image encoder with 8-bit weights and activations as an ordinary ONNX file\n"
        "(QuantizeLinear and DequantizeLinear, which ONNX Runtime runs too). Pictures decide how\n"
        "far activations reach; what is lost is measured, and nodes that hurt most stay in floats\n"
        "until the loss is within the bound. Exit code 11 when it never is.",
        "  vitrine model quantize resnet50.onnx small.onnx --calibrate my.shop --max-drop 0.005",
        2,
        2,
        options,
        sizeof(options) / sizeof(options[0])};
    vt_cli_arguments arguments;
    int code = vt_cli_parse(&usage, argc, argv, &arguments);
    if (code != VT_CLI_GO)
        return code;
    vt_error error = {0};
    how.pictures = (size_t)pictures;
    if (how.calibrate == NULL)
        snprintf(error.message, sizeof(error.message), "--calibrate DIR|SHOP is needed");
    else if (!parse_method(method, &how.method))
        snprintf(error.message, sizeof(error.message),
                 "--method %.40s: percentile, entropy or max is possible", method);
    if (error.message[0] != '\0')
        return vt_cli_fail("model quantize", json, VT_ERR_USAGE, &error);
    return run(arguments.items, &how, json);
}
