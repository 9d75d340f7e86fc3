/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Makes sRGB of what files contain.
 *
 * Method: alpha first, in the picture's own space and depth; then the embedded profile when there
 * is one that matters, by relative colorimetry with black point compensation (print's black is not
 * the screen's, and a product must not come out grey); without a profile libvips' own conversion.
 * Departures: flattening before the profile blends in the file's encoding rather than in sRGB's,
 * which differs only where pixels are half transparent and saves a conversion of the alpha band.
 */
#include <string.h>

#include "image/colour.h"
#include "image/icc.h"

static bool colour_is_cmyk(VipsImage *image)
{
    return vips_image_get_interpretation(image) == VIPS_INTERPRETATION_CMYK;
}

/* Through the embedded profile, or else through the one that libvips has by the name `fallback`. */
static bool colour_transform(VipsImage **image, bool embedded, const char *fallback)
{
    VipsImage *next = NULL;
    int failed =
        fallback ? vips_icc_transform(*image, &next, "srgb", "embedded", embedded, "input_profile",
                                      fallback, "depth", 8, "black_point_compensation", TRUE, NULL)
                 : vips_icc_transform(*image, &next, "srgb", "embedded", embedded, "depth", 8,
                                      "black_point_compensation", TRUE, NULL);
    if (failed) {
        vips_error_clear();
        return false;
    }
    vt_vips_step(image, next);
    return true;
}

/* Through a profile where one is due. An unusable one changes nothing: vips_colourspace does what
 * can be done without. */
static void colour_apply_profile(VipsImage **image)
{
    bool cmyk = colour_is_cmyk(*image);
    const void *icc = NULL;
    size_t icc_length = 0;
    if (vips_image_get_typeof(*image, VIPS_META_ICC_NAME) != 0 &&
        vips_image_get_blob(*image, VIPS_META_ICC_NAME, &icc, &icc_length) != 0)
        icc = NULL;
    if (cmyk) {
        if (!icc || !colour_transform(image, true, "cmyk"))
            colour_transform(image, false, "cmyk");
    } else if (icc && !vt_icc_is_srgb(icc, icc_length)) {
        colour_transform(image, true, NULL);
    }
}

bool vt_colour_flatten(VipsImage **image)
{
    VipsImage *next = NULL;
    if (vips_image_hasalpha(*image)) {
        bool deep = vips_image_get_format(*image) == VIPS_FORMAT_USHORT;
        double white = colour_is_cmyk(*image) ? 0.0 : deep ? 65535.0 : 255.0;
        VipsArrayDouble *background = vips_array_double_newv(1, white);
        int failed = vips_flatten(*image, &next, "background", background, "max_alpha",
                                  deep ? 65535.0 : 255.0, NULL);
        vips_area_unref(VIPS_AREA(background));
        if (failed)
            return false;
        vt_vips_step(image, next);
    }
    colour_apply_profile(image);
    if (vips_image_get_interpretation(*image) != VIPS_INTERPRETATION_sRGB ||
        vips_image_get_bands(*image) != 3) {
        if (vips_colourspace(*image, &next, VIPS_INTERPRETATION_sRGB, NULL))
            return false;
        vt_vips_step(image, next);
    }
    if (vips_image_get_format(*image) != VIPS_FORMAT_UCHAR) {
        if (vips_cast(*image, &next, VIPS_FORMAT_UCHAR, NULL))
            return false;
        vt_vips_step(image, next);
    }
    if (vips_image_get_bands(*image) == 3)
        return true;
    vips_error("vitrine", "unsupported number of colour bands");
    return false;
}

static VipsImage *colour_open(const vt_device_pixels *device)
{
    size_t bytes = (size_t)device->width * (size_t)device->height * (size_t)device->channels;
    VipsImage *image = vips_image_new_from_memory(
        device->pixels, bytes, device->width, device->height, device->channels, VIPS_FORMAT_UCHAR);
    VipsImage *next = NULL;
    if (!image)
        return NULL;
    VipsInterpretation space = device->channels == 4   ? VIPS_INTERPRETATION_CMYK
                               : device->channels == 1 ? VIPS_INTERPRETATION_B_W
                                                       : VIPS_INTERPRETATION_sRGB;
    if (vips_copy(image, &next, "interpretation", space, NULL)) {
        g_object_unref(image);
        return NULL;
    }
    vt_vips_step(&image, next);
    if (device->icc)
        vips_image_set_blob_copy(image, VIPS_META_ICC_NAME, device->icc, device->icc_length);
    return image;
}

vt_status vt_colour_to_srgb(const vt_device_pixels *device, uint8_t *rgb, vt_error *error)
{
    vt_vips_call call;
    vt_status status = vt_vips_begin(&call, error);
    if (status != VT_OK)
        return status;
    VipsImage *image = colour_open(device);
    if (!image || !vt_colour_flatten(&image) || !vt_vips_read_rgb(image, rgb))
        status = vt_vips_fail(&call, VT_ERR_FORMAT, "convert colours", error);
    if (image)
        g_object_unref(image);
    vt_vips_end(&call);
    return status;
}
