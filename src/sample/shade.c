/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Purpose: the light that comes back along a ray.
 * Method: three lights (key with soft shadow, fill, rim) and ambient light on a diffuse base; GGX
 * highlights (Walter et al. 2007) with Schlick's Fresnel; reflections of an analytic environment
 * made of a gradient and rectangles of light, blurred by roughness. Glass is taken as thin walls:
 * the ray goes straight through and is tinted at each. What is brighter than white is rolled off
 * softly.
 */
#include "sample/scene.h"

enum { GLASS_LAYERS = 5 };

void vt_light_box_aim(vt_light_box *box, vt_vec3 forward, float half_width, float half_height,
                      vt_vec3 color)
{
    box->forward = v3_unit(forward);
    vt_vec3 up = f_abs(box->forward.y) > 0.95f ? v3(0.0f, 0.0f, 1.0f) : v3(0.0f, 1.0f, 0.0f);
    box->right = v3_unit(v3_cross(up, box->forward));
    box->up = v3_cross(box->forward, box->right);
    box->half_width = half_width;
    box->half_height = half_height;
    box->color = color;
}

vt_light_rig vt_light_rig_studio(void)
{
    vt_light_rig rig = {
        .key = v3_unit(v3(-0.55f, 1.05f, 0.62f)),
        .fill = v3_unit(v3(0.85f, 0.35f, 0.75f)),
        .rim = v3_unit(v3(0.45f, 0.75f, -0.9f)),
        .key_color = v3(1.50f, 1.47f, 1.42f),
        .fill_color = v3(0.20f, 0.21f, 0.23f),
        .rim_color = v3(0.45f, 0.46f, 0.48f),
        .sky = v3(0.62f, 0.63f, 0.65f),
        .horizon = v3(0.52f, 0.52f, 0.53f),
        .ground = v3(0.50f, 0.49f, 0.48f),
        .key_hardness = 7.0f,
        .box_count = 3,
        .exposure = 1.0f,
    };
    vt_light_box_aim(rig.boxes, v3(-0.75f, 0.62f, 0.75f), 0.55f, 0.75f, v3(3.4f, 3.35f, 3.3f));
    vt_light_box_aim(rig.boxes + 1, v3(1.0f, 0.35f, 0.45f), 0.16f, 0.85f, v3(2.0f, 2.05f, 2.1f));
    vt_light_box_aim(rig.boxes + 2, v3(0.1f, 1.0f, -0.25f), 0.8f, 0.35f, v3(1.5f, 1.5f, 1.5f));
    return rig;
}

static float box_share(const vt_light_box *box, vt_vec3 direction, float roughness)
{
    float depth = v3_dot(direction, box->forward);
    if (depth < 0.05f)
        return 0.0f;
    float u = f_abs(v3_dot(direction, box->right)) / depth;
    float v = f_abs(v3_dot(direction, box->up)) / depth;
    float soft = 0.03f + 1.1f * roughness;
    float share = (1.0f - f_smooth(box->half_width - soft, box->half_width + soft, u)) *
                  (1.0f - f_smooth(box->half_height - soft, box->half_height + soft, v));
    /* Blurring spreads the same light over more directions. */
    float area = (box->half_width * box->half_height) /
                 ((box->half_width + 0.6f * soft) * (box->half_height + 0.6f * soft));
    return share * area;
}

static vt_vec3 ambient(const vt_light_rig *rig, vt_vec3 direction)
{
    float up = direction.y;
    return up > 0.0f ? v3_mix(rig->horizon, rig->sky, up) : v3_mix(rig->horizon, rig->ground, -up);
}

static vt_vec3 environment(const vt_light_rig *rig, vt_vec3 direction, float roughness)
{
    /* A dark band at the horizon gives polished metal its contrast. */
    float band =
        1.0f - 0.62f * (1.0f - roughness) * f_smooth(0.42f, 0.0f, f_abs(direction.y - 0.08f));
    vt_vec3 light = v3_scale(ambient(rig, direction), band);
    for (int i = 0; i < rig->box_count; i++)
        light =
            v3_along(light, rig->boxes[i].color, box_share(rig->boxes + i, direction, roughness));
    return light;
}

