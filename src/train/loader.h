/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Batches of tensors out of the picture cache, made ahead of their use by threads of its own.
 *
 *     vt_loader_open(&plan, &loader, error);
 *     while (vt_loader_next(loader, &batch, error) == VT_OK && batch.count > 0)
 *         ...                                        // batch is good until the next call
 *     vt_loader_close(loader);
 *
 * What is in a batch depends on the plan alone, not on threads.
 *
 * Threads: a loader belongs to one thread at a time.
 */
#ifndef VT_TRAIN_LOADER_H
#define VT_TRAIN_LOADER_H

#include "image/augment.h"
#include "train/picture_cache.h"

typedef struct vt_loader vt_loader;

typedef struct vt_loader_plan {
    const vt_picture_cache *cache;
    const vt_augment *augment; /* NULL: as the pixel contract says, resampled with its kernel */
    const vt_pixel_spec *spec;
    const uint32_t *order; /* (count) indices into the cache, borrowed until the end */
    size_t count;
    size_t batch; /* the last one may be shorter */
    size_t first; /* batch to begin with: what comes is as if all before had been taken */
    uint64_t seed, epoch;
    int threads; /* 0: half the cores, at least one */
    int ahead;   /* batches made ahead; 0: 3 */
} vt_loader_plan;

typedef struct vt_batch {
    const float *pixels;   /* (count, 3, height, width) */
    const uint32_t *order; /* (count) */
    size_t count;          /* 0: the end */
    float share;           /* of its own label that each picture keeps, the rest is that of the
                              picture at count - 1 - i; 1: nothing was mixed */
} vt_batch;

vt_status vt_loader_open(const vt_loader_plan *plan, vt_loader **out, vt_error *error);
void vt_loader_close(vt_loader *loader); /* NULL is fine */
vt_status vt_loader_next(vt_loader *loader, vt_batch *out, vt_error *error);

#endif
