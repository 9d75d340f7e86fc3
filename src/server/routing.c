/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Which route a request means. Paths are compared segment by segment before anything is decoded, so
 * that an encoded slash stays part of its segment: a product "a/b" is /v1/products/a%2Fb.
 */
#include "server/http.h"

#include "base/mem.h"

#include <stdio.h>
#include <string.h>

bool vt_percent_decode(char *text)
{
    char *out = text;
    for (const char *in = text; *in != '\0'; in++) {
        char c = *in;
        if (c == '%') {
            if (in[1] == '\0' || !vt_unhex((const char[]){in[1], in[2], '\0'}, &c, 1) || c == '\0')
                return false;
            in += 2;
        }
        *out++ = c;
    }
    *out = '\0';
    return vt_utf8_valid(text, (size_t)(out - text));
}

/* A pattern's part in braces. */
static bool is_parameter(const char *segment)
{
    return segment[0] == '{';
}

/* Whether the path has the pattern's form; values: where its parameters lie. */
static bool matches(const char *pattern, const char *path, const char **values, size_t *lengths)
{
    size_t found = 0;
    while (*pattern == '/' && *path == '/') {
        size_t wanted = strcspn(++pattern, "/"), given = strcspn(++path, "/");
        if (is_parameter(pattern)) {
            if (given == 0 || found == VT_ROUTE_PARAMETERS)
                return false;
            values[found] = path;
            lengths[found++] = given;
        } else if (wanted != given || memcmp(pattern, path, wanted) != 0) {
            return false;
        }
        pattern += wanted;
        path += given;
    }
    return *pattern == '\0' && *path == '\0';
}

static vt_status take_parameters(vt_routing *routing, const char *const *values,
                                 const size_t *lengths, vt_error *error)
{
    for (size_t i = 0; i < VT_ROUTE_PARAMETERS && values[i] != NULL; i++) {
        routing->parameters[i] = vt_strndup(values[i], lengths[i]);
        if (routing->parameters[i] == NULL)
            return vt_fail_memory(error, "a path");
        if (!vt_percent_decode(routing->parameters[i]))
            return vt_fail(error, VT_ERR_USAGE,
                           "read the path: \"%.*s\" is not percent-encoded "
                           "UTF-8",
                           (int)(lengths[i] < 100 ? lengths[i] : 100), values[i]);
    }
    return VT_OK;
}

static void allow(vt_routing *routing, const char *method)
{
    size_t length = strlen(routing->allow);
    if (strstr(routing->allow, method) != NULL)
        return;
    snprintf(routing->allow + length, sizeof(routing->allow) - length, "%s%s%s",
             length > 0 ? ", " : "", method, strcmp(method, "GET") == 0 ? ", HEAD" : "");
}

vt_status vt_routing_find(const char *method, const char *path, vt_routing *out, vt_error *error)
{
    const char *wanted = strcmp(method, "HEAD") == 0 ? "GET" : method;
    vt_routing routing = {0};
    for (size_t i = 0; i < vt_route_count; i++) {
        const char *values[VT_ROUTE_PARAMETERS] = {NULL};
        size_t lengths[VT_ROUTE_PARAMETERS] = {0};
        const vt_route *route = &vt_routes[i];
        if (!matches(route->pattern, path, values, lengths))
            continue;
        routing.path_known = true;
        allow(&routing, route->method);
        if (routing.route != NULL || strcmp(route->method, wanted) != 0)
            continue;
        routing.route = route;
        vt_status status = take_parameters(&routing, values, lengths, error);
        if (status != VT_OK) {
            vt_routing_deinit(&routing);
            return status;
        }
    }
    *out = routing;
    return VT_OK;
}

void vt_routing_deinit(vt_routing *routing)
{
    for (size_t i = 0; i < VT_ROUTE_PARAMETERS; i++)
        vt_free(routing->parameters[i]);
    *routing = (vt_routing){0};
}
