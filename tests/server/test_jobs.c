/* SPDX-License-Identifier: Apache-2.0 */
/* Jobs over HTTP: imports beside searches, what they reject, progress, the line, cancelling, the
 * history; keys. */
#include "server/jobs_client.h"

#include "base/file.h"
#include "shop/shop.h"

static reply send_feed(const served *s, const char *type, const char *feed)
{
    return ask_server(s, (call){.method = "POST",
                                .path = "/v1/jobs",
                                .type = type,
                                .body = feed,
                                .length = strlen(feed)});
}

/* ---- forms ---- */

static void add_text(vt_buf *form, const char *name, const char *filename, const char *text)
{
    add_part(form, name, filename, text, strlen(text));
}

/* ---- imports ---- */

static const char mixed_feed[] = "id,title,image_link\n"
                                 "N-1,One,mugs/a.jpg\n"
                                 "N-2,Two,../../catalog.db\n"
                                 "N-3,\"Three, quoted\",/etc/passwd\n"
                                 "N-4,Four,http://127.0.0.1:1/x.jpg\n"
                                 "=N-5,Five,none.jpg\n"
                                 "N-6,Six,mugs/b.jpg\n";

static void expect_rejects(const served *s, const char *id)
{
    char path[96];
    snprintf(path, sizeof(path), "/v1/jobs/%s/rejects", id);
    vt_json *page = expect_json(ask_json(s, "GET", path, NULL), 200);
    const vt_json *rejects = vt_json_get(page, "rejects");
    assert_int_equal(vt_json_number(vt_json_get(page, "total"), 0), 8);
    assert_int_equal(vt_json_count(rejects), 8);
    assert_string_equal(text_of(vt_json_at(rejects, 0), "product"), "N-2");
    assert_int_equal(vt_json_kind_of(vt_json_get(vt_json_at(rejects, 0), "image")), VT_JSON_NULL);
    assert_string_equal(text_of(vt_json_at(rejects, 1), "image"), "../../catalog.db");
    assert_string_equal(text_of(vt_json_at(rejects, 1), "status"), "not allowed");
    assert_string_equal(text_of(vt_json_at(rejects, 3), "status"), "not allowed");
    assert_string_equal(text_of(vt_json_at(rejects, 5), "status"), "not allowed");
    assert_string_equal(text_of(vt_json_at(rejects, 6), "product"), "=N-5");
    for (size_t i = 0; i < 8; i++)
        assert_null(strstr(text_of(vt_json_at(rejects, i), "reason"), s->journey->shop));
    vt_json_free(page);
    snprintf(path, sizeof(path), "/v1/jobs/%s/rejects?offset=6&top=1", id);
    page = expect_json(ask_json(s, "GET", path, NULL), 200);
    assert_int_equal(vt_json_count(vt_json_get(page, "rejects")), 1);
    assert_string_equal(text_of(vt_json_at(vt_json_get(page, "rejects"), 0), "product"), "=N-5");
    vt_json_free(page);
}

static void expect_no_upload(const served *s, const char *id)
{
    char path[SCRATCH_PATH_BYTES + 64];
    snprintf(path, sizeof(path), "%s/jobs/%s/feed.csv", s->journey->shop, id);
    assert_false(vt_file_exists(path));
    snprintf(path, sizeof(path), "%s/jobs/%s/images", s->journey->shop, id);
    assert_false(vt_dir_exists(path));
}

