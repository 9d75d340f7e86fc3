/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A graph to an ONNX file.
 *
 * The schema's own structures are filled in an arena, with the numbers of weights left where they
 * are, and packed once. Written so that the format's checker is content: weights are no inputs (so
 * at least IR version 4), tensors without elements have no data field, the graph has a name, and
 * the inputs and outputs of the graph have a type and a shape where they can be known.
 */
#include "nn/onnx_export.h"

#include "nn/onnx_file.h"
#include "nn/plan.h"

#include <string.h>

enum { MAXIMUM_DOMAINS = 64, WEIGHT_ALIGNMENT = 64, OPSET_FALLBACK = 17 };

typedef struct exporter {
    const vt_graph *graph;
    const vt_onnx_export_options *options;
    vt_arena arena;
    bool out_of_memory; /* sticky, looked at once before packing */
    char **names;       /* (value count) */
    size_t raw_bytes;   /* of weights that lie in the model */
    Onnx__ModelProto model;
    Onnx__GraphProto body;
} exporter;

vt_onnx_export_options vt_onnx_export_options_defaults(void)
{
    return (vt_onnx_export_options){
        .producer = "vitrine", .graph_name = "graph", .opset = OPSET_FALLBACK};
}

/* ---- memory and texts ---- */

/* Zeroed, at least one byte; NULL when memory is out, which export_pack turns into the error. */
static void *make(exporter *ex, size_t count, size_t size)
{
    void *memory = vt_arena_array(&ex->arena, count == 0 ? 1 : count, size);
    ex->out_of_memory = ex->out_of_memory || memory == NULL;
    return memory;
}

/* The structures want texts that may be changed, and leave these alone. */
static char *borrowed(const char *text)
{
    return (char *)(uintptr_t)(text == NULL ? "" : text);
}

static ProtobufCBinaryData bytes_of(const char *text)
{
    return (ProtobufCBinaryData){.len = strlen(text), .data = (uint8_t *)borrowed(text)};
}

static Onnx__StringStringEntryProto *make_entry(exporter *ex, const char *key, const char *value)
{
    Onnx__StringStringEntryProto *entry = make(ex, 1, sizeof(*entry));
    if (entry == NULL)
        return NULL;
    onnx__string_string_entry_proto__init(entry);
    entry->key = borrowed(key);
    entry->value = borrowed(value);
    return entry;
}

/* ---- names ---- */

/* "value_<id>", with another number behind it while some value has that name. */
static char *name_generate(exporter *ex, size_t id)
{
    char *name = vt_arena_printf(&ex->arena, "value_%zu", id);
    for (size_t i = 0; name != NULL && i < ex->graph->value_count; i++)
        if (vt_graph_find_value(ex->graph, name) != VT_NO_VALUE)
            name = vt_arena_printf(&ex->arena, "value_%zu_%zu", id, i);
        else
            break;
    ex->out_of_memory = ex->out_of_memory || name == NULL;
    return name;
}

static void export_names(exporter *ex)
{
    ex->names = make(ex, ex->graph->value_count, sizeof(*ex->names));
    for (size_t i = 0; i < ex->graph->value_count && !ex->out_of_memory; i++) {
        const char *name = ex->graph->values[i].name;
        ex->names[i] = name == NULL || name[0] == '\0' ? name_generate(ex, i) : borrowed(name);
    }
}

static char **operand_names(exporter *ex, const vt_value_id *ids, size_t count)
{
    char **names = make(ex, count, sizeof(*names));
    for (size_t i = 0; i < count && names != NULL; i++)
        names[i] = ids[i] == VT_NO_VALUE ? borrowed("") : ex->names[ids[i]];
    return names;
}

/* ---- tensors ---- */

