/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Purpose: vases and bottles.
 */
#include "sample/families/family.h"

static void vase_side(vt_design *d, vt_pen *pen, float h, float belly)
{
    float neck = belly * vt_design_float(d, 0.28f, 0.5f);
    float lip = neck * vt_design_float(d, 1.15f, 1.8f);
    float foot = belly * vt_design_float(d, 0.5f, 0.72f);
    float at = vt_design_float(d, 0.3f, 0.62f);
    switch (vt_design_pick(d, 6)) {
    case 0: {
        const float p[][2] = {{foot, 0},        {f_mix(foot, belly, 0.75f), h * at * 0.5f},
                              {belly, h * at},  {neck * 1.1f, h * 0.82f},
                              {neck, h * 0.9f}, {lip, h}};
        vt_pen_curve(pen, p, 6);
        d->character = "Bellied";
        break;
    }
    case 1: {
        const float p[][2] = {{foot * 0.8f, 0},
                              {belly * 0.8f, h * 0.25f},
                              {belly * 0.86f, h * 0.6f},
                              {belly * 1.0f, h}};
        vt_pen_curve(pen, p, 4);
        d->character = "Flared";
        break;
    }
    case 2: {
        const float p[][2] = {{belly * 0.66f, 0}, {belly * 0.7f, 0.04f}, {belly * 0.7f, h}};
        vt_pen_curve(pen, p, 3);
        d->character = "Cylinder";
        break;
    }
    case 3: {
        const float p[][2] = {{foot, 0},
                              {belly * 1.2f, h * 0.16f},
                              {belly * 1.25f, h * 0.28f},
                              {neck * 0.75f, h * 0.5f},
                              {neck * 0.62f, h * 0.85f},
                              {neck * 0.9f, h}};
        vt_pen_curve(pen, p, 6);
        d->character = "Long-Necked";
        break;
    }
    case 4: {
        const float p[][2] = {{foot * 0.9f, 0},           {foot * 0.7f, 0.06f},
                              {belly * 0.72f, h * 0.3f},  {belly * 1.05f, h * 0.72f},
                              {belly * 0.95f, h * 0.86f}, {neck * 1.5f, h * 0.95f},
                              {neck * 1.55f, h}};
        vt_pen_curve(pen, p, 7);
        d->character = "Shouldered";
        break;
    }
    default: {
        const float p[][2] = {{belly * 0.9f, 0},          {belly, h * 0.14f},
                              {belly * 0.6f, h * 0.38f},  {belly * 0.85f, h * 0.66f},
                              {belly * 0.66f, h * 0.86f}, {belly * 0.84f, h}};
        vt_pen_curve(pen, p, 6);
        d->character = "Double-Bellied";
        break;
    }
    }
}

static void vase_handles(vt_design *d, const vt_pen *side, float h, int coat)
{
    float low = h * 0.55f;
    float high = h * 0.88f;
    float x0 = vt_pen_reach(side, high);
    float x1 = vt_pen_reach(side, low);
    float out = f_max(x0, x1) + 0.14f;
    const float p[][2] = {
        {x0, high}, {out * 0.92f, high + 0.02f}, {out, 0.6f * high + 0.4f * low}, {x1, low}};
    vt_pen ear = {0};
    vt_pen_curve(&ear, p, 4);
    vt_part *handle = vt_solid_tube(
        d->model, v3(0, 0, 0), vt_solid_outline(d->model, &ear, VT_OUTLINE_STROKE), 0.03f, coat);
    handle->mirror_x = true;
    vt_solid_join(d->model, VT_JOIN_ADD, 0.03f);
    vt_design_feature(d, "two handles");
}

