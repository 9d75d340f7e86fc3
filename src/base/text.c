/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Text that needs no buffer: UTF-8, comparison, hexadecimal, numbers.
 *
 * Method: UTF-8 is checked against the table of well-formed byte sequences (Unicode 15, table 3-7).
 * Numbers are checked against their grammar first and only then given to strtod_l in the C locale,
 * so that neither the locale nor the extras of strtod (hexadecimal, "inf", white space) get in.
 */
#include "base/buf.h"

#include <locale.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

/* The length of the sequence that starts here, 0 when it is malformed or cut off. */
static size_t utf8_sequence(const uint8_t *s, size_t left)
{
    uint8_t lead = s[0];
    uint8_t low = 0x80, high = 0xBF;
    size_t length;
    if (lead >= 0xC2 && lead <= 0xDF) {
        length = 2;
    } else if (lead >= 0xE0 && lead <= 0xEF) {
        length = 3;
        if (lead == 0xE0)
            low = 0xA0; /* overlong below */
        if (lead == 0xED)
            high = 0x9F; /* surrogates above */
    } else if (lead >= 0xF0 && lead <= 0xF4) {
        length = 4;
        if (lead == 0xF0)
            low = 0x90; /* overlong below */
        if (lead == 0xF4)
            high = 0x8F; /* beyond U+10FFFF above */
    } else {
        return 0;
    }
    if (left < length || s[1] < low || s[1] > high)
        return 0;
    for (size_t i = 2; i < length; i++)
        if ((s[i] & 0xC0) != 0x80)
            return 0;
    return length;
}

bool vt_utf8_valid(const char *text, size_t length)
{
    const uint8_t *s = (const uint8_t *)text;
    size_t i = 0;
    while (i < length) {
        uint64_t eight;
        if (length - i >= sizeof eight) {
            memcpy(&eight, s + i, sizeof eight);
            if (!(eight & UINT64_C(0x8080808080808080))) {
                i += sizeof eight;
                continue;
            }
        }
        if (s[i] < 0x80) {
            i++;
            continue;
        }
        size_t sequence = utf8_sequence(s + i, length - i);
        if (sequence == 0)
            return false;
        i += sequence;
    }
    return true;
}

static char lower(char c)
{
    return c >= 'A' && c <= 'Z' ? (char)(c - 'A' + 'a') : c;
}

bool vt_text_equal(const char *a, const char *b)
{
    return a == b || (a && b && strcmp(a, b) == 0);
}

bool vt_text_equal_nocase(const char *a, const char *b)
{
    if (a == b)
        return true;
    if (!a || !b)
        return false;
    while (*a && lower(*a) == lower(*b)) {
        a++;
        b++;
    }
    return lower(*a) == lower(*b);
}

bool vt_text_ends_nocase(const char *text, const char *ending)
{
    if (!text || !ending)
        return false;
    size_t length = strlen(text), tail = strlen(ending);
    return tail <= length && vt_text_equal_nocase(text + (length - tail), ending);
}

static bool is_space(char c)
{
    return c == ' ' || (c >= '\t' && c <= '\r');
}

size_t vt_text_trim(const char **text, size_t length)
{
    while (length && is_space(**text)) {
        (*text)++;
        length--;
    }
    while (length && is_space((*text)[length - 1]))
        length--;
    return length;
}

void vt_hex(const void *bytes, size_t length, char *out)
{
    static const char digits[] = "0123456789abcdef";
    const uint8_t *in = bytes;
    for (size_t i = 0; i < length; i++) {
        *out++ = digits[in[i] >> 4];
        *out++ = digits[in[i] & 15];
    }
    *out = '\0';
}

static int hex_digit(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    c = lower(c);
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

bool vt_unhex(const char *hex, void *bytes, size_t length)
{
    /* Checked whole first: `bytes` stays untouched on failure. */
    for (size_t i = 0; i < length; i++)
        if (hex_digit(hex[2 * i]) < 0 || hex_digit(hex[2 * i + 1]) < 0)
            return false;
    if (hex[2 * length] != '\0')
        return false;
    uint8_t *out = bytes;
    for (size_t i = 0; i < length; i++)
        out[i] = (uint8_t)(hex_digit(hex[2 * i]) << 4 | hex_digit(hex[2 * i + 1]));
    return true;
}

static size_t digits_count(const char *text, size_t length)
{
    size_t count = 0;
    while (count < length && text[count] >= '0' && text[count] <= '9')
        count++;
    return count;
}

/* [+-] digits [. digits] [e [+-] digits], with a digit on at least one side of the point. */
static bool decimal_well_formed(const char *text, size_t length)
{
    size_t at = 0;
    if (at < length && (text[at] == '+' || text[at] == '-'))
        at++;
    size_t whole = digits_count(text + at, length - at), fraction = 0;
    at += whole;
    if (at < length && text[at] == '.') {
        at++;
        fraction = digits_count(text + at, length - at);
        at += fraction;
    }
    if (whole + fraction == 0)
        return false;
    if (at < length && (text[at] == 'e' || text[at] == 'E')) {
        at++;
        if (at < length && (text[at] == '+' || text[at] == '-'))
            at++;
        size_t exponent = digits_count(text + at, length - at);
        if (exponent == 0)
            return false;
        at += exponent;
    }
    return at == length;
}

bool vt_parse_double(const char *text, size_t length, double *value)
{
    enum { LONGEST = 1024 };
    char copy[LONGEST + 1];
    if (length == 0 || length > LONGEST || !decimal_well_formed(text, length))
        return false;
    memcpy(copy, text, length);
    copy[length] = '\0';
    /* The C locale is a constant object of the C library: this neither allocates nor can fail. */
    locale_t plain = newlocale(LC_ALL_MASK, "C", (locale_t)0);
    if (plain == (locale_t)0)
        return false;
    double parsed = strtod_l(copy, NULL, plain);
    freelocale(plain);
    if (!isfinite(parsed))
        return false;
    *value = parsed;
    return true;
}

bool vt_parse_int(const char *text, int64_t minimum, int64_t maximum, int64_t *value)
{
    bool negative = *text == '-';
    if (*text == '+' || *text == '-')
        text++;
    if (*text == '\0')
        return false;
    int64_t parsed = 0;
    for (; *text; text++) {
        if (*text < '0' || *text > '9')
            return false;
        int64_t digit = *text - '0';
        if (__builtin_mul_overflow(parsed, 10, &parsed) ||
            __builtin_add_overflow(parsed, negative ? -digit : digit, &parsed))
            return false;
    }
    if (parsed < minimum || parsed > maximum)
        return false;
    *value = parsed;
    return true;
}
