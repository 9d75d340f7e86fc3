/* SPDX-License-Identifier: Apache-2.0 */
/* Requests as Google's clients send them, and the answers they read. */
#include "server/client.h"

#include <math.h>

static vt_json *annotate(const served *s, const char *body)
{
    return expect_json(ask_json(s, "POST", "/v1/images:annotate", body), 200);
}

static const vt_json *response(const vt_json *document, size_t i)
{
    return vt_json_at(vt_json_get(document, "responses"), i);
}

static const vt_json *results_of(const vt_json *document, size_t i)
{
    return vt_json_get(vt_json_get(response(document, i), "productSearchResults"), "results");
}

static const char *name_of(const vt_json *document, size_t i, size_t rank)
{
    return vt_json_text(
        vt_json_get(vt_json_get(vt_json_at(results_of(document, i), rank), "product"), "name"), "");
}

static int code_of(const vt_json *document, size_t i)
{
    return (int)vt_json_number(vt_json_get(vt_json_get(response(document, i), "error"), "code"),
                               0.0);
}

/* The request of Google's guide "Searching for products", with a picture of ours. */
static void the_documented_request_is_answered(void **state)
{
    served *s = *state;
    vt_server_options options = server_options();
    char *picture = good_base64(3, 1);
    vt_buf body;
    vt_buf_init(&body, 1 << 20);
    serve(s, &options);
    vt_buf_printf(
        &body,
        "{\"requests\":[{\"image\":{\"content\":\"%s\"},\"features\":[{\"type\":\"PRODUCT_SEARCH\","
        "\"maxResults\":5}],\"imageContext\":{\"productSearchParams\":{\"productSet\":"
        "\"projects/my-project/locations/us-east1/productSets/goods\",\"productCategories\":"
        "[\"apparel-v2\"],\"filter\":\"color = red AND (category = odd OR category = even)\"}}}]}",
        picture);
    vt_json *found = annotate(s, vt_buf_text(&body));
    assert_int_equal(vt_json_count(vt_json_get(found, "responses")), 1);
    assert_int_equal(vt_json_count(results_of(found, 0)), 5);
    assert_string_equal(name_of(found, 0, 0),
                        "projects/my-project/locations/us-east1/products/P-3");
    const vt_json *best = vt_json_at(results_of(found, 0), 0);
    const vt_json *product = vt_json_get(best, "product");
    assert_string_equal(vt_json_text(vt_json_get(product, "displayName"), ""), "Thing 3");
    assert_string_equal(vt_json_text(vt_json_get(product, "productCategory"), ""), "odd");
    const vt_json *label = vt_json_at(vt_json_get(product, "productLabels"), 0);
    assert_string_equal(vt_json_text(vt_json_get(label, "key"), ""), "color");
    assert_string_equal(vt_json_text(vt_json_get(label, "value"), ""), "red");
    double first = vt_json_number(vt_json_get(best, "score"), NAN), last = first;
    assert_true(first > 0.5 && first <= 1.0);
    for (size_t i = 0; i < 5; i++) {
        double score =
            vt_json_number(vt_json_get(vt_json_at(results_of(found, 0), i), "score"), NAN);
        assert_true(score <= last);
        last = score;
    }
    const char *image = vt_json_text(vt_json_get(best, "image"), "");
    assert_int_equal(
        strncmp(image, "projects/my-project/locations/us-east1/products/P-3/referenceImages/", 68),
        0);
    vt_json_free(found);
    vt_buf_deinit(&body);
    vt_free(picture);
}

static void filters_categories_and_polygons_count(void **state)
{
    served *s = *state;
    vt_server_options options = server_options();
    char *picture = good_base64(3, 1);
    vt_buf body;
    vt_buf_init(&body, 1 << 20);
    serve(s, &options);
#define CORNERS "[{\"x\":4,\"y\":4},{\"x\":92,\"y\":4},{\"x\":92,\"y\":92},{\"x\":4,\"y\":92}]"
#define SHARES  "[{},{\"x\":0.9},{\"x\":0.9,\"y\":0.9},{\"y\":0.9}]"
    static const char *const parameters[] = {
        "\"filter\":\"category = even\"", "\"productCategories\":[\"even\",\"none's\"]",
        "\"product_categories\":[\"even\"],\"filter\":\"color = red\"",
        ("\"filter\":\"category = even\",\"boundingPoly\":{\"vertices\":" CORNERS "}"),
        ("\"filter\":\"category = even\",\"bounding_poly\":{\"normalized_vertices\":" SHARES "}")};
#undef CORNERS
#undef SHARES
    size_t count = sizeof(parameters) / sizeof(parameters[0]);
    vt_buf_append_text(&body, "{\"requests\":[");
    for (size_t i = 0; i < count; i++)
        vt_buf_printf(
            &body,
            "%s{\"image\":{\"content\":\"%s\"},\"features\":[{\"type\":\"PRODUCT_SEARCH\"}],"
            "\"image_context\":{\"product_search_params\":{%s}}}",
            i > 0 ? "," : "", picture, parameters[i]);
    vt_buf_append_text(&body, "]}");
    vt_json *found = annotate(s, vt_buf_text(&body));
    for (size_t i = 0; i < count; i++) {
        assert_int_equal(vt_json_count(results_of(found, i)), PRODUCTS / 2);
        for (size_t j = 0; j < PRODUCTS / 2; j++) {
            const char *name = name_of(found, i, j);
            assert_int_equal(strncmp(name, "projects/-/locations/-/products/P-", 34), 0);
            assert_int_equal(atoi(name + 34) % 2, 0);
        }
    }
    vt_json_free(found);
    vt_buf_deinit(&body);
    vt_free(picture);
}

