/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Places buffers with known lives in one block of memory so that the block is small, inside src/nn.
 *
 *     vt_interval buffers[] = {{.bytes = 4096, .first = 0, .last = 1}, ...};
 *     vt_memory_plan_intervals(buffers, count, &total_bytes, error);
 *     // buffers[i].offset is where buffer i lies in a block of total_bytes
 *
 * Threads: no shared state.
 */
#ifndef VT_NN_MEMORY_PLAN_H
#define VT_NN_MEMORY_PLAN_H

#include "base/status.h"

enum { VT_MEMORY_PLAN_ALIGNMENT = 64 };

typedef struct vt_interval {
    size_t bytes;
    int first,
        last;      /* both inclusive: a buffer read by step 5 and one written by it are both live */
    size_t offset; /* out; a multiple of VT_MEMORY_PLAN_ALIGNMENT; 0 for empty buffers */
} vt_interval;

/* VT_ERR_LIMIT when the block would exceed what a size can say. On failure the offsets are
 * undefined. */
vt_status vt_memory_plan_intervals(vt_interval *intervals, size_t count, size_t *total_bytes,
                                   vt_error *error);

#endif
