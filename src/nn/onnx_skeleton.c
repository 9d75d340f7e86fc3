/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A model file without its weights: what protobuf-c gets to unpack, so that the weights are neither
 * read nor copied to learn about the rest.
 *
 * Method: the wire format (Protocol Buffers encoding specification) is walked along the few paths
 * on which tensors lie (graph: initialisers; graph and functions: attributes of nodes; functions:
 * defaults) and copied, with each raw_data on them replaced by a record of where its bytes are.
 * Lengths of the messages around become shorter, so a message is measured before it is copied; five
 * levels are measured five times at most. Everything beside these paths is copied as it is.
 */
#include "nn/onnx_file.h"

#include <string.h>

/* Offset and length in the file, in this machine's order: the record never leaves the process. */
typedef struct cut_record {
    uint64_t offset, length;
} cut_record;

typedef enum place { MODEL, GRAPH, FUNCTION, NODE, ATTRIBUTE, TENSOR, RAW, BESIDE } place;

/* Field numbers of the schema. */
typedef struct path {
    place from;
    uint64_t field;
    place to;
} path;

static const path paths[] = {
    {MODEL, 7, GRAPH},    {MODEL, 25, FUNCTION},  {GRAPH, 1, NODE},
    {GRAPH, 5, TENSOR},   {FUNCTION, 7, NODE},    {FUNCTION, 11, ATTRIBUTE},
    {NODE, 5, ATTRIBUTE}, {ATTRIBUTE, 5, TENSOR}, {TENSOR, 9, RAW},
};

static place place_of(place from, uint64_t tag, const vt_wire *body)
{
    for (size_t i = 0; i < sizeof(paths) / sizeof(paths[0]) && body->at != NULL; i++)
        if (paths[i].from == from && paths[i].field == tag >> 3)
            return paths[i].to;
    return BESIDE;
}

static size_t varint_bytes(uint64_t value)
{
    size_t bytes = 1;
    for (; value > 127; value >>= 7)
        bytes++;
    return bytes;
}

static void varint_append(vt_buf *out, uint64_t value)
{
    for (; value > 127; value >>= 7)
        vt_buf_append_char(out, (char)(unsigned char)(128 | (value & 127)));
    vt_buf_append_char(out, (char)value);
}

/* Bytes of a field's tag: what lies between its start and its length. */
static size_t tag_bytes(const uint8_t *start)
{
    size_t bytes = 1;
    while (start[bytes - 1] >= 0x80)
        bytes++;
    return bytes;
}

/* Bytes of a message in the skeleton; false: malformed. */
static bool message_measure(vt_wire in, place at, size_t *bytes)
{
    *bytes = 0;
    while (in.at < in.end) {
        const uint8_t *start = in.at;
        uint64_t tag;
        vt_wire body;
        size_t inner = sizeof(cut_record);
        if (!vt_wire_field(&in, &tag, &body))
            return false;
        place to = place_of(at, tag, &body);
        if (to == BESIDE) {
            *bytes += (size_t)(in.at - start);
            continue;
        }
        if (to != RAW && !message_measure(body, to, &inner))
            return false;
        *bytes += tag_bytes(start) + varint_bytes(inner) + inner;
    }
    return true;
}

/* `in` has been measured, so it is well formed. */
static void message_copy(vt_wire in, place at, const uint8_t *file, vt_buf *out)
{
    while (in.at < in.end && !out->failed) {
        const uint8_t *start = in.at;
        uint64_t tag;
        vt_wire body;
        size_t inner;
        if (!vt_wire_field(&in, &tag, &body))
            return;
        place to = place_of(at, tag, &body);
        if (to == BESIDE) {
            vt_buf_append(out, start, (size_t)(in.at - start));
            continue;
        }
        vt_buf_append(out, start, tag_bytes(start));
        if (to == RAW) {
            cut_record cut = {(uint64_t)(body.at - file), (uint64_t)(body.end - body.at)};
            varint_append(out, sizeof(cut));
            vt_buf_append(out, &cut, sizeof(cut));
        } else if (message_measure(body, to, &inner)) {
            varint_append(out, inner);
            message_copy(body, to, file, out);
        }
    }
}

vt_status vt_onnx_skeleton(const void *bytes, size_t length, vt_buf *out, vt_error *error)
{
    vt_wire all = {bytes, (const uint8_t *)bytes + length};
    size_t needed;
    if (!message_measure(all, MODEL, &needed))
        return vt_fail(error, VT_ERR_FORMAT, "read the model: the file is truncated or no ONNX");
    if (!vt_buf_reserve(out, needed))
        return vt_fail_memory(error, "a model's skeleton");
    message_copy(all, MODEL, bytes, out);
    return out->failed ? vt_fail_memory(error, "a model's skeleton") : VT_OK;
}

bool vt_onnx_skeleton_record(ProtobufCBinaryData raw, size_t *offset, size_t *length)
{
    cut_record cut;
    if (raw.len != sizeof(cut))
        return false;
    memcpy(&cut, raw.data, sizeof(cut));
    *offset = (size_t)cut.offset;
    *length = (size_t)cut.length;
    return true;
}
