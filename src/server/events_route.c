/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What shoppers did, as pages and shops tell it: one event or an array of them in, a verdict on
 * each out. Those that are refused leave the others alone; what is stored is durable when the
 * answer comes.
 *
 *     {"kind":"click","product":"A","search":"<Search-Id>","position":3,"session":"<token>"}
 *
 * A search's id is drawn for every answer and lies in a header: answers themselves are kept and
 * given again (answer_cache.c), and two shoppers who ask the same have two searches. Nobody notes
 * which ids were given: an id is worth what the events that name it say.
 */
#include "server/routes.h"

#include "base/log.h"
#include "base/secret.h"

#include <math.h>

enum { EVENT_DEPTH = 4, EVENTS_BYTES = 1 << 20 };

void vt_search_id_new(char out[VT_SEARCH_ID_CHARS + 1])
{
    uint8_t bytes[VT_SEARCH_ID_CHARS / 2];
    vt_secret_random(bytes, sizeof(bytes));
    vt_hex(bytes, sizeof(bytes), out);
}

/* ---- reading ---- */

static vt_status read_text(const vt_json *value, const char *name, const char **out,
                           vt_error *error)
{
    *out = vt_json_text(value, NULL);
    if (*out == NULL)
        return vt_fail(error, VT_ERR_USAGE, "\"%s\" is no text", name);
    return VT_OK;
}

static vt_status read_number(const vt_json *value, const char *name, double maximum, double *out,
                             vt_error *error)
{
    double number = vt_json_number(value, -1.0);
    if (!(number >= 1.0 && number <= maximum) || number != floor(number))
        return vt_fail(error, VT_ERR_USAGE, "\"%s\" is no whole number from 1 to %.0f", name,
                       maximum);
    *out = number;
    return VT_OK;
}

static vt_status read_kind(const vt_json *value, vt_event_kind *out, vt_error *error)
{
    const char *name = vt_json_text(value, "");
    for (int kind = 0; kind < VT_EVENT_KINDS; kind++)
        if (vt_text_equal(name, vt_event_kind_name((vt_event_kind)kind))) {
            *out = (vt_event_kind)kind;
            return VT_OK;
        }
    return vt_fail(error, VT_ERR_USAGE, "\"kind\" is none of view, click, cart, purchase");
}

static vt_status read_member(const char *name, const vt_json *value, vt_event *out, vt_error *error)
{
    static const double largest_ms = 9007199254740991.0; /* that a double holds exactly */
    double number = 0.0;
    vt_status status = VT_OK;
    if (vt_text_equal(name, "kind"))
        return read_kind(value, &out->kind, error);
    if (vt_text_equal(name, "product"))
        return read_text(value, name, &out->product, error);
    if (vt_text_equal(name, "search"))
        return read_text(value, name, &out->search, error);
    if (vt_text_equal(name, "session"))
        return read_text(value, name, &out->session, error);
    if (vt_text_equal(name, "position")) {
        status = read_number(value, name, VT_EVENT_MAX_POSITION, &number, error);
        out->position = (int)number;
    } else if (vt_text_equal(name, "time_ms")) {
        status = read_number(value, name, largest_ms, &number, error);
        out->time_ms = (int64_t)number;
    } else {
        status = vt_fail(error, VT_ERR_USAGE, "there is no member \"%.40s\"", name);
    }
    return status;
}

/* *out points into the document. */
static vt_status read_event(const vt_json *object, vt_event *out, vt_error *error)
{
    vt_status status = VT_OK;
    if (vt_json_kind_of(object) != VT_JSON_OBJECT)
        return vt_fail(error, VT_ERR_USAGE, "it is no object");
    if (vt_json_get(object, "kind") == NULL || vt_json_get(object, "product") == NULL)
        return vt_fail(error, VT_ERR_USAGE, "\"kind\" and \"product\" are both needed");
    for (size_t i = 0; i < vt_json_count(object) && status == VT_OK; i++) {
        const vt_json *value = NULL;
        const char *name = vt_json_key_at(object, i, &value);
        status = read_member(name, value, out, error);
    }
    return status;
}

/* ---- storing ---- */

typedef struct batch {
    vt_json *document;
    size_t count;
    vt_error *verdicts; /* (count) */
    vt_event *events;   /* those that could be read ... */
    size_t *places;     /* ... and which they are */
    vt_error *checked;  /* the shop's verdicts on them */
    size_t read;
} batch;

static void batch_deinit(batch *b)
{
    vt_json_free(b->document);
    vt_free(b->verdicts);
    vt_free(b->events);
    vt_free(b->places);
    vt_free(b->checked);
}

