/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The inference container that Weaviate's modules ask for vectors: POST /vectors as img2vec-neural
 * does (one picture, its id handed back), POST /vectorize as multi2vec-clip does (lists of pictures
 * and texts), GET /meta, GET /.well-known/ready and live (204). Vectors are the shop's encoder's.
 *
 * Those modules send no Content-Type: a body without one is JSON here. Failures are {"error": ...},
 * which those modules print. There is no text tower: a list of texts that is not empty is refused.
 *
 * Source: the clients of these modules (weaviate/weaviate, modules/<module>/clients). They send no
 * key; docs/server.md says what follows from that.
 */
#include "server/photo_source.h"
#include "server/routes.h"

enum { PHOTOS_BYTES = 256 << 20, PHOTOS_MOST = 64, BODY_DEPTH = 8, VECTOR_DECIMALS = 7 };

typedef struct embedding {
    vt_request *request;
    vt_arena arena;
    vt_photo photos[PHOTOS_MOST];
    size_t count;
    float *vectors; /* (count, dimension) of one encoder; vt_release */
    size_t dimension;
} embedding;

static vt_status add_photo(embedding *e, const vt_json *image, vt_error *error)
{
    const char *text = vt_json_text(image, NULL);
    if (text == NULL)
        return vt_fail(error, VT_ERR_USAGE, "read the picture: base64 is needed");
    vt_status status = vt_photo_of_base64(&e->arena, "image", text, &e->photos[e->count], error);
    e->count += status == VT_OK;
    return status;
}

static vt_status embed(embedding *e, vt_error *error)
{
    if (e->count == 0)
        return VT_OK;
    return vt_shop_embed(e->request->server->shop, e->photos, e->count, &e->vectors, &e->dimension,
                         error);
}

/* The vector of a picture, as the next value. */
static void put_vector(const embedding *e, vt_json_writer *writer, const char *name, size_t at)
{
    vt_json_open_array(writer, name);
    for (size_t i = 0; i < e->dimension; i++)
        vt_json_put_number(writer, NULL, (double)e->vectors[at * e->dimension + i],
                           VECTOR_DECIMALS);
    vt_json_close(writer);
}

typedef vt_status answer_with(embedding *e, const vt_json *document, vt_json_writer *writer,
                              vt_error *error);

static vt_status put_one(embedding *e, const vt_json *document, vt_json_writer *writer,
                         vt_error *error)
{
    vt_status status = add_photo(e, vt_json_get(document, "image"), error);
    if (status == VT_OK)
        status = embed(e, error);
    if (status != VT_OK)
        return status;
    vt_json_put_text(writer, "id", vt_json_text(vt_json_get(document, "id"), ""));
    put_vector(e, writer, "vector", 0);
    vt_json_put_int(writer, "dim", (int64_t)e->dimension);
    return VT_OK;
}

static vt_status put_lists(embedding *e, const vt_json *document, vt_json_writer *writer,
                           vt_error *error)
{
    const vt_json *images = vt_json_get(document, "images");
    vt_status status = VT_OK;
    if (vt_json_count(vt_json_get(document, "texts")) > 0)
        return vt_fail(error, VT_ERR_USAGE, "embed texts: this encoder knows pictures alone");
    if (vt_json_count(images) > PHOTOS_MOST)
        return vt_fail(error, VT_ERR_LIMIT, "embed pictures: more than %d at once", PHOTOS_MOST);
    for (size_t i = 0; status == VT_OK && i < vt_json_count(images); i++) {
        status = add_photo(e, vt_json_at(images, i), error);
        if (status != VT_OK)
            return vt_fail_context(error, status, "picture %zu", i + 1);
    }
    status = embed(e, error);
    if (status != VT_OK)
        return status;
    vt_json_open_array(writer, "textVectors");
    vt_json_close(writer);
    vt_json_open_array(writer, "imageVectors");
    for (size_t i = 0; i < e->count; i++)
        put_vector(e, writer, NULL, i);
    vt_json_close(writer);
    return VT_OK;
}

/* {"error": ...} with the status's number. */
static vt_status answer_failure(vt_request *request, vt_status failure, const vt_error *reason,
                                vt_error *error)
{
    const char *detail = NULL;
    int http = vt_problem_of(request, failure, reason, &detail);
    vt_json_writer writer;
    vt_reply_begin(request, &writer);
    vt_json_put_text(&writer, "error", detail);
    return vt_reply_end(request, &writer, http, error);
}

static vt_status read_body(vt_request *request, vt_json **out, vt_error *error)
{
    if (request->content_type[0] != '\0' && !vt_content_is(request, "application/json"))
        return vt_fail(error, VT_ERR_UNSUPPORTED, "read the body: it is \"%.100s\", not JSON",
                       request->content_type);
    vt_status status =
        vt_json_parse(vt_buf_text(&request->body), request->body.length, BODY_DEPTH, out, error);
    if (status == VT_OK && vt_json_kind_of(*out) != VT_JSON_OBJECT)
        status = vt_fail(error, VT_ERR_FORMAT, "read the body: it is no JSON object");
    return status;
}

static vt_status answer(vt_request *request, answer_with *put, vt_error *error)
{
    embedding e = {.request = request};
    vt_json *document = NULL;
    vt_json_writer writer;
    vt_error reason = {0};
    vt_arena_init(&e.arena, PHOTOS_BYTES);
    vt_status status = read_body(request, &document, &reason);
    if (status == VT_OK) {
        vt_reply_begin(request, &writer);
        status = put(&e, document, &writer, &reason);
    }
    status = status == VT_OK ? vt_reply_end(request, &writer, MHD_HTTP_OK, error)
                             : answer_failure(request, status, &reason, error);
    vt_json_free(document);
    vt_release(e.vectors);
    vt_arena_deinit(&e.arena);
    return status;
}

vt_status vt_answer_weaviate_vector(vt_request *request, vt_error *error)
{
    return answer(request, put_one, error);
}

vt_status vt_answer_weaviate_vectors(vt_request *request, vt_error *error)
{
    return answer(request, put_lists, error);
}

vt_status vt_answer_weaviate_meta(vt_request *request, vt_error *error)
{
    vt_server *server = request->server;
    vt_shop_info info;
    vt_json_writer writer;
    vt_reply_begin(request, &writer);
    pthread_mutex_lock(&server->info_lock);
    vt_status status = vt_shop_info_of(server->shop, &info, error);
    if (status == VT_OK) {
        vt_json_put_text(&writer, "server", "vitrine");
        vt_json_put_text(&writer, "version", info.version);
        vt_json_put_text(&writer, "model", info.model);
        vt_json_put_text(&writer, "fingerprint", info.model_fingerprint);
        vt_json_put_int(&writer, "dim", (int64_t)info.dimension);
    }
    pthread_mutex_unlock(&server->info_lock);
    return status == VT_OK ? vt_reply_end(request, &writer, MHD_HTTP_OK, error) : status;
}

vt_status vt_answer_weaviate_ready(vt_request *request, vt_error *error)
{
    (void)error;
    bool ready = atomic_load(&request->server->ready);
    request->http = ready ? MHD_HTTP_NO_CONTENT : MHD_HTTP_SERVICE_UNAVAILABLE;
    return VT_OK;
}

vt_status vt_answer_weaviate_live(vt_request *request, vt_error *error)
{
    (void)error;
    request->http = MHD_HTTP_NO_CONTENT;
    return VT_OK;
}
