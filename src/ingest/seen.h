/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Which product ids a feed has had so far, and on which line first. 16 bytes and a little per id,
 * so that millions of rows need tens of megabytes; ids themselves are not kept.
 *
 * Threads: belongs to one thread at a time.
 */
#ifndef VT_INGEST_SEEN_H
#define VT_INGEST_SEEN_H

#include "base/status.h"

typedef struct vt_seen_slot {
    uint64_t key; /* 0: empty */
    uint64_t line;
} vt_seen_slot;

typedef struct vt_seen {
    vt_seen_slot *slots; /* owned; (capacity), a power of two */
    size_t capacity, count;
} vt_seen;

void vt_seen_init(vt_seen *seen);
void vt_seen_deinit(vt_seen *seen);
/* *first_line: where the id was met before; 0 when this is the first time (it is then remembered).
 */
vt_status vt_seen_add(vt_seen *seen, const char *id, uint64_t line, uint64_t *first_line,
                      vt_error *error);

#endif
