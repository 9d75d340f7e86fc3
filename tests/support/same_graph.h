/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Whether two graphs are the same network: nodes in order, operands by name, attributes, constants
 * byte by byte, declared types and shapes. For tests and fuzz targets.
 */
#ifndef VT_TESTS_SUPPORT_SAME_GRAPH_H
#define VT_TESTS_SUPPORT_SAME_GRAPH_H

#include "nn/onnx_file.h"

#include <string.h>

static inline const char *same_name_of(const vt_graph *graph, vt_value_id id)
{
    return id == VT_NO_VALUE ? "" : graph->values[id].name;
}

static inline bool same_ids(const vt_graph *a, const vt_value_id *ids_a, const vt_graph *b,
                            const vt_value_id *ids_b, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (strcmp(same_name_of(a, ids_a[i]), same_name_of(b, ids_b[i])) != 0)
            return false;
    return true;
}

static inline bool same_tensor(const vt_tensor *a, const vt_tensor *b)
{
    if (a == NULL || b == NULL)
        return a == b;
    size_t bytes = vt_tensor_count(a) * vt_dtype_bytes(a->dtype);
    return a->dtype == b->dtype && vt_shape_equal(&a->shape, &b->shape) &&
           (bytes == 0 || memcmp(a->data, b->data, bytes) == 0);
}

static inline bool same_bytes(const void *a, const void *b, size_t count, size_t size)
{
    return count == 0 || memcmp(a, b, count * size) == 0;
}

static inline bool same_attr(const vt_attr *a, const vt_attr *b)
{
    if (strcmp(a->name, b->name) != 0 || a->kind != b->kind)
        return false;
    switch (a->kind) {
    case VT_ATTR_INT:
        return a->i == b->i;
    case VT_ATTR_FLOAT:
        return memcmp(&a->f, &b->f, sizeof(a->f)) == 0;
    case VT_ATTR_TEXT:
        return strcmp(a->text, b->text) == 0;
    case VT_ATTR_INTS:
        return a->count == b->count && same_bytes(a->ints, b->ints, a->count, sizeof(*a->ints));
    case VT_ATTR_FLOATS:
        return a->count == b->count &&
               same_bytes(a->floats, b->floats, a->count, sizeof(*a->floats));
    case VT_ATTR_TENSOR:
        return same_tensor(a->tensor, b->tensor);
    case VT_ATTR_TEXTS:
        break;
    }
    bool same = a->count == b->count;
    for (size_t i = 0; i < a->count && same; i++)
        same = strcmp(a->texts[i], b->texts[i]) == 0;
    return same;
}

static inline bool same_node(const vt_graph *a, const vt_node *m, const vt_graph *b,
                             const vt_node *n)
{
    if (m->op != n->op || m->opset != n->opset || strcmp(m->name, n->name) != 0 ||
        m->input_count != n->input_count || m->output_count != n->output_count ||
        m->attr_count != n->attr_count || !same_ids(a, m->inputs, b, n->inputs, m->input_count) ||
        !same_ids(a, m->outputs, b, n->outputs, m->output_count))
        return false;
    for (size_t i = 0; i < m->attr_count; i++)
        if (!same_attr(&m->attrs[i], &n->attrs[i]))
            return false;
    return true;
}

/* What was declared; outputs without a shape may have got one. */
static inline bool same_value(const vt_value *m, const vt_value *n, bool output)
{
    if (!same_tensor(m->constant, n->constant) ||
        (m->producer == UINT32_MAX) != (n->producer == UINT32_MAX))
        return false;
    if (output && m->shape.rank < 0)
        return true;
    if (m->dtype != n->dtype || !vt_shape_equal(&m->shape, &n->shape))
        return false;
    for (int d = 0; d < m->shape.rank; d++) {
        const char *s = m->symbols == NULL ? NULL : m->symbols[d];
        const char *t = n->symbols == NULL ? NULL : n->symbols[d];
        if (m->shape.dims[d] < 0 && !vt_text_equal(s, t))
            return false;
    }
    return true;
}

/* NULL when they are the same, else what differs. */
static inline const char *same_graph(const vt_graph *a, const vt_graph *b)
{
    if (a->node_count != b->node_count)
        return "the number of nodes";
    if (a->input_count != b->input_count || !same_ids(a, a->inputs, b, b->inputs, a->input_count))
        return "the inputs";
    if (a->output_count != b->output_count ||
        !same_ids(a, a->outputs, b, b->outputs, a->output_count))
        return "the outputs";
    for (size_t n = 0; n < a->node_count; n++)
        if (!same_node(a, &a->nodes[n], b, &b->nodes[n]))
            return "a node";
    if (a->value_count != b->value_count)
        return "the number of values";
    for (size_t i = 0; i < a->value_count; i++) {
        vt_value_id other = vt_graph_find_value(b, a->values[i].name);
        bool output = false;
        for (size_t k = 0; k < a->output_count; k++)
            output = output || a->outputs[k] == i;
        if (other == VT_NO_VALUE || !same_value(&a->values[i], &b->values[other], output))
            return "a value";
    }
    return NULL;
}

static inline const char *same_model(const struct vt_model *a, const struct vt_model *b)
{
    if (a->metadata_count != b->metadata_count || strcmp(a->producer, b->producer) != 0)
        return "the metadata";
    if (a->name[0] != '\0' && strcmp(a->name, b->name) != 0)
        return "the name of the graph";
    for (size_t i = 0; i < a->metadata_count; i++)
        if (strcmp(a->keys[i], b->keys[i]) != 0 || strcmp(a->texts[i], b->texts[i]) != 0)
            return "the metadata";
    return same_graph(&a->graph, &b->graph);
}

#endif
