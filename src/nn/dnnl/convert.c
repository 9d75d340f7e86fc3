/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Float types to and from f32, on entry, on exit, and for weights.
 *
 * Method: f16 and bf16 by their bits, rounding to nearest even, with infinities, NaN and subnormals
 * as IEEE 754 has them. Plain loops: they run over one input or output, not over activations.
 */
#include "nn/dnnl/runner.h"

#include <string.h>

static float float_of_bits(uint32_t bits)
{
    float value;
    memcpy(&value, &bits, sizeof value);
    return value;
}

static uint32_t bits_of_float(float value)
{
    uint32_t bits;
    memcpy(&bits, &value, sizeof bits);
    return bits;
}

static float float_of_half(uint16_t half)
{
    uint32_t sign = (uint32_t)(half & 0x8000U) << 16, rest = half & 0x7FFFU;
    if (rest >= 0x7C00U) { /* infinity, NaN */
        return float_of_bits(sign | 0x7F800000U | (rest & 0x3FFU) << 13);
    }
    if (rest >= 0x0400U) {
        return float_of_bits(sign | ((rest << 13) + (112U << 23)));
    }
    float subnormal = (float)rest * 0x1p-24F; /* exact */
    return float_of_bits(sign | bits_of_float(subnormal));
}

static uint16_t half_of_float(float value)
{
    uint32_t bits = bits_of_float(value), sign = bits >> 16 & 0x8000U, rest = bits & 0x7FFFFFFFU;
    if (rest > 0x7F800000U) {
        return (uint16_t)(sign | 0x7E00U | (rest >> 13 & 0x3FFU));
    }
    if (rest >= 0x477FF000U) { /* 65520 and above round to infinity */
        return (uint16_t)(sign | 0x7C00U);
    }
    if (rest < 0x38800000U) { /* below 2^-14: adding 0.5 lets the adder round to units of 2^-24 */
        float rounded = float_of_bits(rest) + 0.5F;
        return (uint16_t)(sign | (bits_of_float(rounded) - bits_of_float(0.5F)));
    }
    uint32_t odd = rest >> 13 & 1U;
    return (uint16_t)(sign | ((rest + 0xFFFU + odd - (112U << 23)) >> 13));
}

static uint16_t bfloat_of_float(float value)
{
    uint32_t bits = bits_of_float(value);
    if ((bits & 0x7FFFFFFFU) > 0x7F800000U) {
        return (uint16_t)(bits >> 16 | 0x40U);
    }
    return (uint16_t)((bits + 0x7FFFU + (bits >> 16 & 1U)) >> 16);
}

static float load(vt_dtype dtype, const void *data, size_t index)
{
    switch (dtype) {
    case VT_F16:
        return float_of_half(((const uint16_t *)data)[index]);
    case VT_BF16:
        return float_of_bits((uint32_t)((const uint16_t *)data)[index] << 16);
    case VT_F64:
        return (float)((const double *)data)[index];
    default:
        return ((const float *)data)[index];
    }
}

static void save(vt_dtype dtype, void *data, size_t index, float value)
{
    switch (dtype) {
    case VT_F16:
        ((uint16_t *)data)[index] = half_of_float(value);
        break;
    case VT_BF16:
        ((uint16_t *)data)[index] = bfloat_of_float(value);
        break;
    case VT_F64:
        ((double *)data)[index] = (double)value;
        break;
    default:
        ((float *)data)[index] = value;
    }
}

bool vt_dnnl_can_convert(vt_dtype from, vt_dtype to)
{
    return from == to ||
           (vt_dtype_is_float(from) && vt_dtype_is_float(to) && (from == VT_F32 || to == VT_F32));
}

void vt_dnnl_convert(vt_dtype from, const void *source, vt_dtype to, void *target, size_t count)
{
    if (from == to) {
        if (count > 0) {
            memcpy(target, source, count * vt_dtype_bytes(from));
        }
    } else if (from == VT_F32) {
        for (size_t i = 0; i < count; i++) {
            save(to, target, i, ((const float *)source)[i]);
        }
    } else {
        for (size_t i = 0; i < count; i++) {
            ((float *)target)[i] = load(from, source, i);
        }
    }
}

bool vt_dnnl_clamp(vt_dtype dtype, void *data, size_t count, float low, float high)
{
    if (!vt_dtype_is_float(dtype)) {
        return false;
    }
    if (dtype == VT_F64) { /* not through f32, which would round what is inside the bounds */
        double *values = data;
        for (size_t i = 0; i < count; i++) {
            values[i] = values[i] < (double)low ? (double)low : values[i];
            values[i] = values[i] > (double)high ? (double)high : values[i];
        }
        return true;
    }
    for (size_t i = 0; i < count; i++) {
        float value = load(dtype, data, i);
        if (value < low || value > high) {
            save(dtype, data, i, value < low ? low : high);
        }
    }
    return true;
}
