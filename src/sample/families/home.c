/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Purpose: wall clocks and cushions.
 */
#include "sample/families/family.h"

static void clock_marks(vt_design *d, float radius, float z, int material)
{
    int kind = vt_design_pick(d, 4);
    if (kind == 3) {
        vt_design_feature(d, "a bare dial");
        return;
    }
    for (int i = 0; i < 12; i++) {
        float angle = (float)i * VT_PI / 6.0f;
        vt_vec3 at = v3(radius * f_sin(angle), radius * f_cos(angle), z);
        bool quarter = i % 3 == 0;
        if (kind == 0) {
            vt_part *mark = vt_solid_box(
                d->model, at, v3(quarter ? 0.016f : 0.009f, quarter ? 0.055f : 0.035f, 0.006f),
                0.0f, material);
            vt_part_turn(mark, 0, 0, -(float)i * 30.0f);
        } else if (kind == 1) {
            vt_solid_ball(d->model, at,
                          v3(quarter ? 0.03f : 0.018f, quarter ? 0.03f : 0.018f, 0.01f), material);
        } else if (quarter) {
            vt_part *mark = vt_solid_box(d->model, at, v3(0.02f, 0.075f, 0.006f), 0.0f, material);
            vt_part_turn(mark, 0, 0, -(float)i * 30.0f);
        }
    }
    vt_design_feature(d, kind == 0   ? "line markers"
                         : kind == 1 ? "dot markers"
                                     : "four bold markers");
}

static void clock_hands(vt_design *d, float radius, float z, int material, int accent)
{
    float hour = vt_design_float(d, 0.0f, 360.0f);
    float minute = f_fract(hour / 30.0f) * 360.0f;
    const float angles[2] = {hour, minute};
    const float lengths[2] = {0.5f, 0.78f};
    const float widths[2] = {0.020f, 0.014f};
    for (int i = 0; i < 2; i++) {
        float a = angles[i] * VT_PI / 180.0f;
        float length = radius * lengths[i] * 0.56f;
        vt_vec3 at =
            v3(length * 0.85f * f_sin(a), length * 0.85f * f_cos(a), z + 0.012f * (float)(i + 1));
        vt_part *hand = vt_solid_box(d->model, at, v3(widths[i], length, 0.005f), 0.004f, material);
        vt_part_turn(hand, 0, 0, -angles[i]);
    }
    vt_part *pin =
        vt_solid_cylinder(d->model, v3(0, 0, z + 0.02f), v3(0.032f, 0.02f, 0), 0.004f, accent);
    vt_part_turn(pin, 90, 0, 0);
}

static int clock_dial(vt_design *d)
{
    switch (vt_random_int(&d->coat, 0, 3)) {
    case 0:
        return vt_design_second(d, VT_FINISH_RUBBER);
    case 1:
        return vt_design_fixed(d, VT_FINISH_RUBBER, 0x26272b);
    default:
        return vt_design_fixed(d, VT_FINISH_RUBBER, 0xf3f1ea);
    }
}

enum { CLOCK_ROUND, CLOCK_SQUARE, CLOCK_SUNBURST, CLOCK_OCTAGON, CLOCK_SHAPES };
static const float CLOCK_RADIUS = 0.5f;

static void clock_body(vt_design *d, int shape, float deep, int coat)
{
    const float r = CLOCK_RADIUS;
    if (shape == CLOCK_SQUARE) {
        float corner = vt_design_float(d, 0.02f, 0.14f);
        vt_part *rim = vt_solid_box(d->model, v3(0, 0, 0), v3(r * 0.94f, r * 0.94f, deep),
                                    f_min(corner, deep * 0.9f), coat);
        rim->round = f_min(corner, deep * 0.9f);
        d->character = "Square";
    } else if (shape == CLOCK_OCTAGON) {
        vt_pen pen = {0};
        for (int i = 0; i < 8; i++) {
            float a = ((float)i + 0.5f) * VT_PI / 4.0f;
            vt_pen_corner(&pen, 1.06f * r * f_cos(a), 1.06f * r * f_sin(a));
        }
        vt_solid_plate(d->model, v3(0, 0, 0), vt_solid_outline(d->model, &pen, VT_OUTLINE_CLOSED),
                       deep, coat)
            ->round = 0.015f;
        d->character = "Octagonal";
    } else {
        float rim = shape == CLOCK_SUNBURST ? r * 0.62f : r;
        vt_part *body =
            vt_solid_cylinder(d->model, v3(0, 0, 0), v3(rim, deep, 0), deep * 0.6f, coat);
        vt_part_turn(body, 90, 0, 0);
        d->character = "Round";
    }
}

