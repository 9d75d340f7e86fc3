/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Purpose: customers' photos: the product somewhere at home, seen from wherever the customer stood.
 * Method: everything is placed in centimetres around the product. Things that would hide too much
 * of it (measured on a coarse silhouette) are taken away again.
 */
#include "sample/photo.h"

static float draw(vt_random *random, float low, float high)
{
    return vt_random_float(random, low, high);
}

static void span_plane(vt_backdrop *b)
{
    if (f_abs(b->normal.y) > 0.9f)
        b->u = v3(1.0f, 0.0f, 0.0f);
    else
        b->u = v3_unit(v3_cross(v3(0.0f, 1.0f, 0.0f), b->normal));
    b->v = v3_cross(b->normal, b->u);
}

typedef struct backdrop_choice {
    vt_backdrop_kind kind;
    float cell_low, cell_high; /* centimetres */
    uint32_t colors[4][2];
    float gloss;
} backdrop_choice;

static const backdrop_choice table_tops[] = {
    {VT_BACKDROP_PLANKS,
     7,
     14,
     {{0xc49a6c, 0x8f6238}, {0x8a5a38, 0x54331f}, {0xd9c3a0, 0xb3936a}, {0x6d5c4d, 0x473a30}},
     0.7f},
    {VT_BACKDROP_CLOTH,
     2.5f,
     5,
     {{0xe9e4da, 0xb03434}, {0xdfe3e6, 0x44689c}, {0xe6dcc3, 0x6f8455}, {0x6a7788, 0x46505e}},
     0.0f},
    {VT_BACKDROP_MARBLE,
     22,
     40,
     {{0xe6e4e0, 0x7d7a78}, {0x3a3b3f, 0xb9b4ac}, {0xd9cbb8, 0x8d6f55}, {0xcfd4d2, 0x5d6b66}},
     1.0f},
    {VT_BACKDROP_PAINT, 30, 50, {{0xcfccc4, 0}, {0x9aa7a5, 0}, {0xbfae96, 0}, {0x5b6168, 0}}, 0.5f},
    {VT_BACKDROP_TILES,
     8,
     15,
     {{0xd9dcd8, 0xb9c4c0}, {0x7fa3a8, 0xd9dcd2}, {0xc9b79a, 0x8f7b60}, {0x555b60, 0x888d90}},
     0.8f},
    {VT_BACKDROP_CONCRETE,
     20,
     40,
     {{0xa9a7a2, 0}, {0x8d9094, 0}, {0xb8ada0, 0}, {0x6f7073, 0}},
     0.3f},
};

static const backdrop_choice floors[] = {
    {VT_BACKDROP_PLANKS,
     10,
     18,
     {{0xc49a6c, 0x8f6238}, {0x8a5a38, 0x54331f}, {0xd9c3a0, 0xb3936a}, {0x9c8a76, 0x6d5d4c}},
     0.6f},
    {VT_BACKDROP_CARPET,
     30,
     60,
     {{0xb8ab98, 0x7d6f60}, {0x6d7f90, 0xc2c6c6}, {0x8f5148, 0xd3bfa0}, {0x71806a, 0xc9c6ae}},
     0.0f},
    {VT_BACKDROP_TILES,
     25,
     45,
     {{0xcfcac0, 0x9a8f82}, {0xb56a48, 0x9a5538}, {0x8f9498, 0xc2c5c6}, {0xdad6cc, 0x50545a}},
     0.7f},
    {VT_BACKDROP_GRASS,
     12,
     20,
     {{0x55852f, 0x7fa143}, {0x4a7434, 0x93a853}, {0x6a8f3a, 0x3f6a2c}, {0x7a9440, 0xa0a55a}},
     0.0f},
    {VT_BACKDROP_CONCRETE,
     50,
     90,
     {{0xa9a7a2, 0}, {0x8d9094, 0}, {0xb8ada0, 0}, {0x777779, 0}},
     0.2f},
};

