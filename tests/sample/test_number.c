/* SPDX-License-Identifier: Apache-2.0 */
/* Elementary functions against the C library, colours there and back, noise within its range. */
#include "sample/number.h"
#include "support/scratch.h"

#include <math.h>

static void near(double have, double want, double tolerance)
{
    if (!(fabs(have - want) <= tolerance))
        fail_msg("%.9g instead of %.9g", have, want);
}

static void test_functions(void **state)
{
    (void)state;
    for (int i = -2000; i <= 2000; i++) {
        float x = (float)i * 0.0173f;
        near((double)f_sin(x), sin((double)x), 2e-5);
        near((double)f_cos(x), cos((double)x), 2e-5);
        near((double)f_floor(x), floor((double)x), 0.0);
        float y = (float)(i * 7 % 301) * 0.013f;
        near((double)f_atan2(x, y), atan2((double)x, (double)y), 3e-5);
        float a = x * 0.5f;
        near((double)f_exp2(a) / exp2((double)a), 1.0, 1e-5);
        float positive = f_abs(x) + 1e-4f;
        near((double)f_log2(positive), log2((double)positive), 2e-5);
        near((double)f_pow(positive, 0.4167f) / pow((double)positive, (double)0.4167f), 1.0, 2e-5);
    }
    assert_true(f_atan2(0.0f, 0.0f) == 0.0f);
    assert_true(f_pow(0.0f, 2.0f) == 0.0f);
    assert_true(f_sqrt(-1.0f) == 0.0f);
    vt_vec3 none = v3_unit(v3(0, 0, 0));
    near((double)v3_length(none), 1.0, 1e-6);
}

static void test_turns(void **state)
{
    (void)state;
    for (int i = 0; i < 50; i++) {
        vt_mat3 turn = vt_mat3_turn((float)i * 13.0f, (float)i * 29.0f, (float)i * 7.0f);
        vt_vec3 p = v3(0.3f, -1.2f, 2.0f);
        vt_vec3 back = m3_apply_transposed(&turn, m3_apply(&turn, p));
        near((double)v3_length(v3_sub(back, p)), 0.0, 5e-5);
        vt_mat3 twice = vt_mat3_product(&turn, &turn);
        vt_vec3 gap = v3_sub(m3_apply(&twice, p), m3_apply(&turn, m3_apply(&turn, p)));
        near((double)v3_length(gap), 0.0, 5e-5);
    }
    /* A quarter about y takes z to x. */
    vt_mat3 quarter = vt_mat3_turn(0.0f, 90.0f, 0.0f);
    near((double)m3_apply(&quarter, v3(0, 0, 1)).x, 1.0, 2e-5);
}

static void test_colors(void **state)
{
    (void)state;
    for (uint32_t level = 0; level < 256; level++) {
        vt_vec3 linear = vt_rgb_linear(level << 16 | level << 8 | level);
        near((double)vt_srgb_encode(linear.y), (double)level, 0.01);
    }
    near((double)vt_rgb_linear(0x808080).x, 0.2158605, 1e-5);
    near((double)vt_srgb_encode(7.0f), 255.0, 1e-2);
    near((double)vt_srgb_encode(-7.0f), 0.0, 1e-9);
}

static void test_noise(void **state)
{
    (void)state;
    double sum = 0.0;
    for (int i = 0; i < 4000; i++) {
        float x = (float)i * 0.37f - 600.0f;
        float a = vt_noise2(x, x * 0.61f, 5);
        float b = vt_fractal3(v3(x, -x, 0.3f * x), 4, 9);
        assert_true(a >= 0.0f && a <= 1.0f && b >= 0.0f && b <= 1.0f);
        /* Continuous: also across the lattice and zero. */
        near((double)vt_noise2(x + 1e-3f, x * 0.61f, 5), (double)a, 4e-3);
        sum += (double)a;
    }
    near(sum / 4000.0, 0.5, 0.03);
    assert_true(vt_noise2(1.5f, 2.5f, 1) != vt_noise2(1.5f, 2.5f, 2));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_functions),
        cmocka_unit_test(test_turns),
        cmocka_unit_test(test_colors),
        cmocka_unit_test(test_noise),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