static void a_feed_is_imported_with_its_pictures_and_nothing_else(void **state)
{
    served *s = *state;
    vt_server_options options = job_options();
    char id[VT_JOB_ID_CHARS + 1];
    vt_buf form;
    vt_buf_init(&form, 1 << 22);
    serve(s, &options);
    add_text(&form, "kind", NULL, "import");
    add_text(&form, "feed", "new goods.csv", mixed_feed);
    add_good(&form, "mugs/a.jpg", 20);
    add_good(&form, "mugs/b.jpg", 21);
    take_id(send_form(s, &form), id);
    vt_json *job = wait_until(s, id, "state", "done");
    assert_string_equal(text_of(job, "name"), "new goods.csv");
    assert_string_equal(text_of(job, "kind"), "import");
    assert_int_equal(figure_of(job, "rows"), 6);
    assert_int_equal(figure_of(job, "imported"), 2);
    assert_int_equal(figure_of(job, "rejected"), 4);
    vt_json_free(job);
    vt_json *found =
        expect_json(ask_json(s, "POST", "/v1/search", "{\"product\":\"N-1\",\"top\":20}"), 200);
    assert_int_equal(vt_json_number(vt_json_get(found, "matched"), 0), PRODUCTS + 2);
    vt_json_free(found);
    expect_rejects(s, id);
    expect_no_upload(s, id);
    /* Started anew, the server knows of it, and its rejects. */
    stop_serving(s);
    serve(s, &options);
    job = get_job(s, id);
    assert_string_equal(text_of(job, "state"), "done");
    assert_int_equal(figure_of(job, "imported"), 2);
    vt_json_free(job);
    expect_rejects(s, id);
    vt_buf_deinit(&form);
}

static void pictures_come_from_the_folder_that_was_opened(void **state)
{
    served *s = *state;
    vt_server_options options = job_options();
    char id[VT_JOB_ID_CHARS + 1], folder[SCRATCH_PATH_BYTES];
    static const char feed[] = "{\"id\":\"F-1\",\"image_link\":\"p3.jpg\"}\n"
                               "{\"id\":\"F-2\",\"image_link\":\"shop/vitrine.json\"}\n";
    snprintf(folder, sizeof(folder), "%s", at(s->journey, "."));
    serve(s, &options);
    take_id(send_feed(s, "application/x-ndjson", feed), id);
    vt_json *job = wait_until(s, id, "state", "done");
    assert_int_equal(figure_of(job, "imported"), 0);
    assert_int_equal(figure_of(job, "rejected"), 2);
    vt_json_free(job);
    stop_serving(s);
    options.import_images = folder;
    serve(s, &options);
    take_id(send_feed(s, "application/x-ndjson; charset=utf-8", feed), id);
    job = wait_until(s, id, "state", "done");
    assert_int_equal(figure_of(job, "imported"), 1);
    vt_json_free(job);
    vt_error error = {0};
    vt_server *server = NULL;
    stop_serving(s);
    expect_ok(vt_shop_open(s->journey->shop, VT_OPEN_WRITE, &s->shop, &error), &error);
    options.import_images = "/nowhere/at/all";
    assert_int_equal(vt_server_start(s->shop, &options, &server, &error), VT_ERR_NOT_FOUND);
    vt_shop_close(s->shop);
}

static void what_is_no_job_is_refused(void **state)
{
    served *s = *state;
    vt_server_options options = job_options();
    static const struct {
        const char *type, *body;
        int status;
    } bad[] = {{"text/plain", "id,image_link\n", 415},
               {"text/csv", "", 400},
               {"application/json", "{\"kind\":\"import\"}", 400},
               {"application/json", "{\"kind\":\"other\"}", 400},
               {"application/json", "{}", 400},
               {"application/json", "{\"kind\":\"index-check\",\"sample\":0}", 400},
               {"application/json", "{\"kind\":\"index-build\",\"colour\":1}", 400},
               {"application/json", "[", 422}};
    static const char *const names[] = {
        "../a.jpg", "/a.jpg", "a/../../b.jpg",        ".a.jpg", "", "a//b.jpg", "a/", "a\\b.jpg",
        "a\tb",     ".",      "a/b/c/d/e/f/g/h/i.jpg"};
    vt_buf form;
    vt_buf_init(&form, 1 << 20);
    serve(s, &options);
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        expect_status(send_feed(s, bad[i].type, bad[i].body), bad[i].status);
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        add_text(&form, "feed", "feed.csv", "id,image_link\n");
        add_text(&form, "image", names[i], "x");
        expect_status(send_form(s, &form), 403);
    }
    add_text(&form, "image", "a.jpg", "x");
    expect_status(send_form(s, &form), 400); /* no feed */
    add_text(&form, "feed", "a.csv", "x");
    add_text(&form, "feed", "b.csv", "x");
    expect_status(send_form(s, &form), 400);
    add_text(&form, "kind", NULL, "index-build");
    expect_status(send_form(s, &form), 400);
    add_text(&form, "feed", "a.csv", "x");
    add_text(&form, "image", "a", "x");
    add_text(&form, "image", "a/b", "x");
    expect_status(send_form(s, &form), 400);
    vt_json *list = expect_json(ask_json(s, "GET", "/v1/jobs", NULL), 200);
    assert_int_equal(vt_json_count(vt_json_get(list, "jobs")), 0);
    vt_json_free(list);
    /* Nothing of them is left but the list. */
    vt_dir_list left;
    char path[SCRATCH_PATH_BYTES + 16];
    snprintf(path, sizeof(path), "%s/jobs", s->journey->shop);
    assert_int_equal(vt_dir_list_open(path, 100, &left, NULL), VT_OK);
    assert_int_equal(left.count, 1);
    vt_dir_list_close(&left);
    vt_buf_deinit(&form);
}

