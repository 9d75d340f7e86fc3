/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Purpose: studio pictures: the product alone on white, lit by soft boxes, filling the picture.
 * Method: the product is turned, camera and lights stay. A coarse silhouette gives the exact frame.
 */
#include "base/mem.h"
#include "sample/shot.h"

/* Further views of a product, in degrees from the first. */
static const float turns[][2] = {{0, 0},    {68, 9},   {-55, 4}, {180, 3},
                                 {118, 14}, {-110, 6}, {30, 24}, {-24, 30}};
enum { TURNS = sizeof turns / sizeof *turns };

void vt_shot_frame(vt_shot *shot, const vt_framing *framing)
{
    vt_silhouette s;
    float half_width = framing->aspect > 1.0f ? framing->aspect : 1.0f;
    float half_height = framing->aspect > 1.0f ? 1.0f : 1.0f / framing->aspect;
    vt_scene_silhouette(&shot->scene, &shot->camera, 0, 1.15f, 1.15f, &s);
    if (s.whole == 0)
        return;
    float wide = 0.5f * (s.high_x - s.low_x);
    float tall = 0.5f * (s.high_y - s.low_y);
    float zoom = f_max(wide / half_width, tall / half_height) / framing->share;
    float free_x = f_max(half_width - wide / zoom, 0.0f);
    float free_y = f_max(half_height - tall / zoom, 0.0f);
    shot->camera.tan_half *= zoom;
    shot->camera.shift_x = 0.5f * (s.high_x + s.low_x) / zoom - framing->off_x * free_x;
    shot->camera.shift_y = 0.5f * (s.high_y + s.low_y) / zoom - framing->off_y * free_y;
}

static void orbit(vt_camera *camera, vt_vec3 around, float side_degrees, float height_degrees,
                  float distance)
{
    vt_mat3 turn = vt_mat3_turn(-height_degrees, side_degrees, 0.0f);
    vt_vec3 from = v3_along(around, m3_apply(&turn, v3(0.0f, 0.0f, 1.0f)), distance);
    vt_camera_look(camera, from, around, 0.0f, 30.0f);
}

bool vt_shot_studio(vt_shot *shot, const vt_design *design, int view, int size_px)
{
    const vt_family *family = design->family;
    const float *turn = turns[view % TURNS];
    float lap = (float)(view / TURNS);
    float side = family->front_degrees + turn[0] + 17.0f * lap;
    float height = f_min(family->height_degrees + turn[1] + 5.0f * lap, 60.0f);
    *shot = (vt_shot){.width = size_px, .height = size_px};
    vt_scene *scene = &shot->scene;
    scene->rig = vt_light_rig_studio();
    const vt_bounds *b = &design->model->bounds;
    bool hung = family->placement == VT_PLACE_WALL;
    float y = -design->model->ground_y;
    vt_thing *thing =
        vt_scene_add(scene, design->model, v3(0.0f, y, 0.0f), hung ? 0.0f : side, 1.0f);
    if (vt_design_is_glass(design))
        thing->shadow = 0.35f;
    scene->reach = thing->radius * 0.9f;
    if (family->placement != VT_PLACE_HANGS) {
        vt_vec3 normal = hung ? v3(0.0f, 0.0f, 1.0f) : v3(0.0f, 1.0f, 0.0f);
        scene->backdrops[0] = (vt_backdrop){
            .kind = VT_BACKDROP_WHITE, .normal = normal, .offset = hung ? b->low.z : 0.0f};
        scene->backdrop_count = 1;
    }
    if (hung)
        side = f_clamp(turn[0] * 0.4f + family->front_degrees, -38.0f, 38.0f);
    /* A view angle of 30 degrees from here sees the whole ball around the product. */
    float distance = thing->radius * 4.2f;
    orbit(&shot->camera, thing->center, hung ? side : 0.0f, height, distance);
    vt_shot_frame(shot, &(vt_framing){.aspect = 1.0f, .share = 0.81f});
    shot->effects = (vt_camera_effects){.contrast = 1.0f,
                                        .saturation = 1.0f,
                                        .balance = {1.0f, 1.0f, 1.0f},
                                        .white_border = true,
                                        .quality = 90};
    return true;
}

void vt_shot_deinit(vt_shot *shot)
{
    for (int i = 0; i < shot->prop_count; i++)
        vt_solid_free(shot->props[i]);
    shot->prop_count = 0;
}

vt_status vt_shot_develop(const vt_shot *shot, vt_image *image, vt_error *error)
{
    vt_frame frame;
    if (!vt_frame_init(&frame, shot->width, shot->height))
        return vt_fail_memory(error, "a rendered frame");
    vt_status status;
    if (vt_scene_render(&shot->scene, &shot->camera, &frame))
        status = vt_camera_develop(&shot->effects, &frame, image, error);
    else
        status = vt_fail_memory(error, "the rays of a frame");
    vt_frame_deinit(&frame);
    return status;
}
