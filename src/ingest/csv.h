/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One record after another out of a CSV file; who calls decides what the columns mean. feed_csv.c
 * reads products with it, queries.c lists of queries.
 *
 *     vt_csv csv = {.window = window, .delimiter = ',', .line = 1};
 *     while (vt_csv_scan(&csv, &record, &error) == VT_OK && !record.end) {
 *         if (!record.blank && vt_csv_check_text(&csv, record.length, &error) == VT_OK)
 *             text = vt_csv_text(&csv, &csv.fields[0], &arena);
 *         vt_csv_skip(&csv, &record);
 *     }
 *     vt_csv_deinit(&csv);
 *
 * Threads: a vt_csv belongs to one thread at a time.
 */
#ifndef VT_INGEST_CSV_H
#define VT_INGEST_CSV_H

#include "ingest/feed.h"

typedef struct vt_csv_field {
    size_t start, length; /* in the window; without the quotes */
    bool doubled;         /* holds doubled quotes */
} vt_csv_field;

typedef struct vt_csv {
    vt_window window;     /* owned */
    char delimiter;       /* '\0' until it is known */
    uint64_t line;        /* of the window's first byte, from 1 */
    vt_csv_field *fields; /* (field_count) of the record scanned last; owned */
    size_t field_count, field_capacity;
} vt_csv;

typedef struct vt_csv_record {
    size_t length;  /* bytes with the line end */
    uint64_t lines; /* line ends in it */
    bool end;       /* nothing is left */
    bool blank;
} vt_csv_record;

void vt_csv_deinit(vt_csv *csv);
/* Skips blank lines and the "sep=;" line that one spreadsheet program writes and wants; such a line
 * sets the delimiter. */
vt_status vt_csv_skip_preamble(vt_csv *csv, vt_error *error);
/* Finds the places of the next record's fields; skips nothing. `error` must not be NULL. After a
 * failure that concerns the record (vt_feed_status_is_of_row) go on with vt_csv_resume. */
vt_status vt_csv_scan(vt_csv *csv, vt_csv_record *record, vt_error *error);
/* The same for the next record that is not blank; *line: where it starts. A record whose extent is
 * in doubt is left behind, so that the next call goes on after it. */
vt_status vt_csv_next(vt_csv *csv, vt_csv_record *record, uint64_t *line, vt_error *error);
void vt_csv_skip(vt_csv *csv, const vt_csv_record *record);
/* Goes on at the line after the first of a record whose extent is in doubt. */
vt_status vt_csv_resume(vt_csv *csv, vt_error *error);
/* Is the record of this length valid UTF-8 without NUL bytes? */
vt_status vt_csv_check_text(const vt_csv *csv, size_t length, vt_error *error);
/* The field's text without doubled quotes and outer blanks; NULL: no memory. */
char *vt_csv_text(const vt_csv *csv, const vt_csv_field *field, vt_arena *arena);

#endif
