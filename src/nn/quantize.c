/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Which nodes of a graph compute in 8 bits, and which values are quantised for them.
 *
 * Products with constant weights always gain. Sums, averages, concatenations, pools and shape
 * changes gain only between them: when what comes in was computed in 8 bits and what goes out is
 * read in 8 bits. So all candidates are chosen first, and those without a quantised side are
 * dropped, forwards and backwards, until nothing changes (or ROUNDS have passed: what is left then
 * is right too, only less lean). Activations behind a product or sum are part of it: no pair
 * between them.
 *
 * Values that cannot be negative (after Relu and the like) are u8, all others symmetric i8, both
 * with zero point 0. Source for the placing of pairs: Jacob et al. (CVPR 2018), section 3.
 */
#include "nn/quantize.h"

#include "nn/plan.h"

#include <string.h>

enum {
    ROUNDS = 16,
    SHARED_WEIGHT = 8, /* readers of a weight, each of which gets integers of its own */
};

static bool is_one_of(const vt_node *node, const char *const *names)
{
    if (node->op->domain[0] != '\0')
        return false;
    for (; *names != NULL; names++)
        if (strcmp(node->op->name, *names) == 0)
            return true;
    return false;
}

static const char *const every_input[] = {"Add", "Sum", "Concat", NULL};
static const char *const joins[] = {"Add",    "Sum", "AveragePool", "GlobalAveragePool",
                                    "Concat", NULL};
static const char *const carries[] = {"MaxPool", "Reshape",   "Flatten",  "Transpose",
                                      "Squeeze", "Unsqueeze", "Identity", NULL};
static const char *const clippers[] = {"Relu", "Clip", NULL};
static const char *const fusable[] = {"Conv", "Gemm", "MatMul", "Add", "Sum", NULL};

size_t vt_quantize_activations(const vt_node *node, vt_quantize_role role)
{
    return role == VT_QUANTIZE_JOIN && is_one_of(node, every_input) ? node->input_count : 1;
}

/* ---- roles ---- */

static bool is_computed_f32(const vt_quantize_plan *plan, vt_value_id id)
{
    return id != VT_NO_VALUE && plan->graph->values[id].constant == NULL &&
           plan->dtypes[id] == VT_F32;
}

static bool is_weight(const vt_graph *graph, vt_value_id id, int rank)
{
    const vt_tensor *constant = id == VT_NO_VALUE ? NULL : graph->values[id].constant;
    return constant != NULL && constant->dtype == VT_F32 && vt_tensor_count(constant) > 0 &&
           (rank < 0 ? constant->shape.rank >= 3 : constant->shape.rank == rank);
}

/* Left out, or a constant with a number per channel. */
static bool is_bias(const vt_graph *graph, const vt_node *node, int64_t channels)
{
    if (node->input_count < 3 || node->inputs[2] == VT_NO_VALUE)
        return true;
    const vt_tensor *bias = graph->values[node->inputs[2]].constant;
    return bias != NULL && bias->dtype == VT_F32 && bias->shape.rank == 1 &&
           bias->shape.dims[0] == channels;
}

static bool is_product(const vt_graph *graph, const vt_node *node)
{
    static const char *const conv[] = {"Conv", NULL}, *const gemm[] = {"Gemm", NULL},
                             *const matmul[] = {"MatMul", NULL};
    if (is_one_of(node, matmul))
        return is_weight(graph, node->inputs[1], 2);
    if (is_one_of(node, conv))
        return is_weight(graph, node->inputs[1], -1) &&
               is_bias(graph, node, graph->values[node->inputs[1]].constant->shape.dims[0]);
    if (!is_one_of(node, gemm) || !is_weight(graph, node->inputs[1], 2))
        return false;
    const vt_shape *shape = &graph->values[node->inputs[1]].constant->shape;
    return vt_node_int(node, "transA", 0) == 0 && vt_node_float(node, "alpha", 1) == 1.0F &&
           vt_node_float(node, "beta", 1) == 1.0F &&
           is_bias(graph, node, shape->dims[vt_node_int(node, "transB", 0) != 0 ? 0 : 1]);
}

static vt_quantize_role role_of(const vt_quantize_plan *plan, const vt_node *node)
{
    vt_quantize_role role = VT_QUANTIZE_NONE;
    if (node->output_count != 1 || node->input_count == 0 ||
        plan->dtypes[node->outputs[0]] != VT_F32)
        return role;
    if (is_product(plan->graph, node) && plan->reads[node->inputs[1]] <= SHARED_WEIGHT)
        role = VT_QUANTIZE_PRODUCT;
    else if (is_one_of(node, joins))
        role = VT_QUANTIZE_JOIN;
    else if (is_one_of(node, carries))
        role = VT_QUANTIZE_CARRY;
    for (size_t i = 0; i < vt_quantize_activations(node, role); i++)
        if (!is_computed_f32(plan, node->inputs[i]))
            return VT_QUANTIZE_NONE;
    return role;
}

