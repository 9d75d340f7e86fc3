/* SPDX-License-Identifier: Apache-2.0 */
/* Cutting rectangles. */
#include "image/pictures.h"

static void cuts_the_rectangle(void **state)
{
    (void)state;
    vt_image image = picture_noise(37, 23, 1), cut;
    image.full_width = 370;
    image.full_height = 230;
    assert_ok(vt_image_crop(&image, (vt_rect){5, 6, 11, 17}, &cut, error));
    assert_int_equal(cut.width, 11);
    assert_int_equal(cut.height, 17);
    assert_int_equal(cut.full_width, 370);
    assert_int_equal(cut.full_height, 230);
    for (int y = 0; y < 17; y++)
        assert_memory_equal(picture_at(&cut, 0, y), picture_at(&image, 5, 6 + y), 33);
    vt_image_deinit(&cut);
    assert_ok(vt_image_crop(&image, (vt_rect){0}, &cut, error));
    assert_int_equal(picture_largest_difference(&image, &cut), 0);
    vt_image_deinit(&cut);
    vt_image_deinit(&image);
}

static void refuses_what_sticks_out(void **state)
{
    (void)state;
    static const vt_rect wrong[] = {{-1, 0, 3, 3},
                                    {0, -1, 3, 3},
                                    {35, 0, 3, 3},
                                    {0, 21, 3, 3},
                                    {0, 0, 38, 1},
                                    {0, 0, 1, 24},
                                    {0, 0, -1, 3},
                                    {0, 0, 3, 0},
                                    {0, 0, 3, -1},
                                    {INT32_MAX, 0, INT32_MAX, 1},
                                    {1, 1, INT32_MAX, INT32_MAX}};
    vt_image image = picture_noise(37, 23, 1);
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        vt_image cut = {.width = 5};
        vt_error error = {0};
        assert_int_equal(vt_image_crop(&image, wrong[i], &cut, &error), VT_ERR_USAGE);
        assert_int_equal(cut.width, 5);
    }
    vt_image_deinit(&image);
}

static void without_memory_it_says_so(void **state)
{
    (void)state;
    vt_image image = picture_noise(9, 9, 1), cut = {0};
    vt_mem_fail_after(0);
    assert_int_equal(vt_image_crop(&image, (vt_rect){0}, &cut, NULL), VT_ERR_NO_MEMORY);
    vt_mem_fail_after(-1);
    vt_image_deinit(&image);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(cuts_the_rectangle),
        cmocka_unit_test(refuses_what_sticks_out),
        cmocka_unit_test(without_memory_it_says_so),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
