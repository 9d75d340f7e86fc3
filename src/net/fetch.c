/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Fetching over HTTP with libcurl.
 *
 * Method: the guard against being sent to inside addresses sits where curl opens a socket. There
 * the address is final: whatever the name resolved to this time (DNS that changes its answer
 * between check and use), and whatever a redirect led to. A connection that is used again was
 * checked when it was opened, and a fetcher never changes what it allows. Ports are looked at there
 * too. Limits: bytes by announced length and by what really arrives, time per attempt and by
 * stalling, redirects by number and scheme.
 *
 * Nothing is taken from the surroundings: no proxy variables, no .netrc, no cookies, no credentials
 * in URLs, no content decoding (pictures are compressed already, and decoders are one more
 * surface).
 */
#include "net/fetch.h"

#include "base/mem.h"

#include <arpa/inet.h>
#include <curl/curl.h>
#include <netinet/in.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <time.h>

enum {
    URL_BYTES_MAX = 8192,
    FIRST_PAUSE_MS = 250,
    STALL_BYTES_PER_S = 64, /* slower than this for STALL_SECONDS: the attempt ends */
    STALL_SECONDS = 15,
    HTTP_PORT = 80,
    HTTPS_PORT = 443,
};

struct vt_fetcher {
    vt_fetch_options options;
    CURL *curl;
    struct curl_slist *names; /* NULL: none */
    char reason[CURL_ERROR_SIZE];
    /* Of the running attempt. */
    vt_buf *body;
    size_t received_bytes;
    bool too_large, no_memory;
    char refused[INET6_ADDRSTRLEN]; /* an address that was refused, or "" */
    int refused_port;               /* a port that was; 0: none */
};

vt_fetch_options vt_fetch_options_defaults(void)
{
    return (vt_fetch_options){.maximum_bytes = (size_t)64 << 20,
                              .timeout_ms = 30000,
                              .connect_timeout_ms = 10000,
                              .maximum_redirects = 5,
                              .attempts = 3,
                              .allow_private_hosts = false};
}

/* text: the address as people write it. *port: in the machine's order; 0: the family has none. */
static void address_print(const struct curl_sockaddr *address, char text[INET6_ADDRSTRLEN],
                          int *port)
{
    *port = 0;
    snprintf(text, INET6_ADDRSTRLEN, "unknown");
    if (address->family == AF_INET) {
        struct sockaddr_in v4;
        memcpy(&v4, &address->addr, sizeof v4);
        inet_ntop(AF_INET, &v4.sin_addr, text, INET6_ADDRSTRLEN);
        *port = ntohs(v4.sin_port);
    } else if (address->family == AF_INET6) {
        /* curl_sockaddr ends in a plain sockaddr, which is only the beginning of the real one. */
        struct sockaddr_in6 v6;
        const unsigned char *bytes =
            (const unsigned char *)address + offsetof(struct curl_sockaddr, addr);
        memcpy(&v6, bytes, sizeof v6);
        inet_ntop(AF_INET6, &v6.sin6_addr, text, INET6_ADDRSTRLEN);
        *port = ntohs(v6.sin6_port);
    }
}

static bool address_permitted(vt_fetcher *fetcher, const struct curl_sockaddr *address)
{
    char text[INET6_ADDRSTRLEN];
    int port;
    address_print(address, text, &port);
    if (!fetcher->options.allow_private_hosts && !vt_address_is_public(text)) {
        memcpy(fetcher->refused, text, sizeof text);
        return false;
    }
    if (fetcher->options.web_ports_only && port != HTTP_PORT && port != HTTPS_PORT) {
        fetcher->refused_port = port;
        return false;
    }
    return address->family == AF_INET || address->family == AF_INET6;
}

static curl_socket_t on_open_socket(void *context, curlsocktype purpose,
                                    struct curl_sockaddr *address)
{
    if (purpose != CURLSOCKTYPE_IPCXN || !address_permitted(context, address))
        return CURL_SOCKET_BAD;
    return socket(address->family, address->socktype | SOCK_CLOEXEC, address->protocol);
}

