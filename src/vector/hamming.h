/* SPDX-License-Identifier: Apache-2.0 */
/*
 * 64-bit codes near one another in Hamming distance: multi-index hashing (Norouzi, Punjani and
 * Fleet, CVPR 2012), four tables of 16 bits. Exact: finds every code within the radius.
 *
 * Threads: one thread at a time while adding; many may search when nobody adds.
 */
#ifndef VT_VECTOR_HAMMING_H
#define VT_VECTOR_HAMMING_H

#include "base/status.h"

int vt_hamming(uint64_t a, uint64_t b); /* 0..64 */

typedef struct vt_hamming_index vt_hamming_index;

enum { VT_HAMMING_MAX_RADIUS = 11 };

vt_status vt_hamming_index_new(vt_hamming_index **out, vt_error *error);
void vt_hamming_index_free(vt_hamming_index *index);
vt_status vt_hamming_index_add(vt_hamming_index *index, uint64_t code, uint32_t id,
                               vt_error *error);
/* How many were added, codes that came again included. */
size_t vt_hamming_index_count(const vt_hamming_index *index);
/* The nearest code within radius (0..VT_HAMMING_MAX_RADIUS), the earliest added among equals. */
bool vt_hamming_index_nearest(const vt_hamming_index *index, uint64_t code, int radius,
                              uint32_t *id, int *distance);

#endif
