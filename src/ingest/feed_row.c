/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Columns and the building of rows: the names of Google's product data specification (id, title,
 * image_link ...) plus category, brand and currency; whatever else a feed has becomes an attribute.
 *
 * Departures from that specification: a picture may be a path, a price may use a decimal comma, and
 * nothing but an id and one picture is required.
 */
#include "ingest/feed_row.h"

#include "base/buf.h"

#include <math.h>
#include <string.h>

/* ---- columns ---- */

static const char *const column_names[] = {
    [VT_COLUMN_ID] = "id",
    [VT_COLUMN_TITLE] = "title",
    [VT_COLUMN_DESCRIPTION] = "description",
    [VT_COLUMN_CATEGORY] = "category",
    [VT_COLUMN_BRAND] = "brand",
    [VT_COLUMN_PRICE] = "price",
    [VT_COLUMN_CURRENCY] = "currency",
    [VT_COLUMN_LINK] = "link",
    [VT_COLUMN_IMAGE] = "image_link",
    [VT_COLUMN_MORE_IMAGES] = "additional_image_link",
    [VT_COLUMN_PRODUCT_TYPE] = "product_type",
    [VT_COLUMN_GOOGLE_CATEGORY] = "google_product_category",
};

static bool column_name_equal(const char *given, const char *name)
{
    for (; *given && *name; given++, name++) {
        char c = *given;
        if (c >= 'A' && c <= 'Z')
            c = (char)(c - 'A' + 'a');
        if (c == ' ' || c == '-')
            c = '_';
        if (c != *name)
            return false;
    }
    return *given == *name;
}

vt_column vt_column_from_name(const char *name)
{
    if ((name[0] == 'g' || name[0] == 'G') && name[1] == ':')
        name += 2;
    if (*name == '\0')
        return VT_COLUMN_NONE;
    for (size_t i = 0; i < sizeof column_names / sizeof *column_names; i++)
        if (column_name_equal(name, column_names[i]))
            return (vt_column)i;
    return VT_COLUMN_ATTRIBUTE;
}

const char *vt_column_name(vt_column column)
{
    return column < VT_COLUMN_ATTRIBUTE ? column_names[column] : "";
}

void vt_columns_resolve(vt_column *columns, size_t count)
{
    vt_column best = VT_COLUMN_ATTRIBUTE;
    for (size_t i = 0; i < count; i++) {
        vt_column c = columns[i];
        if (c == VT_COLUMN_CATEGORY ||
            (c == VT_COLUMN_PRODUCT_TYPE && best != VT_COLUMN_CATEGORY) ||
            (c == VT_COLUMN_GOOGLE_CATEGORY && best == VT_COLUMN_ATTRIBUTE))
            best = c;
    }
    for (size_t i = 0; i < count; i++) {
        vt_column c = columns[i];
        if (c == VT_COLUMN_PRODUCT_TYPE || c == VT_COLUMN_GOOGLE_CATEGORY)
            columns[i] = c == best ? VT_COLUMN_CATEGORY : VT_COLUMN_ATTRIBUTE;
    }
}

/* ---- rows ---- */

int vt_text_clip(const char *text, int maximum)
{
    int length = (int)strnlen(text, (size_t)maximum + 1);
    if (length <= maximum)
        return length;
    length = maximum;
    while (length > 0 && ((unsigned char)text[length] & 0xC0) == 0x80)
        length--;
    return length;
}

void vt_row_begin(vt_row_builder *builder, vt_feed_row *row)
{
    vt_arena *arena = row->arena;
    uint64_t line = row->line;
    *row = (vt_feed_row){.arena = arena, .line = line, .product = {.price = NAN}};
    *builder = (vt_row_builder){.row = row};
}

static vt_status row_no_memory(vt_error *error)
{
    return vt_fail_memory(error, "a feed row");
}

