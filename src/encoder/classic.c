/* SPDX-License-Identifier: Apache-2.0 */
/*
 * `classic`: what pictures had in common before networks. Colour layout and histogram, histograms
 * of oriented gradients, local binary patterns, each brought to length 1 and joined with equal
 * weight, so that the dot product of two descriptors is the mean of three similarities.
 *
 * It needs no weights and is the line that every trained encoder has to clear. Its numbers must not
 * change under an equal VT_CLASSIC_VERSION: catalogues hold vectors made by it.
 */
#include "encoder/classic.h"

#include "base/mem.h"
#include "vector/distance.h"

#include <math.h>

enum { SIDE = VT_CLASSIC_SIDE_PX };

size_t vt_classic_dim(void)
{
    return VT_CLASSIC_COLOR + VT_CLASSIC_HOG + VT_CLASSIC_LBP;
}

static void prepare(vt_classic_picture *picture, const vt_image *image)
{
    const float two_sigma_squared = 2.0f * 0.40f * 0.40f; /* in units of the whole side */
    picture->rgb = image->rgb;
    for (int y = 0; y < SIDE; y++)
        for (int x = 0; x < SIDE; x++) {
            size_t at = (size_t)(y * SIDE + x);
            const uint8_t *p = image->rgb + 3 * at;
            picture->grey[at] =
                (0.299f * (float)p[0] + 0.587f * (float)p[1] + 0.114f * (float)p[2]) / 255.0f;
            float dx = ((float)x + 0.5f) / SIDE - 0.5f, dy = ((float)y + 0.5f) / SIDE - 0.5f;
            picture->weight[at] = expf(-(dx * dx + dy * dy) / two_sigma_squared);
        }
}

/* Length 1, then scaled so that three parts together have length 1. A part without any content (a
 * flat picture has no gradients) stays zero. */
static void balance(float *part, size_t count)
{
    if (!vt_vector_normalize(part, count))
        return;
    for (size_t i = 0; i < count; i++)
        part[i] *= 0.57735027f;
}

vt_status vt_classic_embed(const vt_image *image, float *out, vt_error *error)
{
    vt_image small = {0};
    static const uint8_t white[3] = {255, 255, 255};
    vt_classic_picture *picture = vt_alloc(sizeof(*picture));
    if (picture == NULL)
        return vt_fail_memory(error, "the classic descriptor");
    vt_status status =
        vt_image_resize(image, SIDE, SIDE, VT_FIT_CONTAIN, VT_KERNEL_AREA, white, &small, error);
    if (status == VT_OK) {
        prepare(picture, &small);
        float *hog = out + VT_CLASSIC_COLOR, *lbp = hog + VT_CLASSIC_HOG;
        vt_classic_color(picture, out);
        vt_classic_hog(picture, hog);
        vt_classic_lbp(picture, lbp);
        balance(out, VT_CLASSIC_COLOR);
        balance(hog, VT_CLASSIC_HOG);
        balance(lbp, VT_CLASSIC_LBP);
        vt_vector_normalize(out, vt_classic_dim());
    }
    vt_image_deinit(&small);
    vt_free(picture);
    return status;
}
