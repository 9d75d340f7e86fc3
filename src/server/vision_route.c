/* SPDX-License-Identifier: Apache-2.0 */
/*
 * POST /v1/images:annotate as Google Vision product search has it: requests with a picture each,
 * the feature PRODUCT_SEARCH, a filter of labels and a polygon; responses in the same order, each
 * with results or with an error of its own (google.rpc.Status).
 *
 * What differs: products are this shop's whatever `productSet` says, whose project and location are
 * only put before their names; a product's labels are its attributes and its brand;
 * `productCategories` are categories of the shop, except for the names of Google's own verticals,
 * which choose a detector there and nothing here; a polygon counts as the rectangle around it;
 * results are not grouped by objects that were detected, since none are. Member names may be
 * written camelCase or snake_case, as there.
 */
#include "server/photo_source.h"
#include "server/routes.h"
#include "server/vision.h"

#include "base/clock.h"

#include <math.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

enum {
    VISION_REQUESTS = 16,
    VISION_TOP = 10, /* where maxResults is not given */
    VISION_BYTES = 256 << 20,
    VISION_FILTER_BYTES = 64 << 10,
    SCORE_DECIMALS = 4,
};

/* One of the requests. */
typedef struct annotation {
    vt_request *request;
    vt_arena arena;
    vt_photo photo;
    vt_query query;
    vt_buf where;
    char parent[256]; /* "projects/p/locations/l" */
} annotation;

static const vt_json *member(const vt_json *object, const char *camel, const char *snake)
{
    const vt_json *value = vt_json_get(object, camel);
    return value != NULL ? value : vt_json_get(object, snake);
}

static vt_status wrong(vt_error *error, const char *name, const char *wanted)
{
    return vt_fail(error, VT_ERR_USAGE, "read \"%s\": %s is needed", name, wanted);
}

/* ---- reading ---- */

static vt_status read_image(annotation *a, const vt_json *image, vt_error *error)
{
    const char *content = vt_json_text(vt_json_get(image, "content"), NULL);
    const vt_json *source = vt_json_get(image, "source");
    const char *url = vt_json_text(member(source, "imageUri", "image_uri"), NULL);
    if (content != NULL)
        return vt_photo_of_base64(&a->arena, "content", content, &a->photo, error);
    if (url == NULL)
        return wrong(error, "image", "content, or source with imageUri,");
    vt_fetching fetching;
    vt_status status = vt_fetching_begin(a->request, &a->arena, &fetching, error);
    if (status != VT_OK)
        return status;
    status = vt_fetching_photo(&fetching, url, &a->photo, error);
    vt_fetching_end(&fetching);
    return status;
}

static vt_status read_features(annotation *a, const vt_json *features, vt_error *error)
{
    const vt_json *feature = vt_json_at(features, 0);
    const vt_json *most = member(feature, "maxResults", "max_results");
    if (vt_json_count(features) != 1 ||
        strcmp(vt_json_text(vt_json_get(feature, "type"), ""), "PRODUCT_SEARCH") != 0)
        return wrong(error, "features", "PRODUCT_SEARCH, and nothing else,");
    double top = vt_json_number(most, most != NULL ? NAN : VISION_TOP);
    if (!(top >= 0 && top <= VT_SEARCH_TOP) || top != floor(top))
        return wrong(error, "maxResults", "a whole number from 0 to 1000");
    a->query.top = top > 0 ? (size_t)top : VISION_TOP; /* 0 is "not given" in the original */
    return VT_OK;
}

/* Names that choose what Google's detector looks for. */
static bool is_vertical(const char *name)
{
    static const char *const verticals[] = {"homegoods",        "homegoods-v2", "apparel",
                                            "apparel-v2",       "toys",         "toys-v2",
                                            "packagedgoods-v1", "general-v1"};
    for (size_t i = 0; i < sizeof(verticals) / sizeof(verticals[0]); i++)
        if (strcmp(verticals[i], name) == 0)
            return true;
    return false;
}

