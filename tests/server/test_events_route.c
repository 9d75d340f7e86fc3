/* SPDX-License-Identifier: Apache-2.0 */
/* Events over HTTP: searches have ids of their own, each event its verdict, and what is stored
 * stays. */
#include "server/client.h"

#include "base/clock.h"

enum { ID_CHARS = 32 };

static bool header_of(const reply *got, const char *name, char *out, size_t capacity)
{
    char wanted[64];
    snprintf(wanted, sizeof(wanted), "\r\n%s: ", name);
    const char *at = strstr(vt_buf_text(&got->text), wanted);
    if (at == NULL || at > got->body)
        return false;
    at += strlen(wanted);
    snprintf(out, capacity, "%.*s", (int)strcspn(at, "\r"), at);
    return true;
}

/* The Search-Id of an answer, which is over; the answer was one of those kept before: hit. */
static void search_id_of(reply got, int status, bool hit, char id[ID_CHARS + 1])
{
    char text[128] = "", cached[64] = "";
    assert_int_equal(got.status, status);
    assert_true(header_of(&got, "Search-Id", text, sizeof(text)));
    assert_int_equal(strlen(text), ID_CHARS);
    assert_int_equal(strspn(text, "0123456789abcdef"), ID_CHARS);
    assert_int_equal(header_of(&got, "Cache-Status", cached, sizeof(cached)), hit);
    memcpy(id, text, ID_CHARS + 1);
    vt_buf_deinit(&got.text);
}

static vt_json *post(const served *s, const char *body)
{
    return expect_json(ask_json(s, "POST", "/v1/events", body), 200);
}

static int verdict(const vt_json *answer, size_t i)
{
    return (int)vt_json_number(vt_json_get(vt_json_at(vt_json_get(answer, "events"), i), "status"),
                               0.0);
}

static vt_event_report *report_of(served *s)
{
    vt_error error = {0};
    vt_event_report *report = NULL;
    vt_event_report_options options = vt_event_report_options_defaults();
    expect_ok(vt_shop_report_events(s->shop, &options, &report, &error), &error);
    return report;
}

static void serve_events(served *s)
{
    vt_server_options options = server_options();
    options.events = true;
    serve(s, &options);
}

static void nothing_is_taken_unasked(void **state)
{
    served *s = *state;
    vt_server_options options = server_options();
    serve(s, &options);
    expect_status(ask_json(s, "POST", "/v1/events", "{\"kind\":\"view\",\"product\":\"P-1\"}"),
                  409);
    vt_json *info = expect_json(ask_json(s, "GET", "/v1/info", NULL), 200);
    assert_false(vt_json_bool(vt_json_get(info, "events"), true));
    vt_json_free(info);
    vt_event_report *report = report_of(s);
    assert_int_equal(report->first_ms, 0);
    vt_event_report_free(report);
}

/* Also answers that are given again, and those that the client has. */
static void every_search_has_an_id(void **state)
{
    served *s = *state;
    char first[ID_CHARS + 1], second[ID_CHARS + 1], etag[128], again[192];
    static const char search[] = "{\"product\":\"P-1\",\"top\":3}";
    serve_events(s);
    search_id_of(ask_json(s, "POST", "/v1/search", search), 200, false, first);
    search_id_of(ask_json(s, "POST", "/v1/search", search), 200, true, second);
    assert_string_not_equal(first, second);
    reply got = ask_json(s, "GET", "/v1/products/P-1/similar", NULL);
    assert_true(header_of(&got, "ETag", etag, sizeof(etag)));
    search_id_of(got, 200, false, first);
    snprintf(again, sizeof(again), "If-None-Match: %s\r\n", etag);
    search_id_of(
        ask_server(s,
                   (call){.method = "GET", .path = "/v1/products/P-1/similar", .headers = again}),
        304, false, second);
    assert_string_not_equal(first, second);
    got = ask_json(s, "POST", "/v1/search", "{\"product\":\"none\"}");
    assert_int_equal(got.status, 404);
    assert_false(header_of(&got, "Search-Id", again, sizeof(again)));
    vt_buf_deinit(&got.text);
    got = ask_json(s, "GET", "/v1/products", NULL);
    assert_false(header_of(&got, "Search-Id", again, sizeof(again)));
    expect_status(got, 200);
}

