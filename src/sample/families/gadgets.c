/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Purpose: wrist watches, sunglasses, headphones.
 */
#include "sample/families/family.h"

/* The watch lies on a loop of its strap; its face looks forward and up. */
typedef struct watch {
    vt_vec3 middle; /* of the case */
    vt_mat3 tilt;
    float tilt_degrees;
    float size;
    int metal, dial, marks, strap, accent;
} watch;

static vt_vec3 on_watch(const watch *w, float x, float y, float z)
{
    return v3_add(w->middle, m3_apply(&w->tilt, v3(x, y, z)));
}

static void watch_marks(vt_design *d, const watch *w, float radius, float z)
{
    bool dots = vt_design_chance(d, 0.4f);
    for (int i = 0; i < 12; i++) {
        float a = (float)i * VT_PI / 6.0f;
        vt_vec3 at = on_watch(w, radius * f_sin(a), radius * f_cos(a), z);
        if (dots) {
            vt_solid_ball(d->model, at, v3_all(i % 3 == 0 ? 0.018f : 0.011f), w->marks);
            continue;
        }
        vt_part *mark = vt_solid_box(d->model, at, v3(0.007f, i % 3 == 0 ? 0.034f : 0.02f, 0.006f),
                                     0.0f, w->marks);
        vt_part_turn(mark, w->tilt_degrees, 0, 0);
        vt_mat3 spin = vt_mat3_turn(0, 0, (float)i * 30.0f);
        mark->turn = vt_mat3_product(&spin, &mark->turn);
    }
}

static void watch_hands(vt_design *d, const watch *w, float radius, float z)
{
    float hour = vt_design_float(d, 0.0f, 360.0f);
    const float angles[2] = {hour, f_fract(hour / 30.0f) * 360.0f};
    const float lengths[2] = {0.27f, 0.42f};
    for (int i = 0; i < 2; i++) {
        float a = angles[i] * VT_PI / 180.0f;
        float length = radius * lengths[i];
        vt_part *hand = vt_solid_box(
            d->model,
            on_watch(w, length * 0.8f * f_sin(a), length * 0.8f * f_cos(a), z + 0.006f * (float)i),
            v3(0.011f, length, 0.004f), 0.003f, w->marks);
        vt_part_turn(hand, w->tilt_degrees, 0, 0);
        vt_mat3 spin = vt_mat3_turn(0, 0, angles[i]);
        hand->turn = vt_mat3_product(&spin, &hand->turn);
    }
    vt_part *pin = vt_solid_cylinder(d->model, on_watch(w, 0, 0, z + 0.006f), v3(0.02f, 0.01f, 0),
                                     0.003f, w->accent);
    vt_part_turn(pin, 90.0f + w->tilt_degrees, 0, 0);
}

static void watch_strap(vt_design *d, const watch *w, float width)
{
    vt_pen pen = {0};
    for (int i = 0; i <= 120; i++) {
        float a = 2.0f * VT_PI * (float)i / 120.0f;
        float c = f_cos(a);
        float s = f_sin(a);
        vt_pen_corner(&pen, 0.36f * c, 0.38f + (s > 0.0f ? 0.42f : 0.35f) * s);
    }
    vt_part *strap =
        vt_solid_plate(d->model, v3(0, 0, 0), vt_solid_outline(d->model, &pen, VT_OUTLINE_STROKE),
                       width, w->strap);
    strap->taper = 0.026f;
    strap->round = 0.018f;
    vt_part_turn(strap, 0, 90, 0);
}