void vt_build_vase(vt_design *d)
{
    float h = vt_design_float(d, 0.95f, 1.35f);
    float belly = vt_design_float(d, 0.26f, 0.42f);
    vt_pen pen = {0};
    vase_side(d, &pen, h, belly);
    vt_pen side = pen;
    vt_pen_hollow(&pen, 0.036f, 0.06f);
    int coat =
        vt_design_coat(d, &(vt_coat){.finishes = VT_FINISH_BIT(CERAMIC) | VT_FINISH_BIT(CLAY) |
                                                 VT_FINISH_BIT(GLASS) | VT_FINISH_BIT(LACQUER),
                                     .patterns = VT_PATTERNS_GLAZE | VT_PATTERN_BIT(DIAGONAL),
                                     .projection = VT_PROJECTION_AROUND,
                                     .radius = belly,
                                     .cell = 0.15f,
                                     .low = 0.0f,
                                     .high = h});
    vt_part *body = vt_solid_lathe(d->model, v3(0, 0, 0),
                                   vt_solid_outline(d->model, &pen, VT_OUTLINE_LATHE), coat);
    if (vt_design_chance(d, 0.35f)) {
        body->flutes = 6.0f + 3.0f * (float)vt_design_pick(d, 5);
        body->flute_depth = 0.10f * belly / (1.0f + 0.12f * body->flutes);
        body->flute_twist = vt_design_chance(d, 0.5f) ? vt_design_float(d, 2.0f, 6.0f) : 0.0f;
        vt_design_feature(d, body->flute_twist > 0.0f ? "twisted ribs" : "soft ribs");
    }
    if (vt_design_material(d, coat)->finish != VT_FINISH_GLASS && vt_design_chance(d, 0.22f)) {
        vase_handles(d, &side, h, coat);
    }
    d->noun = h > 1.25f ? "Floor Vase" : "Vase";
}

static void bottle_cap(vt_design *d, float radius, float y)
{
    float tall = vt_design_float(d, 0.07f, 0.15f);
    switch (vt_design_pick(d, 4)) {
    case 0: {
        int wood = vt_design_accent(d, VT_FINISH_WOOD, VT_PALETTE_WOOD);
        vt_solid_cylinder(d->model, v3(0, y + tall * 0.5f, 0), v3(radius * 1.12f, tall * 0.5f, 0),
                          0.015f, wood);
        vt_design_feature(d, "a wooden cap");
        break;
    }
    case 1: {
        int steel = vt_design_accent(d, VT_FINISH_BRUSHED, VT_PALETTE_METAL);
        vt_solid_cylinder(d->model, v3(0, y + tall * 0.5f, 0), v3(radius * 1.12f, tall * 0.5f, 0),
                          0.02f, steel);
        vt_design_feature(d, "a metal screw cap");
        break;
    }
    case 2: {
        int dark = vt_design_fixed(d, VT_FINISH_RUBBER, 0x24262a);
        vt_solid_cylinder(d->model, v3(0, y + tall * 0.4f, 0), v3(radius * 1.15f, tall * 0.4f, 0),
                          0.02f, dark);
        vt_part *loop = vt_solid_ring(d->model, v3(0, y + tall * 0.8f, 0),
                                      v3(radius * 0.8f, 0.022f, 0.022f), dark);
        vt_part_turn(loop, 90, 0, 0);
        vt_solid_join(d->model, VT_JOIN_ADD, 0.02f);
        vt_design_feature(d, "a carrying loop");
        break;
    }
    default: {
        int second = vt_design_second(d, VT_FINISH_PLASTIC);
        vt_solid_cylinder(d->model, v3(0, y + tall * 0.4f, 0), v3(radius * 1.15f, tall * 0.4f, 0),
                          0.02f, second);
        vt_solid_cylinder(d->model, v3(0, y + tall * 0.95f, 0), v3(radius * 0.42f, tall * 0.3f, 0),
                          0.025f, second);
        vt_solid_join(d->model, VT_JOIN_ADD, 0.03f);
        vt_design_feature(d, "a drinking spout");
        break;
    }
    }
}

