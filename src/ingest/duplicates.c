/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Exact and near duplicates.
 *
 * Method: per picture 64 bits of its content hash and the number of its product; an open-addressing
 * table over those bits finds exact duplicates, multi-index hashing over the perceptual hash
 * (vector/hamming.h) near ones. A content hash enters once, for the first product that has it, so
 * that a placeholder picture in every product costs one entry. Names and full hashes are looked up
 * in the store when there is something to report; an entry that the store no longer confirms (its
 * product was changed or removed) is taken over by the newcomer.
 *
 * Perceptual hashes split at the median, so about half of their bits are set; those with hardly any
 * (or nearly all) come from plain surfaces, say nothing, and are left out of the near comparison.
 */
#include "ingest/duplicates.h"

#include "vector/hamming.h"

#include <stdio.h>
#include <string.h>

enum {
    DUPLICATES_START = 1024,
    PLAIN_BITS = 4, /* at most so many bits set, or clear: a plain surface */
    LOOKUP_BYTES = 64 << 20,
};

const char *const vt_duplicates_header[VT_DUPLICATES_COLUMNS] = {
    "product", "picture", "of_product", "of_picture", "kind", "distance"};

struct vt_duplicates {
    vt_store *store; /* borrowed */
    int near_bits;
    vt_table *report; /* borrowed */
    vt_hamming_index *near;
    /* Entry i: the picture's hash bits and its product, a number in `ids`. */
    uint64_t *hashes;
    uint32_t *products;
    size_t count, hash_capacity, product_capacity;
    uint32_t *slots; /* entry + 1, 0: empty */
    size_t slot_count;
    /* Product ids, one after another, each with its NUL. */
    vt_buf ids;
    size_t *id_at;
    size_t id_count, id_capacity;
    vt_arena arena; /* for looking up */
    uint64_t exact_found, near_found;
};

static uint64_t duplicates_bits(const vt_hash *hash)
{
    uint64_t bits;
    memcpy(&bits, hash->bytes, sizeof bits);
    return bits;
}

static const char *duplicates_id(const vt_duplicates *d, uint32_t product)
{
    return vt_buf_text(&d->ids) + d->id_at[product];
}

/* ---- remembering ---- */

static bool duplicates_add_id(vt_duplicates *d, const char *id)
{
    if (d->id_count > 0 && strcmp(duplicates_id(d, (uint32_t)(d->id_count - 1)), id) == 0)
        return true;
    void *id_at = d->id_at;
    if (!vt_grow(&id_at, &d->id_capacity, d->id_count + 1, sizeof *d->id_at, UINT32_MAX))
        return false;
    d->id_at = id_at;
    d->id_at[d->id_count] = d->ids.length;
    if (!vt_buf_append(&d->ids, id, strlen(id) + 1))
        return false;
    d->id_count++;
    return true;
}

/* The slot with these bits, or the empty one where they belong. */
static uint32_t *duplicates_slot(const vt_duplicates *d, uint64_t bits)
{
    size_t at = (size_t)bits & (d->slot_count - 1);
    while (d->slots[at] != 0 && d->hashes[d->slots[at] - 1] != bits)
        at = (at + 1) & (d->slot_count - 1);
    return &d->slots[at];
}

/* Room for one entry more; slots stay at most two thirds full. */
static bool duplicates_grow(vt_duplicates *d)
{
    void *hashes = d->hashes, *products = d->products;
    if (!vt_grow(&hashes, &d->hash_capacity, d->count + 1, sizeof *d->hashes, UINT32_MAX - 1))
        return false;
    d->hashes = hashes;
    if (!vt_grow(&products, &d->product_capacity, d->count + 1, sizeof *d->products,
                 UINT32_MAX - 1))
        return false;
    d->products = products;
    if (3 * (d->count + 1) <= 2 * d->slot_count)
        return true;
    size_t slot_count = d->slot_count ? d->slot_count * 2 : DUPLICATES_START;
    uint32_t *slots = vt_calloc(slot_count, sizeof *slots);
    if (!slots)
        return false;
    vt_free(d->slots);
    d->slots = slots;
    d->slot_count = slot_count;
    for (size_t i = 0; i < d->count; i++)
        *duplicates_slot(d, d->hashes[i]) = (uint32_t)(i + 1);
    return true;
}

