/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Purpose: things that lie around in customers' photos. None of them is of a family of the
 * catalogue. Method: small models in centimetres, built like the products.
 */
#include "base/random.h"
#include "sample/palette.h"
#include "sample/shot.h"

static int dyed(vt_solid *m, vt_random *random, vt_finish finish, vt_palette_group group)
{
    int color = vt_palette_pick(random, group);
    vt_material material = vt_material_make(finish, vt_palette_rgb(color, random));
    material.seed = (uint32_t)vt_random_u64(random);
    material.grain *= 0.05f; /* centimetres */
    material.grain_axis = 0;
    return vt_solid_material(m, &material);
}

static int fixed(vt_solid *m, vt_finish finish, uint32_t srgb)
{
    vt_material material = vt_material_make(finish, vt_rgb_linear(srgb));
    material.grain *= 0.05f;
    return vt_solid_material(m, &material);
}

static void book(vt_solid *m, vt_random *random, float y)
{
    float wide = vt_random_float(random, 6.0f, 9.0f);
    float deep = wide * vt_random_float(random, 0.68f, 0.78f);
    float thick = vt_random_float(random, 0.8f, 2.0f);
    float turn = vt_random_float(random, -18.0f, 18.0f);
    int cover = dyed(m, random, VT_FINISH_RUBBER, VT_PALETTE_ANY);
    int pages = fixed(m, VT_FINISH_RUBBER, 0xefe8d8);
    vt_part *inside = vt_solid_box(m, v3(0, y + thick, 0),
                                   v3(wide * 0.97f, thick * 0.84f, deep * 0.97f), 0.1f, pages);
    vt_part_turn(inside, 0, turn, 0);
    for (int i = 0; i < 2; i++) {
        float at = y + (i == 0 ? 0.1f : 2.0f * thick - 0.1f);
        vt_part *lid = vt_solid_box(m, v3(0, at, 0), v3(wide, 0.13f, deep), 0.05f, cover);
        vt_part_turn(lid, 0, turn, 0);
    }
    vt_part *spine = vt_solid_box(m, v3(0, y + thick, 0), v3(wide, thick, 0.15f), 0.05f, cover);
    vt_part_turn(spine, 0, turn, 0);
    vt_mat3 place = vt_mat3_turn(0, turn, 0);
    spine->at = v3_add(spine->at, m3_apply(&place, v3(0, 0, -deep)));
}

static void books(vt_solid *m, vt_random *random)
{
    int count = vt_random_int(random, 1, 2);
    for (int i = 0; i < count; i++)
        book(m, random, i == 0 ? 0.0f : m->parts[0].at.y * 2.0f);
}

static void fruit(vt_solid *m, vt_random *random)
{
    static const uint32_t skins[] = {0xc0392b, 0xd98a1f, 0x8fae3a, 0xe3c23a};
    int kind = vt_random_int(random, 0, 3);
    int skin = fixed(m, kind == 1 ? VT_FINISH_LEATHER : VT_FINISH_PLASTIC, skins[kind]);
    float r = vt_random_float(random, 3.4f, 4.4f);
    vt_solid_ball(m, v3(0, r * 0.93f, 0), v3(r, r * 0.93f, r), skin);
    if (kind == 1)
        return;
    vt_solid_ball(m, v3(0, r * 2.05f, 0), v3(r * 0.35f, r * 0.35f, r * 0.35f), skin);
    vt_solid_join(m, VT_JOIN_CUT, r * 0.5f);
    int stem = fixed(m, VT_FINISH_WOOD, 0x4f3a26);
    vt_solid_rod(m, v3(0, r * 1.6f, 0), v3(0.5f, r * 2.1f, 0.2f), 0.22f, stem);
}

static void tin(vt_solid *m, vt_random *random)
{
    float r = vt_random_float(random, 3.2f, 4.4f);
    float h = vt_random_float(random, 4.0f, 6.5f);
    int metal = dyed(m, random, VT_FINISH_BRUSHED, VT_PALETTE_METAL);
    vt_vec3 ground = vt_palette_rgb(vt_palette_pick(random, VT_PALETTE_ANY), random);
    vt_material paper = vt_material_make(VT_FINISH_RUBBER, ground);
    paper.color[1] = vt_palette_rgb(vt_palette_pick(random, VT_PALETTE_ANY), random);
    paper.pattern = VT_PATTERN_BAND;
    paper.low = -0.5f * h;
    paper.high = 0.2f * h;
    int label = vt_solid_material(m, &paper);
    vt_solid_cylinder(m, v3(0, h, 0), v3(r, h, 0), 0.3f, metal);
    vt_solid_cylinder(m, v3(0, h, 0), v3(r + 0.06f, h * 0.84f, 0), 0.05f, label);
}

