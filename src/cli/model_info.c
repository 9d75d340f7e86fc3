/* SPDX-License-Identifier: Apache-2.0 */
/* vitrine model info */
#include "cli/cli.h"

#include <string.h>

static void put_values(vt_json_writer *writer, const char *key, const vt_onnx_value *values,
                       size_t count)
{
    vt_json_open_array(writer, key);
    for (size_t i = 0; i < count; i++) {
        vt_json_open_object(writer, NULL);
        vt_json_put_text(writer, "name", values[i].name);
        vt_json_put_text(writer, "type", values[i].type);
        vt_json_put_text(writer, "shape", values[i].shape);
        vt_json_close(writer);
    }
    vt_json_close(writer);
}

static void put_nodes(vt_json_writer *writer, const vt_onnx_info *info)
{
    vt_json_open_array(writer, "nodes");
    for (size_t i = 0; i < info->node_count; i++) {
        const vt_onnx_node *node = &info->nodes[i];
        vt_json_open_object(writer, NULL);
        vt_json_put_text(writer, "op", node->op_type);
        vt_json_put_text(writer, "name", node->name);
        vt_json_put_text(writer, "output", node->output);
        vt_json_put_text(writer, "shape", node->shape);
        vt_json_put_int(writer, "macs", (int64_t)node->macs);
        vt_json_close(writer);
    }
    vt_json_close(writer);
}

static int print_json(const vt_onnx_info *info)
{
    vt_buf document;
    vt_json_writer writer;
    vt_buf_init(&document, VT_CLI_DOCUMENT_BYTES);
    vt_json_begin(&writer, &document, true);
    vt_json_open_object(&writer, NULL);
    vt_json_put_text(&writer, "producer", info->producer);
    vt_json_put_text(&writer, "graph", info->graph);
    vt_json_put_int(&writer, "ir_version", info->ir_version);
    vt_json_put_int(&writer, "opset", info->opset);
    vt_json_put_int(&writer, "parameters", (int64_t)info->parameters);
    vt_json_put_int(&writer, "parameter_bytes", (int64_t)info->parameter_bytes);
    vt_json_put_int(&writer, "macs", (int64_t)info->macs);
    put_values(&writer, "inputs", info->inputs, info->input_count);
    put_values(&writer, "outputs", info->outputs, info->output_count);
    vt_json_put_text(&writer, "feature_output", info->feature_output);
    vt_json_put_text(&writer, "contract", info->contract);
    vt_json_put_bool(&writer, "golden", info->has_golden);
    put_nodes(&writer, info);
    vt_json_close(&writer);
    return vt_cli_print_json("model info", &document);
}

static void print_values(const char *title, const vt_onnx_value *values, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        printf("%-11s ", i == 0 ? title : "");
        vt_cli_print(stdout, values[i].name);
        printf("  %s %s\n", values[i].shape, values[i].type);
    }
}

static bool has_free_size(const vt_onnx_info *info)
{
    for (size_t i = 0; i < info->input_count; i++)
        if (strchr(info->inputs[i].shape, '?') != NULL)
            return true;
    return false;
}

static void print_line(const char *title, const char *text, const char *more)
{
    printf("%-11s ", title);
    vt_cli_print(stdout, text);
    printf("%s\n", more);
}

static void print_nodes(const vt_onnx_info *info)
{
    printf("\n%-24s %-20s %12s  %s\n", "operator", "shape", "Mmacs", "output");
    for (size_t i = 0; i < info->node_count; i++) {
        printf("%-24s %-20s %12.3f  ", info->nodes[i].op_type, info->nodes[i].shape,
               (double)info->nodes[i].macs / 1e6);
        vt_cli_print(stdout, info->nodes[i].output);
        putchar('\n');
    }
}

static void print_text(const vt_onnx_info *info, bool nodes)
{
    print_line("graph", vt_cli_or(info->graph, "(no name)"), "");
    print_line("made by", vt_cli_or(info->producer, "(unknown)"), "");
    printf("format      ONNX IR %lld, opset %lld\n"
           "parameters  %.2f M in %.1f MB\nwork        %.3f G multiply-adds per run%s\n"
           "nodes       %zu\n",
           (long long)info->ir_version, (long long)info->opset, (double)info->parameters / 1e6,
           (double)info->parameter_bytes / 1e6, (double)info->macs / 1e9,
           has_free_size(info) ? " (free sizes taken as 1, those of a picture as 224)" : "",
           info->node_count);
    print_values("input", info->inputs, info->input_count);
    print_values("output", info->outputs, info->output_count);
    print_line("features", vt_cli_or(info->feature_output, "(the first output)"), "");
    print_line("contract", vt_cli_or(info->contract, "none: name a preset to use it"),
               info->has_golden ? ", with a golden picture" : "");
    if (nodes)
        print_nodes(info);
}

int vt_cli_model_info(int argc, char **argv)
{
    bool json = false, nodes = false;
    const vt_cli_option options[] = {
        VT_CLI_FLAG_OPTION("nodes", &nodes, "list every node with its shape and work"),
        VT_CLI_FLAG_OPTION("json", &json, "print one JSON document (with all nodes)"),
    };
    const vt_cli_usage usage = {
        "model info",
        "FILE",
        "Says what an ONNX file is made of: inputs, outputs, size, work, and what would serve as\n"
        "the embedding.",
        "  vitrine model info resnet50.onnx --nodes",
        1,
        1,
        options,
        sizeof(options) / sizeof(options[0])};
    vt_cli_arguments arguments;
    int code = vt_cli_parse(&usage, argc, argv, &arguments);
    if (code != VT_CLI_GO)
        return code;
    vt_error error = {0};
    vt_onnx_info *info = NULL;
    vt_status status = vt_onnx_info_of(arguments.items[0], &info, &error);
    if (status != VT_OK)
        return vt_cli_fail("model info", json, status, &error);
    code = 0;
    if (json)
        code = print_json(info);
    else
        print_text(info, nodes);
    vt_onnx_info_free(info);
    return code;
}
