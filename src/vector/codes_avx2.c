/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The kernels for compressed vectors in AVX2, 32 bytes a register; the last incomplete one is left
 * to plain C.
 *
 * VPMADDUBSW adds two products of bytes with saturation at 16 bits: harmless for 4-bit codes
 * (2 * 15 * 128 fits), wrong for 8-bit ones, which are therefore widened to 16 bits first
 * (VPMADDWD). Bits are counted by table, a half byte at a time (Mula, Kurz and Lemire, Faster
 * population counts using AVX2 instructions, The Computer Journal 2018).
 */
#include <immintrin.h>

#include "vector/bfloat.h"
#include "vector/codes_levels.h"

#define VT_INLINE static inline __attribute__((always_inline))

enum { WIDTH = 32, LANES = 8 };

VT_INLINE int32_t sum_i32(__m256i v)
{
    __m128i four = _mm_add_epi32(_mm256_castsi256_si128(v), _mm256_extracti128_si256(v, 1));
    __m128i two = _mm_add_epi32(four, _mm_unpackhi_epi64(four, four));
    return _mm_cvtsi128_si32(_mm_add_epi32(two, _mm_shuffle_epi32(two, 1)));
}

VT_INLINE float sum_f32(__m256 v)
{
    __m128 four = _mm_add_ps(_mm256_castps256_ps128(v), _mm256_extractf128_ps(v, 1));
    __m128 two = _mm_add_ps(four, _mm_movehl_ps(four, four));
    return _mm_cvtss_f32(_mm_add_ss(two, _mm_movehdup_ps(two)));
}

/* ---- bytes ---- */

static int32_t dot_u8(const int8_t *query, const uint8_t *code, size_t dim)
{
    __m256i sum = _mm256_setzero_si256();
    size_t i = 0;
    for (; i + 16 <= dim; i += 16) {
        __m256i q = _mm256_cvtepi8_epi16(_mm_loadu_si128((const void *)(query + i)));
        __m256i c = _mm256_cvtepu8_epi16(_mm_loadu_si128((const void *)(code + i)));
        sum = _mm256_add_epi32(sum, _mm256_madd_epi16(q, c));
    }
    int32_t rest = 0;
    for (; i < dim; i++)
        rest += query[i] * code[i];
    return sum_i32(sum) + rest;
}

static void dot_u8_many(const int8_t *query, const void *const *codes, size_t count, size_t dim,
                        int32_t *out)
{
    for (size_t i = 0; i < count; i++)
        out[i] = dot_u8(query, codes[i], dim);
}

static int32_t dot_i8(const int8_t *a, const int8_t *b, size_t dim)
{
    __m256i sum = _mm256_setzero_si256();
    size_t i = 0;
    for (; i + 16 <= dim; i += 16) {
        __m256i x = _mm256_cvtepi8_epi16(_mm_loadu_si128((const void *)(a + i)));
        __m256i y = _mm256_cvtepi8_epi16(_mm_loadu_si128((const void *)(b + i)));
        sum = _mm256_add_epi32(sum, _mm256_madd_epi16(x, y));
    }
    int32_t rest = 0;
    for (; i < dim; i++)
        rest += a[i] * b[i];
    return sum_i32(sum) + rest;
}

static float dot_f32_u8(const float *query, const uint8_t *code, size_t dim)
{
    __m256 sum = _mm256_setzero_ps();
    size_t i = 0;
    for (; i + LANES <= dim; i += LANES) {
        __m256i wide = _mm256_cvtepu8_epi32(_mm_loadl_epi64((const void *)(code + i)));
        sum = _mm256_fmadd_ps(_mm256_loadu_ps(query + i), _mm256_cvtepi32_ps(wide), sum);
    }
    float rest = 0.0f;
    for (; i < dim; i++)
        rest += query[i] * (float)code[i];
    return sum_f32(sum) + rest;
}

/* ---- half bytes ---- */

static int32_t dot_u4(const int8_t *query, const uint8_t *code, size_t bytes)
{
    const __m256i low = _mm256_set1_epi8(15), ones = _mm256_set1_epi16(1);
    __m256i sum = _mm256_setzero_si256();
    size_t i = 0;
    for (; i + WIDTH <= bytes; i += WIDTH) {
        __m256i both = _mm256_loadu_si256((const void *)(code + i));
        __m256i high = _mm256_and_si256(_mm256_srli_epi16(both, 4), low);
        __m256i q_low = _mm256_loadu_si256((const void *)(query + i));
        __m256i q_high = _mm256_loadu_si256((const void *)(query + bytes + i));
        __m256i pairs = _mm256_add_epi16(_mm256_maddubs_epi16(_mm256_and_si256(both, low), q_low),
                                         _mm256_maddubs_epi16(high, q_high));
        sum = _mm256_add_epi32(sum, _mm256_madd_epi16(pairs, ones));
    }
    int32_t rest = 0;
    for (; i < bytes; i++)
        rest += query[i] * (code[i] & 15) + query[bytes + i] * (code[i] >> 4);
    return sum_i32(sum) + rest;
}

