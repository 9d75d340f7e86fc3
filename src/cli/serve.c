/* SPDX-License-Identifier: Apache-2.0 */
/* vitrine serve, and the keys that a served shop asks for: vitrine key add, list, revoke. */
#include "cli/cli.h"

#include "server/server.h"

#include "base/clock.h"

#include <errno.h>
#ifdef __GLIBC__
#include <malloc.h>
#endif
#include <pthread.h>
#include <signal.h>
#include <string.h>
#include <time.h>

enum {
    SECONDS_PER_DAY = 86400,
    MILLISECONDS = 1000,
    KEPT_BLOCK_BYTES = 4 << 20, /* larger ones go back to the kernel at once */
    KEPT_FREE_BYTES = 16 << 20, /* of each thread */
};

/* ---- serve ---- */

static void print_access(void *context, const char *line)
{
    FILE *stream = context;
    fprintf(stream, "%s\n", line);
    fflush(stream);
}

static void reload(vt_server *server)
{
    vt_error error = {0};
    vt_status status = vt_server_reload(server, &error);
    fprintf(stderr, "%s%s\n", status == VT_OK ? "certificate and key are read anew" : "as before: ",
            status == VT_OK ? "" : error.message);
}

/* Waits for SIGINT or SIGTERM, which the caller has blocked in every thread; a second one ends the
 * program at once. SIGHUP, where it is blocked too, reads certificate and key anew. */
static void wait_for_signal(vt_server *server, const sigset_t *signals)
{
    int number = 0;
    while (sigwait(signals, &number) == EINTR || number == SIGHUP)
        if (number == SIGHUP) {
            number = 0;
            reload(server);
        }
    signal(SIGINT, SIG_DFL);
    signal(SIGTERM, SIG_DFL);
    pthread_sigmask(SIG_UNBLOCK, signals, NULL);
}

typedef struct serving {
    const char *shop, *precision, *access_log;
    bool write, json;
    vt_server_options server;
} serving;

static vt_status open_shop(const serving *what, vt_shop **out, vt_error *error)
{
    vt_shop *shop = NULL;
    vt_status status =
        vt_shop_open(what->shop, what->write ? VT_OPEN_WRITE : VT_OPEN_READ, &shop, error);
    if (status == VT_OK && what->precision != NULL)
        status = vt_shop_use_precision(shop, what->precision, error);
    if (status != VT_OK) {
        vt_shop_close(shop);
        return status;
    }
    *out = shop;
    return VT_OK;
}

static int tell_address(const serving *what, const char *address)
{
    vt_buf document;
    vt_json_writer writer;
    int code = 0;
    if (what->json) {
        vt_cli_begin_json(&writer, &document);
        vt_json_put_text(&writer, "address", address);
        vt_json_close(&writer);
        code = vt_cli_print_json("serve", &document);
    } else {
        printf("serving %s at %s\n", what->shop, address);
    }
    fflush(stdout);
    return code;
}

/* Each photo takes about a megabyte for a moment. What the allocator gives back to the kernel after
 * every one returns as page faults: they were half of what a search took (9.5 ms of a core with
 * them, 4.5 without). */
static void keep_memory(void)
{
#ifdef __GLIBC__
    mallopt(M_MMAP_THRESHOLD, KEPT_BLOCK_BYTES);
    mallopt(M_TRIM_THRESHOLD, KEPT_FREE_BYTES);
#endif
}

static int serve(serving *what, FILE *log)
{
    vt_error error = {0};
    vt_shop *shop = NULL;
    vt_server *server = NULL;
    sigset_t signals;
    int code = 0;
    keep_memory();
    if (log != NULL) {
        what->server.on_access = print_access;
        what->server.context = log;
    }
    /* Before any thread starts, so that all of them leave the signals to this one. */
    sigemptyset(&signals);
    sigaddset(&signals, SIGINT);
    sigaddset(&signals, SIGTERM);
    if (what->server.tls_certificate != NULL)
        sigaddset(&signals, SIGHUP);
    pthread_sigmask(SIG_BLOCK, &signals, NULL);
    signal(SIGPIPE, SIG_IGN);
    vt_status status = open_shop(what, &shop, &error);
    if (status == VT_OK)
        status = vt_server_start(shop, &what->server, &server, &error);
    if (status == VT_OK) {
        code = tell_address(what, vt_server_address(server));
        if (code == 0)
            wait_for_signal(server, &signals);
        vt_server_stop(server);
    }
    vt_shop_close(shop);
    return status == VT_OK ? code : vt_cli_fail("serve", what->json, status, &error);
}

