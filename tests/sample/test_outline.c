/* SPDX-License-Identifier: Apache-2.0 */
/* Outlines: distance inside, outside and beyond the grid, in all three uses. */
#include "sample/outline.h"
#include "support/scratch.h"

#include <math.h>

static void near(float have, float want, float tolerance)
{
    if (!(fabsf(have - want) <= tolerance))
        fail_msg("%.9g instead of %.9g", (double)have, (double)want);
}

static void test_square(void **state)
{
    (void)state;
    vt_pen pen = {0};
    vt_pen_corner(&pen, -1, -1);
    vt_pen_corner(&pen, 1, -1);
    vt_pen_corner(&pen, 1, 1);
    vt_pen_corner(&pen, -1, 1);
    vt_outline o;
    assert_true(vt_outline_init(&o, &pen, VT_OUTLINE_CLOSED));
    float cell = o.cell;
    near(vt_outline_distance(&o, 0.5f, 0.0f), -0.5f, cell);
    near(vt_outline_distance(&o, 1.0f, 0.2f), 0.0f, 0.1f * cell);
    near(vt_outline_distance(&o, 1.03f, 0.2f), 0.03f, 0.1f * cell);
    /* Beyond the grid a lower bound, at least the distance to the grid. */
    for (int i = 0; i < 64; i++) {
        float angle = (float)i * 0.1f;
        float x = 5.0f * f_cos(angle);
        float y = 5.0f * f_sin(angle);
        float ox = f_max(f_abs(x) - 1.0f, 0.0f);
        float oy = f_max(f_abs(y) - 1.0f, 0.0f);
        float truth = f_sqrt(ox * ox + oy * oy);
        float have = vt_outline_distance(&o, x, y);
        assert_true(have <= truth + 1e-4f && have > 0.9f * truth);
    }
    vt_outline_deinit(&o);
    vt_outline_deinit(&o); /* twice is fine */
}

static void test_lathe(void **state)
{
    (void)state;
    vt_pen pen = {0};
    vt_pen_arc(&pen, 0, 0, 1.0f, -90.0f, 90.0f);
    vt_pen_to_axis(&pen);
    vt_outline o;
    assert_true(vt_outline_init(&o, &pen, VT_OUTLINE_LATHE));
    /* The axis is inside, not an edge. */
    near(vt_outline_distance(&o, 0.0f, 0.0f), -1.0f, 2.0f * o.cell);
    near(vt_outline_distance(&o, 0.0f, 1.0f), 0.0f, o.cell);
    near(vt_outline_distance(&o, 0.6f, 0.8f), 0.0f, 0.5f * o.cell);
    vt_outline_deinit(&o);
}

static void test_hollow(void **state)
{
    (void)state;
    vt_pen pen = {0};
    const float side[][2] = {{0.4f, 0.0f}, {0.4f, 0.5f}, {0.4f, 1.0f}};
    vt_pen_curve(&pen, side, 3);
    vt_pen_hollow(&pen, 0.06f, 0.1f);
    vt_outline o;
    assert_true(vt_outline_init(&o, &pen, VT_OUTLINE_LATHE));
    near(vt_outline_distance(&o, 0.37f, 0.5f), -0.03f, o.cell);
    assert_true(vt_outline_distance(&o, 0.2f, 0.5f) > 0.1f);  /* room for coffee */
    assert_true(vt_outline_distance(&o, 0.0f, 0.05f) < 0.0f); /* a floor */
    assert_true(vt_outline_distance(&o, 0.2f, 1.2f) > 0.0f);  /* open above */
    vt_outline_deinit(&o);
}

static void test_stroke(void **state)
{
    (void)state;
    vt_pen pen = {0};
    vt_pen_corner(&pen, 0, 0);
    vt_pen_corner(&pen, 1, 0);
    vt_outline o;
    assert_true(vt_outline_init(&o, &pen, VT_OUTLINE_STROKE));
    near(vt_outline_distance(&o, 0.5f, 0.1f), 0.1f, 0.05f * o.cell);
    near(vt_outline_distance(&o, 1.1f, 0.0f), 0.1f, 0.5f * o.cell);
    assert_true(vt_outline_distance(&o, 0.5f, 0.0f) >= 0.0f);
    vt_outline_deinit(&o);
}

static void test_degenerate(void **state)
{
    (void)state;
    for (int count = 0; count < 3; count++) {
        for (int use = 0; use < 3; use++) {
            vt_pen pen = {0};
            for (int i = 0; i < count; i++)
                vt_pen_corner(&pen, 0.5f, 0.5f);
            if (use == VT_OUTLINE_LATHE) {
                vt_pen_hollow(&pen, 0.1f, 0.1f);
                vt_pen_to_axis(&pen);
            }
            vt_outline o;
            assert_true(vt_outline_init(&o, &pen, (vt_outline_use)use));
            float have = vt_outline_distance(&o, 3.0f, -2.0f);
            assert_true(have > 0.0f && have == have);
            vt_outline_deinit(&o);
        }
    }
    vt_pen empty = {0};
    vt_pen_curve(&empty, NULL, 0);
    vt_pen_mirror(&empty);
    assert_int_equal(empty.count, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_square),     cmocka_unit_test(test_lathe),
        cmocka_unit_test(test_hollow),     cmocka_unit_test(test_stroke),
        cmocka_unit_test(test_degenerate),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
