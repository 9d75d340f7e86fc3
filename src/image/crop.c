/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Cuts a rectangle out of a picture: a row copy. The rectangle counts the pixels that the picture
 * has now, which after a scaled decode are not those of the full picture.
 */
#include <string.h>

#include "image/image.h"

vt_status vt_image_crop(const vt_image *image, vt_rect pixels, vt_image *out, vt_error *error)
{
    if (pixels.width == 0)
        pixels = (vt_rect){.width = image->width, .height = image->height};
    if (pixels.x < 0 || pixels.y < 0 || pixels.width <= 0 || pixels.height <= 0 ||
        pixels.x > image->width - pixels.width || pixels.y > image->height - pixels.height)
        return vt_fail(
            error, VT_ERR_USAGE, "crop picture: %dx%d at %d,%d is not inside the picture of %dx%d",
            pixels.width, pixels.height, pixels.x, pixels.y, image->width, image->height);
    vt_image cut;
    vt_status status = vt_image_init(&cut, pixels.width, pixels.height, error);
    if (status != VT_OK)
        return status;
    size_t row_bytes = (size_t)pixels.width * 3;
    for (int y = 0; y < pixels.height; y++) {
        size_t from = (size_t)(pixels.y + y) * (size_t)image->width + (size_t)pixels.x;
        memcpy(cut.rgb + (size_t)y * row_bytes, image->rgb + from * 3, row_bytes);
    }
    cut.full_width = image->full_width;
    cut.full_height = image->full_height;
    *out = cut;
    return VT_OK;
}