static void watch_case(vt_design *d, const watch *w, bool square)
{
    float s = w->size;
    float deep = 0.055f;
    if (square) {
        vt_part *box =
            vt_solid_box(d->model, w->middle, v3(s * 0.86f, s * 0.96f, deep), 0.045f, w->metal);
        vt_part_turn(box, w->tilt_degrees, 0, 0);
        vt_part *well = vt_solid_box(d->model, on_watch(w, 0, 0, deep),
                                     v3(s * 0.74f, s * 0.84f, 0.022f), 0.01f, w->dial);
        vt_part_turn(well, w->tilt_degrees, 0, 0);
    } else {
        vt_part *body = vt_solid_cylinder(d->model, w->middle, v3(s, deep, 0), 0.03f, w->metal);
        vt_part_turn(body, 90.0f + w->tilt_degrees, 0, 0);
        vt_part *face = vt_solid_cylinder(d->model, on_watch(w, 0, 0, deep * 0.6f),
                                          v3(s * 0.87f, deep * 0.5f, 0), 0.004f, w->dial);
        vt_part_turn(face, 90.0f + w->tilt_degrees, 0, 0);
        vt_part *bezel = vt_solid_ring(d->model, on_watch(w, 0, 0, deep),
                                       v3(s * 0.93f, 0.034f, 0.026f), w->metal);
        vt_part_turn(bezel, 90.0f + w->tilt_degrees, 0, 0);
    }
    vt_part *crown = vt_solid_cylinder(d->model, on_watch(w, s * (square ? 0.9f : 1.04f), 0, 0),
                                       v3(0.034f, 0.03f, 0), 0.01f, w->metal);
    vt_part_turn(crown, 0, 0, 90);
    for (int i = 0; i < 2; i++) {
        float y = i == 0 ? s * 0.94f : -s * 0.94f;
        vt_part *lug = vt_solid_box(d->model, on_watch(w, s * 0.5f, y, -0.02f),
                                    v3(0.035f, 0.085f, 0.035f), 0.02f, w->metal);
        vt_part_turn(lug, w->tilt_degrees + (i == 0 ? -18.0f : 18.0f), 0, 0);
        lug->mirror_x = true;
    }
}

void vt_build_watch(vt_design *d)
{
    watch w = {.tilt_degrees = -34.0f, .size = vt_design_float(d, 0.25f, 0.32f)};
    w.tilt = vt_mat3_turn(w.tilt_degrees, 0, 0);
    w.middle = v3(0, 0.65f, 0.28f);
    bool square = vt_design_chance(d, 0.3f);
    float width = w.size * vt_design_float(d, 0.42f, 0.52f);
    w.strap = vt_design_coat(
        d, &(vt_coat){.finishes = VT_FINISH_BIT(LEATHER) | VT_FINISH_BIT(RUBBER) |
                                  VT_FINISH_BIT(BRUSHED) | VT_FINISH_BIT(CANVAS),
                      .patterns = VT_PATTERN_BIT(PLAIN) | VT_PATTERN_BIT(PINSTRIPES) |
                                  VT_PATTERN_BIT(DIAGONAL),
                      .projection = VT_PROJECTION_BOX,
                      .cell = 0.11f,
                      .high = 1.0f,
                      .grain = 70.0f,
                      .grain_axis = 2});
    bool metal_strap = vt_design_material(d, w.strap)->finish == VT_FINISH_BRUSHED;
    if (vt_design_material(d, w.strap)->finish == VT_FINISH_RUBBER)
        d->material = "Silicone";
    else if (metal_strap)
        d->material = "Stainless Steel";
    w.metal = metal_strap ? vt_design_first(d, VT_FINISH_POLISHED)
                          : vt_design_accent(d, VT_FINISH_POLISHED, VT_PALETTE_METAL);
    static const uint32_t dials[] = {0xf4f2ea, 0x1f2126, 0x20335c, 0x27503f, 0xe8dcc2, 0x6b2430};
    int dial = vt_random_int(&d->coat, 0, 5);
    w.dial = vt_design_fixed(d, VT_FINISH_PLASTIC, dials[dial]);
    bool light = dial == 0 || dial == 4;
    w.marks = vt_design_fixed(d, VT_FINISH_PLASTIC, light ? 0x202226 : 0xf2eedf);
    w.accent = vt_design_fixed(d, VT_FINISH_PLASTIC, 0xc03a2f);
    watch_strap(d, &w, width);
    watch_case(d, &w, square);
    watch_marks(d, &w, w.size * (square ? 0.62f : 0.7f), 0.062f);
    watch_hands(d, &w, w.size * (square ? 0.8f : 0.84f), square ? 0.08f : 0.066f);
    vt_design_feature(d, light ? "a light dial" : "a dark dial");
    d->character = square ? "Square" : "Round";
    d->noun = "Wrist Watch";
}

