/* SPDX-License-Identifier: Apache-2.0 */
/* vitrine model export */
#include "cli/cli.h"

static int report_json(const char *out, const vt_onnx_rewrite_report *report)
{
    vt_buf document;
    vt_json_writer writer;
    vt_cli_begin_json(&writer, &document);
    vt_json_put_text(&writer, "file", out);
    vt_json_put_int(&writer, "bytes", (int64_t)report->file_bytes);
    vt_json_put_int(&writer, "nodes", (int64_t)report->nodes);
    vt_json_put_int(&writer, "parameters", (int64_t)report->parameters);
    vt_json_close(&writer);
    return vt_cli_print_json("model export", &document);
}

int vt_cli_model_export(int argc, char **argv)
{
    bool json = false;
    vt_onnx_rewrite_options how = vt_onnx_rewrite_options_defaults();
    const vt_cli_option options[] = {
        VT_CLI_FLAG_OPTION("mirror", &how.mirror,
                           "see every picture mirrored too: twice the time, better vectors"),
        {"shift", "PX", VT_CLI_INT, &how.shift,
         "see it moved by so many pixels too: three times the time", 0, 1000},
        {"size", "PX", VT_CLI_INT, &how.size,
         "take pictures of this side: a quarter more than in training often makes better vectors",
         1, 4096},
        VT_CLI_FLAG_OPTION("json", &json, "print one JSON document"),
    };
    const vt_cli_usage usage = {
        "model export",
        "IN.onnx OUT.onnx",
        "Writes an ONNX network anew as one file, from what vitrine makes of it: weights from\n"
        "other files are inside, functions are inlined, what vitrine does not know is left out.\n"
        "OUT.onnx is replaced when it is there.",
        "  vitrine model export resnet50.onnx whole.onnx",
        2,
        2,
        options,
        sizeof(options) / sizeof(options[0])};
    vt_cli_arguments arguments;
    int code = vt_cli_parse(&usage, argc, argv, &arguments);
    if (code != VT_CLI_GO)
        return code;
    vt_error error = {0};
    vt_onnx_rewrite_report report;
    vt_status status =
        vt_onnx_rewrite(arguments.items[0], arguments.items[1], &how, &report, &error);
    if (status != VT_OK)
        return vt_cli_fail("model export", json, status, &error);
    if (json)
        return report_json(arguments.items[1], &report);
    vt_cli_print(stdout, arguments.items[1]);
    printf("  %zu nodes, %zu bytes\n", report.nodes, report.file_bytes);
    return 0;
}
