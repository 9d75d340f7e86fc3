/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Kernels of elementwise operations: one function per code over a block of floats, in tables by
 * instruction set.
 *
 *     const vt_elementwise_table *table = vt_elementwise_table_get();
 *     table->functions[VT_ELEMENTWISE_EXP](x, NULL, NULL, out, count);
 *
 * Errors against the exact result: arithmetic, roundings and comparisons are exact or correctly
 * rounded; EXP, EXPM1, LOG, TANH, SIGMOID, SOFTPLUS, ERF, SIN and COS are within 3 units in the
 * last place (measured: tests/nn/test_elementwise_kernels.c), those of the C library as good as it
 * is. Infinities, NaN, subnormals and signed zeros give what the C library's functions give. Levels
 * may differ in the last bits.
 *
 * Threads: constants only.
 */
#ifndef VT_NN_KERNELS_ELEMENTWISE_H
#define VT_NN_KERNELS_ELEMENTWISE_H

#include "base/cpu.h"
#include "nn/elementwise.h"

/* a, b, c: (count), as many as the code reads, the rest is not looked at; out: (count), overlaps
 * none of them. */
typedef void vt_elementwise_function(const float *a, const float *b, const float *c, float *out,
                                     size_t count);

typedef struct vt_elementwise_table {
    vt_elementwise_function *functions[VT_ELEMENTWISE_CODE_COUNT];
    void (*from_bool)(const uint8_t *in, float *out, size_t count); /* to 0 and 1 */
    void (*to_bool)(const float *in, uint8_t *out, size_t count);
} vt_elementwise_table;

const vt_elementwise_table *vt_elementwise_table_get(void); /* of vt_cpu() */
/* NULL: not built, or not for this machine. */
const vt_elementwise_table *vt_elementwise_table_at(vt_cpu_level level);

/* One per file elementwise_<level>.c. */
extern const vt_elementwise_table vt_elementwise_table_scalar;
#if defined(__x86_64__)
extern const vt_elementwise_table vt_elementwise_table_avx2;
extern const vt_elementwise_table vt_elementwise_table_avx512;
#endif

#endif
