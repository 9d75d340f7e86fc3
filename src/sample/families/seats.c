/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Purpose: chairs, stools and tables.
 */
#include "sample/families/family.h"

static const uint32_t woods_and_paints = VT_FINISH_BIT(WOOD) | VT_FINISH_BIT(LACQUER);

/* A frame material that goes with anything. */
static int frame_material(vt_design *d)
{
    switch (vt_random_int(&d->coat, 0, 3)) {
    case 0:
        return vt_design_fixed(d, VT_FINISH_LACQUER, 0x26272a);
    case 1:
        return vt_design_accent(d, VT_FINISH_BRUSHED, VT_PALETTE_METAL);
    default:
        return vt_design_accent(d, VT_FINISH_WOOD, VT_PALETTE_WOOD);
    }
}

/* Four legs from under (x, y, z) to the floor, splayed outwards. */
static void four_legs(vt_design *d, vt_vec3 top, float splay, float thick, int material)
{
    top.y -= thick * 1.2f; /* round ends must not come through the top */
    vt_vec3 low = v3(top.x + splay, thick * 0.8f, top.z + splay * 0.8f);
    if (vt_design_chance(d, 0.35f)) {
        vt_vec3 middle = v3_scale(v3_add(top, low), 0.5f);
        vt_part *leg =
            vt_solid_box(d->model, middle, v3(thick, 0.5f * (top.y - low.y) + thick, thick),
                         thick * 0.35f, material);
        float lean_z = -(low.z - top.z) / (top.y - low.y) * 57.3f;
        float lean_x = (low.x - top.x) / (top.y - low.y) * 57.3f;
        vt_part_turn(leg, lean_z, 0, lean_x);
        leg->mirror_x = leg->mirror_z = true;
        vt_design_feature(d, "square legs");
        return;
    }
    vt_part *leg = vt_solid_rod(d->model, top, low, thick * 1.15f, material);
    leg->taper = thick * 0.72f;
    leg->mirror_x = leg->mirror_z = true;
    vt_design_feature(d, splay > 0.05f ? "splayed legs" : "round legs");
}

static void sled_legs(vt_design *d, vt_vec3 top, float thick, int material)
{
    const float p[][2] = {
        {-top.z, top.y},       {-top.z * 1.08f, 0.06f + thick}, {-top.z * 0.9f, thick}, {0, thick},
        {top.z * 0.9f, thick}, {top.z * 1.08f, 0.06f + thick},  {top.z, top.y}};
    vt_pen pen = {0};
    for (int i = 0; i < 7; i++)
        vt_pen_corner(&pen, p[i][0], p[i][1]);
    vt_part *sled =
        vt_solid_tube(d->model, v3(top.x, 0, 0),
                      vt_solid_outline(d->model, &pen, VT_OUTLINE_STROKE), thick, material);
    vt_part_turn(sled, 0, 90, 0);
    sled->mirror_x = true;
    vt_design_feature(d, "sled legs");
}

static void round_foot(vt_design *d, float y, float radius, int material)
{
    vt_solid_cylinder(d->model, v3(0, y * 0.5f, 0), v3(0.035f, y * 0.5f, 0), 0.0f, material);
    vt_solid_cone(d->model, v3(0, 0.02f, 0), v3(radius, 0.02f, radius * 0.9f), 0.01f, material);
    vt_solid_join(d->model, VT_JOIN_ADD, 0.08f);
    vt_design_feature(d, "a pedestal foot");
}

