/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One question to the postings: which products, how many with each value, and a page of them in an
 * order.
 *
 * Facets: the size of each value's set within the products asked for, which needs no set to be
 * made; numbers by one walk over the sorted column.
 *
 * Pages: a walk over the column in its order, taking from the products those that have the value at
 * hand, until the page is full. A product with several values stands where the first of them is.
 * Those without a value come last, by key.
 */
#include "store/postings.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* ---- facets ---- */

typedef struct tally {
    vt_facet_value *values;
    size_t count, capacity;
} tally;

static vt_status count_value(tally *t, const char *text, double number, uint64_t products,
                             vt_error *error)
{
    if (products == 0)
        return VT_OK;
    if (!vt_grow((void **)&t->values, &t->capacity, t->count + 1, sizeof *t->values,
                 SIZE_MAX / sizeof *t->values))
        return vt_fail_memory(error, "the values of a facet");
    t->values[t->count++] = (vt_facet_value){text, number, products};
    return VT_OK;
}

static vt_status count_texts(const vt_text_column *texts, const vt_idset *products, tally *t,
                             vt_error *error)
{
    vt_status status = VT_OK;
    for (size_t i = 0; status == VT_OK && i < texts->count; i++) {
        const vt_text_value *value = &texts->values[i];
        uint64_t count = value->products != NULL
                             ? vt_idset_common_count(value->products, products)
                             : value->only != 0 && vt_idset_has(products, value->only);
        status = count_value(t, value->text, (double)NAN, count, error);
    }
    return status;
}

static vt_status count_numbers(const vt_number_column *numbers, const vt_idset *products, tally *t,
                               vt_facet *facet, vt_error *error)
{
    vt_status status = VT_OK;
    double value = 0.0;
    uint64_t count = 0;
    for (size_t i = 0; status == VT_OK && i < numbers->block_count; i++) {
        const vt_number_block *block = &numbers->blocks[i];
        for (size_t at = 0; status == VT_OK && at < block->count; at++) {
            if (!vt_idset_has(products, block->entries[at].product))
                continue;
            if (count > 0 && block->entries[at].value != value) {
                status = count_value(t, NULL, value, count, error);
                count = 0;
            }
            value = block->entries[at].value;
            count++;
            facet->minimum = isnan(facet->minimum) ? value : facet->minimum;
            facet->maximum = value;
        }
    }
    return status == VT_OK ? count_value(t, NULL, value, count, error) : status;
}

static int compare_values(const void *a, const void *b)
{
    const vt_facet_value *x = a, *y = b;
    if (x->products != y->products)
        return x->products > y->products ? -1 : 1;
    if ((x->text == NULL) != (y->text == NULL))
        return x->text == NULL ? -1 : 1; /* numbers before texts */
    if (x->text != NULL)
        return strcmp(x->text, y->text);
    return (x->number > y->number) - (x->number < y->number);
}

/* The postings may change after the question: what is handed out is copied. */
static vt_status keep_values(const tally *t, size_t top, vt_arena *arena, vt_facet *facet,
                             vt_error *error)
{
    facet->count = t->count < top ? t->count : top;
    facet->values = vt_arena_array(arena, facet->count, sizeof *facet->values);
    if (facet->values == NULL)
        return vt_fail_memory(error, "the values of a facet");
    for (size_t i = 0; i < facet->count; i++) {
        facet->values[i] = t->values[i];
        if (t->values[i].text == NULL)
            continue;
        facet->values[i].text = vt_arena_strdup(arena, t->values[i].text);
        if (facet->values[i].text == NULL)
            return vt_fail_memory(error, "the values of a facet");
    }
    return VT_OK;
}

static vt_status count_facet(const vt_postings *p, const char *name, const vt_idset *products,
                             size_t top, vt_arena *arena, vt_facet *facet, vt_error *error)
{
    size_t index = 0;
    vt_status status = vt_postings_resolve(p, name, false, "facets", &index, error);
    if (status != VT_OK)
        return status;
    const vt_posting_column *column = &p->columns[index];
    tally t = {0};
    *facet = (vt_facet){.name = vt_arena_strdup(arena, column->name),
                        .minimum = (double)NAN,
                        .maximum = (double)NAN};
    facet->products = vt_idset_common_count(column->present, products);
    if (facet->name == NULL)
        return vt_fail_memory(error, "a facet");
    status = count_texts(&column->texts, products, &t, error);
    if (status == VT_OK)
        status = count_numbers(&column->numbers, products, &t, facet, error);
    facet->distinct = t.count;
    if (status == VT_OK && t.count > 0)
        qsort(t.values, t.count, sizeof *t.values, compare_values);
    if (status == VT_OK)
        status = keep_values(&t, top, arena, facet, error);
    vt_free(t.values);
    return status;
}

/* ---- pages ---- */

typedef struct pager {
    vt_idset *remaining; /* not met yet, owned */
    size_t skip;         /* of those that come next */
    uint32_t *keys;
    size_t count, wanted;
} pager;

/* False: the page is full. */
static bool meet(pager *g, uint32_t product)
{
    if (g->skip > 0)
        g->skip--;
    else
        g->keys[g->count++] = product;
    return g->count < g->wanted;
}

