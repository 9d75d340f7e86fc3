/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Inside src/encoder: where the subject is, and the three parts of the classic
 * descriptor over it.
 * Threads: no shared state.
 */
#ifndef VT_ENCODER_CLASSIC_H
#define VT_ENCODER_CLASSIC_H

#include "encoder/encoder.h"

enum {
    VT_CLASSIC_GRID = 6,  /* colour layout: GRID x GRID cells of 3 */
    VT_CLASSIC_HUES = 12, /* colour histogram: hues x values, and greys */
    VT_CLASSIC_VALUES = 3,
    VT_CLASSIC_GREYS = 6,
    VT_CLASSIC_COLOR = VT_CLASSIC_GRID * VT_CLASSIC_GRID * 3 + VT_CLASSIC_HUES * VT_CLASSIC_VALUES +
                       VT_CLASSIC_GREYS,
    VT_CLASSIC_CELLS = 8, /* gradients: CELLS x CELLS, blocks of 2 x 2 side by side */
    VT_CLASSIC_ORIENTATIONS = 9,
    VT_CLASSIC_HOG = VT_CLASSIC_CELLS * VT_CLASSIC_CELLS * VT_CLASSIC_ORIENTATIONS,
    VT_CLASSIC_LBP_GRID = 2, /* local binary patterns: 59 bins in each of GRID x GRID cells */
    VT_CLASSIC_LBP_BINS = 59,
    VT_CLASSIC_LBP = VT_CLASSIC_LBP_GRID * VT_CLASSIC_LBP_GRID * VT_CLASSIC_LBP_BINS,
};

/* The subject, cut out and brought to VT_CLASSIC_SIDE_PX squared, and what its parts share. */
typedef struct vt_classic_picture {
    vt_image subject;                                      /* owned */
    float grey[VT_CLASSIC_SIDE_PX * VT_CLASSIC_SIDE_PX];   /* luma, 0..1 */
    float weight[VT_CLASSIC_SIDE_PX * VT_CLASSIC_SIDE_PX]; /* how much a pixel counts, 0..1 */
} vt_classic_picture;

/* Finds the subject and fills *picture; its `subject` is the caller's to deinit. */
vt_status vt_classic_find_subject(const vt_image *image, vt_classic_picture *picture,
                                  vt_error *error);
void vt_classic_color(const vt_classic_picture *picture, float *out); /* (VT_CLASSIC_COLOR) */
void vt_classic_hog(const vt_classic_picture *picture, float *out);   /* (VT_CLASSIC_HOG) */
void vt_classic_lbp(const vt_classic_picture *picture, float *out);   /* (VT_CLASSIC_LBP) */

#endif
