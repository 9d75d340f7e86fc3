/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What is searched for, from a body: a JSON object, or a form whose parts `image` are pictures and
 * whose other fields are the object's members as text. A form's field `options` is a whole JSON
 * object, for what does not fit a line of text.
 *
 * Members that are not known are refused: a misspelt filter must not become no filter. One that is
 * there twice in a form counts as its last, as in JSON; pictures and products add up.
 */
#include "server/photo_source.h"

#include <limits.h>
#include <math.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

enum {
    QUERY_DEPTH = 8,
    QUERY_TEXT_BYTES = 1 << 20,
    QUERY_OFFSET = 1000000,
    QUERY_FACET_TOP = 1000
};

typedef vt_status set_member(vt_search_query *out, const vt_json *value, vt_error *error);

static vt_status wrong(vt_error *error, const char *name, const char *wanted)
{
    return vt_fail(error, VT_ERR_USAGE, "read member \"%s\": %s is needed", name, wanted);
}

/* ---- pictures ---- */

static vt_status add_photo(vt_search_query *out, const void *bytes, size_t length, vt_error *error)
{
    if (out->query.photo_count == VT_SEARCH_PHOTOS)
        return vt_fail(error, VT_ERR_LIMIT, "search: more than %d pictures", VT_SEARCH_PHOTOS);
    if (length == 0)
        return vt_fail(error, VT_ERR_FORMAT, "search: picture %zu is empty",
                       out->query.photo_count + 1);
    out->photos[out->query.photo_count] = (vt_photo){.bytes = bytes, .length = length};
    out->views[out->query.photo_count++] = (vt_view){.weight = 1.0};
    out->query.photos = out->photos;
    out->query.views = out->views;
    return VT_OK;
}

static vt_status set_image(vt_search_query *out, const vt_json *value, vt_error *error)
{
    const char *text = vt_json_text(value, NULL);
    vt_photo photo;
    if (text == NULL)
        return wrong(error, "image", "base64");
    vt_status status = vt_photo_of_base64(&out->arena, "image", text, &photo, error);
    return status == VT_OK ? add_photo(out, photo.bytes, photo.length, error) : status;
}

/* The URL stands for the picture until vt_photos_fetch has it. */
static vt_status set_image_url(vt_search_query *out, const vt_json *value, vt_error *error)
{
    const char *text = vt_json_text(value, NULL);
    if (text == NULL)
        return wrong(error, "image_url", "a url");
    char *url = vt_arena_strdup(&out->arena, text);
    if (url == NULL)
        return vt_fail_memory(error, "a query");
    vt_status status = add_photo(out, url, strlen(url), error);
    if (status == VT_OK)
        out->urls[out->query.photo_count - 1] = url;
    return status;
}

static vt_status set_images(vt_search_query *out, const vt_json *value, vt_error *error)
{
    vt_status status = VT_OK;
    if (vt_json_kind_of(value) != VT_JSON_ARRAY)
        return wrong(error, "images", "a list of base64");
    for (size_t i = 0; status == VT_OK && i < vt_json_count(value); i++)
        status = set_image(out, vt_json_at(value, i), error);
    return status;
}

/* ---- numbers ---- */

static vt_status set_top(vt_search_query *out, const vt_json *value, vt_error *error)
{
    return vt_member_whole(value, "top", 1, VT_SEARCH_TOP, &out->query.top, error);
}

static vt_status set_minimum(vt_search_query *out, const vt_json *value, vt_error *error)
{
    double number = vt_json_number(value, NAN);
    if (!(number >= -1.0 && number <= 1.0))
        return wrong(error, "min_similarity", "a number from -1 to 1");
    out->query.min_similarity = number;
    return VT_OK;
}

