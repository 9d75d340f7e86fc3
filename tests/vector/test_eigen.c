/* SPDX-License-Identifier: Apache-2.0 */
/* Eigenvectors against their definition. */
#include "vector/eigen.h"

#include "base/random.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

enum { N = 27 };

/* A symmetric matrix of a few ranks more or less, with pairs of equal values. */
static void fill(double *matrix, uint64_t seed, bool low_rank)
{
    double factor[N][N];
    vt_random random;
    vt_random_init(&random, seed);
    for (size_t i = 0; i < N; i++)
        for (size_t j = 0; j < N; j++)
            factor[i][j] = low_rank && j >= N / 3 ? 0 : vt_random_normal(&random);
    for (size_t i = 0; i < N; i++)
        for (size_t j = 0; j < N; j++) {
            matrix[i * N + j] = 0;
            for (size_t k = 0; k < N; k++)
                matrix[i * N + j] += factor[i][k] * factor[j][k];
        }
}

static void check(const double *matrix)
{
    static double work[N * N], vectors[N * N], values[N];
    memcpy(work, matrix, sizeof(work));
    assert_true(vt_eigen_symmetric(work, N, values, vectors));
    double scale = fabs(values[0]) + 1;
    for (size_t v = 0; v < N; v++) {
        const double *vector = vectors + v * N;
        assert_true(v == 0 || values[v - 1] >= values[v]);
        for (size_t i = 0; i < N; i++) {
            double image = 0;
            for (size_t j = 0; j < N; j++)
                image += matrix[i * N + j] * vector[j];
            assert_true(fabs(image - values[v] * vector[i]) < 1e-12 * scale);
        }
        for (size_t w = 0; w <= v; w++) {
            double product = 0;
            for (size_t i = 0; i < N; i++)
                product += vector[i] * vectors[w * N + i];
            assert_true(fabs(product - (v == w)) < 1e-12);
        }
    }
}

static void test_definition(void **state)
{
    static double matrix[N * N];
    (void)state;
    for (uint64_t seed = 1; seed <= 8; seed++) {
        fill(matrix, seed, seed % 2 == 0);
        check(matrix);
    }
    memset(matrix, 0, sizeof(matrix));
    check(matrix);
    for (size_t i = 0; i < N; i++)
        matrix[i * N + i] = (double)(i % 5) - 2;
    check(matrix);
}

static void test_not_finite(void **state)
{
    static double matrix[N * N], vectors[N * N], values[N];
    (void)state;
    fill(matrix, 1, false);
    matrix[N + 2] = matrix[2 * N + 1] = NAN;
    assert_false(vt_eigen_symmetric(matrix, N, values, vectors));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_definition),
        cmocka_unit_test(test_not_finite),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
