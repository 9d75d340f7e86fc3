/* SPDX-License-Identifier: Apache-2.0 */
/*
 * LRN: x / (bias + alpha / size * sum of squares over neighbouring channels) ^ beta.
 */
#include "nn/ops/op.h"
#include "nn/ops/table.h"

#include <math.h>

static vt_status lrn_infer(vt_op_args *args, vt_error *error)
{
    int64_t size;
    vt_status status = vt_op_check_type(args, 0, VT_TYPES_FLOAT, error);
    if (status == VT_OK)
        status = vt_op_check_rank(args, 0, 2, VT_MAX_RANK, error);
    if (status == VT_OK)
        status = vt_op_int_between(args, "size", 0, (const int64_t[]){1, INT32_MAX}, &size, error);
    if (status == VT_OK)
        vt_op_set_output(args, 0, args->inputs[0].dtype, &args->inputs[0].shape);
    return status;
}

static vt_status lrn_reference(vt_op_args *args, vt_error *error)
{
    const vt_tensor *x = &args->inputs[0];
    vt_tensor *y = &args->outputs[0];
    double alpha = (double)vt_node_float(args->node, "alpha", 1e-4f);
    double beta = (double)vt_node_float(args->node, "beta", 0.75f);
    double bias = (double)vt_node_float(args->node, "bias", 1.0f);
    int64_t size = vt_node_int(args->node, "size", 1), channels = x->shape.dims[1];
    size_t inner = vt_shape_product(&x->shape, 2, x->shape.rank);
    size_t outer = (size_t)x->shape.dims[0] * inner;
    double *wide = NULL;
    vt_status status = vt_op_widen(x, &wide, error);
    if (status != VT_OK)
        return status;
    for (size_t k = 0; k < outer; k++) {
        size_t base = k / inner * (size_t)channels * inner + k % inner;
        for (int64_t c = 0; c < channels; c++) {
            int64_t low = c - (size - 1) / 2, high = c + size / 2;
            double sum = 0.0;
            for (int64_t i = low < 0 ? 0 : low; i <= high && i < channels; i++)
                sum += pow(wide[base + (size_t)i * inner], 2.0);
            size_t at = base + (size_t)c * inner;
            double value = wide[at] / pow(bias + alpha / (double)size * sum, beta);
            vt_store_f64(y->dtype, y->data, at, 1, &value);
        }
    }
    vt_free(wide);
    return VT_OK;
}

const vt_op vt_ops_lrn[] = {
    {"LRN", "", 1, 0, 1, 1, 1, 1, "alpha:f beta:f bias:f size:i!", .flags = VT_OP_HEAVY,
     .infer = lrn_infer, .reference = lrn_reference},
    {0},
};
