/* SPDX-License-Identifier: Apache-2.0 */
/*
 * NumPy's .npy files (format specification in numpy.lib.format).
 *
 * Read: versions 1.0, 2.0 and 3.0, either byte order, C and Fortran order. The header is a Python
 * dictionary with exactly three keys; the parser accepts that dictionary and nothing else of
 * Python. Object arrays and structured types are refused. Written: version 1.0, little endian, C
 * order, data aligned to 64 bytes as NumPy does. NumPy has no bf16, so that is not written.
 */
#include "nn/tensor.h"

#include "base/mem.h"

#include <stdio.h>
#include <string.h>

enum { MAXIMUM_HEADER = 1 << 20 };

typedef struct npy_header {
    vt_dtype dtype;
    bool swap, fortran;
    vt_shape shape;
} npy_header;

typedef struct npy_type {
    char kind;
    int bytes;
    vt_dtype dtype;
} npy_type;

static const npy_type npy_types[] = {
    {'f', 2, VT_F16}, {'f', 4, VT_F32}, {'f', 8, VT_F64}, {'i', 1, VT_I8},
    {'i', 2, VT_I16}, {'i', 4, VT_I32}, {'i', 8, VT_I64}, {'u', 1, VT_U8},
    {'u', 2, VT_U16}, {'u', 4, VT_U32}, {'u', 8, VT_U64}, {'b', 1, VT_BOOL},
};
static const size_t npy_type_count = sizeof(npy_types) / sizeof(npy_types[0]);

/* ---- the header's dictionary ---- */

typedef struct text_in {
    const char *at, *end;
} text_in;

static void skip_space(text_in *in)
{
    while (in->at < in->end && strchr(" \t\r\n", *in->at) != NULL && *in->at != '\0')
        in->at++;
}

static bool take(text_in *in, const char *word)
{
    size_t length = strlen(word);
    skip_space(in);
    if ((size_t)(in->end - in->at) < length || memcmp(in->at, word, length) != 0)
        return false;
    in->at += length;
    return true;
}

/* A quoted text without escapes. */
static bool take_quoted(text_in *in, char *out, size_t capacity)
{
    skip_space(in);
    if (in->at == in->end || (*in->at != '\'' && *in->at != '"'))
        return false;
    char quote = *in->at++;
    const char *close = memchr(in->at, quote, (size_t)(in->end - in->at));
    if (close == NULL || (size_t)(close - in->at) >= capacity)
        return false;
    memcpy(out, in->at, (size_t)(close - in->at));
    out[close - in->at] = '\0';
    in->at = close + 1;
    return memchr(out, '\\', strlen(out)) == NULL;
}

static bool take_number(text_in *in, int64_t *value)
{
    skip_space(in);
    *value = 0;
    const char *start = in->at;
    for (; in->at < in->end && *in->at >= '0' && *in->at <= '9'; in->at++)
        if (__builtin_mul_overflow(*value, 10, value) ||
            __builtin_add_overflow(*value, *in->at - '0', value))
            return false;
    return in->at > start;
}

static bool take_shape(text_in *in, vt_shape *shape)
{
    *shape = (vt_shape){0};
    if (!take(in, "("))
        return false;
    while (!take(in, ")")) {
        if (shape->rank == VT_MAX_RANK || !take_number(in, &shape->dims[shape->rank]))
            return false;
        shape->rank++;
        take(in, "L"); /* long integers of Python 2 */
        if (!take(in, ",")) {
            /* "(3)" is a number, not a tuple */
            return shape->rank > 1 && take(in, ")");
        }
    }
    return true;
}

static bool type_of(const char *text, npy_header *header)
{
    const char *kind = text;
    bool big = *text == '>', little = *text == '<' || *text == '|' || *text == '=';
    int64_t bytes;
    if (big || little)
        kind++;
    if (*kind == '\0' || !vt_parse_int(kind + 1, 1, 16, &bytes))
        return false;
    for (size_t i = 0; i < npy_type_count; i++) {
        if (npy_types[i].kind != *kind || npy_types[i].bytes != bytes)
            continue;
        header->dtype = npy_types[i].dtype;
        header->swap = (__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__) == big && *text != '=' &&
                       *text != '|' && bytes > 1;
        return true;
    }
    return false;
}