/* The keys of a set, the last ones first where `descending`. */
static vt_status meet_set(pager *g, const vt_idset *set, bool descending, vt_error *error)
{
    uint64_t count = vt_idset_count(set);
    if (count <= g->skip) {
        g->skip -= (size_t)count;
        return VT_OK;
    }
    uint32_t *keys = vt_alloc_array((size_t)count, sizeof *keys);
    size_t at = 0;
    if (keys == NULL)
        return vt_fail_memory(error, "a page of products");
    for (vt_idset_cursor c = vt_idset_begin(set); c.valid; vt_idset_next(&c))
        keys[at++] = c.id;
    for (size_t i = 0; i < at; i++)
        if (!meet(g, keys[descending ? at - 1 - i : i]))
            break;
    vt_free(keys);
    return VT_OK;
}

static vt_status walk_texts(pager *g, const vt_text_column *texts, bool descending, vt_error *error)
{
    vt_status status = VT_OK;
    for (size_t i = 0; status == VT_OK && i < texts->ordered && g->count < g->wanted; i++) {
        size_t place = descending ? texts->ordered - 1 - i : i;
        const vt_text_value *value = &texts->values[texts->order[place]];
        if (value->products == NULL) {
            if (value->only != 0 && vt_idset_has(g->remaining, value->only)) {
                vt_idset_remove(g->remaining, value->only);
                meet(g, value->only);
            }
            continue;
        }
        vt_idset *here = NULL;
        status = vt_idset_common(value->products, g->remaining, &here, error);
        if (status == VT_OK)
            status = vt_idset_subtract(g->remaining, here, error);
        if (status == VT_OK)
            status = meet_set(g, here, descending, error);
        vt_idset_free(here);
    }
    return status;
}

static void walk_numbers(pager *g, const vt_number_column *numbers, bool descending)
{
    for (size_t i = 0; i < numbers->block_count && g->count < g->wanted; i++) {
        const vt_number_block *block =
            &numbers->blocks[descending ? numbers->block_count - 1 - i : i];
        for (size_t j = 0; j < block->count && g->count < g->wanted; j++) {
            uint32_t product = block->entries[descending ? block->count - 1 - j : j].product;
            if (!vt_idset_has(g->remaining, product))
                continue;
            vt_idset_remove(g->remaining, product);
            meet(g, product);
        }
    }
}

static vt_status walk(vt_postings *p, const vt_select *what, pager *g, vt_error *error)
{
    size_t index = 0;
    if (what->sort == NULL)
        return meet_set(g, g->remaining, what->descending, error);
    vt_status status = vt_postings_resolve(p, what->sort, false, "sort", &index, error);
    if (status == VT_OK)
        status = vt_postings_sorted(p, index, error);
    if (status != VT_OK)
        return status;
    const vt_posting_column *column = &p->columns[index];
    if (!what->descending)
        walk_numbers(g, &column->numbers, false);
    if (g->count < g->wanted)
        status = walk_texts(g, &column->texts, what->descending, error);
    if (status == VT_OK && what->descending && g->count < g->wanted)
        walk_numbers(g, &column->numbers, true);
    if (status == VT_OK && g->count < g->wanted)
        status = meet_set(g, g->remaining, false, error);
    return status;
}

static vt_status take_page(vt_postings *p, const vt_select *what, vt_arena *arena,
                           vt_selection *selection, vt_error *error)
{
    uint64_t left = selection->matched > what->offset ? selection->matched - what->offset : 0;
    pager g = {.skip = what->offset, .wanted = left < what->top ? (size_t)left : what->top};
    if (g.wanted == 0 && what->sort == NULL)
        return VT_OK;
    g.keys = vt_arena_array(arena, g.wanted, sizeof *g.keys);
    if (g.keys == NULL)
        return vt_fail_memory(error, "a page of products");
    vt_status status = vt_idset_dup(selection->products, &g.remaining, error);
    if (status == VT_OK)
        status = walk(p, what, &g, error); /* also for no product: the name may be wrong */
    vt_idset_free(g.remaining);
    selection->keys = g.keys;
    selection->key_count = g.count;
    return status;
}

/* ---- the whole ---- */

vt_status vt_postings_select(vt_postings *p, const vt_select *what, vt_arena *arena,
                             vt_selection *out, vt_error *error)
{
    vt_selection s = {.total = vt_idset_count(p->all), .facet_count = what->facet_count};
    vt_status status = what->filter != NULL
                           ? vt_postings_filter(p, what->filter, &s.products, error)
                           : vt_idset_dup(p->all, &s.products, error);
    if (status == VT_OK && what->within != NULL)
        status = vt_idset_and(s.products, what->within, error);
    if (status != VT_OK) {
        vt_idset_free(s.products);
        return status;
    }
    s.matched = vt_idset_count(s.products);
    s.facets = vt_arena_array(arena, what->facet_count, sizeof *s.facets);
    if (s.facets == NULL)
        status = vt_fail_memory(error, "facets");
    for (size_t i = 0; status == VT_OK && i < what->facet_count; i++)
        status = count_facet(p, what->facets[i], s.products, what->facet_top, arena, &s.facets[i],
                             error);
    if (status == VT_OK && what->page)
        status = take_page(p, what, arena, &s, error);
    if (status == VT_OK)
        *out = s;
    else
        vt_idset_free(s.products);
    return status;
}
