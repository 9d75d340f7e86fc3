/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Requests drawn at random from web/openapi.json: most of them nearly right, so that they get far.
 *
 *     drawer d;
 *     drawer_init(&d, description, pictures, seed);
 *     drawn one = {0};
 *     draw(&d, &one);            // one.head and one.body: what is sent
 *     drawn_deinit(&one);
 *
 * What comes depends on the description, the pictures and the seed alone.
 */
#ifndef VT_TESTS_SERVER_RANDOM_REQUESTS_H
#define VT_TESTS_SERVER_RANDOM_REQUESTS_H

#include "base/buf.h"
#include "base/json.h"
#include "base/random.h"

#include <ctype.h>
#include <string.h>

enum { DRAWN_OPERATIONS = 128, DRAWN_DEPTH = 12, DRAWN_BYTES = 8 << 20, DRAWN_IDS = 20 };

typedef struct drawn_operation {
    const char *path, *method; /* as the description has them */
    const vt_json *said;
} drawn_operation;

typedef struct drawer {
    const vt_json *document;
    const vt_buf *picture; /* JPEG, borrowed */
    const char *hash;      /* of a picture that the shop has */
    vt_random random;
    drawn_operation operations[DRAWN_OPERATIONS];
    size_t operation_count;
} drawer;

typedef struct drawn {
    const drawn_operation *operation;
    vt_buf head, body;
} drawn;

static inline bool chance(drawer *d, double share)
{
    return vt_random_double(&d->random) < share;
}

static inline size_t below(drawer *d, size_t bound)
{
    return (size_t)vt_random_below(&d->random, bound);
}

#define PICK(d, list) (list)[below(d, sizeof(list) / sizeof((list)[0]))]

static inline void drawer_init(drawer *d, const vt_json *document, uint64_t seed)
{
    const vt_json *paths = vt_json_get(document, "paths");
    memset(d, 0, sizeof(*d));
    d->document = document;
    vt_random_init(&d->random, seed);
    for (size_t i = 0; i < vt_json_count(paths); i++) {
        const vt_json *path = NULL, *operation = NULL;
        const char *name = vt_json_key_at(paths, i, &path);
        /* A key that is made closes the door before whatever else is drawn. */
        if (strcmp(name, "/v1/keys") == 0)
            continue;
        for (size_t j = 0; j < vt_json_count(path) && d->operation_count < DRAWN_OPERATIONS; j++) {
            const char *method = vt_json_key_at(path, j, &operation);
            d->operations[d->operation_count++] = (drawn_operation){name, method, operation};
        }
    }
}

static inline const vt_json *resolved(const drawer *d, const vt_json *schema)
{
    static const char prefix[] = "#/components/schemas/";
    const char *name = vt_json_text(vt_json_get(schema, "$ref"), NULL);
    if (name == NULL || strncmp(name, prefix, sizeof(prefix) - 1) != 0)
        return schema;
    return vt_json_get(vt_json_get(vt_json_get(d->document, "components"), "schemas"),
                       name + sizeof(prefix) - 1);
}

/* ---- texts ---- */

static inline void draw_id(drawer *d, vt_buf *out)
{
    static const char *const odd[] = {"none",         "a/b c",       "..", "",
                                      "\xE2\x98\x83", "P-1/similar", "*"};
    if (chance(d, 0.85))
        vt_buf_printf(out, "P-%zu", below(d, DRAWN_IDS));
    else
        vt_buf_append_text(out, PICK(d, odd));
}

static inline void draw_garbage(drawer *d, vt_buf *out)
{
    static const char *const odd[] = {"",
                                      "null",
                                      "-1",
                                      "1e999",
                                      "%",
                                      "'",
                                      "\"",
                                      "\\",
                                      "true",
                                      "{}",
                                      "[",
                                      "0x10",
                                      "9999999999999999999999",
                                      "\xC3\xA9",
                                      "\n",
                                      "a=1",
                                      "\t",
                                      "-0.0",
                                      "P-1,P-2",
                                      "../../etc/passwd"};
    size_t more = below(d, 4);
    for (size_t i = 0; i <= more; i++)
        vt_buf_append_text(out, PICK(d, odd));
    if (chance(d, 0.05))
        for (size_t i = 0; i < 5000; i++)
            vt_buf_append_char(out, (char)('a' + i % 26));
}

