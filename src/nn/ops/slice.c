/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Slice: start, end and step per axis, clamped to the tensor; attributes until opset 9, inputs with
 * steps, also negative ones, from 10 on.
 */
#include "nn/ops/op.h"
#include "nn/ops/table.h"

/* Resolved for every axis: first element, step, and how many. */
typedef struct slice_range {
    int64_t start[VT_MAX_RANK], step[VT_MAX_RANK], count[VT_MAX_RANK];
} slice_range;

static int64_t clamp(int64_t x, int64_t low, int64_t high)
{
    return x < low ? low : (x > high ? high : x);
}

static void slice_resolve_axis(slice_range *range, int axis, int64_t length,
                               const int64_t limits[3])
{
    int64_t start = limits[0] < 0 ? limits[0] + length : limits[0];
    int64_t end = limits[1] < 0 ? limits[1] + length : limits[1];
    int64_t step = limits[2];
    uint64_t distance, stride = step > 0 ? (uint64_t)step : 0 - (uint64_t)step;
    if (step > 0) {
        start = clamp(start, 0, length);
        end = clamp(end, 0, length);
        distance = end > start ? (uint64_t)(end - start) : 0;
    } else {
        start = clamp(start, 0, length - 1);
        end = clamp(end, -1, length - 1);
        distance = start > end ? (uint64_t)(start - end) : 0;
    }
    range->start[axis] = start;
    range->step[axis] = step;
    range->count[axis] = length == 0 ? 0 : (int64_t)(distance / stride + (distance % stride > 0));
}

static vt_status slice_read(const vt_op_args *args, int64_t limits[3][VT_MAX_RANK],
                            int64_t axes[VT_MAX_RANK], int *count, vt_error *error)
{
    int ends, named, steps;
    vt_status status = vt_op_ints(args, 1, "starts", limits[0], VT_MAX_RANK, count, error);
    if (status == VT_OK)
        status = vt_op_ints(args, 2, "ends", limits[1], VT_MAX_RANK, &ends, error);
    if (status == VT_OK)
        status = vt_op_ints(args, 3, "axes", axes, VT_MAX_RANK, &named, error);
    if (status == VT_OK)
        status = vt_op_ints(args, 4, "steps", limits[2], VT_MAX_RANK, &steps, error);
    if (status != VT_OK)
        return status;
    for (int i = 0; i < VT_MAX_RANK; i++) {
        axes[i] = named < 0 ? i : axes[i];
        limits[2][i] = steps < 0 ? 1 : limits[2][i];
    }
    if (*count < 0 || ends != *count || (named >= 0 && named != *count) ||
        (steps >= 0 && steps != *count))
        return vt_fail(error, VT_ERR_FORMAT, "starts, ends, axes and steps differ in length");
    return VT_OK;
}

static vt_status slice_resolve(const vt_op_args *args, slice_range *range, vt_error *error)
{
    const vt_shape *shape = &args->inputs[0].shape;
    int64_t limits[3][VT_MAX_RANK] = {0}, axes[VT_MAX_RANK] = {0};
    bool marks[VT_MAX_RANK];
    int count = 0, axis;
    vt_status status = slice_read(args, limits, axes, &count, error);
    if (status == VT_OK)
        status = vt_op_axes(axes, count, shape->rank, marks, error);
    for (int i = 0; i < shape->rank; i++) {
        range->start[i] = 0;
        range->step[i] = 1;
        range->count[i] = shape->dims[i];
    }
    for (int i = 0; i < count && status == VT_OK; i++) {
        status = vt_op_axis(axes[i], shape->rank, &axis, error);
        if (status == VT_OK && limits[2][i] == 0)
            status = vt_fail(error, VT_ERR_FORMAT, "step 0 along axis %d", axis);
        if (status == VT_OK)
            slice_resolve_axis(range, axis, shape->dims[axis],
                               (const int64_t[]){limits[0][i], limits[1][i], limits[2][i]});
    }
    return status;
}

vt_status vt_slice_ranges(const vt_op_args *args, int64_t start[VT_MAX_RANK],
                          int64_t step[VT_MAX_RANK], vt_error *error)
{
    slice_range range;
    vt_status status = slice_resolve(args, &range, error);
    for (int i = 0; status == VT_OK && i < args->inputs[0].shape.rank; i++) {
        start[i] = range.start[i];
        step[i] = range.count[i] <= 1 ? 1 : range.step[i];
    }
    return status;
}

static vt_status slice_infer(vt_op_args *args, vt_error *error)
{
    slice_range range;
    vt_shape shape = args->inputs[0].shape;
    vt_status status = slice_resolve(args, &range, error);
    if (status != VT_OK)
        return status;
    for (int i = 0; i < shape.rank; i++)
        shape.dims[i] = range.count[i];
    vt_op_set_output(args, 0, args->inputs[0].dtype, &shape);
    return VT_OK;
}

static vt_status slice_reference(vt_op_args *args, vt_error *error)
{
    slice_range range;
    const vt_tensor *x = &args->inputs[0];
    size_t from[VT_MAX_RANK], to[VT_MAX_RANK], start = 0;
    vt_status status = slice_resolve(args, &range, error);
    if (status != VT_OK)
        return status;
    vt_copy copy = {.rank = x->shape.rank, .bytes = vt_dtype_bytes(x->dtype)};
    vt_shape_strides(&x->shape, from);
    vt_shape_strides(&args->outputs[0].shape, to);
    for (int i = 0; i < copy.rank; i++) {
        /* A step that is never taken may be any number. */
        int64_t step = range.count[i] == 1 ? 1 : range.step[i];
        copy.dims[i] = range.count[i];
        copy.from[i] = (int64_t)from[i] * step;
        copy.to[i] = (int64_t)to[i];
        start += from[i] * (size_t)range.start[i];
    }
    vt_copy_run(&copy, (const char *)x->data + start * copy.bytes, args->outputs[0].data);
    return VT_OK;
}

const vt_op vt_ops_slice[] = {
    {"Slice", "", 1, 9, 1, 1, 1, 1, "axes:I ends:I! starts:I!", .infer = slice_infer,
     .reference = slice_reference},
    {"Slice", "", 10, 0, 3, 5, 1, 1, .shape_inputs = 0x1e, .infer = slice_infer,
     .reference = slice_reference},
    {0},
};
