/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The graph: values found by name, nodes, and the topological order.
 *
 * Names go through an open-addressing table with linear probing, keyed by a seeded hash so that a
 * hostile file cannot make it slow. Sorting is by depth-first search (Tarjan 1976) with a stack of
 * its own; a file that is in order already, as the format demands, is left as it is.
 */
#include "nn/graph.h"

#include "base/buf.h"
#include "base/hash.h"

#include <stdio.h>
#include <string.h>

static const size_t arena_maximum_bytes = (size_t)1 << 34;

void vt_graph_init(vt_graph *graph, const vt_model_limits *limits)
{
    *graph = (vt_graph){.limits = limits == NULL ? vt_model_limits_defaults() : *limits};
    vt_arena_init(&graph->arena, arena_maximum_bytes);
}

void vt_graph_deinit(vt_graph *graph)
{
    vt_graph_lent_deinit(graph);
    for (size_t i = 0; i < graph->tensor_count; i++)
        vt_tensor_deinit(graph->tensors[i]);
    vt_free(graph->tensors);
    vt_free(graph->name_slots);
    vt_free(graph->values);
    vt_free(graph->nodes);
    vt_arena_deinit(&graph->arena);
    *graph = (vt_graph){0};
}

/* ---- names ---- */

/* The slot that holds `name`, or the free one where it belongs. */
static size_t name_slot(const vt_graph *graph, const char *name)
{
    size_t mask = graph->name_slot_count - 1;
    size_t slot = (size_t)vt_table_hash(name, strlen(name)) & mask;
    while (graph->name_slots[slot] != VT_NO_VALUE &&
           strcmp(graph->values[graph->name_slots[slot]].name, name) != 0)
        slot = (slot + 1) & mask;
    return slot;
}

/* Keeps the table at most half full. */
static bool names_grow(vt_graph *graph)
{
    if ((graph->value_count + 1) * 2 <= graph->name_slot_count)
        return true;
    size_t count = graph->name_slot_count == 0 ? 64 : graph->name_slot_count * 2;
    uint32_t *slots = vt_alloc_array(count, sizeof(*slots));
    if (slots == NULL)
        return false;
    memset(slots, 0xff, count * sizeof(*slots));
    vt_free(graph->name_slots);
    graph->name_slots = slots;
    graph->name_slot_count = count;
    for (size_t i = 0; i < graph->value_count; i++)
        slots[name_slot(graph, graph->values[i].name)] = (uint32_t)i;
    return true;
}

vt_value_id vt_graph_find_value(const vt_graph *graph, const char *name)
{
    return graph->name_slot_count == 0 ? VT_NO_VALUE : graph->name_slots[name_slot(graph, name)];
}

/* ---- building ---- */

vt_status vt_graph_add_value(vt_graph *graph, const char *name, vt_value_id *out, vt_error *error)
{
    if (name[0] == '\0')
        return vt_fail(error, VT_ERR_FORMAT, "add a value: its name is empty");
    void *values = graph->values;
    if (!names_grow(graph) || !vt_grow(&values, &graph->value_capacity, graph->value_count + 1,
                                       sizeof(*graph->values), VT_NO_VALUE - 1))
        return vt_fail_memory(error, "the graph's values");
    graph->values = values;
    size_t slot = name_slot(graph, name);
    if (graph->name_slots[slot] != VT_NO_VALUE)
        return vt_fail(error, VT_ERR_FORMAT, "add value \"%s\": defined twice", name);
    char *copy = vt_arena_strdup(&graph->arena, name);
    if (copy == NULL)
        return vt_fail_memory(error, "the graph's names");
    graph->values[graph->value_count] =
        (vt_value){.name = copy, .shape = {.rank = -1}, .producer = UINT32_MAX};
    *out = graph->name_slots[slot] = (vt_value_id)graph->value_count++;
    return VT_OK;
}

