/* SPDX-License-Identifier: Apache-2.0 */
/* A server within the test, before clients over loopback: every route before every kind of key. */
#include "server/client.h"

#include "base/clock.h"

#include <math.h>
#include <pthread.h>
#include <stdatomic.h>

/* ---- keys ---- */

static void make_key(served *s, unsigned scopes, int64_t expires_s, char text[VT_KEY_TEXT])
{
    vt_error error = {0};
    vt_key key = {.scopes = scopes, .expires_s = expires_s};
    expect_ok(vt_keys_add(s->journey->shop, &key, text, &error), &error);
}

/* The pattern with something in the place of each parameter. */
static void fill_in(const char *pattern, char *out, size_t capacity)
{
    size_t length = 0;
    while (*pattern != '\0' && length + 4 < capacity) {
        if (*pattern == '{') {
            memcpy(out + length, "P-1", 3);
            length += 3;
            pattern += strcspn(pattern, "}") + 1;
        } else {
            out[length++] = *pattern++;
        }
    }
    out[length] = '\0';
}

static int status_with(const served *s, const vt_route *route, const char *key)
{
    char path[128], header[VT_KEY_TEXT + 32] = "";
    fill_in(route->pattern, path, sizeof(path));
    if (key != NULL)
        snprintf(header, sizeof(header), "Authorization: Bearer %s\r\n", key);
    reply got = ask_server(s, (call){.method = route->method,
                                     .path = path,
                                     .headers = header,
                                     .type = route->body ? "text/plain" : NULL,
                                     .body = "x",
                                     .length = route->body});
    int status = got.status;
    vt_buf_deinit(&got.text);
    return status;
}

static void every_route_refuses_whoever_may_not(void **state)
{
    served *s = *state;
    vt_server_options options = server_options();
    char keys[VT_SCOPE_ADMIN + 1][VT_KEY_TEXT], expired[VT_KEY_TEXT], wrong[VT_KEY_TEXT];
    static const vt_scope scopes[] = {VT_SCOPE_SEARCH, VT_SCOPE_WRITE, VT_SCOPE_EMBED,
                                      VT_SCOPE_ADMIN};
    for (size_t i = 0; i < 4; i++)
        make_key(s, scopes[i], 0, keys[scopes[i]]);
    make_key(s, VT_SCOPE_ADMIN, 1, expired);
    memcpy(wrong, keys[VT_SCOPE_ADMIN], sizeof(wrong));
    wrong[strlen(wrong) - 1] ^= 1;
    serve(s, &options);
    size_t guarded = 0;
    for (size_t i = 0; i < vt_route_count; i++) {
        const vt_route *route = &vt_routes[i];
        vt_scope other = route->scope == VT_SCOPE_SEARCH || route->scope == VT_SCOPE_EMBED
                             ? VT_SCOPE_WRITE
                             : VT_SCOPE_SEARCH;
        if (route->scope == VT_SCOPE_NONE) {
            int status = status_with(s, route, NULL);
            assert_true(status == 200 || status == 204 || status == 404);
            continue;
        }
        guarded++;
        assert_int_equal(status_with(s, route, NULL), 401);
        assert_int_equal(status_with(s, route, "nonsense"), 401);
        assert_int_equal(status_with(s, route, wrong), 401);
        assert_int_equal(status_with(s, route, expired), 401);
        assert_int_equal(status_with(s, route, keys[other]), 403);
        int status = status_with(s, route, keys[route->scope]);
        if (status == 401 || status == 403 || status >= 500 || status == 0)
            fail_msg("%s %s with its key: %d", route->method, route->pattern, status);
    }
    assert_true(guarded > 10);
}

