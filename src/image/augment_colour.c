/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Changes of colour. Brightness, contrast, saturation, hue and grey are all linear in the three
 * channels, so they are multiplied into one matrix and clamped once.
 *
 * Departures: hue is a rotation in the YIQ plane, not in HSV, which would not be linear; grey is
 * the luma of ITU-R BT.601 as in Pillow.
 */
#include "image/augment.h"

#include <math.h>
#include <string.h>

static const float luma[3] = {0.299f, 0.587f, 0.114f};

vt_colour_map vt_colour_identity(void)
{
    return (vt_colour_map){{1, 0, 0, 0, 1, 0, 0, 0, 1}, {0, 0, 0}};
}

/* First the map, then the matrix. */
static void multiply(vt_colour_map *map, const float by[9])
{
    vt_colour_map out = {{0}, {0}};
    for (int i = 0; i < 3; i++)
        for (int k = 0; k < 3; k++) {
            for (int j = 0; j < 3; j++)
                out.m[3 * i + j] += by[3 * i + k] * map->m[3 * k + j];
            out.add[i] += by[3 * i + k] * map->add[k];
        }
    *map = out;
}

void vt_colour_brightness(vt_colour_map *map, float factor)
{
    const float by[9] = {factor, 0, 0, 0, factor, 0, 0, 0, factor};
    multiply(map, by);
}

void vt_colour_contrast(vt_colour_map *map, float factor, float mean_grey)
{
    vt_colour_brightness(map, factor);
    for (int c = 0; c < 3; c++)
        map->add[c] += (1 - factor) * mean_grey;
}

void vt_colour_saturation(vt_colour_map *map, float factor)
{
    float by[9];
    for (int i = 0; i < 3; i++)
        for (int j = 0; j < 3; j++)
            by[3 * i + j] = (1 - factor) * luma[j] + (i == j ? factor : 0);
    multiply(map, by);
}

void vt_colour_hue(vt_colour_map *map, float share)
{
    static const float to_yiq[9] = {0.299f,   0.587f,  0.114f,   0.5959f, -0.2746f,
                                    -0.3213f, 0.2115f, -0.5227f, 0.3112f};
    static const float to_rgb[9] = {1.0f,     0.9559f, 0.6205f,  1.0f,   -0.2722f,
                                    -0.6474f, 1.0f,    -1.1070f, 1.7046f};
    float angle = share * 6.28318531f, c = cosf(angle), s = sinf(angle);
    const float turn[9] = {1, 0, 0, 0, c, -s, 0, s, c};
    multiply(map, to_yiq);
    multiply(map, turn);
    multiply(map, to_rgb);
}

static inline float clamp255(float value)
{
    return value < 0 ? 0 : value > 255 ? 255 : value;
}

void vt_colour_apply(const vt_colour_map *map, float *planes, size_t count)
{
    const float *m = map->m, *add = map->add;
    float *r = planes, *g = planes + count, *b = planes + 2 * count;
    for (size_t i = 0; i < count; i++) {
        float x = r[i], y = g[i], z = b[i];
        r[i] = clamp255(m[0] * x + m[1] * y + m[2] * z + add[0]);
        g[i] = clamp255(m[3] * x + m[4] * y + m[5] * z + add[1]);
        b[i] = clamp255(m[6] * x + m[7] * y + m[8] * z + add[2]);
    }
}

float vt_colour_mean_grey(const float *planes, size_t count)
{
    double sum[3] = {0, 0, 0};
    for (size_t c = 0; c < 3; c++)
        for (size_t i = 0; i < count; i++)
            sum[c] += (double)planes[c * count + i];
    double grey = 0;
    for (int c = 0; c < 3; c++)
        grey += (double)luma[c] * sum[c];
    return count > 0 ? (float)(grey / (double)count) : 0;
}

enum { BLUR_RADIUS = 24 };

static int blur_kernel(float sigma, float kernel[BLUR_RADIUS + 1])
{
    int radius = (int)ceilf(3 * sigma);
    float sum = 0;
    if (radius > BLUR_RADIUS)
        radius = BLUR_RADIUS;
    for (int i = 0; i <= radius; i++) {
        kernel[i] = expf(-0.5f * (float)(i * i) / (sigma * sigma));
        sum += i == 0 ? kernel[i] : 2 * kernel[i];
    }
    for (int i = 0; i <= radius; i++)
        kernel[i] /= sum;
    return radius;
}

static int mirror(int i, int size)
{
    if (size == 1)
        return 0;
    int period = 2 * size - 2;
    i %= period;
    if (i < 0)
        i += period;
    return i < size ? i : period - i;
}

/* Separable Gaussian, edges mirrored. */
void vt_planes_blur(float *planes, float *scratch, int width, int height, float sigma)
{
    float kernel[BLUR_RADIUS + 1];
    if (!(sigma > 0.05f))
        return;
    int radius = blur_kernel(sigma, kernel);
    for (int c = 0; c < 3; c++) {
        float *plane = planes + (size_t)c * (size_t)width * (size_t)height;
        for (int y = 0; y < height; y++)
            for (int x = 0; x < width; x++) {
                const float *row = plane + (size_t)y * (size_t)width;
                float sum = kernel[0] * row[x];
                for (int i = 1; i <= radius; i++)
                    sum += kernel[i] * (row[mirror(x - i, width)] + row[mirror(x + i, width)]);
                scratch[(size_t)y * (size_t)width + (size_t)x] = sum;
            }
        memset(plane, 0, (size_t)width * (size_t)height * sizeof(float));
        for (int y = 0; y < height; y++)
            for (int i = -radius; i <= radius; i++) {
                const float *row = scratch + (size_t)mirror(y + i, height) * (size_t)width;
                float *out = plane + (size_t)y * (size_t)width, weight = kernel[i < 0 ? -i : i];
                for (int x = 0; x < width; x++)
                    out[x] += weight * row[x];
            }
    }
}

/* Pillow's Sharpness: away from (factor > 1) or towards (< 1) a smoothed picture, weights 1 around
 * 5; the outermost pixels stay. */
void vt_planes_sharpen(float *planes, float *scratch, int width, int height, float factor)
{
    size_t count = (size_t)width * (size_t)height;
    for (size_t c = 0; c < 3; c++) {
        float *plane = planes + c * count;
        memcpy(scratch, plane, count * sizeof(float));
        for (int y = 1; y + 1 < height; y++)
            for (int x = 1; x + 1 < width; x++) {
                size_t at = (size_t)y * (size_t)width + (size_t)x;
                float sum = 4 * scratch[at];
                for (int j = -1; j <= 1; j++)
                    for (int i = -1; i <= 1; i++)
                        sum += scratch[(size_t)(y + j) * (size_t)width + (size_t)(x + i)];
                float smooth = sum / 13;
                plane[at] = clamp255(smooth + factor * (scratch[at] - smooth));
            }
    }
}
