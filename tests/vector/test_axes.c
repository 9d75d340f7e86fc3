/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Axes against what they promise, computed in double: that they stand at right angles, that the
 * shares are those of the rows, and that they hold nearly as much as eigenvectors would.
 *
 * How near the first few come to eigenvectors hangs on where they begin and on how far eigenvalues
 * lie apart; what all of them hold together does not, much. So all that are wanted, and any number
 * that reaches the rows' rank, is held to 0.97 of what there is in each case, and fewer in the
 * mean.
 */
#include "vector/axes.h"

#include "base/mem.h"
#include "base/random.h"
#include "vector/eigen.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

enum { MOST_DIM = 128, MOST_COUNT = 600 };

/* Rows, and what was found of them. */
typedef struct world {
    size_t count, dim, wanted;
    float rows[MOST_COUNT * MOST_DIM];   /* (count, dim) */
    float axes[MOST_DIM * MOST_DIM + 1]; /* (wanted, dim), and one that stays as it is */
    float shares[MOST_DIM + 1];          /* the same */
    float skew;
    vt_random random;
} world;

static world one_world;

static world *world_make(size_t count, size_t dim, size_t wanted, uint64_t seed)
{
    world *w = &one_world;
    assert_true(count <= MOST_COUNT && dim <= MOST_DIM && wanted <= dim);
    memset(w, 0, sizeof *w);
    w->count = count;
    w->dim = dim;
    w->wanted = wanted;
    vt_random_init(&w->random, seed);
    return w;
}

/* Sums of `rank` directions, each `decay` times as long as the one before, and noise. */
static void rows_fill(world *w, size_t rank, double decay, double noise)
{
    static double directions[MOST_DIM * MOST_DIM];
    for (size_t i = 0; i < rank * w->dim; i++)
        directions[i] = vt_random_normal(&w->random);
    for (size_t row = 0; row < w->count; row++) {
        double sum[MOST_DIM] = {0}, length = 1;
        for (size_t r = 0; r < rank; r++, length *= decay) {
            double along = length * vt_random_normal(&w->random);
            for (size_t i = 0; i < w->dim; i++)
                sum[i] += along * directions[r * w->dim + i];
        }
        for (size_t i = 0; i < w->dim; i++)
            w->rows[row * w->dim + i] = (float)(sum[i] + noise * vt_random_normal(&w->random));
    }
}

static void find(world *w)
{
    w->axes[w->wanted * w->dim] = 77.0F;
    w->shares[w->wanted] = 78.0F;
    w->skew = -1;
    assert_int_equal(
        vt_axes_find(w->rows, w->count, w->dim, w->wanted, w->axes, w->shares, &w->skew, NULL),
        VT_OK);
    assert_true(w->axes[w->wanted * w->dim] == 77.0F && w->shares[w->wanted] == 78.0F);
}

/* ---- what always holds ---- */

/* The largest row sum of |A A' - I|, which its norm is within. */
static double skew_of(const world *w)
{
    double worst = 0;
    for (size_t i = 0; i < w->wanted; i++) {
        double sum = 0;
        for (size_t j = 0; j < w->wanted; j++) {
            double product = i == j ? -1 : 0;
            for (size_t d = 0; d < w->dim; d++)
                product += (double)w->axes[i * w->dim + d] * (double)w->axes[j * w->dim + d];
            sum += fabs(product);
        }
        worst = fmax(worst, sum);
    }
    return worst;
}

static double gamma_of(size_t roundings)
{
    double nu = (double)roundings * 0x1p-24;
    return nu / (1 - nu);
}

/* What part of the squared lengths lies along an axis, and how far f32 may be from it: each of the
 * products that it is made of meets a rounding for every row and every dimension, as does what it
 * is divided by. */
static double share_of(const world *w, size_t axis, double *bound)
{
    double all = 0, along = 0, absolute = 0;
    for (size_t row = 0; row < w->count; row++) {
        double product = 0, sizes = 0;
        for (size_t d = 0; d < w->dim; d++) {
            double x = w->rows[row * w->dim + d];
            double part = x * (double)w->axes[axis * w->dim + d];
            all += x * x;
            product += part;
            sizes += fabs(part);
        }
        along += product * product;
        absolute += sizes * sizes;
    }
    *bound = 0;
    if (all == 0)
        return 0;
    *bound = gamma_of(w->count + w->dim + 4) * (absolute + along) / all;
    return along / all;
}

static double shares_sum(const world *w, size_t axes)
{
    double sum = 0;
    for (size_t i = 0; i < axes; i++)
        sum += (double)w->shares[i];
    return sum;
}

