/* SPDX-License-Identifier: Apache-2.0 */
/* All that is known of an ONNX file, as one JSON document. */
#include "cli/cli.h"

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

static void put_work(vt_json_writer *writer, uint64_t macs, uint64_t total)
{
    vt_json_put_int(writer, "macs", (int64_t)macs);
    vt_json_put_number(writer, "macs_share", total > 0 ? (double)macs / (double)total : 0.0, 6);
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
        put_work(writer, node->macs, info->macs);
        vt_json_close(writer);
    }
    vt_json_close(writer);
}

static void put_steps(vt_json_writer *writer, const vt_onnx_info *info)
{
    uint64_t total = 0;
    for (size_t i = 0; i < info->step_count; i++)
        total += info->steps[i].macs;
    vt_json_open_array(writer, "steps");
    for (size_t i = 0; i < info->step_count; i++) {
        const vt_onnx_step *step = &info->steps[i];
        vt_json_open_object(writer, NULL);
        vt_json_put_text(writer, "op", step->op_type);
        vt_json_put_text(writer, "name", step->name);
        vt_json_put_text(writer, "output", step->output);
        vt_json_put_text(writer, "shape", step->shape);
        vt_json_put_text(writer, "folded", step->posts);
        vt_json_put_text(writer, "compute", step->compute);
        vt_json_put_text(writer, "executor", step->executor);
        put_work(writer, step->macs, total);
        vt_json_close(writer);
    }
    vt_json_close(writer);
}

static void put_memory(vt_json_writer *writer, const vt_onnx_memory *memory)
{
    vt_json_open_object(writer, "memory");
    vt_json_put_int(writer, "parameter_bytes", (int64_t)memory->parameter_bytes);
    vt_json_put_int(writer, "prepared_bytes", (int64_t)memory->prepared_bytes);
    vt_json_put_int(writer, "activation_bytes", (int64_t)memory->activation_bytes);
    vt_json_put_int(writer, "activation_bytes_without_reuse", (int64_t)memory->unshared_bytes);
    vt_json_put_int(writer, "peak_bytes", (int64_t)memory->peak_bytes);
    vt_json_close(writer);
}

static void put_plan(vt_json_writer *writer, const vt_onnx_info *info)
{
    vt_json_put_text(writer, "precision", info->precision);
    vt_json_put_text(writer, "precision_refused", info->precision_refused);
    vt_json_put_text(writer, "plan_failure", info->plan_failure);
    if (info->plan_failure != NULL)
        return;
    put_memory(writer, &info->memory);
    vt_json_put_int(writer, "reorders", (int64_t)info->reorders);
    put_steps(writer, info);
}

static void put_heads(vt_json_writer *writer, const vt_onnx_info *info)
{
    vt_json_open_array(writer, "heads");
    for (size_t h = 0; h < info->head_count; h++) {
        const vt_onnx_head *head = &info->heads[h];
        vt_json_open_object(writer, NULL);
        vt_json_put_text(writer, "name", head->name);
        vt_json_put_text(writer, "output", head->output);
        vt_json_put_bool(writer, "several", head->several);
        vt_json_open_array(writer, "labels");
        for (size_t i = 0; i < head->label_count; i++)
            vt_json_put_text(writer, NULL, head->labels[i]);
        vt_json_close(writer);
        vt_json_close(writer);
    }
    vt_json_close(writer);
}

int vt_cli_print_model_json(const vt_onnx_info *info)
{
    vt_buf document;
    vt_json_writer writer;
    vt_cli_begin_json(&writer, &document);
    vt_json_put_text(&writer, "producer", info->producer);
    vt_json_put_text(&writer, "graph", info->graph);
    vt_json_put_int(&writer, "ir_version", info->ir_version);
    vt_json_put_int(&writer, "opset", info->opset);
    vt_json_put_int(&writer, "parameters", (int64_t)info->parameters);
    vt_json_put_int(&writer, "parameter_bytes", (int64_t)info->parameter_bytes);
    vt_json_put_int(&writer, "macs", (int64_t)info->macs);
    put_values(&writer, "inputs", info->inputs, info->input_count);
    put_values(&writer, "outputs", info->outputs, info->output_count);
    put_values(&writer, "run_inputs", info->run_inputs, info->input_count);
    vt_json_put_text(&writer, "feature_output", info->feature_output);
    vt_json_put_text(&writer, "contract", info->contract);
    vt_json_put_bool(&writer, "golden", info->has_golden);
    put_heads(&writer, info);
    put_nodes(&writer, info);
    put_plan(&writer, info);
    vt_json_close(&writer);
    return vt_cli_print_json("model info", &document);
}
