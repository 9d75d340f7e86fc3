/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Products of a shop that show the same picture, or nearly the same one, for whoever is to say
 * which of them stays.
 *
 * Method: all pictures' hashes are read and sorted by content; equal neighbours are exact
 * duplicates of the first of them, which stands for all in an index of perceptual hashes
 * (vector/hamming.h), where its nearest earlier one is looked for. Pairs of pictures become pairs
 * of products, each with its closest pictures. They are kept until the shop's change number moves
 * (or another closeness is asked for), so that turning pages reads the page's products alone. What
 * people said of pairs is no change of the shop: it is read anew for every listing and the pairs
 * are held to it. What is deleted between that and reading the products is left out.
 *
 * Departure: a picture has one neighbour, not all within the radius, so that a thousand shades of
 * one mug are a thousand pairs and not half a million.
 */
#include "shop/review.h"
#include "shop/shop.h"

#include "ingest/duplicates.h"
#include "vector/hamming.h"

#include <stdlib.h>
#include <string.h>

enum { LIST_BYTES = 1 << 30, MAX_TOP = 1000, MAX_PAIRS = 1000000 };

typedef struct entry {
    vt_hash hash;
    uint64_t phash;
    uint32_t picture, product; /* keys: they ascend as things came in */
} entry;

typedef struct pair {
    uint32_t first, second;       /* products; first < second */
    uint32_t at_first, at_second; /* entries */
    uint32_t pictures;
    int bits;
} pair;

/* What is kept of a pair. */
typedef struct found_pair {
    uint32_t first, second; /* products; first < second */
    uint32_t pictures;
    int bits;
    vt_hash first_picture, second_picture;
} found_pair;

struct vt_pairs_found {
    uint64_t change; /* of the shop, when they were looked for */
    int near_bits;
    found_pair *items;
    size_t count;
};

/* Pairs that stay: both keys in one number, the lower one above, in order. */
typedef struct kept_pairs {
    uint64_t *items;
    size_t count, capacity;
} kept_pairs;

/* The list and everything it points to. */
typedef struct list_block {
    vt_duplicate_list list; /* first: the caller holds a pointer to it */
    vt_arena arena;
} list_block;

typedef struct finder {
    int near_bits;
    entry *entries;
    size_t count, capacity;
    pair *pairs;
    size_t pair_count, pair_capacity;
    vt_hamming_index *near;
} finder;

vt_duplicate_options vt_duplicate_options_defaults(void)
{
    return (vt_duplicate_options){.near_bits = 3, .top = 20};
}

void vt_duplicate_list_free(vt_duplicate_list *list)
{
    if (list == NULL)
        return;
    list_block *block = (list_block *)list;
    vt_arena_deinit(&block->arena);
    vt_free(block);
}

static vt_status add_entry(void *context, const char *product_id, uint32_t product,
                           const vt_picture *picture, vt_error *error)
{
    finder *f = context;
    (void)product_id;
    if (!vt_grow((void **)&f->entries, &f->capacity, f->count + 1, sizeof(*f->entries), UINT32_MAX))
        return vt_fail_memory(error, "the pictures' hashes");
    f->entries[f->count++] = (entry){picture->hash, picture->phash, picture->key, product};
    return VT_OK;
}

static int by_content(const void *a, const void *b)
{
    const entry *x = a, *y = b;
    int order = memcmp(&x->hash, &y->hash, sizeof(x->hash));
    if (order == 0)
        order = (x->picture > y->picture) - (x->picture < y->picture);
    return order;
}

static int by_products(const void *a, const void *b)
{
    const pair *x = a, *y = b;
    if (x->first != y->first)
        return x->first < y->first ? -1 : 1;
    if (x->second != y->second)
        return x->second < y->second ? -1 : 1;
    return x->bits - y->bits;
}

static int by_distance(const void *a, const void *b)
{
    const pair *x = a, *y = b;
    return x->bits != y->bits ? x->bits - y->bits : by_products(a, b);
}

/* bits -1: the same bytes. */
static vt_status add_pair(finder *f, size_t a, size_t b, int bits, vt_error *error)
{
    uint32_t product_a = f->entries[a].product, product_b = f->entries[b].product;
    bool swap = product_a > product_b;
    if (product_a == product_b || f->pair_count == MAX_PAIRS)
        return VT_OK;
    if (!vt_grow((void **)&f->pairs, &f->pair_capacity, f->pair_count + 1, sizeof(*f->pairs),
                 MAX_PAIRS))
        return vt_fail_memory(error, "the duplicates");
    f->pairs[f->pair_count++] = (pair){.first = swap ? product_b : product_a,
                                       .second = swap ? product_a : product_b,
                                       .at_first = (uint32_t)(swap ? b : a),
                                       .at_second = (uint32_t)(swap ? a : b),
                                       .pictures = 1,
                                       .bits = bits};
    return VT_OK;
}

