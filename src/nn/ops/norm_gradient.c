/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Gradients of normalisations over rows, groups and channels of one picture, of
 * MeanVarianceNormalization, of LpNormalization and of LRN.
 *
 * All of the first kind are h = (x - m(x)) r with r = 1 / sqrt(m((x - m(x))^2) + epsilon) over some
 * axes, times a scale, plus a bias. With g = dy scale: dx = r (g - m(g) - h m(g h)). RMS does not
 * subtract the mean, and m(g) with it.
 */
#include "nn/ops/gradients.h"
#include "nn/ops/op.h"

static vt_value_id mul(vt_backward *b, vt_value_id x, vt_value_id y)
{
    return vt_back_op2(b, "Mul", x, y);
}

static vt_value_id mean_axes(vt_backward *b, vt_value_id x, const bool *marks)
{
    int64_t axes[VT_MAX_RANK];
    int count = 0, rank = vt_back_shape(b, x).rank;
    for (int i = 0; i < rank; i++)
        if (marks[i])
            axes[count++] = i;
    const vt_attr list = VT_BACK_INTS("axes", axes, count);
    return vt_back_node(
        b,
        &(vt_back_call){
            .op = "ReduceMean", .inputs = &x, .input_count = 1, .attrs = &list, .attr_count = 1});
}

typedef struct normalised {
    bool marks[VT_MAX_RANK], centred;
    vt_value_id h, r; /* r with the reduced axes kept */
} normalised;

/* Fills h and r. */
static void normalise(vt_backward *b, vt_value_id x, double epsilon, normalised *n)
{
    vt_value_id difference = x;
    if (n->centred)
        difference = vt_back_op2(b, "Sub", x, mean_axes(b, x, n->marks));
    vt_value_id variance = mean_axes(b, mul(b, difference, difference), n->marks);
    variance = vt_back_op2(b, "Add", variance, vt_back_number(b, epsilon, x));
    n->r = vt_back_op1(b, "Reciprocal", vt_back_op1(b, "Sqrt", variance));
    n->h = mul(b, difference, n->r);
}

/* From the gradient of h to that of x. */
static vt_value_id through(vt_backward *b, vt_value_id g, const normalised *n)
{
    vt_value_id inner = mul(b, n->h, mean_axes(b, mul(b, g, n->h), n->marks));
    if (n->centred)
        g = vt_back_op2(b, "Sub", g, mean_axes(b, g, n->marks));
    return mul(b, n->r, vt_back_op2(b, "Sub", g, inner));
}

static double epsilon_of(const vt_backward *b)
{
    return (double)vt_node_float(&b->node, "epsilon", 1e-5f);
}

/* ---- rows ---- */

static void row_gradient(vt_backward *b, bool centred)
{
    normalised n = {.centred = centred};
    vt_value_id x = vt_back_input(b, 0), scale = vt_back_input(b, 1), dy = b->dy[0];
    const vt_shape shape = vt_back_shape(b, x), scale_shape = vt_back_shape(b, scale);
    const vt_shape bias_shape = vt_back_shape(b, vt_back_input(b, 2));
    int axis = 0;
    for (size_t i = 1; i < b->node.output_count; i++)
        if (b->dy[i] != VT_NO_VALUE)
            vt_back_fail(b, "its statistics are used by themselves");
    if (b->status == VT_OK)
        b->status = vt_op_axis(vt_node_int(&b->node, "axis", -1), shape.rank, &axis, b->error);
    if (b->status != VT_OK)
        return;
    for (int i = axis; i < shape.rank; i++)
        n.marks[i] = true;
    normalise(b, x, epsilon_of(b), &n);
    if (vt_back_wants(b, 0))
        b->dx[0] = through(b, mul(b, dy, scale), &n);
    if (vt_back_wants(b, 1))
        b->dx[1] = vt_back_reduce_to(b, mul(b, dy, n.h), &scale_shape);
    if (vt_back_wants(b, 2))
        b->dx[2] = vt_back_reduce_to(b, dy, &bias_shape);
}