static vt_status read_categories(annotation *a, const vt_json *categories, vt_error *error)
{
    size_t listed = 0;
    for (size_t i = 0; i < vt_json_count(categories); i++) {
        const char *name = vt_json_text(vt_json_at(categories, i), NULL);
        if (name == NULL)
            return wrong(error, "productCategories", "a list of names");
        if (is_vertical(name))
            continue;
        vt_buf_append_text(&a->where, listed++ == 0 ? "category IN (" : ", ");
        vt_buf_append_char(&a->where, '\'');
        for (; *name != '\0'; name++) {
            if (*name == '\'')
                vt_buf_append_char(&a->where, '\'');
            vt_buf_append_char(&a->where, *name);
        }
        vt_buf_append_char(&a->where, '\'');
    }
    if (listed > 0)
        vt_buf_append_char(&a->where, ')');
    return VT_OK;
}

static vt_status read_filter(annotation *a, const vt_json *filter, vt_error *error)
{
    const char *text = vt_json_text(filter, filter != NULL ? NULL : "");
    bool joins = a->where.length > 0;
    if (text == NULL)
        return wrong(error, "filter", "a text");
    size_t length = strlen(text);
    const char *trimmed = text;
    if (vt_text_trim(&trimmed, length) > 0) {
        vt_buf_append_text(&a->where, joins ? " AND (" : "");
        vt_status status = vt_vision_filter(text, &a->where, error);
        if (status != VT_OK)
            return status;
        vt_buf_append_text(&a->where, joins ? ")" : "");
    }
    if (a->where.failed)
        return vt_fail(error, VT_ERR_LIMIT, "the filter is too long");
    a->query.where = vt_buf_text(&a->where);
    return VT_OK;
}

/* Least and largest of the corners; members that are 0 may be left out, as there. */
static vt_status read_corners(const vt_json *corners, double low[2], double high[2],
                              vt_error *error)
{
    static const char *const axes[] = {"x", "y"};
    for (size_t i = 0; i < vt_json_count(corners); i++)
        for (size_t axis = 0; axis < 2; axis++) {
            const vt_json *value = vt_json_get(vt_json_at(corners, i), axes[axis]);
            double at = vt_json_number(value, value != NULL ? NAN : 0.0);
            if (!(at >= -1e9 && at <= 1e9))
                return wrong(error, "boundingPoly", "corners with x and y");
            low[axis] = i == 0 ? at : fmin(low[axis], at);
            high[axis] = i == 0 ? at : fmax(high[axis], at);
        }
    return VT_OK;
}

static vt_status read_polygon(annotation *a, const vt_json *polygon, vt_error *error)
{
    const vt_json *corners = vt_json_get(polygon, "vertices");
    const vt_json *shares = member(polygon, "normalizedVertices", "normalized_vertices");
    bool normalized = vt_json_count(corners) == 0;
    double low[2] = {0}, high[2] = {0};
    int size[2] = {0};
    if (polygon == NULL || vt_json_count(corners) + vt_json_count(shares) == 0)
        return VT_OK;
    vt_status status = read_corners(normalized ? shares : corners, low, high, error);
    if (status == VT_OK)
        status = vt_photo_size(&a->photo, a->request->server->options.maximum_pixels, &size[0],
                               &size[1], error);
    for (size_t axis = 0; status == VT_OK && axis < 2; axis++) {
        double scale = normalized ? size[axis] : 1.0;
        low[axis] = fmax(0.0, floor(low[axis] * scale + 0.5));
        high[axis] = fmin(size[axis], floor(high[axis] * scale + 0.5));
        if (high[axis] - low[axis] < 1.0)
            status = vt_fail(error, VT_ERR_USAGE,
                             "read \"boundingPoly\": it has no area within the picture of %dx%d",
                             size[0], size[1]);
    }
    if (status != VT_OK)
        return status;
    a->query.crop_x = (int)low[0];
    a->query.crop_y = (int)low[1];
    a->query.crop_width = (int)(high[0] - low[0]);
    a->query.crop_height = (int)(high[1] - low[1]);
    return VT_OK;
}

