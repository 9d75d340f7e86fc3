/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Where the subject is: how much each pixel counts, and the box that holds what counts.
 *
 * Method: the boundary prior (Wei, Wen, Zhu and Sun, ECCV 2012): what touches the picture's frame
 * is mostly background. Colours are counted in a soft RGB histogram, once over the frame and once
 * over the middle; a pixel counts by the share of the middle in its colour, smoothed, and times a
 * centre prior. A studio's white and a customer's table get little weight, the thing on it much.
 */
#include "encoder/classic.h"

#include <math.h>
#include <string.h>

enum {
    SIDE = VT_CLASSIC_SIDE_PX,
    BINS = 10,    /* per channel */
    FRAME_PX = 8, /* width of the frame */
    BLUR_PX = 4,  /* radius of the smoothing */
    BLUR_PASSES = 2,
};

/* The eight bins around a colour and their shares. */
typedef struct soft_bin {
    int at[8];
    float share[8];
} soft_bin;

static soft_bin bin_of(const uint8_t *p)
{
    int low[3];
    float part[3];
    for (int c = 0; c < 3; c++) {
        float position = (float)p[c] / 255.0f * (float)(BINS - 1);
        low[c] = position >= (float)(BINS - 1) ? BINS - 2 : (int)position;
        part[c] = position - (float)low[c];
    }
    soft_bin bin;
    for (int i = 0; i < 8; i++) {
        int index = 0;
        float share = 1.0f;
        for (int c = 0; c < 3; c++) {
            int high = (i >> c) & 1;
            index = index * BINS + low[c] + high;
            share *= high ? part[c] : 1.0f - part[c];
        }
        bin.at[i] = index;
        bin.share[i] = share;
    }
    return bin;
}

/* 1 in the middle, falling off as a Gaussian. */
static float centre_prior(int x, int y, float sigma)
{
    float dx = ((float)x + 0.5f) / SIDE - 0.5f, dy = ((float)y + 0.5f) / SIDE - 0.5f;
    return expf(-(dx * dx + dy * dy) / (2.0f * sigma * sigma));
}

static bool in_frame(int x, int y)
{
    return x < FRAME_PX || y < FRAME_PX || x >= SIDE - FRAME_PX || y >= SIDE - FRAME_PX;
}

static void count_colors(const uint8_t *rgb, float *frame, float *middle)
{
    double frame_sum = 0.0, middle_sum = 0.0;
    for (int y = 0; y < SIDE; y++)
        for (int x = 0; x < SIDE; x++) {
            soft_bin bin = bin_of(rgb + 3 * (y * SIDE + x));
            bool outside = in_frame(x, y);
            float amount = outside ? 1.0f : centre_prior(x, y, 0.2f);
            float *counts = outside ? frame : middle;
            *(outside ? &frame_sum : &middle_sum) += (double)amount;
            for (int i = 0; i < 8; i++)
                counts[bin.at[i]] += amount * bin.share[i];
        }
    for (int i = 0; i < BINS * BINS * BINS; i++) {
        frame[i] = (float)((double)frame[i] / frame_sum);
        middle[i] = (float)((double)middle[i] / middle_sum);
    }
}

static void blur_rows(const float *in, float *out)
{
    for (int y = 0; y < SIDE; y++)
        for (int x = 0; x < SIDE; x++) {
            float sum = 0.0f;
            int count = 0;
            for (int d = -BLUR_PX; d <= BLUR_PX; d++)
                if (x + d >= 0 && x + d < SIDE) {
                    sum += in[y * SIDE + x + d];
                    count++;
                }
            out[x * SIDE + y] = sum / (float)count; /* transposed: two passes blur both ways */
        }
}

/* weight: (SIDE, SIDE) of the whole picture, in no particular unit. */
static void weigh(const uint8_t *rgb, float *weight)
{
    float frame[BINS * BINS * BINS] = {0}, middle[BINS * BINS * BINS] = {0};
    float swap[SIDE * SIDE];
    count_colors(rgb, frame, middle);
    for (int i = 0; i < SIDE * SIDE; i++) {
        soft_bin bin = bin_of(rgb + 3 * i);
        float f = 1e-6f, m = 1e-6f;
        for (int k = 0; k < 8; k++) {
            f += frame[bin.at[k]] * bin.share[k];
            m += middle[bin.at[k]] * bin.share[k];
        }
        float share = m / (m + f);
        weight[i] = share * share;
    }
    for (int pass = 0; pass < BLUR_PASSES; pass++) {
        blur_rows(weight, swap);
        blur_rows(swap, weight);
    }
    for (int y = 0; y < SIDE; y++)
        for (int x = 0; x < SIDE; x++)
            weight[y * SIDE + x] *= weight[y * SIDE + x] * centre_prior(x, y, 0.35f);
}

