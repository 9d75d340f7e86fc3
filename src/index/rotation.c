/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A random rotation in O(n log n): rounds of random signs and a Walsh-Hadamard transform (Ailon and
 * Chazelle, The fast Johnson-Lindenstrauss transform, SIAM J. Comput. 2009).
 *
 * Where the width is no power of two, the transform covers the largest power of two within, from
 * the front and from the back in turn, so that after four rounds every element has met every other.
 *
 * Why rotate at all: codes of few bits spread their levels over all elements alike. After the
 * rotation all elements are of one size, whatever the vectors were, and errors of rounding are
 * independent of what is asked. Transforms keep lengths and products, so scores are those of
 * before.
 */
#include "index/rotation.h"

#include "base/mem.h"
#include "base/random.h"

#include <math.h>
#include <string.h>

vt_status vt_rotation_init(vt_rotation *rotation, size_t width, uint64_t seed, vt_error *error)
{
    uint32_t *signs = vt_alloc_array(VT_ROTATION_ROUNDS * width, sizeof *signs);
    if (!signs)
        return vt_fail_memory(error, "random rotation");
    vt_random random;
    vt_random_init(&random, seed);
    for (size_t i = 0; i < VT_ROTATION_ROUNDS * width; i++)
        signs[i] = (uint32_t)(vt_random_u64(&random) >> 63) << 31;
    size_t part = 1;
    while (2 * part <= width)
        part *= 2;
    *rotation = (vt_rotation){width, part, signs};
    return VT_OK;
}

void vt_rotation_deinit(vt_rotation *rotation)
{
    vt_free(rotation->signs);
    *rotation = (vt_rotation){0};
}

static void signs_apply(const uint32_t *signs, float *vector, size_t width)
{
    for (size_t i = 0; i < width; i++) {
        uint32_t bits;
        memcpy(&bits, &vector[i], sizeof bits);
        bits ^= signs[i];
        memcpy(&vector[i], &bits, sizeof bits);
    }
}

/* Walsh-Hadamard, not yet scaled.. */
static void transform(float *restrict v, size_t n)
{
    size_t step = 1;
    for (; step < 4 && step < n; step *= 2)
        for (size_t i = 0; i < n; i += 2 * step)
            for (size_t j = i; j < i + step; j++) {
                float a = v[j], b = v[j + step];
                v[j] = a + b;
                v[j + step] = a - b;
            }
    for (; step < n; step *= 2)
        for (size_t i = 0; i < n; i += 2 * step) {
            float *restrict low = v + i, *restrict high = v + i + step;
            for (size_t j = 0; j < step; j++) {
                float a = low[j], b = high[j];
                low[j] = a + b;
                high[j] = a - b;
            }
        }
}

void vt_rotation_apply(const vt_rotation *rotation, float *vector)
{
    const size_t width = rotation->width, part = rotation->part;
    const float scale = (float)(1.0 / sqrt((double)part));
    for (size_t round = 0; round < VT_ROTATION_ROUNDS; round++) {
        float *from = vector + (round % 2 ? width - part : 0);
        signs_apply(rotation->signs + round * width, vector, width);
        transform(from, part);
        for (size_t i = 0; i < part; i++)
            from[i] *= scale;
        if (part == width && round == 1) /* two rounds mix all there is */
            break;
    }
}