/* A region's corner and size; the weight stays. */
static vt_status read_region(const vt_json *value, const char *name, vt_view *out, vt_error *error)
{
    size_t corner[4] = {0};
    if (vt_json_kind_of(value) != VT_JSON_ARRAY || vt_json_count(value) != 4)
        return wrong(error, name, "[x, y, width, height] in pixels");
    for (size_t i = 0; i < 4; i++) {
        vt_status status =
            vt_member_whole(vt_json_at(value, i), name, i < 2 ? 0 : 1, INT_MAX, &corner[i], error);
        if (status != VT_OK)
            return status;
    }
    out->x = (int)corner[0];
    out->y = (int)corner[1];
    out->width = (int)corner[2];
    out->height = (int)corner[3];
    return VT_OK;
}

static vt_status set_crop(vt_search_query *out, const vt_json *value, vt_error *error)
{
    vt_view crop = {0};
    vt_status status = read_region(value, "crop", &crop, error);
    if (status != VT_OK)
        return status;
    out->query.crop_x = crop.x;
    out->query.crop_y = crop.y;
    out->query.crop_width = crop.width;
    out->query.crop_height = crop.height;
    return VT_OK;
}

static vt_status set_regions(vt_search_query *out, const vt_json *value, vt_error *error)
{
    size_t count = vt_json_count(value);
    vt_status status = VT_OK;
    if (vt_json_kind_of(value) != VT_JSON_ARRAY || count == 0 || count > VT_SEARCH_PHOTOS)
        return vt_fail(error, VT_ERR_USAGE,
                       "read member \"regions\": a list of 1 to %d [x, y, width, height] is needed",
                       VT_SEARCH_PHOTOS);
    for (size_t i = 0; status == VT_OK && i < count; i++)
        status = read_region(vt_json_at(value, i), "regions", &out->regions[i], error);
    out->region_count = count;
    return status;
}

/* Every region of every photo is a view. */
static vt_status spread_regions(vt_search_query *out, vt_error *error)
{
    size_t photos = out->query.photo_count, regions = out->region_count;
    if (regions == 0)
        return VT_OK;
    if (photos == 0 || photos * regions > VT_SEARCH_PHOTOS)
        return vt_fail(
            error, VT_ERR_USAGE,
            "search: %zu pictures with %zu regions each, from 1 to %d are possible in all", photos,
            regions, VT_SEARCH_PHOTOS);
    for (size_t i = photos * regions; i-- > 0;) { /* from the end: the first ones are read last */
        double weight = out->views[i / regions].weight;
        out->photos[i] = out->photos[i / regions];
        out->urls[i] = out->urls[i / regions];
        out->views[i] = out->regions[i % regions];
        out->views[i].weight = weight;
    }
    out->query.photo_count = photos * regions;
    return VT_OK;
}

static vt_status set_offset(vt_search_query *out, const vt_json *value, vt_error *error)
{
    return vt_member_whole(value, "offset", 0, QUERY_OFFSET, &out->query.offset, error);
}

static vt_status set_facet_top(vt_search_query *out, const vt_json *value, vt_error *error)
{
    return vt_member_whole(value, "facet_top", 1, QUERY_FACET_TOP, &out->query.facet_top, error);
}

static vt_status read_flag(const vt_json *value, const char *name, bool *out, vt_error *error)
{
    if (vt_json_kind_of(value) != VT_JSON_BOOL)
        return wrong(error, name, "true or false");
    *out = vt_json_bool(value, false);
    return VT_OK;
}

static vt_status set_exact(vt_search_query *out, const vt_json *value, vt_error *error)
{
    return read_flag(value, "exact", &out->query.exact, error);
}

static vt_status set_explain(vt_search_query *out, const vt_json *value, vt_error *error)
{
    return read_flag(value, "explain", &out->query.explain, error);
}

/* ---- products, filters, facets ---- */

static vt_status add_like(vt_search_query *out, const char *product, double weight, vt_error *error)
{
    if (out->query.like_count == VT_SEARCH_LIKES)
        return vt_fail(error, VT_ERR_LIMIT, "search: more than %d products", VT_SEARCH_LIKES);
    char *id = vt_arena_strdup(&out->arena, product);
    if (id == NULL)
        return vt_fail_memory(error, "a query");
    out->likes[out->query.like_count++] = (vt_like){id, weight};
    out->query.likes = out->likes;
    return VT_OK;
}

