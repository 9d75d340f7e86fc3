/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Answers that were given before: to equal requests with the same key, as long as nothing in the
 * shop has changed.
 *
 * Method: a request is named by the hash (BLAKE2b-256) of its route, its key's id, its path and
 * parameters, and its body; of a form the parts' names and contents, since every client draws
 * another boundary. Pictures are in that hash and nowhere else. An answer is kept with the shop's
 * change number, which was read before it was worked out: whatever is committed meanwhile makes the
 * number differ, and a number that differs is no answer. Answers are thrown away by least recent
 * use.
 *
 * For GET the same name and number make an ETag, so that a client that has the answer is told so
 * before anything is searched. It is weak: a repeated answer differs in its times. It holds for one
 * run of the server, whose options are part of an answer.
 *
 * What depends on more than request and shop (a picture that is fetched) is marked by its handler
 * and not kept. A search's id is of this answer alone, also of one that was given before or is not
 * given again (304): it is drawn here and goes into a header.
 */
#include "server/answer_cache.h"
#include "server/routes.h"

#include "base/hash.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

enum {
    SLOTS = 4096,
    LARGEST_SHARE = 8, /* no answer takes more of the memory than one in so many */
    FORM_BYTES = 1 << 20,
};

typedef struct entry {
    struct entry *next;          /* of the same slot */
    struct entry *newer, *older; /* by use */
    vt_hash key;
    uint64_t change;
    const char *type; /* static */
    size_t length;
    char bytes[];
} entry;

struct vt_answer_cache {
    pthread_mutex_t lock; /* everything below */
    size_t maximum_bytes, bytes;
    entry *newest, *oldest;
    entry *slots[SLOTS];
};

vt_status vt_answer_cache_new(size_t maximum_bytes, vt_answer_cache **out, vt_error *error)
{
    vt_answer_cache *cache = vt_calloc(1, sizeof(*cache));
    if (cache == NULL)
        return vt_fail_memory(error, "kept answers");
    pthread_mutex_init(&cache->lock, NULL);
    cache->maximum_bytes = maximum_bytes;
    *out = cache;
    return VT_OK;
}

static size_t slot_of(const vt_hash *key)
{
    return (size_t)(vt_table_hash(key->bytes, sizeof(key->bytes)) % SLOTS);
}

static size_t size_of(const entry *one)
{
    return sizeof(*one) + one->length;
}

/* ---- order of use; called with the lock held ---- */

static void put_newest(vt_answer_cache *cache, entry *one)
{
    one->newer = NULL;
    one->older = cache->newest;
    *(cache->newest != NULL ? &cache->newest->newer : &cache->oldest) = one;
    cache->newest = one;
}

static void take_out(vt_answer_cache *cache, entry *one)
{
    *(one->newer != NULL ? &one->newer->older : &cache->newest) = one->older;
    *(one->older != NULL ? &one->older->newer : &cache->oldest) = one->newer;
}

static void forget(vt_answer_cache *cache, entry *one)
{
    entry **at = &cache->slots[slot_of(&one->key)];
    while (*at != one)
        at = &(*at)->next;
    *at = one->next;
    take_out(cache, one);
    cache->bytes -= size_of(one);
    vt_free(one);
}

static entry *find(vt_answer_cache *cache, const vt_hash *key)
{
    entry *one = cache->slots[slot_of(key)];
    while (one != NULL && memcmp(&one->key, key, sizeof(*key)) != 0)
        one = one->next;
    return one;
}

void vt_answer_cache_free(vt_answer_cache *cache)
{
    if (cache == NULL)
        return;
    while (cache->newest != NULL)
        forget(cache, cache->newest);
    pthread_mutex_destroy(&cache->lock);
    vt_free(cache);
}

size_t vt_answer_cache_bytes(vt_answer_cache *cache)
{
    pthread_mutex_lock(&cache->lock);
    size_t bytes = cache->bytes;
    pthread_mutex_unlock(&cache->lock);
    return bytes;
}

bool vt_answer_cache_find(vt_answer_cache *cache, const vt_hash *key, uint64_t change, vt_buf *out,
                          const char **type)
{
    bool found = false;
    pthread_mutex_lock(&cache->lock);
    entry *one = find(cache, key);
    if (one != NULL && one->change != change) {
        forget(cache, one);
        one = NULL;
    }
    if (one != NULL) {
        take_out(cache, one);
        put_newest(cache, one);
        found = vt_buf_append(out, one->bytes, one->length);
        *type = one->type;
    }
    pthread_mutex_unlock(&cache->lock);
    return found;
}

void vt_answer_cache_keep(vt_answer_cache *cache, const vt_hash *key, uint64_t change,
                          const vt_buf *answer, const char *type)
{
    if (answer->length > cache->maximum_bytes / LARGEST_SHARE)
        return;
    entry *one = vt_alloc(sizeof(*one) + answer->length);
    if (one == NULL)
        return;
    *one = (entry){.key = *key, .change = change, .type = type, .length = answer->length};
    memcpy(one->bytes, vt_buf_text(answer), answer->length);
    pthread_mutex_lock(&cache->lock);
    entry *old = find(cache, key);
    if (old != NULL)
        forget(cache, old);
    while (cache->oldest != NULL && cache->bytes + size_of(one) > cache->maximum_bytes)
        forget(cache, cache->oldest);
    if (cache->bytes + size_of(one) <= cache->maximum_bytes) {
        entry **slot = &cache->slots[slot_of(key)];
        one->next = *slot;
        *slot = one;
        put_newest(cache, one);
        cache->bytes += size_of(one);
        one = NULL;
    }
    pthread_mutex_unlock(&cache->lock);
    vt_free(one);
}