static void a_feed_that_is_none_fails_with_its_reason(void **state)
{
    served *s = *state;
    vt_server_options options = job_options();
    char id[VT_JOB_ID_CHARS + 1];
    serve(s, &options);
    take_id(send_feed(s, "text/csv", "title,price\na,1\n"), id);
    vt_json *job = wait_until(s, id, "state", "failed");
    assert_non_null(strstr(text_of(job, "detail"), "id"));
    assert_null(strstr(text_of(job, "detail"), s->journey->shop));
    assert_string_equal(text_of(job, "code"), "VT_ERR_FORMAT");
    vt_json_free(job);
}

/* ---- the line ---- */

enum { LONG_ROWS = 800 };
static const char small_feed[] = "id,image_link\nP-0,p0.jpg\nP-1,p1.jpg\nP-2,p2.jpg\nP-3,p3.jpg\n";

/* So many that not all are under way at once. */
static char *long_feed(void)
{
    vt_buf text;
    vt_buf_init(&text, 1 << 20);
    vt_buf_append_text(&text, "id,image_link\n");
    for (int i = 0; i < LONG_ROWS; i++)
        vt_buf_printf(&text, "L-%d,p0.jpg\n", i);
    return vt_buf_take(&text, NULL);
}

/* One job that waits for its turn to write, and one behind it. */
static void hold_two(served *s, char ids[2][VT_JOB_ID_CHARS + 1])
{
    char *feed = long_feed();
    pthread_mutex_lock(&s->server->write_lock);
    take_id(send_feed(s, "text/csv", feed), ids[0]);
    vt_free(feed);
    vt_json_free(wait_until(s, ids[0], "state", "running"));
    take_id(send_feed(s, "text/csv", small_feed), ids[1]);
    vt_json_free(wait_until(s, ids[1], "state", "queued"));
}

static reply cancel(const served *s, const char *id)
{
    char path[64];
    snprintf(path, sizeof(path), "/v1/jobs/%s", id);
    return ask_json(s, "DELETE", path, NULL);
}

static void the_line_is_bounded_and_jobs_can_be_cancelled(void **state)
{
    served *s = *state;
    vt_server_options options = job_options();
    char ids[2][VT_JOB_ID_CHARS + 1], folder[SCRATCH_PATH_BYTES];
    snprintf(folder, sizeof(folder), "%s", at(s->journey, "."));
    options.job_queue = 1;
    options.import_images = folder;
    serve(s, &options);
    hold_two(s, ids);
    reply full = send_feed(s, "text/csv", small_feed);
    assert_non_null(strstr(vt_buf_text(&full.text), "Retry-After: "));
    expect_status(full, 503);
    vt_json *job = expect_json(cancel(s, ids[1]), 202);
    assert_string_equal(text_of(job, "state"), "cancelled");
    vt_json_free(job);
    expect_no_upload(s, ids[1]);
    job = expect_json(cancel(s, ids[0]), 202);
    assert_string_equal(text_of(job, "state"), "running");
    assert_true(vt_json_bool(vt_json_get(job, "cancelling"), false));
    vt_json_free(job);
    pthread_mutex_unlock(&s->server->write_lock);
    job = wait_until(s, ids[0], "state", "cancelled");
    assert_true(figure_of(job, "rows") < LONG_ROWS);
    vt_json_free(job);
    expect_status(cancel(s, ids[0]), 409);
    expect_status(cancel(s, "000000000000"), 404);
    expect_status(ask_json(s, "GET", "/v1/jobs/x/rejects", NULL), 404);
    vt_error error = {0};
    expect_ok(vt_shop_check(s->shop, &error), &error);
    vt_json *list = expect_json(ask_json(s, "GET", "/v1/jobs", NULL), 200);
    assert_int_equal(vt_json_count(vt_json_get(list, "jobs")), 2);
    assert_string_equal(text_of(vt_json_at(vt_json_get(list, "jobs"), 0), "id"), ids[1]);
    vt_json_free(list);
}

