/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The life of a server, and of each request, over libmicrohttpd.
 *
 * A request: its head is read by a network thread, which finds the route, checks the key and
 * decides whether the body is wanted. The body is gathered, or forgotten when the request is
 * refused already: an answer before the end of a body would be lost when the connection is closed
 * under it (and libmicrohttpd stops reading when it has an answer). Then the connection is
 * suspended and the request waits in the queue for a worker, unless the route is immediate; one
 * whose body is lines does so whenever there are some, and its next bytes stay in the socket. The
 * worker leaves the answer in the request and resumes the connection; the network thread sends it.
 *
 * Who is let in, and who works: workers.c.
 *
 * Stopping: no new connection is taken, what was accepted is finished (or given up after stop_ms),
 * the workers end with the queue, and only then the network threads.
 */
#include "server/answer_cache.h"
#include "server/jobs.h"
#include "server/tls.h"

#include "base/clock.h"
#include "base/file.h"
#include "base/log.h"
#include "base/mem.h"

#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum {
    NETWORK_THREADS_MOST = 8,
    CONNECTION_BYTES = 32 << 10, /* of a head, and of what is sent at once */
    STOP_POLL_US = 10000,
};

vt_server_options vt_server_options_defaults(void)
{
    return (vt_server_options){.listen = "127.0.0.1:8080",
                               .queue = 128,
                               .connections = 4096,
                               .body_bytes = 32 << 20,
                               .bodies_bytes = 512 << 20,
                               .cache_bytes = 32 << 20,
                               .maximum_pixels = 8192 * 6144, /* the photos of large phones */
                               .head_ms = 20000,
                               .body_ms = 60000,
                               .write_ms = 60000,
                               .stop_ms = 30000,
                               .job_queue = 8,
                               .heartbeat_ms = 15000,
                               .fetch = vt_photo_fetch_options_defaults()};
}

/* ---- a request ---- */

static void *connection_of(vt_request *request)
{
    const union MHD_ConnectionInfo *info =
        MHD_get_connection_info(request->connection, MHD_CONNECTION_INFO_SOCKET_CONTEXT);
    return info != NULL ? info->socket_context : NULL;
}

void vt_request_waits(vt_request *request, vt_wait wait)
{
    vt_connection_waits(request->server->connections, connection_of(request), wait);
}

static void free_request(vt_request *request)
{
    if (request->prepared_owned)
        MHD_destroy_response(request->prepared);
    vt_routing_deinit(&request->routing);
    vt_buf_deinit(&request->body);
    vt_buf_deinit(&request->answer);
    vt_free(request->path);
    vt_free(request);
}

static void copy_header(vt_request *request, const char *name, char *out, size_t capacity)
{
    const char *value = vt_header(request, name);
    snprintf(out, capacity, "%s", value != NULL ? value : "");
}

/* The key as "Authorization: Bearer KEY" or "X-Api-Key: KEY", or as Google's clients send it; NULL:
 * none. */
static const char *given_key(vt_request *request)
{
    static const char bearer[] = "Bearer ";
    const char *given = vt_header(request, "Authorization");
    if (given != NULL && strncmp(given, bearer, sizeof(bearer) - 1) == 0)
        return given + sizeof(bearer) - 1;
    given = vt_header(request, "X-Api-Key");
    return given != NULL ? given : vt_header(request, "X-Goog-Api-Key");
}

/* Without any key this server answers its own machine only. A page of another site whose name was
 * made to mean this machine comes with that name. */
static bool is_local_name(vt_request *request)
{
    static const char *const names[] = {"localhost", "127.0.0.1", "[::1]"};
    const char *host = vt_header(request, "Host");
    for (size_t i = 0; host != NULL && i < sizeof(names) / sizeof(names[0]); i++) {
        size_t length = strlen(names[i]);
        if (strncmp(host, names[i], length) == 0 && (host[length] == '\0' || host[length] == ':'))
            return true;
    }
    return host == NULL;
}

/* A page of another site can make a browser send a form here: without keys nothing else would tell
 * it from our own page. */
static bool is_own_origin(vt_request *request)
{
    const char *origin = vt_header(request, "Origin"), *host = vt_header(request, "Host");
    if (origin == NULL)
        return true;
    const char *name = strstr(origin, "://");
    return name != NULL && host != NULL && strcmp(name + 3, host) == 0;
}