static void each_request_has_its_own_error(void **state)
{
    served *s = *state;
    vt_server_options options = server_options();
    char *picture = good_base64(3, 1);
    vt_buf body;
    vt_buf_init(&body, 1 << 20);
    serve(s, &options);
    vt_buf_printf(
        &body,
        "{\"requests\":[{\"image\":{\"content\":\"AAAA\"},\"features\":[{\"type\":\"PRODUCT_"
        "SEARCH\"}]},"
        "{\"image\":{\"content\":\"%s\"},\"features\":[{\"type\":\"PRODUCT_SEARCH\"}]},"
        "{\"image\":{\"content\":\"%s\"},\"features\":[{\"type\":\"LABEL_DETECTION\"}]},"
        "{\"image\":{\"source\":{\"imageUri\":\"http://127.0.0.1/\"}},\"features\":[{\"type\":"
        "\"PRODUCT_SEARCH\"}]},"
        "{\"image\":{\"source\":{\"gcsImageUri\":\"gs://b/o\"}},\"features\":[{\"type\":"
        "\"PRODUCT_SEARCH\"}]},"
        "{\"image\":{\"content\":\"%s\"},\"features\":[{\"type\":\"PRODUCT_SEARCH\"}],"
        "\"imageContext\":{\"productSearchParams\":{\"filter\":\"color: red\"}}},"
        "{\"image\":{\"content\":\"%s\"},\"features\":[{\"type\":\"PRODUCT_SEARCH\"}],"
        "\"imageContext\":{\"productSearchParams\":{\"filtre\":\"color = red\"}}},"
        "{\"image\":{\"content\":\"%s\"},\"features\":[{\"type\":\"PRODUCT_SEARCH\"}],"
        "\"imageContext\":{\"productSearchParams\":{\"boundingPoly\":{\"vertices\":[{\"x\":500},"
        "{\"x\":501,\"y\":9}]}}}},3,"
        "{\"image\":{\"content\":\"%s\"},\"features\":[{\"type\":\"PRODUCT_SEARCH\"}],"
        "\"imageContext\":{\"productSearchParams\":[1]}}]}",
        picture, picture, picture, picture, picture, picture);
    static const int codes[] = {3, 0, 3, 7, 3, 3, 3, 3, 3, 3};
    vt_json *found = annotate(s, vt_buf_text(&body));
    for (size_t i = 0; i < sizeof(codes) / sizeof(codes[0]); i++) {
        assert_int_equal(code_of(found, i), codes[i]);
        assert_int_equal(vt_json_count(response(found, i)), 1); /* results or an error */
    }
    vt_json_free(found);
    static const char *const whole[] = {"{}", "{\"requests\":[]}", "{\"requests\":{}}"};
    for (size_t i = 0; i < sizeof(whole) / sizeof(whole[0]); i++)
        expect_status(ask_json(s, "POST", "/v1/images:annotate", whole[i]), 400);
    vt_buf_deinit(&body);
    vt_free(picture);
}

static void googles_header_of_the_key_is_known(void **state)
{
    served *s = *state;
    vt_server_options options = server_options();
    vt_error error = {0};
    char key[VT_KEY_TEXT], header[VT_KEY_TEXT + 32];
    vt_key wanted = {.scopes = VT_SCOPE_SEARCH};
    expect_ok(vt_keys_add(s->journey->shop, &wanted, key, &error), &error);
    serve(s, &options);
    snprintf(header, sizeof(header), "X-Goog-Api-Key: %s\r\n", key);
    call what = {.method = "POST",
                 .path = "/v1/images:annotate",
                 .headers = header,
                 .type = "application/json",
                 .body = "{}",
                 .length = 2};
    expect_status(ask_server(s, what), 400);
    what.headers = "";
    expect_status(ask_server(s, what), 401);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        IN_SERVICE(the_documented_request_is_answered),
        IN_SERVICE(filters_categories_and_polygons_count),
        IN_SERVICE(each_request_has_its_own_error),
        IN_SERVICE(googles_header_of_the_key_is_known),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