static void changes_are_told_to_wait_while_an_import_runs(void **state)
{
    served *s = *state;
    vt_server_options options = job_options();
    serve(s, &options);
    s->server->importing = true;
    reply got = ask_json(s, "PATCH", "/v1/products/P-1", "{\"price\":1}");
    assert_non_null(strstr(vt_buf_text(&got.text), "Retry-After: "));
    expect_status(got, 503);
    expect_status(ask_json(s, "DELETE", "/v1/products/P-1", NULL), 503);
    expect_status(ask_json(s, "POST", "/v1/search", "{\"product\":\"P-1\"}"), 200);
    s->server->importing = false;
    expect_status(ask_json(s, "PATCH", "/v1/products/P-1", "{\"price\":1}"), 200);
}

static void a_server_that_stops_interrupts_its_jobs(void **state)
{
    served *s = *state;
    vt_server_options options = job_options();
    char ids[2][VT_JOB_ID_CHARS + 1], folder[SCRATCH_PATH_BYTES];
    snprintf(folder, sizeof(folder), "%s", at(s->journey, "."));
    options.import_images = folder;
    serve(s, &options);
    hold_two(s, ids);
    vt_jobs_stop(s->server->jobs);
    pthread_mutex_unlock(&s->server->write_lock);
    stop_serving(s);
    serve(s, &options);
    for (size_t i = 0; i < 2; i++) {
        vt_json *job = get_job(s, ids[i]);
        assert_string_equal(text_of(job, "state"), "interrupted");
        assert_string_equal(text_of(job, "detail"), "the server was stopped");
        vt_json_free(job);
        expect_no_upload(s, ids[i]);
    }
    vt_error error = {0};
    expect_ok(vt_shop_check(s->shop, &error), &error);
}

static void what_a_dead_server_left_is_interrupted(void **state)
{
    served *s = *state;
    vt_server_options options = job_options();
    vt_error error = {0};
    char path[SCRATCH_PATH_BYTES + 64];
    static const char history[] =
        "{\"jobs\":[{\"id\":\"../../../../x\",\"kind\":\"import\",\"state\":\"done\"},"
        "{\"id\":\"0123456789ab\",\"kind\":\"import\",\"state\":\"running\",\"name\":\"a.csv\","
        "\"started_ms\":1}]}";
    static const char *const folders[] = {"0123456789ab/images", "ba9876543210"};
    for (size_t i = 0; i < 2; i++) {
        snprintf(path, sizeof(path), "%s/jobs/%s", s->journey->shop, folders[i]);
        expect_ok(vt_dir_make(path, &error), &error);
    }
    write_text(s->journey, "shop/jobs/history.json", history);
    write_text(s->journey, "shop/jobs/0123456789ab/feed.csv", "id");
    serve(s, &options);
    vt_json *list = expect_json(ask_json(s, "GET", "/v1/jobs", NULL), 200);
    const vt_json *jobs = vt_json_get(list, "jobs");
    assert_int_equal(vt_json_count(jobs), 1);
    assert_string_equal(text_of(vt_json_at(jobs, 0), "state"), "interrupted");
    assert_string_equal(text_of(vt_json_at(jobs, 0), "name"), "a.csv");
    vt_json_free(list);
    expect_no_upload(s, "0123456789ab");
    assert_false(vt_dir_exists(path)); /* nobody knew of it */
    stop_serving(s);
    write_text(s->journey, "shop/jobs/history.json", "{\"jobs\":[");
    serve(s, &options);
    list = expect_json(ask_json(s, "GET", "/v1/jobs", NULL), 200);
    assert_int_equal(vt_json_count(vt_json_get(list, "jobs")), 0);
    vt_json_free(list);
}

/* ---- indexes ---- */

