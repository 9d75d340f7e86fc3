/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The kernels in plain C: what they mean, without any speed. One sum in f32, from the first element
 * to the last; rows and blocks are pairs in a loop. Every other level is tested against this one
 * (and this one against doubles).
 */
#include "vector/distance_levels.h"
#include "vector/half.h"

static float dot_f32(const float *a, const float *b, size_t dim)
{
    float sum = 0.0f;
    for (size_t i = 0; i < dim; i++)
        sum += a[i] * b[i];
    return sum;
}

static float l2_f32(const float *a, const float *b, size_t dim)
{
    float sum = 0.0f;
    for (size_t i = 0; i < dim; i++) {
        float difference = a[i] - b[i];
        sum += difference * difference;
    }
    return sum;
}

static float cosine_f32(const float *a, const float *b, size_t dim)
{
    float ab = 0.0f, aa = 0.0f, bb = 0.0f;
    for (size_t i = 0; i < dim; i++) {
        ab += a[i] * b[i];
        aa += a[i] * a[i];
        bb += b[i] * b[i];
    }
    return vt_cosine_from_sums(ab, aa, bb);
}

static float dot_f16(const float *query, const uint16_t *b, size_t dim)
{
    float sum = 0.0f;
    for (size_t i = 0; i < dim; i++)
        sum += query[i] * vt_half_to_float(b[i]);
    return sum;
}

static float l2_f16(const float *query, const uint16_t *b, size_t dim)
{
    float sum = 0.0f;
    for (size_t i = 0; i < dim; i++) {
        float difference = query[i] - vt_half_to_float(b[i]);
        sum += difference * difference;
    }
    return sum;
}

static float cosine_f16(const float *query, const uint16_t *b, size_t dim)
{
    float ab = 0.0f, aa = 0.0f, bb = 0.0f;
    for (size_t i = 0; i < dim; i++) {
        float stored = vt_half_to_float(b[i]);
        ab += query[i] * stored;
        aa += query[i] * query[i];
        bb += stored * stored;
    }
    return vt_cosine_from_sums(ab, aa, bb);
}

static void dot_rows_f32(const float *query, const float *rows, size_t count, size_t dim,
                         float *out)
{
    for (size_t row = 0; row < count; row++)
        out[row] = dot_f32(query, rows + row * dim, dim);
}

static void dot_rows_f16(const float *query, const uint16_t *rows, size_t count, size_t dim,
                         float *out)
{
    for (size_t row = 0; row < count; row++)
        out[row] = dot_f16(query, rows + row * dim, dim);
}

static void dot_many_f32(const float *query, const void *const *rows, size_t count, size_t dim,
                         float *out)
{
    for (size_t row = 0; row < count; row++)
        out[row] = dot_f32(query, rows[row], dim);
}

static void dot_many_f16(const float *query, const void *const *rows, size_t count, size_t dim,
                         float *out)
{
    for (size_t row = 0; row < count; row++)
        out[row] = dot_f16(query, rows[row], dim);
}

static void l2_rows_f32(const float *query, const float *rows, size_t count, size_t dim, float *out)
{
    for (size_t row = 0; row < count; row++)
        out[row] = l2_f32(query, rows + row * dim, dim);
}

static void l2_rows_f16(const float *query, const uint16_t *rows, size_t count, size_t dim,
                        float *out)
{
    for (size_t row = 0; row < count; row++)
        out[row] = l2_f16(query, rows + row * dim, dim);
}

static void dot_block_f32(const float *query, size_t queries, const float *rows, size_t count,
                          size_t dim, float *out)
{
    for (size_t q = 0; q < queries; q++)
        dot_rows_f32(query + q * dim, rows, count, dim, out + q * count);
}

static void dot_block_f16(const float *query, size_t queries, const uint16_t *rows, size_t count,
                          size_t dim, float *out)
{
    for (size_t q = 0; q < queries; q++)
        dot_rows_f16(query + q * dim, rows, count, dim, out + q * count);
}

static void f32_to_f16(const float *in, uint16_t *out, size_t count)
{
    for (size_t i = 0; i < count; i++)
        out[i] = vt_half_from_float(in[i]);
}

static void f16_to_f32(const uint16_t *in, float *out, size_t count)
{
    for (size_t i = 0; i < count; i++)
        out[i] = vt_half_to_float(in[i]);
}

const vt_distance_table vt_distance_table_scalar = {
    .dot_f32 = dot_f32,
    .l2_f32 = l2_f32,
    .cosine_f32 = cosine_f32,
    .dot_f16 = dot_f16,
    .l2_f16 = l2_f16,
    .cosine_f16 = cosine_f16,
    .dot_rows_f32 = dot_rows_f32,
    .dot_rows_f16 = dot_rows_f16,
    .dot_many_f32 = dot_many_f32,
    .dot_many_f16 = dot_many_f16,
    .l2_rows_f32 = l2_rows_f32,
    .l2_rows_f16 = l2_rows_f16,
    .dot_block_f32 = dot_block_f32,
    .dot_block_f16 = dot_block_f16,
    .f32_to_f16 = f32_to_f16,
    .f16_to_f32 = f16_to_f32,
};
