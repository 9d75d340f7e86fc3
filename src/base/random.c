/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Random numbers: xoshiro256** 1.0 (Blackman and Vigna, "Scrambled linear pseudorandom number
 * generators", 2018), seeded by SplitMix64 (Steele, Lea and Flood 2014).
 *
 * Bounded integers by Lemire's multiplication with rejection ("Fast random integer generation in an
 * interval", 2019); normals by Marsaglia's polar method, of which the second value is thrown away
 * so that a generator is nothing but its four words.
 */
#include "base/random.h"

#include <assert.h>
#include <math.h>

static uint64_t rotate_left(uint64_t x, int k)
{
    return x << k | x >> (64 - k);
}

static uint64_t splitmix_next(uint64_t *state)
{
    uint64_t z = *state += UINT64_C(0x9E3779B97F4A7C15);
    z = (z ^ z >> 30) * UINT64_C(0xBF58476D1CE4E5B9);
    z = (z ^ z >> 27) * UINT64_C(0x94D049BB133111EB);
    return z ^ z >> 31;
}

void vt_random_init(vt_random *random, uint64_t seed)
{
    for (int i = 0; i < 4; i++)
        random->state[i] = splitmix_next(&seed);
}

vt_random vt_random_fork(const vt_random *parent, uint64_t index)
{
    /* Every word goes through the mixer, so that no two of (state, index) meet by their sum. */
    uint64_t seed = index;
    for (int i = 0; i < 4; i++)
        seed = splitmix_next(&seed) ^ parent->state[i];
    vt_random child;
    vt_random_init(&child, splitmix_next(&seed));
    return child;
}

uint64_t vt_random_u64(vt_random *random)
{
    uint64_t *s = random->state;
    uint64_t result = rotate_left(s[1] * 5, 7) * 9;
    uint64_t t = s[1] << 17;
    s[2] ^= s[0];
    s[3] ^= s[1];
    s[1] ^= s[2];
    s[0] ^= s[3];
    s[2] ^= t;
    s[3] = rotate_left(s[3], 45);
    return result;
}

uint64_t vt_random_below(vt_random *random, uint64_t bound)
{
    __extension__ typedef unsigned __int128 wide;
    assert(bound > 0);
    wide product = (wide)vt_random_u64(random) * bound;
    if ((uint64_t)product < bound) {
        uint64_t threshold = (0 - bound) % bound;
        while ((uint64_t)product < threshold)
            product = (wide)vt_random_u64(random) * bound;
    }
    return (uint64_t)(product >> 64);
}

int vt_random_int(vt_random *random, int low, int high)
{
    assert(low <= high);
    uint64_t span = (uint64_t)((int64_t)high - low) + 1;
    return (int)(low + (int64_t)vt_random_below(random, span));
}

double vt_random_double(vt_random *random)
{
    return (double)(vt_random_u64(random) >> 11) * 0x1p-53;
}

float vt_random_float(vt_random *random, float low, float high)
{
    double span = (double)high - (double)low;
    float value = (float)((double)low + span * vt_random_double(random));
    /* Rounding to float may land on the excluded end. */
    return value >= high && low < high ? nextafterf(high, low) : value;
}

double vt_random_normal(vt_random *random)
{
    for (;;) {
        double x = 2 * vt_random_double(random) - 1;
        double y = 2 * vt_random_double(random) - 1;
        double square = x * x + y * y;
        if (square > 0 && square < 1)
            return x * sqrt(-2 * log(square) / square);
    }
}
