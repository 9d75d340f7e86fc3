/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Pictures that are named by URL: what is fetched, and a hundred ways to be sent inside, none of
 * which reaches a listener on loopback.
 *
 * Redirects need a first server at a public address: they are tried in a network of this process
 * alone, and skipped where that may not be made.
 */
#include "server/client.h"

#include "net/http_server.h"
#include "net/namespace.h"

static bool public_here;

typedef struct outside {
    served *served;
    http_server web; /* at every IPv4 address of this machine */
    int web6;        /* at ::1 and the same port; -1: there is no IPv6 */
    vt_buf picture;
    char names[8][96];
    const char *name_list[8];
} outside;

static int listen6(int port)
{
    struct sockaddr_in6 address = {.sin6_family = AF_INET6, .sin6_port = htons((uint16_t)port)};
    address.sin6_addr = in6addr_loopback;
    int on = 1, fd = socket(AF_INET6, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return -1;
    setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof(on));
    if (bind(fd, (struct sockaddr *)&address, sizeof(address)) == 0 && listen(fd, 8) == 0)
        return fd;
    close(fd);
    return -1;
}

static int outside_setup(void **state)
{
    outside *o = test_calloc(1, sizeof(*o));
    vt_image image = {0};
    void *inner = NULL;
    if (served_setup(&inner) != 0 || !http_start(&o->web))
        return -1;
    o->served = inner;
    o->web6 = listen6(o->web.port);
    vt_buf_init(&o->picture, 1 << 20);
    if (goods_draw(3, 1, &image, NULL) != VT_OK ||
        vt_image_encode_jpeg(&image, 92, &o->picture, NULL) != VT_OK)
        return -1;
    vt_image_deinit(&image);
    o->web.picture = o->picture.data;
    o->web.picture_length = o->picture.length;
    *state = o;
    return 0;
}

static int outside_teardown(void **state)
{
    outside *o = *state;
    void *inner = o->served;
    served_teardown(&inner);
    http_stop(&o->web);
    if (o->web6 >= 0)
        close(o->web6);
    vt_buf_deinit(&o->picture);
    test_free(o);
    return 0;
}

static vt_server_options fetching_options(void)
{
    vt_server_options options = server_options();
    options.fetch_images = true;
    options.fetch.any_port = true;
    options.fetch.timeout_ms = 10000;
    return options;
}

/* A search by this URL, in which # stands for the port of the listeners. */
static reply search_url(const outside *o, const char *url)
{
    vt_buf text, body;
    vt_json_writer writer;
    vt_buf_init(&text, 1 << 16);
    vt_buf_init(&body, 1 << 17);
    for (; *url != '\0'; url++)
        if (*url == '#')
            vt_buf_printf(&text, "%d", o->web.port);
        else
            vt_buf_append_char(&text, *url);
    vt_json_begin(&writer, &body, false);
    vt_json_open_object(&writer, NULL);
    vt_json_put_text(&writer, "image_url", vt_buf_text(&text));
    vt_json_put_int(&writer, "top", 3);
    vt_json_close(&writer);
    reply got = ask_json(o->served, "POST", "/v1/search", vt_buf_text(&body));
    vt_buf_deinit(&text);
    vt_buf_deinit(&body);
    return got;
}

static bool reached(outside *o)
{
    struct pollfd waiting = {.fd = o->web6, .events = POLLIN};
    return atomic_load(&o->web.connections) > 0 || (o->web6 >= 0 && poll(&waiting, 1, 0) > 0);
}

/* ---- what is fetched ---- */

