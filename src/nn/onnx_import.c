/* SPDX-License-Identifier: Apache-2.0 */
/*
 * An ONNX file to a graph.
 *
 * The protobuf is checked (onnx_file.c) and unpacked on a budget without its weights
 * (onnx_skeleton.c), then read in the order weights, inputs, nodes, outputs. Large weights stay
 * where they are when the file outlives the graph (constants.c), others are copied.
 * Everything that this program cannot honour is refused with the node's name: other operator sets,
 * subgraphs, sparse and text tensors.
 */
#include "nn/onnx_import.h"

#include <string.h>

enum { MAXIMUM_DOMAINS = 64 };

const char *vt_onnx_text(const char *text)
{
    return text == NULL ? "" : text;
}

const char *vt_onnx_domain(const char *domain)
{
    return domain == NULL || strcmp(domain, "ai.onnx") == 0 ? "" : domain;
}

/* ---- the model around the graph ---- */

int64_t vt_onnx_opset_of(const vt_onnx_scope *scope, const char *domain)
{
    for (size_t i = 0; i < scope->opset_count; i++)
        if (strcmp(vt_onnx_domain(scope->opsets[i]->domain), domain) == 0)
            return scope->opsets[i]->version;
    return -1;
}

static vt_onnx_scope main_scope(const vt_onnx_importer *in)
{
    return (vt_onnx_scope){.opsets = in->proto->opset_import,
                           .opset_count = in->proto->n_opset_import};
}

static vt_status import_opsets(vt_onnx_importer *in, vt_error *error)
{
    if (in->proto->n_opset_import > MAXIMUM_DOMAINS)
        return vt_fail(error, VT_ERR_LIMIT, "read the model: %zu operator sets",
                       in->proto->n_opset_import);
    vt_onnx_scope scope = main_scope(in);
    int64_t opset = vt_onnx_opset_of(&scope, "");
    if (opset >= 0 && (opset < VT_OPSET_OLDEST || opset > VT_OPSET_NEWEST))
        return vt_fail(error, VT_ERR_UNSUPPORTED,
                       "read the model: operator set %lld, supported are %d to %d",
                       (long long)opset, VT_OPSET_OLDEST, VT_OPSET_NEWEST);
    in->model->opset = opset;
    return VT_OK;
}

static vt_status import_metadata(vt_onnx_importer *in, vt_error *error)
{
    struct vt_model *model = in->model;
    vt_arena *arena = &in->graph->arena;
    size_t count = in->proto->n_metadata_props;
    model->ir_version = in->proto->ir_version;
    model->producer = vt_arena_strdup(arena, vt_onnx_text(in->proto->producer_name));
    model->name = vt_arena_strdup(arena, vt_onnx_text(in->proto->graph->name));
    model->keys = vt_arena_array(arena, count + 1, sizeof(*model->keys));
    model->texts = vt_arena_array(arena, count + 1, sizeof(*model->texts));
    bool held = model->producer != NULL && model->name != NULL && model->keys != NULL &&
                model->texts != NULL;
    for (size_t i = 0; i < count && held; i++) {
        const Onnx__StringStringEntryProto *entry = in->proto->metadata_props[i];
        model->keys[i] = vt_arena_strdup(arena, vt_onnx_text(entry->key));
        model->texts[i] = vt_arena_strdup(arena, vt_onnx_text(entry->value));
        held = model->keys[i] != NULL && model->texts[i] != NULL;
        model->metadata_count = held ? i + 1 : i;
    }
    return held ? VT_OK : vt_fail_memory(error, "the model's metadata");
}

/* ---- values ---- */

vt_status vt_onnx_value_named(vt_onnx_importer *in, const char *name, vt_value_id *out,
                              vt_error *error)
{
    vt_value_id id = vt_graph_find_value(in->graph, name);
    if (id == VT_NO_VALUE)
        return vt_graph_add_value(in->graph, name, out, error);
    *out = id;
    return VT_OK;
}

