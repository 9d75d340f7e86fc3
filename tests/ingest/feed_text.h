/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A feed's rows as plain lines, so that a test can say in one string what it expects:
 *
 *     2 M-1 "title" category="Mugs" price=12.9 EUR [a.jpg, b.jpg] colour="red" sizes={S,M}
 *     3 format M-2: line 3: row has 4 fields, the header 3
 */
#ifndef VT_TESTS_INGEST_FEED_TEXT_H
#define VT_TESTS_INGEST_FEED_TEXT_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/buf.h"
#include "ingest/feed.h"

#include <inttypes.h>
#include <math.h>
#include <string.h>

static inline const char *feed_text_status(vt_status status)
{
    switch (status) {
    case VT_ERR_FORMAT:
        return "format";
    case VT_ERR_LIMIT:
        return "limit";
    case VT_ERR_UNSUPPORTED:
        return "unsupported";
    case VT_ERR_DENIED:
        return "denied";
    default:
        return vt_status_text(status);
    }
}

static inline void feed_text_field(vt_buf *out, const char *name, const char *text)
{
    if (text)
        vt_buf_printf(out, " %s=\"%s\"", name, text);
}

static inline void feed_text_row(vt_buf *out, const vt_feed_row *row)
{
    const vt_product *product = &row->product;
    vt_buf_printf(out, "%" PRIu64 " %s", row->line, product->id);
    if (product->title)
        vt_buf_printf(out, " \"%s\"", product->title);
    feed_text_field(out, "description", product->description);
    feed_text_field(out, "category", product->category);
    feed_text_field(out, "brand", product->brand);
    feed_text_field(out, "link", product->link);
    if (!isnan(product->price))
        vt_buf_printf(out, " price=%.10g%s%s", product->price, product->currency ? " " : "",
                      product->currency ? product->currency : "");
    vt_buf_append_text(out, " [");
    for (size_t i = 0; i < row->image_count; i++)
        vt_buf_printf(out, "%s%s", i > 0 ? ", " : "", row->images[i]);
    vt_buf_append_text(out, "]");
    for (size_t i = 0; i < product->attribute_count; i++) {
        const vt_attribute *attribute = &product->attributes[i];
        vt_buf_printf(out, " %s=", attribute->name);
        if (attribute->kind == VT_ATTRIBUTE_NUMBER)
            vt_buf_printf(out, "%.15g", attribute->number);
        else if (attribute->kind == VT_ATTRIBUTE_TEXT)
            vt_buf_printf(out, "\"%s\"", attribute->text);
        for (size_t j = 0; attribute->kind == VT_ATTRIBUTE_LIST && j < attribute->item_count; j++)
            vt_buf_printf(out, "%s%s", j > 0 ? "," : "{", attribute->items[j]);
        if (attribute->kind == VT_ATTRIBUTE_LIST)
            vt_buf_append_text(out, "}");
    }
    vt_buf_append_text(out, "\n");
}

/* Every row of the feed. Fails the test on an error that is not of one row. */
static inline void feed_text_all(vt_buf *out, vt_feed *feed)
{
    vt_arena arena;
    vt_arena_init(&arena, VT_FEED_ARENA_BYTES);
    for (;;) {
        vt_error error;
        vt_feed_row row = {.arena = &arena};
        vt_arena_reset(&arena);
        vt_status status = vt_feed_next(feed, &row, &error);
        if (status != VT_OK) {
            assert_int_equal(status, error.status);
            assert_true(vt_feed_status_is_of_row(status));
            vt_buf_printf(out, "%" PRIu64 " %s %s: %s\n", row.line, feed_text_status(status),
                          row.product.id ? row.product.id : "?", error.message);
            continue;
        }
        if (!row.product.id)
            break;
        feed_text_row(out, &row);
    }
    vt_arena_deinit(&arena);
}

/* The rows of `length` bytes; the caller frees with vt_free. */
static inline char *feed_text_of_bytes(const char *kind, const char *bytes, size_t length)
{
    vt_error error = {0};
    vt_feed *feed;
    vt_buf out;
    /* A copy of the exact size, so that the sanitizer sees a read past the end. */
    char *copy = vt_alloc(length);
    assert_non_null(copy);
    memcpy(copy, bytes, length);
    vt_buf_init(&out, 64 << 20);
    vt_buf_append_text(&out, "");
    vt_status status = vt_feed_open_bytes(kind, copy, length, &feed, &error);
    if (status == VT_OK) {
        feed_text_all(&out, feed);
        vt_feed_close(feed);
    } else {
        assert_int_equal(status, error.status);
        vt_buf_printf(&out, "%s: %s\n", feed_text_status(status), error.message);
    }
    vt_free(copy);
    char *text = vt_strdup(vt_buf_text(&out));
    vt_buf_deinit(&out);
    assert_non_null(text);
    return text;
}

#define assert_feed(kind, bytes, expected)                                                         \
    do {                                                                                           \
        char *feed_text = feed_text_of_bytes(kind, bytes, sizeof(bytes) - 1);                      \
        assert_string_equal(feed_text, expected);                                                  \
        vt_free(feed_text);                                                                        \
    } while (0)

#endif
