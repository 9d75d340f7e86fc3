/* SPDX-License-Identifier: Apache-2.0 */
/* What people look through in the back office: products that show the same, models there are. */
#include "server/routes.h"

#include "base/hash.h"
#include "shop/review.h"

#include <string.h>

enum { DUPLICATES_TOP = 100, DUPLICATES_OFFSET = 1000000, DUPLICATES_BITS = 11 };

static void put_side(vt_json_writer *writer, const char *name, const vt_product *product,
                     const vt_hash *picture)
{
    char hex[VT_HASH_HEX];
    vt_hash_hex(picture, hex);
    vt_json_open_object(writer, name);
    vt_put_product_brief(writer, product);
    vt_json_put_text(writer, "picture", hex);
    vt_json_close(writer);
}

static void put_pair(vt_json_writer *writer, const vt_duplicate *pair)
{
    vt_json_open_object(writer, NULL);
    put_side(writer, "first", &pair->first, &pair->first_picture);
    put_side(writer, "second", &pair->second, &pair->second_picture);
    vt_json_put_bool(writer, "exact", pair->exact);
    vt_json_put_int(writer, "bits", pair->bits);
    vt_json_put_int(writer, "pictures", (int64_t)pair->pictures);
    vt_json_close(writer);
}

/* *out stays when the parameter is not given. */
static vt_status read_flag(vt_request *request, const char *name, bool *out, vt_error *error)
{
    char *text = NULL;
    vt_status status = vt_query_text(request, name, &text, error);
    if (status != VT_OK || text == NULL)
        return status;
    bool yes = strcmp(text, "true") == 0, no = strcmp(text, "false") == 0;
    vt_free(text);
    if (!yes && !no)
        return vt_fail(error, VT_ERR_USAGE, "parameter \"%s\" is neither true nor false", name);
    *out = yes;
    return VT_OK;
}

vt_status vt_answer_duplicates(vt_request *request, vt_error *error)
{
    vt_duplicate_options options = vt_duplicate_options_defaults();
    vt_duplicate_list *list = NULL;
    vt_json_writer writer;
    size_t bits = (size_t)options.near_bits;
    vt_status status = vt_query_size(request, "top", DUPLICATES_TOP, &options.top, error);
    if (status == VT_OK)
        status = vt_query_size(request, "offset", DUPLICATES_OFFSET, &options.offset, error);
    if (status == VT_OK)
        status = vt_query_size(request, "bits", DUPLICATES_BITS, &bits, error);
    options.near_bits = (int)bits;
    if (status == VT_OK)
        status = read_flag(request, "kept", &options.kept, error);
    if (status == VT_OK)
        status = vt_shop_duplicates(request->server->shop, &options, &list, error);
    if (status != VT_OK)
        return status;
    vt_reply_begin(request, &writer);
    vt_json_open_array(&writer, "duplicates");
    for (size_t i = 0; i < list->count; i++)
        put_pair(&writer, &list->items[i]);
    vt_json_close(&writer);
    vt_json_put_int(&writer, "matched", (int64_t)list->matched);
    vt_json_put_int(&writer, "offset", (int64_t)options.offset);
    vt_duplicate_list_free(list);
    return vt_reply_end(request, &writer, MHD_HTTP_OK, error);
}

static vt_status read_pictures(const vt_json *body, vt_store_pair *out, vt_error *error)
{
    const vt_json *list = vt_json_get(body, "pictures");
    vt_hash *hashes[] = {&out->first_picture, &out->second_picture};
    bool good = vt_json_count(body) == 1 && vt_json_kind_of(list) == VT_JSON_ARRAY &&
                vt_json_count(list) == 2;
    for (size_t i = 0; good && i < 2; i++)
        good = vt_unhex(vt_json_text(vt_json_at(list, i), ""), hashes[i]->bytes, VT_HASH_BYTES);
    return good ? VT_OK
                : vt_fail(
                      error, VT_ERR_USAGE,
                      "read what stays: \"pictures\" are two hashes, and nothing else is needed");
}

vt_status vt_answer_keep_pair(vt_request *request, vt_error *error)
{
    char *const *ids = request->routing.parameters;
    vt_store_pair pair = {.first = ids[0], .second = ids[1]};
    vt_json *body = NULL;
    vt_status status = vt_body_json(request, &body, error);
    if (status == VT_OK)
        status = read_pictures(body, &pair, error);
    vt_json_free(body);
    if (status == VT_OK)
        status = vt_shop_keep_pair(request->server->shop, &pair, error);
    if (status == VT_OK)
        request->http = MHD_HTTP_NO_CONTENT;
    return status;
}

vt_status vt_answer_forget_pair(vt_request *request, vt_error *error)
{
    char *const *ids = request->routing.parameters;
    vt_status status = vt_shop_forget_pair(request->server->shop, ids[0], ids[1], error);
    if (status == VT_OK)
        request->http = MHD_HTTP_NO_CONTENT;
    return status;
}

vt_status vt_answer_models(vt_request *request, vt_error *error)
{
    vt_shop_model *models = NULL;
    size_t count = 0;
    vt_json_writer writer;
    vt_status status = vt_shop_models(request->server->shop, &models, &count, error);
    if (status != VT_OK)
        return status;
    vt_reply_begin(request, &writer);
    vt_json_open_array(&writer, "models");
    for (size_t i = 0; i < count; i++) {
        vt_json_open_object(&writer, NULL);
        vt_json_put_text(&writer, "name", models[i].name);
        if (models[i].file[0] != '\0')
            vt_json_put_text(&writer, "file", models[i].file);
        vt_json_put_text(&writer, "state", models[i].state);
        vt_json_put_int(&writer, "dimension", (int64_t)models[i].dimension);
        vt_json_put_text(&writer, "fingerprint", models[i].fingerprint);
        vt_json_close(&writer);
    }
    vt_json_close(&writer);
    vt_release(models);
    return vt_reply_end(request, &writer, MHD_HTTP_OK, error);
}
