/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Reading JSON (RFC 8259).
 *
 * Method: the text is scanned once for valid UTF-8 and nesting, so that nothing hostile is ever
 * parsed recursively; jansson parses; its tree is copied into one arena and dropped. The copy makes
 * a member's position and its name both cheap to look up (large objects carry an index sorted by
 * name) and puts the document's memory on vitrine's heap. jansson itself keeps the C library's
 * allocator: json_set_alloc_funcs is a setting of the whole process, which may be somebody else's.
 *
 * Numbers are doubles; an integer beyond 2^53 loses digits, one beyond a double's range is refused.
 */
#include "base/json.h"

#include "base/mem.h"

#include <jansson.h>
#include <stdlib.h>
#include <string.h>

enum {
    DEEPEST = 512,        /* whatever the caller allows: jansson and the copy recurse */
    INDEXED_MEMBERS = 16, /* objects with more members than this are searched by bisection */
};

typedef struct member member;

struct vt_json {
    vt_json_kind kind;
    bool truth;
    size_t count; /* of an array or object */
    union {
        double number;
        const char *text;
        vt_json *items;  /* count */
        member *members; /* count, in document order */
    };
    const member **sorted; /* count, by key; NULL for small objects */
};

struct member {
    const char *key;
    vt_json value;
};

typedef struct document {
    vt_json root; /* first, so that the root is the document */
    vt_arena arena;
} document;

static int nesting_depth(const char *text, size_t length)
{
    int depth = 0, deepest = 0;
    bool quoted = false;
    for (size_t i = 0; i < length; i++) {
        char c = text[i];
        if (quoted) {
            if (c == '\\')
                i++;
            else if (c == '"')
                quoted = false;
        } else if (c == '"') {
            quoted = true;
        } else if (c == '[' || c == '{') {
            if (++depth > deepest)
                deepest = depth;
            if (deepest > DEEPEST)
                break;
        } else if ((c == ']' || c == '}') && depth > 0) {
            depth--;
        }
    }
    return deepest;
}

static bool value_copy(vt_arena *arena, json_t *from, vt_json *to);

static int member_compare(const void *a, const void *b)
{
    return strcmp((*(const member *const *)a)->key, (*(const member *const *)b)->key);
}

static bool object_copy(vt_arena *arena, json_t *from, vt_json *to)
{
    to->kind = VT_JSON_OBJECT;
    to->count = json_object_size(from);
    to->members = vt_arena_array(arena, to->count, sizeof *to->members);
    if (!to->members)
        return false;
    size_t i = 0;
    for (void *at = json_object_iter(from); at; at = json_object_iter_next(from, at), i++) {
        to->members[i].key = vt_arena_strdup(arena, json_object_iter_key(at));
        if (!to->members[i].key ||
            !value_copy(arena, json_object_iter_value(at), &to->members[i].value))
            return false;
    }
    if (to->count <= INDEXED_MEMBERS)
        return true;
    to->sorted = vt_arena_array(arena, to->count, sizeof *to->sorted);
    if (!to->sorted)
        return false;
    for (i = 0; i < to->count; i++)
        to->sorted[i] = &to->members[i];
    qsort(to->sorted, to->count, sizeof *to->sorted, member_compare);
    return true;
}

static bool array_copy(vt_arena *arena, json_t *from, vt_json *to)
{
    to->kind = VT_JSON_ARRAY;
    to->count = json_array_size(from);
    to->items = vt_arena_array(arena, to->count, sizeof *to->items);
    if (!to->items)
        return false;
    for (size_t i = 0; i < to->count; i++)
        if (!value_copy(arena, json_array_get(from, i), &to->items[i]))
            return false;
    return true;
}

static bool value_copy(vt_arena *arena, json_t *from, vt_json *to)
{
    switch (json_typeof(from)) {
    case JSON_OBJECT:
        return object_copy(arena, from, to);
    case JSON_ARRAY:
        return array_copy(arena, from, to);
    case JSON_STRING:
        to->kind = VT_JSON_TEXT;
        to->text = vt_arena_strndup(arena, json_string_value(from), json_string_length(from));
        return to->text != NULL;
    case JSON_INTEGER:
    case JSON_REAL:
        to->kind = VT_JSON_NUMBER;
        to->number = json_number_value(from);
        return true;
    case JSON_TRUE:
    case JSON_FALSE:
        to->kind = VT_JSON_BOOL;
        to->truth = json_typeof(from) == JSON_TRUE;
        return true;
    case JSON_NULL:
        break;
    }
    to->kind = VT_JSON_NULL;
    return true;
}

