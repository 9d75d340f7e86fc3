/* SPDX-License-Identifier: Apache-2.0 */
/* Threads: they run, take no signals, and are cleaned up. */
#include "base/thread.h"
#include "support/scratch.h"

#include <pthread.h>
#include <signal.h>
#include <sys/resource.h>
#include <unistd.h>

typedef struct witness {
    pthread_t self;
    bool blocked;
} witness;

static void look_around(void *context)
{
    witness *w = context;
    w->self = pthread_self();
    sigset_t set;
    pthread_sigmask(SIG_SETMASK, NULL, &set);
    w->blocked = sigismember(&set, SIGINT) == 1 && sigismember(&set, SIGTERM) == 1;
}

static void test_runs_elsewhere(void **state)
{
    (void)state;
    sigset_t before, after;
    pthread_sigmask(SIG_SETMASK, NULL, &before);
    witness w = {0};
    vt_thread *thread = NULL;
    assert_int_equal(
        vt_thread_start("a name much longer than the limit", look_around, &w, &thread, NULL),
        VT_OK);
    vt_thread_join(thread);
    assert_false(pthread_equal(w.self, pthread_self()));
    assert_true(w.blocked);
    pthread_sigmask(SIG_SETMASK, NULL, &after);
    assert_int_equal(sigismember(&before, SIGINT), sigismember(&after, SIGINT));
    vt_thread_join(NULL);
}

static int nice_now(void)
{
    return getpriority(PRIO_PROCESS, (id_t)gettid());
}

static void note_nice(void *context)
{
    *(int *)context = nice_now();
}

static void step_back(void *context)
{
    int *values = context;
    vt_thread *child = NULL;
    vt_thread_lower(3);
    values[0] = nice_now();
    if (vt_thread_start("child", note_nice, &values[1], &child, NULL) == VT_OK)
        vt_thread_join(child);
}

/* The thread and those that it starts, nobody else. */
static void test_steps_back_alone(void **state)
{
    (void)state;
    int before = nice_now(), values[2] = {-100, -100};
    int wanted = before + 3 < 19 ? before + 3 : 19;
    vt_thread *thread = NULL;
    assert_int_equal(vt_thread_start("back", step_back, values, &thread, NULL), VT_OK);
    vt_thread_join(thread);
    assert_int_equal(values[0], wanted);
    assert_int_equal(values[1], wanted);
    assert_int_equal(nice_now(), before);
}

static void test_allocation_failure(void **state)
{
    (void)state;
    vt_thread *thread = NULL;
    witness w;
    vt_mem_fail_after(0);
    assert_int_equal(vt_thread_start("x", look_around, &w, &thread, NULL), VT_ERR_NO_MEMORY);
    vt_mem_fail_after(-1);
    assert_null(thread);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_runs_elsewhere),
        cmocka_unit_test(test_steps_back_alone),
        cmocka_unit_test(test_allocation_failure),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
