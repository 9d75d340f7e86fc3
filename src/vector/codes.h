/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Inner products with compressed vectors, behind one table, filled once for the processor at hand.
 *
 *     const vt_code_table *c = vt_codes();
 *     int32_t dot = c->dot_u8(query, code, dim);
 *
 * Integer products are exact, so every level gives the same number; those with f32 keep the order
 * of summation of their level. The scalar functions (vt_codes_at(VT_CPU_SCALAR)) are the
 * specification; tests/vector/test_codes.c holds the others to them. Nothing need be aligned, any
 * length is fine, and nothing behind the last element is read.
 *
 * The `_many` forms take codes scattered in memory, one pointer each: what a walk of a graph asks
 * for. They give what the plain form gives for each.
 *
 * Codes of 4 bits lie two in a byte: byte j of `bytes` holds element j in its lower half and
 * element bytes + j in its upper half, so that unpacking is a mask and a shift at any width.
 *
 * Threads: safe from any thread.
 */
#ifndef VT_VECTOR_CODES_H
#define VT_VECTOR_CODES_H

#include "base/cpu.h"

#include <stddef.h>
#include <stdint.h>

enum {
    /* So many elements keep every integer product within 32 bits. */
    VT_CODES_MAX_DIM = 65536,
    VT_CODES_PLANES = 4 /* bits of a query that meets 1-bit codes */
};

typedef struct vt_code_table {
    /* Query of signed bytes, codes of unsigned bytes: 8-bit codes. */
    int32_t (*dot_u8)(const int8_t *query, const uint8_t *code, size_t dim);
    void (*dot_u8_many)(const int8_t *query, const void *const *codes, size_t count, size_t dim,
                        int32_t *out);
    /* Both of signed bytes: two codes of one kind with one another. */
    int32_t (*dot_i8)(const int8_t *a, const int8_t *b, size_t dim);
    /* Query in f32, code of unsigned bytes: no error from rounding the query. */
    float (*dot_f32_u8)(const float *query, const uint8_t *code, size_t dim);
    /* 4-bit codes, see above; query: (2 * bytes). */
    int32_t (*dot_u4)(const int8_t *query, const uint8_t *code, size_t bytes);
    void (*dot_u4_many)(const int8_t *query, const void *const *codes, size_t count, size_t bytes,
                        int32_t *out);
    /* 1-bit codes with a query of 4 bits, given as planes: plane b, (bytes), holds bit b of every
     * element. The sum over set bits of the code of the query's elements, RaBitQ's inner loop. */
    int32_t (*dot_bits)(const uint8_t *planes, const uint8_t *code, size_t bytes);
    void (*dot_bits_many)(const uint8_t *planes, const void *const *codes, size_t count,
                          size_t bytes, int32_t *out);
    /* Query in f32, vector in bf16 (the upper half of an f32). */
    float (*dot_bf16)(const float *query, const uint16_t *b, size_t dim);
    float (*l2_bf16)(const float *query, const uint16_t *b, size_t dim);
    /* Round to nearest even; NaN stays NaN. */
    void (*f32_to_bf16)(const float *in, uint16_t *out, size_t count);
    void (*bf16_to_f32)(const uint16_t *in, float *out, size_t count);
} vt_code_table;

const vt_code_table *vt_codes(void);
/* The table of one level; NULL when this build or processor lacks it. Level AVX-512 wants VNNI and
 * VPOPCNTDQ here besides (Ice Lake, Zen 4); processors without them use AVX2. */
const vt_code_table *vt_codes_at(vt_cpu_level level);

#endif
