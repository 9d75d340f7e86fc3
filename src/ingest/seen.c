/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Ids met so far: open addressing with linear probing over 64-bit keyed hashes of the ids.
 *
 * Two ids with the same hash would make the second look like a repetition: at ten million ids the
 * chance is 3 in a million, and the key of the hash is the process's own secret, so nobody can
 * bring it about. That is traded for not holding the ids.
 */
#include "ingest/seen.h"

#include "base/hash.h"
#include "base/mem.h"

#include <string.h>

enum { SEEN_START = 1024 };

void vt_seen_init(vt_seen *seen)
{
    *seen = (vt_seen){0};
}

void vt_seen_deinit(vt_seen *seen)
{
    vt_free(seen->slots);
    *seen = (vt_seen){0};
}

/* The slot that holds the key, or the empty one where it belongs. */
static vt_seen_slot *seen_find(vt_seen_slot *slots, size_t capacity, uint64_t key)
{
    size_t at = (size_t)key & (capacity - 1);
    while (slots[at].key != 0 && slots[at].key != key)
        at = (at + 1) & (capacity - 1);
    return &slots[at];
}

/* Keeps a quarter of the slots empty. */
static bool seen_grow(vt_seen *seen)
{
    if (seen->count + 1 <= seen->capacity - seen->capacity / 4 && seen->capacity > 0)
        return true;
    size_t capacity = seen->capacity ? seen->capacity * 2 : SEEN_START;
    vt_seen_slot *slots = vt_calloc(capacity, sizeof *slots);
    if (!slots)
        return false;
    for (size_t i = 0; i < seen->capacity; i++)
        if (seen->slots[i].key != 0)
            *seen_find(slots, capacity, seen->slots[i].key) = seen->slots[i];
    vt_free(seen->slots);
    seen->slots = slots;
    seen->capacity = capacity;
    return true;
}

vt_status vt_seen_add(vt_seen *seen, const char *id, uint64_t line, uint64_t *first_line,
                      vt_error *error)
{
    uint64_t key = vt_table_hash(id, strlen(id));
    if (key == 0)
        key = 1;
    if (!seen_grow(seen))
        return vt_fail_memory(error, "the ids of a feed");
    vt_seen_slot *slot = seen_find(seen->slots, seen->capacity, key);
    if (slot->key != 0) {
        *first_line = slot->line;
        return VT_OK;
    }
    *slot = (vt_seen_slot){.key = key, .line = line};
    seen->count++;
    *first_line = 0;
    return VT_OK;
}
