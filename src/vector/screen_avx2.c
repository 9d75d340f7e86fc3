/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The kernels that screen rows in AVX2. There is no product of bytes that sums into 32 bits:
 * VPMADDUBSW adds two into 16, which saturates unless the query's elements stay within 64, so here
 * they have one bit less (2 * 255 * 64 < 2^15). A lane of 32 bits is a row; a group is two
 * registers. Two queries and one group share their loads.
 */
#include <immintrin.h>
#include <string.h>

#include "vector/screen_levels.h"

#define VT_INLINE static inline __attribute__((always_inline))

enum { LANES = 8, HALVES = 2, QUERIES = 2, STEP_BYTES = 64 };

VT_INLINE unsigned sums_pass(const vt_screen_rows *rows, size_t first, const vt_screen_query *query,
                             __m256i sums)
{
    __m256 tail = _mm256_mul_ps(_mm256_load_ps(rows->tails + first), _mm256_set1_ps(query->tail));
    __m256 most =
        _mm256_fmadd_ps(_mm256_cvtepi32_ps(sums), _mm256_load_ps(rows->scales + first), tail);
    __m256 reached = _mm256_cmp_ps(most, _mm256_set1_ps(query->least), _CMP_GE_OQ);
    return (unsigned)_mm256_movemask_ps(reached);
}

VT_INLINE void tile(const vt_screen_rows *rows, size_t group, const vt_screen_query *queries,
                    size_t across, uint16_t *masks)
{
    const __m256i ones = _mm256_set1_epi16(1);
    const uint8_t *codes = rows->codes + group * rows->width * VT_SCREEN_GROUP;
    __m256i sums[QUERIES][HALVES];
    for (size_t q = 0; q < across; q++)
        for (size_t half = 0; half < HALVES; half++)
            sums[q][half] = _mm256_set1_epi32(queries[q].offset);
    for (size_t at = 0; at < rows->width; at += VT_SCREEN_STEP, codes += STEP_BYTES)
        for (size_t q = 0; q < across; q++) {
            int32_t four;
            memcpy(&four, queries[q].code + at, sizeof four);
            for (size_t half = 0; half < HALVES; half++) {
                __m256i stored =
                    _mm256_load_si256((const void *)(codes + half * STEP_BYTES / HALVES));
                __m256i pairs = _mm256_maddubs_epi16(stored, _mm256_set1_epi32(four));
                sums[q][half] = _mm256_add_epi32(sums[q][half], _mm256_madd_epi16(pairs, ones));
            }
        }
    const size_t first = group * VT_SCREEN_GROUP;
    for (size_t q = 0; q < across; q++)
        masks[q * rows->groups] =
            (uint16_t)(sums_pass(rows, first, &queries[q], sums[q][0]) |
                       sums_pass(rows, first + LANES, &queries[q], sums[q][1]) << LANES);
}

static void pass(const vt_screen_rows *rows, const vt_screen_query *queries, size_t count,
                 uint16_t *masks)
{
    const size_t groups = rows->groups;
    for (size_t group = 0; group < groups; group++) {
        size_t q = 0;
        for (; q + QUERIES <= count; q += QUERIES)
            tile(rows, group, queries + q, QUERIES, masks + q * groups + group);
        for (; q < count; q++)
            tile(rows, group, queries + q, 1, masks + q * groups + group);
    }
}

const vt_screen_table vt_screen_table_avx2 = {.pass = pass, .query_most = 64};
