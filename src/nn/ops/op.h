/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What operator files share: access to operands, checks, small readers. Inside src/nn/ops only.
 *
 * An operator file holds `infer`, `reference` and the rows of the operator table that use them, one
 * row per range of opset versions. It fails with the bare reason ("kernel of 0 elements"): callers
 * put the node's label in front. Dimensions that reach infer are between 0 and the model's limit
 * (at most 2^40), numbers from attributes and constants can be anything.
 *
 * Threads: no state.
 */
#ifndef VT_NN_OPS_OP_H
#define VT_NN_OPS_OP_H

#include "nn/graph.h"

/* Sets of types, as bits. */
#define VT_TYPE(dtype) (1u << (unsigned)(dtype))
enum {
    VT_TYPES_FLOAT = VT_TYPE(VT_F32) | VT_TYPE(VT_F64) | VT_TYPE(VT_F16) | VT_TYPE(VT_BF16),
    VT_TYPES_SIGNED = VT_TYPE(VT_I8) | VT_TYPE(VT_I16) | VT_TYPE(VT_I32) | VT_TYPE(VT_I64),
    VT_TYPES_UNSIGNED = VT_TYPE(VT_U8) | VT_TYPE(VT_U16) | VT_TYPE(VT_U32) | VT_TYPE(VT_U64),
    VT_TYPES_NUMBER = VT_TYPES_FLOAT | VT_TYPES_SIGNED | VT_TYPES_UNSIGNED,
    VT_TYPES_ALL = VT_TYPES_NUMBER | VT_TYPE(VT_BOOL),
    VT_TYPES_INDEX = VT_TYPE(VT_I32) | VT_TYPE(VT_I64),
};

/* Elements handled at a time in buffers on the stack. */
enum { VT_RUN = 256 };

/* NULL when left out. */
const vt_tensor *vt_op_input(const vt_op_args *args, size_t index);
/* Does nothing for outputs nobody asked for. */
void vt_op_set_output(vt_op_args *args, size_t index, vt_dtype dtype, const vt_shape *shape);

/* Input `index`, if present, has a type in `types`. */
vt_status vt_op_check_type(const vt_op_args *args, size_t index, unsigned types, vt_error *error);
/* All present inputs have the type of input 0, and it is in `types`. */
vt_status vt_op_check_same(const vt_op_args *args, unsigned types, vt_error *error);
vt_status vt_op_check_rank(const vt_op_args *args, size_t index, int low, int high,
                           vt_error *error);
/* Whether the value is known: constants, and everything without elements. */
bool vt_op_is_known(const vt_tensor *tensor);
/* The value of input `index`, if present, is known. */
vt_status vt_op_check_known(const vt_op_args *args, size_t index, vt_error *error);

/* The whole numbers in constant input `index` (i32 or i64, rank 0 or 1). count: how many there are,
 * at most capacity. */
vt_status vt_op_input_ints(const vt_op_args *args, size_t index, int64_t *out, int capacity,
                           int *count, vt_error *error);
/* The same from input `index` if that is given, else from attribute `name`; *count -1: neither. */
vt_status vt_op_ints(const vt_op_args *args, size_t index, const char *name, int64_t *out,
                     int capacity, int *count, vt_error *error);
/* axis in [-rank, rank) to [0, rank). */
vt_status vt_op_axis(int64_t axis, int rank, int *out, vt_error *error);
/* Several at once, each at most once, as marks. */
vt_status vt_op_axes(const int64_t *axes, int count, int rank, bool marks[VT_MAX_RANK],
                     vt_error *error);
/* Element `at` of an integer tensor as a place on an axis: [-length, length) to [0, length). */
vt_status vt_op_index(const vt_tensor *indices, size_t at, int64_t length, size_t *out,
                      vt_error *error);
/* Attribute `name` within [low, high]. */
vt_status vt_op_int_between(const vt_op_args *args, const char *name, int64_t fallback,
                            const int64_t range[2], int64_t *out, vt_error *error);

/* Product of dims[from..to). */
size_t vt_shape_product(const vt_shape *shape, int from, int to);
/* Row-major strides in elements. */
void vt_shape_strides(const vt_shape *shape, size_t strides[VT_MAX_RANK]);

/* A whole tensor as f64, the caller's (vt_free). */
vt_status vt_op_widen(const vt_tensor *tensor, double **out, vt_error *error);

/* An element to be compared: floats as f64, integers as 64 bits ordered as signed ones; the other
 * one is 0. */
typedef struct vt_number {
    double f64;
    int64_t i64;
} vt_number;
vt_number vt_number_load(const vt_tensor *x, size_t place);
void vt_number_store(vt_tensor *y, size_t place, vt_number number); /* y: of the type of x */
/* -1, 0, 1: ascending. NaN is larger than every number, as in NumPy. */
int vt_number_compare(vt_number a, vt_number b);

/* ---- binary.c ---- */
/* The remainder with the sign of the divisor; NaN for a divisor of 0. */
double vt_op_modulo(double x, double y);

/* ---- broadcast.c: multidirectional broadcasting as in NumPy ---- */
/* *shape becomes the common shape of itself and `other`. */
vt_status vt_broadcast_shape(vt_shape *shape, const vt_shape *other, vt_error *error);
typedef struct vt_broadcast {
    int rank;
    int64_t dims[VT_MAX_RANK];
    size_t strides[VT_MAX_RANK]; /* of the source, 0 along axes it is repeated on */
} vt_broadcast;
void vt_broadcast_init(vt_broadcast *broadcast, const vt_shape *source, const vt_shape *target);
/* Flat source indices of target elements start .. start + count. */
void vt_broadcast_indices(const vt_broadcast *broadcast, size_t start, size_t count,
                          size_t *indices);

