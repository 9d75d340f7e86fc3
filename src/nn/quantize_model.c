/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Quantisation of a vt_model: the graph's functions with names and counts in the place of ids.
 */
#include "nn/quantize_model.h"

#include "nn/onnx_file.h"
#include "nn/quantize.h"

#include <math.h>
#include <string.h>

struct vt_quantizer {
    vt_model *prepared;
    vt_quantize_plan *plan;
    vt_value_id *values; /* (value_count) observed when nothing is excluded */
    vt_node_id *nodes;   /* (node_count) with a role of their own */
    size_t value_count, node_count;
};

/* A model without a graph, with the texts of another one (borrowed). */
static vt_model *model_like(const vt_model *from)
{
    vt_model *model = vt_calloc(1, sizeof(*model));
    if (model == NULL)
        return NULL;
    model->producer = from->producer;
    model->name = from->name;
    model->ir_version = from->ir_version;
    model->keys = from->keys;
    model->texts = from->texts;
    model->metadata_count = from->metadata_count;
    return model;
}

/* The operator set that its nodes have now; the file's IR version follows where it went up. */
static void settle_opset(vt_model *model, int64_t before)
{
    model->opset = before;
    for (size_t n = 0; n < model->graph.node_count; n++)
        if (model->graph.nodes[n].op->domain[0] == '\0')
            model->opset = model->graph.nodes[n].opset;
    if (model->opset != before)
        model->ir_version = 0;
}

static vt_status list_candidates(vt_quantizer *quantizer, vt_error *error)
{
    const vt_quantize_plan *plan = quantizer->plan;
    const vt_graph *graph = plan->graph;
    quantizer->values = vt_alloc_array(graph->value_count, sizeof(*quantizer->values));
    quantizer->nodes = vt_alloc_array(graph->node_count, sizeof(*quantizer->nodes));
    if (quantizer->values == NULL || quantizer->nodes == NULL)
        return vt_fail_memory(error, "a list of nodes");
    for (size_t i = 0; i < graph->value_count; i++) {
        plan->thresholds[i] = NAN;
        if (plan->observed[i])
            quantizer->values[quantizer->value_count++] = (vt_value_id)i;
    }
    for (size_t n = 0; n < graph->node_count; n++)
        if (plan->quantized[n])
            quantizer->nodes[quantizer->node_count++] = (vt_node_id)n;
    if (quantizer->node_count == 0)
        return vt_fail(error, VT_ERR_UNSUPPORTED,
                       "it has no convolution or product of f32 with constant weights");
    return VT_OK;
}

vt_status vt_quantizer_new(const vt_model *model, const vt_shape *input_shapes,
                           const char *const *kept, size_t kept_count, vt_quantizer **out,
                           vt_error *error)
{
    const vt_quantize_options options = {input_shapes, kept, kept_count};
    vt_graph prepared;
    vt_quantizer *quantizer = vt_calloc(1, sizeof(*quantizer));
    if (quantizer != NULL)
        quantizer->prepared = model_like(model);
    if (quantizer == NULL || quantizer->prepared == NULL) {
        vt_free(quantizer);
        return vt_fail_memory(error, "a quantiser");
    }
    vt_status status = vt_quantize_prepare(&model->graph, &options, &prepared, error);
    if (status == VT_OK) {
        quantizer->prepared->graph = prepared;
        settle_opset(quantizer->prepared, model->opset);
        status =
            vt_quantize_plan_new(&quantizer->prepared->graph, &options, &quantizer->plan, error);
    }
    if (status == VT_OK)
        status = list_candidates(quantizer, error);
    if (status != VT_OK) {
        vt_quantizer_free(quantizer);
        return status;
    }
    *out = quantizer;
    return VT_OK;
}

void vt_quantizer_free(vt_quantizer *quantizer)
{
    if (quantizer == NULL)
        return;
    vt_quantize_plan_free(quantizer->plan);
    vt_model_free(quantizer->prepared);
    vt_free(quantizer->values);
    vt_free(quantizer->nodes);
    vt_free(quantizer);
}

