/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Codecs: the error of each as codec.h documents it, recall of an exhaustive scan over its codes,
 * and what must hold whatever the numbers: equal vectors make equal codes, distances of codes
 * agree with those of vectors, hostile vectors are refused.
 */
#include "index/codec.h"

#include "clustered.h"
#include "support/sanitized.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum { ROWS = 2000, QUERIES = 50, K = 10 };

typedef struct fixture {
    vt_coder *coder;
    vt_coder_query *query;
    size_t dim;
    float *rows, *queries, *scratch;
    char *codes, *fines, *sketches;
    size_t code_bytes, fine_bytes, sketch_bytes;
} fixture;

static void fixture_init(fixture *f, vt_codec codec, vt_metric metric, size_t dim)
{
    clustered c;
    *f = (fixture){.dim = dim};
    assert_true(clustered_init(&c, dim, 20, 1));
    f->rows = vt_alloc_array(ROWS + QUERIES, dim * sizeof(float));
    f->queries = f->rows + ROWS * dim;
    for (size_t i = 0; i < ROWS + QUERIES; i++)
        clustered_make(&c, i, f->rows + i * dim);
    clustered_deinit(&c);
    assert_int_equal(vt_coder_new(codec, metric, dim, &f->coder, NULL), VT_OK);
    vt_coder_train(f->coder, f->rows, ROWS);
    assert_int_equal(vt_coder_query_new(f->coder, &f->query, NULL), VT_OK);
    f->code_bytes = vt_coder_code_bytes(f->coder);
    f->fine_bytes = vt_coder_fine_bytes(f->coder);
    f->sketch_bytes = (vt_coder_sketch_bytes(f->coder) + 3) / 4 * 4;
    f->codes = vt_alloc_array(ROWS, f->code_bytes);
    f->fines = vt_alloc_array(ROWS, f->fine_bytes);
    f->sketches = vt_alloc_array(ROWS, f->sketch_bytes);
    f->scratch = vt_alloc_array(vt_coder_width(f->coder), sizeof(float));
    for (size_t i = 0; i < ROWS; i++) {
        char *code = f->codes + i * f->code_bytes, *fine = f->fines + i * f->fine_bytes;
        vt_coder_encode(f->coder, f->rows + i * dim, f->scratch, code, fine);
        vt_coder_sketch(f->coder, code, fine, f->sketches + i * f->sketch_bytes);
    }
}

static void fixture_deinit(fixture *f)
{
    vt_coder_query_free(f->query);
    vt_coder_free(f->coder);
    vt_free(f->rows);
    vt_free(f->codes);
    vt_free(f->fines);
    vt_free(f->sketches);
    vt_free(f->scratch);
}

static double product(const float *a, const float *b, size_t dim)
{
    double sum = 0;
    for (size_t i = 0; i < dim; i++)
        sum += (double)a[i] * b[i];
    return sum;
}

/* qq, xx: of each with itself. */
static double score_of(vt_metric metric, double dot, double qq, double xx)
{
    if (metric == VT_METRIC_DOT)
        return dot;
    return metric == VT_METRIC_L2 ? 2 * dot - qq - xx : dot / sqrt(qq * xx);
}

static double score(vt_metric metric, const float *q, const float *x, size_t dim)
{
    return score_of(metric, product(q, x, dim), product(q, q, dim), product(x, x, dim));
}

static void scores_make(fixture *f, const float *vector, bool fine, float *out)
{
    const void *codes[ROWS];
    vt_coder_query_set(f->coder, f->query, vector);
    for (size_t i = 0; i < ROWS; i++)
        codes[i] = f->codes + i * f->code_bytes;
    for (size_t i = 0; i < ROWS; i += VT_CODER_MANY)
        vt_coder_score_many(f->coder, f->query, codes + i,
                            ROWS - i < VT_CODER_MANY ? ROWS - i : VT_CODER_MANY, out + i);
    for (size_t i = 0; fine && i < ROWS; i++)
        out[i] = vt_coder_score_fine(f->coder, f->query, codes[i], f->fines + i * f->fine_bytes);
}

static size_t best_of(const double *scores, bool *taken)
{
    size_t best = ROWS;
    for (size_t i = 0; i < ROWS; i++)
        if (!taken[i] && (best == ROWS || scores[i] > scores[best]))
            best = i;
    taken[best] = true;
    return best;
}

