/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The elementwise kernels for the compiler's default instruction set (SSE2 on x86-64, NEON on
 * aarch64).
 */
#include "nn/kernels/elementwise_template.h"

VT_ELEMENTWISE_TABLE(vt_elementwise_table_scalar);