static size_t on_body(char *bytes, size_t size, size_t count, void *context)
{
    vt_fetcher *fetcher = context;
    size_t length = size * count; /* size is always 1 */
    if (length > fetcher->options.maximum_bytes - fetcher->received_bytes ||
        length > fetcher->body->maximum - fetcher->body->length) {
        fetcher->too_large = true;
        return 0;
    }
    if (!vt_buf_append(fetcher->body, bytes, length)) {
        fetcher->no_memory = true;
        return 0;
    }
    fetcher->received_bytes += length;
    return length;
}

static bool protocols_limit(CURL *curl)
{
#if LIBCURL_VERSION_NUM >= 0x075500
    return curl_easy_setopt(curl, CURLOPT_PROTOCOLS_STR, "http,https") == CURLE_OK &&
           curl_easy_setopt(curl, CURLOPT_REDIR_PROTOCOLS_STR, "http,https") == CURLE_OK;
#else
    long both = CURLPROTO_HTTP | CURLPROTO_HTTPS;
    return curl_easy_setopt(curl, CURLOPT_PROTOCOLS, both) == CURLE_OK &&
           curl_easy_setopt(curl, CURLOPT_REDIR_PROTOCOLS, both) == CURLE_OK;
#endif
}

static bool names_add(vt_fetcher *fetcher)
{
    for (size_t i = 0; i < fetcher->options.name_count; i++) {
        struct curl_slist *more = curl_slist_append(fetcher->names, fetcher->options.names[i]);
        if (!more)
            return false;
        fetcher->names = more;
    }
    return true;
}

/* A guard that could not be set must not be missing silently: any failure fails the whole. */
static bool fetcher_configure(vt_fetcher *fetcher)
{
    const vt_fetch_options *options = &fetcher->options;
    CURL *curl = fetcher->curl;
    bool ok = protocols_limit(curl);
#define SET(option, value) ok = ok && curl_easy_setopt(curl, option, value) == CURLE_OK
    SET(CURLOPT_OPENSOCKETFUNCTION, on_open_socket);
    SET(CURLOPT_OPENSOCKETDATA, fetcher);
    SET(CURLOPT_WRITEFUNCTION, on_body);
    SET(CURLOPT_WRITEDATA, fetcher);
    SET(CURLOPT_ERRORBUFFER, fetcher->reason);
    SET(CURLOPT_PROXY, "");
    SET(CURLOPT_NETRC, (long)CURL_NETRC_IGNORED);
    SET(CURLOPT_DISALLOW_USERNAME_IN_URL, 1L);
    SET(CURLOPT_NOSIGNAL, 1L);
    SET(CURLOPT_FAILONERROR, 1L);
    SET(CURLOPT_FOLLOWLOCATION, options->maximum_redirects > 0 ? 1L : 0L);
    SET(CURLOPT_MAXREDIRS, (long)options->maximum_redirects);
    SET(CURLOPT_TIMEOUT_MS, options->timeout_ms);
    SET(CURLOPT_CONNECTTIMEOUT_MS, options->connect_timeout_ms);
    SET(CURLOPT_LOW_SPEED_LIMIT, (long)STALL_BYTES_PER_S);
    SET(CURLOPT_LOW_SPEED_TIME, (long)STALL_SECONDS);
    SET(CURLOPT_MAXFILESIZE_LARGE, (curl_off_t)options->maximum_bytes);
    SET(CURLOPT_USERAGENT, "vitrine/" VT_VERSION);
    if (fetcher->names)
        SET(CURLOPT_RESOLVE, fetcher->names);
#undef SET
    return ok;
}

static CURLcode global_result;

static void global_prepare(void)
{
    global_result = curl_global_init(CURL_GLOBAL_DEFAULT);
}

