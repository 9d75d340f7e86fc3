/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A model: one thing, put together from signed-distance parts with materials.
 *
 *     vt_solid *model = vt_solid_new();
 *     int glaze = vt_solid_material(model, &material);
 *     vt_part *body = vt_solid_box(model, v3(0, 0.5f, 0), v3(0.4f, 0.5f, 0.3f), 0.05f, glaze);
 *     vt_part_turn(body, 0, 30, 0);
 *     vt_solid_finish(model);                         // bounds; false: no memory on the way
 *     float d = vt_solid_distance(model, point);
 *
 * Parts form groups; inside a group each part is joined to what came before it, groups are united
 * sharply. A group is skipped when its bounding box is farther than what was found already.
 * y points up, x to the right, z to the viewer; the ground is y = 0.
 *
 * Threads: read-only once finished.
 */
#ifndef VT_SAMPLE_SOLID_H
#define VT_SAMPLE_SOLID_H

#include "sample/material.h"
#include "sample/outline.h"

enum { VT_SOLID_PARTS = 96, VT_SOLID_GROUPS = 64, VT_SOLID_OUTLINES = 8, VT_SOLID_MATERIALS = 12 };

typedef enum vt_shape {
    VT_SHAPE_BALL,     /* ellipsoid: size = radii */
    VT_SHAPE_BOX,      /* size = half sides, round = radius of the edges (inside the size) */
    VT_SHAPE_CYLINDER, /* along y: size.x radius, size.y half height, round */
    VT_SHAPE_CONE,     /* along y: size.x radius at -size.y, size.z radius at +size.y, round */
    VT_SHAPE_ROD,      /* round cone from 0 to size, radii round and taper */
    VT_SHAPE_RING,   /* torus about y: size.x radius, size.y thickness sideways, size.z in height */
    VT_SHAPE_LATHE,  /* outline revolved about y, flutes */
    VT_SHAPE_PLATE,  /* outline in x, y, size.z half thickness, round */
    VT_SHAPE_TUBE,   /* a stroke outline in x, y, thickened to size.x in the plane, size.z across */
    VT_SHAPE_PILLOW, /* size.x, size.y half sides, size.z half thickness in the middle */
} vt_shape;

typedef enum vt_join {
    VT_JOIN_ADD,
    VT_JOIN_CUT,
    VT_JOIN_KEEP
} vt_join; /* union, minus, intersection */

typedef struct vt_bounds {
    vt_vec3 low, high;
} vt_bounds;

typedef struct vt_part {
    uint8_t shape, join;
    bool turned;
    bool mirror_x, mirror_z; /* the part and its mirror image */
    uint8_t copies;          /* > 1: so many around the y axis; the part must stay in its sector */
    uint8_t material;
    float blend; /* width of the soft transition to what came before in the group */
    vt_vec3 at, size;
    vt_mat3 turn; /* from the model's axes to the part's */
    float round;
    float taper; /* second radius of a rod, or of a tube at its top (0: none); what a plate's
                    outline is let out by */
    float shell; /* > 0: only a skin of this thickness, inwards */
    float flutes, flute_depth,
        flute_twist;           /* lathe: waves around, twist in radians per unit of height */
    const vt_outline *outline; /* borrowed from the model */
    vt_bounds bounds;          /* in the model */
} vt_part;

typedef struct vt_group {
    int first, count;
    vt_bounds bounds;
} vt_group;

typedef struct vt_solid {
    vt_part parts[VT_SOLID_PARTS];
    vt_group groups[VT_SOLID_GROUPS];
    vt_outline outlines[VT_SOLID_OUTLINES];
    vt_material materials[VT_SOLID_MATERIALS];
    int part_count, group_count, outline_count, material_count;
    vt_vec3 offset; /* added to the place of every part that is made from now on */
    bool failed;    /* no memory, or more of something than there is room for */
    vt_part spare;  /* handed out after a failure, so that builders need not check each call */
    vt_bounds bounds;
    float ground_y; /* of the lowest point; bounds may reach lower where something is cut away */
} vt_solid;

vt_solid *vt_solid_new(void); /* NULL: no memory */
void vt_solid_free(vt_solid *model);
bool vt_solid_finish(vt_solid *model);

int vt_solid_material(vt_solid *model, const vt_material *material); /* copied; its number */
const vt_outline *vt_solid_outline(vt_solid *model, const vt_pen *pen, vt_outline_use use);

/* Each starts a group of its own, added; vt_part_join puts the newest part into the group before.
 */
vt_part *vt_solid_ball(vt_solid *model, vt_vec3 at, vt_vec3 radii, int material);
vt_part *vt_solid_box(vt_solid *model, vt_vec3 at, vt_vec3 half, float round, int material);
vt_part *vt_solid_cylinder(vt_solid *model, vt_vec3 at, vt_vec3 radius_half, float round,
                           int material);
vt_part *vt_solid_cone(vt_solid *model, vt_vec3 at, vt_vec3 low_half_high, float round,
                       int material);
vt_part *vt_solid_rod(vt_solid *model, vt_vec3 from, vt_vec3 to, float radius, int material);
vt_part *vt_solid_ring(vt_solid *model, vt_vec3 at, vt_vec3 radius_thickness, int material);
vt_part *vt_solid_lathe(vt_solid *model, vt_vec3 at, const vt_outline *outline, int material);
vt_part *vt_solid_plate(vt_solid *model, vt_vec3 at, const vt_outline *outline,
                        float half_thickness, int material);
vt_part *vt_solid_tube(vt_solid *model, vt_vec3 at, const vt_outline *outline, float radius,
                       int material);
vt_part *vt_solid_pillow(vt_solid *model, vt_vec3 at, vt_vec3 half, int material);
vt_part *vt_part_turn(vt_part *part, float x_degrees, float y_degrees, float z_degrees);
/* The newest part of the model joins the group before its own. */
void vt_solid_join(vt_solid *model, vt_join join, float blend);

/* Signed distance, never more than the true one by more than a few percent. */
float vt_solid_distance(const vt_solid *model, vt_vec3 p);
/* The same up to `reach` > 0, and `reach` where the model is farther: cheaper the less is asked. */
float vt_solid_distance_within(const vt_solid *model, vt_vec3 p, float reach);
/* As above; where the model is farther than `enough` a smaller, cheaper bound may come back. */
float vt_solid_bound(const vt_solid *model, vt_vec3 p, float enough);
/* The part whose surface is at p, for its material; p must be on the surface. */
const vt_part *vt_solid_part_at(const vt_solid *model, vt_vec3 p);
/* p in the part's own axes, mirrored and repeated as the part is. */
vt_vec3 vt_part_local(const vt_part *part, vt_vec3 p);
float vt_part_distance(const vt_part *part, vt_vec3 p);

float vt_bounds_square(const vt_bounds *bounds,
                       vt_vec3 p); /* squared distance to the box, 0 inside */

#endif
