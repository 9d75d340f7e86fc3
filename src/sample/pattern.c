/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Purpose: stripes, dots, flowers and the like on surfaces of any shape.
 * Method: the point is mapped to a plane of unit cells; each pattern says how much of the second
 * and third colour it has there. Edges are as soft as a pixel is wide, which does the antialiasing
 *   (analytic box filter, approximated by a smooth step).
 */
#include "sample/material.h"

void vt_pattern_place(const vt_material *material, vt_vec3 point, vt_vec3 normal, float *u,
                      float *v)
{
    vt_vec3 n = v3_abs(normal);
    switch (material->projection) {
    case VT_PROJECTION_AROUND:
        *u = f_atan2(point.x, point.z) * material->around / (2.0f * VT_PI * material->scale);
        *v = point.y;
        return;
    case VT_PROJECTION_FRONT:
        *u = point.x;
        *v = point.y;
        return;
    case VT_PROJECTION_TOP:
        *u = point.x;
        *v = point.z;
        return;
    case VT_PROJECTION_BOX:
        break;
    }
    *u = n.x > n.y && n.x > n.z ? point.z : point.x;
    *v = n.y > n.x && n.y > n.z ? point.z : point.y;
}

/* 1 inside a bar of width `share` in the middle of each unit, soft over w. */
static float bar(float t, float share, float w)
{
    float from_middle = f_abs(f_fract(t) - 0.5f);
    float sharp =
        1.0f - f_smooth(0.5f * share - 0.5f * w, 0.5f * share + 0.5f * w + 1e-5f, from_middle);
    /* Finer than the pixels: its mean. */
    return f_mix(sharp, share, f_smooth(0.6f, 1.2f, w));
}

static float wave(float t) /* triangle between 0 and 1 */
{
    return f_abs(2.0f * f_fract(t) - 1.0f);
}

static int32_t wrapped(float cell, float around)
{
    if (around <= 0.0f)
        return (int32_t)cell;
    return (int32_t)(cell - f_floor(cell / around) * around);
}

typedef struct cell {
    float x, y;   /* from the middle of the motif, in cells */
    float random; /* of this cell */
} cell;

/* Cells with every second row moved by half, each motif turned and moved a little at random. */
static cell find_cell(const vt_material *m, float u, float v, float jitter)
{
    float row = f_floor(v);
    float around = m->projection == VT_PROJECTION_AROUND ? m->around : 0.0f;
    float moved = u + ((int32_t)row % 2 != 0 ? 0.5f : 0.0f);
    float column = f_floor(moved);
    int32_t cx = wrapped(column, around);
    int32_t cy = (int32_t)row;
    float dx = jitter * (f_hash2(cx, cy, m->seed) - 0.5f);
    float dy = jitter * (f_hash2(cx, cy, m->seed + 1) - 0.5f);
    return (cell){moved - column - 0.5f - dx, v - row - 0.5f - dy, f_hash2(cx, cy, m->seed + 2)};
}

static float inside(float distance, float w) /* 1 where distance < 0 */
{
    return 1.0f - f_smooth(-0.5f * w, 0.5f * w + 1e-5f, distance);
}

static vt_vec3 floral(const vt_material *m, float u, float v, float w)
{
    cell c = find_cell(m, u, v, 0.18f);
    float r = f_sqrt(c.x * c.x + c.y * c.y);
    float angle = f_atan2(c.y, c.x) + 6.28f * c.random;
    float petals = c.random < 0.5f ? 5.0f : 6.0f;
    float size = 0.34f + 0.08f * c.random;
    float edge = size * (0.68f + 0.32f * f_abs(f_cos(0.5f * petals * angle)));
    vt_vec3 color = v3_mix(m->color[0], m->color[1], inside(r - edge, w));
    /* Darker towards the middle, a heart in the third colour. */
    color = v3_mix(color, v3_mul(color, v3_all(0.72f)),
                   inside(r - 0.5f * edge, 0.3f * size) * inside(r - edge, w));
    return v3_mix(color, m->color[2], inside(r - 0.27f * size, w));
}

static vt_vec3 stars(const vt_material *m, float u, float v, float w)
{
    cell c = find_cell(m, u, v, 0.15f);
    float r = f_sqrt(c.x * c.x + c.y * c.y);
    float sector = 2.0f * VT_PI / 5.0f;
    float angle = f_atan2(c.x, c.y) + (c.random - 0.5f);
    float a = f_abs(f_fract(angle / sector + 0.5f) - 0.5f) * sector;
    /* The edge between a tip at distance R and a notch at 0.42 R, as a line in polar form. */
    float tip = 0.33f + 0.06f * c.random;
    float notch = 0.42f * tip;
    float half = 0.5f * sector;
    float s = f_sin(half);
    float edge = tip * notch * s / (tip * f_sin(a) + notch * f_sin(half - a) + 1e-6f);
    return v3_mix(m->color[0], m->color[c.random > 0.8f ? 2 : 1], inside(r - edge, w));
}

