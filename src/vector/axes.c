/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Axes by orthogonal iteration (Golub and Van Loan, Matrix Computations, 4th edition, 8.2.4): some
 * directions at right angles are multiplied by the rows' second moments and made to stand at right
 * angles again, a few times. They need not become eigenvectors: whoever projects on them gains a
 * little less, and errs in nothing.
 */
#include "vector/axes.h"

#include "base/mem.h"
#include "base/random.h"
#include "vector/distance.h"

#include <math.h>
#include <string.h>

enum { ROUNDS = 8, SEED = 20 };

/* (dim, dim): sums over rows of products of their elements. */
static bool moments_make(const float *rows, size_t count, size_t dim, float *moments)
{
    float *turned = vt_alloc_array(dim * count, sizeof *turned);
    if (!turned)
        return false;
    for (size_t row = 0; row < count; row++)
        for (size_t i = 0; i < dim; i++)
            turned[i * count + row] = rows[row * dim + i];
    vt_distance()->dot_block_f32(turned, dim, turned, dim, count, moments);
    vt_free(turned);
    return true;
}

static double dot(const float *a, const float *b, size_t dim)
{
    double sum = 0;
    for (size_t i = 0; i < dim; i++)
        sum += (double)a[i] * (double)b[i];
    return sum;
}

/* Takes from an axis what lies along those before it: twice, since once leaves what rounding made
 * of it. False: nothing is left. */
static bool axis_straighten(float *axes, size_t number, size_t dim)
{
    float *axis = axes + number * dim;
    double before = dot(axis, axis, dim);
    for (int turn = 0; turn < 2; turn++)
        for (size_t other = 0; other < number; other++) {
            double along = dot(axis, axes + other * dim, dim);
            for (size_t i = 0; i < dim; i++)
                axis[i] = (float)((double)axis[i] - along * (double)axes[other * dim + i]);
        }
    double length = sqrt(dot(axis, axis, dim));
    if (!(length * length > 1e-9 * before))
        return false;
    for (size_t i = 0; i < dim; i++)
        axis[i] = (float)((double)axis[i] / length);
    return true;
}

static void axes_straighten(float *axes, size_t wanted, size_t dim, vt_random *random)
{
    for (size_t number = 0; number < wanted; number++)
        while (!axis_straighten(axes, number, dim))
            for (size_t i = 0; i < dim; i++)
                axes[number * dim + i] = (float)vt_random_normal(random);
}

/* The largest row sum of |axes . axes' - 1| bounds the norm. */
static float skew_of(const float *axes, size_t wanted, size_t dim)
{
    double worst = 0;
    for (size_t i = 0; i < wanted; i++) {
        double sum = 0;
        for (size_t j = 0; j < wanted; j++)
            sum += fabs(dot(axes + i * dim, axes + j * dim, dim) - (i == j));
        worst = fmax(worst, sum);
    }
    return (float)(worst * 1.001);
}

static void shares_make(const float *moments, const float *axes, size_t wanted, size_t dim,
                        float *turned, float *shares)
{
    double all = 0;
    for (size_t i = 0; i < dim; i++)
        all += (double)moments[i * dim + i];
    vt_distance()->dot_block_f32(axes, wanted, moments, dim, dim, turned);
    for (size_t number = 0; number < wanted; number++) {
        double along = dot(turned + number * dim, axes + number * dim, dim);
        shares[number] = all > 0 ? (float)(along / all) : 0.0f;
    }
}

vt_status vt_axes_find(const float *rows, size_t count, size_t dim, size_t wanted, float *axes,
                       float *shares, float *skew, vt_error *error)
{
    float *moments = vt_alloc_array(dim * dim, sizeof *moments);
    float *turned = vt_alloc_array(wanted * dim, sizeof *turned);
    vt_random random;
    vt_random_init(&random, SEED);
    bool made = moments && turned && moments_make(rows, count, dim, moments);
    for (size_t i = 0; made && i < wanted * dim; i++)
        axes[i] = (float)vt_random_normal(&random);
    for (int round = 0; made && round < ROUNDS; round++) {
        axes_straighten(axes, wanted, dim, &random);
        vt_distance()->dot_block_f32(axes, wanted, moments, dim, dim, turned);
        memcpy(axes, turned, wanted * dim * sizeof *axes);
    }
    if (made) {
        axes_straighten(axes, wanted, dim, &random);
        shares_make(moments, axes, wanted, dim, turned, shares);
        *skew = skew_of(axes, wanted, dim);
    }
    vt_free(moments);
    vt_free(turned);
    return made ? VT_OK : vt_fail_memory(error, "the axes of vectors");
}
