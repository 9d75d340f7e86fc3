/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The elementwise kernels for AVX-512 F, BW, DQ and VL.
 */
#include "nn/kernels/elementwise_template.h"

VT_ELEMENTWISE_TABLE(vt_elementwise_table_avx512);