/* "projects/p/locations/l/productSets/s" without the last two. */
static vt_status read_product_set(annotation *a, const vt_json *set, vt_error *error)
{
    static const char none[] = "projects/-/locations/-";
    const char *text = vt_json_text(set, set != NULL ? NULL : none);
    const char *end = text != NULL ? strstr(text, "/productSets/") : NULL;
    if (text == NULL || strlen(text) >= sizeof(a->parent))
        return wrong(error, "productSet", "a name");
    snprintf(a->parent, sizeof(a->parent), "%.*s",
             (int)(end != NULL ? (size_t)(end - text) : strlen(text)), text);
    return VT_OK;
}

/* A filter that is not known must not become no filter. */
static vt_status check_parameters(const vt_json *parameters, vt_error *error)
{
    static const char *const known[] = {
        "productSet",    "product_set", "productCategories", "product_categories", "boundingPoly",
        "bounding_poly", "filter"};
    if (parameters != NULL && vt_json_kind_of(parameters) != VT_JSON_OBJECT)
        return wrong(error, "productSearchParams", "an object");
    for (size_t i = 0; i < vt_json_count(parameters); i++) {
        const vt_json *value = NULL;
        const char *name = vt_json_key_at(parameters, i, &value);
        size_t j = 0;
        while (j < sizeof(known) / sizeof(known[0]) && strcmp(known[j], name) != 0)
            j++;
        if (j == sizeof(known) / sizeof(known[0]))
            return vt_fail(error, VT_ERR_USAGE,
                           "read \"productSearchParams\": there is no member \"%.64s\"", name);
    }
    return VT_OK;
}

static vt_status read_request(annotation *a, const vt_json *one, vt_error *error)
{
    const vt_json *context = member(one, "imageContext", "image_context");
    const vt_json *parameters = member(context, "productSearchParams", "product_search_params");
    a->query = vt_query_defaults();
    vt_status status = read_features(a, vt_json_get(one, "features"), error);
    if (status == VT_OK)
        status = check_parameters(parameters, error);
    if (status == VT_OK)
        status = read_product_set(a, member(parameters, "productSet", "product_set"), error);
    if (status == VT_OK)
        status = read_categories(a, member(parameters, "productCategories", "product_categories"),
                                 error);
    if (status == VT_OK)
        status = read_filter(a, vt_json_get(parameters, "filter"), error);
    if (status == VT_OK)
        status = read_image(a, vt_json_get(one, "image"), error);
    if (status == VT_OK)
        status = read_polygon(a, member(parameters, "boundingPoly", "bounding_poly"), error);
    a->query.photos = &a->photo;
    a->query.photo_count = 1;
    return status;
}

/* ---- answering ---- */

static void put_label(vt_json_writer *writer, const char *key, const char *value)
{
    vt_json_open_object(writer, NULL);
    vt_json_put_text(writer, "key", key);
    vt_json_put_text(writer, "value", value);
    vt_json_close(writer);
}

static void put_labels(vt_json_writer *writer, const vt_product *product)
{
    char number[32];
    vt_json_open_array(writer, "productLabels");
    if (product->brand != NULL)
        put_label(writer, "brand", product->brand);
    for (size_t i = 0; i < product->attribute_count; i++) {
        const vt_attribute *one = &product->attributes[i];
        if (one->kind == VT_ATTRIBUTE_NUMBER) {
            snprintf(number, sizeof(number), "%.15g", one->number);
            put_label(writer, one->name, number);
        }
        if (one->kind == VT_ATTRIBUTE_TEXT)
            put_label(writer, one->name, one->text);
        for (size_t j = 0; one->kind == VT_ATTRIBUTE_LIST && j < one->item_count; j++)
            put_label(writer, one->name, one->items[j]);
    }
    vt_json_close(writer);
}

/* What is empty is left out, as there. */
static void put_if(vt_json_writer *writer, const char *name, const char *text)
{
    if (text != NULL && text[0] != '\0')
        vt_json_put_text(writer, name, text);
}