/* Returns the radius of the neck. */
static float bottle_side(vt_design *d, vt_pen *pen, vt_vec3 radius_height_neck)
{
    float r = radius_height_neck.x;
    float h = radius_height_neck.y;
    float neck = radius_height_neck.z;
    int kind = vt_design_pick(d, 4);
    if (kind == 0) {
        const float p[][2] = {{r * 0.92f, 0},
                              {r, 0.03f},
                              {r, h * 0.35f},
                              {r, h * 0.64f},
                              {neck * 1.15f, h * 0.84f},
                              {neck, h * 0.92f},
                              {neck, h}};
        vt_pen_curve(pen, p, 7);
        d->character = "Slim";
    } else if (kind == 1) {
        float shoulder = h * 0.8f;
        const float p[][2] = {{r * 1.0f, 0},
                              {r * 1.08f, 0.04f},
                              {r * 1.08f, h * 0.4f},
                              {r * 1.08f, shoulder - 0.04f},
                              {r * 0.9f, shoulder + 0.03f},
                              {neck * 1.1f, shoulder + 0.06f},
                              {neck * 1.1f, h}};
        vt_pen_curve(pen, p, 7);
        d->character = "Wide";
    } else if (kind == 2) {
        const float p[][2] = {{r * 0.8f, 0},         {r * 1.08f, h * 0.12f}, {r * 0.86f, h * 0.42f},
                              {r * 1.0f, h * 0.66f}, {neck, h * 0.88f},      {neck, h}};
        vt_pen_curve(pen, p, 6);
        d->character = "Curved";
    } else {
        const float p[][2] = {{r * 0.78f, 0},
                              {r * 0.82f, 0.03f},
                              {r * 0.92f, h * 0.4f},
                              {r * 1.02f, h * 0.86f},
                              {r * 1.0f, h}};
        vt_pen_curve(pen, p, 5);
        neck = r * 0.98f;
        d->character = "Conical";
    }
    return neck;
}

void vt_build_bottle(vt_design *d)
{
    float h = vt_design_float(d, 0.85f, 1.15f);
    float r = vt_design_float(d, 0.17f, 0.25f);
    float neck = r * vt_design_float(d, 0.42f, 0.68f);
    vt_pen pen = {0};
    neck = bottle_side(d, &pen, v3(r, h, neck));
    bool glass = vt_design_chance(d, 0.3f);
    vt_pen section = pen;
    if (glass)
        vt_pen_hollow(&section, 0.03f, 0.05f);
    else
        vt_pen_to_axis(&section);
    uint32_t finishes = VT_FINISH_BIT(LACQUER) | VT_FINISH_BIT(BRUSHED) | VT_FINISH_BIT(PLASTIC) |
                        VT_FINISH_BIT(RUBBER);
    int coat =
        vt_design_coat(d, &(vt_coat){.finishes = glass ? VT_FINISH_BIT(GLASS) : finishes,
                                     .patterns = (VT_PATTERNS_GLAZE | VT_PATTERN_BIT(DIAGONAL) |
                                                  VT_PATTERN_BIT(STARS)) &
                                                 ~VT_PATTERN_BIT(SPECKLE),
                                     .projection = VT_PROJECTION_AROUND,
                                     .radius = r,
                                     .cell = 0.13f,
                                     .low = 0.0f,
                                     .high = h});
    vt_solid_lathe(d->model, v3(0, 0, 0), vt_solid_outline(d->model, &section, VT_OUTLINE_LATHE),
                   coat);
    bottle_cap(d, neck, h - 0.005f);
    if (!glass && vt_design_chance(d, 0.35f)) {
        int band = vt_design_second(d, VT_FINISH_RUBBER);
        float y = h * vt_design_float(d, 0.06f, 0.2f);
        vt_solid_cylinder(d->model, v3(0, y, 0), v3(vt_pen_reach(&pen, y) + 0.012f, 0.06f, 0),
                          0.012f, band);
        vt_design_feature(d, "a non-slip ring");
    }
    d->noun = glass ? "Carafe" : h > 1.02f ? "Thermos Bottle" : "Water Bottle";
}
