/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Purpose: toy cars, soft toys, toy robots.
 */
#include "sample/families/family.h"

enum { CAR_SEDAN, CAR_BUS, CAR_PICKUP, CAR_RACER, CAR_BEETLE };

static const vt_outline *car_body(vt_design *d, int kind)
{
    vt_pen pen = {0};
    switch (kind) {
    case CAR_BUS: {
        const float p[][2] = {{-0.55f, 0.12f}, {-0.57f, 0.3f}, {-0.55f, 0.5f}, {-0.46f, 0.56f},
                              {0.3f, 0.56f},   {0.46f, 0.52f}, {0.55f, 0.32f}, {0.58f, 0.2f},
                              {0.55f, 0.11f},  {-0.52f, 0.11f}};
        vt_pen_curve(&pen, p, 10);
        break;
    }
    case CAR_PICKUP: {
        const float p[][2] = {{-0.6f, 0.13f}, {-0.6f, 0.32f}, {-0.04f, 0.32f}, {0.2f, 0.32f},
                              {0.5f, 0.3f},   {0.6f, 0.24f},  {0.6f, 0.13f}};
        for (int i = 0; i < 7; i++)
            vt_pen_corner(&pen, p[i][0], p[i][1]);
        break;
    }
    case CAR_RACER: {
        const float p[][2] = {{-0.58f, 0.12f}, {-0.6f, 0.22f}, {-0.46f, 0.3f},
                              {-0.1f, 0.27f},  {0.2f, 0.22f},  {0.55f, 0.17f},
                              {0.64f, 0.12f},  {0.5f, 0.09f},  {-0.5f, 0.09f}};
        vt_pen_curve(&pen, p, 9);
        break;
    }
    case CAR_BEETLE: {
        const float p[][2] = {{-0.52f, 0.12f}, {-0.54f, 0.2f}, {-0.42f, 0.4f},
                              {-0.18f, 0.53f}, {0.06f, 0.5f},  {0.2f, 0.36f},
                              {0.42f, 0.31f},  {0.54f, 0.2f},  {0.53f, 0.12f}};
        vt_pen_curve(&pen, p, 9);
        break;
    }
    default: {
        const float p[][2] = {{-0.58f, 0.13f}, {-0.6f, 0.26f}, {-0.5f, 0.32f}, {-0.2f, 0.335f},
                              {0.25f, 0.335f}, {0.52f, 0.29f}, {0.6f, 0.22f},  {0.58f, 0.13f}};
        vt_pen_curve(&pen, p, 8);
        break;
    }
    }
    return vt_solid_outline(d->model, &pen, VT_OUTLINE_CLOSED);
}

static void car_cabin(vt_design *d, int kind, float half, int roof, int window)
{
    const float sedan[][2] = {
        {-0.4f, 0.3f}, {-0.27f, 0.5f}, {-0.12f, 0.545f}, {0.1f, 0.53f}, {0.32f, 0.3f}};
    const float pickup[][2] = {
        {-0.02f, 0.3f}, {0.0f, 0.54f}, {0.06f, 0.57f}, {0.22f, 0.55f}, {0.36f, 0.3f}};
    vt_pen pen = {0};
    vt_pen_curve(&pen, kind == CAR_PICKUP ? pickup : sedan, 5);
    const vt_outline *outline = vt_solid_outline(d->model, &pen, VT_OUTLINE_CLOSED);
    vt_part *cabin = vt_solid_plate(d->model, v3(0, 0, 0), outline, half * 0.88f, roof);
    cabin->round = 0.03f;
    /* Windows: the same form, let out a little and cut to a band. */
    vt_part *glass = vt_solid_plate(d->model, v3(0, 0, 0), outline, half * 0.88f + 0.006f, window);
    glass->taper = 0.006f;
    glass->round = 0.03f;
    vt_solid_box(d->model, v3(0, 0.425f, 0), v3(1.0f, 0.065f, 1.0f), 0.0f, window);
    vt_solid_join(d->model, VT_JOIN_KEEP, 0.01f);
    float pillar = kind == CAR_PICKUP ? 0.14f : -0.05f;
    vt_solid_box(d->model, v3(pillar, 0.42f, 0), v3(0.024f, 0.3f, 1.0f), 0.0f, window);
    vt_solid_join(d->model, VT_JOIN_CUT, 0.0f);
}

