/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Gradients of Conv and ConvTranspose, and the two internal operators that they need.
 *
 * ConvolutionGradInput spreads the result's gradient over the pixels it was computed from;
 * ConvolutionGradWeights sums, for each tap, products of pixels and result gradients, and the
 * bias's gradient beside it. Both have Conv's attributes and the shape of what they make.
 * ConvTranspose is Conv with input and result exchanged, so its gradients are a Conv and the same
 * ConvolutionGradWeights.
 */
#include "nn/ops/conv.h"
#include "nn/ops/gradients.h"
#include "nn/ops/table.h"

/* The attribute "shape". */
static vt_status shape_attr(const vt_op_args *args, vt_shape *out, vt_error *error)
{
    out->rank = vt_node_ints(args->node, "shape", out->dims, VT_MAX_RANK);
    if (out->rank < 3 || out->rank > VT_MAX_RANK)
        return vt_fail(error, VT_ERR_FORMAT, "attribute \"shape\" has %d numbers", out->rank);
    return VT_OK;
}

/* The convolution from x (shape) with w (shape), as Conv's own code resolves it. */
static vt_status conv_of(const vt_op_args *args, const vt_shape *x, const vt_shape *w,
                         const vt_shape *dy, vt_conv *conv, vt_error *error)
{
    vt_tensor inputs[2] = {{.dtype = args->inputs[0].dtype, .shape = *x},
                           {.dtype = args->inputs[0].dtype, .shape = *w}};
    const vt_value_id present[2] = {0, 0};
    vt_node node = *args->node;
    node.inputs = (vt_value_id *)(uintptr_t)present;
    node.input_count = 2;
    const vt_op_args fake = {.graph = args->graph, .node = &node, .inputs = inputs};
    vt_status status = vt_conv_init(conv, w, NULL, &fake, error);
    if (status != VT_OK)
        return status;
    vt_shape result = vt_conv_output(conv);
    return vt_shape_equal(&result, dy)
               ? VT_OK
               : vt_fail(error, VT_ERR_FORMAT, "gradient does not have the result's shape");
}

vt_status vt_conv_gradient_init(vt_conv *conv, const vt_op_args *args, bool weights,
                                vt_error *error)
{
    vt_shape shape;
    vt_status status = shape_attr(args, &shape, error);
    if (status != VT_OK)
        return status;
    return weights
               ? conv_of(args, &args->inputs[0].shape, &shape, &args->inputs[1].shape, conv, error)
               : conv_of(args, &shape, &args->inputs[1].shape, &args->inputs[0].shape, conv, error);
}

static vt_status grad_input_infer(vt_op_args *args, vt_error *error)
{
    vt_conv conv;
    vt_shape shape;
    vt_status status = vt_op_check_same(args, VT_TYPES_FLOAT, error);
    if (status == VT_OK)
        status = vt_conv_gradient_init(&conv, args, false, error);
    if (status == VT_OK)
        status = shape_attr(args, &shape, error);
    if (status == VT_OK)
        vt_op_set_output(args, 0, args->inputs[0].dtype, &shape);
    return status;
}

static vt_status grad_weights_infer(vt_op_args *args, vt_error *error)
{
    vt_conv conv;
    vt_shape shape;
    vt_status status = vt_op_check_same(args, VT_TYPES_FLOAT, error);
    if (status == VT_OK)
        status = vt_conv_gradient_init(&conv, args, true, error);
    if (status == VT_OK)
        status = shape_attr(args, &shape, error);
    if (status != VT_OK)
        return status;
    vt_op_set_output(args, 0, args->inputs[0].dtype, &shape);
    vt_op_set_output(args, 1, args->inputs[0].dtype, &(vt_shape){1, {shape.dims[0]}});
    return VT_OK;
}

/* ---- references ---- */

/* One plane of the input's gradient. */
static void input_plane(const vt_conv *conv, size_t n, size_t in, double *plane)
{
    size_t group = in / conv->group_ins, c = in % conv->group_ins;
    for (size_t k = 0; k < conv->in_plane; k++)
        plane[k] = 0.0;
    for (size_t o = group * conv->group_outs; o < (group + 1) * conv->group_outs; o++)
        vt_window_add(&conv->window, conv->w + (o * conv->group_ins + c) * conv->kernel_elements,
                      true, conv->x + (n * conv->out_channels + o) * conv->out_plane, plane);
}