/* Numbers as the file wants them: little-endian. */
static vt_status tensor_bytes(exporter *ex, const vt_tensor *tensor, const void **out,
                              vt_error *error)
{
    *out = tensor->data;
#if __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
    vt_tensor copy = *tensor;
    copy.data = make(ex, tensor->bytes, 1);
    if (copy.data == NULL)
        return vt_fail_memory(error, "a weight");
    memcpy(copy.data, tensor->data, tensor->bytes);
    vt_tensor_settle(&copy);
    *out = copy.data;
#endif
    (void)ex;
    (void)error;
    return VT_OK;
}

static vt_status store_outside(exporter *ex, Onnx__TensorProto *proto, const void *bytes,
                               size_t length, vt_error *error)
{
    static const char padding[WEIGHT_ALIGNMENT];
    vt_buf *weights = ex->options->weights;
    size_t gap = (WEIGHT_ALIGNMENT - weights->length % WEIGHT_ALIGNMENT) % WEIGHT_ALIGNMENT;
    vt_buf_append(weights, padding, gap);
    size_t offset = weights->length;
    if (!vt_buf_append(weights, bytes, length))
        return vt_fail(error, VT_ERR_LIMIT, "the file of weights is full at %zu bytes", offset);
    proto->n_external_data = 3;
    proto->external_data = make(ex, 3, sizeof(*proto->external_data));
    char *offset_text = vt_arena_printf(&ex->arena, "%zu", offset);
    char *length_text = vt_arena_printf(&ex->arena, "%zu", length);
    if (proto->external_data == NULL || offset_text == NULL || length_text == NULL)
        return vt_fail_memory(error, "a weight");
    proto->external_data[0] = make_entry(ex, "location", ex->options->weights_location);
    proto->external_data[1] = make_entry(ex, "offset", offset_text);
    proto->external_data[2] = make_entry(ex, "length", length_text);
    proto->has_data_location = true;
    proto->data_location = ONNX__TENSOR_PROTO__DATA_LOCATION__EXTERNAL;
    return VT_OK;
}

static vt_status export_tensor(exporter *ex, const vt_tensor *tensor, char *name,
                               Onnx__TensorProto **out, vt_error *error)
{
    Onnx__TensorProto *proto = make(ex, 1, sizeof(*proto));
    int64_t *dims = make(ex, VT_MAX_RANK, sizeof(*dims));
    const void *bytes = NULL;
    if (proto == NULL || dims == NULL)
        return vt_fail_memory(error, "a weight");
    onnx__tensor_proto__init(proto);
    memcpy(dims, tensor->shape.dims, VT_MAX_RANK * sizeof(*dims));
    proto->dims = dims;
    proto->n_dims = (size_t)tensor->shape.rank;
    proto->has_data_type = true;
    proto->data_type = (int32_t)tensor->dtype;
    proto->name = name;
    *out = proto;
    size_t length = vt_tensor_count(tensor) * vt_dtype_bytes(tensor->dtype);
    if (length == 0)
        return VT_OK;
    vt_status status = tensor_bytes(ex, tensor, &bytes, error);
    if (status != VT_OK)
        return status;
    if (ex->options->weights != NULL && length >= ex->options->weights_from_bytes)
        return store_outside(ex, proto, bytes, length, error);
    /* Checked before packing, which would need the memory. */
    if (!vt_size_add(ex->raw_bytes, length, &ex->raw_bytes) || ex->raw_bytes > VT_ONNX_FILE_MAXIMUM)
        return vt_fail(error, VT_ERR_LIMIT,
                       "its weights take more than the 2 GiB that an ONNX file can have");
    proto->has_raw_data = true;
    proto->raw_data = (ProtobufCBinaryData){.len = length, .data = (uint8_t *)(uintptr_t)bytes};
    return VT_OK;
}

static vt_status export_weights(exporter *ex, vt_error *error)
{
    const vt_graph *graph = ex->graph;
    vt_status status = VT_OK;
    ex->body.initializer = make(ex, graph->value_count, sizeof(*ex->body.initializer));
    for (size_t i = 0; i < graph->value_count && status == VT_OK && !ex->out_of_memory; i++) {
        const vt_tensor *constant = graph->values[i].constant;
        if (constant == NULL)
            continue;
        status = export_tensor(ex, constant, ex->names[i],
                               &ex->body.initializer[ex->body.n_initializer++], error);
        if (status != VT_OK)
            vt_fail_context(error, status, "weight \"%.100s\"", ex->names[i]);
    }
    return status;
}

