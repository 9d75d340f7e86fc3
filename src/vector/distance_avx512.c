/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The kernels for AVX-512 (F, BW, DQ, VL), 16 floats a register. Incomplete registers are loaded
 * under a mask, which does not touch the memory behind it. The loops are in distance_template.h.
 */
#include <immintrin.h>
#include <stddef.h>
#include <stdint.h>

typedef __m512 vec;

/* 16 of 32 registers hold sums: enough for two multiply-adds a cycle of four cycles each. Tiles of
 * 4 x 6 and 8 x 3, which load less for each, measured 10 to 40 % slower on Zen 5 (bench/scan, 64
 * queries). Asking memory 4 KiB ahead gave a scan on one thread 10 % over not asking; 1 KiB was
 * worse, 16 KiB no better. */
enum { LANES = 16, TILE_QUERIES = 4, TILE_ROWS = 4, SIDE = 4, AHEAD_BYTES = 4096 };

static inline vec vec_zero(void)
{
    return _mm512_setzero_ps();
}

static inline vec vec_add(vec a, vec b)
{
    return _mm512_add_ps(a, b);
}

static inline vec vec_sub(vec a, vec b)
{
    return _mm512_sub_ps(a, b);
}

static inline vec vec_fma(vec a, vec b, vec c)
{
    return _mm512_fmadd_ps(a, b, c);
}

static inline vec vec_load_f32(const float *from)
{
    return _mm512_loadu_ps(from);
}

static inline vec vec_load_f16(const uint16_t *from)
{
    return _mm512_cvtph_ps(_mm256_loadu_si256((const void *)from));
}

static inline vec vec_part_f32(const float *from, size_t n)
{
    return _mm512_maskz_loadu_ps((__mmask16)((1u << n) - 1u), from);
}

static inline vec vec_part_f16(const uint16_t *from, size_t n)
{
    return _mm512_cvtph_ps(_mm256_maskz_loadu_epi16((__mmask16)((1u << n) - 1u), from));
}

static inline void vec_store_f32(float *to, vec v)
{
    _mm512_storeu_ps(to, v);
}

static inline void vec_store_f16(uint16_t *to, vec v)
{
    _mm256_storeu_si256((void *)to,
                        _mm512_cvtps_ph(v, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC));
}

/* Halves onto each other; not _mm512_reduce_add_ps, whose order is the compiler's. */
static inline __m128 vec_four(vec v)
{
    __m256 eight = _mm256_add_ps(_mm512_castps512_ps256(v), _mm512_extractf32x8_ps(v, 1));
    return _mm_add_ps(_mm256_castps256_ps128(eight), _mm256_extractf128_ps(eight, 1));
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

VT_DISTANCE_TABLE(vt_distance_table_avx512);
