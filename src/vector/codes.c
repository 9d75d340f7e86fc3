/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Chooses the kernels for compressed vectors; as distance.c does, and for the same reasons.
 *
 * The level that vt_cpu() names is of the wide registers. The instructions that make AVX-512 worth
 * its while for codes came later, so they are asked for here.
 */
#include "vector/codes_levels.h"

#include <stdatomic.h>

#if defined(__x86_64__)
static bool has_vnni(void)
{
    return __builtin_cpu_supports("avx512vnni") && __builtin_cpu_supports("avx512vpopcntdq");
}
#endif

const vt_code_table *vt_codes_at(vt_cpu_level level)
{
    if (!vt_cpu_supports(level))
        return NULL;
    switch (level) {
    case VT_CPU_SCALAR:
        return &vt_code_table_scalar;
#if defined(__x86_64__)
    case VT_CPU_AVX2:
        return &vt_code_table_avx2;
    case VT_CPU_AVX512:
        return has_vnni() ? &vt_code_table_avx512 : NULL;
#endif
    default: /* on ARM the compiler makes what it can of the scalar loops */
        return NULL;
    }
}

const vt_code_table *vt_codes(void)
{
    static _Atomic(const vt_code_table *) chosen;
    const vt_code_table *table = atomic_load_explicit(&chosen, memory_order_relaxed);
    if (!table) {
        vt_cpu_level level = vt_cpu();
        while (!(table = vt_codes_at(level)))
            level = vt_cpu_below(level);
        atomic_store_explicit(&chosen, table, memory_order_relaxed);
    }
    return table;
}
