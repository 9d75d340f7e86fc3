/* SPDX-License-Identifier: Apache-2.0 */
/* Batches of products: worked on while they come, in bounded memory, whatever becomes of the rest.
 */
#include "server/client.h"

#include "base/clock.h"

enum { PADDING = 40000, LINE_BYTES = 64 << 10, WAIT_MS = 20000 };

static const char type[] = "Content-Type: application/x-ndjson\r\n";

static double price_of(const served *s, const char *path)
{
    vt_json *product = expect_json(ask_json(s, "GET", path, NULL), 200);
    double price = vt_json_number(vt_json_get(product, "price"), -1.0);
    vt_json_free(product);
    return price;
}

static void wait_for_price(const served *s, const char *path, double wanted)
{
    double until_ms = vt_clock_ms() + WAIT_MS;
    while (price_of(s, path) != wanted) {
        assert_true(vt_clock_ms() < until_ms);
        usleep(5000);
    }
}

static size_t count_of(const char *text, const char *what)
{
    size_t count = 0;
    for (const char *at = text; (at = strstr(at, what)) != NULL; at++)
        count++;
    return count;
}

static reply send_batch(const served *s, const vt_buf *body)
{
    return ask_server(s, (call){.method = "POST",
                                .path = "/v1/products:batch",
                                .type = "application/x-ndjson",
                                .body = body->data,
                                .length = body->length});
}

/* A batch whose body is begun. */
static int open_batch(const served *s, const char *length, const char *begin)
{
    char head[256];
    int fd = connect_to(s->port);
    assert_true(fd >= 0);
    snprintf(head, sizeof(head),
             "POST /v1/products:batch HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n%s%s"
             "\r\n\r\n",
             type, length);
    send_all(fd, head, strlen(head));
    send_all(fd, begin, strlen(begin));
    return fd;
}

static void serve_small(served *s)
{
    vt_server_options options = server_options();
    options.body_bytes = LINE_BYTES;
    options.bodies_bytes = 2 * LINE_BYTES;
    serve(s, &options);
}

static void a_body_may_be_larger_than_all_there_is_room_for(void **state)
{
    served *s = *state;
    enum { LINES = 60 };
    vt_buf body;
    vt_buf_init(&body, 8 << 20);
    serve_small(s);
    for (int i = 0; i < LINES; i++)
        vt_buf_printf(&body, "{\"op\":\"patch\",\"id\":\"P-1\",%*s\"price\":%d}\n", PADDING, "",
                      i + 1);
    assert_true(body.length > 8 * 2 * LINE_BYTES);
    reply got = send_batch(s, &body);
    assert_int_equal(got.status, 200);
    assert_int_equal(count_of(got.body, "\"status\":200}\n"), LINES);
    assert_non_null(strstr(got.body, "{\"line\":60,\"id\":\"P-1\",\"status\":200}\n"));
    vt_buf_deinit(&got.text);
    assert_true(price_of(s, "/v1/products/P-1") == LINES);
    assert_int_equal(atomic_load(&s->server->bodies_bytes), 0);
    vt_buf_deinit(&body);
}

static void a_line_is_done_when_it_has_come(void **state)
{
    served *s = *state;
    serve_small(s);
    int fd = open_batch(s, "Content-Length: 100000",
                        "{\"op\":\"patch\",\"id\":\"P-1\",\"price\":31}\n"
                        "{\"op\":\"patch\",\"id\":\"P-2\",\"price\":");
    wait_for_price(s, "/v1/products/P-1", 31.0);
    send_all(fd, "32}", 3); /* whole JSON, but no line yet */
    usleep(50000);
    assert_true(price_of(s, "/v1/products/P-2") != 32.0);
    /* The upload breaks off: what was a line is done, what was none is not. */
    close(fd);
    double until_ms = vt_clock_ms() + WAIT_MS;
    while (atomic_load(&s->server->batches) > 0) {
        assert_true(vt_clock_ms() < until_ms);
        usleep(5000);
    }
    assert_true(price_of(s, "/v1/products/P-1") == 31.0);
    assert_true(price_of(s, "/v1/products/P-2") != 32.0);
    assert_int_equal(atomic_load(&s->server->bodies_bytes), 0);
    stop_serving(s);
    serve_small(s);
    assert_true(price_of(s, "/v1/products/P-1") == 31.0);
}

