/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Names of precisions, and which of them oneDNN computes faster than f32 on this machine.
 */
#include "nn/dnnl/compat.h"

#include <string.h>

static const char *const names[] = {
    [VT_PRECISION_F32] = "f32",
    [VT_PRECISION_BF16] = "bf16",
    [VT_PRECISION_INT8] = "int8",
    [VT_PRECISION_AUTO] = "auto",
};

const char *vt_precision_name(vt_precision precision)
{
    return (unsigned)precision <= VT_PRECISION_AUTO ? names[precision] : "unknown";
}

bool vt_precision_parse(const char *text, vt_precision *out)
{
    for (int i = 0; i <= VT_PRECISION_AUTO; i++) {
        if (strcmp(text, names[i]) == 0) {
            *out = (vt_precision)i;
            return true;
        }
    }
    return false;
}

static bool has_isa(dnnl_cpu_isa_t wanted)
{
    return ((unsigned)dnnl_get_effective_cpu_isa() & (unsigned)wanted) == (unsigned)wanted;
}

bool vt_precision_is_fast(vt_precision precision)
{
    switch (precision) {
    case VT_PRECISION_BF16:
        return has_isa(dnnl_cpu_isa_avx512_core_bf16);
    case VT_PRECISION_INT8:
        return has_isa(dnnl_cpu_isa_avx512_core_vnni) || has_isa(dnnl_cpu_isa_avx2_vnni);
    case VT_PRECISION_F32:
    case VT_PRECISION_AUTO:
        break;
    }
    return precision == VT_PRECISION_F32;
}
