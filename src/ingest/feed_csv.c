/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Products from a CSV or TSV feed: csv.c finds the records, this file knows what the columns mean.
 *
 * The delimiter is the one of , ; tab | under which the header names most known columns. A record
 * of another width than the header's, or with text that is no UTF-8, is rejected under its line.
 */
#include "ingest/csv.h"
#include "ingest/feed_row.h"

#include "base/buf.h"

#include <inttypes.h>
#include <string.h>

typedef struct csv_column {
    char *name; /* owned */
    vt_column kind;
    size_t next_same; /* the next attribute column of this name; 0: none */
    bool continues;   /* an earlier column has this name */
} csv_column;

typedef struct csv_feed {
    vt_feed feed;
    vt_csv reader;
    csv_column *columns;
    size_t column_count;
    size_t id_column;
} csv_feed;

/* ---- values ---- */

/* All fields of one repeated attribute column become one list. */
static vt_status csv_add_repeated(csv_feed *csv, vt_row_builder *builder, size_t column,
                                  vt_error *error)
{
    vt_arena *arena = builder->row->arena;
    size_t count = 0, most = 1;
    char *only = NULL;
    for (size_t i = csv->columns[column].next_same; i != 0; i = csv->columns[i].next_same)
        most++;
    const char **items = vt_arena_array(arena, most, sizeof *items);
    if (!items)
        return vt_fail_memory(error, "a feed row");
    for (size_t left = most, i = column; left > 0; left--, i = csv->columns[i].next_same) {
        char *text = vt_csv_text(&csv->reader, &csv->reader.fields[i], arena);
        if (!text)
            return vt_fail_memory(error, "a feed row");
        if (*text)
            items[count++] = only = text;
    }
    if (count == 0)
        return VT_OK;
    const char *name = csv->columns[column].name;
    return count == 1 ? vt_row_add_cell(builder, name, only, error)
                      : vt_row_add_list(builder, name, items, count, error);
}

static vt_status csv_add_field_to_row(csv_feed *csv, vt_row_builder *builder, size_t i,
                                      vt_error *error)
{
    const csv_column *column = &csv->columns[i];
    if (column->kind == VT_COLUMN_NONE || column->continues)
        return VT_OK;
    if (column->next_same != 0)
        return csv_add_repeated(csv, builder, i, error);
    char *text = vt_csv_text(&csv->reader, &csv->reader.fields[i], builder->row->arena);
    if (!text)
        return vt_fail_memory(error, "a feed row");
    switch (column->kind) {
    case VT_COLUMN_IMAGE:
        return vt_row_add_image(builder, text, error);
    case VT_COLUMN_MORE_IMAGES:
        return vt_row_add_image_list(builder, text, error);
    case VT_COLUMN_ATTRIBUTE:
        return vt_row_add_cell(builder, column->name, text, error);
    default:
        return vt_row_set_text(builder, column->kind, text, error);
    }
}

/* The main picture comes first wherever its column stands. */
static vt_status csv_build(csv_feed *csv, vt_feed_row *row, vt_error *error)
{
    vt_row_builder builder;
    vt_row_begin(&builder, row);
    if (csv->id_column < csv->reader.field_count) {
        char *id = vt_csv_text(&csv->reader, &csv->reader.fields[csv->id_column], row->arena);
        if (!id)
            return vt_fail_memory(error, "a feed row");
        vt_status status = vt_row_set_text(&builder, VT_COLUMN_ID, id, error);
        if (status != VT_OK)
            return status;
    }
    if (csv->reader.field_count != csv->column_count)
        return vt_fail(error, VT_ERR_FORMAT, "row has %zu fields, the header %zu",
                       csv->reader.field_count, csv->column_count);
    for (int pass = 0; pass < 2; pass++) {
        for (size_t i = 0; i < csv->column_count; i++) {
            bool more_images = csv->columns[i].kind == VT_COLUMN_MORE_IMAGES;
            if (more_images != (pass == 1) || csv->columns[i].kind == VT_COLUMN_ID)
                continue;
            vt_status status = csv_add_field_to_row(csv, &builder, i, error);
            if (status != VT_OK)
                return status;
        }
    }
    return vt_row_finish(&builder, error);
}

