/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Purpose: teapots and kettles: a body with spout, lid and handle.
 */
#include "sample/families/family.h"

typedef struct pot {
    float height, radius; /* of the body, without lid */
    float mouth;          /* radius of the lid */
    int coat, plain, handle, knob;
    vt_pen side;
} pot;

static void pot_side(vt_design *d, pot *p)
{
    float h = p->height;
    float r = p->radius;
    float m = p->mouth;
    switch (vt_design_pick(d, 4)) {
    case 0: {
        const float q[][2] = {
            {r * 0.6f, 0}, {r * 0.9f, h * 0.16f}, {r, h * 0.42f}, {r * 0.84f, h * 0.78f}, {m, h}};
        vt_pen_curve(&p->side, q, 5);
        d->character = "Round";
        break;
    }
    case 1: {
        const float q[][2] = {{r * 0.95f, 0},
                              {r * 1.02f, h * 0.05f},
                              {r * 0.96f, h * 0.4f},
                              {r * 0.78f, h * 0.82f},
                              {m, h}};
        vt_pen_curve(&p->side, q, 5);
        d->character = "Conical";
        break;
    }
    case 2: {
        const float q[][2] = {{r * 0.94f, 0}, {r, h * 0.06f},         {r, h * 0.5f},
                              {r, h * 0.88f}, {r * 0.92f, h * 0.98f}, {m, h}};
        vt_pen_curve(&p->side, q, 6);
        d->character = "Cylindrical";
        break;
    }
    default: {
        const float q[][2] = {{r * 0.55f, 0},
                              {r * 0.62f, h * 0.1f},
                              {r * 1.04f, h * 0.58f},
                              {r * 0.96f, h * 0.82f},
                              {m, h}};
        vt_pen_curve(&p->side, q, 5);
        d->character = "Pear-Shaped";
        break;
    }
    }
}

static void pot_spout(vt_design *d, const pot *p)
{
    /* From low in the body outwards and up, thinner towards the tip, its end bored open. */
    float y = p->height * vt_design_float(d, 0.3f, 0.46f);
    float x = vt_pen_reach(&p->side, y);
    float out = x + vt_design_float(d, 0.26f, 0.36f);
    float up = p->height * vt_design_float(d, 0.88f, 1.0f);
    float bow = vt_design_float(d, 0.0f, 0.16f);
    const float q[][2] = {{-x + 0.09f, y},
                          {-f_mix(x, out, 0.28f), y + 0.05f},
                          {-f_mix(x, out, 0.62f - bow), f_mix(y, up, 0.55f)},
                          {-f_mix(x, out, 0.84f - 0.4f * bow), f_mix(y, up, 0.86f)},
                          {-out, up}};
    vt_pen pen = {0};
    vt_pen_curve(&pen, q, 5);
    vt_part *spout =
        vt_solid_tube(d->model, v3(0, 0, 0), vt_solid_outline(d->model, &pen, VT_OUTLINE_STROKE),
                      0.12f, p->plain);
    spout->taper = 0.045f;
    vt_solid_join(d->model, VT_JOIN_ADD, 0.06f);
    vt_vec3 end = v3(-out, up, 0);
    vt_vec3 along = v3_unit(v3(q[3][0] * -1.0f - out, up - q[3][1], 0));
    vt_part *bore = vt_solid_rod(d->model, v3_along(end, along, -0.1f),
                                 v3_along(end, along, 0.075f), 0.022f, p->plain);
    bore->taper = 0.046f;
    vt_solid_join(d->model, VT_JOIN_CUT, 0.012f);
}

/* What spout and lid are made of where the body's pattern would not go around them well. */
static int plain_part(vt_design *d, int coat)
{
    const vt_material *m = vt_design_material(d, coat);
    vt_finish finish = m->finish;
    if (m->pattern == VT_PATTERN_PLAIN || m->pattern == VT_PATTERN_SPECKLE)
        return coat;
    return vt_design_first(d, finish);
}