vt_status vt_fetcher_new(const vt_fetch_options *options, vt_fetcher **out, vt_error *error)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    if (options->maximum_bytes == 0 || options->maximum_bytes > PTRDIFF_MAX ||
        options->timeout_ms <= 0 || options->connect_timeout_ms <= 0 ||
        options->maximum_redirects < 0)
        return vt_fail(error, VT_ERR_USAGE, "make a fetcher: a limit is out of range");
    pthread_once(&once, global_prepare);
    if (global_result != CURLE_OK)
        return vt_fail(error, VT_ERR_INTERNAL, "start libcurl: %s",
                       curl_easy_strerror(global_result));
    vt_fetcher *fetcher = vt_calloc(1, sizeof *fetcher);
    if (!fetcher)
        return vt_fail_memory(error, "a fetcher");
    fetcher->options = *options;
    fetcher->curl = curl_easy_init();
    if (!fetcher->curl || !names_add(fetcher)) {
        vt_fetcher_free(fetcher);
        return vt_fail_memory(error, "a fetcher");
    }
    if (!fetcher_configure(fetcher)) {
        vt_fetcher_free(fetcher);
        return vt_fail(error, VT_ERR_UNSUPPORTED, "set up libcurl: an option is missing in %s",
                       curl_version());
    }
    *out = fetcher;
    return VT_OK;
}

void vt_fetcher_free(vt_fetcher *fetcher)
{
    if (!fetcher)
        return;
    curl_easy_cleanup(fetcher->curl);
    curl_slist_free_all(fetcher->names);
    vt_free(fetcher);
}

/* `fetch "<url>": <reason>`, with a URL short enough to leave room for the reason. */
static vt_status fail_fetch(vt_error *error, vt_status status, const char *url, const char *reason)
{
    enum { URL_SHOWN = 300 };
    const char *dots = strlen(url) > URL_SHOWN ? "..." : "";
    return vt_fail(error, status, "fetch \"%.*s%s\": %s", URL_SHOWN, url, dots, reason);
}

static vt_status fail_http(vt_error *error, const char *url, long code)
{
    char reason[64];
    snprintf(reason, sizeof reason, "the server answered %ld", code);
    bool gone = code == 404 || code == 410;
    return fail_fetch(error, gone ? VT_ERR_NOT_FOUND : VT_ERR_IO, url, reason);
}

static vt_status fail_curl(vt_fetcher *fetcher, CURLcode code, const char *url, vt_error *error)
{
    char reason[CURL_ERROR_SIZE];
    snprintf(reason, sizeof reason, "%s",
             fetcher->reason[0] ? fetcher->reason : curl_easy_strerror(code));
    if (reason[0] >= 'A' && reason[0] <= 'Z' && reason[1] >= 'a' && reason[1] <= 'z')
        reason[0] = (char)(reason[0] - 'A' + 'a');
    switch (code) {
    case CURLE_UNSUPPORTED_PROTOCOL:
        return fail_fetch(error, VT_ERR_DENIED, url, "only http and https are fetched");
    case CURLE_LOGIN_DENIED:
        return fail_fetch(error, VT_ERR_DENIED, url, "urls with credentials are not fetched");
    case CURLE_URL_MALFORMAT:
        return fail_fetch(error, VT_ERR_FORMAT, url, "malformed url");
    case CURLE_TOO_MANY_REDIRECTS:
        return fail_fetch(error, VT_ERR_LIMIT, url, "too many redirects");
    case CURLE_OUT_OF_MEMORY:
        return fail_fetch(error, VT_ERR_NO_MEMORY, url, "out of memory");
    default:
        return fail_fetch(error, VT_ERR_IO, url, reason);
    }
}

static vt_status attempt_judge(vt_fetcher *fetcher, CURLcode code, const char *url, vt_error *error)
{
    long http = 0;
    curl_easy_getinfo(fetcher->curl, CURLINFO_RESPONSE_CODE, &http);
    if (fetcher->no_memory)
        return fail_fetch(error, VT_ERR_NO_MEMORY, url, "out of memory");
    if (fetcher->too_large || code == CURLE_FILESIZE_EXCEEDED)
        return fail_fetch(error, VT_ERR_LIMIT, url, "larger than allowed");
    if (code == CURLE_OK && http >= 200 && http < 300)
        return VT_OK;
    if (code == CURLE_OK || code == CURLE_HTTP_RETURNED_ERROR)
        return fail_http(error, url, http);
    if (code == CURLE_COULDNT_CONNECT && fetcher->refused[0]) {
        char reason[INET6_ADDRSTRLEN + 64];
        snprintf(reason, sizeof reason, "address %s is not of the public internet",
                 fetcher->refused);
        return fail_fetch(error, VT_ERR_DENIED, url, reason);
    }
    if (code == CURLE_COULDNT_CONNECT && fetcher->refused_port) {
        char reason[64];
        snprintf(reason, sizeof reason, "port %d is not allowed", fetcher->refused_port);
        return fail_fetch(error, VT_ERR_DENIED, url, reason);
    }
    return fail_curl(fetcher, code, url, error);
}

