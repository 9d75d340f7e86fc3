/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Whether postings that were kept in step hold the same as postings built anew, and whether what
 * they derive from their entries (blocks, bitmaps at intervals) fits them.
 */
#include "store/postings.h"

#include <string.h>

static vt_status differ(const char *column, const char *what, vt_error *error)
{
    return vt_fail(error, VT_ERR_CORRUPT,
                   "check postings: attribute \"%.60s\" in memory differs from the database: %s",
                   column, what);
}

static vt_status compare_value(const char *column, const vt_text_value *have,
                               const vt_text_value *want, vt_error *error)
{
    vt_idset *sets[2] = {NULL, NULL};
    const vt_text_value *const values[2] = {have, want};
    vt_status status = VT_OK;
    for (int i = 0; status == VT_OK && i < 2; i++) {
        status = values[i]->products != NULL ? vt_idset_dup(values[i]->products, &sets[i], error)
                                             : vt_idset_new(&sets[i], error);
        if (status == VT_OK && values[i]->only != 0)
            status = vt_idset_add(sets[i], values[i]->only, error);
    }
    if (status == VT_OK && !vt_idset_equal(sets[0], sets[1]))
        status = differ(column, "the products of a text", error);
    vt_idset_free(sets[0]);
    vt_idset_free(sets[1]);
    return status;
}

static vt_status compare_texts(const char *column, const vt_text_column *have,
                               const vt_text_column *want, vt_error *error)
{
    if (have->count - have->dead != want->count - want->dead)
        return differ(column, "how many texts there are", error);
    vt_status status = VT_OK;
    for (size_t i = 0; status == VT_OK && i < want->count; i++) {
        uint32_t value;
        if (want->values[i].products == NULL && want->values[i].only == 0)
            continue;
        status = vt_text_column_find(have, want->values[i].text, &value)
                     ? compare_value(column, &have->values[value], &want->values[i], error)
                     : differ(column, "a text is missing", error);
    }
    return status;
}

static vt_status check_blocks(const char *name, const vt_number_column *column, vt_error *error)
{
    vt_idset *below = NULL;
    const vt_number_entry *last = NULL;
    size_t count = 0;
    vt_status status = vt_idset_new(&below, error);
    for (size_t i = 0; status == VT_OK && i < column->block_count; i++) {
        const vt_number_block *block = &column->blocks[i];
        if (!vt_idset_equal(block->below, below) || block->count >= column->limit)
            status = differ(name, "a block's products", error);
        for (size_t j = 0; status == VT_OK && j < block->count; j++) {
            const vt_number_entry *entry = &block->entries[j];
            if (last != NULL && (last->value > entry->value ||
                                 (last->value == entry->value && last->product >= entry->product)))
                status = differ(name, "the order of the numbers", error);
            last = entry;
            count++;
            if (status == VT_OK)
                status = vt_idset_add(below, entry->product, error);
        }
    }
    if (status == VT_OK && column->block_count > 0 &&
        (!vt_idset_equal(column->all, below) || count != column->count))
        status = differ(name, "the products with numbers", error);
    vt_idset_free(below);
    return status;
}

/* The entry at this place of the whole column. */
static const vt_number_entry *entry_at(const vt_number_column *column, vt_number_place *place)
{
    while (place->at >= column->blocks[place->block].count) {
        place->block++;
        place->at = 0;
    }
    return &column->blocks[place->block].entries[place->at++];
}

static vt_status compare_numbers(const char *name, const vt_number_column *have,
                                 const vt_number_column *want, vt_error *error)
{
    vt_status status = check_blocks(name, have, error);
    if (status == VT_OK && have->count != want->count)
        status = differ(name, "how many numbers there are", error);
    vt_number_place a = {0}, b = {0};
    for (size_t i = 0; status == VT_OK && i < want->count; i++) {
        const vt_number_entry *one = entry_at(have, &a), *other = entry_at(want, &b);
        if (one->value != other->value || one->product != other->product)
            status = differ(name, "a number", error);
    }
    return status;
}

static vt_status compare_column(const vt_postings *have, const vt_posting_column *want,
                                vt_error *error)
{
    size_t index;
    if (!vt_postings_find_column(have, want->name, &index))
        return vt_idset_begin(want->present).valid ? differ(want->name, "it is missing", error)
                                                   : VT_OK;
    const vt_posting_column *column = &have->columns[index];
    if (!vt_idset_equal(column->present, want->present))
        return differ(want->name, "the products that have it", error);
    vt_status status = compare_texts(want->name, &column->texts, &want->texts, error);
    return status != VT_OK ? status
                           : compare_numbers(want->name, &column->numbers, &want->numbers, error);
}

vt_status vt_postings_compare(vt_postings *have, vt_postings *want, vt_error *error)
{
    if (!vt_idset_equal(have->all, want->all))
        return vt_fail(error, VT_ERR_CORRUPT,
                       "check postings: memory has other products than the database");
    vt_status status = VT_OK;
    for (size_t i = 0; status == VT_OK && i < want->column_count; i++)
        status = compare_column(have, &want->columns[i], error);
    for (size_t i = 0; status == VT_OK && i < have->column_count; i++) {
        size_t index;
        if (vt_idset_begin(have->columns[i].present).valid &&
            !vt_postings_find_column(want, have->columns[i].name, &index))
            status = differ(have->columns[i].name, "the database has no such", error);
    }
    return status;
}
