/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Codes of 8 and of 4 bits an element, and of 8 bits in two planes of 4.
 *
 * Method: uniform levels without one at zero. An element is scale * (u - (2^bits - 1) / 2), u
 * unsigned, the scale such that the largest element is the last level; every vector has its own.
 * Twice as many levels for 8 bits as 4 bits have in each of theirs, so the upper half of an 8-bit u
 * is a code of 4 bits for the same range: INT4X2 keeps the halves apart, reads one on a walk and
 * both for what the walk has found.
 *
 * The scale is corrected by <r, r> / <code, r>, which makes the product of a vector with itself
 * exact (the estimator of RaBitQ, Gao and Long, SIGMOD 2024, section 3.2, applied to more bits), so
 * that estimates are not biased towards zero by coarse levels.
 *
 * Queries become signed bytes. Their rounding error is of the size of that of 8-bit codes; the
 * final score of INT8 and INT4X2 therefore adds the product with what the rounding left.
 *
 * For 4 bits alone the range is narrowed where clipping the largest elements costs less than wider
 * steps: the best of a few ranges by the cosine that is left.
 */
#include "index/codec_kinds.h"

#include <math.h>
#include <string.h>

static size_t int8_bytes(size_t width)
{
    return sizeof(code_factors) + width;
}

static size_t int4_bytes(size_t width)
{
    return sizeof(code_factors) + width / 2;
}

static size_t half_width(size_t width)
{
    return width / 2;
}

/* ---- encoding ---- */

static float largest_of(const float *r, size_t width)
{
    float largest = 0.0f;
    for (size_t i = 0; i < width; i++)
        largest = fmaxf(largest, fabsf(r[i]));
    return largest;
}

/* u of one element; `inverse` is levels per unit. */
static unsigned level_of(float value, float inverse, unsigned last)
{
    float level = floorf(value * inverse + 0.5f * (float)(last + 1));
    if (!(level > 0.0f))
        return 0;
    return level < (float)last ? (unsigned)level : last;
}

typedef struct fit {
    double with_itself; /* <code, r> for a scale of 1 */
    double norm2;
    double code2; /* <code, code> for a scale of 1 */
} fit;

/* Levels of all elements into `levels` (width), for a range of +-range. */
static fit levels_make(const float *r, size_t width, float range, unsigned last, uint8_t *levels)
{
    fit sums = {0};
    float inverse = range > 0.0f ? 0.5f * (float)(last + 1) / range : 0.0f;
    for (size_t i = 0; i < width; i++) {
        unsigned u = level_of(r[i], inverse, last);
        double level = (double)u - 0.5 * last;
        levels[i] = (uint8_t)u;
        sums.with_itself += level * (double)r[i];
        sums.norm2 += (double)r[i] * (double)r[i];
        sums.code2 += level * level;
    }
    return sums;
}

static code_factors factors_of(fit sums)
{
    code_factors f = {.norm2 = (float)sums.norm2};
    /* A zero vector has levels of one half each, and a scale that takes them away. */
    f.scale = sums.with_itself > 0.0 ? (float)(sums.norm2 / sums.with_itself) : 0.0f;
    return f;
}

static void int8_encode(const vt_coder *coder, const float *r, void *code, void *fine)
{
    (void)fine;
    code_factors f =
        factors_of(levels_make(r, coder->width, largest_of(r, coder->width), 255, code));
    memcpy((char *)code + coder->width, &f, sizeof f);
}

/* levels (width) into (width / 2) bytes. */
static void levels_pack(const uint8_t *levels, size_t half, unsigned shift, uint8_t *out)
{
    for (size_t i = 0; i < half; i++) {
        unsigned low = levels[i] >> shift & 15u, high = levels[half + i] >> shift & 15u;
        out[i] = (uint8_t)(low | high << 4);
    }
}

enum { RANGES = 5 };
static const float ranges[RANGES] = {1.0f, 0.9f, 0.8f, 0.7f, 0.6f};

