/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Prices as shops write them.
 *
 * Method: a currency (three letters, or a sign that belongs to one currency only) may stand before
 * or after the number. In the number, the last of point and comma is the decimal one when both
 * occur; a sign that repeats groups thousands; a single comma before exactly three digits groups,
 * any other single sign is the decimal one. Spaces and apostrophes between digits group too.
 *
 * Departure from Google's feed rules, which know the decimal point only: "12,90" is what half of
 * Europe's spreadsheets write. "$" and "¥" name no single currency and give none.
 */
#include "ingest/feed_row.h"

#include "base/buf.h"

#include <string.h>

enum { PRICE_TEXT = 48 };

bool vt_currency_parse(const char *text, char currency[4])
{
    char upper[4] = "";
    if (strlen(text) != 3)
        return false;
    for (int i = 0; i < 3; i++) {
        char c = text[i];
        if (c >= 'a' && c <= 'z')
            c = (char)(c - 'a' + 'A');
        if (c < 'A' || c > 'Z')
            return false;
        upper[i] = c;
    }
    memcpy(currency, upper, sizeof upper);
    return true;
}

static const struct {
    const char sign[4];
    const char currency[4];
} price_signs[] = {{"\xe2\x82\xac", "EUR"}, {"\xc2\xa3", "GBP"},
                   {"\xe2\x82\xb9", "INR"}, {"\xe2\x82\xa9", "KRW"},
                   {"\xe2\x82\xba", "TRY"}, {"\xe2\x82\xbd", "RUB"},
                   {"\xc2\xa5", ""},        {"$", ""}};

/* Cuts one currency sign off either end of what is left of the text. */
static bool price_cut_sign(const char **text, size_t *length, char currency[4])
{
    for (size_t i = 0; i < sizeof price_signs / sizeof *price_signs; i++) {
        const char *sign = price_signs[i].sign;
        size_t n = strnlen(sign, sizeof price_signs[i].sign);
        bool front = *length > n && memcmp(*text, sign, n) == 0;
        bool back = *length > n && memcmp(*text + *length - n, sign, n) == 0;
        if (!front && !back)
            continue;
        if (front)
            *text += n;
        *length = vt_text_trim(text, *length - n);
        memcpy(currency, price_signs[i].currency, 4);
        return true;
    }
    return false;
}

static bool price_cut_code(const char **text, size_t *length, char currency[4])
{
    char code[4] = "";
    if (*length <= 3)
        return false;
    memcpy(code, *text, 3);
    bool front = vt_currency_parse(code, currency);
    if (!front) {
        memcpy(code, *text + *length - 3, 3);
        if (!vt_currency_parse(code, currency))
            return false;
    } else {
        *text += 3;
    }
    *length = vt_text_trim(text, *length - 3);
    return true;
}

/* Digits, '.', ',' and ' ' (for every other grouping sign). False on anything else. */
static bool price_plain(const char *text, size_t length, char plain[PRICE_TEXT])
{
    static const char groupers[][4] = {" ", "'", "\xc2\xa0", "\xe2\x80\xaf", "\xe2\x80\x99"};
    size_t out = 0;
    for (size_t i = 0; i < length;) {
        size_t step = 0;
        if (out + 1 >= PRICE_TEXT)
            return false;
        if ((text[i] >= '0' && text[i] <= '9') || text[i] == '.' || text[i] == ',') {
            plain[out++] = text[i++];
            continue;
        }
        for (size_t g = 0; g < sizeof groupers / sizeof *groupers && step == 0; g++) {
            size_t n = strlen(groupers[g]);
            if (length - i >= n && memcmp(text + i, groupers[g], n) == 0)
                step = n;
        }
        if (step == 0)
            return false;
        plain[out++] = ' ';
        i += step;
    }
    plain[out] = '\0';
    return out > 0;
}

/* Where the decimal sign stands in `plain`; its length when there is none. */
static size_t price_decimal_at(const char *plain)
{
    size_t length = strlen(plain), commas = 0, points = 0;
    const char *comma = strrchr(plain, ','), *point = strrchr(plain, '.');
    for (size_t i = 0; i < length; i++) {
        commas += plain[i] == ',';
        points += plain[i] == '.';
    }
    if (comma && point)
        return (size_t)((comma > point ? comma : point) - plain);
    if (comma && commas == 1 && (strlen(comma + 1) != 3 || comma == plain))
        return (size_t)(comma - plain);
    if (point && points == 1)
        return (size_t)(point - plain);
    return length;
}

/* Copies the whole part without its grouping: one to three digits, then threes. */
static bool price_ungroup(const char *plain, size_t length, char *out, size_t *out_length)
{
    size_t digits = 0;
    bool grouped = false;
    for (size_t i = 0; i <= length; i++) {
        if (i < length && plain[i] >= '0' && plain[i] <= '9') {
            out[(*out_length)++] = plain[i];
            digits++;
            continue;
        }
        bool last = i == length;
        if (grouped ? digits != 3 : !last && (digits == 0 || digits > 3))
            return false;
        grouped = true;
        digits = 0;
    }
    return true;
}

static bool price_number(const char *text, size_t length, double *amount)
{
    char plain[PRICE_TEXT], clean[PRICE_TEXT + 2];
    size_t used = 0;
    if (!price_plain(text, length, plain))
        return false;
    size_t decimal = price_decimal_at(plain);
    if (!price_ungroup(plain, decimal, clean, &used))
        return false;
    if (used == 0)
        clean[used++] = '0';
    if (plain[decimal] != '\0') {
        size_t digits = strspn(plain + decimal + 1, "0123456789");
        if (plain[decimal + 1 + digits] != '\0' || (digits == 0 && decimal == 0))
            return false;
        if (digits > 0) {
            clean[used++] = '.';
            memcpy(clean + used, plain + decimal + 1, digits);
            used += digits;
        }
    }
    return vt_parse_double(clean, used, amount);
}

bool vt_price_parse(const char *text, double *amount, char currency[4])
{
    char found[4] = "";
    size_t length = vt_text_trim(&text, strlen(text));
    if (!price_cut_code(&text, &length, found))
        price_cut_sign(&text, &length, found);
    if (length == 0 || !price_number(text, length, amount))
        return false;
    memcpy(currency, found, sizeof found);
    return true;
}
