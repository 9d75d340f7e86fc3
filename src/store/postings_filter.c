/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A filter and all products at once.
 *
 * Method: the filter's steps over a stack of sets. A set is borrowed from the postings as long as
 * nothing is joined into it, so that `category = 'shoes'` alone copies one bitmap and no more. A
 * comparison gathers the sets and single products of all values that satisfy it and unites them in
 * one go. filter_match.c says what must come out.
 */
#include "store/postings.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

enum { FEW_ENTRIES = 4096 };

typedef struct operand {
    vt_idset *owned; /* NULL: `set` is borrowed */
    const vt_idset *set;
} operand;

/* What a comparison is true for, in pieces. */
typedef struct gathered {
    const vt_idset **sets; /* borrowed */
    size_t set_count, set_capacity;
    uint32_t *products;
    size_t product_count, product_capacity;
    vt_idset *range; /* owned; NULL: none */
} gathered;

static vt_status no_memory(vt_error *error)
{
    return vt_fail_memory(error, "the products that pass a filter");
}

static void gathered_deinit(gathered *g)
{
    vt_free(g->sets);
    vt_free(g->products);
    vt_idset_free(g->range);
}

static vt_status gather_product(gathered *g, uint32_t product, vt_error *error)
{
    if (!vt_grow((void **)&g->products, &g->product_capacity, g->product_count + 1,
                 sizeof *g->products, SIZE_MAX / sizeof *g->products))
        return no_memory(error);
    g->products[g->product_count++] = product;
    return VT_OK;
}

static vt_status gather_value(gathered *g, const vt_text_value *value, vt_error *error)
{
    if (value->products == NULL)
        return value->only == 0 ? VT_OK : gather_product(g, value->only, error);
    if (!vt_grow((void **)&g->sets, &g->set_capacity, g->set_count + 1, sizeof *g->sets,
                 SIZE_MAX / sizeof *g->sets))
        return no_memory(error);
    g->sets[g->set_count++] = value->products;
    return VT_OK;
}

/* The numbers in [from, to). */
static vt_status gather_numbers(gathered *g, const vt_number_column *numbers, vt_number_place from,
                                vt_number_place to, vt_error *error)
{
    vt_status status = VT_OK;
    if (vt_number_column_between(numbers, from, to, FEW_ENTRIES) <= FEW_ENTRIES) {
        for (size_t i = from.block; status == VT_OK && i <= to.block && i < numbers->block_count;
             i++) {
            const vt_number_block *block = &numbers->blocks[i];
            size_t end = i == to.block ? to.at : block->count;
            for (size_t at = i == from.block ? from.at : 0; status == VT_OK && at < end; at++)
                status = gather_product(g, block->entries[at].product, error);
        }
        return status;
    }
    vt_idset *range = NULL;
    status = vt_number_column_range(numbers, from, to, &range, error);
    if (status == VT_OK && g->range != NULL)
        status = vt_idset_or(g->range, range, error);
    else if (status == VT_OK) {
        g->range = range;
        range = NULL;
    }
    vt_idset_free(range);
    return status;
}

static vt_status gather_any_of(gathered *g, const vt_posting_column *column,
                               const vt_filter_step *step, vt_error *error)
{
    vt_status status = VT_OK;
    for (size_t i = 0; status == VT_OK && i < step->value_count; i++) {
        const vt_filter_value *wanted = &step->values[i];
        uint32_t value;
        if (vt_text_column_find(&column->texts, wanted->text, &value))
            status = gather_value(g, &column->texts.values[value], error);
        if (status == VT_OK && !isnan(wanted->number))
            status = gather_numbers(g, &column->numbers,
                                    vt_number_column_bound(&column->numbers, wanted->number, false),
                                    vt_number_column_bound(&column->numbers, wanted->number, true),
                                    error);
    }
    return status;
}