static vt_status batch_init(vt_request *request, batch *b, vt_error *error)
{
    const vt_buf *body = &request->body;
    if (!vt_content_is(request, "application/json"))
        return vt_fail(error, VT_ERR_UNSUPPORTED,
                       "read the events: they are \"%.100s\", application/json is needed",
                       request->content_type);
    if (body->length > EVENTS_BYTES)
        return vt_fail(error, VT_ERR_LIMIT, "read the events: %zu bytes, at most %d can be",
                       body->length, EVENTS_BYTES);
    vt_status status =
        vt_json_parse(vt_buf_text(body), body->length, EVENT_DEPTH, &b->document, error);
    if (status != VT_OK)
        return status;
    bool many = vt_json_kind_of(b->document) == VT_JSON_ARRAY;
    b->count = many ? vt_json_count(b->document) : 1;
    if (b->count > VT_EVENTS_MAX)
        return vt_fail(error, VT_ERR_LIMIT, "read the events: %zu at once, at most %d can be",
                       b->count, VT_EVENTS_MAX);
    b->verdicts = vt_calloc(b->count + 1, sizeof(*b->verdicts));
    b->events = vt_calloc(b->count + 1, sizeof(*b->events));
    b->places = vt_calloc(b->count + 1, sizeof(*b->places));
    b->checked = vt_calloc(b->count + 1, sizeof(*b->checked));
    if (b->verdicts == NULL || b->events == NULL || b->places == NULL || b->checked == NULL)
        return vt_fail_memory(error, "events");
    for (size_t i = 0; i < b->count; i++) {
        const vt_json *object = many ? vt_json_at(b->document, i) : b->document;
        if (read_event(object, &b->events[b->read], &b->verdicts[i]) == VT_OK)
            b->places[b->read++] = i;
        else
            b->events[b->read] = (vt_event){0}; /* what was read of it */
    }
    return VT_OK;
}

/* What went wrong with the file is the operator's to know; the client learns what it may do. */
static vt_status explain(vt_request *request, vt_status status, vt_error *error)
{
    enum { RETRY_MS = 1000 };
    vt_log(VT_LOG_ERROR, "%s", error->message);
    if (status == VT_ERR_LIMIT)
        return vt_refuse(request, MHD_HTTP_INSUFFICIENT_STORAGE, status, error,
                         "there is no room for more events");
    if (status != VT_ERR_BUSY && status != VT_ERR_NO_MEMORY)
        return vt_fail(error, VT_ERR_INTERNAL, "events could not be stored");
    request->retry_ms = RETRY_MS;
    return vt_refuse(request, MHD_HTTP_SERVICE_UNAVAILABLE, status, error,
                     "events cannot be stored now");
}

static vt_status store(vt_request *request, batch *b, vt_error *error)
{
    vt_status status =
        vt_shop_add_events(request->server->shop, b->events, b->read, b->checked, error);
    if (status != VT_OK)
        return explain(request, status, error);
    for (size_t i = 0; i < b->read; i++)
        b->verdicts[b->places[i]] = b->checked[i];
    return VT_OK;
}

static vt_status answer(vt_request *request, const batch *b, vt_error *error)
{
    vt_json_writer writer;
    int64_t stored = 0;
    vt_reply_begin(request, &writer);
    vt_json_open_array(&writer, "events");
    for (size_t i = 0; i < b->count; i++) {
        const vt_error *verdict = &b->verdicts[i];
        stored += verdict->status == VT_OK;
        vt_json_open_object(&writer, NULL);
        vt_json_put_int(&writer, "status",
                        verdict->status == VT_OK ? MHD_HTTP_CREATED
                                                 : vt_status_http(verdict->status));
        if (verdict->status != VT_OK) {
            vt_json_put_text(&writer, "code", vt_status_name(verdict->status));
            vt_json_put_text(&writer, "detail", verdict->message);
        }
        vt_json_close(&writer);
    }
    vt_json_close(&writer);
    vt_json_put_int(&writer, "stored", stored);
    return vt_reply_end(request, &writer, MHD_HTTP_OK, error);
}

vt_status vt_answer_add_events(vt_request *request, vt_error *error)
{
    batch b = {0};
    if (!request->server->options.events)
        return vt_refuse(request, MHD_HTTP_CONFLICT, VT_ERR_DENIED, error,
                         "this server takes no events");
    vt_status status = batch_init(request, &b, error);
    if (status == VT_OK)
        status = store(request, &b, error);
    if (status == VT_OK)
        status = answer(request, &b, error);
    batch_deinit(&b);
    return status;
}