void vt_gradient_layernorm(vt_backward *b)
{
    row_gradient(b, true);
}

void vt_gradient_rmsnorm(vt_backward *b)
{
    row_gradient(b, false);
}

/* ---- groups of channels ---- */

/* (N, C, ...) as (N, groups, C / groups, pixels). */
static vt_shape grouped(const vt_shape *x, int64_t groups)
{
    return (vt_shape){
        4, {x->dims[0], groups, x->dims[1] / groups, (int64_t)vt_shape_product(x, 2, x->rank)}};
}

/* One number per channel, or per group, against that. */
static vt_value_id beside_groups(vt_backward *b, vt_value_id weight, const vt_shape *parts)
{
    int64_t count = vt_back_shape(b, weight).dims[0];
    bool by_group = count != parts->dims[1] * parts->dims[2];
    const vt_shape shape = {4, {1, parts->dims[1], by_group ? 1 : parts->dims[2], 1}};
    return vt_back_reshape(b, weight, &shape);
}

static void group_gradient(vt_backward *b, int64_t groups)
{
    normalised n = {.centred = true, .marks = {false, false, true, true}};
    const vt_shape x_shape = vt_back_shape(b, vt_back_input(b, 0));
    const vt_shape parts = grouped(&x_shape, groups);
    vt_value_id x = vt_back_reshape(b, vt_back_input(b, 0), &parts);
    vt_value_id dy = vt_back_reshape(b, b->dy[0], &parts);
    vt_value_id scale = beside_groups(b, vt_back_input(b, 1), &parts);
    const vt_shape weight = vt_back_shape(b, scale);
    const vt_shape flat = vt_back_shape(b, vt_back_input(b, 1));
    normalise(b, x, epsilon_of(b), &n);
    if (vt_back_wants(b, 0))
        b->dx[0] = vt_back_reshape(b, through(b, mul(b, dy, scale), &n), &x_shape);
    if (vt_back_wants(b, 1))
        b->dx[1] = vt_back_reshape(b, vt_back_reduce_to(b, mul(b, dy, n.h), &weight), &flat);
    if (vt_back_wants(b, 2))
        b->dx[2] = vt_back_reshape(b, vt_back_reduce_to(b, dy, &weight), &flat);
}

void vt_gradient_groupnorm(vt_backward *b)
{
    group_gradient(b, vt_node_int(&b->node, "num_groups", 1));
}

void vt_gradient_instancenorm(vt_backward *b)
{
    group_gradient(b, vt_back_shape(b, vt_back_input(b, 0)).dims[1]);
}

/* ---- MeanVarianceNormalization: the deviation itself is kept from 0, by the last 1e-9 ---- */

void vt_gradient_mean_variance(vt_backward *b)
{
    normalised n = {.centred = true};
    vt_value_id x = vt_back_input(b, 0);
    int64_t axes[VT_MAX_RANK] = {0, 2, 3};
    int count = vt_node_ints(&b->node, "axes", axes, VT_MAX_RANK);
    if (b->status == VT_OK)
        b->status =
            vt_op_axes(axes, count < 0 ? 3 : count, vt_back_shape(b, x).rank, n.marks, b->error);
    if (b->status != VT_OK)
        return;
    vt_value_id difference = vt_back_op2(b, "Sub", x, mean_axes(b, x, n.marks));
    vt_value_id variance = mean_axes(b, mul(b, difference, difference), n.marks);
    vt_value_id deviation = vt_back_op1(b, "Sqrt", variance);
    deviation = vt_back_op2(b, "Add", deviation, vt_back_number(b, 1e-9, x));
    n.r = vt_back_op1(b, "Reciprocal", deviation);
    n.h = mul(b, difference, n.r);
    b->dx[0] = through(b, b->dy[0], &n);
}

