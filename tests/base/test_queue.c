/* SPDX-License-Identifier: Apache-2.0 */
/* The queue: order, closing while someone waits at either end, many pushers and takers. */
#include "base/thread.h"
#include "support/scratch.h"

#include <stdatomic.h>
#include <time.h>

static vt_queue *queue_of(size_t capacity)
{
    vt_queue *queue = NULL;
    assert_int_equal(vt_queue_new(capacity, &queue, NULL), VT_OK);
    return queue;
}

static void test_order(void **state)
{
    (void)state;
    int items[7];
    for (size_t capacity = 1; capacity <= 7; capacity++) {
        vt_queue *queue = queue_of(capacity);
        for (int round = 0; round < 20; round++) {
            size_t count = 1 + (size_t)round % capacity; /* the ring's ends wander */
            for (size_t i = 0; i < count; i++)
                assert_true(vt_queue_push(queue, &items[i]));
            for (size_t i = 0; i < count; i++)
                assert_ptr_equal(vt_queue_take(queue), &items[i]);
        }
        vt_queue_free(queue);
    }
}

static void test_close_keeps_what_is_inside(void **state)
{
    (void)state;
    int a, b;
    vt_queue *queue = queue_of(4);
    vt_queue_push(queue, &a);
    vt_queue_push(queue, &b);
    vt_queue_close(queue);
    vt_queue_close(queue);
    assert_false(vt_queue_push(queue, &a));
    assert_ptr_equal(vt_queue_take(queue), &a);
    assert_ptr_equal(vt_queue_take(queue), &b);
    assert_null(vt_queue_take(queue));
    assert_null(vt_queue_take(queue));
    vt_queue_free(queue);
    vt_queue_free(NULL);
}

static void test_bad_capacity(void **state)
{
    (void)state;
    vt_queue *queue = NULL;
    assert_int_equal(vt_queue_new(0, &queue, NULL), VT_ERR_USAGE);
    assert_int_equal(vt_queue_new(SIZE_MAX, &queue, NULL), VT_ERR_NO_MEMORY);
    assert_int_equal(vt_queue_new(SIZE_MAX / 8, &queue, NULL), VT_ERR_NO_MEMORY);
    vt_mem_fail_after(0);
    assert_int_equal(vt_queue_new(1, &queue, NULL), VT_ERR_NO_MEMORY);
    vt_mem_fail_after(-1);
    assert_null(queue);
}

typedef struct line {
    vt_queue *queue;
    atomic_int pushed, taken, refused;
    atomic_llong sum;
} line;

static void push_many(void *context)
{
    line *l = context;
    for (intptr_t i = 1; i <= 2000; i++)
        if (vt_queue_push(l->queue, (void *)i))
            atomic_fetch_add(&l->pushed, 1);
        else
            atomic_fetch_add(&l->refused, 1);
}

static void take_all(void *context)
{
    line *l = context;
    void *item;
    while ((item = vt_queue_take(l->queue)) != NULL) {
        atomic_fetch_add(&l->taken, 1);
        atomic_fetch_add(&l->sum, (intptr_t)item);
    }
}

static void threads_start(vt_thread **threads, int count, void (*run)(void *), line *l)
{
    for (int i = 0; i < count; i++)
        assert_int_equal(vt_thread_start("test", run, l, &threads[i], NULL), VT_OK);
}

static void threads_join(vt_thread **threads, int count)
{
    for (int i = 0; i < count; i++)
        vt_thread_join(threads[i]);
}

static void test_many_threads(void **state)
{
    (void)state;
    line l = {.queue = queue_of(3)};
    vt_thread *pushers[3], *takers[3];
    threads_start(takers, 3, take_all, &l);
    threads_start(pushers, 3, push_many, &l);
    threads_join(pushers, 3);
    vt_queue_close(l.queue);
    threads_join(takers, 3);
    assert_int_equal(atomic_load(&l.pushed), 6000);
    assert_int_equal(atomic_load(&l.taken), 6000);
    assert_int_equal(atomic_load(&l.refused), 0);
    assert_true(atomic_load(&l.sum) == 3LL * 2000 * 2001 / 2);
    vt_queue_free(l.queue);
}

static void short_pause(void)
{
    struct timespec pause = {.tv_nsec = 20000000};
    nanosleep(&pause, NULL);
}

/* Takers that wait for something, and pushers that wait for room, all end when the queue closes. */
static void test_close_wakes_takers(void **state)
{
    (void)state;
    line l = {.queue = queue_of(2)};
    vt_thread *takers[3];
    threads_start(takers, 3, take_all, &l);
    short_pause();
    vt_queue_close(l.queue);
    threads_join(takers, 3);
    assert_int_equal(atomic_load(&l.taken), 0);
    vt_queue_free(l.queue);
}

static void test_close_wakes_pushers(void **state)
{
    (void)state;
    line l = {.queue = queue_of(5)};
    vt_thread *pushers[3];
    threads_start(pushers, 3, push_many, &l);
    while (atomic_load(&l.pushed) < 5)
        short_pause();
    vt_queue_close(l.queue);
    threads_join(pushers, 3);
    assert_int_equal(atomic_load(&l.pushed), 5);
    assert_int_equal(atomic_load(&l.refused), 6000 - 5);
    take_all(&l);
    assert_int_equal(atomic_load(&l.taken), 5);
    vt_queue_free(l.queue);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_order),
        cmocka_unit_test(test_close_keeps_what_is_inside),
        cmocka_unit_test(test_bad_capacity),
        cmocka_unit_test(test_many_threads),
        cmocka_unit_test(test_close_wakes_takers),
        cmocka_unit_test(test_close_wakes_pushers),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
