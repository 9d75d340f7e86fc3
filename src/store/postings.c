/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Postings: columns by name, and what each product has in them.
 *
 * Method: an inverted index (value -> products, as roaring bitmaps) with the forward record of each
 * product beside it, so that a product that changed can be taken out of exactly those values it was
 * in: by then the database no longer knows them. Records lie one after another in one array of
 * words; a hash table leads from the product to its record. Words of records that were forgotten
 * are waste until the array is packed, when half of it is.
 */
#include "store/postings.h"

#include "base/hash.h"

#include <inttypes.h>
#include <math.h>
#include <string.h>

enum { FIRST_SLOTS = 64, MIN_WASTE = 4096 };
#define NUMBER_BIT  0x80000000u
#define MAX_WORDS   ((size_t)UINT32_MAX - 1)
#define ARENA_BYTES (SIZE_MAX / 2)

static vt_status no_memory(vt_error *error)
{
    return vt_fail_memory(error, "the postings of a catalogue");
}

/* ---- columns ---- */

static uint32_t *column_slot(const vt_postings *p, uint32_t *slots, size_t slot_count,
                             const char *name)
{
    size_t at = vt_table_hash(name, strlen(name)) & (slot_count - 1);
    while (slots[at] != 0 && strcmp(p->columns[slots[at] - 1].name, name) != 0)
        at = (at + 1) & (slot_count - 1);
    return &slots[at];
}

static bool grow_column_slots(vt_postings *p)
{
    size_t count = p->column_slot_count == 0 ? FIRST_SLOTS : 2 * p->column_slot_count;
    uint32_t *slots = vt_calloc(count, sizeof *slots);
    if (slots == NULL)
        return false;
    for (size_t i = 0; i < p->column_count; i++)
        *column_slot(p, slots, count, p->columns[i].name) = (uint32_t)i + 1;
    vt_free(p->column_slots);
    p->column_slots = slots;
    p->column_slot_count = count;
    return true;
}

bool vt_postings_find_column(const vt_postings *p, const char *name, size_t *column)
{
    uint32_t slot = *column_slot(p, p->column_slots, p->column_slot_count, name);
    if (slot == 0)
        return false;
    *column = slot - 1;
    return true;
}

static vt_status make_column(vt_postings *p, const char *name, size_t *column, vt_error *error)
{
    if ((p->column_count >= p->column_slot_count / 3 * 2 && !grow_column_slots(p)) ||
        !vt_grow((void **)&p->columns, &p->column_capacity, p->column_count + 1, sizeof *p->columns,
                 NUMBER_BIT - 1))
        return no_memory(error);
    vt_posting_column made = {.name = vt_arena_strdup(&p->arena, name)};
    if (made.name == NULL)
        return no_memory(error);
    vt_status status = vt_idset_new(&made.present, error);
    if (status != VT_OK)
        return status;
    p->columns[p->column_count] = made;
    *column = p->column_count++;
    *column_slot(p, p->column_slots, p->column_slot_count, name) = (uint32_t)*column + 1;
    return VT_OK;
}

vt_status vt_postings_column(vt_postings *p, const char *attribute, size_t *column, vt_error *error)
{
    if (!vt_postings_find_column(p, attribute, column))
        return make_column(p, attribute, column, error);
    if (*column < VT_BUILTIN_COUNT)
        *column = SIZE_MAX;
    return VT_OK;
}

/* ---- life ---- */

vt_status vt_postings_new(vt_postings **out, vt_error *error)
{
    vt_postings *p = vt_calloc(1, sizeof *p);
    if (p == NULL)
        return no_memory(error);
    vt_arena_init(&p->arena, ARENA_BYTES);
    pthread_mutex_init(&p->sort_lock, NULL);
    vt_status status = vt_idset_new(&p->all, error);
    p->records = vt_calloc(FIRST_SLOTS, sizeof *p->records);
    p->record_count = FIRST_SLOTS;
    if (status == VT_OK && (p->records == NULL || !grow_column_slots(p)))
        status = no_memory(error);
    size_t column;
    for (int i = 0; status == VT_OK && i < VT_BUILTIN_COUNT; i++)
        status = make_column(p, vt_builtin_names[i], &column, error);
    if (status != VT_OK) {
        vt_postings_free(p);
        return status;
    }
    *out = p;
    return VT_OK;
}