/* ---- LpNormalization: dx = (dy - s sum(dy y)) / |x|, s: y for p 2, the sign for p 1 ---- */

void vt_gradient_lp_norm(vt_backward *b)
{
    bool marks[VT_MAX_RANK] = {false};
    vt_value_id x = vt_back_input(b, 0), y = vt_back_output(b, 0);
    int rank = vt_back_shape(b, x).rank, axis = 0;
    bool second = vt_node_int(&b->node, "p", 2) == 2;
    if (b->status == VT_OK)
        b->status = vt_op_axis(vt_node_int(&b->node, "axis", -1), rank, &axis, b->error);
    marks[axis] = true;
    vt_value_id size = second ? mul(b, x, x) : vt_back_op1(b, "Abs", x);
    size = vt_back_sum_axes(b, size, marks);
    size = second ? vt_back_op1(b, "Sqrt", size) : size;
    vt_value_id sum = vt_back_sum_axes(b, mul(b, b->dy[0], y), marks);
    vt_value_id inner = mul(b, second ? y : vt_back_op1(b, "Sign", x), sum);
    b->dx[0] = vt_back_op2(b, "Div", vt_back_op2(b, "Sub", b->dy[0], inner), size);
}

/* ---- LRN ----
 * y = x s^-beta with s = k + alpha / size * (sum of x^2 over neighbouring channels):
 * dx = dy s^-beta - 2 alpha beta / size x (sum over neighbours of dy x s^(-beta - 1)). */

/* Sums over `before` channels before, and `after` behind. */
static vt_value_id neighbours(vt_backward *b, vt_value_id x, int64_t before, int64_t after)
{
    const vt_shape shape = vt_back_shape(b, x);
    const vt_shape flat = {
        4, {shape.dims[0], 1, shape.dims[1], (int64_t)vt_shape_product(&shape, 2, shape.rank)}};
    const int64_t kernel[] = {before + after + 1, 1}, pads[] = {before, 0, after, 0};
    const vt_attr attrs[] = {VT_BACK_INTS("kernel_shape", kernel, 2), VT_BACK_INTS("pads", pads, 4),
                             VT_BACK_INT("count_include_pad", 1)};
    x = vt_back_reshape(b, x, &flat);
    x = vt_back_node(
        b,
        &(vt_back_call){
            .op = "AveragePool", .inputs = &x, .input_count = 1, .attrs = attrs, .attr_count = 3});
    return vt_back_scale(b, vt_back_reshape(b, x, &shape), (double)kernel[0]);
}

void vt_gradient_lrn(vt_backward *b)
{
    vt_value_id x = vt_back_input(b, 0), dy = b->dy[0];
    int64_t size = vt_node_int(&b->node, "size", 1);
    double alpha = (double)vt_node_float(&b->node, "alpha", 1e-4f) / (double)size;
    double beta = (double)vt_node_float(&b->node, "beta", 0.75f);
    double k = (double)vt_node_float(&b->node, "bias", 1.0f);
    int64_t before = (size - 1) / 2, after = size - 1 - before;
    if (size < 1 || size > 1 << 20) {
        vt_back_fail(b, "its size has no gradient");
        return;
    }
    vt_value_id s = vt_back_scale(b, neighbours(b, mul(b, x, x), before, after), alpha);
    s = vt_back_op2(b, "Add", s, vt_back_number(b, k, x));
    vt_value_id factor = vt_back_op2(b, "Pow", s, vt_back_number(b, -beta, x));
    vt_value_id scaled = mul(b, dy, factor);
    vt_value_id share = vt_back_op2(b, "Div", mul(b, scaled, x), s);
    share = mul(b, x, neighbours(b, share, after, before));
    b->dx[0] = vt_back_op2(b, "Sub", scaled, vt_back_scale(b, share, 2.0 * alpha * beta));
}
