/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One column's numbers in order, with bitmaps at intervals.
 *
 * Method: entries (number, product) in sorted blocks, about 64 of them, and with each block the
 * bitmap of all products before it (the square root decomposition of a sorted array). The products
 * in a range are the difference of two such bitmaps, corrected by at most half a block at each end:
 * at 1 M products that is 100 microseconds, where adding the products of the range one by one takes
 * 10 milliseconds. A change touches one block and the bitmaps of the later ones. What comes while a
 * catalogue is loaded waits in `pending` and is sorted in one go.
 *
 * The bitmaps cost 64 / 8 bytes per product at worst.
 */
#include "store/postings.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { BLOCKS = 64, MAX_BLOCKS = 2 * BLOCKS, MIN_LIMIT = 512 };

static void free_blocks(vt_number_block *blocks, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        vt_free(blocks[i].entries);
        vt_idset_free(blocks[i].below);
    }
    vt_free(blocks);
}

void vt_number_column_deinit(vt_number_column *column)
{
    free_blocks(column->blocks, column->block_count);
    vt_idset_free(column->all);
    vt_free(column->pending);
    *column = (vt_number_column){0};
}

static int compare(const vt_number_entry *a, const vt_number_entry *b)
{
    if (a->value != b->value)
        return a->value < b->value ? -1 : 1;
    return (a->product > b->product) - (a->product < b->product);
}

static int compare_entries(const void *a, const void *b)
{
    return compare(a, b);
}

vt_status vt_number_column_add(vt_number_column *column, double value, uint32_t product,
                               vt_error *error)
{
    if (!vt_grow((void **)&column->pending, &column->pending_capacity, column->pending_count + 1,
                 sizeof *column->pending, UINT32_MAX))
        return vt_fail_memory(error, "the postings of a catalogue");
    column->pending[column->pending_count++] = (vt_number_entry){value, product};
    return VT_OK;
}

/* ---- building ---- */

static vt_status add_products(vt_idset *set, const vt_number_entry *entries, size_t count,
                              vt_error *error)
{
    vt_status status = VT_OK;
    for (size_t i = 0; status == VT_OK && i < count; i++)
        status = vt_idset_add(set, entries[i].product, error);
    return status;
}

static vt_status fill_block(vt_number_column *column, const vt_number_entry *entries, size_t count,
                            vt_error *error)
{
    vt_number_block *block = &column->blocks[column->block_count];
    *block = (vt_number_block){0};
    vt_status status = vt_idset_dup(column->all, &block->below, error);
    if (status != VT_OK)
        return status;
    column->block_count++;
    block->entries = vt_alloc_array(column->limit, sizeof *block->entries);
    if (block->entries == NULL)
        return vt_fail_memory(error, "the postings of a catalogue");
    memcpy(block->entries, entries, count * sizeof *entries);
    block->count = count;
    column->count += count;
    return add_products(column->all, entries, count, error);
}

/* Makes the column anew of these entries, which are sorted. */
static vt_status build(vt_number_column *column, const vt_number_entry *entries, size_t count,
                       vt_error *error)
{
    free_blocks(column->blocks, column->block_count);
    vt_idset_free(column->all);
    column->block_count = column->count = 0;
    column->all = NULL;
    column->blocks = vt_calloc(MAX_BLOCKS + 1, sizeof *column->blocks);
    if (column->blocks == NULL)
        return vt_fail_memory(error, "the postings of a catalogue");
    column->limit = 2 * (count / BLOCKS + 1);
    if (column->limit < MIN_LIMIT)
        column->limit = MIN_LIMIT;
    vt_status status = vt_idset_new(&column->all, error);
    size_t at = 0;
    while (status == VT_OK && (at < count || column->block_count == 0)) {
        size_t take = count - at < column->limit / 2 ? count - at : column->limit / 2;
        status = fill_block(column, entries + at, take, error);
        at += take;
    }
    return status;
}

vt_status vt_number_column_fill(vt_number_column *column, const vt_number_entry *entries,
                                size_t count, vt_error *error)
{
    for (size_t i = 0; i < count; i++)
        if (!isfinite(entries[i].value) || entries[i].product == 0 ||
            (i > 0 && compare(&entries[i - 1], &entries[i]) >= 0))
            return vt_fail(error, VT_ERR_CORRUPT, "numbers are not in order");
    return count == 0 ? VT_OK : build(column, entries, count, error);
}