static vt_status set_product(vt_search_query *out, const vt_json *value, vt_error *error)
{
    const char *id = vt_json_text(value, NULL);
    return id != NULL ? add_like(out, id, 1.0, error) : wrong(error, "product", "an id");
}

/* {"product": id, "weight": w}, or {"image": base64, "weight": w, "crop": [x, y, width, height]}.
 */
static vt_status add_item(vt_search_query *out, const vt_json *item, const char *list, bool images,
                          vt_error *error)
{
    const char *wanted =
        images ? "a list of {product or image, weight, crop}" : "a list of {product, weight}";
    const vt_json *image = NULL, *product = NULL, *crop = NULL, *value = NULL;
    double weight = 1.0;
    for (size_t i = 0; i < vt_json_count(item); i++) {
        const char *name = vt_json_key_at(item, i, &value);
        if (strcmp(name, "product") == 0)
            product = value;
        else if (strcmp(name, "weight") == 0)
            weight = vt_json_number(value, NAN);
        else if (images && strcmp(name, "image") == 0)
            image = value;
        else if (images && strcmp(name, "crop") == 0)
            crop = value;
        else
            return wrong(error, list, wanted);
    }
    if ((image == NULL) == (product == NULL) || isnan(weight) || (crop != NULL && image == NULL))
        return wrong(error, list, wanted);
    if (product != NULL)
        return vt_json_kind_of(product) == VT_JSON_TEXT
                   ? add_like(out, vt_json_text(product, ""), weight, error)
                   : wrong(error, list, wanted);
    vt_status status = set_image(out, image, error);
    if (status == VT_OK)
        out->views[out->query.photo_count - 1].weight = weight;
    if (status == VT_OK && crop != NULL)
        status = read_region(crop, "crop", &out->views[out->query.photo_count - 1], error);
    return status;
}

static vt_status add_items(vt_search_query *out, const vt_json *value, const char *list,
                           bool images, vt_error *error)
{
    vt_status status = VT_OK;
    if (vt_json_kind_of(value) != VT_JSON_ARRAY)
        return wrong(error, list, "a list");
    for (size_t i = 0; status == VT_OK && i < vt_json_count(value); i++) {
        const vt_json *item = vt_json_at(value, i);
        status = vt_json_kind_of(item) == VT_JSON_OBJECT ? add_item(out, item, list, images, error)
                                                         : wrong(error, list, "a list of objects");
    }
    return status;
}

static vt_status set_likes(vt_search_query *out, const vt_json *value, vt_error *error)
{
    return add_items(out, value, "likes", false, error);
}

static vt_status set_query(vt_search_query *out, const vt_json *value, vt_error *error)
{
    return add_items(out, value, "query", true, error);
}

static vt_status keep_text(vt_search_query *out, const vt_json *value, const char *name,
                           const char *wanted, const char **kept, vt_error *error)
{
    const char *text = vt_json_text(value, NULL);
    if (text == NULL)
        return wrong(error, name, wanted);
    *kept = vt_arena_strdup(&out->arena, text);
    return *kept != NULL ? VT_OK : vt_fail_memory(error, "a query");
}

static vt_status set_where(vt_search_query *out, const vt_json *value, vt_error *error)
{
    return keep_text(out, value, "where", "a filter", &out->query.where, error);
}

static vt_status set_text(vt_search_query *out, const vt_json *value, vt_error *error)
{
    return keep_text(out, value, "text", "words", &out->query.text, error);
}

static vt_status set_sort(vt_search_query *out, const vt_json *value, vt_error *error)
{
    return keep_text(out, value, "sort", "\"similarity\" or a name", &out->query.sort, error);
}

