/* SPDX-License-Identifier: Apache-2.0 */
/* Duplicates to review and the models of a shop. */
#include "server/jobs_client.h"

#include "base/hash.h"

static double number_of(const vt_json *object, const char *name)
{
    return vt_json_number(vt_json_get(object, name), -1.0);
}

static void put_good(const served *s, const char *path, int index, int view)
{
    char *picture = good_base64(index, view);
    vt_buf body;
    vt_buf_init(&body, 4 << 20);
    vt_buf_printf(&body, "{\"title\":\"Twin\",\"images\":[\"%s\"]}", picture);
    expect_status(ask_json(s, "PUT", path, body.data), 201);
    vt_buf_deinit(&body);
    vt_free(picture);
}

static const vt_json *pair_of(const vt_json *page, const char *second)
{
    const vt_json *pairs = vt_json_get(page, "duplicates");
    for (size_t i = 0; i < vt_json_count(pairs); i++)
        if (strcmp(text_of(vt_json_get(vt_json_at(pairs, i), "second"), "id"), second) == 0)
            return vt_json_at(pairs, i);
    return NULL;
}

static void products_with_the_same_picture_are_listed(void **state)
{
    served *s = *state;
    vt_server_options options = server_options();
    serve(s, &options);
    put_good(s, "/v1/products/twin-1", 1, 7); /* of no other */
    put_good(s, "/v1/products/twin-2", 1, 7);
    vt_json *page = expect_json(ask_json(s, "GET", "/v1/duplicates?bits=0&top=100", NULL), 200);
    double matched = number_of(page, "matched");
    const vt_json *pair = pair_of(page, "twin-2");
    assert_non_null(pair);
    assert_string_equal(text_of(vt_json_get(pair, "first"), "id"), "twin-1");
    assert_true(vt_json_bool(vt_json_get(pair, "exact"), false));
    assert_int_equal(number_of(pair, "pictures"), 1);
    assert_string_equal(text_of(vt_json_get(pair, "first"), "picture"),
                        text_of(vt_json_get(pair, "second"), "picture"));
    /* The closest come first. */
    assert_true(vt_json_at(vt_json_get(page, "duplicates"), 0) == pair);
    vt_json_free(page);
    page = expect_json(ask_json(s, "GET", "/v1/duplicates?bits=0&top=0", NULL), 200);
    assert_true(number_of(page, "matched") == matched);
    assert_int_equal(vt_json_count(vt_json_get(page, "duplicates")), 0);
    vt_json_free(page);
    /* One of them goes: it is none any more. */
    expect_status(ask_json(s, "DELETE", "/v1/products/twin-2", NULL), 204);
    page = expect_json(ask_json(s, "GET", "/v1/duplicates?bits=0&top=100", NULL), 200);
    assert_null(pair_of(page, "twin-2"));
    assert_true(number_of(page, "matched") == matched - 1);
    vt_json_free(page);
    expect_status(ask_json(s, "GET", "/v1/duplicates?bits=12", NULL), 400);
    expect_status(ask_json(s, "GET", "/v1/duplicates?top=1000", NULL), 400);
}

static void put_twins(const served *s)
{
    put_good(s, "/v1/products/twin-1", 1, 7);
    put_good(s, "/v1/products/twin-2", 1, 7);
    put_good(s, "/v1/products/twin%2F3", 1, 7);
}

/* The pair of twin-1 and `second` is listed so. */
static void expect_pairs(const served *s, const char *second, bool open, bool kept)
{
    static const char *const paths[] = {"/v1/duplicates?bits=0&top=100",
                                        "/v1/duplicates?bits=0&top=100&kept=true"};
    for (size_t i = 0; i < 2; i++) {
        vt_json *page = expect_json(ask_json(s, "GET", paths[i], NULL), 200);
        assert_int_equal(pair_of(page, second) != NULL, i == 0 ? open : kept);
        assert_true(number_of(page, "matched") ==
                    (double)vt_json_count(vt_json_get(page, "duplicates")));
        vt_json_free(page);
    }
}