static void the_index_is_built_and_checked(void **state)
{
    served *s = *state;
    vt_server_options options = job_options();
    char id[VT_JOB_ID_CHARS + 1];
    serve(s, &options);
    take_id(ask_json(s, "POST", "/v1/jobs", "{\"kind\":\"index-build\"}"), id);
    vt_json *job = wait_until(s, id, "state", "done");
    assert_int_equal(figure_of(job, "vectors"), PRODUCTS);
    vt_json_free(job);
    take_id(ask_json(s, "POST", "/v1/jobs", "{\"kind\":\"index-check\",\"sample\":20}"), id);
    job = wait_until(s, id, "state", "done");
    assert_true(figure_of(job, "recall") == 1.0);
    assert_string_equal(text_of(job, "stage"), "recall");
    assert_string_equal(text_of(job, "unit"), "queries");
    assert_int_equal(vt_json_number(vt_json_get(job, "done"), 0), 2 * PRODUCTS);
    vt_json_free(job);
    vt_json *status = expect_json(ask_json(s, "GET", "/v1/status", NULL), 200);
    const vt_json *index = vt_json_get(status, "index");
    assert_int_equal(vt_json_number(vt_json_get(index, "vectors"), 0), PRODUCTS);
    assert_string_equal(text_of(vt_json_get(index, "auto"), "kind"), "exact");
    assert_string_equal(text_of(vt_json_get(index, "snapshot"), "fault"), "");
    vt_json_free(status);
}

/* Held up before its first row, so that it is cancelled while it runs. */
static void a_check_of_the_index_can_be_cancelled(void **state)
{
    served *s = *state;
    vt_server_options options = job_options();
    char id[VT_JOB_ID_CHARS + 1];
    serve(s, &options);
    pthread_rwlock_wrlock(&s->shop->use);
    take_id(ask_json(s, "POST", "/v1/jobs", "{\"kind\":\"index-check\"}"), id);
    vt_json_free(wait_until(s, id, "state", "running"));
    vt_json_free(expect_json(cancel(s, id), 202));
    pthread_rwlock_unlock(&s->shop->use);
    vt_json *job = wait_until(s, id, "state", "cancelled");
    assert_non_null(strstr(text_of(job, "detail"), "cancelled after 0 of"));
    assert_true(figure_of(job, "recall") == -1.0);
    vt_json_free(job);
}

static void only_so_many_that_ended_are_kept(void **state)
{
    served *s = *state;
    vt_server_options options = job_options();
    char first[VT_JOB_ID_CHARS + 1] = "", id[VT_JOB_ID_CHARS + 1];
    serve(s, &options);
    for (int i = 0; i < VT_JOBS_KEPT + 2; i++) {
        take_id(send_feed(s, "text/csv", "title\nx\n"), id);
        if (i == 0)
            memcpy(first, id, sizeof(first));
        vt_json_free(wait_until(s, id, "state", "failed"));
    }
    vt_json *list = expect_json(ask_json(s, "GET", "/v1/jobs", NULL), 200);
    assert_int_equal(vt_json_count(vt_json_get(list, "jobs")), VT_JOBS_KEPT);
    vt_json_free(list);
    char path[64];
    snprintf(path, sizeof(path), "/v1/jobs/%s", first);
    expect_status(ask_json(s, "GET", path, NULL), 404);
}

/* ---- events ---- */

static int listen_to(const served *s, const char *id)
{
    char head[256];
    int fd = connect_to(s->port);
    snprintf(head, sizeof(head),
             "GET /v1/jobs/%s HTTP/1.1\r\nHost: localhost:%d\r\nConnection: close\r\n"
             "Accept: text/event-stream\r\n\r\n",
             id, s->port);
    send_all(fd, head, strlen(head));
    return fd;
}

/* Reads until the text is there. */
static void expect_text(int fd, vt_buf *seen, const char *text)
{
    char chunk[1024];
    while (strstr(vt_buf_text(seen), text) == NULL) {
        ssize_t length = recv(fd, chunk, sizeof(chunk), 0);
        if (length <= 0)
            fail_msg("no \"%s\" in: %s", text, vt_buf_text(seen));
        vt_buf_append(seen, chunk, (size_t)length);
    }
}

static size_t listeners_of(vt_jobs *jobs)
{
    pthread_mutex_lock(&jobs->lock);
    size_t count = jobs->listeners.count;
    pthread_mutex_unlock(&jobs->lock);
    return count;
}

