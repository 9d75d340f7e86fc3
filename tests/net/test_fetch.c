/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Fetching, against a server inside this program.
 *
 * What is reached at public addresses is tested in a network namespace of its own, whose loopback
 * interface also carries an address of the public internet; where namespaces are not allowed those
 * tests are skipped.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/clock.h"
#include "base/mem.h"
#include "http_server.h"
#include "net/fetch.h"
#include "net/namespace.h"

static bool public_here;

typedef struct world {
    http_server server;
    vt_fetch_options options;
    vt_fetcher *fetcher;
    vt_buf body;
    vt_error error;
    char url[256];
} world;

static int world_setup(void **state)
{
    world *w = test_calloc(1, sizeof *w);
    if (!http_start(&w->server))
        return -1;
    w->options = vt_fetch_options_defaults();
    w->options.allow_private_hosts = true;
    vt_buf_init(&w->body, 1 << 20);
    *state = w;
    return 0;
}

static int world_teardown(void **state)
{
    world *w = *state;
    vt_fetcher_free(w->fetcher);
    vt_buf_deinit(&w->body);
    http_stop(&w->server);
    test_free(w);
    return 0;
}

static vt_status fetch_from(world *w, const char *host, const char *path)
{
    if (!w->fetcher)
        assert_int_equal(vt_fetcher_new(&w->options, &w->fetcher, &w->error), VT_OK);
    vt_buf_clear(&w->body);
    w->error = (vt_error){0};
    snprintf(w->url, sizeof w->url, "http://%s:%d%s", host, w->server.port, path);
    vt_status status = vt_fetch(w->fetcher, w->url, &w->body, &w->error);
    assert_int_equal(status, w->error.status);
    if (status != VT_OK) {
        assert_int_equal(w->body.length, 0);
        assert_non_null(strstr(w->error.message, w->url));
    }
    return status;
}

static vt_status fetch(world *w, const char *path)
{
    return fetch_from(w, "127.0.0.1", path);
}

static void test_fetches(void **state)
{
    world *w = *state;
    assert_int_equal(fetch(w, "/ok"), VT_OK);
    assert_string_equal(w->body.data, "hello");
    assert_int_equal(fetch(w, "/empty"), VT_OK);
    assert_int_equal(w->body.length, 0);
    assert_int_equal(vt_fetch(w->fetcher, "ftp://x/", &w->body, NULL), VT_ERR_DENIED);
}

static void test_appends(void **state)
{
    world *w = *state;
    assert_int_equal(fetch(w, "/ok"), VT_OK);
    snprintf(w->url, sizeof w->url, "HTTP://127.0.0.1:%d/ok", w->server.port);
    assert_int_equal(vt_fetch(w->fetcher, w->url, &w->body, NULL), VT_OK);
    assert_string_equal(w->body.data, "hellohello");
    snprintf(w->url, sizeof w->url, "http://127.0.0.1:%d/short", w->server.port);
    assert_int_equal(vt_fetch(w->fetcher, w->url, &w->body, NULL), VT_ERR_IO);
    assert_string_equal(w->body.data, "hellohello");
}

static void test_connection_is_kept(void **state)
{
    world *w = *state;
    for (int i = 0; i < 5; i++)
        assert_int_equal(fetch(w, "/ok"), VT_OK);
    assert_int_equal(atomic_load(&w->server.connections), 1);
    assert_int_equal(atomic_load(&w->server.requests), 5);
}

static void test_private_hosts_are_refused(void **state)
{
    static const char *const hosts[] = {
        "127.0.0.1", "localhost", "127.1",    "2130706433",         "0x7f000001", "017700000001",
        "0",         "0.0.0.0",   "[::1]",    "[::ffff:127.0.0.1]", "10.0.0.1",   "169.254.169.254",
        "127.0.0.2", "[fe80::1]", "[fc00::1]"};
    world *w = *state;
    w->options.allow_private_hosts = false;
    w->options.connect_timeout_ms = w->options.timeout_ms = 60000;
    for (size_t i = 0; i < sizeof hosts / sizeof hosts[0]; i++)
        if (fetch_from(w, hosts[i], "/ok") != VT_ERR_DENIED)
            fail_msg("%s: %s", hosts[i], w->error.message);
    assert_int_equal(atomic_load(&w->server.connections), 0);
}

