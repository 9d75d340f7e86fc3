/* SPDX-License-Identifier: Apache-2.0 */
/* k-means against brute force, and on rows that have no groups to find. */
#include "vector/kmeans.h"

#include "base/mem.h"
#include "base/random.h"
#include "support/sanitized.h"
#include "vector/distance.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

enum { MOST_ROWS = 3000, MOST_DIM = 40 };
static float rows[MOST_ROWS * MOST_DIM];

static void blobs(vt_random *random, size_t count, size_t dim, size_t groups, double spread)
{
    vt_random parent = *random;
    for (size_t i = 0; i < count; i++) {
        vt_random centre = vt_random_fork(&parent, i % groups);
        for (size_t d = 0; d < dim; d++)
            rows[i * dim + d] =
                (float)(vt_random_normal(&centre) + spread * vt_random_normal(random));
    }
}

static double square_between(const float *a, const float *b, size_t dim)
{
    double sum = 0;
    for (size_t d = 0; d < dim; d++)
        sum += ((double)a[d] - (double)b[d]) * ((double)a[d] - (double)b[d]);
    return sum;
}

static vt_kmeans *group(size_t count, size_t dim, const vt_kmeans_options *options)
{
    vt_kmeans *made = NULL;
    vt_error error = {0};
    vt_status status = vt_kmeans_new(rows, count, dim, options, &made, &error);
    if (status != VT_OK)
        fail_msg("k-means of %zu rows: %s", count, error.message);
    return made;
}

/* What must hold of every result. */
static void validate(const vt_kmeans *made, const vt_kmeans_options *options)
{
    size_t sum = 0;
    double inertia = 0, scale = 0;
    assert_in_range(made->k, 1, options->k);
    for (size_t j = 0; j < made->k; j++) {
        assert_true(made->sizes[j] > 0);
        sum += made->sizes[j];
    }
    assert_int_equal(sum, made->count);
    for (size_t i = 0; i < made->count; i++)
        scale += square_between(rows + i * made->dim, rows, made->dim) / (double)made->count;
    for (size_t i = 0; i < made->count; i++) {
        const float *row = rows + i * made->dim;
        assert_in_range(made->labels[i], 0, made->k - 1);
        double own = square_between(row, made->centroids + made->labels[i] * made->dim, made->dim);
        inertia += own;
        for (size_t j = 0; j < made->k; j++) {
            double other = square_between(row, made->centroids + j * made->dim, made->dim);
            if (other < own - 1e-5 * (1 + scale))
                fail_msg("row %zu: group %u at %g, group %zu at %g", i, made->labels[i], own, j,
                         other);
        }
    }
    assert_true(fabs(inertia - made->inertia) <= 1e-4 * inertia + 1e-6);
}

/* Converged: every centroid is the mean of its rows, or its direction. */
static void validate_means(const vt_kmeans *made, bool spherical)
{
    double mean[MOST_DIM];
    for (size_t j = 0; j < made->k; j++) {
        memset(mean, 0, sizeof mean);
        for (size_t i = 0; i < made->count; i++)
            for (size_t d = 0; made->labels[i] == j && d < made->dim; d++)
                mean[d] += (double)rows[i * made->dim + d];
        double square = 0;
        for (size_t d = 0; d < made->dim; d++)
            square += mean[d] * mean[d];
        double divisor = spherical ? sqrt(square) : made->sizes[j];
        if (divisor < 1e-6) /* rows without a direction alone */
            continue;
        for (size_t d = 0; d < made->dim; d++)
            assert_true(fabs(mean[d] / divisor - (double)made->centroids[j * made->dim + d]) <
                        1e-4);
    }
}

/* Lloyd's iterations without anything that spares work, from the same first centroids. */
static double brute_force(size_t count, size_t dim, const vt_kmeans_options *options)
{
    static float centroids[64 * MOST_DIM];
    static uint32_t labels[MOST_ROWS];
    size_t k = 0;
    double inertia = 0, before = INFINITY;
    assert_int_equal(vt_kmeans_seed(rows, count, dim, options, centroids, &k), VT_OK);
    for (int round = 0; round < options->iterations; round++) {
        inertia = 0;
        for (size_t i = 0; i < count; i++) {
            double least = INFINITY;
            for (size_t j = 0; j < k; j++) {
                double from = square_between(rows + i * dim, centroids + j * dim, dim);
                labels[i] = from < least ? (uint32_t)j : labels[i];
                least = from < least ? from : least;
            }
            inertia += least;
        }
        for (size_t j = 0; j < k; j++) {
            double mean[MOST_DIM] = {0}, members = 0;
            for (size_t i = 0; i < count; i++)
                for (size_t d = 0; labels[i] == j && d < dim; d++)
                    mean[d] += (double)rows[i * dim + d];
            for (size_t i = 0; i < count; i++)
                members += labels[i] == j;
            for (size_t d = 0; members > 0 && d < dim; d++)
                centroids[j * dim + d] = (float)(mean[d] / members);
        }
        if (inertia == before)
            break;
        before = inertia;
    }
    return inertia;
}

