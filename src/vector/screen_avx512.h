/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the kernels that screen rows in AVX-512 and in AMX end with: sums of a group and a query
 * become a mask. Internal to this folder; for files that may use AVX-512.
 *
 * Threads: safe from any thread.
 */
#ifndef VT_VECTOR_SCREEN_AVX512_H
#define VT_VECTOR_SCREEN_AVX512_H

#include <immintrin.h>

#include "vector/screen_levels.h"

/* sums: products of the group's rows with the query, and its offset. */
static inline __attribute__((always_inline)) uint16_t
vt_screen_mask(const vt_screen_rows *rows, size_t group, const vt_screen_query *query, __m512i sums)
{
    const size_t first = group * VT_SCREEN_GROUP;
    __m512 tail = _mm512_mul_ps(_mm512_load_ps(rows->tails + first), _mm512_set1_ps(query->tail));
    __m512 most =
        _mm512_fmadd_ps(_mm512_cvtepi32_ps(sums), _mm512_load_ps(rows->scales + first), tail);
    return _mm512_cmp_ps_mask(most, _mm512_set1_ps(query->least), _CMP_GE_OQ);
}

#endif
