/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The k best of a stream: plain, or the best row of each group (a product's best picture).
 *
 *     vt_topk top;
 *     vt_topk_init(&top, k, true, error);
 *     if (similarity >= vt_topk_threshold(&top)) vt_topk_push(&top, similarity, id, group);
 *     size_t n = vt_topk_sort(&top);            // top.hits[0..n): best first
 *     vt_topk_deinit(&top);
 *
 * Bigger is better. Equal similarities are ordered by lower group, then lower id, so that results
 * do not depend on the order of pushing, on block sizes or on threads. (Hence >= above: an equal
 * one may enter by its lower group or id.)
 *
 * Threads: one thread at a time; merge per-thread results with vt_topk_merge.
 */
#ifndef VT_VECTOR_TOPK_H
#define VT_VECTOR_TOPK_H

#include "base/status.h"

typedef struct vt_hit {
    float similarity; /* bigger is nearer */
    uint32_t id;      /* row (picture) */
    uint32_t group;   /* what the row belongs to (product); equals id where there are no groups */
} vt_hit;

typedef struct vt_topk {
    vt_hit *hits; /* heap (worst first) until sorted; (k), owned */
    size_t count, k;
    bool grouped;    /* at most one hit per group, its best */
    bool sorted;     /* between vt_topk_sort and vt_topk_clear */
    uint32_t *slots; /* grouped: open-addressing table group -> heap position + 1, owned */
    size_t slot_mask;
    unsigned slot_shift;
} vt_topk;

enum { VT_TOPK_MAX_K = 1 << 30 };

/* k: 1..VT_TOPK_MAX_K. Memory for all k is taken at once: bound k by what can be found. */
vt_status vt_topk_init(vt_topk *top, size_t k, bool grouped, vt_error *error);
void vt_topk_deinit(vt_topk *top); /* a zeroed vt_topk is fine */
void vt_topk_clear(vt_topk *top);
/* Nothing strictly below this can enter; -INFINITY until k are held. */
float vt_topk_threshold(const vt_topk *top);
void vt_topk_push(vt_topk *top, float similarity, uint32_t id, uint32_t group); /* NaN is ignored */
/* Pushes what `other` holds, sorted or not. Right when both are grouped, or neither is. */
void vt_topk_merge(vt_topk *top, const vt_topk *other);
size_t vt_topk_sort(vt_topk *top); /* ends pushing until vt_topk_clear; returns count */

#endif
