/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Purpose: table lamps and pendant lamps: a shade, what holds it, a bulb.
 */
#include "sample/families/family.h"

/* A lamp's shade, open below (and above unless closed), its lower rim at y = 0. */
static void shade_side(vt_pen *pen, int kind, float radius, float height)
{
    float r = radius;
    float h = height;
    if (kind == 0) { /* drum */
        vt_pen_corner(pen, r, 0.0f);
        vt_pen_corner(pen, r * 0.97f, h);
    } else if (kind == 1) { /* cone */
        vt_pen_corner(pen, r, 0.0f);
        vt_pen_corner(pen, r * 0.46f, h);
    } else if (kind == 2) { /* bell */
        const float p[][2] = {
            {r, 0}, {r * 0.76f, h * 0.3f}, {r * 0.56f, h * 0.68f}, {r * 0.48f, h}};
        vt_pen_curve(pen, p, 4);
    } else if (kind == 3) { /* dome, closed above */
        const float p[][2] = {{r, 0},
                              {r * 0.96f, h * 0.3f},
                              {r * 0.72f, h * 0.72f},
                              {r * 0.34f, h * 0.95f},
                              {0.05f, h}};
        vt_pen_curve(pen, p, 5);
    } else if (kind == 4) { /* funnel, closed above */
        const float p[][2] = {{r, 0},
                              {r * 0.84f, h * 0.14f},
                              {r * 0.3f, h * 0.46f},
                              {r * 0.15f, h * 0.8f},
                              {0.05f, h}};
        vt_pen_curve(pen, p, 5);
    } else { /* lantern, pinched at both ends */
        const float p[][2] = {
            {r * 0.55f, 0}, {r * 0.96f, h * 0.3f}, {r * 0.98f, h * 0.62f}, {r * 0.4f, h}};
        vt_pen_curve(pen, p, 4);
    }
}

static const vt_outline *shade_outline(vt_design *d, int kind, float radius, float height)
{
    vt_pen outer = {0};
    shade_side(&outer, kind, radius, height);
    vt_pen section = outer;
    for (int i = outer.count - 1; i >= 0; i--)
        vt_pen_corner(&section, f_max(outer.x[i] - 0.018f, 0.0f),
                      outer.y[i] - (kind == 3 || kind == 4 ? 0.016f : 0.0f));
    return vt_solid_outline(d->model, &section, VT_OUTLINE_LATHE);
}

static void lamp_foot_vase(vt_design *d, int coat, float height)
{
    float r = vt_design_float(d, 0.16f, 0.25f);
    float at = vt_design_float(d, 0.3f, 0.6f);
    const float p[][2] = {{r * 0.7f, 0},           {r * 0.75f, 0.03f},
                          {r, height * at * 0.7f}, {r * 0.86f, height * at},
                          {0.06f, height * 0.85f}, {0.045f, height}};
    vt_pen pen = {0};
    vt_pen_curve(&pen, p, 6);
    vt_pen_to_axis(&pen);
    vt_part *foot = vt_solid_lathe(d->model, v3(0, 0, 0),
                                   vt_solid_outline(d->model, &pen, VT_OUTLINE_LATHE), coat);
    if (vt_design_chance(d, 0.3f)) {
        foot->flutes = 10.0f;
        foot->flute_depth = 0.012f;
    }
    vt_design_feature(d, "a vase-shaped foot");
}

static void lamp_foot(vt_design *d, int coat, float height)
{
    switch (vt_design_pick(d, 5)) {
    case 0:
        lamp_foot_vase(d, coat, height);
        break;
    case 1: {
        vt_solid_cylinder(d->model, v3(0, 0.022f, 0), v3(0.21f, 0.022f, 0), 0.012f, coat);
        vt_solid_cylinder(d->model, v3(0, height * 0.5f, 0), v3(0.02f, height * 0.5f, 0), 0.005f,
                          coat);
        vt_solid_join(d->model, VT_JOIN_ADD, 0.03f);
        vt_design_feature(d, "a slim stem");
        break;
    }
    case 2: {
        vt_part *leg =
            vt_solid_rod(d->model, v3(0.05f, height * 0.97f, 0), v3(0.27f, 0.02f, 0), 0.026f, coat);
        leg->taper = 0.02f;
        leg->copies = 3;
        vt_solid_cylinder(d->model, v3(0, height * 0.95f, 0), v3(0.07f, 0.05f, 0), 0.02f, coat);
        vt_design_feature(d, "a tripod foot");
        break;
    }
    case 3: {
        int balls = vt_design_pick(d, 2) + 2;
        float r = height * 0.46f / (float)balls;
        float y = 0.0f;
        for (int i = 0; i < balls; i++) {
            vt_solid_ball(d->model, v3(0, y + r, 0), v3_all(r * 1.04f), coat);
            y += 2.0f * r;
        }
        vt_solid_cylinder(d->model, v3(0, 0.5f * (y + height), 0),
                          v3(0.03f, 0.5f * (height - y) + 0.01f, 0), 0.0f, coat);
        vt_design_feature(d, "stacked balls");
        break;
    }
    default: {
        vt_part *block = vt_solid_box(d->model, v3(0, height * 0.4f, 0),
                                      v3(0.13f, height * 0.4f, 0.13f), 0.03f, coat);
        vt_part_turn(block, 0, 20, 0);
        vt_solid_cylinder(d->model, v3(0, height * 0.88f, 0), v3(0.028f, height * 0.13f, 0), 0.0f,
                          coat);
        vt_design_feature(d, "a block foot");
        break;
    }
    }
}

