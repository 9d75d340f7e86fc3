/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Tensors: a type, a shape, and plain row-major data. And their two file forms, ONNX TensorProto
 * (.pb) and NumPy (.npy).
 *
 * Threads: a tensor may be read from many threads, changed by one alone.
 */
#ifndef VT_NN_TENSOR_H
#define VT_NN_TENSOR_H

#include "base/buf.h"
#include "base/status.h"

enum { VT_MAX_RANK = 8 };

/* Values are those of ONNX TensorProto.DataType. */
typedef enum vt_dtype {
    VT_DTYPE_NONE = 0,
    VT_F32 = 1,
    VT_U8 = 2,
    VT_I8 = 3,
    VT_U16 = 4,
    VT_I16 = 5,
    VT_I32 = 6,
    VT_I64 = 7,
    VT_STRING = 8, /* known, never computed with */
    VT_BOOL = 9,
    VT_F16 = 10,
    VT_F64 = 11,
    VT_U32 = 12,
    VT_U64 = 13,
    VT_BF16 = 16,
} vt_dtype;

size_t vt_dtype_bytes(vt_dtype dtype);     /* 0 for none and string */
const char *vt_dtype_name(vt_dtype dtype); /* "f32" ... */
bool vt_dtype_is_float(vt_dtype dtype);
bool vt_dtype_is_half(vt_dtype dtype); /* f16, bf16 */

typedef struct vt_shape {
    int rank;                  /* 0: a scalar */
    int64_t dims[VT_MAX_RANK]; /* -1: not known */
} vt_shape;

/* Elements, checked: false when a dimension is unknown or the product exceeds 2^40. */
bool vt_shape_count(const vt_shape *shape, size_t *count);
bool vt_shape_known(const vt_shape *shape);
bool vt_shape_equal(const vt_shape *a, const vt_shape *b);
vt_shape vt_shape_of(int rank, const int64_t *dims);
void vt_shape_print(const vt_shape *shape, char *out,
                    size_t capacity); /* "1x3x224x224", "scalar" */

typedef struct vt_tensor {
    vt_dtype dtype;
    vt_shape shape;
    void *data;   /* row-major, 64-byte aligned when owned; NULL when it has no elements */
    size_t bytes; /* of the data, also while there is none yet */
    bool owned;   /* deinit frees data */
} vt_tensor;

/* Zeroed memory of its own. VT_ERR_LIMIT beyond maximum_bytes (0: 2^36). */
vt_status vt_tensor_init(vt_tensor *tensor, vt_dtype dtype, const vt_shape *shape,
                         size_t maximum_bytes, vt_error *error);
void vt_tensor_deinit(vt_tensor *tensor); /* safe on a zeroed one */
vt_status vt_tensor_dup(const vt_tensor *tensor, vt_tensor *out, vt_error *error);
size_t vt_tensor_count(const vt_tensor *tensor);
/* Converts element by element to `dtype` (ONNX Cast rules: floats to integers truncate towards
 * zero). */
vt_status vt_tensor_cast(const vt_tensor *tensor, vt_dtype dtype, vt_tensor *out, vt_error *error);
/* The same into memory that is there: `out` has its type, as many elements as `tensor`, and data.
 */
void vt_tensor_cast_into(const vt_tensor *tensor, vt_tensor *out);
/* Any numeric type read as f64, by flat index. */
double vt_tensor_get(const vt_tensor *tensor, size_t index);

/* tensor_cast.c: runs of elements as f64 or as 64-bit integers (u64 as the same bits in i64), in
 * and out of plain memory of any numeric type. Into f16 and bf16: nearest, ties to even, one
 * rounding. f64 to an integer truncates and saturates, NaN gives 0; i64 to a narrower integer keeps
 * low bits. */
void vt_load_f64(vt_dtype dtype, const void *data, size_t start, size_t count, double *out);
void vt_load_i64(vt_dtype dtype, const void *data, size_t start, size_t count, int64_t *out);
void vt_gather_f64(vt_dtype dtype, const void *data, const size_t *indices, size_t count,
                   double *out);
void vt_gather_i64(vt_dtype dtype, const void *data, const size_t *indices, size_t count,
                   int64_t *out);
void vt_store_f64(vt_dtype dtype, void *data, size_t start, size_t count, const double *in);
void vt_store_i64(vt_dtype dtype, void *data, size_t start, size_t count, const int64_t *in);

typedef struct vt_tensor_difference {
    double max_abs, max_rel; /* max_rel: |a-b| / max(|b|, 1e-6) */
    size_t worst;            /* flat index of max_abs */
    size_t outside;          /* elements with |a-b| > atol + rtol * |b|; NaN equals NaN */
} vt_tensor_difference;
/* VT_ERR_MISMATCH when type or shape differ; else fills *out and returns VT_OK. */
vt_status vt_tensor_compare(const vt_tensor *have, const vt_tensor *want, double rtol, double atol,
                            vt_tensor_difference *out, vt_error *error);

/* tensor_pb.c: a serialised onnx.TensorProto. `name` (capacity 256, may be NULL) receives its name.
 */
vt_status vt_tensor_read_pb(const void *bytes, size_t length, vt_tensor *out, char name[256],
                            vt_error *error);
vt_status vt_tensor_write_pb(const vt_tensor *tensor, const char *name, vt_buf *out,
                             vt_error *error);
/* npy.c: NumPy format 1.0 to 3.0, little and big endian, C and Fortran order in; 1.0 little out. */
vt_status vt_tensor_read_npy(const void *bytes, size_t length, vt_tensor *out, vt_error *error);
vt_status vt_tensor_write_npy(const vt_tensor *tensor, vt_buf *out, vt_error *error);

#endif