static vt_vec3 speckle(const vt_material *m, vt_vec3 p, float w)
{
    vt_vec3 q = v3_scale(p, m->scale * 3.0f);
    w *= 3.0f;
    vt_vec3 color = m->color[0];
    for (int layer = 0; layer < 2; layer++) {
        vt_vec3 whole = v3(f_floor(q.x), f_floor(q.y), f_floor(q.z));
        int32_t x = (int32_t)whole.x;
        int32_t y = (int32_t)whole.y;
        int32_t z = (int32_t)whole.z;
        uint32_t seed = m->seed + (uint32_t)layer * 7u;
        vt_vec3 at =
            v3(0.3f + 0.4f * f_hash3(x, y, z, seed), 0.3f + 0.4f * f_hash3(x, y, z, seed + 1),
               0.3f + 0.4f * f_hash3(x, y, z, seed + 2));
        float size = 0.30f * f_hash3(x, y, z, seed + 3);
        float distance = v3_length(v3_sub(v3_sub(q, whole), at)) - size;
        if (f_hash3(x, y, z, seed + 4) < m->share)
            color =
                v3_mix(color, m->color[layer == 0 ? 1 : 2], 0.85f * inside(distance, w + 0.06f));
        q = v3_add(v3_scale(q, 1.7f), v3(0.31f, 0.77f, 0.13f));
        w *= 1.7f;
    }
    return color;
}

static vt_vec3 marble(const vt_material *m, vt_vec3 p)
{
    vt_vec3 q = v3_scale(p, m->scale);
    float bend = vt_fractal3(q, 4, m->seed);
    float vein = f_abs(f_sin(2.2f * q.x + 1.6f * q.y + 1.1f * q.z + 7.0f * bend));
    float cloud = vt_fractal3(v3_scale(q, 0.7f), 3, m->seed + 9);
    vt_vec3 color = v3_mix(m->color[0], m->color[2], 0.35f * f_smooth(0.35f, 0.75f, cloud));
    return v3_mix(m->color[1], color, f_smooth(0.0f, 0.22f + 0.2f * cloud, vein));
}

static vt_vec3 plaid(const vt_material *m, float u, float v, float w)
{
    float across = bar(u, 0.46f, w);
    float along = bar(v, 0.46f, w);
    vt_vec3 color = v3_mix(m->color[0], m->color[1], 0.5f * (across + along));
    float thin = f_max(bar(u + 0.5f, 0.07f, w), bar(v + 0.5f, 0.07f, w));
    return v3_mix(color, m->color[2], 0.8f * thin);
}

/* Patterns along the height, placed in units of length. */
static vt_vec3 along_height(const vt_material *m, vt_vec3 point, float v, float pixel_size)
{
    float soft = pixel_size;
    if (m->pattern == VT_PATTERN_GRADIENT)
        return v3_mix(m->color[0], m->color[1], f_smooth(m->low, m->high, v));
    if (m->pattern == VT_PATTERN_DIP) {
        float ripple =
            m->share * 0.2f * (vt_noise3(v3(point.x * 5.0f, 0.0f, point.z * 5.0f), m->seed) - 0.5f);
        return v3_mix(m->color[0], m->color[1], inside(v - m->low - ripple, soft));
    }
    float middle = 0.5f * (m->low + m->high);
    float half = 0.5f * (m->high - m->low);
    float away = f_abs(v - middle);
    vt_vec3 color = v3_mix(m->color[0], m->color[1], inside(away - half, soft));
    /* A thin line on either side. */
    return v3_mix(color, m->color[2], inside(f_abs(away - half * 1.45f) - half * 0.12f, soft));
}

vt_vec3 vt_pattern_color(const vt_material *material, vt_vec3 point, vt_vec3 normal,
                         float pixel_size)
{
    const vt_material *m = material;
    /* The inner side looks at the axis, or to the opening. */
    if (m->lined != 0 &&
        (point.x * normal.x + point.z * normal.z < 0.0f || normal.y * (float)m->lined > 0.8f))
        return m->lining;
    if (m->pattern == VT_PATTERN_PLAIN)
        return m->color[0];
    float w = pixel_size * m->scale * 1.4f;
    if (m->pattern == VT_PATTERN_SPECKLE)
        return speckle(m, point, w);
    if (m->pattern == VT_PATTERN_MARBLE)
        return marble(m, point);
    float u;
    float v;
    vt_pattern_place(m, point, normal, &u, &v);
    if (m->pattern == VT_PATTERN_BAND || m->pattern == VT_PATTERN_GRADIENT ||
        m->pattern == VT_PATTERN_DIP)
        return along_height(m, point, v, pixel_size);
    u *= m->scale;
    v *= m->scale;
    float second = 0.0f;
    switch (m->pattern) {
    case VT_PATTERN_STRIPES:
        second = bar(v, m->share, w);
        break;
    case VT_PATTERN_PINSTRIPES:
        second = bar(u, m->share, w);
        break;
    case VT_PATTERN_DIAGONAL:
        second = bar(u + v, m->share, 1.4f * w);
        break;
    case VT_PATTERN_ZIGZAG:
        second = bar(v + 0.5f * wave(u), m->share, 1.4f * w);
        break;
    case VT_PATTERN_DOTS: {
        cell c = find_cell(m, u, v, 0.0f);
        second = inside(f_sqrt(c.x * c.x + c.y * c.y) - (0.16f + 0.2f * m->share), w);
        break;
    }
    case VT_PATTERN_CHECKS:
        second = 0.5f * (bar(u, 0.5f, w) + bar(v, 0.5f, w));
        break;
    case VT_PATTERN_PLAID:
        return plaid(m, u, v, w);
    case VT_PATTERN_FLORAL:
        return floral(m, u, v, w);
    case VT_PATTERN_STARS:
        return stars(m, u, v, w);
    default:
        break;
    }
    return v3_mix(m->color[0], m->color[1], second);
}
