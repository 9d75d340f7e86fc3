/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a job does as a stream of events (text/event-stream, HTML 9.2): the job as it stands, and
 * again whenever it changed, until it has ended.
 *
 * Method: an answer of unknown length, whose bytes libmicrohttpd asks for when the socket takes
 * more. Where there is nothing to say the connection is suspended, so that neither a worker nor a
 * network thread waits with it; the thread of jobs.c looks a few times a second whose job has
 * changed, or who has heard nothing for heartbeat_ms, and resumes those. An event is made when it
 * is about to be sent, of the job as it is then: a slow reader gets fewer events, and nothing
 * queues up for it. One that takes nothing at all is let go after write_ms, as with any answer.
 *
 * `suspended` is set and cleared under the lock, by who suspends and who resumes: a connection that
 * is suspended is touched by nobody else, so it is there when it is resumed.
 */
#include "server/jobs.h"

#include "base/clock.h"

#include <inttypes.h>
#include <string.h>

enum { BLOCK_BYTES = 4096, EVENT_BYTES = 64 << 10, CLIENT_RETRY_MS = 2000 };

typedef struct vt_job_listener listener;
struct vt_job_listener {
    listener *next, **before; /* before: what points here */
    vt_jobs *jobs;
    vt_request *request; /* outlives it */
    char id[VT_JOB_ID_CHARS + 1];
    vt_buf text; /* of an event, sent up to `sent` */
    size_t sent;
    uint64_t seen; /* version of the job that was told; 0: none */
    double told_ms;
    bool suspended, ended;
};

/* With the lock held. */
static void make_event(listener *one, const vt_job_record *job)
{
    vt_json_writer writer;
    if (one->seen == 0)
        vt_buf_printf(&one->text, "retry: %d\n", CLIENT_RETRY_MS);
    vt_buf_printf(&one->text, "id: %" PRIu64 "\nevent: job\ndata: ", job->version);
    vt_json_begin(&writer, &one->text, false);
    vt_json_open_object(&writer, NULL);
    vt_put_job(&writer, job);
    vt_json_close(&writer);
    vt_buf_append_text(&one->text, "\n\n");
    one->seen = job->version;
    one->ended = vt_job_ended(job) || one->text.failed;
}

static bool is_quiet_too_long(const listener *one)
{
    return vt_clock_ms() - one->told_ms >= one->jobs->server->options.heartbeat_ms;
}

/* The next text to send, if there is one. With the lock held. */
static void prepare(listener *one)
{
    const vt_job_record *job = vt_jobs_find(one->jobs, one->id);
    vt_buf_clear(&one->text);
    one->sent = 0;
    if (one->ended)
        return;
    if (job == NULL)
        one->ended = true;
    else if (job->version != one->seen)
        make_event(one, job);
    else if (is_quiet_too_long(one))
        vt_buf_append_text(&one->text, ": still here\n\n");
    if (one->text.length > 0)
        one->told_ms = vt_clock_ms();
}

static ssize_t read_events(void *context, uint64_t position, char *out, size_t room)
{
    listener *one = context;
    vt_jobs *jobs = one->jobs;
    ssize_t result = 0;
    (void)position;
    pthread_mutex_lock(&jobs->lock);
    if (one->sent == one->text.length)
        prepare(one);
    size_t left = one->text.length - one->sent;
    if (left > 0) {
        size_t length = left < room ? left : room;
        memcpy(out, one->text.data + one->sent, length);
        one->sent += length;
        vt_request_waits(one->request, VT_WAIT_READER);
        result = (ssize_t)length;
    } else if (one->ended || jobs->closing) {
        result = MHD_CONTENT_READER_END_OF_STREAM;
    } else {
        vt_request_waits(one->request, VT_WAIT_US);
        one->suspended = true;
        MHD_suspend_connection(one->request->connection);
    }
    pthread_mutex_unlock(&jobs->lock);
    return result;
}

void vt_events_wake(vt_jobs *jobs, bool all)
{
    for (listener *one = jobs->listeners.first; one != NULL; one = one->next) {
        const vt_job_record *job = vt_jobs_find(jobs, one->id);
        if (!one->suspended ||
            (!all && job != NULL && job->version == one->seen && !is_quiet_too_long(one)))
            continue;
        one->suspended = false;
        MHD_resume_connection(one->request->connection);
    }
}

/* ---- life of a listener ---- */

static void close_listener(void *context)
{
    listener *one = context;
    vt_jobs *jobs = one->jobs;
    pthread_mutex_lock(&jobs->lock);
    *one->before = one->next;
    if (one->next != NULL)
        one->next->before = one->before;
    jobs->listeners.count--;
    pthread_mutex_unlock(&jobs->lock);
    vt_buf_deinit(&one->text);
    vt_free(one);
}

static vt_status open_listener(vt_request *request, const char *id, listener **out, vt_error *error)
{
    vt_jobs *jobs = request->server->jobs;
    listener *one = vt_calloc(1, sizeof(*one));
    if (one == NULL)
        return vt_fail_memory(error, "a listener");
    one->jobs = jobs;
    one->request = request;
    memcpy(one->id, id, sizeof(one->id));
    vt_buf_init(&one->text, EVENT_BYTES);
    pthread_mutex_lock(&jobs->lock);
    bool room = !jobs->closing && jobs->listeners.count < VT_JOBS_LISTENERS;
    if (room) {
        one->next = jobs->listeners.first;
        one->before = &jobs->listeners.first;
        if (one->next != NULL)
            one->next->before = &one->next;
        jobs->listeners.first = one;
        jobs->listeners.count++;
        pthread_cond_signal(&jobs->told);
    }
    pthread_mutex_unlock(&jobs->lock);
    if (!room) {
        vt_free(one);
        return vt_fail(error, VT_ERR_BUSY, "too many listen to jobs already");
    }
    *out = one;
    return VT_OK;
}

/* A client that has the end already and comes back, as they do by themselves, is told that there is
 * no more: 204 is the one answer after which they stay away. */
static bool has_the_end(vt_request *request, const vt_job_record *job)
{
    int64_t known = 0;
    const char *last = vt_header(request, "Last-Event-ID");
    return last != NULL && vt_job_ended(job) && vt_parse_int(last, 0, INT64_MAX, &known) &&
           (uint64_t)known == job->version;
}

vt_status vt_events_open(vt_request *request, const char *id, vt_error *error)
{
    vt_job_record job;
    listener *one = NULL;
    vt_status status = vt_jobs_get(request->server->jobs, id, &job, error);
    if (status == VT_OK && has_the_end(request, &job)) {
        request->http = MHD_HTTP_NO_CONTENT;
        return VT_OK;
    }
    if (status == VT_OK)
        status = open_listener(request, job.id, &one, error);
    if (status != VT_OK)
        return status;
    struct MHD_Response *response = MHD_create_response_from_callback(
        MHD_SIZE_UNKNOWN, BLOCK_BYTES, read_events, one, close_listener);
    if (response == NULL) {
        close_listener(one);
        return vt_fail_memory(error, "an event stream");
    }
    MHD_add_response_header(response, "Content-Type", "text/event-stream");
    MHD_add_response_header(response, "Cache-Control", "no-store");
    MHD_add_response_header(response, "X-Accel-Buffering", "no"); /* nginx hands it on at once */
    vt_add_security_headers(response, false);
    vt_add_transport_headers(request->server, response);
    request->http = MHD_HTTP_OK;
    request->prepared = response;
    request->prepared_owned = true;
    return VT_OK;
}