static FILE *open_log(const char *path, vt_error *error)
{
    if (strcmp(path, "-") == 0)
        return stderr;
    FILE *stream = fopen(path, "ae");
    if (stream == NULL)
        snprintf(error->message, sizeof(error->message), "open access log \"%.200s\": %s", path,
                 strerror(errno));
    return stream;
}

/* Numbers as people give them. */
typedef struct serve_numbers {
    int64_t workers, queue, connections, body_mib, pixels, cache_mib, job_queue;
    double head_s, body_s, write_s, stop_s;
} serve_numbers;

static serve_numbers numbers_of(const vt_server_options *options)
{
    return (serve_numbers){.workers = options->workers,
                           .queue = options->queue,
                           .connections = options->connections,
                           .job_queue = options->job_queue,
                           .body_mib = (int64_t)(options->body_bytes >> 20),
                           .cache_mib = (int64_t)(options->cache_bytes >> 20),
                           .pixels = (int64_t)options->maximum_pixels,
                           .head_s = (double)options->head_ms / MILLISECONDS,
                           .body_s = (double)options->body_ms / MILLISECONDS,
                           .write_s = (double)options->write_ms / MILLISECONDS,
                           .stop_s = (double)options->stop_ms / MILLISECONDS};
}

static void use_numbers(const serve_numbers *numbers, vt_server_options *options)
{
    options->workers = (int)numbers->workers;
    options->queue = (int)numbers->queue;
    options->connections = (int)numbers->connections;
    options->job_queue = (int)numbers->job_queue;
    options->body_bytes = (size_t)numbers->body_mib << 20;
    options->cache_bytes = (size_t)numbers->cache_mib << 20;
    options->maximum_pixels = (uint64_t)numbers->pixels;
    options->head_ms = (int)(numbers->head_s * MILLISECONDS);
    options->body_ms = (int)(numbers->body_s * MILLISECONDS);
    options->write_ms = (int)(numbers->write_s * MILLISECONDS);
    options->stop_ms = (int)(numbers->stop_s * MILLISECONDS);
}

