/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One warp for all that moves pixels: crop, shift, flip, rotation, shear, zoom and perspective are
 * multiplied into one projective map, so that pixels are interpolated once.
 *
 * Method: inverse mapping with bilinear interpolation; coordinates run along a row by addition.
 * Where the source is denser than the output, each pixel is the mean of up to 4x4 samples.
 */
#include "image/augment.h"

#include <math.h>

enum { MAXIMUM_SAMPLES = 4 };

vt_warp vt_warp_affine(double xx, double xy, double x0, double yx, double yy, double y0)
{
    return (vt_warp){{xx, xy, x0, yx, yy, y0, 0, 0, 1}};
}

vt_warp vt_warp_multiply(const vt_warp *a, const vt_warp *b)
{
    vt_warp out = {{0}};
    for (int i = 0; i < 3; i++)
        for (int j = 0; j < 3; j++)
            for (int k = 0; k < 3; k++)
                out.m[3 * i + j] += a->m[3 * i + k] * b->m[3 * k + j];
    return out;
}

/* Heckbert 1989, "Fundamentals of Texture Mapping", section 2.2.3: unit square to quadrilateral,
 * here after the square of -1 to 1 was brought to it. */
vt_warp vt_warp_corners(const double to[8])
{
    double dx1 = to[2] - to[4], dx2 = to[6] - to[4], sx = to[0] - to[2] + to[4] - to[6];
    double dy1 = to[3] - to[5], dy2 = to[7] - to[5], sy = to[1] - to[3] + to[5] - to[7];
    double det = dx1 * dy2 - dx2 * dy1;
    double g = (sx * dy2 - dx2 * sy) / det, h = (dx1 * sy - sx * dy1) / det;
    vt_warp quad = {{to[2] - to[0] + g * to[2], to[6] - to[0] + h * to[6], to[0],
                     to[3] - to[1] + g * to[3], to[7] - to[1] + h * to[7], to[1], g, h, 1}};
    vt_warp unit = vt_warp_affine(0.5, 0, 0.5, 0, 0.5, 0.5);
    return vt_warp_multiply(&quad, &unit);
}

typedef struct sampler {
    const vt_image *image;
    const float *fill;
} sampler;

static inline int clamp_index(int i, int size)
{
    return i < 0 ? 0 : i >= size ? size - 1 : i;
}

/* x, y: source pixels, centres at halves. */
static inline void sample(const sampler *from, double x, double y, float rgb[3])
{
    int width = from->image->width, height = from->image->height;
    if (!(x >= 0 && y >= 0 && x <= width && y <= height)) {
        for (int c = 0; c < 3; c++)
            rgb[c] += from->fill[c];
        return;
    }
    float fx = (float)(x - 0.5), fy = (float)(y - 0.5);
    float left = floorf(fx), top = floorf(fy);
    float u = fx - left, v = fy - top;
    int x0 = clamp_index((int)left, width), x1 = clamp_index((int)left + 1, width);
    int y0 = clamp_index((int)top, height), y1 = clamp_index((int)top + 1, height);
    const uint8_t *row0 = from->image->rgb + (size_t)y0 * (size_t)width * 3;
    const uint8_t *row1 = from->image->rgb + (size_t)y1 * (size_t)width * 3;
    float a = (1 - u) * (1 - v), b = u * (1 - v), c = (1 - u) * v, d = u * v;
    for (int i = 0; i < 3; i++)
        rgb[i] += a * (float)row0[3 * x0 + i] + b * (float)row0[3 * x1 + i] +
                  c * (float)row1[3 * x0 + i] + d * (float)row1[3 * x1 + i];
}

static inline void sample_at(const sampler *from, const vt_warp *warp, double u, double v,
                             float rgb[3])
{
    const double *m = warp->m;
    double w = m[6] * u + m[7] * v + m[8];
    if (!(w > 1e-6)) { /* behind the viewer */
        for (int c = 0; c < 3; c++)
            rgb[c] += from->fill[c];
        return;
    }
    sample(from, (m[0] * u + m[1] * v + m[2]) / w, (m[3] * u + m[4] * v + m[5]) / w, rgb);
}

/* Source pixels per output pixel along an axis, at the centre, rounded. */
static int density(double dx, double dy, int size)
{
    double pixels = 2.0 / size * sqrt(dx * dx + dy * dy);
    int samples = pixels < MAXIMUM_SAMPLES ? (int)lround(pixels) : MAXIMUM_SAMPLES;
    return samples < 1 ? 1 : samples;
}

void vt_warp_run(const vt_image *image, const vt_warp *warp, const vt_warp_target *target)
{
    const sampler from = {image, target->fill};
    int width = target->width, height = target->height;
    int across = density(warp->m[0], warp->m[3], width);
    int down = density(warp->m[1], warp->m[4], height);
    size_t plane = (size_t)width * (size_t)height;
    float share = 1.0f / (float)(across * down);
    float *out = target->plane;
    for (int y = 0; y < height; y++)
        for (int x = 0; x < width; x++, out++) {
            float rgb[3] = {0, 0, 0};
            for (int j = 0; j < down; j++)
                for (int i = 0; i < across; i++)
                    sample_at(&from, warp, 2 * (x + (i + 0.5) / across) / width - 1,
                              2 * (y + (j + 0.5) / down) / height - 1, rgb);
            for (size_t c = 0; c < 3; c++)
                out[c * plane] = rgb[c] * share;
        }
}