static void lens_curve(vt_pen *pen, int shape, float w, float h)
{
    switch (shape) {
    case 0: { /* teardrop */
        const float p[][2] = {
            {-w * 0.9f, h * 0.7f},  {0, h * 0.92f},         {w * 0.88f, h * 0.72f},
            {w, h * 0.2f},          {w * 0.7f, -h * 0.75f}, {w * 0.1f, -h},
            {-w * 0.6f, -h * 0.6f}, {-w * 0.95f, h * 0.1f}, {-w * 0.9f, h * 0.7f}};
        vt_pen_curve(pen, p, 9);
        break;
    }
    case 1: { /* trapezoid */
        const float p[][2] = {
            {-w * 0.92f, h * 0.75f}, {0, h * 0.84f},          {w * 0.95f, h * 0.85f},
            {w, h * 0.4f},           {w * 0.78f, -h * 0.75f}, {0, -h * 0.86f},
            {-w * 0.72f, -h * 0.7f}, {-w * 0.95f, h * 0.2f},  {-w * 0.92f, h * 0.75f}};
        vt_pen_curve(pen, p, 9);
        break;
    }
    case 2:
        vt_pen_arc(pen, 0, 0, h, 0.0f, 360.0f);
        break;
    case 3: { /* cat eye */
        const float p[][2] = {
            {-w * 0.9f, h * 0.5f},   {0, h * 0.7f},           {w * 0.8f, h * 1.0f},
            {w * 1.1f, h * 0.95f},   {w * 0.92f, h * 0.1f},   {w * 0.5f, -h * 0.75f},
            {-w * 0.3f, -h * 0.78f}, {-w * 0.88f, -h * 0.2f}, {-w * 0.9f, h * 0.5f}};
        vt_pen_curve(pen, p, 9);
        break;
    }
    default: { /* square */
        const float p[][2] = {
            {-w * 0.85f, h * 0.9f},  {w * 0.85f, h * 0.9f}, {w, h * 0.75f},
            {w * 0.98f, -h * 0.7f},  {w * 0.8f, -h * 0.9f}, {-w * 0.8f, -h * 0.9f},
            {-w * 0.98f, -h * 0.7f}, {-w, h * 0.75f},       {-w * 0.85f, h * 0.9f}};
        for (int i = 0; i < 9; i++)
            vt_pen_corner(pen, p[i][0], p[i][1]);
        break;
    }
    }
}

static void temples(vt_design *d, float hinge_x, float hinge_y, float thick, int coat)
{
    const float side[][2] = {{0.02f, hinge_y},
                             {-0.35f, hinge_y - 0.01f},
                             {-0.56f, hinge_y - 0.04f},
                             {-0.68f, hinge_y - 0.14f},
                             {-0.73f, hinge_y - 0.24f}};
    vt_pen temple = {0};
    vt_pen_curve(&temple, side, 5);
    /* Drawn in (z, y), turned into place. */
    vt_part *arm =
        vt_solid_tube(d->model, v3(hinge_x, 0, 0),
                      vt_solid_outline(d->model, &temple, VT_OUTLINE_STROKE), thick, coat);
    arm->size.z = 0.011f;
    vt_part_turn(arm, 0, -90, 0);
    arm->mirror_x = true;
}

