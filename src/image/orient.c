/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Turns stored pixels upright.
 *
 * Method: each of the eight orientations is an affine walk over the stored pixels: a start and one
 * stride per upright axis. One loop then serves all eight and any crop.
 * Source: EXIF 2.32, tag 0x0112 (which stored edge is the upright top and left).
 * Departures: tiles of 32 by 32 when the axes swap, because a straight walk would touch a new cache
 * line for every pixel.
 */
#include <string.h>

#include "image/orient.h"

enum { ORIENT_TILE = 32 };

bool vt_orient_swaps(int orientation)
{
    return orientation >= 5;
}

/* Which stored axis runs backwards as the upright picture is walked. */
static bool orient_flips_x(int orientation)
{
    return orientation == 2 || orientation == 3 || orientation == 7 || orientation == 8;
}

static bool orient_flips_y(int orientation)
{
    return orientation == 3 || orientation == 4 || orientation == 6 || orientation == 7;
}

vt_rect vt_orient_to_stored(vt_rect upright, int orientation, int stored_width, int stored_height)
{
    vt_rect stored = upright;
    if (vt_orient_swaps(orientation)) {
        stored = (vt_rect){
            .x = upright.y, .y = upright.x, .width = upright.height, .height = upright.width};
    }
    if (orient_flips_x(orientation))
        stored.x = stored_width - stored.x - stored.width;
    if (orient_flips_y(orientation))
        stored.y = stored_height - stored.y - stored.height;
    return stored;
}

static void orient_tile(const uint8_t *from, ptrdiff_t step_x, ptrdiff_t step_y, int channels,
                        const vt_rect *tile, int out_width, uint8_t *out)
{
    for (int y = tile->y; y < tile->y + tile->height; y++) {
        const uint8_t *pixel = from + y * step_y + tile->x * step_x;
        uint8_t *to = out + ((size_t)y * (size_t)out_width + (size_t)tile->x) * (size_t)channels;
        for (int x = 0; x < tile->width; x++, pixel += step_x) {
            for (int c = 0; c < channels; c++)
                *to++ = pixel[c];
        }
    }
}

void vt_orient_copy(const vt_stored *stored, vt_rect area, uint8_t *out)
{
    int orientation = stored->orientation;
    ptrdiff_t pixel = stored->channels, row = (ptrdiff_t)stored->width * pixel;
    if (orientation == 1) {
        for (int y = 0; y < area.height; y++)
            memcpy(out + (size_t)y * (size_t)area.width * (size_t)pixel,
                   stored->pixels + (area.y + y) * row + area.x * pixel,
                   (size_t)area.width * (size_t)pixel);
        return;
    }
    bool flip_x = orient_flips_x(orientation), flip_y = orient_flips_y(orientation);
    ptrdiff_t along_x = flip_x ? -pixel : pixel, along_y = flip_y ? -row : row;
    const uint8_t *from = stored->pixels + (area.y + (flip_y ? area.height - 1 : 0)) * row +
                          (area.x + (flip_x ? area.width - 1 : 0)) * pixel;
    bool swaps = vt_orient_swaps(orientation);
    ptrdiff_t step_x = swaps ? along_y : along_x, step_y = swaps ? along_x : along_y;
    int width = swaps ? area.height : area.width, height = swaps ? area.width : area.height;
    for (int y = 0; y < height; y += ORIENT_TILE) {
        for (int x = 0; x < width; x += ORIENT_TILE) {
            vt_rect tile = {.x = x, .y = y, .width = ORIENT_TILE, .height = ORIENT_TILE};
            if (tile.width > width - x)
                tile.width = width - x;
            if (tile.height > height - y)
                tile.height = height - y;
            orient_tile(from, step_x, step_y, stored->channels, &tile, width, out);
        }
    }
}
