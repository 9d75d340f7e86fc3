/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Purpose: floors and walls for customer photos.
 * Method: procedural colour on a plane: cells (planks, tiles, bricks) with a colour of their own,
 * seams between them, fractal noise inside. Detail finer than a pixel is faded into its mean.
 */
#include "sample/scene.h"

typedef struct spot {
    float u, v;  /* on the plane, in units of the pattern */
    float pixel; /* width of a pixel in the same units */
    uint32_t seed;
} spot;

static float seam(float from_edge, float width, float pixel) /* 1 on the seam */
{
    float w = f_max(width, pixel);
    return (1.0f - f_smooth(0.4f * w, w, from_edge)) * f_min(1.0f, width / w);
}

static float edge_of(float cell) /* distance from the nearer cell border */
{
    return 0.5f - f_abs(f_fract(cell) - 0.5f);
}

static float fine(const spot *s,
                  float frequency) /* share of detail of this frequency that is seen */
{
    return 1.0f - f_smooth(0.3f, 0.9f, s->pixel * frequency);
}

static vt_vec3 planks(const vt_backdrop *b, const spot *s)
{
    float row = f_floor(s->v);
    float shift = f_hash2((int32_t)row, 7, s->seed) * 6.0f;
    float column = f_floor((s->u + shift) / 6.0f);
    float tone = f_hash2((int32_t)row, (int32_t)column, s->seed + 1);
    float grain = vt_fractal2(s->u * 0.7f + tone * 50.0f, s->v * 7.0f, 3, s->seed + 2);
    float streak = vt_noise2(s->u * 1.5f, s->v * 34.0f, s->seed + 3);
    vt_vec3 color =
        v3_mix(b->color[0], b->color[1], 0.25f + 0.45f * (tone - 0.5f) + 1.1f * (grain - 0.45f));
    color = v3_scale(color, 1.0f + 0.22f * fine(s, 34.0f) * (streak - 0.5f));
    float gap = f_max(seam(edge_of(s->v), 0.03f, s->pixel),
                      seam(6.0f * edge_of((s->u + shift) / 6.0f), 0.03f, s->pixel));
    return v3_scale(color, 1.0f - 0.6f * gap);
}

static vt_vec3 tiles(const vt_backdrop *b, const spot *s)
{
    float cu = f_floor(s->u);
    float cv = f_floor(s->v);
    float tone = f_hash2((int32_t)cu, (int32_t)cv, s->seed);
    float cloud = vt_fractal2(s->u * 2.0f + tone * 30.0f, s->v * 2.0f, 3, s->seed + 2);
    bool second = s->seed % 2 == 0 && ((int32_t)cu + (int32_t)cv) % 2 != 0;
    vt_vec3 color = v3_scale(b->color[second ? 1 : 0], 0.86f + 0.1f * tone + 0.18f * cloud);
    float grout =
        f_max(seam(edge_of(s->u), 0.045f, s->pixel), seam(edge_of(s->v), 0.045f, s->pixel));
    return v3_mix(color, v3_scale(v3_mix(b->color[0], v3_all(0.5f), 0.7f), 0.7f), grout);
}

static vt_vec3 bricks(const vt_backdrop *b, const spot *s)
{
    float v = s->v * 2.2f;
    float row = f_floor(v);
    float u = s->u + ((int32_t)row % 2 != 0 ? 0.5f : 0.0f);
    float tone = f_hash2((int32_t)f_floor(u), (int32_t)row, s->seed);
    float rough = vt_fractal2(s->u * 9.0f, v * 4.5f, 3, s->seed + 1);
    vt_vec3 color = v3_scale(v3_mix(b->color[0], b->color[1], tone), 0.7f + 0.55f * rough);
    float mortar =
        f_max(seam(edge_of(u), 0.05f, s->pixel), seam(edge_of(v) * 0.5f, 0.05f, s->pixel));
    return v3_mix(color, v3(0.52f, 0.49f, 0.45f), 0.85f * mortar);
}

static vt_vec3 cloth(const vt_backdrop *b, const spot *s)
{
    float fold = vt_fractal2(s->u * 0.5f, s->v * 0.5f, 3, s->seed + 4);
    vt_vec3 color = b->color[0];
    uint32_t kind = s->seed % 4;
    float bar_u = f_smooth(0.24f, 0.26f + s->pixel, f_abs(f_fract(s->u) - 0.5f));
    float bar_v = f_smooth(0.24f, 0.26f + s->pixel, f_abs(f_fract(s->v) - 0.5f));
    if (kind == 0)
        color = v3_mix(b->color[0], b->color[1], 0.5f * (bar_u + bar_v));
    else if (kind == 1)
        color = v3_mix(b->color[0], b->color[1], bar_u);
    float thread = f_abs(f_sin(s->u * 60.0f)) * f_abs(f_sin(s->v * 60.0f));
    color = v3_scale(color, 1.0f + 0.3f * fine(s, 20.0f) * (thread - 0.4f));
    return v3_scale(color, 0.72f + 0.5f * fold);
}

static vt_vec3 stone(const vt_backdrop *b, const spot *s)
{
    float bend = vt_fractal2(s->u, s->v, 5, s->seed);
    float vein = f_abs(f_sin(1.7f * s->u + 0.9f * s->v + 8.0f * bend));
    float cloud = vt_fractal2(s->u * 0.8f, s->v * 0.8f, 4, s->seed + 7);
    vt_vec3 color = v3_scale(b->color[0], 0.8f + 0.35f * cloud);
    return v3_mix(color, b->color[1], 0.6f * (1.0f - f_smooth(0.0f, 0.16f, vein)));
}