static void back_slats(vt_design *d, float seat_y, float half, float back_y, int coat, int frame)
{
    float lean = 9.0f;
    float z = -half * 0.9f;
    vt_part *post = vt_solid_rod(d->model, v3(half * 0.84f, seat_y - 0.05f, z),
                                 v3(half * 0.86f, back_y, z - 0.16f), 0.028f, frame);
    post->mirror_x = true;
    bool upright = vt_design_chance(d, 0.5f);
    int count = vt_design_pick(d, 2) + 3;
    if (upright) {
        vt_part *rail = vt_solid_box(d->model, v3(0, back_y - 0.02f, z - 0.155f),
                                     v3(half * 0.9f, 0.05f, 0.02f), 0.018f, coat);
        vt_part_turn(rail, -lean, 0, 0);
        for (int i = 0; i < count; i++) {
            float x = half * 0.64f * (2.0f * (float)i / (float)(count - 1) - 1.0f);
            vt_solid_rod(d->model, v3(x, seat_y, z), v3(x, back_y - 0.02f, z - 0.155f), 0.015f,
                         frame);
        }
        vt_design_feature(d, "a spindle back");
        return;
    }
    for (int i = 0; i < count - 1; i++) {
        float t = ((float)i + 1.0f) / (float)(count - 1);
        float y = f_mix(seat_y, back_y, 0.15f + 0.83f * t);
        float slat_z = z - 0.16f * (y - seat_y) / (back_y - seat_y);
        vt_part *slat = vt_solid_box(d->model, v3(0, y - 0.02f, slat_z),
                                     v3(half * 0.86f, 0.045f, 0.014f), 0.013f, coat);
        vt_part_turn(slat, -lean, 0, 0);
    }
    vt_design_feature(d, "a ladder back");
}

static void back_panel(vt_design *d, float seat_y, float half, float back_y, int coat)
{
    float low = seat_y + vt_design_float(d, 0.02f, 0.16f);
    float tall = 0.5f * (back_y - low);
    float curve = vt_design_float(d, 0.3f, 0.95f);
    vt_pen pen = {0};
    float w = half * 0.95f;
    const float p[][2] = {{0.0f, -tall},
                          {w * 0.8f, -tall * 0.96f},
                          {w, -tall * 0.5f},
                          {w * (1.05f - 0.1f * curve), tall * 0.5f},
                          {w * (1.0f - 0.45f * curve), tall * 0.96f},
                          {0.0f, tall}};
    vt_pen_curve(&pen, p, 6);
    vt_pen_mirror(&pen);
    vt_part *panel =
        vt_solid_plate(d->model, v3(0, low + tall, -half * 0.95f - 0.08f),
                       vt_solid_outline(d->model, &pen, VT_OUTLINE_CLOSED), 0.035f, coat);
    panel->round = 0.03f;
    vt_part_turn(panel, -11, 0, 0);
    vt_part *hold = vt_solid_rod(d->model, v3(half * 0.5f, seat_y - 0.04f, -half * 0.85f),
                                 v3(half * 0.5f, low + tall, -half * 0.98f - 0.11f), 0.02f, coat);
    hold->mirror_x = true;
    vt_design_feature(d, curve > 0.6f ? "a rounded back" : "a straight back");
}

/* Seat and back in one bent sheet, its corners rounded. */
static void back_shell(vt_design *d, float seat_y, float half, float back_y, int coat)
{
    float bow = vt_design_float(d, 0.02f, 0.07f);
    const float side[][2] = {{0.3f, seat_y - 0.05f},    {0.22f, seat_y + 0.005f},
                             {0.05f, seat_y - 0.005f},  {-0.12f, seat_y + 0.005f},
                             {-0.215f, seat_y + 0.07f}, {-0.25f - bow, f_mix(seat_y, back_y, 0.5f)},
                             {-0.33f, back_y}};
    vt_pen bent = {0};
    vt_pen_curve(&bent, side, 7);
    vt_part *sheet =
        vt_solid_plate(d->model, v3(0, 0, 0), vt_solid_outline(d->model, &bent, VT_OUTLINE_STROKE),
                       half * 1.1f, coat);
    sheet->taper = 0.017f;
    sheet->round = 0.012f;
    vt_part_turn(sheet, 0, -90, 0);
    float w = half * 1.08f;
    float waist = w * vt_design_float(d, 0.78f, 1.0f);
    float crown = vt_design_float(d, 0.68f, 0.92f);
    const float front[][2] = {{0, -0.2f},
                              {w, -0.2f},
                              {w, seat_y},
                              {waist, seat_y + 0.1f},
                              {w * 0.98f, f_mix(seat_y, back_y, 0.6f)},
                              {w * crown, back_y - 0.03f},
                              {0, back_y}};
    vt_pen pen = {0};
    vt_pen_curve(&pen, front, 7);
    vt_pen_mirror(&pen);
    vt_solid_plate(d->model, v3(0, 0, 0), vt_solid_outline(d->model, &pen, VT_OUTLINE_CLOSED), 2.0f,
                   coat);
    vt_solid_join(d->model, VT_JOIN_KEEP, 0.015f);
    vt_part *plan = vt_solid_box(d->model, v3(0, 0.5f, -0.06f), v3(w, 2.0f, 0.375f), 0.12f, coat);
    plan->round = 0.12f;
    vt_solid_join(d->model, VT_JOIN_KEEP, 0.01f);
    vt_design_feature(d, "a bent shell seat");
}

