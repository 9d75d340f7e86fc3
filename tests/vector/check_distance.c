/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Holds every level of the distance kernels to their definition, in the manner of dav1d's checkasm;
 * included by test_distance.c, since each test program is built from one file.
 *
 * Method: inputs lie against a page that may not be touched, outputs between canaries; the answer
 * is computed in double. Two kinds of numbers are used. Small integers, whose sums are exact in f32
 * whatever the order, must come out exactly: a dropped, doubled or misplaced element cannot hide.
 * Gaussian numbers must come out within the bound that any order of summation keeps (Higham,
 * Accuracy and Stability of Numerical Algorithms, 2nd edition, 3.1 and 4.2): |error| <= gamma(n) *
 * sum of |terms|, gamma(n) = n u / (1 - n u), with u = 2^-24 and n the number of roundings a term
 * can meet.
 */
#include "base/clock.h"
#include "base/mem.h"
#include "base/random.h"
#include "support/guarded.h"
#include "vector/distance.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    CHECK_MAX_DIM = 1536,
    CHECK_MAX_ROWS = 13,
    CHECK_MAX_QUERIES = 9,
    CANARY = 0xa5,
    FRONT = 64
};

static const vt_cpu_level check_levels[] = {VT_CPU_SCALAR, VT_CPU_NEON, VT_CPU_AVX2, VT_CPU_AVX512};
enum { CHECK_LEVELS = 4 };

/* ---- guarded memory ---- */

/* As guarded_end; everything in front becomes canary. */
static void *guarded_last(const guarded *g, size_t bytes)
{
    assert_true(bytes <= g->bytes);
    memset(g->base, CANARY, g->bytes);
    return guarded_end(g, bytes);
}

static bool guarded_front_intact(const guarded *g, size_t bytes)
{
    for (size_t i = 0; i < g->bytes - bytes; i++)
        if (g->base[i] != CANARY)
            return false;
    return true;
}

typedef struct check {
    const vt_distance_table *table;
    const char *level;
    size_t dim, queries, rows;
    bool exact; /* small integers */
    guarded query_memory, f32_memory, f16_memory, pointer_memory, out_memory;
    float *query;   /* (queries, dim) */
    float *f32;     /* (rows, dim) */
    uint16_t *f16;  /* (rows, dim) */
    float *decoded; /* (rows, dim): what f16 holds; heap */
    vt_random random;
} check;

static void check_init(check *c, const vt_distance_table *table, vt_cpu_level level)
{
    memset(c, 0, sizeof *c);
    c->table = table;
    c->level = vt_cpu_name(level);
    c->query_memory = guarded_make(sizeof(float) * CHECK_MAX_QUERIES * CHECK_MAX_DIM + FRONT);
    c->f32_memory = guarded_make(sizeof(float) * CHECK_MAX_ROWS * CHECK_MAX_DIM + FRONT);
    c->f16_memory = guarded_make(sizeof(uint16_t) * CHECK_MAX_ROWS * CHECK_MAX_DIM + FRONT);
    c->pointer_memory = guarded_make(sizeof(void *) * CHECK_MAX_ROWS + FRONT);
    c->out_memory = guarded_make(sizeof(float) * CHECK_MAX_ROWS * CHECK_MAX_QUERIES + FRONT);
    c->decoded = vt_alloc_array(CHECK_MAX_ROWS * CHECK_MAX_DIM, sizeof(float));
    assert_non_null(c->decoded);
    vt_random_init(&c->random, 20260101);
}

static void check_deinit(check *c)
{
    guarded_free(&c->query_memory);
    guarded_free(&c->f32_memory);
    guarded_free(&c->f16_memory);
    guarded_free(&c->pointer_memory);
    guarded_free(&c->out_memory);
    vt_free(c->decoded);
}

static float check_number(check *c)
{
    if (c->exact)
        return (float)vt_random_int(&c->random, -8, 8);
    return (float)vt_random_normal(&c->random);
}

