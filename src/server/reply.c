/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Answers: JSON, problem documents (RFC 9457), headers that every answer has.
 *
 * What failed inside (status 5xx) is logged with its reason, which may name files of this machine;
 * the client is told the status's text alone.
 */
#include "server/http.h"

#include "base/log.h"
#include "base/mem.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

enum { ANSWER_BYTES = 256 << 20, SIMILARITY_DECIMALS = 4 };

static const char page_policy[] =
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob: data:; "
    "connect-src 'self'; manifest-src 'self'; form-action 'self'; base-uri 'none'; "
    "frame-ancestors 'none'";
static const char data_policy[] = "default-src 'none'; frame-ancestors 'none'";

void vt_add_security_headers(struct MHD_Response *response, bool page)
{
    MHD_add_response_header(response, "Content-Security-Policy", page ? page_policy : data_policy);
    MHD_add_response_header(response, "X-Content-Type-Options", "nosniff");
    MHD_add_response_header(response, "X-Frame-Options", "DENY");
    MHD_add_response_header(response, "Referrer-Policy", "same-origin");
    MHD_add_response_header(response, "Cross-Origin-Resource-Policy", "same-origin");
    if (page) {
        MHD_add_response_header(response, "Cross-Origin-Opener-Policy", "same-origin");
        MHD_add_response_header(response, "Permissions-Policy",
                                "camera=(self), microphone=(), geolocation=()");
    }
}

void vt_add_transport_headers(const vt_server *server, struct MHD_Response *response)
{
    if (server->tls != NULL)
        MHD_add_response_header(response, "Strict-Transport-Security", "max-age=31536000");
}

const char *vt_status_name(vt_status status)
{
    static const char *const names[] = {
#define VT_STATUS_NAME(name, text, http, exit_code) #name,
        VT_STATUS_TABLE(VT_STATUS_NAME)
#undef VT_STATUS_NAME
    };
    return (unsigned)status < (unsigned)VT_STATUS_COUNT ? names[status] : names[VT_ERR_INTERNAL];
}

/* Titles of what is answered; libmicrohttpd knows the others. */
static const char *http_title(int http)
{
    if (http == 499)
        return "Cancelled";
    return MHD_get_reason_phrase_for((unsigned)http);
}

vt_status vt_refuse(vt_request *request, int http, vt_status status, vt_error *error,
                    const char *format, ...)
{
    va_list arguments;
    char text[sizeof(((vt_error *)0)->message)];
    va_start(arguments, format);
    vsnprintf(text, sizeof(text), format, arguments);
    va_end(arguments);
    request->http = http;
    return vt_fail(error, status, "%s", text);
}

void vt_reply_begin(vt_request *request, vt_json_writer *writer)
{
    vt_buf_deinit(&request->answer);
    vt_buf_init(&request->answer, ANSWER_BYTES);
    vt_json_begin(writer, &request->answer, false);
    vt_json_open_object(writer, NULL);
}

vt_status vt_reply_end(vt_request *request, vt_json_writer *writer, int http, vt_error *error)
{
    vt_json_close(writer);
    vt_buf_append_char(&request->answer, '\n');
    if (request->answer.failed)
        return vt_fail_memory(error, "an answer");
    request->http = http;
    request->answer_type = "application/json";
    return VT_OK;
}

int vt_problem_of(vt_request *request, vt_status status, const vt_error *error, const char **detail)
{
    int http = request->http >= 400 ? request->http : vt_status_http(status);
    *detail = error->message[0] != '\0' ? error->message : vt_status_text(status);
    if (http >= 500 && http != MHD_HTTP_SERVICE_UNAVAILABLE) {
        vt_log(VT_LOG_ERROR, "%s %s: %s", request->method, request->path, *detail);
        *detail = vt_status_text(status);
    }
    return http;
}