/* Of the K best by true scores, how many are among the `pool` best by estimates. */
static size_t recalled(const double *truth, const double *estimates, size_t pool)
{
    bool right[ROWS] = {false}, found[ROWS] = {false};
    size_t hits = 0;
    for (size_t i = 0; i < K; i++)
        (void)best_of(truth, right);
    for (size_t i = 0; i < pool; i++)
        hits += right[best_of(estimates, found)];
    return hits;
}

typedef struct outcome {
    double error; /* root of the mean square, relative to unit distances from the mean */
    double bias;
    double recall, recall_of_30;
} outcome;

static outcome measure(vt_codec codec, vt_metric metric, size_t dim, bool fine)
{
    static double truth[ROWS], estimates[ROWS], squares[ROWS];
    static float scores[ROWS];
    fixture f;
    fixture_init(&f, codec, metric, dim);
    outcome result = {0};
    for (size_t i = 0; i < ROWS; i++)
        squares[i] = product(f.rows + i * dim, f.rows + i * dim, dim);
    for (size_t q = 0; q < QUERIES; q++) {
        const float *query = f.queries + q * dim;
        const double square = product(query, query, dim);
        scores_make(&f, query, fine, scores);
        for (size_t i = 0; i < ROWS; i++) {
            truth[i] = score_of(metric, product(query, f.rows + i * dim, dim), square, squares[i]);
            estimates[i] = (double)scores[i];
            double off = estimates[i] - truth[i];
            result.error += off * off / (ROWS * QUERIES);
            result.bias += off / (ROWS * QUERIES);
        }
        result.recall += (double)recalled(truth, estimates, K) / (K * QUERIES);
        result.recall_of_30 += (double)recalled(truth, estimates, 30) / (K * QUERIES);
    }
    result.error = sqrt(result.error);
    fixture_deinit(&f);
    return result;
}

/* Bounds: error of a cosine, recall@10 of the scan, and of 30 candidates for a second look. */
static void test_errors_and_recall(void **state)
{
    (void)state;
    static const struct {
        vt_codec codec;
        bool fine;
        double error, recall, recall_of_30;
    } wants[] = {
        {VT_CODEC_F32, false, 1e-6, 1.0, 1.0},        {VT_CODEC_F16, false, 1e-4, 0.995, 1.0},
        {VT_CODEC_BF16, false, 3e-4, 0.98, 1.0},      {VT_CODEC_INT8, false, 1e-3, 0.98, 1.0},
        {VT_CODEC_INT8, true, 7e-4, 0.98, 1.0},       {VT_CODEC_INT4, false, 0.008, 0.94, 0.999},
        {VT_CODEC_INT4X2, false, 0.008, 0.94, 0.999}, {VT_CODEC_INT4X2, true, 7e-4, 0.98, 1.0},
        {VT_CODEC_RABITQ, false, 0.055, 0.70, 0.98},
    };
    for (size_t i = 0; i < sizeof wants / sizeof wants[0]; i++) {
        outcome got = measure(wants[i].codec, VT_METRIC_COSINE, 256, wants[i].fine);
        print_message("%s%s: error %.5f, bias %+.5f, recall %.3f, of 30 %.3f\n",
                      vt_codec_name(wants[i].codec), wants[i].fine ? " fine" : "", got.error,
                      got.bias, got.recall, got.recall_of_30);
        assert_true(got.error <= wants[i].error);
        assert_true(fabs(got.bias) <= wants[i].error / 10);
        assert_true(got.recall >= wants[i].recall);
        assert_true(got.recall_of_30 >= wants[i].recall_of_30);
    }
}

static void test_metrics_and_widths(void **state)
{
    (void)state;
    static const size_t dims[] = {24, 65, 130, 192};
    for (int codec = 0; codec < VT_CODEC_COUNT; codec++)
        for (int metric = 0; metric <= VT_METRIC_L2; metric++)
            /* Where not all of them are taken, another one for each codec and metric. */
            for (size_t d = (size_t)(codec + metric) % (SCRATCH_STRIDE > 4 ? 4 : SCRATCH_STRIDE);
                 d < 4; d += SCRATCH_STRIDE) {
                outcome got = measure((vt_codec)codec, (vt_metric)metric, dims[d], true);
                double floor = codec == VT_CODEC_RABITQ ? 0.25 : codec == VT_CODEC_INT4 ? 0.6 : 0.9;
                if (got.recall < floor)
                    fail_msg("%s, metric %d, %zu dimensions: recall %.3f",
                             vt_codec_name((vt_codec)codec), metric, dims[d], got.recall);
            }
}

