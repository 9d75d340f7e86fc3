/* SPDX-License-Identifier: Apache-2.0 */
/*
 * JSON Lines: one object per line, the keys of feed_row.c.
 *
 * Method: a line is found in a sliding window, parsed strictly (valid UTF-8, no key twice), and its
 * members are copied into the row. A line that is broken or too long is rejected by itself. Texts
 * stay texts here, since JSON can say what is a number and what is a list; nested objects have no
 * meaning in a product and reject the line.
 */
#include "ingest/feed_row.h"

#include "base/buf.h"
#include "base/json.h"

#include <inttypes.h>
#include <math.h>
#include <string.h>

enum { JSONL_DEPTH = 4, JSONL_ARRAY_ITEMS = VT_FEED_ITEMS };

typedef struct jsonl_feed {
    vt_feed feed;
    vt_window window;
    uint64_t line; /* of the window's first byte, from 1 */
} jsonl_feed;

/* ---- values ---- */

/* A text or a number as text, in the arena, trimmed. */
static vt_status jsonl_text(const vt_json *value, const char *key, vt_arena *arena, char **out,
                            vt_error *error)
{
    const char *text = "";
    vt_buf number;
    vt_buf_init(&number, 64);
    switch (vt_json_kind_of(value)) {
    case VT_JSON_NULL:
        break;
    case VT_JSON_TEXT:
        text = vt_json_text(value, "");
        break;
    case VT_JSON_NUMBER: {
        vt_json_writer writer;
        if (fabs(vt_json_number(value, NAN)) >= 9007199254740992.0)
            return vt_fail(error, VT_ERR_FORMAT,
                           "\"%.*s\" is a number too large to be exact: write it as text",
                           vt_text_clip(key, 60), key);
        vt_json_begin(&writer, &number, false);
        vt_json_put_number(&writer, NULL, vt_json_number(value, 0), -1);
        text = vt_buf_text(&number);
        break;
    }
    case VT_JSON_BOOL:
        text = vt_json_bool(value, false) ? "true" : "false";
        break;
    default:
        return vt_fail(error, VT_ERR_FORMAT, "\"%.*s\" is not a text", vt_text_clip(key, 60), key);
    }
    size_t length = vt_text_trim(&text, strlen(text));
    char *copy = number.failed ? NULL : vt_arena_strndup(arena, text, length);
    vt_buf_deinit(&number);
    if (!copy)
        return vt_fail_memory(error, "a feed row");
    *out = copy;
    return VT_OK;
}

static vt_status jsonl_add_images(vt_row_builder *builder, const vt_json *value, const char *key,
                                  bool may_be_list, vt_error *error)
{
    char *text;
    bool array = vt_json_kind_of(value) == VT_JSON_ARRAY;
    size_t count = array ? vt_json_count(value) : 1;
    if (count > JSONL_ARRAY_ITEMS)
        return vt_fail(error, VT_ERR_LIMIT, "\"%s\" has more than %d items", key,
                       JSONL_ARRAY_ITEMS);
    for (size_t i = 0; i < count; i++) {
        const vt_json *item = array ? vt_json_at(value, i) : value;
        vt_json_kind kind = vt_json_kind_of(item);
        if (kind != VT_JSON_TEXT && kind != VT_JSON_NULL)
            return vt_fail(error, VT_ERR_FORMAT, "\"%s\" is not a text or a list of texts", key);
        vt_status status = jsonl_text(item, key, builder->row->arena, &text, error);
        if (status == VT_OK)
            status = may_be_list && !array ? vt_row_add_image_list(builder, text, error)
                                           : vt_row_add_image(builder, text, error);
        if (status != VT_OK)
            return status;
    }
    return VT_OK;
}

static vt_status jsonl_add_list(vt_row_builder *builder, const char *key, const vt_json *value,
                                vt_error *error)
{
    size_t count = vt_json_count(value), used = 0;
    if (count > JSONL_ARRAY_ITEMS)
        return vt_fail(error, VT_ERR_LIMIT, "\"%.*s\" has more than %d items",
                       vt_text_clip(key, 60), key, JSONL_ARRAY_ITEMS);
    const char **items = vt_arena_array(builder->row->arena, count ? count : 1, sizeof *items);
    if (!items)
        return vt_fail_memory(error, "a feed row");
    for (size_t i = 0; i < count; i++) {
        char *text;
        vt_status status = jsonl_text(vt_json_at(value, i), key, builder->row->arena, &text, error);
        if (status != VT_OK)
            return status;
        if (*text)
            items[used++] = text;
    }
    return vt_row_add_list(builder, key, items, used, error);
}