vt_status vt_row_set_text(vt_row_builder *builder, vt_column column, const char *text,
                          vt_error *error)
{
    vt_product *product = &builder->row->product;
    const char **field = NULL;
    switch (column) {
    case VT_COLUMN_ID:
        if (strlen(text) > VT_FEED_ID_BYTES)
            return vt_fail(error, VT_ERR_LIMIT, "id \"%.*s...\" is longer than %d bytes",
                           vt_text_clip(text, 40), text, VT_FEED_ID_BYTES);
        for (const char *c = text; *c; c++)
            if ((unsigned char)*c < 0x20 || *c == 0x7f)
                return vt_fail(error, VT_ERR_FORMAT, "id holds a control character");
        field = &product->id;
        break;
    case VT_COLUMN_TITLE:
        field = &product->title;
        break;
    case VT_COLUMN_DESCRIPTION:
        field = &product->description;
        break;
    case VT_COLUMN_CATEGORY:
        field = &product->category;
        break;
    case VT_COLUMN_BRAND:
        field = &product->brand;
        break;
    case VT_COLUMN_LINK:
        field = &product->link;
        break;
    case VT_COLUMN_PRICE:
        field = &builder->price;
        break;
    case VT_COLUMN_CURRENCY:
        field = &builder->currency;
        break;
    default:
        return vt_fail(error, VT_ERR_INTERNAL, "set column %d: not a column of one text",
                       (int)column);
    }
    *field = *text ? text : NULL;
    return VT_OK;
}

vt_status vt_row_set_price(vt_row_builder *builder, double price, vt_error *error)
{
    if (!isfinite(price) || price < 0)
        return vt_fail(error, VT_ERR_FORMAT, "price %g is not a price", price);
    builder->row->product.price = price;
    return VT_OK;
}

vt_status vt_row_add_image(vt_row_builder *builder, const char *reference, vt_error *error)
{
    vt_feed_row *row = builder->row;
    if (*reference == '\0')
        return VT_OK;
    /* Feeds often name the main picture among the additional ones again. */
    for (size_t i = 0; i < row->image_count; i++)
        if (strcmp(row->images[i], reference) == 0)
            return VT_OK;
    if (row->image_count == VT_FEED_IMAGES)
        return vt_fail(error, VT_ERR_LIMIT, "product has more than %d pictures", VT_FEED_IMAGES);
    if (row->image_count == builder->image_capacity) {
        size_t capacity = builder->image_capacity ? builder->image_capacity * 2 : 8;
        const char **images = vt_arena_array(row->arena, capacity, sizeof *images);
        if (!images)
            return row_no_memory(error);
        if (row->image_count > 0)
            memcpy(images, row->images, row->image_count * sizeof *images);
        row->images = images;
        builder->image_capacity = capacity;
    }
    row->images[row->image_count++] = reference;
    return VT_OK;
}

/* Cuts `text` at the next `separator`: terminates the trimmed piece and hands it out, moves *rest
 * behind the separator (NULL at the end). */
static char *row_cut(char **rest, char separator)
{
    const char *piece = *rest;
    char *end = strchr(*rest, separator);
    size_t length = end ? (size_t)(end - piece) : strlen(piece);
    *rest = end ? end + 1 : NULL;
    length = vt_text_trim(&piece, length);
    char *out = (char *)piece;
    out[length] = '\0';
    return out;
}

vt_status vt_row_add_image_list(vt_row_builder *builder, char *text, vt_error *error)
{
    for (char *rest = text; rest;) {
        vt_status status = vt_row_add_image(builder, row_cut(&rest, ','), error);
        if (status != VT_OK)
            return status;
    }
    return VT_OK;
}

static vt_attribute *row_add_attribute(vt_row_builder *builder, const char *name,
                                       vt_attribute_kind kind)
{
    vt_product *product = &builder->row->product;
    if (product->attribute_count == builder->attribute_capacity) {
        size_t capacity = builder->attribute_capacity ? builder->attribute_capacity * 2 : 8;
        vt_attribute *grown =
            vt_arena_array(builder->row->arena, capacity, sizeof *builder->attributes);
        if (!grown)
            return NULL;
        if (product->attribute_count > 0)
            memcpy(grown, builder->attributes, product->attribute_count * sizeof *grown);
        builder->attributes = grown;
        product->attributes = grown;
        builder->attribute_capacity = capacity;
    }
    vt_attribute *attribute = &builder->attributes[product->attribute_count];
    *attribute = (vt_attribute){.name = vt_arena_strdup(builder->row->arena, name), .kind = kind};
    if (!attribute->name)
        return NULL;
    product->attribute_count++;
    return attribute;
}

