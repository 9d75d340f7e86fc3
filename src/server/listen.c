/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Where the server listens: an address that is given, or a socket that systemd hands over
 * (sd_listen_fds(3): the first one, number 3), and the word to systemd that the server is ready
 * (sd_notify(3): a datagram to the socket that NOTIFY_SOCKET names). Both protocols are a few lines
 * and stable, so that libsystemd is no dependency.
 */
#include "server/http.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <netinet/in.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

enum { LISTEN_BACKLOG = 1024, FIRST_HANDED_OVER = 3 };

/* "host:port" apart; host is emptied for every address. */
static vt_status split(const char *text, char *host, size_t capacity, const char **port,
                       vt_error *error)
{
    const char *colon = strrchr(text, ':'), *start = text;
    size_t length = colon != NULL ? (size_t)(colon - text) : 0;
    int64_t number;
    if (colon == NULL || !vt_parse_int(colon + 1, 0, 65535, &number))
        return vt_fail(error, VT_ERR_USAGE, "listen on \"%.100s\": it is not HOST:PORT", text);
    if (length >= 2 && start[0] == '[' && start[length - 1] == ']') {
        start++;
        length -= 2;
    }
    if (length == 1 && start[0] == '*')
        length = 0;
    if (length >= capacity)
        return vt_fail(error, VT_ERR_USAGE, "listen on \"%.100s\": the name is too long", text);
    memcpy(host, start, length);
    host[length] = '\0';
    *port = colon + 1;
    return VT_OK;
}

/* A bound, listening socket, or -1 with errno. */
static int open_socket(const struct addrinfo *where)
{
    int on = 1, off = 0;
    int fd = socket(where->ai_family, where->ai_socktype | SOCK_CLOEXEC, where->ai_protocol);
    if (fd < 0)
        return -1;
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
    if (where->ai_family == AF_INET6)
        setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &off, sizeof(off));
    if (bind(fd, where->ai_addr, where->ai_addrlen) == 0 && listen(fd, LISTEN_BACKLOG) == 0)
        return fd;
    int code = errno;
    close(fd);
    errno = code;
    return -1;
}

static vt_status open_given(const char *text, int *fd, vt_error *error)
{
    char host[256];
    const char *port = NULL;
    vt_status status = split(text, host, sizeof(host), &port, error);
    if (status != VT_OK)
        return status;
    struct addrinfo hints = {.ai_family = AF_UNSPEC,
                             .ai_socktype = SOCK_STREAM,
                             .ai_flags = AI_PASSIVE | AI_NUMERICSERV};
    struct addrinfo *found = NULL;
    int code = getaddrinfo(host[0] != '\0' ? host : NULL, port, &hints, &found);
    if (code != 0)
        return vt_fail(error, VT_ERR_USAGE, "listen on \"%.100s\": %s", text, gai_strerror(code));
    *fd = -1;
    for (const struct addrinfo *one = found; one != NULL && *fd < 0; one = one->ai_next)
        *fd = open_socket(one);
    code = errno;
    freeaddrinfo(found);
    if (*fd >= 0)
        return VT_OK;
    return vt_fail(error, code == EADDRINUSE ? VT_ERR_BUSY : VT_ERR_IO, "listen on \"%.100s\": %s",
                   text, strerror(code));
}

/* The socket of systemd; -1: there is none. */
static int handed_over(void)
{
    const char *process = getenv("LISTEN_PID"), *count = getenv("LISTEN_FDS");
    int64_t number;
    if (process == NULL || count == NULL || !vt_parse_int(process, 1, INT32_MAX, &number) ||
        number != getpid() || !vt_parse_int(count, 1, 1024, &number))
        return -1;
    fcntl(FIRST_HANDED_OVER, F_SETFD, FD_CLOEXEC);
    return FIRST_HANDED_OVER;
}

static bool is_loopback(const struct sockaddr_storage *address)
{
    if (address->ss_family == AF_INET) {
        const struct sockaddr_in *v4 = (const struct sockaddr_in *)address;
        return ntohl(v4->sin_addr.s_addr) >> 24 == 127;
    }
    const struct sockaddr_in6 *v6 = (const struct sockaddr_in6 *)address;
    return address->ss_family == AF_INET6 &&
           (IN6_IS_ADDR_LOOPBACK(&v6->sin6_addr) ||
            (IN6_IS_ADDR_V4MAPPED(&v6->sin6_addr) && v6->sin6_addr.s6_addr[12] == 127));
}

/* Fills in what the socket itself says. */
static vt_status describe(vt_listener *listener, vt_error *error)
{
    struct sockaddr_storage address = {0};
    socklen_t length = sizeof(address);
    char host[64], port[16];
    if (getsockname(listener->fd, (struct sockaddr *)&address, &length) != 0)
        return vt_fail_errno(error, errno, "ask the name of", "the listening socket");
    if (address.ss_family != AF_INET && address.ss_family != AF_INET6)
        return vt_fail(error, VT_ERR_UNSUPPORTED, "listen: the socket is none of the internet");
    if (getnameinfo((struct sockaddr *)&address, length, host, sizeof(host), port, sizeof(port),
                    NI_NUMERICHOST | NI_NUMERICSERV) != 0)
        return vt_fail(error, VT_ERR_INTERNAL, "listen: the socket's address cannot be written");
    listener->loopback = is_loopback(&address);
    listener->ipv6 = address.ss_family == AF_INET6;
    snprintf(listener->address, sizeof(listener->address),
             listener->ipv6 ? "http://[%s]:%s" : "http://%s:%s", host, port);
    return VT_OK;
}

vt_status vt_listener_open(const char *text, vt_listener *out, vt_error *error)
{
    vt_listener listener = {.fd = handed_over()};
    listener.handed_over = listener.fd >= 0;
    vt_status status = VT_OK;
    if (!listener.handed_over)
        status = open_given(text, &listener.fd, error);
    if (status != VT_OK)
        return status;
    status = describe(&listener, error);
    if (status != VT_OK) {
        close(listener.fd);
        return status;
    }
    *out = listener;
    return VT_OK;
}

void vt_notify(const char *state)
{
    const char *path = getenv("NOTIFY_SOCKET");
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    if (path == NULL || (path[0] != '/' && path[0] != '@') ||
        strlen(path) >= sizeof(address.sun_path))
        return;
    memcpy(address.sun_path, path, strlen(path));
    if (path[0] == '@') /* a name outside the file system */
        address.sun_path[0] = '\0';
    int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return;
    /* Nothing can be done about a manager that does not listen. */
    ssize_t sent = sendto(fd, state, strlen(state), MSG_NOSIGNAL, (struct sockaddr *)&address,
                          (socklen_t)(offsetof(struct sockaddr_un, sun_path) + strlen(path)));
    (void)sent;
    close(fd);
}