/* ---- values ---- */

static Onnx__TensorShapeProto *export_shape(exporter *ex, const vt_value *value)
{
    size_t rank = (size_t)value->shape.rank;
    Onnx__TensorShapeProto *shape = make(ex, 1, sizeof(*shape));
    Onnx__TensorShapeProto__Dimension *dims = make(ex, rank, sizeof(*dims));
    Onnx__TensorShapeProto__Dimension **list = make(ex, rank, sizeof(*list));
    if (shape == NULL || dims == NULL || list == NULL)
        return NULL;
    onnx__tensor_shape_proto__init(shape);
    shape->n_dim = rank;
    shape->dim = list;
    for (size_t i = 0; i < rank; i++) {
        onnx__tensor_shape_proto__dimension__init(&dims[i]);
        list[i] = &dims[i];
        if (value->shape.dims[i] >= 0) {
            dims[i].value_case = ONNX__TENSOR_SHAPE_PROTO__DIMENSION__VALUE_DIM_VALUE;
            dims[i].dim_value = value->shape.dims[i];
        } else if (value->symbols != NULL && value->symbols[i] != NULL) {
            dims[i].value_case = ONNX__TENSOR_SHAPE_PROTO__DIMENSION__VALUE_DIM_PARAM;
            dims[i].dim_param = borrowed(value->symbols[i]);
        }
    }
    return shape;
}

static Onnx__ValueInfoProto *export_value(exporter *ex, const vt_value *value, char *name)
{
    Onnx__ValueInfoProto *info = make(ex, 1, sizeof(*info));
    if (info == NULL)
        return NULL;
    onnx__value_info_proto__init(info);
    info->name = name;
    if (value->dtype == VT_DTYPE_NONE)
        return info;
    Onnx__TypeProto *type = make(ex, 1, sizeof(*type));
    Onnx__TypeProto__Tensor *tensor = make(ex, 1, sizeof(*tensor));
    if (type == NULL || tensor == NULL)
        return NULL;
    onnx__type_proto__init(type);
    onnx__type_proto__tensor__init(tensor);
    info->type = type;
    type->value_case = ONNX__TYPE_PROTO__VALUE_TENSOR_TYPE;
    type->tensor_type = tensor;
    tensor->has_elem_type = true;
    tensor->elem_type = (int32_t)value->dtype;
    if (value->shape.rank >= 0)
        tensor->shape = export_shape(ex, value);
    return info;
}

static void export_inputs(exporter *ex)
{
    const vt_graph *graph = ex->graph;
    ex->body.n_input = graph->input_count;
    ex->body.input = make(ex, graph->input_count, sizeof(*ex->body.input));
    for (size_t i = 0; i < graph->input_count && !ex->out_of_memory; i++)
        ex->body.input[i] =
            export_value(ex, &graph->values[graph->inputs[i]], ex->names[graph->inputs[i]]);
}

/* A plan for the declared inputs with 1 for open dimensions; NULL when there can be none. Its types
 * and ranks hold for any input, its dimensions only when none was open. */
static vt_plan *plan_declared(const vt_graph *graph, bool *open)
{
    vt_plan *plan = NULL;
    vt_shape *shapes = vt_calloc(graph->input_count, sizeof(*shapes));
    bool whole = shapes != NULL;
    *open = false;
    for (size_t i = 0; i < graph->input_count && whole; i++) {
        shapes[i] = graph->values[graph->inputs[i]].shape;
        whole = shapes[i].rank >= 0;
        for (int d = 0; d < shapes[i].rank; d++)
            if (shapes[i].dims[d] < 0) {
                shapes[i].dims[d] = 1;
                *open = true;
            }
    }
    if (whole &&
        vt_plan_new(graph, shapes, graph->outputs, graph->output_count, &plan, NULL) != VT_OK)
        plan = NULL;
    vt_free(shapes);
    return plan;
}

