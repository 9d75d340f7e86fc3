/* SPDX-License-Identifier: Apache-2.0 */
/* Pictures of the shop in the size that a page shows: the thumbnail, shrunk where it is wider. */
#include "shop/shop.h"

enum { PICTURE_BYTES = 16 << 20, PICTURE_QUALITY = 85, PICTURE_WIDTH = 4096 };

static vt_status shrink(const void *thumbnail, size_t length, int width_px, vt_buf *out,
                        vt_error *error)
{
    vt_decode_options options = vt_decode_options_defaults();
    vt_image image = {0}, small = {0};
    vt_status status = vt_image_decode(thumbnail, length, &options, &image, error);
    if (status == VT_OK && image.width <= width_px) {
        if (!vt_buf_append(out, thumbnail, length))
            status = vt_fail_memory(error, "a picture");
    } else if (status == VT_OK) {
        int64_t height = ((int64_t)image.height * width_px + image.width / 2) / image.width;
        status = vt_image_resize(&image, width_px, height > 0 ? (int)height : 1, VT_FIT_SQUASH,
                                 VT_KERNEL_AREA, (const uint8_t[3]){0}, &small, error);
        if (status == VT_OK)
            status = vt_image_encode_jpeg(&small, PICTURE_QUALITY, out, error);
    }
    vt_image_deinit(&image);
    vt_image_deinit(&small);
    return status;
}

vt_status vt_shop_picture(vt_shop *shop, const vt_hash *hash, int width_px, void **jpeg,
                          size_t *length, vt_error *error)
{
    void *thumbnail = NULL;
    size_t bytes = 0;
    vt_buf made;
    if (width_px < 0 || width_px > PICTURE_WIDTH)
        return vt_fail(error, VT_ERR_USAGE, "shrink a picture: %d px is not from 0 to %d", width_px,
                       PICTURE_WIDTH);
    vt_status status = vt_shop_thumbnail(shop, hash, &thumbnail, &bytes, error);
    if (status != VT_OK)
        return status;
    if (width_px == 0) {
        *jpeg = thumbnail;
        *length = bytes;
        return VT_OK;
    }
    vt_buf_init(&made, PICTURE_BYTES);
    status = shrink(thumbnail, bytes, width_px, &made, error);
    if (status == VT_OK) {
        bytes = made.length;
        void *memory = vt_buf_take(&made, NULL);
        if (memory == NULL) {
            status = vt_fail_memory(error, "a picture");
        } else {
            *jpeg = memory;
            *length = bytes;
        }
    }
    vt_buf_deinit(&made);
    vt_release(thumbnail);
    return status;
}