/* The part of scores that are above what they may well be, at so many deviations. */
static double beyond(vt_metric metric, size_t dim, float deviations)
{
    fixture f;
    size_t above = 0;
    float reach[VT_CODER_MANY];
    const void *codes[VT_CODER_MANY];
    fixture_init(&f, VT_CODEC_RABITQ, metric, dim);
    for (size_t i = 0; i < VT_CODER_MANY; i++)
        codes[i] = f.codes + i * f.code_bytes;
    for (size_t q = 0; q < QUERIES; q++) {
        const float *query = f.queries + q * dim;
        vt_coder_query_set(f.coder, f.query, query);
        vt_coder_reach_many(f.coder, f.query, deviations, codes, VT_CODER_MANY, reach);
        for (size_t i = 0; i < VT_CODER_MANY; i++)
            above += score(metric, query, f.rows + i * dim, dim) > (double)reach[i];
    }
    fixture_deinit(&f);
    return (double)above / (QUERIES * VT_CODER_MANY);
}

/* Deviations are those of a normal distribution; 0: as many above as below. */
static void test_reach(void **state)
{
    (void)state;
    static const struct {
        float deviations;
        double least, most;
    } wants[] = {{0, 0.45, 0.55}, {1, 0.12, 0.21}, {1.5f, 0.04, 0.1}, {3, 0, 0.006}};
    for (int metric = 0; metric <= VT_METRIC_L2; metric++)
        for (size_t i = 0; i < sizeof wants / sizeof wants[0]; i++) {
            double got = beyond((vt_metric)metric, i % 2 ? 256 : 130, wants[i].deviations);
            print_message("metric %d, %g deviations: %.4f above\n", metric,
                          (double)wants[i].deviations, got);
            assert_true(got >= wants[i].least && got <= wants[i].most);
        }
}

/* Distances between codes approach those between vectors, and are 0 between equal ones. */
static void test_sketches(void **state)
{
    (void)state;
    for (int codec = 0; codec < VT_CODEC_COUNT; codec++) {
        fixture f;
        fixture_init(&f, (vt_codec)codec, VT_METRIC_L2, 256);
        const void *others[100];
        float got[100];
        double off = 0;
        for (size_t i = 0; i < 100; i++)
            others[i] = f.sketches + i * f.sketch_bytes;
        for (size_t a = 0; a < 100; a++) {
            vt_coder_sketch_distances(f.coder, others[a], others, 100, got);
            assert_true(fabsf(got[a]) <= 1e-5f);
            for (size_t b = 0; b < 100; b++)
                off += fabs((double)got[b] +
                            score(VT_METRIC_L2, f.rows + a * 256, f.rows + b * 256, 256));
        }
        vt_coder_sketch_distances(f.coder, others[0], others, 0, got);
        double bound = codec == VT_CODEC_RABITQ ? 1.2 : codec == VT_CODEC_INT4 ? 0.06 : 0.01;
        if (off / 1e4 > bound)
            fail_msg("%s: distances are off by %.4f", vt_codec_name((vt_codec)codec), off / 1e4);
        fixture_deinit(&f);
    }
}

static void test_equal_vectors(void **state)
{
    (void)state;
    for (int codec = 0; codec < VT_CODEC_COUNT; codec++) {
        fixture f;
        fixture_init(&f, (vt_codec)codec, VT_METRIC_COSINE, 65);
        char *a = vt_alloc(f.code_bytes), *b = vt_alloc(f.code_bytes);
        char *fine_a = vt_alloc(f.fine_bytes), *fine_b = vt_alloc(f.fine_bytes);
        memset(a, 1, f.code_bytes);
        memset(b, 2, f.code_bytes);
        vt_coder_encode(f.coder, f.queries, f.scratch, a, fine_a);
        vt_coder_encode(f.coder, f.queries, f.scratch, b, fine_b);
        assert_memory_equal(a, b, f.code_bytes);
        assert_memory_equal(fine_a, fine_b, f.fine_bytes);
        vt_free(a);
        vt_free(b);
        vt_free(fine_a);
        vt_free(fine_b);
        fixture_deinit(&f);
    }
}