/* ---- what a request is named by ---- */

static enum MHD_Result add_argument(void *context, enum MHD_ValueKind kind, const char *name,
                                    const char *value)
{
    (void)kind;
    vt_hasher_add_text(context, name);
    vt_hasher_add_text(context, value);
    return MHD_YES;
}

static void add_bytes(vt_hasher *hasher, const void *bytes, size_t length)
{
    uint64_t size = length;
    vt_hasher_add(hasher, &size, sizeof(size));
    vt_hasher_add(hasher, bytes, length);
}

/* false: it is no form; the handler will say so. */
static bool add_form(vt_hasher *hasher, const vt_request *request)
{
    vt_arena arena;
    vt_arena_init(&arena, FORM_BYTES);
    vt_form *form = vt_calloc(1, sizeof(*form));
    bool good = form != NULL;
    if (good) {
        form->arena = &arena;
        good = vt_form_parse(request->content_type, vt_buf_text(&request->body),
                             request->body.length, form, NULL) == VT_OK;
    }
    for (size_t i = 0; good && i < form->count; i++) {
        vt_hasher_add_text(hasher, form->parts[i].name);
        add_bytes(hasher, form->parts[i].bytes, form->parts[i].length);
    }
    vt_free(form);
    vt_arena_deinit(&arena);
    return good;
}

/* *named: there is such a hash. */
static vt_hash name_of(vt_request *request, bool *named)
{
    vt_hasher hasher;
    vt_hasher_init(&hasher);
    vt_hasher_add_text(&hasher, request->routing.route->method);
    vt_hasher_add_text(&hasher, request->path);
    vt_hasher_add_text(&hasher, request->key_id);
    add_bytes(&hasher, &request->server->started_ms, sizeof(request->server->started_ms));
    MHD_get_connection_values(request->connection, MHD_GET_ARGUMENT_KIND, add_argument, &hasher);
    bool form = vt_content_is(request, "multipart/form-data");
    *named = true;
    vt_hasher_add_text(&hasher, form ? "form" : request->content_type);
    if (form)
        *named = add_form(&hasher, request);
    else
        add_bytes(&hasher, vt_buf_text(&request->body), request->body.length);
    return vt_hasher_finish(&hasher);
}

/* ---- before and after a handler ---- */

/* What depends on the request and the shop alone, and costs more than the lookup. */
static bool is_repeatable(const vt_route *route)
{
    static vt_handler *const handlers[] = {vt_answer_search, vt_answer_similar, vt_answer_list,
                                           vt_answer_facets, vt_answer_annotate};
    for (size_t i = 0; i < sizeof(handlers) / sizeof(handlers[0]); i++)
        if (route->handler == handlers[i])
            return true;
    return false;
}

/* "*" means whatever there is, and is not enough to know that there is something. */
static bool client_has(vt_request *request)
{
    const char *known = vt_header(request, "If-None-Match");
    return known != NULL && strstr(known, request->etag) != NULL;
}

static void set_etag(vt_request *request, const vt_hash *name, uint64_t change)
{
    char hex[VT_HASH_HEX];
    vt_hash_hex(name, hex);
    snprintf(request->etag, sizeof(request->etag), "W/\"%" PRIu64 "-%.32s\"", change, hex);
    request->cache = "private, no-cache";
}

static vt_status answer_anew(vt_request *request, const vt_hash *name, uint64_t change,
                             vt_error *error)
{
    vt_server *server = request->server;
    vt_status status = request->routing.route->handler(request, error);
    atomic_fetch_add(&server->metrics.cache_misses, 1);
    if (status == VT_OK && request->http == MHD_HTTP_OK && !request->uncached)
        vt_answer_cache_keep(server->cache, name, change, &request->answer, request->answer_type);
    return status;
}

vt_status vt_answer_request(vt_request *request, vt_error *error)
{
    vt_server *server = request->server;
    const vt_route *route = request->routing.route;
    uint64_t change = 0;
    bool named = false;
    if (route->handler == vt_answer_search || route->handler == vt_answer_similar)
        vt_search_id_new(request->search_id);
    if (!is_repeatable(route) || vt_shop_change(server->shop, &change, NULL) != VT_OK)
        return route->handler(request, error);
    vt_hash name = name_of(request, &named);
    if (!named)
        return route->handler(request, error);
    if (!route->body)
        set_etag(request, &name, change);
    if (!route->body && client_has(request)) {
        atomic_fetch_add(&server->metrics.not_modified, 1);
        request->http = MHD_HTTP_NOT_MODIFIED;
        return VT_OK;
    }
    vt_buf_init(&request->answer, server->options.cache_bytes);
    request->cached =
        vt_answer_cache_find(server->cache, &name, change, &request->answer, &request->answer_type);
    if (!request->cached)
        return answer_anew(request, &name, change, error);
    atomic_fetch_add(&server->metrics.cache_hits, 1);
    request->http = MHD_HTTP_OK;
    return VT_OK;
}
