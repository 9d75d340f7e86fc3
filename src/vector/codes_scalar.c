/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The kernels for compressed vectors in plain C: what they mean, without any speed. Every other
 * level is tested against this one (and this one against arithmetic in 64 bits).
 */
#include "vector/bfloat.h"
#include "vector/codes_levels.h"

static int32_t dot_u8(const int8_t *query, const uint8_t *code, size_t dim)
{
    int32_t sum = 0;
    for (size_t i = 0; i < dim; i++)
        sum += query[i] * code[i];
    return sum;
}

static int32_t dot_i8(const int8_t *a, const int8_t *b, size_t dim)
{
    int32_t sum = 0;
    for (size_t i = 0; i < dim; i++)
        sum += a[i] * b[i];
    return sum;
}

static float dot_f32_u8(const float *query, const uint8_t *code, size_t dim)
{
    float sum = 0.0f;
    for (size_t i = 0; i < dim; i++)
        sum += query[i] * (float)code[i];
    return sum;
}

static int32_t dot_u4(const int8_t *query, const uint8_t *code, size_t bytes)
{
    int32_t sum = 0;
    for (size_t i = 0; i < bytes; i++)
        sum += query[i] * (code[i] & 15) + query[bytes + i] * (code[i] >> 4);
    return sum;
}

static int32_t dot_bits(const uint8_t *planes, const uint8_t *code, size_t bytes)
{
    int32_t sum = 0;
    for (int plane = 0; plane < VT_CODES_PLANES; plane++)
        for (size_t i = 0; i < bytes; i++)
            sum += __builtin_popcount((unsigned)(planes[(size_t)plane * bytes + i] & code[i]))
                   << plane;
    return sum;
}

static void dot_u8_many(const int8_t *query, const void *const *codes, size_t count, size_t dim,
                        int32_t *out)
{
    for (size_t i = 0; i < count; i++)
        out[i] = dot_u8(query, codes[i], dim);
}

static void dot_u4_many(const int8_t *query, const void *const *codes, size_t count, size_t bytes,
                        int32_t *out)
{
    for (size_t i = 0; i < count; i++)
        out[i] = dot_u4(query, codes[i], bytes);
}

static void dot_bits_many(const uint8_t *planes, const void *const *codes, size_t count,
                          size_t bytes, int32_t *out)
{
    for (size_t i = 0; i < count; i++)
        out[i] = dot_bits(planes, codes[i], bytes);
}

static float dot_bf16(const float *query, const uint16_t *b, size_t dim)
{
    float sum = 0.0f;
    for (size_t i = 0; i < dim; i++)
        sum += query[i] * vt_bfloat_to_float(b[i]);
    return sum;
}

static float l2_bf16(const float *query, const uint16_t *b, size_t dim)
{
    float sum = 0.0f;
    for (size_t i = 0; i < dim; i++) {
        float difference = query[i] - vt_bfloat_to_float(b[i]);
        sum += difference * difference;
    }
    return sum;
}

static void f32_to_bf16(const float *in, uint16_t *out, size_t count)
{
    for (size_t i = 0; i < count; i++)
        out[i] = vt_bfloat_from_float(in[i]);
}

static void bf16_to_f32(const uint16_t *in, float *out, size_t count)
{
    for (size_t i = 0; i < count; i++)
        out[i] = vt_bfloat_to_float(in[i]);
}

const vt_code_table vt_code_table_scalar = {
    .dot_u8 = dot_u8,
    .dot_u8_many = dot_u8_many,
    .dot_i8 = dot_i8,
    .dot_f32_u8 = dot_f32_u8,
    .dot_u4 = dot_u4,
    .dot_u4_many = dot_u4_many,
    .dot_bits = dot_bits,
    .dot_bits_many = dot_bits_many,
    .dot_bf16 = dot_bf16,
    .l2_bf16 = l2_bf16,
    .f32_to_bf16 = f32_to_bf16,
    .bf16_to_f32 = bf16_to_f32,
};
