/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Google Vision's filter of product labels, `(color = red OR color = blue) AND brand = Acme`, in
 * the words of docs/filters.md: names in double quotes, values in single ones. Brackets, AND and OR
 * mean the same in both; whether they are in order is the other parser's to say.
 *
 * Source: the documentation of ProductSearchParams.filter.
 * Departures: any nesting of AND and OR is taken, not only an AND of ORs with one key each.
 */
#include "server/vision.h"

#include <string.h>

static const char blanks[] = " \t\r\n";

/* The length of AND or OR standing alone here; 0: neither does. */
static size_t connective(const char *at)
{
    size_t length = strncmp(at, "AND", 3) == 0 ? 3 : strncmp(at, "OR", 2) == 0 ? 2 : 0;
    char after = at[length];
    bool ends = after == '\0' || after == '(' || strchr(blanks, after) != NULL;
    return length > 0 && ends ? length : 0;
}

/* Up to a closing bracket, or blanks and a connective. */
static size_t value_length(const char *at)
{
    size_t length = 0;
    while (at[length] != '\0' && at[length] != ')') {
        bool blank = strchr(blanks, at[length]) != NULL;
        if (blank && connective(at + length + strspn(at + length, blanks)) > 0)
            break;
        length++;
    }
    return length;
}

static void put_quoted(vt_buf *out, char quote, const char *text, size_t length)
{
    vt_buf_append_char(out, quote);
    for (size_t i = 0; i < length; i++) {
        if (text[i] == quote)
            vt_buf_append_char(out, quote);
        vt_buf_append_char(out, text[i]);
    }
    vt_buf_append_char(out, quote);
}

/* *at: at a key; moves behind its value. */
static vt_status put_pair(const char **at, vt_buf *out, vt_error *error)
{
    const char *key = *at;
    size_t length = strcspn(key, "=()"), value_room;
    const char *value = key + length + 1;
    size_t key_length = vt_text_trim(&key, length);
    if ((*at)[length] != '=' || key_length == 0)
        return vt_fail(error, VT_ERR_USAGE, "read the filter: \"%.40s\" is not KEY = VALUE", *at);
    value += strspn(value, blanks);
    value_room = value_length(value);
    *at = value + value_room;
    value_room = vt_text_trim(&value, value_room);
    if (value_room >= 2 && value[0] == '"' && value[value_room - 1] == '"') {
        value++;
        value_room -= 2;
    }
    if (value_room == 0)
        return vt_fail(error, VT_ERR_USAGE, "read the filter: \"%.*s\" has no value",
                       (int)(key_length < 40 ? key_length : 40), key);
    put_quoted(out, '"', key, key_length);
    vt_buf_append_text(out, " = ");
    put_quoted(out, '\'', value, value_room);
    return VT_OK;
}

vt_status vt_vision_filter(const char *text, vt_buf *out, vt_error *error)
{
    vt_status status = VT_OK;
    for (const char *at = text; status == VT_OK && *(at += strspn(at, blanks)) != '\0';) {
        size_t word = connective(at);
        if (*at == '(' || *at == ')') {
            vt_buf_append_char(out, *at++);
        } else if (word > 0) {
            vt_buf_printf(out, " %.*s ", (int)word, at);
            at += word;
        } else {
            status = put_pair(&at, out, error);
        }
    }
    if (status == VT_OK && out->failed)
        return vt_fail_memory(error, "a filter");
    return status;
}
