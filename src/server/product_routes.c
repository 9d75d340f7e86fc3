/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One product: shown, put, changed, given pictures, taken out.
 *
 * Writers take turns, so that a change is made to what the product is when it is written. Pictures
 * are decoded and embedded within a writer's turn; searches go on beside it.
 */
#include "server/routes.h"

#include <inttypes.h>
#include <stdio.h>

enum { RETRY_MS = 5000 }; /* while an import runs */

/* Called in the writer's turn. */
static vt_status apply(const vt_change *change, vt_shop *shop, bool *created, vt_error *error)
{
    vt_product *base = NULL;
    vt_incoming *in = NULL;
    if (change->kind == VT_CHANGE_REMOVE)
        return vt_shop_remove(shop, change->id, error);
    vt_status status =
        change->kind == VT_CHANGE_PATCH ? vt_shop_get(shop, change->id, &base, error) : VT_OK;
    if (status == VT_OK)
        status = vt_incoming_new(change, base, &in, error);
    if (status == VT_OK)
        status = vt_incoming_read(change, in, error);
    if (status == VT_OK)
        status = change->kind == VT_CHANGE_ADD_PHOTOS
                     ? vt_shop_add_photos(shop, change->id, in->photos, in->photo_count, error)
                     : vt_shop_put(shop, &in->product, in->photos, in->photo_count, created, error);
    vt_incoming_free(in);
    vt_product_free(base);
    return status;
}

vt_status vt_change_apply(const vt_change *change, bool *created, vt_error *error)
{
    vt_server *server = change->request->server;
    *created = false;
    pthread_mutex_lock(&server->write_lock);
    vt_status status = server->importing
                           ? vt_fail(error, VT_ERR_BUSY, "an import runs: come back after it")
                           : apply(change, server->shop, created, error);
    pthread_mutex_unlock(&server->write_lock);
    return status;
}

static vt_status answer_product(vt_request *request, int http, vt_error *error)
{
    vt_product *product = NULL;
    vt_json_writer writer;
    vt_status status =
        vt_shop_get(request->server->shop, request->routing.parameters[0], &product, error);
    if (status != VT_OK)
        return status;
    snprintf(request->etag, sizeof(request->etag), "\"%" PRIu64 "\"", product->change);
    request->cache = "private, no-cache";
    if (http == MHD_HTTP_OK && vt_etag_matches(request, request->etag)) {
        vt_product_free(product);
        request->http = MHD_HTTP_NOT_MODIFIED;
        return VT_OK;
    }
    vt_reply_begin(request, &writer);
    vt_put_product(&writer, product);
    vt_product_free(product);
    return vt_reply_end(request, &writer, http, error);
}

vt_status vt_answer_product(vt_request *request, vt_error *error)
{
    return answer_product(request, MHD_HTTP_OK, error);
}

static vt_status change(vt_request *request, vt_change_kind kind, vt_error *error)
{
    vt_change what = {.id = request->routing.parameters[0], .kind = kind, .request = request};
    bool created = false;
    vt_status status = vt_change_apply(&what, &created, error);
    if (status == VT_ERR_BUSY)
        request->retry_ms = RETRY_MS;
    if (status != VT_OK)
        return status;
    return answer_product(request, created ? MHD_HTTP_CREATED : MHD_HTTP_OK, error);
}

vt_status vt_answer_put(vt_request *request, vt_error *error)
{
    return change(request, VT_CHANGE_PUT, error);
}

vt_status vt_answer_patch(vt_request *request, vt_error *error)
{
    return change(request, VT_CHANGE_PATCH, error);
}

vt_status vt_answer_add_images(vt_request *request, vt_error *error)
{
    return change(request, VT_CHANGE_ADD_PHOTOS, error);
}

vt_status vt_answer_delete(vt_request *request, vt_error *error)
{
    vt_change what = {
        .id = request->routing.parameters[0], .kind = VT_CHANGE_REMOVE, .request = request};
    bool created = false;
    vt_status status = vt_change_apply(&what, &created, error);
    if (status == VT_ERR_BUSY)
        request->retry_ms = RETRY_MS;
    if (status == VT_OK)
        request->http = MHD_HTTP_NO_CONTENT;
    return status;
}
