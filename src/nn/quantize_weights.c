/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The numbers of quantised weights: symmetric i8 with one scale per output channel, biases as i32
 * in steps of the products they are added to.
 *
 * Source: Krishnamoorthi, "Quantizing deep convolutional networks for efficient inference" (2018),
 * sections 2.1 and 3.1.1; biases as in Jacob et al. (CVPR 2018), section 2.4. Departure: the scale
 * of a channel is raised where its bias would take more than half of an i32, so that the sum of
 * products and bias stays within one.
 */
#include "nn/quantize.h"

#include <float.h>
#include <math.h>

static const double steps_i8 = 127, steps_u8 = 255;
static const double bias_steps = (double)(1 << 30); /* half of an i32 */

float vt_quantize_scale(float threshold, bool non_negative)
{
    double scale = (double)threshold / (non_negative ? steps_u8 : steps_i8);
    return scale >= (double)FLT_MIN ? (float)scale : threshold > 0 ? FLT_MIN : 1.0F;
}

/* Where element (o, c, i) of the weights lies: o before, i behind the axis. */
typedef struct channels {
    size_t count, outer, inner;
} channels;

static channels channels_of(const vt_tensor *w, int axis)
{
    channels grid = {.count = (size_t)w->shape.dims[axis], .outer = 1, .inner = 1};
    for (int i = 0; i < w->shape.rank; i++) {
        if (i < axis)
            grid.outer *= (size_t)w->shape.dims[i];
        else if (i > axis)
            grid.inner *= (size_t)w->shape.dims[i];
    }
    return grid;
}

static float channel_maximum(const float *w, const channels *grid, size_t channel)
{
    float maximum = 0;
    for (size_t o = 0; o < grid->outer; o++) {
        const float *run = w + (o * grid->count + channel) * grid->inner;
        for (size_t i = 0; i < grid->inner; i++)
            maximum = fmaxf(maximum, fabsf(run[i]));
    }
    return maximum;
}

static void channel_round(const float *w, const channels *grid, size_t channel, double scale,
                          int8_t *out)
{
    for (size_t o = 0; o < grid->outer; o++) {
        size_t start = (o * grid->count + channel) * grid->inner;
        for (size_t i = start; i < start + grid->inner; i++)
            out[i] = (int8_t)fmax(-steps_i8, fmin(steps_i8, rint((double)w[i] / scale)));
    }
}

/* A channel of zeros takes the scale that serves its bias best. */
static float channel_scale(float maximum, double bias, double input_scale)
{
    double scale = (double)maximum / steps_i8;
    double least = fmax(fabs(bias) / (input_scale * bias_steps), (double)FLT_MIN / input_scale);
    if (maximum == 0 && bias == 0)
        return 1;
    return (float)fmin(fmax(fmax(scale, least), (double)FLT_MIN), (double)FLT_MAX);
}

static vt_status weights_check(const vt_tensor *w, const vt_tensor *bias, const channels *grid,
                               vt_error *error)
{
    const float *values = w->data;
    for (size_t i = 0; i < vt_tensor_count(w); i++)
        if (!isfinite(values[i]))
            return vt_fail(error, VT_ERR_FORMAT, "weight %zu is not finite", i);
    if (bias == NULL)
        return VT_OK;
    if (vt_tensor_count(bias) != grid->count)
        return vt_fail(error, VT_ERR_FORMAT, "%zu biases for %zu channels", vt_tensor_count(bias),
                       grid->count);
    for (size_t c = 0; c < grid->count; c++)
        if (!isfinite(((const float *)bias->data)[c]))
            return vt_fail(error, VT_ERR_FORMAT, "bias %zu is not finite", c);
    return VT_OK;
}

static vt_status weights_init(vt_quantize_weights *made, const vt_tensor *w, const channels *grid,
                              bool bias, vt_error *error)
{
    vt_shape line = vt_shape_of(1, (int64_t[]){(int64_t)grid->count});
    vt_status status = vt_tensor_init(&made->values, VT_I8, &w->shape, 0, error);
    if (status == VT_OK)
        status = vt_tensor_init(&made->scales, VT_F32, &line, 0, error);
    if (status == VT_OK && bias)
        status = vt_tensor_init(&made->bias, VT_I32, &line, 0, error);
    if (status == VT_OK && bias)
        status = vt_tensor_init(&made->bias_scales, VT_F32, &line, 0, error);
    return status;
}

void vt_quantize_weights_deinit(vt_quantize_weights *weights)
{
    vt_tensor_deinit(&weights->values);
    vt_tensor_deinit(&weights->scales);
    vt_tensor_deinit(&weights->bias);
    vt_tensor_deinit(&weights->bias_scales);
}

vt_status vt_quantize_weights_of(const vt_tensor *w, int axis, const vt_tensor *bias,
                                 float input_scale, vt_quantize_weights *out, vt_error *error)
{
    vt_quantize_weights made = {0};
    channels grid = channels_of(w, axis);
    const float *values = w->data, *biases = bias == NULL ? NULL : bias->data;
    vt_status status = weights_check(w, bias, &grid, error);
    if (status == VT_OK)
        status = weights_init(&made, w, &grid, bias != NULL, error);
    for (size_t c = 0; c < grid.count && status == VT_OK; c++) {
        double b = biases == NULL ? 0 : (double)biases[c];
        float scale = channel_scale(channel_maximum(values, &grid, c), b, (double)input_scale);
        ((float *)made.scales.data)[c] = scale;
        channel_round(values, &grid, c, (double)scale, made.values.data);
        if (biases == NULL)
            continue;
        float step = fminf(fmaxf(input_scale * scale, FLT_MIN), FLT_MAX);
        ((float *)made.bias_scales.data)[c] = step;
        double rounded = rint(b / (double)step);
        ((int32_t *)made.bias.data)[c] =
            (int32_t)fmax(-(double)INT32_MAX, fmin((double)INT32_MAX, rounded));
    }
    if (status != VT_OK)
        vt_quantize_weights_deinit(&made);
    else
        *out = made;
    return status;
}
