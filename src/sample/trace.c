/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Purpose: rays against things.
 * Method: sphere tracing (Hart 1996) of each thing in its own axes, only between the points where
 * the ray enters and leaves the thing's box. Soft shadows from the narrowest cone that passes along
 * the shadow ray (the well-known estimate of Quilez), occlusion from distances sampled along the
 * normal (Evans 2006).
 */
#include "sample/scene.h"

enum { MARCH_STEPS = 110, SHADOW_STEPS = 26, OPEN_SAMPLES = 4 };

void vt_thing_place(vt_thing *thing, vt_vec3 at, const vt_mat3 *turn, float scale)
{
    const vt_bounds *b = &thing->model->bounds;
    vt_vec3 middle = v3_scale(v3_add(b->low, b->high), 0.5f * scale);
    thing->at = at;
    thing->turn = *turn;
    thing->scale = scale;
    thing->center = v3_add(at, m3_apply(turn, middle));
    thing->radius = 0.5f * scale * v3_length(v3_sub(b->high, b->low));
}

vt_thing *vt_scene_add(vt_scene *scene, const vt_solid *model, vt_vec3 at, float turn_degrees,
                       float scale)
{
    if (scene->thing_count == VT_SCENE_THINGS)
        return NULL;
    vt_thing *thing = scene->things + scene->thing_count++;
    thing->model = model;
    thing->shadow = 1.0f;
    vt_mat3 turn = vt_mat3_turn(0.0f, turn_degrees, 0.0f);
    vt_thing_place(thing, at, &turn, scale);
    return thing;
}

static vt_vec3 to_model(const vt_thing *thing, vt_vec3 p)
{
    return v3_scale(m3_apply_transposed(&thing->turn, v3_sub(p, thing->at)), 1.0f / thing->scale);
}

/* The stretch of a ray (model axes, any length of `along`) inside a box that is `margin` wider. */
static bool box_span(const vt_bounds *box, float margin, vt_vec3 from, vt_vec3 along, float span[2])
{
    const float f[3] = {from.x, from.y, from.z};
    const float a[3] = {along.x, along.y, along.z};
    const float low[3] = {box->low.x, box->low.y, box->low.z};
    const float high[3] = {box->high.x, box->high.y, box->high.z};
    for (int i = 0; i < 3; i++) {
        float inverse = 1.0f / (f_abs(a[i]) < 1e-9f ? 1e-9f : a[i]);
        float t0 = (low[i] - margin - f[i]) * inverse;
        float t1 = (high[i] + margin - f[i]) * inverse;
        span[0] = f_max(span[0], f_min(t0, t1));
        span[1] = f_min(span[1], f_max(t0, t1));
    }
    return span[0] < span[1];
}

static bool ball_missed(const vt_thing *thing, vt_vec3 from, vt_vec3 along, float margin)
{
    vt_vec3 w = v3_sub(thing->center, from);
    float t = v3_dot(w, along);
    float r = thing->radius + margin;
    float square = v3_dot(w, w);
    return square > r * r && (t < 0.0f || square - t * t > r * r);
}

static bool march(const vt_thing *thing, const vt_ray *ray, float span[2], vt_hit *hit)
{
    vt_vec3 from = to_model(thing, ray->from);
    vt_vec3 along = v3_scale(m3_apply_transposed(&thing->turn, ray->along), 1.0f / thing->scale);
    const vt_solid *model = thing->model;
    if (!box_span(&model->bounds, 0.0f, from, along, span))
        return false;
    float t = f_max(span[0], 0.0f);
    float enough = 0.12f * thing->radius / thing->scale;
    for (int i = 0; i < MARCH_STEPS; i++) {
        vt_vec3 p = v3_along(from, along, t);
        float close = 0.35f * ray->pixel * t;
        float distance = vt_solid_bound(model, p, enough) * thing->scale;
        if (distance < close) {
            hit->t = t;
            hit->model_point = p;
            return true;
        }
        t += f_max(distance * 0.96f, 0.5f * close);
        if (t > span[1])
            return false;
    }
    return false;
}

bool vt_trace_things(const vt_scene *scene, const vt_ray *ray, float from, float to, vt_hit *hit)
{
    hit->t = to;
    hit->thing = -2;
    for (int i = 0; i < scene->thing_count; i++) {
        const vt_thing *thing = scene->things + i;
        if (ball_missed(thing, ray->from, ray->along, 0.0f))
            continue;
        float span[2] = {from, hit->t};
        if (march(thing, ray, span, hit))
            hit->thing = i;
    }
    if (hit->thing < 0)
        return false;
    hit->point = v3_along(ray->from, ray->along, hit->t);
    return true;
}

