/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The content hash of a product: BLAKE2b over everything that an import puts in the store, each
 * part with its length, so that no two products spell the same stream. Pictures go in by the hash
 * of their bytes: a picture that was replaced under its old name changes the product, a picture
 * that cannot be read counts as missing until it can.
 *
 * Bump CONTENT_VERSION whenever the same row should be imported anew.
 */
#include "ingest/job.h"

#include <math.h>
#include <string.h>

static const char CONTENT_VERSION[] = "vitrine product 1";

static void content_add_number(vt_hasher *hasher, double number)
{
    uint64_t bits;
    double canonical = isnan(number) ? NAN : number + 0.0; /* -0 is 0, every NaN is one NaN */
    memcpy(&bits, &canonical, sizeof bits);
    uint8_t bytes[8];
    for (int i = 0; i < 8; i++)
        bytes[i] = (uint8_t)(bits >> (8 * i));
    vt_hasher_add(hasher, bytes, sizeof bytes);
}

static void content_add_attribute(vt_hasher *hasher, const vt_attribute *attribute)
{
    vt_hasher_add_text(hasher, attribute->name);
    content_add_number(hasher, (double)attribute->kind);
    if (attribute->kind == VT_ATTRIBUTE_NUMBER)
        content_add_number(hasher, attribute->number);
    if (attribute->kind == VT_ATTRIBUTE_TEXT)
        vt_hasher_add_text(hasher, attribute->text);
    if (attribute->kind != VT_ATTRIBUTE_LIST)
        return;
    content_add_number(hasher, (double)attribute->item_count);
    for (size_t i = 0; i < attribute->item_count; i++)
        vt_hasher_add_text(hasher, attribute->items[i]);
}

vt_hash vt_content_of(const vt_feed_row *row, const vt_hash *const *hashes)
{
    const vt_product *product = &row->product;
    vt_hasher hasher;
    vt_hasher_init(&hasher);
    vt_hasher_add_text(&hasher, CONTENT_VERSION);
    vt_hasher_add_text(&hasher, product->id);
    vt_hasher_add_text(&hasher, product->title);
    vt_hasher_add_text(&hasher, product->description);
    vt_hasher_add_text(&hasher, product->category);
    vt_hasher_add_text(&hasher, product->brand);
    vt_hasher_add_text(&hasher, product->link);
    content_add_number(&hasher, product->price);
    vt_hasher_add_text(&hasher, product->currency);
    content_add_number(&hasher, (double)product->attribute_count);
    for (size_t i = 0; i < product->attribute_count; i++)
        content_add_attribute(&hasher, &product->attributes[i]);
    content_add_number(&hasher, (double)row->image_count);
    for (size_t i = 0; i < row->image_count; i++) {
        vt_hasher_add_text(&hasher, row->images[i]);
        vt_hasher_add_text(&hasher, hashes[i] ? "read" : NULL);
        if (hashes[i])
            vt_hasher_add(&hasher, hashes[i]->bytes, sizeof hashes[i]->bytes);
    }
    vt_hash content = vt_hasher_finish(&hasher);
    vt_content_mark(&content, false);
    return content;
}

void vt_content_mark(vt_hash *content, bool incomplete)
{
    uint8_t *last = &content->bytes[VT_HASH_BYTES - 1];
    *last = (uint8_t)((*last & 0xfe) | (incomplete ? 1 : 0));
}

bool vt_content_is_marked(const vt_hash *content)
{
    return content->bytes[VT_HASH_BYTES - 1] & 1;
}

bool vt_content_equal(const vt_hash *a, const vt_hash *b)
{
    return memcmp(a->bytes, b->bytes, VT_HASH_BYTES - 1) == 0 &&
           a->bytes[VT_HASH_BYTES - 1] >> 1 == b->bytes[VT_HASH_BYTES - 1] >> 1;
}
