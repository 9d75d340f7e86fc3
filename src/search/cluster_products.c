/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The products to be grouped: those that pass the filter, from one state of the catalogue, each
 * with the mean direction of its pictures (as likes.c has it) and the words that are said of it.
 *
 * A product that is removed meanwhile, or has no vector of the shop's model, is left out.
 */
#include "search/cluster.h"

#include "store/filter.h"
#include "vector/distance.h"

#include <string.h>

enum { PROGRESS_PRODUCTS = 256, ONE_PRODUCT_BYTES = 64 << 20 };

static const size_t text_bytes = (size_t)4 << 30;

void vt_cluster_products_deinit(vt_cluster_products *products)
{
    vt_arena_deinit(&products->arena);
    vt_vocabulary_deinit(&products->vocabulary);
    vt_free(products->vectors);
    vt_free(products->members);
    vt_free(products->words);
    vt_free(products->starts);
}

static vt_status read_one(const vt_searcher *searcher, uint32_t key, vt_arena *arena, float *one,
                          vt_cluster_products *out, vt_error *error)
{
    vt_product product = {0};
    bool found = false;
    vt_arena_reset(arena);
    vt_status status = vt_store_get_by_key(searcher->store, key, arena, &product, error);
    if (status == VT_ERR_NOT_FOUND)
        return VT_OK;
    if (status == VT_OK)
        status = vt_search_direction(searcher, &product, out->vectors + out->count * out->dim, one,
                                     &found, error);
    if (status != VT_OK)
        return status;
    if (!found) {
        out->left_out++;
        return VT_OK;
    }
    vt_cluster_member *member = &out->members[out->count];
    member->product = vt_arena_strdup(&out->arena, product.id);
    member->title = product.title != NULL ? vt_arena_strdup(&out->arena, product.title) : NULL;
    member->picture = product.pictures[0].hash;
    if (member->product == NULL || (product.title != NULL && member->title == NULL))
        return vt_fail_memory(error, "the products to group");
    status = vt_cluster_words_add(out, &product, error);
    if (status == VT_OK)
        out->starts[++out->count] = out->word_count;
    return status;
}

static vt_status read_all(const vt_searcher *searcher, const vt_cluster_options *options,
                          const vt_idset *keys, vt_cluster_products *out, vt_error *error)
{
    uint64_t total = vt_idset_count(keys), done = 0;
    out->dim = searcher->dim;
    out->vectors = vt_alloc_array(total, searcher->dim * sizeof *out->vectors);
    out->members = vt_calloc(total, sizeof *out->members);
    out->starts = vt_calloc(total + 1, sizeof *out->starts);
    float *one = vt_alloc_array(searcher->dim, sizeof *one);
    vt_arena arena;
    vt_arena_init(&arena, ONE_PRODUCT_BYTES);
    vt_status status = VT_OK;
    if (out->vectors == NULL || out->members == NULL || out->starts == NULL || one == NULL)
        status = vt_fail_memory(error, "the products to group");
    if (status == VT_OK)
        for (vt_idset_cursor c = vt_idset_begin(keys); status == VT_OK && c.valid;
             vt_idset_next(&c)) {
            if (done++ % PROGRESS_PRODUCTS == 0 && options->on_progress != NULL &&
                !options->on_progress(options->context, done - 1, total))
                status = vt_fail(error, VT_ERR_CANCELLED, "group products: cancelled");
            else
                status = read_one(searcher, c.id, &arena, one, out, error);
        }
    vt_arena_deinit(&arena);
    vt_free(one);
    return status;
}

vt_status vt_cluster_products_read(const vt_searcher *searcher, const vt_cluster_options *options,
                                   vt_cluster_products *out, vt_error *error)
{
    vt_filter *filter = NULL;
    vt_selection selection = {0};
    vt_arena arena;
    vt_status status = VT_OK;
    vt_arena_init(&arena, ONE_PRODUCT_BYTES);
    vt_arena_init(&out->arena, text_bytes);
    if (options->where != NULL && options->where[0] != '\0')
        status = vt_filter_parse(options->where, &filter, error);
    vt_select what = {.filter = filter};
    if (status == VT_OK)
        status = vt_store_select(searcher->store, &what, &arena, &selection, error);
    if (status == VT_OK)
        status = read_all(searcher, options, selection.products, out, error);
    vt_idset_free(selection.products);
    vt_filter_free(filter);
    vt_arena_deinit(&arena);
    if (status == VT_OK && out->count == 0)
        status = vt_fail(error, VT_ERR_NOT_FOUND, "group products: %s has a vector",
                         selection.total == 0 ? "the shop is empty, no product"
                                              : "no product that passes the filter");
    return status;
}
