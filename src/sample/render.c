/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Purpose: the camera and the frame.
 * Method: one ray through the middle of each pixel; where neighbours differ (another thing or part,
 * a fold of the surface, a step in depth or brightness) four more rays on a turned grid, averaged
 * as they will be seen (adaptive supersampling, Whitted 1980).
 */
#include "base/mem.h"
#include "sample/scene.h"

void vt_camera_look(vt_camera *camera, vt_vec3 from, vt_vec3 at, float roll_degrees,
                    float view_degrees)
{
    vt_vec3 forward = v3_unit(v3_sub(at, from));
    vt_vec3 up = f_abs(forward.y) > 0.98f ? v3(0.0f, 0.0f, -1.0f) : v3(0.0f, 1.0f, 0.0f);
    vt_vec3 right = v3_unit(v3_cross(forward, up));
    up = v3_cross(right, forward);
    float c = f_cos(roll_degrees * VT_PI / 180.0f);
    float s = f_sin(roll_degrees * VT_PI / 180.0f);
    float half = 0.5f * view_degrees * VT_PI / 180.0f;
    *camera = (vt_camera){.from = from,
                          .right = v3_add(v3_scale(right, c), v3_scale(up, s)),
                          .up = v3_sub(v3_scale(up, c), v3_scale(right, s)),
                          .forward = forward,
                          .tan_half = f_sin(half) / f_cos(half)};
}

static void aim(const vt_camera *camera, float x, float y, vt_ray *ray)
{
    float u = (x + camera->shift_x) * camera->tan_half;
    float v = (y + camera->shift_y) * camera->tan_half;
    vt_vec3 along = v3_along(v3_along(camera->forward, camera->right, u), camera->up, v);
    ray->from = camera->from;
    ray->along = v3_unit(along);
}

void vt_camera_ray(const vt_camera *camera, int width, int height, float x, float y, vt_ray *ray)
{
    float shorter = (float)(width < height ? width : height);
    aim(camera, (2.0f * x - (float)width) / shorter, ((float)height - 2.0f * y) / shorter, ray);
    ray->pixel = 2.0f * camera->tan_half / shorter;
}

bool vt_frame_init(vt_frame *frame, int width, int height)
{
    size_t pixels = (size_t)width * (size_t)height;
    float *rgb = vt_alloc_array(pixels, 3 * sizeof(float));
    float *depth = vt_alloc_array(pixels, sizeof(float));
    if (!rgb || !depth) {
        vt_free(rgb);
        vt_free(depth);
        return false;
    }
    *frame = (vt_frame){width, height, rgb, depth};
    return true;
}

void vt_frame_deinit(vt_frame *frame)
{
    vt_free(frame->rgb);
    vt_free(frame->depth);
    *frame = (vt_frame){0};
}

/* Roughly as the eye sees it: brightness by its square root. */
static float seen_step(vt_vec3 a, vt_vec3 b)
{
    return f_max(f_abs(f_sqrt(a.x) - f_sqrt(b.x)),
                 f_max(f_abs(f_sqrt(a.y) - f_sqrt(b.y)), f_abs(f_sqrt(a.z) - f_sqrt(b.z))));
}

static bool differ(const vt_seen *a, const vt_seen *b)
{
    if (a->thing != b->thing || a->part != b->part)
        return true;
    if (a->thing >= 0 &&
        (v3_dot(a->normal, b->normal) < 0.8f || f_abs(a->depth - b->depth) > 0.05f * a->depth))
        return true;
    return seen_step(a->color, b->color) > 0.11f;
}

static vt_vec3 squared(vt_vec3 a)
{
    return v3_mul(a, a);
}

static vt_vec3 average_of_five(const vt_scene *scene, const vt_camera *camera,
                               const vt_frame *frame, const float at[2], vt_vec3 first)
{
    static const float grid[4][2] = {
        {-0.375f, -0.125f}, {0.125f, -0.375f}, {0.375f, 0.125f}, {-0.125f, 0.375f}};
    vt_vec3 sum = v3(f_sqrt(first.x), f_sqrt(first.y), f_sqrt(first.z));
    for (int i = 0; i < 4; i++) {
        vt_ray ray;
        vt_seen seen;
        vt_camera_ray(camera, frame->width, frame->height, at[0] + grid[i][0], at[1] + grid[i][1],
                      &ray);
        vt_scene_look(scene, &ray, &seen);
        sum = v3_add(sum, v3(f_sqrt(seen.color.x), f_sqrt(seen.color.y), f_sqrt(seen.color.z)));
    }
    return squared(v3_scale(sum, 0.2f));
}

bool vt_scene_render(const vt_scene *scene, const vt_camera *camera, vt_frame *frame)
{
    int width = frame->width;
    int height = frame->height;
    vt_seen *seen = vt_alloc_array((size_t)width * (size_t)height, sizeof *seen);
    if (!seen)
        return false;
    for (int y = 0; y < height; y++) {
        for (int x = 0; x < width; x++) {
            vt_ray ray;
            vt_camera_ray(camera, width, height, (float)x + 0.5f, (float)y + 0.5f, &ray);
            vt_scene_look(scene, &ray, seen + y * width + x);
        }
    }
    for (int y = 0; y < height; y++) {
        for (int x = 0; x < width; x++) {
            const vt_seen *here = seen + y * width + x;
            bool edge = (x > 0 && differ(here, here - 1)) ||
                        (x + 1 < width && differ(here, here + 1)) ||
                        (y > 0 && differ(here, here - width)) ||
                        (y + 1 < height && differ(here, here + width));
            vt_vec3 color = here->color;
            const float at[2] = {(float)x + 0.5f, (float)y + 0.5f};
            if (edge)
                color = average_of_five(scene, camera, frame, at, color);
            float *rgb = frame->rgb + 3 * (y * width + x);
            rgb[0] = color.x;
            rgb[1] = color.y;
            rgb[2] = color.z;
            frame->depth[y * width + x] = here->depth;
        }
    }
    vt_free(seen);
    return true;
}

void vt_scene_silhouette(const vt_scene *scene, const vt_camera *camera, int thing,
                         float half_width, float half_height, vt_silhouette *out)
{
    enum { RAYS = 56 };
    *out = (vt_silhouette){.low_x = 1e9f, .low_y = 1e9f, .high_x = -1e9f, .high_y = -1e9f};
    vt_scene alone = {.things = {scene->things[thing]}, .thing_count = 1};
    for (int row = 0; row < RAYS; row++) {
        for (int column = 0; column < RAYS; column++) {
            vt_ray ray;
            vt_hit hit;
            float x = half_width * (2.0f * ((float)column + 0.5f) / RAYS - 1.0f);
            float y = half_height * (2.0f * ((float)row + 0.5f) / RAYS - 1.0f);
            aim(camera, x, y, &ray);
            ray.pixel = 2.0f * camera->tan_half * half_width / RAYS * 0.3f;
            if (!vt_trace_things(&alone, &ray, 0.0f, 1e9f, &hit))
                continue;
            out->whole++;
            float own = hit.t;
            if (!vt_trace_things(scene, &ray, 0.0f, own * 0.999f, &hit) || hit.thing == thing)
                out->seen++;
            out->low_x = f_min(out->low_x, x - half_width / RAYS);
            out->low_y = f_min(out->low_y, y - half_height / RAYS);
            out->high_x = f_max(out->high_x, x + half_width / RAYS);
            out->high_y = f_max(out->high_y, y + half_height / RAYS);
        }
    }
}
