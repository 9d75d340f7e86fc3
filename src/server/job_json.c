/* SPDX-License-Identifier: Apache-2.0 */
/* A job in JSON, as clients see it and as the history keeps it: one form, so that both say the
 * same. */
#include "server/jobs.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

static const char *const kinds[VT_JOB_KIND_COUNT] = {"import", "index-build", "index-check",
                                                     "train", "eval"};
static const char *const states[VT_JOB_STATE_COUNT] = {"queued", "running",   "done",
                                                       "failed", "cancelled", "interrupted"};

const char *vt_job_kind_name(vt_job_kind kind)
{
    return kinds[kind];
}

static int index_of(const char *const *names, int count, const char *name)
{
    for (int i = 0; i < count; i++)
        if (vt_text_equal(names[i], name))
            return i;
    return -1;
}

bool vt_job_kind_of(const char *name, vt_job_kind *out)
{
    int found = index_of(kinds, VT_JOB_KIND_COUNT, name);
    if (found < 0)
        return false;
    *out = (vt_job_kind)found;
    return true;
}

/* ---- writing ---- */

static void put_time(vt_json_writer *writer, const char *name, int64_t time_ms)
{
    if (time_ms > 0)
        vt_json_put_int(writer, name, time_ms);
}

static void put_progress(vt_json_writer *writer, const vt_job_record *job)
{
    if (job->stage[0] == '\0')
        return;
    vt_json_put_text(writer, "stage", job->stage);
    if (job->unit[0] == '\0')
        return;
    vt_json_put_text(writer, "unit", job->unit);
    vt_json_put_int(writer, "done", (int64_t)job->done);
    if (job->total > 0)
        vt_json_put_int(writer, "total", (int64_t)job->total);
    if (job->rate <= 0.0)
        return;
    vt_json_put_number(writer, "rate", job->rate, 2);
    if (job->total >= job->done)
        vt_json_put_number(writer, "eta_s", (double)(job->total - job->done) / job->rate, 1);
}

void vt_put_job(vt_json_writer *writer, const vt_job_record *job)
{
    vt_json_put_text(writer, "id", job->id);
    vt_json_put_text(writer, "kind", kinds[job->kind]);
    vt_json_put_text(writer, "state", states[job->state]);
    vt_json_put_bool(writer, "cancelling", job->cancelling);
    if (job->name[0] != '\0')
        vt_json_put_text(writer, "name", job->name);
    if (job->key[0] != '\0')
        vt_json_put_text(writer, "key", job->key);
    put_time(writer, "created_ms", job->created_ms);
    put_time(writer, "started_ms", job->started_ms);
    put_time(writer, "ended_ms", job->ended_ms);
    put_progress(writer, job);
    if (job->status != VT_OK)
        vt_json_put_text(writer, "code", vt_status_name(job->status));
    if (job->detail[0] != '\0')
        vt_json_put_text(writer, "detail", job->detail);
    if (job->report)
        vt_json_put_bool(writer, "report", true);
    if (job->text_count == 0 && job->figure_count == 0)
        return;
    vt_json_open_object(writer, "result");
    for (size_t i = 0; i < job->text_count; i++)
        vt_json_put_text(writer, job->texts[i].name, job->texts[i].text);
    for (size_t i = 0; i < job->figure_count; i++)
        vt_json_put_number(writer, job->figures[i].name, job->figures[i].value, -1);
    vt_json_close(writer);
}

/* ---- reading ---- */

static void get_text(const vt_json *object, const char *name, char *out, size_t capacity)
{
    snprintf(out, capacity, "%s", vt_json_text(vt_json_get(object, name), ""));
}

static int64_t get_count(const vt_json *object, const char *name)
{
    double value = vt_json_number(vt_json_get(object, name), 0.0);
    return value > 0.0 && value < 9e15 ? (int64_t)value : 0;
}

static vt_status status_of(const char *name)
{
    for (int i = 0; i < VT_STATUS_COUNT; i++)
        if (vt_text_equal(vt_status_name((vt_status)i), name))
            return (vt_status)i;
    return VT_OK;
}

static void get_result(const vt_json *result, vt_job_record *out)
{
    size_t count = vt_json_count(result);
    for (size_t i = 0; i < count; i++) {
        const vt_json *member = NULL;
        const char *name = vt_json_key_at(result, i, &member);
        if (name == NULL)
            return;
        if (vt_json_kind_of(member) == VT_JSON_TEXT)
            vt_job_add_text(out, name, vt_json_text(member, ""));
        else
            vt_job_add_figure(out, name, vt_json_number(member, 0.0));
    }
}

bool vt_get_job(const vt_json *object, vt_job_record *out)
{
    vt_job_record job = {0};
    uint8_t bytes[VT_JOB_ID_CHARS / 2];
    const char *id = vt_json_text(vt_json_get(object, "id"), "");
    int state =
        index_of(states, VT_JOB_STATE_COUNT, vt_json_text(vt_json_get(object, "state"), ""));
    /* The id names a folder. */
    if (strlen(id) != VT_JOB_ID_CHARS || !vt_unhex(id, bytes, sizeof(bytes)) || state < 0 ||
        !vt_job_kind_of(vt_json_text(vt_json_get(object, "kind"), ""), &job.kind))
        return false;
    memcpy(job.id, id, sizeof(job.id));
    job.state = (vt_job_state)state;
    get_text(object, "name", job.name, sizeof(job.name));
    get_text(object, "key", job.key, sizeof(job.key));
    get_text(object, "stage", job.stage, sizeof(job.stage));
    get_text(object, "unit", job.unit, sizeof(job.unit));
    get_text(object, "detail", job.detail, sizeof(job.detail));
    job.created_ms = get_count(object, "created_ms");
    job.started_ms = get_count(object, "started_ms");
    job.ended_ms = get_count(object, "ended_ms");
    job.done = (uint64_t)get_count(object, "done");
    job.total = (uint64_t)get_count(object, "total");
    job.status = status_of(vt_json_text(vt_json_get(object, "code"), "VT_OK"));
    job.report = vt_json_bool(vt_json_get(object, "report"), false);
    get_result(vt_json_get(object, "result"), &job);
    job.version = 1;
    *out = job;
    return true;
}
