/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Changes to a model of one's own: another reader here, other numbers there, halves as f32, and
 * only what some outputs need.
 *
 * What is cut off keeps its memory until the model is freed; it is neither run nor written.
 */
#include "nn/builder.h"
#include "nn/graph.h"
#include "nn/onnx_file.h"
#include "nn/weights.h"

#include <string.h>

vt_status vt_model_dup(const vt_model *model, vt_model **out, vt_error *error)
{
    vt_builder *builder;
    vt_status status = vt_builder_from(model, &builder, error);
    return status == VT_OK ? vt_builder_finish(builder, out, error) : status;
}

static vt_status find_value(const vt_graph *graph, const char *name, vt_value_id *out,
                            vt_error *error)
{
    *out = vt_graph_find_value(graph, name);
    return *out != VT_NO_VALUE
               ? VT_OK
               : vt_fail(error, VT_ERR_NOT_FOUND, "the model has no value \"%.200s\"", name);
}

/* Marks what these values need; nodes: (node_count), values: (value_count). The graph is sorted, so
 * that one walk from its end sees every reader before its producers. */
static void mark_needed(const vt_graph *graph, bool *nodes, bool *values)
{
    for (size_t n = graph->node_count; n-- > 0;) {
        const vt_node *node = &graph->nodes[n];
        for (size_t i = 0; i < node->output_count; i++)
            if (node->outputs[i] != VT_NO_VALUE && values[node->outputs[i]])
                nodes[n] = true;
        for (size_t i = 0; i < node->input_count && nodes[n]; i++)
            if (node->inputs[i] != VT_NO_VALUE)
                values[node->inputs[i]] = true;
    }
}

typedef struct marks {
    bool *nodes, *values;
} marks;

static vt_status marks_init(const vt_graph *graph, marks *out, vt_error *error)
{
    out->nodes = vt_calloc(graph->node_count + 1, sizeof(bool));
    out->values = vt_calloc(graph->value_count + 1, sizeof(bool));
    if (out->nodes != NULL && out->values != NULL)
        return VT_OK;
    vt_free(out->nodes);
    vt_free(out->values);
    return vt_fail_memory(error, "a model's values");
}

static void marks_deinit(marks *marked)
{
    vt_free(marked->nodes);
    vt_free(marked->values);
}

vt_status vt_model_redirect(vt_model *model, const char *from, const char *to, vt_error *error)
{
    vt_graph *graph = &model->graph;
    vt_value_id old, new;
    marks makers;
    vt_status status = find_value(graph, from, &old, error);
    if (status == VT_OK)
        status = find_value(graph, to, &new, error);
    if (status == VT_OK)
        status = marks_init(graph, &makers, error);
    if (status != VT_OK)
        return status;
    makers.values[new] = true;
    mark_needed(graph, makers.nodes, makers.values);
    for (size_t n = 0; n < graph->node_count; n++) {
        vt_node *node = &graph->nodes[n];
        for (size_t i = 0; i < node->input_count && !makers.nodes[n]; i++)
            if (node->inputs[i] == old)
                node->inputs[i] = new;
    }
    for (size_t i = 0; i < graph->output_count; i++)
        if (graph->outputs[i] == old)
            graph->outputs[i] = new;
    marks_deinit(&makers);
    return vt_graph_finish(graph, error);
}

vt_status vt_model_weight_write(vt_model *model, const char *name, const float *values,
                                size_t count, vt_error *error)
{
    vt_graph *graph = &model->graph;
    vt_value_id id;
    vt_status status = find_value(graph, name, &id, error);
    if (status != VT_OK)
        return status;
    const vt_tensor *old = graph->values[id].constant;
    if (old == NULL || vt_tensor_count(old) != count)
        return vt_fail(error, VT_ERR_USAGE, "\"%.200s\" is no weight of %zu numbers", name, count);
    if (graph->values[id].lent != NULL)
        return vt_fail(error, VT_ERR_USAGE, "\"%.200s\" lies in a file: change a copy", name);
    vt_tensor tensor = {0};
    status = vt_tensor_init(&tensor, VT_F32, &old->shape, graph->limits.tensor_bytes, error);
    if (status != VT_OK)
        return status;
    memcpy(tensor.data, values, count * sizeof(*values));
    const vt_tensor *kept = NULL;
    status = vt_graph_keep_tensor(graph, &tensor, &kept, error);
    if (status == VT_OK) {
        graph->values[id].constant = kept;
        graph->values[id].dtype = VT_F32;
    }
    return status;
}

/* ---- half precision to f32 ---- */