static void bounds_change_nothing(void **state)
{
    (void)state;
    one_thread();
    vt_random random;
    vt_random_init(&random, 5);
    for (int round = 0; round < 60; round++) {
        size_t count = 20 + vt_random_below(&random, 1500), dim = 1 + vt_random_below(&random, 39);
        vt_kmeans_options options = vt_kmeans_options_defaults();
        options.k = 1 + vt_random_below(&random, 19);
        options.seed = (uint64_t)round;
        options.iterations = 300;
        blobs(&random, count, dim, 1 + vt_random_below(&random, 20), round % 2 ? 0.1 : 1.0);
        vt_kmeans *made = group(count, dim, &options);
        validate(made, &options);
        assert_true(made->converged);
        validate_means(made, false);
        double want = brute_force(count, dim, &options);
        assert_true(fabs(made->inertia - want) <= 0.01 * want + 1e-6);
        vt_kmeans_free(made);
    }
}

static void clear_groups_are_found(void **state)
{
    (void)state;
    one_thread();
    vt_random random;
    vt_random_init(&random, 6);
    blobs(&random, MOST_ROWS, 32, 12, 0.02);
    vt_kmeans_options options = vt_kmeans_options_defaults();
    options.k = 12;
    vt_kmeans *made = group(MOST_ROWS, 32, &options);
    assert_int_equal(made->k, 12);
    for (size_t i = 12; i < MOST_ROWS; i++)
        assert_int_equal(made->labels[i], made->labels[i % 12]);
    vt_kmeans_free(made);
}

static void threads_change_nothing(void **state)
{
    (void)state;
    vt_random random;
    vt_pool *pool = NULL;
    vt_random_init(&random, 7);
    assert_int_equal(vt_pool_new(3, &pool, NULL), VT_OK);
    for (int round = 0; round < 6; round++) {
        blobs(&random, MOST_ROWS, 24, 9, 0.8);
        vt_kmeans_options options = vt_kmeans_options_defaults();
        options.k = 5 + 30 * (size_t)round;
        options.iterations = 20;
        vt_kmeans *alone = group(MOST_ROWS, 24, &options);
        options.pool = pool;
        vt_kmeans *together = group(MOST_ROWS, 24, &options);
        assert_int_equal(alone->k, together->k);
        assert_memory_equal(alone->labels, together->labels, MOST_ROWS * sizeof(uint32_t));
        assert_memory_equal(alone->centroids, together->centroids, alone->k * 24 * sizeof(float));
        assert_true(alone->inertia == together->inertia);
        vt_kmeans_free(alone);
        vt_kmeans_free(together);
    }
    vt_pool_free(pool);
}

static void on_a_sphere(void **state)
{
    (void)state;
    one_thread();
    vt_random random;
    vt_random_init(&random, 8);
    for (int round = 0; round < 20; round++) {
        blobs(&random, 900, 16, 7, 0.5);
        for (size_t i = 0; i < 900; i++)
            assert_true(vt_vector_normalize(rows + i * 16, 16));
        if (round % 3 == 0)
            memset(rows + 5 * 16, 0, 16 * sizeof(float)); /* one without a direction */
        vt_kmeans_options options = vt_kmeans_options_defaults();
        options.k = 2 + (size_t)round;
        options.spherical = true;
        options.seed = (uint64_t)round;
        options.iterations = 300;
        vt_kmeans *made = group(900, 16, &options);
        validate(made, &options);
        assert_true(made->converged);
        validate_means(made, true);
        vt_kmeans_free(made);
    }
}