/* What the file calls the open dimensions; NULL when it names none. */
static vt_status import_symbols(vt_onnx_importer *in, const Onnx__TensorShapeProto *dims,
                                const char *const **out, vt_error *error)
{
    const char **symbols = NULL;
    for (size_t i = 0; i < dims->n_dim; i++) {
        const Onnx__TensorShapeProto__Dimension *dim = dims->dim[i];
        if (dim->value_case != ONNX__TENSOR_SHAPE_PROTO__DIMENSION__VALUE_DIM_PARAM ||
            vt_onnx_text(dim->dim_param)[0] == '\0')
            continue;
        if (symbols == NULL)
            symbols = vt_arena_array(&in->graph->arena, dims->n_dim, sizeof(*symbols));
        if (symbols == NULL ||
            (symbols[i] = vt_arena_strdup(&in->graph->arena, dim->dim_param)) == NULL)
            return vt_fail_memory(error, "the names of dimensions");
    }
    *out = symbols;
    return VT_OK;
}

/* Declared type and shape; rank -1 when the file says nothing about the shape. */
static vt_status import_type(vt_onnx_importer *in, const Onnx__ValueInfoProto *info,
                             vt_value *value, vt_error *error)
{
    const Onnx__TypeProto *type = info->type;
    if (type == NULL || type->value_case != ONNX__TYPE_PROTO__VALUE_TENSOR_TYPE)
        return vt_fail(error, VT_ERR_UNSUPPORTED, "value \"%.100s\" is not declared as a tensor",
                       vt_onnx_text(info->name));
    int32_t element = type->tensor_type->elem_type;
    if (element < 0 || element > VT_BF16 || vt_dtype_bytes((vt_dtype)element) == 0)
        return vt_fail(error, VT_ERR_UNSUPPORTED,
                       "value \"%.100s\" has element type %d, which is not supported",
                       vt_onnx_text(info->name), (int)element);
    const Onnx__TensorShapeProto *dims = type->tensor_type->shape;
    if (dims == NULL) {
        value->dtype = (vt_dtype)element;
        return VT_OK;
    }
    if (dims->n_dim > VT_MAX_RANK)
        return vt_fail(error, VT_ERR_UNSUPPORTED,
                       "value \"%.100s\" has %zu dimensions, at most %d are supported",
                       vt_onnx_text(info->name), dims->n_dim, VT_MAX_RANK);
    vt_status status = import_symbols(in, dims, &value->symbols, error);
    if (status != VT_OK)
        return status;
    value->dtype = (vt_dtype)element;
    value->shape = (vt_shape){.rank = (int)dims->n_dim};
    for (size_t i = 0; i < dims->n_dim; i++) {
        const Onnx__TensorShapeProto__Dimension *dim = dims->dim[i];
        bool known = dim->value_case == ONNX__TENSOR_SHAPE_PROTO__DIMENSION__VALUE_DIM_VALUE;
        value->shape.dims[i] = known && dim->dim_value >= 0 ? dim->dim_value : -1;
    }
    return VT_OK;
}

static vt_status import_initializer(vt_onnx_importer *in, Onnx__TensorProto *proto, vt_error *error)
{
    vt_tensor tensor;
    vt_value_id id;
    vt_status status = vt_onnx_read_tensor(in, proto, false, &tensor, error);
    if (status != VT_OK)
        return vt_fail_context(error, status, "read weight \"%.100s\"", vt_onnx_text(proto->name));
    for (int i = 0; i < tensor.shape.rank && status == VT_OK; i++)
        if (tensor.shape.dims[i] > in->graph->limits.dimension)
            status = vt_fail(error, VT_ERR_LIMIT, "read weight \"%.100s\": a dimension of %lld",
                             vt_onnx_text(proto->name), (long long)tensor.shape.dims[i]);
    if (status == VT_OK)
        status = vt_graph_add_value(in->graph, vt_onnx_text(proto->name), &id, error);
    if (status != VT_OK) {
        vt_tensor_deinit(&tensor);
        return status;
    }
    bool borrowed = !tensor.owned && tensor.bytes > 0;
    status = vt_graph_set_constant(in->graph, id, &tensor, error);
    return status == VT_OK && borrowed ? vt_graph_lend(in->graph, id, error) : status;
}

