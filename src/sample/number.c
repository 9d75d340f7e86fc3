/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Purpose: the parts of number.h that are too long to be inlined: rotations, noise, sRGB.
 * Method: value noise on an integer lattice; sRGB by the piecewise curve of IEC 61966-2-1.
 */
#include "sample/number.h"

vt_mat3 vt_mat3_identity(void)
{
    return (vt_mat3){{{1.0f, 0.0f, 0.0f}, {0.0f, 1.0f, 0.0f}, {0.0f, 0.0f, 1.0f}}};
}

vt_mat3 vt_mat3_product(const vt_mat3 *a, const vt_mat3 *b)
{
    vt_mat3 product;
    for (int i = 0; i < 3; i++)
        product.row[i] = m3_apply_transposed(b, a->row[i]);
    return product;
}

vt_mat3 vt_mat3_turn(float x_degrees, float y_degrees, float z_degrees)
{
    float cx = f_cos(x_degrees * VT_PI / 180.0f);
    float sx = f_sin(x_degrees * VT_PI / 180.0f);
    float cy = f_cos(y_degrees * VT_PI / 180.0f);
    float sy = f_sin(y_degrees * VT_PI / 180.0f);
    float cz = f_cos(z_degrees * VT_PI / 180.0f);
    float sz = f_sin(z_degrees * VT_PI / 180.0f);
    vt_mat3 about_x = {{{1.0f, 0.0f, 0.0f}, {0.0f, cx, -sx}, {0.0f, sx, cx}}};
    vt_mat3 about_y = {{{cy, 0.0f, sy}, {0.0f, 1.0f, 0.0f}, {-sy, 0.0f, cy}}};
    vt_mat3 about_z = {{{cz, -sz, 0.0f}, {sz, cz, 0.0f}, {0.0f, 0.0f, 1.0f}}};
    vt_mat3 yx = vt_mat3_product(&about_y, &about_x);
    return vt_mat3_product(&about_z, &yx);
}

static float fade(float t)
{
    return t * t * (3.0f - 2.0f * t);
}

float vt_noise2(float x, float y, uint32_t seed)
{
    float fx = f_floor(x);
    float fy = f_floor(y);
    int32_t ix = (int32_t)fx;
    int32_t iy = (int32_t)fy;
    float u = fade(x - fx);
    float v = fade(y - fy);
    float low = f_mix(f_hash2(ix, iy, seed), f_hash2(ix + 1, iy, seed), u);
    float high = f_mix(f_hash2(ix, iy + 1, seed), f_hash2(ix + 1, iy + 1, seed), u);
    return f_mix(low, high, v);
}

float vt_noise3(vt_vec3 p, uint32_t seed)
{
    float fz = f_floor(p.z);
    int32_t iz = (int32_t)fz;
    float low = vt_noise2(p.x, p.y, u32_hash((uint32_t)iz ^ seed));
    float high = vt_noise2(p.x, p.y, u32_hash((uint32_t)(iz + 1) ^ seed));
    return f_mix(low, high, fade(p.z - fz));
}

float vt_fractal2(float x, float y, int octaves, uint32_t seed)
{
    float sum = 0.0f;
    float weight = 0.5f;
    float total = 0.0f;
    for (int i = 0; i < octaves; i++) {
        sum += weight * vt_noise2(x, y, seed + (uint32_t)i);
        total += weight;
        /* Turned a little per octave, so that the lattice does not show. */
        float turned = 1.6f * x - 1.2f * y + 3.7f;
        y = 1.2f * x + 1.6f * y + 1.3f;
        x = turned;
        weight *= 0.5f;
    }
    return sum / total;
}

float vt_fractal3(vt_vec3 p, int octaves, uint32_t seed)
{
    float sum = 0.0f;
    float weight = 0.5f;
    float total = 0.0f;
    for (int i = 0; i < octaves; i++) {
        sum += weight * vt_noise3(p, seed + (uint32_t)i);
        total += weight;
        p = v3(1.6f * p.x - 1.2f * p.y + 2.1f, 1.2f * p.x + 1.6f * p.y + 0.7f, 2.0f * p.z + 1.9f);
        weight *= 0.5f;
    }
    return sum / total;
}

static float srgb_decode(float encoded)
{
    return encoded <= 0.04045f ? encoded / 12.92f : f_pow((encoded + 0.055f) / 1.055f, 2.4f);
}

vt_vec3 vt_rgb_linear(uint32_t srgb)
{
    return v3(srgb_decode((float)(srgb >> 16 & 255) / 255.0f),
              srgb_decode((float)(srgb >> 8 & 255) / 255.0f),
              srgb_decode((float)(srgb & 255) / 255.0f));
}

float vt_srgb_encode(float linear)
{
    float a = f_saturate(linear);
    float encoded = a <= 0.0031308f ? a * 12.92f : 1.055f * f_pow(a, 1.0f / 2.4f) - 0.055f;
    return encoded * 255.0f;
}