int vt_cli_serve(int argc, char **argv)
{
    serving what = {.server = vt_server_options_defaults()};
    serve_numbers numbers = numbers_of(&what.server);
    const vt_cli_option options[] = {
        VT_CLI_TEXT_OPTION("listen", "HOST:PORT", &what.server.listen,
                           "where to answer (default 127.0.0.1:8080; port 0: a free one)"),
        VT_CLI_FLAG_OPTION("write", &what.write,
                           "let products be put, changed, imported and taken out"),
        VT_CLI_FLAG_OPTION("events", &what.server.events,
                           "take and keep what shoppers view, click and buy"),
        VT_CLI_TEXT_OPTION("import-images", "DIR", &what.server.import_images,
                           "feeds that are sent here may name pictures below it"),
        VT_CLI_FLAG_OPTION("import-remote", &what.server.import_remote,
                           "feeds that are sent here may name addresses of public hosts"),
        VT_CLI_FLAG_OPTION("public-search", &what.server.public_search,
                           "searching and the page need no key"),
        VT_CLI_FLAG_OPTION("open-to-all", &what.server.open_to_all,
                           "answer beyond this machine although the shop has no key"),
        VT_CLI_TEXT_OPTION("tls-cert", "FILE", &what.server.tls_certificate,
                           "PEM: speak TLS with this certificate and its chain"),
        VT_CLI_TEXT_OPTION("tls-key", "FILE", &what.server.tls_key,
                           "PEM: its key; SIGHUP reads both anew"),
        VT_CLI_FLAG_OPTION("fetch-images", &what.server.fetch_images,
                           "searches may name pictures by image_url: public addresses only"),
        VT_CLI_FLAG_OPTION("fetch-any-port", &what.server.fetch.any_port,
                           "also from other ports than 80 and 443"),
        VT_CLI_TEXT_OPTION("access-log", "FILE", &what.access_log,
                           "a line of JSON per request; -: standard error"),
        {"workers", "N", VT_CLI_INT, &numbers.workers, "requests worked on at once", 1, 256},
        {"queue", "N", VT_CLI_INT, &numbers.queue, "requests that may wait (default 128)", 1,
         100000},
        {"connections", "N", VT_CLI_INT, &numbers.connections, "at once (default 4096)", 8, 100000},
        {"job-queue", "N", VT_CLI_INT, &numbers.job_queue, "jobs that may wait (default 8)", 1,
         1000},
        {"max-body", "MIB", VT_CLI_INT, &numbers.body_mib, "of one request (default 32)", 1, 512},
        {"max-pixels", "N", VT_CLI_INT, &numbers.pixels, "of one picture (default 50331648)", 1,
         200000000},
        {"cache", "MIB", VT_CLI_INT, &numbers.cache_mib, "of kept answers (default 32; 0: none)", 0,
         4096},
        {"head-timeout", "S", VT_CLI_NUMBER, &numbers.head_s, "for the head, or idle (default 20)",
         0.1, 3600},
        {"body-timeout", "S", VT_CLI_NUMBER, &numbers.body_s, "for the body (default 60)", 0.1,
         3600},
        {"write-timeout", "S", VT_CLI_NUMBER, &numbers.write_s,
         "for reading the answer (default 60)", 0.1, 3600},
        {"stop-timeout", "S", VT_CLI_NUMBER, &numbers.stop_s, "for what was accepted (default 30)",
         0, 3600},
        VT_CLI_SHOP_PRECISION_OPTION(&what.precision),
        VT_CLI_FLAG_OPTION("json", &what.json, "print the address as one JSON document"),
    };
    const vt_cli_usage usage = {
        "serve",
        "SHOP",
        "Answers over HTTP: the API that /openapi.json describes, and a page to search on. Ctrl-C\n"
        "or SIGTERM ends it when what was accepted is answered. 'vitrine key add' makes keys; "
        "with\n"
        "one, everything but the page's files needs a key.",
        "  vitrine serve my.shop --listen 127.0.0.1:8080",
        1,
        1,
        options,
        sizeof(options) / sizeof(options[0])};
    vt_cli_arguments arguments;
    int code = vt_cli_parse(&usage, argc, argv, &arguments);
    if (code != VT_CLI_GO)
        return code;
    what.shop = arguments.items[0];
    what.server.jobs = what.write;
    use_numbers(&numbers, &what.server);
    vt_error error = {0};
    FILE *log = what.access_log != NULL ? open_log(what.access_log, &error) : NULL;
    if (what.access_log != NULL && log == NULL)
        return vt_cli_fail("serve", what.json, VT_ERR_IO, &error);
    code = serve(&what, log);
    if (log != NULL && log != stderr)
        fclose(log);
    return code;
}

/* ---- keys ---- */

static int add_key(const char *directory, vt_key *wanted, bool json)
{
    vt_error error = {0};
    vt_shop *shop = NULL;
    char text[VT_KEY_TEXT];
    /* Only a shop can have keys. */
    vt_status status = vt_shop_open(directory, VT_OPEN_READ, &shop, &error);
    vt_shop_close(shop);
    if (status == VT_OK)
        status = vt_keys_add(directory, wanted, text, &error);
    if (status != VT_OK)
        return vt_cli_fail("key add", json, status, &error);
    if (!json) {
        printf("%s\n", text);
        fprintf(stderr, "keep it: it is not shown again\n");
        return 0;
    }
    vt_buf document;
    vt_json_writer writer;
    vt_cli_begin_json(&writer, &document);
    vt_json_put_text(&writer, "key", text);
    vt_json_close(&writer);
    return vt_cli_print_json("key add", &document);
}

int vt_cli_key_add(int argc, char **argv)
{
    bool json = false;
    const char *name = "", *scopes = "search";
    double days = 0.0, rate = 0.0;
    const vt_cli_option options[] = {
        VT_CLI_TEXT_OPTION("scopes", "LIST", &scopes,
                           "of search, write, embed, admin (default search)"),
        VT_CLI_TEXT_OPTION("name", "TEXT", &name, "whose it is"),
        {"expires", "DAYS", VT_CLI_NUMBER, &days, "from now (default never)", 0, 36500},
        {"rate", "N", VT_CLI_NUMBER, &rate, "requests per second (default any)", 0.001, 1e6},
        VT_CLI_FLAG_OPTION("json", &json, "print one JSON document"),
    };
    const vt_cli_usage usage = {"key add",
                                "SHOP",
                                "Makes a key for the API and prints it, this once. A running "
                                "server knows it within a second.",
                                "  vitrine key add my.shop --scopes search --name \"shop page\"",
                                1,
                                1,
                                options,
                                sizeof(options) / sizeof(options[0])};
    vt_cli_arguments arguments;
    vt_error error = {0};
    vt_key wanted = {0};
    int code = vt_cli_parse(&usage, argc, argv, &arguments);
    if (code != VT_CLI_GO)
        return code;
    vt_status status = vt_scopes_parse(scopes, &wanted.scopes, &error);
    if (status == VT_OK &&
        (strlen(name) >= VT_KEY_NAME_BYTES || !vt_utf8_valid(name, strlen(name))))
        status = VT_ERR_USAGE;
    if (status != VT_OK)
        return vt_cli_fail("key add", json, status, &error);
    snprintf(wanted.name, sizeof(wanted.name), "%s", name);
    wanted.rate = rate;
    if (days > 0.0)
        wanted.expires_s = vt_clock_unix_ms() / 1000 + (int64_t)(days * SECONDS_PER_DAY);
    return add_key(arguments.items[0], &wanted, json);
}

