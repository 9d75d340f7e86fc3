/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Status codes and error detail, as every folder uses them.
 *
 *     return vt_fail(error, VT_ERR_FORMAT, "read \"%s\": line %zu has %zu fields, the header %zu",
 *                    path, line, have, want);
 *
 * Threads: no shared state. A vt_error belongs to whoever declared it.
 */
#ifndef VT_BASE_STATUS_H
#define VT_BASE_STATUS_H

#include "vitrine.h"

/* Fills *error (may be NULL) and returns `status`, so that a failing line is one statement. */
vt_status vt_fail(vt_error *error, vt_status status, const char *format, ...) VT_PRINTF(3, 4);

/* As vt_fail with VT_ERR_NO_MEMORY: names what could not be held. Returns VT_ERR_NO_MEMORY. */
vt_status vt_fail_memory(vt_error *error, const char *what);

/* As vt_fail, with the status and the text that fit errno value `code` (ENOENT: not found, EACCES:
 * not allowed, ENOMEM: no memory, otherwise VT_ERR_IO): `<action> "<item>": <reason>`. */
vt_status vt_fail_errno(vt_error *error, int code, const char *action, const char *item);

/* Puts `<context>: ` before the message that *error already has. Returns error->status, or `status`
 * when error is NULL. For adding what the caller knows (a line number, a product) on the way up. */
vt_status vt_fail_context(vt_error *error, vt_status status, const char *format, ...)
    VT_PRINTF(3, 4);

#endif
