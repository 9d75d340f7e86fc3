/* SPDX-License-Identifier: Apache-2.0 */
/*
 * From named texts to a product row: which column a header name means, and what the text of each
 * column becomes. CSV and JSON Lines both build their rows with this, so both obey the same rules.
 *
 *     vt_row_builder builder;
 *     vt_row_begin(&builder, row);
 *     vt_row_set_text(&builder, VT_COLUMN_ID, "M-1", error);
 *     vt_row_add_image(&builder, "m1.jpg", error);
 *     vt_row_finish(&builder, error);
 *
 * Texts that are passed must live in the row's arena (or longer than it) and be valid UTF-8.
 * Threads: a builder belongs to one thread.
 */
#ifndef VT_INGEST_FEED_ROW_H
#define VT_INGEST_FEED_ROW_H

#include "ingest/feed.h"

typedef enum vt_column {
    VT_COLUMN_ID,
    VT_COLUMN_TITLE,
    VT_COLUMN_DESCRIPTION,
    VT_COLUMN_CATEGORY,
    VT_COLUMN_BRAND,
    VT_COLUMN_PRICE,
    VT_COLUMN_CURRENCY,
    VT_COLUMN_LINK,
    VT_COLUMN_IMAGE,
    VT_COLUMN_MORE_IMAGES,
    VT_COLUMN_PRODUCT_TYPE,    /* stands in for a missing category, otherwise an attribute */
    VT_COLUMN_GOOGLE_CATEGORY, /* the same, after product_type */
    VT_COLUMN_ATTRIBUTE,
    VT_COLUMN_NONE, /* an empty name: the column is skipped */
} vt_column;

/* Case does not matter, spaces and hyphens count as underscores, a leading "g:" is dropped. */
vt_column vt_column_from_name(const char *name);
const char *vt_column_name(vt_column column); /* static text; "" for attributes */
/* Settles which of the columns is the category, and makes the stand-ins that are not attributes. */
void vt_columns_resolve(vt_column *columns, size_t count);

typedef struct vt_row_builder {
    vt_feed_row *row; /* borrowed */
    vt_attribute *attributes;
    size_t attribute_capacity, image_capacity;
    size_t item_total;
    const char *price; /* as it stands in the feed; NULL: none */
    const char *currency;
} vt_row_builder;

void vt_row_begin(vt_row_builder *builder, vt_feed_row *row); /* arena and line must be set */
/* For the columns up to VT_COLUMN_LINK. An empty text means none. */
vt_status vt_row_set_text(vt_row_builder *builder, vt_column column, const char *text,
                          vt_error *error);
vt_status vt_row_set_price(vt_row_builder *builder, double price, vt_error *error);
vt_status vt_row_add_image(vt_row_builder *builder, const char *reference, vt_error *error);
/* The text is cut at its commas, in place. */
vt_status vt_row_add_image_list(vt_row_builder *builder, char *text, vt_error *error);
/* A table's cell: number, list (cut at '|', in place), text, or nothing when empty. */
vt_status vt_row_add_cell(vt_row_builder *builder, const char *name, char *text, vt_error *error);
vt_status vt_row_add_text(vt_row_builder *builder, const char *name, const char *text,
                          vt_error *error);
vt_status vt_row_add_number(vt_row_builder *builder, const char *name, double number,
                            vt_error *error);
/* `items` must live in the row's arena too. */
vt_status vt_row_add_list(vt_row_builder *builder, const char *name, const char *const *items,
                          size_t count, vt_error *error);
/* Settles price and currency; the row must have an id and a picture. */
vt_status vt_row_finish(vt_row_builder *builder, vt_error *error);

/* For "%.*s" in messages: at most `maximum` bytes that end where a character ends. */
int vt_text_clip(const char *text, int maximum);

/* ---- feed_price.c ---- */

/* "12.90", "12,90 EUR", "USD 1,299.00", "€ 5": the amount, and the currency as three letters or ""
 * when the text names none. False when it is no price. */
bool vt_price_parse(const char *text, double *amount, char currency[4]);
bool vt_currency_parse(const char *text, char currency[4]); /* three letters, made upper case */

#endif
