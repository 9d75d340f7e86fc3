/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A client of the image search for bench/serve: closed loops (each of N connections asks again when
 * it has its answer), an open loop (so many requests a second, whether or not the earlier ones are
 * answered), slow connections. Prints one line of JSON.
 *
 *     serve_client closed URL CONNECTIONS SECONDS PHOTO...
 *     serve_client open   URL RATE        SECONDS PHOTO...
 *     serve_client slow   URL CONNECTIONS SECONDS        heads that drip a byte a second
 *     serve_client deaf       CONNECTIONS SECONDS        prints its URL, and reads nothing of them
 *
 * Method: one thread, epoll, requests written once before the clock starts, so that the client,
 * which has no machine of its own, takes little of the server's. Connections are kept; the open
 * loop takes one that is free and opens another where none is. A time counts from the moment the
 * request was due (not from when this program came to send it) to the last byte of its answer.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/mem.h"
#include "bench/median.h"

enum { PHOTO_BYTES = 16 << 20, CONNECTIONS_MOST = 8192, HEAD_BYTES = 4096, EVENTS = 64 };
static const double patience_ms = 30000.0; /* for answers, when the last request is sent */

typedef struct times {
    double *ms;
    size_t count, capacity;
} times;

typedef struct connection {
    int fd; /* -1: none */
    bool asked;
    const vt_buf *request;
    size_t sent;
    double due_ms;
    char head[HEAD_BYTES]; /* of the answer, as far as it has come */
    size_t head_length;
    size_t body_left;
    int status; /* 0: the head is not whole yet */
    bool closes;
} connection;

typedef struct client {
    struct sockaddr_in where;
    vt_buf *requests;
    size_t request_count, next;
    connection *connections; /* (CONNECTIONS_MOST) */
    size_t opened;           /* so many of them have been used */
    size_t *idle, idle_count, asked_count;
    int poll;
    bool closed_loop;
    double until_ms;
    times good, busy;
    size_t failed;
} client;

static bool fail(const char *what)
{
    fprintf(stderr, "serve_client: %s: %s\n", what, strerror(errno));
    return false;
}

static void note(times *list, double ms)
{
    if (!vt_grow((void **)&list->ms, &list->capacity, list->count + 1, sizeof *list->ms, 1 << 28))
        return;
    list->ms[list->count++] = ms;
}

/* ---- what is sent ---- */

static bool make_request(vt_buf *out, const char *photo)
{
    static const char begin[] = "--b\r\nContent-Disposition: form-data; name=\"image\"; "
                                "filename=\"q.jpg\"\r\n\r\n";
    static const char end[] = "\r\n--b--\r\n";
    vt_error error = {0};
    vt_buf bytes;
    vt_buf_init(&bytes, PHOTO_BYTES);
    vt_buf_init(out, PHOTO_BYTES + HEAD_BYTES);
    if (vt_file_read(photo, PHOTO_BYTES, &bytes, &error) != VT_OK) {
        fprintf(stderr, "serve_client: %s\n", error.message);
        vt_buf_deinit(&bytes);
        return false;
    }
    vt_buf_printf(out,
                  "POST /v1/search HTTP/1.1\r\nHost: localhost\r\nContent-Type: "
                  "multipart/form-data; boundary=b\r\nContent-Length: %zu\r\n\r\n%s",
                  sizeof begin - 1 + bytes.length + sizeof end - 1, begin);
    vt_buf_append(out, bytes.data, bytes.length);
    vt_buf_append_text(out, end);
    vt_buf_deinit(&bytes);
    return !out->failed;
}

static bool make_requests(client *c, char **photos, size_t count)
{
    c->requests = vt_calloc(count, sizeof *c->requests);
    for (size_t i = 0; c->requests != NULL && i < count; i++) {
        c->request_count++;
        if (!make_request(&c->requests[i], photos[i]))
            return false;
    }
    return c->requests != NULL && count > 0;
}