/* The lobe of GGX without Fresnel, with the usual joint shadowing approximation. */
static float highlight(vt_vec3 normal, vt_vec3 view, vt_vec3 light, float roughness)
{
    float a = f_max(roughness * roughness, 0.012f);
    float a2 = a * a;
    vt_vec3 half = v3_unit(v3_add(view, light));
    float nh = f_max(v3_dot(normal, half), 0.0f);
    float nl = f_max(v3_dot(normal, light), 0.0f);
    float nv = f_max(v3_dot(normal, view), 0.05f);
    float d = nh * nh * (a2 - 1.0f) + 1.0f;
    float k = 0.5f * a + 0.05f;
    float visible = 0.25f / ((nl * (1.0f - k) + k) * (nv * (1.0f - k) + k));
    return f_min(a2 / (VT_PI * d * d) * visible * nl, 12.0f);
}

static float rolled(float a)
{
    const float knee = 0.72f;
    return a <= knee ? a : knee + (1.0f - knee) * (1.0f - f_exp(-(a - knee) / (1.0f - knee)));
}

static vt_vec3 tone(vt_vec3 color, float exposure)
{
    return v3(rolled(color.x * exposure), rolled(color.y * exposure), rolled(color.z * exposure));
}

/* What a mirror at `point` sees: the room, or the floor with the dark around the thing's foot. */
static vt_vec3 reflected(const vt_scene *scene, vt_vec3 point, vt_vec3 direction, float roughness)
{
    vt_vec3 light = environment(&scene->rig, direction, roughness);
    if (scene->backdrop_count == 0 || direction.y > -0.02f || roughness > 0.45f)
        return light;
    const vt_backdrop *floor = scene->backdrops;
    float towards = v3_dot(floor->normal, direction);
    if (towards > -0.02f)
        return light;
    float t = (floor->offset - v3_dot(floor->normal, point)) / towards;
    vt_vec3 there = v3_along(point, direction, t);
    float open =
        f_saturate(vt_scene_distance(scene, there, 0.4f * scene->reach) / (0.4f * scene->reach));
    return v3_scale(light, f_mix(0.35f, 1.0f, f_sqrt(open)));
}

static vt_vec3 lit(const vt_scene *scene, const vt_surface *s, const vt_hit *hit, vt_vec3 normal,
                   vt_vec3 view)
{
    const vt_light_rig *rig = &scene->rig;
    vt_vec3 start = v3_along(hit->point, hit->normal, 0.004f * scene->reach);
    float key = f_max(v3_dot(normal, rig->key), 0.0f);
    float shadow = 0.0f;
    if (key > 0.0f && v3_dot(hit->normal, rig->key) > 0.0f)
        shadow = vt_trace_light(scene, start, rig->key, rig->key_hardness);
    float open = vt_trace_open(scene, hit->point, hit->normal, scene->reach);
    vt_vec3 diffuse = v3_scale(ambient(rig, normal), open);
    diffuse = v3_along(diffuse, rig->key_color, key * shadow);
    float fill = f_saturate(0.3f + 0.7f * v3_dot(normal, rig->fill));
    diffuse = v3_along(diffuse, rig->fill_color, fill * open);
    float rim = f_max(v3_dot(normal, rig->rim), 0.0f);
    diffuse = v3_along(diffuse, rig->rim_color, rim * (0.3f + 0.7f * open));
    vt_vec3 color =
        v3_scale(v3_mul(s->albedo, diffuse), (1.0f - s->metal) * (1.0f - s->transmission));

    float grazing = 1.0f - f_saturate(v3_dot(normal, view));
    float fresnel = grazing * grazing * grazing * grazing * grazing * (1.0f - 0.85f * s->roughness);
    vt_vec3 mirror =
        v3_mix(s->reflectance, v3_all(1.0f), fresnel * (s->metal > 0.0f ? 0.6f : 0.75f));
    vt_vec3 bounce = v3_reflect(v3_scale(view, -1.0f), normal);
    float ahead = vt_scene_distance(scene, v3_along(start, bounce, 0.16f * scene->reach),
                                    0.10f * scene->reach);
    float clear =
        f_mix(0.22f, 1.0f, f_saturate(ahead / (0.10f * scene->reach))) * f_mix(0.5f, 1.0f, open);
    vt_vec3 seen = v3_scale(reflected(scene, hit->point, bounce, s->roughness), clear);
    color = v3_add(color, v3_mul(mirror, seen));
    float shine = highlight(normal, view, rig->key, s->roughness) * shadow;
    color = v3_add(color, v3_mul(mirror, v3_scale(rig->key_color, 1.2f * shine)));
    float sheen = s->sheen * grazing * grazing * grazing;
    color = v3_add(color, v3_scale(v3_mul(v3_mix(s->albedo, v3_all(1.0f), 0.4f), diffuse), sheen));
    return v3_along(color, s->albedo, s->glow);
}

