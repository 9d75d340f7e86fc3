/* SPDX-License-Identifier: Apache-2.0 */
/* Telling sRGB profiles from others: real ones, hand-made ones with each kind of curve, damaged
 * ones. */
#include "image/icc.h"
#include "image/pictures.h"

static void put_u32(uint8_t *at, uint32_t value)
{
    for (int i = 0; i < 4; i++)
        at[i] = (uint8_t)(value >> (24 - 8 * i));
}

/* A matrix profile with one curve for all three channels. */
typedef struct made_profile {
    uint8_t bytes[1024];
    size_t length;
} made_profile;

static made_profile profile_make(const double primaries[3][3], const uint8_t *curve, size_t size)
{
    static const char *const tags[] = {"rXYZ", "gXYZ", "bXYZ", "rTRC", "gTRC", "bTRC"};
    made_profile made = {.length = 128 + 4 + 6 * 12};
    memcpy(made.bytes + 16, "RGB XYZ ", 8);
    memcpy(made.bytes + 36, "acsp", 4);
    put_u32(made.bytes + 128, 6);
    size_t curve_at = made.length + 3 * 20;
    for (size_t i = 0; i < 6; i++) {
        uint8_t *entry = made.bytes + 132 + 12 * i;
        memcpy(entry, tags[i], 4);
        put_u32(entry + 4, (uint32_t)(i < 3 ? made.length + 20 * i : curve_at));
        put_u32(entry + 8, (uint32_t)(i < 3 ? 20 : size));
        if (i < 3) {
            uint8_t *xyz = made.bytes + made.length + 20 * i;
            memcpy(xyz, "XYZ ", 4);
            for (size_t j = 0; j < 3; j++)
                put_u32(xyz + 8 + 4 * j, (uint32_t)lround(primaries[i][j] * 65536));
        }
    }
    memcpy(made.bytes + curve_at, curve, size);
    made.length = curve_at + size;
    return made;
}

static const double srgb_primaries[3][3] = {
    {0.43607, 0.22249, 0.01392}, {0.38515, 0.71687, 0.09708}, {0.14307, 0.06061, 0.71410}};

static size_t curve_parametric(uint8_t *out)
{
    static const double p[5] = {2.4, 1 / 1.055, 0.055 / 1.055, 1 / 12.92, 0.04045};
    memcpy(out, "para\0\0\0\0\0\3\0\0", 12);
    for (size_t i = 0; i < 5; i++)
        put_u32(out + 12 + 4 * i, (uint32_t)lround(p[i] * 65536));
    return 32;
}

static size_t curve_sampled(uint8_t *out, unsigned count)
{
    memcpy(out, "curv\0\0\0\0", 8);
    put_u32(out + 8, count);
    for (unsigned i = 0; i < count; i++) {
        double x = (double)i / (count - 1);
        double y = x <= 0.04045 ? x / 12.92 : pow((x + 0.055) / 1.055, 2.4);
        unsigned value = (unsigned)lround(y * 65535);
        out[12 + 2 * i] = (uint8_t)(value >> 8);
        out[13 + 2 * i] = (uint8_t)value;
    }
    return 12 + 2 * count;
}

static size_t curve_gamma(uint8_t *out, double gamma)
{
    memcpy(out, "curv\0\0\0\0\0\0\0\1", 12);
    unsigned value = (unsigned)lround(gamma * 256);
    out[12] = (uint8_t)(value >> 8);
    out[13] = (uint8_t)value;
    return 14;
}

static void real_profiles(void **state)
{
    (void)state;
    vt_buf srgb = picture_profile("srgb"), p3 = picture_profile("p3"),
           cmyk = picture_profile("cmyk");
    assert_true(vt_icc_is_srgb((uint8_t *)srgb.data, srgb.length));
    assert_false(vt_icc_is_srgb((uint8_t *)p3.data, p3.length));
    assert_false(vt_icc_is_srgb((uint8_t *)cmyk.data, cmyk.length));
    vt_buf_deinit(&srgb);
    vt_buf_deinit(&p3);
    vt_buf_deinit(&cmyk);
}

static void curves_and_primaries_decide(void **state)
{
    (void)state;
    uint8_t curve[600];
    double swapped[3][3];
    made_profile made = profile_make(srgb_primaries, curve, curve_parametric(curve));
    assert_true(vt_icc_is_srgb(made.bytes, made.length));
    made = profile_make(srgb_primaries, curve, curve_sampled(curve, 256));
    assert_true(vt_icc_is_srgb(made.bytes, made.length));
    made = profile_make(srgb_primaries, curve, curve_gamma(curve, 2.2));
    assert_false(vt_icc_is_srgb(made.bytes, made.length)); /* Adobe RGB's curve: darks differ */
    made = profile_make(srgb_primaries, curve, curve_gamma(curve, 1.8));
    assert_false(vt_icc_is_srgb(made.bytes, made.length));
    memcpy(swapped[0], srgb_primaries[2], sizeof swapped[0]);
    memcpy(swapped[1], srgb_primaries[1], sizeof swapped[1]);
    memcpy(swapped[2], srgb_primaries[0], sizeof swapped[2]);
    made = profile_make(swapped, curve, curve_parametric(curve));
    assert_false(vt_icc_is_srgb(made.bytes, made.length));
    made = profile_make(srgb_primaries, curve, curve_parametric(curve));
    memcpy(made.bytes + 16, "CMYK", 4);
    assert_false(vt_icc_is_srgb(made.bytes, made.length));
    memcpy(made.bytes + 16, "GRAY", 4); /* grey asks for kTRC */
    assert_false(vt_icc_is_srgb(made.bytes, made.length));
    memcpy(made.bytes + 132, "kTRC", 4);
    memcpy(made.bytes + 136, made.bytes + 132 + 3 * 12 + 4, 8);
    assert_true(vt_icc_is_srgb(made.bytes, made.length));
}

static void prefixes_and_flips_are_survived(void **state)
{
    (void)state;
    uint8_t curve[600];
    made_profile made = profile_make(srgb_primaries, curve, curve_sampled(curve, 256));
    vt_random random;
    vt_random_init(&random, 4);
    for (size_t length = 0; length < made.length; length++) {
        uint8_t *copy = vt_alloc(length);
        memcpy(copy, made.bytes, length);
        assert_false(vt_icc_is_srgb(copy, length));
        vt_free(copy);
    }
    for (int round = 0; round < 3000; round++) {
        uint8_t *copy = vt_alloc(made.length);
        memcpy(copy, made.bytes, made.length);
        for (int flip = 0; flip < 3; flip++)
            copy[128 + vt_random_below(&random, 160)] = (uint8_t)vt_random_u64(&random);
        vt_icc_is_srgb(copy, made.length);
        vt_free(copy);
    }
}

static int setup(void **state)
{
    (void)state;
    return VIPS_INIT("test");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(real_profiles),
        cmocka_unit_test(curves_and_primaries_decide),
        cmocka_unit_test(prefixes_and_flips_are_survived),
    };
    return cmocka_run_group_tests(tests, setup, NULL);
}
