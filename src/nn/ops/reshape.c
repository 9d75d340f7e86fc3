/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Reshape: the same numbers under another shape; 0 copies a dimension (unless allowzero), one -1
 * takes what is left.
 */
#include "nn/ops/op.h"
#include "nn/ops/table.h"

#include <string.h>

static vt_status reshape_rest(const vt_shape *from, vt_shape *to, int hole, vt_error *error)
{
    size_t have, known = 1;
    if (!vt_shape_count(from, &have))
        return vt_fail(error, VT_ERR_LIMIT, "the input is too large");
    for (int i = 0; i < to->rank; i++)
        if (i != hole && !vt_size_mul(known, (size_t)to->dims[i], &known))
            return vt_fail(error, VT_ERR_LIMIT, "the new shape is too large");
    if (hole >= 0) {
        if (known == 0 || have % known != 0)
            return vt_fail(error, VT_ERR_FORMAT, "%zu elements do not fill the new shape", have);
        to->dims[hole] = (int64_t)(have / known);
    } else if (known != have) {
        return vt_fail(error, VT_ERR_FORMAT, "%zu elements, the new shape holds %zu", have, known);
    }
    return VT_OK;
}

static vt_status reshape_infer(vt_op_args *args, vt_error *error)
{
    const vt_shape *from = &args->inputs[0].shape;
    vt_shape to = {0};
    int hole = -1;
    bool zero_is_zero = vt_node_int(args->node, "allowzero", 0) != 0;
    vt_status status = vt_op_input_ints(args, 1, to.dims, VT_MAX_RANK, &to.rank, error);
    for (int i = 0; i < to.rank && status == VT_OK; i++) {
        if (to.dims[i] == 0 && !zero_is_zero) {
            if (i >= from->rank)
                return vt_fail(error, VT_ERR_FORMAT,
                               "dimension %d is to be copied, the input has %d", i, from->rank);
            to.dims[i] = from->dims[i];
        } else if (to.dims[i] == -1 && hole < 0) {
            hole = i;
        } else if (to.dims[i] < 0) {
            return vt_fail(error, VT_ERR_FORMAT, "dimension %d would be %lld", i,
                           (long long)to.dims[i]);
        }
    }
    if (status == VT_OK)
        status = reshape_rest(from, &to, hole, error);
    if (status == VT_OK)
        vt_op_set_output(args, 0, args->inputs[0].dtype, &to);
    return status;
}

static vt_status reshape_reference(vt_op_args *args, vt_error *error)
{
    (void)error;
    memcpy(args->outputs[0].data, args->inputs[0].data, args->outputs[0].bytes);
    return VT_OK;
}

#define ROW(since, until, attrs)                                                                   \
    {                                                                                              \
        "Reshape", "", since, until, 2, 2, 1, 1, attrs,                                            \
            .shape_inputs = 1u << 1, .infer = reshape_infer, .reference = reshape_reference        \
    }

const vt_op vt_ops_reshape[] = {
    ROW(5, 13, NULL),
    ROW(14, 0, "allowzero:i"),
    {0},
};