bool vt_duplicates_is_plain(uint64_t phash)
{
    int set = vt_hamming(phash, 0);
    return set <= PLAIN_BITS || set >= 64 - PLAIN_BITS;
}

/* The picture as one of the newest product. Its hash must not be there yet. */
static vt_status duplicates_remember(vt_duplicates *d, uint64_t bits, uint64_t phash,
                                     vt_error *error)
{
    if (!duplicates_grow(d))
        return vt_fail_memory(error, "the pictures known so far");
    d->hashes[d->count] = bits;
    d->products[d->count] = (uint32_t)(d->id_count - 1);
    *duplicates_slot(d, bits) = (uint32_t)(d->count + 1);
    if (d->near_bits >= 0 && !vt_duplicates_is_plain(phash)) {
        vt_status status = vt_hamming_index_add(d->near, phash, (uint32_t)d->count, error);
        if (status != VT_OK)
            return status;
    }
    d->count++;
    return VT_OK;
}

/* ---- looking up and reporting ---- */

/* The stored picture that an entry stands for, in the arena; NULL when it is no longer so. */
static vt_status duplicates_look_up(vt_duplicates *d, size_t entry, const vt_picture **out,
                                    vt_error *error)
{
    vt_product product;
    vt_arena_reset(&d->arena);
    *out = NULL;
    vt_status status =
        vt_store_get(d->store, duplicates_id(d, d->products[entry]), &d->arena, &product, error);
    if (status != VT_OK)
        return status == VT_ERR_NOT_FOUND ? VT_OK : status;
    for (size_t i = 0; i < product.picture_count && !*out; i++)
        if (duplicates_bits(&product.pictures[i].hash) == d->hashes[entry])
            *out = &product.pictures[i];
    return VT_OK;
}

static void duplicates_report(vt_duplicates *d, const char *product, const vt_picture *picture,
                              const char *of_product, const vt_picture *of_picture)
{
    char distance[16];
    bool exact = memcmp(&picture->hash, &of_picture->hash, sizeof picture->hash) == 0;
    snprintf(distance, sizeof distance, "%d",
             exact ? 0 : vt_hamming(picture->phash, of_picture->phash));
    const char *cells[VT_DUPLICATES_COLUMNS] = {
        product, picture->source, of_product, of_picture->source, exact ? "exact" : "near",
        distance};
    vt_table_row(d->report, cells, VT_DUPLICATES_COLUMNS);
    d->exact_found += exact;
    d->near_found += !exact;
}

/* Against the product's own earlier pictures. */
static bool duplicates_within(vt_duplicates *d, const vt_product *product, size_t index)
{
    const vt_picture *picture = &product->pictures[index];
    for (size_t i = 0; i < index; i++) {
        const vt_picture *other = &product->pictures[i];
        bool near = d->near_bits >= 0 && !vt_duplicates_is_plain(picture->phash) &&
                    vt_hamming(picture->phash, other->phash) <= d->near_bits;
        if (!near && memcmp(&picture->hash, &other->hash, sizeof other->hash) != 0)
            continue;
        duplicates_report(d, product->id, picture, product->id, other);
        return true;
    }
    return false;
}

/* Against one entry: *stale when the store no longer confirms it. */
static vt_status duplicates_against(vt_duplicates *d, const vt_product *product,
                                    const vt_picture *picture, size_t entry, bool *stale,
                                    vt_error *error)
{
    const vt_picture *other;
    *stale = false;
    if (strcmp(duplicates_id(d, d->products[entry]), product->id) == 0)
        return VT_OK;
    vt_status status = duplicates_look_up(d, entry, &other, error);
    if (status != VT_OK)
        return status;
    *stale = other == NULL;
    if (other)
        duplicates_report(d, product->id, picture, duplicates_id(d, d->products[entry]), other);
    return VT_OK;
}