static void pot_lid(vt_design *d, const pot *p)
{
    float rise = vt_design_float(d, 0.05f, 0.12f);
    float m = p->mouth * 1.02f;
    const float q[][2] = {{m, p->height - 0.012f},
                          {m * 0.98f, p->height + 0.018f},
                          {m * 0.7f, p->height + 0.02f + rise * 0.65f},
                          {0.0f, p->height + 0.025f + rise}};
    vt_pen pen = {0};
    vt_pen_curve(&pen, q, 4);
    vt_pen_to_axis(&pen);
    vt_solid_lathe(d->model, v3(0, 0, 0), vt_solid_outline(d->model, &pen, VT_OUTLINE_LATHE),
                   p->plain);
    float y = p->height + 0.03f + rise;
    if (vt_design_chance(d, 0.6f)) {
        vt_solid_cylinder(d->model, v3(0, y, 0), v3(0.025f, 0.035f, 0), 0.005f, p->knob);
        vt_solid_ball(d->model, v3(0, y + 0.055f, 0), v3(0.056f, 0.046f, 0.056f), p->knob);
        vt_solid_join(d->model, VT_JOIN_ADD, 0.03f);
    } else {
        vt_part *ring =
            vt_solid_ring(d->model, v3(0, y + 0.04f, 0), v3(0.045f, 0.017f, 0.017f), p->knob);
        vt_part_turn(ring, 90, 0, 0);
        vt_design_feature(d, "a ring on the lid");
    }
}

static void side_handle(vt_design *d, const pot *p)
{
    float high = p->height * 0.84f;
    float low = p->height * vt_design_float(d, 0.2f, 0.34f);
    float x0 = vt_pen_reach(&p->side, high) - 0.01f;
    float x1 = vt_pen_reach(&p->side, low) - 0.01f;
    float out = f_max(x0, x1) + vt_design_float(d, 0.22f, 0.32f);
    float lift = vt_design_float(d, 0.0f, 0.14f);
    const float q[][2] = {{x0, high},
                          {f_mix(x0, out, 0.6f), high + lift},
                          {out, high - 0.06f},
                          {out * 0.96f, low + 0.12f},
                          {x1, low}};
    vt_pen pen = {0};
    vt_pen_curve(&pen, q, 5);
    vt_part *handle =
        vt_solid_tube(d->model, v3(0, 0, 0), vt_solid_outline(d->model, &pen, VT_OUTLINE_STROKE),
                      0.042f, p->handle);
    handle->size.z = 0.055f;
    vt_solid_join(d->model, VT_JOIN_ADD, 0.04f);
    vt_design_feature(d, "a side handle");
}

static void top_handle(vt_design *d, const pot *p)
{
    float y = p->height * 0.86f;
    float x = vt_pen_reach(&p->side, y) - 0.005f;
    float high = p->height + vt_design_float(d, 0.32f, 0.5f);
    float wide = x * vt_design_float(d, 1.0f, 1.25f);
    const float q[][2] = {{-x, y},
                          {-wide, f_mix(y, high, 0.5f)},
                          {-wide * 0.62f, high * 0.98f},
                          {0, high + 0.02f},
                          {wide * 0.62f, high * 0.98f},
                          {wide, f_mix(y, high, 0.5f)},
                          {x, y}};
    vt_pen pen = {0};
    vt_pen_curve(&pen, q, 7);
    vt_part *handle =
        vt_solid_tube(d->model, v3(0, 0, 0), vt_solid_outline(d->model, &pen, VT_OUTLINE_STROKE),
                      0.027f, p->handle);
    handle->size.z = 0.034f;
    vt_design_feature(d, "a handle over the lid");
}

static void pot_body(vt_design *d, const pot *p)
{
    vt_pen section = p->side;
    vt_pen_to_axis(&section);
    vt_part *body = vt_solid_lathe(d->model, v3(0, 0, 0),
                                   vt_solid_outline(d->model, &section, VT_OUTLINE_LATHE), p->coat);
    if (vt_design_chance(d, 0.2f)) {
        body->flutes = 16.0f + 4.0f * (float)vt_design_pick(d, 3);
        body->flute_depth = 0.008f;
        vt_design_feature(d, "a ribbed body");
    }
}

