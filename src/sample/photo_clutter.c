/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Purpose: what else is in a customer's photo.
 * Method: a few props beside and behind the product, now and then one in front; a prop that
 * overlaps another thing is moved away, one that hides more than a fifth of the product is taken
 * out again.
 */
#include "sample/photo.h"

enum { TRIES = 6 };
static const float LEAST_SEEN = 0.78f;

static float flat_radius(const vt_thing *thing)
{
    const vt_bounds *b = &thing->model->bounds;
    float x = f_max(f_abs(b->low.x), f_abs(b->high.x));
    float z = f_max(f_abs(b->low.z), f_abs(b->high.z));
    return thing->scale * f_sqrt(x * x + z * z);
}

static bool has_room(const vt_scene *scene, vt_vec3 at, float radius, vt_vec3 camera)
{
    for (int i = 0; i < scene->thing_count; i++) {
        const vt_thing *other = scene->things + i;
        float dx = at.x - other->at.x;
        float dz = at.z - other->at.z;
        float least = 0.82f * (radius + flat_radius(other));
        if (dx * dx + dz * dz < least * least)
            return false;
    }
    float dx = at.x - camera.x;
    float dz = at.z - camera.z;
    if (dx * dx + dz * dz < 4.0f * radius * radius)
        return false;
    for (int i = 0; i < scene->backdrop_count; i++) {
        const vt_backdrop *b = scene->backdrops + i;
        if (f_abs(b->normal.y) < 0.5f && v3_dot(b->normal, at) - b->offset < radius)
            return false;
    }
    return true;
}

/* The newest thing must leave enough of the product to be seen. */
static void keep_if_clear(vt_snapshot *p)
{
    vt_silhouette s;
    vt_scene *scene = &p->shot->scene;
    float longer = (float)(p->shot->width > p->shot->height ? p->shot->width : p->shot->height);
    float shorter = (float)(p->shot->width < p->shot->height ? p->shot->width : p->shot->height);
    vt_scene_silhouette(scene, &p->shot->camera, 0, longer / shorter, longer / shorter, &s);
    if ((float)s.seen < LEAST_SEEN * (float)s.whole)
        scene->thing_count--;
}

static void put_on_floor(vt_snapshot *p, vt_solid *model, bool in_front)
{
    vt_random *random = p->random;
    vt_scene *scene = &p->shot->scene;
    float turn = vt_random_float(random, 0.0f, 360.0f);
    float size = vt_random_float(random, 0.85f, 1.15f) * p->cm;
    /* Small products stand among things of their own size. */
    size *= f_clamp(p->family->size_cm / (p->family->setting == VT_SETTING_TABLE ? 16.0f : 48.0f),
                    0.65f, 1.5f);
    vt_thing *prop = vt_scene_add(scene, model, v3(0.0f, 0.0f, 0.0f), turn, size);
    if (!prop)
        return;
    scene->thing_count--;
    float radius = flat_radius(prop);
    for (int i = 0; i < TRIES; i++) {
        float side =
            p->side + vt_random_float(random, in_front ? -70.0f : 65.0f, in_front ? 70.0f : 295.0f);
        float away = (flat_radius(p->thing) + radius) *
                     vt_random_float(random, 0.85f, in_front ? 1.2f : 2.2f);
        vt_mat3 swing = vt_mat3_turn(0.0f, side, 0.0f);
        vt_vec3 at = m3_apply(&swing, v3(0.0f, 0.0f, away));
        if (!has_room(scene, at, radius, p->shot->camera.from))
            continue;
        vt_mat3 own = prop->turn;
        at.y = scene->backdrops[0].offset - model->ground_y * size;
        vt_thing_place(prop, at, &own, size);
        scene->thing_count++;
        keep_if_clear(p);
        return;
    }
}

static void put_on_wall(vt_snapshot *p, vt_solid *model)
{
    vt_random *random = p->random;
    vt_scene *scene = &p->shot->scene;
    const vt_backdrop *wall = scene->backdrops + (p->family->placement == VT_PLACE_WALL ? 0 : 1);
    float size = p->cm * vt_random_float(random, 0.8f, 1.3f);
    vt_thing *prop = vt_scene_add(scene, model, v3(0.0f, 0.0f, 0.0f), 0.0f, size);
    if (!prop)
        return;
    scene->thing_count--;
    vt_mat3 turn = {{wall->u, v3(0.0f, 1.0f, 0.0f), wall->normal}};
    vt_mat3 upright;
    for (int i = 0; i < 3; i++) {
        vt_vec3 axis = i == 0 ? v3(1, 0, 0) : i == 1 ? v3(0, 1, 0) : v3(0, 0, 1);
        upright.row[i] = m3_apply(&turn, axis);
    }
    for (int i = 0; i < TRIES; i++) {
        float u = vt_random_float(random, -1.0f, 1.0f) * 4.2f * p->thing->radius;
        float v = vt_random_float(random, -0.5f, 1.0f) * 2.4f * p->thing->radius;
        vt_vec3 at = v3_along(v3_scale(wall->normal, wall->offset), wall->u, u);
        at.y = p->thing->center.y + v;
        vt_thing_place(prop, at, &upright, size);
        vt_vec3 gap = v3_sub(prop->center, p->thing->center);
        if (p->family->placement == VT_PLACE_WALL &&
            v3_length(gap) < 0.9f * (prop->radius + p->thing->radius))
            continue;
        bool overlaps = false;
        for (int k = 1; k < scene->thing_count; k++) {
            vt_vec3 between = v3_sub(prop->center, scene->things[k].center);
            overlaps |= v3_length(between) < 0.8f * (prop->radius + scene->things[k].radius);
        }
        if (overlaps)
            continue;
        scene->thing_count++;
        return;
    }
}

bool vt_photo_clutter(vt_snapshot *p)
{
    vt_random *random = p->random;
    bool walled = p->family->placement != VT_PLACE_STANDS;
    int count = vt_random_int(random, 2, 5);
    int front = vt_random_int(random, 0, 9);
    for (int i = 0; i < count; i++) {
        bool hang = walled && (i % 2 == 0 || p->family->placement == VT_PLACE_WALL);
        vt_solid *model =
            hang ? vt_prop_new_on_wall(random) : vt_prop_new(random, p->family->setting);
        if (!model)
            return false;
        p->shot->props[p->shot->prop_count++] = model;
        if (hang)
            put_on_wall(p, model);
        else
            put_on_floor(p, model, !walled && i == 0 && front < 4);
    }
    return true;
}
