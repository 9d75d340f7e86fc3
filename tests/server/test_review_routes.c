/* SPDX-License-Identifier: Apache-2.0 */
/* Duplicates to review and the models of a shop. */
#include "server/jobs_client.h"

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
        IN_SERVICE(models_are_listed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