/* "http://127.0.0.1:8080" */
static bool parse_url(const char *url, struct sockaddr_in *out)
{
    char host[64];
    unsigned port;
    out->sin_family = AF_INET;
    if (sscanf(url, "http://%63[^:]:%u", host, &port) != 2 || port > 65535 ||
        inet_pton(AF_INET, host, &out->sin_addr) != 1)
        return false;
    out->sin_port = htons((uint16_t)port);
    return true;
}

/* ---- a connection ---- */

static bool watch(client *c, connection *one, int how, uint32_t events)
{
    struct epoll_event event = {.events = events, .data = {.ptr = one}};
    return epoll_ctl(c->poll, how, one->fd, &event) == 0;
}

static bool open_connection(client *c, connection *one)
{
    int on = 1;
    *one = (connection){.fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0)};
    if (one->fd < 0)
        return fail("make a socket");
    setsockopt(one->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    if (connect(one->fd, (const struct sockaddr *)&c->where, sizeof c->where) != 0 &&
        errno != EINPROGRESS)
        return fail("connect");
    return watch(c, one, EPOLL_CTL_ADD, EPOLLIN) || fail("watch a connection");
}

static void close_connection(connection *one)
{
    if (one->fd >= 0)
        close(one->fd);
    one->fd = -1;
}

/* Sends what the connection takes; the rest when it is writable. */
static bool send_more(client *c, connection *one)
{
    while (one->sent < one->request->length) {
        ssize_t sent = send(one->fd, one->request->data + one->sent,
                            one->request->length - one->sent, MSG_NOSIGNAL);
        if (sent < 0 && (errno == EAGAIN || errno == ENOTCONN || errno == EINTR))
            return watch(c, one, EPOLL_CTL_MOD, EPOLLIN | EPOLLOUT);
        if (sent < 0)
            return false;
        one->sent += (size_t)sent;
    }
    return watch(c, one, EPOLL_CTL_MOD, EPOLLIN);
}

static void give_up(client *c, connection *one);

static void ask(client *c, connection *one, double due_ms)
{
    if (one->fd < 0 && !open_connection(c, one)) {
        c->failed++;
        close_connection(one);
        c->idle[c->idle_count++] = (size_t)(one - c->connections);
        return;
    }
    one->request = &c->requests[c->next++ % c->request_count];
    one->sent = one->head_length = one->body_left = 0;
    one->status = 0;
    one->due_ms = due_ms;
    one->asked = true;
    c->asked_count++;
    if (!send_more(c, one))
        give_up(c, one);
}

/* The connection is free for another request. */
static void release(client *c, connection *one)
{
    one->asked = false;
    c->asked_count--;
    c->idle[c->idle_count++] = (size_t)(one - c->connections);
}

static void give_up(client *c, connection *one)
{
    close_connection(one);
    if (!one->asked)
        return;
    c->failed++;
    release(c, one);
}

static void finish(client *c, connection *one)
{
    double took_ms = vt_clock_ms() - one->due_ms;
    if (one->status == 200)
        note(&c->good, took_ms);
    else if (one->status == 503)
        note(&c->busy, took_ms);
    else
        c->failed++;
    if (one->closes)
        close_connection(one);
    release(c, one);
}

/* Reads the head when it is whole: *used bytes of it; false: it is no answer. */
static bool take_head(connection *one, size_t *used)
{
    const char *end = memmem(one->head, one->head_length, "\r\n\r\n", 4);
    if (end == NULL)
        return one->head_length < HEAD_BYTES - 1;
    *used = (size_t)(end - one->head) + 4;
    one->head[*used - 1] = '\0';
    const char *length = strcasestr(one->head, "\r\nContent-Length:");
    one->closes = strcasestr(one->head, "\r\nConnection: close") != NULL;
    one->body_left = length != NULL ? strtoul(length + 17, NULL, 10) : 0;
    return sscanf(one->head, "HTTP/1.1 %d", &one->status) == 1;
}

/* False: the connection is of no more use. */
static bool take(client *c, connection *one, const char *bytes, size_t length)
{
    if (one->status == 0) {
        size_t room = HEAD_BYTES - 1 - one->head_length, before = one->head_length, used = 0;
        size_t more = length < room ? length : room;
        memcpy(one->head + before, bytes, more);
        one->head_length += more;
        if (!take_head(one, &used))
            return false;
        if (one->status == 0)
            return more == length;
        length -= used - before;
    }
    if (length > one->body_left)
        return false;
    one->body_left -= length;
    if (one->body_left == 0)
        finish(c, one);
    return true;
}