static void pictures_are_fetched_where_that_is_allowed(void **state)
{
    outside *o = *state;
    vt_server_options options = fetching_options();
    options.fetch.allow_private_hosts = true; /* for this test's own server */
    serve(o->served, &options);
    vt_json *found = expect_json(search_url(o, "http://127.0.0.1:#/picture"), 200);
    const vt_json *best = vt_json_at(vt_json_get(found, "results"), 0);
    assert_string_equal(vt_json_text(vt_json_get(vt_json_get(best, "product"), "id"), ""), "P-3");
    vt_json_free(found);
    expect_status(search_url(o, "http://127.0.0.1:#/ok"), 422); /* no picture */
    expect_status(search_url(o, "http://127.0.0.1:#/nothing"), 422);
    expect_status(search_url(o, "http://127.0.0.1:#/loop"), 413);
    expect_status(search_url(o, ""), 422);
    char body[256];
    snprintf(
        body, sizeof(body),
        "{\"image_url\":\"http://127.0.0.1:%d/picture\",\"regions\":[[0,0,60,96],[30,0,66,96]]}",
        o->web.port);
    atomic_store(&o->web.requests, 0);
    expect_status(ask_json(o->served, "POST", "/v1/search", body), 200);
    assert_int_equal(atomic_load(&o->web.requests), 1); /* both regions are of one picture */
    snprintf(body, sizeof(body), "{\"image_url\":\"http://127.0.0.1:%d/picture\"}", o->web.port);
    expect_status(ask_json(o->served, "POST", "/v1/embed", body), 200);
    snprintf(
        body, sizeof(body),
        "{\"requests\":[{\"image\":{\"source\":{\"imageUri\":\"http://127.0.0.1:%d/picture\"}},"
        "\"features\":[{\"type\":\"PRODUCT_SEARCH\",\"maxResults\":1}]}]}",
        o->web.port);
    reply got = ask_json(o->served, "POST", "/v1/images:annotate", body);
    assert_non_null(strstr(got.body, "\"score\":"));
    expect_status(got, 200);
}

static void a_server_that_was_not_told_to_fetches_nothing(void **state)
{
    outside *o = *state;
    vt_server_options options = server_options();
    options.fetch.any_port = options.fetch.allow_private_hosts = true;
    serve(o->served, &options);
    expect_status(search_url(o, "http://127.0.0.1:#/picture"), 403);
    assert_false(reached(o));
}

static void fetched_pictures_have_limits(void **state)
{
    outside *o = *state;
    vt_server_options options = fetching_options();
    options.fetch.allow_private_hosts = true;
    options.fetch.maximum_bytes = o->picture.length - 1;
    options.fetch.timeout_ms = 500;
    serve(o->served, &options);
    expect_status(search_url(o, "http://127.0.0.1:#/picture"), 413);
    expect_status(search_url(o, "http://127.0.0.1:#/slow"), 422);
    stop_serving(o->served);
    options = fetching_options();
    options.fetch.allow_private_hosts = true;
    options.maximum_pixels = 96 * 96 - 1;
    serve(o->served, &options);
    expect_status(search_url(o, "http://127.0.0.1:#/picture"), 413);
    stop_serving(o->served);
    options.maximum_pixels = 96 * 96;
    options.fetch.any_port = false;
    serve(o->served, &options);
    atomic_store(&o->web.connections, 0);
    expect_status(search_url(o, "http://127.0.0.1:#/picture"), 422);
    assert_false(reached(o));
}

/* Slow servers of others must not take every worker. */
static void not_all_workers_wait_for_others(void **state)
{
    outside *o = *state;
    vt_server_options options = fetching_options();
    options.fetch.allow_private_hosts = true;
    serve(o->served, &options);
    atomic_store(&o->served->server->fetching, o->served->server->worker_count / 2);
    reply got = search_url(o, "http://127.0.0.1:#/picture");
    assert_non_null(strstr(vt_buf_text(&got.text), "Retry-After: 1"));
    expect_status(got, 503);
    assert_false(reached(o));
    atomic_store(&o->served->server->fetching, 0);
    expect_status(search_url(o, "http://127.0.0.1:#/picture"), 200);
    assert_int_equal(atomic_load(&o->served->server->fetching), 0);
}

/* ---- ways inside ---- */