static vt_status gather_number_range(gathered *g, const vt_number_column *numbers,
                                     const vt_filter_step *step, vt_error *error)
{
    const vt_filter_value *low = &step->values[0], *high = &step->values[1];
    vt_number_place from = {0}, to = {.block = numbers->block_count - 1};
    if (numbers->block_count == 0)
        return VT_OK;
    to.at = numbers->blocks[to.block].count;
    if (low->text != NULL)
        from = vt_number_column_bound(numbers, low->number, low->excluded);
    if (high->text != NULL)
        to = vt_number_column_bound(numbers, high->number, !high->excluded);
    if (from.block > to.block || (from.block == to.block && from.at >= to.at))
        return VT_OK;
    return gather_numbers(g, numbers, from, to, error);
}

static vt_status gather_text_range(gathered *g, const vt_text_column *texts,
                                   const vt_filter_step *step, vt_error *error)
{
    const vt_filter_value *low = &step->values[0], *high = &step->values[1];
    size_t from = 0, to = texts->ordered;
    vt_status status = VT_OK;
    if (low->text != NULL)
        from = vt_text_column_bound(texts, low->text, low->excluded);
    if (high->text != NULL)
        to = vt_text_column_bound(texts, high->text, !high->excluded);
    for (size_t i = from; status == VT_OK && i < to; i++)
        status = gather_value(g, &texts->values[texts->order[i]], error);
    return status;
}

/* Those that begin with the pattern's fixed part lie together in the order. */
static vt_status gather_like(gathered *g, const vt_text_column *texts, const char *pattern,
                             vt_error *error)
{
    bool whole;
    char *prefix = vt_alloc(strlen(pattern) + 1);
    if (prefix == NULL)
        return no_memory(error);
    size_t length = vt_like_prefix(pattern, prefix, &whole);
    vt_status status = VT_OK;
    for (size_t i = vt_text_column_bound(texts, prefix, false);
         status == VT_OK && i < texts->ordered; i++) {
        const vt_text_value *value = &texts->values[texts->order[i]];
        if (strncmp(value->text, prefix, length) != 0)
            break;
        if (whole || vt_like_matches(pattern, value->text))
            status = gather_value(g, value, error);
    }
    vt_free(prefix);
    return status;
}

static vt_status gather(vt_postings *p, const vt_filter_step *step, gathered *g, vt_error *error)
{
    const vt_posting_column *column = &p->columns[step->column];
    if (step->kind == VT_FILTER_ANY_OF)
        return gather_any_of(g, column, step, error);
    bool range = step->kind == VT_FILTER_RANGE;
    bool of_numbers = range && ((step->values[0].text != NULL && !step->values[0].quoted) ||
                                (step->values[1].text != NULL && !step->values[1].quoted));
    if (of_numbers)
        return gather_number_range(g, &column->numbers, step, error);
    vt_status status = vt_postings_sorted(p, step->column, error);
    if (status != VT_OK)
        return status;
    return range ? gather_text_range(g, &column->texts, step, error)
                 : gather_like(g, &column->texts, step->values[0].text, error);
}

/* ---- operands ---- */

static operand lend(const vt_idset *set)
{
    return (operand){.set = set};
}

static operand own(vt_idset *set)
{
    return (operand){.owned = set, .set = set};
}

static vt_status unite(const gathered *g, operand *out, vt_error *error)
{
    if (g->set_count == 1 && g->product_count == 0 && g->range == NULL) {
        *out = lend(g->sets[0]);
        return VT_OK;
    }
    vt_idset *set = NULL;
    vt_status status = vt_idset_union(g->sets, g->set_count, &set, error);
    if (status == VT_OK && g->product_count > 0)
        status = vt_idset_add_many(set, g->products, g->product_count, error);
    if (status == VT_OK && g->range != NULL)
        status = vt_idset_or(set, g->range, error);
    if (status == VT_OK)
        *out = own(set);
    else
        vt_idset_free(set);
    return status;
}

