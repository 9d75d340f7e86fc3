/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the processor can do, asked once. `VITRINE_CPU=scalar|avx2|avx512` in the environment forces
 * a lower level than the machine has (a higher one is refused and the machine's own used).
 *
 * Threads: safe from any thread.
 */
#ifndef VT_BASE_CPU_H
#define VT_BASE_CPU_H

#include <stdbool.h>

typedef enum vt_cpu_level {
    VT_CPU_SCALAR,
    VT_CPU_NEON,   /* aarch64 with half-precision arithmetic */
    VT_CPU_AVX2,   /* AVX2 + FMA + F16C */
    VT_CPU_AVX512, /* AVX-512 F, BW, DQ, VL */
    VT_CPU_AMX,    /* that with VNNI, and tiles of bytes (Sapphire Rapids) */
} vt_cpu_level;

vt_cpu_level vt_cpu_detected(void); /* what the machine and its operating system offer */
vt_cpu_level vt_cpu(void);          /* that, or lower where the environment asks for it */
bool vt_cpu_supports(
    vt_cpu_level level); /* may code of this level run here (ignores the environment) */
/* The level whose code to take where there is none of `level`; of scalar, scalar. */
vt_cpu_level vt_cpu_below(vt_cpu_level level);
const char *vt_cpu_name(vt_cpu_level level);

#endif