static vt_status duplicates_add_picture(vt_duplicates *d, const vt_product *product, size_t index,
                                        vt_error *error)
{
    const vt_picture *picture = &product->pictures[index];
    uint64_t bits = duplicates_bits(&picture->hash);
    uint32_t entry, slot = d->slot_count > 0 ? *duplicates_slot(d, bits) : 0;
    bool within = duplicates_within(d, product, index), stale;
    int distance;
    vt_status status = VT_OK;
    if (slot != 0) {
        if (within)
            return VT_OK;
        status = duplicates_against(d, product, picture, slot - 1, &stale, error);
        if (stale)
            d->products[slot - 1] = (uint32_t)(d->id_count - 1);
        return status;
    }
    if (!within && d->near_bits >= 0 && !vt_duplicates_is_plain(picture->phash) &&
        vt_hamming_index_nearest(d->near, picture->phash, d->near_bits, &entry, &distance))
        status = duplicates_against(d, product, picture, entry, &stale, error);
    return status == VT_OK ? duplicates_remember(d, bits, picture->phash, error) : status;
}

vt_status vt_duplicates_add(vt_duplicates *duplicates, const vt_product *product, vt_error *error)
{
    if (!duplicates_add_id(duplicates, product->id))
        return vt_fail_memory(error, "the products known so far");
    for (size_t i = 0; i < product->picture_count; i++) {
        vt_status status = duplicates_add_picture(duplicates, product, i, error);
        if (status != VT_OK)
            return status;
    }
    return VT_OK;
}

/* ---- new and free ---- */

static vt_status duplicates_preload(void *context, const char *product_id, uint32_t product,
                                    const vt_picture *picture, vt_error *error)
{
    vt_duplicates *d = context;
    uint64_t bits = duplicates_bits(&picture->hash);
    (void)product;
    if (d->slot_count > 0 && *duplicates_slot(d, bits) != 0)
        return VT_OK;
    if (!duplicates_add_id(d, product_id))
        return vt_fail_memory(error, "the products known so far");
    return duplicates_remember(d, bits, picture->phash, error);
}

vt_status vt_duplicates_new(vt_store *store, int near_bits, vt_table *report, vt_duplicates **out,
                            vt_error *error)
{
    if (near_bits > VT_HAMMING_MAX_RADIUS)
        return vt_fail(error, VT_ERR_USAGE, "look for near duplicates within %d bits: at most %d",
                       near_bits, VT_HAMMING_MAX_RADIUS);
    vt_duplicates *d = vt_calloc(1, sizeof *d);
    if (!d)
        return vt_fail_memory(error, "the pictures known so far");
    d->store = store;
    d->near_bits = near_bits;
    d->report = report;
    vt_buf_init(&d->ids, SIZE_MAX);
    vt_arena_init(&d->arena, LOOKUP_BYTES);
    vt_status status = vt_hamming_index_new(&d->near, error);
    if (status == VT_OK)
        status = vt_store_each_picture(store, duplicates_preload, d, error);
    if (status != VT_OK) {
        vt_duplicates_free(d);
        return status;
    }
    *out = d;
    return VT_OK;
}

void vt_duplicates_free(vt_duplicates *duplicates)
{
    if (!duplicates)
        return;
    vt_hamming_index_free(duplicates->near);
    vt_free(duplicates->hashes);
    vt_free(duplicates->products);
    vt_free(duplicates->slots);
    vt_free(duplicates->id_at);
    vt_buf_deinit(&duplicates->ids);
    vt_arena_deinit(&duplicates->arena);
    vt_free(duplicates);
}

uint64_t vt_duplicates_exact(const vt_duplicates *duplicates)
{
    return duplicates->exact_found;
}

uint64_t vt_duplicates_near(const vt_duplicates *duplicates)
{
    return duplicates->near_found;
}
