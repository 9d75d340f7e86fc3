/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Tables as spreadsheets and shops export them: RFC 4180, and what the world made of it.
 *
 * Method: a record is scanned in a sliding window, byte by byte, into places (start, length);
 * nothing is copied until somebody asks for a field's text. Lines end with LF, CR LF or CR.
 *
 * Broken quoting: when a quoted field does not close within the limits, or text follows a closing
 * quote, the record's own extent is in doubt. It is rejected under the number of the line where it
 * starts, and reading resumes at the line right after that one (vt_csv_resume), so that one stray
 * quote costs one row and not the rest of the file. This stays linear: the lines behind an open
 * quote hold no single quote up to where it closes, so none of them can open a long field again.
 *
 * Departures from RFC 4180: a quote inside an unquoted field is text (inch signs), blanks may
 * follow a closing quote, "sep=;" may precede the header.
 */
#include "ingest/csv.h"

#include "base/buf.h"

#include <string.h>

enum { CSV_END = -1, CSV_FAILED = -2 };

/* The byte at `at` of the window, reading on when needed. */
static int csv_byte(vt_csv *csv, size_t at, vt_error *error)
{
    while (at >= csv->window.length) {
        bool grew;
        if (vt_window_more(&csv->window, &grew, error) != VT_OK)
            return CSV_FAILED;
        if (!grew)
            return CSV_END;
    }
    return csv->window.bytes[at];
}

static vt_status csv_too_long(size_t at, size_t start, vt_error *error)
{
    if (at - start > VT_FEED_FIELD_BYTES)
        return vt_fail(error, VT_ERR_LIMIT, "field is longer than %d bytes", VT_FEED_FIELD_BYTES);
    if (at > VT_FEED_ROW_BYTES)
        return vt_fail(error, VT_ERR_LIMIT, "row is longer than %d bytes", VT_FEED_ROW_BYTES);
    return VT_OK;
}

/* csv_byte failed: its status is in *error, unless the caller wanted no detail. */
static vt_status csv_failed(const vt_error *error)
{
    return error->status;
}

/* From behind the opening quote to the byte behind the closing one and blanks. */
static vt_status csv_scan_quoted(vt_csv *csv, size_t *at, vt_csv_record *record,
                                 vt_csv_field *field, vt_error *error)
{
    size_t i = *at;
    field->start = i;
    for (;; i++) {
        int c = csv_byte(csv, i, error);
        if (c == CSV_FAILED)
            return csv_failed(error);
        if (c == CSV_END)
            return vt_fail(error, VT_ERR_FORMAT, "quoted field is never closed");
        if (i - field->start > VT_FEED_FIELD_BYTES || i > VT_FEED_ROW_BYTES)
            return vt_fail(error, VT_ERR_LIMIT, "quoted field is not closed within %d bytes",
                           VT_FEED_FIELD_BYTES);
        if (c == '\n')
            record->lines++;
        if (c == '\r' && csv_byte(csv, i + 1, error) != '\n')
            record->lines++;
        if (c != '"')
            continue;
        if (csv_byte(csv, i + 1, error) != '"')
            break;
        field->doubled = true;
        i++;
    }
    field->length = i - field->start;
    for (i++;; i++) {
        int c = csv_byte(csv, i, error);
        if (c == CSV_FAILED)
            return csv_failed(error);
        if (c == csv->delimiter || c == '\n' || c == '\r' || c == CSV_END)
            break;
        if (c != ' ' && c != '\t')
            return vt_fail(error, VT_ERR_FORMAT, "text follows the closing quote of a field");
        if (csv_too_long(i, field->start, error) != VT_OK)
            return error->status;
    }
    *at = i;
    return VT_OK;
}

static vt_status csv_scan_plain(vt_csv *csv, size_t *at, vt_csv_field *field, vt_error *error)
{
    size_t i = *at;
    field->start = i;
    for (;; i++) {
        int c = csv_byte(csv, i, error);
        if (c == CSV_FAILED)
            return csv_failed(error);
        if (c == csv->delimiter || c == '\n' || c == '\r' || c == CSV_END)
            break;
        if (i - field->start >= VT_FEED_FIELD_BYTES || i >= VT_FEED_ROW_BYTES)
            return csv_too_long(i + 1, field->start, error);
    }
    field->length = i - field->start;
    *at = i;
    return VT_OK;
}

static vt_status csv_add_field(vt_csv *csv, vt_csv_field field, vt_error *error)
{
    if (csv->field_count == VT_FEED_COLUMNS)
        return vt_fail(error, VT_ERR_LIMIT, "row has more than %d fields", VT_FEED_COLUMNS);
    void *fields = csv->fields;
    if (!vt_grow(&fields, &csv->field_capacity, csv->field_count + 1, sizeof field,
                 VT_FEED_COLUMNS))
        return vt_fail_memory(error, "a feed row");
    csv->fields = fields;
    csv->fields[csv->field_count++] = field;
    return VT_OK;
}