static void check(const world *w)
{
    double skew = skew_of(w);
    if (!(skew <= (double)w->skew && w->skew < 1e-4F))
        fail_msg("%zu rows, %zu of %zu axes: %g off right angles, %g is said", w->count, w->wanted,
                 w->dim, skew, (double)w->skew);
    for (size_t i = 0; i < w->wanted; i++) {
        double bound, want = share_of(w, i, &bound);
        if (!(fabs((double)w->shares[i] - want) <= bound))
            fail_msg("%zu rows, %zu of %zu axes: share %zu is %.9g, not %.9g", w->count, w->wanted,
                     w->dim, i, (double)w->shares[i], want);
    }
    assert_true(shares_sum(w, w->wanted) <= 1 + 1e-5);
}

static void find_and_check(world *w)
{
    find(w);
    check(w);
}

static void test_shapes(void **state)
{
    (void)state;
    static const size_t dims[] = {1, 2, 3, 7, 24, 65, MOST_DIM}, counts[] = {0, 1, 2, 5, 30, 300};
    for (size_t d = 0; d < sizeof dims / sizeof dims[0]; d++)
        for (size_t c = 0; c < sizeof counts / sizeof counts[0]; c++)
            for (int part = 0; part < 3; part++) {
                const size_t dim = dims[d], wanted = part == 0   ? dim
                                                     : part == 1 ? (dim + 1) / 2
                                                                 : 0;
                world *w = world_make(counts[c], dim, wanted, 100 * d + c);
                rows_fill(w, dim < 5 ? dim : 5, 0.7, part == 0 ? 0 : 0.1);
                find_and_check(w);
            }
}

/* ---- rows of a known kind ---- */

static double cosine_of(const float *axis, const double *direction, size_t dim)
{
    double product = 0, axis_length = 0, length = 0;
    for (size_t i = 0; i < dim; i++) {
        product += (double)axis[i] * direction[i];
        axis_length += (double)axis[i] * (double)axis[i];
        length += direction[i] * direction[i];
    }
    return fabs(product) / sqrt(axis_length * length);
}

static void test_low_rank(void **state)
{
    (void)state;
    for (size_t rank = 1; rank <= 20; rank += 3)
        for (int large = 0; large < 2; large++) {
            world *w = world_make(large ? 400 : 40, large ? MOST_DIM : 24, large ? 64 : 24, rank);
            rows_fill(w, rank, 0.9, 0);
            find_and_check(w);
            assert_true(shares_sum(w, rank) >= 1 - 1e-5);
            for (size_t i = rank; i < w->wanted; i++)
                assert_true(fabsf(w->shares[i]) < 1e-6F);
        }
}

static void test_as_many_as_dimensions(void **state)
{
    (void)state;
    for (size_t dim = 1; dim <= 40; dim += 3) {
        world *w = world_make(100, dim, dim, dim);
        rows_fill(w, 3, 1, 1);
        find_and_check(w);
        assert_true(shares_sum(w, dim) >= 1 - 1e-5);
    }
}

static void test_rows_all_zero(void **state)
{
    (void)state;
    world *w = world_make(50, 24, 20, 1);
    find_and_check(w);
    for (size_t i = 0; i < w->wanted; i++)
        assert_true(w->shares[i] == 0);
}

static void test_one_row(void **state)
{
    (void)state;
    world *w = world_make(1, 24, 6, 2);
    double direction[24];
    rows_fill(w, 1, 1, 0);
    for (size_t i = 0; i < w->dim; i++)
        direction[i] = w->rows[i];
    find_and_check(w);
    assert_true(cosine_of(w->axes, direction, w->dim) > 1 - 1e-6);
    assert_true(w->shares[0] > 1 - 1e-6F);
}

/* Rows that all go one way but for a little. */
static void test_dominant_direction(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= 20; seed++) {
        world *w = world_make(300, 24, 1 + seed % 7, seed);
        double direction[24];
        for (size_t i = 0; i < w->dim; i++)
            direction[i] = vt_random_normal(&w->random);
        for (size_t row = 0; row < w->count; row++) {
            double along = 2 * vt_random_normal(&w->random);
            for (size_t i = 0; i < w->dim; i++)
                w->rows[row * w->dim + i] =
                    (float)(along * direction[i] + 0.02 * vt_random_normal(&w->random));
        }
        find_and_check(w);
        assert_true(cosine_of(w->axes, direction, w->dim) > 1 - 1e-5);
        assert_true(w->shares[0] > 0.999F);
    }
}

