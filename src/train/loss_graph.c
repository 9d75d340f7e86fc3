/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Arithmetic of losses as nodes.
 *
 * Reductions changed how they take axes (ReduceSum in operator set 13, the others in 18), which is
 * hidden here. Masks are numbers, 0 or 1, that results are multiplied with; what they hide must be
 * finite, so that 0 times it, and the gradient of that, is 0.
 */
#include "train/loss_graph.h"

#include "base/random.h"

#include <stdio.h>
#include <string.h>

vt_value_id vt_loss_number(vt_loss_graph *graph, double value)
{
    char name[32];
    snprintf(name, sizeof(name), "fixed_%u", (*graph->named)++);
    return vt_builder_scalar(graph->builder, name, (float)value);
}

static vt_value_id whole_numbers(vt_loss_graph *graph, const int64_t *values, int count)
{
    char name[32];
    snprintf(name, sizeof(name), "fixed_%u", (*graph->named)++);
    return vt_builder_ints(graph->builder, name, values, (size_t)count);
}

vt_value_id vt_loss_unary(vt_loss_graph *graph, const char *op, vt_value_id x)
{
    return vt_builder_node(graph->builder, op, NULL, &x, 1);
}

vt_value_id vt_loss_binary(vt_loss_graph *graph, const char *op, vt_value_id a, vt_value_id b)
{
    return vt_builder_node(graph->builder, op, NULL, (vt_value_id[]){a, b}, 2);
}

vt_value_id vt_loss_with(vt_loss_graph *graph, const char *op, vt_value_id a, double b)
{
    return vt_loss_binary(graph, op, a, vt_loss_number(graph, b));
}

vt_value_id vt_loss_where(vt_loss_graph *graph, vt_value_id condition, vt_value_id yes,
                          vt_value_id no)
{
    return vt_builder_node(graph->builder, "Where", NULL, (vt_value_id[]){condition, yes, no}, 3);
}

vt_value_id vt_loss_float(vt_loss_graph *graph, vt_value_id x)
{
    return vt_builder_node(graph->builder, "Cast", "to=1", &x, 1);
}

vt_value_id vt_loss_reduce(vt_loss_graph *graph, const char *op, vt_value_id x, int axis)
{
    char attrs[64];
    int since = strcmp(op, "ReduceSum") == 0 ? 13 : 18; /* axes are an input */
    if (vt_builder_opset(graph->builder) >= since) {
        const vt_value_id inputs[2] = {x, whole_numbers(graph, &(int64_t){axis}, 1)};
        return vt_builder_node(graph->builder, op, "keepdims=1", inputs, 2);
    }
    snprintf(attrs, sizeof(attrs), "axes=%d keepdims=1", axis);
    return vt_builder_node(graph->builder, op, attrs, &x, 1);
}

vt_value_id vt_loss_sum(vt_loss_graph *graph, vt_value_id x)
{
    return vt_builder_node(graph->builder, "ReduceSum", "keepdims=0", &x, 1);
}

vt_value_id vt_loss_reshape(vt_loss_graph *graph, vt_value_id x, const int64_t *dims, int rank)
{
    return vt_loss_binary(graph, "Reshape", x, whole_numbers(graph, dims, rank));
}

vt_value_id vt_loss_mean(vt_loss_graph *graph, vt_value_id x, vt_value_id mask)
{
    vt_value_id sum = vt_loss_sum(graph, vt_loss_binary(graph, "Mul", x, mask));
    vt_value_id count = vt_loss_with(graph, "Max", vt_loss_sum(graph, mask), 1);
    return vt_loss_binary(graph, "Div", sum, count);
}

vt_value_id vt_loss_unit(vt_loss_graph *graph, vt_value_id x)
{
    vt_value_id squares = vt_loss_binary(graph, "Mul", x, x);
    squares = vt_loss_with(graph, "Add", vt_loss_reduce(graph, "ReduceSum", squares, 1), 1e-12);
    return vt_loss_binary(graph, "Div", x, vt_loss_unary(graph, "Sqrt", squares));
}

vt_value_id vt_loss_log_softmax(vt_loss_graph *graph, vt_value_id x)
{
    return vt_builder_node(graph->builder, "LogSoftmax", "axis=1", &x, 1);
}

