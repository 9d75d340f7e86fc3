/* SPDX-License-Identifier: Apache-2.0 */
/*
 * From photos to a query vector. Several photos are views of one thing: their vectors are averaged,
 * so that the similarity to a product picture is (up to a factor that does not change the order)
 * the mean of the photos' own similarities to it, and one exact scan answers for all of them.
 * Liked products join that sum with their weights.
 */
#include "search/search.h"

#include "base/clock.h"
#include "base/mem.h"
#include "vector/distance.h"

#include <math.h>
#include <string.h>

static vt_status decode(const vt_searcher *searcher, const vt_photo *photo, vt_rect crop,
                        vt_image *image, vt_error *error)
{
    vt_encoder_info info = vt_encoder_info_of(searcher->encoder);
    vt_decode_options options = vt_decode_options_defaults();
    options.fit_width = info.fit_width;
    options.fit_height = info.fit_height;
    options.crop = crop;
    if (searcher->maximum_pixels > 0)
        options.maximum_pixels = searcher->maximum_pixels;
    if (photo->path != NULL)
        return vt_image_decode_file(photo->path, &options, image, error);
    return vt_image_decode(photo->bytes, photo->length, &options, image, error);
}

vt_status vt_search_embed(const vt_searcher *searcher, const vt_photo *photo, vt_rect crop,
                          float *out, vt_search_times *times, vt_error *error)
{
    vt_image image = {0};
    double started = vt_clock_ms();
    vt_status status = decode(searcher, photo, crop, &image, error);
    double decoded = vt_clock_ms();
    if (status == VT_OK) {
        status = vt_batcher_embed(searcher->batcher, &image, 1, out, error);
        if (status != VT_OK && photo->path != NULL)
            vt_fail_context(error, status, "embed \"%.200s\"", photo->path);
    }
    vt_image_deinit(&image);
    if (times != NULL) {
        times->decode_ms += decoded - started;
        times->embed_ms += vt_clock_ms() - decoded;
    }
    return status;
}

vt_status vt_search_check_query(const vt_query *query, vt_error *error)
{
    if (query->photo_count > VT_SEARCH_MAX_PHOTOS || query->like_count > VT_SEARCH_MAX_LIKES ||
        (query->photos == NULL && query->photo_count > 0) ||
        (query->likes == NULL && query->like_count > 0))
        return vt_fail(error, VT_ERR_USAGE,
                       "search: %zu photos and %zu liked products, up to %d and %d can be",
                       query->photo_count, query->like_count, VT_SEARCH_MAX_PHOTOS,
                       VT_SEARCH_MAX_LIKES);
    bool worded = query->text != NULL && query->text[0] != '\0';
    bool visual = query->photo_count + query->like_count > 0;
    if (!visual && !worded)
        return vt_fail(error, VT_ERR_USAGE,
                       "search: 0 photos, no liked product and no words, one of them is needed");
    if (!visual && query->min_similarity > -1.0)
        return vt_fail(error, VT_ERR_USAGE,
                       "search: words alone have no similarity that there could be a minimum of");
    if (query->top < 1 || query->top > VT_SEARCH_MAX_TOP)
        return vt_fail(error, VT_ERR_USAGE, "search: the top %zu cannot be asked for, 1 to %d can",
                       query->top, VT_SEARCH_MAX_TOP);
    if (query->offset > VT_SEARCH_MAX_OFFSET)
        return vt_fail(error, VT_ERR_USAGE,
                       "search: the first %zu cannot be left out, up to %d can", query->offset,
                       VT_SEARCH_MAX_OFFSET);
    if (isnan(query->min_similarity))
        return vt_fail(error, VT_ERR_USAGE, "search: the minimum similarity is not a number");
    return VT_OK;
}

static bool is_region(int x, int y, int width, int height)
{
    return (width == 0 && height == 0) || (width >= 1 && height >= 1 && x >= 0 && y >= 0);
}

