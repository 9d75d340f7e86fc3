/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Tensors from and to onnx.TensorProto.
 *
 * Numbers are either raw_data (little-endian, exactly as many bytes as the shape needs) or one of
 * the typed lists, chosen by type as the schema says: int32_data carries every type of up to 32
 * bits except u32 (f16 and bf16 as their bits), uint64_data carries u32 and u64. Written tensors
 * use raw_data.
 */
#include "nn/onnx_file.h"

#include "base/mem.h"

#include <stdio.h>
#include <string.h>

/* Smaller tensors are not worth a page of the file. */
enum { BORROWED_FROM = 64 << 10 };

void vt_tensor_settle(vt_tensor *tensor)
{
    if (tensor->dtype == VT_BOOL)
        for (size_t i = 0; i < tensor->bytes; i++)
            ((uint8_t *)tensor->data)[i] = ((uint8_t *)tensor->data)[i] != 0;
#if __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
    size_t size = vt_dtype_bytes(tensor->dtype);
    uint8_t *bytes = tensor->data;
    for (size_t i = 0; size > 1 && i < tensor->bytes; i += size)
        for (size_t k = 0; k < size / 2; k++) {
            uint8_t byte = bytes[i + k];
            bytes[i + k] = bytes[i + size - 1 - k];
            bytes[i + size - 1 - k] = byte;
        }
#endif
}

vt_status vt_tensor_proto_head(const Onnx__TensorProto *proto, vt_dtype *dtype, vt_shape *shape,
                               vt_error *error)
{
    vt_shape result = {0};
    if (proto->data_type < 0 || proto->data_type > VT_BF16 ||
        vt_dtype_bytes((vt_dtype)proto->data_type) == 0)
        return vt_fail(error, VT_ERR_UNSUPPORTED, "element type %d is not supported",
                       (int)proto->data_type);
    if (proto->n_dims > VT_MAX_RANK)
        return vt_fail(error, VT_ERR_UNSUPPORTED, "%zu dimensions, at most %d are supported",
                       proto->n_dims, VT_MAX_RANK);
    if (proto->segment != NULL)
        return vt_fail(error, VT_ERR_UNSUPPORTED, "tensors in segments are not supported");
    for (size_t i = 0; i < proto->n_dims; i++) {
        if (proto->dims[i] < 0)
            return vt_fail(error, VT_ERR_FORMAT, "dimension %zu is %lld", i,
                           (long long)proto->dims[i]);
        result.dims[result.rank++] = proto->dims[i];
    }
    *dtype = (vt_dtype)proto->data_type;
    *shape = result;
    return VT_OK;
}

/* How many numbers the list for this type has. */
static size_t list_count(const Onnx__TensorProto *proto, vt_dtype dtype)
{
    switch (dtype) {
    case VT_F32:
        return proto->n_float_data;
    case VT_F64:
        return proto->n_double_data;
    case VT_I64:
        return proto->n_int64_data;
    case VT_U32:
    case VT_U64:
        return proto->n_uint64_data;
    default:
        return proto->n_int32_data;
    }
}

static void list_copy(const Onnx__TensorProto *proto, size_t count, vt_tensor *out)
{
    switch (out->dtype) {
    case VT_F32:
        memcpy(out->data, proto->float_data, out->bytes);
        break;
    case VT_F64:
        memcpy(out->data, proto->double_data, out->bytes);
        break;
    case VT_I64:
        memcpy(out->data, proto->int64_data, out->bytes);
        break;
    case VT_U32:
    case VT_U64:
        for (size_t i = 0; i < count; i++)
            vt_store_i64(out->dtype, out->data, i, 1, (const int64_t *)&proto->uint64_data[i]);
        break;
    case VT_F16:
    case VT_BF16:
        for (size_t i = 0; i < count; i++)
            ((uint16_t *)out->data)[i] = (uint16_t)proto->int32_data[i];
        break;
    default:
        for (size_t i = 0; i < count; i++) {
            int64_t value = proto->int32_data[i];
            vt_store_i64(out->dtype, out->data, i, 1, &value);
        }
        break;
    }
}

