/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Metadata into ONNX files: the file is unpacked, one entry of metadata_props set, and packed
 * again. protobuf-c keeps fields it does not know, so a file of a newer schema survives the round
 * trip.
 */
#include "nn/onnx_file.h"

#include "base/mem.h"

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
    /* Room first, so that a failure leaves the file as it was. */
    vt_status status = VT_OK;
    if (packed.length > file->maximum)
        status = vt_fail(error, VT_ERR_LIMIT, "set metadata: %zu bytes do not fit", packed.length);
    else if (packed.length > file->length && !vt_buf_reserve(file, packed.length - file->length)) {
        file->failed = false; /* it holds what it held */
        status = vt_fail_memory(error, "the model file");
    }
    if (status == VT_OK) {
        vt_buf_clear(file);
        vt_buf_append(file, packed.data, packed.length);
    }
    vt_buf_deinit(&packed);
    return status;
}

vt_status vt_onnx_set_metadata(vt_buf *file, const char *key, const char *value, vt_error *error)
{
    vt_onnx_budget budget;
    vt_status status =
        vt_onnx_scan(file->data, file->length, &onnx__model_proto__descriptor, error);
    if (status != VT_OK)
        return vt_fail_context(error, status, "set metadata \"%s\"", key);
    vt_onnx_budget_init(&budget, file->length);
    Onnx__ModelProto *model =
        onnx__model_proto__unpack(&budget.allocator, file->length, (const uint8_t *)file->data);
    if (model == NULL) {
        status = vt_onnx_unpack_failed(&budget, "the model", error);
        return vt_fail_context(error, status, "set metadata \"%s\"", key);
    }
    /* The entry and the array live here and are taken out again before the model is freed. */
    Onnx__StringStringEntryProto entry = ONNX__STRING_STRING_ENTRY_PROTO__INIT;
    size_t count = model->n_metadata_props, kept = 0;
    Onnx__StringStringEntryProto **original = model->metadata_props;
    Onnx__StringStringEntryProto **props = vt_alloc_array(count + 1, sizeof(*props));
    status = props == NULL ? vt_fail_memory(error, "model metadata") : VT_OK;
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
    onnx__model_proto__free_unpacked(model, &budget.allocator);
    return status;
}
