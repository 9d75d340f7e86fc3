/* SPDX-License-Identifier: Apache-2.0 */
/*
 * IEEE 754 binary16 to and from binary32, one value at a time, in integer arithmetic. Internal to
 * this folder: others convert arrays through vt_distance().
 *
 * The results are those of the hardware (VCVTPS2PH, VCVTPH2PS, FCVT) to the bit, NaN included: sign
 * and the upper payload bits stay, the quiet bit is set. The kernels may therefore mix both.
 *
 * Threads: no shared state.
 */
#ifndef VT_VECTOR_HALF_H
#define VT_VECTOR_HALF_H

#include <stdint.h>
#include <string.h>

static inline float vt_half_to_float(uint16_t half)
{
    uint32_t sign = (uint32_t)(half & 0x8000u) << 16;
    uint32_t magnitude = half & 0x7fffu;
    uint32_t bits;
    if (magnitude < 0x0400u) {
        /* Zero and subnormals count units of 2^-24, which binary32 holds as normal numbers. */
        float value = (float)magnitude * 0x1p-24f;
        memcpy(&bits, &value, sizeof bits);
    } else if (magnitude < 0x7c00u) {
        bits = (magnitude << 13) + ((127u - 15u) << 23);
    } else {
        bits = 0x7f800000u | (magnitude & 0x03ffu) << 13;
        if (magnitude > 0x7c00u)
            bits |= 0x00400000u;
    }
    bits |= sign;
    float value;
    memcpy(&value, &bits, sizeof value);
    return value;
}

static inline uint16_t vt_half_from_float(float value)
{
    uint32_t bits;
    memcpy(&bits, &value, sizeof bits);
    uint32_t sign = bits >> 16 & 0x8000u;
    uint32_t magnitude = bits & 0x7fffffffu;
    if (magnitude > 0x7f800000u)
        return (uint16_t)(sign | 0x7e00u | (magnitude >> 13 & 0x03ffu));
    if (magnitude >= 0x477ff000u) /* 65520, halfway from the largest half to 2^16: rounds up */
        return (uint16_t)(sign | 0x7c00u);
    /* `dropped` low bits do not fit: 13 for normal results, more for subnormal ones, whose implicit
     * one becomes explicit. Below 2^-25 nothing is left; exactly 2^-25 is a tie that goes to zero.
     */
    uint32_t dropped = 13, kept = magnitude - ((127u - 15u) << 23);
    if (magnitude < 0x38800000u) {
        uint32_t exponent = magnitude >> 23;
        if (exponent < 102u)
            return (uint16_t)sign;
        dropped = 126u - exponent;
        kept = (magnitude & 0x007fffffu) | 0x00800000u;
    }
    /* Half a unit less one, plus the bit that makes ties even: a carry may run into the exponent,
     * which is then the right next number. */
    kept += (1u << (dropped - 1)) - 1u + (kept >> dropped & 1u);
    return (uint16_t)(sign | kept >> dropped);
}

#endif
