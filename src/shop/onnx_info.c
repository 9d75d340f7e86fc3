/* SPDX-License-Identifier: Apache-2.0 */
/* What an ONNX file is, and whether it does what it should as an encoder. */
#include "shop/onnx_info.h"

#include "encoder/heads.h"

#include <stdio.h>
#include <string.h>

enum { INFO_BYTES = 1 << 28 };

void vt_onnx_info_free(vt_onnx_info *info)
{
    if (info == NULL)
        return;
    vt_onnx_block *block = (vt_onnx_block *)info;
    vt_arena_deinit(&block->arena);
    vt_free(info->nodes);
    vt_free(info->steps);
    vt_free(block);
}

const char *vt_onnx_keep(vt_onnx_block *block, const char *text)
{
    const char *kept = text == NULL ? NULL : vt_arena_strdup(&block->arena, text);
    block->out_of_memory = block->out_of_memory || (text != NULL && kept == NULL);
    return kept;
}

static vt_onnx_value describe_value(vt_onnx_block *block, const vt_value_info *value)
{
    vt_onnx_value out = {.name = vt_onnx_keep(block, value->name),
                         .type = vt_dtype_name(value->dtype)};
    vt_shape_print(&value->shape, out.shape, sizeof(out.shape));
    return out;
}

static vt_status describe_values(const vt_model *model, vt_onnx_block *block, vt_error *error)
{
    vt_onnx_info *info = &block->info;
    info->input_count = vt_model_input_count(model);
    info->output_count = vt_model_output_count(model);
    info->inputs = vt_arena_array(&block->arena, info->input_count, sizeof(vt_onnx_value));
    info->run_inputs = vt_arena_array(&block->arena, info->input_count, sizeof(vt_onnx_value));
    info->outputs = vt_arena_array(&block->arena, info->output_count, sizeof(vt_onnx_value));
    if ((info->input_count > 0 && (info->inputs == NULL || info->run_inputs == NULL)) ||
        (info->output_count > 0 && info->outputs == NULL))
        return vt_fail_memory(error, "a model's description");
    for (size_t i = 0; i < info->input_count; i++) {
        vt_value_info value = vt_model_input(model, i);
        info->inputs[i] = info->run_inputs[i] = describe_value(block, &value);
    }
    for (size_t i = 0; i < info->output_count; i++) {
        vt_value_info value = vt_model_output(model, i);
        info->outputs[i] = describe_value(block, &value);
    }
    return VT_OK;
}

static void add_node(void *context, const vt_node_info *node)
{
    vt_onnx_block *block = context;
    vt_onnx_info *info = &block->info;
    if (info->node_count == block->node_capacity)
        return;
    vt_onnx_node *out = &info->nodes[info->node_count++];
    *out = (vt_onnx_node){.op_type = vt_onnx_keep(block, node->op_type),
                          .name = vt_onnx_keep(block, node->name),
                          .output = vt_onnx_keep(block, node->output),
                          .macs = node->macs};
    vt_shape_print(&node->shape, out->shape, sizeof(out->shape));
    info->macs += node->macs;
}

static vt_status describe_nodes(const vt_model *model, const vt_shape *shapes, vt_onnx_block *block,
                                vt_error *error)
{
    vt_onnx_info *info = &block->info;
    block->node_capacity = vt_model_summary_of(model).nodes;
    info->nodes = vt_calloc(block->node_capacity, sizeof(*info->nodes));
    if (info->nodes == NULL)
        return vt_fail_memory(error, "a model's description");
    for (size_t i = 0; i < info->input_count; i++)
        vt_shape_print(&shapes[i], info->run_inputs[i].shape, sizeof(info->run_inputs[i].shape));
    return vt_model_each_node(model, shapes, add_node, block, error);
}

/* What the steps are planned in: the wish, or what AUTO comes to. Only a file that says how
 * pictures become its input has a golden picture to decide by; of others, and of those that do not
 * work as encoders, f32 is shown. */
static vt_status choose_precision(const char *path, const vt_model *model, vt_precision wish,
                                  vt_onnx_block *block, vt_precision *out, vt_error *error)
{
    vt_encoder_options options = vt_encoder_options_defaults();
    vt_encoder *encoder = NULL;
    vt_error reason = {0};
    block->info.precision_refused = "";
    *out = wish;
    if (wish != VT_PRECISION_AUTO)
        return VT_OK;
    *out = VT_PRECISION_F32;
    if (vt_model_metadata(model, VT_METADATA_CONTRACT) == NULL)
        return VT_OK;
    options.check_golden = false;
    vt_status status = vt_encoder_open(path, &options, &encoder, &reason);
    if (status == VT_ERR_NO_MEMORY)
        return vt_fail_memory(error, "an encoder");
    if (status == VT_OK)
        *out = vt_encoder_info_of(encoder).precision->precision;
    block->info.precision_refused = vt_onnx_keep(
        block, status == VT_OK ? vt_encoder_info_of(encoder).precision->refused : reason.message);
    vt_encoder_free(encoder);
    return VT_OK;
}