static void dot_u4_many(const int8_t *query, const void *const *codes, size_t count, size_t bytes,
                        int32_t *out)
{
    for (size_t i = 0; i < count; i++)
        out[i] = dot_u4(query, codes[i], bytes);
}

/* ---- bits ---- */

VT_INLINE __m256i count_bits(__m256i v)
{
    const __m256i table = _mm256_setr_epi8(0, 1, 1, 2, 1, 2, 2, 3, 1, 2, 2, 3, 2, 3, 3, 4, 0, 1, 1,
                                           2, 1, 2, 2, 3, 1, 2, 2, 3, 2, 3, 3, 4);
    const __m256i low = _mm256_set1_epi8(15);
    __m256i counts =
        _mm256_add_epi8(_mm256_shuffle_epi8(table, _mm256_and_si256(v, low)),
                        _mm256_shuffle_epi8(table, _mm256_and_si256(_mm256_srli_epi16(v, 4), low)));
    return _mm256_sad_epu8(counts, _mm256_setzero_si256());
}

static int32_t dot_bits(const uint8_t *planes, const uint8_t *code, size_t bytes)
{
    __m256i sum = _mm256_setzero_si256();
    size_t i = 0;
    for (; i + WIDTH <= bytes; i += WIDTH) {
        __m256i bits = _mm256_loadu_si256((const void *)(code + i));
        for (int p = 0; p < VT_CODES_PLANES; p++) {
            __m256i plane = _mm256_loadu_si256((const void *)(planes + (size_t)p * bytes + i));
            sum = _mm256_add_epi64(sum,
                                   _mm256_slli_epi64(count_bits(_mm256_and_si256(plane, bits)), p));
        }
    }
    int32_t rest = 0;
    for (; i < bytes; i++)
        for (int p = 0; p < VT_CODES_PLANES; p++)
            rest += __builtin_popcount((unsigned)(planes[(size_t)p * bytes + i] & code[i])) << p;
    return sum_i32(sum) + rest; /* counts stay far below 32 bits: the upper halves are zero */
}

static void dot_bits_many(const uint8_t *planes, const void *const *codes, size_t count,
                          size_t bytes, int32_t *out)
{
    for (size_t i = 0; i < count; i++)
        out[i] = dot_bits(planes, codes[i], bytes);
}

/* ---- bf16 ---- */

VT_INLINE __m256 load_bf16(const uint16_t *from)
{
    __m256i wide = _mm256_cvtepu16_epi32(_mm_loadu_si128((const void *)from));
    return _mm256_castsi256_ps(_mm256_slli_epi32(wide, 16));
}

static float dot_bf16(const float *query, const uint16_t *b, size_t dim)
{
    __m256 sum = _mm256_setzero_ps();
    size_t i = 0;
    for (; i + LANES <= dim; i += LANES)
        sum = _mm256_fmadd_ps(_mm256_loadu_ps(query + i), load_bf16(b + i), sum);
    float rest = 0.0f;
    for (; i < dim; i++)
        rest += query[i] * vt_bfloat_to_float(b[i]);
    return sum_f32(sum) + rest;
}

static float l2_bf16(const float *query, const uint16_t *b, size_t dim)
{
    __m256 sum = _mm256_setzero_ps();
    size_t i = 0;
    for (; i + LANES <= dim; i += LANES) {
        __m256 difference = _mm256_sub_ps(_mm256_loadu_ps(query + i), load_bf16(b + i));
        sum = _mm256_fmadd_ps(difference, difference, sum);
    }
    float rest = 0.0f;
    for (; i < dim; i++) {
        float difference = query[i] - vt_bfloat_to_float(b[i]);
        rest += difference * difference;
    }
    return sum_f32(sum) + rest;
}

static void f32_to_bf16(const float *in, uint16_t *out, size_t count)
{
    for (size_t i = 0; i < count; i++)
        out[i] = vt_bfloat_from_float(in[i]);
}

static void bf16_to_f32(const uint16_t *in, float *out, size_t count)
{
    size_t i = 0;
    for (; i + LANES <= count; i += LANES)
        _mm256_storeu_ps(out + i, load_bf16(in + i));
    for (; i < count; i++)
        out[i] = vt_bfloat_to_float(in[i]);
}

const vt_code_table vt_code_table_avx2 = {
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
