/* SPDX-License-Identifier: Apache-2.0 */
/*
 * PNG, GIF, WebP, TIFF, HEIC and AVIF through libvips.
 *
 * Method: the loader is named, never guessed by libvips. It opens the header only; size and crop
 * are checked on it; the crop is a pipeline step, so rows below it are not decoded; pixels are then
 * pulled top to bottom. The first frame or page is taken. WebP is opened a second time with a scale
 * where the fit size allows.
 * Departures: orientation is applied by us after decoding, as for JPEG, because libvips would have
 * to keep a decoded copy to turn a stream. HEIC and AVIF are turned by their own library.
 */
#include "base/mem.h"
#include "image/colour.h"
#include "image/decode.h"
#include "image/exif.h"
#include "image/orient.h"

typedef struct vips_source {
    vt_picture_format format;
    const uint8_t *bytes;
    size_t length;
} vips_source;

static const char *const vips_names[] = {
    [VT_PICTURE_JPEG] = "jpeg", [VT_PICTURE_PNG] = "png",   [VT_PICTURE_GIF] = "gif",
    [VT_PICTURE_WEBP] = "webp", [VT_PICTURE_TIFF] = "tiff", [VT_PICTURE_HEIF] = "heif",
};

static VipsImage *vips_open(const vips_source *source, int shrink)
{
    void *bytes = (void *)(uintptr_t)source->bytes; /* libvips reads only */
    size_t length = source->length;
    VipsImage *image = NULL;
    int failed = -1;
    switch (source->format) {
    case VT_PICTURE_PNG:
        failed = vips_pngload_buffer(bytes, length, &image, "access", VIPS_ACCESS_SEQUENTIAL,
                                     "fail_on", VIPS_FAIL_ON_ERROR, NULL);
        break;
    case VT_PICTURE_GIF:
        failed = vips_gifload_buffer(bytes, length, &image, "access", VIPS_ACCESS_SEQUENTIAL,
                                     "fail_on", VIPS_FAIL_ON_ERROR, NULL);
        break;
    case VT_PICTURE_WEBP:
        failed = vips_webpload_buffer(bytes, length, &image, "access", VIPS_ACCESS_SEQUENTIAL,
                                      "fail_on", VIPS_FAIL_ON_ERROR, "scale", 1.0 / shrink, NULL);
        break;
    case VT_PICTURE_TIFF:
        failed = vips_tiffload_buffer(bytes, length, &image, "access", VIPS_ACCESS_SEQUENTIAL,
                                      "fail_on", VIPS_FAIL_ON_ERROR, NULL);
        break;
    case VT_PICTURE_HEIF:
        failed = vips_heifload_buffer(bytes, length, &image, "access", VIPS_ACCESS_SEQUENTIAL,
                                      "fail_on", VIPS_FAIL_ON_ERROR, NULL);
        break;
    case VT_PICTURE_JPEG: /* has a decoder of its own */
        break;
    }
    return failed ? NULL : image;
}

/* A picture that libvips scaled has been stretched to whole pixels. */
static vt_rect vips_area(VipsImage *image, const vt_decode_plan *plan)
{
    int width = vips_image_get_width(image), height = vips_image_get_height(image);
    return vt_decode_plan_area(plan, width, height, (double)width / plan->stored_width,
                               (double)height / plan->stored_height);
}

