/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The kernels for blocks of 4-bit codes. Sums are compared for equality with those of codes read
 * one by one, estimates within a few roundings of the same in double, and the vectors that pass
 * against what was estimated. Inputs end at a page that may not be touched. `--bench` measures.
 */
#include "vector/fastscan.h"

#include "base/clock.h"
#include "base/random.h"
#include "support/guarded.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

enum { MAX_GROUPS = 512, BLOCK = VT_FASTSCAN_BLOCK };

static const vt_cpu_level levels[] = {VT_CPU_SCALAR, VT_CPU_NEON, VT_CPU_AVX2, VT_CPU_AVX512};
static const size_t group_counts[] = {0, 4, 8, 12, 16, 20, 64, 100, 256, 260, 512};
enum { LEVELS = 4, GROUP_COUNTS = sizeof group_counts / sizeof group_counts[0] };

typedef void (*level_test)(const vt_fastscan_table *table, const char *level);

static void for_each_level(level_test run)
{
    for (int i = 0; i < LEVELS; i++)
        if (vt_fastscan_at(levels[i]))
            run(vt_fastscan_at(levels[i]), vt_cpu_name(levels[i]));
}

/* The code of one vector in one group, as the header describes the block. */
static unsigned code_at(const uint8_t *codes, size_t group, size_t vector)
{
    uint8_t byte = codes[16 * group + vector % 16];
    return vector < 16 ? byte % 16u : byte / 16u;
}

static void sums_of_level(const vt_fastscan_table *table, const char *level)
{
    guarded tables_memory = guarded_make(16 * MAX_GROUPS);
    guarded codes_memory = guarded_make(16 * MAX_GROUPS);
    vt_random random;
    vt_random_init(&random, 5);
    for (size_t c = 0; c < GROUP_COUNTS; c++)
        for (int kind = 0; kind < 4; kind++) {
            size_t groups = group_counts[c];
            uint8_t *tables = guarded_end(&tables_memory, 16 * groups);
            uint8_t *codes = guarded_end(&codes_memory, 16 * groups);
            uint16_t got[BLOCK + 1] = {[BLOCK] = 0xa5a5};
            for (size_t i = 0; i < 16 * groups; i++) {
                tables[i] = kind == 0 ? 255 : (uint8_t)vt_random_u64(&random);
                codes[i] = kind == 1 ? 255 : (uint8_t)vt_random_u64(&random);
            }
            table->sums(tables, codes, groups, got);
            for (size_t i = 0; i < BLOCK; i++) {
                unsigned want = 0;
                for (size_t g = 0; g < groups; g++)
                    want += tables[16 * g + code_at(codes, g, i)];
                if (got[i] != want % 65536)
                    fail_msg("%s: vector %zu of %zu groups sums to %d, not %u", level, i, groups,
                             got[i], want % 65536);
            }
            assert_int_equal(got[BLOCK], 0xa5a5);
        }
    guarded_free(&tables_memory);
    guarded_free(&codes_memory);
}

static void test_sums(void **state)
{
    (void)state;
    for_each_level(sums_of_level);
}

static void estimate_check(const vt_fastscan_table *table, const char *level, const uint16_t *sums,
                           const float *factors, const vt_fastscan_line *line)
{
    float out[BLOCK + 1] = {[BLOCK] = 77.0F};
    uint32_t passing = table->estimate(sums, factors, line, out);
    for (size_t i = 0; i < BLOCK; i++) {
        double scale = factors[i], add = factors[BLOCK + i], error = factors[2 * BLOCK + i];
        double product = line->base + (double)line->step * sums[i];
        double want = line->origin + add + scale * product;
        double size = fabs(line->origin) + fabs(add) +
                      fabs(scale) * (fabs(line->base) + fabs((double)line->step * sums[i]));
        if (!(fabs(out[i] - want) <= 8 * 0x1p-24 * size))
            fail_msg("%s: vector %zu scores %.9g, not %.9g", level, i, out[i], want);
        double more = scale * line->slack + error * line->spread;
        double high = want + more, near = 16 * 0x1p-24 * (size + fabs(more));
        if (fabs(high - line->threshold) > near &&
            (passing >> i & 1) != (uint32_t)(high >= line->threshold))
            fail_msg("%s: vector %zu reaches %.9g, and %.9g is wanted", level, i, high,
                     line->threshold);
    }
    assert_true(out[BLOCK] == 77.0F);
}

