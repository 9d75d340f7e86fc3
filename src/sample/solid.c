/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Purpose: distance to a model of many parts, at a cost near that of the few parts that are close.
 * Method: every part and group has an axis-aligned box. A part that cannot change the distance
 * found so far (its box is too far away for its kind of join) is not evaluated.
 */
#include "sample/solid.h"
#include "base/mem.h"
#include "sample/sdf.h"

float vt_bounds_square(const vt_bounds *bounds, vt_vec3 p)
{
    float x = f_max(f_max(bounds->low.x - p.x, p.x - bounds->high.x), 0.0f);
    float y = f_max(f_max(bounds->low.y - p.y, p.y - bounds->high.y), 0.0f);
    float z = f_max(f_max(bounds->low.z - p.z, p.z - bounds->high.z), 0.0f);
    return x * x + y * y + z * z;
}

vt_vec3 vt_part_local(const vt_part *part, vt_vec3 p)
{
    if (part->mirror_x)
        p.x = f_abs(p.x);
    if (part->mirror_z)
        p.z = f_abs(p.z);
    if (part->copies > 1) {
        /* Turn the sector that p lies in onto the one around +x. */
        float sector = 2.0f * VT_PI / (float)part->copies;
        float angle = f_atan2(p.z, p.x);
        float back = f_floor(angle / sector + 0.5f) * sector;
        float c = f_cos(back);
        float s = f_sin(back);
        p = v3(c * p.x + s * p.z, p.y, c * p.z - s * p.x);
    }
    p = v3_sub(p, part->at);
    return part->turned ? m3_apply(&part->turn, p) : p;
}

static float lathe_distance(const vt_part *part, vt_vec3 p)
{
    float across = f_sqrt(p.x * p.x + p.z * p.z);
    if (part->flutes == 0.0f)
        return vt_outline_distance(part->outline, across, p.y);
    float angle = f_atan2(p.z, p.x) * part->flutes + part->flute_twist * p.y;
    const vt_outline *o = part->outline;
    /* None near the axis and the foot, where they would meet in creases. */
    float deep = part->flute_depth * f_min(across * 4.0f / (o->high_x + 1e-6f), 1.0f) *
                 f_smooth(o->low_y, f_mix(o->low_y, o->high_y, 0.22f), p.y);
    float wave = vt_outline_distance(part->outline, across + deep * f_cos(angle), p.y);
    return wave * 0.8f;
}

static float tube_distance(const vt_part *part, vt_vec3 p)
{
    const vt_outline *o = part->outline;
    float plane = vt_outline_distance(o, p.x, p.y);
    if (part->taper > 0.0f) {
        float rise = f_saturate((p.y - o->low_y) / (o->high_y - o->low_y + 1e-6f));
        return (f_sqrt(plane * plane + p.z * p.z) -
                f_mix(part->size.x, part->taper, f_sqrt(rise))) *
               0.9f;
    }
    if (part->size.x == part->size.z)
        return f_sqrt(plane * plane + p.z * p.z) - part->size.x;
    float u = plane / part->size.x;
    float v = p.z / part->size.z;
    float k0 = f_sqrt(u * u + v * v);
    float k1 =
        f_sqrt(u * u / (part->size.x * part->size.x) + v * v / (part->size.z * part->size.z));
    return k0 < 1e-4f ? -f_min(part->size.x, part->size.z) : k0 * (k0 - 1.0f) / k1;
}

static float shape_distance(const vt_part *part, vt_vec3 p)
{
    switch ((vt_shape)part->shape) {
    case VT_SHAPE_BALL:
        return sdf_ball(p, part->size);
    case VT_SHAPE_BOX:
        return sdf_box(p, part->size, part->round);
    case VT_SHAPE_CYLINDER:
        return sdf_cylinder(p, part->size.x, part->size.y, part->round);
    case VT_SHAPE_CONE:
        return sdf_cone(p, part->size.x, part->size.y, part->size.z, part->round);
    case VT_SHAPE_ROD:
        return sdf_rod(p, part->size, part->round, part->taper);
    case VT_SHAPE_RING:
        return sdf_ring(p, part->size.x, part->size.y, part->size.z);
    case VT_SHAPE_LATHE:
        return lathe_distance(part, p);
    case VT_SHAPE_PLATE:
        return sdf_corner(vt_outline_distance(part->outline, p.x, p.y) - part->taper + part->round,
                          f_abs(p.z) - part->size.z + part->round) -
               part->round;
    case VT_SHAPE_TUBE:
        return tube_distance(part, p);
    case VT_SHAPE_PILLOW:
        return sdf_pillow(p, part->size);
    }
    return 1e9f;
}