const vt_model *vt_quantizer_prepared(const vt_quantizer *quantizer)
{
    return quantizer->prepared;
}

size_t vt_quantizer_value_count(const vt_quantizer *quantizer)
{
    return quantizer->value_count;
}

const char *vt_quantizer_value(const vt_quantizer *quantizer, size_t index)
{
    return quantizer->plan->graph->values[quantizer->values[index]].name;
}

bool vt_quantizer_value_is_unsigned(const vt_quantizer *quantizer, size_t index)
{
    return quantizer->plan->non_negative[quantizer->values[index]];
}

void vt_quantizer_set_threshold(vt_quantizer *quantizer, size_t index, float threshold)
{
    quantizer->plan->thresholds[quantizer->values[index]] = threshold;
}

size_t vt_quantizer_node_count(const vt_quantizer *quantizer)
{
    return quantizer->node_count;
}

/* The value whose scale `id` has: that before all nodes that only move values. */
static vt_value_id scaled_value(const vt_quantize_plan *plan, vt_value_id id)
{
    const vt_graph *graph = plan->graph;
    while (graph->values[id].producer != UINT32_MAX &&
           plan->quantized[graph->values[id].producer] &&
           plan->roles[graph->values[id].producer] == VT_QUANTIZE_CARRY)
        id = graph->nodes[graph->values[id].producer].inputs[0];
    return id;
}

vt_quantizer_node vt_quantizer_node_of(const vt_quantizer *quantizer, size_t index)
{
    const vt_quantize_plan *plan = quantizer->plan;
    vt_node_id id = quantizer->nodes[index];
    const vt_node *node = &plan->graph->nodes[id];
    vt_value_id input = node->inputs[0];
    vt_quantizer_node info = {.op = node->op->name,
                              .name = node->name,
                              .output = plan->graph->values[node->outputs[0]].name,
                              .input = plan->graph->values[input].name,
                              .threshold = plan->thresholds[scaled_value(plan, input)],
                              .is_unsigned = plan->non_negative[input],
                              .measurable = plan->roles[id] != VT_QUANTIZE_CARRY,
                              .excluded = plan->excluded[id],
                              .quantized = plan->quantized[id]};
    info.scale = vt_quantize_scale(info.threshold, info.is_unsigned);
    return info;
}

void vt_quantizer_exclude(vt_quantizer *quantizer, size_t index, bool excluded)
{
    quantizer->plan->excluded[quantizer->nodes[index]] = excluded;
    vt_quantize_choose(quantizer->plan, false);
}

/* Runs the choice with one node alone and puts everything back. */
static vt_status build_one(vt_quantizer *quantizer, size_t only, vt_graph *out, vt_error *error)
{
    vt_quantize_plan *plan = quantizer->plan;
    size_t count = plan->graph->node_count;
    bool *excluded = vt_alloc_array(count, sizeof(*excluded));
    if (excluded == NULL)
        return vt_fail_memory(error, "a choice of nodes");
    memcpy(excluded, plan->excluded, count * sizeof(*excluded));
    for (size_t n = 0; n < count; n++)
        plan->excluded[n] = n != quantizer->nodes[only];
    vt_quantize_choose(plan, true);
    vt_status status = vt_quantize_graph(plan->graph, plan, out, error);
    memcpy(plan->excluded, excluded, count * sizeof(*excluded));
    vt_quantize_choose(plan, false);
    vt_free(excluded);
    return status;
}

vt_status vt_quantizer_build(vt_quantizer *quantizer, size_t only, vt_model **out, vt_error *error)
{
    vt_graph graph;
    vt_model *model = model_like(quantizer->prepared);
    if (model == NULL)
        return vt_fail_memory(error, "a model");
    vt_status status = only == VT_QUANTIZER_ALL ? vt_quantize_graph(quantizer->plan->graph,
                                                                    quantizer->plan, &graph, error)
                                                : build_one(quantizer, only, &graph, error);
    if (status != VT_OK) {
        vt_model_free(model);
        return status;
    }
    model->graph = graph;
    model->opset = quantizer->prepared->opset;
    *out = model;
    return VT_OK;
}
