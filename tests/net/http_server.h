/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A tiny HTTP/1.1 server for the tests of this folder: one thread, one connection at a time,
 * answers chosen by path, counts what it sees.
 *
 * Threads: start and stop from one thread; read the counters after a fetch has returned.
 */
#ifndef VT_TESTS_NET_HTTP_SERVER_H
#define VT_TESTS_NET_HTTP_SERVER_H

#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

typedef struct http_server {
    int listener, stop[2];
    int port;
    pthread_t thread;
    atomic_int requests, connections;
    char private_target[64]; /* where /to-private redirects to */
    const void *picture;     /* what lies at /picture, borrowed */
    size_t picture_length;
} http_server;

static inline void http_send(int fd, const char *text, size_t length)
{
    while (length) {
        ssize_t sent = send(fd, text, length, MSG_NOSIGNAL);
        if (sent <= 0)
            return;
        text += sent;
        length -= (size_t)sent;
    }
}

static inline void http_reply(int fd, const char *status, const char *headers, const char *body)
{
    char text[8192];
    int length = snprintf(text, sizeof text, "HTTP/1.1 %s\r\n%sContent-Length: %zu\r\n\r\n%s",
                          status, headers, strlen(body), body);
    http_send(fd, text, (size_t)length);
}

/* Until the client goes away or the server is stopped. */
static inline void http_hang(http_server *server, int fd)
{
    struct pollfd watch[2] = {{.fd = fd, .events = POLLIN},
                              {.fd = server->stop[0], .events = POLLIN}};
    poll(watch, 2, -1);
}

/* False: the connection ends here. */
static inline bool http_answer(http_server *server, int fd, const char *path, const char *request)
{
    int number = atomic_fetch_add(&server->requests, 1) + 1;
    char location[128];
    if (strcmp(path, "/ok") == 0) {
        http_reply(fd, "200 OK", "Set-Cookie: a=b\r\n", "hello");
    } else if (strcmp(path, "/echo") == 0) {
        http_reply(fd, "200 OK", "", request);
    } else if (strcmp(path, "/picture") == 0) {
        char head[128];
        int length = snprintf(head, sizeof head, "HTTP/1.1 200 OK\r\nContent-Length: %zu\r\n\r\n",
                              server->picture_length);
        http_send(fd, head, (size_t)length);
        http_send(fd, server->picture, server->picture_length);
    } else if (strcmp(path, "/empty") == 0) {
        http_send(fd, "HTTP/1.1 204 No Content\r\n\r\n", 27);
    } else if (strcmp(path, "/redirect") == 0) {
        http_reply(fd, "302 Found", "Location: /ok\r\n", "moved");
    } else if (strcmp(path, "/loop") == 0) {
        http_reply(fd, "302 Found", "Location: /loop\r\n", "");
    } else if (strcmp(path, "/to-file") == 0) {
        http_reply(fd, "302 Found", "Location: file:///etc/passwd\r\n", "");
    } else if (strcmp(path, "/to-private") == 0) {
        snprintf(location, sizeof location, "Location: %s\r\n", server->private_target);
        http_reply(fd, "302 Found", location, "");
    } else if (strcmp(path, "/busy-once") == 0) {
        http_reply(fd, number == 1 ? "500 Oops" : "200 OK", "", number == 1 ? "sorry" : "at last");
    } else if (strcmp(path, "/busy") == 0) {
        http_reply(fd, "503 Busy", "", "sorry");
    } else if (strcmp(path, "/later") == 0) {
        http_reply(fd, number == 1 ? "429 Slow Down" : "200 OK",
                   number == 1 ? "Retry-After: 1\r\n" : "", "later");
    } else if (strcmp(path, "/much-later") == 0) {
        http_reply(fd, "429 Slow Down", "Retry-After: 86400\r\n", "");
    } else if (strcmp(path, "/gone") == 0) {
        http_reply(fd, "410 Gone", "", "");
    } else if (strcmp(path, "/forbidden") == 0) {
        http_reply(fd, "403 Forbidden", "", "no");
    } else if (strcmp(path, "/announced") == 0) {
        http_send(fd, "HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\n", 44);
        http_hang(server, fd);
        return false;
    } else if (strcmp(path, "/chunked") == 0) {
        http_send(fd, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", 47);
        for (int i = 0; i < 100; i++)
            http_send(fd, "a\r\n0123456789\r\n", 15);
        http_send(fd, "0\r\n\r\n", 5);
    } else if (strcmp(path, "/slow") == 0) {
        http_send(fd, "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nabc", 43);
        http_hang(server, fd);
        return false;
    } else if (strcmp(path, "/drop-once") == 0) {
        if (number == 1)
            return false;
        http_reply(fd, "200 OK", "", "back");
    } else if (strcmp(path, "/short") == 0) {
        http_send(fd, "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nabc", 43);
        return false;
    } else {
        http_reply(fd, "404 Not Found", "", "<html>not found</html>");
    }
    return true;
}

/* One request's head into `request`; false when the client is gone or the server stops. */
static inline bool http_receive(http_server *server, int fd, char *request, size_t room)
{
    size_t length = 0;
    request[0] = '\0';
    while (!strstr(request, "\r\n\r\n")) {
        struct pollfd watch[2] = {{.fd = fd, .events = POLLIN},
                                  {.fd = server->stop[0], .events = POLLIN}};
        /* A new client waits while an old connection idles: one ends for the other. */
        poll(watch, 2, -1);
        if (watch[1].revents)
            return false;
        ssize_t got = recv(fd, request + length, room - 1 - length, 0);
        if (got <= 0)
            return false;
        length += (size_t)got;
        request[length] = '\0';
    }
    return true;
}

static inline void *http_main(void *argument)
{
    http_server *server = argument;
    for (;;) {
        struct pollfd watch[2] = {{.fd = server->listener, .events = POLLIN},
                                  {.fd = server->stop[0], .events = POLLIN}};
        poll(watch, 2, -1);
        if (watch[1].revents)
            return NULL;
        int fd = accept(server->listener, NULL, NULL);
        if (fd < 0)
            continue;
        atomic_fetch_add(&server->connections, 1);
        char request[4096], path[256];
        bool open = true;
        while (open && http_receive(server, fd, request, sizeof request))
            open =
                sscanf(request, "GET %255s", path) == 1 && http_answer(server, fd, path, request);
        close(fd);
    }
}

static inline bool http_start(http_server *server)
{
    memset(server, 0, sizeof *server);
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_ANY)};
    socklen_t length = sizeof address;
    server->listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (server->listener < 0 || bind(server->listener, (struct sockaddr *)&address, length) != 0 ||
        listen(server->listener, 8) != 0 ||
        getsockname(server->listener, (struct sockaddr *)&address, &length) != 0 ||
        pipe(server->stop) != 0)
        return false;
    server->port = ntohs(address.sin_port);
    return pthread_create(&server->thread, NULL, http_main, server) == 0;
}

static inline void http_stop(http_server *server)
{
    if (write(server->stop[1], "x", 1) == 1)
        pthread_join(server->thread, NULL);
    close(server->stop[0]);
    close(server->stop[1]);
    close(server->listener);
}

#endif
