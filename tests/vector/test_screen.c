/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The kernels that screen rows, held to the header's words element by element. In one kind of case
 * every bound is a whole number that f32 holds: there the masks must be right to the unit, and
 * every sum is told from its neighbours. In the other numbers are any, and rows whose bound is
 * within three roundings of `least` may go either way. Inputs end at a page that may not be
 * touched. The kernels of AMX are tested twice: as functions that do what its instructions do
 * (emulated_amx.c), wherever there is AVX-512, and on processors that have it.
 * `--bench` measures.
 */
#include "vector/screen.h"

#include "base/clock.h"
#include "base/random.h"
#include "support/guarded.h"
#include "support/sanitized.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

enum { GROUP = VT_SCREEN_GROUP, MOST_GROUPS = 33, MOST_QUERIES = 43, CANARY = 0xa5a5 };
enum { MOST_ROWS = MOST_GROUPS * GROUP, ROW_CODES = GROUP * VT_SCREEN_MAX_WIDTH };

static const vt_cpu_level levels[] = {VT_CPU_SCALAR, VT_CPU_NEON, VT_CPU_AVX2, VT_CPU_AVX512,
                                      VT_CPU_AMX};
static const size_t widths[] = {4, 8, 16, 60, 64, 68, 96, 128, VT_SCREEN_MAX_WIDTH};
static const size_t group_counts[] = {0, 1, 3, 4, 7, 8, 9, MOST_GROUPS};
static const size_t query_counts[] = {0, 1, 2, 3, 4, 5, 9, 32, MOST_QUERIES};
enum {
    LEVELS = sizeof levels / sizeof levels[0],
    WIDTHS = sizeof widths / sizeof widths[0],
    GROUP_COUNTS = sizeof group_counts / sizeof group_counts[0],
    QUERY_COUNTS = sizeof query_counts / sizeof query_counts[0],
};

#if defined(__x86_64__)
extern const vt_screen_table vt_screen_table_emulated; /* emulated_amx.c */
#endif

/* What codes are made of; the extremes would show a sum that saturates. */
typedef enum fill {
    FILL_RANDOM,
    FILL_HIGH,     /* rows all 255, queries all at their largest */
    FILL_LOW,      /* rows all 255, queries all at their lowest */
    FILL_ZERO,     /* rows all 0, each query at one extreme */
    FILL_EXTREMES, /* each element at an extreme */
    FILLS
} fill;

/* What a kernel is given, and what it should say of it. */
typedef struct screen_case {
    const vt_screen_table *table;
    const char *level;
    guarded codes_memory, scales_memory, tails_memory, queries_memory;
    uint8_t *codes;
    float *scales, *tails;
    int8_t *query_codes; /* one byte between them, so that they lie at all addresses */
    vt_screen_rows rows;
    vt_screen_query queries[MOST_QUERIES];
    int64_t sums[MOST_QUERIES][MOST_ROWS];     /* products with their offsets */
    double bounds[MOST_QUERIES][MOST_ROWS];    /* that `least` is compared with */
    double roundings[MOST_QUERIES][MOST_ROWS]; /* how far f32 may be from it */
    vt_random random;
} screen_case;

static screen_case one_case;

static void case_init(screen_case *c, const vt_screen_table *table, const char *level)
{
    c->table = table;
    c->level = level;
    c->codes_memory = guarded_make((size_t)MOST_GROUPS * ROW_CODES);
    c->scales_memory = guarded_make(MOST_ROWS * sizeof(float));
    c->tails_memory = guarded_make(MOST_ROWS * sizeof(float));
    c->queries_memory = guarded_make((size_t)MOST_QUERIES * (VT_SCREEN_MAX_WIDTH + 1));
    vt_random_init(&c->random, 21);
}

static void case_deinit(screen_case *c)
{
    guarded_free(&c->codes_memory);
    guarded_free(&c->scales_memory);
    guarded_free(&c->tails_memory);
    guarded_free(&c->queries_memory);
}

typedef void (*level_test)(screen_case *c);

static void for_table(level_test run, const vt_screen_table *table, const char *level)
{
    if (!table)
        return;
    case_init(&one_case, table, level);
    run(&one_case);
    case_deinit(&one_case);
}

static void for_each_level(level_test run)
{
    for (int i = 0; i < LEVELS; i++)
        for_table(run, vt_screen_at(levels[i]), vt_cpu_name(levels[i]));
#if defined(__x86_64__)
    if (vt_screen_at(VT_CPU_AVX512))
        for_table(run, &vt_screen_table_emulated, "amx, emulated");
#endif
}

static size_t case_rows(const screen_case *c)
{
    return c->rows.groups * GROUP;
}

