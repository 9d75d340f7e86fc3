/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Tensors in memory: types, shapes, allocation, comparison.
 *
 * Every size is computed with checked arithmetic and bounded before memory is asked for, because
 * shapes come from model files. Owned data starts on a cache line.
 */
#include "nn/tensor.h"

#include "base/mem.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

enum { TENSOR_ALIGNMENT = 64 };
static const size_t maximum_count = (size_t)1 << 40;
static const size_t maximum_tensor_bytes = (size_t)1 << 36;

typedef struct dtype_row {
    const char *name;
    size_t bytes;
} dtype_row;

static const dtype_row dtype_rows[] = {
    [VT_DTYPE_NONE] = {"none", 0}, [VT_F32] = {"f32", 4}, [VT_U8] = {"u8", 1},
    [VT_I8] = {"i8", 1},           [VT_U16] = {"u16", 2}, [VT_I16] = {"i16", 2},
    [VT_I32] = {"i32", 4},         [VT_I64] = {"i64", 8}, [VT_STRING] = {"string", 0},
    [VT_BOOL] = {"bool", 1},       [VT_F16] = {"f16", 2}, [VT_F64] = {"f64", 8},
    [VT_U32] = {"u32", 4},         [VT_U64] = {"u64", 8}, [VT_BF16] = {"bf16", 2},
};

static const dtype_row *dtype_row_of(vt_dtype dtype)
{
    size_t index = (size_t)dtype;
    if (index >= sizeof(dtype_rows) / sizeof(dtype_rows[0]) || dtype_rows[index].name == NULL)
        return NULL;
    return &dtype_rows[index];
}

size_t vt_dtype_bytes(vt_dtype dtype)
{
    const dtype_row *row = dtype_row_of(dtype);
    return row == NULL ? 0 : row->bytes;
}

const char *vt_dtype_name(vt_dtype dtype)
{
    const dtype_row *row = dtype_row_of(dtype);
    return row == NULL ? "unknown" : row->name;
}

bool vt_dtype_is_float(vt_dtype dtype)
{
    return dtype == VT_F32 || dtype == VT_F16 || dtype == VT_BF16 || dtype == VT_F64;
}

bool vt_dtype_is_half(vt_dtype dtype)
{
    return dtype == VT_F16 || dtype == VT_BF16;
}

bool vt_shape_known(const vt_shape *shape)
{
    if (shape->rank < 0 || shape->rank > VT_MAX_RANK)
        return false;
    for (int i = 0; i < shape->rank; i++)
        if (shape->dims[i] < 0)
            return false;
    return true;
}

/* A zero makes the product zero whatever the other dimensions are. */
bool vt_shape_count(const vt_shape *shape, size_t *count)
{
    if (!vt_shape_known(shape))
        return false;
    size_t product = 1;
    for (int i = 0; i < shape->rank; i++)
        if (shape->dims[i] == 0)
            product = 0;
    for (int i = 0; i < shape->rank && product != 0; i++)
        if (!vt_size_mul(product, (size_t)shape->dims[i], &product) || product > maximum_count)
            return false;
    *count = product;
    return true;
}

bool vt_shape_equal(const vt_shape *a, const vt_shape *b)
{
    if (a->rank != b->rank)
        return false;
    for (int i = 0; i < a->rank; i++)
        if (a->dims[i] != b->dims[i])
            return false;
    return true;
}

vt_shape vt_shape_of(int rank, const int64_t *dims)
{
    vt_shape shape = {.rank = rank};
    for (int i = 0; i < rank && i < VT_MAX_RANK; i++)
        shape.dims[i] = dims[i];
    return shape;
}

void vt_shape_print(const vt_shape *shape, char *out, size_t capacity)
{
    if (capacity == 0)
        return;
    if (shape->rank <= 0 || shape->rank > VT_MAX_RANK) {
        snprintf(out, capacity, "%s", shape->rank == 0 ? "scalar" : "unknown");
        return;
    }
    size_t used = 0;
    out[0] = '\0';
    for (int i = 0; i < shape->rank && used < capacity; i++) {
        const char *separator = i == 0 ? "" : "x";
        int length = shape->dims[i] < 0 ? snprintf(out + used, capacity - used, "%s?", separator)
                                        : snprintf(out + used, capacity - used, "%s%lld", separator,
                                                   (long long)shape->dims[i]);
        used += (size_t)length;
    }
}

