/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A page of what an import rejected, from the file that it writes as it goes
 * (docs/formats/feed.md): CSV as vitrine makes it, whose rows come whole. So this reads that form
 * alone: cells are quoted or hold neither comma nor line end, and one that would look like a
 * formula has an apostrophe before it. A row that is not of this form ends the list.
 */
#include "server/jobs.h"

#include "base/file.h"

#include <string.h>

enum { REJECTS_BYTES = 1 << 30, ROW_BYTES = 64 << 10, COLUMNS = 5 };

typedef struct reader {
    const char *at, *end;
    vt_buf cells[COLUMNS];
    const vt_jobs *jobs; /* whose folders are not shown */
    const char *id;
} reader;

/* Behind the cell's end; NULL: it does not end. */
static const char *read_quoted(const char *at, const char *end, vt_buf *cell)
{
    for (at++; at < end; at++) {
        if (*at != '"') {
            vt_buf_append_char(cell, *at);
        } else if (at + 1 < end && at[1] == '"') {
            vt_buf_append_char(cell, '"');
            at++;
        } else {
            return at + 1;
        }
    }
    return NULL;
}

static const char *read_plain(const char *at, const char *end, vt_buf *cell)
{
    const char *stop = at;
    while (stop < end && *stop != ',' && *stop != '\n')
        stop++;
    vt_buf_append(cell, at, (size_t)(stop - at));
    return stop;
}

/* The text of a cell without the mark against formulas, or NULL when it is empty. */
static const char *text_of(const vt_buf *cell)
{
    const char *text = vt_buf_text(cell);
    if (text[0] == '\'' && text[1] != '\0' && strchr("=+-@\t\r", text[1]) != NULL)
        text++;
    return *text != '\0' ? text : NULL;
}

/* False at the end, and where a row is not whole. */
static bool next_row(reader *r)
{
    const char *at = r->at;
    for (size_t column = 0; column < COLUMNS; column++) {
        vt_buf *cell = &r->cells[column];
        vt_buf_clear(cell);
        if (at >= r->end)
            return false;
        at = *at == '"' ? read_quoted(at, r->end, cell) : read_plain(at, r->end, cell);
        if (at == NULL || at >= r->end || *at != (column + 1 < COLUMNS ? ',' : '\n') ||
            cell->failed)
            return false;
        at++;
    }
    r->at = at;
    return true;
}

static void put_row(vt_json_writer *writer, reader *r)
{
    int64_t line = 0;
    vt_buf *reason = &r->cells[4];
    vt_job_hide_paths(r->jobs, r->id, reason->data != NULL ? reason->data : (char[]){""});
    vt_json_open_object(writer, NULL);
    if (vt_parse_int(vt_buf_text(&r->cells[0]), 0, INT64_MAX, &line))
        vt_json_put_int(writer, "line", line);
    vt_json_put_text(writer, "product", text_of(&r->cells[1]));
    vt_json_put_text(writer, "image", text_of(&r->cells[2]));
    vt_json_put_text(writer, "status", text_of(&r->cells[3]));
    vt_json_put_text(writer, "reason", text_of(reason));
    vt_json_close(writer);
}

vt_status vt_put_rejects(vt_json_writer *writer, const vt_jobs *jobs, const vt_reject_page *page,
                         vt_error *error)
{
    vt_mapping file = {0};
    reader r = {.jobs = jobs, .id = page->id};
    size_t count = 0;
    char *path = vt_job_path(jobs, page->id, "rejects.csv");
    if (path == NULL)
        return vt_fail_memory(error, "a path");
    vt_status status = vt_mapping_open(path, REJECTS_BYTES, &file, error);
    vt_free(path);
    if (status != VT_OK && status != VT_ERR_NOT_FOUND)
        return status;
    for (size_t i = 0; i < COLUMNS; i++)
        vt_buf_init(&r.cells[i], ROW_BYTES);
    r.at = (const char *)file.bytes;
    r.end = file.length > 0 ? r.at + file.length : r.at;
    vt_json_open_array(writer, "rejects");
    if (file.length > 0 && next_row(&r)) /* the names of the columns */
        for (; next_row(&r); count++)
            if (count >= page->offset && count - page->offset < page->top)
                put_row(writer, &r);
    vt_json_close(writer);
    vt_json_put_int(writer, "total", (int64_t)count);
    vt_json_put_int(writer, "offset", (int64_t)page->offset);
    for (size_t i = 0; i < COLUMNS; i++)
        vt_buf_deinit(&r.cells[i]);
    vt_mapping_close(&file);
    return VT_OK;
}