/* The square (where the picture has room for it) around what counts: 2.2 deviations of the weight
 * to each side of its mean, and a little air. In pixels of the picture. */
static vt_rect box_of(const float *weight, const vt_image *image)
{
    double sum = 0.0, mean[2] = {0}, square[2] = {0}, side[2] = {image->width, image->height};
    for (int y = 0; y < SIDE; y++)
        for (int x = 0; x < SIDE; x++) {
            double w = (double)weight[y * SIDE + x], at[2] = {x + 0.5, y + 0.5};
            sum += w;
            for (int axis = 0; axis < 2; axis++) {
                mean[axis] += w * at[axis];
                square[axis] += w * at[axis] * at[axis];
            }
        }
    double middle[2], reach = 0.0;
    for (int axis = 0; axis < 2; axis++) {
        double m = mean[axis] / sum, variance = square[axis] / sum - m * m;
        double pixels = (2.2 * sqrt(fmax(variance, 0.0)) + 4.0) * side[axis] / SIDE;
        middle[axis] = m * side[axis] / SIDE;
        reach = fmax(reach, pixels);
    }
    int low[2], high[2];
    for (int axis = 0; axis < 2; axis++) {
        low[axis] = (int)fmin(fmax(middle[axis] - reach, 0.0), side[axis] - 1.0);
        high[axis] = (int)fmin(ceil(middle[axis] + reach), side[axis]);
        if (high[axis] <= low[axis])
            high[axis] = low[axis] + 1;
    }
    return (vt_rect){low[0], low[1], high[0] - low[0], high[1] - low[1]};
}

/* Bilinear, with the edge repeated outside. */
static float sample_weight(const float *weight, float x, float y)
{
    x = fminf(fmaxf(x, 0.0f), (float)SIDE - 1.001f);
    y = fminf(fmaxf(y, 0.0f), (float)SIDE - 1.001f);
    int x0 = (int)x, y0 = (int)y;
    float fx = x - (float)x0, fy = y - (float)y0;
    const float *w = weight + y0 * SIDE + x0;
    return (w[0] * (1.0f - fx) + w[1] * fx) * (1.0f - fy) +
           (w[SIDE] * (1.0f - fx) + w[SIDE + 1] * fx) * fy;
}

/* Grey values and the weights of the box, the largest 1. */
static void fill_planes(const float *weight, const vt_image *image, vt_rect box,
                        vt_classic_picture *picture)
{
    float step_x = (float)box.width / (float)image->width;
    float step_y = (float)box.height / (float)image->height;
    float start_x = (float)box.x * SIDE / (float)image->width;
    float start_y = (float)box.y * SIDE / (float)image->height;
    float largest = 1e-9f;
    for (int y = 0; y < SIDE; y++)
        for (int x = 0; x < SIDE; x++) {
            int at = y * SIDE + x;
            const uint8_t *p = picture->subject.rgb + 3 * at;
            picture->grey[at] =
                (0.299f * (float)p[0] + 0.587f * (float)p[1] + 0.114f * (float)p[2]) / 255.0f;
            picture->weight[at] = sample_weight(weight, start_x + ((float)x + 0.5f) * step_x - 0.5f,
                                                start_y + ((float)y + 0.5f) * step_y - 0.5f);
            largest = fmaxf(largest, picture->weight[at]);
        }
    for (int i = 0; i < SIDE * SIDE; i++)
        picture->weight[i] /= largest;
}

vt_status vt_classic_find_subject(const vt_image *image, vt_classic_picture *picture,
                                  vt_error *error)
{
    static const uint8_t white[3] = {255, 255, 255};
    float weight[SIDE * SIDE];
    vt_image small = {0}, cut = {0};
    vt_rect box = {0};
    vt_status status =
        vt_image_resize(image, SIDE, SIDE, VT_FIT_SQUASH, VT_KERNEL_AREA, white, &small, error);
    if (status == VT_OK) {
        weigh(small.rgb, weight);
        box = box_of(weight, image);
        status = vt_image_crop(image, box, &cut, error);
    }
    if (status == VT_OK)
        status = vt_image_resize(&cut, SIDE, SIDE, VT_FIT_SQUASH, VT_KERNEL_AREA, white,
                                 &picture->subject, error);
    if (status == VT_OK)
        fill_planes(weight, image, box, picture);
    vt_image_deinit(&small);
    vt_image_deinit(&cut);
    return status;
}