vt_status vt_tensor_from_bytes(const uint8_t *data, bool lasting, bool aligned,
                               size_t maximum_bytes, vt_tensor *out, vt_error *error)
{
    bool little = __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__;
    bool fits = !aligned || (uintptr_t)data % vt_dtype_bytes(out->dtype) == 0;
    if (lasting && little && fits && out->dtype != VT_BOOL && out->bytes >= BORROWED_FROM) {
        out->data = (void *)(uintptr_t)data; /* never written through */
        out->owned = false;
        return VT_OK;
    }
    vt_tensor tensor;
    vt_status status = vt_tensor_init(&tensor, out->dtype, &out->shape, maximum_bytes, error);
    if (status != VT_OK)
        return status;
    if (tensor.bytes > 0)
        memcpy(tensor.data, data, tensor.bytes);
    vt_tensor_settle(&tensor);
    *out = tensor;
    return VT_OK;
}

/* *out comes with its type, shape and `bytes`. */
static vt_status raw_take(Onnx__TensorProto *proto, size_t maximum_bytes, vt_tensor *out,
                          vt_error *error)
{
    if (proto->raw_data.len != out->bytes)
        return vt_fail(error, VT_ERR_FORMAT, "raw data of %zu bytes, its shape needs %zu",
                       proto->raw_data.len, out->bytes);
    if ((uintptr_t)proto->raw_data.data % 64 != 0 || proto->raw_data.len == 0)
        return vt_tensor_from_bytes(proto->raw_data.data, false, true, maximum_bytes, out, error);
    out->data = proto->raw_data.data;
    out->owned = true;
    proto->raw_data = (ProtobufCBinaryData){0};
    vt_tensor_settle(out);
    return VT_OK;
}

/* Type, shape and size, within bounds. */
static vt_status proto_measure(const Onnx__TensorProto *proto, size_t maximum_bytes,
                               vt_tensor *head, size_t *count, vt_error *error)
{
    if (vt_onnx_is_external(proto))
        return vt_fail(error, VT_ERR_DENIED, "its data lies in another file");
    vt_status status = vt_tensor_proto_head(proto, &head->dtype, &head->shape, error);
    if (status != VT_OK)
        return status;
    if (!vt_shape_count(&head->shape, count) ||
        !vt_size_mul(*count, vt_dtype_bytes(head->dtype), &head->bytes) ||
        (maximum_bytes != 0 && head->bytes > maximum_bytes))
        return vt_fail(error, VT_ERR_LIMIT, "its dimensions are over the limit");
    return VT_OK;
}

static vt_status list_take(const Onnx__TensorProto *proto, size_t count, size_t maximum_bytes,
                           vt_tensor *head, vt_error *error)
{
    if (list_count(proto, head->dtype) != count)
        return vt_fail(error, VT_ERR_FORMAT, "%zu numbers, its shape needs %zu",
                       list_count(proto, head->dtype), count);
    vt_status status = vt_tensor_init(head, head->dtype, &head->shape, maximum_bytes, error);
    if (status == VT_OK && count > 0)
        list_copy(proto, count, head);
    return status;
}

/* Takes raw_data out of `proto` where it can, so proto must come from the budget's allocator. */
static vt_status tensor_from_proto(Onnx__TensorProto *proto, size_t maximum_bytes, vt_tensor *out,
                                   vt_error *error)
{
    vt_tensor head = {0};
    size_t count = 0;
    vt_status status = proto_measure(proto, maximum_bytes, &head, &count, error);
    if (status == VT_OK)
        status = proto->has_raw_data ? raw_take(proto, maximum_bytes, &head, error)
                                     : list_take(proto, count, maximum_bytes, &head, error);
    if (status == VT_OK)
        *out = head;
    return status;
}

