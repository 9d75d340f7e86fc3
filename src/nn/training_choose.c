/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a training trains: parameters by name, or all that the loss depends on through operators
 * with a gradient; and states, the running statistics of batch normalisation.
 *
 * Of the constants that nobody named, those of one element are left alone unless they stand where
 * an operator has its weights: they are numbers of formulas (the 2 of a square, the scale of an
 * attention), not parameters.
 */
#include "nn/training_inside.h"

#include "nn/gradient.h"
#include "nn/ops/gradients.h"

#include <string.h>

/* Weights by where they stand, whatever their size; elsewhere a constant of one element is a number
 * of a formula. */
static bool is_weight_place(const vt_node *node, size_t input)
{
    static const char *const ops[] = {"Conv",
                                      "ConvTranspose",
                                      "Gemm",
                                      "MatMul",
                                      "PRelu",
                                      "BatchNormalization",
                                      "InstanceNormalization",
                                      "LayerNormalization",
                                      "GroupNormalization",
                                      "RMSNormalization"};
    for (size_t i = 0; i < sizeof(ops) / sizeof(ops[0]); i++)
        if (strcmp(node->op->name, ops[i]) == 0)
            return input > 0;
    return false;
}

static bool is_statistic(const vt_node *node, size_t input)
{
    return strcmp(node->op->name, "BatchNormalization") == 0 && node->op->domain[0] == '\0' &&
           (input == 3 || input == 4);
}

/* What of each value is known while weights are chosen. */
typedef struct choice {
    bool *reaches; /* the loss depends on it, differentiably */
    bool *taken;   /* a parameter or state */
    bool *depends; /* on a parameter */
} choice;

static void choice_deinit(choice *c)
{
    vt_free(c->reaches);
    vt_free(c->taken);
    vt_free(c->depends);
}

static bool output_reaches(const vt_node *node, const bool *marks)
{
    for (size_t i = 0; i < node->output_count; i++)
        if (node->outputs[i] != VT_NO_VALUE && marks[node->outputs[i]])
            return true;
    return false;
}

static vt_status choice_init(choice *c, const vt_graph *graph, vt_value_id loss, vt_error *error)
{
    c->reaches = vt_calloc(graph->value_count, sizeof(*c->reaches));
    c->taken = vt_calloc(graph->value_count, sizeof(*c->taken));
    c->depends = vt_calloc(graph->value_count, sizeof(*c->depends));
    if (c->reaches == NULL || c->taken == NULL || c->depends == NULL)
        return vt_fail_memory(error, "a training");
    c->reaches[loss] = true;
    for (size_t n = graph->node_count; n-- > 0;) {
        const vt_node *node = &graph->nodes[n];
        if (!output_reaches(node, c->reaches))
            continue;
        for (size_t i = 0; i < node->input_count; i++)
            if (node->inputs[i] != VT_NO_VALUE && vt_gradient_passes(node->op, i))
                c->reaches[node->inputs[i]] = true;
    }
    return VT_OK;
}

static vt_status take(vt_training *training, choice *c, vt_value_id value, vt_error *error)
{
    const vt_value *weight = &training->graph.values[value];
    size_t index = training->parameter_count + training->state_count;
    vt_tracked *one = &training->list[index];
    if (weight->constant == NULL || weight->constant->dtype != VT_F32)
        return vt_fail(error, VT_ERR_USAGE, "train \"%.100s\": it is no f32 weight", weight->name);
    *one = (vt_tracked){.value = value, .shape = weight->constant->shape};
    one->count = vt_tensor_count(weight->constant);
    c->taken[value] = true;
    return VT_OK;
}

