/* SPDX-License-Identifier: Apache-2.0 */
/*
 * JPEG through TurboJPEG.
 *
 * Method: our own reading of the markers comes first (size, limits, orientation, profile,
 * completeness), so nothing is allocated for a file that is refused. TurboJPEG then decodes at a
 * power-of-two fraction; orientation and crop are one copy, left out where there is nothing to turn
 * or cut. Only CMYK and pictures with a profile other than sRGB go through libvips for colour.
 *
 * Damage: libjpeg paints over what is missing and calls it a warning. Here a file whose end marker
 * is missing and a file with damaged data are errors, because half a grey picture would be found as
 * a product. Tolerated are warnings that leave every pixel in place: stray bytes between segments,
 * odd JFIF versions, colour transform codes and scan parameters, damaged profiles. TurboJPEG keeps
 * the first warning only, so real damage behind a tolerated warning goes unseen unless the end is
 * missing.
 *
 * Source: TurboJPEG 2.x API (turbojpeg.h), which 3.x still offers; T.81; Adobe technical note 5116
 * for the inverted CMYK of Adobe's files.
 */
#include <string.h>
#include <turbojpeg.h>

#include "base/mem.h"
#include "image/colour.h"
#include "image/decode.h"
#include "image/icc.h"
#include "image/jpeg_markers.h"
#include "image/orient.h"

typedef struct jpeg_pixels {
    uint8_t *pixels; /* (height, width, channels), owned */
    int width, height, channels;
} jpeg_pixels;

static bool jpeg_warning_is_harmless(const char *message)
{
    static const char *const harmless[] = {
        "extraneous bytes before marker", "unknown JFIF revision", "Unknown Adobe color transform",
        "Invalid SOS parameters for sequential", "bad ICC marker"};
    for (size_t i = 0; i < sizeof harmless / sizeof *harmless; i++) {
        if (strstr(message, harmless[i]))
            return true;
    }
    return false;
}

static vt_status jpeg_failure(tjhandle handle, vt_error *error)
{
    const char *message = tjGetErrorStr2(handle);
    if (tjGetErrorCode(handle) == TJERR_WARNING && jpeg_warning_is_harmless(message))
        return VT_OK;
    if (strstr(message, "Insufficient memory") || strstr(message, "Memory allocation failure"))
        return vt_fail_memory(error, "the jpeg decoder's state");
    return vt_fail(error, VT_ERR_FORMAT, "decode jpeg: %s", message);
}

/* Decodes at 1/shrink. *out is the caller's (vt_free its pixels). */
static vt_status jpeg_decompress(const uint8_t *bytes, size_t length, const vt_jpeg_info *info,
                                 int shrink, jpeg_pixels *out, vt_error *error)
{
    jpeg_pixels pixels = {.width = (info->width - 1) / shrink + 1,
                          .height = (info->height - 1) / shrink + 1,
                          .channels = out->channels};
    size_t size = (size_t)pixels.width * (size_t)pixels.height * (size_t)pixels.channels;
    int format = pixels.channels == 1 ? TJPF_GRAY : pixels.channels == 3 ? TJPF_RGB : TJPF_CMYK;
    vt_status status = VT_OK;
    tjhandle handle = tjInitDecompress();
    if (!handle)
        return vt_fail_memory(error, "a jpeg decoder");
    pixels.pixels = vt_alloc(size);
    if (!pixels.pixels) {
        status = vt_fail_memory(error, "a picture");
        goto pixels_failed;
    }
    /* Buffers of more than 4 GB do not occur: JPEG ends at 65,535 pixels and the limit comes first;
     * `pitch` is an int, and 65,535 times 4 fits. */
    if (tjDecompress2(handle, bytes, (unsigned long)length, pixels.pixels, pixels.width,
                      pixels.width * pixels.channels, pixels.height, format,
                      TJFLAG_LIMITSCANS | TJFLAG_ACCURATEDCT) != 0)
        status = jpeg_failure(handle, error);
    if (status == VT_OK)
        *out = pixels;
    else
        vt_free(pixels.pixels);
pixels_failed:
    tjDestroy(handle);
    return status;
}