static int lamp_shade_coat(vt_design *d, float radius, float height, bool hanging)
{
    uint32_t cloth = VT_FINISH_BIT(CANVAS) | VT_FINISH_BIT(LACQUER);
    uint32_t hard = VT_FINISH_BIT(LACQUER) | VT_FINISH_BIT(BRUSHED) | VT_FINISH_BIT(WICKER) |
                    VT_FINISH_BIT(CERAMIC);
    int coat =
        vt_design_coat(d, &(vt_coat){.finishes = hanging ? hard : cloth,
                                     .patterns = VT_PATTERNS_CLOTH | VT_PATTERN_BIT(GRADIENT) |
                                                 VT_PATTERN_BIT(BAND),
                                     .projection = VT_PROJECTION_AROUND,
                                     .radius = radius,
                                     .cell = 0.16f,
                                     .low = 0.0f,
                                     .high = height,
                                     .grain = hanging ? 0.0f : 55.0f,
                                     .grain_axis = 3});
    vt_material *m = vt_design_material(d, coat);
    if (m->finish == VT_FINISH_CANVAS)
        m->glow = 0.22f; /* the bulb behind it */
    m->lined = m->finish != VT_FINISH_WICKER ? -1 : 0;
    m->lining = hanging ? vt_rgb_linear(0xf4e3b8) : vt_rgb_linear(0xfff3d6);
    return coat;
}

void vt_build_table_lamp(vt_design *d)
{
    float height = vt_design_float(d, 0.42f, 0.75f);
    float radius = vt_design_float(d, 0.28f, 0.4f);
    float shade_height = vt_design_float(d, 0.26f, 0.42f);
    int kind = vt_design_pick(d, 4);
    static const char *const words[] = {"Drum", "Conical", "Bell", "Dome"};
    d->character = words[kind];
    int coat = lamp_shade_coat(d, radius, shade_height, false);
    float y = height - 0.02f;
    vt_solid_lathe(d->model, v3(0, y, 0), shade_outline(d, kind, radius, shade_height), coat);
    int foot;
    switch (vt_random_int(&d->coat, 0, 3)) {
    case 0:
        foot = vt_design_accent(d, VT_FINISH_WOOD, VT_PALETTE_WOOD);
        break;
    case 1:
        foot = vt_design_accent(d, VT_FINISH_POLISHED, VT_PALETTE_METAL);
        break;
    case 2:
        foot = vt_design_second(d, VT_FINISH_CERAMIC);
        break;
    default:
        foot = vt_design_fixed(d, VT_FINISH_RUBBER, 0x2a2b2f);
        break;
    }
    lamp_foot(d, foot, height);
    int bulb = vt_design_fixed(d, VT_FINISH_GLOW, 0xfff0cc);
    vt_solid_ball(d->model, v3(0, y + 0.1f, 0), v3_all(0.06f), bulb);
    d->noun = vt_design_chance(d, 0.3f) ? "Bedside Lamp" : "Table Lamp";
}

void vt_build_pendant_lamp(vt_design *d)
{
    float radius = vt_design_float(d, 0.3f, 0.46f);
    int kind = 1 + vt_design_pick(d, 5);
    float height = radius * vt_design_float(d, 0.75f, 1.35f);
    static const char *const words[] = {"Drum", "Conical", "Bell", "Dome", "Funnel", "Lantern"};
    d->character = words[kind];
    int coat = lamp_shade_coat(d, radius, height, true);
    vt_solid_lathe(d->model, v3(0, 0, 0), shade_outline(d, kind, radius, height), coat);
    int fitting = vt_design_chance(d, 0.5f)
                      ? vt_design_accent(d, VT_FINISH_POLISHED, VT_PALETTE_METAL)
                      : vt_design_fixed(d, VT_FINISH_RUBBER, 0x2a2b2f);
    int cord = vt_design_fixed(d, VT_FINISH_RUBBER, 0x333336);
    float top = height;
    float cap = kind == 1   ? radius * 0.47f
                : kind == 2 ? radius * 0.49f
                : kind == 5 ? radius * 0.41f
                            : 0.07f;
    vt_solid_cylinder(d->model, v3(0, top, 0), v3(cap, 0.02f, 0), 0.008f, fitting);
    vt_solid_cylinder(d->model, v3(0, top + 0.06f, 0), v3(0.045f, 0.05f, 0), 0.015f, fitting);
    float cord_length = vt_design_float(d, 0.35f, 0.6f);
    vt_solid_cylinder(d->model, v3(0, top + 0.1f + cord_length * 0.5f, 0),
                      v3(0.011f, cord_length * 0.5f, 0), 0.0f, cord);
    vt_solid_cylinder(d->model, v3(0, top + 0.11f + cord_length, 0), v3(0.09f, 0.02f, 0), 0.01f,
                      fitting);
    int bulb = vt_design_fixed(d, VT_FINISH_GLOW, 0xfff0cc);
    vt_solid_ball(d->model, v3(0, height * (kind == 4 ? 0.12f : 0.28f), 0), v3_all(0.085f), bulb);
    d->noun = "Pendant Lamp";
}
