/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the files screen_<level>.c give to screen.c: one table each. Internal to this folder.
 *
 * Threads: constants only.
 */
#ifndef VT_VECTOR_SCREEN_LEVELS_H
#define VT_VECTOR_SCREEN_LEVELS_H

#include "vector/screen.h"

extern const vt_screen_table vt_screen_table_scalar;
#if defined(__x86_64__)
extern const vt_screen_table vt_screen_table_avx2;
extern const vt_screen_table vt_screen_table_avx512;
extern const vt_screen_table vt_screen_table_amx;
#endif

#endif
