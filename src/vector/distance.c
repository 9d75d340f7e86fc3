/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Chooses the kernels: one constant table per level, and a pointer to the one in use.
 *
 * The pointer is found by whoever asks first. Several threads may find it at the same moment; they
 * find the same one, so a relaxed atomic is all it takes (the tables are constants).
 */
#include "vector/distance_levels.h"

#include <stdatomic.h>

const vt_distance_table *vt_distance_at(vt_cpu_level level)
{
    if (!vt_cpu_supports(level))
        return NULL;
    switch (level) {
    case VT_CPU_SCALAR:
        return &vt_distance_table_scalar;
#if defined(__x86_64__)
    case VT_CPU_AVX2:
        return &vt_distance_table_avx2;
    case VT_CPU_AVX512:
        return &vt_distance_table_avx512;
#elif defined(__aarch64__)
    case VT_CPU_NEON:
        return &vt_distance_table_neon;
#endif
    default:
        return NULL;
    }
}

const vt_distance_table *vt_distance(void)
{
    static _Atomic(const vt_distance_table *) chosen;
    const vt_distance_table *table = atomic_load_explicit(&chosen, memory_order_relaxed);
    if (!table) {
        vt_cpu_level level = vt_cpu();
        while (!(table = vt_distance_at(level)))
            level = vt_cpu_below(level);
        atomic_store_explicit(&chosen, table, memory_order_relaxed);
    }
    return table;
}

bool vt_vector_is_finite(const float *vector, size_t dim)
{
    for (size_t i = 0; i < dim; i++)
        if (!isfinite(vector[i]))
            return false;
    return true;
}

double vt_vector_squares(const float *vector, size_t dim)
{
    double sum = 0.0;
    for (size_t i = 0; i < dim; i++)
        sum += (double)vector[i] * (double)vector[i];
    return sum;
}

bool vt_vector_normalize(float *vector, size_t dim)
{
    double sum = vt_vector_squares(vector, dim);
    if (!isfinite(sum) || sum == 0.0)
        return false;
    double length = sqrt(sum);
    for (size_t i = 0; i < dim; i++)
        vector[i] = (float)((double)vector[i] / length);
    return true;
}
