/* SPDX-License-Identifier: Apache-2.0 */
/* Feeding a training from files as `vitrine train` does, for bench/train.c. */
#ifndef VT_BENCH_TRAIN_FILES_H
#define VT_BENCH_TRAIN_FILES_H

#include "base/status.h"
#include "base/thread.h"

typedef struct vt_bench_feed {
    const char *list;  /* file of paths, one a line */
    const char *cache; /* decoded pictures; removed before and after */
    int px, batch, steps;
    vt_pool *pool;                                                          /* decodes */
    vt_status (*step)(void *context, const float *pixels, vt_error *error); /* (batch, 3, px, px) */
    void *context;
} vt_bench_feed;

/* Two epochs of so many steps, the photos in turn, augmented as by default; seconds[0] has decoding
 * in it, seconds[1] has not. */
vt_status vt_bench_feed_run(const vt_bench_feed *feed, double seconds[2], vt_error *error);

#endif
