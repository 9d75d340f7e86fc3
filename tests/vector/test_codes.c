/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The kernels for compressed vectors. Integer products are compared for equality with sums in 64
 * bits, those with f32 within the bound that any order of summation keeps. Inputs end at a page
 * that may not be touched; lengths are no multiples of any register. `--bench` measures.
 */
#include "vector/codes.h"

#include "base/clock.h"
#include "base/mem.h"
#include "base/random.h"
#include "support/guarded.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

enum { MAX_DIM = 1100, MANY = 11 };

static const vt_cpu_level levels[] = {VT_CPU_SCALAR, VT_CPU_NEON, VT_CPU_AVX2, VT_CPU_AVX512};
static const size_t lengths[] = {0,  1,  2,   3,   7,   15,  16,  17,  31,  32,  33,   47,  63,
                                 64, 65, 100, 127, 128, 129, 191, 255, 256, 257, 1023, 1024};
enum { LEVELS = 4, LENGTHS = sizeof lengths / sizeof lengths[0] };

/* What tells mistakes apart: extremes of either sign, and anything. */
static void bytes_fill(vt_random *random, void *bytes, size_t count, int kind)
{
    static const unsigned char extremes[] = {0x80, 0x7f, 0xff, 0x00};
    unsigned char *out = bytes;
    for (size_t i = 0; i < count; i++)
        out[i] = kind < 4 ? extremes[kind] : (unsigned char)vt_random_u64(random);
}

typedef void (*level_test)(const vt_code_table *table, const char *level);

static void for_each_level(level_test run)
{
    for (int i = 0; i < LEVELS; i++)
        if (vt_codes_at(levels[i]))
            run(vt_codes_at(levels[i]), vt_cpu_name(levels[i]));
}

static int64_t want_u8(const int8_t *query, const uint8_t *code, size_t dim)
{
    int64_t sum = 0;
    for (size_t i = 0; i < dim; i++)
        sum += (int64_t)query[i] * code[i];
    return sum;
}

static int64_t want_u4(const int8_t *query, const uint8_t *code, size_t bytes)
{
    int64_t sum = 0;
    for (size_t i = 0; i < 2 * bytes; i++)
        sum += (int64_t)query[i] * (i < bytes ? code[i] & 15 : code[i - bytes] >> 4);
    return sum;
}

static int64_t want_bits(const uint8_t *planes, const uint8_t *code, size_t bytes)
{
    int64_t sum = 0;
    for (size_t bit = 0; bit < 8 * bytes; bit++)
        for (size_t p = 0; p < VT_CODES_PLANES; p++)
            if (code[bit / 8] >> bit % 8 & 1 && planes[p * bytes + bit / 8] >> bit % 8 & 1)
                sum += 1 << p;
    return sum;
}

static void integers_of_level(const vt_code_table *table, const char *level)
{
    guarded query_memory = guarded_make(4 * MAX_DIM), code_memory = guarded_make(MANY * MAX_DIM);
    vt_random random;
    vt_random_init(&random, 5);
    for (size_t l = 0; l < LENGTHS; l++)
        for (int kind = 0; kind < 36; kind++) {
            size_t n = lengths[l];
            const void *codes[MANY];
            int32_t got[MANY + 1];
            uint8_t *code = guarded_end(&code_memory, MANY * n);
            int8_t *query = guarded_end(&query_memory, 4 * n);
            bytes_fill(&random, code, MANY * n, kind % 6);
            bytes_fill(&random, query, 4 * n, kind / 6);
            for (size_t i = 0; i < MANY; i++)
                codes[i] = code + (MANY - 1 - i) * n;
            query = guarded_end(&query_memory, n);
            assert_int_equal(table->dot_i8(query, (const int8_t *)code, n),
                             vt_codes_at(VT_CPU_SCALAR)->dot_i8((const int8_t *)code, query, n));
            for (size_t count = 0; count <= MANY; count++) {
                got[count] = 77;
                table->dot_u8_many(query, codes, count, n, got);
                for (size_t i = 0; i < count; i++)
                    if (got[i] != want_u8(query, codes[i], n) ||
                        got[i] != table->dot_u8(query, codes[i], n))
                        fail_msg("%s dot_u8 of %zu: %d", level, n, got[i]);
                assert_int_equal(got[count], 77);
            }
            query = guarded_end(&query_memory, 2 * n);
            table->dot_u4_many(query, codes, MANY, n, got);
            for (size_t i = 0; i < MANY; i++)
                if (got[i] != want_u4(query, codes[i], n) ||
                    got[i] != table->dot_u4(query, codes[i], n))
                    fail_msg("%s dot_u4 of %zu: %d", level, n, got[i]);
            query = guarded_end(&query_memory, 4 * n);
            for (size_t count = 0; count <= MANY; count++) {
                got[count] = 77;
                table->dot_bits_many((const uint8_t *)query, codes, count, n, got);
                for (size_t i = 0; i < count; i++)
                    if (got[i] != want_bits((const uint8_t *)query, codes[i], n) ||
                        got[i] != table->dot_bits((const uint8_t *)query, codes[i], n))
                        fail_msg("%s dot_bits of %zu: %d", level, n, got[i]);
                assert_int_equal(got[count], 77);
            }
        }
    guarded_free(&query_memory);
    guarded_free(&code_memory);
}