/* "2026-11-25"; "never" for 0. */
static void print_day(int64_t seconds, char out[32])
{
    time_t when = (time_t)seconds;
    struct tm utc;
    if (seconds <= 0 || gmtime_r(&when, &utc) == NULL)
        snprintf(out, 32, "never");
    else
        strftime(out, 32, "%Y-%m-%d", &utc);
}

static int print_keys(const vt_key_list *list, bool json)
{
    char scopes[64], expires[32];
    vt_buf document;
    vt_json_writer writer;
    vt_cli_begin_json(&writer, &document);
    vt_json_open_array(&writer, "keys");
    for (size_t i = 0; i < list->count; i++) {
        const vt_key *key = &list->items[i];
        vt_scopes_print(key->scopes, scopes);
        print_day(key->expires_s, expires);
        vt_json_open_object(&writer, NULL);
        vt_json_put_text(&writer, "id", key->id);
        vt_json_put_text(&writer, "name", key->name);
        vt_json_put_text(&writer, "scopes", scopes);
        vt_json_put_text(&writer, "expires", expires);
        vt_json_put_number(&writer, "rate", key->rate, -1);
        vt_json_close(&writer);
        if (json)
            continue;
        printf("%s  %-20s expires %-10s  ", key->id, scopes, expires);
        vt_cli_print(stdout, key->name);
        fputc('\n', stdout);
    }
    vt_json_close(&writer);
    vt_json_close(&writer);
    if (json)
        return vt_cli_print_json("key list", &document);
    vt_buf_deinit(&document);
    return 0;
}

int vt_cli_key_list(int argc, char **argv)
{
    bool json = false;
    const vt_cli_option options[] = {
        VT_CLI_FLAG_OPTION("json", &json, "print one JSON document"),
    };
    const vt_cli_usage usage = {"key list",
                                "SHOP",
                                "The keys of a shop, without the secrets.",
                                "  vitrine key list my.shop",
                                1,
                                1,
                                options,
                                sizeof(options) / sizeof(options[0])};
    vt_cli_arguments arguments;
    vt_key_list list = {0};
    vt_error error = {0};
    int code = vt_cli_parse(&usage, argc, argv, &arguments);
    if (code != VT_CLI_GO)
        return code;
    vt_status status = vt_keys_read(arguments.items[0], &list, &error);
    if (status != VT_OK)
        return vt_cli_fail("key list", json, status, &error);
    code = print_keys(&list, json);
    vt_keys_deinit(&list);
    return code;
}

int vt_cli_key_revoke(int argc, char **argv)
{
    bool json = false;
    const vt_cli_option options[] = {
        VT_CLI_FLAG_OPTION("json", &json, "answer failures as one JSON document too"),
    };
    const vt_cli_usage usage = {
        "key revoke",
        "SHOP ID...",
        "Takes keys back by their ids. A running server refuses them within "
        "a second.",
        "  vitrine key revoke my.shop 0123456789ab",
        2,
        -1,
        options,
        sizeof(options) / sizeof(options[0])};
    vt_cli_arguments arguments;
    int code = vt_cli_parse(&usage, argc, argv, &arguments);
    if (code != VT_CLI_GO)
        return code;
    code = 0;
    for (int i = 1; i < arguments.count; i++) {
        vt_error error = {0};
        vt_status status = vt_keys_revoke(arguments.items[0], arguments.items[i], &error);
        if (status != VT_OK)
            code = vt_cli_fail("key revoke", json, status, &error);
    }
    return code;
}