void vt_build_sunglasses(vt_design *d)
{
    int shape = vt_design_pick(d, 5);
    float w = vt_design_float(d, 0.2f, 0.235f);
    float h = shape == 2 ? vt_design_float(d, 0.17f, 0.2f) : vt_design_float(d, 0.15f, 0.19f);
    if (shape == 2)
        w = h;
    bool wire = shape == 0 || (shape == 2 && vt_design_chance(d, 0.6f));
    float thick = wire ? 0.011f : vt_design_float(d, 0.02f, 0.03f);
    int coat = vt_design_coat(
        d, &(vt_coat){.finishes = wire ? VT_FINISH_BIT(POLISHED)
                                       : VT_FINISH_BIT(PLASTIC) | VT_FINISH_BIT(RUBBER),
                      .patterns =
                          VT_PATTERN_BIT(PLAIN) | VT_PATTERN_BIT(MARBLE) | VT_PATTERN_BIT(SPECKLE),
                      .projection = VT_PROJECTION_FRONT,
                      .cell = 0.16f,
                      .high = 0.2f});
    if (wire)
        d->material = "Metal";
    static const uint32_t tints[] = {0x5c5f66, 0x8a5d3b, 0x55705c, 0x4f6fa8, 0xb06a7c, 0x3c3e44};
    int tint = vt_random_int(&d->coat, 0, 5);
    int lens = vt_design_fixed(d, VT_FINISH_GLASS, tints[tint]);
    float gap = vt_design_float(d, 0.055f, 0.075f);
    float x = gap + w * 0.95f;
    float y = h;
    vt_pen pen = {0};
    lens_curve(&pen, shape, w, h);
    vt_part *rim =
        vt_solid_plate(d->model, v3(x, y, 0), vt_solid_outline(d->model, &pen, VT_OUTLINE_STROKE),
                       wire ? 0.011f : 0.022f, coat);
    rim->taper = thick;
    rim->round = thick * 0.6f;
    rim->mirror_x = true;
    vt_part *glass = vt_solid_plate(
        d->model, v3(x, y, 0), vt_solid_outline(d->model, &pen, VT_OUTLINE_CLOSED), 0.006f, lens);
    glass->mirror_x = true;
    vt_part *bridge = vt_solid_rod(d->model, v3(0, y + h * 0.48f, 0.0f),
                                   v3(gap + 0.02f, y + h * (shape == 1 ? 0.5f : 0.36f), 0),
                                   wire ? 0.012f : 0.02f, coat);
    bridge->mirror_x = true;
    if (shape == 0) {
        vt_part *bar = vt_solid_rod(d->model, v3(0, y + h * 0.8f, 0),
                                    v3(gap + w * 0.4f, y + h * 0.84f, 0), 0.01f, coat);
        bar->mirror_x = true;
        vt_design_feature(d, "a double bridge");
    }
    float hinge_x = x + w * (shape == 3 ? 1.02f : 0.98f);
    float hinge_y = y + h * (shape == 3 ? 0.8f : 0.55f);
    temples(d, hinge_x, hinge_y, wire ? 0.012f : 0.024f, coat);
    static const char *const words[] = {"Aviator", "Classic", "Round", "Cat-Eye", "Square"};
    static const char *const lenses[] = {"smoke lenses", "brown lenses", "green lenses",
                                         "blue lenses",  "rose lenses",  "dark lenses"};
    d->character = words[shape];
    vt_design_feature(d, lenses[tint]);
    d->noun = "Sunglasses";
}

/* at: x and y of the middle of the right one, z its radius. */
static void ear_cups(vt_design *d, int style, vt_vec3 at, int coat, int pad)
{
    float x = at.x;
    float y = at.y;
    float cup = at.z;
    vt_part *shell;
    vt_part *ring;
    if (style == 2) {
        shell = vt_solid_box(d->model, v3(x + 0.02f, y, 0), v3(0.075f, cup * 0.98f, cup * 0.85f),
                             0.07f, coat);
        ring = vt_solid_box(d->model, v3(x - 0.09f, y, 0), v3(0.06f, cup * 0.94f, cup * 0.8f),
                            0.058f, pad);
    } else {
        float tall = style == 1 ? 1.2f : 1.0f;
        shell = vt_solid_ball(d->model, v3(x + 0.0f, y, 0), v3(0.115f, cup * tall, cup), coat);
        ring = vt_solid_ball(d->model, v3(x - 0.085f, y, 0),
                             v3(0.075f, cup * tall * 0.94f, cup * 0.94f), pad);
    }
    shell->mirror_x = ring->mirror_x = true;
}

