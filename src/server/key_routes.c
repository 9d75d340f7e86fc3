/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The shop's keys over HTTP, for whoever has the scope admin: listed without their secrets, made,
 * taken back.
 *
 * Nobody locks himself out by it: the first key of a shop must be an admin's, since with it the
 * server stops answering without one, and no key takes itself back.
 */
#include "server/routes.h"

#include "base/clock.h"

#include <stdio.h>
#include <string.h>

enum { DAYS_MAXIMUM = 36500, SECONDS_PER_DAY = 86400 };
static const double rate_maximum = 1e6;

static void put_scopes(vt_json_writer *writer, unsigned scopes)
{
    char text[64];
    vt_scopes_print(scopes, text);
    vt_json_open_array(writer, "scopes");
    for (char *at = text; *at != '\0';) {
        size_t length = strcspn(at, ",");
        bool last = at[length] == '\0';
        at[length] = '\0';
        vt_json_put_text(writer, NULL, at);
        at += length + !last;
    }
    vt_json_close(writer);
}

static void put_key(vt_json_writer *writer, const vt_key *key, const vt_request *request)
{
    vt_json_put_text(writer, "id", key->id);
    vt_json_put_text(writer, "name", key->name);
    put_scopes(writer, key->scopes);
    vt_json_put_int(writer, "created_s", key->created_s);
    if (key->expires_s > 0)
        vt_json_put_int(writer, "expires_s", key->expires_s);
    if (key->rate > 0.0)
        vt_json_put_number(writer, "rate", key->rate, -1);
    vt_json_put_bool(writer, "yours", strcmp(key->id, request->key_id) == 0);
}

vt_status vt_answer_keys(vt_request *request, vt_error *error)
{
    vt_json_writer writer;
    vt_key_list list = {0};
    vt_status status = vt_keys_read(request->server->directory, &list, error);
    if (status != VT_OK)
        return status;
    vt_reply_begin(request, &writer);
    vt_json_open_array(&writer, "keys");
    for (size_t i = 0; i < list.count; i++) {
        vt_json_open_object(&writer, NULL);
        put_key(&writer, &list.items[i], request);
        vt_json_close(&writer);
    }
    vt_json_close(&writer);
    vt_keys_deinit(&list);
    return vt_reply_end(request, &writer, MHD_HTTP_OK, error);
}

/* ---- making one ---- */

static vt_status read_scopes(const vt_json *list, unsigned *out, vt_error *error)
{
    unsigned all = 0;
    if (vt_json_kind_of(list) != VT_JSON_ARRAY)
        return vt_fail(error, VT_ERR_USAGE, "read the key: \"scopes\" is no list");
    for (size_t i = 0; i < vt_json_count(list); i++) {
        unsigned one = 0;
        vt_status status = vt_scopes_parse(vt_json_text(vt_json_at(list, i), ""), &one, error);
        if (status != VT_OK)
            return status;
        all |= one;
    }
    if (all == 0)
        return vt_fail(error, VT_ERR_USAGE, "read the key: it has no scope");
    *out = all;
    return VT_OK;
}

static vt_status read_number(const vt_json *value, const char *name, double maximum, double *out,
                             vt_error *error)
{
    double number = vt_json_number(value, -1.0);
    if (!(number > 0.0 && number <= maximum))
        return vt_fail(error, VT_ERR_USAGE, "read the key: \"%s\" is no number above 0 to %g", name,
                       maximum);
    *out = number;
    return VT_OK;
}

static vt_status read_member(const char *name, const vt_json *value, vt_key *out, vt_error *error)
{
    double days = 0.0;
    vt_status status = VT_OK;
    if (strcmp(name, "name") == 0) {
        const char *text = vt_json_text(value, NULL);
        if (text == NULL || strlen(text) >= sizeof(out->name))
            return vt_fail(error, VT_ERR_USAGE,
                           "read the key: \"name\" is no text of less than %d bytes",
                           VT_KEY_NAME_BYTES);
        snprintf(out->name, sizeof(out->name), "%s", text);
    } else if (strcmp(name, "scopes") == 0) {
        status = read_scopes(value, &out->scopes, error);
    } else if (strcmp(name, "rate") == 0) {
        status = read_number(value, name, rate_maximum, &out->rate, error);
    } else if (strcmp(name, "expires_days") == 0) {
        status = read_number(value, name, DAYS_MAXIMUM, &days, error);
        out->expires_s = vt_clock_unix_ms() / 1000 + (int64_t)(days * SECONDS_PER_DAY);
    } else {
        status = vt_fail(error, VT_ERR_USAGE, "read the key: \"%.64s\" is not known", name);
    }
    return status;
}

static vt_status read_wanted(vt_request *request, vt_key *out, vt_error *error)
{
    vt_json *object = NULL;
    vt_status status = vt_body_json(request, &object, error);
    for (size_t i = 0; status == VT_OK && i < vt_json_count(object); i++) {
        const vt_json *value = NULL;
        const char *name = vt_json_key_at(object, i, &value);
        status = read_member(name, value, out, error);
    }
    vt_json_free(object);
    if (status == VT_OK && out->scopes == 0)
        status = vt_fail(error, VT_ERR_USAGE, "read the key: it has no scope");
    return status;
}

vt_status vt_answer_add_key(vt_request *request, vt_error *error)
{
    vt_server *server = request->server;
    vt_json_writer writer;
    vt_key wanted = {0};
    char text[VT_KEY_TEXT];
    vt_status status = read_wanted(request, &wanted, error);
    if (status == VT_OK && vt_keyring_count(server->keyring) == 0 &&
        (wanted.scopes & VT_SCOPE_ADMIN) == 0)
        status = vt_refuse(request, MHD_HTTP_CONFLICT, VT_ERR_DENIED, error,
                           "the first key must have the scope admin: from then on nobody without "
                           "one can make another");
    if (status == VT_OK)
        status = vt_keys_add(server->directory, &wanted, text, error);
    if (status != VT_OK)
        return status;
    vt_reply_begin(request, &writer);
    vt_json_put_text(&writer, "key", text);
    return vt_reply_end(request, &writer, MHD_HTTP_CREATED, error);
}

vt_status vt_answer_revoke_key(vt_request *request, vt_error *error)
{
    const char *id = request->routing.parameters[0];
    if (strcmp(id, request->key_id) == 0)
        return vt_refuse(request, MHD_HTTP_CONFLICT, VT_ERR_DENIED, error,
                         "a key does not take itself back: use another one");
    vt_status status = vt_keys_revoke(request->server->directory, id, error);
    if (status == VT_OK)
        request->http = MHD_HTTP_NO_CONTENT;
    return status;
}
