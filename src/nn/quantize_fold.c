/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Normalisation into the convolutions before it, for a graph.
 *
 * Method: the executors' own pass (passes/fold_batchnorm.c) runs on a plan, and the convolutions
 * whose weights it made anew come back into the graph in the place of the last node of their chain.
 * What nothing needs any more stays behind. Folding a chain does not hang on the shapes that the
 * plan is made for.
 */
#include "nn/plan.h"
#include "nn/quantize.h"

#include <string.h>

/* The plan's step that computes value `id`, if the pass made a convolution with new weights of it.
 */
static const vt_step *folded_conv(const vt_plan *plan, const vt_graph *graph, vt_value_id id)
{
    int at = plan->values[id].first_step;
    if (at < 0)
        return NULL;
    const vt_step *step = &plan->steps[at];
    return strcmp(step->node.op->name, "Conv") == 0 && step->node.input_count == 3 &&
                   step->node.inputs[1] != VT_NO_VALUE && step->node.inputs[1] >= graph->value_count
               ? step
               : NULL;
}

/* Moves a constant that the plan owns into the copy, named after what it replaces. */
static vt_status take_constant(vt_graph_copy *copy, vt_plan *plan, vt_value_id id,
                               const char *const name[2], vt_value_id *out, vt_error *error)
{
    vt_tensor tensor = plan->values[id].tensor;
    plan->values[id].tensor.owned = plan->values[id].folded = false;
    return vt_graph_copy_constant(copy, name[0], name[1], &tensor, out, error);
}

static vt_status copy_conv(vt_graph_copy *copy, vt_plan *plan, const vt_step *step,
                           vt_value_id output, vt_error *error)
{
    vt_value_id inputs[3], result;
    const char *base = copy->in->values[output].name;
    const char *const weight[2] = {base, "weight"}, *const bias[2] = {base, "bias"};
    vt_status status = vt_graph_copy_value(copy, step->node.inputs[0], &inputs[0], error);
    if (status == VT_OK)
        status = take_constant(copy, plan, step->node.inputs[1], weight, &inputs[1], error);
    if (status == VT_OK)
        status = take_constant(copy, plan, step->node.inputs[2], bias, &inputs[2], error);
    if (status == VT_OK)
        status = vt_graph_copy_value(copy, output, &result, error);
    vt_node node = step->node;
    node.inputs = inputs;
    node.outputs = &result;
    return status == VT_OK ? vt_graph_add_node(copy->out, &node, error) : status;
}

static vt_status copy_node(vt_graph_copy *copy, const vt_node *from, vt_error *error)
{
    vt_node node = *from;
    node.inputs = vt_alloc_array(from->input_count, sizeof(*node.inputs));
    node.outputs = vt_alloc_array(from->output_count, sizeof(*node.outputs));
    vt_status status = node.inputs == NULL || node.outputs == NULL
                           ? vt_fail_memory(error, "a node's operands")
                           : VT_OK;
    for (size_t i = 0; i < from->input_count && status == VT_OK; i++)
        status = vt_graph_copy_value(copy, from->inputs[i], &node.inputs[i], error);
    for (size_t i = 0; i < from->output_count && status == VT_OK; i++)
        status = vt_graph_copy_value(copy, from->outputs[i], &node.outputs[i], error);
    if (status == VT_OK)
        status = vt_graph_add_node(copy->out, &node, error);
    vt_free(node.inputs);
    vt_free(node.outputs);
    return status;
}

/* Marks what the plan's outputs need, with folded convolutions in the place of their chains. */
static void mark_needed(const vt_plan *plan, const vt_graph *graph, bool *needed)
{
    for (size_t i = 0; i < plan->output_count; i++)
        needed[plan->outputs[i]] = true;
    for (size_t n = graph->node_count; n-- > 0;) {
        const vt_node *node = &graph->nodes[n];
        bool keep = false;
        for (size_t i = 0; i < node->output_count; i++)
            keep = keep || (node->outputs[i] != VT_NO_VALUE && needed[node->outputs[i]]);
        const vt_step *conv = keep ? folded_conv(plan, graph, node->outputs[0]) : NULL;
        if (conv != NULL)
            needed[conv->node.inputs[0]] = true;
        for (size_t i = 0; i < node->input_count && keep && conv == NULL; i++)
            if (node->inputs[i] != VT_NO_VALUE)
                needed[node->inputs[i]] = true;
    }
}

static vt_status second_copy(const vt_graph *in, vt_plan *plan, const bool *needed, vt_graph *out,
                             vt_error *error)
{
    vt_graph_copy copy;
    vt_status status = vt_graph_copy_init(&copy, in, out, error);
    for (size_t n = 0; n < in->node_count && status == VT_OK; n++) {
        const vt_node *node = &in->nodes[n];
        bool keep = false;
        for (size_t i = 0; i < node->output_count; i++)
            keep = keep || (node->outputs[i] != VT_NO_VALUE && needed[node->outputs[i]]);
        if (!keep)
            continue;
        const vt_step *conv = folded_conv(plan, in, node->outputs[0]);
        status = conv != NULL ? copy_conv(&copy, plan, conv, node->outputs[0], error)
                              : copy_node(&copy, node, error);
    }
    if (status == VT_OK)
        status = vt_graph_copy_finish(&copy, error);
    vt_graph_copy_deinit(&copy);
    if (status != VT_OK)
        vt_graph_deinit(out);
    return status;
}

/* The constants that `from` owns and `to` borrows become `to`'s. */
static vt_status move_tensors(vt_graph *from, vt_graph *to, vt_error *error)
{
    for (size_t i = 0; i < from->tensor_count; i++) {
        vt_tensor tensor = *from->tensors[i];
        const vt_tensor *kept;
        if (!tensor.owned)
            continue;
        from->tensors[i]->owned = false;
        vt_status status = vt_graph_keep_tensor(to, &tensor, &kept, error);
        if (status != VT_OK)
            return status;
    }
    return VT_OK;
}

vt_status vt_quantize_fold(vt_graph *in, const vt_quantize_options *options, vt_graph *out,
                           vt_error *error)
{
    vt_plan *plan = NULL;
    bool *needed = vt_calloc(in->value_count + 1, sizeof(*needed));
    vt_status status = needed == NULL ? vt_fail_memory(error, "a graph's values")
                                      : vt_quantize_wanted_plan(in, options, &plan, NULL, error);
    if (status == VT_OK)
        status = vt_pass_fold_batchnorm(plan, error);
    if (status == VT_OK) {
        vt_plan_lifetimes(plan);
        mark_needed(plan, in, needed);
        status = second_copy(in, plan, needed, out, error);
    }
    if (status == VT_OK && (status = move_tensors(in, out, error)) != VT_OK)
        vt_graph_deinit(out);
    vt_quantize_wanted_plan_free(plan);
    vt_free(needed);
    return status;
}
