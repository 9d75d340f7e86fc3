/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Chooses the kernels for blocks of 4-bit codes; as distance.c does, and for the same reasons.
 */
#include "vector/fastscan_levels.h"

#include <stdatomic.h>

const vt_fastscan_table *vt_fastscan_at(vt_cpu_level level)
{
    if (!vt_cpu_supports(level))
        return NULL;
    switch (level) {
    case VT_CPU_SCALAR:
        return &vt_fastscan_table_scalar;
#if defined(__x86_64__)
    case VT_CPU_AVX2:
        return &vt_fastscan_table_avx2;
    case VT_CPU_AVX512:
        return &vt_fastscan_table_avx512;
#elif defined(__aarch64__)
    case VT_CPU_NEON:
        return &vt_fastscan_table_neon;
#endif
    default:
        return NULL;
    }
}

const vt_fastscan_table *vt_fastscan(void)
{
    static _Atomic(const vt_fastscan_table *) chosen;
    const vt_fastscan_table *table = atomic_load_explicit(&chosen, memory_order_relaxed);
    if (!table) {
        vt_cpu_level level = vt_cpu();
        while (!(table = vt_fastscan_at(level)))
            level = vt_cpu_below(level);
        atomic_store_explicit(&chosen, table, memory_order_relaxed);
    }
    return table;
}