/* Zero (where allowed), tiny, huge and one-element vectors give scores that are numbers. */
static void test_extremes(void **state)
{
    (void)state;
    static const float values[] = {0.0f, 1e-30f, 1e-3f, 60000.0f};
    for (int codec = 0; codec < VT_CODEC_COUNT; codec++)
        for (size_t x = 0; x < 4; x++)
            for (size_t q = 0; q < 4; q++) {
                vt_coder *coder;
                vt_coder_query *query;
                float vector[3] = {values[x], 0, 0}, asked[3] = {0, values[q], 0}, scratch[64];
                _Alignas(8) char code[512], fine[512];
                const void *codes[1] = {code};
                float got;
                assert_int_equal(vt_coder_new((vt_codec)codec, VT_METRIC_L2, 3, &coder, NULL),
                                 VT_OK);
                assert_int_equal(vt_coder_query_new(coder, &query, NULL), VT_OK);
                assert_int_equal(vt_coder_check(coder, vector, "add", NULL), VT_OK);
                vt_coder_encode(coder, vector, scratch, code, fine);
                vt_coder_query_set(coder, query, asked);
                vt_coder_score_many(coder, query, codes, 1, &got);
                assert_true(isfinite(got));
                assert_true(isfinite(vt_coder_score_fine(coder, query, code, fine)));
                vt_coder_query_free(query);
                vt_coder_free(coder);
            }
}

static void test_refusals(void **state)
{
    (void)state;
    vt_coder *coder = NULL;
    vt_error error;
    assert_int_equal(vt_coder_new(VT_CODEC_F32, VT_METRIC_L2, 0, &coder, &error), VT_ERR_USAGE);
    assert_int_equal(vt_coder_new(VT_CODEC_F32, VT_METRIC_L2, 65537, &coder, &error), VT_ERR_USAGE);
    assert_int_equal(vt_coder_new((vt_codec)7, VT_METRIC_L2, 8, &coder, &error), VT_ERR_USAGE);
    assert_int_equal(vt_coder_new(VT_CODEC_F32, (vt_metric)3, 8, &coder, &error), VT_ERR_USAGE);
    assert_null(coder);
    assert_string_equal(vt_codec_name((vt_codec)99), "unknown");
    assert_int_equal(vt_coder_new(VT_CODEC_F16, VT_METRIC_COSINE, 2, &coder, NULL), VT_OK);
    const float bad[][2] = {{NAN, 0}, {0, INFINITY}, {-INFINITY, 1}, {3e38f, 0}, {0, 0}, {1, 1e5f}};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        assert_int_equal(vt_coder_check(coder, bad[i], "add", &error), VT_ERR_USAGE);
        assert_int_equal(strncmp(error.message, "add: ", 5), 0);
    }
    vt_coder_free(coder);
    vt_coder_free(NULL);
    vt_coder_query_free(NULL);
}

static void test_memory(void **state)
{
    (void)state;
    for (int64_t n = 0;; n++) {
        vt_coder *coder = NULL;
        vt_coder_query *query = NULL;
        vt_mem_fail_after(n);
        vt_status status = vt_coder_new(VT_CODEC_INT8, VT_METRIC_L2, 100, &coder, NULL);
        if (status == VT_OK)
            status = vt_coder_query_new(coder, &query, NULL);
        vt_mem_fail_after(-1);
        vt_coder_query_free(query);
        vt_coder_free(coder);
        if (status == VT_OK)
            break;
        assert_int_equal(status, VT_ERR_NO_MEMORY);
        assert_true(n < 20);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_errors_and_recall),
        cmocka_unit_test(test_metrics_and_widths),
        cmocka_unit_test(test_reach),
        cmocka_unit_test(test_sketches),
        cmocka_unit_test(test_equal_vectors),
        cmocka_unit_test(test_extremes),
        cmocka_unit_test(test_refusals),
        cmocka_unit_test(test_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
