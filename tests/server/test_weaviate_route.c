/* SPDX-License-Identifier: Apache-2.0 */
/* Requests as Weaviate's modules send them (Go's client: no Content-Type), and what they read. */
#include "server/client.h"

#include <math.h>

/* As net/http sends what http.NewRequest made of a bytes.Reader. */
static reply ask_as_module(const served *s, const char *path, const char *body)
{
    char headers[128];
    snprintf(headers, sizeof(headers),
             "User-Agent: Go-http-client/1.1\r\nContent-Length: %zu\r\nAccept-Encoding: gzip\r\n",
             strlen(body));
    vt_buf text;
    vt_buf_init(&text, 1 << 20);
    int fd = connect_to(s->port);
    assert_true(fd >= 0);
    vt_buf_printf(&text, "POST %s HTTP/1.1\r\nHost: localhost:%d\r\nConnection: close\r\n%s\r\n%s",
                  path, s->port, headers, body);
    send_all(fd, text.data, text.length);
    vt_buf_deinit(&text);
    reply got = receive(fd);
    close(fd);
    return got;
}

static double length_of(const vt_json *vector)
{
    double sum = 0.0;
    for (size_t i = 0; i < vt_json_count(vector); i++) {
        double value = vt_json_number(vt_json_at(vector, i), NAN);
        sum += value * value;
    }
    return sqrt(sum);
}

static void img2vec_neural_gets_its_vector(void **state)
{
    served *s = *state;
    vt_server_options options = server_options();
    char *picture = good_base64(3, 1);
    vt_buf body;
    vt_buf_init(&body, 1 << 20);
    serve(s, &options);
    vt_buf_printf(&body, "{\"id\":\"7e63\",\"image\":\"%s\"}", picture);
    vt_json *found = expect_json(ask_as_module(s, "/vectors", vt_buf_text(&body)), 200);
    const vt_json *vector = vt_json_get(found, "vector");
    assert_string_equal(vt_json_text(vt_json_get(found, "id"), ""), "7e63");
    assert_true(vt_json_count(vector) > 16);
    assert_int_equal(vt_json_number(vt_json_get(found, "dim"), 0), vt_json_count(vector));
    assert_true(fabs(length_of(vector) - 1.0) < 1e-4);
    vt_json_free(found);
    vt_buf_deinit(&body);
    vt_free(picture);
}

static void multi2vec_clip_gets_vectors_of_pictures(void **state)
{
    served *s = *state;
    vt_server_options options = server_options();
    char *one = good_base64(3, 1), *other = good_base64(4, 1);
    vt_buf body;
    vt_buf_init(&body, 1 << 20);
    serve(s, &options);
    vt_buf_printf(&body, "{\"texts\":null,\"images\":[\"%s\",\"%s\"]}", one, other);
    vt_json *found = expect_json(ask_as_module(s, "/vectorize", vt_buf_text(&body)), 200);
    const vt_json *vectors = vt_json_get(found, "imageVectors");
    assert_int_equal(vt_json_count(vt_json_get(found, "textVectors")), 0);
    assert_int_equal(vt_json_count(vectors), 2);
    for (size_t i = 0; i < 2; i++)
        assert_true(fabs(length_of(vt_json_at(vectors, i)) - 1.0) < 1e-4);
    vt_json_free(found);
    vt_buf_deinit(&body);
    vt_free(one);
    vt_free(other);
}

static void failures_are_told_as_modules_read_them(void **state)
{
    served *s = *state;
    vt_server_options options = server_options();
    static const struct {
        const char *path, *body;
        int status;
    } cases[] = {{"/vectorize", "{\"texts\":[\"a red cup\"],\"images\":[]}", 400},
                 {"/vectorize", "{\"images\":[1]}", 400},
                 {"/vectorize", "{\"images\":[\"AAAA\"]}", 422},
                 {"/vectors", "{\"id\":\"x\"}", 400},
                 {"/vectors", "{\"id\":\"x\",\"image\":\"%\"}", 400},
                 {"/vectors", "{", 422},
                 {"/vectors", "[]", 422}};
    serve(s, &options);
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        vt_json *answer =
            expect_json(ask_as_module(s, cases[i].path, cases[i].body), cases[i].status);
        assert_true(strlen(vt_json_text(vt_json_get(answer, "error"), "")) > 5);
        vt_json_free(answer);
    }
    expect_status(ask_server(s, (call){.method = "POST",
                                       .path = "/vectors",
                                       .type = "text/plain",
                                       .body = "{}",
                                       .length = 2}),
                  415);
    vt_json *empty = expect_json(ask_as_module(s, "/vectorize", "{}"), 200);
    assert_int_equal(vt_json_count(vt_json_get(empty, "imageVectors")), 0);
    vt_json_free(empty);
}

static void the_container_says_what_it_is(void **state)
{
    served *s = *state;
    vt_server_options options = server_options();
    serve(s, &options);
    expect_status(ask_json(s, "GET", "/.well-known/ready", NULL), 204);
    expect_status(ask_json(s, "GET", "/.well-known/live", NULL), 204);
    vt_json *meta = expect_json(ask_json(s, "GET", "/meta", NULL), 200);
    assert_string_equal(vt_json_text(vt_json_get(meta, "model"), ""), "classic");
    vt_json_free(meta);
    atomic_store(&s->server->ready, false);
    expect_status(ask_json(s, "GET", "/.well-known/ready", NULL), 503);
    expect_status(ask_json(s, "GET", "/.well-known/live", NULL), 204);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        IN_SERVICE(img2vec_neural_gets_its_vector),
        IN_SERVICE(multi2vec_clip_gets_vectors_of_pictures),
        IN_SERVICE(failures_are_told_as_modules_read_them),
        IN_SERVICE(the_container_says_what_it_is),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
