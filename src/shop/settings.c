/* SPDX-License-Identifier: Apache-2.0 */
/* vitrine.json: which encoder a shop uses. Format in docs/formats/shop.md. */
#include "shop/shop.h"

#include "base/file.h"
#include "base/json.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

enum { SETTINGS_FORMAT = 1, SETTINGS_BYTES = 1 << 16 };

static vt_status copy_text(const vt_json *json, const char *member, char *out, size_t capacity,
                           vt_error *error)
{
    const char *text = vt_json_text(vt_json_get(json, member), NULL);
    if (text == NULL || text[0] == '\0' || strlen(text) >= capacity)
        return vt_fail(error, VT_ERR_CORRUPT, "\"encoder.%s\" is missing or too long", member);
    memcpy(out, text, strlen(text) + 1);
    return VT_OK;
}

static void copy_optional(const vt_json *json, const char *member, char *out, size_t capacity)
{
    snprintf(out, capacity, "%s", vt_json_text(vt_json_get(json, member), ""));
}

/* Both members came later than the format: without them a shop asks for auto and knows nothing. A
 * noted verdict that makes no sense is as good as none. */
static vt_status parse_precision(const vt_json *encoder, vt_settings *out, vt_error *error)
{
    const char *wish = vt_json_text(vt_json_get(encoder, "precision"), "auto");
    const vt_json *noted = vt_json_get(encoder, "auto");
    if (!vt_precision_parse(wish, &out->precision))
        return vt_fail(error, VT_ERR_UNSUPPORTED,
                       "\"encoder.precision\" is \"%.40s\", this program knows f32, bf16, int8 and "
                       "auto",
                       wish);
    out->verdict = (vt_precision_verdict){.similarity = NAN};
    if (!vt_precision_parse(vt_json_text(vt_json_get(noted, "precision"), ""),
                            &out->verdict.precision) ||
        out->verdict.precision == VT_PRECISION_AUTO)
        return VT_OK;
    out->verdict.similarity = vt_json_number(vt_json_get(noted, "similarity"), NAN);
    copy_optional(noted, "refused", out->verdict.refused, sizeof(out->verdict.refused));
    copy_optional(noted, "machine", out->machine, sizeof(out->machine));
    copy_optional(noted, "program", out->program, sizeof(out->program));
    return VT_OK;
}

static vt_status parse(const vt_json *json, vt_settings *out, vt_error *error)
{
    char fingerprint[VT_HASH_HEX];
    double format = vt_json_number(vt_json_get(json, "format"), 0.0);
    if (format == 0.0)
        return vt_fail(error, VT_ERR_CORRUPT, "\"format\" is missing");
    if (format != (double)SETTINGS_FORMAT)
        return vt_fail(error, VT_ERR_UNSUPPORTED, "format %g, this program knows %d", format,
                       SETTINGS_FORMAT);
    const vt_json *encoder = vt_json_get(json, "encoder");
    vt_status status = copy_text(encoder, "source", out->source, sizeof(out->source), error);
    if (status == VT_OK)
        status = copy_text(encoder, "name", out->name, sizeof(out->name), error);
    if (status == VT_OK)
        status = copy_text(encoder, "fingerprint", fingerprint, sizeof(fingerprint), error);
    if (status == VT_OK && !vt_unhex(fingerprint, out->fingerprint.bytes, VT_HASH_BYTES))
        status = vt_fail(error, VT_ERR_CORRUPT, "\"encoder.fingerprint\" is no hash");
    double dimension = vt_json_number(vt_json_get(encoder, "dimension"), 0.0);
    if (status == VT_OK && !(dimension >= 1.0 && dimension <= (double)VT_STORE_MAX_DIM))
        status = vt_fail(error, VT_ERR_CORRUPT, "\"encoder.dimension\" is not from 1 to %d",
                         VT_STORE_MAX_DIM);
    if (status == VT_OK)
        out->dimension = (size_t)dimension;
    return status == VT_OK ? parse_precision(encoder, out, error) : status;
}

vt_status vt_settings_read(const char *directory, vt_settings *out, vt_error *error)
{
    char *path = vt_path_join(directory, "vitrine.json");
    if (path == NULL)
        return vt_fail_memory(error, "a path");
    vt_buf text;
    vt_buf_init(&text, SETTINGS_BYTES);
    vt_json *json = NULL;
    vt_settings settings = {0};
    vt_status status;
    if (!vt_dir_exists(directory))
        status =
            vt_fail(error, VT_ERR_NOT_FOUND,
                    "open shop \"%s\": no such directory; make one with 'vitrine init'", directory);
    else if (!vt_file_exists(path))
        status = vt_fail(error, VT_ERR_NOT_FOUND,
                         "open shop \"%s\": not a shop, it has no vitrine.json; make one with "
                         "'vitrine init'",
                         directory);
    else
        status = vt_file_read(path, SETTINGS_BYTES, &text, error);
    if (status == VT_OK) {
        status = vt_json_parse(vt_buf_text(&text), text.length, 8, &json, error);
        if (status == VT_OK)
            status = parse(json, &settings, error);
        /* Nobody but vitrine writes this file. */
        if (status == VT_ERR_FORMAT || status == VT_ERR_LIMIT) {
            status = VT_ERR_CORRUPT;
            if (error != NULL)
                error->status = status;
        }
        if (status != VT_OK)
            vt_fail_context(error, status, "read settings \"%s\"", path);
    }
    vt_json_free(json);
    vt_buf_deinit(&text);
    vt_free(path);
    if (status == VT_OK)
        *out = settings;
    return status;
}

static void put_precision(vt_json_writer *writer, const vt_settings *settings)
{
    vt_json_put_text(writer, "precision", vt_precision_name(settings->precision));
    if (settings->machine[0] == '\0')
        return;
    vt_json_open_object(writer, "auto");
    vt_json_put_text(writer, "precision", vt_precision_name(settings->verdict.precision));
    vt_json_put_number(writer, "similarity", settings->verdict.similarity, 6);
    vt_json_put_text(writer, "refused", settings->verdict.refused);
    vt_json_put_text(writer, "machine", settings->machine);
    vt_json_put_text(writer, "program", settings->program);
    vt_json_close(writer);
}

vt_status vt_settings_write(const char *directory, const vt_settings *settings, vt_error *error)
{
    char *path = vt_path_join(directory, "vitrine.json");
    if (path == NULL)
        return vt_fail_memory(error, "a path");
    vt_buf text;
    vt_buf_init(&text, SETTINGS_BYTES);
    vt_json_writer writer;
    char fingerprint[VT_HASH_HEX];
    vt_hash_hex(&settings->fingerprint, fingerprint);
    vt_json_begin(&writer, &text, true);
    vt_json_open_object(&writer, NULL);
    vt_json_put_int(&writer, "format", SETTINGS_FORMAT);
    vt_json_open_object(&writer, "encoder");
    vt_json_put_text(&writer, "source", settings->source);
    vt_json_put_text(&writer, "name", settings->name);
    vt_json_put_int(&writer, "dimension", (int64_t)settings->dimension);
    vt_json_put_text(&writer, "fingerprint", fingerprint);
    put_precision(&writer, settings);
    vt_json_close(&writer);
    vt_json_close(&writer);
    vt_buf_append_char(&text, '\n');
    vt_status status = text.failed ? vt_fail_memory(error, "the settings")
                                   : vt_file_replace(path, text.data, text.length, true, error);
    vt_buf_deinit(&text);
    vt_free(path);
    return status;
}
