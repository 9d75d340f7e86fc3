/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Functions of one f32 without branches, for loops that the compiler turns into vectors. Included
 * by elementwise_template.h alone.
 *
 * Sources. exp, log, sin and cos: range reduction and minimax polynomials of S. L. Moshier's Cephes
 * library, single precision (expf.c, logf.c, sinf.c; netlib.org/cephes). sin and cos reduce in
 * double with pi/2 in two parts, as FreeBSD's e_rem_pio2f.c does. log1p: W. Kahan's correction of
 * the rounding of 1 + x. erf: up to 1, x times a polynomial in x^2; beyond, 1 - exp(-p(x)); both
 * polynomials interpolate the exact functions at Chebyshev nodes (errors below 2e-9, relative).
 *
 * Rounding to an integer adds and subtracts 1.5 * 2^23: the sum's last bits are the integer, so
 * that no conversion meets a NaN or a number that is too large.
 *
 * Threads: no shared state.
 */
#ifndef VT_NN_KERNELS_ELEMENTWISE_FUNCTIONS_H
#define VT_NN_KERNELS_ELEMENTWISE_FUNCTIONS_H

#include <math.h>
#include <stdint.h>
#include <string.h>

#define VT_INLINE static inline __attribute__((always_inline))

VT_INLINE uint32_t bits_of(float x)
{
    uint32_t bits;
    memcpy(&bits, &x, sizeof bits);
    return bits;
}

VT_INLINE float float_of(uint32_t bits)
{
    float x;
    memcpy(&x, &bits, sizeof x);
    return x;
}

static const float round_magic = 0x1.8p23F;

/* ---- exponentials ---- */

/* 2^n for n in [-126, 127], something for any other. */
VT_INLINE float power_of_two(int32_t n)
{
    return float_of(((uint32_t)n + 127U) << 23);
}

/* x = n ln 2 + r; the result is exp(r) - 1. x within [-104, 89] or NaN (then n is anything). */
VT_INLINE float exp_reduced(float x, int32_t *n)
{
    float shifted = x * 1.44269504088896341F + round_magic;
    float whole = shifted - round_magic;
    *n = (int32_t)(bits_of(shifted) - bits_of(round_magic));
    float r = x - whole * 0.693359375F;
    r = r - whole * -2.12194440e-4F;
    float p = 1.9875691500e-4F;
    p = p * r + 1.3981999507e-3F;
    p = p * r + 8.3334519073e-3F;
    p = p * r + 4.1665795894e-2F;
    p = p * r + 1.6666665459e-1F;
    p = p * r + 5.0000001201e-1F;
    return p * (r * r) + r;
}

VT_INLINE float clamp_nan(float x, float low, float high) /* NaN stays */
{
    x = x < low ? low : x;
    return x > high ? high : x;
}

VT_INLINE float exp_f32(float x)
{
    int32_t n;
    float y = exp_reduced(clamp_nan(x, -104.0F, 89.0F), &n) + 1.0F;
    /* In two steps: 2^n itself may be out of range where the result is not. */
    return y * power_of_two(n >> 1) * power_of_two(n - (n >> 1));
}

VT_INLINE float expm1_f32(float x)
{
    int32_t n;
    float y = exp_reduced(clamp_nan(x, -40.0F, 89.0F), &n);
    /* 2 (2^(n-1) y + (2^(n-1) - 1/2)): 2^128 is no float. */
    float scale = 0.5F * power_of_two(n > 127 ? 127 : n) * (n > 127 ? 2.0F : 1.0F);
    float result = 2.0F * (scale * y + (scale - 0.5F));
    result = n == 0 ? y : result;
    return x == 0.0F ? x : result; /* the sign of zero */
}

VT_INLINE float tanh_f32(float x)
{
    float twice = clamp_nan(2.0F * fabsf(x), 0.0F, 40.0F);
    float t = expm1_f32(twice);
    return copysignf(t / (t + 2.0F), x);
}

VT_INLINE float sigmoid_f32(float x)
{
    float e = exp_f32(-fabsf(x));
    float top = x < 0.0F ? e : 1.0F;
    return top / (1.0F + e);
}

/* ---- logarithms ---- */

