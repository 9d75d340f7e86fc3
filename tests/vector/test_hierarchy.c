/* SPDX-License-Identifier: Apache-2.0 */
/* Hierarchical clustering against joining the two nearest groups, over and over, by definition. */
#include "vector/hierarchy.h"

#include "base/mem.h"
#include "base/random.h"
#include "vector/distance.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

enum { MOST_ROWS = 120, MOST_DIM = 24 };
static float rows[MOST_ROWS * MOST_DIM];

typedef struct naive {
    size_t count, dim;
    vt_linkage linkage;
    const uint32_t *weights;
    uint32_t labels[MOST_ROWS]; /* lowest row of the group */
    float heights[MOST_ROWS];   /* of the joins */
} naive;

static double weight_of(const naive *n, size_t row)
{
    return n->weights != NULL ? n->weights[row] : 1;
}

static double product(const naive *n, size_t a, size_t b)
{
    double sum = 0;
    for (size_t d = 0; d < n->dim; d++)
        sum += (double)rows[a * n->dim + d] * (double)rows[b * n->dim + d];
    return sum;
}

/* Ward's, from the means themselves. */
static double ward(const naive *n, uint32_t a, uint32_t b)
{
    double mean[2][MOST_DIM] = {{0}}, weight[2] = {0}, square = 0;
    for (size_t i = 0; i < n->count; i++) {
        if (n->labels[i] != a && n->labels[i] != b)
            continue;
        int side = n->labels[i] == b;
        weight[side] += weight_of(n, i);
        for (size_t d = 0; d < n->dim; d++)
            mean[side][d] += weight_of(n, i) * (double)rows[i * n->dim + d];
    }
    for (size_t d = 0; d < n->dim; d++) {
        double between = mean[0][d] / weight[0] - mean[1][d] / weight[1];
        square += between * between;
    }
    return sqrt(2 * weight[0] * weight[1] / (weight[0] + weight[1]) * square);
}

/* By definition, over all pairs of rows. */
static double between(const naive *n, uint32_t a, uint32_t b)
{
    double sum = 0, pairs = 0, most = -INFINITY;
    if (n->linkage == VT_LINKAGE_WARD)
        return ward(n, a, b);
    for (size_t i = 0; i < n->count; i++)
        for (size_t j = 0; n->labels[i] == a && j < n->count; j++) {
            if (n->labels[j] != b)
                continue;
            double both = weight_of(n, i) * weight_of(n, j), distance = 1 - product(n, i, j);
            sum += both * distance;
            pairs += both;
            most = distance > most ? distance : most;
        }
    return n->linkage == VT_LINKAGE_AVERAGE ? sum / pairs : most;
}

/* Joins the two nearest; their height. */
static double join_nearest(naive *n)
{
    double least = INFINITY;
    uint32_t best[2] = {0, 0};
    for (uint32_t a = 0; a < n->count; a++)
        for (uint32_t b = a + 1; n->labels[a] == a && b < n->count; b++) {
            double distance = n->labels[b] == b ? between(n, a, b) : INFINITY;
            if (distance < least) {
                least = distance;
                best[0] = a;
                best[1] = b;
            }
        }
    for (size_t i = 0; i < n->count; i++)
        n->labels[i] = n->labels[i] == best[1] ? best[0] : n->labels[i];
    return least;
}

static bool same_groups(const uint32_t *a, const uint32_t *b, size_t count)
{
    for (size_t i = 0; i < count; i++)
        for (size_t j = 0; j < i; j++)
            if ((a[i] == a[j]) != (b[i] == b[j]))
                return false;
    return true;
}

static vt_hierarchy *grow(const naive *n, vt_pool *pool)
{
    vt_error error = {0};
    vt_hierarchy *tree = NULL;
    vt_hierarchy_options options = vt_hierarchy_options_defaults();
    options.linkage = n->linkage;
    options.weights = n->weights;
    options.pool = pool;
    if (vt_hierarchy_new(rows, n->count, n->dim, &options, &tree, &error) != VT_OK)
        fail_msg("%s", error.message);
    return tree;
}

