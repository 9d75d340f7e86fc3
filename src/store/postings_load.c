/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Postings: from a snapshot file. docs/formats/postings.md has the format and what is checked.
 *
 * Method: the directory first, then columns and records on all threads, each into memory of its
 * own. What is cheap to make again is not in the file: tables of texts (whose hash is another in
 * each process), bitmaps at intervals of numbers, the table of records.
 */
#include "store/postings_frame.h"

#include <string.h>

typedef struct load {
    const vt_snapshot *file;
    vt_postings *postings;
    postings_directory directory;
    postings_column *columns; /* (directory.columns), owned */
    char *names;              /* (directory.name_bytes), owned */
    char **texts;             /* (directory.columns) in the arena of the postings; owned */
    uint64_t *pairs;          /* (directory.columns) as records have them, owned */
    vt_first_error failure;   /* of the workers */
} load;

static vt_status no_memory(vt_error *error)
{
    return vt_fail_memory(error, "the postings of a catalogue");
}

/* ---- the directory ---- */

/* How long the column's section must be; false: longer than can be. */
static bool column_length(const postings_column *column, size_t *length)
{
    size_t only, numbers;
    return column->texts < UINT32_MAX && column->numbers < UINT32_MAX &&
           vt_size_mul(column->texts, sizeof(uint32_t), &only) &&
           vt_size_mul(column->numbers, sizeof(double) + sizeof(uint32_t), &numbers) &&
           vt_size_add(column->present_bytes, column->text_bytes, length) &&
           vt_size_add(*length, column->set_bytes, length) && vt_size_add(*length, only, length) &&
           vt_size_add(*length, numbers, length);
}

static bool sections_hold(const load *l)
{
    const postings_directory *d = &l->directory;
    size_t length;
    for (size_t i = 0; i < d->columns; i++) {
        vt_snapshot_section_info info = vt_snapshot_section_at(l->file, i);
        if (info.tag != POSTINGS_TAG_COLUMN || !column_length(&l->columns[i], &length) ||
            length != info.length)
            return false;
    }
    vt_snapshot_section_info info = vt_snapshot_section_at(l->file, d->columns);
    return info.tag == POSTINGS_TAG_RECORDS && d->products <= UINT32_MAX && d->words < UINT32_MAX &&
           info.length == (d->products + d->words) * sizeof(uint32_t);
}

/* The section's size tells the number of columns and the length of names no better than the first
 * 32 bytes, which must be read to know where to put the rest: all of it is read as one. */
static vt_status directory_read(load *l, vt_error *error)
{
    size_t sections = vt_snapshot_sections(l->file), last = sections - 1;
    uint64_t length = sections < 2 ? 0 : vt_snapshot_section_at(l->file, last).length;
    postings_directory *d = &l->directory;
    if (length < sizeof *d || vt_snapshot_section_at(l->file, last).tag != POSTINGS_TAG_DIRECTORY)
        return vt_snapshot_damaged(l->file, error, "it has no directory");
    size_t columns = sections - 2;
    if (columns < VT_BUILTIN_COUNT || columns > UINT32_MAX / 2 ||
        length - sizeof *d < columns * sizeof *l->columns ||
        length - sizeof *d - columns * sizeof *l->columns > UINT32_MAX)
        return vt_snapshot_damaged(l->file, error, "its directory has the wrong size");
    size_t names = (size_t)(length - sizeof *d - columns * sizeof *l->columns);
    l->columns = vt_alloc_array(columns, sizeof *l->columns);
    l->names = vt_alloc(names);
    l->texts = vt_calloc(columns, sizeof *l->texts);
    l->pairs = vt_calloc(columns, sizeof *l->pairs);
    if (l->columns == NULL || l->names == NULL || l->texts == NULL || l->pairs == NULL)
        return no_memory(error);
    vt_snapshot_part parts[] = {
        {d, sizeof *d}, {l->columns, columns * sizeof *l->columns}, {l->names, names}};
    vt_status status = vt_snapshot_read(l->file, last, parts, 3, error);
    if (status == VT_OK && (d->columns != columns || d->name_bytes != names || !sections_hold(l)))
        status = vt_snapshot_damaged(l->file, error, "its directory does not fit its sections");
    return status;
}