static void export_outputs(exporter *ex)
{
    const vt_graph *graph = ex->graph;
    bool unknown = false, open = false;
    ex->body.n_output = graph->output_count;
    ex->body.output = make(ex, graph->output_count, sizeof(*ex->body.output));
    for (size_t i = 0; i < graph->output_count; i++)
        unknown = unknown || graph->values[graph->outputs[i]].shape.rank < 0;
    vt_plan *plan = unknown ? plan_declared(graph, &open) : NULL;
    for (size_t i = 0; i < graph->output_count && !ex->out_of_memory; i++) {
        vt_value value = graph->values[graph->outputs[i]];
        if (value.shape.rank < 0 && plan != NULL) {
            const vt_tensor *tensor = &plan->values[graph->outputs[i]].tensor;
            value.dtype = tensor->dtype;
            value.shape = tensor->shape;
            for (int d = 0; d < value.shape.rank && open; d++)
                value.shape.dims[d] = -1;
        }
        ex->body.output[i] = export_value(ex, &value, ex->names[graph->outputs[i]]);
    }
    vt_plan_free(plan);
}

/* What is known of the values on the way; ends of the graph have said so themselves. */
static void export_value_info(exporter *ex)
{
    const vt_graph *graph = ex->graph;
    bool *ends = make(ex, graph->value_count, sizeof(*ends));
    ex->body.value_info = make(ex, graph->value_count, sizeof(*ex->body.value_info));
    for (size_t i = 0; i < graph->output_count && !ex->out_of_memory; i++)
        ends[graph->outputs[i]] = true;
    for (size_t i = 0; i < graph->value_count && !ex->out_of_memory; i++) {
        const vt_value *value = &graph->values[i];
        if (value->producer != UINT32_MAX && value->dtype != VT_DTYPE_NONE && !ends[i])
            ex->body.value_info[ex->body.n_value_info++] = export_value(ex, value, ex->names[i]);
    }
}

/* ---- nodes ---- */

static vt_status export_attr(exporter *ex, const vt_attr *attr, Onnx__AttributeProto *proto,
                             vt_error *error)
{
    static const Onnx__AttributeProto__AttributeType types[] = {
        [VT_ATTR_INT] = ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__INT,
        [VT_ATTR_FLOAT] = ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__FLOAT,
        [VT_ATTR_TEXT] = ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__STRING,
        [VT_ATTR_INTS] = ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__INTS,
        [VT_ATTR_FLOATS] = ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__FLOATS,
        [VT_ATTR_TENSOR] = ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__TENSOR,
        [VT_ATTR_TEXTS] = ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__STRINGS,
    };
    onnx__attribute_proto__init(proto);
    proto->name = borrowed(attr->name);
    proto->has_type = true;
    proto->type = types[attr->kind];
    switch (attr->kind) {
    case VT_ATTR_INT:
        proto->has_i = true;
        proto->i = attr->i;
        break;
    case VT_ATTR_FLOAT:
        proto->has_f = true;
        proto->f = attr->f;
        break;
    case VT_ATTR_TEXT:
        proto->has_s = true;
        proto->s = bytes_of(attr->text);
        break;
    case VT_ATTR_INTS:
        proto->n_ints = attr->count;
        proto->ints = (int64_t *)(uintptr_t)attr->ints;
        break;
    case VT_ATTR_FLOATS:
        proto->n_floats = attr->count;
        proto->floats = (float *)(uintptr_t)attr->floats;
        break;
    case VT_ATTR_TENSOR:
        return export_tensor(ex, attr->tensor, borrowed(attr->name), &proto->t, error);
    case VT_ATTR_TEXTS:
        proto->n_strings = attr->count;
        proto->strings = make(ex, attr->count, sizeof(*proto->strings));
        for (size_t i = 0; i < attr->count && proto->strings != NULL; i++)
            proto->strings[i] = bytes_of(attr->texts[i]);
        break;
    }
    return VT_OK;
}