static vt_status csv_next(vt_feed *feed, vt_feed_row *row, vt_error *error)
{
    csv_feed *csv = (csv_feed *)feed;
    vt_csv_record record;
    vt_error detail;
    vt_row_builder empty;
    vt_status status = vt_csv_next(&csv->reader, &record, &row->line, &detail);
    vt_row_begin(&empty, row);
    if (status == VT_OK && record.end)
        return VT_OK;
    if (status == VT_OK) {
        status = vt_csv_check_text(&csv->reader, record.length, &detail);
        if (status == VT_OK)
            status = csv_build(csv, row, &detail);
        vt_csv_skip(&csv->reader, &record);
    }
    if (status != VT_OK) {
        vt_fail_context(&detail, status, "line %" PRIu64, row->line);
        if (error)
            *error = detail;
    }
    return status;
}

/* ---- the header ---- */

static void csv_columns_free(csv_column *columns, size_t count)
{
    for (size_t i = 0; i < count; i++)
        vt_free(columns[i].name);
    vt_free(columns);
}

/* Takes the scanned record as header names. */
static vt_status csv_columns_read(const csv_feed *csv, csv_column **out, vt_error *error)
{
    size_t count = csv->reader.field_count;
    csv_column *columns = vt_calloc(count, sizeof *columns);
    vt_column *kinds = vt_alloc_array(count, sizeof *kinds);
    vt_arena arena;
    vt_arena_init(&arena, VT_FEED_ARENA_BYTES);
    bool done = columns && kinds;
    for (size_t i = 0; done && i < count; i++) {
        const char *name = vt_csv_text(&csv->reader, &csv->reader.fields[i], &arena);
        columns[i].name = name ? vt_strdup(name) : NULL;
        done = columns[i].name != NULL;
        if (done)
            kinds[i] = vt_column_from_name(columns[i].name);
    }
    if (done) {
        vt_columns_resolve(kinds, count);
        for (size_t i = 0; i < count; i++)
            columns[i].kind = kinds[i];
        *out = columns;
    } else if (columns) {
        csv_columns_free(columns, count);
    }
    vt_arena_deinit(&arena);
    vt_free(kinds);
    return done ? VT_OK : vt_fail_memory(error, "a feed header");
}

static size_t csv_columns_known(const csv_column *columns, size_t count)
{
    size_t known = 0;
    for (size_t i = 0; i < count; i++)
        known += columns[i].kind < VT_COLUMN_ATTRIBUTE;
    return known;
}

static vt_status csv_header_try(csv_feed *csv, vt_csv_record *record, csv_column **columns,
                                vt_error *error)
{
    vt_status status = vt_csv_scan(&csv->reader, record, error);
    if (status == VT_OK)
        status = vt_csv_check_text(&csv->reader, record->length, error);
    if (status == VT_OK && record->end)
        return vt_fail(error, VT_ERR_FORMAT, "there is no header line");
    return status == VT_OK ? csv_columns_read(csv, columns, error) : status;
}

/* Reads the header under each delimiter (or the one already set) and keeps the best reading. */
static vt_status csv_header_read(csv_feed *csv, vt_error *error)
{
    static const char delimiters[] = {',', ';', '\t', '|'};
    char forced = csv->reader.delimiter, best = '\0';
    size_t best_known = 0;
    vt_csv_record best_record = {0};
    vt_status status = VT_OK;
    for (size_t d = 0; d < (forced ? 1 : sizeof delimiters); d++) {
        vt_csv_record record;
        csv_column *columns = NULL;
        csv->reader.delimiter = forced ? forced : delimiters[d];
        vt_status tried = csv_header_try(csv, &record, &columns, error);
        if (tried != VT_OK && !vt_feed_status_is_of_row(tried))
            return tried;
        if (tried != VT_OK) {
            status = tried;
            continue;
        }
        size_t known = csv_columns_known(columns, csv->reader.field_count);
        if (best && (known < best_known ||
                     (known == best_known && csv->reader.field_count <= csv->column_count))) {
            csv_columns_free(columns, csv->reader.field_count);
            continue;
        }
        if (csv->columns)
            csv_columns_free(csv->columns, csv->column_count);
        csv->columns = columns;
        csv->column_count = csv->reader.field_count;
        best_known = known;
        best = csv->reader.delimiter;
        best_record = record;
    }
    /* A header that one delimiter breaks and no other makes sense of is a broken header. */
    if (!best || (best_known == 0 && status != VT_OK))
        return status;
    csv->reader.delimiter = best;
    vt_csv_skip(&csv->reader, &best_record);
    return VT_OK;
}

