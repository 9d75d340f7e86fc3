/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Bodies as they come: gathered whole, line by line, or read and forgotten.
 *
 * A body of lines is worked on while it comes. What has come is handed to a worker as soon as it
 * holds the end of a line, and nothing more is taken from the socket until that is done: no more of
 * it is in memory than a line and what the network brought along, and a client that is faster than
 * the work waits in its own send. The verdicts wait for the end of the body: HTTP allows an answer
 * before it, but libmicrohttpd stops reading when it has one. Where the rest cannot be worked on (a
 * line is too long, memory is short, the server stops) what was done keeps its verdicts, the last
 * of which says why it ends there.
 *
 * Only so many of these bodies come at once: each has a worker whenever it has lines, and workers
 * are what searches wait for.
 */
#include "server/http.h"

#include <string.h>

enum { RETRY_MS = 1000 };

void vt_body_drop(vt_request *request)
{
    atomic_fetch_sub(&request->server->bodies_bytes, request->body.length);
    vt_buf_deinit(&request->body);
}

void vt_body_refuse(vt_request *request, vt_status status, const vt_error *error)
{
    vt_body_drop(request);
    request->draining = true;
    vt_reply_problem(request, status, error);
}

void vt_body_consume(vt_request *request, size_t length)
{
    vt_buf *body = &request->body;
    if (length == 0)
        return;
    body->length -= length;
    memmove(body->data, body->data + length, body->length + 1);
    atomic_fetch_sub(&request->server->bodies_bytes, length);
}

static vt_status append(vt_request *request, const char *bytes, size_t length, vt_error *error)
{
    vt_server *server = request->server;
    size_t limit = request->routing.route->body != VT_BODY_NONE ? server->options.body_bytes : 0;
    if (length > limit - request->body.length)
        return vt_fail(error, VT_ERR_LIMIT, "%s has more than %zu bytes",
                       request->lines.begun ? "the line" : "the body", limit);
    if (atomic_load(&server->bodies_bytes) + length > server->options.bodies_bytes) {
        atomic_fetch_add(&server->metrics.refused_memory, 1);
        return vt_fail(error, VT_ERR_BUSY, "too many large requests at once");
    }
    if (!vt_buf_append(&request->body, bytes, length))
        return vt_fail_memory(error, "a body");
    atomic_fetch_add(&server->bodies_bytes, length);
    return VT_OK;
}

bool vt_body_gather(vt_request *request, const char *bytes, size_t length)
{
    vt_error error = {0};
    request->received_bytes += length;
    if (request->draining || request->lines.cut) {
        request->forgotten_bytes += length;
        return false;
    }
    vt_status status = append(request, bytes, length, &error);
    if (status == VT_OK)
        return request->routing.route->body == VT_BODY_LINES && memchr(bytes, '\n', length) != NULL;
    if (request->lines.begun) {
        request->lines.cut = true;
        request->lines.why = error;
        return false;
    }
    if (status == VT_ERR_BUSY) {
        request->http = MHD_HTTP_SERVICE_UNAVAILABLE;
        request->retry_ms = RETRY_MS;
    }
    vt_body_refuse(request, status, &error);
    return false;
}

vt_status vt_body_enter(vt_request *request, vt_error *error)
{
    atomic_int *batches = &request->server->batches;
    request->lines.counted = atomic_fetch_add(batches, 1) < VT_BATCHES_MOST;
    if (request->lines.counted)
        return VT_OK;
    atomic_fetch_sub(batches, 1);
    request->retry_ms = RETRY_MS;
    return vt_refuse(request, MHD_HTTP_SERVICE_UNAVAILABLE, VT_ERR_BUSY, error,
                     "%d batches come in already", VT_BATCHES_MOST);
}

void vt_body_leave(vt_request *request)
{
    if (request->lines.counted)
        atomic_fetch_sub(&request->server->batches, 1);
}