static vt_status export_node(exporter *ex, const vt_node *node, Onnx__NodeProto *proto,
                             vt_error *error)
{
    vt_status status = VT_OK;
    onnx__node_proto__init(proto);
    proto->op_type = borrowed(node->op->name);
    proto->domain = node->op->domain[0] == '\0' ? NULL : borrowed(node->op->domain);
    proto->name = node->name == NULL || node->name[0] == '\0' ? NULL : borrowed(node->name);
    proto->n_input = node->input_count;
    proto->n_output = node->output_count;
    proto->input = operand_names(ex, node->inputs, node->input_count);
    proto->output = operand_names(ex, node->outputs, node->output_count);
    Onnx__AttributeProto *attrs = make(ex, node->attr_count, sizeof(*attrs));
    proto->attribute = make(ex, node->attr_count, sizeof(*proto->attribute));
    for (size_t i = 0; i < node->attr_count && status == VT_OK && !ex->out_of_memory; i++) {
        proto->attribute[proto->n_attribute++] = &attrs[i];
        status = export_attr(ex, &node->attrs[i], &attrs[i], error);
    }
    return status;
}

static vt_status export_nodes(exporter *ex, vt_error *error)
{
    const vt_graph *graph = ex->graph;
    vt_status status = VT_OK;
    Onnx__NodeProto *nodes = make(ex, graph->node_count, sizeof(*nodes));
    ex->body.node = make(ex, graph->node_count, sizeof(*ex->body.node));
    for (size_t n = 0; n < graph->node_count && status == VT_OK && !ex->out_of_memory; n++) {
        ex->body.node[ex->body.n_node++] = &nodes[n];
        status = export_node(ex, &graph->nodes[n], &nodes[n], error);
        if (status != VT_OK) {
            char label[200];
            vt_node_label(graph, &graph->nodes[n], label, sizeof(label));
            vt_fail_context(error, status, "%s", label);
        }
    }
    return status;
}

/* ---- the model around the graph ---- */

/* The import of the node's domain, made when it is the first of that domain. */
static vt_status export_import(exporter *ex, const char *domain, int64_t version, vt_error *error)
{
    Onnx__ModelProto *model = &ex->model;
    for (size_t i = 0; i < model->n_opset_import; i++) {
        if (strcmp(model->opset_import[i]->domain, domain) != 0)
            continue;
        if (model->opset_import[i]->version == version)
            return VT_OK;
        return vt_fail(error, VT_ERR_UNSUPPORTED,
                       "operator sets %lld and %lld of domain \"%s\", a file has one of each",
                       (long long)model->opset_import[i]->version, (long long)version,
                       domain[0] == '\0' ? "ai.onnx" : domain);
    }
    if (model->n_opset_import == MAXIMUM_DOMAINS)
        return vt_fail(error, VT_ERR_LIMIT, "more than %d domains", MAXIMUM_DOMAINS);
    Onnx__OperatorSetIdProto *set = make(ex, 1, sizeof(*set));
    if (set == NULL)
        return vt_fail_memory(error, "an operator set");
    onnx__operator_set_id_proto__init(set);
    set->domain = borrowed(domain);
    set->has_version = true;
    set->version = version;
    model->opset_import[model->n_opset_import++] = set;
    return VT_OK;
}

/* The IR version of the release that brought the operator set (ONNX, docs/Versioning.md), from 4,
 * since weights are no inputs, to 10, which is all that is used here. */
static int64_t ir_version_of(int64_t opset)
{
    static const struct {
        int64_t opset, ir;
    } releases[] = {{21, 10}, {19, 9}, {15, 8}, {12, 7}, {11, 6}, {10, 5}};
    for (size_t i = 0; i < sizeof(releases) / sizeof(releases[0]); i++)
        if (opset >= releases[i].opset)
            return releases[i].ir;
    return 4;
}