static void car_wheels(vt_design *d, int kind, float half, int tyre, int hub)
{
    float r = kind == CAR_RACER ? 0.14f : vt_design_float(d, 0.115f, 0.15f);
    float x = kind == CAR_BUS ? 0.36f : 0.37f;
    float z = kind == CAR_RACER ? half * 1.12f : half * 0.96f;
    for (int i = 0; i < 2; i++) {
        float at = i == 0 ? -x : x;
        float own = kind == CAR_RACER && i == 1 ? r * 0.86f : r;
        vt_part *wheel =
            vt_solid_cylinder(d->model, v3(at, own, z), v3(own, 0.055f, 0), 0.025f, tyre);
        vt_part_turn(wheel, 90, 0, 0);
        wheel->mirror_z = true;
        vt_part *cap = vt_solid_cylinder(d->model, v3(at, own, z + 0.045f),
                                         v3(own * 0.52f, 0.02f, 0), 0.01f, hub);
        vt_part_turn(cap, 90, 0, 0);
        cap->mirror_z = true;
    }
}

static void car_lamps(vt_design *d, float half, float y, int light, int red)
{
    vt_part *front =
        vt_solid_ball(d->model, v3(0.575f, y, half * 0.62f), v3(0.03f, 0.045f, 0.045f), light);
    front->mirror_z = true;
    vt_part *rear = vt_solid_ball(d->model, v3(-0.57f, y + 0.02f, half * 0.66f),
                                  v3(0.025f, 0.035f, 0.04f), red);
    rear->mirror_z = true;
}

typedef struct car {
    int kind;
    float half;
    int coat, tyre, hub, window;
} car;

static void car_details(vt_design *d, const car *c)
{
    if (c->kind == CAR_PICKUP) {
        vt_solid_box(d->model, v3(-0.32f, 0.36f, 0), v3(0.24f, 0.11f, c->half * 0.82f), 0.01f,
                     c->coat);
        vt_part *cut = d->model->parts + d->model->part_count - 1;
        cut->shell = 0.03f;
        vt_design_feature(d, "a loading bed");
    } else if (c->kind == CAR_BUS) {
        for (int i = 0; i < 4; i++) {
            vt_part *pane =
                vt_solid_box(d->model, v3(-0.4f + 0.22f * (float)i, 0.42f, c->half - 0.005f),
                             v3(0.088f, 0.068f, 0.012f), 0.008f, c->window);
            pane->mirror_z = true;
        }
        vt_part *front = vt_solid_box(d->model, v3(0.5f, 0.42f, 0),
                                      v3(0.014f, 0.085f, c->half * 0.72f), 0.01f, c->window);
        vt_part_turn(front, 0, 0, 24);
        vt_design_feature(d, "a row of windows");
    } else if (c->kind == CAR_RACER) {
        vt_solid_ball(d->model, v3(-0.1f, 0.29f, 0), v3(0.1f, 0.1f, 0.1f),
                      vt_design_second(d, VT_FINISH_PLASTIC));
        vt_solid_box(d->model, v3(-0.55f, 0.42f, 0), v3(0.08f, 0.016f, 0.26f), 0.01f, c->hub);
        vt_part *post = vt_solid_box(d->model, v3(-0.53f, 0.34f, 0.12f), v3(0.02f, 0.08f, 0.014f),
                                     0.0f, c->tyre);
        post->mirror_z = true;
        vt_solid_box(d->model, v3(0.58f, 0.11f, 0), v3(0.06f, 0.014f, 0.27f), 0.01f, c->hub);
        vt_design_feature(d, "a rear wing");
    } else if (c->kind == CAR_BEETLE) {
        vt_part *pane = vt_solid_box(d->model, v3(-0.16f, 0.42f, c->half - 0.03f),
                                     v3(0.14f, 0.06f, 0.03f), 0.02f, c->window);
        pane->mirror_z = true;
        vt_part *front = vt_solid_box(d->model, v3(0.135f, 0.425f, 0),
                                      v3(0.016f, 0.08f, c->half * 0.66f), 0.012f, c->window);
        vt_part_turn(front, 0, 0, 42);
    }
}