static vt_status take_named(vt_training *training, choice *c, const vt_training_options *options,
                            vt_error *error)
{
    vt_status status = VT_OK;
    for (size_t i = 0; i < options->parameter_count && status == VT_OK; i++) {
        vt_value_id value = vt_graph_find_value(&training->graph, options->parameters[i]);
        if (value == VT_NO_VALUE)
            return vt_fail(error, VT_ERR_NOT_FOUND, "train \"%.100s\": the model has no such value",
                           options->parameters[i]);
        if (c->taken[value])
            return vt_fail(error, VT_ERR_USAGE, "train \"%.100s\": it is named twice",
                           options->parameters[i]);
        status = take(training, c, value, error);
        training->parameter_count += status == VT_OK;
    }
    return status;
}

static bool is_candidate(const vt_graph *graph, vt_value_id value)
{
    return value != VT_NO_VALUE && graph->values[value].constant != NULL &&
           graph->values[value].constant->dtype == VT_F32;
}

static vt_status take_all(vt_training *training, choice *c, vt_error *error)
{
    const vt_graph *graph = &training->graph;
    vt_status status = VT_OK;
    for (size_t n = 0; n < graph->node_count && status == VT_OK; n++) {
        const vt_node *node = &graph->nodes[n];
        for (size_t i = 0; i < node->input_count && status == VT_OK; i++) {
            vt_value_id value = node->inputs[i];
            if (!output_reaches(node, c->reaches) || !is_candidate(graph, value) ||
                c->taken[value] || !vt_gradient_passes(node->op, i) || is_statistic(node, i) ||
                (vt_tensor_count(graph->values[value].constant) <= 1 && !is_weight_place(node, i)))
                continue;
            status = take(training, c, value, error);
            training->parameter_count += status == VT_OK;
        }
    }
    return status;
}

static vt_status take_states(vt_training *training, choice *c, vt_error *error)
{
    const vt_graph *graph = &training->graph;
    vt_status status = VT_OK;
    for (size_t n = 0; n < graph->node_count && status == VT_OK; n++) {
        const vt_node *node = &graph->nodes[n];
        for (size_t i = 3; i < node->input_count && status == VT_OK; i++) {
            if (!is_statistic(node, i) || !is_candidate(graph, node->inputs[i]) ||
                c->taken[node->inputs[i]])
                continue;
            status = take(training, c, node->inputs[i], error);
            training->state_count += status == VT_OK;
        }
    }
    return status;
}

/* Every operator on the way has a gradient. */
static vt_status check_supported(const vt_training *training, choice *c, vt_error *error)
{
    const vt_graph *graph = &training->graph;
    for (size_t i = 0; i < training->parameter_count; i++)
        c->depends[training->list[i].value] = true;
    vt_graph_depends(graph, c->depends);
    for (size_t n = 0; n < graph->node_count; n++) {
        const vt_node *node = &graph->nodes[n];
        bool needed = false;
        for (size_t i = 0; i < node->input_count; i++)
            needed = needed || (node->inputs[i] != VT_NO_VALUE && c->depends[node->inputs[i]] &&
                                vt_gradient_passes(node->op, i));
        if (!needed || !output_reaches(node, c->reaches) || vt_gradient_find(node->op) != NULL)
            continue;
        char label[200];
        const char *reason = vt_gradient_missing(node->op);
        vt_node_label(graph, node, label, sizeof(label));
        return vt_fail(error, VT_ERR_UNSUPPORTED,
                       "train the network: the operator of %s has no gradient%s%s", label,
                       reason != NULL ? "; " : "", reason != NULL ? reason : "");
    }
    return VT_OK;
}

vt_status vt_training_choose(vt_training *training, const vt_training_options *options,
                             vt_error *error)
{
    choice c = {0};
    vt_status status = choice_init(&c, &training->graph, training->loss, error);
    if (status == VT_OK)
        status = options->parameters != NULL ? take_named(training, &c, options, error)
                                             : take_all(training, &c, error);
    if (status == VT_OK && training->parameter_count == 0)
        status = vt_fail(error, VT_ERR_USAGE, "train the network: it has nothing to train");
    if (status == VT_OK && !training->frozen)
        status = take_states(training, &c, error);
    if (status == VT_OK)
        status = check_supported(training, &c, error);
    choice_deinit(&c);
    return status;
}
