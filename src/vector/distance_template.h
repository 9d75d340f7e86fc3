/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The kernels of every SIMD level, written once over a vector type that the including file defines
 * first: distance_avx2.c, distance_avx512.c and distance_neon.c include this once each. Internal.
 *
 * The including file gives
 *     vec                          a register of LANES floats
 *     LANES, TILE_QUERIES, TILE_ROWS   the tile's sums must fit the register file; queries by fours
 *     SIDE                         rows from anywhere at once, at most 4; each has four sums
 *     AHEAD_BYTES                  how far the row scan asks memory in advance
 *     vec_zero, vec_add, vec_sub, vec_fma(a, b, c) = a * b + c rounded once
 *     vec_load_f32, vec_load_f16   LANES elements from any address
 *     vec_part_f32, vec_part_f16   the first n < LANES elements, zero for the rest; reads no more
 *     vec_store_f32, vec_store_f16 LANES elements; f16 rounded to nearest even
 *     vec_sum                      all lanes, in one fixed order
 *     vec_sum4                     the same of four vectors, to the bit, into out[0..3]
 * and afterwards names the table with VT_DISTANCE_TABLE.
 *
 * One order of summation. The elements of a vector are dealt out in registers of LANES; register j
 * goes to partial sum j mod 4 (four, to hide the latency of the multiply-add), a last incomplete
 * one is filled with zeros; at the end ((s0 + s1) + s2) + s3, then vec_sum. The pair, rows and
 * block kernels of a level all follow it, so the same two vectors give the same bits through any of
 * them. An index may thus score in whatever shape is fast and still give the same answer, ties
 * included. The tile needs its registers for queries x rows and cannot hold four sums for each: it
 * makes four passes over its few kilobytes in the first cache instead, one per partial sum.
 *
 * Why rows are scanned one after another: two rows side by side measured 2 % slower and four 9 %
 * (AVX-512, Zen 5, one thread, bench/scan), since out-of-order execution overlaps neighbouring rows
 * anyway, and one ascending stream is what the prefetcher of the hardware follows best.
 *
 * Threads: no shared state.
 */
#include "vector/distance_levels.h"
#include "vector/half.h"

#define VT_INLINE static inline __attribute__((always_inline))

typedef enum kernel_op { OP_DOT, OP_L2 } kernel_op;

enum { PHASES = 4 };

/* `half` and `op` are constants at every call, so that each kernel is compiled without a test. */
VT_INLINE vec stored_load(const void *row, size_t at, bool half)
{
    return half ? vec_load_f16((const uint16_t *)row + at) : vec_load_f32((const float *)row + at);
}

VT_INLINE vec stored_part(const void *row, size_t at, size_t n, bool half)
{
    return half ? vec_part_f16((const uint16_t *)row + at, n)
                : vec_part_f32((const float *)row + at, n);
}

/* Consecutive rows of one type; (count, dim). */
typedef struct stored_rows {
    const void *first;
    size_t count, dim;
    bool half;
} stored_rows;

VT_INLINE const void *row_at(const stored_rows *rows, size_t row)
{
    size_t element = rows->half ? sizeof(uint16_t) : sizeof(float);
    return (const char *)rows->first + row * rows->dim * element;
}

VT_INLINE vec op_step(vec query, vec stored, vec sum, kernel_op op)
{
    if (op == OP_DOT)
        return vec_fma(query, stored, sum);
    vec difference = vec_sub(query, stored);
    return vec_fma(difference, difference, sum);
}

VT_INLINE float phases_sum(vec s0, vec s1, vec s2, vec s3)
{
    return vec_sum(vec_add(vec_add(vec_add(s0, s1), s2), s3));
}

/* ---- one pair ---- */

