/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a client says of a product: a JSON object, or a form with a part `product` that holds one
 * and parts `image` with pictures. Members that are not known are refused.
 */
#include "server/http.h"

#include <math.h>
#include <string.h>

enum { PRODUCT_DEPTH = 8, PRODUCT_BYTES = 256 << 20 };

vt_status vt_incoming_new(const vt_change *change, const vt_product *base, vt_incoming **out,
                          vt_error *error)
{
    vt_incoming *in = vt_calloc(1, sizeof(*in));
    if (in == NULL)
        return vt_fail_memory(error, "a product");
    vt_arena_init(&in->arena, PRODUCT_BYTES);
    in->only_photos = change->kind == VT_CHANGE_ADD_PHOTOS;
    in->of_batch = change->object != NULL;
    in->product = base != NULL ? *base : (vt_product){.price = NAN};
    in->product.id = change->id;
    *out = in;
    return VT_OK;
}

void vt_incoming_free(vt_incoming *in)
{
    if (in == NULL)
        return;
    vt_arena_deinit(&in->arena);
    vt_free(in);
}

static vt_status set_text(vt_incoming *in, const char *name, const vt_json *value, const char **out,
                          vt_error *error)
{
    if (vt_json_kind_of(value) == VT_JSON_NULL) {
        *out = NULL;
        return VT_OK;
    }
    const char *text = vt_json_text(value, NULL);
    if (text == NULL)
        return vt_fail(error, VT_ERR_USAGE, "read member \"%s\": a text is needed", name);
    *out = vt_arena_strdup(&in->arena, text);
    return *out != NULL ? VT_OK : vt_fail_memory(error, "a product");
}

static vt_status set_price(vt_incoming *in, const vt_json *value, vt_error *error)
{
    if (vt_json_kind_of(value) != VT_JSON_NULL && vt_json_kind_of(value) != VT_JSON_NUMBER)
        return vt_fail(error, VT_ERR_USAGE, "read member \"price\": a number is needed");
    in->product.price = vt_json_number(value, NAN);
    return VT_OK;
}

static vt_status set_list(vt_incoming *in, const vt_json *value, vt_attribute *out, vt_error *error)
{
    size_t count = vt_json_count(value);
    const char **items = vt_arena_array(&in->arena, count, sizeof(*items));
    if (items == NULL)
        return vt_fail_memory(error, "a product");
    vt_status status = VT_OK;
    for (size_t i = 0; status == VT_OK && i < count; i++) {
        if (vt_json_kind_of(vt_json_at(value, i)) != VT_JSON_TEXT)
            return vt_fail(error, VT_ERR_USAGE, "read attribute \"%.100s\": lists are of texts",
                           out->name);
        status = set_text(in, out->name, vt_json_at(value, i), &items[i], error);
    }
    out->kind = VT_ATTRIBUTE_LIST;
    out->items = items;
    out->item_count = count;
    return status;
}

static vt_status set_attribute(vt_incoming *in, const char *name, const vt_json *value,
                               vt_attribute *out, vt_error *error)
{
    *out = (vt_attribute){.name = vt_arena_strdup(&in->arena, name)};
    if (out->name == NULL)
        return vt_fail_memory(error, "a product");
    switch (vt_json_kind_of(value)) {
    case VT_JSON_TEXT:
        out->kind = VT_ATTRIBUTE_TEXT;
        return set_text(in, name, value, &out->text, error);
    case VT_JSON_BOOL:
        out->kind = VT_ATTRIBUTE_TEXT;
        out->text = vt_json_bool(value, false) ? "true" : "false";
        return VT_OK;
    case VT_JSON_NUMBER:
        out->kind = VT_ATTRIBUTE_NUMBER;
        out->number = vt_json_number(value, NAN);
        return VT_OK;
    case VT_JSON_ARRAY:
        return set_list(in, value, out, error);
    case VT_JSON_NULL:
    case VT_JSON_OBJECT:
        break;
    }
    return vt_fail(error, VT_ERR_USAGE,
                   "read attribute \"%.100s\": a text, a number or a list of texts is needed",
                   name);
}

static vt_status set_attributes(vt_incoming *in, const vt_json *value, vt_error *error)
{
    size_t count = vt_json_count(value);
    vt_status status = VT_OK;
    if (vt_json_kind_of(value) != VT_JSON_OBJECT)
        return vt_fail(error, VT_ERR_USAGE, "read member \"attributes\": an object is needed");
    if (count > VT_INCOMING_ATTRIBUTES)
        return vt_fail(error, VT_ERR_LIMIT, "a product with more than %d attributes",
                       VT_INCOMING_ATTRIBUTES);
    for (size_t i = 0; status == VT_OK && i < count; i++) {
        const vt_json *one = NULL;
        const char *name = vt_json_key_at(value, i, &one);
        status = set_attribute(in, name, one, &in->attributes[i], error);
    }
    in->product.attributes = in->attributes;
    in->product.attribute_count = count;
    return status;
}

static vt_status add_photo(vt_incoming *in, const void *bytes, size_t length, vt_error *error)
{
    if (in->photo_count == VT_INCOMING_PHOTOS)
        return vt_fail(error, VT_ERR_LIMIT, "a product with more than %d pictures",
                       VT_INCOMING_PHOTOS);
    in->photos[in->photo_count++] = (vt_photo){.bytes = bytes, .length = length};
    return VT_OK;
}