static void arm_rests(vt_design *d, float seat_y, float half, int frame)
{
    float y = seat_y + vt_design_float(d, 0.2f, 0.26f);
    vt_part *rest = vt_solid_box(d->model, v3(half * 1.08f, y, -half * 0.05f),
                                 v3(0.035f, 0.018f, half * 0.95f), 0.015f, frame);
    rest->mirror_x = true;
    vt_part *post = vt_solid_rod(d->model, v3(half * 1.05f, seat_y - 0.04f, half * 0.7f),
                                 v3(half * 1.08f, y, half * 0.76f), 0.022f, frame);
    post->mirror_x = true;
    vt_design_feature(d, "armrests");
}

static void chair_seat(vt_design *d, float seat_y, float half, int coat, bool cushioned)
{
    float thick = cushioned ? 0.065f : 0.028f;
    if (vt_design_chance(d, 0.4f))
        vt_solid_cylinder(d->model, v3(0, seat_y, 0), v3(half * 1.05f, thick, 0), thick * 0.8f,
                          coat);
    else
        vt_solid_box(d->model, v3(0, seat_y, 0), v3(half, thick, half * 0.96f), thick * 0.85f,
                     coat);
    if (cushioned)
        vt_design_feature(d, "an upholstered seat");
}

void vt_build_chair(vt_design *d)
{
    float seat_y = vt_design_float(d, 0.52f, 0.6f);
    float half = vt_design_float(d, 0.25f, 0.31f);
    float back_y = seat_y + vt_design_float(d, 0.42f, 0.72f);
    int style = vt_design_pick(d, 4);
    bool cushioned = style == 1 || style == 2;
    uint32_t soft = VT_FINISH_BIT(CANVAS) | VT_FINISH_BIT(LEATHER) | VT_FINISH_BIT(PLUSH);
    uint32_t shell = VT_FINISH_BIT(RUBBER) | VT_FINISH_BIT(PLASTIC);
    int coat = vt_design_coat(
        d, &(vt_coat){.finishes = cushioned    ? soft
                                  : style == 3 ? shell
                                               : woods_and_paints,
                      .patterns = cushioned ? (uint32_t)VT_PATTERNS_CLOTH : VT_PATTERN_BIT(PLAIN),
                      .projection = VT_PROJECTION_BOX,
                      .cell = 0.12f,
                      .high = back_y,
                      .grain_axis = 0});
    int frame =
        style == 0 && vt_random_float(&d->coat, 0.0f, 1.0f) < 0.6f ? coat : frame_material(d);
    float splay = vt_design_float(d, 0.0f, 0.1f);
    if (style != 3)
        chair_seat(d, seat_y, half, coat, cushioned);
    if (style == 0)
        back_slats(d, seat_y, half, back_y, coat, frame);
    else if (style == 3)
        back_shell(d, seat_y, half, back_y, coat);
    else
        back_panel(d, seat_y, half, back_y, coat);
    float leg_y = style == 3 ? seat_y - 0.05f : seat_y - 0.01f;
    if (style == 2 && vt_design_chance(d, 0.5f))
        sled_legs(d, v3(half * 0.9f, leg_y, half * 0.85f), 0.018f, frame);
    else if (style == 3 && vt_design_chance(d, 0.35f))
        round_foot(d, leg_y, half * 0.95f, frame);
    else
        four_legs(d, v3(half * 0.78f, leg_y, half * 0.74f), splay, 0.027f, frame);
    if (style != 3 && vt_design_chance(d, 0.35f))
        arm_rests(d, seat_y, half, frame);
    static const char *const words[] = {"Farmhouse", "Upholstered", "Lounge", "Shell"};
    d->character = words[style];
    d->noun = style == 2 ? "Armchair" : "Chair";
    if (style == 2)
        d->noun = "Dining Chair";
}