static void estimates_of_level(const vt_fastscan_table *table, const char *level)
{
    guarded sums_memory = guarded_make(BLOCK * sizeof(uint16_t));
    guarded factors_memory = guarded_make(3 * BLOCK * sizeof(float));
    uint16_t *sums = guarded_end(&sums_memory, BLOCK * sizeof *sums);
    float *factors = guarded_end(&factors_memory, 3 * BLOCK * sizeof *factors);
    vt_random random;
    vt_random_init(&random, 6);
    for (int round = 0; round < 50; round++) {
        for (size_t i = 0; i < BLOCK; i++)
            sums[i] = i % 8 == 0 ? 65535 : (uint16_t)vt_random_u64(&random);
        for (size_t i = 0; i < 3 * BLOCK; i++)
            factors[i] = fabsf((float)vt_random_normal(&random));
        vt_fastscan_line line = {.step = 1e-4F,
                                 .base = -3.0F,
                                 .origin = (float)vt_random_normal(&random),
                                 .slack = round % 2 ? 0.1F : 0.0F,
                                 .spread = round % 3 ? 0.2F : 0.0F,
                                 .threshold = (float)vt_random_normal(&random)};
        estimate_check(table, level, sums, factors, &line);
    }
    guarded_free(&sums_memory);
    guarded_free(&factors_memory);
}

static void test_estimates(void **state)
{
    (void)state;
    for_each_level(estimates_of_level);
}

/* What equals the threshold passes, all pass where there is none, nothing that is no number does.
 */
static void thresholds_of_level(const vt_fastscan_table *table, const char *level)
{
    (void)level;
    uint16_t sums[BLOCK];
    float factors[3 * BLOCK], out[BLOCK];
    for (size_t i = 0; i < BLOCK; i++)
        sums[i] = (uint16_t)i;
    for (size_t i = 0; i < 3 * BLOCK; i++)
        factors[i] = i < BLOCK ? 1.0F : 0.0F;
    vt_fastscan_line line = {.step = 1.0F, .threshold = 7.0F};
    assert_int_equal(table->estimate(sums, factors, &line, out), 0xffffff80);
    line.slack = 2.0F;
    assert_int_equal(table->estimate(sums, factors, &line, out), 0xffffffe0);
    line.threshold = -INFINITY;
    assert_int_equal(table->estimate(sums, factors, &line, out), 0xffffffff);
    factors[3] = NAN;
    assert_int_equal(table->estimate(sums, factors, &line, out), 0xfffffff7);
}

static void test_thresholds(void **state)
{
    (void)state;
    for_each_level(thresholds_of_level);
}

static void test_levels(void **state)
{
    (void)state;
    assert_non_null(vt_fastscan());
    assert_non_null(vt_fastscan_at(VT_CPU_SCALAR));
    assert_null(vt_fastscan_at((vt_cpu_level)99));
}

/* ---- measuring ---- */

static void bench_level(const vt_fastscan_table *table, const char *level)
{
    enum { GROUPS = 64, BLOCKS = 32, TIMES = 2000 };
    static uint8_t codes[BLOCKS][16 * GROUPS], tables[16 * GROUPS];
    static float factors[3 * BLOCK];
    uint16_t sums[BLOCK];
    float out[BLOCK];
    uint32_t keep = 0;
    vt_random random;
    vt_random_init(&random, 8);
    for (size_t i = 0; i < sizeof codes; i++)
        codes[i / (16 * GROUPS)][i % (16 * GROUPS)] = (uint8_t)vt_random_u64(&random);
    vt_fastscan_line line = {.step = 1.0F, .threshold = 1.0F};
    double begin[3];
    begin[0] = vt_clock_ms();
    for (int i = 0; i < TIMES * BLOCKS; i++) {
        table->sums(tables, codes[i % BLOCKS], GROUPS, sums);
        keep += sums[i % BLOCK];
    }
    begin[1] = vt_clock_ms();
    for (int i = 0; i < TIMES * BLOCKS; i++)
        keep += table->estimate(sums, factors, &line, out);
    begin[2] = vt_clock_ms();
    double unit = 1e6 / ((double)TIMES * BLOCKS * BLOCK);
    printf("%-8s %d groups: sums %.2f ns a vector, estimates %.2f ns (%d)\n", level, GROUPS,
           (begin[1] - begin[0]) * unit, (begin[2] - begin[1]) * unit, (int)(keep & 1));
}

int main(int argc, char **argv)
{
    if (argc > 1 && strcmp(argv[1], "--bench") == 0) {
        for_each_level(bench_level);
        return 0;
    }
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_sums),
        cmocka_unit_test(test_estimates),
        cmocka_unit_test(test_thresholds),
        cmocka_unit_test(test_levels),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
