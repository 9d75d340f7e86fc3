/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The elementwise kernels, written once: elementwise_<level>.c include this and are each compiled
 * for one instruction set. Internal.
 *
 * Method: plain loops without branches over a block in the first cache; the compiler turns them
 * into vectors of whatever width the flags allow. Functions of the C library's that have no such
 * form here (tan, the inverse and hyperbolic ones, pow, both remainders) are called per element.
 * The functions themselves, and their sources, are in elementwise_functions.h.
 *
 * Threads: no shared state.
 */
#include "nn/kernels/elementwise.h"
#include "nn/kernels/elementwise_functions.h"

VT_INLINE bool any_outside_circle(const float *x, size_t count)
{
    int outside = 0;
    for (size_t i = 0; i < count; i++)
        outside |= !(fabsf(x[i]) <= circle_maximum);
    return outside != 0;
}

VT_INLINE float truth(bool x)
{
    return x ? 1.0F : 0.0F;
}

#define UNARY(name, expression)                                                                    \
    static void name##_run(const float *restrict a, const float *restrict b,                       \
                           const float *restrict c, float *restrict out, size_t count)             \
    {                                                                                              \
        (void)b;                                                                                   \
        (void)c;                                                                                   \
        for (size_t i = 0; i < count; i++) {                                                       \
            const float x = a[i];                                                                  \
            out[i] = (expression);                                                                 \
        }                                                                                          \
    }
#define BINARY(name, expression)                                                                   \
    static void name##_run(const float *restrict a, const float *restrict b,                       \
                           const float *restrict c, float *restrict out, size_t count)             \
    {                                                                                              \
        (void)c;                                                                                   \
        for (size_t i = 0; i < count; i++) {                                                       \
            const float x = a[i], y = b[i];                                                        \
            out[i] = (expression);                                                                 \
        }                                                                                          \
    }
#define CIRCULAR(name, quarter, library)                                                           \
    static void name##_run(const float *restrict a, const float *restrict b,                       \
                           const float *restrict c, float *restrict out, size_t count)             \
    {                                                                                              \
        (void)b;                                                                                   \
        (void)c;                                                                                   \
        for (size_t i = 0; i < count; i++)                                                         \
            out[i] = circle(a[i], quarter);                                                        \
        if (!any_outside_circle(a, count))                                                         \
            return;                                                                                \
        for (size_t i = 0; i < count; i++)                                                         \
            out[i] = fabsf(a[i]) <= circle_maximum ? out[i] : library(a[i]);                       \
    }

UNARY(COPY, x)
UNARY(ABS, fabsf(x))
UNARY(NEG, -x)
UNARY(SIGN, sign_f32(x))
UNARY(FLOOR, floorf(x))
UNARY(CEIL, ceilf(x))
UNARY(ROUND, rintf(x))
UNARY(SQRT, sqrtf(x))
UNARY(RECIPROCAL, 1.0F / x)
UNARY(RELU, x < 0.0F ? 0.0F : x)
UNARY(EXP, exp_f32(x))
UNARY(EXPM1, expm1_f32(x))
UNARY(LOG, log_f32(x))
UNARY(TANH, tanh_f32(x))
UNARY(SIGMOID, sigmoid_f32(x))
UNARY(SOFTPLUS, softplus_f32(x))
UNARY(ERF, erf_f32(x))
CIRCULAR(SIN, 0U, sinf)
CIRCULAR(COS, 1U, cosf)
UNARY(TAN, tanf(x))
UNARY(ASIN, asinf(x))
UNARY(ACOS, acosf(x))
UNARY(ATAN, atanf(x))
UNARY(SINH, sinhf(x))
UNARY(COSH, coshf(x))
UNARY(ASINH, asinhf(x))
UNARY(ACOSH, acoshf(x))
UNARY(ATANH, atanhf(x))
UNARY(NOT, truth(x == 0.0F))
UNARY(IS_NAN, truth(x != x))
BINARY(ADD, x + y)
BINARY(SUB, x - y)
BINARY(MUL, x *y)
BINARY(DIV, x / y)
BINARY(MIN, min_f32(x, y))
BINARY(MAX, max_f32(x, y))
BINARY(AT_LEAST, x < y ? y : x)
BINARY(AT_MOST, x > y ? y : x)
BINARY(POW, powf(x, y))
BINARY(MOD, mod_f32(x, y))
BINARY(FMOD, fmodf(x, y))
BINARY(EQUAL, truth(x == y))
BINARY(LESS, truth(x < y))
BINARY(LESS_EQUAL, truth(x <= y))
BINARY(GREATER, truth(x > y))
BINARY(GREATER_EQUAL, truth(x >= y))
BINARY(AND, truth((x != 0.0F) & (y != 0.0F)))
BINARY(OR, truth((x != 0.0F) | (y != 0.0F)))
BINARY(XOR, truth((x != 0.0F) != (y != 0.0F)))

static void SELECT_run(const float *restrict a, const float *restrict b, const float *restrict c,
                       float *restrict out, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        const float y = b[i], z = c[i];
        out[i] = a[i] != 0.0F ? y : z;
    }
}

static void from_bool_run(const uint8_t *restrict in, float *restrict out, size_t count)
{
    for (size_t i = 0; i < count; i++)
        out[i] = in[i] != 0 ? 1.0F : 0.0F;
}

static void to_bool_run(const float *restrict in, uint8_t *restrict out, size_t count)
{
    for (size_t i = 0; i < count; i++)
        out[i] = in[i] != 0.0F ? 1 : 0;
}

#define VT_ELEMENTWISE_ROW(name, arity) [VT_ELEMENTWISE_##name] = name##_run,
#define VT_ELEMENTWISE_TABLE(name)                                                                 \
    const vt_elementwise_table name = {                                                            \
        .functions = {VT_ELEMENTWISE_CODES(VT_ELEMENTWISE_ROW)},                                   \
        .from_bool = from_bool_run,                                                                \
        .to_bool = to_bool_run,                                                                    \
    }