static void int4_encode(const vt_coder *coder, const float *r, void *code, void *fine)
{
    (void)fine;
    uint8_t levels[VT_CODER_MAX_DIM];
    const float largest = largest_of(r, coder->width);
    int best = 0;
    double best_cosine2 = -1.0;
    for (int i = 0; i < RANGES; i++) {
        fit sums = levels_make(r, coder->width, largest * ranges[i], 15, levels);
        double cosine2 = sums.with_itself * sums.with_itself / sums.code2;
        if (cosine2 > best_cosine2) {
            best_cosine2 = cosine2;
            best = i;
        }
    }
    code_factors f = factors_of(levels_make(r, coder->width, largest * ranges[best], 15, levels));
    levels_pack(levels, coder->width / 2, 0, code);
    memcpy((char *)code + coder->width / 2, &f, sizeof f);
}

static void int4x2_encode(const vt_coder *coder, const float *r, void *code, void *fine)
{
    uint8_t levels[VT_CODER_MAX_DIM];
    fit sums = levels_make(r, coder->width, largest_of(r, coder->width), 255, levels);
    code_factors f = factors_of(sums);
    double coarse = 0.0;
    for (size_t i = 0; i < coder->width; i++)
        coarse += ((double)(levels[i] >> 4) - 7.5) * (double)r[i];
    f.extra = f.scale; /* of all 8 bits; the first factor is that of the upper four */
    f.scale = coarse > 0.0 ? (float)(sums.norm2 / coarse) : 0.0f;
    levels_pack(levels, coder->width / 2, 4, code);
    levels_pack(levels, coder->width / 2, 0, fine);
    memcpy((char *)code + coder->width / 2, &f, sizeof f);
}

/* ---- queries ---- */

enum { REST = 254 }; /* how much finer the second bytes of a query are */

static void bytes_set(const vt_coder *coder, vt_coder_query *query)
{
    const size_t width = coder->width;
    float largest = largest_of(query->vector, width);
    float inverse = largest > 0.0f ? 127.0f / largest : 0.0f;
    int32_t first = 0, second = 0;
    for (size_t i = 0; i < width; i++) {
        float scaled = query->vector[i] * inverse;
        float whole = rintf(scaled);
        float rest = rintf((scaled - whole) * (float)REST);
        query->bytes[i] = (int8_t)whole;
        query->bytes[width + i] = (int8_t)rest;
        first += query->bytes[i];
        second += query->bytes[width + i];
    }
    query->step = largest / 127.0f;
    query->sums[0] = (float)first;
    query->sums[1] = (float)second;
}

/* ---- scores ---- */

/* Products into scores; the elements of a code take `bytes`, and count from `middle`. */
static void products_score(const vt_coder *coder, const vt_coder_query *query,
                           const void *const *codes, size_t count, size_t bytes, float *scores)
{
    const float middle = bytes == coder->width ? 127.5f : 7.5f;
    const float less = middle * query->sums[0];
    for (size_t i = 0; i < count; i++) {
        const code_factors *f = code_factors_of(codes[i], bytes);
        float product = f->scale * query->step * (scores[i] - less);
        scores[i] = vt_coder_score(coder, query, product, f->norm2);
    }
}

static void int8_score_many(const vt_coder *coder, const vt_coder_query *query,
                            const void *const *codes, size_t count, float *out)
{
    int32_t products[VT_CODER_MANY];
    coder->codes->dot_u8_many(query->bytes, codes, count, coder->width, products);
    for (size_t i = 0; i < count; i++)
        out[i] = (float)products[i];
    products_score(coder, query, codes, count, coder->width, out);
}

static float int8_score_fine(const vt_coder *coder, const vt_coder_query *query, const void *code,
                             const void *fine)
{
    (void)fine;
    const code_factors *f = code_factors_of(code, coder->width);
    float product = coder->codes->dot_f32_u8(query->vector, code, coder->width);
    float sum = query->step * (query->sums[0] + query->sums[1] / (float)REST);
    return vt_coder_score(coder, query, f->scale * (product - 127.5f * sum), f->norm2);
}

