/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The elementwise kernels for AVX2 with FMA.
 */
#include "nn/kernels/elementwise_template.h"

VT_ELEMENTWISE_TABLE(vt_elementwise_table_avx2);
