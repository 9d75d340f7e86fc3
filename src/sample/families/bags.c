/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Purpose: handbags and backpacks.
 */
#include "sample/families/family.h"

typedef struct bag {
    float width, height, depth; /* half, whole, half */
    int coat, trim, metal;
} bag;

static void arched_handle(vt_design *d, const bag *b, float y, float spread, float rise,
                          float thick)
{
    const float p[][2] = {{-spread, y - 0.05f},
                          {-spread * 0.94f, y + rise * 0.45f},
                          {-spread * 0.55f, y + rise * 0.93f},
                          {0, y + rise},
                          {spread * 0.55f, y + rise * 0.93f},
                          {spread * 0.94f, y + rise * 0.45f},
                          {spread, y - 0.05f}};
    vt_pen pen = {0};
    vt_pen_curve(&pen, p, 7);
    vt_part *handle =
        vt_solid_tube(d->model, v3(0, 0, b->depth * 0.5f),
                      vt_solid_outline(d->model, &pen, VT_OUTLINE_STROKE), thick, b->trim);
    handle->mirror_z = true;
    vt_part *stud = vt_solid_box(d->model, v3(spread, y - 0.05f, b->depth * 0.5f),
                                 v3(thick * 1.5f, 0.05f, thick * 1.1f), thick * 0.5f, b->metal);
    stud->mirror_x = stud->mirror_z = true;
}

static const vt_outline *bag_front(vt_design *d, const bag *b, float top_share, float corner)
{
    float w = b->width;
    float t = w * top_share;
    float h = b->height;
    const float p[][2] = {{0, 0},
                          {w - corner, 0},
                          {w - corner * 0.2f, corner * 0.25f},
                          {w, corner},
                          {f_mix(w, t, 0.5f) + 0.01f, h * 0.55f},
                          {t, h - corner * 0.7f},
                          {t - corner * 0.5f, h},
                          {0, h}};
    vt_pen pen = {0};
    vt_pen_curve(&pen, p, 8);
    vt_pen_mirror(&pen);
    return vt_solid_outline(d->model, &pen, VT_OUTLINE_CLOSED);
}

static const vt_outline *half_moon(vt_design *d, const bag *b)
{
    float w = b->width;
    float h = b->height;
    const float p[][2] = {{0, 0},
                          {w * 0.55f, h * 0.05f},
                          {w * 0.92f, h * 0.34f},
                          {w * 1.02f, h * 0.72f},
                          {w * 0.93f, h * 0.97f},
                          {w * 0.5f, h * 0.93f},
                          {0, h * 0.9f}};
    vt_pen pen = {0};
    vt_pen_curve(&pen, p, 7);
    vt_pen_mirror(&pen);
    return vt_solid_outline(d->model, &pen, VT_OUTLINE_CLOSED);
}

static void bag_flap(vt_design *d, const bag *b, float top_share)
{
    float t = b->width * top_share * 1.0f;
    float low = b->height * vt_design_float(d, 0.38f, 0.58f);
    float point = vt_design_float(d, 0.0f, 0.16f);
    const float p[][2] = {
        {0, low - point},         {t * 0.55f, low - point * 0.4f}, {t * 0.93f, low + 0.05f},
        {t * 1.02f, low + 0.16f}, {t * 1.0f, b->height * 0.95f},   {t * 0.9f, b->height + 0.012f},
        {0, b->height + 0.012f}};
    vt_pen pen = {0};
    vt_pen_curve(&pen, p, 7);
    vt_pen_mirror(&pen);
    vt_part *flap = vt_solid_plate(d->model, v3(0, 0, 0.02f),
                                   vt_solid_outline(d->model, &pen, VT_OUTLINE_CLOSED),
                                   b->depth + 0.005f, b->coat);
    flap->round = 0.06f;
    float z = b->depth + 0.03f;
    if (vt_design_chance(d, 0.5f)) {
        vt_solid_box(d->model, v3(0, low - point + 0.06f, z), v3(0.06f, 0.03f, 0.014f), 0.01f,
                     b->metal);
        vt_design_feature(d, "a metal clasp");
    } else {
        vt_part *strap = vt_solid_box(d->model, v3(t * 0.5f, low, z - 0.01f),
                                      v3(0.035f, 0.16f, 0.012f), 0.008f, b->trim);
        strap->mirror_x = true;
        vt_part *buckle = vt_solid_box(d->model, v3(t * 0.5f, low - 0.06f, z),
                                       v3(0.05f, 0.03f, 0.012f), 0.006f, b->metal);
        buckle->mirror_x = true;
        vt_design_feature(d, "two buckles");
    }
}