static void parcel(vt_solid *m, vt_random *random, float size)
{
    float x = size * vt_random_float(random, 0.7f, 1.2f);
    float y = size * vt_random_float(random, 0.4f, 0.8f);
    float z = size * vt_random_float(random, 0.6f, 1.0f);
    int card = fixed(m, VT_FINISH_CLAY, 0xb98d5e);
    int tape = fixed(m, VT_FINISH_PLASTIC, 0xd9c59c);
    vt_solid_box(m, v3(0, y, 0), v3(x, y, z), size * 0.03f, card);
    vt_solid_box(m, v3(0, y, 0), v3(x * 0.12f, y * 1.005f, z * 1.005f), 0.0f, tape);
}

static void blocks(vt_solid *m, vt_random *random)
{
    int count = vt_random_int(random, 2, 4);
    for (int i = 0; i < count; i++) {
        float half = 2.0f;
        int paint = dyed(m, random, VT_FINISH_LACQUER, VT_PALETTE_ANY);
        float turn = vt_random_float(random, 0.0f, 90.0f);
        float x = i == 3 ? 1.8f : 4.6f * (float)i - 4.0f;
        float z = vt_random_float(random, -1.5f, 1.5f);
        vt_part *cube = vt_solid_box(m, v3(x, i == 3 ? 3.0f * half : half, i == 3 ? 0.0f : z),
                                     v3_all(half), 0.25f, paint);
        vt_part_turn(cube, 0, i == 3 ? turn : turn * 0.3f, 0);
    }
}

static void candle(vt_solid *m, vt_random *random)
{
    float r = vt_random_float(random, 2.2f, 3.6f);
    float h = vt_random_float(random, 3.5f, 8.0f);
    int wax = dyed(m, random, VT_FINISH_RUBBER, VT_PALETTE_LIGHT);
    int wick = fixed(m, VT_FINISH_RUBBER, 0x2c2723);
    vt_solid_cylinder(m, v3(0, h, 0), v3(r, h, 0), 0.5f, wax);
    vt_solid_ball(m, v3(0, 2.0f * h + r * 0.4f, 0), v3(r * 0.8f, r * 0.8f, r * 0.8f), wax);
    vt_solid_join(m, VT_JOIN_CUT, 0.5f);
    vt_solid_rod(m, v3(0, 2.0f * h - 0.6f, 0), v3(0.2f, 2.0f * h + 0.8f, 0), 0.12f, wick);
}

static void ball(vt_solid *m, vt_random *random, float r)
{
    vt_material skin = vt_material_make(
        VT_FINISH_RUBBER, vt_palette_rgb(vt_palette_pick(random, VT_PALETTE_ANY), random));
    skin.color[1] = vt_palette_rgb(vt_palette_pick(random, VT_PALETTE_ANY), random);
    skin.pattern = VT_PATTERN_PINSTRIPES;
    skin.around = 6.0f;
    skin.scale = 1.0f;
    vt_part *sphere = vt_solid_ball(m, v3(0, r, 0), v3_all(r), vt_solid_material(m, &skin));
    float lean = vt_random_float(random, -60.0f, 60.0f);
    vt_part_turn(sphere, lean, 0, 30);
}

/* A leafy plant in a basket of soil; the pot is hidden by leaves, so that it is no plant pot. */
static void shrub(vt_solid *m, vt_random *random, float size)
{
    int leaf = fixed(m, VT_FINISH_RUBBER, 0x3f7a3c);
    int dark = fixed(m, VT_FINISH_RUBBER, 0x2c5c33);
    int count = vt_random_int(random, 9, 14);
    for (int i = 0; i < count; i++) {
        float side = 360.0f * (float)i / (float)count + vt_random_float(random, -14.0f, 14.0f);
        float rise = vt_random_float(random, 15.0f, 75.0f);
        float length = size * vt_random_float(random, 0.35f, 0.6f);
        vt_part *blade = vt_solid_ball(m, v3(0, 0, 0), v3(length, length * 0.06f, length * 0.24f),
                                       i % 2 == 0 ? leaf : dark);
        vt_mat3 lift = vt_mat3_turn(0, 0, rise);
        vt_mat3 swing = vt_mat3_turn(0, side, 0);
        vt_mat3 both = vt_mat3_product(&swing, &lift);
        vt_vec3 out = m3_apply(&both, v3(length, 0, 0));
        vt_part_turn(blade, 0, 0, 0);
        for (int axis = 0; axis < 3; axis++)
            blade->turn.row[axis] = m3_apply(&both, axis == 0   ? v3(1, 0, 0)
                                                    : axis == 1 ? v3(0, 1, 0)
                                                                : v3(0, 0, 1));
        blade->at = v3_add(out, v3(0, size * 0.08f, 0));
    }
}