/* at: its radius, height of the cups, height of its middle; materials: band, pad, metal. */
static void head_band(vt_design *d, vt_vec3 at, float thick, const int materials[3])
{
    float r = at.x;
    float y = at.y;
    float high = at.z;
    vt_pen arch = {0};
    vt_pen_arc(&arch, 0, high, r, -8.0f, 188.0f);
    vt_part *bow =
        vt_solid_tube(d->model, v3(0, 0, 0), vt_solid_outline(d->model, &arch, VT_OUTLINE_STROKE),
                      thick, materials[0]);
    bow->size.z = f_max(0.07f, thick * 1.6f);
    vt_pen under = {0};
    vt_pen_arc(&under, 0, high, r - thick - 0.02f, 40.0f, 140.0f);
    vt_part *cushion =
        vt_solid_tube(d->model, v3(0, 0, 0), vt_solid_outline(d->model, &under, VT_OUTLINE_STROKE),
                      0.034f, materials[1]);
    cushion->size.z = 0.085f;
    vt_part *yoke =
        vt_solid_box(d->model, v3(r, 0.5f * (y + high), 0),
                     v3(0.014f, 0.5f * (high - y) + 0.03f, 0.034f), 0.01f, materials[2]);
    yoke->mirror_x = true;
}

void vt_build_headphones(vt_design *d)
{
    float r = vt_design_float(d, 0.4f, 0.46f);
    float cup = vt_design_float(d, 0.19f, 0.26f);
    float thick = vt_design_float(d, 0.024f, 0.045f);
    int style = vt_design_pick(d, 3); /* round cups, oval cups, square cups */
    int coat =
        vt_design_coat(d, &(vt_coat){.finishes = VT_FINISH_BIT(PLASTIC) | VT_FINISH_BIT(RUBBER) |
                                                 VT_FINISH_BIT(BRUSHED) | VT_FINISH_BIT(WOOD),
                                     .patterns = VT_PATTERN_BIT(PLAIN),
                                     .projection = VT_PROJECTION_BOX,
                                     .cell = 0.15f,
                                     .high = 0.5f});
    bool dark = vt_random_float(&d->coat, 0.0f, 1.0f) < 0.6f;
    int pad = dark ? vt_design_fixed(d, VT_FINISH_LEATHER, 0x27272b)
                   : vt_design_accent(d, VT_FINISH_LEATHER, VT_PALETTE_LEATHER);
    int metal = vt_design_accent(d, VT_FINISH_BRUSHED, VT_PALETTE_METAL);
    int band =
        vt_random_float(&d->coat, 0.0f, 1.0f) < 0.5f ? vt_design_second(d, VT_FINISH_RUBBER) : coat;
    float y = cup * (style == 1 ? 1.2f : 1.0f);
    float high = y + vt_design_float(d, 0.2f, 0.28f);
    head_band(d, v3(r, y, high), thick, (const int[3]){band, pad, metal});
    float x = r - 0.01f;
    ear_cups(d, style, v3(x, y, cup), coat, pad);
    int badge = vt_random_float(&d->coat, 0.0f, 1.0f) < 0.5f
                    ? metal
                    : vt_design_second(d, VT_FINISH_PLASTIC);
    vt_part *disc =
        vt_solid_cylinder(d->model, v3(x + 0.105f, y, 0),
                          v3(cup * vt_design_float(d, 0.3f, 0.55f), 0.012f, 0), 0.006f, badge);
    vt_part_turn(disc, 0, 0, 90);
    disc->mirror_x = true;
    if (vt_design_chance(d, 0.25f)) {
        vt_part *boom = vt_solid_rod(d->model, v3(-(x + 0.05f), y - cup * 0.3f, cup * 0.6f),
                                     v3(-r * 0.62f, y - cup * 0.75f, cup + 0.28f), 0.014f, metal);
        boom->taper = 0.012f;
        vt_solid_ball(d->model, v3(-r * 0.6f, y - cup * 0.77f, cup + 0.29f),
                      v3(0.045f, 0.03f, 0.03f), pad);
        vt_design_feature(d, "a microphone");
        d->noun = "Headset";
    } else {
        d->noun = cup > 0.225f ? "Over-Ear Headphones" : "On-Ear Headphones";
    }
    static const char *const cups[] = {"round cups", "oval cups", "square cups"};
    vt_design_feature(d, cups[style]);
}
