/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Inside src/server: a request from its head to its answer, and what all of them share.
 *
 *     static vt_status answer_info(vt_request *request, vt_error *error)
 *     {
 *         vt_json_writer writer;
 *         vt_reply_begin(request, &writer);
 *         vt_json_put_text(&writer, "version", vt_version());
 *         return vt_reply_end(request, &writer, 200, error);
 *     }
 *
 * A handler that fails returns the failure: the problem document is made of it. One that refuses
 * with an HTTP status of its own says so with vt_refuse.
 *
 * Threads: a request belongs to one thread at a time: a network thread until its body is there,
 * then a worker, then a network thread again.
 */
#ifndef VT_SERVER_HTTP_H
#define VT_SERVER_HTTP_H

#include "base/json.h"
#include "base/mem.h"
#include "base/thread.h"
#include "server/server.h"

#include <microhttpd.h>
#include <pthread.h>
#include <stdatomic.h>

typedef struct vt_request vt_request;
typedef vt_status vt_handler(vt_request *request, vt_error *error);

/* ---- routes ---- */

/* Whether a route takes a body, and when its handler is called. */
typedef enum vt_body {
    VT_BODY_NONE = false,
    VT_BODY_WHOLE = true, /* once, when all of it is there */
    VT_BODY_LINES,        /* whenever further lines are there, and at the end: vt_body_lines */
} vt_body;

typedef struct vt_route {
    const char *method;
    const char *pattern; /* "/v1/products/{id}/similar": a part in braces is one segment */
    vt_scope scope;
    bool immediate; /* answered by the network thread: nothing but memory is touched */
    vt_body body;   /* may have one */
    vt_handler *handler;
} vt_route;

extern const vt_route vt_routes[];
extern const size_t vt_route_count;

enum { VT_ROUTE_PARAMETERS = 2, VT_ROUTES_MAXIMUM = 64, VT_BATCHES_MOST = 4 };

typedef struct vt_routing {
    const vt_route *route;                 /* NULL: there is none */
    char *parameters[VT_ROUTE_PARAMETERS]; /* decoded, owned */
    bool path_known;                       /* with other methods: */
    char allow[64];                        /* "GET, HEAD, DELETE" */
} vt_routing;

/* path: as it came, percent-encoded. VT_ERR_USAGE: a part of it does not decode. */
vt_status vt_routing_find(const char *method, const char *path, vt_routing *out, vt_error *error);
void vt_routing_deinit(vt_routing *routing);

/* ---- request ---- */

enum { VT_SEARCH_ID_CHARS = 32 };

typedef enum vt_phase {
    VT_PHASE_BODY,   /* head is there, body comes */
    VT_PHASE_QUEUED, /* waits for a worker, or a worker has it */
    VT_PHASE_READY,  /* the answer is there */
} vt_phase;

/* A body that is worked on while it comes: `body` of the request holds what was not yet. */
typedef struct vt_lines {
    size_t count;
    bool counted; /* among those at once */
    bool begun;   /* some were worked on: an answer of the request as a whole is too late */
    bool ended;   /* nothing follows what is in the body */
    bool cut;     /* nothing more of it is worked on: */
    vt_error why;
} vt_lines;

struct vt_request {
    vt_server *server;
    struct MHD_Connection *connection;
    vt_routing routing;
    char *path; /* as it came, without the query; owned */
    char method[16], content_type[256];
    char key_id[VT_KEY_ID_CHARS + 1]; /* "": none */
    vt_phase phase;
    bool uncached; /* the answer depends on more than the request and the shop */
    bool cached;   /* it is one that was given before */
    bool draining; /* the body is read and forgotten: the request is refused already */
    vt_buf body;
    size_t received_bytes;
    size_t forgotten_bytes; /* of them, since nothing is made of them any more */
    vt_lines lines;         /* of a body of VT_BODY_LINES */
    double started_ms;
    /* the answer */
    int http;
    vt_status status;
    vt_buf answer;
    const char *answer_type; /* static */
    const char *cache;       /* Cache-Control, static; NULL: no-store */
    const char *policy;      /* Content-Security-Policy, static; NULL: that of data */
    char etag[96];           /* with quotes; "": none */
    char search_id[VT_SEARCH_ID_CHARS + 1]; /* "": it is no search */
    int retry_ms;                           /* 0: no Retry-After */
    struct MHD_Response *prepared;          /* shared with others, borrowed; goes before `answer` */
    bool prepared_owned; /* it is for this request alone, which gives it up when sent */
};

