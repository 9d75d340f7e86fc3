/* SPDX-License-Identifier: Apache-2.0 */
/* Inside src/train: the picture cache's file, shared by its two halves. Threads: no state. */
#ifndef VT_TRAIN_PICTURE_CACHE_FILE_H
#define VT_TRAIN_PICTURE_CACHE_FILE_H

#include "base/hash.h"
#include "train/picture_cache.h"

#define VT_CACHE_MAGIC "VTPICS01"
enum {
    VT_CACHE_VERSION = 1,
    VT_CACHE_HEADER_BYTES = 128,
    VT_CACHE_ENTRY_BYTES = 24,
    VT_CACHE_SIDE = 4096 * 4, /* of a long, thin picture */
};

typedef struct vt_cache_entry {
    uint64_t offset;
    uint32_t width, height, crc, status;
} vt_cache_entry;

typedef struct vt_cache_plan {
    const char *const *paths; /* (count) */
    size_t count;
    const vt_picture_cache_options *options;
    vt_hash key;
} vt_cache_plan;

void vt_cache_put32(uint8_t *at, uint32_t value);
void vt_cache_put64(uint8_t *at, uint64_t value);
/* Writes the file anew. VT_ERR_CANCELLED when on_progress says so: what was there stays. */
vt_status vt_cache_build(const vt_cache_plan *plan, vt_error *error);

#endif
