/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What things are made of: a finish (how it reflects, its grain), up to three colours, and a
 * pattern that decides between them.
 *
 *     vt_material glaze = vt_material_make(VT_FINISH_CERAMIC, color);
 *     glaze.pattern = VT_PATTERN_STRIPES;
 *     vt_material_shade(&glaze, local_point, local_normal, pixel_size, &surface);
 *
 * Threads: no state.
 */
#ifndef VT_SAMPLE_MATERIAL_H
#define VT_SAMPLE_MATERIAL_H

#include "sample/number.h"

#include <stdbool.h>

typedef enum vt_finish {
    VT_FINISH_CERAMIC,  /* glossy glaze */
    VT_FINISH_CLAY,     /* matte, unglazed */
    VT_FINISH_POLISHED, /* metal */
    VT_FINISH_BRUSHED,  /* metal */
    VT_FINISH_WOOD,
    VT_FINISH_LEATHER,
    VT_FINISH_CANVAS, /* woven cloth */
    VT_FINISH_KNIT,
    VT_FINISH_PLUSH,
    VT_FINISH_PLASTIC, /* glossy */
    VT_FINISH_RUBBER,  /* matte plastic */
    VT_FINISH_LACQUER, /* painted metal or wood */
    VT_FINISH_GLASS,   /* thin, tinted, seen through */
    VT_FINISH_WICKER,
    VT_FINISH_GLOW, /* shines by itself, such as a lamp's bulb */
    VT_FINISH_COUNT
} vt_finish;

typedef enum vt_pattern {
    VT_PATTERN_PLAIN,
    VT_PATTERN_STRIPES,
    VT_PATTERN_PINSTRIPES, /* along the height */
    VT_PATTERN_DIAGONAL,
    VT_PATTERN_ZIGZAG,
    VT_PATTERN_DOTS,
    VT_PATTERN_CHECKS,
    VT_PATTERN_PLAID,
    VT_PATTERN_BAND,
    VT_PATTERN_GRADIENT,
    VT_PATTERN_DIP,
    VT_PATTERN_SPECKLE,
    VT_PATTERN_FLORAL,
    VT_PATTERN_STARS,
    VT_PATTERN_MARBLE,
    VT_PATTERN_COUNT
} vt_pattern;

typedef enum vt_projection {
    VT_PROJECTION_AROUND, /* u the angle about y, v = y */
    VT_PROJECTION_FRONT,  /* u = x, v = y */
    VT_PROJECTION_TOP,    /* u = x, v = z */
    VT_PROJECTION_BOX,    /* by the face */
} vt_projection;

typedef struct vt_material {
    vt_finish finish;
    vt_pattern pattern;
    vt_projection projection;
    vt_vec3 color[3]; /* linear light */
    float scale;      /* pattern cells per unit of length */
    float around;     /* cells around the y axis, whole (VT_PROJECTION_AROUND) */
    float low, high;  /* v between which a band lies or a gradient runs, v of a dip */
    float share;      /* of the second colour, 0..1 */
    float grain;      /* features of the finish per unit of length */
    int grain_axis;   /* wood and brushing run along 0 x, 1 y, 2 z, 3 around y */
    uint32_t seed;
    float glow; /* light of its own, times the colour */
    int lined;  /* the inner side has another colour: 1 of a vessel, -1 of a shade; 0: no */
    vt_vec3 lining;
} vt_material;

/* How a point of a surface answers to light. */
typedef struct vt_surface {
    vt_vec3 albedo;
    vt_vec3 normal;      /* local, bumps included */
    vt_vec3 reflectance; /* at normal incidence */
    float roughness;     /* 0 mirror, 1 matte */
    float metal;
    float sheen;        /* light of fibres at grazing angles */
    float transmission; /* share of light let straight through a wall */
    float glow;
} vt_surface;

/* Plain, with what fits the finish. */
vt_material vt_material_make(vt_finish finish, vt_vec3 color);
void vt_material_shade(const vt_material *material, vt_vec3 point, vt_vec3 normal, float pixel_size,
                       vt_surface *out);
bool vt_finish_is_metal(vt_finish finish);

/* pattern.c: the colour at `point` (local). */
vt_vec3 vt_pattern_color(const vt_material *material, vt_vec3 point, vt_vec3 normal,
                         float pixel_size);
/* Where on the plane of the pattern a point is, in units of length. */
void vt_pattern_place(const vt_material *material, vt_vec3 point, vt_vec3 normal, float *u,
                      float *v);

#endif