vt_status vt_graph_keep_tensor(vt_graph *graph, vt_tensor *tensor, const vt_tensor **out,
                               vt_error *error)
{
    void *tensors = graph->tensors;
    vt_tensor *head = vt_arena_alloc(&graph->arena, sizeof(*head));
    if (head == NULL || !vt_grow(&tensors, &graph->tensor_capacity, graph->tensor_count + 1,
                                 sizeof(*graph->tensors), SIZE_MAX)) {
        vt_tensor_deinit(tensor);
        return vt_fail_memory(error, "the graph's tensors");
    }
    graph->tensors = tensors;
    *head = *tensor;
    *tensor = (vt_tensor){0};
    graph->tensors[graph->tensor_count++] = head;
    *out = head;
    return VT_OK;
}

vt_status vt_graph_set_constant(vt_graph *graph, vt_value_id value, vt_tensor *tensor,
                                vt_error *error)
{
    vt_value *target = &graph->values[value];
    if (target->constant != NULL) {
        vt_tensor_deinit(tensor);
        return vt_fail(error, VT_ERR_FORMAT, "set value \"%s\": it has a constant already",
                       target->name);
    }
    vt_status status = vt_graph_keep_tensor(graph, tensor, &target->constant, error);
    if (status != VT_OK)
        return status;
    target->dtype = target->constant->dtype;
    target->shape = target->constant->shape;
    return VT_OK;
}

static vt_value_id *ids_copy(vt_graph *graph, const vt_value_id *ids, size_t count)
{
    vt_value_id *copy = vt_arena_array(&graph->arena, count == 0 ? 1 : count, sizeof(*copy));
    if (copy != NULL && count > 0)
        memcpy(copy, ids, count * sizeof(*copy));
    return copy;
}

static vt_status ids_check(const vt_graph *graph, const vt_value_id *ids, size_t count,
                           vt_error *error)
{
    for (size_t i = 0; i < count; i++)
        if (ids[i] >= graph->value_count && ids[i] != VT_NO_VALUE)
            return vt_fail(error, VT_ERR_USAGE, "value %u does not exist", (unsigned)ids[i]);
    return VT_OK;
}

static vt_status ids_set(vt_graph *graph, const vt_value_id *ids, size_t count, vt_value_id **out,
                         vt_error *error)
{
    vt_status status = ids_check(graph, ids, count, error);
    for (size_t i = 0; i < count && status == VT_OK; i++)
        if (ids[i] == VT_NO_VALUE)
            status = vt_fail(error, VT_ERR_USAGE, "an input or output of the graph is left out");
    if (status != VT_OK)
        return status;
    vt_value_id *copy = ids_copy(graph, ids, count);
    if (copy == NULL)
        return vt_fail_memory(error, "the graph's ends");
    *out = copy;
    return VT_OK;
}

vt_status vt_graph_set_inputs(vt_graph *graph, const vt_value_id *ids, size_t count,
                              vt_error *error)
{
    vt_status status = ids_set(graph, ids, count, &graph->inputs, error);
    if (status == VT_OK)
        graph->input_count = count;
    return status;
}

vt_status vt_graph_set_outputs(vt_graph *graph, const vt_value_id *ids, size_t count,
                               vt_error *error)
{
    vt_status status = ids_set(graph, ids, count, &graph->outputs, error);
    if (status == VT_OK)
        graph->output_count = count;
    return status;
}

static bool attr_copy_texts(vt_arena *arena, vt_attr *attr)
{
    const char **copy = vt_arena_array(arena, attr->count == 0 ? 1 : attr->count, sizeof(*copy));
    for (size_t i = 0; i < attr->count && copy != NULL; i++)
        if ((copy[i] = vt_arena_strdup(arena, attr->texts[i])) == NULL)
            return false;
    attr->texts = copy;
    return copy != NULL;
}

static const void *attr_copy_array(vt_arena *arena, const void *from, size_t count, size_t size)
{
    void *copy = vt_arena_array(arena, count == 0 ? 1 : count, size);
    if (copy != NULL && count > 0)
        memcpy(copy, from, count * size);
    return copy;
}