static void bucket_bag(vt_design *d, bag *b)
{
    float r = b->width * 0.78f;
    float h = b->height * 1.05f;
    const float p[][2] = {
        {r * 0.86f, 0}, {r * 0.95f, 0.05f}, {r, h * 0.4f}, {r * 1.06f, h * 0.8f}, {r * 1.1f, h}};
    vt_pen pen = {0};
    vt_pen_curve(&pen, p, 5);
    vt_pen_hollow(&pen, 0.03f, 0.06f);
    vt_solid_lathe(d->model, v3(0, 0, 0), vt_solid_outline(d->model, &pen, VT_OUTLINE_LATHE),
                   b->coat);
    vt_solid_ring(d->model, v3(0, h * 0.86f, 0), v3(r * 1.085f, 0.014f, 0.02f), b->trim);
    vt_solid_cylinder(d->model, v3(0, 0.03f, 0), v3(r * 0.97f, 0.035f, 0), 0.02f, b->trim);
    b->depth = 0.0f;
    const float q[][2] = {{-r * 1.1f, h - 0.06f}, {-r * 1.02f, h + 0.2f}, {-r * 0.5f, h + 0.42f},
                          {0, h + 0.46f},         {r * 0.5f, h + 0.42f},  {r * 1.02f, h + 0.2f},
                          {r * 1.1f, h - 0.06f}};
    vt_pen strap = {0};
    vt_pen_curve(&strap, q, 7);
    vt_part *handle =
        vt_solid_tube(d->model, v3(0, 0, 0), vt_solid_outline(d->model, &strap, VT_OUTLINE_STROKE),
                      0.014f, b->trim);
    handle->size.z = 0.036f;
    d->noun = "Bucket Bag";
}

enum { BAG_TOTE, BAG_SATCHEL, BAG_MOON, BAG_CLUTCH, BAG_BUCKET, BAG_STYLES };

static void bag_materials(vt_design *d, bag *b, bool round)
{
    uint32_t finishes = VT_FINISH_BIT(LEATHER) | VT_FINISH_BIT(CANVAS) | VT_FINISH_BIT(RUBBER) |
                        VT_FINISH_BIT(WICKER);
    b->coat =
        vt_design_coat(d, &(vt_coat){.finishes = finishes,
                                     .patterns = VT_PATTERNS_CLOTH & ~VT_PATTERN_BIT(STARS),
                                     .projection = round ? VT_PROJECTION_AROUND : VT_PROJECTION_BOX,
                                     .radius = b->width * 0.78f,
                                     .cell = 0.14f,
                                     .high = b->height});
    vt_finish finish = vt_design_material(d, b->coat)->finish;
    if (finish == VT_FINISH_WICKER)
        vt_design_material(d, b->coat)->grain = 20.0f;
    if (finish == VT_FINISH_RUBBER)
        d->material = "Vegan Leather";
    bool leather = finish == VT_FINISH_LEATHER && vt_random_float(&d->coat, 0.0f, 1.0f) < 0.6f;
    b->trim = leather ? vt_design_first(d, VT_FINISH_LEATHER)
                      : vt_design_accent(d, VT_FINISH_LEATHER, VT_PALETTE_LEATHER);
    b->metal = vt_design_accent(d, VT_FINISH_POLISHED, VT_PALETTE_METAL);
}

