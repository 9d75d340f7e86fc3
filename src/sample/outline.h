/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Plane curves as pictures of their signed distance: drawn with a pen once per product, then looked
 * up some thousand times per pixel row instead of measured against every segment.
 *
 *     vt_pen pen = {0};
 *     vt_pen_curve(&pen, points, 5);       // a smooth curve through the points
 *     vt_pen_corner(&pen, 0.0f, 1.0f);     // a straight line to a sharp corner
 *     vt_outline_new(&pen, VT_OUTLINE_LATHE, &outline);
 *
 * Threads: a pen belongs to one thread; an outline is read-only once made.
 */
#ifndef VT_SAMPLE_OUTLINE_H
#define VT_SAMPLE_OUTLINE_H

#include "sample/number.h"

#include <stdbool.h>

enum { VT_PEN_POINTS = 320, VT_OUTLINE_CELLS = 144 };

typedef struct vt_pen {
    float x[VT_PEN_POINTS], y[VT_PEN_POINTS];
    int count; /* points beyond the maximum are dropped */
} vt_pen;

void vt_pen_corner(vt_pen *pen, float x, float y);
/* A uniform Catmull-Rom curve through all points, ends included. */
void vt_pen_curve(vt_pen *pen, const float (*points)[2], int count);
void vt_pen_arc(vt_pen *pen, float x, float y, float radius, float from_degrees, float to_degrees);
/* Turns the open curve drawn so far, the outer side of a vessel from its foot (on the axis or off
 * it) to its rim, into the closed section of a wall: round rim, inner side, inner floor. */
void vt_pen_hollow(vt_pen *pen, float wall, float floor_thickness);
/* Closes the curve drawn so far down the axis x = 0, for solids of revolution. */
void vt_pen_to_axis(vt_pen *pen);
void vt_pen_mirror(vt_pen *pen); /* appends the points so far mirrored at x = 0, in reverse */

typedef enum vt_outline_use {
    VT_OUTLINE_LATHE,  /* closed, x >= 0, to be revolved: symmetric about x = 0 */
    VT_OUTLINE_CLOSED, /* closed */
    VT_OUTLINE_STROKE, /* open: plain distance to the line, never negative */
} vt_outline_use;

typedef struct vt_outline {
    float low_x, low_y, high_x, high_y; /* of the curve itself */
    float cell, inverse_cell, origin_x, origin_y;
    int width, height;
    float *distance; /* (height, width), owned */
} vt_outline;

bool vt_outline_init(vt_outline *outline, const vt_pen *pen,
                     vt_outline_use use); /* false: no memory */
void vt_outline_deinit(vt_outline *outline);
/* Smoothed over about one cell, so that normals are continuous and edges look softly rounded. */
float vt_outline_distance(const vt_outline *outline, float x, float y);

#endif
