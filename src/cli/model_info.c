/* SPDX-License-Identifier: Apache-2.0 */
/* vitrine model info */
#include "cli/cli.h"

#include <stdio.h>

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
    for (size_t i = 0; i < count; i++)
        printf("%-11s %s  %s %s\n", i == 0 ? title : "", values[i].name, values[i].shape,
               values[i].type);
}

static void print_text(const vt_onnx_info *info, bool nodes)
{
    printf("graph       %s, by %s, ONNX IR %lld, opset %lld\n"
           "parameters  %.2f M in %.1f MB\nwork        %.3f G multiply-adds per run\n"
           "nodes       %zu\n",
           vt_cli_or(info->graph, "(no name)"), vt_cli_or(info->producer, "(unknown)"),
           (long long)info->ir_version, (long long)info->opset, (double)info->parameters / 1e6,
           (double)info->parameter_bytes / 1e6, (double)info->macs / 1e9, info->node_count);
    print_values("input", info->inputs, info->input_count);
    print_values("output", info->outputs, info->output_count);
    printf("features    %s\n", vt_cli_or(info->feature_output, "(the first output)"));
    printf("contract    %s%s\n", vt_cli_or(info->contract, "none: name a preset to use it"),
           info->has_golden ? ", with a golden picture" : "");
    if (nodes)
        printf("\n%-24s %-20s %12s  %s\n", "operator", "shape", "Mmacs", "output");
    for (size_t i = 0; nodes && i < info->node_count; i++)
        printf("%-24s %-20s %12.3f  %s\n", info->nodes[i].op_type, info->nodes[i].shape,
               (double)info->nodes[i].macs / 1e6, info->nodes[i].output);
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
        NULL,
        1,
        1};
    char **arguments;
    int count;
    int code = vt_cli_parse(&usage, options, sizeof(options) / sizeof(options[0]), argc, argv,
                            &arguments, &count);
    if (code != VT_CLI_GO)
        return code;
    vt_error error;
    vt_onnx_info *info = NULL;
    vt_status status = vt_onnx_info_of(arguments[0], &info, &error);
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