/* Fills the inputs; `slack` elements of room behind them shift the start by that much. */
static void check_fill(check *c, size_t dim, size_t queries, size_t rows, size_t slack)
{
    const vt_distance_table *scalar = vt_distance_at(VT_CPU_SCALAR);
    c->dim = dim;
    c->queries = queries;
    c->rows = rows;
    c->query = guarded_last(&c->query_memory, (queries * dim + slack) * sizeof(float));
    c->f32 = guarded_last(&c->f32_memory, (rows * dim + slack) * sizeof(float));
    c->f16 = guarded_last(&c->f16_memory, (rows * dim + slack) * sizeof(uint16_t));
    for (size_t i = 0; i < queries * dim; i++)
        c->query[i] = check_number(c);
    for (size_t i = 0; i < rows * dim; i++)
        c->f32[i] = check_number(c);
    scalar->f32_to_f16(c->f32, c->f16, rows * dim);
    scalar->f16_to_f32(c->f16, c->decoded, rows * dim);
}

/* ---- the answer and its bound ---- */

typedef enum check_kind { CHECK_DOT, CHECK_L2, CHECK_COSINE } check_kind;

static double check_gamma(double roundings)
{
    double nu = roundings * 0x1p-24;
    return nu / (1.0 - nu);
}

static double check_answer(check_kind kind, const float *a, const float *b, size_t dim,
                           double *bound)
{
    double ab = 0, aa = 0, bb = 0, absolute = 0, l2 = 0;
    for (size_t i = 0; i < dim; i++) {
        double x = a[i], y = b[i];
        ab += x * y;
        aa += x * x;
        bb += y * y;
        absolute += fabs(x * y);
        l2 += (x - y) * (x - y);
    }
    double n = (double)dim;
    switch (kind) {
    case CHECK_DOT:
        *bound = check_gamma(n + 1) * absolute;
        return ab;
    case CHECK_L2: /* the difference is rounded before it is squared */
        *bound = check_gamma(n + 4) * l2;
        return l2;
    default:
        *bound = 0;
        if (aa == 0 || bb == 0)
            return 0;
        *bound = check_gamma(n + 2) * absolute / sqrt(aa * bb) + check_gamma(n + 4);
        return ab / sqrt(aa * bb);
    }
}

static void check_value(const check *c, const char *kernel, check_kind kind, float got,
                        const float *query, const float *row)
{
    double bound, want = check_answer(kind, query, row, c->dim, &bound);
    if (c->exact && kind != CHECK_COSINE)
        bound = 0;
    if (!(fabs((double)got - want) <= bound))
        fail_msg("%s %s dim %zu: %.9g instead of %.9g, %.3g is allowed", c->level, kernel, c->dim,
                 (double)got, want, bound);
}

/* order: (count), the numbers below count. */
static void rows_shuffle(vt_random *random, size_t *order, size_t count)
{
    for (size_t i = 0; i < count; i++)
        order[i] = i;
    for (size_t i = count; i > 1; i--) {
        size_t other = vt_random_below(random, i), last = order[i - 1];
        order[i - 1] = order[other];
        order[other] = last;
    }
}

static bool same_bits(float a, float b)
{
    return memcmp(&a, &b, sizeof a) == 0;
}

/* ---- the kernels ---- */

static void check_pairs(check *c)
{
    const vt_distance_table *t = c->table;
    const float *q = c->query;
    size_t dim = c->dim;
    check_value(c, "dot_f32", CHECK_DOT, t->dot_f32(q, c->f32, dim), q, c->f32);
    check_value(c, "l2_f32", CHECK_L2, t->l2_f32(q, c->f32, dim), q, c->f32);
    check_value(c, "cosine_f32", CHECK_COSINE, t->cosine_f32(q, c->f32, dim), q, c->f32);
    check_value(c, "dot_f16", CHECK_DOT, t->dot_f16(q, c->f16, dim), q, c->decoded);
    check_value(c, "l2_f16", CHECK_L2, t->l2_f16(q, c->f16, dim), q, c->decoded);
    check_value(c, "cosine_f16", CHECK_COSINE, t->cosine_f16(q, c->f16, dim), q, c->decoded);
}

