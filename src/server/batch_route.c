/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Many changes in one request: lines of JSON (NDJSON) in, a line with the verdict on each out. A
 * line that is refused leaves the others alone; each is durable when its verdict is written.
 *
 *     {"id":"A","title":"Mug","price":9,"images":["<base64>"]}     put, as op "put" says too
 *     {"op":"patch","id":"A","price":8}
 *     {"op":"delete","id":"B"}
 */
#include "server/routes.h"

#include <string.h>

enum { BATCH_DEPTH = 8, BATCH_LINES = 100000, VERDICTS_BYTES = 64 << 20 };

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

static void put_verdict(vt_request *request, size_t number, const char *line, size_t length)
{
    vt_error error = {0};
    vt_json *document = NULL;
    vt_json_writer writer;
    const char *detail = NULL;
    int http = 0;
    vt_status status = apply_line(request, line, length, &document, &http, &error);
    if (status != VT_OK)
        http = vt_problem_of(request, status, &error, &detail);
    vt_json_begin(&writer, &request->answer, false);
    vt_json_open_object(&writer, NULL);
    vt_json_put_int(&writer, "line", (int64_t)number);
    vt_json_put_text(&writer, "id", vt_json_text(vt_json_get(document, "id"), NULL));
    vt_json_put_int(&writer, "status", http);
    if (status != VT_OK) {
        vt_json_put_text(&writer, "code", vt_status_name(status));
        vt_json_put_text(&writer, "detail", detail);
    }
    vt_json_close(&writer);
    vt_buf_append_char(&request->answer, '\n');
    vt_json_free(document);
}

static bool is_blank(const char *line, size_t length)
{
    return strspn(line, " \t\r") >= length;
}

vt_status vt_answer_batch(vt_request *request, vt_error *error)
{
    const char *at = vt_buf_text(&request->body), *end = at + request->body.length;
    if (!vt_content_is(request, "application/x-ndjson"))
        return vt_fail(error, VT_ERR_UNSUPPORTED,
                       "read the batch: it is \"%.100s\", application/x-ndjson is needed",
                       request->content_type);
    vt_buf_init(&request->answer, VERDICTS_BYTES);
    for (size_t number = 1; at < end; number++) {
        const char *stop = memchr(at, '\n', (size_t)(end - at));
        size_t length = stop != NULL ? (size_t)(stop - at) : (size_t)(end - at);
        if (number > BATCH_LINES)
            return vt_fail(error, VT_ERR_LIMIT, "a batch of more than %d lines", BATCH_LINES);
        if (!is_blank(at, length))
            put_verdict(request, number, at, length);
        at += length + (stop != NULL);
    }
    if (request->answer.failed)
        return vt_fail_memory(error, "the verdicts");
    request->http = MHD_HTTP_OK;
    request->answer_type = "application/x-ndjson";
    return VT_OK;
}
