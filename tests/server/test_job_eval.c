/* SPDX-License-Identifier: Apache-2.0 */
/* Evaluations as jobs: queries and their photos come as a form, figures and a page are left. */
#include "server/jobs_client.h"

static void a_shop_is_measured(void **state)
{
    served *s = *state;
    vt_server_options options = job_options();
    static const char queries[] = "photo,product\nq/1.jpg,P-1\nq/2.jpg,P-2\nq/2.jpg,P-3\n"
                                  "q/<b>.jpg,P-1\n../../catalog.db,P-1\n";
    char id[VT_JOB_ID_CHARS + 1];
    vt_buf form;
    vt_buf_init(&form, 8 << 20);
    serve(s, &options);
    add_part(&form, "queries", "mine.csv", queries, strlen(queries));
    add_part(&form, "kind", NULL, "eval", 4);
    add_good(&form, "q/1.jpg", 1);
    add_good(&form, "q/2.jpg", 2);
    take_id(send_form(s, &form), id);
    vt_json *job = wait_until(s, id, "state", "done");
    assert_string_equal(text_of(job, "name"), "mine.csv");
    assert_int_equal(figure_of(job, "queries"), 3);
    assert_int_equal(figure_of(job, "left_out"), 2);
    /* The third one's picture shows another product. */
    assert_true(figure_of(job, "recall@1") > 0.6 && figure_of(job, "recall@1") < 0.7);
    vt_json_free(job);
    reply got = ask_report(s, id);
    assert_int_equal(got.status, 200);
    assert_non_null(strstr(got.body, "<td>0.6667</td>"));
    assert_non_null(strstr(got.body, "q/&lt;b&gt;.jpg"));
    assert_null(strstr(got.body, s->journey->shop));
    vt_buf_deinit(&got.text);
    assert_false(job_has(s, id, "queries.csv"));
    assert_false(job_has(s, id, "images"));
    vt_buf_deinit(&form);
}

static void what_is_no_evaluation_is_refused(void **state)
{
    served *s = *state;
    vt_server_options options = job_options();
    char id[VT_JOB_ID_CHARS + 1];
    vt_buf form;
    vt_buf_init(&form, 1 << 20);
    serve(s, &options);
    expect_status(ask_json(s, "POST", "/v1/jobs", "{\"kind\":\"eval\"}"), 400);
    add_part(&form, "kind", NULL, "eval", 4);
    expect_status(send_form(s, &form), 400); /* no queries */
    add_part(&form, "kind", NULL, "eval", 4);
    add_part(&form, "feed", "a.csv", "id\n", 3);
    expect_status(send_form(s, &form), 400);
    add_part(&form, "queries", "a.csv", "id\n", 3);
    expect_status(send_form(s, &form), 400); /* an import has none */
    add_part(&form, "kind", NULL, "eval", 4);
    add_part(&form, "queries", "a.csv", "colour\nred\n", 11);
    take_id(send_form(s, &form), id);
    vt_json *job = NULL;
    for (int i = 0; i < 3000; i++) {
        vt_json_free(job);
        job = get_job(s, id);
        if (strcmp(text_of(job, "state"), "failed") == 0)
            break;
        usleep(20000);
    }
    assert_string_equal(text_of(job, "state"), "failed");
    assert_null(strstr(text_of(job, "detail"), s->journey->shop));
    vt_json_free(job);
    expect_status(ask_report(s, id), 404);
    vt_buf_deinit(&form);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        IN_SERVICE(a_shop_is_measured),
        IN_SERVICE(what_is_no_evaluation_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
