/* SPDX-License-Identifier: Apache-2.0 */
/* Trainings as jobs: what may be trained and by whom, what stays of it, beside what it runs. */
#include "server/jobs_client.h"

#define SMALL                                                                                      \
    "\"arch\":\"resnet9\",\"width\":0.1,\"size\":32,\"batch\":4,\"augment\":\"none\","             \
    "\"val_share\":0.4,\"lr\":0.02,\"threads\":1"

static const char endless[] = "{\"kind\":\"train\",\"recipe\":{" SMALL ",\"epochs\":100000}}";

static void expect_model(const served *s, const char *name)
{
    vt_json *info = expect_json(ask_json(s, "GET", "/v1/info", NULL), 200);
    assert_string_equal(text_of(vt_json_get(info, "model"), "name"), name);
    vt_json_free(info);
}

static void model_name(const served *s, char out[256])
{
    vt_json *info = expect_json(ask_json(s, "GET", "/v1/info", NULL), 200);
    snprintf(out, 256, "%s", text_of(vt_json_get(info, "model"), "name"));
    vt_json_free(info);
}

static void expect_report(const served *s, const char *id)
{
    reply got = ask_report(s, id);
    const char *head = vt_buf_text(&got.text);
    assert_int_equal(got.status, 200);
    assert_non_null(strstr(head, "Content-Type: text/html"));
    const char *policy = strstr(head, "Content-Security-Policy: default-src 'none'; style-src");
    assert_non_null(policy);
    assert_non_null(strstr(policy, "sandbox"));
    assert_null(strstr(policy + 1, "Content-Security-Policy: default-src"));
    assert_non_null(strstr(got.body, "<h1>"));
    assert_null(strstr(got.body, "<script"));
    assert_null(strstr(got.body, s->journey->shop));
    vt_buf_deinit(&got.text);
}

static void a_training_is_a_job_with_a_report(void **state)
{
    served *s = *state;
    vt_server_options options = job_options();
    char id[VT_JOB_ID_CHARS + 1], before[256];
    serve(s, &options);
    model_name(s, before);
    take_id(
        ask_json(s, "POST", "/v1/jobs", "{\"kind\":\"train\",\"recipe\":{" SMALL ",\"epochs\":1}}"),
        id);
    vt_json *job = wait_until(s, id, "state", "done");
    assert_string_equal(text_of(job, "kind"), "train");
    assert_int_equal(figure_of(job, "epochs"), 1);
    assert_true(figure_of(job, "trained") > 0 && figure_of(job, "validated") > 0);
    assert_true(figure_of(job, "recall_before") >= 0);
    assert_true(vt_json_bool(vt_json_get(job, "report"), false));
    /* It is the shop's if it finds more, and nobody's if not. */
    bool promoted = figure_of(job, "promoted") == 1;
    assert_int_equal(promoted, figure_of(job, "recall_after") > figure_of(job, "recall_before"));
    assert_int_equal(text_of(job, "detail")[0] == '\0', promoted);
    expect_model(s, promoted ? "model.onnx" : before);
    expect_report(s, id);
    assert_true(job_has(s, id, "report.html"));
    assert_false(job_has(s, id, "model.onnx"));
    assert_false(job_has(s, id, "model.onnx.checkpoint"));
    assert_false(job_has(s, id, "model.onnx.pictures"));
    assert_false(job_has(s, id, "recipe.json"));
    vt_json_free(job);
    /* Also after a restart. */
    stop_serving(s);
    serve(s, &options);
    expect_report(s, id);
}

static void what_cannot_be_trained_is_refused(void **state)
{
    served *s = *state;
    vt_server_options options = job_options();
    static const struct {
        const char *body;
        int status;
    } bad[] = {{"{\"kind\":\"train\"}", 400},
               {"{\"kind\":\"train\",\"recipe\":7}", 400},
               {"{\"kind\":\"train\",\"recipe\":{}}", 400},
               {"{\"kind\":\"train\",\"recipe\":{\"arch\":\"resnet9\",\"epochs\":0}}", 400},
               {"{\"kind\":\"train\",\"recipe\":{\"arch\":\"resnet9\",\"colour\":1}}", 400},
               {"{\"kind\":\"train\",\"recipe\":{\"arch\":[\"resnet9\"]}}", 400},
               {"{\"kind\":\"train\",\"recipe\":{\"from\":\"/etc/passwd\"}}", 403},
               {"{\"kind\":\"train\",\"recipe\":{\"from\":\"../catalog.db\"}}", 403},
               {"{\"kind\":\"train\",\"recipe\":{\"from\":\"none.onnx\"}}", 404},
               {"{\"kind\":\"train\",\"recipe\":{\"arch\":\"resnet9\",\"teacher\":\"/x\"}}", 403},
               {"{\"kind\":\"train\",\"recipe\":{\"arch\":\"resnet9\",\"val\":\"/home\"}}", 403}};
    serve(s, &options);
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        reply got = ask_json(s, "POST", "/v1/jobs", bad[i].body);
        assert_null(strstr(vt_buf_text(&got.text), s->journey->shop));
        expect_status(got, bad[i].status);
    }
    vt_json *list = expect_json(ask_json(s, "GET", "/v1/jobs", NULL), 200);
    assert_int_equal(vt_json_count(vt_json_get(list, "jobs")), 0);
    vt_json_free(list);
    expect_status(ask_report(s, "000000000000"), 404);
}

