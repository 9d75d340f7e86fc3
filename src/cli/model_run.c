/* SPDX-License-Identifier: Apache-2.0 */
/* vitrine model run */
#include "cli/cli.h"

typedef struct run_report {
    bool json;
    vt_json_writer writer;
} run_report;

static void on_output(void *context, const char *name, const char *shape, const char *path)
{
    run_report *report = context;
    if (!report->json) {
        vt_cli_print(stdout, name);
        printf("  %s  %s\n", shape, path);
        return;
    }
    vt_json_open_object(&report->writer, NULL);
    vt_json_put_text(&report->writer, "name", name);
    vt_json_put_text(&report->writer, "shape", shape);
    vt_json_put_text(&report->writer, "file", path);
    vt_json_close(&report->writer);
}

static int run(const char *model, vt_onnx_run_options *how, bool json)
{
    vt_error error = {0};
    vt_buf document;
    run_report report = {.json = json};
    vt_cli_begin_json(&report.writer, &document);
    vt_json_open_array(&report.writer, "outputs");
    how->on_output = on_output;
    how->context = &report;
    vt_status status = vt_onnx_run(model, how, &error);
    vt_json_close(&report.writer);
    vt_json_put_text(&report.writer, "precision",
                     vt_cli_run_precision(how->precision, how->executor));
    vt_json_close(&report.writer);
    if (status == VT_OK && json)
        return vt_cli_print_json("model run", &document);
    vt_buf_deinit(&document);
    return status == VT_OK ? 0 : vt_cli_fail("model run", json, status, &error);
}

int vt_cli_model_run(int argc, char **argv)
{
    bool json = false, reference = false;
    const char *out = NULL, *precision = NULL;
    vt_cli_list inputs = {0}, outputs = {0};
    const vt_cli_option options[] = {
        VT_CLI_LIST_OPTION("in", "FILE", &inputs,
                           "an input as .pb or .npy file; once per input, in order"),
        VT_CLI_TEXT_OPTION("out", "DIR", &out, "where output_<n>.npy go (needed)"),
        VT_CLI_LIST_OPTION("output", "TENSOR", &outputs,
                           "compute this value instead of the network's outputs"),
        VT_CLI_FLAG_OPTION("reference", &reference, "use the slow reference executor"),
        VT_CLI_TEXT_OPTION("precision", "f32|bf16|int8|auto", &precision,
                           "what the network computes in (default, and auto: f32)"),
        VT_CLI_FLAG_OPTION("json", &json, "print one JSON document"),
    };
    const vt_cli_usage usage = {
        "model run",
        "FILE --in X.npy ... --out DIR",
        "Runs any ONNX network on tensors from files and writes its outputs as NumPy arrays\n"
        "output_0.npy, output_1.npy ... 'vitrine model info FILE' shows what it takes.",
        "  vitrine model run squeezenet.onnx --in fish.npy --out result",
        1,
        -1,
        options,
        sizeof(options) / sizeof(options[0])};
    vt_cli_arguments arguments;
    int code = vt_cli_parse(&usage, argc, argv, &arguments);
    if (code != VT_CLI_GO)
        return code;
    vt_error error = {VT_ERR_USAGE, "--out DIR is needed"};
    if (out == NULL)
        return vt_cli_fail("model run", json, VT_ERR_USAGE, &error);
    /* `--in a.npy b.npy`: what follows the model is more inputs. */
    size_t more = (size_t)arguments.count - 1;
    if (more > VT_CLI_LIST_CAPACITY - inputs.count) {
        snprintf(error.message, sizeof(error.message), "%zu inputs, at most %d can be given",
                 inputs.count + more, VT_CLI_LIST_CAPACITY);
        return vt_cli_fail("model run", json, VT_ERR_USAGE, &error);
    }
    for (size_t i = 0; i < more; i++)
        inputs.items[inputs.count++] = arguments.items[i + 1];
    vt_onnx_run_options how = {.inputs = inputs.items,
                               .input_count = inputs.count,
                               .outputs = outputs.items,
                               .output_count = outputs.count,
                               .directory = out,
                               .precision = precision,
                               .executor = reference ? VT_ONNX_REFERENCE : VT_ONNX_ONEDNN};
    return run(arguments.items[0], &how, json);
}