static void test_integers(void **state)
{
    (void)state;
    for_each_level(integers_of_level);
}

/* The longest that is allowed, at the worst values, does not leave 32 bits. */
static void longest_of_level(const vt_code_table *table, const char *level)
{
    (void)level;
    enum { N = VT_CODES_MAX_DIM };
    int8_t *low = vt_alloc(N);
    uint8_t *high = vt_alloc(N);
    assert_true(low && high);
    memset(low, -128, N);
    memset(high, 255, N);
    assert_int_equal(table->dot_u8(low, high, N), -128 * 255 * (int64_t)N);
    assert_int_equal(table->dot_i8(low, low, N), 128 * 128 * N);
    assert_int_equal(table->dot_u4(low, high, N / 2), -128 * 15 * N);
    vt_free(low);
    vt_free(high);
}

static void test_longest(void **state)
{
    (void)state;
    for_each_level(longest_of_level);
}

static void floats_of_level(const vt_code_table *table, const char *level)
{
    guarded f32_memory = guarded_make(4 * MAX_DIM), b_memory = guarded_make(2 * MAX_DIM);
    guarded u8_memory = guarded_make(MAX_DIM);
    vt_random random;
    vt_random_init(&random, 6);
    for (size_t l = 0; l < LENGTHS; l++) {
        size_t n = lengths[l];
        float *query = guarded_end(&f32_memory, n * sizeof *query);
        uint16_t *b = guarded_end(&b_memory, n * sizeof *b);
        uint8_t *code = guarded_end(&u8_memory, n);
        bytes_fill(&random, code, n, 5);
        double dot = 0, dot_size = 0, l2 = 0, mixed = 0, mixed_size = 0;
        for (size_t i = 0; i < n; i++) {
            float stored = (float)vt_random_normal(&random);
            query[i] = (float)vt_random_normal(&random);
            vt_codes_at(VT_CPU_SCALAR)->f32_to_bf16(&stored, &b[i], 1);
            vt_codes_at(VT_CPU_SCALAR)->bf16_to_f32(&b[i], &stored, 1);
            dot += (double)query[i] * stored;
            dot_size += fabs((double)query[i] * stored);
            l2 += ((double)query[i] - stored) * ((double)query[i] - stored);
            mixed += (double)query[i] * code[i];
            mixed_size += fabs((double)query[i] * code[i]);
        }
        double unit = 0x1p-24 * ((double)n + 2);
        if (fabs(table->dot_bf16(query, b, n) - dot) > unit * dot_size ||
            fabs(table->l2_bf16(query, b, n) - l2) > 2 * unit * l2 ||
            fabs(table->dot_f32_u8(query, code, n) - mixed) > unit * mixed_size)
            fail_msg("%s: products of %zu are off", level, n);
    }
    guarded_free(&f32_memory);
    guarded_free(&b_memory);
    guarded_free(&u8_memory);
}