void vt_build_stool(vt_design *d)
{
    bool bar = vt_design_chance(d, 0.35f);
    float y = bar ? vt_design_float(d, 0.95f, 1.1f) : vt_design_float(d, 0.55f, 0.72f);
    float half = vt_design_float(d, 0.24f, 0.32f);
    int style = vt_design_pick(d, 3);
    uint32_t soft =
        VT_FINISH_BIT(CANVAS) | VT_FINISH_BIT(LEATHER) | VT_FINISH_BIT(KNIT) | VT_FINISH_BIT(PLUSH);
    int coat = vt_design_coat(
        d, &(vt_coat){.finishes = style == 1 ? soft : woods_and_paints,
                      .patterns = style == 1 ? (uint32_t)VT_PATTERNS_CLOTH : VT_PATTERN_BIT(PLAIN),
                      .projection = VT_PROJECTION_BOX,
                      .cell = 0.11f,
                      .high = y,
                      .grain_axis = 0});
    int frame =
        style == 0 && vt_random_float(&d->coat, 0.0f, 1.0f) < 0.5f ? coat : frame_material(d);
    float thick = style == 1 ? 0.075f : 0.03f;
    bool square = vt_design_chance(d, 0.35f);
    if (square)
        vt_solid_box(d->model, v3(0, y, 0), v3(half * 0.95f, thick, half * 0.95f), thick * 0.8f,
                     coat);
    else
        vt_solid_cylinder(d->model, v3(0, y, 0), v3(half, thick, 0), thick * 0.8f, coat);
    if (style == 2 && !square) { /* a hollow for sitting */
        vt_solid_ball(d->model, v3(0, y + 0.48f, 0), v3(0.5f, 0.47f, 0.5f), coat);
        vt_solid_join(d->model, VT_JOIN_CUT, 0.03f);
    }
    int legs = vt_design_pick(d, 4);
    float splay = vt_design_float(d, 0.02f, 0.12f);
    if (legs == 0) {
        vt_part *leg = vt_solid_rod(d->model, v3(half * 0.66f, y, 0),
                                    v3(half * 0.72f + splay * 1.4f, 0.025f, 0), 0.03f, frame);
        leg->taper = 0.02f;
        leg->copies = 3;
        vt_design_feature(d, "three legs");
    } else if (legs == 1) {
        round_foot(d, y, half * 0.92f, frame);
    } else {
        four_legs(d, v3(half * 0.6f, y, half * 0.6f), splay, 0.026f, frame);
    }
    if (bar || vt_design_chance(d, 0.4f)) {
        float ring_y = y * 0.36f;
        vt_solid_ring(d->model, v3(0, ring_y, 0),
                      v3(legs == 1 ? half * 0.6f : half * 0.82f + 0.62f * splay, 0.013f, 0.013f),
                      frame);
        if (legs == 1)
            vt_solid_box(d->model, v3(0, ring_y, 0), v3(half * 0.6f, 0.01f, 0.012f), 0.0f, frame);
        vt_design_feature(d, "a foot ring");
    }
    d->character = square ? "Square" : "Round";
    d->noun = bar ? "Bar Stool" : "Stool";
}

