/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The distance kernels of every level this machine has. `--bench [dim]` measures them instead of
 * testing them.
 */
#include "check_distance.c"

#include "base/thread.h"

/* ---- half precision ---- */

static float half_value(uint16_t half)
{
    int exponent = half >> 10 & 31;
    float mantissa = (float)(half & 1023);
    float value = exponent == 0 ? ldexpf(mantissa, -24) : ldexpf(1024 + mantissa, exponent - 25);
    return half & 0x8000 ? -value : value;
}

static void for_each_level(void (*run)(const vt_distance_table *table, vt_cpu_level level))
{
    for (int i = 0; i < CHECK_LEVELS; i++)
        if (vt_distance_at(check_levels[i]))
            run(vt_distance_at(check_levels[i]), check_levels[i]);
}

static void all_halves_to_float(const vt_distance_table *table, vt_cpu_level level)
{
    uint16_t *in = vt_alloc_array(65536, sizeof *in);
    float *out = vt_alloc_array(65536, sizeof *out);
    assert_true(in && out);
    for (unsigned i = 0; i < 65536; i++)
        in[i] = (uint16_t)i;
    table->f16_to_f32(in, out, 65536);
    for (unsigned i = 0; i < 65536; i++) {
        uint32_t bits, want;
        memcpy(&bits, &out[i], sizeof bits);
        if ((i & 0x7fff) > 0x7c00) { /* NaN: sign and payload stay, quiet */
            want = (i & 0x8000u) << 16 | 0x7fc00000u | (i & 0x3ffu) << 13;
        } else if ((i & 0x7fff) == 0x7c00) {
            want = (i & 0x8000u) << 16 | 0x7f800000u;
        } else {
            float value = half_value(in[i]);
            memcpy(&want, &value, sizeof want);
        }
        if (bits != want)
            fail_msg("%s f16_to_f32 %04x: %08x instead of %08x", vt_cpu_name(level), i, bits, want);
    }
    vt_free(in);
    vt_free(out);
}

static void test_half_to_float(void **state)
{
    (void)state;
    for_each_level(all_halves_to_float);
}

/* For each pair of neighbouring halves: both, the middle (a tie), and the floats next to the
 * middle. */
static void all_boundaries_to_half(const vt_distance_table *table, vt_cpu_level level)
{
    enum { COUNT = 5 };
    float in[2 * COUNT];
    uint16_t out[2 * COUNT], want[COUNT];
    for (unsigned half = 0; half < 0x7c00; half++) {
        float low = half_value((uint16_t)half);
        /* Past the largest half the next step is 2^16, where infinity begins. */
        float high = half == 0x7bff ? 65536.0f : half_value((uint16_t)(half + 1));
        float middle = low + (high - low) / 2;
        uint16_t even = (uint16_t)(half & 1 ? half + 1 : half);
        float values[COUNT] = {low, nextafterf(middle, low), middle, nextafterf(middle, high),
                               high};
        want[0] = want[1] = (uint16_t)half;
        want[2] = even;
        want[3] = want[4] = (uint16_t)(half + 1);
        for (int i = 0; i < COUNT; i++) {
            in[2 * i] = values[i];
            in[2 * i + 1] = -values[i];
        }
        table->f32_to_f16(in, out, 2 * COUNT);
        for (int i = 0; i < COUNT; i++)
            if (out[2 * i] != want[i] || out[2 * i + 1] != (want[i] | 0x8000))
                fail_msg("%s f32_to_f16 %a: %04x and %04x instead of %04x", vt_cpu_name(level),
                         (double)in[2 * i], out[2 * i], out[2 * i + 1], want[i]);
    }
}

static void test_float_to_half_rounds_to_nearest_even(void **state)
{
    (void)state;
    for_each_level(all_boundaries_to_half);
}

