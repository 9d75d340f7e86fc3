/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the files fastscan_<level>.c give to fastscan.c: one table each. Internal to this folder.
 *
 * Threads: constants only.
 */
#ifndef VT_VECTOR_FASTSCAN_LEVELS_H
#define VT_VECTOR_FASTSCAN_LEVELS_H

#include "vector/fastscan.h"

extern const vt_fastscan_table vt_fastscan_table_scalar;
#if defined(__x86_64__)
extern const vt_fastscan_table vt_fastscan_table_avx2;
extern const vt_fastscan_table vt_fastscan_table_avx512;
#elif defined(__aarch64__)
extern const vt_fastscan_table vt_fastscan_table_neon;
#endif

#endif