void vt_build_toy_car(vt_design *d)
{
    int kind = vt_design_pick(d, 5);
    float half = kind == CAR_RACER ? 0.2f : vt_design_float(d, 0.23f, 0.28f);
    int coat = vt_design_coat(
        d, &(vt_coat){
               .finishes = VT_FINISH_BIT(PLASTIC) | VT_FINISH_BIT(LACQUER) | VT_FINISH_BIT(WOOD),
               .patterns = VT_PATTERN_BIT(PLAIN) | VT_PATTERN_BIT(STRIPES) |
                           VT_PATTERN_BIT(PINSTRIPES) | VT_PATTERN_BIT(STARS) |
                           VT_PATTERN_BIT(DOTS) | VT_PATTERN_BIT(BAND) | VT_PATTERN_BIT(CHECKS),
               .projection = VT_PROJECTION_BOX,
               .cell = 0.13f,
               .low = 0.1f,
               .high = kind == CAR_BUS || kind == CAR_BEETLE ? 0.5f : 0.34f,
               .grain_axis = 0});
    int tyre = vt_design_fixed(d, VT_FINISH_RUBBER, 0x26272b);
    int hub;
    if (vt_random_float(&d->coat, 0.0f, 1.0f) < 0.5f)
        hub = vt_design_second(d, VT_FINISH_PLASTIC);
    else
        hub = vt_design_fixed(d, VT_FINISH_PLASTIC, 0xe9e6dd);
    int window = vt_design_fixed(d, VT_FINISH_PLASTIC, 0x4d6577);
    int light = vt_design_fixed(d, VT_FINISH_PLASTIC, 0xfbf0c8);
    int red = vt_design_fixed(d, VT_FINISH_PLASTIC, 0xb02a26);
    vt_part *body = vt_solid_plate(d->model, v3(0, 0, 0), car_body(d, kind), half, coat);
    body->round = kind == CAR_BEETLE || kind == CAR_BUS ? 0.09f : 0.045f;
    if (kind == CAR_SEDAN || kind == CAR_PICKUP) {
        int roof = vt_design_chance(d, 0.4f) ? vt_design_second(d, VT_FINISH_PLASTIC) : coat;
        car_cabin(d, kind, half, roof, window);
    }
    car_details(d, &(car){kind, half, coat, tyre, hub, window});
    car_wheels(d, kind, half, tyre, hub);
    if (kind != CAR_RACER)
        car_lamps(d, half, 0.23f, light, red);
    static const char *const nouns[] = {"Toy Car", "Toy Bus", "Toy Pickup", "Toy Racing Car",
                                        "Toy Beetle"};
    d->noun = nouns[kind];
}

static void bear_head(vt_design *d, int animal, float y, int coat, int light, int dark)
{
    vt_solid *m = d->model;
    float r = vt_design_float(d, 0.24f, 0.28f);
    vt_solid_ball(m, v3(0, y, 0.02f), v3(r, r * 0.92f, r * 0.92f), coat);
    vt_solid_join(m, VT_JOIN_ADD, 0.06f);
    if (animal == 1) { /* rabbit */
        vt_part *ear = vt_solid_rod(m, v3(0.09f, y + r * 0.7f, 0), v3(0.16f, y + r * 2.0f, -0.03f),
                                    0.055f, coat);
        ear->taper = 0.075f;
        ear->mirror_x = true;
        vt_solid_join(m, VT_JOIN_ADD, 0.04f);
        vt_part *inner = vt_solid_rod(m, v3(0.1f, y + r * 0.95f, 0.03f),
                                      v3(0.155f, y + r * 1.9f, 0.025f), 0.028f, light);
        inner->taper = 0.04f;
        inner->mirror_x = true;
    } else if (animal == 2) { /* dog */
        vt_part *ear =
            vt_solid_ball(m, v3(r * 0.98f, y - 0.01f, 0.0f), v3(0.06f, 0.17f, 0.1f), light);
        vt_part_turn(ear, 0, 0, 14);
        ear->mirror_x = true;
    } else {
        vt_part *ear =
            vt_solid_ball(m, v3(r * 0.78f, y + r * 0.74f, -0.01f), v3(0.1f, 0.1f, 0.05f), coat);
        ear->mirror_x = true;
        vt_solid_join(m, VT_JOIN_ADD, 0.03f);
        vt_part *inner =
            vt_solid_ball(m, v3(r * 0.78f, y + r * 0.73f, 0.03f), v3(0.06f, 0.06f, 0.03f), light);
        inner->mirror_x = true;
    }
    vt_solid_ball(m, v3(0, y - r * 0.24f, r * 0.8f), v3(r * 0.48f, r * 0.36f, r * 0.36f), light);
    vt_solid_ball(m, v3(0, y - r * 0.1f, r * 1.13f), v3(0.042f, 0.03f, 0.026f), dark);
    vt_part *eye = vt_solid_ball(m, v3(r * 0.38f, y + r * 0.2f, r * 0.86f), v3_all(0.028f), dark);
    eye->mirror_x = true;
}