static void a_job_can_be_listened_to(void **state)
{
    enum { LISTENERS = 6 };
    served *s = *state;
    vt_server_options options = job_options();
    char ids[2][VT_JOB_ID_CHARS + 1], path[64];
    int fds[LISTENERS];
    vt_buf seen[LISTENERS];
    options.workers = 2; /* fewer than listen */
    options.heartbeat_ms = 100;
    serve(s, &options);
    hold_two(s, ids);
    for (size_t i = 0; i < LISTENERS; i++) {
        fds[i] = listen_to(s, ids[i % 2]);
        vt_buf_init(&seen[i], 1 << 20);
    }
    for (size_t i = 0; i < LISTENERS; i++) {
        expect_text(fds[i], &seen[i], "Content-Type: text/event-stream");
        expect_text(fds[i], &seen[i], "retry: 2000");
        expect_text(fds[i], &seen[i], i % 2 ? "\"state\":\"queued\"" : "\"state\":\"running\"");
        expect_text(fds[i], &seen[i], ": still here");
    }
    /* They keep no worker. */
    expect_status(ask_json(s, "POST", "/v1/search", "{\"product\":\"P-1\"}"), 200);
    close(fds[0]); /* who goes away is forgotten */
    pthread_mutex_unlock(&s->server->write_lock);
    for (size_t i = 1; i < LISTENERS; i++) {
        expect_text(fds[i], &seen[i], "\"state\":\"done\"");
        expect_text(fds[i], &seen[i], "\r\n0\r\n"); /* the end */
        close(fds[i]);
    }
    for (size_t i = 0; i < LISTENERS; i++)
        vt_buf_deinit(&seen[i]);
    vt_json *job = get_job(s, ids[0]);
    vt_json_free(job);
    char header[64];
    vt_job_record record;
    vt_error error = {0};
    expect_ok(vt_jobs_get(s->server->jobs, ids[0], &record, &error), &error);
    snprintf(header, sizeof(header), "Last-Event-ID: %d\r\n", (int)record.version);
    snprintf(path, sizeof(path), "/v1/jobs/%s/events", ids[0]);
    expect_status(ask_server(s, (call){.method = "GET", .path = path, .headers = header}), 204);
    reply got = ask_json(s, "GET", path, NULL);
    assert_non_null(strstr(got.body, "\"state\":\"done\""));
    expect_status(got, 200);
    expect_status(ask_json(s, "GET", "/v1/jobs/x/events", NULL), 404);
    for (int i = 0; i < 500 && listeners_of(s->server->jobs) > 0; i++)
        usleep(10000);
    assert_int_equal(listeners_of(s->server->jobs), 0);
}

static void a_stop_ends_every_stream(void **state)
{
    served *s = *state;
    vt_server_options options = job_options();
    char ids[2][VT_JOB_ID_CHARS + 1];
    vt_buf seen;
    vt_buf_init(&seen, 1 << 20);
    serve(s, &options);
    hold_two(s, ids);
    int fd = listen_to(s, ids[1]);
    expect_text(fd, &seen, "\"state\":\"queued\"");
    vt_jobs_stop(s->server->jobs);
    expect_text(fd, &seen, "\r\n0\r\n");
    close(fd);
    pthread_mutex_unlock(&s->server->write_lock);
    stop_serving(s);
    vt_buf_deinit(&seen);
}

static void there_are_no_jobs_without_the_writers_place(void **state)
{
    served *s = *state;
    vt_server_options options = server_options();
    serve(s, &options);
    expect_status(ask_json(s, "POST", "/v1/jobs", "{\"kind\":\"index-build\"}"), 409);
    expect_status(ask_json(s, "GET", "/v1/jobs/x", NULL), 404);
    vt_json *list = expect_json(ask_json(s, "GET", "/v1/jobs", NULL), 200);
    assert_int_equal(vt_json_count(vt_json_get(list, "jobs")), 0);
    vt_json_free(list);
}

/* ---- keys ---- */

