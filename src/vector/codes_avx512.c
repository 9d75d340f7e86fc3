/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The kernels for compressed vectors in AVX-512 with VNNI and VPOPCNTDQ, 64 bytes a register. What
 * fills no register is loaded under a mask, which does not touch the memory behind it.
 *
 * VPDPBUSD multiplies unsigned by signed bytes and adds four products to each sum, without
 * saturation: codes are unsigned, queries signed, and 4-bit codes unpack to unsigned. For two
 * signed vectors a . b = (a + 128) . b - 128 * sum(b), and the second term is one more VPDPBUSD.
 * Four codes side by side share the loads of the query and the summing of lanes at the end, which
 * for codes of two or four registers is more work than the products.
 *
 * bf16 is widened to f32, exactly; VDPBF16PS would need the query in bf16 as well, and a scan waits
 * for memory either way.
 */
#include <immintrin.h>

#include "vector/bfloat.h"
#include "vector/codes_levels.h"

#define VT_INLINE static inline __attribute__((always_inline))

enum { WIDTH = 64, HALF = 32, LANES = 16, SIDE = 4 };

VT_INLINE __m512i load_part(const void *from, size_t n)
{
    if (n >= WIDTH)
        return _mm512_loadu_si512(from);
    return _mm512_maskz_loadu_epi8(((__mmask64)1 << n) - 1, from);
}

/* The sums of four registers' lanes, in one. */
VT_INLINE __m128i sums_of_four(__m512i a, __m512i b, __m512i c, __m512i d)
{
    __m512i ab = _mm512_add_epi32(_mm512_unpacklo_epi32(a, b), _mm512_unpackhi_epi32(a, b));
    __m512i cd = _mm512_add_epi32(_mm512_unpacklo_epi32(c, d), _mm512_unpackhi_epi32(c, d));
    __m512i all = _mm512_add_epi32(_mm512_unpacklo_epi64(ab, cd), _mm512_unpackhi_epi64(ab, cd));
    __m256i half = _mm256_add_epi32(_mm512_castsi512_si256(all), _mm512_extracti64x4_epi64(all, 1));
    return _mm_add_epi32(_mm256_castsi256_si128(half), _mm256_extracti128_si256(half, 1));
}

/* ---- bytes ---- */

VT_INLINE void step_u8(const int8_t *query, const uint8_t *const *codes, size_t side, size_t at,
                       size_t n, __m512i *sums)
{
    __m512i q = load_part(query + at, n);
    for (size_t c = 0; c < side; c++)
        sums[c] = _mm512_dpbusd_epi32(sums[c], load_part(codes[c] + at, n), q);
}

static int32_t dot_u8(const int8_t *query, const uint8_t *code, size_t dim)
{
    __m512i sum = _mm512_setzero_si512();
    for (size_t at = 0; at < dim; at += WIDTH)
        step_u8(query, &code, 1, at, dim - at, &sum);
    return _mm512_reduce_add_epi32(sum);
}

static void dot_u8_many(const int8_t *query, const void *const *codes, size_t count, size_t dim,
                        int32_t *out)
{
    size_t i = 0;
    for (; i + SIDE <= count; i += SIDE) {
        const uint8_t *four[SIDE] = {codes[i], codes[i + 1], codes[i + 2], codes[i + 3]};
        __m512i s[SIDE] = {_mm512_setzero_si512(), _mm512_setzero_si512(), _mm512_setzero_si512(),
                           _mm512_setzero_si512()};
        size_t at = 0;
        for (; at + WIDTH <= dim; at += WIDTH)
            step_u8(query, four, SIDE, at, WIDTH, s);
        if (at < dim)
            step_u8(query, four, SIDE, at, dim - at, s);
        _mm_storeu_si128((void *)(out + i), sums_of_four(s[0], s[1], s[2], s[3]));
    }
    for (; i < count; i++)
        out[i] = dot_u8(query, codes[i], dim);
}

static int32_t dot_i8(const int8_t *a, const int8_t *b, size_t dim)
{
    const __m512i middle = _mm512_set1_epi8((char)-128);
    __m512i sum = _mm512_setzero_si512(), excess = _mm512_setzero_si512();
    for (size_t at = 0; at < dim; at += WIDTH) {
        __m512i y = load_part(b + at, dim - at);
        sum = _mm512_dpbusd_epi32(sum, _mm512_xor_si512(load_part(a + at, dim - at), middle), y);
        excess = _mm512_dpbusd_epi32(excess, middle, y);
    }
    return _mm512_reduce_add_epi32(_mm512_sub_epi32(sum, excess));
}

