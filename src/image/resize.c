/* SPDX-License-Identifier: Apache-2.0 */
/*
 * 8-bit pictures to another size, and the names of kernels and fits.
 *
 * Method: the placement says which part of the source goes where; the resampler makes each row in
 * float; only the final value is rounded, once.
 * Source: see filter.c.
 */
#include <string.h>

#include "image/resample.h"

static const char *const kernel_names[] = {[VT_KERNEL_AREA] = "area",
                                           [VT_KERNEL_BILINEAR] = "bilinear",
                                           [VT_KERNEL_BICUBIC] = "bicubic",
                                           [VT_KERNEL_LANCZOS] = "lanczos"};
static const char *const fit_names[] = {
    [VT_FIT_SQUASH] = "squash", [VT_FIT_COVER] = "cover", [VT_FIT_CONTAIN] = "contain"};

static int name_find(const char *name, const char *const *names, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (vt_text_equal(name, names[i]))
            return (int)i;
    }
    return -1;
}

bool vt_kernel_from_name(const char *name, vt_kernel *out)
{
    int found = name_find(name, kernel_names, sizeof kernel_names / sizeof *kernel_names);
    if (found >= 0)
        *out = (vt_kernel)found;
    return found >= 0;
}

const char *vt_kernel_name(vt_kernel kernel)
{
    return kernel_names[kernel];
}

bool vt_fit_from_name(const char *name, vt_fit *out)
{
    int found = name_find(name, fit_names, sizeof fit_names / sizeof *fit_names);
    if (found >= 0)
        *out = (vt_fit)found;
    return found >= 0;
}

const char *vt_fit_name(vt_fit fit)
{
    return fit_names[fit];
}

static void resize_fill(vt_image *image, const uint8_t rgb[3])
{
    size_t row_bytes = (size_t)image->width * 3;
    for (int x = 0; x < image->width; x++)
        memcpy(image->rgb + (size_t)x * 3, rgb, 3);
    for (int y = 1; y < image->height; y++)
        memcpy(image->rgb + (size_t)y * row_bytes, image->rgb, row_bytes);
}

vt_status vt_image_resize(const vt_image *image, int width, int height, vt_fit fit,
                          vt_kernel kernel, const uint8_t fill_rgb[3], vt_image *out,
                          vt_error *error)
{
    static const uint8_t white[3] = {255, 255, 255};
    if (image->width <= 0 || image->height <= 0 || width <= 0 || height <= 0)
        return vt_fail(error, VT_ERR_USAGE, "resize picture: %dx%d to %dx%d", image->width,
                       image->height, width, height);
    vt_placement place = vt_placement_make(image->width, image->height, width, height, fit, 1.0);
    vt_image resized;
    vt_status status = vt_image_init(&resized, width, height, error);
    if (status != VT_OK)
        return status;
    vt_resampler resampler;
    status = vt_resampler_init(&resampler, image, &place, kernel, error);
    if (status != VT_OK) {
        vt_image_deinit(&resized);
        return status;
    }
    if (place.out_width < width || place.out_height < height)
        resize_fill(&resized, fill_rgb ? fill_rgb : white);
    for (int y = 0; y < place.out_height; y++) {
        size_t at = (size_t)(place.top + y) * (size_t)width + (size_t)place.left;
        resampler.kernels->pack(vt_resampler_row(&resampler, y), place.out_width,
                                resized.rgb + at * 3);
    }
    vt_resampler_deinit(&resampler);
    resized.full_width = image->full_width;
    resized.full_height = image->full_height;
    *out = resized;
    return VT_OK;
}
