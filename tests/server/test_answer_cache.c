/* SPDX-License-Identifier: Apache-2.0 */
/* Answers that were given before: when they are given again, and when not. */
#include "server/client.h"

#include "server/answer_cache.h"

#include "base/hash.h"

static vt_hash name(int i)
{
    return vt_hash_of(&i, sizeof(i));
}

static void keep(vt_answer_cache *cache, int i, uint64_t change, size_t length)
{
    vt_hash key = name(i);
    vt_buf answer;
    vt_buf_init(&answer, 1 << 20);
    for (size_t at = 0; at < length; at++)
        vt_buf_append_char(&answer, (char)('a' + i % 26));
    vt_answer_cache_keep(cache, &key, change, &answer, "application/json");
    vt_buf_deinit(&answer);
}

/* The answer's length; -1: there is none. */
static int found(vt_answer_cache *cache, int i, uint64_t change)
{
    vt_hash key = name(i);
    const char *type = NULL;
    vt_buf answer;
    vt_buf_init(&answer, 1 << 20);
    int length = -1;
    if (vt_answer_cache_find(cache, &key, change, &answer, &type)) {
        length = (int)answer.length;
        assert_string_equal(type, "application/json");
        for (size_t at = 0; at < answer.length; at++)
            assert_int_equal(answer.data[at], 'a' + i % 26);
    }
    vt_buf_deinit(&answer);
    return length;
}

static void memory_is_bounded_and_the_least_used_go(void **state)
{
    (void)state;
    enum { MAXIMUM = 64 << 10, EACH = 1000, MANY = 3000 };
    vt_answer_cache *cache = NULL;
    assert_int_equal(vt_answer_cache_new(MAXIMUM, &cache, NULL), VT_OK);
    for (int i = 0; i < MANY; i++) {
        keep(cache, i, 1, EACH);
        assert_true(vt_answer_cache_bytes(cache) <= MAXIMUM);
        assert_int_equal(found(cache, i, 1), EACH);
        assert_int_equal(found(cache, 0, 1), EACH); /* used all the time: stays */
    }
    assert_int_equal(found(cache, 1, 1), -1);
    int kept = 0;
    for (int i = 0; i < MANY; i++)
        kept += found(cache, i, 1) >= 0;
    assert_in_range(kept, 30, MAXIMUM / EACH);
    keep(cache, 5, 1, MAXIMUM / 2); /* one alone may not take so much */
    assert_int_equal(found(cache, 5, 1), -1);
    vt_answer_cache_free(cache);
}

static void a_change_makes_answers_old(void **state)
{
    (void)state;
    vt_answer_cache *cache = NULL;
    assert_int_equal(vt_answer_cache_new(1 << 20, &cache, NULL), VT_OK);
    keep(cache, 1, 7, 10);
    assert_int_equal(found(cache, 1, 7), 10);
    assert_int_equal(found(cache, 2, 7), -1);
    assert_int_equal(found(cache, 1, 8), -1);
    assert_int_equal(vt_answer_cache_bytes(cache), 0); /* and gone */
    keep(cache, 1, 8, 20);
    keep(cache, 1, 8, 30);
    assert_int_equal(found(cache, 1, 8), 30);
    vt_answer_cache_free(cache);
    assert_int_equal(vt_answer_cache_new(0, &cache, NULL), VT_OK);
    keep(cache, 1, 7, 10);
    assert_int_equal(found(cache, 1, 7), -1);
    vt_answer_cache_free(cache);
    vt_answer_cache_free(NULL);
}

/* ---- in service ---- */

static bool is_hit(const reply *got)
{
    return strstr(vt_buf_text(&got->text), "Cache-Status: vitrine; hit\r\n") != NULL;
}

/* Whether this was answered from memory. */
static bool hits(const served *s, const char *method, const char *path, const char *body)
{
    reply got = ask_json(s, method, path, body);
    bool hit = is_hit(&got);
    expect_status(got, 200);
    return hit;
}

