/* SPDX-License-Identifier: Apache-2.0 */
/*
 * An ONNX file to a graph.
 *
 * The protobuf is checked and unpacked on a budget (onnx_file.c), then read in the order inputs,
 * weights, nodes, outputs; weights give their memory to the graph instead of being copied.
 * Everything that this program cannot honour is refused here with the node's name: other operator
 * sets, functions local to the model, subgraphs, sparse and text tensors, attributes that refer to
 * a function.
 */
#include "nn/onnx_file.h"

#include <stdio.h>
#include <string.h>

enum { MAXIMUM_DOMAINS = 64, LABEL_BYTES = 200 };

typedef struct importer {
    vt_graph *graph;
    struct vt_model *model;
    const Onnx__ModelProto *proto;
    vt_onnx_external external;
    vt_arena scratch; /* arrays of one node while it is read */
} importer;

static const char *text_or_empty(const char *text)
{
    return text == NULL ? "" : text;
}

/* ---- the model around the graph ---- */

static int64_t opset_of(const importer *in, const char *domain)
{
    for (size_t i = 0; i < in->proto->n_opset_import; i++) {
        const Onnx__OperatorSetIdProto *set = in->proto->opset_import[i];
        const char *name = text_or_empty(set->domain);
        if (strcmp(strcmp(name, "ai.onnx") == 0 ? "" : name, domain) == 0)
            return set->version;
    }
    return -1;
}

static vt_status import_opsets(importer *in, vt_error *error)
{
    if (in->proto->n_opset_import > MAXIMUM_DOMAINS)
        return vt_fail(error, VT_ERR_LIMIT, "read the model: %zu operator sets",
                       in->proto->n_opset_import);
    int64_t opset = opset_of(in, "");
    if (opset >= 0 && (opset < VT_OPSET_OLDEST || opset > VT_OPSET_NEWEST))
        return vt_fail(error, VT_ERR_UNSUPPORTED,
                       "read the model: operator set %lld, supported are %d to %d",
                       (long long)opset, VT_OPSET_OLDEST, VT_OPSET_NEWEST);
    in->model->opset = opset;
    if (in->proto->n_functions > 0)
        return vt_fail(error, VT_ERR_UNSUPPORTED,
                       "read the model: functions local to the model (\"%.80s\") are not supported",
                       text_or_empty(in->proto->functions[0]->name));
    return VT_OK;
}

static vt_status import_metadata(importer *in, vt_error *error)
{
    struct vt_model *model = in->model;
    vt_arena *arena = &in->graph->arena;
    size_t count = in->proto->n_metadata_props;
    model->ir_version = in->proto->ir_version;
    model->producer = vt_arena_strdup(arena, text_or_empty(in->proto->producer_name));
    model->name = vt_arena_strdup(arena, text_or_empty(in->proto->graph->name));
    model->keys = vt_arena_array(arena, count + 1, sizeof(*model->keys));
    model->texts = vt_arena_array(arena, count + 1, sizeof(*model->texts));
    bool held = model->producer != NULL && model->name != NULL && model->keys != NULL &&
                model->texts != NULL;
    for (size_t i = 0; i < count && held; i++) {
        const Onnx__StringStringEntryProto *entry = in->proto->metadata_props[i];
        model->keys[i] = vt_arena_strdup(arena, text_or_empty(entry->key));
        model->texts[i] = vt_arena_strdup(arena, text_or_empty(entry->value));
        held = model->keys[i] != NULL && model->texts[i] != NULL;
        model->metadata_count = held ? i + 1 : i;
    }
    return held ? VT_OK : vt_fail_memory(error, "the model's metadata");
}

/* ---- values ---- */

static vt_status value_named(importer *in, const char *name, vt_value_id *out, vt_error *error)
{
    vt_value_id id = vt_graph_find_value(in->graph, name);
    if (id == VT_NO_VALUE)
        return vt_graph_add_value(in->graph, name, out, error);
    *out = id;
    return VT_OK;
}

