/* SPDX-License-Identifier: Apache-2.0 */
/* Lists of queries: the columns photo, product and category of a CSV file. */
#include "ingest/queries.h"

#include "ingest/csv.h"

#include <inttypes.h>
#include <string.h>

enum { QUERIES_WINDOW_BYTES = VT_FEED_ROW_BYTES + (64 << 10) };
enum { PHOTO, PRODUCT, CATEGORY, KNOWN_COLUMNS };

struct vt_queries {
    vt_csv reader;
    vt_arena arena; /* texts of the newest row */
    size_t column_count;
    size_t columns[KNOWN_COLUMNS]; /* SIZE_MAX: absent */
};

static const char *const column_names[KNOWN_COLUMNS] = {"photo", "product", "category"};

/* How many of the known columns the scanned record names. */
static vt_status read_header(vt_queries *queries, size_t *known, vt_error *error)
{
    *known = 0;
    queries->column_count = queries->reader.field_count;
    for (size_t c = 0; c < KNOWN_COLUMNS; c++)
        queries->columns[c] = SIZE_MAX;
    for (size_t i = 0; i < queries->column_count; i++) {
        const char *name =
            vt_csv_text(&queries->reader, &queries->reader.fields[i], &queries->arena);
        if (name == NULL)
            return vt_fail_memory(error, "a header");
        for (size_t c = 0; c < KNOWN_COLUMNS; c++)
            if (queries->columns[c] == SIZE_MAX && vt_text_equal_nocase(name, column_names[c])) {
                queries->columns[c] = i;
                (*known)++;
            }
    }
    return VT_OK;
}

static bool has_needed(const vt_queries *queries)
{
    return queries->columns[PHOTO] != SIZE_MAX && queries->columns[PRODUCT] != SIZE_MAX;
}

/* Under the first delimiter that shows both needed columns. */
static vt_status find_header(vt_queries *queries, vt_error *error)
{
    static const char delimiters[] = {',', ';', '\t', '|'};
    vt_csv *reader = &queries->reader;
    char forced = reader->delimiter;
    for (size_t d = 0; d < (forced != '\0' ? 1 : sizeof(delimiters)); d++) {
        vt_csv_record record;
        size_t known = 0;
        reader->delimiter = forced != '\0' ? forced : delimiters[d];
        vt_status status = vt_csv_scan(reader, &record, error);
        if (status == VT_OK && !record.end)
            status = vt_csv_check_text(reader, record.length, error);
        if (status == VT_OK)
            status = read_header(queries, &known, error);
        if (status != VT_OK && !vt_feed_status_is_of_row(status))
            return status;
        if (status == VT_OK && !record.end && has_needed(queries)) {
            vt_csv_skip(reader, &record);
            return VT_OK;
        }
    }
    return vt_fail(error, VT_ERR_FORMAT,
                   "the first line does not name the columns photo and product");
}

vt_status vt_queries_open(const char *path, vt_queries **out, vt_error *error)
{
    vt_error detail;
    vt_queries *queries = vt_calloc(1, sizeof(*queries));
    if (queries == NULL)
        return vt_fail_memory(error, "a list of queries");
    vt_arena_init(&queries->arena, VT_FEED_ARENA_BYTES);
    vt_status status = vt_window_open(&queries->reader.window, path, QUERIES_WINDOW_BYTES, error);
    if (status != VT_OK) {
        vt_arena_deinit(&queries->arena);
        vt_free(queries);
        return status;
    }
    queries->reader.line = 1;
    status = vt_csv_skip_preamble(&queries->reader, &detail);
    if (status == VT_OK)
        status = find_header(queries, &detail);
    if (status != VT_OK) {
        vt_queries_close(queries);
        return vt_fail(error, status, "read queries \"%s\": %s", path, detail.message);
    }
    *out = queries;
    return VT_OK;
}

void vt_queries_close(vt_queries *queries)
{
    if (queries == NULL)
        return;
    vt_csv_deinit(&queries->reader);
    vt_arena_deinit(&queries->arena);
    vt_free(queries);
}

static vt_status take_texts(vt_queries *queries, vt_query_row *row, vt_error *error)
{
    vt_csv *reader = &queries->reader;
    if (reader->field_count != queries->column_count)
        return vt_fail(error, VT_ERR_FORMAT, "row has %zu fields, the header %zu",
                       reader->field_count, queries->column_count);
    const char **texts[KNOWN_COLUMNS] = {&row->photo, &row->product, &row->category};
    for (size_t c = 0; c < KNOWN_COLUMNS; c++) {
        if (queries->columns[c] == SIZE_MAX)
            continue;
        char *text = vt_csv_text(reader, &reader->fields[queries->columns[c]], &queries->arena);
        if (text == NULL)
            return vt_fail_memory(error, "a query");
        *texts[c] = text[0] != '\0' ? text : NULL;
    }
    if (row->photo == NULL || row->product == NULL)
        return vt_fail(error, VT_ERR_FORMAT, "row has no %s",
                       row->photo == NULL ? "photo" : "product");
    return VT_OK;
}

vt_status vt_queries_next(vt_queries *queries, vt_query_row *row, vt_error *error)
{
    vt_csv_record record = {0};
    vt_error detail;
    vt_arena_reset(&queries->arena);
    *row = (vt_query_row){0};
    vt_status status = vt_csv_next(&queries->reader, &record, &row->line, &detail);
    if (status == VT_OK && record.end)
        return VT_OK;
    if (status == VT_OK) {
        status = vt_csv_check_text(&queries->reader, record.length, &detail);
        if (status == VT_OK)
            status = take_texts(queries, row, &detail);
        vt_csv_skip(&queries->reader, &record);
    }
    if (status != VT_OK)
        return vt_fail(error, status, "line %" PRIu64 ": %s", row->line, detail.message);
    return VT_OK;
}
