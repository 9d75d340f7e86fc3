/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The kernels that screen rows in AVX-512 with VNNI: VPDPBUSD multiplies four unsigned by four
 * signed bytes in each lane and adds them to its sum, without saturation, so that a lane is a row.
 * Four queries and four groups share their loads, and their 16 sums hide the latency; a query alone
 * takes eight groups at once.
 */
#include <immintrin.h>
#include <string.h>

#include "vector/screen_avx512.h"

#define VT_INLINE static inline __attribute__((always_inline))

enum { LINE = 64, QUERIES = 4, GROUPS = 4, GROUPS_ALONE = 8 };

VT_INLINE __m512i four_everywhere(const int8_t *from)
{
    int32_t four;
    memcpy(&four, from, sizeof four);
    return _mm512_set1_epi32(four);
}

/* `across` queries and `down` groups, both constants at every call. */
VT_INLINE void tile(const vt_screen_rows *rows, size_t group, size_t down,
                    const vt_screen_query *queries, size_t across, uint16_t *masks)
{
    __m512i sums[QUERIES][GROUPS_ALONE];
    const size_t bytes = rows->width * VT_SCREEN_GROUP;
    const uint8_t *codes = rows->codes + group * bytes;
#pragma GCC unroll 8
    for (size_t q = 0; q < across; q++)
#pragma GCC unroll 8
        for (size_t g = 0; g < down; g++)
            sums[q][g] = _mm512_set1_epi32(queries[q].offset);
    for (size_t at = 0; at < rows->width; at += VT_SCREEN_STEP) {
        __m512i stored[GROUPS_ALONE];
#pragma GCC unroll 8
        for (size_t g = 0; g < down; g++)
            stored[g] = _mm512_load_si512(codes + g * bytes + at / VT_SCREEN_STEP * LINE);
#pragma GCC unroll 8
        for (size_t q = 0; q < across; q++) {
            __m512i four = four_everywhere(queries[q].code + at);
#pragma GCC unroll 8
            for (size_t g = 0; g < down; g++)
                sums[q][g] = _mm512_dpbusd_epi32(sums[q][g], stored[g], four);
        }
    }
#pragma GCC unroll 8
    for (size_t q = 0; q < across; q++)
#pragma GCC unroll 8
        for (size_t g = 0; g < down; g++)
            masks[q * rows->groups + g] = vt_screen_mask(rows, group + g, &queries[q], sums[q][g]);
}

static void pass(const vt_screen_rows *rows, const vt_screen_query *queries, size_t count,
                 uint16_t *masks)
{
    const size_t groups = rows->groups, fours = count / QUERIES * QUERIES;
    size_t group = 0;
    for (; fours > 0 && group + GROUPS <= groups; group += GROUPS)
        for (size_t q = 0; q < fours; q += QUERIES)
            tile(rows, group, GROUPS, queries + q, QUERIES, masks + q * groups + group);
    for (; fours > 0 && group < groups; group++)
        for (size_t q = 0; q < fours; q += QUERIES)
            tile(rows, group, 1, queries + q, QUERIES, masks + q * groups + group);
    for (size_t q = fours; q < count; q++) {
        for (group = 0; group + GROUPS_ALONE <= groups; group += GROUPS_ALONE)
            tile(rows, group, GROUPS_ALONE, queries + q, 1, masks + q * groups + group);
        for (; group < groups; group++)
            tile(rows, group, 1, queries + q, 1, masks + q * groups + group);
    }
}

const vt_screen_table vt_screen_table_avx512 = {.pass = pass, .query_most = 127};
