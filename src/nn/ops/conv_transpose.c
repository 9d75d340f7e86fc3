/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ConvTranspose: 1 to 6 spatial dimensions, groups, strides, dilation, padding of input and output.
 *
 * It is Conv with the roles of input and output exchanged: an input pixel is added, scaled by the
 * kernel, to all outputs that a Conv would have computed it from. The window is therefore kept the
 * way Conv sees it (`in`: this operator's output, `out`: its input). Where output_shape or auto_pad
 * fix the output size the padding follows from it; padding that would be negative is none, and what
 * no pixel reaches holds the bias.
 */
#include "nn/ops/op.h"
#include "nn/ops/table.h"

#include <string.h>

typedef struct transpose_plan {
    vt_window window; /* pad_begin is used, pad_end follows from the sizes */
    int64_t group;
} transpose_plan;

typedef struct transpose_numbers {
    int64_t declared[VT_MAX_SPATIAL], extra[VT_MAX_SPATIAL], pads[2 * VT_MAX_SPATIAL];
    int64_t size[VT_MAX_RANK];
    bool sized; /* output_shape is given */
} transpose_numbers;

static vt_status numbers_read(const vt_op_args *args, vt_window *window, transpose_numbers *numbers,
                              vt_error *error)
{
    int rank = window->rank;
    *numbers = (transpose_numbers){0};
    for (int i = 0; i < rank; i++)
        window->stride[i] = window->dilation[i] = 1;
    vt_status status = vt_window_numbers(args, "kernel_shape", 1, rank, numbers->declared, error);
    if (status == VT_OK)
        status = vt_window_numbers(args, "strides", 1, rank, window->stride, error);
    if (status == VT_OK)
        status = vt_window_numbers(args, "dilations", 1, rank, window->dilation, error);
    if (status == VT_OK)
        status = vt_window_numbers(args, "pads", 0, 2 * rank, numbers->pads, error);
    if (status == VT_OK)
        status = vt_window_numbers(args, "output_padding", 0, rank, numbers->extra, error);
    if (status != VT_OK)
        return status;
    /* Some exporters write N and C too. */
    int have = vt_node_ints(args->node, "output_shape", numbers->size, VT_MAX_RANK);
    numbers->sized = have > 0;
    if (have == rank + 2)
        memmove(numbers->size, numbers->size + 2, (size_t)rank * sizeof(*numbers->size));
    else if (have > 0 && have != rank)
        return vt_fail(error, VT_ERR_FORMAT, "attribute \"output_shape\" has %d numbers, not %d",
                       have, rank);
    for (int i = 0; i < rank && numbers->sized; i++)
        if (numbers->size[i] < 0 || numbers->size[i] > INT64_C(1) << 40)
            return vt_fail(error, VT_ERR_FORMAT, "attribute \"output_shape\" has %lld",
                           (long long)numbers->size[i]);
    return VT_OK;
}

/* One axis: output size and begin padding. */
static vt_status axis_resolve(vt_window *window, const transpose_numbers *numbers, int i,
                              vt_auto_pad mode, vt_error *error)
{
    int64_t pixels = window->out[i], stride = window->stride[i];
    /* stride * (pixels - 1): at most 2^71, so checked; the other terms are below 2^63 / 4. */
    int64_t reach = 0, span = (window->kernel[i] - 1) * window->dilation[i] + 1;
    if (pixels > 0 && __builtin_mul_overflow(pixels - 1, stride, &reach))
        reach = INT64_MAX;
    if (reach > INT64_C(1) << 61 || span > INT64_C(1) << 61)
        return vt_fail(error, VT_ERR_LIMIT, "output of 2^61 or more along axis %d", i);
    int64_t full = pixels == 0 ? 0 : reach + span + numbers->extra[i];
    if (!numbers->sized && (mode == VT_PAD_EXPLICIT || mode == VT_PAD_VALID)) {
        int64_t pads = numbers->pads[i] + numbers->pads[window->rank + i];
        window->pad_begin[i] = numbers->pads[i];
        window->in[i] = full - pads;
        if (pixels > 0 && window->in[i] < 0)
            return vt_fail(error, VT_ERR_FORMAT, "padding of %lld along axis %d leaves no output",
                           (long long)pads, i);
        window->in[i] = window->in[i] < 0 ? 0 : window->in[i];
        return VT_OK;
    }
    /* reach is stride * (pixels - 1) and both are at most 2^61 here, so this does not overflow. */
    window->in[i] = numbers->sized ? numbers->size[i] : pixels == 0 ? 0 : reach + stride;
    int64_t total = full > window->in[i] ? full - window->in[i] : 0;
    window->pad_begin[i] = mode == VT_PAD_SAME_UPPER ? total / 2 : total - total / 2;
    return VT_OK;
}

static vt_status window_resolve(const vt_op_args *args, vt_window *window, vt_error *error)
{
    const vt_shape *x = &args->inputs[0].shape, *w = &args->inputs[1].shape;
    vt_auto_pad mode = VT_PAD_EXPLICIT;
    transpose_numbers numbers;
    *window = (vt_window){.rank = x->rank - 2};
    vt_status status = numbers_read(args, window, &numbers, error);
    if (status == VT_OK)
        status = vt_window_auto_pad(args, &mode, error);
    if (status == VT_OK && mode == VT_PAD_VALID)
        memset(numbers.pads, 0, sizeof(numbers.pads));
    for (int i = 0; i < window->rank && status == VT_OK; i++) {
        window->out[i] = x->dims[2 + i];
        window->kernel[i] = w->dims[2 + i];
        if (window->kernel[i] < 1 || window->kernel[i] > VT_WINDOW_MAXIMUM)
            status = vt_fail(error, VT_ERR_FORMAT, "kernel of size %lld along axis %d",
                             (long long)window->kernel[i], i);
        else if (numbers.declared[i] != 0 && numbers.declared[i] != window->kernel[i])
            status = vt_fail(error, VT_ERR_FORMAT,
                             "attribute \"kernel_shape\" says %lld, the weights have %lld",
                             (long long)numbers.declared[i], (long long)window->kernel[i]);
        else
            status = axis_resolve(window, &numbers, i, mode, error);
    }
    return status;
}

vt_status vt_conv_transpose_window(const vt_op_args *args, vt_window *window, int64_t *group,
                                   vt_error *error)
{
    const vt_shape *x = &args->inputs[0].shape, *w = &args->inputs[1].shape;
    const vt_tensor *bias = vt_op_input(args, 2);
    vt_status status = vt_op_check_rank(args, 0, 3, VT_MAX_RANK, error);
    if (status == VT_OK)
        status = vt_op_check_rank(args, 1, x->rank, x->rank, error);
    if (status == VT_OK)
        status = vt_op_int_between(args, "group", 1, (const int64_t[]){1, INT32_MAX}, group, error);
    if (status != VT_OK)
        return status;
    if (x->dims[1] != w->dims[0])
        return vt_fail(error, VT_ERR_FORMAT, "input of %lld channels, the weights take %lld",
                       (long long)x->dims[1], (long long)w->dims[0]);
    if (x->dims[1] % *group != 0)
        return vt_fail(error, VT_ERR_FORMAT, "%lld channels do not divide into %lld groups",
                       (long long)x->dims[1], (long long)*group);
    if (bias != NULL && (bias->shape.rank != 1 || bias->shape.dims[0] % *group != 0 ||
                         bias->shape.dims[0] / *group != w->dims[1]))
        return vt_fail(error, VT_ERR_FORMAT, "bias does not have one number per output channel");
    return window_resolve(args, window, error);
}

static vt_status transpose_infer(vt_op_args *args, vt_error *error)
{
    transpose_plan plan;
    vt_status status = vt_op_check_same(args, VT_TYPES_FLOAT, error);
    if (status == VT_OK)
        status = vt_conv_transpose_window(args, &plan.window, &plan.group, error);
    if (status != VT_OK)
        return status;
    vt_shape shape = args->inputs[0].shape;
    if (__builtin_mul_overflow(args->inputs[1].shape.dims[1], plan.group, &shape.dims[1]))
        return vt_fail(error, VT_ERR_LIMIT, "2^63 or more output channels");
    for (int i = 0; i < plan.window.rank; i++)
        shape.dims[2 + i] = plan.window.in[i];
    vt_op_set_output(args, 0, args->inputs[0].dtype, &shape);
    return VT_OK;
}

/* Everything widened to f64; sum holds one output plane. */
typedef struct transpose_work {
    double *x, *w, *bias, *sum;
} transpose_work;

static void transpose_run(const vt_op_args *args, const transpose_plan *plan,
                          const transpose_work *work)
{
    const vt_shape *x = &args->inputs[0].shape, *w = &args->inputs[1].shape;
    vt_tensor *y = &args->outputs[0];
    size_t in_plane = vt_shape_product(x, 2, x->rank), kernel = vt_shape_product(w, 2, w->rank);
    size_t out_plane = vt_shape_product(&y->shape, 2, y->shape.rank);
    size_t channels = (size_t)x->dims[1], outs_each = (size_t)w->dims[1];
    size_t channels_each = channels / (size_t)plan->group, outs = outs_each * (size_t)plan->group;
    for (size_t n = 0; n < (size_t)x->dims[0]; n++) {
        for (size_t o = 0; o < outs; o++) {
            size_t first = o / outs_each * channels_each;
            for (size_t k = 0; k < out_plane; k++)
                work->sum[k] = work->bias == NULL ? 0.0 : work->bias[o];
            for (size_t c = first; c < first + channels_each; c++)
                vt_window_add(&plan->window, work->w + (c * outs_each + o % outs_each) * kernel,
                              true, work->x + (n * channels + c) * in_plane, work->sum);
            vt_store_f64(y->dtype, y->data, (n * outs + o) * out_plane, out_plane, work->sum);
        }
    }
}

static vt_status transpose_reference(vt_op_args *args, vt_error *error)
{
    transpose_plan plan;
    transpose_work work = {0};
    const vt_tensor *bias = vt_op_input(args, 2);
    const vt_shape *y = &args->outputs[0].shape;
    vt_status status = vt_conv_transpose_window(args, &plan.window, &plan.group, error);
    if (status == VT_OK)
        status = vt_op_widen(&args->inputs[0], &work.x, error);
    if (status == VT_OK)
        status = vt_op_widen(&args->inputs[1], &work.w, error);
    if (status == VT_OK && bias != NULL)
        status = vt_op_widen(bias, &work.bias, error);
    if (status == VT_OK) {
        work.sum = vt_alloc_array(vt_shape_product(y, 2, y->rank), sizeof(*work.sum));
        if (work.sum == NULL)
            status = vt_fail_memory(error, "an output plane");
    }
    if (status == VT_OK)
        transpose_run(args, &plan, &work);
    vt_free(work.x);
    vt_free(work.w);
    vt_free(work.bias);
    vt_free(work.sum);
    return status;
}

static uint64_t transpose_macs(const vt_op_args *args)
{
    uint64_t macs = vt_tensor_count(&args->inputs[0]);
    const vt_shape *w = &args->inputs[1].shape;
    for (int i = 1; i < w->rank; i++)
        if (__builtin_mul_overflow(macs, (uint64_t)w->dims[i], &macs))
            return UINT64_MAX;
    return macs;
}

const vt_op vt_ops_conv_transpose[] = {
    {"ConvTranspose", "", 1, 0, 2, 3, 1, 1,
     "auto_pad:s dilations:I group:i kernel_shape:I output_padding:I output_shape:I pads:I "
     "strides:I",
     .infer = transpose_infer, .reference = transpose_reference, .macs = transpose_macs},
    {0},
};
