/* SPDX-License-Identifier: Apache-2.0 */
/* What a body says of a job: which index is to be built, what it became, and what is refused. */
#include "server/jobs_client.h"

typedef struct wish {
    const char *body;          /* of the job */
    const char *index, *codec; /* that come of it */
    const char *why;           /* is part of the reason */
} wish;

static const char *result_text(const vt_json *job, const char *name)
{
    return text_of(vt_json_get(job, "result"), name);
}

static void expect_result(const vt_json *job, const wish *w)
{
    assert_string_equal(result_text(job, "index"), w->index);
    assert_string_equal(result_text(job, "codec"), w->codec);
    if (strstr(result_text(job, "why"), w->why) == NULL)
        fail_msg("%s: \"%s\" says nothing of \"%s\"", w->body, result_text(job, "why"), w->why);
    assert_int_equal(figure_of(job, "vectors"), PRODUCTS);
    assert_int_equal(figure_of(job, "graph_bytes") > 0, strcmp(w->index, "graph") == 0);
    assert_int_equal(figure_of(job, "list_bytes") > 0, strcmp(w->index, "ivf") == 0);
}

static void expect_index(const served *s, const char *index)
{
    vt_json *status = expect_json(ask_json(s, "GET", "/v1/status", NULL), 200);
    assert_string_equal(text_of(vt_json_get(status, "index"), "kind"), index);
    vt_json_free(status);
}

static void the_index_becomes_what_the_job_says(void **state)
{
    served *s = *state;
    vt_server_options options = job_options();
    char id[VT_JOB_ID_CHARS + 1] = "";
    static const wish wishes[] = {
        {"{\"kind\":\"index-build\"}", "exact", "f16", "in no time"},
        {"{\"kind\":\"index-build\",\"index\":\"graph\"}", "graph", "int4x2", "as a graph"},
        {"{\"kind\":\"index-build\",\"index\":\"exact\"}", "exact", "f16", "as was asked for"},
        {"{\"kind\":\"index-build\",\"index\":\"ivf\"}", "ivf", "rabitq", "as inverted lists"},
        {"{\"kind\":\"index-build\",\"index\":\"auto\"}", "exact", "f16", "in no time"},
        {"{\"kind\":\"index-build\",\"index\":\"ivf\",\"memory_mb\":7}", "ivf", "rabitq",
         "the limit is 7.0 MB"}};
    const size_t last = sizeof(wishes) / sizeof(wishes[0]) - 1;
    serve(s, &options);
    for (size_t i = 0; i <= last; i++) {
        take_id(ask_json(s, "POST", "/v1/jobs", wishes[i].body), id);
        vt_json *job = wait_until(s, id, "state", "done");
        expect_result(job, &wishes[i]);
        vt_json_free(job);
        expect_index(s, wishes[i].index);
    }
    /* Started anew, the server has the lists and knows how they came to be. */
    stop_serving(s);
    serve(s, &options);
    vt_json *job = get_job(s, id);
    expect_result(job, &wishes[last]);
    vt_json_free(job);
    expect_index(s, "ivf");
}

static void what_no_index_can_be_is_refused_with_the_reason(void **state)
{
    served *s = *state;
    vt_server_options options = job_options();
    static const char kinds[] = "none of auto, exact, graph, ivf";
    static const char no_text[] = "\"index\" is no text";
    static const char megabytes[] = "\"memory_mb\": a whole number from 1 to 1073741824";
    static const struct {
        const char *kind, *members, *reason;
    } bad[] = {{"index-build", "\"index\":\"hnsw\"", kinds},
               {"index-build", "\"index\":\"Graph\"", kinds},
               {"index-build", "\"index\":\"\"", kinds},
               {"index-build", "\"index\":7", no_text},
               {"index-build", "\"index\":null", no_text},
               {"index-build", "\"index\":[\"graph\"]", no_text},
               {"index-build", "\"memory_mb\":0", megabytes},
               {"index-build", "\"memory_mb\":-5", megabytes},
               {"index-build", "\"memory_mb\":1.5", megabytes},
               {"index-build", "\"memory_mb\":1073741825", megabytes},
               {"index-build", "\"memory_mb\":\"100\"", megabytes},
               {"index-build", "\"sample\":5", "\"sample\" is no member of index-build"},
               {"index-build", "\"recipe\":{}", "\"recipe\" is no member of index-build"},
               {"index-check", "\"index\":\"graph\"", "\"index\" is no member of index-check"},
               {"index-check", "\"memory_mb\":100", "\"memory_mb\" is no member of index-check"},
               {"index-check", "\"sample\":\"5\"", "\"sample\": a whole number from 1 to 10000"},
               {"train", "\"index\":\"graph\"", "\"index\" is no member of train"}};
    char body[128];
    serve(s, &options);
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        snprintf(body, sizeof(body), "{\"kind\":\"%s\",%s}", bad[i].kind, bad[i].members);
        vt_json *problem = expect_json(ask_json(s, "POST", "/v1/jobs", body), 400);
        assert_string_equal(text_of(problem, "code"), "VT_ERR_USAGE");
        if (strstr(text_of(problem, "detail"), bad[i].reason) == NULL)
            fail_msg("%s: \"%s\" says nothing of \"%s\"", body, text_of(problem, "detail"),
                     bad[i].reason);
        vt_json_free(problem);
    }
    vt_json *list = expect_json(ask_json(s, "GET", "/v1/jobs", NULL), 200);
    assert_int_equal(vt_json_count(vt_json_get(list, "jobs")), 0);
    vt_json_free(list);
}

static void only_an_admin_gives_memory(void **state)
{
    served *s = *state;
    vt_server_options options = job_options();
    const vt_key writer = {.name = "till", .scopes = VT_SCOPE_WRITE},
                 owner = {.name = "owner", .scopes = VT_SCOPE_ADMIN | VT_SCOPE_WRITE};
    call build = {.method = "POST",
                  .path = "/v1/jobs",
                  .body = "{\"kind\":\"index-build\",\"memory_mb\":100}"};
    char keys[2][VT_KEY_TEXT];
    vt_error error = {0};
    expect_ok(vt_keys_add(s->journey->shop, &writer, keys[0], &error), &error);
    expect_ok(vt_keys_add(s->journey->shop, &owner, keys[1], &error), &error);
    serve(s, &options);
    expect_status(ask_with(s, keys[0], build), 403);
    expect_status(ask_with(s, keys[1], build), 202);
    build.body = "{\"kind\":\"index-build\",\"index\":\"graph\"}";
    expect_status(ask_with(s, keys[0], build), 202);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        IN_SERVICE(the_index_becomes_what_the_job_says),
        IN_SERVICE(what_no_index_can_be_is_refused_with_the_reason),
        IN_SERVICE(only_an_admin_gives_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