static void what_stays_is_not_listed_again(void **state)
{
    served *s = *state;
    vt_server_options options = server_options();
    char body[2 * VT_HASH_HEX + 64];
    serve(s, &options);
    put_twins(s);
    vt_json *page = expect_json(ask_json(s, "GET", "/v1/duplicates?bits=0&top=100", NULL), 200);
    const char *picture = text_of(vt_json_get(pair_of(page, "twin-2"), "first"), "picture");
    snprintf(body, sizeof(body), "{\"pictures\":[\"%s\",\"%s\"]}", picture, picture);
    vt_json_free(page);
    expect_pairs(s, "twin-2", true, false);
    expect_status(ask_json(s, "PUT", "/v1/duplicates/twin-1/twin-2", body), 204);
    expect_status(ask_json(s, "PUT", "/v1/duplicates/twin%2F3/twin-1", body), 204);
    expect_pairs(s, "twin-2", false, true);
    expect_pairs(s, "twin/3", false, true);
    /* Also to whoever starts later. */
    stop_serving(s);
    serve(s, &options);
    expect_pairs(s, "twin-2", false, true);
    expect_status(ask_json(s, "DELETE", "/v1/duplicates/twin-2/twin-1", NULL), 204);
    expect_status(ask_json(s, "DELETE", "/v1/duplicates/twin-2/twin-1", NULL), 404);
    expect_pairs(s, "twin-2", true, false);
    expect_pairs(s, "twin/3", false, true);
    /* A change of the shop is seen, although what was found before is kept. */
    expect_status(ask_json(s, "DELETE", "/v1/products/twin%2F3", NULL), 204);
    expect_pairs(s, "twin/3", false, false);
    expect_status(ask_json(s, "PUT", "/v1/duplicates/twin-1/twin%2F3", body), 404);
    expect_status(ask_json(s, "PUT", "/v1/duplicates/twin-1/twin-1", body), 400);
    expect_status(ask_json(s, "PUT", "/v1/duplicates/twin-1/twin-2", "{\"pictures\":[\"a\"]}"),
                  400);
    expect_status(ask_json(s, "GET", "/v1/duplicates?kept=perhaps", NULL), 400);
}

/* Pages are of one list: together they are all of it. */
static void pages_follow_each_other(void **state)
{
    served *s = *state;
    vt_server_options options = server_options();
    char path[80];
    serve(s, &options);
    put_twins(s);
    vt_json *all = expect_json(ask_json(s, "GET", "/v1/duplicates?bits=11&top=100", NULL), 200);
    const vt_json *pairs = vt_json_get(all, "duplicates");
    assert_true(vt_json_count(pairs) >= 2);
    for (size_t i = 0; i < vt_json_count(pairs); i++) {
        snprintf(path, sizeof(path), "/v1/duplicates?bits=11&top=1&offset=%zu", i);
        vt_json *page = expect_json(ask_json(s, "GET", path, NULL), 200);
        const vt_json *one = vt_json_at(vt_json_get(page, "duplicates"), 0);
        assert_string_equal(text_of(vt_json_get(one, "second"), "id"),
                            text_of(vt_json_get(vt_json_at(pairs, i), "second"), "id"));
        vt_json_free(page);
    }
    vt_json_free(all);
}

static void models_are_listed(void **state)
{
    served *s = *state;
    vt_server_options options = server_options();
    serve(s, &options);
    vt_json *info = expect_json(ask_json(s, "GET", "/v1/info", NULL), 200);
    vt_json *page = expect_json(ask_json(s, "GET", "/v1/models", NULL), 200);
    const vt_json *models = vt_json_get(page, "models"), *in_use = NULL;
    for (size_t i = 0; i < vt_json_count(models); i++)
        if (strcmp(text_of(vt_json_at(models, i), "state"), "serving") == 0)
            in_use = vt_json_at(models, i);
    assert_non_null(in_use);
    assert_string_equal(text_of(in_use, "name"), text_of(vt_json_get(info, "model"), "name"));
    assert_string_equal(text_of(in_use, "fingerprint"),
                        text_of(vt_json_get(info, "model"), "fingerprint"));
    vt_json_free(page);
    vt_json_free(info);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        IN_SERVICE(products_with_the_same_picture_are_listed),
        IN_SERVICE(what_stays_is_not_listed_again),
        IN_SERVICE(pages_follow_each_other),
        IN_SERVICE(models_are_listed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
