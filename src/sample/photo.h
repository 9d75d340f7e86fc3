/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Inside of a customer's photo: what scene_photo.c, photo_light.c and photo_clutter.c share.
 *
 * Threads: one photo, one thread.
 */
#ifndef VT_SAMPLE_PHOTO_H
#define VT_SAMPLE_PHOTO_H

#include "sample/shot.h"

typedef struct vt_snapshot {
    vt_shot *shot;
    const vt_family *family;
    vt_random *random;
    int size_px;
    float cm;        /* one centimetre, in the product's units */
    vt_thing *thing; /* the product */
    float side;      /* where the camera is, in degrees around the product from its front */
    vt_vec3 toward;  /* from the product to the camera */
} vt_snapshot;

void vt_photo_light(vt_snapshot *p);
bool vt_photo_clutter(vt_snapshot *p); /* false: no memory; what was made is in the shot */

#endif
