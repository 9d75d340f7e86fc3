/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A shot: a scene composed around one product, a camera, and what the camera does to the picture.
 *
 *     vt_shot shot;
 *     if (vt_shot_studio(&shot, &design, view, 320) && vt_shot_develop(&shot, &image)) ...
 *     vt_shot_deinit(&shot);
 *
 * scene_studio.c    on white
 * scene_photo.c     a customer's photo; props.c what lies around in it
 * camera_effects.c  blur, noise, vignette, from the frame to 8-bit pixels
 *
 * Threads: a shot belongs to one thread.
 */
#ifndef VT_SAMPLE_SHOT_H
#define VT_SAMPLE_SHOT_H

#include "image/image.h"
#include "sample/families/family.h"
#include "sample/scene.h"

enum { VT_SHOT_PROPS = 7 };

typedef struct vt_camera_effects {
    float focus_depth; /* distance that is sharp */
    float aperture;    /* blur in shares of the picture's side per step of inverse depth; 0: none */
    float blur_px;     /* of the whole picture, deviation */
    float motion_x, motion_y; /* in pixels */
    float noise;              /* deviation in bright parts, 0..1 */
    float vignette;           /* loss of light in the corners, 0..1 */
    float contrast, saturation;
    vt_vec3 balance;   /* white balance */
    bool white_border; /* the studio: fade to white at the edge */
    uint32_t seed;
    int quality; /* of the JPEG */
} vt_camera_effects;

typedef struct vt_shot {
    vt_scene scene;
    vt_camera camera;
    int width, height;
    vt_camera_effects effects;
    vt_solid *props[VT_SHOT_PROPS]; /* owned */
    int prop_count;
} vt_shot;

/* False: no memory; the shot needs no deinit then. */
bool vt_shot_studio(vt_shot *shot, const vt_design *design, int view, int size_px);
bool vt_shot_photo(vt_shot *shot, const vt_design *design, vt_random random, int size_px);
void vt_shot_deinit(vt_shot *shot);
vt_status vt_shot_develop(const vt_shot *shot, vt_image *image, vt_error *error);

/* props.c: something that lies around where the product is; NULL: no memory. */
vt_solid *vt_prop_new(vt_random *random, vt_setting setting);
vt_solid *
vt_prop_new_on_wall(vt_random *random); /* its back at z = 0; in centimetres, as all props */

/* camera_effects.c: frame (linear) to 8-bit pixels; changes the frame. */
vt_status vt_camera_develop(const vt_camera_effects *effects, vt_frame *frame, vt_image *image,
                            vt_error *error);

/* Moves the camera's view so that thing 0 fills `share` of the picture and is `off_x`, `off_y` away
 * from the middle (shares of the free room). */
typedef struct vt_framing {
    float aspect; /* width / height */
    float share, off_x, off_y;
} vt_framing;
void vt_shot_frame(vt_shot *shot, const vt_framing *framing);

#endif