/* ---- making cases ---- */

static uint8_t row_element(vt_random *random, fill kind)
{
    if (kind == FILL_HIGH || kind == FILL_LOW)
        return 255;
    if (kind == FILL_ZERO)
        return 0;
    uint64_t drawn = vt_random_u64(random);
    return kind == FILL_EXTREMES ? (drawn & 1 ? 255 : 0) : (uint8_t)drawn;
}

static int8_t query_element(vt_random *random, fill kind, size_t query, int most)
{
    if (kind == FILL_RANDOM)
        return (int8_t)vt_random_int(random, -most, most);
    bool low = kind == FILL_LOW || (kind == FILL_ZERO && query % 2) ||
               (kind == FILL_EXTREMES && vt_random_u64(random) & 1);
    return (int8_t)(low ? -most : most);
}

/* Codes of rows and queries; scales, tails and least are left for the caller. */
static void case_codes(screen_case *c, size_t width, size_t groups, fill kind)
{
    const size_t codes_bytes = groups * GROUP * width, floats = groups * GROUP * sizeof(float);
    const size_t spread = width + 1;
    c->codes = guarded_end(&c->codes_memory, codes_bytes);
    c->scales = guarded_end(&c->scales_memory, floats);
    c->tails = guarded_end(&c->tails_memory, floats);
    c->query_codes = guarded_end(&c->queries_memory, MOST_QUERIES * spread - 1);
    c->rows = (vt_screen_rows){c->codes, c->scales, c->tails, groups, width};
    for (size_t i = 0; i < codes_bytes; i++)
        c->codes[i] = row_element(&c->random, kind);
    for (size_t q = 0; q < MOST_QUERIES; q++) {
        int8_t *code = c->query_codes + q * spread;
        int32_t sum = 0;
        for (size_t at = 0; at < width; at++) {
            code[at] = query_element(&c->random, kind, q, c->table->query_most);
            sum += code[at];
        }
        c->queries[q] = (vt_screen_query){.code = code, .offset = -128 * sum};
    }
    for (size_t q = 0; q < MOST_QUERIES; q++)
        for (size_t row = 0; row < groups * GROUP; row++) {
            int64_t product = 0;
            for (size_t at = 0; at < width; at++)
                product += (int64_t)c->codes[vt_screen_place(row, at, width)] *
                           (int64_t)c->queries[q].code[at];
            c->sums[q][row] = product + c->queries[q].offset;
        }
}

/* Three roundings: of both products and of their sum. */
static void case_bounds(screen_case *c)
{
    for (size_t q = 0; q < MOST_QUERIES; q++)
        for (size_t row = 0; row < case_rows(c); row++) {
            double head = (double)c->scales[row] * (double)c->sums[q][row];
            double tail = (double)c->tails[row] * (double)c->queries[q].tail;
            c->bounds[q][row] = head + tail;
            c->roundings[q][row] = 3 * 0x1p-24 * (fabs(head) + fabs(tail));
        }
}

/* All numbers whole and below 2^24. The tails take back what rows and one of the queries come to,
 * so that a `least` of 0 and of 1 tell whether each of its sums is right to the unit; other queries
 * have the same tail or none. */
static void case_exact(screen_case *c)
{
    size_t chosen = vt_random_below(&c->random, MOST_QUERIES);
    for (size_t row = 0; row < case_rows(c); row++) {
        c->scales[row] = 1;
        c->tails[row] = (float)-c->sums[chosen][row];
    }
    for (size_t q = 0; q < MOST_QUERIES; q++)
        c->queries[q].tail = q == chosen || vt_random_u64(&c->random) & 1 ? 1 : 0;
    case_bounds(c);
    memset(c->roundings, 0, sizeof c->roundings);
    for (size_t q = 0; q < MOST_QUERIES && case_rows(c) > 0; q++)
        c->queries[q].least = (float)c->bounds[q][vt_random_below(&c->random, case_rows(c))];
}

static void case_any(screen_case *c)
{
    for (size_t row = 0; row < case_rows(c); row++) {
        c->scales[row] = row % 11 == 5 ? 0 : (float)(1e-3 * fabs(vt_random_normal(&c->random)));
        c->tails[row] = row % 13 == 7 ? 0 : (float)fabs(vt_random_normal(&c->random));
    }
    for (size_t q = 0; q < MOST_QUERIES; q++)
        c->queries[q].tail = q % 4 == 3 ? 0 : (float)fabs(vt_random_normal(&c->random));
    case_bounds(c);
    for (size_t q = 0; q < MOST_QUERIES && case_rows(c) > 0; q++)
        c->queries[q].least = (float)c->bounds[q][vt_random_below(&c->random, case_rows(c))];
}