/* Clips the result of a node that clips for free, and nobody else reads that result. */
static bool is_fused(const vt_quantize_plan *plan, const vt_node *node)
{
    const vt_graph *graph = plan->graph;
    if (!is_one_of(node, clippers) || node->output_count != 1 ||
        !is_computed_f32(plan, node->inputs[0]) || plan->reads[node->inputs[0]] != 1 ||
        plan->kept[node->inputs[0]])
        return false;
    for (size_t i = 1; i < node->input_count; i++)
        if (node->inputs[i] != VT_NO_VALUE && graph->values[node->inputs[i]].constant == NULL)
            return false;
    vt_node_id producer = graph->values[node->inputs[0]].producer;
    return producer != UINT32_MAX && plan->roles[producer] != VT_QUANTIZE_NONE &&
           is_one_of(&graph->nodes[producer], fusable);
}

static void fill_roles(vt_quantize_plan *plan)
{
    const vt_graph *graph = plan->graph;
    uint32_t *reads = plan->reads;
    for (size_t n = 0; n < graph->node_count; n++)
        for (size_t i = 0; i < graph->nodes[n].input_count; i++)
            if (graph->nodes[n].inputs[i] != VT_NO_VALUE)
                reads[graph->nodes[n].inputs[i]]++;
    for (size_t n = 0; n < graph->node_count; n++) {
        plan->roles[n] = role_of(plan, &graph->nodes[n]);
        if (is_fused(plan, &graph->nodes[n]))
            plan->roles[n] = VT_QUANTIZE_FUSED;
    }
}

/* ---- signs ---- */

static bool clip_is_positive(const vt_graph *graph, const vt_node *node)
{
    static const char *const clip[] = {"Clip", NULL};
    if (!is_one_of(node, clip))
        return false;
    if (node->opset < 11)
        return vt_node_float(node, "min", -1) >= 0;
    const vt_tensor *low = node->input_count < 2 || node->inputs[1] == VT_NO_VALUE
                               ? NULL
                               : graph->values[node->inputs[1]].constant;
    return low != NULL && vt_tensor_count(low) == 1 && vt_tensor_get(low, 0) >= 0;
}

static void fill_signs(vt_quantize_plan *plan)
{
    static const char *const positive[] = {"Relu", "Sigmoid", "HardSigmoid", "Softmax",
                                           "Abs",  "Exp",     "Sqrt",        NULL};
    static const char *const inherits[] = {"GlobalMaxPool", "Max", "Dropout", NULL};
    const vt_graph *graph = plan->graph;
    for (size_t n = 0; n < graph->node_count; n++) {
        const vt_node *node = &graph->nodes[n];
        size_t first = is_one_of(node, every_input) ? node->input_count : 1;
        bool sign = is_one_of(node, joins) || is_one_of(node, carries) || is_one_of(node, inherits);
        for (size_t i = 0; i < first && i < node->input_count && sign; i++)
            sign = node->inputs[i] != VT_NO_VALUE && plan->non_negative[node->inputs[i]];
        if (node->output_count > 0 && node->outputs[0] != VT_NO_VALUE)
            plan->non_negative[node->outputs[0]] =
                sign || is_one_of(node, positive) || clip_is_positive(graph, node);
    }
}

/* ---- the choice ---- */

static bool is_between(const vt_quantize_plan *plan, size_t n)
{
    return plan->quantized[n] &&
           (plan->roles[n] == VT_QUANTIZE_JOIN || plan->roles[n] == VT_QUANTIZE_CARRY);
}

/* Drops what reads a value that was not computed in 8 bits. marks: by value. */
static bool drop_forwards(vt_quantize_plan *plan, bool *marks)
{
    const vt_graph *graph = plan->graph;
    bool changed = false;
    memset(marks, 0, graph->value_count * sizeof(*marks));
    for (size_t n = 0; n < graph->node_count; n++) {
        const vt_node *node = &graph->nodes[n];
        if (plan->roles[n] == VT_QUANTIZE_FUSED)
            marks[node->outputs[0]] = marks[node->inputs[0]];
        for (size_t i = 0; is_between(plan, n) && i < vt_quantize_activations(node, plan->roles[n]);
             i++)
            if (!marks[node->inputs[i]]) {
                plan->quantized[n] = false;
                changed = true;
            }
        if (plan->quantized[n])
            marks[node->outputs[0]] = true;
    }
    return changed;
}