static vt_status admit_keyless(vt_request *request, vt_error *error)
{
    const vt_server *server = request->server;
    if (!is_own_origin(request))
        return vt_refuse(request, MHD_HTTP_FORBIDDEN, VT_ERR_DENIED, error,
                         "pages of other sites may not use a server without keys");
    if (!server->listener.loopback || server->options.open_to_all || is_local_name(request))
        return VT_OK;
    return vt_refuse(request, MHD_HTTP_FORBIDDEN, VT_ERR_DENIED, error,
                     "this server has no keys and answers to localhost only, not to this name");
}

vt_status vt_request_allow(vt_request *request, vt_scope scope, vt_error *error)
{
    vt_server *server = request->server;
    const char *key = given_key(request);
    if (scope == VT_SCOPE_NONE)
        return VT_OK;
    if (vt_keyring_count(server->keyring) == 0)
        return admit_keyless(request, error);
    if (key == NULL && scope == VT_SCOPE_SEARCH && server->options.public_search)
        return VT_OK;
    switch (vt_keyring_check(server->keyring, key, scope, request->key_id, &request->retry_ms)) {
    case VT_KEY_GOOD:
        return VT_OK;
    case VT_KEY_EXPIRED:
        return vt_refuse(request, MHD_HTTP_UNAUTHORIZED, VT_ERR_DENIED, error,
                         "the key has expired");
    case VT_KEY_SCOPE:
        return vt_refuse(request, MHD_HTTP_FORBIDDEN, VT_ERR_DENIED, error,
                         "the key may not do this");
    case VT_KEY_RATE:
        atomic_fetch_add(&server->metrics.refused_rate, 1);
        return vt_refuse(request, MHD_HTTP_TOO_MANY_REQUESTS, VT_ERR_LIMIT, error,
                         "too many requests with this key");
    case VT_KEY_MISSING:
        break;
    }
    return vt_refuse(request, MHD_HTTP_UNAUTHORIZED, VT_ERR_DENIED, error,
                     key == NULL ? "a key is needed" : "the key is not known");
}

/* Everything that can be said before the body comes. */
static vt_status check_head(vt_request *request, vt_error *error)
{
    vt_server *server = request->server;
    vt_status status = vt_routing_find(request->method, request->path, &request->routing, error);
    if (status != VT_OK)
        return status;
    if (request->routing.route == NULL && request->routing.path_known)
        return vt_refuse(request, MHD_HTTP_METHOD_NOT_ALLOWED, VT_ERR_USAGE, error,
                         "%s cannot be done here", request->method);
    if (request->routing.route == NULL)
        return vt_fail(error, VT_ERR_NOT_FOUND, "there is nothing here");
    status = vt_request_allow(request, request->routing.route->scope, error);
    if (status != VT_OK)
        return status;
    if (strlen(request->content_type) == sizeof(request->content_type) - 1)
        return vt_fail(error, VT_ERR_UNSUPPORTED, "the content type is too long");
    const char *length = vt_header(request, "Content-Length");
    int64_t bytes = 0;
    vt_body body = request->routing.route->body;
    size_t limit = body != VT_BODY_NONE ? server->options.body_bytes : 0;
    if (length != NULL && !vt_parse_int(length, 0, INT64_MAX, &bytes))
        return vt_fail(error, VT_ERR_USAGE, "the content length is no number");
    if (body == VT_BODY_LINES)
        return vt_body_enter(request, error);
    if ((uint64_t)bytes > limit)
        return vt_fail(error, VT_ERR_LIMIT, "the body has %lld bytes, at most %zu may be",
                       (long long)bytes, limit);
    return request->routing.route->immediate ? VT_OK : vt_work_admit(request, error);
}

static vt_request *begin(vt_server *server, struct MHD_Connection *connection, const char *path,
                         const char *method)
{
    vt_request *request = vt_calloc(1, sizeof(*request));
    if (request == NULL)
        return NULL;
    request->server = server;
    request->connection = connection;
    request->started_ms = vt_clock_ms();
    request->path = vt_strdup(path);
    if (request->path == NULL) {
        vt_free(request);
        return NULL;
    }
    snprintf(request->method, sizeof(request->method), "%s", method);
    vt_buf_init(&request->body, server->options.body_bytes);
    copy_header(request, "Content-Type", request->content_type, sizeof(request->content_type));
    atomic_fetch_add(&server->in_flight, 1);
    vt_request_waits(request, VT_WAIT_BODY);
    vt_error error = {0};
    vt_status status = check_head(request, &error);
    if (status != VT_OK)
        vt_body_refuse(request, status, &error);
    return request;
}

