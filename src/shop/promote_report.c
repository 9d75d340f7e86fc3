/* SPDX-License-Identifier: Apache-2.0 */
/* What a promotion came to, as members of a JSON object. */
#include "shop/promote.h"

#include <stdio.h>

static const int ranks_at[VT_PROMOTE_RANKS] = {1, 5, 10};

static void put_recall(vt_json_writer *writer, const char *key, const double *recall)
{
    char rank[16];
    vt_json_open_object(writer, key);
    for (int i = 0; i < VT_PROMOTE_RANKS; i++) {
        snprintf(rank, sizeof(rank), "%d", ranks_at[i]);
        vt_json_put_number(writer, rank, recall[i], 6);
    }
    vt_json_close(writer);
}

void vt_promote_put(vt_json_writer *writer, const vt_promote_report *report)
{
    vt_json_put_bool(writer, "switched", report->switched);
    vt_json_put_text(writer, "refused", report->refused[0] != '\0' ? report->refused : NULL);
    vt_json_put_text(writer, "before", report->before);
    vt_json_put_text(writer, "after", report->after);
    vt_json_put_int(writer, "dimension_before", (int64_t)report->dimension_before);
    vt_json_put_int(writer, "dimension_after", (int64_t)report->dimension_after);
    vt_json_put_text(writer, "measured_with", report->measured_with);
    vt_json_put_int(writer, "queries", (int64_t)report->queries);
    vt_json_put_int(writer, "queries_left_out", (int64_t)report->queries_left_out);
    vt_json_put_int(writer, "gallery", (int64_t)report->gallery);
    put_recall(writer, "recall_before", report->recall_before);
    put_recall(writer, "recall_after", report->recall_after);
    vt_json_put_int(writer, "resumed", (int64_t)report->resumed);
    vt_json_put_int(writer, "embedded", (int64_t)report->embedded);
    vt_json_put_int(writer, "originals", (int64_t)report->originals);
    vt_json_put_int(writer, "failed", (int64_t)report->failed);
    vt_json_put_text(writer, "first_failure",
                     report->first_failure[0] != '\0' ? report->first_failure : NULL);
    vt_json_put_number(writer, "took_s", report->took_s, 3);
}
