/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Many changes in one request: lines of JSON (NDJSON) in, a line with the verdict on each out. A
 * line that is refused leaves the others alone; each is durable when its verdict is written, and
 * worked on when it has come (body.c): an upload that breaks off has done its whole lines.
 *
 *     {"id":"A","title":"Mug","price":9,"images":["<base64>"]}     put, as op "put" says too
 *     {"op":"patch","id":"A","price":8}
 *     {"op":"delete","id":"B"}
 */
#include "server/routes.h"

#include <string.h>

enum {
    BATCH_DEPTH = 8,
    BATCH_LINES = 1000000,
    VERDICTS_BYTES = 64 << 20,
    VERDICT_BYTES = 8 << 10, /* room for one */
};

static vt_status read_kind(const vt_json *object, vt_change_kind *out, vt_error *error)
{
    const vt_json *member = vt_json_get(object, "op");
    const char *op = member != NULL ? vt_json_text(member, "") : "put";
    if (strcmp(op, "put") == 0)
        *out = VT_CHANGE_PUT;
    else if (strcmp(op, "patch") == 0)
        *out = VT_CHANGE_PATCH;
    else if (strcmp(op, "delete") == 0)
        *out = VT_CHANGE_REMOVE;
    else
        return vt_fail(error, VT_ERR_USAGE, "\"op\" is none of put, patch, delete");
    return VT_OK;
}

/* *document: the line, the caller's, also when it is refused; NULL: it is no JSON. */
static vt_status apply_line(vt_request *request, const char *line, size_t length,
                            vt_json **document, int *http, vt_error *error)
{
    bool created = false;
    vt_change change = {.request = request};
    vt_status status = vt_json_parse(line, length, BATCH_DEPTH, document, error);
    if (status != VT_OK)
        return status;
    change.object = *document;
    change.id = vt_json_text(vt_json_get(*document, "id"), NULL);
    if (change.id == NULL)
        return vt_fail(error, VT_ERR_USAGE, "read the line: it has no \"id\"");
    status = read_kind(*document, &change.kind, error);
    if (status == VT_OK)
        status = vt_change_apply(&change, &created, error);
    *http = created                           ? MHD_HTTP_CREATED
            : change.kind == VT_CHANGE_REMOVE ? MHD_HTTP_NO_CONTENT
                                              : MHD_HTTP_OK;
    return status;
}

static void put_verdict(vt_request *request, const char *id, int http, const vt_error *error)
{
    vt_json_writer writer;
    const char *detail = NULL;
    if (error->status != VT_OK)
        http = vt_problem_of(request, error->status, error, &detail);
    vt_json_begin(&writer, &request->answer, false);
    vt_json_open_object(&writer, NULL);
    vt_json_put_int(&writer, "line", (int64_t)request->lines.count);
    vt_json_put_text(&writer, "id", id);
    vt_json_put_int(&writer, "status", http);
    if (error->status != VT_OK) {
        vt_json_put_text(&writer, "code", vt_status_name(error->status));
        vt_json_put_text(&writer, "detail", detail);
    }
    vt_json_close(&writer);
    vt_buf_append_char(&request->answer, '\n');
}

static bool is_blank(const char *line, size_t length)
{
    return strspn(line, " \t\r") >= length;
}

/* Whether there is room for a verdict more; notes in the request when there is not. */
static bool may_go_on(vt_request *request)
{
    vt_lines *lines = &request->lines;
    if (lines->cut)
        return false;
    if (lines->count == BATCH_LINES)
        vt_fail(&lines->why, VT_ERR_LIMIT, "a batch of more than %d lines", BATCH_LINES);
    else if (request->answer.length > VERDICTS_BYTES - 2 * VERDICT_BYTES)
        vt_fail(&lines->why, VT_ERR_LIMIT, "verdicts of more than %d bytes", VERDICTS_BYTES);
    else if (atomic_load(&request->server->stopping))
        vt_fail(&lines->why, VT_ERR_BUSY, "the server stops");
    else
        return true;
    lines->cut = true;
    return false;
}

static void do_line(vt_request *request, const char *line, size_t length)
{
    vt_error error = {0};
    vt_json *document = NULL;
    int http = 0;
    request->lines.count++;
    request->lines.begun = true;
    if (is_blank(line, length))
        return;
    error.status = apply_line(request, line, length, &document, &http, &error);
    put_verdict(request, vt_json_text(vt_json_get(document, "id"), NULL), http, &error);
    vt_json_free(document);
}

/* Works on the lines that have come whole; at the end of the body also on what is left. */
static void do_lines(vt_request *request)
{
    const char *begin = vt_buf_text(&request->body), *at = begin;
    const char *end = at + request->body.length;
    while (at < end) {
        const char *stop = memchr(at, '\n', (size_t)(end - at));
        if ((stop == NULL && !request->lines.ended) || !may_go_on(request))
            break;
        size_t length = (size_t)((stop != NULL ? stop : end) - at);
        do_line(request, at, length);
        at += length + (stop != NULL);
    }
    vt_body_consume(request, request->lines.cut ? request->body.length : (size_t)(at - begin));
}

vt_status vt_answer_batch(vt_request *request, vt_error *error)
{
    if (!vt_content_is(request, "application/x-ndjson"))
        return vt_fail(error, VT_ERR_UNSUPPORTED,
                       "read the batch: it is \"%.100s\", application/x-ndjson is needed",
                       request->content_type);
    if (request->answer.maximum == 0)
        vt_buf_init(&request->answer, VERDICTS_BYTES);
    do_lines(request);
    if (request->lines.ended && request->lines.cut) {
        request->lines.count++;
        put_verdict(request, NULL, 0, &request->lines.why);
    }
    if (request->answer.failed)
        return vt_fail_memory(error, "the verdicts");
    request->http = MHD_HTTP_OK;
    request->answer_type = "application/x-ndjson";
    return VT_OK;
}
