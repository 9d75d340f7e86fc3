/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Who is let in, and the threads that do the work.
 *
 * Admission: at most `queue` requests wait. One more is told at once, by the network thread, to
 * come back: under overload the work that is done is work that somebody still waits for. That is
 * looked at when the head is there, so that nothing is kept of a body that is refused (and none is
 * sent by a client that waits for "100 Continue"), and again when the body is, because others came
 * meanwhile: a place is not kept for whoever sends slowly.
 *
 * Priority: what computes (workers, the encoder's threads) steps back behind what talks (network
 * threads) by the kernel's nice value, and jobs behind both. There are more computing threads than
 * cores, and at equal priority a network thread that wakes waits for its turn among them, for each
 * packet anew: at four times of what can be done, refusals took 1.4 ms at the median before and 0.3
 * ms so, on two cores that others used as well. Threads inherit the value, so it is enough to make
 * the encoder's from a thread that has stepped back.
 */
#include "server/answer_cache.h"

enum {
    WORKERS_PER_CORE = 4, /* most of them wait for the network to run on what they decoded */
    WORKERS_LEAST = 16,   /* so many photos can meet in one batch */
    WORKERS_MOST = 256,
    RETRY_MS = 1000,
};

/* ---- admission ---- */

static vt_status refuse_full(vt_request *request, vt_error *error)
{
    atomic_fetch_add(&request->server->metrics.refused_queue, 1);
    request->retry_ms = RETRY_MS;
    return vt_refuse(request, MHD_HTTP_SERVICE_UNAVAILABLE, VT_ERR_BUSY, error,
                     "too many requests wait already");
}

vt_status vt_work_admit(vt_request *request, vt_error *error)
{
    vt_server *server = request->server;
    return atomic_load(&server->waiting) < server->options.queue ? VT_OK
                                                                 : refuse_full(request, error);
}

bool vt_work_enqueue(vt_request *request)
{
    vt_server *server = request->server;
    vt_error error = {0};
    /* Who was let in with the first lines keeps the place: there is room for so many of them. */
    if (atomic_fetch_add(&server->waiting, 1) < server->options.queue || request->lines.begun) {
        vt_request_waits(request, VT_WAIT_US);
        request->phase = VT_PHASE_QUEUED;
        MHD_suspend_connection(request->connection);
        if (vt_queue_push(server->queue, request))
            return true;
        MHD_resume_connection(request->connection); /* closed: the server ends */
    }
    atomic_fetch_sub(&server->waiting, 1);
    vt_status status = refuse_full(request, &error);
    vt_body_refuse(request, status, &error);
    if (request->lines.ended || request->routing.route->body != VT_BODY_LINES)
        request->phase = VT_PHASE_READY;
    return false;
}

/* ---- work ---- */

void vt_work_on(vt_request *request)
{
    vt_error error = {0};
    vt_status status = vt_answer_request(request, &error);
    if (request->routing.route->body == VT_BODY_LINES && !request->lines.ended) {
        if (status != VT_OK)
            vt_body_refuse(request, status, &error);
        request->phase = VT_PHASE_BODY;
        vt_request_waits(request, VT_WAIT_BODY); /* for the next line */
        return;
    }
    if (status != VT_OK)
        vt_reply_problem(request, status, &error);
    vt_body_drop(request);
    request->phase = VT_PHASE_READY;
}

static void work(void *context)
{
    vt_server *server = context;
    vt_request *request;
    vt_thread_lower(VT_NICE_WORK);
    while ((request = vt_queue_take(server->queue)) != NULL) {
        atomic_fetch_sub(&server->waiting, 1);
        struct MHD_Connection *connection = request->connection;
        vt_work_on(request);
        MHD_resume_connection(connection); /* the request is the network thread's again */
    }
}

vt_status vt_workers_start(vt_server *server, vt_error *error)
{
    int workers = server->options.workers;
    if (workers <= 0) {
        workers = vt_core_count() * WORKERS_PER_CORE;
        workers = workers < WORKERS_LEAST ? WORKERS_LEAST : workers;
    }
    workers = workers < WORKERS_MOST ? workers : WORKERS_MOST;
    vt_status status =
        vt_queue_new((size_t)server->options.queue + VT_BATCHES_MOST, &server->queue, error);
    server->threads = vt_calloc((size_t)workers, sizeof(*server->threads));
    if (status == VT_OK && server->threads == NULL)
        status = vt_fail_memory(error, "the workers");
    while (status == VT_OK && server->worker_count < workers) {
        status = vt_thread_start("vt-serve", work, server, &server->threads[server->worker_count],
                                 error);
        server->worker_count += status == VT_OK;
    }
    return status;
}

/* ---- the encoder ---- */

typedef struct warming {
    vt_shop *shop;
    vt_status status;
    vt_error error;
} warming;

static void warm(void *context)
{
    warming *what = context;
    vt_thread_lower(VT_NICE_WORK);
    what->status = vt_shop_warm(what->shop, &what->error);
}

vt_status vt_workers_warm(vt_server *server, vt_error *error)
{
    warming what = {.shop = server->shop};
    vt_thread *thread = NULL;
    vt_status status = vt_thread_start("vt-warm", warm, &what, &thread, error);
    if (status != VT_OK)
        return status;
    vt_thread_join(thread);
    if (what.status != VT_OK && error != NULL)
        *error = what.error;
    return what.status;
}
