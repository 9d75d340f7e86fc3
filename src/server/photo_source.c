/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Pictures that are in no body as they are: base64, and URLs that are fetched.
 *
 * Fetching is for servers that were told to (serve --fetch-images). What may be fetched is decided
 * where the connection is made (vt_photo_fetch); here is what a server adds: a bound on the time
 * and bytes of a request, and on how many workers wait for other people's servers, so that slow
 * ones cannot take all of them.
 *
 * A client learns that a picture could not be had, and not why: whether a name exists behind the
 * firewall, or a port is open there, is none of its business. The reason is in the log (debug).
 */
#include "server/photo_source.h"

#include "base/clock.h"
#include "base/log.h"

#include <string.h>

enum { FETCH_RETRY_MS = 1000 };

vt_status vt_photo_of_base64(vt_arena *arena, const char *name, const char *text, vt_photo *out,
                             vt_error *error)
{
    vt_buf bytes;
    if (strncmp(text, "data:", 5) == 0) {
        const char *comma = strchr(text, ',');
        text = comma != NULL ? comma + 1 : text;
    }
    size_t length = strlen(text);
    vt_buf_init(&bytes, length / 4 * 3 + 3);
    vt_status status = VT_OK;
    if (!vt_buf_append_unbase64(&bytes, text, length) || bytes.length == 0)
        status = vt_fail(error, VT_ERR_USAGE, "read member \"%s\": base64 is needed", name);
    void *kept = status == VT_OK ? vt_arena_alloc(arena, bytes.length) : NULL;
    if (status == VT_OK && kept == NULL)
        status = vt_fail_memory(error, "a picture");
    if (status == VT_OK)
        *out = (vt_photo){.bytes = memcpy(kept, bytes.data, bytes.length), .length = bytes.length};
    vt_buf_deinit(&bytes);
    return status;
}

/* ---- fetching ---- */

vt_status vt_fetching_begin(vt_request *request, vt_arena *arena, vt_fetching *out, vt_error *error)
{
    vt_server *server = request->server;
    int most = server->worker_count / 2 > 0 ? server->worker_count / 2 : 1;
    if (!server->options.fetch_images)
        return vt_fail(error, VT_ERR_DENIED, "this server fetches no pictures");
    request->uncached = true; /* what lies there may be another picture the next time */
    if (atomic_fetch_add(&server->fetching, 1) >= most) {
        atomic_fetch_sub(&server->fetching, 1);
        request->retry_ms = FETCH_RETRY_MS;
        return vt_refuse(request, MHD_HTTP_SERVICE_UNAVAILABLE, VT_ERR_BUSY, error,
                         "too many pictures are being fetched");
    }
    *out = (vt_fetching){.request = request,
                         .arena = arena,
                         .until_ms = vt_clock_ms() + (double)server->options.fetch.timeout_ms,
                         .bytes = server->options.fetch.maximum_bytes};
    return VT_OK;
}

void vt_fetching_end(vt_fetching *fetching)
{
    atomic_fetch_sub(&fetching->request->server->fetching, 1);
}

/* What a client is told. Only what comes from a public server can be too large. */
static vt_status refuse_url(vt_request *request, vt_status status, vt_error *error)
{
    if (status == VT_ERR_NO_MEMORY || status == VT_ERR_INTERNAL)
        return status;
    if (status == VT_ERR_LIMIT)
        return vt_fail(error, status, "fetch the picture: it is too large or too far away");
    return vt_refuse(request, MHD_HTTP_UNPROCESSABLE_CONTENT, VT_ERR_FORMAT, error,
                     "fetch the picture: it cannot be had; only http and https at public addresses "
                     "are asked");
}

vt_status vt_fetching_photo(vt_fetching *fetching, const char *url, vt_photo *out, vt_error *error)
{
    vt_request *request = fetching->request;
    vt_photo_fetch_options how = request->server->options.fetch;
    vt_error reason = {0};
    void *bytes = NULL;
    size_t length = 0;
    how.timeout_ms = (long)(fetching->until_ms - vt_clock_ms());
    how.maximum_bytes = fetching->bytes;
    vt_status status = how.timeout_ms < 1 || how.maximum_bytes == 0
                           ? vt_fail(&reason, VT_ERR_IO, "time or bytes of the request are used up")
                           : vt_photo_fetch(url, &how, &bytes, &length, &reason);
    if (status != VT_OK) {
        vt_log(VT_LOG_DEBUG, "%s %s: %s", request->method, request->path, reason.message);
        vt_fail(error, status, "%s", reason.message);
        return refuse_url(request, status, error);
    }
    void *kept = vt_arena_alloc(fetching->arena, length);
    if (kept != NULL)
        *out = (vt_photo){.bytes = memcpy(kept, bytes, length), .length = length};
    fetching->bytes -= length;
    vt_release(bytes);
    return kept != NULL ? VT_OK : vt_fail_memory(error, "a picture");
}

static vt_status fetch_all(vt_fetching *fetching, vt_search_query *query, vt_error *error)
{
    vt_status status = VT_OK;
    for (size_t i = 0; status == VT_OK && i < query->query.photo_count; i++) {
        if (query->urls[i] == NULL)
            continue;
        if (i > 0 && query->urls[i] == query->urls[i - 1]) /* regions of one picture */
            query->photos[i] = query->photos[i - 1];
        else
            status = vt_fetching_photo(fetching, query->urls[i], &query->photos[i], error);
    }
    return status;
}

vt_status vt_photos_fetch(vt_request *request, vt_search_query *query, vt_error *error)
{
    vt_fetching fetching;
    size_t i = 0;
    while (i < query->query.photo_count && query->urls[i] == NULL)
        i++;
    if (i == query->query.photo_count)
        return VT_OK;
    vt_status status = vt_fetching_begin(request, &query->arena, &fetching, error);
    if (status != VT_OK)
        return status;
    status = fetch_all(&fetching, query, error);
    vt_fetching_end(&fetching);
    return status;
}