static vt_vec3 shade_thing(const vt_scene *scene, const vt_ray *ray, const vt_hit *hit,
                           vt_surface *surface, vt_seen *seen)
{
    const vt_thing *thing = scene->things + hit->thing;
    const vt_part *part = vt_solid_part_at(thing->model, hit->model_point);
    /* Axes of the part at this point, mirrored and repeated as it is. */
    const float step = 1e-3f;
    vt_vec3 local = vt_part_local(part, hit->model_point);
    vt_mat3 axes; /* rows: the model's axes in the part's */
    for (int i = 0; i < 3; i++) {
        vt_vec3 moved = hit->model_point;
        *(i == 0 ? &moved.x : i == 1 ? &moved.y : &moved.z) += step;
        axes.row[i] = v3_scale(v3_sub(vt_part_local(part, moved), local), 1.0f / step);
    }
    vt_vec3 normal = v3_unit(m3_apply_transposed(&axes, hit->model_normal));
    float pixel = ray->pixel * hit->t / thing->scale;
    vt_material_shade(thing->model->materials + part->material, local, normal, pixel, surface);
    vt_vec3 model_normal = v3_unit(m3_apply(&axes, surface->normal));
    vt_vec3 world_normal = m3_apply(&thing->turn, model_normal);
    seen->part = part;
    return lit(scene, surface, hit, world_normal, v3_scale(ray->along, -1.0f));
}

/* White paper that shows nothing but shadows, and those only near the product. */
static vt_vec3 shade_white(const vt_scene *scene, const vt_hit *hit)
{
    const vt_thing *thing = scene->things;
    vt_vec3 away = v3_sub(hit->point, thing->center);
    away = v3_along(away, hit->normal, -v3_dot(away, hit->normal));
    float fade = 1.0f - f_smooth(0.62f * thing->radius, 1.35f * thing->radius, v3_length(away));
    if (fade <= 0.0f)
        return v3_all(1.0f);
    vt_vec3 start = v3_along(hit->point, hit->normal, 0.002f * thing->radius);
    float light = vt_trace_light(scene, start, scene->rig.key, scene->rig.key_hardness);
    float open = vt_trace_open(scene, hit->point, hit->normal, 1.1f * scene->reach);
    float dark = 0.20f * (1.0f - light) + 0.62f * (1.0f - open) * (0.55f + 0.45f * (1.0f - light));
    return v3_sub(v3_all(1.0f), v3_scale(v3(1.0f, 0.99f, 0.97f), f_min(dark * fade, 0.9f)));
}

