/* SPDX-License-Identifier: Apache-2.0 */
/*
 * EyeLike and Trilu: what hangs on diagonals. EyeLike has ones on the k-th; Trilu keeps of every
 * matrix what lies on and above (or below) the k-th and makes the rest zero.
 */
#include "nn/ops/op.h"
#include "nn/ops/table.h"

#include <string.h>

static vt_status eye_infer(vt_op_args *args, vt_error *error)
{
    int64_t dtype = vt_node_int(args->node, "dtype", (int64_t)args->inputs[0].dtype);
    vt_status status = vt_op_check_rank(args, 0, 2, 2, error);
    if (status == VT_OK && (dtype < 0 || dtype > VT_BF16 || vt_dtype_bytes((vt_dtype)dtype) == 0))
        status = vt_fail(error, VT_ERR_UNSUPPORTED, "type %lld is not supported", (long long)dtype);
    if (status == VT_OK)
        vt_op_set_output(args, 0, (vt_dtype)dtype, &args->inputs[0].shape);
    return status;
}

static vt_status eye_reference(vt_op_args *args, vt_error *error)
{
    (void)error;
    vt_tensor *y = &args->outputs[0];
    const double one = 1.0;
    int64_t k = vt_node_int(args->node, "k", 0);
    int64_t rows = y->shape.dims[0], columns = y->shape.dims[1];
    memset(y->data, 0, y->bytes);
    if (k <= -rows || k >= columns)
        return VT_OK;
    for (int64_t row = k < 0 ? -k : 0; row < rows && row + k < columns; row++)
        vt_store_f64(y->dtype, y->data, (size_t)(row * columns + row + k), 1, &one);
    return VT_OK;
}

static vt_status trilu_infer(vt_op_args *args, vt_error *error)
{
    const vt_tensor *k = vt_op_input(args, 1);
    vt_status status = vt_op_check_rank(args, 0, 2, VT_MAX_RANK, error);
    if (status == VT_OK)
        status = vt_op_check_type(args, 1, VT_TYPE(VT_I64), error);
    if (status == VT_OK && k != NULL && (vt_tensor_count(k) != 1 || k->shape.rank > 1))
        status = vt_fail(error, VT_ERR_FORMAT, "input 1 is not a single number");
    if (status == VT_OK)
        vt_op_set_output(args, 0, args->inputs[0].dtype, &args->inputs[0].shape);
    return status;
}

static vt_status trilu_reference(vt_op_args *args, vt_error *error)
{
    (void)error;
    const vt_tensor *x = &args->inputs[0], *given = vt_op_input(args, 1);
    vt_tensor *y = &args->outputs[0];
    int rank = x->shape.rank;
    int64_t rows = x->shape.dims[rank - 2], columns = x->shape.dims[rank - 1];
    int64_t k = given == NULL ? 0 : *(const int64_t *)given->data;
    bool upper = vt_node_int(args->node, "upper", 1) != 0;
    size_t bytes = vt_dtype_bytes(x->dtype), width = (size_t)columns * bytes;
    size_t total = vt_shape_product(&x->shape, 0, rank - 1);
    k = k < -rows ? -rows : (k > columns ? columns : k);
    memset(y->data, 0, y->bytes);
    for (size_t r = 0; r < total; r++) {
        /* The first column on the diagonal, or the first behind it. */
        int64_t edge = (int64_t)(r % (size_t)rows) + k + (upper ? 0 : 1);
        edge = edge < 0 ? 0 : (edge > columns ? columns : edge);
        size_t from = upper ? (size_t)edge * bytes : 0, to = upper ? width : (size_t)edge * bytes;
        memcpy((char *)y->data + r * width + from, (const char *)x->data + r * width + from,
               to - from);
    }
    return VT_OK;
}

const vt_op vt_ops_triangle[] = {
    {"EyeLike", "", 9, 0, 1, 1, 1, 1, "dtype:i k:i", .flags = VT_OP_SHAPE_ONLY, .infer = eye_infer,
     .reference = eye_reference},
    {"Trilu", "", 14, 0, 1, 2, 1, 1, "upper:i", .infer = trilu_infer, .reference = trilu_reference},
    {0},
};
