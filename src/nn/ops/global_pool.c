/* SPDX-License-Identifier: Apache-2.0 */
/*
 * GlobalAveragePool, GlobalMaxPool, GlobalLpPool: one number per channel.
 */
#include "nn/ops/op.h"
#include "nn/ops/table.h"

#include <math.h>

typedef enum global_kind { GLOBAL_AVERAGE, GLOBAL_MAX, GLOBAL_LP } global_kind;

static vt_status global_infer(vt_op_args *args, vt_error *error)
{
    vt_status status = vt_op_check_type(args, 0, VT_TYPES_FLOAT, error);
    if (status == VT_OK)
        status = vt_op_check_rank(args, 0, 2, VT_MAX_RANK, error);
    if (status != VT_OK)
        return status;
    vt_shape shape = args->inputs[0].shape;
    for (int i = 2; i < shape.rank; i++)
        shape.dims[i] = 1;
    vt_op_set_output(args, 0, args->inputs[0].dtype, &shape);
    return VT_OK;
}

static double global_value(const vt_tensor *x, size_t start, size_t count, global_kind kind,
                           double p)
{
    double run[VT_RUN], sum = kind == GLOBAL_MAX ? -INFINITY : 0.0;
    for (size_t done = 0; done < count; done += VT_RUN) {
        size_t part = count - done < VT_RUN ? count - done : VT_RUN;
        vt_load_f64(x->dtype, x->data, start + done, part, run);
        for (size_t i = 0; i < part; i++) {
            if (kind == GLOBAL_MAX)
                sum = run[i] > sum || isnan(run[i]) ? run[i] : sum;
            else
                sum += kind == GLOBAL_LP ? pow(fabs(run[i]), p) : run[i];
        }
    }
    if (kind == GLOBAL_LP)
        return pow(sum, 1.0 / p);
    return kind == GLOBAL_AVERAGE ? sum / (double)count : sum;
}

static vt_status global_run(vt_op_args *args, global_kind kind, double p)
{
    const vt_tensor *x = &args->inputs[0];
    vt_tensor *y = &args->outputs[0];
    size_t planes = vt_shape_product(&x->shape, 0, 2);
    size_t plane = vt_tensor_count(x) / (planes == 0 ? 1 : planes);
    for (size_t i = 0; i < planes; i++) {
        double value = global_value(x, i * plane, plane, kind, p);
        vt_store_f64(y->dtype, y->data, i, 1, &value);
    }
    return VT_OK;
}

static vt_status average_reference(vt_op_args *args, vt_error *error)
{
    (void)error;
    return global_run(args, GLOBAL_AVERAGE, 1.0);
}

static vt_status max_reference(vt_op_args *args, vt_error *error)
{
    (void)error;
    return global_run(args, GLOBAL_MAX, 1.0);
}

static vt_status lp_reference(vt_op_args *args, vt_error *error)
{
    int64_t p;
    vt_status status = vt_op_int_between(args, "p", 2, (const int64_t[]){1, 1 << 20}, &p, error);
    return status == VT_OK ? global_run(args, GLOBAL_LP, (double)p) : status;
}

const vt_op vt_ops_global_pool[] = {
    {"GlobalAveragePool", "", 1, 0, 1, 1, 1, 1, .infer = global_infer,
     .reference = average_reference},
    {"GlobalMaxPool", "", 1, 0, 1, 1, 1, 1, .infer = global_infer, .reference = max_reference},
    {"GlobalLpPool", "", 2, 0, 1, 1, 1, 1, "p:i", .infer = global_infer, .reference = lp_reference},
    {0},
};
