/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Pad: more (or, with negative numbers, fewer) elements at both ends of every axis; constant, edge,
 * reflect and wrap.
 *
 * The reference makes for each axis a list that names the source coordinate of every target
 * coordinate; a coordinate without source takes the constant.
 */
#include "nn/ops/op.h"
#include "nn/ops/table.h"

#include <string.h>

typedef enum pad_mode { PAD_CONSTANT, PAD_EDGE, PAD_REFLECT, PAD_WRAP } pad_mode;

static vt_status pad_mode_of(const vt_op_args *args, pad_mode *mode, vt_error *error)
{
    static const char *const names[] = {"constant", "edge", "reflect", "wrap"};
    const char *text = vt_node_text(args->node, "mode", "constant");
    for (int i = 0; i < 4; i++) {
        if (strcmp(text, names[i]) == 0 && (i != PAD_WRAP || args->node->opset >= 19)) {
            *mode = (pad_mode)i;
            return VT_OK;
        }
    }
    return vt_fail(error, VT_ERR_FORMAT, "attribute \"mode\" is \"%.40s\"", text);
}

vt_status vt_pad_read(const vt_op_args *args, int64_t begin[VT_MAX_RANK], int64_t end[VT_MAX_RANK],
                      vt_error *error)
{
    int64_t pads[2 * VT_MAX_RANK], axes[VT_MAX_RANK];
    bool marks[VT_MAX_RANK];
    int count, named = -1, rank = args->inputs[0].shape.rank;
    vt_status status = vt_op_ints(args, 1, "pads", pads, 2 * VT_MAX_RANK, &count, error);
    if (status == VT_OK && vt_op_input(args, 3) != NULL)
        status = vt_op_input_ints(args, 3, axes, VT_MAX_RANK, &named, error);
    for (int i = 0; i < rank && named < 0; i++)
        axes[i] = i;
    named = named < 0 ? rank : named;
    if (status == VT_OK && count != 2 * named)
        status = vt_fail(error, VT_ERR_FORMAT, "%d pads for %d axes", count, named);
    if (status == VT_OK)
        status = vt_op_axes(axes, named, rank, marks, error);
    if (status != VT_OK)
        return status;
    memset(begin, 0, VT_MAX_RANK * sizeof(*begin));
    memset(end, 0, VT_MAX_RANK * sizeof(*end));
    for (int i = 0; i < named; i++) {
        int64_t axis = axes[i] < 0 ? axes[i] + rank : axes[i];
        begin[axis] = pads[i];
        end[axis] = pads[named + i];
    }
    return VT_OK;
}

static vt_status pad_infer(vt_op_args *args, vt_error *error)
{
    pad_mode mode = PAD_CONSTANT;
    int64_t begin[VT_MAX_RANK], end[VT_MAX_RANK];
    vt_shape shape = args->inputs[0].shape;
    const vt_tensor *value = vt_op_input(args, 2);
    vt_status status = pad_mode_of(args, &mode, error);
    if (status == VT_OK)
        status = vt_pad_read(args, begin, end, error);
    if (status == VT_OK && value != NULL &&
        (value->dtype != args->inputs[0].dtype || vt_tensor_count(value) != 1))
        status = vt_fail(error, VT_ERR_FORMAT, "input 2 is not one number of the input's type");
    for (int i = 0; i < shape.rank && status == VT_OK; i++) {
        int64_t have = shape.dims[i];
        if (__builtin_add_overflow(shape.dims[i], begin[i], &shape.dims[i]) ||
            __builtin_add_overflow(shape.dims[i], end[i], &shape.dims[i]) || shape.dims[i] < 0)
            status = vt_fail(error, VT_ERR_FORMAT, "axis %d of %lld with pads %lld and %lld", i,
                             (long long)have, (long long)begin[i], (long long)end[i]);
        else if (mode != PAD_CONSTANT && have == 0 && shape.dims[i] > 0)
            status = vt_fail(error, VT_ERR_FORMAT, "axis %d is empty, nothing to repeat", i);
    }
    if (status == VT_OK)
        vt_op_set_output(args, 0, args->inputs[0].dtype, &shape);
    return status;
}

/* The source coordinate for target coordinate `at`, already shifted by the begin padding; -1: none.
 */
static int64_t pad_source(pad_mode mode, int64_t at, int64_t length)
{
    if (at >= 0 && at < length)
        return at;
    if (mode == PAD_CONSTANT)
        return -1;
    if (mode == PAD_EDGE)
        return at < 0 ? 0 : length - 1;
    int64_t period = mode == PAD_WRAP ? length : 2 * (length - 1);
    if (period == 0)
        return 0;
    at %= period;
    at += at < 0 ? period : 0;
    return at < length ? at : period - at;
}

vt_status vt_pad_picks(const vt_op_args *args, vt_picks *picks, vt_error *error)
{
    pad_mode mode = PAD_CONSTANT;
    int64_t begin[VT_MAX_RANK], end[VT_MAX_RANK];
    const vt_shape *from = &args->inputs[0].shape;
    vt_status status = pad_mode_of(args, &mode, error);
    if (status == VT_OK)
        status = vt_pad_read(args, begin, end, error);
    if (status == VT_OK)
        status = vt_picks_init(picks, &args->outputs[0].shape, error);
    for (int i = 0; i < from->rank && status == VT_OK; i++)
        for (int64_t k = 0; k < picks->dims[i]; k++)
            picks->lists[i][k] = pad_source(mode, k - begin[i], from->dims[i]);
    return status;
}

static vt_status pad_reference(vt_op_args *args, vt_error *error)
{
    const vt_tensor *x = &args->inputs[0], *value = vt_op_input(args, 2);
    vt_picks picks;
    uint8_t constant[8] = {0};
    vt_status status = vt_pad_picks(args, &picks, error);
    if (status != VT_OK)
        return status;
    double attribute = (double)vt_node_float(args->node, "value", 0.0f);
    if (value != NULL)
        memcpy(constant, value->data, vt_dtype_bytes(x->dtype));
    else if (attribute != 0.0)
        vt_store_f64(x->dtype, constant, 0, 1, &attribute);
    vt_pick_run(&picks, x, constant, args->outputs[0].data);
    vt_picks_deinit(&picks);
    return VT_OK;
}

const vt_op vt_ops_pad[] = {
    {"Pad", "", 2, 10, 1, 1, 1, 1, "mode:s pads:I! value:f", .infer = pad_infer,
     .reference = pad_reference},
    {"Pad", "", 11, 17, 2, 3, 1, 1, "mode:s", .shape_inputs = 1u << 1, .infer = pad_infer,
     .reference = pad_reference},
    {"Pad", "", 18, 0, 2, 4, 1, 1, "mode:s", .shape_inputs = 1u << 1 | 1u << 3, .infer = pad_infer,
     .reference = pad_reference},
    {0},
};
