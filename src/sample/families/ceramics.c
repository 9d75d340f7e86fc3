/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Purpose: mugs, bowls and plant pots: open vessels turned on a wheel.
 */
#include "sample/families/family.h"

static const uint32_t glazes = VT_FINISH_BIT(CERAMIC) | VT_FINISH_BIT(CLAY);

static void line_vessel(vt_design *d, int coat)
{
    static const uint32_t linings[] = {0xf5f3ec, 0xf2e8d2, 0x2b2c30};
    vt_material *m = vt_design_material(d, coat);
    int kind = vt_random_int(&d->coat, 0, 4);
    if (kind > 2)
        return;
    m->lined = 1;
    m->lining = vt_rgb_linear(linings[kind]);
}

/* The side of a mug from foot to rim. */
static void mug_side(vt_design *d, vt_pen *pen, float height, float radius)
{
    float h = height;
    float r = radius;
    float foot = r * vt_design_float(d, 0.72f, 0.86f);
    switch (vt_design_pick(d, 5)) {
    case 0: {
        const float p[][2] = {
            {r * 0.9f, 0}, {r * 0.985f, 0.03f}, {r, 0.09f}, {r, h * 0.5f}, {r, h}};
        vt_pen_curve(pen, p, 5);
        d->character = "Classic";
        break;
    }
    case 1: {
        const float p[][2] = {
            {foot, 0}, {foot * 1.04f, 0.03f}, {r * 0.96f, h * 0.55f}, {r * 1.08f, h}};
        vt_pen_curve(pen, p, 4);
        d->character = "Tapered";
        break;
    }
    case 2: {
        const float p[][2] = {{foot * 0.8f, 0},
                              {r * 0.98f, h * 0.16f},
                              {r * 1.12f, h * 0.42f},
                              {r * 1.0f, h * 0.75f},
                              {r * 0.93f, h}};
        vt_pen_curve(pen, p, 5);
        d->character = "Round";
        break;
    }
    case 3: {
        const float p[][2] = {{foot * 0.85f, 0},
                              {foot * 0.85f, 0.05f},
                              {r * 1.02f, h * 0.28f},
                              {r * 1.0f, h * 0.62f},
                              {r * 1.16f, h}};
        vt_pen_curve(pen, p, 5);
        d->character = "Tulip";
        break;
    }
    default: {
        const float p[][2] = {{r * 1.08f, 0},
                              {r * 1.13f, 0.04f},
                              {r * 1.1f, h * 0.2f},
                              {r * 0.95f, h * 0.6f},
                              {r * 0.9f, h}};
        vt_pen_curve(pen, p, 5);
        d->character = "Sturdy";
        break;
    }
    }
}

static void mug_handle(vt_design *d, const vt_pen *side, float height, int coat)
{
    float thick = vt_design_float(d, 0.045f, 0.068f);
    float top = height * vt_design_float(d, 0.76f, 0.86f);
    float low = height * vt_design_float(d, 0.16f, 0.32f);
    float x0 = vt_pen_reach(side, top) - 0.01f;
    float x1 = vt_pen_reach(side, low) - 0.01f;
    float out = vt_design_float(d, 0.25f, 0.34f);
    float middle = 0.5f * (top + low);
    float x = f_max(x0, x1);
    vt_pen pen = {0};
    switch (vt_design_pick(d, 4)) {
    case 0: {
        const float p[][2] = {{x0, top},
                              {x + out * 0.55f, top + 0.02f},
                              {x + out, middle + 0.08f},
                              {x + out * 0.8f, low + 0.07f},
                              {x1, low}};
        vt_pen_curve(&pen, p, 5);
        vt_design_feature(d, "a curved handle");
        break;
    }
    case 1: {
        const float p[][2] = {{x0, top},
                              {x + out * 0.8f, top},
                              {x + out, top - 0.07f},
                              {x + out, low + 0.07f},
                              {x + out * 0.8f, low},
                              {x1, low}};
        vt_pen_curve(&pen, p, 6);
        vt_design_feature(d, "a square handle");
        break;
    }
    case 2: {
        const float p[][2] = {{x0, top},
                              {x + out * 0.9f, top + 0.10f},
                              {x + out * 1.05f, middle + 0.1f},
                              {x + out * 0.5f, low + 0.1f},
                              {x1, low}};
        vt_pen_curve(&pen, p, 5);
        vt_design_feature(d, "an ear-shaped handle");
        break;
    }
    default: {
        float r = 0.42f * (top - low);
        vt_pen_arc(&pen, x - 0.02f, middle, r, 82.0f, -82.0f);
        vt_design_feature(d, "a round handle");
        break;
    }
    }
    const vt_outline *stroke = vt_solid_outline(d->model, &pen, VT_OUTLINE_STROKE);
    vt_part *handle = vt_solid_tube(d->model, v3(0, 0, 0), stroke, thick, coat);
    handle->size.z = thick * vt_design_float(d, 1.0f, 1.6f);
    vt_solid_join(d->model, VT_JOIN_ADD, 0.05f);
}

