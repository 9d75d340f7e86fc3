/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Purpose: finishes: how smooth, how metallic, with which grain.
 * Method: a small table of constants per finish; wood, cloth, leather and the like also vary the
 * colour and tilt the normal by the gradient of a procedural height (Blinn 1978, bump mapping, by
 * finite differences). Grain finer than a pixel is faded out instead of sampled.
 */
#include "sample/material.h"

typedef struct finish_facts {
    float reflectance, roughness, metal, sheen, transmission;
    float grain; /* features per unit of length */
    float bump;  /* height of the grain, in features */
} finish_facts;

static const finish_facts finish_table[VT_FINISH_COUNT] = {
    [VT_FINISH_CERAMIC] = {0.055f, 0.09f, 0.0f, 0.0f, 0.0f, 5.0f, 0.0f},
    [VT_FINISH_CLAY] = {0.03f, 0.80f, 0.0f, 0.03f, 0.0f, 26.0f, 0.035f},
    [VT_FINISH_POLISHED] = {0.90f, 0.10f, 1.0f, 0.0f, 0.0f, 0.0f, 0.0f},
    [VT_FINISH_BRUSHED] = {0.80f, 0.34f, 1.0f, 0.0f, 0.0f, 90.0f, 0.05f},
    [VT_FINISH_WOOD] = {0.04f, 0.46f, 0.0f, 0.0f, 0.0f, 9.0f, 0.03f},
    [VT_FINISH_LEATHER] = {0.04f, 0.42f, 0.0f, 0.03f, 0.0f, 48.0f, 0.05f},
    [VT_FINISH_CANVAS] = {0.02f, 0.90f, 0.0f, 0.10f, 0.0f, 42.0f, 0.14f},
    [VT_FINISH_KNIT] = {0.02f, 0.95f, 0.0f, 0.14f, 0.0f, 17.0f, 0.30f},
    [VT_FINISH_PLUSH] = {0.02f, 1.00f, 0.0f, 0.30f, 0.0f, 44.0f, 0.24f},
    [VT_FINISH_PLASTIC] = {0.045f, 0.20f, 0.0f, 0.0f, 0.0f, 0.0f, 0.0f},
    [VT_FINISH_RUBBER] = {0.03f, 0.60f, 0.0f, 0.02f, 0.0f, 0.0f, 0.0f},
    [VT_FINISH_LACQUER] = {0.045f, 0.28f, 0.0f, 0.0f, 0.0f, 0.0f, 0.0f},
    [VT_FINISH_GLASS] = {0.05f, 0.03f, 0.0f, 0.0f, 0.86f, 0.0f, 0.0f},
    [VT_FINISH_WICKER] = {0.03f, 0.65f, 0.0f, 0.02f, 0.0f, 11.0f, 0.34f},
    [VT_FINISH_GLOW] = {0.03f, 0.60f, 0.0f, 0.0f, 0.0f, 0.0f, 0.0f},
};

bool vt_finish_is_metal(vt_finish finish)
{
    return finish == VT_FINISH_POLISHED || finish == VT_FINISH_BRUSHED;
}

vt_material vt_material_make(vt_finish finish, vt_vec3 color)
{
    return (vt_material){.finish = finish,
                         .color = {color, color, color},
                         .scale = 6.0f,
                         .around = 12.0f,
                         .share = 0.5f,
                         .grain = finish_table[finish].grain,
                         .grain_axis = 1,
                         .glow = finish == VT_FINISH_GLOW ? 2.2f : 0.0f};
}

/* p with the grain's direction as x. */
static vt_vec3 along_grain(const vt_material *m, vt_vec3 p)
{
    switch (m->grain_axis) {
    case 0:
        return p;
    case 1:
        return v3(p.y, p.z, p.x);
    case 2:
        return v3(p.z, p.x, p.y);
    default:
        return v3(f_atan2(p.x, p.z), f_sqrt(p.x * p.x + p.z * p.z), p.y);
    }
}

/* Rings around a wandering axis: 0 in early wood, 1 in late wood. */
static float wood_ring(const vt_material *m, vt_vec3 p)
{
    vt_vec3 q = along_grain(m, p);
    float wander = 0.35f * vt_noise3(v3(q.x * 1.1f, q.y * 2.0f, q.z * 2.0f), m->seed);
    float y = q.y + 0.9f + wander;
    float z = q.z + 0.6f * wander + 0.31f;
    float ring = f_sqrt(y * y + z * z) * m->grain +
                 0.5f * vt_noise3(v3(q.x, q.y * 4.0f, q.z * 4.0f), m->seed + 3);
    float t = f_fract(ring);
    return t < 0.82f ? t / 0.82f : (1.0f - t) / 0.18f;
}

static float wood_fibre(const vt_material *m, vt_vec3 p)
{
    vt_vec3 q = along_grain(m, p);
    float f = m->grain;
    return vt_noise3(v3(q.x * f * 0.5f, q.y * f * 8.0f, q.z * f * 8.0f), m->seed + 5);
}

