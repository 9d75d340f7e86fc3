/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Gradients of functions of one number: dx = dy f'(x), with f' written in x or, where that is less
 * work or needs no further memory, in the result y.
 *
 * What is emitted are elementwise operators, which one loop then runs. Where f has a corner the
 * derivative there is 0, as PyTorch has it.
 */
#include "nn/ops/gradients.h"

#include <math.h>
#include <string.h>

typedef struct point {
    vt_backward *b;
    vt_value_id x, y;
} point;

typedef vt_value_id derivative(const point *p);

/* ---- shorthand ---- */

static vt_value_id number(const point *p, double value)
{
    return vt_back_number(p->b, value, p->x);
}

static vt_value_id mul(const point *p, vt_value_id x, vt_value_id y)
{
    return vt_back_op2(p->b, "Mul", x, y);
}

static vt_value_id add(const point *p, vt_value_id x, vt_value_id y)
{
    return vt_back_op2(p->b, "Add", x, y);
}

/* factor x + term */
static vt_value_id linear(const point *p, vt_value_id x, double factor, double term)
{
    x = vt_back_scale(p->b, x, factor);
    return term == 0.0 ? x : add(p, x, number(p, term));
}

static vt_value_id square(const point *p, vt_value_id x)
{
    return mul(p, x, x);
}

static vt_value_id reciprocal(const point *p, vt_value_id x)
{
    return vt_back_op1(p->b, "Reciprocal", x);
}

static vt_value_id above(const point *p, vt_value_id x, double bound)
{
    return vt_back_op2(p->b, "Greater", x, number(p, bound));
}

static vt_value_id below(const point *p, vt_value_id x, double bound)
{
    return vt_back_op2(p->b, "Less", x, number(p, bound));
}

static vt_value_id choose(const point *p, vt_value_id condition, vt_value_id x, vt_value_id y)
{
    return vt_back_op3(p->b, "Where", condition, x, y);
}

static double attribute(const point *p, const char *name, float fallback)
{
    return (double)vt_node_float(&p->b->node, name, fallback);
}

/* ---- derivatives ---- */

static vt_value_id d_leaky_relu(const point *p)
{
    return choose(p, above(p, p->x, 0.0), number(p, 1.0), number(p, attribute(p, "alpha", 0.01F)));
}

static vt_value_id d_elu(const point *p)
{
    return choose(p, above(p, p->x, 0.0), number(p, 1.0),
                  linear(p, p->y, 1.0, attribute(p, "alpha", 1.0F)));
}

static vt_value_id d_selu(const point *p)
{
    double alpha = attribute(p, "alpha", 1.67326319217681884765625F);
    double gamma = attribute(p, "gamma", 1.05070102214813232421875F);
    return choose(p, above(p, p->x, 0.0), number(p, gamma), linear(p, p->y, 1.0, alpha * gamma));
}

static vt_value_id d_celu(const point *p)
{
    double alpha = attribute(p, "alpha", 1.0F);
    return choose(p, above(p, p->x, 0.0), number(p, 1.0), linear(p, p->y, 1.0 / alpha, 1.0));
}

static vt_value_id d_sigmoid(const point *p)
{
    return mul(p, p->y, linear(p, p->y, -1.0, 1.0));
}

static vt_value_id d_hard_sigmoid(const point *p)
{
    vt_value_id inside =
        choose(p, below(p, p->y, 1.0), number(p, attribute(p, "alpha", 0.2F)), number(p, 0.0));
    return choose(p, above(p, p->y, 0.0), inside, number(p, 0.0));
}

static vt_value_id d_hard_swish(const point *p)
{
    vt_value_id middle = linear(p, p->x, 1.0 / 3.0, 0.5);
    vt_value_id upper = choose(p, below(p, p->x, 3.0), middle, number(p, 1.0));
    return choose(p, above(p, p->x, -3.0), upper, number(p, 0.0));
}

static vt_value_id d_mish(const point *p)
{
    vt_value_id t = vt_back_op1(p->b, "Tanh", vt_back_op1(p->b, "Softplus", p->x));
    vt_value_id slope =
        mul(p, linear(p, square(p, t), -1.0, 1.0), vt_back_op1(p->b, "Sigmoid", p->x));
    return add(p, t, mul(p, p->x, slope));
}

/* s + alpha x s (1 - s) */
static vt_value_id d_swish(const point *p)
{
    double alpha = attribute(p, "alpha", 1.0F);
    vt_value_id u = vt_back_scale(p->b, p->x, alpha), s = vt_back_op1(p->b, "Sigmoid", u);
    return mul(p, s, linear(p, mul(p, u, linear(p, s, -1.0, 1.0)), 1.0, 1.0));
}

static vt_value_id gelu_tanh(const point *p)
{
    const double c = M_2_SQRTPI * M_SQRT1_2, cube = 0.044715;
    vt_value_id squared = square(p, p->x);
    vt_value_id u = mul(p, p->x, linear(p, squared, c * cube, c));
    vt_value_id t = vt_back_op1(p->b, "Tanh", u);
    vt_value_id slope =
        mul(p, linear(p, square(p, t), -1.0, 1.0), linear(p, squared, 3.0 * c * cube, c));
    return vt_back_scale(p->b, add(p, linear(p, t, 1.0, 1.0), mul(p, p->x, slope)), 0.5);
}