/* ---- its course ---- */

static enum MHD_Result send_answer(vt_request *request)
{
    vt_request_waits(request, VT_WAIT_READER);
    return vt_reply_send(request) ? MHD_YES : MHD_NO;
}

/* The client sends the body when it is told to go on: one that is refused has sent none of it. */
static bool is_held_back(vt_request *request)
{
    const char *expect = vt_header(request, "Expect");
    return expect != NULL && vt_text_equal_nocase(expect, "100-continue");
}

/* Several pieces of a body can come in one go, although the first led to a suspension. */
static bool is_suspended(vt_request *request)
{
    const union MHD_ConnectionInfo *info =
        MHD_get_connection_info(request->connection, MHD_CONNECTION_INFO_CONNECTION_SUSPENDED);
    return info != NULL && info->suspended == MHD_YES;
}

/* The body is there. */
static enum MHD_Result finish(vt_request *request)
{
    request->lines.ended = true;
    if (request->draining)
        request->phase = VT_PHASE_READY;
    else if (request->routing.route->immediate)
        vt_work_on(request);
    else if (vt_work_enqueue(request))
        return MHD_YES;
    return send_answer(request);
}

static enum MHD_Result on_request(void *context, struct MHD_Connection *connection,
                                  const char *path, const char *method, const char *version,
                                  const char *bytes, size_t *length, void **slot)
{
    vt_server *server = context;
    vt_request *request = *slot;
    (void)version;
    if (request == NULL) {
        request = begin(server, connection, path, method);
        *slot = request;
        if (request == NULL)
            return MHD_NO;
        if (!request->draining || !is_held_back(request))
            return MHD_YES;
        request->phase = VT_PHASE_READY;
        return send_answer(request);
    }
    if (is_suspended(request)) /* a worker has it: what comes meanwhile comes again */
        return MHD_YES;
    if (*length > 0) {
        bool lines = vt_body_gather(request, bytes, *length);
        *length = 0;
        if (lines)
            vt_work_enqueue(request);
        /* Who was refused and does not stop sending is not listened to for ever. */
        return request->forgotten_bytes / 2 > server->options.body_bytes ? MHD_NO : MHD_YES;
    }
    if (request->phase == VT_PHASE_BODY)
        return finish(request);
    return request->phase == VT_PHASE_READY ? send_answer(request) : MHD_YES;
}

static void on_completed(void *context, struct MHD_Connection *connection, void **slot,
                         enum MHD_RequestTerminationCode code)
{
    vt_server *server = context;
    vt_request *request = *slot;
    (void)connection;
    if (request == NULL)
        return;
    bool aborted = code != MHD_REQUEST_TERMINATED_COMPLETED_OK;
    double took_ms = vt_clock_ms() - request->started_ms;
    if (aborted)
        atomic_fetch_add(&server->metrics.aborted, 1);
    vt_metrics_note(&server->metrics, request, took_ms);
    vt_access_log(request, took_ms, aborted);
    vt_body_drop(request);
    vt_request_waits(request, VT_WAIT_HEAD);
    vt_body_leave(request);
    free_request(request);
    *slot = NULL;
    atomic_fetch_sub(&server->in_flight, 1);
}

static void on_connection(void *context, struct MHD_Connection *connection, void **slot,
                          enum MHD_ConnectionNotificationCode code)
{
    vt_server *server = context;
    if (code == MHD_CONNECTION_NOTIFY_CLOSED) {
        vt_connection_close(server->connections, *slot);
        *slot = NULL;
        return;
    }
    const union MHD_ConnectionInfo *info =
        MHD_get_connection_info(connection, MHD_CONNECTION_INFO_CONNECTION_FD);
    *slot = info != NULL ? vt_connection_open(server->connections, info->connect_fd) : NULL;
}

/* Paths and parameters are decoded where they are used. */
static size_t keep_encoded(void *context, struct MHD_Connection *connection, char *text)
{
    (void)context;
    (void)connection;
    return strlen(text);
}