static void hear(client *c, connection *one)
{
    char bytes[65536];
    while (one->fd >= 0) {
        ssize_t got = recv(one->fd, bytes, sizeof bytes, 0);
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0 && errno == EAGAIN)
            return;
        if (got <= 0 || !one->asked || !take(c, one, bytes, (size_t)got)) {
            give_up(c, one);
            return;
        }
    }
}

/* ---- loops ---- */

/* Whoever is free asks: in a closed loop at once, else when a request is due. */
static void ask_due(client *c, double begun_ms, double rate, size_t *due)
{
    double now_ms = vt_clock_ms();
    if (now_ms >= c->until_ms)
        return;
    while (c->closed_loop && c->idle_count > 0)
        ask(c, &c->connections[c->idle[--c->idle_count]], now_ms);
    for (; !c->closed_loop; (*due)++) {
        double due_ms = begun_ms + (double)*due * 1000.0 / rate;
        if (due_ms > now_ms || due_ms >= c->until_ms)
            return;
        if (c->idle_count == 0 && c->opened == CONNECTIONS_MOST) {
            c->failed++; /* nobody could have asked: it counts as not answered */
            continue;
        }
        if (c->idle_count == 0) {
            c->connections[c->opened].fd = -1;
            c->idle[c->idle_count++] = c->opened++;
        }
        ask(c, &c->connections[c->idle[--c->idle_count]], due_ms);
    }
}

/* How long to listen before something is to be sent. */
static struct timespec pause_until(const client *c, double due_ms)
{
    double now_ms = vt_clock_ms(), wait_ms = due_ms - now_ms;
    if (c->closed_loop || due_ms >= c->until_ms)
        wait_ms = now_ms < c->until_ms ? c->until_ms - now_ms : 100.0;
    wait_ms = wait_ms < 0.0 ? 0.0 : wait_ms;
    return (struct timespec){(time_t)(wait_ms / 1000.0), (long)(wait_ms * 1e6) % 1000000000L};
}

static bool run(client *c, double rate)
{
    struct epoll_event events[EVENTS];
    double begun_ms = vt_clock_ms();
    size_t due = 0;
    for (;;) {
        ask_due(c, begun_ms, rate, &due);
        double now_ms = vt_clock_ms();
        if (now_ms >= c->until_ms && (c->asked_count == 0 || now_ms > c->until_ms + patience_ms))
            return true;
        struct timespec pause = pause_until(c, begun_ms + (double)due * 1000.0 / rate);
        int count = epoll_pwait2(c->poll, events, EVENTS, &pause, NULL);
        if (count < 0 && errno != EINTR)
            return fail("wait");
        for (int i = 0; i < count; i++) {
            connection *one = events[i].data.ptr;
            if ((events[i].events & EPOLLOUT) != 0 && one->asked && !send_more(c, one))
                give_up(c, one);
            if ((events[i].events & ~(uint32_t)EPOLLOUT) != 0)
                hear(c, one);
        }
    }
}

/* ---- slow ones ---- */

static bool drip(client *c, size_t count)
{
    static const char head[] = "GET /v1/info HTTP/1.1\r\nHost: localhost\r\nX-Slow: ";
    for (size_t i = 0; i < count; i++) {
        if (!open_connection(c, &c->connections[i]))
            return false;
        c->opened++;
    }
    usleep(200000);
    for (size_t i = 0; i < count; i++)
        (void)!send(c->connections[i].fd, head, sizeof head - 1, MSG_NOSIGNAL);
    while (vt_clock_ms() < c->until_ms) {
        usleep(1000000);
        for (size_t i = 0; i < count; i++)
            (void)!send(c->connections[i].fd, "a", 1, MSG_NOSIGNAL);
    }
    return true;
}

