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

size_t vt_classic_dim(void)
{
    return VT_CLASSIC_COLOR + VT_CLASSIC_HOG + VT_CLASSIC_LBP;
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
    vt_classic_picture *picture = vt_calloc(1, sizeof(*picture));
    if (picture == NULL)
        return vt_fail_memory(error, "the classic descriptor");
    vt_status status = vt_classic_find_subject(image, picture, error);
    if (status == VT_OK) {
        float *hog = out + VT_CLASSIC_COLOR, *lbp = hog + VT_CLASSIC_HOG;
        vt_classic_color(picture, out);
        vt_classic_hog(picture, hog);
        vt_classic_lbp(picture, lbp);
        balance(out, VT_CLASSIC_COLOR);
        balance(hog, VT_CLASSIC_HOG);
        balance(lbp, VT_CLASSIC_LBP);
        vt_vector_normalize(out, vt_classic_dim());
    }
    vt_image_deinit(&picture->subject);
    vt_free(picture);
    return status;
}