void vt_build_clock(vt_design *d)
{
    const float r = CLOCK_RADIUS;
    int shape = vt_design_pick(d, CLOCK_SHAPES);
    int coat =
        vt_design_coat(d, &(vt_coat){.finishes = VT_FINISH_BIT(WOOD) | VT_FINISH_BIT(LACQUER) |
                                                 VT_FINISH_BIT(BRUSHED) | VT_FINISH_BIT(PLASTIC),
                                     .patterns = VT_PATTERN_BIT(PLAIN),
                                     .projection = VT_PROJECTION_FRONT,
                                     .cell = 0.2f,
                                     .high = r,
                                     .grain_axis = 0});
    int dial = clock_dial(d);
    bool dark = v3_luma(vt_design_material(d, dial)->color[0]) < 0.3f;
    int marks = vt_design_fixed(d, VT_FINISH_RUBBER, dark ? 0xf0efe9 : 0x222327);
    int accent = vt_design_first(d, VT_FINISH_PLASTIC);
    float face = r * vt_design_float(d, 0.84f, 0.92f);
    float deep = vt_design_float(d, 0.05f, 0.09f);
    clock_body(d, shape, deep, coat);
    if (shape == CLOCK_SUNBURST)
        face *= 0.62f;
    vt_part *well = vt_solid_cylinder(d->model, v3(0, 0, deep), v3(face, 0.03f, 0), 0.0f, coat);
    vt_part_turn(well, 90, 0, 0);
    vt_solid_join(d->model, VT_JOIN_CUT, 0.01f);
    if (shape == CLOCK_SUNBURST) {
        int rays = 8 + 4 * vt_design_pick(d, 3);
        for (int i = 0; i < rays; i++) {
            float a = 2.0f * VT_PI * (float)i / (float)rays;
            float length = i % 2 == 0 ? r * 1.12f : r * 0.94f;
            vt_part *ray = vt_solid_rod(d->model, v3(0.6f * r * f_sin(a), 0.6f * r * f_cos(a), 0),
                                        v3(length * f_sin(a), length * f_cos(a), 0), 0.02f, coat);
            ray->taper = 0.008f;
        }
        d->character = "Sunburst";
    }
    vt_part *plate = vt_solid_cylinder(d->model, v3(0, 0, deep - 0.04f),
                                       v3(face + 0.01f, 0.012f, 0), 0.0f, dial);
    vt_part_turn(plate, 90, 0, 0);
    float z = deep - 0.026f;
    clock_marks(d, face * 0.84f, z, marks);
    clock_hands(d, face, z, marks, accent);
    d->noun = "Wall Clock";
}

void vt_build_cushion(vt_design *d)
{
    float half = 0.5f;
    float ratio = vt_design_chance(d, 0.4f) ? vt_design_float(d, 0.58f, 0.75f) : 1.0f;
    float thick = vt_design_float(d, 0.16f, 0.23f);
    bool bolster = vt_design_chance(d, 0.16f);
    bool round = !bolster && vt_design_chance(d, 0.2f);
    int coat = vt_design_coat(
        d,
        &(vt_coat){.finishes = VT_FINISH_BIT(CANVAS) | VT_FINISH_BIT(KNIT) | VT_FINISH_BIT(PLUSH),
                   .patterns = VT_PATTERNS_CLOTH | VT_PATTERN_BIT(MARBLE),
                   .projection = bolster ? VT_PROJECTION_AROUND : VT_PROJECTION_FRONT,
                   .radius = 0.22f,
                   .cell = 0.14f,
                   .high = half,
                   .grain = 0.0f});
    int trim = vt_design_second(d, VT_FINISH_CANVAS);
    if (bolster) {
        vt_part *roll = vt_solid_cylinder(d->model, v3(0, 0.2f, 0), v3(0.2f, 0.5f, 0), 0.06f, coat);
        vt_part_turn(roll, 0, 0, 90);
        for (int i = 0; i < 2; i++) {
            float x = i == 0 ? -0.505f : 0.505f;
            vt_solid_ball(d->model, v3(x, 0.2f, 0), v3(0.015f, 0.03f, 0.03f), trim);
        }
        d->character = "Long";
        d->noun = "Bolster Cushion";
        return;
    }
    float lean = vt_design_float(d, -24.0f, -15.0f);
    float tall = round ? 0.46f : half * ratio;
    vt_part *body;
    if (round) {
        body = vt_solid_ball(d->model, v3(0, tall, 0), v3(0.46f, 0.46f, thick), coat);
        vt_part *seam = vt_solid_ring(d->model, v3(0, tall, 0), v3(0.455f, 0.014f, 0.014f), trim);
        vt_part_turn(seam, 90 + lean, 0, 0);
        vt_part *button = vt_solid_ball(d->model,
                                        v3(0, tall - f_sin(lean * VT_PI / 180.0f) * thick,
                                           f_cos(lean * VT_PI / 180.0f) * thick),
                                        v3(0.05f, 0.05f, 0.03f), trim);
        vt_part_turn(button, lean, 0, 0);
        d->character = "Round";
        vt_design_feature(d, "a covered button");
    } else {
        body = vt_solid_pillow(d->model, v3(0, tall, 0), v3(half, tall, thick), coat);
        if (vt_design_chance(d, 0.4f)) {
            for (int i = 0; i < 4; i++) {
                float x = i % 2 == 0 ? -half : half;
                float y = i < 2 ? -tall : tall;
                vt_mat3 tilt = vt_mat3_turn(lean, 0, 0);
                vt_vec3 at = m3_apply(&tilt, v3(x * 0.985f, y * 0.985f, 0));
                vt_solid_ball(d->model, v3(at.x, at.y + tall, at.z), v3_all(0.042f), trim);
            }
            vt_design_feature(d, "tassels at the corners");
        }
        d->character = ratio < 1.0f ? "Rectangular" : "Square";
    }
    vt_part_turn(body, lean, 0, 0);
    d->noun = "Cushion";
}
