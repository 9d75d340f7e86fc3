/* SPDX-License-Identifier: Apache-2.0 */
/* CPU levels: what the environment may lower. Each wish is asked in a process of its own, because
 * the answer is kept. */
#include "base/buf.h"
#include "base/cpu.h"
#include "support/scratch.h"

#include <sys/wait.h>

static int level_with(const char *wish)
{
    fflush(NULL);
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        if (wish)
            setenv("VITRINE_CPU", wish, 1);
        else
            unsetenv("VITRINE_CPU");
        _exit((int)vt_cpu() | (int)vt_cpu_detected() << 4);
    }
    int result;
    assert_int_equal(waitpid(child, &result, 0), child);
    assert_true(WIFEXITED(result));
    return WEXITSTATUS(result);
}

/* Must run first: nothing in this process has asked before. */
static void test_environment_lowers_only(void **state)
{
    (void)state;
    int machine = level_with(NULL) & 15;
    static const char *const names[] = {"scalar", "neon", "avx2", "avx512"};
    for (int wish = 0; wish < 4; wish++) {
        int answer = level_with(names[wish]);
        bool is_arm = machine == VT_CPU_NEON, wants_arm = wish == VT_CPU_NEON;
        bool granted = wish == VT_CPU_SCALAR || (wish <= machine && is_arm == wants_arm);
        assert_int_equal(answer & 15, granted ? wish : machine);
        assert_int_equal(answer >> 4, machine);
    }
    assert_int_equal(level_with("") & 15, machine);
    assert_int_equal(level_with("AVX2 ") & 15, machine);
    assert_int_equal(level_with("sse2") & 15, machine);
}

static bool flags_have(const char *flags, const char *name)
{
    char padded[64];
    snprintf(padded, sizeof padded, " %s ", name);
    return strstr(flags, padded) != NULL;
}

/* The kernel's own list of what the processor has is the other witness. */
static void test_detection_agrees_with_kernel(void **state)
{
    (void)state;
    FILE *file = fopen("/proc/cpuinfo", "r");
    if (!file)
        skip();
    char line[16384];
    bool found = false;
    while (!found && fgets(line, sizeof line, file))
        found = strncmp(line, "flags", 5) == 0 || strncmp(line, "Features", 8) == 0;
    fclose(file);
    if (!found)
        skip();
    line[strcspn(line, "\n")] = ' ';
    vt_cpu_level expected = VT_CPU_SCALAR;
    if (flags_have(line, "asimdhp"))
        expected = VT_CPU_NEON;
    if (flags_have(line, "avx2") && flags_have(line, "fma") && flags_have(line, "f16c"))
        expected = flags_have(line, "avx512f") && flags_have(line, "avx512bw") &&
                           flags_have(line, "avx512dq") && flags_have(line, "avx512vl")
                       ? VT_CPU_AVX512
                       : VT_CPU_AVX2;
    bool tiles = flags_have(line, "avx512_vnni") && flags_have(line, "amx_tile") &&
                 flags_have(line, "amx_int8");
    if (expected == VT_CPU_AVX512 && tiles && vt_cpu_detected() == VT_CPU_AMX)
        return; /* the system may refuse them */
    assert_int_equal(vt_cpu_detected(), expected);
}

static void test_supports(void **state)
{
    (void)state;
    assert_true(vt_cpu_supports(VT_CPU_SCALAR));
    assert_true(vt_cpu_supports(vt_cpu_detected()));
    assert_true(vt_cpu_supports(vt_cpu()));
    assert_false(vt_cpu_supports(VT_CPU_NEON) && vt_cpu_supports(VT_CPU_AVX2));
    if (vt_cpu_supports(VT_CPU_AVX512))
        assert_true(vt_cpu_supports(VT_CPU_AVX2));
    assert_false(vt_cpu_supports((vt_cpu_level)9));
    if (vt_cpu_supports(VT_CPU_AMX))
        assert_true(vt_cpu_supports(VT_CPU_AVX512));
    assert_string_equal(vt_cpu_name(VT_CPU_AVX2), "avx2");
    assert_string_equal(vt_cpu_name(VT_CPU_AMX), "amx");
    assert_string_equal(vt_cpu_name((vt_cpu_level)9), "unknown");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_environment_lowers_only),
        cmocka_unit_test(test_detection_agrees_with_kernel),
        cmocka_unit_test(test_supports),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
