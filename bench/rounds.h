/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Measuring two programs in alternation: each stays alive and does a piece of work whenever the
 * driver says so, so that rounds of a second interleave and loading is in none of them.
 *
 * On standard input a line with a count; the answer on standard output is the milliseconds that the
 * count took. 0 or the end of input ends the program. Before the first answer comes one line of
 * JSON from the program itself.
 *
 *     return vt_bench_rounds(run, &context, &error);
 *
 * Threads: of the main program alone.
 */
#ifndef VT_BENCH_ROUNDS_H
#define VT_BENCH_ROUNDS_H

#include "base/status.h"

/* Does the work `count` times. */
typedef vt_status (*vt_bench_work)(void *context, int64_t count, vt_error *error);

vt_status vt_bench_rounds(vt_bench_work work, void *context, vt_error *error);

#endif
