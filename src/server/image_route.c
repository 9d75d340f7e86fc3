/* SPDX-License-Identifier: Apache-2.0 */
/* Pictures of the shop: what the shop keeps of each, or smaller. Encoded anew, without metadata. */
#include "server/routes.h"

#include "base/hash.h"

#include <stdio.h>
#include <string.h>

enum { IMAGE_WIDTH = 4096 };

static vt_status read_name(vt_request *request, vt_hash *hash, size_t *width, vt_error *error)
{
    const char *hex = request->routing.parameters[0];
    *width = 0;
    if (strlen(hex) != VT_HASH_HEX - 1 || !vt_unhex(hex, hash->bytes, sizeof(hash->bytes)))
        return vt_fail(error, VT_ERR_NOT_FOUND, "there is no picture \"%.64s\"", hex);
    return vt_query_size(request, "w", IMAGE_WIDTH, width, error);
}

vt_status vt_answer_image(vt_request *request, vt_error *error)
{
    vt_hash hash;
    char hex[VT_HASH_HEX];
    void *jpeg = NULL;
    size_t length = 0, width = 0;
    vt_status status = read_name(request, &hash, &width, error);
    if (status == VT_OK)
        status = vt_shop_picture(request->server->shop, &hash, (int)width, &jpeg, &length, error);
    if (status != VT_OK)
        return status;
    vt_hash_hex(&hash, hex);
    if (width > 0)
        snprintf(request->etag, sizeof(request->etag), "\"%s-%zu\"", hex, width);
    else
        snprintf(request->etag, sizeof(request->etag), "\"%s\"", hex);
    request->cache = "private, max-age=31536000, immutable";
    if (vt_etag_matches(request, request->etag)) {
        vt_release(jpeg);
        request->http = MHD_HTTP_NOT_MODIFIED;
        return VT_OK;
    }
    vt_buf_init(&request->answer, length);
    bool kept = vt_buf_append(&request->answer, jpeg, length);
    vt_release(jpeg);
    if (!kept)
        return vt_fail_memory(error, "a picture");
    request->http = MHD_HTTP_OK;
    request->answer_type = "image/jpeg";
    return VT_OK;
}
