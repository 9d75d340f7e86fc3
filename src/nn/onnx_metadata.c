/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Metadata into ONNX files: the file is unpacked, one entry of metadata_props set, and packed again.
 * protobuf-c keeps fields it does not know, so a file of a newer schema survives the round trip.
 */
#include "base/mem.h"
#include "nn/model.h"

#include "onnx.pb-c.h"

#include <string.h>

/* Room for the growth that one entry brings; the packed size is checked against the buffer. */
static vt_status repack(const Onnx__ModelProto *model, vt_buf *file, vt_error *error)
{
    size_t bytes = onnx__model_proto__get_packed_size(model);
    vt_buf packed;
    vt_buf_init(&packed, bytes);
    if (!vt_buf_reserve(&packed, bytes)) {
        vt_buf_deinit(&packed);
        return vt_fail_memory(error, "the model file");
    }
    packed.length = onnx__model_proto__pack(model, (uint8_t *)packed.data);
    vt_buf_clear(file);
    bool kept = vt_buf_append(file, packed.data, packed.length);
    vt_buf_deinit(&packed);
    return kept ? VT_OK : vt_fail_memory(error, "the model file");
}

vt_status vt_onnx_set_metadata(vt_buf *file, const char *key, const char *value, vt_error *error)
{
    Onnx__ModelProto *model =
        onnx__model_proto__unpack(NULL, file->length, (const uint8_t *)file->data);
    if (model == NULL)
        return vt_fail(error, VT_ERR_FORMAT, "set metadata \"%s\": not an ONNX file", key);
    /* The entry and the array live here and are taken out again before the model is freed. */
    Onnx__StringStringEntryProto entry = ONNX__STRING_STRING_ENTRY_PROTO__INIT;
    size_t count = model->n_metadata_props, kept = 0;
    Onnx__StringStringEntryProto **original = model->metadata_props;
    Onnx__StringStringEntryProto **props = vt_alloc_array(count + 1, sizeof(*props));
    vt_status status = props == NULL ? vt_fail_memory(error, "model metadata") : VT_OK;
    entry.key = vt_strdup(key);
    entry.value = vt_strdup(value);
    if (status == VT_OK && (entry.key == NULL || entry.value == NULL))
        status = vt_fail_memory(error, "model metadata");
    if (status == VT_OK) {
        for (size_t i = 0; i < count; i++)
            if (!vt_text_equal(original[i]->key, key))
                props[kept++] = original[i];
        props[kept++] = &entry;
        model->metadata_props = props;
        model->n_metadata_props = kept;
        status = repack(model, file, error);
        model->metadata_props = original;
        model->n_metadata_props = count;
    }
    vt_free(entry.key);
    vt_free(entry.value);
    vt_free(props);
    onnx__model_proto__free_unpacked(model, NULL);
    return status;
}