static void degenerate_rows(void **state)
{
    (void)state;
    vt_random random;
    vt_random_init(&random, 9);
    vt_kmeans_options options = vt_kmeans_options_defaults();
    options.k = 7;
    for (size_t i = 0; i < 100 * 8; i++)
        rows[i] = 0.3F;
    vt_kmeans *made = group(100, 8, &options); /* all equal */
    assert_int_equal(made->k, 1);
    validate(made, &options);
    vt_kmeans_free(made);
    memset(rows, 0, sizeof rows);
    made = group(100, 8, &options); /* all zero */
    assert_int_equal(made->k, 1);
    vt_kmeans_free(made);
    options.spherical = true;
    made = group(100, 8, &options);
    assert_int_equal(made->k, 1);
    vt_kmeans_free(made);
    options.spherical = false;
    for (size_t i = 0; i < 100; i++)
        rows[i * 8 + i % 3] = 1; /* three different rows, many times */
    made = group(100, 8, &options);
    assert_int_equal(made->k, 3);
    assert_true(made->inertia < 1e-9);
    vt_kmeans_free(made);
    blobs(&random, 20, 8, 20, 1);
    options.k = 500; /* more than rows */
    made = group(20, 8, &options);
    assert_int_equal(made->k, 20);
    assert_true(made->inertia < 1e-9);
    vt_kmeans_free(made);
    options.k = 1;
    made = group(20, 8, &options);
    validate(made, &options);
    validate_means(made, false);
    vt_kmeans_free(made);
}

/* Far from the origin products cancel; what bounds are made from must not. */
static void rows_far_away(void **state)
{
    (void)state;
    vt_random random;
    vt_random_init(&random, 10);
    blobs(&random, 600, 8, 3, 0.05);
    for (size_t i = 0; i < 600 * 8; i++)
        rows[i] += 50;
    vt_kmeans_options options = vt_kmeans_options_defaults();
    options.k = 3;
    vt_kmeans *made = group(600, 8, &options);
    for (size_t i = 3; i < 600; i++)
        assert_int_equal(made->labels[i], made->labels[i % 3]);
    vt_kmeans_free(made);
}

static bool stop_later(void *context, uint64_t done, uint64_t total)
{
    int *calls = context;
    assert_true(done <= total);
    return ++*calls < 12;
}

static void mistakes_and_cancelling(void **state)
{
    (void)state;
    vt_random random;
    vt_random_init(&random, 11);
    vt_kmeans *made = NULL;
    vt_kmeans_options options = vt_kmeans_options_defaults();
    blobs(&random, 300, 8, 4, 1);
    const float broken[] = {NAN, INFINITY, -INFINITY, 1e30F};
    for (size_t i = 0; i < 4; i++) {
        float kept = rows[77];
        vt_error error = {0};
        rows[77] = broken[i];
        assert_int_equal(vt_kmeans_new(rows, 300, 8, &options, &made, &error), VT_ERR_USAGE);
        assert_non_null(strstr(error.message, "row 9"));
        rows[77] = kept;
    }
    assert_int_equal(vt_kmeans_new(rows, 0, 8, &options, &made, NULL), VT_ERR_USAGE);
    assert_int_equal(vt_kmeans_new(rows, 300, 0, &options, &made, NULL), VT_ERR_USAGE);
    options.spherical = true;
    assert_int_equal(vt_kmeans_new(rows, 300, 8, &options, &made, NULL), VT_ERR_USAGE);
    options.spherical = false;
    int calls = 0;
    options.on_progress = stop_later;
    options.context = &calls;
    assert_int_equal(vt_kmeans_new(rows, 300, 8, &options, &made, NULL), VT_ERR_CANCELLED);
    options.k = 0;
    assert_int_equal(vt_kmeans_new(rows, 300, 8, &options, &made, NULL), VT_ERR_USAGE);
    assert_null(made);
}

static void memory_runs_out(void **state)
{
    (void)state;
    vt_random random;
    vt_random_init(&random, 12);
    blobs(&random, 100, 8, 4, 1);
    vt_kmeans_options options = vt_kmeans_options_defaults();
    vt_status status = VT_ERR_NO_MEMORY;
    int64_t allowed = 0;
    for (; status == VT_ERR_NO_MEMORY; allowed++) {
        vt_kmeans *made = NULL;
        vt_mem_fail_after(allowed);
        status = vt_kmeans_new(rows, 100, 8, &options, &made, NULL);
        vt_mem_fail_after(-1);
        vt_kmeans_free(made);
    }
    assert_int_equal(status, VT_OK);
    assert_true(allowed > 10);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(bounds_change_nothing),   cmocka_unit_test(clear_groups_are_found),
        cmocka_unit_test(threads_change_nothing),  cmocka_unit_test(on_a_sphere),
        cmocka_unit_test(degenerate_rows),         cmocka_unit_test(rows_far_away),
        cmocka_unit_test(mistakes_and_cancelling), cmocka_unit_test(memory_runs_out),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
