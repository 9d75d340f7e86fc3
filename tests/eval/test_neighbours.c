/* SPDX-License-Identifier: Apache-2.0 */
#include "support/scratch.h"

#include "base/random.h"
#include "eval/neighbours.h"

enum { ROWS = 700, DIM = 5, K = 4 };

static void neighbours_are_the_nearest(void **state)
{
    (void)state;
    static float rows[ROWS * DIM], similarities[ROWS * K];
    static uint32_t ids[ROWS * K];
    vt_pool *pool;
    vt_random random;
    vt_random_init(&random, 3);
    for (int i = 0; i < ROWS * DIM; i++)
        rows[i] = (float)vt_random_int(&random, -3, 3); /* many ties */
    assert_int_equal(vt_pool_new(3, &pool, NULL), VT_OK);
    const vt_neighbours_plan plan = {rows, ROWS, rows, ROWS, DIM, K, true, pool, 0};
    assert_int_equal(vt_neighbours_find(&plan, ids, similarities, NULL), VT_OK);
    for (uint32_t q = 0; q < ROWS; q++) {
        bool used[ROWS] = {false};
        used[q] = true;
        for (int k = 0; k < K; k++) {
            float best = -1e9f;
            uint32_t who = 0;
            for (uint32_t r = 0; r < ROWS; r++) {
                float dot = 0;
                for (int d = 0; d < DIM; d++)
                    dot += rows[q * DIM + (uint32_t)d] * rows[r * DIM + (uint32_t)d];
                if (!used[r] && dot > best) {
                    best = dot;
                    who = r;
                }
            }
            used[who] = true;
            assert_int_equal(ids[q * K + (uint32_t)k], who);
            assert_float_equal(similarities[q * K + (uint32_t)k], best, 1e-4);
        }
    }
    /* A part of the queries leaves out the same rows. */
    uint32_t some[K * 5];
    vt_neighbours_plan part = plan;
    part.queries = rows + 7 * DIM;
    part.query_count = 5;
    part.self_first = 7;
    assert_int_equal(vt_neighbours_find(&part, some, NULL, NULL), VT_OK);
    assert_memory_equal(some, ids + 7 * K, sizeof(some));
    vt_pool_free(pool);
}

static void few_rows_give_few(void **state)
{
    (void)state;
    const float rows[2] = {1, 2};
    uint32_t ids[4];
    const vt_neighbours_plan plan = {rows, 2, rows, 2, 1, 2, true, NULL, 0};
    assert_int_equal(vt_neighbours_find(&plan, ids, NULL, NULL), VT_OK);
    assert_int_equal(ids[0], 1);
    assert_int_equal(ids[1], VT_NO_NEIGHBOUR);
    assert_int_equal(ids[2], 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(neighbours_are_the_nearest),
        cmocka_unit_test(few_rows_give_few),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
