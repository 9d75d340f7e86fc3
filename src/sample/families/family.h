/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Families of goods, and the design of one product of a family: its model and the words for it.
 *
 *     vt_design design;
 *     if (!vt_design_init(&design, &root_random, 17)) ...   // the catalogue's 18th product
 *     design.model, design.color_name, design.features ...
 *     vt_design_deinit(&design);
 *
 * A family is a row of the table in family.c with a build function in a file of families/. Shape
 * and coat draw from two generators, so that a shape can come back in another coat, as it does in
 * shops. Builders draw one number per statement: C does not say in which order arguments are
 * evaluated.
 *
 * Threads: a design belongs to one thread; the table is constant.
 */
#ifndef VT_SAMPLE_FAMILY_H
#define VT_SAMPLE_FAMILY_H

#include "base/random.h"
#include "sample/palette.h"
#include "sample/solid.h"

enum { VT_DESIGN_FEATURES = 4 };

typedef enum vt_placement { VT_PLACE_STANDS, VT_PLACE_WALL, VT_PLACE_HANGS } vt_placement;
typedef enum vt_setting {
    VT_SETTING_TABLE,
    VT_SETTING_ROOM
} vt_setting; /* where it is photographed */

struct vt_family;

typedef struct vt_design {
    const struct vt_family *family;
    size_t number;         /* of the product in its family */
    vt_random shape, coat; /* generators */
    vt_solid *model;       /* owned */
    /* words; borrowed from constant tables */
    const char *noun;           /* "Espresso Mug" */
    const char *character;      /* "Tall", or "" */
    const char *material;       /* "Ceramic" */
    const char *color, *second; /* names; second NULL: one colour */
    vt_pattern pattern;
    vt_vec3 first_rgb, second_rgb;            /* of the main coat */
    const char *features[VT_DESIGN_FEATURES]; /* "a round handle" */
    int feature_count;
    float dearness; /* 0 the cheapest of its family .. 1 the dearest */
    bool coated;    /* the main coat was chosen */
} vt_design;

typedef struct vt_family {
    const char *name, *category;
    vt_placement placement;
    vt_setting setting;
    float low_price, high_price;
    float front_degrees, height_degrees; /* of the first studio view: to the side, from above */
    float size_cm;
    void (*build)(vt_design *design);
    const char *brands[3];
    const char *use; /* a sentence for the description */
} vt_family;

size_t vt_family_count(void);
const vt_family *vt_family_at(size_t index);

bool vt_design_init(vt_design *design, const vt_random *root,
                    size_t product); /* false: no memory */
void vt_design_deinit(vt_design *design);
bool vt_design_is_glass(const vt_design *design); /* its main coat lets light through */

/* ---- for builders ---- */

float vt_design_float(vt_design *design, float low, float high);
int vt_design_pick(vt_design *design, int count); /* 0 .. count - 1 */
bool vt_design_chance(vt_design *design, float share);
void vt_design_feature(vt_design *design, const char *words);

/* What a main part may be coated with. */
typedef struct vt_coat {
    uint32_t finishes; /* bits 1u << vt_finish */
    uint32_t patterns; /* bits 1u << vt_pattern */
    vt_projection projection;
    float radius;    /* VT_PROJECTION_AROUND: about how wide */
    float cell;      /* size of a cell of the pattern */
    float low, high; /* height of a band, the run of a gradient, the edge of a dip */
    float grain;     /* 0: that of the finish */
    int grain_axis;
} vt_coat;

/* Chooses and notes the product's colour, pattern and material; returns the model's material. */
int vt_design_coat(vt_design *design, const vt_coat *coat);
/* A further material that says nothing about the product: of a group of the palette. */
int vt_design_accent(vt_design *design, vt_finish finish, vt_palette_group group);
int vt_design_fixed(vt_design *design, vt_finish finish, uint32_t srgb);
vt_material *vt_design_material(vt_design *design, int material);
/* An accent in the second colour of the coat (or one that goes with it), or in its first. */
int vt_design_second(vt_design *design, vt_finish finish);
int vt_design_first(vt_design *design, vt_finish finish);

/* Largest x of the pen's points near height y: where a handle meets a vessel. */
float vt_pen_reach(const vt_pen *pen, float y);

#define VT_FINISH_BIT(name)  (1u << VT_FINISH_##name)
#define VT_PATTERN_BIT(name) (1u << VT_PATTERN_##name)
enum {
    VT_PATTERNS_GLAZE = 1u << VT_PATTERN_PLAIN | 1u << VT_PATTERN_STRIPES |
                        1u << VT_PATTERN_PINSTRIPES | 1u << VT_PATTERN_ZIGZAG |
                        1u << VT_PATTERN_DOTS | 1u << VT_PATTERN_BAND | 1u << VT_PATTERN_GRADIENT |
                        1u << VT_PATTERN_DIP | 1u << VT_PATTERN_SPECKLE | 1u << VT_PATTERN_FLORAL |
                        1u << VT_PATTERN_MARBLE,
    VT_PATTERNS_CLOTH = 1u << VT_PATTERN_PLAIN | 1u << VT_PATTERN_STRIPES |
                        1u << VT_PATTERN_PINSTRIPES | 1u << VT_PATTERN_DIAGONAL |
                        1u << VT_PATTERN_ZIGZAG | 1u << VT_PATTERN_DOTS | 1u << VT_PATTERN_CHECKS |
                        1u << VT_PATTERN_PLAID | 1u << VT_PATTERN_FLORAL | 1u << VT_PATTERN_STARS,
};

/* One build function per family, by file. */
void vt_build_mug(vt_design *design);
void vt_build_teapot(vt_design *design);
void vt_build_kettle(vt_design *design);
void vt_build_vase(vt_design *design);
void vt_build_bottle(vt_design *design);
void vt_build_bowl(vt_design *design);
void vt_build_plant_pot(vt_design *design);
void vt_build_table_lamp(vt_design *design);
void vt_build_pendant_lamp(vt_design *design);
void vt_build_chair(vt_design *design);
void vt_build_stool(vt_design *design);
void vt_build_table(vt_design *design);
void vt_build_handbag(vt_design *design);
void vt_build_backpack(vt_design *design);
void vt_build_sneaker(vt_design *design);
void vt_build_hat(vt_design *design);
void vt_build_watch(vt_design *design);
void vt_build_sunglasses(vt_design *design);
void vt_build_headphones(vt_design *design);
void vt_build_toy_car(vt_design *design);
void vt_build_bear(vt_design *design);
void vt_build_robot(vt_design *design);
void vt_build_clock(vt_design *design);
void vt_build_cushion(vt_design *design);

#endif