static void validate(const vt_hierarchy *tree, const uint32_t *weights)
{
    bool used[2 * MOST_ROWS] = {false};
    uint64_t all = 0;
    for (size_t i = 0; i < tree->count; i++)
        all += weights != NULL ? weights[i] : 1;
    for (size_t i = 0; i + 1 < tree->count; i++) {
        const vt_join *join = &tree->joins[i];
        assert_true(join->left < join->right && join->right < tree->count + i);
        assert_false(used[join->left] || used[join->right]);
        used[join->left] = used[join->right] = true;
        assert_true(i == 0 || join->height >= tree->joins[i - 1].height);
    }
    if (tree->count > 1)
        assert_int_equal(tree->joins[tree->count - 2].weight, all);
}

static void fill(vt_random *random, size_t count, size_t dim, bool unit)
{
    for (size_t i = 0; i < count * dim; i++)
        rows[i] = (float)vt_random_normal(random);
    for (size_t i = 0; unit && i < count; i++)
        assert_true(vt_vector_normalize(rows + i * dim, dim));
}

static void compare_with_naive(naive *n, vt_pool *pool)
{
    uint32_t labels[MOST_ROWS];
    vt_hierarchy *tree = grow(n, pool);
    validate(tree, n->weights);
    for (size_t i = 0; i < n->count; i++)
        n->labels[i] = (uint32_t)i;
    for (size_t i = 0; i + 1 < n->count; i++) {
        double height = join_nearest(n);
        if (fabs((double)tree->joins[i].height - height) > 1e-4 * (1 + fabs(height)))
            fail_msg("join %zu of %zu at %g instead of %g", i, n->count,
                     (double)tree->joins[i].height, height);
        size_t groups = vt_hierarchy_cut_count(tree, n->count - i - 1, labels);
        assert_int_equal(groups, n->count - i - 1);
        assert_true(same_groups(labels, n->labels, n->count));
    }
    vt_hierarchy_free(tree);
}

static void against_the_definition(void **state)
{
    (void)state;
    vt_random random;
    vt_pool *pool = NULL;
    uint32_t weights[MOST_ROWS];
    vt_random_init(&random, 3);
    assert_int_equal(vt_pool_new(2, &pool, NULL), VT_OK);
    for (int round = 0; round < 36; round++) {
        naive n = {.count = 1 + vt_random_below(&random, 50),
                   .dim = 2 + vt_random_below(&random, MOST_DIM - 2),
                   .linkage = (vt_linkage)(round % 3)};
        for (size_t i = 0; i < n.count; i++)
            weights[i] = 1 + (uint32_t)vt_random_below(&random, 9);
        n.weights = round % 2 == 0 ? weights : NULL;
        fill(&random, n.count, n.dim, round % 4 < 2);
        compare_with_naive(&n, round % 5 == 0 ? pool : NULL);
    }
    vt_pool_free(pool);
}

/* A mean that stands for its rows gives the same average linkage as the rows. */
static void means_stand_for_rows(void **state)
{
    (void)state;
    enum { ROWS = 40, DIM = 8, PER_MEAN = 4, MEANS = ROWS / PER_MEAN };
    vt_random random;
    vt_random_init(&random, 4);
    fill(&random, ROWS, DIM, true);
    naive n = {.count = ROWS, .dim = DIM};
    for (size_t i = 0; i < ROWS; i++)
        n.labels[i] = (uint32_t)(i - i % PER_MEAN);
    double heights[MEANS];
    for (size_t i = 0; i + 1 < MEANS; i++)
        heights[i] = join_nearest(&n);
    uint32_t weights[MEANS];
    for (size_t j = 0; j < MEANS; j++) {
        weights[j] = PER_MEAN;
        for (size_t d = 0; d < DIM; d++) {
            float sum = 0;
            for (size_t i = 0; i < PER_MEAN; i++)
                sum += rows[(j * PER_MEAN + i) * DIM + d];
            rows[j * DIM + d] = sum / PER_MEAN;
        }
    }
    naive means = {.count = MEANS, .dim = DIM, .weights = weights};
    vt_hierarchy *tree = grow(&means, NULL);
    validate(tree, weights);
    for (size_t i = 0; i + 1 < MEANS; i++)
        assert_true(fabs((double)tree->joins[i].height - heights[i]) < 1e-5);
    vt_hierarchy_free(tree);
}