static inline void draw_filter(drawer *d, vt_buf *out)
{
    static const char *const parts[] = {"price < 9",
                                        "category = 'odd'",
                                        "color IN ('red','blue')",
                                        "NOT brand = 'x'",
                                        "price IS NULL",
                                        "title LIKE '%1%'",
                                        "price BETWEEN 2 AND 8",
                                        "color CONTAINS 'red'",
                                        "nothing = 1",
                                        "price <",
                                        "(category != 'even')",
                                        "\"title\" >= 'T'",
                                        "color = red",
                                        "change > 3",
                                        ")",
                                        "id = 'P-3'"};
    static const char *const joints[] = {" AND ", " OR ", " ", " AND NOT ", ") OR ("};
    size_t more = chance(d, 0.02) ? 300 : below(d, 3);
    for (size_t i = 0; i <= more; i++)
        vt_buf_printf(out, "%s%s", i > 0 ? PICK(d, joints) : "", PICK(d, parts));
}

/* The picture, perhaps damaged. */
static inline void draw_picture(drawer *d, vt_buf *out)
{
    size_t length = d->picture->length;
    if (chance(d, 0.1)) {
        draw_garbage(d, out);
        return;
    }
    if (chance(d, 0.1))
        length = below(d, length);
    vt_buf_append(out, d->picture->data, length);
    for (size_t hits = chance(d, 0.2) ? 1 + below(d, 20) : 0; hits > 0 && out->length > 0; hits--)
        out->data[below(d, out->length)] ^= (char)(1U << below(d, 8));
}

static inline void draw_base64(drawer *d, vt_buf *out)
{
    vt_buf bytes;
    vt_buf_init(&bytes, DRAWN_BYTES);
    draw_picture(d, &bytes);
    if (chance(d, 0.05))
        vt_buf_append_text(out, "data:image/jpeg;base64,");
    vt_buf_append_base64(out, vt_buf_text(&bytes), bytes.length);
    if (chance(d, 0.03))
        vt_buf_append_char(out, '%');
    vt_buf_deinit(&bytes);
}

static inline void draw_text(drawer *d, const char *name, const vt_json *schema, vt_buf *out)
{
    static const char *const urls[] = {"http://127.0.0.1/x", "https://[::1]/", "file:///etc/passwd",
                                       "http://a b", "x"};
    static const char *const names[] = {"color",   "category",   "brand",     "price", "title",
                                        "nothing", "price:desc", "title:asc", ":"};
    const vt_json *choices = vt_json_get(schema, "enum");
    bool base64 = vt_json_get(schema, "contentEncoding") != NULL;
    if (chance(d, 0.04))
        draw_garbage(d, out);
    else if (vt_json_count(choices) > 0)
        vt_buf_append_text(out,
                           vt_json_text(vt_json_at(choices, below(d, vt_json_count(choices))), ""));
    else if (base64)
        draw_base64(d, out);
    else if (strcmp(name, "where") == 0 || strcmp(name, "filter") == 0)
        draw_filter(d, out);
    else if (strcmp(name, "id") == 0 || strcmp(name, "product") == 0)
        draw_id(d, out);
    else if (strcmp(name, "image_url") == 0 || strcmp(name, "imageUri") == 0)
        vt_buf_append_text(out, PICK(d, urls));
    else if (strcmp(name, "facets") == 0 || strcmp(name, "sort") == 0)
        vt_buf_append_text(out, PICK(d, names));
    else if (strcmp(name, "hash") == 0)
        vt_buf_append_text(out, chance(d, 0.7) ? d->hash : "00");
    else
        vt_buf_printf(out, "text %zu \xE4\xB8\xAD", below(d, 100));
}

/* ---- JSON ---- */

static inline double draw_number(drawer *d, const vt_json *schema, bool whole)
{
    static const double odd[] = {-1.0, 0.0, 1e9, 4294967296.0, 9e15, -1e300, 0.5, 1e-300};
    double low = vt_json_number(vt_json_get(schema, "minimum"), whole ? 0.0 : -2.0);
    double high = vt_json_number(vt_json_get(schema, "maximum"), low + 90.0);
    if (chance(d, 0.08))
        return PICK(d, odd);
    high = high > low + 200.0 ? low + 200.0 : high;
    double value = low + (high - low) * vt_random_double(&d->random);
    return whole ? (double)(int64_t)value : value;
}

static inline void draw_value(drawer *d, const char *key, const char *name, const vt_json *schema,
                              vt_json_writer *writer);

static inline void draw_object(drawer *d, const char *key, const vt_json *schema,
                               vt_json_writer *writer)
{
    const vt_json *properties = vt_json_get(schema, "properties");
    size_t count = vt_json_count(properties);
    /* Of many members few at a time: every one may be what is refused. */
    double share = count > 6 ? 2.5 / (double)count : 0.8;
    vt_json_open_object(writer, key);
    for (size_t i = 0; i < count; i++) {
        const vt_json *property = NULL;
        const char *name = vt_json_key_at(properties, i, &property);
        if (chance(d, share))
            draw_value(d, name, name, property, writer);
    }
    if (count == 0)
        for (size_t i = below(d, 4); i > 0; i--)
            vt_json_put_number(writer, i == 1 ? "size" : i == 2 ? "color" : "x", (double)i, 1);
    if (chance(d, 0.02))
        vt_json_put_text(writer, "unknown", "x");
    vt_json_close(writer);
}

