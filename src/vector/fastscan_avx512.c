/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The kernels for blocks of 4-bit codes in AVX-512 (F and BW): four groups a register, otherwise as
 * fastscan_avx2.c, which says how bytes are summed.
 */
#include <immintrin.h>

#include "vector/fastscan_levels.h"

/* The four groups put together. */
static inline __m128i lanes_add(__m512i v)
{
    __m256i two = _mm256_add_epi16(_mm512_castsi512_si256(v), _mm512_extracti64x4_epi64(v, 1));
    return _mm_add_epi16(_mm256_castsi256_si128(two), _mm256_extracti128_si256(two, 1));
}

static inline void sums_store(__m512i all, __m512i odd, uint16_t *out)
{
    __m128i e = lanes_add(_mm512_sub_epi16(all, _mm512_slli_epi16(odd, 8)));
    __m128i o = lanes_add(odd);
    _mm_storeu_si128((void *)out, _mm_unpacklo_epi16(e, o));
    _mm_storeu_si128((void *)(out + 8), _mm_unpackhi_epi16(e, o));
}

static void sums(const uint8_t *tables, const uint8_t *codes, size_t groups, uint16_t *out)
{
    const __m512i low = _mm512_set1_epi8(15);
    __m512i all[2] = {_mm512_setzero_si512(), _mm512_setzero_si512()};
    __m512i odd[2] = {_mm512_setzero_si512(), _mm512_setzero_si512()};
    for (size_t at = 0; at < groups * VT_FASTSCAN_GROUP_BYTES; at += 64) {
        __m512i both = _mm512_loadu_si512(codes + at);
        __m512i table = _mm512_loadu_si512(tables + at);
        __m512i first = _mm512_shuffle_epi8(table, _mm512_and_si512(both, low));
        __m512i second =
            _mm512_shuffle_epi8(table, _mm512_and_si512(_mm512_srli_epi16(both, 4), low));
        all[0] = _mm512_add_epi16(all[0], first);
        odd[0] = _mm512_add_epi16(odd[0], _mm512_srli_epi16(first, 8));
        all[1] = _mm512_add_epi16(all[1], second);
        odd[1] = _mm512_add_epi16(odd[1], _mm512_srli_epi16(second, 8));
    }
    sums_store(all[0], odd[0], out);
    sums_store(all[1], odd[1], out + 16);
}

static uint32_t estimate(const uint16_t *sums, const float *factors, const vt_fastscan_line *line,
                         float *out)
{
    const float *scales = factors, *adds = scales + VT_FASTSCAN_BLOCK;
    const float *errors = adds + VT_FASTSCAN_BLOCK;
    const __m512 step = _mm512_set1_ps(line->step), base = _mm512_set1_ps(line->base);
    const __m512 origin = _mm512_set1_ps(line->origin), slack = _mm512_set1_ps(line->slack);
    const __m512 spread = _mm512_set1_ps(line->spread);
    const __m512 threshold = _mm512_set1_ps(line->threshold);
    uint32_t passing = 0;
    for (size_t i = 0; i < VT_FASTSCAN_BLOCK; i += 16) {
        __m512i wide = _mm512_cvtepu16_epi32(_mm256_loadu_si256((const void *)(sums + i)));
        __m512 scale = _mm512_loadu_ps(scales + i);
        __m512 product = _mm512_fmadd_ps(_mm512_cvtepi32_ps(wide), step, base);
        __m512 fixed = _mm512_add_ps(origin, _mm512_loadu_ps(adds + i));
        __m512 score = _mm512_fmadd_ps(scale, product, fixed);
        __m512 more =
            _mm512_fmadd_ps(_mm512_loadu_ps(errors + i), spread, _mm512_mul_ps(scale, slack));
        __mmask16 reach = _mm512_cmp_ps_mask(_mm512_add_ps(score, more), threshold, _CMP_GE_OQ);
        _mm512_storeu_ps(out + i, score);
        passing |= (uint32_t)reach << i;
    }
    return passing;
}

const vt_fastscan_table vt_fastscan_table_avx512 = {.sums = sums, .estimate = estimate};
