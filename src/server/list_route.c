/* SPDX-License-Identifier: Apache-2.0 */
/* Products without any photo: filtered, in order, a page at a time, with facets; facets alone. */
#include "server/routes.h"

enum { LIST_TOP = 24, LIST_OFFSET = 1000000, FACET_TOP = 1000 };

/* The texts that the options borrow. */
typedef struct list_query {
    vt_list_options options;
    char *where, *sort, *facets;
    const char *names[VT_SEARCH_FACETS];
} list_query;

static vt_status read_query(vt_request *request, list_query *out, vt_error *error)
{
    vt_list_options *options = &out->options;
    vt_status status = vt_query_text(request, "where", &out->where, error);
    if (status == VT_OK)
        status = vt_query_text(request, "sort", &out->sort, error);
    if (status == VT_OK)
        status = vt_query_text(request, "facets", &out->facets, error);
    if (status == VT_OK)
        status = vt_query_size(request, "top", VT_SEARCH_TOP, &options->top, error);
    if (status == VT_OK)
        status = vt_query_size(request, "offset", LIST_OFFSET, &options->offset, error);
    if (status == VT_OK)
        status = vt_query_size(request, "facet_top", FACET_TOP, &options->facet_top, error);
    if (status == VT_OK && out->facets != NULL)
        status =
            vt_split_names(out->facets, out->names, VT_SEARCH_FACETS, &options->facet_count, error);
    options->where = out->where;
    options->sort = out->sort;
    options->facets = out->names;
    return status;
}

static vt_status answer(vt_request *request, const vt_list *list, const vt_list_options *options,
                        vt_error *error)
{
    vt_json_writer writer;
    vt_reply_begin(request, &writer);
    vt_json_open_array(&writer, "products");
    for (size_t i = 0; i < list->count; i++) {
        vt_json_open_object(&writer, NULL);
        vt_put_product_brief(&writer, &list->products[i]);
        vt_json_close(&writer);
    }
    vt_json_close(&writer);
    vt_put_facets(&writer, list->facets, list->facet_count);
    vt_json_put_int(&writer, "matched", (int64_t)list->matched);
    vt_json_put_int(&writer, "total", (int64_t)list->total);
    vt_json_put_int(&writer, "offset", (int64_t)options->offset);
    return vt_reply_end(request, &writer, MHD_HTTP_OK, error);
}

vt_status vt_answer_list(vt_request *request, vt_error *error)
{
    vt_server *server = request->server;
    list_query query = {.options = vt_list_options_defaults()};
    vt_list *list = NULL;
    query.options.top = LIST_TOP;
    vt_status status = read_query(request, &query, error);
    if (status == VT_OK) {
        status = vt_shop_list(server->shop, &query.options, &list, error);
    }
    if (status == VT_OK)
        status = answer(request, list, &query.options, error);
    vt_list_free(list);
    vt_free(query.where);
    vt_free(query.sort);
    vt_free(query.facets);
    return status;
}

/* `names`, counted under `where`, `top` values of each. */
static vt_status read_facets(vt_request *request, list_query *out, vt_error *error)
{
    vt_list_options *options = &out->options;
    vt_status status = vt_query_text(request, "where", &out->where, error);
    if (status == VT_OK)
        status = vt_query_text(request, "names", &out->facets, error);
    if (status == VT_OK)
        status = vt_query_size(request, "top", FACET_TOP, &options->facet_top, error);
    if (status == VT_OK && out->facets != NULL)
        status =
            vt_split_names(out->facets, out->names, VT_SEARCH_FACETS, &options->facet_count, error);
    if (status == VT_OK && options->facet_count == 0)
        status = vt_fail(error, VT_ERR_USAGE,
                         "count facets: parameter \"names\" is needed, names of attributes with "
                         "commas between them");
    options->where = out->where;
    options->facets = out->names;
    return status;
}

vt_status vt_answer_facets(vt_request *request, vt_error *error)
{
    vt_server *server = request->server;
    list_query query = {.options = vt_list_options_defaults()};
    vt_list *list = NULL;
    vt_json_writer writer;
    query.options.top = 0;
    vt_status status = read_facets(request, &query, error);
    if (status == VT_OK)
        status = vt_shop_list(server->shop, &query.options, &list, error);
    if (status == VT_OK) {
        vt_reply_begin(request, &writer);
        vt_put_facets(&writer, list->facets, list->facet_count);
        vt_json_put_int(&writer, "matched", (int64_t)list->matched);
        vt_json_put_int(&writer, "total", (int64_t)list->total);
        status = vt_reply_end(request, &writer, MHD_HTTP_OK, error);
    }
    vt_list_free(list);
    vt_free(query.where);
    vt_free(query.facets);
    return status;
}