/* Replaces what `attr` points at by copies in the arena. */
static bool attr_copy(vt_arena *arena, vt_attr *attr)
{
    attr->name = vt_arena_strdup(arena, attr->name);
    if (attr->name == NULL)
        return false;
    switch (attr->kind) {
    case VT_ATTR_TEXT:
        attr->text = vt_arena_strdup(arena, attr->text);
        return attr->text != NULL;
    case VT_ATTR_INTS:
        attr->ints = attr_copy_array(arena, attr->ints, attr->count, sizeof(*attr->ints));
        return attr->ints != NULL;
    case VT_ATTR_FLOATS:
        attr->floats = attr_copy_array(arena, attr->floats, attr->count, sizeof(*attr->floats));
        return attr->floats != NULL;
    case VT_ATTR_TEXTS:
        return attr_copy_texts(arena, attr);
    case VT_ATTR_INT:
    case VT_ATTR_FLOAT:
    case VT_ATTR_TENSOR:
        break;
    }
    return true;
}

/* How many operands there are once left-out ones at the end are cut off. */
static size_t operands_trim(const vt_value_id *ids, size_t count)
{
    while (count > 0 && ids[count - 1] == VT_NO_VALUE)
        count--;
    return count;
}

static vt_status operands_check(const vt_value_id *ids, size_t count, const int range[2],
                                const char *what, vt_error *error)
{
    if (count < (size_t)range[0] || (range[1] >= 0 && count > (size_t)range[1]))
        return vt_fail(error, VT_ERR_FORMAT, "%zu %ss, it takes %d to %d", count, what, range[0],
                       range[1]);
    for (size_t i = 0; i < (size_t)range[0]; i++)
        if (ids[i] == VT_NO_VALUE)
            return vt_fail(error, VT_ERR_FORMAT, "required %s %zu is left out", what, i);
    return VT_OK;
}

static vt_status node_check(const vt_graph *graph, const vt_node *node, vt_error *error)
{
    const vt_op *op = node->op;
    vt_status status = ids_check(graph, node->inputs, node->input_count, error);
    if (status == VT_OK)
        status = ids_check(graph, node->outputs, node->output_count, error);
    if (status == VT_OK)
        status = operands_check(node->inputs, node->input_count,
                                (const int[]){op->min_inputs, op->max_inputs}, "input", error);
    if (status == VT_OK)
        status = operands_check(node->outputs, node->output_count,
                                (const int[]){op->min_outputs, op->max_outputs}, "output", error);
    return status == VT_OK ? vt_node_check_attrs(node, error) : status;
}

vt_status vt_graph_add_node(vt_graph *graph, const vt_node *node, vt_error *error)
{
    vt_node copy = *node;
    void *nodes = graph->nodes;
    copy.input_count = operands_trim(node->inputs, node->input_count);
    copy.output_count = operands_trim(node->outputs, node->output_count);
    vt_status status = node_check(graph, &copy, error);
    if (status != VT_OK) {
        char label[200];
        vt_node_label(graph, &copy, label, sizeof(label));
        return vt_fail_context(error, status, "%s", label);
    }
    if (graph->node_count >= graph->limits.nodes)
        return vt_fail(error, VT_ERR_LIMIT, "add a node: more than %zu nodes", graph->limits.nodes);
    copy.name = vt_arena_strdup(&graph->arena, node->name == NULL ? "" : node->name);
    copy.inputs = ids_copy(graph, node->inputs, copy.input_count);
    copy.outputs = ids_copy(graph, node->outputs, copy.output_count);
    copy.attrs = (vt_attr *)attr_copy_array(&graph->arena, node->attrs, node->attr_count,
                                            sizeof(*node->attrs));
    bool held =
        copy.name != NULL && copy.inputs != NULL && copy.outputs != NULL && copy.attrs != NULL;
    for (size_t i = 0; i < copy.attr_count && held; i++)
        held = attr_copy(&graph->arena, &copy.attrs[i]);
    if (!held || !vt_grow(&nodes, &graph->node_capacity, graph->node_count + 1,
                          sizeof(*graph->nodes), UINT32_MAX - 1))
        return vt_fail_memory(error, "the graph's nodes");
    graph->nodes = nodes;
    graph->nodes[graph->node_count++] = copy;
    return VT_OK;
}