static void degenerate_rows(void **state)
{
    (void)state;
    uint32_t labels[MOST_ROWS];
    for (int linkage = 0; linkage < 3; linkage++) {
        for (int kind = 0; kind < 3; kind++) { /* zero, equal, few different ones */
            naive n = {.count = MOST_ROWS, .dim = 4, .linkage = (vt_linkage)linkage};
            memset(rows, 0, sizeof rows);
            for (size_t i = 0; kind > 0 && i < MOST_ROWS; i++)
                rows[i * 4 + (kind == 1 ? 0 : i % 3)] = 1;
            vt_hierarchy *tree = grow(&n, NULL);
            validate(tree, NULL);
            assert_int_equal(vt_hierarchy_cut_count(tree, 1, labels), 1);
            assert_int_equal(vt_hierarchy_cut_count(tree, 0, labels), 1);
            assert_int_equal(vt_hierarchy_cut_count(tree, 1000, labels), MOST_ROWS);
            assert_int_equal(labels[MOST_ROWS - 1], MOST_ROWS - 1);
            size_t groups = vt_hierarchy_cut_height(tree, 0.01F, labels);
            size_t want = kind == 2 ? 3 : kind == 1 || linkage == VT_LINKAGE_WARD ? 1 : MOST_ROWS;
            assert_int_equal(groups, want);
            for (size_t i = 0; kind == 2 && i < MOST_ROWS; i++)
                assert_int_equal(labels[i], i % 3);
            vt_hierarchy_free(tree);
        }
    }
}

static void cuts_by_height_hold(void **state)
{
    (void)state;
    vt_random random;
    uint32_t labels[MOST_ROWS];
    vt_random_init(&random, 13);
    fill(&random, MOST_ROWS, 6, true);
    naive n = {.count = MOST_ROWS, .dim = 6, .linkage = VT_LINKAGE_COMPLETE};
    vt_hierarchy *tree = grow(&n, NULL);
    for (float height = 0; height < 2; height += 0.1F) {
        vt_hierarchy_cut_height(tree, height, labels);
        for (size_t i = 0; i < MOST_ROWS; i++)
            for (size_t j = 0; j < i; j++)
                if (labels[i] == labels[j])
                    assert_true(1 - product(&n, i, j) <= (double)height + 1e-5);
    }
    vt_hierarchy_free(tree);
}

static bool stop(void *context, uint64_t done, uint64_t total)
{
    (void)context;
    assert_true(done <= total);
    return done < 64;
}

static void mistakes_and_cancelling(void **state)
{
    (void)state;
    vt_error error = {0};
    vt_hierarchy *tree = NULL;
    vt_hierarchy_options options = vt_hierarchy_options_defaults();
    memset(rows, 0, sizeof rows);
    rows[9] = NAN;
    assert_int_equal(vt_hierarchy_new(rows, 20, 4, &options, &tree, &error), VT_ERR_USAGE);
    assert_non_null(strstr(error.message, "row 2"));
    rows[9] = 0;
    assert_int_equal(vt_hierarchy_new(rows, 0, 4, &options, &tree, NULL), VT_ERR_USAGE);
    assert_int_equal(vt_hierarchy_new(rows, VT_HIERARCHY_MAX_COUNT + 1, 4, &options, &tree, NULL),
                     VT_ERR_LIMIT);
    uint32_t weights[20] = {1, 0};
    options.weights = weights;
    assert_int_equal(vt_hierarchy_new(rows, 20, 4, &options, &tree, NULL), VT_ERR_USAGE);
    options.weights = NULL;
    options.on_progress = stop;
    assert_int_equal(vt_hierarchy_new(rows, MOST_ROWS, 4, &options, &tree, NULL), VT_ERR_CANCELLED);
    options.on_progress = NULL;
    vt_status status = VT_ERR_NO_MEMORY;
    for (int64_t allowed = 0; status == VT_ERR_NO_MEMORY; allowed++) {
        vt_mem_fail_after(allowed);
        status = vt_hierarchy_new(rows, 20, 4, &options, &tree, NULL);
        vt_mem_fail_after(-1);
    }
    assert_int_equal(status, VT_OK);
    vt_hierarchy_free(tree);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(against_the_definition),  cmocka_unit_test(means_stand_for_rows),
        cmocka_unit_test(degenerate_rows),         cmocka_unit_test(cuts_by_height_hold),
        cmocka_unit_test(mistakes_and_cancelling),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