static void many_chunks_may_come_at_once(void **state)
{
    served *s = *state;
    enum { LINES = 40 };
    vt_buf chunks;
    char line[128];
    vt_buf_init(&chunks, 1 << 20);
    serve_small(s);
    for (int i = 0; i < LINES; i++) {
        int length =
            snprintf(line, sizeof(line), "{\"op\":\"patch\",\"id\":\"P-3\",\"price\":%d}%s", i + 1,
                     i + 1 < LINES ? "\n" : "");
        /* Cut in the middle of a line, so that a chunk holds an end and a beginning. */
        vt_buf_printf(&chunks, "7\r\n%.7s\r\n%x\r\n%s\r\n", line, (unsigned)length - 7, line + 7);
    }
    vt_buf_append_text(&chunks, "0\r\n\r\n");
    int fd = open_batch(s, "Transfer-Encoding: chunked", chunks.data);
    reply got = receive(fd);
    close(fd);
    assert_int_equal(got.status, 200);
    assert_int_equal(count_of(got.body, "\"status\":200}"), LINES);
    vt_buf_deinit(&got.text);
    assert_true(price_of(s, "/v1/products/P-3") == LINES);
    vt_buf_deinit(&chunks);
}

static void what_was_done_keeps_its_verdicts_when_the_rest_cannot_be(void **state)
{
    served *s = *state;
    vt_buf body;
    vt_buf_init(&body, 8 << 20);
    serve_small(s);
    vt_buf_printf(&body,
                  "{\"op\":\"patch\",\"id\":\"P-1\",\"price\":41}\n\n{\"id\":\"P-2\"%*s}\n"
                  "{\"op\":\"patch\",\"id\":\"P-1\",\"price\":42}\n",
                  LINE_BYTES, "");
    reply got = send_batch(s, &body);
    assert_int_equal(got.status, 200);
    assert_non_null(strstr(got.body, "{\"line\":1,\"id\":\"P-1\",\"status\":200}\n"));
    assert_non_null(
        strstr(got.body, "{\"line\":3,\"id\":null,\"status\":413,\"code\":\"VT_ERR_LIMIT\""));
    assert_int_equal(count_of(got.body, "\n"), 2);
    vt_buf_deinit(&got.text);
    assert_true(price_of(s, "/v1/products/P-1") == 41.0);
    vt_buf_clear(&body);
    vt_buf_printf(&body, "{\"id\":\"P-2\"%*s}\n", LINE_BYTES, "");
    expect_status(send_batch(s, &body), 413); /* nothing was done: refused as a whole */
    vt_buf_deinit(&body);
}

static void only_so_many_come_at_once(void **state)
{
    served *s = *state;
    int fds[VT_BATCHES_MOST];
    vt_buf body;
    vt_buf_init(&body, 1 << 10);
    vt_buf_append_text(&body, "{\"op\":\"patch\",\"id\":\"P-1\",\"price\":51}\n");
    serve_small(s);
    for (int i = 0; i < VT_BATCHES_MOST; i++)
        fds[i] = open_batch(s, "Content-Length: 1000", "{");
    double until_ms = vt_clock_ms() + WAIT_MS;
    while (atomic_load(&s->server->batches) < VT_BATCHES_MOST) {
        assert_true(vt_clock_ms() < until_ms);
        usleep(5000);
    }
    reply got = send_batch(s, &body);
    assert_non_null(strstr(vt_buf_text(&got.text), "Retry-After:"));
    expect_status(got, 503);
    expect_status(ask_json(s, "GET", "/v1/products/P-1", NULL), 200); /* others go on */
    for (int i = 0; i < VT_BATCHES_MOST; i++)
        close(fds[i]);
    do {
        got = send_batch(s, &body);
        assert_true(vt_clock_ms() < until_ms);
        if (got.status == 503)
            vt_buf_deinit(&got.text);
    } while (got.status == 503);
    expect_status(got, 200);
    vt_buf_deinit(&body);
}

static void a_stop_ends_a_batch_with_a_verdict(void **state)
{
    served *s = *state;
    serve_small(s);
    int fd = open_batch(s, "Transfer-Encoding: chunked", "b\r\n{\"id\":\"P-1\"\r\n");
    while (atomic_load(&s->server->batches) == 0)
        usleep(1000);
    atomic_store(&s->server->stopping, true);
    send_all(fd, "2\r\n}\n\r\n0\r\n\r\n", strlen("2\r\n}\n\r\n0\r\n\r\n"));
    reply got = receive(fd);
    close(fd);
    assert_int_equal(got.status, 200);
    assert_non_null(strstr(got.body, "\"status\":503"));
    vt_buf_deinit(&got.text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        IN_SERVICE(a_body_may_be_larger_than_all_there_is_room_for),
        IN_SERVICE(a_line_is_done_when_it_has_come),
        IN_SERVICE(many_chunks_may_come_at_once),
        IN_SERVICE(what_was_done_keeps_its_verdicts_when_the_rest_cannot_be),
        IN_SERVICE(only_so_many_come_at_once),
        IN_SERVICE(a_stop_ends_a_batch_with_a_verdict),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
