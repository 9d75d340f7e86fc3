/* SPDX-License-Identifier: Apache-2.0 */
/* vitrine model test */
#include "cli/cli.h"

typedef struct test_report {
    bool json;
    vt_json_writer writer;
} test_report;

static const char *verdict(vt_status status)
{
    if (status == VT_OK)
        return "passed";
    return status == VT_ERR_UNSUPPORTED ? "unsupported" : "failed";
}

static void on_case(void *context, const vt_onnx_case *one)
{
    test_report *report = context;
    if (!report->json) {
        printf("%-11s ", verdict(one->status));
        vt_cli_print(stdout, one->name);
        printf("%s", one->reason[0] != '\0' ? ": " : "");
        vt_cli_print(stdout, one->reason);
        putchar('\n');
        return;
    }
    vt_json_open_object(&report->writer, NULL);
    vt_json_put_text(&report->writer, "case", one->name);
    vt_json_put_text(&report->writer, "verdict", verdict(one->status));
    if (one->reason[0] != '\0')
        vt_json_put_text(&report->writer, "reason", one->reason);
    vt_json_close(&report->writer);
}

static vt_status run_all(char **directories, int count, const vt_onnx_test_options *how,
                         vt_onnx_totals *sum, vt_error *error)
{
    vt_status status = VT_OK;
    for (int i = 0; status == VT_OK && i < count; i++) {
        vt_onnx_totals totals = {0};
        status = vt_onnx_test(directories[i], how, &totals, error);
        sum->passed += totals.passed;
        sum->failed += totals.failed;
        sum->unsupported += totals.unsupported;
    }
    return status;
}

int vt_cli_model_test(int argc, char **argv)
{
    bool json = false, reference = false;
    test_report report = {0};
    vt_onnx_test_options how = {.on_case = on_case, .context = &report};
    const vt_cli_option options[] = {
        VT_CLI_FLAG_OPTION("reference", &reference, "use the slow reference executor"),
        VT_CLI_TEXT_OPTION("precision", "f32|bf16|int8|auto", &how.precision,
                           "what networks compute in (default, and auto: f32); tolerances stay"),
        VT_CLI_FLAG_OPTION("json", &json, "print one JSON document"),
    };
    const vt_cli_usage usage = {
        "model test",
        "DIR...",
        "Runs cases of the ONNX backend test suite (folders with model.onnx and test_data_set_*),\n"
        "all that lie below each DIR, and prints a line for each and a total. Exit code 0 when "
        "all\n"
        "passed, 11 when one failed, 6 when none failed but an operator is not supported.",
        "  vitrine model test onnx/backend/test/data/node",
        1,
        -1,
        options,
        sizeof(options) / sizeof(options[0])};
    vt_cli_arguments arguments;
    int code = vt_cli_parse(&usage, argc, argv, &arguments);
    if (code != VT_CLI_GO)
        return code;
    vt_error error = {0};
    vt_buf document;
    vt_onnx_totals sum = {0};
    report.json = json;
    how.executor = reference ? VT_ONNX_REFERENCE : VT_ONNX_ONEDNN;
    vt_cli_begin_json(&report.writer, &document);
    vt_json_open_array(&report.writer, "cases");
    vt_status status = run_all(arguments.items, arguments.count, &how, &sum, &error);
    vt_json_close(&report.writer);
    vt_json_put_text(&report.writer, "precision",
                     vt_cli_run_precision(how.precision, how.executor));
    vt_json_put_int(&report.writer, "passed", (int64_t)sum.passed);
    vt_json_put_int(&report.writer, "failed", (int64_t)sum.failed);
    vt_json_put_int(&report.writer, "unsupported", (int64_t)sum.unsupported);
    vt_json_close(&report.writer);
    code = 0;
    if (status == VT_OK && json)
        code = vt_cli_print_json("model test", &document);
    else if (status == VT_OK)
        printf("%zu passed, %zu failed, %zu unsupported\n", sum.passed, sum.failed,
               sum.unsupported);
    vt_buf_deinit(&document);
    if (status != VT_OK)
        return vt_cli_fail("model test", json, status, &error);
    if (code != 0 || sum.failed + sum.unsupported == 0)
        return code;
    return vt_status_exit_code(sum.failed > 0 ? VT_ERR_MISMATCH : VT_ERR_UNSUPPORTED);
}