static void table_drawer(vt_design *d, vt_vec3 half, float y, int coat, int frame)
{
    vt_solid_box(d->model, v3(0, y - 0.1f, 0), v3(half.x * 0.86f, 0.075f, half.z * 0.84f), 0.008f,
                 coat);
    vt_solid_box(d->model, v3(0, y - 0.105f, half.z * 0.84f), v3(half.x * 0.72f, 0.055f, 0.012f),
                 0.006f, coat);
    vt_solid_ball(d->model, v3(0, y - 0.105f, half.z * 0.84f + 0.03f), v3_all(0.02f), frame);
    vt_design_feature(d, "a drawer");
}

void vt_build_table(vt_design *d)
{
    int style = vt_design_pick(d, 4); /* coffee, side, dining, desk */
    float y = style == 0   ? vt_design_float(d, 0.36f, 0.46f)
              : style == 1 ? vt_design_float(d, 0.55f, 0.7f)
                           : vt_design_float(d, 0.68f, 0.76f);
    vt_vec3 half = style == 1 ? v3(0.27f, 0, 0.27f) : v3(0.58f, 0, 0.36f);
    half.x *= vt_design_float(d, 0.9f, 1.12f);
    bool round = style != 3 && vt_design_chance(d, 0.45f);
    uint32_t finishes = VT_FINISH_BIT(WOOD) | VT_FINISH_BIT(LACQUER) | VT_FINISH_BIT(CERAMIC);
    int coat =
        vt_design_coat(d, &(vt_coat){.finishes = finishes,
                                     .patterns = VT_PATTERN_BIT(PLAIN) | VT_PATTERN_BIT(MARBLE) |
                                                 VT_PATTERN_BIT(SPECKLE),
                                     .projection = VT_PROJECTION_TOP,
                                     .cell = 0.3f,
                                     .high = 1.0f,
                                     .grain_axis = 0});
    if (vt_design_material(d, coat)->finish == VT_FINISH_CERAMIC)
        d->material = "Stone";
    float thick = vt_design_float(d, 0.016f, 0.034f);
    float r = style == 1 ? half.x : 0.46f;
    if (round) {
        vt_solid_cylinder(d->model, v3(0, y, 0), v3(r, thick, 0), 0.012f, coat);
        half = v3(r * 0.8f, 0, r * 0.8f);
    } else {
        vt_solid_box(d->model, v3(0, y, 0), v3(half.x, thick, half.z),
                     vt_design_chance(d, 0.5f) ? thick : 0.006f, coat);
    }
    int frame = vt_random_float(&d->coat, 0.0f, 1.0f) < 0.35f &&
                        vt_design_material(d, coat)->finish == VT_FINISH_WOOD
                    ? coat
                    : frame_material(d);
    int legs = vt_design_pick(d, 4);
    if (round && legs == 0) {
        round_foot(d, y, r * 0.62f, frame);
    } else if (round && legs == 1) {
        vt_part *leg =
            vt_solid_rod(d->model, v3(r * 0.35f, y, 0), v3(r * 0.82f, 0.02f, 0), 0.024f, frame);
        leg->copies = 3;
        vt_design_feature(d, "three legs");
    } else if (!round && legs == 1) {
        sled_legs(d, v3(half.x * 0.86f, y - thick, half.z * 0.88f), 0.018f, frame);
    } else {
        float splay = vt_design_float(d, 0.0f, 0.07f);
        four_legs(d, v3(half.x * 0.84f, y, half.z * 0.8f), splay, 0.026f, frame);
    }
    if (!round && (style == 3 || vt_design_chance(d, 0.2f)))
        table_drawer(d, half, y, coat, frame);
    else if (style < 2 && legs > 1 && vt_design_chance(d, 0.5f)) {
        vt_solid_box(d->model, v3(0, y * 0.36f, 0), v3(half.x * 0.82f, 0.012f, half.z * 0.78f),
                     0.006f, coat);
        vt_design_feature(d, "a shelf");
    }
    static const char *const nouns[] = {"Coffee Table", "Side Table", "Dining Table", "Desk"};
    d->noun = nouns[style];
    d->character = round ? "Round" : "";
}