vt_status vt_tensor_from_skeleton(const Onnx__TensorProto *proto, vt_onnx_source *source,
                                  bool aligned, size_t maximum_bytes, vt_tensor *out,
                                  vt_error *error)
{
    vt_tensor head = {0};
    size_t count = 0, offset, length;
    vt_status status = proto_measure(proto, maximum_bytes, &head, &count, error);
    if (status != VT_OK)
        return status;
    if (!proto->has_raw_data) {
        status = list_take(proto, count, maximum_bytes, &head, error);
    } else if (!vt_onnx_skeleton_record(proto->raw_data, &offset, &length) ||
               offset > source->length || length > source->length - offset) {
        return vt_fail(error, VT_ERR_FORMAT, "its raw data is not where it should be");
    } else if (length != head.bytes) {
        return vt_fail(error, VT_ERR_FORMAT, "raw data of %zu bytes, its shape needs %zu", length,
                       head.bytes);
    } else {
        status = vt_tensor_from_bytes(source->bytes + offset, source->lasting, aligned,
                                      maximum_bytes, &head, error);
        source->lent = source->lent || (status == VT_OK && !head.owned && length > 0);
    }
    if (status == VT_OK)
        *out = head;
    return status;
}

vt_status vt_tensor_read_pb(const void *bytes, size_t length, vt_tensor *out, char name[256],
                            vt_error *error)
{
    vt_onnx_budget budget;
    vt_status status = vt_onnx_scan(bytes, length, &onnx__tensor_proto__descriptor, error);
    if (status != VT_OK)
        return status;
    vt_onnx_budget_init(&budget, length);
    Onnx__TensorProto *proto = onnx__tensor_proto__unpack(&budget.allocator, length, bytes);
    if (proto == NULL)
        return vt_onnx_unpack_failed(&budget, "a tensor", error);
    status = tensor_from_proto(proto, 0, out, error);
    if (status == VT_OK && name != NULL)
        snprintf(name, 256, "%s", proto->name == NULL ? "" : proto->name);
    if (status != VT_OK)
        vt_fail_context(error, status, "read tensor \"%.100s\"",
                        proto->name == NULL ? "" : proto->name);
    onnx__tensor_proto__free_unpacked(proto, &budget.allocator);
    return status;
}

vt_status vt_tensor_write_pb(const vt_tensor *tensor, const char *name, vt_buf *out,
                             vt_error *error)
{
    Onnx__TensorProto proto = ONNX__TENSOR_PROTO__INIT;
    int64_t dims[VT_MAX_RANK];
    vt_tensor copy;
    if (vt_dtype_bytes(tensor->dtype) == 0 || !vt_shape_known(&tensor->shape))
        return vt_fail(error, VT_ERR_USAGE, "write a tensor: it has no numbers");
    vt_status status = vt_tensor_dup(tensor, &copy, error);
    if (status != VT_OK)
        return status;
    vt_tensor_settle(&copy);
    memcpy(dims, tensor->shape.dims, sizeof(dims));
    proto.n_dims = (size_t)tensor->shape.rank;
    proto.dims = dims;
    proto.has_data_type = true;
    proto.data_type = (int32_t)tensor->dtype;
    proto.name = (char *)(uintptr_t)(name == NULL ? "" : name);
    proto.has_raw_data = true;
    proto.raw_data = (ProtobufCBinaryData){.len = copy.bytes, .data = copy.data};
    size_t bytes = onnx__tensor_proto__get_packed_size(&proto);
    if (vt_buf_reserve(out, bytes))
        out->length += onnx__tensor_proto__pack(&proto, (uint8_t *)out->data + out->length);
    else if (bytes > out->maximum || out->length > out->maximum - bytes)
        status = vt_fail(error, VT_ERR_LIMIT, "write a tensor: %zu bytes do not fit", bytes);
    else
        status = vt_fail_memory(error, "a written tensor");
    if (status == VT_OK)
        out->data[out->length] = '\0';
    vt_tensor_deinit(&copy);
    return status;
}
