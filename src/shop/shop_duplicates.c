/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Products of a shop that show the same picture, or nearly the same one, for whoever is to say
 * which of them stays.
 *
 * Method: all pictures' hashes are read and sorted by content; equal neighbours are exact
 * duplicates of the first of them, which stands for all in an index of perceptual hashes
 * (vector/hamming.h), where its nearest earlier one is looked for. Pairs of pictures become pairs
 * of products, each with its closest pictures. What is deleted between that and reading the
 * products is left out.
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

/* The list and everything it points to. */
typedef struct list_block {
    vt_duplicate_list list; /* first: the caller holds a pointer to it */
    vt_arena arena;
} list_block;

typedef struct finder {
    const vt_duplicate_options *options;
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
    if (f->options->near_bits < 0 || vt_duplicates_is_plain(phash))
        return VT_OK;
    if (vt_hamming_index_nearest(f->near, phash, f->options->near_bits, &other, &bits))
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

static vt_status read_pair(vt_shop *shop, const finder *f, const pair *one, list_block *block,
                           vt_error *error)
{
    vt_duplicate *out = &block->list.items[block->list.count];
    *out = (vt_duplicate){.first_picture = f->entries[one->at_first].hash,
                          .second_picture = f->entries[one->at_second].hash,
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

static vt_status fill(vt_shop *shop, finder *f, list_block *block, vt_error *error)
{
    size_t offset = f->options->offset, top = f->options->top;
    vt_status status = vt_hamming_index_new(&f->near, error);
    if (status == VT_OK)
        status = vt_store_each_picture(shop->store, add_entry, f, error);
    if (status == VT_OK)
        status = find_pairs(f, error);
    if (status != VT_OK)
        return status;
    merge_pairs(f);
    block->list.matched = f->pair_count;
    offset = offset < f->pair_count ? offset : f->pair_count;
    top = top < f->pair_count - offset ? top : f->pair_count - offset;
    block->list.items = vt_arena_array(&block->arena, top, sizeof(*block->list.items));
    if (top > 0 && block->list.items == NULL)
        return vt_fail_memory(error, "the duplicates");
    for (size_t i = 0; status == VT_OK && i < top; i++)
        status = read_pair(shop, f, &f->pairs[offset + i], block, error);
    return status;
}

vt_status vt_shop_duplicates(vt_shop *shop, const vt_duplicate_options *options,
                             vt_duplicate_list **out, vt_error *error)
{
    finder f = {.options = options};
    if (options->near_bits > VT_HAMMING_MAX_RADIUS || options->top > MAX_TOP)
        return vt_fail(error, VT_ERR_USAGE,
                       "list duplicates: up to %d bits and %d pairs can be asked for",
                       VT_HAMMING_MAX_RADIUS, MAX_TOP);
    list_block *block = vt_calloc(1, sizeof(*block));
    if (block == NULL)
        return vt_fail_memory(error, "the duplicates");
    vt_arena_init(&block->arena, LIST_BYTES);
    vt_status status = fill(shop, &f, block, error);
    vt_hamming_index_free(f.near);
    vt_free(f.entries);
    vt_free(f.pairs);
    if (status == VT_OK)
        *out = &block->list;
    else
        vt_duplicate_list_free(&block->list);
    return status;
}