static vt_status set_facets(vt_search_query *out, const vt_json *value, vt_error *error)
{
    size_t count = vt_json_count(value);
    if (vt_json_kind_of(value) != VT_JSON_ARRAY || count > VT_SEARCH_FACETS)
        return vt_fail(error, VT_ERR_USAGE,
                       "read member \"facets\": a list of up to %d names is needed",
                       VT_SEARCH_FACETS);
    for (size_t i = 0; i < count; i++) {
        const char *name = vt_json_text(vt_json_at(value, i), NULL);
        if (name == NULL)
            return wrong(error, "facets", "a list of names");
        out->facets[i] = vt_arena_strdup(&out->arena, name);
        if (out->facets[i] == NULL)
            return vt_fail_memory(error, "a query");
    }
    out->query.facets = out->facets;
    out->query.facet_count = count;
    return VT_OK;
}

vt_status vt_split_names(char *text, const char **names, size_t capacity, size_t *count,
                         vt_error *error)
{
    size_t found = 0;
    for (char *at = text; *at != '\0';) {
        size_t length = strcspn(at, ",");
        bool more = at[length] == ',';
        at[length] = '\0';
        if (length > 0 && found == capacity)
            return vt_fail(error, VT_ERR_LIMIT, "more than %zu names", capacity);
        if (length > 0)
            names[found++] = at;
        at += length + more;
    }
    *count = found;
    return VT_OK;
}

/* ---- members ---- */

typedef enum form_kind { AS_JSON, AS_LIST_OF_NUMBERS, AS_LIST_OF_TEXTS, AS_TEXT } form_kind;

static const struct {
    const char *name;
    form_kind kind; /* how a form's text becomes the member */
    set_member *set;
} members[] = {
    {"image", AS_TEXT, set_image},
    {"image_url", AS_TEXT, set_image_url},
    {"images", AS_JSON, set_images},
    {"top", AS_JSON, set_top},
    {"min_similarity", AS_JSON, set_minimum},
    {"crop", AS_LIST_OF_NUMBERS, set_crop},
    {"regions", AS_JSON, set_regions},
    {"query", AS_JSON, set_query},
    {"product", AS_TEXT, set_product},
    {"likes", AS_JSON, set_likes},
    {"where", AS_TEXT, set_where},
    {"text", AS_TEXT, set_text},
    {"sort", AS_TEXT, set_sort},
    {"offset", AS_JSON, set_offset},
    {"facets", AS_LIST_OF_TEXTS, set_facets},
    {"facet_top", AS_JSON, set_facet_top},
    {"exact", AS_JSON, set_exact},
    {"explain", AS_JSON, set_explain},
};
enum { MEMBER_COUNT = sizeof(members) / sizeof(members[0]) };

static vt_status set(vt_search_query *out, const char *name, const vt_json *value, vt_error *error)
{
    for (size_t i = 0; i < MEMBER_COUNT; i++)
        if (strcmp(members[i].name, name) == 0)
            return members[i].set(out, value, error);
    return vt_fail(error, VT_ERR_USAGE, "search: there is no member \"%.64s\"", name);
}

static vt_status set_all(vt_search_query *out, const char *text, size_t length, vt_error *error)
{
    vt_json *document = NULL;
    vt_status status = vt_json_parse(text, length, QUERY_DEPTH, &document, error);
    if (status == VT_OK && vt_json_kind_of(document) != VT_JSON_OBJECT)
        status = vt_fail(error, VT_ERR_FORMAT, "search: it is no JSON object");
    for (size_t i = 0; status == VT_OK && i < vt_json_count(document); i++) {
        const vt_json *value = NULL;
        const char *name = vt_json_key_at(document, i, &value);
        status = set(out, name, value, error);
    }
    vt_json_free(document);
    return status;
}

/* ---- forms ---- */

