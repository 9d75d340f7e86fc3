/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A progress bar for the program (the library reports counts; only the program draws).
 * On a terminal: one line redrawn at most ten times a second with bar, share, rate and time left.
 * Elsewhere: a plain line after 2 s and then every 10 s, so that logs stay short. Nothing is shown
 * for work that ends within two seconds.
 *
 *     vt_progress_bar bar;
 *     vt_progress_bar_init(&bar, stderr, "import", "products");
 *     vt_progress_bar_go_on(&bar, done);           // only where so many were done before it began
 *     vt_progress_bar_update(&bar, done, total);   // total 0: not known yet
 *     vt_progress_bar_finish(&bar);
 *
 * Threads: a bar belongs to one thread at a time.
 */
#ifndef VT_BASE_PROGRESS_H
#define VT_BASE_PROGRESS_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

typedef struct vt_progress_bar {
    FILE *stream;      /* borrowed */
    const char *title; /* borrowed: what is being done */
    const char *unit;  /* borrowed: what is counted */
    bool terminal;
    bool shown;
    double started_ms, drawn_ms;
    /* Rate over a sliding window, so that the time left follows changes of pace. */
    double rate_per_s;
    double sampled_ms;
    uint64_t sampled_done;
    uint64_t first_done; /* what the rates do not count: it was done before the bar began */
    uint64_t done, total;
} vt_progress_bar;

void vt_progress_bar_init(vt_progress_bar *bar, FILE *stream, const char *title, const char *unit);
/* Right after init, for work that is gone on with: `done` of it is no doing of this bar's time. */
void vt_progress_bar_go_on(vt_progress_bar *bar, uint64_t done);
void vt_progress_bar_update(vt_progress_bar *bar, uint64_t done, uint64_t total);
void vt_progress_bar_finish(vt_progress_bar *bar); /* last state, line ended */

#endif