/* conv.x holds the result's gradient here. */
static vt_status grad_input_reference(vt_op_args *args, vt_error *error)
{
    vt_conv conv;
    double *dy = NULL, *w = NULL, *plane = NULL;
    vt_tensor *dx = &args->outputs[0];
    vt_status status = vt_conv_gradient_init(&conv, args, false, error);
    if (status == VT_OK)
        status = vt_op_widen(&args->inputs[0], &dy, error);
    if (status == VT_OK)
        status = vt_op_widen(&args->inputs[1], &w, error);
    if (status == VT_OK && (plane = vt_alloc_array(conv.in_plane, sizeof(*plane))) == NULL)
        status = vt_fail_memory(error, "a plane");
    for (size_t i = 0; status == VT_OK && i < conv.batch * conv.in_channels; i++) {
        conv.x = dy;
        conv.w = w;
        input_plane(&conv, i / conv.in_channels, i % conv.in_channels, plane);
        vt_store_f64(dx->dtype, dx->data, i * conv.in_plane, conv.in_plane, plane);
    }
    vt_free(dy);
    vt_free(w);
    vt_free(plane);
    return status;
}

typedef struct weights_work {
    double *x, *dy, *dw, *db; /* widened operands; one kernel, one bias per output channel */
} weights_work;

static void weights_run(const vt_conv *conv, const weights_work *work, vt_op_args *args)
{
    vt_tensor *dw = &args->outputs[0];
    size_t elements = conv->kernel_elements;
    for (size_t k = 0; k < conv->out_channels * conv->group_ins; k++) {
        size_t o = k / conv->group_ins;
        size_t in = o / conv->group_outs * conv->group_ins + k % conv->group_ins;
        for (size_t i = 0; i < elements; i++)
            work->dw[i] = 0.0;
        for (size_t n = 0; n < conv->batch; n++)
            vt_window_correlate(
                &conv->window, work->x + (n * conv->in_channels + in) * conv->in_plane,
                work->dy + (n * conv->out_channels + o) * conv->out_plane, work->dw);
        if (vt_op_wants(args, 0))
            vt_store_f64(dw->dtype, dw->data, k * elements, elements, work->dw);
    }
    for (size_t o = 0; vt_op_wants(args, 1) && o < conv->out_channels; o++) {
        double sum = 0.0;
        for (size_t n = 0; n < conv->batch; n++)
            for (size_t i = 0; i < conv->out_plane; i++)
                sum += work->dy[(n * conv->out_channels + o) * conv->out_plane + i];
        vt_store_f64(args->outputs[1].dtype, args->outputs[1].data, o, 1, &sum);
    }
}

static vt_status grad_weights_reference(vt_op_args *args, vt_error *error)
{
    vt_conv conv;
    weights_work work = {0};
    vt_status status = vt_conv_gradient_init(&conv, args, true, error);
    if (status == VT_OK)
        status = vt_op_widen(&args->inputs[0], &work.x, error);
    if (status == VT_OK)
        status = vt_op_widen(&args->inputs[1], &work.dy, error);
    if (status == VT_OK) {
        work.dw = vt_alloc_array(conv.kernel_elements, sizeof(*work.dw));
        if (work.dw == NULL)
            status = vt_fail_memory(error, "a kernel");
    }
    if (status == VT_OK)
        weights_run(&conv, &work, args);
    vt_free(work.x);
    vt_free(work.dy);
    vt_free(work.dw);
    return status;
}

static uint64_t grad_input_macs(const vt_op_args *args)
{
    return vt_conv_macs(vt_tensor_count(&args->inputs[0]), &args->inputs[1].shape);
}

static uint64_t grad_weights_macs(const vt_op_args *args)
{
    return vt_conv_macs(vt_tensor_count(&args->inputs[1]), &args->outputs[0].shape);
}

#define CONVOLUTION "auto_pad:s dilations:I group:i kernel_shape:I pads:I strides:I shape:I!"

const vt_op vt_ops_conv_gradient[] = {
    {"ConvolutionGradInput", VT_BACK_DOMAIN, 1, 0, 2, 2, 1, 1, CONVOLUTION, .flags = VT_OP_INTERNAL,
     .infer = grad_input_infer, .reference = grad_input_reference, .macs = grad_input_macs},
    {"ConvolutionGradWeights", VT_BACK_DOMAIN, 1, 0, 2, 2, 1, 2, CONVOLUTION,
     .flags = VT_OP_INTERNAL, .infer = grad_weights_infer, .reference = grad_weights_reference,
     .macs = grad_weights_macs},
    {0},
};

/* ---- rules ---- */

enum { MAXIMUM_ATTRS = 16 };