static const backdrop_choice walls[] = {
    {VT_BACKDROP_PAINT, 60, 90, {{0xd9d5cb, 0}, {0xa9b7b4, 0}, {0xc7a68c, 0}, {0x6f8296, 0}}, 0.0f},
    {VT_BACKDROP_WALLPAPER,
     6,
     14,
     {{0xdcd6c8, 0xbcae98}, {0x7e95a0, 0xaebcbf}, {0xc9b3a8, 0xa88a80}, {0x62705f, 0x8d9a82}},
     0.0f},
    {VT_BACKDROP_BRICKS,
     18,
     26,
     {{0xa3573f, 0x7c4030}, {0xb98a6a, 0x93654a}, {0xcfc8bd, 0xa9a196}, {0x7d6a60, 0x5d4d45}},
     0.0f},
    {VT_BACKDROP_TILES,
     10,
     20,
     {{0xdfe1dd, 0xc9cfcb}, {0x9db7b4, 0xe0e0d8}, {0xd6c7a8, 0xb8a486}, {0x5f7f8f, 0x7f9aa6}},
     0.4f},
    {VT_BACKDROP_PLANKS,
     9,
     14,
     {{0xd6cdbd, 0xb5a891}, {0x8a6a4c, 0x5d442e}, {0x9aa39c, 0x78827c}, {0xc49a6c, 0x8f6238}},
     0.1f},
};

static void choose_backdrop(vt_random *random, const backdrop_choice *choice, float cm,
                            vt_backdrop *b)
{
    int colors = vt_random_int(random, 0, 3);
    float cell = draw(random, choice->cell_low, choice->cell_high);
    float light = draw(random, 0.8f, 1.15f);
    float turn = draw(random, 0.0f, 2.0f * VT_PI);
    if (b->normal.y < 0.5f) /* nothing hangs askew on a wall */
        turn = 0.0f;
    *b = (vt_backdrop){.kind = choice->kind,
                       .normal = b->normal,
                       .offset = b->offset,
                       .color = {v3_scale(vt_rgb_linear(choice->colors[colors][0]), light),
                                 v3_scale(vt_rgb_linear(choice->colors[colors][1]), light)},
                       .scale = 1.0f / (cell * cm),
                       .turn_cos = f_cos(turn),
                       .turn_sin = f_sin(turn),
                       .seed = (uint32_t)vt_random_u64(random),
                       .gloss = choice->gloss};
    span_plane(b);
}

static void build_room(vt_snapshot *p)
{
    vt_random *random = p->random;
    vt_scene *scene = &p->shot->scene;
    bool table = p->family->setting == VT_SETTING_TABLE;
    bool outdoors = p->family->placement == VT_PLACE_STANDS;
    const backdrop_choice *floor = table ? table_tops + vt_random_int(random, 0, 5)
                                         : floors + vt_random_int(random, 0, outdoors ? 4 : 2);
    const backdrop_choice *wall = walls + vt_random_int(random, 0, 4);
    float yaw = draw(random, -24.0f, 24.0f);
    float away = table ? draw(random, 25.0f, 110.0f) : draw(random, 30.0f, 140.0f);
    vt_mat3 turn = vt_mat3_turn(0.0f, p->side + yaw, 0.0f);
    vt_backdrop *low = scene->backdrops;
    vt_backdrop *back = scene->backdrops + 1;
    low->normal = v3(0.0f, 1.0f, 0.0f);
    back->normal = m3_apply(&turn, v3(0.0f, 0.0f, 1.0f));
    back->offset = -(p->thing->radius + away * p->cm);
    if (p->family->placement == VT_PLACE_WALL) {
        /* The wall is what the product touches: it comes first. */
        low = scene->backdrops + 1;
        back = scene->backdrops;
        low->normal = v3(0.0f, 1.0f, 0.0f);
        low->offset = -draw(random, 90.0f, 130.0f) * p->cm;
        back->normal = v3(0.0f, 0.0f, 1.0f);
        back->offset = p->thing->model->bounds.low.z;
    } else if (p->family->placement == VT_PLACE_HANGS) {
        low->offset = -draw(random, 70.0f, 120.0f) * p->cm;
    }
    choose_backdrop(random, floor, p->cm, low);
    choose_backdrop(random, wall, p->cm, back);
    if (floor->kind == VT_BACKDROP_GRASS) { /* out of doors: a hedge in place of the wall */
        back->kind = VT_BACKDROP_GRASS;
        back->color[0] = vt_rgb_linear(0x3c5a2c);
        back->color[1] = vt_rgb_linear(0x587a3a);
        back->offset *= 1.6f;
        back->gloss = 0.0f;
    }
    scene->backdrop_count = 2;
}

