/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The kernels for AVX2 with FMA and F16C, 8 floats a register. There is no masked load of 16-bit
 * elements: an incomplete register is put together from loads of 8, 4 and 2 bytes. The loops are in
 * distance_template.h.
 */
#include <immintrin.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

typedef __m256 vec;

/* 12 of 16 registers hold sums, 3 the rows, the queries come from memory. */
enum { LANES = 8, TILE_QUERIES = 4, TILE_ROWS = 3, SIDE = 2, AHEAD_BYTES = 4096 };

static inline vec vec_zero(void)
{
    return _mm256_setzero_ps();
}

static inline vec vec_add(vec a, vec b)
{
    return _mm256_add_ps(a, b);
}

static inline vec vec_sub(vec a, vec b)
{
    return _mm256_sub_ps(a, b);
}

static inline vec vec_fma(vec a, vec b, vec c)
{
    return _mm256_fmadd_ps(a, b, c);
}

static inline vec vec_load_f32(const float *from)
{
    return _mm256_loadu_ps(from);
}

static inline vec vec_load_f16(const uint16_t *from)
{
    return _mm256_cvtph_ps(_mm_loadu_si128((const void *)from));
}

static inline vec vec_part_f32(const float *from, size_t n)
{
    __m256i lane = _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7);
    return _mm256_maskload_ps(from, _mm256_cmpgt_epi32(_mm256_set1_epi32((int)n), lane));
}

static inline vec vec_part_f16(const uint16_t *from, size_t n)
{
    uint64_t low = 0, rest = 0;
    unsigned shift = 0;
    if (n & 4) {
        memcpy(&low, from, sizeof low);
        from += 4;
    }
    if (n & 2) {
        uint32_t two;
        memcpy(&two, from, sizeof two);
        rest = two;
        shift = 32;
        from += 2;
    }
    if (n & 1)
        rest |= (uint64_t)*from << shift;
    __m128i halves =
        (n & 4) ? _mm_set_epi64x((int64_t)rest, (int64_t)low) : _mm_set_epi64x(0, (int64_t)rest);
    return _mm256_cvtph_ps(halves);
}

static inline void vec_store_f32(float *to, vec v)
{
    _mm256_storeu_ps(to, v);
}

static inline void vec_store_f16(uint16_t *to, vec v)
{
    _mm_storeu_si128((void *)to, _mm256_cvtps_ph(v, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC));
}

static inline __m128 vec_four(vec v)
{
    return _mm_add_ps(_mm256_castps256_ps128(v), _mm256_extractf128_ps(v, 1));
}

static inline float vec_sum(vec v)
{
    __m128 four = vec_four(v);
    __m128 two = _mm_add_ps(four, _mm_movehl_ps(four, four));
    return _mm_cvtss_f32(_mm_add_ss(two, _mm_movehdup_ps(two)));
}

/* The steps of vec_sum, the last two with the vectors' lanes interleaved. */
static inline void vec_sum4(vec a, vec b, vec c, vec d, float out[4])
{
    __m128 fa = vec_four(a), fb = vec_four(b), fc = vec_four(c), fd = vec_four(d);
    __m128 ab = _mm_add_ps(_mm_unpacklo_ps(fa, fb), _mm_unpackhi_ps(fa, fb));
    __m128 cd = _mm_add_ps(_mm_unpacklo_ps(fc, fd), _mm_unpackhi_ps(fc, fd));
    _mm_storeu_ps(out, _mm_add_ps(_mm_movelh_ps(ab, cd), _mm_movehl_ps(cd, ab)));
}

#include "vector/distance_template.h"

VT_DISTANCE_TABLE(vt_distance_table_avx2);