/* Finds the places of the record's fields; skips nothing. `error` must not be NULL. */
vt_status vt_csv_scan(vt_csv *csv, vt_csv_record *record, vt_error *error)
{
    size_t at = 0;
    *record = (vt_csv_record){0};
    csv->field_count = 0;
    for (;;) {
        vt_csv_field field = {0};
        int c = csv_byte(csv, at, error);
        if (c == CSV_FAILED)
            return csv_failed(error);
        if (c == CSV_END && at == 0) {
            record->end = true;
            return VT_OK;
        }
        if (c == '"')
            at++;
        vt_status status = c == '"' ? csv_scan_quoted(csv, &at, record, &field, error)
                                    : csv_scan_plain(csv, &at, &field, error);
        if (status == VT_OK)
            status = csv_add_field(csv, field, error);
        if (status != VT_OK)
            return status;
        int stop = csv_byte(csv, at, error);
        if (stop == CSV_FAILED)
            return csv_failed(error);
        if (stop == csv->delimiter) {
            at++;
            continue;
        }
        record->blank = csv->field_count == 1 && field.length == 0 && c != '"';
        record->lines += stop != CSV_END;
        record->length = at + (stop != CSV_END);
        if (stop == '\r' && csv_byte(csv, at + 1, error) == '\n')
            record->length++;
        return VT_OK;
    }
}

void vt_csv_skip(vt_csv *csv, const vt_csv_record *record)
{
    vt_window_skip(&csv->window, record->length);
    csv->line += record->lines;
}

vt_status vt_csv_check_text(const vt_csv *csv, size_t length, vt_error *error)
{
    const char *text = (const char *)csv->window.bytes;
    if (!vt_utf8_valid(text, length))
        return vt_fail(error, VT_ERR_FORMAT, "text is not valid UTF-8");
    if (length > 0 && memchr(text, '\0', length))
        return vt_fail(error, VT_ERR_FORMAT, "text holds a NUL byte");
    return VT_OK;
}

/* The field's text without doubled quotes and outer blanks; NULL: no memory. */
char *vt_csv_text(const vt_csv *csv, const vt_csv_field *field, vt_arena *arena)
{
    const char *text = (const char *)csv->window.bytes + field->start;
    size_t length = vt_text_trim(&text, field->length);
    char *copy = vt_arena_strndup(arena, text, length);
    if (!copy || !field->doubled)
        return copy;
    size_t out = 0;
    for (size_t i = 0; i < length; i++) {
        copy[out++] = text[i];
        if (text[i] == '"')
            i++;
    }
    copy[out] = '\0';
    return copy;
}

/* A record whose extent is in doubt: goes on at the line after its first. */
vt_status vt_csv_resume(vt_csv *csv, vt_error *error)
{
    vt_error io;
    if (vt_window_skip_line(&csv->window, &io) != VT_OK) {
        if (error)
            *error = io;
        return io.status;
    }
    csv->line++;
    return VT_OK;
}

/* Skips the mark that says UTF-8, blank lines, and the "sep=;" line that one spreadsheet program
 * writes and wants. */
vt_status vt_csv_skip_preamble(vt_csv *csv, vt_error *error)
{
    if (vt_window_need(&csv->window, 3, NULL) == VT_OK && csv->window.length >= 3 &&
        memcmp(csv->window.bytes, "\xef\xbb\xbf", 3) == 0)
        vt_window_skip(&csv->window, 3);
    for (;;) {
        vt_status status = vt_window_need(&csv->window, 6, error);
        const uint8_t *b = csv->window.bytes;
        size_t n = csv->window.length;
        if (status != VT_OK)
            return status;
        bool blank = n > 0 && (b[0] == '\n' || b[0] == '\r');
        bool sep = n > 5 && memcmp(b, "sep=", 4) == 0 && (b[5] == '\n' || b[5] == '\r') &&
                   strchr(",;\t|", b[4]) && b[4] != '\0';
        if (!blank && !sep)
            return VT_OK;
        if (sep)
            csv->delimiter = (char)b[4];
        status = vt_window_skip_line(&csv->window, error);
        if (status != VT_OK)
            return status;
        csv->line++;
    }
}

vt_status vt_csv_next(vt_csv *csv, vt_csv_record *record, uint64_t *line, vt_error *error)
{
    vt_status status;
    do {
        *line = csv->line;
        status = vt_csv_scan(csv, record, error);
        if (status == VT_OK && !record->end && record->blank)
            vt_csv_skip(csv, record);
    } while (status == VT_OK && !record->end && record->blank);
    if (status == VT_OK || !vt_feed_status_is_of_row(status))
        return status;
    vt_error io;
    if (vt_csv_resume(csv, &io) != VT_OK) {
        *error = io;
        return io.status;
    }
    return status;
}

void vt_csv_deinit(vt_csv *csv)
{
    vt_free(csv->fields);
    vt_window_close(&csv->window);
}