static void others_go_on_beside_a_training_and_it_can_be_cancelled(void **state)
{
    served *s = *state;
    vt_server_options options = job_options();
    char id[VT_JOB_ID_CHARS + 1], second[VT_JOB_ID_CHARS + 1], check[VT_JOB_ID_CHARS + 1];
    char before[256], path[64];
    serve(s, &options);
    model_name(s, before);
    take_id(ask_json(s, "POST", "/v1/jobs", endless), id);
    take_id(ask_json(s, "POST", "/v1/jobs", endless), second);
    vt_json_free(wait_until(s, id, "stage", "train"));
    expect_status(ask_json(s, "GET", "/v1/products/P-1/similar", NULL), 200);
    expect_status(ask_json(s, "PATCH", "/v1/products/P-1", "{\"price\":3}"), 200);
    take_id(ask_json(s, "POST", "/v1/jobs", "{\"kind\":\"index-check\",\"sample\":5}"), check);
    vt_json_free(wait_until(s, check, "state", "done"));
    vt_json *job = get_job(s, second); /* one training at a time */
    assert_string_equal(text_of(job, "state"), "queued");
    vt_json_free(job);
    snprintf(path, sizeof(path), "/v1/jobs/%s", second);
    expect_status(ask_json(s, "DELETE", path, NULL), 202);
    snprintf(path, sizeof(path), "/v1/jobs/%s", id);
    expect_status(ask_json(s, "DELETE", path, NULL), 202);
    vt_json_free(wait_until(s, id, "state", "cancelled"));
    assert_false(job_has(s, id, NULL));
    assert_false(job_has(s, second, NULL));
    expect_status(ask_report(s, id), 404);
    expect_model(s, before);
}

static void a_stop_interrupts_a_training(void **state)
{
    served *s = *state;
    vt_server_options options = job_options();
    char id[VT_JOB_ID_CHARS + 1], before[256];
    serve(s, &options);
    model_name(s, before);
    take_id(ask_json(s, "POST", "/v1/jobs", endless), id);
    vt_json_free(wait_until(s, id, "stage", "train"));
    stop_serving(s);
    serve(s, &options);
    vt_json_free(wait_until(s, id, "state", "interrupted"));
    assert_false(job_has(s, id, NULL));
    expect_model(s, before);
}

static void only_an_admin_trains(void **state)
{
    served *s = *state;
    vt_server_options options = job_options();
    const vt_key writer = {.name = "till", .scopes = VT_SCOPE_WRITE};
    char key[VT_KEY_TEXT];
    vt_error error = {0};
    expect_ok(vt_keys_add(s->journey->shop, &writer, key, &error), &error);
    serve(s, &options);
    static const struct {
        call what;
        int status;
    } cases[] = {{{.method = "GET", .path = "/v1/jobs"}, 200},
                 {{.method = "POST", .path = "/v1/jobs", .body = endless}, 403},
                 {{.method = "GET", .path = "/v1/jobs/000000000000/report"}, 403},
                 {{.method = "GET", .path = "/v1/models"}, 403},
                 {{.method = "GET", .path = "/v1/duplicates"}, 200}};
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
        expect_status(ask_with(s, key, cases[i].what), cases[i].status);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        IN_SERVICE(a_training_is_a_job_with_a_report),
        IN_SERVICE(what_cannot_be_trained_is_refused),
        IN_SERVICE(others_go_on_beside_a_training_and_it_can_be_cancelled),
        IN_SERVICE(a_stop_interrupts_a_training),
        IN_SERVICE(only_an_admin_trains),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