static vt_status set_images(vt_incoming *in, const vt_json *value, vt_error *error)
{
    vt_status status = VT_OK;
    if (vt_json_kind_of(value) != VT_JSON_ARRAY || vt_json_count(value) == 0)
        return vt_fail(error, VT_ERR_USAGE, "read member \"images\": a list of base64 is needed");
    for (size_t i = 0; status == VT_OK && i < vt_json_count(value); i++) {
        const char *text = vt_json_text(vt_json_at(value, i), "");
        size_t length = strlen(text);
        vt_buf bytes;
        vt_buf_init(&bytes, length + 1);
        bool good = length > 0 && vt_buf_append_unbase64(&bytes, text, length);
        void *kept = good ? vt_arena_alloc(&in->arena, bytes.length) : NULL;
        if (!good)
            status = vt_fail(error, VT_ERR_USAGE, "read member \"images\": item %zu is no base64",
                             i + 1);
        else if (kept == NULL)
            status = vt_fail_memory(error, "a picture");
        else
            status = add_photo(in, memcpy(kept, bytes.data, bytes.length), bytes.length, error);
        vt_buf_deinit(&bytes);
    }
    return status;
}

/* Members that a batch has besides. */
static bool is_of_batch(const char *name)
{
    return strcmp(name, "id") == 0 || strcmp(name, "op") == 0;
}

static vt_status set_member(vt_incoming *in, const char *name, const vt_json *value,
                            vt_error *error)
{
    const struct {
        const char *name;
        const char **target;
    } texts[] = {{"title", &in->product.title},       {"description", &in->product.description},
                 {"category", &in->product.category}, {"brand", &in->product.brand},
                 {"link", &in->product.link},         {"currency", &in->product.currency}};
    if (strcmp(name, "images") == 0)
        return set_images(in, value, error);
    if (in->only_photos)
        return vt_fail(error, VT_ERR_USAGE, "pictures have no member \"%.64s\"", name);
    if (in->of_batch && is_of_batch(name))
        return VT_OK;
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
        if (strcmp(texts[i].name, name) == 0)
            return set_text(in, name, value, texts[i].target, error);
    if (strcmp(name, "price") == 0)
        return set_price(in, value, error);
    if (strcmp(name, "attributes") == 0)
        return set_attributes(in, value, error);
    return vt_fail(error, VT_ERR_USAGE, "a product has no member \"%.64s\"", name);
}

static vt_status set_members(vt_incoming *in, const vt_json *object, vt_error *error)
{
    vt_status status = VT_OK;
    if (vt_json_kind_of(object) != VT_JSON_OBJECT)
        return vt_fail(error, VT_ERR_FORMAT, "read the product: it is no JSON object");
    for (size_t i = 0; status == VT_OK && i < vt_json_count(object); i++) {
        const vt_json *value = NULL;
        const char *name = vt_json_key_at(object, i, &value);
        status = set_member(in, name, value, error);
    }
    return status;
}

static vt_status read_json(vt_incoming *in, const char *text, size_t length, vt_error *error)
{
    vt_json *document = NULL;
    vt_status status = vt_json_parse(text, length, PRODUCT_DEPTH, &document, error);
    if (status == VT_OK)
        status = set_members(in, document, error);
    vt_json_free(document);
    return status;
}

/* A form: one part `product` with the JSON, parts `image` with pictures. */
static vt_status read_form(vt_request *request, vt_incoming *in, vt_error *error)
{
    vt_form form = {.arena = &in->arena};
    vt_status status = vt_form_parse(request->content_type, vt_buf_text(&request->body),
                                     request->body.length, &form, error);
    for (size_t i = 0; status == VT_OK && i < form.count; i++) {
        const vt_part *part = &form.parts[i];
        if (strcmp(part->name, "product") == 0 && !in->only_photos)
            status = read_json(in, part->bytes, part->length, error);
        else if (strcmp(part->name, "image") == 0)
            status = add_photo(in, part->bytes, part->length, error);
        else
            status = vt_fail(error, VT_ERR_USAGE, "read the form: there is no field \"%.64s\"",
                             part->name);
    }
    return status;
}

static vt_status read_body(vt_request *request, vt_incoming *in, vt_error *error)
{
    if (vt_content_is(request, "multipart/form-data"))
        return read_form(request, in, error);
    if (vt_content_is(request, "application/json"))
        return read_json(in, vt_buf_text(&request->body), request->body.length, error);
    return vt_fail(error, VT_ERR_UNSUPPORTED,
                   "read the product: the body is \"%.100s\", application/json or "
                   "multipart/form-data is needed",
                   request->content_type);
}

vt_status vt_incoming_read(const vt_change *change, vt_incoming *in, vt_error *error)
{
    vt_status status = change->object != NULL ? set_members(in, change->object, error)
                                              : read_body(change->request, in, error);
    if (status == VT_OK && in->only_photos && in->photo_count == 0)
        status = vt_fail(error, VT_ERR_USAGE, "read the pictures: there is none");
    return status;
}
