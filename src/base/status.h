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
#define vt_fail(...) vt_failed(vt_error_set(__VA_ARGS__))

/* As vt_fail with VT_ERR_NO_MEMORY: (error, what) names what could not be held. */
#define vt_fail_memory(...) vt_failed(vt_error_set_memory(__VA_ARGS__))

/* As vt_fail, with the status and the text that fit an errno value (ENOENT: not found, EACCES: not
 * allowed, ENOMEM: no memory, otherwise VT_ERR_IO): (error, code, action, item) becomes
 * `<action> "<item>": <reason>`. */
#define vt_fail_errno(...) vt_failed(vt_error_set_errno(__VA_ARGS__))

/* Puts `<context>: ` before the message that *error already has. Returns error->status, or `status`
 * when error is NULL. For adding what the caller knows (a line number, a product) on the way up. */
#define vt_fail_context(...) vt_failed(vt_error_add_context(__VA_ARGS__))

/* Behind those. VT_OK is no failure: it is taken for VT_ERR_INTERNAL. */
vt_status vt_error_set(vt_error *error, vt_status status, const char *format, ...) VT_PRINTF(3, 4);
vt_status vt_error_set_memory(vt_error *error, const char *what);
vt_status vt_error_set_errno(vt_error *error, int code, const char *action, const char *item);
vt_status vt_error_add_context(vt_error *error, vt_status status, const char *format, ...)
    VT_PRINTF(3, 4);

/* Tells compilers and analysers what holds: a failure is never VT_OK, so what a failing call leaves
 * unset is never read. */
static inline vt_status vt_failed(vt_status status)
{
    if (status == VT_OK)
        __builtin_unreachable();
    return status;
}

#endif
