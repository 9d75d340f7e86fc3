/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The best of a set by estimates first. Internal to this folder.
 *
 * Method: every row of the set has a code of one bit an element (flat_screen.h), whose estimate of
 * the similarity is off by a deviation that is known. A row whose estimate and so many deviations
 * fall short of what is held already is passed over; vectors of the others are compared. So what is
 * found has its true similarity, and one that belongs to the nearest is missed when its estimate is
 * too low by more than that, if it is not far ahead of the last. Those that may reach most are
 * compared first, so that what is held rises at once and few vectors are read: some hundred of ten
 * thousand rows, many more where all are about as near.
 *
 * Threads: one query is one thread's.
 */
#ifndef VT_INDEX_FLAT_ESTIMATE_H
#define VT_INDEX_FLAT_ESTIMATE_H

#include "index/flat_waiting.h"

/* Which rows: those listed, or all whose group is in the set. */
typedef struct vt_flat_subset {
    const uint32_t *rows; /* (count); NULL: */
    size_t count;
    const vt_idset_bits *groups; /* NULL: all */
} vt_flat_subset;

/* Whether the index can be asked: all its rows have codes. */
bool vt_flat_estimates(const vt_flat *flat);
/* waiting: made ready for the query; coded: the same query, for flat->screen->coder. */
void vt_flat_estimate(const vt_flat_subset *which, const vt_coder_query *coded,
                      vt_flat_waiting *waiting);

#endif
