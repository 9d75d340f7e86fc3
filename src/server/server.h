/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A shop as an HTTP service: the API that web/openapi.json describes, and the pages of web/.
 *
 *     vt_server *server;
 *     vt_server_options options = vt_server_options_defaults();
 *     options.listen = "127.0.0.1:8080";
 *     vt_server_start(shop, &options, &server, error);   // answers from here on
 *     ... wait for a signal ...
 *     vt_server_stop(server);                            // finishes what was accepted, then frees
 *
 * listen.c        addresses, sockets, those that systemd hands over, readiness
 * server.c        the life of a server and of each request, over libmicrohttpd
 * workers.c       who is let in, the threads that work
 * connections.c   deadlines for slow heads, bodies and readers
 * routes.c        the table of routes; routing.c finds the one of a request
 * body.c, request.c, reply.c, multipart.c  what comes in and what goes out
 * keys.c, key_file.c, limiter.c            API keys, where they are kept, rates
 * search_query.c, product_read.c           what a body asks for
 * *_route.c, *_routes.c, pages.c           what routes do
 * jobs.c, job_*.c                          work that outlasts a request
 * photo_source.c  pictures in base64 and at URLs
 * answer_cache.c  answers that were given before
 * vision_*.c, weaviate_route.c             faces that look like others' services
 * tls.c           certificate and key
 * metrics.c, access_log.c                  what can be observed
 *
 * Threads: network threads read heads and bodies and answer what is in memory; everything else is
 * done by workers, which wait for a bounded queue. The shop is searched by many at once, beside one
 * that writes.
 */
#ifndef VT_SERVER_SERVER_H
#define VT_SERVER_SERVER_H

#include "base/buf.h"
#include "base/status.h"

typedef struct vt_server vt_server;

typedef struct vt_server_options {
    const char *listen; /* "host:port", "[::1]:8080", ":8080" for every address; port 0: a free one.
                           Sockets that systemd hands over go before it */
    bool open_to_all;   /* answer beyond loopback although there is no key */
    bool public_search; /* routes of scope search need no key */
    int workers;        /* requests that are worked on at once; 0: chosen from the cores */
    int queue;          /* requests that may wait for a worker; more are told to come back */
    int connections;    /* at once */
    size_t body_bytes;  /* of one request; of a batch: of a line */
    size_t bodies_bytes;            /* of all requests together */
    uint64_t maximum_pixels;        /* of a picture, by its header */
    int head_ms, body_ms, write_ms; /* how long a client may take for each part */
    int stop_ms;                    /* how long a stop waits for what was accepted */
    bool jobs;                      /* imports and index builds: the shop is open for writing */
    int job_queue;                  /* jobs that may wait for the one that runs */
    const char *import_images;      /* below it imported feeds may name pictures; NULL: nowhere */
    bool import_remote;             /* imported feeds may name addresses, of public hosts */
    int heartbeat_ms;               /* event streams say that they live */
    bool events;                    /* what shoppers did is taken and kept */
    size_t cache_bytes;             /* of answers that are kept for equal requests; 0: none */
    const char *tls_certificate, *tls_key; /* PEM files; NULL: plain HTTP */
    bool fetch_images;                     /* searches may name pictures by URL: */
    vt_photo_fetch_options fetch;          /* how, all pictures of a request together */
    /* Lines of JSON, one per request, without line end; NULL: none. Any thread, one at a time. */
    void (*on_access)(void *context, const char *line);
    void *context;
} vt_server_options;
vt_server_options vt_server_options_defaults(void);

/* The shop is borrowed until vt_server_stop; nobody else may use it. VT_ERR_DENIED: it would answer
 * strangers without a key. */
vt_status vt_server_start(vt_shop *shop, const vt_server_options *options, vt_server **out,
                          vt_error *error);
const char *vt_server_address(const vt_server *server); /* "http://127.0.0.1:8080" */
void vt_server_stop(vt_server *server);                 /* NULL is fine */
/* Reads certificate and key anew, for connections from here on; on failure those that there are
 * stay. Nothing happens without TLS. */
vt_status vt_server_reload(vt_server *server, vt_error *error);

/* ---- keys: key_file.c ---- */

/* What a key may do; bits. */
typedef enum vt_scope {
    VT_SCOPE_NONE = 0, /* of a route: needs no key */
    VT_SCOPE_SEARCH = 1,
    VT_SCOPE_WRITE = 2,
    VT_SCOPE_EMBED = 4,
    VT_SCOPE_ADMIN = 8, /* everything */
} vt_scope;

/* "search,write" to bits; VT_ERR_USAGE names what is none. */
vt_status vt_scopes_parse(const char *text, unsigned *out, vt_error *error);
void vt_scopes_print(unsigned scopes, char out[64]);

enum { VT_KEY_ID_CHARS = 12, VT_KEY_TEXT = 128, VT_KEY_NAME_BYTES = 128 };

typedef struct vt_key {
    char id[VT_KEY_ID_CHARS + 1];
    char name[VT_KEY_NAME_BYTES]; /* for people */
    unsigned scopes;
    int64_t created_s, expires_s; /* since 1970; expires 0: never */
    double rate;                  /* requests per second; 0: no limit */
    char stored[128];             /* Argon2id of the key */
    char check[17];               /* 64 bits of the key's hash: wrong keys fail fast by it */
} vt_key;

typedef struct vt_key_list {
    vt_key *items; /* owned */
    size_t count;
} vt_key_list;

/* The keys of the shop in `directory`, none when it has no file of them. */
vt_status vt_keys_read(const char *directory, vt_key_list *out, vt_error *error);
void vt_keys_deinit(vt_key_list *list);
/* Makes a key of new->name, scopes, expires_s and rate; `text` is it, to be shown once. */
vt_status vt_keys_add(const char *directory, const vt_key *wanted, char text[VT_KEY_TEXT],
                      vt_error *error);
void vt_key_check_of(const char *text, char out[17]);
vt_status vt_keys_revoke(const char *directory, const char *id, vt_error *error);

#endif
