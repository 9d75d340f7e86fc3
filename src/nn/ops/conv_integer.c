/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ConvInteger: convolution of 8-bit integers into i32; and the sums that QLinearConv rounds.
 *
 * Zero points are taken off before the sum, so padding with 0 there is padding with the zero point
 * here. The sums are those of Conv in f64, which stay exact: a product is below 2^16, and 2^37 of
 * them fit. Into i32 they wrap, as the specification lets 32-bit accumulation do.
 */
#include "nn/ops/conv.h"
#include "nn/ops/quant.h"
#include "nn/ops/table.h"

vt_status vt_quant_conv_infer(vt_op_args *args, const vt_quant_conv *inputs, vt_dtype dtype,
                              vt_error *error)
{
    const vt_shape *w = &args->inputs[inputs->w].shape;
    vt_conv conv;
    vt_status status = vt_op_check_type(args, 0, VT_TYPES_BYTE, error);
    if (status == VT_OK)
        status = vt_op_check_type(args, inputs->w, VT_TYPES_BYTE, error);
    if (status == VT_OK)
        status = vt_op_check_type(args, inputs->bias, VT_TYPE(VT_I32), error);
    if (status == VT_OK)
        status = vt_quant_check_zero_point(args, inputs->x_zero_point, 0, error);
    if (status == VT_OK)
        status = vt_quant_check_zero_point(args, inputs->w_zero_point, inputs->w, error);
    if (status == VT_OK)
        status = vt_conv_init(&conv, w, vt_op_input(args, inputs->bias), args, error);
    if (status == VT_OK)
        status = vt_quant_check_single(args, inputs->x_zero_point, VT_TYPES_BYTE, error);
    if (status == VT_OK)
        status = vt_quant_check_vector(args, inputs->w_zero_point, w->dims[0], error);
    if (status != VT_OK)
        return status;
    vt_shape shape = vt_conv_output(&conv);
    vt_op_set_output(args, 0, dtype, &shape);
    return VT_OK;
}

vt_status vt_quant_conv_run(vt_op_args *args, const vt_quant_conv *inputs, vt_quant_emit *emit,
                            vt_error *error)
{
    vt_conv conv;
    const vt_tensor *bias = vt_op_input(args, inputs->bias);
    double *x = NULL, *w = NULL, *sums = NULL;
    vt_status status = vt_conv_init(&conv, &args->inputs[inputs->w].shape, bias, args, error);
    if (status == VT_OK)
        status = vt_quant_widen(args, 0, inputs->x_zero_point, &x, error);
    if (status == VT_OK)
        status = vt_quant_widen(args, inputs->w, inputs->w_zero_point, &w, error);
    if (status == VT_OK && (sums = vt_alloc_array(conv.out_plane, sizeof(*sums))) == NULL)
        status = vt_fail_memory(error, "an output plane");
    if (status == VT_OK) {
        conv.x = x;
        conv.w = w;
        for (size_t plane = 0; plane < conv.batch * conv.out_channels; plane++) {
            size_t channel = plane % conv.out_channels;
            double start = bias == NULL ? 0.0 : vt_tensor_get(bias, channel);
            vt_conv_plane(&conv, plane / conv.out_channels, channel, start, sums);
            emit(args, channel, plane * conv.out_plane, conv.out_plane, sums);
        }
    }
    vt_free(x);
    vt_free(w);
    vt_free(sums);
    return status;
}

static const vt_quant_conv integer_inputs = {1, 2, 3, SIZE_MAX};

static vt_status integer_infer(vt_op_args *args, vt_error *error)
{
    return vt_quant_conv_infer(args, &integer_inputs, VT_I32, error);
}

static void integer_emit(const vt_op_args *args, size_t channel, size_t start, size_t count,
                         double *sums)
{
    (void)channel;
    vt_quant_store_i32(args, start, count, sums);
}

static vt_status integer_reference(vt_op_args *args, vt_error *error)
{
    return vt_quant_conv_run(args, &integer_inputs, integer_emit, error);
}

static uint64_t integer_macs(const vt_op_args *args)
{
    return vt_conv_macs(vt_tensor_count(&args->outputs[0]), &args->inputs[1].shape);
}

const vt_op vt_ops_conv_integer[] = {
    {"ConvInteger", "", 10, 0, 2, 4, 1, 1,
     "auto_pad:s dilations:I group:i kernel_shape:I pads:I strides:I", .infer = integer_infer,
     .reference = integer_reference, .macs = integer_macs},
    {0},
};
