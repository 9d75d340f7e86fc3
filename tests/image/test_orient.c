/* SPDX-License-Identifier: Apache-2.0 */
/* The eight orientations against their definition, with crops and sizes around the tile's. */
#include "image/orient.h"
#include "image/pictures.h"

/* Where the upright pixel (x, y) is stored, spelled out per orientation as EXIF words it ("the 0th
 * row is the visual right-hand side, the 0th column the visual top"). */
static void stored_of(int orientation, int x, int y, int w, int h, int *sx, int *sy)
{
    switch (orientation) {
    case 1:
        *sx = x, *sy = y;
        break;
    case 2:
        *sx = w - 1 - x, *sy = y;
        break;
    case 3:
        *sx = w - 1 - x, *sy = h - 1 - y;
        break;
    case 4:
        *sx = x, *sy = h - 1 - y;
        break;
    case 5:
        *sx = y, *sy = x;
        break;
    case 6:
        *sx = y, *sy = h - 1 - x;
        break;
    case 7:
        *sx = w - 1 - y, *sy = h - 1 - x;
        break;
    default:
        *sx = w - 1 - y, *sy = x;
        break;
    }
}

static void check(const vt_stored *stored, vt_rect area)
{
    size_t bytes = (size_t)area.width * (size_t)area.height * (size_t)stored->channels;
    uint8_t *out = vt_alloc(bytes);
    memset(out, 0xEE, bytes);
    vt_rect mapped = vt_orient_to_stored(area, stored->orientation, stored->width, stored->height);
    vt_orient_copy(stored, mapped, out);
    for (int y = 0; y < area.height; y++) {
        for (int x = 0; x < area.width; x++) {
            int sx, sy;
            stored_of(stored->orientation, area.x + x, area.y + y, stored->width, stored->height,
                      &sx, &sy);
            size_t from =
                ((size_t)sy * (size_t)stored->width + (size_t)sx) * (size_t)stored->channels;
            size_t to = ((size_t)y * (size_t)area.width + (size_t)x) * (size_t)stored->channels;
            assert_memory_equal(stored->pixels + from, out + to, (size_t)stored->channels);
        }
    }
    int sx, sy;
    stored_of(stored->orientation, area.x, area.y, stored->width, stored->height, &sx, &sy);
    assert_in_range(sx, mapped.x, mapped.x + mapped.width - 1);
    assert_in_range(sy, mapped.y, mapped.y + mapped.height - 1);
    assert_int_equal(mapped.width * mapped.height, area.width * area.height);
    vt_free(out);
}

static void every_orientation_is_its_definition(void **state)
{
    (void)state;
    static const int sizes[][2] = {{1, 1}, {1, 7}, {31, 33}, {64, 32}, {70, 45}};
    vt_image noise = picture_noise(100, 100, 5);
    for (int orientation = 1; orientation <= 8; orientation++) {
        for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
            for (int channels = 1; channels <= 4; channels++) {
                vt_stored stored = {.pixels = noise.rgb,
                                    .width = sizes[i][0],
                                    .height = sizes[i][1],
                                    .channels = channels,
                                    .orientation = orientation};
                bool swaps = vt_orient_swaps(orientation);
                vt_rect all = {.width = swaps ? stored.height : stored.width,
                               .height = swaps ? stored.width : stored.height};
                check(&stored, all);
                vt_rect part = {.x = all.width / 3,
                                .y = all.height / 4,
                                .width = (all.width + 1) / 2,
                                .height = (all.height + 1) / 2};
                check(&stored, part);
            }
        }
    }
    vt_image_deinit(&noise);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(every_orientation_is_its_definition)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