void vt_build_mug(vt_design *d)
{
    float height = vt_design_float(d, 0.68f, 1.12f);
    float radius = vt_design_float(d, 0.34f, 0.46f);
    vt_pen side = {0};
    mug_side(d, &side, height, radius);
    vt_pen section = side;
    vt_pen_hollow(&section, 0.045f, 0.07f);
    int coat = vt_design_coat(d, &(vt_coat){.finishes = glazes,
                                            .patterns = VT_PATTERNS_GLAZE,
                                            .projection = VT_PROJECTION_AROUND,
                                            .radius = radius,
                                            .cell = 0.17f,
                                            .low = 0.0f,
                                            .high = height});
    line_vessel(d, coat);
    vt_part *body = vt_solid_lathe(d->model, v3(0, 0, 0),
                                   vt_solid_outline(d->model, &section, VT_OUTLINE_LATHE), coat);
    if (vt_design_chance(d, 0.16f)) {
        body->flutes = 18.0f;
        body->flute_depth = 0.012f;
        vt_design_feature(d, "fine grooves");
    }
    int handle;
    if (vt_random_float(&d->coat, 0.0f, 1.0f) < 0.3f)
        handle = vt_design_second(d, VT_FINISH_CERAMIC);
    else
        handle = vt_design_first(d, vt_design_material(d, coat)->finish);
    mug_handle(d, &side, height, handle);
    d->noun = height > 0.98f ? "Latte Mug" : height < 0.76f ? "Espresso Mug" : "Mug";
}

static void bowl_side(vt_design *d, vt_pen *pen, float radius, float height)
{
    float foot = radius * vt_design_float(d, 0.36f, 0.5f);
    switch (vt_design_pick(d, 4)) {
    case 0: {
        const float p[][2] = {{foot, 0},
                              {foot * 0.97f, 0.05f},
                              {radius * 0.72f, height * 0.3f},
                              {radius * 0.93f, height * 0.65f},
                              {radius, height}};
        vt_pen_curve(pen, p, 5);
        break;
    }
    case 1: {
        const float p[][2] = {{foot, 0},
                              {foot * 1.02f, 0.03f},
                              {radius * 0.62f, height * 0.16f},
                              {radius * 0.86f, height * 0.55f},
                              {radius * 1.08f, height}};
        vt_pen_curve(pen, p, 5);
        d->character = "Flared";
        break;
    }
    case 2: {
        const float p[][2] = {{foot * 1.3f, 0},
                              {radius * 0.86f, 0.06f},
                              {radius * 0.97f, height * 0.3f},
                              {radius, height * 0.7f},
                              {radius, height}};
        vt_pen_curve(pen, p, 5);
        d->character = "Straight";
        break;
    }
    default: {
        const float p[][2] = {{foot * 0.9f, 0},
                              {foot * 0.82f, 0.1f},
                              {radius * 0.7f, height * 0.42f},
                              {radius * 0.98f, height * 0.75f},
                              {radius * 0.95f, height}};
        vt_pen_curve(pen, p, 5);
        d->character = "Footed";
        break;
    }
    }
}

void vt_build_bowl(vt_design *d)
{
    float radius = vt_design_float(d, 0.5f, 0.66f);
    float height = vt_design_float(d, 0.3f, 0.56f);
    vt_pen pen = {0};
    bowl_side(d, &pen, radius, height);
    vt_pen_hollow(&pen, 0.04f, 0.09f);
    int coat = vt_design_coat(
        d, &(vt_coat){.finishes = glazes | VT_FINISH_BIT(WOOD) | VT_FINISH_BIT(LACQUER),
                      .patterns = VT_PATTERNS_GLAZE | VT_PATTERN_BIT(STARS),
                      .projection = VT_PROJECTION_AROUND,
                      .radius = radius * 0.9f,
                      .cell = 0.15f,
                      .low = 0.0f,
                      .high = height,
                      .grain_axis = 0});
    if (vt_design_material(d, coat)->finish != VT_FINISH_WOOD)
        line_vessel(d, coat);
    vt_part *body = vt_solid_lathe(d->model, v3(0, 0, 0),
                                   vt_solid_outline(d->model, &pen, VT_OUTLINE_LATHE), coat);
    if (vt_design_chance(d, 0.25f)) {
        body->flutes = 8.0f + 4.0f * (float)vt_design_pick(d, 3);
        body->flute_depth = 0.022f;
        vt_design_feature(d, "a scalloped rim");
    }
    d->noun = radius > 0.6f ? "Salad Bowl" : height > 0.48f ? "Noodle Bowl" : "Bowl";
}

