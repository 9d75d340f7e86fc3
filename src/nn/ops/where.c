/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Where: from the second input where the condition holds, else from the third; all three broadcast.
 */
#include "nn/ops/op.h"
#include "nn/ops/table.h"

#include <string.h>

static vt_status where_infer(vt_op_args *args, vt_error *error)
{
    vt_shape shape = args->inputs[0].shape;
    vt_status status = vt_op_check_type(args, 0, VT_TYPE(VT_BOOL), error);
    if (status == VT_OK && args->inputs[1].dtype != args->inputs[2].dtype)
        status =
            vt_fail(error, VT_ERR_FORMAT, "inputs 1 and 2 have types %s and %s",
                    vt_dtype_name(args->inputs[1].dtype), vt_dtype_name(args->inputs[2].dtype));
    for (size_t i = 1; i < 3 && status == VT_OK; i++)
        status = vt_broadcast_shape(&shape, &args->inputs[i].shape, error);
    if (status == VT_OK)
        vt_op_set_output(args, 0, args->inputs[1].dtype, &shape);
    return status;
}

/* One of two elements each, or runs of them where the condition stays the same. */
static void where_part(const vt_op_args *args, size_t index[3][VT_RUN], char *to, size_t count)
{
    const uint8_t *condition = args->inputs[0].data;
    size_t bytes = vt_dtype_bytes(args->inputs[1].dtype);
    for (size_t i = 0, run; i < count; i += run) {
        bool first = condition[index[0][i]] != 0;
        const size_t *places = index[first ? 1 : 2];
        const char *from = args->inputs[first ? 1 : 2].data;
        for (run = 1; i + run < count; run++)
            if ((condition[index[0][i + run]] != 0) != first || places[i + run] != places[i] + run)
                break;
        memcpy(to + i * bytes, from + places[i] * bytes, run * bytes);
    }
}

static vt_status where_reference(vt_op_args *args, vt_error *error)
{
    (void)error;
    vt_tensor *y = &args->outputs[0];
    vt_broadcast broadcast[3];
    size_t count = vt_tensor_count(y), bytes = vt_dtype_bytes(y->dtype);
    for (size_t i = 0; i < 3; i++)
        vt_broadcast_init(&broadcast[i], &args->inputs[i].shape, &y->shape);
    for (size_t start = 0; start < count; start += VT_RUN) {
        size_t index[3][VT_RUN], part = count - start < VT_RUN ? count - start : VT_RUN;
        for (size_t i = 0; i < 3; i++)
            vt_broadcast_indices(&broadcast[i], start, part, index[i]);
        where_part(args, index, (char *)y->data + start * bytes, part);
    }
    return VT_OK;
}

const vt_op vt_ops_where[] = {
    {"Where", "", 9, 0, 3, 3, 1, 1, .infer = where_infer, .reference = where_reference},
    {0},
};