static void check_rows_kernel(check *c, const char *kernel, check_kind kind, bool half)
{
    const vt_distance_table *t = c->table;
    size_t bytes = c->rows * sizeof(float), dim = c->dim;
    float *out = guarded_last(&c->out_memory, bytes);
    if (kind == CHECK_DOT && half)
        t->dot_rows_f16(c->query, c->f16, c->rows, dim, out);
    else if (kind == CHECK_DOT)
        t->dot_rows_f32(c->query, c->f32, c->rows, dim, out);
    else if (half)
        t->l2_rows_f16(c->query, c->f16, c->rows, dim, out);
    else
        t->l2_rows_f32(c->query, c->f32, c->rows, dim, out);
    if (!guarded_front_intact(&c->out_memory, bytes))
        fail_msg("%s %s dim %zu: wrote in front of its output", c->level, kernel, dim);
    for (size_t row = 0; row < c->rows; row++) {
        const float *f32 = c->f32 + row * dim;
        const uint16_t *f16 = c->f16 + row * dim;
        check_value(c, kernel, kind, out[row], c->query, half ? c->decoded + row * dim : f32);
        float alone = kind == CHECK_DOT
                          ? half ? t->dot_f16(c->query, f16, dim) : t->dot_f32(c->query, f32, dim)
                      : half ? t->l2_f16(c->query, f16, dim)
                             : t->l2_f32(c->query, f32, dim);
        if (!same_bits(out[row], alone))
            fail_msg("%s %s dim %zu: not the bits of the pair kernel", c->level, kernel, dim);
    }
}

/* Rows in an order drawn at random; their pointers end at a page that may not be touched. */
static void check_many_kernel(check *c, const char *kernel, bool half)
{
    const vt_distance_table *t = c->table;
    size_t bytes = c->rows * sizeof(float), dim = c->dim, order[CHECK_MAX_ROWS];
    const void **rows = guarded_last(&c->pointer_memory, c->rows * sizeof *rows);
    float *out = guarded_last(&c->out_memory, bytes);
    rows_shuffle(&c->random, order, c->rows);
    for (size_t i = 0; i < c->rows; i++)
        rows[i] = half ? (const void *)(c->f16 + order[i] * dim)
                       : (const void *)(c->f32 + order[i] * dim);
    (half ? t->dot_many_f16 : t->dot_many_f32)(c->query, rows, c->rows, dim, out);
    if (!guarded_front_intact(&c->out_memory, bytes))
        fail_msg("%s %s dim %zu: wrote in front of its output", c->level, kernel, dim);
    for (size_t i = 0; i < c->rows; i++) {
        const float *decoded = (half ? c->decoded : c->f32) + order[i] * dim;
        check_value(c, kernel, CHECK_DOT, out[i], c->query, decoded);
        float alone =
            half ? t->dot_f16(c->query, rows[i], dim) : t->dot_f32(c->query, rows[i], dim);
        if (!same_bits(out[i], alone))
            fail_msg("%s %s dim %zu: not the bits of the pair kernel", c->level, kernel, dim);
    }
}

static void check_block_kernel(check *c, const char *kernel, bool half)
{
    const vt_distance_table *t = c->table;
    size_t bytes = c->rows * c->queries * sizeof(float), dim = c->dim;
    float *out = guarded_last(&c->out_memory, bytes);
    if (half)
        t->dot_block_f16(c->query, c->queries, c->f16, c->rows, dim, out);
    else
        t->dot_block_f32(c->query, c->queries, c->f32, c->rows, dim, out);
    if (!guarded_front_intact(&c->out_memory, bytes))
        fail_msg("%s %s dim %zu: wrote in front of its output", c->level, kernel, dim);
    for (size_t q = 0; q < c->queries; q++)
        for (size_t row = 0; row < c->rows; row++) {
            const float *query = c->query + q * dim, *f32 = c->f32 + row * dim;
            float got = out[q * c->rows + row];
            check_value(c, kernel, CHECK_DOT, got, query, half ? c->decoded + row * dim : f32);
            float alone =
                half ? t->dot_f16(query, c->f16 + row * dim, dim) : t->dot_f32(query, f32, dim);
            if (!same_bits(got, alone))
                fail_msg("%s %s dim %zu: not the bits of the pair kernel", c->level, kernel, dim);
        }
}

