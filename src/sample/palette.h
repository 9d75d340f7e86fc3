/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Named colours and materials: what a product looks like and what its description says.
 *
 *     int color = vt_palette_pick(random, VT_PALETTE_ANY);
 *     vt_vec3 rgb = vt_palette_rgb(color, random);   // a little different each time
 *     const char *name = vt_palette_name(color);     // "Olive"
 *
 * Threads: constant tables.
 */
#ifndef VT_SAMPLE_PALETTE_H
#define VT_SAMPLE_PALETTE_H

#include "base/random.h"
#include "sample/number.h"

typedef enum vt_palette_group {
    VT_PALETTE_ANY,
    VT_PALETTE_LIGHT, /* goes on dark */
    VT_PALETTE_WOOD,
    VT_PALETTE_LEATHER,
    VT_PALETTE_METAL,
    VT_PALETTE_GLASS,
} vt_palette_group;

int vt_palette_pick(vt_random *random, vt_palette_group group);
/* Deals a group's colours like cards: for number = 0, 1, 2 ... each comes once before one comes
 * again. */
int vt_palette_deal(vt_palette_group group, uint64_t start, uint64_t number);
/* One that is easily told from `other`, of any group of dyes. */
int vt_palette_pick_contrast(vt_random *random, int other);
vt_vec3 vt_palette_rgb(int color, vt_random *random);
const char *vt_palette_name(int color);

#endif