static void a_server_without_keys_is_for_its_own_machine(void **state)
{
    served *s = *state;
    vt_server_options options = server_options();
    vt_error error = {0};
    vt_server *server = NULL;
    serve(s, &options);
    expect_status(ask_json(s, "GET", "/v1/info", NULL), 200);
    static const char *const refused[] = {"Origin: https://elsewhere.example\r\n",
                                          "Origin: null\r\n",
                                          "Origin: http://localhost.elsewhere.example\r\n"};
    for (size_t i = 0; i < sizeof(refused) / sizeof(refused[0]); i++)
        expect_status(
            ask_server(s, (call){.method = "GET", .path = "/v1/info", .headers = refused[i]}), 403);
    char own[64];
    snprintf(own, sizeof(own), "Origin: http://localhost:%d\r\n", s->port);
    expect_status(ask_server(s, (call){.method = "GET", .path = "/v1/info", .headers = own}), 200);
    stop_serving(s);
    expect_ok(vt_shop_open(s->journey->shop, VT_OPEN_READ, &s->shop, &error), &error);
    options.listen = "0.0.0.0:0";
    expect_failure(vt_server_start(s->shop, &options, &server, &error), VT_ERR_DENIED, &error,
                   "strangers");
    vt_shop_close(s->shop);
}

/* ---- searching ---- */

static const vt_json *member(const vt_json *document, size_t result, const char *name)
{
    return vt_json_get(vt_json_at(vt_json_get(document, "results"), result), name);
}

static void searches_take_pictures_products_and_weights(void **state)
{
    served *s = *state;
    vt_server_options options = server_options();
    char *picture = good_base64(3, 1);
    vt_buf body;
    vt_buf_init(&body, 1 << 20);
    serve(s, &options);
    vt_buf_printf(&body,
                  "{\"query\":[{\"image\":\"%s\",\"weight\":1,\"crop\":[4,4,88,88]},"
                  "{\"product\":\"P-5\",\"weight\":-0.3}],\"top\":3,\"explain\":true,"
                  "\"where\":\"category = 'odd'\",\"facets\":[\"color\"]}",
                  picture);
    vt_json *found = expect_json(ask_json(s, "POST", "/v1/search", vt_buf_text(&body)), 200);
    assert_int_equal(vt_json_count(vt_json_get(found, "results")), 3);
    assert_string_equal(vt_json_text(vt_json_get(member(found, 0, "product"), "id"), ""), "P-3");
    assert_int_equal(vt_json_number(vt_json_get(found, "matched"), 0), PRODUCTS / 2);
    for (size_t i = 0; i < 3; i++) {
        double total = 0.0;
        const vt_json *shares = member(found, i, "shares");
        assert_int_equal(vt_json_count(shares), 2);
        for (size_t j = 0; j < 2; j++)
            total += vt_json_number(vt_json_get(vt_json_at(shares, j), "similarity"), 99.0);
        assert_true(fabs(total - vt_json_number(member(found, i, "similarity"), -99.0)) < 0.002);
    }
    assert_true(vt_json_number(vt_json_get(vt_json_at(member(found, 0, "shares"), 1), "similarity"),
                               1.0) < 0.0);
    vt_json_free(found);
    vt_buf_clear(&body);
    vt_buf_printf(&body, "{\"image\":\"%s\",\"regions\":[[0,0,60,96],[30,0,66,96]],\"top\":1}",
                  picture);
    expect_status(ask_json(s, "POST", "/v1/search", vt_buf_text(&body)), 200);
    vt_buf_clear(&body);
    vt_buf_printf(&body, "{\"image\":\"%s\",\"min_similarity\":1}", picture);
    found = expect_json(ask_json(s, "POST", "/v1/search", vt_buf_text(&body)), 200);
    assert_int_equal(vt_json_count(vt_json_get(found, "results")), 0);
    vt_json_free(found);
    expect_status(
        ask_json(s, "POST", "/v1/search", "{\"regions\":[[0,0,1,1]],\"product\":\"P-1\"}"), 400);
    expect_status(ask_json(s, "POST", "/v1/search", "{\"product\":\"P-1\",\"where\":\"(\"}"), 400);
    expect_status(ask_json(s, "POST", "/v1/search", "{\"product\":\"none\"}"), 404);
    expect_status(ask_json(s, "POST", "/v1/search", "{\"image\":\"AAAA\"}"), 422);
    vt_buf_deinit(&body);
    vt_free(picture);
}

