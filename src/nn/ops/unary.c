/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Elementwise operators of one input: activations and functions.
 *
 * Each is one scalar function of f64 with at most two constants from attributes; results are
 * rounded once to the tensor's type. Abs, Neg, Relu and Sign work on integers too, exactly.
 */
#include "nn/ops/op.h"
#include "nn/ops/table.h"

#include <math.h>
#include <string.h>

typedef double unary_function(double x, double a, double b);

static vt_status unary_infer(vt_op_args *args, unsigned types, vt_error *error)
{
    vt_status status = vt_op_check_type(args, 0, types, error);
    if (status == VT_OK)
        vt_op_set_output(args, 0, args->inputs[0].dtype, &args->inputs[0].shape);
    return status;
}

static vt_status infer_float(vt_op_args *args, vt_error *error)
{
    return unary_infer(args, VT_TYPES_FLOAT, error);
}

static vt_status infer_signed(vt_op_args *args, vt_error *error)
{
    return unary_infer(args, VT_TYPES_FLOAT | VT_TYPES_SIGNED, error);
}

static vt_status infer_number(vt_op_args *args, vt_error *error)
{
    return unary_infer(args, VT_TYPES_NUMBER, error);
}

static vt_status unary_run(vt_op_args *args, unary_function *function, double a, double b)
{
    const vt_tensor *x = &args->inputs[0];
    vt_tensor *y = &args->outputs[0];
    size_t count = vt_tensor_count(x);
    double run[VT_RUN];
    for (size_t start = 0; start < count; start += VT_RUN) {
        size_t part = count - start < VT_RUN ? count - start : VT_RUN;
        vt_load_f64(x->dtype, x->data, start, part, run);
        for (size_t i = 0; i < part; i++)
            run[i] = function(run[i], a, b);
        vt_store_f64(y->dtype, y->data, start, part, run);
    }
    return VT_OK;
}

/* Unsigned values of 2^63 and more look negative in the 64-bit lane: callers say what they are. */
static vt_status unary_run_integer(vt_op_args *args, int64_t (*function)(int64_t x, bool is_signed))
{
    const vt_tensor *x = &args->inputs[0];
    vt_tensor *y = &args->outputs[0];
    size_t count = vt_tensor_count(x);
    bool is_signed = (VT_TYPE(x->dtype) & VT_TYPES_SIGNED) != 0;
    int64_t run[VT_RUN];
    for (size_t start = 0; start < count; start += VT_RUN) {
        size_t part = count - start < VT_RUN ? count - start : VT_RUN;
        vt_load_i64(x->dtype, x->data, start, part, run);
        for (size_t i = 0; i < part; i++)
            run[i] = function(run[i], is_signed);
        vt_store_i64(y->dtype, y->data, start, part, run);
    }
    return VT_OK;
}

/* ---- functions of x alone ---- */

#define FUNCTION(name, expression)                                                                 \
    static double name##_of(double x, double a, double b)                                          \
    {                                                                                              \
        (void)a;                                                                                   \
        (void)b;                                                                                   \
        return expression;                                                                         \
    }
