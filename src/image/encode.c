/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Pictures to JPEG (TurboJPEG) and PNG (libvips). No metadata is written: what was in the file that
 * a picture came from, places and names included, ends here.
 *
 * Colour is stored at half resolution below quality 90 and at full resolution from there on, where
 * whoever asks for the quality would see the difference.
 */
#include <turbojpeg.h>

#include "base/mem.h"
#include "image/image.h"
#include "image/vips_session.h"

enum { ENCODE_FULL_COLOUR_QUALITY = 90, ENCODE_JPEG_SIDE = 65500 };

static vt_status encode_append(const void *bytes, size_t length, vt_buf *out, vt_error *error)
{
    if (vt_buf_append(out, bytes, length))
        return VT_OK;
    if (length > out->maximum || out->length > out->maximum - length)
        return vt_fail(error, VT_ERR_LIMIT, "encode picture: %zu bytes do not fit", length);
    return vt_fail_memory(error, "an encoded picture");
}

vt_status vt_image_encode_jpeg(const vt_image *image, int quality, vt_buf *out, vt_error *error)
{
    if (quality < 1 || quality > 100)
        return vt_fail(error, VT_ERR_USAGE, "encode jpeg: quality %d is not within 1 to 100",
                       quality);
    if (image->width <= 0 || image->height <= 0)
        return vt_fail(error, VT_ERR_USAGE, "encode jpeg: the picture is empty");
    if (image->width > ENCODE_JPEG_SIDE || image->height > ENCODE_JPEG_SIDE)
        return vt_fail(error, VT_ERR_LIMIT, "encode jpeg: %dx%d pixels, a side has at most %d",
                       image->width, image->height, ENCODE_JPEG_SIDE);
    int sampling = quality < ENCODE_FULL_COLOUR_QUALITY ? TJSAMP_420 : TJSAMP_444;
    unsigned long room = tjBufSize(image->width, image->height, sampling), length = room;
    vt_status status = VT_OK;
    tjhandle handle = tjInitCompress();
    if (!handle)
        return vt_fail_memory(error, "a jpeg encoder");
    unsigned char *jpeg = vt_alloc(room);
    if (!jpeg) {
        status = vt_fail_memory(error, "an encoded picture");
        goto alloc_failed;
    }
    if (tjCompress2(handle, image->rgb, image->width, image->width * 3, image->height, TJPF_RGB,
                    &jpeg, &length, sampling, quality, TJFLAG_NOREALLOC | TJFLAG_ACCURATEDCT) != 0)
        status = vt_fail(error, VT_ERR_INTERNAL, "encode jpeg: %s", tjGetErrorStr2(handle));
    if (status == VT_OK)
        status = encode_append(jpeg, length, out, error);
    vt_free(jpeg);
alloc_failed:
    tjDestroy(handle);
    return status;
}

vt_status vt_image_encode_png(const vt_image *image, vt_buf *out, vt_error *error)
{
    vt_vips_call call;
    if (image->width <= 0 || image->height <= 0)
        return vt_fail(error, VT_ERR_USAGE, "encode png: the picture is empty");
    vt_status status = vt_vips_begin(&call, error);
    if (status != VT_OK)
        return status;
    size_t bytes = (size_t)image->width * (size_t)image->height * 3, length = 0;
    void *png = NULL;
    VipsImage *stored = NULL;
    VipsImage *pixels = vips_image_new_from_memory(image->rgb, bytes, image->width, image->height,
                                                   3, VIPS_FORMAT_UCHAR);
    if (!pixels || vips_copy(pixels, &stored, "interpretation", VIPS_INTERPRETATION_sRGB, NULL) ||
        vips_pngsave_buffer(stored, &png, &length, NULL))
        status = vt_vips_fail(&call, VT_ERR_INTERNAL, "encode png", error);
    else
        status = encode_append(png, length, out, error);
    g_free(png);
    if (stored)
        g_object_unref(stored);
    if (pixels)
        g_object_unref(pixels);
    vt_vips_end(&call);
    return status;
}
