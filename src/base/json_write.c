/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Writing JSON (RFC 8259) as a stream.
 *
 * Method: what is written is always well-formed: text that is not UTF-8 gets U+FFFD where it is
 * not, numbers that JSON cannot say become null, nesting beyond the writer's stack fails the
 * buffer. The shortest number is found by trying 15, 16 and 17 digits: every decimal of 15 digits
 * survives a normal double, so "%.15g", which drops trailing zeros, prints the shortest text
 * whenever one of at most 15 digits exists. Subnormals have less precision and are tried from one
 * digit up.
 */
#include "base/json.h"

#include <assert.h>
#include <float.h>
#include <locale.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

enum { DEPTH_MAX = sizeof(((vt_json_writer *)0)->closer) };

void vt_json_begin(vt_json_writer *writer, vt_buf *out, bool pretty)
{
    *writer = (vt_json_writer){.out = out, .pretty = pretty, .first = {true}};
}

static void line_break(vt_json_writer *writer)
{
    if (!writer->pretty)
        return;
    vt_buf_append_char(writer->out, '\n');
    for (int i = 0; i < writer->depth; i++)
        vt_buf_append(writer->out, "  ", 2);
}

/* U+FFFD for one byte that starts no valid sequence; hands out the length of a valid one. */
static size_t sequence_length(const char *text, size_t left)
{
    for (size_t length = 1; length <= 4 && length <= left; length++)
        if (vt_utf8_valid(text, length))
            return length;
    return 0;
}

static void put_repaired(vt_buf *out, const char *text, size_t length)
{
    while (length) {
        size_t sequence = sequence_length(text, length);
        if (sequence)
            vt_buf_append(out, text, sequence);
        else
            vt_buf_append(out, "\xEF\xBF\xBD", 3);
        text += sequence ? sequence : 1;
        length -= sequence ? sequence : 1;
    }
}

static bool needs_escape(char c)
{
    return (unsigned char)c < ' ' || c == '"' || c == '\\';
}

static void put_escaped_char(vt_buf *out, char c)
{
    static const char named[] = "\"\\\b\f\n\r\t", letters[] = "\"\\bfnrt";
    const char *found = memchr(named, c, sizeof named - 1);
    if (found)
        vt_buf_printf(out, "\\%c", letters[found - named]);
    else
        vt_buf_printf(out, "\\u%04x", (unsigned)(unsigned char)c);
}

static void put_quoted(vt_buf *out, const char *text)
{
    size_t length = strlen(text);
    bool valid = vt_utf8_valid(text, length);
    vt_buf_append_char(out, '"');
    while (length) {
        size_t plain = 0;
        while (plain < length && !needs_escape(text[plain]))
            plain++;
        /* Escapes are ASCII and never part of a sequence, so runs between them stand alone. */
        if (valid)
            vt_buf_append(out, text, plain);
        else
            put_repaired(out, text, plain);
        text += plain;
        length -= plain;
        if (length) {
            put_escaped_char(out, *text++);
            length--;
        }
    }
    vt_buf_append_char(out, '"');
}

/* Everything that stands before a value: comma, line break, name. */
static void value_begin(vt_json_writer *writer, const char *key)
{
    assert(writer->depth > 0 || !key);
    if (writer->depth > 0) {
        assert((key != NULL) == (writer->closer[writer->depth - 1] == '}'));
        if (!writer->first[writer->depth])
            vt_buf_append_char(writer->out, ',');
        line_break(writer);
    }
    writer->first[writer->depth] = false;
    if (key) {
        put_quoted(writer->out, key);
        vt_buf_append_text(writer->out, writer->pretty ? ": " : ":");
    }
}

static void value_put(vt_json_writer *writer, const char *key, const char *text)
{
    value_begin(writer, key);
    vt_buf_append_text(writer->out, text);
}

static void level_open(vt_json_writer *writer, const char *key, char opener, char closer)
{
    if (writer->depth + 1 >= DEPTH_MAX) {
        writer->out->failed = true;
        return;
    }
    value_begin(writer, key);
    vt_buf_append_char(writer->out, opener);
    writer->closer[writer->depth++] = closer;
    writer->first[writer->depth] = true;
}

void vt_json_open_object(vt_json_writer *writer, const char *key)
{
    level_open(writer, key, '{', '}');
}

void vt_json_open_array(vt_json_writer *writer, const char *key)
{
    level_open(writer, key, '[', ']');
}

void vt_json_close(vt_json_writer *writer)
{
    assert(writer->depth > 0);
    bool empty = writer->first[writer->depth--];
    if (!empty)
        line_break(writer);
    vt_buf_append_char(writer->out, writer->closer[writer->depth]);
}

void vt_json_put_text(vt_json_writer *writer, const char *key, const char *text)
{
    if (!text) {
        vt_json_put_null(writer, key);
        return;
    }
    value_begin(writer, key);
    put_quoted(writer->out, text);
}

void vt_json_put_int(vt_json_writer *writer, const char *key, int64_t value)
{
    char text[32];
    snprintf(text, sizeof text, "%lld", (long long)value);
    value_put(writer, key, text);
}

static void format_shortest(double value, char *text, size_t room)
{
    bool subnormal = fabs(value) < DBL_MIN;
    for (int digits = subnormal ? 1 : 15; digits <= 17; digits++) {
        double back;
        snprintf(text, room, "%.*g", digits, value);
        if (vt_parse_double(text, strlen(text), &back) && back == value)
            return;
    }
}

/* "-0.00" would only make readers wonder. */
static const char *without_negative_zero(const char *text)
{
    return *text == '-' && strspn(text + 1, "0.") == strlen(text + 1) ? text + 1 : text;
}

void vt_json_put_number(vt_json_writer *writer, const char *key, double value, int decimals)
{
    enum { DECIMALS_MAX = 17 };
    if (!isfinite(value)) {
        vt_json_put_null(writer, key);
        return;
    }
    char text[DBL_MAX_10_EXP + DECIMALS_MAX + 8];
    /* The program may have set a locale that writes a comma. */
    locale_t plain = newlocale(LC_ALL_MASK, "C", (locale_t)0);
    locale_t before = uselocale(plain);
    if (decimals < 0)
        format_shortest(value, text, sizeof text);
    else
        snprintf(text, sizeof text, "%.*f", decimals < DECIMALS_MAX ? decimals : DECIMALS_MAX,
                 value);
    uselocale(before);
    if (plain != (locale_t)0)
        freelocale(plain);
    value_put(writer, key, without_negative_zero(text));
}

void vt_json_put_bool(vt_json_writer *writer, const char *key, bool value)
{
    value_put(writer, key, value ? "true" : "false");
}

void vt_json_put_null(vt_json_writer *writer, const char *key)
{
    value_put(writer, key, "null");
}
