/* SPDX-License-Identifier: Apache-2.0 */
/*
 * LpNormalization: the input divided by its L1 or L2 norm along one axis.
 *
 * Where the norm is 0 the result is 0. A norm is summed for all positions behind the axis at once,
 * so that memory is read in order.
 */
#include "nn/ops/op.h"
#include "nn/ops/table.h"

#include <math.h>
#include <string.h>

static vt_status lp_resolve(const vt_op_args *args, int *axis, int64_t *p, vt_error *error)
{
    vt_status status = vt_op_int_between(args, "p", 2, (const int64_t[]){1, 2}, p, error);
    if (status == VT_OK)
        status = vt_op_axis(vt_node_int(args->node, "axis", -1), args->inputs[0].shape.rank, axis,
                            error);
    return status;
}

static vt_status lp_infer(vt_op_args *args, vt_error *error)
{
    int axis;
    int64_t p;
    vt_status status = vt_op_check_type(args, 0, VT_TYPES_FLOAT, error);
    if (status == VT_OK)
        status = lp_resolve(args, &axis, &p, error);
    if (status == VT_OK)
        vt_op_set_output(args, 0, args->inputs[0].dtype, &args->inputs[0].shape);
    return status;
}

/* (length, inner) numbers from `start` on; row and norm: (inner). */
static void lp_block(vt_op_args *args, size_t start, const size_t sizes[2], bool squared,
                     double *row, double *norm)
{
    const vt_tensor *x = &args->inputs[0];
    size_t length = sizes[0], inner = sizes[1];
    memset(norm, 0, inner * sizeof(*norm));
    for (size_t k = 0; k < length; k++) {
        vt_load_f64(x->dtype, x->data, start + k * inner, inner, row);
        for (size_t i = 0; i < inner; i++)
            norm[i] += squared ? row[i] * row[i] : fabs(row[i]);
    }
    for (size_t i = 0; i < inner; i++)
        norm[i] = squared ? sqrt(norm[i]) : norm[i];
    for (size_t k = 0; k < length; k++) {
        vt_load_f64(x->dtype, x->data, start + k * inner, inner, row);
        for (size_t i = 0; i < inner; i++)
            row[i] = norm[i] == 0.0 ? 0.0 : row[i] / norm[i];
        vt_store_f64(x->dtype, args->outputs[0].data, start + k * inner, inner, row);
    }
}

static vt_status lp_reference(vt_op_args *args, vt_error *error)
{
    const vt_shape *shape = &args->inputs[0].shape;
    int axis = 0;
    int64_t p = 2;
    vt_status status = lp_resolve(args, &axis, &p, error);
    if (status != VT_OK)
        return status;
    size_t outer = vt_shape_product(shape, 0, axis);
    const size_t sizes[2] = {(size_t)shape->dims[axis],
                             vt_shape_product(shape, axis + 1, shape->rank)};
    double *row = vt_alloc_array(sizes[1], sizeof(*row));
    double *norm = vt_alloc_array(sizes[1], sizeof(*norm));
    if (row == NULL || norm == NULL)
        status = vt_fail_memory(error, "the norms of a tensor");
    for (size_t k = 0; k < outer && status == VT_OK; k++)
        lp_block(args, k * sizes[0] * sizes[1], sizes, p == 2, row, norm);
    vt_free(row);
    vt_free(norm);
    return status;
}

const vt_op vt_ops_norm_lp[] = {
    {"LpNormalization", "", 1, 0, 1, 1, 1, 1, "axis:i p:i", .infer = lp_infer,
     .reference = lp_reference},
    {0},
};
