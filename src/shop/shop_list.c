/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Products without a photo: by filter, in an order, a page at a time.
 *
 * The store answers which, how many and in what order from one state of the catalogue; a product
 * that is removed before it is read is left out of the page.
 */
#include "shop/shop.h"

#include "base/clock.h"
#include "store/filter.h"

enum { LIST_BYTES = 1 << 30, MAX_TOP = 10000 };

/* The list and everything it points to. */
typedef struct list_block {
    vt_list list; /* first: the caller holds a pointer to it */
    vt_arena arena;
} list_block;

vt_list_options vt_list_options_defaults(void)
{
    return (vt_list_options){.top = 10, .facet_top = VT_SEARCH_FACET_TOP};
}

void vt_list_free(vt_list *list)
{
    if (list == NULL)
        return;
    list_block *block = (list_block *)list;
    vt_arena_deinit(&block->arena);
    vt_free(block);
}

static vt_status read_products(vt_shop *shop, const vt_selection *selection, list_block *block,
                               vt_error *error)
{
    vt_list *list = &block->list;
    list->products = vt_arena_array(&block->arena, selection->key_count, sizeof(*list->products));
    if (list->products == NULL)
        return vt_fail_memory(error, "a list of products");
    for (size_t i = 0; i < selection->key_count; i++) {
        vt_status status = vt_store_get_by_key(shop->store, selection->keys[i], &block->arena,
                                               &list->products[list->count], error);
        if (status != VT_OK && status != VT_ERR_NOT_FOUND)
            return status;
        list->count += status == VT_OK;
    }
    return VT_OK;
}

static vt_status fill(vt_shop *shop, const vt_list_options *options, list_block *block,
                      vt_error *error)
{
    double started = vt_clock_ms();
    vt_filter *filter = NULL;
    vt_selection selection = {0};
    vt_select what = {.facets = options->facets,
                      .facet_count = options->facet_count,
                      .facet_top =
                          options->facet_top > 0 ? options->facet_top : VT_SEARCH_FACET_TOP,
                      .page = true,
                      .offset = options->offset,
                      .top = options->top};
    vt_status status = vt_search_read_sort(options->sort, &block->arena, &what, error);
    if (status == VT_OK && options->where != NULL && options->where[0] != '\0')
        status = vt_filter_parse(options->where, &filter, error);
    what.filter = filter;
    if (status == VT_OK)
        status = vt_store_select(shop->store, &what, &block->arena, &selection, error);
    vt_filter_free(filter);
    if (status != VT_OK)
        return status;
    vt_idset_free(selection.products);
    block->list = (vt_list){.matched = selection.matched,
                            .total = selection.total,
                            .facets = selection.facets,
                            .facet_count = selection.facet_count,
                            .filter_ms = vt_clock_ms() - started};
    status = read_products(shop, &selection, block, error);
    block->list.total_ms = vt_clock_ms() - started;
    return status;
}

vt_status vt_shop_list(vt_shop *shop, const vt_list_options *options, vt_list **out,
                       vt_error *error)
{
    if (options->top > MAX_TOP)
        return vt_fail(error, VT_ERR_USAGE,
                       "list products: %zu cannot be asked for at once, up to %d can", options->top,
                       MAX_TOP);
    list_block *block = vt_calloc(1, sizeof(*block));
    if (block == NULL)
        return vt_fail_memory(error, "a list of products");
    vt_arena_init(&block->arena, LIST_BYTES);
    vt_status status = fill(shop, options, block, error);
    if (status != VT_OK) {
        vt_list_free(&block->list);
        return status;
    }
    *out = &block->list;
    return VT_OK;
}