/* Axes do not hang on how long rows are: the same bits, as far as f32 holds their squares. */
static void test_lengths(void **state)
{
    (void)state;
    static float axes[12 * 24], shares[12];
    for (int exponent = 0; exponent <= 30; exponent += 10)
        for (int sign = -1; sign <= 1; sign += 2) {
            world *w = world_make(200, 24, 12, 3);
            rows_fill(w, 5, 0.7, 0.1);
            for (size_t i = 0; i < w->count * w->dim; i++)
                w->rows[i] = ldexpf(w->rows[i], sign * exponent);
            find_and_check(w);
            if (exponent == 0) {
                memcpy(axes, w->axes, sizeof axes);
                memcpy(shares, w->shares, sizeof shares);
            }
            assert_memory_equal(w->axes, axes, sizeof axes);
            assert_memory_equal(w->shares, shares, sizeof shares);
        }
}

/* ---- beside eigenvectors ---- */

enum { EIGEN_DIM = 24 };

/* shares: (dim), what parts lie along the eigenvectors. */
static void eigen_shares(const world *w, double *shares)
{
    static double moments[EIGEN_DIM * EIGEN_DIM], vectors[EIGEN_DIM * EIGEN_DIM];
    const size_t dim = w->dim;
    double all = 0;
    memset(moments, 0, sizeof moments);
    for (size_t row = 0; row < w->count; row++)
        for (size_t i = 0; i < dim; i++)
            for (size_t j = 0; j < dim; j++)
                moments[i * dim + j] +=
                    (double)w->rows[row * dim + i] * (double)w->rows[row * dim + j];
    for (size_t i = 0; i < dim; i++)
        all += moments[i * dim + i];
    assert_true(vt_eigen_symmetric(moments, dim, shares, vectors));
    for (size_t i = 0; i < dim; i++)
        shares[i] /= all;
}

static void test_beside_eigenvectors(void **state)
{
    (void)state;
    enum { CASES = 240 };
    static const double noises[] = {1, 0.3, 0.1, 0.05, 0.01};
    double means[EIGEN_DIM] = {0};
    size_t cases[EIGEN_DIM] = {0};
    for (size_t seed = 1; seed <= CASES; seed++) {
        const size_t rank = 1 + seed % 12, wanted = 1 + seed * 7 % EIGEN_DIM;
        world *w = world_make(20 + seed, EIGEN_DIM, wanted, seed);
        double best[EIGEN_DIM], most = 0;
        rows_fill(w, rank, 0.5 + 0.1 * (double)(seed / 12 % 6), noises[seed % 5]);
        find_and_check(w);
        eigen_shares(w, best);
        for (size_t k = 1; k <= wanted; k++) {
            most += best[k - 1];
            double part = shares_sum(w, k) / most;
            if (part > 1 + 1e-5 || ((k >= rank || k == wanted) && part < 0.97))
                fail_msg("case %zu, rank %zu: the first %zu of %zu axes hold %.4f of what they can",
                         seed, rank, k, wanted, part);
            means[k - 1] += part;
            cases[k - 1]++;
        }
    }
    for (size_t k = 0; k < EIGEN_DIM; k++)
        assert_true(cases[k] >= CASES / EIGEN_DIM && means[k] / (double)cases[k] >= 0.97);
}

/* ---- failing ---- */

/* Out of memory at any point: nothing is left behind, and nothing is handed out. */
static void test_memory(void **state)
{
    (void)state;
    world *w = world_make(30, 24, 5, 4);
    rows_fill(w, 3, 0.7, 0.1);
    vt_status status = VT_ERR_NO_MEMORY;
    int64_t successes = 0;
    for (; status != VT_OK; successes++) {
        assert_true(successes < 100);
        vt_error error = {.status = VT_OK};
        w->axes[0] = w->shares[0] = w->skew = 7.0F;
        vt_mem_fail_after(successes);
        status = vt_axes_find(w->rows, w->count, w->dim, w->wanted, w->axes, w->shares, &w->skew,
                              &error);
        vt_mem_fail_after(-1);
        assert_int_equal(error.status, status);
        assert_true(status == VT_OK || (status == VT_ERR_NO_MEMORY && w->axes[0] == 7.0F &&
                                        w->shares[0] == 7.0F && w->skew == 7.0F));
    }
    assert_true(successes > 1);
    check(w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_shapes),
        cmocka_unit_test(test_low_rank),
        cmocka_unit_test(test_as_many_as_dimensions),
        cmocka_unit_test(test_rows_all_zero),
        cmocka_unit_test(test_one_row),
        cmocka_unit_test(test_dominant_direction),
        cmocka_unit_test(test_lengths),
        cmocka_unit_test(test_beside_eigenvectors),
        cmocka_unit_test(test_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
