/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Fuzz target: any bytes as a picture, decoded in the ways that callers decode, then shrunk to a
 * tensor and hashed. The last byte, which every format ignores, chooses the way.
 *
 *     CC=clang meson setup build-fuzz -Dfuzz=true -Db_sanitize=address,undefined \
 *         -Db_lundef=false -Dc_args=-fsanitize=fuzzer-no-link
 *     ninja -C build-fuzz fuzz/fuzz_image && build-fuzz/fuzz/fuzz_image corpus/
 */
#include <stdlib.h>

#include "image/image.h"

enum { FUZZ_PIXELS = 1 << 20, FUZZ_BYTES = 1 << 20, FUZZ_SIDE = 16 };

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length);

static void check(bool holds)
{
    if (!holds)
        abort(); /* how a target tells the fuzzer about a wrong answer */
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length)
{
    uint8_t way = length > 0 ? bytes[length - 1] : 0;
    vt_decode_options options = vt_decode_options_defaults();
    options.maximum_bytes = FUZZ_BYTES;
    options.maximum_pixels = FUZZ_PIXELS;
    if (way & 1)
        options.fit_width = options.fit_height = FUZZ_SIDE;
    if (way & 2)
        options.crop = (vt_rect){.x = way >> 4, .y = way >> 3, .width = 20, .height = 3};
    vt_image image = {0};
    vt_error error = {0};
    if (vt_image_decode(bytes, length, &options, &image, &error) != VT_OK) {
        check(image.rgb == NULL && error.status != VT_OK && error.message[0] != '\0');
        return 0;
    }
    check(image.width > 0 && image.height > 0);
    check((uint64_t)image.full_width * (uint64_t)image.full_height <= FUZZ_PIXELS);
    vt_pixel_spec spec = {.width = FUZZ_SIDE,
                          .height = FUZZ_SIDE,
                          .fit = (vt_fit)(way % 3),
                          .kernel = (vt_kernel)(way / 3 % 4),
                          .crop_ratio = 0.875f,
                          .scale = 1.0f,
                          .std = {1.0f, 1.0f, 1.0f}};
    float tensor[3 * FUZZ_SIDE * FUZZ_SIDE];
    uint64_t hash;
    check(vt_image_to_tensor(&image, &spec, tensor, &error) == VT_OK);
    for (size_t i = 0; i < sizeof tensor / sizeof *tensor; i++)
        check(tensor[i] >= 0.0f && tensor[i] <= 255.0f);
    check(vt_image_phash(&image, &hash, &error) == VT_OK);
    vt_image_deinit(&image);
    return 0;
}