static document *document_copy(json_t *tree)
{
    document *copy = vt_calloc(1, sizeof *copy);
    if (!copy)
        return NULL;
    vt_arena_init(&copy->arena, SIZE_MAX);
    if (value_copy(&copy->arena, tree, &copy->root))
        return copy;
    vt_arena_deinit(&copy->arena);
    vt_free(copy);
    return NULL;
}

static vt_status fail_parse(const json_error_t *detail, vt_error *error)
{
    if (json_error_code(detail) == json_error_out_of_memory)
        return vt_fail_memory(error, "a json document");
    return vt_fail(error, VT_ERR_FORMAT, "parse json: line %d, column %d: %s", detail->line,
                   detail->column, detail->text);
}

vt_status vt_json_parse(const char *text, size_t length, int depth_limit, vt_json **out,
                        vt_error *error)
{
    if (depth_limit > DEEPEST)
        depth_limit = DEEPEST;
    if (nesting_depth(text, length) > depth_limit)
        return vt_fail(error, VT_ERR_LIMIT, "parse json: nested more than %d deep", depth_limit);
    if (!vt_utf8_valid(text, length))
        return vt_fail(error, VT_ERR_FORMAT, "parse json: not valid utf-8");
    /* jansson takes a NUL for the end and ignores what follows. */
    if (length && memchr(text, '\0', length))
        return vt_fail(error, VT_ERR_FORMAT, "parse json: a NUL byte is no part of json");
    /* As real: an integer of any length is then a number like another instead of an error. */
    size_t flags = JSON_REJECT_DUPLICATES | JSON_DECODE_ANY | JSON_DECODE_INT_AS_REAL;
    json_error_t detail;
    json_t *tree = json_loadb(length ? text : "", length, flags, &detail);
    if (!tree)
        return fail_parse(&detail, error);
    document *copy = document_copy(tree);
    json_decref(tree);
    if (!copy)
        return vt_fail_memory(error, "a json document");
    *out = &copy->root;
    return VT_OK;
}

void vt_json_free(vt_json *root)
{
    if (!root)
        return;
    document *owner = (document *)root;
    vt_arena_deinit(&owner->arena);
    vt_free(owner);
}

vt_json_kind vt_json_kind_of(const vt_json *value)
{
    return value ? value->kind : VT_JSON_NULL;
}

const vt_json *vt_json_get(const vt_json *value, const char *key)
{
    if (vt_json_kind_of(value) != VT_JSON_OBJECT)
        return NULL;
    if (value->sorted) {
        member wanted = {.key = key};
        const member *pointer = &wanted;
        const member **found =
            bsearch(&pointer, value->sorted, value->count, sizeof pointer, member_compare);
        return found ? &(*found)->value : NULL;
    }
    for (size_t i = 0; i < value->count; i++)
        if (strcmp(value->members[i].key, key) == 0)
            return &value->members[i].value;
    return NULL;
}

const vt_json *vt_json_at(const vt_json *value, size_t index)
{
    if (vt_json_kind_of(value) != VT_JSON_ARRAY || index >= value->count)
        return NULL;
    return &value->items[index];
}

size_t vt_json_count(const vt_json *value)
{
    return value ? value->count : 0;
}

const char *vt_json_key_at(const vt_json *value, size_t index, const vt_json **item)
{
    if (vt_json_kind_of(value) != VT_JSON_OBJECT || index >= value->count)
        return NULL;
    if (item)
        *item = &value->members[index].value;
    return value->members[index].key;
}

const char *vt_json_text(const vt_json *value, const char *fallback)
{
    return vt_json_kind_of(value) == VT_JSON_TEXT ? value->text : fallback;
}

double vt_json_number(const vt_json *value, double fallback)
{
    return vt_json_kind_of(value) == VT_JSON_NUMBER ? value->number : fallback;
}

bool vt_json_bool(const vt_json *value, bool fallback)
{
    return vt_json_kind_of(value) == VT_JSON_BOOL ? value->truth : fallback;
}
