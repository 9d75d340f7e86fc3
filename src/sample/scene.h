/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A scene: things standing on a floor or hanging at a wall, lights, a camera; and its picture.
 *
 *     vt_scene scene = {0};
 *     vt_scene_add(&scene, model, v3(0, 0, 0), 30.0f, 1.0f);
 *     scene.rig = vt_light_rig_studio();
 *     vt_camera_look(&camera, from, at, 0.0f, 30.0f);
 *     vt_frame_init(&frame, 320, 320);
 *     vt_scene_render(&scene, &camera, &frame);
 *
 * trace.c    rays against models: hits, shadows, occlusion
 * shade.c    light on materials
 * backdrop.c what floors and walls look like
 * render.c   camera, antialiasing, the frame
 *
 * Threads: a scene is only read while it is rendered.
 */
#ifndef VT_SAMPLE_SCENE_H
#define VT_SAMPLE_SCENE_H

#include "sample/solid.h"

enum { VT_SCENE_THINGS = 12, VT_RIG_BOXES = 4 };

typedef struct vt_thing {
    const vt_solid *model; /* borrowed */
    vt_vec3 at;
    vt_mat3 turn; /* from the model's axes to the world's */
    float scale;
    float shadow;   /* how dark its shadow is, 0..1: less for glass */
    vt_vec3 center; /* of a ball around it, in the world */
    float radius;
} vt_thing;

typedef enum vt_backdrop_kind {
    VT_BACKDROP_NONE,
    VT_BACKDROP_WHITE, /* the studio: only shadows show */
    VT_BACKDROP_PLANKS,
    VT_BACKDROP_TILES,
    VT_BACKDROP_CLOTH,
    VT_BACKDROP_MARBLE,
    VT_BACKDROP_GRASS,
    VT_BACKDROP_PAINT,
    VT_BACKDROP_BRICKS,
    VT_BACKDROP_CONCRETE,
    VT_BACKDROP_CARPET,
    VT_BACKDROP_WALLPAPER,
} vt_backdrop_kind;

/* A plane with something on it. */
typedef struct vt_backdrop {
    vt_backdrop_kind kind;
    vt_vec3 normal, u, v; /* u and v span it */
    float offset;         /* dot(normal, point) on it */
    vt_vec3 color[2];
    float scale, turn_cos, turn_sin;
    uint32_t seed;
    float gloss;
} vt_backdrop;

/* A rectangle of light seen in reflections. */
typedef struct vt_light_box {
    vt_vec3 forward, right, up;    /* towards the light; unit */
    float half_width, half_height; /* at distance 1 */
    vt_vec3 color;
} vt_light_box;

typedef struct vt_light_rig {
    vt_vec3 key, fill, rim; /* directions towards the light */
    vt_vec3 key_color, fill_color, rim_color;
    vt_vec3 sky, horizon, ground; /* ambient light from above, the sides, below */
    float key_hardness;           /* of shadows: 4 overcast, 40 hard sun */
    vt_light_box boxes[VT_RIG_BOXES];
    int box_count;
    float exposure;
} vt_light_rig;

typedef struct vt_scene {
    vt_thing things[VT_SCENE_THINGS];
    int thing_count;
    vt_backdrop backdrops[2]; /* floor, wall */
    int backdrop_count;
    vt_light_rig rig;
    float reach; /* size of the product: the unit of occlusion */
} vt_scene;

/* Returns the thing, NULL when there is no room for more. */
vt_thing *vt_scene_add(vt_scene *scene, const vt_solid *model, vt_vec3 at, float turn_degrees,
                       float scale);
void vt_thing_place(vt_thing *thing, vt_vec3 at, const vt_mat3 *turn, float scale);

/* ---- trace.c ---- */

typedef struct vt_ray {
    vt_vec3 from, along; /* unit */
    float pixel;         /* width of a pixel at distance 1 */
} vt_ray;

typedef struct vt_hit {
    int thing; /* -1: a backdrop, -2: nothing */
    int backdrop;
    float t;
    vt_vec3 point;
    vt_vec3 normal; /* without bumps */
    vt_vec3 model_point, model_normal;
} vt_hit;

/* First thing after distance `from`; normals are left out unless asked for. */
bool vt_trace_things(const vt_scene *scene, const vt_ray *ray, float from, float to, vt_hit *hit);
void vt_trace_normal(const vt_scene *scene, const vt_ray *ray, vt_hit *hit);
bool vt_trace_backdrops(const vt_scene *scene, const vt_ray *ray, vt_hit *hit);
/* Where a ray that entered glass at `t` leaves it. */
float vt_trace_through(const vt_scene *scene, const vt_ray *ray, int thing, float t);
float vt_trace_light(const vt_scene *scene, vt_vec3 point, vt_vec3 towards,
                     float hardness); /* 0 dark */
float vt_trace_open(const vt_scene *scene, vt_vec3 point, vt_vec3 normal,
                    float reach);                                           /* 0 closed in */
float vt_scene_distance(const vt_scene *scene, vt_vec3 point, float reach); /* at most `reach` */

/* ---- shade.c ---- */

vt_light_rig vt_light_rig_studio(void);
void vt_light_box_aim(vt_light_box *box, vt_vec3 forward, float half_width, float half_height,
                      vt_vec3 color);
typedef struct vt_seen {
    vt_vec3 color; /* 0..1, linear */
    float depth;   /* distance; 1e9: nothing there */
    int thing;
    const vt_part *part;
    vt_vec3 normal;
} vt_seen;
void vt_scene_look(const vt_scene *scene, const vt_ray *ray, vt_seen *seen);

/* ---- backdrop.c ---- */

/* Colour and gloss of a backdrop at a point. */
void vt_backdrop_shade(const vt_backdrop *backdrop, vt_vec3 point, float pixel_size,
                       vt_surface *out);

/* ---- render.c ---- */

typedef struct vt_camera {
    vt_vec3 from, right, up, forward;
    float tan_half;         /* of the field of view over the shorter side */
    float shift_x, shift_y; /* of the picture's middle, in half shorter sides */
} vt_camera;

typedef struct vt_frame {
    int width, height;
    float *rgb;   /* (height, width, 3), linear, owned */
    float *depth; /* (height, width), owned */
} vt_frame;

void vt_camera_look(vt_camera *camera, vt_vec3 from, vt_vec3 at, float roll_degrees,
                    float view_degrees);
void vt_camera_ray(const vt_camera *camera, int width, int height, float x, float y, vt_ray *ray);
bool vt_frame_init(vt_frame *frame, int width, int height); /* false: no memory */
void vt_frame_deinit(vt_frame *frame);
bool vt_scene_render(const vt_scene *scene, const vt_camera *camera,
                     vt_frame *frame); /* false: no memory */

/* What of a thing is seen, found with few rays. */
typedef struct vt_silhouette {
    float low_x, low_y, high_x, high_y; /* in half shorter sides from the middle, shift left out */
    int seen, whole;                    /* rays that meet it, with the other things and without */
} vt_silhouette;
void vt_scene_silhouette(const vt_scene *scene, const vt_camera *camera, int thing,
                         float half_width, float half_height, vt_silhouette *out);

#endif
