/* SPDX-License-Identifier: Apache-2.0 */
/*
 * JSON: a bounded reader over jansson and a streaming writer into a vt_buf.
 *
 *     vt_json_writer w;                              vt_json *doc;
 *     vt_json_begin(&w, &buf, true);                 vt_json_parse(text, n, 16, &doc, error);
 *     vt_json_open_object(&w, NULL);                 const char *name = vt_json_text(
 *     vt_json_put_text(&w, "title", title);              vt_json_get(doc, "name"), NULL);
 *     vt_json_close(&w);                             vt_json_free(doc);
 *
 * Threads: a writer or document belongs to one thread at a time.
 */
#ifndef VT_BASE_JSON_H
#define VT_BASE_JSON_H

#include "base/buf.h"
#include "base/status.h"

/* ---- reading ---- */
typedef struct vt_json vt_json; /* a document or a value inside one */
typedef enum vt_json_kind {
    VT_JSON_NULL,
    VT_JSON_BOOL,
    VT_JSON_NUMBER,
    VT_JSON_TEXT,
    VT_JSON_ARRAY,
    VT_JSON_OBJECT
} vt_json_kind;

/* Parses one whole document: strict, valid UTF-8, no duplicate keys, at most depth_limit deep.
 * On success *out is the caller's. */
vt_status vt_json_parse(const char *text, size_t length, int depth_limit, vt_json **out,
                        vt_error *error);
void vt_json_free(vt_json *document); /* only what vt_json_parse handed out; NULL is fine */
vt_json_kind vt_json_kind_of(const vt_json *value); /* NULL counts as VT_JSON_NULL */
/* Borrowed, NULL when absent or `value` is no object (array); chains are safe. */
const vt_json *vt_json_get(const vt_json *value, const char *key);
const vt_json *vt_json_at(const vt_json *value, size_t index);
size_t vt_json_count(const vt_json *value); /* of an array or object, else 0 */
const char *vt_json_key_at(const vt_json *value, size_t index,
                           const vt_json **member); /* objects in document order */
const char *vt_json_text(const vt_json *value, const char *fallback); /* borrowed */
double vt_json_number(const vt_json *value, double fallback);
bool vt_json_bool(const vt_json *value, bool fallback);

/* ---- writing ---- */
typedef struct vt_json_writer {
    vt_buf *out; /* borrowed; look at out->failed when done */
    bool pretty; /* two-space indents and line breaks */
    int depth;
    bool first[64]; /* per depth: nothing written yet */
    char closer[64];
} vt_json_writer;

void vt_json_begin(vt_json_writer *writer, vt_buf *out, bool pretty);
/* `key` is NULL inside arrays and at the top, a name inside objects. */
void vt_json_open_object(vt_json_writer *writer, const char *key);
void vt_json_open_array(vt_json_writer *writer, const char *key);
void vt_json_close(vt_json_writer *writer); /* the innermost object or array */
void vt_json_put_text(vt_json_writer *writer, const char *key, const char *text); /* NULL: null */
void vt_json_put_int(vt_json_writer *writer, const char *key, int64_t value);
void vt_json_put_number(vt_json_writer *writer, const char *key, double value,
                        int decimals); /* NaN/inf:
null; decimals < 0: shortest that reads back the same */
void vt_json_put_bool(vt_json_writer *writer, const char *key, bool value);
void vt_json_put_null(vt_json_writer *writer, const char *key);

#endif
