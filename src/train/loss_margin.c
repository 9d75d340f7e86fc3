/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Softmax losses with a margin on the angle between an embedding and its class's weight.
 *
 * arcface: Deng et al., "ArcFace" (2019), equation 3: the cosine of the row's own class becomes
 * cos(t + m), all are scaled by s and go into cross-entropy; s 64, m 0.5. cos(t + m) is
 * cos t cos m - sin t sin m, without an arc cosine, whose slope has no bound. Beyond t = pi - m,
 * where it would rise again, cos t - m sin m goes on downwards, as in the authors' program.
 *
 * cosface: Wang et al., "CosFace" (2018), equation 4: cos t - m; s 64, m 0.35.
 *
 * The class weights, "weight" (classes, dim), start normal with deviation 0.01, as the authors of
 * ArcFace do; both sides are brought to length 1.
 */
#include "train/loss_graph.h"

#include <math.h>

enum { MARGIN, SCALE };

/* (N, classes) */
static vt_value_id cosines(vt_loss_graph *graph)
{
    const vt_loss_inputs *inputs = graph->inputs;
    vt_value_id weight = vt_loss_weight(graph, "weight", inputs->classes, inputs->dim, 0.01);
    vt_value_id rows = vt_loss_unit(graph, inputs->embedding);
    vt_value_id classes = vt_loss_turn(graph, vt_loss_unit(graph, weight));
    return vt_loss_binary(graph, "MatMul", rows, classes);
}

/* Cross-entropy of scores that are `own` at the label and `other` elsewhere. */
static vt_value_id finish(vt_loss_graph *graph, vt_value_id own, vt_value_id other)
{
    vt_value_id hot = vt_loss_one_hot(graph);
    vt_value_id change =
        vt_loss_binary(graph, "Mul", vt_loss_binary(graph, "Sub", own, other), hot);
    vt_value_id scores = vt_loss_binary(graph, "Add", other, change);
    scores = vt_loss_with(graph, "Mul", scores, graph->parameters[SCALE]);
    return vt_loss_hard_cross_entropy(graph, scores, hot);
}

vt_value_id vt_loss_arcface(vt_loss_graph *graph)
{
    double m = graph->parameters[MARGIN];
    vt_value_id c = cosines(graph), one = vt_loss_number(graph, 1);
    vt_value_id s = vt_loss_binary(graph, "Sub", one, vt_loss_binary(graph, "Mul", c, c));
    s = vt_loss_unary(graph, "Sqrt", vt_loss_with(graph, "Max", s, 1e-7));
    vt_value_id turned = vt_loss_binary(graph, "Sub", vt_loss_with(graph, "Mul", c, cos(m)),
                                        vt_loss_with(graph, "Mul", s, sin(m)));
    vt_value_id lowered = vt_loss_with(graph, "Sub", c, m * sin(m));
    vt_value_id near = vt_loss_with(graph, "Greater", c, -cos(m));
    return finish(graph, vt_loss_where(graph, near, turned, lowered), c);
}

vt_value_id vt_loss_cosface(vt_loss_graph *graph)
{
    vt_value_id c = cosines(graph);
    return finish(graph, vt_loss_with(graph, "Sub", c, graph->parameters[MARGIN]), c);
}
