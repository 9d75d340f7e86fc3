/* SPDX-License-Identifier: Apache-2.0 */
/*
 * jobs/history.json of a shop: the jobs in line, the one that runs and the last ones that ended,
 * oldest first. Replaced atomically. A file that cannot be read is set aside as if there were none:
 * what jobs did is in the shop, only the list of them is lost.
 */
#include "server/jobs.h"

#include "base/file.h"
#include "base/log.h"

enum { HISTORY_BYTES = 4 << 20, HISTORY_DEPTH = 8 };

static void take_jobs(vt_jobs *jobs, const vt_json *list)
{
    size_t count = vt_json_count(list);
    for (size_t i = count > jobs->capacity ? count - jobs->capacity : 0; i < count; i++)
        jobs->count += vt_get_job(vt_json_at(list, i), &jobs->items[jobs->count]);
}

vt_status vt_history_read(vt_jobs *jobs, vt_error *error)
{
    vt_buf bytes;
    vt_json *document = NULL;
    vt_error problem;
    char *path = vt_path_join(jobs->directory, "history.json");
    if (path == NULL)
        return vt_fail_memory(error, "a path");
    vt_buf_init(&bytes, HISTORY_BYTES);
    vt_status status = vt_file_read(path, HISTORY_BYTES, &bytes, &problem);
    if (status == VT_OK)
        status = vt_json_parse(bytes.data, bytes.length, HISTORY_DEPTH, &document, &problem);
    if (status == VT_OK)
        take_jobs(jobs, vt_json_get(document, "jobs"));
    else if (status != VT_ERR_NOT_FOUND)
        vt_log(VT_LOG_WARN, "%s; the list of jobs begins anew", problem.message);
    vt_json_free(document);
    vt_buf_deinit(&bytes);
    vt_free(path);
    return VT_OK;
}

vt_status vt_history_write(const vt_jobs *jobs, vt_error *error)
{
    vt_buf bytes;
    vt_json_writer writer;
    char *path = vt_path_join(jobs->directory, "history.json");
    if (path == NULL)
        return vt_fail_memory(error, "a path");
    vt_buf_init(&bytes, HISTORY_BYTES);
    vt_json_begin(&writer, &bytes, true);
    vt_json_open_object(&writer, NULL);
    vt_json_open_array(&writer, "jobs");
    for (size_t i = 0; i < jobs->count; i++) {
        vt_json_open_object(&writer, NULL);
        vt_put_job(&writer, &jobs->items[i]);
        vt_json_close(&writer);
    }
    vt_json_close(&writer);
    vt_json_close(&writer);
    vt_buf_append_char(&bytes, '\n');
    vt_status status = bytes.failed ? vt_fail_memory(error, "the list of jobs")
                                    : vt_file_replace(path, bytes.data, bytes.length, true, error);
    vt_buf_deinit(&bytes);
    vt_free(path);
    return status;
}
