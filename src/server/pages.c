/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What lies in web/, compiled in: each file with its type, an ETag of its content, and a response
 * that is made once and sent to everyone. Browsers keep files and ask whether they are still good:
 * a new version of the program is seen at once, and costs a round trip without content.
 */
#include "server/routes.h"

#include "base/hash.h"

#include <string.h>

enum { ETAG_BYTES = 16 };

typedef struct page {
    char etag[2 * ETAG_BYTES + 3];
    const char *type;
    struct MHD_Response *response;
} page;

struct vt_pages {
    page *items; /* (vt_web_file_count) */
};

static const char *type_of(const char *path)
{
    static const struct {
        const char *ending, *type;
    } types[] = {
        {".html", "text/html; charset=utf-8"}, {".js", "text/javascript; charset=utf-8"},
        {".css", "text/css; charset=utf-8"},   {".svg", "image/svg+xml"},
        {".json", "application/json"},         {".webmanifest", "application/manifest+json"},
    };
    for (size_t i = 0; i < sizeof(types) / sizeof(types[0]); i++)
        if (vt_text_ends_nocase(path, types[i].ending))
            return types[i].type;
    return "application/octet-stream";
}

static bool make_page(const vt_server *server, const vt_web_file *file, page *out)
{
    char hex[VT_HASH_HEX];
    vt_hash hash = vt_hash_of(file->bytes, file->length);
    vt_hash_hex(&hash, hex);
    out->etag[0] = '"';
    memcpy(out->etag + 1, hex, 2 * ETAG_BYTES);
    memcpy(out->etag + 1 + 2 * ETAG_BYTES, "\"", 2);
    out->type = type_of(file->path);
    out->response = MHD_create_response_from_buffer(file->length, (void *)(uintptr_t)file->bytes,
                                                    MHD_RESPMEM_PERSISTENT);
    if (out->response == NULL)
        return false;
    MHD_add_response_header(out->response, "Content-Type", out->type);
    MHD_add_response_header(out->response, "ETag", out->etag);
    MHD_add_response_header(out->response, "Cache-Control", "no-cache");
    vt_add_security_headers(out->response, true);
    vt_add_transport_headers(server, out->response);
    return true;
}

vt_status vt_pages_new(const vt_server *server, vt_pages **out, vt_error *error)
{
    vt_pages *pages = vt_calloc(1, sizeof(*pages));
    if (pages == NULL)
        return vt_fail_memory(error, "the pages");
    pages->items = vt_calloc(vt_web_file_count, sizeof(*pages->items));
    bool made = pages->items != NULL;
    for (size_t i = 0; made && i < vt_web_file_count; i++)
        made = make_page(server, &vt_web_files[i], &pages->items[i]);
    if (!made) {
        vt_pages_free(pages);
        return vt_fail_memory(error, "the pages");
    }
    *out = pages;
    return VT_OK;
}

void vt_pages_free(vt_pages *pages)
{
    if (pages == NULL)
        return;
    for (size_t i = 0; pages->items != NULL && i < vt_web_file_count; i++)
        if (pages->items[i].response != NULL)
            MHD_destroy_response(pages->items[i].response);
    vt_free(pages->items);
    vt_free(pages);
}

vt_status vt_answer_page(vt_request *request, vt_error *error)
{
    const char *path = strcmp(request->path, "/") == 0        ? "/index.html"
                       : strcmp(request->path, "/admin") == 0 ? "/admin.html"
                                                              : request->path;
    const vt_pages *pages = request->server->pages;
    for (size_t i = 0; i < vt_web_file_count; i++) {
        if (strcmp(vt_web_files[i].path, path) != 0)
            continue;
        request->http = MHD_HTTP_OK;
        request->prepared = pages->items[i].response;
        if (vt_etag_matches(request, pages->items[i].etag)) {
            request->http = MHD_HTTP_NOT_MODIFIED;
            request->cache = "no-cache";
            memcpy(request->etag, pages->items[i].etag, sizeof(pages->items[i].etag));
        }
        return VT_OK;
    }
    return vt_fail(error, VT_ERR_NOT_FOUND, "there is nothing here");
}