static const char *const ways[] = {
    /* loopback as it is, and its neighbours */
    "http://127.0.0.1:#/picture",
    "http://127.0.0.2:#/picture",
    "http://127.255.255.254:#/picture",
    "http://localhost:#/picture",
    "http://LOCALHOST:#/picture",
    "http://localhost.:#/picture",
    "http://127.0.0.1.:#/picture",
    "http://ip6-localhost:#/picture",
    "http://localhost.localdomain:#/picture",
    "http://foo.localhost:#/picture",
    /* short, decimal, octal, hexadecimal, mixed, too long, with zeros */
    "http://127.1:#/picture",
    "http://127.0.1:#/picture",
    "http://0177.0.0.1:#/picture",
    "http://0177.1:#/picture",
    "http://017700000001:#/picture",
    "http://2130706433:#/picture",
    "http://0x7f000001:#/picture",
    "http://0x7F.0x0.0x0.0x1:#/picture",
    "http://0x7f.1:#/picture",
    "http://0x7f.0.0.01:#/picture",
    "http://127.0.0.01:#/picture",
    "http://00000177.0.0.1:#/picture",
    "http://0x00000000007f000001:#/picture",
    "http://00000000017700000001:#/picture",
    "http://4294967296:#/picture",
    "http://6425673729:#/picture",
    "http://127.0.0.1.1:#/picture",
    "http://127.0.0.257:#/picture",
    "http://383.0.0.1:#/picture",
    "http://127..1:#/picture",
    "http://127.0.0x1:#/picture",
    "http://127.00000000000000000000000000000.0.1:#/picture",
    /* this network */
    "http://0:#/picture",
    "http://0.0.0.0:#/picture",
    "http://0x0:#/picture",
    "http://00:#/picture",
    "http://0.0:#/picture",
    "http://0.1.2.3:#/picture",
    /* IPv6 */
    "http://[::1]:#/picture",
    "http://[0:0:0:0:0:0:0:1]:#/picture",
    "http://[0000:0000:0000:0000:0000:0000:0000:0001]:#/picture",
    "http://[::]:#/picture",
    "http://[::ffff:127.0.0.1]:#/picture",
    "http://[::ffff:7f00:1]:#/picture",
    "http://[::ffff:7f00:0001]:#/picture",
    "http://[0:0:0:0:0:ffff:127.0.0.1]:#/picture",
    "http://[::127.0.0.1]:#/picture",
    "http://[::7f00:1]:#/picture",
    "http://[::ffff:0:127.0.0.1]:#/picture",
    "http://[64:ff9b::127.0.0.1]:#/picture",
    "http://[64:ff9b::7f00:1]:#/picture",
    "http://[64:ff9b:1::7f00:1]:#/picture",
    "http://[2002:7f00:1::]:#/picture",
    "http://[2002:7f00:0001::1]:#/picture",
    "http://[2001:0:7f00:1::]:#/picture",
    "http://[::1%25lo]:#/picture",
    "http://[::1%251]:#/picture",
    "http://[::1%lo]:#/picture",
    "http://[fe80::1]:#/picture",
    "http://[fe80::1%25lo]:#/picture",
    "http://[fec0::1]:#/picture",
    "http://[fc00::1]:#/picture",
    "http://[fd12:3456::1]:#/picture",
    "http://[ff02::1]:#/picture",
    "http://[ff01::1]:#/picture",
    "http://[2001:db8::1]:#/picture",
    "http://[100::1]:#/picture",
    "http://[::1:#/picture",
    "http://::1:#/picture",
    "http://[::1].:#/picture",
    /* private, link-local, carriers, benchmarks, documentation, multicast, broadcast */
    "http://10.0.0.1:#/picture",
    "http://172.16.0.1:#/picture",
    "http://172.31.255.255:#/picture",
    "http://192.168.0.1:#/picture",
    "http://169.254.169.254:#/latest/meta-data/",
    "http://169.254.0.1:#/picture",
    "http://2852039166:#/latest/meta-data/",
    "http://0xa9fea9fe:#/picture",
    "http://100.64.0.1:#/picture",
    "http://192.0.0.192:#/picture",
    "http://198.18.0.1:#/picture",
    "http://192.0.2.1:#/picture",
    "http://203.0.113.1:#/picture",
    "http://224.0.0.1:#/picture",
    "http://255.255.255.255:#/picture",
    "http://240.0.0.1:#/picture",
    /* users, and what looks like a host but is none */
    "http://user@127.0.0.1:#/picture",
    "http://user:word@127.0.0.1:#/picture",
    "http://example.com@127.0.0.1:#/picture",
    "http://example.com:80@127.0.0.1:#/picture",
    "http://127.0.0.1:#@example.invalid/picture",
    "http://127.0.0.1:#\\@example.invalid/picture",
    "http://example.invalid\\@127.0.0.1:#/picture",
    "http://example.invalid%40127.0.0.1:#/picture",
    "http://@127.0.0.1:#/picture",
    "http://127.0.0.1:#?@example.invalid/",
    "http://%31%32%37%2e0.0.1:#/picture",
    "http://127%2e0%2e0%2e1:#/picture",
    "http://127.0.0.1%00.example.invalid:#/picture",
    "http://127.0.0.1%0d%0a:#/picture",
    "http://127.0.0.1 :#/picture",
    " http://127.0.0.1:#/picture",
    "http:// 127.0.0.1:#/picture",
    "http:\t//127.0.0.1:#/picture",
    "http://127\u30020\u30020\u30021:#/picture",
    "http://\u2460\u2461\u2466.0.0.1:#/picture",
    "http://\uff11\uff12\uff17.0.0.1:#/picture",
    "http:///127.0.0.1:#/picture",
    "http:////127.0.0.1:#/picture",
    "http:127.0.0.1:#/picture",
    "http:/127.0.0.1:#/picture",
    "http:\\\\127.0.0.1:#\\picture",
    "//127.0.0.1:#/picture",
    "127.0.0.1:#/picture",
    "HTTP://127.0.0.1:#/picture",
    "hTTps://127.0.0.1:#/picture",
    "https://localhost:#/picture",
    "https://[::1]:#/picture",
    /* other schemes */
    "file:///etc/passwd",
    "file://127.0.0.1/etc/passwd",
    "ftp://127.0.0.1:#/picture",
    "gopher://127.0.0.1:#/_GET%20/",
    "dict://127.0.0.1:#/info",
    "ldap://127.0.0.1:#/",
    "telnet://127.0.0.1:#/",
    "tftp://127.0.0.1:#/x",
    "smb://127.0.0.1:#/x",
    "scp://127.0.0.1:#/x",
    "ws://127.0.0.1:#/picture",
    "data:image/png;base64,AAAA",
    "javascript:alert(1)",
    "unix:///run/docker.sock",
    "http+unix://%2frun%2fdocker.sock/",
    "jar:http://127.0.0.1:#/x!/",
    "url:http://127.0.0.1:#/picture",
    "netdoc:///etc/passwd",
    /* ports that wrap or are none */
    "http://127.0.0.1:65536/picture",
    "http://127.0.0.1:-1/picture",
    "http://127.0.0.1:0/picture",
    "http://127.0.0.1:/picture",
    "http://127.0.0.1:0x50/picture",
    "http://127.0.0.1:00080/picture",
    /* names that others make mean something inside */
    "http://inside.example:#/picture",
    "http://INSIDE.example:#/picture",
    "http://inside6.example:#/picture",
    "http://mapped.example:#/picture",
    "http://private.example:#/picture",
    "http://metadata.example:#/picture",
    "http://several.example:#/picture",
    "https://inside.example:#/picture",
    "http://translated.example:#/picture",
};
enum { WAYS = sizeof(ways) / sizeof(ways[0]) };

