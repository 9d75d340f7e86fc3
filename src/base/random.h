/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Random numbers that are the same everywhere for a seed: xoshiro256** 1.0 (Blackman and Vigna
 * 2018), seeded by SplitMix64. Not for secrets.
 *
 * Threads: a generator belongs to one thread; give each its own seed with vt_random_fork.
 */
#ifndef VT_BASE_RANDOM_H
#define VT_BASE_RANDOM_H

#include <stdint.h>

typedef struct vt_random {
    uint64_t state[4];
} vt_random;

void vt_random_init(vt_random *random, uint64_t seed);
/* A generator of its own for each (parent seed, index): does not advance the parent. */
vt_random vt_random_fork(const vt_random *parent, uint64_t index);
uint64_t vt_random_u64(vt_random *random);
uint64_t vt_random_below(vt_random *random, uint64_t bound); /* [0, bound), unbiased; bound > 0 */
int vt_random_int(vt_random *random, int low, int high);     /* [low, high], both inclusive */
double vt_random_double(vt_random *random);                  /* [0, 1) */
float vt_random_float(vt_random *random, float low, float high); /* [low, high) */
double vt_random_normal(vt_random *random);                      /* mean 0, deviation 1 */

#endif