/* By its header, wherever pictures come in. */
static void pictures_have_a_largest_size(void **state)
{
    served *s = *state;
    vt_server_options options = server_options();
    char *picture = good_base64(3, 1);
    vt_buf body;
    vt_buf_init(&body, 1 << 20);
    assert_in_range(options.maximum_pixels, 8000 * 6000, 100000000);
    options.maximum_pixels = 96 * 96 - 1;
    serve(s, &options);
    vt_buf_printf(&body, "{\"images\":[\"%s\"]}", picture);
    static const char *const routes[][2] = {{"POST", "/v1/search"},
                                            {"POST", "/v1/embed"},
                                            {"PUT", "/v1/products/new"},
                                            {"POST", "/v1/products/P-1/images"}};
    for (size_t i = 0; i < 4; i++) {
        reply got = ask_json(s, routes[i][0], routes[i][1], vt_buf_text(&body));
        assert_non_null(strstr(got.body, "96x96 pixels are more than the 9215 allowed"));
        expect_status(got, 413);
    }
    stop_serving(s);
    options.maximum_pixels = 96 * 96;
    serve(s, &options);
    for (size_t i = 0; i < 4; i++) {
        reply got = ask_json(s, routes[i][0], routes[i][1], vt_buf_text(&body));
        if (got.status != 200 && got.status != 201)
            fail_msg("%s: %d: %s", routes[i][1], got.status, got.body);
        vt_buf_deinit(&got.text);
    }
    vt_buf_deinit(&body);
    vt_free(picture);
}

/* ---- changing ---- */

static const char *line_of(const vt_json *verdict, const char *name)
{
    return vt_json_text(vt_json_get(verdict, name), "");
}

static void a_batch_has_a_verdict_for_every_line(void **state)
{
    served *s = *state;
    vt_server_options options = server_options();
    static const int wanted[] = {201, 200, 422, 400, 400, 404, 204, 404};
    char *picture = good_base64(2, 3);
    vt_buf body;
    vt_buf_init(&body, 1 << 20);
    serve(s, &options);
    vt_buf_printf(&body,
                  "{\"id\":\"new\",\"title\":\"New\",\"images\":[\"%s\"]}\n"
                  "{\"op\":\"patch\",\"id\":\"new\",\"price\":4}\r\n\n"
                  "{\"id\":\n{\"title\":\"No id\"}\n{\"id\":\"new\",\"colour\":1}\n"
                  "{\"op\":\"patch\",\"id\":\"none\",\"price\":4}\n"
                  "{\"op\":\"delete\",\"id\":\"P-2\"}\n{\"op\":\"delete\",\"id\":\"P-2\"}",
                  picture);
    reply got = ask_server(s, (call){.method = "POST",
                                     .path = "/v1/products:batch",
                                     .type = "application/x-ndjson",
                                     .body = body.data,
                                     .length = body.length});
    assert_int_equal(got.status, 200);
    const char *at = got.body;
    for (size_t i = 0; i < sizeof(wanted) / sizeof(wanted[0]); i++) {
        vt_json *verdict = NULL;
        size_t length = strcspn(at, "\n");
        assert_int_equal(vt_json_parse(at, length, 4, &verdict, NULL), VT_OK);
        assert_int_equal(vt_json_number(vt_json_get(verdict, "status"), 0), wanted[i]);
        assert_int_equal(vt_json_number(vt_json_get(verdict, "line"), 0), i < 2 ? i + 1 : i + 2);
        assert_int_equal(line_of(verdict, "code")[0] != '\0', wanted[i] >= 400);
        vt_json_free(verdict);
        at += length + 1;
    }
    assert_string_equal(at, "");
    vt_buf_deinit(&got.text);
    vt_json *product = expect_json(ask_json(s, "GET", "/v1/products/new", NULL), 200);
    assert_string_equal(line_of(product, "title"), "New");
    assert_int_equal(vt_json_number(vt_json_get(product, "price"), 0), 4);
    vt_json_free(product);
    vt_buf_deinit(&body);
    vt_free(picture);
}

