/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The graph with pairs of QuantizeLinear and DequantizeLinear: behind every observed value, shared
 * by its quantised readers, and DequantizeLinear behind weights and biases that are stored as
 * integers. Other readers take the value as it was computed. The form is that of ONNX Runtime's
 * quantisation tools (one pair per value, zero points written out), whose executor recognises it.
 *
 * Nodes that only move values give their result the scale of their input, so that nothing is
 * rounded twice.
 */
#include "nn/quantize.h"

#include <math.h>
#include <string.h>

typedef struct rewriter {
    vt_graph_copy copy;
    const vt_quantize_plan *plan;
    vt_value_id *pairs; /* by value of the graph as it came: the dequantised one */
    float *thresholds;  /* by value, with those of carried values */
    int opset;
} rewriter;

static const char *name_of(const rewriter *work, vt_value_id id)
{
    return work->copy.in->values[id].name;
}

/* ---- nodes and constants ---- */

/* axis -1: one scale for all. */
static vt_status add_linear(rewriter *work, const char *op, const vt_value_id inputs[3], int axis,
                            vt_value_id output, vt_error *error)
{
    vt_graph *graph = work->copy.out;
    vt_attr attr = {.name = "axis", .kind = VT_ATTR_INT, .i = axis};
    char *name = vt_arena_printf(&graph->arena, "%s_%s", graph->values[inputs[0]].name, op);
    if (name == NULL)
        return vt_fail_memory(error, "a node's name");
    vt_node node = {.op = vt_op_find("", op, work->opset),
                    .opset = work->opset,
                    .name = name,
                    .inputs = (vt_value_id[]){inputs[0], inputs[1], inputs[2]},
                    .outputs = &output,
                    .input_count = 3, /* one that is left out at the end is cut off */
                    .output_count = 1,
                    .attrs = &attr,
                    .attr_count = axis < 0 ? 0 : 1};
    return vt_graph_add_node(graph, &node, error);
}

/* ---- activations ---- */

static vt_status pair_parameters(rewriter *work, vt_value_id id, vt_value_id out[2],
                                 vt_error *error)
{
    vt_tensor scale, zero_point;
    bool positive = work->plan->non_negative[id];
    vt_status status = vt_tensor_init(&scale, VT_F32, &(vt_shape){0}, 0, error);
    if (status != VT_OK)
        return status;
    *(float *)scale.data = vt_quantize_scale(work->thresholds[id], positive);
    status =
        vt_graph_copy_constant(&work->copy, name_of(work, id), "scale", &scale, &out[0], error);
    if (status == VT_OK)
        status = vt_tensor_init(&zero_point, positive ? VT_U8 : VT_I8, &(vt_shape){0}, 0, error);
    return status != VT_OK ? status
                           : vt_graph_copy_constant(&work->copy, name_of(work, id), "zero_point",
                                                    &zero_point, &out[1], error);
}

/* The pair behind value `id`, which is in the copy. */
static vt_status add_pair(rewriter *work, vt_value_id id, vt_error *error)
{
    vt_value_id inputs[3], quantized = VT_NO_VALUE, dequantized = VT_NO_VALUE;
    if (!work->plan->observed[id] || work->pairs[id] != VT_NO_VALUE)
        return VT_OK;
    vt_status status = vt_graph_copy_value(&work->copy, id, &inputs[0], error);
    if (status == VT_OK)
        status = pair_parameters(work, id, &inputs[1], error);
    if (status == VT_OK)
        status = vt_graph_copy_name(&work->copy, name_of(work, id), "quantized", &quantized, error);
    if (status == VT_OK)
        status =
            vt_graph_copy_name(&work->copy, name_of(work, id), "dequantized", &dequantized, error);
    if (status == VT_OK)
        status = add_linear(work, "QuantizeLinear", inputs, -1, quantized, error);
    inputs[0] = quantized;
    if (status == VT_OK)
        status = add_linear(work, "DequantizeLinear", inputs, -1, dequantized, error);
    if (status == VT_OK)
        work->pairs[id] = dequantized;
    return status;
}

/* ---- weights ---- */

