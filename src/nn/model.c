/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Models: opening, what they say about themselves, and where an embedding can be taken from.
 */
#include "nn/onnx_export.h"
#include "nn/onnx_file.h"
#include "nn/plan.h"

#include <string.h>

vt_model_limits vt_model_limits_defaults(void)
{
    return (vt_model_limits){.file_bytes = (size_t)2 << 30,
                             .nodes = 100000,
                             .initializers = 100000,
                             .dimension = INT64_C(1) << 31,
                             .tensor_bytes = (size_t)4 << 30};
}

static vt_status model_new(const vt_model_limits *limits, vt_model **out, vt_error *error)
{
    vt_model *model = vt_calloc(1, sizeof(*model));
    if (model == NULL)
        return vt_fail_memory(error, "a model");
    vt_graph_init(&model->graph, limits);
    *out = model;
    return VT_OK;
}

/* The file stays mapped with the graph if weights stay in it. */
static vt_status model_read(vt_model *model, const char *path, const char *directory,
                            vt_error *error)
{
    vt_graph *graph = &model->graph;
    vt_mapping mapping;
    vt_status status = vt_mapping_open(path, graph->limits.file_bytes, &mapping, error);
    if (status == VT_OK)
        status = vt_graph_keep_mapping(graph, &mapping, error);
    if (status != VT_OK)
        return status;
    vt_onnx_source source = {graph->mappings[0].bytes, graph->mappings[0].length, .lasting = true};
    status = vt_onnx_import(&source, directory, graph, model, error);
    if (!source.lent)
        vt_mapping_close(&graph->mappings[0]);
    vt_graph_release_pages(graph);
    return status;
}

vt_status vt_model_open(const char *path, const vt_model_limits *limits, vt_model **out,
                        vt_error *error)
{
    vt_model *model = NULL;
    size_t prefix = (size_t)(vt_path_base(path) - path);
    char *directory = prefix == 0 ? vt_strdup(".") : vt_strndup(path, prefix);
    vt_status status = directory == NULL ? vt_fail_memory(error, "a path") : VT_OK;
    if (status == VT_OK)
        status = model_new(limits, &model, error);
    if (status == VT_OK)
        status = model_read(model, path, model->graph.limits.one_file ? NULL : directory, error);
    vt_free(directory);
    if (status == VT_OK) {
        *out = model;
        return VT_OK;
    }
    vt_model_free(model);
    return vt_fail_context(error, status, "open model \"%.200s\"", path);
}

vt_status vt_model_parse(const void *bytes, size_t length, const vt_model_limits *limits,
                         vt_model **out, vt_error *error)
{
    vt_model *model = NULL;
    vt_status status = model_new(limits, &model, error);
    if (status != VT_OK)
        return status;
    if (length > model->graph.limits.file_bytes)
        status = vt_fail(error, VT_ERR_LIMIT, "read the model: %zu bytes, at most %zu are allowed",
                         length, model->graph.limits.file_bytes);
    if (status == VT_OK)
        status = vt_onnx_import(&(vt_onnx_source){.bytes = bytes, .length = length}, NULL,
                                &model->graph, model, error);
    if (status != VT_OK)
        vt_model_free(model);
    else
        *out = model;
    return status;
}

void vt_model_release_pages(const vt_model *model)
{
    vt_graph_release_pages(&model->graph);
}

void vt_model_free(vt_model *model)
{
    if (model == NULL)
        return;
    vt_graph_deinit(&model->graph);
    vt_free(model);
}

/* ---- what it says about itself ---- */

static vt_value_info value_info(const vt_model *model, vt_value_id id)
{
    const vt_value *value = &model->graph.values[id];
    return (vt_value_info){.name = value->name, .dtype = value->dtype, .shape = value->shape};
}

size_t vt_model_input_count(const vt_model *model)
{
    return model->graph.input_count;
}

vt_value_info vt_model_input(const vt_model *model, size_t index)
{
    return value_info(model, model->graph.inputs[index]);
}

size_t vt_model_output_count(const vt_model *model)
{
    return model->graph.output_count;
}

vt_value_info vt_model_output(const vt_model *model, size_t index)
{
    return value_info(model, model->graph.outputs[index]);
}

const char *vt_model_metadata(const vt_model *model, const char *key)
{
    for (size_t i = 0; i < model->metadata_count; i++)
        if (strcmp(model->keys[i], key) == 0)
            return model->texts[i];
    return NULL;
}

vt_model_summary vt_model_summary_of(const vt_model *model)
{
    vt_model_summary summary = {.producer = model->producer,
                                .graph_name = model->name,
                                .ir_version = model->ir_version,
                                .opset = model->opset,
                                .nodes = model->graph.node_count};
    for (size_t i = 0; i < model->graph.value_count; i++) {
        const vt_tensor *constant = model->graph.values[i].constant;
        summary.parameters += constant == NULL ? 0 : vt_tensor_count(constant);
        summary.parameter_bytes += constant == NULL ? 0 : constant->bytes;
    }
    return summary;
}

vt_status vt_model_write(const vt_model *model, vt_buf *out, vt_error *error)
{
    vt_onnx_export_options options = vt_onnx_export_options_defaults();
    options.producer = model->producer;
    options.graph_name = model->name;
    options.keys = model->keys;
    options.texts = model->texts;
    options.metadata_count = model->metadata_count;
    options.ir_version = model->ir_version;
    if (model->opset > 0)
        options.opset = model->opset;
    return vt_onnx_export(&model->graph, &options, out, error);
}

bool vt_model_has_value(const vt_model *model, const char *name)
{
    return vt_graph_find_value(&model->graph, name) != VT_NO_VALUE;
}