static void name_hosts(outside *o, vt_server_options *options)
{
    static const char *const hosts[][2] = {{"inside.example", "127.0.0.1"},
                                           {"inside6.example", "[::1]"},
                                           {"mapped.example", "[::ffff:127.0.0.1]"},
                                           {"private.example", "10.0.0.1"},
                                           {"metadata.example", "169.254.169.254"},
                                           {"several.example", "10.0.0.1,127.0.0.1"},
                                           {"translated.example", "[64:ff9b::7f00:1]"}};
    size_t count = sizeof(hosts) / sizeof(hosts[0]);
    for (size_t i = 0; i < count; i++) {
        snprintf(o->names[i], sizeof(o->names[i]), "%s:%d:%s", hosts[i][0], o->web.port,
                 hosts[i][1]);
        o->name_list[i] = o->names[i];
    }
    options->fetch.names = o->name_list;
    options->fetch.name_count = count;
}

static void no_way_leads_inside(void **state)
{
    outside *o = *state;
    vt_server_options options = fetching_options();
    options.fetch.timeout_ms = 3000;
    name_hosts(o, &options);
    serve(o->served, &options);
    assert_true(WAYS >= 100);
    char first[512] = "";
    for (size_t i = 0; i < WAYS; i++) {
        reply got = search_url(o, ways[i]);
        if (got.status != 422 || reached(o))
            fail_msg("%s: %d%s: %s", ways[i], got.status, reached(o) ? ", and was reached" : "",
                     got.body);
        /* Nothing tells a way that was refused from one that led nowhere. */
        if (i == 0)
            snprintf(first, sizeof(first), "%s", got.body);
        assert_string_equal(got.body, first);
        vt_buf_deinit(&got.text);
    }
}

