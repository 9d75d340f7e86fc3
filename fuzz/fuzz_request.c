/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Fuzz target: any bytes as what a client sends. The first byte chooses the reader: a search in
 * JSON or as a form, a product in JSON or as a form, a path, a filter of Google's. Each must be
 * understood or refused.
 */
#include "server/vision.h"

#include <string.h>

static const char form_type[] = "multipart/form-data; boundary=b";

static void search(const char *type, const char *bytes, size_t length)
{
    vt_search_query query;
    vt_search_query_parse(type, bytes, length, &query, NULL);
    vt_search_query_deinit(&query);
}

static void product(const char *type, const char *bytes, size_t length)
{
    vt_request request = {0};
    vt_change change = {.id = "a", .kind = VT_CHANGE_PUT, .request = &request};
    vt_incoming *in = NULL;
    memcpy(request.content_type, type, strlen(type));
    vt_buf_init(&request.body, length + 1);
    if (vt_buf_append(&request.body, bytes, length) &&
        vt_incoming_new(&change, NULL, &in, NULL) == VT_OK)
        vt_incoming_read(&change, in, NULL);
    vt_incoming_free(in);
    vt_buf_deinit(&request.body);
}

static void path(const char *bytes, size_t length)
{
    vt_routing routing;
    char *text = vt_strndup(bytes, length);
    if (text != NULL && vt_routing_find("GET", text, &routing, NULL) == VT_OK)
        vt_routing_deinit(&routing);
    vt_free(text);
}

static void filter(const char *bytes, size_t length)
{
    vt_buf out;
    char *text = vt_strndup(bytes, length);
    vt_buf_init(&out, 64 << 10);
    if (text != NULL)
        vt_vision_filter(text, &out, NULL);
    vt_buf_deinit(&out);
    vt_free(text);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length);

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length)
{
    if (length == 0)
        return 0;
    const char *rest = (const char *)bytes + 1;
    switch (bytes[0] % 6) {
    case 0:
        search("application/json", rest, length - 1);
        break;
    case 1:
        search(form_type, rest, length - 1);
        break;
    case 2:
        product("application/json", rest, length - 1);
        break;
    case 3:
        product(form_type, rest, length - 1);
        break;
    case 4:
        filter(rest, length - 1);
        break;
    default:
        path(rest, length - 1);
    }
    return 0;
}