static vt_status jsonl_add_attribute(vt_row_builder *builder, const char *key, const vt_json *value,
                                     vt_error *error)
{
    char *text;
    switch (vt_json_kind_of(value)) {
    case VT_JSON_NULL:
        return VT_OK;
    case VT_JSON_NUMBER:
        if (!isfinite(vt_json_number(value, NAN)))
            return vt_fail(error, VT_ERR_FORMAT, "\"%.*s\" is not a finite number",
                           vt_text_clip(key, 60), key);
        return vt_row_add_number(builder, key, vt_json_number(value, 0), error);
    case VT_JSON_ARRAY:
        return jsonl_add_list(builder, key, value, error);
    case VT_JSON_OBJECT:
        return vt_fail(error, VT_ERR_FORMAT, "\"%.*s\" is an object: attributes are flat",
                       vt_text_clip(key, 60), key);
    default: {
        vt_status status = jsonl_text(value, key, builder->row->arena, &text, error);
        return status == VT_OK ? vt_row_add_text(builder, key, text, error) : status;
    }
    }
}

/* ---- one line ---- */

static vt_status jsonl_add_member(vt_row_builder *builder, vt_column column, const char *key,
                                  const vt_json *value, vt_error *error)
{
    char *text;
    switch (column) {
    case VT_COLUMN_NONE:
        return VT_OK;
    case VT_COLUMN_ATTRIBUTE:
        return jsonl_add_attribute(builder, key, value, error);
    case VT_COLUMN_IMAGE:
        return jsonl_add_images(builder, value, key, false, error);
    case VT_COLUMN_MORE_IMAGES:
        return jsonl_add_images(builder, value, key, true, error);
    case VT_COLUMN_PRICE:
        if (vt_json_kind_of(value) == VT_JSON_NUMBER)
            return vt_row_set_price(builder, vt_json_number(value, NAN), error);
        break;
    default:
        break;
    }
    vt_status status = jsonl_text(value, key, builder->row->arena, &text, error);
    return status == VT_OK ? vt_row_set_text(builder, column, text, error) : status;
}

/* id first, so that every later error can name it; additional pictures last. */
static vt_status jsonl_add_members(vt_row_builder *builder, const vt_json *object,
                                   const vt_column *columns, size_t count, vt_error *error)
{
    for (int pass = 0; pass < 3; pass++) {
        for (size_t i = 0; i < count; i++) {
            int when = columns[i] == VT_COLUMN_ID ? 0 : columns[i] == VT_COLUMN_MORE_IMAGES ? 2 : 1;
            const vt_json *value;
            if (when != pass)
                continue;
            const char *key = vt_json_key_at(object, i, &value);
            vt_status status = jsonl_add_member(builder, columns[i], key, value, error);
            if (status != VT_OK)
                return status;
        }
    }
    return VT_OK;
}

static vt_status jsonl_build(const vt_json *object, vt_feed_row *row, vt_error *error)
{
    vt_row_builder builder;
    bool met[VT_COLUMN_NONE + 1] = {false};
    size_t count = vt_json_count(object);
    vt_row_begin(&builder, row);
    if (vt_json_kind_of(object) != VT_JSON_OBJECT)
        return vt_fail(error, VT_ERR_FORMAT, "line is not a JSON object");
    if (count > VT_FEED_COLUMNS)
        return vt_fail(error, VT_ERR_LIMIT, "object has more than %d keys", VT_FEED_COLUMNS);
    vt_column *columns = vt_arena_array(row->arena, count ? count : 1, sizeof *columns);
    if (!columns)
        return vt_fail_memory(error, "a feed row");
    for (size_t i = 0; i < count; i++) {
        const vt_json *value;
        columns[i] = vt_column_from_name(vt_json_key_at(object, i, &value));
        if (columns[i] < VT_COLUMN_ATTRIBUTE && met[columns[i]])
            return vt_fail(error, VT_ERR_FORMAT, "two keys are both the %s",
                           vt_column_name(columns[i]));
        met[columns[i]] = true;
    }
    vt_columns_resolve(columns, count);
    vt_status status = jsonl_add_members(&builder, object, columns, count, error);
    return status == VT_OK ? vt_row_finish(&builder, error) : status;
}