static inline void draw_array(drawer *d, const char *key, const char *name, const vt_json *schema,
                              vt_json_writer *writer)
{
    size_t low = (size_t)vt_json_number(vt_json_get(schema, "minItems"), 0.0);
    size_t high = (size_t)vt_json_number(vt_json_get(schema, "maxItems"), 4.0);
    size_t count = high < low + 3 ? low + below(d, high - low + 1) : low + below(d, 4);
    if (chance(d, 0.02))
        count = 100;
    vt_json_open_array(writer, key);
    for (size_t i = 0; i < count && !writer->out->failed; i++)
        draw_value(d, NULL, name, vt_json_get(schema, "items"), writer);
    vt_json_close(writer);
}

/* The first type of a list, now and then another. */
static inline const char *type_of(drawer *d, const vt_json *schema)
{
    static const char *const types[] = {"string", "number", "boolean", "null", "object", "array"};
    const vt_json *type = vt_json_get(schema, "type");
    if (type == NULL || chance(d, 0.03))
        return PICK(d, types);
    if (vt_json_kind_of(type) == VT_JSON_ARRAY)
        type = vt_json_at(type, chance(d, 0.8) ? 0 : vt_json_count(type) - 1);
    return vt_json_text(type, "null");
}

static inline void draw_value(drawer *d, const char *key, const char *name, const vt_json *schema,
                              vt_json_writer *writer)
{
    schema = resolved(d, schema);
    const char *type = writer->depth > DRAWN_DEPTH ? "null" : type_of(d, schema);
    if (strcmp(type, "object") == 0) {
        draw_object(d, key, schema, writer);
    } else if (strcmp(type, "array") == 0) {
        draw_array(d, key, name, schema, writer);
    } else if (strcmp(type, "string") == 0) {
        vt_buf text;
        vt_buf_init(&text, DRAWN_BYTES);
        draw_text(d, name, schema, &text);
        vt_json_put_text(writer, key, vt_buf_text(&text));
        vt_buf_deinit(&text);
    } else if (strcmp(type, "integer") == 0 || strcmp(type, "number") == 0) {
        vt_json_put_number(writer, key, draw_number(d, schema, type[0] == 'i'), -1);
    } else if (strcmp(type, "boolean") == 0) {
        vt_json_put_bool(writer, key, chance(d, 0.5));
    } else {
        vt_json_put_null(writer, key);
    }
}

static inline void draw_json(drawer *d, const vt_json *schema, vt_buf *out)
{
    vt_json_writer writer;
    vt_json_begin(&writer, out, false);
    draw_value(d, NULL, "", schema, &writer);
}

/* ---- bodies ---- */

static inline void draw_form(drawer *d, const vt_json *schema, vt_buf *out)
{
    const vt_json *properties = vt_json_get(resolved(d, schema), "properties");
    for (size_t i = 0; i < vt_json_count(properties); i++) {
        const vt_json *property = NULL;
        const char *name = vt_json_key_at(properties, i, &property);
        const vt_json *items = vt_json_get(property, "items");
        bool picture =
            vt_json_get(items, "format") != NULL || vt_json_get(property, "format") != NULL;
        for (size_t parts = picture ? below(d, 3) : below(d, 2); parts > 0; parts--) {
            vt_buf_printf(out, "--b0\r\nContent-Disposition: form-data; name=\"%s\"\r\n\r\n",
                          chance(d, 0.97) ? name : "top");
            if (picture)
                draw_picture(d, out);
            else
                draw_json(d, property, out);
            vt_buf_append_text(out, "\r\n");
        }
    }
    vt_buf_append_text(out, chance(d, 0.97) ? "--b0--\r\n" : "--b0");
}

static inline void draw_content(drawer *d, const char *type, const vt_json *schema, vt_buf *out)
{
    if (strcmp(type, "multipart/form-data") == 0) {
        draw_form(d, schema, out);
    } else if (strcmp(type, "application/x-ndjson") == 0) {
        for (size_t lines = below(d, 6); lines > 0; lines--) {
            draw_json(d, schema, out);
            vt_buf_append_text(out, chance(d, 0.95) ? "\n" : "\r\n\n");
        }
    } else {
        draw_json(d, schema, out);
    }
}

/* Damage to what is sent. */
static inline void draw_damage(drawer *d, vt_buf *body)
{
    if (body->length == 0 || !chance(d, 0.06))
        return;
    if (chance(d, 0.3))
        body->length = below(d, body->length);
    for (size_t hits = 1 + below(d, 4); hits > 0 && body->length > 0; hits--)
        body->data[below(d, body->length)] = (char)below(d, 256);
}

