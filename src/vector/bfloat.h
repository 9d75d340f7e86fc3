/* SPDX-License-Identifier: Apache-2.0 */
/*
 * bfloat16 to and from binary32, one value at a time. Internal to this folder.
 *
 * A bf16 is the upper half of an f32. Rounding to nearest even adds half a unit less one, and the
 * last bit that stays; NaN is kept apart, since the addition could make an infinity of it.
 *
 * Threads: no shared state.
 */
#ifndef VT_VECTOR_BFLOAT_H
#define VT_VECTOR_BFLOAT_H

#include <stdint.h>
#include <string.h>

static inline float vt_bfloat_to_float(uint16_t bfloat)
{
    uint32_t bits = (uint32_t)bfloat << 16;
    float value;
    memcpy(&value, &bits, sizeof value);
    return value;
}

static inline uint16_t vt_bfloat_from_float(float value)
{
    uint32_t bits;
    memcpy(&bits, &value, sizeof bits);
    if ((bits & 0x7fffffffu) > 0x7f800000u)
        return (uint16_t)(bits >> 16 | 0x40u);
    return (uint16_t)((bits + 0x7fffu + (bits >> 16 & 1u)) >> 16);
}

#endif
