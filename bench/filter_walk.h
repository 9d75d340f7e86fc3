/* SPDX-License-Identifier: Apache-2.0 */
/* The second half of bench/filter: recall and rate of the planner's answers by cell. */
#ifndef VT_BENCH_FILTER_WALK_H
#define VT_BENCH_FILTER_WALK_H

#include <stdbool.h>
#include <stddef.h>

/* Prints the table, with the peers of (count) libraries; false: something failed, and was said. */
bool filter_walk(size_t rows, size_t queries, char **libraries, size_t count);

#endif