/* Opens, checks limits, and opens again where the format can scale while it decodes. */
static vt_status vips_open_planned(const vips_source *source, const vt_decode_options *options,
                                   const vt_vips_call *call, vt_decode_plan *plan,
                                   VipsImage **image, vt_error *error)
{
    char action[32];
    g_snprintf(action, sizeof action, "decode %s", vips_names[source->format]);
    *image = vips_open(source, 1);
    if (!*image)
        return vt_vips_fail(call, VT_ERR_FORMAT, action, error);
    /* Not every libvips that we meet reads EXIF from PNG. */
    int orientation = source->format == VT_PICTURE_PNG
                          ? vt_exif_orientation_png(source->bytes, source->length)
                          : vips_image_get_orientation(*image);
    vt_status status =
        vt_decode_plan_init(plan, vips_names[source->format], vips_image_get_width(*image),
                            vips_image_get_height(*image), orientation, options, error);
    if (status != VT_OK || source->format != VT_PICTURE_WEBP)
        return status;
    int shrink = vt_decode_plan_shrink(plan);
    if (shrink == 1)
        return VT_OK;
    VipsImage *scaled = vips_open(source, shrink);
    if (!scaled)
        return vt_vips_fail(call, VT_ERR_FORMAT, action, error);
    if (vt_decode_plan_covers(plan, vips_area(scaled, plan)))
        vt_vips_step(image, scaled);
    else /* libvips rounded the other way */
        g_object_unref(scaled);
    return VT_OK;
}

static bool vips_crop_stored(VipsImage **image, vt_rect area)
{
    if (area.width == vips_image_get_width(*image) && area.height == vips_image_get_height(*image))
        return true;
    VipsImage *next = NULL;
    if (vips_crop(*image, &next, area.x, area.y, area.width, area.height, NULL))
        return false;
    vt_vips_step(image, next);
    return true;
}

/* Turns the whole of `stored` and frees its pixels. */
static vt_status vips_turn(int orientation, vt_image *stored, vt_error *error)
{
    if (orientation == 1)
        return VT_OK;
    bool swaps = vt_orient_swaps(orientation);
    vt_image upright;
    vt_status status = vt_image_init(&upright, swaps ? stored->height : stored->width,
                                     swaps ? stored->width : stored->height, error);
    if (status != VT_OK)
        return status;
    vt_stored from = {.pixels = stored->rgb,
                      .width = stored->width,
                      .height = stored->height,
                      .channels = 3,
                      .orientation = orientation};
    vt_rect whole = {.width = stored->width, .height = stored->height};
    vt_orient_copy(&from, whole, upright.rgb);
    vt_image_deinit(stored);
    *stored = upright;
    return VT_OK;
}

static vt_status vips_run(VipsImage **image, const vt_decode_plan *plan, const vt_vips_call *call,
                          vt_image *out, vt_error *error)
{
    char action[32];
    g_snprintf(action, sizeof action, "decode %s", plan->format);
    vt_rect area = vips_area(*image, plan);
    if (!vips_crop_stored(image, area) || !vt_colour_flatten(image))
        return vt_vips_fail(call, VT_ERR_FORMAT, action, error);
    vt_image pixels;
    vt_status status = vt_image_init(&pixels, area.width, area.height, error);
    if (status != VT_OK)
        return status;
    if (!vt_vips_read_rgb(*image, pixels.rgb))
        status = vt_vips_fail(call, VT_ERR_FORMAT, action, error);
    if (status == VT_OK)
        status = vips_turn(plan->orientation, &pixels, error);
    if (status != VT_OK) {
        vt_image_deinit(&pixels);
        return status;
    }
    pixels.full_width = plan->full_width;
    pixels.full_height = plan->full_height;
    *out = pixels;
    return VT_OK;
}

vt_status vt_decode_vips(vt_picture_format format, const uint8_t *bytes, size_t length,
                         const vt_decode_options *options, vt_image *out, vt_error *error)
{
    vips_source source = {.format = format, .bytes = bytes, .length = length};
    vt_vips_call call;
    vt_decode_plan plan;
    VipsImage *image = NULL;
    vt_status status = vt_vips_begin(&call, error);
    if (status != VT_OK)
        return status;
    status = vips_open_planned(&source, options, &call, &plan, &image, error);
    if (status == VT_OK)
        status = vips_run(&image, &plan, &call, out, error);
    if (image)
        g_object_unref(image);
    vt_vips_end(&call);
    return status;
}