void vt_postings_free(vt_postings *p)
{
    if (p == NULL)
        return;
    for (size_t i = 0; i < p->column_count; i++) {
        vt_idset_free(p->columns[i].present);
        vt_text_column_deinit(&p->columns[i].texts);
        vt_number_column_deinit(&p->columns[i].numbers);
    }
    vt_free(p->columns);
    vt_free(p->column_slots);
    vt_idset_free(p->all);
    vt_free(p->records);
    vt_free(p->words);
    vt_free(p->scratch);
    pthread_mutex_destroy(&p->sort_lock);
    vt_arena_deinit(&p->arena);
    vt_free(p);
}

/* ---- records ---- */

/* The slot of this product, or the free one where it belongs (Knuth's multiplication, as in
 * sqlite/members.c). */
static vt_posting_record *find_record(vt_posting_record *records, size_t count, uint32_t product)
{
    size_t at = ((uint64_t)(product * 2654435769u) * count) >> 32;
    while (records[at].product != 0 && records[at].product != product)
        at = (at + 1) & (count - 1);
    return &records[at];
}

/* Drops slots of forgotten products; doubles when more than a third is really in use. */
static bool grow_records(vt_postings *p)
{
    size_t live = 0, count = p->record_count;
    for (size_t i = 0; i < p->record_count; i++)
        live += p->records[i].at != 0;
    if (live > count / 3 && !vt_size_mul(count, 2, &count))
        return false;
    vt_posting_record *records = vt_calloc(count, sizeof *records);
    if (records == NULL)
        return false;
    for (size_t i = 0; i < p->record_count; i++)
        if (p->records[i].at != 0)
            *find_record(records, count, p->records[i].product) = p->records[i];
    vt_free(p->records);
    p->records = records;
    p->record_count = count;
    p->record_used = live;
    return true;
}

/* Leaves no waste: records move to a new array. */
static bool pack_words(vt_postings *p)
{
    size_t wanted = p->word_count - p->word_waste, at = 0;
    uint32_t *words = vt_alloc_array(wanted, sizeof *words);
    if (words == NULL)
        return false;
    for (size_t i = 0; i < p->record_count; i++) {
        if (p->records[i].at == 0)
            continue;
        const uint32_t *record = p->words + p->records[i].at - 1;
        size_t length = (size_t)record[0] + 1;
        memcpy(words + at, record, length * sizeof *words);
        p->records[i].at = (uint32_t)at + 1;
        at += length;
    }
    vt_free(p->words);
    p->words = words;
    p->word_count = at;
    p->word_capacity = wanted;
    p->word_waste = 0;
    return true;
}

/* ---- putting ---- */

void vt_postings_begin(vt_postings *p, uint32_t product)
{
    p->product = product;
    p->scratch_count = 0;
    p->puts++;
}

static bool note(vt_postings *p, const uint32_t *words, size_t count)
{
    if (!vt_grow((void **)&p->scratch, &p->scratch_capacity, p->scratch_count + count,
                 sizeof *p->scratch, MAX_WORDS))
        return false;
    memcpy(p->scratch + p->scratch_count, words, count * sizeof *words);
    p->scratch_count += count;
    return true;
}

vt_status vt_postings_add_text(vt_postings *p, size_t column, const char *text, vt_error *error)
{
    if (text == NULL)
        return VT_OK;
    vt_posting_column *to = &p->columns[column];
    uint32_t value = 0;
    bool added = false;
    vt_status status = vt_text_column_intern(&to->texts, &p->arena, text, &value, error);
    if (status == VT_OK)
        status = vt_text_column_add(&to->texts, value, p->product, &added, error);
    if (status != VT_OK || !added)
        return status;
    const uint32_t words[] = {(uint32_t)column, value};
    return note(p, words, 2) ? vt_idset_add(to->present, p->product, error) : no_memory(error);
}