/* A field's text as JSON of its member's kind. */
static void put_field(vt_buf *json, form_kind kind, const char *text, size_t length)
{
    vt_json_writer writer;
    if (kind == AS_JSON) {
        vt_buf_append(json, text, length);
    } else if (kind == AS_LIST_OF_NUMBERS) {
        vt_buf_append_char(json, '[');
        vt_buf_append(json, text, length);
        vt_buf_append_char(json, ']');
    } else if (kind == AS_TEXT) {
        vt_json_begin(&writer, json, false);
        vt_json_put_text(&writer, NULL, text);
    } else {
        vt_json_begin(&writer, json, false);
        vt_json_open_array(&writer, NULL);
        for (const char *at = text; *at != '\0';) {
            char item[256];
            size_t part = strcspn(at, ",");
            snprintf(item, sizeof(item), "%.*s", (int)(part < 255 ? part : 255), at);
            vt_json_put_text(&writer, NULL, item);
            at += part + (at[part] == ',');
        }
        vt_json_close(&writer);
    }
}

static vt_status set_field(vt_search_query *out, const vt_part *part, vt_error *error)
{
    size_t i = 0;
    while (i < MEMBER_COUNT && strcmp(members[i].name, part->name) != 0)
        i++;
    if (i == MEMBER_COUNT)
        return vt_fail(error, VT_ERR_USAGE, "search: there is no field \"%.64s\"", part->name);
    if (part->length > QUERY_TEXT_BYTES)
        return vt_fail(error, VT_ERR_LIMIT, "read field \"%s\": it is too long", part->name);
    char *text = vt_arena_strndup(&out->arena, part->bytes, part->length);
    vt_buf json;
    vt_json *value = NULL;
    if (text == NULL)
        return vt_fail_memory(error, "a field");
    vt_buf_init(&json, 8 * QUERY_TEXT_BYTES);
    put_field(&json, members[i].kind, text, part->length);
    vt_status status =
        json.failed ? vt_fail_memory(error, "a field")
                    : vt_json_parse(vt_buf_text(&json), json.length, QUERY_DEPTH, &value, error);
    if (status == VT_OK)
        status = members[i].set(out, value, error);
    else
        vt_fail_context(error, status, "read field \"%s\"", part->name);
    vt_json_free(value);
    vt_buf_deinit(&json);
    return status;
}

static vt_status set_form(vt_search_query *out, const char *content_type, const char *body,
                          size_t length, vt_error *error)
{
    vt_form form = {.arena = &out->arena};
    vt_status status = vt_form_parse(content_type, body, length, &form, error);
    for (size_t i = 0; status == VT_OK && i < form.count; i++) {
        const vt_part *part = &form.parts[i];
        if (strcmp(part->name, "image") == 0)
            status = add_photo(out, part->bytes, part->length, error);
        else if (strcmp(part->name, "options") == 0)
            status = set_all(out, part->bytes, part->length, error);
        else
            status = set_field(out, part, error);
    }
    return status;
}

vt_status vt_search_query_parse(const char *content_type, const char *body, size_t length,
                                vt_search_query *out, vt_error *error)
{
    static const char form_type[] = "multipart/form-data", json_type[] = "application/json";
    memset(out, 0, sizeof(*out));
    vt_arena_init(&out->arena, (size_t)256 << 20);
    out->query = vt_query_defaults();
    out->query.top = 24;
    vt_status status = VT_OK;
    if (strncasecmp(content_type, form_type, sizeof(form_type) - 1) == 0)
        status = set_form(out, content_type, body, length, error);
    else if (strncasecmp(content_type, json_type, sizeof(json_type) - 1) == 0)
        status = set_all(out, body, length, error);
    else
        status =
            vt_fail(error, VT_ERR_UNSUPPORTED, "search: the body is \"%.100s\", %s or %s is needed",
                    content_type, form_type, json_type);
    return status == VT_OK ? spread_regions(out, error) : status;
}

void vt_search_query_deinit(vt_search_query *query)
{
    vt_arena_deinit(&query->arena);
}
