/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The guard in front of protobuf-c: wire format checked by the schema, unpacking on a budget.
 *
 * protobuf-c follows nested messages by recursion without a bound and turns two bytes into a
 * structure of hundreds. The check walks the same bytes with the schema's descriptors (Protocol
 * Buffers encoding specification) down to MAXIMUM_DEPTH; the budget allows AMPLIFICATION times the
 * bytes of the file, and GENEROUS bytes on top of four times for large ones.
 */
#include "nn/onnx_file.h"

#include "base/mem.h"

enum { MAXIMUM_DEPTH = 64, AMPLIFICATION = 64, ALIGNED_FROM = 256 };
static const size_t generous = (size_t)1 << 30;

static bool wire_varint(vt_wire *in, uint64_t *value)
{
    *value = 0;
    for (unsigned shift = 0; shift < 70 && in->at < in->end; shift += 7) {
        uint8_t byte = *in->at++;
        *value |= shift < 64 ? (uint64_t)(byte & 0x7f) << shift : 0;
        if (byte < 0x80)
            return true;
    }
    return false;
}

bool vt_wire_field(vt_wire *in, uint64_t *tag, vt_wire *body)
{
    uint64_t length = 0;
    *body = (vt_wire){0};
    if (!wire_varint(in, tag))
        return false;
    size_t left = (size_t)(in->end - in->at);
    switch (*tag & 7) {
    case 0:
        return wire_varint(in, &length);
    case 1:
        length = 8;
        break;
    case 5:
        length = 4;
        break;
    case 2:
        if (!wire_varint(in, &length))
            return false;
        left = (size_t)(in->end - in->at);
        if (length > left)
            return false;
        *body = (vt_wire){in->at, in->at + length};
        break;
    default:
        return false; /* groups are not in the schema */
    }
    if (length > left)
        return false;
    in->at += length;
    return true;
}

static vt_status message_check(vt_wire in, const ProtobufCMessageDescriptor *descriptor, int depth,
                               vt_error *error)
{
    if (depth > MAXIMUM_DEPTH)
        return vt_fail(error, VT_ERR_LIMIT, "read %s: nested deeper than %d levels",
                       descriptor->name, MAXIMUM_DEPTH);
    while (in.at < in.end) {
        uint64_t tag;
        vt_wire body;
        if (!vt_wire_field(&in, &tag, &body))
            return vt_fail(error, VT_ERR_FORMAT, "read %s: the file is truncated or no ONNX",
                           descriptor->name);
        if (body.at == NULL || tag >> 3 > UINT32_MAX)
            continue;
        const ProtobufCFieldDescriptor *field =
            protobuf_c_message_descriptor_get_field(descriptor, (unsigned)(tag >> 3));
        if (field == NULL || field->type != PROTOBUF_C_TYPE_MESSAGE)
            continue;
        vt_status status = message_check(body, field->descriptor, depth + 1, error);
        if (status != VT_OK)
            return status;
    }
    return VT_OK;
}

vt_status vt_onnx_scan(const void *bytes, size_t length,
                       const ProtobufCMessageDescriptor *descriptor, vt_error *error)
{
    if (length == 0)
        return vt_fail(error, VT_ERR_FORMAT, "read %s: the file is empty", descriptor->name);
    return message_check((vt_wire){bytes, (const uint8_t *)bytes + length}, descriptor, 0, error);
}

static void *budget_alloc(void *context, size_t bytes)
{
    vt_onnx_budget *budget = context;
    if (bytes > budget->left) {
        budget->exceeded = true;
        return NULL;
    }
    budget->left -= bytes;
    void *memory = bytes >= ALIGNED_FROM ? vt_alloc_aligned(64, bytes) : vt_alloc(bytes);
    budget->out_of_memory = budget->out_of_memory || memory == NULL;
    return memory;
}

static void budget_free(void *context, void *memory)
{
    (void)context;
    vt_free(memory);
}

void vt_onnx_budget_init(vt_onnx_budget *budget, size_t message_bytes)
{
    size_t many, few;
    if (!vt_size_mul(message_bytes, AMPLIFICATION, &many))
        many = SIZE_MAX / 2;
    if (!vt_size_mul(message_bytes, 4, &few) || !vt_size_add(few, generous, &few))
        few = SIZE_MAX / 2;
    *budget = (vt_onnx_budget){.left = (many < few ? many : few) + ((size_t)1 << 16)};
    budget->allocator =
        (ProtobufCAllocator){.alloc = budget_alloc, .free = budget_free, .allocator_data = budget};
}

vt_status vt_onnx_unpack_failed(const vt_onnx_budget *budget, const char *what, vt_error *error)
{
    if (budget->out_of_memory)
        return vt_fail_memory(error, what);
    if (budget->exceeded)
        return vt_fail(error, VT_ERR_LIMIT, "read %s: it takes too much memory unpacked", what);
    return vt_fail(error, VT_ERR_FORMAT, "read %s: malformed", what);
}