VT_PRINTF(2, 0)
static void log_library(void *context, const char *format, va_list arguments)
{
    char line[256];
    (void)context;
    vsnprintf(line, sizeof(line), format, arguments);
    line[strcspn(line, "\n")] = '\0';
    vt_log(VT_LOG_DEBUG, "%s", line);
}

/* ---- life ---- */

static vt_status start_daemon(vt_server *server, vt_error *error)
{
    int cores = vt_core_count();
    unsigned threads = cores < 2                      ? 2
                       : cores < NETWORK_THREADS_MOST ? (unsigned)cores
                                                      : NETWORK_THREADS_MOST;
    unsigned flags = MHD_USE_EPOLL_INTERNAL_THREAD | MHD_ALLOW_SUSPEND_RESUME | MHD_USE_ERROR_LOG |
                     (server->listener.ipv6 ? MHD_USE_IPv6 : 0) |
                     (server->tls != NULL ? MHD_USE_TLS : 0);
    struct MHD_OptionItem secure[] = {
        {MHD_OPTION_HTTPS_CERT_CALLBACK, 0, (void *)(uintptr_t)vt_tls_certificate},
        {MHD_OPTION_HTTPS_PRIORITIES, 0, (void *)(uintptr_t)VT_TLS_PRIORITIES},
        {MHD_OPTION_END, 0, NULL}};
    if (server->tls == NULL)
        secure[0].option = MHD_OPTION_END;
    server->daemon = MHD_start_daemon(
        flags, 0, NULL, NULL, on_request, server, MHD_OPTION_EXTERNAL_LOGGER, log_library, NULL,
        MHD_OPTION_LISTEN_SOCKET, server->listener.fd, MHD_OPTION_THREAD_POOL_SIZE, threads,
        MHD_OPTION_NOTIFY_COMPLETED, on_completed, server, MHD_OPTION_NOTIFY_CONNECTION,
        on_connection, server, MHD_OPTION_UNESCAPE_CALLBACK, keep_encoded, NULL,
        MHD_OPTION_CONNECTION_MEMORY_LIMIT, (size_t)CONNECTION_BYTES, MHD_OPTION_CONNECTION_LIMIT,
        (unsigned)server->options.connections, MHD_OPTION_SIGPIPE_HANDLED_BY_APP, 1,
        MHD_OPTION_STRICT_FOR_CLIENT, 1, MHD_OPTION_ARRAY, secure, MHD_OPTION_END);
    if (server->daemon == NULL)
        return vt_fail(error, VT_ERR_INTERNAL, "serve: libmicrohttpd does not start");
    return VT_OK;
}

static vt_status check_exposure(const vt_server *server, vt_error *error)
{
    if (server->listener.loopback || server->options.open_to_all ||
        vt_keyring_count(server->keyring) > 0)
        return VT_OK;
    return vt_fail(error, VT_ERR_DENIED,
                   "serve on %s: strangers could reach it and the shop has no key; make one, or "
                   "say that it is open to all",
                   server->listener.address);
}

static vt_status start_jobs(vt_server *server, const char *directory, vt_error *error)
{
    const char *images = server->options.import_images;
    if (!server->options.jobs)
        return VT_OK;
    if (images != NULL && !vt_dir_exists(images))
        return vt_fail(error, VT_ERR_NOT_FOUND,
                       "serve with pictures of imports from \"%s\": no such directory", images);
    return vt_jobs_new(server, directory, &server->jobs, error);
}

/* Before the pages, whose headers depend on it. */
static vt_status start_tls(vt_server *server, vt_error *error)
{
    const vt_server_options *options = &server->options;
    char *address = server->listener.address;
    if (options->tls_certificate == NULL && options->tls_key == NULL)
        return VT_OK;
    if (options->tls_certificate == NULL || options->tls_key == NULL)
        return vt_fail(error, VT_ERR_USAGE, "serve over TLS: certificate and key are both needed");
    if (MHD_is_feature_supported(MHD_FEATURE_TLS) != MHD_YES)
        return vt_fail(error, VT_ERR_UNSUPPORTED, "serve over TLS: this libmicrohttpd has none");
    vt_status status = vt_tls_new(options->tls_certificate, options->tls_key, &server->tls, error);
    size_t length = strlen(address);
    if (status == VT_OK && length + 1 < sizeof(server->listener.address)) {
        memmove(address + 5, address + 4, length - 4 + 1); /* http:, https: */
        address[4] = 's';
    }
    return status;
}

