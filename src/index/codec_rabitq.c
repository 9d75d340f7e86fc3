/* SPDX-License-Identifier: Apache-2.0 */
/*
 * RaBitQ: one bit an element (Gao and Long, RaBitQ: Quantizing High-Dimensional Vectors with a
 * Theoretical Error Bound for Approximate Nearest Neighbor Search, SIGMOD 2024, algorithms 1, 2).
 *
 * Method: the code of r is its signs, a corner o' of the cube with corners +-1/sqrt(D). The
 * estimate of <q, r> is <q, o'> |r| / <o', o>, o = r / |r|: unbiased over the random rotation, with
 * an error of about |q| |r| sqrt((1 - c^2) / c^2 / (D - 1)), c = <o', o>, near 0.8. |r| / c and the
 * 1 / sqrt(D) are one factor, kept with the code. The query is rounded to 4 bits, so that <q, o'>
 * is four counts of bits.
 *
 * That error is of the code's own c, which follows from the factors: with s = |r| / (c sqrt(D)) it
 * is |q| sqrt((s^2 D - |r|^2) / (D - 1)).
 *
 * Departures: the query is rounded to the nearest of its 16 levels instead of at random, so that a
 * search repeats itself. The mean of a sample takes the place of centroids of clusters.
 */
#include "index/codec_kinds.h"

#include <math.h>
#include <string.h>

static size_t rabitq_bytes(size_t width)
{
    return sizeof(code_factors) + width / 8;
}

static void rabitq_encode(const vt_coder *coder, const float *r, void *code, void *fine)
{
    (void)fine;
    uint8_t *bits = code;
    double size = 0.0, norm2 = 0.0;
    unsigned ones = 0;
    memset(bits, 0, coder->width / 8);
    for (size_t i = 0; i < coder->width; i++) {
        size += fabs((double)r[i]);
        norm2 += (double)r[i] * (double)r[i];
        if (r[i] >= 0.0f) {
            bits[i / 8] |= (uint8_t)(1u << i % 8);
            ones++;
        }
    }
    code_factors f = {.norm2 = (float)norm2, .extra = (float)ones};
    f.scale = size > 0.0 ? (float)(norm2 / size) : 0.0f;
    memcpy(bits + coder->width / 8, &f, sizeof f);
}

static void rabitq_query_set(const vt_coder *coder, vt_coder_query *query)
{
    const size_t width = coder->width, plane_bytes = width / 8;
    const int last = (1 << VT_CODES_PLANES) - 1;
    float low = query->vector[0], high = low, sum = 0.0f;
    for (size_t i = 0; i < width; i++) {
        low = fminf(low, query->vector[i]);
        high = fmaxf(high, query->vector[i]);
        sum += query->vector[i];
    }
    query->length = sqrtf(coder->floats->dot_f32(query->vector, query->vector, width));
    query->base = low;
    query->step = (high - low) / (float)last;
    query->sum = sum;
    float inverse = query->step > 0.0f ? 1.0f / query->step : 0.0f;
    memset(query->planes, 0, VT_CODES_PLANES * plane_bytes);
    for (size_t i = 0; i < width; i++) {
        float level = rintf((query->vector[i] - low) * inverse);
        int u = level < (float)last ? (int)level : last;
        for (size_t p = 0; p < VT_CODES_PLANES; p++)
            if (u >> p & 1)
                query->planes[p * plane_bytes + i / 8] |= (uint8_t)(1u << i % 8);
    }
}

static void rabitq_score_many(const vt_coder *coder, const vt_coder_query *query,
                              const void *const *codes, size_t count, float *out)
{
    const size_t bytes = coder->width / 8;
    int32_t products[VT_CODER_MANY];
    coder->codes->dot_bits_many(query->planes, codes, count, bytes, products);
    for (size_t i = 0; i < count; i++) {
        const code_factors *f = code_factors_of(codes[i], bytes);
        /* The sum over set bits less that over the others: twice the one, less all. */
        float set = query->step * (float)products[i] + query->base * f->extra;
        out[i] = vt_coder_score(coder, query, f->scale * (2.0f * set - query->sum), f->norm2);
    }
}

static void rabitq_reach_many(const vt_coder *coder, const vt_coder_query *query, float deviations,
                              const void *const *codes, size_t count, float *scores)
{
    const size_t bytes = coder->width / 8;
    const float width = (float)coder->width, factor = coder->metric == VT_METRIC_L2 ? 2.0f : 1.0f;
    const float each = factor * deviations * query->length / sqrtf(width - 1.0f);
    for (size_t i = 0; i < count; i++) {
        const code_factors *f = code_factors_of(codes[i], bytes);
        scores[i] += each * sqrtf(fmaxf(f->scale * f->scale * width - f->norm2, 0.0f));
    }
}

/* -1 and 0 stand for -1/2 and 1/2, of the vector's own length: between codes there is no estimate
 * without bias that is linear, and lengths at least are right. */
static void rabitq_unpack(const vt_coder *coder, const void *code, const void *fine, int8_t *out,
                          float *scale)
{
    (void)fine;
    const uint8_t *bits = code;
    const code_factors *f = code_factors_of(code, coder->width / 8);
    for (size_t i = 0; i < coder->width; i++)
        out[i] = (int8_t)((bits[i / 8] >> i % 8 & 1) - 1);
    *scale = 2.0f * sqrtf(f->norm2 / (float)coder->width);
}

const codec_kind vt_codec_kind_rabitq = {
    .name = "rabitq",
    .compressed = true,
    .code_bytes = rabitq_bytes,
    .encode = rabitq_encode,
    .query_set = rabitq_query_set,
    .score_many = rabitq_score_many,
    .reach_many = rabitq_reach_many,
    .unpack = rabitq_unpack,
};
