/* SPDX-License-Identifier: Apache-2.0 */
#include "support/scratch.h"

#include "nn/tensor.h"

#include <math.h>

static uint16_t half_of(vt_dtype dtype, double value)
{
    uint16_t bits;
    vt_store_f64(dtype, &bits, 0, 1, &value);
    return bits;
}

static double of_half(vt_dtype dtype, uint16_t bits)
{
    double value;
    vt_load_f64(dtype, &bits, 0, 1, &value);
    return value;
}

static void halves_round_to_nearest_even(void **state)
{
    (void)state;
    assert_int_equal(half_of(VT_F16, 1.0), 0x3c00);
    assert_int_equal(half_of(VT_F16, -2.5), 0xc100);
    assert_int_equal(half_of(VT_F16, 1.0 + 0x1p-11), 0x3c00); /* tie, even below */
    assert_int_equal(half_of(VT_F16, 1.0 + 3 * 0x1p-11), 0x3c02);
    assert_int_equal(half_of(VT_F16, 1.0 + 0x1p-11 + 0x1p-40),
                     0x3c01); /* f32 on the way would tie */
    assert_int_equal(half_of(VT_F16, 65504.0), 0x7bff);
    assert_int_equal(half_of(VT_F16, 65519.999), 0x7bff);
    assert_int_equal(half_of(VT_F16, 65520.0), 0x7c00);
    assert_int_equal(half_of(VT_F16, 1e300), 0x7c00);
    assert_int_equal(half_of(VT_F16, -INFINITY), 0xfc00);
    assert_int_equal(half_of(VT_F16, 0x1p-14), 0x0400);
    assert_int_equal(half_of(VT_F16, 0x1p-24), 0x0001);
    assert_int_equal(half_of(VT_F16, 0x1p-25), 0x0000);
    assert_int_equal(half_of(VT_F16, 0x1.8p-25), 0x0001);
    assert_int_equal(half_of(VT_F16, 0x1p-26), 0x0000);
    assert_int_equal(half_of(VT_F16, 0x1.ffcp-15), 0x0400); /* rounds up into the normal range */
    assert_int_equal(half_of(VT_F16, -0.0), 0x8000);
    assert_int_equal(half_of(VT_F16, 5e-324), 0x0000);
    assert_int_equal(half_of(VT_BF16, 1.0 + 0x1p-8), 0x3f80);
    assert_int_equal(half_of(VT_BF16, 1.0 + 3 * 0x1p-8), 0x3f82);
    assert_int_equal(half_of(VT_BF16, 3.4e38), 0x7f80);
    assert_int_equal(half_of(VT_BF16, 0x1p-133), 0x0001);
}

static void every_half_survives_the_way_through_f64(void **state)
{
    (void)state;
    const vt_dtype types[] = {VT_F16, VT_BF16};
    for (size_t t = 0; t < 2; t++) {
        for (uint32_t bits = 0; bits < 0x10000; bits++) {
            double value = of_half(types[t], (uint16_t)bits);
            if (isnan(value))
                assert_true(isnan(of_half(types[t], half_of(types[t], value))));
            else
                assert_int_equal(half_of(types[t], value), bits);
        }
    }
    assert_true(of_half(VT_F16, 0x3555) == 0x1.554p-2 && of_half(VT_F16, 0x0001) == 0x1p-24);
    assert_true(of_half(VT_F16, 0xfc00) == -INFINITY && of_half(VT_BF16, 0x4049) == 3.140625);
}

static void cast(vt_dtype from, const void *in, vt_dtype to, void *out, int64_t count)
{
    vt_tensor source = {.dtype = from, .shape = {1, {count}}, .data = (void *)(uintptr_t)in};
    vt_tensor target;
    assert_int_equal(vt_tensor_cast(&source, to, &target, NULL), VT_OK);
    assert_int_equal(target.dtype, to);
    memcpy(out, target.data, target.bytes);
    vt_tensor_deinit(&target);
}

