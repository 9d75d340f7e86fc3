/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Pictures of made-up goods that are told apart by shape and colour, drawn in a few lines.
 */
#ifndef VT_TESTS_SUPPORT_GOODS_H
#define VT_TESTS_SUPPORT_GOODS_H

#include "image/image.h"

#include <stdio.h>
#include <stdlib.h>

enum { GOODS_SIDE = 96 };

static inline uint8_t *goods_pixel(vt_image *image, int x, int y)
{
    return image->rgb + 3 * ((size_t)y * (size_t)image->width + (size_t)x);
}

/* Good `index` on white; `view` moves it that many pixels to the right. */
static inline vt_status goods_draw(int index, int view, vt_image *out, vt_error *error)
{
    vt_status status = vt_image_init(out, GOODS_SIDE, GOODS_SIDE, error);
    if (status != VT_OK)
        return status;
    for (int y = 0; y < GOODS_SIDE; y++)
        for (int x = 0; x < GOODS_SIDE; x++) {
            int dx = x - GOODS_SIDE / 2 - view, dy = y - GOODS_SIDE / 2;
            int radius = 18 + 2 * (index % 6);
            bool in = index % 3 == 0   ? dx * dx + dy * dy < radius * radius
                      : index % 3 == 1 ? abs(dx) < radius && abs(dy) < radius / 2
                                       : abs(dx) + abs(dy) < radius;
            uint8_t *p = goods_pixel(out, x, y);
            p[0] = (uint8_t)(in ? (index * 67) % 256 : 250);
            p[1] = (uint8_t)(in ? (index * 29 + 60) % 256 : 250);
            p[2] = (uint8_t)(in ? (index * 151 + 30) % 256 : 250);
        }
    return VT_OK;
}

static inline bool goods_write_bytes(const char *path, const void *bytes, size_t length)
{
    FILE *file = fopen(path, "wb");
    if (file == NULL)
        return false;
    bool written = fwrite(bytes, 1, length, file) == length;
    return fclose(file) == 0 && written;
}

/* As JPEG, or as PNG where the path ends so. */
static inline bool goods_write_image(const char *path, const vt_image *image)
{
    vt_buf bytes;
    vt_buf_init(&bytes, 16 << 20);
    vt_status status = vt_text_ends_nocase(path, ".png")
                           ? vt_image_encode_png(image, &bytes, NULL)
                           : vt_image_encode_jpeg(image, 92, &bytes, NULL);
    bool written = status == VT_OK && goods_write_bytes(path, bytes.data, bytes.length);
    vt_buf_deinit(&bytes);
    return written;
}

static inline bool goods_write(const char *path, int index, int view)
{
    vt_image image = {0};
    bool written =
        goods_draw(index, view, &image, NULL) == VT_OK && goods_write_image(path, &image);
    vt_image_deinit(&image);
    return written;
}

#endif
