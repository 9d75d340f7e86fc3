/* SPDX-License-Identifier: Apache-2.0 */
/* Threads: they run, take no signals, and are cleaned up. */
#include "base/thread.h"
#include "support/scratch.h"

#include <pthread.h>
#include <signal.h>

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
        cmocka_unit_test(test_allocation_failure),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
