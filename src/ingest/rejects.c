/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a job lost, as lines of the reject file. A product none of whose pictures could be used gets
 * a line for itself and one for each picture.
 */
#include "ingest/rejects.h"

#include "ingest/feed_row.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

const char *const vt_rejects_header[VT_REJECTS_COLUMNS] = {"line", "product", "picture", "status",
                                                           "reason"};

static void rejects_line(vt_table *table, const vt_job *job, const char *picture, vt_status status,
                         const char *reason)
{
    char line[24];
    snprintf(line, sizeof line, "%" PRIu64, job->row.line);
    const char *cells[VT_REJECTS_COLUMNS] = {line, job->row.product.id, picture,
                                             vt_status_text(status), reason};
    vt_table_row(table, cells, VT_REJECTS_COLUMNS);
}

static void rejects_first(vt_ingest_report *report, const vt_job *job, const char *picture,
                          const char *reason)
{
    vt_error text = {0};
    if (report->first_reject[0] != '\0')
        return;
    if (picture)
        vt_fail(&text, VT_ERR_FORMAT, "line %" PRIu64 ", product \"%s\", picture \"%s\": %s",
                job->row.line, job->row.product.id, picture, reason);
    else if (job->row.product.id &&
             strncmp(reason, "line ", 5) != 0) /* a feed's own error says it */
        vt_fail(&text, VT_ERR_FORMAT, "line %" PRIu64 ", product \"%s\": %s", job->row.line,
                job->row.product.id, reason);
    else
        vt_fail(&text, VT_ERR_FORMAT, "%s", reason);
    snprintf(report->first_reject, sizeof report->first_reject, "%.*s",
             vt_text_clip(text.message, (int)sizeof report->first_reject - 1), text.message);
}

void vt_rejects_add_row(vt_table *table, const vt_job *job, vt_ingest_report *report)
{
    report->rejected_rows++;
    rejects_first(report, job, NULL, job->error.message);
    rejects_line(table, job, NULL, job->error.status, job->error.message);
}

void vt_rejects_add_job(vt_table *table, const vt_job *job, vt_ingest_report *report)
{
    if (job->outcome == VT_JOB_REJECTED) {
        vt_rejects_add_row(table, job, report);
        return;
    }
    if (job->outcome == VT_JOB_NO_PICTURE) {
        report->rejected_rows++;
        rejects_line(table, job, NULL, job->note_count > 0 ? job->notes[0].status : VT_ERR_FORMAT,
                     "no picture of the product could be used");
    }
    for (size_t i = 0; i < job->note_count; i++) {
        const vt_job_note *note = &job->notes[i];
        report->rejected_pictures++;
        rejects_first(report, job, note->picture, note->reason);
        rejects_line(table, job, note->picture, note->status, note->reason);
    }
}