static vt_status subtract(const vt_idset *from, operand *one, vt_error *error)
{
    vt_idset *rest = NULL;
    vt_status status = vt_idset_difference(from, one->set, &rest, error);
    vt_idset_free(one->owned);
    *one = own(rest);
    return status;
}

static vt_status compare(vt_postings *p, const vt_filter_step *step, operand *out, vt_error *error)
{
    const vt_idset *present = p->columns[step->column].present;
    if (step->kind == VT_FILTER_PRESENT) {
        *out = lend(present);
        return step->negated ? subtract(p->all, out, error) : VT_OK;
    }
    gathered g = {0};
    vt_status status = gather(p, step, &g, error);
    if (status == VT_OK)
        status = unite(&g, out, error);
    gathered_deinit(&g);
    return status == VT_OK && step->negated ? subtract(present, out, error) : status;
}

/* left = left AND right, or OR; right is gone. */
static vt_status join(operand *left, operand *right, bool and, vt_error *error)
{
    vt_status status;
    if (left->owned == NULL && right->owned != NULL) {
        operand swap = *left;
        *left = *right;
        *right = swap;
    }
    if (left->owned != NULL) {
        status = and? vt_idset_and(left->owned, right->set, error)
                    : vt_idset_or(left->owned, right->set, error);
    } else {
        vt_idset *set = NULL;
        const vt_idset *const both[] = {left->set, right->set};
        status = and? vt_idset_common(left->set, right->set, &set, error)
                    : vt_idset_union(both, 2, &set, error);
        *left = own(set);
    }
    vt_idset_free(right->owned);
    *right = (operand){0};
    return status;
}

static vt_status run(vt_postings *p, const vt_filter *filter, operand *stack, vt_error *error)
{
    size_t depth = 0;
    vt_status status = VT_OK;
    for (size_t i = 0; status == VT_OK && i < filter->step_count; i++) {
        const vt_filter_step *step = &filter->steps[i];
        if (step->kind == VT_FILTER_AND || step->kind == VT_FILTER_OR) {
            depth--;
            status = join(&stack[depth - 1], &stack[depth], step->kind == VT_FILTER_AND, error);
        } else {
            status = compare(p, step, &stack[depth++], error);
        }
    }
    return status;
}

static vt_status resolve(const vt_postings *p, vt_filter *filter, vt_error *error)
{
    for (size_t i = 0; i < filter->step_count; i++) {
        vt_filter_step *step = &filter->steps[i];
        if (step->name == NULL)
            continue;
        char where[64];
        snprintf(where, sizeof where, "filter, column %zu", step->position);
        vt_status status =
            vt_postings_resolve(p, step->name, step->quoted, where, &step->column, error);
        if (status != VT_OK)
            return status;
        const char *name = p->columns[step->column].name;
        if (strcmp(name, step->name) == 0)
            continue;
        step->name = vt_arena_strdup(&filter->arena, name);
        if (step->name == NULL)
            return vt_fail_memory(error, "a filter");
    }
    return VT_OK;
}

vt_status vt_postings_filter(vt_postings *p, vt_filter *filter, vt_idset **out, vt_error *error)
{
    vt_status status = resolve(p, filter, error);
    if (status != VT_OK)
        return status;
    operand *stack = vt_calloc(filter->stack_depth, sizeof *stack);
    if (stack == NULL)
        return no_memory(error);
    status = run(p, filter, stack, error);
    vt_idset *set = NULL;
    if (status == VT_OK && stack[0].owned != NULL) {
        set = stack[0].owned;
        stack[0].owned = NULL;
    } else if (status == VT_OK) {
        status = vt_idset_dup(stack[0].set, &set, error);
    }
    for (size_t i = 0; i < filter->stack_depth; i++)
        vt_idset_free(stack[i].owned);
    vt_free(stack);
    if (status == VT_OK)
        *out = set;
    return status;
}