/* The columns by name, each once, the built-in ones first; and room for their texts. */
static vt_status columns_make(load *l, vt_error *error)
{
    const char *name = l->names, *end = l->names + l->directory.name_bytes;
    for (size_t i = 0; i < l->directory.columns; i++) {
        const char *stop = name < end ? memchr(name, '\0', (size_t)(end - name)) : NULL;
        size_t column = SIZE_MAX;
        vt_status status = VT_OK;
        if (stop == NULL || !vt_utf8_valid(name, (size_t)(stop - name)))
            return vt_snapshot_damaged(l->file, error, "column %zu has no name", i);
        if (i < VT_BUILTIN_COUNT)
            column = strcmp(name, vt_builtin_names[i]) == 0 ? i : SIZE_MAX;
        else
            status = vt_postings_column(l->postings, name, &column, error);
        if (status != VT_OK)
            return status;
        if (column != i)
            return vt_snapshot_damaged(l->file, error, "column %zu is another or comes twice", i);
        l->texts[i] = vt_arena_alloc(&l->postings->arena, (size_t)l->columns[i].text_bytes);
        if (l->texts[i] == NULL)
            return no_memory(error);
        name = stop + 1;
    }
    return name == end ? VT_OK : vt_snapshot_damaged(l->file, error, "it has too many names");
}

/* ---- a column, on any thread ---- */

typedef struct column_parts {
    uint8_t *present, *sets;
    uint32_t *only, *numbered;
    double *numbers;
} column_parts;

static void parts_free(column_parts *parts)
{
    vt_free(parts->present);
    vt_free(parts->sets);
    vt_free(parts->only);
    vt_free(parts->numbered);
    vt_free(parts->numbers);
}

static vt_status parts_read(load *l, size_t index, column_parts *parts, vt_error *error)
{
    const postings_column *c = &l->columns[index];
    parts->present = vt_alloc(c->present_bytes);
    parts->sets = vt_alloc(c->set_bytes);
    parts->only = vt_alloc_array(c->texts, sizeof *parts->only);
    parts->numbers = vt_alloc_array(c->numbers, sizeof *parts->numbers);
    parts->numbered = vt_alloc_array(c->numbers, sizeof *parts->numbered);
    if (parts->present == NULL || parts->sets == NULL || parts->only == NULL ||
        parts->numbers == NULL || parts->numbered == NULL)
        return no_memory(error);
    vt_snapshot_part list[] = {
        {parts->present, c->present_bytes},
        {l->texts[index], c->text_bytes},
        {parts->only, c->texts * sizeof *parts->only},
        {parts->sets, c->set_bytes},
        {parts->numbers, c->numbers * sizeof *parts->numbers},
        {parts->numbered, c->numbers * sizeof *parts->numbered},
    };
    return vt_snapshot_read(l->file, index, list, sizeof list / sizeof *list, error);
}

/* The products of each text: one, or the next of the sets. */
static vt_status sets_load(load *l, size_t index, const column_parts *parts, vt_error *error)
{
    const postings_column *c = &l->columns[index];
    vt_text_column *texts = &l->postings->columns[index].texts;
    size_t at = 0, used;
    uint64_t pairs = 0;
    for (size_t i = 0; i < texts->count; i++) {
        vt_text_value *value = &texts->values[i];
        value->only = parts->only[i];
        if (value->only == 0) {
            vt_status status =
                vt_idset_read(parts->sets + at, c->set_bytes - at, &used, &value->products, error);
            if (status != VT_OK)
                return status;
            at += used;
        }
        uint64_t count = value->only != 0 ? 1 : vt_idset_count(value->products);
        if (count == 0 || (value->only == 0 && vt_idset_has(value->products, 0)))
            return vt_fail(error, VT_ERR_CORRUPT, "a text has no products");
        pairs += count;
        texts->dead--;
    }
    return at == c->set_bytes && pairs == c->pairs
               ? VT_OK
               : vt_fail(error, VT_ERR_CORRUPT, "a column has other products than it says");
}

