/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What constants are for, told by who reads them.
 *
 * Method: one walk over the nodes in execution order. Constants are followed through nodes that
 * move numbers only (a transposed weight is still the weight). The first reader whose operator and
 * input say that something is learned there decides. Preprocessing that exporters put in front
 * (minus mean, by deviation) is no weight: values that only fixed arithmetic has touched are raw,
 * and a constant that is added to or multiplied with a raw value is fixed.
 */
#include "nn/weights.h"

#include "nn/graph.h"
#include "nn/onnx_file.h"

#include <string.h>

typedef struct weights_walk {
    const vt_graph *graph;
    vt_value_id *origin; /* the constant that a value is made of; VT_NO_VALUE */
    bool *raw;           /* of the input, before anything learned */
    uint8_t *role;       /* by constant */
    uint32_t *reader;    /* node that decided; UINT32_MAX: nobody reads it */
} weights_walk;

static bool name_is_one_of(const char *name, const char *const *names)
{
    for (; *names != NULL; names++)
        if (strcmp(name, *names) == 0)
            return true;
    return false;
}

static bool moves_only(const char *op)
{
    static const char *const names[] = {"Identity", "Transpose", "Reshape",  "Squeeze",
                                        "Flatten",  "Unsqueeze", "Cast",     "Expand",
                                        "Slice",    "Dropout",   "CastLike", NULL};
    return name_is_one_of(op, names);
}

/* Input roles by operator; the digit is the input. */
static vt_weight_role role_by_table(const char *op, size_t input)
{
    static const struct {
        const char *op;
        size_t input;
        vt_weight_role role;
    } rules[] = {
        {"Conv", 1, VT_WEIGHT_KERNEL},
        {"Conv", 2, VT_WEIGHT_BIAS},
        {"ConvTranspose", 1, VT_WEIGHT_KERNEL},
        {"ConvTranspose", 2, VT_WEIGHT_BIAS},
        {"Gemm", 0, VT_WEIGHT_KERNEL},
        {"Gemm", 1, VT_WEIGHT_KERNEL},
        {"Gemm", 2, VT_WEIGHT_BIAS},
        {"MatMul", 0, VT_WEIGHT_KERNEL},
        {"MatMul", 1, VT_WEIGHT_KERNEL},
        {"Einsum", 0, VT_WEIGHT_KERNEL},
        {"Einsum", 1, VT_WEIGHT_KERNEL},
        {"BatchNormalization", 1, VT_WEIGHT_NORM_SCALE},
        {"BatchNormalization", 2, VT_WEIGHT_NORM_BIAS},
        {"BatchNormalization", 3, VT_WEIGHT_STATISTIC},
        {"BatchNormalization", 4, VT_WEIGHT_STATISTIC},
        {"LayerNormalization", 1, VT_WEIGHT_NORM_SCALE},
        {"LayerNormalization", 2, VT_WEIGHT_NORM_BIAS},
        {"RMSNormalization", 1, VT_WEIGHT_NORM_SCALE},
        {"InstanceNormalization", 1, VT_WEIGHT_NORM_SCALE},
        {"InstanceNormalization", 2, VT_WEIGHT_NORM_BIAS},
        {"GroupNormalization", 1, VT_WEIGHT_NORM_SCALE},
        {"GroupNormalization", 2, VT_WEIGHT_NORM_BIAS},
        {"PRelu", 1, VT_WEIGHT_OTHER},
        {"Gather", 0, VT_WEIGHT_OTHER},
    };
    for (size_t i = 0; i < sizeof(rules) / sizeof(rules[0]); i++)
        if (rules[i].input == input && strcmp(rules[i].op, op) == 0)
            return rules[i].role;
    return VT_WEIGHT_FIXED;
}

static bool has_one_axis(const vt_shape *shape)
{
    int axes = 0;
    for (int i = 0; i < shape->rank; i++)
        axes += shape->dims[i] > 1;
    return axes == 1;
}

static bool reads_raw(const weights_walk *walk, const vt_node *node)
{
    for (size_t i = 0; i < node->input_count; i++)
        if (node->inputs[i] != VT_NO_VALUE && walk->raw[node->inputs[i]])
            return true;
    return false;
}