static vt_status import_initializers(vt_onnx_importer *in, vt_error *error)
{
    const Onnx__GraphProto *graph = in->proto->graph;
    vt_status status = VT_OK;
    if (graph->n_initializer > in->graph->limits.initializers)
        return vt_fail(error, VT_ERR_LIMIT, "read the model: %zu weights, at most %zu are allowed",
                       graph->n_initializer, in->graph->limits.initializers);
    if (graph->n_sparse_initializer > 0)
        return vt_fail(error, VT_ERR_UNSUPPORTED, "read the model: sparse weights");
    for (size_t i = 0; i < graph->n_initializer && status == VT_OK; i++)
        status = import_initializer(in, graph->initializer[i], error);
    return status;
}

/* Inputs with a weight of the same name are that weight's declaration. */
static vt_status import_inputs(vt_onnx_importer *in, vt_error *error)
{
    const Onnx__GraphProto *graph = in->proto->graph;
    size_t count = 0;
    vt_status status = VT_OK;
    vt_value_id *ids = vt_arena_array(&in->scratch, graph->n_input + 1, sizeof(*ids));
    if (ids == NULL)
        return vt_fail_memory(error, "the model's inputs");
    for (size_t i = 0; i < graph->n_input && status == VT_OK; i++) {
        const Onnx__ValueInfoProto *info = graph->input[i];
        vt_value_id id = vt_graph_find_value(in->graph, vt_onnx_text(info->name));
        if (id != VT_NO_VALUE && in->graph->values[id].constant != NULL)
            continue;
        status = vt_graph_add_value(in->graph, vt_onnx_text(info->name), &ids[count], error);
        if (status == VT_OK) {
            vt_value *value = &in->graph->values[ids[count++]];
            status = import_type(in, info, value, error);
        }
    }
    if (status == VT_OK)
        status = vt_graph_set_inputs(in->graph, ids, count, error);
    vt_arena_reset(&in->scratch);
    return status;
}

static vt_status import_outputs(vt_onnx_importer *in, vt_error *error)
{
    const Onnx__GraphProto *graph = in->proto->graph;
    vt_status status = VT_OK;
    vt_value_id *ids = vt_arena_array(&in->scratch, graph->n_output + 1, sizeof(*ids));
    if (ids == NULL)
        return vt_fail_memory(error, "the model's outputs");
    if (graph->n_output == 0)
        return vt_fail(error, VT_ERR_FORMAT, "read the model: it has no output");
    for (size_t i = 0; i < graph->n_output && status == VT_OK; i++) {
        const Onnx__ValueInfoProto *info = graph->output[i];
        status = vt_onnx_value_named(in, vt_onnx_text(info->name), &ids[i], error);
        if (status != VT_OK)
            break;
        vt_value *value = &in->graph->values[ids[i]];
        if (value->dtype == VT_DTYPE_NONE && info->type != NULL)
            status = import_type(in, info, value, error);
    }
    if (status == VT_OK)
        status = vt_graph_set_outputs(in->graph, ids, graph->n_output, error);
    vt_arena_reset(&in->scratch);
    return status;
}

/* What the file says about values on the way, so that it can be written back. Nothing here hangs
 * on it (shapes are inferred), so what is unknown or unsupported is passed over. */