static void bear_extras(vt_design *d, float neck)
{
    int cloth = vt_design_second(d, VT_FINISH_CANVAS);
    switch (vt_design_pick(d, 3)) {
    case 0: {
        vt_part *bow = vt_solid_cone(d->model, v3(0.075f, neck, 0.22f), v3(0.025f, 0.065f, 0.07f),
                                     0.01f, cloth);
        vt_part_turn(bow, 0, 0, -90);
        bow->mirror_x = true;
        vt_solid_ball(d->model, v3(0, neck, 0.225f), v3_all(0.035f), cloth);
        vt_design_feature(d, "a bow tie");
        break;
    }
    case 1: {
        vt_solid_ring(d->model, v3(0, neck, 0), v3(0.19f, 0.05f, 0.045f), cloth);
        vt_part *tail = vt_solid_box(d->model, v3(0.07f, neck - 0.14f, 0.225f),
                                     v3(0.05f, 0.13f, 0.018f), 0.015f, cloth);
        vt_part_turn(tail, 14, 0, 8);
        vt_design_feature(d, "a scarf");
        break;
    }
    default:
        break;
    }
}

void vt_build_bear(vt_design *d)
{
    vt_solid *m = d->model;
    int animal = vt_design_pick(d, 3);
    int coat =
        vt_design_coat(d, &(vt_coat){.finishes = VT_FINISH_BIT(PLUSH) | VT_FINISH_BIT(KNIT) |
                                                 VT_FINISH_BIT(CANVAS),
                                     .patterns = VT_PATTERN_BIT(PLAIN) | VT_PATTERN_BIT(DOTS) |
                                                 VT_PATTERN_BIT(STRIPES) | VT_PATTERN_BIT(CHECKS),
                                     .projection = VT_PROJECTION_FRONT,
                                     .cell = 0.1f,
                                     .high = 0.8f,
                                     .grain = 0.0f});
    static const uint32_t lights[] = {0xf2e6d0, 0xe8cfa8, 0xf6f2ea, 0xd9b98c};
    int light_tone = vt_random_int(&d->coat, 0, 3);
    int light = vt_design_fixed(d, VT_FINISH_PLUSH, lights[light_tone]);
    int dark = vt_design_fixed(d, VT_FINISH_PLASTIC, 0x1c1a1b);
    float wide = vt_design_float(d, 0.21f, 0.27f);
    float tall = vt_design_float(d, 0.26f, 0.32f);
    vt_solid_ball(m, v3(0, tall * 0.92f, 0), v3(wide, tall, wide * 0.88f), coat);
    float neck = tall * 1.72f;
    bear_head(d, animal, neck + 0.19f, coat, light, dark);
    vt_part *arm =
        vt_solid_rod(m, v3(wide * 0.82f, neck - 0.07f, 0.03f),
                     v3(wide + 0.13f, tall * vt_design_float(d, 0.7f, 1.1f), 0.16f), 0.075f, coat);
    arm->taper = 0.085f;
    arm->mirror_x = true;
    vt_part *leg = vt_solid_rod(m, v3(wide * 0.55f, 0.12f, 0.08f), v3(wide + 0.04f, 0.105f, 0.36f),
                                0.1f, coat);
    leg->taper = 0.105f;
    leg->mirror_x = true;
    vt_part *pad =
        vt_solid_ball(m, v3(wide + 0.055f, 0.107f, 0.43f), v3(0.07f, 0.075f, 0.04f), light);
    vt_part_turn(pad, 0, 8, 0);
    pad->mirror_x = true;
    if (vt_design_chance(d, 0.5f)) {
        vt_solid_ball(m, v3(0, tall * 0.88f, wide * 0.3f),
                      v3(wide * 0.62f, tall * 0.64f, wide * 0.64f), light);
        vt_design_feature(d, "a light belly");
    }
    bear_extras(d, neck - 0.03f);
    static const char *const nouns[] = {"Teddy Bear", "Plush Rabbit", "Plush Dog"};
    d->noun = nouns[animal];
}