static vt_status numbers_load(load *l, size_t index, const column_parts *parts, vt_error *error)
{
    size_t count = (size_t)l->columns[index].numbers;
    vt_number_entry *entries = vt_alloc_array(count, sizeof *entries);
    if (entries == NULL)
        return no_memory(error);
    for (size_t i = 0; i < count; i++)
        entries[i] = (vt_number_entry){parts->numbers[i], parts->numbered[i]};
    vt_status status =
        vt_number_column_fill(&l->postings->columns[index].numbers, entries, count, error);
    vt_free(entries);
    return status;
}

static vt_status present_load(load *l, size_t index, const column_parts *parts, vt_error *error)
{
    vt_idset *present = NULL;
    size_t used;
    vt_status status =
        vt_idset_read(parts->present, l->columns[index].present_bytes, &used, &present, error);
    if (status == VT_OK && used != l->columns[index].present_bytes)
        status = vt_fail(error, VT_ERR_CORRUPT, "a set of products is longer than it says");
    if (status != VT_OK) {
        vt_idset_free(present);
        return status;
    }
    vt_idset_free(l->postings->columns[index].present);
    l->postings->columns[index].present = present;
    return VT_OK;
}

static vt_status column_load(load *l, size_t index, vt_error *error)
{
    column_parts parts = {0};
    vt_status status = parts_read(l, index, &parts, error);
    if (status == VT_OK)
        status = present_load(l, index, &parts, error);
    if (status == VT_OK)
        status = vt_text_column_fill(&l->postings->columns[index].texts, l->texts[index],
                                     l->columns[index].text_bytes, l->columns[index].texts, error);
    if (status == VT_OK)
        status = sets_load(l, index, &parts, error);
    if (status == VT_OK)
        status = numbers_load(l, index, &parts, error);
    parts_free(&parts);
    return status;
}

/* ---- all ---- */

static vt_status records_load(load *l, vt_error *error)
{
    size_t products = (size_t)l->directory.products, words = (size_t)l->directory.words;
    uint32_t *list = vt_alloc_array(products, sizeof *list);
    uint32_t *records = vt_alloc_array(words, sizeof *records);
    vt_status status = list == NULL || records == NULL ? no_memory(error) : VT_OK;
    vt_snapshot_part parts[] = {{list, products * sizeof *list},
                                {records, words * sizeof *records}};
    if (status == VT_OK)
        status = vt_snapshot_read(l->file, l->directory.columns, parts, 2, error);
    if (status == VT_OK)
        status = vt_postings_fill(l->postings, list, products, records, words, l->pairs, error);
    if (status != VT_OK)
        vt_free(records);
    vt_free(list);
    return status;
}

static void part_load(void *context, size_t index)
{
    load *l = context;
    vt_error error;
    vt_status status = column_load(l, index, &error);
    vt_first_error_note(&l->failure, status, &error);
}

static vt_status all_load(load *l, vt_pool *pool, vt_error *error)
{
    vt_status status = directory_read(l, error);
    if (status == VT_OK)
        status = vt_postings_new(&l->postings, error);
    if (status == VT_OK)
        status = columns_make(l, error);
    if (status != VT_OK)
        return status;
    vt_pool_for(pool, l->directory.columns, part_load, l);
    vt_error reason;
    status = vt_first_error_give(&l->failure, &reason);
    if (status == VT_OK)
        status = records_load(l, &reason);
    for (size_t i = 0; status == VT_OK && i < l->directory.columns; i++)
        if (l->pairs[i] != l->columns[i].pairs)
            return vt_snapshot_damaged(l->file, error, "records and column %zu differ", i);
    if (status == VT_ERR_CORRUPT && strstr(reason.message, "read ") != reason.message)
        return vt_snapshot_damaged(l->file, error, "%s", reason.message);
    return status == VT_OK ? VT_OK : vt_fail(error, status, "%s", reason.message);
}

vt_status vt_postings_load(const vt_snapshot *file, vt_pool *pool, vt_postings **out,
                           vt_error *error)
{
    load l = {.file = file};
    vt_first_error_init(&l.failure);
    vt_status status = all_load(&l, pool, error);
    if (status == VT_OK)
        *out = l.postings;
    else
        vt_postings_free(l.postings);
    vt_first_error_deinit(&l.failure);
    vt_free(l.columns);
    vt_free(l.names);
    vt_free(l.texts);
    vt_free(l.pairs);
    return status;
}
