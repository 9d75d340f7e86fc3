/* SPDX-License-Identifier: Apache-2.0 */
/*
 * External data: weights in a file beside the model, named by a location relative to its directory.
 *
 * The location must resolve, with symbolic links followed, to a file inside that directory
 * (vt_path_inside); offset and length must lie inside that file; the length must be what the shape
 * needs. Models usually keep all weights in one file, so the newest one stays mapped.
 */
#include "nn/onnx_file.h"

#include "base/mem.h"

#include <string.h>

bool vt_onnx_is_external(const Onnx__TensorProto *proto)
{
    return proto->has_data_location &&
           proto->data_location == ONNX__TENSOR_PROTO__DATA_LOCATION__EXTERNAL;
}

void vt_onnx_external_close(vt_onnx_external *external)
{
    if (external->location != NULL)
        vt_mapping_close(&external->mapping);
    vt_free(external->location);
    external->location = NULL;
}

static const char *external_entry(const Onnx__TensorProto *proto, const char *key)
{
    for (size_t i = 0; i < proto->n_external_data; i++)
        if (vt_text_equal(proto->external_data[i]->key, key))
            return proto->external_data[i]->value;
    return NULL;
}

static vt_status external_open(vt_onnx_external *external, const char *location, vt_error *error)
{
    char *path = NULL, *copy;
    if (vt_text_equal(external->location, location))
        return VT_OK;
    vt_onnx_external_close(external);
    vt_status status = vt_path_inside(external->directory, location, &path, error);
    if (status != VT_OK)
        return status;
    copy = vt_strdup(location);
    if (copy == NULL)
        status = vt_fail_memory(error, "a path");
    if (status == VT_OK)
        status = vt_mapping_open(path, external->file_bytes, &external->mapping, error);
    if (status == VT_OK)
        external->location = copy;
    else
        vt_free(copy);
    vt_free(path);
    return status;
}

vt_status vt_onnx_external_read(vt_onnx_external *external, const Onnx__TensorProto *proto,
                                size_t maximum_bytes, vt_tensor *out, vt_error *error)
{
    vt_tensor tensor = {0};
    int64_t offset = 0, length = -1;
    const char *location = external_entry(proto, "location");
    const char *offset_text = external_entry(proto, "offset");
    const char *length_text = external_entry(proto, "length");
    if (location == NULL || location[0] == '\0')
        return vt_fail(error, VT_ERR_FORMAT, "external data without a location");
    if (external->directory == NULL)
        return vt_fail(error, VT_ERR_DENIED,
                       "external data \"%.100s\": only models opened from a file may have it",
                       location);
    if ((offset_text != NULL && !vt_parse_int(offset_text, 0, INT64_MAX, &offset)) ||
        (length_text != NULL && !vt_parse_int(length_text, 0, INT64_MAX, &length)))
        return vt_fail(error, VT_ERR_FORMAT, "external data with a malformed offset or length");
    vt_status status = vt_tensor_proto_head(proto, &tensor.dtype, &tensor.shape, error);
    if (status == VT_OK)
        status = external_open(external, location, error);
    if (status == VT_OK)
        status = vt_tensor_init(&tensor, tensor.dtype, &tensor.shape, maximum_bytes, error);
    if (status != VT_OK)
        return status;
    if (length >= 0 && (uint64_t)length != tensor.bytes)
        status = vt_fail(error, VT_ERR_FORMAT, "external data of %lld bytes, its shape needs %zu",
                         (long long)length, tensor.bytes);
    else if ((uint64_t)offset > external->mapping.length ||
             tensor.bytes > external->mapping.length - (size_t)offset)
        status = vt_fail(error, VT_ERR_FORMAT, "external data reaches beyond the end of \"%.100s\"",
                         location);
    else if (tensor.bytes > 0)
        memcpy(tensor.data, external->mapping.bytes + offset, tensor.bytes);
    if (status != VT_OK) {
        vt_tensor_deinit(&tensor);
        return status;
    }
    vt_tensor_settle(&tensor);
    *out = tensor;
    return VT_OK;
}