static void robot_face(vt_design *d, float y, float w, float z, int light, int dark)
{
    int kind = vt_design_pick(d, 3);
    if (kind == 0) {
        vt_part *rim = vt_solid_cylinder(d->model, v3(w * 0.42f, y + 0.03f, z),
                                         v3(0.07f, 0.015f, 0), 0.006f, dark);
        vt_part_turn(rim, 90, 0, 0);
        rim->mirror_x = true;
        vt_part *eye = vt_solid_ball(d->model, v3(w * 0.42f, y + 0.03f, z + 0.01f),
                                     v3(0.042f, 0.042f, 0.025f), light);
        eye->mirror_x = true;
    } else if (kind == 1) {
        vt_solid_box(d->model, v3(0, y + 0.03f, z), v3(w * 0.75f, 0.06f, 0.018f), 0.015f, dark);
        vt_part *eye = vt_solid_ball(d->model, v3(w * 0.34f, y + 0.03f, z + 0.015f),
                                     v3(0.035f, 0.035f, 0.012f), light);
        eye->mirror_x = true;
        vt_design_feature(d, "a visor");
    } else {
        vt_part *rim =
            vt_solid_cylinder(d->model, v3(0, y + 0.03f, z), v3(0.105f, 0.02f, 0), 0.008f, dark);
        vt_part_turn(rim, 90, 0, 0);
        vt_solid_ball(d->model, v3(0, y + 0.03f, z + 0.01f), v3(0.07f, 0.07f, 0.035f), light);
        vt_design_feature(d, "one big eye");
    }
    for (int i = 0; i < 4; i++)
        vt_solid_box(d->model, v3(-0.06f + 0.04f * (float)i, y - 0.085f, z),
                     v3(0.011f, 0.022f, 0.01f), 0.0f, dark);
}

static void robot_limbs(vt_design *d, vt_vec3 body, float y, int metal, int coat, int dark)
{
    float swing = vt_design_float(d, -0.1f, 0.2f);
    vt_vec3 shoulder = v3(body.x + 0.05f, y + body.y * 0.6f, 0);
    vt_vec3 elbow = v3(body.x + 0.12f, y - body.y * 0.1f, 0.03f + swing * 0.4f);
    vt_vec3 hand = v3(body.x + 0.12f, y - body.y * 0.55f, 0.1f + swing);
    vt_part *joint = vt_solid_ball(d->model, shoulder, v3_all(0.065f), metal);
    joint->mirror_x = true;
    vt_part *upper = vt_solid_rod(d->model, shoulder, elbow, 0.04f, metal);
    upper->mirror_x = true;
    vt_part *lower = vt_solid_rod(d->model, elbow, hand, 0.05f, coat);
    lower->taper = 0.062f;
    lower->mirror_x = true;
    for (int i = 0; i < 2; i++) {
        float x = i == 0 ? -0.035f : 0.035f;
        vt_part *claw = vt_solid_rod(
            d->model, hand, v3(hand.x + x * 1.4f, hand.y - 0.1f, hand.z + 0.05f), 0.022f, metal);
        claw->mirror_x = true;
    }
    float hip = y - body.y;
    if (vt_design_chance(d, 0.35f)) {
        vt_part *track = vt_solid_box(d->model, v3(body.x * 0.8f, hip - 0.08f, 0),
                                      v3(0.085f, 0.09f, 0.27f), 0.085f, dark);
        track->mirror_x = true;
        vt_part *hub = vt_solid_cylinder(d->model, v3(body.x * 0.8f + 0.08f, hip - 0.08f, 0.14f),
                                         v3(0.055f, 0.015f, 0), 0.005f, metal);
        vt_part_turn(hub, 0, 0, 90);
        hub->mirror_x = hub->mirror_z = true;
        vt_design_feature(d, "tracks");
        return;
    }
    vt_part *leg = vt_solid_cylinder(d->model, v3(body.x * 0.5f, hip - 0.1f, 0),
                                     v3(0.06f, 0.13f, 0), 0.01f, metal);
    leg->mirror_x = true;
    vt_part *foot = vt_solid_box(d->model, v3(body.x * 0.55f, hip - 0.26f, 0.05f),
                                 v3(0.12f, 0.06f, 0.18f), 0.045f, coat);
    foot->mirror_x = true;
}

