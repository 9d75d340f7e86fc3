/* SPDX-License-Identifier: Apache-2.0 */
/* What a model file's metadata says about its classes. It is a stranger's text. */
#include "encoder/heads.h"

#include <string.h>

static const char single_output[] = "logits"; /* as our heads of classes call it */
enum { DEPTH = 5 };

static bool are_texts(const vt_json *labels)
{
    bool texts = vt_json_kind_of(labels) == VT_JSON_ARRAY && vt_json_count(labels) > 0;
    for (size_t i = 0; texts && i < vt_json_count(labels); i++)
        texts = vt_json_kind_of(vt_json_at(labels, i)) == VT_JSON_TEXT;
    return texts;
}

static bool read_head(const vt_model *model, const vt_json *entry, vt_model_head *out)
{
    const vt_json *labels = vt_json_get(entry, "labels");
    const char *name = vt_json_text(vt_json_get(entry, "name"), "");
    const char *output = vt_json_text(vt_json_get(entry, "output"), NULL);
    if (name[0] == '\0' || !are_texts(labels))
        return false;
    *out = (vt_model_head){.name = name,
                           .labels = labels,
                           .label_count = vt_json_count(labels),
                           .several = vt_json_bool(vt_json_get(entry, "several"), false)};
    if (output != NULL && vt_model_has_value(model, output))
        out->output = output;
    return true;
}

static void read_heads(const vt_model *model, vt_model_heads *out)
{
    size_t count = vt_json_kind_of(out->json) == VT_JSON_ARRAY ? vt_json_count(out->json) : 0;
    for (size_t i = 0; i < count; i++) {
        vt_model_head one;
        if (out->count == VT_MODEL_HEADS_MAX || !read_head(model, vt_json_at(out->json, i), &one) ||
            vt_model_heads_find(out, one.name) != NULL) {
            out->count = 0;
            return;
        }
        out->items[out->count++] = one;
    }
}

/* *out NULL: there is no such text, or none that can be read. */
static vt_status parse(const vt_model *model, const char *key, vt_json **out, vt_error *error)
{
    const char *text = vt_model_metadata(model, key);
    *out = NULL;
    vt_status status = text != NULL ? vt_json_parse(text, strlen(text), DEPTH, out, error) : VT_OK;
    return status == VT_ERR_NO_MEMORY ? status : VT_OK;
}

vt_status vt_model_heads_read(const vt_model *model, vt_model_heads *out, vt_error *error)
{
    *out = (vt_model_heads){0};
    vt_status status = parse(model, VT_METADATA_HEADS, &out->json, error);
    if (status != VT_OK || vt_json_count(out->json) > 0) {
        if (status == VT_OK)
            read_heads(model, out);
        return status;
    }
    vt_json_free(out->json); /* an empty list */
    status = parse(model, VT_METADATA_LABELS, &out->json, error);
    if (status == VT_OK && are_texts(out->json)) {
        bool scored = vt_model_has_value(model, single_output);
        out->items[out->count++] = (vt_model_head){"", scored ? single_output : NULL, out->json,
                                                   vt_json_count(out->json), false};
    }
    return status;
}

void vt_model_heads_deinit(vt_model_heads *heads)
{
    vt_json_free(heads->json);
    *heads = (vt_model_heads){0};
}

const vt_model_head *vt_model_heads_find(const vt_model_heads *heads, const char *name)
{
    for (size_t h = 0; h < heads->count; h++)
        if (strcmp(heads->items[h].name, name) == 0)
            return &heads->items[h];
    return NULL;
}