static void test_only_http(void **state)
{
    static const char *const urls[] = {"file:///etc/passwd",
                                       "ftp://127.0.0.1/",
                                       "gopher://127.0.0.1/",
                                       "dict://127.0.0.1/",
                                       "",
                                       "127.0.0.1/ok",
                                       "//127.0.0.1/ok",
                                       "data:text/plain,x",
                                       "javascript:1",
                                       "http",
                                       "ftp.example.com",
                                       " http://127.0.0.1",
                                       "scp://127.0.0.1/x",
                                       "httpx://127.0.0.1/"};
    world *w = *state;
    assert_int_equal(vt_fetcher_new(&w->options, &w->fetcher, NULL), VT_OK);
    for (size_t i = 0; i < sizeof urls / sizeof urls[0]; i++)
        if (vt_fetch(w->fetcher, urls[i], &w->body, &w->error) != VT_ERR_DENIED)
            fail_msg("%s: %s", urls[i], w->error.message);
}

static void test_malformed_urls(void **state)
{
    world *w = *state;
    assert_int_equal(vt_fetcher_new(&w->options, &w->fetcher, NULL), VT_OK);
    assert_int_equal(vt_fetch(w->fetcher, "http://", &w->body, NULL), VT_ERR_FORMAT);
    assert_int_equal(vt_fetch(w->fetcher, "http://a b/", &w->body, NULL), VT_ERR_FORMAT);
    assert_int_equal(vt_fetch(w->fetcher, "http://127.0.0.1:99999/", &w->body, NULL),
                     VT_ERR_FORMAT);
    char lengthy[9000] = "http://127.0.0.1/";
    memset(lengthy + 17, 'x', sizeof lengthy - 18);
    assert_int_equal(vt_fetch(w->fetcher, lengthy, &w->body, &w->error), VT_ERR_LIMIT);
    assert_non_null(strstr(w->error.message, "too long")); /* the reason is not cut off */
}

static void test_credentials_are_refused(void **state)
{
    world *w = *state;
    assert_int_equal(fetch_from(w, "user:word@127.0.0.1", "/ok"), VT_ERR_DENIED);
    assert_int_equal(atomic_load(&w->server.requests), 0);
}

/* Proxy variables, a .netrc and an earlier Set-Cookie must all stay without effect. */
static void test_surroundings_are_ignored(void **state)
{
    world *w = *state;
    char home[] = "/tmp/vt-test-XXXXXX", netrc[64];
    assert_non_null(mkdtemp(home));
    snprintf(netrc, sizeof netrc, "%s/.netrc", home);
    FILE *file = fopen(netrc, "w");
    assert_non_null(file);
    fputs("machine 127.0.0.1 login me password secret\n", file);
    fclose(file);
    setenv("HOME", home, 1);
    setenv("http_proxy", "http://127.0.0.1:1/", 1);
    setenv("all_proxy", "socks5://127.0.0.1:1/", 1);
    assert_int_equal(fetch(w, "/ok"), VT_OK);
    assert_int_equal(fetch(w, "/echo"), VT_OK);
    assert_null(strcasestr(w->body.data, "cookie"));
    assert_null(strcasestr(w->body.data, "authorization"));
    assert_null(strcasestr(w->body.data, "accept-encoding"));
    assert_non_null(strstr(w->body.data, "User-Agent: vitrine/"));
    unsetenv("http_proxy");
    unsetenv("all_proxy");
    unlink(netrc);
    rmdir(home);
}

static void test_redirects(void **state)
{
    world *w = *state;
    w->options.maximum_redirects = 3;
    assert_int_equal(fetch(w, "/redirect"), VT_OK);
    assert_string_equal(w->body.data, "hello");
    atomic_store(&w->server.requests, 0);
    assert_int_equal(fetch(w, "/loop"), VT_ERR_LIMIT);
    assert_int_equal(atomic_load(&w->server.requests), 4);
    assert_int_equal(fetch(w, "/to-file"), VT_ERR_DENIED);
}

static void test_redirects_off(void **state)
{
    world *w = *state;
    w->options.maximum_redirects = 0;
    assert_int_equal(fetch(w, "/redirect"), VT_ERR_IO);
    assert_int_equal(atomic_load(&w->server.requests), 1);
}

static void test_public_host(void **state)
{
    world *w = *state;
    if (!public_here) {
        print_message("no network namespace may be made here: skipped\n");
        skip();
    }
    w->options.allow_private_hosts = false;
    assert_int_equal(fetch_from(w, public_address, "/ok"), VT_OK);
    assert_string_equal(w->body.data, "hello");
}

