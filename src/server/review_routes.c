/* SPDX-License-Identifier: Apache-2.0 */
/* What people look through in the back office: products that show the same, models there are. */
#include "server/routes.h"

#include "base/hash.h"
#include "shop/review.h"

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
