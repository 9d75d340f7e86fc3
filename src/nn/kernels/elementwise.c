/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Chooses the elementwise kernels, once: the tables are constants, so that several threads may find
 * the same one at the same moment.
 */
#include "nn/kernels/elementwise.h"

#include <stdatomic.h>

const vt_elementwise_table *vt_elementwise_table_at(vt_cpu_level level)
{
    if (!vt_cpu_supports(level))
        return NULL;
    switch (level) {
    case VT_CPU_SCALAR:
        return &vt_elementwise_table_scalar;
#if defined(__x86_64__)
    case VT_CPU_AVX2:
        return &vt_elementwise_table_avx2;
    case VT_CPU_AVX512:
        return &vt_elementwise_table_avx512;
#endif
    default: /* NEON is every aarch64 compiler's default: the plain table has it */
        return NULL;
    }
}

const vt_elementwise_table *vt_elementwise_table_get(void)
{
    static _Atomic(const vt_elementwise_table *) chosen;
    const vt_elementwise_table *table = atomic_load_explicit(&chosen, memory_order_relaxed);
    if (!table) {
        vt_cpu_level level = vt_cpu();
        while (!(table = vt_elementwise_table_at(level)))
            level = vt_cpu_below(level);
        atomic_store_explicit(&chosen, table, memory_order_relaxed);
    }
    return table;
}