/* ---- checking them ---- */

static void case_pass(const screen_case *c, const vt_screen_table *table, size_t first,
                      size_t count, uint16_t *masks)
{
    const size_t groups = c->rows.groups;
    memset(masks, 0x5a, count * groups * sizeof *masks);
    masks[count * groups] = CANARY;
    table->pass(&c->rows, c->queries + first, count, masks);
    if (masks[count * groups] != CANARY)
        fail_msg("%s: %zu queries, %zu groups: wrote behind the masks", c->level, count, groups);
}

/* The last `count` queries, whose codes end at the page. */
static void case_check(const screen_case *c, size_t count)
{
    static uint16_t got[MOST_QUERIES * MOST_GROUPS + 1], scalar[MOST_QUERIES * MOST_GROUPS + 1];
    const size_t first = MOST_QUERIES - count;
    case_pass(c, c->table, first, count, got);
    case_pass(c, vt_screen_at(VT_CPU_SCALAR), first, count, scalar);
    for (size_t i = 0; i < count; i++)
        for (size_t row = 0; row < case_rows(c); row++) {
            const size_t q = first + i, at = i * c->rows.groups + row / GROUP;
            const double bound = c->bounds[q][row], least = (double)c->queries[q].least;
            const bool passes = got[at] >> row % GROUP & 1;
            const bool tied =
                c->roundings[q][row] > 0 && fabs(bound - least) <= c->roundings[q][row];
            if (!tied && passes != (bound >= least))
                fail_msg("%s: width %zu, query %zu of %zu, row %zu of %zu reaches %.9g, and %.9g "
                         "is wanted: %s",
                         c->level, c->rows.width, i, count, row, case_rows(c), bound, least,
                         passes ? "passes" : "does not pass");
            if (!tied && passes != (scalar[at] >> row % GROUP & 1))
                fail_msg("%s: width %zu, row %zu: not as scalar", c->level, c->rows.width, row);
        }
}

/* The masks for `least` as it is, and one whole number above it. */
static void case_check_counts(screen_case *c)
{
    for (int above = 0; above < 2; above++) {
        for (size_t n = 0; n < QUERY_COUNTS; n++)
            case_check(c, query_counts[n]);
        for (size_t q = 0; q < MOST_QUERIES; q++)
            c->queries[q].least += 1;
    }
}

static void masks_of_level(screen_case *c)
{
    for (size_t w = 0; w < WIDTHS; w++)
        for (size_t g = 0; g < GROUP_COUNTS; g++)
            for (int kind = 0; kind < FILLS; kind++) {
                if ((w + g + (size_t)kind) % SCRATCH_STRIDE != 0)
                    continue;
                case_codes(c, widths[w], group_counts[g], (fill)kind);
                case_exact(c);
                case_check_counts(c);
                case_any(c);
                case_check_counts(c);
            }
}

static void test_masks(void **state)
{
    (void)state;
    for_each_level(masks_of_level);
}

/* All queries and rows pass, or none does. */
static void assert_all(const screen_case *c, bool passing)
{
    static uint16_t masks[MOST_QUERIES * MOST_GROUPS + 1];
    case_pass(c, c->table, 0, MOST_QUERIES, masks);
    for (size_t i = 0; i < MOST_QUERIES * c->rows.groups; i++)
        if (masks[i] != (passing ? 0xffff : 0))
            fail_msg("%s: mask %zu of %zu is %04x", c->level, i, MOST_QUERIES * c->rows.groups,
                     masks[i]);
}

static void least_set(screen_case *c, float least)
{
    for (size_t q = 0; q < MOST_QUERIES; q++)
        c->queries[q].least = least;
}

static void limits_of_level(screen_case *c)
{
    static uint16_t masks[MOST_QUERIES * MOST_GROUPS + 1];
    case_codes(c, 16, 9, FILL_RANDOM);
    case_any(c);
    least_set(c, -INFINITY);
    assert_all(c, true);
    least_set(c, INFINITY);
    assert_all(c, false);
    /* Rows that are nothing, as those are that are not there yet. */
    memset(c->scales, 0, case_rows(c) * sizeof(float));
    memset(c->tails, 0, case_rows(c) * sizeof(float));
    assert_all(c, false);
    least_set(c, -INFINITY);
    assert_all(c, true);
    least_set(c, 0);
    assert_all(c, true);
    least_set(c, 0x1p-149F);
    assert_all(c, false);
    least_set(c, -INFINITY);
    c->scales[3] = NAN;
    c->tails[2 * GROUP - 1] = NAN;
    case_pass(c, c->table, 0, MOST_QUERIES, masks);
    for (size_t i = 0; i < MOST_QUERIES * c->rows.groups; i++)
        assert_int_equal(masks[i], i % c->rows.groups == 0   ? 0xfff7
                                   : i % c->rows.groups == 1 ? 0x7fff
                                                             : 0xffff);
}