static void test_redirect_to_private_host(void **state)
{
    world *w = *state;
    if (!public_here) {
        print_message("no network namespace may be made here: skipped\n");
        skip();
    }
    w->options.allow_private_hosts = false;
    static const char *const targets[] = {"127.0.0.1", "localhost", "[::1]", "10.1.2.3"};
    for (size_t i = 0; i < sizeof targets / sizeof targets[0]; i++) {
        snprintf(w->server.private_target, sizeof w->server.private_target, "http://%s:%d/ok",
                 targets[i], w->server.port);
        atomic_store(&w->server.requests, 0);
        assert_int_equal(fetch_from(w, public_address, "/to-private"), VT_ERR_DENIED);
        assert_int_equal(atomic_load(&w->server.requests), 1);
    }
}

/* A public server may lead to another port, or ask for credentials to be sent; neither is done. */
static void test_redirects_are_held_to_the_rules(void **state)
{
    world *w = *state;
    if (!public_here) {
        print_message("no network namespace may be made here: skipped\n");
        skip();
    }
    w->options.allow_private_hosts = false;
    static const char *const users[] = {"user", "user:word"};
    for (size_t i = 0; i < sizeof users / sizeof users[0]; i++) {
        snprintf(w->server.private_target, sizeof w->server.private_target, "http://%s@%s:%d/ok",
                 users[i], public_address, w->server.port);
        atomic_store(&w->server.requests, 0);
        assert_int_not_equal(fetch_from(w, public_address, "/to-private"), VT_OK);
        assert_int_equal(atomic_load(&w->server.requests), 1);
    }
}

static void test_web_ports_only(void **state)
{
    world *w = *state;
    w->options.web_ports_only = true;
    assert_int_equal(fetch(w, "/ok"), VT_ERR_DENIED);
    assert_non_null(strstr(w->error.message, "port"));
    assert_int_equal(atomic_load(&w->server.connections), 0);
    /* Those that are: nobody listens there, or somebody who is not asked for what we are. */
    vt_status status = vt_fetch(w->fetcher, "http://127.0.0.1:80/", &w->body, &w->error);
    assert_int_not_equal(status, VT_ERR_DENIED);
}

/* What a name means is looked at after it was resolved, whoever resolved it. */
static void test_names(void **state)
{
    world *w = *state;
    char name[64];
    snprintf(name, sizeof name, "inside.example:%d:127.0.0.1", w->server.port);
    const char *names[] = {name};
    w->options.names = names;
    w->options.name_count = 1;
    assert_int_equal(fetch_from(w, "inside.example", "/ok"), VT_OK);
    assert_string_equal(w->body.data, "hello");
    vt_fetcher_free(w->fetcher);
    w->fetcher = NULL;
    w->options.allow_private_hosts = false;
    atomic_store(&w->server.connections, 0);
    assert_int_equal(fetch_from(w, "inside.example", "/ok"), VT_ERR_DENIED);
    assert_int_equal(atomic_load(&w->server.connections), 0);
}

static void test_size_announced(void **state)
{
    world *w = *state;
    w->options.maximum_bytes = 999999;
    assert_int_equal(fetch(w, "/announced"), VT_ERR_LIMIT);
    assert_int_equal(atomic_load(&w->server.requests), 1);
}

static void test_size_unannounced(void **state)
{
    world *w = *state;
    w->options.maximum_bytes = 999;
    assert_int_equal(fetch(w, "/chunked"), VT_ERR_LIMIT);
    vt_fetcher_free(w->fetcher);
    w->fetcher = NULL;
    w->options.maximum_bytes = 1000;
    assert_int_equal(fetch(w, "/chunked"), VT_OK);
    assert_int_equal(w->body.length, 1000);
}

static void test_size_of_buffer(void **state)
{
    world *w = *state;
    vt_buf_deinit(&w->body);
    vt_buf_init(&w->body, 4);
    assert_int_equal(fetch(w, "/ok"), VT_ERR_LIMIT);
    vt_buf_init(&w->body, 5);
    assert_int_equal(fetch(w, "/ok"), VT_OK);
}

static void test_error_answers(void **state)
{
    world *w = *state;
    assert_int_equal(fetch(w, "/nothing"), VT_ERR_NOT_FOUND);
    assert_non_null(strstr(w->error.message, "404"));
    assert_int_equal(fetch(w, "/gone"), VT_ERR_NOT_FOUND);
    assert_int_equal(fetch(w, "/forbidden"), VT_ERR_IO);
    assert_int_equal(atomic_load(&w->server.requests), 3);
}

static void test_retries(void **state)
{
    world *w = *state;
    w->options.attempts = 2;
    assert_int_equal(fetch(w, "/busy-once"), VT_OK);
    assert_string_equal(w->body.data, "at last");
    assert_int_equal(atomic_load(&w->server.requests), 2);
    atomic_store(&w->server.requests, 0);
    assert_int_equal(fetch(w, "/busy"), VT_ERR_IO);
    assert_non_null(strstr(w->error.message, "503"));
    assert_int_equal(atomic_load(&w->server.requests), 2);
    atomic_store(&w->server.requests, 0);
    assert_int_equal(fetch(w, "/drop-once"), VT_OK);
    assert_string_equal(w->body.data, "back");
}