/* ---- node by node ---- */

typedef struct node_visitor {
    void (*visit)(void *context, const vt_node_info *node);
    void *context;
} node_visitor;

static void node_visit(const vt_plan *plan, const vt_node *node, vt_tensor *operands,
                       const node_visitor *visitor)
{
    vt_op_args args;
    const vt_graph *graph = plan->graph;
    vt_plan_args(plan, node, operands, operands + node->input_count, &args);
    bool named = node->output_count > 0 && node->outputs[0] != VT_NO_VALUE;
    vt_node_info info = {.op_type = node->op->name,
                         .name = node->name,
                         .output = named ? graph->values[node->outputs[0]].name : "",
                         .shape = {.rank = -1}};
    /* Nodes that no output needs were never inferred. */
    if (named && args.outputs[0].dtype != VT_DTYPE_NONE) {
        info.shape = args.outputs[0].shape;
        info.macs = node->op->macs == NULL ? 0 : node->op->macs(&args);
    }
    visitor->visit(visitor->context, &info);
}

static vt_status nodes_visit(const vt_plan *plan, const node_visitor *visitor, vt_error *error)
{
    const vt_graph *graph = plan->graph;
    size_t widest = 1;
    for (size_t n = 0; n < graph->node_count; n++) {
        size_t operands = graph->nodes[n].input_count + graph->nodes[n].output_count;
        widest = operands > widest ? operands : widest;
    }
    vt_tensor *operands = vt_calloc(widest, sizeof(*operands));
    if (operands == NULL)
        return vt_fail_memory(error, "operands");
    for (size_t n = 0; n < graph->node_count; n++)
        node_visit(plan, &graph->nodes[n], operands, visitor);
    vt_free(operands);
    return VT_OK;
}

vt_status vt_model_each_node(const vt_model *model, const vt_shape *input_shapes,
                             void (*visit)(void *context, const vt_node_info *node), void *context,
                             vt_error *error)
{
    const vt_graph *graph = &model->graph;
    vt_plan *plan;
    vt_shape *shapes = vt_calloc(graph->input_count, sizeof(*shapes));
    if (shapes == NULL)
        return vt_fail_memory(error, "shapes");
    for (size_t i = 0; i < graph->input_count; i++) {
        shapes[i] = input_shapes == NULL ? graph->values[graph->inputs[i]].shape : input_shapes[i];
        for (int d = 0; d < shapes[i].rank && input_shapes == NULL; d++)
            shapes[i].dims[d] = shapes[i].dims[d] < 0 ? 1 : shapes[i].dims[d];
    }
    vt_status status =
        vt_plan_new(graph, shapes, graph->outputs, graph->output_count, &plan, error);
    vt_free(shapes);
    if (status != VT_OK)
        return status;
    status = nodes_visit(plan, &(node_visitor){visit, context}, error);
    vt_plan_free(plan);
    return status;
}

/* ---- the embedding ---- */

static bool name_is_in(const char *name, const char *const *names)
{
    for (; *names != NULL; names++)
        if (strcmp(name, *names) == 0)
            return true;
    return false;
}

/* The first input that is no constant; VT_NO_VALUE: none. */
static vt_value_id computed_input(const vt_graph *graph, const vt_node *node)
{
    for (size_t i = 0; i < node->input_count; i++) {
        vt_value_id id = node->inputs[i];
        if (id != VT_NO_VALUE && graph->values[id].constant == NULL &&
            (graph->values[id].producer == UINT32_MAX ||
             graph->nodes[graph->values[id].producer].input_count > 0))
            return id;
    }
    return VT_NO_VALUE;
}

const char *vt_model_feature_output(const vt_model *model)
{
    static const char *const classifiers[] = {"Gemm", "MatMul", "Conv", NULL};
    static const char *const passed[] = {"Reshape",       "Flatten",   "Squeeze",
                                         "Unsqueeze",     "Transpose", "Identity",
                                         "Cast",          "Dropout",   "GlobalAveragePool",
                                         "GlobalMaxPool", "MaxPool",   "AveragePool",
                                         "ReduceMean",    "Softmax",   "LogSoftmax",
                                         "Relu",          "LeakyRelu", "Sigmoid",
                                         "HardSigmoid",   "Tanh",      "Clip",
                                         "Elu",           "Selu",      "PRelu",
                                         "Add",           "Hardmax",   "HardSwish",
                                         "Softplus",      NULL};
    const vt_graph *graph = &model->graph;
    vt_value_id at = graph->output_count > 0 ? graph->outputs[0] : VT_NO_VALUE;
    /* Each step goes to an earlier node, so this ends. */
    while (at != VT_NO_VALUE && graph->values[at].producer != UINT32_MAX) {
        const vt_node *node = &graph->nodes[graph->values[at].producer];
        vt_value_id before = computed_input(graph, node);
        if (name_is_in(node->op->name, classifiers))
            return before == VT_NO_VALUE ? NULL : graph->values[before].name;
        if (!name_is_in(node->op->name, passed))
            return NULL;
        /* A bias is added; a second computed branch is a network that goes on. */
        if (strcmp(node->op->name, "Add") == 0 && node->input_count == 2 &&
            graph->values[node->inputs[0]].constant == NULL &&
            graph->values[node->inputs[1]].constant == NULL)
            return NULL;
        at = before;
    }
    return NULL;
}

/* ---- quantisation ---- */

bool vt_model_is_quantized(const vt_model *model)
{
    for (size_t n = 0; n < model->graph.node_count; n++)
        if (vt_op_is_quantized(model->graph.nodes[n].op))
            return true;
    return false;
}
