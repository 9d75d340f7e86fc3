/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the quantisation operators share: checks of scales and zero points, which scale belongs to
 * which element, rounding into an integer type. Inside src/nn/ops only.
 *
 * Threads: no state.
 */
#ifndef VT_NN_OPS_QUANT_H
#define VT_NN_OPS_QUANT_H

#include "nn/ops/op.h"

enum {
    VT_TYPES_BYTE = VT_TYPE(VT_U8) | VT_TYPE(VT_I8),
    VT_TYPES_QUANTISED = VT_TYPES_BYTE | VT_TYPE(VT_U16) | VT_TYPE(VT_I16),
    VT_TYPES_SCALE = VT_TYPE(VT_F32) | VT_TYPE(VT_F16) | VT_TYPE(VT_BF16),
};

/* A type from an attribute of ONNX TensorProto.DataType; `fallback` when it is absent or 0.
 * VT_ERR_UNSUPPORTED for those outside `types`: float8, 4-bit integers and all else. */
vt_status vt_quant_type(const vt_op_args *args, const char *name, vt_dtype fallback, unsigned types,
                        vt_dtype *out, vt_error *error);

/* ---- granularity: one scale for the tensor, for each index of an axis, or for each block ---- */
typedef struct vt_quant_grid {
    size_t length, inner;                      /* of the axis; elements behind it */
    size_t block;                              /* elements of the axis that share a scale */
    size_t outer_step, block_step, inner_step; /* into the scales */
} vt_quant_grid;
/* From inputs 0 (data), 1 (scale) and 2 (zero point, may be left out) and the attributes axis and
 * block_size. */
vt_status vt_quant_grid_init(vt_quant_grid *grid, const vt_op_args *args, vt_error *error);
/* Scales and zero points (0 where left out) of data elements start .. start + count, at most
 * VT_RUN.
 */
void vt_quant_grid_load(const vt_quant_grid *grid, const vt_op_args *args, size_t start,
                        size_t count, double *scales, double *zero_points);

/* Input `index` if present: a single number of a type in `types`. */
vt_status vt_quant_check_single(const vt_op_args *args, size_t index, unsigned types,
                                vt_error *error);
/* Input `index` if present: a single number or a vector of `length`. */
vt_status vt_quant_check_vector(const vt_op_args *args, size_t index, int64_t length,
                                vt_error *error);
/* The type of input `index`, if present, is that of input `data`. */
vt_status vt_quant_check_zero_point(const vt_op_args *args, size_t index, size_t data,
                                    vt_error *error);
/* Input `index`, as far as its value is known while planning, can be divided by: finite, not 0. A
 * scale that is computed may be 0 (of a picture that is black): division by it follows IEEE 754. */
vt_status vt_quant_check_divisor(const vt_op_args *args, size_t index, vt_error *error);
/* Element `element` of input `index`, the only one if it is single, 0 if it is left out. */
double vt_quant_number(const vt_op_args *args, size_t index, size_t element);

/* saturate(round half to even(value) + zero point); NaN counts as 0. */
double vt_quant_round(double value, double zero_point);
/* Exact sums as elements start.. of output 0, an i32: they keep their low bits. */
void vt_quant_store_i32(const vt_op_args *args, size_t start, size_t count, const double *sums);
/* Input `data` as f64 with its zero point taken off: input `index`, one for all or one for each
 * step of the first dimension, 0 when left out. The caller's (vt_free). */
vt_status vt_quant_widen(const vt_op_args *args, size_t data, size_t index, double **out,
                         vt_error *error);

/* ---- conv_integer.c ---- */
/* The operands of an integer convolution by input index (bias SIZE_MAX: it takes none); x is
 * input 0. */
typedef struct vt_quant_conv {
    size_t w, x_zero_point, w_zero_point, bias;
} vt_quant_conv;
/* Turns the exact sums (count) of output channel `channel` into elements start.. of output 0. */
typedef void vt_quant_emit(const vt_op_args *args, size_t channel, size_t start, size_t count,
                           double *sums);
vt_status vt_quant_conv_infer(vt_op_args *args, const vt_quant_conv *inputs, vt_dtype dtype,
                              vt_error *error);
vt_status vt_quant_conv_run(vt_op_args *args, const vt_quant_conv *inputs, vt_quant_emit *emit,
                            vt_error *error);

/* ---- matmul_integer.c ---- */
/* Input `index`, if present, is a single number or has one for each row of operand `data` (columns:
 * for each column): a vector for a matrix, (..., m, 1) or (..., 1, n) for any rank. */
vt_status vt_quant_check_lines(const vt_op_args *args, size_t index, size_t data, bool columns,
                               vt_error *error);
/* The operands of an integer product by input index; a is input 0. */
typedef struct vt_quant_matmul {
    size_t b, a_zero_point, b_zero_point;
} vt_quant_matmul;
/* Turns the exact sums (count) of one row into elements start.. of output 0: row a_row of all rows
 * of a, columns b_column.. of all columns of b. */
typedef void vt_quant_emit_row(const vt_op_args *args, size_t a_row, size_t b_column, size_t start,
                               size_t count, double *sums);
vt_status vt_quant_matmul_infer(vt_op_args *args, const vt_quant_matmul *inputs, vt_dtype dtype,
                                vt_error *error);
vt_status vt_quant_matmul_run(vt_op_args *args, const vt_quant_matmul *inputs,
                              vt_quant_emit_row *emit, vt_error *error);
#endif