VT_INLINE float pair(const float *query, const void *row, size_t dim, kernel_op op, bool half)
{
    vec s[PHASES] = {vec_zero(), vec_zero(), vec_zero(), vec_zero()};
    size_t i = 0;
    for (; i + PHASES * LANES <= dim; i += PHASES * LANES) {
        s[0] = op_step(vec_load_f32(query + i), stored_load(row, i, half), s[0], op);
        s[1] =
            op_step(vec_load_f32(query + i + LANES), stored_load(row, i + LANES, half), s[1], op);
        s[2] = op_step(vec_load_f32(query + i + 2 * LANES), stored_load(row, i + 2 * LANES, half),
                       s[2], op);
        s[3] = op_step(vec_load_f32(query + i + 3 * LANES), stored_load(row, i + 3 * LANES, half),
                       s[3], op);
    }
    for (size_t phase = 0; i < dim; phase++, i += LANES) {
        size_t n = dim - i;
        vec q = n < LANES ? vec_part_f32(query + i, n) : vec_load_f32(query + i);
        vec b = n < LANES ? stored_part(row, i, n, half) : stored_load(row, i, half);
        /* By name, not s[phase]: an index unknown to the compiler would put the sums in memory. */
        if (phase == 0)
            s[0] = op_step(q, b, s[0], op);
        else if (phase == 1)
            s[1] = op_step(q, b, s[1], op);
        else if (phase == 2)
            s[2] = op_step(q, b, s[2], op);
        else
            s[3] = op_step(q, b, s[3], op);
    }
    return phases_sum(s[0], s[1], s[2], s[3]);
}

/* ---- one query, rows from anywhere ---- */

/* `side` rows share the loads of the query; the steps of pair for each. */
VT_INLINE void side_by_side(const float *query, const void *const *rows, size_t side, size_t dim,
                            bool half, float *out)
{
    vec s[SIDE][PHASES];
#pragma GCC unroll 4
    for (size_t r = 0; r < side; r++)
#pragma GCC unroll 4
        for (size_t phase = 0; phase < PHASES; phase++)
            s[r][phase] = vec_zero();
    size_t i = 0;
    for (; i + PHASES * LANES <= dim; i += PHASES * LANES)
#pragma GCC unroll 4
        for (size_t phase = 0; phase < PHASES; phase++) {
            vec q = vec_load_f32(query + i + phase * LANES);
#pragma GCC unroll 4
            for (size_t r = 0; r < side; r++)
                s[r][phase] =
                    vec_fma(q, stored_load(rows[r], i + phase * LANES, half), s[r][phase]);
        }
#pragma GCC unroll 4
    for (size_t phase = 0; phase < PHASES; phase++) {
        if (i >= dim)
            break;
        size_t n = dim - i < LANES ? dim - i : LANES;
        vec q = n < LANES ? vec_part_f32(query + i, n) : vec_load_f32(query + i);
#pragma GCC unroll 4
        for (size_t r = 0; r < side; r++) {
            vec b = n < LANES ? stored_part(rows[r], i, n, half) : stored_load(rows[r], i, half);
            s[r][phase] = vec_fma(q, b, s[r][phase]);
        }
        i += n;
    }
#pragma GCC unroll 4
    for (size_t r = 0; r < side; r++)
        out[r] = phases_sum(s[r][0], s[r][1], s[r][2], s[r][3]);
}

VT_INLINE void many(const float *query, const void *const *rows, size_t count, size_t dim,
                    bool half, float *out)
{
    size_t i = 0;
    for (; i + SIDE <= count; i += SIDE)
        side_by_side(query, rows + i, SIDE, dim, half, out + i);
    for (; i < count; i++)
        out[i] = pair(query, rows[i], dim, OP_DOT, half);
}

/* Three sums at once keep the multiply-adds busy enough with two partial sums each. */
VT_INLINE float cosine(const float *query, const void *row, size_t dim, bool half)
{
    vec ab[2] = {vec_zero(), vec_zero()}, aa[2] = {vec_zero(), vec_zero()};
    vec bb[2] = {vec_zero(), vec_zero()};
    size_t i = 0;
    for (; i + 2 * LANES <= dim; i += 2 * LANES) {
        vec q0 = vec_load_f32(query + i), q1 = vec_load_f32(query + i + LANES);
        vec b0 = stored_load(row, i, half), b1 = stored_load(row, i + LANES, half);
        ab[0] = vec_fma(q0, b0, ab[0]);
        ab[1] = vec_fma(q1, b1, ab[1]);
        aa[0] = vec_fma(q0, q0, aa[0]);
        aa[1] = vec_fma(q1, q1, aa[1]);
        bb[0] = vec_fma(b0, b0, bb[0]);
        bb[1] = vec_fma(b1, b1, bb[1]);
    }
    for (; i < dim; i += LANES) {
        size_t n = dim - i;
        vec q = n < LANES ? vec_part_f32(query + i, n) : vec_load_f32(query + i);
        vec b = n < LANES ? stored_part(row, i, n, half) : stored_load(row, i, half);
        ab[0] = vec_fma(q, b, ab[0]);
        aa[0] = vec_fma(q, q, aa[0]);
        bb[0] = vec_fma(b, b, bb[0]);
    }
    return vt_cosine_from_sums(vec_sum(vec_add(ab[0], ab[1])), vec_sum(vec_add(aa[0], aa[1])),
                               vec_sum(vec_add(bb[0], bb[1])));
}

