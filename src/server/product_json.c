/* SPDX-License-Identifier: Apache-2.0 */
/* Products in JSON. */
#include "server/http.h"

#include <math.h>

enum { SIMILARITY_DECIMALS = 4 };

/* Rounded: with every digit of enough answers one could reckon the vectors. */
void vt_put_similarity(vt_json_writer *writer, double similarity)
{
    vt_json_put_number(writer, "similarity", similarity, SIMILARITY_DECIMALS);
}

static void put_attribute(vt_json_writer *writer, const vt_attribute *attribute)
{
    if (attribute->kind == VT_ATTRIBUTE_NUMBER) {
        vt_json_put_number(writer, attribute->name, attribute->number, -1);
    } else if (attribute->kind == VT_ATTRIBUTE_TEXT) {
        vt_json_put_text(writer, attribute->name, attribute->text);
    } else {
        vt_json_open_array(writer, attribute->name);
        for (size_t i = 0; i < attribute->item_count; i++)
            vt_json_put_text(writer, NULL, attribute->items[i]);
        vt_json_close(writer);
    }
}

/* The feed's own name of a picture stays inside: it may be a path of the shop's machine. */
static void put_picture(vt_json_writer *writer, const vt_picture *picture)
{
    char hash[65];
    vt_hex(picture->hash.bytes, sizeof(picture->hash.bytes), hash);
    vt_json_open_object(writer, NULL);
    vt_json_put_text(writer, "hash", hash);
    vt_json_put_int(writer, "width", picture->width);
    vt_json_put_int(writer, "height", picture->height);
    vt_json_close(writer);
}

static void put_pictures(vt_json_writer *writer, const vt_product *product, size_t count)
{
    vt_json_open_array(writer, "images");
    for (size_t i = 0; i < product->picture_count && i < count; i++)
        put_picture(writer, &product->pictures[i]);
    vt_json_close(writer);
}

static void put_head(vt_json_writer *writer, const vt_product *product)
{
    vt_json_put_text(writer, "id", product->id);
    vt_json_put_text(writer, "title", product->title);
    vt_json_put_text(writer, "category", product->category);
    vt_json_put_text(writer, "brand", product->brand);
    vt_json_put_number(writer, "price", product->price, -1);
    vt_json_put_text(writer, "currency", product->currency);
    vt_json_put_text(writer, "link", product->link);
}

void vt_put_product_brief(vt_json_writer *writer, const vt_product *product)
{
    put_head(writer, product);
    put_pictures(writer, product, 1);
}

void vt_put_product(vt_json_writer *writer, const vt_product *product)
{
    put_head(writer, product);
    vt_json_put_text(writer, "description", product->description);
    vt_json_open_object(writer, "attributes");
    for (size_t i = 0; i < product->attribute_count; i++)
        put_attribute(writer, &product->attributes[i]);
    vt_json_close(writer);
    put_pictures(writer, product, product->picture_count);
    vt_json_put_int(writer, "change", (int64_t)product->change);
}

static void put_facet(vt_json_writer *writer, const vt_facet *facet)
{
    vt_json_open_object(writer, NULL);
    vt_json_put_text(writer, "name", facet->name);
    vt_json_open_array(writer, "values");
    for (size_t i = 0; i < facet->count; i++) {
        const vt_facet_value *value = &facet->values[i];
        vt_json_open_object(writer, NULL);
        if (value->text != NULL)
            vt_json_put_text(writer, "value", value->text);
        else
            vt_json_put_number(writer, "value", value->number, -1);
        vt_json_put_int(writer, "products", (int64_t)value->products);
        vt_json_close(writer);
    }
    vt_json_close(writer);
    vt_json_put_int(writer, "distinct", (int64_t)facet->distinct);
    vt_json_put_int(writer, "products", (int64_t)facet->products);
    if (!isnan(facet->minimum)) {
        vt_json_put_number(writer, "minimum", facet->minimum, -1);
        vt_json_put_number(writer, "maximum", facet->maximum, -1);
    }
    vt_json_close(writer);
}

void vt_put_facets(vt_json_writer *writer, const vt_facet *facets, size_t count)
{
    vt_json_open_array(writer, "facets");
    for (size_t i = 0; i < count; i++)
        put_facet(writer, &facets[i]);
    vt_json_close(writer);
}