/* request.c: percent-decoding in place; false: malformed, a NUL, or not UTF-8. */
bool vt_percent_decode(char *text);
/* *out: value of a query parameter, decoded, the caller's (vt_free); NULL: not given. */
vt_status vt_query_text(vt_request *request, const char *name, char **out, vt_error *error);
vt_status vt_query_size(vt_request *request, const char *name, size_t maximum, size_t *value,
                        vt_error *error);                     /* *value stays when not given */
const char *vt_header(vt_request *request, const char *name); /* borrowed; NULL: none */
/* The media type is this one, whatever its parameters. */
bool vt_content_is(const vt_request *request, const char *type);
/* The body as a JSON object; *out is the caller's. */
vt_status vt_body_json(vt_request *request, vt_json **out, vt_error *error);
/* A member of it that is a whole number from `low` to `high`; anything else: VT_ERR_USAGE. */
vt_status vt_member_whole(const vt_json *value, const char *name, double low, double high,
                          size_t *out, vt_error *error);

/* ---- body.c ---- */

/* The rest of the body is read and forgotten, and answered by what is prepared. */
void vt_body_refuse(vt_request *request, vt_status status, const vt_error *error);
void vt_body_drop(vt_request *request);
/* Adds what has come. True: there are lines to work on, which is done before more is taken. */
bool vt_body_gather(vt_request *request, const char *bytes, size_t length);
/* The first `length` bytes were worked on. */
void vt_body_consume(vt_request *request, size_t length);
/* Room for one more body of lines, until vt_body_leave. */
vt_status vt_body_enter(vt_request *request, vt_error *error);
void vt_body_leave(vt_request *request);

/* ---- reply.c ---- */

/* Refuses with this HTTP status; the code in the problem is `status`. */
vt_status vt_refuse(vt_request *request, int http, vt_status status, vt_error *error,
                    const char *format, ...) VT_PRINTF(5, 6);
void vt_reply_begin(vt_request *request, vt_json_writer *writer); /* an open object */
vt_status vt_reply_end(vt_request *request, vt_json_writer *writer, int http, vt_error *error);
/* HTTP status and detail of a failure, as clients are told: what failed inside is logged instead.
 */
int vt_problem_of(vt_request *request, vt_status status, const vt_error *error,
                  const char **detail);
const char *vt_status_name(vt_status status); /* "VT_ERR_USAGE" */
/* Replaces whatever was prepared by a problem document (RFC 9457). */
void vt_reply_problem(vt_request *request, vt_status status, const vt_error *error);
/* Hands the answer to the network; false: the connection is to be closed. */
bool vt_reply_send(vt_request *request);
void vt_add_security_headers(struct MHD_Response *response, bool page);
/* What only answers over TLS have. */
void vt_add_transport_headers(const vt_server *server, struct MHD_Response *response);
/* The client has what this ETag names. */
bool vt_etag_matches(vt_request *request, const char *etag);
void vt_put_product(vt_json_writer *writer, const vt_product *product); /* product_json.c */
/* Members of a product for a list: without description and attributes. */
void vt_put_product_brief(vt_json_writer *writer, const vt_product *product);
void vt_put_similarity(vt_json_writer *writer, double similarity); /* rounded */
void vt_put_facets(vt_json_writer *writer, const vt_facet *facets, size_t count);

/* ---- multipart.c ---- */

typedef struct vt_part {
    const char *name, *filename; /* in the form's arena; filename NULL: a plain field */
    const char *bytes;           /* in the body */
    size_t length;
} vt_part;
enum { VT_PARTS_MAXIMUM = 1024 };
typedef struct vt_form {
    vt_part parts[VT_PARTS_MAXIMUM];
    size_t count;
    vt_arena *arena; /* borrowed */
} vt_form;
/* Splits a multipart/form-data body (RFC 7578). The form borrows `body`. */
vt_status vt_form_parse(const char *content_type, const char *body, size_t length, vt_form *form,
                        vt_error *error);

/* ---- changing products: product_read.c, product_routes.c ---- */