static void pictures_are_added_and_come_in_the_width_asked_for(void **state)
{
    served *s = *state;
    vt_server_options options = server_options();
    char *picture = good_base64(7, 4), path[160], etag[128];
    vt_buf body;
    vt_buf_init(&body, 1 << 20);
    serve(s, &options);
    vt_buf_printf(&body, "{\"images\":[\"%s\",\"%s\"]}", picture, picture);
    vt_json *product =
        expect_json(ask_json(s, "POST", "/v1/products/P-1/images", vt_buf_text(&body)), 200);
    const vt_json *images = vt_json_get(product, "images");
    assert_int_equal(vt_json_count(images), 2); /* equal ones are one */
    assert_string_equal(line_of(product, "title"), "Thing 1");
    const char *hash = line_of(vt_json_at(images, 1), "hash");
    snprintf(path, sizeof(path), "/v1/images/%s?w=32", hash);
    snprintf(etag, sizeof(etag), "If-None-Match: \"%s-32\"\r\n", hash);
    reply got = ask_json(s, "GET", path, NULL);
    assert_int_equal(got.status, 200);
    vt_image image = {0};
    size_t head = (size_t)(got.body - got.text.data);
    assert_int_equal(vt_image_decode(got.body, got.text.length - head, NULL, &image, NULL), VT_OK);
    assert_int_equal(image.width, 32);
    assert_int_equal(image.height, 32);
    vt_image_deinit(&image);
    vt_buf_deinit(&got.text);
    expect_status(ask_server(s, (call){.method = "GET", .path = path, .headers = etag}), 304);
    path[strlen("/v1/images/")] ^= 1; /* none of ours, whatever the client has */
    expect_status(
        ask_server(s, (call){.method = "GET", .path = path, .headers = "If-None-Match: *\r\n"}),
        404);
    expect_status(ask_json(s, "POST", "/v1/products/none/images", vt_buf_text(&body)), 404);
    expect_status(ask_json(s, "POST", "/v1/products/P-1/images", "{\"title\":\"x\"}"), 400);
    expect_status(ask_json(s, "POST", "/v1/products/P-1/images", "{\"images\":[\"AAAA\"]}"), 422);
    vt_json_free(product);
    vt_buf_deinit(&body);
    vt_free(picture);
}

/* ---- many at once ---- */

enum { CLIENTS = 8, ROUNDS = 6 };

typedef struct client {
    const served *served;
    pthread_t thread;
    int index, good, busy, other;
} client;

static void *use(void *context)
{
    client *c = context;
    char path[64];
    for (int i = 0; i < ROUNDS; i++) {
        snprintf(path, sizeof(path), "/v1/products/P-%d", (c->index + i) % PRODUCTS);
        reply got = c->index % 2
                        ? ask_json(c->served, "POST", "/v1/search", "{\"product\":\"P-4\"}")
                        : ask_json(c->served, "PATCH", path, "{\"price\":8}");
        c->good += got.status == 200;
        c->busy += got.status == 503 && strstr(vt_buf_text(&got.text), "Retry-After: ") != NULL &&
                   strstr(got.body, "\"retry_after_ms\"") != NULL;
        c->other += got.status != 200 && got.status != 503;
        vt_buf_deinit(&got.text);
    }
    return NULL;
}

static client run_clients(served *s)
{
    client clients[CLIENTS] = {0}, sum = {0};
    for (int i = 0; i < CLIENTS; i++) {
        clients[i] = (client){.served = s, .index = i};
        assert_int_equal(pthread_create(&clients[i].thread, NULL, use, &clients[i]), 0);
    }
    for (int i = 0; i < CLIENTS; i++) {
        pthread_join(clients[i].thread, NULL);
        sum.good += clients[i].good;
        sum.busy += clients[i].busy;
        sum.other += clients[i].other;
    }
    return sum;
}

