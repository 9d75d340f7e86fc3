/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A model with nodes of older operator sets, as operator set 13 writes it: node after node through
 * vt_quantize_raise (quantize_opset.c), which knows what changed.
 */
#include "nn/onnx_file.h"
#include "nn/quantize.h"
#include "nn/weights.h"

static vt_status raise_node(vt_graph_copy *copy, const vt_node *from, vt_error *error)
{
    const vt_shape unknown = {.rank = -1};
    vt_arena *arena = &copy->out->arena;
    vt_node node = *from;
    vt_status status = VT_OK;
    node.inputs = vt_arena_array(arena, from->input_count + 1, sizeof(*node.inputs));
    node.outputs = vt_arena_array(arena, from->output_count + 1, sizeof(*node.outputs));
    if (node.inputs == NULL || node.outputs == NULL)
        return vt_fail_memory(error, "a node");
    for (size_t i = 0; i < from->input_count && status == VT_OK; i++)
        status = vt_graph_copy_value(copy, from->inputs[i], &node.inputs[i], error);
    for (size_t i = 0; i < from->output_count && status == VT_OK; i++)
        status = vt_graph_copy_value(copy, from->outputs[i], &node.outputs[i], error);
    if (status == VT_OK)
        status = vt_quantize_raise(copy, &node, &unknown, error);
    return status == VT_OK ? vt_graph_add_node(copy->out, &node, error) : status;
}

vt_status vt_model_raise(const vt_model *model, vt_model **out, vt_error *error)
{
    vt_graph_copy copy = {0};
    vt_model *raised = vt_calloc(1, sizeof(*raised));
    if (raised == NULL)
        return vt_fail_memory(error, "a model");
    raised->producer = "vitrine";
    raised->name = "network";
    raised->ir_version = model->ir_version;
    raised->opset = model->opset < VT_QUANTIZE_OPSET ? VT_QUANTIZE_OPSET : model->opset;
    vt_graph_init(&raised->graph, &model->graph.limits);
    vt_status status = vt_graph_copy_init(&copy, &model->graph, &raised->graph, error);
    for (size_t n = 0; n < model->graph.node_count && status == VT_OK; n++)
        status = raise_node(&copy, &model->graph.nodes[n], error);
    if (status == VT_OK)
        status = vt_graph_copy_finish(&copy, error);
    vt_graph_copy_deinit(&copy);
    if (status != VT_OK) {
        vt_model_free(raised);
        return status;
    }
    *out = raised;
    return VT_OK;
}