typedef enum vt_change_kind {
    VT_CHANGE_PUT,
    VT_CHANGE_PATCH,
    VT_CHANGE_ADD_PHOTOS,
    VT_CHANGE_REMOVE
} vt_change_kind;

typedef struct vt_change {
    const char *id;
    vt_change_kind kind;
    vt_request *request;
    const vt_json *object; /* a line of a batch; NULL: the body of the request */
} vt_change;

enum { VT_INCOMING_ATTRIBUTES = 512, VT_INCOMING_PHOTOS = 64 };
typedef struct vt_incoming {
    bool only_photos, of_batch;
    vt_arena arena; /* of what was decoded; the rest points into the body */
    vt_product product;
    vt_attribute attributes[VT_INCOMING_ATTRIBUTES];
    vt_photo photos[VT_INCOMING_PHOTOS];
    size_t photo_count;
} vt_incoming;
/* base: what the change is made to, borrowed; NULL: nothing. */
vt_status vt_incoming_new(const vt_change *change, const vt_product *base, vt_incoming **out,
                          vt_error *error);
void vt_incoming_free(vt_incoming *in);
vt_status vt_incoming_read(const vt_change *change, vt_incoming *in, vt_error *error);
/* In a writer's turn; durable when it returns VT_OK. */
vt_status vt_change_apply(const vt_change *change, bool *created, vt_error *error);

/* ---- search_query.c ---- */

enum { VT_SEARCH_PHOTOS = 16, VT_SEARCH_LIKES = 64, VT_SEARCH_FACETS = 32, VT_SEARCH_TOP = 1000 };
typedef struct vt_search_query {
    vt_query query; /* points into the rest */
    vt_photo photos[VT_SEARCH_PHOTOS];
    const char *urls[VT_SEARCH_PHOTOS]; /* of photos that are still to be fetched; NULL: the bytes
                                           are there */
    vt_view views[VT_SEARCH_PHOTOS];
    vt_view regions[VT_SEARCH_PHOTOS]; /* parts of every photo, each a view of its own */
    size_t region_count;
    vt_like likes[VT_SEARCH_LIKES];
    const char *facets[VT_SEARCH_FACETS];
    vt_arena arena;
} vt_search_query;
/* From a body of JSON or multipart; borrows it. *out is the caller's in any case. */
vt_status vt_search_query_parse(const char *content_type, const char *body, size_t length,
                                vt_search_query *out, vt_error *error);
void vt_search_query_deinit(vt_search_query *query);
/* "a,b" apart: names (capacity) point into `text`, which is changed. */
vt_status vt_split_names(char *text, const char **names, size_t capacity, size_t *count,
                         vt_error *error);

/* ---- limiter.c: a token bucket ---- */

typedef struct vt_bucket {
    double tokens, filled_ms;
} vt_bucket;
/* Takes a token of a bucket that gets `rate` a second and holds `burst`. 0: it was there, otherwise
 * the milliseconds until there is one. A zeroed bucket is full. */
int vt_bucket_take(vt_bucket *bucket, double rate, double burst, double now_ms);

/* ---- keys.c ---- */

typedef struct vt_keyring vt_keyring;
vt_status vt_keyring_new(const char *directory, vt_keyring **out, vt_error *error);
void vt_keyring_free(vt_keyring *keyring);
size_t vt_keyring_count(vt_keyring *keyring);
typedef enum vt_key_verdict {
    VT_KEY_GOOD,
    VT_KEY_MISSING, /* none was given, or it is none of ours */
    VT_KEY_EXPIRED,
    VT_KEY_SCOPE, /* may not do this */
    VT_KEY_RATE,  /* too often; *retry_ms says when */
} vt_key_verdict;
/* text: what was given; id: (VT_KEY_ID_CHARS + 1), filled when the key is ours. */
vt_key_verdict vt_keyring_check(vt_keyring *keyring, const char *text, vt_scope scope, char *id,
                                int *retry_ms);

/* ---- connections.c ---- */

typedef struct vt_connections vt_connections;
typedef enum vt_wait { VT_WAIT_HEAD, VT_WAIT_BODY, VT_WAIT_US, VT_WAIT_READER } vt_wait;
vt_status vt_connections_new(const vt_server_options *options, vt_connections **out,
                             vt_error *error);
