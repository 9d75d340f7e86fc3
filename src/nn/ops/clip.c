/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Clip: into [min, max], bounds from attributes (opset 6) or inputs (11).
 *
 * As in the specification min(max(x, low), high): with low above high everything becomes high. A
 * bound that is left out (opset 11) does not bound; in opset 6 it is the largest finite f32.
 */
#include "nn/ops/op.h"
#include "nn/ops/table.h"

#include <float.h>

static vt_status clip_infer(vt_op_args *args, vt_error *error)
{
    vt_status status = vt_op_check_same(args, VT_TYPES_NUMBER, error);
    for (size_t i = 1; i < 3 && status == VT_OK; i++) {
        const vt_tensor *bound = vt_op_input(args, i);
        if (bound != NULL && vt_tensor_count(bound) != 1)
            status = vt_fail(error, VT_ERR_FORMAT, "input %zu is not a single number", i);
    }
    if (status == VT_OK)
        vt_op_set_output(args, 0, args->inputs[0].dtype, &args->inputs[0].shape);
    return status;
}

/* Bounds by lane; has: which of low and high are given. */
typedef struct clip_bounds {
    bool has[2], is_signed;
    double f64[2];
    int64_t i64[2];
} clip_bounds;

static clip_bounds clip_bounds_of(const vt_op_args *args)
{
    clip_bounds bounds = {.is_signed = (VT_TYPE(args->inputs[0].dtype) & VT_TYPES_SIGNED) != 0};
    for (size_t i = 0; i < 2; i++) {
        const vt_tensor *input = vt_op_input(args, i + 1);
        if (args->node->opset < 11) {
            bounds.has[i] = true;
            bounds.f64[i] = (double)vt_node_float(args->node, i == 0 ? "min" : "max",
                                                  i == 0 ? -FLT_MAX : FLT_MAX);
        } else if (input != NULL) {
            bounds.has[i] = true;
            vt_load_f64(input->dtype, input->data, 0, 1, &bounds.f64[i]);
            vt_load_i64(input->dtype, input->data, 0, 1, &bounds.i64[i]);
        }
    }
    return bounds;
}

static double clip_f64(double x, const clip_bounds *bounds)
{
    if (bounds->has[0] && x < bounds->f64[0])
        x = bounds->f64[0];
    return bounds->has[1] && x > bounds->f64[1] ? bounds->f64[1] : x;
}

static int64_t clip_i64(int64_t x, const clip_bounds *bounds)
{
    /* Flipping the top bit orders unsigned numbers as signed ones. */
    uint64_t flip = bounds->is_signed ? 0 : UINT64_C(1) << 63;
    int64_t low = (int64_t)((uint64_t)bounds->i64[0] ^ flip);
    int64_t high = (int64_t)((uint64_t)bounds->i64[1] ^ flip);
    x = (int64_t)((uint64_t)x ^ flip);
    if (bounds->has[0] && x < low)
        x = low;
    if (bounds->has[1] && x > high)
        x = high;
    return (int64_t)((uint64_t)x ^ flip);
}

static vt_status clip_reference(vt_op_args *args, vt_error *error)
{
    (void)error;
    const vt_tensor *x = &args->inputs[0];
    vt_tensor *y = &args->outputs[0];
    clip_bounds bounds = clip_bounds_of(args);
    size_t count = vt_tensor_count(x);
    for (size_t start = 0; start < count; start += VT_RUN) {
        double wide[VT_RUN];
        int64_t whole[VT_RUN];
        size_t part = count - start < VT_RUN ? count - start : VT_RUN;
        if (vt_dtype_is_float(x->dtype)) {
            vt_load_f64(x->dtype, x->data, start, part, wide);
            for (size_t i = 0; i < part; i++)
                wide[i] = clip_f64(wide[i], &bounds);
            vt_store_f64(y->dtype, y->data, start, part, wide);
        } else {
            vt_load_i64(x->dtype, x->data, start, part, whole);
            for (size_t i = 0; i < part; i++)
                whole[i] = clip_i64(whole[i], &bounds);
            vt_store_i64(y->dtype, y->data, start, part, whole);
        }
    }
    return VT_OK;
}

static vt_status clip_infer_float(vt_op_args *args, vt_error *error)
{
    vt_status status = vt_op_check_type(args, 0, VT_TYPES_FLOAT, error);
    return status == VT_OK ? clip_infer(args, error) : status;
}

const vt_op vt_ops_clip[] = {
    {"Clip", "", 6, 10, 1, 1, 1, 1, "min:f max:f", .infer = clip_infer_float,
     .reference = clip_reference},
    {"Clip", "", 11, 0, 1, 3, 1, 1, .infer = clip_infer, .reference = clip_reference},
    {0},
};