static vt_value_id d_gelu(const point *p)
{
    if (strcmp(vt_node_text(&p->b->node, "approximate", "none"), "tanh") == 0)
        return gelu_tanh(p);
    vt_value_id error = vt_back_op1(p->b, "Erf", vt_back_scale(p->b, p->x, M_SQRT1_2));
    vt_value_id bell = vt_back_op1(p->b, "Exp", vt_back_scale(p->b, square(p, p->x), -0.5));
    bell = vt_back_scale(p->b, bell, 0.5 * M_2_SQRTPI * M_SQRT1_2);
    return add(p, linear(p, error, 0.5, 0.5), mul(p, p->x, bell));
}

static vt_value_id d_thresholded_relu(const point *p)
{
    return choose(p, above(p, p->x, attribute(p, "alpha", 1.0F)), number(p, 1.0), number(p, 0.0));
}

static vt_value_id d_shrink(const point *p)
{
    vt_value_id size = vt_back_op1(p->b, "Abs", p->x);
    return choose(p, above(p, size, attribute(p, "lambd", 0.5F)), number(p, 1.0), number(p, 0.0));
}

static vt_value_id d_tanh(const point *p)
{
    return linear(p, square(p, p->y), -1.0, 1.0);
}

static vt_value_id d_softplus(const point *p)
{
    return vt_back_op1(p->b, "Sigmoid", p->x);
}

static vt_value_id d_softsign(const point *p)
{
    return reciprocal(p, square(p, linear(p, vt_back_op1(p->b, "Abs", p->x), 1.0, 1.0)));
}

static vt_value_id d_erf(const point *p)
{
    vt_value_id bell = vt_back_op1(p->b, "Exp", vt_back_scale(p->b, square(p, p->x), -1.0));
    return vt_back_scale(p->b, bell, M_2_SQRTPI);
}

static vt_value_id d_exp(const point *p)
{
    return p->y;
}

static vt_value_id d_log(const point *p)
{
    return reciprocal(p, p->x);
}

static vt_value_id d_sqrt(const point *p)
{
    return vt_back_scale(p->b, reciprocal(p, p->y), 0.5);
}

static vt_value_id d_reciprocal(const point *p)
{
    return vt_back_scale(p->b, square(p, p->y), -1.0);
}

static vt_value_id d_abs(const point *p)
{
    return vt_back_op1(p->b, "Sign", p->x);
}

static vt_value_id d_neg(const point *p)
{
    return number(p, -1.0);
}

static vt_value_id d_sin(const point *p)
{
    return vt_back_op1(p->b, "Cos", p->x);
}

static vt_value_id d_cos(const point *p)
{
    return vt_back_op1(p->b, "Neg", vt_back_op1(p->b, "Sin", p->x));
}

static vt_value_id d_tan(const point *p)
{
    return linear(p, square(p, p->y), 1.0, 1.0);
}

/* (factor x^2 + term)^(-1/2) */
static vt_value_id inverse_root(const point *p, double factor, double term)
{
    return reciprocal(p, vt_back_op1(p->b, "Sqrt", linear(p, square(p, p->x), factor, term)));
}

static vt_value_id d_asin(const point *p)
{
    return inverse_root(p, -1.0, 1.0);
}

static vt_value_id d_acos(const point *p)
{
    return vt_back_scale(p->b, inverse_root(p, -1.0, 1.0), -1.0);
}

static vt_value_id d_atan(const point *p)
{
    return reciprocal(p, linear(p, square(p, p->x), 1.0, 1.0));
}

static vt_value_id d_sinh(const point *p)
{
    return vt_back_op1(p->b, "Cosh", p->x);
}

static vt_value_id d_cosh(const point *p)
{
    return vt_back_op1(p->b, "Sinh", p->x);
}

static vt_value_id d_asinh(const point *p)
{
    return inverse_root(p, 1.0, 1.0);
}

static vt_value_id d_acosh(const point *p)
{
    return inverse_root(p, 1.0, -1.0);
}

static vt_value_id d_atanh(const point *p)
{
    return reciprocal(p, linear(p, square(p, p->x), -1.0, 1.0));
}

static const struct {
    const char *op;
    derivative *function;
} derivatives[] = {
    {"LeakyRelu", d_leaky_relu},
    {"Elu", d_elu},
    {"Selu", d_selu},
    {"Celu", d_celu},
    {"Sigmoid", d_sigmoid},
    {"HardSigmoid", d_hard_sigmoid},
    {"HardSwish", d_hard_swish},
    {"Mish", d_mish},
    {"Swish", d_swish},
    {"Gelu", d_gelu},
    {"ThresholdedRelu", d_thresholded_relu},
    {"Shrink", d_shrink},
    {"Tanh", d_tanh},
    {"Softplus", d_softplus},
    {"Softsign", d_softsign},
    {"Erf", d_erf},
    {"Exp", d_exp},
    {"Log", d_log},
    {"Sqrt", d_sqrt},
    {"Reciprocal", d_reciprocal},
    {"Abs", d_abs},
    {"Neg", d_neg},
    {"Sin", d_sin},
    {"Cos", d_cos},
    {"Tan", d_tan},
    {"Asin", d_asin},
    {"Acos", d_acos},
    {"Atan", d_atan},
    {"Sinh", d_sinh},
    {"Cosh", d_cosh},
    {"Asinh", d_asinh},
    {"Acosh", d_acosh},
    {"Atanh", d_atanh},
};

void vt_gradient_unary(vt_backward *b)
{
    const point p = {b, vt_back_input(b, 0), vt_back_output(b, 0)};
    for (size_t i = 0; i < sizeof(derivatives) / sizeof(derivatives[0]); i++)
        if (strcmp(derivatives[i].op, b->node.op->name) == 0)
            b->dx[0] = mul(&p, b->dy[0], derivatives[i].function(&p));
}