static vt_status header_parse(const char *text, size_t length, npy_header *header, vt_error *error)
{
    text_in in = {text, text + length};
    char key[16], type[16];
    unsigned seen = 0, bit;
    bool good = take(&in, "{");
    while (good && !take(&in, "}")) {
        good = take_quoted(&in, key, sizeof(key)) && take(&in, ":");
        if (!good)
            break;
        if (strcmp(key, "descr") == 0) {
            bit = 1;
            if (!take_quoted(&in, type, sizeof(type)) || !type_of(type, header))
                return vt_fail(error, VT_ERR_UNSUPPORTED,
                               "read a .npy file: its type is not a number");
        } else if (strcmp(key, "fortran_order") == 0) {
            bit = 2;
            header->fortran = take(&in, "True");
            good = header->fortran || take(&in, "False");
        } else {
            bit = 4;
            good = strcmp(key, "shape") == 0 && take_shape(&in, &header->shape);
        }
        good = good && (seen & bit) == 0;
        seen |= bit;
        good = good && (take(&in, ",") || (in.at < in.end && *in.at == '}'));
    }
    skip_space(&in);
    if (!good || seen != 7 || in.at != in.end)
        return vt_fail(error, VT_ERR_FORMAT, "read a .npy file: malformed header");
    return VT_OK;
}

/* ---- data ---- */

static void swap_bytes(uint8_t *data, size_t bytes, size_t size)
{
    for (size_t i = 0; i < bytes; i += size) {
        for (size_t k = 0; k < size / 2; k++) {
            uint8_t byte = data[i + k];
            data[i + k] = data[i + size - 1 - k];
            data[i + size - 1 - k] = byte;
        }
    }
}

/* Column-major numbers into row-major places. */
static void from_fortran(const uint8_t *in, vt_tensor *out)
{
    size_t size = vt_dtype_bytes(out->dtype), count = vt_tensor_count(out);
    int64_t position[VT_MAX_RANK] = {0};
    for (size_t k = 0; k < count; k++) {
        size_t to = 0;
        for (int i = 0; i < out->shape.rank; i++)
            to = to * (size_t)out->shape.dims[i] + (size_t)position[i];
        memcpy((uint8_t *)out->data + to * size, in + k * size, size);
        for (int i = 0; i < out->shape.rank && ++position[i] == out->shape.dims[i]; i++)
            position[i] = 0;
    }
}

static vt_status data_read(const uint8_t *data, size_t length, const npy_header *header,
                           vt_tensor *out, vt_error *error)
{
    size_t count, bytes;
    vt_tensor tensor;
    if (!vt_shape_count(&header->shape, &count) ||
        !vt_size_mul(count, vt_dtype_bytes(header->dtype), &bytes) || bytes != length)
        return vt_fail(error, VT_ERR_FORMAT,
                       "read a .npy file: %zu bytes of data do not fit its shape", length);
    vt_status status = vt_tensor_init(&tensor, header->dtype, &header->shape, 0, error);
    if (status != VT_OK)
        return status;
    if (header->fortran && header->shape.rank > 1)
        from_fortran(data, &tensor);
    else if (bytes > 0)
        memcpy(tensor.data, data, bytes);
    if (header->swap)
        swap_bytes(tensor.data, tensor.bytes, vt_dtype_bytes(tensor.dtype));
    if (tensor.dtype == VT_BOOL)
        for (size_t i = 0; i < count; i++)
            ((uint8_t *)tensor.data)[i] = ((uint8_t *)tensor.data)[i] != 0;
    *out = tensor;
    return VT_OK;
}