static void look_from_somewhere(vt_snapshot *p)
{
    vt_random *random = p->random;
    float height = draw(random, 8.0f, 46.0f);
    float view = draw(random, 34.0f, 58.0f);
    float roll = draw(random, -8.0f, 8.0f);
    if (p->family->placement == VT_PLACE_WALL)
        height = draw(random, -16.0f, 18.0f);
    else if (p->family->placement == VT_PLACE_HANGS)
        height = draw(random, -22.0f, 14.0f);
    vt_mat3 turn = vt_mat3_turn(-height, p->side, 0.0f);
    /* Far enough for a wide lens not to distort, near enough to be in the room. */
    float distance = p->thing->radius * 1.3f / f_sin(0.5f * view * VT_PI / 180.0f);
    p->toward = m3_apply(&turn, v3(0.0f, 0.0f, 1.0f));
    vt_vec3 from = v3_along(p->thing->center, p->toward, distance);
    from.y = f_max(from.y, p->shot->scene.backdrops[0].normal.y > 0.5f
                               ? 2.0f * p->cm + p->shot->scene.backdrops[0].offset
                               : from.y);
    vt_camera_look(&p->shot->camera, from, p->thing->center, roll, view);
}

static void frame_loosely(vt_snapshot *p)
{
    static const float aspects[] = {1.0f, 1.3333f, 0.75f, 1.5f, 0.6667f, 1.0f, 1.3333f, 0.75f};
    vt_random *random = p->random;
    int pick = vt_random_int(random, 0, 7);
    float aspect = aspects[pick];
    float size = (float)p->size_px * draw(random, 0.85f, 1.2f);
    float root = f_sqrt(aspect);
    p->shot->width = (int)f_max(size * root + 0.5f, 8.0f);
    p->shot->height = (int)f_max(size / root + 0.5f, 8.0f);
    vt_framing framing = {.aspect = (float)p->shot->width / (float)p->shot->height};
    framing.share = draw(random, 0.52f, 0.88f);
    framing.off_x = draw(random, -0.75f, 0.75f);
    framing.off_y = draw(random, -0.75f, 0.75f);
    vt_shot_frame(p->shot, &framing);
}

static void effects(vt_snapshot *p)
{
    vt_random *random = p->random;
    vt_camera_effects *e = &p->shot->effects;
    float px = (float)p->size_px / 320.0f;
    e->contrast = draw(random, 0.92f, 1.14f);
    e->saturation = draw(random, 0.78f, 1.12f);
    float red = draw(random, 0.93f, 1.08f);
    float blue = draw(random, 0.91f, 1.08f);
    e->balance = v3(red, 1.0f, blue);
    e->vignette = draw(random, 0.0f, 0.55f);
    float grain = draw(random, 0.0f, 1.0f);
    e->noise = 0.008f + 0.045f * grain * grain;
    e->blur_px = draw(random, 0.25f, 0.8f) * px;
    e->focus_depth = v3_length(v3_sub(p->shot->camera.from, p->thing->center));
    float lens = draw(random, 0.0f, 1.0f);
    e->aperture = lens < 0.35f ? 0.0f : 0.035f * lens;
    float focus = draw(random, 0.0f, 1.0f);
    if (focus < 0.15f) /* the camera has focused on something else */
        e->blur_px += 0.8f * px;
    float shake = draw(random, 0.0f, 1.0f);
    float angle = draw(random, 0.0f, 2.0f * VT_PI);
    float way = shake < 0.2f ? draw(random, 2.0f, 5.0f) * px : 0.0f;
    e->motion_x = way * f_cos(angle);
    e->motion_y = way * f_sin(angle);
    e->seed = (uint32_t)vt_random_u64(random);
    e->quality = vt_random_int(random, 60, 90);
}

bool vt_shot_photo(vt_shot *shot, const vt_design *design, vt_random random, int size_px)
{
    *shot = (vt_shot){0};
    vt_snapshot p = {.shot = shot, .family = design->family, .random = &random, .size_px = size_px};
    const vt_bounds *b = &design->model->bounds;
    vt_vec3 size = v3_sub(b->high, b->low);
    p.cm = f_max(size.x, f_max(size.y, size.z)) / p.family->size_cm;
    p.thing = vt_scene_add(&shot->scene, design->model, v3(0.0f, -design->model->ground_y, 0.0f),
                           0.0f, 1.0f);
    if (vt_design_is_glass(design))
        p.thing->shadow = 0.35f;
    shot->scene.reach = p.thing->radius * 0.9f;
    /* The product is not turned: its front looks along z, the customer walks around it. */
    float around = p.family->placement == VT_PLACE_WALL ? 34.0f : 60.0f;
    p.side = -p.family->front_degrees + draw(&random, -around, around);
    build_room(&p);
    look_from_somewhere(&p);
    vt_photo_light(&p);
    frame_loosely(&p);
    bool ok = vt_photo_clutter(&p);
    effects(&p);
    if (!ok)
        vt_shot_deinit(shot);
    return ok;
}