/* ---- finishing ---- */

static vt_status graph_link_producers(vt_graph *graph, vt_error *error)
{
    for (size_t i = 0; i < graph->value_count; i++)
        graph->values[i].producer = UINT32_MAX;
    for (size_t n = 0; n < graph->node_count; n++) {
        const vt_node *node = &graph->nodes[n];
        for (size_t i = 0; i < node->output_count; i++) {
            if (node->outputs[i] == VT_NO_VALUE)
                continue;
            vt_value *value = &graph->values[node->outputs[i]];
            if (value->producer != UINT32_MAX || value->constant != NULL) {
                char label[200];
                vt_node_label(graph, node, label, sizeof(label));
                return vt_fail(error, VT_ERR_FORMAT, "%s: output \"%s\" is defined twice", label,
                               value->name);
            }
            value->producer = (vt_node_id)n;
        }
    }
    for (size_t i = 0; i < graph->input_count; i++) {
        const vt_value *value = &graph->values[graph->inputs[i]];
        if (value->producer != UINT32_MAX)
            return vt_fail(error, VT_ERR_FORMAT,
                           "finish the graph: input \"%s\" is also the output of a node",
                           value->name);
    }
    return VT_OK;
}

/* Marks in `defined` what exists before any node runs. */
static vt_status graph_check_defined(const vt_graph *graph, bool *defined, vt_error *error)
{
    for (size_t i = 0; i < graph->input_count; i++)
        defined[graph->inputs[i]] = true;
    for (size_t i = 0; i < graph->value_count; i++)
        defined[i] = defined[i] || graph->values[i].constant != NULL;
    for (size_t n = 0; n < graph->node_count; n++) {
        const vt_node *node = &graph->nodes[n];
        for (size_t i = 0; i < node->input_count; i++) {
            vt_value_id id = node->inputs[i];
            if (id == VT_NO_VALUE || defined[id] || graph->values[id].producer != UINT32_MAX)
                continue;
            char label[200];
            vt_node_label(graph, node, label, sizeof(label));
            return vt_fail(error, VT_ERR_FORMAT, "%s: input \"%s\" is not defined anywhere", label,
                           graph->values[id].name);
        }
    }
    for (size_t i = 0; i < graph->output_count; i++) {
        vt_value_id id = graph->outputs[i];
        if (!defined[id] && graph->values[id].producer == UINT32_MAX)
            return vt_fail(error, VT_ERR_FORMAT,
                           "finish the graph: output \"%s\" is not defined anywhere",
                           graph->values[id].name);
    }
    return VT_OK;
}

static bool node_is_ready(const vt_node *node, const bool *defined)
{
    for (size_t i = 0; i < node->input_count; i++)
        if (node->inputs[i] != VT_NO_VALUE && !defined[node->inputs[i]])
            return false;
    return true;
}

static void node_mark_done(const vt_node *node, bool *defined)
{
    for (size_t i = 0; i < node->output_count; i++)
        if (node->outputs[i] != VT_NO_VALUE)
            defined[node->outputs[i]] = true;
}

static bool graph_is_sorted(const vt_graph *graph, bool *defined)
{
    for (size_t n = 0; n < graph->node_count; n++) {
        if (!node_is_ready(&graph->nodes[n], defined))
            return false;
        node_mark_done(&graph->nodes[n], defined);
    }
    return true;
}

/* What the search needs per node; cursor: the next input to look at. */
typedef struct sort_state {
    uint32_t *order, *stack, *cursor;
    uint8_t *mark; /* 0 new, 1 on the stack, 2 placed */
} sort_state;