/* Of a constant at this input, going by operator and shape. */
static vt_weight_role role_at(const weights_walk *walk, const vt_node *node, size_t input,
                              const vt_shape *shape)
{
    static const char *const arithmetic[] = {"Add", "Mul", "Sub", "Div", "Concat", "Where", NULL};
    const char *op = node->op->name;
    vt_weight_role role = role_by_table(op, input);
    if (role != VT_WEIGHT_FIXED || !name_is_one_of(op, arithmetic) || reads_raw(walk, node))
        return role;
    return strcmp(op, "Add") == 0 && has_one_axis(shape) ? VT_WEIGHT_BIAS : VT_WEIGHT_OTHER;
}

/* Behind the last dot. */
static const char *last_component(const char *name)
{
    const char *dot = strrchr(name, '.');
    return dot == NULL ? name : dot + 1;
}

static bool is_fixed(const vt_value *value, vt_weight_role role)
{
    const char *last = last_component(value->name);
    bool bulk = role != VT_WEIGHT_FIXED && role != VT_WEIGHT_OTHER;
    return strncmp(last, "fixed_", 6) == 0 ||
           (vt_tensor_count(value->constant) == 1 && !bulk && strcmp(last, "exponent") != 0);
}

static void look_at_input(weights_walk *walk, uint32_t n, size_t input)
{
    const vt_node *node = &walk->graph->nodes[n];
    vt_value_id id = node->inputs[input];
    id = id == VT_NO_VALUE ? id : walk->origin[id];
    if (id == VT_NO_VALUE || (moves_only(node->op->name) && input == 0))
        return;
    const vt_value *value = &walk->graph->values[id];
    vt_weight_role role = role_at(walk, node, input, &value->constant->shape);
    if (is_fixed(value, role))
        role = VT_WEIGHT_FIXED;
    if (walk->reader[id] != UINT32_MAX &&
        (walk->role[id] != VT_WEIGHT_FIXED || role == VT_WEIGHT_FIXED))
        return;
    walk->reader[id] = n;
    walk->role[id] = (uint8_t)role;
}

/* Raw: fixed arithmetic on raw values alone. */
static bool stays_raw(const weights_walk *walk, const vt_node *node)
{
    static const char *const names[] = {"Add",    "Sub",   "Mul",  "Div",    "Pad",
                                        "Resize", "Split", "Clip", "Concat", NULL};
    if (!moves_only(node->op->name) && !name_is_one_of(node->op->name, names))
        return false;
    bool any = false;
    for (size_t i = 0; i < node->input_count; i++) {
        vt_value_id id = node->inputs[i];
        if (id == VT_NO_VALUE || walk->origin[id] != VT_NO_VALUE ||
            walk->graph->values[id].constant != NULL)
            continue;
        if (!walk->raw[id])
            return false;
        any = true;
    }
    return any;
}

static void look_at_node(weights_walk *walk, uint32_t n)
{
    const vt_node *node = &walk->graph->nodes[n];
    for (size_t i = 0; i < node->input_count; i++)
        look_at_input(walk, n, i);
    bool raw = stays_raw(walk, node);
    for (size_t i = 0; i < node->output_count; i++)
        if (node->outputs[i] != VT_NO_VALUE)
            walk->raw[node->outputs[i]] = raw;
    vt_value_id first = node->input_count > 0 ? node->inputs[0] : VT_NO_VALUE;
    if (first != VT_NO_VALUE && node->outputs[0] != VT_NO_VALUE && moves_only(node->op->name))
        walk->origin[node->outputs[0]] = walk->origin[first];
}

static vt_weight_info info_of(const weights_walk *walk, vt_value_id id)
{
    const vt_value *value = &walk->graph->values[id];
    uint32_t reader = walk->reader[id];
    return (vt_weight_info){.name = value->name,
                            .dtype = value->constant->dtype,
                            .shape = value->constant->shape,
                            .count = vt_tensor_count(value->constant),
                            .role = (vt_weight_role)walk->role[id],
                            .op_type = walk->graph->nodes[reader].op->name,
                            .node = reader,
                            .node_count = walk->graph->node_count};
}

