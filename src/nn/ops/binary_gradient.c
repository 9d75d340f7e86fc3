/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Gradients of elementwise operators of several inputs. What was broadcast is summed.
 *
 * Where two inputs are equally large, Min and Max share the gradient between them.
 */
#include "nn/ops/gradients.h"

#include <float.h>
#include <math.h>
#include <string.h>

static void give(vt_backward *b, size_t index, vt_value_id gradient)
{
    const vt_shape shape = vt_back_shape(b, vt_back_input(b, index));
    if (vt_back_wants(b, index))
        b->dx[index] = vt_back_reduce_to(b, gradient, &shape);
}

static vt_value_id mul(vt_backward *b, vt_value_id x, vt_value_id y)
{
    return vt_back_op2(b, "Mul", x, y);
}

/* In opset 6 an axis says where the second operand lines up. */
static bool lines_up(vt_backward *b)
{
    if (b->node.opset > 6 || vt_node_attr(&b->node, "axis") == NULL)
        return true;
    vt_back_fail(b, "attribute \"axis\" of opset 6 has no gradient");
    return false;
}

void vt_gradient_add(vt_backward *b)
{
    for (size_t i = 0; i < 2 && lines_up(b); i++)
        give(b, i, b->dy[0]);
}

void vt_gradient_sub(vt_backward *b)
{
    if (!lines_up(b))
        return;
    give(b, 0, b->dy[0]);
    if (vt_back_wants(b, 1)) { /* summed first: that is less to negate */
        give(b, 1, b->dy[0]);
        b->dx[1] = vt_back_op1(b, "Neg", b->dx[1]);
    }
}

void vt_gradient_mul(vt_backward *b)
{
    for (size_t i = 0; i < 2 && lines_up(b); i++)
        if (vt_back_wants(b, i))
            give(b, i, mul(b, b->dy[0], vt_back_input(b, 1 - i)));
}

void vt_gradient_div(vt_backward *b)
{
    vt_value_id divisor = vt_back_input(b, 1);
    if (!lines_up(b))
        return;
    vt_value_id quotient = vt_back_op2(b, "Div", b->dy[0], divisor);
    give(b, 0, quotient);
    if (vt_back_wants(b, 1))
        give(b, 1, vt_back_op1(b, "Neg", mul(b, quotient, vt_back_output(b, 0))));
}

/* y x^(y - 1); of the exponent: x^y log x, 0 where x is 0. */
void vt_gradient_pow(vt_backward *b)
{
    vt_value_id x = vt_back_input(b, 0), exponent = vt_back_input(b, 1);
    double number;
    if (!lines_up(b))
        return;
    if (vt_back_dtype(b, exponent) != vt_back_dtype(b, x)) {
        const vt_attr to = VT_BACK_INT("to", vt_back_dtype(b, x));
        exponent = vt_back_node(b, &(vt_back_call){.op = "Cast",
                                                   .inputs = &exponent,
                                                   .input_count = 1,
                                                   .attrs = &to,
                                                   .attr_count = 1});
    }
    if (vt_back_wants(b, 0) && vt_back_constant_number(b, vt_back_input(b, 1), &number)) {
        vt_value_id power = number == 2.0 ? x
                            : number == 1.0
                                ? VT_NO_VALUE
                                : vt_back_op2(b, "Pow", x, vt_back_number(b, number - 1.0, x));
        vt_value_id scaled = vt_back_scale(b, b->dy[0], number);
        give(b, 0, power == VT_NO_VALUE ? scaled : mul(b, scaled, power));
    } else if (vt_back_wants(b, 0)) {
        vt_value_id less = vt_back_op2(b, "Sub", exponent, vt_back_number(b, 1.0, x));
        vt_value_id slope = mul(b, exponent, vt_back_op2(b, "Pow", x, less));
        give(b, 0, mul(b, b->dy[0], slope));
    }
    if (vt_back_wants(b, 1)) {
        vt_value_id zero = vt_back_number(b, 0.0, x);
        vt_value_id slope = mul(b, vt_back_output(b, 0), vt_back_op1(b, "Log", x));
        slope = vt_back_op3(b, "Where", vt_back_op2(b, "Greater", x, zero), slope, zero);
        give(b, 1, mul(b, b->dy[0], slope));
    }
}

