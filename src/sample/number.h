/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Vectors, elementary functions and noise that give the same bits on every machine: only IEEE
 * additions, multiplications, divisions and square roots, never the C library's sinf or powf, whose
 * last bits differ between versions. Accurate to about 1e-5, which pictures do not show.
 *
 * Threads: no state.
 */
#ifndef VT_SAMPLE_NUMBER_H
#define VT_SAMPLE_NUMBER_H

#include <stdint.h>
#include <string.h>

#define VT_PI 3.14159265f

typedef struct vt_vec3 {
    float x, y, z;
} vt_vec3;

typedef struct vt_mat3 {
    vt_vec3 row[3];
} vt_mat3;

static inline float f_min(float a, float b)
{
    return a < b ? a : b;
}
static inline float f_max(float a, float b)
{
    return a > b ? a : b;
}
static inline float f_abs(float a)
{
    return __builtin_fabsf(a);
}
static inline float f_clamp(float a, float low, float high)
{
    return f_min(f_max(a, low), high);
}
static inline float f_saturate(float a)
{
    return f_min(f_max(a, 0.0f), 1.0f);
}
static inline float f_mix(float a, float b, float share)
{
    return a + (b - a) * share;
}
static inline float f_smooth(float low, float high, float a) /* 0 below low, 1 above high */
{
    float t = f_saturate((a - low) / (high - low));
    return t * t * (3.0f - 2.0f * t);
}
static inline float f_sqrt(float a)
{
    return __builtin_sqrtf(f_max(a, 0.0f));
}
static inline float f_floor(float a) /* |a| < 2^31; no call, unlike floorf without SSE4.1 */
{
    float whole = (float)(int32_t)a;
    return whole > a ? whole - 1.0f : whole;
}
static inline float f_fract(float a)
{
    return a - f_floor(a);
}
static inline float f_sign(float a)
{
    return a < 0.0f ? -1.0f : 1.0f;
}

/* Sine by its odd Taylor polynomial on [-pi/2, pi/2] (error below 4e-6 there). */
static inline float f_sin(float a)
{
    float turns = f_floor(a * (1.0f / (2.0f * VT_PI)) + 0.5f);
    float x = a - turns * (2.0f * VT_PI);
    if (x > 0.5f * VT_PI)
        x = VT_PI - x;
    if (x < -0.5f * VT_PI)
        x = -VT_PI - x;
    float s = x * x;
    return x * (1.0f + s * (-1.6666667e-1f +
                            s * (8.3333310e-3f + s * (-1.9840874e-4f + s * 2.7525562e-6f))));
}
static inline float f_cos(float a)
{
    return f_sin(a + 0.5f * VT_PI);
}

/* Arctangent on [0, 1] by a minimax polynomial (Hastings 1955, error about 1e-5), then by octant.
 */
static inline float f_atan2(float y, float x)
{
    float ax = f_abs(x);
    float ay = f_abs(y);
    float big = f_max(ax, ay);
    float r = big > 0.0f ? f_min(ax, ay) / big : 0.0f;
    float s = r * r;
    float a = r * (0.9998660f +
                   s * (-0.3302995f + s * (0.1801410f + s * (-0.0851330f + s * 0.0208351f))));
    if (ay > ax)
        a = 0.5f * VT_PI - a;
    if (x < 0.0f)
        a = VT_PI - a;
    return y < 0.0f ? -a : a;
}

static inline float f_exp2(float a)
{
    a = f_clamp(a, -120.0f, 120.0f);
    float whole = f_floor(a);
    float x = a - whole;
    float p = 1.0f + x * (0.69314718f +
                          x * (0.24022651f + x * (0.05550411f + x * (0.00961813f + x * 0.00133336f +
                                                                     x * x * 0.00015469f))));
    uint32_t bits = (uint32_t)((int32_t)whole + 127) << 23;
    float scale;
    memcpy(&scale, &bits, sizeof scale);
    return p * scale;
}
static inline float f_exp(float a)
{
    return f_exp2(a * 1.44269504f);
}

/* log2 of a positive normal number: exponent, and an atanh series for the mantissa in [0.7, 1.4].
 */
static inline float f_log2(float a)
{
    uint32_t bits;
    memcpy(&bits, &a, sizeof bits);
    int32_t exponent = (int32_t)(bits >> 23) - 127;
    bits = (bits & 0x7fffffu) | 0x3f800000u;
    float m;
    memcpy(&m, &bits, sizeof m);
    if (m > 1.41421356f) {
        m *= 0.5f;
        exponent++;
    }
    float s = (m - 1.0f) / (m + 1.0f);
    float s2 = s * s;
    float ln = 2.0f * s *
               (1.0f + s2 * (0.33333333f + s2 * (0.2f + s2 * (0.14285714f + s2 * 0.11111111f))));
    return (float)exponent + ln * 1.44269504f;
}
static inline float f_pow(float base, float exponent)
{
    return base <= 1e-30f ? 0.0f : f_exp2(exponent * f_log2(base));
}

