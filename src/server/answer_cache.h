/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Inside src/server: answers that were given before.
 *
 *     vt_answer_cache_new(32 << 20, &cache, error);
 *     status = vt_answer_request(request, error);     // the route's handler, or what it answered
 *     vt_answer_cache_free(cache);
 *
 * Threads: any.
 */
#ifndef VT_SERVER_ANSWER_CACHE_H
#define VT_SERVER_ANSWER_CACHE_H

#include "server/http.h"

typedef struct vt_answer_cache vt_answer_cache;
/* maximum_bytes 0: nothing is kept, clients still learn what they have. */
vt_status vt_answer_cache_new(size_t maximum_bytes, vt_answer_cache **out, vt_error *error);
void vt_answer_cache_free(vt_answer_cache *cache); /* NULL is fine */
size_t vt_answer_cache_bytes(vt_answer_cache *cache);

/* The answer of `key` at this change number, appended to `out`; *type: its media type. false: there
 * is none. */
bool vt_answer_cache_find(vt_answer_cache *cache, const vt_hash *key, uint64_t change, vt_buf *out,
                          const char **type);
/* Without memory, or when it is too large, it is not kept. type: static. */
void vt_answer_cache_keep(vt_answer_cache *cache, const vt_hash *key, uint64_t change,
                          const vt_buf *answer, const char *type);

/* As the route's handler. */
vt_status vt_answer_request(vt_request *request, vt_error *error);

#endif
