/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The words of a filter: names, keywords, texts, numbers, symbols.
 *
 * Method: one pass with one character of look-ahead. A quote inside quotes is doubled, as in SQL.
 * Departures from SQL: names may hold - and . without quotes (feeds call columns so, and there is
 * no arithmetic that it could be taken for), == is =.
 */
#include "store/filter.h"

#include "base/buf.h"

#include <string.h>

size_t vt_filter_position(const char *source, size_t offset)
{
    size_t position = 1;
    for (size_t i = 0; i < offset; i++)
        position += ((unsigned char)source[i] & 0xC0) != 0x80;
    return position;
}

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static bool is_name_start(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' || (unsigned char)c >= 0x80;
}

static bool is_name_part(char c)
{
    return is_name_start(c) || is_digit(c) || c == '-' || c == '.';
}

static bool is_space(char c)
{
    return c == ' ' || (c >= '\t' && c <= '\r');
}

/* The character so many places on; NUL past the end. */
static char peek(const vt_lexer *lexer, size_t ahead)
{
    return lexer->at + ahead < lexer->length ? lexer->source[lexer->at + ahead] : '\0';
}

static vt_status take(vt_lexer *lexer, vt_token *out, vt_token_kind kind, size_t length,
                      vt_error *error)
{
    char *text = vt_arena_strndup(lexer->arena, lexer->source + lexer->at, length);
    if (text == NULL)
        return vt_fail_memory(error, "a filter");
    *out = (vt_token){.kind = kind, .offset = lexer->at, .length = length, .text = text};
    lexer->at += length;
    return VT_OK;
}

static vt_status take_quoted(vt_lexer *lexer, vt_token *out, char quote, vt_error *error)
{
    const char *source = lexer->source;
    size_t begin = lexer->at, end = begin + 1, length = 0;
    bool closed = false;
    while (!closed && end < lexer->length) {
        bool doubled = source[end] == quote && end + 1 < lexer->length && source[end + 1] == quote;
        closed = source[end] == quote && !doubled;
        length += !closed;
        end += doubled ? 2 : 1;
    }
    if (!closed)
        return vt_fail(error, VT_ERR_USAGE,
                       "filter, column %zu: the %s that begins here is not closed by %c",
                       vt_filter_position(source, begin), quote == '\'' ? "text" : "name", quote);
    char *text = vt_arena_alloc(lexer->arena, length + 1);
    if (text == NULL)
        return vt_fail_memory(error, "a filter");
    for (size_t i = 0, from = begin + 1; i < length; i++) {
        text[i] = source[from];
        from += source[from] == quote ? 2 : 1;
    }
    *out = (vt_token){.kind = quote == '\'' ? VT_TOKEN_TEXT : VT_TOKEN_NAME,
                      .offset = begin,
                      .length = end - begin,
                      .text = text};
    lexer->at = end;
    return VT_OK;
}

static vt_status take_number(vt_lexer *lexer, vt_token *out, vt_error *error)
{
    size_t length = peek(lexer, 0) == '-' || peek(lexer, 0) == '+';
    while (is_digit(peek(lexer, length)))
        length++;
    if (peek(lexer, length) == '.')
        length++;
    while (is_digit(peek(lexer, length)))
        length++;
    char mark = peek(lexer, length), sign = peek(lexer, length + 1);
    if (mark == 'e' || mark == 'E') {
        length += sign == '-' || sign == '+' ? 2 : 1;
        while (is_digit(peek(lexer, length)))
            length++;
    }
    while (is_name_part(peek(lexer, length))) /* 12abc is one mistake, not two tokens */
        length++;
    double value;
    const char *text = lexer->source + lexer->at;
    if (!vt_parse_double(text, length, &value))
        return vt_fail(error, VT_ERR_USAGE,
                       "filter, column %zu: \"%.*s\" is not a number (a text stands in 'quotes')",
                       vt_filter_position(lexer->source, lexer->at),
                       (int)(length < 40 ? length : 40), text);
    return take(lexer, out, VT_TOKEN_NUMBER, length, error);
}

static size_t symbol_length(const vt_lexer *lexer)
{
    char c = peek(lexer, 0), next = peek(lexer, 1);
    switch (c) {
    case '(':
    case ')':
    case ',':
        return 1;
    case '=':
        return next == '=' ? 2 : 1;
    case '<':
        return next == '=' || next == '>' ? 2 : 1;
    case '>':
        return next == '=' ? 2 : 1;
    case '!':
        return next == '=' ? 2 : 0;
    default:
        return 0;
    }
}

vt_status vt_filter_lex(vt_lexer *lexer, vt_token *out, vt_error *error)
{
    while (is_space(peek(lexer, 0)))
        lexer->at++;
    char c = peek(lexer, 0), next = peek(lexer, 1);
    if (lexer->at >= lexer->length) {
        *out = (vt_token){.kind = VT_TOKEN_END, .offset = lexer->length, .text = ""};
        return VT_OK;
    }
    if (c == '\'' || c == '"')
        return take_quoted(lexer, out, c, error);
    if (is_digit(c) || (c == '.' && is_digit(next)) ||
        ((c == '-' || c == '+') && (is_digit(next) || next == '.')))
        return take_number(lexer, out, error);
    if (is_name_start(c)) {
        size_t length = 1;
        while (is_name_part(peek(lexer, length)))
            length++;
        return take(lexer, out, VT_TOKEN_WORD, length, error);
    }
    size_t length = symbol_length(lexer);
    if (length > 0)
        return take(lexer, out, VT_TOKEN_SYMBOL, length, error);
    return vt_fail(error, VT_ERR_USAGE, "filter, column %zu: \"%c\" means nothing in a filter",
                   vt_filter_position(lexer->source, lexer->at), c >= ' ' && c < 0x7f ? c : '?');
}