static void flat_bag(vt_design *d, bag *b, int style)
{
    bool tote = style == BAG_TOTE;
    bool moon = style == BAG_MOON;
    float top = tote ? vt_design_float(d, 0.95f, 1.18f) : vt_design_float(d, 0.74f, 0.98f);
    float corner = vt_design_float(d, 0.07f, 0.16f);
    const vt_outline *front = moon ? half_moon(d, b) : bag_front(d, b, top, corner);
    vt_part *body = vt_solid_plate(d->model, v3(0, 0, 0), front, b->depth, b->coat);
    body->round = f_min(b->depth * 0.7f, 0.09f);
    if (tote) { /* open above */
        vt_solid_box(d->model, v3(0, b->height, 0),
                     v3(b->width * top * 0.9f, 0.10f, b->depth * 0.7f), 0.05f, b->trim);
        vt_solid_join(d->model, VT_JOIN_CUT, 0.02f);
        float rise = vt_design_float(d, 0.28f, 0.48f);
        arched_handle(d, b, b->height * 0.92f, b->width * 0.5f, rise, 0.02f);
        vt_design_feature(d, "two handles");
        return;
    }
    if (moon)
        vt_solid_box(d->model, v3(0, b->height * 0.9f, 0), v3(b->width * 0.8f, 0.012f, 0.014f),
                     0.008f, b->metal);
    else
        bag_flap(d, b, top);
    if (style == BAG_CLUTCH) {
        b->depth = 0.0f;
        if (vt_design_chance(d, 0.6f))
            arched_handle(d, b, b->height * 0.95f, b->width * 0.8f, 0.3f, 0.012f);
        return;
    }
    if (moon)
        b->depth = 0.0f;
    float rise = moon ? vt_design_float(d, 0.34f, 0.5f) : vt_design_float(d, 0.16f, 0.24f);
    arched_handle(d, b, b->height * (moon ? 0.85f : 0.96f), b->width * (moon ? 0.9f : 0.34f), rise,
                  moon ? 0.02f : 0.024f);
}

void vt_build_handbag(vt_design *d)
{
    bag b = {.width = vt_design_float(d, 0.42f, 0.56f)};
    b.height = vt_design_float(d, 0.48f, 0.72f);
    b.depth = vt_design_float(d, 0.13f, 0.2f);
    int style = vt_design_pick(d, BAG_STYLES);
    if (style == BAG_MOON || style == BAG_CLUTCH)
        b.height *= 0.72f;
    bag_materials(d, &b, style == BAG_BUCKET);
    static const char *const nouns[] = {"Tote Bag", "Satchel", "Shoulder Bag", "Clutch",
                                        "Bucket Bag"};
    d->noun = nouns[style];
    if (style == BAG_BUCKET)
        bucket_bag(d, &b);
    else
        flat_bag(d, &b, style);
}
static void pack_pocket(vt_design *d, const bag *b, int coat)
{
    float h = b->height * vt_design_float(d, 0.2f, 0.27f);
    float w = b->width * vt_design_float(d, 0.66f, 0.82f);
    float y = h + b->height * 0.07f;
    float z = b->depth;
    vt_solid_box(d->model, v3(0, y, z), v3(w, h, 0.085f), 0.075f, coat);
    vt_solid_box(d->model, v3(0, y + h * 0.62f, z + 0.083f), v3(w * 0.8f, 0.008f, 0.008f), 0.0f,
                 b->metal);
    vt_solid_box(d->model, v3(w * 0.74f, y + h * 0.5f, z + 0.092f), v3(0.012f, 0.035f, 0.008f),
                 0.006f, b->trim);
    vt_design_feature(d, "a front pocket");
}

static void pack_straps(vt_design *d, const bag *b)
{
    float h = b->height;
    float z = -b->depth;
    const float p[][2] = {{z + 0.05f, h * 0.88f},
                          {z - 0.07f, h * 0.86f},
                          {z - 0.14f, h * 0.62f},
                          {z - 0.11f, h * 0.32f},
                          {z, h * 0.1f}};
    vt_pen pen = {0};
    vt_pen_curve(&pen, p, 5);
    vt_part *strap =
        vt_solid_tube(d->model, v3(b->width * 0.5f, 0, 0),
                      vt_solid_outline(d->model, &pen, VT_OUTLINE_STROKE), 0.022f, b->trim);
    strap->size.z = 0.065f;
    vt_part_turn(strap, 0, -90, 0);
    strap->mirror_x = true;
    vt_pen loop = {0};
    vt_pen_arc(&loop, 0, h * 0.97f, 0.1f, 0.0f, 180.0f);
    vt_solid_tube(d->model, v3(0, 0, z * 0.55f),
                  vt_solid_outline(d->model, &loop, VT_OUTLINE_STROKE), 0.016f, b->trim);
}