static void keys_are_made_listed_and_taken_back(void **state)
{
    served *s = *state;
    vt_server_options options = job_options();
    static const char *const bad[] = {"{}",
                                      "{\"scopes\":[]}",
                                      "{\"scopes\":[\"all\"]}",
                                      "{\"scopes\":\"admin\"}",
                                      "{\"scopes\":[\"admin\"],\"rate\":0}",
                                      "{\"scopes\":[\"admin\"],\"expires_days\":-1}",
                                      "{\"scopes\":[\"admin\"],\"colour\":1}",
                                      "{\"scopes\":[\"admin\"],\"name\":7}"};
    char admin[VT_KEY_TEXT], other[VT_KEY_TEXT], path[64];
    serve(s, &options);
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        expect_status(ask_json(s, "POST", "/v1/keys", bad[i]), 400);
    /* The first one closes the door: it must be one that can open it. */
    expect_status(ask_json(s, "POST", "/v1/keys", "{\"scopes\":[\"write\"]}"), 409);
    vt_json *made = expect_json(
        ask_json(s, "POST", "/v1/keys", "{\"name\":\"me\",\"scopes\":[\"admin\",\"write\"]}"), 201);
    snprintf(admin, sizeof(admin), "%s", text_of(made, "key"));
    vt_json_free(made);
    for (int i = 0; i < 300; i++) { /* within a second */
        reply got = ask_json(s, "GET", "/v1/keys", NULL);
        int status = got.status;
        vt_buf_deinit(&got.text);
        if (status == 401)
            break;
        assert_true(i < 299);
        usleep(20000);
    }
    made = expect_json(
        ask_with(s, admin,
                 (call){.method = "POST",
                        .path = "/v1/keys",
                        .body = "{\"name\":\"till\",\"scopes\":[\"search\"],\"expires_days\":1,"
                                "\"rate\":5}"}),
        201);
    snprintf(other, sizeof(other), "%s", text_of(made, "key"));
    vt_json_free(made);
    reply got = ask_with(s, admin, (call){.method = "GET", .path = "/v1/keys"});
    assert_null(strstr(got.body, other + 3 + VT_KEY_ID_CHARS)); /* no secret */
    assert_null(strstr(got.body, "argon2id"));
    vt_json *list = expect_json(got, 200);
    const vt_json *keys = vt_json_get(list, "keys"), *second = vt_json_at(keys, 1);
    assert_int_equal(vt_json_count(keys), 2);
    assert_true(vt_json_bool(vt_json_get(vt_json_at(keys, 0), "yours"), false));
    assert_string_equal(text_of(second, "name"), "till");
    assert_int_equal(vt_json_number(vt_json_get(second, "rate"), 0), 5);
    assert_true(vt_json_number(vt_json_get(second, "expires_s"), 0) > 0);
    snprintf(path, sizeof(path), "/v1/keys/%s", text_of(second, "id"));
    expect_status(ask_with(s, admin, (call){.method = "DELETE", .path = path}), 204);
    expect_status(ask_with(s, admin, (call){.method = "DELETE", .path = path}), 404);
    snprintf(path, sizeof(path), "/v1/keys/%s", text_of(vt_json_at(keys, 0), "id"));
    expect_status(ask_with(s, admin, (call){.method = "DELETE", .path = path}), 409);
    vt_json_free(list);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        IN_SERVICE(a_feed_is_imported_with_its_pictures_and_nothing_else),
        IN_SERVICE(pictures_come_from_the_folder_that_was_opened),
        IN_SERVICE(what_is_no_job_is_refused),
        IN_SERVICE(a_feed_that_is_none_fails_with_its_reason),
        IN_SERVICE(the_line_is_bounded_and_jobs_can_be_cancelled),
        IN_SERVICE(changes_are_told_to_wait_while_an_import_runs),
        IN_SERVICE(a_server_that_stops_interrupts_its_jobs),
        IN_SERVICE(what_a_dead_server_left_is_interrupted),
        IN_SERVICE(the_index_is_built_and_checked),
        IN_SERVICE(a_check_of_the_index_can_be_cancelled),
        IN_SERVICE(only_so_many_that_ended_are_kept),
        IN_SERVICE(a_job_can_be_listened_to),
        IN_SERVICE(a_stop_ends_every_stream),
        IN_SERVICE(there_are_no_jobs_without_the_writers_place),
        IN_SERVICE(keys_are_made_listed_and_taken_back),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