/* foot_height_top: radius below, height, radius above. */
static void pot_side(vt_design *d, vt_pen *pen, int kind, vt_vec3 foot_height_top)
{
    float foot = foot_height_top.x;
    float height = foot_height_top.y;
    float top = foot_height_top.z;
    if (kind == 0) { /* a collar around the rim */
        float collar = height * 0.78f;
        float r = f_mix(foot, top, 0.8f);
        vt_pen_corner(pen, foot, 0.0f);
        vt_pen_corner(pen, r * 0.97f, collar);
        vt_pen_corner(pen, r * 1.08f, collar);
        vt_pen_corner(pen, r * 1.12f, height);
        d->character = "Classic";
    } else if (kind == 1) {
        const float p[][2] = {{foot, 0}, {f_mix(foot, top, 0.5f), height * 0.5f}, {top, height}};
        vt_pen_curve(pen, p, 3);
        d->character = "Conical";
    } else if (kind == 2) {
        const float p[][2] = {{foot * 0.7f, 0},
                              {top * 1.02f, height * 0.3f},
                              {top * 1.08f, height * 0.55f},
                              {top * 0.86f, height}};
        vt_pen_curve(pen, p, 4);
        d->character = "Bulbous";
    } else {
        const float p[][2] = {{top * 0.94f, 0}, {top, 0.04f}, {top, height * 0.5f}, {top, height}};
        vt_pen_curve(pen, p, 4);
        d->character = "Cylindrical";
    }
}

void vt_build_plant_pot(vt_design *d)
{
    float height = vt_design_float(d, 0.62f, 0.95f);
    float top = vt_design_float(d, 0.42f, 0.56f);
    float foot = top * vt_design_float(d, 0.62f, 0.98f);
    vt_pen pen = {0};
    int kind = vt_design_pick(d, 4);
    pot_side(d, &pen, kind, v3(foot, height, top));
    float soil_radius = vt_pen_reach(&pen, height * 0.8f) - 0.03f;
    vt_pen_hollow(&pen, 0.05f, 0.1f);
    int coat =
        vt_design_coat(d, &(vt_coat){.finishes = glazes | VT_FINISH_BIT(WICKER),
                                     .patterns = VT_PATTERNS_GLAZE | VT_PATTERN_BIT(DIAGONAL),
                                     .projection = VT_PROJECTION_AROUND,
                                     .radius = top,
                                     .cell = 0.2f,
                                     .low = 0.0f,
                                     .high = height});
    vt_part *body = vt_solid_lathe(d->model, v3(0, 0, 0),
                                   vt_solid_outline(d->model, &pen, VT_OUTLINE_LATHE), coat);
    if (kind != 0 && vt_design_material(d, coat)->finish != VT_FINISH_WICKER &&
        vt_design_chance(d, 0.3f)) {
        body->flutes = 14.0f + 6.0f * (float)vt_design_pick(d, 3);
        body->flute_depth = 0.018f;
        vt_design_feature(d, "vertical ribs");
    }
    int soil = vt_design_fixed(d, VT_FINISH_PLUSH, 0x35261c);
    vt_solid_cylinder(d->model, v3(0, height * 0.78f, 0), v3(soil_radius, 0.04f, 0), 0.02f, soil);
    if (kind == 3 && vt_design_chance(d, 0.5f)) {
        int wood = vt_design_accent(d, VT_FINISH_WOOD, VT_PALETTE_WOOD);
        vt_part *leg = vt_solid_rod(d->model, v3(top * 0.75f, 0.04f, 0), v3(top * 0.95f, -0.36f, 0),
                                    0.04f, wood);
        leg->copies = 4;
        vt_design_feature(d, "a wooden stand");
    } else if (vt_design_chance(d, 0.4f)) {
        vt_solid_cylinder(d->model, v3(0, 0.0f, 0), v3(foot * 1.25f, 0.035f, 0), 0.02f, coat);
        vt_design_feature(d, "a saucer");
    }
    d->noun = height > 0.85f ? "Planter" : "Plant Pot";
}