/* Cuts and turns; afterwards *pixels is the upright area. */
static vt_status jpeg_upright(const vt_decode_plan *plan, int shrink, jpeg_pixels *pixels,
                              vt_error *error)
{
    vt_rect area =
        vt_decode_plan_area(plan, pixels->width, pixels->height, 1.0 / shrink, 1.0 / shrink);
    if (plan->orientation == 1 && area.width == pixels->width && area.height == pixels->height)
        return VT_OK;
    uint8_t *upright =
        vt_alloc((size_t)area.width * (size_t)area.height * (size_t)pixels->channels);
    if (!upright)
        return vt_fail_memory(error, "a picture");
    vt_stored stored = {.pixels = pixels->pixels,
                        .width = pixels->width,
                        .height = pixels->height,
                        .channels = pixels->channels,
                        .orientation = plan->orientation};
    vt_orient_copy(&stored, area, upright);
    vt_free(pixels->pixels);
    pixels->pixels = upright;
    bool swaps = vt_orient_swaps(plan->orientation);
    pixels->width = swaps ? area.height : area.width;
    pixels->height = swaps ? area.width : area.height;
    return VT_OK;
}

/* Makes sRGB of *pixels in whatever space they are. */
static vt_status jpeg_convert(const vt_jpeg_info *info, const uint8_t *icc, size_t icc_length,
                              jpeg_pixels *pixels, vt_error *error)
{
    size_t count = (size_t)pixels->width * (size_t)pixels->height;
    if (pixels->channels == 4 && info->adobe) {
        for (size_t i = 0; i < 4 * count; i++)
            pixels->pixels[i] = (uint8_t)(255 - pixels->pixels[i]);
    }
    uint8_t *rgb = vt_alloc(3 * count);
    if (!rgb)
        return vt_fail_memory(error, "a picture");
    vt_device_pixels device = {.pixels = pixels->pixels,
                               .width = pixels->width,
                               .height = pixels->height,
                               .channels = pixels->channels,
                               .icc = icc,
                               .icc_length = icc_length};
    vt_status status = vt_colour_to_srgb(&device, rgb, error);
    if (status != VT_OK) {
        vt_free(rgb);
        return status;
    }
    vt_free(pixels->pixels);
    pixels->pixels = rgb;
    pixels->channels = 3;
    return VT_OK;
}

vt_status vt_decode_jpeg(const uint8_t *bytes, size_t length, const vt_decode_options *options,
                         vt_image *out, vt_error *error)
{
    vt_jpeg_info info;
    vt_decode_plan plan;
    uint8_t *icc = NULL;
    size_t icc_length = 0;
    vt_status status = vt_jpeg_info_read(bytes, length, &info, error);
    if (status == VT_OK)
        status = vt_decode_plan_init(&plan, "jpeg", info.width, info.height, info.orientation,
                                     options, error);
    if (status == VT_OK)
        status = vt_jpeg_scans_check(bytes, length, &info, error);
    if (status == VT_OK)
        status = vt_jpeg_icc_take(bytes, &info, &icc, &icc_length, error);
    if (status != VT_OK)
        return status;
    bool convert = info.components == 4 || (icc && !vt_icc_is_srgb(icc, icc_length));
    /* Grey with a grey profile must reach it as grey; otherwise the decoder spreads it to RGB. */
    jpeg_pixels pixels = {.channels = convert ? info.components : 3};
    int shrink = vt_decode_plan_shrink(&plan);
    status = jpeg_decompress(bytes, length, &info, shrink, &pixels, error);
    if (status == VT_OK)
        status = jpeg_upright(&plan, shrink, &pixels, error);
    if (status == VT_OK && convert)
        status = jpeg_convert(&info, icc, icc_length, &pixels, error);
    vt_free(icc);
    if (status != VT_OK) {
        vt_free(pixels.pixels);
        return status;
    }
    *out = (vt_image){.rgb = pixels.pixels,
                      .width = pixels.width,
                      .height = pixels.height,
                      .full_width = plan.full_width,
                      .full_height = plan.full_height};
    return VT_OK;
}
