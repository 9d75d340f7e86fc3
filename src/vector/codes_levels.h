/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the files codes_<level>.c give to codes.c: one table each. Internal to this folder.
 *
 * Threads: constants only.
 */
#ifndef VT_VECTOR_CODES_LEVELS_H
#define VT_VECTOR_CODES_LEVELS_H

#include "vector/codes.h"

extern const vt_code_table vt_code_table_scalar;
#if defined(__x86_64__)
extern const vt_code_table vt_code_table_avx2;
extern const vt_code_table vt_code_table_avx512;
#endif

#endif
