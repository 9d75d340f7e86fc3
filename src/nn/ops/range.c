/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Range: start, start + delta, ... up to but without limit.
 */
#include "nn/ops/op.h"
#include "nn/ops/table.h"

#include <math.h>

static vt_status range_count_integer(const int64_t values[3], int64_t *count, vt_error *error)
{
    if (values[2] == 0)
        return vt_fail(error, VT_ERR_FORMAT, "delta is 0");
    bool up = values[2] > 0;
    uint64_t low = (uint64_t)(up ? values[0] : values[1]);
    uint64_t high = (uint64_t)(up ? values[1] : values[0]);
    uint64_t delta = up ? (uint64_t)values[2] : 0 - (uint64_t)values[2];
    uint64_t distance = (int64_t)high > (int64_t)low ? high - low : 0;
    uint64_t steps = distance / delta + (distance % delta > 0);
    *count = steps > INT64_MAX ? INT64_MAX : (int64_t)steps;
    return VT_OK;
}

static vt_status range_count_float(const double values[3], int64_t *count, vt_error *error)
{
    double steps = ceil((values[1] - values[0]) / values[2]);
    if (values[2] == 0.0 || isnan(steps))
        return vt_fail(error, VT_ERR_FORMAT, "start %g, limit %g, delta %g give no range",
                       values[0], values[1], values[2]);
    *count = steps >= 0x1p62 ? INT64_MAX : (steps > 0.0 ? (int64_t)steps : 0);
    return VT_OK;
}

static vt_status range_infer(vt_op_args *args, vt_error *error)
{
    int64_t integers[3], count = 0;
    double floats[3];
    vt_dtype dtype = args->inputs[0].dtype;
    vt_status status = vt_op_check_same(
        args, VT_TYPES_FLOAT | VT_TYPE(VT_I16) | VT_TYPE(VT_I32) | VT_TYPE(VT_I64), error);
    for (size_t i = 0; i < 3 && status == VT_OK; i++) {
        if (vt_tensor_count(&args->inputs[i]) != 1)
            return vt_fail(error, VT_ERR_FORMAT, "input %zu is not a single number", i);
        if (!vt_op_is_known(&args->inputs[i]))
            return vt_fail(error, VT_ERR_UNSUPPORTED,
                           "the value of input %zu is needed to plan but is computed from the data",
                           i);
        vt_load_i64(dtype, args->inputs[i].data, 0, 1, &integers[i]);
        vt_load_f64(dtype, args->inputs[i].data, 0, 1, &floats[i]);
    }
    if (status == VT_OK)
        status = vt_dtype_is_float(dtype) ? range_count_float(floats, &count, error)
                                          : range_count_integer(integers, &count, error);
    if (status != VT_OK)
        return status;
    vt_shape shape = vt_shape_of(1, &count);
    vt_op_set_output(args, 0, dtype, &shape);
    return VT_OK;
}

static vt_status range_reference(vt_op_args *args, vt_error *error)
{
    (void)error;
    vt_tensor *y = &args->outputs[0];
    const vt_tensor *start = &args->inputs[0], *delta = &args->inputs[2];
    size_t count = vt_tensor_count(y);
    int64_t first, step;
    vt_load_i64(start->dtype, start->data, 0, 1, &first);
    vt_load_i64(delta->dtype, delta->data, 0, 1, &step);
    for (size_t i = 0; i < count; i++) {
        if (vt_dtype_is_float(y->dtype)) {
            double value = vt_tensor_get(start, 0) + (double)i * vt_tensor_get(delta, 0);
            vt_store_f64(y->dtype, y->data, i, 1, &value);
        } else {
            int64_t value = (int64_t)((uint64_t)first + i * (uint64_t)step);
            vt_store_i64(y->dtype, y->data, i, 1, &value);
        }
    }
    return VT_OK;
}

const vt_op vt_ops_range[] = {
    {"Range", "", 11, 0, 3, 3, 1, 1, .shape_inputs = 0x7, .infer = range_infer,
     .reference = range_reference},
    {0},
};
