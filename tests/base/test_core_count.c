/* SPDX-License-Identifier: Apache-2.0 */
/* Core counting: affinity of this process, quotas from files made here. */
#include "base/file.h"
#include "base/thread.h"
#include "support/scratch.h"

#include <sched.h>

static void test_within_machine(void **state)
{
    (void)state;
    long online = sysconf(_SC_NPROCESSORS_CONF);
    int cores = vt_core_count();
    assert_true(cores >= 1);
    assert_true(cores <= online);
}

static void test_affinity(void **state)
{
    (void)state;
    cpu_set_t before, one;
    assert_int_equal(sched_getaffinity(0, sizeof before, &before), 0);
    CPU_ZERO(&one);
    for (size_t i = 0; i < CPU_SETSIZE; i++)
        if (CPU_ISSET(i, &before)) {
            CPU_SET(i, &one);
            break;
        }
    assert_int_equal(sched_setaffinity(0, sizeof one, &one), 0);
    assert_int_equal(vt_core_count(), 1);
    assert_int_equal(sched_setaffinity(0, sizeof before, &before), 0);
}

static int quota(scratch *s, const char *groups)
{
    scratch_write(s, "groups", groups, strlen(groups));
    char list[SCRATCH_PATH_BYTES];
    snprintf(list, sizeof list, "%s", scratch_path(s, "groups"));
    return vt_core_quota(list, s->root);
}

static void cpu_max_write(scratch *s, const char *group, const char *text)
{
    char name[128];
    assert_int_equal(vt_dir_make(scratch_path(s, group), NULL), VT_OK);
    snprintf(name, sizeof name, "%s/cpu.max", group);
    scratch_write(s, name, text, strlen(text));
}

static void test_quota(void **state)
{
    scratch *s = *state;
    assert_int_equal(quota(s, "0::/a/b\n"), 0); /* no files at all */
    cpu_max_write(s, "a/b", "150000 100000\n");
    assert_int_equal(quota(s, "0::/a/b\n"), 2); /* rounded up */
    assert_int_equal(quota(s, "12:cpu,cpuacct:/x\n0::/a/b\n"), 2);
    assert_int_equal(quota(s, "0::/a"), 0);
    cpu_max_write(s, "a/b", "400000 100000\n");
    cpu_max_write(s, "a", "max 100000\n");
    assert_int_equal(quota(s, "0::/a/b\n"), 4);
    cpu_max_write(s, "a", "300000 100000\n"); /* an ancestor binds */
    assert_int_equal(quota(s, "0::/a/b\n"), 3);
    cpu_max_write(s, "", "10000 100000\n"); /* so does the root; a tenth is one */
    assert_int_equal(quota(s, "0::/a/b\n"), 1);
    assert_int_equal(quota(s, "0::/\n"), 1);
}

static void test_quota_malformed(void **state)
{
    static const char *const bad[] = {"",
                                      "max",
                                      "100000",
                                      "-5 100000",
                                      "5 0",
                                      "a b",
                                      "1e5 1",
                                      "100000 ",
                                      " 1 2",
                                      "0 100000",
                                      "99999999999999999999 1",
                                      "1 2 3"};
    scratch *s = *state;
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        cpu_max_write(s, "g", bad[i]);
        if (quota(s, "0::/g\n") != 0)
            fail_msg("\"%s\" counted", bad[i]);
    }
    cpu_max_write(s, "g", "100000 100000\n");
    assert_int_equal(quota(s, ""), 0);
    assert_int_equal(quota(s, "1:cpu:/g\n"), 0);
    assert_int_equal(quota(s, "10::/g\n"), 0);
    assert_int_equal(quota(s, "0::g\n"), 0);
    assert_int_equal(vt_core_quota("/nonexistent", s->root), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_within_machine),
        cmocka_unit_test(test_affinity),
        cmocka_unit_test_setup_teardown(test_quota, scratch_setup, scratch_teardown),
        cmocka_unit_test_setup_teardown(test_quota_malformed, scratch_setup, scratch_teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
