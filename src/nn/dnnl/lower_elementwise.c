/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Programs of elementwise operations as fused loops of our own (kernels/loop.c).
 *
 * Method: when an operand of the result's shape lies in blocks, the result is made in that layout,
 * and the other operands of that shape are brought into it; what is broadcast is read from
 * row-major order with the strides that the blocked order needs. Else all is row-major. Floats of
 * 16 bits are converted on the way in, and on the way out when somebody asks.
 */
#include "nn/dnnl/lower.h"

#include "nn/ops/op.h"

/* An axis of the result's memory: how many elements, and how far along which dimension. */
typedef struct part {
    int axis;
    size_t size, step;
} part;

typedef struct arrangement {
    part parts[VT_LOOP_RANK]; /* outermost first */
    int count;
} arrangement;

static void arrange_plain(const vt_shape *shape, arrangement *out)
{
    out->count = shape->rank;
    for (int i = 0; i < shape->rank; i++) {
        out->parts[i] = (part){i, (size_t)shape->dims[i], 1};
    }
}

/* Outer parts by falling strides, then blocks as listed. */
static void list_parts(const vt_layout_view *view, const int64_t in_block[], arrangement *out)
{
    int64_t step[VT_LAYOUT_MAX_RANK];
    out->count = 0;
    for (int axis = 0; axis < view->rank; axis++) {
        int at = out->count++;
        step[axis] = in_block[axis];
        for (; at > 0 && view->strides[out->parts[at - 1].axis] < view->strides[axis]; at--) {
            out->parts[at] = out->parts[at - 1];
        }
        out->parts[at] =
            (part){axis, (size_t)(view->dims[axis] / in_block[axis]), (size_t)in_block[axis]};
    }
    for (int i = 0; i < view->block_count; i++) {
        int axis = (int)view->block_axes[i];
        step[axis] /= view->blocks[i];
        out->parts[out->count++] = (part){axis, (size_t)view->blocks[i], (size_t)step[axis]};
    }
}

/* False: not dense, or padded. */
static bool arrange_blocked(const vt_layout *layout, arrangement *out)
{
    vt_layout_view view = vt_layout_view_of(layout);
    int64_t in_block[VT_LAYOUT_MAX_RANK], expected = 1;
    if (!view.blocked || view.rank + view.block_count > VT_LOOP_RANK) {
        return false;
    }
    for (int axis = 0; axis < view.rank; axis++) {
        in_block[axis] = 1;
    }
    for (int i = 0; i < view.block_count; i++) {
        in_block[view.block_axes[i]] *= view.blocks[i];
        expected *= view.blocks[i];
    }
    for (int axis = 0; axis < view.rank; axis++) {
        if (view.padded[axis] != view.dims[axis] || view.dims[axis] % in_block[axis] != 0) {
            return false;
        }
    }
    list_parts(&view, in_block, out);
    for (int i = view.rank; i-- > 0;) {
        const part *outer = &out->parts[i];
        if (outer->size > 1 && view.strides[outer->axis] != expected) {
            return false;
        }
        expected *= (int64_t)outer->size;
    }
    return true;
}

/* Where the elements of a broadcast operand in row-major order are. */
static void broadcast_strides(const vt_shape *shape, const vt_shape *result,
                              const arrangement *order, size_t strides[VT_LOOP_RANK])
{
    vt_broadcast broadcast;
    vt_broadcast_init(&broadcast, shape, result);
    for (int i = 0; i < order->count; i++) {
        strides[i] = broadcast.strides[order->parts[i].axis] * order->parts[i].step;
    }
}

/* Those of an operand that lies as the result does. */
static void same_strides(const arrangement *order, size_t strides[VT_LOOP_RANK])
{
    size_t stride = 1;
    for (int i = order->count; i-- > 0;) {
        strides[i] = stride;
        stride *= order->parts[i].size;
    }
}

static bool is_whole(const vt_op_args *args, size_t input)
{
    return args->inputs[input].dtype != VT_BOOL &&
           vt_shape_equal(&args->inputs[input].shape, &args->outputs[0].shape);
}

/* The layout of the first whole operand that lies in blocks that can be followed; NULL: row-major
 * it is. The caller's. */
static vt_status choose_layout(vt_dnnl *dnnl, const vt_step *step, const vt_op_args *args,
                               arrangement *order, vt_layout **out, vt_error *error)
{
    *out = NULL;
    for (size_t i = 0; args->outputs[0].dtype != VT_BOOL && i < step->node.input_count; i++) {
        vt_layout *layout = NULL;
        if (!is_whole(args, i) || dnnl->plan->values[step->node.inputs[i]].constant) {
            continue;
        }
        vt_status status = vt_dnnl_form_layout(dnnl, step->node.inputs[i], VT_F32, &layout, error);
        if (status != VT_OK) {
            return status;
        }
        if (!vt_layout_is_plain(layout) && arrange_blocked(layout, order)) {
            *out = layout;
            return VT_OK;
        }
        vt_layout_free(layout);
    }
    arrange_plain(&args->outputs[0].shape, order);
    return VT_OK;
}

