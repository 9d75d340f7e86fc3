/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The reject file: one CSV line for every row and every picture that was left out, with the reason.
 *
 * Threads: belongs to the committer.
 */
#ifndef VT_INGEST_REJECTS_H
#define VT_INGEST_REJECTS_H

#include "ingest/job.h"
#include "ingest/table.h"

enum { VT_REJECTS_COLUMNS = 5 };
extern const char *const vt_rejects_header[VT_REJECTS_COLUMNS];

/* Writes down and counts what the job lost: its row, its pictures, or nothing. table may be NULL.
 */
void vt_rejects_add_job(vt_table *table, const vt_job *job, vt_ingest_report *report);
/* The row itself, for the reason in job->error. */
void vt_rejects_add_row(vt_table *table, const vt_job *job, vt_ingest_report *report);

#endif