float vt_part_distance(const vt_part *part, vt_vec3 p)
{
    float distance = shape_distance(part, vt_part_local(part, p));
    if (part->shell > 0.0f)
        distance = f_abs(distance + 0.5f * part->shell) - 0.5f * part->shell;
    return distance;
}

/* May the part change a distance of `so_far` at p? */
static bool part_matters(const vt_part *part, vt_vec3 p, float so_far)
{
    float reach = part->blend;
    switch ((vt_join)part->join) {
    case VT_JOIN_ADD:
        reach += so_far;
        break;
    case VT_JOIN_CUT:
        reach -= so_far;
        break;
    case VT_JOIN_KEEP:
        return true;
    }
    float square = vt_bounds_square(&part->bounds, p);
    if (reach > 0.0f)
        return square < reach * reach;
    /* Outside of what is cut, only what is inside the cut still changes anything. */
    return part->join == VT_JOIN_CUT && square <= 0.0f;
}

static float joined(const vt_part *part, float so_far, float distance)
{
    switch ((vt_join)part->join) {
    case VT_JOIN_ADD:
        return part->blend > 0.0f ? sdf_soft_min(so_far, distance, part->blend)
                                  : f_min(so_far, distance);
    case VT_JOIN_CUT:
        return part->blend > 0.0f ? -sdf_soft_min(-so_far, distance, part->blend)
                                  : f_max(so_far, -distance);
    case VT_JOIN_KEEP:
        return part->blend > 0.0f ? -sdf_soft_min(-so_far, -distance, part->blend)
                                  : f_max(so_far, distance);
    }
    return so_far;
}

static float group_distance(const vt_solid *model, const vt_group *group, vt_vec3 p)
{
    const vt_part *part = model->parts + group->first;
    float distance = vt_part_distance(part, p);
    for (int i = 1; i < group->count; i++) {
        part++;
        if (part_matters(part, p, distance))
            distance = joined(part, distance, vt_part_distance(part, p));
    }
    return distance;
}

float vt_solid_distance(const vt_solid *model, vt_vec3 p)
{
    return vt_solid_distance_within(model, p, 1e9f);
}

float vt_solid_distance_within(const vt_solid *model, vt_vec3 p, float reach)
{
    float best = reach;
    for (int i = 0; i < model->group_count; i++) {
        const vt_group *group = model->groups + i;
        float square = vt_bounds_square(&group->bounds, p);
        if (square > 0.0f && (best <= 0.0f || square >= best * best))
            continue;
        best = f_min(best, group_distance(model, group, p));
    }
    return best;
}

float vt_solid_bound(const vt_solid *model, vt_vec3 p, float enough)
{
    float best = 1e9f;
    for (int i = 0; i < model->group_count; i++) {
        const vt_group *group = model->groups + i;
        float square = vt_bounds_square(&group->bounds, p);
        if (square > 0.0f && (best <= 0.0f || square >= best * best))
            continue;
        if (square > enough * enough)
            best = f_sqrt(square);
        else
            best = f_min(best, group_distance(model, group, p));
    }
    return best;
}

const vt_part *vt_solid_part_at(const vt_solid *model, vt_vec3 p)
{
    float best = 1e9f;
    const vt_part *found = model->parts;
    for (int i = 0; i < model->group_count; i++) {
        const vt_group *group = model->groups + i;
        float square = vt_bounds_square(&group->bounds, p);
        if (square > 0.0f && square >= best * best)
            continue;
        const vt_part *part = model->parts + group->first;
        const vt_part *nearest = part;
        float distance = vt_part_distance(part, p);
        for (int k = 1; k < group->count; k++) {
            part++;
            float other = vt_part_distance(part, p);
            bool wins = other < distance;
            if (part->join == VT_JOIN_CUT) {
                wins = -other > distance;
            } else if (part->join == VT_JOIN_KEEP) {
                wins = other > distance;
            }
            /* Of the same material: one pattern runs on over both. */
            nearest = wins && part->material != nearest->material ? part : nearest;
            distance = joined(part, distance, other);
        }
        if (f_abs(distance) < best) {
            best = f_abs(distance);
            found = nearest;
        }
    }
    return found;
}