static inline void draw_body(drawer *d, const vt_json *said, drawn *out)
{
    const vt_json *content = vt_json_get(vt_json_get(said, "requestBody"), "content");
    const vt_json *one = NULL;
    size_t count = vt_json_count(content);
    if (count == 0)
        return;
    const char *type = vt_json_key_at(content, below(d, count), &one);
    draw_content(d, type, vt_json_get(one, "schema"), &out->body);
    draw_damage(d, &out->body);
    if (chance(d, 0.03))
        type = "text/plain";
    vt_buf_printf(&out->head, "Content-Type: %s%s\r\n", type,
                  strncmp(type, "multipart", 9) == 0 ? "; boundary=b0" : "");
}

/* ---- heads ---- */

static inline void put_encoded(vt_buf *out, const char *text)
{
    for (; *text != '\0'; text++)
        if (isalnum((unsigned char)*text))
            vt_buf_append_char(out, *text);
        else
            vt_buf_printf(out, "%%%02X", (unsigned char)*text);
}

static inline void draw_path(drawer *d, const char *pattern, vt_buf *out)
{
    while (*pattern != '\0') {
        if (*pattern != '{') {
            vt_buf_append_char(out, *pattern++);
            continue;
        }
        vt_buf text;
        vt_buf_init(&text, DRAWN_BYTES);
        size_t length = strcspn(pattern, "}");
        if (chance(d, 0.05))
            draw_garbage(d, &text);
        else if (strncmp(pattern, "{hash", 5) == 0)
            vt_buf_append_text(&text, chance(d, 0.8) ? d->hash : "00ff");
        else if (strncmp(pattern, "{file", 5) == 0)
            vt_buf_append_text(&text, chance(d, 0.5) ? "app.js" : "none");
        else
            draw_id(d, &text);
        put_encoded(out, vt_buf_text(&text));
        vt_buf_deinit(&text);
        pattern += length + (pattern[length] == '}');
    }
}

static inline void draw_parameters(drawer *d, const vt_json *said, vt_buf *out)
{
    const vt_json *parameters = vt_json_get(said, "parameters");
    char joint = '?';
    for (size_t i = 0; i < vt_json_count(parameters); i++) {
        const vt_json *one = vt_json_at(parameters, i);
        const vt_json *schema = resolved(d, vt_json_get(one, "schema"));
        const char *name = vt_json_text(vt_json_get(one, "name"), "");
        if (strcmp(vt_json_text(vt_json_get(one, "in"), ""), "query") != 0 || !chance(d, 0.4))
            continue;
        vt_buf text;
        vt_buf_init(&text, DRAWN_BYTES);
        if (chance(d, 0.05))
            draw_garbage(d, &text);
        else if (strcmp(vt_json_text(vt_json_get(schema, "type"), ""), "integer") == 0)
            vt_buf_printf(&text, "%.0f", draw_number(d, schema, true));
        else
            draw_text(d, name, schema, &text);
        vt_buf_printf(out, "%c%s=", joint, name);
        put_encoded(out, vt_buf_text(&text));
        vt_buf_deinit(&text);
        joint = '&';
    }
}

static inline void draw(drawer *d, drawn *out)
{
    static const char *const extra[] = {"If-None-Match: *\r\n",      "Accept: */*\r\n",
                                        "Accept-Encoding: gzip\r\n", "X-Api-Key: vt_x\r\n",
                                        "Range: bytes=0-1\r\n",      "Cookie: a=b\r\n",
                                        "Last-Event-ID: 3\r\n",      "If-None-Match: \"x\"\r\n"};
    const drawn_operation *one = &d->operations[below(d, d->operation_count)];
    out->operation = one;
    vt_buf_init(&out->head, DRAWN_BYTES);
    vt_buf_init(&out->body, DRAWN_BYTES);
    for (const char *c = one->method; *c != '\0'; c++)
        vt_buf_append_char(&out->head, (char)toupper((unsigned char)*c));
    vt_buf_append_char(&out->head, ' ');
    draw_path(d, one->path, &out->head);
    draw_parameters(d, one->said, &out->head);
    vt_buf_append_text(&out->head, " HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n");
    for (size_t i = below(d, 3); i > 0; i--)
        vt_buf_append_text(&out->head, PICK(d, extra));
    draw_body(d, one->said, out);
    if (out->body.length > 0 || vt_json_get(one->said, "requestBody") != NULL)
        vt_buf_printf(&out->head, "Content-Length: %zu\r\n", out->body.length);
    vt_buf_append_text(&out->head, "\r\n");
}

static inline void drawn_deinit(drawn *one)
{
    vt_buf_deinit(&one->head);
    vt_buf_deinit(&one->body);
}

#endif
