/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Gradients of the reductions: the result's gradient, repeated along the reduced axes, times what
 * one element contributes.
 *
 * ReduceMax and ReduceMin share it among the elements that are equally extreme. ReduceProd divides
 * the product by the element, which is not defined where an element is 0.
 */
#include "nn/ops/gradients.h"
#include "nn/ops/op.h"

#include <string.h>

/* The result's shape with reduced axes of one element, and how many elements each result has. */
static vt_shape kept_shape(vt_backward *b, double *count)
{
    int64_t axes[VT_MAX_RANK];
    bool marks[VT_MAX_RANK];
    vt_shape shape = vt_back_shape(b, vt_back_input(b, 0));
    int given = vt_node_ints(&b->node, "axes", axes, VT_MAX_RANK);
    if (vt_back_input(b, 1) != VT_NO_VALUE)
        given = vt_back_constant_ints(b, vt_back_input(b, 1), axes, VT_MAX_RANK);
    bool nothing = given <= 0 && vt_node_int(&b->node, "noop_with_empty_axes", 0) != 0;
    *count = 1.0;
    if (given > 0 && b->status == VT_OK)
        b->status = vt_op_axes(axes, given, shape.rank, marks, b->error);
    for (int i = 0; i < shape.rank && b->status == VT_OK && !nothing; i++)
        if (given <= 0 || marks[i]) {
            *count *= (double)shape.dims[i];
            shape.dims[i] = 1;
        }
    return shape;
}

typedef struct reduction {
    vt_value_id x, y, dy; /* y and dy with the reduced axes kept */
    double count;
} reduction;

typedef vt_value_id contribution(vt_backward *b, const reduction *r);

static vt_value_id of_sum(vt_backward *b, const reduction *r)
{
    const vt_shape shape = vt_back_shape(b, r->x);
    return vt_back_expand(b, r->dy, &shape);
}

static vt_value_id of_mean(vt_backward *b, const reduction *r)
{
    const vt_shape shape = vt_back_shape(b, r->x);
    return vt_back_expand(b, vt_back_scale(b, r->dy, 1.0 / r->count), &shape);
}

static vt_value_id of_extreme(vt_backward *b, const reduction *r)
{
    bool marks[VT_MAX_RANK];
    const vt_shape shape = vt_back_shape(b, r->x), kept = vt_back_shape(b, r->y);
    const vt_attr to = VT_BACK_INT("to", vt_back_dtype(b, r->x));
    vt_value_id same = vt_back_op2(b, "Equal", r->x, r->y);
    vt_value_id equal = vt_back_node(
        b, &(vt_back_call){
               .op = "Cast", .inputs = &same, .input_count = 1, .attrs = &to, .attr_count = 1});
    for (int i = 0; i < shape.rank; i++)
        marks[i] = kept.dims[i] != shape.dims[i];
    vt_value_id share = vt_back_op2(b, "Div", r->dy, vt_back_sum_axes(b, equal, marks));
    return vt_back_op2(b, "Mul", equal, share);
}

static vt_value_id of_product(vt_backward *b, const reduction *r)
{
    return vt_back_op2(b, "Div", vt_back_op2(b, "Mul", r->dy, r->y), r->x);
}

static vt_value_id of_l1(vt_backward *b, const reduction *r)
{
    return vt_back_op2(b, "Mul", r->dy, vt_back_op1(b, "Sign", r->x));
}

static vt_value_id of_l2(vt_backward *b, const reduction *r)
{
    return vt_back_op2(b, "Mul", r->x, vt_back_op2(b, "Div", r->dy, r->y));
}

static vt_value_id of_sum_square(vt_backward *b, const reduction *r)
{
    return vt_back_op2(b, "Mul", vt_back_scale(b, r->dy, 2.0), r->x);
}

/* exp(y) is the sum. */
static vt_value_id of_log_sum(vt_backward *b, const reduction *r)
{
    const vt_shape shape = vt_back_shape(b, r->x);
    return vt_back_expand(b, vt_back_op2(b, "Div", r->dy, vt_back_op1(b, "Exp", r->y)), &shape);
}

static vt_value_id of_log_sum_exp(vt_backward *b, const reduction *r)
{
    vt_value_id share = vt_back_op1(b, "Exp", vt_back_op2(b, "Sub", r->x, r->y));
    return vt_back_op2(b, "Mul", r->dy, share);
}

static const struct {
    const char *op;
    contribution *function;
} contributions[] = {
    {"ReduceSum", of_sum},        {"ReduceMean", of_mean},
    {"ReduceMax", of_extreme},    {"ReduceMin", of_extreme},
    {"ReduceProd", of_product},   {"ReduceL1", of_l1},
    {"ReduceL2", of_l2},          {"ReduceSumSquare", of_sum_square},
    {"ReduceLogSum", of_log_sum}, {"ReduceLogSumExp", of_log_sum_exp},
};

void vt_gradient_reduce(vt_backward *b)
{
    reduction r = {.x = vt_back_input(b, 0)};
    const vt_shape kept = kept_shape(b, &r.count);
    r.y = vt_back_output(b, 0);
    r.dy = vt_back_reshape(b, b->dy[0], &kept);
    for (size_t i = 0; i < sizeof(contributions) / sizeof(contributions[0]); i++) {
        if (strcmp(contributions[i].op, b->node.op->name) != 0)
            continue;
        if (contributions[i].function != of_sum && contributions[i].function != of_mean)
            r.y = vt_back_reshape(b, r.y, &kept);
        b->dx[0] = contributions[i].function(b, &r);
    }
}