vt_value_id vt_loss_turn(vt_loss_graph *graph, vt_value_id x)
{
    return vt_builder_node(graph->builder, "Transpose", "perm=1,0", &x, 1);
}

/* ---- labels ---- */

vt_value_id vt_loss_known(vt_loss_graph *graph)
{
    vt_value_id labels = vt_loss_reshape(graph, graph->inputs->labels, (const int64_t[]){-1, 1}, 2);
    /* As floats: 24 bits hold every class, and comparisons of them are old. */
    return vt_loss_float(graph, vt_loss_with(graph, "Greater", vt_loss_float(graph, labels), -0.5));
}

vt_value_id vt_loss_one_hot(vt_loss_graph *graph)
{
    char name[32];
    const float off_on[2] = {0, 1};
    const vt_shape two = {.rank = 1, .dims = {2}};
    int64_t classes = graph->inputs->classes;
    snprintf(name, sizeof(name), "fixed_%u", (*graph->named)++);
    const vt_value_id inputs[3] = {graph->inputs->labels, whole_numbers(graph, &classes, 1),
                                   vt_builder_floats(graph->builder, name, &two, off_on)};
    vt_value_id hot = vt_builder_node(graph->builder, "OneHot", "axis=-1", inputs, 3);
    return vt_loss_binary(graph, "Mul", hot, vt_loss_known(graph));
}

vt_value_id vt_loss_hard_cross_entropy(vt_loss_graph *graph, vt_value_id scores,
                                       vt_value_id one_hot)
{
    vt_value_id chosen = vt_loss_binary(graph, "Mul", vt_loss_log_softmax(graph, scores), one_hot);
    vt_value_id sum = vt_loss_unary(graph, "Neg", vt_loss_sum(graph, chosen));
    vt_value_id count = vt_loss_with(graph, "Max", vt_loss_sum(graph, one_hot), 1);
    return vt_loss_binary(graph, "Div", sum, count);
}

/* ---- weights ---- */

vt_value_id vt_loss_weight(vt_loss_graph *graph, const char *name, int rows, int columns,
                           double deviation)
{
    const vt_shape shape = {.rank = 2, .dims = {rows, columns}};
    vt_error error = {0};
    vt_tensor tensor = {0};
    vt_random random;
    if (vt_builder_failed(graph->builder))
        return VT_NO_VALUE;
    vt_status status = vt_tensor_init(&tensor, VT_F32, &shape, 0, &error);
    if (status != VT_OK) {
        vt_builder_fail(graph->builder, status, error.message);
        return VT_NO_VALUE;
    }
    vt_random_init(&random, graph->inputs->seed);
    float *values = tensor.data;
    for (size_t i = 0; i < vt_tensor_count(&tensor); i++)
        values[i] = (float)(vt_random_normal(&random) * deviation);
    return vt_builder_constant(graph->builder, name, &tensor);
}

/* ---- pairs ---- */

vt_loss_pairs vt_loss_pairs_of(vt_loss_graph *graph)
{
    vt_loss_pairs pairs;
    vt_value_id rows = vt_loss_unit(graph, graph->inputs->embedding);
    pairs.similarity = vt_loss_binary(graph, "MatMul", rows, vt_loss_turn(graph, rows));
    pairs.eye = vt_builder_node(graph->builder, "EyeLike", NULL, &pairs.similarity, 1);
    vt_value_id labels = graph->inputs->labels;
    vt_value_id down = vt_loss_reshape(graph, labels, (const int64_t[]){-1, 1}, 2);
    vt_value_id across = vt_loss_reshape(graph, labels, (const int64_t[]){1, -1}, 2);
    vt_value_id same = vt_loss_float(graph, vt_loss_binary(graph, "Equal", down, across));
    vt_value_id known = vt_loss_known(graph);
    vt_value_id both = vt_loss_binary(graph, "Mul", known, vt_loss_turn(graph, known));
    same = vt_loss_binary(graph, "Mul", same, both);
    pairs.negative = vt_loss_binary(graph, "Sub", both, same);
    /* The diagonal is 1 in `same` where the label is known. */
    vt_value_id self = vt_loss_binary(graph, "Mul", pairs.eye, both);
    pairs.positive = vt_loss_binary(graph, "Sub", same, self);
    return pairs;
}
