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
    bool out_of_memory;   /* a text could not be kept */
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

/* A copy of the text, which may be NULL. */
static const char *keep(info_block *block, const char *text)
{
    const char *kept = text == NULL ? NULL : vt_arena_strdup(&block->arena, text);
    block->out_of_memory = block->out_of_memory || (text != NULL && kept == NULL);
    return kept;
}

static vt_onnx_value describe_value(info_block *block, const vt_value_info *value)
{
    vt_onnx_value out = {.name = keep(block, value->name), .type = vt_dtype_name(value->dtype)};
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
    *out = (vt_onnx_node){.op_type = keep(block, node->op_type),
                          .name = keep(block, node->name),
                          .output = keep(block, node->output),
                          .macs = node->macs};
    vt_shape_print(&node->shape, out->shape, sizeof(out->shape));
    info->macs += node->macs;
}

/* Sizes that the file leaves free: one picture of 224 x 224 where the input looks like pictures,
 * since many networks cannot take less; 1 elsewhere. */
static vt_status example_shapes(const vt_model *model, vt_shape **out, vt_error *error)
{
    static const int64_t picture[4] = {1, 3, 224, 224};
    size_t count = vt_model_input_count(model);
    vt_shape *shapes = vt_calloc(count, sizeof(*shapes));
    if (shapes == NULL)
        return vt_fail_memory(error, "shapes");
    for (size_t i = 0; i < count; i++) {
        shapes[i] = vt_model_input(model, i).shape;
        for (int d = 0; d < shapes[i].rank; d++)
            if (shapes[i].dims[d] < 0)
                shapes[i].dims[d] = shapes[i].rank == 4 ? picture[d] : 1;
    }
    *out = shapes;
    return VT_OK;
}

static vt_status describe_nodes(const vt_model *model, info_block *block, vt_error *error)
{
    vt_onnx_info *info = &block->info;
    vt_shape *shapes = NULL;
    block->node_capacity = vt_model_summary_of(model).nodes;
    info->nodes = vt_calloc(block->node_capacity, sizeof(*info->nodes));
    if (info->nodes == NULL)
        return vt_fail_memory(error, "a model's description");
    vt_status status = example_shapes(model, &shapes, error);
    if (status != VT_OK)
        return status;
    status = vt_model_each_node(model, shapes, add_node, block, error);
    vt_free(shapes);
    return status;
}

static vt_status describe(const vt_model *model, info_block *block, vt_error *error)
{
    vt_onnx_info *info = &block->info;
    vt_model_summary summary = vt_model_summary_of(model);
    info->producer = keep(block, summary.producer);
    info->graph = keep(block, summary.graph_name);
    info->ir_version = summary.ir_version;
    info->opset = summary.opset;
    info->parameters = summary.parameters;
    info->parameter_bytes = summary.parameter_bytes;
    info->feature_output = keep(block, vt_model_feature_output(model));
    info->contract = keep(block, vt_model_metadata(model, VT_METADATA_CONTRACT));
    info->has_golden = vt_model_metadata(model, VT_METADATA_GOLDEN) != NULL;
    vt_status status = describe_values(model, block, error);
    if (status == VT_OK)
        status = describe_nodes(model, block, error);
    if (status == VT_OK && block->out_of_memory)
        status = vt_fail_memory(error, "a model's description");
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
    if (status != VT_OK && model != NULL)
        vt_fail_context(error, status, "describe \"%.200s\"", path);
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
        *report = (vt_onnx_check_report){.has_contract = check.has_contract,
                                         .has_golden = check.has_golden,
                                         .golden_similarity = check.golden_similarity,
                                         .reference_similarity = check.reference_similarity,
                                         .dimension = vt_encoder_info_of(encoder).dim};
    vt_encoder_free(encoder);
    return status;
}