vt_status vt_postings_add_number(vt_postings *p, size_t column, double number, vt_error *error)
{
    vt_posting_column *to = &p->columns[column];
    if (isnan(number) || to->numbered == p->puts)
        return VT_OK;
    to->numbered = p->puts;
    vt_status status = vt_number_column_add(&to->numbers, number, p->product, error);
    if (status != VT_OK)
        return status;
    uint32_t words[3] = {(uint32_t)column | NUMBER_BIT};
    memcpy(&words[1], &number, sizeof number);
    return note(p, words, 3) ? vt_idset_add(to->present, p->product, error) : no_memory(error);
}

vt_status vt_postings_end(vt_postings *p, vt_error *error)
{
    if ((p->record_used >= p->record_count / 3 * 2 && !grow_records(p)) ||
        (p->word_waste > MIN_WASTE && p->word_waste > p->word_count / 2 && !pack_words(p)) ||
        !vt_grow((void **)&p->words, &p->word_capacity, p->word_count + p->scratch_count + 1,
                 sizeof *p->words, MAX_WORDS))
        return no_memory(error);
    vt_posting_record *record = find_record(p->records, p->record_count, p->product);
    p->record_used += record->product == 0;
    *record = (vt_posting_record){p->product, (uint32_t)p->word_count + 1};
    p->words[p->word_count++] = (uint32_t)p->scratch_count;
    if (p->scratch_count > 0)
        memcpy(p->words + p->word_count, p->scratch, p->scratch_count * sizeof *p->words);
    p->word_count += p->scratch_count;
    return vt_idset_add(p->all, p->product, error);
}

const uint32_t *vt_postings_record(const vt_postings *p, uint32_t product)
{
    const vt_posting_record *record = find_record(p->records, p->record_count, product);
    return record->product == 0 || record->at == 0 ? NULL : p->words + record->at - 1;
}

void vt_postings_forget(vt_postings *p, uint32_t product)
{
    vt_posting_record *record = find_record(p->records, p->record_count, product);
    if (record->product == 0 || record->at == 0)
        return;
    const uint32_t *words = p->words + record->at;
    size_t count = words[-1];
    for (size_t i = 0; i < count;) {
        vt_posting_column *column = &p->columns[words[i] & ~NUMBER_BIT];
        if (words[i] & NUMBER_BIT) {
            double number;
            memcpy(&number, &words[i + 1], sizeof number);
            vt_number_column_remove(&column->numbers, number, product);
            i += 3;
        } else {
            vt_text_column_remove(&column->texts, words[i + 1], product);
            i += 2;
        }
        vt_idset_remove(column->present, product);
    }
    p->word_waste += count + 1;
    record->at = 0;
    vt_idset_remove(p->all, product);
}

/* ---- from a file ---- */

/* One record: words[0] says how many follow; false: it names what there is not. */
static bool record_holds(const vt_postings *p, const uint32_t *words, size_t room, uint64_t *pairs)
{
    size_t end = (size_t)words[0] + 1;
    if (end > room)
        return false;
    for (size_t i = 1; i < end;) {
        size_t column = words[i] & ~NUMBER_BIT;
        bool number = words[i] & NUMBER_BIT;
        if (column >= p->column_count || end - i < (number ? 3u : 2u) ||
            (!number && words[i + 1] >= p->columns[column].texts.count))
            return false;
        pairs[column] += !number;
        i += number ? 3 : 2;
    }
    return true;
}

/* Records of so many products, their table and the set of all; false: they cannot be. */
static bool records_fill(vt_postings *p, const uint32_t *products, size_t count, uint64_t *pairs)
{
    size_t at = 0;
    for (size_t i = 0; i < count; i++) {
        if (products[i] <= (i == 0 ? 0 : products[i - 1]) || at >= p->word_count ||
            !record_holds(p, p->words + at, p->word_count - at, pairs))
            return false;
        *find_record(p->records, p->record_count, products[i]) =
            (vt_posting_record){products[i], (uint32_t)at + 1};
        at += (size_t)p->words[at] + 1;
    }
    return at == p->word_count;
}

