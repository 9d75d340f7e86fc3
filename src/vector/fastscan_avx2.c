/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The kernels for blocks of 4-bit codes in AVX2: a register holds the tables of two groups, one in
 * each half, since VPSHUFB stays within halves.
 *
 * Bytes are summed without being widened: taken as 16-bit numbers, a register of looked up bytes
 * adds even ones plus 256 times odd ones, and shifted down adds odd ones alone. The even sums are
 * the difference at the end. All of it is modulo 2^16, in which the result is exact.
 */
#include <immintrin.h>

#include "vector/fastscan_levels.h"

/* Even and odd sums of 16 vectors, those of the two groups put together, in order. */
static inline void sums_store(__m256i all, __m256i odd, uint16_t *out)
{
    __m256i even = _mm256_sub_epi16(all, _mm256_slli_epi16(odd, 8));
    __m128i e = _mm_add_epi16(_mm256_castsi256_si128(even), _mm256_extracti128_si256(even, 1));
    __m128i o = _mm_add_epi16(_mm256_castsi256_si128(odd), _mm256_extracti128_si256(odd, 1));
    _mm_storeu_si128((void *)out, _mm_unpacklo_epi16(e, o));
    _mm_storeu_si128((void *)(out + 8), _mm_unpackhi_epi16(e, o));
}

static void sums(const uint8_t *tables, const uint8_t *codes, size_t groups, uint16_t *out)
{
    const __m256i low = _mm256_set1_epi8(15);
    __m256i all[2] = {_mm256_setzero_si256(), _mm256_setzero_si256()};
    __m256i odd[2] = {_mm256_setzero_si256(), _mm256_setzero_si256()};
    for (size_t at = 0; at < groups * VT_FASTSCAN_GROUP_BYTES; at += 32) {
        __m256i both = _mm256_loadu_si256((const void *)(codes + at));
        __m256i table = _mm256_loadu_si256((const void *)(tables + at));
        __m256i first = _mm256_shuffle_epi8(table, _mm256_and_si256(both, low));
        __m256i second =
            _mm256_shuffle_epi8(table, _mm256_and_si256(_mm256_srli_epi16(both, 4), low));
        all[0] = _mm256_add_epi16(all[0], first);
        odd[0] = _mm256_add_epi16(odd[0], _mm256_srli_epi16(first, 8));
        all[1] = _mm256_add_epi16(all[1], second);
        odd[1] = _mm256_add_epi16(odd[1], _mm256_srli_epi16(second, 8));
    }
    sums_store(all[0], odd[0], out);
    sums_store(all[1], odd[1], out + 16);
}

static uint32_t estimate(const uint16_t *sums, const float *factors, const vt_fastscan_line *line,
                         float *out)
{
    const float *scales = factors, *adds = scales + VT_FASTSCAN_BLOCK;
    const float *errors = adds + VT_FASTSCAN_BLOCK;
    const __m256 step = _mm256_set1_ps(line->step), base = _mm256_set1_ps(line->base);
    const __m256 origin = _mm256_set1_ps(line->origin), slack = _mm256_set1_ps(line->slack);
    const __m256 spread = _mm256_set1_ps(line->spread);
    const __m256 threshold = _mm256_set1_ps(line->threshold);
    uint32_t passing = 0;
    for (size_t i = 0; i < VT_FASTSCAN_BLOCK; i += 8) {
        __m256i wide = _mm256_cvtepu16_epi32(_mm_loadu_si128((const void *)(sums + i)));
        __m256 scale = _mm256_loadu_ps(scales + i);
        __m256 product = _mm256_fmadd_ps(_mm256_cvtepi32_ps(wide), step, base);
        __m256 fixed = _mm256_add_ps(origin, _mm256_loadu_ps(adds + i));
        __m256 score = _mm256_fmadd_ps(scale, product, fixed);
        __m256 more =
            _mm256_fmadd_ps(_mm256_loadu_ps(errors + i), spread, _mm256_mul_ps(scale, slack));
        __m256 reach = _mm256_cmp_ps(_mm256_add_ps(score, more), threshold, _CMP_GE_OQ);
        _mm256_storeu_ps(out + i, score);
        passing |= (uint32_t)_mm256_movemask_ps(reach) << i;
    }
    return passing;
}

const vt_fastscan_table vt_fastscan_table_avx2 = {.sums = sums, .estimate = estimate};