vt_status vt_row_add_text(vt_row_builder *builder, const char *name, const char *text,
                          vt_error *error)
{
    if (*text == '\0')
        return VT_OK;
    vt_attribute *attribute = row_add_attribute(builder, name, VT_ATTRIBUTE_TEXT);
    if (!attribute)
        return row_no_memory(error);
    attribute->text = text;
    return VT_OK;
}

vt_status vt_row_add_number(vt_row_builder *builder, const char *name, double number,
                            vt_error *error)
{
    vt_attribute *attribute = row_add_attribute(builder, name, VT_ATTRIBUTE_NUMBER);
    if (!attribute)
        return row_no_memory(error);
    attribute->number = number;
    return VT_OK;
}

vt_status vt_row_add_list(vt_row_builder *builder, const char *name, const char *const *items,
                          size_t count, vt_error *error)
{
    if (count == 0)
        return VT_OK;
    if (count > VT_FEED_ITEMS - builder->item_total)
        return vt_fail(error, VT_ERR_LIMIT, "product has more than %d list items", VT_FEED_ITEMS);
    vt_attribute *attribute = row_add_attribute(builder, name, VT_ATTRIBUTE_LIST);
    if (!attribute)
        return row_no_memory(error);
    builder->item_total += count;
    attribute->items = items;
    attribute->item_count = count;
    return VT_OK;
}

/* A number that loses nothing as one: "007", "1E5" and numbers of more than 15 digits are codes. */
static bool cell_number(const char *text, double *number)
{
    const char *digits = *text == '-' ? text + 1 : text;
    size_t significant = 0;
    if (digits[0] == '0' && digits[1] >= '0' && digits[1] <= '9')
        return false;
    for (const char *c = digits; *c; c++) {
        if (*c != '.' && (*c < '0' || *c > '9'))
            return false;
        significant += *c != '.';
    }
    return significant <= 15 && vt_parse_double(text, strlen(text), number);
}

static vt_status row_add_cell_list(vt_row_builder *builder, const char *name, char *text,
                                   vt_error *error)
{
    size_t most = 1, count = 0;
    for (const char *c = text; *c; c++)
        most += *c == '|';
    if (most > VT_FEED_ITEMS)
        return vt_fail(error, VT_ERR_LIMIT, "product has more than %d list items", VT_FEED_ITEMS);
    const char **items = vt_arena_array(builder->row->arena, most, sizeof *items);
    if (!items)
        return row_no_memory(error);
    for (char *rest = text; rest;) {
        const char *item = row_cut(&rest, '|');
        if (*item)
            items[count++] = item;
    }
    return vt_row_add_list(builder, name, items, count, error);
}

vt_status vt_row_add_cell(vt_row_builder *builder, const char *name, char *text, vt_error *error)
{
    double number;
    if (cell_number(text, &number))
        return vt_row_add_number(builder, name, number, error);
    if (strchr(text, '|'))
        return row_add_cell_list(builder, name, text, error);
    return vt_row_add_text(builder, name, text, error);
}

vt_status vt_row_finish(vt_row_builder *builder, vt_error *error)
{
    vt_feed_row *row = builder->row;
    vt_product *product = &row->product;
    char currency[4] = "", named[4] = "";
    if (!product->id)
        return vt_fail(error, VT_ERR_FORMAT, "id is empty");
    if (row->image_count == 0)
        return vt_fail(error, VT_ERR_FORMAT, "product \"%s\" has no picture: image_link is empty",
                       product->id);
    if (builder->price && !vt_price_parse(builder->price, &product->price, currency))
        return vt_fail(error, VT_ERR_FORMAT, "price \"%.*s\" is not a price",
                       vt_text_clip(builder->price, 60), builder->price);
    if (builder->currency && !vt_currency_parse(builder->currency, named))
        return vt_fail(error, VT_ERR_FORMAT, "currency \"%.*s\" is not a three-letter code",
                       vt_text_clip(builder->currency, 60), builder->currency);
    const char *code = currency[0] ? currency : named;
    if (!code[0] || isnan(product->price))
        return VT_OK;
    product->currency = vt_arena_strdup(row->arena, code);
    return product->currency ? VT_OK : row_no_memory(error);
}
