/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Inside src/server: the face that looks like Google Vision product search.
 *
 *     vt_vision_filter("color = red AND size = 42", &where, error);   // "color" = 'red' AND ...
 *
 * Threads: as http.h says of requests.
 */
#ifndef VT_SERVER_VISION_H
#define VT_SERVER_VISION_H

#include "server/http.h"

/* Appends the same filter as docs/filters.md writes it. */
vt_status vt_vision_filter(const char *text, vt_buf *out, vt_error *error);

#endif