static inline vt_vec3 v3(float x, float y, float z)
{
    return (vt_vec3){x, y, z};
}
static inline vt_vec3 v3_all(float a)
{
    return (vt_vec3){a, a, a};
}
static inline vt_vec3 v3_add(vt_vec3 a, vt_vec3 b)
{
    return (vt_vec3){a.x + b.x, a.y + b.y, a.z + b.z};
}
static inline vt_vec3 v3_sub(vt_vec3 a, vt_vec3 b)
{
    return (vt_vec3){a.x - b.x, a.y - b.y, a.z - b.z};
}
static inline vt_vec3 v3_mul(vt_vec3 a, vt_vec3 b)
{
    return (vt_vec3){a.x * b.x, a.y * b.y, a.z * b.z};
}
static inline vt_vec3 v3_scale(vt_vec3 a, float s)
{
    return (vt_vec3){a.x * s, a.y * s, a.z * s};
}
static inline vt_vec3 v3_along(vt_vec3 origin, vt_vec3 direction, float t)
{
    return (vt_vec3){origin.x + direction.x * t, origin.y + direction.y * t,
                     origin.z + direction.z * t};
}
static inline vt_vec3 v3_mix(vt_vec3 a, vt_vec3 b, float share)
{
    return (vt_vec3){f_mix(a.x, b.x, share), f_mix(a.y, b.y, share), f_mix(a.z, b.z, share)};
}
static inline float v3_dot(vt_vec3 a, vt_vec3 b)
{
    return a.x * b.x + a.y * b.y + a.z * b.z;
}
static inline vt_vec3 v3_cross(vt_vec3 a, vt_vec3 b)
{
    return (vt_vec3){a.y * b.z - a.z * b.y, a.z * b.x - a.x * b.z, a.x * b.y - a.y * b.x};
}
static inline float v3_length(vt_vec3 a)
{
    return f_sqrt(v3_dot(a, a));
}
static inline vt_vec3 v3_unit(vt_vec3 a)
{
    float length = v3_length(a);
    return length > 0.0f ? v3_scale(a, 1.0f / length) : v3(0.0f, 1.0f, 0.0f);
}
static inline vt_vec3 v3_abs(vt_vec3 a)
{
    return (vt_vec3){f_abs(a.x), f_abs(a.y), f_abs(a.z)};
}
static inline vt_vec3 v3_lower(vt_vec3 a, vt_vec3 b)
{
    return (vt_vec3){f_min(a.x, b.x), f_min(a.y, b.y), f_min(a.z, b.z)};
}
static inline vt_vec3 v3_upper(vt_vec3 a, vt_vec3 b)
{
    return (vt_vec3){f_max(a.x, b.x), f_max(a.y, b.y), f_max(a.z, b.z)};
}
static inline vt_vec3 v3_reflect(vt_vec3 incoming, vt_vec3 normal)
{
    return v3_along(incoming, normal, -2.0f * v3_dot(incoming, normal));
}
static inline float v3_luma(vt_vec3 rgb)
{
    return 0.2126f * rgb.x + 0.7152f * rgb.y + 0.0722f * rgb.z;
}

static inline vt_vec3 m3_apply(const vt_mat3 *m, vt_vec3 a)
{
    return (vt_vec3){v3_dot(m->row[0], a), v3_dot(m->row[1], a), v3_dot(m->row[2], a)};
}
static inline vt_vec3 m3_apply_transposed(const vt_mat3 *m, vt_vec3 a)
{
    return v3_add(v3_add(v3_scale(m->row[0], a.x), v3_scale(m->row[1], a.y)),
                  v3_scale(m->row[2], a.z));
}
vt_mat3 vt_mat3_identity(void);
vt_mat3 vt_mat3_product(const vt_mat3 *a, const vt_mat3 *b);
/* Rotations about x, then y, then z, in degrees. */
vt_mat3 vt_mat3_turn(float x_degrees, float y_degrees, float z_degrees);

/* A well mixed 32-bit hash of lattice coordinates (constants found by Wellons 2018 for
 * "lowbias32"). */
static inline uint32_t u32_hash(uint32_t a)
{
    a ^= a >> 16;
    a *= 0x7feb352du;
    a ^= a >> 15;
    a *= 0x846ca68bu;
    a ^= a >> 16;
    return a;
}
static inline float f_hash2(int32_t x, int32_t y, uint32_t seed) /* [0, 1) */
{
    uint32_t h = u32_hash((uint32_t)x * 0x9e3779b1u + u32_hash((uint32_t)y + seed));
    return (float)(h >> 8) * (1.0f / 16777216.0f);
}
static inline float f_hash3(int32_t x, int32_t y, int32_t z, uint32_t seed)
{
    return f_hash2(x, y, u32_hash((uint32_t)z ^ seed));
}

/* Value noise in [0, 1] with cubic fade, and sums of octaves of it. */
float vt_noise2(float x, float y, uint32_t seed);
float vt_noise3(vt_vec3 p, uint32_t seed);
float vt_fractal2(float x, float y, int octaves, uint32_t seed);
float vt_fractal3(vt_vec3 p, int octaves, uint32_t seed);

/* Colours: 0xRRGGBB in sRGB to linear light, and linear to an sRGB byte value in [0, 255]. */
vt_vec3 vt_rgb_linear(uint32_t srgb);
float vt_srgb_encode(float linear);

#endif
