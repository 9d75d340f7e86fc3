/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ONNX files made by tests, with the schema's own structures.
 *
 *     maker m;
 *     maker_init(&m, 13);
 *     maker_input(&m, "x", VT_F32, 2, (int64_t[]){-1, 3});
 *     maker_node(&m, "Relu", "x", "y");
 *     maker_output(&m, "y");
 *     vt_model *model = maker_model(&m);
 *     maker_deinit(&m);
 *
 * Everything lives in one arena; names in lists are separated by commas, an empty one is left out.
 */
#ifndef VT_TESTS_NN_MODELS_H
#define VT_TESTS_NN_MODELS_H

#include "support/scratch.h"

#include "nn/model.h"

#include "onnx.pb-c.h"

enum { MAKER_MAXIMUM = 512 };

typedef struct maker {
    vt_arena arena;
    Onnx__ModelProto model;
    Onnx__GraphProto graph;
    Onnx__NodeProto *nodes[MAKER_MAXIMUM];
    Onnx__TensorProto *weights[MAKER_MAXIMUM];
    Onnx__ValueInfoProto *inputs[MAKER_MAXIMUM], *outputs[MAKER_MAXIMUM];
    Onnx__OperatorSetIdProto *sets[4];
    Onnx__StringStringEntryProto *metadata[8];
} maker;

static inline void *maker_alloc(maker *m, size_t bytes)
{
    void *memory = vt_arena_alloc(&m->arena, bytes == 0 ? 1 : bytes);
    assert_non_null(memory);
    return memory;
}

static inline char *maker_text(maker *m, const char *text)
{
    char *copy = maker_alloc(m, strlen(text) + 1);
    memcpy(copy, text, strlen(text) + 1);
    return copy;
}

static inline void maker_opset(maker *m, const char *domain, int64_t version)
{
    Onnx__OperatorSetIdProto *set = maker_alloc(m, sizeof *set);
    onnx__operator_set_id_proto__init(set);
    set->domain = maker_text(m, domain);
    set->has_version = true;
    set->version = version;
    m->sets[m->model.n_opset_import++] = set;
}

static inline void maker_init(maker *m, int64_t opset)
{
    memset(m, 0, sizeof *m);
    vt_arena_init(&m->arena, (size_t)1 << 30);
    onnx__model_proto__init(&m->model);
    onnx__graph_proto__init(&m->graph);
    m->model.has_ir_version = true;
    m->model.ir_version = 8;
    m->model.producer_name = maker_text(m, "tests");
    m->model.graph = &m->graph;
    m->model.opset_import = m->sets;
    m->model.metadata_props = m->metadata;
    m->graph.name = maker_text(m, "graph");
    m->graph.node = m->nodes;
    m->graph.initializer = m->weights;
    m->graph.input = m->inputs;
    m->graph.output = m->outputs;
    maker_opset(m, "", opset);
}

static inline void maker_deinit(maker *m)
{
    vt_arena_deinit(&m->arena);
}

static inline void maker_metadata(maker *m, const char *key, const char *value)
{
    Onnx__StringStringEntryProto *entry = maker_alloc(m, sizeof *entry);
    onnx__string_string_entry_proto__init(entry);
    entry->key = maker_text(m, key);
    entry->value = maker_text(m, value);
    m->metadata[m->model.n_metadata_props++] = entry;
}

static inline Onnx__ValueInfoProto *maker_info(maker *m, const char *name, vt_dtype dtype, int rank,
                                               const int64_t *dims)
{
    Onnx__ValueInfoProto *info = maker_alloc(m, sizeof *info);
    Onnx__TypeProto *type = maker_alloc(m, sizeof *type);
    Onnx__TypeProto__Tensor *tensor = maker_alloc(m, sizeof *tensor);
    Onnx__TensorShapeProto *shape = maker_alloc(m, sizeof *shape);
    onnx__value_info_proto__init(info);
    onnx__type_proto__init(type);
    onnx__type_proto__tensor__init(tensor);
    onnx__tensor_shape_proto__init(shape);
    info->name = maker_text(m, name);
    info->type = type;
    type->value_case = ONNX__TYPE_PROTO__VALUE_TENSOR_TYPE;
    type->tensor_type = tensor;
    tensor->has_elem_type = true;
    tensor->elem_type = (int32_t)dtype;
    if (rank < 0)
        return info;
    tensor->shape = shape;
    shape->n_dim = (size_t)rank;
    shape->dim = maker_alloc(m, (size_t)rank * sizeof *shape->dim);
    for (int i = 0; i < rank; i++) {
        shape->dim[i] = maker_alloc(m, sizeof **shape->dim);
        onnx__tensor_shape_proto__dimension__init(shape->dim[i]);
        if (dims[i] >= 0) {
            shape->dim[i]->value_case = ONNX__TENSOR_SHAPE_PROTO__DIMENSION__VALUE_DIM_VALUE;
            shape->dim[i]->dim_value = dims[i];
        }
    }
    return info;
}

/* Dimensions below 0 are left open; rank -1: no shape at all. */
static inline void maker_input(maker *m, const char *name, vt_dtype dtype, int rank,
                               const int64_t *dims)
{
    m->inputs[m->graph.n_input++] = maker_info(m, name, dtype, rank, dims);
}

static inline void maker_output(maker *m, const char *name)
{
    m->outputs[m->graph.n_output++] = maker_info(m, name, VT_F32, -1, NULL);
}