static vt_status check_views(const vt_query *query, vt_error *error)
{
    if (!is_region(query->crop_x, query->crop_y, query->crop_width, query->crop_height))
        return vt_fail(error, VT_ERR_USAGE, "search: crop %d,%d,%d,%d is not X,Y,W,H of a region",
                       query->crop_x, query->crop_y, query->crop_width, query->crop_height);
    for (size_t i = 0; query->views != NULL && i < query->photo_count; i++) {
        const vt_view *view = &query->views[i];
        if (!is_region(view->x, view->y, view->width, view->height))
            return vt_fail(error, VT_ERR_USAGE,
                           "search: crop %d,%d,%d,%d of photo %zu is not X,Y,W,H of a region",
                           view->x, view->y, view->width, view->height, i + 1);
        if (!vt_search_weight_valid(view->weight))
            return vt_fail(error, VT_ERR_USAGE,
                           "search: the weight of photo %zu is %g, from -%d to %d and not 0 it can "
                           "be",
                           i + 1, view->weight, VT_SEARCH_MAX_WEIGHT, VT_SEARCH_MAX_WEIGHT);
    }
    return VT_OK;
}

/* Weight times the vector of photo `i`: out (dim). */
static vt_status photo_vector(const vt_searcher *searcher, const vt_query *query, size_t i,
                              float *out, vt_search_times *times, vt_error *error)
{
    vt_rect crop = {query->crop_x, query->crop_y, query->crop_width, query->crop_height};
    const vt_view *view = query->views != NULL ? &query->views[i] : NULL;
    if (view != NULL && view->width > 0)
        crop = (vt_rect){view->x, view->y, view->width, view->height};
    vt_status status = vt_search_embed(searcher, &query->photos[i], crop, out, times, error);
    if (status != VT_OK && query->photo_count > 1)
        return vt_fail_context(error, status, "photo %zu", i + 1);
    for (size_t d = 0; status == VT_OK && view != NULL && d < searcher->dim; d++)
        out[d] *= (float)view->weight;
    return status;
}

/* The sum of the parts, made to length 1, and the parts shrunk with it. */
static vt_status sum(float *parts, size_t count, size_t dim, float *out, vt_error *error)
{
    double squares = 0.0;
    memset(out, 0, dim * sizeof(float));
    for (size_t i = 0; i < count; i++)
        for (size_t d = 0; d < dim; d++)
            out[d] += parts[i * dim + d];
    for (size_t d = 0; d < dim; d++)
        squares += (double)out[d] * (double)out[d];
    if (!vt_vector_normalize(out, dim))
        return vt_fail(error, VT_ERR_USAGE,
                       "search: the vectors of what is searched with cancel each other");
    for (size_t i = 0; i < count * dim; i++)
        parts[i] = (float)((double)parts[i] / sqrt(squares));
    return VT_OK;
}

vt_status vt_search_query_vector(const vt_searcher *searcher, const vt_query *query, float *parts,
                                 float *out, vt_search_times *times, vt_error *error)
{
    size_t dim = searcher->dim, count = query->photo_count + query->like_count;
    float *own = NULL;
    vt_status status = vt_search_check_query(query, error);
    if (status == VT_OK)
        status = check_views(query, error);
    if (status != VT_OK)
        return status;
    if (parts == NULL) {
        own = vt_calloc(count, dim * sizeof(float));
        if (own == NULL)
            return vt_fail_memory(error, "a query vector");
        parts = own;
    }
    for (size_t i = 0; status == VT_OK && i < query->photo_count; i++)
        status = photo_vector(searcher, query, i, parts + i * dim, times, error);
    if (status == VT_OK)
        status = vt_search_like_vectors(searcher, query, parts + query->photo_count * dim, error);
    if (status == VT_OK)
        status = sum(parts, count, dim, out, error);
    vt_free(own);
    return status;
}
