/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Similarity and distance kernels behind one table, filled once for the processor at hand.
 *
 *     const vt_distance_table *d = vt_distance();
 *     float s = d->dot_f32(a, b, dim);
 *
 * The scalar functions (vt_distance_at(VT_CPU_SCALAR)) are the specification; every other level is
 * held to them by tests/vector/check_distance.c. f16 is IEEE binary16 stored as uint16_t; sums are
 * kept in f32. Vectors need no alignment and may have any dimension >= 0.
 *
 * Threads: safe from any thread.
 */
#ifndef VT_VECTOR_DISTANCE_H
#define VT_VECTOR_DISTANCE_H

#include "base/cpu.h"

#include <stddef.h>
#include <stdint.h>

typedef struct vt_distance_table {
    /* One pair; a, b: (dim). l2 is the squared Euclidean distance. */
    float (*dot_f32)(const float *a, const float *b, size_t dim);
    float (*l2_f32)(const float *a, const float *b, size_t dim);
    float (*cosine_f32)(const float *a, const float *b, size_t dim); /* 0 when either is zero */
    /* Query in f32, stored vector in f16. */
    float (*dot_f16)(const float *query, const uint16_t *b, size_t dim);
    float (*l2_f16)(const float *query, const uint16_t *b, size_t dim);
    float (*cosine_f16)(const float *query, const uint16_t *b, size_t dim);
    /* One query against `count` consecutive rows: out (count). The memory-bound scan. */
    void (*dot_rows_f32)(const float *query, const float *rows, size_t count, size_t dim,
                         float *out);
    void (*dot_rows_f16)(const float *query, const uint16_t *rows, size_t count, size_t dim,
                         float *out);
    /* One query against `count` rows (dim) that lie anywhere, f32 or f16: out (count). */
    void (*dot_many_f32)(const float *query, const void *const *rows, size_t count, size_t dim,
                         float *out);
    void (*dot_many_f16)(const float *query, const void *const *rows, size_t count, size_t dim,
                         float *out);
    void (*l2_rows_f32)(const float *query, const float *rows, size_t count, size_t dim,
                        float *out);
    void (*l2_rows_f16)(const float *query, const uint16_t *rows, size_t count, size_t dim,
                        float *out);
    /* A block of queries (queries, dim) against a block of rows: out (queries, count). */
    void (*dot_block_f32)(const float *query, size_t queries, const float *rows, size_t count,
                          size_t dim, float *out);
    void (*dot_block_f16)(const float *query, size_t queries, const uint16_t *rows, size_t count,
                          size_t dim, float *out);
    /* Conversion, round to nearest even; out of range becomes infinite. */
    void (*f32_to_f16)(const float *in, uint16_t *out, size_t count);
    void (*f16_to_f32)(const uint16_t *in, float *out, size_t count);
} vt_distance_table;

const vt_distance_table *vt_distance(void);
/* The table of one level; NULL when this build or processor lacks it. For tests and benches. */
const vt_distance_table *vt_distance_at(vt_cpu_level level);

/* The squared length, in double: there no square of a float leaves the range, upwards or downwards.
 */
double vt_vector_squares(const float *vector, size_t dim);
/* Scales to length 1 in place; false (untouched) when the vector is zero or not finite. */
bool vt_vector_normalize(float *vector, size_t dim);
bool vt_vector_is_finite(const float *vector, size_t dim);

#endif
