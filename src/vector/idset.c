/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Sets of ids over CRoaring (Lemire et al., Roaring Bitmaps: Implementation of an Optimized
 * Software Library, 2018), written to the interface of version 0.2.66, which both supported Debian
 * releases have.
 *
 * Departure: CRoaring of that age takes its memory from malloc itself and reports running out of it
 * only when a bitmap is made or copied; those cases are passed on. Where it has to enlarge a bitmap
 * that exists, it cannot say that there was no room.
 *
 * Copy-on-write stays off: a copied set shares nothing, so threads may read both.
 */
#include "vector/idset.h"

#include "base/mem.h"

#include <assert.h>
#include <roaring/roaring.h>
#include <string.h>

/* vt_idset is never defined: a pointer to it is a roaring_bitmap_t under another name. */
static roaring_bitmap_t *bitmap_of(vt_idset *set)
{
    return (roaring_bitmap_t *)set;
}

static const roaring_bitmap_t *bitmap_read(const vt_idset *set)
{
    return (const roaring_bitmap_t *)set;
}

vt_status vt_idset_new(vt_idset **out, vt_error *error)
{
    roaring_bitmap_t *made = roaring_bitmap_create();
    if (!made)
        return vt_fail_memory(error, "id set");
    *out = (vt_idset *)made;
    return VT_OK;
}

vt_status vt_idset_dup(const vt_idset *set, vt_idset **out, vt_error *error)
{
    roaring_bitmap_t *made = roaring_bitmap_copy(bitmap_read(set));
    if (!made)
        return vt_fail_memory(error, "id set");
    *out = (vt_idset *)made;
    return VT_OK;
}

void vt_idset_free(vt_idset *set)
{
    if (set)
        roaring_bitmap_free(bitmap_of(set));
}

vt_status vt_idset_add(vt_idset *set, uint32_t id, vt_error *error)
{
    (void)error;
    roaring_bitmap_add(bitmap_of(set), id);
    return VT_OK;
}

vt_status vt_idset_add_range(vt_idset *set, uint64_t begin, uint64_t end, vt_error *error)
{
    if (end > (uint64_t)UINT32_MAX + 1)
        return vt_fail(error, VT_ERR_USAGE, "add ids %llu to %llu to a set: ids have 32 bits",
                       (unsigned long long)begin, (unsigned long long)end);
    if (begin < end)
        roaring_bitmap_add_range_closed(bitmap_of(set), (uint32_t)begin, (uint32_t)(end - 1));
    return VT_OK;
}

void vt_idset_remove(vt_idset *set, uint32_t id)
{
    roaring_bitmap_remove(bitmap_of(set), id);
}

bool vt_idset_has(const vt_idset *set, uint32_t id)
{
    return roaring_bitmap_contains(bitmap_read(set), id);
}

uint64_t vt_idset_count(const vt_idset *set)
{
    return roaring_bitmap_get_cardinality(bitmap_read(set));
}

vt_status vt_idset_and(vt_idset *set, const vt_idset *other, vt_error *error)
{
    (void)error;
    if (set != other) /* CRoaring's in-place functions want two bitmaps */
        roaring_bitmap_and_inplace(bitmap_of(set), bitmap_read(other));
    return VT_OK;
}

vt_status vt_idset_or(vt_idset *set, const vt_idset *other, vt_error *error)
{
    (void)error;
    if (set != other)
        roaring_bitmap_or_inplace(bitmap_of(set), bitmap_read(other));
    return VT_OK;
}

vt_status vt_idset_subtract(vt_idset *set, const vt_idset *other, vt_error *error)
{
    (void)error;
    if (set == other)
        roaring_bitmap_clear(bitmap_of(set));
    else
        roaring_bitmap_andnot_inplace(bitmap_of(set), bitmap_read(other));
    return VT_OK;
}

/* ---- sets from sets ---- */

static vt_status hand_out(roaring_bitmap_t *made, vt_idset **out, vt_error *error)
{
    if (!made)
        return vt_fail_memory(error, "id set");
    *out = (vt_idset *)made;
    return VT_OK;
}

vt_status vt_idset_common(const vt_idset *a, const vt_idset *b, vt_idset **out, vt_error *error)
{
    return hand_out(roaring_bitmap_and(bitmap_read(a), bitmap_read(b)), out, error);
}

