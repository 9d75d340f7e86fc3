/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What oneDNN's matrix product reaches on large square matrices: the ceiling that a network's speed
 * is read against.
 *
 *     vt_peak *peak;
 *     vt_peak_new(VT_F32, threads, &peak, error);
 *     vt_peak_run(peak, error);      // VT_PEAK_SIDE ^ 3 multiply-adds
 *     vt_peak_free(peak);
 *
 * Threads: one peak at a time in a program, used by one thread.
 */
#ifndef VT_BENCH_PEAK_H
#define VT_BENCH_PEAK_H

#include "nn/tensor.h"

enum { VT_PEAK_SIDE = 2048 };

typedef struct vt_peak vt_peak;

/* dtype: VT_F32 or VT_BF16 (with f32 sums and result). VT_ERR_UNSUPPORTED: this processor has no
 * fast way for it. */
vt_status vt_peak_new(vt_dtype dtype, int threads, vt_peak **out, vt_error *error);
vt_status vt_peak_run(vt_peak *peak, vt_error *error);
void vt_peak_free(vt_peak *peak);

#endif