static float dot_f32_u8(const float *query, const uint8_t *code, size_t dim)
{
    __m512 s[2] = {_mm512_setzero_ps(), _mm512_setzero_ps()};
    size_t i = 0;
    for (; i + LANES <= dim; i += LANES) {
        __m512i wide = _mm512_cvtepu8_epi32(_mm_loadu_si128((const void *)(code + i)));
        s[i / LANES % 2] =
            _mm512_fmadd_ps(_mm512_loadu_ps(query + i), _mm512_cvtepi32_ps(wide), s[i / LANES % 2]);
    }
    if (i < dim) {
        __mmask16 mask = (__mmask16)((1u << (dim - i)) - 1u);
        __m512i wide = _mm512_cvtepu8_epi32(_mm_maskz_loadu_epi8(mask, code + i));
        s[0] =
            _mm512_fmadd_ps(_mm512_maskz_loadu_ps(mask, query + i), _mm512_cvtepi32_ps(wide), s[0]);
    }
    return _mm512_reduce_add_ps(_mm512_add_ps(s[0], s[1]));
}

/* ---- half bytes ---- */

VT_INLINE void step_u4(const int8_t *query, const uint8_t *const *codes, size_t side, size_t bytes,
                       size_t at, size_t n, __m512i *sums)
{
    const __m512i low = _mm512_set1_epi8(15);
    __m512i q_low = load_part(query + at, n), q_high = load_part(query + bytes + at, n);
    for (size_t c = 0; c < side; c++) {
        __m512i both = load_part(codes[c] + at, n);
        __m512i high = _mm512_and_si512(_mm512_srli_epi16(both, 4), low);
        sums[c] = _mm512_dpbusd_epi32(sums[c], _mm512_and_si512(both, low), q_low);
        sums[c] = _mm512_dpbusd_epi32(sums[c], high, q_high);
    }
}

static int32_t dot_u4(const int8_t *query, const uint8_t *code, size_t bytes)
{
    __m512i sum = _mm512_setzero_si512();
    for (size_t at = 0; at < bytes; at += WIDTH)
        step_u4(query, &code, 1, bytes, at, bytes - at, &sum);
    return _mm512_reduce_add_epi32(sum);
}

static void dot_u4_many(const int8_t *query, const void *const *codes, size_t count, size_t bytes,
                        int32_t *out)
{
    size_t i = 0;
    for (; i + SIDE <= count; i += SIDE) {
        const uint8_t *four[SIDE] = {codes[i], codes[i + 1], codes[i + 2], codes[i + 3]};
        __m512i s[SIDE] = {_mm512_setzero_si512(), _mm512_setzero_si512(), _mm512_setzero_si512(),
                           _mm512_setzero_si512()};
        size_t at = 0;
        for (; at + WIDTH <= bytes; at += WIDTH)
            step_u4(query, four, SIDE, bytes, at, WIDTH, s);
        if (at < bytes)
            step_u4(query, four, SIDE, bytes, at, bytes - at, s);
        _mm_storeu_si128((void *)(out + i), sums_of_four(s[0], s[1], s[2], s[3]));
    }
    for (; i < count; i++)
        out[i] = dot_u4(query, codes[i], bytes);
}

/* ---- bits ---- */

static int32_t dot_bits(const uint8_t *planes, const uint8_t *code, size_t bytes)
{
    __m512i s[VT_CODES_PLANES];
    for (int p = 0; p < VT_CODES_PLANES; p++)
        s[p] = _mm512_setzero_si512();
    for (size_t at = 0; at < bytes; at += WIDTH) {
        __m512i bits = load_part(code + at, bytes - at);
        for (int p = 0; p < VT_CODES_PLANES; p++) {
            __m512i plane = load_part(planes + (size_t)p * bytes + at, bytes - at);
            s[p] = _mm512_add_epi64(s[p], _mm512_popcnt_epi64(_mm512_and_si512(plane, bits)));
        }
    }
    __m512i low = _mm512_add_epi64(s[0], _mm512_slli_epi64(s[1], 1));
    __m512i high = _mm512_add_epi64(s[2], _mm512_slli_epi64(s[3], 1));
    return (int32_t)_mm512_reduce_add_epi64(_mm512_add_epi64(low, _mm512_slli_epi64(high, 2)));
}