vt_status vt_postings_fill(vt_postings *p, const uint32_t *products, size_t count, uint32_t *words,
                           size_t word_count, uint64_t *pairs, vt_error *error)
{
    size_t slots = FIRST_SLOTS;
    while (slots / 3 * 2 <= count)
        slots *= 2;
    vt_posting_record *records = vt_calloc(slots, sizeof *records);
    if (records == NULL)
        return no_memory(error);
    vt_free(p->records);
    p->records = records;
    p->record_count = slots;
    p->words = words;
    p->word_count = p->word_capacity = word_count;
    if (word_count > MAX_WORDS || !records_fill(p, products, count, pairs)) {
        p->words = NULL;
        return vt_fail(error, VT_ERR_CORRUPT, "a product's record cannot be");
    }
    p->record_used = count;
    return vt_idset_add_many(p->all, products, count, error);
}

/* ---- products ---- */

static vt_status put_attribute(vt_postings *p, const vt_attribute *attribute, vt_error *error)
{
    size_t column = 0;
    vt_status status = vt_postings_column(p, attribute->name, &column, error);
    if (status != VT_OK || column == SIZE_MAX)
        return status;
    if (attribute->kind == VT_ATTRIBUTE_NUMBER)
        return vt_postings_add_number(p, column, attribute->number, error);
    if (attribute->kind == VT_ATTRIBUTE_TEXT)
        return vt_postings_add_text(p, column, attribute->text, error);
    for (size_t i = 0; status == VT_OK && i < attribute->item_count; i++)
        status = vt_postings_add_text(p, column, attribute->items[i], error);
    return status;
}

vt_status vt_postings_put(vt_postings *p, const vt_product *product, vt_error *error)
{
    const char *const texts[] = {product->id, product->title, product->category, product->brand,
                                 product->currency};
    vt_postings_begin(p, product->key);
    vt_status status = VT_OK;
    for (size_t i = 0; status == VT_OK && i < VT_BUILTIN_PRICE; i++)
        status = vt_postings_add_text(p, i, texts[i], error);
    if (status == VT_OK)
        status = vt_postings_add_number(p, VT_BUILTIN_PRICE, product->price, error);
    if (status == VT_OK)
        status = vt_postings_add_number(p, VT_BUILTIN_CHANGE, (double)product->change, error);
    for (size_t i = 0; status == VT_OK && i < product->attribute_count; i++)
        status = put_attribute(p, &product->attributes[i], error);
    return status != VT_OK ? status : vt_postings_end(p, error);
}

/* ---- the whole ---- */

vt_status vt_postings_settle(vt_postings *p, vt_error *error)
{
    vt_status status = VT_OK;
    for (size_t i = 0; status == VT_OK && i < p->column_count; i++)
        status = vt_number_column_settle(&p->columns[i].numbers, error);
    return status;
}

vt_status vt_postings_sorted(vt_postings *p, size_t column, vt_error *error)
{
    pthread_mutex_lock(&p->sort_lock);
    vt_status status = vt_text_column_sort(&p->columns[column].texts, error);
    pthread_mutex_unlock(&p->sort_lock);
    return status;
}

bool vt_postings_is_wasteful(const vt_postings *p)
{
    size_t dead = 0, values = 0;
    for (size_t i = 0; i < p->column_count; i++) {
        dead += p->columns[i].texts.dead;
        values += p->columns[i].texts.count;
    }
    return dead > MIN_WASTE && dead > values / 2;
}

size_t vt_postings_bytes(vt_postings *p)
{
    pthread_mutex_lock(&p->sort_lock); /* a question that shares them may be sorting texts */
    size_t bytes = p->arena.used_bytes + p->column_capacity * sizeof *p->columns +
                   p->record_count * sizeof *p->records + p->word_capacity * sizeof *p->words;
    for (size_t i = 0; i < p->column_count; i++)
        bytes += vt_idset_bytes(p->columns[i].present) +
                 vt_text_column_bytes(&p->columns[i].texts) +
                 vt_number_column_bytes(&p->columns[i].numbers);
    pthread_mutex_unlock(&p->sort_lock);
    return bytes;
}