static void pack_closure(vt_design *d, const bag *b, int style, int lid_material)
{
    if (style == 1) {
        vt_part *roll = vt_solid_cylinder(d->model, v3(0, b->height + 0.02f, 0.02f),
                                          v3(0.075f, b->width * 0.92f, 0), 0.05f, b->coat);
        vt_part_turn(roll, 0, 0, 90);
        vt_solid_box(d->model, v3(0, b->height * 0.86f, b->depth + 0.012f), v3(0.03f, 0.17f, 0.01f),
                     0.006f, b->trim);
        vt_solid_box(d->model, v3(0, b->height * 0.8f, b->depth + 0.02f),
                     v3(0.045f, 0.025f, 0.012f), 0.006f, b->metal);
        vt_design_feature(d, "a roll top");
    } else if (style == 2) {
        vt_part *lid = vt_solid_box(d->model, v3(0, b->height * 0.93f, 0.03f),
                                    v3(b->width * 1.03f, b->height * 0.14f, b->depth * 1.08f), 0.1f,
                                    lid_material);
        lid->round = 0.1f;
        vt_part *strap =
            vt_solid_box(d->model, v3(b->width * 0.5f, b->height * 0.76f, b->depth + 0.03f),
                         v3(0.028f, 0.12f, 0.012f), 0.008f, b->trim);
        strap->mirror_x = true;
        vt_part *buckle =
            vt_solid_box(d->model, v3(b->width * 0.5f, b->height * 0.7f, b->depth + 0.04f),
                         v3(0.042f, 0.028f, 0.012f), 0.006f, b->metal);
        buckle->mirror_x = true;
        vt_design_feature(d, "a lid with buckles");
    } else {
        const float w = b->width * 0.83f;
        vt_solid_ring(d->model, v3(0, b->height * 0.62f, b->depth * 0.5f), v3(w, 0.008f, 0.008f),
                      b->metal);
        vt_part *zip = d->model->parts + d->model->part_count - 1;
        vt_part_turn(zip, 90, 0, 0);
        vt_design_feature(d, "a wide zip");
    }
}

void vt_build_backpack(vt_design *d)
{
    bag b = {.width = vt_design_float(d, 0.3f, 0.38f)};
    b.height = vt_design_float(d, 0.86f, 1.08f);
    b.depth = vt_design_float(d, 0.15f, 0.21f);
    int style = vt_design_pick(d, 3); /* round top, roll top, flap */
    b.coat = vt_design_coat(
        d, &(vt_coat){.finishes =
                          VT_FINISH_BIT(CANVAS) | VT_FINISH_BIT(LEATHER) | VT_FINISH_BIT(RUBBER),
                      .patterns = VT_PATTERNS_CLOTH | VT_PATTERN_BIT(MARBLE) | VT_PATTERN_BIT(DIP),
                      .projection = VT_PROJECTION_BOX,
                      .cell = 0.15f,
                      .high = b.height,
                      .grain = 0.0f});
    if (vt_design_material(d, b.coat)->finish == VT_FINISH_RUBBER)
        d->material = "Nylon";
    bool leather = vt_random_float(&d->coat, 0.0f, 1.0f) < 0.5f;
    b.trim = leather ? vt_design_accent(d, VT_FINISH_LEATHER, VT_PALETTE_LEATHER)
                     : vt_design_fixed(d, VT_FINISH_RUBBER, 0x2b2c30);
    b.metal = vt_design_accent(d, VT_FINISH_BRUSHED, VT_PALETTE_METAL);
    int pocket = vt_random_float(&d->coat, 0.0f, 1.0f) < 0.5f
                     ? vt_design_second(d, VT_FINISH_CANVAS)
                     : b.coat;
    vt_part *body = vt_solid_plate(
        d->model, v3(0, 0, 0),
        bag_front(d, &b, style == 0 ? 0.86f : 0.98f, style == 0 ? 0.26f : 0.1f), b.depth, b.coat);
    body->round = 0.11f;
    vt_part *base = vt_solid_plate(d->model, v3(0, 0, 0), body->outline, b.depth + 0.006f, b.trim);
    base->round = 0.11f;
    base->taper = 0.006f;
    vt_solid_box(d->model, v3(0, 0, 0), v3(1.0f, b.height * 0.13f, 1.0f), 0.0f, b.trim);
    vt_solid_join(d->model, VT_JOIN_KEEP, 0.01f);
    pack_pocket(d, &b, pocket);
    pack_straps(d, &b);
    pack_closure(d, &b, style, pocket);
    if (vt_design_chance(d, 0.4f)) {
        vt_part *side = vt_solid_box(d->model, v3(b.width, b.height * 0.24f, 0),
                                     v3(0.055f, b.height * 0.15f, b.depth * 0.62f), 0.05f, pocket);
        side->mirror_x = true;
        vt_design_feature(d, "side pockets");
    }
    static const char *const words[] = {"Round-Top", "Roll-Top", "Flap"};
    d->character = words[style];
    d->noun = vt_design_chance(d, 0.4f) ? "Daypack" : "Backpack";
}