void vt_connections_free(vt_connections *connections);
void *vt_connection_open(vt_connections *connections, int fd); /* NULL: no memory */
void vt_connection_close(vt_connections *connections, void *connection);
/* What the connection waits for from now on. */
void vt_connection_waits(vt_connections *connections, void *connection, vt_wait wait);
size_t vt_connections_count(vt_connections *connections);

/* ---- metrics.c ---- */

enum { VT_METRIC_BUCKETS = 14 };
typedef struct vt_route_metrics {
    atomic_uint_fast64_t classes[6]; /* by first digit of the status */
    atomic_uint_fast64_t buckets[VT_METRIC_BUCKETS + 1];
    atomic_uint_fast64_t sum_us;
} vt_route_metrics;
typedef struct vt_metrics {
    vt_route_metrics routes[VT_ROUTES_MAXIMUM + 1]; /* last: no route */
    atomic_uint_fast64_t cache_hits, cache_misses, not_modified;
    atomic_uint_fast64_t refused_queue, refused_memory, refused_rate, aborted, timed_out;
} vt_metrics;
void vt_metrics_note(vt_metrics *metrics, const vt_request *request, double took_ms);
void vt_metrics_print(vt_server *server, vt_buf *out);

/* access_log.c */
void vt_access_log(vt_request *request, double took_ms, bool aborted);

/* ---- pages.c: what lies in web/ ---- */

typedef struct vt_web_file {
    const char *path; /* "/app.js" */
    const unsigned char *bytes;
    size_t length;
} vt_web_file;
extern const vt_web_file vt_web_files[]; /* generated */
extern const size_t vt_web_file_count;
typedef struct vt_pages vt_pages;
vt_status vt_pages_new(const vt_server *server, vt_pages **out, vt_error *error);
void vt_pages_free(vt_pages *pages);

/* ---- listen.c ---- */

typedef struct vt_listener {
    int fd;
    bool loopback, ipv6, handed_over;
    char address[128]; /* "http://127.0.0.1:8080" */
} vt_listener;
vt_status vt_listener_open(const char *listen, vt_listener *out, vt_error *error);
/* Tells systemd, where there is one. */
void vt_notify(const char *state);

/* ---- workers.c ---- */

/* Nice values on top of the process's: what computes for requests, and jobs. */
enum { VT_NICE_WORK = 5, VT_NICE_JOB = 10 };
/* VT_ERR_BUSY: too many requests wait already. */
vt_status vt_work_admit(vt_request *request, vt_error *error);
/* Puts the request in the queue; false: it was refused instead. */
bool vt_work_enqueue(vt_request *request);
void vt_work_on(vt_request *request); /* in the calling thread */
vt_status vt_workers_start(vt_server *server, vt_error *error);
/* The encoder is there before the first one asks, and its threads compute as workers do. */
vt_status vt_workers_warm(vt_server *server, vt_error *error);

/* ---- server.c ---- */

/* Whether who asks may do what another scope than the route's is for. */
vt_status vt_request_allow(vt_request *request, vt_scope scope, vt_error *error);
/* What the request's connection waits for from now on. */
void vt_request_waits(vt_request *request, vt_wait wait);

struct vt_server {
    vt_server_options options;
    vt_shop *shop;
    const char *directory;      /* of the shop, which lends it */
    struct vt_jobs *jobs;       /* NULL: the shop is open for reading only */
    pthread_mutex_t write_lock; /* around what changes products: searches go on beside it */
    bool importing;             /* under write_lock: a job changes them */
    pthread_mutex_t info_lock;  /* around vt_shop_info_of and what it lends */
    vt_listener listener;
    struct MHD_Daemon *daemon;
    vt_connections *connections;
    vt_keyring *keyring;
    vt_pages *pages;
    struct vt_answer_cache *cache;
    struct vt_tls *tls; /* NULL: plain HTTP */
    vt_queue *queue;
    vt_thread **threads; /* (worker_count) */
    int worker_count;
    pthread_mutex_t log_lock;
    atomic_int waiting, in_flight, fetching, batches;
    atomic_size_t bodies_bytes;
    atomic_bool stopping, ready;
    double started_ms;
    vt_metrics metrics;
};

#endif