/* Min and Max: dy times [x = y], over how many are equal. */
void vt_gradient_extreme(vt_backward *b)
{
    vt_value_id y = vt_back_output(b, 0), count = VT_NO_VALUE;
    const vt_attr to = VT_BACK_INT("to", vt_back_dtype(b, y));
    vt_value_id *equal = vt_calloc(b->node.input_count, sizeof(*equal));
    if (equal == NULL) {
        b->status = vt_fail_memory(b->error, "gradients");
        return;
    }
    for (size_t i = 0; i < b->node.input_count; i++) {
        vt_value_id same = vt_back_op2(b, "Equal", b->node.inputs[i], y);
        equal[i] = vt_back_node(
            b, &(vt_back_call){
                   .op = "Cast", .inputs = &same, .input_count = 1, .attrs = &to, .attr_count = 1});
        count = count == VT_NO_VALUE ? equal[i] : vt_back_op2(b, "Add", count, equal[i]);
    }
    vt_value_id share = vt_back_op2(b, "Div", b->dy[0], count);
    for (size_t i = 0; i < b->node.input_count; i++)
        if (vt_back_wants(b, i))
            give(b, i, mul(b, share, equal[i]));
    vt_free(equal);
}

/* Sum and Mean. */
void vt_gradient_sum(vt_backward *b)
{
    bool mean = strcmp(b->node.op->name, "Mean") == 0;
    vt_value_id dy =
        mean ? vt_back_scale(b, b->dy[0], 1.0 / (double)b->node.input_count) : b->dy[0];
    for (size_t i = 0; i < b->node.input_count; i++)
        give(b, i, dy);
}

void vt_gradient_where(vt_backward *b)
{
    vt_value_id condition = vt_back_input(b, 0), zero = vt_back_number(b, 0.0, b->dy[0]);
    if (vt_back_wants(b, 1))
        give(b, 1, vt_back_op3(b, "Where", condition, b->dy[0], zero));
    if (vt_back_wants(b, 2))
        give(b, 2, vt_back_op3(b, "Where", condition, zero, b->dy[0]));
}

void vt_gradient_prelu(vt_backward *b)
{
    vt_value_id x = vt_back_input(b, 0), slope = vt_back_input(b, 1);
    vt_value_id zero = vt_back_number(b, 0.0, x);
    vt_value_id positive = vt_back_op2(b, "Greater", x, zero);
    if (vt_back_wants(b, 0))
        give(b, 0, vt_back_op3(b, "Where", positive, b->dy[0], mul(b, b->dy[0], slope)));
    if (vt_back_wants(b, 1))
        give(b, 1, vt_back_op3(b, "Where", positive, zero, mul(b, b->dy[0], x)));
}

/* One bound: dy stays where the result is strictly on its inner side. */
static vt_value_id bounded(vt_backward *b, vt_value_id dy, const char *test, vt_value_id bound)
{
    vt_value_id inside = vt_back_op2(b, test, vt_back_output(b, 0), bound);
    return vt_back_op3(b, "Where", inside, dy, vt_back_number(b, 0.0, dy));
}

void vt_gradient_clip(vt_backward *b)
{
    vt_value_id dy = b->dy[0], low = vt_back_input(b, 1), high = vt_back_input(b, 2);
    if (vt_back_wants(b, 1) || vt_back_wants(b, 2)) {
        vt_back_fail(b, "bounds that are trained have no gradient");
        return;
    }
    if (b->node.opset < 11) {
        low = vt_back_number(b, (double)vt_node_float(&b->node, "min", -FLT_MAX), dy);
        high = vt_back_number(b, (double)vt_node_float(&b->node, "max", FLT_MAX), dy);
    }
    if (low != VT_NO_VALUE)
        dy = bounded(b, dy, "Greater", low);
    if (high != VT_NO_VALUE)
        dy = bounded(b, dy, "Less", high);
    b->dx[0] = dy;
}

/* x - n y with n constant almost everywhere. */
void vt_gradient_mod(vt_backward *b)
{
    give(b, 0, b->dy[0]);
    if (vt_back_wants(b, 1)) {
        vt_value_id x = vt_back_input(b, 0), y = vt_back_input(b, 1);
        vt_value_id whole =
            vt_back_op2(b, "Div", vt_back_op2(b, "Sub", vt_back_output(b, 0), x), y);
        give(b, 1, mul(b, b->dy[0], whole));
    }
}

/* y = a s b with s = sigmoid(alpha a): da = dy b (s + alpha a s (1 - s)), db = dy a s. */
void vt_gradient_swiglu(vt_backward *b)
{
    vt_value_id gate = vt_back_input(b, 0), value = vt_back_input(b, 1);
    double alpha = (double)vt_node_float(&b->node, "alpha", 1.0f);
    vt_value_id s = vt_back_op1(b, "Sigmoid", vt_back_scale(b, gate, alpha));
    vt_value_id swish = mul(b, gate, s);
    if (vt_back_wants(b, 0)) {
        vt_value_id rest = vt_back_op2(b, "Sub", vt_back_number(b, 1.0, s), s);
        vt_value_id slope = vt_back_op2(b, "Add", s, vt_back_scale(b, mul(b, swish, rest), alpha));
        give(b, 0, mul(b, mul(b, b->dy[0], value), slope));
    }
    if (vt_back_wants(b, 1))
        give(b, 1, mul(b, b->dy[0], swish));
}
