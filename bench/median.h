/* SPDX-License-Identifier: Apache-2.0 */
/* The middle one of what was measured in several rounds. */
#ifndef VT_BENCH_MEDIAN_H
#define VT_BENCH_MEDIAN_H

#include <stdlib.h>

static inline int vt_bench_order(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

/* numbers: (count), at least one; they are put in order. */
static inline double vt_bench_median(double *numbers, size_t count)
{
    qsort(numbers, count, sizeof *numbers, vt_bench_order);
    return numbers[count / 2];
}

#endif
