/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Inside src/server: pictures that are in no body as they are.
 *
 *     vt_search_query_parse(..., &query, error);
 *     vt_photos_fetch(request, &query, error);      // what it names by URL is there from here on
 *
 * Threads: as http.h says of requests.
 */
#ifndef VT_SERVER_PHOTO_SOURCE_H
#define VT_SERVER_PHOTO_SOURCE_H

#include "server/http.h"

/* *out: the bytes in the arena. VT_ERR_USAGE: it is no base64, or there is nothing in it; `name`:
 * of the member, for the message. A data: URL of base64 is taken too. */
vt_status vt_photo_of_base64(vt_arena *arena, const char *name, const char *text, vt_photo *out,
                             vt_error *error);
typedef struct vt_fetching {
    vt_request *request;
    vt_arena *arena; /* takes the bytes */
    double until_ms;
    size_t bytes; /* so many more may come */
} vt_fetching;
/* A request's turn to fetch: VT_ERR_DENIED when this server fetches nothing, VT_ERR_BUSY when as
 * many workers as may wait for others' servers already do. Ends with vt_fetching_end. */
vt_status vt_fetching_begin(vt_request *request, vt_arena *arena, vt_fetching *out,
                            vt_error *error);
vt_status vt_fetching_photo(vt_fetching *fetching, const char *url, vt_photo *out, vt_error *error);
void vt_fetching_end(vt_fetching *fetching);
/* Every picture of the query that is a URL yet. */
vt_status vt_photos_fetch(vt_request *request, vt_search_query *query, vt_error *error);

#endif