static bool form_hits(const served *s, const char *boundary, const vt_buf *photo, const char *top)
{
    vt_buf body;
    char type[128];
    vt_buf_init(&body, 1 << 20);
    snprintf(type, sizeof(type), "multipart/form-data; boundary=%s", boundary);
    vt_buf_printf(
        &body, "--%s\r\nContent-Disposition: form-data; name=\"image\"; filename=\"x.jpg\"\r\n\r\n",
        boundary);
    vt_buf_append(&body, photo->data, photo->length);
    vt_buf_printf(
        &body, "\r\n--%s\r\nContent-Disposition: form-data; name=\"top\"\r\n\r\n%s\r\n--%s--\r\n",
        boundary, top, boundary);
    reply got = ask_server(s, (call){.method = "POST",
                                     .path = "/v1/search",
                                     .type = type,
                                     .body = body.data,
                                     .length = body.length});
    bool hit = is_hit(&got);
    expect_status(got, 200);
    vt_buf_deinit(&body);
    return hit;
}

static void equal_searches_are_answered_once(void **state)
{
    served *s = *state;
    vt_server_options options = server_options();
    vt_image image = {0};
    vt_buf photo;
    vt_buf_init(&photo, 1 << 20);
    assert_int_equal(goods_draw(3, 1, &image, NULL), VT_OK);
    assert_int_equal(vt_image_encode_jpeg(&image, 92, &photo, NULL), VT_OK);
    vt_image_deinit(&image);
    serve(s, &options);
    static const char query[] = "{\"product\":\"P-1\",\"top\":3}";
    assert_false(hits(s, "POST", "/v1/search", query));
    assert_true(hits(s, "POST", "/v1/search", query));
    assert_false(hits(s, "POST", "/v1/search", "{\"product\":\"P-1\",\"top\":4}"));
    assert_false(hits(s, "GET", "/v1/products?top=2", NULL));
    assert_true(hits(s, "GET", "/v1/products?top=2", NULL));
    assert_false(hits(s, "GET", "/v1/products?top=3", NULL));
    assert_false(form_hits(s, "one", &photo, "3"));
    assert_true(form_hits(s, "another", &photo, "3"));
    assert_false(form_hits(s, "one", &photo, "4"));
    photo.data[photo.length / 2] ^= 1; /* another picture of the same length */
    assert_false(form_hits(s, "one", &photo, "3"));
    /* Whatever is written, by this process or another, makes answers old. */
    expect_status(ask_json(s, "PATCH", "/v1/products/P-2", "{\"price\":77}"), 200);
    assert_false(hits(s, "POST", "/v1/search", query));
    assert_true(hits(s, "POST", "/v1/search", query));
    assert_int_equal(atomic_load(&s->server->metrics.cache_hits), 4);
    reply metrics = ask_json(s, "GET", "/metrics", NULL);
    assert_non_null(strstr(metrics.body, "vitrine_cache_hits_total 4"));
    expect_status(metrics, 200);
    vt_buf_deinit(&photo);
}

static void a_repeated_answer_is_the_same_and_a_new_price_is_seen(void **state)
{
    served *s = *state;
    vt_server_options options = server_options();
    serve(s, &options);
    static const char query[] = "{\"product\":\"P-1\",\"top\":11}";
    reply first = ask_json(s, "POST", "/v1/search", query);
    reply second = ask_json(s, "POST", "/v1/search", query);
    assert_string_equal(first.body, second.body);
    assert_null(strstr(first.body, "\"price\":77"));
    vt_buf_deinit(&first.text);
    vt_buf_deinit(&second.text);
    expect_status(ask_json(s, "PATCH", "/v1/products/P-2", "{\"price\":77}"), 200);
    reply third = ask_json(s, "POST", "/v1/search", query);
    assert_non_null(strstr(third.body, "\"price\":77"));
    vt_buf_deinit(&third.text);
}

static void keys_do_not_share_answers(void **state)
{
    served *s = *state;
    vt_server_options options = server_options();
    vt_error error = {0};
    char keys[2][VT_KEY_TEXT], header[VT_KEY_TEXT + 32];
    vt_key wanted = {.scopes = VT_SCOPE_SEARCH};
    for (size_t i = 0; i < 2; i++)
        expect_ok(vt_keys_add(s->journey->shop, &wanted, keys[i], &error), &error);
    serve(s, &options);
    static const bool wanted_hits[] = {false, true, false, true};
    for (size_t i = 0; i < 4; i++) {
        snprintf(header, sizeof(header), "X-Api-Key: %s\r\n", keys[i / 2]);
        reply got = ask_server(
            s, (call){.method = "GET", .path = "/v1/products/P-1/similar", .headers = header});
        assert_int_equal(is_hit(&got), wanted_hits[i]);
        expect_status(got, 200);
    }
}

