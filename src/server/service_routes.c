/* SPDX-License-Identifier: Apache-2.0 */
/* The service about itself: alive, ready, measured, and what it serves. */
#include "server/routes.h"

enum { METRICS_BYTES = 4 << 20, INFO_PRODUCTS = 64, INFO_ATTRIBUTES = 32 };

static vt_status answer_word(vt_request *request, int http, const char *word, vt_error *error)
{
    vt_json_writer writer;
    vt_reply_begin(request, &writer);
    vt_json_put_text(&writer, "status", word);
    return vt_reply_end(request, &writer, http, error);
}

vt_status vt_answer_health(vt_request *request, vt_error *error)
{
    return answer_word(request, MHD_HTTP_OK, "alive", error);
}

vt_status vt_answer_ready(vt_request *request, vt_error *error)
{
    if (atomic_load(&request->server->ready))
        return answer_word(request, MHD_HTTP_OK, "ready", error);
    return answer_word(request, MHD_HTTP_SERVICE_UNAVAILABLE, "not ready", error);
}

vt_status vt_answer_metrics(vt_request *request, vt_error *error)
{
    vt_buf_init(&request->answer, METRICS_BYTES);
    vt_metrics_print(request->server, &request->answer);
    if (request->answer.failed)
        return vt_fail_memory(error, "the metrics");
    request->http = MHD_HTTP_OK;
    request->answer_type = "text/plain; version=0.0.4; charset=utf-8";
    return VT_OK;
}

static void put_info(vt_json_writer *writer, const vt_shop_info *info)
{
    vt_json_put_text(writer, "version", info->version);
    vt_json_put_int(writer, "products", (int64_t)info->products);
    vt_json_put_int(writer, "images", (int64_t)info->pictures);
    vt_json_put_int(writer, "vectors", (int64_t)info->vectors);
    vt_json_put_int(writer, "change", (int64_t)info->change);
    vt_json_open_object(writer, "model");
    vt_json_put_text(writer, "name", info->model);
    vt_json_put_int(writer, "dimension", (int64_t)info->dimension);
    vt_json_put_text(writer, "fingerprint", info->model_fingerprint);
    vt_json_close(writer);
    vt_json_open_array(writer, "categories");
    for (size_t i = 0; i < info->category_count; i++) {
        vt_json_open_object(writer, NULL);
        vt_json_put_text(writer, "name", info->categories[i].category);
        vt_json_put_int(writer, "products", (int64_t)info->categories[i].products);
        vt_json_close(writer);
    }
    vt_json_close(writer);
}

static bool has_name(const char *const *names, size_t count, const char *name)
{
    for (size_t i = 0; i < count; i++)
        if (vt_text_equal(names[i], name))
            return true;
    return false;
}

/* Names that products have attributes by, of the first ones: what facets can be asked of. */
static vt_status put_attributes(vt_server *server, vt_json_writer *writer, vt_error *error)
{
    const char *names[INFO_ATTRIBUTES];
    size_t count = 0;
    vt_list *list = NULL;
    vt_list_options options = vt_list_options_defaults();
    options.top = INFO_PRODUCTS;
    vt_status status = vt_shop_list(server->shop, &options, &list, error);
    if (status != VT_OK)
        return status;
    vt_json_open_array(writer, "attributes");
    for (size_t i = 0; i < list->count; i++)
        for (size_t j = 0; j < list->products[i].attribute_count; j++) {
            const char *name = list->products[i].attributes[j].name;
            if (count == INFO_ATTRIBUTES || has_name(names, count, name))
                continue;
            names[count++] = name;
            vt_json_put_text(writer, NULL, name);
        }
    vt_json_close(writer);
    vt_list_free(list);
    return VT_OK;
}

vt_status vt_answer_info(vt_request *request, vt_error *error)
{
    vt_server *server = request->server;
    vt_json_writer writer;
    vt_shop_info info;
    vt_reply_begin(request, &writer);
    pthread_mutex_lock(&server->info_lock);
    vt_status status = vt_shop_info_of(server->shop, &info, error);
    if (status == VT_OK)
        put_info(&writer, &info);
    pthread_mutex_unlock(&server->info_lock);
    if (status == VT_OK)
        status = put_attributes(server, &writer, error);
    if (status != VT_OK)
        return status;
    vt_json_put_bool(&writer, "events", server->options.events);
    vt_json_open_object(&writer, "limits");
    vt_json_put_int(&writer, "body_bytes", (int64_t)server->options.body_bytes);
    vt_json_put_int(&writer, "images_per_search", VT_SEARCH_PHOTOS);
    vt_json_put_int(&writer, "top", VT_SEARCH_TOP);
    vt_json_close(&writer);
    return vt_reply_end(request, &writer, MHD_HTTP_OK, error);
}
