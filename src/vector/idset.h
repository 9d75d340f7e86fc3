/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Sets of 32-bit ids, compressed (roaring bitmaps, Lemire et al. 2018, over CRoaring).
 * Threads: a set may be read from many threads, changed by one alone.
 */
#ifndef VT_VECTOR_IDSET_H
#define VT_VECTOR_IDSET_H

#include "base/buf.h"
#include "base/status.h"

typedef struct vt_idset vt_idset;

vt_status vt_idset_new(vt_idset **out, vt_error *error);
vt_status vt_idset_dup(const vt_idset *set, vt_idset **out, vt_error *error);
void vt_idset_free(vt_idset *set);
vt_status vt_idset_add(vt_idset *set, uint32_t id, vt_error *error);
/* [begin, end); VT_ERR_USAGE when end is above 2^32. */
vt_status vt_idset_add_range(vt_idset *set, uint64_t begin, uint64_t end, vt_error *error);
void vt_idset_remove(vt_idset *set, uint32_t id);
bool vt_idset_has(const vt_idset *set, uint32_t id);
uint64_t vt_idset_count(const vt_idset *set);
vt_status vt_idset_and(vt_idset *set, const vt_idset *other, vt_error *error); /* in place */
vt_status vt_idset_or(vt_idset *set, const vt_idset *other, vt_error *error);
vt_status vt_idset_subtract(vt_idset *set, const vt_idset *other, vt_error *error);

/* The same into a set of its own: *out is the caller's. */
vt_status vt_idset_common(const vt_idset *a, const vt_idset *b, vt_idset **out, vt_error *error);
vt_status vt_idset_difference(const vt_idset *a, const vt_idset *b, vt_idset **out,
                              vt_error *error);
/* The union of so many; count 0: empty. */
vt_status vt_idset_union(const vt_idset *const *sets, size_t count, vt_idset **out,
                         vt_error *error);
vt_status vt_idset_add_many(vt_idset *set, const uint32_t *ids, size_t count, vt_error *error);
uint64_t vt_idset_common_count(const vt_idset *a, const vt_idset *b);
bool vt_idset_equal(const vt_idset *a, const vt_idset *b);
void vt_idset_list(const vt_idset *set, uint32_t *out); /* all, ascending: (vt_idset_count) */
size_t vt_idset_bytes(const vt_idset *set);             /* about what it takes in memory */
uint32_t vt_idset_last(const vt_idset *set); /* the greatest; 0: also that of an empty set */

/* A set for who asks of many ids: a test of one bit instead of a search, unless its ids are so
 * scattered that bits would take more than `most` words. The set stays the caller's, and stays. Any
 * number of threads may ask. */
typedef struct vt_idset_bits {
    const vt_idset *set;
    uint64_t *words; /* owned; NULL: the set is asked */
    size_t word_count;
} vt_idset_bits;
bool vt_idset_bits_init(vt_idset_bits *bits, const vt_idset *set,
                        size_t most);           /* false: no memory */
void vt_idset_bits_deinit(vt_idset_bits *bits); /* a zeroed one is fine */
/* `most` for who looks at so many rows: making the bits is then little beside that. */
static inline size_t vt_idset_bits_most(size_t rows)
{
    return 1024 + rows;
}
static inline bool vt_idset_bits_has(const vt_idset_bits *bits, uint32_t id)
{
    if (!bits->words)
        return vt_idset_has(bits->set, id);
    return id / 64 < bits->word_count && (bits->words[id / 64] >> id % 64 & 1);
}

/* ---- idset_file.c: in files, little-endian ---- */
bool vt_idset_append(const vt_idset *set, vt_buf *out); /* false: no memory */
/* A set at the beginning of these bytes, *used of them; *out is the caller's. They may be anyone's:
 * VT_ERR_CORRUPT when they are no set. */
vt_status vt_idset_read(const void *bytes, size_t length, size_t *used, vt_idset **out,
                        vt_error *error);

/* Walks the ids in ascending order: `for (vt_idset_cursor c = vt_idset_begin(set); c.valid;
 * vt_idset_next(&c)) use(c.id);`. The set must not change meanwhile. */
typedef struct vt_idset_cursor {
    _Alignas(8) uint8_t state[96]; /* CRoaring's iterator, opaque here */
    uint32_t id;
    bool valid;
} vt_idset_cursor;
vt_idset_cursor vt_idset_begin(const vt_idset *set);
void vt_idset_next(vt_idset_cursor *cursor);

#endif