/* The ETag of a GET, with its line's beginning as If-None-Match has it. */
static int status_if_unchanged(const served *s, const char *path, const char *etag)
{
    char header[160];
    snprintf(header, sizeof(header), "If-None-Match: %s\r\n", etag);
    reply got = ask_server(s, (call){.method = "GET", .path = path, .headers = header});
    int status = got.status;
    if (status == 304)
        assert_string_equal(got.body, "");
    vt_buf_deinit(&got.text);
    return status;
}

static void take_etag(const served *s, const char *path, char out[128])
{
    reply got = ask_json(s, "GET", path, NULL);
    const char *line = strstr(vt_buf_text(&got.text), "ETag: ");
    assert_non_null(line);
    snprintf(out, 128, "%.*s", (int)strcspn(line + 6, "\r"), line + 6);
    expect_status(got, 200);
}

static void clients_are_told_what_they_have(void **state)
{
    served *s = *state;
    vt_server_options options = server_options();
    char etag[128], other[128];
    serve(s, &options);
    take_etag(s, "/v1/products/P-1/similar?top=3", etag);
    assert_int_equal(status_if_unchanged(s, "/v1/products/P-1/similar?top=3", etag), 304);
    assert_int_equal(status_if_unchanged(s, "/v1/products/P-1/similar?top=4", etag), 200);
    assert_int_equal(status_if_unchanged(s, "/v1/products/P-2/similar?top=3", etag), 200);
    assert_int_equal(status_if_unchanged(s, "/v1/products/none/similar", "*"), 404);
    assert_int_equal(status_if_unchanged(s, "/v1/products?top=x", "*"), 400);
    take_etag(s, "/v1/products?top=3", other);
    assert_string_not_equal(etag, other);
    assert_int_equal(status_if_unchanged(s, "/v1/products?top=3", other), 304);
    expect_status(ask_json(s, "PATCH", "/v1/products/P-2", "{\"price\":77}"), 200);
    assert_int_equal(status_if_unchanged(s, "/v1/products?top=3", other), 200);
    assert_int_equal(status_if_unchanged(s, "/v1/products/P-1/similar?top=3", etag), 200);
    stop_serving(s);
    options.cache_bytes = 0; /* nothing is kept, but clients may still have it */
    serve(s, &options);
    take_etag(s, "/v1/products?top=3", other);
    assert_int_equal(status_if_unchanged(s, "/v1/products?top=3", other), 304);
    assert_false(hits(s, "GET", "/v1/products?top=3", NULL));
}

/* ---- many at once ---- */

enum { CLIENTS = 6, ROUNDS = 40 };

typedef struct client {
    const served *served;
    pthread_t thread;
    int index, good;
} client;

static void *use(void *context)
{
    client *c = context;
    char body[64];
    for (int i = 0; i < ROUNDS; i++) {
        snprintf(body, sizeof(body), "{\"product\":\"P-%d\"}", i % 4);
        reply got = c->index == 0
                        ? ask_json(c->served, "PATCH", "/v1/products/P-9", "{\"price\":3}")
                        : ask_json(c->served, "POST", "/v1/search", body);
        c->good += got.status == 200;
        vt_buf_deinit(&got.text);
    }
    return NULL;
}

static void answers_are_kept_beside_writes(void **state)
{
    served *s = *state;
    vt_server_options options = server_options();
    client clients[CLIENTS] = {0};
    options.cache_bytes = 64 << 10; /* room for few: they come and go */
    serve(s, &options);
    for (int i = 0; i < CLIENTS; i++) {
        clients[i] = (client){.served = s, .index = i};
        assert_int_equal(pthread_create(&clients[i].thread, NULL, use, &clients[i]), 0);
    }
    for (int i = 0; i < CLIENTS; i++) {
        pthread_join(clients[i].thread, NULL);
        assert_int_equal(clients[i].good, ROUNDS);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(memory_is_bounded_and_the_least_used_go),
        cmocka_unit_test(a_change_makes_answers_old),
        IN_SERVICE(equal_searches_are_answered_once),
        IN_SERVICE(a_repeated_answer_is_the_same_and_a_new_price_is_seen),
        IN_SERVICE(keys_do_not_share_answers),
        IN_SERVICE(clients_are_told_what_they_have),
        IN_SERVICE(answers_are_kept_beside_writes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