static vt_status put_result(annotation *a, vt_json_writer *writer, const vt_result *result,
                            vt_error *error)
{
    const vt_product *product = result->product;
    char hash[65];
    const char *name = vt_arena_printf(&a->arena, "%s/products/%s", a->parent, product->id);
    vt_hex(result->picture->hash.bytes, sizeof(result->picture->hash.bytes), hash);
    const char *image =
        name != NULL ? vt_arena_printf(&a->arena, "%s/referenceImages/%s", name, hash) : NULL;
    if (image == NULL)
        return vt_fail_memory(error, "a result");
    vt_json_open_object(writer, NULL);
    vt_json_open_object(writer, "product");
    vt_json_put_text(writer, "name", name);
    put_if(writer, "displayName", product->title);
    put_if(writer, "description", product->description);
    put_if(writer, "productCategory", product->category);
    put_labels(writer, product);
    vt_json_close(writer);
    vt_json_put_number(writer, "score", result->similarity, SCORE_DECIMALS);
    vt_json_put_text(writer, "image", image);
    vt_json_close(writer);
    return VT_OK;
}

static void put_index_time(vt_json_writer *writer)
{
    char text[32];
    time_t now = (time_t)(vt_clock_unix_ms() / 1000);
    struct tm utc;
    gmtime_r(&now, &utc);
    strftime(text, sizeof(text), "%Y-%m-%dT%H:%M:%SZ", &utc);
    vt_json_put_text(writer, "indexTime", text);
}

static vt_status put_answer(annotation *a, vt_json_writer *writer, vt_error *error)
{
    vt_answer *answer = NULL;
    vt_status status = vt_shop_search(a->request->server->shop, &a->query, &answer, error);
    if (status != VT_OK)
        return status;
    vt_json_open_object(writer, "productSearchResults");
    put_index_time(writer);
    vt_json_open_array(writer, "results");
    for (size_t i = 0; status == VT_OK && i < answer->count; i++)
        status = put_result(a, writer, &answer->results[i], error);
    vt_json_close(writer);
    vt_json_close(writer);
    vt_answer_free(answer);
    return status;
}

/* google.rpc.Code */
static int code_of(int http)
{
    static const struct {
        int http, code;
    } codes[] = {{403, 7}, {404, 5}, {499, 1}, {500, 13}, {503, 14}};
    for (size_t i = 0; i < sizeof(codes) / sizeof(codes[0]); i++)
        if (codes[i].http == http)
            return codes[i].code;
    return 3; /* invalid argument */
}

static void put_failure(vt_request *request, vt_json_writer *writer, vt_status status,
                        const vt_error *error)
{
    const char *detail = NULL;
    int http = vt_problem_of(request, status, error, &detail);
    vt_json_open_object(writer, "error");
    vt_json_put_int(writer, "code", code_of(http));
    vt_json_put_text(writer, "message", detail);
    vt_json_close(writer);
    /* That was this picture's; the request goes on. */
    request->http = request->retry_ms = 0;
    request->uncached = true;
}

static void put_response(vt_request *request, vt_json_writer *writer, const vt_json *one)
{
    annotation a = {.request = request};
    vt_error error = {0};
    vt_arena_init(&a.arena, VISION_BYTES);
    vt_buf_init(&a.where, VISION_FILTER_BYTES);
    vt_json_open_object(writer, NULL);
    vt_status status = read_request(&a, one, &error);
    if (status == VT_OK)
        status = put_answer(&a, writer, &error);
    if (status != VT_OK)
        put_failure(request, writer, status, &error);
    vt_json_close(writer);
    vt_buf_deinit(&a.where);
    vt_arena_deinit(&a.arena);
}

vt_status vt_answer_annotate(vt_request *request, vt_error *error)
{
    vt_json *document = NULL;
    vt_json_writer writer;
    vt_status status = vt_body_json(request, &document, error);
    const vt_json *requests = vt_json_get(document, "requests");
    size_t count = vt_json_count(requests);
    if (status == VT_OK &&
        (vt_json_kind_of(requests) != VT_JSON_ARRAY || count == 0 || count > VISION_REQUESTS))
        status = vt_fail(error, VT_ERR_USAGE, "read \"requests\": a list of 1 to %d is needed",
                         VISION_REQUESTS);
    if (status == VT_OK) {
        vt_reply_begin(request, &writer);
        vt_json_open_array(&writer, "responses");
        for (size_t i = 0; i < count; i++)
            put_response(request, &writer, vt_json_at(requests, i));
        vt_json_close(&writer);
        status = vt_reply_end(request, &writer, MHD_HTTP_OK, error);
    }
    vt_json_free(document);
    return status;
}
