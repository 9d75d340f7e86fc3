/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Conv: 1 to 6 spatial dimensions, groups, strides, dilation, padding.
 *
 * The reference widens everything to f64 and, for each pair of output and input channel and each
 * kernel tap, adds one scaled, shifted input plane onto the output plane: the same sums as the
 * textbook loop, with a contiguous innermost loop.
 */
#include "nn/ops/conv.h"
#include "nn/ops/table.h"

vt_status vt_conv_init(vt_conv *conv, const vt_shape *w, const vt_tensor *bias,
                       const vt_op_args *args, vt_error *error)
{
    const vt_shape *x = &args->inputs[0].shape;
    int64_t group = 1;
    vt_status status = vt_op_check_rank(args, 0, 3, VT_MAX_RANK, error);
    if (status == VT_OK && w->rank != x->rank)
        status = vt_fail(error, VT_ERR_FORMAT, "weights of %d dimensions on an input of %d",
                         w->rank, x->rank);
    if (status == VT_OK)
        status =
            vt_op_int_between(args, "group", 1, (const int64_t[]){1, INT32_MAX}, &group, error);
    if (status != VT_OK)
        return status;
    if (x->dims[1] % group != 0 || x->dims[1] / group != w->dims[1])
        return vt_fail(error, VT_ERR_FORMAT,
                       "input of %lld channels in %lld groups, the weights take %lld per group",
                       (long long)x->dims[1], (long long)group, (long long)w->dims[1]);
    if (w->dims[0] % group != 0)
        return vt_fail(error, VT_ERR_FORMAT, "%lld output channels do not divide into %lld groups",
                       (long long)w->dims[0], (long long)group);
    if (bias != NULL && (bias->shape.rank != 1 || bias->shape.dims[0] != w->dims[0]))
        return vt_fail(error, VT_ERR_FORMAT, "bias does not have one number per output channel");
    *conv = (vt_conv){.batch = (size_t)x->dims[0],
                      .in_channels = (size_t)x->dims[1],
                      .out_channels = (size_t)w->dims[0],
                      .group_ins = (size_t)w->dims[1],
                      .group_outs = (size_t)(w->dims[0] / group)};
    status = vt_window_init(&conv->window, args, w->dims + 2, error);
    if (status != VT_OK)
        return status;
    vt_shape y = vt_conv_output(conv);
    conv->in_plane = vt_shape_product(x, 2, x->rank);
    conv->out_plane = vt_shape_product(&y, 2, y.rank);
    conv->kernel_elements = vt_shape_product(w, 2, w->rank);
    return VT_OK;
}

vt_shape vt_conv_output(const vt_conv *conv)
{
    vt_shape shape = {.rank = conv->window.rank + 2,
                      .dims = {(int64_t)conv->batch, (int64_t)conv->out_channels}};
    for (int i = 0; i < conv->window.rank; i++)
        shape.dims[2 + i] = conv->window.out[i];
    return shape;
}

static vt_status conv_infer(vt_op_args *args, vt_error *error)
{
    vt_conv conv;
    vt_status status = vt_op_check_same(args, VT_TYPES_FLOAT, error);
    if (status == VT_OK)
        status = vt_conv_init(&conv, &args->inputs[1].shape, vt_op_input(args, 2), args, error);
    if (status != VT_OK)
        return status;
    vt_shape shape = vt_conv_output(&conv);
    vt_op_set_output(args, 0, args->inputs[0].dtype, &shape);
    return VT_OK;
}

void vt_conv_plane(const vt_conv *conv, size_t n, size_t out, double start, double *sum)
{
    size_t in = n * conv->in_channels + out / conv->group_outs * conv->group_ins;
    for (size_t k = 0; k < conv->out_plane; k++)
        sum[k] = start;
    for (size_t c = 0; c < conv->group_ins; c++)
        vt_window_add(&conv->window, conv->w + (out * conv->group_ins + c) * conv->kernel_elements,
                      false, conv->x + (in + c) * conv->in_plane, sum);
}

/* Everything widened to f64; sum holds one output plane. */
typedef struct conv_work {
    double *x, *w, *bias, *sum;
} conv_work;

static void conv_run(const vt_conv *conv, const conv_work *work, vt_tensor *y)
{
    for (size_t plane = 0; plane < conv->batch * conv->out_channels; plane++) {
        size_t out = plane % conv->out_channels;
        vt_conv_plane(conv, plane / conv->out_channels, out,
                      work->bias == NULL ? 0.0 : work->bias[out], work->sum);
        vt_store_f64(y->dtype, y->data, plane * conv->out_plane, conv->out_plane, work->sum);
    }
}

static vt_status conv_reference(vt_op_args *args, vt_error *error)
{
    vt_conv conv;
    conv_work work = {0};
    const vt_tensor *bias = vt_op_input(args, 2);
    vt_status status = vt_conv_init(&conv, &args->inputs[1].shape, bias, args, error);
    if (status == VT_OK)
        status = vt_op_widen(&args->inputs[0], &work.x, error);
    if (status == VT_OK)
        status = vt_op_widen(&args->inputs[1], &work.w, error);
    if (status == VT_OK && bias != NULL)
        status = vt_op_widen(bias, &work.bias, error);
    if (status == VT_OK) {
        work.sum = vt_alloc_array(conv.out_plane, sizeof(*work.sum));
        if (work.sum == NULL)
            status = vt_fail_memory(error, "an output plane");
    }
    if (status == VT_OK) {
        conv.x = work.x;
        conv.w = work.w;
        conv_run(&conv, &work, &args->outputs[0]);
    }
    vt_free(work.x);
    vt_free(work.w);
    vt_free(work.bias);
    vt_free(work.sum);
    return status;
}

uint64_t vt_conv_macs(uint64_t outputs, const vt_shape *w)
{
    uint64_t macs;
    for (int i = 1; i < w->rank; i++) {
        if (__builtin_mul_overflow(outputs, (uint64_t)w->dims[i], &macs))
            return UINT64_MAX;
        outputs = macs;
    }
    return outputs;
}

static uint64_t conv_macs(const vt_op_args *args)
{
    return vt_conv_macs(vt_tensor_count(&args->outputs[0]), &args->inputs[1].shape);
}

const vt_op vt_ops_conv[] = {
    {"Conv", "", 1, 0, 2, 3, 1, 1, "auto_pad:s dilations:I group:i kernel_shape:I pads:I strides:I",
     .infer = conv_infer, .reference = conv_reference, .macs = conv_macs},
    {0},
};