static vt_vec3 shade_backdrop(const vt_scene *scene, const vt_ray *ray, const vt_hit *hit)
{
    const vt_backdrop *backdrop = scene->backdrops + hit->backdrop;
    const vt_light_rig *rig = &scene->rig;
    if (backdrop->kind == VT_BACKDROP_WHITE)
        return shade_white(scene, hit);
    vt_surface s;
    float facing = f_max(-v3_dot(hit->normal, ray->along), 0.08f);
    vt_backdrop_shade(backdrop, hit->point, ray->pixel * hit->t / f_sqrt(facing), &s);
    vt_vec3 start = v3_along(hit->point, hit->normal, 0.003f * scene->reach);
    float key = f_max(v3_dot(s.normal, rig->key), 0.0f);
    float light = key > 0.0f ? vt_trace_light(scene, start, rig->key, rig->key_hardness) : 0.0f;
    float open = vt_trace_open(scene, hit->point, hit->normal, 1.3f * scene->reach);
    vt_vec3 diffuse = v3_scale(ambient(rig, s.normal), open);
    diffuse = v3_along(diffuse, rig->key_color, key * light);
    diffuse = v3_along(diffuse, rig->fill_color,
                       open * f_saturate(0.3f + 0.7f * v3_dot(s.normal, rig->fill)));
    vt_vec3 color = v3_mul(s.albedo, diffuse);
    vt_vec3 view = v3_scale(ray->along, -1.0f);
    float grazing = 1.0f - f_saturate(v3_dot(s.normal, view));
    float fresnel = backdrop->gloss * (0.04f + 0.5f * grazing * grazing * grazing * grazing);
    vt_vec3 bounce = v3_reflect(ray->along, s.normal);
    float ahead = f_saturate(vt_scene_distance(scene, v3_along(start, bounce, 0.3f * scene->reach),
                                               0.25f * scene->reach) /
                             (0.25f * scene->reach));
    color = v3_along(color, environment(rig, bounce, s.roughness), fresnel * open * ahead);
    return tone(color, rig->exposure);
}

static vt_vec3 behind(const vt_scene *scene, const vt_ray *ray, float *depth)
{
    vt_hit hit;
    *depth = 1e9f;
    if (!vt_trace_backdrops(scene, ray, &hit))
        return scene->backdrop_count > 0 && scene->backdrops[0].kind != VT_BACKDROP_WHITE
                   ? tone(scene->rig.horizon, scene->rig.exposure)
                   : v3_all(1.0f);
    *depth = hit.t;
    return shade_backdrop(scene, ray, &hit);
}

void vt_scene_look(const vt_scene *scene, const vt_ray *ray, vt_seen *seen)
{
    *seen = (vt_seen){.depth = 1e9f, .thing = -1};
    vt_hit ground;
    float end = vt_trace_backdrops(scene, ray, &ground) ? ground.t : 1e9f;
    vt_vec3 color = v3_all(0.0f);
    vt_vec3 through = v3_all(1.0f);
    float from = 0.0f;
    for (int layer = 0; layer < GLASS_LAYERS; layer++) {
        vt_hit hit;
        if (!vt_trace_things(scene, ray, from, end, &hit))
            break;
        vt_trace_normal(scene, ray, &hit);
        vt_surface surface;
        vt_vec3 here = tone(shade_thing(scene, ray, &hit, &surface, seen), scene->rig.exposure);
        if (layer == 0) {
            seen->depth = hit.t;
            seen->thing = hit.thing;
            seen->normal = hit.normal;
        }
        color = v3_add(color, v3_mul(through, here));
        if (surface.transmission <= 0.0f) {
            seen->color = color;
            return;
        }
        /* The slanting way through a wall is longer and darker. */
        float facing = f_abs(v3_dot(hit.normal, ray->along));
        float way = 0.55f / (facing + 0.18f);
        vt_vec3 tint = v3(f_pow(surface.albedo.x, way), f_pow(surface.albedo.y, way),
                          f_pow(surface.albedo.z, way));
        float mirror = 0.04f + 0.5f * (1.0f - facing) * (1.0f - facing) * (1.0f - facing);
        through = v3_mul(through, v3_scale(tint, 1.0f - mirror));
        from = vt_trace_through(scene, ray, hit.thing, hit.t);
    }
    float depth;
    color = v3_add(color, v3_mul(through, behind(scene, ray, &depth)));
    if (seen->thing < 0)
        seen->depth = depth;
    seen->color = v3_lower(color, v3_all(1.0f));
}