/* Special values and random bit patterns, NaN with every kind of payload: as scalar, to the bit. */
static void random_bits_to_half(const vt_distance_table *table, vt_cpu_level level)
{
    enum { COUNT = 1 << 16 };
    static const uint32_t special[] = {0x00000000, 0x80000000, 0x00000001, 0x807fffff, 0x7f800000,
                                       0xff800000, 0x7f800001, 0x7fc00000, 0xffffffff, 0x7fa02000,
                                       0x7f7fffff, 0x33000000, 0x33000001, 0x32ffffff};
    float *in = vt_alloc_array(COUNT, sizeof *in);
    uint16_t *out = vt_alloc_array(COUNT + 2, sizeof *out);
    uint16_t *want = vt_alloc_array(COUNT, sizeof *want);
    assert_true(in && out && want);
    vt_random random;
    vt_random_init(&random, 3);
    for (size_t i = 0; i < COUNT; i++) {
        uint32_t bits = (uint32_t)vt_random_u64(&random);
        if (i < sizeof special / sizeof special[0])
            bits = special[i];
        else if (i % 4 == 0) /* where halves live: exponents of 2^-26 to 2^17 */
            bits = (bits & 0x807fffff) | (uint32_t)(101 + i / 4 % 44) << 23;
        else if (i % 4 == 1)
            bits |= 0x7f800000;
        memcpy(&in[i], &bits, sizeof bits);
    }
    vt_distance_at(VT_CPU_SCALAR)->f32_to_f16(in, want, COUNT);
    for (size_t count = 0; count < 70; count++) {
        out[0] = out[count + 1] = 0x1234;
        table->f32_to_f16(in + 1, out + 1, count);
        assert_true(out[0] == 0x1234 && out[count + 1] == 0x1234);
        assert_memory_equal(out + 1, want + 1, count * sizeof *out);
    }
    table->f32_to_f16(in, out, COUNT);
    for (size_t i = 0; i < COUNT; i++)
        if (out[i] != want[i])
            fail_msg("%s f32_to_f16 %a: %04x instead of %04x", vt_cpu_name(level), (double)in[i],
                     out[i], want[i]);
    vt_free(in);
    vt_free(out);
    vt_free(want);
}

static void test_float_to_half_bits(void **state)
{
    (void)state;
    for_each_level(random_bits_to_half);
}

static void test_half_special_values(void **state)
{
    (void)state;
    const vt_distance_table *scalar = vt_distance_at(VT_CPU_SCALAR);
    const float in[] = {65504.0f, 65519.996f,      65520.0f,  1e30f, INFINITY, 0x1p-24f,
                        0x1p-25f, 0x1.000002p-25f, 0x1p-149f, 1.0f,  -0.0f};
    const uint16_t want[] = {0x7bff, 0x7bff, 0x7c00, 0x7c00, 0x7c00, 0x0001,
                             0x0000, 0x0001, 0x0000, 0x3c00, 0x8000};
    uint16_t out[sizeof want / sizeof want[0]];
    scalar->f32_to_f16(in, out, sizeof want / sizeof want[0]);
    assert_memory_equal(out, want, sizeof want);
}

/* ---- sums ---- */

static void kernels_of_level(const vt_distance_table *table, vt_cpu_level level)
{
    static const size_t large[] = {96, 127, 128, 255, 256, 257, 512, 768, 1024, CHECK_MAX_DIM};
    check c;
    check_init(&c, table, level);
    for (int exact = 0; exact < 2; exact++) {
        c.exact = exact;
        for (size_t dim = 0; dim <= 67; dim++)
            check_all_shapes(&c, dim);
        for (size_t i = 0; i < sizeof large / sizeof large[0]; i++)
            check_all_shapes(&c, large[i]);
    }
    check_deinit(&c);
}

static void test_kernels(void **state)
{
    (void)state;
    for_each_level(kernels_of_level);
}

static void unusual_numbers(const vt_distance_table *t, vt_cpu_level level)
{
    (void)level;
    enum { DIM = 67 };
    float a[DIM] = {0}, b[DIM] = {0};
    uint16_t half[DIM] = {0};
    assert_true(same_bits(t->cosine_f32(a, b, DIM), 0.0f));
    assert_true(same_bits(t->cosine_f16(a, half, DIM), 0.0f));
    for (int i = 0; i < DIM; i++)
        a[i] = b[i] = 0.1f * (float)(i + 1);
    assert_true(t->cosine_f32(a, b, DIM) <= 1.0f && t->cosine_f32(a, b, DIM) > 0.999999f);
    assert_true(same_bits(t->l2_f32(a, b, DIM), 0.0f));
    /* Each lane and the tail pass infinity and NaN on. */
    for (int at = 0; at < DIM; at++) {
        float kept = b[at];
        b[at] = INFINITY;
        half[at] = 0x7c00;
        assert_true(isinf(t->dot_f32(a, b, DIM)) && isinf(t->dot_f16(a, half, DIM)));
        assert_true(isinf(t->l2_f32(a, b, DIM)) && isinf(t->l2_f16(a, half, DIM)));
        b[at] = NAN;
        half[at] = 0x7e00;
        assert_true(isnan(t->dot_f32(a, b, DIM)) && isnan(t->dot_f16(a, half, DIM)));
        assert_true(isnan(t->cosine_f32(a, b, DIM)) && isnan(t->cosine_f16(a, half, DIM)));
        b[at] = kept;
        half[at] = 0;
    }
    /* Lengths whose product leaves the range of f32 although they are in it. */
    float big[2] = {1e12f, 1e12f}, small[2] = {1e-15f, 1e-15f};
    assert_true(t->cosine_f32(big, big, 2) > 0.999999f);
    assert_true(t->cosine_f32(small, small, 2) > 0.999999f);
    /* Smallest halves are numbers, not zeros. */
    float one = 1.0f;
    uint16_t tiny = 1;
    assert_true(same_bits(t->dot_f16(&one, &tiny, 1), 0x1p-24f));
}

