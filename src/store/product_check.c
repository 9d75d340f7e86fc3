/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Whether a product may be stored: what the shop's feed says is not to be trusted.
 *
 * Method: counts first, then every text once for its length and its encoding, with one running sum
 * so that a product as a whole is bounded. Vectors are the driver's: it alone knows their
 * dimension.
 */
#include "store/store_driver.h"

#include "base/status.h"

#include <math.h>
#include <string.h>

typedef struct text_check {
    const char *id;
    size_t total_bytes;
    vt_error *error;
} text_check;

static vt_status check_text(text_check *check, const char *field, const char *text)
{
    if (text == NULL)
        return VT_OK;
    size_t length = strlen(text);
    check->total_bytes += length; /* cannot wrap: every addend passed the limit below */
    if (check->total_bytes > VT_STORE_MAX_PRODUCT_BYTES)
        return vt_fail(check->error, VT_ERR_LIMIT,
                       "store product \"%s\": its texts have more than %d bytes, reached in %s",
                       check->id, VT_STORE_MAX_PRODUCT_BYTES, field);
    if (!vt_utf8_valid(text, length))
        return vt_fail(check->error, VT_ERR_USAGE, "store product \"%s\": its %s is not UTF-8",
                       check->id, field);
    return VT_OK;
}

static vt_status check_attribute(text_check *check, const vt_attribute *attribute)
{
    if (attribute->name == NULL || attribute->name[0] == '\0')
        return vt_fail(check->error, VT_ERR_USAGE, "store product \"%s\": an attribute has no name",
                       check->id);
    vt_status status = check_text(check, "attribute name", attribute->name);
    if (status != VT_OK)
        return status;
    switch (attribute->kind) {
    case VT_ATTRIBUTE_TEXT:
        return check_text(check, attribute->name, attribute->text);
    case VT_ATTRIBUTE_NUMBER:
        if (isinf(attribute->number))
            return vt_fail(check->error, VT_ERR_USAGE,
                           "store product \"%s\": attribute \"%s\" is infinite", check->id,
                           attribute->name);
        return VT_OK;
    case VT_ATTRIBUTE_LIST:
        break;
    default:
        return vt_fail(check->error, VT_ERR_USAGE,
                       "store product \"%s\": attribute \"%s\" is of unknown kind %d", check->id,
                       attribute->name, (int)attribute->kind);
    }
    if (attribute->item_count > VT_STORE_MAX_ITEMS)
        return vt_fail(check->error, VT_ERR_LIMIT,
                       "store product \"%s\": attribute \"%s\" has %zu items, at most %d may be",
                       check->id, attribute->name, attribute->item_count, VT_STORE_MAX_ITEMS);
    for (size_t i = 0; i < attribute->item_count; i++) {
        if (attribute->items[i] == NULL)
            return vt_fail(check->error, VT_ERR_USAGE,
                           "store product \"%s\": item %zu of attribute \"%s\" is missing",
                           check->id, i, attribute->name);
        status = check_text(check, attribute->name, attribute->items[i]);
        if (status != VT_OK)
            return status;
    }
    return VT_OK;
}

static vt_status check_picture(text_check *check, const vt_picture *picture, size_t position)
{
    if (picture->vector == NULL)
        return vt_fail(check->error, VT_ERR_USAGE,
                       "store product \"%s\": picture %zu has no vector", check->id, position);
    if (picture->width < 0 || picture->height < 0 || picture->file_bytes > INT64_MAX)
        return vt_fail(check->error, VT_ERR_USAGE,
                       "store product \"%s\": picture %zu has an impossible size", check->id,
                       position);
    return check_text(check, "picture source", picture->source);
}

static vt_status check_fields(text_check *check, const vt_product *product)
{
    const struct {
        const char *name, *text;
    } fields[] = {{"id", product->id},
                  {"title", product->title},
                  {"description", product->description},
                  {"category", product->category},
                  {"brand", product->brand},
                  {"link", product->link},
                  {"currency", product->currency}};
    for (size_t i = 0; i < sizeof fields / sizeof fields[0]; i++) {
        vt_status status = check_text(check, fields[i].name, fields[i].text);
        if (status != VT_OK)
            return status;
    }
    if (isinf(product->price))
        return vt_fail(check->error, VT_ERR_USAGE, "store product \"%s\": its price is infinite",
                       check->id);
    return VT_OK;
}

vt_status vt_store_product_check(const vt_product *product, vt_error *error)
{
    const char *id = product->id;
    if (id == NULL || id[0] == '\0')
        return vt_fail(error, VT_ERR_USAGE, "store product: it has no id");
    size_t id_bytes = strnlen(id, VT_STORE_MAX_ID_BYTES + 1);
    if (id_bytes > VT_STORE_MAX_ID_BYTES)
        return vt_fail(error, VT_ERR_LIMIT,
                       "store product \"%.40s...\": its id has more than %d bytes", id,
                       VT_STORE_MAX_ID_BYTES);
    if (product->picture_count == 0)
        return vt_fail(error, VT_ERR_USAGE, "store product \"%s\": it has no picture", id);
    if (product->picture_count > VT_STORE_MAX_PICTURES)
        return vt_fail(error, VT_ERR_LIMIT,
                       "store product \"%s\": it has %zu pictures, at most %d may be", id,
                       product->picture_count, VT_STORE_MAX_PICTURES);
    if (product->attribute_count > VT_STORE_MAX_ATTRIBUTES)
        return vt_fail(error, VT_ERR_LIMIT,
                       "store product \"%s\": it has %zu attributes, at most %d may be", id,
                       product->attribute_count, VT_STORE_MAX_ATTRIBUTES);

    text_check check = {.id = id, .error = error};
    vt_status status = check_fields(&check, product);
    for (size_t i = 0; status == VT_OK && i < product->attribute_count; i++)
        status = check_attribute(&check, &product->attributes[i]);
    for (size_t i = 0; status == VT_OK && i < product->picture_count; i++)
        status = check_picture(&check, &product->pictures[i], i);
    return status;
}
