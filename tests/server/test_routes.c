/* SPDX-License-Identifier: Apache-2.0 */
/* The table of routes and web/openapi.json say the same; forms, buckets and paths as they come. */
#include "server/http.h"

#include <ctype.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

static vt_json *description(void)
{
    vt_json *document = NULL;
    vt_error error = {0};
    for (size_t i = 0; i < vt_web_file_count; i++)
        if (strcmp(vt_web_files[i].path, "/openapi.json") == 0 &&
            vt_json_parse((const char *)vt_web_files[i].bytes, vt_web_files[i].length, 32,
                          &document, &error) != VT_OK)
            fail_msg("%s", error.message);
    assert_non_null(document);
    return document;
}

static void every_route_is_described(void **state)
{
    (void)state;
    vt_json *document = description();
    const vt_json *paths = vt_json_get(document, "paths");
    for (size_t i = 0; i < vt_route_count; i++) {
        const vt_route *route = &vt_routes[i];
        char method[16] = "", scopes[64];
        for (size_t j = 0; route->method[j] != '\0'; j++)
            method[j] = (char)tolower((unsigned char)route->method[j]);
        const vt_json *operation = vt_json_get(vt_json_get(paths, route->pattern), method);
        if (operation == NULL)
            fail_msg("%s %s is not described", route->method, route->pattern);
        const vt_json *security = vt_json_get(operation, "security");
        const char *scope =
            vt_json_text(vt_json_at(vt_json_get(vt_json_at(security, 0), "key"), 0), "");
        vt_scopes_print((unsigned)route->scope, scopes);
        assert_string_equal(scope, scopes);
        assert_int_equal(route->body != VT_BODY_NONE,
                         vt_json_get(operation, "requestBody") != NULL);
    }
    size_t described = 0;
    for (size_t i = 0; i < vt_json_count(paths); i++) {
        const vt_json *path = NULL;
        vt_json_key_at(paths, i, &path);
        described += vt_json_count(path);
    }
    assert_int_equal(described, vt_route_count);
    vt_json_free(document);
}

static void paths_find_their_route(void **state)
{
    (void)state;
    vt_routing routing;
    assert_int_equal(vt_routing_find("GET", "/v1/products/a%2Fb%20c/similar", &routing, NULL), 0);
    assert_string_equal(routing.route->pattern, "/v1/products/{id}/similar");
    assert_string_equal(routing.parameters[0], "a/b c");
    vt_routing_deinit(&routing);
    assert_int_equal(vt_routing_find("POST", "/v1/products/x", &routing, NULL), 0);
    assert_null(routing.route);
    assert_string_equal(routing.allow, "GET, HEAD, PUT, PATCH, DELETE");
    vt_routing_deinit(&routing);
    assert_int_equal(vt_routing_find("GET", "/v1/products/%00", &routing, NULL), VT_ERR_USAGE);
    assert_int_equal(vt_routing_find("GET", "/v1/products/%f", &routing, NULL), VT_ERR_USAGE);
    assert_int_equal(vt_routing_find("GET", "/a/b/c", &routing, NULL), 0);
    assert_false(routing.path_known);
}

static vt_status parse_form(const char *body, vt_form *form, vt_arena *arena)
{
    vt_arena_init(arena, 1 << 20);
    *form = (vt_form){.arena = arena};
    return vt_form_parse("multipart/form-data; boundary=\"b\"", body, strlen(body), form, NULL);
}

static void forms_are_split(void **state)
{
    (void)state;
    vt_form form;
    vt_arena arena;
    assert_int_equal(parse_form("--b\r\nContent-Disposition: form-data; filename=\"n=x; name=y\"; "
                                "name=\"image\"\r\nContent-Type: image/png\r\n\r\na\r\nb\r\n"
                                "--b\r\nContent-Disposition: form-data; name=top\r\n\r\n5\r\n"
                                "--b--\r\n",
                                &form, &arena),
                     VT_OK);
    assert_int_equal(form.count, 2);
    assert_string_equal(form.parts[0].name, "image");
    assert_int_equal(form.parts[0].length, 4);
    assert_memory_equal(form.parts[0].bytes, "a\r\nb", 4);
    assert_string_equal(form.parts[1].name, "top");
    vt_arena_deinit(&arena);
    static const char *const broken[] = {"",
                                         "--b",
                                         "--b\r\n",
                                         "--b\r\nContent-Disposition: form-data; name=a\r\n\r\nx",
                                         "--b\r\nX: y\r\n\r\nx\r\n--b--",
                                         "nothing",
                                         "--b\r\n\r\n\r\n--b--"};
    for (size_t i = 0; i < sizeof(broken) / sizeof(broken[0]); i++) {
        assert_int_equal(parse_form(broken[i], &form, &arena), VT_ERR_FORMAT);
        vt_arena_deinit(&arena);
    }
}

static void queries_refuse_what_they_do_not_know(void **state)
{
    (void)state;
    static const char *const bad[] = {"{\"wehre\":\"x\"}",
                                      "[]",
                                      "{",
                                      "{\"top\":0}",
                                      "{\"top\":1.5}",
                                      "{\"crop\":[1,2,3]}",
                                      "{\"image\":\"%\"}",
                                      "{\"likes\":[1]}",
                                      "{\"facets\":[1]}"};
    vt_search_query query;
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        assert_int_not_equal(
            vt_search_query_parse("application/json", bad[i], strlen(bad[i]), &query, NULL), VT_OK);
        vt_search_query_deinit(&query);
    }
    static const char good[] = "{\"product\":\"p\",\"top\":3,\"crop\":[1,2,3,4],\"where\":\"a=1\"}";
    assert_int_equal(vt_search_query_parse("application/json", good, strlen(good), &query, NULL),
                     VT_OK);
    assert_string_equal(query.query.likes[0].product, "p");
    assert_int_equal(query.query.crop_height, 4);
    vt_search_query_deinit(&query);
}

static void buckets_fill_again(void **state)
{
    (void)state;
    vt_bucket bucket = {0};
    assert_int_equal(vt_bucket_take(&bucket, 2.0, 2.0, 1000.0), 0);
    assert_int_equal(vt_bucket_take(&bucket, 2.0, 2.0, 1000.0), 0);
    assert_int_equal(vt_bucket_take(&bucket, 2.0, 2.0, 1000.0), 500);
    assert_int_equal(vt_bucket_take(&bucket, 2.0, 2.0, 1500.0), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_route_is_described), cmocka_unit_test(paths_find_their_route),
        cmocka_unit_test(forms_are_split), cmocka_unit_test(queries_refuse_what_they_do_not_know),
        cmocka_unit_test(buckets_fill_again)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
