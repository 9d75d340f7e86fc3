/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Gradients of Softmax and LogSoftmax, by their results: dx = y (dy - sum(dy y)), and
 * dx = dy - exp(y) sum(dy). Until opset 12 they work on everything from the axis on.
 */
#include "nn/ops/gradients.h"
#include "nn/ops/op.h"

static void summed_axes(vt_backward *b, bool marks[VT_MAX_RANK])
{
    int rank = vt_back_shape(b, vt_back_input(b, 0)).rank, axis = 0;
    bool flattens = b->node.opset < 13;
    int64_t given = vt_node_int(&b->node, "axis", flattens ? 1 : -1);
    axis = rank;
    if (b->status == VT_OK && given != rank)
        b->status = vt_op_axis(given, rank, &axis, b->error);
    for (int i = 0; i < rank; i++)
        marks[i] = i == axis || (flattens && i > axis);
}

void vt_gradient_softmax(vt_backward *b)
{
    bool marks[VT_MAX_RANK];
    vt_value_id y = vt_back_output(b, 0);
    summed_axes(b, marks);
    vt_value_id sum = vt_back_sum_axes(b, vt_back_op2(b, "Mul", b->dy[0], y), marks);
    b->dx[0] = vt_back_op2(b, "Mul", y, vt_back_op2(b, "Sub", b->dy[0], sum));
}

void vt_gradient_log_softmax(vt_backward *b)
{
    bool marks[VT_MAX_RANK];
    summed_axes(b, marks);
    vt_value_id sum = vt_back_sum_axes(b, b->dy[0], marks);
    vt_value_id share = vt_back_op1(b, "Exp", vt_back_output(b, 0));
    b->dx[0] = vt_back_op2(b, "Sub", b->dy[0], vt_back_op2(b, "Mul", share, sum));
}