/* Of positive normal numbers, and of infinity something finite. */
VT_INLINE float log_normal(float x, float exponent)
{
    /* m in [sqrt(1/2), sqrt(2)), x = m 2^e */
    uint32_t shifted = bits_of(x) + (0x3F800000U - 0x3F3504F3U);
    float e = (float)((int32_t)(shifted >> 23) - 127) + exponent;
    float f = float_of((shifted & 0x007FFFFFU) + 0x3F3504F3U) - 1.0F;
    float z = f * f;
    float p = 7.0376836292e-2F;
    p = p * f - 1.1514610310e-1F;
    p = p * f + 1.1676998740e-1F;
    p = p * f - 1.2420140846e-1F;
    p = p * f + 1.4249322787e-1F;
    p = p * f - 1.6668057665e-1F;
    p = p * f + 2.0000714765e-1F;
    p = p * f - 2.4999993993e-1F;
    p = p * f + 3.3333331174e-1F;
    float y = p * f * z;
    y = y + e * -2.12194440e-4F;
    y = y - 0.5F * z;
    return (f + y) + e * 0.693359375F;
}

VT_INLINE float log_f32(float x)
{
    float small = x < 0x1p-126F ? 1.0F : 0.0F;
    float scaled = x < 0x1p-126F ? x * 0x1p23F : x;
    float y = log_normal(scaled, small * -23.0F);
    y = x > 0x1.fffffep127F ? x : y;
    y = x == 0.0F ? -INFINITY : y;
    return x >= 0.0F ? y : NAN; /* NaN too */
}

/* log(1 + x), x in [0, 1]. */
VT_INLINE float log1p_unit(float x)
{
    float sum = 1.0F + x;
    return log_normal(sum, 0.0F) + (x - (sum - 1.0F)) / sum;
}

VT_INLINE float softplus_f32(float x)
{
    float above = x < 0.0F ? 0.0F : x;
    return above + log1p_unit(exp_f32(-fabsf(x)));
}

/* ---- erf ---- */

VT_INLINE float erf_f32(float x)
{
    float t = fabsf(x), z = t * t;
    float p = 7.87587505e-05F;
    p = p * z - 8.01686428e-04F;
    p = p * z + 5.18908742e-03F;
    p = p * z - 2.68542120e-02F;
    p = p * z + 1.12835947e-01F;
    p = p * z - 3.76126267e-01F;
    p = p * z + 1.28379167e-01F; /* 2 / sqrt(pi) - 1 */
    float small = p * x + x;
    t = clamp_nan(t, 1.0F, 4.0F);
    float q = -1.63715142e-06F;
    q = q * t + 4.60580427e-05F;
    q = q * t - 5.96805626e-04F;
    q = q * t + 4.75959629e-03F;
    q = q * t - 2.64211360e-02F;
    q = q * t + 1.10080083e-01F;
    q = q * t + 6.31826052e-01F;
    q = q * t + 1.13023343F;
    q = q * t - 3.20138050e-04F;
    float large = copysignf(1.0F - exp_f32(-q), x);
    return fabsf(x) < 1.0F ? small : large;
}

/* ---- sine and cosine ---- */

/* Beyond, the C library's, which reduces with as many digits of pi as it takes. */
static const float circle_maximum = 1e5F;

/* sin(x + quarter pi / 2) */
VT_INLINE float circle(float x, uint32_t quarter)
{
    float shifted = x * 0.636619772367581343F + round_magic;
    double whole = (double)(shifted - round_magic);
    quarter += bits_of(shifted) - bits_of(round_magic);
    double wide = (double)x - whole * 1.57079631090164184570;
    float r = (float)(wide - whole * 1.58932547735281966916e-8);
    float z = r * r;
    float s = -1.9515295891e-4F;
    s = s * z + 8.3321608736e-3F;
    s = s * z - 1.6666654611e-1F;
    s = s * z * r + r;
    s = r == 0.0F ? r : s; /* the sign of zero */
    float c = 2.443315711809948e-5F;
    c = c * z - 1.388731625493765e-3F;
    c = c * z + 4.166664568298827e-2F;
    c = c * z * z - 0.5F * z + 1.0F;
    float y = (quarter & 1U) != 0 ? c : s;
    return float_of(bits_of(y) ^ (quarter & 2U) << 30);
}

/* ---- the rest ---- */

VT_INLINE float sign_f32(float x)
{
    float below = x < 0.0F ? -1.0F : x; /* zeros and NaN stay */
    return x > 0.0F ? 1.0F : below;
}

VT_INLINE float min_f32(float x, float y)
{
    float least = x > y ? y : x;
    return y != y ? y : least;
}

VT_INLINE float max_f32(float x, float y)
{
    float most = x < y ? y : x;
    return y != y ? y : most;
}

/* fmod is exact; x - floor(x / y) * y is not, and gives NaN for an infinite y. */
VT_INLINE float mod_f32(float x, float y)
{
    float rest = fmodf(x, y);
    float moved = (rest < 0.0F) != (y < 0.0F) ? rest + y : rest;
    return rest == 0.0F ? copysignf(rest, y) : moved;
}

#endif
