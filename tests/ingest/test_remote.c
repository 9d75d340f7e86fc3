/* SPDX-License-Identifier: Apache-2.0 */
/* Pictures by address, from a small server in the test: fetched, refused, gone, and down. */
#include "ingest/shop.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdatomic.h>
#include <sys/socket.h>

typedef struct server {
    int listener, port;
    atomic_int requests, status; /* status: what it answers to pictures */
    vt_buf picture;
    vt_thread *thread;
} server;

static void server_answer(server *sv, int connection)
{
    char request[4096] = "";
    size_t used = 0;
    while (used < sizeof request - 1 && !strstr(request, "\r\n\r\n")) {
        ssize_t got = recv(connection, request + used, sizeof request - 1 - used, 0);
        if (got <= 0)
            return;
        used += (size_t)got;
        request[used] = '\0';
    }
    atomic_fetch_add(&sv->requests, 1);
    char head[256];
    int status = strstr(request, "/gone.jpg") ? 404 : atomic_load(&sv->status);
    size_t length = status == 200 ? sv->picture.length : 0;
    int n = snprintf(head, sizeof head,
                     "HTTP/1.1 %d x\r\nContent-Length: %zu\r\nConnection: close\r\n\r\n", status,
                     length);
    send(connection, head, (size_t)n, MSG_NOSIGNAL);
    for (size_t sent = 0; sent < length;) {
        ssize_t m = send(connection, sv->picture.data + sent, length - sent, MSG_NOSIGNAL);
        if (m <= 0)
            return;
        sent += (size_t)m;
    }
}

static void server_main(void *context)
{
    server *sv = context;
    int connection;
    while ((connection = accept(sv->listener, NULL, NULL)) >= 0) {
        server_answer(sv, connection);
        close(connection);
    }
}

static void server_start(server *sv)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t length = sizeof address;
    memset(sv, 0, sizeof *sv);
    atomic_store(&sv->status, 200);
    shop_encode(7, 96, 72, 90, &sv->picture);
    sv->listener = socket(AF_INET, SOCK_STREAM, 0);
    assert_true(sv->listener >= 0);
    assert_int_equal(bind(sv->listener, (struct sockaddr *)&address, sizeof address), 0);
    assert_int_equal(listen(sv->listener, 16), 0);
    assert_int_equal(getsockname(sv->listener, (struct sockaddr *)&address, &length), 0);
    sv->port = ntohs(address.sin_port);
    assert_ok(vt_thread_start("server", server_main, sv, &sv->thread, error));
}

static void server_stop(server *sv)
{
    if (sv->listener < 0)
        return;
    shutdown(sv->listener, SHUT_RDWR);
    vt_thread_join(sv->thread);
    close(sv->listener);
    vt_buf_deinit(&sv->picture);
    sv->listener = -1;
}

static void write_feed(const shop *s, int port, const char *title)
{
    char feed[512];
    snprintf(feed, sizeof feed,
             "id,title,image_link,additional_image_link\n1,%s,http://127.0.0.1:%d/a.jpg,"
             "\"b.jpg,http://127.0.0.1:%d/gone.jpg\"\n",
             title, port, port);
    shop_write_feed(s, feed);
}

static void test_remote_pictures(void **state)
{
    (void)state;
    shop s;
    server sv;
    char want[128];
    shop_init(&s);
    server_start(&sv);
    int port = sv.port;
    shop_picture(&s, "b.jpg", 2);
    write_feed(&s, port, "Mug");
    snprintf(want, sizeof want, "http://127.0.0.1:%d/a.jpg b.jpg", port);

    /* Private addresses are refused unless allowed, and nobody is asked. */
    shop_import(&s);
    assert_report(&s, 1, 1, 0, 0, 0, 2, 1);
    assert_int_equal(atomic_load(&sv.requests), 0);
    assert_string_equal(shop_sources(&s, "1"), "b.jpg");
    s.options.allow_remote = false;
    s.options.allow_private_hosts = true;
    shop_import(&s);
    assert_report(&s, 1, 0, 0, 1, 0, 2, 0);
    assert_int_equal(atomic_load(&sv.requests), 0);

    s.options.allow_remote = true;
    shop_import(&s);
    assert_report(&s, 1, 0, 1, 0, 0, 1, 1);
    assert_string_equal(shop_sources(&s, "1"), want);
    assert_true(atomic_load(&sv.requests) >= 2);
    shop_import(&s);
    assert_report(&s, 1, 0, 0, 1, 0, 1, 0);

    /* The host is down: its picture stays, also when something else changes. */
    server_stop(&sv);
    shop_import(&s);
    assert_string_equal(shop_sources(&s, "1"), want);
    assert_int_equal(s.report.updated, 0);
    write_feed(&s, port, "Cup");
    shop_import(&s);
    assert_int_equal(s.report.updated, 1);
    assert_int_equal(s.report.pictures, 0);
    assert_string_equal(shop_sources(&s, "1"), want);
    shop_deinit(&s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_remote_pictures)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