static void int4_score_many(const vt_coder *coder, const vt_coder_query *query,
                            const void *const *codes, size_t count, float *out)
{
    int32_t products[VT_CODER_MANY];
    coder->codes->dot_u4_many(query->bytes, codes, count, coder->width / 2, products);
    for (size_t i = 0; i < count; i++)
        out[i] = (float)products[i];
    products_score(coder, query, codes, count, coder->width / 2, out);
}

/* u = 16 * upper + lower, with both parts of the query: four products of halves. */
static float int4x2_score_fine(const vt_coder *coder, const vt_coder_query *query, const void *code,
                               const void *fine)
{
    const uint8_t *upper = code;
    const size_t half = coder->width / 2;
    const code_factors *f = code_factors_of(code, half);
    const int8_t *rest = query->bytes + coder->width;
    int32_t first = 16 * coder->codes->dot_u4(query->bytes, upper, half) +
                    coder->codes->dot_u4(query->bytes, fine, half);
    int32_t second =
        16 * coder->codes->dot_u4(rest, upper, half) + coder->codes->dot_u4(rest, fine, half);
    float product = (float)first - 127.5f * query->sums[0] +
                    ((float)second - 127.5f * query->sums[1]) / (float)REST;
    return vt_coder_score(coder, query, f->extra * query->step * product, f->norm2);
}

/* ---- unpacking: less half of the levels, which for 8 bits turns the first one ---- */

static void int8_unpack(const vt_coder *coder, const void *code, const void *fine, int8_t *out,
                        float *scale)
{
    (void)fine;
    const code_factors *f = code_factors_of(code, coder->width);
    const uint8_t *levels = code;
    for (size_t i = 0; i < coder->width; i += sizeof(bytes16))
        bytes16_store(out + i, bytes16_load(levels + i) ^ 128);
    *scale = f->scale;
}

static void int4_unpack(const vt_coder *coder, const void *code, const void *fine, int8_t *out,
                        float *scale)
{
    (void)fine;
    const uint8_t *packed = code;
    const size_t half = coder->width / 2;
    const code_factors *f = code_factors_of(code, half);
    for (size_t i = 0; i < half; i += sizeof(bytes16)) {
        const bytes16 both = bytes16_load(packed + i);
        bytes16_store(out + i, (both & 15) - 8);
        bytes16_store(out + half + i, (both >> 4) - 8);
    }
    *scale = f->scale;
}

static void int4x2_unpack(const vt_coder *coder, const void *code, const void *fine, int8_t *out,
                          float *scale)
{
    const uint8_t *upper = code, *lower = fine;
    const size_t half = coder->width / 2;
    const code_factors *f = code_factors_of(code, half);
    for (size_t i = 0; i < half; i += sizeof(bytes16)) {
        const bytes16 u = bytes16_load(upper + i), l = bytes16_load(lower + i);
        bytes16_store(out + i, ((u & 15) << 4 | (l & 15)) ^ 128);
        bytes16_store(out + half + i, ((u & 240) | l >> 4) ^ 128);
    }
    *scale = f->extra;
}

const codec_kind vt_codec_kind_int8 = {
    .name = "int8",
    .compressed = true,
    .code_bytes = int8_bytes,
    .encode = int8_encode,
    .query_set = bytes_set,
    .score_many = int8_score_many,
    .score_fine = int8_score_fine,
    .unpack = int8_unpack,
};

const codec_kind vt_codec_kind_int4 = {
    .name = "int4",
    .compressed = true,
    .code_bytes = int4_bytes,
    .encode = int4_encode,
    .query_set = bytes_set,
    .score_many = int4_score_many,
    .unpack = int4_unpack,
};

const codec_kind vt_codec_kind_int4x2 = {
    .name = "int4x2",
    .compressed = true,
    .code_bytes = int4_bytes,
    .fine_bytes = half_width,
    .encode = int4x2_encode,
    .query_set = bytes_set,
    .score_many = int4_score_many,
    .score_fine = int4x2_score_fine,
    .unpack = int4x2_unpack,
};
