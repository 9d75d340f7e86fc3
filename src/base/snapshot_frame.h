/* SPDX-License-Identifier: Apache-2.0 */
/* Inside src/base: the head and the table of snapshot files, for both directions. No state. */
#ifndef VT_BASE_SNAPSHOT_FRAME_H
#define VT_BASE_SNAPSHOT_FRAME_H

#include "base/snapshot.h"

#include <string.h>

enum {
    SNAPSHOT_HEAD_BYTES = 128,
    SNAPSHOT_ENTRY_BYTES = 32,
    SNAPSHOT_MAGIC_BYTES = 8,
    SNAPSHOT_CHUNK_BYTES = 1 << 18, /* read or written, and summed while it is in the cache */
};
static const uint32_t SNAPSHOT_BYTE_ORDER = 0x01020304u;

/* As it lies in the file; the file is only used where the machine's byte order is the file's. */
typedef struct snapshot_head {
    char magic[SNAPSHOT_MAGIC_BYTES];
    uint32_t version, byte_order;
    uint64_t length, change;
    vt_snapshot_session session;
    uint64_t table_at;
    uint32_t section_count, table_sum;
    uint8_t zeros[60];
    uint32_t sum; /* of all before it */
} snapshot_head;
_Static_assert(sizeof(snapshot_head) == SNAPSHOT_HEAD_BYTES, "the head has no gaps");

typedef struct snapshot_entry {
    uint64_t offset, length;
    uint32_t tag, sum;
    uint64_t zero;
} snapshot_entry;
_Static_assert(sizeof(snapshot_entry) == SNAPSHOT_ENTRY_BYTES, "an entry has no gaps");

/* Up to the next section. */
static inline uint64_t snapshot_filled(uint64_t length)
{
    return (length + VT_SNAPSHOT_ALIGN - 1) / VT_SNAPSHOT_ALIGN * VT_SNAPSHOT_ALIGN;
}

#endif