static void test_floats(void **state)
{
    (void)state;
    for_each_level(floats_of_level);
}

/* The definition of rounding, by comparing neighbours. */
static void bfloat_of_level(const vt_code_table *table, const char *level)
{
    static const uint32_t special[] = {0x00000000, 0x80000000, 0x00000001, 0x7f800000, 0xff800000,
                                       0x7f800001, 0xffffffff, 0x7f7fffff, 0x3f808000, 0x3f818000,
                                       0x3f807fff, 0x3f808001, 0x00008000, 0x00018000};
    enum { COUNT = 4099, SPECIAL = sizeof special / sizeof special[0] };
    float in[COUNT], back[COUNT];
    uint16_t out[COUNT];
    vt_random random;
    vt_random_init(&random, 7);
    for (size_t i = 0; i < COUNT; i++) {
        uint32_t bits = i < 64 ? special[i % SPECIAL] : (uint32_t)vt_random_u64(&random);
        memcpy(&in[i], &bits, sizeof bits);
    }
    table->f32_to_bf16(in, out, COUNT);
    table->bf16_to_f32(out, back, COUNT);
    for (size_t i = 0; i < COUNT; i++) {
        uint32_t bits, widened;
        memcpy(&bits, &in[i], sizeof bits);
        memcpy(&widened, &back[i], sizeof widened);
        assert_int_equal(widened, (uint32_t)out[i] << 16);
        uint32_t down = bits >> 16, rest = bits & 0xffff;
        uint32_t want = down + (rest > 0x8000 || (rest == 0x8000 && (down & 1)));
        if (isnan(in[i]) ? !isnan(back[i]) : out[i] != want)
            fail_msg("%s f32_to_bf16 %08x: %04x", level, bits, out[i]);
    }
}

static void test_bfloat(void **state)
{
    (void)state;
    for_each_level(bfloat_of_level);
}

static void test_levels(void **state)
{
    (void)state;
    assert_non_null(vt_codes());
    assert_non_null(vt_codes_at(VT_CPU_SCALAR));
    assert_null(vt_codes_at((vt_cpu_level)99));
}

/* ---- measuring ---- */

static void bench_level(const vt_code_table *table, const char *level)
{
    enum { DIM = 256, COUNT = 32, TIMES = 20000 };
    static uint8_t codes[COUNT * DIM], query[4 * DIM];
    const void *each[COUNT];
    int32_t out[COUNT];
    int64_t keep = 0;
    vt_random random;
    vt_random_init(&random, 8);
    bytes_fill(&random, codes, sizeof codes, 5);
    bytes_fill(&random, query, sizeof query, 5);
    for (size_t i = 0; i < COUNT; i++)
        each[i] = codes + i * DIM;
    double begin[4];
    begin[0] = vt_clock_ms();
    for (int i = 0; i < TIMES; i++, keep += out[i % COUNT])
        table->dot_u8_many((const int8_t *)query, each, COUNT, DIM, out);
    begin[1] = vt_clock_ms();
    for (int i = 0; i < TIMES; i++, keep += out[i % COUNT])
        table->dot_u4_many((const int8_t *)query, each, COUNT, DIM / 2, out);
    begin[2] = vt_clock_ms();
    for (int i = 0; i < TIMES; i++, keep += out[i % COUNT])
        table->dot_bits_many(query, each, COUNT, DIM / 8, out);
    begin[3] = vt_clock_ms();
    double unit = 1e6 / ((double)TIMES * COUNT);
    printf("%-8s %d elements: 8 bits %.2f ns, 4 bits %.2f ns, 1 bit %.2f ns (%d)\n", level, DIM,
           (begin[1] - begin[0]) * unit, (begin[2] - begin[1]) * unit, (begin[3] - begin[2]) * unit,
           (int)(keep & 1));
}

int main(int argc, char **argv)
{
    if (argc > 1 && strcmp(argv[1], "--bench") == 0) {
        for_each_level(bench_level);
        return 0;
    }
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_integers), cmocka_unit_test(test_longest),
        cmocka_unit_test(test_floats),   cmocka_unit_test(test_bfloat),
        cmocka_unit_test(test_levels),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
