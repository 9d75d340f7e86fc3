/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Requests drawn at random from web/openapi.json, some hundred of them, or VITRINE_REQUESTS;
 * VITRINE_SEED draws others. Whatever comes: an answer, none that blames the server, and JSON that
 * is JSON.
 */
#include "server/client.h"

#include "server/random_requests.h"

#include <sys/time.h>

enum { REQUESTS = 400, PATIENCE_S = 60 };

static uint64_t number_from(const char *name, uint64_t fallback)
{
    const char *text = getenv(name);
    int64_t value = 0;
    return text != NULL && vt_parse_int(text, 1, INT64_MAX, &value) ? (uint64_t)value : fallback;
}

static vt_json *description(void)
{
    vt_json *document = NULL;
    for (size_t i = 0; i < vt_web_file_count; i++)
        if (strcmp(vt_web_files[i].path, "/openapi.json") == 0)
            assert_int_equal(vt_json_parse((const char *)vt_web_files[i].bytes,
                                           vt_web_files[i].length, 32, &document, NULL),
                             VT_OK);
    assert_non_null(document);
    return document;
}

/* A stream of events goes on as long as what it tells of: its beginning is enough. */
static reply ask_drawn(const served *s, const drawn *one)
{
    struct timeval patience = {.tv_sec = PATIENCE_S};
    int fd = connect_to(s->port);
    if (fd < 0)
        return (reply){0};
    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
    send_all(fd, one->head.data, one->head.length);
    send_all(fd, vt_buf_text(&one->body), one->body.length);
    reply got = receive(fd);
    close(fd);
    return got;
}

static bool is_json(const reply *got)
{
    const char *type = strstr(vt_buf_text(&got->text), "Content-Type: application/");
    return type != NULL && type < got->body &&
           (strncmp(type + 26, "json", 4) == 0 || strncmp(type + 26, "problem+json", 12) == 0);
}

/* What is wrong with the answer; NULL: nothing. */
static const char *fault_of(const reply *got)
{
    vt_json *document = NULL;
    if (got->status == 0)
        return "no answer";
    if (got->status >= 500)
        return "the server is at fault";
    size_t length = got->text.length - (size_t)(got->body - got->text.data);
    if (!is_json(got) || length == 0) /* 204, 304 and pages */
        return NULL;
    bool whole = vt_json_parse(got->body, length, 32, &document, NULL) == VT_OK;
    double said = vt_json_number(vt_json_get(document, "status"), got->status);
    bool problem = strstr(vt_buf_text(&got->text), "application/problem+json") != NULL;
    vt_json_free(document);
    return !whole ? "no JSON" : problem && said != got->status ? "another status inside" : NULL;
}

static void prepare(served *s, drawer *d, vt_buf *picture, char hash[65])
{
    vt_image image = {0};
    vt_buf_init(picture, 1 << 20);
    assert_int_equal(goods_draw(3, 1, &image, NULL), VT_OK);
    assert_int_equal(vt_image_encode_jpeg(&image, 80, picture, NULL), VT_OK);
    vt_image_deinit(&image);
    vt_json *product = expect_json(ask_json(s, "GET", "/v1/products/P-1", NULL), 200);
    snprintf(hash, 65, "%s",
             vt_json_text(vt_json_get(vt_json_at(vt_json_get(product, "images"), 0), "hash"), ""));
    vt_json_free(product);
    d->picture = picture;
    d->hash = hash;
}

static void random_requests_are_answered(void **state)
{
    served *s = *state;
    vt_server_options options = server_options();
    options.events = true;
    uint64_t count = number_from("VITRINE_REQUESTS", REQUESTS),
             seed = number_from("VITRINE_SEED", 1);
    size_t classes[6] = {0};
    vt_json *document = description();
    drawer d;
    vt_buf picture;
    char hash[65];
    serve(s, &options);
    drawer_init(&d, document, seed);
    prepare(s, &d, &picture, hash);
    for (uint64_t i = 0; i < count; i++) {
        drawn one = {0};
        draw(&d, &one);
        assert_false(one.head.failed);
        reply got = ask_drawn(s, &one);
        const char *fault = fault_of(&got);
        if (fault != NULL)
            fail_msg("request %llu of seed %llu: %s\n%.2000s%.1000s\n-> %d %.1000s",
                     (unsigned long long)i, (unsigned long long)seed, fault, vt_buf_text(&one.head),
                     vt_buf_text(&one.body), got.status, got.body);
        classes[got.status / 100 % 6]++;
        vt_buf_deinit(&got.text);
        drawn_deinit(&one);
    }
    print_message("%llu requests: 2xx %zu, 3xx %zu, 4xx %zu\n", (unsigned long long)count,
                  classes[2], classes[3], classes[4]);
    /* Drawn requests that are all refused would try nothing. */
    assert_true(classes[2] > count / 10);
    expect_status(ask_json(s, "GET", "/v1/info", NULL), 200);
    vt_buf_deinit(&picture);
    vt_json_free(document);
}

int main(void)
{
    const struct CMUnitTest tests[] = {IN_SERVICE(random_requests_are_answered)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