/* Attributes of Conv and the shape. */
static void emit(vt_backward *b, const vt_back_call *call, const vt_shape *shape,
                 vt_value_id *outputs, size_t output_count)
{
    vt_attr attrs[MAXIMUM_ATTRS];
    vt_back_call extended = *call;
    for (size_t i = 0; i < output_count; i++)
        outputs[i] = VT_NO_VALUE;
    if (call->attr_count + 1 > MAXIMUM_ATTRS) {
        vt_back_fail(b, "it has too many attributes");
        return;
    }
    for (size_t i = 0; i < call->attr_count; i++)
        attrs[i] = call->attrs[i];
    attrs[call->attr_count] = VT_BACK_INTS("shape", shape->dims, shape->rank);
    extended.attrs = attrs;
    extended.attr_count++;
    vt_back_nodes(b, &extended, outputs, output_count);
}

void vt_gradient_conv(vt_backward *b)
{
    vt_value_id x = vt_back_input(b, 0), w = vt_back_input(b, 1), dy = b->dy[0];
    const vt_shape x_shape = vt_back_shape(b, x), w_shape = vt_back_shape(b, w);
    vt_back_call call = {
        .attrs = b->node.attrs, .attr_count = b->node.attr_count, .input_count = 2};
    if (vt_back_wants(b, 0)) {
        call.op = "vitrine:ConvolutionGradInput";
        call.inputs = (const vt_value_id[]){dy, w};
        emit(b, &call, &x_shape, &b->dx[0], 1);
    }
    if (vt_back_wants(b, 1) || vt_back_wants(b, 2)) {
        bool bias = vt_back_wants(b, 2);
        vt_value_id made[2];
        call.op = "vitrine:ConvolutionGradWeights";
        call.inputs = (const vt_value_id[]){x, dy};
        emit(b, &call, &w_shape, made, bias ? 2 : 1);
        b->dx[1] = made[0];
        if (bias)
            b->dx[2] = made[1];
    }
}

/* The convolution that turns the result's gradient into the input's, with explicit padding; false:
 * its padding would be negative. */
static bool explicit_window(vt_backward *b, vt_window *window, int64_t *group,
                            int64_t pads[2 * VT_MAX_SPATIAL])
{
    vt_tensor inputs[3] = {{.dtype = VT_F32, .shape = vt_back_shape(b, vt_back_input(b, 0))},
                           {.dtype = VT_F32, .shape = vt_back_shape(b, vt_back_input(b, 1))},
                           {.dtype = VT_F32, .shape = vt_back_shape(b, vt_back_input(b, 2))}};
    const vt_op_args args = {.graph = b->plan->graph, .node = &b->node, .inputs = inputs};
    if (b->status == VT_OK)
        b->status = vt_conv_transpose_window(&args, window, group, b->error);
    bool possible = b->status == VT_OK;
    for (int i = 0; possible && i < window->rank; i++) {
        int64_t span = (window->kernel[i] - 1) * window->dilation[i] + 1;
        int64_t end =
            (window->out[i] - 1) * window->stride[i] + span - window->in[i] - window->pad_begin[i];
        pads[i] = window->pad_begin[i];
        pads[window->rank + i] = end > 0 ? end : 0;
        possible = end > -window->stride[i];
    }
    return possible;
}

void vt_gradient_conv_transpose(vt_backward *b)
{
    vt_value_id x = vt_back_input(b, 0), w = vt_back_input(b, 1), dy = b->dy[0];
    const vt_shape w_shape = vt_back_shape(b, w), y_shape = vt_back_shape(b, dy);
    vt_window window = {0};
    int64_t group = 1, pads[2 * VT_MAX_SPATIAL];
    if (!explicit_window(b, &window, &group, pads)) {
        vt_back_fail(b, "its output_padding is wider than its stride");
        return;
    }
    const vt_attr attrs[] = {VT_BACK_INTS("pads", pads, 2 * window.rank),
                             VT_BACK_INTS("strides", window.stride, window.rank),
                             VT_BACK_INTS("dilations", window.dilation, window.rank),
                             VT_BACK_INT("group", group)};
    vt_back_call call = {.op = "Conv", .attrs = attrs, .attr_count = 4, .input_count = 2};
    if (vt_back_wants(b, 0)) {
        call.inputs = (const vt_value_id[]){dy, w};
        b->dx[0] = vt_back_node(b, &call);
    }
    if (vt_back_wants(b, 1)) {
        call.op = "vitrine:ConvolutionGradWeights";
        call.inputs = (const vt_value_id[]){dy, x};
        emit(b, &call, &w_shape, &b->dx[1], 1);
    }
    if (vt_back_wants(b, 2)) {
        bool marks[VT_MAX_RANK];
        for (int i = 0; i < y_shape.rank; i++)
            marks[i] = i != 1;
        b->dx[2] =
            vt_back_reshape(b, vt_back_sum_axes(b, dy, marks), &(vt_shape){1, {y_shape.dims[1]}});
    }
}