static void test_unusual_numbers(void **state)
{
    (void)state;
    for_each_level(unusual_numbers);
}

/* ---- choosing ---- */

static void table_ask(void *context, size_t index)
{
    ((const vt_distance_table **)context)[index] = vt_distance();
}

static void test_table_is_chosen_once(void **state)
{
    (void)state;
    enum { ASKERS = 64 };
    const vt_distance_table *seen[ASKERS] = {0};
    vt_pool *pool;
    assert_int_equal(vt_pool_new(4, &pool, NULL), VT_OK);
    vt_pool_for(pool, ASKERS, table_ask, seen);
    vt_pool_free(pool);
    for (int i = 0; i < ASKERS; i++)
        assert_ptr_equal(seen[i], vt_distance_at(vt_cpu()));
    assert_non_null(vt_distance_at(VT_CPU_SCALAR));
#if defined(__x86_64__)
    assert_null(vt_distance_at(VT_CPU_NEON));
#else
    assert_null(vt_distance_at(VT_CPU_AVX2));
    assert_null(vt_distance_at(VT_CPU_AVX512));
#endif
}

static const char *this_program; /* argv[0] */

/* The environment is read once per process, so each wish is tried in a process of its own. */
static void test_environment_forces_levels(void **state)
{
    (void)state;
    for (int i = 0; i < CHECK_LEVELS; i++) {
        if (!vt_distance_at(check_levels[i]))
            continue;
        char command[512];
        snprintf(command, sizeof command, "VITRINE_CPU=%s \"%s\" --level",
                 vt_cpu_name(check_levels[i]), this_program);
        FILE *pipe = popen(command, "r");
        assert_non_null(pipe);
        char said[32] = "";
        assert_non_null(fgets(said, sizeof said, pipe));
        assert_int_equal(pclose(pipe), 0);
        said[strcspn(said, "\n")] = '\0';
        assert_string_equal(said, vt_cpu_name(check_levels[i]));
    }
}

static int print_level(void)
{
    for (int i = 0; i < CHECK_LEVELS; i++)
        if (vt_distance_at(check_levels[i]) && vt_distance() == vt_distance_at(check_levels[i]))
            printf("%s\n", vt_cpu_name(check_levels[i]));
    return 0;
}

/* ---- whole vectors ---- */

static void test_normalize(void **state)
{
    (void)state;
    float v[3] = {3.0f, 0.0f, -4.0f};
    assert_true(vt_vector_normalize(v, 3));
    assert_true(same_bits(v[0], 0.6f) && same_bits(v[2], -0.8f));
    float zero[2] = {0.0f, -0.0f};
    assert_false(vt_vector_normalize(zero, 2));
    assert_false(vt_vector_normalize(zero, 0));
    float bad[2] = {1.0f, NAN};
    assert_false(vt_vector_normalize(bad, 2));
    assert_true(same_bits(bad[0], 1.0f));
    float infinite[2] = {1.0f, -INFINITY};
    assert_false(vt_vector_normalize(infinite, 2));
    /* Squares that f32 cannot hold. */
    float huge[2] = {3e38f, 3e38f}, tiny[2] = {0x1p-149f, 0x1p-149f};
    assert_true(vt_vector_normalize(huge, 2) && vt_vector_normalize(tiny, 2));
    assert_true(fabsf(huge[0] - 0.70710678f) < 1e-6f && fabsf(tiny[1] - 0.70710678f) < 1e-6f);
    assert_true(vt_vector_is_finite(v, 3) && vt_vector_is_finite(v, 0));
    assert_false(vt_vector_is_finite(bad, 2));
    assert_false(vt_vector_is_finite(infinite, 2));
}

int main(int argc, char **argv)
{
    this_program = argv[0];
    if (argc > 1 && strcmp(argv[1], "--level") == 0)
        return print_level();
    if (argc > 1 && strcmp(argv[1], "--bench") == 0) {
        long dim = argc > 2 ? strtol(argv[2], NULL, 10) : 256;
        return check_distance_bench(dim > 0 && dim <= 65536 ? (size_t)dim : 256);
    }
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_half_to_float),
        cmocka_unit_test(test_float_to_half_rounds_to_nearest_even),
        cmocka_unit_test(test_float_to_half_bits),
        cmocka_unit_test(test_half_special_values),
        cmocka_unit_test(test_kernels),
        cmocka_unit_test(test_unusual_numbers),
        cmocka_unit_test(test_table_is_chosen_once),
        cmocka_unit_test(test_environment_forces_levels),
        cmocka_unit_test(test_normalize),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
