/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One line of JSON per request. What a request asked for is told by its path; queries, bodies and
 * keys are not: pictures and words are the customer's.
 */
#include "server/http.h"

#include "base/clock.h"

#include <arpa/inet.h>
#include <netdb.h>
#include <netinet/in.h>
#include <stdio.h>
#include <time.h>

enum { LINE_BYTES = 64 << 10 };

static void put_time(vt_json_writer *writer)
{
    char text[40];
    int64_t now_ms = vt_clock_unix_ms();
    time_t seconds = (time_t)(now_ms / 1000);
    struct tm utc;
    gmtime_r(&seconds, &utc);
    size_t length = strftime(text, sizeof(text), "%Y-%m-%dT%H:%M:%S", &utc);
    snprintf(text + length, sizeof(text) - length, ".%03dZ", (int)(now_ms % 1000));
    vt_json_put_text(writer, "time", text);
}

static void put_client(vt_json_writer *writer, struct MHD_Connection *connection)
{
    char host[64];
    const union MHD_ConnectionInfo *info =
        MHD_get_connection_info(connection, MHD_CONNECTION_INFO_CLIENT_ADDRESS);
    if (info == NULL || info->client_addr == NULL)
        return;
    socklen_t length = info->client_addr->sa_family == AF_INET6 ? sizeof(struct sockaddr_in6)
                                                                : sizeof(struct sockaddr_in);
    if (getnameinfo(info->client_addr, length, host, sizeof(host), NULL, 0, NI_NUMERICHOST) == 0)
        vt_json_put_text(writer, "client", host);
}

void vt_access_log(vt_request *request, double took_ms, bool aborted)
{
    const vt_server_options *options = &request->server->options;
    vt_json_writer writer;
    vt_buf line;
    if (options->on_access == NULL)
        return;
    vt_buf_init(&line, LINE_BYTES);
    vt_json_begin(&writer, &line, false);
    vt_json_open_object(&writer, NULL);
    put_time(&writer);
    put_client(&writer, request->connection);
    vt_json_put_text(&writer, "method", request->method);
    vt_json_put_text(&writer, "path", request->path);
    vt_json_put_text(&writer, "route",
                     request->routing.route != NULL ? request->routing.route->pattern : NULL);
    vt_json_put_int(&writer, "status", request->http);
    vt_json_put_number(&writer, "ms", took_ms, 3);
    vt_json_put_int(&writer, "received", (int64_t)request->received_bytes);
    if (request->key_id[0] != '\0')
        vt_json_put_text(&writer, "key", request->key_id);
    if (aborted)
        vt_json_put_bool(&writer, "aborted", true);
    vt_json_close(&writer);
    if (!line.failed) {
        pthread_mutex_lock(&request->server->log_lock);
        options->on_access(options->context, vt_buf_text(&line));
        pthread_mutex_unlock(&request->server->log_lock);
    }
    vt_buf_deinit(&line);
}