/* Length of the next line without its end; *whole false when it exceeds the limit. */
static vt_status jsonl_find_line(jsonl_feed *jsonl, size_t *length, bool *whole, vt_error *error)
{
    size_t searched = 0;
    bool grew = true;
    for (;;) {
        const uint8_t *bytes = jsonl->window.bytes;
        const uint8_t *end = jsonl->window.length > searched
                                 ? memchr(bytes + searched, '\n', jsonl->window.length - searched)
                                 : NULL;
        *length = end ? (size_t)(end - bytes) : jsonl->window.length;
        *whole = *length <= VT_FEED_LINE_BYTES;
        if (end || !grew || !*whole)
            return VT_OK;
        searched = jsonl->window.length;
        vt_status status = vt_window_more(&jsonl->window, &grew, error);
        if (status != VT_OK)
            return status;
    }
}

/* Skips through the next LF: a lone CR is white space in JSON and ends no line. */
static vt_status jsonl_skip_line(jsonl_feed *jsonl, vt_error *error)
{
    for (;;) {
        vt_window *window = &jsonl->window;
        const uint8_t *end =
            window->length > 0 ? memchr(window->bytes, '\n', window->length) : NULL;
        if (end) {
            vt_window_skip(window, (size_t)(end - window->bytes) + 1);
            return VT_OK;
        }
        bool grew;
        vt_window_skip(window, window->length);
        vt_status status = vt_window_more(window, &grew, error);
        if (status != VT_OK || !grew)
            return status;
    }
}

/* The parser quotes what it stumbled over and may cut a character in two. */
static void jsonl_mend_message(vt_error *error)
{
    if (vt_utf8_valid(error->message, strlen(error->message)))
        return;
    for (char *c = error->message; *c; c++)
        if ((unsigned char)*c >= 0x80)
            *c = '?';
}

/* Parses the line at the front of the window. *blank: there is nothing on it. */
static vt_status jsonl_read_line(jsonl_feed *jsonl, vt_feed_row *row, bool *blank, vt_error *error)
{
    size_t length;
    bool whole;
    vt_status status = jsonl_find_line(jsonl, &length, &whole, error);
    if (status != VT_OK)
        return status;
    if (!whole)
        return vt_fail(error, VT_ERR_LIMIT, "line is longer than %d bytes", VT_FEED_LINE_BYTES);
    const char *text = (const char *)jsonl->window.bytes;
    length = vt_text_trim(&text, length);
    if (length == 0) {
        *blank = true;
        return VT_OK;
    }
    vt_json *document;
    status = vt_json_parse(text, length, JSONL_DEPTH, &document, error);
    if (status != VT_OK) {
        jsonl_mend_message(error);
        return status;
    }
    status = jsonl_build(document, row, error);
    vt_json_free(document);
    return status;
}

static vt_status jsonl_next(vt_feed *feed, vt_feed_row *row, vt_error *error)
{
    jsonl_feed *jsonl = (jsonl_feed *)feed;
    vt_error detail;
    for (;;) {
        vt_row_builder empty;
        bool blank = false;
        row->line = jsonl->line;
        vt_row_begin(&empty, row);
        vt_status status = vt_window_need(&jsonl->window, 1, &detail);
        if (status == VT_OK && jsonl->window.length == 0)
            return VT_OK;
        if (status == VT_OK)
            status = jsonl_read_line(jsonl, row, &blank, &detail);
        if (status == VT_OK || vt_feed_status_is_of_row(status)) {
            vt_error io;
            vt_status skipped = jsonl_skip_line(jsonl, &io);
            jsonl->line++;
            if (skipped != VT_OK) {
                detail = io;
                status = skipped;
            }
        }
        if (status == VT_OK && blank)
            continue;
        if (status != VT_OK) {
            vt_fail_context(&detail, status, "line %" PRIu64, row->line);
            if (error)
                *error = detail;
        }
        return status;
    }
}

/* ---- open and close ---- */

static void jsonl_close(vt_feed *feed)
{
    jsonl_feed *jsonl = (jsonl_feed *)feed;
    vt_window_close(&jsonl->window);
    vt_free(jsonl);
}

static double jsonl_position(const vt_feed *feed)
{
    return vt_window_position(&((const jsonl_feed *)feed)->window);
}

vt_status vt_feed_jsonl_open(vt_window *window, const char *name, vt_feed **out, vt_error *error)
{
    jsonl_feed *jsonl = vt_calloc(1, sizeof *jsonl);
    (void)name;
    if (!jsonl) {
        vt_window_close(window);
        return vt_fail_memory(error, "a feed");
    }
    jsonl->feed = (vt_feed){.next = jsonl_next, .close = jsonl_close, .position = jsonl_position};
    jsonl->window = *window;
    jsonl->line = 1;
    *out = &jsonl->feed;
    return VT_OK;
}
