/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A list of queries to measure with: CSV with the columns photo, product and perhaps category, in
 * any order, others ignored.
 *
 *     vt_queries *queries;
 *     vt_queries_open("queries.csv", &queries, error);
 *     while (vt_queries_next(queries, &row, error) == VT_OK && row.photo != NULL) ...
 *     vt_queries_close(queries);
 *
 * Threads: one thread at a time.
 */
#ifndef VT_INGEST_QUERIES_H
#define VT_INGEST_QUERIES_H

#include "base/status.h"

typedef struct vt_queries vt_queries;

typedef struct vt_query_row {
    uint64_t line;
    const char *photo, *product, *category; /* borrowed until the next call; category may be NULL */
} vt_query_row;

vt_status vt_queries_open(const char *path, vt_queries **out, vt_error *error);
void vt_queries_close(vt_queries *queries);
/* row->photo NULL: the end. VT_ERR_FORMAT, VT_ERR_LIMIT and VT_ERR_USAGE concern one row (row->line
 * is set): the next call goes on after it. */
vt_status vt_queries_next(vt_queries *queries, vt_query_row *row, vt_error *error);

#endif
