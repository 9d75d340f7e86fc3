/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Which elements GridSample reads for a point of its grid, and with which weights. Inside
 * src/nn/ops only.
 *
 * Threads: no state.
 */
#ifndef VT_NN_OPS_GRID_SAMPLE_H
#define VT_NN_OPS_GRID_SAMPLE_H

#include "nn/ops/op.h"

typedef enum vt_grid_padding { VT_GRID_ZEROS, VT_GRID_BORDER, VT_GRID_REFLECTION } vt_grid_padding;

typedef struct vt_grid {
    int rank;  /* spatial axes */
    int count; /* neighbours along each: 1, 2 or 4 */
    vt_grid_padding padding;
    bool align_corners;
    int64_t in[VT_MAX_SPATIAL];
    size_t stride[VT_MAX_SPATIAL];
    int64_t place[VT_MAX_SPATIAL][4]; /* -1: zero */
    double weight[VT_MAX_SPATIAL][4];
    double slope[VT_MAX_SPATIAL][4]; /* of the weights, by the grid's number */
} vt_grid;

/* From attributes and the first two inputs: what is read, and the grid. old: as until opset 20. */
vt_status vt_grid_init(const vt_op_args *args, bool old, vt_grid *g, vt_error *error);
/* Fills places, weights and slopes of one axis for a number of the grid. */
void vt_grid_taps(vt_grid *g, int axis, double normal);
unsigned vt_grid_combinations(const vt_grid *g);
/* Flat place in the plane of one combination of neighbours, digits of `which`; SIZE_MAX: zero. */
size_t vt_grid_combination(const vt_grid *g, unsigned which, double *weight);

#endif
