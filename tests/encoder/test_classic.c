/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/mem.h"
#include "encoder/encoder.h"
#include "vector/distance.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* A disc or square of one colour on white, with stripes where asked for. */
typedef struct drawing {
    int side, radius, shift;
    bool square, stripes;
    uint8_t rgb[3];
} drawing;

static vt_image draw(const drawing *what)
{
    vt_image image = {0};
    assert_int_equal(vt_image_init(&image, what->side, what->side, NULL), VT_OK);
    for (int y = 0; y < what->side; y++)
        for (int x = 0; x < what->side; x++) {
            int dx = x - what->side / 2 - what->shift, dy = y - what->side / 2;
            bool inside = what->square ? abs(dx) < what->radius && abs(dy) < what->radius
                                       : dx * dx + dy * dy < what->radius * what->radius;
            bool dark = what->stripes && (x * 16 / what->side) % 2 == 0;
            for (int c = 0; c < 3; c++)
                image.rgb[3 * (y * what->side + x) + c] = inside ? (dark ? 30 : what->rgb[c]) : 255;
        }
    return image;
}

static float similarity(const drawing *a, const drawing *b)
{
    size_t dim = vt_classic_dim();
    float *vectors = vt_calloc(2 * dim, sizeof(float));
    vt_image first = draw(a), second = draw(b);
    assert_non_null(vectors);
    assert_int_equal(vt_classic_embed(&first, vectors, NULL), VT_OK);
    assert_int_equal(vt_classic_embed(&second, vectors + dim, NULL), VT_OK);
    float dot = vt_distance()->dot_f32(vectors, vectors + dim, dim);
    vt_image_deinit(&first);
    vt_image_deinit(&second);
    vt_free(vectors);
    return dot;
}

static const drawing red_disc = {200, 60, 0, false, false, {200, 40, 40}};

static void a_picture_is_like_itself(void **state)
{
    (void)state;
    assert_float_equal(similarity(&red_disc, &red_disc), 1.0f, 1e-5f);
}

static void size_and_small_shifts_matter_little(void **state)
{
    (void)state;
    drawing larger = red_disc, shifted = red_disc;
    larger.side = 640;
    larger.radius = 192;
    shifted.shift = 6;
    assert_true(similarity(&red_disc, &larger) > 0.98f);
    assert_true(similarity(&red_disc, &shifted) > 0.85f);
}

static void colour_shape_and_texture_each_count(void **state)
{
    (void)state;
    drawing blue = red_disc, square = red_disc, striped = red_disc, shifted = red_disc;
    memcpy(blue.rgb, (uint8_t[]){40, 40, 200}, 3);
    square.square = true;
    striped.stripes = true;
    shifted.shift = 6;
    float near = similarity(&red_disc, &shifted);
    assert_true(similarity(&red_disc, &blue) < near);
    assert_true(similarity(&red_disc, &square) < near);
    assert_true(similarity(&red_disc, &striped) < near);
}

static void tiny_and_flat_pictures_have_vectors_of_length_one(void **state)
{
    (void)state;
    size_t dim = vt_classic_dim();
    float *vector = vt_calloc(dim, sizeof(float));
    for (int side = 1; side <= 300; side += 299) {
        vt_image image = {0};
        assert_int_equal(vt_image_init(&image, side, side, NULL), VT_OK);
        memset(image.rgb, 0, 3 * (size_t)side * (size_t)side);
        assert_int_equal(vt_classic_embed(&image, vector, NULL), VT_OK);
        assert_true(vt_vector_is_finite(vector, dim));
        assert_float_equal(vt_distance()->dot_f32(vector, vector, dim), 1.0f, 1e-5f);
        vt_image_deinit(&image);
    }
    vt_free(vector);
}

static void running_out_of_memory_is_an_error(void **state)
{
    (void)state;
    float *vector = vt_calloc(vt_classic_dim(), sizeof(float));
    vt_image image = draw(&red_disc);
    vt_status status = VT_ERR_INTERNAL;
    for (int64_t successes = 0; status != VT_OK && successes < 100; successes++) {
        vt_error error;
        vt_mem_fail_after(successes);
        status = vt_classic_embed(&image, vector, &error);
        vt_mem_fail_after(-1);
        if (status != VT_OK)
            assert_int_equal(status, VT_ERR_NO_MEMORY);
    }
    assert_int_equal(status, VT_OK);
    vt_image_deinit(&image);
    vt_free(vector);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_picture_is_like_itself),
        cmocka_unit_test(size_and_small_shifts_matter_little),
        cmocka_unit_test(colour_shape_and_texture_each_count),
        cmocka_unit_test(tiny_and_flat_pictures_have_vectors_of_length_one),
        cmocka_unit_test(running_out_of_memory_is_an_error),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
