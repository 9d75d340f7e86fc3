/* SPDX-License-Identifier: Apache-2.0 */
/* Time: forwards only, and about what the C library says. */
#include "base/clock.h"
#include "support/scratch.h"

#include <time.h>

static void test_monotonic(void **state)
{
    (void)state;
    double last = vt_clock_ms();
    for (int i = 0; i < 10000; i++) {
        double now = vt_clock_ms();
        assert_true(now >= last);
        last = now;
    }
    struct timespec pause = {.tv_nsec = 20000000};
    nanosleep(&pause, NULL);
    assert_true(vt_clock_ms() - last >= 20);
}

static void test_unix(void **state)
{
    (void)state;
    int64_t before = (int64_t)time(NULL);
    int64_t now_ms = vt_clock_unix_ms();
    int64_t after = (int64_t)time(NULL);
    /* time() reads a coarser clock, which may lag by a tick. */
    assert_true(now_ms / 1000 >= before && now_ms / 1000 <= after + 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_monotonic),
        cmocka_unit_test(test_unix),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