static void searches_go_on_beside_writes(void **state)
{
    served *s = *state;
    vt_server_options options = server_options();
    serve(s, &options);
    assert_int_equal(run_clients(s).good, CLIENTS * ROUNDS);
}

/* ---- another encoder ---- */

typedef struct visitor {
    const served *served;
    atomic_bool stop;
    atomic_int rounds;
    char *body; /* of a search and an embedding: a good in two equal pictures */
} visitor;

/* Finds the good, and vectors of one encoder. */
static void visit(visitor *v)
{
    vt_json *found = expect_json(ask_json(v->served, "POST", "/v1/search", v->body), 200);
    assert_string_equal(vt_json_text(vt_json_get(member(found, 0, "product"), "id"), ""), "P-3");
    assert_true(vt_json_number(member(found, 0, "similarity"), 0) > 0.9);
    vt_json_free(found);
    vt_json *made = expect_json(ask_json(v->served, "POST", "/v1/embed", v->body), 200);
    const vt_json *vectors = vt_json_get(made, "vectors");
    size_t dimension = (size_t)vt_json_number(vt_json_get(made, "dimension"), 0);
    assert_int_equal(vt_json_count(vectors), 2);
    assert_int_equal(vt_json_count(vt_json_at(vectors, 0)), dimension);
    assert_int_equal(vt_json_count(vt_json_at(vectors, 1)), dimension);
    for (size_t i = 0; i < dimension; i++)
        assert_true(fabs(vt_json_number(vt_json_at(vt_json_at(vectors, 0), i), 0) -
                         vt_json_number(vt_json_at(vt_json_at(vectors, 1), i), 9)) < 0.02);
    vt_json_free(made);
    atomic_fetch_add(&v->rounds, 1);
}

static void *visit_on(void *context)
{
    visitor *v = context;
    while (!atomic_load(&v->stop))
        visit(v);
    return NULL;
}

static void expect_encoder(const served *s, const char *name)
{
    vt_json *info = expect_json(ask_json(s, "GET", "/v1/info", NULL), 200);
    const vt_json *model = vt_json_get(info, "model");
    assert_string_equal(vt_json_text(vt_json_get(model, "name"), ""), name);
    vt_json_free(info);
}

static void wait_for_visits(visitor *v)
{
    int rounds = atomic_load(&v->rounds);
    while (atomic_load(&v->rounds) < rounds + 3)
        usleep(1000);
}

/* There and back, through this handle, while clients ask all the time. */
static void change_encoder(served *s, vt_shop *shop)
{
    vt_error error = {0};
    visitor v = {.served = s};
    char *picture = good_base64(3, 0);
    pthread_t threads[2];
    vt_promote_report report;
    vt_promote_options how = vt_promote_options_defaults();
    char images[SCRATCH_PATH_BYTES];
    snprintf(images, sizeof(images), "%s", at(s->journey, ""));
    how.images_dir = images;
    how.force = true;
    v.body = vt_alloc_array(2 * strlen(picture) + 64, 1);
    assert_non_null(v.body);
    sprintf(v.body, "{\"images\":[\"%s\",\"%s\"]}", picture, picture);
    for (int i = 0; i < 2; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, visit_on, &v), 0);
    for (int turn = 0; turn < 2; turn++) {
        const char *next = turn == 0 ? "vitrine-s" : "classic";
        expect_ok(vt_shop_promote(shop, next, &how, &report, &error), &error);
        assert_true(report.switched);
        expect_encoder(s, report.after);
        wait_for_visits(&v);
    }
    atomic_store(&v.stop, true);
    for (int i = 0; i < 2; i++)
        pthread_join(threads[i], NULL);
    vt_free(v.body);
    vt_free(picture);
}