static void pencils(vt_solid *m, vt_random *random)
{
    int count = vt_random_int(random, 2, 4);
    for (int i = 0; i < count; i++) {
        int paint = dyed(m, random, VT_FINISH_LACQUER, VT_PALETTE_ANY);
        float x = vt_random_float(random, -1.5f, 1.5f);
        float slant = vt_random_float(random, -3.0f, 3.0f);
        vt_solid_rod(m, v3(x - slant, 0.4f, -7.0f), v3(x + slant, 0.4f, 7.0f), 0.38f, paint);
    }
}

static void crate(vt_solid *m, vt_random *random)
{
    int wood = dyed(m, random, VT_FINISH_WOOD, VT_PALETTE_WOOD);
    float x = vt_random_float(random, 18.0f, 28.0f);
    float z = x * 0.75f;
    for (int i = 0; i < 3; i++) {
        float y = 4.0f + 9.5f * (float)i;
        vt_part *front = vt_solid_box(m, v3(0, y, z), v3(x, 3.6f, 0.9f), 0.3f, wood);
        front->mirror_z = true;
        vt_part *side = vt_solid_box(m, v3(x, y, 0), v3(0.9f, 3.6f, z), 0.3f, wood);
        side->mirror_x = true;
    }
    vt_solid_box(m, v3(0, 1.0f, 0), v3(x, 0.9f, z), 0.2f, wood);
}

vt_solid *vt_prop_new(vt_random *random, vt_setting setting)
{
    vt_solid *m = vt_solid_new();
    if (!m)
        return NULL;
    int kind = vt_random_int(random, 0, setting == VT_SETTING_TABLE ? 7 : 4);
    if (setting == VT_SETTING_TABLE) {
        switch (kind) {
        case 0:
        case 1:
            books(m, random);
            break;
        case 2:
            fruit(m, random);
            break;
        case 3:
            tin(m, random);
            break;
        case 4:
            blocks(m, random);
            break;
        case 5:
            candle(m, random);
            break;
        case 6:
            pencils(m, random);
            break;
        default:
            shrub(m, random, 14.0f);
            break;
        }
    } else {
        switch (kind) {
        case 0:
            parcel(m, random, 24.0f);
            break;
        case 1:
            ball(m, random, 12.0f);
            break;
        case 2:
            shrub(m, random, 46.0f);
            break;
        case 3:
            crate(m, random);
            break;
        default:
            parcel(m, random, 15.0f);
            break;
        }
    }
    if (vt_solid_finish(m))
        return m;
    vt_solid_free(m);
    return NULL;
}

vt_solid *vt_prop_new_on_wall(vt_random *random)
{
    vt_solid *m = vt_solid_new();
    if (!m)
        return NULL;
    int frame = dyed(m, random, VT_FINISH_WOOD, VT_PALETTE_WOOD);
    vt_vec3 paper = vt_palette_rgb(vt_palette_pick(random, VT_PALETTE_ANY), random);
    vt_material print = vt_material_make(VT_FINISH_RUBBER, paper);
    print.color[1] = vt_palette_rgb(vt_palette_pick(random, VT_PALETTE_ANY), random);
    print.color[2] = vt_palette_rgb(vt_palette_pick(random, VT_PALETTE_ANY), random);
    print.projection = VT_PROJECTION_FRONT;
    print.scale = 0.1f;
    static const vt_pattern pictures[] = {VT_PATTERN_MARBLE, VT_PATTERN_DIAGONAL,
                                          VT_PATTERN_GRADIENT, VT_PATTERN_PLAID};
    int picture = vt_random_int(random, 0, 3);
    print.pattern = pictures[picture];
    print.low = -12.0f;
    print.high = 12.0f;
    print.seed = (uint32_t)vt_random_u64(random);
    int art = vt_solid_material(m, &print);
    int mount = fixed(m, VT_FINISH_RUBBER, 0xf1efe8);
    float x = vt_random_float(random, 9.0f, 16.0f);
    float y = vt_random_float(random, 11.0f, 20.0f);
    vt_solid_box(m, v3(0, 0, 0.8f), v3(x + 1.2f, y + 1.2f, 0.8f), 0.2f, frame);
    vt_solid_box(m, v3(0, 0, 1.4f), v3(x, y, 0.25f), 0.0f, mount);
    vt_solid_box(m, v3(0, 0, 1.5f), v3(x * 0.7f, y * 0.72f, 0.25f), 0.0f, art);
    if (vt_solid_finish(m))
        return m;
    vt_solid_free(m);
    return NULL;
}