void vt_build_teapot(vt_design *d)
{
    pot p = {0};
    p.height = vt_design_float(d, 0.5f, 0.72f);
    p.radius = vt_design_float(d, 0.4f, 0.5f);
    p.mouth = p.radius * vt_design_float(d, 0.42f, 0.58f);
    pot_side(d, &p);
    p.coat = vt_design_coat(d, &(vt_coat){.finishes = VT_FINISH_BIT(CERAMIC) | VT_FINISH_BIT(CLAY),
                                          .patterns = VT_PATTERNS_GLAZE,
                                          .projection = VT_PROJECTION_AROUND,
                                          .radius = p.radius,
                                          .cell = 0.16f,
                                          .low = 0.0f,
                                          .high = p.height});
    p.plain = plain_part(d, p.coat);
    p.handle = vt_design_first(d, vt_design_material(d, p.coat)->finish);
    p.knob = p.handle;
    int top = vt_design_pick(d, 3);
    if (top == 0) {
        p.handle = vt_design_accent(d, VT_FINISH_WOOD, VT_PALETTE_WOOD);
        p.knob = p.handle;
    }
    pot_body(d, &p);
    pot_spout(d, &p);
    if (top != 0)
        side_handle(d, &p);
    pot_lid(d, &p);
    if (top == 0)
        top_handle(d, &p);
    d->noun = "Teapot";
}

void vt_build_kettle(vt_design *d)
{
    pot p = {0};
    p.height = vt_design_float(d, 0.66f, 0.9f);
    p.radius = vt_design_float(d, 0.36f, 0.44f);
    p.mouth = p.radius * vt_design_float(d, 0.5f, 0.68f);
    const float h = p.height;
    const float r = p.radius;
    if (vt_design_chance(d, 0.5f)) {
        const float q[][2] = {{r * 1.0f, 0},
                              {r * 1.03f, 0.05f},
                              {r * 0.95f, h * 0.45f},
                              {r * 0.8f, h * 0.9f},
                              {p.mouth, h}};
        vt_pen_curve(&p.side, q, 5);
        d->character = "Tapered";
    } else {
        const float q[][2] = {{r * 0.95f, 0},
                              {r * 1.1f, h * 0.14f},
                              {r * 1.08f, h * 0.35f},
                              {r * 0.86f, h * 0.74f},
                              {p.mouth, h}};
        vt_pen_curve(&p.side, q, 5);
        d->character = "Bellied";
    }
    p.coat =
        vt_design_coat(d, &(vt_coat){.finishes = VT_FINISH_BIT(POLISHED) | VT_FINISH_BIT(BRUSHED) |
                                                 VT_FINISH_BIT(LACQUER) | VT_FINISH_BIT(CERAMIC),
                                     .patterns = VT_PATTERN_BIT(PLAIN) | VT_PATTERN_BIT(BAND) |
                                                 VT_PATTERN_BIT(GRADIENT) |
                                                 VT_PATTERN_BIT(SPECKLE) | VT_PATTERN_BIT(DOTS),
                                     .projection = VT_PROJECTION_AROUND,
                                     .radius = p.radius,
                                     .cell = 0.16f,
                                     .low = 0.0f,
                                     .high = h,
                                     .grain_axis = 3});
    p.plain = plain_part(d, p.coat);
    bool wood = vt_design_chance(d, 0.4f);
    p.handle = wood ? vt_design_accent(d, VT_FINISH_WOOD, VT_PALETTE_WOOD)
                    : vt_design_fixed(d, VT_FINISH_RUBBER, 0x27282b);
    p.knob = p.handle;
    vt_pen section = p.side;
    vt_pen_to_axis(&section);
    vt_solid_lathe(d->model, v3(0, 0, 0), vt_solid_outline(d->model, &section, VT_OUTLINE_LATHE),
                   p.coat);
    pot_spout(d, &p);
    pot_lid(d, &p);
    if (vt_design_chance(d, 0.5f))
        top_handle(d, &p);
    else {
        side_handle(d, &p);
        vt_part *handle = d->model->parts + d->model->part_count - 1;
        handle->blend = 0.0f;
    }
    vt_solid_cylinder(d->model, v3(0, -0.02f, 0), v3(p.radius * 1.02f, 0.03f, 0), 0.012f, p.handle);
    if (wood)
        vt_design_feature(d, "a wooden grip");
    d->noun = "Kettle";
}