static void no_redirect_leads_inside(void **state)
{
    outside *o = *state;
    vt_server_options options = fetching_options();
    if (!public_here) {
        print_message("no network namespace may be made here: skipped\n");
        skip();
    }
    name_hosts(o, &options);
    serve(o->served, &options);
    size_t tried = 0;
    char url[128];
    snprintf(url, sizeof(url), "http://%s:#/picture", public_address);
    expect_status(search_url(o, url), 200); /* the first server is one that is asked */
    snprintf(url, sizeof(url), "http://%s:#/to-private", public_address);
    for (size_t i = 0; i < WAYS; i++) {
        const char *mark = strchr(ways[i], '#');
        size_t before = mark != NULL ? (size_t)(mark - ways[i]) : 0;
        int length = snprintf(o->web.private_target, sizeof(o->web.private_target), "%.*s%d%s",
                              (int)before, ways[i], o->web.port, mark != NULL ? mark + 1 : "");
        if (strstr(ways[i], "://") == NULL || mark == NULL ||
            length >= (int)sizeof(o->web.private_target) || strpbrk(ways[i], " \t") != NULL)
            continue; /* some are paths of the first server here */
        tried++;
        atomic_store(&o->web.requests, 0);
        reply got = search_url(o, url);
        if (got.status == 200 || atomic_load(&o->web.requests) != 1)
            fail_msg("%s: %d, %d requests: %s", o->web.private_target, got.status,
                     atomic_load(&o->web.requests), got.body);
        vt_buf_deinit(&got.text);
    }
    assert_true(tried >= 80);
}

#define OUTSIDE(test) cmocka_unit_test_setup_teardown(test, outside_setup, outside_teardown)

int main(void)
{
    public_here = namespace_works() && namespace_enter();
    const struct CMUnitTest tests[] = {
        OUTSIDE(pictures_are_fetched_where_that_is_allowed),
        OUTSIDE(a_server_that_was_not_told_to_fetches_nothing),
        OUTSIDE(fetched_pictures_have_limits),
        OUTSIDE(not_all_workers_wait_for_others),
        OUTSIDE(no_way_leads_inside),
        OUTSIDE(no_redirect_leads_inside),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