static void each_event_has_its_verdict(void **state)
{
    served *s = *state;
    char body[2048];
    long long now = (long long)vt_clock_unix_ms();
    serve_events(s);
    snprintf(body, sizeof(body),
             "[{\"kind\":\"view\",\"product\":\"P-1\",\"search\":\"%s\",\"position\":1,"
             "\"session\":\"s\",\"time_ms\":%lld},"
             "{\"kind\":\"click\",\"product\":\"P-1\",\"search\":\"%s\",\"position\":1},"
             "{\"kind\":\"click\",\"product\":\"nowhere\"},"
             "{\"kind\":\"stare\",\"product\":\"P-1\"},"
             "{\"kind\":\"view\",\"product\":\"P-1\",\"time_ms\":%lld},"
             "{\"kind\":\"view\",\"product\":\"P-1\",\"position\":1},"
             "{\"kind\":\"view\",\"product\":\"P-1\",\"search\":\"00\"},"
             "{\"kind\":\"view\",\"product\":\"P-1\",\"position\":10001},"
             "{\"kind\":\"view\",\"product\":\"P-1\",\"session\":\"\"},"
             "{\"kind\":\"view\",\"product\":\"P-1\",\"colour\":1},"
             "{\"kind\":\"view\"},7,"
             "{\"kind\":\"purchase\",\"product\":\"P-2\"}]",
             "00112233445566778899aabbccddeeff", now - 1000, "00112233445566778899aabbccddeeff",
             now + 3600000);
    static const int wanted[] = {201, 201, 404, 400, 400, 400, 400, 400, 400, 400, 400, 400, 201};
    vt_json *answer = post(s, body);
    for (size_t i = 0; i < sizeof(wanted) / sizeof(wanted[0]); i++)
        if (verdict(answer, i) != wanted[i])
            fail_msg("event %zu: %d instead of %d", i, verdict(answer, i), wanted[i]);
    assert_int_equal(vt_json_number(vt_json_get(answer, "stored"), 0.0), 3);
    vt_json_free(answer);
    answer = post(s, "{\"kind\":\"cart\",\"product\":\"P-2\"}");
    assert_int_equal(verdict(answer, 0), 201);
    vt_json_free(answer);
    answer = post(s, "[]");
    assert_int_equal(vt_json_count(vt_json_get(answer, "events")), 0);
    vt_json_free(answer);
    vt_event_report *report = report_of(s);
    for (int kind = 0; kind < VT_EVENT_KINDS; kind++)
        assert_int_equal(report->counts[kind], 1);
    assert_int_equal(report->sessions, 1);
    assert_int_equal(report->first_ms, now - 1000);
    assert_int_equal(report->positions[0].clicks, 1);
    assert_int_equal(report->unclicked, 0);
    vt_event_report_free(report);
}

static void too_much_is_refused_as_a_whole(void **state)
{
    served *s = *state;
    vt_buf body;
    serve_events(s);
    vt_buf_init(&body, 4 << 20);
    for (int i = 0; i <= VT_EVENTS_MAX; i++)
        vt_buf_append_text(&body, i == 0 ? "[{\"kind\":\"view\",\"product\":\"P-1\"}"
                                         : ",{\"kind\":\"view\",\"product\":\"P-1\"}");
    vt_buf_append_char(&body, ']');
    expect_status(ask_json(s, "POST", "/v1/events", vt_buf_text(&body)), 413);
    vt_buf_clear(&body);
    vt_buf_append_text(&body, "{\"kind\":\"view\",\"product\":\"");
    while (body.length < 1 << 20)
        vt_buf_append_text(&body, "0123456789");
    vt_buf_append_text(&body, "\"}");
    expect_status(ask_json(s, "POST", "/v1/events", vt_buf_text(&body)), 413);
    vt_buf_deinit(&body);
    expect_status(ask_json(s, "POST", "/v1/events", "{"), 422);
    expect_status(ask_server(s, (call){.method = "POST",
                                       .path = "/v1/events",
                                       .type = "text/plain",
                                       .body = "{}",
                                       .length = 2}),
                  415);
    vt_event_report *report = report_of(s);
    assert_int_equal(report->first_ms, 0);
    vt_event_report_free(report);
}

/* What was done with a product outlives it, and says so. */
static void events_outlive_products(void **state)
{
    served *s = *state;
    vt_error error = {0};
    uint64_t removed = 0;
    serve_events(s);
    vt_json_free(post(s, "[{\"kind\":\"click\",\"product\":\"P-1\",\"session\":\"a\"},"
                         "{\"kind\":\"click\",\"product\":\"P-1\"},"
                         "{\"kind\":\"click\",\"product\":\"P-2\"}]"));
    expect_status(ask_json(s, "DELETE", "/v1/products/P-1", NULL), 204);
    vt_event_report *report = report_of(s);
    assert_int_equal(report->clicked_count, 2);
    assert_string_equal(report->clicked[0].product, "P-1");
    assert_true(report->clicked[0].gone && report->clicked[0].title == NULL);
    assert_false(report->clicked[1].gone);
    assert_non_null(report->clicked[1].title);
    vt_event_report_free(report);
    /* Beside the server that has the file open. */
    expect_ok(vt_shop_forget_session(s->shop, "a", &removed, &error), &error);
    assert_int_equal(removed, 1);
    expect_ok(vt_shop_prune_events(s->shop, vt_clock_unix_ms() + 1, &removed, &error), &error);
    assert_int_equal(removed, 2);
    vt_json_free(post(s, "{\"kind\":\"click\",\"product\":\"P-2\"}"));
    report = report_of(s);
    assert_int_equal(report->counts[VT_EVENT_CLICK], 1);
    vt_event_report_free(report);
}

static void facets_are_kept(void **state)
{
    served *s = *state;
    char cached[64], etag[128], again[192];
    serve_events(s);
    expect_status(ask_json(s, "GET", "/v1/facets?names=category", NULL), 200);
    reply got = ask_json(s, "GET", "/v1/facets?names=category", NULL);
    assert_true(header_of(&got, "Cache-Status", cached, sizeof(cached)));
    assert_true(header_of(&got, "ETag", etag, sizeof(etag)));
    expect_status(got, 200);
    snprintf(again, sizeof(again), "If-None-Match: %s\r\n", etag);
    expect_status(
        ask_server(s,
                   (call){.method = "GET", .path = "/v1/facets?names=category", .headers = again}),
        304);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        IN_SERVICE(nothing_is_taken_unasked),   IN_SERVICE(every_search_has_an_id),
        IN_SERVICE(each_event_has_its_verdict), IN_SERVICE(too_much_is_refused_as_a_whole),
        IN_SERVICE(events_outlive_products),    IN_SERVICE(facets_are_kept),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