/* Constants in the order of the node that decided about them. */
static void visit_all(weights_walk *walk, bool (*visit)(void *, const vt_weight_info *),
                      void *context)
{
    for (uint32_t n = 0; n < walk->graph->node_count; n++) {
        const vt_node *node = &walk->graph->nodes[n];
        for (size_t i = 0; i < node->input_count; i++) {
            vt_value_id id =
                node->inputs[i] == VT_NO_VALUE ? VT_NO_VALUE : walk->origin[node->inputs[i]];
            if (id == VT_NO_VALUE || walk->reader[id] != n)
                continue;
            vt_weight_info info = info_of(walk, id);
            walk->reader[id] = UINT32_MAX; /* once */
            if (!visit(context, &info))
                return;
        }
    }
}

static void walk_graph(weights_walk *walk)
{
    const vt_graph *graph = walk->graph;
    for (size_t i = 0; i < graph->value_count; i++) {
        const vt_tensor *constant = graph->values[i].constant;
        bool counts = constant != NULL && vt_dtype_is_float(constant->dtype);
        walk->origin[i] = counts ? (vt_value_id)i : VT_NO_VALUE;
        walk->reader[i] = UINT32_MAX;
    }
    for (size_t i = 0; i < graph->input_count; i++)
        walk->raw[graph->inputs[i]] = true;
    for (uint32_t n = 0; n < graph->node_count; n++)
        look_at_node(walk, n);
}

vt_status vt_model_each_weight(const vt_model *model,
                               bool (*visit)(void *context, const vt_weight_info *weight),
                               void *context, vt_error *error)
{
    size_t count = model->graph.value_count + 1;
    weights_walk walk = {.graph = &model->graph,
                         .origin = vt_alloc_array(count, sizeof(*walk.origin)),
                         .raw = vt_calloc(count, sizeof(*walk.raw)),
                         .role = vt_calloc(count, sizeof(*walk.role)),
                         .reader = vt_alloc_array(count, sizeof(*walk.reader))};
    vt_status status = VT_OK;
    if (walk.origin == NULL || walk.raw == NULL || walk.role == NULL || walk.reader == NULL) {
        status = vt_fail_memory(error, "a model's weights");
    } else {
        walk_graph(&walk);
        visit_all(&walk, visit, context);
    }
    vt_free(walk.origin);
    vt_free(walk.raw);
    vt_free(walk.role);
    vt_free(walk.reader);
    return status;
}

vt_status vt_model_weight_read(const vt_model *model, const char *name, vt_tensor *out,
                               vt_error *error)
{
    const vt_graph *graph = &model->graph;
    vt_value_id id = vt_graph_find_value(graph, name);
    vt_tensor tensor;
    if (id == VT_NO_VALUE || graph->values[id].constant == NULL)
        return vt_fail(error, VT_ERR_NOT_FOUND, "the model has no weight \"%.200s\"", name);
    vt_status status = vt_graph_acquire(graph, id, &tensor, error);
    if (status != VT_OK)
        return status;
    status = vt_tensor_cast(&tensor, VT_F32, out, error);
    vt_graph_release(graph, id);
    return status;
}

/* The first node that reads the value; NULL: nobody does. */
static const vt_node *first_reader(const vt_graph *graph, const char *name)
{
    vt_value_id id = vt_graph_find_value(graph, name);
    for (size_t n = 0; n < graph->node_count && id != VT_NO_VALUE; n++)
        for (size_t i = 0; i < graph->nodes[n].input_count; i++)
            if (graph->nodes[n].inputs[i] == id)
                return &graph->nodes[n];
    return NULL;
}

const char *vt_model_reader(const vt_model *model, const char *name)
{
    const vt_node *reader = first_reader(&model->graph, name);
    return reader != NULL ? model->graph.values[reader->outputs[0]].name : NULL;
}

const char *vt_model_read_with(const vt_model *model, const char *name)
{
    const vt_node *reader = first_reader(&model->graph, name);
    vt_value_id first = reader != NULL ? reader->inputs[0] : VT_NO_VALUE;
    return first != VT_NO_VALUE ? model->graph.values[first].name : NULL;
}