vt_status vt_tensor_init(vt_tensor *tensor, vt_dtype dtype, const vt_shape *shape,
                         size_t maximum_bytes, vt_error *error)
{
    char text[128];
    size_t count, bytes, element = vt_dtype_bytes(dtype);
    vt_shape_print(shape, text, sizeof(text));
    if (element == 0)
        return vt_fail(error, VT_ERR_UNSUPPORTED, "make a tensor: type \"%s\" has no numbers",
                       vt_dtype_name(dtype));
    if (!vt_shape_known(shape))
        return vt_fail(error, VT_ERR_FORMAT, "make a tensor: shape %s is not fully known", text);
    if (maximum_bytes == 0)
        maximum_bytes = maximum_tensor_bytes;
    if (!vt_shape_count(shape, &count) || !vt_size_mul(count, element, &bytes) ||
        bytes > maximum_bytes)
        return vt_fail(error, VT_ERR_LIMIT,
                       "make a tensor: %s of %s is over the limit of %zu bytes", text,
                       vt_dtype_name(dtype), maximum_bytes);
    void *data = NULL;
    if (bytes > 0) {
        data = vt_alloc_aligned(TENSOR_ALIGNMENT, bytes);
        if (data == NULL)
            return vt_fail_memory(error, "a tensor");
        memset(data, 0, bytes);
    }
    *tensor = (vt_tensor){
        .dtype = dtype, .shape = *shape, .data = data, .bytes = bytes, .owned = data != NULL};
    return VT_OK;
}

void vt_tensor_deinit(vt_tensor *tensor)
{
    if (tensor->owned)
        vt_free(tensor->data);
    *tensor = (vt_tensor){0};
}

vt_status vt_tensor_dup(const vt_tensor *tensor, vt_tensor *out, vt_error *error)
{
    vt_tensor copy;
    vt_status status = vt_tensor_init(&copy, tensor->dtype, &tensor->shape, 0, error);
    if (status != VT_OK)
        return status;
    if (copy.bytes > 0)
        memcpy(copy.data, tensor->data, copy.bytes);
    *out = copy;
    return VT_OK;
}

size_t vt_tensor_count(const vt_tensor *tensor)
{
    size_t count;
    return vt_shape_count(&tensor->shape, &count) ? count : 0;
}

static void difference_add(vt_tensor_difference *difference, size_t index, double a, double b,
                           const double tolerance[2])
{
    if ((isnan(a) && isnan(b)) || a == b)
        return;
    double absolute = fabs(a - b);
    if (isnan(absolute))
        absolute = INFINITY;
    double magnitude = fabs(b);
    double relative = absolute / (magnitude > 1e-6 ? magnitude : 1e-6);
    if (isnan(relative))
        relative = INFINITY;
    if (absolute > difference->max_abs) {
        difference->max_abs = absolute;
        difference->worst = index;
    }
    if (relative > difference->max_rel)
        difference->max_rel = relative;
    /* An infinite expectation is met by the same infinity alone. */
    if (isinf(b) || !(absolute <= tolerance[1] + tolerance[0] * magnitude))
        difference->outside++;
}

vt_status vt_tensor_compare(const vt_tensor *have, const vt_tensor *want, double rtol, double atol,
                            vt_tensor_difference *out, vt_error *error)
{
    char have_shape[128], want_shape[128];
    vt_shape_print(&have->shape, have_shape, sizeof(have_shape));
    vt_shape_print(&want->shape, want_shape, sizeof(want_shape));
    if (have->dtype != want->dtype || !vt_shape_equal(&have->shape, &want->shape))
        return vt_fail(error, VT_ERR_MISMATCH, "compare tensors: have %s of %s, want %s of %s",
                       have_shape, vt_dtype_name(have->dtype), want_shape,
                       vt_dtype_name(want->dtype));
    const double tolerance[2] = {rtol, atol};
    vt_tensor_difference difference = {0};
    size_t count = vt_tensor_count(want);
    for (size_t start = 0; start < count; start += 256) {
        double a[256], b[256];
        size_t run = count - start < 256 ? count - start : 256;
        vt_load_f64(have->dtype, have->data, start, run, a);
        vt_load_f64(want->dtype, want->data, start, run, b);
        for (size_t i = 0; i < run; i++)
            difference_add(&difference, start + i, a[i], b[i], tolerance);
    }
    *out = difference;
    return VT_OK;
}
