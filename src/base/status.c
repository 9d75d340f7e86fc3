/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Status codes and error messages.
 *
 * Method: one X-macro table (vitrine.h) fills one array; messages are built in a buffer on the
 * stack first, so that the arguments may point into the very error that is being replaced, and are
 * cut between characters, never inside a UTF-8 sequence.
 */
#include "base/status.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

enum { MESSAGE_BYTES = sizeof(((vt_error *)0)->message) };

typedef struct status_row {
    const char *text;
    int http;
    int exit_code;
} status_row;

static const status_row status_rows[VT_STATUS_COUNT] = {
#define STATUS_ROW(name, text, http, exit_code) [name] = {text, http, exit_code},
    VT_STATUS_TABLE(STATUS_ROW)
#undef STATUS_ROW
};

/* A number that is no code is a mistake in the program: it reads as an internal error. */
static const status_row *status_row_of(vt_status status)
{
    unsigned index = (unsigned)status;
    return &status_rows[index < VT_STATUS_COUNT ? index : (unsigned)VT_ERR_INTERNAL];
}

const char *vt_status_text(vt_status status)
{
    return status_row_of(status)->text;
}

int vt_status_http(vt_status status)
{
    return status_row_of(status)->http;
}

int vt_status_exit_code(vt_status status)
{
    return status_row_of(status)->exit_code;
}

const char *vt_version(void)
{
    return VT_VERSION;
}

/* Drops a UTF-8 sequence that the end of the buffer has cut off. */
static void message_trim_cut(char *message, size_t length)
{
    size_t start = length;
    while (start > 0 && length - start < 3 && ((unsigned char)message[start - 1] & 0xC0) == 0x80)
        start--;
    if (start == 0)
        return;
    unsigned char lead = (unsigned char)message[start - 1];
    size_t want = lead >= 0xF0 ? 4 : lead >= 0xE0 ? 3 : lead >= 0xC0 ? 2 : 1;
    if (length - (start - 1) < want)
        message[start - 1] = '\0';
}

static void message_set(vt_error *error, const char *text)
{
    size_t length = strnlen(text, MESSAGE_BYTES - 1);
    memcpy(error->message, text, length);
    error->message[length] = '\0';
    if (length == MESSAGE_BYTES - 1)
        message_trim_cut(error->message, length);
}

__attribute__((format(printf, 2, 0))) static void
message_format(vt_error *error, const char *format, va_list arguments)
{
    char text[MESSAGE_BYTES];
    if (vsnprintf(text, sizeof text, format, arguments) < 0)
        text[0] = '\0';
    message_set(error, text);
}

vt_status vt_error_set(vt_error *error, vt_status status, const char *format, ...)
{
    if (status == VT_OK)
        status = VT_ERR_INTERNAL;
    if (!error)
        return status;
    va_list arguments;
    va_start(arguments, format);
    message_format(error, format, arguments);
    va_end(arguments);
    error->status = status;
    return status;
}

vt_status vt_error_set_memory(vt_error *error, const char *what)
{
    return vt_error_set(error, VT_ERR_NO_MEMORY, "hold %s: out of memory", what);
}

vt_status vt_error_set_errno(vt_error *error, int code, const char *action, const char *item)
{
    vt_status status = code == ENOENT   ? VT_ERR_NOT_FOUND
                       : code == EACCES ? VT_ERR_DENIED
                       : code == ENOMEM ? VT_ERR_NO_MEMORY
                                        : VT_ERR_IO;
    /* Untranslated and without shared state, unlike strerror. */
    const char *text = strerrordesc_np(code);
    if (!text)
        return vt_error_set(error, status, "%s \"%s\": system error %d", action, item, code);
    char reason[96];
    snprintf(reason, sizeof reason, "%s", text);
    if (reason[0] >= 'A' && reason[0] <= 'Z' && reason[1] >= 'a' && reason[1] <= 'z')
        reason[0] = (char)(reason[0] - 'A' + 'a');
    return vt_error_set(error, status, "%s \"%s\": %s", action, item, reason);
}

vt_status vt_error_add_context(vt_error *error, vt_status status, const char *format, ...)
{
    if (status == VT_OK)
        status = VT_ERR_INTERNAL;
    if (!error)
        return status;
    char text[2 * MESSAGE_BYTES + 4];
    va_list arguments;
    va_start(arguments, format);
    int written = vsnprintf(text, MESSAGE_BYTES, format, arguments);
    va_end(arguments);
    size_t length = written < 0               ? 0
                    : written < MESSAGE_BYTES ? (size_t)written
                                              : (size_t)MESSAGE_BYTES - 1;
    snprintf(text + length, sizeof text - length, ": %s", error->message);
    message_set(error, text);
    if (error->status == VT_OK)
        error->status = status;
    return error->status;
}
