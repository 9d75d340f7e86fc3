/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One column's texts: text -> products.
 *
 * Method: values are numbered as they come; a hash table leads from the text to the number. Most
 * columns have few values with many products, for which a bitmap each is small; ids and titles have
 * as many values as there are products, so that a value with a single product holds it in place. An
 * array in order of the texts (bytes, which is the order of code points) is made when a question
 * needs it, and later values are merged in then.
 *
 * A value that no product has stays, dead, until the postings are built anew.
 */
#include "store/postings.h"

#include "base/hash.h"

#include <stdlib.h>
#include <string.h>

enum { FIRST_SLOTS = 16 };

void vt_text_column_deinit(vt_text_column *column)
{
    for (size_t i = 0; i < column->count; i++)
        vt_idset_free(column->values[i].products);
    vt_free(column->values);
    vt_free(column->slots);
    vt_free(column->order);
    *column = (vt_text_column){0};
}

static uint32_t hash_of(const char *text)
{
    return (uint32_t)vt_table_hash(text, strlen(text));
}

static bool is_value(const vt_text_value *value, const char *text, uint32_t hash)
{
    return value->hash == hash && strcmp(value->text, text) == 0;
}

/* The slot of this text, or the free one where it belongs. */
static uint32_t *find_slot(const vt_text_column *column, const char *text, uint32_t hash)
{
    size_t mask = column->slot_count - 1, at = hash & mask;
    uint32_t *slots = column->slots;
    while (slots[at] != 0 && !is_value(&column->values[slots[at] - 1], text, hash))
        at = (at + 1) & mask;
    return &slots[at];
}

static void slots_fill(const vt_text_column *column, uint32_t *slots, size_t count)
{
    for (size_t i = 0; i < column->count; i++) { /* all differ: no text is looked at */
        size_t at = column->values[i].hash & (count - 1);
        while (slots[at] != 0)
            at = (at + 1) & (count - 1);
        slots[at] = (uint32_t)i + 1;
    }
}

static bool grow_slots(vt_text_column *column)
{
    size_t count = column->slot_count == 0 ? FIRST_SLOTS : 2 * column->slot_count;
    uint32_t *slots = vt_calloc(count, sizeof *slots);
    if (slots == NULL)
        return false;
    slots_fill(column, slots, count);
    vt_free(column->slots);
    column->slots = slots;
    column->slot_count = count;
    return true;
}

bool vt_text_column_find(const vt_text_column *column, const char *text, uint32_t *value)
{
    if (column->slot_count == 0)
        return false;
    uint32_t slot = *find_slot(column, text, hash_of(text));
    if (slot == 0)
        return false;
    *value = slot - 1;
    return true;
}

vt_status vt_text_column_intern(vt_text_column *column, vt_arena *arena, const char *text,
                                uint32_t *value, vt_error *error)
{
    uint32_t hash = hash_of(text);
    uint32_t slot = column->slot_count == 0 ? 0 : *find_slot(column, text, hash);
    if (slot != 0) {
        *value = slot - 1;
        return VT_OK;
    }
    if ((column->count >= column->slot_count / 3 * 2 && !grow_slots(column)) ||
        !vt_grow((void **)&column->values, &column->capacity, column->count + 1,
                 sizeof *column->values, UINT32_MAX - 1))
        return vt_fail_memory(error, "the postings of a catalogue");
    char *copy = vt_arena_strdup(arena, text);
    if (copy == NULL)
        return vt_fail_memory(error, "the postings of a catalogue");
    column->values[column->count] = (vt_text_value){.text = copy, .hash = hash};
    column->dead++;
    *value = (uint32_t)column->count++;
    *find_slot(column, text, hash) = *value + 1;
    return VT_OK;
}

vt_status vt_text_column_add(vt_text_column *column, uint32_t value, uint32_t product, bool *added,
                             vt_error *error)
{
    vt_text_value *one = &column->values[value];
    *added = false;
    if (one->products == NULL && one->only == product)
        return VT_OK;
    if (one->products == NULL && one->only == 0) {
        one->only = product;
        column->dead--;
        *added = true;
        return VT_OK;
    }
    vt_status status = VT_OK;
    if (one->products == NULL) {
        status = vt_idset_new(&one->products, error);
        if (status == VT_OK)
            status = vt_idset_add(one->products, one->only, error);
        one->only = 0;
    }
    if (status != VT_OK || vt_idset_has(one->products, product))
        return status;
    *added = true;
    return vt_idset_add(one->products, product, error);
}

