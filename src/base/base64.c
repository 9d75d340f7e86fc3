/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Base64 (RFC 4648, section 4).
 *
 * Decoding is strict: the length is a multiple of four, padding stands at the end only, and the
 * bits that a padded group leaves over are zero, so that every content has exactly one text.
 */
#include "base/buf.h"

#include "base/mem.h"

bool vt_buf_append_base64(vt_buf *buf, const void *bytes, size_t length)
{
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    size_t encoded;
    if (!vt_size_mul(length / 3 + (length % 3 != 0), 4, &encoded))
        buf->failed = true;
    if (!vt_buf_reserve(buf, buf->failed ? 0 : encoded))
        return false;
    const uint8_t *in = bytes;
    char *out = buf->data + buf->length;
    for (; length >= 3; length -= 3, in += 3) {
        uint32_t group = (uint32_t)in[0] << 16 | (uint32_t)in[1] << 8 | in[2];
        *out++ = digits[group >> 18];
        *out++ = digits[group >> 12 & 63];
        *out++ = digits[group >> 6 & 63];
        *out++ = digits[group & 63];
    }
    if (length) {
        uint32_t group = (uint32_t)in[0] << 16 | (length == 2 ? (uint32_t)in[1] << 8 : 0);
        *out++ = digits[group >> 18];
        *out++ = digits[group >> 12 & 63];
        *out++ = length == 2 ? digits[group >> 6 & 63] : '=';
        *out++ = '=';
    }
    buf->length += encoded;
    *out = '\0';
    return true;
}

static int base64_digit(char c)
{
    if (c >= 'A' && c <= 'Z')
        return c - 'A';
    if (c >= 'a' && c <= 'z')
        return c - 'a' + 26;
    if (c >= '0' && c <= '9')
        return c - '0' + 52;
    return c == '+' ? 62 : c == '/' ? 63 : -1;
}

bool vt_buf_append_unbase64(vt_buf *buf, const char *text, size_t length)
{
    if (length % 4 != 0 || buf->failed)
        return false;
    size_t padding = 0;
    while (padding < 2 && padding < length && text[length - 1 - padding] == '=')
        padding++;
    size_t start = buf->length, digits = length - padding;
    if (!vt_buf_reserve(buf, length / 4 * 3 - padding))
        return false;
    uint8_t *out = (uint8_t *)buf->data + start;
    uint32_t bits = 0;
    for (size_t i = 0; i < digits; i++) {
        int digit = base64_digit(text[i]);
        if (digit < 0) {
            buf->data[start] = '\0';
            return false;
        }
        /* The byte that this digit completes, if it is not the first of its group. */
        bits = bits << 6 | (uint32_t)digit;
        if (i % 4 != 0)
            *out++ = (uint8_t)(bits >> (6 - 2 * (i % 4)));
    }
    bool left_over = padding && (bits & (padding == 1 ? 3 : 15)) != 0;
    buf->length = left_over ? start : start + (length / 4 * 3 - padding);
    buf->data[buf->length] = '\0';
    return !left_over;
}
