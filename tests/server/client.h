/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A served shop of drawn goods and a client of a few lines, for the tests of src/server.
 */
#ifndef VT_TESTS_SERVER_CLIENT_H
#define VT_TESTS_SERVER_CLIENT_H

#include "shop/journey.h"

#include "base/buf.h"
#include "base/json.h"
#include "server/http.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>

typedef struct served {
    journey *journey;
    vt_shop *shop;
    vt_server *server;
    uint16_t port;
} served;

static inline void serve_how(served *s, vt_open_mode mode, const vt_server_options *options)
{
    vt_error error = {0};
    expect_ok(vt_shop_open(s->journey->shop, mode, &s->shop, &error), &error);
    expect_ok(vt_server_start(s->shop, options, &s->server, &error), &error);
    s->port = (uint16_t)atoi(strrchr(vt_server_address(s->server), ':') + 1);
}

static inline void serve(served *s, const vt_server_options *options)
{
    serve_how(s, VT_OPEN_WRITE, options);
}

static inline void stop_serving(served *s)
{
    vt_server_stop(s->server);
    vt_shop_close(s->shop);
    s->server = NULL;
    s->shop = NULL;
}

static inline vt_server_options server_options(void)
{
    vt_server_options options = vt_server_options_defaults();
    options.listen = "127.0.0.1:0";
    options.workers = 4;
    return options;
}

static inline int served_setup(void **state)
{
    served *s = test_calloc(1, sizeof(*s));
    if (journey_setup((void **)&s->journey) != 0)
        return -1;
    make_shop(s->journey);
    *state = s;
    return 0;
}

static inline int served_teardown(void **state)
{
    served *s = *state;
    if (s->server != NULL)
        stop_serving(s);
    void *inner = s->journey;
    journey_teardown(&inner);
    test_free(s);
    return 0;
}

/* ---- client ---- */

typedef struct reply {
    int status; /* 0: the connection ended without an answer */
    vt_buf text;
    const char *body; /* in text */
} reply;

typedef struct call {
    const char *method, *path;
    const char *headers; /* lines with their ends; NULL: none */
    const char *type;    /* of the body; NULL: there is none */
    const void *body;
    size_t length;
} call;

static inline int connect_to(uint16_t port)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(port)};
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd >= 0 && connect(fd, (struct sockaddr *)&address, sizeof(address)) != 0) {
        close(fd);
        return -1;
    }
    return fd;
}

static inline void send_all(int fd, const void *bytes, size_t length)
{
    const char *at = bytes;
    while (length > 0) {
        ssize_t sent = send(fd, at, length, MSG_NOSIGNAL);
        if (sent <= 0)
            return; /* the other side has ended it: its answer says why */
        at += sent;
        length -= (size_t)sent;
    }
}

static inline reply receive(int fd)
{
    reply got = {0};
    char chunk[4096];
    ssize_t length;
    vt_buf_init(&got.text, 64 << 20);
    while ((length = recv(fd, chunk, sizeof(chunk), 0)) > 0)
        vt_buf_append(&got.text, chunk, (size_t)length);
    const char *text = vt_buf_text(&got.text), *blank = strstr(text, "\r\n\r\n");
    if (blank != NULL && strncmp(text, "HTTP/1.1 ", 9) == 0)
        got.status = atoi(text + 9);
    got.body = blank != NULL ? blank + 4 : text;
    return got;
}

/* vt_buf_deinit(&reply.text) is the caller's. */
static inline reply ask_server(const served *s, call what)
{
    vt_buf head;
    reply got = {0};
    int fd = connect_to(s->port);
    if (fd < 0)
        return got;
    vt_buf_init(&head, 1 << 16);
    vt_buf_printf(&head, "%s %s HTTP/1.1\r\nHost: localhost:%d\r\nConnection: close\r\n%s",
                  what.method, what.path, s->port, what.headers != NULL ? what.headers : "");
    if (what.type != NULL)
        vt_buf_printf(&head, "Content-Type: %s\r\nContent-Length: %zu\r\n", what.type, what.length);
    vt_buf_append_text(&head, "\r\n");
    send_all(fd, head.data, head.length);
    send_all(fd, what.body, what.length);
    vt_buf_deinit(&head);
    got = receive(fd);
    close(fd);
    return got;
}

static inline reply ask_json(const served *s, const char *method, const char *path,
                             const char *body)
{
    return ask_server(s, (call){.method = method,
                                .path = path,
                                .type = body != NULL ? "application/json" : NULL,
                                .body = body,
                                .length = body != NULL ? strlen(body) : 0});
}

static inline void expect_status(reply got, int status)
{
    if (got.status != status)
        fail_msg("%d instead of %d: %s", got.status, status, got.body);
    vt_buf_deinit(&got.text);
}

/* The body as JSON, the caller's; the reply is over. */
static inline vt_json *expect_json(reply got, int status)
{
    vt_json *document = NULL;
    vt_error error = {0};
    if (got.status != status)
        fail_msg("%d instead of %d: %s", got.status, status, got.body);
    expect_ok(vt_json_parse(got.body, strlen(got.body), 32, &document, &error), &error);
    vt_buf_deinit(&got.text);
    return document;
}

/* A drawn good in base64, the caller's (vt_free). */
static inline char *good_base64(int index, int view)
{
    vt_image image = {0};
    vt_buf jpeg, text;
    vt_buf_init(&jpeg, 1 << 20);
    vt_buf_init(&text, 1 << 20);
    assert_int_equal(goods_draw(index, view, &image, NULL), VT_OK);
    assert_int_equal(vt_image_encode_jpeg(&image, 92, &jpeg, NULL), VT_OK);
    assert_true(vt_buf_append_base64(&text, jpeg.data, jpeg.length));
    vt_image_deinit(&image);
    vt_buf_deinit(&jpeg);
    return vt_buf_take(&text, NULL);
}

#define IN_SERVICE(test) cmocka_unit_test_setup_teardown(test, served_setup, served_teardown)

#endif
