/* SPDX-License-Identifier: Apache-2.0 */
/* What an ONNX file is, and whether it does what it should as an encoder. */
#include "shop/shop.h"

#include "nn/model.h"

#include <string.h>

enum { INFO_BYTES = 1 << 28 };

typedef struct info_block {
    vt_onnx_info info; /* first: the caller holds a pointer to it */
    vt_arena arena;
    size_t node_capacity; /* of info.nodes */
} info_block;

void vt_onnx_info_free(vt_onnx_info *info)
{
    if (info == NULL)
        return;
    info_block *block = (info_block *)info;
    vt_arena_deinit(&block->arena);
    vt_free(info->nodes);
    vt_free(block);
}

static vt_onnx_value describe_value(info_block *block, const vt_value_info *value)
{
    vt_onnx_value out = {.name = vt_arena_strdup(&block->arena, value->name),
                         .type = vt_dtype_name(value->dtype)};
    vt_shape_print(&value->shape, out.shape, sizeof(out.shape));
    return out;
}

static vt_status describe_values(const vt_model *model, info_block *block, vt_error *error)
{
    vt_onnx_info *info = &block->info;
    info->input_count = vt_model_input_count(model);
    info->output_count = vt_model_output_count(model);
    info->inputs = vt_arena_array(&block->arena, info->input_count, sizeof(vt_onnx_value));
    info->outputs = vt_arena_array(&block->arena, info->output_count, sizeof(vt_onnx_value));
    if ((info->input_count > 0 && info->inputs == NULL) ||
        (info->output_count > 0 && info->outputs == NULL))
        return vt_fail_memory(error, "a model's description");
    for (size_t i = 0; i < info->input_count; i++) {
        vt_value_info value = vt_model_input(model, i);
        info->inputs[i] = describe_value(block, &value);
    }
    for (size_t i = 0; i < info->output_count; i++) {
        vt_value_info value = vt_model_output(model, i);
        info->outputs[i] = describe_value(block, &value);
    }
    return VT_OK;
}

static void add_node(void *context, const vt_node_info *node)
{
    info_block *block = context;
    vt_onnx_info *info = &block->info;
    if (info->node_count == block->node_capacity)
        return;
    vt_onnx_node *out = &info->nodes[info->node_count++];
    *out = (vt_onnx_node){.op_type = vt_arena_strdup(&block->arena, node->op_type),
                          .name = vt_arena_strdup(&block->arena, node->name),
                          .output = vt_arena_strdup(&block->arena, node->output),
                          .macs = node->macs};
    vt_shape_print(&node->shape, out->shape, sizeof(out->shape));
    info->macs += node->macs;
}

static vt_status describe(const vt_model *model, info_block *block, vt_error *error)
{
    vt_onnx_info *info = &block->info;
    vt_model_summary summary = vt_model_summary_of(model);
    const char *feature = vt_model_feature_output(model);
    const char *contract = vt_model_metadata(model, "vitrine.contract");
    info->producer = vt_arena_strdup(&block->arena, summary.producer);
    info->graph = vt_arena_strdup(&block->arena, summary.graph_name);
    info->ir_version = summary.ir_version;
    info->opset = summary.opset;
    info->parameters = summary.parameters;
    info->parameter_bytes = summary.parameter_bytes;
    info->feature_output = feature == NULL ? NULL : vt_arena_strdup(&block->arena, feature);
    info->contract = contract == NULL ? NULL : vt_arena_strdup(&block->arena, contract);
    info->has_golden = vt_model_metadata(model, "vitrine.golden") != NULL;
    block->node_capacity = summary.nodes;
    info->nodes = vt_calloc(summary.nodes, sizeof(*info->nodes));
    if (info->nodes == NULL)
        return vt_fail_memory(error, "a model's description");
    vt_status status = describe_values(model, block, error);
    if (status == VT_OK)
        status = vt_model_each_node(model, NULL, add_node, block, error);
    return status;
}

vt_status vt_onnx_info_of(const char *path, vt_onnx_info **out, vt_error *error)
{
    vt_model *model = NULL;
    info_block *block = vt_calloc(1, sizeof(*block));
    if (block == NULL)
        return vt_fail_memory(error, "a model's description");
    vt_arena_init(&block->arena, INFO_BYTES);
    vt_status status = vt_model_open(path, NULL, &model, error);
    if (status == VT_OK)
        status = describe(model, block, error);
    vt_model_free(model);
    if (status != VT_OK) {
        vt_onnx_info_free(&block->info);
        return status;
    }
    *out = &block->info;
    return VT_OK;
}

vt_status vt_onnx_check(const char *path, const char *preset, const char *output,
                        vt_onnx_check_report *report, vt_error *error)
{
    vt_encoder_options options = vt_encoder_options_defaults();
    options.preset = preset;
    options.output = output;
    options.check_golden = false;
    vt_encoder *encoder = NULL;
    vt_encoder_check check = {0};
    vt_status status = vt_encoder_open(path, &options, &encoder, error);
    if (status == VT_OK)
        status = vt_encoder_check_golden(encoder, &check, error);
    if (status == VT_OK)
        *report = (vt_onnx_check_report){.has_contract = preset == NULL,
                                         .has_golden = check.has_golden,
                                         .golden_similarity = check.golden_similarity,
                                         .reference_similarity = check.reference_similarity,
                                         .dimension = vt_encoder_info_of(encoder).dim};
    vt_encoder_free(encoder);
    return status;
}
