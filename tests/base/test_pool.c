/* SPDX-License-Identifier: Apache-2.0 */
/* The pool: every index once, nesting, several callers, freeing, failing to start. */
#include "base/thread.h"
#include "support/scratch.h"

#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>

typedef struct tally {
    vt_pool *pool;
    atomic_int *counts;
    size_t inner;
    atomic_size_t total;
} tally;

static void count_one(void *context, size_t index)
{
    tally *t = context;
    atomic_fetch_add(&t->counts[index], 1);
}

static vt_pool *pool_of(int threads)
{
    vt_pool *pool = NULL;
    assert_int_equal(vt_pool_new(threads, &pool, NULL), VT_OK);
    return pool;
}

static void test_every_index_once(void **state)
{
    (void)state;
    static const size_t sizes[] = {0, 1, 2, 3, 7, 100, 10001};
    for (int threads = 0; threads <= 5; threads++) {
        vt_pool *pool = pool_of(threads);
        assert_int_equal(vt_pool_threads(pool), threads > 0 ? threads : vt_core_count());
        for (size_t s = 0; s < sizeof sizes / sizeof sizes[0]; s++) {
            tally t = {.counts = test_calloc(sizes[s] + 1, sizeof(atomic_int))};
            vt_pool_for(pool, sizes[s], count_one, &t);
            for (size_t i = 0; i < sizes[s]; i++)
                assert_int_equal(atomic_load(&t.counts[i]), 1);
            assert_int_equal(atomic_load(&t.counts[sizes[s]]), 0);
            test_free(t.counts);
        }
        vt_pool_free(pool);
    }
}

static void test_without_pool(void **state)
{
    (void)state;
    tally t = {.counts = test_calloc(10, sizeof(atomic_int))};
    vt_pool_for(NULL, 10, count_one, &t);
    for (int i = 0; i < 10; i++)
        assert_int_equal(atomic_load(&t.counts[i]), 1);
    assert_int_equal(vt_pool_threads(NULL), 1);
    vt_pool_free(NULL);
    test_free(t.counts);
}

static void add_one(void *context, size_t index)
{
    (void)index;
    atomic_fetch_add(&((tally *)context)->total, 1);
}

static void nest_once(void *context, size_t index)
{
    tally *t = context;
    (void)index;
    vt_pool_for(t->pool, t->inner, add_one, t);
}

static void nest_twice(void *context, size_t index)
{
    tally *t = context;
    (void)index;
    vt_pool_for(t->pool, 5, nest_once, t);
}

static void test_nesting(void **state)
{
    (void)state;
    for (int threads = 1; threads <= 4; threads++) {
        tally t = {.pool = pool_of(threads), .inner = 20};
        for (int round = 0; round < 20; round++)
            vt_pool_for(t.pool, 6, nest_twice, &t);
        assert_int_equal(atomic_load(&t.total), 20 * 6 * 5 * 20);
        vt_pool_free(t.pool);
    }
}

static void *call_from_thread(void *context)
{
    for (int round = 0; round < 50; round++)
        nest_once(context, 0);
    return NULL;
}

static void test_several_callers(void **state)
{
    (void)state;
    tally t = {.pool = pool_of(3), .inner = 30};
    pthread_t callers[4];
    for (int i = 0; i < 4; i++)
        assert_int_equal(pthread_create(&callers[i], NULL, call_from_thread, &t), 0);
    for (int i = 0; i < 4; i++)
        pthread_join(callers[i], NULL);
    assert_int_equal(atomic_load(&t.total), 4 * 50 * 30);
    vt_pool_free(t.pool);
}

/* Two indices that wait for each other end only if two threads run them at the same time. */
static void meet(void *context, size_t index)
{
    tally *t = context;
    (void)index;
    atomic_fetch_add(&t->total, 1);
    while (atomic_load(&t->total) < 2)
        sched_yield();
}

static void test_is_parallel(void **state)
{
    (void)state;
    tally t = {.pool = pool_of(2)};
    vt_pool_for(t.pool, 2, meet, &t);
    assert_int_equal(atomic_load(&t.total), 2);
    vt_pool_free(t.pool);
}

/* What the loop wrote with plain stores is seen by the caller afterwards (a race is TSan's to see).
 */
static void square(void *context, size_t index)
{
    ((size_t *)context)[index] = index * index;
}

static void test_results_are_visible(void **state)
{
    (void)state;
    vt_pool *pool = pool_of(4);
    size_t squares[1000];
    for (int round = 0; round < 50; round++) {
        memset(squares, 0, sizeof squares);
        vt_pool_for(pool, 1000, square, squares);
        for (size_t i = 0; i < 1000; i++)
            assert_int_equal(squares[i], i * i);
    }
    vt_pool_free(pool);
}

static atomic_bool entered;

static void linger(void *context, size_t index)
{
    (void)index;
    atomic_store(&entered, true);
    for (int i = 0; i < 2000; i++)
        sched_yield();
    atomic_fetch_add(&((tally *)context)->total, 1);
}

static void *linger_from_thread(void *context)
{
    vt_pool_for(((tally *)context)->pool, 8, linger, context);
    return NULL;
}

static void test_free_waits(void **state)
{
    (void)state;
    tally t = {.pool = pool_of(3)};
    pthread_t caller;
    assert_int_equal(pthread_create(&caller, NULL, linger_from_thread, &t), 0);
    while (!atomic_load(&entered))
        sched_yield();
    vt_pool_free(t.pool);
    assert_int_equal(atomic_load(&t.total), 8);
    pthread_join(caller, NULL);
}

static void test_many_threads_are_capped(void **state)
{
    (void)state;
    vt_pool *pool = NULL;
    vt_mem_fail_after(0);
    assert_int_equal(vt_pool_new(INT32_MAX, &pool, NULL), VT_ERR_NO_MEMORY);
    vt_mem_fail_after(-1);
    assert_null(pool);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_index_once), cmocka_unit_test(test_without_pool),
        cmocka_unit_test(test_nesting),          cmocka_unit_test(test_several_callers),
        cmocka_unit_test(test_is_parallel),      cmocka_unit_test(test_results_are_visible),
        cmocka_unit_test(test_free_waits),       cmocka_unit_test(test_many_threads_are_capped),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