static void test_limits(void **state)
{
    (void)state;
    for_each_level(limits_of_level);
}

/* ---- the order of codes, and the levels ---- */

/* Every element has a place of its own, which is that of an array (groups, width / 4, 16, 4). */
static void test_place(void **state)
{
    (void)state;
    enum { GROUPS = 3 };
    static bool taken[GROUPS * ROW_CODES];
    for (size_t w = 0; w < WIDTHS; w++) {
        const size_t width = widths[w], bytes = GROUPS * GROUP * width;
        memset(taken, 0, sizeof taken);
        for (size_t row = 0; row < (size_t)GROUPS * GROUP; row++)
            for (size_t at = 0; at < width; at++) {
                size_t place = vt_screen_place(row, at, width);
                size_t step = row / 16 * (width / 4) + at / 4;
                assert_true(place < bytes && !taken[place]);
                assert_int_equal(place, (step * 16 + row % 16) * 4 + at % 4);
                taken[place] = true;
            }
    }
}

static void test_levels(void **state)
{
    (void)state;
    assert_non_null(vt_screen());
    assert_ptr_equal(vt_screen(), vt_screen());
    if (vt_screen_at(vt_cpu()))
        assert_ptr_equal(vt_screen(), vt_screen_at(vt_cpu()));
    assert_non_null(vt_screen_at(VT_CPU_SCALAR));
    assert_null(vt_screen_at((vt_cpu_level)99));
    assert_null(vt_screen_at((vt_cpu_level)-1));
    for (int i = 0; i < LEVELS; i++)
        if (vt_screen_at(levels[i])) {
            assert_true(vt_cpu_supports(levels[i]));
            assert_in_range(vt_screen_at(levels[i])->query_most, 1, 127);
        }
}

/* ---- measuring ---- */

/* Nanoseconds that `count` queries take for a row. */
static double bench_ns(const vt_screen_table *table, const vt_screen_rows *rows,
                       const vt_screen_query *queries, size_t count, uint16_t *masks)
{
    double begin = vt_clock_ms(), end;
    int times = 0;
    do {
        table->pass(rows, queries, count, masks);
        times++;
        end = vt_clock_ms();
    } while (end - begin < 200);
    return (end - begin) * 1e6 / ((double)times * (double)(rows->groups * GROUP));
}

/* Codes that stay in the second-level cache. */
static void bench_level(const vt_screen_table *table, const char *level)
{
    enum { WIDTH = 96, GROUPS = 128, QUERIES = 64 };
    static _Alignas(64) uint8_t codes[GROUPS * GROUP * WIDTH];
    static _Alignas(64) float scales[GROUPS * GROUP], tails[GROUPS * GROUP];
    static int8_t query_codes[QUERIES][WIDTH];
    static uint16_t masks[QUERIES * GROUPS];
    vt_screen_query queries[QUERIES];
    vt_random random;
    vt_random_init(&random, 9);
    for (size_t i = 0; i < sizeof codes; i++)
        codes[i] = (uint8_t)vt_random_u64(&random);
    for (size_t i = 0; i < (size_t)GROUPS * GROUP; i++)
        scales[i] = tails[i] = 1;
    for (size_t q = 0; q < QUERIES; q++) {
        queries[q] = (vt_screen_query){.code = query_codes[q], .tail = 1, .least = 1e5F};
        for (size_t at = 0; at < WIDTH; at++)
            query_codes[q][at] = query_element(&random, FILL_RANDOM, q, table->query_most);
    }
    vt_screen_rows rows = {codes, scales, tails, GROUPS, WIDTH};
    double alone = bench_ns(table, &rows, queries, 1, masks);
    double together = bench_ns(table, &rows, queries, QUERIES, masks);
    printf("%-8s width %d, ns a row: 1 query %.2f, %d queries %.2f (%.2f each)\n", level, WIDTH,
           alone, QUERIES, together, together / QUERIES);
}

int main(int argc, char **argv)
{
    if (argc > 1 && strcmp(argv[1], "--bench") == 0) {
        for (int i = 0; i < LEVELS; i++)
            if (vt_screen_at(levels[i]))
                bench_level(vt_screen_at(levels[i]), vt_cpu_name(levels[i]));
        return 0;
    }
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_masks),
        cmocka_unit_test(test_limits),
        cmocka_unit_test(test_place),
        cmocka_unit_test(test_levels),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
