/* SPDX-License-Identifier: Apache-2.0 */
/* Jobs over HTTP: put in line, listed, looked at, listened to, cancelled. */
#include "server/jobs.h"
#include "server/routes.h"

#include "base/file.h"

#include <stdio.h>
#include <string.h>

enum {
    REPORT_BYTES = 64 << 20,
    RETRY_MS = 5000,
    REJECTS_TOP = 100,
    REJECTS_TOP_MAXIMUM = 1000,
    REJECTS_OFFSET = 10000000
};

static vt_status answer_job(vt_request *request, const vt_job_record *job, int http,
                            vt_error *error)
{
    vt_json_writer writer;
    vt_reply_begin(request, &writer);
    vt_put_job(&writer, job);
    return vt_reply_end(request, &writer, http, error);
}

/* Jobs write: without the writer's place there are none. */
static vt_status need_jobs(vt_request *request, vt_error *error)
{
    if (request->server->jobs != NULL)
        return VT_OK;
    return vt_refuse(request, MHD_HTTP_CONFLICT, VT_ERR_DENIED, error,
                     "the shop is open for reading only: there are no jobs");
}

static vt_status add(vt_request *request, vt_job_record *job, vt_error *error)
{
    vt_jobs *jobs = request->server->jobs;
    vt_status status = vt_jobs_room(jobs, error);
    if (status == VT_OK)
        status = vt_job_upload(request, job, error);
    if (status != VT_OK)
        return status;
    status = vt_jobs_add(jobs, job, error);
    if (status != VT_OK)
        vt_job_clear(jobs, job->id, true);
    return status;
}

vt_status vt_answer_add_job(vt_request *request, vt_error *error)
{
    vt_job_record job = {0};
    vt_status status = need_jobs(request, error);
    if (status != VT_OK)
        return status;
    vt_job_id_new(job.id);
    memcpy(job.key, request->key_id, sizeof(job.key));
    status = add(request, &job, error);
    if (status == VT_ERR_BUSY)
        request->retry_ms = RETRY_MS;
    return status == VT_OK ? answer_job(request, &job, MHD_HTTP_ACCEPTED, error) : status;
}

static vt_status put_list(vt_request *request, vt_json_writer *writer, vt_error *error)
{
    vt_job_record *list = NULL;
    size_t count = 0;
    vt_status status = vt_jobs_list(request->server->jobs, &list, &count, error);
    for (size_t i = 0; status == VT_OK && i < count; i++) {
        vt_json_open_object(writer, NULL);
        vt_put_job(writer, &list[i]);
        vt_json_close(writer);
    }
    vt_free(list);
    return status;
}

vt_status vt_answer_jobs(vt_request *request, vt_error *error)
{
    vt_json_writer writer;
    vt_reply_begin(request, &writer);
    vt_json_open_array(&writer, "jobs");
    vt_status status = request->server->jobs != NULL ? put_list(request, &writer, error) : VT_OK;
    if (status != VT_OK)
        return status;
    vt_json_close(&writer);
    return vt_reply_end(request, &writer, MHD_HTTP_OK, error);
}

static vt_status find(vt_request *request, vt_job_record *out, vt_error *error)
{
    const char *id = request->routing.parameters[0];
    if (request->server->jobs == NULL)
        return vt_fail(error, VT_ERR_NOT_FOUND, "there is no job \"%.40s\"", id);
    return vt_jobs_get(request->server->jobs, id, out, error);
}

vt_status vt_answer_job_events(vt_request *request, vt_error *error)
{
    vt_job_record job;
    vt_status status = find(request, &job, error);
    return status == VT_OK ? vt_events_open(request, job.id, error) : status;
}

vt_status vt_answer_job(vt_request *request, vt_error *error)
{
    vt_job_record job;
    const char *wanted = vt_header(request, "Accept");
    if (wanted != NULL && strstr(wanted, "text/event-stream") != NULL)
        return vt_answer_job_events(request, error);
    vt_status status = find(request, &job, error);
    return status == VT_OK ? answer_job(request, &job, MHD_HTTP_OK, error) : status;
}

vt_status vt_answer_job_rejects(vt_request *request, vt_error *error)
{
    vt_job_record job;
    vt_json_writer writer;
    vt_reject_page page = {.top = REJECTS_TOP};
    vt_status status = find(request, &job, error);
    if (status == VT_OK)
        status = vt_query_size(request, "top", REJECTS_TOP_MAXIMUM, &page.top, error);
    if (status == VT_OK)
        status = vt_query_size(request, "offset", REJECTS_OFFSET, &page.offset, error);
    if (status != VT_OK)
        return status;
    page.id = job.id;
    vt_reply_begin(request, &writer);
    status = vt_put_rejects(&writer, request->server->jobs, &page, error);
    return status == VT_OK ? vt_reply_end(request, &writer, MHD_HTTP_OK, error) : status;
}

/* A page with pictures and styles of its own, of a catalogue's texts: nothing in it may run. */
vt_status vt_answer_job_report(vt_request *request, vt_error *error)
{
    static const char policy[] = "default-src 'none'; style-src 'unsafe-inline'; img-src data:; "
                                 "sandbox; base-uri 'none'; frame-ancestors 'none'";
    vt_job_record job;
    vt_status status = find(request, &job, error);
    if (status == VT_OK && !job.report)
        status = vt_fail(error, VT_ERR_NOT_FOUND, "job \"%s\" has no report", job.id);
    if (status != VT_OK)
        return status;
    char *path = vt_job_path(request->server->jobs, job.id, "report.html");
    if (path == NULL)
        return vt_fail_memory(error, "a path");
    vt_buf_init(&request->answer, REPORT_BYTES);
    status = vt_file_read(path, REPORT_BYTES, &request->answer, error);
    vt_free(path);
    if (status != VT_OK)
        return status;
    request->http = MHD_HTTP_OK;
    request->answer_type = "text/html; charset=utf-8";
    request->policy = policy;
    return VT_OK;
}

vt_status vt_answer_cancel_job(vt_request *request, vt_error *error)
{
    vt_job_record job;
    vt_status status = find(request, &job, error);
    if (status == VT_OK && job.kind == VT_JOB_TRAIN)
        status = vt_request_allow(request, VT_SCOPE_ADMIN, error);
    if (status == VT_OK)
        status = vt_jobs_cancel(request->server->jobs, job.id, &job, error);
    return status == VT_OK ? answer_job(request, &job, MHD_HTTP_ACCEPTED, error) : status;
}