static vt_status describe_graphs(const char *path, const vt_model *model,
                                 const vt_onnx_info_options *options, vt_onnx_block *block,
                                 vt_error *error)
{
    vt_shape *shapes = NULL;
    vt_precision precision = VT_PRECISION_AUTO;
    vt_status status = vt_precision_of(options->precision, &precision, error);
    if (status == VT_OK)
        status = vt_onnx_shapes(model, options, &shapes, error);
    if (status == VT_OK)
        status = describe_nodes(model, shapes, block, error);
    if (status == VT_OK)
        status = choose_precision(path, model, precision, block, &precision, error);
    block->info.precision = vt_precision_name(precision);
    if (status == VT_OK)
        status = vt_onnx_describe_plan(model, shapes, precision, block, error);
    vt_free(shapes);
    return status;
}

/* ---- what the metadata says ---- */

static vt_status describe_head(const vt_model_head *head, vt_onnx_block *block, vt_onnx_head *out,
                               vt_error *error)
{
    const char **labels = vt_arena_array(&block->arena, head->label_count, sizeof(*labels));
    if (labels == NULL)
        return vt_fail_memory(error, "a model's description");
    for (size_t i = 0; i < head->label_count; i++)
        labels[i] = vt_onnx_keep(block, vt_json_text(vt_json_at(head->labels, i), ""));
    *out = (vt_onnx_head){.name = vt_onnx_keep(block, head->name),
                          .output = vt_onnx_keep(block, head->output),
                          .several = head->several,
                          .labels = labels,
                          .label_count = head->label_count};
    return VT_OK;
}

static vt_status describe_heads(const vt_model *model, vt_onnx_block *block, vt_error *error)
{
    vt_onnx_info *info = &block->info;
    vt_model_heads heads;
    vt_status status = vt_model_heads_read(model, &heads, error);
    if (status != VT_OK)
        return status;
    info->heads = vt_arena_array(&block->arena, heads.count + 1, sizeof(*info->heads));
    if (info->heads == NULL)
        status = vt_fail_memory(error, "a model's description");
    for (size_t h = 0; status == VT_OK && h < heads.count; h++)
        status = describe_head(&heads.items[h], block, &info->heads[info->head_count++], error);
    vt_model_heads_deinit(&heads);
    return status;
}

static void describe_contract(const vt_model *model, vt_onnx_block *block)
{
    vt_onnx_info *info = &block->info;
    const char *stored = vt_model_metadata(model, VT_METADATA_CONTRACT);
    const char *feature = vt_model_feature_output(model);
    vt_contract contract;
    if (stored != NULL && vt_contract_parse(stored, strlen(stored), &contract, NULL) == VT_OK)
        feature = contract.output[0] != '\0' ? contract.output : NULL;
    info->feature_output = vt_onnx_keep(block, feature);
    info->contract = vt_onnx_keep(block, stored);
    info->has_golden = vt_model_metadata(model, VT_METADATA_GOLDEN) != NULL;
}

static vt_status describe(const char *path, const vt_model *model,
                          const vt_onnx_info_options *options, vt_onnx_block *block,
                          vt_error *error)
{
    vt_onnx_info *info = &block->info;
    vt_model_summary summary = vt_model_summary_of(model);
    info->producer = vt_onnx_keep(block, summary.producer);
    info->graph = vt_onnx_keep(block, summary.graph_name);
    info->ir_version = summary.ir_version;
    info->opset = summary.opset;
    info->parameters = summary.parameters;
    info->parameter_bytes = summary.parameter_bytes;
    describe_contract(model, block);
    vt_status status = describe_heads(model, block, error);
    if (status == VT_OK)
        status = describe_values(model, block, error);
    if (status == VT_OK)
        status = describe_graphs(path, model, options, block, error);
    if (status == VT_OK && block->out_of_memory)
        status = vt_fail_memory(error, "a model's description");
    return status;
}

vt_status vt_onnx_info_of(const char *path, const vt_onnx_info_options *options, vt_onnx_info **out,
                          vt_error *error)
{
    static const vt_onnx_info_options defaults;
    vt_model *model = NULL;
    vt_onnx_block *block = vt_calloc(1, sizeof(*block));
    if (block == NULL)
        return vt_fail_memory(error, "a model's description");
    vt_arena_init(&block->arena, INFO_BYTES);
    vt_status status = vt_model_open(path, NULL, &model, error);
    if (status == VT_OK)
        status = describe(path, model, options != NULL ? options : &defaults, block, error);
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

vt_status vt_onnx_check(const vt_init_options *choice, vt_onnx_check_report *report,
                        vt_error *error)
{
    vt_encoder_options options = vt_encoder_options_defaults();
    options.preset = choice->preset;
    options.output = choice->output;
    options.check_golden = false;
    vt_encoder *encoder = NULL;
    vt_encoder_check check = {0};
    vt_status status = vt_precision_of(choice->precision, &options.precision, error);
    if (status == VT_OK)
        status = vt_encoder_open(choice->model, &options, &encoder, error);
    if (status == VT_OK)
        status = vt_encoder_check_golden(encoder, &check, error);
    if (status == VT_OK) {
        vt_encoder_info info = vt_encoder_info_of(encoder);
        *report = (vt_onnx_check_report){.has_contract = check.has_contract,
                                         .has_golden = check.has_golden,
                                         .golden_similarity = check.golden_similarity,
                                         .reference_similarity = check.reference_similarity,
                                         .dimension = info.dim,
                                         .precision = vt_precision_name(info.precision->precision)};
        snprintf(report->precision_refused, sizeof(report->precision_refused), "%s",
                 info.precision->refused);
    }
    vt_encoder_free(encoder);
    return status;
}
