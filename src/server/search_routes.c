/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Searching. Every search of every client goes to the same shop, whose batcher runs the photos that
 * wait at the same moment together.
 */
#include "server/photo_source.h"
#include "server/routes.h"

#include <math.h>
#include <string.h>

enum { MILLISECOND_DECIMALS = 2, VECTOR_DECIMALS = 7, SCORE_DECIMALS = 4, SIMILAR_TOP = 12 };

/* What each picture and product of the query adds to the similarity. */
static void put_shares(vt_json_writer *writer, const vt_query *query, const double *shares)
{
    vt_json_open_array(writer, "shares");
    for (size_t i = 0; i < query->photo_count + query->like_count; i++) {
        vt_json_open_object(writer, NULL);
        if (i < query->photo_count)
            vt_json_put_int(writer, "image", (int64_t)i);
        else
            vt_json_put_text(writer, "product", query->likes[i - query->photo_count].product);
        vt_put_similarity(writer, shares[i]);
        vt_json_close(writer);
    }
    vt_json_close(writer);
}

/* In which of a product's texts the words stand. */
static void put_text_fields(vt_json_writer *writer, unsigned fields)
{
    static const struct {
        vt_text_field field;
        const char *name;
    } names[] = {{VT_TEXT_TITLE, "title"},
                 {VT_TEXT_CATEGORY, "category"},
                 {VT_TEXT_ATTRIBUTES, "attributes"},
                 {VT_TEXT_DESCRIPTION, "description"}};
    vt_json_open_array(writer, "text_fields");
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
        if ((fields & names[i].field) != 0)
            vt_json_put_text(writer, NULL, names[i].name);
    vt_json_close(writer);
}

static void put_results(vt_json_writer *writer, const vt_query *query, const vt_answer *answer)
{
    char hash[65];
    vt_json_open_array(writer, "results");
    for (size_t i = 0; i < answer->count; i++) {
        const vt_result *result = &answer->results[i];
        vt_hex(result->picture->hash.bytes, sizeof(result->picture->hash.bytes), hash);
        vt_json_open_object(writer, NULL);
        if (!isnan(result->similarity))
            vt_put_similarity(writer, result->similarity);
        if (!isnan(result->text_score))
            vt_json_put_number(writer, "text_score", result->text_score, SCORE_DECIMALS);
        vt_json_put_text(writer, "image", hash);
        vt_json_open_object(writer, "product");
        vt_put_product_brief(writer, result->product);
        vt_json_close(writer);
        if (result->shares != NULL)
            put_shares(writer, query, result->shares);
        if (result->text_fields != 0)
            put_text_fields(writer, result->text_fields);
        vt_json_close(writer);
    }
    vt_json_close(writer);
}

static void put_answer(vt_json_writer *writer, const vt_query *query, const vt_answer *answer)
{
    put_results(writer, query, answer);
    vt_put_facets(writer, answer->facets, answer->facet_count);
    vt_json_put_int(writer, "matched", (int64_t)answer->matched);
    vt_json_put_text(writer, "strategy", answer->strategy);
    vt_json_put_bool(writer, "complete", answer->complete);
    vt_json_put_int(writer, "searched", (int64_t)answer->searched);
    vt_json_open_object(writer, "took_ms");
    vt_json_put_number(writer, "decode", answer->decode_ms, MILLISECOND_DECIMALS);
    vt_json_put_number(writer, "embed", answer->embed_ms, MILLISECOND_DECIMALS);
    vt_json_put_number(writer, "filter", answer->filter_ms, MILLISECOND_DECIMALS);
    vt_json_put_number(writer, "search", answer->search_ms, MILLISECOND_DECIMALS);
    vt_json_put_number(writer, "total", answer->total_ms, MILLISECOND_DECIMALS);
    vt_json_close(writer);
}

static vt_status search(vt_request *request, const vt_query *query, vt_error *error)
{
    vt_server *server = request->server;
    vt_answer *answer = NULL;
    vt_json_writer writer;
    vt_status status = vt_shop_search(server->shop, query, &answer, error);
    if (status != VT_OK)
        return status;
    vt_reply_begin(request, &writer);
    put_answer(&writer, query, answer);
    vt_answer_free(answer);
    return vt_reply_end(request, &writer, MHD_HTTP_OK, error);
}

vt_status vt_answer_search(vt_request *request, vt_error *error)
{
    vt_search_query query;
    vt_status status = vt_search_query_parse(request->content_type, vt_buf_text(&request->body),
                                             request->body.length, &query, error);
    if (status == VT_OK)
        status = vt_photos_fetch(request, &query, error);
    if (status == VT_OK)
        status = search(request, &query.query, error);
    vt_search_query_deinit(&query);
    return status;
}

vt_status vt_answer_similar(vt_request *request, vt_error *error)
{
    vt_like like = {request->routing.parameters[0], 1.0};
    vt_query query = vt_query_defaults();
    char *where = NULL;
    query.likes = &like;
    query.like_count = 1;
    query.top = SIMILAR_TOP;
    vt_status status = vt_query_size(request, "top", VT_SEARCH_TOP, &query.top, error);
    if (status == VT_OK)
        status = vt_query_text(request, "where", &where, error);
    query.where = where;
    if (status == VT_OK)
        status = search(request, &query, error);
    vt_free(where);
    return status;
}

/* ---- vectors ---- */

static vt_status embed(vt_request *request, const vt_query *query, vt_error *error)
{
    vt_server *server = request->server;
    vt_json_writer writer;
    float *vectors = NULL;
    size_t dimension = 0;
    vt_status status =
        vt_shop_embed(server->shop, query->photos, query->photo_count, &vectors, &dimension, error);
    if (status != VT_OK)
        return status;
    vt_reply_begin(request, &writer);
    vt_json_put_int(&writer, "dimension", (int64_t)dimension);
    vt_json_open_array(&writer, "vectors");
    for (size_t i = 0; i < query->photo_count; i++) {
        vt_json_open_array(&writer, NULL);
        for (size_t d = 0; d < dimension; d++)
            vt_json_put_number(&writer, NULL, (double)vectors[i * dimension + d], VECTOR_DECIMALS);
        vt_json_close(&writer);
    }
    vt_json_close(&writer);
    vt_release(vectors);
    return vt_reply_end(request, &writer, MHD_HTTP_OK, error);
}

/* What would change nothing must not look as if it did. */
static vt_status check_only_photos(const vt_search_query *query, vt_error *error)
{
    const vt_query *asked = &query->query;
    bool other = asked->like_count > 0 || asked->where != NULL || asked->text != NULL ||
                 asked->sort != NULL || asked->facet_count > 0 || asked->crop_width > 0 ||
                 query->region_count > 0;
    if (other || asked->photo_count == 0)
        return vt_fail(error, VT_ERR_USAGE,
                       other ? "embed: whole pictures are needed, and nothing else"
                             : "embed: there is no picture");
    return VT_OK;
}

vt_status vt_answer_embed(vt_request *request, vt_error *error)
{
    vt_search_query query;
    vt_status status = vt_search_query_parse(request->content_type, vt_buf_text(&request->body),
                                             request->body.length, &query, error);
    if (status == VT_OK)
        status = check_only_photos(&query, error);
    if (status == VT_OK)
        status = vt_photos_fetch(request, &query, error);
    if (status == VT_OK)
        status = embed(request, &query.query, error);
    vt_search_query_deinit(&query);
    return status;
}