static vt_status export_imports(exporter *ex, vt_error *error)
{
    const vt_graph *graph = ex->graph;
    Onnx__ModelProto *model = &ex->model;
    int64_t opset = -1, fallback = ex->options->opset > 0 ? ex->options->opset : OPSET_FALLBACK;
    vt_status status = VT_OK;
    model->opset_import = make(ex, MAXIMUM_DOMAINS, sizeof(*model->opset_import));
    if (model->opset_import == NULL)
        return vt_fail_memory(error, "operator sets");
    for (size_t n = 0; n < graph->node_count && status == VT_OK; n++) {
        const vt_node *node = &graph->nodes[n];
        opset = node->op->domain[0] == '\0' ? node->opset : opset;
        status = export_import(ex, node->op->domain, node->opset, error);
    }
    opset = opset < 0 ? fallback : opset;
    if (status == VT_OK)
        status = export_import(ex, "", opset, error);
    int64_t newest = ir_version_of(opset), wanted = ex->options->ir_version;
    model->has_ir_version = true;
    model->ir_version = wanted >= 4 && wanted < newest ? wanted : newest;
    return status;
}

static void export_metadata(exporter *ex)
{
    const vt_onnx_export_options *options = ex->options;
    Onnx__ModelProto *model = &ex->model;
    bool named = options->graph_name != NULL && options->graph_name[0] != '\0';
    model->producer_name = borrowed(options->producer);
    ex->body.name = borrowed(named ? options->graph_name : "graph");
    model->n_metadata_props = options->metadata_count;
    model->metadata_props = make(ex, options->metadata_count, sizeof(*model->metadata_props));
    for (size_t i = 0; i < options->metadata_count && !ex->out_of_memory; i++)
        model->metadata_props[i] = make_entry(ex, options->keys[i], options->texts[i]);
}

static vt_status export_pack(exporter *ex, vt_buf *out, vt_error *error)
{
    if (ex->out_of_memory)
        return vt_fail_memory(error, "a model file");
    size_t bytes = onnx__model_proto__get_packed_size(&ex->model);
    if (bytes > VT_ONNX_FILE_MAXIMUM || bytes > out->maximum || out->length > out->maximum - bytes)
        return vt_fail(error, VT_ERR_LIMIT, "a file of %zu bytes, at most %zu are possible", bytes,
                       out->maximum < VT_ONNX_FILE_MAXIMUM ? out->maximum : VT_ONNX_FILE_MAXIMUM);
    if (!vt_buf_reserve(out, bytes)) {
        out->failed = false; /* it holds what it held */
        return vt_fail_memory(error, "a model file");
    }
    out->length += onnx__model_proto__pack(&ex->model, (uint8_t *)out->data + out->length);
    out->data[out->length] = '\0';
    return VT_OK;
}

vt_status vt_onnx_export(const vt_graph *graph, const vt_onnx_export_options *options, vt_buf *out,
                         vt_error *error)
{
    exporter ex = {.graph = graph, .options = options};
    vt_arena_init(&ex.arena, (size_t)1 << 34);
    onnx__model_proto__init(&ex.model);
    onnx__graph_proto__init(&ex.body);
    ex.model.graph = &ex.body;
    export_names(&ex);
    export_metadata(&ex);
    vt_status status =
        ex.out_of_memory ? vt_fail_memory(error, "a model file") : export_imports(&ex, error);
    if (status == VT_OK)
        status = export_weights(&ex, error);
    if (status == VT_OK)
        status = export_nodes(&ex, error);
    if (status == VT_OK && !ex.out_of_memory) {
        export_inputs(&ex);
        export_outputs(&ex);
        export_value_info(&ex);
    }
    if (status == VT_OK)
        status = export_pack(&ex, out, error);
    vt_arena_deinit(&ex.arena);
    return status == VT_OK ? VT_OK : vt_fail_context(error, status, "write the model");
}
