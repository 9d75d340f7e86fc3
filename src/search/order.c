/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Answers in the order of an attribute.
 *
 * Which products are put into order must not depend on the page, or pages would not fit each
 * other: with photos or products they are the VT_SEARCH_SORTED most similar ones that pass
 * everything, by words alone all. The postings then give the page, as they do for lists.
 */
#include "search/search.h"

#include "base/buf.h"
#include "base/mem.h"

#include <stdlib.h>
#include <string.h>

vt_status vt_search_read_sort(const char *sort, vt_arena *arena, vt_select *what, vt_error *error)
{
    if (sort == NULL || sort[0] == '\0')
        return VT_OK;
    if (sort[0] == '-' && sort[1] != '\0') {
        what->descending = true;
        what->sort = vt_arena_strdup(arena, sort + 1);
        return what->sort == NULL ? vt_fail_memory(error, "an order") : VT_OK;
    }
    const char *colon = strrchr(sort, ':'); /* a name may hold colons itself */
    size_t length = strlen(sort);
    if (colon != NULL &&
        (vt_text_equal_nocase(colon, ":asc") || vt_text_equal_nocase(colon, ":desc"))) {
        what->descending = vt_text_equal_nocase(colon, ":desc");
        length = (size_t)(colon - sort);
    }
    what->sort = vt_arena_strndup(arena, sort, length);
    return what->sort == NULL ? vt_fail_memory(error, "an order") : VT_OK;
}

static int by_product(const void *a, const void *b)
{
    const vt_candidate *x = a, *y = b;
    return (x->product > y->product) - (x->product < y->product);
}

/* Liked products are no answers, and must not take places of a page. */
static vt_status leave_likes_out(const vt_search *s, vt_idset *set, vt_error *error)
{
    enum { PRODUCT_BYTES = 64 << 20 };
    vt_arena arena;
    vt_status status = VT_OK;
    vt_arena_init(&arena, PRODUCT_BYTES);
    for (size_t i = 0; status == VT_OK && i < s->query->like_count; i++) {
        vt_product product;
        status =
            vt_store_get(s->searcher->store, s->query->likes[i].product, &arena, &product, error);
        if (status == VT_OK)
            vt_idset_remove(set, product.key);
        else if (status == VT_ERR_NOT_FOUND) /* removed since */
            status = VT_OK;
        vt_arena_reset(&arena);
    }
    vt_arena_deinit(&arena);
    return status;
}

/* The page's products, each with what is known of it. */
static vt_status take_page(const vt_selection *page, vt_candidate *all, size_t *count,
                           vt_error *error)
{
    vt_candidate *taken = vt_alloc_array(page->key_count, sizeof *taken);
    if (taken == NULL)
        return vt_fail_memory(error, "a page of products");
    size_t room = *count;
    qsort(all, room, sizeof *all, by_product);
    *count = 0;
    for (size_t i = 0; i < page->key_count; i++) {
        vt_candidate wanted = {.product = page->keys[i]};
        const vt_candidate *found = bsearch(&wanted, all, room, sizeof *all, by_product);
        if (found != NULL)
            taken[(*count)++] = *found;
    }
    memcpy(all, taken, *count * sizeof *all);
    vt_free(taken);
    return VT_OK;
}

vt_status vt_search_order(const vt_search *s, vt_candidate *all, size_t *count, vt_error *error)
{
    vt_idset *set = NULL;
    vt_selection page = {0};
    vt_select what = {.page = true, .offset = s->query->offset, .top = s->query->top};
    vt_status status = vt_search_read_sort(s->query->sort, s->arena, &what, error);
    if (status == VT_OK)
        status = vt_idset_new(&set, error);
    for (size_t i = 0; status == VT_OK && i < *count; i++)
        status = vt_idset_add(set, all[i].product, error);
    if (status == VT_OK)
        status = leave_likes_out(s, set, error);
    what.within = set;
    if (status == VT_OK)
        status = vt_store_select(s->searcher->store, &what, s->arena, &page, error);
    if (status == VT_OK)
        status = take_page(&page, all, count, error);
    vt_idset_free(page.products);
    vt_idset_free(set);
    return status;
}