/* The next node that must come before node n; UINT32_MAX when all are placed. */
static uint32_t node_next_missing(const vt_graph *graph, uint32_t n, sort_state *sort)
{
    const vt_node *node = &graph->nodes[n];
    for (; sort->cursor[n] < node->input_count; sort->cursor[n]++) {
        vt_value_id id = node->inputs[sort->cursor[n]];
        if (id == VT_NO_VALUE)
            continue;
        uint32_t producer = graph->values[id].producer;
        if (producer != UINT32_MAX && sort->mark[producer] != 2)
            return producer;
    }
    return UINT32_MAX;
}

/* Depth-first from each node in file order: a node is placed once all producers of its inputs are.
 */
static vt_status graph_order(const vt_graph *graph, sort_state *sort, vt_error *error)
{
    size_t placed = 0;
    for (size_t first = 0; first < graph->node_count; first++) {
        size_t depth = 0;
        if (sort->mark[first] == 0)
            sort->stack[depth++] = (uint32_t)first;
        while (depth > 0) {
            uint32_t n = sort->stack[depth - 1];
            sort->mark[n] = 1;
            uint32_t next = node_next_missing(graph, n, sort);
            if (next == UINT32_MAX) {
                sort->order[placed++] = n;
                sort->mark[n] = 2;
                depth--;
            } else if (sort->mark[next] == 1) {
                char label[200];
                vt_node_label(graph, &graph->nodes[n], label, sizeof(label));
                return vt_fail(error, VT_ERR_FORMAT, "%s: its input depends on its own output",
                               label);
            } else {
                sort->stack[depth++] = next;
            }
        }
    }
    return VT_OK;
}

static vt_status graph_sort(vt_graph *graph, vt_error *error)
{
    size_t count = graph->node_count;
    sort_state sort = {.order = vt_alloc_array(count, sizeof(*sort.order)),
                       .stack = vt_alloc_array(count, sizeof(*sort.stack)),
                       .cursor = vt_calloc(count, sizeof(*sort.cursor)),
                       .mark = vt_calloc(count, sizeof(*sort.mark))};
    vt_node *sorted = vt_alloc_array(count, sizeof(*sorted));
    vt_status status = VT_OK;
    if (sort.order == NULL || sort.stack == NULL || sort.cursor == NULL || sort.mark == NULL ||
        sorted == NULL)
        status = vt_fail_memory(error, "the order of the graph");
    if (status == VT_OK)
        status = graph_order(graph, &sort, error);
    if (status == VT_OK) {
        for (size_t i = 0; i < count; i++)
            sorted[i] = graph->nodes[sort.order[i]];
        memcpy(graph->nodes, sorted, count * sizeof(*sorted));
        status = graph_link_producers(graph, error);
    }
    vt_free(sort.order);
    vt_free(sort.stack);
    vt_free(sort.cursor);
    vt_free(sort.mark);
    vt_free(sorted);
    return status;
}

vt_status vt_graph_finish(vt_graph *graph, vt_error *error)
{
    bool *defined = vt_calloc(graph->value_count + 1, sizeof(*defined));
    if (defined == NULL)
        return vt_fail_memory(error, "the graph's values");
    vt_status status = graph_link_producers(graph, error);
    if (status == VT_OK)
        status = graph_check_defined(graph, defined, error);
    if (status == VT_OK && !graph_is_sorted(graph, defined))
        status = graph_sort(graph, error);
    vt_free(defined);
    return status;
}

void vt_node_label(const vt_graph *graph, const vt_node *node, char *out, size_t capacity)
{
    const char *op = node->op == NULL ? "unknown" : node->op->name;
    if (node->name != NULL && node->name[0] != '\0')
        snprintf(out, capacity, "%s node \"%.80s\"", op, node->name);
    else if (node->output_count > 0 && node->outputs[0] < graph->value_count) /* passes add some */
        snprintf(out, capacity, "%s node of output \"%.80s\"", op,
                 graph->values[node->outputs[0]].name);
    else
        snprintf(out, capacity, "%s node without a name", op);
}