/* What a crowd costs that nobody listens to: the kernel takes its connections. */
static bool ignore(int connections, double seconds)
{
    struct sockaddr_in where = {.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}};
    socklen_t length = sizeof where;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0 || bind(fd, (struct sockaddr *)&where, length) != 0 ||
        listen(fd, connections) != 0 || getsockname(fd, (struct sockaddr *)&where, &length) != 0)
        return fail("listen");
    printf("http://127.0.0.1:%u\n", (unsigned)ntohs(where.sin_port));
    fflush(stdout);
    usleep((useconds_t)(seconds * 1e6));
    close(fd);
    return true;
}

/* ---- what came of it ---- */

static double at(times *list, double part)
{
    if (list->count == 0)
        return 0.0;
    qsort(list->ms, list->count, sizeof *list->ms, vt_bench_order);
    size_t index = (size_t)(part * (double)list->count);
    return list->ms[index < list->count ? index : list->count - 1];
}

static void print(client *c, double took_s)
{
    printf("{\"good_per_s\": %.3f, \"good\": %zu, \"busy\": %zu, \"failed\": %zu, "
           "\"p50_ms\": %.3f, \"p99_ms\": %.3f, \"busy_p50_ms\": %.3f, \"busy_p99_ms\": %.3f}\n",
           (double)c->good.count / took_s, c->good.count, c->busy.count, c->failed + c->asked_count,
           at(&c->good, 0.5), at(&c->good, 0.99), at(&c->busy, 0.5), at(&c->busy, 0.99));
}

static void deinit(client *c)
{
    for (size_t i = 0; c->connections != NULL && i < c->opened; i++)
        close_connection(&c->connections[i]);
    for (size_t i = 0; i < c->request_count; i++)
        vt_buf_deinit(&c->requests[i]);
    vt_free(c->requests);
    vt_free(c->connections);
    vt_free(c->idle);
    vt_free(c->good.ms);
    vt_free(c->busy.ms);
    if (c->poll >= 0)
        close(c->poll);
}

static bool ask_all(client *c, bool slow, double amount)
{
    double begun_ms = vt_clock_ms();
    if (slow)
        return drip(c, (size_t)amount);
    for (size_t i = 0; c->closed_loop && i < (size_t)amount; i++) {
        c->connections[i].fd = -1;
        c->idle[c->idle_count++] = c->opened++;
    }
    if (!run(c, amount))
        return false;
    print(c, (vt_clock_ms() - begun_ms) / 1000.0);
    return true;
}

int main(int argc, char **argv)
{
    if (argc == 4 && strcmp(argv[1], "deaf") == 0)
        return ignore((int)strtol(argv[2], NULL, 10), strtod(argv[3], NULL)) ? 0 : 1;
    client c = {.poll = epoll_create1(EPOLL_CLOEXEC)};
    bool slow = argc > 1 && strcmp(argv[1], "slow") == 0;
    double amount = argc > 4 ? strtod(argv[3], NULL) : 0.0;
    double seconds = argc > 4 ? strtod(argv[4], NULL) : 0.0;
    c.closed_loop = argc > 1 && strcmp(argv[1], "closed") == 0;
    if (argc < (slow ? 5 : 6) || (!slow && !c.closed_loop && strcmp(argv[1], "open") != 0) ||
        !(seconds > 0.0) || !(amount > 0.0) ||
        ((slow || c.closed_loop) && !(amount >= 1.0 && amount <= CONNECTIONS_MOST)) ||
        !parse_url(argv[2], &c.where)) {
        fprintf(stderr, "usage: serve_client closed|open|slow http://ADDRESS:PORT "
                        "CONNECTIONS|RATE SECONDS PHOTO...\n"
                        "       serve_client deaf CONNECTIONS SECONDS\n");
        return 2;
    }
    c.connections = vt_calloc(CONNECTIONS_MOST, sizeof *c.connections);
    c.idle = vt_calloc(CONNECTIONS_MOST, sizeof *c.idle);
    bool done = c.poll >= 0 && c.connections != NULL && c.idle != NULL &&
                (slow || make_requests(&c, argv + 5, (size_t)argc - 5));
    c.until_ms = vt_clock_ms() + seconds * 1000.0;
    done = done && ask_all(&c, slow, amount);
    deinit(&c);
    return done ? 0 : 1;
}
