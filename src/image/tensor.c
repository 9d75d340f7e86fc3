/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Pictures to network input.
 *
 * Method: rows come out of the resampler in float and are spread into three planes with one
 * multiply-add per value: (pixel * scale - mean) / std is pixel * gain + offset. Nothing is rounded
 * to 8 bits on the way.
 * Source: see filter.c.
 * Departures: cover with a crop ratio is worked out in fractions of a pixel, where the usual
 * two-step recipe (resize the short side, cut the middle) rounds the size in between.
 */
#include <math.h>

#include "image/resample.h"

static bool tensor_spec_valid(const vt_pixel_spec *spec)
{
    if (spec->width <= 0 || spec->height <= 0 || !isfinite(spec->scale))
        return false;
    if (spec->fit == VT_FIT_COVER && !(spec->crop_ratio > 0.0f && spec->crop_ratio <= 1.0f))
        return false;
    for (int c = 0; c < 3; c++) {
        if (!isfinite(spec->mean[c]) || !isfinite(spec->std[c]) || spec->std[c] == 0.0f)
            return false;
    }
    return true;
}

/* Which of red, green, blue the output's channel holds. */
static int tensor_colour(const vt_pixel_spec *spec, int channel)
{
    return spec->order == VT_ORDER_BGR ? 2 - channel : channel;
}

static vt_planar tensor_target(const vt_pixel_spec *spec, float *out)
{
    vt_planar target = {0};
    size_t plane = (size_t)spec->width * (size_t)spec->height;
    for (int channel = 0; channel < 3; channel++) {
        int colour = tensor_colour(spec, channel);
        target.plane[colour] = out + (size_t)channel * plane;
        target.gain[colour] = (float)((double)spec->scale / (double)spec->std[channel]);
        target.offset[colour] = (float)(-(double)spec->mean[channel] / (double)spec->std[channel]);
    }
    return target;
}

static void tensor_fill(const vt_pixel_spec *spec, const vt_planar *target)
{
    size_t plane = (size_t)spec->width * (size_t)spec->height;
    for (int colour = 0; colour < 3; colour++) {
        float value = (float)spec->fill_rgb[colour] * target->gain[colour] + target->offset[colour];
        for (size_t i = 0; i < plane; i++)
            target->plane[colour][i] = value;
    }
}

vt_status vt_image_to_tensor(const vt_image *image, const vt_pixel_spec *spec, float *out,
                             vt_error *error)
{
    if (!tensor_spec_valid(spec))
        return vt_fail(error, VT_ERR_USAGE, "make tensor: the pixel contract is not usable");
    if (image->width <= 0 || image->height <= 0)
        return vt_fail(error, VT_ERR_USAGE, "make tensor: the picture is empty");
    double show = spec->fit == VT_FIT_COVER ? (double)spec->crop_ratio : 1.0;
    vt_placement place =
        vt_placement_make(image->width, image->height, spec->width, spec->height, spec->fit, show);
    vt_resampler resampler;
    vt_status status = vt_resampler_init(&resampler, image, &place, spec->kernel, error);
    if (status != VT_OK)
        return status;
    vt_planar target = tensor_target(spec, out);
    if (place.out_width < spec->width || place.out_height < spec->height)
        tensor_fill(spec, &target);
    for (int y = 0; y < place.out_height; y++) {
        size_t at = (size_t)(place.top + y) * (size_t)spec->width + (size_t)place.left;
        vt_planar row = target;
        for (int colour = 0; colour < 3; colour++)
            row.plane[colour] += at;
        resampler.kernels->planar(vt_resampler_row(&resampler, y), place.out_width, &row);
    }
    vt_resampler_deinit(&resampler);
    return VT_OK;
}

void vt_pixel_spec_fit(const vt_pixel_spec *spec, int *fit_width, int *fit_height)
{
    double show = spec->fit == VT_FIT_COVER && spec->crop_ratio > 0.0f && spec->crop_ratio < 1.0f
                      ? (double)spec->crop_ratio
                      : 1.0;
    double width = ceil(spec->width / show), height = ceil(spec->height / show);
    *fit_width = width < INT32_MAX ? (int)width : INT32_MAX;
    *fit_height = height < INT32_MAX ? (int)height : INT32_MAX;
}
