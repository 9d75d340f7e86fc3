/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Signed distances of the basic solids, each around the origin of its own axes, and soft joins.
 * Inline: they are the innermost loop of the renderer.
 *
 * Threads: no state.
 */
#ifndef VT_SAMPLE_SDF_H
#define VT_SAMPLE_SDF_H

#include "sample/number.h"

static inline float sdf_ball(vt_vec3 p, vt_vec3 radii)
{
    if (radii.x == radii.y && radii.y == radii.z)
        return v3_length(p) - radii.x;
    /* First-order estimate f/|grad f| of an ellipsoid: exact on the surface. */
    vt_vec3 scaled = v3(p.x / radii.x, p.y / radii.y, p.z / radii.z);
    float k0 = v3_length(scaled);
    float k1 = v3_length(v3(scaled.x / radii.x, scaled.y / radii.y, scaled.z / radii.z));
    if (k0 < 1e-4f)
        return -f_min(radii.x, f_min(radii.y, radii.z));
    return k0 * (k0 - 1.0f) / k1;
}

static inline float sdf_corner(float a, float b) /* distance to the quadrant a <= 0, b <= 0 */
{
    float oa = f_max(a, 0.0f);
    float ob = f_max(b, 0.0f);
    return f_min(f_max(a, b), 0.0f) + f_sqrt(oa * oa + ob * ob);
}

static inline float sdf_box(vt_vec3 p, vt_vec3 half, float round)
{
    vt_vec3 q =
        v3(f_abs(p.x) - half.x + round, f_abs(p.y) - half.y + round, f_abs(p.z) - half.z + round);
    vt_vec3 outside = v3_upper(q, v3_all(0.0f));
    return f_min(f_max(q.x, f_max(q.y, q.z)), 0.0f) + v3_length(outside) - round;
}

static inline float sdf_cylinder(vt_vec3 p, float radius, float half, float round)
{
    float across = f_sqrt(p.x * p.x + p.z * p.z) - radius + round;
    return sdf_corner(across, f_abs(p.y) - half + round) - round;
}

static inline float sdf_cone(vt_vec3 p, float low, float half, float high, float round)
{
    /* The slanted side as a half-plane, cut off at both ends; exact but outside the edges. */
    float across = f_sqrt(p.x * p.x + p.z * p.z);
    float slope_x = 2.0f * half;
    float slope_y = low - high;
    float inverse = 1.0f / f_sqrt(slope_x * slope_x + slope_y * slope_y);
    float side = ((across - low) * slope_x + (p.y + half) * slope_y) * inverse;
    return sdf_corner(side + round, f_abs(p.y) - half + round) - round;
}

static inline float sdf_rod(vt_vec3 p, vt_vec3 to, float from_radius, float to_radius)
{
    float square = v3_dot(to, to);
    float t = square > 0.0f ? f_saturate(v3_dot(p, to) / square) : 0.0f;
    return v3_length(v3_along(p, to, -t)) - f_mix(from_radius, to_radius, t);
}

static inline float sdf_ring(vt_vec3 p, float radius, float sideways, float height)
{
    float across = f_sqrt(p.x * p.x + p.z * p.z) - radius;
    if (sideways == height)
        return f_sqrt(across * across + p.y * p.y) - sideways;
    /* An elliptic section, first-order as in sdf_ball. */
    float u = across / sideways;
    float v = p.y / height;
    float k0 = f_sqrt(u * u + v * v);
    float k1 = f_sqrt(u * u / (sideways * sideways) + v * v / (height * height));
    return k0 < 1e-4f ? -f_min(sideways, height) : k0 * (k0 - 1.0f) / k1;
}

/* A cushion: thick in the middle, thin at the seam, corners drawn out. */
static inline float sdf_pillow(vt_vec3 p, vt_vec3 half)
{
    float u = f_abs(p.x) / half.x;
    float v = f_abs(p.y) / half.y;
    float sag_x = half.x * (1.0f - 0.09f * (1.0f - f_min(v * v, 1.0f)));
    float sag_y = half.y * (1.0f - 0.09f * (1.0f - f_min(u * u, 1.0f)));
    float su = f_min(f_abs(p.x) / sag_x, 1.0f);
    float sv = f_min(f_abs(p.y) / sag_y, 1.0f);
    float left_u = 1.0f - su * su * su;
    float left_v = 1.0f - sv * sv * sv;
    float root = f_sqrt(left_u * left_v) + 0.003f;
    float height = half.z * f_sqrt(root);
    /* Distance to the tangent plane below the point; the seam, where that stands upright, is
     * rounded. */
    float steep = 0.75f * height / (root * root);
    float slope_x = steep * su * su * left_v / sag_x;
    float slope_y = steep * sv * sv * left_u / sag_y;
    float slope = f_min(slope_x * slope_x + slope_y * slope_y, 24.0f);
    float skin = (f_abs(p.z) - height) / f_sqrt(1.0f + slope);
    skin = f_max(skin, f_abs(p.z) - 1.02f * half.z);
    float edge = sdf_corner(f_abs(p.x) - sag_x, f_abs(p.y) - sag_y);
    return edge > 0.0f ? sdf_corner(edge, skin) * 0.9f : skin * 0.9f;
}

/* Polynomial soft minimum (Quilez, "smooth minimum", quadratic form): rounds over a width k. */
static inline float sdf_soft_min(float a, float b, float k)
{
    float h = f_max(k - f_abs(a - b), 0.0f);
    return f_min(a, b) - h * h * 0.25f / k;
}

#endif
