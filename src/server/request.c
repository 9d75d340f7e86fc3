/* SPDX-License-Identifier: Apache-2.0 */
/* What handlers ask a request: query parameters, headers, the body. */
#include "server/http.h"

#include "base/mem.h"

#include <math.h>
#include <string.h>
#include <strings.h>

enum { BODY_JSON_DEPTH = 16 };

const char *vt_header(vt_request *request, const char *name)
{
    return MHD_lookup_connection_value(request->connection, MHD_HEADER_KIND, name);
}

vt_status vt_query_text(vt_request *request, const char *name, char **out, vt_error *error)
{
    const char *value =
        MHD_lookup_connection_value(request->connection, MHD_GET_ARGUMENT_KIND, name);
    *out = NULL;
    if (value == NULL)
        return VT_OK;
    char *text = vt_strdup(value);
    if (text == NULL)
        return vt_fail_memory(error, "a parameter");
    if (!vt_percent_decode(text)) {
        vt_free(text);
        return vt_fail(error, VT_ERR_USAGE,
                       "read parameter \"%s\": it is not percent-encoded UTF-8", name);
    }
    *out = text;
    return VT_OK;
}

vt_status vt_query_size(vt_request *request, const char *name, size_t maximum, size_t *value,
                        vt_error *error)
{
    char *text = NULL;
    int64_t number = 0;
    vt_status status = vt_query_text(request, name, &text, error);
    if (status != VT_OK || text == NULL)
        return status;
    if (!vt_parse_int(text, 0, (int64_t)maximum, &number))
        status = vt_fail(error, VT_ERR_USAGE,
                         "read parameter \"%s\": \"%.40s\" is no whole number from 0 to %zu", name,
                         text, maximum);
    else
        *value = (size_t)number;
    vt_free(text);
    return status;
}

bool vt_content_is(const vt_request *request, const char *type)
{
    size_t length = strlen(type);
    const char *given = request->content_type;
    return strncasecmp(given, type, length) == 0 &&
           (given[length] == '\0' || given[length] == ';' || given[length] == ' ');
}

vt_status vt_body_json(vt_request *request, vt_json **out, vt_error *error)
{
    vt_json *document = NULL;
    if (!vt_content_is(request, "application/json"))
        return vt_fail(error, VT_ERR_UNSUPPORTED,
                       "read the body: it is \"%.100s\", application/json is needed",
                       request->content_type);
    vt_status status = vt_json_parse(vt_buf_text(&request->body), request->body.length,
                                     BODY_JSON_DEPTH, &document, error);
    if (status != VT_OK)
        return status;
    if (vt_json_kind_of(document) != VT_JSON_OBJECT) {
        vt_json_free(document);
        return vt_fail(error, VT_ERR_FORMAT, "read the body: it is no JSON object");
    }
    *out = document;
    return VT_OK;
}

vt_status vt_member_whole(const vt_json *value, const char *name, double low, double high,
                          size_t *out, vt_error *error)
{
    double number = vt_json_number(value, NAN);
    if (!(number >= low && number <= high) || number != floor(number))
        return vt_fail(error, VT_ERR_USAGE,
                       "read member \"%s\": a whole number from %.0f to %.0f is needed", name, low,
                       high);
    *out = (size_t)number;
    return VT_OK;
}