static vt_status import_value_info(vt_onnx_importer *in, vt_error *error)
{
    const Onnx__GraphProto *graph = in->proto->graph;
    for (size_t i = 0; i < graph->n_value_info; i++) {
        const Onnx__ValueInfoProto *info = graph->value_info[i];
        vt_value_id id = vt_graph_find_value(in->graph, vt_onnx_text(info->name));
        if (id == VT_NO_VALUE || in->graph->values[id].dtype != VT_DTYPE_NONE)
            continue;
        vt_status status = import_type(in, info, &in->graph->values[id], NULL);
        if (status == VT_ERR_NO_MEMORY)
            return vt_fail_memory(error, "the names of dimensions");
    }
    return VT_OK;
}

/* ---- all of it ---- */

static vt_status import_nodes(vt_onnx_importer *in, vt_error *error)
{
    const Onnx__GraphProto *graph = in->proto->graph;
    vt_status status = VT_OK;
    if (graph->n_node > in->graph->limits.nodes)
        return vt_fail(error, VT_ERR_LIMIT, "read the model: %zu nodes, at most %zu are allowed",
                       graph->n_node, in->graph->limits.nodes);
    vt_onnx_scope scope = main_scope(in);
    for (size_t i = 0; i < graph->n_node && status == VT_OK; i++) {
        status = vt_onnx_import_node(in, &scope, graph->node[i], error);
        vt_arena_reset(&in->scratch);
    }
    return status;
}

static vt_status import_model(vt_onnx_importer *in, vt_error *error)
{
    if (in->proto->graph == NULL)
        return vt_fail(error, VT_ERR_FORMAT, "read the model: it has no graph");
    vt_status status = import_opsets(in, error);
    if (status == VT_OK)
        status = import_metadata(in, error);
    if (status == VT_OK)
        status = import_initializers(in, error);
    if (status == VT_OK)
        status = import_inputs(in, error);
    if (status == VT_OK)
        status = vt_onnx_functions_init(in, error);
    if (status == VT_OK)
        status = import_nodes(in, error);
    if (status == VT_OK)
        status = import_outputs(in, error);
    if (status == VT_OK)
        status = import_value_info(in, error);
    if (status == VT_OK)
        status = vt_graph_finish(in->graph, error);
    return status == VT_OK ? vt_onnx_functions_check(in, error) : status;
}

/* Unpacks the file without its weights; the caller's (the budget's allocator). */
static vt_status model_unpack(const vt_onnx_source *source, vt_onnx_budget *budget,
                              Onnx__ModelProto **out, vt_error *error)
{
    vt_buf skeleton;
    vt_buf_init(&skeleton, SIZE_MAX / 2);
    vt_status status =
        vt_onnx_scan(source->bytes, source->length, &onnx__model_proto__descriptor, error);
    if (status == VT_OK)
        status = vt_onnx_skeleton(source->bytes, source->length, &skeleton, error);
    if (status == VT_OK) {
        vt_onnx_budget_init(budget, skeleton.length);
        *out = onnx__model_proto__unpack(&budget->allocator, skeleton.length,
                                         (const uint8_t *)skeleton.data);
        if (*out == NULL)
            status = vt_onnx_unpack_failed(budget, "the model", error);
    }
    vt_buf_deinit(&skeleton);
    return status;
}

vt_status vt_onnx_import(vt_onnx_source *source, const char *directory, vt_graph *graph,
                         struct vt_model *model, vt_error *error)
{
    vt_onnx_budget budget;
    Onnx__ModelProto *proto = NULL;
    vt_onnx_importer in = {.graph = graph,
                           .model = model,
                           .budget = &budget,
                           .source = source,
                           .external = {.directory = directory, .graph = graph}};
    vt_status status = model_unpack(in.source, &budget, &proto, error);
    if (status != VT_OK)
        return status;
    in.proto = proto;
    vt_arena_init(&in.scratch, (size_t)1 << 32);
    status = import_model(&in, error);
    vt_onnx_functions_deinit(&in);
    vt_arena_deinit(&in.scratch);
    vt_onnx_external_close(&in.external);
    onnx__model_proto__free_unpacked(proto, &budget.allocator);
    return status;
}