static vt_status rebuild(vt_number_column *column, vt_error *error)
{
    size_t total = column->count + column->pending_count, at = 0;
    vt_number_entry *entries = vt_alloc_array(total, sizeof *entries);
    if (entries == NULL)
        return vt_fail_memory(error, "the postings of a catalogue");
    for (size_t i = 0; i < column->block_count; i++) {
        memcpy(entries + at, column->blocks[i].entries, column->blocks[i].count * sizeof *entries);
        at += column->blocks[i].count;
    }
    if (column->pending_count > 0)
        memcpy(entries + at, column->pending, column->pending_count * sizeof *entries);
    column->pending_count = 0;
    qsort(entries, total, sizeof *entries, compare_entries);
    vt_status status = build(column, entries, total, error);
    vt_free(entries);
    return status;
}

/* ---- changing ---- */

/* The block in which the entry is or belongs: the last one that does not begin above it. */
static size_t block_of(const vt_number_column *column, const vt_number_entry *entry)
{
    size_t low = 0, high = column->block_count;
    while (high - low > 1) {
        size_t middle = low + (high - low) / 2;
        const vt_number_block *block = &column->blocks[middle];
        if (block->count > 0 && compare(&block->entries[0], entry) <= 0)
            low = middle;
        else
            high = middle;
    }
    return low;
}

