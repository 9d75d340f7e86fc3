/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Learning from a teacher's outputs, which are inputs of the training graph.
 *
 * kd: Hinton, Vinyals and Dean, "Distilling the Knowledge in a Neural Network" (2015), section 2:
 * the divergence of the student's softmax from the teacher's, both at temperature T, times T^2 so
 * that gradients keep their size:
 *     T^2 / N sum p (log p - log q),  p of teacher / T, q of student / T;  T 4
 *
 * kd-cosine and kd-mse: embeddings to the teacher's: 1 - cosine, and the mean of squared
 * differences. Where dimensions differ a trained matrix, "projection" (dim, teacher_dim), maps the
 * student's first: Romero et al., "FitNets" (2014), equation 3, with one linear layer as the
 * regressor.
 */
#include "train/loss_graph.h"

#include <math.h>

enum { TEMPERATURE };

static vt_value_id tempered(vt_loss_graph *graph, vt_value_id logits)
{
    double t = graph->parameters[TEMPERATURE];
    return vt_loss_log_softmax(graph, vt_loss_with(graph, "Mul", logits, 1 / t));
}

static vt_value_id mean(vt_loss_graph *graph, vt_value_id x)
{
    return vt_builder_node(graph->builder, "ReduceMean", "keepdims=0", &x, 1);
}

vt_value_id vt_loss_distill(vt_loss_graph *graph)
{
    double t = graph->parameters[TEMPERATURE];
    vt_value_id p = tempered(graph, graph->inputs->teacher_logits);
    vt_value_id q = tempered(graph, graph->inputs->logits);
    vt_value_id each = vt_loss_binary(graph, "Mul", vt_loss_unary(graph, "Exp", p),
                                      vt_loss_binary(graph, "Sub", p, q));
    each = vt_loss_reduce(graph, "ReduceSum", each, 1);
    return vt_loss_with(graph, "Mul", mean(graph, each), t * t);
}

static vt_value_id student(vt_loss_graph *graph)
{
    const vt_loss_inputs *inputs = graph->inputs;
    if (inputs->dim == inputs->teacher_dim)
        return inputs->embedding;
    vt_value_id projection = vt_loss_weight(graph, "projection", inputs->dim, inputs->teacher_dim,
                                            1 / sqrt((double)inputs->dim));
    return vt_loss_binary(graph, "MatMul", inputs->embedding, projection);
}

vt_value_id vt_loss_distill_cosine(vt_loss_graph *graph)
{
    vt_value_id a = vt_loss_unit(graph, student(graph));
    vt_value_id b = vt_loss_unit(graph, graph->inputs->teacher_embedding);
    vt_value_id cosine = vt_loss_reduce(graph, "ReduceSum", vt_loss_binary(graph, "Mul", a, b), 1);
    return vt_loss_binary(graph, "Sub", vt_loss_number(graph, 1), mean(graph, cosine));
}

vt_value_id vt_loss_distill_squares(vt_loss_graph *graph)
{
    vt_value_id d = vt_loss_binary(graph, "Sub", student(graph), graph->inputs->teacher_embedding);
    return mean(graph, vt_loss_binary(graph, "Mul", d, d));
}