void vt_build_robot(vt_design *d)
{
    vt_solid *m = d->model;
    vt_vec3 body = v3(vt_design_float(d, 0.2f, 0.28f), 0.0f, 0.0f);
    body.y = vt_design_float(d, 0.2f, 0.27f);
    body.z = vt_design_float(d, 0.15f, 0.19f);
    float y = body.y + 0.32f;
    int coat =
        vt_design_coat(d, &(vt_coat){.finishes = VT_FINISH_BIT(PLASTIC) | VT_FINISH_BIT(LACQUER) |
                                                 VT_FINISH_BIT(BRUSHED) | VT_FINISH_BIT(RUBBER),
                                     .patterns = VT_PATTERN_BIT(PLAIN) | VT_PATTERN_BIT(STRIPES) |
                                                 VT_PATTERN_BIT(CHECKS) | VT_PATTERN_BIT(PLAIN) |
                                                 VT_PATTERN_BIT(DIAGONAL),
                                     .projection = VT_PROJECTION_BOX,
                                     .cell = 0.13f,
                                     .high = 0.3f});
    int metal = vt_design_accent(d, VT_FINISH_BRUSHED, VT_PALETTE_METAL);
    int dark = vt_design_fixed(d, VT_FINISH_RUBBER, 0x2a2c31);
    int light = vt_design_fixed(d, VT_FINISH_GLOW, 0x8fe6ff);
    vt_design_material(d, light)->glow = 0.9f;
    int second = vt_design_second(d, VT_FINISH_PLASTIC);
    bool barrel = vt_design_chance(d, 0.35f);
    if (barrel)
        vt_solid_cylinder(m, v3(0, y, 0), v3(body.x, body.y, 0), 0.05f, coat);
    else
        vt_solid_box(m, v3(0, y, 0), body, 0.05f, coat);
    float chest = barrel ? body.x : body.z;
    vt_solid_box(m, v3(0, y + body.y * 0.15f, chest - (barrel ? 0.02f : 0.0f)),
                 v3(body.x * 0.58f, body.y * 0.42f, 0.02f), 0.012f, second);
    for (int i = 0; i < 3; i++)
        vt_solid_ball(m, v3(body.x * 0.3f * (float)(i - 1), y + body.y * 0.22f, chest + 0.02f),
                      v3(0.03f, 0.03f, 0.02f), i == 1 ? light : metal);
    vt_solid_box(m, v3(0, y - body.y * 0.08f, chest + 0.015f), v3(body.x * 0.4f, 0.012f, 0.012f),
                 0.0f, dark);
    float head_y = y + body.y + 0.22f;
    float head = body.x * vt_design_float(d, 0.72f, 1.0f);
    vt_solid_cylinder(m, v3(0, y + body.y + 0.03f, 0), v3(0.06f, 0.05f, 0), 0.0f, metal);
    if (vt_design_chance(d, 0.4f)) {
        vt_solid_ball(m, v3(0, head_y, 0), v3(head, 0.17f, 0.16f), coat);
        robot_face(d, head_y, head, 0.15f, light, dark);
    } else {
        vt_solid_box(m, v3(0, head_y, 0), v3(head, 0.15f, 0.15f), 0.04f, coat);
        robot_face(d, head_y, head, 0.15f, light, dark);
    }
    if (vt_design_chance(d, 0.6f)) {
        vt_solid_rod(m, v3(0, head_y + 0.13f, 0), v3(0, head_y + 0.26f, 0), 0.012f, metal);
        vt_solid_ball(m, v3(0, head_y + 0.28f, 0), v3_all(0.036f), second);
        vt_design_feature(d, "an antenna");
    } else {
        vt_part *ear =
            vt_solid_cylinder(m, v3(head + 0.02f, head_y, 0), v3(0.06f, 0.03f, 0), 0.01f, second);
        vt_part_turn(ear, 0, 0, 90);
        ear->mirror_x = true;
    }
    robot_limbs(d, v3(body.x, body.y, body.z), y, metal, coat, dark);
    d->character = barrel ? "Barrel" : "Square";
    d->noun = "Toy Robot";
}
