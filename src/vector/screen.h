/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Which of many rows may be near enough to each of many queries, told from byte codes of a few
 * elements each: what an exact scan asks before it reads a vector.
 *
 *     const vt_screen_table *s = vt_screen();
 *     s->pass(&rows, queries, count, masks);
 *
 * Rows lie sixteen together, and of each group four elements of all sixteen rows after the other,
 * so that a register of 64 bytes holds four elements of every row and sums need no shuffling.
 * A row passes a query when
 *     scale * (product + offset) + tail of the row * tail of the query >= least,
 * product being the sum over elements of (row's code, unsigned) * (query's code, signed). Codes of
 * rows are 128 above what they mean, which the query's offset takes back.
 *
 * Products are exact; the rest is f32, where levels with fused operations round once less: `least`
 * has to leave room for three roundings. The scalar functions are the specification;
 * tests/vector/test_screen.c holds the others to them.
 *
 * Threads: safe from any thread.
 */
#ifndef VT_VECTOR_SCREEN_H
#define VT_VECTOR_SCREEN_H

#include "base/cpu.h"

#include <stddef.h>
#include <stdint.h>

enum {
    VT_SCREEN_GROUP = 16,     /* rows */
    VT_SCREEN_STEP = 4,       /* elements that lie together; the width is a multiple of it */
    VT_SCREEN_MAX_WIDTH = 512 /* products stay exact in f32 */
};

typedef struct vt_screen_rows {
    const uint8_t *codes;        /* (groups, width / 4, 16, 4), aligned to 64 bytes */
    const float *scales, *tails; /* (groups, 16), aligned to 64 bytes */
    size_t groups, width;
} vt_screen_rows;

typedef struct vt_screen_query {
    const int8_t *code; /* (width), within the table's query_most */
    int32_t offset;     /* -128 * the sum of the code */
    float tail, least;  /* a least of -INFINITY lets all pass that are numbers */
} vt_screen_query;

typedef struct vt_screen_table {
    /* masks: (count, groups); bit i of each: row i of the group passes. */
    void (*pass)(const vt_screen_rows *rows, const vt_screen_query *queries, size_t count,
                 uint16_t *masks);
    int query_most; /* the largest element that a query's code may have, either sign */
} vt_screen_table;

const vt_screen_table *vt_screen(void);
/* The table of one level; NULL when this build or processor lacks it. For tests and benches. */
const vt_screen_table *vt_screen_at(vt_cpu_level level);

/* Where element `at` of row `row` lies in codes of this width. */
static inline size_t vt_screen_place(size_t row, size_t at, size_t width)
{
    size_t group = row / VT_SCREEN_GROUP, step = at / VT_SCREEN_STEP;
    return (group * width + step * VT_SCREEN_STEP) * VT_SCREEN_GROUP +
           row % VT_SCREEN_GROUP * VT_SCREEN_STEP + at % VT_SCREEN_STEP;
}

#endif
