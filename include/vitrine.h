/* SPDX-License-Identifier: Apache-2.0 */
/*
 * vitrine - visual product search: the public interface, whole, in one header.
 *
 * A *shop* is a directory with a catalogue of products, their pictures and one vector per picture.
 * The smallest correct use (every call returns a vt_status; `error` may be NULL everywhere):
 *
 *     vt_error error;
 *     vt_shop *shop;
 *     vt_answer *answer;
 *     vt_query query = vt_query_defaults();
 *     const char *photos[] = {"photo.jpg"};
 *     query.photos = photos;
 *     query.photo_count = 1;
 *     if (vt_shop_open("my.shop", &shop, &error) != VT_OK)
 *         fprintf(stderr, "%s\n", error.message);
 *     vt_shop_search(shop, &query, &answer, &error);
 *     for (size_t i = 0; i < answer->count; i++)
 *         printf("%.3f %s\n", answer->results[i].similarity, answer->results[i].title);
 *     vt_answer_free(answer);
 *     vt_shop_close(shop);
 *
 * Threads: one shop may be searched from many threads at once; import, remove and close need it alone.
 * Ownership: what a function hands out through a `**out` is the caller's, to be released with the
 * `_free` or `_close` of the same noun; everything else that is returned or passed is borrowed.
 * Out-parameters are untouched when a call fails. Strings are UTF-8.
 */
#ifndef VITRINE_H
#define VITRINE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#if defined(__GNUC__)
#define VT_API __attribute__((visibility("default")))
#define VT_PRINTF(format, first) __attribute__((format(printf, format, first)))
#else
#define VT_API
#define VT_PRINTF(format, first)
#endif

/* ---------------------------------------------------------------------------------- status */

/* Every code: name, text, HTTP status, exit code of the program. */
#define VT_STATUS_TABLE(X)                                                                         \
    X(VT_OK, "ok", 200, 0)                                                                         \
    X(VT_ERR_INTERNAL, "internal error", 500, 1)                                                   \
    X(VT_ERR_USAGE, "invalid argument", 400, 2)                                                    \
    X(VT_ERR_NOT_FOUND, "not found", 404, 3)                                                       \
    X(VT_ERR_EXISTS, "already exists", 409, 4)                                                     \
    X(VT_ERR_FORMAT, "malformed input", 422, 5)                                                    \
    X(VT_ERR_UNSUPPORTED, "not supported", 415, 6)                                                 \
    X(VT_ERR_LIMIT, "over a limit", 413, 7)                                                        \
    X(VT_ERR_DENIED, "not allowed", 403, 8)                                                        \
    X(VT_ERR_IO, "input or output failed", 500, 9)                                                 \
    X(VT_ERR_CORRUPT, "damaged data", 500, 10)                                                     \
    X(VT_ERR_MISMATCH, "does not match", 500, 11)                                                  \
    X(VT_ERR_BUSY, "in use", 503, 12)                                                              \
    X(VT_ERR_CANCELLED, "cancelled", 499, 13)                                                      \
    X(VT_ERR_NO_MEMORY, "out of memory", 503, 14)

typedef enum vt_status {
#define VT_STATUS_ENUM(name, text, http, exit_code) name,
    VT_STATUS_TABLE(VT_STATUS_ENUM)
#undef VT_STATUS_ENUM
        VT_STATUS_COUNT
} vt_status;

/* What went wrong, on what, and why. Belongs to the caller; any function takes NULL instead. */
typedef struct vt_error {
    vt_status status;
    char message[512]; /* lower case, no full stop, always terminated */
} vt_error;

VT_API const char *vt_status_text(vt_status status);
VT_API int vt_status_http(vt_status status);
VT_API int vt_status_exit_code(vt_status status);

VT_API const char *vt_version(void);

#ifdef __cplusplus
}
#endif

#endif
