/* SPDX-License-Identifier: Apache-2.0 */
/*
 * LIKE: % is any text, also none; _ is one character; \ before one of these or itself takes it as
 * it is. Upper and lower case differ.
 *
 * Method: greedy with one place to come back to, the last %: text times pattern at worst, no
 * recursion.
 */
#include "store/filter.h"

#include <string.h>

static size_t character_bytes(const char *text)
{
    size_t length = 1;
    while (((unsigned char)text[length] & 0xC0) == 0x80)
        length++;
    return length;
}

bool vt_like_matches(const char *pattern, const char *text)
{
    const char *retry_pattern = NULL, *retry_text = NULL;
    for (;;) {
        if (*pattern == '%') {
            retry_pattern = ++pattern;
            retry_text = text;
            if (*pattern == '\0')
                return true;
            continue;
        }
        bool escaped = *pattern == '\\' && pattern[1] != '\0';
        if (*text == '\0' && *pattern == '\0')
            return true;
        if (*text != '\0' && *pattern == '_') {
            text += character_bytes(text);
            pattern++;
        } else if (*text != '\0' && *text == pattern[escaped]) {
            text++;
            pattern += 1 + escaped;
        } else if (retry_pattern != NULL && *retry_text != '\0') {
            retry_text += character_bytes(retry_text);
            text = retry_text;
            pattern = retry_pattern;
        } else {
            return false;
        }
    }
}

size_t vt_like_prefix(const char *pattern, char *out, bool *whole)
{
    size_t length = 0;
    while (*pattern != '\0' && *pattern != '%' && *pattern != '_') {
        if (*pattern == '\\' && pattern[1] != '\0')
            pattern++;
        out[length++] = *pattern++;
    }
    out[length] = '\0';
    *whole = strcmp(pattern, "%") == 0;
    return length;
}

bool vt_like_is_valid(const char *pattern)
{
    for (; *pattern != '\0'; pattern++)
        if (*pattern == '\\' && *++pattern == '\0')
            return false;
    return true;
}