static void floats_to_integers_truncate_and_saturate(void **state)
{
    (void)state;
    const double in[] = {-1.99, 1.99, 300, -300, NAN, INFINITY, -INFINITY};
    uint8_t bytes[7];
    int8_t signed_bytes[7];
    int64_t longs[7];
    uint64_t unsigned_longs[7];
    uint8_t flags[7];
    cast(VT_F64, in, VT_U8, bytes, 7);
    assert_memory_equal(bytes, ((uint8_t[]){0, 1, 255, 0, 0, 255, 0}), 7);
    cast(VT_F64, in, VT_I8, signed_bytes, 7);
    assert_memory_equal(signed_bytes, ((int8_t[]){-1, 1, 127, -128, 0, 127, -128}), 7);
    cast(VT_F64, in, VT_I64, longs, 7);
    assert_true(longs[0] == -1 && longs[4] == 0 && longs[5] == INT64_MAX && longs[6] == INT64_MIN);
    cast(VT_F64, in, VT_U64, unsigned_longs, 7);
    assert_true(unsigned_longs[0] == 0 && unsigned_longs[5] == UINT64_MAX);
    cast(VT_F64, in, VT_BOOL, flags, 7);
    assert_memory_equal(flags, ((uint8_t[]){1, 1, 1, 1, 1, 1, 1}), 7);
}

static void integers_stay_whole(void **state)
{
    (void)state;
    const int64_t in[] = {(INT64_C(1) << 53) + 1, -1, 256};
    int64_t same[3];
    uint8_t low[3];
    uint64_t big = UINT64_MAX, back;
    double wide;
    float narrow;
    cast(VT_I64, in, VT_I64, same, 3);
    assert_memory_equal(in, same, sizeof in);
    cast(VT_I64, in, VT_U8, low, 3); /* the low bits */
    assert_memory_equal(low, ((uint8_t[]){1, 255, 0}), 3);
    cast(VT_U64, &big, VT_F64, &wide, 1);
    assert_true(wide == 18446744073709551616.0);
    cast(VT_U64, &big, VT_F32, &narrow, 1);
    assert_true(narrow == 18446744073709551616.0f);
    cast(VT_F64, &wide, VT_U64, &back, 1);
    assert_true(back == UINT64_MAX);
    cast(VT_U64, &big, VT_I64, same, 1);
    assert_int_equal(same[0], -1);
}

static void runs_and_lists_agree(void **state)
{
    (void)state;
    const int16_t data[] = {-3, 5, -7, 9};
    const size_t places[] = {3, 0, 3};
    double wide[3];
    int64_t whole[3];
    vt_gather_f64(VT_I16, data, places, 3, wide);
    vt_gather_i64(VT_I16, data, places, 3, whole);
    assert_true(wide[0] == 9 && wide[1] == -3 && wide[2] == 9);
    assert_true(whole[0] == 9 && whole[1] == -3 && whole[2] == 9);
    vt_load_i64(VT_I16, data, 1, 3, whole);
    assert_true(whole[0] == 5 && whole[1] == -7 && whole[2] == 9);
}

static void text_is_never_cast(void **state)
{
    (void)state;
    vt_error error;
    vt_tensor source = {.dtype = VT_STRING, .shape = {1, {1}}}, target;
    float number[] = {1};
    assert_int_equal(vt_tensor_cast(&source, VT_F32, &target, &error), VT_ERR_UNSUPPORTED);
    source = (vt_tensor){.dtype = VT_F32, .shape = {1, {1}}, .data = number};
    assert_int_equal(vt_tensor_cast(&source, VT_STRING, &target, &error), VT_ERR_UNSUPPORTED);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(halves_round_to_nearest_even),
        cmocka_unit_test(every_half_survives_the_way_through_f64),
        cmocka_unit_test(floats_to_integers_truncate_and_saturate),
        cmocka_unit_test(integers_stay_whole),
        cmocka_unit_test(runs_and_lists_agree),
        cmocka_unit_test(text_is_never_cast),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
