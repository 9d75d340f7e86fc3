/* SPDX-License-Identifier: Apache-2.0 */
/* The second half of bench/filter: recall and rate of the planner's answers by cell. */
#ifndef VT_BENCH_FILTER_WALK_H
#define VT_BENCH_FILTER_WALK_H

#include <stdbool.h>
#include <stddef.h>

enum { FILTER_WALK_SHARES = 16 };

typedef struct filter_walk_options {
    size_t rows, queries;
    double shares[FILTER_WALK_SHARES]; /* (share_count) of products in sets; none: 1 to 0.0001 */
    size_t share_count;
    char **libraries; /* (library_count) of peers */
    size_t library_count;
} filter_walk_options;

/* Prints the table; false: something failed, and was said. */
bool filter_walk(const filter_walk_options *options);

#endif
