/* SPDX-License-Identifier: Apache-2.0 */
/* Filter tables: what must hold of every one, and a few known by hand. */
#include "image/pictures.h"
#include "image/resample.h"

static void check_table(int source, double begin, double length, int count, vt_kernel kernel)
{
    vt_filter filter;
    assert_ok(vt_filter_init(&filter, source, begin, length, count, kernel, error));
    assert_int_equal(filter.count, count);
    assert_in_range(filter.taps, 1, source);
    for (int i = 0; i < count; i++) {
        double sum = 0;
        assert_in_range(filter.start[i], 0, source - filter.taps);
        if (i > 0)
            assert_true(filter.start[i] >= filter.start[i - 1]);
        for (int t = 0; t < filter.taps; t++)
            sum += (double)filter.weights[i * filter.taps + t];
        assert_true(fabs(sum - 1.0) < 1e-4);
    }
    vt_filter_deinit(&filter);
}

static void tables_are_sound(void **state)
{
    (void)state;
    for (int kernel = VT_KERNEL_AREA; kernel <= VT_KERNEL_LANCZOS; kernel++) {
        for (int source = 1; source <= 60; source += 1 + source / 7) {
            for (int count = 1; count <= 60; count += 1 + count / 5) {
                check_table(source, 0, source, count, (vt_kernel)kernel);
                check_table(source, source * 0.25, source * 0.5, count, (vt_kernel)kernel);
            }
        }
        check_table(30000, 0, 30000, 1, (vt_kernel)kernel);
        check_table(1, 0, 1, 30000, (vt_kernel)kernel);
    }
}

static void halving_by_area_is_the_mean_of_two(void **state)
{
    (void)state;
    vt_filter filter;
    assert_ok(vt_filter_init(&filter, 8, 0, 8, 4, VT_KERNEL_AREA, error));
    for (int i = 0; i < 4; i++) {
        for (int t = 0; t < filter.taps; t++) {
            int pixel = filter.start[i] + t;
            float expected = pixel / 2 == i ? 0.5f : 0.0f;
            assert_true(filter.weights[i * filter.taps + t] == expected);
        }
    }
    vt_filter_deinit(&filter);
}

static void doubling_bilinear_is_three_to_one(void **state)
{
    (void)state;
    vt_filter filter;
    float weights[8] = {0};
    assert_ok(vt_filter_init(&filter, 8, 0, 8, 16, VT_KERNEL_BILINEAR, error));
    for (int t = 0; t < filter.taps; t++) /* output 5 lies at 2.75, a quarter behind pixel 2 */
        weights[filter.start[5] + t] = filter.weights[5 * filter.taps + t];
    assert_true(fabsf(weights[2] - 0.75f) < 1e-6f);
    assert_true(fabsf(weights[3] - 0.25f) < 1e-6f);
    vt_filter_deinit(&filter);
}

static void placements(void **state)
{
    (void)state;
    vt_placement p = vt_placement_make(640, 480, 224, 224, VT_FIT_COVER, 0.875);
    /* Resized to 256 on the short side, 224 of it are seen: 480 * 0.875 = 420. */
    assert_true(fabs(p.width - 420) < 1e-9 && fabs(p.height - 420) < 1e-9);
    assert_true(fabs(p.x - 110) < 1e-9 && fabs(p.y - 30) < 1e-9);
    assert_int_equal(p.out_width, 224);
    p = vt_placement_make(640, 480, 224, 224, VT_FIT_CONTAIN, 1.0);
    assert_int_equal(p.out_width, 224);
    assert_int_equal(p.out_height, 168);
    assert_int_equal(p.left, 0);
    assert_int_equal(p.top, 28);
    p = vt_placement_make(640, 480, 100, 50, VT_FIT_SQUASH, 1.0);
    assert_true(p.x == 0 && p.y == 0 && p.width == 640 && p.height == 480);
    assert_int_equal(p.out_height, 50);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(tables_are_sound),
        cmocka_unit_test(halving_by_area_is_the_mean_of_two),
        cmocka_unit_test(doubling_bilinear_is_three_to_one),
        cmocka_unit_test(placements),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