void vt_reply_problem(vt_request *request, vt_status status, const vt_error *error)
{
    const char *detail = NULL;
    int http = vt_problem_of(request, status, error, &detail);
    vt_json_writer writer;
    vt_error nothing;
    vt_reply_begin(request, &writer);
    vt_json_put_text(&writer, "type", "about:blank");
    vt_json_put_text(&writer, "title", http_title(http));
    vt_json_put_int(&writer, "status", http);
    vt_json_put_text(&writer, "detail", detail);
    vt_json_put_text(&writer, "code", vt_status_name(status));
    if (request->retry_ms > 0)
        vt_json_put_int(&writer, "retry_after_ms", request->retry_ms);
    /* Without memory for the words the number stands alone. */
    if (vt_reply_end(request, &writer, http, &nothing) != VT_OK)
        vt_buf_clear(&request->answer);
    request->http = http;
    request->status = status;
    request->answer_type = "application/problem+json";
    request->cache = request->policy = NULL;
    request->etag[0] = '\0';
    request->search_id[0] = '\0';
    request->prepared = NULL;
}

bool vt_etag_matches(vt_request *request, const char *etag)
{
    const char *known = vt_header(request, "If-None-Match");
    return known != NULL && etag[0] != '\0' &&
           (strcmp(known, "*") == 0 || strstr(known, etag) != NULL);
}

static void free_answer(void *memory)
{
    vt_free(memory);
}

static struct MHD_Response *make_response(vt_request *request)
{
    size_t length = 0;
    char *bytes = NULL;
    if (request->http != MHD_HTTP_NOT_MODIFIED && request->answer.length > 0)
        bytes = vt_buf_take(&request->answer, &length);
    struct MHD_Response *response =
        bytes != NULL
            ? MHD_create_response_from_buffer_with_free_callback(length, bytes, free_answer)
            : MHD_create_response_from_buffer(0, (void *)"", MHD_RESPMEM_PERSISTENT);
    if (response == NULL) {
        vt_free(bytes);
        return NULL;
    }
    if (request->answer_type != NULL && request->http != MHD_HTTP_NO_CONTENT)
        MHD_add_response_header(response, "Content-Type", request->answer_type);
    MHD_add_response_header(response, "Cache-Control",
                            request->cache != NULL ? request->cache : "no-store");
    if (request->etag[0] != '\0')
        MHD_add_response_header(response, "ETag", request->etag);
    if (request->search_id[0] != '\0')
        MHD_add_response_header(response, "Search-Id", request->search_id);
    if (request->cached) /* RFC 9211 */
        MHD_add_response_header(response, "Cache-Status", "vitrine; hit");
    /* Browsers take the headers of a 304 for those of what they have: a page stays a page. */
    vt_add_security_headers(response, request->prepared != NULL);
    if (request->policy != NULL) {
        MHD_del_response_header(response, "Content-Security-Policy", data_policy);
        MHD_add_response_header(response, "Content-Security-Policy", request->policy);
    }
    vt_add_transport_headers(request->server, response);
    return response;
}

/* Headers that only some refusals have. */
static void add_refusal_headers(vt_request *request, struct MHD_Response *response)
{
    char seconds[16];
    if (request->retry_ms > 0) {
        snprintf(seconds, sizeof(seconds), "%d", (request->retry_ms + 999) / 1000);
        MHD_add_response_header(response, "Retry-After", seconds);
    }
    if (request->http == MHD_HTTP_UNAUTHORIZED)
        MHD_add_response_header(response, "WWW-Authenticate", "Bearer realm=\"vitrine\"");
    if (request->http == MHD_HTTP_METHOD_NOT_ALLOWED)
        MHD_add_response_header(response, "Allow", request->routing.allow);
}

bool vt_reply_send(vt_request *request)
{
    if (request->prepared != NULL && request->http == MHD_HTTP_OK)
        return MHD_queue_response(request->connection, MHD_HTTP_OK, request->prepared) == MHD_YES;
    struct MHD_Response *response = make_response(request);
    if (response == NULL)
        return false;
    add_refusal_headers(request, response);
    if (atomic_load(&request->server->stopping))
        MHD_add_response_header(response, "Connection", "close");
    bool queued =
        MHD_queue_response(request->connection, (unsigned)request->http, response) == MHD_YES;
    MHD_destroy_response(response);
    return queued;
}