static vt_status widen_tensor(vt_graph *graph, const vt_tensor **tensor, vt_error *error)
{
    vt_tensor wide = {0};
    if (!vt_dtype_is_half((*tensor)->dtype))
        return VT_OK;
    vt_status status = vt_tensor_cast(*tensor, VT_F32, &wide, error);
    return status == VT_OK ? vt_graph_keep_tensor(graph, &wide, tensor, error) : status;
}

/* Attributes that name a type ("to", "dtype") or are of one ("value"). */
static vt_status widen_node(vt_graph *graph, vt_node *node, vt_error *error)
{
    vt_status status = VT_OK;
    for (size_t i = 0; i < node->attr_count && status == VT_OK; i++) {
        vt_attr *attr = &node->attrs[i];
        bool names_type = strcmp(attr->name, "to") == 0 || strcmp(attr->name, "dtype") == 0;
        if (attr->kind == VT_ATTR_TENSOR)
            status = widen_tensor(graph, &attr->tensor, error);
        else if (attr->kind == VT_ATTR_INT && names_type &&
                 (attr->i == VT_F16 || attr->i == VT_BF16))
            attr->i = VT_F32;
    }
    return status;
}

vt_status vt_model_widen(vt_model *model, vt_error *error)
{
    vt_graph *graph = &model->graph;
    vt_status status = VT_OK;
    for (size_t i = 0; i < graph->value_count && status == VT_OK; i++) {
        vt_value *value = &graph->values[i];
        if (value->lent != NULL)
            return vt_fail(error, VT_ERR_USAGE, "\"%.200s\" lies in a file: change a copy",
                           value->name);
        if (value->constant != NULL)
            status = widen_tensor(graph, &value->constant, error);
        if (vt_dtype_is_half(value->dtype))
            value->dtype = VT_F32;
    }
    for (size_t n = 0; n < graph->node_count && status == VT_OK; n++)
        status = widen_node(graph, &graph->nodes[n], error);
    return status;
}

/* ---- shapes ---- */

static bool is_input(const vt_graph *graph, size_t value)
{
    for (size_t i = 0; i < graph->input_count; i++)
        if (graph->inputs[i] == value)
            return true;
    return false;
}

vt_status vt_model_reshape(vt_model *model, size_t input, const vt_shape *shape, vt_error *error)
{
    vt_graph *graph = &model->graph;
    if (input >= graph->input_count)
        return vt_fail(error, VT_ERR_USAGE, "the model has %zu inputs, there is no input %zu",
                       graph->input_count, input);
    for (size_t i = 0; i < graph->value_count; i++) {
        vt_value *value = &graph->values[i];
        if (value->constant == NULL && !is_input(graph, i))
            value->shape = (vt_shape){.rank = -1};
    }
    graph->values[graph->inputs[input]].shape = *shape;
    return VT_OK;
}

/* ---- cutting ---- */

/* Cuts off what is not marked. */
static void cut(vt_graph *graph, const marks *needed)
{
    size_t kept = 0;
    for (size_t n = 0; n < graph->node_count; n++)
        if (needed->nodes[n])
            graph->nodes[kept++] = graph->nodes[n];
    graph->node_count = kept;
    for (size_t i = 0; i < graph->value_count; i++)
        if (!needed->values[i])
            graph->values[i].constant = NULL;
    kept = 0;
    for (size_t i = 0; i < graph->input_count; i++)
        if (needed->values[graph->inputs[i]])
            graph->inputs[kept++] = graph->inputs[i];
    graph->input_count = kept;
}

vt_status vt_model_prune(vt_model *model, const char *const *outputs, size_t count, vt_error *error)
{
    vt_graph *graph = &model->graph;
    marks needed;
    vt_value_id id;
    vt_value_id *ids = vt_alloc_array(count + 1, sizeof(*ids));
    vt_status status = ids == NULL ? vt_fail_memory(error, "outputs") : VT_OK;
    for (size_t i = 0; outputs != NULL && i < count && status == VT_OK; i++) {
        status = find_value(graph, outputs[i], &id, error);
        ids[i] = id;
    }
    if (status == VT_OK && outputs != NULL)
        status = vt_graph_set_outputs(graph, ids, count, error);
    vt_free(ids);
    if (status == VT_OK)
        status = marks_init(graph, &needed, error);
    if (status != VT_OK)
        return status;
    for (size_t i = 0; i < graph->output_count; i++)
        needed.values[graph->outputs[i]] = true;
    mark_needed(graph, needed.nodes, needed.values);
    cut(graph, &needed);
    marks_deinit(&needed);
    return vt_graph_finish(graph, error);
}
