/* SPDX-License-Identifier: Apache-2.0 */
/* What the two feed targets share: reading a feed to its end and checking what comes out. */
#ifndef VT_FUZZ_FUZZ_FEED_H
#define VT_FUZZ_FUZZ_FEED_H

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "ingest/feed.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length);

static void check(bool holds)
{
    if (!holds)
        abort(); /* how a target tells the fuzzer about a wrong answer */
}

static void check_text(const char *text)
{
    check(!text || (*text != '\0' && vt_utf8_valid(text, strlen(text))));
}

static void check_row(const vt_feed_row *row)
{
    const vt_product *product = &row->product;
    check(product->id && strlen(product->id) <= VT_FEED_ID_BYTES);
    check(row->image_count > 0 && row->image_count <= VT_FEED_IMAGES);
    check(isnan(product->price) || (isfinite(product->price) && product->price >= 0));
    check(!product->currency || strlen(product->currency) == 3);
    const char *texts[] = {product->id,       product->title, product->description,
                           product->category, product->brand, product->link};
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
        check_text(texts[i]);
    for (size_t i = 0; i < row->image_count; i++)
        check_text(row->images[i]);
    for (size_t i = 0; i < product->attribute_count; i++) {
        const vt_attribute *attribute = &product->attributes[i];
        check(attribute->name != NULL);
        check(attribute->kind != VT_ATTRIBUTE_NUMBER || isfinite(attribute->number));
        check(attribute->kind != VT_ATTRIBUTE_TEXT || attribute->text != NULL);
        check(attribute->kind != VT_ATTRIBUTE_LIST || attribute->item_count > 0);
        for (size_t j = 0; attribute->kind == VT_ATTRIBUTE_LIST && j < attribute->item_count; j++)
            check_text(attribute->items[j]);
    }
}

static void fuzz_feed(const char *kind, const uint8_t *bytes, size_t length)
{
    vt_feed *feed;
    vt_error error = {0};
    vt_arena arena;
    uint64_t last_line = 0;
    if (vt_feed_open_bytes(kind, bytes, length, &feed, &error) != VT_OK) {
        check(error.status != VT_OK && error.message[0] != '\0');
        return;
    }
    vt_arena_init(&arena, VT_FEED_ARENA_BYTES);
    for (;;) {
        vt_feed_row row = {.arena = &arena};
        vt_arena_reset(&arena);
        vt_status status = vt_feed_next(feed, &row, &error);
        check(status == VT_OK || vt_feed_status_is_of_row(status));
        if (status == VT_OK && !row.product.id)
            break;
        check(row.line > last_line && row.line <= length + 1);
        last_line = row.line;
        if (status == VT_OK)
            check_row(&row);
        else
            check(error.status == status && error.message[0] != '\0' &&
                  vt_utf8_valid(error.message, strlen(error.message)));
    }
    check(vt_feed_position(feed) >= 0 && vt_feed_position(feed) <= 1);
    vt_feed_close(feed);
    vt_arena_deinit(&arena);
}

#endif
