/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Chooses the kernels that screen rows; as distance.c does, and for the same reasons. VNNI is asked
 * for beside AVX-512, which came first.
 */
#include "vector/screen_levels.h"

#include <stdatomic.h>

const vt_screen_table *vt_screen_at(vt_cpu_level level)
{
    if (!vt_cpu_supports(level))
        return NULL;
    switch (level) {
    case VT_CPU_SCALAR:
        return &vt_screen_table_scalar;
#if defined(__x86_64__)
    case VT_CPU_AVX2:
        return &vt_screen_table_avx2;
    case VT_CPU_AVX512:
        return __builtin_cpu_supports("avx512vnni") ? &vt_screen_table_avx512 : NULL;
    case VT_CPU_AMX:
        return &vt_screen_table_amx;
#endif
    default: /* on ARM the compiler makes what it can of the scalar loops */
        return NULL;
    }
}

const vt_screen_table *vt_screen(void)
{
    static _Atomic(const vt_screen_table *) chosen;
    const vt_screen_table *table = atomic_load_explicit(&chosen, memory_order_relaxed);
    if (!table) {
        vt_cpu_level level = vt_cpu();
        while (!(table = vt_screen_at(level)))
            level = vt_cpu_below(level);
        atomic_store_explicit(&chosen, table, memory_order_relaxed);
    }
    return table;
}
