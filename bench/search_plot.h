/* SPDX-License-Identifier: Apache-2.0 */
/* Draws what bench/search has measured. Threads: no shared state. */
#ifndef VT_BENCH_SEARCH_PLOT_H
#define VT_BENCH_SEARCH_PLOT_H

#include <stddef.h>
#include <stdio.h>

enum { SEARCH_POINTS = 16 };

typedef struct search_point {
    double recall, rate; /* queries per second */
} search_point;

typedef struct search_curve {
    const char *name;
    search_point points[SEARCH_POINTS];
    size_t count;
} search_curve;

/* An SVG of recall (across) against queries per second (up, logarithmic). */
void search_plot(FILE *file, const search_curve *const *curves, size_t count);

#endif