static size_t place_in(const vt_number_block *block, const vt_number_entry *entry)
{
    size_t low = 0, high = block->count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (compare(&block->entries[middle], entry) < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

/* Moves the upper half of a full block into a new one after it. */
static vt_status split(vt_number_column *column, size_t index, vt_error *error)
{
    vt_number_block *block = &column->blocks[index], upper = {0};
    size_t half = block->count / 2;
    upper.entries = vt_alloc_array(column->limit, sizeof *upper.entries);
    if (upper.entries == NULL)
        return vt_fail_memory(error, "the postings of a catalogue");
    vt_status status = vt_idset_dup(block->below, &upper.below, error);
    if (status == VT_OK)
        status = add_products(upper.below, block->entries, half, error);
    if (status != VT_OK) {
        vt_idset_free(upper.below);
        vt_free(upper.entries);
        return status;
    }
    upper.count = block->count - half;
    memcpy(upper.entries, block->entries + half, upper.count * sizeof *upper.entries);
    block->count = half;
    memmove(block + 2, block + 1, (column->block_count - index - 1) * sizeof *block);
    block[1] = upper;
    column->block_count++;
    return VT_OK;
}

static vt_status insert(vt_number_column *column, const vt_number_entry *entry, vt_error *error)
{
    size_t index = block_of(column, entry);
    vt_number_block *block = &column->blocks[index];
    size_t at = place_in(block, entry);
    memmove(block->entries + at + 1, block->entries + at,
            (block->count - at) * sizeof *block->entries);
    block->entries[at] = *entry;
    block->count++;
    column->count++;
    vt_status status = vt_idset_add(column->all, entry->product, error);
    for (size_t i = index + 1; status == VT_OK && i < column->block_count; i++)
        status = vt_idset_add(column->blocks[i].below, entry->product, error);
    if (status == VT_OK && block->count == column->limit)
        status = split(column, index, error);
    if (status == VT_OK && column->block_count > MAX_BLOCKS)
        status = rebuild(column, error);
    return status;
}

vt_status vt_number_column_settle(vt_number_column *column, vt_error *error)
{
    if (column->pending_count == 0)
        return VT_OK;
    if (column->pending_count > column->count / BLOCKS)
        return rebuild(column, error);
    size_t count = column->pending_count;
    column->pending_count = 0; /* a rebuild on the way must not take them again */
    vt_status status = VT_OK;
    for (size_t i = 0; status == VT_OK && i < count; i++)
        status = insert(column, &column->pending[i], error);
    return status;
}

void vt_number_column_remove(vt_number_column *column, double value, uint32_t product)
{
    vt_number_entry entry = {value, product};
    for (size_t i = 0; i < column->pending_count; i++)
        if (compare(&column->pending[i], &entry) == 0)
            column->pending[i--] = column->pending[--column->pending_count];
    if (column->block_count == 0)
        return;
    size_t index = block_of(column, &entry);
    vt_number_block *block = &column->blocks[index];
    size_t at = place_in(block, &entry);
    if (at == block->count || compare(&block->entries[at], &entry) != 0)
        return;
    block->count--;
    column->count--;
    memmove(block->entries + at, block->entries + at + 1,
            (block->count - at) * sizeof *block->entries);
    vt_idset_remove(column->all, product);
    for (size_t i = index + 1; i < column->block_count; i++)
        vt_idset_remove(column->blocks[i].below, product);
    if (block->count > 0 || column->block_count == 1)
        return;
    vt_free(block->entries);
    vt_idset_free(block->below);
    memmove(block, block + 1, (--column->block_count - index) * sizeof *block);
}

/* ---- asking ---- */

vt_number_place vt_number_column_bound(const vt_number_column *column, double value, bool after)
{
    /* Product 0 is below every product of this number, UINT32_MAX is not below any. */
    vt_number_entry entry = {value, after ? UINT32_MAX : 0};
    vt_number_place place = {0};
    if (column->block_count == 0)
        return place;
    place.block = block_of(column, &entry);
    const vt_number_block *block = &column->blocks[place.block];
    place.at = place_in(block, &entry);
    if (after && place.at < block->count && compare(&block->entries[place.at], &entry) == 0)
        place.at++; /* the product with the last key there is */
    return place;
}

size_t vt_number_column_between(const vt_number_column *column, vt_number_place from,
                                vt_number_place to, size_t most)
{
    size_t count = 0;
    for (size_t i = from.block; i <= to.block && i < column->block_count && count <= most; i++) {
        size_t begin = i == from.block ? from.at : 0;
        size_t end = i == to.block ? to.at : column->blocks[i].count;
        count += end > begin ? end - begin : 0;
    }
    return count;
}

/* The products before this place: *out is the caller's. From the nearer end of the block. */
static vt_status products_before(const vt_number_column *column, vt_number_place place,
                                 vt_idset **out, vt_error *error)
{
    const vt_number_block *block = &column->blocks[place.block];
    bool from_end = place.at > block->count / 2;
    const vt_idset *base = !from_end ? block->below
                           : place.block + 1 < column->block_count
                               ? column->blocks[place.block + 1].below
                               : column->all;
    vt_idset *set = NULL;
    vt_status status = vt_idset_dup(base, &set, error);
    if (status == VT_OK && !from_end)
        status = add_products(set, block->entries, place.at, error);
    for (size_t i = place.at; status == VT_OK && from_end && i < block->count; i++)
        vt_idset_remove(set, block->entries[i].product);
    if (status != VT_OK)
        vt_idset_free(set);
    else
        *out = set;
    return status;
}

vt_status vt_number_column_range(const vt_number_column *column, vt_number_place from,
                                 vt_number_place to, vt_idset **out, vt_error *error)
{
    bool some = to.block > from.block || (to.block == from.block && to.at > from.at);
    if (column->block_count == 0 || !some)
        return vt_idset_new(out, error);
    vt_idset *set = NULL, *before = NULL;
    vt_status status;
    if (from.block == to.block) {
        status = vt_idset_new(&set, error);
        if (status == VT_OK)
            status = add_products(set, column->blocks[to.block].entries + from.at, to.at - from.at,
                                  error);
    } else {
        status = products_before(column, to, &set, error);
        if (status == VT_OK && (from.block > 0 || from.at > 0))
            status = products_before(column, from, &before, error);
        if (status == VT_OK && before != NULL)
            status = vt_idset_subtract(set, before, error);
    }
    vt_idset_free(before);
    if (status != VT_OK)
        vt_idset_free(set);
    else
        *out = set;
    return status;
}

size_t vt_number_column_bytes(const vt_number_column *column)
{
    size_t bytes = column->pending_capacity * sizeof *column->pending;
    for (size_t i = 0; i < column->block_count; i++)
        bytes += column->limit * sizeof *column->blocks[i].entries +
                 vt_idset_bytes(column->blocks[i].below);
    return column->all == NULL ? bytes : bytes + vt_idset_bytes(column->all);
}