#define PLAIN(name, expression)                                                                    \
    FUNCTION(name, expression)                                                                     \
    static vt_status name##_reference(vt_op_args *args, vt_error *error)                           \
    {                                                                                              \
        (void)error;                                                                               \
        return unary_run(args, name##_of, 0.0, 0.0);                                               \
    }

static double softplus(double x)
{
    return x > 0.0 ? x + log1p(exp(-x)) : log1p(exp(x));
}

static double sigmoid(double x)
{
    return x >= 0.0 ? 1.0 / (1.0 + exp(-x)) : exp(x) / (1.0 + exp(x));
}

static double at_most(double x, double high)
{
    return x > high ? high : x;
}

static double between(double x, double low, double high)
{
    return x < low ? low : at_most(x, high);
}

PLAIN(sigmoid, sigmoid(x))
PLAIN(tanh, tanh(x))
PLAIN(softplus, softplus(x))
PLAIN(softsign, x / (1.0 + fabs(x)))
PLAIN(erf, erf(x))
PLAIN(exp, exp(x))
PLAIN(log, log(x))
PLAIN(sqrt, sqrt(x))
PLAIN(reciprocal, 1.0 / x)
PLAIN(floor, floor(x))
PLAIN(ceil, ceil(x))
PLAIN(round, rint(x))
PLAIN(sin, sin(x))
PLAIN(cos, cos(x))
PLAIN(tan, tan(x))
PLAIN(asin, asin(x))
PLAIN(acos, acos(x))
PLAIN(atan, atan(x))
PLAIN(sinh, sinh(x))
PLAIN(cosh, cosh(x))
PLAIN(asinh, asinh(x))
PLAIN(acosh, acosh(x))
PLAIN(atanh, atanh(x))
PLAIN(hard_swish, between(x / 6.0 + 0.5, 0.0, 1.0) * x)
PLAIN(mish, tanh(softplus(x)) * x)

/* ---- with integers ---- */

#define MIXED(name, expression, integer)                                                           \
    FUNCTION(name, expression)                                                                     \
    static int64_t name##_of_integer(int64_t x, bool is_signed)                                    \
    {                                                                                              \
        (void)is_signed;                                                                           \
        return integer;                                                                            \
    }                                                                                              \
    static vt_status name##_reference(vt_op_args *args, vt_error *error)                           \
    {                                                                                              \
        (void)error;                                                                               \
        if (vt_dtype_is_float(args->inputs[0].dtype))                                              \
            return unary_run(args, name##_of, 0.0, 0.0);                                           \
        return unary_run_integer(args, name##_of_integer);                                         \
    }

/* Wraps at the smallest number instead of overflowing. */
static int64_t negated(int64_t x)
{
    return (int64_t)(0 - (uint64_t)x);
}

MIXED(abs, fabs(x), is_signed &&x < 0 ? negated(x) : x)
MIXED(neg, -x, negated(x))
MIXED(relu, x < 0.0 ? 0.0 : x, is_signed &&x < 0 ? 0 : x)
MIXED(sign, x > 0.0 ? 1.0 : (x < 0.0 ? -1.0 : x), is_signed &&x < 0 ? -1 : x != 0)

static int64_t inverted(int64_t x, bool is_signed)
{
    (void)is_signed;
    return ~x;
}

static vt_status infer_bits(vt_op_args *args, vt_error *error)
{
    return unary_infer(args, VT_TYPES_SIGNED | VT_TYPES_UNSIGNED, error);
}

static vt_status bit_not_reference(vt_op_args *args, vt_error *error)
{
    (void)error;
    return unary_run_integer(args, inverted);
}

/* ---- with constants from attributes ---- */

#define WITH(name, expression, first, first_default, second, second_default)                       \
    FUNCTION(name, expression)                                                                     \
    static vt_status name##_reference(vt_op_args *args, vt_error *error)                           \
    {                                                                                              \
        (void)error;                                                                               \
        return unary_run(args, name##_of, (double)vt_node_float(args->node, first, first_default), \
                         (double)vt_node_float(args->node, second, second_default));               \
    }

WITH(leaky_relu, x < 0.0 ? a * x : x, "alpha", 0.01f, "", 0.0f)
WITH(elu, x < 0.0 ? expm1(x) * a : x, "alpha", 1.0f, "", 0.0f)
WITH(celu, x < 0.0 ? expm1(x / a) * a : x, "alpha", 1.0f, "", 0.0f)
WITH(selu, x <= 0.0 ? expm1(x) * a * b : x * b, "alpha", 1.67326319217681884765625f, "gamma",
     1.05070102214813232421875f)
WITH(hard_sigmoid, between(x *a + b, 0.0, 1.0), "alpha", 0.2f, "beta", 0.5f)
WITH(thresholded_relu, x > a ? x : 0.0, "alpha", 1.0f, "", 0.0f)
WITH(swish, sigmoid(x *a) * x, "alpha", 1.0f, "", 0.0f)
WITH(shrink, x < -b ? x + a : (x > b ? x - a : 0.0), "bias", 0.0f, "lambd", 0.5f)

/* ---- Gelu ---- */

FUNCTION(gelu_exact, 0.5 * x * (1.0 + erf(x * M_SQRT1_2)))
FUNCTION(gelu_tanh, 0.5 * x * (1.0 + tanh(M_2_SQRTPI * M_SQRT1_2 * (x + 0.044715 * x * x * x))))

static vt_status gelu_infer(vt_op_args *args, vt_error *error)
{
    const char *mode = vt_node_text(args->node, "approximate", "none");
    if (strcmp(mode, "none") != 0 && strcmp(mode, "tanh") != 0)
        return vt_fail(error, VT_ERR_FORMAT, "attribute \"approximate\" is \"%.40s\"", mode);
    return infer_float(args, error);
}

static vt_status gelu_reference(vt_op_args *args, vt_error *error)
{
    (void)error;
    bool exact = strcmp(vt_node_text(args->node, "approximate", "none"), "none") == 0;
    return unary_run(args, exact ? gelu_exact_of : gelu_tanh_of, 0.0, 0.0);
}

/* ---- tests that give bool ---- */

static vt_status infer_test(vt_op_args *args, vt_error *error)
{
    vt_status status = vt_op_check_type(args, 0, VT_TYPES_FLOAT, error);
    if (status == VT_OK)
        vt_op_set_output(args, 0, VT_BOOL, &args->inputs[0].shape);
    return status;
}

static vt_status infer_bool(vt_op_args *args, vt_error *error)
{
    return unary_infer(args, VT_TYPE(VT_BOOL), error);
}

PLAIN(is_nan, isnan(x) ? 1.0 : 0.0)
PLAIN(not, x == 0.0 ? 1.0 : 0.0)
FUNCTION(is_inf, (x == INFINITY && a != 0.0) || (x == -INFINITY && b != 0.0) ? 1.0 : 0.0)

static vt_status is_inf_reference(vt_op_args *args, vt_error *error)
{
    (void)error;
    return unary_run(args, is_inf_of, (double)vt_node_int(args->node, "detect_positive", 1),
                     (double)vt_node_int(args->node, "detect_negative", 1));
}

#define ROW(name, since, attrs, infer_function, reference_function)                                \
    {                                                                                              \
        name, "", since, 0, 1, 1, 1, 1, attrs, .infer = infer_function,                            \
                                               .reference = reference_function                     \
    }

const vt_op vt_ops_unary[] = {
    ROW("Relu", 6, NULL, infer_signed, relu_reference),
    ROW("LeakyRelu", 6, "alpha:f", infer_float, leaky_relu_reference),
    ROW("Elu", 6, "alpha:f", infer_float, elu_reference),
    ROW("Selu", 6, "alpha:f gamma:f", infer_float, selu_reference),
    ROW("Celu", 12, "alpha:f", infer_float, celu_reference),
    ROW("Sigmoid", 6, NULL, infer_float, sigmoid_reference),
    ROW("HardSigmoid", 6, "alpha:f beta:f", infer_float, hard_sigmoid_reference),
    ROW("HardSwish", 14, NULL, infer_float, hard_swish_reference),
    ROW("Mish", 18, NULL, infer_float, mish_reference),
    ROW("Swish", 24, "alpha:f", infer_float, swish_reference),
    ROW("Gelu", 20, "approximate:s", gelu_infer, gelu_reference),
    ROW("ThresholdedRelu", 10, "alpha:f", infer_float, thresholded_relu_reference),
    ROW("Shrink", 9, "bias:f lambd:f", infer_number, shrink_reference),
    ROW("Tanh", 6, NULL, infer_float, tanh_reference),
    ROW("Softplus", 1, NULL, infer_float, softplus_reference),
    ROW("Softsign", 1, NULL, infer_float, softsign_reference),
    ROW("Erf", 9, NULL, infer_number, erf_reference),
    ROW("Exp", 6, NULL, infer_float, exp_reference),
    ROW("Log", 6, NULL, infer_float, log_reference),
    ROW("Sqrt", 6, NULL, infer_float, sqrt_reference),
    ROW("Reciprocal", 6, NULL, infer_float, reciprocal_reference),
    ROW("Floor", 6, NULL, infer_float, floor_reference),
    ROW("Ceil", 6, NULL, infer_float, ceil_reference),
    ROW("Round", 11, NULL, infer_float, round_reference),
    ROW("Abs", 6, NULL, infer_number, abs_reference),
    ROW("Neg", 6, NULL, infer_signed, neg_reference),
    ROW("Sign", 9, NULL, infer_number, sign_reference),
    ROW("Not", 1, NULL, infer_bool, not_reference),
    ROW("BitwiseNot", 18, NULL, infer_bits, bit_not_reference),
    ROW("IsNaN", 9, NULL, infer_test, is_nan_reference),
    ROW("IsInf", 10, "detect_negative:i detect_positive:i", infer_test, is_inf_reference),
    ROW("Sin", 7, NULL, infer_float, sin_reference),
    ROW("Cos", 7, NULL, infer_float, cos_reference),
    ROW("Tan", 7, NULL, infer_float, tan_reference),
    ROW("Asin", 7, NULL, infer_float, asin_reference),
    ROW("Acos", 7, NULL, infer_float, acos_reference),
    ROW("Atan", 7, NULL, infer_float, atan_reference),
    ROW("Sinh", 9, NULL, infer_float, sinh_reference),
    ROW("Cosh", 9, NULL, infer_float, cosh_reference),
    ROW("Asinh", 9, NULL, infer_float, asinh_reference),
    ROW("Acosh", 9, NULL, infer_float, acosh_reference),
    ROW("Atanh", 9, NULL, infer_float, atanh_reference),
    {0},
};