/* Drops what no quantised node reads. */
static bool drop_backwards(vt_quantize_plan *plan, bool *marks)
{
    const vt_graph *graph = plan->graph;
    bool changed = false;
    memset(marks, 0, graph->value_count * sizeof(*marks));
    for (size_t n = graph->node_count; n-- > 0;) {
        const vt_node *node = &graph->nodes[n];
        if (plan->roles[n] == VT_QUANTIZE_FUSED && marks[node->outputs[0]])
            marks[node->inputs[0]] = true;
        if (is_between(plan, n) && !marks[node->outputs[0]]) {
            plan->quantized[n] = false;
            changed = true;
        }
        for (size_t i = 0; plan->quantized[n] && i < vt_quantize_activations(node, plan->roles[n]);
             i++)
            marks[node->inputs[i]] = true;
    }
    return changed;
}

void vt_quantize_choose(vt_quantize_plan *plan, bool alone)
{
    const vt_graph *graph = plan->graph;
    bool changed = !alone;
    for (size_t n = 0; n < graph->node_count; n++)
        plan->quantized[n] = plan->roles[n] != VT_QUANTIZE_NONE &&
                             plan->roles[n] != VT_QUANTIZE_FUSED && !plan->excluded[n];
    /* `observed` serves as the marks until it is filled. */
    for (int round = 0; round < ROUNDS && changed; round++) {
        changed = drop_forwards(plan, plan->observed);
        changed = drop_backwards(plan, plan->observed) || changed;
    }
    memset(plan->observed, 0, graph->value_count * sizeof(*plan->observed));
    for (size_t n = 0; n < graph->node_count; n++)
        for (size_t i = 0;
             plan->quantized[n] && i < vt_quantize_activations(&graph->nodes[n], plan->roles[n]);
             i++)
            plan->observed[graph->nodes[n].inputs[i]] = true;
}

/* ---- the plan ---- */

static bool plan_alloc(vt_quantize_plan *plan, const vt_graph *graph)
{
    size_t nodes = graph->node_count + 1, values = graph->value_count + 1;
    plan->graph = graph;
    plan->roles = vt_calloc(nodes, sizeof(*plan->roles));
    plan->excluded = vt_calloc(nodes, sizeof(*plan->excluded));
    plan->quantized = vt_calloc(nodes, sizeof(*plan->quantized));
    plan->observed = vt_calloc(values, sizeof(*plan->observed));
    plan->non_negative = vt_calloc(values, sizeof(*plan->non_negative));
    plan->thresholds = vt_calloc(values, sizeof(*plan->thresholds));
    plan->dtypes = vt_calloc(values, sizeof(*plan->dtypes));
    plan->shapes = vt_calloc(values, sizeof(*plan->shapes));
    plan->reads = vt_calloc(values, sizeof(*plan->reads));
    plan->kept = vt_calloc(values, sizeof(*plan->kept));
    return plan->roles != NULL && plan->excluded != NULL && plan->quantized != NULL &&
           plan->observed != NULL && plan->non_negative != NULL && plan->thresholds != NULL &&
           plan->dtypes != NULL && plan->shapes != NULL && plan->reads != NULL &&
           plan->kept != NULL;
}

void vt_quantize_plan_free(vt_quantize_plan *plan)
{
    if (plan == NULL)
        return;
    vt_free(plan->roles);
    vt_free(plan->excluded);
    vt_free(plan->quantized);
    vt_free(plan->observed);
    vt_free(plan->non_negative);
    vt_free(plan->thresholds);
    vt_free(plan->dtypes);
    vt_free(plan->shapes);
    vt_free(plan->reads);
    vt_free(plan->kept);
    vt_free(plan);
}

vt_status vt_quantize_plan_new(const vt_graph *graph, const vt_quantize_options *options,
                               vt_quantize_plan **out, vt_error *error)
{
    vt_plan *shapes = NULL;
    vt_quantize_plan *plan = vt_calloc(1, sizeof(*plan));
    vt_status status =
        plan == NULL || !plan_alloc(plan, graph) ? vt_fail_memory(error, "a plan") : VT_OK;
    if (status == VT_OK)
        status = vt_quantize_wanted_plan(graph, options, &shapes, plan->kept, error);
    for (size_t i = 0; status == VT_OK && i < graph->value_count; i++) {
        plan->dtypes[i] = shapes->values[i].tensor.dtype;
        plan->shapes[i] = shapes->values[i].tensor.shape;
    }
    vt_quantize_wanted_plan_free(shapes);
    if (status != VT_OK) {
        vt_quantize_plan_free(plan);
        return status;
    }
    fill_roles(plan);
    fill_signs(plan);
    vt_quantize_choose(plan, false);
    *out = plan;
    return VT_OK;
}
