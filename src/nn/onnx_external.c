/* SPDX-License-Identifier: Apache-2.0 */
/*
 * External data: weights in a file beside the model, named by a location relative to its directory.
 *
 * The location must resolve, with symbolic links followed, to a file inside that directory
 * (vt_path_inside); offset and length must lie inside that file; the length must be what the shape
 * needs. Files stay mapped with the graph, because weights may stay in them: usually there is one,
 * some exporters make one per weight, and a model cannot have more than FILE_MAXIMUM.
 */
#include "nn/onnx_file.h"

#include "base/mem.h"

#include <string.h>

/* Finding one is linear, and each takes one of the mappings that a process can have. */
enum { FILE_MAXIMUM = 8192 };

bool vt_onnx_is_external(const Onnx__TensorProto *proto)
{
    return proto->has_data_location &&
           proto->data_location == ONNX__TENSOR_PROTO__DATA_LOCATION__EXTERNAL;
}

void vt_onnx_external_close(vt_onnx_external *external)
{
    for (size_t i = 0; i < external->file_count; i++)
        vt_free(external->locations[i]);
    vt_free(external->locations);
    *external = (vt_onnx_external){0};
}

static const char *external_entry(const Onnx__TensorProto *proto, const char *key)
{
    for (size_t i = 0; i < proto->n_external_data; i++)
        if (vt_text_equal(proto->external_data[i]->key, key))
            return proto->external_data[i]->value;
    return NULL;
}

static vt_status external_map(vt_onnx_external *external, const char *location, vt_error *error)
{
    char *path = NULL;
    vt_mapping mapping;
    void *locations = external->locations;
    if (external->file_count >= FILE_MAXIMUM)
        return vt_fail(error, VT_ERR_LIMIT, "external data in more than %d files", FILE_MAXIMUM);
    vt_status status = vt_path_inside(external->directory, location, &path, error);
    if (status != VT_OK)
        return status;
    char *copy = vt_strdup(location);
    if (copy == NULL || !vt_grow(&locations, &external->file_capacity, external->file_count + 1,
                                 sizeof(*external->locations), FILE_MAXIMUM))
        status = vt_fail_memory(error, "a path");
    else
        external->locations = locations;
    if (status == VT_OK)
        status = vt_mapping_open(path, external->graph->limits.file_bytes, &mapping, error);
    if (status == VT_OK) {
        if (external->file_count == 0)
            external->first_mapping = external->graph->mapping_count;
        status = vt_graph_keep_mapping(external->graph, &mapping, error);
    }
    if (status == VT_OK)
        external->locations[external->file_count++] = copy;
    else
        vt_free(copy);
    vt_free(path);
    return status;
}

static vt_status external_open(vt_onnx_external *external, const char *location,
                               const vt_mapping **out, vt_error *error)
{
    size_t i = external->file_count; /* weights of one file mostly follow each other */
    while (i > 0 && strcmp(external->locations[i - 1], location) != 0)
        i--;
    vt_status status = VT_OK;
    if (i == 0) {
        status = external_map(external, location, error);
        i = external->file_count;
    }
    if (status == VT_OK)
        *out = &external->graph->mappings[external->first_mapping + i - 1];
    return status;
}

/* Where its numbers lie in that file; external->directory has been checked. */
static vt_status external_find(const Onnx__TensorProto *proto, const vt_mapping *mapping,
                               const char *location, size_t bytes, const uint8_t **out,
                               vt_error *error)
{
    int64_t offset = 0, length = -1;
    const char *offset_text = external_entry(proto, "offset");
    const char *length_text = external_entry(proto, "length");
    if ((offset_text != NULL && !vt_parse_int(offset_text, 0, INT64_MAX, &offset)) ||
        (length_text != NULL && !vt_parse_int(length_text, 0, INT64_MAX, &length)))
        return vt_fail(error, VT_ERR_FORMAT, "external data with a malformed offset or length");
    if (length >= 0 && (uint64_t)length != bytes)
        return vt_fail(error, VT_ERR_FORMAT, "external data of %lld bytes, its shape needs %zu",
                       (long long)length, bytes);
    if ((uint64_t)offset > mapping->length || bytes > mapping->length - (size_t)offset)
        return vt_fail(error, VT_ERR_FORMAT, "external data reaches beyond the end of \"%.100s\"",
                       location);
    *out = mapping->bytes == NULL ? NULL : mapping->bytes + offset;
    return VT_OK;
}

vt_status vt_onnx_external_read(vt_onnx_external *external, const Onnx__TensorProto *proto,
                                bool aligned, vt_tensor *out, vt_error *error)
{
    vt_tensor tensor = {0};
    const vt_mapping *mapping = NULL;
    const uint8_t *data = NULL;
    size_t maximum = external->graph->limits.tensor_bytes, count;
    const char *location = external_entry(proto, "location");
    if (location == NULL || location[0] == '\0')
        return vt_fail(error, VT_ERR_FORMAT, "external data without a location");
    if (external->directory == NULL)
        return vt_fail(error, VT_ERR_DENIED,
                       "external data \"%.100s\": only models opened from a file may have it",
                       location);
    vt_status status = vt_tensor_proto_head(proto, &tensor.dtype, &tensor.shape, error);
    if (status == VT_OK && (!vt_shape_count(&tensor.shape, &count) ||
                            !vt_size_mul(count, vt_dtype_bytes(tensor.dtype), &tensor.bytes) ||
                            tensor.bytes > maximum))
        status = vt_fail(error, VT_ERR_LIMIT, "its dimensions are over the limit");
    if (status == VT_OK)
        status = external_open(external, location, &mapping, error);
    if (status == VT_OK)
        status = external_find(proto, mapping, location, tensor.bytes, &data, error);
    if (status == VT_OK)
        status = vt_tensor_from_bytes(data, true, aligned, maximum, &tensor, error);
    if (status == VT_OK)
        *out = tensor;
    return status;
}