static float weave(const vt_material *m, vt_vec3 p, vt_vec3 normal)
{
    float u;
    float v;
    vt_pattern_place(m, p, normal, &u, &v);
    u *= m->grain;
    v *= m->grain;
    float over = ((int32_t)f_floor(u) + (int32_t)f_floor(v)) % 2 == 0 ? u : v;
    float side = over == u ? v : u;
    /* The thread on top arches over the one below. */
    return f_abs(f_sin(VT_PI * over)) * 0.5f + 0.5f * f_abs(f_sin(VT_PI * side));
}

static float knit(const vt_material *m, vt_vec3 p, vt_vec3 normal)
{
    float u;
    float v;
    vt_pattern_place(m, p, normal, &u, &v);
    u *= m->grain;
    v *= m->grain;
    float slant = f_abs(f_fract(u) - 0.5f);
    /* Columns of V-shaped stitches. */
    float stitch = f_abs(f_sin(VT_PI * (v + 1.1f * slant)));
    return stitch * f_smooth(0.0f, 0.12f, slant) * f_smooth(0.5f, 0.38f, slant);
}

/* Height of the grain at p, 0..1. */
static float grain_height(const vt_material *m, vt_vec3 p, vt_vec3 normal)
{
    switch (m->finish) {
    case VT_FINISH_CLAY:
        return vt_fractal3(v3_scale(p, m->grain), 2, m->seed);
    case VT_FINISH_BRUSHED: {
        vt_vec3 q = along_grain(m, p);
        return vt_noise3(v3(q.x * m->grain * 0.05f, q.y * m->grain, q.z * m->grain), m->seed);
    }
    case VT_FINISH_WOOD:
        return wood_fibre(m, p);
    case VT_FINISH_LEATHER: {
        float a = vt_noise3(v3_scale(p, m->grain), m->seed);
        return f_abs(2.0f * a - 1.0f);
    }
    case VT_FINISH_CANVAS:
        return weave(m, p, normal);
    case VT_FINISH_WICKER:
        return weave(m, p, normal);
    case VT_FINISH_KNIT:
        return knit(m, p, normal);
    case VT_FINISH_PLUSH:
        return vt_fractal3(v3_scale(p, m->grain), 2, m->seed);
    default:
        return 0.5f;
    }
}

static vt_vec3 bumped(const vt_material *m, vt_vec3 p, vt_vec3 normal, float strength)
{
    float step = 0.12f / m->grain;
    float h = grain_height(m, p, normal);
    vt_vec3 slope = v3(grain_height(m, v3(p.x + step, p.y, p.z), normal) - h,
                       grain_height(m, v3(p.x, p.y + step, p.z), normal) - h,
                       grain_height(m, v3(p.x, p.y, p.z + step), normal) - h);
    slope = v3_scale(slope, strength / (step * m->grain));
    slope = v3_along(slope, normal, -v3_dot(slope, normal));
    return v3_unit(v3_sub(normal, slope));
}

static vt_vec3 grain_color(const vt_material *m, vt_vec3 p, vt_vec3 normal, vt_vec3 color,
                           float seen)
{
    switch (m->finish) {
    case VT_FINISH_WOOD: {
        float ring = wood_ring(m, p);
        float fibre = wood_fibre(m, p);
        vt_vec3 late = v3_mul(color, v3(0.62f, 0.52f, 0.44f));
        return v3_scale(v3_mix(color, late, 0.75f * ring * ring), 0.86f + 0.22f * fibre);
    }
    case VT_FINISH_CLAY:
        return v3_scale(color, 0.88f + 0.2f * vt_fractal3(v3_scale(p, 9.0f), 3, m->seed + 1));
    case VT_FINISH_CANVAS:
    case VT_FINISH_KNIT:
    case VT_FINISH_PLUSH:
        return v3_scale(color, 1.0f + seen * 0.4f * (grain_height(m, p, normal) - 0.6f));
    case VT_FINISH_WICKER:
        return v3_scale(color, 1.0f + seen * 1.1f * (grain_height(m, p, normal) - 0.62f));
    case VT_FINISH_LEATHER:
        return v3_scale(color, 0.90f + 0.2f * vt_noise3(v3_scale(p, 4.0f), m->seed + 1));
    default:
        return color;
    }
}

void vt_material_shade(const vt_material *material, vt_vec3 point, vt_vec3 normal, float pixel_size,
                       vt_surface *out)
{
    const finish_facts *facts = finish_table + material->finish;
    vt_vec3 color = vt_pattern_color(material, point, normal, pixel_size);
    float seen = 1.0f - f_smooth(0.16f, 0.5f, pixel_size * material->grain);
    color = grain_color(material, point, normal, color, seen);
    vt_vec3 tilted = normal;
    if (facts->bump > 0.0f && seen > 0.02f)
        tilted = bumped(material, point, normal, facts->bump * seen);
    *out = (vt_surface){.albedo = color,
                        .normal = tilted,
                        .reflectance = v3_all(facts->reflectance),
                        .roughness = facts->roughness,
                        .metal = facts->metal,
                        .sheen = facts->sheen,
                        .transmission = facts->transmission,
                        .glow = material->glow};
    if (facts->metal > 0.0f)
        out->reflectance = color;
}