static void test_retry_after(void **state)
{
    world *w = *state;
    double before_ms = vt_clock_ms();
    assert_int_equal(fetch(w, "/later"), VT_OK);
    assert_true(vt_clock_ms() - before_ms >= 1000);
    assert_int_equal(atomic_load(&w->server.requests), 2);
    atomic_store(&w->server.requests, 0);
    assert_int_equal(fetch(w, "/much-later"), VT_ERR_IO);
    assert_int_equal(atomic_load(&w->server.requests), 1);
}

static void test_slow_body(void **state)
{
    world *w = *state;
    w->options.timeout_ms = 300;
    w->options.attempts = 2;
    assert_int_equal(fetch(w, "/slow"), VT_ERR_IO);
    assert_int_equal(atomic_load(&w->server.requests), 2);
}

static void test_nobody_listens(void **state)
{
    world *w = *state;
    assert_int_equal(vt_fetcher_new(&w->options, &w->fetcher, NULL), VT_OK);
    assert_int_equal(vt_fetch(w->fetcher, "http://127.0.0.1:1/", &w->body, &w->error), VT_ERR_IO);
    assert_int_equal(vt_fetch(w->fetcher, "http://name.invalid/", &w->body, &w->error), VT_ERR_IO);
}

static void test_bad_options(void **state)
{
    world *w = *state;
    vt_fetch_options options = w->options;
    options.maximum_bytes = 0;
    assert_int_equal(vt_fetcher_new(&options, &w->fetcher, NULL), VT_ERR_USAGE);
    options = w->options;
    options.timeout_ms = 0; /* would mean "for ever" to curl */
    assert_int_equal(vt_fetcher_new(&options, &w->fetcher, NULL), VT_ERR_USAGE);
    options = w->options;
    options.maximum_redirects = -1; /* would mean "any number" */
    assert_int_equal(vt_fetcher_new(&options, &w->fetcher, NULL), VT_ERR_USAGE);
    assert_null(w->fetcher);
    vt_fetcher_free(NULL);
}

static void test_allocation_failure(void **state)
{
    world *w = *state;
    snprintf(w->url, sizeof w->url, "http://127.0.0.1:%d/chunked", w->server.port);
    int successes = 0;
    for (;; successes++) {
        vt_buf_deinit(&w->body);
        vt_mem_fail_after(successes);
        vt_fetcher *fetcher = NULL;
        vt_status status = vt_fetcher_new(&w->options, &fetcher, NULL);
        if (status == VT_OK)
            status = vt_fetch(fetcher, w->url, &w->body, NULL);
        int64_t asked = vt_mem_fail_after(-1);
        vt_fetcher_free(fetcher);
        assert_int_equal(status, asked <= successes ? VT_OK : VT_ERR_NO_MEMORY);
        if (status == VT_OK)
            break;
    }
    assert_true(successes >= 2);
    assert_int_equal(w->body.length, 1000);
}

#define WORLD_TEST(name) cmocka_unit_test_setup_teardown(name, world_setup, world_teardown)

int main(void)
{
    public_here = namespace_works() && namespace_enter();
    const struct CMUnitTest tests[] = {
        WORLD_TEST(test_fetches),
        WORLD_TEST(test_appends),
        WORLD_TEST(test_connection_is_kept),
        WORLD_TEST(test_private_hosts_are_refused),
        WORLD_TEST(test_only_http),
        WORLD_TEST(test_malformed_urls),
        WORLD_TEST(test_credentials_are_refused),
        WORLD_TEST(test_surroundings_are_ignored),
        WORLD_TEST(test_redirects),
        WORLD_TEST(test_redirects_off),
        WORLD_TEST(test_public_host),
        WORLD_TEST(test_redirect_to_private_host),
        WORLD_TEST(test_redirects_are_held_to_the_rules),
        WORLD_TEST(test_web_ports_only),
        WORLD_TEST(test_names),
        WORLD_TEST(test_size_announced),
        WORLD_TEST(test_size_unannounced),
        WORLD_TEST(test_size_of_buffer),
        WORLD_TEST(test_error_answers),
        WORLD_TEST(test_retries),
        WORLD_TEST(test_retry_after),
        WORLD_TEST(test_slow_body),
        WORLD_TEST(test_nobody_listens),
        WORLD_TEST(test_bad_options),
        WORLD_TEST(test_allocation_failure),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
