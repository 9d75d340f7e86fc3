/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Codes of 4 bits scored by table, 32 vectors at a time ("fast scan": André, Kermarrec and Le
 * Scouarnec, Cache locality is not enough: high-performance nearest neighbor search with product
 * quantization fast scan, VLDB 2015; Accelerated nearest neighbor search with Quick ADC, ICMR
 * 2017). For product quantisers with 16 centroids, and for 1-bit codes taken four at a time.
 *
 *     const vt_fastscan_table *f = vt_fastscan();
 *     uint16_t sums[VT_FASTSCAN_BLOCK];
 *     float scores[VT_FASTSCAN_BLOCK];
 *     f->sums(tables, codes, groups, sums);
 *     uint32_t passing = f->estimate(sums, factors, &line, scores);
 *
 * A vector has one code of 4 bits in each group, a query one table of 16 bytes for each group. The
 * codes of 32 vectors lie together: 16 bytes for each group, of which byte j has vector j in its
 * lower half and vector 16 + j in its upper half. A register of bytes is a table, and one shuffle
 * looks up 16, 32 or 64 vectors and groups at once; nothing is read from memory but the codes.
 *
 * Sums are exact, so every level gives the same. Estimates are f32; levels with fused operations
 * round them once less. The scalar functions are the specification; tests/vector/test_fastscan.c
 * holds the others to them.
 *
 * Threads: safe from any thread.
 */
#ifndef VT_VECTOR_FASTSCAN_H
#define VT_VECTOR_FASTSCAN_H

#include "base/cpu.h"

#include <stddef.h>
#include <stdint.h>

enum {
    VT_FASTSCAN_BLOCK = 32,       /* vectors */
    VT_FASTSCAN_ENTRIES = 16,     /* of a table */
    VT_FASTSCAN_GROUP_BYTES = 16, /* that a group takes in a block */
    VT_FASTSCAN_GROUPS = 4,       /* their number is a multiple of this */
    VT_FASTSCAN_FACTORS = 3,      /* scale, add, error */
};

/* What turns sums into scores: vector i of a block has
 *     origin + scale[i] * (base + step * sum[i]) + add[i],
 * which may be too low by error[i] * spread + scale[i] * slack. */
typedef struct vt_fastscan_line {
    float step, base, origin;
    float slack, spread;
    float threshold;
} vt_fastscan_line;

typedef struct vt_fastscan_table {
    /* tables: (groups, 16); codes: (groups, 16); out: (32) sums of entries, modulo 2^16. groups: a
     * multiple of VT_FASTSCAN_GROUPS. Nothing need be aligned. */
    void (*sums)(const uint8_t *tables, const uint8_t *codes, size_t groups, uint16_t *out);
    /* sums: (32); factors: (3, 32) scales, adds, errors; out: (32) scores. Bit i of the result:
     * score i and what it may be too low by reach the threshold. */
    uint32_t (*estimate)(const uint16_t *sums, const float *factors, const vt_fastscan_line *line,
                         float *out);
} vt_fastscan_table;

const vt_fastscan_table *vt_fastscan(void);
/* The table of one level; NULL when this build or processor lacks it. For tests and benches. */
const vt_fastscan_table *vt_fastscan_at(vt_cpu_level level);

#endif