static vt_status find_near(finder *f, size_t index, vt_error *error)
{
    uint64_t phash = f->entries[index].phash;
    uint32_t other;
    int bits;
    vt_status status = VT_OK;
    if (f->near_bits < 0 || vt_duplicates_is_plain(phash))
        return VT_OK;
    if (vt_hamming_index_nearest(f->near, phash, f->near_bits, &other, &bits))
        status = add_pair(f, other, index, bits, error);
    return status == VT_OK ? vt_hamming_index_add(f->near, phash, (uint32_t)index, error) : status;
}

static vt_status find_pairs(finder *f, vt_error *error)
{
    vt_status status = VT_OK;
    if (f->count > 0)
        qsort(f->entries, f->count, sizeof(*f->entries), by_content);
    for (size_t i = 0, first = 0; status == VT_OK && i < f->count; i++) {
        bool same = i > 0 && memcmp(&f->entries[i].hash, &f->entries[first].hash,
                                    sizeof(f->entries[i].hash)) == 0;
        if (same) {
            status = add_pair(f, first, i, -1, error);
        } else {
            first = i;
            status = find_near(f, i, error);
        }
    }
    return status;
}

/* One for each two products, the closest first. */
static void merge_pairs(finder *f)
{
    size_t kept = 0;
    if (f->pair_count == 0)
        return;
    qsort(f->pairs, f->pair_count, sizeof(*f->pairs), by_products);
    for (size_t i = 1; i < f->pair_count; i++) {
        pair *last = &f->pairs[kept];
        if (f->pairs[i].first == last->first && f->pairs[i].second == last->second)
            last->pictures++;
        else
            f->pairs[++kept] = f->pairs[i];
    }
    f->pair_count = kept + 1;
    qsort(f->pairs, f->pair_count, sizeof(*f->pairs), by_distance);
}

/* ---- finding, or having found ---- */

void vt_pairs_found_free(struct vt_pairs_found *found)
{
    if (found != NULL)
        vt_free(found->items);
    vt_free(found);
}

static vt_status take_pairs(const finder *f, struct vt_pairs_found *out, vt_error *error)
{
    out->items = vt_alloc_array(f->pair_count, sizeof(*out->items));
    if (out->items == NULL && f->pair_count > 0)
        return vt_fail_memory(error, "the duplicates");
    for (size_t i = 0; i < f->pair_count; i++) {
        const pair *one = &f->pairs[i];
        out->items[i] = (found_pair){one->first,
                                     one->second,
                                     one->pictures,
                                     one->bits,
                                     f->entries[one->at_first].hash,
                                     f->entries[one->at_second].hash};
    }
    out->count = f->pair_count;
    return VT_OK;
}

/* The change is asked for first: what comes meanwhile is looked at with the next listing. */
static vt_status find(vt_shop *shop, int near_bits, struct vt_pairs_found *out, vt_error *error)
{
    finder f = {.near_bits = near_bits};
    out->near_bits = near_bits;
    vt_status status = vt_store_change(shop->store, &out->change, error);
    if (status == VT_OK)
        status = vt_hamming_index_new(&f.near, error);
    if (status == VT_OK)
        status = vt_store_each_picture(shop->store, add_entry, &f, error);
    if (status == VT_OK)
        status = find_pairs(&f, error);
    if (status == VT_OK) {
        merge_pairs(&f);
        status = take_pairs(&f, out, error);
    }
    vt_hamming_index_free(f.near);
    vt_free(f.entries);
    vt_free(f.pairs);
    return status;
}

/* With pairs_lock held: shop->pairs becomes those of today. */
static vt_status refresh(vt_shop *shop, int near_bits, vt_error *error)
{
    uint64_t change = 0;
    vt_status status = vt_store_change(shop->store, &change, error);
    if (status != VT_OK || (shop->pairs != NULL && shop->pairs->change == change &&
                            shop->pairs->near_bits == near_bits))
        return status;
    vt_pairs_found_free(shop->pairs);
    shop->pairs = NULL;
    struct vt_pairs_found *found = vt_calloc(1, sizeof(*found));
    if (found == NULL)
        return vt_fail_memory(error, "the duplicates");
    status = find(shop, near_bits, found, error);
    if (status == VT_OK)
        shop->pairs = found;
    else
        vt_pairs_found_free(found);
    return status;
}