/* ---- one query, many rows ---- */

VT_INLINE void rows_scan(const float *query, const stored_rows *rows, kernel_op op, float *out)
{
    const size_t row_bytes = rows->dim * (rows->half ? sizeof(uint16_t) : sizeof(float));
    for (size_t row = 0; row < rows->count; row++) {
        const char *at = row_at(rows, row);
        /* Past the end this asks for lines that are not there, which is harmless: a prefetch never
         * faults. */
        for (size_t byte = 0; byte < row_bytes; byte += 64)
            __builtin_prefetch(at + AHEAD_BYTES + byte, 0, 3);
        out[row] = pair(query, at, rows->dim, op, rows->half);
    }
}

/* ---- many queries, many rows ---- */

/* Adds elements [at, at + n), n <= LANES, of TILE_QUERIES x TILE_ROWS pairs to their sums. */
VT_INLINE void tile_step(const float *query, const stored_rows *rows, size_t at, size_t n,
                         vec sums[TILE_QUERIES][TILE_ROWS])
{
    vec stored[TILE_ROWS];
#pragma GCC unroll 8
    for (size_t r = 0; r < TILE_ROWS; r++)
        stored[r] = n < LANES ? stored_part(row_at(rows, r), at, n, rows->half)
                              : stored_load(row_at(rows, r), at, rows->half);
#pragma GCC unroll 8
    for (size_t q = 0; q < TILE_QUERIES; q++) {
        const float *one = query + q * rows->dim + at;
        vec loaded = n < LANES ? vec_part_f32(one, n) : vec_load_f32(one);
#pragma GCC unroll 8
        for (size_t r = 0; r < TILE_ROWS; r++)
            sums[q][r] = vec_fma(loaded, stored[r], sums[q][r]);
    }
}

/* rows: exactly TILE_ROWS; out: TILE_QUERIES lines, `stride` apart. */
VT_INLINE void tile(const float *query, const stored_rows *rows, float *out, size_t stride)
{
    const size_t dim = rows->dim;
    vec totals[TILE_QUERIES][TILE_ROWS];
    for (size_t phase = 0; phase < PHASES; phase++) {
        vec sums[TILE_QUERIES][TILE_ROWS];
#pragma GCC unroll 8
        for (size_t q = 0; q < TILE_QUERIES; q++)
#pragma GCC unroll 8
            for (size_t r = 0; r < TILE_ROWS; r++)
                sums[q][r] = vec_zero();
        size_t i = phase * LANES;
        for (; i + LANES <= dim; i += PHASES * LANES)
            tile_step(query, rows, i, LANES, sums);
        if (i < dim)
            tile_step(query, rows, i, dim - i, sums);
#pragma GCC unroll 8
        for (size_t q = 0; q < TILE_QUERIES; q++)
#pragma GCC unroll 8
            for (size_t r = 0; r < TILE_ROWS; r++)
                totals[q][r] = phase == 0 ? sums[q][r] : vec_add(totals[q][r], sums[q][r]);
    }
    /* Down the queries, four at a time: one by one, summing lanes would cost a third of the
     * multiply-adds at 256 dimensions. */
    for (size_t r = 0; r < TILE_ROWS; r++)
        for (size_t q = 0; q < TILE_QUERIES; q += 4) {
            float four[4];
            vec_sum4(totals[q][r], totals[q + 1][r], totals[q + 2][r], totals[q + 3][r], four);
            for (size_t i = 0; i < 4; i++)
                out[(q + i) * stride + r] = four[i];
        }
}

/* Queries outside, rows inside: the tile's queries stay in the first cache while the rows come by.
 */
VT_INLINE void block(const float *query, size_t queries, const stored_rows *rows, float *out)
{
    const size_t dim = rows->dim, count = rows->count;
    size_t q = 0;
    for (; q + TILE_QUERIES <= queries; q += TILE_QUERIES) {
        const float *tile_query = query + q * dim;
        float *tile_out = out + q * count;
        size_t row = 0;
        for (; row + TILE_ROWS <= count; row += TILE_ROWS) {
            stored_rows part = {row_at(rows, row), TILE_ROWS, dim, rows->half};
            tile(tile_query, &part, tile_out + row, count);
        }
        for (; row < count; row++)
            for (size_t each = 0; each < TILE_QUERIES; each++)
                tile_out[each * count + row] =
                    pair(tile_query + each * dim, row_at(rows, row), dim, OP_DOT, rows->half);
    }
    for (; q < queries; q++)
        rows_scan(query + q * dim, rows, OP_DOT, out + q * count);
}

