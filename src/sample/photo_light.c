/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Purpose: the light of customers' photos: window, sun, lamp, flash, grey day.
 * Method: one key light of a colour and hardness, ambient light in its complement, brought to about
 * the same brightness, then exposed a little wrong.
 */
#include "sample/photo.h"

typedef struct light_kind {
    vt_vec3 key, ambient; /* colours, of brightness about 1 */
    float key_low, key_high, ambient_low, ambient_high;
    float hard_low, hard_high;
    float rise_low, rise_high; /* degrees above the horizon */
    float around;              /* degrees to either side of the camera */
    float share;
} light_kind;

static const light_kind kinds[] = {
    {{1.0f, 0.98f, 0.94f},
     {0.94f, 0.98f, 1.06f},
     0.9f,
     1.3f,
     0.45f,
     0.62f,
     5,
     11,
     28,
     60,
     115,
     0.34f}, /* window */
    {{1.06f, 0.99f, 0.86f},
     {0.85f, 0.97f, 1.16f},
     1.5f,
     1.9f,
     0.28f,
     0.4f,
     18,
     40,
     32,
     65,
     130,
     0.18f}, /* sun */
    {{1.16f, 0.97f, 0.70f},
     {1.10f, 0.98f, 0.80f},
     1.0f,
     1.3f,
     0.35f,
     0.5f,
     7,
     16,
     48,
     78,
     140,
     0.22f}, /* lamp */
    {{1.0f, 1.0f, 1.02f},
     {1.05f, 0.98f, 0.88f},
     1.2f,
     1.5f,
     0.25f,
     0.35f,
     25,
     40,
     14,
     30,
     14,
     0.08f}, /* flash */
    {{0.98f, 1.0f, 1.03f},
     {0.97f, 1.0f, 1.05f},
     0.35f,
     0.55f,
     0.72f,
     0.9f,
     3,
     5,
     50,
     80,
     130,
     0.18f}, /* grey day */
};

static const light_kind *choose_kind(vt_random *random)
{
    float at = vt_random_float(random, 0.0f, 1.0f);
    for (size_t i = 0; i + 1 < sizeof kinds / sizeof *kinds; i++) {
        at -= kinds[i].share;
        if (at < 0.0f)
            return kinds + i;
    }
    return kinds + sizeof kinds / sizeof *kinds - 1;
}

static vt_vec3 direction(float side, float rise)
{
    vt_mat3 turn = vt_mat3_turn(-rise, side, 0.0f);
    return m3_apply(&turn, v3(0.0f, 0.0f, 1.0f));
}

void vt_photo_light(vt_snapshot *p)
{
    vt_random *random = p->random;
    vt_light_rig *rig = &p->shot->scene.rig;
    const light_kind *kind = choose_kind(random);
    float side = p->side + vt_random_float(random, -kind->around, kind->around);
    float rise = vt_random_float(random, kind->rise_low, kind->rise_high);
    float power = vt_random_float(random, kind->key_low, kind->key_high);
    float ambient = vt_random_float(random, kind->ambient_low, kind->ambient_high);
    *rig = (vt_light_rig){.key = direction(side, rise), .key_color = v3_scale(kind->key, power)};
    if (p->family->placement == VT_PLACE_WALL && rig->key.z < 0.35f) {
        /* No light comes through the wall. */
        rig->key.z = 0.35f;
        rig->key = v3_unit(rig->key);
    }
    rig->key_hardness = vt_random_float(random, kind->hard_low, kind->hard_high);
    rig->sky = v3_scale(kind->ambient, ambient);
    rig->horizon = v3_scale(kind->ambient, 0.82f * ambient);
    /* Light that the floor throws back has its colour. */
    vt_vec3 floor = p->shot->scene.backdrops[0].color[0];
    rig->ground = v3_scale(v3_mul(v3_mix(floor, v3_all(v3_luma(floor)), 0.3f), kind->ambient),
                           0.55f * ambient + 0.25f * power);
    rig->fill = direction(p->side - 60.0f, 20.0f);
    rig->fill_color = v3_scale(kind->ambient, 0.12f);
    rig->rim = direction(p->side + 160.0f, 40.0f);
    rig->rim_color = v3_scale(kind->key, vt_random_float(random, 0.0f, 0.25f));
    vt_vec3 pane = v3_scale(kind->key, 1.6f * power);
    bool small = kind->hard_low > 15.0f;
    vt_light_box_aim(rig->boxes, rig->key, small ? 0.14f : 0.42f, small ? 0.14f : 0.5f,
                     v3_scale(pane, small ? 2.2f : 1.0f));
    vt_light_box_aim(rig->boxes + 1, direction(side + 150.0f, 25.0f), 0.35f, 0.45f,
                     v3_scale(kind->ambient, ambient));
    rig->box_count = 2;
    float stops = vt_random_float(random, -0.55f, 0.4f);
    rig->exposure = f_exp2(stops);
}