/* ---- pairs that stay ---- */

static uint64_t pair_number(uint32_t a, uint32_t b)
{
    return a < b ? (uint64_t)a << 32 | b : (uint64_t)b << 32 | a;
}

static int by_number(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
    return (x > y) - (x < y);
}

static vt_status add_kept(void *context, uint32_t first, uint32_t second, vt_error *error)
{
    kept_pairs *kept = context;
    if (!vt_grow((void **)&kept->items, &kept->capacity, kept->count + 1, sizeof(*kept->items),
                 UINT32_MAX))
        return vt_fail_memory(error, "the pairs that stay");
    kept->items[kept->count++] = pair_number(first, second);
    return VT_OK;
}

static vt_status read_kept(vt_shop *shop, kept_pairs *out, vt_error *error)
{
    vt_status status = vt_store_each_kept(shop->store, add_kept, out, error);
    if (status == VT_OK && out->count > 0)
        qsort(out->items, out->count, sizeof(*out->items), by_number);
    return status;
}

static bool is_kept(const kept_pairs *kept, const found_pair *one)
{
    uint64_t number = pair_number(one->first, one->second);
    return kept->count > 0 &&
           bsearch(&number, kept->items, kept->count, sizeof(number), by_number) != NULL;
}

vt_status vt_shop_keep_pair(vt_shop *shop, const vt_store_pair *which, vt_error *error)
{
    return vt_store_keep_pair(shop->store, which, error);
}

vt_status vt_shop_forget_pair(vt_shop *shop, const char *first, const char *second, vt_error *error)
{
    return vt_store_forget_pair(shop->store, first, second, error);
}

/* ---- a page of them ---- */

static vt_status read_pair(vt_shop *shop, const found_pair *one, list_block *block, vt_error *error)
{
    vt_duplicate *out = &block->list.items[block->list.count];
    *out = (vt_duplicate){.first_picture = one->first_picture,
                          .second_picture = one->second_picture,
                          .exact = one->bits < 0,
                          .bits = one->bits < 0 ? 0 : one->bits,
                          .pictures = one->pictures};
    vt_status status =
        vt_store_get_by_key(shop->store, one->first, &block->arena, &out->first, error);
    if (status == VT_OK)
        status = vt_store_get_by_key(shop->store, one->second, &block->arena, &out->second, error);
    block->list.count += status == VT_OK;
    return status == VT_ERR_NOT_FOUND ? VT_OK : status;
}

/* With pairs_lock held. */
static vt_status fill(vt_shop *shop, const vt_duplicate_options *options, const kept_pairs *kept,
                      list_block *block, vt_error *error)
{
    vt_status status = refresh(shop, options->near_bits, error);
    if (status != VT_OK)
        return status;
    block->list.items = vt_arena_array(&block->arena, options->top, sizeof(*block->list.items));
    if (options->top > 0 && block->list.items == NULL)
        return vt_fail_memory(error, "the duplicates");
    size_t passed = 0;
    for (size_t i = 0; status == VT_OK && i < shop->pairs->count; i++) {
        const found_pair *one = &shop->pairs->items[i];
        if (is_kept(kept, one) != options->kept)
            continue;
        if (passed >= options->offset && passed - options->offset < options->top)
            status = read_pair(shop, one, block, error);
        passed++;
    }
    block->list.matched = passed;
    return status;
}

vt_status vt_shop_duplicates(vt_shop *shop, const vt_duplicate_options *options,
                             vt_duplicate_list **out, vt_error *error)
{
    kept_pairs kept = {0};
    if (options->near_bits > VT_HAMMING_MAX_RADIUS || options->top > MAX_TOP)
        return vt_fail(error, VT_ERR_USAGE,
                       "list duplicates: up to %d bits and %d pairs can be asked for",
                       VT_HAMMING_MAX_RADIUS, MAX_TOP);
    list_block *block = vt_calloc(1, sizeof(*block));
    if (block == NULL)
        return vt_fail_memory(error, "the duplicates");
    vt_arena_init(&block->arena, LIST_BYTES);
    vt_status status = read_kept(shop, &kept, error);
    if (status == VT_OK) {
        pthread_mutex_lock(&shop->pairs_lock);
        status = fill(shop, options, &kept, block, error);
        pthread_mutex_unlock(&shop->pairs_lock);
    }
    vt_free(kept.items);
    if (status == VT_OK)
        *out = &block->list;
    else
        vt_duplicate_list_free(&block->list);
    return status;
}