/* Codes of 256 bits and less: two planes side by side in a register, four codes summed together. */
static void dot_short_bits_many(const uint8_t *planes, const void *const *codes, size_t count,
                                size_t bytes, int32_t *out)
{
    const __mmask32 part = bytes < HALF ? (1u << bytes) - 1u : ~0u;
    const __m512i twice = _mm512_set_epi64(1, 1, 1, 1, 0, 0, 0, 0);
    const size_t last = count - 1;
    __m256i p[VT_CODES_PLANES];
    for (size_t i = 0; i < VT_CODES_PLANES; i++)
        p[i] = _mm256_maskz_loadu_epi8(part, planes + i * bytes);
    const __m512i low = _mm512_inserti64x4(_mm512_castsi256_si512(p[0]), p[1], 1);
    const __m512i high = _mm512_inserti64x4(_mm512_castsi256_si512(p[2]), p[3], 1);
    for (size_t i = 0; i < count; i += SIDE) {
        __m512i s[SIDE];
        for (size_t c = 0; c < SIDE; c++) { /* the last again for those behind it */
            const void *code = codes[i + c < last ? i + c : last];
            __m512i bits = _mm512_broadcast_i64x4(_mm256_maskz_loadu_epi8(part, code));
            __m512i ones = _mm512_popcnt_epi64(_mm512_and_si512(low, bits));
            __m512i fours = _mm512_popcnt_epi64(_mm512_and_si512(high, bits));
            s[c] = _mm512_sllv_epi64(_mm512_add_epi64(ones, _mm512_slli_epi64(fours, 2)), twice);
        }
        const size_t some = count - i < SIDE ? count - i : SIDE;
        _mm_mask_storeu_epi32(out + i, (__mmask8)((1u << some) - 1u),
                              sums_of_four(s[0], s[1], s[2], s[3]));
    }
}

static void dot_bits_many(const uint8_t *planes, const void *const *codes, size_t count,
                          size_t bytes, int32_t *out)
{
    if (bytes <= HALF && count > 0) {
        dot_short_bits_many(planes, codes, count, bytes, out);
        return;
    }
    for (size_t i = 0; i < count; i++)
        out[i] = dot_bits(planes, codes[i], bytes);
}

/* ---- bf16 ---- */

VT_INLINE __m512 load_bf16(const uint16_t *from, size_t n)
{
    __m256i half = n >= LANES ? _mm256_loadu_si256((const void *)from)
                              : _mm256_maskz_loadu_epi16((__mmask16)((1u << n) - 1u), from);
    return _mm512_castsi512_ps(_mm512_slli_epi32(_mm512_cvtepu16_epi32(half), 16));
}

VT_INLINE __m512 load_f32(const float *from, size_t n)
{
    return n >= LANES ? _mm512_loadu_ps(from)
                      : _mm512_maskz_loadu_ps((__mmask16)((1u << n) - 1u), from);
}

VT_INLINE float pair_bf16(const float *query, const uint16_t *b, size_t dim, bool l2)
{
    __m512 s[2] = {_mm512_setzero_ps(), _mm512_setzero_ps()};
    for (size_t i = 0; i < dim; i += LANES) {
        __m512 x = load_f32(query + i, dim - i), y = load_bf16(b + i, dim - i);
        if (l2)
            x = y = _mm512_sub_ps(x, y);
        s[i / LANES % 2] = _mm512_fmadd_ps(x, y, s[i / LANES % 2]);
    }
    return _mm512_reduce_add_ps(_mm512_add_ps(s[0], s[1]));
}

static float dot_bf16(const float *query, const uint16_t *b, size_t dim)
{
    return pair_bf16(query, b, dim, false);
}

static float l2_bf16(const float *query, const uint16_t *b, size_t dim)
{
    return pair_bf16(query, b, dim, true);
}

/* In integers: the conversion of AVX512_BF16 takes denormals for zero. */
static void f32_to_bf16(const float *in, uint16_t *out, size_t count)
{
    const __m512i one = _mm512_set1_epi32(1), bias = _mm512_set1_epi32(0x7fff);
    size_t i = 0;
    for (; i + LANES <= count; i += LANES) {
        __m512 value = _mm512_loadu_ps(in + i);
        __m512i bits = _mm512_castps_si512(value);
        __m512i even = _mm512_and_si512(_mm512_srli_epi32(bits, 16), one);
        __m512i rounded = _mm512_add_epi32(_mm512_add_epi32(bits, bias), even);
        __mmask16 nan = _mm512_cmp_ps_mask(value, value, _CMP_UNORD_Q);
        rounded = _mm512_mask_or_epi32(rounded, nan, bits, _mm512_set1_epi32(0x400000));
        _mm256_storeu_si256((void *)(out + i),
                            _mm512_cvtepi32_epi16(_mm512_srli_epi32(rounded, 16)));
    }
    for (; i < count; i++)
        out[i] = vt_bfloat_from_float(in[i]);
}

static void bf16_to_f32(const uint16_t *in, float *out, size_t count)
{
    size_t i = 0;
    for (; i + LANES <= count; i += LANES)
        _mm512_storeu_ps(out + i, load_bf16(in + i, LANES));
    for (; i < count; i++)
        out[i] = vt_bfloat_to_float(in[i]);
}

const vt_code_table vt_code_table_avx512 = {
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