vt_status vt_server_reload(vt_server *server, vt_error *error)
{
    return server->tls != NULL ? vt_tls_reload(server->tls, error) : VT_OK;
}

static vt_status start(vt_server *server, const char *directory, vt_error *error)
{
    vt_status status = vt_listener_open(server->options.listen, &server->listener, error);
    if (status == VT_OK)
        status = start_tls(server, error);
    if (status == VT_OK)
        status = vt_answer_cache_new(server->options.cache_bytes, &server->cache, error);
    if (status == VT_OK)
        status = vt_keyring_new(directory, &server->keyring, error);
    if (status == VT_OK)
        status = check_exposure(server, error);
    if (status == VT_OK)
        status = vt_pages_new(server, &server->pages, error);
    if (status == VT_OK)
        status = vt_connections_new(&server->options, &server->connections, error);
    if (status == VT_OK)
        status = vt_workers_warm(server, error);
    if (status == VT_OK && server->options.events)
        status = vt_shop_add_events(server->shop, NULL, 0, NULL, error);
    if (status == VT_OK)
        status = start_jobs(server, directory, error);
    if (status == VT_OK)
        status = vt_workers_start(server, error);
    if (status == VT_OK)
        status = start_daemon(server, error);
    return status;
}

vt_status vt_server_start(vt_shop *shop, const vt_server_options *options, vt_server **out,
                          vt_error *error)
{
    vt_shop_info info = {0};
    vt_server *server = vt_calloc(1, sizeof(*server));
    if (server == NULL)
        return vt_fail_memory(error, "a server");
    server->options = *options;
    server->options.queue = options->queue > 0 ? options->queue : 1;
    server->shop = shop;
    server->listener.fd = -1;
    server->started_ms = vt_clock_ms();
    vt_shop_limit_pixels(shop, options->maximum_pixels);
    pthread_mutex_init(&server->write_lock, NULL);
    pthread_mutex_init(&server->info_lock, NULL);
    pthread_mutex_init(&server->log_lock, NULL);
    vt_status status = vt_shop_info_of(shop, &info, error);
    server->directory = info.directory;
    if (status == VT_OK)
        status = start(server, server->directory, error);
    if (status != VT_OK) {
        vt_server_stop(server);
        return status;
    }
    atomic_store(&server->ready, true);
    vt_notify("READY=1");
    *out = server;
    return VT_OK;
}

const char *vt_server_address(const vt_server *server)
{
    return server->listener.address;
}

/* Takes no more connections, and waits until what was accepted is answered. */
static void drain(vt_server *server)
{
    double until_ms = vt_clock_ms() + server->options.stop_ms;
    /* The network threads may still look at the socket: it is closed when they have ended. One that
     * was handed over goes on listening for whoever is started next. */
    MHD_socket fd = MHD_quiesce_daemon(server->daemon);
    if (fd != MHD_INVALID_SOCKET && !server->listener.handed_over)
        shutdown(fd, SHUT_RDWR);
    while (atomic_load(&server->in_flight) > 0 && vt_clock_ms() < until_ms)
        usleep(STOP_POLL_US);
}

void vt_server_stop(vt_server *server)
{
    if (server == NULL)
        return;
    atomic_store(&server->stopping, true);
    atomic_store(&server->ready, false);
    vt_jobs_stop(server->jobs);
    if (server->daemon != NULL) {
        vt_notify("STOPPING=1");
        drain(server);
    }
    if (server->queue != NULL)
        vt_queue_close(server->queue);
    for (int i = 0; i < server->worker_count; i++)
        vt_thread_join(server->threads[i]);
    if (server->daemon != NULL)
        MHD_stop_daemon(server->daemon);
    vt_jobs_free(server->jobs);
    if (server->listener.fd >= 0)
        close(server->listener.fd);
    vt_connections_free(server->connections);
    vt_queue_free(server->queue);
    vt_pages_free(server->pages);
    vt_answer_cache_free(server->cache);
    vt_tls_free(server->tls);
    vt_keyring_free(server->keyring);
    vt_free(server->threads);
    pthread_mutex_destroy(&server->log_lock);
    pthread_mutex_destroy(&server->info_lock);
    pthread_mutex_destroy(&server->write_lock);
    vt_free(server);
}