static void check_all_shapes(check *c, size_t dim)
{
    static const struct {
        size_t queries, rows, slack;
    } shapes[] = {{1, 1, 0}, {1, 5, 1}, {3, 7, 3}, {4, 6, 0}, {5, 13, 5}, {9, 12, 0}, {8, 0, 0}};
    for (size_t i = 0; i < sizeof shapes / sizeof shapes[0]; i++) {
        check_fill(c, dim, shapes[i].queries, shapes[i].rows, shapes[i].slack);
        if (c->rows > 0)
            check_pairs(c);
        check_rows_kernel(c, "dot_rows_f32", CHECK_DOT, false);
        check_rows_kernel(c, "dot_rows_f16", CHECK_DOT, true);
        check_many_kernel(c, "dot_many_f32", false);
        check_many_kernel(c, "dot_many_f16", true);
        check_rows_kernel(c, "l2_rows_f32", CHECK_L2, false);
        check_rows_kernel(c, "l2_rows_f16", CHECK_L2, true);
        check_block_kernel(c, "dot_block_f32", false);
        check_block_kernel(c, "dot_block_f16", true);
    }
}

/* ---- measuring ---- */

typedef struct bench_memory {
    float *query, *f32, *out;
    uint16_t *f16;
    const void **many_f32, **many_f16; /* (rows), in an order drawn at random */
    size_t dim, rows, queries;
} bench_memory;

static double bench_sink; /* keeps the results in use */

static void bench_run(const vt_distance_table *t, int kernel, const bench_memory *m)
{
    float sum = 0;
    for (size_t r = 0; kernel < 6 && r < m->rows; r++) {
        const float *f32 = m->f32 + r * m->dim;
        const uint16_t *f16 = m->f16 + r * m->dim;
        switch (kernel) {
        case 0:
            sum += t->dot_f32(m->query, f32, m->dim);
            break;
        case 1:
            sum += t->l2_f32(m->query, f32, m->dim);
            break;
        case 2:
            sum += t->cosine_f32(m->query, f32, m->dim);
            break;
        case 3:
            sum += t->dot_f16(m->query, f16, m->dim);
            break;
        case 4:
            sum += t->l2_f16(m->query, f16, m->dim);
            break;
        default:
            sum += t->cosine_f16(m->query, f16, m->dim);
            break;
        }
    }
    if (kernel == 6)
        t->dot_rows_f32(m->query, m->f32, m->rows, m->dim, m->out);
    if (kernel == 7)
        t->dot_rows_f16(m->query, m->f16, m->rows, m->dim, m->out);
    if (kernel == 8)
        t->dot_many_f32(m->query, m->many_f32, m->rows, m->dim, m->out);
    if (kernel == 9)
        t->dot_many_f16(m->query, m->many_f16, m->rows, m->dim, m->out);
    if (kernel == 10)
        t->l2_rows_f32(m->query, m->f32, m->rows, m->dim, m->out);
    if (kernel == 11)
        t->l2_rows_f16(m->query, m->f16, m->rows, m->dim, m->out);
    if (kernel == 12)
        t->dot_block_f32(m->query, m->queries, m->f32, m->rows, m->dim, m->out);
    if (kernel == 13)
        t->dot_block_f16(m->query, m->queries, m->f16, m->rows, m->dim, m->out);
    if (kernel == 14)
        t->f32_to_f16(m->f32, m->f16, m->rows * m->dim);
    if (kernel == 15)
        t->f16_to_f32(m->f16, m->f32, m->rows * m->dim);
    bench_sink += (double)sum + (double)m->out[0];
}