/* Is the failure one that passes by itself? Whoever is refused or too large stays so. */
static bool failure_passes(CURL *curl, CURLcode code)
{
    long http = 0;
    curl_easy_getinfo(curl, CURLINFO_RESPONSE_CODE, &http);
    switch (code) {
    case CURLE_HTTP_RETURNED_ERROR:
        return http == 429 || http >= 500;
    case CURLE_OPERATION_TIMEDOUT:
    case CURLE_GOT_NOTHING:
    case CURLE_PARTIAL_FILE:
    case CURLE_RECV_ERROR:
    case CURLE_SEND_ERROR:
        return true;
    default:
        return false;
    }
}

static vt_status attempt_make(vt_fetcher *fetcher, const char *url, bool *passes, vt_error *error)
{
    vt_buf *body = fetcher->body;
    size_t length = body->length;
    fetcher->received_bytes = 0;
    fetcher->too_large = fetcher->no_memory = false;
    fetcher->refused[0] = fetcher->reason[0] = '\0';
    fetcher->refused_port = 0;
    CURLcode code = curl_easy_perform(fetcher->curl);
    vt_status status = attempt_judge(fetcher, code, url, error);
    *passes = failure_passes(fetcher->curl, code);
    if (status != VT_OK && body->data) {
        body->length = length;
        body->failed = false;
        body->data[length] = '\0';
    }
    return status;
}

static void pause_for(long milliseconds)
{
    struct timespec left = {.tv_sec = milliseconds / 1000,
                            .tv_nsec = milliseconds % 1000 * 1000000};
    while (nanosleep(&left, &left) != 0)
        continue;
}

/* How long to wait before the next attempt; < 0: longer than an attempt may take, so give up. */
static long pause_choose(const vt_fetcher *fetcher, int attempt)
{
    long pause_ms = (long)FIRST_PAUSE_MS << (attempt < 10 ? attempt : 10);
    curl_off_t asked_s = 0;
    curl_easy_getinfo(fetcher->curl, CURLINFO_RETRY_AFTER, &asked_s);
    if (asked_s > fetcher->options.timeout_ms / 1000)
        return -1;
    if (asked_s * 1000 > pause_ms)
        pause_ms = (long)asked_s * 1000;
    return pause_ms < fetcher->options.timeout_ms ? pause_ms : fetcher->options.timeout_ms;
}

vt_status vt_fetch(vt_fetcher *fetcher, const char *url, vt_buf *body, vt_error *error)
{
    /* Without a scheme curl would guess one from the host's name. */
    if (strncasecmp(url, "http://", 7) != 0 && strncasecmp(url, "https://", 8) != 0)
        return fail_fetch(error, VT_ERR_DENIED, url, "only http and https are fetched");
    if (strlen(url) > URL_BYTES_MAX)
        return fail_fetch(error, VT_ERR_LIMIT, url, "the url is too long");
    if (body->failed)
        return fail_fetch(error, VT_ERR_LIMIT, url, "the buffer for it failed before");
    if (curl_easy_setopt(fetcher->curl, CURLOPT_URL, url) != CURLE_OK)
        return vt_fail_memory(error, "a url");
    fetcher->body = body;
    vt_status status;
    vt_error last; /* what failed before a success is nobody's concern */
    for (int attempt = 0;; attempt++) {
        bool passes;
        status = attempt_make(fetcher, url, &passes, &last);
        if (status == VT_OK || !passes || attempt + 1 >= fetcher->options.attempts)
            break;
        long pause_ms = pause_choose(fetcher, attempt);
        if (pause_ms < 0)
            break;
        pause_for(pause_ms);
    }
    fetcher->body = NULL;
    if (status != VT_OK && error)
        *error = last;
    return status;
}