static int weight_axis(const vt_node *node)
{
    if (strcmp(node->op->name, "Conv") == 0)
        return 0;
    return strcmp(node->op->name, "Gemm") == 0 && vt_node_int(node, "transB", 0) != 0 ? 0 : 1;
}

typedef struct stored_weights {
    vt_tensor *values, *scales; /* taken */
    int axis;                   /* that the scales are along */
} stored_weights;

/* A stored tensor with its scales and, of weights, zero points. */
static vt_status store(rewriter *work, const char *base, const stored_weights *what,
                       vt_value_id *out, vt_error *error)
{
    vt_graph_copy *copy = &work->copy;
    vt_value_id inputs[3] = {VT_NO_VALUE, VT_NO_VALUE, VT_NO_VALUE};
    vt_tensor zeros = {0};
    bool zeroed = what->values->dtype == VT_I8; /* of an i32 it may be left out */
    vt_shape line = what->scales->shape;
    vt_status status =
        vt_graph_copy_constant(copy, base, "quantized", what->values, &inputs[0], error);
    if (status == VT_OK)
        status = vt_graph_copy_constant(copy, base, "scale", what->scales, &inputs[1], error);
    if (status == VT_OK && zeroed)
        status = vt_tensor_init(&zeros, VT_I8, &line, 0, error);
    if (status == VT_OK && zeroed)
        status = vt_graph_copy_constant(copy, base, "zero_point", &zeros, &inputs[2], error);
    if (status == VT_OK)
        status = vt_graph_copy_name(copy, base, "dequantized", out, error);
    return status == VT_OK ? add_linear(work, "DequantizeLinear", inputs, what->axis, *out, error)
                           : status;
}

/* What the integers of a node's weight or bias are named after: that, or the node's output where
 * others have integers of it too. */
static const char *stored_name(const rewriter *work, const vt_node *node, size_t input)
{
    vt_value_id id = node->inputs[input];
    return name_of(work, work->plan->reads[id] == 1 ? id : node->outputs[0]);
}

/* Replaces inputs 1 and 2 of a product by stored integers; inputs[0] is its activation. */
static vt_status add_weights(rewriter *work, const vt_node *node, vt_value_id *inputs,
                             vt_error *error)
{
    const vt_graph *in = work->copy.in;
    bool biased = node->input_count > 2 && node->inputs[2] != VT_NO_VALUE;
    const vt_tensor *bias = biased ? in->values[node->inputs[2]].constant : NULL;
    vt_quantize_weights made = {0};
    float scale = vt_quantize_scale(work->thresholds[node->inputs[0]],
                                    work->plan->non_negative[node->inputs[0]]);
    int axis = weight_axis(node);
    vt_status status = vt_quantize_weights_of(in->values[node->inputs[1]].constant, axis, bias,
                                              scale, &made, error);
    if (status == VT_OK)
        status = store(work, stored_name(work, node, 1),
                       &(stored_weights){&made.values, &made.scales, axis}, &inputs[1], error);
    if (status == VT_OK && biased)
        status = store(work, stored_name(work, node, 2),
                       &(stored_weights){&made.bias, &made.bias_scales, 0}, &inputs[2], error);
    vt_quantize_weights_deinit(&made);
    return status;
}

/* ---- the graph ---- */

static vt_status rewrite_node(rewriter *work, size_t n, vt_value_id *inputs, vt_value_id *outputs,
                              vt_error *error)
{
    const vt_node *from = &work->copy.in->nodes[n];
    vt_quantize_role role = work->plan->roles[n];
    bool quantized = work->plan->quantized[n];
    size_t activations = quantized ? vt_quantize_activations(from, role) : 0;
    size_t stored = quantized && role == VT_QUANTIZE_PRODUCT ? 3 : 0; /* weights and bias */
    vt_status status = VT_OK;
    for (size_t i = 0; i < from->input_count && status == VT_OK; i++) {
        if (i < activations)
            inputs[i] = work->pairs[from->inputs[i]];
        else if (i >= stored)
            status = vt_graph_copy_value(&work->copy, from->inputs[i], &inputs[i], error);
    }
    if (status == VT_OK && stored > 0)
        status = add_weights(work, from, inputs, error);
    for (size_t i = 0; i < from->output_count && status == VT_OK; i++)
        status = vt_graph_copy_value(&work->copy, from->outputs[i], &outputs[i], error);
    vt_node node = *from;
    node.inputs = inputs;
    node.outputs = outputs;
    if (status == VT_OK)
        status = vt_graph_add_node(work->copy.out, &node, error);
    for (size_t i = 0; i < from->output_count && status == VT_OK; i++)
        if (from->outputs[i] != VT_NO_VALUE)
            status = add_pair(work, from->outputs[i], error);
    return status;
}

