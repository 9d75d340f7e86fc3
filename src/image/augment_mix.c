/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Mixing the pictures of a batch: mixup (Zhang et al. 2018) and CutMix (Yun et al. 2019), each
 * picture with the one at the mirrored place, in place.
 *
 * The share is drawn from Beta(alpha, alpha) as a ratio of gamma variates (Marsaglia and Tsang
 * 2000), once per batch.
 */
#include "image/augment.h"

#include <math.h>
#include <string.h>

static double draw_gamma(vt_random *random, double shape)
{
    if (shape < 1) { /* boosted, section 6 of the paper */
        double u = 1 - vt_random_double(random);
        return draw_gamma(random, shape + 1) * pow(u, 1 / shape);
    }
    double d = shape - 1.0 / 3, c = 1 / sqrt(9 * d);
    for (;;) {
        double x = vt_random_normal(random), v = 1 + c * x;
        if (v <= 0)
            continue;
        v = v * v * v;
        double u = 1 - vt_random_double(random);
        if (log(u) < 0.5 * x * x + d - d * v + d * log(v))
            return d * v;
    }
}

static double draw_beta(vt_random *random, double alpha)
{
    double a = draw_gamma(random, alpha), b = draw_gamma(random, alpha);
    return a + b > 0 ? a / (a + b) : 0.5;
}

static void mix_pair(float *a, float *b, size_t count, float share)
{
    for (size_t i = 0; i < count; i++) {
        float x = a[i], y = b[i];
        a[i] = share * x + (1 - share) * y;
        b[i] = share * y + (1 - share) * x;
    }
}

static void swap_rectangle(float *a, float *b, const vt_mix_batch *batch, vt_rect area)
{
    for (int c = 0; c < batch->channels; c++)
        for (int y = area.y; y < area.y + area.height; y++) {
            size_t at = ((size_t)c * (size_t)batch->height + (size_t)y) * (size_t)batch->width +
                        (size_t)area.x;
            for (int x = 0; x < area.width; x++) {
                float keep = a[at + (size_t)x];
                a[at + (size_t)x] = b[at + (size_t)x];
                b[at + (size_t)x] = keep;
            }
        }
}

/* Centre anywhere, cut at the edges as in the paper. */
static vt_rect draw_rectangle(vt_random *random, const vt_mix_batch *batch, double share)
{
    double side = sqrt(1 - share);
    int width = (int)(batch->width * side), height = (int)(batch->height * side);
    int cx = vt_random_int(random, 0, batch->width - 1);
    int cy = vt_random_int(random, 0, batch->height - 1);
    int x0 = cx - width / 2, y0 = cy - height / 2, x1 = x0 + width, y1 = y0 + height;
    x0 = x0 < 0 ? 0 : x0;
    y0 = y0 < 0 ? 0 : y0;
    x1 = x1 > batch->width ? batch->width : x1;
    y1 = y1 > batch->height ? batch->height : y1;
    return (vt_rect){x0, y0, x1 - x0, y1 - y0};
}

float vt_augment_mix(const vt_augment *augment, vt_random *random, const vt_mix_batch *batch)
{
    bool cut = augment->cutmix > 0;
    if ((!cut && !(augment->mixup > 0)) || batch->count < 2)
        return 1;
    if (cut && augment->mixup > 0)
        cut = vt_random_below(random, 2) == 1;
    float share = (float)draw_beta(random, (double)(cut ? augment->cutmix : augment->mixup));
    size_t one = (size_t)batch->channels * (size_t)batch->height * (size_t)batch->width;
    vt_rect area = {0};
    if (cut) {
        area = draw_rectangle(random, batch, (double)share);
        share = 1 - (float)(area.width * area.height) / (float)(batch->width * batch->height);
    }
    for (size_t i = 0; i < batch->count / 2; i++) {
        float *a = batch->pixels + i * one, *b = batch->pixels + (batch->count - 1 - i) * one;
        if (cut)
            swap_rectangle(a, b, batch, area);
        else
            mix_pair(a, b, one, share);
    }
    return share;
}
