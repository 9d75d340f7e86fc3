/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the processor can do.
 *
 * Method: the compiler's own feature test on x86-64 (it also asks the operating system whether it
 * saves the wide registers, XGETBV), plus one CPUID bit for F16C, which clang 14's test does not
 * know, and those of tiles, which Linux besides wants to be asked for before the first use
 * (Documentation/arch/x86/xstate.rst); the auxiliary vector on aarch64. Asked once.
 */
#include "base/cpu.h"

#include "base/buf.h"

#include <pthread.h>
#include <stdlib.h>

#if defined(__x86_64__)
#include <cpuid.h>
#if defined(__linux__)
#include <sys/syscall.h>
#include <unistd.h>
#endif
#elif defined(__aarch64__) && defined(__linux__)
#include <asm/hwcap.h>
#include <sys/auxv.h>
#endif

static pthread_once_t asked = PTHREAD_ONCE_INIT;
static vt_cpu_level detected;
static vt_cpu_level chosen;

#if defined(__x86_64__)
/* Of the process: threads that it has and will have. */
static bool tiles_granted(void)
{
#if defined(__linux__)
    enum { ARCH_REQUEST_STATE = 0x1023, STATE_TILES = 18 };
    return syscall(SYS_arch_prctl, ARCH_REQUEST_STATE, STATE_TILES) == 0;
#else
    return false;
#endif
}

static bool has_tiles(void)
{
    enum { CPUID7_EDX_AMX_TILE = 1 << 24, CPUID7_EDX_AMX_INT8 = 1 << 25 };
    enum { WANTED = CPUID7_EDX_AMX_TILE | CPUID7_EDX_AMX_INT8 };
    unsigned eax, ebx, ecx, edx;
    return __builtin_cpu_supports("avx512vnni") &&
           __get_cpuid_count(7, 0, &eax, &ebx, &ecx, &edx) && (edx & WANTED) == WANTED &&
           tiles_granted();
}

static vt_cpu_level detect(void)
{
    enum { CPUID1_ECX_F16C = 1 << 29 };
    unsigned eax, ebx, ecx, edx;
    __builtin_cpu_init();
    bool half = __get_cpuid(1, &eax, &ebx, &ecx, &edx) && (ecx & CPUID1_ECX_F16C);
    if (!half || !__builtin_cpu_supports("avx2") || !__builtin_cpu_supports("fma"))
        return VT_CPU_SCALAR;
    if (__builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
        __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl"))
        return has_tiles() ? VT_CPU_AMX : VT_CPU_AVX512;
    return VT_CPU_AVX2;
}
#elif defined(__aarch64__) && defined(__linux__)
static vt_cpu_level detect(void)
{
    return getauxval(AT_HWCAP) & HWCAP_ASIMDHP ? VT_CPU_NEON : VT_CPU_SCALAR;
}
#else
static vt_cpu_level detect(void)
{
    return VT_CPU_SCALAR;
}
#endif

static const char *const level_names[] = {
    [VT_CPU_SCALAR] = "scalar", [VT_CPU_NEON] = "neon", [VT_CPU_AVX2] = "avx2",
    [VT_CPU_AVX512] = "avx512", [VT_CPU_AMX] = "amx",
};

/* NEON is no lower level of an x86 machine, nor AVX2 of an ARM one. */
static bool level_within(vt_cpu_level level, vt_cpu_level machine)
{
    switch (level) {
    case VT_CPU_SCALAR:
        return true;
    case VT_CPU_NEON:
        return machine == VT_CPU_NEON;
    case VT_CPU_AVX2:
    case VT_CPU_AVX512:
    case VT_CPU_AMX:
        return machine >= level;
    }
    return false;
}

static void ask(void)
{
    detected = chosen = detect();
    const char *wish = getenv("VITRINE_CPU");
    for (int level = VT_CPU_SCALAR; wish && level <= VT_CPU_AMX; level++)
        if (vt_text_equal(wish, level_names[level]) && level_within((vt_cpu_level)level, detected))
            chosen = (vt_cpu_level)level;
}

vt_cpu_level vt_cpu_detected(void)
{
    pthread_once(&asked, ask);
    return detected;
}

vt_cpu_level vt_cpu(void)
{
    pthread_once(&asked, ask);
    return chosen;
}

bool vt_cpu_supports(vt_cpu_level level)
{
    return level_within(level, vt_cpu_detected());
}

vt_cpu_level vt_cpu_below(vt_cpu_level level)
{
    switch (level) {
    case VT_CPU_AMX:
        return VT_CPU_AVX512;
    case VT_CPU_AVX512:
        return VT_CPU_AVX2;
    default:
        return VT_CPU_SCALAR;
    }
}

const char *vt_cpu_name(vt_cpu_level level)
{
    return (unsigned)level <= VT_CPU_AMX ? level_names[level] : "unknown";
}