void vt_text_column_remove(vt_text_column *column, uint32_t value, uint32_t product)
{
    vt_text_value *one = &column->values[value];
    if (one->products != NULL) {
        vt_idset_remove(one->products, product);
        if (vt_idset_begin(one->products).valid)
            return;
        vt_idset_free(one->products);
        one->products = NULL;
        column->dead++;
    } else if (one->only == product) {
        one->only = 0;
        column->dead++;
    }
}

/* ---- order ---- */

typedef struct sort_item {
    const char *text;
    uint32_t value;
} sort_item;

static int compare_items(const void *a, const void *b)
{
    return strcmp(((const sort_item *)a)->text, ((const sort_item *)b)->text);
}

/* Merges the sorted new items into the order, from the end, in place. */
static void merge(vt_text_column *column, const sort_item *items, size_t count)
{
    size_t old = column->ordered, to = old + count;
    while (count > 0) {
        const char *text = old == 0 ? NULL : column->values[column->order[old - 1]].text;
        if (text != NULL && strcmp(text, items[count - 1].text) > 0)
            column->order[--to] = column->order[--old];
        else
            column->order[--to] = items[--count].value;
    }
}

vt_status vt_text_column_sort(vt_text_column *column, vt_error *error)
{
    size_t count = column->count - column->ordered;
    if (count == 0)
        return VT_OK;
    sort_item *items = vt_alloc_array(count, sizeof *items);
    uint32_t *order =
        items == NULL ? NULL
                      : vt_realloc_array(column->order, column->capacity, sizeof *column->order);
    if (order == NULL) {
        vt_free(items);
        return vt_fail_memory(error, "the order of an attribute's texts");
    }
    column->order = order;
    for (size_t i = 0; i < count; i++) {
        uint32_t value = (uint32_t)(column->ordered + i);
        items[i] = (sort_item){column->values[value].text, value};
    }
    qsort(items, count, sizeof *items, compare_items);
    merge(column, items, count);
    column->ordered = column->count;
    vt_free(items);
    return VT_OK;
}

size_t vt_text_column_bound(const vt_text_column *column, const char *text, bool after)
{
    size_t low = 0, high = column->ordered;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        int order = strcmp(column->values[column->order[middle]].text, text);
        if (order < 0 || (after && order == 0))
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

size_t vt_text_column_bytes(const vt_text_column *column)
{
    size_t bytes = column->capacity * sizeof *column->values +
                   column->slot_count * sizeof *column->slots +
                   column->ordered * sizeof *column->order;
    for (size_t i = 0; i < column->count; i++)
        if (column->values[i].products != NULL)
            bytes += vt_idset_bytes(column->values[i].products);
    return bytes;
}

/* ---- from a file ---- */

/* The texts, each above the one before; false: they are not so many, or not so. */
static bool texts_fill(vt_text_column *column, const char *bytes, size_t length, size_t count)
{
    const char *end = bytes + length, *before = NULL;
    for (size_t i = 0; i < count; i++) {
        const char *stop = bytes < end ? memchr(bytes, '\0', (size_t)(end - bytes)) : NULL;
        if (stop == NULL || (before != NULL && strcmp(before, bytes) >= 0) ||
            !vt_utf8_valid(bytes, (size_t)(stop - bytes)))
            return false;
        uint32_t hash = (uint32_t)vt_table_hash(bytes, (size_t)(stop - bytes));
        column->values[i] = (vt_text_value){.text = bytes, .hash = hash};
        column->order[i] = (uint32_t)i;
        before = bytes;
        bytes = stop + 1;
    }
    return bytes == end;
}

vt_status vt_text_column_fill(vt_text_column *column, const char *bytes, size_t length,
                              size_t count, vt_error *error)
{
    if (count == 0 && length == 0)
        return VT_OK;
    size_t slots = FIRST_SLOTS;
    while (slots / 3 * 2 <= count)
        slots *= 2;
    column->values = vt_alloc_array(count, sizeof *column->values);
    column->order = vt_alloc_array(count, sizeof *column->order);
    column->slots = vt_calloc(slots, sizeof *column->slots);
    if (column->values == NULL || column->order == NULL || column->slots == NULL)
        return vt_fail_memory(error, "the postings of a catalogue");
    column->capacity = count;
    column->slot_count = slots;
    if (!texts_fill(column, bytes, length, count))
        return vt_fail(error, VT_ERR_CORRUPT, "texts are not in order");
    column->count = column->ordered = column->dead = count;
    slots_fill(column, column->slots, slots);
    return VT_OK;
}