static int compare_doubles(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

/* Median nanoseconds per element (pair of elements) over 11 runs of at least a millisecond each. */
static double bench_kernel(const vt_distance_table *t, int kernel, const bench_memory *m)
{
    enum { RUNS = 11 };
    double each[RUNS], elements = (double)m->rows * (double)m->dim;
    if (kernel == 12 || kernel == 13)
        elements *= (double)m->queries;
    bench_run(t, kernel, m);
    for (int run = 0; run < RUNS; run++) {
        double begin = vt_clock_ms(), end;
        int times = 0;
        do {
            bench_run(t, kernel, m);
            times++;
            end = vt_clock_ms();
        } while (end - begin < 1.0);
        each[run] = (end - begin) * 1e6 / (elements * times);
    }
    qsort(each, RUNS, sizeof each[0], compare_doubles);
    return each[RUNS / 2];
}

/* Everything in the second-level cache: what is measured is the kernel, not the memory. */
static int check_distance_bench(size_t dim)
{
    static const char *const names[] = {
        "dot_f32",       "l2_f32",        "cosine_f32",   "dot_f16",
        "l2_f16",        "cosine_f16",    "dot_rows_f32", "dot_rows_f16",
        "dot_many_f32",  "dot_many_f16",  "l2_rows_f32",  "l2_rows_f16",
        "dot_block_f32", "dot_block_f16", "f32_to_f16",   "f16_to_f32"};
    bench_memory m = {.dim = dim, .rows = 1 + 65536 / dim, .queries = 32};
    m.query = vt_alloc_array(m.queries * dim, sizeof(float));
    m.f32 = vt_alloc_array(m.rows * dim, sizeof(float));
    m.f16 = vt_alloc_array(m.rows * dim, sizeof(uint16_t));
    m.many_f32 = vt_alloc_array(m.rows, sizeof *m.many_f32);
    m.many_f16 = vt_alloc_array(m.rows, sizeof *m.many_f16);
    m.out = vt_calloc(m.rows * m.queries, sizeof(float));
    size_t *order = vt_alloc_array(m.rows, sizeof *order);
    if (!m.query || !m.f32 || !m.f16 || !m.many_f32 || !m.many_f16 || !m.out || !order)
        return 1;
    vt_random random;
    vt_random_init(&random, 7);
    for (size_t i = 0; i < m.queries * dim; i++)
        m.query[i] = vt_random_float(&random, -1, 1);
    for (size_t i = 0; i < m.rows * dim; i++)
        m.f32[i] = vt_random_float(&random, -1, 1);
    vt_distance_at(VT_CPU_SCALAR)->f32_to_f16(m.f32, m.f16, m.rows * dim);
    rows_shuffle(&random, order, m.rows);
    for (size_t i = 0; i < m.rows; i++) {
        m.many_f32[i] = m.f32 + order[i] * dim;
        m.many_f16[i] = m.f16 + order[i] * dim;
    }
    printf(
        "dim %zu, %zu rows, blocks of %zu queries; ns per element, and times faster than scalar\n",
        dim, m.rows, m.queries);
    for (int kernel = 0; kernel < (int)(sizeof names / sizeof names[0]); kernel++) {
        double scalar = 0;
        printf("%-14s", names[kernel]);
        for (int i = 0; i < CHECK_LEVELS; i++) {
            const vt_distance_table *t = vt_distance_at(check_levels[i]);
            if (!t)
                continue;
            double ns = bench_kernel(t, kernel, &m);
            if (check_levels[i] == VT_CPU_SCALAR)
                scalar = ns;
            printf("  %s %.4f (%.1fx)", vt_cpu_name(check_levels[i]), ns, scalar / ns);
        }
        printf("\n");
    }
    vt_free(m.query);
    vt_free(m.f32);
    vt_free(m.f16);
    vt_free(m.many_f32);
    vt_free(m.many_f16);
    vt_free(m.out);
    vt_free(order);
    return isnan(bench_sink) ? 1 : 0;
}
