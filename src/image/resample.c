/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Resamples one picture, row by row.
 *
 * Method: vertical pass first. An output row is a weighted sum of whole source rows, which is one
 * long vector loop over bytes that lie side by side; the horizontal pass then works on a single row
 * that is still in the first-level cache. No intermediate picture exists. Columns that no output
 * looks at (cut off by cover) are never touched.
 * Departures: arithmetic is in float with a fixed order of additions and without contraction, so
 * all processor levels give the same bits, and a vector computed on one machine fits another's.
 */
#include <math.h>
#include <string.h>

#include "base/cpu.h"
#include "base/mem.h"
#include "image/resample.h"

const vt_resample_kernels *vt_resample_kernels_get(void)
{
#ifdef VT_IMAGE_LEVELS
    switch (vt_cpu()) {
    case VT_CPU_AMX:
    case VT_CPU_AVX512:
        return &vt_resample_kernels_avx512;
    case VT_CPU_AVX2:
        return &vt_resample_kernels_avx2;
    case VT_CPU_SCALAR:
    case VT_CPU_NEON:
        break;
    }
#endif
    return &vt_resample_kernels_scalar;
}

static int placement_round(double size, int maximum)
{
    int rounded = (int)floor(size + 0.5);
    return rounded < 1 ? 1 : rounded > maximum ? maximum : rounded;
}

vt_placement vt_placement_make(int source_width, int source_height, int width, int height,
                               vt_fit fit, double show)
{
    vt_placement place = {
        .width = source_width, .height = source_height, .out_width = width, .out_height = height};
    double scale_x = (double)width / source_width, scale_y = (double)height / source_height;
    switch (fit) {
    case VT_FIT_SQUASH:
        break;
    case VT_FIT_COVER: {
        double scale = (scale_x > scale_y ? scale_x : scale_y) / show;
        place.width = width / scale;
        place.height = height / scale;
        place.x = (source_width - place.width) / 2.0;
        place.y = (source_height - place.height) / 2.0;
        break;
    }
    case VT_FIT_CONTAIN: {
        double scale = scale_x < scale_y ? scale_x : scale_y;
        place.out_width = placement_round(source_width * scale, width);
        place.out_height = placement_round(source_height * scale, height);
        place.left = (width - place.out_width) / 2;
        place.top = (height - place.out_height) / 2;
        break;
    }
    }
    return place;
}

vt_status vt_resampler_init(vt_resampler *resampler, const vt_image *image,
                            const vt_placement *place, vt_kernel kernel, vt_error *error)
{
    vt_resampler r = {.kernels = vt_resample_kernels_get(), .stride = (size_t)image->width * 3};
    vt_status status = vt_filter_init(&r.horizontal, image->width, place->x, place->width,
                                      place->out_width, kernel, error);
    if (status == VT_OK)
        status = vt_filter_init(&r.vertical, image->height, place->y, place->height,
                                place->out_height, kernel, error);
    if (status != VT_OK)
        goto filters_failed;
    /* Starts never decrease from left to right. */
    int first = r.horizontal.start[0];
    int last = r.horizontal.start[r.horizontal.count - 1] + r.horizontal.taps;
    for (int i = 0; i < r.horizontal.count; i++)
        r.horizontal.start[i] -= first;
    r.source = image->rgb + (size_t)first * 3;
    r.columns = (size_t)(last - first);
    r.row = vt_alloc_array(r.columns * 3 + 1, sizeof *r.row);
    r.out = vt_alloc_array((size_t)place->out_width, 4 * sizeof *r.out);
    if (!r.row || !r.out) {
        status = vt_fail_memory(error, "rows of a picture");
        goto filters_failed;
    }
    r.row[r.columns * 3] = 0.0f;
    *resampler = r;
    return VT_OK;
filters_failed:
    vt_resampler_deinit(&r);
    return status;
}

void vt_resampler_deinit(vt_resampler *resampler)
{
    vt_filter_deinit(&resampler->horizontal);
    vt_filter_deinit(&resampler->vertical);
    vt_free(resampler->row);
    vt_free(resampler->out);
    memset(resampler, 0, sizeof *resampler);
}

const float *vt_resampler_row(vt_resampler *r, int y)
{
    const vt_filter *filter = &r->vertical;
    const uint8_t *source = r->source + (size_t)filter->start[y] * r->stride;
    r->kernels->vertical(source, r->stride, filter->weights + (size_t)y * (size_t)filter->taps,
                         filter->taps, r->columns * 3, r->row);
    r->kernels->horizontal(r->row, &r->horizontal, r->out);
    return r->out;
}