vt_status vt_tensor_read_npy(const void *bytes, size_t length, vt_tensor *out, vt_error *error)
{
    const uint8_t *at = bytes;
    npy_header header = {0};
    if (length < 10 || memcmp(at, "\x93NUMPY", 6) != 0)
        return vt_fail(error, VT_ERR_FORMAT, "read a .npy file: it does not start like one");
    if (at[6] < 1 || at[6] > 3)
        return vt_fail(error, VT_ERR_UNSUPPORTED, "read a .npy file: version %d.%d", at[6], at[7]);
    size_t prefix = at[6] == 1 ? 10 : 12;
    if (length < prefix)
        return vt_fail(error, VT_ERR_FORMAT, "read a .npy file: truncated");
    size_t text = (size_t)at[8] | (size_t)at[9] << 8;
    if (prefix == 12)
        text |= (size_t)at[10] << 16 | (size_t)at[11] << 24;
    if (text > MAXIMUM_HEADER || text > length - prefix)
        return vt_fail(error, VT_ERR_FORMAT, "read a .npy file: header of %zu bytes", text);
    vt_status status = header_parse((const char *)at + prefix, text, &header, error);
    if (status != VT_OK)
        return status;
    return data_read(at + prefix + text, length - prefix - text, &header, out, error);
}

static bool write_header(const vt_tensor *tensor, const npy_type *type, char *text, size_t *length)
{
    enum { ROOM = 256 };
    int used = snprintf(text, ROOM, "{'descr': '%c%c%d', 'fortran_order': False, 'shape': (",
                        type->bytes > 1 ? '<' : '|', type->kind, type->bytes);
    for (int i = 0; i < tensor->shape.rank && used < ROOM; i++)
        used +=
            snprintf(text + used, (size_t)(ROOM - used), "%lld%s", (long long)tensor->shape.dims[i],
                     i + 1 < tensor->shape.rank ? ", " : (i == 0 ? "," : ""));
    if (used < ROOM)
        used += snprintf(text + used, (size_t)(ROOM - used), "), }");
    if (used + 64 >= ROOM)
        return false;
    while ((used + 11) % 64 != 0)
        text[used++] = ' ';
    text[used++] = '\n';
    *length = (size_t)used;
    return true;
}

vt_status vt_tensor_write_npy(const vt_tensor *tensor, vt_buf *out, vt_error *error)
{
    const npy_type *type = NULL;
    char text[320];
    size_t length, count;
    for (size_t i = 0; i < npy_type_count; i++)
        if (npy_types[i].dtype == tensor->dtype)
            type = &npy_types[i];
    if (type == NULL || !vt_shape_count(&tensor->shape, &count))
        return vt_fail(error, VT_ERR_UNSUPPORTED, "write a .npy file: it has no type \"%s\"",
                       vt_dtype_name(tensor->dtype));
    if (!write_header(tensor, type, text, &length))
        return vt_fail(error, VT_ERR_LIMIT, "write a .npy file: its header is too long");
    const uint8_t prefix[10] = {
        0x93, 'N', 'U', 'M', 'P', 'Y', 1, 0, (uint8_t)(length & 0xff), (uint8_t)(length >> 8)};
    size_t bytes = count * vt_dtype_bytes(tensor->dtype);
    if (bytes > out->maximum || sizeof(prefix) + length > out->maximum - bytes ||
        out->length > out->maximum - bytes - length - sizeof(prefix))
        return vt_fail(error, VT_ERR_LIMIT, "write a .npy file: %zu bytes do not fit", bytes);
    if (!vt_buf_append(out, prefix, sizeof(prefix)) || !vt_buf_append(out, text, length) ||
        (bytes > 0 && !vt_buf_append(out, tensor->data, bytes)))
        return vt_fail_memory(error, "a .npy file");
    if (__BYTE_ORDER__ == __ORDER_BIG_ENDIAN__ && type->bytes > 1)
        swap_bytes((uint8_t *)out->data + out->length - bytes, bytes, (size_t)type->bytes);
    return VT_OK;
}