/* Finds the id, links attribute columns of one name, refuses what cannot be told apart. */
static vt_status csv_columns_link(csv_feed *csv, vt_error *error)
{
    size_t first[VT_COLUMN_NONE + 1];
    memset(first, 0xff, sizeof first);
    for (size_t i = 0; i < csv->column_count; i++) {
        csv_column *column = &csv->columns[i];
        bool single = column->kind < VT_COLUMN_IMAGE;
        if (single && first[column->kind] != SIZE_MAX)
            return vt_fail(error, VT_ERR_FORMAT, "columns %zu and %zu are both the %s",
                           first[column->kind] + 1, i + 1, vt_column_name(column->kind));
        if (first[column->kind] == SIZE_MAX)
            first[column->kind] = i;
        for (size_t j = i + 1; column->kind == VT_COLUMN_ATTRIBUTE && j < csv->column_count; j++) {
            if (csv->columns[j].kind != VT_COLUMN_ATTRIBUTE ||
                strcmp(column->name, csv->columns[j].name) != 0)
                continue;
            column->next_same = j;
            csv->columns[j].continues = true;
            break;
        }
    }
    csv->id_column = first[VT_COLUMN_ID];
    if (first[VT_COLUMN_ID] != SIZE_MAX && first[VT_COLUMN_IMAGE] != SIZE_MAX)
        return VT_OK;
    vt_buf names;
    vt_buf_init(&names, 300);
    for (size_t i = 0; i < csv->column_count && !names.failed; i++)
        vt_buf_printf(&names, "%s%.*s", i > 0 ? ", " : "", vt_text_clip(csv->columns[i].name, 40),
                      csv->columns[i].name);
    vt_status status =
        vt_fail(error, VT_ERR_FORMAT, "column \"%s\" is missing%s; the columns are: %s%s",
                first[VT_COLUMN_ID] == SIZE_MAX ? "id" : "image_link",
                first[VT_COLUMN_ID] == first[VT_COLUMN_IMAGE] ? ", \"image_link\" too" : "",
                vt_buf_text(&names), names.failed ? " ..." : "");
    vt_buf_deinit(&names);
    return status;
}

/* ---- open and close ---- */

static void csv_close(vt_feed *feed)
{
    csv_feed *csv = (csv_feed *)feed;
    if (csv->columns)
        csv_columns_free(csv->columns, csv->column_count);
    vt_csv_deinit(&csv->reader);
    vt_free(csv);
}

static double csv_position(const vt_feed *feed)
{
    return vt_window_position(&((const csv_feed *)feed)->reader.window);
}

vt_status vt_feed_csv_open(vt_window *window, const char *name, vt_feed **out, vt_error *error)
{
    vt_error detail;
    csv_feed *csv = vt_calloc(1, sizeof *csv);
    if (!csv) {
        vt_window_close(window);
        return vt_fail_memory(error, "a feed");
    }
    csv->feed = (vt_feed){.next = csv_next, .close = csv_close, .position = csv_position};
    csv->reader.window = *window;
    csv->reader.line = 1;
    vt_status status = vt_csv_skip_preamble(&csv->reader, &detail);
    if (status == VT_OK)
        status = csv_header_read(csv, &detail);
    if (status == VT_OK)
        status = csv_columns_link(csv, &detail);
    if (status != VT_OK) {
        csv_close(&csv->feed);
        return vt_fail(error, status, "read feed \"%s\": %s", name, detail.message);
    }
    *out = &csv->feed;
    return VT_OK;
}
