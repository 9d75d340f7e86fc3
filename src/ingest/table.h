/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A CSV file that is written row by row and is whole up to the last row at any moment.
 *
 *     const char *header[] = {"line", "reason"};
 *     vt_table_open(path, header, 2, &table, error);
 *     vt_table_row(table, cells, 2);
 *     status = vt_table_close(table, error);   // says whether everything got there
 *
 * Cells may hold strangers' text: they are quoted where needed, and a cell that a spreadsheet would
 * take for a formula (starts with = + - @, tab or carriage return) gets an apostrophe in front.
 *
 * Threads: a table belongs to one thread at a time.
 */
#ifndef VT_INGEST_TABLE_H
#define VT_INGEST_TABLE_H

#include "base/status.h"

typedef struct vt_table vt_table;

vt_status vt_table_open(const char *path, const char *const *header, size_t count, vt_table **out,
                        vt_error *error);
/* cells: (count), NULL means empty. A failed write is kept for vt_table_close: what is being
 * reported on goes on without its report. `table` NULL: nothing happens. */
void vt_table_row(vt_table *table, const char *const *cells, size_t count);
vt_status vt_table_close(vt_table *table, vt_error *error); /* the first failure; NULL is fine */

#endif