static inline char **maker_names(maker *m, const char *list, size_t *count)
{
    char **names = maker_alloc(m, 64 * sizeof *names);
    *count = 0;
    while (list != NULL && *list != '\0') {
        size_t length = strcspn(list, ",");
        names[*count] = maker_alloc(m, length + 1);
        memcpy(names[(*count)++], list, length);
        list += length;
        list += *list == ',';
    }
    return names;
}

static inline Onnx__NodeProto *maker_node(maker *m, const char *op, const char *inputs,
                                          const char *outputs)
{
    Onnx__NodeProto *node = maker_alloc(m, sizeof *node);
    onnx__node_proto__init(node);
    node->op_type = maker_text(m, op);
    node->input = maker_names(m, inputs, &node->n_input);
    node->output = maker_names(m, outputs, &node->n_output);
    node->attribute = maker_alloc(m, 16 * sizeof *node->attribute);
    assert_true(m->graph.n_node < MAKER_MAXIMUM);
    m->nodes[m->graph.n_node++] = node;
    return node;
}

static inline Onnx__AttributeProto *maker_attr(maker *m, Onnx__NodeProto *node, const char *name,
                                               Onnx__AttributeProto__AttributeType type)
{
    Onnx__AttributeProto *attr = maker_alloc(m, sizeof *attr);
    onnx__attribute_proto__init(attr);
    attr->name = maker_text(m, name);
    attr->has_type = true;
    attr->type = type;
    node->attribute[node->n_attribute++] = attr;
    return attr;
}

static inline void maker_int(maker *m, Onnx__NodeProto *node, const char *name, int64_t value)
{
    Onnx__AttributeProto *attr =
        maker_attr(m, node, name, ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__INT);
    attr->has_i = true;
    attr->i = value;
}

static inline void maker_ints(maker *m, Onnx__NodeProto *node, const char *name, size_t count,
                              const int64_t *values)
{
    Onnx__AttributeProto *attr =
        maker_attr(m, node, name, ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__INTS);
    attr->n_ints = count;
    attr->ints = maker_alloc(m, count * sizeof *values);
    memcpy(attr->ints, values, count * sizeof *values);
}

/* A weight whose numbers the caller fills in. */
static inline Onnx__TensorProto *maker_tensor(maker *m, const char *name, vt_dtype dtype, int rank,
                                              const int64_t *dims)
{
    Onnx__TensorProto *tensor = maker_alloc(m, sizeof *tensor);
    onnx__tensor_proto__init(tensor);
    tensor->name = maker_text(m, name);
    tensor->has_data_type = true;
    tensor->data_type = (int32_t)dtype;
    tensor->n_dims = (size_t)rank;
    tensor->dims = maker_alloc(m, (size_t)rank * sizeof *dims);
    if (rank > 0)
        memcpy(tensor->dims, dims, (size_t)rank * sizeof *dims);
    return tensor;
}

static inline void maker_raw(maker *m, Onnx__TensorProto *tensor, const void *data, size_t bytes)
{
    tensor->has_raw_data = true;
    tensor->raw_data.data = maker_alloc(m, bytes);
    tensor->raw_data.len = bytes;
    if (bytes > 0)
        memcpy(tensor->raw_data.data, data, bytes);
}

static inline Onnx__TensorProto *maker_weight(maker *m, const char *name, vt_dtype dtype, int rank,
                                              const int64_t *dims, const void *data)
{
    Onnx__TensorProto *tensor = maker_tensor(m, name, dtype, rank, dims);
    size_t count = 1;
    for (int i = 0; i < rank; i++)
        count *= (size_t)dims[i];
    if (data != NULL)
        maker_raw(m, tensor, data, count * vt_dtype_bytes(dtype));
    m->weights[m->graph.n_initializer++] = tensor;
    return tensor;
}

/* 1-D weights of whole numbers, as shapes and axes want them. */
static inline void maker_list(maker *m, const char *name, int64_t count, const int64_t *values)
{
    maker_weight(m, name, VT_I64, 1, &count, values);
}

static inline void maker_pack(const maker *m, vt_buf *out)
{
    vt_buf_init(out, (size_t)1 << 30);
    assert_true(vt_buf_reserve(out, onnx__model_proto__get_packed_size(&m->model) + 1));
    out->length = onnx__model_proto__pack(&m->model, (uint8_t *)out->data);
}

static inline vt_status maker_parse(const maker *m, const vt_model_limits *limits, vt_model **out,
                                    vt_error *error)
{
    vt_buf file;
    maker_pack(m, &file);
    vt_status status = vt_model_parse(file.data, file.length, limits, out, error);
    vt_buf_deinit(&file);
    return status;
}

static inline vt_model *maker_model(const maker *m)
{
    vt_error error;
    vt_model *model = NULL;
    if (maker_parse(m, NULL, &model, &error) != VT_OK)
        fail_msg("%s", error.message);
    return model;
}

/* The model must be refused with this status and these words; the maker is done with. */
static inline void maker_refused(maker *m, vt_status want, const char *words)
{
    vt_error error;
    vt_model *model;
    vt_status status = maker_parse(m, NULL, &model, &error);
    if (status == VT_OK)
        vt_model_free(model);
    if (status != want || strstr(error.message, words) == NULL)
        print_message("%s\n", status == VT_OK ? "ok" : error.message);
    assert_int_equal(status, want);
    assert_non_null(strstr(error.message, words));
    maker_deinit(m);
}

#endif