static vt_status rewrite(rewriter *work, vt_error *error)
{
    const vt_graph *in = work->copy.in;
    size_t widest = 1;
    vt_status status = VT_OK;
    for (size_t n = 0; n < in->node_count; n++) {
        widest = in->nodes[n].input_count > widest ? in->nodes[n].input_count : widest;
        widest = in->nodes[n].output_count > widest ? in->nodes[n].output_count : widest;
    }
    vt_value_id *operands = vt_calloc(widest, 2 * sizeof(*operands));
    if (operands == NULL)
        return vt_fail_memory(error, "a node's operands");
    for (size_t i = 0; i < in->input_count && status == VT_OK; i++)
        status = add_pair(work, in->inputs[i], error);
    for (size_t n = 0; n < in->node_count && status == VT_OK; n++) {
        status = rewrite_node(work, n, operands, operands + widest, error);
        if (status != VT_OK) {
            char label[200];
            vt_node_label(in, &in->nodes[n], label, sizeof(label));
            vt_fail_context(error, status, "quantise %s", label);
        }
    }
    vt_free(operands);
    return status == VT_OK ? vt_graph_copy_finish(&work->copy, error) : status;
}

/* Of carried values those of their inputs; all others must be there. */
static vt_status fill_thresholds(rewriter *work, vt_error *error)
{
    const vt_quantize_plan *plan = work->plan;
    const vt_graph *graph = work->copy.in;
    memcpy(work->thresholds, plan->thresholds, graph->value_count * sizeof(*work->thresholds));
    for (size_t n = 0; n < graph->node_count; n++)
        if (plan->quantized[n] && plan->roles[n] == VT_QUANTIZE_CARRY)
            work->thresholds[graph->nodes[n].outputs[0]] =
                work->thresholds[graph->nodes[n].inputs[0]];
    for (size_t i = 0; i < graph->value_count; i++)
        if (plan->observed[i] && !(work->thresholds[i] >= 0 && isfinite(work->thresholds[i])))
            return vt_fail(error, VT_ERR_USAGE, "quantise value \"%.200s\": its threshold is %g",
                           graph->values[i].name, (double)work->thresholds[i]);
    return VT_OK;
}

static int opset_of(const vt_graph *graph)
{
    for (size_t n = 0; n < graph->node_count; n++)
        if (graph->nodes[n].op->domain[0] == '\0')
            return graph->nodes[n].opset;
    return VT_QUANTIZE_OPSET;
}

vt_status vt_quantize_graph(const vt_graph *in, const vt_quantize_plan *plan, vt_graph *out,
                            vt_error *error)
{
    rewriter work = {.plan = plan, .opset = opset_of(in)};
    vt_status status = vt_graph_copy_init(&work.copy, in, out, error);
    work.pairs = vt_alloc_array(in->value_count, sizeof(*work.pairs));
    work.thresholds = vt_calloc(in->value_count + 1, sizeof(*work.thresholds));
    if (status == VT_OK && (work.pairs == NULL || work.thresholds == NULL))
        status = vt_fail_memory(error, "a graph's values");
    for (size_t i = 0; status == VT_OK && i < in->value_count; i++)
        work.pairs[i] = VT_NO_VALUE;
    if (status == VT_OK)
        status = fill_thresholds(&work, error);
    if (status == VT_OK)
        status = rewrite(&work, error);
    vt_graph_copy_deinit(&work.copy);
    vt_free(work.pairs);
    vt_free(work.thresholds);
    if (status != VT_OK)
        vt_graph_deinit(out);
    return status;
}