/* Buffers of the operands and the result, and the space of the loop. */
static vt_status bind(vt_dnnl *dnnl, const vt_step *step, const vt_op_args *args,
                      const vt_layout *layout, const arrangement *order, vt_loop_space *space,
                      size_t *buffers, vt_error *error)
{
    const vt_tensor *result = &args->outputs[0];
    size_t count = step->node.input_count;
    *space = (vt_loop_space){
        .rank = order->count,
        .boolean_result = result->dtype == VT_BOOL,
        .threads = dnnl->threads,
    };
    for (int i = 0; i < order->count; i++) {
        space->sizes[i] = order->parts[i].size;
    }
    for (size_t i = 0; i < count; i++) {
        bool as_result = layout && is_whole(args, i);
        space->booleans[i] = args->inputs[i].dtype == VT_BOOL;
        if (as_result) {
            same_strides(order, space->strides[i]);
        } else {
            broadcast_strides(&args->inputs[i].shape, &result->shape, order, space->strides[i]);
        }
        vt_status status =
            vt_dnnl_form_get(dnnl, step->node.inputs[i], space->booleans[i] ? VT_BOOL : VT_F32,
                             as_result ? layout : NULL, &buffers[i], error);
        if (status != VT_OK) {
            return status;
        }
    }
    return vt_dnnl_form_make(dnnl, step->node.outputs[0], space->boolean_result ? VT_BOOL : VT_F32,
                             layout, &buffers[count], error);
}

/* f64 keeps its precision in the reference; posts are no part of a program. */
static bool is_possible(const vt_step *step, const vt_op_args *args)
{
    bool possible = step->post_count == 0 && args->outputs[0].dtype != VT_F64 &&
                    vt_tensor_count(&args->outputs[0]) > 0;
    for (size_t i = 0; i < step->node.input_count; i++) {
        possible = possible && args->inputs[i].dtype != VT_F64;
    }
    return possible;
}

vt_status vt_lower_elementwise(vt_dnnl *dnnl, const vt_step *step, vt_op_args *args, bool *done,
                               vt_error *error)
{
    vt_elementwise program;
    vt_loop_space space;
    arrangement order;
    vt_layout *layout = NULL;
    vt_loop *loop = NULL;
    size_t buffers[VT_ELEMENTWISE_INPUTS + 1];
    if (!is_possible(step, args)) {
        return VT_OK;
    }
    vt_status status = vt_elementwise_read(&step->node, &program, error);
    if (status == VT_OK) {
        status = choose_layout(dnnl, step, args, &order, &layout, error);
    }
    if (status == VT_OK) {
        status = bind(dnnl, step, args, layout, &order, &space, buffers, error);
    }
    vt_layout_free(layout);
    if (status == VT_OK) {
        status = vt_loop_new(&program, &space, &loop, error);
    }
    if (status == VT_OK) {
        *done = true;
        status = vt_dnnl_loop_add(dnnl, step, loop, buffers, error);
    }
    return status;
}

/* Expand: a loop that copies, over an operand that repeats. */
vt_status vt_lower_expand(vt_dnnl *dnnl, const vt_step *step, vt_op_args *args, bool *done,
                          vt_error *error)
{
    const vt_elementwise program = {
        .input_count = 1,
        .instruction_count = 1,
        .register_count = 2,
        .instructions = {{.code = VT_ELEMENTWISE_COPY, .target = 1, .sources = {0, -1, -1}}},
    };
    const vt_shape *result = &args->outputs[0].shape;
    vt_loop_space space = {.rank = result->rank, .threads = dnnl->threads};
    arrangement order;
    vt_loop *loop = NULL;
    size_t buffers[3]; /* one per operand of the step, and the result */
    if (args->inputs[0].dtype != VT_F32 || result->rank == 0) {
        return VT_OK;
    }
    arrange_plain(result, &order);
    for (int i = 0; i < result->rank; i++) {
        space.sizes[i] = order.parts[i].size;
    }
    broadcast_strides(&args->inputs[0].shape, result, &order, space.strides[0]);
    vt_status status =
        vt_dnnl_form_get(dnnl, step->node.inputs[0], VT_F32, NULL, &buffers[0], error);
    buffers[1] = buffers[0]; /* in the place of the shape, which no loop reads */
    if (status == VT_OK) {
        status = vt_dnnl_form_make(dnnl, step->node.outputs[0], VT_F32, NULL, &buffers[2], error);
    }
    if (status == VT_OK) {
        status = vt_loop_new(&program, &space, &loop, error);
    }
    if (status == VT_OK) {
        *done = true;
        status = vt_dnnl_loop_add(dnnl, step, loop, buffers, error);
    }
    return status;
}