/* ---- copy.c: blocks of elements between layouts ---- */
enum { VT_COPY_RANK = 2 * VT_MAX_RANK };
typedef struct vt_copy {
    int rank;
    size_t bytes; /* of an element */
    int64_t dims[VT_COPY_RANK];
    int64_t from[VT_COPY_RANK], to[VT_COPY_RANK]; /* strides in elements, negative ones too */
} vt_copy;
/* from and to: the elements at coordinate 0. */
void vt_copy_run(const vt_copy *copy, const void *from, void *to);

/* lists[axis][k]: the source coordinate of target coordinate k, -1: none. */
typedef struct vt_picks {
    int rank;
    int64_t dims[VT_MAX_RANK]; /* of the target */
    int64_t *lists[VT_MAX_RANK];
    int64_t *block; /* of the lists, owned */
} vt_picks;
/* Room for the lists, uninitialised; vt_picks_deinit after success alone. */
vt_status vt_picks_init(vt_picks *picks, const vt_shape *target, vt_error *error);
void vt_picks_deinit(vt_picks *picks);
/* Fills the row-major target, which is not empty; constant: one element of x's type. */
void vt_pick_run(const vt_picks *picks, const vt_tensor *x, const void *constant, void *to);

/* ---- pad.c ---- */
/* Elements added before and after every axis; negative: taken away. */
vt_status vt_pad_read(const vt_op_args *args, int64_t begin[VT_MAX_RANK], int64_t end[VT_MAX_RANK],
                      vt_error *error);
/* Where each element of the output comes from; as vt_picks_init. */
vt_status vt_pad_picks(const vt_op_args *args, vt_picks *picks, vt_error *error);

/* ---- determinant.c ---- */
/* Of a matrix (n, n), which is used up. */
double vt_op_determinant(double *matrix, size_t n);

/* ---- col2im.c ---- */
/* For each tap and block, in the order of the columns, its place in the image; -1: in the padding.
 * The caller's (vt_free), taps * blocks of them. args: with the values of the inputs. */
vt_status vt_col2im_places(const vt_op_args *args, int64_t **out, size_t *count, vt_error *error);

/* ---- slice.c: where a Slice starts along every axis, and its steps ---- */
vt_status vt_slice_ranges(const vt_op_args *args, int64_t start[VT_MAX_RANK],
                          int64_t step[VT_MAX_RANK], vt_error *error);

/* ---- window.c: sliding windows of convolutions and pools ---- */
enum { VT_MAX_SPATIAL = VT_MAX_RANK - 2 };
typedef struct vt_window {
    int rank; /* spatial dimensions */
    int64_t kernel[VT_MAX_SPATIAL], stride[VT_MAX_SPATIAL], dilation[VT_MAX_SPATIAL];
    int64_t pad_begin[VT_MAX_SPATIAL], pad_end[VT_MAX_SPATIAL];
    int64_t in[VT_MAX_SPATIAL], out[VT_MAX_SPATIAL];
} vt_window;
/* Far above any real network and small enough that sums and products of two stay in int64. */
#define VT_WINDOW_MAXIMUM (INT64_C(1) << 31)
/* The numbers of attribute `name`, each in [low, VT_WINDOW_MAXIMUM]; out (count) stays as it is
 * where the attribute is left out. */
vt_status vt_window_numbers(const vt_op_args *args, const char *name, int64_t low, int count,
                            int64_t *out, vt_error *error);
typedef enum vt_auto_pad {
    VT_PAD_EXPLICIT,
    VT_PAD_VALID,
    VT_PAD_SAME_UPPER, /* an odd number at the end */
    VT_PAD_SAME_LOWER, /* at the begin */
} vt_auto_pad;
vt_status vt_window_auto_pad(const vt_op_args *args, vt_auto_pad *out, vt_error *error);
/* From the attributes of args->node and input 0 (N, C, spatial...); `kernel` NULL: from the
 * attribute kernel_shape. pad_begin and pad_end come out resolved (auto_pad), out rounded by
 * ceil_mode. */
vt_status vt_window_init(vt_window *window, const vt_op_args *args, const int64_t *kernel,
                         vt_error *error);
/* Taps of one output position along one axis: [*first, *end) are inside the input. */
void vt_window_taps(const vt_window *window, int axis, int64_t position, int64_t *first,
                    int64_t *end);
/* Adds what a kernel makes of a plane, weights (kernel...): y (out...) += sums over taps of
 * x (in...), as Conv does; or, `spread`, the reverse: y (in...) += x (out...), as ConvTranspose. */
void vt_window_add(const vt_window *window, const double *weights, bool spread, const double *x,
                   double *y);
/* Adds to weights (kernel...), for each tap, the products of x (in...) at that tap and y (out...).
 */
void vt_window_correlate(const vt_window *window, const double *x, const double *y,
                         double *weights);
/* pool_gradient.c: the window and input shape of the pool behind a MaxPoolGrad or AveragePoolGrad.
 */
vt_status vt_pool_gradient_window(const vt_op_args *args, vt_shape *x, vt_window *window,
                                  vt_error *error);
/* conv_transpose.c: the same for ConvTranspose, whose output takes the place of the input (`in`)
 * and whose input that of the output; pad_end is not set. */
vt_status vt_conv_transpose_window(const vt_op_args *args, vt_window *window, int64_t *group,
                                   vt_error *error);

#endif