static void a_server_goes_over_to_another_encoder(void **state)
{
    served *s = *state;
    vt_error error = {0};
    vt_server_options options = server_options();
    vt_shop *other = NULL;
    vt_promote_report report;
    const vt_promote_options how = vt_promote_options_defaults();
    serve(s, &options);
    change_encoder(s, s->shop);
    /* While it may write nobody else can begin. */
    expect_ok(vt_shop_open(s->journey->shop, VT_OPEN_READ, &other, &error), &error);
    expect_failure(vt_shop_promote(other, "vitrine-s", &how, &report, &error), VT_ERR_BUSY, &error,
                   "without --write");
    stop_serving(s);
    /* One that only reads follows whoever promotes. */
    serve_how(s, VT_OPEN_READ, &options);
    change_encoder(s, other);
    vt_shop_close(other);
}

static void too_many_are_told_to_come_back(void **state)
{
    served *s = *state;
    vt_server_options options = server_options();
    options.workers = 1;
    options.queue = 1;
    serve(s, &options);
    /* The one worker waits for this turn: whoever comes after the first two finds no room. */
    pthread_mutex_lock(&s->server->write_lock);
    int fds[3];
    static const char patch[] = "PATCH /v1/products/P-1 HTTP/1.1\r\nHost: localhost\r\n"
                                "Connection: close\r\nContent-Type: application/json\r\n"
                                "Content-Length: 11\r\n\r\n{\"price\":1}";
    for (int i = 0; i < 2; i++) {
        fds[i] = connect_to(s->port);
        send_all(fds[i], patch, sizeof(patch) - 1);
        /* Taken by the worker, and then waiting. */
        for (int wait = 0; wait < 2000; wait++) {
            if (atomic_load(&s->server->in_flight) == i + 1 &&
                atomic_load(&s->server->waiting) == i)
                break;
            usleep(5000);
        }
    }
    reply got = ask_json(s, "PATCH", "/v1/products/P-2", "{\"price\":1}");
    assert_non_null(strstr(vt_buf_text(&got.text), "Retry-After: 1"));
    expect_status(got, 503);
    expect_status(ask_json(s, "GET", "/healthz", NULL), 200);
    /* The head is enough to be refused by: this body never comes. */
    static const char large[] = "POST /v1/search HTTP/1.1\r\nHost: localhost\r\n"
                                "Expect: 100-continue\r\nContent-Type: application/json\r\n"
                                "Content-Length: 1000000\r\n\r\n";
    int fd = connect_to(s->port);
    send_all(fd, large, sizeof(large) - 1);
    expect_status(receive(fd), 503);
    close(fd);
    pthread_mutex_unlock(&s->server->write_lock);
    for (int i = 0; i < 2; i++) {
        expect_status(receive(fds[i]), 200);
        close(fds[i]);
    }
}

static void slow_clients_are_let_go(void **state)
{
    served *s = *state;
    vt_server_options options = server_options();
    options.head_ms = options.body_ms = 300;
    serve(s, &options);
    static const char *const parts[] = {"GET /v1/in",
                                        "POST /v1/search HTTP/1.1\r\nHost: localhost\r\n"
                                        "Content-Length: 9\r\n\r\n{"};
    for (size_t i = 0; i < 2; i++) {
        double started = vt_clock_ms();
        int fd = connect_to(s->port);
        send_all(fd, parts[i], strlen(parts[i]));
        expect_status(receive(fd), 0);
        close(fd);
        assert_true(vt_clock_ms() - started < 30000.0);
    }
    expect_status(ask_json(s, "GET", "/v1/info", NULL), 200);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        IN_SERVICE(every_route_refuses_whoever_may_not),
        IN_SERVICE(a_server_without_keys_is_for_its_own_machine),
        IN_SERVICE(searches_take_pictures_products_and_weights),
        IN_SERVICE(pictures_have_a_largest_size),
        IN_SERVICE(a_batch_has_a_verdict_for_every_line),
        IN_SERVICE(pictures_are_added_and_come_in_the_width_asked_for),
        IN_SERVICE(searches_go_on_beside_writes),
        IN_SERVICE(a_server_goes_over_to_another_encoder),
        IN_SERVICE(too_many_are_told_to_come_back),
        IN_SERVICE(slow_clients_are_let_go),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