void vt_trace_normal(const vt_scene *scene, const vt_ray *ray, vt_hit *hit)
{
    const vt_thing *thing = scene->things + hit->thing;
    float step = f_max(0.6f * ray->pixel * hit->t / thing->scale, 2e-4f);
    vt_vec3 p = hit->model_point;
    /* Four corners of a tetrahedron. All are next to the surface: what is farther does not count.
     */
    const vt_solid *m = thing->model;
    float reach = 8.0f * step + 0.35f * ray->pixel * hit->t / thing->scale;
    float a = vt_solid_distance_within(m, v3(p.x + step, p.y - step, p.z - step), reach);
    float b = vt_solid_distance_within(m, v3(p.x - step, p.y - step, p.z + step), reach);
    float c = vt_solid_distance_within(m, v3(p.x - step, p.y + step, p.z - step), reach);
    float d = vt_solid_distance_within(m, v3(p.x + step, p.y + step, p.z + step), reach);
    hit->model_normal = v3_unit(v3(a - b - c + d, c + d - a - b, b + d - a - c));
    hit->normal = m3_apply(&thing->turn, hit->model_normal);
}

bool vt_trace_backdrops(const vt_scene *scene, const vt_ray *ray, vt_hit *hit)
{
    bool found = false;
    hit->t = 1e9f;
    for (int i = 0; i < scene->backdrop_count; i++) {
        const vt_backdrop *plane = scene->backdrops + i;
        float towards = v3_dot(plane->normal, ray->along);
        if (towards > -1e-5f)
            continue;
        float t = (plane->offset - v3_dot(plane->normal, ray->from)) / towards;
        if (t <= 0.0f || t >= hit->t)
            continue;
        found = true;
        hit->t = t;
        hit->thing = -1;
        hit->backdrop = i;
        hit->normal = plane->normal;
        hit->point = v3_along(ray->from, ray->along, t);
    }
    return found;
}

float vt_trace_through(const vt_scene *scene, const vt_ray *ray, int index, float t)
{
    const vt_thing *thing = scene->things + index;
    vt_vec3 from = to_model(thing, ray->from);
    vt_vec3 along = v3_scale(m3_apply_transposed(&thing->turn, ray->along), 1.0f / thing->scale);
    float least = 1.5f * ray->pixel * t;
    t += 2.0f * least;
    for (int i = 0; i < 40; i++) {
        float distance = vt_solid_distance(thing->model, v3_along(from, along, t)) * thing->scale;
        if (distance > 0.5f * least)
            break;
        t += f_max(-distance, least);
    }
    return t;
}

float vt_scene_distance(const vt_scene *scene, vt_vec3 point, float reach)
{
    float best = reach;
    for (int i = 0; i < scene->thing_count; i++) {
        const vt_thing *thing = scene->things + i;
        vt_vec3 away = v3_sub(point, thing->center);
        float least = best + thing->radius;
        if (v3_dot(away, away) >= least * least)
            continue;
        vt_vec3 p = to_model(thing, point);
        float limit = best / thing->scale;
        if (best > 0.0f && vt_bounds_square(&thing->model->bounds, p) < limit * limit)
            best = vt_solid_distance_within(thing->model, p, limit) * thing->scale;
    }
    return best;
}

static float thing_light(const vt_thing *thing, vt_vec3 point, vt_vec3 towards, float hardness)
{
    float margin = 1.2f * thing->radius / hardness;
    if (ball_missed(thing, point, towards, margin))
        return 1.0f;
    vt_vec3 from = to_model(thing, point);
    vt_vec3 along = v3_scale(m3_apply_transposed(&thing->turn, towards), 1.0f / thing->scale);
    float span[2] = {0.0f, 1e9f};
    if (!box_span(&thing->model->bounds, margin / thing->scale, from, along, span))
        return 1.0f;
    float light = 1.0f;
    float least = 0.012f * thing->radius;
    float longest = 0.35f * thing->radius;
    float t = f_max(span[0], least);
    for (int i = 0; i < SHADOW_STEPS && t < span[1]; i++) {
        /* From here on it neither dims the light nor shortens the step. */
        float reach = f_max(longest, t / hardness) / thing->scale;
        vt_vec3 p = v3_along(from, along, t);
        float distance = vt_solid_distance_within(thing->model, p, reach) * thing->scale;
        light = f_min(light, 0.5f + 0.5f * hardness * distance / t);
        if (light <= 0.0f)
            return 1.0f - thing->shadow;
        t += f_clamp(distance, least, longest);
    }
    light = light * light * (3.0f - 2.0f * light);
    return 1.0f - thing->shadow * (1.0f - light);
}

float vt_trace_light(const vt_scene *scene, vt_vec3 point, vt_vec3 towards, float hardness)
{
    float light = 1.0f;
    for (int i = 0; i < scene->thing_count && light > 0.01f; i++)
        light *= thing_light(scene->things + i, point, towards, hardness);
    return light;
}

float vt_trace_open(const vt_scene *scene, vt_vec3 point, vt_vec3 normal, float reach)
{
    float closed = 0.0f;
    float weight = 1.0f;
    float total = 0.0f;
    float height = reach * 0.07f;
    for (int i = 0; i < OPEN_SAMPLES; i++) {
        vt_vec3 p = v3_along(point, normal, height);
        float distance = vt_scene_distance(scene, p, height);
        /* The floor closes in from below as things do. */
        if (scene->backdrop_count > 0)
            distance =
                f_min(distance, v3_dot(scene->backdrops[0].normal, p) - scene->backdrops[0].offset);
        closed += weight * f_saturate((height - distance) / height);
        total += weight;
        weight *= 0.72f;
        height *= 2.1f;
    }
    float open = 1.0f - closed / total;
    return open * (0.4f + 0.6f * open);
}