/* What the file calls the open dimensions; NULL when it names none. */
static vt_status import_symbols(importer *in, const Onnx__TensorShapeProto *dims,
                                const char *const **out, vt_error *error)
{
    const char **symbols = NULL;
    for (size_t i = 0; i < dims->n_dim; i++) {
        const Onnx__TensorShapeProto__Dimension *dim = dims->dim[i];
        if (dim->value_case != ONNX__TENSOR_SHAPE_PROTO__DIMENSION__VALUE_DIM_PARAM ||
            text_or_empty(dim->dim_param)[0] == '\0')
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
static vt_status import_type(importer *in, const Onnx__ValueInfoProto *info, vt_value *value,
                             vt_error *error)
{
    const Onnx__TypeProto *type = info->type;
    if (type == NULL || type->value_case != ONNX__TYPE_PROTO__VALUE_TENSOR_TYPE)
        return vt_fail(error, VT_ERR_UNSUPPORTED, "value \"%.100s\" is not declared as a tensor",
                       text_or_empty(info->name));
    int32_t element = type->tensor_type->elem_type;
    if (element < 0 || element > VT_BF16 || vt_dtype_bytes((vt_dtype)element) == 0)
        return vt_fail(error, VT_ERR_UNSUPPORTED,
                       "value \"%.100s\" has element type %d, which is not supported",
                       text_or_empty(info->name), (int)element);
    const Onnx__TensorShapeProto *dims = type->tensor_type->shape;
    if (dims == NULL) {
        value->dtype = (vt_dtype)element;
        return VT_OK;
    }
    if (dims->n_dim > VT_MAX_RANK)
        return vt_fail(error, VT_ERR_UNSUPPORTED,
                       "value \"%.100s\" has %zu dimensions, at most %d are supported",
                       text_or_empty(info->name), dims->n_dim, VT_MAX_RANK);
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

static vt_status import_initializer(importer *in, Onnx__TensorProto *proto, vt_error *error)
{
    vt_tensor tensor;
    vt_value_id id;
    size_t limit = in->graph->limits.tensor_bytes;
    vt_status status = vt_onnx_is_external(proto)
                           ? vt_onnx_external_read(&in->external, proto, limit, &tensor, error)
                           : vt_tensor_from_proto(proto, limit, &tensor, error);
    if (status != VT_OK)
        return vt_fail_context(error, status, "read weight \"%.100s\"", text_or_empty(proto->name));
    for (int i = 0; i < tensor.shape.rank && status == VT_OK; i++)
        if (tensor.shape.dims[i] > in->graph->limits.dimension)
            status = vt_fail(error, VT_ERR_LIMIT, "read weight \"%.100s\": a dimension of %lld",
                             text_or_empty(proto->name), (long long)tensor.shape.dims[i]);
    if (status == VT_OK)
        status = vt_graph_add_value(in->graph, text_or_empty(proto->name), &id, error);
    if (status != VT_OK) {
        vt_tensor_deinit(&tensor);
        return status;
    }
    return vt_graph_set_constant(in->graph, id, &tensor, error);
}

static vt_status import_initializers(importer *in, vt_error *error)
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
static vt_status import_inputs(importer *in, vt_error *error)
{
    const Onnx__GraphProto *graph = in->proto->graph;
    size_t count = 0;
    vt_status status = VT_OK;
    vt_value_id *ids = vt_arena_array(&in->scratch, graph->n_input + 1, sizeof(*ids));
    if (ids == NULL)
        return vt_fail_memory(error, "the model's inputs");
    for (size_t i = 0; i < graph->n_input && status == VT_OK; i++) {
        const Onnx__ValueInfoProto *info = graph->input[i];
        vt_value_id id = vt_graph_find_value(in->graph, text_or_empty(info->name));
        if (id != VT_NO_VALUE && in->graph->values[id].constant != NULL)
            continue;
        status = vt_graph_add_value(in->graph, text_or_empty(info->name), &ids[count], error);
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

static vt_status import_outputs(importer *in, vt_error *error)
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
        status = value_named(in, text_or_empty(info->name), &ids[i], error);
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
static vt_status import_value_info(importer *in, vt_error *error)
{
    const Onnx__GraphProto *graph = in->proto->graph;
    for (size_t i = 0; i < graph->n_value_info; i++) {
        const Onnx__ValueInfoProto *info = graph->value_info[i];
        vt_value_id id = vt_graph_find_value(in->graph, text_or_empty(info->name));
        if (id == VT_NO_VALUE || in->graph->values[id].dtype != VT_DTYPE_NONE)
            continue;
        vt_status status = import_type(in, info, &in->graph->values[id], NULL);
        if (status == VT_ERR_NO_MEMORY)
            return vt_fail_memory(error, "the names of dimensions");
    }
    return VT_OK;
}

/* ---- nodes ---- */

static void proto_label(const Onnx__NodeProto *node, char *out)
{
    const char *op = text_or_empty(node->op_type);
    if (node->name != NULL && node->name[0] != '\0')
        snprintf(out, LABEL_BYTES, "%.60s node \"%.80s\"", op, node->name);
    else
        snprintf(out, LABEL_BYTES, "%.60s node of output \"%.80s\"", op,
                 node->n_output > 0 ? text_or_empty(node->output[0]) : "");
}

/* Bytes of the file as a text of ours; NULL with *status set when that is impossible. */
static const char *import_text(importer *in, ProtobufCBinaryData bytes, vt_status *status,
                               vt_error *error)
{
    if (bytes.len > 0 && memchr(bytes.data, '\0', bytes.len) != NULL) {
        *status = vt_fail(error, VT_ERR_FORMAT, "a text with a zero byte");
        return NULL;
    }
    const char *text = vt_arena_strndup(&in->scratch, (const char *)bytes.data, bytes.len);
    if (text == NULL)
        *status = vt_fail_memory(error, "a text");
    return text;
}

static vt_status import_attr_texts(importer *in, const Onnx__AttributeProto *proto, vt_attr *attr,
                                   vt_error *error)
{
    vt_status status = VT_OK;
    const char **texts = vt_arena_array(&in->scratch, proto->n_strings + 1, sizeof(*texts));
    if (texts == NULL)
        return vt_fail_memory(error, "texts");
    for (size_t i = 0; i < proto->n_strings && status == VT_OK; i++)
        texts[i] = import_text(in, proto->strings[i], &status, error);
    attr->kind = VT_ATTR_TEXTS;
    attr->texts = texts;
    attr->count = proto->n_strings;
    return status;
}

static vt_status import_attr_tensor(importer *in, Onnx__AttributeProto *proto, vt_attr *attr,
                                    vt_error *error)
{
    vt_tensor tensor;
    size_t limit = in->graph->limits.tensor_bytes;
    if (proto->t == NULL)
        return vt_fail(error, VT_ERR_FORMAT, "no tensor where its type says there is one");
    vt_status status = vt_onnx_is_external(proto->t)
                           ? vt_onnx_external_read(&in->external, proto->t, limit, &tensor, error)
                           : vt_tensor_from_proto(proto->t, limit, &tensor, error);
    attr->kind = VT_ATTR_TENSOR;
    return status == VT_OK ? vt_graph_keep_tensor(in->graph, &tensor, &attr->tensor, error)
                           : status;
}

/* Files before IR version 4 may leave the type out. */
static Onnx__AttributeProto__AttributeType attr_type(const Onnx__AttributeProto *proto)
{
    if (proto->has_type && proto->type != ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__UNDEFINED)
        return proto->type;
    if (proto->has_f)
        return ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__FLOAT;
    if (proto->has_i)
        return ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__INT;
    if (proto->has_s)
        return ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__STRING;
    if (proto->t != NULL)
        return ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__TENSOR;
    if (proto->n_floats > 0)
        return ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__FLOATS;
    if (proto->n_strings > 0)
        return ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__STRINGS;
    return ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__INTS;
}

static vt_status import_attr(importer *in, Onnx__AttributeProto *proto, vt_attr *attr,
                             vt_error *error)
{
    vt_status status = VT_OK;
    *attr = (vt_attr){.name = text_or_empty(proto->name)};
    if (proto->ref_attr_name != NULL && proto->ref_attr_name[0] != '\0')
        return vt_fail(error, VT_ERR_UNSUPPORTED, "it refers to a function's attribute");
    switch (attr_type(proto)) {
    case ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__FLOAT:
        attr->kind = VT_ATTR_FLOAT;
        attr->f = proto->f;
        break;
    case ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__INT:
        attr->kind = VT_ATTR_INT;
        attr->i = proto->i;
        break;
    case ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__STRING:
        attr->kind = VT_ATTR_TEXT;
        attr->text = import_text(in, proto->s, &status, error);
        break;
    case ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__INTS:
        attr->kind = VT_ATTR_INTS;
        attr->ints = proto->ints;
        attr->count = proto->n_ints;
        break;
    case ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__FLOATS:
        attr->kind = VT_ATTR_FLOATS;
        attr->floats = proto->floats;
        attr->count = proto->n_floats;
        break;
    case ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__STRINGS:
        return import_attr_texts(in, proto, attr, error);
    case ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__TENSOR:
        return import_attr_tensor(in, proto, attr, error);
    case ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__GRAPH:
    case ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__GRAPHS:
        return vt_fail(error, VT_ERR_UNSUPPORTED, "subgraphs are not supported");
    default:
        return vt_fail(error, VT_ERR_UNSUPPORTED, "attribute type %d is not supported",
                       (int)proto->type);
    }
    return status;
}

static vt_status import_operands(importer *in, char *const *names, size_t count, vt_value_id **out,
                                 vt_error *error)
{
    vt_status status = VT_OK;
    vt_value_id *ids = vt_arena_array(&in->scratch, count + 1, sizeof(*ids));
    if (ids == NULL)
        return vt_fail_memory(error, "operands");
    for (size_t i = 0; i < count && status == VT_OK; i++) {
        ids[i] = VT_NO_VALUE;
        if (text_or_empty(names[i])[0] != '\0')
            status = value_named(in, names[i], &ids[i], error);
    }
    *out = ids;
    return status;
}

static vt_status import_op(importer *in, const Onnx__NodeProto *proto, vt_node *node,
                           vt_error *error)
{
    const char *type = text_or_empty(proto->op_type), *domain = text_or_empty(proto->domain);
    domain = strcmp(domain, "ai.onnx") == 0 ? "" : domain;
    int64_t opset = opset_of(in, domain);
    if (opset < 0)
        return vt_fail(error, VT_ERR_FORMAT, "operator \"%.60s\": domain \"%.60s\" is not imported",
                       type, domain);
    node->opset = opset > INT32_MAX ? INT32_MAX : (int)opset;
    node->op = vt_op_find(domain, type, node->opset);
    if (node->op != NULL && (node->op->flags & VT_OP_INTERNAL) == 0)
        return VT_OK;
    if (strcmp(type, "If") == 0 || strcmp(type, "Loop") == 0 || strcmp(type, "Scan") == 0)
        return vt_fail(error, VT_ERR_UNSUPPORTED,
                       "operator \"%s\": control flow with subgraphs is not supported", type);
    return vt_fail(error, VT_ERR_UNSUPPORTED,
                   "operator \"%.60s\" of domain \"%.60s\", operator set %lld, is not supported",
                   type, domain[0] == '\0' ? "ai.onnx" : domain, (long long)opset);
}

static vt_status import_node(importer *in, const Onnx__NodeProto *proto, vt_error *error)
{
    vt_node node = {.name = text_or_empty(proto->name),
                    .input_count = proto->n_input,
                    .output_count = proto->n_output,
                    .attr_count = proto->n_attribute};
    char label[LABEL_BYTES];
    proto_label(proto, label);
    vt_status status = import_op(in, proto, &node, error);
    if (status == VT_OK)
        status = import_operands(in, proto->input, proto->n_input, &node.inputs, error);
    if (status == VT_OK)
        status = import_operands(in, proto->output, proto->n_output, &node.outputs, error);
    node.attrs = vt_arena_array(&in->scratch, proto->n_attribute + 1, sizeof(*node.attrs));
    if (status == VT_OK && node.attrs == NULL)
        status = vt_fail_memory(error, "attributes");
    for (size_t i = 0; i < proto->n_attribute && status == VT_OK; i++) {
        status = import_attr(in, proto->attribute[i], &node.attrs[i], error);
        if (status != VT_OK)
            vt_fail_context(error, status, "attribute \"%.60s\"",
                            text_or_empty(proto->attribute[i]->name));
    }
    if (status != VT_OK)
        return vt_fail_context(error, status, "%s", label);
    return vt_graph_add_node(in->graph, &node, error);
}

static vt_status import_nodes(importer *in, vt_error *error)
{
    const Onnx__GraphProto *graph = in->proto->graph;
    vt_status status = VT_OK;
    if (graph->n_node > in->graph->limits.nodes)
        return vt_fail(error, VT_ERR_LIMIT, "read the model: %zu nodes, at most %zu are allowed",
                       graph->n_node, in->graph->limits.nodes);
    for (size_t i = 0; i < graph->n_node && status == VT_OK; i++) {
        status = import_node(in, graph->node[i], error);
        vt_arena_reset(&in->scratch);
    }
    return status;
}

static vt_status import_model(importer *in, vt_error *error)
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
        status = import_nodes(in, error);
    if (status == VT_OK)
        status = import_outputs(in, error);
    if (status == VT_OK)
        status = import_value_info(in, error);
    return status == VT_OK ? vt_graph_finish(in->graph, error) : status;
}

vt_status vt_onnx_import(const void *bytes, size_t length, const char *directory, vt_graph *graph,
                         struct vt_model *model, vt_error *error)
{
    vt_onnx_budget budget;
    vt_status status = vt_onnx_scan(bytes, length, &onnx__model_proto__descriptor, error);
    if (status != VT_OK)
        return status;
    vt_onnx_budget_init(&budget, length);
    Onnx__ModelProto *proto = onnx__model_proto__unpack(&budget.allocator, length, bytes);
    if (proto == NULL)
        return vt_onnx_unpack_failed(&budget, "the model", error);
    importer in = {.graph = graph,
                   .model = model,
                   .proto = proto,
                   .external = {.directory = directory, .file_bytes = graph->limits.file_bytes}};
    vt_arena_init(&in.scratch, (size_t)1 << 32);
    status = import_model(&in, error);
    vt_arena_deinit(&in.scratch);
    vt_onnx_external_close(&in.external);
    onnx__model_proto__free_unpacked(proto, &budget.allocator);
    return status;
}