vt_status vt_idset_difference(const vt_idset *a, const vt_idset *b, vt_idset **out, vt_error *error)
{
    return hand_out(roaring_bitmap_andnot(bitmap_read(a), bitmap_read(b)), out, error);
}

vt_status vt_idset_union(const vt_idset *const *sets, size_t count, vt_idset **out, vt_error *error)
{
    if (count == 0)
        return vt_idset_new(out, error);
    const roaring_bitmap_t **bitmaps = vt_alloc_array(count, sizeof *bitmaps);
    if (!bitmaps)
        return vt_fail_memory(error, "id set");
    for (size_t i = 0; i < count; i++)
        bitmaps[i] = bitmap_read(sets[i]);
    roaring_bitmap_t *made = roaring_bitmap_or_many(count, bitmaps);
    vt_free(bitmaps);
    return hand_out(made, out, error);
}

vt_status vt_idset_add_many(vt_idset *set, const uint32_t *ids, size_t count, vt_error *error)
{
    (void)error;
    roaring_bitmap_add_many(bitmap_of(set), count, ids);
    return VT_OK;
}

uint64_t vt_idset_common_count(const vt_idset *a, const vt_idset *b)
{
    return roaring_bitmap_and_cardinality(bitmap_read(a), bitmap_read(b));
}

bool vt_idset_equal(const vt_idset *a, const vt_idset *b)
{
    return roaring_bitmap_equals(bitmap_read(a), bitmap_read(b));
}

size_t vt_idset_bytes(const vt_idset *set)
{
    return roaring_bitmap_portable_size_in_bytes(bitmap_read(set));
}

uint32_t vt_idset_last(const vt_idset *set)
{
    return roaring_bitmap_maximum(bitmap_read(set));
}

/* ---- bits ---- */

static void words_fill(const vt_idset_bits *bits)
{
    enum { SOME = 256 };
    uint32_t ids[SOME], count = SOME;
    roaring_uint32_iterator_t at;
    roaring_init_iterator(bitmap_read(bits->set), &at);
    while (count == SOME) {
        count = roaring_read_uint32_iterator(&at, ids, SOME);
        for (uint32_t i = 0; i < count; i++)
            bits->words[ids[i] / 64] |= (uint64_t)1 << ids[i] % 64;
    }
}

bool vt_idset_bits_init(vt_idset_bits *bits, const vt_idset *set, size_t most)
{
    size_t words = (size_t)vt_idset_last(set) / 64 + 1;
    *bits = (vt_idset_bits){.set = set};
    if (words > most)
        return true;
    bits->words = vt_calloc(words, sizeof *bits->words);
    bits->word_count = words;
    if (!bits->words)
        return false;
    words_fill(bits);
    return true;
}

void vt_idset_bits_deinit(vt_idset_bits *bits)
{
    vt_free(bits->words);
}

/* ---- walking ---- */

static_assert(sizeof(roaring_uint32_iterator_t) <= sizeof(((vt_idset_cursor *)0)->state),
              "CRoaring's iterator fits the cursor");
static_assert(_Alignof(roaring_uint32_iterator_t) <= 8, "CRoaring's iterator is aligned in it");

static void cursor_look(vt_idset_cursor *cursor, const roaring_uint32_iterator_t *at)
{
    memcpy(cursor->state, at, sizeof *at);
    cursor->valid = at->has_value;
    cursor->id = at->has_value ? at->current_value : 0;
}

void vt_idset_list(const vt_idset *set, uint32_t *out)
{
    roaring_bitmap_to_uint32_array(bitmap_read(set), out);
}

vt_idset_cursor vt_idset_begin(const vt_idset *set)
{
    vt_idset_cursor cursor = {.valid = false};
    roaring_uint32_iterator_t at;
    roaring_init_iterator(bitmap_read(set), &at);
    cursor_look(&cursor, &at);
    return cursor;
}

void vt_idset_next(vt_idset_cursor *cursor)
{
    roaring_uint32_iterator_t at;
    memcpy(&at, cursor->state, sizeof at);
    roaring_advance_uint32_iterator(&at);
    cursor_look(cursor, &at);
}