/* ---- the functions of the table ---- */

static float dot_f32(const float *a, const float *b, size_t dim)
{
    return pair(a, b, dim, OP_DOT, false);
}

static float l2_f32(const float *a, const float *b, size_t dim)
{
    return pair(a, b, dim, OP_L2, false);
}

static float cosine_f32(const float *a, const float *b, size_t dim)
{
    return cosine(a, b, dim, false);
}

static float dot_f16(const float *query, const uint16_t *b, size_t dim)
{
    return pair(query, b, dim, OP_DOT, true);
}

static float l2_f16(const float *query, const uint16_t *b, size_t dim)
{
    return pair(query, b, dim, OP_L2, true);
}

static float cosine_f16(const float *query, const uint16_t *b, size_t dim)
{
    return cosine(query, b, dim, true);
}

static void dot_rows_f32(const float *query, const float *rows, size_t count, size_t dim,
                         float *out)
{
    stored_rows all = {rows, count, dim, false};
    rows_scan(query, &all, OP_DOT, out);
}

static void dot_rows_f16(const float *query, const uint16_t *rows, size_t count, size_t dim,
                         float *out)
{
    stored_rows all = {rows, count, dim, true};
    rows_scan(query, &all, OP_DOT, out);
}

static void dot_many_f32(const float *query, const void *const *rows, size_t count, size_t dim,
                         float *out)
{
    many(query, rows, count, dim, false, out);
}

static void dot_many_f16(const float *query, const void *const *rows, size_t count, size_t dim,
                         float *out)
{
    many(query, rows, count, dim, true, out);
}

static void l2_rows_f32(const float *query, const float *rows, size_t count, size_t dim, float *out)
{
    stored_rows all = {rows, count, dim, false};
    rows_scan(query, &all, OP_L2, out);
}

static void l2_rows_f16(const float *query, const uint16_t *rows, size_t count, size_t dim,
                        float *out)
{
    stored_rows all = {rows, count, dim, true};
    rows_scan(query, &all, OP_L2, out);
}

static void dot_block_f32(const float *query, size_t queries, const float *rows, size_t count,
                          size_t dim, float *out)
{
    stored_rows all = {rows, count, dim, false};
    block(query, queries, &all, out);
}

static void dot_block_f16(const float *query, size_t queries, const uint16_t *rows, size_t count,
                          size_t dim, float *out)
{
    stored_rows all = {rows, count, dim, true};
    block(query, queries, &all, out);
}

static void f32_to_f16(const float *in, uint16_t *out, size_t count)
{
    size_t i = 0;
    for (; i + LANES <= count; i += LANES)
        vec_store_f16(out + i, vec_load_f32(in + i));
    for (; i < count; i++)
        out[i] = vt_half_from_float(in[i]);
}

static void f16_to_f32(const uint16_t *in, float *out, size_t count)
{
    size_t i = 0;
    for (; i + LANES <= count; i += LANES)
        vec_store_f32(out + i, vec_load_f16(in + i));
    for (; i < count; i++)
        out[i] = vt_half_to_float(in[i]);
}

#define VT_DISTANCE_TABLE(name)                                                                    \
    const vt_distance_table name = {                                                               \
        .dot_f32 = dot_f32,                                                                        \
        .l2_f32 = l2_f32,                                                                          \
        .cosine_f32 = cosine_f32,                                                                  \
        .dot_f16 = dot_f16,                                                                        \
        .l2_f16 = l2_f16,                                                                          \
        .cosine_f16 = cosine_f16,                                                                  \
        .dot_rows_f32 = dot_rows_f32,                                                              \
        .dot_rows_f16 = dot_rows_f16,                                                              \
        .dot_many_f32 = dot_many_f32,                                                              \
        .dot_many_f16 = dot_many_f16,                                                              \
        .l2_rows_f32 = l2_rows_f32,                                                                \
        .l2_rows_f16 = l2_rows_f16,                                                                \
        .dot_block_f32 = dot_block_f32,                                                            \
        .dot_block_f16 = dot_block_f16,                                                            \
        .f32_to_f16 = f32_to_f16,                                                                  \
        .f16_to_f32 = f16_to_f32,                                                                  \
    }