static vt_vec3 grass(const vt_backdrop *b, const spot *s)
{
    float patch = vt_fractal2(s->u * 0.5f, s->v * 0.5f, 3, s->seed);
    float sway = 0.6f * vt_noise2(s->u * 2.0f, s->v * 2.0f, s->seed + 3);
    float blade = vt_noise2(s->u * 26.0f + 9.0f * sway, s->v * 9.0f - 4.0f * sway, s->seed + 1);
    float blade2 = vt_noise2(s->u * 11.0f - 7.0f * sway, s->v * 30.0f, s->seed + 2);
    float seen = fine(s, 26.0f);
    float light = f_mix(0.5f, f_max(blade, blade2), seen);
    vt_vec3 color = v3_mix(b->color[0], b->color[1], patch);
    return v3_scale(color, 0.25f + 1.5f * light * light);
}

static vt_vec3 carpet(const vt_backdrop *b, const spot *s)
{
    float tuft = vt_noise2(s->u * 40.0f, s->v * 40.0f, s->seed);
    float patch = vt_fractal2(s->u * 1.5f, s->v * 1.5f, 3, s->seed + 1);
    float line =
        f_smooth(0.14f, 0.16f + s->pixel,
                 f_abs(f_fract(s->u * 0.5f) - 0.5f) * f_abs(f_fract(s->v * 0.5f) - 0.5f) * 4.0f);
    vt_vec3 color = s->seed % 3 == 0 ? v3_mix(b->color[0], b->color[1], line) : b->color[0];
    return v3_scale(color, (0.8f + 0.35f * patch) * (1.0f + 0.7f * fine(s, 40.0f) * (tuft - 0.5f)));
}

static vt_vec3 wallpaper(const vt_backdrop *b, const spot *s)
{
    uint32_t kind = s->seed % 3;
    float second;
    if (kind == 0) {
        second = f_smooth(0.24f, 0.26f + s->pixel, f_abs(f_fract(s->u) - 0.5f));
    } else {
        float row = f_floor(s->v);
        float du = f_fract(s->u + ((int32_t)row % 2 != 0 ? 0.5f : 0.0f)) - 0.5f;
        float dv = f_fract(s->v) - 0.5f;
        float r = f_sqrt(du * du + dv * dv);
        float leaf = kind == 1 ? 0.18f : 0.16f + 0.12f * f_cos(4.0f * f_atan2(dv, du));
        second = 1.0f - f_smooth(leaf - 0.02f, leaf + 0.02f + s->pixel, r);
    }
    return v3_mix(b->color[0], b->color[1], second);
}

static vt_vec3 backdrop_color(const vt_backdrop *b, const spot *s)
{
    switch (b->kind) {
    case VT_BACKDROP_PLANKS:
        return planks(b, s);
    case VT_BACKDROP_TILES:
        return tiles(b, s);
    case VT_BACKDROP_CLOTH:
        return cloth(b, s);
    case VT_BACKDROP_MARBLE:
        return stone(b, s);
    case VT_BACKDROP_GRASS:
        return grass(b, s);
    case VT_BACKDROP_BRICKS:
        return bricks(b, s);
    case VT_BACKDROP_CARPET:
        return carpet(b, s);
    case VT_BACKDROP_WALLPAPER:
        return wallpaper(b, s);
    case VT_BACKDROP_CONCRETE: {
        float cloud = vt_fractal2(s->u, s->v, 5, s->seed);
        float pore = vt_noise2(s->u * 24.0f, s->v * 24.0f, s->seed + 3);
        return v3_scale(b->color[0], 0.65f + 0.6f * cloud -
                                         0.12f * fine(s, 24.0f) * f_smooth(0.75f, 0.9f, pore));
    }
    case VT_BACKDROP_PAINT:
        return v3_scale(b->color[0],
                        0.92f + 0.16f * vt_fractal2(s->u * 0.6f, s->v * 0.6f, 3, s->seed));
    case VT_BACKDROP_WHITE:
    case VT_BACKDROP_NONE:
        break;
    }
    return v3_all(1.0f);
}

void vt_backdrop_shade(const vt_backdrop *backdrop, vt_vec3 point, float pixel_size,
                       vt_surface *out)
{
    float u = v3_dot(point, backdrop->u);
    float v = v3_dot(point, backdrop->v);
    spot s = {.u = (backdrop->turn_cos * u + backdrop->turn_sin * v) * backdrop->scale,
              .v = (backdrop->turn_cos * v - backdrop->turn_sin * u) * backdrop->scale,
              .pixel = pixel_size * backdrop->scale,
              .seed = backdrop->seed};
    /* Far away everything is its mean; it also keeps coordinates in the range of the lattice. */
    s.u = f_clamp(s.u, -3e4f, 3e4f);
    s.v = f_clamp(s.v, -3e4f, 3e4f);
    *out = (vt_surface){
        .albedo = v3_lower(v3_upper(backdrop_color(backdrop, &s), v3_all(0.0f)), v3_all(0.95f)),
        .normal = backdrop->normal,
        .roughness = 0.25f,
        .reflectance = v3_all(0.04f)};
}
