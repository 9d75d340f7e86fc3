/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Losses of scores.
 *
 * ce, cross-entropy of softmax, with label smoothing (Szegedy et al., "Rethinking the Inception
 * Architecture" (2015), section 7: q' = (1 - e) q + e / K) and class weights:
 *     sum_i sum_c w_c q'_ic (-log p_ic) / sum_i sum_c w_c q_ic
 * which for hard labels is torch.nn.CrossEntropyLoss. Logarithms of softmax are one operator, safe
 * for any scores. q are one-hot labels, or given shares of classes.
 *
 * bce, binary cross-entropy of logits x and targets z, each class for itself:
 *     max(x, 0) - x z + log(1 + exp(-|x|))
 * which never takes the exponential of a positive number. Negative targets do not count.
 *
 * mse, the mean of (x - z)^2; where it is said so, over targets that are not negative.
 */
#include "train/loss_graph.h"

/* Shares that are given, or one-hot labels: (N, classes). */
static vt_value_id shares(vt_loss_graph *graph)
{
    return graph->inputs->targets != VT_NO_VALUE ? graph->inputs->targets : vt_loss_one_hot(graph);
}

/* 1 where a given target is known. */
static vt_value_id known_targets(vt_loss_graph *graph)
{
    return vt_loss_float(graph, vt_loss_with(graph, "Greater", graph->inputs->targets, -1e-6));
}

/* (1 - e) q + e / K, rows of nothing stay so. */
static vt_value_id smoothed(vt_loss_graph *graph, vt_value_id q)
{
    double e = graph->parameters[0];
    if (e == 0.0)
        return q;
    vt_value_id rows = vt_loss_reduce(graph, "ReduceSum", q, 1);
    vt_value_id level = vt_loss_with(graph, "Mul", rows, e / graph->inputs->classes);
    return vt_loss_binary(graph, "Add", vt_loss_with(graph, "Mul", q, 1.0 - e), level);
}

vt_value_id vt_loss_cross_entropy(vt_loss_graph *graph)
{
    const vt_shape row = {.rank = 2, .dims = {1, graph->inputs->classes}};
    vt_value_id q = shares(graph);
    if (graph->inputs->unknown_negative) /* no share of anything */
        q = vt_loss_unary(graph, "Relu", q);
    vt_value_id soft = smoothed(graph, q);
    if (graph->inputs->class_weights != NULL) {
        vt_value_id w = vt_builder_floats(graph->builder, "fixed_class_weights", &row,
                                          graph->inputs->class_weights);
        q = vt_loss_binary(graph, "Mul", q, w);
        soft = vt_loss_binary(graph, "Mul", soft, w);
    }
    vt_value_id logs = vt_loss_log_softmax(graph, graph->inputs->logits);
    vt_value_id sum = vt_loss_sum(graph, vt_loss_binary(graph, "Mul", logs, soft));
    /* A batch without any share: 0 / small is 0. */
    vt_value_id all = vt_loss_with(graph, "Max", vt_loss_sum(graph, q), 1e-6);
    return vt_loss_unary(graph, "Neg", vt_loss_binary(graph, "Div", sum, all));
}

vt_value_id vt_loss_binary_cross_entropy(vt_loss_graph *graph)
{
    vt_value_id x = graph->inputs->logits, z = shares(graph), known;
    if (graph->inputs->targets != VT_NO_VALUE) {
        known = known_targets(graph);
    } else {
        /* Rows with labels, all classes. */
        vt_value_id ones = vt_loss_with(graph, "Add", vt_loss_with(graph, "Mul", z, 0), 1);
        known = vt_loss_binary(graph, "Mul", ones, vt_loss_known(graph));
    }
    vt_value_id tail = vt_loss_unary(graph, "Neg", vt_loss_unary(graph, "Abs", x));
    tail = vt_loss_with(graph, "Add", vt_loss_unary(graph, "Exp", tail), 1);
    tail = vt_loss_unary(graph, "Log", tail);
    vt_value_id head = vt_loss_binary(graph, "Sub", vt_loss_unary(graph, "Relu", x),
                                      vt_loss_binary(graph, "Mul", x, z));
    return vt_loss_mean(graph, vt_loss_binary(graph, "Add", head, tail), known);
}

vt_value_id vt_loss_squares(vt_loss_graph *graph)
{
    vt_value_id d = vt_loss_binary(graph, "Sub", graph->inputs->logits, graph->inputs->targets);
    d = vt_loss_binary(graph, "Mul", d, d);
    if (graph->inputs->unknown_negative)
        return vt_loss_mean(graph, d, known_targets(graph));
    return vt_builder_node(graph->builder, "ReduceMean", "keepdims=0", &d, 1);
}
